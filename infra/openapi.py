"""Writes what the API and the events look like: docs/openapi.json and docs/events/*.json, from the shapes that the
functions use.

``python -m infra.openapi docs`` writes, ``python -m infra.openapi docs --check`` fails when what is committed differs.
"""

import json
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from loyalty.campaigns.events import FINISHED, STARTED, CampaignEvent
from loyalty.churn.events import RISK_DETECTED, RiskEvent
from loyalty.errors import CODES
from loyalty.ledger.events import CHANGED, ENROLLED, PENDING, TYPES, MemberEvent, PointsEvent
from loyalty.notifications.events import TYPES as MESSAGE_TYPES
from loyalty.notifications.events import MessageEvent
from loyalty.routes import ROUTES, Route
from loyalty.rules.events import EXHAUSTED, ExhaustedEvent
from loyalty.runtime.http import Operation
from loyalty.segments.events import ENTERED, LEFT, SegmentEvent
from loyalty.shapes import MemberId, OrderId, Source
from loyalty.tiers.events import TYPES as TIER_TYPES
from loyalty.tiers.events import TierEvent
from loyalty.timers.events import EXPIRING, ExpiringEvent

VERSION: Final = "0.1.0"
_ULID: Final = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
_LOCATED: Final = f"_{_ULID}-[a-z][a-z0-9]{{0,15}}-[1-9][0-9]{{0,11}}$"
_MESSAGE: Final = Annotated[str, Meta(pattern=f"^msg_{_ULID}-[A-Za-z0-9_.-]{{3,160}}$", description="A message's id")]
_PARAMETERS: Final[dict[str, Any]] = {
    "members": MemberId,
    "holds": Annotated[str, Meta(pattern=f"^hld{_LOCATED}", description="A hold's id")],
    "redemptions": Annotated[str, Meta(pattern=f"^red{_LOCATED}", description="A redemption's id")],
    "entries": Annotated[str, Meta(pattern=f"^ent{_LOCATED}", description="An entry's id")],
    "clients": Annotated[str, Meta(pattern=f"^cli_{_ULID}$", description="A client's id")],
    "rule-sets": Annotated[
        str,
        Meta(pattern=f"^(rls_{_ULID}|v[1-9][0-9]{{0,8}}|current)$", description="A rule set's id, v12, or current"),
    ],
    "simulations": Annotated[str, Meta(pattern=f"^sim_{_ULID}$", description="A simulation's id")],
    "segments": Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,31}$", description="A segment's id")],
    "campaigns": Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,31}$", description="A campaign's id")],
    "webhooks": Annotated[str, Meta(pattern=f"^hook_{_ULID}$", description="A webhook's id")],
    "messages": _MESSAGE,
    "message": _MESSAGE,
    "token": Annotated[str, Meta(max_length=2048, description="A token out of a link of ours")],
    "source": Source,
    "order_id": OrderId,
}
_IN_EVERY: Final = ("AUTH_SCOPE_MISSING", "REQUEST_RATE_LIMITED", "STORAGE_UNAVAILABLE", "INTERNAL_ERROR")
_WITH_BODY: Final = ("REQUEST_MALFORMED", "REQUEST_INVALID", "REQUEST_TOO_LARGE")
_MOVING: Final = ("REQUEST_KEY_MISSING", "IDEMPOTENCY_KEY_REUSED")


class Issue(Struct):
    """One place of a rule set that is wrong; lines and columns from 1."""

    line: int
    column: int
    code: str
    message: str
    suggestion: Annotated[str, Meta(description="The nearest that would be right")] | msgspec.UnsetType = msgspec.UNSET


class Problem(Struct):
    """What went wrong (RFC 9457). Some codes add figures, such as ``missing_points`` and ``available``."""

    type: Annotated[str, Meta(examples=["urn:loyalty:problem:POINTS_INSUFFICIENT"])]
    title: str
    status: int
    detail: str
    code: Annotated[str, Meta(extra_json_schema={"enum": sorted(CODES)})]
    field: (
        Annotated[str, Meta(description="Which part of the request, such as lines[0].amount")] | msgspec.UnsetType
    ) = msgspec.UNSET

    issues: Annotated[list[Issue], Meta(description="RULE_SET_INVALID: everything found")] | msgspec.UnsetType = (
        msgspec.UNSET
    )


class Refusal(Struct):
    """The gateway's own answer to a missing or invalid token."""

    message: str


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of every route with a scope; the public ones hold no data and are not part of it."""
    routes = [(route, operation_of(route)) for route in ROUTES if route.scope is not None]
    shapes = [shape for _, operation in routes for shape in (operation.answer, operation.body) if shape is not None]
    unique = list(dict.fromkeys([*shapes, Problem, Refusal]))
    schemas, components = msgspec.json.schema_components(unique, ref_template="#/components/schemas/{name}")
    reference = dict(zip(map(id, unique), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route, operation in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, operation, reference)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Loyalty",
            "version": VERSION,
            "description": (
                "Points that are right to the last one. Send `Authorization: Bearer <client key or member token>`; "
                "every call is bound to the token's programme. A POST that moves points carries an "
                "`Idempotency-Key`: the same key with the same body gives the first answer again, marked "
                "`Idempotency-Replayed: true`."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document came from"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A client's key `program.client.secret`, or a member's token",
                }
            },
        },
    }


def operation_of(route: Route) -> Operation:
    """What the route's function has behind it."""
    handler = import_module(f"functions.{route.function}.handler")
    operation: Operation = handler.OPERATIONS[route.key]
    return operation


