"""``loyalty rules simulate`` against the product's own handlers, its worker included."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli import simulate
from functions.replay import handler as replay
from loyalty.ledger.chain import Chain
from loyalty.ledger.store import HeadStore, LedgerStore
from loyalty.runtime import outbound
from tests.cli.conftest import Product
from tests.cli.test_publishing import rule_set, said

Capture = pytest.CaptureFixture[str]


def at_once(queue: str, message: dict[str, Any], attributes: object = None) -> None:
    """A queue whose worker takes a message before the sender has turned its back."""
    record = {"messageId": "m1", "eventSource": "aws:sqs", "body": json.dumps(message)}
    assert replay.lambda_handler({"Records": [record]}, None) == {"batchItemFailures": []}


@pytest.fixture
def shop(product: Product, monkeypatch: pytest.MonkeyPatch) -> Product:
    """Three members who have each paid ten dollars."""
    monkeypatch.setattr(simulate, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(outbound, "send", at_once)
    for number in range(3):
        member = product.enrol()
        sale = {"source": "pos", "order_id": str(number), "member": member, "currency": "USD"}
        more = {"occurred_at": "2026-03-01T12:00:00Z", "lines": [{"amount": "10.00"}]}
        product.api("POST", "/v1/purchases", sale | more)
        head = LedgerStore(product.table).head(Chain("alpha", member, "points"))
        assert head is not None
        HeadStore(product.table).publish(head)
    return product


def tried(product: Product, *more: str) -> int:
    return product.run("rules", "simulate", *more, "--until", "2026-03-05", "--days", "10")


def test_it_says_what_a_file_would_have_given(shop: Product, tmp_path: Path, capsys: Capture) -> None:
    assert tried(shop, rule_set(tmp_path, 2)) == 0
    out, err = said(capsys)
    assert "2026-02-24 to 2026-03-05" in err
    assert "points given   30 -> 60 (+100.0 %)" in out
    assert "3 of 3 would earn otherwise" in out
    assert "3 win, 0 lose, 0 neither" in out


def test_it_says_when_nothing_happened_on_the_days(shop: Product, tmp_path: Path, capsys: Capture) -> None:
    assert shop.run("rules", "simulate", rule_set(tmp_path, 2), "--until", "2025-03-05") == 0
    out, err = said(capsys)
    assert "nothing happened on these days" in err
    assert "points given   0 -> 0" in out


def test_it_writes_a_page_and_json(shop: Product, tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "page.html"
    assert tried(shop, rule_set(tmp_path, 2), "--html", str(page), "--lang", "zh", "--json") == 0
    found = json.loads(said(capsys)[0])
    assert found["status"] == "done"
    assert (found["figures"]["points_before"], found["figures"]["points_after"]) == (30, 60)
    text = page.read_text(encoding="utf-8")
    assert '<body class="zh">' in text
    assert json.dumps(found, ensure_ascii=False, separators=(",", ":")) in text
    assert tried(shop, "current") == 2
    assert "RULE_SET_NOT_FOUND" in said(capsys)[1]
    assert tried(shop, rule_set(tmp_path, 2), "--html", str(tmp_path / "none" / "page.html")) == 2


def test_a_part_that_fails_is_named(
    shop: Product, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(queue: str, message: dict[str, Any], attributes: object = None) -> None:
        """A worker that comes to nothing with one part."""
        if message["shard"] != 7:
            at_once(queue, message, attributes)
            return
        with monkeypatch.context() as within:
            within.setattr("loyalty.backtests.store.BacktestStore.accounts", None)
            for _ in range(5):
                record = {"messageId": "m1", "eventSource": "aws:sqs", "body": json.dumps(message)}
                assert replay.lambda_handler({"Records": [record]}, None)["batchItemFailures"]

    monkeypatch.setattr(outbound, "send", never)
    assert tried(shop, rule_set(tmp_path, 2)) == 1
    assert "part 7 failed: TypeError" in said(capsys)[1]
