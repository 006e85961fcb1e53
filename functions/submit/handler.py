"""Take in what a till could not send while it was offline, to be posted soon.

Trigger: POST /v1/batches. Output: 202 and the batch's id; the items are on the ingest queue. Failure: a problem, and
nothing was taken in; a batch may be handed in again, for every item counts once.
"""

import json
from secrets import token_bytes

import msgspec

from functions.submit.requests import BatchRequest, BatchView
from loyalty.earning.requests import BatchPurchase, BatchReturn, purchase_of, who
from loyalty.errors import Invalid, Problem
from loyalty.ids import ulid
from loyalty.members import identities
from loyalty.runtime.config import config
from loyalty.runtime.http import MAX_BODY, Answer, Operation, Request, serve
from loyalty.runtime.outbound import send


def submit(request: Request) -> Answer:
    body = request.body(BatchRequest)
    for position, item in enumerate(body.items):
        try:
            _check(request, item)
        except Problem as problem:
            problem.field = f"items[{position}].{problem.field}"
            raise
    caller = request.caller
    batch = f"bat_{ulid(request.wall * 1000, token_bytes(10))}"
    message = {
        "batch": batch,
        "program": caller.program,
        "client": caller.client,
        "store": caller.store,
        "items": msgspec.to_builtins(body.items),
    }
    if len(json.dumps(message, ensure_ascii=False).encode()) > MAX_BODY:
        raise Invalid("REQUEST_TOO_LARGE", "Hand in fewer items at once")
    send(config().ingest_queue, message)
    return Answer(202, BatchView(batch, len(body.items)))


def _check(request: Request, item: BatchPurchase | BatchReturn) -> None:
    """What can be known without a look at the table; the till is there to hear it now."""
    request.at_store(item.store)
    if isinstance(item, BatchPurchase):
        who(item.member, item.identity)
        if item.identity is not None:
            identities.parse(item.identity)
        purchase_of(item, "")


OPERATIONS = {
    "POST /v1/batches": Operation(submit, BatchView, BatchRequest, 202, ("AUTH_STORE_FORBIDDEN",)),
}

lambda_handler = serve("submit", OPERATIONS)
