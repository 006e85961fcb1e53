"""What mail needs in SES: a configuration set that publishes what becomes of each mail, the topic it publishes to, and
the identity it is sent from where the stage names one.

By the account's bus, events of SES come as best it can. A topic tries a queue again for three weeks, and what it then
could not get rid of goes to the queue's dead letters; so that none has come says something.
"""

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_ses as ses
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs.queues import WorkQueue
from infra.settings import Stage

TOLD = ("SEND", "REJECT", "DELIVERY", "DELIVERY_DELAY", "BOUNCE", "COMPLAINT", "OPEN", "CLICK")


class Mail(Construct):
    """``configuration_set`` is the set's name, ``topic`` what it publishes to."""

    def __init__(self, scope: Construct, construct_id: str, *, prefix: str, stage: Stage, key: kms.IKey) -> None:
        super().__init__(scope, construct_id)
        self.configuration_set = f"{prefix}-messages"
        made = ses.CfnConfigurationSet(
            self,
            "Set",
            name=self.configuration_set,
            delivery_options=ses.CfnConfigurationSet.DeliveryOptionsProperty(tls_policy="REQUIRE"),
            reputation_options=ses.CfnConfigurationSet.ReputationOptionsProperty(reputation_metrics_enabled=True),
        )
        self.topic = sns.Topic(self, "Reports", topic_name=f"{prefix}-reports", master_key=key, enforce_ssl=True)
        sets = Stack.of(self).format_arn(
            service="ses",
            resource="configuration-set",
            resource_name="*",
            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
        )
        may_publish = self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="ConfigurationSetsOfThisAccount",
                principals=[iam.ServicePrincipal("ses.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                    "ArnLike": {"aws:SourceArn": sets},
                },
            )
        )
        told = ses.CfnConfigurationSetEventDestination(
            self,
            "ToTheTopic",
            configuration_set_name=self.configuration_set,
            event_destination=ses.CfnConfigurationSetEventDestination.EventDestinationProperty(
                name="reports",
                enabled=True,
                matching_event_types=[*TOLD],
                sns_destination=ses.CfnConfigurationSetEventDestination.SnsDestinationProperty(
                    topic_arn=self.topic.topic_arn
                ),
            ),
        )
        told.add_dependency(made)
        if may_publish.policy_dependable is not None:  # SES tries whether it may
            told.node.add_dependency(may_publish.policy_dependable)
        if stage.mail_from:
            ses.CfnEmailIdentity(self, "From", email_identity=stage.mail_from)

    def reports_to(self, work: WorkQueue) -> None:
        """Have the topic pass on to a queue, as it is; what the queue does not take in three weeks goes to its dead
        letters.
        """
        sns.CfnSubscription(
            self,
            "ToTheQueue",
            topic_arn=self.topic.topic_arn,
            protocol="sqs",
            endpoint=work.queue.queue_arn,
            raw_message_delivery=True,
            redrive_policy={"deadLetterTargetArn": work.dead_letters.queue_arn},
        )
        for queue in (work.queue, work.dead_letters):
            queue.add_to_resource_policy(
                iam.PolicyStatement(
                    sid="ReportsOfThisTopic",
                    principals=[iam.ServicePrincipal("sns.amazonaws.com")],
                    actions=["sqs:SendMessage"],
                    resources=[queue.queue_arn],
                    conditions={"ArnEquals": {"aws:SourceArn": self.topic.topic_arn}},
                )
            )
