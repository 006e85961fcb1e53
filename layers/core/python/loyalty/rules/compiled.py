"""Rules as compiled code: what ``compiler`` made of a rule set, put to work. Light to import: functions load it.

**Shapes.** Rules that differ in nothing but their constants share one function, a shape; a rule is a row of constants.
A shape works out many rows in one call, and reads from globals that hold the few functions below and nothing else.

**Selection.** Which rows are worth a look follows from the day, by their windows, and from the facts, by one equality
that each rule cannot do without (its key). The rows of a day are sorted into tables by key once, and kept as its plan.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from types import CodeType, FunctionType
from typing import Any, Final

from loyalty.rules.evaluation import Evaluation, Facts, Failure, Hit, Values
from loyalty.rules.ruleset import RuleSet
from loyalty.rules.schema import BASE

FIRST: Final = -1
ALWAYS: Final = 0
ORDER: Final = 1
NAMES: Final = 2
PICKED: Final = 3
LINES: Final = 4
"""Kinds of key. The base comes first; a rule without a key is always looked at. Else a fact of the order is one of the
key's values; a name is among those of a fact of the order; a fact of some line is the key's one value, or one of its
values, and a rule on lines only looks at such lines (where several of the values are met, at all).
"""
PLANS: Final = 64
"""Days whose plans are kept."""
FEW: Final = 3
"""Up to so many values a tuple is searched faster than a set."""

_PLACE: Final = attrgetter("rule")
_new: Final = tuple.__new__

Pair = tuple[int, int]
"""A ratio: (numerator, denominator), the denominator above zero."""
Picked = Sequence[tuple[int, Values]]
"""Lines to look at, with their places."""
Row = tuple[Any, ...]
"""A rule's place among the rules, then its constants."""
Shape = Callable[[Values, Sequence[Values], Picked, list[int], Callable[[Hit], None], Sequence[Row]], None]
"""(facts of the order, facts of each line, lines to look at, a zero for each line, what takes the hits, rows)."""
Groups = tuple[tuple[Shape, tuple[Row, ...]], ...]
Look = Callable[[Any], Groups | None]
"""The ``get`` of a table of rows by key."""
Tables = Sequence[tuple[int, Look]]


class Plan:
    """The rows in force on a day, for purchases or for events: first those without a key, then tables by key and the
    place of the fact that is looked up.
    """

    __slots__ = ("always", "base", "lines", "names", "order", "picked")

    def __init__(self, base: Groups, always: Groups, *tables: Tables) -> None:
        """``tables`` are those of the kinds ORDER, NAMES, PICKED and LINES, in this order."""
        self.base = base
        self.always = always
        self.order, self.names, self.picked, self.lines = tables


