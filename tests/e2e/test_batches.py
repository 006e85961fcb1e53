"""Late arrivals: batches on the ingest queue, out of order and more than once, and a poison item among them; and a
crash between a purchase's order document and its entry.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from loyalty.earning.purchase import Line, Order, OrderTerms
from loyalty.earning.store import OrderStore
from loyalty.values import Rate
from tests.e2e.calls import Api
from tests.e2e.stack import STORE, Stack
from tests.patience import eventually

NOW: Final = "2026-03-01T12:30:00Z"

Enrol = Callable[..., str]


def purchase(member: str, order_id: str, amount: str = "10.00", **further: Any) -> dict[str, Any]:
    return {
        "type": "purchase",
        "source": "pos",
        "order_id": order_id,
        "member": member,
        "occurred_at": NOW,
        "currency": "USD",
        "lines": [{"amount": amount}],
        **further,
    }


def taken_back(order_id: str, return_id: str, **further: Any) -> dict[str, Any]:
    return {"type": "return", "source": "pos", "order_id": order_id, "return_id": return_id, **further}


def points(api: Api, member: str) -> int:
    found: int = api.get(f"/v1/members/{member}/balance").expect(200)["balance"]["available"]
    return found


def kinds(api: Api, member: str) -> list[str]:
    page = api.get(f"/v1/members/{member}/entries?limit=100").expect(200)
    return [entry["kind"] for entry in reversed(page["entries"])]


class Queues:
    """The ingest queue and its dead letters."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._sqs = stack, stack.client("sqs")
        self.ingest = stack.outputs["IngestQueueUrl"]
        self.dead = stack.outputs["IngestDeadLetterUrl"]

    def send(self, *messages: Any) -> None:
        """Straight onto the queue, as it may be long after a till handed it in."""
        for message in messages:
            body = message if isinstance(message, str) else json.dumps(message)
            self._sqs.send_message(QueueUrl=self.ingest, MessageBody=body)

    def drained(self) -> None:
        """Return when nothing waits on the queue and nothing of it is being worked on."""
        self._stack.drained("ingest")

    def dead_letters(self) -> list[tuple[Any, dict[str, str]]]:
        """(body, attributes) of all dead letters, which are taken away."""
        found: list[tuple[Any, dict[str, str]]] = []
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self.dead, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
            )
            messages = answer.get("Messages", [])
            if not messages:
                return found
            for message in messages:
                attributes = message.get("MessageAttributes", {})
                said = {name: value["StringValue"] for name, value in attributes.items()}
                found.append((json.loads(message["Body"]), said))
                self._sqs.delete_message(QueueUrl=self.dead, ReceiptHandle=message["ReceiptHandle"])


@pytest.fixture
def queues(stack: Stack) -> Iterator[Queues]:
    found = Queues(stack)
    found.drained()
    found.dead_letters()
    yield found
    found.drained()
    found.dead_letters()


def message(stack: Stack, *items: Any, role: str = "till") -> dict[str, Any]:
    """A message as the submit function writes it."""
    client = stack.programmes["alpha"].tokens[role].split(".")[1]
    return {"program": "alpha", "client": client, "store": "", "items": list(items)}


def test_a_batch_is_posted_and_handed_in_again_counts_once(
    queues: Queues, till: Api, enrol: Enrol, auditor: Api
) -> None:
    members = [enrol() for _ in range(3)]
    mark = secrets.token_hex(4)
    items = [purchase(members[number % 3], f"{mark}-{number}", "7.50") for number in range(30)]
    answer = till.post("/v1/batches", {"items": items}, key=None).expect(202)
    assert (answer["items"], answer["id"][:4]) == (30, "bat_")
    till.post("/v1/batches", {"items": items}, key=None).expect(202)
    till.post("/v1/batches", {"items": [*items[:5], *items[:5]]}, key=None).expect(202)
    queues.drained()
    for member in members:
        assert points(till, member) == 75, "10 purchases of 7.50"
        assert kinds(till, member) == ["opened"] + ["earned"] * 10
        assert auditor.get(f"/v1/members/{member}/verification").expect(200)["ok"]
    assert queues.dead_letters() == []


def test_what_a_till_has_posted_itself_is_not_posted_again(queues: Queues, till: Api, enrol: Enrol) -> None:
    member = enrol()
    order = secrets.token_hex(4)
    item = purchase(member, order)
    till.post("/v1/purchases", {name: value for name, value in item.items() if name != "type"}).expect(201)
    till.post("/v1/batches", {"items": [item]}, key=None).expect(202)
    queues.drained()
    assert kinds(till, member) == ["opened", "earned"]
    assert queues.dead_letters() == []


