"""The sums of a backtest: added up in any order, cut to budgets, stored and shown."""

import random
from copy import deepcopy

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.backtests import figures
from loyalty.backtests.backtest import SHARDS, SILENT_SECONDS, Asked, Backtest, Finished, Shard, percent, progress
from loyalty.backtests.figures import (
    MAX_STORES,
    OTHERS,
    STEPS,
    TOP,
    Cell,
    Drawn,
    Figures,
    RuleCell,
    class_of,
    merged,
    pack,
    set_aside,
    unpack,
    within,
)
from loyalty.backtests.service import window
from loyalty.backtests.views import SHOWN, figures_view, simulation_view
from loyalty.errors import Corrupt, Invalid
from loyalty.rules.ruleset import Campaign, Names, Rule, RuleSet
from loyalty.rules.tree import Number

DAY = 737_000


def account(name: str, luck: random.Random) -> Figures:
    """One account's figures."""
    if luck.random() < 0.1:
        return set_aside(name, f"reason {luck.randrange(3)}")
    found = Figures(accounts=1)
    before = after = 0
    for _ in range(luck.randrange(4)):
        cell = Cell(1, luck.randrange(5000), luck.randrange(-5, 40), luck.randrange(-5, 80))
        part = Figures(purchases=1, affected=int(cell.before != cell.after), total=deepcopy(cell))
        part.days = {DAY + luck.randrange(5): deepcopy(cell)}
        part.stores = {str(luck.randrange(4)): deepcopy(cell)}
        part.tiers = {luck.choice(["", "gold"]): deepcopy(cell)}
        part.segments = {name: deepcopy(cell) for name in luck.sample(["a", "b", "c"], luck.randrange(4))}
        part.rules = {luck.choice(["base", "lunch"]): RuleCell(1, cell.before, 1, cell.after)}
        part.campaigns = {"autumn": {DAY + luck.randrange(5): luck.randrange(9)}}
        part.failures = {"lunch": 1}
        found.add(part)
        before, after = before + cell.before, after + cell.after
    if found.purchases:
        found.count_member(name, before, after)
    return found


@given(st.randoms(use_true_random=False), st.integers(0, 40))
def test_parts_add_up_to_the_same_in_any_order_and_grouping(luck: random.Random, size: int) -> None:
    parts = [account(f"mem_{number:03d}", luck) for number in range(size)]
    whole = merged(deepcopy(parts))
    luck.shuffle(parts)
    groups = []
    while parts:
        cut = luck.randrange(1, len(parts) + 1)
        groups.append(unpack(pack(merged(parts[:cut]))))
        parts = parts[cut:]
    luck.shuffle(groups)
    assert merged(groups) == whole
    assert pack(merged(groups)) == pack(whole)


def test_adding_up_leaves_what_is_added_as_it_was() -> None:
    luck = random.Random(3)
    parts = [account(f"mem_{number:03d}", luck) for number in range(20)]
    before = deepcopy(parts)
    whole = merged(parts)
    whole.add(merged(parts))
    assert parts == before


