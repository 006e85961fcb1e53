"""Rules worked out from their trees, node by node: what compiled code must agree with, and what serves where there is
none that fits.

A number is a pair (num, den), exact, with den above zero and not always in lowest terms; None is NULL, of any type.
"""

from collections.abc import Callable, Mapping, Sequence
from math import gcd, lcm
from typing import Any, Final

from loyalty.rules.evaluation import Evaluation, Facts, Failure, Hit, Values
from loyalty.rules.ruleset import Rule, RuleSet
from loyalty.rules.schema import BASE
from loyalty.rules.tree import (
    LIMIT,
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
)

Pair = tuple[int, int]
_TYPES: Final[dict[str, type]] = {
    "number": int,
    "text": str,
    "truth": bool,
    "date": int,
    "time": int,
    "names": frozenset,
}


class Interpreter:
    """The rules of a rule set, interpreted; an ``Evaluator``."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self._base_scale = rules.rules[rules.base].scale

    def evaluate(self, facts: Facts) -> Evaluation:
        """Work out every rule in force. Fills in the base places of ``facts``; raises nothing."""
        hits: list[Hit] = []
        failures: list[Failure] = []
        base = self.rules.base
        for values in (facts.order, *facts.lines):
            values[BASE] = 0
        for place in (base, *range(base), *range(base + 1, len(self.rules.rules))):
            rule = self.rules.rules[place]
            if not _in_force(rule, facts):
                continue
            try:
                hit = self._on_lines(place, rule, facts) if rule.on == "line" else self._on_whole(place, rule, facts)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one rule, the others still count
                failures.append(Failure(place, type(error).__name__))
                continue
            if hit is not None:
                hits.append(hit)
                if place == base:
                    _fill_in(facts, hit)
        return Evaluation(sorted(hits, key=lambda hit: hit.rule), sorted(failures))

    def _on_whole(self, place: int, rule: Rule, facts: Facts) -> Hit | None:
        earned = self._earned(rule, _Reader(facts.order, None, facts.lines), facts.order)
        if earned is None:
            return None
        den = rule.scale or _lowest(earned)[1]
        return Hit(place, _within(_scaled(earned, den), den), den)

    def _on_lines(self, place: int, rule: Rule, facts: Facts) -> Hit | None:
        found = [self._earned(rule, _Reader(facts.order, line, ()), line) for line in facts.lines]
        den = rule.scale or lcm(*(_lowest(earned)[1] for earned in found if earned is not None))
        shares = tuple(0 if earned is None else _scaled(earned, den) for earned in found)
        total = sum(shares)
        return Hit(place, _within(total, den), den, shares) if total else None

    def _earned(self, rule: Rule, reader: "_Reader", values: Values) -> Pair | None:
        """What a line, or the whole, gives: None unless the condition is true there and the award is above zero."""
        if rule.when is not None and reader.value(rule.when) is not True:
            return None
        earned: Pair | None = reader.value(rule.earn)
        if earned is not None and rule.over_base:
            earned = _plus(earned, (-values[BASE], self._base_scale))
        return earned if earned is not None and earned[0] > 0 else None


def _in_force(rule: Rule, facts: Facts) -> bool:
    return (rule.on == "event") is facts.is_event and any(first <= facts.day <= last for first, last in rule.windows)


def _fill_in(facts: Facts, hit: Hit) -> None:
    facts.order[BASE] = hit.num
    for line, share in zip(facts.lines, hit.lines or (), strict=True):
        line[BASE] = share


def _within(num: int, den: int) -> int:
    if num > LIMIT * den:
        raise OverflowError
    return num


class _Reader:
    """Works out nodes over the facts of the order and, where there is one, of a line."""

    def __init__(self, order: Values, line: Values | None, lines: Sequence[Values]) -> None:
        self.order = order
        self.line = line
        self.lines = lines

    def value(self, node: Node) -> Any:
        return _READ[type(node)](self, node)

    def field(self, node: Field) -> Any:
        values = self.order if node.scope == "order" else self.line
        if values is None:
            raise LookupError(node.name)
        value = values[node.index]
        if value is None:
            return None
        if type(value) is not _TYPES[node.type]:
            raise TypeError(node.name)
        return (value, node.scale) if node.type == "number" else value

    def compare(self, node: Compare) -> bool | None:
        left, right = self.value(node.left), self.value(node.right)
        if left is None or right is None:
            return None
        return COMPARED[node.op](_order(left, right))

    def all_of(self, node: And) -> bool | None:
        values = [self.value(item) for item in node.items]
        return False if False in values else None if None in values else True

    def any_of(self, node: Or) -> bool | None:
        values = [self.value(item) for item in node.items]
        return True if True in values else None if None in values else False

    def none_of(self, node: Not) -> bool | None:
        value = self.value(node.item)
        return None if value is None else not value

    def is_null(self, node: IsNull) -> bool:
        return self.value(node.item) is None

    def among(self, node: In) -> bool | None:
        item = self.value(node.item)
        return None if item is None else any(_order(item, self.value(value)) == 0 for value in node.values)

    def like(self, node: Like) -> bool | None:
        text = self.value(node.item)
        return None if text is None else like(text, node.parts)

    def has(self, node: Has) -> bool | None:
        names = self.value(node.item)
        return None if names is None else node.name in names

    def case(self, node: Case) -> Any:
        for when, then in node.whens:
            if self.value(when) is True:
                return self.value(then)
        return self.value(node.otherwise)

    def negative(self, node: Negative) -> Pair | None:
        item = self.value(node.item)
        return None if item is None else (-item[0], item[1])

    def arithmetic(self, node: Arithmetic) -> Pair | None:
        left, right = self.value(node.left), self.value(node.right)
        return None if left is None or right is None else _COUNTED[node.op](left, right)

    def call(self, node: Call) -> Any:
        values = [self.value(item) for item in node.args]
        if node.name == "coalesce":
            return next((value for value in values if value is not None), None)
        if node.name == "nullif":
            first, second = values
            return None if first is not None and second is not None and _order(first, second) == 0 else first
        return None if None in values else _CALLED[node.name](*values)

    def aggregate(self, node: Aggregate) -> Pair | None:
        lines = [_Reader(self.order, line, ()) for line in self.lines]
        where = node.where
        if where is not None:
            lines = [line for line in lines if line.value(where) is True]
        if node.value is None:
            return len(lines), 1
        value = node.value
        values = [found for line in lines if (found := line.value(value)) is not None]
        if node.name == "count":
            return len(values), 1
        return _AGGREGATED[node.name](values) if values else None


_READ: Final[Mapping[type, Callable[[_Reader, Any], Any]]] = {
    Field: _Reader.field,
    Number: lambda _, node: (node.num, node.den),
    Text: lambda _, node: node.value,
    Truth: lambda _, node: node.value,
    Date: lambda _, node: node.ordinal,
    Time: lambda _, node: node.seconds,
    Null: lambda _reader, _node: None,
    Arithmetic: _Reader.arithmetic,
    Negative: _Reader.negative,
    Compare: _Reader.compare,
    And: _Reader.all_of,
    Or: _Reader.any_of,
    Not: _Reader.none_of,
    IsNull: _Reader.is_null,
    In: _Reader.among,
    Like: _Reader.like,
    Has: _Reader.has,
    Case: _Reader.case,
    Call: _Reader.call,
    Aggregate: _Reader.aggregate,
}
COMPARED: Final[Mapping[str, Callable[[int], bool]]] = {
    "=": lambda order: order == 0,
    "<>": lambda order: order != 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}
"""Each comparison, of what ``_order`` says."""


def holds(condition: Node, values: Values) -> bool:
    """Whether a condition without lines is true of these facts."""
    return _Reader(values, None, ()).value(condition) is True


def constant(node: Node) -> Any:
    """The value of an expression that mentions no fact."""
    return _Reader([], None, ()).value(node)


def _order(left: Any, right: Any) -> int:
    """Below, at or above zero, as left is below, at or above right; both of one type."""
    if type(left) is tuple:
        return int(left[0] * right[1] - right[0] * left[1])
    return int(left > right) - int(left < right)


# Numbers


def _plus(left: Pair, right: Pair) -> Pair:
    if left[1] == right[1]:
        return left[0] + right[0], left[1]
    return left[0] * right[1] + right[0] * left[1], left[1] * right[1]


def _minus(left: Pair, right: Pair) -> Pair:
    return _plus(left, (-right[0], right[1]))


def _times(left: Pair, right: Pair) -> Pair:
    return left[0] * right[0], left[1] * right[1]


def _over(left: Pair, right: Pair) -> Pair:
    num, den = right
    if num == 0:
        raise ZeroDivisionError
    return (left[0] * den, left[1] * num) if num > 0 else (-left[0] * den, -left[1] * num)


_COUNTED: Final[Mapping[str, Callable[[Pair, Pair], Pair]]] = {"+": _plus, "-": _minus, "*": _times, "/": _over}


def _lowest(pair: Pair) -> Pair:
    divisor = gcd(*pair)
    return pair[0] // divisor, pair[1] // divisor


def _scaled(pair: Pair, den: int) -> int:
    """A number in 1/den, which it is a whole number of."""
    num, rest = divmod(pair[0] * den, pair[1])
    if rest:
        raise ArithmeticError
    return num


def _least(*values: Pair) -> Pair:
    least = values[0]
    for value in values[1:]:
        least = value if _order(value, least) < 0 else least
    return least


def _greatest(*values: Pair) -> Pair:
    greatest = values[0]
    for value in values[1:]:
        greatest = value if _order(value, greatest) > 0 else greatest
    return greatest


def _total(values: Sequence[Pair]) -> Pair:
    total = (0, 1)
    for value in values:
        total = _lowest(_plus(total, value))
    return total


def _round(pair: Pair) -> Pair:
    half_up = (2 * abs(pair[0]) + pair[1]) // (2 * pair[1])
    return (half_up if pair[0] >= 0 else -half_up), 1


_ASCII_LOWER: Final = {code: code + 32 for code in range(65, 91)}
_ASCII_UPPER: Final = {code: code - 32 for code in range(97, 123)}
_CALLED: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": lambda pair: (abs(pair[0]), pair[1]),
    "floor": lambda pair: (pair[0] // pair[1], 1),
    "ceil": lambda pair: (-(-pair[0] // pair[1]), 1),
    "round": _round,
    "least": _least,
    "greatest": _greatest,
    "length": lambda text: (len(text), 1),
    "lower": lambda text: text.translate(_ASCII_LOWER),
    "upper": lambda text: text.translate(_ASCII_UPPER),
}
_AGGREGATED: Final[Mapping[str, Callable[[Sequence[Pair]], Pair]]] = {
    "sum": _total,
    "min": lambda values: _least(*values),
    "max": lambda values: _greatest(*values),
}


# Texts


def like(text: str, parts: Sequence[Sequence[str | None]]) -> bool:
    """Whether a text is like a pattern, given as ``tree.Like`` has it. Between two ``%`` the first place that fits is
    the best one, so nothing is tried twice: the steps are at most the text's length times the pattern's.
    """
    pieces = [[letter for piece in part for letter in (piece or (None,))] for part in parts]
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return len(text) == len(first) and _fits(text, 0, first)
    end = len(text) - len(last)
    at = len(first)
    if at > end or not _fits(text, 0, first) or not _fits(text, end, last):
        return False
    for part in pieces[1:-1]:
        while at + len(part) <= end and not _fits(text, at, part):
            at += 1
        at += len(part)
        if at > end:
            return False
    return True


def _fits(text: str, at: int, letters: Sequence[str | None]) -> bool:
    return all(letter is None or text[at + place] == letter for place, letter in enumerate(letters))
