"""Tell the gateway who calls, from a client's key or a member's token.

Trigger: HTTP API authoriser, payload 2.0; the gateway keeps the answer 60 s for the same header. Output: the simple
answer {isAuthorized, context: {program, client, role, scopes, store?, member?, limit?}}. Failure: whatever is not a
live key or token is refused, never explained; if the table or the secret cannot be read, the call fails, for a
refusal would be kept.
"""

import re
import time
from functools import cache
from typing import Any, Final

from loyalty.clients import credentials
from loyalty.clients.client import Client
from loyalty.clients.roles import MEMBER_ROLE, MEMBER_SCOPES
from loyalty.clients.service import Clients
from loyalty.clients.store import ClientStore
from loyalty.members.tokens import Tokens
from loyalty.runtime import observability, secrets
from loyalty.runtime.config import config
from loyalty.table.client import Table, connect

_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._-]{1,2048})", re.ASCII | re.IGNORECASE)
_ISSUES_TOKENS: Final = "tokens:write"

Context = dict[str, str | int]


@cache
def clients() -> Clients:
    return Clients(ClientStore(Table(connect(), config().table)))


@cache
def tokens() -> Tokens:
    return Tokens(secrets.signing_secrets, secrets.newer_signing_secrets)


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    del context
    started = time.time()
    match = _BEARER.fullmatch(_header(event).strip())
    found = None if match is None else who(match[1], int(started))
    known = {name: found[name] for name in ("program", "client", "role")} if found else {}
    observability.record(
        "authorize",
        "known" if found else "refused",
        now_ms=int(started * 1000),
        milliseconds=int((time.time() - started) * 1000),
        **known,
    )
    return {"isAuthorized": False} if found is None else {"isAuthorized": True, "context": found}


def who(token: str, now: int) -> Context | None:
    """The context of a live key or token. What cannot be either costs no round trip, anything else one."""
    key = credentials.parse(token)
    if key is not None:
        client = clients().of_key(key, now)
        return None if client is None else _context(key.program, client)
    if not token.startswith("eyJ"):  # a JSON object in base64url, as every JWT begins
        return None
    said = tokens().read_member_token(token, now=now)
    if said is None:
        return None
    issuer = clients().get(said.program, said.client)
    if issuer is None or _ISSUES_TOKENS not in issuer.scopes:
        return None
    limit: Context = {"limit": issuer.limit} if issuer.limit else {}
    return {
        "program": said.program,
        "client": said.client,
        "role": MEMBER_ROLE,
        "scopes": " ".join(sorted(MEMBER_SCOPES)),
        "member": said.member,
        **limit,
    }


def _context(program: str, client: Client) -> Context:
    further: Context = {"store": client.store} if client.store else {}
    if client.limit:
        further["limit"] = client.limit
    return {
        "program": program,
        "client": client.id,
        "role": client.role,
        "scopes": " ".join(sorted(client.scopes)),
        **further,
    }


def _header(event: dict[str, Any]) -> str:
    return str((event.get("headers") or {}).get("authorization", ""))
