"""What a purchase or an event earns under a rule set. Pure, and imported only where one is published.

The same order, version, account and reserved budgets always earn the same, whoever works it out and when: whoever
posts it, finishes it after a crash, quotes or explains it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import replace

from loyalty.earning.offers import multiplied, names_of
from loyalty.earning.purchase import Attribute, Given, Order
from loyalty.earning.quotes import Quote, Quoted
from loyalty.errors import Refused
from loyalty.ledger.account import Draft, State
from loyalty.ledger.commands import Award, Lasting, earn_awards
from loyalty.programs.terms import Program, Terms
from loyalty.rules.engine import LineState, Outcome, Returned, decide, shares
from loyalty.rules.evaluation import Loaded
from loyalty.rules.facts import Happened, Person, reader, streak_of, typed
from loyalty.rules.ruleset import Event, Rule, RuleSet

MAX_FOR_GOOD: Final = 200
"""Counters of caps per total that an account keeps for rules that are in force no more: two for each of a hundred."""
MAX_FIELDS: Final = 256
"""Bytes of an event's fields, which its entry keeps."""


def purchase_earns(
    loaded: Loaded, policy: Program, order: Order, state: State, rooms: Mapping[str, int] | None
) -> tuple[Outcome, int]:
    """What an order earns on an account, and its day. ``rooms``: what campaigns can pay; None: any."""
    rules, given = loaded.evaluator.rules, order.given
    facts = reader(rules).purchase(order, given.person if given else None, state if order.account else None)
    recorded = given.recorded if given else order.occurred
    terms = _terms(policy, order.occurred, recorded, Terms(order.terms.expiry, order.terms.start))
    outcome = decide(rules, loaded.evaluator.evaluate(facts), facts, state, terms, rooms)
    awards = multiplied(outcome.awards, state, facts.day)
    return (outcome if awards is outcome.awards else replace(outcome, awards=awards)), facts.day


def event_earns(
    loaded: Loaded,
    policy: Program,
    happened: Happened,
    person: Person | None,
    state: State,
    recorded: int,
    rooms: Mapping[str, int] | None,
) -> tuple[Outcome, int]:
    """What an event earns on an account, and its day."""
    rules = loaded.evaluator.rules
    facts = reader(rules).event(happened, person, state)
    terms = _terms(policy, happened.occurred, recorded, policy.terms(happened.occurred, recorded))
    return decide(rules, loaded.evaluator.evaluate(facts), facts, state, terms, rooms), facts.day


def _terms(policy: Program, occurred: int, recorded: int, default: Terms) -> Callable[[Rule], Terms]:
    def terms(rule: Rule) -> Terms:
        if rule.pending is None and rule.expiry is None:
            return default
        return policy.terms(occurred, recorded, rule.expiry, None if rule.pending is None else rule.pending.days)

    return terms


def forget(draft: Draft, rules: RuleSet) -> None:
    """Drop what was counted for good, for rules that are in force no more, once that is a lot: an account that has seen
    many rule sets would carry their counters in every entry. Up to then a rule that comes back finds its count.
    """
    state = draft.state
    for_good = [name for name in sorted(state.counters) if name.endswith("t")]
    if len(for_good) <= MAX_FOR_GOOD:
        return
    here = {rule.id for rule in rules.rules}
    gone = [name for name in for_good if name.rsplit(":", 1)[0] not in here]
    if gone:
        parts = [part for name in gone for part in (name, -state.counters[name])]
        draft.move("earned", "c", state.counted, *parts)


def goes_back(given: Given, before: Order, after: Order) -> list[Award]:
    """What a return takes of an order's awards."""
    due = shares(given.awards, _returned(before), _returned(after))
    return [share for share in due if share.exact.num or share.ended]


def _returned(order: Order) -> Returned:
    lines = [LineState(line.amount, line.quantity, line.returned, line.returned_quantity) for line in order.lines]
    return Returned(lines, order.returned)


