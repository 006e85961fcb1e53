"""Awards given and taken back in whatever way, on the kernel and the engine alone, beside figures worked out plainly:
nothing is lost, no cap and no budget is ever exceeded, and what wholly comes back leaves no trace.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.earning.awards import goes_back
from loyalty.earning.purchase import Given, Line, Order, OrderTerms, Return, ReturnLine, take_back
from loyalty.errors import Problem
from loyalty.ledger import commands
from loyalty.ledger.account import WAITING, Draft, State
from loyalty.ledger.chain import Cause, Chain, Entry, Stored, Verifier, rebuild, seal
from loyalty.programs.terms import Terms
from loyalty.rules.engine import Awarded, decide, pack, unpack
from loyalty.rules.evaluation import Evaluation, Facts, Hit
from loyalty.rules.ruleset import BASE_RULE, Campaign, Cap, Group, Names, Period, Rule, RuleSet
from loyalty.rules.schema import LINE, ORDER
from loyalty.rules.tree import Number
from loyalty.values import Rate
from tests.property.profile import examples

CHAIN = Chain("acme", "mem_a", "points")
BEGINNING = 1_800_000_000
TODAY = date(2027, 1, 15).toordinal()
RULES = "bcdefghijk"
"""Ids of the rules; the base rule's stands between them."""
LIVES = [Terms(0, 0), Terms(BEGINNING + 10**9, 0), Terms(BEGINNING + 10**9, WAITING), Terms(0, BEGINNING + 10**8)]

ids = st.sampled_from(RULES)
periods: st.SearchStrategy[Period] = st.sampled_from(["day", "week", "month", "quarter", "year", "total"])
caps = st.builds(Cap, periods, st.just(0) | st.integers(1, 40), st.just(0) | st.integers(1, 3))
rules = st.builds(
    Rule,
    ids,
    st.just(Names("rule", "规则")),
    st.just("order"),
    st.just(Number(1)),
    rounding=st.sampled_from(["carry", "carry", "down", "up", "nearest"]),
    caps=st.lists(caps, max_size=2, unique_by=lambda cap: cap.period).map(tuple),
    order_cap=st.sampled_from([0, 0, 5, 30]),
    group=st.sampled_from(["", "inner", "outer"]),
    priority=st.integers(0, 2),
    campaign=st.sampled_from(["", "", "autumn", "winter"]),
    on_return=st.sampled_from(["share", "share", "whole"]),
)
groups = st.builds(
    lambda inner, outer, within: (Group("inner", inner, within), Group("outer", outer, "", 1)),
    st.sampled_from(["sum", "best", "first", "exclusive"]),
    st.sampled_from(["sum", "best", "first", "exclusive"]),
    st.sampled_from(["", "outer"]),
)


def rule_set(chosen: list[Rule], stacked: tuple[Group, ...]) -> RuleSet:
    base = Rule(BASE_RULE, Names("base", "基础"), "line", Number(1))
    every = tuple(sorted([base, *chosen], key=lambda rule: rule.id))
    campaigns = (Campaign("autumn", 60), Campaign("winter", 25))
    return RuleSet("acme", "any", "EUR", "UTC", every, every.index(base), groups=stacked, campaigns=campaigns)


rule_sets = st.builds(rule_set, st.lists(rules, max_size=10, unique_by=lambda rule: rule.id), groups)
lines = st.lists(st.tuples(st.integers(0, 900), st.integers(1, 3)), min_size=1, max_size=3)
gives = st.tuples(
    st.lists(st.integers(0, 4_000), min_size=3, max_size=3),
    st.sampled_from([1, 3, 100]),
    st.booleans(),
)
"""(units by line, units in a point, whether the rule is one on lines)."""
purchases = st.tuples(lines, st.dictionaries(ids | st.just(BASE_RULE), gives, max_size=6), st.integers(-70, 3))
returns = st.tuples(
    st.integers(0, 9),
    st.builds(
        lambda line, quantity, amount: Return((ReturnLine(line, quantity, amount),)),
        st.integers(1, 3),
        st.none() | st.integers(1, 3),
        st.none() | st.integers(1, 500),
    )
    | st.builds(Return, amount=st.integers(1, 900))
    | st.just(Return()),
)
steps = st.lists(purchases | returns, min_size=2, max_size=14)


