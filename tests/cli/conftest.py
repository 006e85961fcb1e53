"""A programme, its clients and members on an in-process table, reached through the product's handlers."""

import secrets as randomness
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from cli.command import main
from loyalty.clients.bootstrap import ensure_client, ensure_program
from loyalty.clients.service import NewClient
from loyalty.runtime import config, observability, secrets, wiring
from loyalty.table.client import Table
from tests.cli.gateway import Gateway

if TYPE_CHECKING:
    from tests.conftest import TableOn

POLICY = {"program": "alpha", "name": "Alpha", "currency": "USD", "expiry": {"kind": "none"}}


@dataclass
class Product:
    """The product in this process. ``run`` is the command line with the operator's key."""

    client: Any
    table: Table
    name: str
    key: str
    gateway: Gateway
    run: Callable[..., int]

    def enrol(self, points: int = 0) -> str:
        """A new member's id, with ``points`` from three corrections."""
        api = self.api
        member: str = api("POST", "/v1/members", {"identities": [f"card:{randomness.token_hex(6)}"]})["id"]
        for part in (points // 3, points // 3, points - 2 * (points // 3)):
            if part:
                api("POST", f"/v1/members/{member}/adjustments", {"points": part, "reason": "test"})
        return member

    def api(self, method: str, path: str, body: Any) -> Any:
        """One call, as the operator."""
        import httpx

        with httpx.Client(transport=self.gateway, base_url="http://127.0.0.1") as client:
            headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": randomness.token_hex(8)}
            answer = client.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()


def _forget(*modules: ModuleType) -> None:
    """Drop what the modules keep between calls."""
    for module in modules:
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
    wiring._policies.clear()  # noqa: SLF001 - a test's policy must not outlive it


@pytest.fixture
def product(table_on: "TableOn", monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    """Programme alpha with an operator."""
    import boto3

    from functions.authorize import callers

    typed, name = table_on("moto")
    client: Any = typed
    manager = boto3.client("secretsmanager")
    manager.create_secret(Name="signing", SecretString='{"current": "' + "s" * 64 + '"}')
    manager.create_secret(Name="links", SecretString='{"current": "' + "l" * 64 + '", "previous": []}')
    manager.create_secret(Name="identity", SecretString="i" * 64)
    manager.create_secret(Name="artifact", SecretString='{"current": "' + "a" * 64 + '", "previous": []}')
    manager.close()
    monkeypatch.setattr(observability, "write", lambda line: None)  # standard output is the command's
    monkeypatch.setenv("TABLE_NAME", name)
    monkeypatch.setenv("SIGNING_SECRET_ID", "signing")
    monkeypatch.setenv("LINK_SECRET_ID", "links")
    monkeypatch.setenv("IDENTITY_SECRET_ID", "identity")
    monkeypatch.setenv("ARTIFACT_SECRET_ID", "artifact")
    kept = (config, wiring, secrets, callers)
    _forget(*kept)
    table = Table(client, name)
    ensure_program(table, POLICY)
    key = ensure_client(table, "alpha", NewClient(name="Operator", role="operator"))
    gateway = Gateway()

    def run(*arguments: str) -> int:
        return main(arguments, {"LOYALTY_API_URL": "http://127.0.0.1", "LOYALTY_TOKEN": key}, gateway)

    yield Product(client, table, name, key, gateway, run)
    _forget(*kept)
