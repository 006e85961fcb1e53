"""A year of a sandbox programme as it is deployed: the clock is moved, nights are cut off and repeated, and everything
falls on its day, once.
"""

import json
import random
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from cli import night
from loyalty.churn.store import ChurnStore
from tests import year
from tests.e2e.calls import Api
from tests.e2e.stack import Stack
from tests.e2e.test_night import Deployed

DAYS: Final = 365
BUYERS: Final = 4
SEED: Final = 11


def test_a_year_goes_by_in_minutes_and_everything_falls_on_its_day_once(stack: Stack) -> None:
    programme = stack.add(year.POLICY)
    ChurnStore(stack.table).publish(year.PROGRAM, year.PARAMETERS)
    chance = random.Random(SEED)
    first = year.first_day(datetime.now(UTC))
    last = first + timedelta(days=DAYS - 1)
    buyers = year.buyers(SEED, first, BUYERS)
    cut_off = 0
    with stack.api(programme.tokens["operator"]) as operator:
        go(operator, year.morning(first))
        cards = [{"identities": [f"card:{number}"]} for number in range(BUYERS)]
        members = [str(operator.post("/v1/members", card).expect(201)["id"]) for card in cards]
        for day in stops(buyers, first, last):
            go(operator, year.morning(day))
            stack.settle()
            if chance.randrange(4) == 0:
                cut_off += broken_off(stack, chance)
            for _ in range(1 + (chance.randrange(8) == 0)):
                assert night.execute(Deployed(stack), year.PROGRAM, pause=0.05)["status"] == "SUCCEEDED"
            for member, buyer in zip(members, buyers, strict=True):
                if day in buyer.purchases:
                    go(operator, year.noon(day))
                    operator.post("/v1/purchases", year.purchase(member, day, buyer.purchases[day])).expect(201)
            stack.settle()
        for member, buyer in zip(members, buyers, strict=True):
            entries = operator.get(f"/v1/members/{member}/entries?limit=100").expect(200)
            assert "next" not in entries
            assert year.found(entries["entries"]) == year.expected(buyer, last)
            assert operator.get(f"/v1/members/{member}/verification").expect(200)["ok"]
            balance = operator.get(f"/v1/members/{member}/balance").expect(200)["balance"]["available"]
            ended = sum(int(what.split()[1]) for _, what in year.expected(buyer, last) if what.startswith("expired"))
            assert balance == sum(buyer.purchases.values()) - ended
    assert cut_off > 5


def stops(buyers: list[year.Buyer], first: date, last: date) -> list[date]:
    """Every day on which something is due, the one before it, and some on which nothing is; the days between them are
    made up for by the next night, which would write what is not expected.
    """
    due = {day for buyer in buyers for day, _ in year.expected(buyer, last)}
    bought = {day for buyer in buyers for day in buyer.purchases}
    quiet = {first + timedelta(days=ahead) for ahead in range(0, DAYS, 14)}
    before = {day - timedelta(days=1) for day in due}
    return sorted(day for day in due | bought | quiet | before | {last} if first <= day <= last)


def broken_off(stack: Stack, chance: random.Random) -> int:
    """A night that ends half-way: at once in the machine, or with some of its batches done, one of them twice."""
    if chance.randrange(2):
        machines = stack.client("stepfunctions")
        asked = {"program": year.PROGRAM, "until": night.EVER}
        arn = machines.start_execution(stateMachineArn=stack.outputs["NightArn"], input=json.dumps(asked))
        time.sleep(chance.random() / 2)
        try:
            machines.stop_execution(executionArn=arn["executionArn"])
        except ClientError:  # it was quicker, and has ended
            return 0
        return 1
    plan = invoke(stack, f"{stack_prefix(stack)}plan_night", {"program": year.PROGRAM, "until": night.EVER})
    for batch in chance.sample(plan["batches"], len(plan["batches"]) // 2) * 2:
        invoke(stack, batch["function"], batch)
    return 1


def stack_prefix(stack: Stack) -> str:
    names = [str(one["FunctionName"]) for one in stack.client("lambda").list_functions()["Functions"]]
    return next(name.removesuffix("plan_night") for name in names if name.endswith("plan_night"))


def invoke(stack: Stack, function: str, event: dict[str, Any]) -> Any:
    answer = stack.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
    assert "FunctionError" not in answer, answer
    return json.loads(answer["Payload"].read())


def go(operator: Api, moment: datetime) -> None:
    operator.post("/v1/clock", {"to": moment.isoformat()}, key=None).expect(200)
