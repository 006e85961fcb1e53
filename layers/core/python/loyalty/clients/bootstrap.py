"""A programme's beginning: its policy and its first clients, which nobody could make through the API.

Runs beside the stack, with the right to write to the table; no function imports it. Run again, it changes nothing.
"""

import secrets
import time
from collections.abc import Callable
from typing import Any, Final

from loyalty.clients import credentials
from loyalty.clients.client import Client, new_id
from loyalty.clients.service import EVERYTHING, Clients, NewClient
from loyalty.clients.store import ClientStore
from loyalty.errors import NotFound
from loyalty.programs.store import ProgramStore
from loyalty.table.client import Table
from loyalty.tiers import definition

_RANDOM: Final = secrets.token_bytes


def ensure_program(table: Table, document: dict[str, Any]) -> int:
    """Store a policy document unless its programme has one; the version that stands. Invalid when it is wrong."""
    programs = ProgramStore(table)
    checked = definition.check(document)
    try:
        return programs.document(checked["program"])[1]
    except NotFound:
        return programs.save(checked, 0)


def ensure_client(
    table: Table,
    program: str,
    new: NewClient,
    known: str = "",
    *,
    clock: Callable[[], float] = time.time,
    randomness: Callable[[int], bytes] = _RANDOM,
) -> str:
    """A key of the client that has ``new``'s name and role: ``known`` if it still opens, else a new one, which ends
    all others at once. The client is made if there is none.
    """
    clients, moment = Clients(ClientStore(table)), clock()
    now = int(moment)
    key = credentials.parse(known)
    if key is not None and key.program == program and _is(clients.of_key(key, now), new):
        return known
    secret = credentials.secret_of(randomness(credentials.SECRET_BYTES))
    for client in clients.all(program):
        if _is(client, new):
            return str(clients.rotate(program, client.id, EVERYTHING, overlap=0, secret=secret, now=now)[1])
    client_id = new_id(int(moment * 1000), randomness(10))
    return str(clients.create(program, new, EVERYTHING, client_id=client_id, secret=secret, now=now)[1])


def _is(client: Client | None, new: NewClient) -> bool:
    return client is not None and not client.revoked and (client.name, client.role) == (new.name, new.role)
