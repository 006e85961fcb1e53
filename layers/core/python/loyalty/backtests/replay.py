"""What an account would have earned: its recorded purchases, returns and events once more, under other rules. Pure.

They come in the order in which they were recorded, so what was reported late comes late again, and the account begins
in the state that it really had before the first of them: what rounding had left over, what its caps had counted, how
often it had bought. From there on it goes its own way, by the very code that posts. Only what happened within the
window counts; what was recorded among it but happened outside moves the account on and no more.

Balances play no part: nobody can say how a member would have spent other points.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from loyalty.backtests.figures import Cell, Figures, RuleCell
from loyalty.earning.offers import multiplied
from loyalty.earning.purchase import Order
from loyalty.errors import Corrupt
from loyalty.ledger import commands
from loyalty.ledger.account import WAITING, Draft, State
from loyalty.ledger.chain import Chain, Entry
from loyalty.ledger.commands import Award
from loyalty.members.member import Member
from loyalty.programs.terms import Program, Terms
from loyalty.rules import engine
from loyalty.rules.engine import Awarded, Fraction, LineState, Outcome, Returned
from loyalty.rules.evaluation import Evaluator, Facts
from loyalty.rules.facts import Happened, Person, reader, streak_of, typed
from loyalty.rules.ruleset import BASE_RULE, Rule
from loyalty.values import ZERO, Rate

OrderName = tuple[str, str]
"""(source, order id)."""
Points = dict[str, int]
"""Whole points by rule; below zero when taken back."""

_ANY: Final = Terms(expiry=0, start=0)
_ALL: Final = Fraction(1, 1)


class History(NamedTuple):
    """One wallet: its state before ``entries``, and those, oldest first."""

    chain: Chain
    before: State
    entries: list[Entry]

    @property
    def orders(self) -> Iterator[OrderName]:
        """The orders that they name."""
        for entry in self.entries:
            if "order" in entry.detail:
                yield entry.detail["source"], entry.detail["order"]


class _Bought(NamedTuple):
    """An order that was replayed: its document, what it earned, how far it has come back."""

    order: Order
    awards: tuple[Awarded, ...]
    back: Returned


class Replay:
    """Replays accounts under the rules of ``evaluator``. ``since`` and ``until`` are ordinals, both included, in the
    zone of ``policy``.
    """

    def __init__(self, evaluator: Evaluator, policy: Program, since: int, until: int) -> None:
        self.evaluator = evaluator
        self.since = since
        self.until = until
        self.zone = ZoneInfo(policy.timezone)
        self.reader = reader(evaluator.rules)
        self.streaks = {event.type for event in evaluator.rules.events if event.streak}
        self.known_events = {event.type: event for event in evaluator.rules.events}

    @property
    def begins(self) -> int:
        """The window's first moment, in seconds since 1970, UTC."""
        first = datetime.fromordinal(self.since).replace(tzinfo=self.zone)
        return int(first.timestamp())

    def account(
        self,
        account: str,
        histories: Sequence[History],
        orders: Mapping[OrderName, Order],
        member: Member | None,
    ) -> Figures:
        """All that one account's wallets would have earned. Corrupt when what is recorded cannot be followed."""
        figures = Figures(accounts=1)
        before = after = 0
        active = False
        for history in histories:
            wallet = _Wallet(self, history, orders, member, figures)
            for entry in history.entries:
                wallet.follow(entry)
            before += wallet.before
            after += wallet.after
            active = active or wallet.active
        if active:
            figures.count_member(account, before, after)
        return figures

    def day(self, occurred: int) -> int:
        """The day of a moment, for the figures."""
        return datetime.fromtimestamp(occurred, self.zone).toordinal()

    def decide(self, facts: Facts, state: State) -> Outcome:
        """What something earns. Budgets pay anything: what they really could is seen once all accounts are summed."""
        return engine.decide(self.evaluator.rules, self.evaluator.evaluate(facts), facts, state, _terms, None)


