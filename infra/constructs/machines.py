"""Roles of state machines: what a machine may call, and the executions of its own maps."""

from collections.abc import Iterable

from aws_cdk import Acknowledgment, ArnFormat, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct


def machine_arn(scope: Construct, name: str) -> str:
    """Of the machine that will have this name."""
    return Stack.of(scope).format_arn(
        service="states", resource="stateMachine", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
    )


def machine_role(scope: Construct, name: str, calls: Iterable[lambda_.IFunction]) -> iam.Role:
    """The role of the machine ``name``: it may call these functions, and start and watch what its maps start."""
    runs = Stack.of(scope).format_arn(
        service="states", resource="execution", resource_name=f"{name}/*", arn_format=ArnFormat.COLON_RESOURCE_NAME
    )
    role = iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
        description=f"What {name} may do",
        inline_policies={
            "access": iam.PolicyDocument(
                statements=[
                    iam.PolicyStatement(
                        actions=["lambda:InvokeFunction"], resources=[one.function_arn for one in calls]
                    ),
                    # A distributed map starts its batches as executions of the same machine.
                    iam.PolicyStatement(actions=["states:StartExecution"], resources=[machine_arn(scope, name)]),
                    iam.PolicyStatement(actions=["states:DescribeExecution", "states:StopExecution"], resources=[runs]),
                    iam.PolicyStatement(actions=["xray:PutTraceSegments", "xray:PutTelemetryRecords"], resources=["*"]),
                ]
            )
        },
    )
    Validations.of(role).acknowledge(
        Acknowledgment(
            id="AwsSolutions-IAM5[Resource::*]",
            reason="X-Ray's two write actions know no resource; nothing else is granted on *.",
        ),
        Acknowledgment(
            id="AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:"
            f"{name}/*]",
            reason="The executions of this machine alone; their names are not known before they are started.",
        ),
    )
    return role
