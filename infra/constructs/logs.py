"""Log groups: each named, each with an end to what it keeps."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.settings import Stage

FAILURES = "Failures"
"""Metric, in a namespace called like the stack: lines that functions wrote at level ERROR."""

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


def count_failures(group: logs.LogGroup, namespace: str) -> None:
    """Count lines at level ERROR: a function that answers its caller 500 does not count as failed to Lambda."""
    group.add_metric_filter(
        "Failures",
        filter_pattern=logs.FilterPattern.string_value("$.level", "=", "ERROR"),
        metric_namespace=namespace,
        metric_name=FAILURES,
    )
