"""What segments cost, counted on the engine: a move has its price, and standing still has none."""

from typing import TYPE_CHECKING

import pytest

from bench.segments import MEMBERS, MOVE_ITEMS, count
from tests.engines import DYNAMODB_LOCAL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.mark.parametrize("engine", [DYNAMODB_LOCAL], indirect=True)
def test_who_stays_where_they_are_costs_no_write_and_a_move_costs_four(table: "tuple[DynamoDBClient, str]") -> None:
    found = count(*table)
    assert found.inside == MEMBERS, "everybody is old by then, and nobody rich"
    assert found.unchanged == 0
    assert found.again == 0
    assert found.entered == found.left == found.by_time == MOVE_ITEMS * MEMBERS
    assert found.unchanged_reads == 3 * MEMBERS, "profile, head and member"
