"""The night: a state machine that calls functions with what is due, started every hour.

Every hour, for days begin at different hours in different zones, and an hour in which no programme's day has begun
costs one look at each programme.
"""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.machines import machine_arn, machine_role

DEFINITION = Path(__file__).resolve().parents[1] / "state_machines" / "nightly.asl.json"
EVERY_HOUR = "cron(20 * * * ? *)"
"""Twenty minutes past, local time everywhere but where clocks differ by half an hour; there fifty past."""


class Night(Construct):
    """The machine and its schedule. ``plans`` and ``drains`` are the functions it may call, by name."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        prefix: str,
        plans: lambda_.IFunction,
        drains: Mapping[str, lambda_.IFunction],
    ) -> None:
        super().__init__(scope, construct_id)
        name = f"{prefix}-nightly"
        arn = machine_arn(self, name)
        role = machine_role(self, name, [plans, *drains.values()])
        self.machine = sfn.CfnStateMachine(
            self,
            "Machine",
            state_machine_name=name,
            role_arn=role.role_arn,
            definition_string=DEFINITION.read_text(encoding="utf-8"),
            definition_substitutions={"PlanFunction": plans.function_arn},
            tracing_configuration=sfn.CfnStateMachine.TracingConfigurationProperty(enabled=True),
        )
        self.machine.node.add_dependency(role)
        Validations.of(self.machine).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SF1",
                reason="Each batch and each plan writes its own line, and what was done is in the ledger; the history "
                "of an execution has the rest, and to log it as well would cost more than the night.",
            )
        )
        starts = iam.Role(
            self,
            "ScheduleRole",
            assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"),
            description=f"May start {name}",
            inline_policies={
                "access": iam.PolicyDocument(
                    statements=[iam.PolicyStatement(actions=["states:StartExecution"], resources=[arn])]
                )
            },
        )
        schedule = scheduler.CfnSchedule(
            self,
            "EveryHour",
            name=name,
            description="A programme's night, in the first hour of its day",
            schedule_expression=EVERY_HOUR,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.machine.attr_arn,
                role_arn=starts.role_arn,
                input="{}",
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=1800, maximum_retry_attempts=10
                ),
            ),
        )
        schedule.node.add_dependency(starts)
