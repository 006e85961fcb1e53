"""Birthdays, anniversaries and what events tell: each occasion by its own name, whenever it is noticed."""

from datetime import UTC, date, datetime

import msgspec
import pytest

from loyalty.campaigns import occasions
from loyalty.ledger.views import Balances
from loyalty.timers.events import Ending, ExpiringEvent, Worth
from tests.unit.campaigned import DAY, campaign, step


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


@pytest.mark.parametrize(
    ("born", "after", "following"),
    [
        ("05-17", "2026-03-02", "2026-05-17"),
        ("1990-05-17", "2026-05-16", "2026-05-17"),
        ("1990-05-17", "2026-05-17", "2027-05-17"),
        ("01-01", "2026-12-31", "2027-01-01"),
        ("12-31", "2026-12-31", "2027-12-31"),
        ("02-29", "2026-01-01", "2026-02-28"),
        ("02-29", "2026-02-28", "2027-02-28"),
        ("02-29", "2027-03-01", "2028-02-29"),
        ("2000-02-29", "2028-02-28", "2028-02-29"),
        ("02-29", "2028-02-29", "2029-02-28"),
        ("02-29", "2099-12-31", "2100-02-28"),
        ("02-29", "2000-01-01", "2000-02-29"),
    ],
)
def test_the_next_birthday(born: str, after: str, following: str) -> None:
    assert occasions.next_birthday(born, day(after)) == day(following)
    assert occasions.falls_on("birthday", born, 0, day(following))
    assert not occasions.falls_on("birthday", born, 0, day(following) + 1)


@pytest.mark.parametrize(
    "born",
    [
        "", "02-30", "13-01", "1990", "05/17", "abcd-05-17", None, 517, True, "1990-5-17", "\u0660\u0665-\u0661\u0667",
        "2000-W01-1", "W01-1", "1990/05-17", "\u0661\u0669\u0669\u0660-05-17",
    ],
)  # fmt: skip
def test_what_is_no_day_of_any_year_is_no_birthday(born: object) -> None:
    assert occasions.next_birthday(born, DAY) == 0
    assert not occasions.falls_on("birthday", born, 0, DAY)


def test_a_birthday_comes_once_a_year_for_everybody() -> None:
    first, last = day("2024-01-01"), day("2032-12-31")
    for born in [date.fromordinal(day("2000-01-01") + number).strftime("%m-%d") for number in range(366)]:
        found, at = [], first - 1
        while (at := occasions.next_birthday(born, at)) <= last:
            found.append(date.fromordinal(at).year)
        assert found == list(range(2024, 2033)), born


@pytest.mark.parametrize(
    ("enrolled", "after", "following"),
    [
        ("2025-06-01", "2025-06-01", "2026-06-01"),
        ("2025-06-01", "2026-05-31", "2026-06-01"),
        ("2025-06-01", "2026-06-01", "2027-06-01"),
        ("2024-02-29", "2024-03-01", "2025-02-28"),
        ("2024-02-29", "2027-12-01", "2028-02-29"),
        ("2025-12-31", "2026-01-01", "2026-12-31"),
        ("2027-01-01", "2026-01-01", "2028-01-01"),
    ],
)
def test_the_next_anniversary_is_none_before_a_whole_year(enrolled: str, after: str, following: str) -> None:
    assert occasions.next_anniversary(day(enrolled), day(after)) == day(following)
    assert occasions.falls_on("anniversary", None, day(enrolled), day(following))


def test_who_was_never_enrolled_has_no_anniversary() -> None:
    assert occasions.next_anniversary(0, DAY) == 0
    assert not occasions.falls_on("anniversary", None, 0, DAY)


def test_an_anniversary_tells_how_many_years_it_is() -> None:
    assert occasions.years(day("2020-05-01"), day("2026-05-01")) == {"years": 6}


