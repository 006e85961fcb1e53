"""From the rules that hold to the awards that are given, and back. Every number here was worked out by hand."""

from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from loyalty.ledger.account import WAITING, State
from loyalty.ledger.commands import Award
from loyalty.programs.terms import Terms
from loyalty.rules.engine import (
    FINEST,
    Awarded,
    Fraction,
    LineState,
    Outcome,
    Returned,
    counter,
    decide,
    fraction,
    pack,
    shares,
    unpack,
)
from loyalty.rules.evaluation import Evaluation, Facts, Failure, Hit
from loyalty.rules.ruleset import BASE_RULE, Campaign, Cap, Group, Names, Pending, Rule, RuleSet
from loyalty.rules.schema import LINE, ORDER
from loyalty.rules.tree import Number
from loyalty.values import Rate
from tests.unit.states import NOW, TODAY, wallet

TERMS = Terms(NOW + 1_000, 0)
NAMES = Names("a rule", "一条规则")
MONTH_END = date(2027, 1, 31).toordinal()


def rule(name: str, **changes: Any) -> Rule:
    return Rule(name, NAMES, "line" if name == BASE_RULE else "order", Number(1), **changes)


def rule_set(*rules: Rule, groups: tuple[Group, ...] = (), campaigns: tuple[str, ...] = ()) -> RuleSet:
    every = tuple(sorted((rule(BASE_RULE), *rules), key=lambda one: one.id))
    return RuleSet(
        "acme",
        "autumn",
        "EUR",
        "UTC",
        every,
        [one.id for one in every].index(BASE_RULE),
        groups=groups,
        campaigns=tuple(Campaign(name, 100) for name in campaigns),
    )


def facts(*amounts: int) -> Facts:
    lines: list[list[Any]] = [[None] * (len(LINE) - 1) + [amount] for amount in amounts]
    return Facts(TODAY, [None] * len(ORDER), lines)


def decided(
    rules: RuleSet,
    gives: Mapping[str, int | tuple[int, int] | tuple[int, int, tuple[int, ...]]],
    state: State | None = None,
    rooms: Mapping[str, int] | None = None,
    happened: Facts | None = None,
) -> Outcome:
    """What comes of rules that give so much: points, or (num, den), or (num, den, by line)."""
    places = {one.id: place for place, one in enumerate(rules.rules)}
    hits = [Hit(places[name], *(given if isinstance(given, tuple) else (given, 1))) for name, given in gives.items()]
    evaluation = Evaluation(sorted(hits, key=lambda hit: hit.rule), [])
    return decide(rules, evaluation, happened or facts(1_000), state or wallet(), lambda _: TERMS, rooms)


def given(outcome: Outcome) -> dict[str, int]:
    """Whole points by rule."""
    return {step.rule: step.points for step in outcome.steps if step.verdict == "given"}


def verdicts(outcome: Outcome) -> dict[str, tuple[str, str]]:
    return {step.rule: (step.verdict, step.by) for step in outcome.steps}


# ---- what is given


def test_every_rule_that_holds_is_given_beside_the_base() -> None:
    outcome = decided(rule_set(rule("lunch"), rule("tea")), {"base": (1_050, 100), "lunch": 20, "tea": (5, 2)})
    assert outcome.awards == (
        Awarded("base", 1_050, 100, TERMS.expiry),
        Awarded("lunch", 20, 1, TERMS.expiry),
        Awarded("tea", 5, 2, TERMS.expiry),
    )
    assert (outcome.points, given(outcome)) == (32, {"base": 10, "lunch": 20, "tea": 2})
    assert (outcome.needs, outcome.taken) == ({}, {})


def test_what_gives_nothing_is_no_award_and_what_failed_is_named() -> None:
    rules = rule_set(rule("lunch"))
    evaluation = Evaluation([Hit(0, 0, 1), Hit(1, 0, 7)], [Failure(1, "no number")])
    outcome = decide(rules, evaluation, facts(1), wallet(), lambda _: TERMS)
    assert (outcome.awards, outcome.steps, outcome.failures) == ((), (), (Failure(1, "no number"),))


