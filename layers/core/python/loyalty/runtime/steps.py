"""The edge of the functions that a campaign's state machine calls with batches."""

import time
from collections.abc import Callable
from typing import Any

from loyalty.campaigns.run import Batch, batch_of
from loyalty.runtime import observability
from loyalty.runtime.batch import LambdaHandler
from loyalty.runtime.clock import moment


def serve_step(function: str, handle: Callable[[Batch, int], dict[str, Any]]) -> LambdaHandler:
    """A handler of a batch: ``handle`` is given it and the time in its programme, and answers with what became of it;
    what it raises has the batch done again.
    """

    def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
        del context
        started = time.time()
        batch = batch_of({name: value for name, value in event.items() if name in Batch.__struct_fields__})
        try:
            done = handle(batch, moment(batch.program, int(started)))
        except Exception as error:
            observability.failure(function, error, shard=batch.shard)
            raise
        elapsed = int((time.time() - started) * 1000)
        observability.record(function, "done", now_ms=int(started * 1000), milliseconds=elapsed, **done)
        return done

    return handler
