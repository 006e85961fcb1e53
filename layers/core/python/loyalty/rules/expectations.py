"""What a rule set's writer expects of it: cases with the points that each must give, run by the engine that posts."""

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from loyalty.ledger.account import State
from loyalty.programs.terms import Terms
from loyalty.rules.engine import Outcome, Step, counter, decide
from loyalty.rules.evaluation import Evaluator
from loyalty.rules.facts import Attribute, Happened, Person, streak_of, typed
from loyalty.rules.facts import Reader as Facts
from loyalty.rules.facts import reader as facts_of
from loyalty.rules.reading import FIRST_DAY, LAST_DAY, NAME, Reader
from loyalty.rules.ruleset import RuleSet
from loyalty.rules.schema import CHANNELS
from loyalty.rules.tree import Type
from loyalty.rules.yaml_text import Node
from loyalty.values import Rate, exponent

MAX_CASES: Final = 500
MAX_LINES: Final = 500
SOMEBODY: Final = "mem_00000000000000000000000000"
"""The member of every case."""
_LABEL: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,64}")
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?", re.ASCII)
_BIRTHDAY: Final = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9])|(0[13-9]|1[0-2])-30|(0[13578]|1[02])-31", re.ASCII)
_MULTIPLIER: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?", re.ASCII)
_NO_TERMS: Final = Terms(0, 0)
_GOODS: Final = ("product", "category", "department", "brand", "margin")


class Goods(Struct, frozen=True):
    """One line of a case's basket; ``amount`` in minor units."""

    amount: int
    quantity: int = 1
    product: str = ""
    category: str = ""
    department: str = ""
    brand: str = ""
    margin: str = ""
    attributes: Mapping[str, Attribute] = {}


class Basket(Struct, frozen=True):
    """A case's purchase; ``occurred`` in seconds since 1970, UTC."""

    currency: str
    lines: tuple[Goods, ...]
    occurred: int
    store: str = ""
    channel: str = ""
    payment: str = ""
    source: str = ""
    account: str = SOMEBODY


class Used(Struct, frozen=True):
    """What of a rule's caps is used before the case, in each of their periods."""

    points: int = 0
    times: int = 0


class Before(Struct, frozen=True):
    """The account before the case: purchases made, the day of the last one (0: not known), what is used of caps, and
    days in a row of events up to the day before.
    """

    purchases: int = 0
    last: int = 0
    used: Mapping[str, Used] = {}
    streaks: Mapping[str, int] = {}


class Expectation(Struct, frozen=True):
    """A case: this happened, to this member, and it must give ``points`` in all, ``of_which`` so many by some rules.
    ``budgets`` are the points left of campaigns; a campaign not named has all of its own.
    """

    name: str
    line: int
    happened: Basket | Happened
    points: int
    of_which: Mapping[str, int] = {}
    member: Person = Person()
    before: Before = Before()
    budgets: Mapping[str, int] = {}


class Result(Struct, frozen=True):
    """How a case went. ``message`` says what is wrong, "" where it passed; ``trace`` what each rule came to, a line
    each.
    """

    name: str
    line: int
    expected: int
    got: int
    of_which: Mapping[str, int]
    """Points by rule, of those that gave any and of those that the case names."""
    passed: bool
    message: str
    trace: tuple[str, ...]


def run(evaluator: Evaluator, cases: Collection[Expectation]) -> list[Result]:
    """Each case under the rules of ``evaluator``, by the engine that posts purchases. Nothing is written anywhere."""
    return [_run(evaluator, case) for case in cases]


def _run(evaluator: Evaluator, case: Expectation) -> Result:
    rules, happened = evaluator.rules, case.happened
    facts_reader = facts_of(rules)
    state = _state(rules, case, facts_reader.day(happened.occurred, happened.store))
    if isinstance(happened, Happened):
        facts = facts_reader.event(_streaked(rules, happened, state, facts_reader), case.member, state)
    else:
        facts = facts_reader.purchase(happened, case.member, state)
    rooms = {campaign.id: campaign.points for campaign in rules.campaigns} | dict(case.budgets)
    outcome = decide(rules, evaluator.evaluate(facts), facts, state, lambda _: _NO_TERMS, rooms)
    got = {step.rule: step.points for step in outcome.steps}
    wrong = [] if outcome.points == case.points else [f"{case.points:,} points expected, {outcome.points:,} given"]
    wrong += [
        f"{points:,} of {rule} expected, {got.get(rule, 0):,} given"
        for rule, points in case.of_which.items()
        if got.get(rule, 0) != points
    ]
    shown = {rule: points for rule, points in got.items() if points} | {
        rule: got.get(rule, 0) for rule in case.of_which
    }
    return Result(
        case.name,
        case.line,
        case.points,
        outcome.points,
        dict(sorted(shown.items())),
        not wrong,
        "; ".join(wrong),
        _trace(rules, outcome, case, facts.day),
    )


