"""The language that rules are written in: one SQL expression, checked into a tree. Used when a rule is written only.

sqlglot reads the expression; what it read is walked here, and only the closed set of ``tree`` comes out, with every
field found, every type agreed, every scale known, no division by zero and no number too large. Whatever else was
written is refused, in words for the person who wrote it and with its place.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from fractions import Fraction
from math import ceil, floor, lcm
from typing import Final, Literal, NamedTuple, NoReturn, cast

from msgspec import Struct
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.parser import Parser

from loyalty.rules import schema
from loyalty.rules.ruleset import On
from loyalty.rules.schema import MAX_MONEY, Fact, Layout, Place
from loyalty.rules.tree import (
    LIMIT,
    MAX_SCALE,
    Aggregate,
    And,
    Arithmetic,
    Call,
    Case,
    Compare,
    Date,
    Field,
    Has,
    In,
    IsNull,
    Like,
    Negative,
    Node,
    Not,
    Null,
    Number,
    Or,
    Text,
    Time,
    Truth,
    Type,
    scale_of,
)
from loyalty.rules.words import MAX_TEXT, Mistake, Rejected, Word, mistake, nearest, tokens, words
from loyalty.values import MAX_AMOUNT

__all__ = ["MAX_TEXT", "Expression", "Mistake", "Rejected", "parse"]

MAX_DEPTH: Final = 32
MAX_NODES: Final = 200
MAX_LIST: Final = 500
MAX_PATTERN: Final = 100
MAX_BASE: Final = 10**13
"""Points that a base rule is taken to give at most, where nothing better is known."""
MAX_LINES: Final = 500

FUNCTIONS: Final = (
    "abs",
    "ceil",
    "coalesce",
    "count",
    "floor",
    "greatest",
    "least",
    "length",
    "lower",
    "max",
    "min",
    "nullif",
    "on_day",
    "round",
    "sum",
    "upper",
)
AGGREGATES: Final = ("count", "max", "min", "sum")
_OF_TIME: Final = ("date", "local_time", "weekday", "month", "day", "days")
_BASES: Final = ("base", "line.base")

_KINDS: Final[Mapping[str, str]] = {
    "number": "a number",
    "text": "a text",
    "truth": "true or false",
    "date": "a date",
    "time": "a time of day",
    "names": "a set of names",
    "null": "NULL",
}
_LIKE_WHAT: Final[Mapping[str, str]] = {
    "number": "a number like 10",
    "text": "a text like 'abc'",
    "truth": "TRUE or FALSE",
    "date": "a date like '2026-11-11'",
    "time": "a time like '11:00'",
}
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?", re.ASCII)
_WHOLE_DIGITS: Final = 12
_PLACES: Final = 6

CompareOp = Literal["=", "<>", "<", "<=", ">", ">="]
ArithmeticOp = Literal["+", "-", "*", "/"]
CallName = Literal[
    "abs", "floor", "ceil", "round", "least", "greatest", "coalesce", "nullif", "length", "lower", "upper"
]
AggregateName = Literal["count", "sum", "min", "max"]
_COMPARED: Final[Mapping[type[exp.Expr], CompareOp]] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_COUNTED: Final[Mapping[type[exp.Expr], ArithmeticOp]] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
_CONDITIONS: Final = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between, exp.Like, exp.Is)


class Expression(Struct, frozen=True):
    """A checked expression. Of a number, ``scale`` is that of what the rule awards: of the number itself, and of what
    lies above the base where ``over_base``; ``low`` and ``high`` are whole numbers it is known to lie between. Of a
    condition they say nothing.
    """

    node: Node
    scale: int = 1
    over_base: bool = False
    low: int = 0
    high: int = 0


def parse(
    text: str,
    layout: Layout,
    on: On,
    exponent: int,
    base_scale: int | None,
    *,
    want: Literal["condition", "earning"] = "condition",
    days: Collection[str] = (),
    values: Mapping[str, Collection[str]] | None = None,
    usual: Mapping[str, Collection[str]] | None = None,
    base_high: int = MAX_BASE,
) -> Expression:
    """Check one expression of a rule ``on`` lines, orders or events.

    ``exponent``: decimal places of the programme's currency. ``base_scale``: scale of what the base rule earns; None
    for the base rule itself, which cannot speak of base. ``days``: names of the calendar. ``values``: all that a text
    field can be, by its name, where the rule set knows (types of event, numbers of stores). ``usual``: what a text
    field mostly is that holds names (1 to 32 of a-z, 0-9 and _, beginning with a letter). ``base_high``: points the
    base gives at most.

    Raises Rejected with everything that was found wrong.
    """
    checker = _Checker(text, layout, on, exponent, base_scale, days, values or {}, usual or {}, base_high)
    return checker.earning() if want == "earning" else checker.condition()


class _Part(NamedTuple):
    """A checked part of the expression, and which words it stands in. ``low`` and ``high`` bound a number."""

    node: Node
    type: Type | Literal["null"]
    first: int
    last: int
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)
    size: int = 1
    depth: int = 1


class _Wrong(Exception):
    """Something wrong; it has been written down."""


class _Checker:
    def __init__(
        self,
        text: str,
        layout: Layout,
        on: On,
        exponent: int,
        base_scale: int | None,
        days: Collection[str],
        values: Mapping[str, Collection[str]],
        usual: Mapping[str, Collection[str]],
        base_high: int,
    ) -> None:
        self.text = text
        self.layout = layout
        self.on = on
        self.exponent = exponent
        self.base_scale = base_scale
        self.days = days
        self.values = values
        self.usual = usual
        self.base_high = base_high
        self.issues: list[Mistake] = []
        self.cut: list[Word] = words(text)
        self.aggregate = ""
        """The aggregate that is being read, in whose brackets lines may be spoken of."""
        self.speaks_of_base = False
        self.last_leaf = 0
        self.closing = _closing(self.cut)
        self.read: Mapping[type[exp.Expr], Callable[[exp.Expr], _Part]] = {
            exp.Paren: self.bracketed,
            exp.Column: self.name,
            exp.Literal: self.literal,
            exp.Neg: self.negative,
            exp.Not: self.negation,
            exp.And: self.connected,
            exp.Or: self.connected,
            exp.In: self.listed,
            exp.Between: self.between,
            exp.Like: self.like,
            exp.Is: self.is_null,
            exp.Case: self.case,
            exp.Anonymous: self.function,
            exp.Filter: self.function,
            **dict.fromkeys(_COMPARED, self.compared),
            **dict.fromkeys(_COUNTED, self.counted),
        }

    # What is wanted of the whole

    def condition(self) -> Expression:
        part = self.whole()
        if part.type != "truth":
            kind, shown = _KINDS[part.type], self.shown(part)
            self.finish(
                part, "RULE_TYPE", f"A condition is true or false; {shown} is {kind}: compare it with something"
            )
        return Expression(part.node)

    def earning(self) -> Expression:
        part = self.whole()
        if part.type != "number":
            kind, shown = _KINDS[part.type], self.shown(part)
            hint = ": write CASE WHEN … THEN … END, or put it into `when`" if part.type == "truth" else ""
            self.finish(part, "RULE_TYPE", f"What is earned is a number of points; {shown} is {kind}{hint}")
        scale = scale_of(part.node)
        if scale == 0:
            message = "What is earned here divides by something that varies; say how it is rounded"
            self.finish(part, "RULE_DIVISION", message, f"ROUND({self.text.strip()})")
        if part.high <= 0:
            self.finish(part, "RULE_NEVER_EARNS", "This never gives any points: it is never above 0")
        if self.speaks_of_base and _never_above_base(part.node):
            message = "This gives what the base rule gives anyway, or less, so it never adds any points"
            self.finish(part, "RULE_NEVER_EARNS", message)
        if self.speaks_of_base:
            scale = lcm(scale, self.base_scale or 1)
            if scale > MAX_SCALE:
                self.finish(part, "RULE_OVERFLOW", "This counts in fractions of a point that are too fine")
        return Expression(part.node, scale, self.speaks_of_base, floor(part.low), ceil(part.high))

    def whole(self) -> _Part:
        try:
            return self.checked(self.parsed())
        except RecursionError:
            raise Rejected(
                [mistake(self.text, "RULE_TOO_LARGE", 0, len(self.text), "Nested too deeply to be read")]
            ) from None

    def checked(self, tree: exp.Expr) -> _Part:
        try:
            part = self.part(tree)
        except _Wrong:
            raise Rejected(self.issues) from None
        if self.issues:
            raise Rejected(self.issues)
        return part

    def finish(self, part: _Part, code: str, message: str, suggestion: str = "") -> NoReturn:
        self.note(part.first, part.last, code, message, suggestion)
        raise Rejected(self.issues)

    def parsed(self) -> exp.Expr:
        try:
            (tree,) = Parser().parse_into(exp.Condition, tokens(self.cut), self.text)
        except (SqlglotError, ValueError, AttributeError, TypeError, IndexError, KeyError) as error:
            place = _place_of(error, self.cut)
            self.note(place, place, "RULE_SYNTAX", f"This cannot be read here: {self.cut[place].value[:40]}")
            raise Rejected(self.issues) from None
        if tree is None:
            self.note(0, len(self.cut) - 1, "RULE_SYNTAX", "This cannot be read")
            raise Rejected(self.issues)
        return tree

    # Notes of what is wrong

    def note(self, first: int, last: int, code: str, message: str, suggestion: str = "") -> None:
        start, end = self.cut[first].start, self.cut[last].end
        self.issues.append(mistake(self.text, code, start, end, message, suggestion))

    def wrong(self, first: int, last: int, code: str, message: str, suggestion: str = "") -> _Wrong:
        self.note(first, last, code, message, suggestion)
        return _Wrong()

    def shown(self, part: _Part) -> str:
        written = " ".join(self.text[self.cut[part.first].start : self.cut[part.last].end].split())
        return written if len(written) <= 60 else written[:59] + "…"

    # Any part

    def part(self, item: object) -> _Part:
        read = self.read.get(type(item)) if isinstance(item, exp.Expr) else None
        if read is None:
            place = self.last_leaf
            raise self.wrong(place, place, "RULE_SYNTAX", "The language has nothing like this")
        return read(cast("exp.Expr", item))

    def bracketed(self, item: exp.Expr) -> _Part:
        part = self.part(item.this)
        return part._replace(first=part.first - 1, last=part.last + 1)

    def parts(self, items: Sequence[object]) -> list[_Part]:
        """All of them, or none: whatever is wrong with any is noted."""
        found = []
        for item in items:
            try:
                found.append(self.part(item))
            except _Wrong:
                continue
        if len(found) < len(items):
            raise _Wrong
        return found

    def number_part(self, item: object, what: str) -> _Part:
        part = self.part(item)
        if part.type == "null":
            return part._replace(node=Null("number"), type="number")
        if part.type != "number":
            raise self.wrong(
                part.first, part.last, "RULE_TYPE", f"{what} a number; {self.shown(part)} is {_KINDS[part.type]}"
            )
        return part

    def condition_part(self, item: object) -> _Part:
        part = self.part(item)
        if part.type == "null":
            return part._replace(node=Null("truth"), type="truth")
        if part.type != "truth":
            hint = f"compare it with {_LIKE_WHAT[part.type]}" if part.type in _LIKE_WHAT else "write 'name' IN it"
            message = f"A condition is expected here; {self.shown(part)} is {_KINDS[part.type]}: {hint}"
            raise self.wrong(part.first, part.last, "RULE_TYPE", message)
        return part

    def made(
        self,
        node: Node,
        type_: Type,
        of: Sequence[_Part],
        bounds: tuple[Fraction, Fraction] = (Fraction(0), Fraction(0)),
        first: int | None = None,
        last: int | None = None,
    ) -> _Part:
        """A part made of others, within all limits."""
        start = min((part.first for part in of), default=0) if first is None else first
        end = max((part.last for part in of), default=start) if last is None else last
        part = _Part(
            node,
            type_,
            start,
            end,
            *bounds,
            1 + sum(part.size for part in of),
            1 + max((part.depth for part in of), default=0),
        )
        if part.size > MAX_NODES or part.depth > MAX_DEPTH:
            message = f"Too much for one expression: at most {MAX_NODES} parts, {MAX_DEPTH} within each other"
            raise self.wrong(start, end, "RULE_TOO_LARGE", message)
        if type_ == "number":
            self.bounded(part)
        return part

    def bounded(self, part: _Part) -> None:
        if scale_of(part.node) > MAX_SCALE:
            message = f"{self.shown(part)} has more decimal places or a larger divisor than can be kept exact"
            raise self.wrong(part.first, part.last, "RULE_OVERFLOW", message)
        if part.low < -LIMIT or part.high > LIMIT:
            message = f"{self.shown(part)} could come to more than {LIMIT:,}"
            raise self.wrong(part.first, part.last, "RULE_OVERFLOW", message)

    # Leaves

    def name(self, item: exp.Expr) -> _Part:
        place = _placeholder(item.this.this)
        self.last_leaf = place
        word = self.cut[place]
        if word.kind in ("TRUE", "FALSE"):
            return _Part(Truth(word.kind == "TRUE"), "truth", place, place)
        if word.kind == "NULL":
            return _Part(Null("text"), "null", place, place)
        found = self.layout.places.get(word.value)
        if found is None:
            raise self.unknown_field(place)
        self.may_speak_of(found, place)
        return self.field(found, place)

    def field(self, found: Place, place: int) -> _Part:
        fact = found.fact
        if fact.name == "base" or (fact.name == "line.base" and self.on == "line"):
            self.speaks_of_base = True
        node = schema.field(found, self.exponent, self.base_scale or 1)
        return _Part(node, fact.type, place, place, *self.bounds(fact))

    def bounds(self, fact: Fact) -> tuple[Fraction, Fraction]:
        if fact.type != "number":
            return Fraction(0), Fraction(0)
        low = Fraction(-MAX_MONEY if fact.low is None else fact.low)
        high = Fraction(MAX_MONEY if fact.high is None else fact.high)
        if fact.name in _BASES:
            high = Fraction(self.base_high)
        elif fact.name == "line.amount":
            high = min(high, Fraction(MAX_AMOUNT, 10**self.exponent))
        return low, high

    def usable(self) -> list[str]:
        """The fields that a rule like this may speak of, as they stand in the reference."""
        return [name for name, place in self.layout.places.items() if not self.out_of_place(place.fact)]

    def unknown_field(self, place: int) -> _Wrong:
        word = self.cut[place]
        if word.value.lower() in FUNCTIONS:
            message = f"{word.value} is a function: its brackets are missing"
            return self.wrong(place, place, "RULE_FIELD_UNKNOWN", message)
        meant = nearest(word.value, self.usable())
        return self.wrong(place, place, "RULE_FIELD_UNKNOWN", f"There is no field {word.value[:60]}", meant)

    def out_of_place(self, fact: Fact) -> tuple[str, str] | None:
        """Why a rule like this cannot speak of a field, and what it could write; None when it can."""
        name = fact.name
        if self.on == "event":
            ok = name.startswith(("event.", "member.")) or name in _OF_TIME
            return None if ok else (f"{name} belongs to purchases; a rule `on: event` has none", "")
        if name.startswith("event."):
            return f"{name} belongs to events: make the rule `on: event`", ""
        if name in _BASES and self.base_scale is None:
            return f"The base rule says what base is and cannot speak of {name} itself", ""
        if name == "base" and self.on == "line":
            return "A rule `on: line` sees one line at a time: write line.base", "line.base"
        if fact.scope == "line" and self.on == "order" and not self.aggregate:
            meant = "base" if name == "line.base" else f"SUM({name})" if fact.type == "number" else ""
            return (
                f"{name} belongs to one line: add lines up, as in SUM(line.amount), or make the rule `on: line`",
                meant,
            )
        return None

    def may_speak_of(self, found: Place, place: int) -> None:
        reason = self.out_of_place(found.fact)
        if reason:
            raise self.wrong(place, place, "RULE_FIELD_OUT_OF_PLACE", *reason)

    def literal(self, item: exp.Expr) -> _Part:
        place = _placeholder(item.this)
        self.last_leaf = place
        word = self.cut[place]
        if word.kind == "text":
            return _Part(Text(word.value), "text", place, place)
        whole, _, places = word.value.partition(".")
        if len(whole.lstrip("0")) > _WHOLE_DIGITS or len(places) > _PLACES:
            message = f"A number has at most {_WHOLE_DIGITS} digits before the point and {_PLACES} behind it"
            raise self.wrong(place, place, "RULE_OVERFLOW", message)
        value = Fraction(int(whole + places), 10 ** len(places))
        return _Part(_number(value), "number", place, place, value, value)

    # Conditions

    def connected(self, item: exp.Expr) -> _Part:
        kind = type(item)
        todo: list[exp.Expr] = [item]
        items: list[exp.Expr] = []
        while todo:  # a AND b AND c hangs to the left; brackets within are kept as they are
            current = todo.pop()
            if type(current) is kind:
                todo += [current.expression, current.this]
            else:
                items.append(current)
        found: list[_Part] = []
        for one in items:
            try:
                found.append(self.condition_part(one))
            except _Wrong:
                continue
        if len(found) < len(items):
            raise _Wrong
        nodes = tuple(part.node for part in found)
        return self.made(And(nodes) if kind is exp.And else Or(nodes), "truth", found)

    def negation(self, item: exp.Expr) -> _Part:
        part = self.condition_part(item.this)
        prefixed = part.first > 0 and self.cut[part.first - 1].kind == "NOT"
        return self.negated(part._replace(first=part.first - prefixed))

    def negated(self, part: _Part) -> _Part:
        return self.made(Not(part.node), "truth", [part])

    def single(self, *items: object) -> None:
        """Comparisons do not follow each other without brackets: SQLs do not agree on what that means."""
        for item in items:
            if isinstance(item, (*_CONDITIONS, exp.Not)):
                part = self.part(item)
                message = "One comparison cannot be part of another; connect them with AND, or put brackets around it"
                raise self.wrong(part.first, part.last, "RULE_SYNTAX", message)

    def compared(self, item: exp.Expr) -> _Part:
        self.single(item.this, item.expression)
        op = _COMPARED[type(item)]
        left, right = self.parts([item.this, item.expression])
        for one, other in ((left, right), (right, left)):
            if one.type == "names":
                literal = isinstance(other.node, Text)
                meant = f"{self.shown(other)} IN {self.shown(one)}" if literal else ""
                message = f"{self.shown(one)} is a set of names and not compared; write 'name' IN {self.shown(one)}"
                raise self.wrong(left.first, right.last, "RULE_TYPE", message, meant)
        left, right = self.alike([left, right], "compared")
        return self.compare(op, left, right)

    def compare(self, op: CompareOp, left: _Part, right: _Part) -> _Part:
        if left.type == "truth":
            return self.compare_truths(op, left, right)
        self.known(left, right)
        return self.made(Compare(op, left.node, right.node), "truth", [left, right])

    def compare_truths(self, op: CompareOp, left: _Part, right: _Part) -> _Part:
        if op not in ("=", "<>"):
            message = "True and false have no order: compare them with = or <>"
            raise self.wrong(left.first, right.last, "RULE_TYPE", message)
        for one, other in ((left, right), (right, left)):
            if isinstance(other.node, Truth):
                first, last = min(left.first, right.first), max(left.last, right.last)
                same = other.node.value is (op == "=")
                return (one if same else self.negated(one))._replace(first=first, last=last)
        return self.made(Compare(op, left.node, right.node), "truth", [left, right])

    def known(self, left: _Part, right: _Part) -> None:
        """A text is one of those that its field can have, where these are known."""
        for one, other in ((left, right), (right, left)):
            if isinstance(other.node, Text) and (field := self.read_by(one.node, other.node)):
                self.known_value(field, other.node.value, other.first)

    def read_by(self, node: Node, text: Text) -> str:
        """The field whose own values alone could be that text: itself, or with something said for where it is NULL."""
        if isinstance(node, Field):
            return node.name
        if not isinstance(node, Call) or node.name != "coalesce" or text in node.args:
            return ""
        fields = [one.name for one in node.args if isinstance(one, Field)]
        plain = len(fields) == 1 and all(isinstance(one, Field | Text) for one in node.args)
        return fields[0] if plain and fields[0] in self.values else ""

    def known_value(self, name: str, value: str, place: int) -> None:
        known = tuple(self.values.get(name) or self.layout.places[name].fact.values)
        usual = tuple(self.usual.get(name, ()))
        if value not in known if known else usual and not _NAME.fullmatch(value):
            meant = nearest(value, known or usual)
            some = ", ".join((known or usual)[:8]) + (", …" if len(known) > 8 else "")
            which = "one of" if known else "of a-z, 0-9 and _, such as"
            message = f"{name} is never '{value[:40]}'; it is {which} {some}"
            if self.layout.places[name].fact.type == "names":
                message = f"{name} never has '{value[:40]}'; it has {some}"
            raise self.wrong(place, place, "RULE_VALUE_UNKNOWN", message, f"'{meant}'" if meant else "")

    def alike(self, parts: Sequence[_Part], how: str) -> list[_Part]:
        """The parts brought to one type: texts become dates and times beside these. For comparisons, NULL is wrong."""
        types = {part.type for part in parts} - {"null"}
        for part in parts:
            if part.type == "null" and how == "compared":
                message = "Nothing equals NULL; write IS NULL or IS NOT NULL"
                raise self.wrong(part.first, part.last, "RULE_TYPE", message, "IS NULL")
        for timely in ("date", "time"):
            if timely in types and types <= {timely, "text"}:
                parts = [self.timely(part, timely) for part in parts]
                types = {timely}
        if len(types) > 1:
            raise self.clash(parts, how)
        return (
            [
                part._replace(node=Null(cast("Type", kind)), type=cast("Type", kind)) if part.type == "null" else part
                for kind in types
                for part in parts
            ]
            if types
            else list(parts)
        )

    def timely(self, part: _Part, wanted: str) -> _Part:
        """A part as a date or a time, if it can be one."""
        if part.type == wanted or part.type == "null":
            return part
        if not isinstance(part.node, Text):
            message = f"{self.shown(part)} is a text, not {_KINDS[wanted]}"
            raise self.wrong(part.first, part.last, "RULE_TYPE", message)
        value = part.node.value
        node: Node | None = _date(value) if wanted == "date" else _time(value)
        if node is None:
            like = "like '2026-11-11'" if wanted == "date" else "between '00:00' and '23:59:59'"
            message = f"'{value[:40]}' is not {_KINDS[wanted]}; write one {like}"
            raise self.wrong(part.first, part.last, "RULE_VALUE_UNKNOWN", message)
        return part._replace(node=node, type=cast("Type", wanted))

    def clash(self, parts: Sequence[_Part], how: str) -> _Wrong:
        one = next((part for part in parts if isinstance(part.node, Field)), parts[0])
        other = next(part for part in parts if part.type not in (one.type, "null"))
        first, last = min(one.first, other.first), max(one.last, other.last)
        message = f"{self.shown(one)} is {_KINDS[one.type]}, {self.shown(other)} is {_KINDS[other.type]}"
        meant = ""
        if (
            one.type == "number"
            and isinstance(other.node, Text)
            and re.fullmatch(r"[0-9]+(\.[0-9]+)?", other.node.value)
        ):
            message, meant = f"{message}; write numbers without quotes", other.node.value
            first, last = other.first, other.last
        elif one.type == "text" and isinstance(other.node, Number):
            meant = f"'{self.shown(other)}'"
            message = f"{message}; write texts in quotes"
            first, last = other.first, other.last
        elif one.type in _LIKE_WHAT and how == "compared":
            message = f"{message}; compare it with {_LIKE_WHAT[one.type]}"
        elif how != "compared":
            message = f"{message}; {how} of one type"
        return self.wrong(first, last, "RULE_TYPE", message, meant)

    def listed(self, item: exp.Expr) -> _Part:
        field = item.args.get("field")
        if field is not None:
            return self.has(item.this, field)
        self.single(item.this)
        given = item.expressions
        if len(given) > MAX_LIST:
            part = self.part(item.this)
            raise self.wrong(part.first, part.last, "RULE_TOO_LARGE", f"A list has at most {MAX_LIST} values")
        found = self.parts([item.this, *given])
        if found[0].type == "names":
            message = "The name stands first: 'vip' IN member.segments"
            raise self.wrong(found[0].first, found[0].last, "RULE_TYPE", message)
        if found[0].type == "truth":
            message = "A condition stands alone, without a list"
            raise self.wrong(found[0].first, found[0].last, "RULE_TYPE", message)
        whole, *values = self.alike(found, "compared")
        nodes = []
        for part in values:
            if not isinstance(part.node, Number | Text | Date | Time):
                message = f"A list holds plain values, not {self.shown(part)}"
                raise self.wrong(part.first, part.last, "RULE_TYPE", message)
            self.known(whole, part)
            nodes.append(part.node)
        return self.made(In(whole.node, tuple(dict.fromkeys(nodes))), "truth", [whole], last=values[-1].last + 1)

    def has(self, item: object, field: object) -> _Part:
        name, names = self.parts([item, field])
        if names.type != "names" or not isinstance(names.node, Field):
            written = self.shown(names)
            message = f"{written} is {_KINDS[names.type]}; write its values in brackets, like {written} IN (…)"
            raise self.wrong(names.first, names.last, "RULE_TYPE", message)
        if not isinstance(name.node, Text):
            message = f"Before IN {self.shown(names)} stands a name in quotes"
            raise self.wrong(name.first, name.last, "RULE_TYPE", message)
        if names.node.name == "days":
            self.calendar(name)
        else:
            self.known_value(names.node.name, name.node.value, name.first)
        return self.made(Has(names.node, name.node.value), "truth", [names], first=name.first)

    def calendar(self, name: _Part) -> None:
        written = cast("Text", name.node).value
        if written not in self.days:
            meant = nearest(written, sorted(self.days))
            message = f"The calendar of this rule set has no day '{written[:40]}'"
            raise self.wrong(name.first, name.last, "RULE_DAY_UNKNOWN", message, f"'{meant}'" if meant else "")

    def between(self, item: exp.Expr) -> _Part:
        given = [item.this, item.args.get("low"), item.args.get("high")]
        self.single(*given)
        whole, low, high = self.alike(self.parts(given), "compared")
        if whole.type in ("names", "truth"):
            message = f"{self.shown(whole)} is {_KINDS[whole.type]} and has no order"
            raise self.wrong(whole.first, whole.last, "RULE_TYPE", message)
        pair = [self.compare(">=", whole, low), self.compare("<=", whole, high)]
        return self.made(And((pair[0].node, pair[1].node)), "truth", pair)

    def like(self, item: exp.Expr) -> _Part:
        self.single(item.this, item.expression)
        whole, pattern = self.parts([item.this, item.expression])
        if whole.type != "text":
            message = f"LIKE reads texts; {self.shown(whole)} is {_KINDS[whole.type]}"
            raise self.wrong(whole.first, whole.last, "RULE_TYPE", message)
        if not isinstance(pattern.node, Text):
            message = "LIKE is followed by a pattern in quotes, like 'wine%'"
            raise self.wrong(pattern.first, pattern.last, "RULE_TYPE", message)
        if len(pattern.node.value) > MAX_PATTERN:
            message = f"A pattern has at most {MAX_PATTERN} characters"
            raise self.wrong(pattern.first, pattern.last, "RULE_TOO_LARGE", message)
        found = self.made(Like(whole.node, pattern_parts(pattern.node.value)), "truth", [whole], last=pattern.last)
        return self.negated(found) if item.args.get("negate") else found

    def is_null(self, item: exp.Expr) -> _Part:
        self.single(item.this)
        part = self.part(item.this)
        if type(item.expression) is not exp.Null:
            message = "IS is followed by NULL or NOT NULL; a condition stands alone"
            raise self.wrong(part.first, part.last, "RULE_SYNTAX", message)
        if part.type == "null":
            raise self.wrong(part.first, part.last, "RULE_TYPE", "NULL is always NULL")
        return self.made(IsNull(part.node), "truth", [part])

    def case(self, item: exp.Expr) -> _Part:
        operand = item.args.get("this")
        base = [] if operand is None else [self.part(operand)]
        conditions = []
        for branch in item.args["ifs"]:
            if base:
                self.single(branch.this)
                left, right = self.alike([*base, self.part(branch.this)], "compared")
                conditions.append(self.compare("=", left, right))
            else:
                conditions.append(self.condition_part(branch.this))
        otherwise = item.args.get("default")
        given = [branch.args["true"] for branch in item.args["ifs"]]
        results = self.parts([*given, *([] if otherwise is None else [otherwise])])
        if otherwise is None:
            results.append(results[-1]._replace(node=Null("text"), type="null"))
        results = self.alike(results, "all results of CASE are")
        kind = self.one_type(results)
        whens = tuple((when.node, then.node) for when, then in zip(conditions, results, strict=False))
        node = Case(whens, results[-1].node)
        counted = results if otherwise is not None else results[:-1]
        first = self.opening(min(part.first for part in (*base, *conditions)), results[-1].last)
        return self.made(
            node, kind, [*conditions, *counted], self.around(results, kind), first=first, last=self.closing[first]
        )

    def opening(self, first: int, last: int) -> int:
        """The CASE around these words."""
        return next(
            place for place in range(first - 1, -1, -1) if self.cut[place].kind == "CASE" and self.closing[place] > last
        )

    def one_type(self, parts: Sequence[_Part]) -> Type:
        kind = parts[0].type
        if kind in ("null", "names"):
            message = "This is nothing but NULL" if kind == "null" else "A set of names is only used with IN"
            raise self.wrong(parts[0].first, parts[-1].last, "RULE_TYPE", message)
        return cast("Type", kind)

    def around(self, parts: Sequence[_Part], kind: str) -> tuple[Fraction, Fraction]:
        there = [part for part in parts if not isinstance(part.node, Null)] if kind == "number" else []
        return min((part.low for part in there), default=Fraction(0)), max(
            (part.high for part in there), default=Fraction(0)
        )

    # Numbers

    def negative(self, item: exp.Expr) -> _Part:
        part = self.number_part(item.this, "Minus stands before")
        part = part._replace(first=part.first - 1)
        if isinstance(part.node, Number):
            return part._replace(node=_number(-part.low), low=-part.high, high=-part.low)
        return self.made(Negative(part.node), "number", [part], (-part.high, -part.low))

    def counted(self, item: exp.Expr) -> _Part:
        op = _COUNTED[type(item)]
        left = self.number_part(item.this, f"Before {op} stands")
        right = self.number_part(item.expression, f"Behind {op} stands")
        if op == "/":
            return self.divided(left, right)
        bounds = _BOUNDS[op](left, right)
        if isinstance(left.node, Number) and isinstance(right.node, Number):
            # Both bounds of a constant are the constant.
            return self.made(_number(bounds[0]), "number", [], bounds, left.first, right.last)
        return self.made(Arithmetic(op, left.node, right.node), "number", [left, right], bounds)

    def divided(self, left: _Part, right: _Part) -> _Part:
        if isinstance(right.node, Number):
            if right.node.num == 0:
                raise self.wrong(right.first, right.last, "RULE_DIVISION", "Division by zero")
            bounds = _ordered(left.low / right.low, left.high / right.low)
            if isinstance(left.node, Number):
                return self.made(_number(bounds[0]), "number", [], bounds, left.first, right.last)
            return self.made(Arithmetic("/", left.node, right.node), "number", [left, right], bounds)
        guarded = isinstance(right.node, Call) and right.node.name == "nullif" and right.node.args[1] == Number(0)
        if not guarded:
            message = f"{self.shown(right)} could be 0; divide by NULLIF(…, 0), which then gives NULL"
            meant = f"NULLIF({self.shown(right)}, 0)"
            raise self.wrong(right.first, right.last, "RULE_DIVISION", message, meant)
        scale = scale_of(right.node)
        if scale == 0:
            message = "What is divided by is a quotient itself; round it first, or divide once"
            raise self.wrong(right.first, right.last, "RULE_DIVISION", message)
        # The smallest divisor that is not zero is 1/scale, unless its bounds keep it further away.
        least = max(Fraction(1, scale), right.low, -right.high)
        most = max(abs(left.low), abs(left.high)) / least
        low = Fraction(0) if left.low >= 0 and right.low >= 0 else -most
        return self.made(Arithmetic("/", left.node, right.node), "number", [left, right], (low, most))

    # Functions

    def function(self, item: exp.Expr) -> _Part:
        where = item.expression.this if isinstance(item, exp.Filter) else None
        call = item.this if isinstance(item, exp.Filter) else item
        if not isinstance(call, exp.Anonymous):
            return self.part(object())
        place = _placeholder(call.this)
        self.last_leaf = place
        written, name = self.cut[place].value, self.cut[place].value.lower()
        name = {"ceiling": "ceil"}.get(name, name)
        if name not in FUNCTIONS:
            meant = nearest(name, FUNCTIONS)
            message = f"There is no function {written[:60]}"
            raise self.wrong(place, place, "RULE_FUNCTION_UNKNOWN", message, meant.upper())
        if name in AGGREGATES:
            return self.aggregated(name, place, call.expressions, where)
        if where is not None:
            message = f"FILTER stands behind SUM, COUNT, MIN and MAX; {written} looks at one value"
            raise self.wrong(place, place, "RULE_SYNTAX", message)
        if name == "on_day":
            return self.on_day(place, call.expressions)
        return self.called(cast("CallName", name), place, call.expressions)

    def arguments(self, place: int, given: Sequence[object], low: int, high: int, what: str) -> list[_Part]:
        name = self.cut[place].value.upper()
        if not low <= len(given) <= high or any(isinstance(item, exp.Star) for item in given):
            raise self.wrong(place, place, "RULE_FUNCTION_USE", f"{name} takes {what}")
        return self.parts(given)

    def on_day(self, place: int, given: Sequence[object]) -> _Part:
        (name,) = self.arguments(place, given, 1, 1, "the name of a day: ON_DAY('double_11')")
        if not isinstance(name.node, Text):
            message = "ON_DAY takes the name of a day in quotes: ON_DAY('double_11')"
            raise self.wrong(name.first, name.last, "RULE_FUNCTION_USE", message)
        self.calendar(name)
        names = self.field(self.layout.places["days"], place)
        return self.made(Has(names.node, name.node.value), "truth", [names], last=self.closing[place + 1])

    def called(self, name: CallName, place: int, given: Sequence[object]) -> _Part:
        kind, low, high, what = _TAKES[name]
        parts = self.arguments(place, given, low, high, what)
        for part in parts:
            if kind != "any" and part.type not in (kind, "null"):
                message = f"{name.upper()} takes {what}; {self.shown(part)} is {_KINDS[part.type]}"
                raise self.wrong(part.first, part.last, "RULE_TYPE", message)
        if name == "nullif" and any(part.type == "null" for part in parts):
            raise self.wrong(place, place, "RULE_FUNCTION_USE", "NULLIF takes two values, neither of them NULL")
        parts = self.alike(parts, f"{name.upper()} takes values")
        result: Type = self.one_type(parts)
        if name == "nullif":
            self.known(*parts)
        if name == "length":
            result = "number"
        bounds = self.called_bounds(name, parts) if result == "number" else (Fraction(0), Fraction(0))
        node = Call(name, tuple(part.node for part in parts))
        return self.made(node, result, parts, bounds, first=place, last=self.closing[place + 1])

    def called_bounds(self, name: CallName, parts: Sequence[_Part]) -> tuple[Fraction, Fraction]:
        low, high = parts[0].low, parts[0].high
        if name == "abs":
            return max(low, -high, Fraction(0)), max(abs(low), abs(high))
        if name in ("floor", "ceil", "round"):
            return Fraction(floor(low)), Fraction(ceil(high))
        if name == "length":
            return Fraction(0), Fraction(MAX_LENGTH)
        if name in ("least", "greatest", "coalesce"):
            return self.around(parts, "number")
        return low, high

    def aggregated(self, name: str, place: int, given: Sequence[object], where: object) -> _Part:
        shown = self.cut[place].value.upper()
        if self.on != "order":
            message = f"{shown} adds lines up, which a rule `on: {self.on}` cannot; make it `on: order`"
            raise self.wrong(place, place, "RULE_FIELD_OUT_OF_PLACE", message)
        if self.aggregate:
            raise self.wrong(place, place, "RULE_FUNCTION_USE", f"{shown} cannot stand within {self.aggregate}")
        self.aggregate = shown
        try:
            value = self.aggregated_value(name, place, given)
            condition = None if where is None else self.condition_part(where)
        finally:
            self.aggregate = ""
        node = Aggregate(
            cast("AggregateName", name),
            None if value is None else value.node,
            None if condition is None else condition.node,
        )
        of = [part for part in (value, condition) if part is not None]
        last = self.closing[place + 1]
        last = last if where is None else self.closing[last + 2]
        return self.made(node, "number", of, self.aggregated_bounds(name, value), first=place, last=last)

    def aggregated_value(self, name: str, place: int, given: Sequence[object]) -> _Part | None:
        shown = self.cut[place].value.upper()
        if name == "count" and len(given) == 1 and isinstance(given[0], exp.Star):
            return None
        what = "* or one value of the lines" if name == "count" else "one value of the lines: SUM(line.amount)"
        (value,) = self.arguments(place, given, 1, 1, what)
        if name != "count" and value.type != "number":
            message = f"{shown} takes numbers; {self.shown(value)} is {_KINDS[value.type]}"
            raise self.wrong(value.first, value.last, "RULE_TYPE", message)
        spoken = [word.value for word in self.cut[value.first : value.last + 1] if word.kind == "name"]
        if not any(field.startswith("line.") for field in spoken):
            meant = f"line.{spoken[0]}" if spoken and f"line.{spoken[0]}" in self.layout.places else ""
            message = f"{shown} goes through the lines; {self.shown(value)} is the same for each of them"
            raise self.wrong(value.first, value.last, "RULE_FUNCTION_USE", message, meant)
        if value.type == "number" and scale_of(value.node) == 0:
            message = f"{shown} needs exact numbers; round the quotient in it first"
            raise self.wrong(value.first, value.last, "RULE_DIVISION", message)
        return value

    def aggregated_bounds(self, name: str, value: _Part | None) -> tuple[Fraction, Fraction]:
        if name == "count" or value is None:
            return Fraction(0), Fraction(MAX_LINES)
        if name != "sum":
            return value.low, value.high
        factor = _of_line(value.node)
        if factor is not None:
            # Amounts of lines add up to the order's at most, base likewise: no 500 times the largest line.
            field, times = factor
            total = Fraction(self.base_high if field == "line.base" else MAX_MONEY)
            return _ordered(Fraction(0), times * total)
        return min(value.low * MAX_LINES, Fraction(0)), max(value.high * MAX_LINES, Fraction(0))


MAX_LENGTH: Final = 100_000
"""Longest text that LENGTH is taken to read."""
_TAKES: Final[Mapping[CallName, tuple[str, int, int, str]]] = {
    "abs": ("number", 1, 1, "one number"),
    "floor": ("number", 1, 1, "one number"),
    "ceil": ("number", 1, 1, "one number"),
    "round": ("number", 1, 1, "one number, and rounds it to a whole one"),
    "least": ("number", 2, 20, "2 to 20 numbers"),
    "greatest": ("number", 2, 20, "2 to 20 numbers"),
    "coalesce": ("any", 2, 20, "2 to 20 values of one type"),
    "nullif": ("any", 2, 2, "two values of one type"),
    "length": ("text", 1, 1, "one text"),
    "lower": ("text", 1, 1, "one text"),
    "upper": ("text", 1, 1, "one text"),
}
"""Type of the arguments, fewest and most of them, and in words."""


def _ordered(*values: Fraction) -> tuple[Fraction, Fraction]:
    return min(values), max(values)


_BOUNDS: Final[Mapping[str, Callable[[_Part, _Part], tuple[Fraction, Fraction]]]] = {
    "+": lambda left, right: (left.low + right.low, left.high + right.high),
    "-": lambda left, right: (left.low - right.high, left.high - right.low),
    "*": lambda left, right: _ordered(
        left.low * right.low, left.low * right.high, left.high * right.low, left.high * right.high
    ),
}


def _of_line(node: Node) -> tuple[str, Fraction] | None:
    """(field, factor) of an expression that is the line's amount, or its base, times a constant; else None."""
    match node:
        case Field(name="line.amount" | "line.base" as name):
            return name, Fraction(1)
        case Negative(item=item):
            inner = _of_line(item)
            return inner and (inner[0], -inner[1])
        case (
            Arithmetic(op="*", left=Number(num=num, den=den), right=item)
            | Arithmetic(op="*", left=item, right=Number(num=num, den=den))
        ):
            inner = _of_line(item)
            return inner and (inner[0], inner[1] * Fraction(num, den))
        case Arithmetic(op="/", left=item, right=Number(num=num, den=den)):
            inner = _of_line(item)
            return inner and (inner[0], inner[1] * Fraction(den, num))
        case _:
            return None


