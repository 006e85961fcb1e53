"""Running copies and rule sets: what is in force is taken up in time, and nothing that is broken stops a till."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest

from loyalty.errors import Corrupt, Unavailable
from loyalty.rules import artifact, compiler
from loyalty.rules.compiled import Compiled
from loyalty.rules.evaluation import Loaded
from loyalty.rules.interpret import Interpreter
from loyalty.rules.seal import derived
from loyalty.rules.store import RuleStore
from loyalty.rules.versions import Blob, Version
from loyalty.runtime import observability
from loyalty.runtime.config import config
from loyalty.runtime.rules import DEGRADED, MAX_KEPT, MEND_SECONDS, REFRESH_SECONDS, RETRY_SECONDS, STALE, Loader
from loyalty.table import keys
from loyalty.table.client import Table
from tests.simulation.dynamodb import TABLE, Call, Client, Engine
from tests.unit.rule_versions import KEY, NOW, PROGRAM, built, gives, publish, put_in_force, rate
from tests.unit.running import in_turn

OTHER = b"o" * 64


@dataclass
class Copy:
    """A running copy of a function over the simulated table. ``fault`` is what becomes of a call instead."""

    engine: Engine = field(default_factory=Engine)
    moment: float = 1000.0
    sealed_with: tuple[bytes, ...] | Exception = (KEY,)
    calls: list[str] = field(default_factory=list)
    asked: int = 0
    counted: list[tuple[str, str]] = field(default_factory=list)
    fault: Callable[[Call], Exception | None] = lambda call: None

    def __post_init__(self) -> None:
        self.table = Table(Client(self.engine, self._gate), TABLE, in_turn)
        self.store = RuleStore(self.table)
        self.loader = self.fresh()

    def fresh(self) -> Loader:
        """As after a start."""
        self.loader = Loader(self.store, self._keys, lambda: self.moment, lambda: NOW)
        return self.loader

    def _keys(self) -> Sequence[bytes]:
        self.asked += 1
        if isinstance(self.sealed_with, Exception):
            raise self.sealed_with
        return self.sealed_with

    def _gate(self, call: Call) -> dict[str, Any]:
        self.calls.append(call.operation)
        error = self.fault(call)
        if error is not None:
            raise error
        return call.perform()

    def serves(self) -> int:
        """Points for 1.00 now; 0 where it is the policy's own rate."""
        loaded = self.loader.current(PROGRAM)
        return gives(loaded.evaluator) if loaded else 0

    def later(self, seconds: float = REFRESH_SECONDS) -> int:
        self.moment += seconds
        return self.serves()

    def spoil(self, blob: Blob, change: Callable[[bytes], bytes] | None) -> None:
        """Change a stored text under its own name, as only somebody with rights on the table could, or remove it."""
        content = self.store.blob(PROGRAM, blob)
        for part in range(blob.parts):
            self.table.delete(keys.rules_blob(PROGRAM, blob.digest, part))
        if change is not None:
            changed = self.store.put_blob(PROGRAM, change(content))
            for part in range(changed.parts):
                item = self.table.get(keys.rules_blob(PROGRAM, changed.digest, part))
                assert item is not None
                self.table.put({**item, keys.SK: keys.rules_blob(PROGRAM, blob.digest, part)[1]})


@pytest.fixture
def copy(monkeypatch: pytest.MonkeyPatch) -> Copy:
    copy = Copy()
    monkeypatch.setattr(
        observability, "count", lambda metric, *, now_ms, **further: copy.counted.append((metric, further["reason"]))
    )
    return copy


def silent(call: Call) -> Exception | None:
    return call.error("ProvisionedThroughputExceededException", "")


def denied(call: Call) -> Exception | None:
    return call.error("AccessDeniedException", "")


def reading(sk: str, error: Callable[[Call], Exception | None]) -> Callable[[Call], Exception | None]:
    """``error`` for reads of items whose sort key begins so."""

    def fault(call: Call) -> Exception | None:
        return error(call) if f'"S": "{sk}' in json.dumps(call.request) else None

    return fault


