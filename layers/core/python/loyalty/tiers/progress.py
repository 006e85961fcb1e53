"""What keeps a tier, and what the next one takes: "320 EUR more by 31 March 2027 keeps Gold". Pure."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final, Literal

from msgspec import Struct

from loyalty.ledger.account import Figures, State, month_of
from loyalty.programs.terms import Level
from loyalty.tiers.course import loss
from loyalty.tiers.scheme import CALENDAR, LIFETIME, Scheme, first_day, missing
from loyalty.values import exponent

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip


class Goal(Struct, frozen=True):
    """What is missing for ``level``, by measure, and the last day for it as an ordinal; 0 where there is none. With
    ``condition`` its condition is not true, either.
    """

    level: Level
    missing: Mapping[str, int]
    by: int
    condition: bool = False


def keeps(scheme: Scheme, state: State, today: int) -> Goal | None:
    """What keeps the tier beyond the day on which it would be lost; None when no day is known."""
    rank = scheme.rank(state.tier)
    if rank < 0 or state.tier_manual:
        return None
    falls = loss(scheme, state, today)
    if falls is None:
        return None
    by = falls - 1
    if scheme.window == CALENDAR:
        by = min(by, _year_end(today))
        figures = scheme.windows(state, today)[0]
    else:
        figures = scheme.windows(state, falls)[0]
    return _goal(scheme, rank, state, figures, falls, by)


def rises(scheme: Scheme, state: State, today: int) -> Goal | None:
    """What the next tier takes that is not reached yet; None for whoever has the highest."""
    rank = max(scheme.rank(state.tier), scheme.eligible(state, today)) + 1
    if rank >= len(scheme.levels):
        return None
    figures = scheme.windows(state, today)[0]
    if scheme.window == LIFETIME:
        by = 0
    elif scheme.window == CALENDAR:
        by = _year_end(today)
    else:
        by = _unchanged_until(state, month_of(today), scheme.months)
    return _goal(scheme, rank, state, figures, today, by)


def _goal(scheme: Scheme, rank: int, state: State, figures: Figures, day: int, by: int) -> Goal:
    level = scheme.levels[rank]
    return Goal(level, missing(level, figures), by, not scheme.holds(rank, state, figures, day))


def _unchanged_until(state: State, month: int, months: int) -> int:
    """The last day before a month with figures falls out of the window; 0 when there is none."""
    counted = [each for each in state.months if month - months <= each <= month]
    return first_day(min(counted) + months + 1) - 1 if counted else 0


def _year_end(day: int) -> int:
    return date(date.fromordinal(day).year, 12, 31).toordinal()


def sentence(goal: Goal, currency: str, language: Language, *, keeping: bool) -> str:
    """A goal in words."""
    name = goal.level.name.get(language) or goal.level.name.get("en") or goal.level.id
    lacking = [_WORDS[language][measure](lack, currency) for measure, lack in goal.missing.items()]
    means = [goal.level.means.get(language) or goal.level.means["en"]] if goal.condition else []
    if language == "zh":
        by = f"在{_zh(goal.by)}前" if goal.by else ""
        amount = ("，并" if goal.level.all else "，或").join([*lacking, *means])
        return f"{by}{amount}，即可{'保留' if keeping else '升级为'}{name}"
    by = f" by {_en(goal.by)}" if goal.by else ""
    more = [f"{(' and ' if goal.level.all else ' or ').join(lacking)} more"] if lacking else []
    amount = (" and " if goal.level.all else " or ").join([*more, *means])
    return f"{amount}{by} {'keeps' if keeping else 'makes'} {name}"


def money(minor: int, currency: str) -> str:
    """Minor units as people write them: 320 EUR, 320.50 EUR."""
    places = exponent(currency)
    whole, rest = divmod(minor, 10**places)
    return f"{whole:,}.{rest:0{places}d} {currency}" if rest else f"{whole:,} {currency}"


def _en(day: int) -> str:
    on = date.fromordinal(day)
    return f"{on.day} {_MONTHS[on.month - 1]} {on.year}"


def _zh(day: int) -> str:
    on = date.fromordinal(day)
    return f"{on.year}年{on.month}月{on.day}日"


_Lacking = Callable[[int, str], str]
_WORDS: Final[Mapping[Language, Mapping[str, _Lacking]]] = {
    "en": {
        "spend": money,
        "points": lambda lack, _: f"{lack:,} point{'' if lack == 1 else 's'}",
        "visits": lambda lack, _: f"{lack:,} purchase{'' if lack == 1 else 's'}",
    },
    "zh": {
        "spend": lambda lack, currency: f"再消费 {money(lack, currency)}",
        "points": lambda lack, _: f"再获得 {lack:,} 积分",
        "visits": lambda lack, _: f"再购物 {lack:,} 次",
    },
}
