"""Writes on the table and what may come of them, as plain data: what services name without touching a client.

An item is a flat dict of str and int. What is nested is JSON text inside one attribute, written and read by its
feature.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from loyalty.errors import Unavailable
from loyalty.table import keys

Value = str | int
Item = dict[str, Value]


class ConditionFailed(Exception):
    """A condition did not hold; ``item`` is what stands there instead, None when nothing does."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("condition failed")
        self.item = item


class Contended(Unavailable):
    """A transaction on the same item was in the way and nothing was written; who cannot look again passes it on."""

    def __init__(self) -> None:
        super().__init__(
            "STORAGE_UNAVAILABLE", "Send the same request with the same Idempotency-Key again", retry_after=1
        )


class Condition(NamedTuple):
    """A condition expression with the values of its ``:name`` placeholders; ``#name`` stands for the attribute
    ``name``.
    """

    expression: str
    values: Mapping[str, Value] = {}


ABSENT: Final = Condition("attribute_not_exists(pk)")


class Put(NamedTuple):
    """One put of a transaction."""

    item: Item
    condition: Condition | None = None


class Delete(NamedTuple):
    """One delete of a transaction."""

    key: keys.Key
    condition: Condition | None = None


class Cancelled(Exception):
    """A transaction was refused; ``failed`` maps the position of each refused write to what stands there, None when
    nothing does.
    """

    def __init__(self, failed: dict[int, Item | None]) -> None:
        super().__init__("transaction cancelled")
        self.failed = failed
