"""Segments that campaigns go by are not taken away while members are still to come in by them."""

import pytest

from tests.unit.campaigning import DAY, World
from tests.unit.running import Response

RICH, POOR = (
    f"  {name}: {{name: {{en: {name}, zh: 甲}}, when: member.points {when} 100}}\n"
    for name, when in (("rich", ">="), ("poor", "<"))
)
SEGMENTS = "program: grocer\nsegments:\n"
CAMPAIGN = """\
program: grocer
templates:
  hello: {sms: {en: "Hello", zh: "您好"}}
campaigns:
  hello:
    name: {en: Hello, zh: 您好}
    goal: {en: A purchase, zh: 购买}
    metric: repurchase
    window_days: 5
    audience: AUDIENCE
    channels: [sms]
    control: 0
    no_control: to see everybody
    CALENDAR
    steps: {hello: {day: 0, message: hello}}
"""
FROM = "calendar: {{from: 2026-01-0{}}}"
FROZEN, ENTERED = "{segment: poor}", "{enter: segment.entered, segment: poor}"


class Shop(World):
    """A programme with both segments, and a campaign for one of them."""

    def begin(self, audience: str, calendar: str = "") -> "Shop":
        assert self.segments(RICH + POOR).status == 200
        self.hand_in(CAMPAIGN.replace("AUDIENCE", audience).replace("CALENDAR", calendar))
        return self

    def segments(self, listed: str) -> Response:
        return self.ask("POST /v1/segments", {"source": f"{SEGMENTS}{listed}" if listed else f"{SEGMENTS[:-2]}: {{}}"})


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(monkeypatch, currency="EUR")


def refused(answer: Response) -> None:
    assert (answer.status, answer.body.get("code")) == (409, "SEGMENT_IN_USE")
    assert "poor" in answer.body["detail"]
    assert "hello" in answer.body["detail"]


@pytest.mark.parametrize("listed", [RICH, ""], ids=["another is left", "none is left"])
def test_a_segment_that_members_come_in_by_stays_until_the_campaign_is_over(shop: Shop, listed: str) -> None:
    shop.begin(ENTERED)
    assert shop.act("start", "hello").body["state"] == "running"
    refused(shop.segments(listed))
    assert [one["id"] for one in shop.ask("GET /v1/segments").body["segments"]] == ["poor", "rich"], "nothing changed"
    assert shop.act("pause", "hello").body["state"] == "paused"
    refused(shop.segments(listed))
    assert shop.act("cancel", "hello", {"reason": "enough"}).status == 200
    assert shop.segments(listed).status == 200


def test_a_segment_of_a_campaign_that_waits_for_its_day_stays(shop: Shop) -> None:
    shop.begin(FROZEN, FROM.format(3))
    assert shop.act("start", "hello").body["state"] == "scheduled"
    refused(shop.segments(RICH))


def test_a_segment_whose_members_are_all_assigned_can_go(shop: Shop) -> None:
    shop.enrol(1)
    shop.begin(FROZEN, FROM.format(1))
    assert shop.act("start", "hello").body["state"] == "running"
    assert shop.segments(RICH).status == 200
    shop.now += 7 * DAY
    shop.hour()
    assert shop.ask("GET /v1/campaigns/{id}", id="hello").body["state"] == "finished"


def test_a_segment_that_a_pause_found_half_assigned_stays(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.begin(FROZEN, FROM.format(1))
    with monkeypatch.context() as broken:
        broken.setattr(shop, "settle", lambda: None)
        shop.act("start", "hello")
        shop.act("pause", "hello")
    refused(shop.segments(RICH))


def test_a_segment_that_no_started_campaign_goes_by_can_go_and_any_can_change(shop: Shop) -> None:
    shop.begin(ENTERED)
    assert shop.segments(RICH).status == 200, "a draft finds out when it is started"
    assert shop.segments(RICH + POOR).status == 200
    assert shop.act("start", "hello").status == 200
    assert shop.segments(POOR).status == 200
    assert shop.segments(POOR.replace("100", "200")).status == 200


def test_what_keeps_every_segment_asks_for_no_campaign(shop: Shop) -> None:
    shop.begin(ENTERED)
    assert shop.act("start", "hello").status == 200
    calls = []
    for listed in (RICH + POOR, RICH + POOR.replace("100", "300"), POOR.replace("100", "400")):
        before = shop.running.engine.calls
        assert shop.segments(listed).status == 200
        calls.append(shop.running.engine.calls - before)
    assert calls[0] == calls[1]
    assert calls[2] - calls[1] == 2, "the campaigns under way, and what the one of them goes by"
