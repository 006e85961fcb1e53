"""``loyalty webhooks`` against the product's own handlers."""

import json
from typing import Any

import pytest

from tests.cli.conftest import Product

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loyalty.runtime.outbound.send", lambda queue, message, delay=0: None)
    monkeypatch.setattr("functions.webhooks.changes.may_be_sent_to", lambda url: None)


def test_a_webhook_is_made_looked_at_changed_and_removed(product: Product, capsys: Capture) -> None:
    assert product.run("webhooks", "create", "https://partner.example/hook", "points.*", "tier.upgraded") == 0
    name, secret = capsys.readouterr().out.split()
    assert secret.startswith("whsec_")
    assert product.run("webhooks", "list") == 0
    said = capsys.readouterr().out
    assert name in said
    assert "points.* tier.upgraded" in said
    assert secret not in said
    assert product.run("webhooks", "rotate", name, "--overlap", "60") == 0
    assert capsys.readouterr().out.strip() not in ("", secret)
    assert product.run("webhooks", "disable", name) == 0
    assert product.run("webhooks", "enable", name) == 0
    assert capsys.readouterr().out == f"{name} is off\n{name} is on\n"
    assert product.run("webhooks", "test", name) == 0
    tried = capsys.readouterr().out.strip()
    assert product.run("webhooks", "deliveries", name) == 0
    line = capsys.readouterr().out
    assert tried in line
    assert "webhook.test" in line
    assert product.run("webhooks", "replay", name, "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z") == 0
    assert "from 2026-03-01T00:00:00Z to 2026-03-02T00:00:00Z" in capsys.readouterr().out
    assert product.run("webhooks", "remove", name) == 0
    capsys.readouterr()
    assert product.run("webhooks", "list", "--json") == 0
    left: list[Any] = json.loads(capsys.readouterr().out)
    assert left == []
    assert product.run("webhooks", "remove", name) == 2
