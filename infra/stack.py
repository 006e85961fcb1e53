"""The stack: one, so that rule, queue, function and table never wait for one another across stacks. What watches it is
another, in `infra.watch`.
"""

from aws_cdk import Acknowledgment, CfnOutput, Stack, Validations
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.catalogue import (
    CATALOGUE,
    REPORTS,
    RUNTIME_SERVICES,
    Authorizer,
    FromCampaign,
    FromNight,
    FromQueue,
    FromStream,
    Http,
    Scheduled,
)
from infra.constructs.access import Parts, environment, statements
from infra.constructs.api import Api
from infra.constructs.bus import event_bus
from infra.constructs.campaign import CampaignRuns
from infra.constructs.functions import LambdaFunction
from infra.constructs.key import data_key
from infra.constructs.layers import Layers
from infra.constructs.machines import machine_arn
from infra.constructs.mail import Mail
from infra.constructs.night import Night
from infra.constructs.queues import dead_letter_queue, work_queue
from infra.constructs.schedules import call_at_times
from infra.constructs.secrets import artifact_secret, channels_secret, identity_secret, link_secret, signing_secret
from infra.constructs.sources import drain, fill, follow
from infra.constructs.table import ledger_table
from infra.settings import Stage

TOUCHES = {"touch": "campaign_touch"}
"""The step of a campaign's machine whose function a night calls, too."""


class LoyaltyStack(Stack):
    """Everything of one stage. The names of what it makes begin with the stack's own."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(
            scope,
            construct_id,
            description=f"Loyalty engine, stage {stage.name}",
            termination_protection=stage.deletion_protection,
        )
        prefix = construct_id
        campaign_steps = TOUCHES | {
            one.trigger.step: one.name for one in CATALOGUE if isinstance(one.trigger, FromCampaign)
        }
        followers = [one.name for one in CATALOGUE if isinstance(one.trigger, FromStream)]

        key = data_key(self, keep=stage.keep_data)
        # By its ARN, so that no construct adds wildcard actions to the key's policy.
        known_key = kms.Key.from_key_arn(self, "KnownKey", key.key_arn)
        mail = Mail(self, "Mail", prefix=prefix, stage=stage, key=known_key)
        parts = Parts(
            table=ledger_table(self, stage, known_key),
            signing_secret=signing_secret(self, stage, known_key),
            link_secret=link_secret(self, stage, known_key),
            identity_secret=identity_secret(self, stage, known_key),
            artifact_secret=artifact_secret(self, stage, known_key),
            channels_secret=channels_secret(self, stage, known_key),
            configuration_set=mail.configuration_set,
            bus=event_bus(self, prefix, stage),
            queues={
                one.trigger.queue: work_queue(
                    self,
                    prefix,
                    one.trigger.queue,
                    function_timeout_s=one.timeout_s,
                    least_s=stage.least_timeout_s,
                    delay_s=one.trigger.delay_s,
                )
                for one in CATALOGUE
                if isinstance(one.trigger, FromQueue)
            },
            failures={
                name: dead_letter_queue(self, f"{name.title()}Failures", f"{prefix}-{name}-failures")
                for name in followers
            },
            drains={
                kind: f"{prefix}-{one.name}"
                for one in CATALOGUE
                if isinstance(one.trigger, FromNight)
                for kind in one.trigger.kinds
            },
            campaigns=machine_arn(self, f"{prefix}-campaigns"),
        )

        Validations.of(self).acknowledge(
            Acknowledgment(
                id="AwsSolutions-L1",
                reason="Python 3.13 is the runtime that the locked packages are resolved for and layers compiled for; "
                "a newer one is a change of its own.",
            )
        )
        layers = Layers(self, "Layers", services=RUNTIME_SERVICES, run_here=stage.functions_run_here)
        functions = {
            one.name: LambdaFunction(
                self,
                one,
                stage=stage,
                prefix=prefix,
                layers=layers,
                environment=environment(one, parts),
                statements=statements(one, parts),
            ).function
            for one in CATALOGUE
        }
        for one in CATALOGUE:
            if isinstance(one.trigger, FromQueue):
                drain(functions[one.name], parts.queues[one.trigger.queue].queue, one.trigger)
                if one.trigger.events:
                    fill(self, prefix, parts.bus, parts.queues[one.trigger.queue], one.trigger)
            if isinstance(one.trigger, FromStream):
                follow(functions[one.name], parts.table, parts.failures[one.name], one.trigger)
            if isinstance(one.trigger, Scheduled):
                call_at_times(f"{prefix}-{one.name}", functions[one.name], one.trigger)

        mail.reports_to(parts.queues[REPORTS])

        nightly = {one.name: one.trigger.kinds for one in CATALOGUE if isinstance(one.trigger, FromNight)}
        night = Night(
            self,
            "Night",
            prefix=prefix,
            plans=functions[next(name for name, kinds in nightly.items() if not kinds)],
            drains={name: functions[name] for name, kinds in nightly.items() if kinds},
        )

        campaigns = CampaignRuns(
            self,
            "CampaignRuns",
            name=f"{prefix}-campaigns",
            steps={step: functions[name] for step, name in campaign_steps.items()},
        )

        api = Api(
            self,
            "Api",
            stage=stage,
            prefix=prefix,
            functions={one.name: functions[one.name] for one in CATALOGUE if isinstance(one.trigger, Http)},
            authorize=functions[next(one.name for one in CATALOGUE if isinstance(one.trigger, Authorizer))],
        )

        for one in CATALOGUE:
            if one.knows_its_address:
                functions[one.name].add_environment("PUBLIC_URL", api.url)

        self.api = api.http
        self.table = parts.table
        self.key_arn = key.key_arn

        for name, value in {
            "ApiUrl": api.url,
            "ApiId": api.http.api_id,
            "TableName": parts.table.table_name,
            "IngestQueueUrl": parts.queues["ingest"].queue.queue_url,
            "IngestDeadLetterUrl": parts.queues["ingest"].dead_letters.queue_url,
            "NightArn": night.machine.attr_arn,
            "CampaignsArn": campaigns.machine.attr_arn,
            "EventBusName": parts.bus.event_bus_name,
            "SigningSecretId": parts.signing_secret.secret_arn,
            "LinkSecretId": parts.link_secret.secret_arn,
            "ArtifactSecretId": parts.artifact_secret.secret_arn,
            "ChannelsSecretId": parts.channels_secret.secret_arn,
        }.items():
            CfnOutput(self, name, value=value)
