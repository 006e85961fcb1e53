"""The secret that signs member tokens and offline allowances."""

import json

from aws_cdk import Acknowledgment, RemovalPolicy, Validations
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.settings import Stage


def signing_secret(scope: Construct, stage: Stage, key: kms.IKey) -> secretsmanager.Secret:
    """JSON ``{"current", "previous"}``: what ``previous`` signed is still accepted, so a change is felt by nobody."""
    secret = secretsmanager.Secret(
        scope,
        "SigningSecret",
        description="Signs member tokens and offline allowances",
        encryption_key=key,
        generate_secret_string=secretsmanager.SecretStringGenerator(
            secret_string_template=json.dumps({"previous": ""}),
            generate_string_key="current",
            password_length=64,
            exclude_punctuation=True,
        ),
        removal_policy=RemovalPolicy.RETAIN if stage.keep_data else RemovalPolicy.DESTROY,
    )
    Validations.of(secret).acknowledge(
        Acknowledgment(
            id="AwsSolutions-SMG4",
            reason="Changed by an operator, who moves `current` to `previous`: what it signs lives for minutes, or as "
            "long as an offline allowance, and a timer would not know which.",
        )
    )
    return secret
