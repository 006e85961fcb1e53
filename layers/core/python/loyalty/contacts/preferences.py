"""What a member agreed to, and how the member wants to be told. Pure.

Addresses are no part of it: they lie apart, and this says only which channels have one.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

CHANNELS: Final = ("inbox", "email", "sms", "push", "wechat", "wecom", "webhook")
ADDRESSED: Final = {
    "email": "email",
    "sms": "phone",
    "push": "push_endpoint",
    "wechat": "openid",
    "wecom": "external_userid",
}
"""Channels that need an address of the member, and which one. The inbox is ours, a webhook the programme's."""
BOUNCED: Final = "bounced"
COMPLAINT: Final = "complaint"
"""Why a channel is dead, beside a provider's own code: it came back, or the member called it unwanted."""
MAX_CONSENTS: Final = 40
"""So many of the newest changes of mind are kept."""


class Consent(Struct, frozen=True):
    """One change: whether ``channel`` was agreed to, when (seconds since 1970, UTC), and by whom it was taken down: a
    client's id, ``member``, or ``unsubscribe``.
    """

    channel: str
    agreed: bool
    at: int
    by: str


class Preferences(Struct, frozen=True):
    """One member's. ``consents`` hold what was said; for a channel nothing was said of, the policy's default goes.
    ``dead`` are channels that no longer reach the member, with the reason; ``since`` are the versions with which the
    addresses came that channels have now, where there was another before. ``order`` is the member's own order of
    channels, ``quiet`` the member's own quiet hours (``("22:00", "08:00")``), ``per_week`` the most messages in seven
    days; None where the programme's go. ``reached`` are the channels that there is an address for.
    ``timezone`` and ``language`` are "" where the programme's go. ``version`` counts writes.
    """

    timezone: str = ""
    language: str = ""
    consents: Mapping[str, bool] = {}
    dead: Mapping[str, str] = {}
    since: Mapping[str, int] = {}
    order: tuple[str, ...] = ()
    quiet: tuple[str, str] | None = None
    per_week: int | None = None
    reached: tuple[str, ...] = ()
    given: tuple[Consent, ...] = ()
    version: int = 0

    def reaches(self, channel: str) -> bool:
        """Whether there is anywhere to send to."""
        return channel not in ADDRESSED or channel in self.reached

    def said(self, answers: Mapping[str, bool], at: int, by: str) -> "Preferences":
        """With these answers taken down; the same one when none is new."""
        new = {channel: agreed for channel, agreed in answers.items() if self.consents.get(channel) is not agreed}
        if not new:
            return self
        given = (*self.given, *(Consent(channel, new[channel], at, by) for channel in sorted(new)))
        return replace(self, consents={**self.consents, **new}, given=given[-MAX_CONSENTS:])

    def died(self, channel: str, reason: str, sent_by: int | None = None) -> "Preferences":
        """With a channel that reaches nobody any more, until its address is changed; the same one when it is known, for
        a channel without an address, and where another address came after the version ``sent_by`` that a message went
        by.
        """
        other = sent_by is not None and self.since.get(channel, 0) > sent_by
        if channel not in ADDRESSED or other or self.dead.get(channel) == reason:
            return self
        return replace(self, dead={**self.dead, channel: reason})

    def complained(self, channel: str, at: int) -> "Preferences":
        """With the no that a complaint is, unless the member said yes after it."""
        newest = next((one for one in reversed(self.given) if one.channel == channel), None)
        if newest is not None and newest.agreed and newest.at > at:
            return self
        return self.said({channel: False}, at, COMPLAINT)

    def addressed(self, reached: Iterable[str], changed: Iterable[str]) -> "Preferences":
        """With addresses for the channels ``reached``; those of ``changed`` have another, and are alive again."""
        others = set(changed)
        since = {**self.since, **dict.fromkeys(sorted(others), self.version + 1)}
        return replace(self.revived(others), reached=tuple(sorted(reached)), since=since)

    def revived(self, channels: Iterable[str]) -> "Preferences":
        """With channels that reach the member again, as far as anybody knows; the same one when they did."""
        again = self.dead.keys() & set(channels)
        if not again:
            return self
        return replace(self, dead={channel: why for channel, why in self.dead.items() if channel not in again})

    def mistaken(self, channels: Iterable[str]) -> frozenset[str]:
        """Those of some channels that may be dead by somebody else's mistake, a wrong app id or a device that was
        switched off: who says the same address anew is taken at the word. A mailbox that is gone is not.
        """
        return frozenset(one for one in channels if self.dead.get(one, BOUNCED) not in (BOUNCED, COMPLAINT))


class Addresses(Struct, frozen=True):
    """Where one member is reached; "" where nothing is known. Never logged and never answered whole."""

    email: str = ""
    phone: str = ""
    openid: str = ""
    external_userid: str = ""
    push_endpoint: str = ""
    version: int = 0

    def __repr__(self) -> str:
        return "Addresses(…)"

    def of(self, channel: str) -> str:
        """The address of a channel; "" for one without."""
        name = ADDRESSED.get(channel)
        return "" if name is None else str(getattr(self, name))

    @property
    def reached(self) -> tuple[str, ...]:
        """The channels that have an address."""
        return tuple(channel for channel in sorted(ADDRESSED) if self.of(channel))


def encode(preferences: Preferences) -> dict[str, Any]:
    """Compact JSON data; empty parts are left out."""
    data: dict[str, Any] = {
        "z": preferences.timezone,
        "l": preferences.language,
        "c": dict(preferences.consents),
        "d": dict(preferences.dead),
        "s": dict(preferences.since),
        "o": list(preferences.order),
        "q": list(preferences.quiet or ()),
        "a": list(preferences.reached),
        "g": [[one.channel, one.agreed, one.at, one.by] for one in preferences.given],
    }
    found = {name: value for name, value in data.items() if value}
    return found if preferences.per_week is None else {**found, "w": preferences.per_week}


def decode(data: Mapping[str, Any], version: int) -> Preferences:
    """Inverse of ``encode``."""
    quiet = data.get("q")
    return Preferences(
        timezone=data.get("z", ""),
        language=data.get("l", ""),
        consents=data.get("c", {}),
        dead=data.get("d", {}),
        since=data.get("s", {}),
        order=tuple(data.get("o", ())),
        quiet=(quiet[0], quiet[1]) if quiet else None,
        per_week=data.get("w"),
        reached=tuple(data.get("a", ())),
        given=tuple(Consent(*one) for one in data.get("g", ())),
        version=version,
    )


def encode_addresses(addresses: Addresses) -> dict[str, str]:
    """JSON data; what is not known is left out."""
    return {name: value for name in set(ADDRESSED.values()) if (value := str(getattr(addresses, name)))}


def decode_addresses(data: Mapping[str, str], version: int) -> Addresses:
    """Inverse of ``encode_addresses``."""
    return Addresses(**data, version=version)
