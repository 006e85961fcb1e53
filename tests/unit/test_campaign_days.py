"""Two campaigns and a birthday on one day, for the same members: what their previews said is what happens."""

from collections import Counter
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from tests.unit.campaigning import World

CAMPAIGNS: Final = ("birthday", "flash", "wake")
"""The most important first."""
SOURCE: Final = """\
program: grocer
templates:
  wish:
    variables: {offer_points: points}
    sms: {en: "{{ offer_points }} points for your birthday", zh: "生日礼{{ offer_points }}积分"}
  flash: {sms: {en: Twice the points today, zh: 今日双倍积分}}
  wake: {sms: {en: We miss you, zh: 想念您}}
campaigns:
  birthday:
    name: {en: Birthday, zh: 生日}
    goal: {en: A visit, zh: 来店}
    metric: repurchase
    window_days: 7
    audience: {enter: birthday}
    repeat: yearly
    control: 0
    no_control: everybody has a birthday
    channels: [sms]
    priority: 90
    steps: {wish: {day: 0, within: 0, message: wish, offer: {points: 10}}}
  flash:
    name: {en: Flash day, zh: 闪促}
    goal: {en: One more purchase, zh: 再买一次}
    metric: repurchase
    window_days: 7
    audience: {when: member.points < 1000}
    calendar: {from: 2026-01-05}
    control: 20
    channels: [sms]
    priority: 50
    steps: {today: {day: 0, within: 0, message: flash, offer: {multiply: 2, days: 1}}}
  wake:
    name: {en: Wake, zh: 唤醒}
    goal: {en: One more purchase, zh: 再买一次}
    metric: repurchase
    window_days: 7
    audience: {when: member.points < 1000}
    calendar: {from: 2026-01-05}
    control: 20
    channels: [sms]
    priority: 10
    steps: {hello: {day: 0, message: wake, offer: {points: 30}}}
"""
ON: Final = "2026-01-05"
ZONE: Final = ZoneInfo("Europe/Berlin")
MEMBERS: Final = 24
BORN: Final = 8
"""The first eight have their birthday on the day; two of these, and two others, agreed to nothing."""
SILENT: Final = frozenset({6, 7, 8, 9})

Told = tuple[str, str, str, str, str]
"""A message: member, hour of a day, campaign, step, channel."""
Missed = tuple[str, str, str, str, str]
"""One that is left out: member, day, campaign, step, why."""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(monkeypatch, currency="EUR")
    for number in range(MEMBERS):
        found.enrol(number, **({"birthday": "1990-01-05"} if number < BORN else {}))
        if number in SILENT:
            nothing = {"consents": {"sms": False}}
            assert found.ask("PUT /v1/members/{id}/contact", nothing, id=member(number)).status == 200
    found.hand_in(SOURCE)
    return found


def hour(at: datetime) -> str:
    return f"{at.astimezone(ZONE):%Y-%m-%dT%H}"


def member(number: int) -> str:
    return f"mem_{number:026d}"


def previewed(world: World, campaign: str) -> tuple[dict[str, dict[str, Any]], set[Told], set[Missed]]:
    """Everybody's outlook, and of it what this campaign would say and leave out."""
    found: dict[str, dict[str, Any]] = {}
    cursor = ""
    while True:
        asked = {"day": ON, "limit": 10, "cursor": cursor}
        page = world.ask("POST /v1/campaigns/{id}/preview", asked, id=campaign).body
        found |= {one["member"]: one for one in page["members"]}
        cursor = page.get("next", "")
        if not cursor:
            break
    said = {
        (name, hour(datetime.fromisoformat(one["send_at"])), campaign, one["step"], one["channel"])
        for name, outlook in found.items()
        for one in outlook.get("foreseen", [])
        if one["campaign"] == campaign
    }
    missed = {
        (name, one["day"], campaign, one["step"], one["why"])
        for name, outlook in found.items()
        for one in outlook.get("missed", [])
        if one["campaign"] == campaign and "step" in one
    }
    return found, said, missed


def gone_through(world: World) -> set[Told]:
    """Days go by hour by hour, with nights and queues; every message by the hour at which the provider got it."""
    told: set[Told] = set()
    world.now = int(datetime.fromisoformat(ON).replace(tzinfo=ZONE).timestamp()) + 1_200
    for _ in range(5 * 24):
        before = set(world.provider.got)
        world.hour()
        assert world.night() == "SUCCEEDED"
        world._unless_killed("dispatch", {})  # noqa: SLF001 - without the hour that `dispatch` takes
        world.send()
        at = datetime.fromtimestamp(world.now, ZONE)
        for one in set(world.provider.got) - before:
            ulid, name = one.removeprefix("msg_").split("-", 1)
            campaign, _, step = name.split(".")
            told.add((f"mem_{ulid}", hour(at), campaign, step, world.provider.name))
        world.now += 3_600
    assert set(world.provider.got.values()) == {1}
    return told


def left_out(world: World) -> set[Missed]:
    """What members' own lists say was not sent."""
    return {
        (member(number), one["day"], one["campaign"], one["step"], one["reason"])
        for number in range(MEMBERS)
        for one in world.ask("GET /v1/members/{id}/contacts", id=member(number)).body["left_out"]
    }


def test_caps_hold_the_first_goes_out_and_the_previews_said_so(world: World) -> None:
    world.act("start", "birthday")
    for campaign in ("flash", "wake"):
        assert world.act("start", campaign).body["state"] == "scheduled"
    before = world.running.everything()
    previews = {campaign: previewed(world, campaign) for campaign in CAMPAIGNS}
    assert world.running.everything() == before
    said = {one for _, told, _ in previews.values() for one in told}
    missed = {one for _, _, left in previews.values() for one in left}

    told = gone_through(world)
    assert told == said, "who, when, what, and by which channel"
    assert left_out(world) == missed, "and who is left out, and why"
    assert max(Counter((name, at[:10]) for name, at, *_ in told).values()) == 1, "one a day is the cap"

    reached = {member(number) for number in range(MEMBERS) if number not in SILENT}
    treated = {
        campaign: {name for name, one in found.items() if one.get("group") == "treated"} & reached
        for campaign, (found, _, _) in previews.items()
    }
    assert treated["birthday"] == {member(number) for number in range(BORN)} & reached
    assert all(reached - treated[campaign] for campaign in CAMPAIGNS), "nobody is in everything"
    first = {name: next(one for one in CAMPAIGNS if name in treated[one]) for name in set.union(*treated.values())}
    assert {name: campaign for name, at, campaign, *_ in told if at.startswith(ON)} == first
    assert set(first.values()) == {*CAMPAIGNS}
    assert {why for *_, why in missed} == {"cap", "no_consent"}

    gifts = Counter(
        (one["pk"].split("#")[2], one["ref"].split("#")[1])
        for one in world.items("entry")
        if one.get("ref", "").startswith("c#")
    )
    assert gifts == Counter((name, campaign) for name, _, campaign, *_ in told), "given once, to each who was told"
