"""What the stream brings is handed on: to whom, in how few messages, and what becomes of it when it cannot be read,
cannot be taken, or comes twice and in any order.
"""

import json
from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from functions.arm import handler as arm
from functions.recover import handler as recover
from functions.relay import handler as relaying
from functions.segment_members import handler as segment_members
from loyalty.earning.purchase import Line
from loyalty.earning.store import OrderStore
from loyalty.runtime import outbound, wiring
from loyalty.runtime.relay import MAX_AMOUNTS, NotTaken, Relay
from loyalty.segments import service
from loyalty.segments.profile import KEPT_ORDERS, Profile
from loyalty.segments.store import SegmentStore
from loyalty.table import keys
from tests.unit.relaying import Behind, messages
from tests.unit.running import PROGRAM, Running, forget

SEGMENTS = """\
program: grocer
categories: [tea]
segments:
  rich: {name: {en: Rich, zh: 富}, when: member.points >= 100}
  tea: {name: {en: Tea, zh: 茶}, when: member.favourite = 'tea'}
"""
Record = dict[str, Any]


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    running = Running().deploy(monkeypatch)
    running.establish(expiry={"kind": "rolling", "months": 12}, purchases_since="2020-01-01")
    monkeypatch.setattr(service, "SECONDS", 0)
    yield running
    forget()


@pytest.fixture
def behind(running: Running, monkeypatch: pytest.MonkeyPatch) -> Behind:
    del running  # it is there before
    return Behind(monkeypatch)


@pytest.fixture
def ada(running: Running) -> str:
    return str(running.call(running.key("till"), "POST /v1/members", {"identities": ["card:1"]}).body["id"])


def recorded(running: Running) -> list[Record]:
    """All that the stream has brought so far, but for what was removed."""
    found = [record for part in running.engine.stream().values() for record in part]
    return [record for record in found if record["eventName"] != "REMOVE"]


def buy(running: Running, member: str, order: str, amount: str = "60.00", category: str = "tea") -> None:
    body = {
        "source": "pos", "order_id": order, "member": member, "occurred_at": "2026-01-01T12:00:00Z", "currency": "EUR",
        "lines": [{"amount": amount, "category": category}],
    }  # fmt: skip
    headers = {"Idempotency-Key": f"buy-{order}"}
    assert running.call(running.key("till"), "POST /v1/purchases", body, headers=headers).status == 201


def handed_on(behind: Behind, records: list[Record]) -> dict[str, list[Any]]:
    """What the relay makes of records; nobody drains it."""
    relaying.lambda_handler({"Records": records}, None)
    found = {name: [json.loads(body) for body in bodies] for name, bodies in behind.queues.items()}
    behind.queues.update({name: [] for name in found})
    return found


def items(running: Running, kind: str) -> list[Record]:
    """Stored items of a type, plain."""
    return [
        {name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()}
        for item in running.engine.items()
        if item["t"]["S"] == kind
    ]


def test_a_purchase_is_one_message_to_who_looks_at_orders_and_one_to_who_looks_at_members(
    running: Running, behind: Behind, ada: str
) -> None:
    buy(running, ada, "1")
    before = recorded(running)
    handed_on(behind, before)
    buy(running, ada, "2")
    found = handed_on(behind, [one for one in recorded(running) if one not in before])
    assert found["recover"] == [{"order": keys.order(PROGRAM, "pos", "2")[0]}]
    assert found["arm"] == [], "its end is no nearer than the first purchase's"
    bought = [{"source": "pos", "order_id": "2", "amounts": [["tea", 6000]]}]
    assert found["segment_members"] == [{"program": PROGRAM, "account": ada, "bought": bought, "otherwise": True}]


def test_entries_that_name_timers_are_handed_on_to_be_armed_and_the_first_of_each_programme(
    running: Running, behind: Behind, ada: str
) -> None:
    found = handed_on(behind, recorded(running))["arm"]
    assert [keys.parse_chain(one["item"][keys.PK])[:2] for one in found] == [(PROGRAM, ada)], "its nights begin"
    buy(running, ada, "1")
    numbers = [one["item"][keys.SK] for one in handed_on(behind, recorded(running))["arm"]]
    assert numbers == [keys.entry(2)], "its points end one day; and the programme is known"


