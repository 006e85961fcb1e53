"""Bodies and queries of the campaigns function's requests."""

from datetime import date
from typing import Annotated, Final

from msgspec import Meta, field

from loyalty.campaigns.preview import Purse
from loyalty.campaigns.preview_views import PurseView
from loyalty.campaigns.service import Asked
from loyalty.campaigns.trial import Asked as AskedTexts
from loyalty.campaigns.trial import Channel, Language
from loyalty.errors import Invalid
from loyalty.shapes import Body
from loyalty.table.keys import MEMBER_SHARDS
from loyalty.values import MAX_AMOUNT

MAX_SOURCE: Final = 200_000
MAX_BODY: Final = 800_000
"""Bytes; JSON writes a line's end, and some letters, in more bytes than YAML does."""
Limit = Annotated[int, Meta(ge=1, le=100, description="How many at most; 50 when left out")]
Cursor = Annotated[str, Meta(max_length=200, description="The answer's next, to go on")]
Why = Annotated[str, Meta(min_length=1, max_length=200)]
Id = Annotated[str, Meta(min_length=1, max_length=64)]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Value = Annotated[int, Meta(ge=0, le=MAX_AMOUNT)] | Annotated[str, Meta(max_length=500)]

Part = Annotated[
    int,
    Meta(ge=0, lt=MEMBER_SHARDS, description="One of 16 parts of the members, to ask for all at once; left out: all"),
]


class CampaignsRequest(Body):
    """Campaigns with their texts, as YAML."""

    source: Annotated[str, Meta(min_length=1, max_length=MAX_SOURCE, examples=["program: grocer\ncampaigns: …"])]


class PreviewRequest(Body):
    """A page of what would be said and given, to whom: to whoever came in on ``day``."""

    day: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="Today when left out")] | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 25
    cursor: Annotated[str, Meta(max_length=64, description="The answer's next, to go on")] = ""
    part: Part | None = None
    budget: (
        Annotated[PurseView, Meta(description="How far the budget reaches, when it does not reach for all")] | None
    ) = None

    def asked(self, program: str, campaign: str) -> Asked:
        purse = None if self.budget is None else Purse(ordinal(self.budget.until), self.budget.points)
        return Asked(program, campaign, ordinal(self.day), self.limit, self.cursor, self.part, purse)


class TextsRequest(Body):
    """Which texts of a step, and what is known of the member who reads them: somebody made up."""

    step: Id
    channel: Annotated[Channel, Meta(description="All that there are when left out")] | None = None
    language: Annotated[Language, Meta(description="Both when left out")] | None = None
    variant: Annotated[Id, Meta(description="All that there are when left out")] | None = None
    variables: Annotated[
        dict[Id, Value],
        Meta(
            max_length=100,
            description="What the texts ask for, by name: days as ISO 8601, money in minor units",
            examples=[{"name": "Ada", "points": 420}],
        ),
    ] = field(default_factory=dict)
    day: Annotated[Day, Meta(description="When it is said; the step's own day when left out")] | None = None

    def asked(self) -> AskedTexts:
        day = ordinal(self.day)
        return AskedTexts(self.step, self.channel, self.language, self.variant, self.variables, day)


class CancelRequest(Body):
    """Why it is ended before its end."""

    reason: Why


def ordinal(day: str | None) -> int:
    """A day as its ordinal, 0 where none is said; Invalid for one that no calendar has."""
    try:
        return date.fromisoformat(day).toordinal() if day else 0
    except ValueError:
        raise Invalid("REQUEST_INVALID", "day must be a date, such as 2026-12-01", field="day") from None
