"""What operators do to a balance: correct it, move points between accounts, write down what has expired, and that its
owner was told of what will.

Trigger: POST /v1/members/{id}/adjustments | transfers | expirations | notices. Output: the entry, 201. Failure: a
problem; safe to send again.
"""

from functions.adjust.notices import notice
from functions.adjust.requests import AdjustmentRequest, ExpirationRequest, NoticeRequest, TransferRequest
from loyalty.errors import Invalid
from loyalty.ledger.chain import Chain
from loyalty.ledger.views import EntryView
from loyalty.runtime.http import Answer, Operation, Request, posted, serve
from loyalty.runtime.wiring import policy, wallets
from loyalty.shapes import seconds

LONGEST = 50 * 366 * 86_400
_PROBLEMS = ("MEMBER_NOT_FOUND", "WALLET_NOT_FOUND", "ACCOUNT_CLOSED", "ACCOUNT_BUSY")


def adjust(request: Request) -> Answer:
    body = request.body(AdjustmentRequest)
    if body.points == 0:
        raise Invalid("REQUEST_INVALID", "points: an adjustment of nothing changes nothing", field="points")
    cause = request.cause()
    chain = Chain(request.caller.program, request.member(), body.wallet)
    program = policy(chain.program)
    if body.expires_at is None:
        expiry = program.terms(request.now, request.now).expiry
    else:
        expiry = seconds(body.expires_at)
        if body.points < 0 or not request.now < expiry < request.now + LONGEST:
            raise Invalid(
                "REQUEST_INVALID",
                "expires_at: a moment of the next 50 years, and only for points added",
                field="expires_at",
            )
    return posted(wallets().adjust(chain, body.points, expiry, body.reason, cause, request.now, program.notice))


def transfer(request: Request) -> Answer:
    body = request.body(TransferRequest)
    cause = request.cause()
    program = request.caller.program
    source = Chain(program, request.member(), body.wallet)
    target = Chain(program, request.own(body.to), body.to_wallet)
    return posted(wallets().transfer(source, target, body.points, body.reason, cause, request.now))


def expire(request: Request) -> Answer:
    body = request.body(ExpirationRequest)
    cause = request.cause()
    chain = Chain(request.caller.program, request.member(), body.wallet)
    return posted(wallets().expire(chain, cause, request.now))


OPERATIONS = {
    "POST /v1/members/{id}/adjustments": Operation(
        adjust, EntryView, AdjustmentRequest, 201, (*_PROBLEMS, "POINTS_INSUFFICIENT", "ACCOUNT_FULL")
    ),
    "POST /v1/members/{id}/transfers": Operation(
        transfer,
        EntryView,
        TransferRequest,
        201,
        (*_PROBLEMS, "POINTS_INSUFFICIENT", "ACCOUNT_FROZEN", "ACCOUNT_FULL", "TRANSFER_SAME_ACCOUNT"),
    ),
    "POST /v1/members/{id}/expirations": Operation(expire, EntryView, ExpirationRequest, 201, _PROBLEMS),
    "POST /v1/members/{id}/notices": Operation(notice, EntryView, NoticeRequest, 201, _PROBLEMS),
}

lambda_handler = serve("adjust", OPERATIONS)