def test_those_who_win_and_lose_most_are_named_ties_by_id() -> None:
    found = Figures()
    for number in range(30):
        found.count_member(f"mem_{number:02d}", 100, 100 + number // 2 - 5)
    assert [(one.account, one.change) for one in found.winners[:3]] == [("mem_28", 9), ("mem_29", 9), ("mem_26", 8)]
    assert [(one.account, one.change) for one in found.losers] == [
        (f"mem_{number:02d}", number // 2 - 5) for number in range(10)
    ]
    assert len(found.winners) == TOP
    assert (found.gained, found.lost) == (90, 30)
    assert sum(found.changes.values()) == found.members == 30


@given(st.integers(-10_000, 10_000))
def test_a_change_falls_into_the_class_that_begins_at_or_below_it(change: int) -> None:
    size = class_of(change)
    assert class_of(-change) == -size
    reached = [step for step in STEPS if step <= abs(change)]
    assert abs(size) == len(reached)
    assert (size > 0) == (change > 0)


def test_a_budget_pays_until_it_is_dry_and_what_it_cannot_pay_is_cut() -> None:
    found = Figures(total=Cell(9, 0, 0, 1000))
    found.days = {DAY + ahead: Cell(1, 0, 0, 250) for ahead in range(4)}
    found.campaigns = {"autumn": {DAY: 100, DAY + 1: 100, DAY + 2: 100}, "winter": {DAY: 5}}
    found.rules = {"base": RuleCell(0, 0, 9, 695), "a": RuleCell(0, 0, 3, 200), "b": RuleCell(0, 0, 3, 100)}
    drawn = within(found, {"autumn": 150, "winter": 5}, {"autumn": ["a", "b"], "winter": ["c"]})
    assert drawn == {"autumn": Drawn(300, 150, DAY + 1), "winter": Drawn(5, 5, None)}
    assert found.total.after == 850
    assert [found.days[DAY + ahead].after for ahead in range(4)] == [250, 200, 150, 250]
    assert (found.rules["a"].after, found.rules["b"].after, found.rules["base"].after) == (100, 50, 695)


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 50), min_size=1),
    st.dictionaries(st.integers(DAY, DAY + 5), st.integers(0, 60)),
    st.integers(0, 120),
)
def test_what_budgets_cut_off_is_the_same_in_the_whole_and_over_the_days(
    points: dict[str, int], asked: dict[int, int], budget: int
) -> None:
    found = Figures(total=Cell(0, 0, 0, 1000), days={day: Cell(0, 0, 0, 60) for day in asked})
    found.rules = {rule: RuleCell(0, 0, 1, given) for rule, given in points.items()}
    found.campaigns = {"autumn": asked}
    (drawn,) = within(found, {"autumn": budget}, {"autumn": list(points)}).values()
    over = sum(asked.values()) - min(sum(asked.values()), budget)
    assert (drawn.asked, drawn.paid, drawn.day is None) == (sum(asked.values()), sum(asked.values()) - over, over == 0)
    assert 1000 - found.total.after == over
    assert sum(60 - cell.after for cell in found.days.values()) == over
    assert sum(points.values()) - sum(rule.after for rule in found.rules.values()) == min(over, sum(points.values()))
    assert all(rule.after >= 0 for rule in found.rules.values())


def test_more_stores_than_are_kept_are_summed_up() -> None:
    found = Figures(stores={f"s{number}": Cell(number, 1, 1, 2) for number in range(MAX_STORES + 10)})
    kept = unpack(pack(found)).stores
    assert len(kept) == MAX_STORES
    assert kept[OTHERS].after == 2 * 11
    assert kept[OTHERS].purchases == sum(range(11))
    assert sum(cell.after for cell in kept.values()) == 2 * (MAX_STORES + 10)
    again = unpack(pack(Figures(stores=kept | {"new": Cell(1, 1, 1, 2)}))).stores
    assert len(again) == MAX_STORES
    assert sum(cell.after for cell in again.values()) == 2 * (MAX_STORES + 11)


@pytest.mark.parametrize("text", ["", "x", "~~~~", pack(Figures())[:-3]])
def test_stored_figures_that_cannot_be_read_are_corrupt(text: str) -> None:
    with pytest.raises(Corrupt):
        unpack(text)


def rules_of(*ids: str, cost: tuple[int, int] = (1, 1)) -> RuleSet:
    rules = tuple(Rule(one, Names(one.title(), one), "order", Number(1)) for one in sorted({"base", *ids}))
    base = next(place for place, rule in enumerate(rules) if rule.id == "base")
    return RuleSet("grocer", "tried", "EUR", "UTC", rules, base, point_cost=cost, campaigns=(Campaign("autumn", 10),))


def test_costs_are_rounded_half_up_and_missing_without_a_price() -> None:
    found = Figures(total=Cell(1, 100, 1, 3))
    view = figures_view(deepcopy(found), rules_of(cost=(1, 2)))
    assert (view.cost_before, view.cost_after) == (1, 2)
    view = figures_view(deepcopy(found), rules_of(cost=(0, 1)))
    assert (view.cost_before, view.cost_after) == (None, None)


def test_the_groups_that_change_most_are_shown_and_the_others_summed_up() -> None:
    found = Figures(stores={f"{number:03d}": Cell(1, 10, 0, number) for number in range(SHOWN + 5)})
    shown = figures_view(found, rules_of()).stores
    assert [one.id for one in shown[:2]] == [f"{SHOWN + 4:03d}", f"{SHOWN + 3:03d}"]
    assert len(shown) == SHOWN + 1
    assert (shown[-1].id, shown[-1].purchases, shown[-1].points_after) == ("*", 5, 0 + 1 + 2 + 3 + 4)


