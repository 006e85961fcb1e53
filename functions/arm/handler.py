"""Arm the timers that entries name.

Trigger: the table's stream, new entries only. Output: nothing. Failure: the batch is delivered again; doing it twice
changes nothing.
"""

from typing import Any

from loyalty.ledger.store import entry_of_item
from loyalty.runtime.batch import serve_stream
from loyalty.runtime.wiring import arming


def arm(items: list[dict[str, Any]], now: int) -> dict[str, int]:
    return {"timers": arming().arm([entry_of_item(item) for item in items], now)}


lambda_handler = serve_stream("arm", arm)
