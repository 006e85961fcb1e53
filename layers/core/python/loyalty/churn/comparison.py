"""Alerts by the model against a fixed number of days of silence, on purchases whose end is known. Pure.

A *silence* begins with a purchase day after a customer's first one. It ends with the next purchase, or the customer is
*gone*: nothing is bought for ``within`` days. A rule says after how many days of a silence it raises an alert. The
alert is false when the next purchase comes after it all the same, within ``within`` days. Two rules are compared where
they raise the same share of false alerts: of all silences that end with a purchase in time, so many alerted first.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from statistics import fmean, median

from msgspec import Struct

from loyalty.churn.history import DAYS_IN_WEEK
from loyalty.churn.model import Purchasing

_STRICTEST, _LAXEST = -60.0, 60.0
_HALVINGS = 60
NEVER = 10**9
"""Days after which an alert counts as never raised."""


class Silence(Struct, frozen=True):
    """What was known when it began, as the model sees it, and the days until the next purchase; 0 when gone."""

    repeats: int
    recency: float
    days: int


class Outcome(Struct, frozen=True):
    """Of a rule: ``false`` alerts, those ``raised`` on customers who are gone, how many of these ``at_once``, on the
    day of their last purchase; the median and mean day of the alert of all who are gone, one never raised being as
    late as can be.
    """

    false: int
    raised: int
    at_once: int
    median: float
    mean: float


class Earlier(Struct, frozen=True):
    """How many days before another rule's a rule's alerts come, over all who are gone; ``error`` is the mean's standard
    error.
    """

    median: float
    mean: float
    error: float


Rule = Callable[[Silence, float], float]
"""The weeks of a silence after which an alert is raised, at a level: a logarithm of odds, the higher the earlier."""


def silences(customers: Mapping[str, Iterable[date]], after: date, until: date, within: int) -> list[Silence]:
    """All that begin after ``after`` and can be watched for ``within`` days, up to ``until``."""
    found: list[Silence] = []
    for days in customers.values():
        bought = sorted(days)
        for place, day in enumerate(bought):
            if place and day > after and (until - day).days >= within:
                rest = (bought[place + 1] - day).days if place + 1 < len(bought) else 0
                found.append(Silence(place, (day - bought[0]).days / DAYS_IN_WEEK, rest if 0 < rest <= within else 0))
    return found


def rules(model: Purchasing, within: int) -> dict[str, Rule]:
    """The model's three: ``alive``, P(alive) falls to a threshold; ``return``, the chance to buy again within so many
    days of the last purchase does; ``rhythm``, so long a silence of one who has not left becomes that unlikely.
    """

    def alive(one: Silence, level: float) -> float:
        return model.crossing(one.repeats, one.recency, _chance(level)) - one.recency

    def returns(one: Silence, level: float) -> float:
        return model.silence(one.repeats, one.recency, within / DAYS_IN_WEEK, _chance(level)) - one.recency

    def rhythm(one: Silence, level: float) -> float:
        unlikely = -math.log(_chance(level)) / (model.r + one.repeats)
        return (model.alpha + one.recency) * math.expm1(min(unlikely, 500.0))

    return {"alive": alive, "return": returns, "rhythm": rhythm}


def days_of(rule: Rule, level: float, found: Sequence[Silence]) -> list[int]:
    """The day of each silence on which a rule alerts: the first whole one by which its level is reached."""
    days = []
    for one in found:
        weeks = rule(one, level)
        days.append(math.ceil(weeks * DAYS_IN_WEEK - 1e-9) if weeks < NEVER else NEVER)
    return days


def judged(found: Sequence[Silence], days: Sequence[int], within: int) -> Outcome:
    """What comes of alerts on those days."""
    gone = [min(day, within) for one, day in zip(found, days, strict=True) if not one.days]
    raised = [day for one, day in zip(found, days, strict=True) if not one.days and day < within]
    return Outcome(
        sum(day < one.days for one, day in zip(found, days, strict=True) if one.days),
        len(raised),
        sum(day == 0 for day in raised),
        median(gone),
        fmean(gone),
    )


def matched(rule: Rule, found: Sequence[Silence], false: int) -> float:
    """The level at which a rule raises as many false alerts as it may, ``false`` at most, by halving."""
    back = [one for one in found if one.days]
    low, high = _STRICTEST, _LAXEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        alerted = sum(day < one.days for one, day in zip(back, days_of(rule, middle, back), strict=True))
        if alerted > false:
            high = middle
        else:
            low = middle
    return low


def earlier(found: Sequence[Silence], days: Sequence[int], than: Sequence[int], within: int) -> Earlier:
    """By how much the first rule's alerts come before the second's, customer by customer."""
    won = [
        min(theirs, within) - min(ours, within)
        for one, ours, theirs in zip(found, days, than, strict=True)
        if not one.days
    ]
    mean = fmean(won)
    spread = math.sqrt(sum((day - mean) ** 2 for day in won) / max(1, len(won) - 1))
    return Earlier(median(won), mean, spread / math.sqrt(len(won)))


def _chance(level: float) -> float:
    return 1 / (1 + math.exp(-level))
