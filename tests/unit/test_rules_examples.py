"""The rule sets of examples/ are sound, and every case in them comes out as it says, whoever evaluates."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import convert

from infra.local.bootstrap import POLICY
from infra.local.examples import Basket, points, read
from loyalty.earning.requests import PurchaseRequest, purchase_of
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.programs.policy import check as stored
from loyalty.programs.terms import Program, Terms
from loyalty.rules.compiler import compiled
from loyalty.rules.document import Checked, check
from loyalty.rules.engine import Outcome, decide
from loyalty.rules.evaluation import Evaluator
from loyalty.rules.expectations import run
from loyalty.rules.facts import Person, of_purchase
from loyalty.rules.interpret import Interpreter
from loyalty.rules.ruleset import RuleSet

FOLDER = Path(__file__).parents[2] / "examples" / "rules"
FILES = sorted(FOLDER.glob("*.yaml"))
EVALUATORS: list[Callable[[RuleSet], Evaluator]] = [compiled, Interpreter]


def sound(file: Path) -> Checked:
    return check(file.read_text(encoding="utf-8"), file.name)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_an_example_is_sound_and_does_what_it_says(file: Path, evaluator: Callable[[RuleSet], Evaluator]) -> None:
    found = sound(file)
    assert found.issues == ()
    assert found.rules is not None
    results = run(evaluator(found.rules), found.expectations)
    assert [(one.name, one.message) for one in results if not one.passed] == []
    assert len(results) >= len(found.rules.rules)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_rule_of_an_example_gives_something_in_a_case_of_it(file: Path) -> None:
    found = sound(file)
    assert found.rules is not None
    results = run(compiled(found.rules), found.expectations)
    given = {rule for one in results for rule, points in one.of_which.items() if points}
    assert {rule.id for rule in found.rules.rules} - given == set()


def test_the_grocers_rules_are_for_the_local_stacks_programme() -> None:
    file = FOLDER / "grocer.yaml"
    found = check(file.read_text(encoding="utf-8"), file.name, Program.of(stored(POLICY), 1))
    assert found.issues == ()


def test_the_grocers_rules_stay_within_their_guard_over_its_purchases() -> None:
    """All purchases of examples/, one after the other: the base gives what one point a dollar gives, and what the other
    rules add is something, and less than the guard.
    """
    rules = sound(FOLDER / "grocer.yaml").rules
    assert rules is not None
    evaluator, accounts = compiled(rules), dict[str, State]()
    rooms = {campaign.id: campaign.points for campaign in rules.campaigns}
    given = dict.fromkeys((rule.id for rule in rules.rules), 0)
    baskets = sorted(read(), key=lambda one: one.time)
    for basket in baskets:
        state = accounts.get(basket.household, State())
        outcome, accounts[basket.household] = _posted(evaluator, basket, state, rooms)
        for campaign, taken in outcome.taken.items():
            rooms[campaign] -= taken
        for step in outcome.steps:
            given[step.rule] += step.points
    base = given.pop("base")
    assert base == sum(points(baskets).values())
    assert {rule for rule, total in given.items() if total} == set(given) - {"check_in", "streak", "review"}
    assert sum(given.values()) * 100 < rules.guard_percent * base
    assert min(rooms.values()) >= 0


def _posted(evaluator: Evaluator, basket: Basket, state: State, rooms: dict[str, int]) -> tuple[Outcome, State]:
    request = convert({**basket.request(), "identity": "card:1"}, PurchaseRequest)
    purchase = purchase_of(request, basket.household)
    facts = of_purchase(evaluator.rules, purchase, Person(), state)
    outcome = decide(evaluator.rules, evaluator.evaluate(facts), facts, state, lambda _: Terms(0, 0), rooms)
    draft = Draft(state, purchase.occurred)
    assert commands.earn_awards(draft, [award.award() for award in outcome.awards], facts.day, True) == [
        step.points for step in outcome.steps if step.verdict == "given"
    ]
    return outcome, draft.state
