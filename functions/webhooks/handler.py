"""Partners' webhooks of the caller's programme: list, make, change, remove, give a new secret, send anew, try.

Trigger: /v1/webhooks and what lies under it. Output: the webhook, with its secret when that is new, or its deliveries.
Failure: a problem. A change is felt within ten seconds; what is sent anew or tried goes out at once.
"""

from secrets import token_hex

from functions.webhooks.changes import changed, made, new_secret
from functions.webhooks.requests import Limit, ReplayRequest, SecretRequest, WebhookChange, WebhookRequest
from loyalty.errors import Invalid
from loyalty.runtime.http import Answer, Operation, Request, serve
from loyalty.runtime.wiring import webhooks
from loyalty.webhooks.delivery import TEST, Event, iso
from loyalty.webhooks.views import (
    DeliveriesView,
    DeliveryView,
    ReplayView,
    WebhookSecretView,
    WebhooksView,
    WebhookView,
    delivery_view,
    webhook_view,
)


def show_all(request: Request) -> Answer:
    found = webhooks().all(request.caller.program)
    return Answer(200, WebhooksView([webhook_view(endpoint, request.wall) for endpoint in found]))


def show(request: Request) -> Answer:
    endpoint = webhooks().get(request.caller.program, request.params["id"])
    return Answer(200, webhook_view(endpoint, request.wall))


def create(request: Request) -> Answer:
    endpoint = webhooks().create(request.caller.program, made(request.body(WebhookRequest), request.wall))
    return Answer(201, WebhookSecretView(webhook_view(endpoint, request.wall), endpoint.secret))


def change(request: Request) -> Answer:
    after = changed(request.body(WebhookChange))
    endpoint = webhooks().change(request.caller.program, request.params["id"], after)
    return Answer(200, webhook_view(endpoint, request.wall))


def remove(request: Request) -> Answer:
    webhooks().remove(request.caller.program, request.params["id"])
    return Answer(204, None)


def rotate(request: Request) -> Answer:
    body = request.body(SecretRequest)
    secret, name = new_secret(), request.params["id"]
    endpoint = webhooks().change(
        request.caller.program, name, lambda one: one.rotated(secret, body.overlap, request.wall)
    )
    return Answer(200, WebhookSecretView(webhook_view(endpoint, request.wall), endpoint.secret))


def replay(request: Request) -> Answer:
    body = request.body(ReplayRequest)
    since, until = int(body.since.timestamp()), int(body.until.timestamp())
    if until < since:
        raise Invalid("REQUEST_INVALID", "until: not before since", field="until")
    webhooks().replay(request.caller.program, request.params["id"], since, until)
    return Answer(202, ReplayView(iso(since), iso(until)))


def deliveries(request: Request) -> Answer:
    found = webhooks().deliveries(request.caller.program, request.params["id"], request.limit(50, 100))
    return Answer(200, DeliveriesView([delivery_view(delivery) for delivery in found]))


def test(request: Request) -> Answer:
    program, name = request.caller.program, token_hex(8)
    detail = {"id": f"{program}:{TEST}:{name}", "program": program, "recorded_at": iso(request.wall)}
    event = Event(program, TEST, str(detail["id"]), "", 0, request.wall, detail)
    return Answer(202, delivery_view(webhooks().test(program, request.params["id"], event, request.wall)))


_GONE = ("WEBHOOK_NOT_FOUND",)
OPERATIONS = {
    "POST /v1/webhooks": Operation(
        create, WebhookSecretView, WebhookRequest, 201, ("WEBHOOK_LIMIT_REACHED", "WEBHOOK_URL_REFUSED")
    ),
    "GET /v1/webhooks": Operation(show_all, WebhooksView),
    "GET /v1/webhooks/{id}": Operation(show, WebhookView, problems=_GONE),
    "PATCH /v1/webhooks/{id}": Operation(change, WebhookView, WebhookChange, problems=(*_GONE, "WEBHOOK_URL_REFUSED")),
    "DELETE /v1/webhooks/{id}": Operation(remove, None, status=204, problems=_GONE),
    "POST /v1/webhooks/{id}/rotate": Operation(rotate, WebhookSecretView, SecretRequest, problems=_GONE),
    "POST /v1/webhooks/{id}/replay": Operation(replay, ReplayView, ReplayRequest, 202, (*_GONE, "WEBHOOK_OFF")),
    "GET /v1/webhooks/{id}/deliveries": Operation(deliveries, DeliveriesView, problems=_GONE, query={"limit": Limit}),
    "POST /v1/webhooks/{id}/test": Operation(test, DeliveryView, status=202, problems=_GONE),
}

lambda_handler = serve("webhooks", OPERATIONS)
