"""Take members into campaigns by what happened to them, and tell them at once what is due then.

Trigger: the queue that the bus puts events on: new members, members at risk, tiers gained or about to be lost, points
about to end, segments entered, purchases and events that earned; and changed members, whose birthdays are noted.
Output: how many were taken in. Failure: the message comes again, alone; nobody takes part twice on an occasion.
"""

import json
from datetime import datetime
from typing import Any

from loyalty.campaigns import occasions
from loyalty.campaigns.touches import Counts
from loyalty.runtime.batch import serve_queue
from loyalty.runtime.campaigns import order, plain, touches
from loyalty.runtime.clock import moment
from loyalty.runtime.wiring import policy


def enter(body: str, now: int) -> dict[str, int]:
    event: dict[str, Any] = json.loads(body)
    kind, detail = event["detail-type"], event["detail"]
    program, account = detail["program"], detail["member"]
    here, counts = moment(program, now), Counts()
    way = occasions.way(kind, detail)
    if way in occasions.DONE:
        if occasions.late(detail) or not touches().awaits(program, way, now):
            return plain(counts)
        if way == "purchase":
            detail |= order(program, detail["source"], detail["order_id"])
    elif not way:
        return plain(counts)
    told = occasions.told(way, detail, policy(program).timezone)
    touches().happened(program, account, way, told, _at(detail, here), here, counts)
    touches().hand_on()
    return plain(counts)


def _at(detail: dict[str, Any], now: int) -> int:
    """When it happened, in the programme's time; an event that does not say so happens as it is heard."""
    said = next((detail[name] for name in ("recorded_at", "at", "occurred_at") if name in detail), None)
    return int(datetime.fromisoformat(said).timestamp()) if said else now


lambda_handler = serve_queue("campaign_enter", enter)
