"""A night that somebody asks for: which machine is started, with what, and how its end is told."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from cli import night
from cli.target import CommandError

BEGUN = datetime(2026, 3, 1, 0, 20, tzinfo=UTC)
ENDED = datetime(2026, 3, 1, 0, 21, 30, tzinfo=UTC)


class Machines:
    """Stands in for AWS and for its client: an execution that is looked at ``looks`` times before it ends."""

    def __init__(self, status: str = "SUCCEEDED", looks: int = 2) -> None:
        self.status = status
        self.looks = looks
        self.started: list[tuple[str, dict[str, Any]]] = []

    def output(self, name: str) -> str:
        return f"arn of {name}"

    def client(self, service: str) -> "Machines":
        assert service == "stepfunctions"
        return self

    def start_execution(self, **asked: str) -> dict[str, str]:
        self.started.append((asked["stateMachineArn"], json.loads(asked["input"])))
        return {"executionArn": "run"}

    def describe_execution(self, **asked: str) -> dict[str, Any]:
        assert asked == {"executionArn": "run"}
        self.looks -= 1
        if self.looks:
            return {"status": "RUNNING"}
        return {"status": self.status, "startDate": BEGUN, "stopDate": ENDED, "name": "n1"}

    def close(self) -> None:
        return None


def run(machines: Any, program: str = "", until: str = "") -> tuple[int, str]:
    out = Console(record=True, quiet=False)
    status = night.run(machines, program=program, until=until, out=out, pause=0)
    return status, out.export_text().strip()


def test_all_programmes_are_brought_up_to_today() -> None:
    machines = Machines()
    assert run(machines) == (0, "succeeded: 90 s, n1")
    assert machines.started == [("arn of NightArn", {"until": "9999-12-31"})]
    assert machines.looks == 0


def test_one_programme_is_brought_up_to_a_day() -> None:
    machines = Machines()
    run(machines, "grocer", "2026-12-31")
    assert machines.started == [("arn of NightArn", {"until": "2026-12-31", "program": "grocer"})]


def test_a_night_that_failed_is_told_by_the_exit_status() -> None:
    assert run(Machines("FAILED")) == (1, "failed: 90 s, n1")


def test_what_is_no_day_is_refused_before_anything_is_started() -> None:
    machines = Machines()
    with pytest.raises(CommandError, match="tomorrow is no day"):
        run(machines, until="tomorrow")
    assert machines.started == []
