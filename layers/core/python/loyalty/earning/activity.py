"""Use cases of what members do besides buying: check-ins, reviews, trade-ins and whatever else a rule set or the policy
knows, and the events that decide on points which wait for them.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from loyalty.earning.checks import check_occurred, check_wallet
from loyalty.earning.purchase import Attribute
from loyalty.earning.rulebook import Rulebook
from loyalty.errors import Conflict, NotFound, Refused
from loyalty.ids import Located
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Cause, Chain, fingerprint
from loyalty.ledger.service import Ledger, Posted
from loyalty.programs.terms import Program

if TYPE_CHECKING:
    from loyalty.earning.awards import EventPosting
    from loyalty.earning.quotes import Quote
    from loyalty.rules.evaluation import Loaded
    from loyalty.rules.facts import Happened
    from loyalty.rules.ruleset import Event

NO_FIELDS: Final[Mapping[str, Attribute]] = {}


class Activity:
    """Events of one programme table. ``program`` loads a programme's policy."""

    def __init__(self, ledger: Ledger, program: Callable[[str], Program], book: Rulebook) -> None:
        self._ledger = ledger
        self._program = program
        self._book = book

    def post(
        self,
        program: str,
        account: str,
        wallet: str,
        event: str,
        occurred: int,
        cause: Cause,
        now: int,
        *,
        fields: Mapping[str, Attribute] = NO_FIELDS,
        store: str = "",
        of: Located | None = None,
    ) -> Posted:
        """Give what an event earns: by the rule set where it knows the type, else the bonus that the policy sets.

        ``of`` is the entry whose waiting points the event decides on. An event that earns nothing is an entry too: it
        counts for streaks and for being once, and says so when it is sent again.
        """
        policy = self._program(program)
        check_occurred(policy, occurred, now)
        check_wallet(policy, wallet)
        chain = Chain(program, account, wallet)
        loaded = self._book.in_force(program, policy)
        known = None if loaded is None else _event_of(loaded, event)
        if loaded is None or known is None:
            return self._ledger.post(chain, cause, now, _bonus(policy, event, occurred, now, fields, of))
        from loyalty.earning.awards import fields_of

        typed = fields_of(known, fields)
        detail = _told(known, fields, store, loaded.version)
        if known.activates or known.cancels:
            return self._decided(chain, known, of, cause, now, detail)
        return self._happened(
            policy, chain, loaded, known, _what(account, event, occurred, store, typed), cause, now, detail
        )

    def quote(
        self,
        program: str,
        account: str,
        wallet: str,
        event: str,
        fields: Mapping[str, Attribute],
        store: str,
        occurred: int,
        now: int,
    ) -> "Quote":
        """What an event would earn if it were posted now; nothing is written."""
        from loyalty.earning.awards import EventPosting, fields_of, quoted
        from loyalty.earning.quotes import Quote, Quoted

        policy = self._program(program)
        check_occurred(policy, occurred, now)
        check_wallet(policy, wallet)
        loaded = self._book.in_force(program, policy)
        known = None if loaded is None else _event_of(loaded, event)
        state, person = self._book.look(self._ledger, Chain(program, account, wallet), loaded if known else None)
        draft = Draft(state, now)
        if loaded is None or known is None:
            _bonus(policy, event, occurred, now, fields, None)(draft)
            return Quote(draft.detail["points"], (Quoted(event, draft.detail["points"]),))
        happened = _what(account, event, occurred, store, fields_of(known, fields))
        posting = EventPosting(loaded, policy, known, happened, person, now, {})
        outcome = posting.earns(state, None)
        if outcome.needs:
            outcome = posting.earns(state, self._book.budgets.rooms(program, outcome.needs))
        return quoted(loaded, outcome, draft, posting.day, visit=False)

    def _happened(
        self,
        policy: Program,
        chain: Chain,
        loaded: "Loaded",
        event: "Event",
        happened: "Happened",
        cause: Cause,
        now: int,
        detail: dict[str, object],
    ) -> Posted:
        """Post an event of the rule set."""
        from loyalty.earning.awards import EventPosting

        if event.once:
            cause = _once(event, happened, cause, detail)
        try:
            opened, person = self._book.open(self._ledger, chain, cause, now, loaded, sure=True)
            posting = EventPosting(loaded, policy, event, happened, person, now, detail)
            if opened.done is not None:
                return Posted(opened.done, replayed=True)
            posting.reserved = self._paid(chain.program, posting, opened.state, now)
            try:
                posted = self._ledger.commit(opened, posting.decide)
            except Refused:  # nothing was written
                self._book.budgets.release(chain.program, posting.reserved)
                raise
        except Conflict as conflict:
            if event.once and conflict.code == "IDEMPOTENCY_KEY_REUSED":
                raise Conflict(
                    "EVENT_ALREADY_COUNTED", f"{event.type} counts once, and was counted with other content"
                ) from None
            raise
        if not posted.replayed and posting.outcome is not None:
            self._book.settle(chain.program, loaded, posting.outcome, posting.reserved)
        return posted

    def _paid(self, program: str, posting: "EventPosting", state: State, now: int) -> dict[str, int]:
        """What campaigns set aside for an event on the account as it stands."""
        needs = posting.earns(state, None).needs
        return self._book.budgets.reserve(program, needs, now) if needs else {}

    def _decided(
        self, chain: Chain, event: "Event", of: Located | None, cause: Cause, now: int, detail: dict[str, object]
    ) -> Posted:
        """Activate or cancel the points that wait for this event. Decided is decided: the same again is the first
        answer, the other way is a Conflict.
        """
        from loyalty.earning.awards import field_invalid

        waited = event.activates or event.cancels
        if of is None:
            raise field_invalid("of", f"{event.type} needs the entry of the {waited} that it decides on")
        if (of.account, of.wallet) != (chain.account, chain.wallet):
            raise NotFound("ENTRY_NOT_FOUND", "There is no such entry in this wallet")
        act = commands.activate if event.activates else commands.cancel
        cause = replace(cause, ref=f"d#{of.number}", fingerprint=fingerprint("decided", bool(event.activates)))
        try:
            opened, entry = self._ledger.store.table.together(
                lambda: self._ledger.open(chain, cause, now), lambda: self._ledger.store.entry(chain, of.number)
            )
        except Conflict as conflict:
            if conflict.code != "IDEMPOTENCY_KEY_REUSED":
                raise
            raise _decided_otherwise() from None
        if entry is None:
            raise NotFound("ENTRY_NOT_FOUND", "There is no such entry in this wallet")
        if entry.detail.get("event") != waited:
            raise field_invalid("of", f"{event.type} decides on entries of {waited} only")
        parts = commands.waiting_parts(entry.moves)

        def decide(draft: Draft) -> None:
            act(draft, of.number, parts)
            draft.detail |= detail

        try:
            return self._ledger.commit(opened, decide)
        except Conflict as conflict:
            if conflict.code != "IDEMPOTENCY_KEY_REUSED":
                raise
            raise _decided_otherwise() from None


