"""What is decided in the evening waits for the morning, and is asked about once more before it goes."""

from typing import Any, Final

import pytest

from tests.unit.campaigning import START, World
from tests.unit.running import Response

SOURCE: Final = """\
program: grocer
templates:
  missed: {{sms: {{en: We miss you, zh: 想念您}}}}
campaigns:
  missed:
    name: {{en: Missed, zh: 想念}}
    goal: {{en: One more purchase, zh: 再买一次}}
    metric: repurchase
    window_days: 7
    audience: {{when: member.points < 1000}}
    calendar: {{from: 2026-01-01}}
    control: 0
    no_control: a handful of members
    channels: [sms]
    stop: {{purchased: {ends}}}
    steps: {{day0: {{day: 0, message: missed}}}}
"""


def evening(monkeypatch: pytest.MonkeyPatch, *, ends: bool = True, **policy: Any) -> tuple[World, str]:
    """It is 22:00, and one member is to hear in the morning that they are missed."""
    world = World(monkeypatch, currency="EUR", **policy)
    member = world.enrol(1)
    world.hand_in(SOURCE.format(ends=str(ends).lower()))
    world.now = START + 10 * 3_600
    assert world.act("start", "missed").status == 200
    world.send()
    assert not world.provider.got
    return world, member


def buys(world: World, member: str) -> Response:
    body = {
        "source": "pos",
        "order_id": "1",
        "member": member,
        "occurred_at": "2026-01-01T21:30:00Z",
        "currency": "EUR",
        "lines": [{"amount": 500}],
    }
    return world.running.call(world.operator, "POST /v1/purchases", body, headers={"Idempotency-Key": "order-1"})


@pytest.mark.parametrize(("ends", "got"), [(True, 0), (False, 1)])
def test_who_bought_overnight_is_not_missed_in_the_morning_where_a_purchase_ends_it(
    monkeypatch: pytest.MonkeyPatch, ends: bool, got: int
) -> None:
    world, member = evening(monkeypatch, ends=ends)
    assert buys(world, member).status == 201
    world.dispatch(24)
    assert sum(world.provider.got.values()) == got


def test_who_did_nothing_overnight_hears_it_in_the_morning(monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = evening(monkeypatch)
    world.dispatch(24)
    assert sum(world.provider.got.values()) == 1


def test_whose_account_was_closed_overnight_hears_nothing_in_the_morning(monkeypatch: pytest.MonkeyPatch) -> None:
    world, member = evening(monkeypatch)
    headers = {"Idempotency-Key": "close-1"}
    body = {"reason": "asked for it", "forfeit": True}
    route = "POST /v1/members/{id}/close"
    assert world.running.call(world.operator, route, body, params={"id": member}, headers=headers).status < 300
    world.dispatch(24)
    assert not world.provider.got
