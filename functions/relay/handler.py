"""Hand on what happened in the table to the queues of those who need it, so that the stream needs no third reader.

Trigger: the table's stream: what anybody behind it takes. Output: messages on their queues. Failure: the batch is
delivered again; whoever gets something twice does not mind.
"""

from loyalty.runtime.batch import Record, serve_records
from loyalty.runtime.wiring import relay


def hand_on(records: list[Record], now: int) -> dict[str, int]:
    del now
    return relay().hand_on(records)


lambda_handler = serve_records("relay", hand_on)
