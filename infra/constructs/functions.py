"""Functions from the catalogue: each with its own role, log group and package."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from aws_cdk import Acknowledgment, Duration, IgnoreMode, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.catalogue import Function
from infra.constructs.layers import ARCHITECTURE, ROOT, RUNTIME, Layers
from infra.constructs.logs import count_failures, log_group
from infra.settings import Stage

SENDERS = "arn:<AWS::Partition>:ses:<AWS::Region>:<AWS::AccountId>:identity/*"


def all_but(kept: Iterable[str]) -> list[str]:
    """Patterns, in .gitignore's language, that ignore the whole repository except the paths ``kept``.

    Folder by folder on the way down: ignore all that is in it, then take back the next step. An ignored folder is
    never entered, so nothing costs time but what is kept.
    """
    steps: dict[PurePosixPath, dict[PurePosixPath, None]] = {}
    for path in map(PurePosixPath, kept):
        for step in (path, *path.parents[:-1]):
            steps.setdefault(step.parent, {})[step] = None
    patterns = []
    for folder in sorted(steps, key=lambda folder: len(folder.parts)):
        patterns.append(f"/{folder / '*'}")
        patterns.extend(f"!/{step}" for step in steps[folder])
    return [*patterns, "__pycache__"]


class LambdaFunction(Construct):
    """One function of the catalogue, allowed to do what ``statements`` says and to write its own log."""

    def __init__(
        self,
        scope: Construct,
        spec: Function,
        *,
        stage: Stage,
        prefix: str,
        layers: Layers,
        environment: Mapping[str, str],
        statements: Sequence[iam.PolicyStatement],
    ) -> None:
        super().__init__(scope, spec.name.title().replace("_", ""))
        self.spec = spec
        name = f"{prefix}-{spec.name}"
        log = log_group(self, "Log", f"/aws/lambda/{name}", stage)
        count_failures(log, prefix)
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What {name} may do",
            inline_policies={
                "access": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log.log_group_arn]
                        ),
                        iam.PolicyStatement(
                            actions=["xray:PutTraceSegments", "xray:PutTelemetryRecords"], resources=["*"]
                        ),
                        *statements,
                    ]
                )
            },
        )
        Validations.of(role).acknowledge(
            Acknowledgment(
                id="AwsSolutions-IAM5[Resource::*]",
                reason="X-Ray's two write actions know no resource; nothing else is granted on *, but that a function "
                "that sends messages may publish to numbers, which have no ARN.",
            )
        )
        if spec.sends_messages:
            Validations.of(role).acknowledge(
                Acknowledgment(
                    id=f"AwsSolutions-IAM5[Resource::{SENDERS}]",
                    reason="Programmes send mail from addresses of their own, which the secret of the channels names; "
                    "SES knows only those that the account has verified.",
                )
            )
        third_party = [layers.deps] if spec.third_party and layers.deps else []
        if spec.science and layers.science:
            third_party.append(layers.science)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            description=spec.does,
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            handler=f"functions.{spec.name}.handler.lambda_handler",
            code=lambda_.Code.from_asset(
                str(ROOT),
                exclude=all_but(("functions/__init__.py", f"functions/{spec.name}", *spec.files)),
                ignore_mode=IgnoreMode.GIT,
            ),
            layers=[layers.core, *third_party],
            memory_size=spec.memory_mb,
            timeout=Duration.seconds(max(spec.timeout_s, stage.least_timeout_s)),
            environment={"STAGE": stage.name, "LOG_LEVEL": "INFO", "POWERTOOLS_SERVICE_NAME": spec.name, **environment},
            # Everything the role may do stands above; constructs must not add to it behind our back.
            role=role.without_policy_updates(),
            log_group=log,
            # Lambda's own lines at INFO (START, END, REPORT) repeat its metrics and cost more than our own line.
            logging_format=lambda_.LoggingFormat.JSON,
            application_log_level_v2=lambda_.ApplicationLogLevel.INFO,
            system_log_level_v2=lambda_.SystemLogLevel.WARN,
            tracing=lambda_.Tracing.ACTIVE,
        )
