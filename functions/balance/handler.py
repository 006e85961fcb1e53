"""Read a wallet: its balance, its entries, one entry, and whether its chain is sound.

Trigger: GET /v1/members/{id}/balance | entries | verification, GET /v1/entries/{id}. Output: what was asked, 200.
Failure: a problem. Nothing is written.
"""

import re
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from loyalty.errors import Invalid
from loyalty.ids import located
from loyalty.ledger.chain import Chain
from loyalty.ledger.views import BalanceView, EntryView, balance_view, entry_view
from loyalty.runtime.http import Answer, Operation, Request, serve
from loyalty.runtime.wiring import wallets
from loyalty.shapes import Wallet

Limit = Annotated[int, Meta(ge=1, le=100, description="How many at most; 20 when left out")]
Cursor = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,11}$(?!\n)", description="The answer's ``next``, to go on")]


class EntriesView(Struct, frozen=True, omit_defaults=True):
    """A page of entries, newest first; ``next`` is the cursor of the page after it, and missing on the last."""

    entries: list[EntryView]
    next: str | UnsetType = UNSET


class VerificationView(Struct, frozen=True, omit_defaults=True):
    """Whether a chain is sound; if not, which is the first wrong entry and what is wrong with it."""

    member: str
    wallet: str
    entries: int
    ok: bool
    number: int | UnsetType = UNSET
    entry: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


def balance(request: Request) -> Answer:
    chain = _chain(request)
    return Answer(200, balance_view(chain, wallets().state(chain, request.now)))


def entries(request: Request) -> Answer:
    cursor = request.query.get("cursor", "")
    if cursor and not re.fullmatch(r"[1-9][0-9]{0,11}", cursor, re.ASCII):
        raise Invalid("REQUEST_INVALID", "cursor: the next of an earlier answer", field="cursor")
    found, last = wallets().entries(_chain(request), request.limit(20, 100), int(cursor) if cursor else None)
    return Answer(200, EntriesView([entry_view(entry) for entry in found], str(last) if last else UNSET))


def entry(request: Request) -> Answer:
    place = request.located("ent", "ENTRY_NOT_FOUND")
    return Answer(
        200, entry_view(wallets().entry(Chain(request.caller.program, place.account, place.wallet), place.number))
    )


def verification(request: Request) -> Answer:
    chain = _chain(request)
    count, finding = wallets().verify(chain)
    if finding is None:
        return Answer(200, VerificationView(chain.account, chain.wallet, count, ok=True))
    wrong = located("ent", chain.account, chain.wallet, finding.number)
    view = VerificationView(chain.account, chain.wallet, count, False, finding.number, wrong, finding.reason)
    return Answer(200, view)


def _chain(request: Request) -> Chain:
    wallet = request.query.get("wallet", "points")
    if not re.fullmatch(r"[a-z][a-z0-9]{0,15}", wallet, re.ASCII):
        raise Invalid("REQUEST_INVALID", "wallet: the name of a wallet", field="wallet")
    return Chain(request.caller.program, request.member(), wallet)


_OF_MEMBER = ("MEMBER_NOT_FOUND", "WALLET_NOT_FOUND", "AUTH_MEMBER_FORBIDDEN")
OPERATIONS = {
    "GET /v1/members/{id}/balance": Operation(balance, BalanceView, problems=_OF_MEMBER, query={"wallet": Wallet}),
    "GET /v1/members/{id}/entries": Operation(
        entries, EntriesView, problems=_OF_MEMBER, query={"wallet": Wallet, "limit": Limit, "cursor": Cursor}
    ),
    "GET /v1/entries/{id}": Operation(entry, EntryView, problems=("ENTRY_NOT_FOUND", "AUTH_MEMBER_FORBIDDEN")),
    "GET /v1/members/{id}/verification": Operation(
        verification, VerificationView, problems=_OF_MEMBER, query={"wallet": Wallet}
    ),
}

lambda_handler = serve("balance", OPERATIONS)
