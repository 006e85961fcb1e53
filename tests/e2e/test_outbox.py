"""What the ledger has done is told to the bus, once for each event, and noted beside each chain; and whoever changes
an entry in the table is found out by it.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest

from loyalty.ledger.account import State
from loyalty.ledger.chain import Chain, digest
from loyalty.table import keys
from tests.e2e.calls import Api
from tests.e2e.stack import Stack

NOW: Final = "2026-03-01T12:30:00Z"
SCHEMAS: Final = Path(__file__).parents[2] / "docs" / "events"

Enrol = Callable[..., str]
Event = dict[str, Any]


@pytest.fixture(scope="module")
def heard(stack: Stack) -> Iterator[Callable[[str], list[Event]]]:
    """``heard(member)`` gives every event of a member that a rule on the bus has delivered so far, in order."""
    events, sqs = stack.client("events"), stack.client("sqs")
    name = f"e2e-{secrets.token_hex(4)}"
    bus = stack.outputs["EventBusName"]
    hidden = {"VisibilityTimeout": "43200"}  # what was taken is not given again, however long it is until it is deleted
    queue = sqs.create_queue(QueueName=name, Attributes=hidden)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["loyalty"], "detail-type": [{"prefix": ""}]})
    events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    kept: list[Event] = []

    def of(member: str) -> list[Event]:
        stack.settle()
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                kept.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [event for event in kept if event["detail"]["member"] == member]

    yield of
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=queue)


def eventful(till: Api, operator: Api, member: str) -> list[tuple[str, int]]:
    """A life of one account, and the (event, points) that it is expected to be told by, in order."""
    purchase = {
        "source": "pos",
        "order_id": secrets.token_hex(6),
        "member": member,
        "occurred_at": NOW,
        "currency": "USD",
        "lines": [{"amount": "90.00"}],
    }
    till.post("/v1/purchases", purchase, key="buy").expect(201)
    assert till.post("/v1/purchases", purchase, key="buy").replayed
    till.post("/v1/events", {"type": "check_in", "member": member, "occurred_at": NOW}).expect(201)
    spent = till.post(f"/v1/members/{member}/redemptions", {"points": 40}).expect(201)["redemption"]
    till.post(f"/v1/members/{member}/redemptions", {"points": 400}).expect(422, "POINTS_INSUFFICIENT")
    till.post(f"/v1/redemptions/{spent}/cancel").expect(201)
    hold = till.post(f"/v1/members/{member}/holds", {"points": 30}).expect(201)["hold"]["id"]
    till.post(f"/v1/holds/{hold}/capture", {"points": 10}).expect(201)
    other = till.post(f"/v1/members/{member}/holds", {"points": 5}).expect(201)["hold"]["id"]
    till.post(f"/v1/holds/{other}/release").expect(201)
    till.post(f"/v1/members/{member}/redemptions", {"points": 60}).expect(201)
    till.post(f"/v1/purchases/pos/{purchase['order_id']}/returns").expect(201)
    operator.post(f"/v1/members/{member}/adjustments", {"points": 100, "reason": "sorry"}).expect(201)
    operator.post(f"/v1/members/{member}/freeze", {"reason": "lost"}).expect(201)
    operator.post(f"/v1/members/{member}/unfreeze", {"reason": "found"}).expect(201)
    operator.post(f"/v1/members/{member}/close", {"reason": "moved", "forfeit": True}).expect(201)
    return [
        ("member.enrolled", 0),
        ("points.earned", 90),
        ("points.earned", 5),
        ("points.spent", 40),
        ("points.restored", 40),
        ("points.held", 30),
        ("points.spent", 10),
        ("points.released", 20),
        ("points.held", 5),
        ("points.released", 5),
        ("points.spent", 60),
        ("points.reversed", 25),
        ("points.owed", 65),
        ("points.adjusted", 100),
        ("points.repaid", 65),
        ("account.frozen", 0),
        ("account.unfrozen", 0),
        ("points.forfeited", 35),
        ("account.closed", 0),
    ]


def test_every_entry_is_told_once_and_in_order(
    stack: Stack, heard: Callable[[str], list[Event]], till: Api, operator: Api, enrol: Enrol
) -> None:
    member = enrol()
    expected = eventful(till, operator, member)
    told = heard(member)
    assert [(event["detail-type"], event["detail"].get("points", 0)) for event in told] == expected
    ids = [event["detail"]["id"] for event in told]
    assert len(set(ids)) == len(ids)
    of_entries = [event["detail"] for event in told if "entry" in event["detail"]]
    entries = operator.get(f"/v1/members/{member}/entries?limit=100").expect(200)["entries"]
    moved = {entry["id"]: entry for entry in entries if entry["kind"] != "opened"}
    assert {detail["entry"] for detail in of_entries} == set(moved)
    for detail in of_entries:
        assert detail["balance"] == moved[detail["entry"]]["balance"]
    assert [detail["number"] for detail in of_entries] == sorted(detail["number"] for detail in of_entries)


def test_events_are_as_their_schemas_say_and_name_nobody(
    heard: Callable[[str], list[Event]], till: Api, operator: Api, enrol: Enrol
) -> None:
    mark = secrets.token_hex(8)
    member = enrol(identities=[f"card:{mark}"], attributes={"name": mark})
    eventful(till, operator, member)
    for event in heard(member):
        schema = json.loads((SCHEMAS / f"{event['detail-type']}.json").read_text())
        jsonschema_rs.validate(schema, event["detail"])
        assert (event["source"], event["detail"]["program"]) == ("loyalty", "alpha")
        assert mark not in json.dumps(event)


def test_the_newest_entry_of_each_chain_is_noted_beside_it(stack: Stack, till: Api, enrol: Enrol) -> None:
    member = enrol(points=100)
    stack.settle()
    pk, sk = keys.head("alpha", member, "points")
    for number in (2, 3, 4):
        stack.settle()
        items = stack.items("alpha")
        entry = items[Chain("alpha", member, "points").pk, keys.entry(number)]
        head = items[pk, sk]
        assert (head["number"]["N"], head["hash"]) == (str(number), entry["hash"])
        assert int(head["available"]["N"]) == 102 - number
        till.post(f"/v1/members/{member}/redemptions", {"points": 1}).expect(201)


class Tampered:
    """One chain in the table, to be changed behind the ledger's back and put right again."""

    def __init__(self, stack: Stack, member: str) -> None:
        self._table = stack.client("dynamodb")
        self._name = stack.outputs["TableName"]
        self.pk = Chain("alpha", member, "points").pk
        found = self._table.query(
            TableName=self._name,
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": self.pk}},
            ConsistentRead=True,
        )["Items"]
        self.entries: list[dict[str, Any]] = found

    def put(self, *items: dict[str, Any]) -> None:
        for item in items:
            self._table.put_item(TableName=self._name, Item=item)

    def remove(self, item: dict[str, Any]) -> None:
        self._table.delete_item(TableName=self._name, Key={"pk": item["pk"], "sk": item["sk"]})

    def restore(self) -> None:
        """Only what differs is written: an entry that was gone would be told to the bus again."""
        self.put(*self.entries)