def test_without_a_rule_set_the_policy_earns_and_no_secret_is_asked_for(copy: Copy) -> None:
    assert copy.loader.current(PROGRAM) is None
    assert copy.calls == ["GetItem"]
    assert copy.asked == 0
    assert copy.counted == []


def test_what_is_in_force_is_read_once_and_looked_for_every_half_minute(copy: Copy) -> None:
    publish(copy.store, 3, 1)
    copy.calls.clear()
    assert copy.serves() == 3
    assert copy.calls == ["GetItem", "Query"]
    assert [copy.serves() for _ in range(5)] == [3] * 5
    assert copy.later(REFRESH_SECONDS - 1) == 3
    assert copy.calls == ["GetItem", "Query"]
    assert copy.later(1) == 3
    assert copy.calls == ["GetItem", "Query", "GetItem"]
    assert copy.asked == 1
    assert copy.counted == []


def test_a_publish_and_a_rollback_are_taken_up_within_half_a_minute(copy: Copy) -> None:
    one = publish(copy.store, 3, 1)
    assert copy.serves() == 3
    publish(copy.store, 5, 2)
    assert copy.later(REFRESH_SECONDS - 1) == 3
    assert copy.later(1) == 5
    before = copy.store.current(PROGRAM)
    after = before.rolled_back(one, actor="a", now=NOW)
    copy.store.move(PROGRAM, before, after)
    assert copy.later() == 3
    copy.store.move(PROGRAM, after, after.rolled_back(None, actor="a", now=NOW))
    assert copy.later() == 0
    assert copy.counted == []


def test_programmes_have_their_own(copy: Copy) -> None:
    publish(copy.store, 3, 1)
    publish(copy.store, 7, 1, program="baker")
    other = copy.loader.current("baker")
    assert other is not None
    assert (copy.serves(), gives(other.evaluator)) == (3, 7)


def test_what_an_earlier_key_sealed_still_counts(copy: Copy) -> None:
    publish(copy.store, 3, 1)
    copy.sealed_with = (OTHER, KEY)
    assert copy.serves() == 3
    assert copy.counted == []


def other_pythons(points: int) -> bytes:
    """Compiled for a Python that this is not, and otherwise right."""
    content = compiler.build(rate(points))
    assert artifact.TAG.encode() in content
    return content.replace(artifact.TAG.encode(), b"cpython-27", 1)


def _flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


ARTIFACTS: dict[str, Callable[[Copy, Version], object]] = {
    "a byte changed": lambda copy, version: copy.spoil(version.artifact, _flipped),
    "its signature gone": lambda copy, version: copy.spoil(version.artifact, lambda content: content[200:]),
    "nothing at all": lambda copy, version: copy.spoil(version.artifact, lambda content: b""),
    "missing": lambda copy, version: copy.spoil(version.artifact, None),
}


@pytest.mark.parametrize("broken", ARTIFACTS)
def test_a_broken_artifact_is_served_from_its_tree_and_counted(copy: Copy, broken: str) -> None:
    ARTIFACTS[broken](copy, publish(copy.store, 3, 1))
    assert copy.serves() == 3
    loaded = copy.loader.current(PROGRAM)
    assert loaded is not None
    assert isinstance(loaded.evaluator, Interpreter)
    assert [metric for metric, _ in copy.counted] == [DEGRADED]
    assert copy.later() == 3
    assert [metric for metric, _ in copy.counted] == [DEGRADED] * 2, "as long as it is so, it is said"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda store: built(store, rate(3), 1, content=other_pythons(3)), "Unfit"),
        (lambda store: built(store, rate(3), 1, content=b"no rules"), "Untrusted"),
    ],
)
def test_what_another_python_compiled_is_served_from_its_tree(
    copy: Copy, make: Callable[[RuleStore], Version], reason: str
) -> None:
    put_in_force(copy.store, make(copy.store))
    assert copy.serves() == 3
    assert copy.counted == [(DEGRADED, reason)]


def test_another_versions_artifact_does_not_pass_for_this_ones(copy: Copy) -> None:
    one, two = publish(copy.store, 3, 1), built(copy.store, rate(5), 2)
    put_in_force(copy.store, Version(2, two.rule_set, two.rules, two.tree, one.artifact))
    assert copy.serves() == 5
    assert copy.counted == [(DEGRADED, "Untrusted")]


