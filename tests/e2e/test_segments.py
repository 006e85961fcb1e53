"""Segments on the deployed stack: everybody is looked at when they are handed in, and moves as things happen."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.calls import Api
from tests.e2e.stack import ALPHA, Stack

PROGRAM = "grouped"
SOURCE = f"""\
program: {PROGRAM}
segments:
  rich: {{name: {{en: Rich, zh: 富}}, when: member.points >= 100}}
  bonn: {{name: {{en: In Bonn, zh: 波恩}}, when: member.city = 'Bonn'}}
  spent: {{name: {{en: Spent much, zh: 多}}, when: member.spend_12_months >= 50}}
  top: {{name: {{en: Top, zh: 顶}}, when: member.points > 0 AND member.points_rank < 10}}
expect:
  - {{case: two at once, member: {{points: 100, spend_12_months: 50}}, in: [rich, spent]}}
"""


@pytest.fixture
def grouped(stack: Stack) -> Iterator[Api]:
    tokens = stack.add({**ALPHA, "program": PROGRAM}).tokens
    with stack.api(tokens["operator"]) as api:
        yield api


def test_members_are_in_the_segments_whose_conditions_are_true_of_them(stack: Stack, grouped: Api) -> None:
    def enrol(**attributes: Any) -> str:
        body = {"identities": [f"card:{secrets.token_hex(8)}"], "attributes": attributes}
        return str(grouped.post("/v1/members", body).expect(201)["id"])

    def give(member: str, points: int) -> None:
        grouped.post(f"/v1/members/{member}/adjustments", {"points": points, "reason": "test"}).expect(201)

    def listed(segment: str) -> set[str]:
        stack.settle()
        found = grouped.get(f"/v1/segments/{segment}/members?limit=100").expect(200)["members"]
        assert counts()[segment] == len(found)
        return {one["member"] for one in found}

    def counts() -> dict[str, int]:
        return {one["id"]: one["members"] for one in grouped.get("/v1/segments").expect(200)["segments"]}

    there = [enrol() for _ in range(20)]
    for number, member in enumerate(there):
        give(member, 10 * (number + 1))
    stack.settle()
    handed_in = grouped.post("/v1/segments", {"source": SOURCE}, key=None).expect(200)
    assert (handed_in["version"], handed_in["cases"]) == (1, 1)
    assert listed("rich") == {*there[9:]}
    assert listed("top") == {*there[-2:]}

    new = enrol(city="Bonn")
    assert listed("bonn") == {new}
    grouped.call("PATCH", f"/v1/members/{new}", {"attributes": {"city": None}}).expect(200)
    assert listed("bonn") == set()
    purchase = {
        "source": "pos",
        "order_id": secrets.token_hex(6),
        "member": new,
        "occurred_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "currency": "USD",
        "lines": [{"amount": "120.00"}],
    }
    grouped.post("/v1/purchases", purchase).expect(201)
    assert listed("spent") == {new}
    assert new in listed("rich")
    grouped.post(f"/v1/purchases/pos/{purchase['order_id']}/returns").expect(201)
    assert listed("spent") == set()
    assert new not in listed("rich")
