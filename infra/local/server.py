"""The emulator's process: MiniStack, with three things it lacks. Run by path, ``python infra/local/server.py FOLDER``,
so that the functions it starts inherit no import path of ours.

- One port more, where the deployed API answers by itself: on AWS an API has a host name of its own, here a browser
  or curl would have to send that name as a header.
- A meter: every DynamoDB call is asked what it consumed, and the sum can be read.
- Streams after a restart: MiniStack keeps how far each function had read a table's stream, but not the stream, and
  would deliver nothing until as many records had been written again. The positions are forgotten with the stream,
  and ``backlog`` says how many records are still to be delivered, so that nobody stops it before; how many messages
  functions have yet to take from their queues, but for those that are to come later; and how many executions of state
  machines are at work.

``GET /_local`` on the emulator's port: ``{"pid", "folder", "backlog", "capacity": {"reads", "writes", "calls"}}``.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

TARGET = b"x-amz-target"
DYNAMODB = b"DynamoDB_20120810."
METERED = {
    b"GetItem", b"PutItem", b"UpdateItem", b"DeleteItem", b"Query", b"Scan", b"BatchGetItem", b"BatchWriteItem",
    b"TransactGetItems", b"TransactWriteItems",
}  # fmt: skip
READS = {b"GetItem", b"Query", b"Scan", b"BatchGetItem", b"TransactGetItems"}


def forget_stream_positions(state: Path) -> None:
    """Let every function read its stream from the beginning, which is what is left of it: nothing."""
    file = state / "lambda.json"
    if not file.exists():
        return
    data = json.loads(file.read_text())
    if data["payload"].pop("dynamodb_stream_positions", None):
        file.write_text(json.dumps(data))


def stream_backlog() -> int:
    """How many records of table streams the functions that follow them have yet to take."""
    from ministack.services import dynamodb, lambda_svc

    positions = lambda_svc._dynamodb_stream_positions._data  # noqa: SLF001 - nothing public tells; the version is pinned
    backlog = 0
    for (account, region, mapping), source in list(lambda_svc._esms._data.items()):  # noqa: SLF001 - as above
        arn = source["EventSourceArn"]
        if ":dynamodb:" in arn:
            table = arn.split("/")[1]
            where = {"account_id": account, "region": region}
            start = dynamodb.stream_start_position(table, **where)
            done = max(start, positions.get((account, region, mapping), start))
            backlog += max(0, dynamodb.stream_end_position(table, **where) - done)
    return backlog


def queue_backlog() -> int:
    """How many messages the functions that drain queues have yet to take or are at. What is delayed, and was not taken
    before, is not waited for.
    """
    from ministack.services import lambda_svc, sqs

    now = time.time()
    drained = {source["EventSourceArn"] for source in list(lambda_svc._esms._data.values())}  # noqa: SLF001 - as above
    return sum(
        message.get("visible_at", 0) <= now or message.get("receive_count", 0) > 0
        for queue in list(sqs._queues._data.values())  # noqa: SLF001 - as above
        if queue["attributes"]["QueueArn"] in drained
        for message in list(queue["messages"])
    )


def executions_at_work() -> int:
    """How many executions of state machines go on, but for those that wait until somebody calls them back: that may be
    in a month.
    """
    from ministack.services import stepfunctions

    running: int = sum(
        execution["status"] == "RUNNING" and "mapRunArn" not in execution
        for execution in list(stepfunctions._executions._data.values())  # noqa: SLF001 - as above
    )
    # A token is there before the function that is to keep it was called; the execution waits from then on.
    waiting: int = sum(
        bool(token["event"]._cond._waiters)  # noqa: SLF001 - as above
        for token in list(stepfunctions._task_tokens._data.values())  # noqa: SLF001 - as above
    )
    return max(0, running - waiting)


def backlog() -> int:
    """Records, messages and executions together. Functions go on meanwhile: a message that becomes a record, a record
    that becomes a message, and either that begins an execution or is written by one, is one or the other when messages
    and executions are counted before and after.
    """
    before = queue_backlog() + executions_at_work()
    records = stream_backlog()
    return records + max(before, queue_backlog() + executions_at_work())


class Meter:
    """Capacity units consumed since the process started."""

    def __init__(self) -> None:
        self.reads = 0.0
        self.writes = 0.0
        self.calls = 0

    def count(self, operation: bytes, answer: bytes) -> None:
        consumed = json.loads(answer).get("ConsumedCapacity", [])
        units = sum(part["CapacityUnits"] for part in ([consumed] if isinstance(consumed, dict) else consumed))
        self.calls += 1
        if operation in READS:
            self.reads += units
        else:
            self.writes += units


class Front:
    """The emulator's ASGI application behind our two additions."""

    def __init__(self, app: App, folder: Path, api_port: int) -> None:
        self.app = app
        self.folder = folder
        self.api_port = api_port
        self.meter = Meter()
        self._api_host = (0, b"")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["server"][1] == self.api_port:
            await self._api(scope, receive, send)
        elif scope["path"] == "/_local":
            await self._about(send)
        else:
            operation = _operation(scope)
            if operation in METERED:
                await self._metered(operation, scope, receive, send)
            else:
                await self.app(scope, receive, send)

    async def _api(self, scope: Message, receive: Receive, send: Send) -> None:
        file = self.folder / "api_host"
        try:
            written = file.stat().st_mtime_ns
        except FileNotFoundError:
            await _answer(send, 503, {"detail": "Nothing is deployed yet"})
            return
        if written != self._api_host[0]:
            self._api_host = written, file.read_text().strip().encode()
        headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
        await self.app({**scope, "headers": [*headers, (b"host", self._api_host[1])]}, receive, send)

    async def _about(self, send: Send) -> None:
        capacity = {"reads": self.meter.reads, "writes": self.meter.writes, "calls": self.meter.calls}
        about = {"pid": os.getpid(), "folder": str(self.folder), "backlog": backlog(), "capacity": capacity}
        await _answer(send, 200, about)

    async def _metered(self, operation: bytes, scope: Message, receive: Receive, send: Send) -> None:
        request = b""
        while True:
            message = await receive()
            request += message.get("body", b"")
            if not message.get("more_body"):
                break
        asked = json.loads(request)
        if asked.get("ReturnConsumedCapacity", "NONE") == "NONE":
            asked["ReturnConsumedCapacity"] = "TOTAL"
        body = json.dumps(asked).encode()
        headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"content-length"]
        status = 0
        answer = b""

        async def give() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def take(message: Message) -> None:
            nonlocal status, answer
            if message["type"] == "http.response.start":
                status = message["status"]
            answer += message.get("body", b"")
            await send(message)

        length = (b"content-length", str(len(body)).encode())
        await self.app({**scope, "headers": [*headers, length]}, give, take)
        if status == 200:
            self.meter.count(operation, answer)


def _operation(scope: Message) -> bytes:
    for name, value in scope["headers"]:
        if name.lower() == TARGET:
            target: bytes = value
            return target.removeprefix(DYNAMODB) if target.startswith(DYNAMODB) else b""
    return b""


async def _answer(send: Send, status: int, data: object) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(data).encode()})


async def serve(folder: Path, port: int) -> None:
    """Serve until SIGTERM or SIGINT; the emulator writes its state down before this returns."""
    from hypercorn.asyncio import serve as listen
    from hypercorn.config import Config
    from ministack.app import app

    config = Config()
    config.bind = [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    config.graceful_timeout = 1
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await listen(Front(app, folder, port + 1), config, shutdown_trigger=stop.wait)  # type: ignore[arg-type] # hypercorn's own narrower names for ASGI's messages


if __name__ == "__main__":
    where = Path(sys.argv[1])
    forget_stream_positions(where / "state")
    asyncio.run(serve(where, int(os.environ["GATEWAY_PORT"])))