def test_a_programme_is_known_only_when_its_entry_was_taken(running: Running, ada: str) -> None:
    (entry,) = [one for one in items(running, keys.type_entry) if one[keys.PK] == keys.chain(PROGRAM, ada, "points")]
    refused = {"arm": 1}
    sent: list[str] = []

    def put(name: str, bodies: Any) -> int:
        sent.extend(bodies if name == "arm" else ())
        return refused.get(name, 0)

    hands = Relay(put)
    with pytest.raises(NotTaken, match="arm: 1"):
        hands.hand_on([("INSERT", entry)])
    refused.clear()
    for _ in range(2):
        hands.hand_on([("INSERT", entry)])
    assert len(sent) == 2


def test_what_is_changed_concerns_segments_alone(running: Running, behind: Behind, ada: str) -> None:
    buy(running, ada, "1")
    behind.follow([{**one, "eventName": "MODIFY"} for one in recorded(running)], "recover", "arm", "segment_members")
    assert behind.sent == {"segment_members": 1}, "the order and the member are one; an entry never changes"


def test_a_member_who_buys_very_much_is_told_of_in_several_messages_none_of_which_is_too_large(
    running: Running, behind: Behind, ada: str
) -> None:
    buy(running, ada, "1")
    order = OrderStore(running.table).get(PROGRAM, "pos", "1")
    assert order is not None
    wide = tuple(Line(100, category=f"{at:03}" + "漢" * 61) for at in range(MAX_AMOUNTS))
    body = [one for one in recorded(running) if one["dynamodb"]["NewImage"]["t"]["S"] == "order"]
    for number in ("2", "3"):
        OrderStore(running.table).claim(PROGRAM, replace(order, order_id=number, lines=wide))
    records = [one for one in recorded(running) if one["dynamodb"]["NewImage"]["t"]["S"] == "order"]
    assert len(records) == len(body) + 2
    handed_on(behind, [])
    relaying.lambda_handler({"Records": records}, None)
    bodies = behind.queues["segment_members"]
    assert sorted(each["order_id"] for one in bodies for each in json.loads(one)["bought"]) == ["1", "2", "3"]
    assert len(bodies) == 3
    assert all(len(one.encode()) < 262_144 for one in bodies)


def test_a_message_has_no_more_orders_than_a_profile_keeps_in_mind(running: Running, ada: str, behind: Behind) -> None:
    buy(running, ada, "0")
    order = OrderStore(running.table).get(PROGRAM, "pos", "0")
    assert order is not None
    for number in range(1, 2 * KEPT_ORDERS):
        OrderStore(running.table).claim(PROGRAM, replace(order, order_id=str(number)))
    records = [one for one in recorded(running) if one["dynamodb"]["NewImage"]["t"]["S"] == "order"]
    handed_on(behind, [])
    relaying.lambda_handler({"Records": records}, None)
    bought = [json.loads(one)["bought"] for one in behind.queues["segment_members"]]
    assert [len(one) for one in bought] == [KEPT_ORDERS, KEPT_ORDERS]
    profile = Profile()
    for _ in range(2):  # the queue gives the first of them twice
        for one in bought[0]:
            profile = profile.bought(one["order_id"], [tuple(amount) for amount in one["amounts"]], ())
    assert sum(profile.spent.values()) == KEPT_ORDERS * order.amount


