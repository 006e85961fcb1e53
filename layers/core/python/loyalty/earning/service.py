"""Use cases: record a purchase, take a return back, and tell what a purchase would earn.

A purchase is unique in its programme by its order document (I4), written conditionally before the entry. A crash
between the two leaves a document without entry; whoever meets it next (a retry, a return, the ``recover`` function on
the table's stream) finishes the work under the document's own reference, so it is done once whoever does it. See
docs/adr for the counted alternatives.

Where a rule set is published, the document pins its version, what was known of the member, and the awards. They are
worked out again whenever another entry was first, for what was a member's first purchase may then be the second; if
they have become others, the document's next version goes into one transaction with the entry. So once the entry stands,
the document's awards are the entry's, and a return needs no rule set.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from loyalty.earning.activity import Activity
from loyalty.earning.checks import check_occurred, check_wallet
from loyalty.earning.offers import by_rate, names_of
from loyalty.earning.persons import as_of
from loyalty.earning.purchase import Given, Order, OrderTerms, Purchase, Return, take_back
from loyalty.earning.rulebook import Rulebook
from loyalty.earning.store import OrderStore
from loyalty.errors import Conflict, Corrupt, Forbidden, Invalid, NotFound, Problem, Refused
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Cause, Chain, Entry, fingerprint
from loyalty.ledger.service import ExtraRefused, Ledger, Opened, Posted, busy
from loyalty.programs.terms import Program
from loyalty.table.writes import Contended, Put

if TYPE_CHECKING:
    from loyalty.earning.quotes import Quote
    from loyalty.rules.engine import Awarded, Outcome
    from loyalty.rules.evaluation import Loaded

BASE_RULE: Final = "base"
BY_RATE: Final = 0
"""The version of what was given by the policy's rate, and by offers of campaigns."""
MAX_TRIES: Final = 5
MOST_LINES_TOLD: Final = 20
"""An entry of a return names its lines up to so many."""


