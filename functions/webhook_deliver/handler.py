"""Send partners what is due to them.

Trigger: the queue of lines that somebody should look at, one of an endpoint's sixteen each. Output: deliveries, and a
message to itself where something was left for later. Failure: the message comes again; what was sent is not sent again,
but for what a run was sending when it died.
"""

import json

from loyalty.runtime import observability
from loyalty.runtime.batch import serve_queue
from loyalty.runtime.wiring import webhook_deliverer


def look(body: str, now: int) -> dict[str, int]:
    report = webhook_deliverer().run(str(json.loads(body)["line"]))
    if report.off:
        observability.count("WebhookOff", now_ms=now * 1000, webhook=report.off)
    return {"delivered": report.delivered, "failures": report.failed, "given_up": report.given_up}


lambda_handler = serve_queue("webhook_deliver", look)
