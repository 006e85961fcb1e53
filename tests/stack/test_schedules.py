"""Functions that are called at certain times: when, by whom, and what they bring."""

from pathlib import Path

from infra.catalogue import CATALOGUE, Scheduled
from infra.constructs.layers import trim_tests
from tests.stack.conftest import Synthesised

SCHEDULED = {one.name: one.trigger.expression for one in CATALOGUE if isinstance(one.trigger, Scheduled)}


def test_every_scheduled_function_is_called_at_its_times(stage: Synthesised) -> None:
    schedules = {one["Name"]: one for one in stage.properties("AWS::Scheduler::Schedule").values()}
    assert SCHEDULED
    for name, expression in SCHEDULED.items():
        schedule = schedules[f"loyalty-{stage.stage.name}-{name}"]
        assert schedule["ScheduleExpression"] == expression
        called = stage.template["Resources"][schedule["Target"]["Arn"]["Fn::GetAtt"][0]]
        assert called["Properties"]["FunctionName"] == f"loyalty-{stage.stage.name}-{name}"


def test_the_scheduler_may_call_that_function_and_do_nothing_else(stage: Synthesised) -> None:
    schedules = {one["Name"]: one for one in stage.properties("AWS::Scheduler::Schedule").values()}
    for name in SCHEDULED:
        target = schedules[f"loyalty-{stage.stage.name}-{name}"]["Target"]
        role = stage.template["Resources"][target["RoleArn"]["Fn::GetAtt"][0]]["Properties"]
        assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "scheduler.amazonaws.com"}
        (policy,) = role["Policies"]
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert (statement["Action"], statement["Resource"]) == ("lambda:InvokeFunction", target["Arn"])


def test_only_what_fits_brings_numpy_and_scipy(prod: Synthesised) -> None:
    (science,) = [
        name for name, layer in prod.properties("AWS::Lambda::LayerVersion").items() if "SciPy" in layer["Description"]
    ]
    for one in CATALOGUE:
        brought = [layer["Ref"] for layer in prod.functions()[one.name]["Layers"]]
        assert (science in brought) == one.science


def test_tests_and_stubs_of_packages_are_left_out(tmp_path: Path) -> None:
    for path in ("scipy/optimize/tests/test_a.py", "scipy/optimize/a.py", "numpy/a.pyi", "numpy/a.py", "bin/f2py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    trim_tests(tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"scipy/optimize/a.py", "numpy/a.py"}
