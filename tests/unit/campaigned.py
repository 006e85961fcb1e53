"""Campaigns for tests: small ones, built without a file, and a member's days gone through one by one."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from loyalty.campaigns import touch
from loyalty.campaigns.campaign import Audience, Campaign, Offer, Step, Stops
from loyalty.campaigns.journey import Journey, begun
from loyalty.campaigns.touch import Action, Left, Way
from loyalty.contacts.decide import decide
from loyalty.contacts.policy import ContactPolicy
from loyalty.contacts.preferences import Preferences
from loyalty.contacts.record import Record
from loyalty.ledger.account import Figures, State
from loyalty.members.member import Member
from loyalty.rules import language
from loyalty.rules.ruleset import Names
from loyalty.rules.tree import Node
from loyalty.segments.facts import Subject
from loyalty.templates.template import Template, Variable

DAY: Final = date(2026, 3, 2).toordinal()
ZONE: Final = "Europe/Berlin"
REACHED: Final = Preferences(reached=("email", "sms"), consents={"email": True, "sms": True})
FREE: Final = ContactPolicy(caps=())
"""A policy without caps, so that a campaign is seen by itself."""
NAMES: Final = Names("A", "甲")


def template(name: str, *variables: Variable, channels: Iterable[str] = ("sms", "email")) -> Template:
    """A text that says its own name."""
    return Template(name, variables, {channel: {"en": {"text": name}} for channel in channels})


@cache
def condition(text: str) -> Node:
    """A condition, checked."""
    return language.parse(text, campaign().layout, "order", 2, None).node


def step(name: str, day: int, when: str = "", **further: Any) -> Step:
    """A step that says its own name, unless it says something else."""
    tree = condition(when) if when else None
    said = further.pop("templates", {"": name})
    return Step(name, day, tree, when, templates=said, **further)


def campaign(*steps: Step, **further: Any) -> Campaign:
    """One with these steps, and a text for each."""
    named = {name for one in steps for name in one.templates.values()}
    given: dict[str, Any] = {
        "id": "hello",
        "program": "grocer",
        "currency": "EUR",
        "names": NAMES,
        "goal": NAMES,
        "metric": "repurchase",
        "window_days": 30,
        "audience": Audience("member.enrolled"),
        "timezone": ZONE,
        "channels": ("sms", "email"),
        "templates": {name: template(name) for name in named},
    }
    return Campaign(steps=steps, **(given | further))


def way(one: Campaign, day: int = DAY, **further: Any) -> Way:
    """A way through it that begins on a day."""
    known = {name: further.pop(name) for name in ("state", "opened", "clicked") if name in further}
    return Way(
        one,
        begun(one, Journey(one.id, further.pop("occasion", "1"), 1, further.pop("variant", ""), day, **further)),
        **known,
    )


def subject(purchases: int = 0, last: int = 0, spend: int = 0, **further: Any) -> Subject:
    """A member who has bought so much."""
    state = State(purchases=purchases, last=last, total=Figures(spend=spend), lots={(0, 0): further.pop("points", 0)})
    state.status = further.pop("status", "open")
    member = Member("mem_x", "member", (), further.pop("attributes", {}), "en", 0, 0)
    return Subject(state, member, enrolled=further.pop("enrolled", DAY - 100))


def points(number: int, expires_days: int = 30) -> Offer:
    return Offer("points", {"points": number, "expires_days": expires_days})


def at(day: int, hour: int = 10) -> int:
    """An hour of a day, in seconds since 1970."""
    return int(datetime.fromordinal(day).replace(hour=hour, tzinfo=ZoneInfo(ZONE)).timestamp())


class Days:
    """A member's days, as what carries campaigns out goes through them."""

    def __init__(self, *ways: Way, policy: ContactPolicy = FREE, preferences: Preferences = REACHED) -> None:
        self.ways = {one.occasion: one for one in ways}
        self.policy = policy
        self.preferences = preferences
        self.record = Record()
        self.done: list[tuple[int, Action]] = []
        self.left: list[tuple[int, Left]] = []
        self.next = 0

    def touch(self, day: int, who: Subject | None = None, refused: Mapping[str, str] | None = None) -> list[Action]:
        """One touch; ``refused`` are campaigns whose offers are not given, and why."""
        plan = touch.plan(self.ways.values(), who or subject(), day)
        before = self.record
        verdicts, record = decide(plan.candidates, before, self.preferences, self.policy, ZONE, at(day))
        actions = touch.actions(plan, verdicts)
        refusals = {one.way: why for one in actions if one.offer and (why := (refused or {}).get(one.campaign))}
        if refusals:
            remaining = touch.remaining(plan, verdicts, refusals)
            more, record = decide(remaining, before, self.preferences, self.policy, ZONE, at(day))
            verdicts, actions = (*verdicts, *more), touch.actions(plan, more)
        settled = touch.settle(plan, verdicts, day, refusals)
        self.record = record
        for journey in settled.journeys:
            self.change(journey.campaign, journey.occasion, journey=journey)
        self.done += [(day, one) for one in actions]
        self.left += [(day, one) for one in settled.left]
        self.next = touch.next_day([one.journey for one in self.ways.values()], day)
        return list(actions)

    def change(self, campaign_id: str, occasion: str = "1", **changes: Any) -> None:
        """Have a way be otherwise: its state, what was opened."""
        known = self.ways[campaign_id, occasion]
        parts = {name: getattr(known, name) for name in ("campaign", "journey", "state", "opened", "clicked")}
        self.ways[campaign_id, occasion] = Way(**(parts | changes))

    def journey(self, campaign_id: str = "hello", occasion: str = "1") -> Journey:
        return self.ways[campaign_id, occasion].journey

    def said(self) -> list[tuple[int, str]]:
        """(day from the first, step) of all that was done."""
        return [(day - DAY, one.step) for day, one in self.done]

    def missed(self) -> list[tuple[int, str, str]]:
        """(day from the first, step, why) of all that was left out."""
        return [(day - DAY, one.step, one.why) for day, one in self.left]


def ends_with(**stops: bool) -> Stops:
    return Stops(**stops)
