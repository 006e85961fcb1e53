"""Bodies and queries of the segments function's requests."""

from typing import Annotated, Final

from msgspec import Meta

from loyalty.segments.service import MAX_SOURCE
from loyalty.shapes import Body

MAX_BODY: Final = 800_000
"""Bytes; JSON writes a line's end, and some letters, in more bytes than YAML does."""
Limit = Annotated[int, Meta(ge=1, le=100, description="How many at most; 50 when left out")]
Cursor = Annotated[str, Meta(max_length=64, description="The answer's next, to go on")]


class SegmentsRequest(Body):
    """All segments of the programme, as YAML."""

    source: Annotated[str, Meta(min_length=1, max_length=MAX_SOURCE, examples=["program: grocer\nsegments: …"])]
