"""Entries, and the hash chain that binds them. Pure.

Each entry carries the state after it, so the newest entry is the account. An entry's hash covers its keys, its
reference and its body, and the body names the hash of the entry before: one changed, missing or reordered entry breaks
the chain where it stands (I6).
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from loyalty.errors import Corrupt
from loyalty.ledger.account import MAX_RECENT, SCHEMA, TAG_LENGTH, Draft, Move, State
from loyalty.table import keys

GENESIS = ""
"""What the first entry names as the hash before it."""


class Chain(NamedTuple):
    """Which wallet: programme, account, wallet name."""

    program: str
    account: str
    wallet: str

    @property
    def pk(self) -> str:
        return keys.chain(*self)


class Cause(Struct, frozen=True):
    """Why an entry is written: the reference it can be found by, the fingerprint of the request, and who asked.

    ``ref`` is unique in its chain (I3); ``occurred`` is when it happened, in seconds since 1970, UTC.
    """

    ref: str
    fingerprint: str
    actor: str
    occurred: int


class Entry(Struct, frozen=True):
    """One line of the ledger. ``body`` is the stored text that the hash covers; the rest is read from it."""

    chain: Chain
    number: int
    ref: str
    body: str
    hash: str
    kind: str
    fingerprint: str
    actor: str
    occurred: int
    recorded: int
    previous: str
    moves: list[Move]
    detail: dict[str, Any]
    state: State
    schema: int = SCHEMA
    """That of the stored state."""
    timers: dict[str, int] = {}
    """By kind, the day from which something may be due that was not to be looked at so soon before."""


def canonical(data: object) -> str:
    """JSON with nothing to choose: no spaces, UTF-8 as it is."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def digest(*parts: str) -> str:
    """SHA-256 over the parts with their lengths, base64url without padding (43 characters)."""
    hasher = hashlib.sha256()
    for part in parts:
        data = part.encode()
        hasher.update(len(data).to_bytes(8, "big"))
        hasher.update(data)
    return base64.urlsafe_b64encode(hasher.digest()).rstrip(b"=").decode()


def fingerprint(*parts: object) -> str:
    """What tells one request body from another: 132 bits of SHA-256 over its canonical JSON with sorted keys."""
    return digest(json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False))[:22]


def key_ref(client: str, key: str) -> str:
    """The reference of a request that a client sent under an idempotency key."""
    return f"k#{client}#{key}"


def tag(ref: str) -> str:
    """Short form of a reference, kept in the state for the newest entries (48 bits; a match is always looked up)."""
    return digest(ref)[:TAG_LENGTH]


def seal(
    chain: Chain, head: Entry | None, draft: Draft, cause: Cause, timers: Mapping[str, int] | None = None
) -> Entry:
    """Make a draft the next entry after ``head``; ``timers`` are what it arms, the meaning of which is not the
    ledger's.
    """
    state = draft.state
    state.number = draft.number
    state.recent = (*state.recent, (tag(cause.ref), state.at))[-MAX_RECENT:]
    kind = draft.kind
    body: dict[str, Any] = {"k": kind, "f": cause.fingerprint}
    if not _is_named(cause.actor, cause.ref):
        body["a"] = cause.actor
    body |= {
        "o": state.at - cause.occurred,
        "p": head.hash if head else GENESIS,
        "m": [["", *move[1:]] if move[0] == kind else move for move in draft.moves],
        "d": draft.detail,
    }
    if timers:
        body["t"] = dict(sorted(timers.items()))
    body["s"] = state.encode()
    text = canonical(body)
    return _entry(chain, state.number, cause.ref, text, _hash(chain, state.number, cause.ref, text), body, state)


def read(chain: Chain, number: int, ref: str, body: str, hash_: str) -> Entry:
    """An entry from its stored parts, not verified; Corrupt when the body cannot be read."""
    try:
        data = json.loads(body)
        return _entry(chain, number, ref, body, hash_, data, State.decode(number, data["s"]))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Corrupt(f"entry {number}: unreadable") from error


def _is_named(actor: str, ref: str) -> bool:
    """Whether a reference is a key of this actor's: then the entry need not name it again."""
    return "#" not in actor and ref.startswith(f"k#{actor}#")


