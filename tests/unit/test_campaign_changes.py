"""A campaign that runs, changed: by a version that takes over, or by the same file once more."""

from collections.abc import Mapping
from typing import Any

import pytest

from loyalty.campaigns.document import Written, check
from loyalty.campaigns.run import Status, taken_over
from loyalty.channels.channel import Outcome, Sending
from loyalty.errors import Conflict
from tests.unit.campaigning import DAY, World

SOURCE = """\
program: grocer
templates:
  hello:
    variables: {{offer_points: points}}
    sms: {{en: "{words} {{{{ offer_points }}}}", zh: "{words} {{{{ offer_points }}}}"}}
  later:
    sms: {{en: "Later: {words}", zh: "Later: {words}"}}
campaigns:
  hello:
    name: {{en: Hello, zh: 你好}}
    goal: {{en: A visit, zh: 来店}}
    metric: {metric}
    window_days: 1
    audience: {{enter: member.enrolled}}
    control: {control}
    no_control: the test counts everybody
    channels: [sms]
    budget: {{points: {budget}}}
    {calendar}
    stop: {{budget: false}}
    steps:
      day0: {{day: 0, message: hello, offer: {{points: {points}}}}}
      day2: {{day: 2, message: later}}
"""
FIRST: Mapping[str, Any] = {
    "words": "Helo",
    "points": 100,
    "budget": 150,
    "metric": "repurchase",
    "control": 0,
    "calendar": "priority: 50",
}


class Shop(World):
    """A campaign that runs for whoever enrols, and the texts that arrived."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
        super().__init__(monkeypatch, currency="EUR")
        self.texts: list[str] = []
        self.provider.outcome = self.take
        self.publish(**changes)
        assert self.act("start", "hello").status == 200

    def take(self, sending: Sending) -> tuple[Outcome, bool]:
        self.texts.append(sending.rendered.text)
        return Outcome("accepted", "p1"), True

    def publish(self, **changes: Any) -> None:
        self.hand_in(SOURCE.format(**{**FIRST, **changes}))

    def comes(self, number: int) -> list[str]:
        """A member enrols; what is said on that day."""
        before = len(self.texts)
        self.enter("member.enrolled", {"member": self.enrol(number), "recorded_at": "2026-01-01T11:00:00Z"})
        self.send()
        return self.texts[before:]

    def shown(self) -> Any:
        return self.ask("GET /v1/campaigns/{id}", id="hello").body


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(monkeypatch)


def test_whoever_comes_in_after_a_change_is_told_the_new_words_and_the_others_go_on_as_they_began(shop: Shop) -> None:
    assert shop.comes(1) == ["Helo 100"]
    shop.publish(words="Hello")
    assert shop.comes(2) == [], "the budget is spent"
    assert shop.shown()["runs"] == 1, "what is handed in changes nothing"
    shop.publish(words="Hello", budget=1_000)
    changed = shop.act("start", "hello").body
    assert (changed["state"], changed["version"], changed["runs"]) == ("running", 3, 3)
    shop.now += 3_600
    assert shop.comes(3) == ["Hello 100"], "and the new budget goes"
    shop.now += 2 * DAY
    shop.stream("arm")
    shop.night()
    shop.send()
    assert sorted(shop.texts[2:]) == ["Later: Hello", "Later: Helo", "Later: Helo"]
    assert [told for told, _ in shop.told].count("campaign.started") <= 1


def test_what_was_given_is_reckoned_by_the_version_that_gave_it(shop: Shop) -> None:
    shop.publish(budget=10_000)
    shop.act("start", "hello")
    shop.comes(1)
    shop.publish(points=300, budget=10_000)
    shop.act("start", "hello")
    shop.comes(2)
    shop.now += 9 * DAY
    shop.hour()
    (look,) = shop.ask("GET /v1/campaigns/{id}/report", id="hello").body["reports"]
    assert look["report"]["money"]["points"] == 400


def test_a_paused_one_is_changed_and_stays_paused(shop: Shop) -> None:
    assert shop.act("pause", "hello").status == 200
    shop.publish(words="Hello")
    assert shop.act("start", "hello").body["state"] == "paused"
    assert shop.comes(1) == []
    assert shop.act("resume", "hello").status == 200
    assert shop.comes(2) == ["Hello 100"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"metric": "spend"}, "metric"),
        ({"control": 10}, "control"),
        ({"calendar": "calendar: {from: 2026-01-01}"}, "calendar.from"),
        ({"calendar": "repeat: {after_days: 3}"}, "repeat"),
    ],
)
def test_what_a_comparison_stands_on_cannot_change(shop: Shop, change: Mapping[str, str], named: str) -> None:
    shop.publish(words="Hello", **change)
    answer = shop.act("start", "hello")
    assert (answer.status, answer.body["code"]) == (409, "CAMPAIGN_STATE_CONFLICT")
    assert f" {named} " in answer.body["detail"]
    assert shop.shown()["runs"] == 1
    assert shop.comes(1) == ["Helo 100"]


def test_an_end_comes_for_one_that_had_none(shop: Shop) -> None:
    shop.publish(calendar="calendar: {until: 2026-01-03}")
    assert shop.act("start", "hello").body["runs"] == 2
    shop.now += 6 * DAY
    shop.hour()
    assert shop.shown()["state"] == "finished"


def test_looks_that_were_not_planned_cannot_be_added(shop: Shop) -> None:
    before, after = (
        check(
            SOURCE.format(**{**FIRST, "calendar": f"calendar: {{from: 2026-01-01, until: {until}}}"}),
            "f",
            Written("grocer", "EUR"),
        )
        for until in ("2026-02-01", "2026-03-01")
    )
    status = Status("grocer", "hello", state="running", version=2, runs=1)
    assert taken_over(status, after.campaigns[0], before.campaigns[0], 0, shop.now).runs == 2
    with pytest.raises(Conflict, match=r"calendar\.until"):
        taken_over(status, before.campaigns[0], after.campaigns[0], 0, shop.now)


def test_a_campaign_that_runs_as_it_was_handed_in_is_not_started_twice(shop: Shop) -> None:
    assert shop.act("start", "hello").status == 409
    shop.act("cancel", "hello", {"reason": "enough"})
    assert shop.act("start", "hello").status == 409


def test_what_is_scheduled_begins_with_what_was_handed_in_last(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(monkeypatch, calendar="calendar: {from: 2026-01-03}")
    assert shop.shown()["state"] == "scheduled"
    shop.publish(words="Hello", points=200, budget=400, calendar="calendar: {from: 2026-01-02}")
    shown = shop.shown()
    assert (shown["state"], shown["version"], shown["runs"]) == ("scheduled", 2, 2)
    shop.now += DAY
    shop.hour()
    assert [shop.comes(number) for number in (1, 2, 3)] == [["Hello 200"], ["Hello 200"], []], "and with its budget"


def test_what_is_scheduled_is_not_replaced_by_what_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(monkeypatch, calendar="calendar: {from: 2026-01-03}")
    source = SOURCE.format(**{**FIRST, "calendar": "calendar: {from: 2025-12-01, until: 2025-12-31}"})
    assert shop.ask("POST /v1/campaigns", {"source": source}).status == 409
    assert shop.shown()["version"] == 1


def test_a_file_that_is_as_it_was_can_be_handed_in_when_one_of_it_is_over(shop: Shop) -> None:
    shop.act("cancel", "hello", {"reason": "enough"})
    shop.publish()
    assert (shop.shown()["state"], shop.shown()["version"]) == ("cancelled", 1)
    source = SOURCE.format(**{**FIRST, "words": "Hello"})
    assert shop.ask("POST /v1/campaigns", {"source": source}).body["code"] == "CAMPAIGN_STATE_CONFLICT"


def test_what_is_scheduled_can_be_held_back_and_begins_when_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(monkeypatch, calendar="calendar: {from: 2026-01-03}")
    assert shop.act("pause", "hello").body["state"] == "paused"
    shop.publish(words="Hello", calendar="calendar: {from: 2026-01-03}")
    shop.now += 3 * DAY
    shop.hour()
    assert (shop.shown()["state"], shop.comes(1)) == ("paused", [])
    assert shop.act("resume", "hello").body["state"] == "scheduled"
    shop.hour()
    assert (shop.shown()["state"], shop.comes(2)) == ("running", ["Hello 100"])
    assert [kind for kind, _ in shop.told] == []
    shop.stream("publish")
    assert [kind for kind, _ in shop.told].count("campaign.started") == 1


def test_a_campaign_whose_segment_was_taken_away_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, currency="EUR")
    segment = "program: grocer\nsegments: {rich: {name: {en: Rich, zh: 富}, when: member.points > 100}}"
    assert world.ask("POST /v1/segments", {"source": segment}).status == 200
    world.hand_in(OF_A_SEGMENT)
    none = {"source": "program: grocer\nsegments: {}"}
    assert world.running.call(world.operator, "POST /v1/segments", none, headers={"If-Match": "*"}).status == 200
    refused = world.act("start", "hello")
    assert (refused.status, refused.body["code"]) == (422, "CAMPAIGN_SEGMENT_GONE")
    assert world.ask("POST /v1/segments", {"source": segment}).status == 200
    assert world.act("start", "hello").status == 200


OF_A_SEGMENT = """\
program: grocer
templates:
  hello: {sms: {en: Hello, zh: 你好}}
