"""Messages through the functions that carry them: due, sent, reported, read, followed, tried anew."""

import json
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.exceptions import EndpointConnectionError
from msgspec.structs import replace

from functions.contacts import handler as contacts
from functions.delivery import handler as delivery
from functions.dispatch import handler as dispatch
from functions.notify import handler as notify
from functions.publish import handler as publish
from loyalty.channels.channel import Outcome
from loyalty.contacts.preferences import Addresses, Preferences
from loyalty.contacts.store import ContactStore
from loyalty.errors import Unavailable
from loyalty.ids import ulid
from loyalty.ledger import commands
from loyalty.ledger.account import Draft
from loyalty.ledger.chain import Cause, Chain
from loyalty.members.tokens import TokenSecrets
from loyalty.notifications.message import LOOK_S, SILENT_S, Content, Message, Notice, link_placeholder
from loyalty.notifications.store import MessageStore
from loyalty.runtime import messages, outbound, secrets, senders, wiring
from loyalty.runtime.config import config
from loyalty.timers.ends import decay_due
from loyalty.values import Rate
from tests.unit.mailing import Provider, message
from tests.unit.running import LINKS, PROGRAM, Running

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET = "https://shop.example/points"
DAY = 86_400
NEVER: Final = ("00:00", "00:00")
"""Quiet hours that end as they begin: these tests go by the clock on the wall, which may say that it is night."""


