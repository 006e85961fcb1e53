"""Tell members what is due on their ways through campaigns, each decided over all of them at once.

Trigger: the night's state machine at the contact hour (days of the year first, then what is due), and that of a
campaign for those it has just assigned, when the hour is past. Output: how many were told, given something, left out,
set aside. Failure: the batch is done again; nothing is said or given twice. A member that cannot be seen to is set
aside with its reason, and comes again the next day.
"""

import time
from typing import Any

from loyalty.campaigns import run
from loyalty.campaigns.run import Batch
from loyalty.campaigns.touches import KIND, Counts, reason
from loyalty.errors import Unavailable
from loyalty.ledger.chain import Chain
from loyalty.runtime import observability
from loyalty.runtime.campaigns import plain, runs, touches
from loyalty.runtime.clock import moment
from loyalty.runtime.wiring import policy, timers
from loyalty.timers import service as nights
from loyalty.timers.timer import Batch as Timers
from loyalty.timers.timer import Timer


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    del context
    started = time.time()
    now = moment(event["program"], int(started))
    try:
        counts = _night(nights.batch_of(event), now) if "kind" in event else runs().touch(_batch(event), now)
    except Exception as error:
        observability.failure("campaign_touch", error, kind=event.get("kind", "run"))
        raise
    found = plain(counts)
    elapsed = int((time.time() - started) * 1000)
    observability.record("campaign_touch", "done", now_ms=int(started * 1000), milliseconds=elapsed, **found)
    return found


def _batch(event: dict[str, Any]) -> Batch:
    return run.batch_of({name: value for name, value in event.items() if name in Batch.__struct_fields__})


def _night(batch: Timers, now: int) -> Counts:
    counts, live = Counts(), touches().live(batch.program)
    for chain in timers().chains(batch):
        counts.looked += 1
        try:
            if batch.kind == KIND:
                touches().touch(batch.program, chain.account, now, counts, live)
            else:
                touches().occasion(batch.program, chain.account, batch.day, now, counts, live)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one member, the others have their night
            _set_aside(chain, batch, error, now)
            counts.aside += 1
    touches().hand_on()
    return counts


def _set_aside(chain: Chain, batch: Timers, error: Exception, now: int) -> None:
    again = max(policy(chain.program).day(now), batch.day) + 1
    timers().set_aside(Timer(chain, batch.kind, batch.day), reason(error), now, again)
    timers().put(Timer(chain, batch.kind, again))
    observability.count(
        "TimersSetAside", now_ms=int(time.time() * 1000), program=chain.program, kind=batch.kind, reason=reason(error)
    )
