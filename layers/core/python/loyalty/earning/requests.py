"""What tills and shops send about orders, and what it means. The same shapes over HTTP and in the ingest queue."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, ValidationError, convert, field

from loyalty.earning.purchase import Line, Purchase, Return, ReturnLine
from loyalty.errors import Invalid, NotFound
from loyalty.shapes import (
    Amount,
    Body,
    Channel,
    Currency,
    Identity,
    Label,
    MemberId,
    Moment,
    Name,
    OrderId,
    Source,
    StoreId,
    Wallet,
    seconds,
)
from loyalty.values import parse_amount

Quantity = Annotated[int, Meta(ge=0, le=100_000, description="Pieces; 0 for a line that only carries an amount")]
Value = (
    Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]{0,64}$(?!\n)")]
    | Annotated[int, Meta(ge=-(10**12), le=10**12)]
    | bool
)
"""A fact that a rule set declares: a text, a whole number (one with a fraction as a text, "1.5"), true or false; a date
as a text, "2026-11-11".
"""
Attributes = Annotated[
    dict[Name, Value],
    Meta(max_length=10, description="What the rule set declares of lines; anything else is kept and not read"),
]
EventType = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)",
        description="A type of the rule set, or one that the policy gives a bonus for",
        examples=["check_in"],
    ),
]
Fields = Annotated[
    dict[Name, Value], Meta(max_length=10, description="What the rule set declares of the type", examples=[{}])
]
EntryId = Annotated[
    str,
    Meta(
        pattern=r"^ent_[0-7][0-9A-HJKMNP-TV-Z]{25}-[a-z][a-z0-9]{0,15}-[1-9][0-9]{0,11}$(?!\n)",
        description="An entry's id",
    ),
]
LineNumber = Annotated[int, Meta(ge=1, le=500, description="Which line of the purchase, from 1")]


class PurchaseLine(Body):
    """One line of an order: ``amount`` is what was paid for all its pieces."""

    amount: Amount
    quantity: Quantity = 1
    product: Label = ""
    category: Label = ""
    department: Label = ""
    brand: Label = ""
    margin: Label = ""
    attributes: Attributes = field(default_factory=dict)


class PurchaseRequest(Body):
    """An order that earns points. Name the member or one of its identities."""

    source: Source
    order_id: OrderId
    occurred_at: Moment
    currency: Currency
    lines: Annotated[list[PurchaseLine], Meta(min_length=1, max_length=500)]
    member: MemberId | None = None
    identity: Identity | None = None
    store: StoreId = ""
    channel: Channel = "store"
    wallet: Wallet = "points"
    payment: Label = ""


class EventRequest(Body):
    """Something a member did. Name the member or one of its identities.

    ``fields`` are those that the rule set declares for the type: a number with a fraction and a date are texts. ``of``
    names the entry whose points wait for this event.

    What is earned is an entry, also when it is nothing: the entry says that the event was counted, and is the answer to
    the same request sent again. An event that the rule set counts once for a member is known by its fields, whatever
    key it is sent with.
    """

    type: EventType
    occurred_at: Moment
    member: MemberId | None = None
    identity: Identity | None = None
    store: StoreId = ""
    wallet: Wallet = "points"
    fields: Fields = field(default_factory=dict)
    of: EntryId | None = None


class QuotedPurchase(Body):
    """A basket, as a purchase would report it; ``occurred_at`` is now when it is left out. Without ``source``
    nothing is quoted of rules that ask for one.
    """

    currency: Currency
    lines: Annotated[list[PurchaseLine], Meta(min_length=1, max_length=500)]
    occurred_at: Moment | None = None
    store: StoreId = ""
    channel: Channel = "store"
    payment: Label = ""
    source: Source | None = None


class QuotedEvent(Body):
    """Something that a member might do; ``occurred_at`` is now when it is left out."""

    type: EventType
    occurred_at: Moment | None = None
    store: StoreId = ""
    fields: Fields = field(default_factory=dict)


class QuoteRequest(Body):
    """A purchase or an event, and whose it would be. A purchase may be nobody's: what anybody would earn."""

    purchase: QuotedPurchase | None = None
    event: QuotedEvent | None = None
    member: MemberId | None = None
    identity: Identity | None = None
    wallet: Wallet = "points"


