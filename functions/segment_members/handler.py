"""Keep everybody's segments current: whoever something happened to is looked at, and everybody after new segments.

Trigger: the table's stream: new entries, orders and pages of a sweep, new and changed members. Output: profiles,
members of segments and their counts, timers, and the moves that the publish function tells. Failure: the batch is
delivered again; to look twice changes nothing.
"""

from typing import Any

from loyalty.earning.purchase import Order
from loyalty.earning.store import order_of_item
from loyalty.runtime.batch import serve_stream
from loyalty.runtime.clock import moment
from loyalty.runtime.wiring import audiences
from loyalty.segments.service import Bought
from loyalty.segments.store import Sweep, sweep_of_item
from loyalty.table import keys


def follow(items: list[dict[str, Any]], now: int) -> dict[str, int]:
    touched: dict[tuple[str, str], list[Bought]] = {}
    sweeps: list[Sweep] = []
    for item in items:
        program, kind = item[keys.PK].split("#", 1)[0], item[keys.TYPE]
        if kind == keys.type_sweep:
            sweeps.append(sweep_of_item(item))
        elif kind == keys.type_entry:
            touched.setdefault((program, keys.parse_chain(item[keys.PK])[1]), [])
        elif kind == keys.type_member:
            touched.setdefault((program, item[keys.SK]), [])
        elif kind == keys.type_order and audiences().tastes(program, moment(program, now)):
            order = order_of_item(item)
            touched.setdefault((program, order.account), []).append(_bought(order))
    written = sum(
        audiences().look(program, account, moment(program, now), bought)
        for (program, account), bought in touched.items()
    )
    for sweep in sweeps:
        written += audiences().sweep(sweep, moment(sweep.program, now)).written
    return {"looked": len(touched), "written": written, "sweeps": len(sweeps)}


def _bought(order: Order) -> Bought:
    return Bought(order.source, order.order_id, tuple((line.category, line.amount) for line in order.lines))


lambda_handler = serve_stream("segment_members", follow)
