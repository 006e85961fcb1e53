"""Finish what belongs to an order: its entry, should a crash have left it out, and the returns that came before it.

Trigger: the table's stream, new order documents and waiting returns only. Output: nothing. Failure: the batch is
delivered again; doing it twice changes nothing. What can never be carried out goes to the dead-letter queue with its
reason.
"""

from typing import Any

from loyalty.earning.intake import retriable
from loyalty.earning.store import order_of_item, waiting_of_item
from loyalty.errors import Problem
from loyalty.runtime.batch import serve_stream
from loyalty.runtime.clock import moment
from loyalty.runtime.outbound import set_aside
from loyalty.runtime.wiring import intake
from loyalty.table import keys


def settle(items: list[dict[str, Any]], now: int) -> dict[str, int]:
    counts = {"orders": 0, "returns": 0}
    for item in items:
        program = item[keys.PK].split("#", 1)[0]
        try:
            if item[keys.TYPE] == keys.type_order:
                counts["orders"] += 1
                intake().settle(program, order_of_item(item), moment(program, now), set_aside)
            elif item[keys.TYPE] == keys.type_wait:
                counts["returns"] += 1
                source, order_id = waiting_of_item(item)
                intake().settle_waiting(program, source, order_id, moment(program, now), set_aside)
        except Problem as problem:
            if retriable(problem):
                raise
            set_aside({"program": program, "order": item[keys.PK]}, problem)
    return counts


lambda_handler = serve_stream("recover", settle)
