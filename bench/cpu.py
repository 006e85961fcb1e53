"""CPU of a handler over the bare boto3 calls it makes: the same calls, to the same engine, turn by turn in one run.

The bare calls go to a second table with the same contents, through a plain ``boto3.client("dynamodb")``, and carry the
very requests that the handler has just sent.
"""

import contextlib
import io
import time
from statistics import median
from typing import Any, Final, NamedTuple

import boto3

from bench.counted import OPERATIONS, Prepare
from bench.report import Row
from bench.shop import Shop
from loyalty.ledger.chain import Chain
from tests.engines import create_table

BOUND: Final = 1.25
REPETITIONS: Final = 250
WARM_UP: Final = 25
TWIN: Final = "bench-twin"

Requests = list[tuple[str, dict[str, Any]]]


class Bare:
    """A plain boto3 client on the second table."""

    def __init__(self, endpoint: str) -> None:
        client = boto3.client("dynamodb", endpoint_url=endpoint)
        self.client = client
        self._calls: dict[str, Any] = {
            "GetItem": client.get_item,
            "Query": client.query,
            "PutItem": client.put_item,
        }
        create_table(client, TWIN)

    def send(self, requests: Requests) -> None:
        for operation, request in requests:
            self._calls[operation](**request)


class Turn(NamedTuple):
    """CPU seconds of one request through the handler, and of its calls made bare."""

    handler: float
    bare: float


def measure(shop: Shop) -> list[Row]:
    """For each operation the median of the handler's CPU seconds over the median of the bare calls'."""
    bare = Bare(shop.endpoint)
    rows: list[Row] = []
    with shop.open(overlapping=True):
        for number, (name, prepare) in enumerate(OPERATIONS.items()):
            with shop.meter.metering(capacity=False) as used:
                chain = shop.new_account(1_000 + number, 1_000_000)
            bare.send(_elsewhere(used().calls))
            turns = [_turn(shop, bare, prepare, chain) for _ in range(WARM_UP + REPETITIONS)][WARM_UP:]
            ratio = median(turn.handler for turn in turns) / median(turn.bare for turn in turns)
            rows.append(Row(f"handler CPU over its bare boto3 calls, {name}", round(ratio, 3), "times", BOUND))
    bare.client.close()
    return rows


def _turn(shop: Shop, bare: Bare, prepare: Prepare, chain: Chain) -> Turn:
    shop.later()
    with shop.meter.metering(capacity=False) as used:
        call = prepare(shop, chain)
    bare.send(_elsewhere(used().calls))
    with shop.meter.metering(capacity=False) as used, contextlib.redirect_stdout(io.StringIO()):
        began = time.process_time()
        call.handler(call.event, None)
        handler = time.process_time() - began
    requests = _elsewhere(used().calls)
    began = time.process_time()
    bare.send(requests)
    return Turn(handler, time.process_time() - began)


def _elsewhere(requests: Requests) -> Requests:
    """The same requests, for the second table."""
    return [(operation, {**request, "TableName": TWIN}) for operation, request in requests]
