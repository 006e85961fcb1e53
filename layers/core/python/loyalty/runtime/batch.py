"""The edge of the functions that queues and streams drive."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from loyalty.runtime import observability

LambdaHandler = Callable[[dict[str, Any], object], Any]
Record = tuple[str, dict[str, Any]]
"""What happened to an item, ``INSERT`` or ``MODIFY``, and the item as it is now, in plain form."""
_KINDS = {"N": int, "S": str}


def serve_queue(function: str, handle: Callable[[str, int], dict[str, int]]) -> LambdaHandler:
    """A handler of SQS messages that fail one by one.

    ``handle`` takes a message's body and the time, and returns counts for the log; what it raises leaves only that
    message on the queue.
    """
    # Powertools' batch module is for the functions that need it: the others do not pay for its import.
    from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)

    def handler(event: dict[str, Any], context: Any) -> Any:
        started = time.time()
        counts: dict[str, int] = {}

        def one(record: SQSRecord) -> None:
            try:
                done = handle(record.body, int(started))
            except Exception as error:
                observability.failure(function, error, message=record.message_id)
                raise
            for name, count in done.items():
                counts[name] = counts.get(name, 0) + count

        answer = process_partial_response(event=event, record_handler=one, processor=processor, context=context)
        failed = len(answer["batchItemFailures"])
        _line(function, started, "failed" if failed else "done", failed=failed, **counts)
        return answer

    return handler


def serve_stream(function: str, handle: Callable[[list[dict[str, Any]], int], dict[str, int]]) -> LambdaHandler:
    """A handler of table-stream records, of which ``handle`` gets the new items, as `serve_records` has it."""
    return serve_records(function, lambda records, now: handle([item for _, item in records], now))


def serve_records(function: str, handle: Callable[[list[Record], int], dict[str, int]]) -> LambdaHandler:
    """A handler of table-stream records that succeed or are delivered again together.

    ``handle`` gets the new items of a batch and what happened to them, in order and in plain form, and must not mind
    seeing them twice. A batch that raises comes back, halved, until what is in its way stands alone (the event source's
    ``bisect``) and is set aside by its failure destination.
    """

    def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
        del context
        started = time.time()
        records = list(_records(event["Records"]))
        try:
            counts = handle(records, int(started))
        except Exception as error:
            observability.failure(function, error, records=len(records))
            raise
        _line(function, started, "done", records=len(records), **counts)
        return {"batchItemFailures": []}

    return handler


def _records(records: Iterable[dict[str, Any]]) -> Iterable[Record]:
    for record in records:
        image = record["dynamodb"].get("NewImage")
        if image is not None:
            item = {name: _KINDS[kind](value) for name, attribute in image.items() for kind, value in attribute.items()}
            yield record.get("eventName", "INSERT"), item


def _line(function: str, started: float, outcome: str, **counts: int) -> None:
    elapsed = int((time.time() - started) * 1000)
    observability.record(function, outcome, now_ms=int(started * 1000), milliseconds=elapsed, **counts)
