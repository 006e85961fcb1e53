"""What mail needs in SES: a configuration set that tells the account's bus what becomes of each mail, and the identity
it is sent from where the stage names one.
"""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_ses as ses
from constructs import Construct

from infra.settings import Stage

TOLD = ("SEND", "REJECT", "DELIVERY", "DELIVERY_DELAY", "BOUNCE", "COMPLAINT", "OPEN", "CLICK")


class Mail(Construct):
    """``configuration_set`` is the set's name."""

    def __init__(self, scope: Construct, construct_id: str, *, prefix: str, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self.configuration_set = f"{prefix}-messages"
        made = ses.CfnConfigurationSet(
            self,
            "Set",
            name=self.configuration_set,
            delivery_options=ses.CfnConfigurationSet.DeliveryOptionsProperty(tls_policy="REQUIRE"),
            reputation_options=ses.CfnConfigurationSet.ReputationOptionsProperty(reputation_metrics_enabled=True),
        )
        bus = Stack.of(self).format_arn(
            service="events", resource="event-bus", resource_name="default", arn_format=ArnFormat.SLASH_RESOURCE_NAME
        )
        told = ses.CfnConfigurationSetEventDestination(
            self,
            "ToTheBus",
            configuration_set_name=self.configuration_set,
            event_destination=ses.CfnConfigurationSetEventDestination.EventDestinationProperty(
                name="bus",
                enabled=True,
                matching_event_types=[*TOLD],
                event_bridge_destination=ses.CfnConfigurationSetEventDestination.EventBridgeDestinationProperty(
                    event_bus_arn=bus
                ),
            ),
        )
        told.add_dependency(made)
        if stage.mail_from:
            ses.CfnEmailIdentity(self, "From", email_identity=stage.mail_from)
