"""How a till calls: again under the same key when it does not know, never again when it was refused."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from infra.local.api import TRIES, Api, ApiError

DROP = 0
"""In place of a status: close the connection without an answer."""


class Seen(NamedTuple):
    """A request that arrived."""

    method: str
    path: str
    key: str | None
    token: str | None
    body: Any


class Server:
    """Answers with the given (status, headers) one after the other, then with 200."""

    def __init__(self, *script: tuple[int, dict[str, str]]) -> None:
        self.script = list(script)
        self.seen: list[Seen] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                key, token = self.headers.get("Idempotency-Key"), self.headers.get("Authorization")
                outer.seen.append(Seen(self.command, self.path, key, token, json.loads(data or b"null")))
                status, headers = outer.script.pop(0) if outer.script else (200, {})
                if status == DROP:
                    self.close_connection = True
                    return
                body = json.dumps({"status": status}).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Nothing: a server in a test keeps quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever)
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


AT_ONCE = {"Retry-After": "0.01"}


def test_a_request_carries_its_key_its_token_and_its_body(server: Server) -> None:
    with Api(server.url, "secret") as api:
        assert api.post("/v1/purchases", {"a": 1}, key="k1").body == {"status": 200}
        assert api.get("/v1/program").status == 200
    assert server.seen == [
        Seen("POST", "/v1/purchases", "k1", "Bearer secret", {"a": 1}),
        Seen("GET", "/v1/program", None, "Bearer secret", None),
    ]


@pytest.mark.parametrize("status", [409, 429, 503])
def test_what_says_when_to_come_again_is_asked_again_under_the_same_key(server: Server, status: int) -> None:
    server.script = [(status, AT_ONCE), (status, AT_ONCE)]
    with Api(server.url, "t") as api:
        assert api.post("/x", {"a": 1}, key="k1").status == 200
    assert [(seen.key, seen.body) for seen in server.seen] == [("k1", {"a": 1})] * 3


def test_a_lost_answer_is_asked_for_again_under_the_same_key(server: Server) -> None:
    server.script = [(DROP, {}), (201, {"Idempotency-Replayed": "true"})]
    with Api(server.url, "t") as api:
        answer = api.post("/x", {}, key="k1")
    assert (answer.status, answer.replayed) == (201, True)
    assert [seen.key for seen in server.seen] == ["k1", "k1"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refusal_is_told_at_once(server: Server, status: int) -> None:
    server.script = [(status, {})]
    with Api(server.url, "t") as api, pytest.raises(ApiError, match=f"POST /x: {status}") as refused:
        api.post("/x", {}, key="k1")
    assert refused.value.answer.status == status
    assert len(server.seen) == 1


def test_what_goes_on_failing_is_told_in_the_end(server: Server) -> None:
    server.script = [(503, AT_ONCE)] * (TRIES + 1)
    with Api(server.url, "t") as api, pytest.raises(ApiError, match="503"):
        api.post("/x", {}, key="k1")
    assert len(server.seen) == TRIES
