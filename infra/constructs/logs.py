"""Log groups: each named, each with an end to what it keeps."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.settings import Stage

_RETENTION = {
    7: logs.RetentionDays.ONE_WEEK,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    400: logs.RetentionDays.THIRTEEN_MONTHS,
}


def log_group(scope: Construct, construct_id: str, name: str, stage: Stage) -> logs.LogGroup:
    """A log group called ``name``, kept as long as the stage says."""
    return logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        retention=_RETENTION[stage.log_retention_days],
        removal_policy=RemovalPolicy.RETAIN if stage.keep_data else RemovalPolicy.DESTROY,
    )
