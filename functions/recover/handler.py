"""Finish what belongs to an order: its entry, should a crash have left it out, and the returns that came before it.

Trigger: the queue of orders that are new, or that a return waits for. Output: nothing. Failure: the message comes
again, alone; doing it twice changes nothing. What can never be carried out goes to the ingest queue's dead letters with
its reason.
"""

import json

from loyalty.earning.intake import retriable
from loyalty.errors import Problem
from loyalty.runtime.batch import serve_queue
from loyalty.runtime.clock import moment
from loyalty.runtime.outbound import set_aside
from loyalty.runtime.wiring import intake
from loyalty.table import keys


def settle(body: str, now: int) -> dict[str, int]:
    pk = str(json.loads(body)["order"])
    program, source, order_id = keys.parse_order(pk)
    try:
        intake().settle(program, source, order_id, moment(program, now), set_aside)
    except Problem as problem:
        if retriable(problem):
            raise
        set_aside({"program": program, "order": pk}, problem)
    return {"orders": 1}


lambda_handler = serve_queue("recover", settle)
