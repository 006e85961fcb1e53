"""What the hour of campaigns says to whoever moves a programme's clock: how many are alive, and how many at work."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.campaigning import DAY, World
from tests.unit.running import PROGRAM

SOURCE = """\
program: grocer
templates:
  hello:
    sms: {en: "Something for you", zh: "为您准备"}
campaigns:
  spring:
    name: {en: Spring, zh: 春}
    goal: {en: One more purchase, zh: 再买一次}
    metric: repurchase
    window_days: 10
    audience: {when: member.points < 10000}
    calendar: {from: 2027-06-01}
    channels: [sms]
    steps:
      hello: {day: 0, message: hello}
"""


def test_a_campaign_is_at_work_until_it_waits_and_alive_until_it_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, currency="EUR")
    for number in range(3):
        world.enrol(number)
    world.hand_in(SOURCE.replace("2027-06-01", _day(world.now + 2 * DAY)))

    def hour() -> dict[str, Any]:
        found: dict[str, Any] = world.invoke("campaign_due", {"program": PROGRAM})
        return found

    assert hour() == {PROGRAM: 0, "live": 0, "busy": 0}, "nobody has started it"
    assert world.act("start", "spring").body["state"] == "scheduled"
    assert hour() == {PROGRAM: 0, "live": 1, "busy": 0}, "its day is still to come"
    world.now += 2 * DAY
    assert (hour()["live"], hour()["busy"]) == (1, 1), "its execution has been asked for"
    world.settle()
    assert (hour()["live"], hour()["busy"]) == (1, 0), "it waits for its window to end"
    world.now += 12 * DAY
    assert (hour()["live"], hour()["busy"]) == (1, 1), "it was called back"
    world.settle()
    assert hour() == {PROGRAM: 0, "live": 0, "busy": 0}
    assert world.invoke("campaign_due", {}) == {PROGRAM: 0}, "nobody has asked"


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()
