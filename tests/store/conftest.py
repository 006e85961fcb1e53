"""A programme's books on each engine in turn."""

from typing import TYPE_CHECKING

import pytest

from tests.store.books import Books

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def books(table: "tuple[DynamoDBClient, str]") -> Books:
    return Books(*table).establish()
