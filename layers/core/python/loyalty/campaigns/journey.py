"""One member's way through a campaign: which steps are behind, which is next and when. Pure.

A way has a cursor that only goes forward, and each step that it passes leaves one note. So whatever is delivered twice,
or late, or on days out of order, a step happens at most once. A pause stops nothing but the going: steps whose time
went by meanwhile are passed as late.
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
ALTERNATIVE: Final = "alternative"
"""Why a step was skipped beside another of its day."""
CONDITION: Final = "condition"


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
    it began, ``purchases``, ``last`` and ``spend`` the account's figures then. ``revision`` counts its writes.
    """

    campaign: str
    occasion: str
    version: int
    variant: str
    entered: int
    cursor: int = 0
    due: int = 0
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


def due_day(campaign: Campaign, journey: Journey) -> int:
    """The day of the step at the cursor, or the first after it that the calendar leaves free; 0 behind the last."""
    if not journey.running or journey.cursor >= len(campaign.steps):
        return 0
    return campaign.calendar.next_open(journey.entered + campaign.steps[journey.cursor].day)


def last_day(campaign: Campaign, journey: Journey, position: int) -> int:
    """The last day on which a step may be taken: the next one's day takes its place."""
    step = campaign.steps[position]
    last = campaign.calendar.next_open(journey.entered + step.day) + step.within
    later = [one.day for one in campaign.steps[position + 1 :] if one.day > step.day]
    return min(last, max(journey.entered + later[0] - 1, journey.entered + step.day)) if later else last


def begun(campaign: Campaign, journey: Journey) -> Journey:
    """A new way, with its first day."""
    return _settled(campaign, replace(journey, cursor=0, noted=(), status="running"))


def passed(campaign: Campaign, journey: Journey, noted: Noted) -> Journey:
    """With the step at the cursor behind it."""
    return _settled(campaign, replace(journey, cursor=journey.cursor + 1, noted=(*journey.noted, noted)))


def again(journey: Journey, day: int) -> Journey:
    """To be looked at on a later day."""
    return replace(journey, due=day)


def stopped(journey: Journey, why: str) -> Journey:
    """Ended before its last step."""
    return replace(journey, status="stopped", why=why, due=0)


def _settled(campaign: Campaign, journey: Journey) -> Journey:
    day = due_day(campaign, journey)
    return replace(journey, due=day) if day else replace(journey, status="done", due=0)


def encode(journey: Journey) -> dict[str, Any]:
    """Compact JSON data; what is empty is left out. Campaign, occasion and revision stand in the item itself."""
    data: dict[str, Any] = {
        "v": journey.version,
        "a": journey.variant,
        "e": journey.entered,
        "c": journey.cursor,
        "d": journey.due,
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
