"""The program function as it runs: the policy of the caller's programme, replaced under its version."""

from typing import Any

import pytest

from loyalty.programs.policy import check
from tests.unit.running import PROGRAM, Response, Running
from tests.unit.test_policy import TIERS

SHOW, REPLACE = "GET /v1/program", "PUT /v1/program"


@pytest.fixture
def operator(running: Running) -> str:
    return running.key("operator")


def replace(running: Running, token: str, policy: Any, tag: str | None = '"1"') -> Response:
    return running.call(token, REPLACE, policy, headers={"If-Match": tag} if tag else {})


def refused(response: Response, status: int, code: str, field: str | None = None) -> None:
    assert (response.status, response.code) == (status, code)
    assert response.body.get("field") == field


def test_what_is_read_can_be_written_back(running: Running, operator: str) -> None:
    shown = running.call(operator, SHOW)
    assert (shown.status, shown.headers["etag"]) == (200, '"1"')
    assert shown.body["wallets"] == ["points", "cash"]
    written = replace(running, operator, shown.body, shown.headers["etag"])
    assert (written.status, written.body, written.headers["etag"]) == (200, shown.body, '"2"')
    assert running.call(operator, SHOW).body == shown.body


@pytest.mark.parametrize(
    "part",
    [
        {"expiry": {"kind": "none"}},
        {"expiry": {"kind": "rolling", "months": 3, "rounding": "day", "require_notice": True}},
        {"expiry": {"kind": "fixed_dates", "dates": ["06-30", "12-31"], "require_notice": False}},
        {
            "expiry": {
                "kind": "inactivity",
                "months": 12,
                "rounding": "day",
                "actions": ["check_in"],
                "require_notice": True,
            }
        },
        {"reminders": {"days": [30, 7]}},
        {"decay": {"months": 3, "percent": 10, "notice_days": 14, "require_notice": True}},
        {"renewal": {"months": 12, "price_percent": 5}},
        {"tiers": TIERS},
        {"tiers": {**TIERS, "window": {"kind": "calendar_year"}}},
        {"tiers": {**TIERS, "window": {"kind": "lifetime"}, "downgrade": "never"}},
        {"churn": {"threshold": "0.5", "by": "alive", "horizon_days": 90, "onboarding_days": 45}},
        {"pending": {"kind": "immediate"}},
        {"pending": {"kind": "delay", "days": 14}},
        {"earn": {"rate": "3/2"}},
        {"timezone": "Asia/Shanghai", "currency": "CNY"},
        {"events": {"check_in": 5, "review": 20}},
        {"holds": {"default_minutes": 5, "max_minutes": 10}},
    ],
)
def test_every_part_of_a_policy_is_kept_as_it_was_sent(running: Running, operator: str, part: dict[str, Any]) -> None:
    policy = {**running.call(operator, SHOW).body, **part}
    assert replace(running, operator, policy).body == policy
    assert running.call(operator, SHOW).body == policy


def test_what_is_left_out_takes_its_default(running: Running, operator: str) -> None:
    short = {"program": PROGRAM, "name": "Short", "currency": "EUR"}
    written = replace(running, operator, short).body
    assert written["expiry"] == {"kind": "rolling", "months": 24, "rounding": "month", "require_notice": False}
    checked = check(short)
    del checked["earn"]["minor_units"]
    assert written == checked


def test_a_stale_policy_replaces_nothing(running: Running, operator: str) -> None:
    policy = running.call(operator, SHOW).body
    assert replace(running, operator, policy).status == 200
    before = running.engine.fingerprint()
    for tag in ('"1"', '"3"', '"0"', "nonsense"):
        refused(replace(running, operator, policy, tag), 412, "PROGRAM_VERSION_CONFLICT")
    refused(replace(running, operator, policy, None), 428, "REQUEST_VERSION_MISSING", "If-Match")
    assert running.engine.fingerprint() == before
    assert replace(running, operator, policy, "*").headers["etag"] == '"3"'


def test_a_policy_of_another_programme_is_refused(running: Running, operator: str) -> None:
    running.establish("baker")
    policy = running.call(running.key("operator", "baker"), SHOW).body
    refused(replace(running, operator, policy), 403, "AUTH_PROGRAM_FORBIDDEN", "program")
    assert running.call(operator, SHOW).body["program"] == PROGRAM


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"earn": {"rate": "0"}}, "earn.rate"),
        ({"earn": {"rate": 1.5}}, "earn.rate"),
        ({"expiry": {"kind": "never"}}, "expiry.kind"),
        ({"expiry": {"kind": "rolling"}}, "expiry.months"),
        ({"expiry": {"kind": "fixed_dates", "dates": ["02-30"]}}, "expiry.dates"),
        ({"wallets": []}, "wallets"),
        ({"wallets": ["points", "points"]}, "wallets"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"holds": {"default_minutes": 9, "max_minutes": 3}}, "holds"),
        ({"events": {"check_in": 0}}, "events[...]"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_policy_names_its_field(running: Running, operator: str, part: dict[str, Any], field: str) -> None:
    policy = {**running.call(operator, SHOW).body, **part}
    refused(replace(running, operator, policy), 400, "REQUEST_INVALID", field)


def test_auditors_read_operators_write_and_others_do_neither(running: Running, operator: str) -> None:
    policy = running.call(operator, SHOW).body
    for role, read in (("auditor", 200), ("till", 403), ("shop", 403)):
        token = running.key(role)
        assert running.call(token, SHOW).status == read
        refused(replace(running, token, policy), 403, "AUTH_SCOPE_MISSING")
