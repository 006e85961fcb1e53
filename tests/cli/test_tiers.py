"""``loyalty tiers simulate`` against the product's own handlers."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli import tiers
from loyalty.ledger.chain import Chain
from loyalty.ledger.store import HeadStore, LedgerStore
from tests.cli.conftest import POLICY, Product

Capture = pytest.CaptureFixture[str]
TIERS: dict[str, Any] = {
    "levels": [
        {"id": "silver", "name": {"en": "Silver"}, "spend": 1_000},
        {"id": "gold", "name": {"en": "Gold"}, "spend": 5_000},
    ]
}


@pytest.fixture
def members(product: Product, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three, who have spent 5, 10 and 50 dollars in a programme without tiers."""
    monkeypatch.setattr(tiers, "PAGE", 2)
    found = []
    for number, amount in enumerate(("5.00", "10.00", "50.00")):
        member = product.enrol()
        sale = {"source": "pos", "order_id": str(number), "member": member, "currency": "USD"}
        more = {"occurred_at": datetime.now(UTC).isoformat(), "lines": [{"amount": amount}]}
        product.api("POST", "/v1/purchases", sale | more)
        head = LedgerStore(product.table).head(Chain("alpha", member, "points"))
        assert head is not None
        HeadStore(product.table).publish(head)
        found.append(member)
    return found


def written(tmp_path: Path, document: Any) -> str:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(document))
    return str(file)


def test_it_goes_through_all_members_and_says_who_would_rise(
    product: Product, members: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert product.run("tiers", "simulate", written(tmp_path, {**POLICY, "tiers": TIERS}), "--members") == 0
    out = capsys.readouterr().out
    assert "2 rise, 0 fall, 1 stay, of 3" in out
    assert f"{members[1]}  none -> silver" in out
    assert f"{members[2]}  none -> gold" in out
    assert members[0] not in out


def test_it_takes_the_tiers_alone_and_gives_everything_as_json(
    product: Product, members: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert product.run("tiers", "simulate", written(tmp_path, TIERS), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["looked"], found["rises"], found["falls"]) == (3, 2, 0)
    assert {"was": "", "becomes": "gold", "members": 1} in found["counts"]
    assert {one["member"] for one in found["changes"]} == set(members[1:])


def test_what_is_no_policy_is_refused(product: Product, tmp_path: Path, capsys: Capture) -> None:
    assert product.run("tiers", "simulate", written(tmp_path, [])) == 2
    assert "neither a policy with tiers nor tiers" in capsys.readouterr().err
    assert product.run("tiers", "simulate", written(tmp_path, {"levels": []})) == 2
    assert "tiers.levels" in capsys.readouterr().err