def test_what_was_carried_makes_the_point_whole_and_the_step_says_so() -> None:
    state = wallet(remainders={"tea": Rate(3, 4)})
    outcome = decided(rule_set(rule("tea")), {"tea": (1, 2)}, state)
    (step,) = outcome.steps
    assert (step.points, step.before, step.after) == (1, Rate(3, 4), Rate(1, 4))
    assert outcome.awards[0].award() == Award("tea", Rate(1, 2), TERMS.expiry)


@pytest.mark.parametrize(
    ("rounding", "num", "den", "points"),
    [
        ("down", 5, 2, 2), ("up", 5, 2, 3), ("nearest", 5, 2, 3), ("nearest", 249, 100, 2), ("up", 201, 100, 3),
        ("down", 2, 1, 2), ("up", 2, 1, 2), ("nearest", 2, 1, 2), ("up", 1, 100, 1), ("nearest", 1, 2, 1),
    ],
)  # fmt: skip
def test_an_award_is_rounded_as_its_rule_says_whatever_was_carried(
    rounding: str, num: int, den: int, points: int
) -> None:
    state = wallet(remainders={"tea": Rate(3, 4)})
    outcome = decided(rule_set(rule("tea", rounding=rounding)), {"tea": (num, den)}, state)
    assert outcome.awards == (Awarded("tea", points, 1, TERMS.expiry, carry=False),)


def test_what_is_rounded_to_nothing_is_no_award() -> None:
    outcome = decided(rule_set(rule("tea", rounding="down")), {"tea": (99, 100)})
    assert (outcome.awards, verdicts(outcome)) == ((), {"tea": ("nothing", "")})


def test_a_ratio_finer_than_millionths_is_rounded_down_to_them() -> None:
    rules = rule_set(rule("tea"))
    assert FINEST == 1_000_000
    assert decided(rules, {"tea": (20_000_000, 3_000_001)}).awards == (Awarded("tea", 6_666_664, FINEST, TERMS.expiry),)
    assert decided(rules, {"tea": (1, 999_999)}).awards == (Awarded("tea", 1, 999_999, TERMS.expiry),)
    assert decided(rules, {"tea": (999, 10**9)}).awards == ()


def test_points_that_wait_for_an_event_have_no_start_of_their_own() -> None:
    outcome = decided(rule_set(rule("trade", pending=Pending("on_event"))), {"trade": 30})
    assert outcome.awards[0].start == WAITING
    outcome = decided(rule_set(rule("trade", pending=Pending("delay", 3))), {"trade": 30})
    assert outcome.awards[0].start == TERMS.start


# ---- caps


def test_one_order_gives_no_more_than_its_cap() -> None:
    outcome = decided(rule_set(rule("tea", order_cap=50)), {"tea": (10_075, 100)})
    (step,) = outcome.steps
    assert (step.exact, step.after_order_cap, step.points) == (Rate(403, 4), Rate(50, 1), 50)
    assert outcome.awards == (Awarded("tea", 5_000, 100, TERMS.expiry),)


def test_a_member_is_given_what_the_caps_have_left() -> None:
    rules = rule_set(rule("tea", caps=(Cap("month", points=100), Cap("total", times=5))))
    state = wallet(counted=TODAY, counters={"tea:pm": 60, "tea:tt": 4})
    outcome = decided(rules, {"tea": 70}, state)
    (step,) = outcome.steps
    assert (step.points, step.cap, step.verdict) == (40, "tea:pm", "given")
    assert outcome.awards[0].counters == (("tea:pm", MONTH_END), ("tea:tt", 0))
    outcome = decided(rules, {"tea": 70}, wallet(counted=TODAY, counters={"tea:tt": 5}))
    assert (outcome.awards, outcome.steps[0].cap, verdicts(outcome)) == ((), "tea:tt", {"tea": ("capped", "")})


def test_one_cap_may_bound_points_and_times() -> None:
    rules = rule_set(rule("tea", caps=(Cap("day", points=10, times=2),)))
    outcome = decided(rules, {"tea": 7})
    assert outcome.awards[0].counters == (("tea:pd", TODAY), ("tea:td", TODAY))


