"""The policy document: what is accepted, how it is stored, and what every mistake is called."""

import json
from typing import Any

import pytest

from loyalty.errors import Invalid
from loyalty.programs.policy import check
from loyalty.programs.terms import Program

SMALLEST = {"program": "acme", "name": "Acme", "currency": "EUR"}


TIERS: dict[str, Any] = {
    "levels": [
        {
            "id": "green",
            "name": {"en": "Green", "zh": ""},
            "spend": None,
            "points": None,
            "visits": None,
            "all": False,
            "multiplier": "1",
            "benefits": [],
            "when": None,
            "means": None,
        },
        {
            "id": "gold",
            "name": {"en": "Gold", "zh": "金"},
            "spend": 50_000,
            "points": 400,
            "visits": 12,
            "all": True,
            "multiplier": "3/2",
            "benefits": ["lounge"],
            "when": "spend >= 100 AND visits >= 3",
            "means": {"en": "100 EUR in three purchases", "zh": ""},
        },
    ],
    "window": {"kind": "rolling_months", "months": 6},
    "downgrade": "to_eligible",
    "grace_days": 30,
    "warn_days": 14,
}
GREEN, GOLD = TIERS["levels"]


def tiers(**changes: Any) -> dict[str, Any]:
    return {"tiers": {**TIERS, **changes}}


def gold(**changes: Any) -> dict[str, Any]:
    return tiers(levels=[GREEN, {**GOLD, **changes}])


def wrong(**changes: Any) -> Invalid:
    with pytest.raises(Invalid) as refusal:
        check({**SMALLEST, **changes})
    assert refusal.value.code == "REQUEST_INVALID"
    assert refusal.value.field is not None
    assert refusal.value.detail.startswith(f"{refusal.value.field}: ")
    return refusal.value


def test_a_small_policy_is_stored_with_every_default_written_out() -> None:
    assert check(SMALLEST) == {
        "program": "acme",
        "name": "Acme",
        "currency": "EUR",
        "timezone": "UTC",
        "wallets": ["points"],
        "earn": {"rate": "1", "minor_units": 100},
        "expiry": {"kind": "rolling", "months": 24, "rounding": "month", "require_notice": False},
        "pending": {"kind": "immediate"},
        "return_policy": "arrears",
        "events": {},
        "holds": {"default_minutes": 60, "max_minutes": 10_080},
        "purchases_since": "2020-01-01",
        "reminders": None,
        "decay": None,
        "renewal": None,
        "tiers": None,
        "churn": None,
        "guard": None,
        "sandbox": False,
    }


def test_a_full_policy_is_stored_as_it_is_written() -> None:
    document = {
        "program": "sandbox-acme-2",
        "name": "Ácme 積分",
        "currency": "JPY",
        "timezone": "Asia/Tokyo",
        "wallets": ["points", "cash2"],
        "earn": {"rate": "3/2"},
        "expiry": {"kind": "fixed_dates", "dates": ["03-31", "09-30"], "require_notice": True},
        "pending": {"kind": "delay", "days": 14},
        "return_policy": "only_pending",
        "events": {"check_in": 5, "review": 50},
        "holds": {"default_minutes": 5, "max_minutes": 5},
        "purchases_since": "1970-01-01",
        "reminders": {"days": [30, 7]},
        "decay": {"months": 3, "percent": 10, "notice_days": 7, "require_notice": False},
        "renewal": {"months": 12, "price_percent": 5},
        "tiers": TIERS,
        "churn": {"threshold": "0.25", "by": "return", "horizon_days": 60, "onboarding_days": 30},
        "guard": {"change_percent": 25},
        "sandbox": True,
    }
    assert check(document) == {**document, "earn": {"rate": "3/2", "minor_units": 1}}


def test_what_is_stored_can_be_written_as_json_and_used() -> None:
    stored = json.loads(json.dumps(check(SMALLEST)))
    assert Program.of(stored, 1).currency == "EUR"


@pytest.mark.parametrize(("currency", "minor_units"), [("EUR", 100), ("JPY", 1), ("KWD", 1000)])
def test_the_currencys_minor_units_are_stored(currency: str, minor_units: int) -> None:
    assert check({**SMALLEST, "currency": currency})["earn"]["minor_units"] == minor_units