class Compiled:
    """A rule set's compiled conditions and earnings; an ``Evaluator``. ``selecting=False`` leaves keys aside and looks
    at every rule in force, and must come to the same.
    """

    def __init__(
        self,
        shape: Callable[[int], CodeType],
        windows: Sequence[tuple[tuple[int, int], ...]],
        groups: Sequence[tuple[Any, ...]],
        rules: Callable[[], RuleSet],
    ) -> None:
        """``shape`` gives the code of a shape by its number, ``rules`` the rule set; both are asked for what is needed,
        when it is needed, and once.
        """
        self._shape = shape
        self._functions: dict[int, Shape] = {}
        self._windows = windows
        self._groups = groups
        self._whole = rules
        self._plans: OrderedDict[tuple[int, bool], Plan] = OrderedDict()
        self._day = 0
        self._latest = Plan((), (), (), (), (), ())

    @cached_property
    def rules(self) -> RuleSet:
        """The rule set, read when it is first asked for. Raises Corrupt, which a verified artifact never does."""
        return self._whole()

    @property
    def planned(self) -> int:
        """How many plans are kept: one for the purchases of a day, one for its events."""
        return len(self._plans)

    def evaluate(self, facts: Facts) -> Evaluation:
        """Work out every rule in force. Fills in the base places of ``facts``; raises nothing."""
        day, order, lines = facts
        plan = self._latest if day == self._day and lines else self._plan(day, not lines)
        hits: list[Hit] = []
        add = hits.append
        try:
            everything = list(enumerate(lines))
            none = [0] * len(lines)
            for shape, rows in plan.base:
                shape(order, lines, everything, none, add, rows)
            _fill_in_base(order, lines, hits)
            for shape, rows in plan.always:
                shape(order, lines, everything, none, add, rows)
            for place, look in plan.order:
                if (groups := look(order[place])) is not None:
                    for shape, rows in groups:
                        shape(order, lines, everything, none, add, rows)
            for picked, groups in _by_names_and_lines(plan, order, everything):
                for shape, rows in groups:
                    shape(order, lines, picked, none, add, rows)
        except Exception:  # noqa: BLE001 - whatever a rule does wrong, the others must still count
            return _one_by_one(plan, order, lines)
        hits.sort(key=_PLACE)
        return _new(Evaluation, (hits, []))

    def _plan(self, day: int, event: bool) -> Plan:
        plans, key = self._plans, (day, event)
        plan = plans.get(key)
        if plan is None:
            plan = plans[key] = self._make(day, event)
            if len(plans) > PLANS:
                plans.popitem(last=False)
        else:
            plans.move_to_end(key)
        if not event:
            self._day, self._latest = day, plan
        return plan

    def _make(self, day: int, event: bool) -> Plan:
        tables: dict[tuple[int, int], dict[Any, dict[tuple[int, int], list[Row]]]] = {}
        open_now = [any(first <= day <= last for first, last in windows) for windows in self._windows]
        for of_event, kind, place, shape, sets, den, members in self._groups:
            if of_event is event:
                table = tables.setdefault((kind, place), {})
                for windows, values, *row in members:
                    if open_now[windows]:
                        ready = _ready(row, sets, den)
                        for value in values:
                            table.setdefault(value, {}).setdefault((shape, den), []).append(ready)
        made: dict[int, list[tuple[int, Look]]] = {}
        for (kind, place), table in sorted(tables.items(), key=lambda item: item[0]):
            if table:
                by_value = {value: self._by_shape(rows) for value, rows in table.items()}
                made.setdefault(kind, []).append((place, by_value.get))
        base, always = (made[kind][0][1](None) or () if kind in made else () for kind in (FIRST, ALWAYS))
        return Plan(base, always, *(made.get(kind, []) for kind in (ORDER, NAMES, PICKED, LINES)))

    def _by_shape(self, rows: Mapping[tuple[int, int], Sequence[Row]]) -> Groups:
        return tuple((self._function(shape), tuple(of_shape)) for (shape, _), of_shape in rows.items())

    def _function(self, shape: int) -> Shape:
        function = self._functions.get(shape)
        if function is None:
            function = self._functions[shape] = FunctionType(self._shape(shape), GLOBALS)
        return function


def _ready(row: list[Any], sets: Sequence[int], den: int) -> Row:
    """A row as its shape takes it: with sets, and with a hit, which no artifact can hold."""
    for place in sets:
        if len(row[place]) > FEW:
            row[place] = frozenset(row[place])
    if den:
        row[-1] = Hit(row[0], row[-1], den)
    return tuple(row)


def _fill_in_base(order: Values, lines: Sequence[Values], hits: Sequence[Hit]) -> None:
    """Of the base rule's hit, if it is one."""
    shares = hits[0].lines if hits else None
    if shares:
        order[BASE] = hits[0].num
        for place, line in enumerate(lines):
            line[BASE] = shares[place]
    else:
        for values in (order, *lines):
            values[BASE] = 0


def _by_names_and_lines(plan: Plan, order: Values, everything: Picked) -> list[tuple[Picked, Groups]]:
    """The rows whose key is a name or a fact of the lines and is met, with the lines that they are to look at."""
    worth: list[tuple[Picked, Groups]] = []
    for place, look in plan.names:
        worth += [(everything, groups) for groups in _found(look, order[place])]
    for several, tables in ((False, plan.picked), (True, plan.lines)):
        for place, look in tables:
            found: dict[Any, tuple[list[tuple[int, Values]], Groups]] = {}
            for numbered in everything:
                if (groups := look(value := numbered[1][place])) is not None:
                    if value in found:
                        found[value][0].append(numbered)
                    else:
                        found[value] = ([numbered], groups)
            if several and len(found) > 1:
                worth.append((everything, _once(groups for _, groups in found.values())))
            elif found:
                worth += found.values()
    return worth


def _found(look: Look, names: Any) -> list[Groups]:
    """By each of a set of names."""
    return [groups for name in names if (groups := look(name)) is not None] if type(names) is frozenset else []


def _once(several: Iterable[Groups]) -> Groups:
    """All rows of several groups, each once."""
    rows = {row[0]: (shape, (row,)) for groups in several for shape, of_shape in groups for row in of_shape}
    return tuple(rows.values())


def _one_by_one(plan: Plan, order: Values, lines: Sequence[Values]) -> Evaluation:
    """The slow way, for facts over which some rule fails: every row by itself."""
    hits: list[Hit] = []
    failures: list[Failure] = []

    def work_out(picked: Picked, groups: Groups) -> None:
        for shape, rows in groups:
            for row in rows:
                try:
                    shape(order, lines, picked, none, hits.append, (row,))
                except Exception as error:  # noqa: BLE001 - whatever it is, it is reported as this rule's
                    failures.append(Failure(row[0], type(error).__name__))

    everything = list(enumerate(lines))
    none = [0] * len(lines)
    work_out(everything, plan.base)
    _fill_in_base(order, lines, hits)
    plan = _careful(plan)
    work_out(everything, plan.always)
    for place, look in plan.order:
        work_out(everything, look(order[place]) or ())
    for picked, groups in _by_names_and_lines(plan, order, everything):
        work_out(picked, groups)
    return Evaluation(sorted(hits, key=_PLACE), sorted(failures))


