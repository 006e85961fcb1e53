"""HTTP calls as tests make them: nothing is retried, nothing is corrected, everything is counted."""

import http.client
import json
import secrets
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

from tests.patience import ANSWER_S
from tests.tally import tried

FRESH: Final = "\0fresh"
"""As a key: a new one for this call."""


class Answer(NamedTuple):
    """One answer. ``body`` is what the JSON says, None without a body; ``raw`` the bytes."""

    status: int
    headers: dict[str, str]
    body: Any
    raw: bytes

    @property
    def code(self) -> str:
        """The problem's code, empty when it is none."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""

    @property
    def replayed(self) -> bool:
        return self.headers.get("idempotency-replayed") == "true"

    def expect(self, status: int, code: str = "") -> Any:
        """The body, if the answer is this one; AssertionError with the whole answer otherwise."""
        assert (self.status, self.code) == (status, code), f"{self.status} {self.raw[:2000]!r}"
        return self.body


class Api:
    """One caller's connection to the deployed API. Not shared between threads or processes."""

    def __init__(self, url: str, token: str | None = None) -> None:
        where = urlsplit(url)
        self._host, self._port = where.hostname or "", where.port
        assert self._host == "127.0.0.1", "tests call this machine and nothing else"
        self._connection = http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_S)
        self.token = token
        self.calls = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, headers=headers)

    def post(self, path: str, body: object = None, key: str | None = FRESH) -> Answer:
        """Without ``key`` under a new one, with None under none. ``body`` None sends an empty object."""
        return self.call("POST", path, {} if body is None else body, key=key)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """``body`` is sent as it is when it is bytes, as JSON otherwise. ``headers`` replace what would be sent."""
        sent: dict[str, str] = {}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        if key is not None:
            sent["Idempotency-Key"] = secrets.token_hex(12) if key == FRESH else key
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent |= headers or {}
        self.calls += 1
        tried("API calls")
        try:
            return self._once(method, path, data, sent)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # An idle connection was closed by the other side; whether the request was served is not known, and
            # every request of ours may be sent again.
            self._connection.close()
            return self._once(method, path, data, sent)

    def _once(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Answer:
        self._connection.request(method, path, data, headers)
        answer = self._connection.getresponse()
        raw = answer.read()
        plain = "content-encoding" not in answer.headers and "json" in answer.headers.get("content-type", "")
        body = json.loads(raw) if raw and plain else None
        return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, body, raw)
