"""The policy of the caller's programme, a sandbox's clock, and how its nights go: read them, replace the first, move
the second.

Trigger: GET and PUT /v1/program, GET and POST /v1/clock, GET /v1/night. Output: the policy and its version as ETag, the
clock, or the nights, 200.
Failure: a problem; a replacement names the version it replaces. Functions that run go by the policy they have read for
up to a minute, and by the clock as it is.
"""

from typing import Any

from msgspec import convert, to_builtins

from functions.program import night
from functions.program.clock import ClockRequest, ClockView, move, tell
from functions.program.requests import Policy
from loyalty.errors import Forbidden, Invalid
from loyalty.programs.terms import Program, as_written
from loyalty.runtime.http import Answer, Operation, Request, serve
from loyalty.runtime.versions import IfMatch, etag, if_match
from loyalty.runtime.wiring import programs, timers
from loyalty.timers.views import NightView


def show(request: Request) -> Answer:
    document, version = programs().document(request.caller.program)
    return Answer(200, _policy(document), etag(version))


def replace(request: Request) -> Answer:
    body = request.body(Policy)
    program = request.caller.program
    if body.program != program:
        raise Forbidden("AUTH_PROGRAM_FORBIDDEN", f"This client belongs to {program}", field="program")
    if "if-match" not in request.headers:
        raise Invalid("REQUEST_VERSION_MISSING", "Send the ETag of the policy that this one replaces", field="If-Match")
    from loyalty.tiers.definition import check  # pydantic: slow to import, and most requests only read

    document = check(to_builtins(body))
    version = if_match(request)
    if version is None:
        _, version = programs().document(program)
    saved = programs().save(document, version)
    # Its nights begin, and its churn models are fitted, whether or not an entry is ever written.
    timers().register(program, Program.of(document, saved).day(request.now) - 1)
    return Answer(200, _policy(document), etag(saved))


def _policy(document: dict[str, Any]) -> Policy:
    """A stored document without what was worked out from it."""
    return convert(as_written(document), Policy)


OPERATIONS = {
    "GET /v1/program": Operation(show, Policy, problems=("PROGRAM_NOT_FOUND",)),
    "PUT /v1/program": Operation(
        replace,
        Policy,
        Policy,
        problems=(
            "PROGRAM_NOT_FOUND",
            "PROGRAM_VERSION_CONFLICT",
            "REQUEST_VERSION_MISSING",
            "AUTH_PROGRAM_FORBIDDEN",
        ),
        headers={"If-Match": IfMatch},
    ),
    "GET /v1/night": Operation(night.look, NightView, query={"limit": night.Limit, "cursor": night.Cursor}),
    "GET /v1/clock": Operation(tell, ClockView),
    "POST /v1/clock": Operation(
        move, ClockView, ClockRequest, problems=("CLOCK_SANDBOX_ONLY", "CLOCK_BACKWARDS", "STORAGE_UNAVAILABLE")
    ),
}

lambda_handler = serve("program", OPERATIONS)
