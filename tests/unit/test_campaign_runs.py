"""Campaigns from their start to their report, by the machine's own definition and every function behind it."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty.campaigns import touches
from loyalty.campaigns.run import Batch, Status, execution_name
from loyalty.campaigns.runs import Runs
from loyalty.campaigns.store import CampaignStore
from loyalty.campaigns.touches import Counts
from loyalty.channels.channel import Outcome
from loyalty.errors import Unavailable
from loyalty.notifications.store import MessageStore
from loyalty.runtime import campaigns as wired
from loyalty.runtime import messages, wiring
from loyalty.table import keys
from tests.machines import Killed
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
    assert "purchased" not in MessageStore(world.running.table).returns(PROGRAM).get("sms", {}), "nobody has bought"
    world.stream("publish")
    assert [kind for kind, _ in world.told if kind.startswith("campaign.")] == [
        "campaign.started",
        "campaign.finished",
    ]
    assert CampaignStore(world.running.table).aside(PROGRAM, "spring", 10, None)[0] == []


def test_a_campaign_that_runs_and_is_not_listed_ends_no_way(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(monkeypatch, OPEN)
    world.act("start", "spring")
    world.send()
    world.running.table.delete(keys.live_campaign(PROGRAM, "spring"))  # as it was begun before there was a list
    world.now += 3 * DAY
    assert world.night() == "SUCCEEDED"
    world.send()
    assert sum(world.provider.got.values()) == 2 * MEMBERS


def test_a_message_that_the_table_forgot_counts_as_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(monkeypatch, OPEN.replace("window_days: 10", "window_days: 60"))
    world.act("start", "spring")
    world.send()
    for one in world.items("message"):
        world.running.table.delete((one["pk"], one["sk"]))
    monkeypatch.setattr(touches, "KEPT_DAYS", 30)
    told = []
    for days in (7, 30):
        world.now += days * DAY
        world.hour()
        *_, last = world.ask("GET /v1/campaigns/{id}/report", id="spring").body["reports"]
        told += [one["messages"] for one in last["report"]["arms"] if one["name"] == "treated"]
    assert told == [{}, {"sms": MEMBERS}], "of a week ago it would still be there"


def test_who_is_not_to_be_measured_yet_is_not_missing_from_a_batch_that_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one_by_one = OPEN.replace("audience: {when: member.points < 10000}", "audience: {enter: member.enrolled}")
    assert one_by_one != OPEN
    world = world_of(monkeypatch, one_by_one, 0)
    world.act("start", "spring")
    for number in range(5):
        world.enter("member.enrolled", {"member": world.enrol(number), "at": "2026-01-01T11:00:00Z"})
    status = CampaignStore(world.running.table).status(PROGRAM, "spring")
    assert status is not None

    def missing(number: int) -> int:
        for shard in range(keys.PARTICIPANT_SHARDS):
            found, _ = CampaignStore(world.running.table).participant_keys(PROGRAM, "spring", shard, "")
            if found:
                batch = Batch(PROGRAM, "spring", status.attempt, "measure", shard, "", found[-1], number, 1)
                wired.runs().set_aside(batch, "Timeout", world.now)
        sums = CampaignStore(world.running.table).sums(PROGRAM, "spring", number)
        return sum(arm.missing for one in sums for arm in one.values())

    assert missing(7) == 0
    world.now += 11 * DAY
    assert missing(8) == 5


def test_who_bought_after_being_told_counts_for_the_channel_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(monkeypatch)
    world.act("start", "spring")
    world.send()
    told = sorted(given(world))
    for number, member in enumerate((told[0], told[0], told[1])):
        at = datetime.fromtimestamp(world.now, UTC).isoformat()
        body = {"source": "pos", "order_id": str(number), "member": member, "currency": "EUR", "occurred_at": at}
        lines, key = [{"amount": "5.00"}], {"Idempotency-Key": f"bought-{number}"}
        sold = world.running.call(world.operator, "POST /v1/purchases", {**body, "lines": lines}, headers=key)
        assert sold.status == 201, sold.body
    for days in (3, 8):
        world.now += days * DAY
        world.night()
        world.hour()
        world.hour()
    assert world.ask("GET /v1/campaigns/{id}", id="spring").body["state"] == "finished"
    assert MessageStore(world.running.table).returns(PROGRAM)["sms"]["purchased"] == 2


def test_a_preview_says_beforehand_what_then_happens_and_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(monkeypatch)
    before = world.running.everything()
    foreseen: dict[str, list[str]] = {}
    cursor = ""
    while True:
        asked = {"limit": 7, "cursor": cursor}
        page = world.ask("POST /v1/campaigns/{id}/preview", asked, id="spring").body
        for one in page["members"]:
            foreseen[one["member"]] = [step["step"] for step in one.get("foreseen", [])]
        cursor = page.get("next", "")
        if not cursor:
            break
    assert len(foreseen) == MEMBERS
    assert world.running.everything() == before
    world.act("start", "spring")
    world.send()
    world.now += 3 * DAY
    world.night()
    world.send()
    got = Counter(name.split("-", 1)[0].removeprefix("msg_") for name in world.provider.got)
    assert {member: len(steps) for member, steps in foreseen.items() if steps} == {
        f"mem_{name}": count for name, count in got.items()
    }


def test_a_preview_says_no_time_that_is_past_and_no_step_is_too_far_ahead_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = world_of(monkeypatch, OPEN.replace("day: 3,", "day: 730,"), 1)
    (one,) = world.ask("POST /v1/campaigns/{id}/preview", {}, id="spring").body["members"]
    first, last = one["foreseen"]
    assert first["send_at"] >= "2026-01-01T11:00:00Z"  # it is noon in Berlin, and the contact hour was nine
    assert last["day"] == "2028-01-01"


def test_a_paused_campaign_does_nothing_and_a_resumed_one_loses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(monkeypatch)
    world.act("start", "spring")
    world.send()
    told = sum(world.provider.got.values())
    assert world.act("pause", "spring").body["state"] == "paused"
    world.now += 3 * DAY
    assert world.night() == "SUCCEEDED"
    world.hour()
    world.send()
    assert sum(world.provider.got.values()) == told
    assert world.act("resume", "spring").body["state"] == "running"
    world.now += DAY
    assert world.night() == "SUCCEEDED"
    world.send()
    assert sum(world.provider.got.values()) == 2 * told
    assert set(given(world).values()) == {1}


def test_a_cancelled_campaign_does_nothing_any_more_at_whatever_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(monkeypatch)
    world.act("start", "spring")
    world.send()
    told = sum(world.provider.got.values())
    late = world.executions["grocer_1_0_spring"]
    assert world.act("cancel", "spring", {"reason": "enough"}).body["state"] == "cancelled"
    assert late.status == "SUCCEEDED"
    world.now += 3 * DAY
    assert world.night() == "SUCCEEDED"
    world.hour()
    world.send()
    assert sum(world.provider.got.values()) == told
    assert world.act("start", "spring").status == 409


def test_who_cannot_be_seen_to_is_set_aside_and_taken_up_by_a_redrive(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(monkeypatch)
    known = wiring.audiences().known
    broken = "mem_" + f"{7:026d}"

    def one_breaks(program: str, account: str, now: int) -> Any:
        if account == broken:
            raise ValueError
        return known(program, account, now)

    with monkeypatch.context() as storm:
        storm.setattr(wiring.audiences(), "known", one_breaks)
        world.act("start", "spring")
    assert sum(groups(world).values()) == MEMBERS - 1
    (one,) = world.ask("GET /v1/campaigns/{id}/aside", id="spring").body["aside"]
    assert (one["step"], one["what"], one["reason"]) == ("assign", broken, "ValueError")
    world.act("redrive", "spring")
    assert sum(groups(world).values()) == MEMBERS
    assert set(given(world).values()) == {1}
    assert world.ask("GET /v1/campaigns/{id}/aside", id="spring").body["aside"] == []


BIRTHDAY = """\
program: grocer
templates:
  wish:
    variables: {offer_points: points}
    sms: {en: "{{ offer_points }} points today", zh: "今日{{ offer_points }}积分"}
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
    steps: {wish: {day: 0, message: wish, offer: {points: 10}}}
