"""Purchases, returns and events under a published rule set, through the functions as they run."""

import json
from typing import Any

import pytest

from loyalty.earning.purchase import Order
from loyalty.earning.store import OrderStore
from loyalty.errors import Corrupt, Unavailable
from loyalty.ledger.chain import Chain
from loyalty.ledger.service import busy
from loyalty.ledger.store import LedgerStore
from loyalty.rules import engine
from loyalty.rules.compiler import compiled
from loyalty.rules.evaluation import Evaluation, Facts, Failure, Loaded
from loyalty.rules.interpret import Interpreter
from loyalty.rules.ruleset import RuleSet
from loyalty.runtime import wiring
from loyalty.table.writes import Contended
from tests.unit.published import Shelf, checked, give_budget, leased, rule
from tests.unit.relaying import Behind
from tests.unit.running import PROGRAM, Response, Running

BUY, EVENT, QUOTE = "POST /v1/purchases", "POST /v1/events", "POST /v1/quotes"
BACK = "POST /v1/purchases/{source}/{order_id}/returns"
AT = "2026-03-02T12:00:00Z"
"""A Monday."""


@pytest.fixture(params=[Interpreter, compiled], ids=["interpreted", "compiled"])
def shelf(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return Shelf(request.param).deploy(monkeypatch)


class Shop:
    """One member, and what a shop sends of it."""

    def __init__(self, running: Running, *, kind: str = "member", **attributes: Any) -> None:
        self.running = running
        self.till = running.key("shop")
        self.operator = running.key("operator")
        self.sent = 0
        body = {"kind": kind, "identities": ["card:1"], "attributes": attributes}
        self.member = running.call(self.till, "POST /v1/members", body).body["id"]

    def send(self, route: str, body: Any, key: str = "", **params: str) -> Response:
        self.sent += 1
        headers = {"Idempotency-Key": key or f"k{self.sent}"}
        return self.running.call(self.till, route, body, params=params, headers=headers)

    def buy(self, order: str, *amounts: str, key: str = "", **further: Any) -> Response:
        lines = [{"amount": amount} for amount in amounts]
        body = {"source": "pos", "order_id": order, "currency": "EUR", "lines": lines, "member": self.member}
        return self.send(BUY, {"occurred_at": AT, **body, **further}, key)

    def back(self, order: str, key: str = "", **body: Any) -> Response:
        return self.send(BACK, body, key, source="pos", order_id=order)

    def happens(self, type_: str, key: str = "", **further: Any) -> Response:
        return self.send(EVENT, {"type": type_, "member": self.member, "occurred_at": AT, **further}, key)

    def change(self, **body: Any) -> None:
        headers = {"If-Match": "*"}
        route = "PATCH /v1/members/{id}"
        answer = self.running.call(self.operator, route, body, params={"id": self.member}, headers=headers)
        assert answer.status == 200

    def order(self, order: str) -> Order:
        found = OrderStore(self.running.table).get(PROGRAM, "pos", order)
        assert found is not None
        return found

    def balance(self) -> dict[str, int]:
        route = "GET /v1/members/{id}/balance"
        found: dict[str, int] = self.running.call(self.till, route, params={"id": self.member}).body["balance"]
        return found

    @property
    def chain(self) -> Chain:
        return Chain(PROGRAM, self.member, "points")


@pytest.fixture
def shop(running: Running) -> Shop:
    return Shop(running)


def given(answer: Response) -> dict[str, int]:
    """Points by rule, as an entry tells them."""
    assert answer.status == 201, answer.body
    if "awards" not in answer.body:
        return {"base": answer.body["points"]}
    awards = {award["rule"]: award["points"] for award in answer.body["awards"]}
    assert sum(awards.values()) == answer.body["points"]
    return awards


LUNCH = checked("", rule("lunch", "2 * base", "local_time BETWEEN '11:00' AND '13:30'"))


def test_a_purchase_earns_by_the_rules_in_force_and_says_by_which(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(LUNCH)
    at_noon, at_night = shop.buy("1", "60.00"), shop.buy("2", "60.00", occurred_at="2026-03-02T22:00:00Z")
    assert given(at_noon) == {"base": 60, "lunch": 60}
    assert given(at_night) == {"base": 60}
    assert (at_noon.body["rule_set"], at_night.body["rule_set"]) == (1, 1)
    assert shop.balance()["available"] == 180


def test_the_order_pins_the_version_and_the_awards(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(LUNCH)
    shop.buy("1", "60.00", payment="card")
    order = shop.order("1")
    assert order.given is not None
    assert (order.version, order.payment, order.given.version) == (1, "card", 1)
    assert [(award.rule, award.num // award.den) for award in order.given.awards] == [("base", 60), ("lunch", 60)]


def test_before_a_rule_set_is_published_everything_is_as_it_was(shelf: Shelf, shop: Shop) -> None:
    answer = shop.buy("1", "60.00")
    assert (answer.body["points"], "awards" in answer.body, "rule_set" in answer.body) == (60, False, False)
    assert shop.order("1").given is None
    body = json.loads(str(shop.running.table.page(shop.chain.pk, limit=1, newest_first=True)[0][0]["body"]))
    assert set(body["d"]) == {"points", "source", "order", "amount"}
    # A purchase from then is returned by the rate it was made under, whatever is published since.
    shelf.publish(LUNCH)
    assert shop.back("1", amount="30.00").body["points"] == 30
    assert "rule_set" not in shop.back("1").body
    assert shop.balance()["available"] == 0


def test_a_rule_set_in_another_currency_than_the_policys_does_not_count_cents_as_yen(
    shelf: Shelf, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf.publish(LUNCH)
    policy = shop.running.call(shop.operator, "GET /v1/program").body
    changed = {**policy, "currency": "JPY"}
    assert shop.running.call(shop.operator, "PUT /v1/program", changed, headers={"If-Match": "*"}).status == 200
    wiring._policies.clear()  # noqa: SLF001 - a minute has passed
    capsys.readouterr()
    answer = shop.buy("1", "60", currency="JPY")
    assert (answer.body["points"], "rule_set" in answer.body) == (60, False)
    assert '"RuleFailures":1' in capsys.readouterr().out


# ---- what rules may know


def test_rules_read_lines_payment_and_channel(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(
        checked(
            "attributes: {line: {organic: truth, litres: number}}",
            rule("organic", "5 * line.base", "line.organic", "line"),
            rule("litre", "10", "line.litres >= 1.5 AND line.brand = 'Alpina'", "line"),
            rule("wine", "7", "SUM(line.amount) FILTER (WHERE line.department = '酒') >= 20"),
            rule("wallet", "3", "payment = '微信' AND channel = 'app'"),
        )
    )
    lines = [
        {"amount": "10.00", "attributes": {"organic": True, "unknown": 1}},
        {"amount": "4.00", "brand": "Alpina", "attributes": {"litres": "1.5"}},
        {"amount": "21.00", "department": "酒", "attributes": {"organic": "yes"}},
    ]
    assert given(shop.buy("1", lines=lines, payment="微信", channel="app")) == {
        "base": 35,
        "organic": 40,
        "litre": 10,
        "wine": 7,
        "wallet": 3,
    }
    assert given(shop.buy("2", "35.00")) == {"base": 35}


def test_rules_read_the_members_standing_and_attributes_as_they_are_at_the_purchase(
    shelf: Shelf, running: Running
) -> None:
    shop = Shop(running, birthday="03-17", city="Bern", vegan=True)
    shelf.publish(
        checked(
            "attributes: {member: {vegan: truth}}",
            rule("gold", "base * 2", "member.tier = 'gold'"),
            rule("vip", "1", "'vip' IN member.segments"),
            rule("birthday", "2", "member.birth_month = month AND member.city = 'Bern'"),
            rule("vegan", "4", "member.vegan"),
        )
    )
    assert given(shop.buy("1", "10.00")) == {"base": 10, "birthday": 2, "vegan": 4}
    shop.change(tier="gold", segments=["vip"])
    assert given(shop.buy("2", "10.00")) == {"base": 10, "gold": 10, "vip": 1, "birthday": 2, "vegan": 4}
    pinned = shop.order("2").given
    assert pinned is not None
    assert pinned.person is not None
    assert (pinned.person.tier, pinned.person.segments, pinned.person.birth_month) == ("gold", ("vip",), 3)
    assert (pinned.person.birth_day, pinned.person.language, pinned.person.kind) == (0, "", "")


BIRTHDAY = "member.birth_month = month AND member.birth_day = day"


def test_whoever_was_born_on_29_february_earns_on_the_28th_of_a_common_year(shelf: Shelf, running: Running) -> None:
    shop = Shop(running, birthday="1996-02-29")
    declared = "events: {check_in: {}}"
    shelf.publish(checked(declared, rule("wish", "2 * base", BIRTHDAY), rule("visit", "5", BIRTHDAY, on="event")))
    bought = {
        day: given(shop.buy(day, "10.00", occurred_at=f"{day}T12:00:00Z"))
        for day in ("2024-02-28", "2024-02-29", "2026-02-27", "2026-02-28", "2026-03-01")
    }
    assert [day for day, awards in bought.items() if "wish" in awards] == ["2024-02-29", "2026-02-28"]
    assert given(shop.happens("check_in", occurred_at="2026-02-28T12:00:00Z")) == {"visit": 5}
    basket = {"currency": "EUR", "lines": [{"amount": "10.00"}], "occurred_at": "2026-02-28T12:00:00Z"}
    assert shop.send(QUOTE, {"purchase": basket, "member": shop.member}).body["points"] == 20


def test_the_members_document_is_read_only_where_rules_speak_of_it(
    shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    store = wiring.member_store()
    read = store.get

    def get(program: str, member: str) -> Any:
        reads.append(member)
        return read(program, member)

    monkeypatch.setattr(store, "get", get)
    shelf.publish(checked("", rule("first", "5", "member.first_purchase AND member.purchases = 0")))
    assert given(shop.buy("1", "10.00")) == {"base": 10, "first": 5}
    assert reads == []
    shelf.publish(checked("", rule("gold", "5", "member.tier = 'gold'")))
    assert given(shop.buy("2", "10.00")) == {"base": 10}
    assert reads == [shop.member]


def test_purchases_are_counted_and_one_that_came_back_whole_is_none(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(
        checked("", rule("first", "5 * base", "member.first_purchase"), rule("third", "9", "member.purchases = 2"))
    )
    assert given(shop.buy("1", "10.00")) == {"base": 10, "first": 40}
    assert given(shop.buy("2", "10.00")) == {"base": 10}
    shop.back("2", amount="4.00")
    shop.back("2")
    assert given(shop.buy("3", "10.00")) == {"base": 10}
    assert given(shop.buy("4", "10.00")) == {"base": 10, "third": 9}


def test_a_rule_that_fails_gives_nothing_is_reported_and_the_purchase_is_posted(
    shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf.publish(LUNCH)
    whole = shelf.of_version(PROGRAM, 1).evaluator

    class Failing:
        rules = whole.rules

        def evaluate(self, facts: Facts) -> Evaluation:
            found = whole.evaluate(facts)
            return Evaluation([hit for hit in found.hits if hit.rule == self.rules.base], [Failure(1, "secret value")])

    monkeypatch.setattr(shelf, "current", lambda program: Loaded(1, Failing()))
    capsys.readouterr()
    assert given(shop.buy("1", "60.00")) == {"base": 60}
    logged = capsys.readouterr().out
    assert logged.count('"RuleFailures":1') == 1
    assert '"rule":"lunch"' in logged
    assert "secret" not in logged


def test_a_rule_may_have_an_expiry_of_its_own(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(checked("", rule("double", "2 * base", expiry="{kind: none}")))
    shop.buy("1", "60.00")
    head = LedgerStore(shop.running.table).head(shop.chain)
    assert head is not None
    assert sorted((expiry > 0, points) for (expiry, _), points in head.state.lots.items()) == [(False, 60), (True, 60)]
    shop.back("1", amount="10.00")
    head = LedgerStore(shop.running.table).head(shop.chain)
    assert head is not None
    assert sorted((expiry > 0, points) for (expiry, _), points in head.state.lots.items()) == [(False, 50), (True, 50)]


# ---- what comes back


def test_a_return_takes_back_what_the_purchases_own_rules_gave(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(LUNCH)
    shop.buy("1", "60.00", "40.00")
    shelf.publish(checked("", rule("lunch", "50 * base")))
    half = shop.back("1", lines=[{"line": 2}])
    assert (given(half), half.body["rule_set"]) == ({"base": 40, "lunch": 40}, 1)
    assert given(shop.back("1")) == {"base": 60, "lunch": 60}
    assert shop.balance() == {"available": 0, "pending": 0, "held": 0, "arrears": 0}


def test_a_return_needs_no_rule_set(shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.publish(LUNCH)
    shop.buy("1", "60.00")

    def unreadable(program: str, version: int) -> Loaded:
        raise Corrupt(f"version {version} of {program} cannot be loaded")

    monkeypatch.setattr(shelf, "of_version", unreadable)
    assert given(shop.back("1", amount="30.00")) == {"base": 30, "lunch": 30}
    assert given(shop.back("1")) == {"base": 30, "lunch": 30}


def test_awards_of_lines_come_back_with_their_lines(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(checked("", rule("wine", "3 * line.base", "line.category = 'wine'", "line")))
    lines = [{"amount": "20.00", "category": "wine"}, {"amount": "30.00"}]
    assert given(shop.buy("1", lines=lines)) == {"base": 50, "wine": 40}
    assert given(shop.back("1", lines=[{"line": 2}])) == {"base": 30}
    assert given(shop.back("1", lines=[{"line": 1, "amount": "5.00"}])) == {"base": 5, "wine": 10}
    assert given(shop.back("1")) == {"base": 15, "wine": 30}


def test_an_award_that_goes_back_whole_goes_with_the_first_return(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(checked("", rule("voucher", "100", "amount >= 50", on_return="whole")))
    assert given(shop.buy("1", "60.00")) == {"base": 60, "voucher": 100}
    assert given(shop.back("1", amount="1.00")) == {"base": 1, "voucher": 100}
    assert given(shop.back("1")) == {"base": 59}


def test_caps_leave_room_for_what_came_back(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(checked("", rule("double", "2 * base", cap="{member: {points: 100, per: month}}")))
    assert given(shop.buy("1", "70.00")) == {"base": 70, "double": 70}
    assert given(shop.buy("2", "70.00")) == {"base": 70, "double": 30}
    assert given(shop.buy("3", "70.00")) == {"base": 70}
    shop.back("1")
    assert given(shop.buy("4", "80.00")) == {"base": 80, "double": 70}


def test_late_batches_earn_by_the_same_rules(shelf: Shelf, shop: Shop) -> None:
    from functions.ingest import handler as ingest

    shelf.publish(LUNCH)
    item = {
        "type": "purchase",
        "source": "pos",
        "order_id": "1",
        "occurred_at": AT,
        "currency": "EUR",
        "lines": [{"amount": "60.00", "department": "deli"}],
        "member": shop.member,
    }
    body = {"program": PROGRAM, "client": "cli_x", "store": "", "items": [item]}
    ingest.post(json.dumps(body), 1_800_000_000)
    assert shop.balance()["available"] == 120
    assert given(shop.back("1")) == {"base": 60, "lunch": 60}


# ---- a crash between the document and its entry


def _recover(running: Running) -> None:
    """The stream delivers every new item to the function that finishes orders."""
    with pytest.MonkeyPatch.context() as patched:
        behind = Behind(patched)
        behind.follow([record for part in running.engine.stream().values() for record in part], "recover")


def _dies_after_the_document(shop: Shop, monkeypatch: pytest.MonkeyPatch, *arguments: Any, **named: Any) -> None:
    def dies(*_: Any) -> Any:
        raise SystemExit("the function is no more")

    with monkeypatch.context() as patch:
        patch.setattr(wiring.ledger(), "commit", dies)
        with pytest.raises(SystemExit):
            shop.buy(*arguments, **named)


def test_what_a_crash_left_is_finished_under_the_version_that_the_order_names(
    shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.publish(LUNCH)
    _dies_after_the_document(shop, monkeypatch, "1", "60.00")
    shelf.publish(checked("", rule("lunch", "9 * base")))
    assert shop.balance()["available"] == 0
    _recover(shop.running)
    assert shop.balance()["available"] == 120
    _recover(shop.running)
    assert shop.balance()["available"] == 120
    assert given(shop.back("1")) == {"base": 60, "lunch": 60}


def test_what_is_finished_late_goes_by_the_account_as_it_is_then(
    shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.publish(checked("", rule("first", "5 * base", "member.first_purchase")))
    _dies_after_the_document(shop, monkeypatch, "1", "10.00")
    before = shop.order("1")
    assert given(shop.buy("2", "10.00")) == {"base": 10, "first": 40}
    _recover(shop.running)
    after = shop.order("1")
    assert (before.given is not None, after.given is not None, after.version) == (True, True, 2)
    assert [award.rule for award in after.given.awards] == ["base"]  # type: ignore[union-attr] # asserted above
    assert shop.balance()["available"] == 60
    assert given(shop.back("1")) == {"base": 10}


# ---- budgets


def test_a_campaign_pays_whole_awards_until_its_budget_is_used_up(
    shelf: Shelf, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    give_budget(shop.running.table, "autumn", 150)
    shelf.publish(checked("campaigns: {autumn: {points: 150}}", rule("double", "2 * base", budget="autumn")))
    assert given(shop.buy("1", "60.00")) == {"base": 60, "double": 60}
    assert given(shop.buy("2", "60.00")) == {"base": 60, "double": 60}
    assert "BudgetExhausted" not in capsys.readouterr().out
    assert given(shop.buy("3", "60.00")) == {"base": 60}
    assert '"BudgetExhausted":1' in capsys.readouterr().out
    assert given(shop.buy("4", "30.00")) == {"base": 30, "double": 30}
    assert given(shop.buy("5", "1.00")) == {"base": 1}
    assert leased(shop.running.table, "autumn") == 150


def test_a_campaign_without_a_budget_pays_nothing(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(checked("campaigns: {autumn: {points: 150}}", rule("double", "2 * base", budget="autumn")))
    assert given(shop.buy("1", "60.00")) == {"base": 60}


def test_what_was_reserved_for_a_refused_purchase_is_free_again(shelf: Shelf, shop: Shop) -> None:
    give_budget(shop.running.table, "autumn", 100)
    shelf.publish(checked("campaigns: {autumn: {points: 100}}", rule("double", "2 * base", budget="autumn")))
    assert shop.buy("1", "30.00").status == 201
    assert shop.buy("1", "90.00").code == "PURCHASE_CONFLICT"
    assert shop.buy("1", "70.00").code == "PURCHASE_CONFLICT"
    assert given(shop.buy("2", "70.00")) == {"base": 70, "double": 70}


# ---- events

EVENTS = """
    events:
      check_in: {streak: true}
      review: {fields: {photo: truth, words: number, product: text, day: date}, required: [product], once: [product]}
      trade_in: {fields: {pieces: number}}
      trade_in_accepted: {activates: trade_in}
      trade_in_refused: {cancels: trade_in}
"""


def by_events(*rules: str) -> RuleSet:
    return checked(EVENTS, *rules)


def test_an_event_earns_by_its_fields(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(
        by_events(
            rule("review", "10", "event.type = 'review'", "event"),
            rule("photo", "5", "event.type = 'review' AND event.photo AND event.words >= 1.5", "event"),
        )
    )
    plain = shop.happens("review", fields={"product": "milk"})
    assert (given(plain), plain.body["rule_set"], plain.body["event"]) == ({"review": 10}, 1, "review")
    rich = shop.happens("review", fields={"product": "tea", "photo": True, "words": "1.5", "day": "2026-03-01"})
    assert given(rich) == {"review": 10, "photo": 5}


@pytest.mark.parametrize(
    ("type_", "body", "field"),
    [
        ("review", {}, "fields.product"),
        ("review", {"fields": {"product": "milk", "stars": 5}}, "fields.stars"),
        ("review", {"fields": {"product": 7}}, "fields.product"),
        ("review", {"fields": {"product": "milk", "words": "many"}}, "fields.words"),
        ("review", {"fields": {"product": "milk", "photo": 1}}, "fields.photo"),
        ("review", {"fields": {"product": "milk", "day": "soon"}}, "fields.day"),
        ("trade_in_accepted", {}, "of"),
        ("visit", {"fields": {"a": 1}}, "fields.a"),
    ],
)
def test_an_event_whose_fields_are_wrong_is_refused_and_the_field_is_named(
    shelf: Shelf, running: Running, type_: str, body: dict[str, Any], field: str
) -> None:
    shop = Shop(running)
    policy = running.call(shop.operator, "GET /v1/program").body
    running.call(shop.operator, "PUT /v1/program", {**policy, "events": {"visit": 5}}, headers={"If-Match": "*"})
    wiring._policies.clear()  # noqa: SLF001 - a minute has passed
    shelf.publish(by_events(rule("review", "10", "event.type = 'review'", "event")))
    before = running.engine.fingerprint()
    answer = shop.happens(type_, **body)
    assert (answer.status, answer.code, answer.body["field"]) == (422, "EVENT_FIELD_INVALID", field)
    assert running.engine.fingerprint() == before


def test_the_fields_of_an_event_have_room_in_its_entry(shelf: Shelf, shop: Shop) -> None:
    texts = ", ".join(f"t{number}: text" for number in range(5))
    shelf.publish(
        checked(f"events: {{note: {{fields: {{{texts}}}}}}}", rule("note", "1", "event.type = 'note'", "event"))
    )
    assert shop.happens("note", fields={f"t{number}": "x" * 40 for number in range(5)}).status == 201
    answer = shop.happens("note", fields={f"t{number}": "評" * 20 for number in range(5)})
    assert (answer.code, answer.body["field"]) == ("EVENT_FIELD_INVALID", "fields")


def test_an_event_that_the_rule_set_does_not_know_is_the_policys(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(LUNCH)
    answer = shop.happens("check_in")
    assert (answer.body["points"], "rule_set" in answer.body) == (5, False)
    assert shop.happens("dance").code == "EVENT_TYPE_UNKNOWN"


def test_an_event_that_earns_nothing_is_an_entry_and_its_answer_the_same_again(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(by_events(rule("review", "10", "event.type = 'review' AND event.photo", "event")))
    first = shop.happens("check_in", "key")
    assert (first.status, first.body["points"], first.body["event"]) == (201, 0, "check_in")
    shelf.publish(by_events(rule("now", "10", "event.type = 'check_in'", "event")))
    again = shop.happens("check_in", "key")
    assert (again.body, again.headers["idempotency-replayed"]) == (first.body, "true")


def test_an_event_that_counts_once_does_so_whatever_its_key(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(by_events(rule("review", "10", "event.type = 'review'", "event")))
    first = shop.happens("review", "one", fields={"product": "milk", "photo": True})
    again = shop.happens("review", "another", fields={"product": "milk", "photo": True})
    assert (again.status, again.body["id"]) == (201, first.body["id"])
    other = shop.happens("review", "third", fields={"product": "milk"})
    assert (other.status, other.code) == (409, "EVENT_ALREADY_COUNTED")
    assert shop.happens("review", "fourth", fields={"product": "tea"}).status == 201
    assert shop.balance()["available"] == 20


def test_days_in_a_row_are_counted_and_one_left_out_begins_anew(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(
        by_events(
            rule("day", "1", "event.type = 'check_in'", "event"),
            rule("third", "10", "event.streak = 3", "event", cap="{member: {times: 1, per: day}}"),
        )
    )
    got = [
        given(shop.happens("check_in", occurred_at=f"2026-03-{day:02d}T08:00:00Z")) for day in (1, 2, 3, 3, 5, 6, 7, 8)
    ]
    assert [award.get("third", 0) for award in got] == [0, 0, 10, 0, 0, 0, 10, 0]


def test_points_wait_for_the_event_that_decides_on_them(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(
        by_events(rule("old", "100 * event.pieces", "event.type = 'trade_in'", "event", pending="{kind: on_event}"))
    )
    first = shop.happens("trade_in", fields={"pieces": 2})
    second = shop.happens("trade_in", fields={"pieces": 3})
    assert shop.balance() == {"available": 0, "pending": 500, "held": 0, "arrears": 0}
    accepted = shop.happens("trade_in_accepted", of=first.body["id"])
    assert (accepted.body["kind"], accepted.body["points"], accepted.body["of"]) == ("activated", 200, first.body["id"])
    assert shop.happens("trade_in_accepted", of=first.body["id"]).body["id"] == accepted.body["id"]
    otherwise = shop.happens("trade_in_refused", of=first.body["id"])
    assert (otherwise.status, otherwise.code) == (409, "EVENT_ALREADY_DECIDED")
    refused = shop.happens("trade_in_refused", of=second.body["id"])
    assert (refused.body["kind"], refused.body["points"]) == ("cancelled", 300)
    assert shop.balance() == {"available": 200, "pending": 0, "held": 0, "arrears": 0}


def test_an_event_decides_on_entries_of_its_kind_in_the_members_own_wallet(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(
        by_events(rule("old", "100 * event.pieces", "event.type = 'trade_in'", "event", pending="{kind: on_event}"))
    )
    traded = shop.happens("trade_in", fields={"pieces": 2}).body["id"]
    bought = shop.buy("1", "10.00").body["id"]
    wrong = shop.happens("trade_in_accepted", of=bought)
    assert (wrong.code, wrong.body["field"]) == ("EVENT_FIELD_INVALID", "of")
    beyond = traded.rsplit("-", 1)[0] + "-99"
    assert shop.happens("trade_in_accepted", of=beyond).code == "ENTRY_NOT_FOUND"
    assert shop.happens("trade_in_accepted", of=traded, wallet="cash").code == "ENTRY_NOT_FOUND"
    body = {"identities": ["card:2"]}
    other = shop.running.call(shop.till, "POST /v1/members", body).body["id"]
    answer = shop.send(EVENT, {"type": "trade_in_accepted", "member": other, "occurred_at": AT, "of": traded})
    assert answer.code == "ENTRY_NOT_FOUND"
    assert shop.balance()["pending"] == 200


def test_the_entry_of_an_event_keeps_what_it_was_decided_by_and_nothing_personal(
    shelf: Shelf, running: Running
) -> None:
    shop = Shop(running, birthday="03-17", city="Bern")
    shop.change(tier="gold")
    text = "event.type = 'trade_in' AND member.birth_month = 3 AND member.tier = 'gold' AND member.city = 'Bern'"
    shelf.publish(by_events(rule("gift", "5", text, "event")))
    assert given(shop.happens("trade_in", fields={"pieces": 2}, store="319")) == {"gift": 5}
    head = LedgerStore(running.table).head(shop.chain)
    assert head is not None
    assert head.detail == {
        "points": 5,
        "awards": [["gift", 5]],
        "event": "trade_in",
        "rules": 1,
        "fields": {"pieces": 2},
        "store": "319",
        "member": {"tier": "gold"},
    }
    assert "Bern" not in head.body


def test_a_campaign_pays_for_events_too(shelf: Shelf, shop: Shop) -> None:
    give_budget(shop.running.table, "autumn", 15)
    campaign = f"{EVENTS}    campaigns: {{autumn: {{points: 15}}}}\n"
    shelf.publish(checked(campaign, rule("in", "10", "event.type = 'check_in'", "event", budget="autumn")))
    points = [shop.happens("check_in").body["points"] for _ in range(3)]
    assert points == [10, 0, 0]
    assert leased(shop.running.table, "autumn") == 15


def test_rules_earn_in_the_first_wallet_alone(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(
        checked(
            EVENTS,
            rule("first", "500", "member.first_purchase"),
            rule("review", "10", "event.type = 'review'", "event"),
        )
    )
    assert given(shop.buy("1", "10.00")) == {"base": 10, "first": 500}
    elsewhere = shop.buy("2", "10.00", wallet="cash")
    assert (given(elsewhere), "rule_set" in elsewhere.body) == ({"base": 10}, False)
    assert given(shop.happens("review", fields={"product": "milk"})) == {"review": 10}
    again = shop.happens("review", fields={"product": "milk"}, wallet="cash")
    assert again.status == 422


def test_more_weights_than_a_document_has_room_for_are_left_out_and_all_comes_back_all_the_same(
    shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MAX_WEIGHTS", 3)
    shelf.publish(
        checked(
            "",
            rule("wine", "3 * line.base", "line.category = 'wine'", "line"),
            rule("tea", "5 * line.base", "line.category = 'tea'", "line"),
        )
    )
    few = [{"amount": "20.00", "category": "wine"}]
    many = [{"amount": "20.00", "category": "wine"}, {"amount": "10.00", "category": "tea"}, {"amount": "10.00"}]
    assert given(shop.buy("1", lines=few)) == {"base": 20, "wine": 40}
    assert given(shop.buy("2", lines=many)) == {"base": 40, "wine": 40, "tea": 40}
    assert given(shop.back("2", lines=[{"line": 3}])) == {"base": 10, "wine": 10, "tea": 10}
    assert given(shop.back("2")) == {"base": 30, "wine": 30, "tea": 30}
    pinned = shop.order("2").given
    assert pinned is not None
    assert [award.weights for award in pinned.awards] == [None, None, None]


def test_an_order_whose_version_is_lost_earns_what_its_document_says(
    shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf.publish(LUNCH)
    _dies_after_the_document(shop, monkeypatch, "1", "60.00", key="k")

    def unreadable(program: str, version: int) -> Loaded:
        raise Corrupt(f"version {version} of {program} cannot be loaded")

    monkeypatch.setattr(shelf, "of_version", unreadable)
    capsys.readouterr()
    assert given(shop.buy("1", "60.00", key="k")) == {"base": 60, "lunch": 60}
    assert '"RuleFailures":1' in capsys.readouterr().out
    _recover(shop.running)
    assert shop.balance()["available"] == 120
    assert given(shop.back("1")) == {"base": 60, "lunch": 60}


# ---- what was set aside and not used


def _campaign(shelf: Shelf, shop: Shop, points: int) -> None:
    give_budget(shop.running.table, "autumn", points)
    shelf.publish(
        checked(
            f"{EVENTS}    campaigns: {{autumn: {{points: {points}}}}}\n",
            rule("in", "50", "event.type = 'check_in'", "event", budget="autumn"),
            rule("double", "2 * base", budget="autumn"),
        )
    )


def test_tries_that_write_nothing_use_nothing_of_a_budget(
    shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _campaign(shelf, shop, 100)

    def fail(error: Exception) -> Any:
        def failing(*_: Any) -> Any:
            raise error

        return failing

    with monkeypatch.context() as patch:
        patch.setattr(wiring.ledger(), "commit", fail(busy()))
        assert [shop.happens("check_in", f"e{number}").code for number in range(5)] == ["ACCOUNT_BUSY"] * 5
    with monkeypatch.context() as patch:
        patch.setattr(OrderStore, "claim", fail(Contended()))
        assert [shop.buy(f"o{number}", "50.00").code for number in range(5)] == ["STORAGE_UNAVAILABLE"] * 5
    assert given(shop.happens("check_in", "e")) == {"in": 50}
    assert given(shop.buy("1", "50.00", key="p")) == {"base": 50, "double": 50}
    assert given(shop.buy("2", "50.00")) == {"base": 50}


def _lost() -> Unavailable:
    return Unavailable("STORAGE_UNAVAILABLE", "x", retry_after=1)


@pytest.mark.parametrize("written", [False, True])
def test_a_claim_whose_answer_is_lost_keeps_what_is_set_aside_for_the_next_try_of_the_same_order(
    shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    _campaign(shelf, shop, 100)
    claim = OrderStore.claim

    def unheard(self: OrderStore, program: str, order: Order) -> Order | None:
        if written:
            claim(self, program, order)
        raise _lost()

    with monkeypatch.context() as patch:
        patch.setattr(OrderStore, "claim", unheard)
        assert [shop.buy("1", "60.00", key="p").code for _ in range(3)] == ["STORAGE_UNAVAILABLE"] * 3
    # 60 of 100 may be used by then, so nothing else gets them.
    assert given(shop.buy("2", "50.00")) == {"base": 50}
    assert given(shop.buy("1", "60.00", key="p")) == {"base": 60, "double": 60}
    assert given(shop.buy("3", "40.00")) == {"base": 40, "double": 40}
    assert given(shop.buy("4", "1.00")) == {"base": 1}


def test_what_was_kept_is_free_again_when_somebody_else_claimed_the_order(
    shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _campaign(shelf, shop, 100)

    def unheard(self: OrderStore, program: str, order: Order) -> Order | None:
        raise _lost()

    with monkeypatch.context() as patch:
        patch.setattr(OrderStore, "claim", unheard)
        assert shop.buy("1", "60.00", key="p").code == "STORAGE_UNAVAILABLE"
    in_force, shelf.in_force = shelf.in_force, 0  # another copy, that knows of no rules yet
    assert given(shop.buy("1", "60.00", key="p")) == {"base": 60}
    shelf.in_force = in_force
    assert given(shop.buy("2", "90.00")) == {"base": 90, "double": 90}


@pytest.mark.parametrize("written", [False, True])
def test_an_event_whose_answer_is_lost_is_paid_for_once(
    shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    _campaign(shelf, shop, 100)
    ledger = wiring.ledger()
    commit = ledger.commit

    def unheard(*arguments: Any) -> Any:
        if written:
            commit(*arguments)
        raise _lost()

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "commit", unheard)
        tries = 1 if written else 3
        assert [shop.happens("check_in", "e").code for _ in range(tries)] == ["STORAGE_UNAVAILABLE"] * tries
    assert given(shop.happens("check_in", "e")) == {"in": 50}
    assert given(shop.happens("check_in", "f")) == {"in": 50}
    assert shop.happens("check_in", "g").body["points"] == 0
    assert shop.balance()["available"] == 100


def test_an_order_given_up_gives_back_what_was_set_aside_for_it(
    shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _campaign(shelf, shop, 100)
    _dies_after_the_document(shop, monkeypatch, "1", "60.00")
    headers = {"Idempotency-Key": "close"}
    route = "POST /v1/members/{id}/close"
    body = {"reason": "gone", "forfeit": True}
    shop.running.call(shop.operator, route, body, params={"id": shop.member}, headers=headers)
    other = shop.running.call(shop.till, "POST /v1/members", {"identities": ["card:2"]}).body["id"]
    assert shop.buy("1", "60.00").code == "ACCOUNT_CLOSED"
    monkeypatch.setattr("functions.recover.handler.set_aside", lambda *_: None)
    _recover(shop.running)
    assert OrderStore(shop.running.table).get(PROGRAM, "pos", "1") is None
    assert given(shop.buy("2", "90.00", member=other)) == {"base": 90, "double": 90}


# ---- what comes twice, late or from elsewhere


def test_a_streak_earns_once_for_the_day_that_lengthens_it(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(by_events(rule("third", "10", "event.streak = 3", "event")))
    days = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-03", "2026-03-02", "2026-03-04"]
    got = [shop.happens("check_in", occurred_at=f"{day}T08:00:00Z").body["points"] for day in days]
    assert got == [0, 0, 10, 0, 0, 0]


def test_a_number_written_otherwise_is_the_same_event(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(
        checked(
            "events: {ride: {fields: {miles: number}, once: [miles]}}", rule("r", "7", "event.type = 'ride'", "event")
        )
    )
    first = shop.happens("ride", "one", fields={"miles": "1.50"})
    again = shop.happens("ride", "two", fields={"miles": "1.5"})
    assert (first.status, again.status, again.body["id"]) == (201, 201, first.body["id"])


def test_what_waits_is_decided_after_the_next_rule_set_and_after_the_last(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(by_events(rule("old", "30", "event.type = 'trade_in'", "event", pending="{kind: on_event}")))
    entries = [shop.happens("trade_in").body["id"] for _ in range(3)]
    shelf.publish(LUNCH)
    accepted = shop.happens("trade_in_accepted", of=entries[0])
    assert (accepted.status, accepted.body["points"], accepted.body["rule_set"]) == (201, 30, 1)
    shelf.in_force = 0
    assert shop.happens("trade_in_refused", of=entries[1]).body["points"] == 30
    assert shop.balance() == {"available": 30, "pending": 30, "held": 0, "arrears": 0}
    assert shop.happens("dance", of=entries[2]).status == 422
    assert shop.happens("review", of=entries[2], fields={"product": "tea"}).status == 422
    assert shop.happens("trade_in_accepted").code == "EVENT_TYPE_UNKNOWN"


def test_what_waits_under_a_version_that_is_lost_is_left_as_it_is(
    shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.publish(by_events(rule("old", "30", "event.type = 'trade_in'", "event", pending="{kind: on_event}")))
    entry = shop.happens("trade_in").body["id"]
    shelf.publish(LUNCH)

    def unreadable(program: str, version: int) -> Loaded:
        raise Corrupt(f"version {version} of {program} cannot be loaded")

    monkeypatch.setattr(shelf, "of_version", unreadable)
    assert shop.happens("trade_in_accepted", of=entry).status == 422
    assert shop.balance()["pending"] == 30


def test_a_till_of_a_store_decides_on_what_its_own_store_took_in(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(by_events(rule("old", "30", "event.type = 'trade_in'", "event", pending="{kind: on_event}")))
    here = shop.happens("trade_in", store="1").body["id"]
    nowhere = shop.happens("trade_in").body["id"]
    other = shop.running.key("till", name="other", store="2")

    def decide(of: str) -> Response:
        body = {"type": "trade_in_accepted", "member": shop.member, "occurred_at": AT, "store": "2", "of": of}
        return shop.running.call(other, EVENT, body, headers={"Idempotency-Key": of})

    refused = decide(here)
    assert (refused.status, refused.code) == (403, "AUTH_STORE_FORBIDDEN")
    assert shop.balance()["available"] == 0
    assert decide(nowhere).body["points"] == 30
    assert shop.happens("trade_in_accepted", of=here).body["points"] == 30


def test_what_was_carried_out_is_answered_as_it_was_whatever_the_policy_says_by_now(shelf: Shelf, shop: Shop) -> None:
    shelf.publish(by_events(rule("review", "10", "event.type = 'review'", "event")))
    bought = shop.buy("1", "10.00", key="p")
    happened = shop.happens("check_in", "e")
    told = shop.happens("review", "r", fields={"product": "milk"})
    policy = shop.running.call(shop.operator, "GET /v1/program").body
    changed = {**policy, "currency": "USD", "events": {}}
    assert shop.running.call(shop.operator, "PUT /v1/program", changed, headers={"If-Match": "*"}).status == 200
    wiring._policies.clear()  # noqa: SLF001 - a minute has passed
    shelf.in_force = 0
    assert shop.buy("1", "10.00", key="p").body == bought.body
    assert shop.happens("check_in", "e").body == happened.body
    assert shop.buy("2", "10.00").code == "PURCHASE_CURRENCY_UNSUPPORTED"
    assert shop.happens("check_in", "f").code == "EVENT_TYPE_UNKNOWN"
    assert told.status == 201


def test_counts_for_good_of_rules_that_are_gone_are_dropped_when_they_are_many(
    shelf: Shelf, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from loyalty.earning import awards

    monkeypatch.setattr(awards, "MAX_FOR_GOOD", 3)

    def counted() -> list[str]:
        head = LedgerStore(shop.running.table).head(shop.chain)
        assert head is not None
        return sorted(head.state.counters)

    cap = "{member: {points: 9, per: total}}"
    for number in range(1, 4):
        shelf.publish(checked("", rule(f"r{number}", "5", cap=cap)))
        assert given(shop.buy(str(number), "1.00")) == {"base": 1, f"r{number}": 5}
    assert counted() == ["r1:pt", "r2:pt", "r3:pt"]
    shelf.publish(checked("", rule("r1", "5", cap=cap), rule("r4", "5", cap=cap)))
    assert given(shop.buy("4", "1.00")) == {"base": 1, "r1": 4, "r4": 5}
    assert counted() == ["r1:pt", "r4:pt"]
    assert given(shop.buy("5", "1.00")) == {"base": 1, "r4": 4}
