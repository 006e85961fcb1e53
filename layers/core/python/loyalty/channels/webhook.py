"""A webhook: messages go to a system of the programme's owner, which passes them on as it likes.

Signed as the Standard Webhooks specification says. The message's id is the webhook's, whenever and however often it is
sent: the receiver keeps ids and takes each once, so what may have arrived is sent again.
"""

import json
from typing import Final

from msgspec import Struct

from loyalty.channels.channel import NoAnswer, NotSent, Outcome, Post, Reply, Sending, unanswered
from loyalty.channels.signing import headers

TIMEOUT_S: Final = 10.0
TYPE: Final = "message.send"
MENDED_S: Final = 900
_REFUSED: Final = frozenset({400, 413, 422})
_SOON: Final = frozenset({408, 409, 425, 429})


class Account(Struct, frozen=True):
    """Where to, and the secrets that sign; more than one while they are being changed."""

    url: str
    secrets: tuple[str, ...]


class Webhook:
    """One receiver."""

    name: Final = "webhook"
    reported: Final = ""

    def __init__(self, account: Account, post: Post) -> None:
        self._account = account
        self._post = post

    def send(self, sending: Sending, now: int) -> Outcome:
        words = sending.rendered
        payload = {
            "type": TYPE,
            "data": {
                "id": sending.id,
                "program": sending.program,
                "member": sending.member,
                "language": sending.language,
                "subject": words.subject,
                "text": words.text,
                "html": words.html,
                "fields": dict(words.data),
                "tags": dict(sending.tags),
                "unsubscribe": sending.unsubscribe,
            },
        }
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
        try:
            reply = self._post(
                self._account.url, body, headers(self._account.secrets, sending.id, now, body), TIMEOUT_S
            )
        except (NotSent, NoAnswer) as error:
            return unanswered(error, known_again=True)
        return answered_for_a_member(reply)


def answered_for_a_member(reply: Reply) -> Outcome:
    """What an answer to a message means. The receiver is the programme's: where it is gone, it is so for a while for
    all, and no member's address is dead.
    """
    outcome = answered(reply)
    return Outcome("later", code=outcome.code, retry_after_s=MENDED_S) if outcome.kind == "dead" else outcome


def answered(reply: Reply) -> Outcome:
    """What a receiver's answer means: it has it, wants nothing of this kind, wants nothing more, or later."""
    code = f"http_{reply.status}"
    if 200 <= reply.status < 300:
        return Outcome("accepted", code=code)
    if reply.status == 410:
        return Outcome("dead", code=code)
    if reply.status in _REFUSED:
        return Outcome("refused", code=code)
    if reply.status in _SOON or reply.status >= 500:
        return Outcome("later", code=code, retry_after_s=asked(reply))
    return Outcome("later", code=code, retry_after_s=MENDED_S)


def asked(reply: Reply) -> int:
    """The seconds in its ``retry-after``; 0 when it names none, or a date."""
    text = reply.headers.get("retry-after", "").strip()
    return min(int(text), 86_400) if text.isascii() and text.isdecimal() else 0