"""


def test_a_birthday_is_wished_on_its_day_once_a_year_whoever_is_born_on_a_leap_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, currency="EUR")
    leap, today = world.enrol(1, birthday="1992-02-29"), world.enrol(2, birthday="01-01")
    late = world.enrol(3)
    world.hand_in(BIRTHDAY)
    world.act("start", "birthday")
    world.send()
    assert given(world) == {today: 1}
    changed = world.running.call(
        world.operator, "PATCH /v1/members/{id}", {"attributes": {"birthday": "2000-01-05"}}, params={"id": late}
    )
    assert changed.status == 200
    world.enter("member.changed", {"member": late})
    for _ in range(60):
        world.now += DAY
        assert world.night() == "SUCCEEDED"
        world.send()
    assert given(world) == {today: 1, late: 1, leap: 1}
    days = [one["body"].split('"d":')[1].split(",")[0] for one in world.items("participant")]
    assert len(days) == 3
    for _ in range(310):
        world.now += DAY
        assert world.night() == "SUCCEEDED"
    world.send()
    assert given(world) == {today: 2, late: 2, leap: 1}, "the leap day's comes on the 28th of February"
    for _ in range(55):
        world.now += DAY
        world.night()
    assert given(world)[leap] == 2


ENDING = """\
program: grocer
currency: EUR
templates:
  ending:
    service: true
    variables: {entry_worth: {type: money, most: 100000}}
    sms: {en: "{{ entry_worth }} end soon", zh: "{{ entry_worth }}即将到期"}
