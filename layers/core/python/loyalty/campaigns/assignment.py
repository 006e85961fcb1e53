"""Who takes part in a campaign, and in which group. Pure: the same member always comes to the same.

Each draw is a share of its own, from a digest of who draws for what: which group a member is in for one campaign says
nothing about another, and a member stays in it on every occasion.
"""

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Final, Literal

from msgspec import Struct

from loyalty.campaigns.campaign import WHOLE, Campaign, Told
from loyalty.campaigns.met import Somebody, values
from loyalty.rules.interpret import holds

Group = Literal["holdout", "control", "treated"]
NOT: Final[Mapping[str, str]] = {
    "closed": "the account is closed",
    "calendar": "the campaign is not on this day",
    "unknown_day": "it is not known when the member was born, or came",
    "segment": "not in its segment",
    "condition": "its condition is not true of the member",
    "again": "took part not long ago",
}
"""Why somebody does not take part; there are no other reasons."""


class Arm(Struct, frozen=True):
    """Where a member was drawn: ``holdout`` is told nothing by any campaign, ``control`` nothing by this one.
    ``variant`` is "" where there are none, and for those who are told nothing.
    """

    group: Group
    variant: str = ""

    @property
    def name(self) -> str:
        """One word for it: the group, or the variant of those who are told something."""
        return self.variant or self.group


def arm(campaign: Campaign, account: str, holdout: int = 0) -> Arm:
    """The group of a member; ``holdout`` is the percentage of members that no campaign tells anything. What is owed to
    everybody (``service``) is told to those, too.
    """
    if not campaign.service and share(campaign.program, "holdout", account) < holdout * WHOLE // 100:
        return Arm("holdout")
    mixed = campaign.salt or campaign.id
    if share(campaign.program, "control", mixed, account) < campaign.control:
        return Arm("control")
    drawn, passed = share(campaign.program, "variant", mixed, account), 0
    for variant in campaign.variants:
        passed += variant.share
        if drawn < passed:
            return Arm("treated", variant.id)
    return Arm("treated")


def share(*drawn: str) -> int:
    """A whole number from 0 to ``WHOLE`` - 1, each as likely, that these names always come to."""
    digest = sha256("\x1f".join(drawn).encode()).digest()
    return int.from_bytes(digest[:8], "big") * WHOLE >> 64


def refused(
    campaign: Campaign,
    subject: Somebody,
    standing: Collection[str],
    day: int,
    told: Mapping[str, Told] | None = None,
    earlier: Collection[int] = (),
    on: int = 0,
) -> str:
    """Why a member does not come in on a day, one of ``NOT``; "" who does. ``standing`` are the segments that the
    member is in, ``told`` what the event told, ``earlier`` the days of the occasions that there were, and ``on`` that
    of this one where it is not the day itself: what happened at midnight may be heard of the day after.
    """
    audience, calendar = campaign.audience, campaign.calendar
    if subject.state.status == "closed":
        return "closed"
    if day < calendar.first or (calendar.last and day > calendar.last):
        return "calendar"
    if audience.segment and audience.segment != (told or {}).get("segment", audience.segment):
        return "segment"
    if audience.segment and audience.enter != "segment.entered" and audience.segment not in standing:
        return "segment"
    on = on or day
    if campaign.repeat == "after_days" and any(abs(on - one) < campaign.repeat_days for one in earlier if one != on):
        return "again"
    if audience.when is not None and not holds(audience.when, values(campaign, subject, day, None, told or {})):
        return "condition"
    return ""
