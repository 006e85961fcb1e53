"""Bodies and queries of the inbox function's requests."""

from typing import Annotated

from msgspec import Meta

from loyalty.shapes import Body

MessageId = Annotated[
    str, Meta(pattern=r"^msg_[0-7][0-9A-HJKMNP-TV-Z]{25}-[A-Za-z0-9_.-]{3,150}$(?!\n)", description="A message's id")
]
Limit = Annotated[int, Meta(ge=1, le=100, description="How many at most; 50 when left out")]
Cursor = Annotated[str, Meta(max_length=250, description="The answer's next, to go on")]


class RedriveRequest(Body):
    """Which messages that have failed are to be tried anew: those named, or all, page by page; of one campaign, or of
    one reason, where that is named. ``dry_run`` only shows them. ``doubtful``: those in doubt instead; a member who has
    got one already gets it twice.
    """

    messages: Annotated[tuple[MessageId, ...], Meta(max_length=100)] = ()
    campaign: Annotated[str, Meta(max_length=64)] = ""
    code: Annotated[str, Meta(max_length=64)] = ""
    limit: Limit = 50
    cursor: Cursor = ""
    dry_run: bool = False
    doubtful: bool = False
