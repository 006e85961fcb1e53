"""Bodies of the adjust function's requests."""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta

from loyalty.ids import ENTRY
from loyalty.shapes import Body, MemberId, Moment, Points, Reason, Wallet
from loyalty.values import MAX_POINTS


class AdjustmentRequest(Body):
    """Correct a balance: ``points`` above zero adds, below zero takes. ``expires_at`` is the policy's terms when
    left out.
    """

    points: Annotated[int, Meta(ge=-MAX_POINTS, le=MAX_POINTS, examples=[-50])]
    reason: Reason
    expires_at: Moment | None = None
    wallet: Wallet = "points"


class TransferRequest(Body):
    """Move points to another account, or to another wallet of this one; their expiry travels with them."""

    to: MemberId
    points: Points
    reason: Reason
    wallet: Wallet = "points"
    to_wallet: Wallet = "points"


class ExpirationRequest(Body):
    """Write down what time alone has changed: lapsed holds, points that have begun, points that have expired."""

    wallet: Wallet = "points"


class NoticeRequest(Body):
    """A member was told of all points that end by ``ends_by``, or that points shrink on ``decays_on``, or can be told
    on no way there is (``unreachable``). Where the policy requires notice, points end or shrink only after this was
    said of them. ``entry`` is that of the ``points.expiring`` that was told: what came after it is then not taken for
    known.
    """

    ends_by: Annotated[Moment, Meta(description="The last end that was told; or say decays_on")] | None = None
    decays_on: Annotated[date, Meta(description="As the event said it")] | None = None
    entry: Annotated[str, Meta(pattern=ENTRY, description="The event's entry")] | None = None
    outcome: Literal["delivered", "unreachable"] = "delivered"
    wallet: Wallet = "points"
