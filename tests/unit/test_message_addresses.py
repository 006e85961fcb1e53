"""What comes back of a message is of the address that it went to, and of no other."""

from typing import TYPE_CHECKING, Any

import pytest

from functions.delivery import handler as delivery
from loyalty.channels.channel import Outcome, Reply
from loyalty.channels.signing import secret_of
from loyalty.channels.webhook import Account, Webhook
from loyalty.runtime import senders
from tests.unit.mailing import Provider
from tests.unit.running import PROGRAM
from tests.unit.test_message_functions import Post, records

if TYPE_CHECKING:
    from loyalty.notifications.message import Message

THEN = 1_767_225_600
"""1 January 2026; seconds since 1970."""
NEW = {"email": "new@example.com"}


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    return Post(monkeypatch)


def change(post: Post, **body: Any) -> None:
    post.call("PUT /v1/members/{id}/contact", body, params={"id": post.member})


def contact(post: Post) -> Any:
    return post.call("GET /v1/members/{id}/contact", params={"id": post.member})


def dead(post: Post) -> Any:
    return contact(post).get("dead", {})


def report(post: Post, one: "Message", event: str, at: int = THEN) -> None:
    said = {"program": PROGRAM, "message": one.id, "event": event, "at": at}
    assert delivery.lambda_handler({"Records": records([said])}, None) == {"batchItemFailures": []}
    assert post.queue == []


def given(post: Post, monkeypatch: pytest.MonkeyPatch, channel: str, code: str) -> None:
    """A message by a channel whose provider says that it reaches nobody."""
    hook = Provider(channel, answers=[Outcome("dead", code=code)])
    monkeypatch.setattr(senders, "channels", lambda _: {channel: hook})
    post.write(channel)
    post.deliver()


def test_a_late_bounce_of_the_old_address_leaves_the_new_one_alive(post: Post) -> None:
    one = post.write()
    post.deliver()
    change(post, addresses=NEW)
    report(post, one, "bounced")
    assert post.state(one) == "bounced"
    assert dead(post) == {}


def test_a_bounce_of_the_new_address_is_one(post: Post) -> None:
    change(post, addresses=NEW)
    one = post.write()
    post.deliver()
    change(post, consents={"sms": False}, addresses={"phone": "+4915112345679"})
    report(post, one, "bounced")
    assert dead(post) == {"email": "bounced"}


@pytest.mark.parametrize("event", ["bounced", "complained"])
def test_a_report_that_comes_again_is_no_news_of_a_new_address(post: Post, event: str) -> None:
    one = post.write()
    post.deliver()
    report(post, one, event)
    assert set(dead(post)) == {"email"}
    change(post, addresses=NEW, consents={"email": True})
    for at in (THEN, THEN + 60, THEN - 60):
        report(post, one, event, at)
    assert dead(post) == {}
    assert contact(post)["consents"]["email"]["agreed"] is True


def test_a_late_complaint_is_a_no_unless_a_yes_came_after_it(post: Post) -> None:
    one, other = post.write(), post.write(name="hello.1.day3", step="day3")
    post.deliver()
    change(post, addresses=NEW)
    report(post, one, "complained")
    assert (dead(post), contact(post)["consents"]["email"]["agreed"]) == ({}, False), "the member said no"
    change(post, consents={"email": True})
    report(post, other, "complained")
    assert (dead(post), contact(post)["consents"]["email"]["agreed"]) == ({}, True)


def test_an_address_that_a_wrong_setting_made_dead_is_alive_when_it_is_said_anew(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(post, addresses={"openid": "o123"}, consents={"wechat": True})
    given(post, monkeypatch, "wechat", "40003")
    assert dead(post) == {"wechat": "40003"}
    change(post, addresses={"phone": "+4915112345678"})
    assert dead(post) == {"wechat": "40003"}, "nobody has said anything of it"
    change(post, addresses={"openid": "o123"})
    assert dead(post) == {}


def test_a_mailbox_that_is_gone_is_not_back_when_the_same_address_is_said_anew(post: Post) -> None:
    one = post.write()
    post.deliver()
    report(post, one, "bounced")
    change(post, addresses={"email": "ann@example.com"})
    assert dead(post) == {"email": "bounced"}


def test_a_receiver_that_is_gone_is_no_member_s_address(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Webhook(Account("https://crm.example", (secret_of(b"k" * 32),)), lambda *_, **__: Reply(410))
    monkeypatch.setattr(senders, "channels", lambda _: {"webhook": hook})
    one = post.write("webhook")
    post.deliver()
    assert dead(post) == {}
    assert post.state(one) == "waiting", "it is tried again, for a day"
    given(post, monkeypatch, "webhook", "http_410")
    assert dead(post) == {}
