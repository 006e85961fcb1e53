"""What a member was sent, as caps and guards count it, and what was left out of late. Pure.

Days are proleptic ordinals in the member's own zone. What no cap and no guard can ask for any more is forgotten.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

KEPT_DAYS: Final = 31
"""Caps look no further back."""
KEPT_OFFER_DAYS: Final = 92
KEPT_OF_A_CHANNEL: Final = 100
"""No cap counts further."""
KEPT_OFFERS: Final = 128
KEPT_CONTENTS: Final = 256
KEPT_LEFT_OUT: Final = 20
_DIGITS: Final = 16


class Sent(Struct, frozen=True):
    """A message that went to the member on ``day``; ``digest`` names its content."""

    day: int
    channel: str
    campaign: str
    digest: str


class Offered(Struct, frozen=True):
    """Points offered on a day, or what a multiplier counted as."""

    day: int
    points: int
    campaign: str


class LeftOut(Struct, frozen=True):
    """A message that did not go on ``day``, and why."""

    day: int
    campaign: str
    occasion: str
    step: str
    reason: str


class Record(Struct, frozen=True):
    """One member's. ``sent`` are the messages that caps count, ``contents`` what was ever said (the newest
    ``KEPT_CONTENTS``); ``version`` counts writes.
    """

    sent: tuple[Sent, ...] = ()
    offers: tuple[Offered, ...] = ()
    contents: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    version: int = 0

    def count(self, channel: str, day: int, days: int) -> int:
        """Messages of a channel ("" for all) that lie in one span of so many days with ``day``, at most; those of later
        days count, too.
        """
        within = [one.day for one in self.sent if (not channel or one.channel == channel) and abs(one.day - day) < days]
        starts = {day, *(each for each in within if each <= day)}
        return max(sum(start <= each < start + days for each in within) for start in starts)

    def offered(self, day: int, days: int) -> int:
        """Points offered in the ``days`` up to ``day``, and later."""
        return sum(one.points for one in self.offers if one.day > day - days)

    def knows(self, content: str) -> bool:
        """Whether this was said before."""
        return content in self.contents

    def with_sent(self, sent: Sent, content: str, *, counted: bool) -> "Record":
        """With a message; what is not ``counted`` uses up no cap."""
        contents = (*self.contents, content)[-KEPT_CONTENTS:]
        return replace(self, sent=(*self.sent, sent) if counted else self.sent, contents=contents)

    def with_offer(self, offered: Offered) -> "Record":
        return replace(self, offers=(*self.offers, offered))

    def without(self, left_out: LeftOut) -> "Record":
        """With something left out; the same again changes nothing."""
        if left_out in self.left_out:
            return self
        return replace(self, left_out=(*self.left_out, left_out)[-KEPT_LEFT_OUT:])

    def by(self, day: int) -> "Record":
        """What is still asked for on ``day``. Beyond ``KEPT_OFFERS`` those of a day are added up: no guard minds."""
        kept: list[Sent] = []
        seen: dict[str, int] = {}
        for message in reversed(self.sent):
            seen[message.channel] = seen.get(message.channel, 0) + 1
            if message.day > day - KEPT_DAYS and seen[message.channel] <= KEPT_OF_A_CHANNEL:
                kept.append(message)
        offers = [one for one in self.offers if one.day > day - KEPT_OFFER_DAYS]
        if len(offers) > KEPT_OFFERS:
            points: dict[int, int] = {}
            for one in offers:
                points[one.day] = points.get(one.day, 0) + one.points
            offers = [Offered(each, points[each], "") for each in sorted(points)]
        left_out = tuple(one for one in self.left_out if one.day > day - KEPT_DAYS)
        return replace(self, sent=tuple(reversed(kept)), offers=tuple(offers), left_out=left_out)


def content(*parts: object) -> str:
    """What names a content, in eight bytes."""
    return sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()[:_DIGITS]


def encode(record: Record) -> dict[str, Any]:
    """Compact JSON data; empty parts are left out."""
    data: dict[str, Any] = {
        "s": [[one.day, one.channel, one.campaign, one.digest] for one in record.sent],
        "o": [[one.day, one.points, one.campaign] for one in record.offers],
        "c": "".join(record.contents),
        "x": [[one.day, one.campaign, one.occasion, one.step, one.reason] for one in record.left_out],
    }
    return {name: value for name, value in data.items() if value}


def decode(data: Mapping[str, Any], version: int) -> Record:
    """Inverse of ``encode``."""
    contents = data.get("c", "")
    return Record(
        tuple(Sent(*one) for one in data.get("s", ())),
        tuple(Offered(*one) for one in data.get("o", ())),
        tuple(contents[start : start + _DIGITS] for start in range(0, len(contents), _DIGITS)),
        tuple(LeftOut(*one) for one in data.get("x", ())),
        version,
    )
