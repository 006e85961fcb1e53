"""Entering and leaving a segment, as events. Pure. None holds personal data."""

from typing import Final

from msgspec import Struct

from loyalty.ledger.views import iso
from loyalty.segments.profile import Moves

VERSION: Final = 1
ENTERED: Final = "segment.entered"
LEFT: Final = "segment.left"


class SegmentEvent(Struct, frozen=True, kw_only=True):
    """A member entered or left a segment. The same event delivered twice has the same ``id``."""

    version: int = VERSION
    id: str
    program: str
    member: str
    segment: str
    occurred_at: str


def events_of(program: str, member: str, version: int, moves: Moves) -> list[tuple[str, SegmentEvent]]:
    """(type, detail) of all that one write of a profile tells: first what was left."""
    told = [(LEFT, name) for name in moves.left] + [(ENTERED, name) for name in moves.entered]
    return [
        (
            kind,
            SegmentEvent(
                id=f"{program}:{member}:{kind}:{name}:{version}",
                program=program,
                member=member,
                segment=name,
                occurred_at=iso(moves.at),
            ),
        )
        for kind, name in told
    ]
