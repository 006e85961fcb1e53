"""Ingest, recover and publish as they run: late, out of order, more than once, and with poison among them."""

import json
from typing import Any

import pytest

from functions.ingest import handler as ingest
from functions.publish import handler as publish
from functions.recover import handler as recover
from loyalty.errors import Problem, Unavailable
from loyalty.runtime import wiring
from loyalty.table import keys
from tests.unit.relaying import Behind, order_message
from tests.unit.running import PROGRAM, Running

ENVELOPE = {"program": PROGRAM, "client": "cli_1", "store": ""}
PURCHASE: dict[str, Any] = {
    "type": "purchase",
    "source": "pos",
    "order_id": "1",
    "occurred_at": "2026-03-01T12:30:00Z",
    "currency": "EUR",
    "lines": [{"amount": "12.00"}, {"amount": "3.00"}],
}
RETURN: dict[str, Any] = {"type": "return", "source": "pos", "order_id": "1", "return_id": "r1", "lines": [{"line": 2}]}
Aside = list[tuple[dict[str, Any], str]]
Told = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def aside(monkeypatch: pytest.MonkeyPatch) -> Aside:
    messages: Aside = []

    def note(message: dict[str, Any], problem: Problem) -> None:
        messages.append((message, problem.code))

    monkeypatch.setattr(ingest, "set_aside", note)
    monkeypatch.setattr(recover, "set_aside", note)
    return messages


@pytest.fixture
def behind(monkeypatch: pytest.MonkeyPatch) -> Behind:
    return Behind(monkeypatch)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    events: Told = []
    monkeypatch.setattr(publish, "publish", lambda batch: events.extend((kind, json.loads(it)) for kind, it in batch))
    return events


@pytest.fixture
def anna(running: Running) -> str:
    till = running.key("till")
    return str(running.call(till, "POST /v1/members", {"identities": ["card:10001"]}).body["id"])


def deliver(*messages: object) -> list[str]:
    """Ids (m0, m1, …) of the messages to be delivered again."""
    records = [
        {
            "messageId": f"m{number}",
            "body": message if isinstance(message, str) else json.dumps(message),
            "attributes": {},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:ingest",
        }
        for number, message in enumerate(messages)
    ]
    answer = ingest.lambda_handler({"Records": records}, None)
    return [failed["itemIdentifier"] for failed in answer["batchItemFailures"]]


def batch(*items: dict[str, Any], **further: Any) -> dict[str, Any]:
    return {**ENVELOPE, "items": list(items), **further}


def follow(running: Running, behind: Behind, function: str, *types: str) -> None:
    """Have the stream bring every item of these types, as new, to a function."""
    images = [item for item in running.engine.items() if item[keys.TYPE]["S"] in types]
    behind.follow([{"eventName": "INSERT", "dynamodb": {"NewImage": image}} for image in images], function)


def available(running: Running, member: str) -> int:
    path = {"id": member}
    return int(
        running.call(running.key("auditor"), "GET /v1/members/{id}/balance", params=path).body["balance"]["available"]
    )


def test_a_batch_is_posted_once_however_often_it_is_delivered(running: Running, anna: str, aside: Aside) -> None:
    message = batch({**PURCHASE, "member": anna}, RETURN)
    assert deliver(message, message) == []
    assert deliver(message) == []
    assert available(running, anna) == 12
    assert aside == []


def test_a_purchase_by_identity_and_one_by_id_are_the_same(running: Running, anna: str, aside: Aside) -> None:
    assert deliver(batch({**PURCHASE, "member": anna}), batch({**PURCHASE, "identity": "card:10001"})) == []
    assert (available(running, anna), aside) == (15, [])


def test_poison_goes_aside_alone_with_its_reason_and_its_neighbours_are_posted(
    running: Running, anna: str, aside: Aside
) -> None:
    good = {**PURCHASE, "member": anna}
    float_amount = {**good, "order_id": "2", "lines": [{"amount": 1.5}]}
    stranger = {**PURCHASE, "order_id": "3", "identity": "card:99999"}
    other_content = {**good, "lines": [{"amount": "99.00"}]}
    assert deliver(batch(float_amount, good, stranger), batch(other_content, {"type": "gift"}), "not json", "{}") == []
    assert available(running, anna) == 15
    assert [code for _, code in aside] == [
        "REQUEST_INVALID",
        "MEMBER_NOT_FOUND",
        "PURCHASE_CONFLICT",
        "REQUEST_INVALID",
        "REQUEST_INVALID",
        "REQUEST_INVALID",
    ]
    assert [message.get("items") for message, _ in aside[:3]] == [[float_amount], [stranger], [other_content]]
    assert aside[4][0] == {"body": "not json"}


def test_an_item_of_another_store_goes_aside(running: Running, anna: str, aside: Aside) -> None:
    assert deliver(batch({**PURCHASE, "member": anna, "store": "2"}, store="1")) == []
    assert [code for _, code in aside] == ["AUTH_STORE_FORBIDDEN"]
    assert available(running, anna) == 0


