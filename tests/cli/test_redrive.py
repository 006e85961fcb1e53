"""Dead letters, sent again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from cli.redrive import UNKNOWN, batch_of, redrive
from cli.target import Aws

ITEM = {"type": "purchase", "source": "pos", "order_id": "1"}
BATCH = {"batch": "bat_1", "program": "alpha", "client": "cli_1", "store": "", "items": [ITEM]}
WAITED = {"program": "alpha", "client": "cli_1", "store": "", "item": {**ITEM, "type": "return"}}


@dataclass
class Queues:
    """The two queues. ``run`` redrives; ``bodies`` empties a queue."""

    client: Any
    ingest: str
    dead: str

    def die(self, body: object, code: str = "") -> None:
        attributes = {"code": {"DataType": "String", "StringValue": code}} if code else {}
        self.client.send_message(QueueUrl=self.dead, MessageBody=json.dumps(body), MessageAttributes=attributes)

    def run(self, code: str = "", *, dry_run: bool = False) -> int:
        said = Console(stderr=True, quiet=True)
        return redrive(
            Aws("none"), queue=self.ingest, dead_letters=self.dead, code=code, dry_run=dry_run, out=Console(), bar=said
        )

    def bodies(self, url: str) -> list[Any]:
        found = []
        while messages := self.client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(one["Body"]) for one in messages]
        return found


@pytest.fixture
def queues() -> Iterator[Queues]:
    with mock_aws():
        client = boto3.client("sqs")
        # What was taken is not given again before all are counted, however slowly that goes.
        urls = [
            client.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "43200"})["QueueUrl"]
            for name in ("ingest", "dead")
        ]
        yield Queues(client, *urls)
        client.close()


def test_letters_go_back_to_the_queue_and_leave_the_dead_ones(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(25):
        queues.die(BATCH, "MEMBER_NOT_FOUND")
    queues.die(BATCH)
    assert queues.run() == 0
    said = capsys.readouterr().out
    assert "26 sent again, 0 left" in said
    assert UNKNOWN in said
    assert queues.bodies(queues.ingest) == [BATCH] * 26
    assert queues.bodies(queues.dead) == []
    assert queues.run() == 0
    assert "no dead letters" in capsys.readouterr().out


def test_a_dry_run_leaves_everything_where_it_is(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    queues.die(BATCH, "MEMBER_NOT_FOUND")
    assert queues.run(dry_run=True) == 0
    assert "1 would be sent again" in capsys.readouterr().out
    assert queues.bodies(queues.ingest) == []
    assert queues.bodies(queues.dead) == [BATCH]


def test_only_one_reason_is_sent_when_it_is_named(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    queues.die(BATCH, "MEMBER_NOT_FOUND")
    queues.die(WAITED, "RETURN_EXCEEDS_PURCHASE")
    assert queues.run("MEMBER_NOT_FOUND") == 0
    assert "1 sent again, 1 left" in capsys.readouterr().out
    assert queues.bodies(queues.ingest) == [BATCH]
    assert queues.bodies(queues.dead) == [WAITED]


def test_a_letter_that_is_no_batch_stays(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    queues.die({"body": "{"}, "REQUEST_INVALID")
    queues.die({"program": "alpha", "order": "alpha#O#pos#1"}, "ACCOUNT_CLOSED")
    assert queues.run() == 0
    said = capsys.readouterr().out
    assert "0 sent again, 2 left" in said
    assert "ACCOUNT_CLOSED (no batch)" in said
    assert len(queues.bodies(queues.dead)) == 2


def test_an_item_that_waited_for_its_purchase_becomes_a_batch_of_one() -> None:
    assert batch_of(json.dumps(WAITED)) == {
        "program": "alpha",
        "client": "cli_1",
        "store": "",
        "items": [WAITED["item"]],
    }
    assert batch_of("nonsense") is None
    assert batch_of("[]") is None
