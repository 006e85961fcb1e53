"""Other rule engines, each given the same rules in its own language, in the way that is fastest for it.

Numbers are whole in all of them: money in cents, points in 1/scale of their rule. All are given the rules in force on
the day only, with the facts as the dictionaries that they work on made beforehand, and the base worked out already.
"""

import json
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple

import cel
import celpy
import zen
from celpy.adapter import json_to_cel

from bench.grocer import LAYOUT
from loyalty.rules.evaluation import Facts
from loyalty.rules.ruleset import Rule, RuleSet
from loyalty.rules.tree import (
    Aggregate,
    And,
    Arithmetic,
    Compare,
    Field,
    In,
    Node,
    Number,
    Or,
    Text,
    Time,
    scale_of,
)

Context = dict[str, Any]
Ask = Callable[[Context], Sequence[Any]]
"""What each rule in force gives, in 1/scale: a number, or a list of what the lines give."""


class Dialect(NamedTuple):
    """How a language says it. ``counted`` and ``total`` take (condition on ``line``, what is added up)."""

    both: str
    either: str
    line: str
    """A fact of a line begins with it."""
    counted: str
    total: str


ZEN: Final = Dialect("and", "or", "#.", "count(lines, {when})", "sum(map(filter(lines, {when}), {earn}))")
CEL: Final = Dialect("&&", "||", "l.", "lines.filter(l, {when}).size()", "lines.filter(l, {when}).map(l, {earn})")
RULE_ENGINE: Final = Dialect(
    "and", "or", "l.", "[l for l in lines if {when}].length", "$sum([{earn} for l in lines if {when}])"
)


def context(facts: Facts) -> Context:
    """The facts as a dictionary: ``member.tier`` is ``member_tier``, ``line.brand`` is ``lines[…].brand``."""
    order = {
        _name(name): facts.order[place.index] for name, place in LAYOUT.places.items() if place.fact.scope == "order"
    }
    known = {name: value for name, value in order.items() if isinstance(value, str | int) and name != "lines"}
    lines = [
        {_name(name): line[place.index] for name, place in LAYOUT.places.items() if place.fact.scope == "line"}
        for line in facts.lines
    ]
    return {**known, "lines": lines}


def in_force(rules: RuleSet, day: int) -> list[Rule]:
    """Of the rules beside the base, those that a day's windows let through."""
    return [
        rule
        for place, rule in enumerate(rules.rules)
        if place != rules.base and any(first <= day <= last for first, last in rule.windows)
    ]


# The same rules in other words ----------------------------------------------------------------------------------------


def _name(name: str) -> str:
    return name.removeprefix("line.").replace(".", "_")


def _text(node: Node, say: Dialect) -> str:
    """A condition, or a value of its own scale."""
    match node:
        case Field(name=name, scope=scope):
            return (say.line if scope == "line" else "") + _name(name)
        case Number(num=num):
            return str(num)
        case Text(value=value):
            return f"'{value}'"
        case Time(seconds=seconds):
            return str(seconds)
        case And(items=items):
            return "(" + f" {say.both} ".join(_text(item, say) for item in items) + ")"
        case Or(items=items):
            return "(" + f" {say.either} ".join(_text(item, say) for item in items) + ")"
        case In(item=item, values=values):
            return f"({_text(item, say)} in [{', '.join(_text(value, say) for value in values)}])"
        case Compare(op=op, left=left, right=right):
            return f"({_scaled(left, right, say)} {'==' if op == '=' else op} {_scaled(right, left, say)})"
        case Arithmetic(op="*", left=left, right=right):
            return f"({_text(left, say)} * {_text(right, say)})"
        case Aggregate(name="count", where=where) if where is not None:
            return say.counted.format(when=_text(where, say))
    raise ValueError(f"{type(node).__name__} is in none of the bench's rules")


