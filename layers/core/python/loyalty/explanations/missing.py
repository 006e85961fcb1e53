"""What a rule's condition lacked: the conditions within it that were not true, told by what they are on. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from loyalty.rules.evaluation import Facts
from loyalty.rules.interpret import Interpreter
from loyalty.rules.ruleset import Names, On, Rule, RuleSet
from loyalty.rules.schema import layout
from loyalty.rules.tree import (
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
    Number,
    Or,
    Text,
    Time,
    Truth,
)

What = Literal["day", "time", "channel", "payment", "store", "amount", "pieces", "goods", "said"]
"""What is lacking: a condition that somebody could have met."""
ORDER: Final[tuple[What, ...]] = ("channel", "payment", "store", "goods", "said", "pieces", "amount", "time", "day")
"""In which they are made good: what moves it all in time comes last."""


class Lack(NamedTuple):
    """What kind of thing is lacking, and the conditions that say so. ``line`` counts from 0; -1 is the order."""

    what: What
    conditions: tuple[Node, ...]
    line: int = -1


class Missing:
    """Finds out which conditions of rules were not true for an occasion."""

    def __init__(self, rules: RuleSet, facts: Facts) -> None:
        self.rules = rules
        self.facts = facts
        self.lines = len(facts.lines)
        amount = layout().places["line.amount"].index
        self._lines = sorted(range(self.lines), key=lambda line: (-facts.lines[line][amount], line))
        """The dearest first: of two that lack as much it gives more."""

    def of(self, missed: Sequence[Rule]) -> list[tuple[Rule, tuple[Lack, ...]]]:
        """What each rule lacks; a rule that lacks something that nobody could change is left out."""
        trees = [None if rule.when is None else wanted(rule.when, truth=True) for rule in missed]
        asked = zip(missed, trees, strict=True)
        true = self._true({(atom, rule.on == "line") for rule, tree in asked if tree for atom in atoms_of(tree)})
        found = []
        for rule, tree in zip(missed, trees, strict=True):
            lacks = self._lacks(rule, tree, true)
            if lacks:
                found.append((rule, lacks))
        return found

    def _true(self, atoms: set[tuple[Node, bool]]) -> dict[tuple[Node, bool], tuple[bool, ...]]:
        """Whether conditions are true: of those on lines for each line, of others once. All of them in one go."""
        ordered = list(atoms)
        whole: Literal["event", "order"] = "event" if self.facts.is_event else "order"
        base = self.rules.rules[self.rules.base]
        probes = [probe(atom, "line" if on_lines else whole) for atom, on_lines in ordered]
        asked = Interpreter(replace(self.rules, rules=(base, *probes), base=0))
        hits = {hit.rule - 1: hit.lines for hit in asked.evaluate(self.facts).hits if hit.rule}
        true: dict[tuple[Node, bool], tuple[bool, ...]] = {}
        for place, key in enumerate(ordered):
            shares = hits.get(place)
            if key[1]:
                true[key] = tuple(share > 0 for share in shares) if shares else (False,) * self.lines
            else:
                true[key] = (place in hits,)
        return true

    def _lacks(
        self, rule: Rule, tree: "Wanted | None", true: Mapping[tuple[Node, bool], tuple[bool, ...]]
    ) -> tuple[Lack, ...]:
        """What a rule lacks; nothing when it cannot be helped. Of a rule on lines what its nearest line lacks."""
        in_force = any(first <= self.facts.day <= last for first, last in rule.windows)
        window: tuple[Lack, ...] = () if in_force else (Lack("day", ()),)
        atoms = () if tree is None else tuple(atoms_of(tree))
        if rule.on != "line":
            lacking = _lacking(tree, {atom: true[atom, False][0] for atom in atoms})
            return () if lacking is None else _grouped((*window, *_named(lacking, -1)))
        best: tuple[Lack, ...] = ()
        for line in self._lines:
            lacking = _lacking(tree, {atom: true[atom, True][line] for atom in atoms})
            if lacking is not None:
                lacks = _grouped((*window, *_named(lacking, line)))
                best = lacks if lacks and (not best or len(lacks) < len(best)) else best
        return best


class Wanted(NamedTuple):
    """A condition taken apart: all of, or any of, ``parts``; or one that is not taken apart further."""

    how: Literal["all", "any", "atom"]
    parts: "tuple[Wanted, ...]" = ()
    atom: Node | None = None


_OPPOSITE: Final[Mapping[str, Literal["=", "<>", "<", "<=", ">", ">="]]] = {
    "=": "<>",
    "<>": "=",
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
}


_TURNED: Final[Mapping[str, Literal["=", "<>", "<", "<=", ">", ">="]]] = {
    "=": "=",
    "<>": "<>",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}


def wanted(node: Node, *, truth: bool) -> Wanted:
    """What must hold for a condition to be true, or for it to be false."""
    match node:
        case Not(item=item):
            return wanted(item, truth=not truth)
        case And(items=items) | Or(items=items):
            how: Literal["all", "any"] = "all" if isinstance(node, And) is truth else "any"
            return Wanted(how, tuple(wanted(item, truth=truth) for item in items))
        case Compare(op=op, left=Number() | Text() | Date() | Time() as constant, right=right) if mentions(right):
            return wanted(Compare(_TURNED[op], right, constant), truth=truth)
        case Compare(op=op, left=left, right=right) if not truth:
            return Wanted("atom", atom=Compare(_OPPOSITE[op], left, right))
        case _:
            return Wanted("atom", atom=node if truth else Not(node))


def atoms_of(tree: Wanted) -> Iterator[Node]:
    """Its conditions that are not taken apart further."""
    if tree.atom is not None:
        yield tree.atom
    for part in tree.parts:
        yield from atoms_of(part)


def _lacking(tree: "Wanted | None", true: Mapping[Node, bool]) -> tuple[Node, ...] | None:
    """The fewest conditions that were not true and would have had to be; None when one of them cannot be helped."""
    if tree is None:
        return ()
    if tree.atom is not None:
        if true[tree.atom]:
            return ()
        return None if kind_of(tree.atom) is None else (tree.atom,)
    parts = [_lacking(part, true) for part in tree.parts]
    if tree.how == "any":
        return min((part for part in parts if part is not None), key=len, default=None)
    whole: tuple[Node, ...] = ()
    for part in parts:
        if part is None:
            return None
        whole += part
    return whole


def _named(atoms: Sequence[Node], line: int) -> Iterator[Lack]:
    for atom in atoms:
        what = kind_of(atom)
        if what is not None:
            yield Lack(what, (atom,), line)


def _grouped(lacks: Sequence[Lack]) -> tuple[Lack, ...]:
    """Conditions on one and the same thing are one: two on the day are met by one other day."""
    groups: dict[What, Lack] = {}
    for lack in lacks:
        known = groups.get(lack.what)
        groups[lack.what] = lack if known is None else Lack(lack.what, known.conditions + lack.conditions, lack.line)
    return tuple(groups[what] for what in ORDER if what in groups)


_OF_DAY: Final = frozenset({"date", "weekday", "month", "day", "days"})
OF_GOODS: Final = frozenset({"line.product", "line.category", "line.department", "line.brand"})
_FIXED_ON_LINES: Final = frozenset({"line.base", "line.margin", "line.quantity", "line.amount"})
_SINGLE: Final[Mapping[str, What]] = {
    "local_time": "time",
    "channel": "channel",
    "payment": "payment",
    "store": "store",
    "region": "store",
    "amount": "amount",
    "quantity": "pieces",
}


def kind_of(atom: Node) -> What | None:
    """What a condition is about; None for what nobody could have done otherwise."""
    names = mentions(atom)
    if not names:
        return None
    if names <= _OF_DAY:
        return "day"
    left = left_of(atom)
    if isinstance(left, Aggregate):
        return _kind_of_aggregate(left)
    if not isinstance(left, Field) or len(names) > 1:
        return None
    if left.name.startswith("event."):
        return None if left.name in ("event.type", "event.streak") else "said"
    if left.name.startswith("line."):
        return None if left.name in _FIXED_ON_LINES else "goods"
    return _SINGLE.get(left.name)


def _kind_of_aggregate(node: Aggregate) -> What | None:
    if node.where is not None and not all(_is_of_goods(atom) for atom in atoms_of(wanted(node.where, truth=True))):
        return None
    if node.name == "count" and node.value is None and node.where is not None:
        return "goods"
    if node.name == "sum" and isinstance(node.value, Field) and node.value.name == "line.amount":
        return "amount"
    return None


def _is_of_goods(atom: Node) -> bool:
    return kind_of(atom) == "goods" and not isinstance(left_of(atom), Aggregate)


def steps_of(earn: Node | None) -> Iterator[Node]:
    """The conditions that an earning pays by."""
    if isinstance(earn, Case):
        yield from (condition for condition, _ in earn.whens)
    if earn is not None and not isinstance(earn, Aggregate):
        for child in _children(earn):
            yield from steps_of(child)


def left_of(atom: Node) -> Node | None:
    """What a condition is on, where it is on one thing."""
    match atom:
        case Compare(left=left):
            return left
        case In(item=item):
            return item
        case Field():
            return atom
        case Not(item=Field() as item):
            return item
        case _:
            return None


def mentions(node: Node | None) -> frozenset[str]:
    """The facts that an expression speaks of, by name."""
    return frozenset(field.name for field in fields_of(node))


def fields_of(node: Node | None) -> set[Field]:
    """The facts that an expression speaks of."""
    found: set[Field] = set()
    waiting: list[Node | None] = [node]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Field):
            found.add(here)
        elif here is not None:
            waiting.extend(_children(here))
    return found


def _children(node: Node) -> Sequence[Node | None]:
    match node:
        case And(items=items) | Or(items=items):
            return items
        case Not(item=item) | Negative(item=item) | IsNull(item=item) | Has(item=item) | Like(item=item):
            return (item,)
        case In(item=item):
            return (item,)
        case Compare(left=left, right=right) | Arithmetic(left=left, right=right):
            return (left, right)
        case Case(whens=whens, otherwise=otherwise):
            return [*(part for when in whens for part in when), otherwise]
        case Call(args=args):
            return args
        case Aggregate(value=value, where=where):
            return (value, where)
        case _:
            return ()


def constants(atom: Node) -> list[tuple[str, Node]]:
    """(operator, constant) of a condition; of a list each of its values."""
    match atom:
        case Compare(op=op, right=Number() | Text() | Date() | Time() | Truth() as right):
            return [(op, right)]
        case In(values=values):
            return [("=", value) for value in values]
        case _:
            return []


def probe(when: Node, on: On) -> Rule:
    """A rule that is hit where a condition is true."""
    return Rule("probe", Names("", ""), on, Number(1), when)


def matching(rules: RuleSet, facts: Facts, where: Node | None) -> tuple[bool, ...]:
    """For each line whether a condition is true there."""
    if where is None:
        return (True,) * len(facts.lines)
    asked = replace(rules, rules=(rules.rules[rules.base], probe(where, "line")), base=0)
    shares = next((hit.lines for hit in Interpreter(asked).evaluate(facts).hits if hit.rule == 1), None)
    return tuple(share > 0 for share in shares) if shares else (False,) * len(facts.lines)
