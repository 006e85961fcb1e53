"""Purchases, returns, events and what waits, through the service on each engine. The rate is 1 point for 3 EUR."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from bench.metering import Meter, Used
from loyalty.earning.purchase import Line, ReturnLine
from loyalty.earning.rulebook import Rulebook
from loyalty.earning.service import Earning
from loyalty.errors import Conflict, Invalid, NotFound, Problem, Refused
from loyalty.ledger.chain import Chain
from loyalty.ledger.service import Posted
from loyalty.members.member import Member
from loyalty.members.store import MemberStore, enrolled
from loyalty.programs.policy import check
from loyalty.rules.compiler import compiled
from loyalty.rules.leases import BudgetStore, Leases
from loyalty.rules.ruleset import RuleSet
from loyalty.table.client import Table
from tests.engines import DYNAMODB_LOCAL, items_of
from tests.store.books import DAY, POLICY, PROGRAM, Books
from tests.unit.published import Shelf, checked, give_budget, leased, rule

if TYPE_CHECKING:
    from tests.conftest import TableOn


def refusal(problem: type[Problem], code: str, act: Callable[[], object]) -> None:
    with pytest.raises(problem) as refused:
        act()
    assert refused.value.code == code


def test_a_purchase_earns_and_carries_what_rounding_leaves(books: Books) -> None:
    chain = books.open(1)
    for order, cents, points in (("a", 200, 0), ("b", 200, 1), ("c", 500, 2)):
        assert books.buy(chain, order, cents).entry.detail["points"] == points
    once = books.open(2)
    assert books.buy(once, "all", 200, 200, 500).entry.detail["points"] == 3
    assert books.state(chain).lots == books.state(once).lots
    assert books.state(chain).remainders == books.state(once).remainders == {}
    books.audit(chain, once)


def test_points_expire_at_the_end_of_the_month_in_the_programmes_own_time_zone(books: Books) -> None:
    chain = books.open(1)
    books.buy(chain, "o", 900)
    ((expiry, start),) = books.state(chain).lots
    assert datetime.fromtimestamp(expiry, UTC).isoformat() == "2026-06-30T22:00:00+00:00"
    assert start == 0


def test_an_order_earns_once_under_whatever_key_and_from_whatever_channel(books: Books) -> None:
    chain = books.open(1)
    first = books.buy(chain, "o", 900, ref="one key")
    for again in (
        books.buy(chain, "o", 900, ref="one key"),
        books.buy(chain, "o", 900, ref="another key"),
        books.buy(chain, "o", 900, ref="a third", channel="app", store="s2"),
    ):
        assert again.replayed
        assert again.entry == first.entry
    assert books.available(chain) == 3
    assert books.buy(chain, "o", 900, source="web").entry.number == 3
    assert books.audit(chain) == 3


def test_an_order_recorded_with_other_content_is_a_conflict(books: Books) -> None:
    chain, other = books.open(1), books.open(2)
    books.buy(chain, "o", 900)
    for act in (
        lambda: books.buy(chain, "o", 901),
        lambda: books.buy(chain, "o", 450, 450),
        lambda: books.buy(other, "o", 900),
    ):
        refusal(Conflict, "PURCHASE_CONFLICT", act)
    assert (books.audit(chain), books.audit(other)) == (2, 1)


def test_a_purchase_the_policy_does_not_know_is_refused_before_anything_is_written(books: Books) -> None:
    chain = books.open(1)
    stored = items_of(books.client, books.name)
    refusal(Refused, "PURCHASE_CURRENCY_UNSUPPORTED", lambda: books.buy(chain, "o", 900, currency="USD"))
    refusal(Invalid, "REQUEST_INVALID", lambda: books.buy(chain, "o", 900, occurred=books.now + 2 * DAY))
    refusal(Invalid, "REQUEST_INVALID", lambda: books.buy(chain, "o", 900, occurred=0))
    refusal(NotFound, "WALLET_NOT_FOUND", lambda: books.buy(Chain(PROGRAM, chain.account, "miles"), "o", 900))
    assert items_of(books.client, books.name) == stored


def test_many_partial_returns_leave_what_one_full_return_leaves(books: Books) -> None:
    pieces, whole = books.open(1), books.open(2)
    for chain, prefix in ((pieces, "p"), (whole, "w")):
        books.buy(chain, f"{prefix}-before", 100)
        books.buy(chain, f"{prefix}-order", 700, 301, 99)
    before = books.state(pieces)
    for number in range(10):
        books.bring_back("p-order", amount=110, ref=f"back {number}")
    books.bring_back("w-order", ref="all back")
    after = [books.state(chain) for chain in (pieces, whole)]
    assert after[0].lots == after[1].lots == {}
    assert after[0].remainders == after[1].remainders
    assert after[0].remainders != before.remainders
    for prefix in ("p", "w"):
        refusal(Refused, "RETURN_EXCEEDS_PURCHASE", partial(books.bring_back, f"{prefix}-order", amount=1))
    books.audit(pieces, whole)


def test_lines_come_back_by_piece_and_never_more_than_were_bought(books: Books) -> None:
    chain = books.open(1)
    books.buy(chain, "o", 1000, 500)
    back = books.bring_back("o", ReturnLine(2))
    assert back.entry.detail["amount"] == 500
    assert back.entry.detail["returned"] == 500
    refusal(Refused, "RETURN_EXCEEDS_PURCHASE", lambda: books.bring_back("o", ReturnLine(2, quantity=1)))
    refusal(Refused, "RETURN_EXCEEDS_PURCHASE", lambda: books.bring_back("o", ReturnLine(1, amount=1001)))
    refusal(Refused, "RETURN_EXCEEDS_PURCHASE", lambda: books.bring_back("o", amount=1001))
    refusal(Invalid, "REQUEST_INVALID", lambda: books.bring_back("o", ReturnLine(3)))
    assert books.orders.get(PROGRAM, "till", "o") is not None
    books.bring_back("o", amount=1000)
    assert books.state(chain).lots == {}
    assert books.state(chain).remainders == {}
    books.audit(chain)


def test_a_return_of_an_unknown_order_finds_nothing(books: Books) -> None:
    books.open(1)
    refusal(NotFound, "PURCHASE_NOT_FOUND", lambda: books.bring_back("nothing"))


def test_spent_points_that_are_returned_are_owed_and_repaid_by_what_is_earned_next(books: Books) -> None:
    chain = books.open(1)
    books.buy(chain, "o", 3000)
    books.redeem(chain, 8)
    books.bring_back("o")
    balance = books.state(chain).balance()
    assert (balance.available, balance.arrears) == (0, 8)
    books.buy(chain, "next", 3000)
    balance = books.state(chain).balance()
    assert (balance.available, balance.arrears) == (2, 0)
    books.audit(chain)


@pytest.mark.parametrize(
    ("policy", "available", "pending", "forgiven"),
    [("only_pending", 2, 0, 10), ("within_balance", 0, 0, 8), ("arrears", 0, 0, None)],
)
def test_each_return_policy_takes_what_it_may_and_names_what_it_forgives(
    books: Books, policy: str, available: int, pending: int, forgiven: int | None
) -> None:
    books.programs.save(check(POLICY | {"return_policy": policy}), 1)
    chain = books.open(1)
    books.buy(chain, "o", 3000)
    books.redeem(chain, 8)
    # The policy of the day of purchase counts, whatever it has become since (I9).
    books.programs.save(check(POLICY | {"return_policy": "arrears"}), 2)
    back = books.bring_back("o")
    balance = books.state(chain).balance()
    assert (balance.available, balance.pending) == (available, pending)
    assert back.entry.detail.get("forgiven") == forgiven
    books.audit(chain)


def test_pending_points_count_from_their_day_without_a_job_and_go_first_in_a_return(books: Books) -> None:
    books.programs.save(check(POLICY | {"pending": {"kind": "delay", "days": 14}}), 1)
    chain = books.open(1, 1)
    books.buy(chain, "o", 3000)
    books.buy(chain, "p", 3000)
    assert books.state(chain).balance().pending == 20
    refusal(Refused, "POINTS_INSUFFICIENT", lambda: books.redeem(chain, 2))
    books.bring_back("o")
    assert books.state(chain).balance().pending == 10
    books.later(15 * DAY)
    assert books.available(chain) == 11
    books.redeem(chain, 11)
    books.audit(chain)


def test_terms_are_fixed_when_points_are_earned(books: Books) -> None:
    chain = books.open(1)
    books.buy(chain, "o", 3000)
    lots = books.state(chain).lots
    books.programs.save(check(POLICY | {"expiry": {"kind": "rolling", "months": 1}, "earn": {"rate": "5"}}), 1)
    assert books.state(chain).lots == lots
    books.bring_back("o")
    assert books.state(chain).lots == {}
    books.audit(chain)


def test_an_event_gives_its_bonus_once_for_a_key(books: Books) -> None:
    chain = books.open(1)

    def check_in(ref: str) -> Posted:
        return books.earning.activity.post(
            PROGRAM, chain.account, "points", "check_in", books.now, books.cause(ref), books.now
        )

    assert check_in("monday").entry.detail == {"event": "check_in", "points": 5}
    assert check_in("monday").replayed
    check_in("tuesday")
    assert books.available(chain) == 10
    refusal(
        Refused,
        "EVENT_TYPE_UNKNOWN",
        lambda: books.earning.activity.post(
            PROGRAM, chain.account, "points", "dance", books.now, books.cause(), books.now
        ),
    )
    books.audit(chain)


def test_an_order_document_comes_back_as_it_was_written_and_moves_on_by_version(books: Books) -> None:
    chain = books.open(1)
    books.buy(chain, "№ 7/β#%", 700, 301, source="till #1/a")
    order = books.orders.get(PROGRAM, "till #1/a", "№ 7/β#%")
    assert order is not None
    assert (order.source, order.order_id, order.amount, order.version) == ("till #1/a", "№ 7/β#%", 1001, 1)
    assert books.orders.claim(PROGRAM, order) == order
    books.bring_back("№ 7/β#%", ReturnLine(1), source="till #1/a")
    after = books.orders.get(PROGRAM, "till #1/a", "№ 7/β#%")
    assert after is not None
    assert (after.version, after.returned_amount, after.lines[0].returned) == (2, 700, 700)
    assert replace(after, version=1, lines=order.lines) == order


def test_a_waiting_return_is_kept_once_and_only_with_its_order(books: Books) -> None:
    message = {"return_id": "r1", "note": "früh"}
    for _ in range(2):
        books.orders.wait(PROGRAM, "till", "o", "r1", message)
    books.orders.wait(PROGRAM, "till", "o", "r2", message)
    books.orders.wait(PROGRAM, "till", "o2", "r1", message)
    waiting = list(books.orders.waiting(PROGRAM, "till", "o"))
    assert [body for _, body in waiting] == [message, message]
    for key, _ in waiting:
        books.orders.stop_waiting(key)
        books.orders.stop_waiting(key)
    assert list(books.orders.waiting(PROGRAM, "till", "o")) == []
    assert len(list(books.orders.waiting(PROGRAM, "till", "o2"))) == 1
    assert books.orders.get(PROGRAM, "till", "o") is None


def test_a_policy_is_edited_under_its_version(books: Books) -> None:
    document, version = books.programs.document(PROGRAM)
    assert version == 1
    assert books.programs.save(document | {"name": "Grocer & Sons"}, 1) == 2
    refusal(Conflict, "PROGRAM_VERSION_CONFLICT", lambda: books.programs.save(document, 1))
    refusal(Conflict, "PROGRAM_VERSION_CONFLICT", lambda: books.programs.save(document, 0))
    assert books.programs.load(PROGRAM).name == "Grocer & Sons"
    refusal(NotFound, "PROGRAM_NOT_FOUND", lambda: books.programs.load("baker"))


# ---- under a rule set

AUTUMN = checked(
    "campaigns: {autumn: {points: 10000}}",
    rule("first", "5 * base", "member.first_purchase"),
    rule("gold", "base * 1.5", "member.tier = 'gold'", cap="{member: {points: 2000, times: 10, per: month}}"),
    rule("wine", "line.amount / 3", "line.category = 'wine'", "line"),
    rule("autumn", "amount / 7", budget="autumn"),
)


def under(books: Books, rules: RuleSet, meter: Meter | None = None) -> Shelf:
    """Let the books' purchases earn by a rule set; with a meter, its stages are counted."""
    if meter is not None:
        books.table = Table(books.table._client, books.name, meter.together)  # noqa: SLF001 - the same client, counted
        books.connect()
    shelf = Shelf(compiled)
    shelf.publish(rules)
    leases = Leases(BudgetStore(books.table), lambda *_: None)
    policy = books.programs.load(PROGRAM)
    books.earning = Earning(
        books.ledger,
        books.orders,
        lambda _: policy,
        Rulebook(
            rules=shelf.current,
            rules_of=shelf.of_version,
            members=MemberStore(books.table).get,
            budgets=lambda: leases,
        ),
    )
    return shelf