class ReturnedLine(Body):
    """Part of a line: pieces, or an amount; neither is all that is left of it."""

    line: LineNumber
    quantity: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    amount: Amount | None = None


class ReturnRequest(Body):
    """What comes back: lines, or an amount of the whole order; neither is all that is left."""

    lines: Annotated[list[ReturnedLine], Meta(min_length=1, max_length=500)] | None = None
    amount: Amount | None = None
    store: StoreId = ""
    occurred_at: Moment | None = None


class BatchPurchase(PurchaseRequest, tag_field="type", tag="purchase"):
    """A purchase of a till that was offline. Its source and order id make it count once."""


class BatchReturn(ReturnRequest, tag_field="type", tag="return", kw_only=True):
    """A return of a till that was offline; it waits for its purchase if need be. Its return id makes it count once."""

    source: Source
    order_id: OrderId
    return_id: OrderId


BatchItem = BatchPurchase | BatchReturn


def who(member: str | None, identity: str | None) -> None:
    """Invalid unless exactly one of the two names the member."""
    if (member is None) == (identity is None):
        raise Invalid("REQUEST_INVALID", "Send either member or identity", field="member")


def named(source: str, order_id: str) -> tuple[str, str]:
    """The order that a path names; NotFound when no order can be called so."""
    try:
        return convert(source, Source), convert(order_id, OrderId)
    except ValidationError:
        raise NotFound("PURCHASE_NOT_FOUND", "There is no such purchase in this programme") from None


def purchase_of(request: PurchaseRequest, account: str) -> Purchase:
    """The purchase in minor units; Invalid names the amount that is wrong."""
    return Purchase(
        source=request.source,
        order_id=request.order_id,
        account=account,
        wallet=request.wallet,
        currency=request.currency,
        lines=lines_of(request.lines, request.currency),
        occurred=seconds(request.occurred_at),
        store=request.store,
        channel=request.channel,
        payment=request.payment,
    )


def lines_of(lines: Sequence[PurchaseLine], currency: str, within: str = "") -> tuple[Line, ...]:
    """The lines in minor units; Invalid names the amount that is wrong, ``within`` the part of the body that holds
    them.
    """
    return tuple(
        _line(line, parse_amount(line.amount, currency, f"{within}lines[{position}].amount"))
        for position, line in enumerate(lines)
    )


def _line(line: PurchaseLine, amount: int) -> Line:
    """A line of so many minor units. One of no money and no pieces is one piece, so that it can come back."""
    return Line(
        amount,
        line.quantity if line.quantity or amount else 1,
        line.product,
        line.category,
        department=line.department,
        brand=line.brand,
        margin=line.margin,
        attributes=line.attributes,
    )


def basket_of(request: QuotedPurchase, account: str, wallet: str, occurred: int) -> Purchase:
    """The purchase that a quote is asked for; ``account`` is empty for nobody's."""
    return Purchase(
        source=request.source or "",
        order_id="",
        account=account,
        wallet=wallet,
        currency=request.currency,
        lines=lines_of(request.lines, request.currency, "purchase."),
        occurred=occurred,
        store=request.store,
        channel=request.channel,
        payment=request.payment,
    )


def return_of(request: ReturnRequest, currency: str) -> Return:
    """The return in minor units of the order's currency; Invalid names the field that is wrong."""
    if request.lines is not None and request.amount is not None:
        raise Invalid("REQUEST_INVALID", "Send either lines or amount, or neither for all that is left", field="amount")
    lines: list[ReturnLine] = []
    for position, line in enumerate(request.lines or ()):
        if line.quantity is not None and line.amount is not None:
            name = f"lines[{position}].amount"
            raise Invalid("REQUEST_INVALID", f"{name}: send either quantity or amount", field=name)
        amount = None if line.amount is None else parse_amount(line.amount, currency, f"lines[{position}].amount")
        lines.append(ReturnLine(line.line, line.quantity, amount))
    amount = None if request.amount is None else parse_amount(request.amount, currency, "amount")
    return Return(tuple(lines), amount)
