"""Messages: a member's inbox, where one message stands, links that are followed, and trying anew what has failed.

Trigger: GET /v1/members/{id}/inbox, POST /v1/members/{id}/inbox/{message}/read, GET /v1/messages/{id},
POST /v1/messages/redrive, GET /v1/l/{token}. Output: the messages; where the link leads, 302. Failure: a problem; safe
to send again.
"""

import time

from functions.inbox import redrive
from functions.inbox.requests import Cursor, Limit, RedriveRequest
from loyalty.clients.roles import WRITE_CONTACT
from loyalty.errors import NotFound
from loyalty.notifications.views import (
    Addresses,
    InboxMessage,
    InboxView,
    MessageView,
    RedriveView,
    inbox_message,
    inbox_view,
    message_view,
)
from loyalty.runtime.http import Answer, Operation, Request, serve
from loyalty.runtime.messages import link_of, note_returns
from loyalty.runtime.wiring import mail, member_store, moment, notifications


def _addresses(request: Request) -> Addresses:
    """Of links, and the one that unsubscribes. These ask nobody who they are, and whoever follows one was told: so who
    only reads sees where the links lead, and none that does anything.
    """
    found = mail().addresses_of
    if WRITE_CONTACT in request.caller.scopes:
        return found
    return lambda message: (message.links, "")


def inbox(request: Request) -> Answer:
    program, account = request.caller.program, request.member()
    if member_store().get(program, account) is None:
        raise NotFound("MEMBER_NOT_FOUND", "There is no such member in this programme")
    lying = notifications().inbox(program, account, request.now)
    return Answer(200, inbox_view(lying, request.limit(50, 100), request.query.get("cursor", ""), _addresses(request)))


def read(request: Request) -> Answer:
    found = notifications().read(
        request.caller.program, request.member(), request.params.get("message", ""), request.now
    )
    return Answer(200, inbox_message(found, _addresses(request)))


def message(request: Request) -> Answer:
    return Answer(200, message_view(notifications().message(request.caller.program, request.params.get("id", ""))))


def follow(request: Request) -> Answer:
    link = link_of(request.params.get("token", ""))
    target = ""
    if link is not None:
        now = moment(link.program, request.wall)
        target = notifications().click(link.program, link.account, link.name, link.number, now)
    if not target:
        raise NotFound("MESSAGE_NOT_FOUND", "This link leads nowhere")
    note_returns("inbox", notifications(), int(time.time()))
    return Answer(302, None, {"location": target, "referrer-policy": "no-referrer"})


_NOT_FOUND = ("MEMBER_NOT_FOUND", "MESSAGE_NOT_FOUND")
OPERATIONS = {
    "GET /v1/members/{id}/inbox": Operation(
        inbox, InboxView, problems=("MEMBER_NOT_FOUND",), query={"limit": Limit, "cursor": Cursor}
    ),
    "POST /v1/members/{id}/inbox/{message}/read": Operation(read, InboxMessage, problems=_NOT_FOUND),
    "GET /v1/messages/{id}": Operation(message, MessageView, problems=("MESSAGE_NOT_FOUND",)),
    "POST /v1/messages/redrive": Operation(redrive.redrive, RedriveView, RedriveRequest),
    "GET /v1/l/{token}": Operation(follow, None, status=302, problems=("MESSAGE_NOT_FOUND",)),
}

lambda_handler = serve("inbox", OPERATIONS)