def _never_above_base(node: Node) -> bool:
    """Whether an earning can be seen to give no more than base, whatever that is."""
    match node:
        case Null():
            return True
        case Case(whens=whens, otherwise=otherwise):
            return all(_never_above_base(item) for item in (*(then for _, then in whens), otherwise))
        case Call(name="least", args=args):
            return any(_never_above_base(item) for item in args)
        case Call(name="greatest" | "coalesce", args=args):
            return all(_never_above_base(item) for item in args)
        case _:
            found = _of_base(node)
            return found is not None and found[0] <= 1 and found[1] <= 0


def _of_base(node: Node) -> tuple[Fraction, Fraction] | None:
    """(factor, rest) of an earning that is base times a constant, and a constant; else None."""
    match node:
        case Field(name="base" | "line.base"):
            return Fraction(1), Fraction(0)
        case Number(num=num, den=den):
            return Fraction(0), Fraction(num, den)
        case Negative(item=item):
            inner = _of_base(item)
            return inner and (-inner[0], -inner[1])
        case Arithmetic(op=op, left=left, right=right):
            first, second = _of_base(left), _of_base(right)
            return None if first is None or second is None else _combined(op, first, second)
        case _:
            return None


def _combined(
    op: str, left: tuple[Fraction, Fraction], right: tuple[Fraction, Fraction]
) -> tuple[Fraction, Fraction] | None:
    if op in "+-":
        sign = 1 if op == "+" else -1
        return left[0] + sign * right[0], left[1] + sign * right[1]
    if op == "*" and left[0] == 0:
        left, right = right, left
    if right[0] != 0:
        return None
    factor = right[1] if op == "*" else 1 / right[1]
    return left[0] * factor, left[1] * factor


