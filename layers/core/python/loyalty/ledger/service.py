"""Posting to the ledger: load, decide, commit, in one conditional write.

No reference is used twice in a chain (I3), and the order of reads leaves no gap:

* the head and the index on references are read at the same time, so an entry appended in between may be in neither
  answer. It is then among the newest entries, whose references the head carries, unless more than ``MAX_RECENT`` were
  appended since this request began. The head knows when the oldest of those was recorded: when that is not safely
  before this request began, the index is read again, after the head;
* once the head is known, everything up to it is covered; the conditional write covers the one number after it, and
  when it fails, the entry that stands there comes back with the refusal and is examined in turn.

"Safely before" allows for clocks that differ and for the longest a function may run, ``UNCERTAIN_SECONDS`` together.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from loyalty.errors import Conflict, NotFound
from loyalty.ledger import commands
from loyalty.ledger.account import MAX_RECENT, Draft, State
from loyalty.ledger.chain import Cause, Chain, Entry, fingerprint, seal, tag
from loyalty.ledger.store import LedgerStore, conflicting, put_of
from loyalty.table.writes import Cancelled, Contended, Delete, Item, Put

MAX_TRIES: Final = 12
UNCERTAIN_SECONDS: Final = 180

OPENING: Final = "open"
"""Reference of a wallet's first entry: a wallet is opened once, by whoever comes first."""

Decide = Callable[[Draft], object]
Writes = Sequence[Put | Delete]
Extra = Writes | Callable[[Draft], Writes]
"""Further writes of an entry's transaction; a function of the draft where they follow from what was decided."""
_Result = TypeVar("_Result")
Admits = Callable[[Chain], str]
"""The kind of the account that a wallet without entries belongs to; NotFound when there is no such member or wallet."""
Arms = Callable[[str, State, State], Mapping[str, int]]
"""What a programme's account arms by going from one state to another: kinds of timers, and their days."""
After = Callable[[Chain, State, Draft], None]
"""What follows from a command at once: moves that are added to its draft, given the state before it."""


class Posted(Struct, frozen=True):
    """What a request led to. ``replayed``: it had been carried out before; this is the first answer again."""

    entry: Entry
    replayed: bool = False


class ExtraRefused(Exception):
    """A further write of the transaction was refused; ``failed`` maps its position to what stands there."""

    def __init__(self, failed: dict[int, Item | None]) -> None:
        super().__init__("a condition beside the entry did not hold")
        self.failed = failed


class Opened(Struct):
    """A chain read for one request. ``done`` is the entry that carried the request out earlier, if any; ``unsure`` says
    that one may have slipped between the two reads, and that nobody has looked again yet.
    """

    chain: Chain
    cause: Cause
    now: int
    head: Entry | None
    done: Entry | None
    unsure: bool = False

    @property
    def state(self) -> State:
        return self.head.state if self.head else State()

    def draft(self) -> Draft:
        return Draft(self.state, self.now)


def _arms_nothing(program: str, before: State, after: State) -> Mapping[str, int]:
    del program, before, after
    return {}


def _nothing_follows(chain: Chain, before: State, draft: Draft) -> None:
    del chain, before, draft


def nobody(chain: Chain) -> str:
    """Admits no account: only wallets that stand are used."""
    del chain
    raise NotFound("MEMBER_NOT_FOUND", "There is no such member in this programme")


