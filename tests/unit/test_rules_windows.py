"""Recurring windows: which days they are, that they end, and what is wrong with those that are none."""

import random
from datetime import date, datetime
from itertools import takewhile

import pytest
from dateutil.rrule import rrulestr

from loyalty.rules.windows import MAX_YEARS, BadWindow, occurrences, ranges

START = date(2026, 11, 1).toordinal()
YEAR = date(2026, 12, 31).toordinal()


def days(text: str, first: int = START, last: int | None = YEAR) -> list[str]:
    return [date.fromordinal(day).isoformat()[5:] for day in occurrences(text, first, last)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FREQ=DAILY;COUNT=3", ["11-01", "11-02", "11-03"]),
        ("RRULE:FREQ=DAILY;COUNT=2", ["11-01", "11-02"]),
        ("FREQ=DAILY;INTERVAL=10;COUNT=3", ["11-01", "11-11", "11-21"]),
        ("FREQ=WEEKLY;BYDAY=SA,SU;COUNT=3", ["11-01", "11-07", "11-08"]),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU;COUNT=3", ["11-03", "11-17", "12-01"]),
        ("FREQ=MONTHLY;BYMONTHDAY=8", ["11-08", "12-08"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", ["11-30", "12-31"]),
        ("FREQ=MONTHLY;BYDAY=1FR", ["11-06", "12-04"]),
        ("FREQ=MONTHLY;BYDAY=-1FR", ["11-27", "12-25"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ["11-30", "12-31"]),
        ("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24,25", ["12-24", "12-25"]),
        ("FREQ=YEARLY;BYYEARDAY=-1", ["12-31"]),
        ("FREQ=YEARLY;BYWEEKNO=50;BYDAY=MO", ["12-07"]),
        ("FREQ=WEEKLY;UNTIL=20261115", ["11-01", "11-08", "11-15"]),
        ("FREQ=WEEKLY;UNTIL=20261115T235959Z", ["11-01", "11-08", "11-15"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", ["12-31"]),
        ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", []),
    ],
)
def test_a_recurrence_is_the_days_that_rfc_5545_says(text: str, expected: list[str]) -> None:
    assert days(text) == expected


def test_the_last_day_belongs_to_it() -> None:
    assert days("FREQ=DAILY", last=START + 1) == ["11-01", "11-02"]


def test_the_earlier_end_counts() -> None:
    assert days("FREQ=DAILY;UNTIL=20261103", last=START + 1) == ["11-01", "11-02"]
    assert days("FREQ=DAILY;UNTIL=20261102", last=START + 9) == ["11-01", "11-02"]


def test_leap_years_and_weekdays_are_those_of_the_years_meant() -> None:
    first = date(2023, 1, 1).toordinal()
    found = occurrences("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=2", first, None)
    assert [date.fromordinal(day).isoformat() for day in found] == ["2024-02-29", "2028-02-29"]
    assert {date.fromordinal(day).weekday() for day in occurrences("FREQ=WEEKLY;BYDAY=TH;COUNT=90", first, None)} == {3}


def test_days_are_those_that_dateutil_finds_in_the_years_themselves() -> None:
    chance = random.Random(20261122)
    parts = (
        "FREQ=DAILY;INTERVAL={0}",
        "FREQ=WEEKLY;INTERVAL={0};BYDAY=MO,SA",
        "FREQ=MONTHLY;BYMONTHDAY={0},-1",
        "FREQ=MONTHLY;INTERVAL={0};BYDAY=2TU,-1FR",
        "FREQ=YEARLY;BYWEEKNO={0};BYDAY=MO,SU",
        "FREQ=YEARLY;BYYEARDAY={0},60,-1",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    )
    compared = 0
    for _ in range(150):
        text = chance.choice(parts).format(chance.randint(1, 28))
        start = datetime(chance.randint(1970, 2199), chance.randint(1, 12), chance.randint(1, 28))  # noqa: DTZ001 - days
        last = start.toordinal() + chance.randint(1, 3600)
        plain = takewhile(lambda moment: moment.toordinal() <= last, rrulestr(text, dtstart=start))  # noqa: B023 - used at once
        expected = tuple(moment.toordinal() for moment in plain)
        assert occurrences(text, start.toordinal(), last) == expected, (text, start)
        compared += len(expected)
    assert compared > 5_000


def test_the_second_one_of_twelve_years_later_is_not_left_out_in_silence() -> None:
    with pytest.raises(BadWindow) as refusal:
        occurrences("FREQ=YEARLY;INTERVAL=12;COUNT=2", START, None)
    assert refusal.value.code == "RULE_WINDOW_ENDLESS"
    with pytest.raises(BadWindow):
        occurrences("FREQ=YEARLY;INTERVAL=12;COUNT=2", START, START + 13 * 366)
    assert len(occurrences("FREQ=YEARLY;INTERVAL=9;COUNT=2", START, START + 13 * 366)) == 2


@pytest.mark.parametrize("first", [date(1970, 1, 1), date(2100, 2, 28), date(2199, 12, 31)])
def test_every_start_that_can_be_written_is_reckoned_with(first: date) -> None:
    assert occurrences("FREQ=DAILY;COUNT=2", first.toordinal(), None) == (first.toordinal(), first.toordinal() + 1)


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=MO",
        "FREQ=DAILY;COUNT=99999",
        "FREQ=YEARLY;COUNT=40",
        "FREQ=DAILY;UNTIL=99991231",
    ],
)
def test_what_does_not_end_or_goes_on_too_long_is_refused(text: str) -> None:
    with pytest.raises(BadWindow) as refusal:
        occurrences(text, START, None)
    assert refusal.value.code == "RULE_WINDOW_ENDLESS"


def test_a_window_may_go_on_for_ten_years() -> None:
    last = date(2036, 10, 31).toordinal()
    assert len(occurrences("FREQ=DAILY", START, last)) == last - START + 1
    with pytest.raises(BadWindow):
        occurrences("FREQ=DAILY", START, START + MAX_YEARS * 366 + 1)


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=1",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6;COUNT=1",
        "FREQ=DAILY;BYSETPOS=2;COUNT=1",
    ],
)
def test_one_that_never_comes_is_not_looked_for_for_ever(text: str) -> None:
    assert occurrences(text, START, None) == ()


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("«", ""),
        ("«every monday", ""),
        ("FREQ=WEEKLY;«WEEKDAY=MO", ""),
        ("FREQ=«WEKLY", "WEEKLY"),
        ("FREQ=«HOURLY;COUNT=3", ""),
        ("FREQ=WEEKLY;«BYDAYS=MO", "BYDAY"),
        ("FREQ=WEEKLY;BYDAY=«MON", ""),
        ("FREQ=WEEKLY;«BYHOUR=11", ""),
        ("«DTSTART=20260101;FREQ=WEEKLY", ""),
        ("FREQ=WEEKLY;«FREQ=DAILY", ""),
        ("FREQ=DAILY;COUNT=«0", ""),
        ("FREQ=DAILY;COUNT=«-1", ""),
        ("FREQ=DAILY;COUNT=3;«UNTIL=20260101", ""),
        ("FREQ=DAILY;UNTIL=«20260231", ""),
        ("FREQ=MONTHLY;BYMONTHDAY=«32", ""),
        ("FREQ=MONTHLY;BYMONTHDAY=«0", ""),
        ("FREQ=YEARLY;BYMONTH=«13", ""),
        ("FREQ=WEEKLY;«BYMONTHDAY=3", ""),
        ("FREQ=MONTHLY;«BYYEARDAY=3", ""),
        ("FREQ=WEEKLY;«BYDAY=2MO", ""),
        ("FREQ=MONTHLY;«BYDAY=6MO", ""),
        ("«INTERVAL=2", ""),
        ("FREQ=DAILY;«", ""),
        ("FREQ=WEEKLY;BYDAY=«\u0661MO", ""),
    ],
)
def test_what_is_no_recurrence_of_days_is_refused_in_its_place(text: str, suggestion: str) -> None:
    with pytest.raises(BadWindow) as refusal:
        occurrences(text.replace("«", ""), START, YEAR)
    assert (refusal.value.code, refusal.value.offset) == ("RULE_WINDOW_INVALID", text.index("«"))
    assert suggestion in ("", refusal.value.suggestion)


def test_ranges_that_touch_are_made_one() -> None:
    assert ranges([(5, 6), (1, 2), (3, 4), (8, 8)]) == ((1, 6), (8, 8))


@pytest.mark.parametrize("overlapping", [[(1, 5), (5, 9)], [(1, 9), (3, 4)], [(3, 3), (3, 3)]])
def test_ranges_that_share_a_day_are_refused(overlapping: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="0001-01"):
        ranges(overlapping)
