"""Endpoints and what is on its way to them, in the table.

A delivery lies in its endpoint's partition, one of sixteen by member, for thirty days. While it waits a place in the
line lies beside it. One run at a time sees to a line; the line's item says until when, and when somebody looks next.
"""

from collections.abc import Iterator

from msgspec import Struct

from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Cancelled, Condition, ConditionFailed, Delete, Item, Put
from loyalty.webhooks.delivery import KEPT_S, Delivery, State, Waiting, place_of
from loyalty.webhooks.endpoint import Endpoint, endpoint_of, fields_of

_DELIVERY = "D#"
_WAITING = "Q#"
_LINE = "LINE"
_STATES: dict[str, State] = {"waiting": "waiting", "delivered": "delivered", "failed": "failed", "kept": "kept"}


class Line(Struct, frozen=True):
    """One of an endpoint's sixteen lines. ``held`` is until when a run has it, ``rest`` until when nothing is tried,
    ``wake`` when somebody looks next. ``again`` is the replay that goes on: deliveries after this place, up to
    ``until``; empty when there is none.
    """

    held: int = 0
    rest: int = 0
    wake: int = 0
    again: str = ""
    until: str = ""
    version: int = 0


class WebhookStore:
    """In one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def endpoints(self, program: str) -> list[Endpoint]:
        """All of a programme's, the oldest first."""
        return [endpoint_of(str(item[keys.SK]), item) for item in self._table.walk(keys.endpoints_partition(program))]

    def endpoint(self, program: str, name: str) -> Endpoint | None:
        item = self._table.get(keys.endpoint(program, name))
        return None if item is None else endpoint_of(name, item)

    def add(self, program: str, endpoint: Endpoint) -> None:
        self._table.put(_endpoint_item(program, endpoint), ABSENT)

    def save(self, program: str, endpoint: Endpoint) -> None:
        """Write the version after the one it was made of. ConditionFailed when another was written meanwhile."""
        condition = Condition("#version = :before", {"before": endpoint.version - 1})
        self._table.put(_endpoint_item(program, endpoint), condition)

    def remove(self, program: str, name: str) -> None:
        self._table.delete(keys.endpoint(program, name))

    def take_up(self, program: str, endpoint: str, delivery: Delivery, due: int) -> bool:
        """Keep a delivery and, unless it is only kept, give it its place in the line. False when it is there already:
        the bus brings events more than once.
        """
        pk = keys.deliveries_of(program, endpoint, delivery.member)
        writes: list[Put | Delete] = [Put(_delivery_item(pk, delivery), ABSENT)]
        if delivery.state == "waiting":
            writes.append(Put(_waiting_item(pk, Waiting(place_of(delivery), delivery.member, due)), ABSENT))
        try:
            self._table.transact(writes)
        except Cancelled:
            return False
        return True

    def line(self, pk: str) -> Line:
        item = self._table.get((pk, _LINE))
        if item is None:
            return Line()
        return Line(
            held=int(item["held"]),
            rest=int(item["rest"]),
            wake=int(item["wake"]),
            again=str(item["again"]),
            until=str(item["until"]),
            version=int(item["version"]),
        )

    def save_line(self, pk: str, line: Line) -> bool:
        """Write the version after the one it was made of; False when another run was first."""
        item: Item = {
            keys.PK: pk,
            keys.SK: _LINE,
            keys.TYPE: keys.type_delivery,
            "held": line.held,
            "rest": line.rest,
            "wake": line.wake,
            "again": line.again,
            "until": line.until,
            "version": line.version,
        }
        before = line.version - 1
        try:
            self._table.put(item, Condition("#version = :before", {"before": before}) if before else ABSENT)
        except ConditionFailed:
            return False
        return True

    def waiting(self, pk: str, limit: int, after: str = "") -> list[Waiting]:
        """Places in the line, in order."""
        items, _ = self._table.page(pk, limit=limit, prefix=_WAITING, after=f"{_WAITING}{after}" if after else None)
        return [
            Waiting(str(item[keys.SK])[len(_WAITING) :], str(item["member"]), int(item["due"]), int(item["tries"]))
            for item in items
        ]

    def delivery(self, pk: str, place: str) -> Delivery | None:
        item = self._table.get((pk, f"{_DELIVERY}{place}"))
        return None if item is None else _delivery_of(item)

    def settle(self, pk: str, place: str, delivery: Delivery | None) -> None:
        """Take it out of the line, and note what became of it where it is still kept."""
        writes: list[Put | Delete] = [Delete((pk, f"{_WAITING}{place}"))]
        if delivery is not None:
            writes.append(Put(_delivery_item(pk, delivery)))
        self._table.transact(writes)

    def note(self, pk: str, delivery: Delivery) -> None:
        """Note what became of one that stands in no line."""
        self._table.put(_delivery_item(pk, delivery))

    def put_off(self, pk: str, waiting: Waiting, delivery: Delivery) -> None:
        """Leave it in the line for another time."""
        self._table.transact([Put(_waiting_item(pk, waiting)), Put(_delivery_item(pk, delivery))])

    def deliveries(self, pk: str, limit: int, after: str) -> list[Delivery]:
        """Deliveries behind a place, the oldest first."""
        items, _ = self._table.page(pk, limit=limit, prefix=_DELIVERY, after=f"{_DELIVERY}{after}")
        return [_delivery_of(item) for item in items]

    def newest(self, pk: str, limit: int, before: str = "") -> list[Delivery]:
        """Deliveries, the newest first."""
        after = f"{_DELIVERY}{before}" if before else None
        items, _ = self._table.page(pk, limit=limit, prefix=_DELIVERY, newest_first=True, after=after)
        return [_delivery_of(item) for item in items]

    def lines(self, program: str, endpoint: str) -> Iterator[str]:
        """Partitions of an endpoint's lines."""
        return (keys.deliveries_partition(program, endpoint, shard) for shard in range(keys.DELIVERY_SHARDS))


def _endpoint_item(program: str, endpoint: Endpoint) -> Item:
    pk, sk = keys.endpoint(program, endpoint.id)
    return {keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_endpoint, **fields_of(endpoint)}


def _delivery_item(pk: str, delivery: Delivery) -> Item:
    return {
        keys.PK: pk,
        keys.SK: f"{_DELIVERY}{place_of(delivery)}",
        keys.TYPE: keys.type_delivery,
        keys.TTL: delivery.came + KEPT_S,
        "name": delivery.name,
        "kind": delivery.kind,
        "member": delivery.member,
        "number": delivery.number,
        "at": delivery.at,
        "body": delivery.body,
        "came": delivery.came,
        "state": delivery.state,
        "tries": delivery.tries,
        "tried": delivery.tried,
        "code": delivery.code,
    }


def _delivery_of(item: Item) -> Delivery:
    return Delivery(
        name=str(item["name"]),
        kind=str(item["kind"]),
        member=str(item["member"]),
        number=int(item["number"]),
        at=int(item["at"]),
        body=str(item["body"]),
        came=int(item["came"]),
        state=_STATES[str(item["state"])],
        tries=int(item["tries"]),
        tried=int(item["tried"]),
        code=str(item["code"]),
    )


def _waiting_item(pk: str, waiting: Waiting) -> Item:
    return {
        keys.PK: pk,
        keys.SK: f"{_WAITING}{waiting.place}",
        keys.TYPE: keys.type_delivery,
        "member": waiting.member,
        "due": waiting.due,
        "tries": waiting.tries,
    }
