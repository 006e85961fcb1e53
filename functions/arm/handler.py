"""Arm the timers that entries name.

Trigger: the queue of new entries that name any. Output: nothing. Failure: the message comes again, alone; doing it
twice changes nothing.
"""

import json

from loyalty.ledger.store import entry_of_item
from loyalty.runtime.batch import serve_queue
from loyalty.runtime.wiring import arming


def arm(body: str, now: int) -> dict[str, int]:
    return {"timers": arming().arm([entry_of_item(json.loads(body)["item"])], now)}


lambda_handler = serve_queue("arm", arm)
