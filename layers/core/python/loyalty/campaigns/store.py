"""Where campaigns lie in the table: each one's state, its versions, who takes part, every member's way, and what was
measured.

| what | sort key in the campaign's own partition |
|---|---|
| version, as it was handed in | ``V#{version, 6 digits}`` |
| what the bus is told | ``TOLD#{what}#{attempt}`` |
| who or what was set aside | ``ASIDE#{step}#{what}`` |
| sums of a batch | ``SUMS#{take, 6 digits}#{shard}#{after}`` |
| report of a look; the last one is final | ``REPORT#{look, 4 digits}`` |
| the wait of an execution | ``WAIT#{attempt, 6 digits}`` |
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loyalty.campaigns import journey as journeys
from loyalty.campaigns.campaign import Campaign, decode, encode
from loyalty.campaigns.events import Told
from loyalty.campaigns.journey import Journey
from loyalty.campaigns.run import (
    LIVE,
    Aside,
    Batch,
    Participant,
    Status,
    decode_participant,
    decode_status,
    encode_participant,
    encode_status,
    goes_by,
)
from loyalty.contacts import preferences as contacts
from loyalty.contacts import record as records
from loyalty.contacts.preferences import Preferences
from loyalty.contacts.record import Record
from loyalty.experiments.sums import ArmSums
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Cancelled, Condition, ConditionFailed, Delete, Item, Put

ASIDE: Final = "ASIDE#"
PAGE: Final = 100
AT_ONCE: Final = 500
"""Participants read at a time when a preview looks for those of its page."""
KEPT_SECONDS: Final = 60 * 86_400
"""So long the table keeps what only the stream, or one measurement, needed."""


class Waiting(Struct, frozen=True):
    """An execution that waits to be called back by ``token``; ``since`` in seconds since 1970, the world's."""

    attempt: int
    token: str
    since: int


class Side(Struct, frozen=True):
    """All that decides what a member is told: the ways through campaigns, what was agreed to, what was sent."""

    journeys: tuple[Journey, ...]
    preferences: Preferences
    record: Record


