"""What a night reads and writes, counted on AWS's own engine: with few and with very many members beside those due.

``make bench`` counts beside 100,000 items; ``python -m bench.night`` beside 1,000,000, which takes minutes to fill in.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from bench.report import Row
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Cause, Chain, Entry, fingerprint, seal
from loyalty.ledger.service import Ledger
from loyalty.ledger.store import HeadStore, LedgerStore, item_of
from loyalty.programs.policy import check
from loyalty.programs.terms import Program
from loyalty.table import keys
from loyalty.table.client import DynamoDB, Table
from loyalty.timers.ends import expire, expiry_due, remind, reminder_due
from loyalty.timers.service import Arming, Drain, Drained, Night
from loyalty.timers.store import TimerStore
from loyalty.timers.timer import armed, brings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

PROGRAM: Final = "nights"
DAY: Final = 86_400
NOW: Final = 1_767_265_200
"""1 January 2026, 12:00 in Berlin."""
POLICY: Final[dict[str, Any]] = {
    "program": PROGRAM,
    "name": "Nights",
    "currency": "EUR",
    "timezone": "Europe/Berlin",
    "expiry": {"kind": "rolling", "months": 12, "rounding": "day"},
    "reminders": {"days": [7]},
}
DUE: Final = 300
FEW: Final = 10_000
MANY: Final = 100_000
VERY_MANY: Final = 1_000_000
WRITES_PER_ACCOUNT: Final = 1.05
_AT_ONCE: Final = 25
_WRITERS: Final = 4
_ITEMS_A_MEMBER: Final = 3
"""An entry, a published head and a timer."""


class Counted(NamedTuple):
    """A night's counts. ``due`` accounts had something due; ``strangers`` are other accounts that were touched."""

    due: int
    entries: int
    timers: int
    other_writes: int
    account_reads: int
    plan_reads: int
    strangers: int
    write_units: float
    read_units: float


class _Tally:
    """Every call of a client, by operation and what the key is of."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.chains: set[str] = set()
        self.units: Counter[str] = Counter()
        self.on = False
        self._least = 0.0
        events: Any = client.meta.events
        events.register("provide-client-params.dynamodb", self._before)
        events.register("after-call.dynamodb", self._after)

    def _before(self, params: dict[str, Any], model: Any, **_: object) -> dict[str, Any] | None:
        if not self.on:
            return None
        if model.name == "Query":
            pk = params["ExpressionAttributeValues"][":p"]["S"]
        else:
            pk = (params.get("Item") or params["Key"])[keys.PK]["S"]
        self._least = 1.0 if params.get("ConsistentRead") else 0.5
        kind = pk.split("#")[1]
        self.calls[model.name, kind] += 1
        if kind == "L":
            self.chains.add(pk)
        return {**params, "ReturnConsumedCapacity": "INDEXES"}

    def _after(self, parsed: dict[str, Any], model: Any, **_: object) -> None:
        if not self.on or "ConsumedCapacity" not in parsed:
            return
        reads = model.name in {"Query", "GetItem"}
        # For a read that finds nothing AWS charges the least it can, and DynamoDB Local says 0.
        units = max(parsed["ConsumedCapacity"]["CapacityUnits"], self._least if reads else 0)
        self.units["read" if reads else "write"] += units


def in_turn(first: Any, second: Any) -> Any:
    """Both reads, one after the other, so that they can be counted."""
    return first(), second()


def count(client: "DynamoDBClient", name: str, due: int, others: int) -> Counted:
    """One night in which ``due`` accounts' points expire, beside ``others`` of whom nothing is due."""
    program = Program.of(check(POLICY), 1)
    table = Table(cast("DynamoDB", client), name, in_turn)
    dues = {"expiry": expiry_due, "reminder": reminder_due}

    def policy(_: str) -> Program:
        return program

    def arms(_: str, before: State, after: State) -> dict[str, int]:
        return armed(dues, program, before, after) if brings(before, after) else {}

    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(lambda batch: _put(client, name, batch), _batches(program, others)))
    store = TimerStore(table)
    ledger = Ledger(LedgerStore(table), lambda _: "member", arms)
    arming = Arming(store, policy, lambda _, now: now)
    for number in range(due):
        _give(ledger, arming, HeadStore(table), program, number)
    plans = Night(store, policy, dict.fromkeys(dues, "night"), lambda _: "terms")
    store.note_terms(PROGRAM, "terms")
    drains = Drain(ledger, store, policy, dues, lambda *_: None)
    _run(plans, drains, NOW + DAY)  # all days before

    tally = _Tally(client)
    tally.on = True
    done = _run(plans, drains, NOW + 2 * DAY)
    tally.on = False
    mine = {_chain(number).pk for number in range(due)}
    return Counted(
        due=due,
        entries=tally.calls["PutItem", "L"],
        timers=sum(counts.armed for counts in done),
        other_writes=sum(n for (what, _), n in tally.calls.items() if what == "PutItem")
        - tally.calls["PutItem", "L"]
        - sum(counts.armed for counts in done),
        account_reads=sum(n for (what, kind), n in tally.calls.items() if what != "PutItem" and kind == "L"),
        plan_reads=sum(n for (what, kind), n in tally.calls.items() if what != "PutItem" and kind != "L"),
        strangers=len(tally.chains - mine),
        write_units=tally.units["write"],
        read_units=tally.units["read"],
    )