campaigns:
  hello:
    name: {en: Hello, zh: 你好}
    goal: {en: A visit, zh: 来店}
    metric: repurchase
    window_days: 7
    audience: {segment: rich}
    calendar: {from: 2026-01-01}
    channels: [sms]
    steps: {day0: {day: 0, message: hello}}
"""


def test_a_version_whose_calendar_is_over_takes_nothing_over(shop: Shop) -> None:
    shop.now += 20 * DAY
    shop.publish(calendar="calendar: {from: 2026-01-01, until: 2026-01-05}", words="Hello")
    refused = shop.act("start", "hello")
    assert refused.status == 409
    assert shop.ask("GET /v1/campaigns/{id}", id="hello").body["state"] == "running"


def test_of_a_budget_that_was_lowered_below_what_was_given_nothing_is_left(shop: Shop) -> None:
    shop.publish(budget=1_000)
    assert shop.act("start", "hello").status == 200
    for number in range(1, 4):
        assert shop.comes(number) == ["Helo 100"]
    for number in range(4, 7):
        shop.enrol(number)
    shop.publish(budget=200)
    assert shop.act("start", "hello").status == 200
    seen = shop.ask("POST /v1/campaigns/{id}/preview", {"limit": 100}, id="hello")
    assert (seen.status, seen.body["left"]) == (200, 0)
    assert seen.body["budget"]["points"] == 0
    again = shop.ask("POST /v1/campaigns/{id}/preview", {"limit": 100, "budget": seen.body["budget"]}, id="hello")
    assert again.status == 200
    assert all("points" not in step for one in again.body["members"] for step in one.get("steps", []))
