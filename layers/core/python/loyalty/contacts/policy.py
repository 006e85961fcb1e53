"""The contact policy of a programme: how often, when, and with whose consent members are told anything. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field, to_builtins

from loyalty.contacts.preferences import CHANNELS

OPT_IN: Final = "opt_in"
OPT_OUT: Final = "opt_out"


class Cap(Struct, frozen=True):
    """At most ``count`` messages in any ``days`` days in a row, on ``channel``; "" is all of them together."""

    channel: str
    count: int
    days: int


class OfferGuard(Struct, frozen=True):
    """At most ``points`` are offered to a member in any ``days`` days in a row. What a multiplier comes to depends
    on what is bought: it counts as ``multiplier_day`` points a day for every time beyond the first, so twice the points
    for a week are seven times that.
    """

    points: int
    days: int
    multiplier_day: int = 1

    def depth(self, points: int, times: int) -> int:
        """Points that an offer counts as: its own, and those of a multiplier's ``times`` (thousandths, summed over its
        days), rounded up.
        """
        return points - times * self.multiplier_day // -1_000


NO_GUARD: Final = OfferGuard(0, 0)
"""How offers are counted while no guard minds, for one that comes later."""
DEFAULT_CAPS: Final = (Cap("", 1, 1), Cap("", 3, 7), Cap("sms", 4, 30))
DEFAULT_CONSENT: Final = {channel: OPT_OUT if channel in ("inbox", "webhook") else OPT_IN for channel in CHANNELS}


class ContactPolicy(Struct, frozen=True):
    """One programme's. Quiet hours are in the member's own zone, and none where they begin as they end;
    ``contact_hour`` is in the programme's. ``holdout_percent`` of the members are told nothing by any campaign.
    ``costs`` are by channel in thousandths of the currency's minor unit, for one message. ``consent`` says by channel
    what goes until the member has said anything. ``version`` counts edits from 1; 0 is the default that nobody has
    stored.
    """

    caps: tuple[Cap, ...] = DEFAULT_CAPS
    quiet_from: str = "21:00"
    quiet_until: str = "09:00"
    contact_hour: int = 9
    holdout_percent: int = 0
    offer_guard: OfferGuard | None = None
    costs: Mapping[str, int] = {}
    consent: Mapping[str, str] = field(default_factory=lambda: DEFAULT_CONSENT)
    version: int = 0

    def agreed(self, consents: Mapping[str, bool], channel: str) -> bool:
        """Whether advertising may go out on a channel to who has said this."""
        said = consents.get(channel)
        return self.consent.get(channel, OPT_IN) == OPT_OUT if said is None else said


DEFAULT: Final = ContactPolicy()


def minutes(text: str) -> int:
    """Minutes since midnight of ``"21:00"``."""
    return int(text[:2]) * 60 + int(text[3:])


def encode(policy: ContactPolicy) -> dict[str, Any]:
    """JSON data of a policy, without its version."""
    data: dict[str, Any] = to_builtins(policy)
    return {name: value for name, value in data.items() if name != "version"}


def decode(data: Mapping[str, Any], version: int) -> ContactPolicy:
    """Inverse of ``encode``."""
    guard = data.get("offer_guard")
    return ContactPolicy(
        caps=tuple(Cap(one["channel"], one["count"], one["days"]) for one in data["caps"]),
        quiet_from=data["quiet_from"],
        quiet_until=data["quiet_until"],
        contact_hour=data["contact_hour"],
        holdout_percent=data["holdout_percent"],
        offer_guard=None if guard is None else OfferGuard(**guard),
        costs=data["costs"],
        consent={**DEFAULT_CONSENT, **data["consent"]},
        version=version,
    )
