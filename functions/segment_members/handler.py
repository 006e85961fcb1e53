"""Keep everybody's segments current: whoever something happened to is looked at, and everybody after new segments.

Trigger: the queue of members to whom something happened, and of pages of a sweep. Output: profiles, members of segments
and their counts, timers, and the moves that the publish function tells. Failure: the message comes again, alone; to
look twice changes nothing.
"""

import json
from typing import Any

import msgspec

from loyalty.runtime.batch import serve_queue
from loyalty.runtime.clock import moment
from loyalty.runtime.relay import Touched, touched
from loyalty.runtime.wiring import audiences
from loyalty.segments.store import sweep_of_item
from loyalty.table import keys


def follow(body: str, now: int) -> dict[str, int]:
    message: dict[str, Any] = json.loads(body)
    item = message.get("item")
    if item is None:
        return _look(msgspec.convert(message, Touched), now)
    if item[keys.TYPE] == keys.type_sweep:
        sweep = sweep_of_item(item)
        return {"sweeps": 1, "written": audiences().sweep(sweep, moment(sweep.program, now)).written}
    program = item[keys.PK].split("#", 1)[0]
    if item[keys.TYPE] == keys.type_order and not audiences().tastes(program, moment(program, now)):
        return {}
    # What the relay could not read is read here, where it is in nobody's way.
    one = touched(item)
    return _look(one, now) if one is not None else {}


def _look(one: Touched, now: int) -> dict[str, int]:
    here = moment(one.program, now)
    if not one.otherwise and not audiences().tastes(one.program, here):
        return {}  # of what was bought no segment speaks
    return {"looked": 1, "written": audiences().look(one.program, one.account, here, one.bought)}


_serve = serve_queue("segment_members", follow)


def lambda_handler(event: dict[str, Any], context: object) -> Any:
    audiences().renew()
    return _serve(event, context)
