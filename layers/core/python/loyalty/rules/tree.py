"""What a checked expression is: a closed set of nodes. Plain data, kept as JSON beside what was compiled from it.

Numbers are exact. A numeric expression has a *scale* known when it is checked: its value is an integer number of
1/scale. ``scale`` 0 marks a ratio, whose denominator is only known when it is worked out. ``amount`` in euros has the
scale 100, so its values are cents, but ``amount >= 50`` compares with 50 euros.

NULL follows SQL: a comparison with it is neither true nor false, and a rule counts when its condition is true.
"""

from typing import Literal

from msgspec import Struct

Type = Literal["number", "text", "truth", "date", "time", "names"]
"""``date`` is a proleptic ordinal, ``time`` seconds since local midnight, ``names`` a set of texts (segments)."""
Scope = Literal["order", "line"]
"""Which of the two lists of facts a field is in."""


class _Node(Struct, frozen=True, tag_field="n"):
    pass


class Field(_Node, frozen=True, tag="field"):
    """A fact: ``facts[index]`` of its scope. ``scale`` is that of a number, else 1."""

    name: str
    scope: Scope
    index: int
    type: Type
    scale: int = 1


class Number(_Node, frozen=True, tag="number"):
    """num / den, in lowest terms, den above zero."""

    num: int
    den: int = 1


class Text(_Node, frozen=True, tag="text"):
    """A text."""

    value: str


class Truth(_Node, frozen=True, tag="truth"):
    """TRUE or FALSE."""

    value: bool


class Date(_Node, frozen=True, tag="date"):
    """A day, as its proleptic ordinal."""

    ordinal: int


class Time(_Node, frozen=True, tag="time"):
    """A time of day, in seconds since midnight."""

    seconds: int


class Null(_Node, frozen=True, tag="null"):
    """NULL of a type."""

    type: Type


class Arithmetic(_Node, frozen=True, tag="arithmetic"):
    """``left op right`` of two numbers; NULL when either is. A divisor is never zero: the check has made sure."""

    op: Literal["+", "-", "*", "/"]
    left: "Node"
    right: "Node"


class Negative(_Node, frozen=True, tag="negative"):
    """Minus a number."""

    item: "Node"


class Compare(_Node, frozen=True, tag="compare"):
    """Two values of one type; texts in order of code points. ``names`` are not compared."""

    op: Literal["=", "<>", "<", "<=", ">", ">="]
    left: "Node"
    right: "Node"


class And(_Node, frozen=True, tag="and"):
    """At least two conditions."""

    items: "tuple[Node, ...]"


class Or(_Node, frozen=True, tag="or"):
    """At least two conditions."""

    items: "tuple[Node, ...]"


class Not(_Node, frozen=True, tag="not"):
    """NOT of a condition."""

    item: "Node"


class IsNull(_Node, frozen=True, tag="is_null"):
    """IS NULL: true or false, never NULL. IS NOT NULL is Not of it."""

    item: "Node"


class In(_Node, frozen=True, tag="in"):
    """IN a list of literals, NULL not among them, all of the item's type."""

    item: "Node"
    values: "tuple[Number | Text | Date | Time, ...]"


class Like(_Node, frozen=True, tag="like"):
    """Case-sensitive LIKE. ``parts`` are the pattern's literal texts between its ``%``; ``None`` in a part stands for
    one ``_``. ``a%b_`` is ``(("a",), ("b", None))``; matching never goes back further than one ``%``.
    """

    item: "Node"
    parts: tuple[tuple[str | None, ...], ...]


class Has(_Node, frozen=True, tag="has"):
    """``'name' IN member.segments`` or ``on_day('name')``: a name in a field of type ``names``; NULL when that is."""

    item: "Node"
    name: str


class Case(_Node, frozen=True, tag="case"):
    """The value of the first condition that is true, else ``otherwise`` (NULL when it was left out)."""

    whens: "tuple[tuple[Node, Node], ...]"
    otherwise: "Node"


class Call(_Node, frozen=True, tag="call"):
    """A function. NULL when an argument is, but for ``coalesce`` and ``nullif``.

    abs, floor, ceil, round (half away from zero, to a whole number), least, greatest, coalesce, nullif (two
    arguments), length, lower, upper (ASCII letters only).
    """

    name: Literal[
        "abs", "floor", "ceil", "round", "least", "greatest", "coalesce", "nullif", "length", "lower", "upper"
    ]
    args: "tuple[Node, ...]"


class Aggregate(_Node, frozen=True, tag="aggregate"):
    """Over the lines for which ``where`` is true: ``count`` is 0 over none, ``sum``, ``min`` and ``max`` are NULL over
    none; NULL values are left out. ``value`` and ``where`` may use facts of the line and of the order. ``value`` None
    is COUNT(*).
    """

    name: Literal["count", "sum", "min", "max"]
    value: "Node | None" = None
    where: "Node | None" = None


Node = (
    Field
    | Number
    | Text
    | Truth
    | Date
    | Time
    | Null
    | Arithmetic
    | Negative
    | Compare
    | And
    | Or
    | Not
    | IsNull
    | In
    | Like
    | Has
    | Case
    | Call
    | Aggregate
)
