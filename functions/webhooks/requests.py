"""Bodies and queries of the webhooks function's requests."""

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from loyalty.shapes import Body
from loyalty.webhooks.endpoint import MAX_OVERLAP_S, MAX_URL, OVERLAP_S

Url = Annotated[str, Meta(min_length=9, max_length=MAX_URL, examples=["https://partner.example/loyalty"])]
Kind = Annotated[str, Meta(pattern=r"^(\*|[a-z]{1,30}\.([a-z_]{1,40}|\*))$(?!\n)", examples=["points.*"])]
Kinds = Annotated[tuple[Kind, ...], Meta(min_length=1, max_length=32)]
Limit = Annotated[int, Meta(ge=1, le=100, description="How many at most; 50 when left out")]
Moment = Annotated[datetime, Meta(tz=True, description="With an offset, e.g. 2026-03-01T12:30:00Z")]


class WebhookRequest(Body):
    """A webhook to be made. ``events`` are types, ``points.*`` for all that begin so, ``*`` for all; ``ordered`` keeps
    a member's events in the order of their entries.
    """

    url: Url
    events: Kinds
    ordered: bool = False


class WebhookChange(Body):
    """What is to be otherwise. ``enabled`` true switches one on again that was switched off."""

    url: Url | UnsetType = UNSET
    events: Kinds | UnsetType = UNSET
    ordered: bool | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class SecretRequest(Body):
    """The secret in use signs on for ``overlap`` seconds beside the new one."""

    overlap: Annotated[int, Meta(ge=0, le=MAX_OVERLAP_S)] = OVERLAP_S


class ReplayRequest(Body):
    """Send anew all that was recorded in this time, both ends included; 30 days are kept."""

    since: Moment
    until: Moment