class _Wallet:
    """One wallet on its way through the replay."""

    def __init__(
        self,
        replay: Replay,
        history: History,
        orders: Mapping[OrderName, Order],
        member: Member | None,
        figures: Figures,
    ) -> None:
        self._replay = replay
        self._orders = orders
        self._member = member
        self._person = None if member is None else replay.reader.person(member)
        self._figures = figures
        self._state = _without_points(history.before)
        self._real = history.before
        """The real state before the entry that is followed."""
        self._bought: dict[OrderName, _Bought] = {}
        self._waiting: dict[int, tuple[Points, Points]] = {}
        """What events gave that waits for a decision, really and in the replay, by entry."""
        self.before = 0
        self.after = 0
        self.active = False

    def follow(self, entry: Entry) -> None:
        """Replay one entry; kinds that no rule speaks of change nothing."""
        detail = entry.detail
        if entry.kind == "earned" and "order" in detail:
            self._purchase(entry)
        elif entry.kind == "earned" and "event" in detail:
            self._event(entry)
        elif entry.kind == "reversed" and "order" in detail:
            self._return(entry)
        elif entry.kind == "cancelled":
            self._cancelled(entry)
        self._real = entry.state
        self._state.multipliers = entry.state.multipliers  # which no rule has a say in

    # ---- what is recorded

    def _purchase(self, entry: Entry) -> None:
        name = entry.detail["source"], entry.detail["order"]
        order = self._orders.get(name)
        if order is None:
            raise Corrupt(f"entry {entry.number}: its order document is missing")
        person = self._person_of(order)
        draft = self._draft(entry)
        facts = self._replay.reader.purchase(order, person, draft.state)
        outcome = self._replay.decide(facts, draft.state)
        outcome = replace(outcome, awards=multiplied(outcome.awards, draft.state, facts.day))
        given = commands.earn_awards(draft, [one.award() for one in outcome.awards], facts.day, visit=True)
        self._state = _without_points(draft.state)
        self._bought[name] = _Bought(order, outcome.awards, Returned(_untouched(order)))
        after = _by_rule(zip((one.rule for one in outcome.awards), given, strict=True))
        self._count(entry, order, person, really_given(entry, BASE_RULE), after, order.amount, outcome)

    def _event(self, entry: Entry) -> None:
        kind = str(entry.detail["event"])
        before = really_given(entry, f"event {kind}")
        declared = self._replay.known_events.get(kind)
        if declared is None:  # the policy's own bonus, which no rule set changes
            self._count(entry, None, self._person, before, before, 0, None)
            return
        draft = self._draft(entry)
        store = str(entry.detail.get("store", ""))
        day = self._replay.reader.day(entry.occurred, store)
        streak = 0
        if kind in self._replay.streaks:
            streak = streak_of(draft.state, kind, day)
            draft.streak(kind, day)
        known = entry.detail.get("fields", {})
        fields = {name: typed(of, known[name]) for name, of in declared.fields.items() if name in known}
        happened = Happened(entry.chain.account, kind, entry.occurred, store, fields, streak)
        person = self._person_at(entry)
        facts = self._replay.reader.event(happened, person, draft.state)
        outcome = self._replay.decide(facts, draft.state)
        given = commands.earn_awards(draft, [one.award() for one in outcome.awards], facts.day)
        self._state = _without_points(draft.state)
        after = _by_rule(zip((one.rule for one in outcome.awards), given, strict=True))
        waiting = [
            (one.rule, points) for one, points in zip(outcome.awards, given, strict=True) if one.start == WAITING
        ]
        self._waiting[entry.number] = (_really_waiting(entry, before), _by_rule(waiting))
        self._count(entry, None, person, before, after, 0, outcome)

    def _return(self, entry: Entry) -> None:
        name = entry.detail["source"], entry.detail["order"]
        order = self._orders.get(name)
        before = _negative(really_given(entry, BASE_RULE))
        bought = self._bought.get(name)
        draft = self._draft(entry)
        if bought is None:  # bought before the replay began: taken back as it really was given
            shares = _really_back(entry, self._real)
            ended = commands.came_back(entry.moves)
        else:
            back = _come_back(entry.detail, bought)
            shares = engine.shares(bought.awards, bought.back, back)
            ended = engine.fraction(None, back.lines, back.by_amount) == _ALL
            ended = ended and engine.fraction(None, bought.back.lines, bought.back.by_amount) != _ALL
            self._bought[name] = bought._replace(back=back)
        commands.take_back(draft, shares, commands.ARREARS, unvisit=ended)
        self._state = _without_points(draft.state)
        after = _negative(_given_in(draft.detail, shares))
        person = self._person if order is None else self._person_of(order)
        self._count(entry, order, person, before, after, -int(entry.detail["amount"]), None)

    def _cancelled(self, entry: Entry) -> None:
        """Points that waited for an event wait in vain."""
        gone = int(entry.detail["points"])
        really, replayed = self._waiting.pop(int(entry.detail["of"]), ({}, {}))
        if gone == sum(really.values()):
            before, after = _negative(really), _negative(replayed)
        else:  # it began to wait before the replay did, or a part of it has expired meanwhile
            before = after = {_WAITED: -gone}
        self._count(entry, None, self._person, before, after, 0, None)

    # ---- the figures

    def _count(
        self,
        entry: Entry,
        order: Order | None,
        person: Person | None,
        before: Points,
        after: Points,
        amount: int,
        outcome: Outcome | None,
    ) -> None:
        day = self._replay.day(entry.occurred)
        if not self._replay.since <= day <= self._replay.until:
            return
        figures = self._figures
        sums = sum(before.values()), sum(after.values())
        self.active = True
        self.before += sums[0]
        self.after += sums[1]
        bought = entry.kind == "earned" and order is not None
        figures.purchases += bought
        figures.returns += entry.kind == "reversed"
        figures.events += entry.kind == "earned" and not bought
        figures.affected += bought and sums[0] != sums[1]
        cell = Cell(int(bought), amount, *sums)
        figures.total.add(cell)
        figures.days.setdefault(day, Cell()).add(cell)
        figures.stores.setdefault(order.store if order else "", Cell()).add(cell)
        figures.tiers.setdefault(person.tier if person else "", Cell()).add(cell)
        for segment in dict.fromkeys(person.segments if person else ()):
            figures.segments.setdefault(segment, Cell()).add(cell)
        for rule, points in before.items():
            figures.rules.setdefault(rule, RuleCell()).add(RuleCell(int(points > 0), points, 0, 0))
        for rule, points in after.items():
            figures.rules.setdefault(rule, RuleCell()).add(RuleCell(0, 0, int(points > 0), points))
        if outcome is not None:
            self._count_outcome(outcome, day)

    def _count_outcome(self, outcome: Outcome, day: int) -> None:
        for campaign, points in outcome.taken.items():
            asked = self._figures.campaigns.setdefault(campaign, {})
            asked[day] = asked.get(day, 0) + points
        for failure in outcome.failures:
            rule = self._replay.evaluator.rules.rules[failure.rule].id
            self._figures.failures[rule] = self._figures.failures.get(rule, 0) + 1

    # ---- the account

    def _draft(self, entry: Entry) -> Draft:
        return Draft(self._state, entry.recorded)

    def _person_of(self, order: Order) -> Person | None:
        """What rules may read of the member: as it was kept with the order, else as it is today."""
        kept = order.given.person if order.given else None
        return self._person if kept is None else _as_kept(kept, self._person or Person())

    def _person_at(self, entry: Entry) -> Person | None:
        """The same for an event, which keeps the member's standing."""
        kept = entry.detail.get("member")
        if self._person is None or kept is None:
            return self._person
        tier, segments = str(kept.get("tier", "")), tuple(map(str, kept.get("segments", ())))
        return replace(self._person, tier=tier, segments=segments, multiplier=int(kept.get("multiplier", 0)))


