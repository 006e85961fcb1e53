"""Shapes on DynamoDB's wire: errors as botocore raises them, values as the engine keeps them, sizes as billed."""

import math
from collections.abc import Mapping
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, TypeAlias

import botocore.session
from botocore.errorfactory import ClientExceptionsFactory
from botocore.exceptions import ClientError
from botocore.model import ServiceModel

from tests.simulation.expressions import Item, Malformed, Value

Request: TypeAlias = dict[str, Any]
Response: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]

_EXACT = Context(prec=200)
CONDITION_FAILED = "The conditional request failed"


@lru_cache(maxsize=1)
def service_model() -> ServiceModel:
    """botocore's own description of the service."""
    return botocore.session.get_session().get_service_model("dynamodb")


@lru_cache(maxsize=1)
def exceptions() -> Any:
    """The exception classes that a real client has as `client.exceptions`."""
    return ClientExceptionsFactory().create_client_exceptions(service_model())


def metadata(status: int) -> dict[str, Any]:
    """The `ResponseMetadata` of an answer with that HTTP status."""
    return {"RequestId": "SIMULATED", "HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0}


def client_error(operation: str, code: str, message: str, **members: Any) -> ClientError:
    """What botocore raises for that error code: the modelled class where there is one, `response` in its real shape."""
    status = 500 if code == "InternalServerError" else 400
    response: dict[str, Any] = {"Error": {"Message": message, "Code": code}, "ResponseMetadata": metadata(status)}
    if code == "TransactionCanceledException":
        response["Message"] = message
    response.update(members)
    error: ClientError = exceptions().from_code(code)(response, operation)
    return error


def cancelled(reasons: list[dict[str, Any]]) -> ClientError:
    """A transaction refused for those reasons, one per action, in their order."""
    codes = ", ".join(reason["Code"] for reason in reasons)
    return client_error(
        "TransactWriteItems",
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        CancellationReasons=reasons,
    )


def _copy(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return value
    if kind is dict:
        return {name: _copy(member) for name, member in value.items()}
    if kind is list or kind is tuple:
        return [_copy(element) for element in value]
    return value


def copy_item(item: Mapping[str, Value]) -> Item:
    """A copy that shares nothing that could be changed."""
    copied: Item = _copy(dict(item))
    return copied


def copy_request(request: Request) -> Request:
    """The same for the parameters of a call."""
    copied: Request = _copy(request)
    return copied


def normal_item(item: Mapping[str, Value]) -> Item:
    """The item as the engine would give it back: numbers without superfluous digits. Raises Malformed."""
    return {name: normal_value(value) for name, value in item.items()}


def normal_value(value: Value) -> Value:
    """The same for one value."""
    if len(value) != 1:
        raise Malformed("Supplied AttributeValue must contain exactly one of the supported datatypes")
    ((kind, content),) = value.items()
    if kind == "N":
        return {"N": _number(content)}
    if kind == "L":
        return {"L": [normal_value(element) for element in content]}
    if kind == "M":
        return {"M": {name: normal_value(member) for name, member in content.items()}}
    if kind == "B":
        return {"B": bytes(content)}
    if kind in ("SS", "NS", "BS"):
        return _set(kind, content)
    if kind == "NULL" and content is not True:
        raise Malformed(
            "One or more parameter values were invalid: Null attribute value types must have the value of true"
        )
    return {kind: content}


def _set(kind: str, content: list[Any]) -> Value:
    if not content:
        raise Malformed("One or more parameter values were invalid: An string set  may not be empty")
    elements = [_number(element) for element in content] if kind == "NS" else list(content)
    if len(set(elements)) < len(elements):
        raise Malformed("One or more parameter values were invalid: Input collection contains duplicates.")
    return {kind: elements}


def _number(text: Any) -> str:
    try:
        number = Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        raise Malformed(f"The parameter cannot be converted to a numeric value: {text}") from None
    if not number.is_finite():
        raise Malformed(f"The parameter cannot be converted to a numeric value: {text}")
    digits = number.normalize(_EXACT)
    if len(digits.as_tuple().digits) > 38:
        raise Malformed("Attempting to store more than 38 significant digits in a Number")
    return "0" if digits == 0 else format(digits, "f")


def key_text(value: Value, name: str) -> str:
    """The text of a key attribute; raises Malformed when it is not one."""
    if "S" not in value:
        raise Malformed(f"One or more parameter values were invalid: Type mismatch for key {name}")
    if value["S"] == "":
        raise Malformed(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            f"empty string value. Key: {name}"
        )
    return str(value["S"])


def check_values(values: Mapping[str, Value] | None) -> None:
    """Refuse values that could not be stored either; raises Malformed."""
    for name, value in (values or {}).items():
        try:
            normal_value(value)
        except Malformed as malformed:
            raise Malformed(f"ExpressionAttributeValues contains invalid value: {malformed} for key {name}") from None


def check_placeholders(
    given: Mapping[str, Any] | None, used: frozenset[str], what: str, *, any_expression: bool
) -> None:
    """Refuse placeholders that no expression uses, and empty sets of them; raises Malformed."""
    if given is None:
        return
    if not any_expression:
        raise Malformed(f"ExpressionAttribute{what} can only be specified when using expressions")
    if not given:
        raise Malformed(f"ExpressionAttribute{what} must not be empty")
    unused = sorted(set(given) - used)
    if unused:
        raise Malformed(
            f"Value provided in ExpressionAttribute{what} unused in expressions: keys: {{{', '.join(unused)}}}"
        )


def item_bytes(item: Mapping[str, Value]) -> int:
    """The size by which DynamoDB bills and limits an item, in bytes."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Value) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return _number_bytes(content)
    if kind == "L":
        return 3 + sum(1 + _value_bytes(element) for element in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_bytes(member) for name, member in content.items())
    if kind in ("SS", "NS", "BS"):
        return sum(_value_bytes({kind[0]: element}) for element in content)
    return len(content) if kind == "B" else 1


def _number_bytes(text: str) -> int:
    digits = text.lstrip("-").replace(".", "").strip("0")
    return math.ceil(len(digits) / 2) + 1 + (1 if text.startswith("-") else 0)


def read_units(size: int, *, consistent: bool) -> float:
    """Read units of a read of that many bytes."""
    return max(1, math.ceil(size / 4096)) * (1.0 if consistent else 0.5)


def write_units(*sizes: int) -> int:
    """Write units of a write that replaces and leaves items of these sizes, in bytes."""
    return max(1, math.ceil(max(sizes) / 1024))


def capacity(table: str, own: float, by_index: Mapping[str, float] | None = None) -> dict[str, Any]:
    """`ConsumedCapacity` in the detail of INDEXES: the table's own units, and those of each local index."""
    used = {name: units for name, units in (by_index or {}).items() if units}
    out: dict[str, Any] = {
        "TableName": table,
        "CapacityUnits": own + sum(used.values()),
        "Table": {"CapacityUnits": own},
    }
    if used:
        out["LocalSecondaryIndexes"] = {name: {"CapacityUnits": units} for name, units in used.items()}
    return out
