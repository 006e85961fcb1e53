"""The page that shows the API: ours alone, complete, and closed to everything else."""

import gzip
import re
from base64 import b64decode
from typing import Any

import pytest

from functions.docs import handler


def _get(route: str, asset: str | None = None, **headers: str) -> dict[str, Any]:
    event = {
        "routeKey": route,
        "headers": headers,
        "pathParameters": None if asset is None else {"asset": asset},
        "requestContext": {"requestId": "req-1"},
    }
    return handler.lambda_handler(event, None)


def _text(answer: dict[str, Any]) -> str:
    return b64decode(answer["body"]).decode()


def _links() -> list[str]:
    return re.findall(r'(?:src|href)="([^"]+)"', _text(_get("GET /docs")))


def test_every_part_that_the_page_names_is_served_from_here() -> None:
    assets = [link.removeprefix("docs/") for link in _links() if link.startswith("docs/")]
    assert {"page.js", "page.css", "swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"} == set(assets)
    for asset in assets:
        assert _get("GET /docs/{asset}", asset)["statusCode"] == 200


def test_the_page_names_nothing_by_an_absolute_address() -> None:
    assert not [link for link in _links() if re.match(r"/|[a-z]+:", link)]


def test_the_page_runs_no_script_but_its_files_and_asks_nobody_else() -> None:
    page = _get("GET /docs")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bon[a-z]+=|style=", _text(page))
    policy = dict(part.split(" ", 1) for part in page["headers"]["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"


@pytest.mark.parametrize("asset", ["../handler.py", "handler.py", "openapi.json", "", "page.html"])
def test_nothing_else_of_the_package_can_be_fetched(asset: str) -> None:
    answer = _get("GET /docs/{asset}", asset)
    assert answer["statusCode"] == 404
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert '"code": "ROUTE_NOT_FOUND"' in answer["body"]


def test_a_browser_that_unpacks_gets_the_script_packed() -> None:
    plain = _get("GET /docs/{asset}", "swagger-ui-bundle.js")
    packed = _get("GET /docs/{asset}", "swagger-ui-bundle.js", **{"accept-encoding": "gzip, br"})
    assert packed["headers"]["content-encoding"] == "gzip"
    assert gzip.decompress(b64decode(packed["body"])) == b64decode(plain["body"])
    assert "content-encoding" not in plain["headers"]


def test_answers_say_what_they_are_and_are_not_to_be_guessed_at() -> None:
    for route, asset, kind in (
        ("GET /docs", None, "text/html; charset=utf-8"),
        ("GET /docs/{asset}", "page.js", "text/javascript; charset=utf-8"),
        ("GET /docs/{asset}", "favicon.png", "image/png"),
    ):
        headers = _get(route, asset)["headers"]
        assert headers["content-type"] == kind
        assert headers["x-content-type-options"] == "nosniff"
