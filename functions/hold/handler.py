"""Set points aside, spend from a hold, give it back; a till's signed allowance for when it has no network.

Trigger: POST /v1/holds, POST /v1/members/{id}/holds, POST /v1/holds/{id}/capture, POST /v1/holds/{id}/release.
Output: the entry, 201. Failure: a problem; safe to send again.
"""

from functions.hold.requests import SETTLE_MINUTES, AllowanceRequest, CaptureRequest, HoldRequest, ReleaseRequest
from loyalty.earning.requests import who
from loyalty.errors import Invalid
from loyalty.ledger.chain import Chain
from loyalty.ledger.views import EntryView
from loyalty.programs.terms import Program
from loyalty.runtime.http import Answer, Operation, Request, posted, serve
from loyalty.runtime.wiring import account_of, allowance_of, policy, tokens, wallets

_PROBLEMS = (
    "MEMBER_NOT_FOUND",
    "WALLET_NOT_FOUND",
    "POINTS_INSUFFICIENT",
    "HOLD_LIMIT_REACHED",
    "ACCOUNT_FROZEN",
    "ACCOUNT_CLOSED",
    "ACCOUNT_BUSY",
)
_SETTLING = ("HOLD_NOT_FOUND", "HOLD_NOT_ACTIVE", "HOLD_ALLOWANCE_INVALID", "ACCOUNT_CLOSED", "ACCOUNT_BUSY")
_CORRECTS = "adjustments:write"


def hold(request: Request) -> Answer:
    body = request.body(HoldRequest)
    cause = request.cause()
    chain = Chain(request.caller.program, request.member(), body.wallet)
    deadline = request.now + 60 * _minutes(chain.program, body.minutes)
    return posted(wallets().hold(chain, body.points, deadline, offline=False, cause=cause, now=request.now))


def allow(request: Request) -> Answer:
    body = request.body(AllowanceRequest)
    who(body.member, body.identity)
    request.key()
    program = request.caller.program
    chain = Chain(program, request.own(account_of(program, body.member, body.identity)), body.wallet)
    cause = request.cause(account=chain.account)
    settle = _settle_minutes(policy(program), minutes := _minutes(program, body.minutes), body.settle_minutes)
    deadline = request.now + 60 * (minutes + settle)
    done = wallets().hold(chain, body.points, deadline, offline=True, cause=cause, now=request.now)
    return posted(done, allowance_of(done.entry, settle))


def capture(request: Request) -> Answer:
    body = request.body(CaptureRequest)
    cause = request.cause()
    place = request.located("hld", "HOLD_NOT_FOUND")
    chain = Chain(request.caller.program, place.account, place.wallet)
    allowed = _allowed(request, body.allowance)
    return posted(wallets().capture(chain, place.number, body.points, body.final, allowed, cause, request.now))


def release(request: Request) -> Answer:
    body = request.body(ReleaseRequest)
    cause = request.cause()
    place = request.located("hld", "HOLD_NOT_FOUND")
    chain = Chain(request.caller.program, place.account, place.wallet)
    allowed = _CORRECTS in request.caller.scopes or _allowed(request, body.allowance)
    return posted(wallets().release(chain, place.number, cause, request.now, allowed))


def _allowed(request: Request, allowance: str | None) -> bool:
    """Whether the caller showed the allowance of the hold that the path names."""
    return allowance is not None and tokens().check_allowance(
        allowance, program=request.caller.program, hold_id=request.params["id"], now=request.now
    )


def _minutes(program: str, asked: int | None) -> int:
    terms = policy(program)
    minutes = terms.hold_minutes if asked is None else asked
    if minutes > terms.max_hold_minutes:
        raise Invalid("REQUEST_INVALID", f"A hold lasts at most {terms.max_hold_minutes} minutes", field="minutes")
    return minutes


def _settle_minutes(terms: Program, minutes: int, asked: int | None) -> int:
    """How much longer than ``minutes`` the hold of an allowance lasts; at least one, or nobody could settle it."""
    left = terms.max_hold_minutes - minutes
    settle = min(SETTLE_MINUTES, left) if asked is None else asked
    if 1 <= settle <= left:
        return settle
    at_most = f"A hold lasts at most {terms.max_hold_minutes} minutes, settling it included"
    raise Invalid("REQUEST_INVALID", at_most, field="minutes" if asked is None else "settle_minutes")


OPERATIONS = {
    "POST /v1/holds": Operation(allow, EntryView, AllowanceRequest, 201, _PROBLEMS),
    "POST /v1/members/{id}/holds": Operation(hold, EntryView, HoldRequest, 201, _PROBLEMS),
    "POST /v1/holds/{id}/capture": Operation(capture, EntryView, CaptureRequest, 201, (*_SETTLING, "HOLD_EXCEEDED")),
    "POST /v1/holds/{id}/release": Operation(release, EntryView, ReleaseRequest, 201, _SETTLING),
}

lambda_handler = serve("hold", OPERATIONS)
