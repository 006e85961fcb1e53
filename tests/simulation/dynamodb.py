"""A DynamoDB that lives in a dictionary, behind the interface of botocore's low-level client.

`Engine` is the database: tables with a partition key, a sort key and local secondary indexes (all strings),
every operation atomic, with the changes of each partition kept in order. `Client` is what the product holds:
the methods, wire shapes and `ClientError`s of `boto3.client("dynamodb")`. Between the two stands a `Gate`, the
place where a scheduler may switch writers, fail the call, lose its answer or kill the caller; without one,
calls go straight through.

Nothing goes in or comes out but copies. What the engine does not simulate raises `NotImplementedError`;
nothing is ignored. Consistent reads see every change; how many of the latest changes of its partition an
eventually consistent read misses (`lag`) is the gate's choice.
"""

import bisect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import ClientError, ParamValidationError
from botocore.validate import ParamValidator

from tests.simulation import expressions, queries, wire
from tests.simulation.expressions import Item, Malformed, Test, Value
from tests.simulation.queries import Schema
from tests.simulation.wire import Key, Request, Response

MAX_ITEM_BYTES = 400 * 1024
MAX_TRANSACTION_ITEMS = 100
TABLE = "simulated"
_CONDITIONAL = {"ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"}
_SUPPORTED = {
    "BatchGetItem": {"RequestItems"},
    "GetItem": {"TableName", "Key", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"},
    "Query": {
        "TableName", "IndexName", "KeyConditionExpression", "FilterExpression", "ProjectionExpression", "Select",
        "ExpressionAttributeNames", "ExpressionAttributeValues", "ScanIndexForward", "Limit", "ExclusiveStartKey",
        "ConsistentRead",
    },
    "PutItem": {"TableName", "Item", "ReturnValues", "ReturnValuesOnConditionCheckFailure"} | _CONDITIONAL,
    "DeleteItem": {"TableName", "Key", "ReturnValues", "ReturnValuesOnConditionCheckFailure"} | _CONDITIONAL,
    "TransactWriteItems": {"TransactItems", "ClientRequestToken"},
}  # fmt: skip
_SUPPORTED_IN_TRANSACTION = {
    "Put": {"TableName", "Item", "ReturnValuesOnConditionCheckFailure"} | _CONDITIONAL,
    "Delete": {"TableName", "Key", "ReturnValuesOnConditionCheckFailure"} | _CONDITIONAL,
    "ConditionCheck": {"TableName", "Key", "ReturnValuesOnConditionCheckFailure"} | _CONDITIONAL,
}
WRITES = frozenset({"PutItem", "DeleteItem", "TransactWriteItems"})
_Answer = tuple[Response, Callable[[], list[dict[str, Any]]]]
"""What is answered, and the capacity it took, worked out only for who asks."""


class Gate(Protocol):
    """Stands between a client and the engine; decides what becomes of each call."""

    def __call__(self, call: "Call") -> Response:
        """Perform the call (or not), and answer (or raise) what the caller is to see."""


@dataclass
class Call:
    """One request on its way to the engine."""

    engine: "Engine"
    operation: str
    request: Request

    @property
    def writes(self) -> bool:
        return self.operation in WRITES

    @property
    def can_be_stale(self) -> bool:
        if self.operation == "BatchGetItem":  # its keys lie in many partitions: what it misses is not simulated
            return False
        return not self.writes and not self.request.get("ConsistentRead", False)

    def perform(self, lag: int = 0) -> Response:
        """Carry the request out; `lag` is the number of the partition's latest changes that the read does not see."""
        return self.engine.perform(self.operation, self.request, lag)

    def error(self, code: str, message: str, **members: Any) -> ClientError:
        """The error botocore would raise for this call with that code."""
        return wire.client_error(self.operation, code, message, **members)

    def label(self) -> str:
        """The call in a few words, for traces."""
        request = self.request
        if self.operation == "TransactWriteItems":
            parts = []
            for entry in request["TransactItems"]:
                ((kind, action),) = entry.items()
                parts.append(f"{kind} {_key_label(action.get('Key') or action.get('Item', {}))}")
            return f"TransactWriteItems({', '.join(parts)})"
        if self.operation == "BatchGetItem":
            wanted = [key for asked in request["RequestItems"].values() for key in asked["Keys"]]
            return f"BatchGetItem({', '.join(map(_key_label, wanted))})"
        if self.operation == "Query":
            values = sorted(
                str(next(iter(value.values()))) for value in request.get("ExpressionAttributeValues", {}).values()
            )
            return f"Query({request.get('IndexName', '')}{'|'.join(values)})"
        return f"{self.operation}({_key_label(request.get('Key') or request.get('Item', {}))})"


def _key_label(key: Mapping[str, Value]) -> str:
    return "/".join(str(key[name]["S"]) for name in ("pk", "sk") if name in key)


@dataclass(frozen=True)
class Change:
    """One change of one item, as the stream tells it. `order` counts the changes of the whole table."""

    order: int
    pk: str
    sk: str
    old: Item | None
    new: Item | None

    def record(self, schema: Schema) -> dict[str, Any]:
        """The change as a record of a Lambda event (stream view NEW_IMAGE)."""
        name = "INSERT" if self.old is None else "REMOVE" if self.new is None else "MODIFY"
        body: dict[str, Any] = {
            "ApproximateCreationDateTime": 1700000000 + self.order,
            "Keys": {schema.partition: {"S": self.pk}, schema.sort: {"S": self.sk}},
            "SequenceNumber": f"{self.order:021d}",
            "SizeBytes": wire.item_bytes(self.new or {}),
            "StreamViewType": "NEW_IMAGE",
        }
        if self.new is not None:
            body["NewImage"] = wire.copy_item(self.new)
        return {
            "eventID": f"{self.order:032x}",
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "eu-central-1",
            "eventSourceARN": "arn:aws:dynamodb:eu-central-1:000000000000:table/simulated/stream/1",
            "dynamodb": body,
        }


class _Partition:
    """The items of one partition key, their order, and how they came to be."""

    __slots__ = ("changes", "fingerprint", "items", "order")

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.order: list[str] = []  # sort keys in the engine's order (UTF-8 bytes)
        self.changes: list[Change] = []
        self.fingerprint = 0

    def copy(self) -> "_Partition":
        other = _Partition()
        other.items = dict(self.items)  # stored items are never changed in place, so sharing them is safe
        other.order = list(self.order)
        other.changes = list(self.changes)
        other.fingerprint = self.fingerprint
        return other

    def apply(self, change: Change) -> None:
        if change.new is None:
            self.items.pop(change.sk, None)
            self.order.remove(change.sk)
        else:
            if change.sk not in self.items:
                bisect.insort(self.order, change.sk, key=str.encode)
            self.items[change.sk] = change.new
        self.changes.append(change)
        self.fingerprint = hash((self.fingerprint, change.sk, repr(change.new)))

    def earlier(self, lag: int) -> "_Partition":
        """The partition without its last `lag` changes."""
        if lag <= 0:
            return self
        past = _Partition()
        for change in self.changes[: max(0, len(self.changes) - lag)]:
            past.apply(change)
        return past


class Engine:
    """The database: deterministic, atomic per operation, and cheap to copy."""

    def __init__(self, tables: Mapping[str, Schema] | None = None) -> None:
        self.schemas: dict[str, Schema] = dict(tables or {TABLE: Schema()})
        self._partitions: dict[tuple[str, str], _Partition] = {}
        self._tokens: dict[str | None, str] = {}
        self._changes = 0
        self.calls = 0

    def clone(self) -> "Engine":
        other = Engine(self.schemas)
        other._partitions = {key: partition.copy() for key, partition in self._partitions.items()}
        other._tokens = dict(self._tokens)
        other._changes = self._changes
        return other

    def fingerprint(self) -> int:
        """Equal for two engines that nobody can tell apart: same items, same order of changes within every partition.

        The order of changes between partitions is left out: no read and no stream shows it.
        """
        parts = {key: partition.fingerprint for key, partition in self._partitions.items() if partition.changes}
        return hash((frozenset(parts.items()), frozenset(self._tokens.items())))

    def items(self, table: str = TABLE) -> list[Item]:
        """Copies of everything stored, by partition and sort key: what a full export would show."""
        out: list[Item] = []
        for (name, _), partition in sorted(self._partitions.items(), key=lambda pair: pair[0]):
            if name == table:
                out.extend(wire.copy_item(partition.items[sk]) for sk in partition.order)
        return out

    def stream(self, table: str = TABLE, seen: Mapping[str, int] | None = None) -> dict[str, list[dict[str, Any]]]:
        """The stream: by partition key, its records in order, behind the first so many of each."""
        schema, taken = self.schemas[table], seen or {}
        return {
            pk: [change.record(schema) for change in partition.changes[taken.get(pk, 0) :]]
            for (name, pk), partition in sorted(self._partitions.items(), key=lambda pair: pair[0])
            if name == table and len(partition.changes) > taken.get(pk, 0)
        }

    def changes_seen(self, call: Call) -> int:
        """How many changes the partition that a read looks at has had: the bound of what a stale read may miss."""
        schema = self.schemas[call.request["TableName"]]
        if call.operation == "GetItem":
            pk = _read_key(call.request["Key"], schema)[0]
        else:
            pk = queries.plan(call.request, schema).pk
        partition = self._partitions.get((call.request["TableName"], pk))
        return len(partition.changes) if partition else 0

    # ---- operations

    def perform(self, operation: str, request: Request, lag: int = 0) -> Response:
        """One operation, atomically. Raises ClientError as botocore does."""
        self.calls += 1
        request = dict(request)
        detail = request.pop("ReturnConsumedCapacity", "NONE")
        request.pop("ReturnItemCollectionMetrics", None)
        unsupported = set(request) - _SUPPORTED.get(operation, set())
        if operation not in _SUPPORTED or unsupported:
            raise NotImplementedError(f"{operation} {sorted(unsupported)} is not simulated")
        handler: Callable[[Request, int], _Answer] = {
            "BatchGetItem": self._batch_get,
            "GetItem": self._get,
            "Query": self._query,
            "PutItem": self._put,
            "DeleteItem": self._delete,
            "TransactWriteItems": self._transact,
        }[operation]
        try:
            response, consumed = handler(request, lag)
        except Malformed as malformed:
            raise wire.client_error(operation, "ValidationException", str(malformed)) from None
        if detail != "NONE":
            units = consumed()
            shown = units if detail == "INDEXES" else [_total(entry) for entry in units]
            several = operation in ("TransactWriteItems", "BatchGetItem")
            response["ConsumedCapacity"] = shown if several else shown[0]
        response["ResponseMetadata"] = wire.metadata(200)
        return response

    def _schema(self, operation: str, table: str) -> Schema:
        if table not in self.schemas:
            raise wire.client_error(
                operation, "ResourceNotFoundException", "Cannot do operations on a non-existent table"
            )
        return self.schemas[table]

    def _partition(self, table: str, pk: str, lag: int = 0) -> "_Partition":
        partition = self._partitions.get((table, pk))
        return _Partition() if partition is None else partition.earlier(lag)

    def _get(self, request: Request, lag: int) -> _Answer:
        table = request["TableName"]
        pk, sk = _read_key(request["Key"], self._schema("GetItem", table))
        names = request.get("ExpressionAttributeNames")
        paths, used = None, frozenset[str]()
        if "ProjectionExpression" in request:
            raw, used = expressions.parse_projection(request["ProjectionExpression"])
            paths = tuple(expressions.resolve(path, names or {}, "ProjectionExpression") for path in raw)
        wire.check_placeholders(names, used, "Names", any_expression=paths is not None)
        item = self._partition(table, pk, lag).items.get(sk)

        def consumed() -> list[dict[str, Any]]:
            units = wire.read_units(wire.item_bytes(item or {}), consistent=request.get("ConsistentRead", False))
            return [wire.capacity(table, units)]

        if item is None:
            return {}, consumed
        shown = item if paths is None else expressions.project(item, paths)
        return {"Item": wire.copy_item(shown)}, consumed

    def _batch_get(self, request: Request, lag: int) -> _Answer:
        """Items of one table in the order of their keys: no caller may rely on any order. All are processed at once."""
        ((table, asked),) = request["RequestItems"].items()
        if set(asked) - {"Keys", "ConsistentRead"}:
            raise NotImplementedError(f"BatchGetItem with {sorted(asked)} is not simulated")
        schema = self._schema("BatchGetItem", table)
        wanted = [_read_key(key, schema) for key in asked["Keys"]]
        if not 1 <= len(wanted) <= MAX_TRANSACTION_ITEMS:
            raise Malformed("Member must have length between 1 and 100")
        if len(set(wanted)) < len(wanted):
            raise Malformed("Provided list of item keys contains duplicates")
        items = [
            item for pk, sk in sorted(wanted) if (item := self._partition(table, pk, lag).items.get(sk)) is not None
        ]
        consistent = bool(asked.get("ConsistentRead", False))
        response = {"Responses": {table: [wire.copy_item(item) for item in items]}, "UnprocessedKeys": {}}
        missing = len(wanted) - len(items)

        def consumed() -> list[dict[str, Any]]:
            sizes = [*map(wire.item_bytes, items), *[0] * missing]
            return [wire.capacity(table, sum(wire.read_units(size, consistent=consistent) for size in sizes))]

        return response, consumed

    def _query(self, request: Request, lag: int) -> _Answer:
        table = request["TableName"]
        plan = queries.plan(request, self._schema("Query", table))
        partition = self._partition(table, plan.pk, lag)
        response, read = plan.answer([(sk, partition.items[sk]) for sk in partition.order])

        def consumed() -> list[dict[str, Any]]:
            units = wire.read_units(sum(map(wire.item_bytes, read)), consistent=request.get("ConsistentRead", False))
            if plan.index is None:
                return [wire.capacity(table, units)]
            return [wire.capacity(table, 0.0, {plan.index: units})]

        return response, consumed

    def _put(self, request: Request, _: int) -> _Answer:
        return self._write("PutItem", "Put", request)

    def _delete(self, request: Request, _: int) -> _Answer:
        return self._write("DeleteItem", "Delete", request)

    def _write(self, operation: str, kind: str, request: Request) -> _Answer:
        returned = request.get("ReturnValues", "NONE")
        if returned not in ("NONE", "ALL_OLD"):
            raise Malformed("ReturnValues can only be ALL_OLD or NONE")
        write = self._prepare(operation, kind, request)
        old = self._current(write)
        if not _meets(write, old):
            members = {"Item": wire.copy_item(old)} if write.show_old and old is not None else {}
            raise wire.client_error(operation, "ConditionalCheckFailedException", wire.CONDITION_FAILED, **members)
        self._apply(write)
        response: Response = {"Attributes": wire.copy_item(old)} if returned == "ALL_OLD" and old is not None else {}
        return response, lambda: [self._write_capacity(write, old)]

    def _transact(self, request: Request, _: int) -> _Answer:
        writes = self._transaction(request["TransactItems"])
        before = [self._current(write) for write in writes]

        def consumed() -> list[dict[str, Any]]:
            each = [self._write_capacity(*pair, transaction=True) for pair in zip(writes, before, strict=True)]
            return _by_table(each)

        token = request.get("ClientRequestToken")
        body = "" if token is None else json.dumps(request["TransactItems"], sort_keys=True, default=repr)
        if token in self._tokens:
            if self._tokens[token] != body:
                raise wire.client_error(
                    "TransactWriteItems",
                    "IdempotentParameterMismatchException",
                    "Request parameters do not match those of the previous request with this token",
                )
            return {}, consumed
        reasons = [_reason(*pair) for pair in zip(writes, before, strict=True)]
        if any(reason["Code"] != "None" for reason in reasons):
            raise wire.cancelled(reasons)
        for write in writes:
            self._apply(write)
        if token is not None:
            self._tokens[token] = body
        return {}, consumed

    def _transaction(self, entries: list[Request]) -> "list[_Write]":
        if not 1 <= len(entries) <= MAX_TRANSACTION_ITEMS:
            raise Malformed(f"transactItems must have between 1 and {MAX_TRANSACTION_ITEMS} members")
        writes = []
        for entry in entries:
            if len(entry) != 1:
                raise Malformed("TransactItems can only contain one of Check, Put, Update or Delete")
            ((kind, action),) = entry.items()
            if set(action) - _SUPPORTED_IN_TRANSACTION.get(kind, set()):
                raise NotImplementedError(f"{kind} with {sorted(action)} in a transaction is not simulated")
            writes.append(self._prepare("TransactWriteItems", kind, action))
        if len({(write.table, write.key) for write in writes}) < len(writes):
            raise Malformed("Transaction request cannot include multiple operations on one item")
        return writes

    # ---- writing

    def _prepare(self, operation: str, kind: str, action: Request) -> "_Write":
        table = action["TableName"]
        schema = self._schema(operation, table)
        item = None
        if kind == "Put":
            item = wire.normal_item(action["Item"])
            key = _item_key(item, schema)
            if wire.item_bytes(item) > MAX_ITEM_BYTES:
                raise Malformed("Item size has exceeded the maximum allowed size")
        else:
            key = _read_key(action["Key"], schema)
        names, values = action.get("ExpressionAttributeNames"), action.get("ExpressionAttributeValues")
        wire.check_values(values)
        condition = None
        used_names: frozenset[str] = frozenset()
        used_values: frozenset[str] = frozenset()
        if "ConditionExpression" in action:
            parsed = expressions.parse(action["ConditionExpression"])
            condition, used_names, used_values = parsed.root, parsed.names, parsed.values
            expressions.holds(
                condition, {}, names or {}, values or {}, "ConditionExpression"
            )  # refuse it before reading
        wire.check_placeholders(names, used_names, "Names", any_expression=condition is not None)
        wire.check_placeholders(values, used_values, "Values", any_expression=condition is not None)
        return _Write(
            table=table,
            key=key,
            item=item,
            check_only=kind == "ConditionCheck",
            condition=condition,
            names=names or {},
            values=values or {},
            show_old=action.get("ReturnValuesOnConditionCheckFailure", "NONE") == "ALL_OLD",
        )

    def _current(self, write: "_Write") -> Item | None:
        return self._partition(write.table, write.key[0]).items.get(write.key[1])

    def _apply(self, write: "_Write") -> None:
        if write.check_only:
            return
        old = self._current(write)
        if old == write.item:  # nothing changes: the engine writes no stream record for it
            return
        partition = self._partitions.setdefault((write.table, write.key[0]), _Partition())
        self._changes += 1
        partition.apply(Change(self._changes, write.key[0], write.key[1], old, write.item))

    def _write_capacity(self, write: "_Write", old: Item | None, *, transaction: bool = False) -> dict[str, Any]:
        schema = self.schemas[write.table]
        factor = 2.0 if transaction else 1.0
        own = wire.write_units(wire.item_bytes(old or {}), wire.item_bytes(write.item or {})) * factor
        indexes: dict[str, float] = {}
        for name, attribute in () if write.check_only else schema.indexes.items():
            rows = [
                {key: item[key] for key in (schema.partition, schema.sort, attribute)}
                if item and attribute in item
                else None
                for item in (old, write.item)
            ]
            if rows[0] != rows[1]:
                indexes[name] = factor * sum(wire.write_units(wire.item_bytes(row)) for row in rows if row is not None)
        return wire.capacity(write.table, own, indexes)


@dataclass(frozen=True)
class _Write:
    """One write, read and found well formed; `item` is None for a delete and for a mere check."""

    table: str
    key: Key
    item: Item | None
    check_only: bool
    condition: Test | None
    names: Mapping[str, str]
    values: Mapping[str, Value]
    show_old: bool


def _meets(write: "_Write", old: Item | None) -> bool:
    if write.condition is None:
        return True
    return expressions.holds(write.condition, old or {}, write.names, write.values, "ConditionExpression")


def _reason(write: "_Write", old: Item | None) -> dict[str, Any]:
    """One write's entry among the reasons of a cancelled transaction."""
    if _meets(write, old):
        return {"Code": "None"}
    reason: dict[str, Any] = {"Code": "ConditionalCheckFailed", "Message": wire.CONDITION_FAILED}
    if write.show_old and old is not None:
        reason["Item"] = wire.copy_item(old)
    return reason


def _by_table(consumed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A transaction's capacity: one sum for each table."""
    own: dict[str, float] = {}
    indexes: dict[str, dict[str, float]] = {}
    for entry in consumed:
        table = entry["TableName"]
        own[table] = own.get(table, 0.0) + entry["Table"]["CapacityUnits"]
        for name, units in entry.get("LocalSecondaryIndexes", {}).items():
            by_index = indexes.setdefault(table, {})
            by_index[name] = by_index.get(name, 0.0) + units["CapacityUnits"]
    return [wire.capacity(table, units, indexes.get(table)) for table, units in own.items()]


def _total(detailed: dict[str, Any]) -> dict[str, Any]:
    return {"TableName": detailed["TableName"], "CapacityUnits": detailed["CapacityUnits"]}


def _read_key(key: Mapping[str, Value], schema: Schema) -> Key:
    if set(key) != {schema.partition, schema.sort} or any("S" not in value for value in key.values()):
        raise Malformed("The provided key element does not match the schema")
    return wire.key_text(key[schema.partition], schema.partition), wire.key_text(key[schema.sort], schema.sort)


def _item_key(item: Mapping[str, Value], schema: Schema) -> Key:
    for name in (schema.partition, schema.sort):
        if name not in item:
            raise Malformed(f"One or more parameter values were invalid: Missing the key {name} in the item")
    for index, attribute in schema.indexes.items():
        if attribute in item and item[attribute].get("S", "") == "":
            raise Malformed(
                f"One or more parameter values were invalid: a key must be text and not empty. IndexName: {index}, "
                f"IndexKey: {attribute}"
            )
    return wire.key_text(item[schema.partition], schema.partition), wire.key_text(item[schema.sort], schema.sort)


class Client:
    """The part of `boto3.client("dynamodb")` that a store of documents uses.

    `validate` checks parameters against botocore's own model of the service, as a real client does by default.
    """

    def __init__(self, engine: Engine, gate: Gate | None = None, *, validate: bool = True) -> None:
        self._engine = engine
        self._gate = gate
        self._validate = validate
        self.exceptions = wire.exceptions()

    def get_item(self, **request: Any) -> Response:
        return self._call("GetItem", request)

    def batch_get_item(self, **request: Any) -> Response:
        return self._call("BatchGetItem", request)

    def query(self, **request: Any) -> Response:
        return self._call("Query", request)

    def put_item(self, **request: Any) -> Response:
        return self._call("PutItem", request)

    def delete_item(self, **request: Any) -> Response:
        return self._call("DeleteItem", request)

    def transact_write_items(self, **request: Any) -> Response:
        return self._call("TransactWriteItems", request)

    def _call(self, operation: str, request: Request) -> Response:
        if self._validate:
            shape = wire.service_model().operation_model(operation).input_shape
            assert shape is not None
            report = ParamValidator().validate(request, shape)
            if report.has_errors():
                raise ParamValidationError(report=report.generate_report())
        call = Call(self._engine, operation, wire.copy_request(request))
        return call.perform() if self._gate is None else self._gate(call)
