"""Return a purchase, whole or in part.

Trigger: POST /v1/purchases/{source}/{order_id}/returns. Output: the entry, 201. Failure: a problem; safe to send again.
"""

from functools import partial

from loyalty.earning.requests import ReturnRequest, named, return_of
from loyalty.earning.service import return_ref
from loyalty.ledger.views import EntryView
from loyalty.runtime.http import Answer, Operation, Request, posted, serve
from loyalty.runtime.wiring import earning
from loyalty.shapes import seconds


def take_back(request: Request) -> Answer:
    body = request.body(ReturnRequest)
    request.at_store(body.store)
    cause = request.cause(seconds(body.occurred_at) if body.occurred_at else None)
    program = request.caller.program
    source, order_id = named(request.params["source"], request.params["order_id"])
    twin = return_ref(source, order_id, request.key())
    back, store = partial(return_of, body), request.caller.store
    return posted(earning().take_back(program, source, order_id, back, cause, request.now, twin, store))


OPERATIONS = {
    "POST /v1/purchases/{source}/{order_id}/returns": Operation(
        take_back,
        EntryView,
        ReturnRequest,
        201,
        ("PURCHASE_NOT_FOUND", "RETURN_EXCEEDS_PURCHASE", "ACCOUNT_CLOSED", "ACCOUNT_BUSY", "AUTH_STORE_FORBIDDEN"),
    )
}

lambda_handler = serve("reverse", OPERATIONS)