def codes_of(route: Route, operation: Operation) -> list[str]:
    """Every problem code that the route may answer."""
    codes = [*_IN_EVERY, *operation.problems]
    if operation.body is not None:
        codes += _WITH_BODY
    elif operation.query:
        codes.append("REQUEST_INVALID")
    if route.moves_points:
        codes += _MOVING
    return sorted(set(codes))


def _operation(route: Route, operation: Operation, reference: dict[int, dict[str, Any]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.call.__name__ + "_" + route.function,
        "summary": route.summary,
        "tags": [route.path.split("/")[2]],
        "security": [{"token": [route.scope]}],
        "parameters": _parameters(route, operation),
        "responses": _responses(route, operation, reference),
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": reference[id(operation.body)]}},
        }
    return described


def _parameters(route: Route, operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    segments = route.path.split("/")
    for before, segment in pairwise(segments):
        if segment.startswith("{"):
            name = segment[1:-1]
            shape = _PARAMETERS[before if name == "id" else name]
            found.append({"name": name, "in": "path", "required": True, "schema": msgspec.json.schema(shape)})
    for name, shape in operation.query.items():
        found.append({"name": name, "in": "query", "required": False, "schema": msgspec.json.schema(shape)})
    if route.moves_points:
        key = Annotated[
            str, Meta(pattern="^[!-~]{1,128}$", description="New for each operation, the same for its retries")
        ]
        found.append({"name": "Idempotency-Key", "in": "header", "required": True, "schema": msgspec.json.schema(key)})
    for name, shape in operation.headers.items():
        found.append({"name": name, "in": "header", "required": False, "schema": msgspec.json.schema(shape)})
    return found


def _responses(route: Route, operation: Operation, reference: dict[int, dict[str, Any]]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done"}
    if operation.answer is not None:
        done["content"] = {"application/json": {"schema": reference[id(operation.answer)]}}
    if route.moves_points:
        done["headers"] = {
            "Idempotency-Replayed": {
                "description": "true when this is the first answer again",
                "schema": {"type": "string", "enum": ["true"]},
            }
        }
    responses: dict[str, Any] = {str(operation.status): done}
    by_status: dict[int, list[str]] = {}
    for code in codes_of(route, operation):
        by_status.setdefault(CODES[code][0], []).append(code)
    problem = reference[id(Problem)]
    refusal = reference[id(Refusal)]
    for status, codes in sorted(by_status.items()):
        content: dict[str, Any] = {"application/problem+json": {"schema": problem}}
        if status in {403, 404, 429, 500, 503}:
            content["application/json"] = {"schema": refusal}
        responses[str(status)] = {"description": ", ".join(codes), "content": content}
    responses["401"] = {"description": "No token", "content": {"application/json": {"schema": refusal}}}
    responses.setdefault("404", {"description": "No such route", "content": {"application/json": {"schema": refusal}}})
    return dict(sorted(responses.items()))


def event_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of each event's detail, by the event's type."""
    schemas: dict[str, dict[str, Any]] = {}
    shapes: dict[str, type[Struct]] = dict.fromkeys({*TYPES.values(), PENDING}, PointsEvent)
    shapes |= {ENROLLED: MemberEvent, RISK_DETECTED: RiskEvent, EXPIRING: ExpiringEvent, EXHAUSTED: ExhaustedEvent}
    shapes |= {ENTERED: SegmentEvent, LEFT: SegmentEvent, **dict.fromkeys(TIER_TYPES.values(), TierEvent)}
    shapes |= dict.fromkeys(MESSAGE_TYPES, MessageEvent)
    shapes |= {CHANGED: MemberEvent, **dict.fromkeys((STARTED, FINISHED), CampaignEvent)}
    for kind, shape in sorted(shapes.items()):
        schema = msgspec.json.schema(shape)
        schemas[kind] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": kind,
            "description": f"`detail` of the event `{kind}` from source `loyalty`; its id is the same at each delivery",
            **schema,
        }
    return schemas


def main(arguments: list[str]) -> int:
    """Write, or with ``--check`` compare; returns the exit status."""
    folder = Path(arguments[0])
    files = {folder / "openapi.json": document()}
    files |= {folder / "events" / f"{kind}.json": schema for kind, schema in event_schemas().items()}
    stale = []
    for path, content in files.items():
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(path))
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if "--check" in arguments and stale:
        sys.stderr.write(f"not up to date, run make openapi: {', '.join(stale)}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