campaigns:
  ending:
    name: {en: Ending, zh: 到期}
    goal: {en: Points are used, zh: 积分被使用}
    metric: redemption
    window_days: 10
    audience: {enter: points.expiring}
    repeat: {after_days: 1}
    channels: [sms]
    service: true
    steps:
      ending: {day: 0, message: ending}
"""


def test_whoever_has_points_ending_in_two_wallets_on_one_day_is_told_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(monkeypatch, ENDING, 1, wallets=["points", "cash"])
    world.act("start", "ending")
    member = f"mem_{0:026d}"
    for wallet, amount in (("points", 100), ("cash", 250), ("cash", 250)):
        detail = {
            "member": member,
            "wallet": wallet,
            "points": amount,
            "worth": {"amount": amount, "currency": "EUR"},
            "ending": [{"points": amount, "ends_at": "2026-01-31T23:00:00Z"}],
            "recorded_at": "2026-01-01T11:00:00Z",
        }
        world.enter("points.expiring", detail)
    world.send()
    assert set(world.provider.got.values()) == {1}
    assert sorted(name.partition(".")[2] for name in world.provider.got) == [
        "2026-01-01-cash.ending",
        "2026-01-01-points.ending",
    ]


def test_who_reads_the_copy_of_a_notice_in_the_inbox_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "    inbox: {en: {title: Points, text: They end}, zh: {title: 积分, text: 到期}}\n"
    source = ENDING.replace("    variables:", f"{words}    variables:", 1).replace("s: [sms]", "s: [sms, inbox]")
    world = world_of(monkeypatch, source, 1, outcome=lambda _: (Outcome("doubtful", code="timeout"), False))
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr(messages.Mail, "_confirm", lambda _, *what: told.append(what))
    world.act("start", "ending")
    member = f"mem_{0:026d}"
    detail = {
        "member": member,
        "wallet": "points",
        "points": 100,
        "worth": {"amount": 100, "currency": "EUR"},
        "notice_required": True,
        "ending": [{"points": 100, "ends_at": "2026-01-31T23:00:00Z"}],
        "recorded_at": "2026-01-01T11:00:00Z",
    }
    world.enter("points.expiring", detail)
    world.send()
    assert told == []
    (lying,) = world.ask("GET /v1/members/{id}/inbox", id=member).body["messages"]
    assert world.ask("POST /v1/members/{id}/inbox/{message}/read", id=member, message=lying["id"]).status == 200
    assert [(account, outcome) for _, account, _, _, outcome, _ in told] == [(member, "delivered")]


OPEN = SOURCE.replace("control: 20", "control: 0").replace("    budget: {points: 100000}\n", "")
"""Nobody is left alone."""


def got(world: World) -> int:
    return sum(world.provider.got.values())


def state(world: World, campaign: str = "spring") -> Any:
    return world.ask("GET /v1/campaigns/{id}", id=campaign).body["state"]


def days(world: World, count: int) -> None:
    for _ in range(count):
        world.now += DAY
        assert world.night() == "SUCCEEDED"
        world.hour()
        world.send()


def test_a_pause_over_the_end_of_the_window_loses_no_step_and_puts_the_end_off(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(monkeypatch, OPEN, 5)
    world.act("start", "spring")
    world.send()
    days(world, 1)
    world.act("pause", "spring")
    days(world, 15)
    assert got(world) == 5
    world.act("resume", "spring")
    days(world, 1)
    assert got(world) == 10
    assert state(world) == "running", "the end is that of 10 days and 15 of pause"
    days(world, 8)
    assert state(world) == "running"
    days(world, 1)
    assert state(world) == "finished"
    assert set(world.provider.got.values()) == {1}


def test_a_redrive_takes_in_nobody_who_came_after_all_were_assigned_and_keeps_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = world_of(monkeypatch, OPEN, 5)
    world.act("start", "spring")
    world.send()
    days(world, 9)
    for number in range(100, 105):
        world.enrol(number)
    assert world.act("redrive", "spring").body["state"] == "running"
    world.send()
    assert sum(groups(world).values()) == 5
    assert state(world) == "running"
    days(world, 2)
    assert state(world) == "finished"
    assert got(world) == 10


def test_a_batch_that_was_set_aside_as_a_whole_is_taken_up_by_a_redrive_and_later_comers_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = world_of(monkeypatch, OPEN)
    known = wiring.audiences().known
    broken = "mem_" + f"{7:026d}"

    def one_has_no_answer(program: str, account: str, now: int) -> Any:
        if account == broken:
            raise Unavailable("STORAGE_UNAVAILABLE", "Later", retry_after=1)
        return known(program, account, now)

    with monkeypatch.context() as storm:
        storm.setattr(wiring.audiences(), "known", one_has_no_answer)
        world.act("start", "spring")
    before = sum(groups(world).values())
    assert before < MEMBERS
    (one,) = world.ask("GET /v1/campaigns/{id}/aside", id="spring").body["aside"]
    assert (one["step"], one["what"].startswith("mem_")) == ("assign", False)
    days(world, 1)
    late = [world.enrol(number) for number in range(100, 140)]
    world.act("redrive", "spring")
    assigned = {item["sk"].split("#")[0] for item in world.items("participant")}
    assert len(assigned - {*late}) == MEMBERS
    assert not assigned & {*late}
    assert set(given(world).values()) == {1}
    assert len(given(world)) == MEMBERS
    assert world.ask("GET /v1/campaigns/{id}/aside", id="spring").body["aside"] == []


ALTERNATIVES = """\
program: grocer
templates:
  a:
    sms: {en: "A", zh: "甲"}
  b:
    sms: {en: "B", zh: "乙"}
