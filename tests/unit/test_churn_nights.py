"""Alerts night by night: on their day, once for each silence, whatever happens in between."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from loyalty.churn import alert
from loyalty.churn.events import risks_of
from loyalty.churn.model import Purchasing, Spending
from loyalty.churn.parameters import Parameters, Quality
from loyalty.churn.service import FRESH_SECONDS, TAKEN_UP_SECONDS, Churn
from loyalty.churn.store import ChurnStore
from tests.unit import nights
from tests.unit.nights import Nights

FOUND = Parameters(
    1, 0, 0, 2357, Purchasing(0.243, 4.414, 0.793, 2.426), Spending(6.25, 3.74, 1544.0), Quality(91, 9, -1.2, 9, 9.0)
)
CHURN: dict[str, Any] = {"threshold": "0.5", "by": "alive", "horizon_days": 90, "onboarding_days": 20}


class Watched:
    """A programme that watches its members; ``clock`` is that of a running copy."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = 0.0
        self.nights: Nights
        self.churn: Churn
        monkeypatch.setitem(nights.DUES, "churn", lambda state, program: self.churn.due(state, program))
        monkeypatch.setitem(nights.ACTS, "churn", lambda draft, program, day: self.churn.act(draft, program, day))
        self.nights = Nights(churn=CHURN)
        self.store = ChurnStore(self.nights.ledger.store.table)
        self.churn = Churn(self.store, lambda: self.nights.ledger, lambda: self.clock)

    def alerts(self, number: int = 1) -> list[int]:
        """Days since the start on which a member was alerted on."""
        return [day for day, kind in self.nights.kinds(number) if kind == "alerted"]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    found = Watched(monkeypatch)
    yield found
    found.nights.sound(1)


def test_who_bought_once_is_alerted_on_once_and_again_after_another_purchase_day(watched: Watched) -> None:
    days = watched.nights
    days.buy(1, 10)
    days.pass_days(60)
    assert watched.alerts() == [20]
    days.buy(1, 10)
    assert watched.store.publish("grocer", FOUND)
    watched.clock += FRESH_SECONDS + 1
    due = alert.due(days.state(), alert.Watch(0.5, "alive", 90, 20), FOUND)
    assert due is not None
    days.buy(1, 10)
    days.pass_days(due - days.today + 40)
    assert len(watched.alerts()) == 2
    assert [kind for one in days.entries() for kind, _ in risks_of(one)] == ["churn.risk_detected"] * 2


def test_an_alert_comes_on_its_very_day_with_what_is_expected(watched: Watched) -> None:
    assert watched.store.publish("grocer", FOUND)
    days = watched.nights
    for _ in range(6):
        days.buy(1, 10)
        days.pass_days(7)
    due = watched.churn.due(days.state(), days.program)
    assert due is not None
    first = due - days.program.day(nights.START)
    days.pass_days(due - days.today + 50)
    assert watched.alerts() == [first]
    (entry,) = [one for one in days.entries() if one.kind == "alerted"]
    ((_, event),) = risks_of(entry)
    assert isinstance(event.alive, float)
    assert event.alive <= 0.5
    assert (event.parameters, event.days, event.purchases) == (1, 90, 6)
    assert isinstance(event.expected_value, int)
    assert event.expected_value > 0
    assert event.silent_days == due - days.state().last
    assert "the chance to buy at all again is 50 %" in event.reason.en or "49 %" in event.reason.en


def test_who_buys_before_the_day_is_not_alerted_on(watched: Watched) -> None:
    days = watched.nights
    for _ in range(8):
        days.buy(1, 10)
        days.pass_days(19)
    assert watched.alerts() == []


def test_spending_points_is_no_purchase_and_arms_nothing_again(watched: Watched) -> None:
    days = watched.nights
    days.buy(1, 10)
    days.pass_days(25)
    days.spend(1, 5)
    days.pass_days(60)
    assert watched.alerts() == [20]


def test_arming_everybody_anew_repeats_no_alert(watched: Watched) -> None:
    days = watched.nights
    days.buy(1, 10)
    days.pass_days(25)
    days.settle_on({**nights.POLICY, "churn": CHURN, "reminders": {"days": [3]}}, 2)
    days.pass_days(5)
    assert watched.alerts() == [20]


def test_a_copy_goes_by_what_it_has_read_for_five_minutes(watched: Watched) -> None:
    assert watched.churn.parameters("grocer") is None
    assert watched.store.publish("grocer", FOUND)
    assert watched.churn.parameters("grocer") is None
    watched.clock += FRESH_SECONDS + 1
    assert watched.churn.parameters("grocer") == FOUND


def test_a_version_counts_when_every_copy_goes_by_it(watched: Watched) -> None:
    assert watched.churn.version("grocer", 0) == 0
    assert watched.store.publish("grocer", replace(FOUND, fitted=1_000))
    assert watched.churn.version("grocer", 1_000 + TAKEN_UP_SECONDS - 1) == 0
    assert watched.churn.version("grocer", 1_000 + TAKEN_UP_SECONDS) == 1
    assert watched.store.publish("grocer", replace(FOUND, version=2, fitted=9_000))
    assert watched.churn.version("grocer", 9_000) == 1