@pytest.fixture(scope="module")
def chain(stack: Stack, till: Api, operator: Api) -> Tampered:
    made = operator.post("/v1/members", {"identities": [f"card:{secrets.token_hex(8)}"]}).expect(201)
    member = str(made["id"])
    operator.post(f"/v1/members/{member}/adjustments", {"points": 500, "reason": "to begin with"}).expect(201)
    for points in (10, 20, 30):
        till.post(f"/v1/members/{member}/redemptions", {"points": points}).expect(201)
    hold = till.post(f"/v1/members/{member}/holds", {"points": 50}).expect(201)["hold"]["id"]
    till.post(f"/v1/holds/{hold}/capture", {"points": 20}).expect(201)
    stack.settle()
    found = Tampered(stack, member)
    assert len(found.entries) == 7
    return found


def rehashed(item: dict[str, Any]) -> dict[str, Any]:
    """The entry with the hash that fits what it now holds: by somebody who has read how it is made."""
    hash_ = digest(item["pk"]["S"], item["sk"]["S"], item["ref"]["S"], item["body"]["S"])
    return {**item, "hash": {"S": hash_}}


def richer(item: dict[str, Any]) -> dict[str, Any]:
    """The entry with a point more than there was."""
    body = json.loads(item["body"]["S"])
    state = State.decode(0, body["s"])
    lot = next(iter(state.lots), (0, 0))
    state.lots[lot] = state.lots.get(lot, 0) + 1
    body["s"] = state.encode()
    return {**item, "body": {"S": json.dumps(body, separators=(",", ":"), ensure_ascii=False)}}