def test_what_is_carried_counts_towards_the_room() -> None:
    rules = rule_set(rule("tea", caps=(Cap("month", points=10),)))
    state = wallet(counted=TODAY, counters={"tea:pm": 8}, remainders={"tea": Rate(1, 3)})
    outcome = decided(rules, {"tea": (999, 100)}, state)
    assert outcome.awards[0].award().exact == Rate(5, 3)  # 1/3 and 5/3 are the two points that are left
    (step,) = outcome.steps
    assert (step.points, step.after) == (2, Rate(0, 1))
    full = wallet(counted=TODAY, counters={"tea:pm": 10}, remainders={"tea": Rate(1, 3)})
    assert verdicts(decided(rules, {"tea": (1, 3)}, full)) == {"tea": ("capped", "")}


def test_a_purchase_reported_late_counts_in_the_period_of_the_last_count() -> None:
    rules = rule_set(rule("tea", caps=(Cap("month", points=100),)))
    state = wallet(counted=MONTH_END + 1, counters={"tea:pm": 95})
    outcome = decided(rules, {"tea": 70}, state)
    assert given(outcome) == {"tea": 5}
    assert outcome.awards[0].counters == (("tea:pm", date(2027, 2, 28).toordinal()),)


@pytest.mark.parametrize(
    ("period", "name"),
    [("day", "d"), ("week", "w"), ("month", "m"), ("quarter", "q"), ("year", "y"), ("total", "t")],
)
def test_counters_are_named_for_their_rule_what_they_count_and_their_period(period: Any, name: str) -> None:
    assert counter("tea", Cap(period), "p") == f"tea:p{name}"
    assert counter("tea", Cap(period), "t") == f"tea:t{name}"


# ---- stacking


def test_the_best_of_a_group_is_given_by_points_then_priority_then_name() -> None:
    group = (Group("offers", "best"),)
    rules = rule_set(rule("a", group="offers"), rule("b", group="offers", priority=9), rule("c"), groups=group)
    outcome = decided(rules, {"base": 1, "a": 11, "b": 10, "c": 1})
    assert given(outcome) == {"base": 1, "a": 11, "c": 1}
    assert verdicts(outcome)["b"] == ("beaten", "a")
    assert given(decided(rules, {"a": (20, 2), "b": 10})) == {"b": 10}
    rules = rule_set(rule("a", group="offers"), rule("b", group="offers"), groups=group)
    assert given(decided(rules, {"a": 10, "b": (20, 2)})) == {"a": 10}


def test_the_best_is_the_one_that_gives_most_after_its_caps() -> None:
    rules = rule_set(
        rule("a", group="offers", order_cap=5), rule("b", group="offers"), groups=(Group("offers", "best"),)
    )
    assert given(decided(rules, {"a": 100, "b": 6})) == {"b": 6}


def test_the_first_of_a_group_is_the_one_of_highest_priority_that_gives_anything() -> None:
    rules = rule_set(
        rule("a", group="offers", priority=1),
        rule("b", group="offers", priority=2),
        rule("c", group="offers", priority=3, caps=(Cap("total", times=1),)),
        groups=(Group("offers", "first"),),
    )
    state = wallet(counted=TODAY, counters={"c:tt": 1})
    assert given(decided(rules, {"a": 100, "b": 1, "c": 50})) == {"c": 50}
    assert given(decided(rules, {"a": 100, "b": 1, "c": 50}, state)) == {"b": 1}
    assert given(decided(rules, {"a": 100})) == {"a": 100}


def test_a_group_within_a_group_is_chosen_as_a_whole() -> None:
    groups = (Group("festival", "sum", within="offers"), Group("offers", "best"))
    rules = rule_set(rule("a", group="festival"), rule("b", group="festival"), rule("c", group="offers"), groups=groups)
    assert given(decided(rules, {"a": (7, 2), "b": (8, 3), "c": 6})) == {"a": 3, "b": 2}
    outcome = decided(rules, {"a": (7, 2), "b": (7, 3), "c": 6})
    assert given(outcome) == {"c": 6}
    assert verdicts(outcome) == {"a": ("beaten", "c"), "b": ("beaten", "c"), "c": ("given", "")}


def test_who_was_beaten_within_a_group_is_not_beaten_again_without() -> None:
    groups = (Group("inner", "best", within="offers"), Group("offers", "best"))
    rules = rule_set(rule("a", group="inner"), rule("b", group="inner"), rule("c", group="offers"), groups=groups)
    outcome = decided(rules, {"a": 3, "b": 4, "c": 6})
    assert verdicts(outcome) == {"a": ("beaten", "b"), "b": ("beaten", "c"), "c": ("given", "")}