def period_of(period: str, day: int) -> Any:
    on = date.fromordinal(day)
    return {
        "day": on,
        "week": on.isocalendar()[:2],
        "month": (on.year, on.month),
        "quarter": (on.year, (on.month - 1) // 3),
        "year": on.year,
        "total": None,
    }[period]


@dataclass
class Bought:
    """An order, what its awards gave, and what of it was taken back."""

    order: Order
    counted_on: int
    given: dict[str, int]
    taken: Counter[str] = field(default_factory=Counter)
    wholly: bool = False
    left: dict[str, Fraction] = field(default_factory=dict)
    """Of each award, exactly, what has not been taken back: one may end before the whole purchase has come back."""


@dataclass
class Account:
    """A wallet driven by the kernel, and what is known of it plainly."""

    rules: RuleSet
    state: State = field(default_factory=State)
    entries: list[Entry] = field(default_factory=list)
    bought: list[Bought] = field(default_factory=list)
    exact: Fraction = Fraction(0)
    """All awards that stand, before any rounding down."""
    points: int = 0
    paid: Counter[str] = field(default_factory=Counter)
    last_count: int = 0
    now: int = BEGINNING

    def __post_init__(self) -> None:
        draft = self.draft()
        commands.open_account(draft, "member")
        self.seal(draft)

    def draft(self) -> Draft:
        self.now += 60
        return Draft(self.state, self.now)

    def seal(self, draft: Draft) -> None:
        head = self.entries[-1] if self.entries else None
        ref = f"k#till#{len(self.entries)}"
        self.entries.append(seal(CHAIN, head, draft, Cause(ref, "print", "till", self.now)))
        self.state = self.entries[-1].state

    def buy(self, bought: list[tuple[int, int]], gives: dict[str, tuple[list[int], int, bool]], ago: int) -> Bought:
        day = TODAY + ago
        facts = Facts(day, [None] * len(ORDER), [[None] * (len(LINE) - 1) + [amount] for amount, _ in bought])
        hits = []
        for place, rule in enumerate(self.rules.rules):
            if rule.id in gives:
                units, den, by_line = gives[rule.id]
                parts = tuple(units[: len(bought)])
                hits.append(Hit(place, sum(parts), den, parts if by_line or rule.id == BASE_RULE else None))
        rooms = {campaign.id: campaign.points - self.paid[campaign.id] for campaign in self.rules.campaigns}
        draft = self.draft()
        places = {rule.id: place for place, rule in enumerate(self.rules.rules)}
        outcome = decide(
            self.rules,
            Evaluation(hits, []),
            facts,
            draft.state,
            lambda rule: LIVES[places[rule.id] % len(LIVES)],
            rooms,
        )
        awards = unpack(pack(outcome.awards))
        assert awards == outcome.awards
        given = commands.earn_awards(draft, [award.award() for award in awards], day, visit=True)
        self.seal(draft)
        self.points += sum(given)
        self.exact += sum((Fraction(award.num, award.den) for award in awards), Fraction(0))
        by_rule = {step.rule: step.points for step in outcome.steps if step.verdict == "given"}
        assert sum(by_rule.values()) <= sum(given)  # a remainder that was added to another may have made a point
        self._spend(outcome.taken, by_rule, awards)
        effective = max(day, self.last_count)
        for award in awards:
            rule = self.rules.rules[places[award.rule]]
            if any(cap.times or (cap.points and by_rule[rule.id]) for cap in rule.caps):
                self.last_count = effective
        order = Order(
            "pos", f"{len(self.bought)}", CHAIN.account, CHAIN.wallet, "EUR",
            tuple(Line(amount, quantity) for amount, quantity in bought),
            self.now, OrderTerms(Rate(1, 100), 0, 0, "arrears"), "ref", "print", "till", "content",
            given=Given(1, self.now, awards=awards),
        )  # fmt: skip
        left = {award.rule: Fraction(award.num, award.den) for award in awards}
        self.bought.append(Bought(order, effective, by_rule, left=left))
        return self.bought[-1]

    def _spend(self, taken: dict[str, int], points: dict[str, int], awards: tuple[Awarded, ...]) -> None:
        spent: Counter[str] = Counter()
        for award in awards:
            if award.campaign:
                spent[award.campaign] += points[award.rule]
        assert +spent == +Counter(taken)
        self.paid += spent

    def bring_back(self, mine: Bought, back: Return) -> None:
        """A return, if there is so much left to return."""
        try:
            after, _ = take_back(mine.order, back)
        except Problem:
            return
        assert mine.order.given is not None
        shares = goes_back(mine.order.given, mine.order, after)
        wholly = after.came_back and not mine.order.came_back
        draft = self.draft()
        due = commands.take_back(draft, shares, commands.ARREARS, wholly)
        told = draft.detail.get("awards", [[share.rule, due] for share in shares])
        self.seal(draft)
        mine.order = after
        mine.taken.update(dict(told))
        mine.wholly |= wholly
        for share in shares:
            mine.left[share.rule] -= Fraction(*share.exact)
        self.points -= due
        self.exact -= sum((Fraction(*share.exact) for share in shares), Fraction(0))

    def check(self) -> None:
        """All that must be true at any time."""
        balance = self.state.balance()
        assert balance.available + balance.pending - balance.arrears == self.points
        assert self.points + sum(Fraction(*rest) for rest in self.state.remainders.values()) == self.exact
        assert len(self.state.remainders) <= 8
        assert self.state.purchases == sum(not bought.wholly for bought in self.bought)
        for campaign in self.rules.campaigns:
            assert self.paid[campaign.id] <= campaign.points
        for rule in self.rules.rules:
            for cap in rule.caps:
                points: Counter[Any] = Counter()
                times: Counter[Any] = Counter()
                for bought in self.bought:
                    if rule.id in bought.given and rule.id != BASE_RULE:
                        key = period_of(cap.period, bought.counted_on)
                        points[key] += bought.given[rule.id] - bought.taken[rule.id]
                        times[key] += bought.left[rule.id] > 0
                assert not cap.points or max(points.values(), default=0) <= cap.points
                assert not cap.times or max(times.values(), default=0) <= cap.times

    def verify(self) -> None:
        """I6 and I8: the chain is sound, and replaying it gives the account to the byte."""
        verifier = Verifier(CHAIN)
        for entry in self.entries:
            verifier.feed(Stored(entry.number, entry.ref, entry.body, entry.hash))
        assert verifier.finish() is None
        assert rebuild(self.entries) == self.state
        assert State.decode(self.state.number, self.state.encode()) == self.state


def played(account: Account, story: list[Any]) -> None:
    for step in story:
        if len(step) == 3:
            account.buy(*step)
        elif account.bought:
            which, back = step
            account.bring_back(account.bought[which % len(account.bought)], back)
        account.check()


@settings(max_examples=examples(4))
@given(rule_sets, steps)
def test_whatever_is_bought_and_returned_nothing_is_lost_and_no_cap_and_no_budget_is_exceeded(
    rules: RuleSet, story: list[Any]
) -> None:
    account = Account(rules)
    played(account, story)
    account.verify()


crowded = rule_set([Rule(name, Names("rule", "规则"), "order", Number(1)) for name in RULES], ())
few_points = st.tuples(
    st.lists(st.integers(0, 9), min_size=3, max_size=3), st.sampled_from([2, 3, 7, 100]), st.booleans()
)
crowds = st.tuples(lines, st.dictionaries(ids | st.just(BASE_RULE), few_points, min_size=6), st.just(0))


@given(st.lists(crowds | crowds | returns, min_size=3, max_size=8))
def test_i10_nothing_is_lost_where_more_rules_leave_something_over_than_are_kept_apart(story: list[Any]) -> None:
    account = Account(crowded)
    played(account, story)
    account.verify()
    for bought in account.bought:
        account.bring_back(bought, Return())
    account.check()
    assert account.exact == account.points + sum(Fraction(*rest) for rest in account.state.remainders.values())


@settings(max_examples=examples(4))
@given(rule_sets, steps, purchases, st.lists(returns.map(lambda step: step[1]), max_size=5))
def test_i5_a_purchase_wholly_returned_in_whatever_parts_leaves_points_remainders_and_counts_as_they_were(
    rules: RuleSet, before: list[Any], purchase: Any, backs: list[Return]
) -> None:
    account = Account(rules)
    played(account, before)
    was, exact = account.state, account.exact
    mine = account.buy(*purchase)
    for back in backs:
        account.bring_back(mine, back)
    account.bring_back(mine, Return())
    for line in range(len(mine.order.lines)):  # where nothing was paid, each line's pieces
        account.bring_back(mine, Return((ReturnLine(line + 1),)))
    assert mine.wholly
    account.check()
    state = account.state
    assert account.exact == exact
    assert state.purchases == was.purchases
    names = {*was.counters, *state.counters}
    assert {name: state.used(name, state.counted) for name in names} == {
        name: was.used(name, state.counted) for name in names
    }
    if len(was.remainders) + len(mine.given) <= 8:  # none was added to another's
        assert state.remainders == was.remainders
        assert state.lots == was.lots
        assert state.balance() == was.balance()
