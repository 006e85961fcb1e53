"""Use cases of what arrives late: purchases and returns from tills that were offline, in any order, more than once.

A purchase counts once by its source and order id, a return by its return id. A return that comes before its purchase
is kept beside the order's key; each of the two has the order looked at through the table's stream (``recover``), so
neither waits for a clock.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from loyalty.earning.requests import BatchItem, BatchPurchase, BatchReturn, purchase_of, return_of, who
from loyalty.earning.service import Earning, content_of, order_ref, recorded_otherwise, return_ref
from loyalty.earning.store import OrderStore
from loyalty.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from loyalty.ledger.chain import Cause, fingerprint, key_ref
from loyalty.shapes import seconds


class Sender(Struct, frozen=True):
    """Who handed an item in: a client of a programme, perhaps bound to one store."""

    program: str
    client: str
    store: str


class Intake:
    """Late arrivals of every programme. ``account_of`` finds the account that an item names, by id or by identity."""

    def __init__(
        self,
        earning: Earning,
        orders: OrderStore,
        account_of: Callable[[str, str | None, str | None], str],
    ) -> None:
        self._earning = earning
        self._orders = orders
        self._account_of = account_of

    def take(self, sender: Sender, item: dict[str, Any], now: int) -> str:
        """Post one item, or keep it; returns ``posted``, ``known`` (it was posted before) or ``waiting``. Problem
        when it cannot be.
        """
        parsed = item_of(item)
        if sender.store and parsed.store != sender.store:
            raise Forbidden("AUTH_STORE_FORBIDDEN", f"This client belongs to store {sender.store}", field="store")
        if isinstance(parsed, BatchPurchase):
            return self._purchase(sender, parsed, now)
        try:
            return self._return(sender, parsed, now)
        except NotFound as missing:
            if missing.code != "PURCHASE_NOT_FOUND":
                raise
        message = {"program": sender.program, "client": sender.client, "store": sender.store, "item": item}
        self._orders.wait(sender.program, parsed.source, parsed.order_id, parsed.return_id, message)
        return "waiting"

    def settle(
        self, program: str, source: str, order_id: str, now: int, refused: Callable[[dict[str, Any], Problem], None]
    ) -> None:
        """Finish what belongs to an order, if it is there: its entry, and the returns that wait for it.

        ``refused`` is told of a return that can never be carried out; it stops waiting then.
        """
        order = self._orders.get(program, source, order_id)
        if order is None:
            return
        self._earning.complete(program, order, now)
        for key, message in self._orders.waiting(program, source, order_id):
            sender = Sender(message["program"], message["client"], message["store"])
            parsed = item_of(message["item"])
            try:
                if isinstance(parsed, BatchReturn):
                    self._return(sender, parsed, now)
            except Problem as problem:
                if retriable(problem):
                    raise
                refused(message, problem)
            self._orders.stop_waiting(key)

    def _purchase(self, sender: Sender, item: BatchPurchase, now: int) -> str:
        who(item.member, item.identity)
        purchase = purchase_of(item, self._account_of(sender.program, item.member, item.identity))
        ref = order_ref(item.source, item.order_id)
        # Known by its name alone, it is told from another by its content: two channels may differ in all the rest.
        cause = Cause(ref, content_of(purchase), sender.client, seconds(item.occurred_at))
        try:
            done = self._earning.record(sender.program, purchase, cause, now)
        except Conflict as conflict:
            if conflict.code != "IDEMPOTENCY_KEY_REUSED":
                raise
            raise recorded_otherwise() from None
        return "known" if done.replayed else "posted"

    def _return(self, sender: Sender, item: BatchReturn, now: int) -> str:
        ref = return_ref(item.source, item.order_id, item.return_id)
        occurred = seconds(item.occurred_at) if item.occurred_at else now
        cause = Cause(ref, _fingerprint(item), sender.client, occurred)
        # A return that was first tried over HTTP, without an answer, comes under that try's key.
        twin = key_ref(sender.client, item.return_id)
        back = partial(return_of, item)
        done = self._earning.take_back(sender.program, item.source, item.order_id, back, cause, now, twin, sender.store)
        return "known" if done.replayed else "posted"


def retriable(problem: Problem) -> bool:
    """Whether the same item may succeed when it is sent again."""
    return problem.retry_after is not None


def item_of(item: object) -> BatchPurchase | BatchReturn:
    """The item in its typed shape; Invalid names the field that does not fit."""
    try:
        parsed: BatchPurchase | BatchReturn = msgspec.convert(item, BatchItem)
    except msgspec.ValidationError as error:
        raise Invalid("REQUEST_INVALID", str(error), field="item") from None
    return parsed


def _fingerprint(item: BatchReturn) -> str:
    return fingerprint("batch", msgspec.json.encode(item).decode())
