"""Spend points, give a cancelled redemption's points back, and renew points that are about to end, for a price.

Trigger: POST /v1/members/{id}/redemptions | renewals, POST /v1/redemptions/{id}/cancel. Output: the entry, 201.
Failure: a problem; safe to send again.
"""

from functions.redeem.requests import CancelRequest, RedemptionRequest, RenewalRequest
from loyalty.errors import Refused
from loyalty.ledger import commands
from loyalty.ledger.chain import Chain
from loyalty.ledger.views import EntryView
from loyalty.runtime.http import Answer, Operation, Request, posted, serve
from loyalty.runtime.wiring import ledger, policy, wallets
from loyalty.timers.ends import renewed_until

_DAY = 86_400


def redeem(request: Request) -> Answer:
    body = request.body(RedemptionRequest)
    cause = request.cause()
    chain = Chain(request.caller.program, request.member(), body.wallet)
    return posted(wallets().redeem(chain, body.points, body.reason, cause, request.now))


def cancel(request: Request) -> Answer:
    request.body(CancelRequest)
    cause = request.cause()
    place = request.located("red", "REDEMPTION_NOT_FOUND")
    chain = Chain(request.caller.program, place.account, place.wallet)
    return posted(wallets().cancel(chain, place.number, cause, request.now))


def renew(request: Request) -> Answer:
    body = request.body(RenewalRequest)
    cause = request.cause()
    chain = Chain(request.caller.program, request.member(), body.wallet)
    program = policy(chain.program)
    if program.renewal is None:
        raise Refused("RENEWAL_NOT_OFFERED", "The policy has no renewal")
    upto, until = request.now + body.within_days * _DAY, renewed_until(program, request.now)
    percent = program.renewal["price_percent"]
    return posted(ledger().post(chain, cause, request.now, lambda draft: commands.renew(draft, upto, until, percent)))


OPERATIONS = {
    "POST /v1/members/{id}/redemptions": Operation(
        redeem,
        EntryView,
        RedemptionRequest,
        201,
        (
            "MEMBER_NOT_FOUND",
            "WALLET_NOT_FOUND",
            "POINTS_INSUFFICIENT",
            "ACCOUNT_FROZEN",
            "ACCOUNT_CLOSED",
            "ACCOUNT_BUSY",
            "AUTH_MEMBER_FORBIDDEN",
        ),
    ),
    "POST /v1/members/{id}/renewals": Operation(
        renew,
        EntryView,
        RenewalRequest,
        201,
        (
            "MEMBER_NOT_FOUND",
            "WALLET_NOT_FOUND",
            "RENEWAL_NOT_OFFERED",
            "RENEWAL_NOTHING_DUE",
            "POINTS_INSUFFICIENT",
            "ACCOUNT_FROZEN",
            "ACCOUNT_CLOSED",
            "ACCOUNT_BUSY",
            "AUTH_MEMBER_FORBIDDEN",
        ),
    ),
    "POST /v1/redemptions/{id}/cancel": Operation(
        cancel,
        EntryView,
        CancelRequest,
        201,
        ("REDEMPTION_NOT_FOUND", "REDEMPTION_ALREADY_CANCELLED", "ACCOUNT_CLOSED", "ACCOUNT_BUSY"),
    ),
}

lambda_handler = serve("redeem", OPERATIONS)
