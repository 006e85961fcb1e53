"""A year of a sandbox programme as it is deployed: the clock is moved, nights are cut off and repeated, processes of
functions are killed, and everything falls on its day, once, in the ledger and on the bus.
"""

import json
import os
import random
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from cli import night
from infra.catalogue import CATALOGUE, FromNight, FromStream
from infra.local import emulator
from infra.local.place import STACK
from loyalty.churn.store import ChurnStore
from loyalty.runtime.relay import TAKES
from tests import year
from tests.e2e import guard as guards
from tests.e2e.calls import Api
from tests.e2e.stack import Stack
from tests.e2e.test_night import Deployed

DAYS: Final = 365
BUYERS: Final = 4
SEED: Final = 11
MORTAL: Final = frozenset(
    one.name for one in CATALOGUE if isinstance(one.trigger, FromNight | FromStream) or one.name in TAKES
)
"""Functions whose processes are killed: whoever waits at a till is told to come again, which is tried elsewhere."""
HEARD: Final = {
    *year.EVENTS.values(),
    *(f"segment.{moved} {name}" for moved in ("entered", "left") for name in year.NAMES),
}


def test_a_year_goes_by_in_minutes_and_everything_falls_on_its_day_once(stack: Stack) -> None:
    programme = stack.add(year.POLICY)
    ChurnStore(stack.table).publish(year.PROGRAM, year.PARAMETERS)
    chance = random.Random(SEED)
    first = year.first_day(datetime.now(UTC))
    last = first + timedelta(days=DAYS - 1)
    buyers = year.buyers(SEED, first, BUYERS)
    lives = [year.lived(buyer, last) for buyer in buyers]
    cut_off, killer = 0, Killer(stack, random.Random(SEED))
    impatient(stack)
    with stack.api(programme.tokens["operator"]) as operator, hearing(stack) as bus:
        go(operator, year.morning(first))
        cards = [{"identities": [f"card:{number}"]} for number in range(BUYERS)]
        members = [str(operator.post("/v1/members", card).expect(201)["id"]) for card in cards]
        operator.post("/v1/segments", {"source": year.SEGMENTS}, key=None).expect(200)
        stack.settle()
        for day in stops(lives, first, last, chance):
            go(operator, year.morning(day))
            if chance.randrange(6) == 0:
                cut_off += broken_off(stack, chance)
            deadly = chance.randrange(4) == 0
            with killer.at_large() if deadly else nullcontext():
                for _ in range(1 + (chance.randrange(8) == 0)):
                    run_to_the_end(stack, deadly=deadly)
                stack.settle()
            for member, life in zip(members, lives, strict=True):
                for act in life.acts.get(day, ()):
                    go(operator, year.noon(day))
                    route, body = year.request(member, day, act)
                    answer = operator.post(route.removeprefix("POST ").format(id=member), body).expect(201)
                    assert act[0] != "renewal" or answer["points"] == act[1]
            if any(day in life.acts for life in lives):
                with killer.at_large() if deadly else nullcontext():
                    stack.settle()
        heard = bus()
        for member, life in zip(members, lives, strict=True):
            entries = operator.get(f"/v1/members/{member}/entries?limit=100").expect(200)
            assert "next" not in entries
            assert year.found(entries["entries"]) == life.told
            assert Counter(what for what in heard.get(member, {}).values() if what[1] in HEARD) == life.heard
            assert operator.get(f"/v1/members/{member}/verification").expect(200)["ok"]
            assert operator.get(f"/v1/members/{member}/balance").expect(200)["balance"]["available"] == life.balance
        assert operator.get("/v1/night").expect(200)["aside"] == []
    assert {what.rstrip("0123456789 ") for life in lives for _, what in life.told} == {*year.EVENTS}
    assert cut_off > 5
    assert killer.killed > 20