def _bonus(
    policy: Program, event: str, occurred: int, now: int, fields: Mapping[str, Attribute], of: Located | None
) -> Callable[[Draft], None]:
    """The bonus that the policy sets for an event that no rule set knows."""
    points = policy.events.get(event)
    if points is None:
        raise Refused("EVENT_TYPE_UNKNOWN", f"The programme gives no bonus for {event!r}")
    if fields or of is not None:
        name = f"fields.{next(iter(fields))}" if fields else "of"
        raise Refused("EVENT_FIELD_INVALID", f"{name}: the policy's events have none", field=name)
    terms = policy.terms(occurred, now)

    def decide(draft: Draft) -> None:
        commands.earn(draft, [commands.Grant(points, terms.expiry, terms.start)])
        draft.detail |= {"event": event, "points": points}

    return decide


def _event_of(loaded: "Loaded", event: str) -> "Event | None":
    from loyalty.earning.awards import event_of

    return event_of(loaded.evaluator.rules, event)


def _what(account: str, event: str, occurred: int, store: str, fields: Mapping[str, object]) -> "Happened":
    from loyalty.rules.facts import Happened

    return Happened(account, event, occurred, store, fields)


def _told(event: "Event", fields: Mapping[str, Attribute], store: str, version: int) -> dict[str, object]:
    """What an event's entry says of it."""
    detail: dict[str, object] = {"event": event.type, "rules": version}
    if fields:
        detail["fields"] = dict(fields)
    if store:
        detail["store"] = store
    return detail


def _once(event: "Event", happened: "Happened", cause: Cause, detail: Mapping[str, object]) -> Cause:
    """An event that counts once goes by what makes it one, whatever key it is sent with."""
    same = [happened.fields[name] for name in event.once]
    return replace(
        cause,
        ref=f"v#{event.type}#{fingerprint(same)}",
        fingerprint=fingerprint(event.type, detail.get("fields", {})),
    )


def _decided_otherwise() -> Conflict:
    return Conflict("EVENT_ALREADY_DECIDED", "The points were activated or cancelled before, the other way")
