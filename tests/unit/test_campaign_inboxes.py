"""What campaigns put into inboxes: in the morning, after the same last look as anything that is sent."""

from typing import Any

import pytest

from tests.unit.campaigning import World
from tests.unit.running import forget

SOURCE = """\
program: grocer
templates:
  hello:
    inbox: {en: {title: Hi, text: Hello}, zh: {title: 你, text: 好}}
campaigns:
  hello:
    name: {en: Hello, zh: 你好}
    goal: {en: A visit, zh: 来店}
    metric: repurchase
    window_days: 7
    audience: {when: member.points < 1000}
    calendar: {from: 2026-01-01, until: 2026-01-02}
    control: 0
    no_control: the test counts everybody
    channels: [inbox]
    steps: {day0: {day: 0, message: hello}}
"""
EVENING = 10 * 3_600
"""From noon to 22:00, when it is quiet."""


class Night(World):
    """A campaign that was started at ten in the evening."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch, currency="EUR")
        self.member = self.enrol(1)
        self.now += EVENING
        self.hand_in(SOURCE)
        assert self.act("start", "hello").status == 200
        assert self.lying() == []

    def lying(self) -> list[Any]:
        found: list[Any] = self.ask("GET /v1/members/{id}/inbox", id=self.member).body["messages"]
        return found

    def state(self) -> tuple[str, str]:
        member = self.member.removeprefix("mem_")
        found = self.ask("GET /v1/messages/{id}", id=f"msg_{member}-hello.1.day0").body
        return found["state"], found.get("code", "")


@pytest.fixture
def night(monkeypatch: pytest.MonkeyPatch) -> Night:
    return Night(monkeypatch)


def test_what_was_decided_at_night_lies_there_in_the_morning(night: Night) -> None:
    assert night.items("message") == [], "nobody is told of it before"
    night.dispatch(10)
    assert night.lying() == []
    night.dispatch(1)
    (one,) = night.lying()
    assert (one["subject"], one["text"], one["at"]) == ("Hi", "Hello", "2026-01-02T08:00:00Z")
    assert night.state() == ("sent", "")
    night.dispatch(3)
    assert len(night.lying()) == 1


def test_a_campaign_that_was_cancelled_at_night_puts_nothing_into_inboxes(night: Night) -> None:
    night.act("cancel", "hello", {"reason": "a wrong price"})
    night.dispatch(12)
    assert night.lying() == []
    assert night.state() == ("refused", "cancelled")


def test_what_a_pause_holds_back_lies_there_when_it_goes_on_and_not_behind_its_end(night: Night) -> None:
    night.act("pause", "hello")
    night.dispatch(14)
    assert night.lying() == []
    assert night.state() == ("waiting", "paused")
    night.act("resume", "hello")
    forget()
    night.dispatch(2)
    assert len(night.lying()) == 1
    assert night.state() == ("sent", "")


def test_what_a_pause_held_back_past_the_end_lies_nowhere(night: Night) -> None:
    night.act("pause", "hello")
    night.dispatch(27)
    night.act("resume", "hello")
    forget()
    night.dispatch(3)
    assert night.lying() == []


def test_whoever_wants_nothing_in_the_inbox_by_morning_has_nothing_there(night: Night) -> None:
    night.ask("PUT /v1/members/{id}/contact", {"consents": {"inbox": False}}, id=night.member)
    night.dispatch(12)
    assert night.lying() == []
    assert night.state() == ("refused", "no_consent")
