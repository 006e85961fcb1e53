"""Promises of the ledger, each tried on its own over many made-up cases, on the real services."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.earning.purchase import Line, Purchase, Return, ReturnLine
from loyalty.errors import Problem
from loyalty.ledger import account
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Cause, Chain
from loyalty.programs.terms import Program
from tests.property.profile import examples
from tests.property.world import BEGINNING, PROGRAM, World, policy

DAY = 86_400
CHAIN = Chain(PROGRAM, "mem_a", "points")
OTHER = Chain(PROGRAM, "mem_b", "points")
ADMITTED = {"mem_a": "member", "mem_b": "member"}

rates = st.fractions(Fraction(1, 12), 20, max_denominator=12).map(str)
policies: st.SearchStrategy[Program] = st.builds(
    lambda rate, expiry, pending, back: policy(earn={"rate": rate}, expiry=expiry, pending=pending, return_policy=back),
    rates,
    st.sampled_from([{"kind": "none"}, {"kind": "rolling", "months": 1}, {"kind": "fixed_dates", "dates": ["03-31"]}]),
    st.sampled_from([{"kind": "immediate"}, {"kind": "delay", "days": 3}]),
    st.sampled_from(["arrears", "within_balance", "only_pending"]),
)
orders = st.lists(st.builds(Line, st.integers(0, 9_999), st.integers(1, 5)), min_size=1, max_size=4)
parts = st.builds(ReturnLine, st.integers(1, 4), st.none() | st.integers(1, 3), st.none() | st.integers(1, 4_000))
returns = st.builds(Return, lines=st.tuples(parts)) | st.builds(Return, amount=st.integers(1, 9_999))
gifts = st.lists(st.tuples(st.integers(1, 400), st.sampled_from([0, 5, 30, 300])), max_size=4)
"""(points, days until they expire, 0 for good)."""


class Story:
    """One world with a clock and fresh keys."""

    def __init__(self, program: Program) -> None:
        self.world = World(program, ADMITTED)
        self.now = BEGINNING
        self.keys = 0
        self.world.wallets.open(CHAIN, "member", self.cause(), self.now)

    def cause(self) -> Cause:
        self.keys += 1
        return Cause(f"k#till#{self.keys}", f"print-{self.keys}", "till", self.now)

    def give(self, points: int, days: int, chain: Chain = CHAIN) -> None:
        expiry = self.now + days * DAY if days else 0
        self.world.wallets.adjust(chain, points, expiry, "gift", self.cause(), self.now)

    def buy(self, lines: list[Line], order: str = "1", chain: Chain = CHAIN) -> int:
        purchase = Purchase("pos", order, chain.account, chain.wallet, "EUR", tuple(lines), self.now, "1", "store")
        posted = self.world.earning.record(PROGRAM, purchase, self.cause(), self.now)
        return int(posted.entry.detail["points"])

    def back(self, back: Return, order: str = "1") -> None:
        self.world.earning.take_back(PROGRAM, "pos", order, lambda _: back, self.cause(), self.now)

    def state(self, now: int | None = None) -> dict[str, Any]:
        """The account now, without the marks of when and why."""
        return told(self.world.wallets.state(CHAIN, now or self.now))


def told(state: State) -> dict[str, Any]:
    data = state.encode()
    return {name: value for name, value in data.items() if name not in ("t", "c")}


def points_alone(state: dict[str, Any]) -> dict[str, Any]:
    """Without how often something was bought."""
    return {name: value for name, value in state.items() if name not in "pm"}


def refusal(call: Callable[[], object]) -> tuple[str, object] | None:
    try:
        call()
    except Problem as problem:
        return problem.code, problem.figures
    return None


# ---- I5: what comes back


def returned_in_parts(story: Story, backs: list[Return]) -> None:
    for back in backs:
        refusal(lambda back=back: story.back(back))  # type: ignore[misc]  # a default binds the loop's value
    refusal(lambda: story.back(Return()))  # the rest, if any is left
    for line in range(1, 5):  # and the pieces of what was free
        refusal(lambda line=line: story.back(Return((ReturnLine(line),))))  # type: ignore[misc]  # as above


@settings(max_examples=examples(2.5))
@given(policies, gifts, orders, orders, st.lists(returns, max_size=6))
def test_i5_a_purchase_wholly_returned_leaves_the_account_as_it_was_remainders_included(
    program: Program, before: list[tuple[int, int]], earlier: list[Line], lines: list[Line], backs: list[Return]
) -> None:
    story = Story(program)
    for points, days in before:
        story.give(points, days)
    story.buy(earlier, "earlier")
    was = story.state()
    story.buy(lines)
    returned_in_parts(story, backs)
    if program.return_policy == "only_pending" and not program.pending_days:
        return  # by that policy the points stay
    assert story.state() == was


@settings(max_examples=examples(2.5))
@given(policies, gifts, orders, orders, st.lists(returns, max_size=6), st.integers(0, 3_000), st.integers(0, 40))
def test_i5_many_partial_returns_equal_one_whatever_was_spent_and_expired_before(
    program: Program,
    before: list[tuple[int, int]],
    earlier: list[Line],
    lines: list[Line],
    backs: list[Return],
    spent: int,
    days: int,
) -> None:
    ends = []
    for in_parts in (False, True):
        story = Story(program)
        for points, life in before:
            story.give(points, life)
        story.buy(earlier, "earlier")
        story.buy(lines)
        story.now += days * DAY
        there = story.world.wallets.state(CHAIN, story.now).balance().available
        if spent and there:
            story.world.wallets.redeem(CHAIN, min(spent, there), "", story.cause(), story.now)
        returned_in_parts(story, backs if in_parts else [])
        ends.append(story.state())
    assert ends[0] == ends[1]


# ---- I10: what rounding leaves over


@given(policies, st.lists(st.integers(0, 5_000), min_size=1, max_size=8))
def test_i10_purchases_apart_earn_what_one_of_their_sum_earns(program: Program, amounts: list[int]) -> None:
    apart, at_once = Story(program), Story(program)
    points = sum(apart.buy([Line(amount)], f"{position}") for position, amount in enumerate(amounts))
    assert points == at_once.buy([Line(sum(amounts))])
    assert points_alone(apart.state()) == points_alone(at_once.state())


@given(policies, st.lists(st.integers(0, 5_000), min_size=1, max_size=8))
def test_i10_lines_of_one_purchase_earn_what_their_sum_earns(program: Program, amounts: list[int]) -> None:
    lines, sum_only = Story(program), Story(program)
    assert lines.buy([Line(amount) for amount in amounts]) == sum_only.buy([Line(sum(amounts))])
    assert lines.state() == sum_only.state()


@given(rates, st.lists(st.tuples(st.integers(1, 9_999), st.booleans()), min_size=1, max_size=8))
def test_i10_what_was_earned_is_the_exact_product_rounded_down_once(
    rate: str, purchases: list[tuple[int, bool]]
) -> None:
    story = Story(policy(earn={"rate": rate}, expiry={"kind": "none"}))
    kept = 0
    for position, (amount, comes_back) in enumerate(purchases):
        story.buy([Line(amount)], f"{position}")
        if comes_back:
            story.back(Return(), f"{position}")
        else:
            kept += amount
    exact = Fraction(rate) * kept / 100
    left = exact % 1
    assert story.world.wallets.state(CHAIN, story.now).balance().available == exact - left
    assert story.state().get("r", {}).get("base", [0, 1]) == [left.numerator, left.denominator]


# ---- I7: what time alone does

steps = st.lists(
    st.tuples(
        st.sampled_from(["give", "buy", "redeem", "hold", "send", "back"]),
        st.integers(1, 400),
        st.sampled_from([0, 1, 3_600, DAY, 6 * DAY, 29 * DAY]),
    ),
    min_size=2,
    max_size=9,
)


@settings(max_examples=examples(1.5))
@given(policies, steps)
def test_i7_whether_a_sweep_has_run_changes_no_answer_and_no_account(
    program: Program, story_steps: list[tuple[str, int, int]]
) -> None:
    ends = []
    for swept in (False, True):
        story, answers = Story(program), []
        story.world.wallets.open(OTHER, "member", story.cause(), story.now)
        for position, (what, points, pause) in enumerate(story_steps):
            answers.append(refusal(lambda: act(story, what, points, position)))  # noqa: B023 - called at once
            for _ in range(8):
                story.now += pause // 8
                if swept:
                    story.world.wallets.expire(CHAIN, story.cause(), story.now)
                    story.world.wallets.expire(OTHER, story.cause(), story.now)
        other = told(story.world.wallets.state(OTHER, story.now))
        # Holds are named for the number of their entry, and sweeps have numbers too.
        ends.append((answers, without_hold_numbers(story.state()), without_hold_numbers(other)))
    assert ends[0] == ends[1]


def act(story: Story, what: str, points: int, position: int) -> None:
    wallets = story.world.wallets
    if what == "give":
        story.give(points, position % 3 * 7)
    elif what == "buy":
        story.buy([Line(points * 100)], f"{position}")
    elif what == "redeem":
        wallets.redeem(CHAIN, points, "", story.cause(), story.now)
    elif what == "hold":
        wallets.hold(CHAIN, points, story.now + points * 3_600, position % 2 == 0, story.cause(), story.now)
    elif what == "send":
        wallets.transfer(CHAIN, OTHER, points, "gift", story.cause(), story.now)
    else:
        for earlier in range(position):
            if refusal(lambda: story.back(Return(amount=points), f"{earlier}")) is None:  # noqa: B023 - called at once
                return


def without_hold_numbers(state: dict[str, Any]) -> dict[str, Any]:
    return {**state, "h": sorted(hold[1:] for hold in state.get("h", []))}


# ---- I9: terms are fixed


@given(policies, policies, gifts, orders, st.integers(0, 400))
def test_i9_a_change_of_policy_changes_no_point_that_was_earned_before(
    old: Program, new: Program, before: list[tuple[int, int]], lines: list[Line], days: int
) -> None:
    ends = []
    for after in (old, new):
        story = Story(old)
        for points, life in before:
            story.give(points, life)
        story.buy(lines)
        story.world.program = after
        ends.append(story.state(story.now + days * DAY))
    assert ends[0] == ends[1]


@given(policies, policies, orders)
def test_i9_a_return_takes_back_what_was_given_under_the_policy_of_its_day(
    old: Program, new: Program, lines: list[Line]
) -> None:
    ends = []
    for after in (old, new):
        story = Story(old)
        story.buy(lines)
        story.world.program = after
        returned_in_parts(story, [])
        ends.append(story.state())
    assert ends[0] == ends[1]


promises = st.lists(
    st.tuples(st.integers(1, 9), st.just(0) | st.integers(1, 30), st.just(0) | st.integers(1, 30)), max_size=14
)
"""(points, expiry, start), in days from now."""


@given(promises, st.sampled_from([3, 4, 6]))
def test_i9_merged_lots_are_never_worse_for_the_member_on_any_day(
    granted: list[tuple[int, int, int]], most: int
) -> None:
    with mock.patch.object(account, "MAX_LOTS", most):
        draft = Draft(State(number=1, kind="member", status="open", at=0), 1)
        for points, expiry, start in granted:
            draft.put("earned", expiry * DAY, start * DAY, points)
            draft.settle()
            assert len(draft.state.lots) <= most
    assert sum(draft.state.lots.values()) == sum(points for points, _, _ in granted)
    for day in range(32):
        now = day * DAY + 1

        def usable(lots: list[tuple[int, int, int]], now: int = now) -> int:
            return sum(points for points, expiry, start in lots if start <= now and (not expiry or expiry > now))

        kept = [(points, expiry, start) for (expiry, start), points in draft.state.lots.items()]
        assert usable(kept) >= usable([(points, expiry * DAY, start * DAY) for points, expiry, start in granted])
