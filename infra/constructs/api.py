"""The HTTP API: one route for each of `loyalty.routes`, one authoriser, throttling, an access log without people."""

import json
from collections.abc import Mapping

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_apigatewayv2 as apigw
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_authorizers import HttpLambdaAuthorizer, HttpLambdaResponseType
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from infra.constructs.logs import log_group
from infra.settings import Stage
from loyalty.routes import ROUTES

AUTHORIZER_CACHE = Duration.seconds(60)
"""A revoked key works this much longer at most; in return a till's requests cost one look-up a minute."""

# The route, never the path: paths carry members' and orders' numbers. No address of the caller.
_ACCESS_LOG = {
    "at": "$context.requestTimeEpoch",
    "request": "$context.requestId",
    "route": "$context.routeKey",
    "status": "$context.status",
    "program": "$context.authorizer.program",
    "client": "$context.authorizer.client",
    "ms": "$context.responseLatency",
    "function_ms": "$context.integrationLatency",
    "bytes": "$context.responseLength",
    "error": "$context.error.responseType",
    "authorizer_error": "$context.authorizer.error",
    "function_error": "$context.integration.error",
}


class Api(Construct):
    """Serves ROUTES from ``functions``, by name; every route but the public ones passes ``authorize`` first."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        prefix: str,
        functions: Mapping[str, lambda_.IFunction],
        authorize: lambda_.IFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self.http = apigw.HttpApi(
            self, "Http", api_name=prefix, description="Points, members, purchases", create_default_stage=False
        )
        self._stage(stage, prefix)
        authorizer = HttpLambdaAuthorizer(
            "Authorizer",
            authorize,
            response_types=[HttpLambdaResponseType.SIMPLE],
            results_cache_ttl=AUTHORIZER_CACHE,
            identity_source=["$request.header.Authorization"],
        )
        integrations = {
            # One permission for a function with all its routes: they are the only routes that lead to it.
            name: HttpLambdaIntegration(f"To{name.title()}", function, scope_permission_to_route=False)
            for name, function in functions.items()
        }
        for route in ROUTES:
            public = route.scope is None
            created = self.http.add_routes(
                path=route.path,
                methods=[apigw.HttpMethod[route.method]],
                integration=integrations[route.function],
                authorizer=apigw.HttpNoneAuthorizer() if public else authorizer,
            )
            if public:
                for resource in created:
                    Validations.of(resource).acknowledge(
                        Acknowledgment(
                            id="AwsSolutions-APIG4",
                            reason="The API's page holds no data; a link to unsubscribe is signed for its one member.",
                        )
                    )

    @property
    def url(self) -> str:
        """Base address, without a slash at the end."""
        return self.http.api_endpoint

    def _stage(self, stage: Stage, prefix: str) -> None:
        log = log_group(self, "AccessLog", f"/aws/vendedlogs/apigateway/{prefix}", stage)
        apigw.CfnStage(
            self,
            "Stage",
            api_id=self.http.api_id,
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=apigw.CfnStage.AccessLogSettingsProperty(
                destination_arn=log.log_group_arn, format=json.dumps(_ACCESS_LOG)
            ),
            default_route_settings=apigw.CfnStage.RouteSettingsProperty(
                detailed_metrics_enabled=True,
                throttling_rate_limit=stage.requests_per_second,
                throttling_burst_limit=stage.request_burst,
            ),
        )
