"""The page to read and try the API.

Trigger: HTTP API, ``GET /docs``, ``GET /docs/{asset}``, ``GET /openapi.json``; public, holds no data, reads no table.
Output: files of this package, all served from here (no CDN), under a content security policy that allows no other.
Failure: an asset that is not one of ours is a 404 problem+json.
"""

import gzip
import json
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]
_SWAGGER = _ROOT / "node_modules" / "swagger-ui-dist"

# Swagger UI sets style attributes; its icons are data: images. Scripts come from here alone, requests go nowhere else.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "public, max-age=300",
    "vary": "accept-encoding",
}
_PAGE = (_HERE / "page.html", "text/html; charset=utf-8")
_OPENAPI = (_ROOT / "docs" / "openapi.json", "application/json")
_ASSETS = {
    "page.js": (_HERE / "page.js", "text/javascript; charset=utf-8"),
    "page.css": (_HERE / "page.css", "text/css; charset=utf-8"),
    "swagger-ui-bundle.js": (_SWAGGER / "swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    "swagger-ui.css": (_SWAGGER / "swagger-ui.css", "text/css; charset=utf-8"),
    "favicon.png": (_SWAGGER / "favicon-32x32.png", "image/png"),
}


@cache
def _packed(path: Path) -> bytes:
    """The file, compressed once for the life of this process: the script is 1.7 MB plain and 0.5 MB packed."""
    return gzip.compress(path.read_bytes(), compresslevel=6, mtime=0)


def _file(path: Path, kind: str, headers: dict[str, str]) -> dict[str, Any]:
    answer_headers = {**_HEADERS, "content-type": kind}
    packed = "gzip" in headers.get("accept-encoding", "")
    if packed:
        answer_headers["content-encoding"] = "gzip"
    body = _packed(path) if packed else path.read_bytes()
    return {"statusCode": 200, "headers": answer_headers, "isBase64Encoded": True, "body": b64encode(body).decode()}


def _unknown(event: dict[str, Any]) -> dict[str, Any]:
    problem = {
        "type": "urn:loyalty:problem:ROUTE_NOT_FOUND",
        "title": "There is no such route",
        "status": 404,
        "detail": "The page has no such part",
        "code": "ROUTE_NOT_FOUND",
    }
    headers = {"content-type": "application/problem+json", "x-request-id": event["requestContext"].get("requestId", "")}
    return {"statusCode": 404, "headers": headers, "body": json.dumps(problem)}


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """One file, by route and name."""
    del context
    name = (event.get("pathParameters") or {}).get("asset", "")
    found = {"GET /docs": _PAGE, "GET /openapi.json": _OPENAPI}.get(event["routeKey"]) or _ASSETS.get(name)
    return _file(*found, event.get("headers") or {}) if found else _unknown(event)
