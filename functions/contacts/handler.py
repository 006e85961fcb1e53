"""Contact: the programme's policy, a member's consents, preferences and addresses, what was sent, and unsubscribing.

Trigger: the routes that OPERATIONS names; those under /v1/unsubscribe are public, and bound to one member and channel
by their signed token. Output: the policy or contact (addresses masked) with its version as ETag, what was sent and left
out, or a page. Failure: a problem, or a page that says so; safe to send again.
"""

from functions.contacts import page
from functions.contacts.requests import ContactPolicyRequest, ContactRequest
from loyalty.clients.roles import WRITE_CONTACT, WRITE_IDENTITIES
from loyalty.contacts.policy import ContactPolicy
from loyalty.contacts.unsubscribe import ALL
from loyalty.contacts.views import ContactsView, ContactView, PolicyView, contact_view, contacts_view, policy_view
from loyalty.errors import Invalid, NotFound
from loyalty.runtime.http import Answer, Operation, Page, Request, serve
from loyalty.runtime.versions import IfMatch, etag, if_match
from loyalty.runtime.wiring import contacts, moment, policy


def show_policy(request: Request) -> Answer:
    return _policy(contacts().store.policy(request.caller.program))


def replace_policy(request: Request) -> Answer:
    body = request.body(ContactPolicyRequest)
    if "if-match" not in request.headers:
        raise Invalid("REQUEST_VERSION_MISSING", "Send the ETag of the policy that this one replaces", field="If-Match")
    program, store = request.caller.program, contacts().store
    seen = if_match(request)
    version = store.policy(program).version if seen is None else seen
    return _policy(store.save_policy(program, body.policy(version)))


def show(request: Request) -> Answer:
    program, account = request.caller.program, request.member()
    preferences, addresses = contacts().look(program, account)
    link = contacts().unsubscribe_path(program, account, ALL) if WRITE_CONTACT in request.caller.scopes else ""
    view = contact_view(preferences, addresses, contacts().store.policy(program), link)
    return Answer(200, view, etag(preferences.version))


def change(request: Request) -> Answer:
    body, account = request.body(ContactRequest), request.member()
    asked = body.change()
    if asked.addresses:
        request.may(WRITE_IDENTITIES, "addresses")
    by = "member" if request.caller.member else request.caller.client
    contacts().change(request.caller.program, account, asked, if_match(request), by, request.now)
    return show(request)


def told(request: Request) -> Answer:
    return Answer(200, contacts_view(contacts().told(request.caller.program, request.member())))


def unsubscribe(request: Request) -> Answer:
    """GET shows the button, POST does it, whatever is in its body."""
    accepted = request.query.get("lang") or request.headers.get("accept-language", "")
    language = "zh" if accepted.strip().lower().startswith("zh") else "en"
    link = contacts().link(request.params.get("token", ""))
    if link is None:
        return page.unknown(language)
    try:
        name = policy(link.program).name
        if request.route.method == "GET":
            return page.asks(name, link.channel, language)
        contacts().unsubscribed(link, moment(link.program, request.wall))
    except NotFound:
        return page.unknown(language)
    return page.done(name, link.channel, language)


def _policy(found: ContactPolicy) -> Answer:
    return Answer(200, policy_view(found), etag(found.version) if found.version else {})


_OF_MEMBER = ("MEMBER_NOT_FOUND", "AUTH_MEMBER_FORBIDDEN")
OPERATIONS = {
    "GET /v1/contact-policy": Operation(show_policy, PolicyView),
    "PUT /v1/contact-policy": Operation(
        replace_policy,
        PolicyView,
        ContactPolicyRequest,
        problems=("CONTACT_POLICY_VERSION_CONFLICT", "REQUEST_VERSION_MISSING"),
        headers={"If-Match": IfMatch},
    ),
    "GET /v1/members/{id}/contact": Operation(show, ContactView, problems=_OF_MEMBER),
    "PUT /v1/members/{id}/contact": Operation(
        change,
        ContactView,
        ContactRequest,
        problems=(*_OF_MEMBER, "CONTACT_VERSION_CONFLICT", "ACCOUNT_BUSY", "AUTH_SCOPE_MISSING"),
        headers={"If-Match": IfMatch},
    ),
    "GET /v1/members/{id}/contacts": Operation(told, ContactsView, problems=_OF_MEMBER),
    "GET /v1/unsubscribe/{token}": Operation(unsubscribe, Page),
    "POST /v1/unsubscribe/{token}": Operation(unsubscribe, Page),
}

lambda_handler = serve("contacts", OPERATIONS)
