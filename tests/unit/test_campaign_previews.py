"""The preview of a campaign through its route: whose day it is, who was drawn already, and what is refused."""

from collections import Counter
from typing import Any

import pytest

from loyalty.errors import NotFound
from tests.unit.campaigning import DAY, World
from tests.unit.running import Running
from tests.unit.test_campaign_costs import Meter

HOUR = 3_600
SOURCE = """\
program: grocer
templates:
  wish: {sms: {en: Happy birthday, zh: 生日快乐}}
campaigns:
  birthday:
    name: {en: Birthday, zh: 生日}
    goal: {en: One more purchase, zh: 再买一次}
    metric: repurchase
    window_days: 10
    audience: {enter: birthday}
    repeat: yearly
    channels: [sms]
    control: 50
    steps: {wish: {day: 0, within: 0, message: wish}}
"""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(monkeypatch, currency="EUR")
    for number in range(12):
        found.enrol(number, birthday="02-29" if number < 8 else "1990-01-01")
    found.hand_in(SOURCE)
    return found


def preview(world: World, **asked: Any) -> dict[str, dict[str, Any]]:
    """All pages, by member."""
    found: dict[str, dict[str, Any]] = {}
    while True:
        page = world.ask("POST /v1/campaigns/{id}/preview", asked, id="birthday")
        assert page.status == 200, page.body
        found |= {one["member"]: one for one in page.body["members"]}
        if "next" not in page.body:
            return found
        asked["cursor"] = page.body["next"]


def test_whose_day_is_not_known_is_told_apart(world: World) -> None:
    world.enrol(20)
    world.enrol(21, birthday="17.05.1990")
    found = preview(world, day="2026-03-02")
    outs = {name: one.get("out") for name, one in found.items()}
    assert {outs[f"mem_{number:026d}"] for number in range(12)} == {"calendar"}
    assert {outs[f"mem_{number:026d}"] for number in (20, 21)} == {"unknown_day"}


def test_only_those_whose_day_it_is_come_in(world: World) -> None:
    found = preview(world, day="2026-02-28", limit=5)
    assert len(found) == 12
    assert sum(one.get("out") == "calendar" for one in found.values()) == 4
    groups = {name: one["group"] for name, one in found.items() if "out" not in one}
    assert set(groups.values()) == {"treated", "control"}
    told = {name: [step["day"] for step in one.get("foreseen", [])] for name, one in found.items()}
    assert all(told[name] == (["2026-02-28"] if group == "treated" else []) for name, group in groups.items())
    assert {one.get("out") for one in preview(world, day="2026-03-01").values()} == {"calendar"}


def test_who_was_drawn_already_is_not_drawn_anew(world: World) -> None:
    before = preview(world, day="2026-01-01")
    world.act("start", "birthday")
    after = preview(world, day="2026-01-01")
    taken = {name: one for name, one in after.items() if "out" not in one}
    assert len(taken) == 4
    assert {name: one["group"] for name, one in taken.items()} == {name: before[name]["group"] for name in taken}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"day": "2026-02-30"}, "day"),
        ({"day": "2025-12-31"}, "day"),
        ({"day": "2028-12-31"}, "day"),
        ({"cursor": "99.x"}, "cursor"),
        ({"cursor": "3.x", "part": 4}, "cursor"),
        ({"part": 16}, "part"),
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"budget": {"until": "2026-02-30", "points": 1}}, "day"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(world: World, asked: dict[str, Any], field: str) -> None:
    answer = world.ask("POST /v1/campaigns/{id}/preview", asked, id="birthday")
    assert (answer.status, answer.body["code"], answer.body["field"]) == (400, "REQUEST_INVALID", field)


def test_a_campaign_that_there_is_not_has_no_preview(world: World) -> None:
    answer = world.ask("POST /v1/campaigns/{id}/preview", {}, id="spring")
    assert (answer.status, answer.body["code"]) == (404, "CAMPAIGN_NOT_FOUND")