class Earning:
    """Purchases and returns of one programme table, and beside them ``activity``: what else members do. ``program``
    loads a programme's policy, ``book`` knows its rules.
    """

    def __init__(
        self,
        ledger: Ledger,
        orders: OrderStore,
        program: Callable[[str], Program],
        book: Rulebook | None = None,
    ) -> None:
        self._ledger = ledger
        self._orders = orders
        self._program = program
        self._book = book or Rulebook()
        self.activity = Activity(ledger, program, self._book)

    def record(self, program: str, purchase: Purchase, cause: Cause, now: int) -> Posted:
        """Earn from an order, once.

        Three sequential round trips: head and reference (and the member's document, where rules speak of it), order
        document, entry. Conflict (PURCHASE_CONFLICT) when the order is recorded with other content; the first answer
        again when the content is the same, whoever reports it.
        """
        chain = Chain(program, purchase.account, purchase.wallet)
        try:
            policy = self._purchasable(program, purchase, now)
        except (Invalid, NotFound, Refused):
            # What was carried out before is answered as it was, whatever the policy says of it by now (I3).
            if (done := self._ledger.open(chain, cause, now, new=True).done) is None:
                raise
            return Posted(done, replayed=True)
        loaded = self._book.in_force(program, policy, purchase.wallet)
        order = _order(policy, purchase, cause, now)
        opened, person = self._book.open(self._ledger, chain, cause, now, loaded, sure=False)
        if opened.done is not None:
            return Posted(opened.done, replayed=True)
        if loaded is not None:
            person = as_of(policy, person, opened.state, now)
            order = _under(loaded, replace(order, given=Given(loaded.version, now, person)))
            order = self._reserved(program, policy, loaded, order, opened.state, now)
        elif awards := by_rate(order, opened.state, order.terms.day):
            order = replace(order, given=Given(BY_RATE, now, None, awards))
        posting = _Posting(program, policy, order, self._orders, self._book, loaded)
        what = order_ref(order.source, order.order_id)
        try:
            posting.decide(opened.draft())  # an account that cannot earn is refused before the order is claimed
        except Problem:
            self._book.unused(program, what, now)
            raise
        try:
            standing = self._ledger.beside(opened, lambda: self._orders.claim(program, order))
        except Contended:  # nothing was written; of any other failure nobody knows
            self._book.unused(program, what, now)
            raise
        if standing is None:
            self._book.used(program, what, posting.reserved)
            # Should `recover` be quicker with the entry, it has been posted for this request all the same.
            return replace(self._post(program, posting, now, opened), replayed=False)
        self._found(program, standing, order)
        if standing.content != order.content:
            raise recorded_otherwise()
        return replace(self.complete(program, standing, now), replayed=True)

    def complete(self, program: str, order: Order, now: int) -> Posted:
        """Post the entry of an order document, unless it stands; under the version of the rules that it names."""
        posting = _Posting(program, self._program(program), order, self._orders, self._book)
        return self._post(program, posting, now)

    def _purchasable(self, program: str, purchase: Purchase, now: int) -> Program:
        """The policy, if it knows such purchases."""
        policy = self._program(program)
        check_occurred(policy, purchase.occurred, now)
        check_wallet(policy, purchase.wallet)
        if purchase.currency != policy.currency:
            raise Refused("PURCHASE_CURRENCY_UNSUPPORTED", f"This programme earns in {policy.currency}")
        return policy

    def _reserved(self, program: str, policy: Program, loaded: "Loaded", order: Order, state: State, now: int) -> Order:
        """The order with what it earns on the account as it stands, and what campaigns pay of it set aside."""
        from loyalty.earning.awards import purchase_earns

        given = order.given
        outcome, _ = purchase_earns(loaded, policy, order, state, None)
        reserved = self._book.reserve(program, order_ref(order.source, order.order_id), outcome.needs, now)
        if reserved != outcome.needs:
            outcome, _ = purchase_earns(loaded, policy, order, state, reserved)
        return replace(order, given=given and replace(given, awards=outcome.awards, reserved=outcome.taken))

    def _found(self, program: str, standing: Order, order: Order) -> None:
        """The order is claimed: by an earlier try whose answer was lost, and then what is reserved in the document is
        used, or by somebody else.
        """
        at = standing.given.recorded if standing.given and standing.ref == order.ref else 0
        reserved = standing.given.reserved if standing.given else {}
        self._book.stands(program, order_ref(order.source, order.order_id), at, reserved)

    def _post(self, program: str, posting: "_Posting", now: int, opened: Opened | None = None) -> Posted:
        """Post the entry of an order that is claimed; ``opened`` is its wallet, if it has been read already.

        Should the key that the order was sent with have been spent on another request since it was claimed, the order
        goes by its own name: the till broke the rule on keys, but the member bought the goods, and the claim stands.
        """
        order = posting.order
        chain, cause = Chain(program, order.account, order.wallet), _cause(order)
        try:
            return self._commit(program, opened or self._ledger.open(chain, cause, now), posting)
        except Conflict as conflict:
            if conflict.code != "IDEMPOTENCY_KEY_REUSED":
                raise
        own = replace(cause, ref=order_ref(order.source, order.order_id))
        return self._commit(program, self._ledger.open(chain, own, now), posting)

    def _commit(self, program: str, opened: Opened, posting: "_Posting") -> Posted:
        """Post an order's entry. An account closed since the order was claimed can never have it, so the claim is
        given up.
        """
        try:
            posted = self._ledger.commit(opened, posting.decide, posting.extra)
        except ExtraRefused:
            # The claim is not this one any more: its account was closed, and another has claimed the order.
            raise busy() from None
        except Refused as refusal:
            if refusal.code == "ACCOUNT_CLOSED" and self._orders.give_up(program, posting.order):
                self._book.release(program, posting.reserved, {})
            raise
        if not posted.replayed and posting.outcome is not None:
            self._book.release(program, posting.reserved, posting.outcome.taken)
            self._book.tell(program, posting.rules, posting.outcome)
        return posted

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
                return self._ledger.commit(
                    opened, _reverse(order, after, amount), [self._orders.put_of(program, after)]
                )
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

    def quote(self, program: str, purchase: Purchase, now: int) -> "Quote":
        """What a purchase would earn if it were posted now; nothing is written. One round trip, and one for a
        campaign's budget.
        """
        from loyalty.earning.quotes import Quote, Quoted

        policy = self._purchasable(program, purchase, now)
        loaded = self._book.in_force(program, policy, purchase.wallet)
        order = _order(policy, purchase, Cause("", "", "", purchase.occurred), now)
        state, person = self._book.look(self._ledger, Chain(program, purchase.account, purchase.wallet), loaded)
        draft = Draft(state, now)
        if loaded is None:
            best = state.multiplier(order.terms.day)
            awards = _earn(order, state, order.terms.day)(draft)
            told = draft.detail.get("awards", [[BASE_RULE, draft.detail["points"]]])
            names = {award.rule: names_of(best) for award in awards[1:] if best}
            quoted_awards = tuple(Quoted(rule, points, names.get(rule)) for rule, points in told)
            return Quote(draft.detail["points"], quoted_awards)
        from loyalty.earning.awards import purchase_earns, quoted

        order = replace(order, given=Given(loaded.version, now, as_of(policy, person, state, now)))
        outcome, day = purchase_earns(loaded, policy, order, state, None)
        if outcome.needs:
            outcome, day = purchase_earns(
                loaded, policy, order, state, self._book.budgets.rooms(program, outcome.needs)
            )
        return quoted(loaded, outcome, draft, day, visit=True)


