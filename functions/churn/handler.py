"""What to expect of a member, and what the expectations go by.

Trigger: GET /v1/members/{id}/value, GET /v1/churn. Output: chances, expected purchases and their value, when an alert
is due and why, 200; the parameters in force and how the newest fit went, 200. Failure: a problem. Nothing is written.
"""

from typing import Annotated

from msgspec import Meta

from loyalty.churn.views import FitView, ValueView, fit_view, value_view
from loyalty.errors import Invalid
from loyalty.ledger.chain import Chain
from loyalty.runtime.http import Answer, Operation, Request, serve
from loyalty.runtime.wiring import churn, policy

MOST_DAYS = 3_660
Days = Annotated[int, Meta(ge=1, le=MOST_DAYS, description="Days to look ahead; the policy's horizon when left out")]


def value(request: Request) -> Answer:
    asked = request.query.get("days", "")
    if asked and not (asked.isascii() and asked.isdecimal() and 1 <= int(asked[:6]) <= MOST_DAYS):
        raise Invalid("REQUEST_INVALID", f"days: 1 to {MOST_DAYS}", field="days")
    program = policy(request.caller.program)
    chain = Chain(program.program, request.member(), program.wallets[0])
    worth = churn().worth(chain, program, request.now, int(asked) if asked else None)
    return Answer(200, value_view(chain, program, worth))


def parameters(request: Request) -> Answer:
    return Answer(200, fit_view(*churn().fitted(request.caller.program)))


OPERATIONS = {
    "GET /v1/members/{id}/value": Operation(value, ValueView, problems=("MEMBER_NOT_FOUND",), query={"days": Days}),
    "GET /v1/churn": Operation(parameters, FitView),
}

lambda_handler = serve("churn", OPERATIONS)
