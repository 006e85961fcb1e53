"""What an entry was decided from, decided again: the same facts, the same account before it, the same engine. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from loyalty.earning.offers import multiplied
from loyalty.earning.purchase import Order
from loyalty.errors import Refused
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.programs.terms import Terms
from loyalty.rules import facts as reading
from loyalty.rules.engine import Outcome, decide
from loyalty.rules.evaluation import Evaluator, Facts
from loyalty.rules.facts import Happened, Person, streak_of
from loyalty.rules.ruleset import Rule, RuleSet
from loyalty.values import Rate


class Occasion(Struct, frozen=True):
    """A purchase or an event, whose it was, and the account before it. ``recorded`` in seconds since 1970, UTC;
    ``rooms`` are the points that campaigns could pay. Under what terms points are given has no say in how many.
    """

    happened: Order | Happened
    person: Person | None
    before: State
    recorded: int
    rooms: Mapping[str, int] | None = None

    def zone(self, rules: RuleSet) -> ZoneInfo:
        """Where it happened."""
        there = next((store.zone for store in rules.stores if store.id == self.happened.store), "")
        return ZoneInfo(there or rules.timezone)

    def local(self, rules: RuleSet) -> datetime:
        """When it happened, by the clock of the store."""
        return datetime.fromtimestamp(self.happened.occurred, self.zone(rules))

    def at(self, moment: datetime, rules: RuleSet) -> "Occasion":
        """The same at another moment; the streak of an event is that of its day."""
        moved = replace(self, happened=replace(self.happened, occurred=int(moment.timestamp())))
        return moved.counted(rules) if isinstance(self.happened, Happened) and self.happened.streak else moved

    def counted(self, rules: RuleSet) -> "Occasion":
        """The same event with its streak: on how many days in a row it has happened by then."""
        if not isinstance(self.happened, Happened):
            return self
        days = streak_of(self.before, self.happened.type, self.local(rules).toordinal())
        return replace(self, happened=replace(self.happened, streak=days))

    def facts(self, rules: RuleSet) -> Facts:
        """What rules could know of it."""
        if isinstance(self.happened, Happened):
            return reading.of_event(rules, self.happened, self.person, self.before)
        return reading.of_purchase(rules, self.happened, self.person, self.before)


class Decided(Struct, frozen=True):
    """What came of it: ``points`` are the whole points of each award, in their order; ``carried`` is what is left over
    by rule once they are given.
    """

    facts: Facts
    outcome: Outcome
    points: tuple[int, ...]
    carried: Mapping[str, Rate]

    @property
    def total(self) -> int:
        return sum(self.points)


def decided(evaluator: Evaluator, occasion: Occasion) -> Decided | None:
    """Decide it again, and give the awards to the account as it was; None when that account could not take them."""
    rules = evaluator.rules
    facts = occasion.facts(rules)
    outcome = decide(rules, evaluator.evaluate(facts), facts, occasion.before, _no_terms, occasion.rooms)
    if isinstance(occasion.happened, Order):
        outcome = replace(outcome, awards=multiplied(outcome.awards, occasion.before, facts.day))
    draft = Draft(occasion.before, occasion.recorded)
    try:
        given = commands.earn_awards(draft, [one.award() for one in outcome.awards], facts.day)
    except Refused:
        return None
    return Decided(facts, outcome, tuple(given), draft.state.remainders)


def _no_terms(rule: Rule) -> Terms:
    del rule
    return _FOR_GOOD


_FOR_GOOD: Final = Terms(0, 0)
