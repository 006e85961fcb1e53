"""Where segments lie in the table: their definitions, each member's profile, who is in which segment, and how many.

A profile is written together with what follows from it: the members of segments, their counts, and the moves, an item
of their own that the table's stream tells from. So nobody enters or leaves untold, and nothing is told twice.
"""

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct

from loyalty.errors import Corrupt
from loyalty.segments.profile import Moves, Profile, encode
from loyalty.segments.profile import decode as decode_profile
from loyalty.segments.segment import Segments, decode
from loyalty.segments.segment import encode as encode_segments
from loyalty.segments.spread import moved
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Condition, ConditionFailed, Delete, Item, Put

KEPT_SECONDS: Final = 60 * 86_400
"""So long after it was made the table forgets what only the stream needed."""


class Sweep(Struct, frozen=True):
    """A page of all members, to be looked at by a version of the segments: those of a shard behind ``after``. ``count``
    comes before ``look``, and only counts points; ``counted`` says that a shard's are, and no shard is looked at
    before all are.
    """

    program: str
    version: int
    phase: str
    shard: int
    step: int = 0
    after: str = ""


class SegmentStore:
    """Segments in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def segments(self, program: str) -> tuple[Segments | None, str]:
        """The segments in force and the file they were read from; None before any were handed in. Corrupt."""
        item = self._table.get(keys.segments(program))
        return (None, "") if item is None else (decode(str(item["body"])), str(item["source"]))

    def put_segments(self, segments: Segments, source: str, sweeps: list[Sweep], now: int) -> None:
        """The next version, and what looks at everybody by it. Cancelled when another was first; Contended."""
        pk, sk = keys.segments(segments.program)
        item: Item = {
            keys.PK: pk,
            keys.SK: sk,
            keys.TYPE: keys.type_segments,
            "version": segments.version,
            "body": encode_segments(segments),
            "source": source,
            "at": now,
        }
        last = segments.version - 1
        still = Condition("#version = :version", {"version": last}) if last else ABSENT
        self._table.transact([Put(item, still), *(Put(_sweep_item(sweep, now), ABSENT) for sweep in sweeps)])

    def go_on(self, sweep: Sweep, now: int) -> None:
        """The next page of a sweep. Put twice, it is one."""
        self._table.put(_sweep_item(sweep, now))

    def begin(self, sweep: Sweep, now: int) -> None:
        """The first page of a sweep, unless it was begun."""
        with suppress(ConditionFailed):
            self._table.put(_sweep_item(sweep, now), ABSENT)

    def counted(self, program: str, version: int) -> int:
        """Of how many shards the points are counted."""
        prefix = keys.segments_sweeps(version, "counted")
        return sum(1 for _ in self._table.walk(keys.segments_partition(program), prefix=prefix))

    def profile(self, program: str, account: str) -> Profile:
        item = self._table.get(keys.profile(program, account))
        return Profile() if item is None else profile_of_item(item)

    def profiles(self, program: str, accounts: Collection[str]) -> dict[str, Profile]:
        """Of every account, read eventually consistently."""
        items = self._table.batch_get(keys.profile(program, one) for one in accounts)
        found = {one: items.get(keys.profile(program, one)) for one in accounts}
        return {one: Profile() if item is None else profile_of_item(item) for one, item in found.items()}

    def write(self, program: str, account: str, before: Profile, after: Profile, now: int) -> None:
        """A profile's next version with all that follows from it. ConditionFailed or Cancelled when another was
        first; Contended.
        """
        pk, sk = keys.profile(program, account)
        item: Item = {
            keys.PK: pk,
            keys.SK: sk,
            keys.TYPE: keys.type_profile,
            "version": after.version,
            "body": json.dumps(encode(after), separators=(",", ":"), ensure_ascii=False),
        }
        still = Condition("#version = :version", {"version": before.version}) if before.version else ABSENT
        moves = Moves.between(before, after, now)
        further = self._following(program, account, after, moves) if moves else []
        if before.place != after.place:
            further.append(self._spread_put(program, account, before.place, after.place))
        if further:
            self._table.transact([Put(item, still), *further])
        else:
            self._table.put(item, still)

    def _following(self, program: str, account: str, after: Profile, moves: Moves) -> list[Put | Delete]:
        pk, sk = keys.audience_moves(program, account, after.version)
        told: Item = {
            keys.PK: pk,
            keys.SK: sk,
            keys.TYPE: keys.type_audience,
            keys.TTL: moves.at + KEPT_SECONDS,
            "body": msgspec.json.encode(moves).decode(),
        }
        writes: list[Put | Delete] = [Put(told)]
        for name in moves.entered:
            pk, sk = keys.segment_member(program, name, account)
            writes.append(Put({keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_profile, "since": moves.at}))
        writes += [Delete(keys.segment_member(program, name, account)) for name in moves.left]
        changes = {**dict.fromkeys(moves.entered, 1), **dict.fromkeys(moves.left, -1)}
        return writes + [self._count_put(program, account, name, change) for name, change in changes.items()]

    def _count_put(self, program: str, account: str, segment: str, change: int) -> Put:
        key = keys.segment_count(program, segment, account)
        item = self._table.get(key)
        count = int(item["members"]) if item else 0
        return self._counted(key, item, {"members": count + change})

    def _spread_put(self, program: str, account: str, before: int, after: int) -> Put:
        key = keys.points_spread(program, account)
        item = self._table.get(key)
        counts = _counts(item) if item else {}
        return self._counted(key, item, {"body": json.dumps(moved(counts, before, after))})

    def _counted(self, key: keys.Key, item: Item | None, figures: Mapping[str, str | int]) -> Put:
        version = int(item["version"]) if item else 0
        still = Condition("#version = :version", {"version": version}) if version else ABSENT
        put: Item = {keys.PK: key[0], keys.SK: key[1], keys.TYPE: keys.type_segments, "version": version + 1, **figures}
        return Put(put, still)

    def spread(self, program: str) -> dict[int, int]:
        """How many members have points of each place."""
        found: dict[int, int] = {}
        for item in self._table.walk(keys.segments_partition(program), prefix=keys.POINTS_PREFIX):
            for place, count in _counts(item).items():
                found[place] = found.get(place, 0) + count
        return found

    def counts(self, program: str) -> dict[str, int]:
        """How many members each segment has; one that nobody was ever in is missing."""
        found: dict[str, int] = {}
        for item in self._table.walk(keys.segments_partition(program), prefix=keys.COUNT_PREFIX):
            name = str(item[keys.SK]).split("#")[1]
            found[name] = found.get(name, 0) + int(item["members"])
        return found

    def page(
        self, program: str, segment: str, shard: int, limit: int, after: str | None
    ) -> tuple[list[tuple[str, int]], str | None]:
        """(member, in it since) of one shard of a segment, and the member to go on ``after``, None at the end."""
        items, last = self._table.page(keys.segment_partition(program, segment, shard), limit=limit, after=after)
        return [(str(item[keys.SK]), int(item["since"])) for item in items], last


def sweep_of_item(item: Item) -> Sweep:
    """A page of a sweep from its stored item."""
    return msgspec.json.decode(str(item["body"]), type=Sweep)


def moves_of_item(item: Item) -> tuple[str, str, int, Moves]:
    """(programme, member, version of the profile, moves) from their stored item."""
    program, _, account = str(item[keys.PK]).split("#")
    version = int(str(item[keys.SK]).removeprefix(keys.MOVES_PREFIX))
    return program, account, version, msgspec.json.decode(str(item["body"]), type=Moves)


def profile_of_item(item: Item) -> Profile:
    """A profile from its stored item; Corrupt."""
    try:
        return decode_profile(json.loads(str(item["body"])), int(item["version"]))
    except (KeyError, ValueError) as error:
        raise Corrupt("a profile cannot be read") from error


def _sweep_item(sweep: Sweep, now: int) -> Item:
    pk, sk = keys.segments_sweep(sweep.program, sweep.version, sweep.phase, sweep.shard, sweep.step)
    return {
        keys.PK: pk,
        keys.SK: sk,
        keys.TYPE: keys.type_sweep,
        keys.TTL: now + KEPT_SECONDS,
        "body": msgspec.json.encode(sweep).decode(),
    }


def _counts(item: Item) -> dict[int, int]:
    return {int(place): int(count) for place, count in json.loads(str(item["body"])).items()}
