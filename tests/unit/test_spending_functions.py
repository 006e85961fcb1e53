"""The functions that spend points as they run: whose key counts for whom, and who may let go of what is held."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.running import Response, Running, forget

REDEEM, ALLOW = "POST /v1/members/{id}/redemptions", "POST /v1/holds"
HOLD, CAPTURE, RELEASE = "POST /v1/members/{id}/holds", "POST /v1/holds/{id}/capture", "POST /v1/holds/{id}/release"


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    deployed = Running().deploy(monkeypatch)
    deployed.establish()
    yield deployed
    forget()


@pytest.fixture
def shop(running: Running) -> str:
    return running.key("shop")


@pytest.fixture
def member(running: Running, shop: str) -> str:
    """A member with 100 points."""
    enrolled = running.call(shop, "POST /v1/members", {"identities": ["card:1"]}).body["id"]
    given = {"points": 100, "reason": "to begin with"}
    path = "POST /v1/members/{id}/adjustments"
    assert post(running, running.key("operator"), path, given, "begin", enrolled).status == 201
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
