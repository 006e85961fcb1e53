"""A rule set as it was checked: everything the engine needs, and nothing of how it was written. Plain data, kept as
JSON; the YAML it came from is kept beside it.

Days are proleptic ordinals in the zone of the store (of the programme where there is none), points are whole points
unless a docstring says exact, money is in minor units of the programme's currency.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, cast, overload

import msgspec
from msgspec import Struct

from loyalty.errors import Corrupt
from loyalty.rules.tree import Node, Type

FORMAT = 1
LAST_DAY = 3_652_059
"""Ordinal of 9999-12-31: a window that does not end."""
BASE_RULE = "base"
EVENT_SCALE = 1000
"""Scale of every number that a rule set declares: three decimal places."""

On = Literal["order", "line", "event"]
Rounding = Literal["carry", "down", "up", "nearest"]
"""``carry``: down, and what is left over is carried to the member's next award of the rule."""
Period = Literal["day", "week", "month", "quarter", "year", "total"]


class Names(Struct, frozen=True):
    """What members and marketers read."""

    en: str
    zh: str


class Cap(Struct, frozen=True):
    """At most so many ``points``, and so many ``times``, per member and period; 0 is no bound."""

    period: Period
    points: int = 0
    times: int = 0


class Pending(Struct, frozen=True):
    """``immediate``; ``delay``: spendable from the start of the day so many ``days`` later; ``on_event``: once an event
    that activates it says so.
    """

    kind: Literal["immediate", "delay", "on_event"]
    days: int = 0


class Rule(Struct, frozen=True):
    """One rule. ``earn`` of a rule that speaks of ``base`` is what is earned in all under it: its award is what lies
    above the base. Any other earns beside the base. ``on`` line: condition and earning are worked out for each line.
    """

    id: str
    names: Names
    on: On
    earn: Node
    when: Node | None = None
    over_base: bool = False
    """``earn`` speaks of ``base``, so base is taken off."""
    scale: int = 1
    """Scale of ``earn`` (of what lies above the base where ``over_base``); 0 when it is a ratio."""
    windows: tuple[tuple[int, int], ...] = ((1, LAST_DAY),)
    """(first day, last day), apart from each other, in order."""
    group: str = ""
    """Stacking group; "" is the outermost."""
    priority: int = 0
    """Higher comes first; ties by id."""
    order_cap: int = 0
    """Points from one order or event at most; 0 is no bound."""
    caps: tuple[Cap, ...] = ()
    campaign: str = ""
    """Whose budget pays; "" is none."""
    pending: Pending | None = None
    """None: as the programme's policy says."""
    expiry: Mapping[str, object] | None = None
    """An expiry of the policy's form; None: as the programme's policy says."""
    rounding: Rounding = "carry"
    on_return: Literal["share", "whole"] = "share"
    """``whole``: the first return of anything it was earned by takes all of it back."""
    when_text: str = ""
    earn_text: str = ""
    """As written, for explanations."""


class Group(Struct, frozen=True):
    """How the rules and groups within it stack: all of them (``sum``), the one that gives most (``best``), the first by
    priority that gives anything (``first``); ``exclusive``: all of them, and where they give anything, whatever stands
    beside this group with a lower priority gives nothing. ``within`` "" is the outermost group, a ``sum``.
    """

    id: str
    stacking: Literal["sum", "best", "first", "exclusive"]
    within: str = ""
    priority: int = 0


class Campaign(Struct, frozen=True):
    """A budget in points; ``money`` says what it was written as, in minor units, where it was written as money."""

    id: str
    points: int
    money: int = 0


class Day(Struct, frozen=True):
    """A named day of the calendar: the days it falls on, in order."""

    id: str
    names: Names
    days: tuple[int, ...]


class Store(Struct, frozen=True):
    """What a store's number stands for."""

    id: str
    region: str = ""
    zone: str = ""
    """IANA name; "" is the programme's."""


class Event(Struct, frozen=True):
    """Something members do. ``fields`` have the type of their declaration; ``once`` names the fields that make it one
    and the same event, so that it counts once for a member; ``activates`` and ``cancels`` name the type of event whose
    pending points it decides on.
    """

    type: str
    fields: Mapping[str, Type] = {}
    once: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    streak: bool = False
    """Days in a row are counted."""
    activates: str = ""
    cancels: str = ""