def test_rules_that_gave_something_and_are_gone_are_shown_behind_those_there_are() -> None:
    found = Figures(rules={"old": RuleCell(2, 20, 0, 0), "lunch": RuleCell(0, 0, 3, 30)})
    shown = figures_view(found, rules_of("lunch")).rules
    assert [(one.rule, one.points_before, one.points_after) for one in shown] == [
        ("base", 0, 0), ("lunch", 0, 30), ("old", 20, 0),
    ]  # fmt: skip
    assert shown[1].names == Names("Lunch", "lunch")
    assert shown[2].names is msgspec.UNSET


# ---- how far it has come


BACKTEST = Backtest("sim_x", "grocer", "rls_x", "tried", DAY, DAY + 9, 1000, "cli_x", 1)


def test_what_is_known_of_some_shards_is_taken_to_be_so_of_all() -> None:
    shards = [Shard(0, 1, "c", False, 100, 40, changed=1000), Shard(1, 2, "", True, 60, 60, changed=1000)]
    at = progress(BACKTEST, shards, 1001)
    assert (at.accounts, at.known, at.shards_done, at.failed) == (100, 160 * SHARDS // 2, 1, ())
    view = simulation_view(BACKTEST, at, None)
    assert (view.status, view.progress.percent, view.days) == ("running", 7, 10)


def test_nothing_done_is_no_progress_and_all_but_the_sum_is_ninety_nine_per_cent() -> None:
    assert simulation_view(BACKTEST, progress(BACKTEST, [], 1001), None).progress.percent == 0
    every = [Shard(number, 1, "", True, 0, 0, changed=1000) for number in range(SHARDS)]
    at = progress(BACKTEST, every, 10**9)
    assert at.done
    view = simulation_view(BACKTEST, at, None)
    assert (view.status, view.progress.percent) == ("running", 99)


def test_a_part_that_was_not_heard_of_for_long_has_failed() -> None:
    shards = [Shard(number, 1, "", True, 1, 1, changed=1000) for number in range(SHARDS) if number != 3]
    assert progress(BACKTEST, shards, 1000 + SILENT_SECONDS - 1).failed == ()
    (failed,) = progress(BACKTEST, shards, 1000 + SILENT_SECONDS).failed
    assert failed.number == 3
    assert simulation_view(BACKTEST, progress(BACKTEST, shards, 10_000), None).status == "incomplete"


@pytest.mark.parametrize(
    ("before", "after", "guard", "exceeds"),
    [(100, 125, 25, False), (100, 126, 25, True), (100, 74, 25, True), (100, 75, 25, False), (0, 1, 50, True),
     (0, 0, 1, False), (-5, 1, 1000, True), (3, 4, 33, True), (3, 4, 34, False)],
)  # fmt: skip
def test_a_guard_is_exceeded_by_more_than_its_share_up_or_down(
    before: int, after: int, guard: int, exceeds: bool
) -> None:
    finished = Finished("sim", "rls", "", "", 1, 0, 0, 1, 1, before, after, 0)
    assert finished.exceeds(guard) is exceeds


def test_percentages_have_one_place_and_none_comes_of_nothing() -> None:
    assert [percent(3, 4), percent(1000, 999), percent(0, 5), percent(200, 100)] == [33.3, -0.1, None, -50.0]


def test_the_window_ends_today_where_the_programme_is() -> None:
    just_after_midnight_in_berlin = 1_772_319_700  # 2026-02-28T23:01:40Z
    since, until = window(Asked(3), "Europe/Berlin", just_after_midnight_in_berlin)
    assert (since, until) == window(Asked(3, "2026-03-01"), "Europe/Berlin", just_after_midnight_in_berlin)
    assert until - since == 2
    with pytest.raises(Invalid):
        window(Asked(3, "2026-03-01"), "UTC", just_after_midnight_in_berlin)


def test_reasons_are_kept_short() -> None:
    assert len(set_aside("mem", "x" * 1000).reasons[0].reason) == figures._REASON  # noqa: SLF001 - the bound itself
