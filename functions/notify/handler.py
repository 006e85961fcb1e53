"""Send messages to members, each at most once.

Trigger: the queue of messages that are due. Output: the message at its provider, and what became of it in the table.
Failure: only where the table or a secret does not answer: then the message comes again. What providers do is an outcome
and no failure; what dies on the way is found by dispatch.
"""

import time
from typing import Any

from loyalty.runtime.batch import serve_queue
from loyalty.runtime.messages import handed_of, note_returns
from loyalty.runtime.wiring import moment, notifications


def send(body: str, wall: int) -> dict[str, int]:
    which = handed_of(body)
    del wall  # of the batch: the ones before may have taken a while, and a claim is as old as it is
    wall = int(time.time())
    outcome = notifications().send(which, moment(which.program, wall), wall)
    return {"given_up" if outcome == "failed" else outcome: 1}  # "failed" are messages of the queue


_serve = serve_queue("notify", send)


def lambda_handler(event: dict[str, Any], context: object) -> Any:
    answer = _serve(event, context)
    note_returns("notify", notifications(), len(event["Records"]) + int(time.time()))
    return answer
