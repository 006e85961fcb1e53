"""The one customer-managed key: the table, the secrets, and the topics of alarms and reports are encrypted with it."""

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

_USE = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:DescribeKey",
    "kms:CreateGrant",
)
_ADMINISTER = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)


def data_key(scope: Construct, *, keep: bool) -> kms.Key:
    """A rotated key that administrators manage but cannot decrypt with, and that callers use through services alone.

    Whoever may read an item may have it decrypted by DynamoDB on the way, and the same for the secret: the service
    asks in the caller's name. So no function's role names the key, and none can use it directly.
    """
    policy = iam.PolicyDocument(
        statements=[
            iam.PolicyStatement(
                sid="Administer", principals=[iam.AccountRootPrincipal()], actions=[*_ADMINISTER], resources=["*"]
            ),
            iam.PolicyStatement(
                sid="ThroughServices",
                principals=[iam.AnyPrincipal()],
                actions=[*_USE],
                resources=["*"],
                conditions={
                    "StringEquals": {
                        "kms:CallerAccount": Aws.ACCOUNT_ID,
                        "kms:ViaService": [
                            f"dynamodb.{Aws.REGION}.amazonaws.com",
                            f"secretsmanager.{Aws.REGION}.amazonaws.com",
                        ],
                    }
                },
            ),
            # Without a condition, as CloudWatch documents it; whose alarms may publish is the topic's policy to say.
            iam.PolicyStatement(
                sid="AlarmsToTopic",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
            ),
            # The same, as SES documents it: which configuration set may publish is the topic's policy to say.
            iam.PolicyStatement(
                sid="ReportsToTopic",
                principals=[iam.ServicePrincipal("ses.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
            ),
        ]
    )
    return kms.Key(
        scope,
        "Key",
        description="Loyalty: points, members and the signing secret at rest",
        enable_key_rotation=True,
        policy=policy,
        removal_policy=RemovalPolicy.RETAIN if keep else RemovalPolicy.DESTROY,
    )
