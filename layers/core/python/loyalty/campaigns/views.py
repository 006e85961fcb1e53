"""Campaigns as they are answered."""

from datetime import date
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from loyalty.campaigns.run import Aside, Shown
from loyalty.ledger.views import iso


class NamesView(Struct, frozen=True):
    """In both languages."""

    en: str
    zh: str


class CampaignView(Struct, frozen=True, omit_defaults=True):
    """A campaign, and how far it has come."""

    id: str
    name: NamesView
    goal: NamesView
    state: str
    version: Annotated[int, Meta(description="The newest that was handed in")]
    runs: Annotated[
        int | UnsetType, Meta(description="The version that runs; a way goes on with the one that it began with")
    ] = UNSET
    metric: str = ""
    window_days: int = 0
    begun_at: str | UnsetType = UNSET
    assigned_on: Annotated[
        str | UnsetType, Meta(description="The day on which everybody was assigned, where the audience is frozen")
    ] = UNSET
    looks: int = 0
    why: Annotated[str | UnsetType, Meta(description="Why it ended, where it was not at its end")] = UNSET
    source: Annotated[str | UnsetType, Meta(description="The file it was read from, as YAML")] = UNSET


class CampaignsView(Struct, frozen=True):
    """All campaigns of the programme, by id."""

    campaigns: list[CampaignView]


class AsideView(Struct, frozen=True):
    """A member, or a batch of them, that could not be seen to."""

    step: Annotated[str, Meta(description="assign, touch or measure")]
    what: Annotated[str, Meta(description="A member's id; of a batch, its shard and last member")]
    reason: str
    at: str


class AsidesView(Struct, frozen=True, omit_defaults=True):
    """A page of them."""

    aside: list[AsideView]
    next: str = ""


def campaign_view(shown: Shown) -> CampaignView:
    status, campaign = shown.status, shown.campaign
    return CampaignView(
        id=status.id,
        name=NamesView(campaign.names.en, campaign.names.zh),
        goal=NamesView(campaign.goal.en, campaign.goal.zh),
        state=status.state,
        version=status.version,
        runs=status.runs or UNSET,
        metric=campaign.metric,
        window_days=campaign.window_days,
        begun_at=iso(status.begun) if status.begun else UNSET,
        assigned_on=date.fromordinal(status.assigned).isoformat() if status.assigned else UNSET,
        looks=status.looks,
        why=status.why or UNSET,
        source=shown.source or UNSET,
    )


def asides_view(found: list[Aside], following: str) -> AsidesView:
    return AsidesView([AsideView(one.step, one.what, one.reason, iso(one.at)) for one in found], following)