CHANGES: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "points more": richer,
    "points more, hash made to fit": lambda item: rehashed(richer(item)),
    "another reference": lambda item: {**item, "ref": {"S": item["ref"]["S"] + "x"}},
    "another reference, hash made to fit": lambda item: rehashed({**item, "ref": {"S": item["ref"]["S"] + "x"}}),
    "another hash": lambda item: {**item, "hash": {"S": item["hash"]["S"][::-1]}},
    "a space in its body": lambda item: {**item, "body": {"S": item["body"]["S"] + " "}},
    "no body": lambda item: {**item, "body": {"S": "{}"}},
    "another type": lambda item: {**item, "t": {"S": "order"}},
    "an attribute more": lambda item: {**item, "note": {"S": "x"}},
    "an attribute less": lambda item: {name: value for name, value in item.items() if name != "hash"},
    "a body of another kind": lambda item: {**item, "body": {"N": "1"}},
}


@pytest.fixture
def verified(stack: Stack, auditor: Api, chain: Tampered) -> Iterator[Callable[[], dict[str, Any]]]:
    """What GET verification says; afterwards the chain is as it was, and says so."""
    member = keys.parse_chain(chain.pk)[1]

    def ask() -> dict[str, Any]:
        found: dict[str, Any] = auditor.get(f"/v1/members/{member}/verification").expect(200)
        return found

    assert ask()["ok"]
    yield ask
    chain.restore()
    stack.settle()
    assert ask() == {"member": member, "wallet": "points", "entries": len(chain.entries), "ok": True}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_entry_is_named(change: str, chain: Tampered, verified: Callable[[], dict[str, Any]]) -> None:
    for number, item in enumerate(chain.entries, 1):
        changed = CHANGES[change](item)
        chain.put(changed)
        found = verified()
        chain.put(item)
        assert (found["ok"], found["number"]) == (False, number), found
        assert found["entry"].endswith(f"-points-{number}")
        assert found["reason"]


def test_a_removed_entry_is_named_the_newest_too(chain: Tampered, verified: Callable[[], dict[str, Any]]) -> None:
    for number, item in enumerate(chain.entries, 1):
        chain.remove(item)
        found = verified()
        chain.put(item)
        assert (found["ok"], found["number"]) == (False, number), found


def test_an_end_that_was_cut_off_is_named(chain: Tampered, verified: Callable[[], dict[str, Any]]) -> None:
    for kept in range(len(chain.entries)):
        for item in chain.entries[kept:]:
            chain.remove(item)
        found = verified()
        chain.restore()
        assert (found["ok"], found["number"]) == (False, kept + 1), found


def test_two_entries_that_changed_places_are_named(chain: Tampered, verified: Callable[[], dict[str, Any]]) -> None:
    for first in range(len(chain.entries)):
        for second in range(first + 1, len(chain.entries)):
            one, other = chain.entries[first], chain.entries[second]
            for fits in (False, True):
                swapped = [{**other, "sk": one["sk"]}, {**one, "sk": other["sk"]}]
                chain.put(*(map(rehashed, swapped) if fits else swapped))
                found = verified()
                chain.put(one, other)
                assert (found["ok"], found["number"]) == (False, first + 1), found


def test_an_entry_that_nobody_posted_is_named(stack: Stack, auditor: Api, enrol: Enrol) -> None:
    member = enrol(points=100)
    stack.settle()
    tampered = Tampered(stack, member)
    number = len(tampered.entries) + 1
    added = {**tampered.entries[-1], "sk": {"S": keys.entry(number)}}
    tampered.put(rehashed(richer(added)))
    found = auditor.get(f"/v1/members/{member}/verification").expect(200)
    tampered.remove(added)
    # Once the stream has told of it too, nothing says which of the two that disagree was there first.
    assert not found["ok"]
    assert found["number"] in {number - 1, number}
