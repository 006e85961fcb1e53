"""Members' tiers: what they are, what keeps them and what the next takes; one set by hand; other thresholds tried.

Trigger: GET|PUT /v1/members/{id}/tier, POST /v1/tiers/simulate. Output: the tier, the entry that set one, or who would
rise and fall. Failure: a problem; safe to send again.
"""

import re

from functions.tiers.requests import (
    AcceptLanguage,
    Cursor,
    Key,
    Lang,
    TierRequest,
    TierSimulationRequest,
    language_of,
)
from loyalty.clients.roles import LIST_MEMBERS, WRITE_STANDING
from loyalty.errors import Invalid
from loyalty.ledger.chain import Chain
from loyalty.ledger.views import EntryView
from loyalty.programs.terms import Program
from loyalty.runtime.http import Answer, Operation, Request, posted, serve
from loyalty.runtime.wiring import programs, tiers
from loyalty.shapes import Wallet
from loyalty.tiers.views import SimulatedView, TierView


def look(request: Request) -> Answer:
    cursor = request.query.get("cursor", "")
    if cursor and not re.fullmatch(r"[1-9][0-9]{0,11}", cursor, re.ASCII):
        raise Invalid("REQUEST_INVALID", "cursor: the next of an earlier answer", field="cursor")
    language = language_of(request.query.get("lang"), request.headers.get("accept-language", ""))
    view = tiers().look(_chain(request), int(cursor) if cursor else None, language, request.now)
    return Answer(200, view, {"content-language": language})


def assign(request: Request) -> Answer:
    request.may(WRITE_STANDING, "tier")
    body = request.body(TierRequest)
    chain = Chain(request.caller.program, request.member(), body.wallet)
    until = body.until.toordinal() if body.until else 0
    return posted(tiers().assign(chain, body.tier, until, body.reason, request.cause(), request.now))


def simulate(request: Request) -> Answer:
    body = request.body(TierSimulationRequest)
    tried = _tried(request.caller.program, body)
    named = LIST_MEMBERS in request.caller.scopes
    return Answer(200, tiers().simulate(tried, body.cursor, body.limit, request.now, named=named))


def _tried(program: str, body: TierSimulationRequest) -> Program:
    """The policy with these tiers in it; Invalid names what is wrong with them."""
    from loyalty.programs.terms import as_written
    from loyalty.tiers.definition import check  # pydantic and the language of rules, which no other request needs

    document, version = programs().document(program)
    return Program.of(check({**as_written(document), "tiers": body.tiers}), version)


def _chain(request: Request) -> Chain:
    wallet = request.query.get("wallet", "points")
    if not re.fullmatch(r"[a-z][a-z0-9]{0,15}", wallet, re.ASCII):
        raise Invalid("REQUEST_INVALID", "wallet: the name of a wallet", field="wallet")
    return Chain(request.caller.program, request.member(), wallet)


_OF_MEMBER = ("MEMBER_NOT_FOUND", "WALLET_NOT_FOUND", "AUTH_MEMBER_FORBIDDEN")
OPERATIONS = {
    "GET /v1/members/{id}/tier": Operation(
        look,
        TierView,
        problems=_OF_MEMBER,
        query={"wallet": Wallet, "lang": Lang, "cursor": Cursor},
        headers={"Accept-Language": AcceptLanguage},
    ),
    "PUT /v1/members/{id}/tier": Operation(
        assign,
        EntryView,
        TierRequest,
        201,
        (
            *_OF_MEMBER,
            "TIER_UNKNOWN",
            "ACCOUNT_CLOSED",
            "ACCOUNT_BUSY",
            "AUTH_SCOPE_MISSING",
            "REQUEST_KEY_MISSING",
            "IDEMPOTENCY_KEY_REUSED",
        ),
        headers={"Idempotency-Key": Key},
    ),
    "POST /v1/tiers/simulate": Operation(simulate, SimulatedView, TierSimulationRequest),
}

lambda_handler = serve("tiers", OPERATIONS)