def _state(rules: RuleSet, case: Expectation, day: int) -> State:
    """The account as it is before the case."""
    before = case.before
    state = State()
    state.purchases, state.first, state.last = before.purchases, before.last, before.last
    state.streaks = {event: (day - 1, length) for event, length in before.streaks.items() if length}
    if before.used:
        state.counted = day
    for rule in rules.rules:
        used = before.used.get(rule.id, _UNUSED)
        for cap in rule.caps:
            if cap.points and used.points:
                state.counters[counter(rule.id, cap, "p")] = used.points
            if cap.times and used.times:
                state.counters[counter(rule.id, cap, "t")] = used.times
    return state


def _streaked(rules: RuleSet, happened: Happened, state: State, facts: Facts) -> Happened:
    """The event with its days in a row, where they are counted."""
    if not any(event.type == happened.type and event.streak for event in rules.events):
        return happened
    return replace(happened, streak=streak_of(state, happened.type, facts.day(happened.occurred, happened.store)))


def _trace(rules: RuleSet, outcome: Outcome, case: Expectation, day: int) -> tuple[str, ...]:
    """What each rule came to: those that earned something, those that failed, and those that the case names."""
    told = {step.rule: _told(step) for step in outcome.steps}
    told |= {rules.rules[failure.rule].id: f"failed: {failure.reason}" for failure in outcome.failures}
    for rule in rules.rules:
        if rule.id in case.of_which and rule.id not in told:
            in_force = any(first <= day <= last for first, last in rule.windows)
            told[rule.id] = "its condition was not true" if in_force else f"not in force on {date.fromordinal(day)}"
    return tuple(f"{rule}: {text}" for rule, text in sorted(told.items()))


def _told(step: Step) -> str:
    parts = [_number(step.exact)]
    if step.after_order_cap != step.exact:
        parts.append(f"{_number(step.after_order_cap)} under the cap of an order")
    if step.cap and step.verdict != "capped":
        parts.append(f"{_number(step.after_caps)} under the member's caps")
    parts.append(_VERDICTS[step.verdict].format(points=f"{step.points:,}", by=step.by))
    if step.verdict == "given" and (step.before.num or step.after.num):
        parts.append(f"{_number(step.before)} was left over before, {_number(step.after)} is now")
    return ", ".join(parts)


def _number(rate: Rate) -> str:
    whole, rest = rate.split()
    return f"{whole:,}.{rest.num * 10_000 // rest.den:04d}".rstrip("0").rstrip(".")


_UNUSED: Final = Used()
_VERDICTS: Final = {
    "given": "{points} given",
    "capped": "the member's cap is used up",
    "beaten": "{by} was chosen instead",
    "unpaid": "the budget of {by} cannot pay it",
    "nothing": "less than a point",
}


def read(
    reader: Reader, node: Node | None, rules: RuleSet, known: Mapping[str, Collection[str]]
) -> tuple[Expectation, ...]:
    """The cases of a file, for the rules of the same file. ``known``: all that a member's field can be, by its name,
    where that is known.
    """
    return tuple(_Case(reader, item, rules, known).read() for item in reader.items(node, "expect", MAX_CASES))


