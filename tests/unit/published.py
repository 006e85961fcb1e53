"""Rule sets as if they were published, from their YAML, held in memory: what the functions ask their loader for."""

from collections.abc import Callable
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from loyalty.rules import document
from loyalty.rules.budgets import Budget
from loyalty.rules.evaluation import Evaluator, Loaded
from loyalty.rules.interpret import Interpreter
from loyalty.rules.leases import BudgetStore, item_of
from loyalty.rules.ruleset import RuleSet
from loyalty.runtime import wiring
from loyalty.table.client import Table
from tests.unit.running import PROGRAM

if TYPE_CHECKING:
    import pytest

HEAD = """
    rule_set: test
    program: grocer
    currency: EUR
    timezone: UTC
"""
BASE = '{id: base, name: {en: Base, zh: 基础}, "on": line, earn: line.amount}'


def checked(sections: str, *rules: str) -> RuleSet:
    """A rule set of these sections, the base rule (one point per euro) and further rules in YAML's short form."""
    listed = "\n".join(f"  - {rule}" for rule in (BASE, *rules))
    text = f"{dedent(HEAD)}{dedent(sections)}\nrules:\n{listed}\n"
    found = document.check(text, "test.yaml")
    assert found.rules is not None, [(issue.line, issue.message) for issue in found.issues]
    return found.rules


def rule(id_: str, earn: str, when: str = "", on: str = "order", **further: Any) -> str:
    """One rule in YAML's short form; what is further is written as it is."""
    parts = [f"id: {id_}", f"name: {{en: {id_}, zh: {id_}}}", f'"on": {on}', f'earn: "{earn}"']
    if when:
        parts.append(f'when: "{when}"')
    parts += [f"{name}: {value}" for name, value in further.items()]
    return f"{{{', '.join(parts)}}}"


class Shelf:
    """What is published: versions from 1 on, the last of which is in force unless another is said to be."""

    def __init__(self, evaluator: Callable[[RuleSet], Evaluator] = Interpreter) -> None:
        self._evaluator = evaluator
        self._versions: list[Loaded] = []
        self.in_force = 0

    def publish(self, rules: RuleSet) -> int:
        self._versions.append(Loaded(len(self._versions) + 1, self._evaluator(rules)))
        self.in_force = len(self._versions)
        return self.in_force

    def current(self, program: str) -> Loaded | None:
        assert program
        return self._versions[self.in_force - 1] if self.in_force else None

    def of_version(self, program: str, version: int) -> Loaded:
        assert program
        return self._versions[version - 1]

    def deploy(self, monkeypatch: "pytest.MonkeyPatch") -> "Shelf":
        """Let the functions go by what stands here."""
        monkeypatch.setattr(wiring, "rules_in_force", lambda: self)
        return self


def give_budget(table: Table, campaign: str, points: int, program: str = PROGRAM) -> None:
    table.put(item_of(program, campaign, Budget(points)))


def leased(table: Table, campaign: str, program: str = PROGRAM) -> int:
    budget = BudgetStore(table).get(program, campaign)
    assert budget is not None
    assert budget.leased <= budget.points
    return budget.leased
