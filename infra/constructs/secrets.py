"""The secrets: one signs tokens, one signs links, one seals rule sets, all of which can be changed; under another one
identities are hashed for good. The last is filled by people: how providers of messages are reached.
"""

import json

from aws_cdk import Acknowledgment, RemovalPolicy, SecretValue, Validations
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.settings import Stage


def signing_secret(scope: Construct, stage: Stage, key: kms.IKey) -> secretsmanager.Secret:
    """JSON ``{"current", "previous"}``: what ``previous`` signed is still accepted, so a change is felt by nobody."""
    return _secret(
        scope,
        "SigningSecret",
        stage,
        key,
        description="Signs member tokens and offline allowances",
        generated=secretsmanager.SecretStringGenerator(
            secret_string_template=json.dumps({"previous": ""}),
            generate_string_key="current",
            password_length=64,
            exclude_punctuation=True,
        ),
        why_not_rotated="Changed by an operator, who moves `current` to `previous`: an offline allowance lives as long "
        "as its till may be offline, which a timer would not know.",
    )


def link_secret(scope: Construct, stage: Stage, key: kms.IKey) -> secretsmanager.Secret:
    """JSON ``{"current", "previous"}``, where ``previous`` is a list: a link to unsubscribe works for as long as the
    mail lies in a mailbox, whatever happens to the keys of tokens.
    """
    return _secret(
        scope,
        "LinkSecret",
        stage,
        key,
        description="Signs links in messages: those to follow, and those to unsubscribe",
        generated=secretsmanager.SecretStringGenerator(
            secret_string_template=json.dumps({"previous": []}),
            generate_string_key="current",
            password_length=64,
            exclude_punctuation=True,
        ),
        why_not_rotated="Links have no end: each key that signed one is kept, so a timer would add keys and end none.",
    )


def artifact_secret(scope: Construct, stage: Stage, key: kms.IKey) -> secretsmanager.Secret:
    """JSON ``{"current", "previous"}``, where ``previous`` may be a list: what those sealed is still trusted, for
    orders name versions of rule sets for as long as they can be returned.
    """
    return _secret(
        scope,
        "ArtifactSecret",
        stage,
        key,
        description="Seals published rule sets, which functions load as code",
        generated=secretsmanager.SecretStringGenerator(
            secret_string_template=json.dumps({"previous": []}),
            generate_string_key="current",
            password_length=64,
            exclude_punctuation=True,
        ),
        why_not_rotated="Changed by an operator, who keeps the current key among the previous ones and publishes anew: "
        "with a timer, versions that orders still name would be trusted no more.",
    )


def identity_secret(scope: Construct, stage: Stage, key: kms.IKey) -> secretsmanager.Secret:
    """Plain text. Never changed: every stored identity is a digest under it."""
    return _secret(
        scope,
        "IdentitySecret",
        stage,
        key,
        description="Key of the digests by which members are found; never change it",
        generated=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
        why_not_rotated="With another key no member would be found by phone, card or address any more.",
    )


def channels_secret(scope: Construct, stage: Stage, key: kms.IKey) -> secretsmanager.Secret:
    """JSON by programme (docs/channels.md). It begins without anything secret: with mail, text messages and push where
    the stage can send them, else with nothing. A later deployment leaves alone what people have put in.
    """
    first = {"*": {"email": {"from": stage.mail_from}, "sms": {}, "push": {}}} if stage.mail_from else {}
    return _secret(
        scope,
        "ChannelsSecret",
        stage,
        key,
        description="How messages are sent: WeChat, WeCom, webhooks, and who mail is from, by programme",
        first=json.dumps(first),
        why_not_rotated="Others gave out what is in it; each is changed where it was given out, then here.",
    )


def _secret(
    scope: Construct,
    construct_id: str,
    stage: Stage,
    key: kms.IKey,
    *,
    description: str,
    generated: secretsmanager.SecretStringGenerator | None = None,
    first: str | None = None,
    why_not_rotated: str,
) -> secretsmanager.Secret:
    secret = secretsmanager.Secret(
        scope,
        construct_id,
        description=description,
        encryption_key=key,
        generate_secret_string=generated,
        secret_string_value=None if first is None else SecretValue.unsafe_plain_text(first),
        removal_policy=RemovalPolicy.RETAIN if stage.keep_data else RemovalPolicy.DESTROY,
    )
    Validations.of(secret).acknowledge(Acknowledgment(id="AwsSolutions-SMG4", reason=why_not_rotated))
    return secret
