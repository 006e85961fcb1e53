"""What comes back of messages: delivered, opened, clicked, bounced, called unwanted.

Trigger: the queue of reports, which SES publishes to by a topic and other providers themselves. Output: the message's
state; a channel that reaches nobody any more is noted with the member, and the ledger hears of a notice that arrived.
Failure: the report comes again; heard twice, it is heard once. What is about no message of ours is left alone.
"""

import time
from typing import Any

from msgspec.structs import replace

from loyalty.notifications.feedback import report_of
from loyalty.runtime.batch import serve_queue
from loyalty.runtime.messages import note_returns
from loyalty.runtime.wiring import moment, notifications


def hear(body: str, wall: int) -> dict[str, int]:
    report = report_of(body, wall)
    if report is None:
        return {"strange": 1}
    # A sandbox's clock is ahead: what happened a minute ago happened a minute ago there, too.
    now = moment(report.program, wall)
    heard = notifications().hear(replace(report, at=report.at + now - wall), now)
    notifications().note_path(report, wall)
    return {heard: 1}


_serve = serve_queue("delivery", hear)


def lambda_handler(event: dict[str, Any], context: object) -> Any:
    answer = _serve(event, context)
    note_returns("delivery", notifications(), len(event["Records"]) + int(time.time()))
    return answer