_WAITED: Final = "waited in vain"


def really_given(entry: Entry, otherwise: str) -> Points:
    """What an entry gave, or took back, by rule; ``otherwise`` is whose it is where the entry names none."""
    awards = entry.detail.get("awards")
    if awards is None:
        return {otherwise: int(entry.detail["points"])}
    return _by_rule((str(rule), int(points)) for rule, points in awards)


def _really_waiting(entry: Entry, given: Points) -> Points:
    """What an event really gave that waits: all of it or nothing. What is mixed is not told apart by rule."""
    waits = sum(points for _, points in commands.waiting_parts(entry.moves))
    return given if waits == sum(given.values()) else {_WAITED: waits}


def _given_in(detail: Mapping[str, Any], awards: Sequence[Award]) -> Points:
    """The same of a command that has just been carried out."""
    told = detail.get("awards")
    if told is None:
        return {BASE_RULE: int(detail["points"])} if awards else {}
    return _by_rule((str(rule), int(points)) for rule, points in told)


def _really_back(entry: Entry, before: State) -> list[Award]:
    """What a return took back exactly: its whole points, and what it changed of what rounding had left over."""
    shares = []
    for rule, points in really_given(entry, BASE_RULE).items():
        rest = before.remainders.get(rule, ZERO)
        left = entry.state.remainders.get(rule, ZERO)
        exact = Rate.of(points, 1).plus(rest).plus(left.times(-1))
        shares.append(Award(rule, exact))
    return shares


