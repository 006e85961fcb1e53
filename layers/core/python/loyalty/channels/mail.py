"""E-mail through SES: one message to one address, with one-step unsubscribing (RFC 8058) in its headers.

SES knows no idempotent sending, but reports that it took a mail, with our tags, when the configuration set publishes
events: by this a mail whose answer got lost is settled. No report is no proof that it was not taken, for the bus gets
events as best SES can.
"""

import base64
from typing import Final

from msgspec import Struct

from loyalty.channels.aws import called
from loyalty.channels.channel import Call, Kind, Outcome, Sending

TAG: Final = "message"
"""The tag that comes back with every event: the message's id, in base64url, for a tag's value knows no dots."""
PROGRAM_TAG: Final = "program"
MAX_TAG: Final = 256
KINDS: Final[dict[str, Kind]] = {
    "MessageRejected": "refused",
    "BadRequestException": "refused",
    "ValidationException": "refused",
    "LimitExceededException": "later",
}
_SAFE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class Account(Struct, frozen=True):
    """From whom; ``configuration_set`` is the one that publishes SES's events to the account's bus."""

    sender: str
    configuration_set: str = ""
    reply_to: str = ""


class Mail:
    """``call`` is SES's SendEmail."""

    name: Final = "email"
    proof: Final = True

    def __init__(self, account: Account, call: Call) -> None:
        self._account = account
        self._call = call

    def send(self, sending: Sending, now: int) -> Outcome:
        del now
        return called(self._call, self.request(sending), KINDS)

    def request(self, sending: Sending) -> dict[str, object]:
        words, account = sending.rendered, self._account
        body = {"Text": _utf8(words.text), **({"Html": _utf8(words.html)} if words.html else {})}
        simple: dict[str, object] = {"Subject": _utf8(words.subject), "Body": body}
        if sending.unsubscribe:
            simple["Headers"] = [
                {"Name": "List-Unsubscribe", "Value": f"<{sending.unsubscribe}>"},
                {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
            ]
        tags = {TAG: tag_of(sending.id), PROGRAM_TAG: sending.program}
        tags |= {_safe(name): _safe(value) for name, value in sending.tags.items() if name not in tags and value}
        request: dict[str, object] = {
            "FromEmailAddress": account.sender,
            "Destination": {"ToAddresses": [sending.address]},
            "Content": {"Simple": simple},
            "EmailTags": [{"Name": name, "Value": value} for name, value in tags.items()],
        }
        if account.configuration_set:
            request["ConfigurationSetName"] = account.configuration_set
        if account.reply_to:
            request["ReplyToAddresses"] = [account.reply_to]
        return request


def tag_of(message_id: str) -> str:
    """A message's id as the value of a tag."""
    return base64.urlsafe_b64encode(message_id.encode()).decode().rstrip("=")


def message_of(tag: str) -> str:
    """The message's id of such a tag. ValueError when it is none."""
    return base64.urlsafe_b64decode(tag + "=" * (-len(tag) % 4)).decode()


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}


def _safe(text: str) -> str:
    return "".join(letter if letter in _SAFE else "_" for letter in text)[:MAX_TAG]
