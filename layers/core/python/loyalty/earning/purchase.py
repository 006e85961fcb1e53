"""Purchases and their returns: what was bought, what came back, what is left to return. Pure.

Amounts are minor units of the order's currency.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from loyalty.errors import Invalid, Refused
from loyalty.ledger.commands import Lasting
from loyalty.values import Rate

if TYPE_CHECKING:
    from loyalty.rules.engine import Awarded
    from loyalty.rules.facts import Person

Attribute = str | int | bool
_NONE: Final[Mapping[str, Attribute]] = {}


class Line(Struct, frozen=True):
    """One line of an order: ``quantity`` pieces for ``amount`` in all, how much of both has been returned, and what
    rules may read of the goods.
    """

    amount: int
    quantity: int = 1
    product: str = ""
    category: str = ""
    returned: int = 0
    returned_quantity: int = 0
    department: str = ""
    brand: str = ""
    margin: str = ""
    attributes: Mapping[str, Attribute] = _NONE


class Purchase(Struct, frozen=True):
    """An order as a till reports it; amounts in minor units, ``occurred`` in seconds since 1970, UTC."""

    source: str
    order_id: str
    account: str
    wallet: str
    currency: str
    lines: tuple[Line, ...]
    occurred: int
    store: str
    channel: str
    payment: str = ""


class OrderTerms(Struct, frozen=True):
    """The terms that the purchase's points were given under; a return takes them back under the same (I9)."""

    rate: Rate
    expiry: int
    start: int
    return_policy: str
    day: int = 0
    """Ordinal of the day that the purchase counts on; 0 for one that was recorded before days were kept."""
    notice: bool = False
    """Its points end only with notice."""
    extends: bool = False
    """It moves the ends of all points to its own."""

    @property
    def lasting(self) -> Lasting:
        return Lasting(self.notice, self.expiry if self.extends else 0)


class Given(Struct, frozen=True):
    """What an order earns under a version of a rule set, and what that was decided by: the purchase itself, what was
    known of the ``person``, when it was ``recorded`` (seconds since 1970, UTC), what campaigns had ``reserved`` for it,
    and the account as it was, which only the entry knows. Returns take back what stands here (I9).
    """

    version: int
    recorded: int
    person: "Person | None" = None
    awards: "tuple[Awarded, ...]" = ()
    reserved: Mapping[str, int] = {}