class CampaignStore:
    """Campaigns in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    # Campaigns

    def status(self, program: str, campaign: str) -> Status | None:
        item = self._table.get(keys.campaign(program, campaign))
        return None if item is None else decode_status(str(item["body"]))

    def all(self, program: str) -> list[Status]:
        """By id."""
        found = self._table.walk(keys.campaigns_partition(program))
        return [decode_status(str(item["body"])) for item in found]

    def live(self, program: str) -> list[Status]:
        """Those that are scheduled, running or paused, by id: however many are over, they are not read."""
        found = self._table.walk(keys.live_campaigns_partition(program))
        return [decode_status(str(item["body"])) for item in found]

    def segments_in_use(self, program: str) -> dict[str, list[str]]:
        """Campaigns under way by the segment that members are still to come in by."""
        found: dict[str, list[str]] = {}
        for status in self.live(program):
            there = self.version(program, status.id, status.runs or status.version)
            if there is not None and (segment := goes_by(status, there[0])):
                found.setdefault(segment, []).append(status.id)
        return found

    def write(self, status: Status, *further: Put) -> Status:
        """The next revision, and what goes with it, all or nothing. ConditionFailed when another was first, Contended;
        Cancelled names ``further`` by position from 1.
        """
        after = replace(status, revision=status.revision + 1)
        pk, sk = keys.campaign(status.program, status.id)
        item: Item = {
            keys.PK: pk,
            keys.SK: sk,
            keys.TYPE: keys.type_campaign,
            "revision": after.revision,
            "state": after.state,
            "body": encode_status(after),
        }
        still = Condition("#revision = :revision", {"revision": status.revision}) if status.revision else ABSENT
        there = keys.live_campaign(status.program, status.id)
        writes: list[Put | Delete] = [Put(item, still), *further]
        if after.state in LIVE:
            writes.append(Put({**item, keys.PK: there[0], keys.SK: there[1]}))
        elif after.runs:
            writes.append(Delete(there))
        if len(writes) > 1:
            self._table.transact(writes)
        else:
            self._table.put(item, still)
        return after

    def version(self, program: str, campaign: str, version: int) -> tuple[Campaign, str] | None:
        """(campaign, the file it was read from)."""
        item = self._table.get((keys.campaign_parts(program, campaign), f"V#{version:06d}"))
        if item is None:
            return None
        return decode(str(item["body"]), version), str(item["source"])

    def version_put(self, campaign: Campaign, source: str, now: int) -> Put:
        item = self._part(campaign.program, campaign.id, f"V#{campaign.version:06d}")
        return Put({**item, "body": encode(campaign), "source": source, "at": now}, ABSENT)

    def told_put(self, told: Told) -> Put:
        """What the table's stream tells the bus of; the same put twice is told once."""
        item = self._part(told.program, told.campaign, f"TOLD#{told.what}#{told.attempt}")
        item |= {
            keys.TYPE: keys.type_told,
            keys.TTL: told.at + KEPT_SECONDS,
            "body": msgspec.json.encode(told).decode(),
        }
        return Put(item)

    # Runs

    def keep_waiting(self, program: str, campaign: str, waiting: Waiting) -> None:
        item = self._part(program, campaign, f"WAIT#{waiting.attempt:06d}")
        item |= {"body": msgspec.json.encode(waiting).decode(), keys.TTL: waiting.since + 400 * 86_400}
        self._table.put(item)

    def waiting(self, program: str, campaign: str) -> list[Waiting]:
        """All that were ever kept of late, the oldest attempt first."""
        found = self._table.walk(keys.campaign_parts(program, campaign), prefix="WAIT#")
        return [msgspec.json.decode(str(item["body"]), type=Waiting) for item in found]

    def called_back(self, program: str, campaign: str, waiting: Waiting) -> None:
        with suppress(ConditionFailed):
            self._table.delete(
                (keys.campaign_parts(program, campaign), f"WAIT#{waiting.attempt:06d}"),
                Condition("#body = :body", {"body": msgspec.json.encode(waiting).decode()}),
            )

    def set_aside(self, program: str, campaign: str, aside: Aside) -> None:
        item = self._part(program, campaign, f"{ASIDE}{aside.step}#{aside.what}")
        item |= {"body": msgspec.json.encode(aside).decode()}
        self._table.put(item)

    def forget_aside(self, program: str, campaign: str, attempt: int) -> bool:
        """Forget who was set aside before an attempt, which has taken them all up; whether it set anybody aside."""
        partition, left = keys.campaign_parts(program, campaign), False
        for item in [*self._table.walk(partition, prefix=ASIDE)]:
            if _aside_of_item(item).attempt < attempt:
                self._table.delete((partition, str(item[keys.SK])))
            else:
                left = True
        return left

    def left_aside(self, batch: Batch) -> Callable[[str], bool]:
        """Which members of a batch were set aside when they were to be assigned, alone or with others."""
        partition, prefix = keys.campaign_parts(batch.program, batch.campaign), f"{ASIDE}{batch.phase}#"
        whole = [_aside_of_item(one) for one in self._table.walk(partition, prefix=f"{prefix}{batch.shard:02d}.")]
        spans = [(one.after, one.what.partition(".")[2]) for one in whole]
        alone: set[str] = set()
        after: str | None = f"{prefix}{batch.after}"
        while after is not None:
            items, after = self._table.page(partition, limit=PAGE, after=after, prefix=prefix)
            names = [_aside_of_item(one).what for one in items]
            alone.update(names)
            if names and names[-1] >= batch.to:
                break
        return lambda account: account in alone or any(first < account <= last for first, last in spans)

    def aside(self, program: str, campaign: str, limit: int, after: str | None) -> tuple[list[Aside], str | None]:
        items, last = self._table.page(keys.campaign_parts(program, campaign), limit=limit, after=after, prefix=ASIDE)
        return [_aside_of_item(item) for item in items], last

    # Members of an audience

    def audience(self, program: str, segment: str, shard: int, after: str, limit: int = PAGE) -> tuple[list[str], bool]:
        """Accounts of a shard behind ``after``: of a segment, or of everybody; and whether there may be more."""
        partition = (
            keys.segment_partition(program, segment, shard) if segment else keys.member_partition(program, shard)
        )
        items, last = self._table.page(partition, limit=limit, after=after or None)
        return [str(item[keys.SK]) for item in items], last is not None

    def between(self, batch: Batch, segment: str) -> Iterator[str]:
        """The accounts of a batch."""
        after, more = batch.after, True
        while more:
            found, more = self.audience(batch.program, segment, batch.shard, after)
            for account in found:
                if account > batch.to:
                    return
                yield account
                after = account

    # Who takes part

    def participant_keys(
        self, program: str, campaign: str, shard: int, after: str, limit: int = PAGE
    ) -> tuple[list[str], bool]:
        """Sort keys of a shard's participants behind ``after``, and whether there may be more."""
        items, last = self._table.page(
            keys.participants_partition(program, campaign, shard), limit=limit, after=after or None
        )
        return [str(item[keys.SK]) for item in items], last is not None

    def participants(self, batch: Batch) -> Iterator[Participant]:
        """Those behind a batch's ``after``, up to its ``to``: an account's, or a participant's key."""
        partition = keys.participants_partition(batch.program, batch.campaign, batch.shard)
        after: str | None = batch.after or None
        while True:
            items, after = self._table.page(partition, limit=PAGE, after=after)
            for item in items:
                sk = str(item[keys.SK])
                if sk > batch.to and not sk.startswith(f"{batch.to}#"):
                    return
                yield decode_participant(sk, str(item["body"]))
            if after is None:
                return

    def occasions(self, program: str, campaign: str, account: str) -> list[Participant]:
        """All occasions on which a member took part."""
        pk, _ = keys.participant(program, campaign, account, "")
        items = self._table.walk(pk, prefix=f"{account}#")
        return [decode_participant(str(item[keys.SK]), str(item["body"])) for item in items]

    def taking_part(
        self, program: str, campaign: str, shard: int, accounts: Sequence[str]
    ) -> dict[str, list[Participant]]:
        """Those of some accounts of a shard, in order, who took part, with all their occasions. What lies between them
        is read in the same page or leapt over, so there are never more pages than accounts, and mostly there is one.
        """
        partition = keys.participants_partition(program, campaign, shard)
        found: dict[str, list[Participant]] = {}
        wanted, start = {*accounts}, accounts[0] if accounts else ""
        while start:
            items, last = self._table.page(partition, limit=AT_ONCE, after=start, consistent=False)
            for item in items:
                sk = str(item[keys.SK])
                if (account := sk.partition("#")[0]) in wanted:
                    found.setdefault(account, []).append(decode_participant(sk, str(item["body"])))
            reached = (last or "").partition("#")[0]
            if reached in wanted:
                start = last or ""
            else:
                start = next((one for one in accounts if reached and one > reached), "")
        return found

    def put_participant(self, program: str, campaign: str, one: Participant, times: int | None = None) -> Participant:
        """Whoever stands there: this one, or the one that was there before. With ``times`` it counts that the member
        took part so often before this: ConditionFailed when there are more by now, Contended.
        """
        pk, sk = keys.participant(program, campaign, one.account, one.occasion)
        item: Item = {keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_participant, "body": encode_participant(one)}
        try:
            if times is None:
                self._table.put(item, ABSENT)
            else:
                self._table.transact([Put(item, ABSENT), _times_put(program, campaign, one.account, times)])
        except (ConditionFailed, Cancelled) as refused:
            there = refused.item if isinstance(refused, ConditionFailed) else refused.failed.get(0)
            if there is not None:
                return decode_participant(sk, str(there["body"]))
            if isinstance(refused, Cancelled):
                raise ConditionFailed(refused.failed.get(1)) from None
            raise
        return one

    # Ways

    def side(self, program: str, account: str) -> Side:
        """A member's ways, preferences and record: two reads at the same time."""
        partition = keys.journeys_partition(program, account)

        def ways() -> tuple[list[Journey], Preferences]:
            found, preferences = [], Preferences()
            for item in self._table.walk(partition, prefix="P"):
                if item[keys.TYPE] == keys.type_journey:
                    found.append(_journey_of_item(item))
                else:
                    preferences = _preferences_of(item)
            return found, preferences

        (found, preferences), kept = self._table.together(
            ways, lambda: self._table.get(keys.contact_record(program, account))
        )
        return Side(tuple(found), preferences, _record_of(kept))

    def sides(self, program: str, ways: Mapping[str, Collection[tuple[str, str]]]) -> dict[str, Side]:
        """The same of many members, by account, of each the ways that are named by campaign and occasion: a few reads
        for a hundred, eventually consistent.
        """
        wanted = []
        for account, named in ways.items():
            wanted += [keys.contact_record(program, account), keys.preferences(program, account)]
            wanted += [keys.journey(program, account, *one) for one in named]
        items = self._table.batch_get(wanted)
        found: dict[str, Side] = {}
        for account, named in ways.items():
            kept, agreed = (items.get(key(program, account)) for key in (keys.contact_record, keys.preferences))
            there = [item for one in sorted(named) if (item := items.get(keys.journey(program, account, *one)))]
            found[account] = Side(tuple(map(_journey_of_item, there)), _preferences_of(agreed), _record_of(kept))
        return found

    def ways(self, program: str, named: Sequence[tuple[str, str, str]]) -> list[Journey | None]:
        """Ways named by account, campaign and occasion, in their order, read eventually consistently."""
        items = self._table.batch_get(keys.journey(program, *one) for one in named)
        found = [items.get(keys.journey(program, *one)) for one in named]
        return [None if item is None else _journey_of_item(item) for item in found]

    def begin(self, program: str, account: str, journey: Journey) -> bool:
        """Put a way that begins; whether it is new."""
        try:
            self._table.put(_journey_item(program, account, replace(journey, revision=1)), ABSENT)
        except ConditionFailed:
            return False
        return True

    def go_on(
        self,
        program: str,
        account: str,
        changed: Sequence[Journey],
        record: tuple[Record, Record] | None,
        further: Sequence[Put],
    ) -> list[Journey]:
        """The next revisions of ways, and what goes with them, in one transaction. Cancelled or ConditionFailed when
        another was first; Contended.
        """
        new = [replace(one, revision=one.revision + 1) for one in changed]
        puts = [
            Put(
                _journey_item(program, account, one),
                Condition("#revision = :revision", {"revision": one.revision - 1}),
            )
            for one in new
        ]
        if record is not None:
            before, after = record
            puts.append(_record_put(program, account, before, after))
        puts += further
        if len(puts) == 1:
            self._table.put(*puts[0])
        elif puts:
            self._table.transact([*puts])
        return new

    # What was measured

    def put_sums(self, batch: Batch, arms: dict[str, ArmSums]) -> None:
        item = self._part(batch.program, batch.campaign, f"SUMS#{batch.take:06d}#{batch.shard:02d}#{batch.after}")
        self._table.put({**item, "body": msgspec.json.encode(arms).decode()})

    def sums(self, program: str, campaign: str, take: int) -> Iterator[dict[str, ArmSums]]:
        found = self._table.walk(keys.campaign_parts(program, campaign), prefix=f"SUMS#{take:06d}#")
        for item in found:
            yield msgspec.json.decode(str(item["body"]), type=dict[str, ArmSums])

    def report_put(self, program: str, campaign: str, look: int, body: str, day: int) -> Put:
        item = self._part(program, campaign, f"REPORT#{look:04d}")
        return Put({**item, "body": body, "day": day})

    def reports(self, program: str, campaign: str) -> list[tuple[int, str]]:
        """(day, report as JSON) of every look, the oldest first."""
        found = self._table.walk(keys.campaign_parts(program, campaign), prefix="REPORT#")
        return [(int(item["day"]), str(item["body"])) for item in found]

    def _part(self, program: str, campaign: str, sk: str) -> Item:
        return {keys.PK: keys.campaign_parts(program, campaign), keys.SK: sk, keys.TYPE: keys.type_campaign}