campaigns:
  spring:
    name: {en: Spring, zh: 春}
    goal: {en: One more purchase, zh: 再买一次}
    metric: repurchase
    window_days: 10
    audience: {when: member.points < 10000}
    calendar: {from: 2026-01-01}
    channels: [sms]
    control: 0
    no_control: all are to have it
    steps:
      STEPS
"""
POOR = "poor: {day: 0, when: member.points < 100, message: a, offer: {points: 200}}"
RICH = "rich: {day: 0, when: member.points >= 100, message: b, offer: {points: 50}}"
REST = "rest: {day: 0, message: b, offer: {points: 50}}"


@pytest.mark.parametrize("steps", [(POOR, REST), (RICH, POOR), (POOR, RICH), (POOR,)])
def test_a_death_between_the_gift_and_its_note_brings_no_second_gift_though_the_first_made_another_condition_true(
    monkeypatch: pytest.MonkeyPatch, steps: tuple[str, ...]
) -> None:
    world = world_of(monkeypatch, ALTERNATIVES.replace("STEPS", "\n      ".join(steps)), 3)
    go_on, deaths = CampaignStore.go_on, [0]

    def dies(self: CampaignStore, *given: Any) -> Any:
        record = given[3]
        if record is not None and not deaths[0]:
            deaths[0] += 1
            raise Killed
        return go_on(self, *given)

    monkeypatch.setattr(CampaignStore, "go_on", dies)
    world.act("start", "spring")
    world.send()
    assert deaths == [1]
    assert set(given(world).values()) == {1}
    references = {one["ref"] for one in world.items("entry") if one.get("ref", "").startswith("c#")}
    assert references == {"c#spring#1#poor"}
    assert set(world.provider.got.values()) == {1}
    assert len(world.provider.got) == 3, "and all hear of it"


def test_birthdays_of_a_pause_are_wished_when_it_ends_and_come_again_the_next_year(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, currency="EUR")
    missed, later = world.enrol(1, birthday="01-10"), world.enrol(2, birthday="02-10")
    world.hand_in(BIRTHDAY)
    world.act("start", "birthday")
    days(world, 7)
    world.act("pause", "birthday")
    days(world, 4)
    new = world.enrol(3, birthday="01-11")
    days(world, 2)
    assert given(world) == {}
    world.act("resume", "birthday")
    world.send()
    assert given(world) == {missed: 1}, "whose birthday was before they came has had none"
    days(world, 30)
    assert given(world) == {missed: 1, later: 1}
    for _ in range(335):
        world.now += DAY
        world.night()
    assert given(world) == {missed: 2, later: 1, new: 1}


def test_a_wish_for_the_day_itself_is_not_sent_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, currency="EUR")
    missed = world.enrol(1, birthday="01-10")
    world.hand_in(BIRTHDAY.replace("{day: 0, message", "{day: 0, within: 0, message"))
    world.act("start", "birthday")
    world.act("pause", "birthday")
    days(world, 12)
    world.act("resume", "birthday")
    days(world, 3)
    assert given(world) == {}
    for _ in range(365):
        world.now += DAY
        world.night()
    assert given(world) == {missed: 1}


def test_executions_of_two_campaigns_never_have_the_same_name_and_it_is_never_too_long() -> None:
    pairs = [("a-b", "c"), ("a", "b-c"), ("a", "b"), ("a", "b_1"), ("a", "b-1"), ("a-1", "b"), ("a", "1_b")]
    names = [
        execution_name(Status(program, campaign, attempt=attempt), leg)
        for program, campaign in pairs
        for attempt in (1, 2, 12)
        for leg in (0, 2, 20_000)
    ]
    assert len({*names}) == len(names)
    longest = execution_name(Status("p" * 32, "c" * 32, attempt=9_999), 99_999)
    assert len(longest) <= 80


def test_a_file_that_is_too_long_to_be_kept_is_refused_by_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(monkeypatch, SOURCE, 0)
    kept = world.ask("POST /v1/campaigns", {"source": SOURCE.replace("Spring", "Two") + "# \u6625\n" * 20_000})
    assert kept.status == 200
    refused = world.ask("POST /v1/campaigns", {"source": SOURCE.replace("Spring", "Three") + "# " + "\u6625" * 130_500})
    assert (refused.status, refused.body["field"]) == (400, "source")
    assert world.ask("GET /v1/campaigns/{id}", id="spring").body["version"] == 2


def test_a_frozen_audience_is_measured_when_the_last_hour_of_its_window_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = world_of(monkeypatch, SOURCE, 4)
    world.act("start", "spring")
    world.now += 10 * DAY - 6 * 3_600  # the tenth day has begun, and six hours of everybody's window are left
    world.hour()
    assert world.ask("GET /v1/campaigns/{id}", id="spring").body["state"] == "running"
    world.now += DAY
    world.hour()
    assert world.ask("GET /v1/campaigns/{id}", id="spring").body["state"] == "finished"


PLAIN = (
    SOURCE.replace(", offer: {points: 50}", "")
    .replace("    budget: {points: 100000}\n", "")
    .replace('"{{ offer_points }} points for you"', "Hello")
    .replace('"送您{{ offer_points }}积分"', "您好")
    .replace("    variables: {offer_points: points}\n", "")
    .replace("      later: {day: 3, message: later}\n", "")
    .replace('  later:\n    sms: {en: "They are still there", zh: "积分还在"}\n', "")
)
"""One message, and nothing given with it."""


def test_a_report_counts_what_was_sent_and_not_what_was_decided_on(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = iter([(Outcome("refused", code="x"), False), (Outcome("doubtful"), True)])
    world = world_of(monkeypatch, PLAIN, outcome=lambda _: next(outcomes, (Outcome("accepted", "p1"), True)))
    world.act("start", "spring")
    world.queue.pop()
    world.send()
    world.now += 11 * DAY
    world.hour()
    (told,) = world.ask("GET /v1/campaigns/{id}/report", id="spring").body["reports"]
    (treated,) = [one for one in told["report"]["arms"] if one["name"] == "treated"]
    decided = groups(world)["treated"]
    fates = {"decided": decided, "sent": decided - 3, "doubtful": 1, "failed": 1, "waiting": 1}
    assert treated["fates"] == fates
    assert (treated["messages"], treated["reached"]) == ({"sms": decided - 3}, decided - 3)
    assert told["report"]["money"]["messages"] == decided - 3


def test_who_cannot_be_measured_is_set_aside_and_counted_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(monkeypatch)
    world.act("start", "spring")
    world.send()
    way = world.items("journey")[0]
    world.running.table.put({**way, "body": "{}"})
    world.now += 11 * DAY
    world.hour()
    assert world.failed == []
    (told,) = world.ask("GET /v1/campaigns/{id}/report", id="spring").body["reports"]
    arms = {one["name"]: one for one in told["report"]["arms"]}
    treated = groups(world)["treated"]
    assert (arms["treated"]["missing"], arms["treated"]["members"]) == (1, treated - 1)
    assert told["report"]["effect"]["distrust"] == "members missing"
    aside, _ = CampaignStore(world.running.table).aside(PROGRAM, "spring", 10, None)
    assert [(one.step, one.what) for one in aside] == [("measure", way["pk"].split("#")[2])]


def test_a_batch_that_cannot_be_measured_fails_no_run_and_its_members_are_counted_as_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = world_of(monkeypatch)
    world.act("start", "spring")
    whole, measure = Counter[str](), Runs.measure
    first = min(int(one["pk"].rsplit("#", 1)[1]) for one in world.items("participant"))
    for one in world.items("participant"):
        if int(one["pk"].rsplit("#", 1)[1]) == first:
            whole[one["body"].split('"a":"')[1].split('"')[0]] += 1

    def one_dies(self: Runs, batch: Batch, now: int) -> Counts:
        if batch.shard == first:
            raise MemoryError
        return measure(self, batch, now)

    monkeypatch.setattr(Runs, "measure", one_dies)
    world.now += 11 * DAY
    world.hour()
    assert world.failed == []
    (told,) = world.ask("GET /v1/campaigns/{id}/report", id="spring").body["reports"]
    missing = {one["name"]: one["missing"] for one in told["report"]["arms"]}
    assert {name: count for name, count in missing.items() if count} == whole
    assert told["report"]["effect"]["verdict"] == "cannot tell yet"