def test_a_passing_fault_brings_the_message_again_and_only_that_message(
    running: Running, anna: str, aside: Aside, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, faults = wiring.intake().take, ["2"]

    def faulty(sender: Any, item: dict[str, Any], now: int) -> str:
        if item["order_id"] in faults:
            raise Unavailable("STORAGE_UNAVAILABLE", "again", retry_after=1)
        return whole(sender, item, now)

    monkeypatch.setattr(wiring.intake(), "take", faulty)
    first = batch(*({**PURCHASE, "member": anna, "order_id": number} for number in ("1", "2", "3")))
    second = batch({**PURCHASE, "member": anna, "order_id": "4"})
    assert deliver(first, second) == ["m0"]
    assert available(running, anna) == 45
    faults.clear()
    assert deliver(first) == []
    assert (available(running, anna), aside) == (60, [])


def test_a_return_before_its_purchase_waits_and_is_applied_when_the_purchase_comes(
    running: Running, behind: Behind, anna: str, aside: Aside
) -> None:
    assert deliver(batch(RETURN)) == []
    follow(running, behind, "recover", keys.type_wait)
    assert deliver(batch({**PURCHASE, "member": anna})) == []
    assert available(running, anna) == 15
    follow(running, behind, "recover", keys.type_order)
    assert available(running, anna) == 12
    follow(running, behind, "recover", keys.type_order, keys.type_wait)
    assert (available(running, anna), aside) == (12, [])
    assert not [item for item in running.engine.items() if item[keys.TYPE]["S"] == keys.type_wait]


def test_a_return_that_began_to_wait_just_after_its_purchase_came_is_found_from_its_own_side(
    running: Running, behind: Behind, anna: str, aside: Aside
) -> None:
    deliver(batch(RETURN))
    deliver(batch({**PURCHASE, "member": anna}))
    follow(running, behind, "recover", keys.type_wait)
    assert (available(running, anna), aside) == (12, [])


def test_a_waiting_return_of_more_than_was_bought_goes_aside_and_waits_no_longer(
    running: Running, behind: Behind, anna: str, aside: Aside
) -> None:
    deliver(batch({**RETURN, "lines": None, "amount": "15.01"}))
    deliver(batch({**PURCHASE, "member": anna}))
    follow(running, behind, "recover", keys.type_order)
    assert [code for _, code in aside] == ["RETURN_EXCEEDS_PURCHASE"]
    assert available(running, anna) == 15
    assert not [item for item in running.engine.items() if item[keys.TYPE]["S"] == keys.type_wait]


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_return_tried_over_http_and_handed_in_again_in_a_batch_counts_once(
    running: Running, anna: str, aside: Aside, *, batch_first: bool
) -> None:
    till = running.key("till", name="Till 4")
    client = till.split(".")[1]
    order = {**PURCHASE, "member": anna, "lines": [{"amount": "12.00", "quantity": 2}]}
    deliver(batch(order))
    back = [{"line": 1, "quantity": 1}]

    def over_http(key: str) -> bool:
        answer = running.call(
            till,
            "POST /v1/purchases/{source}/{order_id}/returns",
            {"lines": back},
            params={"source": "pos", "order_id": "1"},
            headers={"Idempotency-Key": key},
        )
        assert answer.status == 201
        return answer.headers.get("idempotency-replayed") == "true"

    def in_a_batch() -> None:
        assert deliver(batch({**RETURN, "lines": back}, client=client)) == []

    if batch_first:
        in_a_batch()
        assert over_http("r1")
    else:
        assert not over_http("r1")
        in_a_batch()
    assert (available(running, anna), aside) == (6, [])
    assert not over_http("another-return")
    assert available(running, anna) == 0


def test_an_order_whose_entry_a_crash_left_out_gets_it_once(running: Running, anna: str, aside: Aside) -> None:
    deliver(batch({**PURCHASE, "member": anna}))
    order = next(item for item in running.engine.items() if item[keys.TYPE]["S"] == keys.type_order)
    running.table.delete((keys.chain(PROGRAM, anna, "points"), keys.entry(2)))
    assert available(running, anna) == 0
    for _ in range(2):
        recover.lambda_handler(order_message(order[keys.PK]["S"]), None)
        assert available(running, anna) == 15
    assert aside == []


def test_every_entry_is_told_and_the_head_of_its_chain_noted(
    running: Running, behind: Behind, anna: str, told: Told
) -> None:
    deliver(batch({**PURCHASE, "member": anna}, RETURN))
    follow(running, behind, "publish", keys.type_entry, keys.type_member)
    kinds = [kind for kind, _ in told]
    assert sorted(kinds) == ["member.enrolled", "points.earned", "points.reversed"]
    assert {event["member"] for _, event in told} == {anna}
    assert "10001" not in json.dumps(told)
    head = running.table.get(keys.head(PROGRAM, anna, "points"))
    assert head is not None
    assert (head["number"], head["available"]) == (3, 12)
    before = running.everything()
    follow(running, behind, "publish", keys.type_entry)
    assert running.everything() == before


def test_events_that_the_bus_refuses_leave_the_head_where_it_was(
    running: Running, behind: Behind, anna: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(events: list[tuple[str, str]]) -> None:
        raise ConnectionError(str(len(events)))

    monkeypatch.setattr(publish, "publish", refuse)
    deliver(batch({**PURCHASE, "member": anna}))
    with pytest.raises(ConnectionError):
        follow(running, behind, "publish", keys.type_entry)
    assert running.table.get(keys.head(PROGRAM, anna, "points")) is None
