"""What a basket or an event would earn: the same as when it is posted, for whoever asks, and nothing is written."""

from typing import Any

import pytest

from loyalty.rules.interpret import Interpreter
from loyalty.runtime import wiring
from tests.unit.published import Shelf, checked, give_budget, rule
from tests.unit.running import Response, Running
from tests.unit.test_rules_earning import AT, EVENT, EVENTS, LUNCH, Shop, given

QUOTE = "POST /v1/quotes"


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return Shelf(Interpreter).deploy(monkeypatch)


@pytest.fixture
def shop(running: Running) -> Shop:
    return Shop(running)


def basket(*amounts: str, **further: Any) -> dict[str, Any]:
    return {"currency": "EUR", "lines": [{"amount": amount} for amount in amounts], "occurred_at": AT, **further}


def quote(shop: Shop, token: str = "", **body: Any) -> Response:
    before = shop.running.engine.fingerprint()
    answer = shop.running.call(token or shop.till, QUOTE, body)
    assert shop.running.engine.fingerprint() == before, "a quote wrote something"
    return answer


def quoted(answer: Response) -> dict[str, int]:
    assert answer.status == 200, answer.body
    awards = {award["rule"]: award["points"] for award in answer.body["awards"]}
    assert sum(awards.values()) == answer.body["points"]
    assert awards.get("base", 0) == answer.body["base"]
    return awards


def test_a_quote_tells_what_each_rule_would_give_and_what_it_is_called(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(LUNCH)
    answer = quote(shop, purchase=basket("60.00"), member=shop.member)
    assert answer.body == {
        "points": 120,
        "base": 60,
        "awards": [
            {"rule": "base", "points": 60, "names": {"en": "Base", "zh": "基础"}},
            {"rule": "lunch", "points": 60, "names": {"en": "lunch", "zh": "lunch"}},
        ],
        "rules": 1,
    }


def test_a_quote_is_what_posting_then_earns(shelf: Shelf, shop: Shop) -> None:
    give_budget(shop.running.table, "autumn", 55)
    shelf.publish(
        checked(
            "campaigns: {autumn: {points: 55}}",
            rule("first", "5 * base", "member.first_purchase"),
            rule("gold", "base * 1.5", "member.tier = 'gold'", cap="{member: {points: 20, per: total}}"),
            rule("third", "amount / 3", budget="autumn"),
        )
    )
    shop.change(tier="gold")
    rules: list[set[str]] = []
    for number in range(6):
        before = quoted(quote(shop, purchase=basket("33.40", "0.10"), identity="card:1"))
        assert given(shop.buy(str(number), "33.40", "0.10")) == before, number
        rules.append(set(before))
    assert rules[0] == {"base", "first", "gold", "third"}
    assert rules[-1] == {"base"}, "by then caps and budgets are used up"


def test_a_quote_for_nobody_is_what_anybody_would_earn(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(checked("", rule("first", "5 * base", "member.first_purchase"), rule("app", "7", "channel = 'app'")))
    assert quoted(quote(shop, purchase=basket("10.00", channel="app"))) == {"base": 10, "app": 7}


def test_where_no_rule_set_is_published_the_policys_rate_is_quoted(running: Running) -> None:
    shop = Shop(running)
    answer = quote(shop, purchase=basket("60.50"), member=shop.member)
    assert answer.body == {"points": 60, "base": 60, "awards": [{"rule": "base", "points": 60}]}
    assert quote(shop, event={"type": "check_in"}, member=shop.member).body["points"] == 5


def test_what_was_carried_counts_in_a_quote(running: Running) -> None:
    shop = Shop(running)
    shop.buy("1", "0.60")
    assert quote(shop, purchase=basket("0.60"), member=shop.member).body["points"] == 1


def test_an_event_is_quoted_as_it_would_be_posted(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(
        checked(
            EVENTS,
            rule("day", "1", "event.type = 'check_in'", "event"),
            rule("second", "10", "event.streak = 2", "event"),
            rule("review", "3 * event.words", "event.type = 'review'", "event"),
        )
    )
    shop.happens("check_in", occurred_at="2026-03-01T08:00:00Z")
    event = {"type": "check_in", "occurred_at": AT}
    assert quoted(quote(shop, event=event, member=shop.member)) == {"day": 1, "second": 10}
    assert given(shop.send(EVENT, {**event, "member": shop.member})) == {"day": 1, "second": 10}
    review = {"type": "review", "occurred_at": AT, "fields": {"product": "tea", "words": "2.5"}}
    assert quoted(quote(shop, event=review, member=shop.member)) == {"review": 7}
    assert given(shop.send(EVENT, {**review, "member": shop.member})) == {"review": 7}
    again = quote(shop, event=review, member=shop.member)  # it counts once, and was counted
    assert (quoted(again), again.body["points"]) == ({}, 0)
    other = {**review, "fields": {"product": "milk", "words": "2"}}
    assert quoted(quote(shop, event=other, member=shop.member)) == {"review": 6}
    missing = {"type": "review", "occurred_at": AT}
    assert quote(shop, event=missing, member=shop.member).code == "EVENT_FIELD_INVALID"
    assert quote(shop, event={"type": "dance"}, member=shop.member).code == "EVENT_TYPE_UNKNOWN"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "REQUEST_INVALID", "purchase"),
        (
            {"purchase": basket("1.00"), "event": {"type": "check_in"}, "identity": "card:1"},
            "REQUEST_INVALID",
            "purchase",
        ),
        ({"event": {"type": "check_in"}}, "REQUEST_INVALID", "member"),
        ({"purchase": basket("1.001")}, "REQUEST_INVALID", "purchase.lines[0].amount"),
        ({"purchase": {"currency": "EUR", "lines": []}}, "REQUEST_INVALID", "purchase.lines"),
        ({"purchase": basket("1.00"), "identity": "card:9"}, "MEMBER_NOT_FOUND", None),
        ({"purchase": basket("1.00"), "member": "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"}, "MEMBER_NOT_FOUND", None),
        ({"purchase": basket("1.00"), "wallet": "miles"}, "WALLET_NOT_FOUND", None),
        ({"purchase": basket("1", currency="JPY")}, "PURCHASE_CURRENCY_UNSUPPORTED", None),
    ],
)
def test_a_quote_of_what_cannot_be_is_refused(
    shelf: Shelf, shop: Shop, body: dict[str, Any], code: str, field: str | None
) -> None:
    shelf.publish(LUNCH)
    answer = quote(shop, **body)
    assert (answer.code, answer.body.get("field")) == (code, field)


