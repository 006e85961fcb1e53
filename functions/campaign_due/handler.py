"""Begin what is scheduled, and have every campaign that runs go on when its time has come.

Trigger: the scheduler, every hour; whoever moves the clock of a sandbox programme asks for that one. Output: how many
campaigns were seen to, by programme; of one that was asked for also how many are alive, and how many of these are at
work. Failure: it is called again; an execution is started once, and one that is called back twice goes on once.
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
                now = moment(program, int(started))
                found[program] = runs().due(program, now, int(started))
                if only:
                    found["live"], found["busy"] = runs().alive(program, now)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one programme, the others have their hour
            observability.failure("campaign_due", error, program=program)
            errors.append(error)
    seen = sum(count for name, count in found.items() if name not in ("live", "busy"))
    elapsed = int((time.time() - started) * 1000)
    observability.record("campaign_due", "done", now_ms=int(started * 1000), milliseconds=elapsed, campaigns=seen)
    if errors:
        raise errors[0]
    return found
