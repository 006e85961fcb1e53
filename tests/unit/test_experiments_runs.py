"""What a run measures: a member once, and nobody who cannot be read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.campaigns.store import CampaignStore
from loyalty.errors import Corrupt
from loyalty.runtime import campaigns as deployed
from tests.unit.campaigning import DAY, World
from tests.unit.running import PROGRAM

SOURCE = """\
program: grocer
templates:
  hello:
    sms: {en: "Welcome back", zh: "欢迎回来"}
campaigns:
  again:
    name: {en: Again, zh: 再来}
    goal: {en: One more purchase, zh: 再买一次}
    metric: spend
    margin: 25%
    smallest: "2.00"
    window_days: 20
    audience: {enter: churn.risk_detected}
    repeat: {after_days: 5}
    calendar: {from: 2026-01-01, until: UNTIL}
    channels: [sms]
    control: 50
    steps:
      hello: {day: 0, message: hello}
"""


def world_of(monkeypatch: pytest.MonkeyPatch, members: int, source: str = SOURCE) -> tuple[World, list[str]]:
    world = World(monkeypatch, currency="EUR")
    accounts = [world.enrol(number) for number in range(members)]
    last = datetime.fromtimestamp(world.now, UTC).date() + timedelta(days=12)
    world.hand_in(source.replace("UNTIL", last.isoformat()))
    assert world.act("start", "again").body["state"] == "running"
    return world, accounts


def alerted(world: World, account: str, number: int) -> None:
    detail: dict[str, Any] = {"event_id": f"evt_{account}-{number}", "account": account, "member": account}
    at = datetime.fromtimestamp(world.now, UTC).isoformat()
    world.enter("churn.risk_detected", {**detail, "occurred_at": at, "silent_days": 40})


def report(world: World) -> dict[str, Any]:
    world.now += 40 * DAY
    world.hour()
    reports = world.ask("GET /v1/campaigns/{id}/report", id="again").body["reports"]
    assert reports[-1]["report"]["final"]
    found: dict[str, Any] = reports[-1]["report"]
    return found


def test_who_takes_part_again_is_measured_the_first_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world, accounts = world_of(monkeypatch, 12)
    for number, account in enumerate(accounts):
        alerted(world, account, number)
    world.now += 7 * DAY
    for number, account in enumerate(accounts[:8]):
        alerted(world, account, 100 + number)
    assert len(world.items("participant")) == 20
    found = report(world)
    assert sum(arm["members"] for arm in found["arms"]) == 12
    assert found["effect"]["treated_members"] + found["effect"]["control_members"] == 12
    assert found["effect"]["sought"] == 200.0
    assert found["money"]["brought"] == 0.0, "the margin is known"


@pytest.mark.parametrize(("written", "each"), [('"0.01"', 1), ("0.25", 25), ("", 0)])
def test_points_cost_what_the_file_says_a_point_costs(monkeypatch: pytest.MonkeyPatch, written: str, each: int) -> None:
    source = SOURCE.replace("message: hello}", "message: hello, offer: {points: 30}}")
    if written:
        source = source.replace("templates:", f"point_cost: {written}\ntemplates:", 1)
    world, accounts = world_of(monkeypatch, 8, source)
    for number, account in enumerate(accounts):
        alerted(world, account, number)
    money = report(world)["money"]
    assert money["points"] > 0
    assert money["points_cost"] == each * money["points"]


def test_a_member_who_cannot_be_read_is_set_aside_and_the_others_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    world, accounts = world_of(monkeypatch, 6)
    for number, account in enumerate(accounts):
        alerted(world, account, number)
    read = deployed._entries  # noqa: SLF001 - what the deployment reads chains with

    def broken(chain: Any, number: int) -> Any:
        if chain.account == accounts[2]:
            raise Corrupt("entry 1: unreadable")
        return read(chain, number)

    monkeypatch.setattr(deployed, "_entries", broken)
    deployed.runs.cache_clear()
    found = report(world)
    assert sum(arm["members"] for arm in found["arms"]) == 5
    (aside,), _ = CampaignStore(world.running.table).aside(PROGRAM, "again", 10, None)
    assert (aside.step, aside.what, aside.reason) == ("measure", accounts[2], "CORRUPT")


def test_what_was_bought_and_brought_back_in_the_window_is_what_the_report_sums(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, accounts = world_of(monkeypatch, 10)
    buy(world, accounts[0], "before", "70.00")
    for number, account in enumerate(accounts):
        alerted(world, account, number)
    treated = {one["sk"].split("#")[0] for one in world.items("participant") if '"a":"treated"' in one["body"]}
    assert 0 < len(treated) < 10
    world.now += DAY
    for account in accounts[:6]:
        buy(world, account, account, "10.00" if account in treated else "4.00")
    bring_back(world, "before", "30.00")
    world.now += 18 * DAY
    bring_back(world, accounts[1], None)
    world.now += 3 * DAY
    buy(world, accounts[2], "after", "50.00")
    found = {arm["name"]: arm for arm in report(world)["arms"]}
    for name, price, here in (("treated", 1_000, treated), ("control", 400, set(accounts) - treated)):
        bought = [account for account in accounts[:6] if account in here and account != accounts[1]]
        assert found[name]["members"] == len(here)
        assert (found[name]["buyers"], found[name]["spend"]) == (len(bought), price * len(bought))


GIVES = SOURCE.replace("message: hello}", "message: hello, offer: {points: 30}}").replace(
    "templates:", 'point_cost: "0.01"\ntemplates:', 1
)


def cancelled(world: World) -> list[dict[str, Any]]:
    assert world.act("cancel", "again", {"reason": "a wrong price"}).body["state"] == "cancelled"
    found: list[dict[str, Any]] = world.ask("GET /v1/campaigns/{id}/report", id="again").body["reports"]
    return found


@pytest.mark.parametrize("paused", [False, True])
def test_a_campaign_that_is_cancelled_tells_all_that_it_did_and_no_effect(
    monkeypatch: pytest.MonkeyPatch, paused: bool
) -> None:
    world, accounts = world_of(monkeypatch, 12, GIVES)
    for number, account in enumerate(accounts):
        alerted(world, account, number)
    world.send()
    treated = [one["sk"].split("#")[0] for one in world.items("participant") if '"a":"treated"' in one["body"]]
    world.now += 3 * DAY
    for account in accounts[:5]:
        buy(world, account, account, "10.00")
    if paused:
        world.act("pause", "again")
    (told,) = cancelled(world)
    found, arms = told["report"], {one["name"]: one for one in told["report"]["arms"]}
    assert told["summary"]["en"][0] == "Cancelled on 2026-01-04: no effect is stated."
    assert told["summary"]["zh"][0] == "已于 2026-01-04 取消：不给出效果结论。"
    assert (arms["treated"]["members"], arms["control"]["members"]) == (len(treated), 12 - len(treated))
    assert (arms["treated"]["reached"], arms["treated"]["messages"]) == (len(treated), {"sms": len(treated)})
    assert arms["treated"]["buyers"] + arms["control"]["buyers"] == 5, "windows that are not over count so far"
    assert (found["money"]["points"], found["money"]["cost"]) == (30 * len(treated), 30 * len(treated))
    assert (found["effect"]["verdict"], found["effect"]["distrust"]) == ("cannot tell yet", "cancelled")
    for name in ("low", "high", "lift", "needed"):
        assert found["effect"][name] is None
    assert found["money"]["brought"] is found["money"]["ratio"] is found["winner"] is found["together"] is None
    assert [one["effect"] for one in found["arms"]] == [None, None]
    assert world.failed == []
    assert world.ask("GET /v1/campaigns/{id}", id="again").body["state"] == "cancelled"


def test_what_a_look_said_before_a_campaign_was_cancelled_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    world, accounts = world_of(monkeypatch, 6)
    for number, account in enumerate(accounts):
        alerted(world, account, number)
    world.now += 28 * DAY
    world.hour()
    (seen,) = world.ask("GET /v1/campaigns/{id}/report", id="again").body["reports"]
    *before, last = cancelled(world)
    assert before == [seen]
    assert last["report"]["looks"] == seen["report"]["looks"] != []


def test_a_campaign_that_is_cancelled_before_it_began_has_done_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, currency="EUR")
    world.hand_in(SOURCE.replace("2026-01-01", "2026-02-01").replace("UNTIL", "2026-03-01"))
    assert world.act("start", "again").body["state"] == "scheduled"
    assert world.act("cancel", "again", {"reason": "another plan"}).status == 200
    assert world.executions == {}
    assert CampaignStore(world.running.table).reports(PROGRAM, "again") == []


def test_a_cancelled_campaign_whose_execution_was_not_started_is_counted_within_the_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, accounts = world_of(monkeypatch, 4)
    alerted(world, accounts[0], 0)
    with monkeypatch.context() as broken:
        broken.setattr(world, "settle", lambda: None)
        world.act("cancel", "again", {"reason": "enough"})
    world.started.clear()
    world.hour()
    (told,) = world.ask("GET /v1/campaigns/{id}/report", id="again").body["reports"]
    assert sum(one["members"] for one in told["report"]["arms"]) == 1
    calls = len(world.executions)
    world.hour()
    assert len(world.executions) == calls, "once"


def test_a_cancelled_campaign_is_counted_once_more_by_a_redrive(monkeypatch: pytest.MonkeyPatch) -> None:
    world, accounts = world_of(monkeypatch, 6)
    for number, account in enumerate(accounts):
        alerted(world, account, number)
    cancelled(world)
    world.now += 5 * DAY
    buy(world, accounts[0], "later", "10.00")
    assert world.act("redrive", "again").body["state"] == "cancelled"
    *_, last = world.ask("GET /v1/campaigns/{id}/report", id="again").body["reports"]
    assert last["summary"]["en"][0].startswith("Cancelled on 2026-01-01:")
    assert sum(one["buyers"] for one in last["report"]["arms"]) == 1


def buy(world: World, account: str, order: str, amount: str) -> None:
    at = datetime.fromtimestamp(world.now, UTC).isoformat()
    sale = {"source": "till", "order_id": order, "member": account, "currency": "EUR", "occurred_at": at}
    called(world, "POST /v1/purchases", {**sale, "lines": [{"amount": amount}]}, f"buy-{order}")


def bring_back(world: World, order: str, amount: str | None) -> None:
    body = {"occurred_at": datetime.fromtimestamp(world.now, UTC).isoformat()} | ({"amount": amount} if amount else {})
    called(
        world, "POST /v1/purchases/{source}/{order_id}/returns", body, f"back-{order}", source="till", order_id=order
    )


def called(world: World, route: str, body: dict[str, Any], key: str, **params: str) -> None:
    headers = {"Idempotency-Key": key}
    answer = world.running.call(world.operator, route, body, params=params, headers=headers)
    assert answer.status == 201, answer.body
