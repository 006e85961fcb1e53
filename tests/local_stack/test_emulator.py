"""The emulator as a process: started once, stopped whole, and the same again after a restart."""

import io
import json
import socket
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.local import emulator
from infra.local.deploy import client
from infra.local.place import LocalError, Place, at
from tests.patience import AWAITED_S

FOLLOWER = """
import os

def handler(event, context):
    with open(os.environ["TOLD"], "a") as told:
        for record in event["Records"]:
            told.write((record["body"] if "body" in record else record["dynamodb"]["Keys"]["pk"]["S"]) + "\\n")
"""


@pytest.fixture
def place(tmp_path: Path, unused_port: int) -> Iterator[Place]:
    made = at(tmp_path / "local", {"LOYALTY_PORT": str(unused_port)})
    yield made
    emulator.stop(made)


def follower(place: Place, told: Path) -> str:
    """A function that writes what it is told into a file; its name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("follower.py", FOLLOWER)
    made = client(place, "lambda").create_function(
        FunctionName="follower",
        Runtime="python3.13",
        Handler="follower.handler",
        Role="arn:aws:iam::000000000000:role/follower",
        Code={"ZipFile": packed.getvalue()},
        Environment={"Variables": {"TOLD": str(told)}},
    )
    return str(made["FunctionName"])


def follow(place: Place, told: Path) -> None:
    """A table whose stream a function follows."""
    table = client(place, "dynamodb").create_table(
        TableName="told",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    client(place, "lambda").create_event_source_mapping(
        FunctionName=follower(place, told),
        EventSourceArn=table["LatestStreamArn"],
        StartingPosition="TRIM_HORIZON",
    )


def drained(place: Place, told: Path) -> str:
    """A queue that a function drains; its URL."""
    sqs = client(place, "sqs")
    queue = str(sqs.create_queue(QueueName="drained")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client(place, "lambda").create_event_source_mapping(FunctionName=follower(place, told), EventSourceArn=arn)
    return queue


def put(place: Place, *names: str) -> None:
    for name in names:
        client(place, "dynamodb").put_item(TableName="told", Item={"pk": {"S": name}})


def test_a_started_emulator_is_found_and_not_started_twice(place: Place) -> None:
    assert emulator.about(place) is None
    assert emulator.start(place)
    said = emulator.about(place)
    assert said is not None
    assert not emulator.start(place)
    assert said["pid"] == emulator.about(place)["pid"]  # type: ignore[index] # it runs: start has just said so
    assert emulator.stop(place)
    assert emulator.about(place) is None
    assert not emulator.stop(place)


def test_data_survive_a_restart_and_streams_go_on(place: Place, tmp_path: Path) -> None:
    told = tmp_path / "told"
    emulator.start(place)
    follow(place, told)
    put(place, "a", "b", "c")
    emulator.stop(place)
    assert told.read_text().split() == ["a", "b", "c"], "what was under way is delivered before the end"
    emulator.start(place)
    assert client(place, "dynamodb").scan(TableName="told", Select="COUNT")["Count"] == 3
    put(place, "d")
    assert emulator.settle(place, AWAITED_S)
    assert told.read_text().split() == ["a", "b", "c", "d"]


def test_messages_that_functions_are_to_take_are_waited_for_and_no_others(place: Place, tmp_path: Path) -> None:
    told = tmp_path / "told"
    emulator.start(place)
    queue, sqs = drained(place, told), client(place, "sqs")
    nobodys = sqs.create_queue(QueueName="nobodys")["QueueUrl"]
    sqs.send_message(QueueUrl=nobodys, MessageBody="unread")
    sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=900)
    for number in range(25):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))
    assert emulator.settle(place, 300)
    assert sorted(map(int, told.read_text().split())) == [*range(25)]


def machine(place: Place, *resources: str) -> str:
    """A state machine that calls the function in each of these ways, one after the other; its ARN."""
    states = {
        f"{number}": {
            "Type": "Task",
            "Resource": f"arn:aws:states:::{resource}",
            "Parameters": {"FunctionName": "follower", "Payload": {"Records": [{"body": f"{number}"}]}},
            **({"Next": f"{number + 1}"} if number + 1 < len(resources) else {"End": True}),
        }
        for number, resource in enumerate(resources)
    }
    definition = json.dumps({"StartAt": "0", "States": states})
    made = client(place, "stepfunctions").create_state_machine(
        name="machine", definition=definition, roleArn="arn:aws:iam::000000000000:role/machine"
    )
    return str(made["stateMachineArn"])


def test_executions_are_waited_for_until_they_wait_themselves(place: Place, tmp_path: Path) -> None:
    told = tmp_path / "told"
    emulator.start(place)
    follower(place, told)
    states = client(place, "stepfunctions")
    arn = machine(place, "lambda:invoke", "lambda:invoke", "lambda:invoke.waitForTaskToken")
    begun = [states.start_execution(stateMachineArn=arn)["executionArn"] for _ in range(3)]
    assert emulator.settle(place, AWAITED_S)
    assert told.read_text().split().count("2") == 3, "each has come to where it waits for a call"
    assert {states.describe_execution(executionArn=one)["status"] for one in begun} == {"RUNNING"}


def test_functions_see_the_emulator_and_nothing_of_our_environment(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    monkeypatch.setenv("SECRET_OF_THIS_SHELL", "x")
    emulator.start(place)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("tell.py", "import os\ndef handler(event, context):\n    return dict(os.environ)\n")
    functions = client(place, "lambda")
    functions.create_function(
        FunctionName="tell",
        Runtime="python3.13",
        Handler="tell.handler",
        Role="arn:aws:iam::000000000000:role/tell",
        Code={"ZipFile": packed.getvalue()},
    )
    seen: dict[str, Any] = json.loads(functions.invoke(FunctionName="tell")["Payload"].read())
    assert seen["AWS_ENDPOINT_URL"] == place.endpoint
    assert not {"PYTHONPATH", "SECRET_OF_THIS_SHELL"} & set(seen)


def test_another_program_on_the_port_is_told_apart(place: Place) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Nothing: a server in a test keeps quiet."""

    other = ThreadingHTTPServer(("127.0.0.1", place.port), Other)
    thread = threading.Thread(target=other.serve_forever)
    thread.start()
    try:
        with pytest.raises(LocalError, match=f"Port {place.port}.*taken by another program"):
            emulator.start(place)
    finally:
        other.shutdown()
        other.server_close()
        thread.join()


def test_an_emulator_that_cannot_start_points_at_its_log(place: Place) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", place.api_port))
        other.listen()
        with pytest.raises(LocalError, match=r"ended at once; its log is .*emulator\.log"):
            emulator.start(place)


@pytest.mark.parametrize(
    ("backlogs", "taken"), [([5, 4, 6, 3, 0], True), ([0], True), ([5, 4, 4, 4], False), ([5, 6, 7], False)]
)
def test_waiting_goes_on_as_long_as_records_are_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, backlogs: list[int], taken: bool
) -> None:
    moments = iter(range(100))  # a second for every look at the clock
    said = iter(backlogs)
    monkeypatch.setattr(emulator, "about", lambda _place: {"backlog": next(said)})
    clock = SimpleNamespace(monotonic=lambda: next(moments), sleep=lambda _seconds: None)
    monkeypatch.setattr("infra.local.emulator.time", clock)
    assert emulator.settle(Place(tmp_path, 1), patience=1.5) is taken


def test_waiting_for_an_emulator_that_has_ended_says_so(tmp_path: Path, unused_port: int) -> None:
    with pytest.raises(LocalError, match="does not run"):
        emulator.settle(Place(tmp_path, unused_port), patience=1)
