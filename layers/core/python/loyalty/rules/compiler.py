"""From a checked rule set to Python's own code. Imported where rules are published; functions load what it has built.

**No text of a user becomes code.** The source below is put together from the node types of ``tree``, from names that
this module makes up, and from whole numbers of its own: places of facts and scales. Every text, number, day and time
that a rule was written with goes into a row of constants beside the code. So rules that differ in their constants only
come out as the same source, which is compiled once (a shape).

**NULL without a third value.** A condition is compiled as "is true" or as "is false", whichever is asked for: NOT asks
for the other one, AND and OR ask it of their parts, a comparison asks for operands that are there. Only where a truth
value is itself compared, tested for NULL or passed on, all three come up.

**Keys.** Of the equalities that a rule cannot be true without, the one that the fewest other rules share is looked up
instead of tried; see ``compiled``.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from math import gcd, lcm
from types import CodeType
from typing import Any, Final, NamedTuple

from loyalty.rules import tree
from loyalty.rules.artifact import pack
from loyalty.rules.compiled import ALWAYS, FIRST, LINES, NAMES, ORDER, PICKED, Compiled
from loyalty.rules.ruleset import Rule, RuleSet, encode, outline
from loyalty.rules.schema import BASE
from loyalty.rules.tree import LIMIT, Node, scale_of

_OPERATORS: Final = {"=": "==", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_OPPOSITE: Final = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_MIRRORED: Final = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ARITHMETIC: Final = {"+": "+", "-": "-", "*": "*"}
_OF_TEXT: Final = {"length": "len", "lower": "lower", "upper": "upper"}
_FOLDED: Final = {"sum": "add", "min": "min", "max": "max"}
_RATIO: Final = {"+": "add2", "-": "sub2", "*": "mul2", "/": "div2"}
_OF_A_ROW: Final = re.compile(r"\b[act][0-9]+\b")
"""Names of constants and of what is worked out with them."""
_BOUND: Final = re.compile(r"\((?:most|least)[0-9]+(?: \* [0-9]+)? (<|<=|>|>=) c([0-9]+)\)")
"""The extreme of all lines beside a number of each row. Few rows are within such bounds. Bounds on facts of the order
are met more often: all rows in the order of the rules take no longer then, and their hits less to sort.
"""
_TRUE: Final = "True"
_FALSE: Final = "False"


_Windows = tuple[tuple[int, int], ...]


class Group(NamedTuple):
    """Rules that share a shape and a kind of key. As a plain tuple it is what ``Compiled`` takes."""

    event: bool
    """Whether they are rules on events."""
    kind: int
    place: int
    """Of the fact that the key is about."""
    shape: int
    sets: tuple[int, ...]
    """Places in their rows that hold the values of an IN."""
    den: int
    """Not 0 where each always gives the same, in 1/den: what it gives then ends its row."""
    members: tuple[tuple[Any, ...], ...]
    """In the order that the shape asks for, else in that of the rules. Of each rule: the place of its windows among all
    there are, the values of its key, and its row.
    """


class _Value(NamedTuple):
    """An expression as source. ``code`` may only be worked out where all of ``guards`` hold, and these hold exactly
    where the value is not NULL.
    """

    guards: tuple[str, ...]
    code: str

    @property
    def full(self) -> str:
        """None where it is NULL."""
        if not self.guards:
            return self.code
        if self.guards == (f"{self.code} is not None",):
            return self.code
        return f"({self.code} if {_all(self.guards)} else None)"


class _Key(NamedTuple):
    """An equality that a rule cannot be true without. ``part`` is the conjunct of ``when`` that it makes superfluous,
    or None; ``where`` the same of an aggregate's condition.
    """

    kind: int
    place: int
    values: tuple[Any, ...]
    part: int | None = None


def build(rules: RuleSet) -> bytes:
    """The artifact of a rule set, to be signed. Raises ValueError or LookupError for what no check lets through."""
    return pack(*_compile(rules, selecting=True), outline(rules), encode(rules))


def compiled(rules: RuleSet, *, selecting: bool = True) -> Compiled:
    """The same without packing. Without ``selecting`` no key is used: slower, and never different."""
    shapes, windows, groups = _compile(rules, selecting=selecting)
    return Compiled(shapes.__getitem__, windows, groups, lambda: rules)


def sources(rules: RuleSet) -> list[str]:
    """The source of every shape, for people and tests."""
    return list(_Book(rules, selecting=True).shapes)


def _compile(rules: RuleSet, *, selecting: bool) -> tuple[list[CodeType], list[_Windows], list[Group]]:
    book = _Book(rules, selecting=selecting)
    shapes: list[CodeType] = []
    for source in book.shapes:
        module = compile(source, "rules", "exec", dont_inherit=True, optimize=0)
        shapes += [constant for constant in module.co_consts if isinstance(constant, CodeType)]
    return shapes, list(book.windows), book.groups()


class _Book:
    """All rules written: their shapes and windows, each once, and which rule has which."""

    def __init__(self, rules: RuleSet, *, selecting: bool) -> None:
        self.shapes: dict[str, int] = {}
        self.windows: dict[_Windows, int] = {}
        self._members: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
        self._orders: dict[int, tuple[int, bool]] = {}
        candidates = [_keys(rule) if selecting else [] for rule in rules.rules]
        known: dict[tuple[bool, int], set[Any]] = defaultdict(set)
        for keys in candidates:
            for key in keys:
                known[key.kind in (PICKED, LINES), key.place].update(key.values)
        for place, (rule, keys) in enumerate(zip(rules.rules, candidates, strict=True)):
            key = min(keys, key=lambda key: _share(key, known), default=_Key(ALWAYS, 0, (None,)))
            self._write(place, rule, _Key(FIRST, 0, (None,)) if place == rules.base else key)

    def _write(self, place: int, rule: Rule, key: _Key) -> None:
        writer = _Writer(rule, key)
        shape = self.shapes.setdefault(writer.source, len(self.shapes))
        windows = self.windows.setdefault(tuple((first, last) for first, last in rule.windows), len(self.windows))
        num, den = writer.given or (0, 0)
        head = (rule.on == "event", key.kind, key.place, shape, tuple(writer.sets), den)
        row = (place, *writer.constants, *((num,) if den else ()))
        if writer.order is not None:
            self._orders[shape] = writer.order
        self._members.setdefault(head, []).append((windows, key.values, *row))

    def groups(self) -> list[Group]:
        for (_, _, _, shape, _, _), members in self._members.items():
            if shape in self._orders:
                constant, falling = self._orders[shape]
                members.sort(key=lambda member: member[_CONSTANTS + constant], reverse=falling)
        return [Group._make((*head, tuple(members))) for head, members in self._members.items()]


_CONSTANTS: Final = 3
"""Where a row's constants begin in its member of a group."""