def test_two_channels_hand_in_the_same_order(stack: Stack, queues: Queues, till: Api, enrol: Enrol) -> None:
    card = f"card:{secrets.token_hex(6)}"
    member = enrol(identities=[card])
    order = secrets.token_hex(4)
    queues.send(message(stack, purchase(member, order)))
    queues.drained()
    lines = [{"amount": 1000, "product": "tea", "category": "food"}]
    other = purchase(member, order, channel="online", store=STORE, lines=lines, occurred_at="2026-03-02T08:00:00Z")
    by_card = {name: value for name, value in other.items() if name != "member"} | {"identity": card}
    queues.send(message(stack, other, role="shop"), message(stack, by_card, role="shop"))
    queues.drained()
    assert kinds(till, member) == ["opened", "earned"]
    assert queues.dead_letters() == []


def test_a_return_before_its_purchase_waits_for_it(stack: Stack, queues: Queues, till: Api, enrol: Enrol) -> None:
    member = enrol()
    order = secrets.token_hex(4)
    queues.send(message(stack, taken_back(order, "r1", amount="4.00")), message(stack, taken_back(order, "r2")))
    queues.send(message(stack, taken_back(order, "r1", amount="4.00")))
    queues.drained()
    stack.settle()
    assert kinds(till, member) == ["opened"]
    assert queues.dead_letters() == []
    queues.send(message(stack, purchase(member, order)))
    queues.drained()
    eventually(lambda: len(kinds(till, member)) == 4)
    assert kinds(till, member) == ["opened", "earned", "reversed", "reversed"]
    assert points(till, member) == 0
    stack.settle()
    assert not [key for key in stack.items("alpha") if order in key[0] and key[1].startswith("WAIT")]
    queues.send(message(stack, taken_back(order, "r1", amount="4.00")))
    queues.drained()
    assert len(kinds(till, member)) == 4, "and delivered once more it changes nothing"


def test_a_return_that_waited_finds_a_purchase_posted_over_http(
    stack: Stack, queues: Queues, till: Api, enrol: Enrol
) -> None:
    member = enrol()
    order = secrets.token_hex(4)
    till.post("/v1/batches", {"items": [taken_back(order, "r1", amount="4.00")]}, key=None).expect(202)
    queues.drained()
    body = {name: value for name, value in purchase(member, order).items() if name != "type"}
    till.post("/v1/purchases", body).expect(201)
    eventually(lambda: kinds(till, member) == ["opened", "earned", "reversed"])
    assert points(till, member) == 6


def test_a_waiting_return_that_can_never_be_is_set_aside(stack: Stack, queues: Queues, till: Api, enrol: Enrol) -> None:
    member = enrol()
    order = secrets.token_hex(4)
    queues.send(message(stack, taken_back(order, "r1", amount="99.00")))
    queues.drained()
    queues.send(message(stack, purchase(member, order)))
    queues.drained()
    stack.settle()
    stack.drained("recover", delayed=True)
    # Both the return and the order had it looked at: two who do so at the same moment both set it aside.
    found = {(body["item"]["return_id"], said["code"]) for body, said in queues.dead_letters()}
    assert found == {("r1", "RETURN_EXCEEDS_PURCHASE")}
    assert points(till, member) == 10


