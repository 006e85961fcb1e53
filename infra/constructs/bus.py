"""The event bus that the outbox publishes to."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from constructs import Construct

from infra.settings import Stage


def event_bus(scope: Construct, prefix: str, stage: Stage) -> events.EventBus:
    """A bus of our own; where the stage says so, with an archive from which a lost consumer can be fed again."""
    bus = events.EventBus(scope, "Bus", event_bus_name=prefix, description="What happened to points and members")
    if stage.event_archive_days:
        bus.archive(
            "Archive",
            archive_name=f"{prefix}-events",
            event_pattern=events.EventPattern(source=["loyalty"]),
            retention=Duration.days(stage.event_archive_days),
        )
    return bus