def test_where_an_exclusive_group_gives_what_stands_lower_beside_it_gives_nothing_but_the_base() -> None:
    groups = (Group("launch", "exclusive", priority=5), Group("offers", "sum", priority=9))
    rules = rule_set(
        rule("a", group="launch"),
        rule("b", group="launch"),
        rule("c", priority=4),
        rule("d", priority=5),
        rule("e", group="offers"),
        groups=groups,
    )
    outcome = decided(rules, {"base": 1, "a": 1, "b": 1, "c": 50, "d": 2, "e": 3})
    assert given(outcome) == {"base": 1, "a": 1, "b": 1, "d": 2, "e": 3}
    assert verdicts(outcome)["c"] == ("beaten", "launch")
    assert given(decided(rules, {"c": 50, "d": 2})) == {"c": 50, "d": 2}


def test_an_exclusive_group_is_exclusive_within_its_group() -> None:
    groups = (Group("launch", "exclusive", within="offers", priority=5), Group("offers", "best"))
    rules = rule_set(rule("a", group="launch"), rule("b", group="offers"), rule("c"), groups=groups)
    assert given(decided(rules, {"a": 1, "b": 50, "c": 7})) == {"a": 1, "c": 7}


# ---- budgets


def test_a_campaign_pays_whole_awards_those_of_higher_priority_first() -> None:
    rules = rule_set(
        rule("a", campaign="autumn"),
        rule("b", campaign="autumn", priority=2),
        rule("c", campaign="winter"),
        campaigns=("autumn", "winter"),
    )
    gives: dict[str, Any] = {"base": 9, "a": 30, "b": (101, 2), "c": 5}
    free = decided(rules, gives)
    assert (free.needs, free.taken) == ({"autumn": 80, "winter": 5}, {"autumn": 80, "winter": 5})
    assert [award.campaign for award in free.awards] == ["autumn", "autumn", "", "winter"]
    tight = decided(rules, gives, rooms={"autumn": 79, "winter": 5})
    assert given(tight) == {"base": 9, "b": 50, "c": 5}
    assert (tight.needs, tight.taken) == ({"autumn": 80, "winter": 5}, {"autumn": 50, "winter": 5})
    assert verdicts(tight)["a"] == ("unpaid", "autumn")
    assert given(decided(rules, gives, rooms={"autumn": 30})) == {"base": 9, "a": 30}


def test_a_campaign_pays_the_point_that_what_was_carried_makes_whole() -> None:
    rules = rule_set(rule("a", campaign="autumn"), campaigns=("autumn",))
    state = wallet(remainders={"a": Rate(1, 2)})
    assert decided(rules, {"a": (1, 2)}, state).needs == {"autumn": 1}
    assert decided(rules, {"a": (1, 2)}).needs == {"autumn": 0}


def test_a_loser_asks_nothing_of_its_campaign() -> None:
    rules = rule_set(
        rule("a", campaign="autumn", group="offers"),
        rule("b", group="offers"),
        groups=(Group("offers", "best"),),
        campaigns=("autumn",),
    )
    assert decided(rules, {"a": 3, "b": 4}).needs == {}


# ---- what each line gave


def test_lines_weigh_what_they_gave_unless_that_is_what_was_paid_for_them() -> None:
    rules = rule_set(rule("tea"))
    happened = facts(200, 300, 0)
    outcome = decided(rules, {"base": (500, 100, (200, 300, 0)), "tea": (30, 7, (0, 30, 0))}, happened=happened)
    assert [award.weights for award in outcome.awards] == [None, (0, 30, 0)]
    twice = decided(rules, {"tea": (1_000, 7, (400, 600, 0))}, happened=happened)
    assert twice.awards[0].weights is None
    whole = decided(rule_set(rule("tea", on_return="whole")), {"tea": (1_000, 7, (400, 600, 0))}, happened=happened)
    assert (whole.awards[0].weights, whole.awards[0].whole) == ((400, 600, 0), True)


def line(amount: int, returned: int = 0, quantity: int = 1, pieces: int = 0) -> LineState:
    return LineState(amount, quantity, returned, pieces)


