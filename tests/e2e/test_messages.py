"""Messages as they are deployed: handed on, sent, read back from the mailbox, reported, read in the inbox, followed."""

import http.client
import json
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from loyalty.notifications.feedback import tags_of
from loyalty.notifications.message import Content, Message, link_placeholder, name_of
from loyalty.notifications.store import MessageStore
from tests.e2e.calls import Api
from tests.e2e.stack import Stack
from tests.patience import ANSWER_S, eventually

TARGET = "https://shop.example/points"
UNSUBSCRIBE = "https://link.invalid/unsubscribe"


def write(stack: Stack, member: str, channel: str, subject: str) -> Message:
    """What a touch writes down."""
    now, occasion = int(time.time()), secrets.token_hex(4)
    one = Message(
        program="alpha",
        account=member,
        name=name_of("hello", occasion, "a"),
        campaign="hello",
        occasion=occasion,
        step="a",
        template="hello",
        channel=channel,
        channels=(channel,),
        at=now,
        links=(TARGET,),
    )
    text = f"See {link_placeholder(0)} or {UNSUBSCRIBE}"
    MessageStore(stack.table).put_new(one, Content(subject, text, f"<p>{text}</p>"), now)
    return one


def mails(stack: Stack, subject: str) -> list[str]:
    """Every mail with that subject, whole, that the emulator's SES was given."""
    address = urlsplit(stack.place.endpoint)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=ANSWER_S)
    connection.request("GET", "/_ministack/ses/messages")
    by_account: dict[str, list[Any]] = json.loads(connection.getresponse().read())["messages"]
    connection.close()
    found = [one for all_of_one in by_account.values() for one in all_of_one]
    return [text for one in found if subject in (text := json.dumps(one))]


def called(stack: Stack, function: str) -> Any:
    """What a function answers to whom its schedule calls it for."""
    functions = stack.client("lambda")
    names = [
        one["FunctionName"]
        for page in functions.get_paginator("list_functions").paginate()
        for one in page["Functions"]
    ]
    (name,) = [name for name in names if name.endswith(f"-{function}")]
    return json.loads(functions.invoke(FunctionName=name, Payload=b"{}")["Payload"].read())


def report(stack: Stack, one: Message, kind: str, **about: Any) -> None:
    """What SES publishes to the topic of its configuration set, in its name."""
    tags = {name: [value] for name, value in tags_of(one).items()} | {"ses:configuration-set": ["set"]}
    topics = stack.client("sns")
    (topic,) = [one["TopicArn"] for one in topics.list_topics()["Topics"] if one["TopicArn"].endswith("-reports")]
    mail = {"messageId": "m", "timestamp": "2026-11-01T10:00:00.000Z", "tags": tags}
    topics.publish(TopicArn=topic, Message=json.dumps({"eventType": kind, "mail": mail, **about}))


def test_a_mail_leaves_once_and_what_becomes_of_it_comes_back(
    stack: Stack, operator: Api, enrol: Callable[..., str]
) -> None:
    member, subject = enrol(1), f"Hello {secrets.token_hex(6)}"
    never = {"quiet_from": "00:00", "quiet_until": "00:00"}  # it may be night
    contact = {"consents": {"email": True}, "addresses": {"email": "ann@example.com"}, "quiet": never}
    operator.call("PUT", f"/v1/members/{member}/contact", contact).expect(200)
    stack.settle()
    one = write(stack, member, "email", subject)

    def state() -> str:
        answer = operator.get(f"/v1/messages/{one.id}")
        return str(answer.body["state"]) if answer.status == 200 else "waiting"

    for _ in range(2):
        called(stack, "dispatch")
    eventually(lambda: state() == "sent")
    (mail,) = mails(stack, subject)
    assert "ann@example.com" in mail
    assert "link.invalid" not in mail

    report(stack, one, "Send", send={})
    report(stack, one, "Open")
    eventually(lambda: state() == "opened")
    report(stack, one, "Delivery")
    report(stack, one, "Bounce", bounce={"bounceType": "Permanent"})
    eventually(lambda: state() == "bounced")
    everything = {"sent", "delivered", "opened", "bounced"}  # in whatever order the queue brings it
    eventually(lambda: set(operator.get(f"/v1/messages/{one.id}").body["happened"]) == everything)

    later = write(stack, member, "email", "Never")
    called(stack, "dispatch")
    eventually(lambda: operator.get(f"/v1/messages/{later.id}").status == 200)
    assert operator.get(f"/v1/messages/{later.id}").body["code"] == "dead"
    assert mails(stack, "Never") == []


def test_a_member_reads_the_inbox_and_follows_a_link(
    stack: Stack, operator: Api, shop: Api, enrol: Callable[..., str]
) -> None:
    member = enrol()
    one = write(stack, member, "inbox", "In the app")
    token = shop.post(f"/v1/members/{member}/tokens").expect(201)["token"]
    with stack.api(token) as own:
        found = own.get(f"/v1/members/{member}/inbox").expect(200)
        assert (found["unread"], found["messages"][0]["subject"]) == (1, "In the app")
        text = str(found["messages"][0]["text"])
        assert own.post(f"/v1/members/{member}/inbox/{one.id}/read", key=None).expect(200)["read"] is True
        assert own.get(f"/v1/members/{member}/inbox").expect(200)["unread"] == 0
    path = text[text.index("/v1/l/") :].split(" ")[0]
    with stack.api() as anybody:
        answer = anybody.get(path)
        assert (answer.status, answer.headers["location"]) == (302, TARGET)
        assert anybody.get(path[:-2]).status == 404
    assert operator.get(f"/v1/messages/{one.id}").expect(200)["state"] == "clicked"
