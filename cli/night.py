"""``loyalty night``: bring a programme's nights up to today now, without waiting for the schedule."""

import json
import time
from datetime import date
from typing import Any, Final, Protocol

from rich.console import Console

from cli.target import CommandError

EVER: Final = date.max.isoformat()
_POLL_SECONDS: Final = 0.5


class Cloud(Protocol):
    """What a night needs of AWS: see ``cli.target.Aws``."""

    def client(self, service: str) -> Any: ...
    def output(self, name: str) -> str: ...


def run(aws: Cloud, *, program: str, until: str, out: Console, pause: float = _POLL_SECONDS) -> int:
    """Start the night, and wait for its end; the exit status. ``program`` empty is all of them; ``until`` is the last
    day, empty for today in each programme. A day that is done is not done again.
    """
    found = execute(aws, program, until, pause)
    out.print(f"{found['status'].lower()}: {_seconds(found)} s, {found['name']}")
    return 0 if found["status"] == "SUCCEEDED" else 1


def execute(aws: Cloud, program: str = "", until: str = "", pause: float = _POLL_SECONDS) -> dict[str, Any]:
    """One execution of the state machine of the night to its end, as AWS describes it."""
    machines = aws.client("stepfunctions")
    asked = {"until": _day(until), **({"program": program} if program else {})}
    try:
        arn = machines.start_execution(stateMachineArn=aws.output("NightArn"), input=json.dumps(asked))["executionArn"]
        while True:
            found: dict[str, Any] = machines.describe_execution(executionArn=arn)
            if found["status"] not in {"RUNNING", "PENDING_REDRIVE"}:
                return found
            time.sleep(pause)
    finally:
        machines.close()


def _day(until: str) -> str:
    if not until:
        return EVER
    try:
        return date.fromisoformat(until).isoformat()
    except ValueError:
        raise CommandError(f"{until} is no day; write it as 2026-12-31") from None


def _seconds(found: dict[str, Any]) -> int:
    seconds: float = (found["stopDate"] - found["startDate"]).total_seconds()
    return round(seconds)
