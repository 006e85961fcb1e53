"""Returns as they run: what comes back counts in the currency it was bought in."""

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
