"""Rule sets on AWS's own engine: texts of several items, and many who publish and spend at once."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from typing import TYPE_CHECKING, cast

import pytest

from loyalty.errors import Problem
from loyalty.programs.policy import check
from loyalty.programs.terms import Program
from loyalty.rules.leases import BudgetStore
from loyalty.rules.service import RuleSets
from loyalty.rules.store import PART, RuleStore
from loyalty.rules.versions import new_id
from loyalty.runtime.rules import Loader
from loyalty.table.client import DynamoDB, Table
from tests.engines import DYNAMODB_LOCAL
from tests.tally import tried

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    TableOn = Callable[[str], tuple[DynamoDBClient, str]]

PROGRAM = "grocer"
KEY = b"k" * 64
NOW = 1_750_000_000
PUBLISHERS = 8


def source(points: int, budget: int) -> str:
    return f"""\
rule_set: rate-{points}
program: {PROGRAM}
campaigns: {{spring: {{points: {budget}}}}}
rules:
  - {{id: base, name: {{en: Points, zh: 积分}}, on: line, earn: {points} * line.amount}}
  - {{id: app, name: {{en: App, zh: 应用}}, when: channel = 'app', earn: 2 * base, budget: spring}}
expect:
  - {{name: one euro, purchase: {{at: 2026-11-05T12:00, lines: [{{amount: "1.00"}}]}}, points: {points}}}
"""


@pytest.fixture
def table(table_on: "TableOn") -> Table:
    client, name = table_on(DYNAMODB_LOCAL)
    return Table(cast("DynamoDB", client), name)


def rule_sets(table: Table) -> RuleSets:
    policy = Program.of(check({"program": PROGRAM, "name": "Grocer", "currency": "EUR"}), 1)
    store, budgets = RuleStore(table), BudgetStore(table)
    return RuleSets(store, lambda: [KEY], lambda _: policy, budgets, lambda _, rule_set: None, lambda _: ())


def loader(table: Table) -> Loader:
    return Loader(RuleStore(table), lambda: [KEY], lambda: 0.0, lambda: NOW)


@pytest.mark.parametrize("size", [0, PART * 3 // 4, 3 * PART + 7, 3_000_000])
def test_a_text_of_many_items_is_read_back(table: Table, size: int) -> None:
    content = Random(size).randbytes(size)
    store = RuleStore(table)
    assert store.blob(PROGRAM, store.put_blob(PROGRAM, content)) == content


def test_of_many_who_publish_at_once_each_is_obeyed_or_told_that_another_was_first(table: Table) -> None:
    sets = rule_sets(table)
    drafts = [
        sets.hand_in(PROGRAM, source(number, 10_000), rule_set=new_id(number, bytes(10)), actor="a", now=NOW).id
        for number in range(1, PUBLISHERS + 1)
    ]

    def publish(draft: str) -> int | str:
        try:
            return sets.publish(PROGRAM, draft, seen=None, actor="a", now=NOW).current.number
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(PUBLISHERS) as pool:
        ends = list(pool.map(publish, drafts))
    given = sorted(end for end in ends if isinstance(end, int))
    assert given == list(range(1, len(given) + 1)), "each number once, none left out"
    assert given
    assert {end for end in ends if isinstance(end, str)} <= {"RULE_SET_VERSION_CONFLICT", "STORAGE_UNAVAILABLE"}
    assert sets.current(PROGRAM).number == given[-1]
    assert [act.version for act in sets.acts(PROGRAM, 99)] == given[::-1]
    copy = loader(table)
    for draft, end in zip(drafts, ends, strict=True):
        if isinstance(end, int):
            assert copy.of_version(PROGRAM, end).evaluator.rules.name == sets.named(PROGRAM, draft).name
    tried("races", 1)


def test_a_budget_holds_while_it_is_changed_and_leased_at_once(table: Table) -> None:
    sets, budgets = rule_sets(table), BudgetStore(table)
    sizes = (3_000, 6_000, 4_000, 9_000)
    drafts = [
        sets.hand_in(PROGRAM, source(number, size), rule_set=new_id(number, bytes(10)), actor="a", now=NOW).id
        for number, size in enumerate(sizes, 1)
    ]
    sets.publish(PROGRAM, drafts[0], seen=None, actor="a", now=NOW)

    def publish() -> list[str]:
        refused = []
        for draft in drafts[1:]:
            try:
                sets.publish(PROGRAM, draft, seen=None, actor="a", now=NOW)
            except Problem as problem:
                refused.append(problem.code)
        return refused

    def spend(draw: Random) -> int:
        return sum(budgets.lease(PROGRAM, "spring", draw.randint(1, 90))[0] for _ in range(40))

    with ThreadPoolExecutor(5) as pool:
        publishing = pool.submit(publish)
        spending = [pool.submit(partial(spend, Random(seed))) for seed in range(4)]
        taken = sum(one.result() for one in spending)
        refused = publishing.result()
    assert set(refused) <= {"RULE_SET_BUDGET_TOO_LOW", "STORAGE_UNAVAILABLE"}
    budget = budgets.get(PROGRAM, "spring")
    assert budget is not None
    assert budget.leased == taken <= max(sizes)
    current = sets.current(PROGRAM).number
    assert loader(table).of_version(PROGRAM, current).evaluator.rules.campaigns[0].points == budget.points
    tried("races", 1)
