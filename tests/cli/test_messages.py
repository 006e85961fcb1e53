"""``loyalty messages`` against the product's own handlers."""

import json
import time

import pytest
from msgspec.structs import replace

from loyalty.notifications.message import Content, Handed, Message
from loyalty.notifications.store import MessageStore
from tests.cli.conftest import Product
from tests.unit.mailing import message

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loyalty.runtime.messages.send_batch", lambda queue, batch: [])


def failed(product: Product, number: int, campaign: str = "hello") -> Message:
    """One that could not be sent for a day."""
    store, now = MessageStore(product.table), int(time.time())
    name = f"{campaign}.{number}.a"
    one = message(number, program="alpha", name=name, campaign=campaign, at=now)
    store.put_new(one, Content(text="Hello"), now)
    found = store.outgoing(Handed("alpha", one.account, now, name))
    assert found is not None
    assert store.bury(found, replace(one, phase="failed", code="timeout", first=now))
    return one


def test_a_message_is_shown_with_its_state_and_what_is_known_of_it(product: Product, capsys: Capture) -> None:
    one = failed(product, 1)
    assert product.run("messages", "show", one.id) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"failed (timeout), by sms, to {one.account}\n")
    assert product.run("messages", "show", one.id, "--json") == 0
    assert json.loads(capsys.readouterr().out)["state"] == "failed"
    assert product.run("messages", "show", "msg_x") == 2


def test_what_failed_is_listed_and_then_tried_anew(product: Product, capsys: Capture) -> None:
    ones = [failed(product, number) for number in range(1, 4)]
    other = failed(product, 9, campaign="bye")
    assert product.run("messages", "redrive", "--dry-run") == 0
    assert capsys.readouterr().out.endswith("4 failed\n")
    assert product.run("messages", "redrive", "--campaign", "bye") == 0
    assert f"waiting  {other.id}  sms  timeout" in capsys.readouterr().out
    assert product.run("messages", "redrive", ones[0].id, "msg_x") == 2  # what is no id is refused
    capsys.readouterr()
    assert product.run("messages", "redrive", ones[0].id, other.id) == 0
    assert capsys.readouterr().out.endswith("1 waiting\n")
    assert product.run("messages", "redrive", "--code", "timeout") == 0
    assert capsys.readouterr().out.endswith("2 waiting\n")
    assert product.run("messages", "redrive") == 0
    assert capsys.readouterr().out == "nothing has failed\n"
