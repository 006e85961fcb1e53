"""What campaigns give: points once each, paid from a budget, and days on which purchases earn a multiple."""

import json
import threading
import time
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from functions.publish import handler as publishing
from loyalty.earning.granting import Granted, Offers
from loyalty.earning.offers import budget_name, campaign_of, reference, rule_of
from loyalty.earning.rulebook import Rulebook
from loyalty.errors import Conflict, NotFound, Refused, Unavailable
from loyalty.ledger.account import LATE_DAYS, MAX_MULTIPLIERS, Multiplier
from loyalty.ledger.chain import Chain
from loyalty.ledger.service import Ledger
from loyalty.ledger.store import LedgerStore
from loyalty.ledger.wallet import Wallets
from loyalty.rules.budgets import Budget
from loyalty.rules.compiler import compiled
from loyalty.rules.interpret import Interpreter
from loyalty.rules.leases import BudgetStore, Leases, put_of
from loyalty.runtime import wiring
from loyalty.table.client import Table
from loyalty.values import Rate
from tests.simulation.dynamodb import TABLE, Call, Client, Engine
from tests.unit.published import Shelf, checked, give_budget, leased, rule
from tests.unit.running import PROGRAM, Running, in_turn
from tests.unit.test_rules_earning import LUNCH, Shop, given

if TYPE_CHECKING:
    from collections.abc import Callable

EXPLAIN = "GET /v1/entries/{id}/explanation"
BALANCE = "GET /v1/members/{id}/balance"
TWICE, HALF_MORE = Rate(2, 1), Rate(3, 2)
REF = reference("spring", "2026", "1")