def test_what_nobody_we_know_sealed_is_never_run(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_force(copy.store, built(copy.store, rate(900), 1, key=OTHER))
    run: list[bytes] = []
    monkeypatch.setattr("loyalty.rules.artifact.marshal.loads", run.append)
    assert copy.serves() == 0
    assert run == []
    assert {metric for metric, _ in copy.counted} == {DEGRADED}


@pytest.mark.parametrize(
    ("artifact_", "tree", "memory", "serves"),
    [
        (artifact_, tree, memory, 5 if artifact_ or tree else 3)
        for artifact_, tree, memory in product((True, False), repeat=3)
    ],
)
def test_the_next_best_serves(copy: Copy, artifact_: bool, tree: bool, memory: bool, serves: int) -> None:
    """Version 2 of artifact or tree as they are whole; else what was in memory, else version 1 anew."""
    publish(copy.store, 3, 1)
    if memory:
        assert copy.serves() == 3
    two = publish(copy.store, 5, 2)
    if not artifact_:
        copy.spoil(two.artifact, _flipped)
    if not tree:
        copy.spoil(two.tree, None)
    assert copy.later() == serves
    assert bool(copy.counted) is not artifact_


def test_where_nothing_can_be_loaded_the_policy_earns(copy: Copy) -> None:
    for points in (3, 5):
        version = publish(copy.store, points, points)
        copy.spoil(version.artifact, None)
        copy.spoil(version.tree, _flipped)
    assert copy.serves() == 0
    assert {metric for metric, _ in copy.counted} == {DEGRADED}


def test_what_is_mended_serves_again(copy: Copy) -> None:
    version = publish(copy.store, 3, 1)
    copy.spoil(version.artifact, None)
    assert copy.serves() == 3
    copy.store.put_blob(PROGRAM, artifact.sign(compiler.build(rate(3)), derived(KEY, "artifact", PROGRAM, 1)))
    assert copy.later(MEND_SECONDS) == 3
    loaded = copy.loader.current(PROGRAM)
    assert loaded is not None
    assert isinstance(loaded.evaluator, Compiled)
    copy.counted.clear()
    copy.later()
    assert copy.counted == []


def test_a_version_published_again_is_taken_up_at_once(copy: Copy) -> None:
    put_in_force(copy.store, built(copy.store, rate(3), 1, content=other_pythons(3)))
    assert copy.serves() == 3
    put_in_force(copy.store, built(copy.store, rate(3), 1))
    copy.later()
    loaded = copy.loader.current(PROGRAM)
    assert loaded is not None
    assert isinstance(loaded.evaluator, Compiled)


@pytest.mark.parametrize(
    "wrong", [Unavailable("STORAGE_UNAVAILABLE", ""), ValueError("no JSON"), (), (b"x" * 64,)], ids=repr
)
def test_without_the_secret_what_is_in_memory_serves_else_the_policy(
    copy: Copy, wrong: tuple[bytes, ...] | Exception
) -> None:
    publish(copy.store, 3, 1)
    assert copy.serves() == 3
    copy.sealed_with = wrong
    publish(copy.store, 5, 2)
    assert copy.later() == 3
    copy.fresh()
    assert copy.serves() == 0
    copy.sealed_with = (KEY,)
    assert copy.later() == 5


@pytest.mark.parametrize("error", [silent, denied])
def test_while_what_is_in_force_cannot_be_read_the_last_known_serves(
    copy: Copy, error: Callable[[Call], Exception | None]
) -> None:
    publish(copy.store, 3, 1)
    assert copy.serves() == 3
    publish(copy.store, 5, 2)
    copy.fault = error
    assert copy.later() == 3
    assert [metric for metric, _ in copy.counted] == [STALE]
    assert copy.later(RETRY_SECONDS - 1) == 3
    assert len(copy.counted) == 1
    assert copy.later(1) == 3
    assert len(copy.counted) == 2
    copy.fault = lambda call: None
    assert copy.later(RETRY_SECONDS) == 5


def test_a_copy_that_knows_nothing_passes_the_tables_silence_on(copy: Copy) -> None:
    publish(copy.store, 3, 1)
    for prefix in ("CURRENT", "B#"):
        copy.fresh().current("baker")
        copy.fault = reading(prefix, silent)
        with pytest.raises(Unavailable):
            copy.serves()
        copy.fault = lambda call: None
        assert copy.serves() == 3


def test_a_copy_that_knows_nothing_earns_by_the_policy_when_it_may_not_read(copy: Copy) -> None:
    publish(copy.store, 3, 1)
    copy.fault = denied
    assert copy.serves() == 0
    assert [metric for metric, _ in copy.counted] == [STALE]


def test_an_item_that_is_no_longer_what_it_was_stops_nobody(copy: Copy) -> None:
    publish(copy.store, 3, 1)
    assert copy.serves() == 3
    pk, sk = keys.rules_current(PROGRAM)
    copy.table.put({keys.PK: pk, keys.SK: sk, "body": "nonsense"})
    assert copy.later() == 3
    assert copy.counted == [(STALE, "Corrupt")]
    assert copy.fresh().current(PROGRAM) is None


def test_a_publish_while_the_table_is_silent_waits(copy: Copy) -> None:
    publish(copy.store, 3, 1)
    assert copy.serves() == 3
    publish(copy.store, 5, 2)
    copy.fault = reading("B#", silent)
    assert copy.later() == 3
    copy.fault = lambda call: None
    assert copy.later() == 5


def test_a_version_that_an_order_names_is_loaded_whatever_is_in_force(copy: Copy) -> None:
    for points in (1, 2, 3):
        publish(copy.store, points, points)
    assert copy.serves() == 3
    copy.calls.clear()
    assert [gives(copy.loader.of_version(PROGRAM, number).evaluator) for number in (3, 1, 1)] == [3, 1, 1]
    assert copy.calls == ["GetItem", "Query"]


def test_an_old_version_is_served_from_its_tree_and_refused_when_that_is_broken_too(copy: Copy) -> None:
    version = publish(copy.store, 3, 1)
    publish(copy.store, 5, 2)
    copy.spoil(version.artifact, None)
    assert gives(copy.loader.of_version(PROGRAM, 1).evaluator) == 3
    assert [metric for metric, _ in copy.counted] == [DEGRADED]
    copy.spoil(version.tree, None)
    with pytest.raises(Corrupt):
        copy.fresh().of_version(PROGRAM, 1)
    with pytest.raises(Corrupt):
        copy.loader.of_version(PROGRAM, 9)
    copy.fault = reading("B#", silent)
    with pytest.raises(Unavailable):
        copy.loader.of_version(PROGRAM, 1)


def test_so_many_old_versions_are_kept_in_memory(copy: Copy) -> None:
    for number in range(1, MAX_KEPT + 2):
        put_in_force(copy.store, built(copy.store, rate(number), number))
    seen = [copy.loader.of_version(PROGRAM, number) for number in range(1, MAX_KEPT + 2)]
    assert [one.version for one in seen] == list(range(1, MAX_KEPT + 2))
    copy.calls.clear()
    assert copy.loader.of_version(PROGRAM, 2) is seen[1]
    assert copy.calls == []
    assert copy.loader.of_version(PROGRAM, 1) == Loaded(1, copy.loader.of_version(PROGRAM, 1).evaluator)
    assert copy.calls == ["GetItem", "Query"]


def test_what_is_counted_names_the_stage_and_nothing_personal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STAGE", "prod")
    config.cache_clear()
    copy = Copy()
    copy.spoil(publish(copy.store, 3, 1).artifact, None)
    copy.serves()
    config.cache_clear()
    line = json.loads(capsys.readouterr().out)
    (metric,) = line["_aws"]["CloudWatchMetrics"]
    assert (metric["Namespace"], metric["Dimensions"]) == ("Loyalty", [["stage"]])
    assert metric["Metrics"] == [{"Name": DEGRADED, "Unit": "Count"}]
    further = {"program": PROGRAM, "version": 1, "reason": "Corrupt"}
    assert {name: value for name, value in line.items() if name != "_aws"} == {
        "level": "WARN",
        "stage": "prod",
        DEGRADED: 1,
        **further,
    }
