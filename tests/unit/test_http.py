"""The edge of the HTTP API: scopes, typed bodies, problems, and what is logged of a request."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from loyalty.errors import Conflict, Corrupt, Refused
from loyalty.routes import ROUTES, routes_of
from loyalty.runtime.http import Answer, Operation, Request, serve
from loyalty.shapes import Body, Points

REDEEM = "POST /v1/members/{id}/redemptions"
ANNA = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"
SECRET_TEXT = "phone:+4915112345678"
"""Must never be logged."""


class Spend(Body):
    """A body of the tests."""

    points: Points
    reason: str = ""


def event(body: Any = None, **changes: Any) -> dict[str, Any]:
    sent: dict[str, Any] = {
        "routeKey": REDEEM,
        "pathParameters": {"id": ANNA},
        "headers": {"idempotency-key": "key-1"},
        "body": body if isinstance(body, str) else json.dumps({"points": 5} if body is None else body),
        "requestContext": {
            "requestId": "8c5b1f6e-4c1d-4b2e-9d3a-1f2e3d4c5b6a",
            "authorizer": {
                "lambda": {
                    "program": "grocer",
                    "client": "cli_01ARZ3NDEKTSV4RRFFQ69G5FAV",
                    "role": "till",
                    "scopes": "redemptions:write redemptions:cancel",
                }
            },
        },
    }
    return sent | changes


def answered(
    call: Any, sent: Mapping[str, Any], capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, str], dict[str, Any], list[dict[str, Any]]]:
    """Status, headers, body and log lines."""
    operations = {route.key: Operation(call, None) for route in routes_of("redeem")}
    capsys.readouterr()
    got = serve("redeem", operations)(dict(sent), None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return got["statusCode"], got["headers"], json.loads(got["body"]), lines


def spend(request: Request) -> Answer:
    body = request.body(Spend)
    cause = request.cause()
    return Answer(201, {"points": body.points, "ref": cause.ref, "print": cause.fingerprint})


def raising(error: Exception) -> Any:
    def call(_: Request) -> Answer:
        raise error

    return call


def test_an_answer_is_json_that_nobody_keeps_and_names_its_request(capsys: pytest.CaptureFixture[str]) -> None:
    status, headers, body, _ = answered(spend, event(), capsys)
    assert (status, body["points"]) == (201, 5)
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    assert headers["x-request-id"] == "8c5b1f6e-4c1d-4b2e-9d3a-1f2e3d4c5b6a"


def test_one_line_is_logged_of_at_most_450_bytes_and_without_the_path_or_the_body(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, _, _, lines = answered(spend, event({"points": 5, "reason": SECRET_TEXT}), capsys)
    (line,) = lines
    text = json.dumps(line, separators=(",", ":"))
    assert len(text.encode()) <= 450
    assert SECRET_TEXT not in text
    assert ANNA not in text
    assert (line["operation"], line["outcome"], line["program"]) == (REDEEM, "201", "grocer")


def test_a_refusal_is_logged_by_its_code_alone(capsys: pytest.CaptureFixture[str]) -> None:
    refusal = Refused("POINTS_INSUFFICIENT", f"for {SECRET_TEXT}", missing_points=3)
    status, headers, body, (line,) = answered(raising(refusal), event(), capsys)
    assert (status, body["missing_points"], headers["content-type"]) == (422, 3, "application/problem+json")
    assert line["outcome"] == "POINTS_INSUFFICIENT"
    assert SECRET_TEXT not in json.dumps(line)


@pytest.mark.parametrize("error", [RuntimeError(SECRET_TEXT), Corrupt(SECRET_TEXT)])
def test_an_unforeseen_error_is_500_says_nothing_of_itself_and_logs_where_it_was(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, body, (where, line) = answered(raising(error), event(), capsys)
    assert (status, body["code"], line["outcome"]) == (500, "INTERNAL_ERROR", "INTERNAL_ERROR")
    assert where["error"] == type(error).__name__
    assert where["level"] == "ERROR"
    assert any(place.startswith("test_http.py:") for place in where["at"])
    assert SECRET_TEXT not in json.dumps([body, where, line])


def test_a_conflict_says_when_to_come_again(capsys: pytest.CaptureFixture[str]) -> None:
    busy = Conflict("ACCOUNT_BUSY", "again", retry_after=1)
    status, headers, _, _ = answered(raising(busy), event(), capsys)
    assert (status, headers["retry-after"]) == (409, "1")


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({"body": "{"}, 400, "REQUEST_MALFORMED", None),
        ({"body": ""}, 400, "REQUEST_MALFORMED", None),
        ({"body": '"\\ud800"'}, 400, "REQUEST_MALFORMED", None),
        ({"body": '"\ud800"'}, 400, "REQUEST_INVALID", "body"),
        ({"body": "//79", "isBase64Encoded": True}, 400, "REQUEST_MALFORMED", None),
        ({"body": "[" * 100_000}, 400, "REQUEST_INVALID", "body"),
        ({"body": "[]"}, 400, "REQUEST_INVALID", "body"),
        ({"body": "{}"}, 400, "REQUEST_INVALID", "points"),
        ({"body": '{"points": 1.5}'}, 400, "REQUEST_INVALID", "points"),
        ({"body": '{"points": "5"}'}, 400, "REQUEST_INVALID", "points"),
        ({"body": '{"points": true}'}, 400, "REQUEST_INVALID", "points"),
        ({"body": '{"points": -5}'}, 400, "REQUEST_INVALID", "points"),
        ({"body": '{"points": 1000000000001}'}, 400, "REQUEST_INVALID", "points"),
        ({"body": '{"points": 5, "pionts": 6}'}, 400, "REQUEST_INVALID", "pionts"),
        ({"body": json.dumps({"points": 5, "reason": "x" * 262_144})}, 413, "REQUEST_TOO_LARGE", None),
        ({"headers": {}}, 400, "REQUEST_KEY_MISSING", "Idempotency-Key"),
        ({"headers": {"idempotency-key": "two words"}}, 400, "REQUEST_KEY_MISSING", "Idempotency-Key"),
        ({"headers": {"idempotency-key": "x" * 129}}, 400, "REQUEST_KEY_MISSING", "Idempotency-Key"),
        ({"routeKey": "GET /v1/nothing"}, 404, "ROUTE_NOT_FOUND", None),
    ],
)
def test_what_is_wrong_with_a_request_is_named(
    changes: dict[str, Any], status: int, code: str, field: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    got, _, body, _ = answered(spend, event() | changes, capsys)
    assert (got, body["code"], body.get("field")) == (status, code, field)


def test_every_scoped_route_refuses_a_token_without_its_scope(capsys: pytest.CaptureFixture[str]) -> None:
    sent = event()
    sent["requestContext"]["authorizer"]["lambda"]["scopes"] = " ".join(
        {route.scope for route in ROUTES if route.scope} - {"redemptions:write"}
    )
    status, _, body, _ = answered(spend, sent, capsys)
    assert (status, body["code"]) == (403, "AUTH_SCOPE_MISSING")


def test_a_request_that_no_authoriser_vouched_for_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    sent = event()
    del sent["requestContext"]["authorizer"]
    status, _, body, _ = answered(spend, sent, capsys)
    assert (status, body["code"]) == (403, "AUTH_SCOPE_MISSING")


def test_the_fingerprint_knows_the_content_not_the_spelling(capsys: pytest.CaptureFixture[str]) -> None:
    def print_of(body: str, **changes: Any) -> str:
        return str(answered(spend, event(body, **changes), capsys)[2]["print"])

    same = print_of('{"points": 5, "reason": ""}')
    assert print_of('{ "reason":"", "points":5 }') == same
    assert print_of('{"points": 5}') == same
    assert print_of('{"points": 6}') != same
    assert print_of('{"points": 5}', pathParameters={"id": ANNA[:-1] + "W"}) != same


def test_keys_of_two_clients_are_two_keys(capsys: pytest.CaptureFixture[str]) -> None:
    other = event()
    other["requestContext"]["authorizer"]["lambda"]["client"] = "cli_2"
    assert answered(spend, event(), capsys)[2]["ref"] != answered(spend, other, capsys)[2]["ref"]


def test_a_client_beyond_its_limit_is_told_to_wait(capsys: pytest.CaptureFixture[str]) -> None:
    sent = event()
    sent["requestContext"]["authorizer"]["lambda"]["limit"] = 1
    handler = serve("redeem", {route.key: Operation(spend, None) for route in routes_of("redeem")})
    statuses = [handler(sent, None)["statusCode"] for _ in range(4)]
    capsys.readouterr()
    assert statuses[:2] == [201, 201]
    last = handler(sent, None)
    assert (last["statusCode"], json.loads(last["body"])["code"]) == (429, "REQUEST_RATE_LIMITED")
    assert int(last["headers"]["retry-after"]) >= 1
