"""What can go wrong between the product and its table, put into a client's own event hooks.

A fault hits chosen calls of one operation on their way out, beneath botocore's retries, so what is tried again is tried
by the client that production uses.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_dynamodb import DynamoDBClient

_NOWHERE: Final = "http://127.0.0.1:9/"

Act = Callable[["AWSPreparedRequest"], AWSResponse | None]


class Crash(BaseException):
    """The process dies at this call; nothing catches it."""


class Injected:
    """How many calls of the operation were seen, and how many were hit."""

    def __init__(self) -> None:
        self.seen = 0
        self.hit = 0


def error(code: str, status: int = 400, **more: Any) -> Act:
    """DynamoDB refuses the call with an error and does nothing."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected", **more}
    return _answer(status, json.dumps(body).encode())


def bare_status(status: int) -> Act:
    """Something on the way answers with a status and no body that DynamoDB would send."""
    return _answer(status, b"<html>injected</html>")


def never_arrives(request: "AWSPreparedRequest") -> AWSResponse | None:
    """The call does not reach DynamoDB."""
    raise ConnectTimeoutError(endpoint_url=request.url)


def answer_lost(request: "AWSPreparedRequest") -> AWSResponse | None:
    """DynamoDB carries the call out, and the answer never comes back."""
    if request.url.startswith("http://127.0.0.1"):
        session = URLLib3Session()
        session.send(request)
        session.close()
    # Otherwise moto, whose own hook ran before this one, has carried it out.
    raise ReadTimeoutError(endpoint_url=request.url)


def crash(request: "AWSPreparedRequest") -> AWSResponse | None:
    """The caller dies before the call leaves."""
    raise Crash(request.url)


@contextmanager
def injected(
    client: "DynamoDBClient", operation: str, act: Act, *, first: int = 1, times: int = 1_000_000
) -> Iterator[Injected]:
    """Let ``act`` hit calls number ``first`` (from 1) to ``first + times - 1`` of an operation such as ``PutItem``.

    Every retry of botocore's counts as a call.
    """
    injected = Injected()

    def hook(request: "AWSPreparedRequest", **_: object) -> Any:
        target = request.headers["X-Amz-Target"]
        if (target if isinstance(target, str) else target.decode()).split(".")[-1] != operation:
            return None
        injected.seen += 1
        if not first <= injected.seen < first + times:
            return None
        injected.hit += 1
        return act(request)

    # moto answers in a hook of its own: a call to carry out must meet that one first, any other must not meet it.
    events = client.meta.events
    if act is answer_lost:
        events.register_last("before-send", hook)
    else:
        events.register_first("before-send", hook)
    try:
        yield injected
    finally:
        events.unregister("before-send", hook)


def _answer(status: int, body: bytes) -> Act:
    def act(request: "AWSPreparedRequest") -> AWSResponse:
        request.url, url = _NOWHERE, request.url
        headers: Any = HeadersDict({"Content-Type": "application/x-amz-json-1.0"})
        return AWSResponse(url, status, headers, _Raw(body))

    return act


class _Raw:
    """A response's body, as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self._body
