"""What comes back of messages: events of SES, and reports in a form of our own for any other provider. Pure.

SES publishes to a topic, and the topic passes on to the queue as it is (raw delivery).

A report names its message by a tag that went out with it; addresses in events are never looked at.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from loyalty.notifications.message import Fact, Message, locate

PROGRAM_TAG: Final = "loyalty-program"
MESSAGE_TAG: Final = "loyalty-message"
PATH_TAG: Final = "ses:configuration-set"
"""SES's own tag: by which configuration set a mail went, and its reports come."""
SES_EVENTS: Final[Mapping[str, Fact]] = {
    "Send": "sent",
    "DeliveryDelay": "sent",
    "Delivery": "delivered",
    "Bounce": "bounced",
    "Complaint": "complained",
    "Reject": "rejected",
    "Rendering Failure": "rejected",
    "Open": "opened",
    "Click": "clicked",
}
"""What SES publishes (``eventType``), and what it says of a message."""
_PATH: Final = re.compile("[A-Za-z0-9_-]{1,64}", re.ASCII)
_PARTS: Final = ("bounce", "complaint", "delivery", "open", "click", "send", "reject", "failure")
_OWN: Final[frozenset[str]] = frozenset(
    {"sent", "delivered", "returned", "bounced", "complained", "rejected", "opened", "clicked"}
)


class Report(Struct, frozen=True):
    """What was heard of one message; ``at`` in seconds since 1970, UTC; ``code`` says why, where it failed. Where it
    says that the provider took it, by a ``path`` by which all that is taken is reported: ``taken`` is when, on the
    world's clock.
    """

    program: str
    account: str
    name: str
    fact: Fact
    at: int
    code: str = ""
    path: str = ""
    taken: int = 0


def tags_of(message: Message) -> dict[str, str]:
    """Tags that come back with feedback. Their values have letters, digits, ``-`` and ``_`` alone, as SES asks."""
    message_tag = urlsafe_b64encode(message.id.encode()).decode().rstrip("=")
    found = {PROGRAM_TAG: message.program, MESSAGE_TAG: message_tag}
    return found | ({"service": "yes"} if message.service else {})


def report_of(body: str, wall: int) -> Report | None:
    """What a message of the feedback queue says, heard at ``wall``; None for what is about none of our messages.

    Either an event of SES, or ``{"program", "message", "event", "at"?, "code"?}``, where ``event`` is
    sent, delivered, returned, bounced, complained, rejected, opened or clicked.
    """
    try:
        data = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    if not isinstance(data, dict):
        return None
    if "eventType" in data:
        return _of_ses(data, wall)
    place = locate(str(data.get("message")))
    if place is None or data.get("event") not in _OWN or not isinstance(data.get("program"), str):
        return None
    at = data.get("at")
    return Report(
        data["program"], *place, data["event"], at if type(at) is int and 0 < at <= wall else wall, _code(data)
    )


def _of_ses(data: dict[str, Any], wall: int) -> Report | None:
    fact = SES_EVENTS.get(str(data["eventType"]))
    mail = data.get("mail")
    tags = mail.get("tags") if isinstance(mail, dict) else None
    if fact is None or not isinstance(mail, dict) or not isinstance(tags, dict):
        return None
    program, place = _first(tags, PROGRAM_TAG), _place(_first(tags, MESSAGE_TAG))
    if not program or place is None:
        return None
    about: dict[str, Any] = next((data[part] for part in _PARTS if isinstance(data.get(part), dict)), {})
    kind = str(about.get("bounceType", ""))
    if fact == "bounced" and kind != "Permanent":
        fact = "returned"
    code = "-".join(word for word in (kind, str(about.get("bounceSubType", ""))) if word)
    code = code or str(about.get("complaintFeedbackType", ""))
    taken = _seconds(mail.get("timestamp"), wall)
    at = (taken if fact == "sent" else _seconds(about.get("timestamp"), wall)) or wall
    path = _first(tags, PATH_TAG) if data["eventType"] == "Send" and taken else ""
    if not _PATH.fullmatch(path):
        return Report(program, *place, fact, at, code[:64])
    return Report(program, *place, fact, at, code[:64], path, taken)


def _first(tags: dict[str, Any], name: str) -> str:
    found = tags.get(name)
    return str(found[0]) if isinstance(found, list) and found else ""


def _place(tag: str) -> tuple[str, str] | None:
    try:
        return locate(urlsafe_b64decode(tag + "=" * (-len(tag) % 4)).decode())
    except (NotBase64, ValueError):
        return None


def _seconds(text: object, wall: int) -> int:
    """When it happened; 0 where the event does not say so, or says what cannot be."""
    try:
        at = int(datetime.fromisoformat(str(text)).timestamp())
    except (ValueError, OverflowError):
        return 0
    return at if 0 < at <= wall else 0


def _code(data: dict[str, Any]) -> str:
    code = data.get("code")
    return code[:64] if isinstance(code, str) and code.isascii() and code.isprintable() else ""
