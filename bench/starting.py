"""From process start to the first answer: the earn handler, over ``import boto3`` and one call of its client.

Both are started again and again, turn by turn, against the same engine, with bytecode present, as in the layers: the
first starts write it, and are not counted.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final, NamedTuple

from bench.report import Row
from bench.shop import CLIENT, POLICY, PROGRAM, TABLE, Shop
from loyalty.rules.leases import BudgetStore
from loyalty.rules.service import RuleSets
from loyalty.rules.store import RuleStore
from loyalty.runtime import wiring

BOUND: Final = 1.25
REPETITIONS: Final = 21
WARM_UP: Final = 2
ROOT: Final = Path(__file__).parents[1]
ZONE: Final = str(POLICY["timezone"])

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
RULE_SET: Final = "rls_01JZ0000000000000000000000"
SEALING: Final = b"bench" * 8
SEALED: Final = f"""
import loyalty.runtime.secrets
loyalty.runtime.secrets.artifact_keys = lambda: ({SEALING!r},)
"""
"""Which key seals rule sets is asked of another service; what that costs is no work of ours."""
RULES: Final = ROOT / "examples" / "rules" / "grocer.yaml"


class Start(NamedTuple):
    """Seconds from the start of a process to its end: elapsed, and of CPU."""

    elapsed: float
    cpu: float


def measure(shop: Shop) -> list[Row]:
    """Elapsed time and CPU, as medians' ratios: as a programme begins, and with a rule set in force."""
    with tempfile.TemporaryDirectory(prefix="loyalty-bytecode-") as bytecode:
        rows = _ratios(shop, bytecode, EARN, "start of earn to its first answer over boto3 and one call")
        _publish(shop)
        return [*rows, *_ratios(shop, bytecode, SEALED + EARN, "the same with a rule set in force")]


def _ratios(shop: Shop, bytecode: str, code: str, what: str) -> list[Row]:
    handler: list[Start] = []
    bare: list[Start] = []
    with shop.open():
        chain = shop.new_account(5_000 + len(shop.sealing))
        for _ in range(WARM_UP + REPETITIONS):
            shop.later()
            bare.append(_run(shop, bytecode, BARE))
            handler.append(_run(shop, bytecode, code, json.dumps(shop.purchase(chain).event)))
    ratios = {
        "elapsed": median(one.elapsed for one in handler[WARM_UP:]) / median(one.elapsed for one in bare[WARM_UP:]),
        "CPU": median(one.cpu for one in handler[WARM_UP:]) / median(one.cpu for one in bare[WARM_UP:]),
    }
    return [Row(f"{what}, {kind}", round(ratio, 3), "times", BOUND) for kind, ratio in ratios.items()]


def _publish(shop: Shop) -> None:
    """Put the example's rules in force, as the rules function does."""
    source = RULES.read_text(encoding="utf-8")
    for of_the_example, of_the_bench in (("program: grocer", f"program: {PROGRAM}"), ("USD", "EUR"), ("UTC", ZONE)):
        source = source.replace(of_the_example, of_the_bench)
    source = source.replace("guard: {change_percent: 25}\n", "")  # nothing was tried on stored purchases
    shop.sealing = (SEALING,)
    table = shop.overlapping
    with shop.open():
        budgets = BudgetStore(table)
        sets = RuleSets(RuleStore(table), lambda: (SEALING,), wiring.policy, budgets, lambda *_: None, lambda _: ())
        written = sets.hand_in(PROGRAM, source, rule_set=RULE_SET, actor=CLIENT, now=shop.now)
        sets.publish(PROGRAM, written.id, seen=None, actor=CLIENT, now=shop.now)


def _run(shop: Shop, bytecode: str, code: str, *arguments: str) -> Start:
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "AWS_ENDPOINT_URL_DYNAMODB": shop.endpoint,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers" / "core" / "python")]),
        "PYTHONPYCACHEPREFIX": bytecode,
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
