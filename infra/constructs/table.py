"""The single table. Its attributes and keys are those of `loyalty.table.keys`."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.settings import Stage
from loyalty.table import keys


def ledger_table(scope: Construct, stage: Stage, key: kms.IKey) -> dynamodb.Table:
    """On demand, encrypted with ``key``, recoverable to any second of 35 days, with a stream of new images.

    The local index finds an entry by what caused it, with a consistent read; it holds keys alone, one write unit.
    """
    text = dynamodb.AttributeType.STRING
    table = dynamodb.Table(
        scope,
        "Table",
        partition_key=dynamodb.Attribute(name=keys.PK, type=text),
        sort_key=dynamodb.Attribute(name=keys.SK, type=text),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        stream=dynamodb.StreamViewType.NEW_IMAGE,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        time_to_live_attribute=keys.TTL,
        deletion_protection=stage.deletion_protection,
        removal_policy=RemovalPolicy.RETAIN if stage.keep_data else RemovalPolicy.DESTROY,
    )
    table.add_local_secondary_index(
        index_name=keys.REF_INDEX,
        sort_key=dynamodb.Attribute(name=keys.REF, type=text),
        projection_type=dynamodb.ProjectionType.KEYS_ONLY,
    )
    return table