class Ledger:
    """Use cases on chains. ``now`` is the time the request began, in seconds since 1970, UTC.

    ``admits`` is asked only where a chain has no entry. A wallet that the policy was given after a member enrolled
    so comes to life when it is first used, and other requests pay nothing for that.

    ``after`` completes what a command has decided, whenever it is decided; ``arms`` says what the entry has to arm.
    Both are pure.
    """

    def __init__(
        self,
        store: LedgerStore,
        admits: Admits = nobody,
        arms: Arms = _arms_nothing,
        after: After = _nothing_follows,
    ) -> None:
        self.store = store
        self.admits = admits
        self._arms = arms
        self._after = after

    def opening(self, chain: Chain, account_kind: str, actor: str, now: int) -> Put:
        """A new wallet's first entry, as one write of a transaction."""
        return put_of(self._first(chain, account_kind, actor, now))

    def open(self, chain: Chain, cause: Cause, now: int, *, new: bool = False, sure: bool = True) -> Opened:
        """Read a chain for a request, and find out whether the request was carried out before.

        A chain without entries is begun if its account is admitted, else NotFound; ``new`` leaves it empty. Conflict
        when its reference was used with another fingerprint. With ``sure`` False the index is not read again where that
        is needed: ``beside`` does it, and ``commit`` at the latest.
        """
        head, number = self.store.head_and_ref(chain, cause.ref)
        if head is None:
            if number is not None:  # the chain's first entry was written between the two reads
                head = self.store.head(chain)
            elif not new:
                head = self._begin(chain, cause.actor, now)
        opened = Opened(chain, cause, now, head, None)
        if head is not None:
            opened.done = self._recent(head, cause.ref) if number is None else self._at(head, number)
            opened.unsure = opened.done is None and number is None and _may_hide_more(head.state, now)
            if opened.unsure and sure:
                self._look_again(opened)
        if opened.done is not None:
            same_request(opened.done, cause)
        return opened

    def beside(self, opened: Opened, act: Callable[[], _Result]) -> _Result:
        """Do ``act``; at the same time, where ``opened`` is unsure, look again for its reference."""
        if not opened.unsure:
            return act()
        result, _ = self.store.table.together(act, lambda: self._look_again(opened))
        return result

    def _look_again(self, opened: Opened) -> None:
        number = self.store.find(opened.chain, opened.cause.ref)
        if number is not None and opened.head is not None:
            opened.done = self._at(opened.head, number)
        opened.unsure = False

    def post(self, chain: Chain, cause: Cause, now: int, decide: Decide, extra: Extra = ()) -> Posted:
        """Open a chain and commit one command on it."""
        return self.commit(self.open(chain, cause, now), decide, extra)

    def commit(self, opened: Opened, decide: Decide, extra: Extra = ()) -> Posted:
        """Append what ``decide`` drafts, deciding again whenever somebody else was first.

        ``extra`` writes go into one transaction with the entry; ExtraRefused when one of them is refused. A function of
        the draft is asked for them anew after every decision, and may answer with none. Conflict (ACCOUNT_BUSY) after
        ``MAX_TRIES``. A command that changes nothing and has nothing to say (nothing had expired) answers with the
        head.
        """
        chain, cause = opened.chain, opened.cause
        if opened.unsure:
            self._look_again(opened)
        if opened.done is not None:
            same_request(opened.done, cause)
            return Posted(opened.done, replayed=True)
        for attempt in range(1, MAX_TRIES + 1):
            draft = opened.draft()
            decide(draft)
            self._follow(chain, opened.state, draft)
            if not draft.moves and not draft.detail and opened.head is not None:
                return Posted(opened.head)
            entry = self._seal(chain, opened.head, draft, cause)
            try:
                other = self._write(entry, extra(draft) if callable(extra) else extra)
            except Contended:
                other = None
                again = True
            else:
                if other is None:
                    return Posted(entry)
                again = attempt % 2 == 0
            if other is not None and other.ref == cause.ref:
                same_request(other, cause)
                return Posted(other, replayed=True)
            if again:
                done = self._reread(opened)
                if done is not None:
                    return Posted(done, replayed=True)
            else:
                opened.head = other
        raise busy()

    def transfer(
        self,
        source: Chain,
        target: Chain,
        cause: Cause,
        now: int,
        leave: Decide,
        arrive: Decide,
    ) -> Posted:
        """Two entries in one transaction: ``leave`` on the source, ``arrive`` on the target.

        The source's reference guards both.
        """
        arrival = Cause(
            f"from#{source.account}#{source.wallet}#{cause.ref}", cause.fingerprint, cause.actor, cause.occurred
        )
        for _ in range(MAX_TRIES):
            opened = self.open(source, cause, now)
            if opened.done is not None:
                return Posted(opened.done, replayed=True)
            head = self.store.head(target) or self._begin(target, cause.actor, now)
            out = opened.draft()
            leave(out)
            self._follow(source, opened.state, out)
            into = Draft(head.state, now)
            arrive(into)
            self._follow(target, head.state, into)
            entry = self._seal(source, opened.head, out, cause)
            try:
                self.store.table.transact([put_of(entry), put_of(self._seal(target, head, into, arrival))])
            except (Cancelled, Contended):
                continue
            return Posted(entry)
        raise busy()

    def _begin(self, chain: Chain, actor: str, now: int) -> Entry:
        """Open an admitted account's wallet; the entry that stands there when somebody else was first."""
        entry = self._first(chain, self.admits(chain), actor, now)
        try:
            return self.store.append(entry) or entry
        except Contended:
            raise busy() from None

    def _first(self, chain: Chain, account_kind: str, actor: str, now: int) -> Entry:
        draft = Draft(State(), now)
        commands.open_account(draft, account_kind)
        self._follow(chain, State(), draft)
        return self._seal(chain, None, draft, Cause(OPENING, fingerprint(OPENING, account_kind), actor, now))

    def _follow(self, chain: Chain, before: State, draft: Draft) -> None:
        if draft.state.status != "closed":
            self._after(chain, before, draft)

    def _seal(self, chain: Chain, head: Entry | None, draft: Draft, cause: Cause) -> Entry:
        before = head.state if head else State()
        return seal(chain, head, draft, cause, self._arms(chain.program, before, draft.state))

    def _write(self, entry: Entry, extra: Writes) -> Entry | None:
        if not extra:
            return self.store.append(entry)
        try:
            self.store.table.transact([put_of(entry), *extra])
        except Cancelled as refusal:
            if 0 in refusal.failed:
                return conflicting(entry, refusal.failed[0])
            raise ExtraRefused({position - 1: item for position, item in refusal.failed.items()}) from refusal
        return None

    def _reread(self, opened: Opened) -> Entry | None:
        """Read the head again after falling behind; the entry that carried the request out meanwhile, if any."""
        covered = opened.head.number if opened.head else 0
        head = self.store.head(opened.chain)
        opened.head = head
        if head is None:
            return None
        done = self._recent(head, opened.cause.ref)
        if done is None and head.number - covered > MAX_RECENT:
            number = self.store.find(opened.chain, opened.cause.ref)
            done = None if number is None else self._at(head, number)
        if done is not None:
            same_request(done, opened.cause)
        return done

    def _recent(self, head: Entry, ref: str) -> Entry | None:
        """The entry with this reference among the newest ones that the head's state names."""
        wanted = tag(ref)
        for back, (seen, _) in enumerate(reversed(head.state.recent)):
            if seen == wanted:
                entry = self._at(head, head.number - back)
                if entry is not None and entry.ref == ref:
                    return entry
        return None

    def _at(self, head: Entry, number: int) -> Entry | None:
        return head if number == head.number else self.store.entry(head.chain, number)


def same_request(done: Entry, cause: Cause) -> None:
    """Conflict when a reference comes back with another request."""
    if done.fingerprint != cause.fingerprint:
        raise Conflict(
            "IDEMPOTENCY_KEY_REUSED", "This key was used for a request with other content; nothing was changed"
        )


def busy() -> Conflict:
    """Too many writers for this try; nothing was written."""
    return Conflict("ACCOUNT_BUSY", "Send the same request with the same Idempotency-Key again", retry_after=1)


def _may_hide_more(state: State, now: int) -> bool:
    return state.number > len(state.recent) and state.recent[0][1] >= now - UNCERTAIN_SECONDS
