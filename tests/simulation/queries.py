"""What a Query asks for, and which items answer it: key conditions, local indexes, order, pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.simulation import expressions, wire
from tests.simulation.expressions import Item, Malformed, Path, Test, Value
from tests.simulation.wire import Request, Response

PAGE_BYTES = 1024 * 1024
_KEY_CONDITIONS = ("=", "<", "<=", ">", ">=", "between", "begins_with")


@dataclass(frozen=True)
class Schema:
    """Names of a table's key attributes, strings all; by index name, the sort key of each KEYS_ONLY local index."""

    partition: str = "pk"
    sort: str = "sk"
    indexes: Mapping[str, str] = field(default_factory=lambda: {"by_ref": "ref"})


@dataclass(frozen=True)
class Plan:
    """A Query that has been read and found well formed."""

    schema: Schema
    pk: str
    sort: str  # the attribute that orders the answer: the table's sort key, or the index's
    index: str | None
    condition: Test | None
    keep: Test | None
    paths: tuple[Path, ...] | None
    names: Mapping[str, str]
    values: Mapping[str, Value]
    forward: bool
    limit: int | None
    after: tuple[bytes, bytes] | None
    whole: bool
    count_only: bool

    def answer(self, items: Sequence[tuple[str, Item]]) -> tuple[Response, list[Item]]:
        """The answer from the partition's items in key order, and what was read of them for it."""
        found = [pair for pair in items if self.sort in pair[1] and self._meets(self.condition, pair[1])]
        found.sort(key=self._position, reverse=not self.forward)
        if self.after is not None:
            found = [pair for pair in found if self._beyond(pair)]
        shown: list[Item] = []
        read: list[Item] = []
        size = 0
        last: Item | None = None
        for sk, item in found:
            keys_only = {name: item[name] for name in (self.schema.partition, self.schema.sort, self.sort)}
            read.append(item if self.index is None else keys_only)
            full = len(read) == self.limit
            if not full:
                size += wire.item_bytes(read[-1])
            if self._meets(self.keep, item):
                row = item if self.whole else keys_only
                shown.append(wire.copy_item(row if self.paths is None else expressions.project(row, self.paths)))
            if full or size >= PAGE_BYTES:
                last = {
                    self.schema.partition: {"S": self.pk},
                    self.schema.sort: {"S": sk},
                    self.sort: {**item[self.sort]},
                }
                break
        response: Response = {"Count": len(shown), "ScannedCount": len(read)}
        if not self.count_only:
            response["Items"] = shown
        if last is not None:
            response["LastEvaluatedKey"] = last
        return response, read

    def _meets(self, test: Test | None, item: Item) -> bool:
        return test is None or expressions.holds(test, item, self.names, self.values, "Expression")

    def _position(self, pair: tuple[str, Item]) -> tuple[bytes, bytes]:
        return pair[1][self.sort]["S"].encode(), pair[0].encode()

    def _beyond(self, pair: tuple[str, Item]) -> bool:
        assert self.after is not None
        return self._position(pair) > self.after if self.forward else self._position(pair) < self.after


