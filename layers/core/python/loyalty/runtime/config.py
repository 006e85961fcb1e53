"""The environment of a function, read once, when first asked for and never at import."""

import os
from functools import cache
from typing import NamedTuple


class Config(NamedTuple):
    """What the stack tells a function; empty where the function has no use for it."""

    table: str
    stage: str
    bus: str
    ingest_queue: str
    ingest_dead_letters: str
    replay_queue: str
    signing_secret: str
    identity_secret: str
    artifact_secret: str
    link_secret: str
    night_functions: str
    campaign_machine: str
    channels_secret: str
    notify_queue: str
    public_url: str
    mail_configuration_set: str
    partners_queue: str
    recover_queue: str
    arm_queue: str
    segment_members_queue: str
    reports_queue: str
    reports_dead_letters: str


@cache
def config() -> Config:
    """The environment, read once."""
    environment = os.environ
    return Config(
        table=environment.get("TABLE_NAME", ""),
        stage=environment.get("STAGE", "dev"),
        bus=environment.get("EVENT_BUS_NAME", ""),
        ingest_queue=environment.get("INGEST_QUEUE_URL", ""),
        ingest_dead_letters=environment.get("INGEST_DEAD_LETTER_URL", ""),
        replay_queue=environment.get("REPLAY_QUEUE_URL", ""),
        signing_secret=environment.get("SIGNING_SECRET_ID", ""),
        identity_secret=environment.get("IDENTITY_SECRET_ID", ""),
        artifact_secret=environment.get("ARTIFACT_SECRET_ID", ""),
        link_secret=environment.get("LINK_SECRET_ID", ""),
        night_functions=environment.get("NIGHT_FUNCTIONS", ""),
        campaign_machine=environment.get("CAMPAIGN_MACHINE_ARN", ""),
        channels_secret=environment.get("CHANNELS_SECRET_ID", ""),
        notify_queue=environment.get("NOTIFY_QUEUE_URL", ""),
        public_url=environment.get("PUBLIC_URL", ""),
        mail_configuration_set=environment.get("MAIL_CONFIGURATION_SET", ""),
        partners_queue=environment.get("PARTNERS_QUEUE_URL", ""),
        recover_queue=environment.get("RECOVER_QUEUE_URL", ""),
        arm_queue=environment.get("ARM_QUEUE_URL", ""),
        segment_members_queue=environment.get("SEGMENT_MEMBERS_QUEUE_URL", ""),
        reports_queue=environment.get("DELIVERY_QUEUE_URL", ""),
        reports_dead_letters=environment.get("DELIVERY_DEAD_LETTER_URL", ""),
    )
