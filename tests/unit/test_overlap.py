"""Two requests on their way at once, in one thread: a server that answers none before it has them all tells."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.table import client
from loyalty.table.client import Table, connect
from loyalty.table.overlap import overlapped, overlapping
from tests.patience import ANSWER_S


class Server(ThreadingHTTPServer):
    """Answers a request only once ``meeting`` of them are there. ``fails`` tells with what status the first request of
    an operation is answered. The first request of the operation ``silent`` has no answer before it was sent again.
    Requests for a partition in ``closing`` find the connection closed, once.
    """

    daemon_threads = True

    def __init__(self, meeting: int, **fails: int) -> None:
        self.fails = fails
        self.silent = ""
        self.closing: set[str] = set()
        self.again = threading.Event()
        self.came: list[str] = []
        self.meeting = threading.Barrier(meeting)
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_POST(self) -> None:
        key = json.loads(self.rfile.read(int(self.headers["content-length"]))).get("Key", {})
        partition = key.get("pk", {}).get("S", "")
        if partition in self.server.closing:
            self.server.closing.remove(partition)
            self.close_connection = True
            return
        operation = self.headers["x-amz-target"].split(".")[1]
        self.server.came.append(operation)
        status = self.server.fails.pop(operation, 200)
        if operation == self.server.silent:
            if self.server.came.count(operation) > 1:
                self.server.again.set()
            elif not self.server.again.wait(ANSWER_S):
                status = 400
        self.server.meeting.wait(ANSWER_S)
        body = b'{"Items": []}' if status == 200 else b'{"__type": "x#ResourceNotFoundException"}'
        if partition.startswith("refused"):
            status, body = 400, b'{"__type": "x#ResourceNotFoundException"}'
        elif partition.startswith("found"):
            body = json.dumps({"Item": key}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


Serve = Callable[..., tuple[Server, Table]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    servers: list[Server] = []

    def begin(meeting: int, **fails: int) -> tuple[Server, Table]:
        server = Server(meeting, **fails)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.server_address[1]}")
        return server, Table(connect(), "loyalty")

    yield begin
    for server in servers:
        server.meeting.abort()
        server.again.set()
        server.shutdown()
        server.server_close()


def test_the_second_request_is_sent_before_the_first_is_answered(serve: Serve) -> None:
    server, table = serve(2)
    here: list[int] = []

    def second() -> str | None:
        here.append(threading.get_ident())
        return table.find("p", "r")

    for _ in range(3):  # the connections are used again
        assert table.together(lambda: table.get(("a", "b")), second) == (None, None)
    assert [sorted(server.came[at : at + 2]) for at in (0, 2, 4)] == [["GetItem", "Query"]] * 3
    assert here == [threading.get_ident()] * 3


def test_as_many_as_are_nested_are_on_their_way(serve: Serve) -> None:
    server, table = serve(4)

    def two() -> tuple[Any, Any]:
        return table.together(lambda: table.get(("a", "b")), lambda: table.find("p", "r"))

    assert table.together(two, two) == ((None, None), (None, None))
    assert sorted(server.came) == ["GetItem", "GetItem", "Query", "Query"]


def test_what_comes_after_the_first_request_is_sent_by_itself(serve: Serve) -> None:
    server, table = serve(1)

    def two() -> tuple[Any, Any]:
        return table.get(("a", "b")), table.get(("a", "c"))

    assert table.together(two, lambda: table.find("p", "r")) == ((None, None), None)
    assert (sorted(server.came[:2]), server.came[2:]) == (["GetItem", "Query"], ["GetItem"])


def test_a_first_request_that_is_tried_again_brings_the_second_once(serve: Serve) -> None:
    server, table = serve(1, GetItem=500)
    assert table.together(lambda: table.get(("a", "b")), lambda: table.find("p", "r")) == (None, None)
    assert (sorted(server.came[:2]), server.came[2:]) == (["GetItem", "Query"], ["GetItem"])


def test_an_error_of_the_second_is_raised_and_the_first_is_answered(serve: Serve) -> None:
    server, table = serve(1, Query=400)
    answers: list[Any] = []
    with pytest.raises(ClientError):
        table.together(lambda: answers.append(table.get(("a", "b"))), lambda: table.find("p", "r"))
    assert answers == [None]
    assert sorted(server.came) == ["GetItem", "Query"]


def test_an_error_of_the_first_is_raised_before_one_of_the_second(serve: Serve) -> None:
    _, table = serve(1, GetItem=400)

    def second() -> None:
        raise ArithmeticError

    with pytest.raises(ClientError):
        table.together(lambda: table.get(("a", "b")), second)
    assert table.together(lambda: table.get(("a", "b")), lambda: 1) == (None, 1), "nothing is left over"


def test_the_first_is_waited_for_since_it_was_sent(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first try is never answered, and the second takes as long as an answer is waited for at all."""
    longest = 2 * ANSWER_S
    monkeypatch.setattr(client, "EMULATOR_S", longest)
    server, table = serve(1)
    server.silent = "GetItem"
    moment = [0.0]
    overlapping(table._client, lambda: moment[0])  # noqa: SLF001 - the table shows nothing of its client

    def second() -> str | None:
        found = table.find("p", "r")
        moment[0] += longest
        return found

    assert table.together(lambda: table.get(("a", "b")), second) == (None, None)
    assert (sorted(server.came[:2]), server.came[2:]) == (["GetItem", "Query"], ["GetItem"])