def _entry(chain: Chain, number: int, ref: str, text: str, hash_: str, data: dict[str, Any], state: State) -> Entry:
    """What is written twice is written short since schema 2: the actor that the reference names, the time of a thing
    before it was recorded, the reason of a move that is the entry's kind.
    """
    schema = data["s"]["v"]
    kind, occurred = data["k"], data["o"]
    return Entry(
        chain=chain,
        number=number,
        ref=ref,
        body=text,
        hash=hash_,
        kind=kind,
        fingerprint=data["f"],
        actor=data["a"] if "a" in data else ref.split("#")[1],
        occurred=occurred if schema == 1 else state.at - occurred,
        recorded=state.at,
        previous=data["p"],
        moves=data["m"] if schema == 1 else [[move[0] or kind, *move[1:]] for move in data["m"]],
        detail=data["d"],
        state=state,
        schema=schema,
        timers=data.get("t", {}),
    )


def _hash(chain: Chain, number: int, ref: str, body: str) -> str:
    return digest(chain.pk, keys.entry(number), ref, body)


class Finding(Struct, frozen=True):
    """The first entry of a chain that is wrong, and what is wrong with it."""

    number: int
    reason: str


class Stored(NamedTuple):
    """An entry as it lies in the table, before anything about it is believed."""

    number: int
    ref: str
    body: str
    hash: str


class Verifier:
    """Recomputes a chain entry by entry (I1, I6, I8): feed it in order, then ask ``finish``.

    ``finding`` is None as long as everything holds, and the first wrong entry from then on.
    """

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.finding: Finding | None = None
        self.entries = 0
        self._state = State()
        self._hashes: list[str] = []
        self._suspect: Stored | None = None

    def feed(self, stored: Stored) -> None:
        if self.finding is not None:
            self._resolve(stored)
            return
        expected = self.entries + 1
        if stored.number != expected:
            self.finding = Finding(expected, "missing")
            return
        previous = self._hashes[-1] if self._hashes else GENESIS
        self._hashes.append(stored.hash)
        self.entries = expected
        try:
            entry = read(self.chain, *stored)
        except Corrupt:
            self.finding = Finding(expected, "unreadable")
            return
        if _hash(self.chain, *stored[:3]) != stored.hash:
            self.finding = Finding(expected, "changed: its hash does not cover what it holds")
        elif entry.previous != previous:
            # Two neighbours, each sound in itself, disagree. Whether this one or the one before was rewritten, the
            # next one tells.
            self.finding = Finding(max(1, expected - 1), "rewritten: the next entry names another hash for it")
            self._suspect = stored
        else:
            self._replay(entry)

    def _resolve(self, stored: Stored) -> None:
        suspect, self._suspect = self._suspect, None
        if suspect is None or stored.number != suspect.number + 1:
            return
        try:
            confirmed = read(self.chain, *stored).previous == suspect.hash
        except Corrupt:
            return
        if not confirmed:
            self.finding = Finding(suspect.number, "rewritten: its neighbours name other hashes")

    def _replay(self, entry: Entry) -> None:
        """Rebuild the state from the one before and this entry's moves, and compare it with the stored one to the
        byte.
        """
        try:
            state = replay(self._state, entry)
        except (Corrupt, LookupError, TypeError, ValueError, AttributeError):
            self.finding = Finding(entry.number, "its moves do not fit the state before it")
            return
        if not entry.body.endswith(f',"s":{canonical(state.encode(entry.schema))}}}'):
            self.finding = Finding(entry.number, "its state is not what its moves give")
        self._state = state

    def finish(self, published: tuple[int, str] | None = None) -> Finding | None:
        """The verdict. ``published`` is the newest (number, hash) that left through the stream: what is gone from
        the end is found by it, and so is a chain rewritten as a whole from some entry up to or before that one.
        """
        if published is None:
            return self.finding
        number, hash_ = published
        if number <= self.entries and self._hashes[number - 1] != hash_:
            if self.finding is None or (self._suspect is not None and number == self._suspect.number):
                self.finding = Finding(number, "rewritten: it was published with another hash")
        elif self._suspect is not None and number == self._suspect.number - 1:
            self.finding = Finding(self._suspect.number, "rewritten: it names another hash than was published")
        elif self.finding is None and number > self.entries:
            self.finding = Finding(self.entries + 1, "missing: it was published")
        return self.finding

    @property
    def state(self) -> State:
        """The state rebuilt so far."""
        return self._state


def replay(before: State, entry: Entry) -> State:
    """The state after ``entry``, from the state before it and the entry's moves alone."""
    state = before.copy()
    state.number = entry.number
    state.at = entry.recorded
    if entry.number == 1:
        state.kind = entry.state.kind
    for move in entry.moves:
        state.apply(move)
    state.recent = (*state.recent, (tag(entry.ref), entry.recorded))[-MAX_RECENT:]
    return state


def rebuild(entries: Iterable[Entry]) -> State:
    """Replay a chain from its first entry; Corrupt where a move does not fit."""
    state = State()
    for entry in entries:
        state = replay(state, entry)
    return state
