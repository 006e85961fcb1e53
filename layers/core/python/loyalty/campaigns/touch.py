"""One member on one day: what could be said and given, and what comes of it once the contact policy has decided. Pure,
so what a preview finds is what happens.

``plan`` goes on with every way that something is due on, up to the step that would be taken, and makes it a candidate.
The contact policy decides over all candidates of the member at once. ``actions`` are what is then to be done, offers
first. ``settle`` takes the ways on by what became of each. Nothing here is done twice for a step: an action is named by
campaign, occasion and step, and a way that has passed a step never comes back to it.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loyalty.campaigns import offers, words
from loyalty.campaigns.campaign import Campaign, Offer, State, Step, Told
from loyalty.campaigns.journey import (
    CONDITION,
    Came,
    Journey,
    Noted,
    later,
    own,
    passed,
    stopped,
    uncertain,
    waits,
)
from loyalty.campaigns.met import Somebody, purchased, values
from loyalty.contacts.decide import Candidate, Verdict
from loyalty.contacts.record import content
from loyalty.earning.offers import reference
from loyalty.rules.interpret import holds
from loyalty.templates.template import Value

MOST_WRITES: Final = 90
"""What is written of one member at once; a transaction has 100 places."""
_PROPOSED: Final = 3
"""Of them for a step that is taken: the way, the message, its copy in the inbox."""
TRIED_DAYS: Final = 3
"""So many days a message is tried again that a cap held back."""
PASSING: Final = frozenset({"cap", "cap_channel", "cap_own", "offer_guard"})
"""Reasons that another day may do away with."""
BUDGET: Final = "budget"
WHY: Final[Mapping[str, str]] = {
    "condition": "its condition is not true of the member",
    "alternative": "another step of the day was taken",
    "late": "its days went by",
    "variable": "something that its text says is not known of the member",
    "budget": "the budget is spent",
    "paused": "the campaign is paused",
    "purchased": "the member has bought, and the campaign ends with that",
    "closed": "the account is closed",
    "ended": "the campaign is over",
    "offers": "the member has as many multipliers as there may be",
}
"""Why a step is left out, or a way ends, beside the reasons of the contact policy."""

Occasion = tuple[str, str]
"""A way of a member: (campaign, occasion)."""


class Way(Struct, frozen=True):
    """A way, and its campaign as it began; ``state`` is the campaign's now. ``opened`` and ``clicked`` are the steps
    whose messages were.
    """

    campaign: Campaign
    journey: Journey
    state: State = "running"
    opened: frozenset[str] = frozenset()
    clicked: frozenset[str] = frozenset()

    @property
    def occasion(self) -> Occasion:
        return self.campaign.id, self.journey.occasion


class Proposal(Struct, frozen=True):
    """A step that would be taken on a day. ``template`` is "" for one that says nothing, ``variables`` are its
    text's.
    """

    way: Way
    step: Step
    day: int
    candidate: Candidate
    template: str
    variables: Mapping[str, Value]


class Left(Struct, frozen=True):
    """A step that was left out, or a way that ended (step ""), and why."""

    campaign: str
    occasion: str
    step: str
    why: str


class Plan(Struct, frozen=True):
    """``journeys`` are those that went on without anything to be said; those of ``proposals`` are not among them."""

    proposals: tuple[Proposal, ...]
    journeys: tuple[Journey, ...]
    left: tuple[Left, ...]

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What the contact policy is to decide on."""
        return tuple(one.candidate for one in self.proposals)


