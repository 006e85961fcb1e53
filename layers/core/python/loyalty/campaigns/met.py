"""What a campaign's conditions find of a member: the facts of segments, and behind them those of the way. Pure."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from msgspec import Struct

from loyalty.campaigns.campaign import ENTRY, Campaign, Told
from loyalty.campaigns.journey import Journey
from loyalty.ledger.account import State
from loyalty.rules.schema import Layout
from loyalty.segments import facts
from loyalty.segments.facts import Subject

_SHIFTED: Final = ("member.purchases", "member.purchases_6_months", "member.purchases_12_months")
_SPENT: Final = ("member.spend", "member.spend_6_months", "member.spend_12_months")


class Described(Struct, frozen=True):
    """A member as a case describes one: ``facts`` as they are on ``day``, in the order of a layout of segments, and
    the account's ``state`` as far as it goes with them, with what was bought since.
    """

    day: int
    facts: tuple[Any, ...]
    state: State
    purchases: int = 0
    spend: int = 0

    def values(self, at: Layout, day: int) -> list[Any]:
        """The facts on a later day."""
        found = list(self.facts)
        passed = day - self.day
        for name in facts.DAYS:
            place = at.places[name]
            if found[place.index] is not None:
                found[place.index] += passed
        for names, more in ((_SHIFTED, self.purchases), (_SPENT, self.spend)):
            for name in names:
                found[at.places[name].index] += more
        if self.purchases:
            found[at.places["member.days_since_purchase"].index] = day - self.state.last
        return found


Somebody = Subject | Described


def values(
    campaign: Campaign,
    subject: Somebody,
    day: int,
    journey: Journey | None,
    told: Mapping[str, Told],
    opened: Collection[str] = (),
    clicked: Collection[str] = (),
) -> list[Any]:
    """Every fact on a day, in the order of the campaign's layout. Before a way has begun, nothing has happened on it.
    ``opened`` and ``clicked`` are the steps whose messages were.
    """
    first = campaign.first_layout
    if isinstance(subject, Described):
        found = subject.values(first, day)
    else:
        found = facts.values(first, subject, day, campaign.mentioned)
    return [*found, *_of_journey(subject.state, day, journey, opened, clicked), *_of_entry(told)]


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
    return state.bought_since(journey.purchases, journey.last)


def _of_entry(told: Mapping[str, Told]) -> list[Any]:
    return [told.get(fact.name.removeprefix("entry.")) for fact in ENTRY]
