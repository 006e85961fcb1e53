"""One account's replay: from whichever entry it begins, and under other rules."""

import random
import time
from collections.abc import Iterator
from datetime import date

import pytest

from loyalty.backtests.figures import Figures
from loyalty.backtests.replay import History, Replay
from loyalty.backtests.store import BacktestStore
from loyalty.ledger.account import State
from loyalty.ledger.chain import Chain, Entry
from loyalty.ledger.store import LedgerStore
from loyalty.programs.store import ProgramStore
from loyalty.rules.compiler import compiled
from loyalty.rules.document import check
from loyalty.rules.evaluation import Evaluation, Facts, Failure
from loyalty.rules.interpret import Interpreter
from loyalty.rules.ruleset import RuleSet
from loyalty.runtime import wiring
from loyalty.values import Rate
from tests.stack.confined import Confined
from tests.unit.backtested import BASE, DOUBLE, LIVELY, Shop, live
from tests.unit.running import PROGRAM

EVER = (730_000, 750_000)


@pytest.fixture
def shop(running: Confined, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(running, monkeypatch)


def rules_of(shop: Shop, source: str) -> RuleSet:
    checked = check(source, "rules.yaml", ProgramStore(shop.running.table).load(PROGRAM))
    assert checked.rules is not None, checked.issues
    return checked.rules


def entries_of(shop: Shop, member: str) -> list[Entry]:
    return list(LedgerStore(shop.running.table).oldest(Chain(PROGRAM, member, "points")))


def replayed(
    shop: Shop, source: str, member: str, entries: list[Entry], begins: int = 0, days: tuple[int, int] = EVER
) -> Figures:
    """A member's entries from the one at ``begins`` on."""
    store = BacktestStore(shop.running.table)
    before = entries[begins - 1].state if begins else State()
    history = History(Chain(PROGRAM, member, "points"), before, entries[begins:])
    replay = Replay(compiled(rules_of(shop, source)), ProgramStore(shop.running.table).load(PROGRAM), *days)
    orders = store.orders(PROGRAM, history.orders)
    return replay.account(member, [history], orders, store.members(PROGRAM, [member]).get(member))


def lives(shop: Shop, source: str, seed: int, members: int = 2) -> Iterator[tuple[str, list[Entry]]]:
    shop.publish(source)
    luck = random.Random(seed)
    for number, member in enumerate(shop.enrol(members)):
        live(shop, member, f"{number}", luck)
        yield member, entries_of(shop, member)


@pytest.mark.parametrize("seed", range(5))
def test_from_whichever_entry_it_begins_the_rules_in_force_change_nothing(shop: Shop, seed: int) -> None:
    for member, entries in lives(shop, LIVELY, seed):
        for begins in range(len(entries)):
            figures = replayed(shop, LIVELY, member, entries, begins)
            assert figures.total.before == figures.total.after
            assert [rule for rule, sums in figures.rules.items() if sums.before != sums.after] == []
            assert figures.failures == {}
        whole = replayed(shop, LIVELY, member, entries)
        assert whole.purchases
        assert whole.affected == 0


def test_windows_side_by_side_add_up_to_the_one_over_both(shop: Shop) -> None:
    for member, entries in lives(shop, LIVELY, 11):
        whole = replayed(shop, DOUBLE, member, entries)
        days = sorted(whole.days)
        cut = days[len(days) // 2]
        parts = [replayed(shop, DOUBLE, member, entries, 0, days) for days in ((EVER[0], cut - 1), (cut, EVER[1]))]
        assert sum(part.total.after for part in parts) == whole.total.after
        assert sum(part.purchases for part in parts) == whole.purchases
        assert {**parts[0].days, **parts[1].days} == whole.days


def test_other_rules_give_other_points_and_a_full_return_takes_all_of_them(shop: Shop) -> None:
    (member,) = shop.enrol(1)
    shop.buy(member, "a", ["10.00", "5.00"], "2026-03-01")
    bought = replayed(shop, DOUBLE, member, entries_of(shop, member))
    assert (bought.total.before, bought.total.after) == (15, 30)
    shop.bring_back("a", "2026-03-02", lines=[{"line": 1}])
    some = replayed(shop, DOUBLE, member, entries_of(shop, member))
    assert (some.total.before, some.total.after, some.total.amount) == (5, 10, 500)
    shop.bring_back("a", "2026-03-03")
    nothing = replayed(shop, DOUBLE, member, entries_of(shop, member))
    assert (nothing.total.before, nothing.total.after, nothing.total.amount) == (0, 0, 0)
    assert (nothing.purchases, nothing.returns, nothing.affected) == (1, 2, 1)


WISH = (
    BASE
    + """
  - {id: wish, name: {en: Birthday, zh: 生日}, when: DAY, earn: 2 * base}
"""
)


def test_whoever_was_born_on_29_february_has_a_birthday_in_a_backtest_too(shop: Shop) -> None:
    (member,) = shop.enrol(1, birthday="02-29")
    alone = WISH.replace("DAY", "member.birth_day = day")
    both = WISH.replace("DAY", "member.birth_month = month AND member.birth_day = day")
    for place, published in enumerate((BASE, alone, both)):  # nothing, the day and both are kept of the member
        shop.publish(published)
        shop.buy(member, f"{place}", ["7.00"], "2026-02-28")
        shop.buy(member, f"{place}-later", ["7.00"], "2026-03-01")
    for tried in (alone, both):
        assert replayed(shop, tried, member, entries_of(shop, member)).rules["wish"].after == 21


FIRST = (
    BASE
    + """
  - {id: first, name: {en: First, zh: 首单}, when: member.first_purchase, earn: 5 * base}
"""
)


def test_who_has_bought_before_the_replay_begins_is_no_first_buyer(shop: Shop) -> None:
    (member,) = shop.enrol(1)
    shop.publish(FIRST)
    shop.buy(member, "a", ["2.00"], "2026-03-01")
    shop.buy(member, "b", ["2.00"], "2026-03-02")
    entries = entries_of(shop, member)
    assert replayed(shop, FIRST, member, entries).rules["first"].after == 8
    assert "first" not in replayed(shop, FIRST, member, entries, 2).rules


def test_points_that_waited_in_vain_are_gone_on_both_sides(shop: Shop) -> None:
    (member,) = shop.enrol(1)
    shop.publish(LIVELY)
    waits = shop.event(member, "trade_in", "2026-03-01", fields={"pieces": 3})["id"]
    kept = shop.event(member, "trade_in", "2026-03-01", fields={"pieces": 2})["id"]
    shop.event(member, "trade_in_refused", "2026-03-05", of=waits)
    shop.event(member, "trade_in_accepted", "2026-03-05", of=kept)
    dearer = LIVELY.replace("earn: 4 * event.pieces", "earn: 10 * event.pieces")
    figures = replayed(shop, dearer, member, entries_of(shop, member))
    assert (figures.total.before, figures.total.after) == (8, 20)
    assert {day: (sums.before, sums.after) for day, sums in sorted(figures.days.items())} == {
        739_676: (20, 50),
        739_680: (-12, -30),
    }


def test_the_tier_and_segments_are_those_of_the_purchase(shop: Shop) -> None:
    (member,) = shop.enrol(1)
    golden = BASE + "  - {id: gold, name: {en: Gold, zh: 金}, when: member.tier = 'gold', earn: 2 * base}\n"
    shop.publish(golden)
    change, patch = "PATCH /v1/members/{id}", {"If-Match": "*"}

    def standing(tier: str, *segments: str) -> None:
        body = {"tier": tier, "segments": list(segments)}
        answer = shop.running.call(shop.operator, change, body, params={"id": member}, headers=patch)
        assert answer.status == 200, answer

    standing("gold", "tea", "rice")
    shop.buy(member, "a", ["10.00"], "2026-03-01")
    standing("silver")
    shop.buy(member, "b", ["10.00"], "2026-03-02")
    figures = replayed(shop, golden, member, entries_of(shop, member))
    assert (figures.total.before, figures.total.after) == (30, 30)
    assert {tier: sums.after for tier, sums in figures.tiers.items()} == {"gold": 20, "silver": 10}
    assert {segment: sums.after for segment, sums in figures.segments.items()} == {"tea": 20, "rice": 20}


def test_a_rule_that_fails_is_counted_and_gives_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    (member,) = shop.enrol(1)
    shop.buy(member, "a", ["10.00"], "2026-03-01")
    entries = entries_of(shop, member)
    rules = rules_of(shop, DOUBLE)
    store, policy = BacktestStore(shop.running.table), ProgramStore(shop.running.table).load(PROGRAM)
    evaluate = Interpreter.evaluate

    def odd(self: Interpreter, facts: Facts) -> Evaluation:
        found = evaluate(self, facts)
        return Evaluation([hit for hit in found.hits if hit.rule == rules.base], [Failure(1, "OverflowError")])

    monkeypatch.setattr(Interpreter, "evaluate", odd)
    history = History(Chain(PROGRAM, member, "points"), State(), entries)
    orders = store.orders(PROGRAM, history.orders)
    figures = Replay(Interpreter(rules), policy, *EVER).account(member, [history], orders, None)
    assert figures.failures == {"double": 1}
    assert figures.total.after == 10


@pytest.mark.parametrize("source", [BASE, LIVELY, ""], ids=["base", "lively", "none published"])
def test_what_campaigns_offered_is_followed_and_no_rule_has_a_say_in_it(shop: Shop, source: str) -> None:
    (member,) = shop.enrol(1)
    if source:
        shop.publish(source)
    now = int(time.time())
    today = wiring.policy(PROGRAM).day(now)
    days = [date.fromordinal(today - ago).isoformat() for ago in (3, 2, 1)]
    shop.buy(member, "a", ["10.50"], days[0])
    offers = wiring.offers()
    offers.grant_points(PROGRAM, member, "c#spring#1#1", "spring", 200, None, "", now)
    offers.grant_multiplier(PROGRAM, member, "c#spring#1#2", "spring", Rate(3, 2), today - 2, today - 1, now)
    shop.buy(member, "b", ["10.50", "3.33"], days[1])
    shop.buy(member, "c", ["5.00"], days[2])
    shop.bring_back("b", days[2], amount="4.00")
    entries = entries_of(shop, member)
    if source:
        for begins in range(len(entries)):
            figures = replayed(shop, source, member, entries, begins)
            assert [rule for rule, sums in figures.rules.items() if sums.before != sums.after] == [], begins
    figures = replayed(shop, DOUBLE, member, entries)
    given = figures.rules["campaign:spring"].after
    assert given == 7  # half of 13.83 and of 5.00, less half of 4.00: what is left over is carried
    if source != LIVELY:
        assert figures.rules["campaign:spring"].before == given
        assert (figures.total.before, figures.total.after) == (25 + given, 50 + given)
