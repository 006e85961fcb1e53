"""What operators do to a member's wallet as a whole: freeze it, unfreeze it, close it."""

from functions.members.requests import CloseRequest, StatusRequest
from loyalty.ledger.chain import Chain
from loyalty.ledger.views import EntryView
from loyalty.runtime.http import Answer, Operation, Request, posted
from loyalty.runtime.wiring import wallets


def freeze(request: Request) -> Answer:
    return _set(request, "frozen")


def unfreeze(request: Request) -> Answer:
    return _set(request, "open")


def close(request: Request) -> Answer:
    body = request.body(CloseRequest)
    cause = request.cause()
    chain = Chain(request.caller.program, request.member(), body.wallet)
    return posted(wallets().close(chain, body.reason, body.forfeit, cause, request.now))


def _set(request: Request, status: str) -> Answer:
    body = request.body(StatusRequest)
    cause = request.cause()
    chain = Chain(request.caller.program, request.member(), body.wallet)
    return posted(wallets().set_status(chain, status, body.reason, cause, request.now))


_PROBLEMS = ("MEMBER_NOT_FOUND", "WALLET_NOT_FOUND", "ACCOUNT_CLOSED", "ACCOUNT_BUSY")
OPERATIONS = {
    "POST /v1/members/{id}/freeze": Operation(
        freeze, EntryView, StatusRequest, 201, (*_PROBLEMS, "ACCOUNT_STATUS_UNCHANGED")
    ),
    "POST /v1/members/{id}/unfreeze": Operation(
        unfreeze, EntryView, StatusRequest, 201, (*_PROBLEMS, "ACCOUNT_STATUS_UNCHANGED")
    ),
    "POST /v1/members/{id}/close": Operation(close, EntryView, CloseRequest, 201, (*_PROBLEMS, "ACCOUNT_NOT_EMPTY")),
}
