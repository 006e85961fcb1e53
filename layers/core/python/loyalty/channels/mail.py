"""E-mail through SES: one message to one address, with one-step unsubscribing (RFC 8058) in its headers.

SES knows no idempotent sending, but reports that it took a mail, with our tags, where the configuration set publishes
events: by this a mail whose answer got lost is settled, and by the silence of a path that is known to work.
"""

from typing import Final

from msgspec import Struct

from loyalty.channels.aws import called
from loyalty.channels.channel import Call, Kind, Outcome, Sending

MAX_TAG: Final = 256
KINDS: Final[dict[str, Kind]] = {
    "MessageRejected": "refused",
    "BadRequestException": "refused",
    "ValidationException": "refused",
    "LimitExceededException": "later",
}
_SAFE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class Account(Struct, frozen=True):
    """From whom; ``configuration_set`` is the one that publishes SES's events to the topic of reports."""

    sender: str
    configuration_set: str = ""
    reply_to: str = ""


class Mail:
    """``call`` is SES's SendEmail."""

    name: Final = "email"

    def __init__(self, account: Account, call: Call) -> None:
        self.reported = account.configuration_set
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
        tags = {_safe(name): _safe(value) for name, value in sending.tags.items() if value}
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


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}


def _safe(text: str) -> str:
    return "".join(letter if letter in _SAFE else "_" for letter in text)[:MAX_TAG]
