"""A campaign in a storm: every task and every message is delivered two to five times, the provider fails one call in
five, and functions are killed at random before and after their calls of the table and of the provider. The provider is
one of mail, and reports what it took: late, more than once, in any order.

``python -m tests.simulation.test_campaign_storm 10000`` runs it for so many members, and says what came of it: a matter
of minutes, with ``PYTHONPATH=.:layers/core/python``.
"""

import random
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from loyalty.campaigns.store import CampaignStore
from loyalty.channels.channel import Outcome, Sending
from loyalty.notifications.feedback import PATH_TAG
from loyalty.runtime import messages, wiring
from loyalty.table import keys
from tests import tally
from tests.machines import Killed
from tests.simulation.dynamodb import Call
from tests.simulation.wire import Response
from tests.unit.campaigning import DAY, World
from tests.unit.running import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable

MEMBERS: Final = 250
SEED: Final = 4
BATCH: Final = 100
CALLS: Final = 40
"""For each member of a batch there is a death in so many calls of the table and the provider, before and after each: so
about every third attempt at a batch dies, however large batches are, and every function does now and then.
"""
FAILS: Final = 0.2
LATE_S: Final = 4 * 3_600
"""No report takes longer."""
POINTS: Final = 50
SOURCE: Final = """\
program: grocer
templates:
  hello:
    variables: {offer_points: points}
    email:
      en: {subject: Points, text: "{{ offer_points }} points for you {{ unsubscribe }}"}
      zh: {subject: 积分, text: "送您{{ offer_points }}积分 {{ unsubscribe }}"}
  later:
    email:
      en: {subject: Points, text: "They are still there {{ unsubscribe }}"}
      zh: {subject: 积分, text: "积分还在 {{ unsubscribe }}"}
campaigns:
  storm:
    name: {en: Storm, zh: 风暴}
    goal: {en: One more purchase, zh: 再买一次}
    metric: repurchase
    window_days: 6
    audience: {when: member.points < 1000}
    calendar: {from: 2026-01-01}
    channels: [email]
    control: 10
    budget: {points: 10000000}
    steps:
      hello: {day: 0, message: hello, offer: {points: 50}}
      later: {day: 3, message: later}
"""


