"""What happened, as the facts that rules may speak of. Pure.

What was sent empty or not at all is NULL, and so is a declared attribute that has another type than the rule set says:
a purchase is never refused for what it says of itself.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from loyalty.ledger.account import State
from loyalty.rules.evaluation import Facts, Values
from loyalty.rules.ruleset import EVENT_SCALE, RuleSet
from loyalty.rules.schema import MAX_MONEY, WEEKDAYS
from loyalty.rules.tree import Type

Attribute = str | int | bool
MOST_DAYS: Final = 100_000
MOST_READERS: Final = 8
"""Rule sets whose layout a running copy remembers."""

_DECIMAL: Final = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,3}))?", re.ASCII)
_BIRTHDAY: Final = re.compile(r"(?:[0-9]{4}-)?([0-9]{2})-([0-9]{2})", re.ASCII)
_LONGEST: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days of each month, in the years in which it has most."""
_LEAP: Final = (2, 29)
_PLACES: Final = 3


if TYPE_CHECKING:
    from typing import Protocol

    class Goods(Protocol):
        """One line of a purchase."""

        @property
        def amount(self) -> int: ...
        @property
        def quantity(self) -> int: ...
        @property
        def product(self) -> str: ...
        @property
        def category(self) -> str: ...
        @property
        def department(self) -> str: ...
        @property
        def brand(self) -> str: ...
        @property
        def margin(self) -> str: ...
        @property
        def attributes(self) -> Mapping[str, Attribute]: ...

    class Bought(Protocol):
        """A purchase, reported or recorded; ``account`` is empty in a quote for nobody."""

        @property
        def account(self) -> str: ...
        @property
        def source(self) -> str: ...
        @property
        def currency(self) -> str: ...
        @property
        def lines(self) -> Sequence[Goods]: ...
        @property
        def occurred(self) -> int: ...
        @property
        def store(self) -> str: ...
        @property
        def channel(self) -> str: ...
        @property
        def payment(self) -> str: ...

    class Enrolled(Protocol):
        """A member's document."""

        @property
        def kind(self) -> str: ...
        @property
        def tier(self) -> str: ...
        @property
        def segments(self) -> tuple[str, ...]: ...
        @property
        def language(self) -> str: ...
        @property
        def attributes(self) -> Mapping[str, Attribute]: ...
        @property
        def enrolled(self) -> int: ...


class Happened(Struct, frozen=True):
    """Something a member did: ``fields`` in the values of their types (``typed``), ``occurred`` in seconds since 1970,
    UTC, ``streak`` in days, 0 where none are counted.
    """

    account: str
    type: str
    occurred: int
    store: str = ""
    fields: Mapping[str, object] = {}
    streak: int = 0


def streak_of(state: State, event: str, day: int) -> int:
    """On how many days in a row the event has happened with ``day``; 0 for a day that does not lengthen the streak,
    because it was reported before or comes late: what a streak earns is earned once.
    """
    return state.streak(event, day) if day > state.streaks.get(event, (0, 0))[0] else 0


class Person(Struct, frozen=True, omit_defaults=True):
    """What rules may read of a member's document; what is empty is not known. Kept beside what was decided by it, so
    it holds what the rules speak of, and no more.
    """

    kind: str = ""
    tier: str = ""
    segments: tuple[str, ...] = ()
    language: str = ""
    city: str = ""
    birth_month: int = 0
    birth_day: int = 0
    """As born; on which day of a year that is kept, facts say."""
    enrolled: int = 0
    """Seconds since 1970, UTC."""
    attributes: Mapping[str, Attribute] = {}
    multiplier: int = 0
    """Of the tier, in thousandths; 0 where none is known."""