class Order(Struct, frozen=True):
    """An order document: it makes a purchase unique in its programme (I4) and adds up its returns (I5).

    ``ref`` and ``fingerprint`` are those of the request that recorded it, so whoever finds the document without its
    entry can finish the work in that request's name. ``version`` counts its edits from 1.
    """

    source: str
    order_id: str
    account: str
    wallet: str
    currency: str
    lines: tuple[Line, ...]
    occurred: int
    terms: OrderTerms
    ref: str
    fingerprint: str
    actor: str
    content: str
    """Fingerprint of what was bought, by whom and for how much; the same whichever channel reports it."""
    store: str = ""
    channel: str = ""
    returned: int = 0
    """Returned by amount, not by line."""
    version: int = 1
    payment: str = ""
    given: Given | None = None
    """None where no rule set was published: then it earned by the rate of ``terms``."""

    @property
    def amount(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def returned_amount(self) -> int:
        """All that has been returned so far, by line or by amount."""
        return self.returned + sum(line.returned for line in self.lines)

    @property
    def came_back(self) -> bool:
        """Whether all of it has been returned: all that was paid, or all pieces of what was free."""
        if paid := self.amount:
            return self.returned_amount >= paid
        pieces = sum(line.quantity for line in self.lines)
        return 0 < pieces <= sum(line.returned_quantity for line in self.lines)


class ReturnLine(Struct, frozen=True):
    """Part of a return: line number (from 1), and how many pieces or how much of it; neither is all that is left of
    it.
    """

    line: int
    quantity: int | None = None
    amount: int | None = None


class Return(Struct, frozen=True):
    """What comes back: by lines, or by an ``amount`` of the whole order; neither is all that is left."""

    lines: tuple[ReturnLine, ...] = field(default=())
    amount: int | None = None


def take_back(order: Order, back: Return) -> tuple[Order, int]:
    """The order after a return, and the amount returned.

    Pieces are worth their share of the line, rounded so that all pieces together are worth exactly the line. Refused
    when more would have been returned than was bought, or nothing at all; Invalid when a line does not exist.
    """
    lines = list(order.lines)
    by_amount = 0
    if back.lines:
        for position, part in enumerate(back.lines):
            if not 1 <= part.line <= len(lines):
                name = f"lines[{position}].line"
                raise Invalid("REQUEST_INVALID", f"{name}: the order has lines 1 to {len(lines)}", field=name)
            lines[part.line - 1] = _line_back(lines[part.line - 1], part)
    elif back.amount is not None:
        by_amount = back.amount
    else:
        lines = [replace(line, returned=line.amount, returned_quantity=line.quantity) for line in lines]
        # What was returned by amount came out of these lines; it is not returned again.
        after = replace(order, lines=tuple(lines), returned=0)
        amount = after.returned_amount - order.returned_amount
        # An order by amount alone, of no money, comes back with its first return.
        if not amount and (order.amount or order.came_back):
            raise _exceeds(0)
        return replace(after, version=order.version + 1), amount
    after = replace(order, lines=tuple(lines), returned=order.returned + by_amount, version=order.version + 1)
    amount = after.returned_amount - order.returned_amount
    if after.returned_amount > order.amount:
        raise _exceeds(order.amount - order.returned_amount)
    if (after.lines, after.returned) == (order.lines, order.returned):
        raise _exceeds(order.amount - order.returned_amount)
    return after, amount


def _line_back(line: Line, part: ReturnLine) -> Line:
    left = line.amount - line.returned
    if part.amount is not None:
        amount, quantity = part.amount, 0
    elif part.quantity is not None:
        quantity = part.quantity
        if quantity > line.quantity - line.returned_quantity:
            raise _exceeds(left)
        done, total = line.returned_quantity, line.quantity
        amount = line.amount * (done + quantity) // total - line.amount * done // total
    else:
        amount, quantity = left, line.quantity - line.returned_quantity
    if amount > left:
        raise _exceeds(left)
    return replace(line, returned=line.returned + amount, returned_quantity=line.returned_quantity + quantity)


def _exceeds(left: int) -> Refused:
    return Refused("RETURN_EXCEEDS_PURCHASE", f"{left} minor units are left to return", returnable_amount=left)


def _packed(line: Line) -> list[Any]:
    packed: list[Any] = [line.amount, line.quantity, line.product, line.category, line.returned, line.returned_quantity]
    if line.department or line.brand or line.margin or line.attributes:
        packed += [line.department, line.brand, line.margin]
        if line.attributes:
            packed.append(line.attributes)
    return packed


def encode(order: Order) -> dict[str, Any]:
    """Compact JSON data of an order document."""
    data: dict[str, Any] = {
        "s": order.source,
        "i": order.order_id,
        "a": order.account,
        "w": order.wallet,
        "u": order.currency,
        "l": [_packed(line) for line in order.lines],
        "o": order.occurred,
        "t": _packed_terms(order.terms),
        "r": order.ref,
        "f": order.fingerprint,
        "b": order.actor,
        "c": order.content,
        "st": order.store,
        "ch": order.channel,
        "y": order.returned,
    }
    if order.payment:
        data["pa"] = order.payment
    if order.given is not None:
        data["g"] = _packed_given(order.given)
    return data


def _packed_terms(terms: OrderTerms) -> list[Any]:
    packed = [*terms.rate, terms.expiry, terms.start, terms.return_policy]
    if terms.day:
        packed.append(terms.day)
        if terms.notice or terms.extends:
            packed += [int(terms.notice), int(terms.extends)]
    return packed


def _packed_given(given: Given) -> list[Any]:
    from loyalty.rules import engine, facts  # only where a rule set is published

    person = None if given.person is None else facts.pack(given.person)
    return [given.version, given.recorded, engine.pack(given.awards), person, dict(given.reserved)]


def _given(data: list[Any]) -> Given:
    from loyalty.rules import engine, facts

    version, recorded, awards, person, reserved = data
    return Given(version, recorded, None if person is None else facts.unpack(person), engine.unpack(awards), reserved)


def decode(data: dict[str, Any], version: int) -> Order:
    """Inverse of ``encode``."""
    num, den, expiry, start, return_policy, day, notice, extends = [*data["t"], 0, 0, 0][:8]
    return Order(
        source=data["s"],
        order_id=data["i"],
        account=data["a"],
        wallet=data["w"],
        currency=data["u"],
        lines=tuple(Line(*line) for line in data["l"]),
        occurred=data["o"],
        terms=OrderTerms(Rate(num, den), expiry, start, return_policy, day, bool(notice), bool(extends)),
        ref=data["r"],
        fingerprint=data["f"],
        actor=data["b"],
        content=data["c"],
        store=data["st"],
        channel=data["ch"],
        returned=data["y"],
        version=version,
        payment=data.get("pa", ""),
        given=_given(data["g"]) if "g" in data else None,
    )