def test_a_poison_item_never_blocks_its_neighbours(stack: Stack, queues: Queues, till: Api, enrol: Enrol) -> None:
    member, closed = enrol(), enrol()
    with stack.api(stack.programmes["alpha"].tokens["operator"]) as operator:
        operator.post(f"/v1/members/{closed}/close", {"reason": "moved"}).expect(201)
    mark = secrets.token_hex(4)
    poison: list[tuple[Any, str]] = [
        ({**purchase(member, f"{mark}-a"), "lines": [{"amount": -1}]}, "REQUEST_INVALID"),
        (purchase("mem_01ARZ3NDEKTSV4RRFFQ69G5FAV", f"{mark}-b"), "MEMBER_NOT_FOUND"),
        (purchase(closed, f"{mark}-c"), "ACCOUNT_CLOSED"),
        (purchase(member, f"{mark}-d", currency="EUR"), "PURCHASE_CURRENCY_UNSUPPORTED"),
        (purchase(member, f"{mark}-1", "11.00"), "PURCHASE_CONFLICT"),
        ("not an item", "REQUEST_INVALID"),
        (None, "REQUEST_INVALID"),
        ({"type": "gift"}, "REQUEST_INVALID"),
        (purchase(member, f"{mark}-e", occurred_at="1999-01-01T00:00:00Z"), "REQUEST_INVALID"),
    ]
    good = [purchase(member, f"{mark}-{number}") for number in range(len(poison) + 1)]
    items = [good[0]]
    for (bad, _), next_good in zip(poison, good[1:], strict=True):
        items += [next_good, bad]
    queues.send(message(stack, *items))
    queues.drained()
    assert points(till, member) == 10 * len(good)
    letters = queues.dead_letters()
    assert [len(body["items"]) for body, _ in letters] == [1] * len(poison), "each alone"
    dead = sorted((json.dumps(body["items"][0]), said["code"]) for body, said in letters)
    assert dead == sorted((json.dumps(bad), code) for bad, code in poison)
    assert all(body["program"] == "alpha" for body, _ in letters)


def test_a_store_bound_tills_batch_stays_in_its_store(stack: Stack, queues: Queues, bound: Api, enrol: Enrol) -> None:
    member = enrol()
    order = secrets.token_hex(4)
    elsewhere = {**message(stack, purchase(member, order, store="320"), role="bound"), "store": STORE}
    queues.send(elsewhere)
    bound.post("/v1/batches", {"items": [purchase(member, f"{order}-2", store=STORE)]}, key=None).expect(202)
    queues.drained()
    assert points(bound, member) == 10
    assert [said["code"] for _, said in queues.dead_letters()] == ["AUTH_STORE_FORBIDDEN"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        "{}",
        '{"program": "alpha"}',
        '{"program": 1, "client": "c", "items": []}',
        "\u00e9",
    ],
)
def test_a_message_that_is_none_is_set_aside_whole(
    body: str, stack: Stack, queues: Queues, till: Api, enrol: Enrol
) -> None:
    member = enrol()
    order = secrets.token_hex(4)
    queues.send(body or " ", message(stack, purchase(member, order)))
    queues.drained()
    assert points(till, member) == 10, "its neighbour is posted"
    ((letter, said),) = queues.dead_letters()
    assert letter == {"body": body or " "}
    assert said["code"] == "REQUEST_INVALID"


def test_what_was_set_aside_is_posted_after_it_is_mended_and_sent_again(
    stack: Stack, queues: Queues, till: Api, enrol: Enrol
) -> None:
    card = f"card:{secrets.token_hex(6)}"
    order = secrets.token_hex(4)
    item = {name: value for name, value in purchase("", order).items() if name != "member"} | {"identity": card}
    queues.send(message(stack, item))
    queues.drained()
    ((letter, said),) = queues.dead_letters()
    assert said["code"] == "MEMBER_NOT_FOUND"
    member = enrol(identities=[card])
    queues.send(letter)
    queues.drained()
    assert points(till, member) == 10


def test_a_crash_between_order_and_entry_is_mended_by_recover(
    stack: Stack, till: Api, auditor: Api, enrol: Enrol
) -> None:
    member = enrol()
    order_id = secrets.token_hex(4)
    client = stack.programmes["alpha"].tokens["till"].split(".")[1]
    order = Order(
        source="pos",
        order_id=order_id,
        account=member,
        wallet="points",
        currency="USD",
        lines=(Line(1_234), Line(66, 2)),
        occurred=1_772_368_200,
        terms=OrderTerms(Rate(1, 100), 0, 0, "arrears"),
        ref=f"k#{client}#crashed-{order_id}",
        fingerprint="as-the-request-was-fp-",
        actor=client,
        content="as-the-purchase-was-fp",
    )
    assert OrderStore(stack.table).claim("alpha", order) is None
    eventually(lambda: kinds(till, member) == ["opened", "earned"])
    assert points(till, member) == 13
    (entry,) = till.get(f"/v1/members/{member}/entries?limit=1").expect(200)["entries"]
    assert (entry["by"], entry["purchase"]["order_id"], entry["occurred_at"]) == (client, order_id, NOW)
    assert auditor.get(f"/v1/members/{member}/verification").expect(200)["ok"]
    till.post(f"/v1/purchases/pos/{order_id}/returns", {"amount": "13.00"}).expect(201)
    assert points(till, member) == 0
