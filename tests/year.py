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
AGAIN_DAYS, LATE_DAYS = 7, 7
DECAY_MONTHS, DECAY_PERCENT, DECAY_NOTICE = 2, 10, 14
RENEWAL_DAYS, RENEWAL_MONTHS, RENEWAL_PERCENT = 10, 3, 10
SILVER, WINDOW_MONTHS, GRACE_DAYS, WARN_DAYS = 500, 3, 10, 14
ONBOARDING_DAYS: Final = 45
FRESH_DAYS, MUCH = 20, 400
R, ALPHA, A, B = 0.243, 4.414, 0.793, 2.426
"""Of the CDNOW sample (Fader, Hardie and Lee 2005), in weeks."""
PARAMETERS: Final = Parameters(1, 0, 1, 100, Purchasing(R, ALPHA, A, B), None, Quality(91, 100, -1.0, 100, 100.0))
POLICY: Final[dict[str, Any]] = {
    "program": PROGRAM,
    "sandbox": True,
    "name": "Year",
    "currency": "USD",
    "timezone": ZONE.key,
    "expiry": {"kind": "rolling", "months": LASTS_MONTHS, "rounding": "day", "require_notice": True},
    "reminders": {"days": list(REMINDERS)},
    "decay": {"months": DECAY_MONTHS, "percent": DECAY_PERCENT, "notice_days": DECAY_NOTICE},
    "renewal": {"months": RENEWAL_MONTHS, "price_percent": RENEWAL_PERCENT},
    "tiers": {
        "levels": [{"id": "silver", "name": {"en": "Silver"}, "spend": 100 * SILVER}],
        "window": {"kind": "rolling_months", "months": WINDOW_MONTHS},
        "downgrade": "to_eligible",
        "grace_days": GRACE_DAYS,
        "warn_days": WARN_DAYS,
    },
    "churn": {"threshold": "0.5", "by": "alive", "onboarding_days": ONBOARDING_DAYS},
}
SEGMENTS: Final = f"""\
program: {PROGRAM}
segments:
  fresh: {{name: {{en: Fresh, zh: 新近}}, when: member.days_since_purchase < {FRESH_DAYS}}}
  much: {{name: {{en: Spent much, zh: 多}}, when: member.spend_6_months >= {MUCH}}}
"""
NAMES: Final = ("fresh", "much")

Told = Counter[tuple[date, str]]
"""How often what happened on which day."""
EVENTS: Final = {
    "expired": "points.expired",
    "decayed": "points.expired",
    "reminded": "points.expiring",
    "alerted": "churn.risk_detected",
    "tier silver": "tier.upgraded",
    "tier lost": "tier.downgraded",
    "tier warned": "tier.downgrade_warned",
}
"""What the bus is told of it."""


@dataclass
class Buyer:
    """One member: dollars by day, one purchase on a day at the most. ``answers`` says what comes of a notice: it is
    delivered, it is known that nobody can be reached, or it is delivered ``late``, when it comes for the second time
    after the end, or for the second time of points that shrink. A member renews so many times, a week before the end.
    """

    purchases: dict[date, int] = field(default_factory=dict)
    answers: str = "delivered"
    renewals: int = 0


Act = tuple[str, Any]
"""What is done at noon: ``notice`` (ends by, outcome), ``decay notice`` (day, outcome), ``renewal`` (price),
``purchase`` (dollars).
"""


@dataclass
class Life:
    """What falls on which day, what is done on which, and the points that are left."""

    told: Told = field(default_factory=Counter)
    acts: dict[date, list[Act]] = field(default_factory=dict)
    moves: Told = field(default_factory=Counter)
    """Segments entered and left."""
    balance: int = 0

    @property
    def heard(self) -> Told:
        """What the bus is told."""
        found = Counter(self.moves)
        for (day, what), times in self.told.items():
            found[day, EVENTS[what.rstrip("0123456789 ")]] += times
        return found


def first_day(now: datetime) -> date:
    """The year lived through is the next one: its days are ahead of any clock there is."""
    return date(now.year + 1, 1, 1)


