"""Trees of the rule language and facts for them, at random but from a seed: any node may stand wherever its type lets
it, which is more than the language's check lets through.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import lcm
from random import Random
from typing import Any, Final, Literal

from loyalty.rules.evaluation import Facts
from loyalty.rules.ruleset import LAST_DAY, Names, On, Rule, RuleSet
from loyalty.rules.schema import Fact, field, layout
from loyalty.rules.tree import (
    MAX_SCALE,
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
    Null,
    Number,
    Or,
    Text,
    Truth,
    scale_of,
)

LAYOUT: Final = layout(
    member={"vegan": "truth", "score": "number"},
    line={"organic": "truth", "weight": "number"},
    events={"photo": "truth", "km": "number"},
)
NAMES: Final = Names("A rule", "规则")
BASE_SCALE: Final = 100
EXPONENT: Final = 2
WORDS: Final = ("a", "b", "ab", "ba", "aab", "A", "", "')] or __import__('os')", 'b"\\\n{x}#')
DAYS: Final = (9, 100, 120, 155, 165, 350)
_ORDERS: Final[tuple[Literal["=", "<>", "<", "<=", ">", ">="], ...]] = ("=", "<>", "<", "<=", ">", ">=")
_AGGREGATES: Final[tuple[Literal["count", "sum", "min", "max"], ...]] = ("count", "sum", "min", "max")
_OF_ONE: Final[tuple[Literal["abs", "floor", "ceil", "round"], ...]] = ("abs", "floor", "ceil", "round")
_OF_TWO: Final[tuple[Literal["least", "greatest", "coalesce", "nullif"], ...]] = (
    "least",
    "greatest",
    "coalesce",
    "nullif",
)
_WINDOWS: Final = (((1, LAST_DAY),), ((100, 200),), ((100, 150), (160, 170)), ((300, 400),))
_NUMBERS: Final = {
    "order": ("amount", "quantity", "member.birth_month", "member.purchases", "base", "member.score", "event.km"),
    "line": ("line.quantity", "line.amount", "line.base", "line.weight"),
}
_TEXTS: Final = {"order": ("channel", "store", "member.tier"), "line": ("line.category", "line.product")}
_TRUTHS: Final = {"order": ("member.first_purchase", "member.vegan", "event.photo"), "line": ("line.organic",)}


def fact(name: str) -> Field:
    """The node of a fact by its name."""
    return field(LAYOUT.places[name], EXPONENT, BASE_SCALE)


def base_rule() -> Rule:
    return Rule("base", NAMES, "line", fact("line.amount"), scale=BASE_SCALE)


def rule(on: On, earn: Node, when: Node | None = None, **changes: Any) -> Rule:
    """A rule whose scale is the one that its earning has."""
    mine = {"scale": scale_of(earn), **changes}
    return Rule("r", NAMES, on, earn, when, **mine)


def rule_set(rules: Sequence[Rule]) -> RuleSet:
    """The rules, behind the base, which is at place 0."""
    return RuleSet("acme", "acme", "EUR", "UTC", (base_rule(), *rules), 0)


def blank(scope: str = "order", **known: Any) -> list[Any]:
    """Facts of an order or a line, NULL but for those given; ``__`` in a name stands for the point."""
    values: list[Any] = [None] * (LAYOUT.order if scope == "order" else LAYOUT.line)
    for name, value in known.items():
        values[LAYOUT.places[name.replace("__", ".")].index] = value
    return values


class Trees:
    """A source of rules and facts."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def rules(self, count: int) -> RuleSet:
        return rule_set([self.rule() for _ in range(count)])

    def rule(self) -> Rule:
        on: On = self.random.choice(("order", "line", "event"))
        scope = "line" if on == "line" else "order"
        while True:
            earn = self.number(self.random.randint(0, 3), scope, aggregates=on == "order")
            scale = scale_of(earn)
            if 0 < scale < MAX_SCALE:
                break
        over_base = _speaks_of_base(earn)
        when = None
        if self.random.random() < 0.95:
            when = self.condition(self.random.randint(1, 4), scope, aggregates=on == "order")
        scale = lcm(scale, BASE_SCALE) if over_base else scale * self.random.choice((1, 1, 10))
        windows = self.random.choice(_WINDOWS)
        return rule(on, earn, when, scale=scale, over_base=over_base, windows=windows)

    def facts(self) -> Facts:
        facts = [place.fact for place in LAYOUT.places.values()]
        order = [self._value(one) for one in facts if one.scope == "order"]
        of_line = [one for one in facts if one.scope == "line"]
        lines = [[self._value(one) for one in of_line] for _ in range(self.random.choice((0, 1, 2, 3, 5)))]
        return Facts(self.random.choice(DAYS), order, lines)

    def _value(self, one: Fact) -> Any:
        random = self.random
        if one.nullable and random.random() < 0.25:
            return None
        if one.type == "names":
            return frozenset(random.sample(WORDS, random.randint(0, 3)))
        if one.type == "text":
            return random.choice(WORDS)
        if one.type == "truth":
            return random.random() < 0.5
        return random.choice((0, 1, 2, 3, 100, 200, 250, -150, 500)) if one.type == "number" else random.randint(0, 400)

    def number(self, depth: int, scope: str, *, aggregates: bool) -> Node:
        random = self.random

        def inner() -> Node:
            return self.number(depth - 1, scope, aggregates=aggregates)

        kind = random.randrange(14) if depth > 0 else 0
        if kind < 4:
            return self._plain_number(scope)
        if kind < 7:
            return Arithmetic(random.choice(("+", "-", "*")), inner(), inner())
        if kind == 7:
            return Arithmetic("/", inner(), Number(random.choice((-3, 2, 5, 7)), random.choice((1, 11))))
        if kind == 8:
            return Arithmetic("/", inner(), Call("nullif", (inner(), Number(0))))
        if kind == 9:
            return Negative(inner())
        if kind == 10:
            condition = self.condition(depth - 1, scope, aggregates=aggregates)
            return Case(((condition, inner()),), Null("number") if random.random() < 0.5 else inner())
        if kind == 11:
            return self._called(depth, scope, aggregates=aggregates)
        if kind == 12 or not aggregates:
            return Call("length", (self.text(depth - 1, scope, aggregates=aggregates),))
        name = random.choice(_AGGREGATES)
        everything = name == "count" and random.random() < 0.5
        return Aggregate(
            name,
            None if everything else self.number(depth - 1, "line", aggregates=False),
            self.condition(depth - 1, "line", aggregates=False) if random.random() < 0.7 else None,
        )

    def _plain_number(self, scope: str) -> Node:
        random = self.random
        what = random.random()
        if what < 0.5:
            return fact(random.choice(_NUMBERS["order"] + (_NUMBERS["line"] if scope == "line" else ())))
        if what < 0.95:
            value = Fraction(random.randint(-6, 6), random.choice((1, 1, 2, 10)))
            return Number(value.numerator, value.denominator)
        return Null("number")

    def _called(self, depth: int, scope: str, *, aggregates: bool) -> Node:
        one = self.number(depth - 1, scope, aggregates=aggregates)
        if self.random.random() < 0.5:
            return Call(self.random.choice(_OF_ONE), (one,))
        return Call(self.random.choice(_OF_TWO), (one, self.number(depth - 1, scope, aggregates=aggregates)))

    def text(self, depth: int, scope: str, *, aggregates: bool) -> Node:
        random = self.random
        kind = random.randrange(8) if depth > 0 else 0
        if kind < 5:
            what = random.random()
            if what < 0.6:
                return fact(random.choice(_TEXTS["order"] + (_TEXTS["line"] * 2 if scope == "line" else ())))
            return Text(random.choice(WORDS)) if what < 0.95 else Null("text")
        one = self.text(depth - 1, scope, aggregates=aggregates)
        if kind == 5:
            return Case(((self.condition(depth - 1, scope, aggregates=aggregates), one),), Null("text"))
        if kind == 6:
            return Call(random.choice(("lower", "upper")), (one,))
        other = self.text(depth - 1, scope, aggregates=aggregates)
        return Call(random.choice(("coalesce", "nullif", "least", "greatest")), (one, other))

    def condition(self, depth: int, scope: str, *, aggregates: bool) -> Node:
        random = self.random
        kind = random.randrange(16) if depth > 0 else 0
        if kind == 0:
            what = random.random()
            if what < 0.8:
                return fact(random.choice(_TRUTHS["order"] + (_TRUTHS["line"] if scope == "line" else ())))
            return Truth(random.random() < 0.5) if what < 0.95 else Null("truth")

        def number() -> Node:
            return self.number(depth - 1, scope, aggregates=aggregates)

        def text() -> Node:
            return self.text(depth - 1, scope, aggregates=aggregates)

        def inner() -> Node:
            return self.condition(depth - 1, scope, aggregates=aggregates)

        order = random.choice(_ORDERS)
        made: tuple[Callable[[], Node], ...] = (
            lambda: Compare(order, number(), number()),
            lambda: Compare(order, text(), text()),
            lambda: Compare("=", text(), Text(random.choice(WORDS))),
            lambda: Compare("=", number(), Number(random.choice((0, 1, 2, 5)))),
            lambda: Compare(random.choice(_ORDERS[:2]), inner(), inner()),
            lambda: And((inner(), inner())),
            lambda: And((inner(), inner(), inner())),
            lambda: Or((inner(), inner())),
            lambda: Not(inner()),
            lambda: IsNull(random.choice((number, text, inner))()),
            lambda: In(text(), tuple(Text(random.choice(WORDS)) for _ in range(random.randint(1, 6)))),
            lambda: In(number(), tuple(Number(random.randint(-5, 5)) for _ in range(random.randint(1, 6)))),
            lambda: Like(text(), self._pattern()),
            lambda: Has(fact(random.choice(("days", "member.segments"))), random.choice(WORDS)),
            lambda: random.choice((Call("coalesce", (inner(), inner())), Case(((inner(), inner()),), inner()))),
        )
        return made[kind - 1]()

    def _pattern(self) -> tuple[tuple[str | None, ...], ...]:
        random = self.random
        return tuple(
            tuple(random.choice(("a", "b", "ab", None)) for _ in range(random.randint(0, 2)))
            for _ in range(random.randint(1, 4))
        )


def _speaks_of_base(node: object) -> bool:
    return "base'" in repr(node)
