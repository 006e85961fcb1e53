"""Functions that may touch only what their roles allow: IAM's part played between them and the simulated table."""

from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from functions.authorize import callers
from infra.catalogue import CATALOGUE
from loyalty.routes import ROUTES
from loyalty.runtime import table as deployed
from loyalty.runtime import wiring
from loyalty.table import keys
from loyalty.table.client import Table
from tests.simulation.dynamodb import TABLE, Call, Client
from tests.unit.running import Response, Running, in_turn

if TYPE_CHECKING:
    import pytest

_ACCESS = {one.name: one.table for one in CATALOGUE}


class Denied(AssertionError):
    """A function did what its role does not allow."""


def touched(call: Call) -> Iterator[tuple[str, str]]:
    """(action, partition) of each item that a call reads or writes; a transaction needs the rights of its parts."""
    request = call.request
    if call.operation == "TransactWriteItems":
        for entry in request["TransactItems"]:
            ((kind, part),) = entry.items()
            action = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
            yield f"dynamodb:{action}", (part.get("Item") or part["Key"])[keys.PK]["S"]
    elif call.operation == "BatchGetItem":
        for asked in request["RequestItems"].values():
            for key in asked["Keys"]:
                yield "dynamodb:BatchGetItem", key[keys.PK]["S"]
    elif call.operation == "Query":
        yield "dynamodb:Query", request["ExpressionAttributeValues"][":p"]["S"]
    else:
        yield f"dynamodb:{call.operation}", (request.get("Item") or request["Key"])[keys.PK]["S"]


class Guard:
    """Lets a call pass if the function whose turn it is may make it. ``used`` is what was allowed and needed."""

    def __init__(self) -> None:
        self.function: str | None = None
        self.used: set[tuple[str, str, str]] = set()

    def __call__(self, call: Call) -> dict[str, Any]:
        if self.function is not None:
            for action, partition in touched(call):
                self._check(self.function, action, partition)
        return call.perform()

    def _check(self, function: str, action: str, partition: str) -> None:
        allowed = [
            (function, action, pattern)
            for access in _ACCESS[function]
            for pattern in access.partitions
            if action in access.actions and fnmatchcase(partition, pattern)
        ]
        if not allowed:
            raise Denied(f"{function} may not {action} on {partition}; see infra/catalogue.py")
        self.used.update(allowed)

    @contextmanager
    def turn(self, function: str) -> Iterator[None]:
        before, self.function = self.function, function
        try:
            yield
        finally:
            self.function = before


class Confined(Running):
    """All functions, each within its role."""

    def __post_init__(self) -> None:
        self.guard = Guard()
        self.table = Table(Client(self.engine, self.guard), TABLE, in_turn)

    def deploy(self, monkeypatch: "pytest.MonkeyPatch") -> "Confined":
        super().deploy(monkeypatch)
        for module in (wiring, deployed):
            monkeypatch.setattr(module, "table", lambda: self.table)
        monkeypatch.setattr(callers, "connect", lambda: Client(self.engine, self.guard))
        return self

    def asked(self, token: str) -> dict[str, Any]:
        with self.guard.turn("authorize"):
            return super().asked(token)

    def call(self, token: str, key: str, *arguments: Any, **named: Any) -> Response:
        with self.guard.turn(next(route.function for route in ROUTES if route.key == key)):
            return super().call(token, key, *arguments, **named)