def _number(value: Fraction) -> Number:
    return Number(value.numerator, value.denominator)


def _date(value: str) -> Date | None:
    if not _DATE.fullmatch(value):
        return None
    try:
        return Date(date.fromisoformat(value).toordinal())
    except ValueError:
        return None


def _time(value: str) -> Time | None:
    match = _TIME.fullmatch(value)
    return Time(int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0)) if match else None


def pattern_parts(pattern: str) -> tuple[tuple[str | None, ...], ...]:
    """A LIKE pattern as ``tree.Like`` has it: ``a%b_`` is ``(("a",), ("b", None))``."""
    parts: list[tuple[str | None, ...]] = []
    for part in pattern.split("%"):
        pieces: list[str | None] = []
        for position, piece in enumerate(part.split("_")):
            pieces += [None] if position else []
            pieces += [piece] if piece else []
        parts.append(tuple(pieces))
    return tuple(parts)


def _closing(cut: Sequence[Word]) -> Mapping[int, int]:
    """Which word closes the bracket or the CASE that another one opens."""
    found, opened = {}, []
    for place, word in enumerate(cut):
        if word.kind in ("(", "CASE"):
            opened.append(place)
        elif word.kind in (")", "END"):
            found[opened.pop()] = place
    return found


def _placeholder(name: object) -> int:
    """Which word a placeholder of ``words.tokens`` stands for."""
    return int(str(name)[1:])


def _place_of(error: Exception, cut: Sequence[Word]) -> int:
    """The word that the parser stumbled over; the last one when it does not say."""
    errors = getattr(error, "errors", None) or [{}]
    column = errors[0].get("col")
    return next((place for place, word in enumerate(cut) if word.end == column), len(cut) - 1)