def buyers(seed: int, first: date, count: int) -> list[Buyer]:
    """Some who come often, some who come once, some who stay away for months."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        answers = ("delivered", "late", "unreachable")[number % 3]
        buyer, day = Buyer({}, answers, number // 2 % 3), first + timedelta(days=chance.randrange(40))
        for _ in range(1 if number == 0 else chance.randrange(2, 7)):
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


def request(member: str, day: date, act: Act) -> tuple[str, dict[str, Any]]:
    """(route, body) of what is done at noon."""
    kind, what = act
    if kind == "notice":
        ends_by, outcome = what
        return "POST /v1/members/{id}/notices", {"ends_by": morning(ends_by).isoformat(), "outcome": outcome}
    if kind == "decay notice":
        on, outcome = what
        return "POST /v1/members/{id}/notices", {"decays_on": on.isoformat(), "outcome": outcome}
    if kind == "renewal":
        return "POST /v1/members/{id}/renewals", {"within_days": RENEWAL_DAYS}
    return "POST /v1/purchases", {
        "source": "pos",
        "order_id": f"{member[-6:]}-{day}",
        "member": member,
        "occurred_at": noon(day).isoformat(),
        "currency": "USD",
        "lines": [{"amount": f"{what}.00"}],
    }


def lived(buyer: Buyer, last: date) -> Life:
    """Everything that falls on a day up to ``last``, and is done on one."""
    life = _Points(buyer).through(last)
    told = Counter((day, "alerted") for day in _alerts(buyer)) + Counter(_tiers(buyer, last))
    life.told += Counter({key: times for key, times in told.items() if key[0] <= last})
    life.moves = Counter(dict(_segments(buyer, last)))
    return life


class _Points:
    """A member's points, by the day on which they end, day by day: first the night, then noon."""

    def __init__(self, buyer: Buyer) -> None:
        self.buyer = buyer
        self.life = Life()
        self.lots: dict[date, int] = {}
        self.noticed = self.bought = self.decayed = self.decays = self.said = date.min
        self.most = 0
        self.renewals = buyer.renewals

    def through(self, last: date) -> Life:
        day = min(self.buyer.purchases)
        while day <= last:
            self._end(day)
            shrinks = self._decay(day)
            self._noon(day, self._remind(day), shrinks)
            day += timedelta(days=1)
        self.life.balance = sum(self.lots.values())
        return self.life

    def _end(self, day: date) -> None:
        ended = [end for end in self.lots if end <= min(day, self.noticed)]
        if ended:
            self.life.told[day, f"expired {sum(self.lots.pop(end) for end in ended)}"] += 1

    def _decay(self, day: date) -> bool:
        """Whether the member is told that points shrink, and it will be confirmed: nothing does before."""
        since = max(self.bought, self.decayed)
        if since == date.min or not self.lots:
            return False
        points = sum(self.lots.values()) * DECAY_PERCENT // 100
        on, notice = _months_on(since, DECAY_MONTHS), timedelta(days=DECAY_NOTICE)
        if not points:
            return False
        if self.decays >= on:
            if day >= self.decays:
                points = min(points, self.most)
                self._take(points)
                self.life.told[day, f"decayed {points}"] += 1
                self.decayed = day
            return False
        again = self.said >= on
        if day == (self.said if again else on - notice):
            self.life.told[day, "reminded"] += 1
            self.said, self.most = day + notice, points
            return again or self.buyer.answers != "late"
        return False

    def _take(self, points: int) -> None:
        for end in sorted(self.lots):
            taken = min(points, self.lots[end])
            self.lots[end] -= taken
            points -= taken
        self.lots = {end: left for end, left in self.lots.items() if left}

    def _remind(self, day: date) -> list[date]:
        """The ends that are told of on a day."""
        told = [
            end
            for end in self.lots
            if (end - day).days in REMINDERS
            or (end > self.noticed and day >= end and (day - end).days % AGAIN_DAYS == 0)
        ]
        if told:
            self.life.told[day, "reminded"] += 1
        return told

    def _noon(self, day: date, told: list[date], shrinks: bool) -> None:
        acts: list[Act] = []
        late = self.buyer.answers == "late"
        if self.renewals and any((end - day).days == min(REMINDERS) for end in told):
            self.renewals -= 1
            acts.append(("renewal", self._renew(day)))
        elif told and (not late or any((day - end).days >= AGAIN_DAYS for end in told)):
            acts.append(("notice", (max(told), "unreachable" if self.buyer.answers == "unreachable" else "delivered")))
            self._hear(day, max(told), self.buyer.answers != "unreachable")
        if shrinks:
            outcome = "unreachable" if self.buyer.answers == "unreachable" else "delivered"
            acts.append(("decay notice", (self.said, outcome)))
            self.decays, self.said = self.said, date.min
        if dollars := self.buyer.purchases.get(day):
            acts.append(("purchase", dollars))
            self._add(_months_on(day, LASTS_MONTHS) + timedelta(days=1), dollars)
            self.bought = day
        if acts:
            self.life.acts[day] = acts

    def _hear(self, day: date, upto: date, reached: bool) -> None:
        over = [end for end in self.lots if end <= min(day, upto)]
        later = day + timedelta(days=LATE_DAYS)
        if over and reached:
            # Whatever else ends by then and was not told of waits on, from the day after.
            for end in [end for end in self.lots if max(upto, self.noticed) < end <= later]:
                self._add(later + timedelta(days=1), self.lots.pop(end))
            for end in over:
                self._add(later, self.lots.pop(end))
            upto = max(upto, later)
        self.noticed = max(self.noticed, upto)

    def _renew(self, day: date) -> int:
        soon = [end for end in self.lots if end <= day + timedelta(days=RENEWAL_DAYS)]
        price = -(-sum(self.lots[end] for end in soon) * RENEWAL_PERCENT // 100)
        self._take(price)
        for end in soon:
            self._add(_months_on(day, RENEWAL_MONTHS) + timedelta(days=1), self.lots.pop(end, 0))
        return price

    def _add(self, end: date, points: int) -> None:
        if points:
            self.lots[end] = self.lots.get(end, 0) + points


def found(entries: list[dict[str, Any]]) -> Told:
    """What fell on which day, from the entries of a wallet."""
    told: Told = Counter()
    for entry in entries:
        day = datetime.fromisoformat(entry["recorded_at"]).astimezone(ZONE).date()
        for why in ("expired", "decayed"):
            if gone := -sum(one["points"] for one in entry["movements"] if one["why"] == why):
                told[day, f"{why} {gone}"] += 1
        if entry["kind"] == "reminded":
            told[day, "reminded"] += 1
        if entry["kind"] == "alerted":
            told[day, entry["kind"]] += 1
        tier = entry.get("tier", {})
        was, now = tier.get("was", ""), tier.get("now", "")
        if was != now:
            told[day, f"tier {now or 'lost'}"] += 1
        elif tier and entry["kind"] == "tiered":
            told[day, "tier warned"] += 1
    return told


def _segments(buyer: Buyer, last: date) -> Iterator[tuple[tuple[date, str], int]]:
    """Segments entered and left, looked at in the morning and after a purchase."""
    spent: Counter[int] = Counter()
    bought: date | None = None
    inside: set[str] = set()
    day = min(buyer.purchases)
    while day <= last:
        for dollars in (0, buyer.purchases.get(day, 0)):
            if dollars:
                bought, spent[_month(day)] = day, spent[_month(day)] + dollars
            now = set()
            if bought is not None and (day - bought).days < FRESH_DAYS:
                now.add("fresh")
            if sum(spent[_month(day) - back] for back in range(7)) >= MUCH:
                now.add("much")
            yield from (((day, f"segment.entered {name}"), 1) for name in sorted(now - inside))
            yield from (((day, f"segment.left {name}"), 1) for name in sorted(inside - now))
            inside = now
        day += timedelta(days=1)


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
