"""Clients of the caller's programme: list, make, give a new key, revoke.

Trigger: GET and POST /v1/clients, POST /v1/clients/{id}/rotate, DELETE /v1/clients/{id}. Output: the client, with its
key when that is new. Failure: a problem. Whatever is changed here is felt within the minute for which the gateway
keeps an authorisation.
"""

from secrets import token_bytes

from msgspec import UNSET

from functions.clients.requests import ClientRequest, Cursor, Limit, RotationRequest
from loyalty.clients.client import new_id
from loyalty.clients.credentials import SECRET_BYTES, secret_of
from loyalty.clients.service import Authority, NewClient
from loyalty.clients.views import ClientKeyView, ClientsView, client_view
from loyalty.runtime.http import Answer, Operation, Request, serve
from loyalty.runtime.wiring import clients


def show(request: Request) -> Answer:
    cursor = request.query.get("cursor", "")
    found, after = clients().page(request.caller.program, request.limit(50, 100), cursor)
    return Answer(200, ClientsView([client_view(client) for client in found], after or UNSET))


def create(request: Request) -> Answer:
    body = request.body(ClientRequest)
    client, key = clients().create(
        request.caller.program,
        NewClient(body.name, body.role, body.scopes or (), body.store, body.limit),
        _authority(request),
        client_id=new_id(request.wall * 1000, token_bytes(10)),
        secret=secret_of(token_bytes(SECRET_BYTES)),
        now=request.wall,
    )
    return Answer(201, ClientKeyView(client_view(client), str(key)))


def rotate(request: Request) -> Answer:
    body = request.body(RotationRequest)
    client, key = clients().rotate(
        request.caller.program,
        request.params["id"],
        _authority(request),
        overlap=body.overlap,
        replace_newest=body.replace_newest,
        secret=secret_of(token_bytes(SECRET_BYTES)),
        now=request.wall,
    )
    return Answer(200, ClientKeyView(client_view(client), str(key)))


def revoke(request: Request) -> Answer:
    clients().revoke(request.caller.program, request.params["id"], _authority(request), now=request.wall)
    return Answer(204, None)


def _authority(request: Request) -> Authority:
    return Authority(request.caller.scopes, request.caller.store)


_RIGHTS = ("CLIENT_RIGHTS_EXCEEDED", "AUTH_STORE_FORBIDDEN")
OPERATIONS = {
    "GET /v1/clients": Operation(show, ClientsView, query={"limit": Limit, "cursor": Cursor}),
    "POST /v1/clients": Operation(create, ClientKeyView, ClientRequest, 201, _RIGHTS),
    "POST /v1/clients/{id}/rotate": Operation(
        rotate, ClientKeyView, RotationRequest, problems=(*_RIGHTS, "CLIENT_NOT_FOUND", "CLIENT_REVOKED")
    ),
    "DELETE /v1/clients/{id}": Operation(
        revoke, None, status=204, problems=(*_RIGHTS, "CLIENT_NOT_FOUND", "CLIENT_LAST_OPERATOR")
    ),
}

lambda_handler = serve("clients", OPERATIONS)
