"""One deployment of the whole stack, on an emulator of its own, with programmes and clients to try it with."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from infra.local import deploy, emulator
from infra.local.place import ROOT, Place
from loyalty.clients.bootstrap import ensure_client, ensure_program
from loyalty.clients.service import NewClient
from loyalty.table.client import Table
from tests.e2e import guard as guards
from tests.e2e.calls import Api
from tests.patience import ANSWER_S, AWAITED_S, eventually
from tests.ports import free_pair

STORE: Final = "319"
"""The store that the bound till of every programme belongs to."""

ALPHA: Final[dict[str, Any]] = {
    "program": "alpha",
    "name": "Alpha",
    "currency": "USD",
    "wallets": ["points", "cash"],
    "earn": {"rate": "1"},
    "expiry": {"kind": "none"},
    "return_policy": "arrears",
    "events": {"check_in": 5, "review": 20},
    "purchases_since": "2020-01-01",
}
BETA: Final[dict[str, Any]] = {
    "program": "beta",
    "name": "Beta",
    "currency": "JPY",
    "timezone": "Asia/Tokyo",
    "earn": {"rate": "1/100"},
    "pending": {"kind": "delay", "days": 14},
    "return_policy": "within_balance",
}
GAMMA: Final[dict[str, Any]] = {**ALPHA, "program": "gamma", "name": "Gamma"}
"""Alpha's twin: what its clients are refused is not for another policy's sake."""
ROLES: Final = ("till", "shop", "operator", "marketer", "auditor")


@dataclass
class Programme:
    """One programme and a key of each kind of client. ``bound`` is a till of ``STORE`` alone."""

    name: str
    tokens: dict[str, str]


@dataclass
class Stack:
    """What is deployed."""

    place: Place
    outputs: dict[str, str]
    schedules: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By name, as they were deployed. They rest: what is due is done when a test says so, not when the hour strikes in
    the middle of it.
    """
    programmes: dict[str, Programme] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.place.api_url

    def client(self, service: str) -> Any:
        """A boto3 client of the emulator; the same for every call, closed with the stack."""
        if service not in self._clients:
            self._clients[service] = deploy.client(self.place, service)
        return self._clients[service]

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    @property
    def table(self) -> Table:
        """The deployed table, for the product's own stores."""
        return Table(self.client("dynamodb"), self.outputs["TableName"], lambda first, second: (first(), second()))

    def api(self, token: str | None = None) -> Api:
        return Api(self.url, token)

    def settle(self) -> None:
        """Return when the functions that follow the table have taken everything."""
        assert emulator.settle(self.place, AWAITED_S), "the stream's functions do not catch up"

    def drained(self, queue: str, *, delayed: bool = False) -> None:
        """Return when nothing waits on the queue, named by the end of its name, and nothing of it is worked on; where
        ``delayed``, nothing is to come later either.
        """
        sqs = self.client("sqs")
        (url,) = [one for one in sqs.list_queues()["QueueUrls"] if one.endswith(f"-{queue}")]
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        if delayed:
            names.append("ApproximateNumberOfMessagesDelayed")

        def empty() -> bool:
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            return all(int(found[name]) == 0 for name in names)

        eventually(empty)

    def secret(self, output: str) -> str:
        """The text of a secret, by the stack's output that names it."""
        return str(self.client("secretsmanager").get_secret_value(SecretId=self.outputs[output])["SecretString"])

    def failures(self, since: float) -> list[str]:
        """The lines that the functions have logged as errors since then (in seconds since 1970), oldest first."""
        logs = self.client("logs")
        found: list[tuple[int, str]] = []
        for group in logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"]:
            name, start = group["logGroupName"], int(since * 1000)
            events = logs.filter_log_events(logGroupName=name, filterPattern="ERROR", startTime=start)["events"]
            found += [(event["timestamp"], event["message"]) for event in events]
        return [message for _, message in sorted(found)]

    def rest(self) -> None:
        """Let nothing happen by the clock on the wall."""
        scheduler = self.client("scheduler")
        for name in [one["Name"] for one in scheduler.list_schedules()["Schedules"]]:
            self.schedules[name] = scheduler.get_schedule(Name=name)
            kept = {key: self.schedules[name][key] for key in ("ScheduleExpression", "FlexibleTimeWindow", "Target")}
            scheduler.update_schedule(Name=name, State="DISABLED", **kept)

    def add(self, policy: dict[str, Any]) -> Programme:
        """A programme and its clients, made as `make up` makes them."""
        ensure_program(self.table, policy)
        name = policy["program"]
        new = [NewClient(role, role) for role in ROLES] + [NewClient("bound", "till", store=STORE)]
        tokens = {one.name: ensure_client(self.table, name, one) for one in new}
        self.programmes[name] = Programme(name, tokens)
        return self.programmes[name]

    def items(self, program: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Everything that the table holds of one programme, by key."""
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=self.outputs["TableName"],
                FilterExpression="begins_with(pk, :p)",
                ExpressionAttributeValues={":p": {"S": f"{program}#"}},
            )
        )
        return {(item["pk"]["S"], item["sk"]["S"]): item for page in pages for item in page["Items"]}


@contextmanager
def deployed() -> Iterator[Stack]:
    """A fresh stack. When the block ends, or this process does, nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="loyalty-e2e-")).resolve()
    place = Place(folder, free_pair())
    (folder / "port").write_text(f"{place.port}\n")
    # make puts these on the path; a test run that was started without it finds the CDK all the same.
    programs = [str(ROOT / "node_modules" / ".bin"), str(Path(sys.executable).parent)]
    os.environ["PATH"] = os.pathsep.join([*programs, os.environ.get("PATH", os.defpath)])
    guard: subprocess.Popen[bytes] | None = None
    stack: Stack | None = None
    try:
        emulator.start(place)
        guard = _guard(place)
        deploy.deploy(place)
        stack = Stack(place, deploy.outputs(place))
        stack.rest()
        stack.add(ALPHA)
        stack.add(BETA)
        stack.add(GAMMA)
        yield stack
    finally:
        if stack is not None:
            for client in stack._clients.values():  # noqa: SLF001 - its own module
                client.close()
        _end_functions(place)
        emulator.stop(place)
        if guard is not None:
            guard.communicate()
        shutil.rmtree(folder, ignore_errors=True)


def _end_functions(place: Place) -> None:
    """The emulator waits for each of its functions in turn; after a race there are scores of them."""
    said = emulator.about(place)
    if said is not None and emulator.settle(place, ANSWER_S):
        for process in guards.living(os.getpgid(said["pid"])):
            if process != said["pid"]:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)


def _guard(place: Place) -> "subprocess.Popen[bytes]":
    said = emulator.about(place)
    assert said is not None
    script = Path(__file__).with_name("guard.py")
    return subprocess.Popen(
        [sys.executable, str(script), str(os.getpgid(said["pid"])), str(place.folder)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
