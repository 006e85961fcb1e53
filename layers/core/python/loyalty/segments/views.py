"""How segments look from outside."""

from collections.abc import Mapping

from msgspec import UNSET, Struct, UnsetType

from loyalty.ledger.views import iso
from loyalty.rules.ruleset import Names
from loyalty.segments.segment import Segments


class SegmentView(Struct, frozen=True):
    """One segment, whom it is for, and how many members are in it now."""

    id: str
    name: Names
    when: str
    members: int


class SegmentsView(Struct, frozen=True, omit_defaults=True):
    """All segments, by id. ``version`` counts the files handed in, ``source`` is the one in force; both are missing
    before the first. ``cases`` is how many of its own cases a file passed when it was handed in.
    """

    segments: list[SegmentView]
    version: int | UnsetType = UNSET
    source: str | UnsetType = UNSET
    cases: int | UnsetType = UNSET


class InSegmentView(Struct, frozen=True):
    """A member of a segment, and since when."""

    member: str
    since: str


class SegmentMembersView(Struct, frozen=True, omit_defaults=True):
    """Members of a segment in no order that means anything; ``next`` is the cursor of the page after this one, and
    missing on the last.
    """

    members: list[InSegmentView]
    next: str | UnsetType = UNSET


def segments_view(segments: Segments | None, source: str, counts: Mapping[str, int]) -> SegmentsView:
    """Segments for the API, with how many members each has."""
    if segments is None:
        return SegmentsView([])
    views = [SegmentView(one.id, one.names, one.text, counts.get(one.id, 0)) for one in segments.segments]
    return SegmentsView(views, segments.version, source)


def members_view(members: list[tuple[str, int]], following: str) -> SegmentMembersView:
    """A page of a segment's members for the API."""
    return SegmentMembersView([InSegmentView(member, iso(since)) for member, since in members], following or UNSET)