def test_who_may_not_list_members_is_told_the_sums_alone(world: World) -> None:
    asked = {"day": "2026-02-28", "limit": 100}
    whole = world.ask("POST /v1/campaigns/{id}/preview", asked, id="birthday").body
    marketer = world.running.key("marketer")
    page = world.running.call(marketer, "POST /v1/campaigns/{id}/preview", asked, params={"id": "birthday"}).body
    assert (page["members"], page["summary"]) == ([], whole["summary"])
    assert page["summary"]["members"] == len(whole["members"]) == 12
    aside = world.running.call(marketer, "GET /v1/campaigns/{id}/aside", params={"id": "birthday"})
    assert (aside.status, aside.body["code"]) == (403, "AUTH_SCOPE_MISSING")


def test_a_cursor_that_is_none_is_refused(world: World) -> None:
    route = "GET /v1/campaigns/{id}/aside"
    answer = world.running.call(world.operator, route, params={"id": "birthday"}, query={"cursor": "0"})
    assert (answer.status, answer.body["field"]) == (400, "cursor")


class Noted:
    """What a use case was called with."""

    def __init__(self) -> None:
        self.start_args: tuple[Any, ...] = ()

    def start(self, *arguments: Any) -> None:
        self.start_args = arguments
        raise NotFound("CAMPAIGN_NOT_FOUND", "none")


def test_a_sandboxs_clock_counts_once(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "sandbox-shop"
    running.establish(program, sandbox=True)
    operator = running.key("operator", program)
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)
    moved = running.call(operator, "POST /v1/clock", {"to": "2027-02-24T08:00:00Z"})
    noted = Noted()
    monkeypatch.setattr("functions.campaigns.handler.campaigns", lambda: noted)
    running.call(operator, "POST /v1/campaigns/{id}/start", params={"id": "x"})
    assert moved.status == 200, moved.body
    assert noted.start_args == (program, "x", 1_800_000_000 + 40 * 86_400, 1_800_000_000)


def _offered(name: str, priority: int, audience: str) -> str:
    return f"""
  {name}:
    name: {{en: {name}, zh: {name}}}
    goal: {{en: One more purchase, zh: 再买一次}}
    metric: repurchase
    window_days: 10
    {audience}
    channels: [sms]
    control: 0
    no_control: what is looked at is who is told on which day
    priority: {priority}
    steps: {{wish: {{day: 0, message: {name}}}}}"""


THREE = (
    "program: grocer\ntemplates:"
    + "".join(f"\n  {name}: {{sms: {{en: {name}, zh: {name}}}}}" for name in ("low", "high", "birthday"))
    + "\ncampaigns:"
    + _offered("low", 10, "audience: {when: member.points < 1000}\n    calendar: {from: 2026-01-05}")
    + _offered("birthday", 50, "audience: {enter: birthday}\n    repeat: yearly")
    + _offered("high", 90, "audience: {when: member.points < 1000}\n    calendar: {from: 2026-01-05}")
)


def test_two_campaigns_and_a_birthday_on_one_day_come_as_the_preview_said(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, currency="EUR")
    born, other = world.enrol(1, birthday="01-05"), world.enrol(2, birthday="06-30")
    world.hand_in(THREE)
    for name in ("low", "high", "birthday"):
        world.act("start", name)
    page = world.ask("POST /v1/campaigns/{id}/preview", {"day": "2026-01-05"}, id="low").body
    foreseen = {one["member"]: [(step["day"], step["campaign"]) for step in one["foreseen"]] for one in page["members"]}
    assert foreseen == {
        born: [("2026-01-05", "high"), ("2026-01-06", "birthday"), ("2026-01-07", "low")],
        other: [("2026-01-05", "high"), ("2026-01-06", "low")],
    }
    happened: dict[str, list[tuple[str, str]]] = {born: [], other: []}
    world.now += 3 * DAY + 18 * HOUR
    for day in range(5, 9):
        world.hour()
        world.now += 6 * HOUR
        world.night()
        world.send()
        for name in sorted(world.provider.got):
            member, what = f"mem_{name[4:30]}", name[31:].partition(".")[0]
            if what not in {before for _, before in happened[member]}:
                happened[member].append((f"2026-01-{day:02d}", what))
        world.now += 18 * HOUR
    assert happened == foreseen


SPRING = """\
program: grocer
templates:
  hello: {sms: {en: Hello, zh: 您好}}
  later: {sms: {en: Later, zh: 再见}}
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
    budget: {points: 500}
    steps:
      hello: {day: 0, message: hello, offer: {points: 50}}
      later: {day: 3, message: later, offer: {points: 20}}
"""


