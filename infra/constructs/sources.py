"""What feeds functions that nobody calls: queues and the table's stream."""

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.catalogue import EVERY, OURS, FromQueue, FromStream
from infra.constructs.queues import WorkQueue
from loyalty.table import keys


def may_drain(queue: sqs.IQueue) -> iam.PolicyStatement:
    """What Lambda needs to feed a function from ``queue``."""
    return iam.PolicyStatement(
        actions=["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], resources=[queue.queue_arn]
    )


def may_follow(table: dynamodb.ITable, failures: sqs.IQueue) -> list[iam.PolicyStatement]:
    """What Lambda needs to feed a function from ``table``'s stream, and to say what it gave up."""
    stream = _stream(table)
    actions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
    return [
        iam.PolicyStatement(actions=actions, resources=[stream]),
        iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[failures.queue_arn]),
    ]


def drain(function: lambda_.Function, queue: sqs.IQueue, trigger: FromQueue) -> None:
    """Feed ``function`` from ``queue`` in batches; only the messages it names as failed come again."""
    function.add_event_source_mapping(
        "FromQueue",
        event_source_arn=queue.queue_arn,
        batch_size=trigger.batch_size,
        max_concurrency=trigger.max_concurrency,
        report_batch_item_failures=True,
    )


def fill(scope: Construct, prefix: str, bus: events.IEventBus, work: WorkQueue, trigger: FromQueue) -> None:
    """Have events of ``bus`` put on the queue that ``trigger`` names. What the queue does not take for a day goes to
    its dead letters.
    """
    rule = events.CfnRule(
        scope,
        f"{trigger.queue.title()}Rule",
        name=f"{prefix}-{trigger.queue}",
        description=f"Events for the queue {trigger.queue}",
        event_bus_name=bus.event_bus_name,
        event_pattern={
            "source": [OURS],
            **({} if trigger.events == EVERY else {"detail-type": [*trigger.events]}),
        },
        targets=[
            events.CfnRule.TargetProperty(
                arn=work.queue.queue_arn,
                id=trigger.queue,
                dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=work.dead_letters.queue_arn),
            )
        ],
    )
    for queue in (work.queue, work.dead_letters):
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="EventsOfThisRule",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
            )
        )


def follow(function: lambda_.Function, table: dynamodb.ITable, failures: sqs.IQueue, trigger: FromStream) -> None:
    """Feed ``function`` from the table's stream, from the oldest record still there: new items, and changed ones of
    the types of which it asks for them. An entry never changes; whoever tampers with one stops nobody.

    Order per account is kept. What fails is tried again alone (the batch is halved until it is found), a bounded
    number of times, then its place in the stream is put on ``failures`` and the stream moves on.
    """
    taken = {"INSERT": trigger.types, "MODIFY": trigger.changed}
    filters = [
        {"eventName": [event], "dynamodb": {"NewImage": {keys.TYPE: {"S": list(types)}}}}
        for event, types in taken.items()
        if types
    ]
    function.add_event_source_mapping(
        "FromStream",
        event_source_arn=_stream(table),
        starting_position=lambda_.StartingPosition.TRIM_HORIZON,
        batch_size=trigger.batch_size,
        max_batching_window=Duration.seconds(trigger.window_s),
        bisect_batch_on_error=True,
        report_batch_item_failures=True,
        retry_attempts=trigger.retries,
        filters=[lambda_.FilterCriteria.filter(one) for one in filters],
        on_failure=sources.SqsDlq(failures),
    )


def _stream(table: dynamodb.ITable) -> str:
    arn = table.table_stream_arn
    if arn is None:
        raise ValueError("the table has no stream")
    return arn
