"""The machine of campaigns as it is deployed: what it calls, how it ends, what fails and is done again."""

import json
from typing import Any

from infra.catalogue import CATALOGUE, FromCampaign
from infra.constructs.campaign import DEFINITION
from tests.stack.conftest import Synthesised, listed

MACHINE: dict[str, Any] = json.loads(DEFINITION.read_text(encoding="utf-8"))
CALLED = {one.name for one in CATALOGUE if isinstance(one.trigger, FromCampaign)} | {"campaign_touch"}


def _tasks(states: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for state in states.values():
        if state["Type"] == "Task":
            found.append(state)
        if state["Type"] == "Map":
            found += _tasks(state["ItemProcessor"]["States"])
    return found


def _following(states: dict[str, Any]) -> set[str]:
    found = set()
    for state in states.values():
        steps = [state, *state.get("Choices", ()), *state.get("Catch", ())]
        found |= {one["Next"] for one in steps if "Next" in one} | ({state["Default"]} if "Default" in state else set())
    return found


def test_every_step_leads_to_another_or_to_the_end() -> None:
    for part in (MACHINE, *(one["ItemProcessor"] for one in MACHINE["States"].values() if one["Type"] == "Map")):
        assert part["StartAt"] in part["States"]
        assert _following(part["States"]) <= set(part["States"])


def test_what_fails_is_done_again_with_longer_and_longer_waits() -> None:
    for task in _tasks(MACHINE["States"]):
        again = task["Retry"][-1]
        assert again["ErrorEquals"] == ["States.ALL"]
        assert again["MaxAttempts"] >= 4
        assert again["BackoffRate"] >= 2


def test_a_batch_of_members_that_goes_on_failing_is_set_aside_and_the_others_go_on() -> None:
    states = MACHINE["States"]["Members"]["ItemProcessor"]["States"]
    for name in ("Assign", "Touch"):
        (caught,) = states[name]["Catch"]
        assert (caught["ErrorEquals"], caught["Next"]) == (["States.ALL"], "SetAside")


def test_batches_are_executions_of_their_own() -> None:
    maps = [one for one in MACHINE["States"].values() if one["Type"] == "Map"]
    assert len(maps) == 2
    for one in maps:
        assert one["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}


def test_the_machine_waits_for_a_callback_less_long_than_an_execution_may_last() -> None:
    wait = MACHINE["States"]["Wait"]
    assert wait["Resource"].endswith(".waitForTaskToken")
    assert wait["TimeoutSeconds"] <= 330 * 86_400


def test_it_may_call_its_own_functions_alone(stage: Synthesised) -> None:
    machines = stage.properties("AWS::StepFunctions::StateMachine").values()
    machine = next(one for one in machines if one["StateMachineName"].endswith("-campaigns"))
    role = stage.properties("AWS::IAM::Role")[machine["RoleArn"]["Fn::GetAtt"][0]]
    (policy,) = role["Policies"]
    called = [
        one["Fn::GetAtt"][0]
        for statement in policy["PolicyDocument"]["Statement"]
        if "lambda:InvokeFunction" in listed(statement["Action"])
        for one in listed(statement["Resource"])
    ]
    names = {logical: one["FunctionName"] for logical, one in stage.properties("AWS::Lambda::Function").items()}
    assert {names[one] for one in called} == {f"loyalty-{stage.stage.name}-{name}" for name in CALLED}
    assert set(machine["DefinitionSubstitutions"]) == {
        f"{one.trigger.step.title()}Function" for one in CATALOGUE if isinstance(one.trigger, FromCampaign)
    } | {"TouchFunction"}


def test_who_starts_it_may_start_and_call_back_this_machine_alone(stage: Synthesised) -> None:
    for one in CATALOGUE:
        role = stage.properties("AWS::IAM::Role")[stage.functions()[one.name]["Role"]["Fn::GetAtt"][0]]
        (policy,) = role["Policies"]
        states = [
            statement
            for statement in policy["PolicyDocument"]["Statement"]
            if any(action.startswith("states:") for action in listed(statement["Action"]))
        ]
        assert bool(states) == one.runs_campaigns, one.name
        for statement in states:
            assert set(statement["Action"]) == {"states:StartExecution", "states:SendTaskSuccess"}
            assert json.dumps(statement["Resource"]).count("-campaigns") == 1