def five_lines(books: Books, chain: Chain, order: str) -> Posted:
    """As a grocer's till sends it: everything that rules may read of five lines."""
    lines = tuple(
        Line(399 + number, 2, f"oatmilk-{number}", "wine", department="grocery", brand="Alpina", margin="high")
        for number in range(5)
    )
    purchase = replace(books.purchase(chain, order), lines=lines, payment="card")
    return books.earning.record(PROGRAM, purchase, books.cause(f"k#till#{order}", order), books.now)


def test_a_purchase_of_five_lines_under_rules_takes_three_round_trips_and_four_write_units(
    table_on: "TableOn",
) -> None:
    client, name = table_on(DYNAMODB_LOCAL)
    meter = Meter(client)
    books = Books(client, name).establish()
    chain = books.open(1)
    member = Member(chain.account, "member", (), {}, "en", books.now, books.now, tier="gold", segments=("vip",))
    books.table.transact([*enrolled(PROGRAM, member)])
    give_budget(books.table, "autumn", 10_000, PROGRAM)
    under(books, AUTUMN, meter)
    five_lines(books, chain, "before")  # leases a block of the budget
    books.later(DAY)
    with meter.metering() as used:
        posted = five_lines(books, chain, "order-0000000001")
    found: Used = used()
    assert {rule for rule, _ in posted.entry.detail["awards"]} == {"base", "gold", "wine", "autumn"}
    assert found.stages == 3
    assert [operation for operation, _ in found.calls] == ["Query", "Query", "GetItem", "PutItem", "PutItem"]
    assert found.write_units <= 4
    books.audit(chain)


