"""``loyalty night``: bring a programme's nights up to today now, without waiting for the schedule; see whom they could
not see to.
"""

import json
import time
from datetime import date
from typing import Any, Final, Protocol

from rich.console import Console

from cli.api import Api
from cli.target import CommandError

EVER: Final = date.max.isoformat()
_POLL_SECONDS: Final = 0.5


class Cloud(Protocol):
    """What a night needs of AWS: see ``cli.target.Aws``."""

    def client(self, service: str) -> Any: ...
    def output(self, name: str) -> str: ...


def run(
    aws: Cloud, *, program: str, until: str, out: Console, pause: float = _POLL_SECONDS, again: bool = False
) -> int:
    """Start the night, and wait for its end; the exit status. ``program`` empty is all of them; ``until`` is the last
    day, empty for today in each programme. A day that is done is not done again; with ``again`` those are tried once
    more who were set aside in the ``program``.
    """
    if again and not program:
        raise CommandError("Name the programme whose accounts are to be tried again: --program")
    found = execute(aws, program, until, pause, again)
    out.print(f"{found['status'].lower()}: {_seconds(found)} s, {found['name']}")
    return 0 if found["status"] == "SUCCEEDED" else 1


def execute(
    aws: Cloud, program: str = "", until: str = "", pause: float = _POLL_SECONDS, again: bool = False
) -> dict[str, Any]:
    """One execution of the state machine of the night to its end, as AWS describes it."""
    machines = aws.client("stepfunctions")
    asked: dict[str, Any] = {"until": _day(until), **({"program": program} if program else {})}
    if again:
        asked["again"] = True
    try:
        arn = machines.start_execution(stateMachineArn=aws.output("NightArn"), input=json.dumps(asked))["executionArn"]
        while True:
            found: dict[str, Any] = machines.describe_execution(executionArn=arn)
            if found["status"] not in {"RUNNING", "PENDING_REDRIVE"}:
                return found
            time.sleep(pause)
    finally:
        machines.close()


def aside(api: Api, as_json: bool, out: Console, said: Console) -> int:
    """Every account that was set aside and not seen to since, and why; 1 when there is any. How far the nights have
    come goes to ``said``.
    """
    done: dict[str, str] = {}
    found: list[Any] = []
    cursor = ""
    while True:
        page = api.get("/v1/night", {"limit": 100, **({"cursor": cursor} if cursor else {})})
        done, cursor = page["done"], page.get("next", "")
        found += page["aside"]
        if not cursor:
            break
    if as_json:
        out.print(json.dumps({"done": done, "aside": found}, indent=2), markup=False, soft_wrap=True)
        return 1 if found else 0
    for one in found:
        again = f"again on {one['again']}" if "again" in one else "again with its next entry"
        line = f"{one['member']}  {one['wallet']}  {one['kind']} of {one['day']}: {one['reason']}, {again}"
        out.print(line, markup=False)
    said.print("done up to: " + (", ".join(f"{kind} {day}" for kind, day in done.items()) or "nothing yet"))
    return 1 if found else 0


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
