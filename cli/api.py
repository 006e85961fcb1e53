"""HTTP calls of the API. What may be repeated is: reads until they are answered, anything the rate limit refused."""

import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

import httpx

from cli.target import CommandError, Target

TRIES: Final = 5
_PASSING: Final = frozenset({409, 500, 502, 503, 504})


class Refusal(CommandError):
    """A problem that the API answered with."""

    def __init__(self, status: int, code: str, detail: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code or status}: {detail}")
        self.status = status
        self.code = code
        self.problem = problem or {}
        """All that it says."""


class Api:
    """One key's way to one API; threads may share it. ``wait`` sleeps for seconds."""

    def __init__(
        self,
        target: Target,
        transport: httpx.BaseTransport | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"Authorization": f"Bearer {target.token}"} | ({"Host": target.host} if target.host else {})
        self._client = httpx.Client(
            base_url=target.api_url, headers=headers, timeout=target.patience_s, transport=transport
        )
        self._wait = wait

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        return self.call("GET", path, query=query).json()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer; Refusal when it is a problem, CommandError when there is none."""
        for left in reversed(range(TRIES)):
            try:
                answer = self._client.request(
                    method,
                    path,
                    params=dict(query or {}),
                    headers=dict(headers or {}),
                    json=body,
                )
            except httpx.TransportError as error:
                if method == "GET" and left:
                    self._wait(0.5)
                    continue
                raise CommandError(f"{method} {self._client.base_url}{path}: {error}") from None
            if answer.is_success:
                return answer
            after = answer.headers.get("retry-after")
            again = answer.status_code == 429 or (method == "GET" and answer.status_code in _PASSING)
            if not again or not left:
                raise _refusal(answer)
            self._wait(float(after) if after else 0.5)
        raise AssertionError("the last try answers or raises")

    def pages(self, path: str, name: str, limit: int = 100) -> Iterator[Any]:
        """Everything that a list has, page by page; ``name`` is the list's field."""
        cursor = ""
        while True:
            page = self.get(path, {"limit": limit, **({"cursor": cursor} if cursor else {})})
            yield from page[name]
            cursor = page.get("next", "")
            if not cursor:
                return


def _refusal(answer: httpx.Response) -> Refusal:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    detail = problem.get("detail") or problem.get("message") or answer.reason_phrase
    return Refusal(answer.status_code, problem.get("code", ""), detail, problem)
