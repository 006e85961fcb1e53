"""The simulated DynamoDB answers as the real engine does: the same calls to both, the same answers and errors.

The judge is AWS's own engine, DynamoDB Local. moto, whose conditions go wrong in many corners, is compared on what the
product itself asks for.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engines import DYNAMODB_LOCAL, MOTO
from tests.simulation.dynamodb import Client, Engine
from tests.simulation.queries import Schema
from tests.tally import tried

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Operation = tuple[str, dict[str, Any]]
Outcome = tuple[str, Any]

_ASIDE = {
    "ResponseMetadata",
    "ConsumedCapacity",
    "ItemCollectionMetrics",
}  # told unasked; capacity has a test of its own

TEXTS = st.sampled_from(["", "a", "ab", "b", "é", "x" * 40])
NUMBERS = st.sampled_from(["0", "1", "2", "10", "-1", "1.50", "1E2", "007", "0.30"])
SCALARS = st.one_of(
    st.builds(lambda text: {"S": text}, TEXTS),
    st.builds(lambda number: {"N": number}, st.sampled_from(["0", "1", "2", "-1", "1.5"])),
    st.builds(lambda flag: {"BOOL": flag}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda data: {"B": data}, st.sampled_from([b"", b"a", b"\x00\xff"])),
)
SETS = st.one_of(
    st.builds(lambda each: {"SS": sorted(each)}, st.sets(st.sampled_from(["a", "b", "ab"]), min_size=1)),
    st.builds(lambda each: {"NS": sorted(each)}, st.sets(st.sampled_from(["1", "2", "3.5"]), min_size=1)),
)
VALUES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    SCALARS,
    st.builds(lambda number: {"N": number}, NUMBERS),  # inside lists and maps DynamoDB Local keeps them as they come
    SETS,
    st.builds(lambda each: {"L": each}, st.lists(SCALARS, max_size=3)),
    st.builds(lambda each: {"M": each}, st.dictionaries(st.sampled_from(["x", "y"]), SCALARS, max_size=2)),
)
PKS = st.sampled_from(["one", "two"])
SKS = st.sampled_from(["E#1", "E#2", "E#3", "ORDER"])
REFS = st.sampled_from(["r1", "r2", "r3"])
PATHS = st.sampled_from(["n", "s", "#a", "#m.x", "#m.#deep", "l[0]", "l[1]", "pk", "sk", "#r"])
NAMES = {"#a": "a", "#m": "m", "#deep": "y", "#r": "ref"}


class Expression:
    """Draws an expression and gathers the placeholders it uses."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}

    def path(self) -> str:
        path = self.draw(PATHS)
        for name, stands_for in NAMES.items():
            if name in path.split("."):
                self.names[name] = stands_for
        return path

    def value(self, values: st.SearchStrategy[dict[str, Any]] = VALUES) -> str:
        name = f":v{len(self.values)}"
        self.values[name] = self.draw(values)
        return name

    def test(self, depth: int = 2) -> str:
        kinds = ["exists", "missing", "=", "<>", "<", "between", "in", "begins", "contains", "type", "size"]
        kind = self.draw(st.sampled_from(kinds + (["and", "or", "not"] if depth else [])))
        if kind in ("and", "or"):
            return f"({self.test(depth - 1)} {kind.upper()} {self.test(depth - 1)})"
        ordered = st.one_of(st.builds(lambda text: {"S": text}, TEXTS), st.builds(lambda n: {"N": n}, NUMBERS))
        makers: dict[str, Callable[[], str]] = {
            "not": lambda: f"NOT {self.test(depth - 1)}",
            "exists": lambda: f"attribute_exists({self.path()})",
            "missing": lambda: f"attribute_not_exists({self.path()})",
            "=": lambda: f"{self.path()} = {self.value()}",
            "<>": lambda: f"{self.path()} <> {self.value()}",
            "<": lambda: f"{self.path()} {self.draw(st.sampled_from(['<', '<=', '>', '>=']))} {self.value(ordered)}",
            "between": self._between,
            "in": lambda: f"{self.path()} IN ({self.value()}, {self.value()})",
            "begins": lambda: f"begins_with({self.path()}, {self.value(st.just({'S': 'a'}))})",
            "contains": lambda: f"contains({self.path()}, {self.value(SCALARS)})",
            "type": lambda: f"attribute_type({self.path()}, {self.value(st.sampled_from([{'S': 'N'}, {'S': 'M'}]))})",
            "size": lambda: f"size({self.path()}) > {self.value(st.sampled_from([{'N': '0'}, {'N': '2'}]))}",
        }
        return makers[kind]()

    def _between(self) -> str:
        low, high = sorted(self.draw(st.lists(st.sampled_from(["", "a", "b", "z"]), min_size=2, max_size=2)))
        return f"{self.path()} BETWEEN {self.value(st.just({'S': low}))} AND {self.value(st.just({'S': high}))}"

    def parameters(self) -> dict[str, Any]:
        names = {"ExpressionAttributeNames": self.names} if self.names else {}
        values = {"ExpressionAttributeValues": self.values} if self.values else {}
        return {**names, **values}


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    """Nothing, or a condition with its placeholders and what to return when it fails."""
    if draw(st.integers(0, 2)) == 0:
        return {}
    expression = Expression(draw)
    text = expression.test()
    shown = draw(st.sampled_from([{}, {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}]))
    return {"ConditionExpression": text, **expression.parameters(), **shown}


