"""Bodies and queries of the clients function's requests."""

from typing import Annotated, Literal

from msgspec import Meta

from loyalty.clients.client import MAX_OVERLAP, OVERLAP
from loyalty.shapes import Body, StoreId

Scope = Annotated[str, Meta(pattern=r"^[a-z]{1,20}:[a-z]{1,20}$(?!\n)", examples=["balance:read"])]
Limit = Annotated[int, Meta(ge=1, le=100, description="How many at most; 50 when left out")]
Cursor = Annotated[
    str, Meta(pattern=r"^cli_[0-7][0-9A-HJKMNP-TV-Z]{25}$(?!\n)", description="The answer's next, to go on")
]


class ClientRequest(Body):
    """A client to be made. ``scopes`` narrows what its role may do; ``store`` binds it to one store; ``limit`` is
    requests a second for each running copy of a function, 0 for none.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9 ._:/-]{1,64}$(?!\n)", examples=["Till 4 of store 319"])]
    role: Literal["till", "shop", "operator", "marketer", "auditor"]
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1, max_length=32)] | None = None
    store: StoreId = ""
    limit: Annotated[int, Meta(ge=0, le=10_000)] = 0


class RotationRequest(Body):
    """The key in use works on for ``overlap`` seconds. ``replace_newest`` is for when the answer to the last rotation
    was lost: the new key takes the place of the one that nobody saw, and the one before it works on as it would have.
    """

    overlap: Annotated[int, Meta(ge=0, le=MAX_OVERLAP)] = OVERLAP
    replace_newest: bool = False
