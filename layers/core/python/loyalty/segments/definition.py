"""Segments as they are written: one YAML file, read into conditions, or refused with every mistake in its place.

This is read where segments are handed in; who is in them is worked out from the trees alone.
"""

from typing import Any, Final

from msgspec import Struct

from loyalty.rules import language
from loyalty.rules.document import TYPES, Home, Written
from loyalty.rules.interpret import holds
from loyalty.rules.reading import NAME, Reader
from loyalty.rules.satisfiable import verdict
from loyalty.rules.schema import Layout, field
from loyalty.rules.tree import Type
from loyalty.rules.yaml_text import Document, Issue, Unreadable
from loyalty.rules.yaml_text import Node as Text
from loyalty.segments.facts import FACTS, layout
from loyalty.segments.segment import Segment, Segments
from loyalty.values import exponent

MAX_SEGMENTS: Final = 30
"""All that a member enters and leaves at once is one transaction."""
MAX_CATEGORIES: Final = 20
MAX_CASES: Final = 200
KEYS: Final = ("program", "currency", "timezone", "attributes", "categories", "segments", "expect")


class Case(Struct, frozen=True):
    """A member as the file describes one, and the segments that this member is expected in."""

    name: str
    line: int
    values: tuple[Any, ...]
    expected: frozenset[str]


class Result(Struct, frozen=True):
    """What came of a case."""

    case: Case
    got: frozenset[str]

    @property
    def passed(self) -> bool:
        return self.got == self.case.expected


class Checked(Struct, frozen=True):
    """What a file came to; ``segments`` None where anything is wrong."""

    segments: Segments | None
    cases: tuple[Case, ...]
    issues: tuple[Issue, ...]


def check(text: str, file: str, home: Home | None = None) -> Checked:
    """Read a file. Without ``home`` the file itself says its programme and currency."""
    try:
        document = Document(text, file)
    except Unreadable as error:
        return Checked(None, (), (error.issue,))
    reader = Reader(document)
    top = reader.fields(
        document.root, "a file of segments", KEYS, ("program", "segments", *(() if home else ("currency",)))
    )
    said = {name: reader.text(top.get(name), name) for name in ("program", "currency")}
    if home is not None:
        for name, value in said.items():
            actual = getattr(home, name)
            if value and value != actual:
                message = f"the programme's {name} is {actual}, and not {value}"
                reader.refuse(top[name], "RULE_PROGRAM_OTHER", message, actual)
    where = home or Written(said["program"], said["currency"])
    attributes = _attributes(reader, top.get("attributes"))
    named = reader.items(top.get("categories"), "categories", MAX_CATEGORIES)
    categories = tuple(sorted({reader.text(item, "a category", NAME) for item in named}))
    at, places = layout(attributes, categories), exponent(where.currency)
    found = tuple(
        segment
        for key, value in reader.named(top.get("segments"), "segments", most=MAX_SEGMENTS)
        if (segment := _segment(reader, key, value, at, places)) is not None
    )
    segments = Segments(
        where.program, where.currency, tuple(sorted(found, key=lambda one: one.id)), attributes, categories
    )
    cases = _cases(reader, top.get("expect"), segments, places)
    issues = reader.found()
    return Checked(None if issues else segments, () if issues else cases, issues)


def run(segments: Segments, cases: tuple[Case, ...]) -> list[Result]:
    """What comes of a file's own cases."""
    return [
        Result(case, frozenset(one.id for one in segments.segments if holds(one.when, list(case.values))))
        for case in cases
    ]


def _attributes(reader: Reader, node: Text | None) -> dict[str, Type]:
    fixed = {fact.name for fact in FACTS}
    found: dict[str, Type] = {}
    for key, value in reader.named(node, "attributes", NAME):
        if f"member.{key.value}" in fixed:
            reader.refuse(key, "RULE_NAME_TAKEN", f"member.{key.value} is a field of its own: choose another")
        found[key.value] = reader.choice(value, f"the type of {key.value}", TYPES, "text")
    return found


def _segment(reader: Reader, key: Text, value: Text, at: Layout, places: int) -> Segment | None:
    what = f"segment {key.value}"
    given = reader.fields(value, what, ("name", "when"), ("name", "when"))
    names = reader.names(given.get("name"), key, what)
    node = given.get("when")
    if node is None:
        return None
    if node.kind != "text":
        reader.refuse(node, "RULE_VALUE_INVALID", f"when of {what} is a condition")
        return None
    try:
        tree = language.parse(node.value, at, "order", places, None).node
    except language.Rejected as error:
        for issue in error.issues:
            reader.refuse(node, issue.code, issue.message, issue.suggestion, issue.offset)
        return None
    if verdict(tree, at, "order") == "never":
        reader.refuse(node, "RULE_NEVER_TRUE", "this can never be true: nobody would ever be in it")
    return Segment(key.value, names, tree, node.value)


def _cases(reader: Reader, node: Text | None, segments: Segments, places: int) -> tuple[Case, ...]:
    known = [one.id for one in segments.segments]
    found = []
    for item in reader.items(node, "expect", MAX_CASES):
        given = reader.fields(item, "a case", ("case", "member", "in"), ("case", "member", "in"))
        expected = reader.items(given.get("in"), "in", MAX_SEGMENTS)
        for one in expected:
            if one.value not in known:
                reader.unknown(one, "RULE_VALUE_UNKNOWN", f"there is no segment {one.value}", known)
        values = _described(reader, given.get("member"), segments.layout, places)
        name = reader.text(given.get("case"), "case")
        found.append(Case(name, item.at.line, values, frozenset(one.value for one in expected)))
    return tuple(found)


def _described(reader: Reader, node: Text | None, at: Layout, places: int) -> tuple[Any, ...]:
    """The facts of a member as a case gives them; what it does not speak of is nothing, or not known."""
    names = {name.removeprefix("member."): name for name in at.places}
    values: list[Any] = [
        None if place.fact.nullable else 0 for place in sorted(at.places.values(), key=lambda place: place.index)
    ]
    for key, value in node.entries if node is not None and node.kind == "mapping" else ():
        if key.value not in names:
            reader.unknown(key, "RULE_FIELD_UNKNOWN", f"there is no field {key.value}", names)
            continue
        place = at.places[names[key.value]]
        fact = place.fact
        if fact.type == "number":
            values[place.index] = _number(reader, value, key.value, field(place, places, 1).scale)
        elif fact.type == "truth":
            values[place.index] = reader.truth(value, key.value)
        elif fact.type == "date":
            values[place.index] = reader.day(value, key.value)
        elif fact.type == "names":
            items = reader.items(value, key.value, MAX_SEGMENTS)
            values[place.index] = frozenset(reader.text(one, key.value) for one in items)
        else:
            values[place.index] = reader.text(value, key.value)
    return tuple(values)


def _number(reader: Reader, node: Text, what: str, scale: int) -> int:
    given = reader.decimal(node, what)
    if given is None:
        return 0
    number, rest = divmod(given[0] * scale, given[1])
    if rest:
        reader.refuse(node, "RULE_VALUE_INVALID", f"{what} is finer than it is counted")
    return number
