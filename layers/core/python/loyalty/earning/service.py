"""Use cases: record a purchase, take a return back, give the bonus of an event.

A purchase is unique in its programme by its order document (I4), written conditionally before the entry. A crash
between the two leaves a document without entry; whoever meets it next (a retry, a return, the ``recover`` function on
the table's stream) finishes the work under the document's own reference, so it is done once whoever does it. See
docs/adr for the counted alternatives.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from loyalty.earning.purchase import Order, OrderTerms, Purchase, Return, take_back
from loyalty.earning.store import OrderStore
from loyalty.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from loyalty.ledger import commands
from loyalty.ledger.account import Draft
from loyalty.ledger.chain import Cause, Chain, Entry, fingerprint
from loyalty.ledger.service import ExtraRefused, Ledger, Opened, Posted, busy
from loyalty.programs.terms import Program

BASE_RULE: Final = "base"
MAX_TRIES: Final = 5
LATEST_SECONDS: Final = 86_400
"""How far in the future a till's clock may be."""


class Earning:
    """Earning use cases of one programme table. ``program`` loads a programme's policy."""

    def __init__(self, ledger: Ledger, orders: OrderStore, program: Callable[[str], Program]) -> None:
        self._ledger = ledger
        self._orders = orders
        self._program = program

    def record(self, program: str, purchase: Purchase, cause: Cause, now: int) -> Posted:
        """Earn from an order, once.

        Three sequential round trips: head and reference, order document, entry. Conflict (PURCHASE_CONFLICT) when the
        order is recorded with other content; the first answer again when the content is the same, whoever reports it.
        """
        policy = self._program(program)
        check_occurred(policy, purchase.occurred, now)
        check_wallet(policy, purchase.wallet)
        if purchase.currency != policy.currency:
            raise Refused("PURCHASE_CURRENCY_UNSUPPORTED", f"This programme earns in {policy.currency}")
        order = _order(policy, purchase, cause, now)
        opened = self._ledger.open(Chain(program, purchase.account, purchase.wallet), cause, now, sure=False)
        if opened.done is not None:
            return Posted(opened.done, replayed=True)
        decide = _earn(order)
        decide(opened.draft())  # an account that cannot earn is refused before the order is claimed
        standing = self._ledger.beside(opened, lambda: self._orders.claim(program, order))
        if standing is None:
            # Should `recover` be quicker with the entry, it has been posted for this request all the same.
            return replace(self._post(program, order, now, opened), replayed=False)
        if standing.content != order.content:
            raise recorded_otherwise()
        return replace(self.complete(program, standing, now), replayed=True)

    def complete(self, program: str, order: Order, now: int) -> Posted:
        """Post the entry of an order document, unless it stands."""
        return self._post(program, order, now)

    def _post(self, program: str, order: Order, now: int, opened: Opened | None = None) -> Posted:
        """Post the entry of an order that is claimed; ``opened`` is its wallet, if it has been read already.

        Should the key that the order was sent with have been spent on another request since it was claimed, the order
        goes by its own name: the till broke the rule on keys, but the member bought the goods, and the claim stands.
        """
        chain, cause = Chain(program, order.account, order.wallet), _cause(order)
        try:
            return self._commit(program, opened or self._ledger.open(chain, cause, now), order)
        except Conflict as conflict:
            if conflict.code != "IDEMPOTENCY_KEY_REUSED":
                raise
        own = replace(cause, ref=order_ref(order.source, order.order_id))
        return self._commit(program, self._ledger.open(chain, own, now), order)

    def _commit(self, program: str, opened: Opened, order: Order) -> Posted:
        """Post an order's entry. An account closed since the order was claimed can never have it, so the claim is
        given up.
        """
        try:
            return self._ledger.commit(opened, _earn(order))
        except Refused as refusal:
            if refusal.code == "ACCOUNT_CLOSED":
                self._orders.give_up(program, order)
            raise

    def standing(self, program: str, source: str, order_id: str) -> Order:
        """The order document; NotFound."""
        order = self._orders.get(program, source, order_id)
        if order is None:
            raise NotFound("PURCHASE_NOT_FOUND", "There is no such purchase in this programme")
        return order

    def take_back(
        self,
        program: str,
        source: str,
        order_id: str,
        back: Callable[[str], Return],
        cause: Cause,
        now: int,
        twin: str = "",
        store: str = "",
    ) -> Posted:
        """Return a purchase, whole or in part: the order's next version and the entry in one transaction (I5).

        ``back`` is told the order's currency, which need not be the policy's any more. ``twin`` is the reference under
        which the same return may have come on another way: a till that got no answer hands it in again in a batch.
        Whichever of the two is second finds the first, or the order's version has moved on and it looks again.
        ``store`` is the one that the caller belongs to, empty for none: it takes back its own orders only, and those
        of no store.
        """
        check_occurred(self._program(program), cause.occurred, now)
        for _ in range(MAX_TRIES):
            order = self.standing(program, source, order_id)
            if store and order.store not in ("", store):
                raise Forbidden("AUTH_STORE_FORBIDDEN", f"The order is of another store than {store}", field="order_id")
            chain = Chain(program, order.account, order.wallet)
            opened = self._ledger.open(chain, cause, now)
            if opened.done is not None:
                return Posted(opened.done, replayed=True)
            if order.version == 1 and not self.complete(program, order, now).replayed:
                continue  # its entry was missing; now it stands, and the head has moved
            if twin and order.version > 1 and (done := self._returned(chain, twin, order)) is not None:
                return Posted(done, replayed=True)
            after, amount = take_back(order, back(order.currency))
            try:
                return self._ledger.commit(opened, _reverse(after, amount), [self._orders.put_of(program, after)])
            except ExtraRefused:
                continue  # another return of the same order was first: look again at what is left
        raise busy()

    def _returned(self, chain: Chain, ref: str, order: Order) -> Entry | None:
        """The return of this order that came under ``ref``."""
        number = self._ledger.store.find(chain, ref)
        entry = None if number is None else self._ledger.store.entry(chain, number)
        if entry is None or entry.kind != "reversed":
            return None
        return entry if (entry.detail["source"], entry.detail["order"]) == (order.source, order.order_id) else None

    def bonus(
        self, program: str, account: str, wallet: str, event: str, occurred: int, cause: Cause, now: int
    ) -> Posted:
        """Give the bonus that the policy sets for an event."""
        policy = self._program(program)
        check_occurred(policy, occurred, now)
        check_wallet(policy, wallet)
        points = policy.events.get(event)
        if points is None:
            raise Refused("EVENT_TYPE_UNKNOWN", f"The programme gives no bonus for {event!r}")
        terms = policy.terms(occurred, now)

        def decide(draft: Draft) -> None:
            commands.earn(draft, [commands.Grant(points, terms.expiry, terms.start)])
            draft.detail |= {"event": event, "points": points}

        return self._ledger.post(Chain(program, account, wallet), cause, now, decide)


