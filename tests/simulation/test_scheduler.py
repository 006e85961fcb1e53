"""The scheduler itself: every schedule is tried, equal ones are counted and not walked, and a run can be had again."""

import subprocess
import sys
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError

from tests.simulation.dynamodb import TABLE, Engine
from tests.simulation.explore import Found, Recorded, Run, Seeded, every_schedule, many_seeds, replay
from tests.simulation.scheduler import ALL_FAULTS, NO_FAULTS, Choices, Fault, Faults, Simulation

COUNTER = {"pk": {"S": "counter"}, "sk": {"S": "1"}}
BESIDE = {"pk": {"S": "beside"}, "sk": {"S": "1"}}


@dataclass
class Counting:
    """Writers that count up; `careful` ones write only over what they have read."""

    writers: int = 2
    rounds: int = 2
    careful: bool = True
    paired: bool = False
    consistent: bool = True
    faults: Faults = NO_FAULTS
    name: str = "counting"
    ends: set[int] = field(default_factory=set)

    def begin(self, choices: Choices) -> Run:
        return _Counting(self, choices)


class _Counting:
    def __init__(self, scenario: Counting, choices: Choices) -> None:
        self.scenario = scenario
        self.simulation = Simulation(Engine(), choices, faults=scenario.faults)
        self.operations = scenario.writers * scenario.rounds
        for number in range(scenario.writers):
            self.simulation.spawn(f"w{number}", self._count_up)

    def _read(self) -> int:
        simulation, consistent = self.simulation, self.scenario.consistent

        def read(key: dict[str, Any]) -> int:
            item = simulation.client.get_item(TableName=TABLE, Key=key, ConsistentRead=consistent).get("Item")
            return int(item["n"]["N"]) if item else 0

        if self.scenario.paired:
            return simulation.together(lambda: read(COUNTER), lambda: read(BESIDE))[0]
        return read(COUNTER)

    def _count_up(self) -> None:
        for _ in range(self.scenario.rounds):
            self._count()

    def _count(self) -> None:
        while True:
            try:
                self._try()
            except (ClientError, BotoCoreError):
                continue
            return

    def _try(self) -> None:
        seen = self._read()
        condition: dict[str, Any] = {}
        if self.scenario.careful:
            condition = {"ConditionExpression": "attribute_not_exists(pk)"}
            if seen:
                condition = {"ConditionExpression": "n = :n", "ExpressionAttributeValues": {":n": {"N": str(seen)}}}
        item = {**COUNTER, "n": {"N": str(seen + 1)}}
        self.simulation.client.put_item(TableName=TABLE, Item=item, **condition)

    def check(self) -> None:
        items = self.simulation.engine.items()
        self.scenario.ends.add(int(items[0]["n"]["N"]) if items else 0)
        if self.scenario.careful:
            assert self.scenario.ends == {self.operations}, self.scenario.ends


def test_the_number_of_schedules_is_that_of_all_interleavings() -> None:
    tried = every_schedule(Counting(careful=False, rounds=2), prune=False)
    assert tried.schedules == tried.runs == 70  # two writers of four calls: 8! / (4! 4!)


def test_leaving_known_states_out_changes_neither_the_count_nor_what_can_be_reached() -> None:
    variants: tuple[Counting, ...] = (
        Counting(careful=False),
        Counting(careful=True),
        Counting(careful=False, paired=True, rounds=1),
        Counting(careful=False, consistent=False, rounds=1),
        Counting(careful=False, rounds=1, faults=Faults(ALL_FAULTS, 1)),
        Counting(careful=True, rounds=1, faults=Faults((Fault.THROTTLE, Fault.FAIL, Fault.CONFLICT), 2)),
    )
    for variant in variants:
        again = replace(variant, ends=set())
        walked, pruned = every_schedule(variant, prune=False), every_schedule(again)
        assert walked.schedules == pruned.schedules
        assert variant.ends == again.ends
        assert pruned.runs <= walked.runs


def test_a_lost_update_is_found_and_can_be_had_again_from_its_schedule() -> None:
    class Strict(Counting):
        def begin(self, choices: Choices) -> Run:
            run = _Counting(self, choices)
            run.check = lambda: _no_update_is_lost(run)  # type: ignore[method-assign]  # a stricter judge
            return run

    scenario = Strict(careful=False)
    with pytest.raises(Found) as found:
        every_schedule(scenario)
    with pytest.raises(Found) as by_chance:
        many_seeds(scenario, range(100))
    assert by_chance.value.seed is not None
    for each in (found.value, by_chance.value):
        with pytest.raises(Found) as again:
            replay(scenario, each.schedule)
        assert again.value.schedule == each.schedule
        assert str(again.value.cause) == str(each.cause)
        assert str(each.schedule).replace(" ", "") in str(each).replace(" ", "")


def _no_update_is_lost(run: _Counting) -> None:
    (item,) = run.simulation.engine.items()
    assert item["n"]["N"] == "4", f"counted {item['n']['N']} of 4"


