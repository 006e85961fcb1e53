"""One member's way through a campaign: which steps are behind, which is next and when. Pure.

A way has a cursor that only goes forward, and each step that it passes leaves one note. So whatever is delivered twice,
or late, or on days out of order, a step happens at most once. A step that could not be taken on its day is taken later,
unless it says until when it makes sense; so a pause loses nothing. No two steps are taken on the same day: those that
have piled up go out a day apart.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from loyalty.campaigns.campaign import Campaign, Told

Status = Literal["running", "done", "stopped", "aside"]
Came = Literal["sent", "given", "skipped", "blocked", "late"]
"""What a step came to: a message went out (with what it gives); something was given without one; its condition was not
true; it was held back, with the reason; its days went by.
"""
TAKEN: Final = frozenset({"sent", "given", "blocked"})
ALTERNATIVE: Final = "alternative"
"""Why a step was skipped beside another of its day."""
CONDITION: Final = "condition"
"""Why a step was skipped that was not for this member."""


class Noted(Struct, frozen=True):
    """What a step came to on a day: ``why`` where it was not taken, or a message not sent; ``channel`` it went by."""

    step: str
    day: int
    came: Came
    why: str = ""
    channel: str = ""
    offered: bool = False


class Journey(Struct, frozen=True):
    """A way. ``version`` of the campaign it began with; ``entered`` is the day. ``due`` is the next day on which there
    is something to do, 0 when there is nothing any more. ``number`` is the entry of the wallet that was the last when
    it began, ``purchases``, ``last`` and ``spend`` the account's figures then. ``tried`` is the day on which the
    step at the cursor was first held back, 0 for none. ``chosen``: the step at the cursor is decided on, and may have
    been given already. ``revision`` counts its writes.
    """

    campaign: str
    occasion: str
    version: int
    variant: str
    entered: int
    cursor: int = 0
    due: int = 0
    tried: int = 0
    chosen: bool = False
    status: Status = "running"
    why: str = ""
    noted: tuple[Noted, ...] = ()
    number: int = 0
    purchases: int = 0
    last: int = 0
    spend: int = 0
    told: Mapping[str, Told] = {}
    revision: int = 0

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def messages(self) -> int:
        return sum(one.came == "sent" for one in self.noted)

    @property
    def offered(self) -> bool:
        return any(one.offered for one in self.noted)


def own(campaign: Campaign, journey: Journey, position: int) -> int:
    """The day that a step is for, whether or not anything may go out on it; ``within`` counts from it."""
    return journey.entered + campaign.steps[position].day


def planned(campaign: Campaign, journey: Journey, position: int) -> int:
    """The day of a step: its own, or the first after it that the calendar leaves free."""
    return campaign.calendar.next_open(own(campaign, journey, position))


def begun(campaign: Campaign, journey: Journey) -> Journey:
    """A new way, with its first day."""
    return _settled(campaign, replace(journey, cursor=0, tried=0, noted=(), status="running"))


def passed(campaign: Campaign, journey: Journey, noted: Noted) -> Journey:
    """With the step at the cursor behind it; where it was taken, or held back for good, the others of its day too."""
    step = campaign.steps[journey.cursor]
    cursor, notes = journey.cursor + 1, [*journey.noted, noted]
    while noted.came in TAKEN and cursor < len(campaign.steps) and campaign.steps[cursor].day == step.day:
        notes.append(Noted(campaign.steps[cursor].id, noted.day, "skipped", ALTERNATIVE))
        cursor += 1
    return _settled(campaign, replace(journey, cursor=cursor, tried=0, chosen=False, noted=tuple(notes)))


def uncertain(campaign: Campaign, journey: Journey) -> bool:
    """Whether the step at the cursor might not be taken if it were asked for once more, for what it gives may itself
    make a difference: it has a condition or a last day, or there is another of its day.
    """
    step = campaign.steps[journey.cursor]
    alone = sum(one.day == step.day for one in campaign.steps) == 1
    return step.when is not None or step.within >= 0 or not alone


def waits(journey: Journey, day: int, until: int) -> Journey:
    """The step at the cursor is tried on ``day``, and again on the day ``until``."""
    return replace(journey, due=until, tried=journey.tried or day)


def later(journey: Journey, day: int) -> Journey:
    """To be looked at on a later day."""
    return journey if journey.due == day else replace(journey, due=day)


def stopped(journey: Journey, why: str) -> Journey:
    """Ended before its last step."""
    return replace(journey, status="stopped", why=why, due=0)


def aside(journey: Journey, why: str) -> Journey:
    """Set aside, for somebody to look at."""
    return replace(journey, status="aside", why=why, due=0)


def _settled(campaign: Campaign, journey: Journey) -> Journey:
    if journey.cursor >= len(campaign.steps):
        return replace(journey, status="done", due=0)
    taken = max((one.day for one in journey.noted if one.came in TAKEN), default=0)
    return replace(journey, due=max(planned(campaign, journey, journey.cursor), taken + 1))


def encode(journey: Journey) -> dict[str, Any]:
    """Compact JSON data; what is empty is left out. Campaign, occasion and revision stand in the item itself."""
    data: dict[str, Any] = {
        "v": journey.version,
        "a": journey.variant,
        "e": journey.entered,
        "c": journey.cursor,
        "d": journey.due,
        "r": journey.tried,
        "k": int(journey.chosen),
        "s": journey.status,
        "w": journey.why,
        "n": [[one.step, one.day, one.came, one.why, one.channel, int(one.offered)] for one in journey.noted],
        "f": [journey.number, journey.purchases, journey.last, journey.spend],
        "t": dict(journey.told),
    }
    return {name: value for name, value in data.items() if value}


def decode(campaign: str, occasion: str, data: Mapping[str, Any], revision: int) -> Journey:
    """Inverse of ``encode``."""
    number, purchases, last, spend = data["f"]
    return Journey(
        campaign,
        occasion,
        data["v"],
        data.get("a", ""),
        data["e"],
        data.get("c", 0),
        data.get("d", 0),
        data.get("r", 0),
        bool(data.get("k")),
        data["s"],
        data.get("w", ""),
        tuple(Noted(step, day, came, why, by, bool(gave)) for step, day, came, why, by, gave in data.get("n", ())),
        number,
        purchases,
        last,
        spend,
        data.get("t", {}),
        revision,
    )
