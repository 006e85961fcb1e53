"""The functions behind the API as they run, over the simulated database: what the gateway sends, what it gets back."""

import json
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar

from functions.authorize import callers
from functions.authorize import handler as authorize
from loyalty.clients.bootstrap import ensure_client, ensure_program
from loyalty.clients.service import NewClient
from loyalty.members.tokens import TokenSecrets
from loyalty.routes import ROUTES
from loyalty.runtime import campaigns, secrets, wiring
from loyalty.runtime import table as deployed
from loyalty.runtime.config import config
from loyalty.table.client import Table
from tests.simulation.dynamodb import TABLE, Client, Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest

    _A = TypeVar("_A")
    _B = TypeVar("_B")

PROGRAM: Final = "grocer"
SIGNING: Final = TokenSecrets("s" * 64)
LINKS: Final = ("l" * 64,)
IDENTITY: Final = b"i" * 64
SEALING: Final = b"a" * 64
POLICY: Final[dict[str, Any]] = {
    "program": PROGRAM,
    "name": "Grocer",
    "currency": "EUR",
    "wallets": ["points", "cash"],
    "events": {"check_in": 5},
}


def in_turn(first: "Callable[[], _A]", second: "Callable[[], _B]") -> "tuple[_A, _B]":
    return first(), second()


@dataclass(frozen=True)
class Response:
    """What the gateway is given for its caller."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["code"])


@dataclass
class Running:
    """All functions of one deployment. ``call`` goes through the authoriser first, as every request does."""

    engine: Engine = field(default_factory=Engine)

    def __post_init__(self) -> None:
        self.table = Table(Client(self.engine), TABLE, in_turn)

    def deploy(self, monkeypatch: "pytest.MonkeyPatch") -> "Running":
        """Put the simulated table and known secrets in the place of what the functions would connect to."""
        forget()
        for module in (wiring, deployed):
            monkeypatch.setattr(module, "table", lambda: self.table)
        monkeypatch.setattr(callers, "connect", lambda: Client(self.engine))
        monkeypatch.setenv("TABLE_NAME", TABLE)
        monkeypatch.setattr(secrets, "signing_secrets", lambda: SIGNING)
        monkeypatch.setattr(secrets, "newer_signing_secrets", lambda: SIGNING)
        monkeypatch.setattr(secrets, "link_keys", lambda: LINKS)
        monkeypatch.setattr(secrets, "newer_link_keys", lambda: LINKS)
        monkeypatch.setattr(secrets, "identity_secret", lambda: IDENTITY)
        monkeypatch.setattr(secrets, "artifact_keys", lambda: (SEALING,))
        return self

    def establish(self, program: str = PROGRAM, **policy: Any) -> None:
        """A programme's policy."""
        ensure_program(self.table, {**POLICY, "program": program, **policy})

    def key(self, role: str, program: str = PROGRAM, **further: Any) -> str:
        """A client's key; the same name and role get a new one."""
        return ensure_client(self.table, program, NewClient(further.pop("name", role), role, **further))

    def asked(self, token: str) -> dict[str, Any]:
        """The authoriser's answer."""
        return authorize.lambda_handler({"headers": {"authorization": f"Bearer {token}"}}, None)

    def call(
        self,
        token: str,
        key: str,
        body: Any = None,
        *,
        params: "Mapping[str, str] | None" = None,
        query: "Mapping[str, str] | None" = None,
        headers: "Mapping[str, str] | None" = None,
        raw: str | None = None,
    ) -> Response:
        """One request to the route ``key``; 403 without a body when the authoriser refuses the token."""
        answer = self.asked(token)
        if not answer["isAuthorized"]:
            return Response(403, {}, None)
        function = next(route.function for route in ROUTES if route.key == key)
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": key,
            "headers": {name.lower(): value for name, value in (headers or {}).items()},
            "requestContext": {"requestId": "r1", "authorizer": {"lambda": answer["context"]}},
        }
        if params:
            event["pathParameters"] = dict(params)
        if query:
            event["queryStringParameters"] = dict(query)
        if raw is not None or body is not None:
            event["body"] = raw if raw is not None else json.dumps(body)
        got = import_module(f"functions.{function}.handler").lambda_handler(event, None)
        return Response(got["statusCode"], got["headers"], json.loads(got["body"]) if got["body"] else None)

    def everything(self) -> str:
        """All that is stored, as text."""
        return json.dumps(self.engine.items(), sort_keys=True)


def forget() -> None:
    """Make every running copy a new one."""
    for module in (wiring, campaigns, callers):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
    config.cache_clear()
    wiring._policies.clear()  # noqa: SLF001 - a new copy of a function has read no policy
    wiring._contact_policies.clear()  # noqa: SLF001 - nor this one