def _chain(number: int) -> Chain:
    return Chain(PROGRAM, f"mem_{number:026d}", "points")


def _give(ledger: Ledger, arming: Arming, heads: HeadStore, program: Program, number: int) -> None:
    """Points that expire on the second night, and others that are reminded of long after."""
    expiries = [program.terms(NOW + days * DAY, NOW, {**POLICY["expiry"], "months": 0}, 0).expiry for days in (1, 40)]
    grants = [commands.Grant(100, expiry, 0) for expiry in expiries]
    cause = Cause(f"k#till#{number}", "", "till", NOW)
    entry = ledger.post(_chain(number), cause, NOW, lambda draft: commands.earn(draft, grants)).entry
    heads.publish(entry)
    arming.arm([entry], NOW)


def _run(plans: Night, drains: Drain, now: int) -> list[Drained]:
    done: list[Drained] = []
    asked: dict[str, Any] = {}
    while True:
        plan = plans.plan(asked, lambda _: now)
        if plan.done:
            return done
        acts = {"expiry": expire, "reminder": remind}
        done += [drains.drain(batch, acts[batch.kind], now) for batch in plan.batches]
        asked = plan.plain()


def _batches(program: Program, others: int) -> "Iterator[list[dict[str, Any]]]":
    """Members of whom nothing is due this month: an entry, a head and a timer each."""
    draft = Draft(State(), NOW)
    commands.open_account(draft, "member")
    expiry = program.terms(NOW, NOW).expiry
    commands.earn(draft, [commands.Grant(100, expiry, 0)])
    day = program.day(expiry)
    batch: list[dict[str, Any]] = []
    sealed: Entry | None = None
    for number in range(others):
        chain = Chain(PROGRAM, f"mem_9{number:025d}", "points")
        if sealed is None:  # one entry serves for all: nobody reads the others, which is what is counted
            sealed = seal(chain, None, draft, Cause("open", fingerprint(0), "till", NOW))
        entry = {name: {"S": str(value)} for name, value in item_of(sealed).items()}
        head, timer = keys.head(*chain), keys.timer(*chain, "expiry", day)
        batch.append({**entry, keys.PK: {"S": chain.pk}})
        batch.append({**entry, keys.PK: {"S": head[0]}, keys.SK: {"S": head[1]}})
        batch.append({keys.PK: {"S": timer[0]}, keys.SK: {"S": timer[1]}})
        if len(batch) > _AT_ONCE - _ITEMS_A_MEMBER:
            yield batch
            batch = []
    if batch:
        yield batch


def _put(client: "DynamoDBClient", name: str, items: list[dict[str, Any]]) -> None:
    left: Any = {name: [{"PutRequest": {"Item": item}} for item in items]}
    while left:
        left = client.batch_write_item(RequestItems=left)["UnprocessedItems"]


def rows(counts: dict[int, Counted]) -> list[Row]:
    """The bounds of a night, from its counts by the number of items beside it."""
    found = []
    for items, counted in counts.items():
        beside = f"night, {counted.due} accounts due beside {items:,} items"
        found += [
            Row(f"{beside}: entries per changed account", counted.entries / counted.due, "writes", WRITES_PER_ACCOUNT),
            Row(f"{beside}: further writes per timer", counted.timers / counted.due, "writes", 1),
            Row(f"{beside}: accounts touched that are not due", counted.strangers, "accounts", 0),
        ]
    figures = zip(*counts.values(), strict=True)
    difference = max(max(each) - min(each) for each in figures)
    found.append(Row(f"difference that {max(counts):,} items make to a night", difference, "calls or units", 0))
    return found


def measure(client: "DynamoDBClient", sizes: tuple[int, ...] = (FEW, MANY)) -> list[Row]:
    """All rows; each count on a table of its own."""
    from tests.engines import create_table

    counts = {}
    for items in sizes:
        name = f"night-{items}"
        create_table(client, name)
        counts[items] = count(client, name, DUE, items // _ITEMS_A_MEMBER)
        client.delete_table(TableName=name)
    return rows(counts)


def main() -> int:
    """Count beside very many; 1 when a bound does not hold."""
    import os
    import tempfile
    from pathlib import Path

    from bench import report
    from bench.__main__ import ACCOUNT
    from loyalty.table.client import connect
    from tests.engines import local

    os.environ.update(ACCOUNT)
    with tempfile.TemporaryDirectory(prefix="loyalty-bench-") as folder, local.running(Path(folder)) as server:
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = server.endpoint
        client = cast("DynamoDBClient", connect())
        found = measure(client, (FEW, VERY_MANY))
        client.close()
    print(report.table(found))
    return 0 if all(row.ok for row in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
