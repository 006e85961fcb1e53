"""Say what a night has to do next, and note what it has done.

Trigger: the state machine of the night, before the first batch and whenever those of the last plan are done. Output:
batches, and whether that was all. Failure: the state machine asks again; a plan that is made twice is the same.
"""

import time
from datetime import date
from typing import Any, Final

from loyalty.runtime import observability
from loyalty.runtime.clock import moment
from loyalty.runtime.wiring import night

UNATTENDED_SECONDS: Final = 900
"""So long after a day has begun the night that nobody asked for begins with it: timers that were put just before
midnight are there by then.
"""


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    del context
    started = time.time()
    until = event.get("until") or 0
    last = date.fromisoformat(until).toordinal() if isinstance(until, str) else int(until)
    now = int(started) - (0 if last else UNATTENDED_SECONDS)
    try:
        plan = night().plan({**event, "until": last}, lambda program: moment(program, now))
    except Exception as error:
        observability.failure("plan_night", error)
        raise
    elapsed = int((time.time() - started) * 1000)
    observability.record(
        "plan_night", "done", now_ms=int(started * 1000), milliseconds=elapsed, batches=len(plan.batches)
    )
    return plan.plain()