def _come_back(detail: Mapping[str, Any], bought: _Bought) -> Returned:
    """How far an order has come back after a return. One by amount names no lines, nor does one of an order that earned
    under no rule set: it counts by its amount, until the order's document, which says it of all returns together, has
    no further one.
    """
    order, back = bought.order, bought.back
    said = detail.get("back")
    if isinstance(said, list):
        lines = list(back.lines)
        for number, amount, pieces in said:
            line = lines[number - 1]
            lines[number - 1] = line._replace(
                returned=line.returned + amount, returned_quantity=line.returned_quantity + pieces
            )
        return Returned(lines, max(0, int(detail["returned"]) - sum(line.returned for line in lines)))
    if int(detail["returned"]) == order.returned_amount:
        return Returned(
            [LineState(line.amount, line.quantity, line.returned, line.returned_quantity) for line in order.lines],
            order.returned,
        )
    return Returned(back.lines, back.by_amount + int(detail["amount"]))


def _as_kept(kept: Person, today: Person) -> Person:
    """What was kept of a member, and today's where nothing was: an order keeps what the rules of its time spoke of."""
    return Person(
        kind=kept.kind or today.kind,
        tier=kept.tier,
        segments=kept.segments,
        language=kept.language or today.language,
        city=kept.city or today.city,
        birth_month=kept.birth_month or today.birth_month,
        birth_day=kept.birth_day or today.birth_day,
        enrolled=kept.enrolled or today.enrolled,
        attributes={**today.attributes, **kept.attributes},
        multiplier=kept.multiplier,
    )


def _untouched(order: Order) -> list[LineState]:
    return [LineState(line.amount, line.quantity) for line in order.lines]


def _without_points(state: State) -> State:
    """What rules read of an account and nothing else: what it owns takes no part."""
    return State(
        number=state.number,
        kind=state.kind,
        status="open",
        at=state.at,
        remainders=dict(state.remainders),
        purchases=state.purchases,
        first=state.first,
        last=state.last,
        counted=state.counted,
        counters=dict(state.counters),
        streaks=dict(state.streaks),
        multipliers=state.multipliers,
    )


def _by_rule(pairs: Any) -> Points:
    sums: Points = {}
    for rule, points in pairs:
        sums[rule] = sums.get(rule, 0) + points
    return sums


def _negative(points: Points) -> Points:
    return {rule: -number for rule, number in points.items()}


def _terms(rule: Rule) -> Terms:
    """When points begin and end does not matter to how many they are."""
    del rule
    return _ANY
