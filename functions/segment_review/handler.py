"""Look at those whose segments time alone may have changed.

Trigger: the state machine of the night, with a batch of members that are due. Output: how many were looked at, changed
and set aside. Failure: the batch is done again; to look twice changes nothing. A member that cannot be looked at is set
aside with its reason, and looked at again the next day.
"""

import time
from typing import Any

from loyalty.ledger.chain import Chain
from loyalty.runtime import observability
from loyalty.runtime.clock import moment
from loyalty.runtime.wiring import audiences, policy, timers
from loyalty.segments.service import KIND, review
from loyalty.timers.service import batch_of, reason
from loyalty.timers.timer import Timer


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    del context
    started = time.time()
    batch = batch_of(event)
    now = moment(batch.program, int(started))

    def aside(chain: Chain, error: Exception) -> None:
        again = policy(batch.program).day(now) + 1
        timers().set_aside(Timer(chain, KIND, batch.day), reason(error), now, again)
        timers().put(Timer(chain, KIND, again))
        observability.count(
            "TimersSetAside", now_ms=int(started * 1000), program=batch.program, kind=KIND, reason=reason(error)
        )

    try:
        counts = review(audiences(), timers().chains(batch), now, aside)
    except Exception as error:
        observability.failure("segment_review", error, kind=KIND, day=batch.day)
        raise
    elapsed = int((time.time() - started) * 1000)
    observability.record(
        "segment_review", "done", now_ms=int(started * 1000), milliseconds=elapsed, day=batch.day, **counts
    )
    return counts
