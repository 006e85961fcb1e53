"""Whether a condition can be true at all, or false at all: a rule that never or always counts was not meant like that.

A condition is true or not by its *atoms*: comparisons of one term with constants, IS NULL, LIKE and the like. For each
term, the values it can have fall into few classes that all its atoms treat alike. All combinations of classes are
tried. Terms are taken to vary by themselves, so there may be combinations that never come: what is found true or false
in all of them is so in fact, and where that is not found, nothing is claimed. Only what a calendar says of a day is
looked at together, day by day: there is no 30th of February, and no Monday among Saturdays.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, product
from math import ceil, floor
from typing import Any, Final, Literal, NamedTuple

from loyalty.rules.interpret import COMPARED, constant, like
from loyalty.rules.ruleset import LAST_DAY, On
from loyalty.rules.schema import WEEKDAYS, Layout
from loyalty.rules.tree import (
    Aggregate,
    And,
    Arithmetic,
    Call,
    Case,
    Compare,
    Field,
    Has,
    In,
    IsNull,
    Like,
    Negative,
    Node,
    Not,
    Or,
    Truth,
    scale_of,
)

Verdict = Literal["never", "always"]
MAX_COMBINATIONS: Final = 4096
MAX_CLASSES: Final = 4096
"""Classes of values that are looked at for one term, and combinations of all terms: beyond, nothing is claimed."""
_PRESENT: Final[Mapping[On, frozenset[str]]] = {
    "order": frozenset({"channel", "source", "currency", "amount", "quantity", "lines"}),
    "line": frozenset({"channel", "source", "currency", "amount", "quantity", "lines"}),
    "event": frozenset({"event.type"}),
}
"""Nullable fields that are always there in what such a rule is asked about."""
_TURNED: Final = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

_OF_DAY: Final[Mapping[str, int]] = {"date": 0, "days": 0, "weekday": 1, "month": 2, "day": 3}
"""Fields that follow from the day, and their places in what ``_days_of`` tells of it."""
_FEW_DAYS: Final = 400
"""So many days on end are looked at one by one; of more, every date of a year is taken to fall on every weekday."""
_DAY: Final = Field("date", "order", 0, "date")
"""The term that all of them ask about, where days are looked at as wholes."""

Truth3 = bool | None
Row = tuple[Truth3, ...]
Read = Callable[[Any], Truth3]
"""An atom, of its term's value."""


class _TooMany(Exception):
    """More combinations than are tried."""


class _Gap(NamedTuple):
    """Texts that a condition does not name: above so many of those it names, in their order."""

    above: int
    named: Sequence[str]
    likes: Mapping[Node, bool]


class Days(NamedTuple):
    """On which days a rule is in force, from one ordinal to another, and those that have a name."""

    windows: Sequence[tuple[int, int]]
    named: Mapping[str, frozenset[int]]

    def called(self, day: int) -> "_Set":
        """Which of the names a day has."""
        return _Set({name: day in ordinals for name, ordinals in self.named.items()})


class _Set(NamedTuple):
    """A set of names, as far as a condition asks."""

    holds: Mapping[str, bool]


def verdict(condition: Node, layout: Layout, on: On) -> Verdict | None:
    """``never`` when the condition of a rule ``on`` these is true for nothing that can happen, ``always`` when it is
    true for everything; None when neither is so, or when that would take too long to find out.
    """
    try:
        return _verdict(condition, _Domain(layout, on))
    except _TooMany:
        return None


def never_on(condition: Node, layout: Layout, on: On, days: Days) -> bool:
    """Whether the condition of a rule that is in force on these days alone is true on none of them."""
    try:
        return _verdict(condition, _Domain(layout, on, days)) == "never"
    except _TooMany:
        return False


def of_days(node: Node) -> frozenset[str]:
    """The fields that follow from the day, of those that a condition speaks of."""
    own = {node.name} & _OF_DAY.keys() if isinstance(node, Field) else set()
    return frozenset(own.union(*(of_days(child) for child in children(node))))


def _verdict(node: Node, domain: "_Domain") -> Verdict | None:
    if isinstance(node, And | Or):
        return _connected(node, domain)
    return _tried(node, domain)