class Action(Struct, frozen=True):
    """What is to be done for a step: first give ``offer`` under ``reference``, where there is one, good from ``day`` to
    ``offer_until`` (0: as the programme's terms say); then, where ``channel`` is named, the message. ``send_at`` and
    ``until`` are seconds since 1970, UTC; ``until`` 0 is never too late. ``told`` is what began the way; ``bought``,
    where it ends with a purchase, how many there were then and the day of the last.
    """

    campaign: str
    occasion: str
    step: str
    version: int
    variant: str
    day: int
    offer: Offer | None
    offer_until: int
    template: str
    channel: str
    inbox: bool
    channels: tuple[str, ...]
    send_at: int
    until: int
    variables: Mapping[str, Value]
    service: bool
    told: Mapping[str, Told]
    bought: tuple[int, int] | None = None

    @property
    def way(self) -> Occasion:
        return self.campaign, self.occasion

    @property
    def name(self) -> str:
        """What the message is called."""
        return f"{self.campaign}.{self.occasion}.{self.step}"

    @property
    def reference(self) -> str:
        """What the offer is known by: it is given once under it."""
        return reference(self.campaign, self.occasion, self.step)


class Settled(Struct, frozen=True):
    """The ways that are different now, and all that was left out."""

    journeys: tuple[Journey, ...]
    left: tuple[Left, ...]


def plan(ways: Iterable[Way], subject: Somebody, day: int) -> Plan:
    """What is due for a member on a day of the programme. Ways are seen to in the order of their priority and names, so
    the same ways come to the same. Those beyond ``MOST_WRITES`` stay as they are, for the next day.
    """
    proposals: list[Proposal] = []
    journeys: list[Journey] = []
    left: list[Left] = []
    room = MOST_WRITES
    for way in sorted(ways, key=lambda one: (-one.campaign.priority, one.occasion)):
        without: list[Left] = []
        proposal, journey = _seen_to(way, subject, day, without)
        needs = _PROPOSED if proposal is not None else int(journey != way.journey)
        if needs > room:
            continue
        room -= needs
        left += without
        if proposal is not None:
            proposals.append(proposal)
        elif journey != way.journey:
            journeys.append(journey)
    named = sorted(proposals, key=lambda one: one.way.occasion)
    return Plan(tuple(named), tuple(journeys), tuple(sorted(left, key=lambda one: (one.campaign, one.occasion))))


def actions(plan: Plan, verdicts: Iterable[Verdict]) -> tuple[Action, ...]:
    """What is to be done, in the order of the verdicts."""
    known = {_named(one.candidate): one for one in plan.proposals}
    found = []
    for verdict in verdicts:
        proposal = known.get(_named(verdict.candidate))
        if proposal is not None and (_gives(proposal, verdict) or not verdict.blocked):
            found.append(_action(proposal, verdict))
    return tuple(found)


def chosen(plan: Plan, found: Iterable[Action]) -> tuple[Journey, ...]:
    """The ways that are to be kept at the step they have come to before its offer is given. Whoever ends between the
    gift and the note of it is followed by one who would else ask anew, of a member who has the gift.
    """
    giving = {one.way for one in found if one.offer is not None}
    ways = [one.way for one in plan.proposals if one.way.occasion in giving]
    return tuple(
        replace(one.journey, chosen=True)
        for one in ways
        if not one.journey.chosen and uncertain(one.campaign, one.journey)
    )


def kept(plan: Plan, journeys: Iterable[Journey]) -> Plan:
    """The plan with ways as they are kept now."""
    known = {(one.campaign, one.occasion): one for one in journeys}
    proposals = tuple(
        replace(one, way=replace(one.way, journey=known.get(one.way.occasion, one.way.journey)))
        for one in plan.proposals
    )
    return replace(plan, proposals=proposals)


def remaining(plan: Plan, verdicts: Iterable[Verdict], refused: Collection[Occasion]) -> tuple[Candidate, ...]:
    """What to decide on once more when an offer was refused: that which went, without it. Nothing that was held back
    comes in for it, so whatever was given already still goes.
    """
    went = {one.way for one in actions(plan, verdicts)}
    return tuple(
        one.candidate for one in plan.proposals if one.way.occasion in went and one.way.occasion not in refused
    )


