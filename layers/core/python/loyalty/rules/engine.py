"""What an event earns under a rule set: from the rules whose conditions were true to the awards that are given. Pure.

In turn, for each rule: what it gives exactly; at most its cap for one order or event; at most the room that its caps
for the member have left; then the groups choose between rules, by what they would give now; then the budgets of
campaigns pay whole awards or nothing; then what is not a whole point is carried or rounded. The base rule is always
given. The same facts, rules, account and rooms always give the same awards.

An exact number of points is ``num / den``. It is not kept in lowest terms: 1/den is the unit in which shares of it are
taken back, so a share never needs a finer fraction, and all shares together are the whole.
"""

from collections.abc import Callable, Mapping, Sequence
from math import lcm
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct

from loyalty.ledger.account import WAITING, State
from loyalty.ledger.commands import Award
from loyalty.programs.terms import Terms
from loyalty.rules.evaluation import Evaluation, Facts, Failure
from loyalty.rules.ruleset import BASE_RULE, Cap, Group, Rule, RuleSet
from loyalty.rules.schema import LINE
from loyalty.values import ZERO, Rate

FINEST: Final = 10**6
"""Denominators up to this are kept exact; what a ratio gives beyond is rounded down to millionths of a point."""
MAX_WEIGHTS: Final = 20_000
"""Weights of all awards together that an order document keeps, so that it stays well below the 400 KB an item may have.
A purchase of more (500 lines under 41 rules on lines) takes its awards back by amount.
"""
_AMOUNT: Final = next(place for place, fact in enumerate(LINE) if fact.name == "line.amount")

Verdict = Literal["given", "capped", "beaten", "unpaid", "nothing"]
"""``capped``: no room was left; ``beaten``: another one of its group was chosen; ``unpaid``: the campaign's budget is
too small for it; ``nothing``: rounded down to nothing.
"""


class Awarded(Struct, frozen=True):
    """An award as the order document pins it: enough to give it, and to take it or any share of it back, without the
    rule set.
    """

    rule: str
    num: int
    den: int
    expiry: int = 0
    start: int = 0
    carry: bool = True
    whole: bool = False
    """The first return of anything it was earned by takes all of it back."""
    campaign: str = ""
    """Whose budget paid."""
    weights: tuple[int, ...] | None = None
    """By which share of it each line earned; None: by amount."""
    counters: tuple[tuple[str, int], ...] = ()
    """(name, last day of the period) of the caps that it counts against."""

    def award(self) -> Award:
        """To be given."""
        return Award(self.rule, Rate.of(self.num, self.den), self.expiry, self.start, self.carry, self.counters)

    def share(self, before: "Fraction", after: "Fraction") -> Award:
        """To be taken back, when so much of it was returned before and is now. ``Award.exact`` may be zero."""
        gone, goes = self.num * before.num // before.den, self.num * after.num // after.den
        ended = before.num < before.den and after.num >= after.den
        exact = Rate.of(goes - gone, self.den)
        return Award(self.rule, exact, self.expiry, self.start, self.carry, self.counters, ended)


class Fraction(NamedTuple):
    """How much of an award has been returned: from 0 to 1, not in lowest terms."""

    num: int
    den: int


class LineState(NamedTuple):
    """A line of an order as far as it has come back; amounts in minor units."""

    amount: int
    quantity: int
    returned: int = 0
    returned_quantity: int = 0


class Step(Struct, frozen=True):
    """How a rule came to give what it gave."""

    rule: str
    exact: Rate
    """What its expression says, under ``FINEST``."""
    after_order_cap: Rate
    after_caps: Rate
    verdict: Verdict
    cap: str = ""
    """Name of the counter that left the least room, where one left too little."""
    by: str = ""
    """The rule or group that was chosen, or the campaign that could not pay."""
    points: int = 0
    """Whole points given, what was carried included."""
    before: Rate = ZERO
    """What was left over from earlier awards."""
    after: Rate = ZERO


def counter(rule: str, cap: Cap, what: Literal["p", "t"]) -> str:
    """The name under which an account counts what a cap bounds: points or times."""
    return f"{rule}:{what}{_LETTERS[cap.period]}"