def _careful(plan: Plan) -> Plan:
    """The same, but what cannot be looked up is among no keys."""
    tables = (plan.order, plan.names, plan.picked, plan.lines)
    careful = [[(place, _looking(look)) for place, look in of_kind] for of_kind in tables]
    return Plan(plan.base, plan.always, *careful)


def _looking(look: Look) -> Look:
    def carefully(value: Any) -> Groups | None:
        try:
            return look(value)
        except TypeError:
            return None

    return carefully


# What compiled code may call ------------------------------------------------------------------------------------------


def _add(left: Pair, right: Pair) -> Pair:
    return left[0] * right[1] + right[0] * left[1], left[1] * right[1]


def _sub(left: Pair, right: Pair) -> Pair:
    return left[0] * right[1] - right[0] * left[1], left[1] * right[1]


def _mul(left: Pair, right: Pair) -> Pair:
    return left[0] * right[0], left[1] * right[1]


def _div(left: Pair, right: Pair) -> Pair:
    num, den = right
    if num == 0:
        raise ZeroDivisionError
    return (left[0] * den, left[1] * num) if num > 0 else (-left[0] * den, -left[1] * num)


def _neg(item: Pair) -> Pair:
    return -item[0], item[1]


def _compare(left: Pair, right: Pair) -> int:
    """Below, at or above zero as left is below, equal to or above right."""
    return left[0] * right[1] - right[0] * left[1]


def _least(*items: Pair) -> Pair:
    least = items[0]
    for item in items[1:]:
        if _compare(item, least) < 0:
            least = item
    return least


def _greatest(*items: Pair) -> Pair:
    greatest = items[0]
    for item in items[1:]:
        if _compare(item, greatest) > 0:
            greatest = item
    return greatest


def _among(item: Pair, values: Sequence[Pair]) -> bool:
    return any(_compare(item, value) == 0 for value in values)


def _floor(num: int, den: int) -> int:
    return num // den


def _ceil(num: int, den: int) -> int:
    return -(-num // den)


def _round(num: int, den: int) -> int:
    """Half away from zero."""
    return (2 * num + den) // (2 * den) if num >= 0 else -((den - 2 * num) // (2 * den))


def _both(*items: bool | None) -> bool | None:
    return False if False in items else None if None in items else True


def _either(*items: bool | None) -> bool | None:
    return True if True in items else None if None in items else False


_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_UPPER: Final = {lower: upper for upper, lower in _LOWER.items()}


def _lower(text: str) -> str:
    return text.translate(_LOWER)


def _upper(text: str) -> str:
    return text.translate(_UPPER)


def _like(text: str, parts: Sequence[Sequence[str | None]]) -> bool:
    """Whether the parts follow each other in the text, the first at its beginning and the last at its end. Every part
    between takes the first place it fits, so no part is ever tried at one place twice.
    """
    head, tail = parts[0], parts[-1]
    size, least = len(text), _width(tail)
    if len(parts) == 1:
        return size == least and _fits(text, 0, head)
    at = _width(head)
    end = size - least
    if at > end or not _fits(text, 0, head) or not _fits(text, end, tail):
        return False
    for part in parts[1:-1]:
        width = _width(part)
        while at + width <= end and not _fits(text, at, part):
            at += 1
        at += width
        if at > end:
            return False
    return True


def _width(part: Sequence[str | None]) -> int:
    return sum(1 if piece is None else len(piece) for piece in part)


def _fits(text: str, at: int, part: Sequence[str | None]) -> bool:
    for piece in part:
        if piece is None:
            at += 1
        elif text.startswith(piece, at):
            at += len(piece)
        else:
            return False
    return True


GLOBALS: Final[dict[str, Any]] = {
    "__builtins__": {},
    "Hit": Hit,
    "OverflowError": OverflowError,
    "abs": abs,
    "len": len,
    "max": max,
    "min": min,
    "sum": sum,
    "tuple": tuple,
    "add2": _add,
    "sub2": _sub,
    "mul2": _mul,
    "div2": _div,
    "neg2": _neg,
    "cmp2": _compare,
    "min2": _least,
    "max2": _greatest,
    "among2": _among,
    "floor": _floor,
    "ceil": _ceil,
    "round": _round,
    "both": _both,
    "either": _either,
    "lower": _lower,
    "upper": _upper,
    "like": _like,
}
"""All that compiled code can reach by name."""
