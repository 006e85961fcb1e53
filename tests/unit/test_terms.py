"""What a policy means for points earned at a moment. The dates were read off a calendar."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from loyalty.programs.policy import check
from loyalty.programs.terms import Program, Terms, add_months
from loyalty.values import Rate


def program(**changes: Any) -> Program:
    document = {"program": "acme", "name": "Acme", "currency": "USD", "expiry": {"kind": "none"}, **changes}
    return Program.of(check(document), 3)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def rolling(months: int, rounding: str = "day") -> dict[str, Any]:
    return {"kind": "rolling", "months": months, "rounding": rounding}


def ends(policy: Program, occurred: str) -> str:
    """When points end, in UTC."""
    return datetime.fromtimestamp(policy.terms(at(occurred), at(occurred)).expiry, UTC).isoformat()


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        ("2026-01-15", 1, "2026-02-15"),
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2026-03-31", 1, "2026-04-30"),
        ("2026-12-31", 2, "2027-02-28"),
        ("2026-11-30", 3, "2027-02-28"),
        ("2026-12-05", 1, "2027-01-05"),
        ("2026-06-01", 120, "2036-06-01"),
    ],
)
def test_months_on_is_the_same_day_or_the_months_last(day: str, months: int, expected: str) -> None:
    assert add_months(date.fromisoformat(day), months) == date.fromisoformat(expected)


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        ("day", "2026-05-16T00:00:00+00:00"),
        ("month", "2026-06-01T00:00:00+00:00"),
        ("quarter", "2026-07-01T00:00:00+00:00"),
        ("year", "2027-01-01T00:00:00+00:00"),
    ],
)
def test_points_last_to_the_end_of_the_day_month_quarter_or_year(rounding: str, expected: str) -> None:
    assert ends(program(expiry=rolling(3, rounding)), "2026-02-15T10:00:00+00:00") == expected


@pytest.mark.parametrize(
    ("occurred", "expected"),
    [
        ("2025-12-10", "2026-04-01"),
        ("2026-02-10", "2026-04-01"),
        ("2026-03-10", "2026-07-01"),
        ("2026-08-10", "2026-10-01"),
        ("2026-09-10", "2027-01-01"),
        ("2026-11-10", "2027-01-01"),
    ],
)
def test_a_quarter_ends_with_its_third_month(occurred: str, expected: str) -> None:
    policy = program(expiry=rolling(1, "quarter"))
    assert ends(policy, f"{occurred}T00:00:00+00:00") == f"{expected}T00:00:00+00:00"


def test_points_from_a_leap_day_last_to_the_last_of_february() -> None:
    assert ends(program(expiry=rolling(12)), "2024-02-29T12:00:00+00:00") == "2025-03-01T00:00:00+00:00"


def test_points_without_expiry_never_end() -> None:
    assert program().terms(at("2026-01-01T00:00:00+00:00"), at("2026-01-01T00:00:00+00:00")) == Terms(0, 0)


@pytest.mark.parametrize(
    ("occurred", "expected"),
    [
        ("2026-03-30T23:59:59+00:00", "2026-04-01T00:00:00+00:00"),
        ("2026-03-31T12:00:00+00:00", "2026-04-01T00:00:00+00:00"),
        ("2026-04-01T00:00:00+00:00", "2026-10-01T00:00:00+00:00"),
        ("2026-10-01T00:00:00+00:00", "2027-04-01T00:00:00+00:00"),
    ],
)
def test_fixed_dates_end_points_with_the_next_of_them_that_day_included(occurred: str, expected: str) -> None:
    assert ends(program(expiry={"kind": "fixed_dates", "dates": ["09-30", "03-31"]}), occurred) == expected


@pytest.mark.parametrize(
    ("occurred", "expected"),
    [
        ("2024-02-01T00:00:00+00:00", "2024-03-01T00:00:00+00:00"),
        ("2025-02-01T00:00:00+00:00", "2025-03-01T00:00:00+00:00"),
        ("2025-02-28T12:00:00+00:00", "2025-03-01T00:00:00+00:00"),
        ("2027-03-01T00:00:00+00:00", "2028-03-01T00:00:00+00:00"),
    ],
)
def test_a_fixed_date_of_29_february_is_the_last_of_february_in_every_year(occurred: str, expected: str) -> None:
    assert ends(program(expiry={"kind": "fixed_dates", "dates": ["02-29"]}), occurred) == expected


@pytest.mark.parametrize(
    ("zone", "occurred", "expected"),
    [
        # In the evening in New York it is already the next day in UTC: the store's calendar counts.
        ("America/New_York", "2026-01-31T23:30:00-05:00", "2026-03-01T05:00:00+00:00"),
        ("Asia/Shanghai", "2026-01-31T23:30:00+08:00", "2026-02-28T16:00:00+00:00"),
        ("Europe/Berlin", "2026-02-28T12:00:00+01:00", "2026-03-28T23:00:00+00:00"),
        # The expiry's own offset counts, not that of the day of the purchase.
        ("Europe/Berlin", "2026-03-10T12:00:00+01:00", "2026-04-10T22:00:00+00:00"),
        ("Europe/Berlin", "2026-10-10T12:00:00+02:00", "2026-11-10T23:00:00+00:00"),
        # Clocks go forward at midnight: that day begins at one o'clock.
        ("America/Sao_Paulo", "2018-10-03T12:00:00-03:00", "2018-11-04T03:00:00+00:00"),
        # Half-hour zones.
        ("Asia/Kolkata", "2026-01-15T12:00:00+05:30", "2026-02-15T18:30:00+00:00"),
    ],
)
def test_days_are_those_of_the_programmes_time_zone(zone: str, occurred: str, expected: str) -> None:
    assert ends(program(timezone=zone, expiry=rolling(1), purchases_since="2018-01-01"), occurred) == expected


def test_delayed_points_begin_with_a_day_and_their_life_counts_from_there() -> None:
    policy = program(timezone="Europe/Berlin", pending={"kind": "delay", "days": 14}, expiry=rolling(1))
    occurred = at("2026-03-20T18:00:00+01:00")
    assert policy.terms(occurred, occurred) == Terms(at("2026-05-04T00:00:00+02:00"), at("2026-04-03T00:00:00+02:00"))


def test_delayed_points_that_never_end_begin_later_all_the_same() -> None:
    policy = program(pending={"kind": "delay", "days": 1})
    occurred = at("2026-03-20T18:00:00+00:00")
    assert policy.terms(occurred, occurred) == Terms(0, at("2026-03-21T00:00:00+00:00"))


def test_a_purchase_reported_late_has_the_terms_of_the_day_it_happened() -> None:
    policy = program(expiry=rolling(1))
    assert policy.terms(at("2026-01-10T12:00:00+00:00"), at("2026-02-09T12:00:00+00:00")).expiry == at(
        "2026-02-11T00:00:00+00:00"
    )


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ("2026-02-10T23:59:59+00:00", "2026-02-11T00:00:00+00:00"),
        ("2026-02-11T00:00:00+00:00", "2026-03-12T00:00:00+00:00"),
        ("2026-06-20T00:00:00+00:00", "2026-07-21T00:00:00+00:00"),
    ],
)
def test_a_till_that_was_offline_for_too_long_does_not_cost_its_member_the_points(recorded: str, expected: str) -> None:
    policy = program(expiry=rolling(1))
    assert policy.terms(at("2026-01-10T12:00:00+00:00"), at(recorded)).expiry == at(expected)


def test_the_rate_is_per_minor_unit_of_the_currency() -> None:
    assert program(currency="USD", earn={"rate": "3/2"}).rate == Rate(3, 200)
    assert program(currency="JPY", earn={"rate": "0.01"}).rate == Rate(1, 100)
    assert program(currency="KWD", earn={"rate": "10"}).rate == Rate(1, 100)


def test_purchases_are_taken_from_the_start_of_the_day_in_the_programmes_zone() -> None:
    assert program(timezone="Asia/Shanghai", purchases_since="2025-06-01").earliest == at("2025-06-01T00:00:00+08:00")


def test_a_programme_has_all_that_its_policy_says() -> None:
    policy = program(
        timezone="Europe/Berlin",
        wallets=["points", "cash"],
        pending={"kind": "delay", "days": 7},
        return_policy="within_balance",
        events={"check_in": 5},
        holds={"default_minutes": 15, "max_minutes": 90},
    )
    assert (policy.program, policy.version, policy.name, policy.currency) == ("acme", 3, "Acme", "USD")
    assert (policy.timezone, policy.wallets, policy.pending_days) == ("Europe/Berlin", ("points", "cash"), 7)
    assert (policy.return_policy, policy.events) == ("within_balance", {"check_in": 5})
    assert (policy.hold_minutes, policy.max_hold_minutes) == (15, 90)


def test_a_rule_may_have_terms_of_its_own_and_takes_the_policys_where_it_has_none() -> None:
    policy = program(expiry=rolling(12), pending={"kind": "delay", "days": 14}, timezone="Europe/Berlin")
    day = at("2026-03-02T12:00:00Z")
    usual = policy.terms(day, day)
    assert policy.terms(day, day, None, None) == usual
    assert policy.terms(day, day, {"kind": "none"}) == Terms(0, usual.start)
    assert policy.terms(day, day, rolling(1), 0) == Terms(at("2026-04-02T22:00:00Z"), 0)
    assert policy.terms(day, day, rolling(1), 1) == Terms(at("2026-04-03T22:00:00Z"), at("2026-03-02T23:00:00Z"))


def test_a_day_is_the_programmes() -> None:
    policy = program(timezone="Asia/Shanghai")
    assert date.fromordinal(policy.day(at("2026-03-01T15:59:59Z"))) == date(2026, 3, 1)
    assert date.fromordinal(policy.day(at("2026-03-01T16:00:00Z"))) == date(2026, 3, 2)
