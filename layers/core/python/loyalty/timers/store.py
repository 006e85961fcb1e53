"""Where timers lie in the table: one item each, in partitions by kind and shard, by day within.

No index: the day leads the sort key. A timer is never deleted by the product; the table forgets it long after its
day, and how far a night has come is said by its mark alone.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from loyalty.ledger.chain import Chain
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Condition, ConditionFailed, Item
from loyalty.timers.timer import REARM, SEEN_TO, Aside, Batch, Timer

KEPT_DAYS: Final = 400
"""So long after its day the table forgets a timer: nights may have been missed, but not for a year."""
PAGE: Final = 100
_EPOCH: Final = 719_163
_SECONDS_A_DAY: Final = 86_400


class TimerStore:
    """Timers in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, timer: Timer) -> None:
        """Arm a timer; twice changes nothing. One write."""
        pk, sk = keys.timer(*timer.chain, timer.kind, timer.day)
        ttl = (timer.day - _EPOCH + KEPT_DAYS) * _SECONDS_A_DAY
        self._table.put({keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_timer, keys.TTL: ttl})

    def armed(self, timer: Timer) -> bool:
        return self._table.get(keys.timer(*timer.chain, timer.kind, timer.day)) is not None

    def keys_of(
        self, program: str, kind: str, day: int, shard: int, after: str, limit: int = PAGE
    ) -> tuple[list[str], bool]:
        """Up to ``limit`` sort keys of a shard's timers for a day, behind ``after``, and whether there may be more."""
        items, last = self._table.page(
            keys.timer_partition(program, kind, shard), limit=limit, after=after or None, prefix=keys.timer_day(day)
        )
        return [str(item[keys.SK]) for item in items], last is not None

    def accounts(self, program: str, shard: int, after: str, limit: int = PAGE) -> tuple[list[str], bool]:
        """The same of all accounts of a shard, by their published heads."""
        items, last = self._table.page(keys.head_partition(program, shard), limit=limit, after=after or None)
        return [str(item[keys.SK]) for item in items], last is not None

    def chains(self, batch: Batch) -> Iterator[Chain]:
        """Which accounts a batch is about."""
        after, more = batch.after, True
        while more:
            if batch.kind == REARM:
                found, more = self.accounts(batch.program, batch.shard, after)
            else:
                found, more = self.keys_of(batch.program, batch.kind, batch.day, batch.shard, after)
            for sk in found:
                if sk > batch.to:
                    return
                account, wallet = sk.split("#")[-2:]
                yield Chain(batch.program, account, wallet)
                after = sk

    def register(self, program: str, since: int) -> None:
        """Have a programme's nights begin with the day after ``since``. Later calls change nothing."""
        pk, sk = keys.night_program(program)
        with suppress(ConditionFailed):
            self._table.put({keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_night, "day": since}, ABSENT)

    def programs(self) -> list[tuple[str, int]]:
        """(programme, day before its first night) of all that have nights, by name."""
        found = self._table.walk(keys.NIGHT_PROGRAMS)
        return [(str(item[keys.SK]), int(item["day"])) for item in found]

    def marks(self, program: str) -> dict[str, int]:
        """By kind, the last day of which everything is done."""
        found = self._table.walk(keys.night_partition(program), prefix=keys.NIGHT_DONE)
        return {str(item[keys.SK]).removeprefix(keys.NIGHT_DONE): int(item["day"]) for item in found}

    def mark(self, program: str, kind: str, day: int) -> None:
        """Note that a kind is done up to ``day``. A mark never goes back."""
        pk, sk = keys.night_mark(program, kind)
        item: Item = {keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_night, "day": day}
        with suppress(ConditionFailed):
            self._table.put(item, Condition("attribute_not_exists(pk) OR #day < :day", {"day": day}))

    def terms(self, program: str) -> str:
        """Digest of the terms that all timers follow; empty when none was ever noted."""
        item = self._table.get(keys.night_terms(program))
        return "" if item is None else str(item["digest"])

    def note_terms(self, program: str, digest: str) -> None:
        pk, sk = keys.night_terms(program)
        self._table.put({keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_night, "digest": digest})

    def set_aside(self, timer: Timer, reason: str, now: int, again: int = 0) -> None:
        """Note an account that could not be seen to, and why; it is looked at again on the day ``again``, 0 where no
        day is known. The last time counts.
        """
        pk, sk = keys.night_aside(*timer.chain, timer.kind)
        ttl = now + KEPT_DAYS * _SECONDS_A_DAY
        item: Item = {
            keys.PK: pk,
            keys.SK: sk,
            keys.TYPE: keys.type_night,
            keys.TTL: ttl,
            "day": timer.day,
            "reason": reason,
            "at": now,
            "again": again,
        }
        self._table.put(item)

    def seen_to(self, timer: Timer, now: int) -> None:
        """An account that was set aside is no longer."""
        self.set_aside(timer, "", now, SEEN_TO)

    def swept_aside(self, program: str) -> list[Aside]:
        """Those whose timers could not be put when all were."""
        prefix = f"{keys.NIGHT_ASIDE}{REARM}#"
        return [_aside(item) for item in self._table.walk(keys.night_partition(program), prefix=prefix)]

    def one(self, timer: Timer, function: str) -> Batch:
        """The batch of one account that is to be looked at again."""
        chain, kind = timer.chain, timer.kind
        key = keys.head(*chain) if kind == REARM else keys.timer(*chain, kind, timer.day)
        shard = int(key[0].rpartition("#")[2])
        return Batch(chain.program, kind, timer.day, shard, key[1][:-1], key[1], function, True)

    def aside(self, program: str) -> list[Aside]:
        """All accounts that were ever set aside, those that were seen to since among them."""
        return [_aside(item) for item in self._table.walk(keys.night_partition(program), prefix=keys.NIGHT_ASIDE)]

    def aside_page(self, program: str, limit: int, after: str) -> tuple[list[Aside], str]:
        """At most ``limit`` of them behind cursor ``after``, and the cursor to go on with, "" at the end."""
        prefix = keys.NIGHT_ASIDE
        items, last = self._table.page(
            keys.night_partition(program), limit=limit, after=f"{prefix}{after}" if after else None, prefix=prefix
        )
        return [_aside(item) for item in items], last.removeprefix(prefix) if last else ""


def _aside(item: Item) -> Aside:
    program, _ = str(item[keys.PK]).split("#")
    kind, account, wallet = str(item[keys.SK]).removeprefix(keys.NIGHT_ASIDE).split("#")
    timer = Timer(Chain(program, account, wallet), kind, int(item["day"]))
    return Aside(timer, str(item["reason"]), int(item["at"]), int(item.get("again", 0)))
