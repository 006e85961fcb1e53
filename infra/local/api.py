"""Calls of the HTTP API as a till makes them: one connection, the same key again when it does not know."""

import http.client
import json
import time
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

TRIES: Final = 8
ANSWER_SECONDS: Final = 300
"""The emulator's gateway waits for a function as long as it takes, and so does who asks."""
RETRIED: Final = frozenset({409, 429, 500, 502, 503, 504})


class Answer(NamedTuple):
    """One answer; ``replayed`` when an earlier request with the same key was answered again."""

    status: int
    body: Any
    replayed: bool


class ApiError(Exception):
    """An answer that no retry will better."""

    def __init__(self, method: str, path: str, answer: Answer) -> None:
        super().__init__(f"{method} {path}: {answer.status} {json.dumps(answer.body)}")
        self.answer = answer


class Api:
    """One client's connection. Not shared between threads."""

    def __init__(self, url: str, token: str) -> None:
        where = urlsplit(url)
        self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=ANSWER_SECONDS)
        self._token = token

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def get(self, path: str) -> Answer:
        return self.call("GET", path)

    def post(self, path: str, body: object, key: str | None = None) -> Answer:
        """``key`` is the Idempotency-Key; with it a retry changes nothing."""
        return self.call("POST", path, body, key)

    def call(self, method: str, path: str, body: object = None, key: str | None = None) -> Answer:
        """Ask until there is an answer that a retry would not change: a 409 is asked again only when it says when.

        ApiError for 4xx and for what is still failing after ``TRIES``.
        """
        headers = {"Authorization": f"Bearer {self._token}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        for left in reversed(range(TRIES)):
            try:
                answer, again_after = self._once(method, path, data, headers)
            except (OSError, http.client.HTTPException):
                self._connection.close()
                if not left:
                    raise
                time.sleep(0.5)
                continue
            if answer.status < 400:
                return answer
            if not left or answer.status not in RETRIED or (answer.status == 409 and again_after is None):
                raise ApiError(method, path, answer)
            time.sleep(again_after or 0.5)
        raise AssertionError("the last try answers or raises")

    def _once(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> tuple[Answer, float | None]:
        self._connection.request(method, path, data, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        try:
            body = json.loads(text) if text else None
        except ValueError:
            body = text.decode(errors="replace")
        after = answer.headers.get("Retry-After")
        replayed = answer.headers.get("Idempotency-Replayed") == "true"
        return Answer(answer.status, body, replayed), None if after is None else float(after)
