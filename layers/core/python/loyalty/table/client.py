"""The table as the stores see it: plain items in and out, and DynamoDB's errors as a few exceptions of ours."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from loyalty.errors import Unavailable
from loyalty.table import keys
from loyalty.table.overlap import overlapped, overlapping
from loyalty.table.session import make_client
from loyalty.table.writes import Cancelled, Condition, ConditionFailed, Contended, Delete, Item, Put, Value

if TYPE_CHECKING:
    from botocore.config import Config

EMULATOR_S: Final = 60
_A = TypeVar("_A")
_B = TypeVar("_B")


class DynamoDB(Protocol):
    """The part of botocore's low-level client that the product uses."""

    def get_item(self, **request: Any) -> dict[str, Any]: ...
    def batch_get_item(self, **request: Any) -> dict[str, Any]: ...
    def query(self, **request: Any) -> dict[str, Any]: ...
    def put_item(self, **request: Any) -> dict[str, Any]: ...
    def delete_item(self, **request: Any) -> dict[str, Any]: ...
    def transact_write_items(self, **request: Any) -> dict[str, Any]: ...


class Together(Protocol):
    """Runs two reads at the same time and returns both results."""

    def __call__(self, first: Callable[[], _A], second: Callable[[], _B]) -> tuple[_A, _B]: ...


_BATCH: Final = 100
_FRUITLESS: Final = 3
_RETRYABLE: Final = frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "ThrottlingException",
        "ThrottlingError",
        "TransactionInProgressException",
    }
)


def client_of(service: str, config: "Config", region: str | None = None) -> Any:
    """A client of botocore's. An emulator on this machine is waited for longer than ``config`` says: it has no other
    copy that would answer the next try, and the machine may be busy with other things.
    """
    if _is_here(service):
        from botocore.config import Config

        config = config.merge(Config(connect_timeout=EMULATOR_S, read_timeout=EMULATOR_S))
    return make_client(service, region_name=region, config=config)


def _is_here(service: str) -> bool:
    """Whether the service is an emulator of it, on the loopback."""
    name = "AWS_ENDPOINT_URL"
    endpoint = os.environ.get(f"{name}_{service.upper()}") or os.environ.get(name, "")
    return endpoint.startswith("http://127.0.0.1:")


def connect(region: str | None = None) -> DynamoDB:
    """A client for the table, made without boto3's resource layer and without parameter validation, which the stores
    make needless.
    """
    from botocore.config import Config

    client: Any = client_of(
        "dynamodb",
        region=region,
        config=Config(
            parameter_validation=False,
            retries={"mode": "standard", "total_max_attempts": 4},
            connect_timeout=1,
            read_timeout=3,
            max_pool_connections=4,
            tcp_keepalive=True,
        ),
    )
    overlapping(client)
    dynamodb: DynamoDB = client
    return dynamodb


