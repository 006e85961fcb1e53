"""Which stack a command speaks to."""

import json
from pathlib import Path

import pytest

from cli.target import LOCAL_PATIENCE_S, Aws, CommandError, Target, aws, target

STACK = {
    "api_url": "http://127.0.0.1:4578",
    "region": "us-east-1",
    "table": "t",
    "tokens": {"operator": "o", "till": "t"},
}


@pytest.fixture
def local(tmp_path: Path) -> dict[str, str]:
    """The environment of a local stack."""
    (tmp_path / "stack.json").write_text(json.dumps(STACK))
    (tmp_path / "port").write_text("4577\n")
    return {"LOYALTY_LOCAL": str(tmp_path)}


def test_the_environment_names_any_stack() -> None:
    environment = {"LOYALTY_API_URL": "https://api.example.com/", "LOYALTY_TOKEN": "k"}
    assert target(environment, "operator") == Target("https://api.example.com", "k")


def test_half_of_it_is_a_mistake() -> None:
    with pytest.raises(CommandError, match="both"):
        target({"LOYALTY_TOKEN": "k"}, "operator")


def test_without_it_the_local_stack_is_meant(local: dict[str, str]) -> None:
    assert target(local, "till") == Target("http://127.0.0.1:4578", "t", patience_s=LOCAL_PATIENCE_S)
    with pytest.raises(CommandError, match="auditor"):
        target(local, "auditor")


def test_a_stack_that_needs_a_host_name_says_so(local: dict[str, str]) -> None:
    (Path(local["LOYALTY_LOCAL"]) / "stack.json").write_text(json.dumps({**STACK, "host_header": "api.localhost"}))
    assert target(local, "operator").host == "api.localhost"


def test_without_a_local_stack_the_message_says_what_to_do(tmp_path: Path) -> None:
    for ask in (lambda: target({"LOYALTY_LOCAL": str(tmp_path)}, "operator"), lambda: aws({"LOYALTY_LOCAL": "/x"}, "")):
        with pytest.raises(CommandError, match="make up"):
            ask()


def test_aws_is_the_emulator_for_the_local_stack_alone(local: dict[str, str]) -> None:
    assert aws(local, "") == Aws("loyalty-local", "http://127.0.0.1:4577", "us-east-1")
    assert aws(local, "loyalty-local") == aws(local, "")
    assert aws(local, "loyalty-prod") == Aws("loyalty-prod")