def test_fixed_dates_are_sorted_and_named_once() -> None:
    dates = ["12-31", "02-29", "06-30", "12-31"]
    assert check({**SMALLEST, "expiry": {"kind": "fixed_dates", "dates": dates}})["expiry"]["dates"] == [
        "02-29",
        "06-30",
        "12-31",
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"program": "Acme"}, "program"),
        ({"program": "a"}, "program"),
        ({"program": "1acme"}, "program"),
        ({"program": "a#b"}, "program"),
        ({"program": "acme\n"}, "program"),
        ({"program": "a" * 33}, "program"),
        ({"program": 7}, "program"),
        ({"name": ""}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"currency": "eur"}, "currency"),
        ({"currency": "EURO"}, "currency"),
        ({"currency": "EUR\n"}, "currency"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "localtime"}, "timezone"),
        ({"timezone": "Factory"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"wallets": []}, "wallets"),
        ({"wallets": ["points", "points"]}, "wallets"),
        ({"wallets": ["Points"]}, "wallets"),
        ({"wallets": ["a-b"]}, "wallets"),
        ({"wallets": ["a#b"]}, "wallets"),
        ({"wallets": [f"w{number}" for number in range(9)]}, "wallets"),
        ({"wallets": ["points", 7]}, "wallets[1]"),
        ({"wallets": "points"}, "wallets"),
        ({"earn": {"rate": "0"}}, "earn.rate"),
        ({"earn": {"rate": "-1"}}, "earn.rate"),
        ({"earn": {"rate": "1/0"}}, "earn.rate"),
        ({"earn": {"rate": 1}}, "earn.rate"),
        ({"earn": {"rate": 0.5}}, "earn.rate"),
        ({"earn": {}}, "earn.rate"),
        ({"earn": {"rate": "1", "bonus": 1}}, "earn.bonus"),
        ({"expiry": {"kind": "sometimes"}}, "expiry"),
        ({"expiry": {}}, "expiry"),
        ({"expiry": {"kind": "none", "months": 1}}, "expiry.months"),
        ({"expiry": {"kind": "rolling"}}, "expiry.months"),
        ({"expiry": {"kind": "rolling", "months": 0}}, "expiry.months"),
        ({"expiry": {"kind": "rolling", "months": 121}}, "expiry.months"),
        ({"expiry": {"kind": "rolling", "months": "12"}}, "expiry.months"),
        ({"expiry": {"kind": "rolling", "months": True}}, "expiry.months"),
        ({"expiry": {"kind": "rolling", "months": 12, "rounding": "week"}}, "expiry.rounding"),
        ({"expiry": {"kind": "fixed_dates", "dates": []}}, "expiry.dates"),
        ({"expiry": {"kind": "fixed_dates", "dates": ["02-30"]}}, "expiry.dates"),
        ({"expiry": {"kind": "fixed_dates", "dates": ["2-1"]}}, "expiry.dates"),
        ({"expiry": {"kind": "fixed_dates", "dates": ["13-01"]}}, "expiry.dates"),
        ({"expiry": {"kind": "fixed_dates", "dates": ["01-01", 7]}}, "expiry.dates[1]"),
        ({"pending": {"kind": "delay"}}, "pending.days"),
        ({"pending": {"kind": "delay", "days": 0}}, "pending.days"),
        ({"pending": {"kind": "delay", "days": 91}}, "pending.days"),
        ({"pending": {"kind": "later"}}, "pending"),
        ({"return_policy": "never"}, "return_policy"),
        ({"events": {"Check In": 5}}, "events"),
        ({"events": {"check_in": 0}}, "events.check_in"),
        ({"events": {"check_in": 1_000_001}}, "events.check_in"),
        ({"events": {"check_in": 1.5}}, "events.check_in"),
        ({"events": {f"e{number}": 1 for number in range(51)}}, "events"),
        ({"holds": {"default_minutes": 0}}, "holds.default_minutes"),
        ({"holds": {"max_minutes": 43_201}}, "holds.max_minutes"),
        ({"holds": {"default_minutes": 11, "max_minutes": 10}}, "holds"),
        ({"purchases_since": "yesterday"}, "purchases_since"),
        ({"purchases_since": "2025-02-29"}, "purchases_since"),
        ({"purchases_since": "1969-12-31"}, "purchases_since"),
        ({"purchases_since": "0001-01-01", "timezone": "Asia/Shanghai"}, "purchases_since"),
        ({"expiry": {"kind": "inactivity"}}, "expiry.months"),
        ({"expiry": {"kind": "inactivity", "months": 12, "actions": ["Check In"]}}, "expiry.actions[0]"),
        ({"expiry": {"kind": "none", "require_notice": True}}, "expiry.require_notice"),
        ({"expiry": {"kind": "rolling", "months": 1, "require_notice": 1}}, "expiry.require_notice"),
        ({"reminders": {"days": []}}, "reminders.days"),
        ({"reminders": {"days": [0]}}, "reminders.days[0]"),
        ({"reminders": {"days": [366]}}, "reminders.days[0]"),
        ({"decay": {"months": 3}}, "decay.percent"),
        ({"decay": {"months": 3, "percent": 101}}, "decay.percent"),
        ({"decay": {"months": 1, "percent": 10, "notice_days": 28}}, "decay"),
        ({"renewal": {"months": 0, "price_percent": 5}}, "renewal.months"),
        ({"renewal": {"months": 1, "price_percent": 101}}, "renewal.price_percent"),
        (tiers(levels=[]), "tiers.levels"),
        (tiers(levels=[GREEN, GREEN]), "tiers.levels"),
        (tiers(levels=[GOLD, {**GREEN, "id": "white"}]), "tiers.levels"),
        (tiers(levels=[GREEN, GOLD, {**GOLD, "id": "black", "visits": 11}]), "tiers.levels"),
        (tiers(window={"kind": "rolling_months", "months": 19}), "tiers.window.months"),
        (tiers(window={"kind": "for_ever"}), "tiers.window"),
        (tiers(downgrade="sometimes"), "tiers.downgrade"),
        (tiers(grace_days=181), "tiers.grace_days"),
        (tiers(warn_days=91), "tiers.warn_days"),
        (gold(id="Gold"), "tiers.levels[1].id"),
        (gold(name={"zh": "金"}), "tiers.levels[1].name.en"),
        (gold(spend=0), "tiers.levels[1].spend"),
        (gold(points="400"), "tiers.levels[1].points"),
        (gold(visits=-1), "tiers.levels[1].visits"),
        (gold(multiplier="0"), "tiers.levels[1].multiplier"),
        (gold(benefits=[""]), "tiers.levels[1].benefits[0]"),
        ({"churn": {"threshold": "1"}}, "churn.threshold"),
        ({"guard": {"change_percent": 0}}, "guard.change_percent"),
        ({"guard": {}}, "guard.change_percent"),
        ({"churn": {"threshold": "0.0"}}, "churn.threshold"),
        ({"churn": {"by": "silence"}}, "churn.by"),
        ({"churn": {"horizon_days": 731}}, "churn.horizon_days"),
        ({"churn": {"onboarding_days": 0}}, "churn.onboarding_days"),
        ({"sandbox": True}, "sandbox"),
        ({"program": "sandbox-acme"}, "sandbox"),
        ({"rates": "1"}, "rates"),
        ({"PROGRAM": "acme"}, "PROGRAM"),
    ],
)
def test_every_mistake_is_named_for_the_field_it_is_in(changes: dict[str, Any], field: str) -> None:
    assert wrong(**changes).field == field


@pytest.mark.parametrize("missing", ["program", "name", "currency"])
def test_what_is_missing_is_named(missing: str) -> None:
    document = {name: value for name, value in SMALLEST.items() if name != missing}
    with pytest.raises(Invalid) as refusal:
        check(document)
    assert refusal.value.field == missing


@pytest.mark.parametrize("document", [None, [], "policy", 7])
def test_what_is_no_object_is_named_for_the_body(document: object) -> None:
    with pytest.raises(Invalid) as refusal:
        check(document)
    assert refusal.value.field == "body"


def test_a_mistake_is_explained_in_our_words() -> None:
    assert wrong(wallets=["a-b"]).detail == "wallets: 'a-b': 1 to 16 of a-z and 0-9, beginning with a letter"
    assert wrong(holds={"default_minutes": 11, "max_minutes": 10}).detail == (
        "holds: default_minutes is above max_minutes"
    )


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("since", ["1970-01-01", "2025-06-01", "9999-12-31"])
def test_every_policy_that_is_accepted_can_be_used(zone: str, since: str) -> None:
    stored = check({**SMALLEST, "timezone": zone, "purchases_since": since})
    assert Program.of(stored, 1).timezone == zone
