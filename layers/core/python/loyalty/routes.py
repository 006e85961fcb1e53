"""Every HTTP route, as plain data: the gateway, the handlers, the OpenAPI document and the access tests read this
one table.
"""

from typing import NamedTuple


class Route(NamedTuple):
    """One route of the HTTP API.

    ``scope`` is what a caller's token must carry; ``None`` marks the few public routes, which hold no data or carry
    a signed token of their own in the path.
    ``moves_points`` routes require an ``Idempotency-Key``.
    """

    method: str
    path: str
    function: str
    scope: str | None
    summary: str
    moves_points: bool = False

    @property
    def key(self) -> str:
        """API Gateway's route key, e.g. ``POST /v1/purchases``."""
        return f"{self.method} {self.path}"


ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/purchases", "earn", "purchases:write", "Earn points from an order", True),
    Route("POST", "/v1/events", "earn", "events:write", "Earn points from an event", True),
    Route(
        "POST",
        "/v1/purchases/{source}/{order_id}/returns",
        "reverse",
        "returns:write",
        "Return a purchase, whole or in part",
        True,
    ),
    Route("POST", "/v1/quotes", "quote", "quotes:read", "What a basket or an event would earn; nothing is written"),
    Route("POST", "/v1/members/{id}/redemptions", "redeem", "redemptions:write", "Spend points", True),
    Route(
        "POST", "/v1/redemptions/{id}/cancel", "redeem", "redemptions:cancel", "Give a redemption's points back", True
    ),
    Route(
        "POST", "/v1/members/{id}/renewals", "redeem", "redemptions:write", "Renew points that are about to end", True
    ),
    Route("POST", "/v1/holds", "hold", "holds:write", "Set points aside as a till's offline allowance", True),
    Route("POST", "/v1/members/{id}/holds", "hold", "holds:write", "Set points aside", True),
    Route("POST", "/v1/holds/{id}/capture", "hold", "holds:write", "Spend held points, whole or in part", True),
    Route("POST", "/v1/holds/{id}/release", "hold", "holds:write", "Give held points back", True),
    Route(
        "POST", "/v1/members/{id}/adjustments", "adjust", "adjustments:write", "Correct a balance, with a reason", True
    ),
    Route("POST", "/v1/members/{id}/transfers", "adjust", "transfers:write", "Move points to another account", True),
    Route("POST", "/v1/members/{id}/expirations", "adjust", "adjustments:write", "Write down what has expired", True),
    Route(
        "POST", "/v1/members/{id}/notices", "adjust", "adjustments:write", "A member was told of points that end", True
    ),
    Route("POST", "/v1/members", "members", "members:write", "Enrol a member"),
    Route("GET", "/v1/members", "members", "members:read", "Find a member by identity, or list members"),
    Route("GET", "/v1/members/{id}", "members", "members:read", "One member"),
    Route("PATCH", "/v1/members/{id}", "members", "members:write", "Change a member's identities or attributes"),
    Route("POST", "/v1/members/{id}/tokens", "members", "tokens:write", "Issue a short-lived token for one member"),
    Route("POST", "/v1/members/{id}/freeze", "members", "accounts:write", "Stop points from leaving an account", True),
    Route("POST", "/v1/members/{id}/unfreeze", "members", "accounts:write", "Let points leave an account again", True),
    Route("POST", "/v1/members/{id}/close", "members", "accounts:write", "Close an account for good", True),
    Route("GET", "/v1/members/{id}/balance", "balance", "balance:read", "Balance by state and by expiry date"),
    Route("GET", "/v1/members/{id}/value", "churn", "value:read", "What to expect of a member"),
    Route("GET", "/v1/members/{id}/tier", "tiers", "balance:read", "Tier, what keeps it, and what the next one takes"),
    Route("PUT", "/v1/members/{id}/tier", "tiers", "members:write", "Set a tier by hand, with a reason and an end"),
    Route("POST", "/v1/tiers/simulate", "tiers", "rules:write", "Who would rise and fall by other tiers"),
    Route("GET", "/v1/members/{id}/entries", "balance", "balance:read", "Entries, newest first"),
    Route("GET", "/v1/entries/{id}", "balance", "balance:read", "One entry"),
    Route("GET", "/v1/entries/{id}/explanation", "explain", "balance:read", "Why an entry says what it says"),
    Route("GET", "/v1/members/{id}/verification", "balance", "ledger:verify", "Recompute an account's chain"),
    Route("GET", "/v1/churn", "churn", "value:read", "The churn models' parameters, and how the newest fit went"),
    Route("GET", "/v1/clients", "clients", "clients:read", "List clients"),
    Route("POST", "/v1/clients", "clients", "clients:write", "Create a client and show its key once"),
    Route(
        "POST",
        "/v1/clients/{id}/rotate",
        "clients",
        "clients:write",
        "Give a client a new key; the old one works on for a while",
    ),
    Route("DELETE", "/v1/clients/{id}", "clients", "clients:write", "Revoke a client"),
    Route("GET", "/v1/program", "program", "program:read", "The programme's policy"),
    Route("PUT", "/v1/program", "program", "program:write", "Replace the programme's policy"),
    Route("GET", "/v1/night", "program", "ledger:verify", "How far the nights have come, and whom they left aside"),
    Route("GET", "/v1/clock", "program", "program:read", "What time it is in the programme"),
    Route("POST", "/v1/clock", "program", "clock:write", "Move a sandbox programme's clock ahead"),
    Route("POST", "/v1/rule-sets", "rules", "rules:write", "Hand in a rule set, as a draft"),
    Route("GET", "/v1/rule-sets", "rules", "rules:read", "Rule sets, the newest first"),
    Route("GET", "/v1/rule-sets/{id}", "rules", "rules:read", "One rule set: its id, v12, or current"),
    Route("POST", "/v1/rule-sets/{id}/test", "rules", "rules:write", "Run a rule set's own cases"),
    Route("POST", "/v1/rule-sets/{id}/publish", "rules", "rules:publish", "Put a rule set in force"),
    Route(
        "POST", "/v1/rule-sets/{id}/rollback", "rules", "rules:publish", "Put in force what was before this rule set"
    ),
    Route("POST", "/v1/rule-sets/{id}/simulate", "simulate", "rules:write", "Try a rule set on stored purchases"),
    Route("GET", "/v1/simulations/{id}", "simulate", "rules:read", "How far a simulation has come, or what it found"),
    Route("POST", "/v1/segments", "segments", "segments:write", "Hand in the programme's segments"),
    Route("GET", "/v1/segments", "segments", "segments:read", "Segments, and how many members each has"),
    Route("GET", "/v1/segments/{id}/members", "segments", "segments:read", "Who is in a segment, and since when"),
    Route(
        "GET", "/v1/members/{id}/inbox", "inbox", "inbox:read", "What lies in a member's inbox, and how much is unread"
    ),
    Route("POST", "/v1/members/{id}/inbox/{message}/read", "inbox", "inbox:write", "The member has read a message"),
    Route("GET", "/v1/messages/{id}", "inbox", "messages:read", "Where one message stands"),
    Route("POST", "/v1/messages/redrive", "inbox", "messages:write", "Try anew messages that could not be sent"),
    Route("GET", "/v1/l/{token}", "inbox", None, "Where a link of a message leads"),
    Route("POST", "/v1/campaigns", "campaigns", "campaigns:write", "Hand in campaigns with their texts"),
    Route("GET", "/v1/campaigns", "campaigns", "campaigns:read", "Campaigns, and how far each has come"),
    Route("GET", "/v1/campaigns/{id}", "campaigns", "campaigns:read", "One campaign, with its file"),
    Route(
        "POST",
        "/v1/campaigns/{id}/start",
        "campaigns",
        "campaigns:write",
        "Start a campaign, or have a new version take over",
    ),
    Route("POST", "/v1/campaigns/{id}/pause", "campaigns", "campaigns:write", "Have a campaign do nothing for now"),
    Route("POST", "/v1/campaigns/{id}/resume", "campaigns", "campaigns:write", "Have a paused campaign go on"),
    Route("POST", "/v1/campaigns/{id}/redrive", "campaigns", "campaigns:write", "Take up whoever was set aside"),
    Route("POST", "/v1/campaigns/{id}/cancel", "campaigns", "campaigns:write", "End a campaign for good"),
    Route(
        "POST", "/v1/campaigns/{id}/preview", "campaigns", "campaigns:read", "Who would get what, and who not, and why"
    ),
    Route("POST", "/v1/campaigns/{id}/texts", "campaigns", "campaigns:read", "What a step says, as a member reads it"),
    Route("GET", "/v1/campaigns/{id}/aside", "campaigns", "campaigns:read", "Who could not be seen to, and why"),
    Route("GET", "/v1/campaigns/{id}/report", "campaigns", "campaigns:read", "What a campaign itself caused"),
    Route("POST", "/v1/webhooks", "webhooks", "webhooks:write", "Make a webhook and show its secret once"),
    Route("GET", "/v1/webhooks", "webhooks", "webhooks:read", "The programme's webhooks, and how they fare"),
    Route("GET", "/v1/webhooks/{id}", "webhooks", "webhooks:read", "One webhook"),
    Route("PATCH", "/v1/webhooks/{id}", "webhooks", "webhooks:write", "Change a webhook, or switch it on or off"),
    Route("DELETE", "/v1/webhooks/{id}", "webhooks", "webhooks:write", "Remove a webhook"),
    Route("POST", "/v1/webhooks/{id}/rotate", "webhooks", "webhooks:write", "Give a webhook a new secret"),
    Route("POST", "/v1/webhooks/{id}/replay", "webhooks", "webhooks:write", "Send a time's events anew"),
    Route("GET", "/v1/webhooks/{id}/deliveries", "webhooks", "webhooks:read", "What was sent, and what came of it"),
    Route("POST", "/v1/webhooks/{id}/test", "webhooks", "webhooks:write", "Send an event of no consequence"),
    Route(
        "POST", "/v1/batches", "submit", "purchases:write", "Hand in purchases and returns of a till that was offline"
    ),
    Route("GET", "/v1/contact-policy", "contacts", "outreach:read", "How often, when and to whom anything is sent"),
    Route("PUT", "/v1/contact-policy", "contacts", "outreach:write", "Replace the contact policy"),
    Route("GET", "/v1/members/{id}/contact", "contacts", "contacts:read", "Consents, preferences, masked addresses"),
    Route("PUT", "/v1/members/{id}/contact", "contacts", "contacts:write", "Change consents, preferences, addresses"),
    Route("GET", "/v1/members/{id}/contacts", "contacts", "contacts:read", "What was sent, what was not, and why"),
    Route("GET", "/v1/unsubscribe/{token}", "contacts", None, "A page with one button to unsubscribe"),
    Route("POST", "/v1/unsubscribe/{token}", "contacts", None, "Unsubscribe in one step (RFC 8058)"),
    Route("GET", "/docs", "docs", None, "A page to read and try this API"),
    Route("GET", "/docs/{asset}", "docs", None, "The page's script and style"),
    Route("GET", "/openapi.json", "docs", None, "This API's OpenAPI document"),
)


def routes_of(function: str) -> tuple[Route, ...]:
    """The routes that ``function`` serves."""
    return tuple(route for route in ROUTES if route.function == function)
