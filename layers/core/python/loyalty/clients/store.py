"""Where clients lie in the table: one item each, all of a programme's in one partition."""

from collections.abc import Iterator

from loyalty.clients.client import Client
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Condition, Item, Put


class ClientStore:
    """Clients in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, program: str, client_id: str) -> Client | None:
        item = self._table.get(keys.client(program, client_id))
        return None if item is None else _client(item)

    def add(self, program: str, client: Client) -> None:
        """ConditionFailed when the id is taken."""
        self._table.put(_item(program, client), ABSENT)

    def save(self, program: str, client: Client, *unchanged: Client) -> None:
        """Store a client's next version, provided that the ``unchanged`` ones still are; Cancelled, Contended."""
        self._table.transact(
            [
                Put(_item(program, client), _at(client.version - 1)),
                *(Put(_item(program, other), _at(other.version)) for other in unchanged),
            ]
        )

    def page(self, program: str, limit: int, after: str | None) -> tuple[list[Client], str | None]:
        """Clients by id (by age), and the id to go on ``after``, None at the end."""
        items, last = self._table.page(keys.client_partition(program), limit=limit, after=after)
        return [_client(item) for item in items], last

    def all(self, program: str) -> Iterator[Client]:
        """Every client of a programme, revoked ones too."""
        return map(_client, self._table.walk(keys.client_partition(program)))


def _at(version: int) -> Condition:
    return Condition("#version = :version", {"version": version})


def _item(program: str, client: Client) -> Item:
    pk, sk = keys.client(program, client.id)
    return {
        keys.PK: pk,
        keys.SK: sk,
        keys.TYPE: keys.type_client,
        "name": client.name,
        "role": client.role,
        "scopes": " ".join(sorted(client.narrower)),
        "store": client.store,
        "limit": client.limit,
        "created": client.created,
        "secret": client.secret,
        "old_secret": client.old_secret,
        "old_until": client.old_until,
        "rotated": client.rotated,
        "revoked": client.revoked,
        "version": client.version,
    }


def _client(item: Item) -> Client:
    return Client(
        id=str(item[keys.SK]),
        name=str(item["name"]),
        role=str(item["role"]),
        narrower=frozenset(str(item["scopes"]).split()),
        store=str(item["store"]),
        limit=int(item["limit"]),
        created=int(item["created"]),
        secret=str(item["secret"]),
        old_secret=str(item["old_secret"]),
        old_until=int(item["old_until"]),
        rotated=int(item["rotated"]),
        revoked=int(item["revoked"]),
        version=int(item["version"]),
    )
