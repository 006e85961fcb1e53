"""The generic webhook, before a receiver that verifies with the standard's library and keeps ids."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Verifier

from loyalty.channels import signing
from loyalty.channels.channel import Kind, NotSent, Reply
from loyalty.channels.webhook import Account, Webhook, answered
from tests.providers import TAKES, Fault, Receiver, serving
from tests.unit.channel_rig import Impatient, Words, hang_up, sending

SECRET = signing.secret_of(bytes(range(32)))
OLD = signing.secret_of(bytes(range(1, 33)))
WORDS = Words(subject="积分", text="You have 1,200 points", html="<p>1,200</p>", data={"points": "1200"})
MESSAGE = sending(
    "webhook",
    "",
    WORDS,
    member="mem_1",
    language="zh",
    tags={"campaign": "autumn"},
    unsubscribe="https://u.example/1",
)


def now() -> int:
    """The standard's library goes by the world's time, and takes what is five minutes old for forged."""
    return int(time.time())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving(Receiver(SECRET)) as server:
        yield server
        hang_up()
        assert server.complaints == []


def channel(receiver: Receiver, *secrets: str, post: Impatient | None = None) -> Webhook:
    return Webhook(Account(f"{receiver.url}/hook", secrets or (SECRET,)), post or Impatient())


def test_the_receiver_gets_the_message_signed_under_its_id(receiver: Receiver) -> None:
    outcome = channel(receiver).send(MESSAGE, now())
    assert (outcome.kind, outcome.code) == ("accepted", "http_204")
    assert receiver.taken == [
        {
            "id": MESSAGE.id,
            "type": "message.send",
            "data": {
                "id": MESSAGE.id,
                "program": "grocer",
                "member": "mem_1",
                "language": "zh",
                "subject": "积分",
                "text": "You have 1,200 points",
                "html": "<p>1,200</p>",
                "fields": {"points": "1200"},
                "tags": {"campaign": "autumn"},
                "unsubscribe": "https://u.example/1",
            },
        }
    ]


def test_while_a_secret_is_changed_receivers_of_either_verify(receiver: Receiver) -> None:
    sender = channel(receiver, SECRET, OLD)
    receiver.secrets = [OLD]
    assert sender.send(MESSAGE, now()).kind == "accepted"
    receiver.secrets = [SECRET]
    assert sender.send(MESSAGE, now()).kind == "accepted"


def test_a_receiver_with_another_secret_keeps_it_waiting(receiver: Receiver) -> None:
    receiver.secrets = [OLD]
    outcome = channel(receiver).send(MESSAGE, now())
    assert (outcome.kind, outcome.code, outcome.retry_after_s) == ("later", "http_401", 900)


@pytest.mark.parametrize("fault", [one for one in Fault if one not in (Fault.ERR_BUSY, Fault.ERR_QUOTA, Fault.EXPIRED)])
def test_whatever_happens_it_is_sent_again_and_taken_once(receiver: Receiver, fault: Fault) -> None:
    post = Impatient()
    sender = channel(receiver, post=post)
    receiver.faults = [fault]
    post.hurry(fault, receiver)
    first = sender.send(MESSAGE, now())
    taken_at_first = len(receiver.taken)
    assert taken_at_first == (fault in TAKES)
    if fault is Fault.NONSENSE:  # of a webhook's answer only the status counts
        assert first.kind == "accepted"
    else:
        assert first.kind == "later"
    assert first.retry_after_s == {Fault.RATE: 7, Fault.ELSEWHERE: 900}.get(fault, 0)
    assert channel(receiver).send(MESSAGE, now()).kind == "accepted"
    assert (len(receiver.taken), receiver.twice) == (1, taken_at_first)
    bodies = {request.body for request in receiver.requests}
    assert len(bodies) == 1, "the second is the first again"


@pytest.mark.parametrize(
    ("status", "kind", "after"),
    [
        (200, "accepted", 0),
        (299, "accepted", 0),
        (301, "later", 900),
        (400, "refused", 0),
        (401, "later", 900),
        (403, "later", 900),
        (404, "later", 900),
        (408, "later", 0),
        (410, "dead", 0),
        (413, "refused", 0),
        (422, "refused", 0),
        (425, "later", 0),
        (429, "later", 0),
        (500, "later", 0),
        (503, "later", 0),
        (599, "later", 0),
    ],
)
def test_what_a_status_means(status: int, kind: Kind, after: int) -> None:
    outcome = answered(Reply(status))
    assert (outcome.kind, outcome.code, outcome.retry_after_s) == (kind, f"http_{status}", after)


@given(st.integers(100, 599), st.text(max_size=30))
def test_no_status_and_no_header_leaves_a_doubt_or_a_wait_without_end(status: int, asked: str) -> None:
    outcome = answered(Reply(status, headers={"retry-after": asked}))
    assert outcome.kind != "doubtful"
    assert 0 <= outcome.retry_after_s <= 86_400
    assert (outcome.kind == "accepted") == (200 <= status < 300)


def test_an_address_that_is_not_public_gets_nothing() -> None:
    class Nowhere(Impatient):
        def __call__(self, *request: object, **further: object) -> Reply:
            raise NotSent("private_address")

    outcome = Webhook(Account("https://10.0.0.1/", (SECRET,)), Nowhere()).send(MESSAGE, now())
    hang_up()
    assert (outcome.kind, outcome.code) == ("later", "private_address")


@given(
    st.binary(min_size=24, max_size=64),
    st.from_regex(r"[A-Za-z0-9_.\-]{1,60}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_signatures_are_those_of_the_standards_library(key: bytes, name: str, text: str) -> None:
    secret, body = signing.secret_of(key), text.encode()
    assert signing.key_of(secret) == key
    headers = signing.headers((OLD, secret), name, int(time.time()), body)
    Verifier(secret).verify(body, headers, json_parse=False)
    Verifier(OLD).verify(body, headers, json_parse=False)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_AAAA", "whsec_not base64!", "A" * 100, "whsec_" + "A" * 31])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="webhook"):
        signing.key_of(secret)