class _Case:
    """One case as it is written."""

    def __init__(self, reader: Reader, node: Node, rules: RuleSet, known: Mapping[str, Collection[str]]) -> None:
        self.reader = reader
        self.rules = rules
        self.known = known
        self.node = node
        self.given = reader.fields(
            node, "a case", ("name", "purchase", "event", "member", "budgets", "points", "of_which"), ("name", "points")
        )

    def read(self) -> Expectation:
        reader, given = self.reader, self.given
        if ("purchase" in given) == ("event" in given):
            reader.refuse(self.node, "RULE_KEY_MISSING", "a case has either a purchase or an event")
        happened: Basket | Happened = self._event() if "event" in given else self._purchase()
        person, before = self._member()
        ids = [rule.id for rule in self.rules.rules]
        campaigns = [campaign.id for campaign in self.rules.campaigns]
        return Expectation(
            name=reader.text(given.get("name"), "name"),
            line=self.node.at.line,
            happened=happened,
            points=reader.integer(given.get("points"), "points", 0, 10**12),
            of_which=self._numbers(given.get("of_which"), "of_which", "rule", ids),
            member=person,
            before=before,
            budgets=self._numbers(given.get("budgets"), "budgets", "campaign", campaigns),
        )

    def _purchase(self) -> Basket:
        reader = self.reader
        given = reader.fields(
            self.given.get("purchase"),
            "a purchase",
            ("at", "store", "channel", "payment", "source", "currency", "lines"),
            ("at", "lines"),
        )
        currency = reader.text(given.get("currency"), "currency") or self.rules.currency
        if currency != self.rules.currency:
            message = f"the programme's currency is {self.rules.currency}, and not {currency}"
            reader.refuse(given["currency"], "RULE_VALUE_INVALID", message)
        store = reader.text(given.get("store"), "store", _LABEL)
        lines = reader.items(given.get("lines"), "lines", MAX_LINES)
        if "lines" in given and not lines:
            reader.refuse(given["lines"], "RULE_VALUE_INVALID", "a purchase has at least one line")
        return Basket(
            currency=currency,
            lines=tuple(self._line(line) for line in lines),
            occurred=self._moment(given.get("at"), store),
            store=store,
            channel=reader.text(given.get("channel"), "channel", NAME) or CHANNELS[0],
            payment=reader.text(given.get("payment"), "payment", _LABEL),
            source=reader.text(given.get("source"), "source", _LABEL),
        )

    def _line(self, node: Node) -> Goods:
        reader = self.reader
        given = reader.fields(node, "a line", ("amount", "quantity", *_GOODS, "attributes"), ("amount",))
        amount = reader.decimal(given.get("amount"), "amount", exponent(self.rules.currency))
        said = {name: reader.text(given.get(name), name, _LABEL) for name in _GOODS}
        return Goods(
            amount[0] if amount else 0,
            reader.integer(given.get("quantity"), "quantity", 0, 100_000, 1),
            **said,
            attributes=self._declared(given.get("attributes"), "attribute of lines", self.rules.line_attributes),
        )

    def _event(self) -> Happened:
        reader = self.reader
        given = reader.fields(self.given["event"], "an event", ("type", "at", "store", "fields"), ("type", "at"))
        kind = reader.text(given.get("type"), "type", NAME)
        declared = {event.type: event for event in self.rules.events}
        event = declared.get(kind)
        if event is None and kind:
            reader.unknown(given["type"], "RULE_EVENT_UNKNOWN", f"there is no event {kind}", declared)
        store = reader.text(given.get("store"), "store", _LABEL)
        types = event.fields if event else self.rules.event_fields
        fields = self._declared(given.get("fields"), f"field of {kind}", types)
        for name in event.required if event else ():
            if name not in fields:
                reader.refuse(self.given["event"], "RULE_KEY_MISSING", f"the event {kind} needs fields: {{{name}: …}}")
        return Happened(
            SOMEBODY,
            kind,
            self._moment(given.get("at"), store),
            store,
            {name: typed(types[name], value) for name, value in fields.items()},
        )

    def _member(self) -> tuple[Person, Before]:
        reader = self.reader
        given = reader.fields(
            self.given.get("member"),
            "a member",
            (
                "kind", "tier", "segments", "language", "city", "birthday", "enrolled", "attributes", "purchases",
                "last_purchase", "used", "streaks", "multiplier",
            ),
        )  # fmt: skip
        birthday = reader.text(given.get("birthday"), "birthday", _BIRTHDAY, "MM-DD, such as 11-05") or "00-00"
        enrolled = reader.day(given.get("enrolled"), "enrolled")
        last = reader.day(given.get("last_purchase"), "last_purchase") or 0
        person = Person(
            kind=reader.text(given.get("kind"), "kind", _LABEL) or "member",
            tier=self._named(given.get("tier"), "tier", "member.tier"),
            segments=tuple(
                self._named(one, "segment", "member.segments")
                for one in reader.items(given.get("segments"), "segments", 20)
            ),
            language=reader.text(given.get("language"), "language", _LABEL),
            city=reader.text(given.get("city"), "city", _LABEL),
            birth_month=int(birthday[:2]),
            birth_day=int(birthday[3:]),
            enrolled=_seconds(date.fromordinal(enrolled), self.rules.timezone) if enrolled else 0,
            attributes=self._declared(given.get("attributes"), "attribute of members", self.rules.member_attributes),
            multiplier=_permille(reader.text(given.get("multiplier"), "multiplier", _MULTIPLIER, 'such as "1.5"')),
        )
        before = Before(
            purchases=reader.integer(given.get("purchases"), "purchases", 0, 10**6, int(last > 0)),
            last=last,
            used=self._used(given.get("used")),
            streaks=self._numbers(
                given.get("streaks"), "streaks", "event", [event.type for event in self.rules.events if event.streak]
            ),
        )
        return person, before

    def _named(self, node: Node | None, what: str, field: str) -> str:
        """A tier or segment, that there is where these are known."""
        name = self.reader.text(node, what, _LABEL)
        known = self.known.get(field)
        if node is not None and name and known and name not in known:
            self.reader.unknown(node, "RULE_ID_UNKNOWN", f"there is no {what} {name}", known)
        return name

    def _used(self, node: Node | None) -> Mapping[str, Used]:
        """Of each rule: points, or points and times."""
        reader = self.reader
        capped = [rule.id for rule in self.rules.rules if rule.caps]
        found: dict[str, Used] = {}
        for key, value in reader.named(node, "used", _LABEL):
            if key.value not in capped:
                reader.unknown(key, "RULE_ID_UNKNOWN", f"{key.value} is no rule with a member's cap", capped)
            elif value.kind == "mapping":
                bounds = reader.fields(value, "used", ("points", "times"))
                found[key.value] = Used(
                    *(reader.integer(bounds.get(name), name, 0, 10**9) for name in ("points", "times"))
                )
            else:
                found[key.value] = Used(reader.integer(value, "what is used", 0, 10**9))
        return found

    def _numbers(self, node: Node | None, what: str, of: str, names: Collection[str]) -> Mapping[str, int]:
        """A whole number for each of some names."""
        reader = self.reader
        found: dict[str, int] = {}
        for key, value in reader.named(node, what, _LABEL):
            if key.value in names:
                found[key.value] = reader.integer(value, key.value, 0, 10**12)
            else:
                reader.unknown(key, "RULE_ID_UNKNOWN", f"there is no {of} {key.value}", names)
        return found

    def _declared(self, node: Node | None, what: str, types: Mapping[str, Type]) -> Mapping[str, Attribute]:
        """Values of declared names, of their types."""
        reader = self.reader
        found: dict[str, Attribute] = {}
        for key, value in reader.named(node, what, _LABEL):
            kind = types.get(key.value)
            if kind is None:
                reader.unknown(key, "RULE_FIELD_UNKNOWN", f"there is no {what} {key.value}", types)
                continue
            one: Attribute = reader.truth(value, key.value) if kind == "truth" else value.value
            if typed(kind, one) is None or value.kind != "text":
                reader.refuse(value, "RULE_TYPE", f"{key.value} is a {kind}")
            else:
                found[key.value] = one
        return found

    def _moment(self, node: Node | None, store: str) -> int:
        """Seconds since 1970, UTC, of a time on the clock of the store."""
        if node is None:
            return 0
        zone = next((one.zone for one in self.rules.stores if one.id == store), "") or self.rules.timezone
        try:
            moment = datetime.fromisoformat(node.value if _MOMENT.fullmatch(node.value) else "")
        except ValueError:
            moment = datetime.min  # noqa: DTZ901 - compared with days
        if not FIRST_DAY < moment.toordinal() <= LAST_DAY:
            message = "at is a time on the clock of the store, such as 2026-11-11T12:00"
            self.reader.refuse(node, "RULE_VALUE_INVALID", message)
            return 0
        seconds = int(moment.replace(tzinfo=ZoneInfo(zone)).timestamp())
        if datetime.fromtimestamp(seconds, ZoneInfo(zone)).replace(tzinfo=None) != moment:
            message = f"the clocks of {zone} were put forward over this time: there is none such"
            self.reader.refuse(node, "RULE_VALUE_INVALID", message)
        return seconds


def _seconds(day: date, zone: str) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp())


def _permille(text: str) -> int:
    """Thousandths of a decimal that has at most three places; 0 for none."""
    whole, _, rest = text.partition(".")
    return int(whole or "0") * 1000 + int(rest.ljust(3, "0"))
