"""Campaigns from their start to their report, by the machine's own definition and every function behind it."""

from collections import Counter
from typing import Any

import pytest

from loyalty.campaigns.store import CampaignStore
from tests.unit.campaigning import DAY, World
from tests.unit.running import PROGRAM

SOURCE = """\
program: grocer
templates:
  hello:
    variables: {offer_points: points}
    sms: {en: "{{ offer_points }} points for you", zh: "送您{{ offer_points }}积分"}
  later:
    sms: {en: "They are still there", zh: "积分还在"}
campaigns:
  spring:
    name: {en: Spring, zh: 春}
    goal: {en: One more purchase, zh: 再买一次}
    metric: repurchase
    window_days: 10
    audience: {when: member.points < 10000}
    calendar: {from: 2026-01-01}
    channels: [sms]
    control: 20
    budget: {points: 100000}
    steps:
      hello: {day: 0, message: hello, offer: {points: 50}}
      later: {day: 3, message: later}
"""
MEMBERS = 40


def world_of(monkeypatch: pytest.MonkeyPatch, source: str = SOURCE, members: int = MEMBERS, **further: Any) -> World:
    world = World(monkeypatch, currency="EUR", **further)
    for number in range(members):
        world.enrol(number)
    world.hand_in(source)
    return world


def groups(world: World) -> Counter[str]:
    return Counter(one["body"].split('"a":"')[1].split('"')[0] for one in world.items("participant"))


def given(world: World) -> Counter[str]:
    """Entries of the campaign's offers, by account."""
    return Counter(one["pk"].split("#")[2] for one in world.items("entry") if one.get("ref", "").startswith("c#"))


def test_a_campaign_assigns_gives_tells_waits_measures_and_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(monkeypatch)
    assert world.act("start", "spring").body["state"] == "running"
    assert world.failed == []
    found = groups(world)
    assert sum(found.values()) == MEMBERS
    assert found["control"] > 0
    assert set(given(world).values()) == {1}
    assert len(given(world)) == found["treated"]
    world.send()
    assert sum(world.provider.got.values()) == found["treated"]

    world.now += 3 * DAY
    assert world.night() == "SUCCEEDED"
    world.send()
    assert sum(world.provider.got.values()) == 2 * found["treated"]
    assert set(world.provider.got.values()) == {1}

    world.now += 8 * DAY
    world.hour()
    assert world.ask("GET /v1/campaigns/{id}", id="spring").body["state"] == "finished"
    (told,) = world.ask("GET /v1/campaigns/{id}/report", id="spring").body["reports"]
    assert told["report"]["final"]
    arms = {one["name"]: one for one in told["report"]["arms"]}
    assert arms["control"]["members"] == found["control"]
    assert arms["treated"]["members"] == arms["treated"]["reached"] == found["treated"]
    assert arms["treated"]["points"] == 50 * found["treated"]
    assert arms["treated"]["messages"] == {"sms": 2 * found["treated"]}
    world.stream("publish")
    assert [kind for kind, _ in world.told if kind.startswith("campaign.")] == [
        "campaign.started",
        "campaign.finished",
    ]
    assert CampaignStore(world.running.table).aside(PROGRAM, "spring", 10, None)[0] == []
