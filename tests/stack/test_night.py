"""The night as it is deployed: a machine that calls the functions of the catalogue, and nothing else, every hour."""

import json
from typing import Any

from infra.catalogue import CATALOGUE, FromNight
from infra.constructs.night import DEFINITION
from loyalty.timers.timer import ORDER, REARM
from tests.stack.conftest import Synthesised, listed

MACHINE: dict[str, Any] = json.loads(DEFINITION.read_text(encoding="utf-8"))
NIGHTLY = {one.name: one.trigger.kinds for one in CATALOGUE if isinstance(one.trigger, FromNight)}


def _machine(stage: Synthesised) -> dict[str, Any]:
    machines = stage.properties("AWS::StepFunctions::StateMachine").values()
    return next(one for one in machines if one["StateMachineName"].endswith("-nightly"))


def test_one_function_plans_and_every_kind_of_the_published_order_has_one_that_drains_it() -> None:
    assert [name for name, kinds in NIGHTLY.items() if not kinds] == ["plan_night"]
    drained = [kind for kinds in NIGHTLY.values() for kind in kinds]
    assert sorted(drained) == sorted([*ORDER, REARM])


def test_every_step_leads_to_another_or_to_the_end() -> None:
    states = MACHINE["States"]
    following = {
        name: {one["Next"] for one in [state, *state.get("Choices", ())] if "Next" in one}
        for name, state in states.items()
    }
    for name, state in states.items():
        following[name] |= {state["Default"]} if "Default" in state else set()
    assert MACHINE["StartAt"] in states
    assert set().union(*following.values()) <= set(states)
    assert [name for name, after in following.items() if not after] == ["Done"]


def test_what_fails_is_done_again_and_what_goes_on_failing_fails_the_night() -> None:
    batch = MACHINE["States"]["Drain"]["ItemProcessor"]["States"]["Batch"]
    for step in (MACHINE["States"]["Plan"], batch):
        (again,) = step["Retry"]
        assert again["ErrorEquals"] == ["States.ALL"]
        assert again["MaxAttempts"] == 5
        assert "Catch" not in step
    assert not {"ToleratedFailureCount", "ToleratedFailurePercentage"} & set(MACHINE["States"]["Drain"])


def test_batches_are_executions_of_their_own_so_that_a_history_holds_a_night_of_any_length() -> None:
    assert MACHINE["States"]["Drain"]["ItemProcessor"]["ProcessorConfig"] == {
        "Mode": "DISTRIBUTED",
        "ExecutionType": "EXPRESS",
    }


def test_the_machine_may_call_the_functions_of_the_night_alone(stage: Synthesised) -> None:
    role = stage.properties("AWS::IAM::Role")[_machine(stage)["RoleArn"]["Fn::GetAtt"][0]]
    (policy,) = role["Policies"]
    called = [
        one["Fn::GetAtt"][0]
        for statement in policy["PolicyDocument"]["Statement"]
        if "lambda:InvokeFunction" in listed(statement["Action"])
        for one in listed(statement["Resource"])
    ]
    names = {logical: one["FunctionName"] for logical, one in stage.properties("AWS::Lambda::Function").items()}
    assert {names[one] for one in called} == {f"loyalty-{stage.stage.name}-{name}" for name in NIGHTLY}


def test_the_plan_is_told_which_function_drains_what(stage: Synthesised) -> None:
    told = json.loads(stage.functions()["plan_night"]["Environment"]["Variables"]["NIGHT_FUNCTIONS"])
    assert told == {kind: f"loyalty-{stage.stage.name}-{name}" for name, kinds in NIGHTLY.items() for kind in kinds}


def test_a_night_begins_every_hour(stage: Synthesised) -> None:
    machines = stage.properties("AWS::StepFunctions::StateMachine")
    machine = next(name for name, one in machines.items() if one["StateMachineName"].endswith("-nightly"))
    schedules = [
        one
        for one in stage.properties("AWS::Scheduler::Schedule").values()
        if one["Target"]["Arn"] == {"Fn::GetAtt": [machine, "Arn"]}
    ]
    assert [(one["ScheduleExpression"], one["Target"]["Input"]) for one in schedules] == [("cron(20 * * * ? *)", "{}")]
