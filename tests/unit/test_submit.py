"""The submit function as it runs: what reaches the ingest queue, under whose name, and what never does."""

import json
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from functions.ingest.handler import read
from functions.submit import handler as submit
from loyalty.earning.intake import item_of
from loyalty.errors import Unavailable
from loyalty.runtime import outbound
from loyalty.runtime.http import MAX_BODY
from tests.unit.running import PROGRAM, Response, Running

BATCHES = "POST /v1/batches"
PURCHASE: dict[str, Any] = {
    "type": "purchase",
    "source": "pos",
    "order_id": "1",
    "occurred_at": "2026-03-01T12:30:00+01:00",
    "currency": "EUR",
    "identity": "card:10001",
    "store": "319",
    "lines": [{"amount": "12.34"}, {"amount": 100, "quantity": 2}],
}
RETURN: dict[str, Any] = {
    "type": "return",
    "source": "pos",
    "order_id": "1",
    "return_id": "r1",
    "store": "319",
    "lines": [{"line": 1}],
}
ANNA = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"
Sent = list[tuple[str, dict[str, Any]]]


@pytest.fixture(autouse=True)
def _ingest_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGEST_QUEUE_URL", "https://queue")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    messages: Sent = []
    monkeypatch.setattr(submit, "send", lambda queue, message: messages.append((queue, message)))
    return messages


def refused(response: Response, status: int, code: str, field: str | None = None) -> None:
    assert (response.status, response.code) == (status, code)
    assert response.body.get("field") == field


def test_a_batch_is_queued_under_the_callers_name(running: Running, sent: Sent) -> None:
    till = running.key("till", store="319")
    done = running.call(till, BATCHES, {"items": [PURCHASE, RETURN]})
    assert (done.status, done.body["items"]) == (202, 2)
    ((queue, message),) = sent
    assert queue == "https://queue"
    assert (message["program"], message["client"], message["store"]) == (PROGRAM, till.split(".")[1], "319")
    assert message["batch"] == done.body["id"]


def test_what_is_queued_is_what_ingest_reads(running: Running, sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[str] = []

    class Queue:
        def send_message(self, **request: Any) -> None:
            bodies.append(request["MessageBody"])

    monkeypatch.setattr(submit, "send", outbound.send)
    monkeypatch.setattr(outbound, "_client", lambda service: Queue())
    running.call(running.key("till"), BATCHES, {"items": [PURCHASE, RETURN]})
    message, sender = read(bodies[0])
    assert (sender.program, sender.store) == (PROGRAM, "")
    assert [item_of(item) for item in message["items"]] == [item_of(PURCHASE), item_of(RETURN)]


def test_a_till_of_one_store_hands_in_nothing_of_another(running: Running, sent: Sent) -> None:
    till = running.key("till", store="320")
    mixed = [{**PURCHASE, "store": "320"}, PURCHASE]
    refused(running.call(till, BATCHES, {"items": mixed}), 403, "AUTH_STORE_FORBIDDEN", "items[1].store")
    assert not sent


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({**PURCHASE, "member": ANNA}, "items[0].member"),
        ({**PURCHASE, "identity": None}, "items[0].member"),
        ({**PURCHASE, "identity": "phone:12345"}, "items[0].identity"),
        ({**PURCHASE, "lines": [{"amount": "1.234"}]}, "items[0].lines[0].amount"),
        ({**PURCHASE, "lines": []}, "items[0].lines"),
        ({**PURCHASE, "lines": [{"amount": -1}]}, "items[...].lines[...].amount"),
        ({**PURCHASE, "lines": [{"amount": 1.5}]}, "items[...].lines[...].amount"),
        ({**PURCHASE, "occurred_at": "yesterday"}, "items[0].occurred_at"),
        ({**PURCHASE, "colour": "red"}, "items[0].colour"),
        ({**PURCHASE, "program": "baker"}, "items[0].program"),
        ({**RETURN, "return_id": None}, "items[0].return_id"),
        ({**RETURN, "type": "refund"}, "items[0].type"),
        ({"source": "pos"}, "items[0].type"),
        ("text", "items[0]"),
    ],
)
def test_a_wrong_item_is_named_and_nothing_is_queued(running: Running, sent: Sent, item: Any, field: str) -> None:
    response = running.call(running.key("till"), BATCHES, {"items": [item]})
    assert (response.status, response.code) == (400, "REQUEST_INVALID")
    assert response.body["field"].replace("[...]", "[0]") == field.replace("[...]", "[0]")
    assert not sent


@pytest.mark.parametrize("body", [{}, {"items": []}, {"items": [PURCHASE] * 101}, {"items": {}}, {"things": []}])
def test_a_wrong_batch_is_refused(running: Running, sent: Sent, body: Any) -> None:
    assert running.call(running.key("till"), BATCHES, body).code == "REQUEST_INVALID"
    assert not sent


@pytest.mark.parametrize("raw", ["", "{", "[1]", '"items"', "\x00"])
def test_what_is_no_json_object_is_refused(running: Running, sent: Sent, raw: str) -> None:
    assert running.call(running.key("till"), BATCHES, raw=raw).status == 400
    assert not sent


def test_a_batch_too_large_for_a_message_is_refused_whole(running: Running, sent: Sent) -> None:
    line = {"amount": 1, "product": "p" * 60, "category": "c" * 60}
    items: list[dict[str, Any]] = [{**PURCHASE, "order_id": str(number), "lines": [line] * 250} for number in range(6)]
    for more in (line, {"amount": 1}):
        room = MAX_BODY - len(json.dumps({"items": items}))
        for number in range(room // len(json.dumps([more]))):
            items[number % 6]["lines"] = [*items[number % 6]["lines"], more]
    assert len(json.dumps({"items": items})) <= MAX_BODY
    refused(running.call(running.key("till"), BATCHES, {"items": items}), 413, "REQUEST_TOO_LARGE")
    assert not sent


def test_a_queue_that_does_not_answer_may_be_tried_again(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    class Down:
        def send_message(self, **request: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://queue")

    monkeypatch.setattr(outbound, "_client", lambda service: Down())
    response = running.call(running.key("till"), BATCHES, {"items": [PURCHASE]})
    refused(response, 503, "STORAGE_UNAVAILABLE")
    assert response.headers["retry-after"] == "1"
    with pytest.raises(Unavailable):
        outbound.send("https://queue", {})


def test_auditors_and_members_hand_in_nothing(running: Running, sent: Sent) -> None:
    shop = running.key("shop")
    member = running.call(shop, "POST /v1/members", {"identities": ["card:1"]}).body["id"]
    token = running.call(shop, "POST /v1/members/{id}/tokens", {}, params={"id": member}).body["token"]
    for caller in (running.key("auditor"), token):
        refused(running.call(caller, BATCHES, {"items": [PURCHASE]}), 403, "AUTH_SCOPE_MISSING")
    assert not sent
