"""A programme whose days pass: accounts on the simulated table, timers from its stream, nights in batches."""

from collections.abc import Callable
from typing import Any

from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Cause, Chain, Entry, fingerprint
from loyalty.ledger.service import Ledger
from loyalty.ledger.store import HeadStore, LedgerStore, entry_of_item
from loyalty.programs.policy import check
from loyalty.programs.terms import Program
from loyalty.table.client import Table
from loyalty.timers.ends import (
    activate_due,
    decay,
    decay_due,
    expire,
    expiry_due,
    lapse_due,
    remind,
    reminder_due,
)
from loyalty.timers.service import Act, Arming, Drain, Drained, Night
from loyalty.timers.store import TimerStore
from loyalty.timers.timer import REARM, Batch, armed, brings
from loyalty.values import Rate
from tests.simulation.dynamodb import TABLE, Client, Engine, Gate
from tests.unit.running import in_turn

DAY = 86_400
START = 1_767_265_200
"""1 January 2026, 12:00 in Berlin; seconds since 1970, UTC."""
POLICY: dict[str, Any] = {"program": "grocer", "name": "Grocer", "currency": "EUR", "timezone": "Europe/Berlin"}
ACTS: dict[str, Act] = {"lapse": expire, "activate": expire, "expiry": expire, "decay": decay, "reminder": remind}
DUES = {
    "lapse": lapse_due,
    "activate": activate_due,
    "expiry": expiry_due,
    "decay": decay_due,
    "reminder": reminder_due,
}


class Nights:
    """One programme; only the test moves ``now``. A ``gate`` stands before the table in what nights do."""

    def __init__(self, gate: Gate | None = None, **policy: Any) -> None:
        self.engine = Engine()
        self.now = START
        self.asked = 0
        self.acts = ACTS
        self.aside: list[tuple[str, str, str]] = []
        self._delivered: dict[str, int] = {}
        self.settle_on({**POLICY, **policy})
        self.connect(gate)

    def settle_on(self, policy: dict[str, Any], version: int = 1) -> None:
        self.program = Program.of(check(policy), version)

    def connect(self, gate: Gate | None = None) -> None:
        table = Table(Client(self.engine, gate), TABLE, in_turn)
        self.store = TimerStore(table)
        self.heads = HeadStore(table)
        self.ledger = Ledger(LedgerStore(table), lambda _: "member", self._arms)
        self.arming = Arming(self.store, self._policy, lambda _, now: now)
        kinds = dict.fromkeys([*DUES, REARM], "function")
        self.plans = Night(self.store, self._policy, kinds, lambda one: fingerprint(one.reminders, one.decay))
        self.drains = Drain(self.ledger, self.store, self._policy, DUES, lambda *what: self.aside.append(what))

    def _policy(self, name: str) -> Program:
        assert name == self.program.program
        return self.program

    def _arms(self, name: str, before: State, after: State) -> dict[str, int]:
        return armed(DUES, self._policy(name), before, after) if brings(before, after) else {}

    @property
    def today(self) -> int:
        return self.program.day(self.now)

    def chain(self, number: int = 1) -> Chain:
        return Chain(self.program.program, f"mem_{number:026d}", "points")

    def post(self, number: int, decide: Callable[[Draft], object]) -> Entry:
        self.asked += 1
        cause = Cause(f"k#till#{self.asked}", fingerprint(self.asked), "till", self.now)
        return self.ledger.post(self.chain(number), cause, self.now, decide).entry

    def give(self, number: int, points: int, days: int) -> Entry:
        """Points that end so many days from today, at midnight."""
        expiry = self.program.terms(
            self.now + days * DAY, self.now, {"kind": "rolling", "months": 0, "rounding": "day"}, 0
        ).expiry
        lasting = commands.Lasting(notice=self.program.notice)
        return self.post(number, lambda draft: commands.earn(draft, [commands.Grant(points, expiry, 0)], 0, lasting))

    def buy(self, number: int, points: int) -> Entry:
        """A purchase that gives points for good."""
        award = commands.Award("base", Rate(points, 1))
        return self.post(number, lambda draft: commands.earn_awards(draft, [award], self.today, visit=True, spend=100))

    def spend(self, number: int, points: int) -> Entry:
        return self.post(number, lambda draft: commands.redeem(draft, points))

    def stream(self) -> int:
        """The stream delivers what is new; how many timers that put."""
        count = 0
        for partition, records in self.engine.stream().items():
            fresh = records[self._delivered.get(partition, 0) :]
            self._delivered[partition] = len(records)
            items = [
                {
                    name: int(v) if kind == "N" else v
                    for name, one in record["dynamodb"]["NewImage"].items()
                    for kind, v in one.items()
                }
                for record in fresh
                if record["eventName"] == "INSERT"
            ]
            entries = [entry_of_item(item) for item in items if item["t"] == "entry"]
            for entry in entries:
                self.heads.publish(entry)
            count += self.arming.arm(entries, self.now)
        return count

    def night(self, at: dict[str, Any] | None = None) -> list[tuple[Batch, Drained]]:
        """Plans and batches until nothing is left, as the state machine has it."""
        done: list[tuple[Batch, Drained]] = []
        asked: dict[str, Any] = at or {}
        while True:
            plan = self.plans.plan(asked, lambda _: self.now)
            if plan.done:
                return done
            done += [(batch, self.drain(batch)) for batch in plan.batches]
            asked = plan.plain()

    def drain(self, batch: Batch) -> Drained:
        if batch.kind == REARM:
            return self.drains.rearm(batch, self.now)
        return self.drains.drain(batch, self.acts[batch.kind], self.now)

    def pass_days(self, days: int) -> None:
        """So many days, each with its night and all that the stream brings."""
        for _ in range(days):
            self.now += DAY
            self.stream()
            self.night()
            self.stream()

    def state(self, number: int = 1) -> State:
        head = self.ledger.store.head(self.chain(number))
        assert head is not None
        return head.state

    def entries(self, number: int = 1) -> list[Entry]:
        return [*self.ledger.store.oldest(self.chain(number))]

    def kinds(self, number: int = 1) -> list[tuple[int, str]]:
        """(days since the start, kind) of what nights have written."""
        first = self.program.day(START)
        return [
            (self.program.day(one.recorded) - first, one.kind) for one in self.entries(number) if one.actor == "night"
        ]

    def sound(self, *numbers: int) -> None:
        """The chains hold (I1, I6, I8)."""
        for number in numbers:
            assert self.ledger.store.verify(self.chain(number))[1] is None