def _share(key: _Key, known: dict[tuple[bool, int], set[Any]]) -> tuple[float, int, int]:
    """About how often a key's rule is looked at: the fewer of a fact's known values it has, the better; a purchase has
    several lines, reckoned as four, and what several of them may meet has to be sorted out.
    """
    of_lines = key.kind in (PICKED, LINES)
    share = len(key.values) / max(len(known[of_lines, key.place]), 2)
    return share * (6 if key.kind == LINES else 4 if of_lines else 1), key.kind, key.place


# Keys -----------------------------------------------------------------------------------------------------------------


def _parts(condition: Node | None) -> tuple[Node, ...]:
    """What a condition is a conjunction of, ANDs within it laid open."""
    if condition is None:
        return ()
    if isinstance(condition, tree.And):
        return tuple(part for item in condition.items for part in _parts(item))
    return (condition,)


def _keys(rule: Rule) -> list[_Key]:
    keys: list[_Key] = []
    for place, part in enumerate(_parts(rule.when)):
        if isinstance(part, tree.Has) and isinstance(part.item, tree.Field) and part.item.scope == "order":
            keys.append(_Key(NAMES, part.item.index, (part.name,)))
        equality = _equality(part)
        if equality is not None:
            field, values = equality
            if field.scope == "order":
                keys.append(_Key(ORDER, field.index, values, place))
            elif rule.on == "line":
                keys.append(_line_key(field, values, place))
        elif rule.on == "order":
            keys += [
                _line_key(field, values)
                for item in _parts(_needed(part))
                if (equality := _equality(item)) is not None
                for field, values in (equality,)
                if field.scope == "line"
            ]
    return [key for key in keys if (key.kind in (PICKED, LINES), key.place) not in _BASES]


_BASES: Final = {(True, BASE), (False, BASE)}
"""The places of what the base gives, filled in after the lookups began."""


def _line_key(field: tree.Field, values: tuple[Any, ...], part: int | None = None) -> _Key:
    if len(values) == 1:
        return _Key(PICKED, field.index, values, part)
    return _Key(LINES, field.index, values)