class RuleSet(Struct, frozen=True):
    """All of it. ``rules`` are in the order of their ids; ``rules[base]`` is the base rule, on each line."""

    program: str
    name: str
    currency: str
    timezone: str
    rules: tuple[Rule, ...]
    base: int
    groups: tuple[Group, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    calendar: tuple[Day, ...] = ()
    stores: tuple[Store, ...] = ()
    events: tuple[Event, ...] = ()
    member_attributes: Mapping[str, Type] = {}
    line_attributes: Mapping[str, Type] = {}
    point_cost: tuple[int, int] = (0, 1)
    """What one point costs, in minor units, as an exact fraction."""
    guard_percent: int = 0
    """A publish is refused when its backtest changes the points given by more than this; 0 is no guard."""
    format: int = FORMAT

    @property
    def event_fields(self) -> dict[str, Type]:
        """The fields of all types of event together."""
        return {name: kind for event in self.events for name, kind in event.fields.items()}

    @property
    def spoken_of_member(self) -> frozenset[str]:
        """The facts of the member's document that anything in it speaks of, by name."""
        rules: object = self.rules
        return frozenset(rules.spoken if isinstance(rules, Kept) else _mentions(self, "member.") - _FROM_ACCOUNT)

    @property
    def speaks_of_member(self) -> bool:
        """Whether anything in it needs the member's document, and not just the account."""
        return bool(self.spoken_of_member)


_FROM_ACCOUNT = {"member.id", "member.purchases", "member.first_purchase", "member.days_since_purchase"}


def _mentions(rules: RuleSet, prefix: str) -> set[str]:
    """Names of the fields that conditions and earnings speak of. They are found in the encoded form, where quotes
    inside a text are escaped: walking thousands of trees would take longer than loading them.
    """
    encoded = msgspec.json.encode([(rule.when, rule.earn) for rule in rules.rules]).decode()
    return {name for name in _FIELD.findall(encoded) if name.startswith(prefix)}


_FIELD = re.compile(r'"n":"field","name":"([^"\\]+)"')


def encode(rules: RuleSet) -> bytes:
    """Canonical JSON: equal rule sets give equal bytes."""
    return msgspec.json.encode(rules, order="sorted", enc_hook=_plain)


def _plain(rules: object) -> tuple[Rule, ...]:
    if isinstance(rules, Kept):
        return tuple(rules)
    raise TypeError(f"{type(rules).__name__} is no part of a rule set")


def decode(data: bytes) -> RuleSet:
    """Inverse of ``encode``; Corrupt for anything else."""
    try:
        rules = msgspec.json.decode(data, type=RuleSet)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise Corrupt("the stored rule set cannot be read") from error
    if rules.format != FORMAT:
        raise Corrupt(f"rule set of format {rules.format}")
    return rules


# ---- read as far as it is asked for


class Outline(NamedTuple):
    """What there is to know of an encoded rule set before its rules are read."""

    start: int
    """Where the first rule begins."""
    ends: tuple[int, ...]
    """Where each rule ends; a comma parts it from the next."""
    spoken: tuple[str, ...]
    """``spoken_of_member``, in order."""


def outline(rules: RuleSet) -> Outline:
    """Of ``encode(rules)``."""
    at = start = encode(msgspec.structs.replace(rules, rules=())).index(_RULES) + len(_RULES)
    ends = []
    for rule in rules.rules:
        ends.append(at + len(msgspec.json.encode(rule, order="sorted")))
        at = ends[-1] + 1
    return Outline(start, tuple(ends), tuple(sorted(rules.spoken_of_member)))


_RULES = b'"rules":['
"""Unlike in a text, where quotes are escaped, or among the names of fields, which have no lists."""


def keep(tree: bytes, known: Outline) -> RuleSet:
    """``decode``, but each rule is read when it is asked for: of thousands a purchase asks for those that it met.
    Corrupt for anything but an encoded rule set and its outline, though of a rule only once that is read.
    """
    around = decode(tree[: known.start] + tree[known.ends[-1] if known.ends else known.start :])
    return msgspec.structs.replace(around, rules=cast("tuple[Rule, ...]", Kept(tree, known)))


class Kept(Sequence[Rule]):
    """The rules of a rule set, each read when it is first asked for; equal to the tuple of them."""

    def __init__(self, tree: bytes, known: Outline) -> None:
        self.spoken = known.spoken
        self._tree = tree
        self._starts = (known.start, *(end + 1 for end in known.ends))
        self._ends = known.ends
        self._read: dict[int, Rule] = {}

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, place: int) -> Rule: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Rule, ...]: ...
    def __getitem__(self, place: int | slice) -> Rule | tuple[Rule, ...]:
        if isinstance(place, slice):
            return tuple(self[one] for one in range(len(self))[place])
        place = range(len(self))[place]
        rule = self._read.get(place)
        if rule is None:
            try:
                rule = _RULE.decode(self._tree[self._starts[place] : self._ends[place]])
            except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
                raise Corrupt("a stored rule cannot be read") from error
            self._read[place] = rule
        return rule

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


_RULE = msgspec.json.Decoder(Rule)
