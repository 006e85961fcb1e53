"""Access tokens: remembered by a running copy, read from the table when that is not enough, renewed by one copy at a
time.

On the hot path nothing is read at all. A copy whose token has come near its end, or was refused, reads the table: most
often another copy has renewed it. If not, it takes the lease with a conditional write; who does not get it goes on with
the old token while that holds.
"""

from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from loyalty.channels.access import FORCE_S, LEASE_S, Access, Fetched, NotFetched, fresh, usable
from loyalty.channels.store import AccessStore
from loyalty.table.writes import ConditionFailed

Fetch = Callable[[bool], Fetched]
"""Asks the provider for a token; with True it is to throw the current one away. Raises NotFetched."""

BUSY = "token_busy"
"""Code while another copy fetches the first token."""
REFUSED = "token_refused"
"""Code while the provider hands out a token that it does not take itself."""


class Tokens:
    """Tokens of one copy, by programme and channel."""

    def __init__(self, store: AccessStore) -> None:
        self._store = store
        self._known: dict[tuple[str, str], Access] = {}

    def token(self, program: str, channel: str, account: str, fetch: Fetch, now: int, spoiled: str = "") -> str:
        """A token that holds. ``spoiled``: the one that the provider just refused. NotFetched; Unavailable."""
        known = self._known.get((program, channel))
        if known is not None and usable(known, account, spoiled, now) and fresh(known, now):
            return known.token
        stored = self._store.get(program, channel)
        if stored is not None and usable(stored, account, spoiled, now) and fresh(stored, now):
            return self._remember(program, channel, stored)
        return self._renewed(program, channel, stored, account, fetch, now, spoiled)

    def _renewed(
        self, program: str, channel: str, stored: Access | None, account: str, fetch: Fetch, now: int, spoiled: str
    ) -> str:
        held = stored is not None and now < stored.leased <= now + LEASE_S
        mine = None if held else self._lease(program, channel, stored, account, now)
        if mine is None:  # another copy is at it
            return _old(stored, account, now, spoiled, NotFetched(BUSY, 2))
        try:
            done = self._fetched(program, channel, mine, fetch, now, spoiled)
        except NotFetched as error:
            return _old(stored, account, now, spoiled, error)
        with suppress(ConditionFailed):  # the lease had run out; what was fetched holds all the same
            self._store.put(program, channel, done)
        return self._remember(program, channel, done)

    def _lease(self, program: str, channel: str, stored: Access | None, account: str, now: int) -> Access | None:
        same = stored if stored is not None and stored.account == account else None
        version = stored.version if stored is not None else 0
        mine = replace(same or Access(account), leased=now + LEASE_S, version=version + 1)
        try:
            self._store.put(program, channel, mine)
        except ConditionFailed:
            return None
        return mine

    def _fetched(self, program: str, channel: str, mine: Access, fetch: Fetch, now: int, spoiled: str) -> Access:
        got = fetch(False)
        if spoiled and got.token == spoiled:
            if now - mine.forced < FORCE_S:
                raise NotFetched(REFUSED, 60)
            mine = replace(mine, forced=now, version=mine.version + 1)  # written first: it counts even when it fails
            try:
                self._store.put(program, channel, mine)
            except ConditionFailed:
                raise NotFetched(BUSY, 2) from None
            got = fetch(True)
            if got.token == spoiled:
                raise NotFetched(REFUSED, 60)
        return replace(mine, token=got.token, ends=now + got.lasts_s, leased=0, version=mine.version + 1)

    def _remember(self, program: str, channel: str, access: Access) -> str:
        self._known[program, channel] = access
        return access.token


def _old(stored: Access | None, account: str, now: int, spoiled: str, otherwise: NotFetched) -> str:
    """The token there was, while it holds."""
    if stored is not None and usable(stored, account, spoiled, now):
        return stored.token
    raise otherwise