def _connected(node: And | Or, domain: "_Domain") -> Verdict | None:
    """Items that share no term are judged by themselves, which needs no combinations of all of them."""
    kind = type(node)
    decides, needs_all = _verdicts(kind)
    found: list[Verdict | None] = []
    for items in _apart(_flat(node, kind), together=domain.days is not None):
        one = items[0] if len(items) == 1 else kind(tuple(items))
        try:
            found.append(_verdict(one, domain) if len(items) == 1 else _tried(one, domain))
        except _TooMany:
            found.append(None)
    if decides in found:
        return decides
    return needs_all if all(item == needs_all for item in found) else None


def _verdicts(kind: type[And | Or]) -> tuple[Verdict, Verdict]:
    """The verdict that one item brings to the whole, and the one that all must share."""
    return ("never", "always") if kind is And else ("always", "never")


def _flat(node: Node, kind: type[And | Or]) -> Iterator[Node]:
    if isinstance(node, And | Or) and type(node) is kind:
        for item in node.items:
            yield from _flat(item, kind)
    else:
        yield node


def _apart(items: Iterable[Node], *, together: bool) -> list[list[Node]]:
    """Items in groups that share no term with each other."""
    groups: list[tuple[set[Node], list[Node]]] = []
    for item in items:
        terms, members = set(_Atoms(item, together=together).terms), [item]
        rest = []
        for group in groups:
            if group[0] & terms:
                terms |= group[0]
                members = [*group[1], *members]
            else:
                rest.append(group)
        groups = [*rest, (terms, members)]
    return [members for _, members in groups]


def _tried(node: Node, domain: "_Domain") -> Verdict | None:
    atoms = _Atoms(node, together=domain.days is not None)
    rows = [domain.rows(term, asked) for term, asked in atoms.terms.items()]
    combinations = 1
    for of_term in rows:
        combinations *= len(of_term)
        if combinations > MAX_COMBINATIONS:
            raise _TooMany
    places = [place for asked in atoms.terms.values() for place in asked]
    values: list[Truth3] = [None] * len(places)
    outcomes = set()
    for combination in product(*rows):
        for place, value in zip(places, (value for row in combination for value in row), strict=True):
            values[place] = value
        outcomes.add(atoms.value(node, values) is True)
    if len(outcomes) != 1:
        return None
    return "always" if outcomes == {True} else "never"


class _Atoms:
    """The atoms of a condition: which terms they ask about, and how the condition follows from them."""

    def __init__(self, node: Node, *, together: bool) -> None:
        self.together = together
        self.places: dict[Node, int] = {}
        """Each atom's place among all."""
        self.found: dict[int, int] = {}
        """The same by the identity of each node that is one: nodes are slow to look up by what they are."""
        self.terms: dict[Node, dict[int, Node]] = {}
        """Each term's atoms, by their place."""
        self.collect(node)

    def collect(self, node: Node) -> None:
        inner = _conditions_in(node)
        if inner is None:
            self.atom(node)
        for item in inner or ():
            self.collect(item)

    def atom(self, node: Node) -> None:
        if _is_constant(node):
            return
        place = self.places.setdefault(node, len(self.places))
        self.found[id(node)] = place
        term = _term(node)
        if self.together and isinstance(term, Field) and term.name in _OF_DAY:
            term = _DAY
        self.terms.setdefault(term, {})[place] = node

    def value(self, node: Node, values: Sequence[Truth3]) -> Truth3:
        """The condition, when its atoms have these values."""
        place = self.found.get(id(node))
        if place is not None:
            return values[place]
        inner = _conditions_in(node)
        if inner is None:
            known: Truth3 = constant(node)
            return known
        found = [self.value(item, values) for item in inner]
        return _together(node, found)


def _conditions_in(node: Node) -> Sequence[Node] | None:
    """The conditions that a condition is made of; None for an atom."""
    match node:
        case And(items=items) | Or(items=items):
            return items
        case Not(item=item):
            return (item,)
        case IsNull(item=item) if _conditions_in(item) is not None or _is_atom(item):
            return (item,)
        case Case(whens=whens, otherwise=otherwise) if _is_condition(node):
            return (*(part for when in whens for part in when), otherwise)
        case _:
            return None