def test_what_a_queue_does_not_take_brings_the_batch_again(
    running: Running, ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("recover", "arm", "segment_members"):
        monkeypatch.setenv(f"{name.upper()}_QUEUE_URL", name)
    forget()
    asked: list[str] = []

    def send_all(queue: str, bodies: list[str]) -> int:
        asked.append(queue)
        return len(bodies) if queue == "recover" else 0

    monkeypatch.setattr(outbound, "send_all", send_all)
    buy(running, ada, "1")
    with pytest.raises(NotTaken, match=r"recover: 1$"):
        relaying.lambda_handler({"Records": recorded(running)}, None)
    assert set(asked) == {"recover", "arm", "segment_members"}, "the others have theirs"


class Queue:
    """SQS, as far as batches of messages go."""

    def __init__(self, refuses: set[int]) -> None:
        self.batches: list[list[str]] = []
        self._refuses = refuses

    def send_message_batch(self, **asked: Any) -> dict[str, Any]:
        assert asked["QueueUrl"] == "q"
        self.batches.append([one["MessageBody"] for one in asked["Entries"]])
        failed = [one for one in asked["Entries"] if len(self.batches) in self._refuses]
        return {"Failed": [{"Id": one["Id"]} for one in failed]} if failed else {}


def test_messages_go_ten_at_a_time_as_far_as_they_have_room_and_who_is_refused_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = Queue(refuses={2})
    monkeypatch.setattr(outbound, "_client", lambda _: queue)
    assert outbound.send_all("q", [str(number) for number in range(25)]) == 10
    assert [len(one) for one in queue.batches] == [10, 10, 5]
    assert [body for batch in queue.batches for body in batch] == [str(number) for number in range(25)]
    queue.batches.clear()
    large = "漢" * 40_000
    assert outbound.send_all("q", [large, large, large, "x"]) == 2
    assert queue.batches == [[large, large], [large, "x"]], "256 KiB a request"
    assert outbound.send_all("q", []) == 0


def test_a_record_that_cannot_be_read_is_in_nobodys_way_and_fails_where_it_is_needed(
    running: Running, behind: Behind, ada: str
) -> None:
    running.call(running.key("marketer"), "POST /v1/segments", {"source": SEGMENTS})
    buy(running, ada, "1")
    records = json.loads(json.dumps(recorded(running)))
    for record in records:
        if record["dynamodb"]["NewImage"]["t"]["S"] in ("entry", "order"):
            record["dynamodb"]["NewImage"]["body"] = {"S": "{"}
    relaying.lambda_handler({"Records": records}, None)
    poison = [one for one in behind.queues["segment_members"] if "item" in one and '"order"' in one]
    assert len(poison) == 1
    good = next(one for one in behind.queues["segment_members"] if "account" in one)
    answer = segment_members.lambda_handler(messages(poison[0], good), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    (last,) = [one for one in behind.queues["arm"] if keys.entry(2) in one]
    assert arm.lambda_handler(messages(last), None) == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert recover.lambda_handler(messages(*behind.queues["recover"]), None) == {"batchItemFailures": []}
    assert recover.lambda_handler(messages('{"order": "x"}'), None) == {"batchItemFailures": [{"itemIdentifier": "0"}]}


def test_an_order_that_cannot_be_read_troubles_nobody_who_does_not_ask_what_was_bought(
    running: Running, behind: Behind, ada: str
) -> None:
    buy(running, ada, "1")
    order = next(one for one in items(running, keys.type_order))
    body = json.dumps({"item": {**order, "body": "{"}})
    assert segment_members.lambda_handler(messages(body), None) == {"batchItemFailures": []}
    behind.drain()


def test_whatever_the_order_in_which_messages_come_and_however_often_the_same_stands_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends = set()
    for order in permutations(range(4)):
        with monkeypatch.context() as patched:
            running = Running().deploy(patched)
            running.establish(expiry={"kind": "rolling", "months": 12}, purchases_since="2020-01-01")
            behind = Behind(patched)
            running.call(running.key("marketer"), "POST /v1/segments", {"source": SEGMENTS})
            ada = str(running.call(running.key("till"), "POST /v1/members", {"identities": ["card:1"]}).body["id"])
            for number in ("1", "2", "3"):
                buy(running, ada, number)
            for record in recorded(running):
                relaying.lambda_handler({"Records": [record]}, None)
            for name, waiting in behind.queues.items():
                parts = [waiting[at::4] for at in order]
                behind.queues[name] = [one for part in (*parts, parts[0]) for one in part]
            behind.drain()
            profile = SegmentStore(running.table).profile(PROGRAM, ada)
            timers = sorted(str(one[keys.PK]).split("#")[2] for one in items(running, keys.type_timer))
            counts = wiring.audiences().counts(PROGRAM)
            ends.add((tuple(sorted(profile.standing)), profile.spent["tea"], tuple(timers), *sorted(counts.items())))
    forget()
    assert ends == {(("rich", "tea"), 18_000, ("expiry",), ("rich", 1), ("tea", 1))}
