"""Campaigns as they run, in one process: the deployed machines from their ASL files, every function behind them, the
stream, the queues, and a provider that says what it really got. Only the test moves time.

Whatever is delivered is delivered as often as ``deliveries`` says; ``kill`` stands before the table and the provider.
"""

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

from infra.catalogue import CATALOGUE, FromCampaign
from infra.constructs.campaign import DEFINITION
from infra.constructs.night import DEFINITION as NIGHTLY
from loyalty.channels.channel import Outcome, Sending
from loyalty.contacts.preferences import Addresses, Preferences
from loyalty.contacts.store import ContactStore
from loyalty.members.member import Member
from loyalty.members.store import enrolled
from loyalty.runtime import messages, outbound, senders, wiring
from loyalty.runtime import table as deployed
from loyalty.table.client import Table
from loyalty.timers.store import TimerStore
from tests.machines import Execution, Failed, Killed, Machine
from tests.simulation.dynamodb import TABLE, Client, Gate
from tests.unit.relaying import Behind
from tests.unit.running import PROGRAM, Response, Running, forget, in_turn

DAY: Final = 86_400
START: Final = 1_767_265_200
"""1 January 2026, 12:00 in Berlin; seconds since 1970, UTC."""
ROOT: Final = Path(__file__).resolve().parents[2]
STEPS: Final = {
    "PlanFunction": "campaign_plan",
    "AssignFunction": "campaign_assign",
    "TouchFunction": "campaign_touch",
    "MeasureFunction": "campaign_measure",
    "FinishFunction": "campaign_finish",
}
_KINDS: Final = {"N": int, "S": str}


class Provider:
    """A channel that fails as it is told to, and remembers what really arrived."""

    def __init__(self, name: str, outcome: Callable[[Sending], tuple[Outcome, bool]], kill: Callable[[], None]) -> None:
        self.name = name
        self.reported = ""
        self.got: Counter[str] = Counter()
        self.asked = 0
        self.outcome = outcome
        self._kill = kill

    def send(self, sending: Sending, now: int) -> Outcome:
        del now
        self._kill()
        self.asked += 1
        outcome, arrived = self.outcome(sending)
        self.got[sending.id] += arrived
        self._kill()
        return outcome


def accepted(sending: Sending) -> tuple[Outcome, bool]:
    del sending
    return Outcome("accepted", "p1"), True


