"""Body and answer of the submit function."""

from typing import Annotated

from msgspec import Meta, Struct

from loyalty.earning.requests import BatchPurchase, BatchReturn
from loyalty.shapes import Body


class BatchRequest(Body):
    """Purchases and returns of a till that was offline, in any order. Handed in twice, they count once."""

    items: Annotated[list[BatchPurchase | BatchReturn], Meta(min_length=1, max_length=100)]


class BatchView(Struct, frozen=True):
    """A batch that was taken in; its items are posted soon. ``id`` is for people who look into it."""

    id: str
    items: int