class _Posting:
    """What is to be posted for an order: decided anew on every state of the account, and what is written beside.

    The rules that the order names are loaded when something is decided: an order whose entry stands needs none.
    """

    def __init__(
        self,
        program: str,
        policy: Program,
        order: Order,
        orders: OrderStore,
        book: Rulebook,
        loaded: "Loaded | None" = None,
    ) -> None:
        self.order = order
        self.outcome: Outcome | None = None
        self.awards: tuple[Awarded, ...] = ()
        """What was decided last, where it is not the policy's rate alone."""
        self.reserved = order.given.reserved if order.given else {}
        self._program = program
        self._policy = policy
        self._orders = orders
        self._book = book
        self._loaded = loaded
        self._earned: tuple[int, Outcome, int] | None = None

    @property
    def rules(self) -> "Loaded":
        """The version that the order names."""
        if self._loaded is None:
            version = self.order.given.version if self.order.given else 0
            self._loaded = self._book.version(self._program, version)
        return self._loaded

    @cached_property
    def _readable(self) -> bool:
        """Whether the version can still be loaded. An order whose version is lost earns what its document says."""
        try:
            return self.rules is not None
        except Corrupt:
            self._book.lost(self._program)
            return False

    def decide(self, draft: Draft) -> None:
        order = self.order
        if order.given is None or order.given.version == BY_RATE:
            day = order.terms.day or self._policy.day(order.occurred)
            self.awards = _earn(order, draft.state, day)(draft)
            return
        if self._readable:
            from loyalty.earning.awards import forget

            self.outcome, day = self._earns(draft.state)
            self.awards = self.outcome.awards
            awards = [award.award() for award in self.outcome.awards]
            commands.earn_awards(draft, awards, day, True, order.amount, order.terms.lasting)
            forget(draft, self.rules.evaluator.rules)
        else:
            self.awards = order.given.awards
            awards = [award.award() for award in self.awards]
            day = self._policy.day(order.occurred)
            commands.earn_awards(draft, awards, day, True, order.amount, order.terms.lasting)
        draft.detail |= {
            "source": order.source,
            "order": order.order_id,
            "amount": order.amount,
            "rules": order.given.version,
        }

    def extra(self, draft: Draft) -> Sequence[Put]:
        """The order's next version, where the awards have become others since it was written."""
        given = self.order.given
        if self.awards == (given.awards if given else ()):
            return ()
        after: Given | None = replace(given or Given(BY_RATE, draft.now), awards=self.awards)
        if not self.awards and given is not None and given.version == BY_RATE:
            after = None  # by the rate alone
        order = replace(self.order, given=after, version=self.order.version + 1)
        return (self._orders.put_of(self._program, order),)

    def _earns(self, state: State) -> "tuple[Outcome, int]":
        """Worked out once for each state: the account after the same entry is the same account."""
        if self._earned is None or self._earned[0] != state.number:
            from loyalty.earning.awards import purchase_earns

            self._earned = (
                state.number,
                *purchase_earns(self.rules, self._policy, self.order, state, self.reserved),
            )
        return self._earned[1], self._earned[2]


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
        payment=purchase.payment,
        terms=OrderTerms(
            policy.rate,
            terms.expiry,
            terms.start,
            policy.return_policy,
            policy.day(purchase.occurred),
            policy.notice,
            policy.extends,
        ),
        ref=cause.ref,
        fingerprint=cause.fingerprint,
        actor=cause.actor,
        content=content_of(purchase),
        store=purchase.store,
        channel=purchase.channel,
    )


