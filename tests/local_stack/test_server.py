"""What the emulator's process adds to the emulator: the API's own port, the meter, and streams after a restart."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from infra.local.server import Front, Message, forget_stream_positions

API_PORT = 5001


class Emulator:
    """Stands behind the front; remembers what reaches it and answers every call alike."""

    def __init__(self, answer: object = None, status: int = 200) -> None:
        self.answer = json.dumps(answer).encode()
        self.status = status
        self.scopes: list[Message] = []
        self.bodies: list[Any] = []

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        self.bodies.append(json.loads(body or b"null"))
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": self.answer})

    def header(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.scopes[-1]["headers"] if key == name]


def ask(
    front: Front, path: str = "/", *, port: int = 5000, body: object = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """One request: (status, body)."""
    text = b"" if body is None else json.dumps(body).encode()
    sent: list[Message] = []
    # In two parts, as a network may bring it.
    parts = [{"body": text[:5], "more_body": len(text) > 5}, {"body": text[5:], "more_body": False}]

    async def receive() -> Message:
        return {"type": "http.request", **parts.pop(0)}

    async def send(message: Message) -> None:
        sent.append(message)

    fields = {"host": "127.0.0.1", "content-length": str(len(text)), **(headers or {})}
    scope = {
        "type": "http",
        "path": path,
        "server": ("127.0.0.1", port),
        "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
    }
    asyncio.run(front(scope, receive, send))
    answer = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(answer)


def dynamodb(operation: str) -> dict[str, str]:
    return {"x-amz-target": f"DynamoDB_20120810.{operation}"}


def test_the_apis_port_leads_to_the_deployed_api_whatever_host_the_caller_names(tmp_path: Path) -> None:
    emulator = Emulator("hello")
    front = Front(emulator, tmp_path, API_PORT)
    (tmp_path / "api_host").write_text("abc.execute-api.127.0.0.1\n")
    assert ask(front, "/v1/program", port=API_PORT) == (200, "hello")
    assert emulator.header(b"host") == [b"abc.execute-api.127.0.0.1"]
    assert emulator.scopes[-1]["path"] == "/v1/program"


def test_the_apis_port_says_so_while_nothing_is_deployed_and_follows_a_new_deployment(tmp_path: Path) -> None:
    emulator = Emulator("hello")
    front = Front(emulator, tmp_path, API_PORT)
    assert ask(front, port=API_PORT)[0] == 503
    for name in ("first", "another"):
        (tmp_path / "api_host").unlink(missing_ok=True)
        (tmp_path / "api_host").write_text(name)
        ask(front, port=API_PORT)
        assert emulator.header(b"host") == [name.encode()]


def test_every_call_of_the_table_is_asked_what_it_consumed_and_added_up(tmp_path: Path) -> None:
    emulator = Emulator({"ConsumedCapacity": {"CapacityUnits": 2.0}})
    front = Front(emulator, tmp_path, API_PORT)
    ask(front, body={"TableName": "t"}, headers=dynamodb("PutItem"))
    ask(front, body={"TableName": "t", "ReturnConsumedCapacity": "INDEXES"}, headers=dynamodb("UpdateItem"))
    ask(front, body={"TableName": "t", "ReturnConsumedCapacity": "NONE"}, headers=dynamodb("Query"))
    assert [body["ReturnConsumedCapacity"] for body in emulator.bodies] == ["TOTAL", "INDEXES", "TOTAL"]
    assert int(emulator.header(b"content-length")[0]) == len(json.dumps(emulator.bodies[-1]))
    emulator.answer = json.dumps({"ConsumedCapacity": [{"CapacityUnits": 6.0}, {"CapacityUnits": 1.5}]}).encode()
    ask(front, body={"TransactItems": []}, headers=dynamodb("TransactWriteItems"))
    status, about = ask(front, "/_local")
    assert status == 200
    assert about["capacity"] == {"reads": 2.0, "writes": 11.5, "calls": 4}
    assert about["folder"] == str(tmp_path)


def test_what_is_refused_or_is_no_call_of_the_table_is_passed_on_and_not_counted(tmp_path: Path) -> None:
    emulator = Emulator({"message": "no"}, status=400)
    front = Front(emulator, tmp_path, API_PORT)
    assert ask(front, body={"TableName": "t"}, headers=dynamodb("PutItem")) == (400, {"message": "no"})
    emulator.status = 200
    ask(front, body={"QueueUrl": "q"}, headers={"x-amz-target": "AmazonSQS.SendMessage"})
    ask(front, "/bucket/key")
    assert front.meter.calls == 0


def test_a_stream_starts_anew_with_the_process_and_all_else_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "lambda.json"
    kept = {"functions": {"f": 1}, "kinesis_positions": {"k": 2}}
    file.write_text(json.dumps({"__ministack_format__": 2, "payload": {**kept, "dynamodb_stream_positions": {"m": 9}}}))
    forget_stream_positions(tmp_path)
    assert json.loads(file.read_text()) == {"__ministack_format__": 2, "payload": kept}
    forget_stream_positions(tmp_path / "nothing was kept yet")


@pytest.mark.parametrize("operation", ["ListTables", "DescribeTable", "CreateTable"])
def test_calls_about_tables_are_not_changed(tmp_path: Path, operation: str) -> None:
    emulator = Emulator({})
    ask(Front(emulator, tmp_path, API_PORT), body={"Limit": 1}, headers=dynamodb(operation))
    assert emulator.bodies == [{"Limit": 1}]
