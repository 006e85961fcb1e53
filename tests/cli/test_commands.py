"""The commands that go through the API, against the product's own handlers."""

import json
from pathlib import Path

import pytest
from moto import mock_aws
from rich.console import Console

from cli.command import main
from cli.target import Aws
from cli.verify import verify_table
from loyalty.ledger.chain import Chain
from loyalty.ledger.store import HeadStore, LedgerStore
from loyalty.table import keys
from tests.cli.conftest import Product

Capture = pytest.CaptureFixture[str]


def test_members_are_listed_and_found(product: Product, capsys: Capture) -> None:
    members = {product.enrol() for _ in range(3)}
    product.api("POST", "/v1/members", {"identities": ["card:10001"]})
    assert product.run("members", "list", "--json") == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert members < {one["id"] for one in listed}
    assert product.run("members", "list", "--limit", "2") == 0
    assert "2 members" in capsys.readouterr().out
    assert product.run("members", "find", "card:10001", "--json") == 0
    assert json.loads(capsys.readouterr().out)["identities"] == ["card"]


def test_sound_books_are_said_to_be_sound(product: Product, capsys: Capture) -> None:
    member = product.enrol(100)
    product.enrol(7)
    assert product.run("verify") == 0
    assert "2 chains, 8 entries, every one recomputed: sound" in capsys.readouterr().out
    assert product.run("verify", member) == 0
    assert "1 chain, 4 entries" in capsys.readouterr().out


def test_a_changed_entry_is_named_and_ends_with_status_1(product: Product, capsys: Capture) -> None:
    product.enrol(7)
    member = product.enrol(100)
    key = {"pk": {"S": keys.chain("alpha", member, "points")}, "sk": {"S": keys.entry(3)}}
    item = product.client.get_item(TableName=product.name, Key=key)["Item"]
    item["body"]["S"] = item["body"]["S"].replace("33", "34")
    product.client.put_item(TableName=product.name, Item=item)
    assert product.run("verify") == 1
    said = capsys.readouterr().out
    wrong = f"ent_{member.removeprefix('mem_')}-points-3"
    assert f"entry 3 ({wrong}) changed" in said
    assert f"wrong: 1 of 2 chains, the first at {wrong}" in said


def test_a_table_is_verified_without_the_api(product: Product, capsys: Capture) -> None:
    member = product.enrol(100)
    chain = Chain("alpha", member, "points")
    books = LedgerStore(product.table)
    head = books.head(chain)
    assert head is not None
    HeadStore(product.table).publish(head)
    said = Console(stderr=True, quiet=True)
    assert verify_table(Aws("none"), product.name, "alpha", Console(), said) == 0
    assert "1 chain, 4 entries" in capsys.readouterr().out
    product.client.delete_item(TableName=product.name, Key={"pk": {"S": chain.pk}, "sk": {"S": keys.entry(4)}})
    assert verify_table(Aws("none"), product.name, "alpha", Console(width=200), said) == 1
    assert "entry 4" in capsys.readouterr().out


def test_a_client_is_made_rotated_and_revoked(product: Product, capsys: Capture) -> None:
    assert product.run("clients", "create", "Till 4", "till", "--store", "319", "--scope", "balance:read") == 0
    key = capsys.readouterr().out.strip()
    client = key.split(".")[1]
    environment = {"LOYALTY_API_URL": "http://127.0.0.1", "LOYALTY_TOKEN": key}
    assert main(["clients", "list"], environment, product.gateway) == 2
    assert "AUTH_SCOPE_MISSING" in capsys.readouterr().err
    assert product.run("clients", "rotate", client, "--overlap", "60") == 0
    captured = capsys.readouterr()
    assert captured.out.strip() not in ("", key)
    assert "works until" in captured.err
    assert product.run("clients", "revoke", client) == 0
    assert product.run("clients", "list") == 0
    assert f"{client} Till 4" in " ".join(capsys.readouterr().out.split())
    assert main(["members", "find", "card:1"], environment, product.gateway) == 2


def test_the_operators_key_of_the_local_stack_is_used_whatever_is_made(
    product: Product, capsys: Capture, tmp_path: Path
) -> None:
    tokens = {"operator": product.key, "till": "alpha.none"}
    (tmp_path / "stack.json").write_text(json.dumps({"api_url": "http://127.0.0.1", "tokens": tokens}))
    environment = {"LOYALTY_LOCAL": str(tmp_path)}
    assert main(["clients", "create", "Till 4", "till"], environment, product.gateway) == 0
    assert main(["--as", "till", "clients", "list"], environment, product.gateway) == 2
    assert "403" in capsys.readouterr().err


def test_the_last_operator_stays(product: Product, capsys: Capture) -> None:
    assert product.run("clients", "revoke", product.key.split(".")[1]) == 2
    assert "CLIENT_LAST_OPERATOR" in capsys.readouterr().err


def test_a_policy_that_was_read_can_be_changed_and_put_back(product: Product, capsys: Capture, tmp_path: Path) -> None:
    assert product.run("program", "get") == 0
    read = capsys.readouterr()
    assert read.err.strip() == "version 1"
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({**json.loads(read.out), "events": {"check_in": 5}}))
    assert product.run("program", "put", str(file)) == 0
    assert "version 2 replaces version 1" in capsys.readouterr().err
    assert product.run("program", "put", str(file), "--version", "1") == 2
    assert "PROGRAM_VERSION_CONFLICT" in capsys.readouterr().err
    assert product.run("program", "put", str(tmp_path / "none.json")) == 2


def test_what_aws_refuses_is_a_message_and_no_traceback(product: Product, capsys: Capture) -> None:
    with mock_aws():
        for command in (
            ["redrive", "--stack", "loyalty-none"],
            ["verify", "--program", "alpha", "--stack", "s", "--table", "none"],
        ):
            assert main(command, {}, product.gateway) == 2
            assert "Traceback" not in (said := capsys.readouterr().err)
            assert said


def test_a_mistake_in_the_arguments_is_explained(capsys: Capture) -> None:
    for wrong in (
        ["verify", "--jobs", "0"],
        ["clients", "create", "x", "boss"],
        ["members", "list", "--limit", "-1"],
        [],
    ):
        with pytest.raises(SystemExit) as ended:
            main(wrong)
        assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err