def told_of_item(item: Item) -> Told:
    """What the bus is to be told, from its stored item."""
    return msgspec.json.decode(str(item["body"]), type=Told)


def _aside_of_item(item: Item) -> Aside:
    return msgspec.json.decode(str(item["body"]), type=Aside)


def _times_put(program: str, campaign: str, account: str, before: int) -> Put:
    """One time more than before. Who read the same before waits in vain to be the next: two that look at the same
    occasions write the same item. It says no more than there are, for times were not always counted.
    """
    pk, sk = keys.times(program, account, campaign)
    item: Item = {keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_times, "times": before + 1}
    return Put(item, Condition("attribute_not_exists(pk) OR #times <= :times", {"times": before}))


def _journey_item(program: str, account: str, journey: Journey) -> Item:
    pk, sk = keys.journey(program, account, journey.campaign, journey.occasion)
    body: dict[str, Any] = journeys.encode(journey)
    return {
        keys.PK: pk,
        keys.SK: sk,
        keys.TYPE: keys.type_journey,
        "revision": journey.revision,
        "body": json.dumps(body, separators=(",", ":"), ensure_ascii=False),
    }


def _journey_of_item(item: Item) -> Journey:
    campaign, occasion = str(item[keys.SK]).removeprefix(keys.JOURNEY_PREFIX).split("#", 1)
    return journeys.decode(campaign, occasion, json.loads(str(item["body"])), int(item["revision"]))


def _preferences_of(item: Item | None) -> Preferences:
    return Preferences() if item is None else contacts.decode(json.loads(str(item["body"])), int(item["version"]))


def _record_of(item: Item | None) -> Record:
    return Record() if item is None else records.decode(json.loads(str(item["body"])), int(item["version"]))


def _record_put(program: str, account: str, before: Record, after: Record) -> Put:
    pk, sk = keys.contact_record(program, account)
    item: Item = {
        keys.PK: pk,
        keys.SK: sk,
        keys.TYPE: keys.type_contact,
        "version": before.version + 1,
        "body": json.dumps(records.encode(after), separators=(",", ":"), ensure_ascii=False),
    }
    still = Condition("#version = :version", {"version": before.version}) if before.version else ABSENT
    return Put(item, still)
