"""The edge of the functions behind the HTTP API: who calls, what they send, and how an answer or a problem looks.

API Gateway has matched the route and the authoriser has told who calls; this checks the scope, reads the body into its
typed shape and turns a Problem into ``application/problem+json`` (RFC 9457). A router would do again what the gateway
has done.
"""

import re
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from loyalty.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from loyalty.ids import Located, is_account, locate
from loyalty.ledger.chain import Cause, fingerprint, key_ref
from loyalty.ledger.service import Posted
from loyalty.ledger.views import entry_view
from loyalty.routes import Route, routes_of
from loyalty.runtime import observability
from loyalty.runtime.clock import moment
from loyalty.runtime.limits import Limiter

MAX_BODY: Final = 262_144
_KEY: Final = re.compile(r"[!-~]{1,128}", re.ASCII)
_PLACE: Final = re.compile(r"^(.*?)(?: - at `(.*)`)?$", re.DOTALL)
_NAMED: Final = re.compile(r"field `([^`]*)`")
_INTERNAL: Final = Problem(
    "INTERNAL_ERROR", "Send the same request again: if it was carried out, its first answer comes back"
)
_T = TypeVar("_T")


class Caller(NamedTuple):
    """Who calls: a client of one programme, or a member through a token that a client was given."""

    program: str
    client: str
    role: str
    scopes: frozenset[str]
    store: str
    member: str
    limit: int


class Page(str):
    """A body that is sent as it is; its headers name its type."""

    __slots__ = ()


class Answer(NamedTuple):
    """A status and a body that msgspec can encode."""

    status: int
    body: Any
    headers: Mapping[str, str] = {}


class Request:
    """One request, already matched to its route."""

    def __init__(self, route: Route, event: dict[str, Any], wall: int) -> None:
        self.route = route
        self.wall = wall
        """The world's time, which keys and tokens go by."""
        self.caller = _caller(event)
        self.params: dict[str, str] = event.get("pathParameters") or {}
        self.query: dict[str, str] = event.get("queryStringParameters") or {}
        self.headers: dict[str, str] = event.get("headers") or {}
        self.id: str = event["requestContext"].get("requestId", "")
        self._event = event
        self._body: Any = None

    @cached_property
    def now(self) -> int:
        """The time in the caller's programme, the same for the whole request; asked for only where it matters."""
        return moment(self.caller.program, self.wall)

    def body(self, shape: type[_T], at_most: int = MAX_BODY) -> _T:
        """The body in its typed shape, of ``at_most`` bytes; Invalid names the field that does not fit."""
        raw = self._event.get("body") or ""
        # Half a character that the gateway's JSON named is passed on: it is no UTF-8, which the parser refuses.
        data = b64decode(raw) if self._event.get("isBase64Encoded") else raw.encode(errors="surrogatepass")
        if len(data) > at_most:
            raise Invalid("REQUEST_TOO_LARGE", f"The body may have {at_most} bytes")
        body = parse(data, shape)
        self._body = body
        return body

    def key(self) -> str:
        """The caller's idempotency key; Invalid when it is missing or not one."""
        key = self.headers.get("idempotency-key", "")
        if not _KEY.fullmatch(key):
            raise Invalid(
                "REQUEST_KEY_MISSING",
                "Send an Idempotency-Key of 1 to 128 printable ASCII characters, new for each operation",
                field="Idempotency-Key",
            )
        return key

    def cause(self, occurred: int | None = None, account: str = "") -> Cause:
        """Why an entry will be written: the caller's key, unique per client, and what tells this request from another.

        A member's own requests count apart: who holds a token may send any key, and must not be first with one that the
        client will use. Else the client would take the member's redemption for the answer to its own.

        A body that named ``account`` by an identity counts as one that named it by id: a fingerprint is stored, and one
        that covered a phone number would give it away to whoever tries them all.
        """
        body = self._body
        if account:
            body = msgspec.structs.replace(body, member=account, identity=None)
        content = "" if body is None else msgspec.json.encode(body).decode()
        return Cause(
            ref=f"m#{self.caller.client}#{self.key()}"
            if self.caller.member
            else key_ref(self.caller.client, self.key()),
            fingerprint=fingerprint(self.route.key, self.params, content),
            actor=self.caller.client,
            occurred=self.now if occurred is None else occurred,
        )

    def member(self, name: str = "id") -> str:
        """The member that the path names; a member's own token reaches no other."""
        return self.own(self.params[name])

    def own(self, account: str) -> str:
        """``account``, if the caller may touch it at all."""
        if not is_account(account):
            raise NotFound("MEMBER_NOT_FOUND", "There is no such member in this programme")
        if self.caller.member and account != self.caller.member:
            raise Forbidden("AUTH_MEMBER_FORBIDDEN", "This token speaks for one member only")
        return account

    def located(self, prefix: str, code: str) -> Located:
        """The entry, hold or redemption that the path names; NotFound with ``code`` when it cannot be one."""
        place = locate(prefix, self.params["id"])
        if place is None:
            raise NotFound(code, "There is no such thing in this programme")
        self.own(place.account)
        return place

    def at_store(self, store: str) -> None:
        """Forbidden when the client is bound to another store."""
        if self.caller.store and store != self.caller.store:
            raise Forbidden("AUTH_STORE_FORBIDDEN", f"This client belongs to store {self.caller.store}", field="store")

    def may(self, scope: str, field: str) -> None:
        """Forbidden when the caller lacks a scope that one ``field`` of the body needs beside the route's own."""
        if scope not in self.caller.scopes:
            raise Forbidden("AUTH_SCOPE_MISSING", f"{field} needs the scope {scope}", field=field)

    def limit(self, default: int, most: int) -> int:
        """The page size asked for in the query."""
        text = self.query.get("limit", str(default))
        if not re.fullmatch(r"[0-9]{1,4}", text, re.ASCII) or not 1 <= int(text) <= most:
            raise Invalid("REQUEST_INVALID", f"limit must be 1 to {most}", field="limit")
        return int(text)