def return_ref(source: str, order_id: str, return_id: str) -> str:
    """The reference of a return that came in a batch."""
    return f"r#{source}#{order_id}#{return_id}"


def order_ref(source: str, order_id: str) -> str:
    """The reference of a purchase that came without an idempotency key."""
    return f"o#{source}#{order_id}"


def recorded_otherwise() -> Conflict:
    return Conflict(
        "PURCHASE_CONFLICT", "This source and order id were recorded with other content; nothing was changed"
    )


def content_of(purchase: Purchase) -> str:
    """What was bought, by whom and for how much, in short: the same whichever channel reports it."""
    lines = [[line.amount, line.quantity] for line in purchase.lines]
    return fingerprint(purchase.account, purchase.wallet, purchase.currency, lines)


def check_occurred(policy: Program, occurred: int, now: int) -> None:
    """Invalid when something is said to have happened in the future, or before the programme accepts it."""
    if occurred > now + LATEST_SECONDS:
        raise Invalid("REQUEST_INVALID", "occurred_at lies in the future", field="occurred_at")
    if occurred < policy.earliest:
        raise Invalid("REQUEST_INVALID", "occurred_at lies before the programme's purchases_since", field="occurred_at")


def check_wallet(policy: Program, wallet: str) -> None:
    """NotFound when the programme has no such wallet."""
    if wallet not in policy.wallets:
        raise NotFound("WALLET_NOT_FOUND", f"The programme has the wallets {', '.join(policy.wallets)}")


def _order(policy: Program, purchase: Purchase, cause: Cause, now: int) -> Order:
    terms = policy.terms(purchase.occurred, now)
    return Order(
        source=purchase.source,
        order_id=purchase.order_id,
        account=purchase.account,
        wallet=purchase.wallet,
        currency=purchase.currency,
        lines=purchase.lines,
        occurred=purchase.occurred,
        terms=OrderTerms(policy.rate, terms.expiry, terms.start, policy.return_policy),
        ref=cause.ref,
        fingerprint=cause.fingerprint,
        actor=cause.actor,
        content=content_of(purchase),
        store=purchase.store,
        channel=purchase.channel,
    )


def _cause(order: Order) -> Cause:
    return Cause(order.ref, order.fingerprint, order.actor, order.occurred)


def _earn(order: Order) -> Callable[[Draft], None]:
    def decide(draft: Draft) -> None:
        terms = order.terms
        commands.earn_amount(draft, BASE_RULE, terms.rate, order.amount, terms.expiry, terms.start)
        draft.detail |= {"source": order.source, "order": order.order_id, "amount": order.amount}

    return decide


def _reverse(after: Order, amount: int) -> Callable[[Draft], None]:
    def decide(draft: Draft) -> None:
        terms = after.terms
        commands.reverse(draft, BASE_RULE, terms.rate, amount, terms.expiry, terms.start, terms.return_policy)
        draft.detail |= {
            "source": after.source,
            "order": after.order_id,
            "amount": amount,
            "returned": after.returned_amount,
        }

    return decide
