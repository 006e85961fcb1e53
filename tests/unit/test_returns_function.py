"""Returns as they run: in the currency of the purchase, and at the store that sold."""

from typing import Any

from loyalty.runtime import wiring
from tests.unit.running import POLICY, Response, Running

BUY, BACK = "POST /v1/purchases", "POST /v1/purchases/{source}/{order_id}/returns"
SALE: dict[str, Any] = {
    "source": "pos",
    "order_id": "1",
    "identity": "card:1",
    "occurred_at": "2026-03-01T12:30:00Z",
    "currency": "EUR",
    "lines": [{"amount": "12.00"}],
}


def bring_back(running: Running, till: str, key: str, **body: Any) -> Response:
    place = {"source": "pos", "order_id": "1"}
    return running.call(till, BACK, body, params=place, headers={"Idempotency-Key": key})


def test_an_order_is_returned_in_its_own_currency_after_the_programmes_has_changed(running: Running) -> None:
    till, operator = running.key("till"), running.key("operator")
    running.call(till, "POST /v1/members", {"identities": ["card:1"]})
    assert running.call(till, BUY, SALE, headers={"Idempotency-Key": "k1"}).body["points"] == 12
    changed = {**POLICY, "currency": "JPY"}
    assert running.call(operator, "PUT /v1/program", changed, headers={"If-Match": "*"}).status == 200
    wiring._policies.clear()  # noqa: SLF001 - a minute has passed
    assert bring_back(running, till, "r1", amount="2.50").body["purchase"]["amount"] == 250
    assert bring_back(running, till, "r2", lines=[{"line": 1, "amount": "5"}]).body["purchase"]["amount"] == 500
    assert bring_back(running, till, "r3", amount="1.005").code == "REQUEST_INVALID"


def test_a_client_of_a_store_takes_back_what_its_store_sold_and_what_none_did(running: Running) -> None:
    shop, bound = running.key("shop"), running.key("till", name="till 319", store="319")
    running.call(shop, "POST /v1/members", {"identities": ["card:1"]})
    for number, store in enumerate(("320", "319", ""), start=1):
        sale = SALE | {"order_id": str(number), "store": store}
        assert running.call(shop, BUY, sale, headers={"Idempotency-Key": f"k{number}"}).status == 201

    def back(number: int) -> Response:
        place = {"source": "pos", "order_id": str(number)}
        headers = {"Idempotency-Key": f"r{number}"}
        return running.call(bound, BACK, {"store": "319"}, params=place, headers=headers)

    before = running.engine.fingerprint()
    assert (back(1).status, back(1).code) == (403, "AUTH_STORE_FORBIDDEN")
    assert running.engine.fingerprint() == before
    assert [back(2).status, back(3).status] == [201, 201]