class Reader:
    """How the facts of one rule set are read: where its stores are, which days have names, what it declares."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.spoken = rules.spoken_of_member
        self._zone = ZoneInfo(rules.timezone)
        self._stores = {
            one.id: (one.region or None, ZoneInfo(one.zone) if one.zone else self._zone) for one in rules.stores
        }
        self._elsewhere = (None, self._zone)
        named: dict[int, set[str]] = {}
        for day in rules.calendar:
            for ordinal in day.days:
                named.setdefault(ordinal, set()).add(day.id)
        self._named = {ordinal: frozenset(names) for ordinal, names in named.items()}
        self._events = _declared(rules.event_fields)
        self._members = _declared(rules.member_attributes)
        self._lines = _declared(rules.line_attributes)

    def purchase(self, bought: "Bought", person: Person | None, state: State | None) -> Facts:
        """Facts of a purchase; ``state`` is the account before it, None for nobody."""
        region, zone = self._stores.get(bought.store, self._elsewhere)
        time = datetime.fromtimestamp(bought.occurred, zone)
        day = time.toordinal()
        lines: list[Values] = []
        amount = quantity = 0
        for line in bought.lines:
            amount += line.amount
            quantity += line.quantity
            values: Values = [
                0,
                line.product or None,
                line.category or None,
                line.department or None,
                line.brand or None,
                line.margin or None,
                line.quantity,
                line.amount,
            ]
            if self._lines:
                known = line.attributes
                values += [read(known.get(name)) for name, read in self._lines]
            lines.append(values)
        order: Values = [
            0,
            bought.channel or None,
            bought.store or None,
            region,
            bought.currency,
            amount,
            bought.payment or None,
            bought.source or None,
            quantity,
            len(lines),
            *self._moment(time, day),
            *self._member(bought.account, person, state, day),
            None,
            None,
            *[None] * len(self._events),
            *self._attributes(person),
        ]
        return Facts(day, order, lines)

    def event(self, happened: Happened, person: Person | None, state: State | None) -> Facts:
        """Facts of an event."""
        _, zone = self._stores.get(happened.store, self._elsewhere)
        time = datetime.fromtimestamp(happened.occurred, zone)
        day = time.toordinal()
        order: Values = [
            0,
            *_NO_PURCHASE,
            *self._moment(time, day),
            *self._member(happened.account, person, state, day),
            happened.type,
            min(happened.streak, MOST_DAYS) or None,
            *[happened.fields.get(name) for name, _ in self._events],
            *self._attributes(person),
        ]
        return Facts(day, order, [])

    def day(self, occurred: int, store: str) -> int:
        """Ordinal of a moment's day at a store."""
        return datetime.fromtimestamp(occurred, self._stores.get(store, self._elsewhere)[1]).toordinal()

    def person(self, member: "Enrolled") -> Person:
        """What this rule set may read of a member. Tier and segments always, for they are what awards are looked at
        by afterwards.
        """
        spoken, known = self.spoken, member.attributes
        city = known.get("city") if "member.city" in spoken else ""
        month, day = birthday(known.get("birthday"))
        leaping = (month, day) == _LEAP and "member.birth_day" in spoken  # which day is kept takes both to tell
        return Person(
            kind=member.kind if "member.kind" in spoken else "",
            tier=member.tier,
            segments=member.segments,
            language=member.language if "member.language" in spoken else "",
            city=city if isinstance(city, str) else "",
            birth_month=month if leaping or "member.birth_month" in spoken else 0,
            birth_day=day if "member.birth_day" in spoken else 0,
            enrolled=member.enrolled if "member.age_days" in spoken else 0,
            attributes={name: known[name] for name, _ in self._members if name in known and f"member.{name}" in spoken},
        )

    def _moment(self, time: datetime, day: int) -> Values:
        return [
            day,
            time.hour * 3600 + time.minute * 60 + time.second,
            WEEKDAYS[(day - 1) % 7],
            time.month,
            time.day,
            self._named.get(day, _NOTHING),
        ]

    def _member(self, account: str, person: Person | None, state: State | None, day: int) -> Values:
        if not account:
            return [None] * _MEMBER_FACTS
        if person is None:
            known: Values = [None] * 8
        else:
            age = day - datetime.fromtimestamp(person.enrolled, self._zone).toordinal()
            known = [
                person.kind or None,
                person.tier or None,
                frozenset(person.segments),
                person.language or None,
                person.city or None,
                person.birth_month or None,
                _kept(person, day) or None,
                min(max(age, 0), MOST_DAYS) if person.enrolled else None,
            ]
        if state is None:
            return [account, *known, None, None, None]
        since = min(max(day - state.last, 0), MOST_DAYS) if state.last else None
        return [account, *known, state.purchases, state.purchases == 0, since]

    def _attributes(self, person: Person | None) -> Values:
        """What is declared of members, and what stands behind it."""
        if person is None:
            return [None] * (len(self._members) + 1)
        return [*[read(person.attributes.get(name)) for name, read in self._members], person.multiplier or ONE]


