"""The operators' command line against the deployed stack."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.command import main
from tests.e2e.calls import Api
from tests.e2e.stack import ALPHA, Stack
from tests.patience import eventually


@pytest.fixture
def environment(stack: Stack, tmp_path: Path) -> dict[str, str]:
    """What `make up` would have left for the command line, with a programme of these tests alone, and nothing set
    aside by other tests.
    """
    stack.client("sqs").purge_queue(QueueUrl=stack.outputs["IngestDeadLetterUrl"])
    tokens = stack.add({**ALPHA, "program": "outside"}).tokens
    told = {"api_url": stack.url, "region": "us-east-1", "table": stack.outputs["TableName"], "tokens": tokens}
    (tmp_path / "stack.json").write_text(json.dumps(told))
    (tmp_path / "port").write_text(f"{stack.place.port}\n")
    return {"LOYALTY_LOCAL": str(tmp_path)}


@pytest.fixture
def outside(stack: Stack, environment: dict[str, str]) -> Iterator[Api]:
    """The operator of that programme."""
    assert environment
    with stack.api(stack.programmes["outside"].tokens["operator"]) as api:
        yield api


def test_what_was_set_aside_is_posted_after_it_was_mended_and_sent_again(
    outside: Api, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    card = {"identity": "card:mended-later"}
    sale = {"type": "purchase", "source": "pos", "order_id": "mended-1", "occurred_at": "2026-01-02T10:00:00Z"}
    item = {**sale, **card, "currency": "USD", "lines": [{"amount": "8.40"}]}
    outside.post("/v1/batches", {"items": [item]}, key=None).expect(202)
    code = ["--code", "MEMBER_NOT_FOUND"]
    eventually(
        lambda: main(["redrive", "--dry-run", *code], environment) == 0 and "1 would be" in capsys.readouterr().out
    )
    member = outside.post("/v1/members", {"identities": ["card:mended-later"]}).expect(201)["id"]
    assert main(["redrive", *code], environment) == 0
    assert "1 sent again" in capsys.readouterr().out
    eventually(lambda: outside.get(f"/v1/members/{member}/balance").expect(200)["balance"]["available"] == 8)


def test_the_books_are_verified_from_outside(
    stack: Stack, outside: Api, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    member = outside.post("/v1/members", {"kind": "pool"}).expect(201)["id"]
    outside.post(f"/v1/members/{member}/adjustments", {"points": 5, "reason": "to begin with"}).expect(201)
    stack.settle()
    assert main(["--as", "auditor", "verify", member, "--wallet", "points"], environment) == 0
    assert "1 chain, 2 entries, every one recomputed: sound" in capsys.readouterr().out
    assert main(["verify", "--program", "outside"], environment) == 0
    assert "every one recomputed: sound" in capsys.readouterr().out
