"""Mail and text messages as the emulator took them, sent by what the stack deploys; and a partner's webhook, from a
purchase to the receiver.
"""

import json
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.local.place import ACCOUNT, REGION
from loyalty.channels.channel import Channel
from loyalty.runtime import senders
from loyalty.runtime.config import config
from tests.e2e.calls import Api
from tests.e2e.stack import Stack
from tests.patience import ANSWER_S, eventually
from tests.providers import Fault, Receiver, serving
from tests.unit.channel_rig import Words, sending


@pytest.fixture
def channels(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Channel]]:
    """A programme's channels, made of the deployed secret, with botocore's own clients of the emulator."""
    text = stack.secret("ChannelsSecretId")
    monkeypatch.setattr(senders, "channels_secret", lambda: text)
    monkeypatch.setattr(senders, "_client", stack.client)
    monkeypatch.setenv("TABLE_NAME", stack.outputs["TableName"])
    config.cache_clear()
    yield dict(senders.channels("alpha"))
    config.cache_clear()


def looked_at(stack: Stack, path: str) -> Any:
    """What the emulator shows of what was sent through it."""
    with urllib.request.urlopen(f"{stack.place.endpoint}/_ministack/{path}", timeout=ANSWER_S) as answer:  # noqa: S310
        return json.load(answer)


def test_a_mail_can_be_read_back(stack: Stack, channels: dict[str, Channel]) -> None:
    to = f"{secrets.token_hex(6)}@example.com"
    words = Words(subject="您的积分", text="您有 200 积分", html="<p>您有 <b>200</b> 积分</p>")
    outcome = channels["email"].send(sending("email", to, words, unsubscribe="https://u.example/1"), int(time.time()))
    assert outcome.kind == "accepted"
    mails = looked_at(stack, f"ses/messages?account={ACCOUNT}")["messages"][ACCOUNT]
    (mail,) = [one for one in mails if one["To"] == [to]]
    assert mail["MessageId"] == outcome.provider_id
    assert (mail["Subject"], mail["BodyText"], mail["BodyHtml"]) == (words.subject, words.text, words.html)
    assert mail["Source"] == "points@loyalty.example"


def test_a_text_message_can_be_read_back(stack: Stack, channels: dict[str, Channel]) -> None:
    number = f"+86138{secrets.randbelow(10**8):08d}"
    outcome = channels["sms"].send(sending("sms", number, Words(text="您有 200 积分")), int(time.time()))
    assert outcome.kind == "accepted"
    found = looked_at(stack, f"sns/sms-messages?account={ACCOUNT}&region={REGION}")
    assert "您有 200 积分" in json.dumps(found, ensure_ascii=False).split(number, 1)[1]


def test_an_endpoint_that_there_is_none_of_is_dead(stack: Stack, channels: dict[str, Channel]) -> None:
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:endpoint/GCM/app/{secrets.token_hex(8)}"
    assert channels["push"].send(sending("push", arn, Words(text="hello")), int(time.time())).kind == "dead"


def test_a_purchase_is_told_to_a_partner(stack: Stack, operator: Api, till: Api, enrol: Callable[..., str]) -> None:
    stack.settle()
    stack.drained("partners")  # what was told before is none of this partner's
    with serving(Receiver()) as receiver:
        wanted = {"url": f"{receiver.url}/hook", "events": ["points.earned"]}
        made = operator.post("/v1/webhooks", wanted, key=None).expect(201)
        receiver.secrets.append(made["secret"])
        receiver.faults = [Fault.BUSY]
        path = f"/v1/webhooks/{made['webhook']['id']}"
        time.sleep(11)  # a copy that has read the endpoints goes by them for ten seconds
        member = enrol()
        order = {"source": "pos", "order_id": secrets.token_hex(6), "member": member, "currency": "USD"}
        lines = {"occurred_at": "2026-03-01T12:30:00Z", "lines": [{"amount": "12.00"}]}
        till.post("/v1/purchases", {**order, **lines}).expect(201)
        stack.settle()
        eventually(lambda: receiver.taken)
        told = [one for one in receiver.taken if one["data"]["member"] == member]
        assert [(one["type"], one["data"]["points"]) for one in told] == [("points.earned", 12)]

        def delivery() -> dict[str, Any]:
            (found,) = operator.get(f"{path}/deliveries").expect(200)["deliveries"]
            return dict(found)

        eventually(lambda: delivery()["state"] == "delivered")
        # Busy once, then taken; once more for each time that this process stood still and was too slow to say so.
        assert delivery()["tries"] == len(receiver.requests) >= 2
        operator.call("DELETE", path).expect(204)
        assert receiver.complaints == []
