"""Campaigns: a state machine that a campaign is run by, from its plan to its report.

An execution belongs to one campaign. It waits for months at no cost until it is called back; members wait in the table
(docs/adr/0027).
"""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.machines import machine_role

DEFINITION = Path(__file__).resolve().parents[1] / "state_machines" / "campaign.asl.json"


class CampaignRuns(Construct):
    """The machine, called ``name``. ``steps`` are the functions it may call, by the step of its definition."""

    def __init__(
        self, scope: Construct, construct_id: str, *, name: str, steps: Mapping[str, lambda_.IFunction]
    ) -> None:
        super().__init__(scope, construct_id)
        role = machine_role(self, name, steps.values())
        self.machine = sfn.CfnStateMachine(
            self,
            "Machine",
            state_machine_name=name,
            role_arn=role.role_arn,
            definition_string=DEFINITION.read_text(encoding="utf-8"),
            definition_substitutions={
                f"{step.title()}Function": function.function_arn for step, function in steps.items()
            },
            tracing_configuration=sfn.CfnStateMachine.TracingConfigurationProperty(enabled=True),
        )
        self.machine.node.add_dependency(role)
        Validations.of(self.machine).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SF1",
                reason="Every plan and every batch writes its own line, and what became of each member is in the "
                "table; the history of an execution has the rest.",
            )
        )
