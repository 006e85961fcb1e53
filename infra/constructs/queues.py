"""Queues, each with the queue that takes what it could not process."""

from dataclasses import dataclass

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_sqs as sqs
from constructs import Construct

_KEPT = Duration.days(14)  # SQS's longest: a failure found after a holiday can still be sent again


@dataclass(frozen=True)
class WorkQueue:
    """What waits to be done, and where a message goes that cannot be processed."""

    queue: sqs.Queue
    dead_letters: sqs.Queue


def dead_letter_queue(scope: Construct, construct_id: str, name: str) -> sqs.Queue:
    """A queue that keeps failures for people to look at; an alarm watches that it is empty."""
    queue = sqs.Queue(
        scope,
        construct_id,
        queue_name=name,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=_KEPT,
    )
    Validations.of(queue).acknowledge(
        Acknowledgment(
            id="AwsSolutions-SQS3",
            reason="This is the dead-letter queue itself, of a queue or of a stream; nothing consumes it unattended.",
        )
    )
    return queue


def work_queue(
    scope: Construct, prefix: str, name: str, *, function_timeout_s: int, least_s: int, delay_s: int
) -> WorkQueue:
    """Hidden for six times the function's timeout, as Lambda asks, so that no batch is taken twice while it runs; and
    for ``least_s``, where functions may take so long whatever their timeout.
    """
    dead_letters = dead_letter_queue(scope, f"{name.title()}DeadLetters", f"{prefix}-{name}-dead-letters")
    queue = sqs.Queue(
        scope,
        f"{name.title()}Queue",
        queue_name=f"{prefix}-{name}",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=_KEPT,
        visibility_timeout=Duration.seconds(max(6 * function_timeout_s, least_s)),
        delivery_delay=Duration.seconds(delay_s) if delay_s else None,
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=5),
    )
    return WorkQueue(queue, dead_letters)
