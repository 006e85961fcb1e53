"""Bodies of the hold function's requests."""

from typing import Annotated

from msgspec import Meta

from loyalty.shapes import Body, Identity, MemberId, Points, Wallet

Minutes = Annotated[
    int, Meta(ge=1, le=43_200, description="How long the hold lasts; the policy's default when left out")
]


class HoldRequest(Body):
    """Set points aside."""

    points: Points
    minutes: Minutes | None = None
    wallet: Wallet = "points"


SETTLE_MINUTES = 1_440


class AllowanceRequest(HoldRequest):
    """Set points aside for a till that may lose its network. Name the member or one of its identities.

    ``minutes`` is how long the till may spend; the hold lasts ``settle_minutes`` longer, for the till to come back
    and settle: a day when left out, or as much of it as the policy's longest hold leaves.
    """

    member: MemberId | None = None
    identity: Identity | None = None
    settle_minutes: Annotated[int, Meta(ge=1, le=43_200)] | None = None


Allowance = Annotated[str, Meta(max_length=2_048, description="The signed text that an offline hold came with")]


class CaptureRequest(Body):
    """Spend from a hold. Without ``points`` all of it; ``final`` gives what is then left back to the member."""

    points: Points | None = None
    final: bool = True
    allowance: Allowance | None = None


class ReleaseRequest(Body):
    """The path names the hold. An offline one is given up by who shows its allowance, or may correct balances."""

    allowance: Allowance | None = None
