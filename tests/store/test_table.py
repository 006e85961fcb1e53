"""What every store stands on, asked of each engine: shapes, conditions, pages, what a refused write gives back."""

from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Cancelled, Condition, ConditionFailed, Delete, Item, Put
from tests.engines import DYNAMODB_LOCAL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.conftest import TableOn


@pytest.fixture
def rows(table: "tuple[DynamoDBClient, str]") -> Table:
    client, name = table
    return Table(cast("Any", client), name)


def item(pk: str, sk: str, **rest: str | int) -> Item:
    return {"pk": pk, "sk": sk, **rest}


def test_an_item_comes_back_as_it_was_written(rows: Table) -> None:
    written = item("p", "s", body='{"ü":"€ 💶"}', count=0, below=-5, large=10**30, empty="", digits="007")
    rows.put(written)
    assert rows.get(("p", "s")) == written


def test_what_is_not_there_is_none(rows: Table) -> None:
    assert rows.get(("p", "s")) is None
    assert rows.get(("p", "s"), consistent=False) is None
    assert rows.find("p", "r") is None
    assert rows.page("p", limit=5) == ([], None)
    assert list(rows.walk("p")) == []


def test_a_put_without_condition_replaces_the_whole_item(rows: Table) -> None:
    rows.put(item("p", "s", old="x"))
    rows.put(item("p", "s", new="y"))
    assert rows.get(("p", "s")) == item("p", "s", new="y")


def test_a_refused_put_hands_back_all_that_stands_there(rows: Table) -> None:
    first = item("p", "s", body="first", version=1)
    rows.put(first, ABSENT)
    with pytest.raises(ConditionFailed) as refused:
        rows.put(item("p", "s", body="second", version=2), ABSENT)
    assert refused.value.item == first
    assert rows.get(("p", "s")) == first


def test_a_condition_on_an_item_that_is_not_there_hands_back_none(rows: Table) -> None:
    with pytest.raises(ConditionFailed) as refused:
        rows.put(item("p", "s", version=2), Condition("#version = :v", {"v": 1}))
    assert refused.value.item is None


def test_a_versioned_put_goes_through_once(rows: Table) -> None:
    rows.put(item("p", "s", version=1))
    rows.put(item("p", "s", version=2), Condition("#version = :v", {"v": 1}))
    with pytest.raises(ConditionFailed) as refused:
        rows.put(item("p", "s", version=2), Condition("#version = :v", {"v": 1}))
    assert refused.value.item == item("p", "s", version=2)


def test_a_reserved_word_can_be_an_attribute(rows: Table) -> None:
    rows.put(item("p", "s", status="open", name="n"))
    rows.put(item("p", "s", status="shut", name="n"), Condition("#status = :s AND #name = :n", {"s": "open", "n": "n"}))
    assert rows.get(("p", "s")) == item("p", "s", status="shut", name="n")


def test_a_delete_obeys_its_condition(rows: Table) -> None:
    rows.put(item("p", "s", version=1))
    with pytest.raises(ConditionFailed) as refused:
        rows.delete(("p", "s"), Condition("#version = :v", {"v": 9}))
    assert refused.value.item == item("p", "s", version=1)
    rows.delete(("p", "s"), Condition("#version = :v", {"v": 1}))
    assert rows.get(("p", "s")) is None
    rows.delete(("p", "s"))


def test_a_reference_is_found_in_its_own_partition_at_once(rows: Table) -> None:
    for number in range(30):
        rows.put(item("p", f"E#{number:03d}", ref=f"key {number}", body="x" * 300))
        assert rows.find("p", f"key {number}") == f"E#{number:03d}"
    rows.put(item("q", "E#900", ref="key 7"))
    rows.put(item("p", "no reference"))
    assert rows.find("p", "key 7") == "E#007"
    assert rows.find("q", "key 7") == "E#900"
    assert rows.find("q", "key 8") is None
    assert rows.find("p", "key") is None


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 7, 50])
def test_pages_join_without_gap_or_overlap(rows: Table, limit: int, newest_first: bool) -> None:
    wanted = [f"E#{number:03d}" for number in range(21)]
    for sk in wanted:
        rows.put(item("p", sk))
    rows.put(item("o", "E#000"))
    rows.put(item("q", "E#000"))
    seen: list[str] = []
    after = None
    while True:
        page, after = rows.page("p", limit=limit, newest_first=newest_first, after=after)
        assert len(page) <= limit
        seen += [str(each["sk"]) for each in page]
        if after is None:
            break
    assert seen == (wanted[::-1] if newest_first else wanted)


