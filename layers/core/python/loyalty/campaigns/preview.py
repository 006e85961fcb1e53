"""Who would get what, when and by which channel, and who is left out and why: the days to come, gone through by the
very functions that carry campaigns out, and nothing written. Pure.

It is foreseen that nothing else happens: a purchase tomorrow changes what comes after it.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from loyalty.campaigns import occasions, touch
from loyalty.campaigns.assignment import Group, arm, refused
from loyalty.campaigns.campaign import OCCASIONS, Campaign, Told
from loyalty.campaigns.journey import Journey, begun
from loyalty.campaigns.met import Somebody
from loyalty.campaigns.touch import Action, Left, Way
from loyalty.contacts.decide import decide
from loyalty.contacts.policy import ContactPolicy
from loyalty.contacts.preferences import Preferences
from loyalty.contacts.record import Record
from loyalty.segments.facts import Subject

MAX_DAYS: Final = 1_100
"""No further ahead is looked: the last step of a campaign, and days on which it may not speak."""


class Contact(Struct, frozen=True):
    """What the contact policy goes by for one member; nothing goes before ``now``, in seconds since 1970."""

    record: Record
    preferences: Preferences
    policy: ContactPolicy
    now: int = 0


class Foreseen(Struct, frozen=True):
    """A step that would be taken on ``day``: by a channel ("" for one without words) at ``send_at``, with the points
    that it gives.
    """

    day: int
    campaign: str
    occasion: str
    step: str
    variant: str
    channel: str
    inbox: bool
    send_at: int
    template: str
    points: int


class Missed(Struct, frozen=True):
    """A step that would be left out on ``day``, or a way that would end (step ""), and why."""

    day: int
    campaign: str
    occasion: str
    step: str
    why: str


class Outlook(Struct, frozen=True):
    """What is ahead of one member. ``group`` is the member's in the campaign that is looked at; ``out`` is why the
    member would not come in at all, and then there is no group.
    """

    account: str
    group: Group | str
    variant: str = ""
    out: str = ""
    foreseen: tuple[Foreseen, ...] = ()
    missed: tuple[Missed, ...] = ()


class Purse(Struct):
    """How far a campaign's budget reaches: all offers before the day ``until``, and ``points`` on it. It is used up
    in the order in which members are looked at; of those of one day it is in fact whoever comes first.
    """

    until: int
    points: int

    def gives(self, day: int, points: int) -> bool:
        """Whether there is so much for an offer of a day; then it is taken."""
        if day == self.until and points <= self.points:
            self.points -= points
            return True
        return day < self.until


class Summary(Struct, frozen=True):
    """Many outlooks added up, for one campaign. ``messages`` are counted by channel, ``steps`` by step, ``out``
    and ``missed`` by reason, ``groups`` by group or variant; ``offers`` are those of points, by day, and ``given`` is
    what they come to.
    """

    members: int = 0
    groups: Mapping[str, int] = {}
    out: Mapping[str, int] = {}
    messages: Mapping[str, int] = {}
    steps: Mapping[str, int] = {}
    missed: Mapping[str, int] = {}
    points: int = 0
    offers: Mapping[int, int] = {}
    given: Mapping[int, int] = {}


def before_start(
    campaign: Campaign,
    account: str,
    subject: Somebody,
    standing: Collection[str],
    contact: Contact,
    day: int,
    *,
    others: Iterable[Way] = (),
    told: Mapping[str, Told] | None = None,
    earlier: Collection[int] = (),
    purse: Purse | None = None,
) -> Outlook:
    """What a member would get who came in on a day, beside what ``others`` have for the member: they take from the same
    caps. All of it is told, of ``others`` too.
    """
    why = refused(campaign, subject, standing, day, told, earlier)
    if why:
        return Outlook(account, "", out=why)
    drawn = arm(campaign, account, contact.policy.holdout_percent)
    own = _way(campaign, subject, drawn.variant, day, told or {})
    ways = [*others, *([own] if drawn.group == "treated" else [])]
    last = day + min(campaign.days + touch.TRIED_DAYS, MAX_DAYS)
    foreseen, missed = foresee(ways, subject, contact, day, last, budget=(campaign.id, purse))
    return Outlook(account, drawn.group, drawn.variant, "", foreseen, missed)


def coming(
    campaign: Campaign, account: str, subject: Somebody, standing: Collection[str], contact: Contact, day: int
) -> Way | None:
    """The way that will begin for a member on a day, by a campaign that takes its members by the calendar; None where
    none will.
    """
    enter, told = campaign.audience.enter, dict[str, Told]()
    if enter in OCCASIONS:
        if not occasions.falls_on(enter, born(subject), enrolled(subject), day):
            return None
        told = occasions.years(enrolled(subject), day) if enter == "anniversary" else {}
    elif not campaign.audience.frozen or day != campaign.calendar.first:
        return None
    if refused(campaign, subject, standing, day, told):
        return None
    drawn = arm(campaign, account, contact.policy.holdout_percent)
    return _way(campaign, subject, drawn.variant, day, told) if drawn.group == "treated" else None


def begins(campaign: Campaign, subject: Somebody, first: int, last: int) -> list[int]:
    """The days from one to another, both included, on which a campaign that takes its members by the calendar might
    take this one.
    """
    enter = campaign.audience.enter
    if enter not in OCCASIONS:
        at = campaign.calendar.first
        return [at] if campaign.audience.frozen and first <= at <= last else []
    found: list[int] = []
    day = first - 1
    while day:
        day = occasions.next_day(enter, born(subject), enrolled(subject), day)
        if day > last:
            break
        found += [day] if day else []
    return found


def foresee(
    ways: Iterable[Way],
    subject: Somebody,
    contact: Contact,
    first: int,
    last: int,
    moment: Callable[[int], int] | None = None,
    budget: tuple[str, Purse | None] = ("", None),
) -> tuple[tuple[Foreseen, ...], tuple[Missed, ...]]:
    """What a member's ways come to from one day until another. ``moment`` says when a day is seen to, in seconds since
    1970; if it is not said, at the hour of the contact policy, or now where that has passed. ``budget`` is what
    there is for a campaign's offers; of all others it is taken that there is enough.
    """
    running = {way.occasion: way for way in ways}
    record = contact.record
    foreseen: list[Foreseen] = []
    missed: list[Missed] = []
    day = first
    while day and day <= last and running:
        plan = touch.plan(running.values(), subject, day)
        zone = next(iter(running.values())).campaign.timezone
        now = moment(day) if moment else max(at_hour(day, contact.policy.contact_hour, zone), contact.now)
        before = record
        verdicts, record = decide(plan.candidates, before, contact.preferences, contact.policy, zone, now)
        actions = touch.actions(plan, verdicts)
        refused = {one.way: touch.BUDGET for one in actions if not _paid(one, day, *budget)}
        if refused:
            remaining = touch.remaining(plan, verdicts, refused)
            more, record = decide(remaining, before, contact.preferences, contact.policy, zone, now)
            verdicts, actions = (*verdicts, *more), touch.actions(plan, more)
        for action in actions:
            points = action.offer.numbers.get("points", 0) if action.offer is not None else 0
            foreseen.append(
                Foreseen(
                    day,
                    action.campaign,
                    action.occasion,
                    action.step,
                    action.variant,
                    action.channel,
                    action.inbox,
                    action.send_at,
                    action.template,
                    points,
                )
            )
        settled = touch.settle(plan, verdicts, day, refused)
        missed += [_missed(day, one) for one in settled.left]
        for journey in settled.journeys:
            key = (journey.campaign, journey.occasion)
            running[key] = replace(running[key], journey=journey)
        running = {key: way for key, way in running.items() if way.state != "paused"}
        day = touch.next_day((way.journey for way in running.values()), day)
    return tuple(foreseen), tuple(missed)


def _paid(action: Action, day: int, campaign: str, purse: Purse | None) -> bool:
    if purse is None or action.campaign != campaign or action.offer is None:
        return True
    points = action.offer.numbers.get("points", 0)
    return not points or purse.gives(day, points)


def reach(summary: Summary, points: int) -> Purse | None:
    """How far so many points reach for what was summed up; None when there is enough for all of it."""
    for day, needed in sorted(summary.given.items()):
        if needed > points:
            return Purse(day, points)
        points -= needed
    return None


def summed(outlooks: Iterable[Outlook], campaign: str) -> Summary:
    """What they come to for one campaign."""
    members = points = 0
    counted: dict[str, Counter[str]] = {name: Counter() for name in ("groups", "out", "messages", "steps", "missed")}
    by_day: dict[str, Counter[int]] = {name: Counter() for name in ("offers", "given")}
    for one in outlooks:
        members += 1
        if one.out:
            counted["out"][one.out] += 1
            continue
        counted["groups"][one.variant or one.group] += 1
        for step in one.foreseen:
            if step.campaign == campaign:
                counted["steps"][step.step] += 1
                counted["messages"].update([step.channel] if step.channel else [])
                points += step.points
                if step.points:
                    by_day["offers"][step.day] += 1
                    by_day["given"][step.day] += step.points
        # A way that ends with a step for which nothing is left is told with that step, and counted once.
        left_out = {(missed.day, missed.occasion, missed.why) for missed in one.missed if missed.campaign == campaign}
        counted["missed"].update(why for _, _, why in left_out)
    figures = {name: dict(sorted(found.items())) for name, found in counted.items()}
    days = {name: dict(sorted(found.items())) for name, found in by_day.items()}
    return Summary(members, points=points, **figures, offers=days["offers"], given=days["given"])


def at_hour(day: int, hour: int, timezone: str) -> int:
    """The moment of an hour of a day, in seconds since 1970."""
    return int(datetime.fromordinal(day).replace(hour=hour, tzinfo=ZoneInfo(timezone)).timestamp())


def _way(campaign: Campaign, subject: Somebody, variant: str, day: int, told: Mapping[str, Told]) -> Way:
    state = subject.state
    journey = Journey(
        campaign.id,
        occasions.name(campaign, day),
        campaign.version,
        variant,
        day,
        purchases=state.purchases,
        last=state.last,
        spend=state.total.spend,
        told=told,
    )
    return Way(campaign, begun(campaign, journey))


def born(subject: Somebody) -> object:
    """The attribute that birthdays go by; None where it is not known."""
    member = subject.member if isinstance(subject, Subject) else None
    return member.attributes.get("birthday") if member is not None else None


def enrolled(subject: Somebody) -> int:
    """The day of enrolment; 0 where it is not known."""
    return subject.enrolled if isinstance(subject, Subject) else 0


def _missed(day: int, left: Left) -> Missed:
    return Missed(day, left.campaign, left.occasion, left.step, left.why)