def quoted(loaded: Loaded, outcome: Outcome, draft: Draft, day: int, *, visit: bool) -> Quote:
    """An outcome as a quote: given to a draft that is thrown away, so an account that could not have it refuses."""
    best = draft.state.multiplier(day) if visit else None
    given = earn_awards(draft, [award.award() for award in outcome.awards], day, visit)
    names = {rule.id: rule.names for rule in loaded.evaluator.rules.rules}
    awards = [
        Quoted(award.rule, points, names.get(award.rule) or (names_of(best) if best else None))
        for award, points in zip(outcome.awards, given, strict=True)
    ]
    return Quote(sum(given), tuple(awards), loaded.version)


# ---- events


class EventPosting:
    """What is to be posted for an event: decided anew on every state of the account."""

    def __init__(
        self,
        loaded: Loaded,
        policy: Program,
        event: Event,
        happened: Happened,
        person: Person | None,
        now: int,
        detail: Mapping[str, object],
    ) -> None:
        self.reserved: dict[str, int] = {}
        self.outcome: Outcome | None = None
        self.day = reader(loaded.evaluator.rules).day(happened.occurred, happened.store)
        self._loaded = loaded
        self._policy = policy
        self._event = event
        self._happened = happened
        self._person = person
        self._now = now
        self._detail = dict(detail)
        if person is not None and (standing := _standing(person)):
            self._detail["member"] = standing

    def earns(self, state: State, rooms: Mapping[str, int] | None) -> Outcome:
        """What the event earns on an account."""
        happened = self._happened
        if self._event.streak:
            happened = replace(happened, streak=streak_of(state, happened.type, self.day))
        return event_earns(self._loaded, self._policy, happened, self._person, state, self._now, rooms)[0]

    def decide(self, draft: Draft) -> None:
        self.outcome = self.earns(draft.state, self.reserved)
        awards = [award.award() for award in self.outcome.awards]
        lasting = self._policy.lasting(self._happened.type, self._happened.occurred, self._now)
        earn_awards(draft, awards, self.day, lasting=Lasting(*lasting))
        forget(draft, self._loaded.evaluator.rules)
        if self._event.streak:
            draft.streak(self._happened.type, self.day)
        draft.detail |= self._detail


def _standing(person: Person) -> dict[str, object]:
    """What an entry keeps of a member, for good: tier with its multiplier, segments and kind, and nothing that is
    personal.
    """
    known = {
        "tier": person.tier,
        "segments": list(person.segments),
        "kind": person.kind,
        "multiplier": person.multiplier,
    }
    return {name: value for name, value in known.items() if value}


def event_of(rules: RuleSet, type_: str) -> Event | None:
    """What the rule set declares of a type of event."""
    return next((event for event in rules.events if event.type == type_), None)


def fields_of(event: Event, sent: Mapping[str, Attribute]) -> dict[str, object]:
    """An event's fields as facts; EVENT_FIELD_INVALID names the one that is missing, unknown or of another type."""
    found: dict[str, object] = {}
    for name, value in sent.items():
        kind = event.fields.get(name)
        if kind is None:
            known = ", ".join(sorted(event.fields)) or "no fields"
            raise field_invalid(f"fields.{name}", f"{event.type} has {known}")
        found[name] = typed(kind, value)
        if found[name] is None:
            raise field_invalid(f"fields.{name}", f"it must be {_EXPECTED.get(kind, kind)}")
    for name in (*event.required, *event.once):
        if name not in sent:
            raise field_invalid(f"fields.{name}", "it is missing")
    if len(json.dumps(sent, separators=(",", ":"), ensure_ascii=False).encode()) > MAX_FIELDS:
        raise field_invalid("fields", f"they may have {MAX_FIELDS} bytes together")
    return found


def field_invalid(field: str, why: str) -> Refused:
    return Refused("EVENT_FIELD_INVALID", f"{field}: {why}", field=field)


_EXPECTED: Final = {
    "number": 'a number: 3, or "1.5" with at most three places',
    "text": "text",
    "truth": "true or false",
    "date": 'a day, "2026-11-11"',
}
