"""What a checked expression is: a closed set of nodes. Plain data, kept as JSON beside what was compiled from it.

Numbers are exact. A numeric expression has a *scale* known when it is checked: its value is an integer number of
1/scale. ``scale`` 0 marks a ratio, whose denominator is only known when it is worked out. ``amount`` in euros has the
scale 100, so its values are cents, but ``amount >= 50`` compares with 50 euros.

NULL follows SQL: a comparison with it is neither true nor false, and a rule counts when its condition is true.
"""

from math import gcd, lcm
from typing import Final, Literal

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

MAX_SCALE: Final = 10**9
"""Largest scale of a numeric expression."""
LIMIT: Final = 10**15
"""Largest number an expression may come to, in whole units; one that gives more than this fails."""


def scale_of(node: Node) -> int:
    """Scale of a numeric expression: its value is an integer number of 1/scale. 0 for a ratio; 1 for what is no number.

    A constant divisor goes into the scale: ``amount / 3`` of cents counts in 1/300. Any other makes a ratio.
    """
    match node:
        case Field(scale=scale):
            return scale
        case Number(den=den):
            return den
        case Negative(item=item) | Call(name="abs" | "nullif", args=(item, *_)):
            return scale_of(item)
        case Arithmetic(op=op, left=left, right=right):
            return _scale_of_arithmetic(op, left, right)
        case Case(whens=whens, otherwise=otherwise):
            return lcm(scale_of(otherwise), *(scale_of(value) for _, value in whens))
        case Call(name="least" | "greatest" | "coalesce", args=args):
            return lcm(*(scale_of(item) for item in args))
        case Aggregate(name="sum" | "min" | "max", value=value) if value is not None:
            return scale_of(value)
        case _:
            return 1


def _scale_of_arithmetic(op: str, left: Node, right: Node) -> int:
    scale = scale_of(left)
    if op == "*":
        return scale * scale_of(right)
    if op != "/":
        return lcm(scale, scale_of(right))
    if not isinstance(right, Number) or scale == 0:
        return 0
    # (v / scale) / (num / den) = v * den / (scale * num), and what den and scale share falls out.
    return abs(right.num) * (scale // gcd(scale, right.den))
