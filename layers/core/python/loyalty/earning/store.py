"""Where orders, and returns that came before their order, lie in the table."""

import json
from collections.abc import Iterator
from typing import Any

from loyalty.earning.purchase import Order, decode, encode
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Condition, ConditionFailed, Item, Put


class OrderStore:
    """Order documents in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, program: str, source: str, order_id: str) -> Order | None:
        item = self._table.get(keys.order(program, source, order_id))
        return None if item is None else order_of_item(item)

    def claim(self, program: str, order: Order) -> Order | None:
        """Write the document of a new order; the one that stands there already, if any."""
        try:
            self._table.put(_item(program, order), ABSENT)
        except ConditionFailed as failure:
            if failure.item is None:
                raise
            return order_of_item(failure.item)
        return None

    def give_up(self, program: str, order: Order) -> bool:
        """Take back the claim of an order whose entry can never be posted, and only that very claim: another account
        may have claimed the order since this one was given up by somebody else. Whether it was there to be taken back.
        """
        item = _item(program, order)
        unchanged = Condition(
            "#version = :version AND #body = :body", {name: item[name] for name in ("version", "body")}
        )
        try:
            self._table.delete(keys.order(program, order.source, order.order_id), unchanged)
        except ConditionFailed:
            return False
        return True

    def put_of(self, program: str, order: Order) -> Put:
        """The order's next version, as one write of a transaction."""
        return Put(_item(program, order), Condition("#version = :version", {"version": order.version - 1}))

    def wait(self, program: str, source: str, order_id: str, return_id: str, message: dict[str, Any]) -> None:
        """Keep a return until its order is recorded. Written twice, it is kept once."""
        pk, sk = keys.waiting(program, source, order_id, return_id)
        self._table.put({keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_wait, "body": json.dumps(message)})

    def waiting(self, program: str, source: str, order_id: str) -> Iterator[tuple[keys.Key, dict[str, Any]]]:
        """Returns that wait for this order, with their keys."""
        pk, _ = keys.order(program, source, order_id)
        for item in self._table.walk(pk, prefix=keys.WAIT_PREFIX):
            yield (str(item[keys.PK]), str(item[keys.SK])), json.loads(str(item["body"]))

    def stop_waiting(self, key: keys.Key) -> None:
        self._table.delete(key)


def _item(program: str, order: Order) -> Item:
    pk, sk = keys.order(program, order.source, order.order_id)
    body = json.dumps(encode(order), separators=(",", ":"), ensure_ascii=False)
    return {keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_order, "version": order.version, "body": body}


def order_of_item(item: Item) -> Order:
    """An order from its stored item."""
    return decode(json.loads(str(item["body"])), int(item["version"]))
