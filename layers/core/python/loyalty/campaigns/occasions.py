"""When a member takes part: once, once a year, once a while; and the days of birthdays and anniversaries. Pure.

An occasion is named by what it is, never by when it was noticed: whatever is delivered twice, or late, names the same.
Days are in the programme's zone.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from loyalty.campaigns.campaign import Campaign, Enter, Told
from loyalty.rules.facts import birthday, in_year
from loyalty.segments.facts import SHARE

_DAY: Final = 10
DONE: Final = ("purchase", "event")
"""Ways in that are what members do: bought something, checked in, wrote a review."""
LATE_S: Final = 86_400
"""What is reported later than this after it happened brings nobody in: who came by a week ago is not greeted now."""
_EARNED: Final = ("points.earned", "points.pending")
_SHRINKS: Final = "-decay"


def name(campaign: Campaign, day: int, told: Mapping[str, Told] | None = None) -> str:
    """The occasion of an entry on a day, which is that of the event itself: "1", "2026", or "2026-03-01"; with the
    ``part`` that was ``told`` of, where there may be several on a day: "2026-03-01-cash".
    """
    if campaign.repeat == "once":
        return "1"
    at = date.fromordinal(day)
    if campaign.repeat == "yearly":
        return f"{at.year:04d}"
    part = (told or {}).get("part", "")
    return f"{at.isoformat()}-{part}" if part else at.isoformat()


def days(campaign: Campaign, occasions: Iterable[str]) -> list[int]:
    """The days of occasions that are days, as they are where a campaign is entered again after some; else none."""
    if campaign.repeat != "after_days":
        return []
    return [date.fromisoformat(one[:_DAY]).toordinal() for one in occasions]


def next_birthday(born: object, after: int) -> int:
    """The first birthday after a day; 0 for whom it is not known."""
    known = birthday(born)
    if known == (0, 0):
        return 0
    year = date.fromordinal(after).year
    return next(at for at in (in_year(*known, y).toordinal() for y in (year, year + 1)) if at > after)


def next_anniversary(enrolled: int, after: int) -> int:
    """The first day after ``after`` on which whole years have passed since the day ``enrolled``; 0 where that is not
    known.
    """
    if not enrolled:
        return 0
    first = date.fromordinal(enrolled)
    year = max(date.fromordinal(after).year, first.year + 1)
    kept = (in_year(first.month, first.day, y).toordinal() for y in (year, year + 1))
    return next(at for at in kept if at > after)


def falls_on(kind: str, born: object, enrolled: int, day: int) -> bool:
    """Whether a day is a member's birthday or anniversary."""
    return fell_on(kind, born, enrolled, day, day) == day


def next_day(kind: str, born: object, enrolled: int, after: int) -> int:
    """A member's first birthday or anniversary after a day; 0 where it is not known, or no day of any year."""
    return next_birthday(born, after) if kind == "birthday" else next_anniversary(enrolled, after)


def fell_on(kind: str, born: object, enrolled: int, first: int, last: int) -> int:
    """The last birthday or anniversary from a day to another, both included; 0 where there was none."""
    found, at = 0, first - 1
    while at and at <= last:
        at = next_day(kind, born, enrolled, at)
        found = at if at <= last else found
    return found


def way(event: str, detail: Mapping[str, Any]) -> Enter | str:
    """The way in that an event of the bus is, "" for none. Points are earned by what members do; those that a campaign
    gives are no way into another.
    """
    if event not in _EARNED:
        return event
    if detail["why"] != "earned" or "campaign" in detail:
        return ""
    return "event" if "event" in detail else "purchase" if "order_id" in detail else ""


def late(detail: Mapping[str, Any]) -> bool:
    """Whether what a member did was recorded too late to be answered."""
    recorded, occurred = (datetime.fromisoformat(detail[name]).timestamp() for name in ("recorded_at", "occurred_at"))
    return recorded - occurred > LATE_S


def told(event: str, detail: Mapping[str, Any], timezone: str) -> dict[str, Told]:
    """What an event tells, by the names of ``entry``; what it does not say is left out. Money is in minor units. A
    purchase tells ``store``, ``channel`` and ``spent`` as its order has them.

    ``upto`` of ``points.expiring`` is no fact: the last end that notice is given of, in seconds since 1970, where the
    programme has promised notice; nor is ``decays``, the day on which points shrink; ``wallet`` and the ``number`` of
    the entry go with them. ``part`` tells two such events
    of one day apart: each wallet has its own, and one of what ends is another than one of what shrinks.
    """
    found: dict[str, Told | None] = {}
    if event == "points.expiring":
        ending = detail.get("ending", [])
        first = min((one["ends_at"] for one in ending), default="")
        found = {
            "points": detail.get("points"),
            "worth": detail.get("worth", {}).get("amount"),
            "date": _day(detail.get("decays_on") or first, timezone),
            "part": detail["wallet"] + (_SHRINKS if "decays_on" in detail else ""),
        }
        if detail.get("notice_required"):
            if ending:
                found["upto"] = int(max(datetime.fromisoformat(one["ends_at"]).timestamp() for one in ending))
            else:
                found["decays"] = _day(detail.get("decays_on"), timezone)
            found["wallet"], found["number"] = detail.get("wallet"), detail.get("number")
    elif event.startswith("tier."):
        found = {"tier": detail.get("tier"), "was": detail.get("was"), "date": _day(detail.get("until"), timezone)}
    elif event == "churn.risk_detected":
        alive = detail.get("alive")
        found = {
            "silent_days": detail.get("silent_days"),
            "alive": None if alive is None else int(alive * SHARE),
        }
    elif event == "segment.entered":
        found = {"segment": detail.get("segment")}
    elif event in DONE:
        found = {name: detail.get(name) for name in ("points", "event", "store", "channel", "spent")}
    return {key: value for key, value in found.items() if value is not None}


def years(enrolled: int, day: int) -> dict[str, Told]:
    """What an anniversary tells."""
    return {"years": date.fromordinal(day).year - date.fromordinal(enrolled).year}


def _day(text: str | None, timezone: str) -> int | None:
    if not text:
        return None
    if len(text) == _DAY:
        return date.fromisoformat(text).toordinal()
    return datetime.fromisoformat(text).astimezone(ZoneInfo(timezone)).toordinal()