def test_a_prefix_limits_a_walk(rows: Table) -> None:
    for sk in ("ORDER", "WAIT#1", "WAIT#2", "WAITING", "X"):
        rows.put(item("p", sk))
    assert [each["sk"] for each in rows.walk("p", prefix="WAIT#", page_size=1)] == ["WAIT#1", "WAIT#2"]


def test_a_walk_goes_on_where_the_engine_cuts_a_page_at_one_megabyte(rows: Table) -> None:
    for number in range(9):
        rows.put(item("p", f"E#{number}", body="x" * 300_000))
    assert [each["sk"] for each in rows.walk("p")] == [f"E#{number}" for number in range(9)]


def test_a_transaction_writes_all(rows: Table) -> None:
    rows.put(item("p", "gone"))
    rows.put(item("p", "old", version=1))
    rows.transact(
        [
            Put(item("p", "a", ref="r"), ABSENT),
            Put(item("q", "b")),
            Put(item("p", "old", version=2), Condition("#version = :v", {"v": 1})),
            Delete(("p", "gone")),
        ]
    )
    assert rows.get(("p", "a")) == item("p", "a", ref="r")
    assert rows.find("p", "r") == "a"
    assert rows.get(("q", "b")) == item("q", "b")
    assert rows.get(("p", "old")) == item("p", "old", version=2)
    assert rows.get(("p", "gone")) is None


def test_a_refused_transaction_writes_nothing_and_says_which_and_what_stands_there(rows: Table) -> None:
    rows.put(item("p", "taken", body="mine", version=4))
    with pytest.raises(Cancelled) as refused:
        rows.transact(
            [
                Put(item("p", "free"), ABSENT),
                Put(item("p", "taken", body="yours"), ABSENT),
                Put(item("p", "absent"), Condition("#version = :v", {"v": 1})),
            ]
        )
    assert refused.value.failed == {1: item("p", "taken", body="mine", version=4), 2: None}
    assert rows.get(("p", "free")) is None
    with pytest.raises(Cancelled) as refused:
        rows.transact([Delete(("p", "taken"), Condition("#version = :v", {"v": 3}))])
    assert refused.value.failed == {0: item("p", "taken", body="mine", version=4)}


def test_attributes_of_unknown_types_are_read_and_not_dropped(rows: Table, table: "tuple[DynamoDBClient, str]") -> None:
    client, name = table
    odd: dict[str, Any] = {
        "flag": {"BOOL": True},
        "nothing": {"NULL": True},
        "list": {"L": [{"S": "a"}]},
        "map": {"M": {"a": {"N": "1"}}},
        "binary": {"B": b"\x00\xff"},
        "set": {"SS": ["a"]},
        "fraction": {"N": "1.5"},
    }
    client.put_item(TableName=name, Item={"pk": {"S": "p"}, "sk": {"S": "s"}, **odd})
    read = rows.get(("p", "s"))
    assert read is not None
    assert set(read) == {"pk", "sk", *odd}
    assert all(isinstance(read[attribute], str) for attribute in odd)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"pk": 5, "sk": "s"}, id="key of another type"),
        pytest.param({"pk": "p"}, id="no sort key"),
        pytest.param({"pk": "p", "sk": ""}, id="empty key"),
        pytest.param({"pk": "p", "sk": "s", "body": "x" * 500_000}, id="too large"),
    ],
)
def test_an_item_that_does_not_fit_the_table_is_an_error_and_not_written(rows: Table, broken: Item) -> None:
    with pytest.raises(ClientError) as refused:
        rows.put(broken)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert list(rows.walk("p")) == []


def test_a_reference_of_another_type_is_refused_by_the_real_engine(table_on: "TableOn") -> None:
    client, name = table_on(DYNAMODB_LOCAL)  # moto lets it in, so it is not asked
    rows = Table(cast("Any", client), name)
    with pytest.raises(ClientError) as refused:
        rows.put(item("p", "s", ref=7))
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert list(rows.walk("p")) == []


def test_a_table_that_is_not_there_is_an_error(table: "tuple[DynamoDBClient, str]") -> None:
    rows = Table(cast("Any", table[0]), "no-such-table")
    with pytest.raises(ClientError) as refused:
        rows.get(("p", "s"))
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_batch_gives_what_there_is_of_more_than_one_request_may_ask_for(rows: Table) -> None:
    written = {
        (f"p{number % 7}", f"s{number:03d}"): item(f"p{number % 7}", f"s{number:03d}", n=number)
        for number in range(120)
    }
    for one in written.values():
        rows.put(one)
    wanted = [*written, ("p0", "nothing"), *written]
    assert rows.batch_get(wanted) == written
    assert rows.batch_get([("p", "nothing")]) == {}
    assert rows.batch_get([]) == {}