_LETTERS: Final = {"day": "d", "week": "w", "month": "m", "quarter": "q", "year": "y", "total": "t"}


class _Candidate:
    """A rule on its way to an award."""

    __slots__ = (
        "by",
        "cap",
        "counters",
        "den",
        "lines",
        "num",
        "points",
        "raw",
        "rest",
        "rule",
        "under_order",
        "verdict",
    )

    def __init__(self, rule: Rule, num: int, den: int, lines: tuple[int, ...] | None, rest: Rate) -> None:
        if den > FINEST:
            num, den = num * FINEST // den, FINEST
        self.rule = rule
        self.num = num
        self.den = den
        self.lines = lines
        self.rest = rest
        self.raw = self.under_order = (num, den)
        self.counters: tuple[tuple[str, int], ...] = ()
        self.verdict: Verdict = "given"
        self.cap = self.by = ""
        self.points = 0


class Outcome(Struct, frozen=True):
    """All that an event earns. ``needs`` is what the awards ask of campaigns, ``taken`` what they get: less where
    ``rooms`` were too small. Awards and steps are in the order of the rules.
    """

    awards: tuple[Awarded, ...]
    needs: dict[str, int]
    taken: dict[str, int]
    failures: tuple[Failure, ...]
    considered: "tuple[_Candidate, ...]"

    @property
    def points(self) -> int:
        """Whole points of all awards."""
        return sum(one.points for one in self.considered if one.verdict == "given")

    @property
    def steps(self) -> tuple[Step, ...]:
        """How every rule whose condition was true came to what it gave; worked out when asked for."""
        return tuple(_step(one) for one in self.considered)


def decide(
    rules: RuleSet,
    evaluation: Evaluation,
    facts: Facts,
    state: State,
    terms: Callable[[Rule], Terms],
    rooms: Mapping[str, int] | None = None,
) -> Outcome:
    """The awards of an event. ``state`` is the account before it, ``terms`` what a rule's pending and expiry come to at
    the time of the event, ``rooms`` the points that campaigns can pay; None: any.
    """
    candidates: list[_Candidate] = []
    for hit in evaluation.hits:
        rule, num, den = rules.rules[hit.rule], hit.num, hit.den
        rest = state.remainders.get(rule.id, ZERO) if rule.rounding == "carry" else ZERO
        candidate = _Candidate(rule, num, den, hit.lines, rest)
        if candidate.num <= 0:
            continue
        candidates.append(candidate)
        if rule.order_cap and num > rule.order_cap * den:
            candidate.num = rule.order_cap * candidate.den
            candidate.under_order = (candidate.num, candidate.den)
        if rule.caps:
            _cap(candidate, facts.day, state)
    if rules.groups:
        _stack(rules.groups, [one for one in candidates if one.verdict == "given" and one.rule.id != BASE_RULE])
    for candidate in candidates:
        if candidate.verdict == "given":
            _round(candidate)
    needs: dict[str, int] = {}
    taken: dict[str, int] = {}
    if rules.campaigns:
        _pay(candidates, needs, taken, rooms)
    given = [one for one in candidates if one.verdict == "given"]
    weighed = len(facts.lines) * sum(one.lines is not None for one in given) <= MAX_WEIGHTS
    return Outcome(
        tuple(_awarded(one, facts, terms(one.rule), weighed=weighed) for one in given),
        needs,
        taken,
        tuple(evaluation.failures),
        tuple(candidates),
    )


