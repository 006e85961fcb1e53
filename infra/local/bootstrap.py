"""The programme that the examples belong to, and its first clients; all the rest goes through the API."""

from collections.abc import Mapping
from typing import Any, Final

from infra.local.deploy import client
from infra.local.place import Place
from loyalty.clients.bootstrap import ensure_client, ensure_program
from loyalty.clients.service import NewClient
from loyalty.table.client import Table

PROGRAM: Final = "grocer"
POLICY: Final[dict[str, Any]] = {
    "program": PROGRAM,
    "name": "Grocer",
    "currency": "USD",
    "earn": {"rate": "1"},
    # The purchases are of 2017: points that expire would long be gone.
    "expiry": {"kind": "none"},
    "purchases_since": "2017-01-01",
    "events": {"check_in": 5, "review": 20},
}
CLIENTS: Final = (
    NewClient(name="Local till", role="till"),
    NewClient(name="Local operator", role="operator"),
    NewClient(name="Local marketer", role="marketer"),
    NewClient(name="Local auditor", role="auditor"),
)


def run(place: Place, table_name: str, known: Mapping[str, str]) -> tuple[dict[str, str], bool]:
    """A key by role for every client, those in ``known`` as long as they open; and whether any is new."""
    table = Table(client(place, "dynamodb"), table_name)
    ensure_program(table, POLICY)
    tokens = {new.role: ensure_client(table, PROGRAM, new, known.get(new.role, "")) for new in CLIENTS}
    return tokens, tokens != known
