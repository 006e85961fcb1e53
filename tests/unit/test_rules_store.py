"""Rule sets in the table: nothing that was published changes, and of two who publish at once one is refused."""

import pytest

from loyalty.errors import Corrupt
from loyalty.rules.seal import Unsealed, derived, opened_rules, seal, sealed_rules, unseal
from loyalty.rules.store import PART, RuleStore
from loyalty.rules.versions import MAX_PREVIOUS, Act, Blob, Current, Written, is_id, new_id, version_of
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import Cancelled, ConditionFailed
from tests.simulation.dynamodb import TABLE, Client, Engine
from tests.unit.rule_versions import KEY, NOW, PROGRAM, built, publish, put_in_force, rate
from tests.unit.running import in_turn


@pytest.fixture
def table() -> Table:
    return Table(Client(Engine()), TABLE, in_turn)


@pytest.fixture
def store(table: Table) -> RuleStore:
    return RuleStore(table)


def written(number: int) -> Written:
    return Written(new_id(number, bytes(10)), f"set {number}", "", Blob("", 1), NOW, "cli_x")


@pytest.mark.parametrize("size", [0, 1, PART // 4 * 3 - 1, PART // 4 * 3, PART // 4 * 3 + 1, 3 * PART])
def test_a_text_of_any_length_is_read_back(store: RuleStore, size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    blob = store.put_blob(PROGRAM, content)
    assert blob.parts == max(1, -(-(-(-size // 3) * 4) // PART))
    assert store.blob(PROGRAM, blob) == content
    assert store.put_blob(PROGRAM, content) == blob


def test_no_item_is_larger_than_the_database_takes(table: Table, store: RuleStore) -> None:
    store.put_blob(PROGRAM, b"x" * 2_000_000)
    items = list(table.walk(keys.rules_partition(PROGRAM)))
    assert len(items) == 8
    assert max(sum(len(str(value)) for value in item.values()) for item in items) < 360_000


def test_a_text_with_a_part_missing_or_changed_is_not_taken_for_it(table: Table, store: RuleStore) -> None:
    blob = store.put_blob(PROGRAM, b"a" * PART)
    second = keys.rules_blob(PROGRAM, blob.digest, 1)
    item = table.get(second)
    assert item is not None
    for broken in ("", str(item["body"])[:-4], "é" + str(item["body"])[1:], "A" + str(item["body"])[1:]):
        table.put({**item, "body": broken})
        with pytest.raises(Corrupt):
            store.blob(PROGRAM, blob)
    table.put(item)
    assert store.blob(PROGRAM, blob) == b"a" * PART
    table.delete(second)
    with pytest.raises(Corrupt):
        store.blob(PROGRAM, blob)


def test_rule_sets_are_listed_from_the_newest_in_pages_and_nothing_else_is(store: RuleStore) -> None:
    for number in range(5):
        store.add(PROGRAM, written(number))
    store.add("baker", written(9))
    publish(store, 3, 1)
    first, after = store.page(PROGRAM, 4, None)
    rest, end = store.page(PROGRAM, 4, after)
    assert [one.name for one in (*first, *rest)] == ["set 4", "set 3", "set 2", "rate", "set 0"]
    assert end is None
    assert after == first[-1].id


def test_an_id_is_used_once(store: RuleStore) -> None:
    store.add(PROGRAM, written(1))
    with pytest.raises(ConditionFailed):
        store.add(PROGRAM, written(1))


def test_before_anything_is_published_nothing_is_in_force(store: RuleStore) -> None:
    assert store.current(PROGRAM) == Current()
    assert store.version(PROGRAM, 1) is None
    assert store.written(PROGRAM, new_id(1, bytes(10))) is None


def test_of_two_who_publish_at_once_one_is_refused(store: RuleStore) -> None:
    for points in (1, 2):  # the very first publish, and a later one
        before = store.current(PROGRAM)
        mine, yours = (built(store, rate(points + more), before.newest + 1) for more in (0, 10))
        store.move(PROGRAM, before, before.published(mine, actor="a", now=NOW))
        with pytest.raises(Cancelled) as refused:
            store.move(PROGRAM, before, before.published(yours, actor="b", now=NOW))
        assert set(refused.value.failed) == {0}
        assert store.current(PROGRAM).version == mine


def test_versions_stay_when_others_follow(store: RuleStore) -> None:
    versions = [publish(store, points, points) for points in (1, 2, 3)]
    for version in versions:
        assert store.version(PROGRAM, version.number) == version
        assert opened_rules(store.blob(PROGRAM, version.tree), [KEY], PROGRAM, version.number) == rate(version.number)
    assert store.current(PROGRAM).version == versions[-1]


def test_going_back_goes_through_the_versions_that_were_in_force(store: RuleStore) -> None:
    one, two, three = (publish(store, points, points) for points in (1, 2, 3))
    current = store.current(PROGRAM)
    assert (current.number, current.previous, current.revision) == (3, (0, 1, 2), 3)
    current = current.rolled_back(two, actor="a", now=NOW)
    assert (current.number, current.previous, current.newest, current.act) == (2, (0, 1), 3, "rollback")
    current = current.published(three, actor="a", now=NOW)
    assert (current.number, current.previous) == (3, (0, 1, 2))
    for before in (two, one, None):
        current = current.rolled_back(before, actor="a", now=NOW)
    assert (current.number, current.previous, current.newest) == (0, (), 3)


def test_who_put_what_in_force_is_kept(store: RuleStore) -> None:
    one, _ = publish(store, 1, 1), publish(store, 2, 2)
    before = store.current(PROGRAM)
    store.move(PROGRAM, before, before.rolled_back(one, actor="b", now=NOW + 5))
    assert store.acts(PROGRAM, 2) == [Act("rollback", 1, 2, "b", NOW + 5), Act("publish", 2, 1, "cli_x", NOW)]
    assert store.acts(PROGRAM, 9)[2:] == [Act("publish", 1, 0, "cli_x", NOW)]


def test_the_same_version_again_is_no_step(store: RuleStore) -> None:
    version = publish(store, 1, 1)
    put_in_force(store, version)
    current = store.current(PROGRAM)
    assert (current.number, current.previous, current.revision) == (1, (0,), 2)


def test_so_many_steps_back_are_remembered() -> None:
    current = Current()
    store = RuleStore(Table(Client(Engine()), TABLE, in_turn))
    version = built(store, rate(1), 1)
    for number in range(1, MAX_PREVIOUS + 5):
        current = current.published(
            version.__class__(number, "r", "", version.tree, version.artifact), actor="a", now=1
        )
    assert current.previous == tuple(range(4, MAX_PREVIOUS + 4))


def test_what_is_stored_otherwise_is_said_to_be_corrupt(table: Table, store: RuleStore) -> None:
    pk, sk = keys.rules_current(PROGRAM)
    for item in ({}, {"body": "{}}"}, {"body": '{"revision": "x"}'}):
        table.put({keys.PK: pk, keys.SK: sk, **item})
        with pytest.raises(Corrupt):
            store.current(PROGRAM)


def test_a_seal_is_for_one_thing_of_one_version_of_one_programme() -> None:
    sealed = sealed_rules(rate(1), KEY, 1)
    assert opened_rules(sealed, [b"o" * 64, KEY], PROGRAM, 1) == rate(1)
    for keys_, program, number in (
        ([b"o" * 64], PROGRAM, 1),
        ([KEY], "baker", 1),
        ([KEY], PROGRAM, 2),
        ([], PROGRAM, 1),
    ):
        with pytest.raises(Unsealed):
            opened_rules(sealed, keys_, program, number)
    with pytest.raises(Unsealed):
        unseal(sealed, [derived(KEY, "artifact", PROGRAM, 1)])


def test_every_changed_byte_breaks_a_seal() -> None:
    sealed = seal(b"content", KEY)
    assert unseal(sealed, [KEY]) == b"content"
    for place in range(len(sealed)):
        broken = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(Unsealed):
            unseal(broken, [KEY])
    for short in (b"", sealed[:31], sealed[:-1]):
        with pytest.raises(Unsealed):
            unseal(short, [KEY])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("v1", 1),
        ("v12", 12),
        ("v0", None),
        ("v", None),
        ("v01", None),
        ("12", None),
        ("v1\n", None),
        ("v9999999999", None),
    ],
)
def test_a_version_is_named_by_v_and_its_number(text: str, number: int | None) -> None:
    assert version_of(text) == number


def test_an_id_is_known_by_its_shape() -> None:
    assert is_id(new_id(NOW * 1000, bytes(10)))
    assert not any(map(is_id, ("", "rls_1", "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV", new_id(1, bytes(10)) + "\n", "current")))