def settle(plan: Plan, verdicts: Iterable[Verdict], day: int, refused: Mapping[Occasion, str] | None = None) -> Settled:
    """The ways after a day. ``refused`` are the offers that could not be given, with why (``budget``, ``offers``): the
    step that has one is not taken. The last verdict on a candidate counts.
    """
    final = {_named(one.candidate): one for one in verdicts}
    journeys, left = list(plan.journeys), list(plan.left)
    for proposal in plan.proposals:
        way, step = proposal.way, proposal.step
        verdict = final[_named(proposal.candidate)]
        why = (refused or {}).get(way.occasion, "")
        journey = _refused(proposal, day, why) if why else _decided(proposal, verdict, day)
        why = why or ("" if _quiet(proposal, verdict) else verdict.blocked)
        if why:
            left.append(Left(*way.occasion, step.id, why))
        if journey.status == "stopped":
            left.append(Left(*way.occasion, "", journey.why))
        journeys.append(journey)
    return Settled(tuple(sorted(journeys, key=lambda one: (one.campaign, one.occasion))), tuple(left))


def next_day(journeys: Iterable[Journey], day: int) -> int:
    """The next day, after ``day``, on which any of a member's ways has something due; 0 for none. A way that waits for
    its campaign to go on is looked at again on the next day.
    """
    return min((max(one.due, day + 1) for one in journeys if one.running and one.due), default=0)


def _seen_to(way: Way, subject: Somebody, day: int, left: list[Left]) -> tuple[Proposal | None, Journey]:
    """The step that would be taken; or else the journey, further on where its steps were not for this member."""
    campaign, journey = way.campaign, way.journey
    if not journey.running or not journey.due or journey.due > day:
        return None, journey
    if why := _over(way, subject, day):
        left.append(Left(*way.occasion, "", why))
        return None, stopped(journey, why)
    if way.state == "paused":
        left.append(Left(*way.occasion, campaign.steps[journey.cursor].id, "paused"))
        return None, journey
    if not campaign.calendar.open(day):
        return None, later(journey, campaign.calendar.next_open(max(day, campaign.calendar.first)))
    while journey.running and journey.due <= day:
        step = campaign.steps[journey.cursor]
        facts = values(campaign, subject, day, journey, journey.told, way.opened, way.clicked)
        at = replace(way, journey=journey)
        if journey.chosen:
            proposal, why = _proposed(at, step, facts, day)
            if proposal is not None:
                return proposal, journey
            came: Came = "blocked"
        elif 0 <= step.within < day - own(campaign, journey, journey.cursor):
            came = "late"
            why = "late"
        elif step.when is not None and not holds(step.when, facts):
            came, why = "skipped", CONDITION
        else:
            proposal, why = _proposed(at, step, facts, day)
            if proposal is not None:
                return proposal, journey
            came = "skipped"
        left.append(Left(*way.occasion, step.id, why))
        journey = passed(campaign, journey, Noted(step.id, day, came, why))
    return None, journey


def _over(way: Way, subject: Somebody, day: int) -> str:
    """Why a way ends here; "" when it goes on."""
    campaign = way.campaign
    if way.state in ("cancelled", "finished") or (campaign.calendar.last and day > campaign.calendar.last):
        return "ended"
    if subject.state.status == "closed":
        return "closed"
    if campaign.stops.purchased and purchased(subject.state, way.journey):
        return "purchased"
    return ""


def _proposed(way: Way, step: Step, facts: list[object], day: int) -> tuple[Proposal | None, str]:
    campaign, journey = way.campaign, way.journey
    name = step.template(journey.variant)
    template = campaign.templates.get(name)
    variables: dict[str, Value] = {}
    channels: tuple[str, ...] = ()
    said: object = ""
    if template is not None:
        variables, unknown = words.values(campaign, step, template, facts, day)
        if unknown:
            return None, "variable"
        channels = tuple(one for one in campaign.channels if one in template.channels)
        said = msgspec.json.encode([template.texts, words.undated(template, variables)], order="sorted").decode()
    given = msgspec.json.encode(step.offer, order="sorted").decode()
    # What comes back every year is said again on purpose.
    again = "" if campaign.repeat == "once" else f"{campaign.id}#{journey.occasion}"
    candidate = Candidate(
        campaign=campaign.id,
        occasion=journey.occasion,
        step=step.id,
        priority=campaign.priority,
        channels=channels,
        digest=content(said or step.id, given, again),
        service=campaign.service,
        offer_points=offers.points(step.offer),
        offer_times=offers.times(step.offer),
        not_before=0 if campaign.calendar.hour < 0 else _moment(day, campaign.calendar.hour, campaign.timezone),
        until=_until(campaign, journey, step),
        silent=step.silent or template is None,
    )
    return Proposal(way, step, day, candidate, name if template else "", variables), ""


