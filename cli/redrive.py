"""``loyalty redrive``: send the ingest queue's dead letters again, once what was in their way is mended.

A letter is sent first and deleted afterwards. Should this be ended between the two, the letter is sent twice, and each
of its items still counts once, by its order or return number.
"""

import json
from collections import Counter
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from cli.target import Aws

_AT_ONCE: Final = 10
_HIDDEN_SECONDS: Final = 120
UNKNOWN: Final = "DELIVERED_TOO_OFTEN"
"""Shown for a letter without a reason: the queue gave it up after its last delivery, for a fault that was passing."""


def redrive(aws: Aws, *, queue: str, dead_letters: str, code: str, dry_run: bool, out: Console, bar: Console) -> int:
    """Send every dead letter again, or with ``code`` those that were set aside for that reason; the exit status.

    ``queue`` and ``dead_letters`` are URLs, empty for the stack's own. A letter that is no batch stays where it is.
    What is set aside again meanwhile is not sent a second time: no more letters are taken than there were at first.
    """
    queue = queue or aws.output("IngestQueueUrl")
    dead_letters = dead_letters or aws.output("IngestDeadLetterUrl")
    sqs = aws.client("sqs")
    sent: Counter[str] = Counter()
    left: Counter[str] = Counter()
    kept: list[str] = []
    try:
        waiting = _waiting(sqs, dead_letters)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=bar, transient=True) as progress:
            task = progress.add_task("dead letters", total=waiting)
            seen: set[str] = set()
            while len(seen) < waiting:
                letters = [one for one in _receive(sqs, dead_letters) if one["MessageId"] not in seen]
                if not letters:
                    break
                for letter in letters[: waiting - len(seen)]:
                    seen.add(letter["MessageId"])
                    progress.advance(task)
                    reason, message = _reason(letter), batch_of(letter["Body"])
                    if message is None or (code and reason != code):
                        left[reason if message is not None else f"{reason} (no batch)"] += 1
                        kept.append(letter["ReceiptHandle"])
                        continue
                    sent[reason] += 1
                    if dry_run:
                        kept.append(letter["ReceiptHandle"])
                        continue
                    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(message, ensure_ascii=False))
                    sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=letter["ReceiptHandle"])
    finally:
        for handle in kept:
            sqs.change_message_visibility(QueueUrl=dead_letters, ReceiptHandle=handle, VisibilityTimeout=0)
        sqs.close()
    _report(sent, left, dry_run, out)
    return 0


def batch_of(body: str) -> dict[str, Any] | None:
    """The message to send again: a batch as it was, or the one item that was set aside as a batch of one; None when it
    is neither.
    """
    try:
        message = json.loads(body)
    except ValueError:
        return None
    if not isinstance(message, dict) or not all(isinstance(message.get(name), str) for name in ("program", "client")):
        return None
    if isinstance(message.get("items"), list):
        return message
    if isinstance(message.get("item"), dict):
        rest = {name: value for name, value in message.items() if name != "item"}
        return {**rest, "items": [message["item"]]}
    return None


def _waiting(sqs: Any, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(counts[name]) for name in names)


def _receive(sqs: Any, queue: str) -> list[Any]:
    answer = sqs.receive_message(
        QueueUrl=queue,
        MaxNumberOfMessages=_AT_ONCE,
        MessageAttributeNames=["code"],
        VisibilityTimeout=_HIDDEN_SECONDS,
        WaitTimeSeconds=1,
    )
    return list(answer.get("Messages", ()))


def _reason(letter: Any) -> str:
    return str(letter.get("MessageAttributes", {}).get("code", {}).get("StringValue", UNKNOWN))


def _report(sent: Counter[str], left: Counter[str], dry_run: bool, out: Console) -> None:
    if not sent and not left:
        out.print("no dead letters")
        return
    table = Table("reason", "would be sent" if dry_run else "sent again", "left", box=None, pad_edge=False)
    for reason in sorted({*sent, *left}):
        table.add_row(reason, f"{sent[reason]:,}", f"{left[reason]:,}")
    out.print(table)
    out.print(f"{sent.total():,} {'would be sent again' if dry_run else 'sent again'}, {left.total():,} left")