def test_a_closed_account_earns_nothing_that_could_be_quoted(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(LUNCH)
    close = "POST /v1/members/{id}/close"
    headers = {"Idempotency-Key": "close"}
    shop.running.call(shop.operator, close, {"reason": "left"}, params={"id": shop.member}, headers=headers)
    assert quote(shop, purchase=basket("60.00"), member=shop.member).code == "ACCOUNT_CLOSED"


def test_a_member_asks_for_itself_and_a_store_for_its_own(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(LUNCH)
    route = "POST /v1/members/{id}/tokens"
    token = shop.running.call(shop.till, route, {}, params={"id": shop.member}).body["token"]
    other = shop.running.call(shop.till, "POST /v1/members", {"identities": ["card:2"]}).body["id"]
    assert quoted(quote(shop, token, purchase=basket("60.00"), member=shop.member)) == {"base": 60, "lunch": 60}
    assert quote(shop, token, purchase=basket("60.00"), member=other).code == "AUTH_MEMBER_FORBIDDEN"
    bound = shop.running.key("till", name="bound", store="319")
    assert quote(shop, bound, purchase=basket("60.00", store="320")).code == "AUTH_STORE_FORBIDDEN"
    assert quote(shop, bound, purchase=basket("60.00", store="319")).status == 200
    auditor = shop.running.key("auditor")
    assert quote(shop, auditor, purchase=basket("60.00")).code == "AUTH_SCOPE_MISSING"


def test_a_wallet_that_was_never_used_is_quoted_as_empty(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(LUNCH)
    policy = shop.running.call(shop.operator, "GET /v1/program").body
    changed = {**policy, "wallets": ["points", "cash", "miles"]}
    shop.running.call(shop.operator, "PUT /v1/program", changed, headers={"If-Match": "*"})
    wiring._policies.clear()  # noqa: SLF001 - a minute has passed
    found = quote(shop, purchase=basket("60.00"), member=shop.member, wallet="miles")
    assert quoted(found) == {"base": 60}  # rules earn in the first wallet alone


def test_an_event_that_decides_on_others_is_quoted_as_the_nothing_it_earns(shelf: Shelf, shop: Shop) -> None:
    sections = "events: {trade_in: {}, accepted: {activates: trade_in}}"
    shelf.publish(checked(sections, rule("any", "7", "", "event")))
    asked = {"type": "accepted", "occurred_at": AT}
    assert quote(shop, event=asked, member=shop.member).body["points"] == 0
    asked = {"type": "trade_in", "occurred_at": AT}
    assert quote(shop, event=asked, member=shop.member).body["points"] == 7
