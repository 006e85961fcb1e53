"""Use cases of what members do besides buying: check-ins, reviews, trade-ins and whatever else a rule set or the policy
knows, and the events that decide on points which wait for them.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from loyalty.earning.checks import check_occurred, check_wallet
from loyalty.earning.persons import as_of
from loyalty.earning.purchase import Attribute
from loyalty.earning.rulebook import Rulebook
from loyalty.errors import Conflict, Corrupt, Forbidden, Invalid, NotFound, Problem, Refused, Unavailable
from loyalty.ids import Located
from loyalty.ledger import commands
from loyalty.ledger.account import Draft
from loyalty.ledger.chain import Cause, Chain, fingerprint
from loyalty.ledger.service import Ledger, Posted
from loyalty.programs.terms import Program

if TYPE_CHECKING:
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
        within: str = "",
    ) -> Posted:
        """Give what an event earns: by the rule set where it knows the type, else the bonus that the policy sets.

        ``of`` is the entry whose waiting points the event decides on; where the rule set in force does not know the
        type, the version that the entry was earned under may. ``within`` is the store that the caller belongs to, empty
        for none: it decides on entries of its own store only, and on those of no store. An event that earns nothing is
        an entry too: it counts for streaks and for being once, and says so when it is sent again.
        """
        chain = Chain(program, account, wallet)
        try:
            return self._post(chain, event, occurred, cause, now, fields, store, of, within)
        except (Invalid, NotFound, Refused):
            # What was carried out before is answered as it was, whatever rules and policy say of it by now (I3).
            if (done := self._ledger.open(chain, cause, now, new=True).done) is None:
                raise
            return Posted(done, replayed=True)

    def _post(
        self,
        chain: Chain,
        event: str,
        occurred: int,
        cause: Cause,
        now: int,
        fields: Mapping[str, Attribute],
        store: str,
        of: Located | None,
        within: str,
    ) -> Posted:
        policy = self._program(chain.program)
        check_occurred(policy, occurred, now)
        check_wallet(policy, chain.wallet)
        loaded = self._book.in_force(chain.program, policy, chain.wallet)
        known = None if loaded is None else _event_of(loaded, event)
        if known is None and of is not None:
            loaded, known = self._waited_for(chain, event, of)
        if loaded is None or known is None:
            return self._ledger.post(chain, cause, now, _bonus(policy, event, occurred, now, fields, of, store))
        from loyalty.earning.awards import fields_of

        typed = fields_of(known, fields)
        detail = _told(known, fields, store, loaded.version)
        if known.activates or known.cancels:
            return self._decided(chain, known, of, within, cause, now, detail)
        happened = _what(chain.account, event, occurred, store, typed)
        return self._happened(policy, chain, loaded, known, happened, cause, now, detail)

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
        """What an event would earn if it were posted now; nothing is written. One that counts once, and was counted,
        earns nothing more.
        """
        from loyalty.earning.awards import EventPosting, fields_of, quoted
        from loyalty.earning.quotes import Quote, Quoted

        policy = self._program(program)
        check_occurred(policy, occurred, now)
        check_wallet(policy, wallet)
        loaded = self._book.in_force(program, policy, wallet)
        known = None if loaded is None else _event_of(loaded, event)
        state, person = self._book.look(self._ledger, Chain(program, account, wallet), loaded if known else None)
        draft = Draft(state, now)
        if loaded is None or known is None:
            _bonus(policy, event, occurred, now, fields, None, store)(draft)
            return Quote(draft.detail["points"], (Quoted(event, draft.detail["points"]),))
        happened = _what(account, event, occurred, store, fields_of(known, fields))
        if known.activates or known.cancels:  # it decides on points that were earned before, and earns none
            return Quote(0, (), loaded.version)
        if known.once and self._ledger.store.find(Chain(program, account, wallet), _once_ref(known, happened)):
            return Quote(0, (), loaded.version)
        posting = EventPosting(loaded, policy, known, happened, as_of(policy, person, state, now), now, {})
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
            cause = _once(event, happened, cause)
        try:
            opened, person = self._book.open(self._ledger, chain, cause, now, loaded, sure=True)
            person = as_of(policy, person, opened.state, now)
            posting = EventPosting(loaded, policy, event, happened, person, now, detail)
            what = f"{chain.account}#{chain.wallet}#{cause.ref}"
            if opened.done is not None:
                self._book.stands(chain.program, what, opened.done.recorded, None)
                return Posted(opened.done, replayed=True)
            needs = posting.earns(opened.state, None).needs
            posting.reserved = self._book.reserve(chain.program, what, needs, now)
            try:
                posted = self._ledger.commit(opened, posting.decide)
            except Problem as problem:
                if not isinstance(problem, Unavailable):  # nothing was written
                    self._book.unused(chain.program, what, now)
                raise
        except Conflict as conflict:
            if event.once and conflict.code == "IDEMPOTENCY_KEY_REUSED":
                raise Conflict(
                    "EVENT_ALREADY_COUNTED", f"{event.type} counts once, and was counted with other content"
                ) from None
            raise
        if posted.replayed:
            self._book.stands(chain.program, what, posted.entry.recorded, None)
        elif posting.outcome is not None:
            self._book.used(chain.program, what, posting.outcome.taken)
            self._book.tell(chain.program, loaded, posting.outcome)
        return posted

    def _waited_for(self, chain: Chain, event: str, of: Located) -> "tuple[Loaded | None, Event | None]":
        """What the version that an entry was earned under says of the event that decides on it, if it can be read."""
        entry = self._ledger.store.entry(chain, of.number) if _within(chain, of) else None
        if entry is None:
            raise _no_entry()
        version = entry.detail.get("rules", 0)
        if not version:
            return None, None
        try:
            loaded = self._book.version(chain.program, version)
        except Corrupt:
            self._book.lost(chain.program)
            return None, None
        known = _event_of(loaded, event)
        return (loaded, known) if known and (known.activates or known.cancels) else (None, None)

    def _decided(
        self,
        chain: Chain,
        event: "Event",
        of: Located | None,
        within: str,
        cause: Cause,
        now: int,
        detail: dict[str, object],
    ) -> Posted:
        """Activate or cancel the points that wait for this event. Decided is decided: the same again is the first
        answer, the other way is a Conflict.
        """
        from loyalty.earning.awards import field_invalid

        waited = event.activates or event.cancels
        if of is None:
            raise field_invalid("of", f"{event.type} needs the entry of the {waited} that it decides on")
        if not _within(chain, of):
            raise _no_entry()
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
            raise _no_entry()
        if entry.detail.get("event") != waited:
            raise field_invalid("of", f"{event.type} decides on entries of {waited} only")
        if within and entry.detail.get("store", "") not in ("", within):
            raise Forbidden("AUTH_STORE_FORBIDDEN", f"The {waited} is of another store than {within}", field="of")
        parts, day = commands.waiting_parts(entry.moves), commands.figured_on(entry.moves)

        def decide(draft: Draft) -> None:
            if event.activates:
                commands.activate(draft, of.number, parts)
            else:
                commands.cancel(draft, of.number, parts, day)
            draft.detail |= detail

        try:
            return self._ledger.commit(opened, decide)
        except Conflict as conflict:
            if conflict.code != "IDEMPOTENCY_KEY_REUSED":
                raise
            raise _decided_otherwise() from None


def _bonus(
    policy: Program,
    event: str,
    occurred: int,
    now: int,
    fields: Mapping[str, Attribute],
    of: Located | None,
    store: str,
) -> Callable[[Draft], None]:
    """The bonus that the policy sets for an event that no rule set knows."""
    points = policy.events.get(event)
    if points is None:
        raise Refused("EVENT_TYPE_UNKNOWN", f"The programme gives no bonus for {event!r}")
    if fields or of is not None:
        name = f"fields.{next(iter(fields))}" if fields else "of"
        raise Refused("EVENT_FIELD_INVALID", f"{name}: the policy's events have none", field=name)
    terms = policy.terms(occurred, now)
    lasting = commands.Lasting(*policy.lasting(event, occurred, now))

    def decide(draft: Draft) -> None:
        commands.earn(draft, [commands.Grant(points, terms.expiry, terms.start)], policy.day(occurred), lasting)
        draft.detail |= {"event": event, "points": points}
        if store:
            draft.detail["store"] = store

    return decide


def _within(chain: Chain, of: Located) -> bool:
    """Whether an entry is one of this wallet."""
    return (of.account, of.wallet) == (chain.account, chain.wallet)


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


def _once(event: "Event", happened: "Happened", cause: Cause) -> Cause:
    """An event that counts once goes by what makes it one, whatever key it is sent with and however it is written."""
    return replace(cause, ref=_once_ref(event, happened), fingerprint=fingerprint(event.type, dict(happened.fields)))


def _once_ref(event: "Event", happened: "Happened") -> str:
    """The reference of an event that counts once."""
    same = [happened.fields[name] for name in event.once]
    return f"v#{event.type}#{fingerprint(same)}"


def _no_entry() -> NotFound:
    return NotFound("ENTRY_NOT_FOUND", "There is no such entry in this wallet")


def _decided_otherwise() -> Conflict:
    return Conflict("EVENT_ALREADY_DECIDED", "The points were activated or cancelled before, the other way")
