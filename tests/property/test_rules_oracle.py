"""Rules against SQLite: over a million pairs of a random rule and something random that happened, each worked out by
SQLite, by the interpreter and by compiled code.
"""

import sqlite3
from collections import Counter
from contextlib import closing
from random import Random
from typing import Final, NamedTuple

import pytest

from loyalty.rules import artifact, compiler, language
from loyalty.rules.evaluation import Evaluator, Facts
from loyalty.rules.interpret import Interpreter
from loyalty.rules.ruleset import Names, On, Rule, RuleSet
from tests.property.rule_world import (
    CALENDAR,
    EXPONENT,
    FIRST_DAY,
    LARGEST,
    LAST_DAY,
    PLACES,
    Expressions,
    happened,
    tables,
)
from tests.tally import tried

RUNS: Final = 8
RULES: Final = 500
"""Rules of one run; a third of them on lines."""
HAPPENED: Final = 265
INEXACT: Final = "not exact"
ORDERS: Final = 0.8
"""Share of purchases in all that happens."""
KEY: Final = b"of this test"
ACCEPTABLE: Final = {"TOO_LARGE_FOR_SQLITE", "RULE_TOO_LARGE", "RULE_OVERFLOW", "RULE_NEVER_EARNS", "RULE_DIVISION"}
"""Why a drawn expression may be refused: it came out too large, or cannot be said to be never a fraction."""
BASES: Final = (
    ("line.amount", 'l."line.amount"', 100),
    ("line.amount / 10 + line.quantity", '(l."line.amount" + l."line.quantity" * 1000)', 1000),
    ("CASE WHEN line.category LIKE 'a%' THEN 0 ELSE 2 * line.amount END",
     "CASE WHEN l.\"line.category\" LIKE 'a%' THEN 0 ELSE 2 * l.\"line.amount\" END", 100),
)  # fmt: skip
"""Base rules: their text, their SQL, and its scale."""


class Checked(NamedTuple):
    """A rule, and the SQL of what it gives in 1/scale: NULL where it gives nothing."""

    rule: Rule
    sql: str
    high: int
    """What the language says it gives at most: on each line, or in all."""


def draw(random: Random, place: int, base_scale: int, refused: Counter[str]) -> Checked:
    """A random rule that the language accepts."""
    on: On = random.choice(("order", "order", "order", "line", "line", "event"))
    while True:
        expressions = Expressions(random, on, base_scale)
        when, earn = expressions.condition(3), expressions.numeric(2)
        try:
            condition = parsed(when.text, on, base_scale, "condition")
            earning = parsed(earn.text, on, base_scale, "earning")
        except language.Rejected as error:
            refused.update(issue.code for issue in error.issues)
            continue
        if earn.size * earning.scale > LARGEST:
            refused["TOO_LARGE_FOR_SQLITE"] += 1
            continue
        window = (1, 3_652_059) if random.random() < 0.8 else sorted(random.choices(range(FIRST_DAY, LAST_DAY), k=2))
        rule = Rule(
            id=f"r{place:04}",
            names=Names("", ""),
            on=on,
            when=condition.node,
            earn=earning.node,
            over_base=earning.over_base,
            scale=earning.scale,
            windows=((window[0], window[1]),),
        )
        return Checked(rule, award(rule, when.sql, f"({earn.sql})", earn.scale, base_scale), earning.high)


def award(rule: Rule, when: str, earn: str, earn_scale: int, base_scale: int) -> str:
    """The award in 1/rule.scale; a text, which no rule ever gives, where that scale cannot hold it."""
    less = ""
    if rule.over_base:
        base = 'l."line.base"' if rule.on == "line" else 'o."base"'
        less = f" - {base} * {rule.scale // base_scale}"
    up = f"{earn} * {rule.scale}"
    whole = f"CASE WHEN {up} % {earn_scale} THEN '{INEXACT}' ELSE {up} / {earn_scale}{less} END"
    (first, last) = rule.windows[0]
    return f"CASE WHEN o.in_force BETWEEN {first} AND {last} AND {when} THEN {whole} END"


def parsed(text: str, on: On, base_scale: int | None, want: str) -> language.Expression:
    return language.parse(
        text,
        PLACES,
        on,
        EXPONENT,
        base_scale,
        want="condition" if want == "condition" else "earning",
        days=CALENDAR,
    )


