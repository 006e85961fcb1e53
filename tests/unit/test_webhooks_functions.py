"""The functions of webhooks, as deployed: from an event on the bus to a partner, and what their owner sees of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from functions.webhook_deliver import handler as deliver
from functions.webhook_fan import handler as fan
from loyalty.runtime import outbound, senders
from loyalty.runtime.config import config
from loyalty.webhooks.types import TYPES
from tests.docs.console import ROOT
from tests.providers import Fault, Receiver, serving
from tests.unit.channel_rig import hang_up
from tests.unit.running import PROGRAM, Running

pytestmark = pytest.mark.usefixtures("still")
MEMBER = "mem_01J000000000000000000000A1"


class Line:
    """The functions with the queue between them, and a receiver."""

    def __init__(self, running: Running, receiver: Receiver, sent: list[tuple[dict[str, Any], int]]) -> None:
        self.running = running
        self.receiver = receiver
        self.sent = sent
        self.operator = running.key("operator")

    def call(self, key: str, body: Any = None, **params: str) -> Any:
        return self.running.call(self.operator, key, body, params=params)

    def make(self, **body: Any) -> dict[str, Any]:
        wanted = {"url": f"{self.receiver.url}/hook", "events": ["points.*"], **body}
        found: dict[str, Any] = self.call("POST /v1/webhooks", wanted).body
        self.receiver.secrets.append(found["secret"])
        return found

    def tell(self, number: int, kind: str = "points.earned", **further: Any) -> None:
        detail = {"id": f"e{number}", "program": PROGRAM, "member": MEMBER, "number": number, **further}
        body = {"detail-type": kind, "source": "loyalty", "time": "2026-03-01T12:30:00Z", "detail": detail}
        assert fan.lambda_handler(_queue(json.dumps(body)), None) == {"batchItemFailures": []}

    def deliver(self) -> None:
        while self.sent:
            message, _ = self.sent.pop(0)
            assert deliver.lambda_handler(_queue(json.dumps(message)), None) == {"batchItemFailures": []}


def _queue(body: str) -> dict[str, Any]:
    return {"Records": [{"messageId": "m1", "body": body, "eventSource": "aws:sqs", "receiptHandle": "r"}]}


@pytest.fixture
def line(running: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    sent: list[tuple[dict[str, Any], int]] = []
    monkeypatch.setenv("STAGE", "local")
    monkeypatch.setenv("PARTNERS_QUEUE_URL", "partners")
    monkeypatch.setattr(outbound, "send", lambda queue, message, delay=0: sent.append((message, delay)))
    config.cache_clear()
    senders.http.cache_clear()
    with serving(Receiver()) as receiver:
        yield Line(running, receiver, sent)
        senders.http().close()
        hang_up()
        assert receiver.complaints == []
    senders.http.cache_clear()
    config.cache_clear()


def test_an_event_on_the_bus_reaches_the_partner_who_wants_it(line: Line) -> None:
    made = line.make()["webhook"]
    line.tell(1)
    line.tell(2, "member.enrolled")
    line.deliver()
    assert [one["type"] for one in line.receiver.taken] == ["points.earned"]
    (delivery,) = line.call("GET /v1/webhooks/{id}/deliveries", id=made["id"]).body["deliveries"]
    assert (delivery["state"], delivery["code"], delivery["tries"]) == ("delivered", "http_204", 1)
    assert delivery["id"] == line.receiver.taken[0]["id"]


def test_a_secret_is_shown_once_and_another_one_signs_beside_it(line: Line) -> None:
    made = line.make()
    name = made["webhook"]["id"]
    shown = [line.call("GET /v1/webhooks"), line.call("GET /v1/webhooks/{id}", id=name)]
    assert not any(made["secret"] in json.dumps(answer.body) for answer in shown)
    rotated = line.call("POST /v1/webhooks/{id}/rotate", {"overlap": 3600}, id=name).body
    assert rotated["secret"] != made["secret"]
    assert "old_secret_until" in rotated["webhook"]
    line.receiver.secrets = [rotated["secret"]]
    line.tell(1)
    line.deliver()
    line.receiver.secrets = [made["secret"]]
    line.tell(2)
    line.deliver()
    assert len(line.receiver.taken) == 2


def test_what_was_sent_is_sent_anew_and_known_by_its_id(line: Line) -> None:
    name = line.make()["webhook"]["id"]
    line.tell(1, recorded_at="2026-03-01T12:30:00Z")
    line.tell(2, recorded_at="2026-03-02T12:30:00Z")
    line.deliver()
    span = {"since": "2026-03-02T00:00:00Z", "until": "2026-03-03T00:00:00+00:00"}
    assert line.call("POST /v1/webhooks/{id}/replay", span, id=name).status == 202
    line.deliver()
    assert (len(line.receiver.taken), line.receiver.twice) == (2, 1)
    turned = {"since": span["until"], "until": span["since"]}
    assert line.call("POST /v1/webhooks/{id}/replay", turned, id=name).code == "REQUEST_INVALID"


def test_a_webhook_is_tried_changed_switched_off_and_removed(line: Line) -> None:
    name = line.make()["webhook"]["id"]
    assert line.call("POST /v1/webhooks/{id}/test", id=name).status == 202
    line.deliver()
    assert [one["type"] for one in line.receiver.taken] == ["webhook.test"]
    changed = line.call("PATCH /v1/webhooks/{id}", {"events": ["tier.upgraded"], "enabled": False}, id=name).body
    assert (changed["events"], changed["enabled"]) == (["tier.upgraded"], False)
    span = {"since": "2026-03-02T00:00:00Z", "until": "2026-03-03T00:00:00Z"}
    assert line.call("POST /v1/webhooks/{id}/replay", span, id=name).code == "WEBHOOK_OFF"
    assert line.call("DELETE /v1/webhooks/{id}", id=name).status == 204
    assert line.call("GET /v1/webhooks/{id}", id=name).code == "WEBHOOK_NOT_FOUND"


@pytest.mark.parametrize(
    "url", ["http://partner.example/", "https://10.0.0.1/", "https://169.254.169.254/", "not a url"]
)
def test_an_address_that_nothing_is_sent_to_is_refused(line: Line, url: str) -> None:
    answer = line.call("POST /v1/webhooks", {"url": url, "events": ["*"]})
    assert (answer.status, answer.code) == (422, "WEBHOOK_URL_REFUSED")


def test_a_type_that_there_is_none_of_is_named(line: Line) -> None:
    answer = line.call("POST /v1/webhooks", {"url": f"{line.receiver.url}/hook", "events": ["*", "points.erned"]})
    assert (answer.code, answer.body["field"]) == ("REQUEST_INVALID", "events[1]")


def test_one_that_is_gone_is_switched_off_and_said(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    name = line.make()["webhook"]["id"]
    line.receiver.statuses = [410]
    line.tell(1)
    line.deliver()
    assert line.call("GET /v1/webhooks/{id}", id=name).body["enabled"] is False
    assert f'"WebhookOff":1,"webhook":"{name}"' in capsys.readouterr().out


def test_what_fails_wakes_its_line_again_later(line: Line) -> None:
    line.make()
    line.receiver.faults = [Fault.BUSY]
    line.tell(1)
    message, delay = line.sent.pop(0)
    assert delay == 0
    deliver.lambda_handler(_queue(json.dumps(message)), None)
    assert line.sent == [(message, 30)]


def test_every_event_that_is_told_can_be_asked_for() -> None:
    assert set(TYPES) == {path.stem for path in (ROOT / "docs" / "events").glob("*.json")}