@pytest.mark.parametrize(
    ("weights", "lines", "by_amount", "expected"),
    [
        (None, [line(200), line(300)], 0, (0, 500)),
        (None, [line(200, 50), line(300)], 0, (50, 500)),
        (None, [line(200, 50), line(300)], 25, (75, 500)),
        (None, [line(200, 200), line(300, 300)], 0, (1, 1)),
        (None, [line(200, 200), line(300)], 300, (1, 1)),
        ((5, 0), [line(200, 50), line(300)], 0, (1, 5)),
        ((0, 5), [line(200, 200), line(300)], 0, (0, 5)),
        ((0, 5), [line(200, 200), line(300)], 100, (1, 5)),
        ((0, 5), [line(200), line(300, 300)], 0, (5, 5)),
        ((0, 5), [line(200), line(300, 300)], 100, (5, 5)),
        ((2, 3), [line(200), line(0, 0, 4, 3)], 0, (2, 5)),
        ((2, 3), [line(200, 200), line(0, 0, 4, 0)], 0, (1, 1)),
        ((2, 3), [line(0, 0, 1, 1), line(0, 0, 4, 3)], 0, (4, 5)),
        ((2, 3), [line(0, 0, 1, 1), line(0, 0, 4, 4)], 0, (1, 1)),
        (None, [line(0, 0, 1, 1), line(0, 0, 4, 1)], 0, (2, 5)),
        (None, [line(0, 0, 0, 0)], 0, (0, 1)),
        ((7,), [line(0, 0, 0, 0)], 0, (0, 7)),
    ],
)
def test_an_award_comes_back_as_what_it_was_earned_by(
    weights: tuple[int, ...] | None, lines: list[LineState], by_amount: int, expected: tuple[int, int]
) -> None:
    assert fraction(weights, lines, by_amount) == Fraction(*expected)


@pytest.mark.parametrize(
    ("weights", "lines", "by_amount", "expected"),
    [
        (None, [line(200), line(300)], 0, 0),
        (None, [line(200, 1), line(300)], 0, 1),
        (None, [line(200), line(300)], 1, 1),
        ((0, 5), [line(200, 200), line(300)], 0, 0),
        ((0, 5), [line(200), line(300, 1)], 0, 1),
        ((0, 5), [line(200), line(0, 0, 3, 1)], 0, 1),
        ((0, 5), [line(200), line(300)], 1, 1),
    ],
)
def test_an_award_that_comes_back_whole_does_so_with_the_first_return_of_what_it_was_earned_by(
    weights: tuple[int, ...] | None, lines: list[LineState], by_amount: int, expected: int
) -> None:
    assert fraction(weights, lines, by_amount, whole=True) == Fraction(expected, 1)


def test_shares_are_taken_in_the_units_of_the_award_and_the_last_one_ends_it() -> None:
    counters = (("tea:pm", MONTH_END),)
    awards = [Awarded("base", 1_000, 100), Awarded("tea", 7, 1, carry=False, counters=counters)]
    steps = [Returned([line(1_000, back)]) for back in (0, 333, 999, 1_000)]
    taken = [shares(awards, before, after) for before, after in pairwise(steps)]
    assert [[share.exact for share in both] for both in taken] == [
        [Rate(333, 100), Rate(2, 1)],
        [Rate.of(666, 100), Rate(4, 1)],
        [Rate(1, 100), Rate(1, 1)],
    ]
    assert [both[1].ended for both in taken] == [False, False, True]
    assert taken[0][1] == Award("tea", Rate(2, 1), carry=False, counters=counters)


# ---- stored form


def test_awards_come_back_from_their_stored_form_and_what_is_usual_is_left_out() -> None:
    awards = (
        Awarded("base", 1_999, 100, NOW),
        Awarded("tea", 7, 1, 0, WAITING, False, True, "autumn", (0, 7), (("tea:pm", MONTH_END), ("tea:tt", 0))),
        Awarded("zoo", 7, 2),
    )
    packed = pack(awards)
    assert packed == [
        ["base", 1_999, 100, NOW],
        ["tea", 7, 1, 0, -1, 3, "autumn", [0, 7], ["tea:pm", MONTH_END, "tea:tt", 0]],
        ["zoo", 7, 2],
    ]
    assert unpack(packed) == awards