def _until(campaign: Campaign, journey: Journey, step: Step) -> int:
    """The moment from which on it has lost its sense: the end of the last day of the step, or of the campaign."""
    days = [own(campaign, journey, journey.cursor) + step.within] if step.within >= 0 else []
    days += [campaign.calendar.last] if campaign.calendar.last else []
    return _moment(min(days) + 1, 0, campaign.timezone) if days else 0


def _moment(day: int, hour: int, timezone: str) -> int:
    at = date.fromordinal(day)
    return int(datetime(at.year, at.month, at.day, hour, tzinfo=ZoneInfo(timezone)).timestamp())


def _gives(proposal: Proposal, verdict: Verdict) -> bool:
    return verdict.offer and proposal.step.offer is not None


def _quiet(proposal: Proposal, verdict: Verdict) -> bool:
    """Whether all went as it was meant to: a step without words has no channel."""
    return not verdict.blocked or (not proposal.template and verdict.offer)


def _action(proposal: Proposal, verdict: Verdict) -> Action:
    way, step, candidate = proposal.way, proposal.step, proposal.candidate
    spoken = not verdict.blocked
    offer = step.offer if verdict.offer else None
    return Action(
        campaign=candidate.campaign,
        occasion=candidate.occasion,
        step=step.id,
        version=way.journey.version,
        variant=way.journey.variant,
        day=proposal.day,
        offer=offer,
        offer_until=0 if offer is None else offers.until(offer, proposal.day),
        template=proposal.template if spoken else "",
        channel=verdict.channel,
        inbox=verdict.inbox,
        channels=candidate.channels,
        send_at=verdict.send_at,
        until=candidate.until,
        variables=proposal.variables if spoken else {},
        service=candidate.service,
        told=way.journey.told,
        bought=(way.journey.purchases, way.journey.last) if way.campaign.stops.purchased else None,
    )


def _decided(proposal: Proposal, verdict: Verdict, day: int) -> Journey:
    way, step = proposal.way, proposal.step
    gave = _gives(proposal, verdict)
    if not verdict.blocked:
        noted = Noted(step.id, day, "sent", "", verdict.channel, offered=gave)
    elif gave:
        noted = Noted(step.id, day, "given", "" if _quiet(proposal, verdict) else verdict.blocked, offered=True)
    elif verdict.blocked in PASSING and (again := _again(way, step, day)):
        return waits(way.journey, day, again)
    else:
        noted = Noted(step.id, day, "blocked", verdict.blocked)
    return passed(way.campaign, way.journey, noted)


def _again(way: Way, step: Step, day: int) -> int:
    """The next day on which a step can be tried that was held back on this one; 0 when there is none."""
    campaign, journey = way.campaign, way.journey
    following = campaign.calendar.next_open(day + 1)
    last = (journey.tried or day) + TRIED_DAYS - 1
    if step.within >= 0:
        last = min(last, own(campaign, journey, journey.cursor) + step.within)
    if campaign.calendar.last:
        last = min(last, campaign.calendar.last)
    return following if following <= last else 0


def _refused(proposal: Proposal, day: int, why: str) -> Journey:
    """Without what it promises nothing is said."""
    way = proposal.way
    journey = passed(way.campaign, way.journey, Noted(proposal.step.id, day, "blocked", why))
    return stopped(journey, BUDGET) if why == BUDGET and way.campaign.stops.budget else journey


def _named(candidate: Candidate) -> tuple[str, str, str]:
    return candidate.campaign, candidate.occasion, candidate.step