def test_two_reads_of_one_writer_come_in_either_order_and_others_in_between() -> None:
    orders = set()

    class Watched(Counting):
        def begin(self, choices: Choices) -> Run:
            run = _Counting(self, choices)
            run.check = lambda: orders.add(  # type: ignore[method-assign]  # only what happened matters here
                tuple(label.split("(")[0] for label in run.simulation.trace)
            )
            return run

    every_schedule(Watched(writers=2, rounds=1, careful=False, paired=True), prune=False)
    assert ("w0.a GetItem", "w0.b GetItem", "w0 PutItem", "w1.a GetItem", "w1.b GetItem", "w1 PutItem") in orders
    assert ("w0.b GetItem", "w1.a GetItem", "w1.b GetItem", "w1 PutItem", "w0.a GetItem", "w0 PutItem") in orders
    assert len(orders) == 20 * 4  # 6! / (3! 3!) interleavings, twice two orders of reads


def test_an_eventually_consistent_read_may_miss_changes_and_a_consistent_one_never_does() -> None:
    stale, fresh = Counting(writers=1, careful=False, consistent=False), Counting(writers=1, careful=False)
    every_schedule(stale)
    every_schedule(fresh)
    assert stale.ends == {1, 2}
    assert fresh.ends == {2}


@pytest.mark.parametrize(
    ("fault", "error", "counted"),
    [
        (Fault.FAIL, "InternalServerError", {0}),
        (Fault.THROTTLE, "ThrottlingException", {0}),
        (Fault.CONFLICT, "TransactionConflictException", {0}),
        (Fault.LOSE, "", {1}),
        (Fault.LATE, "", {0, 1}),
        (Fault.REPEAT, "ConditionalCheckFailedException", {1}),
        (Fault.KILL, "killed", {0}),
        (Fault.KILL_AFTER, "killed", {1}),
    ],
)
def test_each_fault_does_what_it_says(fault: Fault, error: str, counted: set[int]) -> None:
    seen: set[str] = set()
    ends: set[int] = set()

    class Once:
        name = "once"

        def begin(self, choices: Choices) -> Run:
            return _Once(choices)

    class _Once:
        operations = 1

        def __init__(self, choices: Choices) -> None:
            self.simulation = Simulation(Engine(), choices, faults=Faults((fault,), 1))
            self.simulation.when_killed = lambda name: seen.add("killed")
            self.simulation.spawn("w", self._put)

        def _put(self) -> None:
            try:
                self.simulation.client.put_item(
                    TableName=TABLE, Item=COUNTER, ConditionExpression="attribute_not_exists(pk)"
                )
            except ClientError as answer:
                seen.add(answer.response["Error"]["Code"])
            except (ConnectionClosedError, ReadTimeoutError):
                seen.add("")
            finally:
                seen.discard("nothing")

        def check(self) -> None:
            if any("!" in label for label in self.simulation.trace):
                ends.add(len(self.simulation.engine.items()))

    every_schedule(Once())
    assert seen == {error}
    assert ends == counted


def test_a_dead_writer_never_runs_again_not_even_its_last_words() -> None:
    words: list[str] = []

    def work() -> None:
        try:
            simulation.client.get_item(TableName=TABLE, Key=COUNTER, ConsistentRead=True)
        except Exception:  # noqa: BLE001 - the point: even this does not see a death
            words.append("caught")
        finally:
            simulation.client.put_item(TableName=TABLE, Item=COUNTER)
            words.append("last words")

    simulation = Simulation(Engine(), Recorded([1]), faults=Faults((Fault.KILL,), 1))
    simulation.spawn("w", work)
    simulation.run()
    assert simulation.trace == ["w GetItem(counter/1) !kill"]
    assert words == []
    assert simulation.engine.items() == []


def test_the_clock_moves_only_when_the_schedule_says_so() -> None:
    readings = set()

    class Ticking:
        name = "ticking"

        def begin(self, choices: Choices) -> Run:
            return _Ticking(choices)

    class _Ticking:
        operations = 1

        def __init__(self, choices: Choices) -> None:
            self.times: list[int] = []
            self.simulation = Simulation(Engine(), choices, now=100, ticks=[200])
            self.simulation.spawn("w", self._read)

        def _read(self) -> None:
            for _ in range(2):
                self.times.append(self.simulation.now())
                self.simulation.client.get_item(TableName=TABLE, Key=COUNTER, ConsistentRead=True)

        def check(self) -> None:
            readings.add(tuple(self.times))

    every_schedule(Ticking())
    assert readings == {(100, 100), (100, 200)}


def _labels(seed: int) -> list[str]:
    from tests.simulation.stories import EVERY_FAULT, PAIRS

    traces = []
    for story in PAIRS:
        run = story.with_faults(EVERY_FAULT).begin(Seeded(seed))
        run.simulation.run()
        traces += run.simulation.trace
    return traces


def test_the_same_seed_gives_the_same_run_in_any_process() -> None:
    first = _labels(7)
    assert first == _labels(7)
    assert first != _labels(8)
    script = "import sys; from tests.simulation.test_scheduler import _labels; sys.stdout.write('\\n'.join(_labels(7)))"
    for hash_seed in ("1", "2"):
        again = subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert again.stdout.splitlines() == first


def test_a_run_that_never_ends_is_stopped() -> None:
    def for_ever() -> None:
        while True:
            simulation.client.get_item(TableName=TABLE, Key=COUNTER, ConsistentRead=True)

    simulation = Simulation(Engine(), Recorded([]))
    simulation.spawn("w", for_ever)
    with pytest.raises(AssertionError, match="not finished"):
        simulation.run()
