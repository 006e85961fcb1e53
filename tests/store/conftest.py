"""A programme's books on each engine in turn."""

from typing import TYPE_CHECKING

import pytest

from tests.store.books import Books
from tests.tally import tried

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def books(table: "tuple[DynamoDBClient, str]") -> "Iterator[Books]":
    books = Books(*table).establish()
    yield books
    tried("operations", books.requests)
