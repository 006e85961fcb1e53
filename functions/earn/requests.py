"""Bodies of the earn function's requests that no other function takes."""

from typing import Annotated

from msgspec import Meta

from loyalty.shapes import Body, Identity, MemberId, Moment, StoreId, Wallet

EventType = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)",
        description="A type that the policy gives a bonus for",
        examples=["check_in"],
    ),
]


class EventRequest(Body):
    """Something a member did. Name the member or one of its identities."""

    type: EventType
    occurred_at: Moment
    member: MemberId | None = None
    identity: Identity | None = None
    store: StoreId = ""
    wallet: Wallet = "points"