def _equality(part: Node) -> tuple[tree.Field, tuple[Any, ...]] | None:
    """A field, and all values with which the condition is true; it is true with each of them. None for a condition of
    another kind. A number that the field's scale cannot express is never equal to it.
    """
    match part:
        case tree.Field(type="truth"):
            return part, (True,)
        case tree.Compare(op="=", left=tree.Field() as field, right=literal) if _is_literal(literal):
            return field, _literals(field, (literal,))
        case tree.Compare(op="=", left=literal, right=tree.Field() as field) if _is_literal(literal):
            return field, _literals(field, (literal,))
        case tree.In(item=tree.Field() as field, values=literals):
            return field, _literals(field, literals)
    return None


def _is_literal(node: Node) -> bool:
    return isinstance(node, tree.Number | tree.Text | tree.Truth | tree.Date | tree.Time)


def _literals(field: tree.Field, literals: Sequence[Node]) -> tuple[Any, ...]:
    values = {value for literal in literals if (value := _literal(literal, field.scale)) is not None}
    return tuple(sorted(values))


def _literal(literal: Node, scale: int) -> Any:
    """What equals the literal in facts of that scale; None when nothing does."""
    match literal:
        case tree.Number(num=num, den=den):
            return num * scale // den if num * scale % den == 0 else None
        case tree.Date(ordinal=value) | tree.Time(seconds=value):
            return value
        case tree.Text() | tree.Truth():
            return literal.value
    raise ValueError(f"{type(literal).__name__} is no literal")


def _needed(part: Node) -> Node | None:
    """What must be true of some line for a condition of an aggregate to be true; None when nothing must."""
    match part:
        case tree.Compare(op=op, left=tree.Aggregate() as aggregate, right=tree.Number() as number):
            return aggregate.where if _needs_a_line(aggregate, op, number) else None
        case tree.Compare(op=op, left=tree.Number() as number, right=tree.Aggregate() as aggregate):
            return aggregate.where if _needs_a_line(aggregate, _MIRRORED[op], number) else None
    return None


def _needs_a_line(aggregate: tree.Aggregate, op: str, number: tree.Number) -> bool:
    """Over no line a count is 0, and anything else is NULL, which no comparison is true with."""
    if aggregate.name != "count":
        return True
    return {"=": number.num != 0, "<>": number.num == 0, ">": number.num >= 0, ">=": number.num > 0}.get(op, False)


# Source ---------------------------------------------------------------------------------------------------------------


def _all(parts: Iterable[str]) -> str:
    """Their conjunction; what is said twice is asked once, where it is said first."""
    kept = [part for part in dict.fromkeys(parts) if part != _TRUE]
    return _FALSE if _FALSE in kept else " and ".join(kept) or _TRUE


def _mentions(node: Node | None, wanted: Callable[[Node], bool]) -> bool:
    if node is None:
        return False
    return wanted(node) or any(_mentions(child, wanted) for child in _children(node))


def _children(node: Node) -> list[Node]:
    match node:
        case tree.Arithmetic() | tree.Compare():
            return [node.left, node.right]
        case tree.Negative() | tree.Not() | tree.IsNull() | tree.In() | tree.Like() | tree.Has():
            return [node.item]
        case tree.And() | tree.Or():
            return list(node.items)
        case tree.Case(whens=whens, otherwise=otherwise):
            return [*(part for when in whens for part in when), otherwise]
        case tree.Call(args=args):
            return list(args)
        case tree.Aggregate(value=value, where=where):
            return [part for part in (value, where) if part is not None]
    return []


def _is_aggregate(node: Node) -> bool:
    return isinstance(node, tree.Aggregate)


def _is_of_line(node: Node) -> bool:
    return isinstance(node, tree.Field) and node.scope == "line"


