"""What a function is given: the environment that tells it where things are, and the right to use exactly those."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs

from infra.catalogue import CHAINS, QUERY, REPORTS, Access, FromNight, FromQueue, FromStream, Function
from infra.constructs.queues import WorkQueue
from infra.constructs.sources import may_drain, may_follow
from loyalty.table import keys


@dataclass(frozen=True)
class Parts:
    """What functions may be given."""

    table: dynamodb.Table
    signing_secret: secretsmanager.ISecret
    link_secret: secretsmanager.ISecret
    identity_secret: secretsmanager.ISecret
    artifact_secret: secretsmanager.ISecret
    channels_secret: secretsmanager.ISecret
    configuration_set: str
    """Of the mails that are sent."""
    bus: events.IEventBus
    queues: Mapping[str, WorkQueue]
    """By the name that the catalogue calls them."""
    failures: Mapping[str, sqs.IQueue]
    """By name of the function whose stream records they take."""
    drains: Mapping[str, str]
    """By kind of timer, the name in AWS of the function that a night calls."""
    campaigns: str
    """ARN of the state machine of campaigns."""


def environment(function: Function, parts: Parts) -> dict[str, str]:
    """Variables that ``function`` reads; nothing that it does not use."""
    found = {}
    if function.third_party:  # it has `loyalty.runtime`, whose configuration asks for the table first of all
        found["TABLE_NAME"] = parts.table.table_name
    if function.signs:
        found["SIGNING_SECRET_ID"] = parts.signing_secret.secret_arn
    if function.signs_links:
        found["LINK_SECRET_ID"] = parts.link_secret.secret_arn
    if function.finds_members:
        found["IDENTITY_SECRET_ID"] = parts.identity_secret.secret_arn
    if function.seals_rules:
        found["ARTIFACT_SECRET_ID"] = parts.artifact_secret.secret_arn
    if function.sends_messages:
        found["CHANNELS_SECRET_ID"] = parts.channels_secret.secret_arn
        found["MAIL_CONFIGURATION_SET"] = parts.configuration_set
        found["DELIVERY_QUEUE_URL"] = parts.queues[REPORTS].queue.queue_url
        found["DELIVERY_DEAD_LETTER_URL"] = parts.queues[REPORTS].dead_letters.queue_url
    if function.runs_campaigns:
        found["CAMPAIGN_MACHINE_ARN"] = parts.campaigns
    if function.publishes:
        found["EVENT_BUS_NAME"] = parts.bus.event_bus_name
    for name in function.sends_to:
        found[f"{name.upper()}_QUEUE_URL"] = parts.queues[name].queue.queue_url
    if isinstance(function.trigger, FromNight) and not function.trigger.kinds:
        found["NIGHT_FUNCTIONS"] = json.dumps(parts.drains, separators=(",", ":"))
    if function.gives_up_to_dead_letters:
        found["INGEST_DEAD_LETTER_URL"] = parts.queues["ingest"].dead_letters.queue_url
    return found


def statements(function: Function, parts: Parts) -> list[iam.PolicyStatement]:
    """Statements of ``function``'s role, beside its log and its traces."""
    allowed = [_on_items(access, parts.table) for access in function.table]
    if function.signs:
        allowed.append(_allow(["secretsmanager:GetSecretValue"], parts.signing_secret.secret_arn))
    if function.signs_links:
        allowed.append(_allow(["secretsmanager:GetSecretValue"], parts.link_secret.secret_arn))
    if function.finds_members:
        allowed.append(_allow(["secretsmanager:GetSecretValue"], parts.identity_secret.secret_arn))
    if function.seals_rules:
        allowed.append(_allow(["secretsmanager:GetSecretValue"], parts.artifact_secret.secret_arn))
    if function.sends_messages:
        allowed.append(_allow(["secretsmanager:GetSecretValue"], parts.channels_secret.secret_arn))
        allowed.extend(_messages(parts))
        reports = parts.queues[REPORTS]
        allowed.extend(
            _allow(["sqs:GetQueueAttributes"], queue.queue_arn) for queue in (reports.queue, reports.dead_letters)
        )
    if function.runs_campaigns:
        allowed.append(_allow(["states:StartExecution", "states:SendTaskSuccess"], parts.campaigns))
    if function.publishes:
        allowed.append(_allow(["events:PutEvents"], parts.bus.event_bus_arn))
    allowed.extend(_allow(["sqs:SendMessage"], parts.queues[name].queue.queue_arn) for name in function.sends_to)
    if function.gives_up_to_dead_letters:
        allowed.append(_allow(["sqs:SendMessage"], parts.queues["ingest"].dead_letters.queue_arn))
    if isinstance(function.trigger, FromQueue):
        allowed.append(may_drain(parts.queues[function.trigger.queue].queue))
    if isinstance(function.trigger, FromStream):
        allowed.extend(may_follow(parts.table, parts.failures[function.name]))
    return allowed


def _on_items(access: Access, table: dynamodb.Table) -> iam.PolicyStatement:
    """``access`` as a statement; the index comes along where a chain may be queried.

    A request without keys would pass a condition that asks about all of its keys. Only a scan is such a request, and
    no function may scan.
    """
    resources = [table.table_arn]
    if QUERY in access.actions and CHAINS in access.partitions:
        resources.append(f"{table.table_arn}/index/{keys.REF_INDEX}")
    return iam.PolicyStatement(
        actions=[*access.actions],
        resources=resources,
        conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [*access.partitions]}},
    )


def _messages(parts: Parts) -> list[iam.PolicyStatement]:
    """Mail from any identity of the account, with our configuration set; text messages, for a number has no ARN, and
    push messages, but nothing to a topic of this stack.
    """
    stack = Stack.of(parts.table)
    identities = stack.format_arn(service="ses", resource="identity", resource_name="*")
    configuration = stack.format_arn(service="ses", resource="configuration-set", resource_name=parts.configuration_set)
    topics = stack.format_arn(service="sns", resource=f"{stack.stack_name}-*", arn_format=ArnFormat.NO_RESOURCE_NAME)
    return [
        iam.PolicyStatement(actions=["ses:SendEmail"], resources=[identities, configuration]),
        iam.PolicyStatement(actions=["sns:Publish"], resources=["*"]),
        iam.PolicyStatement(effect=iam.Effect.DENY, actions=["sns:Publish"], resources=[topics]),
    ]


def _allow(actions: list[str], resource: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=actions, resources=[resource])
