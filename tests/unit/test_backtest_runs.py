"""Backtests as they run: begun over HTTP, worked off from the queue, looked at again."""

import pytest

from tests.stack.confined import Confined
from tests.unit.backtested import BASE, DOUBLE, Shop


@pytest.fixture
def shop(running: Confined, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(running, monkeypatch)


def test_the_rules_in_force_give_exactly_what_was_given(shop: Shop) -> None:
    members = shop.enrol(5)
    for number, member in enumerate(members):
        shop.buy(member, f"a{number}", ["10.70", "3.45"], "2026-03-01")
        shop.buy(member, f"b{number}", ["0.80"], "2026-03-02")
        shop.bring_back(f"a{number}", "2026-03-03", lines=[{"line": 2, "amount": "1.11"}])
        shop.bring_back(f"a{number}", "2026-03-04", amount="2.22")
    figures = shop.simulated(BASE)
    assert figures["members"] == 5
    assert figures["purchases"] == 10
    assert figures["returns"] == 10
    assert figures["points_before"] == figures["points_after"] == 5 * 11
    assert figures["purchases_affected"] == 0
    assert figures["members_unchanged"] == 5
    assert all(day["points_before"] == day["points_after"] for day in figures["days"])


def test_double_points_cost_double(shop: Shop) -> None:
    members = shop.enrol(3)
    for number, member in enumerate(members):
        shop.buy(member, f"a{number}", ["10.00"], "2026-03-01", store="319")
    figures = shop.simulated(DOUBLE)
    assert (figures["points_before"], figures["points_after"], figures["change_percent"]) == (30, 60, 100.0)
    assert (figures["cost_before"], figures["cost_after"]) == (30, 60)
    assert figures["purchases_affected"] == figures["members_gaining"] == 3
    assert figures["stores"] == [{"id": "319", "purchases": 3, "amount": 3000, "points_before": 30, "points_after": 60}]
