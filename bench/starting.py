"""From process start to the first answer: the earn handler, over ``import boto3`` and one call of its client.

Both are started again and again, turn by turn, against the same engine, with bytecode present, as in the layers.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final, NamedTuple

from bench.report import Row
from bench.shop import TABLE, Shop

BOUND: Final = 1.25
REPETITIONS: Final = 21
WARM_UP: Final = 2
ROOT: Final = Path(__file__).parents[1]

BARE: Final = """
import boto3
boto3.client("dynamodb").get_item(TableName="bench", Key={"pk": {"S": "bench#P"}, "sk": {"S": "POLICY"}})
"""
EARN: Final = """
import sys
from functions.earn.handler import lambda_handler
import json
answer = lambda_handler(json.loads(sys.argv[1]), None)
sys.exit(answer["statusCode"] != 201)
"""


class Start(NamedTuple):
    """Seconds from the start of a process to its end: elapsed, and of CPU."""

    elapsed: float
    cpu: float


def measure(shop: Shop) -> list[Row]:
    """Elapsed time and CPU, as medians' ratios."""
    handler: list[Start] = []
    bare: list[Start] = []
    with shop.open():
        chain = shop.new_account(5_000)
        for _ in range(WARM_UP + REPETITIONS):
            shop.later()
            bare.append(_run(shop, BARE))
            handler.append(_run(shop, EARN, json.dumps(shop.purchase(chain).event)))
    ratios = {
        "elapsed": median(one.elapsed for one in handler[WARM_UP:]) / median(one.elapsed for one in bare[WARM_UP:]),
        "CPU": median(one.cpu for one in handler[WARM_UP:]) / median(one.cpu for one in bare[WARM_UP:]),
    }
    return [
        Row(f"start of earn to its first answer over boto3 and one call, {kind}", round(ratio, 3), "times", BOUND)
        for kind, ratio in ratios.items()
    ]


def _run(shop: Shop, code: str, *arguments: str) -> Start:
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL_DYNAMODB": shop.endpoint,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers" / "core" / "python")]),
        "TABLE_NAME": TABLE,
    }
    began = perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    elapsed = perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"a started process failed with {process.returncode}: {code}")
    return Start(elapsed, used.ru_utime + used.ru_stime)
