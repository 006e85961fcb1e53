"""What a night costs, counted on the engines: what is due, and nothing for who is not."""

from typing import TYPE_CHECKING

import pytest

from bench.night import WRITES_PER_ACCOUNT, count
from tests.engines import DYNAMODB_LOCAL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.conftest import TableOn

DUE = 40
OTHERS = 2_000


@pytest.mark.parametrize("engine", [DYNAMODB_LOCAL], indirect=True)
def test_a_night_costs_what_is_due_however_many_members_there_are(
    table: "tuple[DynamoDBClient, str]", table_on: "TableOn"
) -> None:
    alone = count(*table, DUE, 0)
    beside = count(*table_on(DYNAMODB_LOCAL), DUE, OTHERS)
    assert beside == alone
    assert alone.strangers == 0
    assert alone.entries <= WRITES_PER_ACCOUNT * DUE
    assert alone.timers <= DUE
    assert alone.other_writes == 2, "that the day is done, for each of the two kinds"
