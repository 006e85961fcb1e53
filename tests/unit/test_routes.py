"""The table of routes."""

import re
from collections import Counter
from pathlib import Path

import pytest

from loyalty.routes import ROUTES, Route, routes_of

ROOT = Path(__file__).parents[2]

MANAGED = ("/v1/rule-sets", "/v1/campaigns")
"""Where routes begin that change what is in force, and move no points."""


def by_key(key: str) -> Route:
    (route,) = [route for route in ROUTES if route.key == key]
    return route


def test_no_route_is_named_twice_whatever_its_parameters_are_called() -> None:
    keys = Counter(re.sub(r"{\w+}", "{}", route.key) for route in ROUTES)
    assert [key for key, count in keys.items() if count > 1] == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.key)
def test_a_route_is_well_formed(route: Route) -> None:
    assert route.method in {"GET", "POST", "PUT", "PATCH", "DELETE"}
    assert re.fullmatch(r"(/[a-z0-9.-]+|/{[a-z_]+})+", route.path)
    assert route.summary[0].isupper()
    assert not route.summary.endswith(".")
    assert route.key == f"{route.method} {route.path}"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.key)
def test_a_route_is_served_by_a_function_that_exists(route: Route) -> None:
    assert (ROOT / "functions" / route.function / "handler.py").is_file()


def test_only_the_documentation_and_links_that_are_signed_themselves_are_public() -> None:
    public = {route.key for route in ROUTES if route.scope is None}
    signed = {"GET /v1/unsubscribe/{token}", "POST /v1/unsubscribe/{token}", "GET /v1/l/{token}"}
    assert public == {"GET /docs", "GET /docs/{asset}", "GET /openapi.json"} | signed
    assert all(route.path.startswith("/v1/") for route in ROUTES if route.scope is not None)


ASKED_WITH_A_BODY = {"POST /v1/quotes", "POST /v1/campaigns/{id}/preview", "POST /v1/campaigns/{id}/texts"}
"""Questions that are too long for a path."""


@pytest.mark.parametrize("route", [route for route in ROUTES if route.scope], ids=lambda route: route.key)
def test_a_scope_is_a_resource_and_a_verb_and_reading_never_needs_a_right_to_write(route: Route) -> None:
    assert re.fullmatch(r"[a-z]+:(read|write|cancel|verify|publish)", str(route.scope))
    reads = route.method == "GET" or route.key in ASKED_WITH_A_BODY
    assert str(route.scope).endswith((":read", ":verify")) == reads


def test_every_route_that_moves_points_is_a_post_and_asks_for_a_key() -> None:
    moving = {route.key for route in ROUTES if route.moves_points}
    assert all(key.startswith("POST /v1/") for key in moving)
    without = {route.key for route in ROUTES if route.method == "POST"} - moving
    assert without == {
        "POST /v1/members",
        "POST /v1/members/{id}/tokens",
        "POST /v1/clients",
        "POST /v1/clients/{id}/rotate",
        "POST /v1/batches",
        "POST /v1/quotes",
        "POST /v1/clock",
        "POST /v1/tiers/simulate",
        "POST /v1/segments",
        "POST /v1/unsubscribe/{token}",
        "POST /v1/members/{id}/inbox/{message}/read",
        "POST /v1/messages/redrive",
        "POST /v1/webhooks",
        "POST /v1/webhooks/{id}/rotate",
        "POST /v1/webhooks/{id}/replay",
        "POST /v1/webhooks/{id}/test",
    } | {route.key for route in ROUTES if route.method == "POST" and route.path.startswith(MANAGED)}


@pytest.mark.parametrize(
    ("key", "function", "scope"),
    [
        ("POST /v1/purchases", "earn", "purchases:write"),
        ("POST /v1/purchases/{source}/{order_id}/returns", "reverse", "returns:write"),
        ("POST /v1/members/{id}/redemptions", "redeem", "redemptions:write"),
        ("POST /v1/holds/{id}/capture", "hold", "holds:write"),
        ("POST /v1/members/{id}/adjustments", "adjust", "adjustments:write"),
        ("GET /v1/members/{id}/balance", "balance", "balance:read"),
        ("GET /v1/members/{id}/verification", "balance", "ledger:verify"),
        ("POST /v1/clients", "clients", "clients:write"),
        ("PUT /v1/program", "program", "program:write"),
        ("POST /v1/clock", "program", "clock:write"),
    ],
)
def test_a_route_goes_where_the_documentation_says(key: str, function: str, scope: str) -> None:
    assert (by_key(key).function, by_key(key).scope) == (function, scope)


def test_the_routes_of_a_function_are_all_of_its_own() -> None:
    assert [route.key for route in routes_of("redeem")] == [
        "POST /v1/members/{id}/redemptions",
        "POST /v1/redemptions/{id}/cancel",
        "POST /v1/members/{id}/renewals",
    ]
    assert routes_of("nothing") == ()
    functions = {route.function for route in ROUTES}
    assert Counter(route for function in functions for route in routes_of(function)) == Counter(ROUTES)
