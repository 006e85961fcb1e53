"""Who a key or a token speaks for, as the context that the functions are given."""

from functools import cache
from typing import Final

from loyalty.clients import credentials
from loyalty.clients.client import Client
from loyalty.clients.roles import MEMBER_ROLE, MEMBER_SCOPES
from loyalty.clients.service import Clients
from loyalty.clients.store import ClientStore
from loyalty.members.tokens import Tokens
from loyalty.runtime import secrets
from loyalty.runtime.config import config
from loyalty.table.client import Table, connect

_ISSUES_TOKENS: Final = "tokens:write"

Context = dict[str, str | int]


# Put together here and not taken from loyalty.runtime.wiring, which knows the ledger too: this function starts lighter.
@cache
def clients() -> Clients:
    return Clients(ClientStore(Table(connect(), config().table)))


@cache
def tokens() -> Tokens:
    return Tokens(secrets.signing_secrets, secrets.newer_signing_secrets)


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