def impatient(stack: Stack) -> None:
    """Have the queues behind the relay bring again in seconds what died in a function, not in minutes, and as often as
    it takes.
    """
    sqs = stack.client("sqs")
    for name in TAKES:
        queue = sqs.get_queue_url(QueueName=f"{STACK}-{name}")["QueueUrl"]
        given = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])["Attributes"]
        often = json.dumps({**json.loads(given["RedrivePolicy"]), "maxReceiveCount": 1_000})
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "3", "RedrivePolicy": often})


def stops(lives: list[year.Life], first: date, last: date, chance: random.Random) -> list[date]:
    """Every day on which something is due or done, the one before some of them, and some on which nothing is; the days
    between them are made up for by the next night, which would write what is not expected.
    """
    due = {day for life in lives for day, _ in [*life.told, *life.moves]} | {day for life in lives for day in life.acts}
    quiet = {first + timedelta(days=ahead) for ahead in range(0, DAYS, 28)}
    before = {day - timedelta(days=1) for day in sorted(due) if chance.randrange(4) == 0}
    return sorted(day for day in due | quiet | before | {last} if first <= day <= last)


def run_to_the_end(stack: Stack, *, deadly: bool) -> None:
    """A night, begun again when so much of it died that its machine gave up."""
    for _ in range(5):
        status = night.execute(Deployed(stack), year.PROGRAM, pause=0.05)["status"]
        if status == "SUCCEEDED":
            return
        assert status == "FAILED", status
        assert deadly, "nobody was killed, and the night failed"
    raise AssertionError("five nights failed, one after the other")


class Killer:
    """Kills processes of functions, one after the other, while it is at large."""

    def __init__(self, stack: Stack, chance: random.Random) -> None:
        said = emulator.about(stack.place)
        assert said is not None
        self._emulator, self._group = said["pid"], os.getpgid(said["pid"])
        self._chance = chance
        self.killed = 0

    @contextmanager
    def at_large(self) -> Iterator[None]:
        """One or two processes die, if any run meanwhile: more would only die of starting."""
        done = threading.Event()
        hunts = threading.Thread(target=self._hunt, args=(done,))
        hunts.start()
        try:
            yield
        finally:
            done.set()
            hunts.join()

    def _hunt(self, done: threading.Event) -> None:
        left = self._chance.randrange(1, 3)
        while left and not done.wait(self._chance.uniform(0.05, 0.5)):
            there = [one for one in guards.living(self._group) if one != self._emulator and _function(one) in MORTAL]
            if there:
                with suppress(ProcessLookupError):
                    os.kill(self._chance.choice(there), signal.SIGKILL)
                    self.killed += 1
                    left -= 1


def _function(process: int) -> str:
    """The name in the catalogue of the function that a process runs; empty for any other process."""
    try:
        environment = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    named = next((one for one in environment if one.startswith(b"AWS_LAMBDA_FUNCTION_NAME=")), b"")
    return named.partition(b"=")[2].decode().rpartition("-")[2]


@contextmanager
def hearing(stack: Stack) -> Iterator[Any]:
    """What the bus tells of the programme: called, it gives (day, what) by id of the event, by member."""
    events, sqs = stack.client("events"), stack.client("sqs")
    name, bus = f"year-{secrets.token_hex(4)}", stack.outputs["EventBusName"]
    hidden = {"VisibilityTimeout": "43200"}  # what was taken is not given again, however long it is until it is deleted
    queue = sqs.create_queue(QueueName=name, Attributes=hidden)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"detail": {"program": [year.PROGRAM]}}))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])

    def all_of_it() -> dict[str, dict[str, tuple[date, str]]]:
        told: dict[str, dict[str, tuple[date, str]]] = {}
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                body = json.loads(message["Body"])
                kind, detail = body["detail-type"], body["detail"]
                moment = detail.get("recorded_at") or detail.get("occurred_at")
                if moment:
                    day = datetime.fromisoformat(moment).astimezone(year.ZONE).date()
                    what = f"{kind} {detail['segment']}" if "segment" in detail else kind
                    told.setdefault(detail["member"], {})[detail["id"]] = (day, what)
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return told

    yield all_of_it
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name=name, EventBusName=bus)
    sqs.delete_queue(QueueUrl=queue)


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