class World:
    """One deployment with one programme."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *,
        outcome: Callable[[Sending], tuple[Outcome, bool]] = accepted,
        deliveries: Callable[[], int] = lambda: 1,
        kill: Callable[[], None] = lambda: None,
        channel: str = "sms",
        **policy: Any,
    ) -> None:
        self.running = Running().deploy(monkeypatch)
        self.now = START
        self.policy = {"timezone": "Europe/Berlin", "wallets": ["points"], **policy}
        self.running.establish(**self.policy)
        self.operator = self.running.key("operator")
        self.provider = Provider(channel, outcome, kill)
        self.deliveries = deliveries
        self.kill = kill
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.queue: list[dict[str, Any]] = []
        self.executions: dict[str, Execution] = {}
        self.callers: dict[str, Execution] = {}
        self.started: list[tuple[str, dict[str, Any]]] = []
        self.called_back: list[str] = []
        self.reports: Callable[[], list[Any]] = list
        self.killed = 0
        self.delivered = 0
        self.transitions: Counter[str] = Counter()
        self._delivered: dict[str, int] = {}
        names = {one.name for one in CATALOGUE if isinstance(one.trigger, FromCampaign)} | {"campaign_touch"}
        assert set(STEPS.values()) == names
        self.machine = Machine(DEFINITION, STEPS, self.invoke, deliveries)
        self.nightly = Machine(NIGHTLY, {"PlanFunction": "plan_night"}, self.invoke, deliveries)
        monkeypatch.setenv("NIGHT_FUNCTIONS", json.dumps({"occasion": "campaign_touch", "campaign": "campaign_touch"}))
        monkeypatch.setenv("NOTIFY_QUEUE_URL", "notify")
        monkeypatch.setenv("CAMPAIGN_MACHINE_ARN", "campaigns")
        monkeypatch.setenv("PUBLIC_URL", "https://api.example")
        self.behind = Behind(monkeypatch)
        forget()
        monkeypatch.setattr("time.time", lambda: self.now)
        monkeypatch.setattr("functions.publish.handler.publish", self._publish)
        monkeypatch.setattr(senders, "channels", lambda _: {channel: self.provider})
        monkeypatch.setattr(messages, "send_batch", self._send_batch)
        monkeypatch.setattr(outbound, "start_execution", lambda _, name, given: self.started.append((name, given)))
        monkeypatch.setattr(outbound, "call_back", lambda token: self.called_back.append(token))
        TimerStore(self.running.table).register(PROGRAM, wiring.policy(PROGRAM).day(self.now) - 1)

    def through(self, monkeypatch: pytest.MonkeyPatch, gate: Gate) -> None:
        """Have a gate stand before the table of every function from now on."""
        client = Client(self.running.engine, gate, validate=False)
        table = Table(client, TABLE, in_turn)
        for module in (wiring, deployed):
            monkeypatch.setattr(module, "table", lambda: table)
        forget()

    # Members

    def enrol(self, number: int, **attributes: Any) -> str:
        """A member who is reached by the provider's channel and agreed to it."""
        account = f"mem_{number:026d}"
        new = Member(account, "member", (("card", f"d{number}"),), attributes, "en", self.now, self.now)
        self.running.table.transact([*enrolled(PROGRAM, new)])
        channel = self.provider.name
        known = Preferences(reached=(channel,), consents={channel: True})
        addresses = Addresses(phone="+4915112345678", email=f"m{number}@example.com")
        ContactStore(self.running.table).save(PROGRAM, account, known, addresses)
        return account

    def ask(self, key: str, body: Any = None, **params: str) -> Response:
        headers = {"Idempotency-Key": f"key-{len(self.told)}-{key}"}
        return self.running.call(self.operator, key, body, params=params, headers=headers)

    def hand_in(self, source: str) -> None:
        answer = self.ask("POST /v1/campaigns", {"source": source})
        assert answer.status == 200, answer.body

    def act(self, what: str, campaign: str, body: Any = None) -> Response:
        answer = self.ask(f"POST /v1/campaigns/{{id}}/{what}", body, id=campaign)
        self.settle()
        return answer

    # Machines

    def invoke(self, name: str, event: Any) -> Any:
        self.delivered += 1
        try:
            return import_module(f"functions.{name}.handler").lambda_handler(event, None)
        except Killed:
            self.killed += 1
            forget()
            raise

    def settle(self) -> None:
        """Start what was asked for, and call back whoever is to be, until nothing is left to do."""
        while self.started or self.called_back:
            started, self.started = self.started, []
            for name, given in started:
                if name not in self.executions:
                    self._run(name, Execution(self.machine, dict(given), self.machine.definition["StartAt"]))
            tokens, self.called_back = self.called_back, []
            for token in tokens:
                execution = self.callers.pop(token, None)
                if execution is not None and execution.token == token:
                    self._count(execution, partial(execution.go_on, {}))

    def _run(self, name: str, execution: Execution) -> None:
        self.executions[name] = execution
        self._count(execution, execution.run)

    def _count(self, execution: Execution, act: Callable[[], Execution]) -> None:
        try:
            act()
        except Failed:
            execution.status = "FAILED"
        if execution.token:
            self.callers[execution.token] = execution
        self.transitions.update(execution.transitions)
        execution.transitions.clear()

    @property
    def failed(self) -> list[str]:
        return [name for name, one in self.executions.items() if one.status == "FAILED"]

    def night(self) -> str:
        """The nightly machine; "FAILED" when the hour is to try again."""
        execution = Execution(self.nightly, {"program": PROGRAM}, self.nightly.definition["StartAt"])
        self._count(execution, execution.run)
        return execution.status

    def hour(self) -> None:
        """The schedule's hour of campaigns."""
        for _ in range(self.deliveries()):
            self._unless_killed("campaign_due", {"program": PROGRAM})
        self.settle()

    def _unless_killed(self, function: str, event: Any) -> Any:
        try:
            return self.invoke(function, event)
        except Killed:
            return None

    # Queues and the stream

    def _publish(self, events: list[tuple[str, str]]) -> None:
        self.told += [(kind, json.loads(detail)) for kind, detail in events]

    def _send_batch(self, queue: str, found: list[dict[str, Any]]) -> list[int]:
        assert queue == "notify"
        self.queue += found
        return []

    def send(self) -> None:
        """The queue of messages, until it is empty; what dies comes again."""
        while self.queue:
            waiting, self.queue = self.queue, []
            for start in range(0, len(waiting), 10):
                batch = waiting[start : start + 10]
                for _ in range(self.deliveries()):
                    self._unless_killed("notify", self._records(batch))

    def _records(self, bodies: list[Any]) -> dict[str, Any]:
        return {
            "Records": [
                {"messageId": str(number), "eventSource": "aws:sqs", "body": json.dumps(body), "attributes": {}}
                for number, body in enumerate(bodies)
            ]
        }

    def dispatch(self, hours: int = 26) -> None:
        """So many hours go by, with what is due then, and what is reported."""
        for _ in range(hours):
            self.now += 3_600
            self._unless_killed("dispatch", {"program": PROGRAM})
            self.send()
            self.hear()

    def hear(self) -> None:
        """The queue of reports, with what ``reports`` say now, until it is empty; what dies comes again."""
        waiting = self.reports()
        while waiting:
            batch, waiting = waiting[:10], waiting[10:]
            for _ in range(self.deliveries()):
                if self._unless_killed("delivery", self._records(batch)) is None:
                    waiting += batch

    def stream(self, *functions: str) -> None:
        """What is new in the table, to the functions that follow it, filtered as deployed."""
        for name in functions or ("publish", "arm"):
            self.behind.follow(self._fresh(name), name)

    def _fresh(self, name: str) -> list[dict[str, Any]]:
        found = []
        for partition, records in self.running.engine.stream().items():
            key = f"{name}#{partition}"
            found.extend(records[self._delivered.get(key, 0) :])
            self._delivered[key] = len(records)
        return [record for record in found if record["eventName"] != "REMOVE"]

    def enter(self, kind: str, detail: dict[str, Any]) -> Any:
        """The bus puts an event on the queue of campaigns."""
        body = {"detail-type": kind, "detail": {"program": PROGRAM, **detail}, "source": "loyalty"}
        answers = [self._unless_killed("campaign_enter", self._records([body])) for _ in range(self.deliveries())]
        return answers[-1]

    # What stands

    def items(self, kind: str) -> list[dict[str, Any]]:
        """All items of a type, plain."""
        return [
            {key: _KINDS[sort](value) for key, one in item.items() for sort, value in one.items()}
            for item in self.running.engine.items()
            if item.get("t") == {"S": kind}
        ]
