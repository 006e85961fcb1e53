"""One event for one endpoint: what is sent, in which order, and when again. Pure; seconds since 1970."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Literal

from msgspec import Struct

KEPT_S: Final = 30 * 86_400
"""So long a delivery can be looked at and sent anew."""
TRIED_S: Final = 86_400
"""So long it is tried, from when it came."""
PAUSES_S: Final = (30, 60, 120, 300, 600, 1_200, 2_400, 3_600)
"""Before the second try, the third, … and then each."""
SETTLE_S: Final = 15
"""An event for an endpoint that wants order waits so long for those before it, which the bus may bring later."""
MAX_BODY: Final = 256_000
TEST: Final = "webhook.test"

State = Literal["waiting", "delivered", "failed", "kept"]
"""``kept``: it came while the endpoint was off, and is sent only when it is asked for."""


class Event(Struct, frozen=True):
    """An event off the bus. ``member`` is empty for what is nobody's; ``number`` the entry's, 0 without one."""

    program: str
    kind: str
    id: str
    member: str
    number: int
    at: int
    detail: Mapping[str, Any]


class Delivery(Struct, frozen=True):
    """An event on its way to an endpoint. ``name`` is the id that receivers know it by; ``came`` when it was taken up,
    ``due`` when it may be tried; ``code`` what the newest try came to.
    """

    name: str
    kind: str
    member: str
    number: int
    at: int
    body: str
    came: int
    state: State = "waiting"
    tries: int = 0
    tried: int = 0
    code: str = ""


class Waiting(Struct, frozen=True):
    """A place in the line: whose it is (the member's for an endpoint that wants order) and when it is due."""

    place: str
    member: str
    due: int
    tries: int = 0


def event_of(body: str) -> Event | None:
    """The event in a message that the bus put on the queue; None for one that is no programme's."""
    message = json.loads(body)
    detail = message["detail"]
    program, kind = str(detail.get("program", "")), str(message["detail-type"])
    if not program:
        return None
    return Event(
        program=program,
        kind=kind,
        id=str(detail.get("id") or message.get("id", "")),
        member=str(detail.get("member", "")),
        number=int(detail.get("number", 0)),
        at=seconds(str(detail.get("recorded_at") or message.get("time", ""))),
        detail=detail,
    )


def delivery_of(event: Event, now: int) -> Delivery:
    """What is sent of an event, the same to the byte however often."""
    content = {"type": event.kind, "timestamp": iso(event.at), "data": event.detail}
    return Delivery(
        name=name_of(event.id),
        kind=event.kind,
        member=event.member,
        number=event.number,
        at=event.at,
        body=json.dumps(content, ensure_ascii=False, separators=(",", ":")),
        came=now,
    )


def name_of(event_id: str) -> str:
    """The id in the header: our event's own has characters that the standard's text to be signed is divided by."""
    return "evt_" + sha256(event_id.encode()).hexdigest()[:32]


def place_of(delivery: Delivery) -> str:
    """Where it stands: by time, then by the entry's number."""
    return f"{delivery.at:010d}#{delivery.number:012d}#{delivery.name}"


def pause(tries: int) -> int:
    """Seconds until the next try, after so many."""
    return PAUSES_S[min(tries, len(PAUSES_S)) - 1]


def seconds(text: str) -> int:
    """Seconds since 1970 of an ISO time; 0 for what is none."""
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        return 0


def iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