def test_two_things_of_one_day_are_two_occasions_where_a_campaign_comes_again() -> None:
    again = campaign(step("hello", 0), repeat="after_days")
    assert occasions.name(again, DAY, {"part": "cash"}) == "2026-03-02-cash"
    assert occasions.name(campaign(step("hello", 0), repeat="once"), DAY, {"part": "cash"}) == "1"
    assert occasions.name(campaign(step("hello", 0), repeat="yearly"), DAY, {"part": "cash"}) == "2026"


@pytest.mark.parametrize(("repeat", "name"), [("once", "1"), ("yearly", "2026"), ("after_days", "2026-03-02")])
def test_an_occasion_is_named_by_what_it_is(repeat: str, name: str) -> None:
    assert occasions.name(campaign(step("hello", 0), repeat=repeat), DAY) == name


def test_what_points_about_to_end_tell() -> None:
    detail = {
        "points": 300,
        "worth": {"amount": 150, "currency": "EUR"},
        "wallet": "points",
        "number": 7,
        "ending": [
            {"points": 100, "ends_at": "2026-04-01T22:00:00Z"},
            {"points": 200, "ends_at": "2026-05-01T22:00:00Z"},
        ],
    }
    told = {"points": 300, "worth": 150, "date": day("2026-04-02"), "part": "points"}
    assert occasions.told("points.expiring", detail, "Europe/Berlin") == told
    notice = int(datetime(2026, 5, 1, 22, tzinfo=UTC).timestamp())
    known = occasions.told("points.expiring", detail | {"notice_required": True}, "Europe/Berlin")
    assert known == told | {"upto": notice, "wallet": "points", "number": 7}
    decays = {"points": 300, "wallet": "cash", "decays_on": "2026-06-30"}
    told = {"points": 300, "date": day("2026-06-30"), "part": "cash-decay"}
    assert occasions.told("points.expiring", decays, "UTC") == told
    promised = {**decays, "number": 7, "notice_required": True}
    waits = {"decays": day("2026-06-30"), "wallet": "cash", "number": 7}
    assert occasions.told("points.expiring", promised, "UTC") == {**told, **waits}


def test_what_campaigns_read_of_points_about_to_end_is_what_is_told() -> None:
    event = ExpiringEvent(
        id="i",
        program="grocer",
        member="m",
        wallet="points",
        entry="e",
        number=1,
        why="expiry",
        points=300,
        recorded_at="2026-03-01T00:00:00Z",
        balance=Balances(300, 0, 0, 0),
        ending=[Ending(300, "2026-04-01T22:00:00Z")],
        worth=Worth(150, "EUR"),
        notice_required=True,
    )
    told = occasions.told("points.expiring", msgspec.to_builtins(event), "Europe/Berlin")
    assert told == {
        "points": 300,
        "worth": 150,
        "date": day("2026-04-02"),
        "part": "points",
        "upto": int(datetime(2026, 4, 1, 22, tzinfo=UTC).timestamp()),
        "wallet": "points",
        "number": 1,
    }


def test_what_other_events_tell() -> None:
    tier = {"tier": "gold", "was": "silver", "until": "2026-12-31"}
    assert occasions.told("tier.upgraded", tier, "UTC") == {"tier": "gold", "was": "silver", "date": day("2026-12-31")}
    moment = tier | {"until": "2026-12-30T16:00:00Z"}
    assert occasions.told("tier.downgrade_warned", moment, "Asia/Shanghai")["date"] == day("2026-12-31")
    assert occasions.told("tier.downgrade_warned", {"tier": "gold"}, "UTC") == {"tier": "gold"}
    churn = {"silent_days": 90, "alive": 0.25}
    assert occasions.told("churn.risk_detected", churn, "UTC") == {"silent_days": 90, "alive": 250}
    assert occasions.told("churn.risk_detected", {"silent_days": 90}, "UTC") == {"silent_days": 90}
    assert occasions.told("segment.entered", {"segment": "vip"}, "UTC") == {"segment": "vip"}
    assert occasions.told("member.enrolled", {"kind": "member"}, "UTC") == {}
