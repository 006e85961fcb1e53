"""What keeping segments current reads and writes, counted on AWS's own engine: of members whose standing stays, and of
those who enter or leave one.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from bench.night import in_turn
from bench.report import Row
from loyalty.ledger import commands
from loyalty.ledger.chain import Cause, Chain
from loyalty.ledger.service import Ledger
from loyalty.ledger.store import LedgerStore
from loyalty.members.member import Member
from loyalty.members.store import MemberStore, enrolled
from loyalty.programs.policy import check
from loyalty.programs.terms import Program
from loyalty.segments.service import Audiences, Sources
from loyalty.segments.store import SegmentStore
from loyalty.table.client import DynamoDB, Table
from loyalty.timers.store import TimerStore
from loyalty.timers.timer import Timer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PROGRAM: Final = "grouped"
NOW: Final = 1_767_265_200
"""1 January 2026, 12:00 in Berlin."""
DAY: Final = 86_400
MEMBERS: Final = 60
POLICY: Final[dict[str, Any]] = {
    "program": PROGRAM,
    "name": "Grouped",
    "currency": "EUR",
    "timezone": "Europe/Berlin",
    "expiry": {"kind": "none"},
}
SOURCE: Final = f"""\
program: {PROGRAM}
segments:
  rich: {{name: {{en: Rich, zh: 富}}, when: member.points >= 100}}
  richer: {{name: {{en: Richer, zh: 更富}}, when: member.points >= 1000}}
  old: {{name: {{en: Old, zh: 老}}, when: member.age_days >= 30}}
"""
MOVE_ITEMS: Final = 4
"""The profile, what it tells, the member of the segment, and how many the segment has."""


class Counted(NamedTuple):
    """Of ``MEMBERS`` looks each: items written, and reads of items; ``inside`` are those in a segment at the end."""

    unchanged: int
    unchanged_reads: int
    entered: int
    left: int
    by_time: int
    again: int
    inside: int


class _Tally:
    """Items that are written and read, by calls of a client."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.counts: Counter[str] = Counter()
        events: Any = client.meta.events
        events.register("provide-client-params.dynamodb", self._before)

    def _before(self, params: dict[str, Any], model: Any, **_: object) -> None:
        if model.name == "TransactWriteItems":
            self.counts["write"] += len(params["TransactItems"])
        elif model.name in {"PutItem", "DeleteItem"}:
            self.counts["write"] += 1
        elif model.name in {"GetItem", "Query"}:
            self.counts["read"] += 1

    def take(self, what: str = "write") -> int:
        """What was counted since the last time."""
        found = self.counts[what]
        self.counts.clear()
        return found


def count(client: "DynamoDBClient", name: str) -> Counted:
    """Members who are looked at: after an entry that moves nobody, one that moves them in, one that moves them out, and
    when time alone moves them; and all of it once more.
    """
    program = Program.of(check(POLICY), 1)
    table = Table(cast("DynamoDB", client), name, in_turn)
    members, timers = MemberStore(table), TimerStore(table)
    ledger = Ledger(LedgerStore(table), lambda _: "member")
    audiences = Audiences(
        SegmentStore(table),
        Sources(
            ledger.store.head,
            members.get,
            members.page,
            lambda _: program,
            lambda chain, kind, day: timers.put(Timer(chain, kind, day)),
            lambda *_: None,
        ),
    )
    audiences.hand_in(PROGRAM, SOURCE, seen=None, now=NOW)
    accounts = [f"mem_{number:026d}" for number in range(MEMBERS)]
    for account in accounts:
        members.write([*enrolled(PROGRAM, Member(account, "member", (), {}, "", NOW, NOW))])
    sent = 0

    def give(points: int) -> None:
        nonlocal sent
        for account in accounts:
            sent += 1
            cause = Cause(f"k#{sent}", "print", "test", NOW)
            chain = Chain(PROGRAM, account, program.wallets[0])
            ledger.post(chain, cause, NOW, lambda draft: commands.adjust(draft, points, 0, "test"))

    def look(now: int = NOW) -> None:
        for account in accounts:
            audiences.look(PROGRAM, account, now)

    tally = _Tally(client)
    give(10)
    look()  # armed for the day on which they are old
    give(5)
    tally.take()
    look()
    unchanged_reads = tally.counts["read"]
    unchanged = tally.take()
    give(100)
    tally.take()
    look()
    entered = tally.take()
    give(-100)
    tally.take()
    look()
    left = tally.take()
    look(NOW + 30 * DAY)
    by_time = tally.take()
    look(NOW + 30 * DAY)
    again = tally.take()
    inside = sum(audiences.counts(PROGRAM).values())
    return Counted(unchanged, unchanged_reads, entered, left, by_time, again, inside)


def measure(client: "DynamoDBClient") -> list[Row]:
    """All rows, on a table of its own."""
    from tests.engines import create_table

    create_table(client, "segments")
    found = count(client, "segments")
    client.delete_table(TableName="segments")
    rows = [
        ("after an entry that moves nobody: items written", found.unchanged, 0),
        ("after an entry that moves nobody: reads", found.unchanged_reads, None),
        ("entering one: items written", found.entered, MOVE_ITEMS),
        ("leaving one: items written", found.left, MOVE_ITEMS),
        ("entering one by time alone: items written", found.by_time, MOVE_ITEMS),
        ("looked at once more: items written", found.again, 0),
    ]
    return [Row(f"segments, a member {what}", total / MEMBERS, "items", bound) for what, total, bound in rows]