@pytest.fixture(params=[Interpreter, compiled], ids=["interpreted", "compiled"])
def shelf(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return Shelf(request.param).deploy(monkeypatch)


class Clientele(Shop):
    """A shop whose members campaigns make offers to, today and around it."""

    def __init__(self, running: Running) -> None:
        super().__init__(running)
        self.now = int(time.time())
        self.today = wiring.policy(PROGRAM).day(self.now)

    def points(self, points: int, ref: str = REF, days: int | None = 30, budget: str = "") -> Granted:
        return wiring.offers().grant_points(PROGRAM, self.member, ref, "spring", points, days, budget, self.now)

    def multiplier(
        self, times: Rate, first: int = -1, last: int = 1, campaign: str = "spring", ref: str = ""
    ) -> Granted:
        return wiring.offers().grant_multiplier(
            PROGRAM,
            self.member,
            ref or reference(campaign, "1", "1"),
            campaign,
            times,
            self.today + first,
            self.today + last,
            self.now,
        )

    def bought(self, order: str, *amounts: str, ago: int = 0, **further: Any) -> Any:
        """A purchase at noon of a day so many days ago."""
        moment = (self.now // 86_400 - ago) * 86_400 + 43_200 - 86_400 * (ago == 0)
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
        return self.buy(order, *amounts, occurred_at=at, **further)

    def explained(self, entry: str, language: str = "en") -> Any:
        answer = self.running.call(self.operator, EXPLAIN, params={"id": entry}, headers={"Accept-Language": language})
        assert answer.status == 200, answer.body
        return answer.body

    def state(self) -> Any:
        return wiring.wallets().state(self.chain, self.now)

    def entries(self) -> int:
        return int(self.state().number)


@pytest.fixture
def shop(running: Running) -> Clientele:
    return Clientele(running)


# ---- points


def test_points_are_given_once_and_last_as_long_as_the_offer_says(shop: Clientele) -> None:
    first = shop.points(200)
    assert (first.points, first.replayed, first.entry.kind, first.entry.actor) == (200, False, "earned", "campaigns")
    again = shop.points(200)
    assert (again.points, again.replayed, again.entry.number) == (200, True, first.entry.number)
    (expiry, start), points = shop.state().lots.popitem()
    assert (start, points, shop.state().lots) == (0, 200, {(expiry, 0): 200})
    assert wiring.policy(PROGRAM).day(expiry - 1) == shop.today + 30
    assert wiring.policy(PROGRAM).day(expiry) == shop.today + 31


def test_points_without_a_life_of_their_own_last_as_the_policy_says(shop: Clientele) -> None:
    shop.points(200, days=None)
    terms = wiring.policy(PROGRAM).terms(shop.now, shop.now)
    assert shop.state().lots == {(terms.expiry, 0): 200}


def test_what_was_given_first_stays_whatever_the_same_offer_says_later(shop: Clientele) -> None:
    shop.points(200)
    assert (shop.points(999, days=1).points, shop.balance()["available"]) == (200, 200)
    with pytest.raises(Conflict, match="other content"):
        shop.multiplier(TWICE, ref=REF)


def test_an_offer_is_told_as_what_it_is(shop: Clientele) -> None:
    entry = shop.points(200).entry
    view = shop.running.call(shop.till, "GET /v1/members/{id}/entries", params={"id": shop.member}).body["entries"][0]
    assert (view["kind"], view["campaign"], view["points"], view["by"]) == ("earned", "spring", 200, "campaigns")
    from loyalty.ledger.events import events_of

    ((kind, event),) = events_of(entry)
    assert (kind, event.points, event.campaign) == ("points.earned", 200, "spring")
    assert shop.explained(view["id"])["text"] == ["Campaign “spring” gave 200 points."]
    assert shop.explained(view["id"], "zh")["text"] == ["活动“spring”赠送200分。"]


def test_nobody_is_given_nothing(shop: Clientele) -> None:
    with pytest.raises(NotFound):
        wiring.offers().grant_points(PROGRAM, "mem_nobody", REF, "spring", 5, None, "", shop.now)


def test_a_closed_account_is_given_nothing_more_and_costs_the_budget_nothing(shop: Clientele) -> None:
    give_budget(shop.running.table, budget_name("spring"), 200)
    shop.points(50, budget=budget_name("spring"))
    body = {"reason": "gone", "forfeit": True}
    closing = {"Idempotency-Key": "close"}
    route = "POST /v1/members/{id}/close"
    assert shop.running.call(shop.operator, route, body, params={"id": shop.member}, headers=closing).status < 300
    with pytest.raises(Refused) as refusal:
        shop.points(150, reference("spring", "2026", "2"), budget=budget_name("spring"))
    assert refusal.value.code == "ACCOUNT_CLOSED"
    assert shop.points(50, budget=budget_name("spring")).replayed, "what was given is still answered"
    assert leased(shop.running.table, budget_name("spring")) == 200
    other = Shop.__new__(Clientele)
    other.__dict__ = dict(shop.__dict__)
    other.member = shop.running.call(shop.till, "POST /v1/members", {"kind": "member", "identities": ["card:2"]}).body[
        "id"
    ]
    assert other.points(150, budget=budget_name("spring")).points == 150, "the copy still holds what was not used"


def test_a_budget_is_never_exceeded_and_what_it_cannot_pay_is_not_given_at_all(shop: Clientele) -> None:
    give_budget(shop.running.table, budget_name("spring"), 500)
    refs = [reference("spring", "2026", str(step)) for step in range(4)]
    for ref in refs[:2]:
        assert shop.points(200, ref, budget=budget_name("spring")).points == 200
    before = shop.entries()
    with pytest.raises(Refused) as refusal:
        shop.points(200, refs[2], budget=budget_name("spring"))
    assert refusal.value.code == "CAMPAIGN_BUDGET_EXHAUSTED"
    assert shop.entries() == before
    assert shop.points(200, refs[0], budget=budget_name("spring")).replayed, "given is given, however dry it is"
    assert shop.points(100, refs[3], budget=budget_name("spring")).points == 100, "what is left pays for less"
    assert shop.balance()["available"] == 500


def test_a_campaign_whose_budget_nobody_has_set_gives_nothing(shop: Clientele) -> None:
    with pytest.raises(Refused, match="no 5 points left"):
        shop.points(5, budget=budget_name("spring"))


def test_a_budget_that_is_handed_out_to_its_end_is_told_on_the_bus_once_for_its_size(
    shop: Clientele, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, name, told = shop.running.table, budget_name("spring"), list[str]()
    monkeypatch.setattr(publishing, "publish", lambda events: told.extend(text for _, text in events))

    def deliver() -> list[dict[str, Any]]:
        told.clear()
        records = [one for part in shop.running.engine.stream().values() for one in part]
        publishing.lambda_handler({"Records": records * 2}, None)
        events = [json.loads(text) for text in told]
        return list({one["id"]: one for one in events if "budget" in one["id"]}.values())

    give_budget(table, name, 300)
    shop.points(200, budget=name)
    assert deliver() == []
    with pytest.raises(Refused):
        shop.points(150, reference("spring", "2026", "2"), budget=name)
    shop.points(100, reference("spring", "2026", "3"), budget=name)
    (event,) = deliver()
    assert (event["campaign"], event["budget"], event["points"]) == ("spring", "offers", 300)
    table.transact([put_of(PROGRAM, name, 400, Budget(300, 300))])
    wiring.leases.cache_clear()
    wiring.offers.cache_clear()
    shop.points(100, reference("spring", "2026", "4"), budget=name)
    assert [one["points"] for one in deliver()] == [300, 400]


class Copies:
    """Copies of the function that grants, on one table."""

    def __init__(self, points: int) -> None:
        self.engine = Engine()
        self.before: Callable[[Call], None] = lambda call: None
        self.after: Callable[[Call], None] = lambda call: None
        self.table = Table(Client(self.engine, self._call), TABLE, in_turn)
        give_budget(self.table, budget_name("spring"), points)

    def _call(self, call: Call) -> Any:
        self.before(call)
        result = call.perform()
        self.after(call)
        return result

    def copy(self) -> Offers:
        ledger = Ledger(LedgerStore(self.table), lambda chain: "member")
        leases = Leases(BudgetStore(self.table), lambda *_: None)
        return Offers(ledger, lambda _: POLICY, Rulebook(budgets=lambda: leases))

    def give(self, offers: Offers, ref: str = REF, points: int = 100, now: int = 1_800_000_000) -> Granted:
        return offers.grant_points(PROGRAM, "mem_a", ref, "spring", points, 30, budget_name("spring"), now)

    def available(self) -> int:
        ledger = Ledger(LedgerStore(self.table), lambda chain: "member")
        return Wallets(ledger).state(Chain(PROGRAM, "mem_a", "points"), 1_800_000_100).balance().available


def _policy() -> Any:
    from loyalty.programs.policy import check
    from loyalty.programs.terms import Program
    from tests.unit.running import POLICY as DOCUMENT

    return Program.of(check(DOCUMENT), 1)


POLICY = _policy()


def test_a_copy_that_finds_the_offer_given_by_another_keeps_its_budget_for_others() -> None:
    copies = Copies(6_400)
    one, two = copies.copy(), copies.copy()
    raced: list[Granted] = []

    def other_first(call: Call) -> None:
        if call.operation == "PutItem" and "E#" in str(call.request) and not raced:
            raced.append(Granted(0, None, True))  # type: ignore[arg-type]  # a mark against itself
            raced[0] = copies.give(two, now=1_800_000_001)

    copies.before = other_first
    mine = copies.give(one)
    assert (mine.replayed, raced[0].replayed, copies.available()) == (True, False, 100)
    copies.before = lambda call: None
    before = leased(copies.table, budget_name("spring"))
    assert copies.give(one, reference("spring", "2026", "2")).points == 100
    assert leased(copies.table, budget_name("spring")) == before, "paid by what the first try had set aside"


def test_a_grant_whose_answer_was_lost_is_found_and_paid_for_once() -> None:
    copies = Copies(200)
    offers = copies.copy()
    lost: list[int] = []

    def lose(call: Call) -> None:
        if call.operation == "PutItem" and REF in str(call.request) and not lost:
            lost.append(1)
            raise Unavailable("STORAGE_UNAVAILABLE", "no answer")

    copies.after = lose
    with pytest.raises(Unavailable):
        copies.give(offers)
    assert copies.give(offers).replayed
    assert copies.give(offers, reference("spring", "2026", "2")).points == 100
    with pytest.raises(Refused):
        copies.give(offers, reference("spring", "2026", "3"))
    assert copies.available() == 200


def test_many_who_grant_the_same_at_once_give_it_once() -> None:
    copies = Copies(100_000)
    lock = threading.Lock()
    engine_call = copies._call  # noqa: SLF001 - the simulated table takes one call at a time

    def one_at_a_time(call: Call) -> Any:
        with lock:
            return engine_call(call)

    copies.table = Table(Client(copies.engine, one_at_a_time), TABLE, in_turn)
    granted: list[Granted] = []
    offers = [copies.copy() for _ in range(6)]
    threads = [threading.Thread(target=lambda one=one: granted.append(copies.give(one))) for one in offers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.replayed for one in granted) == [False, *[True] * 5]
    assert copies.available() == 100


# ---- multipliers


def test_a_multiplier_is_no_rule_of_a_rule_set() -> None:
    assert campaign_of(rule_of("flash-day")) == "flash-day"
    assert campaign_of("flash-day") == campaign_of("base") == ""


@pytest.mark.parametrize("times", [Rate(1, 1), Rate(1, 2), Rate(21, 2)])
def test_a_multiplier_that_is_none_or_out_of_bounds_is_a_mistake(shop: Clientele, times: Rate) -> None:
    with pytest.raises(ValueError, match="above 1"):
        shop.multiplier(times)
    with pytest.raises(ValueError, match="some days"):
        shop.multiplier(TWICE, first=1, last=0)


def test_without_a_rule_set_a_purchase_within_the_days_earns_the_multiple_exactly(shop: Clientele) -> None:
    shop.multiplier(HALF_MORE, -3, 0)
    one = shop.bought("1", "10.50", ago=1)
    assert given(one) == {"base": 10, "campaign:spring": 5}
    two = shop.bought("2", "10.50", ago=1)
    assert given(two) == {"base": 11, "campaign:spring": 5}, "what is left over is carried for each by itself"
    assert given(shop.bought("3", "3.00", ago=1)) == {"base": 3, "campaign:spring": 2}
    assert given(shop.bought("4", "10.50", ago=4)) == {"base": 10}, "on another day nothing is multiplied"
    assert "rule_set" not in one.body


def test_the_order_pins_what_was_given_and_a_return_takes_back_its_exact_share(shop: Clientele) -> None:
    shop.multiplier(HALF_MORE)
    shop.bought("1", "7.00", "3.33", ago=1)
    order = shop.order("1")
    assert order.given is not None
    assert (order.version, order.given.version) == (1, 0)
    assert [(award.rule, Rate.of(award.num, award.den)) for award in order.given.awards] == [
        ("base", Rate(1033, 100)),
        ("campaign:spring", Rate(1033, 200)),
    ]
    lines = [{"line": 1, "amount": "2.50"}]
    back = shop.back("1", lines=lines)
    assert {award["rule"]: award["points"] for award in back.body["awards"]} == {"base": 3, "campaign:spring": 2}
    assert "rule_set" not in back.body
    assert shop.state().remainders == {"base": Rate(83, 100), "campaign:spring": Rate(183, 200)}
    shop.back("1")
    assert (shop.balance()["available"], shop.state().remainders, shop.state().purchases) == (0, {}, 0)


def test_the_largest_of_several_counts_and_the_first_of_equal_ones(shop: Clientele) -> None:
    shop.multiplier(TWICE, campaign="two")
    shop.multiplier(HALF_MORE, campaign="less")
    shop.multiplier(Rate(4, 2), first=-2, campaign="earlier")
    assert given(shop.bought("1", "10.00", ago=1)) == {"base": 10, "campaign:earlier": 10}


def test_an_account_has_no_more_multipliers_than_it_may_and_none_is_taken_away(shop: Clientele) -> None:
    for number in range(MAX_MULTIPLIERS):
        shop.multiplier(TWICE, campaign=f"number-{number}")
    with pytest.raises(Refused) as refusal:
        shop.multiplier(Rate(3, 1), campaign="one-more")
    assert refusal.value.code == "OFFERS_LIMIT_REACHED"
    assert shop.multiplier(TWICE, campaign="number-0").replayed
    told = shop.running.call(shop.till, BALANCE, params={"id": shop.member}).body["multipliers"]
    assert [one["campaign"] for one in told] == ["number-0", "number-1", "number-2"]
    assert {one["times"] for one in told} == {"2"}


def test_one_that_has_ended_gives_way_to_a_new_one_and_until_then_counts_for_what_is_reported_late(
    shop: Clientele,
) -> None:
    shop.multiplier(TWICE, -LATE_DAYS - 9, -LATE_DAYS - 2, campaign="long-past")
    assert "long-past" not in [one.campaign for one in shop.state().multipliers]
    shop.multiplier(TWICE, -9, -5, campaign="past")
    assert given(shop.bought("1", "10.00", ago=6)) == {"base": 10, "campaign:past": 10}
    for number in range(MAX_MULTIPLIERS):
        shop.multiplier(TWICE, campaign=f"number-{number}")
    assert given(shop.bought("2", "10.00", ago=6)) == {"base": 10}


def test_a_quote_is_what_posting_then_earns(shop: Clientele) -> None:
    shop.multiplier(HALF_MORE)
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(shop.now))
    basket = {"currency": "EUR", "lines": [{"amount": "10.50"}], "occurred_at": moment}
    answer = shop.running.call(shop.till, "POST /v1/quotes", {"purchase": basket, "member": shop.member})
    assert answer.body == {
        "points": 15,
        "base": 10,
        "awards": [
            {"rule": "base", "points": 10},
            {
                "rule": "campaign:spring",
                "points": 5,
                "names": {"en": "1.5 times the base points (spring)", "zh": "1.5倍基础积分（spring）"},
            },
        ],
    }
    assert given(shop.buy("1", "10.50", occurred_at=moment)) == {"base": 10, "campaign:spring": 5}


def test_under_a_rule_set_the_base_points_alone_are_multiplied_and_rules_give_beside(
    shelf: Shelf, shop: Clientele
) -> None:
    shelf.publish(checked("", rule("more", "7"), rule("half", "base * 1.5")))
    shop.multiplier(Rate(4, 3))
    quote = {"currency": "EUR", "lines": [{"amount": "10.00"}]}
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(shop.now))
    asked = {"purchase": {**quote, "occurred_at": moment}, "member": shop.member}
    told = shop.running.call(shop.till, "POST /v1/quotes", asked).body
    answer = shop.buy("1", "10.00", occurred_at=moment)
    assert given(answer) == {"base": 10, "half": 5, "more": 7, "campaign:spring": 3}
    assert {one["rule"]: one["points"] for one in told["awards"]} == given(answer)
    assert shop.state().remainders["campaign:spring"] == Rate(1, 3)
    assert answer.body["rule_set"] == 1
    shop.back("1", amount="5.00")
    assert shop.state().remainders["campaign:spring"] == Rate(2, 3)
    shop.back("1")
    assert (shop.balance()["available"], shop.state().remainders) == (0, {})


def test_the_explanation_works_it_out_again_and_tells_it_in_english_and_chinese(shelf: Shelf, shop: Clientele) -> None:
    shop.multiplier(HALF_MORE)
    first, last = ((shop.today + day) for day in (-1, 1))
    days = [date.fromordinal(day).isoformat() for day in (first, last)]
    entry = shop.bought("1", "10.50", ago=1).body["id"]
    told = shop.explained(entry)
    assert told["recomputed"] is True
    offer = f"“1.5 times the base points by campaign spring” (from {days[0]} to {days[1]})"
    assert told["text"] == [
        "10.50 EUR at 1 point per EUR: exactly 10.5 points; 10 points given; 0.5 carried on.",
        f"{offer}: exactly 5.25 points; 5 points given; 0.25 carried on.",
    ]
    assert (
        f"“活动spring的1.5倍基础积分”（{days[0]}至{days[1]}）：精确值为5.25分；给予5分；结转0.25分。"
        in (shop.explained(entry, "zh")["text"])
    )
    shelf.publish(LUNCH)
    entry = shop.bought("2", "10.50", ago=1).body["id"]
    told = shop.explained(entry)
    assert told["recomputed"] is True
    assert [(one["rule"], one["points"]) for one in told["rules"]] == [
        ("base", 11),
        ("campaign:spring", 5),
        ("lunch", 10),
    ]
    assert told["rules"][1]["before"] == {"fraction": "1/4", "decimal": "0.25"}
    back = shop.back("2").body["id"]
    assert "“campaign spring”: 5 points." in shop.explained(back)["text"]
    assert "“活动spring”：5分。" in shop.explained(back, "zh")["text"]


def test_the_offer_of_a_multiplier_explains_itself(shop: Clientele) -> None:
    entry = shop.multiplier(TWICE, 0, 0, campaign="flash").entry
    page = shop.running.call(shop.till, "GET /v1/members/{id}/entries", params={"id": shop.member}).body["entries"]
    assert (page[0]["kind"], page[0]["campaign"], page[0]["multiplier"]["times"]) == ("offered", "flash", "2")
    assert entry.state.multiplier(shop.today) == Multiplier(shop.today, shop.today, "flash", 2, 1)
    (text,) = shop.explained(page[0]["id"])["text"]
    assert text.startswith("Campaign “flash” gave 2 times the base points for purchases from ")


def test_an_offer_between_a_purchase_s_document_and_its_entry_is_in_both(shop: Clientele) -> None:
    """The document is written first, without the multiplier; the entry is decided by the account as it is then."""
    store = LedgerStore(shop.running.table)
    append = store.append
    offered: list[Granted] = []

    def slowly(entry: Any) -> Any:
        if entry.kind == "earned" and not offered:
            offered.append(shop.multiplier(TWICE))
        return append(entry)

    wiring.earning()._ledger.store.append = slowly  # type: ignore[method-assign]  # noqa: SLF001
    assert given(shop.bought("1", "10.00", ago=1)) == {"base": 10, "campaign:spring": 10}
    order = shop.order("1")
    assert (order.version, order.given and len(order.given.awards)) == (2, 2)
    shop.back("1")
    assert shop.balance()["available"] == 0


def test_a_purchase_for_nothing_and_an_event_earn_no_multiple(shop: Clientele) -> None:
    shop.multiplier(TWICE)
    assert given(shop.bought("1", "0.00", ago=1)) == {"base": 0}
    answer = shop.happens("check_in")
    assert answer.body["points"] == 5