@st.composite
def items(draw: st.DrawFn, sk: str | None = None) -> dict[str, Any]:
    item: dict[str, Any] = {"pk": {"S": draw(PKS)}, "sk": {"S": sk or draw(SKS)}}
    if draw(st.booleans()):
        item["ref"] = {"S": f"{draw(REFS)} {item['sk']['S']}"}  # unique in a partition: ties have no promised order
    for name in draw(st.sets(st.sampled_from(["n", "s", "a", "m", "l"]), max_size=3)):
        item[name] = draw(VALUES)
    return item


@st.composite
def keys(draw: st.DrawFn) -> dict[str, Any]:
    return {"pk": {"S": draw(PKS)}, "sk": {"S": draw(SKS)}}


@st.composite
def transactions(draw: st.DrawFn, of: st.SearchStrategy[dict[str, Any]], *, token: bool = True) -> Operation:
    """On different items: two actions on one item are refused, but DynamoDB Local forgets that for a ConditionCheck."""
    entries: list[dict[str, Any]] = []
    for key in draw(st.lists(keys(), min_size=1, max_size=3, unique_by=lambda key: (key["pk"]["S"], key["sk"]["S"]))):
        kind = draw(st.sampled_from(["Put", "Delete", "ConditionCheck"]))
        condition = dict(draw(of))
        if kind == "Put":
            entries.append({"Put": {"Item": {**draw(items(key["sk"]["S"])), **key}, **condition}})
        elif kind == "Delete":
            entries.append({"Delete": {"Key": key, **condition}})
        else:
            condition.setdefault("ConditionExpression", "attribute_exists(pk)")
            entries.append({"ConditionCheck": {"Key": key, **condition}})
    tokens = draw(st.sampled_from([{}, {}, {"ClientRequestToken": "token-1"}])) if token else {}
    return "transact_write_items", {"TransactItems": entries, **tokens}


@st.composite
def queries(draw: st.DrawFn) -> Operation:
    expression = Expression(draw)
    text = f"pk = {expression.value(st.builds(lambda pk: {'S': pk}, PKS))}"
    request: dict[str, Any] = {"ConsistentRead": True}
    if draw(st.booleans()):
        request["IndexName"] = "by_ref"
        expression.names["#ref"] = "ref"
        sort, values = "#ref", st.builds(lambda ref, sk: {"S": f"{ref} {sk}"}, REFS, SKS | st.just(""))
    else:
        sort, values = "sk", st.sampled_from([{"S": "E#"}, {"S": "E#2"}, {"S": "ORDER"}, {"S": "Z"}])
    more = draw(st.sampled_from(["", "=", "<", ">=", "begins", "between"]))
    if more == "begins":
        text += f" AND begins_with({sort}, {expression.value(values)})"
    elif more == "between":
        low, high = sorted(draw(st.lists(values, min_size=2, max_size=2)), key=lambda value: value["S"])
        text += f" AND {sort} BETWEEN {expression.value(st.just(low))} AND {expression.value(st.just(high))}"
    elif more:
        text += f" AND {sort} {more} {expression.value(values)}"
    elif sort == "#ref":
        del expression.names["#ref"]
    if draw(st.booleans()):
        request["ScanIndexForward"] = draw(st.booleans())
    if draw(st.booleans()):
        request["Limit"] = draw(st.integers(1, 3))
    if draw(st.integers(0, 3)) == 0:
        request["ProjectionExpression"] = "sk, #a, #m.x"
        expression.names |= {"#a": "a", "#m": "m"}
    return "query", {"KeyConditionExpression": text, **request, **expression.parameters()}


