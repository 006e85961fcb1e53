"""A grocer's rules and purchases, made up from a seed: what the rule bench works on. Rules are built as trees, for the
bench measures what becomes of them and not how they are read.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from loyalty.rules.evaluation import Facts
from loyalty.rules.ruleset import Names, Rule, RuleSet
from loyalty.rules.schema import CHANNELS, WEEKDAYS, field, layout
from loyalty.rules.tree import Aggregate, And, Arithmetic, Compare, Field, In, Node, Number, Or, Text, Time

LAYOUT: Final = layout()
EXPONENT: Final = 2
FIRST_DAY: Final = 739_617
"""2026-01-01."""
DAYS: Final = 364
QUARTER: Final = DAYS // 4
STORES: Final = tuple(f"{number}" for number in range(1, 201))
LINE_SHARE: Final = 41
"""Per cent of the rules that have conditions on lines."""

_TIERS: Final = ("basic", "silver", "gold", "platinum")
_REGIONS: Final = ("north", "east", "south", "west", "central")
_PAYMENTS: Final = ("card", "cash", "wallet", "gift")
_CATEGORIES: Final = tuple(f"category {number}" for number in range(120))
_DEPARTMENTS: Final = tuple(f"department {number}" for number in range(12))
_BRANDS: Final = tuple(f"brand {number}" for number in range(300))
_PRODUCTS: Final = tuple(f"{number:06}" for number in range(5_000))
_MARGINS: Final = ("low", "middle", "high")
_HOUR: Final = 3600
_LINES: Final = 5


def fact(name: str) -> Field:
    """The node of a fact by its name."""
    return field(LAYOUT.places[name], EXPONENT, 10**EXPONENT)


def stored(count: int, seed: int) -> RuleSet:
    """So many rules, each in force for some quarter of the year, of all the kinds below, and the base."""
    random = Random(seed)
    rules = []
    for number in range(count):
        kinds = _OF_LINES if random.randrange(100) < LINE_SHARE else _OF_ORDERS
        rule = random.choice(kinds)(random)
        start = FIRST_DAY + random.randrange(DAYS)
        rules.append(_named(rule, number, ((start, start + QUARTER - 1),)))
    return _rule_set(rules)


def different(count: int, seed: int) -> RuleSet:
    """So many rules, no two of the same conditions: about four shapes to five rules, for a key can leave two alike."""
    random = Random(seed)
    kinds: dict[tuple[int, ...], None] = {}
    while len(kinds) < count:
        kinds[tuple(sorted(random.sample(range(len(_OF_ANY)), random.randrange(3, 7))))] = None
    rules = []
    for number, kind in enumerate(kinds):
        start = FIRST_DAY + random.randrange(DAYS)
        rule = _rule("order", [_OF_ANY[part](random) for part in kind], Number(random.randrange(5, 100)))
        rules.append(_named(rule, number, ((start, start + QUARTER - 1),)))
    return _rule_set(rules)


def targeted(count: int, seed: int) -> RuleSet:
    """So many rules for three of the 200 stores each, always in force."""
    random = Random(seed)
    return _rule_set([_named(_for_stores(random), number, ((FIRST_DAY, FIRST_DAY + DAYS),)) for number in range(count)])


def purchases(count: int, seed: int) -> list[Facts]:
    """Purchases of five lines each on one day."""
    random = Random(seed)
    return [_purchase(random, FIRST_DAY + DAYS // 2) for _ in range(count)]


def _rule_set(rules: Sequence[Rule]) -> RuleSet:
    base = Rule("base", Names("Base", "基础"), "line", fact("line.amount"), scale=100)
    return RuleSet("bench", "bench", "EUR", "UTC", (base, *rules), 0)


def _named(rule: Rule, number: int, windows: tuple[tuple[int, int], ...]) -> Rule:
    return Rule(
        f"r{number:05}",
        Names(f"Rule {number}", f"规则 {number}"),
        rule.on,
        rule.earn,
        rule.when,
        rule.over_base,
        rule.scale,
        windows,
    )


# Rules ----------------------------------------------------------------------------------------------------------------


def _rule(on: Any, when: Sequence[Node], earn: Node, scale: int = 1, *, over_base: bool = False) -> Rule:
    return Rule("", Names("", ""), on, earn, And(tuple(when)) if len(when) > 1 else when[0], over_base, scale)


def _times(random: Random, base: str) -> tuple[Node, int]:
    """A multiple of the base, and its scale."""
    factor = random.choice((Number(2), Number(3), Number(3, 2), Number(5)))
    return Arithmetic("*", factor, fact(base)), 100 * factor.den


def _is(name: str, value: str) -> Node:
    return Compare("=", fact(name), Text(value))


def _among(name: str, values: Sequence[str]) -> Node:
    return In(fact(name), tuple(Text(value) for value in values))


def _at_least(name: str, value: int) -> Node:
    return Compare(">=", fact(name), Number(value))


def _between(random: Random) -> list[Node]:
    start = random.randrange(8, 19) * _HOUR
    return [Compare(">=", fact("local_time"), Time(start)), Compare("<=", fact("local_time"), Time(start + 2 * _HOUR))]


def _happy_hour(random: Random) -> Rule:
    when = [_is("channel", random.choice(CHANNELS)), *_between(random)]
    return _rule("order", when, *_times(random, "base"), over_base=True)


def _for_tiers(random: Random) -> Rule:
    when = [
        _among("member.tier", random.sample(_TIERS, 2)),
        _is("region", random.choice(_REGIONS)),
        _at_least("amount", random.randrange(20, 120)),
    ]
    return _rule("order", when, *_times(random, "base"), over_base=True)


def _for_stores(random: Random) -> Rule:
    when = [_among("store", random.sample(STORES, 3)), _at_least("amount", random.randrange(20, 120))]
    return _rule("order", when, Number(random.randrange(5, 100)))


def _weekday(random: Random) -> Rule:
    when = [
        _among("weekday", random.sample(WEEKDAYS, 2)),
        _is("channel", random.choice(CHANNELS)),
        _at_least("amount", random.randrange(20, 120)),
    ]
    return _rule("order", when, Number(random.randrange(5, 100)))


def _birthday(random: Random) -> Rule:
    when = [Compare("=", fact("member.birth_month"), fact("month")), _is("region", random.choice(_REGIONS))]
    return _rule("order", when, *_times(random, "base"), over_base=True)


def _by_payment(random: Random) -> Rule:
    when = [
        _is("payment", random.choice(_PAYMENTS)),
        _is("region", random.choice(_REGIONS)),
        _at_least("amount", random.randrange(20, 120)),
    ]
    return _rule("order", when, Number(random.randrange(5, 100)))


def _large(random: Random) -> Rule:
    low = random.randrange(20, 150)
    when = [
        _is("channel", random.choice(CHANNELS)),
        _at_least("amount", low),
        Compare("<", fact("amount"), Number(low + 20)),
    ]
    return _rule("order", when, Number(random.randrange(5, 100)))


def _visits(random: Random) -> Rule:
    return _rule(
        "order",
        [Compare("=", fact("member.purchases"), Number(random.randrange(50)))],
        Number(random.randrange(5, 100)),
    )


def _app_or_large(random: Random) -> Rule:
    either = Or((_is("channel", "app"), _at_least("amount", random.randrange(80, 200))))
    when = [_is("region", random.choice(_REGIONS)), _is("weekday", random.choice(WEEKDAYS)), either]
    return _rule("order", when, Number(random.randrange(5, 100)))


def _category(random: Random) -> Rule:
    when = [_is("line.category", random.choice(_CATEGORIES)), _at_least("line.amount", random.randrange(1, 20))]
    return _rule("line", when, *_times(random, "line.base"), over_base=True)


def _product(random: Random) -> Rule:
    when = [_is("line.product", random.choice(_PRODUCTS)), _at_least("line.quantity", random.randrange(1, 4))]
    return _rule("line", when, Number(random.randrange(5, 50)))


def _brands(random: Random) -> Rule:
    when = [_among("line.brand", random.sample(_BRANDS, 3)), _at_least("line.amount", random.randrange(1, 20))]
    return _rule("line", when, Number(random.randrange(5, 50)))


def _department(random: Random) -> Rule:
    when = [_is("line.department", random.choice(_DEPARTMENTS)), _is("member.tier", random.choice(_TIERS))]
    return _rule("line", when, *_times(random, "line.base"), over_base=True)


def _margin(random: Random) -> Rule:
    when = [
        *_between(random),
        _is("line.margin", random.choice(_MARGINS)),
        _is("region", random.choice(_REGIONS)),
        _at_least("line.amount", random.randrange(5, 25)),
    ]
    return _rule("line", when, *_times(random, "line.base"), over_base=True)


def _dear(random: Random) -> Rule:
    return _rule("line", [_at_least("line.amount", random.randrange(35, 60))], Number(random.randrange(5, 50)))


def _several(random: Random) -> Rule:
    where = And((_is("line.category", random.choice(_CATEGORIES)), _at_least("line.amount", random.randrange(1, 20))))
    when = [
        Compare(">=", Aggregate("count", None, where), Number(random.randrange(1, 3))),
        _at_least("amount", random.randrange(20, 60)),
    ]
    return _rule("order", when, Number(random.randrange(5, 100)))


_OF_ORDERS: Final = (
    _happy_hour,
    _for_tiers,
    _for_stores,
    _weekday,
    _birthday,
    _by_payment,
    _large,
    _visits,
    _app_or_large,
)
_OF_LINES: Final = (_category, _product, _brands, _department, _margin, _dear, _several)

_OF_ANY: Final[tuple[Callable[[Random], Node], ...]] = (
    lambda random: _is("channel", random.choice(CHANNELS)),
    lambda random: _is("region", random.choice(_REGIONS)),
    lambda random: _is("payment", random.choice(_PAYMENTS)),
    lambda random: _among("member.tier", random.sample(_TIERS, 2)),
    lambda random: _among("weekday", random.sample(WEEKDAYS, 2)),
    lambda random: _at_least("amount", random.randrange(20, 120)),
    lambda random: _at_least("quantity", random.randrange(2, 9)),
    lambda random: _at_least("lines", random.randrange(1, 6)),
    lambda random: _at_least("member.purchases", random.randrange(50)),
    lambda random: Compare("<", fact("month"), Number(random.randrange(2, 13))),
    lambda random: Compare("<>", fact("day"), Number(random.randrange(1, 29))),
    lambda random: Compare("<", fact("local_time"), Time(random.randrange(8, 19) * _HOUR)),
    lambda random: Compare(
        ">=", Aggregate("count", None, _is("line.category", random.choice(_CATEGORIES))), Number(random.randrange(1, 3))
    ),
)
"""Conditions to be taken several at a time."""


# Purchases ------------------------------------------------------------------------------------------------------------


def _purchase(random: Random, day: int) -> Facts:
    lines = [_line(random) for _ in range(_LINES)]
    places = LAYOUT.places
    order: list[Any] = [None] * LAYOUT.order
    known: dict[str, Any] = {
        "channel": random.choice(CHANNELS),
        "store": random.choice(STORES),
        "region": random.choice(_REGIONS),
        "currency": "EUR",
        "amount": sum(line[places["line.amount"].index] for line in lines),
        "payment": random.choice(_PAYMENTS),
        "quantity": sum(line[places["line.quantity"].index] for line in lines),
        "lines": len(lines),
        "date": day,
        "local_time": random.randrange(8 * _HOUR, 21 * _HOUR),
        "weekday": random.choice(WEEKDAYS),
        "month": 7,
        "day": 2,
        "days": frozenset(),
        "member.id": "m",
        "member.tier": random.choice(_TIERS),
        "member.segments": frozenset(),
        "member.birth_month": random.randrange(1, 13),
        "member.purchases": random.randrange(50),
        "member.first_purchase": False,
    }
    for name, value in known.items():
        order[places[name].index] = value
    return Facts(day, order, lines)


def _line(random: Random) -> list[Any]:
    known: dict[str, Any] = {
        "line.product": random.choice(_PRODUCTS),
        "line.category": random.choice(_CATEGORIES),
        "line.department": random.choice(_DEPARTMENTS),
        "line.brand": random.choice(_BRANDS),
        "line.margin": random.choice(_MARGINS),
        "line.quantity": random.randrange(1, 5),
        "line.amount": random.randrange(50, 4_000),
    }
    line: list[Any] = [None] * LAYOUT.line
    for name, value in known.items():
        line[LAYOUT.places[name].index] = value
    return line