Serve = Callable[[Request], Answer]


class Operation(NamedTuple):
    """What stands behind a route: the call, and for the API's document the shapes of its answer, body, query and
    headers and the codes of its problems.
    """

    call: Serve
    answer: Any
    body: Any = None
    status: int = 200
    problems: tuple[str, ...] = ()
    query: Mapping[str, Any] = {}
    headers: Mapping[str, Any] = {}


def posted(done: Posted, allowance: str | msgspec.UnsetType = msgspec.UNSET) -> Answer:
    """The answer to a request that moved points; a replay repeats the first one and says so in a header."""
    headers = {"idempotency-replayed": "true"} if done.replayed else {}
    return Answer(201, entry_view(done.entry, allowance), headers)


LambdaHandler = Callable[[dict[str, Any], object], dict[str, Any]]


def serve(function: str, operations: Mapping[str, Operation]) -> LambdaHandler:
    """The handler of one function from its operations, keyed as in ``loyalty.routes``; KeyError when one is missing."""
    table = {route.key: (route, operations[route.key].call) for route in routes_of(function)}
    limiter = Limiter()

    def handle(event: dict[str, Any], context: object) -> dict[str, Any]:
        del context
        started = time.time()
        key = event.get("routeKey", "")
        further: dict[str, str | int] = {"request": event.get("requestContext", {}).get("requestId", "")}
        try:
            if key not in table:
                raise NotFound("ROUTE_NOT_FOUND", "There is no such route")
            route, operation = table[key]
            request = Request(route, event, int(started))
            further |= {"program": request.caller.program, "client": request.caller.client}
            _permit(request, limiter, started)
            answer = operation(request)
            outcome = str(answer.status)
        except Problem as problem:
            answer, outcome = problem_answer(problem), problem.code
        except Exception as error:  # noqa: BLE001 - the caller gets a clear answer and the alarm gets the place
            observability.failure(key, error, **further)
            answer, outcome = problem_answer(_INTERNAL), _INTERNAL.code
        observability.record(
            key, outcome, now_ms=int(started * 1000), milliseconds=int((time.time() - started) * 1000), **further
        )
        return _response(answer, further["request"])

    return handle


def parse(data: bytes | str, shape: type[_T]) -> _T:
    """JSON into a typed shape; Invalid names the field and says what was expected."""
    try:
        return msgspec.json.decode(data, type=shape)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Invalid("REQUEST_MALFORMED", "The body must be one JSON object in UTF-8") from None


def convert(data: object, shape: type[_T]) -> _T:
    """The same for data that was parsed before."""
    try:
        return msgspec.convert(data, shape)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None


def _invalid(message: str) -> Invalid:
    match = _PLACE.match(message)
    text, path = (match[1], match[2] or "$") if match else (message, "$")
    field = path.rsplit("`", 1)[-1].removeprefix("$").lstrip(".")  # a wrong key reads: key` in `$.attributes
    if named := _NAMED.search(text):
        field = f"{field}.{named[1]}" if field else named[1]
    field = field or "body"
    return Invalid("REQUEST_INVALID", f"{field}: {text}", field=field)


def _caller(event: dict[str, Any]) -> Caller:
    context = event["requestContext"].get("authorizer", {}).get("lambda") or {}
    return Caller(
        program=context.get("program", ""),
        client=context.get("client", ""),
        role=context.get("role", ""),
        scopes=frozenset(context.get("scopes", "").split()),
        store=context.get("store", ""),
        member=context.get("member", ""),
        limit=int(context.get("limit") or 0),
    )


def _permit(request: Request, limiter: Limiter, moment: float) -> None:
    """Scope, then the client's share of this copy of the function; a POST that moves points must carry its key."""
    scope = request.route.scope
    if scope is None:
        return
    caller = request.caller
    if not caller.program or scope not in caller.scopes:
        raise Forbidden("AUTH_SCOPE_MISSING", f"This needs the scope {scope}")
    # A member spends a share of its own: no member can use up the share of the shop that gave it its token.
    wait = limiter.wait(caller.member or caller.client, caller.limit, moment)
    if wait:
        raise Conflict(
            "REQUEST_RATE_LIMITED", f"This client may send {caller.limit} requests a second", retry_after=wait
        )


def problem_answer(problem: Problem) -> Answer:
    """A problem as RFC 9457 says it."""
    body: dict[str, Any] = {
        "type": f"urn:loyalty:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
    }
    if problem.field is not None:
        body["field"] = problem.field
    body |= problem.figures
    headers = {"content-type": "application/problem+json"}
    if problem.retry_after is not None:
        headers["retry-after"] = str(problem.retry_after)
    return Answer(problem.status, body, headers)


def _response(answer: Answer, request_id: str | int) -> dict[str, Any]:
    return {
        "statusCode": answer.status,
        "headers": {
            "content-type": "application/json",
            "cache-control": "no-store",
            "x-request-id": str(request_id),
            **answer.headers,
        },
        "body": _text(answer.body),
    }


def _text(body: Any) -> str:
    if isinstance(body, Page):
        return str(body)
    return "" if body is None else msgspec.json.encode(body).decode()
