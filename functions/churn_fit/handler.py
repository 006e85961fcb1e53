"""Fit the churn models of every programme that watches its members.

Trigger: the schedule, once a week; an event may name one ``program``. Output: for each programme the version that was
put in force, 0 where none was; why is in the table. Failure: the others are fitted all the same, then it is raised, and
the schedule calls again; a fit that is done again puts the same in force.
"""

import time
from typing import Any

from loyalty.runtime import observability
from loyalty.runtime.wiring import moment, refit, watched


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, int]:
    del context
    started = time.time()
    asked = event.get("program")
    found: dict[str, int] = {}
    failed: Exception | None = None
    for program in [asked] if asked else watched():
        try:
            attempt = refit().run(program, moment(program, int(started)))
        except Exception as error:  # noqa: BLE001 - one programme that cannot be fitted is no reason for the others
            observability.failure("churn_fit", error, program=program)
            failed = error
        else:
            if attempt is not None:
                found[program] = attempt.version
    elapsed = int((time.time() - started) * 1000)
    published = sum(version > 0 for version in found.values())
    outcome = "failed" if failed else "done"
    observability.record(
        "churn_fit", outcome, now_ms=int(started * 1000), milliseconds=elapsed, fitted=len(found), published=published
    )
    if failed:
        raise failed
    return found