def _cap(candidate: _Candidate, day: int, state: State) -> None:
    """At most what the rule's caps have left for the member. Together with what is carried no more than whole points of
    the room are given: what is carried counts when it becomes a point.
    """
    rule, rest = candidate.rule, candidate.rest
    counters: dict[str, int] = {}
    for cap in rule.caps:
        if cap.points:
            name = counter(rule.id, cap, "p")
            counters[name], used = state.used(name, day)
            room = max(0, (cap.points - used) * rest.den - rest.num)  # in 1/rest.den
            if candidate.num * rest.den > room * candidate.den:
                den = lcm(candidate.den, rest.den)
                candidate.num, candidate.den = room * (den // rest.den), den
                candidate.cap = name
        if cap.times:
            name = counter(rule.id, cap, "t")
            counters[name], used = state.used(name, day)
            if used >= cap.times and candidate.num:
                candidate.num = 0
                candidate.cap = name
    candidate.counters = tuple(counters.items())
    if not candidate.num:
        candidate.verdict = "capped"


class _Item(NamedTuple):
    """A rule or a group beside others in a group, with all that it would give."""

    id: str
    priority: int
    num: int
    den: int
    exclusive: bool
    members: list[_Candidate]

    def comes_before(self, other: "_Item", by_amount: bool) -> bool:
        """Chosen before another: for more points, for a higher priority, for its id."""
        more = self.num * other.den - other.num * self.den if by_amount else 0
        return (-more, -self.priority, self.id) < (0, -other.priority, other.id)


def _stack(groups: Sequence[Group], candidates: list[_Candidate]) -> None:
    """Let the groups choose, from within to without; those not chosen are beaten."""
    if len(candidates) < 2:
        return
    _chosen("", "sum", groups, candidates)


def _chosen(within: str, stacking: str, groups: Sequence[Group], candidates: list[_Candidate]) -> list[_Candidate]:
    """What a group gives in the end."""
    items = [
        _Item(one.rule.id, one.rule.priority, one.num, one.den, False, [one])
        for one in candidates
        if one.rule.group == within
    ]
    for group in groups:
        if group.within == within and (members := _chosen(group.id, group.stacking, groups, candidates)):
            den = lcm(*(one.den for one in members))
            num = sum(one.num * (den // one.den) for one in members)
            items.append(_Item(group.id, group.priority, num, den, group.stacking == "exclusive", members))
    alone = None
    for item in items:
        if item.exclusive and (alone is None or item.comes_before(alone, by_amount=False)):
            alone = item
    if alone is not None:
        items = _beat(items, alone, [item for item in items if item.priority < alone.priority])
    if stacking in {"best", "first"} and len(items) > 1:
        winner = items[0]
        for item in items[1:]:
            if item.comes_before(winner, by_amount=stacking == "best"):
                winner = item
        items = _beat(items, winner, [item for item in items if item is not winner])
    return [one for item in items for one in item.members]


def _beat(items: list[_Item], winner: _Item, losers: list[_Item]) -> list[_Item]:
    for loser in losers:
        for one in loser.members:
            one.verdict, one.by = "beaten", winner.id
    return [item for item in items if not any(item is loser for loser in losers)]


def _round(candidate: _Candidate) -> None:
    num, den, rounding = candidate.num, candidate.den, candidate.rule.rounding
    if rounding == "carry":
        rest = candidate.rest
        candidate.points = (rest.num * den + num * rest.den) // (rest.den * den)
        return
    if rounding == "down":
        whole = num // den
    elif rounding == "up":
        whole = -(-num // den)
    else:
        whole = (2 * num + den) // (2 * den)
    candidate.num, candidate.den, candidate.points = whole, 1, whole
    if not whole:
        candidate.verdict = "nothing"


def _pay(
    candidates: list[_Candidate], needs: dict[str, int], taken: dict[str, int], rooms: Mapping[str, int] | None
) -> None:
    """A campaign pays the awards of higher priority first, each of them wholly or not at all."""
    asking = [one for one in candidates if one.rule.campaign and one.verdict == "given"]
    for one in sorted(asking, key=lambda one: (-one.rule.priority, one.rule.id)):
        campaign, points = one.rule.campaign, one.points
        needs[campaign] = needs.get(campaign, 0) + points
        used = taken.get(campaign, 0) + points
        if rooms is not None and used > rooms.get(campaign, 0):
            one.verdict, one.by, one.points = "unpaid", campaign, 0
        else:
            taken[campaign] = used


def _awarded(one: _Candidate, facts: Facts, terms: Terms, *, weighed: bool) -> Awarded:
    rule = one.rule
    waits = rule.pending is not None and rule.pending.kind == "on_event"
    return Awarded(
        rule.id,
        one.num,
        one.den,
        terms.expiry,
        WAITING if waits else terms.start,
        rule.rounding == "carry",
        rule.on_return == "whole",
        rule.campaign,
        _weights(one.lines, facts, rule.on_return == "whole") if one.lines and weighed else None,
        one.counters,
    )


def _weights(lines: tuple[int, ...], facts: Facts, whole: bool) -> tuple[int, ...] | None:
    """What each line gave; None where that is as what was paid for it, which goes without saying."""
    if not whole:
        amounts = [line[_AMOUNT] for line in facts.lines]
        total, paid = sum(lines), sum(amounts)
        if total == paid:
            return None if list(lines) == amounts else lines
        if paid and [weight * paid for weight in lines] == [amount * total for amount in amounts]:
            return None
    return lines


def _step(one: _Candidate) -> Step:
    given = one.verdict == "given"
    after = one.rest
    if given and one.rule.rounding == "carry":
        _, after = one.rest.plus(Rate(one.num, one.den)).split()
    return Step(
        one.rule.id,
        Rate.of(*one.raw),
        Rate.of(*one.under_order),
        Rate.of(one.num, one.den),
        one.verdict,
        one.cap,
        one.by,
        one.points if given else 0,
        one.rest,
        after,
    )


# ---- what comes back


def fraction(
    weights: tuple[int, ...] | None, lines: Sequence[LineState], by_amount: int, whole: bool = False
) -> Fraction:
    """How much of an award is returned once these lines and ``by_amount`` minor units of the order have come back.

    Each line's part comes back as its amount does, or as its pieces do where it was free; a return by amount brings
    back as much of each part as of the order. All of it comes back with the last of the money, or with the last piece
    where nothing was paid.
    """
    paid = sum(line.amount for line in lines)
    back = by_amount + sum(line.returned for line in lines)
    if paid:
        everything = back >= paid
    else:
        back, paid = sum(line.returned_quantity for line in lines), sum(line.quantity for line in lines)
        everything = back >= paid > 0
    if everything:
        return Fraction(1, 1)
    if whole:
        begun = by_amount or any(
            line.returned or line.returned_quantity
            for place, line in enumerate(lines)
            if weights is None or weights[place]
        )
        return Fraction(1, 1) if begun else NOTHING
    if weights is None:
        return Fraction(back, paid) if paid else NOTHING
    total = sum(weights)
    taken = total * by_amount // paid if paid else 0
    for weight, line in zip(weights, lines, strict=True):
        if line.amount:
            taken += weight * line.returned // line.amount
        elif line.quantity:
            taken += weight * line.returned_quantity // line.quantity
    return Fraction(min(taken, total), total)


NOTHING: Final = Fraction(0, 1)


class Returned(NamedTuple):
    """An order as far as it has come back."""

    lines: Sequence[LineState]
    by_amount: int = 0


def shares(awards: Sequence[Awarded], before: Returned, after: Returned) -> list[Award]:
    """What is to be taken back of an order's awards by a return."""
    return [
        award.share(
            fraction(award.weights, before.lines, before.by_amount, award.whole),
            fraction(award.weights, after.lines, after.by_amount, award.whole),
        )
        for award in awards
    ]


# ---- stored form


def pack(awards: Sequence[Awarded]) -> list[list[Any]]:
    """Compact JSON data of an order's awards."""
    packed = []
    for award in awards:
        parts: list[Any] = [
            award.rule,
            award.num,
            award.den,
            award.expiry,
            award.start,
            (0 if award.carry else 1) + (2 if award.whole else 0),
            award.campaign,
            list(award.weights or ()),
            [part for counted in award.counters for part in counted],
        ]
        while not parts[-1]:
            parts.pop()
        packed.append(parts)
    return packed


def unpack(packed: Sequence[Sequence[Any]]) -> tuple[Awarded, ...]:
    """Inverse of ``pack``."""
    return tuple(_unpacked(*parts) for parts in packed)


def _unpacked(
    rule: str,
    num: int,
    den: int,
    expiry: int = 0,
    start: int = 0,
    flags: int = 0,
    campaign: str = "",
    weights: Sequence[int] = (),
    counters: Sequence[Any] = (),
) -> Awarded:
    return Awarded(
        rule,
        num,
        den,
        expiry,
        start,
        not flags & 1,
        bool(flags & 2),
        campaign,
        tuple(weights) or None,
        tuple(zip(counters[::2], counters[1::2], strict=True)),
    )