def plan(request: Request, schema: Schema) -> Plan:
    """Read a Query's parameters; raises Malformed where the engine would refuse them."""
    names, values = request.get("ExpressionAttributeNames"), request.get("ExpressionAttributeValues")
    wire.check_values(values)
    index = request.get("IndexName")
    if index is not None and index not in schema.indexes:
        raise Malformed(f"The table does not have the specified index: {index}")
    sort = schema.sort if index is None else schema.indexes[index]
    pk, condition, used_names, used_values = _key_conditions(request, schema, sort)
    limit = request.get("Limit")
    if limit is not None and limit < 1:
        raise Malformed(f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint")
    keep, paths = None, None
    if "FilterExpression" in request:
        parsed = expressions.parse(request["FilterExpression"], "FilterExpression")
        keep, used_names, used_values = parsed.root, used_names | parsed.names, used_values | parsed.values
        if any(expressions.resolve(path, names or {}) in {(schema.partition,), (sort,)} for path in _paths(keep)):
            raise Malformed(
                f"Filter Expression can only contain non-primary key attributes: Primary key attribute: {sort}"
            )
        expressions.holds(keep, {}, names or {}, values or {}, "FilterExpression")  # refuse it before reading
    if "ProjectionExpression" in request:
        raw, more = expressions.parse_projection(request["ProjectionExpression"])
        used_names |= more
        paths = tuple(expressions.resolve(path, names or {}, "ProjectionExpression") for path in raw)
    wire.check_placeholders(names, used_names, "Names", any_expression=True)
    wire.check_placeholders(values, used_values, "Values", any_expression=True)
    return Plan(
        schema=schema,
        pk=pk,
        sort=sort,
        index=index,
        condition=condition,
        keep=keep,
        paths=paths,
        names=names or {},
        values=values or {},
        forward=request.get("ScanIndexForward", True),
        limit=limit,
        after=_start(request.get("ExclusiveStartKey"), schema, pk, sort),
        whole=paths is not None or request.get("Select") == "ALL_ATTRIBUTES" or index is None,
        count_only=request.get("Select") == "COUNT",
    )


def _key_conditions(
    request: Request, schema: Schema, sort: str
) -> tuple[str, Test | None, frozenset[str], frozenset[str]]:
    """(partition key, condition on the sort attribute, names used, values used)."""
    if "KeyConditionExpression" not in request:
        raise Malformed(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )
    names, values = request.get("ExpressionAttributeNames") or {}, request.get("ExpressionAttributeValues") or {}
    parsed = expressions.parse(request["KeyConditionExpression"], "KeyConditionExpression")
    pk: str | None = None
    condition: Test | None = None
    for test in _conjuncts(parsed.root):
        name, literals = _key_condition(test, names, values)
        if name == schema.partition and pk is None:
            if test.kind != "=":
                raise Malformed("Query key condition not supported")
            pk = literals[0]
        elif name == sort and condition is None:
            condition = test
        else:
            missed = schema.partition if pk is None and condition is not None else sort
            raise Malformed(f"Query condition missed key schema element: {missed}")
    if pk is None:
        raise Malformed(f"Query condition missed key schema element: {schema.partition}")
    return pk, condition, parsed.names, parsed.values


def _key_condition(test: Test, names: Mapping[str, str], values: Mapping[str, Value]) -> tuple[str, list[str]]:
    """(attribute, the texts it is compared with) of one key condition."""
    if test.kind not in _KEY_CONDITIONS:
        raise Malformed(f"Invalid operator used in KeyConditionExpression: {test.kind.upper()}")
    left, *literals = test.operands
    if left.value or left.size or any(not literal.value for literal in literals):
        raise Malformed("Invalid condition in KeyConditionExpression: it must compare an attribute with values")
    (name, *deeper) = expressions.resolve(left.path, names, "KeyConditionExpression")
    if deeper:
        raise Malformed("KeyConditionExpressions cannot have conditions on nested attributes")
    texts = []
    for literal in literals:
        if literal.value not in values:
            raise Malformed(
                "Invalid KeyConditionExpression: An expression attribute value used in expression is not defined; "
                f"attribute value: {literal.value}"
            )
        texts.append(wire.key_text(values[literal.value], str(name)))
    return str(name), texts


def _conjuncts(test: Test) -> list[Test]:
    return [leaf for part in test.parts for leaf in _conjuncts(part)] if test.kind == "and" else [test]


def _paths(test: Test) -> list[Path]:
    own = [operand.path for operand in test.operands if operand.path]
    return own + [path for part in test.parts for path in _paths(part)]


def _start(start: Mapping[str, Value] | None, schema: Schema, pk: str, sort: str) -> tuple[bytes, bytes] | None:
    if start is None:
        return None
    if set(start) != {schema.partition, schema.sort, sort} or any("S" not in value for value in start.values()):
        raise Malformed("The provided starting key is invalid")
    if start[schema.partition]["S"] != pk:
        raise Malformed("The provided starting key is outside query boundaries based on provided conditions")
    return start[sort]["S"].encode(), start[schema.sort]["S"].encode()
