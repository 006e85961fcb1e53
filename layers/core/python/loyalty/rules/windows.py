"""When a rule is in force: recurrence rules of RFC 5545, worked out to days when the rule set is checked.

Days are proleptic ordinals. A recurrence names days; the time of day is for a rule's condition.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import MAXYEAR, date, datetime
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Final

from dateutil.rrule import rrulestr

MAX_YEARS: Final = 10
"""From the first day of a recurrence to its last."""
FREQUENCIES: Final = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
_PARTS: Final = {
    "FREQ": "|".join(FREQUENCIES),
    "INTERVAL": r"[1-9]\d{0,2}",
    "COUNT": r"[1-9]\d{0,4}",
    "UNTIL": r"\d{8}(?:T\d{6}Z?)?",
    "BYDAY": r"(?:[+-]?\d{1,2})?(?:MO|TU|WE|TH|FR|SA|SU)(?:,(?:[+-]?\d{1,2})?(?:MO|TU|WE|TH|FR|SA|SU))*",
    "BYMONTH": r"\d{1,2}(?:,\d{1,2})*",
    "BYMONTHDAY": r"[+-]?\d{1,2}(?:,[+-]?\d{1,2})*",
    "BYYEARDAY": r"[+-]?\d{1,3}(?:,[+-]?\d{1,3})*",
    "BYWEEKNO": r"[+-]?\d{1,2}(?:,[+-]?\d{1,2})*",
    "BYSETPOS": r"[+-]?\d{1,3}(?:,[+-]?\d{1,3})*",
    "WKST": "MO|TU|WE|TH|FR|SA|SU",
}
_BOUNDS: Final = {"BYMONTH": 12, "BYMONTHDAY": 31, "BYYEARDAY": 366, "BYWEEKNO": 53, "BYSETPOS": 366}
_ONLY: Final = {"BYWEEKNO": ("YEARLY",), "BYYEARDAY": ("YEARLY",), "BYMONTHDAY": ("YEARLY", "MONTHLY", "DAILY")}
"""How often what recurs by these, as RFC 5545 has it."""
_ORDINALS: Final = {"YEARLY": 53, "MONTHLY": 5}
"""How far BYDAY can count: 1FR is the first Friday."""


class BadWindow(ValueError):
    """A recurrence that is none, or does not end. ``offset`` is where in its text; ``suggestion`` what may be meant."""

    def __init__(self, code: str, message: str, offset: int = 0, suggestion: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.offset = offset
        self.suggestion = suggestion


def occurrences(text: str, first: int, last: int | None) -> tuple[int, ...]:
    """The days of a recurrence from ``first``, which is also its start (DTSTART), up to ``last``; in order.

    Raises BadWindow for what is no recurrence of days, and for one without an end, or with one in more than MAX_YEARS.
    """
    parts = _parts(text)
    until = parts.pop("UNTIL", "")
    if until:
        last = min(_day(until, text), last or date.max.toordinal())
    count = int(parts.get("COUNT", 0))
    if last is None and not count:
        raise BadWindow("RULE_WINDOW_ENDLESS", "this recurs for ever: say until when, or how often (COUNT)")
    horizon = first + MAX_YEARS * 366
    if last is not None and last > horizon:
        if not count:
            raise BadWindow("RULE_WINDOW_ENDLESS", f"this goes on for more than {MAX_YEARS} years")
        last = None
    days = _occurrences(";".join(f"{name}={value}" for name, value in parts.items()), first, last or horizon)
    if last is None and 0 < len(days) < count:
        raise BadWindow("RULE_WINDOW_ENDLESS", f"this goes on for more than {MAX_YEARS} years")
    return days


@lru_cache(maxsize=512)
def _occurrences(text: str, first: int, last: int) -> tuple[int, ...]:
    """Days up to ``last``, worked out in the last years that there are: dateutil looks for one that never comes until
    the year 9999.
    """
    shift = _latest(date.fromordinal(first).year)
    days: list[int] = []
    try:
        for moment in rrulestr(text, dtstart=datetime.fromordinal(first + shift)):
            day = moment.toordinal() - shift
            if day > last:
                break
            days.append(day)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError) as error:
        # dateutil has no one way of saying no
        raise BadWindow("RULE_WINDOW_INVALID", "parts of this recurrence do not go together") from error
    return tuple(days)


@cache
def _latest(year: int) -> int:
    """Days from a year to the latest one from which on the calendar, weekdays included, is the same for MAX_YEARS."""
    like = next(other for other in range(MAXYEAR - MAX_YEARS - 1, year - 1, -1) if _years(other) == _years(year))
    return date(like, 1, 1).toordinal() - date(year, 1, 1).toordinal()


def _years(year: int) -> list[int]:
    return [date(year + later, month, 1).weekday() for later in range(MAX_YEARS + 2) for month in (1, 3)]


def ranges(days: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Ranges of days in order, those that follow on each other made one; ValueError when two have a day in common."""
    whole: list[tuple[int, int]] = []
    for first, last in sorted(days):
        if whole and first <= whole[-1][1]:
            raise ValueError(date.fromordinal(first).isoformat())
        if whole and first == whole[-1][1] + 1:
            whole[-1] = (whole[-1][0], last)
        else:
            whole.append((first, last))
    return tuple(whole)