def _together(node: Node, found: Sequence[Truth3]) -> Truth3:
    match node:
        case And():
            return False if False in found else None if None in found else True
        case Or():
            return True if True in found else None if None in found else False
        case Not():
            return None if found[0] is None else not found[0]
        case IsNull():
            return found[0] is None
        case _:
            chosen = (found[place + 1] for place in range(0, len(found) - 1, 2) if found[place] is True)
            return next(chosen, found[-1])


def _is_condition(node: Node) -> bool:
    """Whether a CASE chooses between conditions."""
    if isinstance(node, Case):
        return any(_is_condition(value) or _is_atom(value) for _, value in node.whens)
    return isinstance(node, And | Or | Not | IsNull | Truth)


def _is_atom(node: Node) -> bool:
    return isinstance(node, Compare | In | Like | Has) or (isinstance(node, Field) and node.type == "truth")


def _is_constant(node: Node) -> bool:
    if isinstance(node, Field | Aggregate):
        return False
    return all(_is_constant(item) for item in children(node))


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below a node, but for the literals of an IN list."""
    match node:
        case Arithmetic(left=left, right=right) | Compare(left=left, right=right):
            return left, right
        case (
            Negative(item=item) | Not(item=item) | IsNull(item=item) | In(item=item) | Like(item=item) | Has(item=item)
        ):
            return (item,)
        case And(items=items) | Or(items=items) | Call(args=items):
            return items
        case Case(whens=whens, otherwise=otherwise):
            return (*(part for when in whens for part in when), otherwise)
        case Aggregate(value=value, where=where):
            return tuple(item for item in (value, where) if item is not None)
        case _:
            return ()


def _term(atom: Node) -> Node:
    """What an atom asks about; the atom itself when it compares two things that both vary."""
    match atom:
        case Compare(left=left, right=right):
            return left if _is_constant(right) else right if _is_constant(left) else atom
        case In(item=item) | Like(item=item) | Has(item=item) | IsNull(item=item):
            return item
        case _:
            return atom


# The values of a term -------------------------------------------------------------------------------------------------


class _Domain:
    """What terms can be, in rules on one kind of thing."""

    def __init__(self, layout: Layout, on: On, days: Days | None = None) -> None:
        self.layout = layout
        self.on = on
        self.days = days

    def rows(self, term: Node, asked: Mapping[int, Node]) -> list[Row]:
        """What all atoms of a term can be at once."""
        atoms = list(asked.values())
        listed = {id(atom): _values(atom) for atom in atoms if isinstance(atom, In)}
        found: dict[Row, None] = {}
        if term is _DAY and self.days is not None:
            return self.by_day(self.days, atoms, listed)
        for value in self.values(term, atoms):
            found[tuple(_read(atom, term, value, listed) for atom in atoms)] = None
        if self.nullable(term):
            found[tuple(isinstance(atom, IsNull) or None for atom in atoms)] = None
        return list(found)

    def by_day(self, days: Days, atoms: Sequence[Node], listed: Mapping[int, frozenset[Any]]) -> list[Row]:
        """What atoms that ask about days can be at once, on the days that there are."""
        asked = [(atom, term, _OF_DAY[term.name]) for atom in atoms if isinstance(term := _term(atom), Field)]
        known: list[dict[Any, Truth3]] = [{} for _ in asked]
        found: dict[Row, None] = {}
        for day in _days_of(days, atoms):
            row = []
            for (atom, term, place), of_atom in zip(asked, known, strict=True):
                value = day[place]
                if value not in of_atom:
                    of_atom[value] = _read(atom, term, days.called(day[0]) if term.type == "names" else value, listed)
                row.append(of_atom[value])
            found[tuple(row)] = None
        return list(found)

    def values(self, term: Node, atoms: Sequence[Node]) -> Iterable[Any]:
        """One value of each class, NULL aside."""
        if term in atoms:  # a truth, or a comparison of two things that both vary
            if isinstance(term, Compare) and term.left == term.right:
                return (COMPARED[term.op](0),)
            return (True, False)
        constants = list(_constants(atoms, term))
        if isinstance(term, Field) and term.type == "names":
            return _sets(sorted({atom.name for atom in atoms if isinstance(atom, Has)}))
        if any(isinstance(value, str) for value in constants) or any(isinstance(atom, Like) for atom in atoms):
            return self.texts(term, atoms, sorted({value for value in constants if isinstance(value, str)}))
        numbers = sorted({_fraction(value) for value in constants})
        return _numbers(numbers, *self.bounds(term)) if numbers else (True,)

    def texts(self, term: Node, atoms: Sequence[Node], named: Sequence[str]) -> Iterable[Any]:
        known = self.layout.places[term.name].fact.values if isinstance(term, Field) else ()
        if known:
            return known
        patterns = [atom for atom in atoms if isinstance(atom, Like)]
        if (len(named) + 1) << len(patterns) > MAX_CLASSES:
            raise _TooMany
        gaps = [
            _Gap(above, named, dict(zip(patterns, likes, strict=True)))
            for above in range(len(named) + 1)
            for likes in product((True, False), repeat=len(patterns))
        ]
        return [*named, *gaps]

    def bounds(self, term: Node) -> tuple[Fraction | None, Fraction | None, int]:
        """(lowest, highest, scale) of a number, a date or a time; None is no bound, scale 0 is any fraction."""
        if isinstance(term, Field):
            fact = self.layout.places[term.name].fact
            if term.type == "time":
                return Fraction(0), Fraction(24 * 3600 - 1), 1
            if term.type == "date":
                return Fraction(1), Fraction(LAST_DAY), 1
            low, high = (None if bound is None else Fraction(bound) for bound in (fact.low, fact.high))
            return low, high, term.scale
        if isinstance(term, Aggregate) and term.name == "count":
            every = term.where is None and term.value is None  # a purchase has a line
            return Fraction(int(every)), None, 1
        if isinstance(term, Call) and term.name in ("abs", "length"):
            return Fraction(0), None, scale_of(term)
        return None, None, scale_of(term)

    def nullable(self, term: Node) -> bool:
        """Whether a term can be NULL; when in doubt it can."""
        match term:
            case Field(name=name):
                return self.layout.places[name].fact.nullable and name not in _PRESENT[self.on]
            case Aggregate(name=name):
                return name != "count"
            case Call(name="coalesce", args=args):
                return all(self.nullable(item) for item in args)
            case Call(name="nullif"):
                return True
            case Case(whens=whens, otherwise=otherwise):
                return any(self.nullable(item) for item in (*(then for _, then in whens), otherwise))
            case _ if _is_constant(term):
                return constant(term) is None
            case _:
                return any(self.nullable(item) for item in children(term))


def _days_of(days: Days, atoms: Sequence[Node]) -> Iterator[tuple[int, str, int, int]]:
    """(ordinal, weekday, month, day) of every day that atoms can tell from the others; the ordinal stands for others
    after it that no date or name tells apart.
    """
    dated = [atom for atom in atoms if isinstance(term := _term(atom), Field) and term.name == "date"]
    ordinals = {int(_fraction(value)) for value in _constants(dated, _term(dated[0]))} if dated else set()
    ordinals.update(*(days.named.get(atom.name, ()) for atom in atoms if isinstance(atom, Has)))
    cuts = sorted({*ordinals, *(one + 1 for one in ordinals)})
    asked = {term.name for atom in atoms if isinstance(term := _term(atom), Field)}
    for first, last in days.windows:
        inner = cuts[bisect_left(cuts, first + 1) : bisect_left(cuts, last + 1)]
        for begin, after in pairwise((first, *inner, last + 1)):
            for there in _dates(begin, after, asked):
                yield begin, *there


def _dates(begin: int, after: int, asked: AbstractSet[str]) -> Iterator[tuple[str, int, int]]:
    """(weekday, month, day) of days that no date or name tells apart."""
    if after - begin <= _FEW_DAYS:
        for ordinal in range(begin, after):
            yield _date(ordinal)
        return
    weekdays = WEEKDAYS if "weekday" in asked else WEEKDAYS[:1]
    leap = date(2024, 1, 1).toordinal()
    dates = (date.fromordinal(leap + number) for number in range(366 if asked & {"month", "day"} else 1))
    for there, weekday in product(dates, weekdays):
        yield weekday, there.month, there.day


@lru_cache(maxsize=4096)
def _date(ordinal: int) -> tuple[str, int, int]:
    there = date.fromordinal(ordinal)
    return WEEKDAYS[there.weekday()], there.month, there.day


def _constants(atoms: Sequence[Node], term: Node) -> Iterator[Any]:
    for atom in atoms:
        if isinstance(atom, Compare):
            other = constant(atom.right if atom.left == term else atom.left)
            if other is not None:
                yield other
        elif isinstance(atom, In):
            yield from (constant(value) for value in atom.values)


def _fraction(value: Any) -> Fraction:
    return Fraction(*value) if isinstance(value, tuple) else Fraction(value)


def _sets(names: Sequence[str]) -> list[_Set]:
    if 1 << len(names) > MAX_CLASSES:
        raise _TooMany
    return [_Set(dict(zip(names, held, strict=True))) for held in product((True, False), repeat=len(names))]


def _numbers(named: Sequence[Fraction], low: Fraction | None, high: Fraction | None, scale: int) -> Iterator[Fraction]:
    """The named numbers, and one between each two, as far as there are such between low and high in 1/scale."""

    def there(value: Fraction) -> bool:
        return (low is None or value >= low) and (high is None or value <= high)

    for value in named:
        if there(value) and (scale == 0 or (value * scale).denominator == 1):
            yield value
    # Two away, so that there is a whole number on either side however far numbers go.
    before = (named[0] if high is None else min(high, named[0])) - 2 if low is None else min(low, named[0]) - 1
    after = (named[-1] if low is None else max(low, named[-1])) + 2 if high is None else max(high, named[-1]) + 1
    for below, above in pairwise((before, *named, after)):
        between = _between(below, above, low, high, scale)
        if between is not None:
            yield between


def _between(
    below: Fraction, above: Fraction, low: Fraction | None, high: Fraction | None, scale: int
) -> Fraction | None:
    """A number above ``below`` and below ``above``, within low and high; the lowest one where there is a scale."""
    if low is not None and below < low:
        value = low if scale == 0 else Fraction(ceil(low * scale), scale)
    elif scale:
        value = Fraction(floor(below * scale) + 1, scale)
    elif high is not None and above > high:
        value = high
    else:
        value = (below + above) / 2
    fits = below < value < above and (high is None or value <= high)
    return value if fits else None


def _read(atom: Node, term: Node, value: Any, listed: Mapping[int, frozenset[Any]]) -> Truth3:
    """An atom, when its term has this value, which is not NULL; ``listed`` are the values of each IN, by identity."""
    if atom == term:
        return bool(value)
    match atom:
        case IsNull():
            return False
        case Has(name=name):
            return bool(value.holds[name])
        case Like(parts=parts):
            return value.likes[atom] if isinstance(value, _Gap) else like(value, parts)
        case In():
            return not isinstance(value, _Gap) and value in listed[id(atom)]
        case Compare(op=op, left=left, right=right):
            other = constant(left if left != term else right)
            return None if other is None else COMPARED[_TURNED[op] if left != term else op](_order(value, other))
        case _:
            raise TypeError(atom)


def _values(atom: In) -> frozenset[Any]:
    """What an IN names, texts or numbers as fractions, to be looked up: it may name hundreds."""
    found = [constant(one) for one in atom.values]
    return frozenset(one if isinstance(one, str) else _fraction(one) for one in found)


def _order(value: Any, other: Any) -> int:
    """Below, at or above zero, as a term's value is below, at or above a constant."""
    if isinstance(value, _Gap):
        return 1 if bisect_left(value.named, other) < value.above else -1
    if isinstance(value, str):
        return int(value > other) - int(value < other)
    difference = Fraction(value) - _fraction(other)
    return int(difference > 0) - int(difference < 0)
