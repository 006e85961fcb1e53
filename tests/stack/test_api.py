"""The API: every route there, every route guarded but the named few, nobody's data in its log."""

import json
import re

from loyalty.routes import ROUTES
from tests.stack.conftest import Synthesised

PUBLIC = {
    "GET /docs",
    "GET /docs/{asset}",
    "GET /openapi.json",
    "GET /v1/unsubscribe/{token}",
    "POST /v1/unsubscribe/{token}",
    "GET /v1/l/{token}",
}


def test_the_routes_are_those_of_the_table_of_routes(stage: Synthesised) -> None:
    assert {route["RouteKey"] for route in stage.properties("AWS::ApiGatewayV2::Route").values()} == {
        route.key for route in ROUTES
    }


def test_every_route_is_authorised_except_the_page_of_the_api(stage: Synthesised) -> None:
    (authorizer,) = stage.all("AWS::ApiGatewayV2::Authorizer")
    for route in stage.properties("AWS::ApiGatewayV2::Route").values():
        if route["RouteKey"] in PUBLIC:
            assert route["AuthorizationType"] == "NONE"
        else:
            assert route["AuthorizationType"] == "CUSTOM"
            assert route["AuthorizerId"] == {"Ref": authorizer}


def test_public_routes_are_those_without_a_scope() -> None:
    assert {route.key for route in ROUTES if route.scope is None} == PUBLIC


def test_every_route_leads_to_its_function(stage: Synthesised) -> None:
    integrations = stage.properties("AWS::ApiGatewayV2::Integration")
    functions = {
        name: one["FunctionName"].removeprefix(f"loyalty-{stage.stage.name}-")
        for name, one in stage.properties("AWS::Lambda::Function").items()
    }
    wanted = {route.key: route.function for route in ROUTES}
    for route in stage.properties("AWS::ApiGatewayV2::Route").values():
        parts = route["Target"]["Fn::Join"][1]
        target = next(part["Ref"] for part in parts if isinstance(part, dict))
        assert functions[integrations[target]["IntegrationUri"]["Fn::GetAtt"][0]] == wanted[route["RouteKey"]]


def test_one_authoriser_answers_for_a_minute_by_the_authorization_header(stage: Synthesised) -> None:
    (authorizer,) = stage.properties("AWS::ApiGatewayV2::Authorizer").values()
    assert authorizer["AuthorizerType"] == "REQUEST"
    assert authorizer["AuthorizerPayloadFormatVersion"] == "2.0"
    assert authorizer["EnableSimpleResponses"] is True
    assert authorizer["AuthorizerResultTtlInSeconds"] == 60
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]


def test_the_gateway_throttles_as_the_stage_says(stage: Synthesised) -> None:
    (deployed,) = stage.properties("AWS::ApiGatewayV2::Stage").values()
    settings = deployed["DefaultRouteSettings"]
    assert settings["ThrottlingRateLimit"] == stage.stage.requests_per_second
    assert settings["ThrottlingBurstLimit"] == stage.stage.request_burst


def test_the_access_log_names_routes_and_clients_but_no_paths_bodies_or_addresses(stage: Synthesised) -> None:
    (deployed,) = stage.properties("AWS::ApiGatewayV2::Stage").values()
    variables = set(re.findall(r"\$context\.[a-zA-Z.]+", deployed["AccessLogSettings"]["Format"]))
    assert set(json.loads(deployed["AccessLogSettings"]["Format"]).values()) == variables
    forbidden = re.compile(r"path|identity|query|header|member|domain", re.IGNORECASE)
    assert not [one for one in variables if forbidden.search(one)]
    assert "$context.routeKey" in variables


def test_functions_are_called_by_this_api_alone(stage: Synthesised) -> None:
    for permission in stage.properties("AWS::Lambda::Permission").values():
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert "SourceArn" in permission
