"""What operators do to a balance: correct it, move points between accounts, write down what has expired, and that its
owner was told of what will.

Trigger: POST /v1/members/{id}/adjustments | transfers | expirations | notices. Output: the entry, 201. Failure: a
problem; safe to send again.
"""

from functions.adjust.requests import AdjustmentRequest, ExpirationRequest, NoticeRequest, TransferRequest
from loyalty.errors import Invalid
from loyalty.ids import locate
from loyalty.ledger.account import State
from loyalty.ledger.chain import Chain
from loyalty.ledger.views import EntryView
from loyalty.runtime.http import Answer, Operation, Request, posted, serve
from loyalty.runtime.wiring import ledger, policy, wallets
from loyalty.shapes import seconds
from loyalty.timers.ends import confirm

LONGEST = 50 * 366 * 86_400
_PROBLEMS = ("MEMBER_NOT_FOUND", "WALLET_NOT_FOUND", "ACCOUNT_CLOSED", "ACCOUNT_BUSY")


def adjust(request: Request) -> Answer:
    body = request.body(AdjustmentRequest)
    if body.points == 0:
        raise Invalid("REQUEST_INVALID", "points: an adjustment of nothing changes nothing", field="points")
    cause = request.cause()
    chain = Chain(request.caller.program, request.member(), body.wallet)
    if body.expires_at is None:
        expiry = policy(chain.program).terms(request.now, request.now).expiry
    else:
        expiry = seconds(body.expires_at)
        if body.points < 0 or not request.now < expiry < request.now + LONGEST:
            raise Invalid(
                "REQUEST_INVALID",
                "expires_at: a moment of the next 50 years, and only for points added",
                field="expires_at",
            )
    return posted(wallets().adjust(chain, body.points, expiry, body.reason, cause, request.now))


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


def notice(request: Request) -> Answer:
    body = request.body(NoticeRequest)
    cause = request.cause()
    chain = Chain(request.caller.program, request.member(), body.wallet)
    program, upto, told = policy(chain.program), seconds(body.ends_by), _told(chain, body.entry)
    return posted(
        ledger().post(chain, cause, request.now, lambda draft: confirm(draft, program, upto, body.outcome, told))
    )


def _told(chain: Chain, entry: str | None) -> State | None:
    """The account as it was with the entry that was told of. Invalid when that is not one of it."""
    if entry is None:
        return None
    place = locate("ent", entry)
    found = None
    if place is not None and (place.account, place.wallet) == (chain.account, chain.wallet):
        found = ledger().store.entry(chain, place.number)
    if found is None:
        raise Invalid("REQUEST_INVALID", "entry: the id of an entry of this member and wallet", field="entry")
    return found.state


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
