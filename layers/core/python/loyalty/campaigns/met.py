"""What a campaign's conditions find of a member: the facts of segments, and behind them those of the way. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from loyalty.campaigns.campaign import ENTRY, Campaign, Told
from loyalty.campaigns.journey import Journey
from loyalty.ledger.account import State
from loyalty.rules.schema import Layout
from loyalty.segments import facts
from loyalty.segments.facts import Subject


def values(
    campaign: Campaign,
    subject: Subject,
    day: int,
    journey: Journey | None,
    told: Mapping[str, Told],
    opened: Collection[str] = (),
    clicked: Collection[str] = (),
) -> list[Any]:
    """Every fact on a day, in the order of the campaign's layout. Before a way has begun, nothing has happened on it.
    ``opened`` and ``clicked`` are the steps whose messages were.
    """
    found = facts.values(_first(campaign), subject, day, campaign.mentioned)
    return [*found, *_of_journey(subject.state, day, journey, opened, clicked), *_of_entry(told)]


def _first(campaign: Campaign) -> Layout:
    return facts.layout(campaign.attributes, campaign.categories)


def _of_journey(
    state: State, day: int, journey: Journey | None, opened: Collection[str], clicked: Collection[str]
) -> list[Any]:
    if journey is None:
        return [0, False, 0, 0, 0, False, False, False, None]
    return [
        max(day - journey.entered, 0),
        purchased(state, journey),
        max(state.purchases - journey.purchases, 0),
        max(state.total.spend - journey.spend, 0),
        journey.messages,
        bool(opened),
        bool(clicked),
        journey.offered,
        journey.variant or None,
    ]


def purchased(state: State, journey: Journey) -> bool:
    """Whether the member has bought since the way began, as far as it still stands."""
    return state.purchases > journey.purchases or state.last > journey.last


def _of_entry(told: Mapping[str, Told]) -> list[Any]:
    return [told.get(fact.name.removeprefix("entry.")) for fact in ENTRY]
