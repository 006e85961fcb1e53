"""What comes back of messages: events of SES, and reports in a form of our own for any other provider. Pure.

A report names its message by a tag that went out with it; addresses in events are never looked at.
"""

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
SES_EVENTS: Final[Mapping[str, Fact]] = {
    "Email Sent": "sent",
    "Email Delivered": "delivered",
    "Email Bounced": "bounced",
    "Email Complaint Received": "complained",
    "Email Rejected": "rejected",
    "Email Rendering Failed": "rejected",
    "Email Opened": "opened",
    "Email Clicked": "clicked",
}
"""What SES puts on the account's bus (``source`` ``aws.ses``), and what it says of a message."""
_PARTS: Final = ("bounce", "complaint", "delivery", "open", "click", "send", "reject", "failure")
_OWN: Final[frozenset[str]] = frozenset(
    {"sent", "delivered", "returned", "bounced", "complained", "rejected", "opened", "clicked"}
)


class Report(Struct, frozen=True):
    """What was heard of one message; ``at`` in seconds since 1970, UTC; ``code`` says why, where it failed."""

    program: str
    account: str
    name: str
    fact: Fact
    at: int
    code: str = ""


def tags_of(message: Message) -> dict[str, str]:
    """Tags that come back with feedback. Their values have letters, digits, ``-`` and ``_`` alone, as SES asks."""
    message_tag = urlsafe_b64encode(message.id.encode()).decode().rstrip("=")
    found = {PROGRAM_TAG: message.program, MESSAGE_TAG: message_tag}
    return found | ({"service": "yes"} if message.service else {})


def report_of(body: str, wall: int) -> Report | None:
    """What a message of the feedback queue says, heard at ``wall``; None for what is about none of our messages.

    Either an EventBridge event of SES, or ``{"program", "message", "event", "at"?, "code"?}``, where ``event`` is
    sent, delivered, returned, bounced, complained, rejected, opened or clicked.
    """
    try:
        data = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    if not isinstance(data, dict):
        return None
    if data.get("source") == "aws.ses":
        return _of_ses(data, wall)
    place = locate(str(data.get("message")))
    if place is None or data.get("event") not in _OWN or not isinstance(data.get("program"), str):
        return None
    at = data.get("at")
    return Report(
        data["program"], *place, data["event"], at if type(at) is int and 0 < at <= wall else wall, _code(data)
    )


def _of_ses(data: dict[str, Any], wall: int) -> Report | None:
    fact = SES_EVENTS.get(str(data.get("detail-type")))
    detail = data.get("detail")
    mail = detail.get("mail") if isinstance(detail, dict) else None
    tags = mail.get("tags") if isinstance(mail, dict) else None
    if fact is None or not isinstance(detail, dict) or not isinstance(tags, dict):
        return None
    program, place = _first(tags, PROGRAM_TAG), _place(_first(tags, MESSAGE_TAG))
    if not program or place is None:
        return None
    about: dict[str, Any] = next((detail[part] for part in _PARTS if isinstance(detail.get(part), dict)), {})
    kind = str(about.get("bounceType", ""))
    if fact == "bounced" and kind != "Permanent":
        fact = "returned"
    code = "-".join(word for word in (kind, str(about.get("bounceSubType", ""))) if word)
    code = code or str(about.get("complaintFeedbackType", ""))
    return Report(program, *place, fact, _when(about.get("timestamp"), wall), code[:64])


def _first(tags: dict[str, Any], name: str) -> str:
    found = tags.get(name)
    return str(found[0]) if isinstance(found, list) and found else ""


def _place(tag: str) -> tuple[str, str] | None:
    try:
        return locate(urlsafe_b64decode(tag + "=" * (-len(tag) % 4)).decode())
    except (NotBase64, ValueError):
        return None


def _when(text: object, wall: int) -> int:
    """When it happened; when it was heard, where the event does not say so, or says what cannot be."""
    try:
        at = int(datetime.fromisoformat(str(text)).timestamp())
    except (ValueError, OverflowError):
        return wall
    return at if 0 < at <= wall else wall


def _code(data: dict[str, Any]) -> str:
    code = data.get("code")
    return code[:64] if isinstance(code, str) and code.isascii() and code.isprintable() else ""
