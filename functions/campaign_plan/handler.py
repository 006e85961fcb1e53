"""Say what a campaign's run has to do next; note who waits, and what went wrong.

Trigger: the state machine of campaigns: before the first batch, whenever those of the last plan are done, when there is
nothing to do but wait (``act`` wait, with the token to call back by), and for a batch that failed as a whole (``act``
aside). Output: the plan. Failure: the machine asks again; a plan that is made twice is the same.
"""

import json
import time
from typing import Any

from loyalty.campaigns.run import Batch, batch_of, plan_of
from loyalty.runtime import observability
from loyalty.runtime.campaigns import runs
from loyalty.runtime.clock import moment


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    del context
    started = time.time()
    act = event.get("act", "plan")
    try:
        answer = _ACTS[act](event, int(started))
    except Exception as error:
        observability.failure("campaign_plan", error, act=act)
        raise
    elapsed = int((time.time() - started) * 1000)
    observability.record(
        "campaign_plan",
        "done",
        now_ms=int(started * 1000),
        milliseconds=elapsed,
        next=str(answer.get("next", act)),
        batches=len(answer.get("batches", ())),
    )
    return answer


def _plan(event: dict[str, Any], world: int) -> dict[str, Any]:
    asked = plan_of(event)
    return runs().plan(asked, moment(asked.program, world)).plain()


def _wait(event: dict[str, Any], world: int) -> dict[str, Any]:
    asked = plan_of(event["at"])
    runs().wait(asked, event["token"], moment(asked.program, world), world)
    return {}


def _aside(event: dict[str, Any], world: int) -> dict[str, Any]:
    known = {name: value for name, value in event["batch"].items() if name in Batch.__struct_fields__}
    batch = batch_of(known)
    runs().set_aside(batch, _reason(event["batch"].get("error", {})), moment(batch.program, world))
    return {}


def _reason(error: dict[str, Any]) -> str:
    """The type of the error; never its text, which may quote data."""
    try:
        cause = json.loads(error.get("Cause", ""))
    except ValueError:
        cause = {}
    return str(cause.get("errorType") if isinstance(cause, dict) else "") or str(error.get("Error", "unknown"))


_ACTS = {"plan": _plan, "wait": _wait, "aside": _aside}
