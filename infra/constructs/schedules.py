"""Functions that are called at certain times."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler

from infra.catalogue import Scheduled


def call_at_times(name: str, function: lambda_.Function, trigger: Scheduled) -> None:
    """Call ``function`` at the times of its trigger, UTC; one that fails is called again for a day, by Lambda."""
    calls = iam.Role(
        function,
        "ScheduleRole",
        assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"),
        description=f"May call {name}",
        inline_policies={
            "access": iam.PolicyDocument(
                statements=[iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function.function_arn])]
            )
        },
    )
    schedule = scheduler.CfnSchedule(
        function,
        "Schedule",
        name=name,
        schedule_expression=trigger.expression,
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
        target=scheduler.CfnSchedule.TargetProperty(
            arn=function.function_arn,
            role_arn=calls.role_arn,
            input="{}",
            retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                maximum_event_age_in_seconds=86_400, maximum_retry_attempts=10
            ),
        ),
    )
    schedule.node.add_dependency(calls)
