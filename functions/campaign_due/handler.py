"""Begin what is scheduled, and have every campaign that runs go on when its time has come.

Trigger: the scheduler, every hour. Output: how many campaigns were seen to, by programme. Failure: it is called again;
an execution is started once, and one that is called back twice goes on once.
"""

import time
from contextlib import suppress
from typing import Any

from loyalty.errors import NotFound
from loyalty.runtime import observability
from loyalty.runtime.campaigns import runs
from loyalty.runtime.clock import moment
from loyalty.runtime.wiring import timers


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, int]:
    del context
    started = time.time()
    only, found, errors = event.get("program", ""), {}, []
    for program, _ in timers().programs():
        if only and program != only:
            continue
        try:
            with suppress(NotFound):
                found[program] = runs().due(program, moment(program, int(started)), int(started))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one programme, the others have their hour
            observability.failure("campaign_due", error, program=program)
            errors.append(error)
    elapsed = int((time.time() - started) * 1000)
    observability.record(
        "campaign_due", "done", now_ms=int(started * 1000), milliseconds=elapsed, campaigns=sum(found.values())
    )
    if errors:
        raise errors[0]
    return found