def test_returns_leave_what_was_before_and_go_by_the_rules_of_the_purchase(books: Books) -> None:
    chain = books.open(1)
    give_budget(books.table, "autumn", 10_000, PROGRAM)
    shelf = under(books, AUTUMN)
    five_lines(books, chain, "first")
    before = books.state(chain)
    books.later(60)
    five_lines(books, chain, "second")
    shelf.publish(checked("", rule("first", "100 * base")))
    books.bring_back("second", ReturnLine(2, quantity=1))
    books.bring_back("second", amount=500)
    books.bring_back("second")
    after = books.state(chain)
    assert (after.lots, after.remainders, after.purchases) == (before.lots, before.remainders, 1)
    books.bring_back("first")
    last = books.state(chain)
    assert (last.lots, last.remainders, last.purchases) == ({}, {}, 0)
    books.audit(chain)


def test_budgets_are_leased_and_written_down(books: Books) -> None:
    chain = books.open(1)
    give_budget(books.table, "autumn", 1, PROGRAM)
    under(books, AUTUMN)
    five_lines(books, chain, "first")
    five_lines(books, chain, "second")
    assert leased(books.table, "autumn", PROGRAM) == 1
    given = [dict(entry.detail.get("awards", [])) for entry in books.store.oldest(chain)]
    assert sum(awards.get("autumn", 0) for awards in given) <= 1


def test_an_order_under_rules_comes_back_as_it_was_written(books: Books) -> None:
    chain = books.open(1)
    under(books, AUTUMN)
    five_lines(books, chain, "o")
    order = books.orders.get(PROGRAM, "till", "o")
    assert order is not None
    assert order.given is not None
    assert (order.payment, order.lines[0].department, order.lines[0].margin) == ("card", "grocery", "high")
    assert {award.rule for award in order.given.awards} == {"base", "first", "wine"}
    assert books.orders.claim(PROGRAM, order) == order
