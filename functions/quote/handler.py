"""Tell what a basket or an event would earn, and write nothing.

Trigger: POST /v1/quotes. Output: points by rule, 200. Failure: a problem; a quote may be asked for again at any time.
"""

from loyalty.earning.quotes import QuoteView, quote_view
from loyalty.earning.requests import QuotedEvent, QuotedPurchase, QuoteRequest, basket_of, who
from loyalty.errors import Invalid
from loyalty.runtime.http import Answer, Operation, Request, serve
from loyalty.runtime.wiring import account_of, earning
from loyalty.shapes import seconds


def quote(request: Request) -> Answer:
    body = request.body(QuoteRequest)
    program = request.caller.program
    account = ""
    if body.member is not None or body.identity is not None or body.event is not None:
        who(body.member, body.identity)
        account = request.own(account_of(program, body.member, body.identity))
    asked = _asked(body)
    request.at_store(asked.store)
    occurred = seconds(asked.occurred_at) if asked.occurred_at else request.now
    if isinstance(asked, QuotedPurchase):
        found = earning().quote(program, basket_of(asked, account, body.wallet, occurred), request.now)
    else:
        found = earning().activity.quote(
            program, account, body.wallet, asked.type, asked.fields, asked.store, occurred, request.now
        )
    return Answer(200, quote_view(found))


def _asked(body: QuoteRequest) -> QuotedPurchase | QuotedEvent:
    """What is to be quoted; Invalid unless it is exactly one."""
    asked = [one for one in (body.purchase, body.event) if one is not None]
    if len(asked) != 1:
        raise Invalid("REQUEST_INVALID", "Send either purchase or event", field="purchase")
    return asked[0]


OPERATIONS = {
    "POST /v1/quotes": Operation(
        quote,
        QuoteView,
        QuoteRequest,
        problems=(
            "MEMBER_NOT_FOUND",
            "AUTH_MEMBER_FORBIDDEN",
            "WALLET_NOT_FOUND",
            "ACCOUNT_CLOSED",
            "ACCOUNT_FULL",
            "AUTH_STORE_FORBIDDEN",
            "PURCHASE_CURRENCY_UNSUPPORTED",
            "EVENT_TYPE_UNKNOWN",
            "EVENT_FIELD_INVALID",
        ),
    )
}

lambda_handler = serve("quote", OPERATIONS)