class Post:
    """A programme whose members are written to, and the queue between dispatch and notify."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PUBLIC_URL", "https://api.example")
        monkeypatch.setenv("NOTIFY_QUEUE_URL", "notify")
        self.running = Running().deploy(monkeypatch)
        self.running.establish(
            timezone="UTC", expiry={"kind": "rolling", "months": 12, "rounding": "day", "require_notice": True}
        )
        self.operator = self.running.key("operator")
        self.provider = Provider("email")
        self.sms = Provider("sms")
        self.queue: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        monkeypatch.setattr(senders, "channels", lambda _: {"email": self.provider, "sms": self.sms})
        monkeypatch.setattr(messages, "send_batch", self._send_batch)
        made = self.call("POST /v1/members", {"identities": ["card:1"]}, headers={"Idempotency-Key": "m"})
        self.member = str(made["id"])
        self.shop = self.running.key("shop")
        contacts = ContactStore(self.running.table)
        consents = {"email": True, "sms": True}
        reached = Preferences(reached=("email", "sms"), consents=consents, quiet=NEVER)
        contacts.save(PROGRAM, self.member, reached, Addresses(email="ann@example.com", phone="+4915112345678"))
        wiring.timers().register(PROGRAM, 700_000)
        self.store = MessageStore(self.running.table)

    def _send_batch(self, queue: str, batch: list[dict[str, Any]]) -> list[int]:
        assert queue == "notify"
        self.queue += batch
        return []

    def call(self, key: str, body: Any = None, status: int = 0, token: str = "", **further: Any) -> Any:
        answer = self.running.call(token or self.operator, key, body, **further)
        assert status in {0, answer.status}, answer
        assert status or answer.status < 400, answer
        return answer.body

    def write(self, channel: str = "email", **further: Any) -> Message:
        now = int(time.time())
        one = message(1, channel, account=self.member, at=now, links=(TARGET,), template="hello", **further)
        text = f"Look: {link_placeholder(0)} or https://link.invalid/unsubscribe"
        self.store.put_new(one, Content("Hello", text), now)
        return one

    def deliver(self) -> Any:
        """What dispatch hands on, and notify makes of it."""
        dispatch.lambda_handler({}, None)
        return self.drain() if self.queue else {"batchItemFailures": []}

    def drain(self) -> Any:
        batch, self.queue = self.queue, []
        return notify.lambda_handler({"Records": records(batch)}, None)

    def hear(self, one: Message, kind: str, **detail: Any) -> Any:
        tag = urlsafe_b64encode(one.id.encode()).decode().rstrip("=")
        tags = {"loyalty-program": [PROGRAM], "loyalty-message": [tag], "ses:configuration-set": ["messages"]}
        mail = {"messageId": "m", "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}", "tags": tags}
        event = {"eventType": kind, "mail": mail, **detail}
        return delivery.lambda_handler({"Records": records([event])}, None)

    def state(self, one: Message) -> str:
        return str(self.call("GET /v1/messages/{id}", params={"id": one.id})["state"])


def records(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"messageId": f"m{position}", "eventSource": "aws:sqs", "body": json.dumps(body)}
        for position, body in enumerate(bodies)
    ]


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    return Post(monkeypatch)


def test_a_message_goes_from_its_place_to_the_provider_and_its_reports_come_back(post: Post) -> None:
    one = post.write()
    assert post.deliver() == {"batchItemFailures": []}
    (sending,) = post.provider.got
    assert sending.address == "ann@example.com"
    assert sending.unsubscribe.startswith("https://api.example/v1/unsubscribe/")
    assert "https://api.example/v1/l/grocer." in sending.rendered.text
    assert sending.unsubscribe in sending.rendered.text
    assert post.state(one) == "sent"
    assert post.hear(one, "Delivery", delivery={"timestamp": "2026-01-01T00:00:00Z"}) == {"batchItemFailures": []}
    found = post.call("GET /v1/messages/{id}", params={"id": one.id})
    assert (found["state"], found["happened"]["delivered"]) == ("delivered", "2026-01-01T00:00:00Z")
    assert post.deliver() == {"batchItemFailures": []}
    assert len(post.provider.got) == 1
    assert post.store.returns(PROGRAM) == {"email": {"sent": 1, "delivered": 1}}


def test_what_was_sent_is_not_handed_back_when_figures_of_channels_cannot_be_kept(
    post: Post, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise Unavailable("STORAGE_UNAVAILABLE", "Throttled", retry_after=1)

    monkeypatch.setattr(MessageStore, "add_returns", refuse)
    one = post.write()
    assert post.deliver() == {"batchItemFailures": []}
    assert len(post.provider.got) == 1
    assert post.state(one) == "sent"
    assert '"operation":"notify","error":"Unavailable"' in capsys.readouterr().out


def test_the_log_and_the_queue_say_nothing_about_the_member(post: Post, capsys: pytest.CaptureFixture[str]) -> None:
    one = post.write()
    dispatch.lambda_handler({}, None)
    assert "ann@" not in json.dumps(post.queue)
    post.drain()
    post.hear(
        one,
        "Bounce",
        bounce={"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "ann@example.com"}]},
    )
    said = capsys.readouterr().out
    assert "notify" in said
    assert "ann@" not in said
    assert "Hello" not in said


def test_a_link_is_followed_to_what_the_message_said_and_a_forged_one_to_nothing(post: Post) -> None:
    one = post.write()
    post.deliver()
    text = post.provider.got[0].rendered.text
    token = text.split("/v1/l/")[1].split(" ")[0]
    answer = post.running.call(post.operator, "GET /v1/l/{token}", params={"token": token})
    assert (answer.status, answer.headers["location"]) == (302, TARGET)
    assert post.state(one) == "clicked"
    for forged in (token[:-1] + ("A" if token[-1] != "A" else "B"), token.replace(".0.", ".1."), "x", ""):
        assert post.running.call(post.operator, "GET /v1/l/{token}", params={"token": forged}).status == 404


def test_links_in_old_mails_work_whatever_was_rotated_since(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.write()
    post.deliver()
    (mail,) = post.provider.got
    token, end = mail.rendered.text.split("/v1/l/")[1].split(" ")[0], mail.unsubscribe.rpartition("/")[2]

    def answers() -> tuple[int, int]:
        opened = post.running.call(post.operator, "GET /v1/l/{token}", params={"token": token}).status
        event = {"routeKey": "GET /v1/unsubscribe/{token}", "pathParameters": {"token": end}, "requestContext": {}}
        return opened, contacts.lambda_handler(event, None)["statusCode"]

    keys = ("n" * 64, "m" * 64, "k" * 64, *LINKS)
    monkeypatch.setattr(secrets, "signing_secrets", lambda: TokenSecrets("z" * 64))
    monkeypatch.setattr(secrets, "link_keys", lambda: keys)
    monkeypatch.setattr(secrets, "newer_link_keys", lambda: keys)
    assert answers() == (302, 200)
    monkeypatch.setattr(secrets, "link_keys", lambda: keys[:1])
    assert answers() == (302, 200), "a copy that does not know the key yet looks again"
    monkeypatch.setattr(secrets, "newer_link_keys", lambda: keys[:1])
    assert answers() == (404, 404)


def test_a_hard_bounce_ends_the_channel_and_a_soft_one_does_not(post: Post) -> None:
    contacts = ContactStore(post.running.table)
    one = post.write()
    post.deliver()
    post.hear(one, "Bounce", bounce={"bounceType": "Transient", "bounceSubType": "MailboxFull"})
    assert post.state(one) == "bounced"
    assert contacts.preferences(PROGRAM, post.member).dead == {}
    post.hear(one, "Bounce", bounce={"bounceType": "Permanent", "bounceSubType": "General"})
    assert contacts.preferences(PROGRAM, post.member).dead == {"email": "bounced"}
    later = post.write(name="hello.1.day3", step="day3")
    post.deliver()
    assert post.call("GET /v1/messages/{id}", params={"id": later.id})["code"] == "dead"
    assert len(post.provider.got) == 1


def test_whoever_unsubscribes_before_it_leaves_gets_nothing(post: Post) -> None:
    one = post.write()
    contacts = ContactStore(post.running.table)
    before = contacts.preferences(PROGRAM, post.member)
    contacts.save(PROGRAM, post.member, replace(before, consents={"email": False}), None)
    post.deliver()
    assert (post.state(one), post.provider.got) == ("refused", [])


def _expiring(post: Post, channel: str, channels: tuple[str, ...], numbered: bool = False) -> tuple[Message, int]:
    """A member with points that end only with notice, told of them."""
    added = {"points": 100, "reason": "x"}
    headers = {"Idempotency-Key": "a"}
    post.call("POST /v1/members/{id}/adjustments", added, params={"id": post.member}, headers=headers)
    (lot,) = _chain(post).state.lots
    notice = Notice("points", lot[0], _chain(post).number if numbered else 0)
    return post.write(channel, notice=notice, channels=channels, service=True, name="ending.1.a"), lot[0]


def _chain(post: Post) -> Any:
    return wiring.ledger().store.head(Chain(PROGRAM, post.member, "points"))


def test_points_that_end_only_with_notice_end_once_the_mail_has_arrived(post: Post) -> None:
    one, end = _expiring(post, "email", ("email",))
    before = _chain(post)
    post.deliver()
    assert _chain(post).number == before.number
    for _ in range(3):
        post.hear(one, "Delivery")
    after = _chain(post)
    assert (after.number, after.kind, after.detail["outcome"]) == (before.number + 1, "noticed", "delivered")
    assert after.state.noticed == end


def test_points_that_came_between_the_telling_and_the_report_are_not_taken_for_known(post: Post) -> None:
    one, end = _expiring(post, "email", ("email",), numbered=True)
    post.deliver()
    more = {"points": 50, "reason": "x", "expires_at": datetime.fromtimestamp(end, UTC).isoformat()}
    headers = {"Idempotency-Key": "b"}
    assert post.call("POST /v1/members/{id}/adjustments", more, params={"id": post.member}, headers=headers)
    before = _chain(post)
    assert before.state.lots == {(end, 0): 150}
    post.hear(one, "Delivery")
    assert _chain(post).state.noticed < end, "of the fifty nobody was told"
    assert _chain(post).state.waits_for_notice(end)


@pytest.mark.parametrize(
    ("fact", "more", "outcome", "days"),
    [("Delivery", {}, "delivered", 30), ("Bounce", {"bounceType": "Permanent"}, "unreachable", 10)],
)
def test_points_shrink_once_the_mail_that_said_so_has_arrived_or_never_can(
    post: Post, fact: str, more: dict[str, str], outcome: str, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, now = Chain(PROGRAM, post.member, "points"), int(time.time())
    shrinks = {"months": 2, "percent": 10, "notice_days": 30, "require_notice": True}
    document, version = wiring.programs().document(PROGRAM)
    wiring.programs().save({**document, "decay": shrinks}, version)
    monkeypatch.setattr(wiring, "_policies", {})
    program = wiring.policy(PROGRAM)
    today = program.day(now)

    def decide(draft: Draft) -> None:
        commands.earn_awards(draft, [commands.Award("base", Rate(100, 1))], today - 90, visit=True)
        commands.notice_of_decay(draft, today + 10, 10, promised=True)

    told = wiring.ledger().post(chain, Cause("k#1", "1", "night", now), now, decide).entry
    notice = Notice("points", 0, told.number, today + 10)
    one = post.write("email", notice=notice, channels=("email",), service=True, name="ending.1.a")
    post.deliver()
    assert (_chain(post).number, decay_due(_chain(post).state, program)) == (told.number, today + 10)
    for _ in range(2):
        post.hear(one, fact, **({"bounce": more} if more else {}))
    after = _chain(post)
    assert (after.number, after.kind, after.detail["outcome"]) == (told.number + 1, "noticed", outcome)
    assert (after.state.decay_noticed, after.state.decay_told) == (today + days, 0)


def test_points_of_whoever_nothing_reaches_end_too(post: Post) -> None:
    one, end = _expiring(post, "email", ("email",))
    post.deliver()
    post.hear(one, "Bounce", bounce={"bounceType": "Permanent"})
    after = _chain(post)
    assert (after.detail["outcome"], after.state.noticed) == ("unreachable", end)


def test_a_text_message_that_the_provider_has_counts_as_notice(post: Post) -> None:
    _, end = _expiring(post, "sms", ("sms", "email"))
    post.deliver()
    assert _chain(post).state.noticed == end


def test_an_inbox_is_read_by_its_member_and_by_nobody_else(post: Post) -> None:
    one = post.write("inbox")
    token = post.call("POST /v1/members/{id}/tokens", {}, token=post.shop, params={"id": post.member})["token"]
    found = post.call("GET /v1/members/{id}/inbox", token=token, params={"id": post.member})
    (lying,) = found["messages"]
    assert (found["unread"], lying["read"], lying["subject"], lying["id"]) == (1, False, "Hello", one.id)
    assert lying["text"].startswith("Look: https://api.example/v1/l/")
    where = {"id": post.member, "message": one.id}
    for _ in range(2):
        read = post.call("POST /v1/members/{id}/inbox/{message}/read", token=token, params=where)
        assert read["read"] is True
    assert post.call("GET /v1/members/{id}/inbox", token=token, params={"id": post.member})["unread"] == 0
    other = f"mem_{ulid(1, bytes(10))}"
    post.call("GET /v1/members/{id}/inbox", status=403, token=token, params={"id": other})
    post.call("GET /v1/members/{id}/inbox", status=404, params={"id": other})
    post.call("POST /v1/members/{id}/inbox/{message}/read", status=404, params=where | {"message": "msg_x"})


def test_whoever_only_reads_an_inbox_sees_no_link_that_does_anything(post: Post) -> None:
    one = post.write("inbox")
    auditor, where = post.running.key("auditor"), {"id": post.member}
    for token, shown in ((auditor, False), (post.shop, True), (post.operator, True)):
        (found,) = post.call("GET /v1/members/{id}/inbox", token=token, params=where)["messages"]
        assert ("/v1/unsubscribe/" in found["text"]) is shown
        assert ("/v1/l/" in found["text"]) is shown
        assert (TARGET in found["text"]) is not shown
    read = {**where, "message": one.id}
    assert "/v1/unsubscribe/" in post.call("POST /v1/members/{id}/inbox/{message}/read", params=read)["text"]


def test_an_inbox_is_read_page_by_page(post: Post) -> None:
    for number in range(5):
        post.write("inbox", name=f"hello.{number}.a")
    first = post.call("GET /v1/members/{id}/inbox", params={"id": post.member}, query={"limit": "3"})
    rest = post.call(
        "GET /v1/members/{id}/inbox", params={"id": post.member}, query={"limit": "3", "cursor": first["next"]}
    )
    assert (len(first["messages"]), len(rest["messages"]), "next" in rest, rest["unread"]) == (3, 2, False, 5)


def _fail(post: Post, **further: Any) -> Message:
    one = post.write(**further)
    dispatch.lambda_handler({}, None)
    which = messages.handed_of(json.dumps(post.queue.pop()))
    found = post.store.outgoing(which)
    assert found is not None
    assert post.store.bury(found, replace(found.message, phase="failed", code="busy", first=1))
    return one


def test_what_has_failed_is_shown_and_tried_anew(post: Post) -> None:
    one = _fail(post)
    other = _fail(post, name="bye.1.a", campaign="bye")
    shown = post.call("POST /v1/messages/redrive", {"dry_run": True})
    assert {(found["id"], found["outcome"]) for found in shown["messages"]} == {
        (one.id, "failed"),
        (other.id, "failed"),
    }
    done = post.call("POST /v1/messages/redrive", {"campaign": "bye"})
    assert [(found["id"], found["outcome"]) for found in done["messages"]] == [(other.id, "waiting")]
    post.drain()
    assert (post.state(other), post.state(one)) == ("sent", "failed")
    done = post.call("POST /v1/messages/redrive", {"messages": [one.id, other.id]})
    assert [found["id"] for found in done["messages"]] == [one.id]
    post.drain()
    assert post.state(one) == "sent"
    post.call("POST /v1/messages/redrive", {"cursor": "nonsense"}, status=400)


def test_what_cannot_be_sent_is_given_up_and_is_no_failure_of_the_batch(
    post: Post, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(senders, "channels", lambda _: {})
    one = post.write()
    assert post.deliver() == {"batchItemFailures": []}
    assert post.state(one) == "failed"
    assert '"given_up":1' in capsys.readouterr().out


def test_a_message_that_waits_or_never_was_is_not_found(post: Post) -> None:
    one = post.write()
    for text in (one.id, "msg_x"):
        assert (
            post.running.call(post.operator, "GET /v1/messages/{id}", params={"id": text}).code == "MESSAGE_NOT_FOUND"
        )


def test_what_a_message_comes_to_is_told_once_for_each_state(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(publish, "publish", told.extend)
    one = post.write()
    post.deliver()
    post.hear(one, "Open")
    post.hear(one, "Open")
    item = next(item for item in post.running.engine.items() if item["t"]["S"] == "message")
    publish.lambda_handler({"Records": [{"dynamodb": {"NewImage": item}}]}, None)
    ((kind, detail),) = told
    said = json.loads(detail)
    assert (kind, said["id"]) == ("message.opened", f"{PROGRAM}:{one.id}:opened")
    assert "ann@" not in detail
    assert "Hello" not in detail


@pytest.mark.parametrize(
    "body",
    [
        "nonsense",
        "[]",
        '{"eventType": "Open"}',
        '{"eventType": "Send", "mail": {"tags": {"loyalty-program": ["g"]}}}',
        '{"eventType": "Send", "mail": {"tags": {"loyalty-message": ["*"]}}}',
        '{"program": "grocer", "message": "msg_x", "event": "opened"}',
        '{"program": 5, "message": "msg_00000000000000000000000001-a.b.c", "event": "opened"}',
        '{"program": "grocer", "message": "msg_00000000000000000000000001-a.b.c", "event": "eaten"}',
    ],
)
def test_what_is_about_no_message_of_ours_is_left_alone(post: Post, body: str) -> None:
    event = {"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": body}]}
    assert delivery.lambda_handler(event, None) == {"batchItemFailures": []}


def test_a_mail_in_doubt_is_sent_again_through_the_functions_when_reports_of_its_time_came_and_the_queue_is_empty(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = {"reports": 1, "dead": 0}
    monkeypatch.setattr(messages, "holds_nothing", lambda queue: not held[queue])
    monkeypatch.setenv("DELIVERY_QUEUE_URL", "reports")
    monkeypatch.setenv("DELIVERY_DEAD_LETTER_URL", "dead")
    config.cache_clear()
    real, passed = time.time, [0]
    for clock in ("time", "monotonic"):
        monkeypatch.setattr(time, clock, lambda: real() + passed[0])
    post.provider.reported = "messages"
    post.provider.answers = [Outcome("doubtful", code="lost")]
    doubted, other = post.write(), post.write(name="hello.2.day0")
    post.deliver()
    assert sorted((post.state(doubted), post.state(other))) == ["doubtful", "sent"]
    lost = next(one for one in (doubted, other) if post.state(one) == "doubtful")
    post.hear(next(one for one in (doubted, other) if one is not lost), "Send")
    passed[0] += SILENT_S + 60
    post.deliver()
    assert post.state(lost) == "doubtful"
    held.update(reports=0, dead=1)
    passed[0] += LOOK_S
    post.deliver()
    assert post.state(lost) == "doubtful"
    held.update(dead=0)
    passed[0] += LOOK_S
    post.deliver()
    assert post.state(lost) == "sent"
    assert len(post.provider.got) == 2


def test_a_queue_that_does_not_answer_is_not_known_to_be_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = dict.fromkeys(outbound._HELD, "0")  # noqa: SLF001 - the names that are asked for

    class Sqs:
        def get_queue_attributes(self, **request: Any) -> dict[str, Any]:
            if not counts:
                raise EndpointConnectionError(endpoint_url="x")
            return {"Attributes": {name: counts[name] for name in request["AttributeNames"]}}

    monkeypatch.setattr(outbound, "_client", lambda _: Sqs())
    assert outbound.holds_nothing("q")
    for name in [*counts]:
        counts[name] = "1"
        assert not outbound.holds_nothing("q")
        counts[name] = "0"
    counts.clear()
    assert not outbound.holds_nothing("q")


def test_those_in_doubt_are_tried_anew_only_when_they_are_asked_for(post: Post) -> None:
    post.sms.answers = [Outcome("doubtful", code="timeout")]
    bad, one = _fail(post, name="bye.1.a"), post.write("sms")
    post.queue.clear()
    post.deliver()
    assert post.state(one) == "doubtful"
    shown = post.call("POST /v1/messages/redrive", {"dry_run": True})["messages"]
    assert [found["id"] for found in shown] == [bad.id]
    shown = post.call("POST /v1/messages/redrive", {"dry_run": True, "doubtful": True})["messages"]
    assert [(found["id"], found["outcome"]) for found in shown] == [(one.id, "doubtful")]
    assert post.call("POST /v1/messages/redrive", {"messages": [one.id]})["messages"] == []
    done = post.call("POST /v1/messages/redrive", {"messages": [one.id], "doubtful": True})["messages"]
    assert [found["outcome"] for found in done] == ["waiting"]
    post.drain()
    assert post.state(one) == "sent"
    assert len(post.sms.got) == 2  # the first had arrived after all


def test_another_provider_reports_in_a_form_of_our_own(post: Post) -> None:
    one = post.write("sms")
    post.deliver()
    body = {"program": PROGRAM, "message": one.id, "event": "delivered", "at": 1_700_000_000}
    delivery.lambda_handler({"Records": records([body])}, None)
    found = post.call("GET /v1/messages/{id}", params={"id": one.id})
    assert (found["state"], found["happened"]["delivered"]) == ("delivered", "2023-11-14T22:13:20Z")


def test_one_programme_in_trouble_is_no_reason_for_the_others(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    wiring.timers().register("aaa", 1)
    real: Callable[[str, int], int] = wiring.moment

    def moment(program: str, now: int) -> int:
        if program == "aaa":
            raise RuntimeError
        return real(program, now)

    monkeypatch.setattr(dispatch, "moment", moment)
    post.write()
    with pytest.raises(RuntimeError):
        dispatch.lambda_handler({}, None)
    assert len(post.queue) == 1
    assert dispatch.lambda_handler({"program": "nobody"}, None) == {"handed": 0}


def test_only_what_the_queue_has_refused_is_put_on_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sqs:
        def send_message_batch(self, **request: Any) -> dict[str, Any]:
            assert request["QueueUrl"] == "q"
            assert [json.loads(entry["MessageBody"]) for entry in request["Entries"]] == [{"a": 1}, {"a": 2}]
            return {"Failed": [{"Id": "1"}]}

    monkeypatch.setattr(outbound, "_client", lambda _: Sqs())
    assert outbound.send_batch("q", [{"a": 1}, {"a": 2}]) == [1]
    assert config() is config()


def test_a_provider_that_is_slow_today_is_asked_again_and_the_message_comes_once(post: Post) -> None:
    post.provider.answers = [Outcome("later", code="Throttling", retry_after_s=1)]
    one = post.write()
    post.deliver()
    assert post.state(one) == "waiting"
    (item,) = [
        item for item in post.running.engine.items() if item["t"]["S"] == "outgoing" and item["sk"]["S"][0].isdigit()
    ]
    which = {"program": PROGRAM, "account": one.account, "due": int(item["due"]["N"]), "name": one.name}
    for _ in range(3):
        notify.lambda_handler({"Records": records([which])}, None)
    assert post.state(one) == "sent"
    assert len(post.provider.got) == 1
