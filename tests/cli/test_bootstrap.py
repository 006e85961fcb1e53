"""A programme's beginning from the command line."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from cli.bootstrap import bootstrap
from cli.target import Aws, CommandError
from loyalty.clients.credentials import parse
from loyalty.clients.service import Clients
from loyalty.clients.store import ClientStore
from loyalty.table.client import Table

if TYPE_CHECKING:
    from tests.conftest import TableOn


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"program": "alpha", "name": "Alpha", "currency": "EUR"}))
    return file


def run(file: Path, table: str, capsys: pytest.CaptureFixture[str], **options: Any) -> str:
    """What was written to standard output."""
    given = {"name": "First", "new_key": False, **options}
    bootstrap(Aws("none"), file, table=table, out=Console(width=200), said=Console(stderr=True), **given)
    return capsys.readouterr().out.strip()


def test_the_first_operator_gets_a_key_once(
    table_on: "TableOn", policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed, name = table_on("moto")
    client: Any = typed
    clients = Clients(ClientStore(Table(client, name)))
    key = parse(run(policy, name, capsys))
    assert key is not None
    assert clients.of_key(key, 0) is not None
    assert run(policy, name, capsys) == ""
    newer = parse(run(policy, name, capsys, new_key=True))
    assert newer is not None
    assert newer.client == key.client
    assert clients.of_key(newer, 0) is not None
    assert clients.of_key(key, 0) is None


def test_a_policy_that_is_wrong_stores_nothing(
    table_on: "TableOn", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client, name = table_on("moto")
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"program": "alpha", "name": "Alpha", "currency": "EUR", "wallet": "points"}))
    with pytest.raises(CommandError, match="wallet"):
        run(file, name, capsys)
    assert client.scan(TableName=name)["Count"] == 0
