"""Bodies and queries of the campaigns function's requests."""

from typing import Annotated, Final

from msgspec import Meta

from loyalty.shapes import Body

MAX_SOURCE: Final = 200_000
MAX_BODY: Final = 800_000
"""Bytes; JSON writes a line's end, and some letters, in more bytes than YAML does."""
Limit = Annotated[int, Meta(ge=1, le=100, description="How many at most; 50 when left out")]
Cursor = Annotated[str, Meta(max_length=200, description="The answer's next, to go on")]
Why = Annotated[str, Meta(min_length=1, max_length=200)]


class CampaignsRequest(Body):
    """Campaigns with their texts, as YAML."""

    source: Annotated[str, Meta(min_length=1, max_length=MAX_SOURCE, examples=["program: grocer\ncampaigns: …"])]


class CancelRequest(Body):
    """Why it is ended before its end."""

    reason: Why
