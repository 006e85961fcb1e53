"""How a preview is answered."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from loyalty.campaigns.preview import Foreseen, Missed, Outlook, Purse, Summary, summed
from loyalty.ledger.views import iso
from loyalty.values import MAX_POINTS


class ForeseenView(Struct, frozen=True, omit_defaults=True):
    """A step that would be taken; ``channel`` is missing where nothing is said."""

    day: str
    campaign: str
    occasion: str
    step: str
    variant: str = ""
    channel: str = ""
    inbox: Annotated[bool, Meta(description="Whether a copy lies in the inbox")] = False
    send_at: str | UnsetType = UNSET
    template: str = ""
    points: int = 0


class MissedView(Struct, frozen=True, omit_defaults=True):
    """A step that would be left out, or, without ``step``, a way that would end."""

    day: str
    campaign: str
    occasion: str
    why: str
    step: str = ""


class OutlookView(Struct, frozen=True, omit_defaults=True):
    """What is ahead of one member. ``out`` is why the member would not come in."""

    member: str
    group: Annotated[str, Meta(description="holdout, control or treated")] = ""
    variant: str = ""
    out: str = ""
    foreseen: list[ForeseenView] = []
    missed: list[MissedView] = []


class SummaryView(Struct, frozen=True):
    """A page added up, for the campaign alone: members by group or variant, those who would not come in by reason,
    messages by channel, steps, what would be left out by reason, and points; offers of points and what they come to,
    by day.
    """

    members: int
    groups: dict[str, int]
    out: dict[str, int]
    messages: dict[str, int]
    steps: dict[str, int]
    missed: dict[str, int]
    points: int
    offers: dict[str, int]
    given: dict[str, int]


class PurseView(Struct, frozen=True):
    """How far the budget reaches: all offers before the day ``until`` are given, so many points on it, in the order in
    which members are looked at, and none after it.
    """

    until: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", examples=["2026-12-01"])]
    points: Annotated[int, Meta(ge=0, le=MAX_POINTS)]


class PreviewView(Struct, frozen=True, omit_defaults=True):
    """A page of members, for whoever may list them, and its sums; ``next`` is the cursor of the page after this one,
    and missing on the last. Messages of other campaigns are told, too: they take from the same caps. ``left`` are the
    points that there are of the budget; ``budget`` is what of them is left after this page, where it does not reach:
    send it with the next.
    """

    members: list[OutlookView]
    summary: SummaryView
    next: str | UnsetType = UNSET
    left: int | UnsetType = UNSET
    budget: PurseView | UnsetType = UNSET


def preview_view(
    outlooks: Iterable[Outlook],
    campaign: str,
    following: str = "",
    left: int | None = None,
    purse: Purse | None = None,
    *,
    named: bool = True,
) -> PreviewView:
    """A page of a campaign's preview for the API; added up alone for whoever may not see who is who."""
    found = list(outlooks)
    members = [_outlook(one) for one in found] if named else []
    return PreviewView(
        members,
        _summary(summed(found, campaign)),
        following or UNSET,
        UNSET if left is None else left,
        UNSET if purse is None else PurseView(_day(purse.until), purse.points),
    )


def _outlook(one: Outlook) -> OutlookView:
    return OutlookView(
        one.account,
        one.group,
        one.variant,
        one.out,
        [_foreseen(step) for step in one.foreseen],
        [_missed(step) for step in one.missed],
    )


def _foreseen(one: Foreseen) -> ForeseenView:
    return ForeseenView(
        _day(one.day),
        one.campaign,
        one.occasion,
        one.step,
        one.variant,
        one.channel,
        one.inbox,
        iso(one.send_at) if one.send_at else UNSET,
        one.template,
        one.points,
    )


def _missed(one: Missed) -> MissedView:
    return MissedView(_day(one.day), one.campaign, one.occasion, one.why, one.step)


def _summary(one: Summary) -> SummaryView:
    return SummaryView(
        one.members,
        dict(one.groups),
        dict(one.out),
        dict(one.messages),
        dict(one.steps),
        dict(one.missed),
        one.points,
        {_day(day): number for day, number in one.offers.items()},
        {_day(day): points for day, points in one.given.items()},
    )


def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()
