"""What others hear of campaigns. Pure."""

from typing import Final

from msgspec import UNSET, Struct, UnsetType

from loyalty.ledger.events import VERSION
from loyalty.ledger.views import iso

STARTED: Final = "campaign.started"
FINISHED: Final = "campaign.finished"


class Told(Struct, frozen=True):
    """Something that happened to a campaign; ``attempt`` tells one time from another, ``at`` in seconds since 1970."""

    what: str
    program: str
    campaign: str
    version: int
    attempt: int
    at: int
    why: str = ""


class CampaignEvent(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A campaign began to run, or is over; ``why`` where it did not come to its own end."""

    version: int = VERSION
    id: str
    program: str
    campaign: str
    campaign_version: int
    at: str
    why: str | UnsetType = UNSET


def event_of(told: Told) -> tuple[str, CampaignEvent]:
    """(type, detail)."""
    kind = STARTED if told.what == "started" else FINISHED
    return kind, CampaignEvent(
        id=f"{told.program}:{told.campaign}:{kind}:{told.attempt}",
        program=told.program,
        campaign=told.campaign,
        campaign_version=told.version,
        at=iso(told.at),
        why=told.why or UNSET,
    )
