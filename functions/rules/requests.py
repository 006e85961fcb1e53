"""Bodies and queries of the rules function's requests."""

from typing import Annotated, Final

from msgspec import Meta

from loyalty.rules.service import MAX_SOURCE
from loyalty.shapes import Body

MAX_BODY: Final = 3_000_000
"""Bytes; JSON writes a line's end, and some letters, in more bytes than YAML does."""
SHOWN_ACTS: Final = 20
Limit = Annotated[int, Meta(ge=1, le=100, description="How many at most; 50 when left out")]
Cursor = Annotated[
    str, Meta(pattern=r"^rls_[0-7][0-9A-HJKMNP-TV-Z]{25}$(?!\n)", description="The answer's next, to go on")
]


class RuleSetRequest(Body):
    """A rule set, as YAML."""

    source: Annotated[str, Meta(min_length=1, max_length=MAX_SOURCE, examples=["rule_set: autumn\nprogram: grocer\n…"])]