def ahead(world: World, campaign: str = "spring", **asked: Any) -> list[dict[str, Any]]:
    """The pages of a preview."""
    found: list[dict[str, Any]] = []
    while not found or "next" in found[-1]:
        more = {"cursor": found[-1]["next"]} if found else {}
        page = world.ask("POST /v1/campaigns/{id}/preview", asked | more, id=campaign)
        assert page.status == 200, page.body
        found.append(page.body)
    return found


@pytest.mark.parametrize("started", [False, True])
def test_a_preview_reads_a_few_pages_for_a_hundred_members_and_nothing_for_each_alone(
    monkeypatch: pytest.MonkeyPatch, started: bool
) -> None:
    world = World(monkeypatch, currency="EUR")
    for number in range(400):
        world.enrol(number, birthday="02-29")
    world.hand_in(SPRING.replace("500", "500000"))
    world.hand_in(SOURCE)
    world.act("start", "birthday")
    if started:
        world.act("start", "spring")
    world.stream("publish")
    meter = Meter()
    world.through(monkeypatch, meter)
    pages = ahead(world, limit=200)
    reads = meter.taken()[1]
    assert sum(one["summary"]["members"] for one in pages) == 400
    assert sum(one["summary"]["steps"].get("later", 0) for one in pages) > 200
    # 16 parts: who is in each, and who of them takes part in either campaign. A hundred in one read: what was published
    # of an account, two entries, the member, the profile, record, preferences, and ways.
    assert reads <= 100


def test_a_part_of_the_members_is_looked_at_alone_and_all_parts_are_everybody(world: World) -> None:
    whole = preview(world, day="2026-02-28", limit=5)
    parts = [preview(world, day="2026-02-28", limit=5, part=part) for part in range(16)]
    assert sum(map(len, parts)) == len(whole) == 12
    assert {name: one for part in parts for name, one in part.items()} == whole


def test_a_preview_says_who_goes_without_because_the_budget_ends_and_so_it_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, currency="EUR")
    for number in range(40):
        world.enrol(number)
    world.hand_in(SPRING)
    (page,) = ahead(world, limit=200)
    told = page["summary"]
    treated = told["groups"]["treated"]
    assert (page["left"], page["budget"]) == (500, {"until": "2026-01-01", "points": 0})
    assert treated > 10
    assert told["given"] == {"2026-01-01": 500}
    assert told["steps"] == {"hello": 10}
    assert told["missed"] == {"budget": treated}, "who got the first offer goes without the second"
    world.act("start", "spring")
    world.send()
    assert sum(world.provider.got.values()) == 10
    (after,) = ahead(world, limit=200)
    assert (after["left"], after["summary"]["given"]) == (0, {})


def test_pages_of_a_preview_tell_how_far_the_budget_reaches_and_go_by_it_when_they_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, currency="EUR")
    for number in range(40):
        world.enrol(number)
    world.hand_in(SPRING.replace("500", "1800"))
    pages = ahead(world, limit=7)
    given = Counter[str]()
    for page in pages:
        given.update(page["summary"]["given"])
    treated = sum(page["summary"]["groups"].get("treated", 0) for page in pages)
    assert given == {"2026-01-01": 50 * treated, "2026-01-04": 20 * treated}
    left = 1800 - 50 * treated
    assert 0 < left < 20 * treated
    assert all((page["left"], "budget" in page) == (1800, False) for page in pages)
    until = {"until": "2026-01-04", "points": left}
    steps, missed = Counter[str](), Counter[str]()
    asked: dict[str, Any] = {"limit": 7, "budget": until}
    while True:
        page = world.ask("POST /v1/campaigns/{id}/preview", asked, id="spring").body
        steps.update(page["summary"]["steps"])
        missed.update(page["summary"]["missed"])
        asked["budget"] = page["budget"]
        if "next" not in page:
            break
        asked["cursor"] = page["next"]
    covered = left // 20
    assert steps == {"hello": treated, "later": covered}
    assert missed == {"budget": treated - covered}
    assert asked["budget"] == {"until": "2026-01-04", "points": left - 20 * covered}
