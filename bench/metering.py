"""Counting what a call does to DynamoDB, from the client's own event hooks and the engine's own capacity figures."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

_A = TypeVar("_A")
_B = TypeVar("_B")


class Used(NamedTuple):
    """What happened between two moments.

    ``stages`` are round trips one after the other: two reads made together are one. ``calls`` are (operation, request).
    """

    stages: int
    read_units: float
    write_units: float
    calls: list[tuple[str, dict[str, Any]]]


class Meter:
    """Watches one botocore client. Its ``together`` reads one after the other, so that stages can be counted."""

    def __init__(self, client: Any) -> None:
        self._stages = 0
        self._units: Counter[str] = Counter()
        self._calls: list[tuple[str, dict[str, Any]]] = []
        self._capacity = False
        self._least = 0.0
        events = client.meta.events
        events.register("provide-client-params.dynamodb", self._before)
        events.register("after-call.dynamodb", self._after)

    def together(self, first: Callable[[], _A], second: Callable[[], _B]) -> tuple[_A, _B]:
        """Both, one after the other, counted as if at the same time: as many stages as the longer of the two."""
        before = self._stages
        answer = first()
        after_first, self._stages = self._stages, before
        other = second()
        self._stages = max(after_first, self._stages)
        return answer, other

    @contextmanager
    def metering(self, *, capacity: bool = True) -> "Iterator[Callable[[], Used]]":
        """Counts from here on; the value tells what was used so far. ``capacity`` asks the engine for its figures."""
        self._stages, self._calls, self._capacity = 0, [], capacity
        self._units.clear()
        yield lambda: Used(self._stages, self._units["read"], self._units["write"], self._calls)
        self._capacity = False

    def _before(self, params: dict[str, Any], model: Any, **_: object) -> dict[str, Any]:
        self._least = 1.0 if params.get("ConsistentRead") else 0.5
        self._calls.append((model.name, params))
        return {**params, "ReturnConsumedCapacity": "INDEXES"} if self._capacity else params

    def _after(self, parsed: dict[str, Any], model: Any, **_: object) -> None:
        self._stages += 1
        consumed = parsed.get("ConsumedCapacity", [])
        reads = model.name in {"Query", "GetItem"}
        for figures in consumed if isinstance(consumed, list) else [consumed]:
            # For a read that finds nothing AWS charges the least it can, and DynamoDB Local says 0.
            units = max(figures["CapacityUnits"], self._least if reads else 0)
            self._units["read" if reads else "write"] += units