def _under(loaded: "Loaded", order: Order) -> Order:
    """The order on the day that its store's rules say it is."""
    from loyalty.rules.facts import reader

    day = reader(loaded.evaluator.rules).day(order.occurred, order.store)
    return replace(order, terms=replace(order.terms, day=day))


def _cause(order: Order) -> Cause:
    return Cause(order.ref, order.fingerprint, order.actor, order.occurred)


def _earn(order: Order, state: State, day: int) -> "Callable[[Draft], tuple[Awarded, ...]]":
    """By the policy's rate, and by the multiplier that holds on the day; its awards are answered. The purchase is
    counted all the same: rules that are published later may ask for it.
    """
    awards = by_rate(order, state, day)

    def decide(draft: Draft) -> "tuple[Awarded, ...]":
        terms = order.terms
        if awards:
            given = [award.award() for award in awards]
            commands.earn_awards(draft, given, day, True, order.amount, terms.lasting)
        else:
            commands.earn_amount(
                draft, BASE_RULE, terms.rate, order.amount, terms.expiry, terms.start, day, terms.lasting
            )
        draft.detail |= {"source": order.source, "order": order.order_id, "amount": order.amount}
        return awards

    return decide


def _reverse(before: Order, after: Order, amount: int) -> Callable[[Draft], None]:
    def decide(draft: Draft) -> None:
        terms, given = after.terms, after.given
        wholly = after.came_back and not before.came_back
        if given is None:
            policy = terms.return_policy
            commands.reverse(draft, BASE_RULE, terms.rate, amount, terms.expiry, terms.start, policy, wholly, terms.day)
        else:
            from loyalty.earning.awards import goes_back

            shares = goes_back(given, before, after)
            commands.take_back(draft, shares, terms.return_policy, wholly, terms.day, amount)
            if given.version != BY_RATE:
                draft.detail["rules"] = given.version
            if back := _lines_back(before, after):
                draft.detail["back"] = back
        draft.detail |= {
            "source": after.source,
            "order": after.order_id,
            "amount": amount,
            "returned": after.returned_amount,
        }

    return decide


def _lines_back(before: Order, after: Order) -> list[list[int]]:
    """[line, amount, pieces] of each line that a return brought back, where that does not go without saying."""
    if len(after.lines) == 1:
        return []
    back = [
        [number, now.returned - then.returned, now.returned_quantity - then.returned_quantity]
        for number, (then, now) in enumerate(zip(before.lines, after.lines, strict=True), 1)
        if then != now
    ]
    return back if len(back) <= MOST_LINES_TOLD else []
