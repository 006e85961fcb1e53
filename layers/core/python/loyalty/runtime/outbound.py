"""What functions send out besides the table: messages to queues, events to the bus."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from loyalty.errors import Problem, Unavailable
from loyalty.runtime.config import config
from loyalty.table.client import client_of

SOURCE: Final = "loyalty"
_PUT_EVENTS_MAX: Final = 10
_SEND_MAX: Final = 10
_SEND_BYTES: Final = 262_144
_HELD: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class NotPublished(Exception):
    """The bus refused some events; the batch is to be sent again."""


@cache
def _client(service: str) -> Any:
    from botocore.config import Config

    return client_of(service, config=Config(retries={"mode": "standard"}, connect_timeout=2, read_timeout=10))


def send(queue: str, message: dict[str, Any], attributes: dict[str, str] | None = None, delay: int = 0) -> None:
    """Put one JSON message on a queue, to be had in ``delay`` seconds; Unavailable when the queue does not take it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _client("sqs").send_message(
            QueueUrl=queue,
            MessageBody=_body(json.dumps(message, ensure_ascii=False)),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in (attributes or {}).items()
            },
            **({"DelaySeconds": delay} if delay else {}),
        )
    except (BotoCoreError, ClientError) as error:
        raise Unavailable("STORAGE_UNAVAILABLE", "Send the same request again", retry_after=1) from error


def send_all(queue: str, bodies: Sequence[str]) -> int:
    """Put messages on a queue, in as few requests as it takes; how many of them it did not take."""
    from botocore.exceptions import BotoCoreError, ClientError

    refused = 0
    for batch in _batches(bodies):
        entries = [{"Id": str(position), "MessageBody": _body(body)} for position, body in enumerate(batch)]
        try:
            refused += len(_client("sqs").send_message_batch(QueueUrl=queue, Entries=entries).get("Failed", []))
        except (BotoCoreError, ClientError):
            refused += len(batch)
    return refused


def _body(text: str) -> str:
    """JSON as SQS takes it: of the characters that a JSON text has raw, XML 1.0 lacks these two, and SQS with it."""
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def _batches(bodies: Sequence[str]) -> Iterator[list[str]]:
    """Ten at a time, or as many as have room in a request."""
    batch: list[str] = []
    size = 0
    for body in bodies:
        length = len(body.encode())
        if batch and (len(batch) == _SEND_MAX or size + length > _SEND_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += length
    if batch:
        yield batch


def send_batch(queue: str, messages: list[dict[str, Any]]) -> list[int]:
    """Put up to ten JSON messages on a queue; the positions of those that it did not take, all of them when it does not
    answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    entries = [
        {"Id": str(position), "MessageBody": _body(json.dumps(message, ensure_ascii=False))}
        for position, message in enumerate(messages)
    ]
    try:
        answer = _client("sqs").send_message_batch(QueueUrl=queue, Entries=entries)
    except (BotoCoreError, ClientError):
        return [*range(len(messages))]
    return sorted(int(entry["Id"]) for entry in answer.get("Failed", []))


def holds_nothing(queue: str) -> bool:
    """Whether a queue has nothing that waits, is being seen to, or is to come, by its own count, which is a minute old
    at most. False when it does not answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = _client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[*_HELD])
    except (BotoCoreError, ClientError):
        return False
    return all(int(answer["Attributes"][name]) == 0 for name in _HELD)


def start_execution(machine: str, name: str, given: dict[str, Any]) -> None:
    """Start an execution of a state machine; one that is there already under that name is left alone. Unavailable."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _client("stepfunctions").start_execution(stateMachineArn=machine, name=name, input=json.dumps(given))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise Unavailable("STORAGE_UNAVAILABLE", "Send the same request again", retry_after=1) from error
    except BotoCoreError as error:
        raise Unavailable("STORAGE_UNAVAILABLE", "Send the same request again", retry_after=1) from error


def call_back(token: str) -> None:
    """Have the execution go on that waits with this token; one that waits no more is left alone. Unavailable."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        _client("stepfunctions").send_task_success(taskToken=token, output="{}")
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken"):
            raise Unavailable("STORAGE_UNAVAILABLE", "Send the same request again", retry_after=1) from error
    except BotoCoreError as error:
        raise Unavailable("STORAGE_UNAVAILABLE", "Send the same request again", retry_after=1) from error


def set_aside(message: dict[str, Any], problem: Problem) -> None:
    """Put what can never be carried out on the dead-letter queue, alone and with its reason, for people to mend and
    redrive.
    """
    attributes = {"code": problem.code, "field": problem.field or "-"}
    send(config().ingest_dead_letters, message, attributes)


def publish(events: list[tuple[str, str]]) -> None:
    """Put (type, JSON detail) events on the bus, in order; NotPublished unless the bus took every one."""
    for first in range(0, len(events), _PUT_EVENTS_MAX):
        entries = [
            {"EventBusName": config().bus, "Source": SOURCE, "DetailType": kind, "Detail": detail}
            for kind, detail in events[first : first + _PUT_EVENTS_MAX]
        ]
        answer = _client("events").put_events(Entries=entries)
        if answer.get("FailedEntryCount", 0):
            codes = {entry["ErrorCode"] for entry in answer["Entries"] if "ErrorCode" in entry}
            raise NotPublished(", ".join(sorted(codes)))