def operations(condition: st.SearchStrategy[dict[str, Any]], *, token: bool = True) -> st.SearchStrategy[Operation]:
    """Any call, with these conditions on writes."""
    returned = st.sampled_from([{}, {"ReturnValues": "ALL_OLD"}])
    return st.one_of(
        st.builds(lambda item, more, old: ("put_item", {"Item": item, **more, **old}), items(), condition, returned),
        st.builds(lambda key, more, old: ("delete_item", {"Key": key, **more, **old}), keys(), condition, returned),
        st.builds(lambda key: ("get_item", {"Key": key, "ConsistentRead": True}), keys()),
        transactions(condition, token=token),
        queries(),
    )


USUAL: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"},
        {
            "ConditionExpression": "#version = :version",
            "ExpressionAttributeNames": {"#version": "n"},
            "ExpressionAttributeValues": {":version": {"N": "1"}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    ]
)
"""The conditions that the product uses."""


class Pair:
    """The same calls to the simulated engine and to a real one, on partitions that belong to one example."""

    def __init__(self, client: "DynamoDBClient", table: str, example: int) -> None:
        self.real, self.simulated = client, Client(Engine({table: Schema()}), validate=False)
        self.table, self.example = table, example

    def both(self, operation: str, request: dict[str, Any]) -> tuple[list[Outcome], list[Outcome]]:
        """What each says; queries are followed to their last page."""
        request = self._placed(request)
        return (
            list(self._pages(self.simulated, operation, request)),
            list(self._pages(self.real, operation, request)),
        )

    def _placed(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request with the table's name and with partition keys and tokens of this example alone."""

        def own(value: dict[str, Any]) -> dict[str, Any]:
            return {"S": f"{self.example}-{value['S']}"} if value.get("S") in ("one", "two") else value

        def keyed(item: dict[str, Any]) -> dict[str, Any]:
            return {name: own(value) if name == "pk" else value for name, value in item.items()}

        placed = {"TableName": self.table, **request}
        for name in ("Key", "Item"):
            if name in placed:
                placed[name] = keyed(placed[name])
        if "KeyConditionExpression" in placed:
            values = placed["ExpressionAttributeValues"]
            placed["ExpressionAttributeValues"] = {name: own(value) for name, value in values.items()}
        if "TransactItems" in placed:
            del placed["TableName"]
            placed["TransactItems"] = [
                {kind: self._placed(action) for kind, action in entry.items()} for entry in placed["TransactItems"]
            ]
        if "ClientRequestToken" in placed:
            placed["ClientRequestToken"] = f"{self.table[-8:]}-{self.example}-{placed['ClientRequestToken']}"
        return placed

    def _pages(self, client: Any, operation: str, request: dict[str, Any]) -> Iterator[Outcome]:
        """Every page of an answer, except an empty last one: an engine need not know that nothing more comes."""
        kind, answer = _asked(client, operation, request)
        while kind == "answer" and "LastEvaluatedKey" in answer:
            kind, following = _asked(client, operation, {**request, "ExclusiveStartKey": answer["LastEvaluatedKey"]})
            if kind == "answer" and not following["Items"]:
                del answer["LastEvaluatedKey"]
                break
            yield "answer", answer
            answer = following
        yield kind, answer


def _asked(client: Any, operation: str, request: dict[str, Any]) -> Outcome:
    try:
        answer = getattr(client, operation)(**request)
    except ClientError as error:
        response: dict[str, Any] = dict(error.response)
        reasons = [(reason["Code"], _plain(reason.get("Item"))) for reason in response.get("CancellationReasons", [])]
        return response["Error"]["Code"], (type(error).__name__, _plain(response.get("Item")), reasons)
    return "answer", {name: _plain(part) for name, part in answer.items() if name not in _ASIDE}


def _plain(part: Any) -> Any:
    """With sets in one order: an engine may give their elements in any."""
    if isinstance(part, dict):
        return {
            name: sorted(member) if name in ("SS", "NS", "BS") and isinstance(member, list) else _plain(member)
            for name, member in part.items()
        }
    return [_plain(element) for element in part] if isinstance(part, list) else part


def _agree(client: "DynamoDBClient", table: str, calls: st.SearchStrategy[Operation], examples: int) -> None:
    example = 0

    @settings(
        max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.lists(calls, min_size=1, max_size=12))
    def agree(sequence: list[Operation]) -> None:
        nonlocal example
        example += 1
        pair = Pair(client, table, example)
        for operation, request in sequence:
            simulated, real = pair.both(operation, request)
            assert simulated == real, f"{operation} {request}"
        tried("operations", len(sequence))

    agree()


def test_any_sequence_of_calls_is_answered_as_by_dynamodb_local(
    table_on: "Callable[[str], tuple[DynamoDBClient, str]]",
) -> None:
    _agree(*table_on(DYNAMODB_LOCAL), operations(conditions()), examples=200)


def test_the_calls_of_the_product_are_answered_as_by_moto(
    table_on: "Callable[[str], tuple[DynamoDBClient, str]]",
) -> None:
    _agree(*table_on(MOTO), operations(USUAL, token=False), examples=60)  # moto ignores ClientRequestToken


ITEM = {"pk": {"S": "a"}, "sk": {"S": "b"}}
KEY = ITEM
REFUSED: dict[str, Operation] = {
    "a value that no expression uses": (
        "put_item",
        {
            "Item": ITEM,
            "ConditionExpression": "attribute_not_exists(pk)",
            "ExpressionAttributeValues": {":x": {"S": "y"}},
        },
    ),
    "a name that no expression uses": (
        "put_item",
        {"Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)", "ExpressionAttributeNames": {"#x": "y"}},
    ),
    "values without an expression": ("put_item", {"Item": ITEM, "ExpressionAttributeValues": {":x": {"S": "y"}}}),
    "no values at all": (
        "put_item",
        {"Item": ITEM, "ConditionExpression": "attribute_exists(pk)", "ExpressionAttributeValues": {}},
    ),
    "a value that is not defined": ("put_item", {"Item": ITEM, "ConditionExpression": "n = :x"}),
    "a name that is not defined": ("put_item", {"Item": ITEM, "ConditionExpression": "attribute_exists(#x)"}),
    "a reserved word": ("put_item", {"Item": ITEM, "ConditionExpression": "attribute_exists(ttl)"}),
    "an empty condition": ("put_item", {"Item": ITEM, "ConditionExpression": ""}),
    "a condition that breaks off": ("put_item", {"Item": ITEM, "ConditionExpression": "attribute_exists(pk) AND"}),
    "an unknown function": ("put_item", {"Item": ITEM, "ConditionExpression": "exists(pk)"}),
    "too few operands": ("put_item", {"Item": ITEM, "ConditionExpression": "begins_with(pk)"}),
    "a comparison with itself": ("put_item", {"Item": ITEM, "ConditionExpression": "n = n"}),
    "an order between booleans": (
        "put_item",
        {"Item": ITEM, "ConditionExpression": "n < :x", "ExpressionAttributeValues": {":x": {"BOOL": True}}},
    ),
    "an item without its sort key": ("put_item", {"Item": {"pk": {"S": "a"}}}),
    "an empty key": ("put_item", {"Item": {"pk": {"S": ""}, "sk": {"S": "b"}}}),
    "a key that is a number": ("put_item", {"Item": {"pk": {"N": "1"}, "sk": {"S": "b"}}}),
    "an empty index key": ("put_item", {"Item": {**ITEM, "ref": {"S": ""}}}),
    "an index key that is a number": ("put_item", {"Item": {**ITEM, "ref": {"N": "1"}}}),
    "a number that is none": ("put_item", {"Item": {**ITEM, "n": {"N": "one"}}}),
    "a number of 39 digits": ("put_item", {"Item": {**ITEM, "n": {"N": "1" * 39}}}),
    "an empty set": ("put_item", {"Item": {**ITEM, "n": {"SS": []}}}),
    "a set with a double": ("put_item", {"Item": {**ITEM, "n": {"SS": ["a", "a"]}}}),
    "an item beyond 400 KB": ("put_item", {"Item": {**ITEM, "n": {"S": "x" * 410_000}}}),
    "half a key": ("get_item", {"Key": {"pk": {"S": "a"}}}),
    "more than a key": ("get_item", {"Key": {**KEY, "ref": {"S": "r"}}}),
    "ReturnValues that a put cannot give": ("put_item", {"Item": ITEM, "ReturnValues": "UPDATED_NEW"}),
    "a query without its partition key": (
        "query",
        {"KeyConditionExpression": "sk = :s", "ExpressionAttributeValues": {":s": {"S": "b"}}},
    ),
    "a query with OR": (
        "query",
        {"KeyConditionExpression": "pk = :p OR pk = :p", "ExpressionAttributeValues": {":p": {"S": "b"}}},
    ),
    "a range of partition keys": (
        "query",
        {"KeyConditionExpression": "pk > :p", "ExpressionAttributeValues": {":p": {"S": "b"}}},
    ),
    "a condition on another attribute": (
        "query",
        {
            "KeyConditionExpression": "pk = :p AND n = :n",
            "ExpressionAttributeValues": {":p": {"S": "b"}, ":n": {"S": "b"}},
        },
    ),
    "an unknown index": (
        "query",
        {
            "IndexName": "by_nothing",
            "KeyConditionExpression": "pk = :p",
            "ExpressionAttributeValues": {":p": {"S": "b"}},
        },
    ),
    "a start in another partition": (
        "query",
        {
            "KeyConditionExpression": "pk = :p",
            "ExpressionAttributeValues": {":p": {"S": "b"}},
            "ExclusiveStartKey": KEY,
        },
    ),
    "a start that is no key": (
        "query",
        {
            "KeyConditionExpression": "pk = :p",
            "ExpressionAttributeValues": {":p": {"S": "a"}},
            "ExclusiveStartKey": {"pk": {"S": "a"}},
        },
    ),
    "a filter on the key": (
        "query",
        {
            "KeyConditionExpression": "pk = :p",
            "FilterExpression": "sk = :p",
            "ExpressionAttributeValues": {":p": {"S": "a"}},
        },
    ),
    "a transaction of nothing": ("transact_write_items", {"TransactItems": []}),
    "one item twice in a transaction": (
        "transact_write_items",
        {"TransactItems": [{"Put": {"TableName": "?", "Item": ITEM}}, {"Delete": {"TableName": "?", "Key": KEY}}]},
    ),
    "101 items in a transaction": (
        "transact_write_items",
        {
            "TransactItems": [
                {"Put": {"TableName": "?", "Item": {**ITEM, "sk": {"S": f"{number}"}}}} for number in range(101)
            ]
        },
    ),
    "two actions in one": (
        "transact_write_items",
        {"TransactItems": [{"Put": {"TableName": "?", "Item": ITEM}, "Delete": {"TableName": "?", "Key": KEY}}]},
    ),
    "an unknown table": ("get_item", {"TableName": "another", "Key": KEY}),
}


def test_what_dynamodb_local_refuses_is_refused_with_the_same_code(
    table_on: "Callable[[str], tuple[DynamoDBClient, str]]",
) -> None:
    client, table = table_on(DYNAMODB_LOCAL)
    simulated = Client(Engine({table: Schema()}), validate=False)
    for name, (operation, request) in REFUSED.items():
        request = {"TableName": table, **request}
        if operation == "transact_write_items":
            request = {
                "TransactItems": [
                    {kind: {**action, "TableName": table} for kind, action in entry.items()}
                    for entry in request["TransactItems"]
                ]
            }
        ours, theirs = _asked(simulated, operation, request)[0], _asked(client, operation, request)[0]
        assert ours == theirs != "answer", name
        tried("operations")


def test_capacity_is_counted_as_by_dynamodb_local(table_on: "Callable[[str], tuple[DynamoDBClient, str]]") -> None:
    client, table = table_on(DYNAMODB_LOCAL)
    pair = (Client(Engine({table: Schema()}), validate=False), client)
    big = {"body": {"S": "x" * 1500}}
    keyed = {"ref": {"S": "r1"}}
    whole = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}
    calls: list[Operation] = [
        ("put_item", {"Item": ITEM}),
        ("put_item", {"Item": {**ITEM, **keyed}}),
        ("put_item", {"Item": {**ITEM, **keyed, **big}}),
        ("put_item", {"Item": {**ITEM, "ref": {"S": "r2"}}}),
        ("put_item", {"Item": {"pk": {"S": "a"}, "sk": {"S": "c"}, "body": {"S": "x" * 5000}, "ref": {"S": "r3"}}}),
        ("get_item", {"Key": KEY, "ConsistentRead": True}),
        ("get_item", {"Key": {**KEY, "sk": {"S": "c"}}, "ConsistentRead": True}),
        ("get_item", {"Key": {**KEY, "sk": {"S": "c"}}}),
        ("get_item", {"Key": {**KEY, "sk": {"S": "nothing"}}, "ConsistentRead": True}),
        ("query", {**whole, "ConsistentRead": True}),
        ("query", {**whole, "ConsistentRead": True, "Limit": 1, "ScanIndexForward": False}),
        ("query", {**whole, "ConsistentRead": True, "IndexName": "by_ref"}),
        ("delete_item", {"Key": KEY}),
        ("delete_item", {"Key": KEY}),
        ("transact_write_items", {"TransactItems": [
            {"Put": {"TableName": table, "Item": {**ITEM, **keyed}}},
            {"Put": {"TableName": table, "Item": {"pk": {"S": "z"}, "sk": {"S": "z"}, **big}}},
        ]}),
    ]  # fmt: skip
    for operation, request in calls:
        if operation != "transact_write_items":
            request = {"TableName": table, **request}
        ours, theirs = (
            getattr(each, operation)(**request, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"] for each in pair
        )
        if operation == "transact_write_items":
            # One sum per table in both; AWS bills a transaction's writes twice, and DynamoDB Local counts them once.
            (ours,), (theirs,) = ours, theirs
            theirs["CapacityUnits"] *= 2
        assert ours == theirs, f"{operation} {request}"


def test_errors_are_the_classes_and_responses_that_botocore_raises(
    table_on: "Callable[[str], tuple[DynamoDBClient, str]]",
) -> None:
    client, table = table_on(DYNAMODB_LOCAL)
    pair: tuple[Any, Any] = (Client(Engine({table: Schema()}), validate=False), client)
    condition = {
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    put = {"TableName": table, "Item": {**ITEM, "n": {"N": "7"}}, **condition}
    told = []
    for each in pair:
        each.put_item(**put)
        with pytest.raises(each.exceptions.ConditionalCheckFailedException) as one:
            each.put_item(**put)
        with pytest.raises(each.exceptions.TransactionCanceledException) as many:
            each.transact_write_items(TransactItems=[{"Put": put}, {"Delete": {"TableName": table, "Key": _other()}}])
        responses = [dict(error.value.response) for error in (one, many)]
        for response in responses:
            del response["ResponseMetadata"]
        told.append((responses, str(one.value), str(many.value)))
    assert told[0] == told[1]


def _other() -> dict[str, Any]:
    return {"pk": {"S": "another"}, "sk": {"S": "item"}}


def test_wrong_parameters_are_refused_before_they_are_sent_as_botocore_does() -> None:
    client = Client(Engine())
    for request in ({}, {"Key": "a"}, {"Key": KEY, "Consistent": True}):
        with pytest.raises(ParamValidationError):
            client.get_item(TableName="simulated", **request)


def test_nothing_given_or_got_is_shared_with_the_engine() -> None:
    client = Client(Engine())
    item: dict[str, Any] = {**ITEM, "m": {"M": {"x": {"S": "before"}}}}
    client.put_item(TableName="simulated", Item=item)
    item["m"]["M"]["x"]["S"] = "after"
    got = client.get_item(TableName="simulated", Key=KEY, ConsistentRead=True)["Item"]
    assert got["m"] == {"M": {"x": {"S": "before"}}}
    got["m"]["M"]["x"]["S"] = "after"
    again = client.get_item(TableName="simulated", Key=KEY, ConsistentRead=True)["Item"]
    assert again["m"] == {"M": {"x": {"S": "before"}}}


def test_the_stream_tells_every_change_of_a_partition_in_order_and_nothing_else() -> None:
    engine = Engine()
    client = Client(engine)
    for number in ("1", "1", "2"):
        client.put_item(TableName="simulated", Item={**ITEM, "n": {"N": number}})
    client.delete_item(TableName="simulated", Key=KEY)
    client.delete_item(TableName="simulated", Key=KEY)
    client.put_item(TableName="simulated", Item=_other())
    records = engine.stream()
    assert [record["eventName"] for record in records["a"]] == ["INSERT", "MODIFY", "REMOVE"]
    assert [record["dynamodb"].get("NewImage", {}).get("n") for record in records["a"]] == [
        {"N": "1"},
        {"N": "2"},
        None,
    ]
    assert [record["eventName"] for record in records["another"]] == ["INSERT"]
    numbers = [record["dynamodb"]["SequenceNumber"] for records in engine.stream().values() for record in records]
    assert numbers == sorted(numbers)


def test_what_is_not_simulated_is_refused_and_never_ignored() -> None:
    client = Client(Engine(), validate=False)
    with pytest.raises(NotImplementedError):
        client.query(TableName="simulated", KeyConditions={})
    update = {"TableName": "simulated", "Key": KEY, "UpdateExpression": "SET n = :n"}
    with pytest.raises(NotImplementedError):
        client.transact_write_items(TransactItems=[{"Update": update}])
