"""The product's handlers behind an httpx transport: what API Gateway does between a client and a function."""

import json
import re
from importlib import import_module
from typing import Any

import httpx

from loyalty.routes import ROUTES, Route


class Gateway(httpx.BaseTransport):
    """Answers every route of the product from its function, in this process. ``calls`` are (method, path)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self._routes = [(re.compile(_pattern(route)), route) for route in ROUTES]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append((request.method, request.url.path))
        headers = {name.lower(): value for name, value in request.headers.items()}
        for pattern, route in self._routes:
            match = pattern.fullmatch(request.url.path)
            if match and route.method == request.method:
                return self._serve(route, match.groupdict(), request, headers)
        return httpx.Response(404, json={"message": "Not Found"})

    def _serve(
        self, route: Route, params: dict[str, str], request: httpx.Request, headers: dict[str, str]
    ) -> httpx.Response:
        asked = {"headers": headers, "requestContext": {"requestId": "test"}, "routeKey": route.key}
        context: dict[str, Any] = {}
        if route.scope is not None:
            who = _handler("authorize")(asked, None)
            if not who["isAuthorized"]:
                return httpx.Response(403, json={"message": "Forbidden"})
            context = who["context"]
        answer = _handler(route.function)(
            {
                **asked,
                "pathParameters": params,
                "queryStringParameters": dict(request.url.params),
                "body": request.read().decode(),
                "requestContext": {"requestId": "test", "authorizer": {"lambda": context}},
            },
            None,
        )
        return httpx.Response(answer["statusCode"], headers=answer["headers"], text=answer["body"])


def _handler(function: str) -> Any:
    return import_module(f"functions.{function}.handler").lambda_handler


def _pattern(route: Route) -> str:
    return re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(route.path))


def refusing(*answers: httpx.Response | Exception) -> httpx.MockTransport:
    """Answers with these in turn; an exception is raised instead of an answer."""
    waiting = list(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        one = waiting.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    return httpx.MockTransport(answer)


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    """A problem as the API answers it."""
    body = json.dumps({"code": code, "detail": f"why {code}"})
    return httpx.Response(status, text=body, headers={"content-type": "application/problem+json", **headers})