def _scaled(node: Node, other: Node, say: Dialect) -> str:
    if isinstance(node, Number):
        return str(node.num * max(scale_of(other) // node.den, 1))
    return _text(node, say)


def _earned(rule: Rule, say: Dialect) -> str:
    """What it gives, in 1/scale of the rule."""
    earned = _text(rule.earn, say)
    if not rule.over_base:
        return earned
    base = f"{say.line}base" if rule.on == "line" else "base"
    return f"({earned} - {base} * {rule.scale // 100})"


def text(rule: Rule, say: Dialect) -> str:
    """A rule as one expression: what it gives, 0 or [] where its condition is not true."""
    if rule.when is None:
        raise ValueError("every rule of the bench has a condition")
    if rule.on == "line":
        return say.total.format(when=_text(rule.when, say), earn=_earned(rule, say))
    return f"({_text(rule.when, say)} ? {_earned(rule, say)} : 0)"


# Engines --------------------------------------------------------------------------------------------------------------


def zen_expression(rules: Sequence[Rule]) -> Ask:
    """zen-engine: all rules as one compiled expression, a list, so that facts are handed over once."""
    return zen.compile_expression("[" + ", ".join(text(rule, ZEN) for rule in rules) + "]").evaluate


def zen_expressions(rules: Sequence[Rule]) -> Ask:
    """zen-engine: a compiled expression for each rule."""
    expressions = [zen.compile_expression(text(rule, ZEN)) for rule in rules]
    return lambda facts: [expression.evaluate(facts) for expression in expressions]


def zen_decision(rules: Sequence[Rule]) -> Ask:
    """zen-engine: a decision of one expression node with a key for each rule, as its editor makes them."""
    keys = [f"r{place:05}" for place in range(len(rules))]
    expressions = [{"id": key, "key": key, "value": text(rule, ZEN)} for key, rule in zip(keys, rules, strict=True)]
    content = {"expressions": expressions, "passThrough": False}
    nodes = [
        {"id": "in", "type": "inputNode", "name": "in", "content": {}},
        {"id": "rules", "type": "expressionNode", "name": "rules", "content": content},
        {"id": "out", "type": "outputNode", "name": "out", "content": {}},
    ]
    edges = [
        {"id": "1", "sourceId": "in", "targetId": "rules", "type": "edge"},
        {"id": "2", "sourceId": "rules", "targetId": "out", "type": "edge"},
    ]
    decision = zen.ZenEngine().create_decision(zen.ZenDecisionContent(json.dumps({"nodes": nodes, "edges": edges})))

    def ask(facts: Context) -> list[Any]:
        result = decision.evaluate(facts)["result"]
        return [result[key] for key in keys]

    return ask


def cel_program(rules: Sequence[Rule]) -> Ask:
    """common-expression-language (Rust): all rules as one program, a list."""
    return cel.compile("[" + ", ".join(text(rule, CEL) for rule in rules) + "]").execute


def cel_programs(rules: Sequence[Rule]) -> Ask:
    """common-expression-language (Rust): a program for each rule, over one context."""
    programs = [cel.compile(text(rule, CEL)) for rule in rules]

    def ask(facts: Context) -> list[Any]:
        converted = cel.Context(facts)
        return [program.execute(converted) for program in programs]

    return ask


def rules_of_rule_engine(rules: Sequence[Rule]) -> Ask:
    """rule-engine: a parsed rule for each. It has no types, so it is looked up by its name."""
    engine: Any = import_module("rule_engine")
    resolver = engine.Context(resolver=engine.resolve_item)
    parsed = [engine.Rule(text(rule, RULE_ENGINE), context=resolver) for rule in rules]
    return lambda facts: [rule.evaluate(facts) for rule in parsed]


def programs_of_cel_python(rules: Sequence[Rule]) -> Ask:
    """cel-python: a program for each rule."""
    environment = celpy.Environment()
    programs = [environment.program(environment.compile(text(rule, CEL))) for rule in rules]

    def ask(facts: Context) -> list[Any]:
        converted = {name: json_to_cel(value) for name, value in facts.items()}
        return [program.evaluate(converted) for program in programs]

    return ask


def given(answers: Sequence[Any]) -> list[tuple[int, Any]]:
    """(rule's place among those in force, what it gives) of the rules that give anything, out of what an engine
    answered. What ours answers is just that, so finding it is part of
    the work.
    """
    return [(place, answer) for place, answer in enumerate(answers) if answer]


def points(found: Sequence[tuple[int, Any]]) -> list[tuple[int, int]]:
    """In whole numbers: what a rule gives is a number, or a list of what the lines give."""
    return [
        (place, sum(int(part) for part in answer) if isinstance(answer, list) else int(answer))
        for place, answer in found
    ]


class Engine(NamedTuple):
    """``slow`` ones are asked fewer times."""

    name: str
    prepare: Callable[[Sequence[Rule]], Ask]
    slow: bool = False


ENGINES: Final = (
    Engine("zen-engine, all rules as one expression", zen_expression),
    Engine("zen-engine, an expression for each rule", zen_expressions),
    Engine("zen-engine, one decision", zen_decision),
    Engine("common-expression-language (Rust), all rules as one program", cel_program),
    Engine("common-expression-language (Rust), a program for each rule", cel_programs),
    Engine("rule-engine", rules_of_rule_engine, slow=True),
    Engine("cel-python", programs_of_cel_python, slow=True),
)