def test_where_nothing_overlaps_the_second_comes_after_the_first() -> None:
    done: list[str] = []
    assert overlapped(lambda: done.append("first"), lambda: done.append("second")) == (None, None)
    assert done == ["first", "second"]


def test_a_second_is_not_begun_after_the_first_failed() -> None:
    def fails() -> None:
        raise ArithmeticError

    begun: list[int] = []
    with pytest.raises(ArithmeticError):
        overlapped(fails, lambda: begun.append(1))
    assert overlapped(lambda: 1, lambda: 2) == (1, 2), "nothing is left over"
    assert begun == []


def test_connections_of_a_real_table_overlap_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are TLS."""
    monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB", raising=False)
    secured: Any = connect("eu-central-1")
    manager = secured._endpoint.http_session._manager  # noqa: SLF001 - botocore shows nothing of its connections
    plain, secure = (manager.connection_from_url(f"{scheme}://127.0.0.1").ConnectionCls for scheme in ("http", "https"))
    assert plain.getresponse is secure.getresponse
    assert plain.getresponse.__module__ == overlapped.__module__


class Ask(NamedTuple):
    """One request. ``answer``: "found", "refused", "closed" (and found when it is sent again), "unsent"."""

    answer: str
    caught: bool


class Both(NamedTuple):
    """Two lists of steps."""

    first: "list[Ask | Both]"
    second: "list[Ask | Both]"
    caught: bool


class Failed(Exception):
    """A request did. Named by it."""


Together = Callable[[Callable[[], Any], Callable[[], Any]], tuple[Any, Any]]
asks = st.builds(Ask, st.sampled_from(["found", "found", "found", "closed", "refused", "unsent"]), st.booleans())
steps: "st.SearchStrategy[list[Ask | Both]]" = st.deferred(
    lambda: st.lists(st.one_of(asks, asks, boths, boths, boths), min_size=1, max_size=2)
)
boths: st.SearchStrategy[Both] = st.builds(Both, steps, steps, st.booleans())


def perform(
    wanted: "list[Ask | Both]", ask: Callable[[str, str], str], together: Together, at: str = "of"
) -> list[Any]:
    """What came of each step, up to the first that failed and was not caught."""

    def one(step: Ask | Both, name: str) -> Any:
        if isinstance(step, Ask):
            return ask(name, step.answer)
        return together(
            lambda: perform(step.first, ask, together, f"{name}a"),
            lambda: perform(step.second, ask, together, f"{name}b"),
        )

    came: list[Any] = []
    for number, step in enumerate(wanted):
        try:
            came.append(one(step, f"{at}{number}"))
        except Failed as failed:
            if not step.caught:
                raise
            came.append(str(failed))
    return came


def each_by_itself(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any]:
    """Both, as two threads do them that know nothing of each other."""
    errors: list[Failed] = []
    answers: list[Any] = []
    for act in (first, second):
        try:
            answers.append(act())
        except Failed as failed:
            errors.append(failed)
    if errors:
        raise errors[0]
    return answers[0], answers[1]


def outcome(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except Failed as failed:
        return str(failed)


def test_however_they_are_nested_and_fail_the_outcome_is_that_of_each_by_itself(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    server, table = serve(1)

    def foreseen(name: str, answer: str) -> str:
        if answer in ("refused", "unsent"):
            raise Failed(name)
        return name

    @settings(max_examples=60, deadline=None)
    @given(steps)
    def same(wanted: "list[Ask | Both]") -> None:
        asked: Counter[str] = Counter()

        def ask(name: str, answer: str) -> str:
            asked[name] += 1
            if answer == "unsent":
                raise Failed(name)
            partition = f"{'refused' if answer == 'refused' else 'found'} {name}"
            if answer == "closed":
                server.closing.add(partition)
            try:
                item = table.get((partition, "x"))
            except ClientError as error:
                raise Failed(name) from error
            return str(item and item["pk"]).removeprefix("found ")

        expected = outcome(lambda: perform(wanted, foreseen, each_by_itself))
        assert outcome(lambda: perform(wanted, ask, overlapped)) == expected
        assert set(asked.values()) <= {1}
        before = +asked
        table.get(("found", "x"))
        assert asked == before, "nothing is left over"

    same()
