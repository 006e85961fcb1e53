"""Use cases: make a client, give it a new key, revoke it, and tell who shows a key.

Nobody hands out, or takes over through a new key, rights that it does not have itself; and the last operator cannot be
revoked, not even by two requests at once.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec import Struct

from loyalty.clients import credentials
from loyalty.clients.client import Client, is_id
from loyalty.clients.credentials import ClientKey
from loyalty.clients.roles import ROLES, narrowed
from loyalty.clients.store import ClientStore
from loyalty.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from loyalty.table.writes import Cancelled, Contended

MAX_TRIES: Final = 5


class Authority(NamedTuple):
    """What the caller may do itself, and the store it is bound to, if any."""

    scopes: frozenset[str]
    store: str = ""


EVERYTHING: Final = Authority(frozenset().union(*ROLES.values()))
"""The authority of whoever can write to the table: of a programme's first client."""


class NewClient(Struct, frozen=True):
    """A client to be made. ``scopes`` empty: all of the role's."""

    name: str
    role: str
    scopes: tuple[str, ...] = ()
    store: str = ""
    limit: int = 0


class Clients:
    """Client use cases on one table. Ids and secrets come in as arguments, made of randomness by the caller."""

    def __init__(self, store: ClientStore) -> None:
        self._store = store

    def create(
        self, program: str, new: NewClient, by: Authority, *, client_id: str, secret: str, now: int
    ) -> tuple[Client, ClientKey]:
        """The client and its key, which is not to be had again. Invalid for a scope that the role has not."""
        scopes = narrowed(new.role, new.scopes)
        client = Client(
            id=client_id,
            name=new.name,
            role=new.role,
            narrower=scopes if new.scopes else frozenset(),
            store=new.store,
            limit=new.limit,
            created=now,
            secret=credentials.hashed(secret),
        )
        _within(client, by)
        self._store.add(program, client)
        return client, ClientKey(program, client_id, secret)

    def rotate(
        self,
        program: str,
        client_id: str,
        by: Authority,
        *,
        overlap: int,
        replace_newest: bool = False,
        secret: str,
        now: int,
    ) -> tuple[Client, ClientKey]:
        """The client with a new key; the one it had works for ``overlap`` more seconds (see Client.rotated_to)."""
        for _ in range(MAX_TRIES):
            client = self._live(program, client_id)
            _within(client, by)
            after = client.rotated_to(secret, overlap, replace_newest, now)
            try:
                self._store.save(program, after)
            except (Cancelled, Contended):
                continue
            return after, ClientKey(program, client_id, secret)
        raise _crowded()

    def revoke(self, program: str, client_id: str, by: Authority, *, now: int) -> None:
        """End a client at once; one that has ended stays so. Conflict for the last operator."""
        for _ in range(MAX_TRIES):
            client = self._known(program, client_id)
            _within(client, by)
            if client.revoked:
                return
            witness: tuple[Client, ...] = ()
            if client.governs:
                other = next((one for one in self._store.all(program) if one.governs and one.id != client_id), None)
                if other is None:
                    raise Conflict("CLIENT_LAST_OPERATOR", "Make another operator first; nothing was changed")
                witness = (other,)
            try:
                self._store.save(program, client.revoked_at(now), *witness)
            except (Cancelled, Contended):
                continue  # one of the two was changed meanwhile: look again
            return
        raise _crowded()

    def page(self, program: str, limit: int, after: str) -> tuple[list[Client], str]:
        """Clients by age, revoked ones too; and the cursor to go on with, empty at the end. Invalid for another
        cursor.
        """
        if after and not is_id(after):
            raise Invalid("REQUEST_INVALID", "cursor: the next of an earlier answer", field="cursor")
        clients, last = self._store.page(program, limit, after or None)
        return clients, last or ""

    def all(self, program: str) -> Iterator[Client]:
        """Every client of a programme."""
        return self._store.all(program)

    def of_key(self, key: ClientKey, now: int) -> Client | None:
        """The client that shows ``key``, if it is its own. One round trip."""
        client = self._store.get(key.program, key.client)
        if client is None:
            credentials.same(key.secret, "", "")  # a client that does not exist takes as long as one that does
            return None
        return client if client.knows(key.secret, now) else None

    def get(self, program: str, client_id: str) -> Client | None:
        """A client that is not revoked; None."""
        client = self._store.get(program, client_id)
        return None if client is None or client.revoked else client

    def _live(self, program: str, client_id: str) -> Client:
        client = self._known(program, client_id)
        if client.revoked:
            raise Conflict("CLIENT_REVOKED", "A revoked client gets no new key; make another client")
        return client

    def _known(self, program: str, client_id: str) -> Client:
        client = self._store.get(program, client_id) if is_id(client_id) else None
        if client is None:
            raise NotFound("CLIENT_NOT_FOUND", "There is no such client in this programme")
        return client


def _within(client: Client, by: Authority) -> None:
    """Forbidden when ``client`` may do what ``by`` may not."""
    if not client.scopes <= by.scopes:
        missing = ", ".join(sorted(client.scopes - by.scopes))
        raise Forbidden("CLIENT_RIGHTS_EXCEEDED", f"That client has rights that the caller has not: {missing}")
    if by.store and client.store != by.store:
        raise Forbidden("AUTH_STORE_FORBIDDEN", f"This client belongs to store {by.store}", field="store")


def _crowded() -> Unavailable:
    return Unavailable("STORAGE_UNAVAILABLE", "Send the same request again", retry_after=1)
