"""Hand on the messages that are due.

Trigger: the schedule, every five minutes. Output: messages on the queue that notify drains; a message leaves its place
only when notify has seen to it. Failure: the other programmes are seen to all the same, then it is raised; what was not
handed on is the next time, and what was handed on twice is sent once.
"""

import time
from typing import Any, Final

from loyalty.runtime import observability
from loyalty.runtime.wiring import dispatch, moment, timers

LONGEST_S: Final = 240
"""Then it ends by itself; what is left is the next run's."""


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, int]:
    del context
    started = time.time()
    only = event.get("program")
    count, failed = 0, None
    for program, _ in timers().programs():
        if only and program != only:
            continue
        try:
            now = moment(program, int(started))
            count += dispatch().run(program, now, int(started), lambda: time.time() - started < LONGEST_S)
        except Exception as error:  # noqa: BLE001 - one programme in trouble is no reason for the others
            observability.failure("dispatch", error, program=program)
            failed = error
    elapsed = int((time.time() - started) * 1000)
    outcome = "failed" if failed else "done"
    observability.record("dispatch", outcome, now_ms=int(started * 1000), milliseconds=elapsed, handed=count)
    if failed:
        raise failed
    return {"handed": count}
