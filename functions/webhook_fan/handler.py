"""Take up what happened for the partners who want to hear of it.

Trigger: the queue that the bus puts every event of ours on. Output: a delivery for each webhook that wants the event,
and a message for whoever sends it. Failure: the event comes again; what was taken up is not taken up twice.
"""

from loyalty.runtime.batch import serve_queue
from loyalty.runtime.wiring import webhook_fan
from loyalty.webhooks.delivery import event_of


def take(body: str, now: int) -> dict[str, int]:
    event = event_of(body)
    return {"taken": webhook_fan().take(event, now)} if event else {"nobodys": 1}


lambda_handler = serve_queue("webhook_fan", take)