def database(facts: list[Facts], base_sql: str) -> sqlite3.Connection:
    """All facts in two tables, base worked out by SQL; texts are compared as they are written."""
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA case_sensitive_like = ON")
    order_columns, line_columns, orders, lines = tables(facts)
    for table, first, columns, rows in (
        ("orders", "in_force", order_columns, orders),
        ("lines", "position", line_columns, lines),
    ):
        names = ", ".join(f'"{name}"' for name in ("event", first, *columns))
        connection.execute(f"CREATE TABLE {table} ({names})")
        marks = ", ".join("?" * (len(columns) + 2))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - the schema's names
    connection.execute("CREATE INDEX lines_of ON lines (event)")
    connection.execute(f'UPDATE lines AS l SET "line.base" = max(0, {base_sql})')  # noqa: S608 - one of BASES
    connection.execute(
        'UPDATE orders AS o SET base = coalesce((SELECT sum("line.base") FROM lines l WHERE l.event = o.event), 0)'
    )
    return connection


def by_sqlite(connection: sqlite3.Connection, rules: list[Checked]) -> dict[tuple[int, int], tuple[int, ...]]:
    """What each rule gives for each thing that happened, where it gives anything: one number, or one per line."""
    given: dict[tuple[int, int], tuple[int, ...]] = {}
    whole = [(place, one) for place, one in enumerate(rules) if one.rule.on != "line"]
    for event in (True, False):
        chosen = [(place, one) for place, one in whole if (one.rule.on == "event") is event]
        columns = ", ".join(one.sql for _, one in chosen)
        lines = 'o."lines" IS NULL' if event else 'o."lines" IS NOT NULL'
        query = f"SELECT o.event, {columns} FROM orders o WHERE {lines}"  # noqa: S608 - drawn in this test
        for number, *row in connection.execute(query):
            for (place, _), value in zip(chosen, row, strict=True):
                if value is not None and (value == INEXACT or value > 0):
                    given[place, number] = (value,)
    chosen = [(place, one) for place, one in enumerate(rules) if one.rule.on == "line"]
    columns = ", ".join(one.sql for _, one in chosen)
    query = f"SELECT o.event, {columns} FROM lines l JOIN orders o ON o.event = l.event ORDER BY l.event, l.position"  # noqa: S608 - drawn in this test
    shares: dict[tuple[int, int], list[int]] = {}
    for number, *row in connection.execute(query):
        for (place, _), value in zip(chosen, row, strict=True):
            kept = value if value is not None and (value == INEXACT or value > 0) else 0
            shares.setdefault((place, number), []).append(kept)
    return given | {key: tuple(values) for key, values in shares.items() if any(values)}


def by_rules(evaluator: Evaluator, facts: list[Facts], first: int) -> dict[tuple[int, int], tuple[int, ...]]:
    """The same from an evaluator, without the base rule; ``first`` is the place of the first other rule."""
    given: dict[tuple[int, int], tuple[int, ...]] = {}
    for number, one in enumerate(facts):
        evaluation = evaluator.evaluate(one)
        assert evaluation.failures == []
        for hit in evaluation.hits:
            if hit.rule >= first:
                given[hit.rule - first, number] = hit.lines if hit.lines is not None else (hit.num,)
                assert hit.lines is None or sum(hit.lines) == hit.num
    return given


@pytest.mark.parametrize("run", range(RUNS))
def test_rules_give_what_sqlite_says_they_give(run: int) -> None:
    random = Random(f"rules {run}")
    text, base_sql, base_scale = BASES[run % len(BASES)]
    base = parsed(text, "line", None, "earning")
    assert base.scale == base_scale
    refused: Counter[str] = Counter()
    rules = [draw(random, place, base_scale, refused) for place in range(RULES)]
    assert set(refused) <= ACCEPTABLE, refused
    assert refused.total() < RULES
    facts = [happened(random, event=random.random() > ORDERS) for _ in range(HAPPENED)]
    base_rule = Rule(id="base", names=Names("", ""), on="line", earn=base.node, scale=base.scale)
    rule_set = RuleSet("p", "n", "EUR", "UTC", (base_rule, *(one.rule for one in rules)), 0)

    with closing(database(facts, base_sql)) as connection:
        said = by_sqlite(connection, rules)
    compiled = artifact.load(artifact.sign(compiler.build(rule_set), KEY), [KEY])
    evaluators: dict[str, Evaluator] = {"compiled": compiled, "interpreted": Interpreter(rule_set)}
    for name, evaluator in evaluators.items():
        given = by_rules(evaluator, facts, 1)
        if given != said:
            place, number = min(key for key in given.keys() | said.keys() if given.get(key) != said.get(key))
            pytest.fail(
                f"{name} gives {given.get((place, number))}, SQLite {said.get((place, number))}:\n"
                f"{rules[place].rule}\n{rules[place].sql}\n{facts[number]}"
            )
    assert all(max(shares) <= rules[place].high * rules[place].rule.scale for (place, _), shares in said.items())
    pairs = RULES * HAPPENED
    assert pairs * RUNS > 1_000_000
    assert len(said) > pairs // 20, "rules that never give anything test nothing"
    tried("rule and event pairs against SQLite", pairs)
