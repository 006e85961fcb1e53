"""Work off backtests, page by page.

Trigger: the replay queue; a message names a page of a shard of a backtest: {program, simulation, shard, page}. Output:
the messages to deliver again; the page's sums in the table, and a message for the page after it. Failure: what fails is
written down with the shard, and the message comes again; after its last try the simulation says that it is incomplete.
"""

import json

from loyalty.runtime.batch import serve_queue
from loyalty.runtime.clock import moment
from loyalty.runtime.wiring import backtests


def work(body: str, now: int) -> dict[str, int]:
    message = json.loads(body)
    program = message["program"]
    return backtests().work(program, message["simulation"], message["shard"], message["page"], moment(program, now))


lambda_handler = serve_queue("replay", work)
