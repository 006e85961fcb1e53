"""Where messages lie in the table: one that waits among what is to be sent, from its claim on with its member.

An outgoing item leaves only when the message's own item says what became of it, or that somebody is at it. So whoever
dies on the way leaves something behind that is found again.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loyalty.errors import Conflict, Corrupt
from loyalty.notifications.message import (
    INBOX,
    KEPT_S,
    Content,
    Handed,
    Message,
    Outgoing,
    decode,
    encode,
    handed,
    news,
)
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Cancelled, Condition, ConditionFailed, Delete, Item, Put

WAITS_S: Final = 60 * 86_400
"""So long after it was due the table forgets one that nobody sent."""
AGAIN_S: Final = 900
"""What was handed on so long ago, and is still there, is handed on again."""
SLOT_S: Final = 600
"""Reports are noted by when the provider took what they tell of, in slots of so many seconds."""
NEAR: Final = 6
"""So many slots before and behind a moment, at most, something must have been taken and reported."""
STRAGGLE_S: Final = 1_800
"""So long after the first report of a slot, what was held up on the way with it has come, too."""
HEARD_S: Final = 30 * 86_400
"""So long the table remembers that reports came."""
_ATTEMPTS: Final = 12


class Handing(Struct, frozen=True, omit_defaults=True):
    """How far a shard was handed on: up to which sort key, and since when (the world's seconds) to its end; 0: not yet
    to its end.
    """

    upto: str = ""
    ended: int = 0


def puts(message: Message, content: Content, send_at: int) -> list[Put]:
    """What a message is made of, for the transaction of whoever has it sent, from ``send_at`` on: seconds since 1970,
    UTC, in the programme. What goes into the inbox at once is there with this; anything else waits to be handed on.
    """
    if message.channel == INBOX and send_at <= message.at:
        return [Put(message_item(None, lying(message, content, message.at)), ABSENT)]
    return [Put(_outgoing_item(Outgoing(message, content, send_at)), ABSENT)]


def lying(message: Message, content: Content, now: int) -> Message:
    """A message as it lies in the inbox from now on."""
    return replace(message, at=now, content=content, facts={"sent": now}, code="")


class MessageStore:
    """Messages in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put_new(self, message: Message, content: Content, send_at: int) -> None:
        """The same as ``puts``, alone. Twice is once."""
        for put in puts(message, content, send_at):
            try:
                self._table.put(put.item, put.condition)
            except ConditionFailed:
                continue

    def outgoing(self, which: Handed) -> Outgoing | None:
        item = self._table.get(keys.outgoing(*which))
        return None if item is None else _outgoing_of(item)

    def get(self, program: str, account: str, name: str) -> Message | None:
        item = self._table.get(keys.message(program, account, name))
        return None if item is None else message_of_item(item)

    def of_member(self, program: str, account: str) -> list[Message]:
        """All of a member's messages that were sent or tried, by name."""
        partition = keys.journeys_partition(program, account)
        return [message_of_item(item) for item in self._table.walk(partition, prefix=keys.MESSAGE_PREFIX)]

    def write(self, before: Message | None, after: Message) -> Message | None:
        """A message's next revision, alone. None when it was written; else what stands there instead."""
        try:
            self._table.put(message_item(before, after), _still(before))
        except ConditionFailed as error:
            if error.item is None:
                raise Corrupt("a message is gone") from None
            return message_of_item(error.item)
        return None

    def change(self, found: Message, decide: Callable[[Message], Message]) -> tuple[Message, Message]:
        """(before, after) of a change to a message, decided again whenever another was first; nothing is written when
        it changes nothing. ``found`` is what the caller has read. Conflict after many attempts.
        """
        for _ in range(_ATTEMPTS):
            after = decide(found)
            if after == found:
                return found, found
            other = self.write(found, after)
            if other is None:
                return found, replace(after, revision=found.revision + 1)
            found = other
        raise Conflict("ACCOUNT_BUSY", "Too many changes to one message at once")

    def put_off(self, outgoing: Outgoing, after: Message, due: int) -> bool:
        """Have it sent again from ``due`` on. Whether it was still as the caller has it."""
        before = outgoing.message
        waiting = Outgoing(replace(after, revision=before.revision + 1), outgoing.content, due)
        gone = Delete(keys.outgoing(*handed(outgoing)))
        return self._together([Put(message_item(before, after), _still(before)), Put(_outgoing_item(waiting)), gone])

    def bury(self, outgoing: Outgoing, after: Message) -> bool:
        """Set aside one that could not be sent, or is in doubt, whole, for people to have it tried again."""
        before = outgoing.message
        kept = Outgoing(replace(after, revision=before.revision + 1), outgoing.content, outgoing.due)
        pk, sk = keys.undelivered(after.program, after.account, after.name)
        item = {**_outgoing_item(kept), keys.PK: pk, keys.SK: sk}
        gone = Delete(keys.outgoing(*handed(outgoing)))
        return self._together([Put(message_item(before, after), _still(before)), Put(item), gone])

    def redrive(self, dead: Outgoing, after: Message, due: int) -> bool:
        """Have one of those tried anew. Whether it was still there."""
        before = dead.message
        waiting = Outgoing(replace(after, revision=before.revision + 1), dead.content, due)
        key = keys.undelivered(before.program, before.account, before.name)
        gone = Delete(key, Condition("attribute_exists(pk)"))
        return self._together([Put(message_item(before, after), _still(before)), Put(_outgoing_item(waiting)), gone])

    def _together(self, writes: list[Put | Delete]) -> bool:
        try:
            self._table.transact(writes)
        except Cancelled:
            return False
        return True

    def done(self, which: Handed) -> None:
        """Nothing is to be sent any more."""
        self._table.delete(keys.outgoing(*which))

    def dead(self, program: str, shard: int, limit: int, after: str = "") -> tuple[list[Outgoing], str]:
        """Those of a shard that could not be sent, and where to go on; "" at the end."""
        items, last = self._table.page(
            keys.outgoing_partition(program, shard), limit=limit, after=after or None, prefix=keys.DEAD_PREFIX
        )
        return [_outgoing_of(item) for item in items], last or ""

    def dead_one(self, program: str, account: str, name: str) -> Outgoing | None:
        item = self._table.get(keys.undelivered(program, account, name))
        return None if item is None else _outgoing_of(item)

    def forget_dead(self, program: str, account: str, name: str) -> None:
        self._table.delete(keys.undelivered(program, account, name))

    def due(self, program: str, shard: int, now: int, after: str, limit: int) -> tuple[list[Handed], bool]:
        """Up to ``limit`` messages of a shard that are due, behind the sort key ``after``, and whether there may be
        more.
        """
        items, last = self._table.page(keys.outgoing_partition(program, shard), limit=limit, after=after or None)
        found = [which for item in items if (which := _handed_of(program, str(item[keys.SK]))) and which.due <= now]
        return found, last is not None and len(found) == len(items)

    def handing(self, program: str, shard: int) -> Handing:
        item = self._table.get(keys.handed_on(program, shard))
        return Handing() if item is None else msgspec.json.decode(str(item["body"]), type=Handing)

    def note_handing(self, program: str, shard: int, handing: Handing) -> None:
        pk, sk = keys.handed_on(program, shard)
        body = msgspec.json.encode(handing).decode()
        self._table.put({keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_outgoing, "body": body})

    def note_heard(self, path: str, taken: int, wall: int) -> None:
        """A report came by ``path`` of something that was taken at ``taken``; both are the world's seconds."""
        pk, sk = keys.heard(path, taken // SLOT_S)
        new: Item = {keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_contact, "at": wall, keys.TTL: wall + HEARD_S}
        with suppress(ConditionFailed):  # the first of a slot counts
            self._table.put(new, ABSENT)

    def reports_came(self, path: str, about: int, wall: int) -> bool:
        """Whether whatever was taken by way of ``path`` at ``about`` has been reported by now: others' were, of the
        same ten minutes, or of some shortly before and some shortly behind; and not just now.
        """
        slot = about // SLOT_S
        first = keys.heard(path, slot - NEAR - 1)[1]
        items, _ = self._table.page(keys.heard_partition(path), limit=2 * NEAR + 1, after=first)
        noted = {int(item[keys.SK]) for item in items if wall - int(item["at"]) >= STRAGGLE_S}
        return any(slot - NEAR <= one <= slot for one in noted) and any(slot <= one <= slot + NEAR for one in noted)

    def returns(self, program: str) -> dict[str, dict[str, int]]:
        """What each channel brought so far, counted."""
        found: dict[str, dict[str, int]] = {}
        partition = keys.contact_policy(program)[0]
        for item in self._table.walk(partition, prefix=keys.RETURN_PREFIX, consistent=False):
            found = added(found, _counts(item))
        return found

    def add_returns(self, program: str, part: int, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Add to one part of them. Conflict after many attempts."""
        pk, sk = keys.channel_returns(program, part)
        for _ in range(_ATTEMPTS):
            item = self._table.get((pk, sk))
            revision = int(item["version"]) if item else 0
            body = msgspec.json.encode(added(_counts(item) if item else {}, counts)).decode()
            new: Item = {keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_contact, "version": revision + 1, "body": body}
            try:
                self._table.put(new, Condition("#version = :v", {"v": revision}) if revision else ABSENT)
            except ConditionFailed:
                continue
            return
        raise Conflict("ACCOUNT_BUSY", "Too many counts at once")


def added(
    counts: Mapping[str, Mapping[str, int]], further: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    """Sums by channel and name."""
    found = {channel: dict(named) for channel, named in counts.items()}
    for channel, named in further.items():
        known = found.setdefault(channel, {})
        for name, count in named.items():
            known[name] = known.get(name, 0) + count
    return found


def message_item(before: Message | None, after: Message) -> Item:
    """A message as it is stored when it was ``before``; ``news`` are the states that the stream tells of."""
    pk, sk = keys.message(after.program, after.account, after.name)
    return {
        keys.PK: pk,
        keys.SK: sk,
        keys.TYPE: keys.type_message,
        keys.TTL: after.at + KEPT_S,
        "version": (before.revision if before else 0) + 1,
        "news": " ".join(news(before, after)),
        "body": encode(after),
    }


def message_of_item(item: Item) -> Message:
    """A message from its stored item; Corrupt."""
    program, _, account = str(item[keys.PK]).split("#")
    name = str(item[keys.SK]).removeprefix(keys.MESSAGE_PREFIX)
    return decode(str(item["body"]), program, account, name, int(item["version"]))


def news_of_item(item: Item) -> tuple[Message, tuple[str, ...]]:
    """A message, and the states that it was in for the first time when it was stored so."""
    return message_of_item(item), tuple(str(item["news"]).split())


def _still(before: Message | None) -> Condition:
    revision = before.revision if before else 0
    return Condition("#version = :v", {"v": revision}) if revision else ABSENT


def _outgoing_item(outgoing: Outgoing) -> Item:
    message = outgoing.message
    pk, sk = keys.outgoing(*handed(outgoing))
    return {
        keys.PK: pk,
        keys.SK: sk,
        keys.TYPE: keys.type_outgoing,
        keys.TTL: outgoing.due + WAITS_S,
        "due": outgoing.due,
        "account": message.account,
        "name": message.name,
        "version": message.revision,
        "body": encode(message),
        "content": msgspec.json.encode(outgoing.content).decode(),
    }


def _outgoing_of(item: Item) -> Outgoing:
    program = str(item[keys.PK]).split("#", 1)[0]
    message = decode(str(item["body"]), program, str(item["account"]), str(item["name"]), int(item["version"]))
    return Outgoing(message, msgspec.json.decode(str(item["content"]), type=Content), int(item["due"]))


def _handed_of(program: str, sk: str) -> Handed | None:
    """None for what is not due at any time: marks, and what was set aside."""
    due, _, rest = sk.partition("#")
    if not due.isdecimal():
        return None
    account, _, name = rest.partition("#")
    return Handed(program, account, int(due), name)


def _counts(item: Item) -> dict[str, dict[str, int]]:
    return msgspec.json.decode(str(item["body"]), type=dict[str, dict[str, int]])
