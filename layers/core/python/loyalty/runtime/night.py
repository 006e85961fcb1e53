"""The edge of the functions that a night calls with batches of what is due."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from loyalty.runtime import observability
from loyalty.runtime.batch import LambdaHandler
from loyalty.runtime.clock import moment
from loyalty.runtime.wiring import drain
from loyalty.timers.service import Act, batch_of
from loyalty.timers.timer import REARM


def serve_night(function: str, acts: Mapping[str, Act]) -> LambdaHandler:
    """A handler of batches, by the kind of their timers: ``acts`` says what is due of a kind. It answers with what
    became of the batch; what it raises has the batch done again.
    """

    def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
        del context
        started = time.time()
        batch = batch_of(event)
        now = moment(batch.program, int(started))
        try:
            done = drain().rearm(batch, now) if batch.kind == REARM else drain().drain(batch, acts[batch.kind], now)
        except Exception as error:
            observability.failure(function, error, kind=batch.kind, day=batch.day)
            raise
        counts: dict[str, int] = msgspec.to_builtins(done)
        elapsed = int((time.time() - started) * 1000)
        observability.record(
            function, "done", now_ms=int(started * 1000), milliseconds=elapsed, kind=batch.kind, day=batch.day, **counts
        )
        return counts

    return handler
