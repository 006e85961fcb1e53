"""Segments as they run: handed in, kept current by the stream and by nights, counted, listed, told, read by rules."""

import json
import time
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from loyalty.errors import Unavailable
from loyalty.ledger import commands
from loyalty.ledger.chain import Cause, Chain
from loyalty.runtime import wiring
from loyalty.segments import service
from loyalty.segments.service import Audiences
from loyalty.segments.store import SegmentStore
from loyalty.table import keys
from loyalty.table.writes import Contended
from loyalty.timers.store import TimerStore
from tests.unit.relaying import Behind
from tests.unit.running import PROGRAM, Response, Running
from tests.unit.test_members_function import enrol, refused

HAND_IN, SHOW, MEMBERS = "POST /v1/segments", "GET /v1/segments", "GET /v1/segments/{id}/members"
pytestmark = pytest.mark.usefixtures("still")
DAY = 86_400
SOURCE = """\
program: grocer
categories: [tea]
segments:
  new: {name: {en: New, zh: 新}, when: member.age_days < 30}
  rich: {name: {en: Rich, zh: 富}, when: member.points >= 100}
  silent: {name: {en: Silent, zh: 默}, when: member.days_since_purchase >= 40}
  bonn: {name: {en: In Bonn, zh: 波恩}, when: member.city = 'Bonn'}
  tea: {name: {en: Tea, zh: 茶}, when: member.favourite = 'tea' AND category.tea > 0.5}
"""
RANKED = (
    "program: grocer\nsegments:\n  top: {name: {en: T, zh: 顶}, when: member.points > 0 AND member.points_rank < 10}\n"
)


