"""A programme's tiers as its policy describes them, and which of them some figures reach. Pure.

Windows (``docs/how-to/set-up-tiers.md``):

``rolling_months``  what is bought counts in its month and in so many months after it, to the end of the last of them
``anniversary``     the same, looked at once a year: a tier is held for the twelve months after the one it began in
``calendar_year``   this year and the one before, each for itself: what is reached lasts until the end of the next year
``lifetime``        all there ever was
"""

from datetime import date
from functools import lru_cache
from typing import Final

from msgspec import Struct

from loyalty.ledger.account import Figures, State, month_of
from loyalty.programs.terms import Level, Tiers

ROLLING: Final = "rolling_months"
ANNIVERSARY: Final = "anniversary"
CALENDAR: Final = "calendar_year"
LIFETIME: Final = "lifetime"
ONE_DOWN: Final = "one_down"
NEVER: Final = "never"
YEAR: Final = 12
NONE: Final = -1
"""Rank of whoever has no tier."""


def minima(level: Level) -> dict[str, int]:
    """By measure (spend, points, visits), of those that count."""
    known = {"spend": level.spend, "points": level.points, "visits": level.visits}
    return {measure: least for measure, least in known.items() if least is not None}


def reached(level: Level, figures: Figures) -> bool:
    """Whether these figures are enough; of a level that asks for nothing, any are."""
    met = [
        has >= least
        for has, least in zip(figures, (level.spend, level.points, level.visits), strict=True)
        if least is not None
    ]
    return not met or (all(met) if level.all else any(met))


def missing(level: Level, figures: Figures) -> dict[str, int]:
    """What these figures lack, by measure; nothing when they are enough."""
    if reached(level, figures):
        return {}
    lacking = {measure: least - getattr(figures, measure) for measure, least in minima(level).items()}
    return {measure: lack for measure, lack in lacking.items() if lack > 0}


class Scheme(Struct, frozen=True):
    """All tiers of a programme, the lowest first."""

    levels: tuple[Level, ...]
    window: str
    months: int
    downgrade: str
    grace_days: int
    warn_days: int

    @classmethod
    def of(cls, tiers: Tiers) -> "Scheme":
        """From a policy's tiers. A year is twelve months, however it is counted."""
        months = tiers.months if tiers.window == ROLLING else YEAR
        return cls(tiers.levels, tiers.window, months, tiers.downgrade, tiers.grace_days, tiers.warn_days)

    def rank(self, tier: str) -> int:
        """Place of a tier among the levels; ``NONE`` for no tier, and for one that the policy does not have."""
        return next((rank for rank, level in enumerate(self.levels) if level.id == tier), NONE)

    def id(self, rank: int) -> str:
        return self.levels[rank].id if rank >= 0 else ""

    def best(self, figures: Figures) -> int:
        """Rank of the highest level that these figures reach."""
        for rank in range(len(self.levels) - 1, NONE, -1):
            if reached(self.levels[rank], figures):
                return rank
        return NONE

    def windows(self, state: State, day: int) -> list[Figures]:
        """What counts on ``day``: the figures of each window of time that alone is enough, the running one first."""
        if self.window == LIFETIME:
            return [state.total]
        month = month_of(day)
        if self.window == CALENDAR:
            first = month - month % YEAR
            return [within(state, first, first + YEAR - 1), within(state, first - YEAR, first - 1)]
        return [within(state, month - self.months, month)]

    def eligible(self, state: State, day: int) -> int:
        """Rank that the figures of a state reach on ``day``."""
        return max(self.best(figures) for figures in self.windows(state, day))

    def next_review(self, since: int, day: int) -> int | None:
        """The first day after ``day`` on which a tier held from ``since`` on may be found unsupported by time alone."""
        if self.window == LIFETIME:
            return None
        month = month_of(day) + 1
        if self.window == CALENDAR:
            month += -month % YEAR
        elif self.window == ANNIVERSARY:
            held = month_of(since) + YEAR + 1
            month = held if month <= held else month + (held - month) % YEAR
        return first_day(month)


def within(state: State, first: int, last: int) -> Figures:
    """Sum of the figures of the months from ``first`` to ``last``."""
    spend = points = visits = 0
    for month, row in state.months.items():
        if first <= month <= last:
            spend += row.spend
            points += row.points
            visits += row.visits
    return Figures(spend, points, visits)


@lru_cache(maxsize=256)
def first_day(month: int) -> int:
    """Ordinal of a month's first day."""
    return date(month // YEAR, month % YEAR + 1, 1).toordinal()
