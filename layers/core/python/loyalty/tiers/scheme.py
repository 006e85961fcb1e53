"""A programme's tiers as its policy describes them, and which of them some figures reach. Pure.

Windows (``docs/how-to/set-up-tiers.md``):

``rolling_months``  what is bought counts in its month and in so many months after it, to the end of the last of them
``anniversary``     the same, looked at once a year: a tier is held for the twelve months after the one it began in
``calendar_year``   this year and the one before, each for itself: what is reached lasts until the end of the next year
``lifetime``        all there ever was
"""

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from loyalty.ledger.account import Figures, State, month_of
from loyalty.programs.terms import Level, Tiers

if TYPE_CHECKING:
    from loyalty.tiers.conditions import Condition

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


def missing(level: Level, figures: Figures) -> dict[str, int]:
    """What these figures lack of the minima, by measure."""
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
    conditions: "tuple[Condition | None, ...]" = ()
    """Of each level; empty where no level has one."""

    @classmethod
    def of(cls, tiers: Tiers) -> "Scheme":
        """From a policy's tiers. A year is twelve months, however it is counted."""
        months = tiers.months if tiers.window == ROLLING else YEAR
        conditions = _conditions(tiers)
        return cls(tiers.levels, tiers.window, months, tiers.downgrade, tiers.grace_days, tiers.warn_days, conditions)

    def rank(self, tier: str) -> int:
        """Place of a tier among the levels; ``NONE`` for no tier, and for one that the policy does not have."""
        return next((rank for rank, level in enumerate(self.levels) if level.id == tier), NONE)

    def id(self, rank: int) -> str:
        return self.levels[rank].id if rank >= 0 else ""

    def best(self, state: State, figures: Figures, day: int) -> int:
        """Rank of the highest level that an account reaches on a day, with these figures in the window."""
        for rank in range(len(self.levels) - 1, NONE, -1):
            if self.reaches(rank, state, figures, day):
                return rank
        return NONE

    def reaches(self, rank: int, state: State, figures: Figures, day: int) -> bool:
        """Whether a level is reached; one that asks for nothing always is."""
        level, asked = self.levels[rank], False
        for has, least in zip(figures, (level.spend, level.points, level.visits), strict=True):
            if least is not None:
                asked = True
                if (has >= least) != level.all:
                    return not level.all
        condition = self.conditions[rank] if self.conditions else None
        if condition is None:
            return level.all or not asked
        return condition.holds(state, figures, day)

    def holds(self, rank: int, state: State, figures: Figures, day: int) -> bool:
        """Whether the condition of a level is true; it is where there is none."""
        condition = self.conditions[rank] if self.conditions else None
        return condition is None or condition.holds(state, figures, day)

    def turns(self, state: State, after: int) -> list[int]:
        """The days after ``after`` on which time alone can make a condition true, in order."""
        if not self.conditions:
            return []
        ages = {age for condition in self.conditions if condition for age in condition.ages}
        days = {state.first + age + late for age in ages for late in (0, 1)} if state.first else set()
        if self.window == CALENDAR:
            year = date.fromordinal(after).year
            days |= {date(year + ahead, 1, 1).toordinal() for ahead in (1, 2)}
        elif self.window != LIFETIME:
            days |= {first_day(month + self.months + 1) for month in state.months}
        return sorted(day for day in days if day > after)

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
        return max(self.best(state, figures, day) for figures in self.windows(state, day))

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


def _conditions(tiers: Tiers) -> "tuple[Condition | None, ...]":
    if not any(level.when for level in tiers.levels):
        return ()
    from loyalty.tiers.conditions import condition_of  # the language of rules, which most tiers do without

    return tuple(condition_of(level) for level in tiers.levels)


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