class _Writer:
    """Writes the shape of one rule, and collects its constants."""

    def __init__(self, rule: Rule, key: _Key) -> None:
        self.constants: list[Any] = []
        self.sets: list[int] = []
        self.given = None if rule.on == "line" else _fixed(rule)
        """What it gives, (num, den), where that is the same whenever it gives anything."""
        self._key = key
        self._names = 0
        self._order_facts: set[int] = set()
        self._line: str | None = None
        """What a fact of the line at hand is called, up to its place; None outside of lines."""
        self._line_facts: set[int] = set()
        self._for_all_rows: list[str] = []
        """Conjuncts that are the same for every row: without them none needs to be looked at."""
        self.order: tuple[int, bool] | None = None
        """Which constant the rows have to be sorted by, and whether falling: the rows after one that is out of bounds
        are so, too.
        """
        self._extremes: dict[str, int] = {}
        """Names of the least or most of a fact of the lines, and its place."""
        self._all_values: set[int] = set()
        """Places of facts of which the values of all lines are gathered."""
        self._before: list[str] = []
        """Statements that what is being written needs before it."""
        body = self._on_lines(rule) if rule.on == "line" else self._on_order(rule)
        row = "".join(f"c{place}, " for place in range(len(self.constants))) + ("h, " if self.given else "")
        self.source = "\n".join(
            [
                "def shape(o, lines, picked, none, add, rows):",
                *(f"    x{place} = o[{place}]" for place in sorted(self._order_facts)),
                *(f"    if not ({condition}): return" for condition in self._for_all_rows),
                *(line for name, place in sorted(self._extremes.items()) for line in _extreme(name, place)),
                *(f"    all{place} = [l[{place}] for _, l in picked]" for place in sorted(self._all_values)),
                f"    for r, {row}in rows:",
                *_indented(body, 2),
                "",
            ]
        )

    # Rules

    def _on_order(self, rule: Rule) -> list[str]:
        parts = self._kept_parts(rule)
        cheap = [part for part in parts if not _mentions(part, _is_aggregate)]
        dear = [part for part in parts if _mentions(part, _is_aggregate)]
        known = self._conjuncts(cheap)
        ahead, condition = self._bounded(self._of_rows(known))
        further = self._conjuncts(dear)
        before = self._taken()
        if self.given is not None:
            return [*ahead, *_if(condition, [*before, *_if(_all(further), ["add(h)"])])]
        earned = self._earned(rule, [*known, *further])
        before_earned = self._taken()
        scale = self._constant(rule.scale)
        given = [
            f"if v > {LIMIT} and v > {LIMIT} * {scale}: raise OverflowError",
            f"add(Hit(r, v, {scale}))",
        ]
        inner = [*before_earned, *_if(_all(earned.guards), [f"v = {earned.code}", *_if("v > 0", given)])]
        return [*ahead, *_if(condition, [*before, *_if(_all(further), inner)])]

    def _on_lines(self, rule: Rule) -> list[str]:
        parts = self._kept_parts(rule)
        of_order = [part for part in parts if not _mentions(part, _is_of_line) or _mentions(part, _is_aggregate)]
        of_line = [part for part in parts if part not in of_order]
        known = self._conjuncts(of_order)
        ahead, outer = self._bounded(self._of_rows(known) or self._by_extremes(of_line))
        if outer == _TRUE:
            outer = _all(self._by_values(of_line))
        before = self._taken()
        self._line, self._line_facts = "y", set()
        further = self._conjuncts(of_line)
        first = sorted(self._line_facts)
        earned = self._earned(rule, [*known, *further])
        later = sorted(self._line_facts - set(first))
        self._line = None
        scale = self._constant(rule.scale)
        fixed = _fixed(rule) is not None
        value = earned.code if fixed else "v"
        taken = ["if not s: p = none[:]", f"p[i] = {value}", f"s += {value}"]
        given = taken if fixed else [f"v = {earned.code}", *_if("v > 0", taken)]
        line = [f"y{place} = l[{place}]" for place in later] + _if(_all(earned.guards), given)
        return [
            *ahead,
            *before,
            *_if(
                outer,
                [
                    "s = 0",
                    "for i, l in picked:",
                    *_indented([f"y{place} = l[{place}]" for place in first] + _if(_all(further), line)),
                    "if s:",
                    f"    if s > {LIMIT} and s > {LIMIT} * {scale}: raise OverflowError",
                    f"    add(Hit(r, s, {scale}, tuple(p)))",
                ],
            ),
        ]

    def _by_extremes(self, of_line: Iterable[Node]) -> list[str]:
        """Where nothing else says which rows and lines are worth it: what the largest (or least) of a fact over all
        lines has to be. The extremes are found once for all rows, and most rows are done with then.
        """
        if self._key.kind != ALWAYS:
            return []
        conjuncts = []
        for part in of_line:
            match part:
                case tree.Compare(
                    op="<" | "<=" | ">" | ">=" as op, left=tree.Field() as field, right=tree.Number() as number
                ):
                    scale = lcm(field.scale, number.den)
                    name = f"{'least' if op[0] == '<' else 'most'}{field.index}"
                    self._extremes[name] = field.index
                    limit = self._constant(number.num * (scale // number.den))
                    conjuncts.append(f"({name}{_times(scale // field.scale)} {op} {limit})")
        return conjuncts

    def _by_values(self, of_line: Iterable[Node]) -> list[str]:
        """Where all lines are to be looked at: what some line has to have for any of them to be worth it."""
        if self._key.kind in (PICKED, LINES):
            return []
        equalities = [equality for part in of_line if (equality := _equality(part)) is not None]
        single = [(field.index, values[0]) for field, values in equalities if len(values) == 1 and field.index != BASE]
        self._all_values |= {place for place, _ in single}
        return [f"({self._constant(value)} in all{place})" for place, value in single]

    def _bounded(self, conjuncts: Sequence[str]) -> tuple[list[str], str]:
        """The conjunction, and what ends all rows ahead of it, where it begins with a bound."""
        bound = _BOUND.fullmatch(conjuncts[0]) if conjuncts else None
        if bound is None:
            return [], _all(conjuncts)
        self.order = int(bound[2]), bound[1][0] == "<"
        return [f"if not {conjuncts[0]}: break"], _all(conjuncts[1:])

    def _of_rows(self, conjuncts: Sequence[str]) -> list[str]:
        """Those that differ from row to row; the others are asked once."""
        self._for_all_rows = [
            conjunct for conjunct in dict.fromkeys(conjuncts) if conjunct != _TRUE and not _OF_A_ROW.search(conjunct)
        ]
        return [conjunct for conjunct in conjuncts if conjunct not in self._for_all_rows]

    def _kept_parts(self, rule: Rule) -> list[Node]:
        return [part for place, part in enumerate(_parts(rule.when)) if place != self._key.part]

    def _conjuncts(self, parts: Iterable[Node]) -> list[str]:
        return [conjunct for part in parts for conjunct in self._true(part)]

    def _earned(self, rule: Rule, known: Sequence[str]) -> _Value:
        """What is earned in 1/scale of the rule, less the base where it is above it; guards that are ``known`` to hold
        are left out.
        """
        if rule.scale <= 0:
            raise ValueError(f"{rule.id}: what is earned has no scale")
        if rule.over_base:
            times = _times_the_base(rule.earn, rule.scale)
            if times is not None:
                return _Value((), f"{self._base_name(rule)} * {self._constant(times)}")
        guards, code = self._scaled(rule.earn, rule.scale)
        if rule.over_base:
            code = f"{code} - {self._base_name(rule)}{_times(_exactly(rule.scale, _base_scale(rule.earn)))}"
        return _Value(tuple(guard for guard in guards if guard not in known), code)

    def _base_name(self, rule: Rule) -> str:
        if rule.on == "line":
            self._line_facts.add(0)
            return "y0"
        self._order_facts.add(0)
        return "x0"

    # Names

    def _taken(self) -> list[str]:
        before, self._before = self._before, []
        return before

    def _name(self) -> str:
        self._names += 1
        return f"t{self._names}"

    def _constant(self, value: Any) -> str:
        self.constants.append(value)
        return f"c{len(self.constants) - 1}"

    def _temporary(self, code: str) -> _Value:
        """Of code that is worth None when it is NULL."""
        name = self._name()
        return _Value((f"({name} := {code}) is not None",), name)

    # Conditions

    def _true(self, node: Node) -> list[str]:
        """Conjuncts: all of them hold exactly where the condition is true. Later ones may need those before them."""
        match node:
            case tree.Truth(value=known):
                return [str(known)]
            case tree.Null():
                return [_FALSE]
            case tree.Field(type="truth"):
                return [f"{self._value(node).code} is True"]
            case tree.And(items=items):
                return [conjunct for item in items for conjunct in self._true(item)]
            case tree.Or(items=items):
                return [self._one_of([_all(self._true(item)) for item in items])]
            case tree.Not(item=item):
                return self._false(item)
            case tree.IsNull(item=item):
                there = _all(self._value(item).guards)
                return [f"not ({there})"] if there != _TRUE else [_FALSE]
            case tree.Compare() | tree.In() | tree.Like() | tree.Has():
                value = self._test(node)
                return [*value.guards, value.code]
        return [f"{self._value(node).full} is True"]

    def _false(self, node: Node) -> list[str]:
        """The same for where it is false."""
        match node:
            case tree.Truth(value=known):
                return [str(not known)]
            case tree.Null():
                return [_FALSE]
            case tree.Field(type="truth"):
                return [f"{self._value(node).code} is False"]
            case tree.And(items=items):
                return [self._one_of([_all(self._false(item)) for item in items])]
            case tree.Or(items=items):
                return [conjunct for item in items for conjunct in self._false(item)]
            case tree.Not(item=item):
                return self._true(item)
            case tree.IsNull(item=item):
                return list(self._value(item).guards) or [_TRUE]
            case tree.Compare(op=op, left=left, right=right):
                value = self._comparison(_OPPOSITE[op], left, right)
                return [*value.guards, value.code]
            case tree.In() | tree.Like() | tree.Has():
                value = self._test(node)
                return [*value.guards, f"not {value.code}"]
        return [f"{self._value(node).full} is False"]

    @staticmethod
    def _one_of(conditions: Iterable[str]) -> str:
        kept = [condition for condition in conditions if condition != _FALSE]
        if _TRUE in kept:
            return _TRUE
        return "(" + " or ".join(kept) + ")" if kept else _FALSE

    def _test(self, node: tree.Compare | tree.In | tree.Like | tree.Has) -> _Value:
        """A condition that is NULL exactly where its operands are."""
        match node:
            case tree.Compare(op=op, left=left, right=right):
                return self._comparison(op, left, right)
            case tree.In(item=item, values=values):
                return self._in(item, values)
            case tree.Like(item=item, parts=parts):
                return self._like(item, parts)
            case tree.Has(item=item, name=name):
                value = self._value(item)
                return _Value(value.guards, f"({self._constant(name)} in {value.code})")

    def _comparison(self, op: str, left: Node, right: Node) -> _Value:
        scale = lcm(scale_of(left), scale_of(right))
        first, second = self._scaled(left, scale), self._scaled(right, scale)
        guards = (*first.guards, *second.guards)
        if scale == 0:
            return _Value(guards, f"(cmp2({first.code}, {second.code}) {_OPERATORS[op]} 0)")
        return _Value(guards, f"({first.code} {_OPERATORS[op]} {second.code})")

    def _in(self, item: Node, literals: Sequence[Node]) -> _Value:
        value, scale = self._value(item), scale_of(item)
        if scale == 0:
            pairs = tuple((literal.num, literal.den) for literal in literals if isinstance(literal, tree.Number))
            return _Value(value.guards, f"among2({value.code}, {self._constant(pairs)})")
        values = {found for literal in literals if (found := _literal(literal, scale)) is not None}
        name = self._constant(tuple(sorted(values)))
        self.sets.append(len(self.constants))
        return _Value(value.guards, f"({value.code} in {name})")

    def _like(self, item: Node, parts: Sequence[Sequence[str | None]]) -> _Value:
        value = self._value(item)
        guards, code = value
        if any(piece is None for part in parts for piece in part):
            return _Value(guards, f"like({code}, {self._constant(tuple(tuple(part) for part in parts))})")
        texts = ["".join(piece or "" for piece in part) for part in parts]
        shape = [bool(text) for text in texts]
        match shape:
            case [_]:
                return _Value(guards, f"({code} == {self._constant(texts[0])})")
            case [True, False]:
                return _Value(guards, f"{code}.startswith({self._constant(texts[0])})")
            case [False, True]:
                return _Value(guards, f"{code}.endswith({self._constant(texts[1])})")
            case [False, True, False]:
                return _Value(guards, f"({self._constant(texts[1])} in {code})")
        return _Value(guards, f"like({code}, {self._constant(tuple(tuple(part) for part in parts))})")

    # Values

    def _scaled(self, node: Node, scale: int) -> _Value:
        """A value in 1/scale; as a pair where the scale is 0. Of what is no number the scale is 1."""
        if isinstance(node, tree.Number) and scale:
            return _Value((), self._constant(node.num * _exactly(scale, node.den)))
        value, own = self._value(node), scale_of(node)
        if own == scale:
            return value
        if scale == 0:
            return _Value(value.guards, f"({value.code}, {own})")
        return _Value(value.guards, f"{value.code}{_times(_exactly(scale, own))}")

    def _value(self, node: Node) -> _Value:
        """A value in its own scale."""
        match node:
            case tree.Field():
                return self._fact(node)
            case tree.Number(num=num):
                return _Value((), self._constant(num))
            case tree.Text() | tree.Date() | tree.Time():
                return _Value((), self._constant(_literal(node, 1)))
            case tree.Truth(value=known):
                return _Value((), str(known))
            case tree.Null():
                return _Value((_FALSE,), "None")
            case tree.Arithmetic(op=op, left=left, right=right):
                return self._arithmetic(op, left, right)
            case tree.Negative(item=item):
                value = self._value(item)
                return _Value(value.guards, f"(-{value.code})" if scale_of(item) else f"neg2({value.code})")
            case tree.Case(whens=whens, otherwise=otherwise):
                return self._case(whens, otherwise, scale_of(node))
            case tree.Call():
                return self._call(node)
            case tree.Aggregate():
                return self._aggregate(node)
            case _:
                return self._truth(node)

    def _truth(self, node: Node) -> _Value:
        """A condition as a value."""
        match node:
            case tree.Compare() | tree.In() | tree.Like() | tree.Has():
                return self._test(node)
            case tree.Not(item=item):
                value = self._value(item)
                return _Value(value.guards, f"(not {value.code})")
            case tree.IsNull():
                return _Value((), f"({_all(self._true(node))})")
            case tree.And(items=items):
                return self._temporary(f"both({', '.join(self._value(item).full for item in items)})")
            case tree.Or(items=items):
                return self._temporary(f"either({', '.join(self._value(item).full for item in items)})")
        raise ValueError(f"{type(node).__name__} is no node of the language")

    def _fact(self, field: tree.Field) -> _Value:
        if type(field.index) is not int or type(field.scale) is not int:
            raise ValueError("places and scales are whole numbers")
        if field.scope == "order":
            self._order_facts.add(field.index)
            name = f"x{field.index}"
        elif self._line is None:
            raise ValueError(f"{field.name} outside of a line")
        else:
            self._line_facts.add(field.index)
            name = f"{self._line}{field.index}"
        if field.index == BASE:
            return _Value((), name)
        return _Value((f"{name} is not None",), name)

    def _arithmetic(self, op: str, left: Node, right: Node) -> _Value:
        if op == "/" and isinstance(right, tree.Number):
            return self._divided(left, right)
        scales = scale_of(left), scale_of(right)
        if op == "/" or 0 in scales:
            first, second = self._scaled(left, 0), self._scaled(right, 0)
            return _Value((*first.guards, *second.guards), f"{_RATIO[op]}({first.code}, {second.code})")
        together = lcm(*scales)
        first, second = (
            (self._value(left), self._value(right))
            if op == "*"
            else (self._scaled(left, together), self._scaled(right, together))
        )
        return _Value((*first.guards, *second.guards), f"({first.code} {_ARITHMETIC[op]} {second.code})")

    def _divided(self, left: Node, right: tree.Number) -> _Value:
        """By a constant: what it does not say in whole numbers goes into the scale."""
        value, scale = self._value(left), scale_of(left)
        sign = -1 if right.num < 0 else 1
        if right.num == 0:
            raise ValueError("a division by zero")
        if scale == 0:
            inverse = self._constant((right.den * sign, abs(right.num)))
            return _Value(value.guards, f"mul2({value.code}, {inverse})")
        factor = right.den // gcd(scale, right.den) * sign
        return _Value(value.guards, f"({value.code}{_times(factor)})")

    def _case(self, whens: Sequence[tuple[Node, Node]], otherwise: Node, scale: int) -> _Value:
        code = ""
        for condition, result in whens:
            when = _all(self._true(condition))
            code += f"{self._scaled(result, scale).full} if {when} else "
        return self._temporary(f"({code}{self._scaled(otherwise, scale).full})")

    def _call(self, node: tree.Call) -> _Value:
        scale = scale_of(node)
        match node.name:
            case "floor" | "ceil" | "round":
                return self._rounded(node.name, node.args[0])
            case "coalesce":
                return self._coalesce(node.args, scale)
            case "nullif":
                return self._nullif(*node.args)
            case "least" | "greatest":
                return self._extreme("min" if node.name == "least" else "max", node.args, scale)
        value = self._value(node.args[0])
        if node.name != "abs":
            return _Value(value.guards, f"{_OF_TEXT[node.name]}({value.code})")
        return _Value(value.guards, f"abs({value.code})" if scale else f"max2({value.code}, neg2({value.code}))")

    def _rounded(self, how: str, item: Node) -> _Value:
        value, scale = self._value(item), scale_of(item)
        if scale == 1:
            return value
        return _Value(value.guards, f"{how}({value.code}, {scale})" if scale else f"{how}(*{value.code})")

    def _extreme(self, how: str, args: Sequence[Node], scale: int) -> _Value:
        values = [self._scaled(item, scale) for item in args]
        guards = tuple(guard for value in values for guard in value.guards)
        if len(values) == 1:
            return values[0]
        name = how if scale else f"{how}2"
        return _Value(guards, f"{name}({', '.join(value.code for value in values)})")

    def _coalesce(self, args: Sequence[Node], scale: int) -> _Value:
        code = ""
        *tried, last = (self._scaled(item, scale) for item in args)
        for value in tried:
            code += f"{value.code} if {_all(value.guards)} else "
        return self._temporary(f"({code}{last.full})")

    def _nullif(self, item: Node, other: Node) -> _Value:
        """The item, unless it equals the other."""
        value, name = self._value(item), self._name()
        scale = scale_of(item)
        together = lcm(scale, scale_of(other))
        against = self._scaled(other, together)
        if together == 0:
            mine = f"({name}, {scale})" if scale else name
            same = f"cmp2({mine}, {against.code}) == 0"
        else:
            same = f"{name}{_times(_exactly(together, scale))} == {against.code}"
        unequal = f"not ({_all([*against.guards, same])})"
        return _Value((f"({name} := {value.full}) is not None", unequal), name)

    def _aggregate(self, node: tree.Aggregate) -> _Value:
        """Worked out in a loop of its own, before what needs it."""
        if self._line is not None:
            raise ValueError("an aggregate within a line")
        name = self._name().replace("t", "a")
        outer, self._before = self._before, []
        self._line, self._line_facts = "z", set()
        parts = _parts(node.where)
        loop = "for m in lines:"
        if self._key.kind == PICKED:
            kept = [part for part in parts if not self._is_key(part)]
            loop, parts = ("for _, m in picked:", tuple(kept)) if len(kept) < len(parts) else (loop, parts)
        where = _all(self._conjuncts(parts))
        value = None if node.value is None else self._value(node.value)
        step = self._step(node, name, value)
        guards = _TRUE if value is None else _all(value.guards)
        self._before = [
            *outer,
            f"{name} = {0 if node.name == 'count' else None}",
            loop,
            *(f"    z{place} = m[{place}]" for place in sorted(self._line_facts)),
            *_indented(_if(where, _if(guards, [step]))),
        ]
        self._line = None
        return _Value(() if node.name == "count" else (f"{name} is not None",), name)

    def _is_key(self, part: Node) -> bool:
        equality = _equality(part)
        if equality is None:
            return False
        field, values = equality
        return field.scope == "line" and (field.index, values) == (self._key.place, self._key.values)

    @staticmethod
    def _step(node: tree.Aggregate, name: str, value: _Value | None) -> str:
        if node.name == "count":
            return f"{name} += 1"
        if value is None or node.value is None:
            raise ValueError(f"{node.name} of nothing")
        code, ratio = value.code, scale_of(node.value) == 0
        if node.name == "sum" and not ratio:
            return f"{name} = {code} if {name} is None else {name} + {code}"
        how = _FOLDED[node.name] + ("2" if ratio else "")
        return f"{name} = {code} if {name} is None else {how}({name}, {code})"


def _base_scale(earn: Node) -> int:
    """Scale of the base that an earning speaks of."""
    if isinstance(earn, tree.Field) and earn.name in ("base", "line.base"):
        return earn.scale
    return max((_base_scale(child) for child in _children(earn)), default=0)


def _extreme(name: str, place: int) -> list[str]:
    """Over the lines that have the fact at all; without any, no row is met."""
    value, better = f"y{place}", "<" if name.startswith("least") else ">"
    return [
        f"    {name} = None",
        "    for _, l in picked:",
        f"        {value} = l[{place}]",
        f"        if {value} is not None and ({name} is None or {value} {better} {name}): {name} = {value}",
        f"    if {name} is None: return",
    ]


def _fixed(rule: Rule) -> tuple[int, int] | None:
    """(num, den) of what a rule gives that always gives the same."""
    if not isinstance(rule.earn, tree.Number) or rule.over_base:
        return None
    num = rule.earn.num * _exactly(rule.scale, rule.earn.den)
    return (num, rule.scale) if 0 < num <= LIMIT * rule.scale else None


def _times_the_base(earn: Node, scale: int) -> int | None:
    """How many of 1/scale it gives above the base for each one that the base has, for an earning that is just a
    multiple of the base.
    """
    match earn:
        case tree.Arithmetic(op="*", left=tree.Number() as number, right=tree.Field(index=index) as base):
            pass
        case tree.Arithmetic(op="*", left=tree.Field(index=index) as base, right=tree.Number() as number):
            pass
        case _:
            return None
    if index != BASE:
        return None
    return number.num * _exactly(scale, number.den * base.scale) - _exactly(scale, base.scale)


def _exactly(scale: int, own: int) -> int:
    """How many of 1/scale one of 1/own is."""
    if own <= 0 or scale % own:
        raise ValueError(f"1/{own} cannot be said in 1/{scale}")
    return scale // own


def _times(factor: int) -> str:
    return "" if factor == 1 else f" * {factor}" if factor >= 0 else f" * ({factor})"


def _if(condition: str, lines: Sequence[str]) -> list[str]:
    return list(lines) if condition == _TRUE else [f"if {condition}:", *_indented(lines)]


def _indented(lines: Iterable[str], depth: int = 1) -> list[str]:
    return ["    " * depth + line for line in lines]
