"""What a member did after it was assigned, read from its ledger. Pure.

What counts is what *happened* within the window, whenever it was reported; what was bought within it and has come back
since counts less, however late it came back, as far as it is known when this is read.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from loyalty.earning.purchase import Order
from loyalty.experiments.sums import Outcome
from loyalty.ledger import commands
from loyalty.ledger.chain import Entry

OrderName = tuple[str, str]
"""(source, order id)."""


class Margins(Struct, frozen=True):
    """What is earned of a line, in thousandths of what was paid for it, by the margin class that its line names; lines
    of a class that is not here, or of none, earn ``rest``.
    """

    rest: int
    classes: Mapping[str, int] = {}


class _Bought:
    """One purchase on its way: what was paid, what has come back, whether it stands."""

    def __init__(self, amount: int) -> None:
        self.amount = amount
        self.returned = 0
        self.stands = True


def outcome(
    entries: Iterable[Entry],
    since: int,
    until: int,
    margins: Margins | None = None,
    orders: Mapping[OrderName, Order] | None = None,
) -> Outcome:
    """From the entries of one wallet, oldest first, that were written after the member was assigned.

    Purchases and redemptions of ``since`` (the moment of assignment) up to, and not at, ``until`` count; seconds since
    1970, UTC. The margin is worked out with ``margins``: by line where the order's document is among ``orders``, else
    by ``rest``; without, it is None.
    """
    bought: dict[OrderName, _Bought] = {}
    redeemed: dict[int, int] = {}  # by entry; what was captured of a hold in parts is one redemption
    for entry in entries:
        detail, inside = entry.detail, since <= entry.occurred < until
        if entry.kind == "earned" and "order" in detail and inside:
            bought[detail["source"], detail["order"]] = _Bought(detail["amount"])
        elif entry.kind == "reversed" and "order" in detail:
            purchase = bought.get((detail["source"], detail["order"]))
            if purchase is not None:
                purchase.returned += detail["amount"]
                purchase.stands = purchase.stands and not commands.came_back(entry.moves)
        elif entry.kind == "redeemed" and inside:
            redeemed[entry.number] = entry.number
        elif entry.kind == "captured" and inside:
            redeemed[entry.number] = detail["hold"]
        elif entry.kind == "restored":
            redeemed.pop(detail["of"], None)
    return Outcome(
        purchases=sum(one.stands for one in bought.values()),
        spend=sum(one.amount - one.returned for one in bought.values()),
        margin=None if margins is None else sum(_margin(name, one, margins, orders) for name, one in bought.items()),
        redemptions=len(set(redeemed.values())),
    )


def _margin(name: OrderName, bought: _Bought, margins: Margins, orders: Mapping[OrderName, Order] | None) -> int:
    """In minor units, rounded down; of what has come back, nothing: in proportion where its lines are not known."""
    order = (orders or {}).get(name)
    if order is None:
        return (bought.amount - bought.returned) * margins.rest // 1000
    whole = sum(line.amount * margins.classes.get(line.margin, margins.rest) for line in order.lines)
    if not bought.amount:
        return 0
    return whole * (bought.amount - bought.returned) // (bought.amount * 1000)
