"""The functions that spend points as they run: whose key counts for whom, and who may let go of what is held."""

from datetime import datetime
from typing import Any

import pytest

from tests.unit.running import Response, Running

REDEEM, ALLOW = "POST /v1/members/{id}/redemptions", "POST /v1/holds"
HOLD, CAPTURE, RELEASE = "POST /v1/members/{id}/holds", "POST /v1/holds/{id}/capture", "POST /v1/holds/{id}/release"


@pytest.fixture
def shop(running: Running) -> str:
    return running.key("shop")


@pytest.fixture
def member(running: Running, shop: str) -> str:
    """A member with 100 points."""
    return with_points(running, shop, running.key("operator"))


def with_points(running: Running, shop: str, operator: str) -> str:
    enrolled = running.call(shop, "POST /v1/members", {"identities": ["card:1"]}).body["id"]
    given = {"points": 100, "reason": "to begin with"}
    path = "POST /v1/members/{id}/adjustments"
    assert post(running, operator, path, given, "begin", enrolled).status == 201
    return str(enrolled)


def post(running: Running, token: str, route: str, body: Any, key: str, place: str = "") -> Response:
    params = {"id": place} if place else None
    return running.call(token, route, body, params=params, headers={"Idempotency-Key": key})


def test_a_key_that_a_member_used_is_still_its_shops_own(running: Running, shop: str, member: str) -> None:
    said = running.call(shop, "POST /v1/members/{id}/tokens", {}, params={"id": member}).body
    by_member = post(running, said["token"], REDEEM, {"points": 30}, "order-7", member)
    by_shop = post(running, shop, REDEEM, {"points": 30}, "order-7", member)
    assert (by_member.status, by_shop.status) == (201, 201)
    assert "idempotency-replayed" not in by_shop.headers
    assert by_shop.body["balance"]["available"] == 40
    again = post(running, said["token"], REDEEM, {"points": 30}, "order-7", member)
    assert again.body["id"] == by_member.body["id"]
    assert again.headers["idempotency-replayed"] == "true"


def test_what_a_till_may_spend_offline_is_let_go_by_who_shows_the_allowance(
    running: Running, shop: str, member: str
) -> None:
    held = post(running, shop, ALLOW, {"member": member, "points": 60}, "day").body
    hold, other = held["hold"]["id"], running.key("till")
    assert post(running, other, RELEASE, {}, "r1", hold).code == "HOLD_ALLOWANCE_INVALID"
    assert post(running, other, RELEASE, {"allowance": "forged"}, "r2", hold).code == "HOLD_ALLOWANCE_INVALID"
    settled = post(running, shop, CAPTURE, {"points": 50, "final": False, "allowance": held["allowance"]}, "s", hold)
    assert settled.body["hold"]["left"] == 10
    let_go = post(running, shop, RELEASE, {"allowance": held["allowance"]}, "r3", hold)
    assert (let_go.status, let_go.body["balance"]["available"]) == (201, 50)


def test_a_till_has_a_day_to_settle_or_as_much_of_it_as_the_longest_hold_leaves(running: Running) -> None:
    running.establish("kiosk", holds={"default_minutes": 15, "max_minutes": 60})
    shop = running.key("shop", "kiosk")
    member = with_points(running, shop, running.key("operator", "kiosk"))

    def lasts(body: dict[str, int], key: str) -> int:
        entry = post(running, shop, ALLOW, {"member": member, "points": 1, **body}, key).body
        made, ends = (datetime.fromisoformat(at) for at in (entry["recorded_at"], entry["hold"]["expires_at"]))
        return round((ends - made).total_seconds() / 60)

    def refused(body: dict[str, int]) -> tuple[str, str]:
        answer = post(running, shop, ALLOW, {"member": member, "points": 1, **body}, "refused")
        return answer.code, answer.body["field"]

    assert lasts({}, "a") == 60
    assert lasts({"minutes": 59}, "b") == 60
    assert lasts({"settle_minutes": 5}, "c") == 20
    assert refused({"minutes": 60}) == ("REQUEST_INVALID", "minutes")
    assert refused({"minutes": 59, "settle_minutes": 2}) == ("REQUEST_INVALID", "settle_minutes")


def test_who_may_correct_balances_lets_go_of_a_hold_whose_allowance_is_lost(
    running: Running, shop: str, member: str
) -> None:
    hold = post(running, shop, ALLOW, {"member": member, "points": 60}, "day").body["hold"]["id"]
    let_go = post(running, running.key("operator"), RELEASE, {}, "r1", hold)
    assert (let_go.status, let_go.body["balance"]["available"]) == (201, 100)


def test_a_hold_without_an_allowance_is_let_go_by_any_till(running: Running, shop: str, member: str) -> None:
    hold = post(running, shop, HOLD, {"points": 60}, "h", member).body["hold"]["id"]
    assert post(running, running.key("till"), RELEASE, {}, "r1", hold).status == 201
