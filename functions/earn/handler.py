"""Earn points from a purchase or an event.

Trigger: POST /v1/purchases, POST /v1/events. Output: the entry, 201. Failure: a problem; the same request may be sent
again under its Idempotency-Key until it is answered.
"""

from loyalty.earning.requests import EventRequest, PurchaseRequest, purchase_of, who
from loyalty.ids import locate
from loyalty.ledger.views import EntryView
from loyalty.runtime.http import Answer, Operation, Request, posted, serve
from loyalty.runtime.wiring import account_of, earning
from loyalty.shapes import seconds

_PROBLEMS = (
    "MEMBER_NOT_FOUND",
    "WALLET_NOT_FOUND",
    "ACCOUNT_CLOSED",
    "ACCOUNT_BUSY",
    "ACCOUNT_FULL",
    "AUTH_STORE_FORBIDDEN",
)


def record(request: Request) -> Answer:
    body = request.body(PurchaseRequest)
    who(body.member, body.identity)
    request.at_store(body.store)
    request.key()
    program = request.caller.program
    account = request.own(account_of(program, body.member, body.identity))
    cause = request.cause(seconds(body.occurred_at), account)
    return posted(earning().record(program, purchase_of(body, account), cause, request.now))


def bonus(request: Request) -> Answer:
    body = request.body(EventRequest)
    who(body.member, body.identity)
    request.at_store(body.store)
    request.key()
    occurred = seconds(body.occurred_at)
    caller, now = request.caller, request.now
    account = request.own(account_of(caller.program, body.member, body.identity))
    cause = request.cause(occurred, account)
    of = locate("ent", body.of) if body.of else None
    done = earning().activity.post(
        caller.program,
        account,
        body.wallet,
        body.type,
        occurred,
        cause,
        now,
        fields=body.fields,
        store=body.store,
        of=of,
        within=caller.store,
    )
    return posted(done)


OPERATIONS = {
    "POST /v1/purchases": Operation(
        record, EntryView, PurchaseRequest, 201, (*_PROBLEMS, "PURCHASE_CONFLICT", "PURCHASE_CURRENCY_UNSUPPORTED")
    ),
    "POST /v1/events": Operation(
        bonus,
        EntryView,
        EventRequest,
        201,
        (
            *_PROBLEMS,
            "EVENT_TYPE_UNKNOWN",
            "EVENT_FIELD_INVALID",
            "EVENT_ALREADY_COUNTED",
            "EVENT_ALREADY_DECIDED",
            "ENTRY_NOT_FOUND",
        ),
    ),
}

lambda_handler = serve("earn", OPERATIONS)
