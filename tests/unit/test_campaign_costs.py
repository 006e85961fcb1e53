"""What a campaign costs, counted: write units, reads and transitions for each member who is told something, and for
each who is kept out (docs/costs-of-campaigns.md has the dollars).
"""

import math
from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from loyalty.campaigns.store import CampaignStore
from loyalty.table import keys
from tests.simulation import wire
from tests.simulation.dynamodb import Call
from tests.simulation.wire import Response
from tests.unit.campaigning import DAY, World
from tests.unit.running import PROGRAM
from tests.unit.test_campaign_runs import SOURCE, groups

MEMBERS = 100


class Meter:
    """Stands before the table, and adds up by the type of what is written and by what is read."""

    def __init__(self) -> None:
        self.written: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()

    def __call__(self, call: Call) -> Response:
        request: dict[str, Any] = dict(call.request)
        if call.operation == "PutItem":
            self._write(request["Item"], 1)
        elif call.operation == "DeleteItem":
            self.written["deleted"] += 1
        elif call.operation == "TransactWriteItems":
            for action in request["TransactItems"]:
                if "Put" in action:
                    self._write(action["Put"]["Item"], 2)
                else:
                    self.written["deleted"] += 2
        else:
            self.reads[call.operation] += 1
        return call.perform()

    def _write(self, item: Any, factor: int) -> None:
        kind = str(item["t"]["S"])
        index = 1 if "ref" in item else 0
        self.written[kind] += factor * (math.ceil(wire.item_bytes(item) / 1024) + index)

    def taken(self) -> tuple[Counter[str], int]:
        """What was counted since the last time."""
        found = self.written, sum(self.reads.values())
        self.written, self.reads = Counter(), Counter()
        return found


def test_units_for_a_member_who_is_told_and_for_one_who_is_kept_out(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter()
    world = World(monkeypatch, currency="EUR")
    for number in range(MEMBERS):
        world.enrol(number)
    world.hand_in(SOURCE)
    world.through(monkeypatch, meter)
    world.act("start", "spring")
    told = groups(world)["treated"]
    written, reads = meter.taken()
    assert written["participant"] == MEMBERS
    assert {kind: written[kind] / told for kind in ("journey", "timer", "contact", "outgoing")} == {
        "journey": 1 + 2,  # begun; taken on, in one transaction with the two that follow
        "timer": 2,  # tomorrow, should all else fail; the day of the next step
        "contact": 2,
        "outgoing": 2,
    }
    assert written["entry"] == 4 * told, "the offer with its index; it opens the wallet, any other takes half of that"
    assert reads <= 3 * MEMBERS + 11 * told + 200
    first = sum(written.values())

    world.send()
    written, reads = meter.taken()
    assert {kind: written[kind] / told for kind in ("message", "deleted")} == {"message": 2, "deleted": 1}
    assert reads <= 8 * told + 50

    world.now += 3 * DAY
    world.night()
    written, reads = meter.taken()
    assert {kind: written[kind] / told for kind in ("journey", "contact", "outgoing")} == {
        "journey": 2,
        "contact": 2,
        "outgoing": 2,
    }
    assert written["timer"] == 0, "nothing is to come"
    assert reads <= 8 * told + 300
    world.send()
    world.now += 8 * DAY
    meter.taken()
    world.hour()
    written, reads = meter.taken()
    assert sum(written.values()) <= 40, "sums of batches and the report"
    assert reads <= 2 * MEMBERS + 150
    assert first / told < 15
    # One batch holds up to a hundred members of a shard; here each of the 16 shards is a batch, twice.
    assert world.transitions["batches"] <= 4 * 16
    assert world.transitions["standard"] <= 40


def test_an_event_reads_the_campaigns_under_way_and_none_that_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, currency="EUR")
    account = world.enrol(1)
    source = SOURCE.replace("audience: {when: member.points < 10000}", "audience: {enter: tier.upgraded}")
    source = source.replace("    calendar: {from: 2026-01-01}\n", "")
    world.hand_in(source)
    world.act("start", "spring")
    store = CampaignStore(world.running.table)
    known = store.status(PROGRAM, "spring")
    assert known is not None

    def reads(number: int) -> int:
        for over in range(200 * number):
            store.write(replace(known, id=f"over-{number}-{over}", state="finished", revision=0))
        meter = Meter()
        world.through(monkeypatch, meter)
        detail = {"member": account, "tier": "gold", "was": "silver", "at": f"2026-01-0{number + 1}T12:00:00Z"}
        world.enter("tier.upgraded", detail)
        return meter.taken()[1]

    reads(0)  # comes in, on the one occasion that there is
    before = reads(0)
    assert reads(1) == before
    assert [one.id for one in store.live(PROGRAM)] == ["spring"]
    for what, under_way in (("pause", ["spring"]), ("resume", ["spring"]), ("cancel", [])):
        assert world.act(what, "spring", {"reason": "over"} if what == "cancel" else None).status == 200
        assert [one.id for one in store.live(PROGRAM)] == under_way
        assert store.live(PROGRAM) == [store.status(PROGRAM, one) for one in under_way]


def test_a_campaign_that_is_on_no_list_of_those_under_way_is_put_on_it_within_the_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, currency="EUR")
    world.enrol(1)
    world.hand_in(SOURCE)
    world.act("start", "spring")
    world.running.table.delete(keys.live_campaign(PROGRAM, "spring"))
    world.hour()
    store = CampaignStore(world.running.table)
    assert store.live(PROGRAM) == [store.status(PROGRAM, "spring")]
