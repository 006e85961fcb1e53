"""A programme's year: who buys when, and, reckoned from that alone by other code, what falls on which day.

Plain and slow on purpose: days are dates, points are summed, nothing is looked up in what the product has stored.
"""

import calendar
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from loyalty.churn.model import Purchasing
from loyalty.churn.parameters import Parameters, Quality

PROGRAM: Final = "sandbox-year"
ZONE: Final = ZoneInfo("America/New_York")
LASTS_MONTHS, REMINDERS = 3, (30, 7)
SILVER, WINDOW_MONTHS, GRACE_DAYS, WARN_DAYS = 500, 3, 10, 14
ONBOARDING_DAYS: Final = 45
R, ALPHA, A, B = 0.243, 4.414, 0.793, 2.426
"""Of the CDNOW sample (Fader, Hardie and Lee 2005), in weeks."""
PARAMETERS: Final = Parameters(1, 0, 1, 100, Purchasing(R, ALPHA, A, B), None, Quality(91, 100, -1.0, 100, 100.0))
POLICY: Final[dict[str, Any]] = {
    "program": PROGRAM,
    "sandbox": True,
    "name": "Year",
    "currency": "USD",
    "timezone": ZONE.key,
    "expiry": {"kind": "rolling", "months": LASTS_MONTHS, "rounding": "day"},
    "reminders": {"days": list(REMINDERS)},
    "tiers": {
        "levels": [{"id": "silver", "name": {"en": "Silver"}, "spend": 100 * SILVER}],
        "window": {"kind": "rolling_months", "months": WINDOW_MONTHS},
        "downgrade": "to_eligible",
        "grace_days": GRACE_DAYS,
        "warn_days": WARN_DAYS,
    },
    "churn": {"threshold": "0.5", "by": "alive", "onboarding_days": ONBOARDING_DAYS},
}

Told = Counter[tuple[date, str]]
"""How often what happened on which day."""


@dataclass
class Buyer:
    """One member: dollars by day, one purchase on a day at the most."""

    purchases: dict[date, int] = field(default_factory=dict)


def first_day(now: datetime) -> date:
    """The year lived through is the next one: its days are ahead of any clock there is."""
    return date(now.year + 1, 1, 1)


def buyers(seed: int, first: date, count: int) -> list[Buyer]:
    """Some who come often, some who come once, some who stay away for months."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        buyer, day = Buyer(), first + timedelta(days=chance.randrange(40))
        for _ in range(1 if number == 0 else chance.randrange(2, 9)):
            buyer.purchases[day] = chance.randrange(20, 400)
            day += timedelta(days=chance.choice([3, 7, 12, 20, 33, 61, 95]))
            if day >= first + timedelta(days=330):
                break
        found.append(buyer)
    return found


def morning(day: date) -> datetime:
    """The beginning of a local day, in UTC."""
    return datetime.combine(day, time(), ZONE).astimezone(UTC)


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), ZONE).astimezone(UTC)


def purchase(member: str, day: date, dollars: int) -> dict[str, Any]:
    """The body of a purchase at noon."""
    return {
        "source": "pos",
        "order_id": f"{member[-6:]}-{day}",
        "member": member,
        "occurred_at": noon(day).isoformat(),
        "currency": "USD",
        "lines": [{"amount": f"{dollars}.00"}],
    }


def expected(buyer: Buyer, last: date) -> Told:
    """Everything that falls on a day up to ``last``."""
    told: Told = Counter()
    ends: Counter[date] = Counter()
    for day, dollars in buyer.purchases.items():
        ends[_months_on(day, LASTS_MONTHS) + timedelta(days=1)] += dollars
    for end, points in ends.items():
        told[end, f"expired {points}"] += 1
        for days in REMINDERS:
            told[end - timedelta(days=days), "reminded"] = 1
    told += Counter((day, "alerted") for day in _alerts(buyer))
    told += Counter(_tiers(buyer, last))
    return Counter({key: times for key, times in told.items() if key[0] <= last})


def found(entries: list[dict[str, Any]]) -> Told:
    """The same, from the entries of a wallet."""
    told: Told = Counter()
    for entry in entries:
        day = datetime.fromisoformat(entry["recorded_at"]).astimezone(ZONE).date()
        if ended := -sum(one["points"] for one in entry["movements"] if one["why"] == "expired"):
            told[day, f"expired {ended}"] += 1
        if entry["kind"] in ("reminded", "alerted"):
            told[day, entry["kind"]] += 1
        tier = entry.get("tier", {})
        was, now = tier.get("was", ""), tier.get("now", "")
        if was != now:
            told[day, f"tier {now or 'lost'}"] += 1
        elif tier and entry["kind"] == "tiered":
            told[day, "tier warned"] += 1
    return told


def _months_on(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _alerts(buyer: Buyer) -> Iterator[date]:
    """The first day of each silence on which the member has more likely left than not; P(alive) of Fader, Hardie and
    Lee, as their note on BG/NBD in a spreadsheet has it.
    """
    days = sorted(buyer.purchases)
    for number, last in enumerate(days):
        upto = days[number + 1] if number + 1 < len(days) else date.max
        recency = (last - days[0]).days / 7
        for silent in range(1, 700):
            if number == 0:
                left = silent >= ONBOARDING_DAYS
            else:
                grown = ((ALPHA + recency + silent / 7) / (ALPHA + recency)) ** (R + number)
                left = 1 / (1 + A / (B + number - 1) * grown) <= 0.5
            if left:
                if last + timedelta(days=silent) <= upto:
                    yield last + timedelta(days=silent)
                break


def _tiers(buyer: Buyer, last: date) -> Iterator[tuple[date, str]]:
    """Day by day: mornings, when it is looked at what time has done, then purchases."""
    spent: Counter[int] = Counter()
    since: date | None = None
    bought: date | None = None
    announced: date | None = None
    day = min(buyer.purchases)
    while day <= last:
        if since is not None and bought is not None:
            falls = _falls(spent, since, day)
            if falls == day:
                yield day, "tier lost"
                since = announced = None
            elif falls is not None and falls != announced and day >= max(falls - timedelta(days=WARN_DAYS), bought):
                yield day, "tier warned"
                announced = falls
        if day in buyer.purchases:
            bought = day
            spent[_month(day)] += buyer.purchases[day]
            if since is None and _reaches(spent, day):
                since = day
                yield day, "tier silver"
        day += timedelta(days=1)


def _falls(spent: Counter[int], since: date, today: date) -> date | None:
    """The day on which the tier is lost if nothing more is bought: a first of the month that it is not reached on, and
    the days of grace.
    """
    for ahead in range(-GRACE_DAYS, 500):
        review = today + timedelta(days=ahead)
        end = review + timedelta(days=GRACE_DAYS)
        if review.day == 1 and review > since and not _reaches(spent, review) and not _reaches(spent, end):
            return end
    return None


def _reaches(spent: Counter[int], day: date) -> bool:
    return sum(spent[_month(day) - back] for back in range(WINDOW_MONTHS + 1)) >= SILVER


def _month(day: date) -> int:
    return day.year * 12 + day.month