ONE: Final = 1000
"""The multiplier of whoever has no tier, in thousandths."""
_NO_PURCHASE: Final = (None,) * 9
_MEMBER_FACTS: Final = 12
_NOTHING: Final[frozenset[str]] = frozenset()
_readers: dict[int, Reader] = {}


def reader(rules: RuleSet) -> Reader:
    """The reader of a rule set, made once."""
    known = _readers.get(id(rules))
    if known is None or known.rules is not rules:
        if len(_readers) >= MOST_READERS:
            _readers.clear()
        known = _readers[id(rules)] = Reader(rules)
    return known


def of_purchase(rules: RuleSet, bought: "Bought", person: Person | None, state: State | None) -> Facts:
    """Facts of a purchase; ``state`` is the account before it."""
    return reader(rules).purchase(bought, person, state)


def of_event(rules: RuleSet, happened: Happened, person: Person | None, state: State | None) -> Facts:
    """Facts of an event; ``state`` is the account before it."""
    return reader(rules).event(happened, person, state)


def typed(kind: Type, value: object) -> object:
    """A declared value as facts hold it: a number in thousandths, a date as its ordinal; None when it has another type.

    A number with a fraction and a date come as text, "1.5" and "2026-11-11".
    """
    return _TYPED[kind](value)


def _declared(types: Mapping[str, Type]) -> list[tuple[str, Callable[[object], object]]]:
    """Names in the order of ``schema.layout``, each with what reads it."""
    return [(name, _TYPED[kind]) for name, kind in sorted(types.items())]


def _number(value: object) -> object:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value * EVENT_SCALE if -MAX_MONEY <= value <= MAX_MONEY else None
    match = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    number = int(match[2]) * EVENT_SCALE + int((match[3] or "").ljust(_PLACES, "0"))
    return -number if match[1] else number


def _text(value: object) -> object:
    return value if isinstance(value, str) else None


def _truth(value: object) -> object:
    return value if isinstance(value, bool) else None


def _date(value: object) -> object:
    if not isinstance(value, str) or len(value) != 10:
        return None
    try:
        return date.fromisoformat(value).toordinal()
    except ValueError:
        return None


def _none(value: object) -> object:
    del value
    return None


_TYPED: Final[dict[str, Callable[[object], object]]] = {
    "number": _number,
    "text": _text,
    "truth": _truth,
    "date": _date,
    "time": _none,
    "names": _none,
}


def birthday(value: object) -> tuple[int, int]:
    """(month, day) of ``MM-DD`` or ``YYYY-MM-DD``; zeros for what is no day of any year."""
    match = _BIRTHDAY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return 0, 0
    month, day = int(match[1]), int(match[2])
    return (month, day) if 1 <= month <= 12 and 1 <= day <= _LONGEST[month - 1] else (0, 0)


def in_year(month: int, day: int, year: int) -> date:
    """On which day of a year a day is kept; 29 February on the 28th where there is none."""
    if (month, day) == _LEAP and not _leap(year):
        return date(year, 2, 28)
    return date(year, month, day)


def _kept(person: Person, day: int) -> int:
    """The day of the month on which a birthday is kept in the year of a day; 0 where none is known."""
    born = person.birth_month, person.birth_day
    return in_year(*born, date.fromordinal(day).year).day if born == _LEAP else person.birth_day


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def pack(person: Person) -> dict[str, Any]:
    """Compact JSON data of a person."""
    return {
        short: list(value) if isinstance(value, tuple) else value
        for short, value in zip(_SHORT, _parts(person), strict=True)
        if value
    }


def unpack(data: Mapping[str, Any]) -> Person:
    """Inverse of ``pack``."""
    return Person(
        kind=data.get("k", ""),
        tier=data.get("t", ""),
        segments=tuple(data.get("s", ())),
        language=data.get("l", ""),
        city=data.get("c", ""),
        birth_month=data.get("m", 0),
        birth_day=data.get("d", 0),
        enrolled=data.get("e", 0),
        attributes=data.get("a", {}),
        multiplier=data.get("x", 0),
    )


_SHORT: Final = "ktslcmdeax"


def _parts(person: Person) -> tuple[Any, ...]:
    return (
        person.kind,
        person.tier,
        person.segments,
        person.language,
        person.city,
        person.birth_month,
        person.birth_day,
        person.enrolled,
        person.attributes,
        person.multiplier,
    )
