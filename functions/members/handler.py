"""Members: enrol, recognise, read, list, change; their tokens; and their wallets' freezing and closing.

Trigger: the routes under /v1/members that OPERATIONS names. Output: the member (201 when new), a token, or the entry
that froze or closed. Failure: a problem; safe to send again under the same Idempotency-Key or If-Match.
"""

from secrets import token_bytes

from msgspec import UNSET

from functions.members import accounts
from functions.members.requests import ChangeRequest, Cursor, EnrolmentRequest, Limit, TokenRequest
from loyalty.clients.roles import LIST_MEMBERS, WRITE_IDENTITIES, WRITE_STANDING
from loyalty.errors import Forbidden
from loyalty.ids import ulid
from loyalty.ledger.views import iso
from loyalty.members.member import Change, Enrolment
from loyalty.members.views import MembersView, MemberView, TokenView, member_view
from loyalty.runtime.http import Answer, Operation, Request, serve
from loyalty.runtime.versions import IfMatch, etag, if_match
from loyalty.runtime.wiring import members, tokens
from loyalty.shapes import Identity


def enrol(request: Request) -> Answer:
    body = request.body(EnrolmentRequest)
    caller = request.caller
    key = request.cause().ref if "idempotency-key" in request.headers else ""
    new = Enrolment(body.kind, body.identities, body.attributes, body.language)
    member_id = f"mem_{ulid(request.now * 1000, token_bytes(10))}"
    done = members().enrol(caller.program, new, actor=caller.client, key=key, member_id=member_id, now=request.now)
    headers = {"location": f"/v1/members/{done.member.id}", **etag(done.member.version)}
    return Answer(201, member_view(done.member), headers | ({"idempotency-replayed": "true"} if done.replayed else {}))


def find(request: Request) -> Answer:
    caller, identity = request.caller, request.query.get("identity")
    if caller.member:
        raise Forbidden("AUTH_MEMBER_FORBIDDEN", "This token speaks for one member only")
    if identity is not None:
        # A plus sign that was not escaped in the query arrives as a space; a phone number begins with none.
        account = members().resolve(caller.program, identity.replace("phone: ", "phone:+", 1))
        return Answer(200, MembersView([member_view(members().get(caller.program, account))]))
    if LIST_MEMBERS not in caller.scopes:
        raise Forbidden("AUTH_SCOPE_MISSING", f"Name an identity; to list members needs the scope {LIST_MEMBERS}")
    found, cursor = members().page(caller.program, request.limit(50, 100), request.query.get("cursor", ""))
    return Answer(200, MembersView([member_view(one) for one in found], cursor or UNSET))


def get(request: Request) -> Answer:
    found = members().get(request.caller.program, request.member())
    return Answer(200, member_view(found), etag(found.version))


def change(request: Request) -> Answer:
    body = request.body(ChangeRequest)
    if body.add_identities or body.remove_identities:
        request.may(WRITE_IDENTITIES, "add_identities" if body.add_identities else "remove_identities")
    if body.tier is not None or body.segments is not None:
        request.may(WRITE_STANDING, "tier" if body.tier is not None else "segments")
    parts = (body.add_identities, body.remove_identities, body.attributes, body.language, body.tier, body.segments)
    after = members().change(request.caller.program, request.member(), Change(*parts), if_match(request), request.now)
    return Answer(200, member_view(after), etag(after.version))


def token(request: Request) -> Answer:
    body = request.body(TokenRequest)
    caller, now = request.caller, request.wall
    member = members().get(caller.program, request.member()).id
    text = tokens().issue_member_token(
        program=caller.program, client=caller.client, member=member, ttl=body.ttl, now=now
    )
    return Answer(201, TokenView(text, member, iso(now + body.ttl)))


_TAKEN = ("MEMBER_IDENTITY_TAKEN", "ACCOUNT_BUSY")
OPERATIONS = {
    "POST /v1/members": Operation(
        enrol, MemberView, EnrolmentRequest, 201, (*_TAKEN, "REQUEST_KEY_MISSING", "IDEMPOTENCY_KEY_REUSED")
    ),
    "GET /v1/members": Operation(
        find,
        MembersView,
        problems=("MEMBER_NOT_FOUND", "AUTH_MEMBER_FORBIDDEN"),
        query={"identity": Identity, "limit": Limit, "cursor": Cursor},
    ),
    "GET /v1/members/{id}": Operation(get, MemberView, problems=("MEMBER_NOT_FOUND", "AUTH_MEMBER_FORBIDDEN")),
    "PATCH /v1/members/{id}": Operation(
        change,
        MemberView,
        ChangeRequest,
        problems=(*_TAKEN, "MEMBER_NOT_FOUND", "MEMBER_VERSION_CONFLICT", "TIER_NOT_HERE", "AUTH_SCOPE_MISSING"),
        headers={"If-Match": IfMatch},
    ),
    "POST /v1/members/{id}/tokens": Operation(token, TokenView, TokenRequest, 201, ("MEMBER_NOT_FOUND",)),
    **accounts.OPERATIONS,
}

lambda_handler = serve("members", OPERATIONS)