class Storm:
    """Chance, and what it did."""

    def __init__(self, seed: int, members: int) -> None:
        self.chance = random.Random(seed)
        self.once_in = CALLS * min(BATCH, members // keys.MEMBER_SHARDS + 1)
        self.blowing = False
        self.calls = 0
        self.redrives = 0
        self.failed = 0
        self.lost = 0
        self.clock: Callable[[], int] = int
        self.reports: list[tuple[int, dict[str, Any]]] = []

    def deliveries(self) -> int:
        return self.chance.randint(2, 5) if self.blowing else 1

    def kill(self) -> None:
        if self.blowing and self.chance.randrange(self.once_in) == 0:
            raise Killed

    def gate(self, call: Call) -> Response:
        self.calls += 1
        self.kill()
        answer = call.perform()
        self.kill()
        return answer

    def outcome(self, sending: Sending) -> tuple[Outcome, bool]:
        """One call in five fails: mostly it was not taken, sometimes nobody can say."""
        if self.chance.random() >= FAILS:
            self.take(sending)
            return Outcome("accepted", "p1"), True
        self.failed += 1
        if self.chance.random() < 0.75:
            return Outcome("later", code="http_503"), False
        arrived = self.chance.random() < 0.5
        if arrived:
            self.take(sending)
        self.lost += not arrived
        return Outcome("doubtful", code="timeout"), arrived

    def take(self, sending: Sending) -> None:
        """Report it: twice, and each within hours."""
        tags = {name: [value] for name, value in sending.tags.items()} | {PATH_TAG: ["messages"]}
        mail = {"timestamp": datetime.fromtimestamp(self.clock(), UTC).isoformat(), "tags": tags}
        for kind in ("Send", "Delivery", "Send"):
            late = self.chance.randrange(LATE_S) if self.blowing else 0
            self.reports.append((self.clock() + late, {"eventType": kind, "mail": mail}))

    def reported(self) -> list[dict[str, Any]]:
        """What comes by now, in any order."""
        come = [report for at, report in self.reports if at <= self.clock()]
        self.reports = [one for one in self.reports if one[0] > self.clock()]
        self.chance.shuffle(come)
        return come


def test_everybody_eligible_is_told_at_most_once_and_given_exactly_once(monkeypatch: pytest.MonkeyPatch) -> None:
    weather(monkeypatch, MEMBERS)


def weather(monkeypatch: pytest.MonkeyPatch, members: int) -> dict[str, int]:
    """The whole course of it; the counts, which a line of the test run shows."""
    storm = Storm(SEED, members)
    weather: dict[str, Any] = {"outcome": storm.outcome, "deliveries": storm.deliveries, "kill": storm.kill}
    world = World(monkeypatch, channel="email", currency="EUR", **weather)
    world.provider.reported, world.reports, storm.clock = "messages", storm.reported, lambda: world.now
    monkeypatch.setattr(messages, "holds_nothing", lambda _: True)
    accounts = [world.enrol(number) for number in range(members)]
    world.hand_in(SOURCE)
    world.through(monkeypatch, storm.gate)
    storm.blowing = True
    while_killed(world, "start")
    bring_to(world, storm, lambda: assigned(world) == members)
    world.dispatch(30)
    world.now = START_OF_STEP_TWO
    for _ in range(40):
        world.now += 3_600
        if world.night() == "SUCCEEDED":
            break
    world.dispatch(30)
    storm.blowing = False
    for _ in range(4):  # nothing is left over: nights and hours in fair weather change nothing any more
        world.now += DAY
        assert world.night() == "SUCCEEDED"
        world.hour()
        world.dispatch(8)
    return found(world, storm, accounts)


START_OF_STEP_TWO: Final = 1_767_265_200 + 3 * DAY


def while_killed(world: World, what: str) -> None:
    """Ask until there is an answer, as a caller does."""
    for _ in range(50):
        try:
            answer = world.act(what, "storm")
        except Killed:
            continue
        if answer.status in (200, 409):
            return
    raise AssertionError("no answer")


def assigned(world: World) -> int:
    return len(world.items("participant"))


def bring_to(world: World, storm: Storm, done: Any) -> None:
    """Hours go by; a run that has failed, or has set anybody aside, is redriven by people."""
    left: Any = None
    for _ in range(60):
        world.hour()
        left = CampaignStore(world.running.table).aside(PROGRAM, "storm", 1, None)[0]
        if done() and not world.failed and not left:
            return
        world.executions = {name: one for name, one in world.executions.items() if one.status != "FAILED"}
        storm.redrives += 1
        while_killed(world, "redrive")
    raise AssertionError(f"assigned {assigned(world)}, aside {left}")


def found(world: World, storm: Storm, accounts: list[str]) -> dict[str, int]:
    participants = Counter(one["sk"].split("#")[0] for one in world.items("participant"))
    treated = {one["sk"].split("#")[0] for one in world.items("participant") if '"a":"treated"' in one["body"]}
    assert participants == Counter(accounts), "everybody is assigned, once"
    gifts = Counter(one["pk"].split("#")[2] for one in world.items("entry") if one.get("ref", "").startswith("c#"))
    assert gifts == Counter(treated), "each offer exactly once, and nobody is left out"
    budget = next(one for one in world.items("budget"))
    assert int(budget["leased"]) >= POINTS * len(treated)

    assert len(world.items("message")) == 2 * len(treated)
    assert max(world.provider.got.values()) == 1, "no message arrives twice"
    store = wiring.message_store()
    states = Counter(one.state for account in treated for one in store.of_member(PROGRAM, account))
    arrived = sum(world.provider.got.values())
    assert arrived == 2 * len(treated), "everyone eligible got it"
    assert states == {"delivered": arrived}, "and that is known"
    report = world.ask("GET /v1/campaigns/{id}/report", id="storm").body["reports"][-1]["report"]
    assert report["final"]
    counts = {
        "members": len(accounts),
        "told": len(treated),
        "messages": arrived,
        "lost without an answer": storm.lost,
        "offers": sum(gifts.values()),
        "kills": world.killed,
        "redrives": storm.redrives,
        "tasks and messages delivered": world.delivered,
        "provider calls": world.provider.asked,
        "provider failures": storm.failed,
        "table calls": storm.calls,
    }
    tally.say("campaign storm: " + ", ".join(f"{value:,} {name}" for name, value in counts.items()))
    return counts


if __name__ == "__main__":
    began = time.perf_counter()
    with pytest.MonkeyPatch.context() as patch:
        said = weather(patch, int(sys.argv[1]))
    sys.stderr.write(f"{said} in {time.perf_counter() - began:.0f} s\n")