class Streamed:
    """A running deployment whose stream is delivered when the test says so; ``told`` is what reached the bus."""

    def __init__(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        self.running = running
        self.operator = running.key("operator")
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.late = 0
        self.behind = Behind(monkeypatch)
        self._delivered: dict[str, int] = {}
        self.records: list[dict[str, Any]] = []
        monkeypatch.setattr("functions.publish.handler.publish", self._publish)
        for module in ("functions.segment_members.handler", "functions.segment_review.handler"):
            monkeypatch.setattr(f"{module}.moment", lambda _, now: now + self.late)
        monkeypatch.setattr(service, "SECONDS", 0)

    def _publish(self, events: list[tuple[str, str]]) -> None:
        self.told += [(kind, json.loads(detail)) for kind, detail in events]

    def stream(self) -> None:
        """Deliver what is new, filtered as deployed, until nothing follows from it."""
        while fresh := self.fresh():
            self.records += fresh
            for function in ("segment_members", "publish"):
                self.behind.follow(fresh, function)

    def fresh(self) -> list[dict[str, Any]]:
        found = []
        for partition, records in self.running.engine.stream().items():
            found += records[self._delivered.get(partition, 0) :]
            self._delivered[partition] = len(records)
        return found

    def hand_in(self, source: str = SOURCE, tag: str = "") -> Response:
        headers = {"If-Match": tag} if tag else {}
        return self.running.call(self.operator, HAND_IN, {"source": source}, headers=headers)

    def give(self, member: str, points: int) -> None:
        chain = Chain(PROGRAM, member, "points")
        now = int(time.time())
        cause = Cause(f"k#{len(self.records)}#{points}", "print", "test", now)
        wiring.ledger().post(chain, cause, now, lambda draft: commands.adjust(draft, points, 0, "test"))

    def standing(self, member: str) -> set[str]:
        return set(SegmentStore(self.running.table).profile(PROGRAM, member).standing)

    def moves(self, member: str) -> list[tuple[str, str]]:
        return [
            (kind.removeprefix("segment."), one["segment"])
            for kind, one in self.told
            if kind.startswith("segment.") and one["member"] == member
        ]

    def counts(self) -> dict[str, int]:
        body = self.running.call(self.operator, SHOW).body
        return {one["id"]: one["members"] for one in body["segments"] if one["members"]}

    def listed(self, segment: str, limit: int = 50) -> list[str]:
        found: list[str] = []
        query = {"limit": str(limit)}
        while True:
            body = self.running.call(self.operator, MEMBERS, params={"id": segment}, query=query).body
            assert len(body["members"]) <= limit
            found += [one["member"] for one in body["members"]]
            if "next" not in body:
                return found
            query["cursor"] = body["next"]

    def sound(self) -> None:
        """Counts, lists, profiles and what was told agree."""
        people: dict[str, set[str]] = {}
        for kind, one in dict.fromkeys((kind, json.dumps(one, sort_keys=True)) for kind, one in self.told):
            if kind.startswith("segment."):
                detail = json.loads(one)
                there = people.setdefault(detail["segment"], set())
                assert (detail["member"] in there) is (kind == "segment.left"), "once each, in turn"
                there ^= {detail["member"]}
        counts = self.counts()
        assert counts == {name: len(there) for name, there in people.items() if there}
        for name in counts:
            assert sorted(self.listed(name, 2)) == sorted(people[name])
            assert all(name in self.standing(member) for member in people[name])

    def due(self, member: str) -> list[int]:
        """Days of the member's timers."""
        return sorted(
            int(str(item["sk"]["S"]).split("#")[0])
            for item in self.running.engine.items()
            if item["t"]["S"] == keys.type_timer and member in item["sk"]["S"] and "#segment#" in item["pk"]["S"]
        )

    def night(self, day: int) -> dict[str, int]:
        """The batches of a day."""
        counts: dict[str, int] = {}
        store = TimerStore(self.running.table)
        for shard in range(keys.TIMER_SHARDS):
            found, _ = store.keys_of(PROGRAM, "segment", day, shard, "")
            if found:
                batch = {
                    "program": PROGRAM,
                    "kind": "segment",
                    "day": day,
                    "shard": shard,
                    "after": "",
                    "to": found[-1],
                }
                done = import_module("functions.segment_review.handler").lambda_handler(batch, None)
                counts = {name: counts.get(name, 0) + count for name, count in done.items()}
        return counts


@pytest.fixture
def shop(running: Running, monkeypatch: pytest.MonkeyPatch) -> Streamed:
    return Streamed(running, monkeypatch)


def joined(shop: Streamed, card: str, **attributes: Any) -> str:
    return str(enrol(shop.running, shop.operator, f"card:{card}", attributes=attributes).body["id"])


def buy(shop: Streamed, member: str, number: str, category: str = "tea", amount: str = "120.00") -> Response:
    now = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [{"amount": amount, "category": category}]
    body = {
        "source": "pos",
        "order_id": number,
        "member": member,
        "occurred_at": now,
        "currency": "EUR",
        "lines": lines,
    }
    return shop.running.call(shop.operator, "POST /v1/purchases", body, headers={"Idempotency-Key": number})


def test_segments_are_handed_in_shown_and_replaced_by_who_has_seen_them(shop: Streamed) -> None:
    running = shop.running
    assert running.call(shop.operator, SHOW).body == {"segments": []}
    done = shop.hand_in(SOURCE + "expect:\n  - {case: x, member: {points: 100}, in: [rich]}\n")
    assert (done.status, done.headers["etag"], done.body["version"], done.body["cases"]) == (200, '"1"', 1, 1)
    shown = running.call(shop.operator, SHOW)
    assert shown.headers["etag"] == '"1"'
    assert shown.body["source"].startswith(SOURCE)
    assert shown.body["segments"][0] == {
        "id": "bonn", "name": {"en": "In Bonn", "zh": "波恩"}, "when": "member.city = 'Bonn'", "members": 0,
    }  # fmt: skip
    assert shop.hand_in(tag='"1"').body["version"] == 2
    refused(shop.hand_in(tag='"1"'), 412, "SEGMENTS_VERSION_CONFLICT")


def test_what_is_wrong_with_a_file_is_told_in_its_places_and_nothing_changes(shop: Streamed) -> None:
    wrong = shop.hand_in("program: grocer\nsegments: {a: {name: {en: A, zh: 甲}, when: member.pionts > 1}}")
    refused(wrong, 422, "SEGMENTS_INVALID", "source")
    (issue,) = wrong.body["issues"]
    assert (issue["line"], issue["suggestion"]) == (2, "member.points")
    failed = shop.hand_in(SOURCE + "expect:\n  - {case: poor, member: {points: 99}, in: [rich]}\n")
    refused(failed, 422, "SEGMENTS_EXPECTATION_FAILED")
    assert "poor" in failed.body["detail"]
    assert shop.running.call(shop.operator, SHOW).body == {"segments": []}


def test_who_may_do_what(shop: Streamed) -> None:
    running = shop.running
    shop.hand_in()
    for role, may in {"till": "", "shop": "", "auditor": "rl", "marketer": "rw", "operator": "rwl"}.items():
        key = running.key(role, name=f"{role} 2")
        assert running.call(key, SHOW).status == (200 if "r" in may else 403)
        assert running.call(key, HAND_IN, {"source": SOURCE}).status == (200 if "w" in may else 403)
        assert running.call(key, MEMBERS, params={"id": "rich"}).status == (200 if "l" in may else 403)
    refused(running.call(shop.operator, MEMBERS, params={"id": "gone"}), 404, "SEGMENT_NOT_FOUND")
    wild = running.call(shop.operator, MEMBERS, params={"id": "rich"}, query={"cursor": "x"})
    refused(wild, 400, "REQUEST_INVALID", "cursor")


def test_members_enter_and_leave_as_things_happen_and_each_is_told_once(shop: Streamed) -> None:
    shop.hand_in()
    ada = joined(shop, "1", city="Bonn")
    shop.stream()
    assert shop.moves(ada) == [("entered", "bonn"), ("entered", "new")]
    assert buy(shop, ada, "o1").status == 201
    shop.stream()
    assert shop.standing(ada) == {"bonn", "new", "rich", "tea"}
    shop.give(ada, -50)
    shop.running.call(shop.operator, "PATCH /v1/members/{id}", {"attributes": {"city": "Köln"}}, params={"id": ada})
    buy(shop, ada, "o2", "rice", "30.00")
    shop.stream()
    assert shop.standing(ada) == {"new", "rich", "tea"}, "70 points and 30 more"
    buy(shop, ada, "o3", "rice", "200.00")
    shop.stream()
    assert shop.standing(ada) == {"new", "rich"}
    shop.sound()


def test_whatever_is_delivered_twice_or_late_changes_nothing(shop: Streamed) -> None:
    shop.hand_in()
    ada = joined(shop, "1")
    buy(shop, ada, "o1")
    shop.stream()
    before, told = shop.running.everything(), len(shop.moves(ada))
    records = [*shop.records]
    shop.behind.follow([*reversed(records)], "segment_members")
    assert shop.running.everything() == before
    shop.behind.follow(records, "publish")
    assert len(shop.moves(ada)) == 2 * told
    shop.sound()  # the ids are the same


def test_new_segments_are_looked_at_by_everybody_who_was_there_before(
    shop: Streamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 1)
    there = [joined(shop, str(number)) for number in range(40)]
    for member in there[:5]:
        shop.give(member, 100)
    shop.stream()
    assert shop.moves(there[0]) == []
    shop.hand_in()
    shop.stream()
    assert shop.counts() == {"new": 40, "rich": 5}
    assert sorted(shop.listed("rich", 2)) == sorted(there[:5])
    shop.sound()
    shop.hand_in(SOURCE.replace(">= 100", ">= 101").replace("  bonn:", "  # bonn:"))
    shop.stream()
    assert shop.counts() == {"new": 40}
    shop.sound()


def test_a_sweep_of_segments_that_are_in_force_no_more_ends(shop: Streamed) -> None:
    for number in range(3):
        joined(shop, str(number))
    shop.hand_in()
    shop.hand_in(SOURCE.replace(">= 100", ">= 1"))
    shop.stream()
    assert shop.counts() == {"new": 3}
    shop.sound()


def test_time_alone_moves_members_on_the_day_it_does(shop: Streamed) -> None:
    shop.hand_in()
    ada = joined(shop, "1")
    buy(shop, ada, "o1")
    shop.stream()
    today = wiring.policy(PROGRAM).day(int(time.time()))
    assert shop.due(ada) == [today + 30]
    shop.late = 30 * DAY
    assert shop.night(today + 30) == {"looked": 1, "written": 1, "aside": 0}
    assert shop.night(today + 30)["written"] == 0, "it is done already"
    shop.stream()
    assert shop.standing(ada) == {"rich", "tea"}
    assert shop.due(ada) == [today + 30, today + 40]
    shop.late = 40 * DAY
    assert shop.night(today + 40)["written"] == 1
    shop.stream()
    assert shop.moves(ada)[-2:] == [("left", "new"), ("entered", "silent")]
    assert shop.due(ada) == [today + 30, today + 40], "nothing more changes by itself"
    shop.sound()


def test_a_member_who_cannot_be_looked_at_is_set_aside_and_the_others_are_not(
    shop: Streamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.hand_in()
    there = [joined(shop, str(number)) for number in range(3)]
    shop.stream()
    today = wiring.policy(PROGRAM).day(int(time.time()))
    shop.late = 30 * DAY
    look = service.Audiences.look

    def fails(self: service.Audiences, program: str, account: str, now: int) -> bool:
        if account == there[1]:
            raise ValueError("unforeseen")
        return look(self, program, account, now)

    monkeypatch.setattr(service.Audiences, "look", fails)
    assert shop.night(today + 30) == {"looked": 3, "written": 2, "aside": 1}
    (aside,) = TimerStore(shop.running.table).aside(PROGRAM)
    assert (aside.reason, aside.timer.chain.account, aside.again) == ("ValueError", there[1], today + 31)
    assert shop.due(there[1]) == [today + 30, today + 31]


def test_closed_accounts_are_in_no_segment(shop: Streamed) -> None:
    shop.hand_in()
    ada = joined(shop, "1")
    shop.stream()
    body, headers = {"reason": "asked for it"}, {"Idempotency-Key": "c"}
    key = "POST /v1/members/{id}/close"
    assert shop.running.call(shop.operator, key, body, params={"id": ada}, headers=headers).status in (200, 201)
    shop.stream()
    assert shop.moves(ada) == [("entered", "new"), ("left", "new")]
    assert shop.counts() == {}


def test_the_top_tenth_by_points_is_counted_before_anybody_is_in_it(shop: Streamed) -> None:
    there = [joined(shop, str(number)) for number in range(20)]
    for number, member in enumerate(there):
        shop.give(member, 100 * (number + 1))
    shop.stream()
    shop.hand_in(RANKED)
    shop.stream()
    assert sorted(shop.listed("top")) == sorted(there[-2:])
    assert sum(SegmentStore(shop.running.table).spread(PROGRAM).values()) == 20
    shop.give(there[0], 5_000)
    shop.stream()
    assert there[0] in shop.listed("top")
    assert sum(SegmentStore(shop.running.table).spread(PROGRAM).values()) == 20
    shop.sound()


@pytest.mark.parametrize("newest", [True, False])
def test_nobody_is_in_the_top_tenth_before_all_are_counted_in_whatever_order_pages_come(
    shop: Streamed, monkeypatch: pytest.MonkeyPatch, *, newest: bool
) -> None:
    monkeypatch.setattr(service, "SECONDS", 30)
    monkeypatch.setattr(service, "PAGE", 2)
    there = [joined(shop, str(number)) for number in range(30)]
    for number, member in enumerate(there):
        shop.give(member, 6 * 5**number // 4**number)  # each a place of its own
    shop.stream()
    wiring.audiences()._of_spread(PROGRAM, int(time.time()))  # noqa: SLF001 - this copy has read it before
    shop.hand_in(RANKED)
    waiting: list[str] = []
    while (fresh := shop.fresh()) or waiting:
        import_module("functions.relay.handler").lambda_handler({"Records": fresh}, None)
        waiting += shop.behind.queues["segment_members"]
        shop.behind.queues["segment_members"] = [waiting.pop(-1 if newest else 0)] if waiting else []
        shop.behind.drain("segment_members")
    assert {member for member in there if "top" in shop.standing(member)} == {*there[-3:]}
    moves = [item for item in shop.running.engine.items() if item["t"]["S"] == keys.type_audience]
    assert len(moves) == 3, "nobody was in it on the way"


def test_a_copy_that_knew_other_segments_goes_by_those_in_force(
    shop: Streamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SECONDS", 30)
    joined(shop, "1", city="Bonn")
    shop.stream()  # whoever was called knows that there are none
    copies = [wiring.audiences(), Audiences(wiring.audiences()._store, wiring.audiences()._from)]  # noqa: SLF001 - another
    copies[1].look(PROGRAM, "mem_0", int(time.time()))
    shop.hand_in()
    shop.stream()
    monkeypatch.setattr("functions.segment_members.handler.audiences", lambda: copies[1])
    ben = joined(shop, "2", city="Bonn")
    shop.stream()
    assert shop.standing(ben) == {"bonn", "new"}, "it was asked anew"


def test_a_look_that_began_by_older_segments_does_not_undo_what_newer_ones_did(
    shop: Streamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SECONDS", 30)
    ada, now = joined(shop, "1", city="Bonn"), int(time.time())
    shop.hand_in()
    shop.stream()
    late = Audiences(wiring.audiences()._store, wiring.audiences()._from)  # noqa: SLF001 - another copy
    late.look(PROGRAM, ada, now)
    shop.hand_in(SOURCE.replace("= 'Bonn'", "= 'Berlin'"), '"1"')
    shop.stream()
    assert shop.standing(ada) == {"new"}
    assert late.look(PROGRAM, ada, now) is False
    assert shop.standing(ada) == {"new"}
    shop.sound()


def test_rules_read_the_segments_that_a_member_is_in_besides_those_set_by_hand(shop: Streamed) -> None:
    running = shop.running
    rules = Path(__file__).with_name("segments_rules.yaml").read_text(encoding="utf-8")
    made = running.call(shop.operator, "POST /v1/rule-sets", {"source": rules}).body["id"]
    done = running.call(shop.operator, "POST /v1/rule-sets/{id}/publish", params={"id": made})
    assert done.status == 200, done.body
    wiring.rules_in_force.cache_clear()
    wiring.earning.cache_clear()
    ada = joined(shop, "1")
    assert buy(shop, ada, "o1", amount="10.00").body["points"] == 10
    shop.hand_in()
    shop.stream()
    assert buy(shop, ada, "o2", amount="10.00").body["points"] == 20, "new members earn twice"
    running.call(shop.operator, "PATCH /v1/members/{id}", {"segments": ["friend"]}, params={"id": ada})
    assert buy(shop, ada, "o3", amount="10.00").body["points"] == 25


def test_of_two_who_look_at_once_one_tells(shop: Streamed, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.hand_in()
    ada = joined(shop, "1")
    shop.stream()
    shop.give(ada, 500)
    now = int(time.time())
    write = SegmentStore.write
    begun: list[int] = []
    first: list[bool] = []

    def late(self: SegmentStore, *what: Any) -> None:
        if not begun:
            begun.append(1)
            first.append(wiring.audiences().look(PROGRAM, ada, now))
        write(self, *what)

    monkeypatch.setattr(SegmentStore, "write", late)
    assert wiring.audiences().look(PROGRAM, ada, now) is False, "the other was first"
    assert first == [True]
    shop.stream()
    assert shop.moves(ada) == [("entered", "new"), ("entered", "rich")]
    shop.sound()


def test_an_entry_that_comes_while_a_member_is_looked_at_is_looked_at_too(
    shop: Streamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.hand_in()
    ada = joined(shop, "1")
    shop.stream()
    shop.give(ada, 500)
    now = int(time.time())
    write = SegmentStore.write
    done: list[int] = []

    def spent_meanwhile(self: SegmentStore, *what: Any) -> None:
        if not done:
            done.append(1)
            shop.give(ada, -450)
        write(self, *what)

    monkeypatch.setattr(SegmentStore, "write", spent_meanwhile)
    assert wiring.audiences().look(PROGRAM, ada, now)
    assert shop.standing(ada) == {"new"}
    shop.stream()
    assert shop.moves(ada) == [("entered", "new"), ("entered", "rich"), ("left", "rich")]
    shop.sound()


def test_who_is_never_first_comes_again_later(shop: Streamed, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.hand_in()
    ada = joined(shop, "1")

    def contended(*_: Any) -> None:
        raise Contended

    monkeypatch.setattr(SegmentStore, "write", contended)
    with pytest.raises(Unavailable):
        wiring.audiences().look(PROGRAM, ada, int(time.time()))
    with pytest.raises(Unavailable):
        service.review(wiring.audiences(), [Chain(PROGRAM, ada, "points")], int(time.time()), never)


def never(chain: Chain, error: Exception) -> None:
    raise AssertionError(chain, error)


def test_without_segments_nobody_is_looked_at(shop: Streamed) -> None:
    ada = joined(shop, "1")
    buy(shop, ada, "o1")
    shop.stream()
    assert shop.told
    assert not [item for item in shop.running.engine.items() if item["t"]["S"] == keys.type_profile]
