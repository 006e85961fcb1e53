"""The one table, made as the stack makes it, and read whole."""

from contextlib import suppress
from typing import TYPE_CHECKING

from loyalty.table import keys

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

DYNAMODB_LOCAL = "dynamodb-local"
MOTO = "moto"
ENGINES = (DYNAMODB_LOCAL, MOTO)


def create_table(client: "DynamoDBClient", name: str) -> None:
    """Make the table ``name`` with the keys, index and billing of the stack; it can be used on return."""
    with suppress(client.exceptions.ResourceInUseException):  # an earlier try of this call, whose answer got lost
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": keys.PK, "KeyType": "HASH"}, {"AttributeName": keys.SK, "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": each, "AttributeType": "S"} for each in (keys.PK, keys.SK, keys.REF)
            ],
            LocalSecondaryIndexes=[
                {
                    "IndexName": keys.REF_INDEX,
                    "KeySchema": [
                        {"AttributeName": keys.PK, "KeyType": "HASH"},
                        {"AttributeName": keys.REF, "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})


def items_of(client: "DynamoDBClient", name: str, pk: str | None = None) -> "list[dict[str, AttributeValueTypeDef]]":
    """Every item of the table, or of one partition, as stored, in order of its keys."""
    found: list[dict[str, AttributeValueTypeDef]] = []
    for page in client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True):
        found += page["Items"]
    chosen = [item for item in found if pk is None or item[keys.PK]["S"] == pk]
    return sorted(chosen, key=lambda item: (item[keys.PK]["S"], item[keys.SK]["S"]))


def empty_table(client: "DynamoDBClient", name: str) -> None:
    """Delete every item."""
    for item in items_of(client, name):
        client.delete_item(TableName=name, Key={keys.PK: item[keys.PK], keys.SK: item[keys.SK]})