def _parts(text: str) -> dict[str, str]:
    """The parts of a recurrence rule, each there once and of its form."""
    found: dict[str, str] = {}
    offset = 0
    body = text
    if body.startswith("RRULE:"):
        offset, body = 6, body[6:]
    for part in body.split(";"):
        name, equals, value = part.partition("=")
        if not equals or name not in _PARTS or name in found:
            raise _unknown(name, equals, found, offset)
        if not re.fullmatch(_PARTS[name], value, re.ASCII) or _beyond(name, value):
            raise _wrong(name, value, offset + len(name) + 1)
        found[name] = value
        offset += len(part) + 1
    if "FREQ" not in found:
        raise BadWindow("RULE_WINDOW_INVALID", "say how often, such as FREQ=WEEKLY")
    if "COUNT" in found and "UNTIL" in found:
        raise BadWindow("RULE_WINDOW_INVALID", "UNTIL and COUNT do not go together", text.index("UNTIL"))
    for name, frequencies in _ONLY.items():
        if name in found and found["FREQ"] not in frequencies:
            said = f"{name} does not go with FREQ={found['FREQ']}, only with {' or '.join(frequencies)}"
            raise BadWindow("RULE_WINDOW_INVALID", said, text.index(name))
    counted = [int(number) for number in re.findall(r"\d+", found.get("BYDAY", ""))]
    if any(not 1 <= number <= _ORDINALS.get(found["FREQ"], 0) for number in counted):
        said = f"BYDAY={found['BYDAY']} does not go with FREQ={found['FREQ']}"
        raise BadWindow("RULE_WINDOW_INVALID", said, text.index("BYDAY"))
    return found


def _unknown(name: str, equals: str, found: dict[str, str], offset: int) -> BadWindow:
    code = "RULE_WINDOW_INVALID"
    if name in found:
        return BadWindow(code, f"{name} stands here twice", offset)
    if name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        return BadWindow(code, f"{name}: a window is whole days; write local_time in `when`", offset)
    if name in ("DTSTART", "EXDATE", "RDATE", "EXRULE"):
        return BadWindow(code, f"{name} is not read: the recurrence starts with valid.from", offset)
    if not equals:
        return BadWindow(code, "a recurrence is NAME=VALUE;NAME=VALUE, such as FREQ=WEEKLY;BYDAY=SA,SU", offset)
    return BadWindow(code, f"{name} is no part of a recurrence", offset, _nearest(name, _PARTS))


def _wrong(name: str, value: str, offset: int) -> BadWindow:
    if name == "FREQ":
        said = f"FREQ is one of {', '.join(FREQUENCIES)}, not {value}"
        return BadWindow("RULE_WINDOW_INVALID", said, offset, _nearest(value, FREQUENCIES))
    return BadWindow("RULE_WINDOW_INVALID", f"{name} cannot be {value!r}", offset)


def _beyond(name: str, value: str) -> bool:
    numbers = [abs(int(number)) for number in value.split(",")] if name in _BOUNDS else []
    return any(not 1 <= number <= _BOUNDS[name] for number in numbers)


def _day(until: str, text: str) -> int:
    try:
        return datetime.strptime(until[:8], "%Y%m%d").toordinal()  # noqa: DTZ007 - a day, and no moment
    except ValueError:
        raise _wrong("UNTIL", until, text.index(until)) from None


def _nearest(name: str, names: Iterable[str]) -> str:
    return next(iter(get_close_matches(name, list(names), n=1)), "")
