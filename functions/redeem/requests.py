"""Bodies of the redeem function's requests."""

from loyalty.shapes import Body, Label, Points, Wallet


class RedemptionRequest(Body):
    """Spend points. ``reason`` says on what; nothing personal."""

    points: Points
    reason: Label = ""
    wallet: Wallet = "points"


class CancelRequest(Body):
    """Nothing needs to be said; the path names the redemption."""