class Table:
    """The single table, through one client."""

    def __init__(self, client: DynamoDB, name: str, together: Together = overlapped) -> None:
        self._client = client
        self._name = name
        self.together = together

    def get(self, key: keys.Key, *, consistent: bool = True) -> Item | None:
        answer = self._call(self._client.get_item, Key=_wire_key(key), ConsistentRead=consistent)
        return _plain(answer.get("Item"))

    def batch_get(self, wanted: Iterable[keys.Key]) -> dict[keys.Key, Item]:
        """Those of the items that there are, a hundred a round trip, read eventually consistently. Unavailable when the
        table keeps leaving some of them for later.
        """
        left = [*dict.fromkeys(wanted)]
        found: dict[keys.Key, Item] = {}
        fruitless = 0
        while left:
            batch, left = left[:_BATCH], left[_BATCH:]
            request = {self._name: {"Keys": [_wire_key(key) for key in batch], "ConsistentRead": False}}
            answer = self._call(self._client.batch_get_item, table=False, RequestItems=request)
            items = answer["Responses"].get(self._name, [])
            found |= {(item[keys.PK]["S"], item[keys.SK]["S"]): _plain_item(item) for item in items}
            later = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
            left += [(key[keys.PK]["S"], key[keys.SK]["S"]) for key in later]
            fruitless = 0 if len(later) < len(batch) else fruitless + 1
            if fruitless == _FRUITLESS:
                raise _unavailable()
        return found

    def put(self, item: Item, condition: Condition | None = None) -> None:
        """Write one item; ConditionFailed carries what stands there already."""
        request: dict[str, Any] = {"Item": _wire(item), **_conditioned(condition)}
        self._call(self._client.put_item, **request)

    def delete(self, key: keys.Key, condition: Condition | None = None) -> None:
        self._call(self._client.delete_item, Key=_wire_key(key), **_conditioned(condition))

    def find(self, pk: str, ref: str) -> str | None:
        """Sort key of the item with this reference in a partition, read consistently; None when there is none."""
        answer = self._call(
            self._client.query,
            IndexName=keys.REF_INDEX,
            KeyConditionExpression="pk = :p AND #ref = :r",
            ExpressionAttributeNames={"#ref": keys.REF},
            ExpressionAttributeValues={":p": {"S": pk}, ":r": {"S": ref}},
            ConsistentRead=True,
            Limit=1,
        )
        items = answer["Items"]
        return str(items[0][keys.SK]["S"]) if items else None

    def page(
        self,
        pk: str,
        *,
        limit: int,
        newest_first: bool = False,
        after: str | None = None,
        prefix: str | None = None,
        consistent: bool = True,
    ) -> tuple[list[Item], str | None]:
        """One page of a partition in key order: the items, and the sort key to go on ``after``, None at the end."""
        request: dict[str, Any] = {
            "KeyConditionExpression": "pk = :p" if prefix is None else "pk = :p AND begins_with(sk, :s)",
            "ExpressionAttributeValues": {":p": {"S": pk}, **({} if prefix is None else {":s": {"S": prefix}})},
            "ScanIndexForward": not newest_first,
            "Limit": limit,
            "ConsistentRead": consistent,
        }
        if after is not None:
            request["ExclusiveStartKey"] = _wire_key((pk, after))
        answer = self._call(self._client.query, **request)
        last = answer.get("LastEvaluatedKey")
        return [_plain_item(item) for item in answer["Items"]], str(last[keys.SK]["S"]) if last else None

    def walk(
        self, pk: str, *, prefix: str | None = None, consistent: bool = True, page_size: int = 200
    ) -> Iterator[Item]:
        """Every item of a partition, page by page."""
        after: str | None = None
        while True:
            items, after = self.page(pk, limit=page_size, after=after, prefix=prefix, consistent=consistent)
            yield from items
            if after is None:
                return

    def transact(self, writes: list[Put | Delete]) -> None:
        """All of the writes or none; Cancelled says which were refused."""
        actions: list[dict[str, Any]] = []
        for write in writes:
            condition = _conditioned(write.condition)
            if isinstance(write, Put):
                actions.append({"Put": {"TableName": self._name, "Item": _wire(write.item), **condition}})
            else:
                actions.append({"Delete": {"TableName": self._name, "Key": _wire_key(write.key), **condition}})
        self._call(self._client.transact_write_items, table=False, TransactItems=actions)

    def _call(self, operation: Callable[..., dict[str, Any]], *, table: bool = True, **request: Any) -> dict[str, Any]:
        if table:
            request["TableName"] = self._name
        try:
            return operation(**request)
        except ClientError as error:
            raise _translated(error) from error
        except BotoCoreError as error:
            raise _unavailable() from error


def _translated(error: ClientError) -> Exception:
    code = error.response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return ConditionFailed(_plain(dict(error.response).get("Item")))
    if code == "TransactionConflictException":
        return Contended()
    if code == "TransactionCanceledException":
        reasons: Any = dict(error.response).get("CancellationReasons", [])
        codes = [reason.get("Code") for reason in reasons]
        if "ConditionalCheckFailed" in codes:
            return Cancelled(
                {
                    position: _plain(reason.get("Item"))
                    for position, reason in enumerate(reasons)
                    if reason.get("Code") == "ConditionalCheckFailed"
                }
            )
        if "TransactionConflict" in codes:
            return Contended()
        if {"ThrottlingError", "ProvisionedThroughputExceeded"} & set(codes):
            return _unavailable()
    # A gateway on the way may fail with a status alone, without any of DynamoDB's names for it.
    if code in _RETRYABLE or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
        return _unavailable()
    return error


def _unavailable() -> Unavailable:
    return Unavailable(
        "STORAGE_UNAVAILABLE", "Send the same request with the same Idempotency-Key again", retry_after=1
    )


def _conditioned(condition: Condition | None) -> dict[str, Any]:
    if condition is None:
        return {}
    request: dict[str, Any] = {
        "ConditionExpression": condition.expression,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    names = {word for word in condition.expression.replace("(", " ").replace(")", " ").split() if word.startswith("#")}
    if names:
        request["ExpressionAttributeNames"] = {name: name[1:] for name in sorted(names)}
    if condition.values:
        request["ExpressionAttributeValues"] = {
            f":{name}": _wire_value(value) for name, value in condition.values.items()
        }
    return request


def _wire_key(key: keys.Key) -> dict[str, Any]:
    return {keys.PK: {"S": key[0]}, keys.SK: {"S": key[1]}}


def _wire_value(value: Value) -> dict[str, str]:
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def _wire(item: Item) -> dict[str, dict[str, str]]:
    return {name: _wire_value(value) for name, value in item.items()}


def _plain(item: Any) -> Item | None:
    return _plain_item(item) if item else None


def _plain_item(item: Mapping[str, Mapping[str, str]]) -> Item:
    """Attributes of any other type than text or whole number are none of ours; they are kept, as text, for
    ``verify`` to find.
    """
    plain: Item = {}
    for name, attribute in item.items():
        ((kind, value),) = attribute.items()
        plain[name] = int(value) if kind == "N" and value.lstrip("-").isdecimal() else str(value)
    return plain
