"""Bodies of the redeem function's requests."""

from typing import Annotated

from msgspec import Meta

from loyalty.shapes import Body, Label, Points, Wallet


class RedemptionRequest(Body):
    """Spend points. ``reason`` says on what; nothing personal."""

    points: Points
    reason: Label = ""
    wallet: Wallet = "points"


class CancelRequest(Body):
    """Nothing needs to be said; the path names the redemption."""


class RenewalRequest(Body):
    """Have all points that end ``within_days`` last as long as the policy's renewal says, for its price in points."""

    within_days: Annotated[int, Meta(ge=1, le=366, examples=[30])] = 30
    wallet: Wallet = "points"
