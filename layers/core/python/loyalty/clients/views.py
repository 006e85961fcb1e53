"""How clients look from outside: never with a secret or its hash."""

from msgspec import UNSET, Struct, UnsetType

from loyalty.clients.client import Client
from loyalty.ledger.views import iso


class ClientView(Struct, frozen=True, omit_defaults=True):
    """A client. ``limit`` is requests a second for each running copy of a function; no store: any store."""

    id: str
    name: str
    role: str
    scopes: list[str]
    created_at: str
    store: str | UnsetType = UNSET
    limit: int | UnsetType = UNSET
    rotated_at: str | UnsetType = UNSET
    old_key_until: str | UnsetType = UNSET
    revoked_at: str | UnsetType = UNSET


class ClientsView(Struct, frozen=True, omit_defaults=True):
    """Clients, revoked ones too; ``next`` is the cursor of the page after this one, and missing on the last."""

    clients: list[ClientView]
    next: str | UnsetType = UNSET


class ClientKeyView(Struct, frozen=True):
    """A client and its new key. The key is shown this once; what is stored cannot be turned back into it."""

    client: ClientView
    key: str


def client_view(client: Client) -> ClientView:
    """A client for the API."""
    return ClientView(
        id=client.id,
        name=client.name,
        role=client.role,
        scopes=sorted(client.scopes),
        created_at=iso(client.created),
        store=client.store or UNSET,
        limit=client.limit or UNSET,
        rotated_at=iso(client.rotated) if client.rotated else UNSET,
        old_key_until=iso(client.old_until) if client.old_until else UNSET,
        revoked_at=iso(client.revoked) if client.revoked else UNSET,
    )
