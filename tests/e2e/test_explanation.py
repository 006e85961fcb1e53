"""Why an entry says what it says, asked of the deployed stack by a till and by the member itself."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.calls import Api
from tests.e2e.stack import ALPHA, Stack

PROGRAM = "explained"
RULES = """
rule_set: explained
program: explained
calendar:
  double_11: {name: {en: Double 11, zh: 双十一}, dates: [2026-11-11]}
rules:
  - {id: base, name: {en: One point per dollar, zh: 每消费一美元积一分}, on: line, earn: line.amount}
  - id: lunch
    name: {en: Lunch counts double, zh: 午餐双倍积分}
    when: channel = 'store' AND local_time BETWEEN '11:00' AND '13:30'
    earn: 2 * base
  - id: double_11
    name: {en: Double 11, zh: 双十一}
    when: on_day('double_11')
    earn: 3 * base
"""
NOON = "2026-11-09T12:00:00Z"


@pytest.fixture(scope="module")
def tokens(stack: Stack) -> dict[str, str]:
    """A programme under rules of its own; its keys by role."""
    tokens = stack.add({**ALPHA, "program": PROGRAM, "name": "Explained"}).tokens
    with stack.api(tokens["marketer"]) as marketer:
        draft = marketer.post("/v1/rule-sets", {"source": RULES}, key=None).expect(201)
        marketer.post(f"/v1/rule-sets/{draft['id']}/publish", key=None).expect(200)
    return tokens


@pytest.fixture
def shop(stack: Stack, tokens: dict[str, str]) -> Iterator[Api]:
    with stack.api(tokens["shop"]) as api:
        yield api


@pytest.fixture
def buy(shop: Api) -> Callable[..., Any]:
    """``buy()`` is the entry of a purchase of 60 dollars at noon, by a member of its own."""
    member = shop.post("/v1/members", {"identities": [f"card:{secrets.token_hex(8)}"]}).expect(201)["id"]

    def new(**body: Any) -> Any:
        purchase = {
            "source": "pos", "order_id": secrets.token_hex(8), "member": member, "channel": "store",
            "occurred_at": NOON, "currency": "USD", "lines": [{"amount": "60.00"}],
        }  # fmt: skip
        return shop.post("/v1/purchases", {**purchase, **body}).expect(201)

    return new


def test_a_purchase_is_explained_in_both_languages(shop: Api, buy: Callable[..., Any]) -> None:
    entry = buy()
    assert entry["points"] == 120
    path = f"/v1/entries/{entry['id']}/explanation"
    english = shop.get(path).expect(200)
    assert english["recomputed"] is True
    assert english["text"] == [
        "120 points, by version 1 of the rule set “explained”.",
        "“One point per dollar”: exactly 60 points; 60 points given.",
        "“Lunch counts double” (bought in store and between 11:00 and 13:30): exactly 60 points; 60 points given.",
        "120 points more by “Double 11”, had it been on 2026-11-11.",
    ]
    answer = shop.get(path, **{"Accept-Language": "zh-CN,zh;q=0.9"})
    assert answer.headers["content-language"] == "zh"
    assert answer.expect(200)["text"] == [
        "120分，依据规则集“explained”的第1版。",
        "“每消费一美元积一分”：精确值为60分；给予60分。",
        "“午餐双倍积分”（在门店购买，且在11:00至13:30之间）：精确值为60分；给予60分。",
        "若在2026-11-11当天，按“双十一”可多得120分。",
    ]
    assert shop.get(f"{path}?lang=zh").expect(200) == answer.body


def test_what_is_suggested_earns_what_was_promised(shop: Api, buy: Callable[..., Any]) -> None:
    entry = buy()
    (more,) = shop.get(f"/v1/entries/{entry['id']}/explanation").expect(200)["nearest"]
    assert more["changes"] == [{"fact": "date", "value": "2026-11-11"}]
    assert buy(occurred_at=NOON.replace("2026-11-09", "2026-11-11"))["points"] == entry["points"] + more["points"]


def test_a_return_is_explained(shop: Api, buy: Callable[..., Any]) -> None:
    order = buy()["purchase"]["order_id"]
    back = shop.post(f"/v1/purchases/pos/{order}/returns", {"amount": "15.00"}).expect(201)
    found = shop.get(f"/v1/entries/{back['id']}/explanation").expect(200)
    assert found["text"][2:] == ["“One point per dollar”: 15 points.", "“Lunch counts double”: 15 points."]


def test_a_member_explains_its_own_entries_alone(stack: Stack, shop: Api, buy: Callable[..., Any]) -> None:
    mine = buy()
    token = shop.post(f"/v1/members/{mine['member']}/tokens", {}, key=None).expect(201)["token"]
    other = shop.post("/v1/members", {"identities": [f"card:{secrets.token_hex(8)}"]}).expect(201)["id"]
    with stack.api(token) as member:
        member.get(f"/v1/entries/{mine['id']}/explanation").expect(200)
        foreign = mine["id"].replace(mine["member"].removeprefix("mem_"), other.removeprefix("mem_"))
        member.get(f"/v1/entries/{foreign}/explanation").expect(403, "AUTH_MEMBER_FORBIDDEN")
    shop.get(f"/v1/entries/{mine['id'][:-1]}9/explanation").expect(404, "ENTRY_NOT_FOUND")
    shop.get(f"/v1/entries/{mine['id']}/explanation?lang=de").expect(400, "REQUEST_INVALID")
