"""Who may call what: every route with every kind of token, and what another programme's token finds."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import pytest

from loyalty.notifications.message import Content, Message, link_placeholder, name_of
from loyalty.notifications.store import MessageStore
from loyalty.routes import ROUTES
from tests.e2e.calls import FRESH, Answer, Api
from tests.e2e.stack import STORE, Stack
from tests.patience import eventually
from tests.providers import Answer as Reply
from tests.providers import Provider, Request, serving

KINDS: Final = ("none", "forged", "revoked", "till", "shop", "operator", "marketer", "auditor", "member", "foreign")
"""No token; a key with another secret; a revoked client's; the five roles'; a member's; another programme's operator's,
asking for what belongs to this one.
"""

EXPECTED: Final[dict[str, tuple[int, ...]]] = {
    # till, shop, operator, marketer, auditor, member, foreign
    "POST /v1/purchases": (201, 201, 201, 403, 403, 403, 404),
    "POST /v1/events": (201, 201, 201, 403, 403, 403, 404),
    "POST /v1/purchases/{source}/{order_id}/returns": (201, 201, 201, 403, 403, 403, 404),
    "POST /v1/members/{id}/redemptions": (201, 201, 201, 403, 403, 201, 404),
    "POST /v1/redemptions/{id}/cancel": (201, 201, 201, 403, 403, 403, 404),
    "POST /v1/holds": (201, 201, 201, 403, 403, 403, 404),
    "POST /v1/members/{id}/holds": (201, 201, 201, 403, 403, 403, 404),
    "POST /v1/holds/{id}/capture": (201, 201, 201, 403, 403, 403, 404),
    "POST /v1/holds/{id}/release": (201, 201, 201, 403, 403, 403, 404),
    "POST /v1/members/{id}/adjustments": (403, 403, 201, 403, 403, 403, 404),
    "POST /v1/members/{id}/transfers": (403, 403, 201, 403, 403, 403, 404),
    "POST /v1/members/{id}/expirations": (403, 403, 201, 403, 403, 403, 404),
    "POST /v1/members": (201, 201, 201, 403, 403, 403, 201),  # the foreign operator's own programme gets a member
    "GET /v1/members": (200, 200, 200, 403, 200, 403, 404),
    "GET /v1/members/{id}": (200, 200, 200, 403, 200, 200, 404),
    "PATCH /v1/members/{id}": (200, 200, 200, 403, 403, 403, 404),
    "POST /v1/members/{id}/tokens": (403, 201, 201, 403, 403, 403, 404),
    "POST /v1/members/{id}/freeze": (403, 403, 201, 403, 403, 403, 404),
    "POST /v1/members/{id}/unfreeze": (403, 403, 201, 403, 403, 403, 404),
    "POST /v1/members/{id}/close": (403, 403, 201, 403, 403, 403, 404),
    "GET /v1/members/{id}/balance": (200, 200, 200, 403, 200, 200, 404),
    "GET /v1/members/{id}/tier": (200, 200, 200, 403, 200, 200, 404),
    "PUT /v1/members/{id}/tier": (403, 403, 422, 403, 403, 403, 404),  # the programme has no tiers to be set
    "POST /v1/tiers/simulate": (403, 403, 200, 200, 403, 403, 200),  # the foreign operator tries its own
    "GET /v1/members/{id}/value": (403, 403, 200, 403, 200, 403, 404),
    "GET /v1/churn": (403, 403, 200, 403, 200, 403, 200),  # the foreign operator sees its own
    "POST /v1/members/{id}/renewals": (422, 422, 422, 403, 403, 422, 422),  # neither programme renews
    "POST /v1/members/{id}/notices": (403, 403, 201, 403, 403, 403, 404),
    "GET /v1/night": (403, 403, 200, 403, 200, 403, 200),  # as the clock
    "GET /v1/clock": (403, 403, 200, 200, 200, 403, 200),  # the foreign operator sees its own
    "POST /v1/clock": (403, 403, 409, 403, 403, 403, 409),  # neither is a sandbox
    "GET /v1/members/{id}/entries": (200, 200, 200, 403, 200, 200, 404),
    "GET /v1/entries/{id}": (200, 200, 200, 403, 200, 200, 404),
    "GET /v1/members/{id}/verification": (403, 403, 200, 403, 200, 403, 404),
    "GET /v1/clients": (403, 403, 200, 403, 200, 403, 200),  # the foreign operator sees its own
    "POST /v1/clients": (403, 403, 201, 403, 403, 403, 201),  # and makes its own
    "POST /v1/clients/{id}/rotate": (403, 403, 200, 403, 403, 403, 404),
    "DELETE /v1/clients/{id}": (403, 403, 204, 403, 403, 403, 404),
    "GET /v1/program": (403, 403, 200, 200, 200, 403, 200),
    "PUT /v1/program": (403, 403, 200, 403, 403, 403, 403),
    "POST /v1/batches": (202, 202, 202, 403, 403, 403, 202),  # the foreign batch is its own programme's
    "POST /v1/quotes": (200, 200, 200, 403, 403, 200, 404),
    "GET /v1/entries/{id}/explanation": (200, 200, 200, 403, 200, 200, 404),
    "POST /v1/rule-sets": (403, 403, 201, 201, 403, 403, 422),  # it names the programme that it is for
    "GET /v1/rule-sets": (403, 403, 200, 200, 200, 403, 200),  # the foreign operator sees its own
    "GET /v1/rule-sets/{id}": (403, 403, 200, 200, 200, 403, 404),
    "POST /v1/rule-sets/{id}/test": (403, 403, 200, 200, 403, 403, 404),
    "POST /v1/rule-sets/{id}/publish": (403, 403, 200, 200, 403, 403, 404),
    "POST /v1/rule-sets/{id}/rollback": (403, 403, 200, 200, 403, 403, 404),
    "POST /v1/rule-sets/{id}/simulate": (403, 403, 202, 202, 403, 403, 404),
    "GET /v1/simulations/{id}": (403, 403, 200, 200, 200, 403, 404),
    "POST /v1/webhooks": (403, 403, 201, 403, 403, 403, 201),  # the foreign operator makes its own
    "GET /v1/webhooks": (403, 403, 200, 403, 200, 403, 200),
    "GET /v1/webhooks/{id}": (403, 403, 200, 403, 200, 403, 404),
    "PATCH /v1/webhooks/{id}": (403, 403, 200, 403, 403, 403, 404),
    "DELETE /v1/webhooks/{id}": (403, 403, 204, 403, 403, 403, 404),
    "POST /v1/webhooks/{id}/rotate": (403, 403, 200, 403, 403, 403, 404),
    "POST /v1/webhooks/{id}/replay": (403, 403, 202, 403, 403, 403, 404),
    "GET /v1/webhooks/{id}/deliveries": (403, 403, 200, 403, 200, 403, 404),
    "POST /v1/webhooks/{id}/test": (403, 403, 202, 403, 403, 403, 404),
    "POST /v1/segments": (403, 403, 200, 200, 403, 403, 422),  # as rule sets
    "GET /v1/segments": (403, 403, 200, 200, 200, 403, 200),
    "GET /v1/segments/{id}/members": (403, 403, 200, 403, 200, 403, 404),  # a marketer reaches no member
    "POST /v1/campaigns": (403, 403, 200, 200, 403, 403, 422),  # as rule sets
    "GET /v1/campaigns": (403, 403, 200, 200, 200, 403, 200),
    "GET /v1/campaigns/{id}": (403, 403, 200, 200, 200, 403, 404),
    "POST /v1/campaigns/{id}/start": (403, 403, 200, 200, 403, 403, 404),
    "POST /v1/campaigns/{id}/pause": (403, 403, 200, 200, 403, 403, 404),
    "POST /v1/campaigns/{id}/resume": (403, 403, 200, 200, 403, 403, 404),
    "POST /v1/campaigns/{id}/redrive": (403, 403, 200, 200, 403, 403, 404),
    "POST /v1/campaigns/{id}/cancel": (403, 403, 200, 200, 403, 403, 404),
    "POST /v1/campaigns/{id}/preview": (403, 403, 200, 200, 200, 403, 404),
    "POST /v1/campaigns/{id}/texts": (403, 403, 200, 200, 200, 403, 404),
    "GET /v1/campaigns/{id}/aside": (403, 403, 200, 403, 200, 403, 404),  # a marketer reaches no member
    "GET /v1/campaigns/{id}/report": (403, 403, 404, 404, 404, 403, 404),  # nothing is measured yet
    "GET /v1/contact-policy": (403, 403, 200, 200, 200, 403, 200),  # the foreign operator sees its own
    "PUT /v1/contact-policy": (403, 403, 200, 200, 403, 403, 200),  # and replaces its own
    "GET /v1/members/{id}/contact": (403, 200, 200, 403, 200, 200, 404),
    "PUT /v1/members/{id}/contact": (403, 200, 200, 403, 403, 200, 404),
    "GET /v1/members/{id}/contacts": (403, 200, 200, 403, 200, 200, 404),
    "GET /v1/unsubscribe/{token}": (200,) * 7,
    "POST /v1/unsubscribe/{token}": (200,) * 7,
    "GET /v1/members/{id}/inbox": (403, 200, 200, 403, 200, 200, 404),
    "POST /v1/members/{id}/inbox/{message}/read": (403, 200, 200, 403, 403, 200, 404),
    "GET /v1/messages/{id}": (403, 403, 200, 403, 200, 403, 404),
    "POST /v1/messages/redrive": (403, 403, 200, 403, 403, 403, 200),  # the foreign operator looks at its own
    "GET /v1/l/{token}": (302,) * 7,
    "GET /docs": (200,) * 7,
    "GET /docs/{asset}": (200,) * 7,
    "GET /openapi.json": (200,) * 7,
}
NOW: Final = "2026-03-01T12:30:00Z"
RULES: Final = """\
program: alpha
rules:
  - {id: base, name: {en: Points, zh: 积分}, on: line, earn: line.amount}
"""
SEGMENTS: Final = """\
program: alpha
segments:
  rich: {name: {en: Rich, zh: 富}, when: member.points >= 100}
"""

CAMPAIGNS: Final = """\
program: alpha
templates:
  hello: {sms: {en: Hello, zh: 您好}}
campaigns:
  NAME:
    name: {en: One, zh: 一}
    goal: {en: Goal, zh: 目标}
    metric: repurchase
    window_days: 30
    audience: {enter: tier.upgraded}
    channels: [sms]
    steps: {hello: {day: 0, message: hello}}
"""


def expected(route: str, kind: str) -> int:
    if route in {
        "GET /docs",
        "GET /docs/{asset}",
        "GET /openapi.json",
        "GET /v1/unsubscribe/{token}",
        "POST /v1/unsubscribe/{token}",
    }:
        return 200
    if route == "GET /v1/l/{token}":
        return 302
    if kind == "none":
        return 401
    if kind in {"forged", "revoked"}:
        return 403
    return EXPECTED[route][KINDS.index(kind) - 3]


class Ask(NamedTuple):
    """A request that would succeed for whoever may make it."""

    path: str
    body: Any = None
    headers: Mapping[str, str] = MappingProxyType({})


class Partner(Provider):
    """Takes whatever comes: what is refused is tried again half a minute later, while something else is looked at."""

    def answer(self, request: Request) -> Reply:
        return Reply(204, b"")


class World:
    """What the requests speak of: a member of programme alpha, and new things of its for each request."""

    def __init__(self, stack: Stack, tokens: dict[str, str], operator: Api, member: str, partner: str) -> None:
        self.stack = stack
        self.tokens = tokens
        self.operator = operator
        self.member = member
        self.webhook = {"url": f"{partner}/hook", "events": ["tier.*"]}

    def entry(self) -> dict[str, Any]:
        found: dict[str, Any] = self.operator.get(f"/v1/members/{self.member}/entries?limit=1").expect(200)["entries"][
            0
        ]
        return found

    def other(self, **body: Any) -> str:
        made = self.operator.post("/v1/members", {"identities": [f"card:{secrets.token_hex(6)}"], **body})
        return str(made.expect(201)["id"])

    def purchase(self) -> dict[str, Any]:
        return {
            "source": "pos",
            "order_id": secrets.token_hex(6),
            "member": self.member,
            "store": STORE,
            "occurred_at": NOW,
            "currency": "USD",
            "lines": [{"amount": "1.00"}],
        }

    def bought(self) -> str:
        purchase = self.purchase()
        self.operator.post("/v1/purchases", purchase).expect(201)
        return f"/v1/purchases/pos/{purchase['order_id']}/returns"

    def redeemed(self) -> str:
        spent = self.operator.post(f"/v1/members/{self.member}/redemptions", {"points": 1}).expect(201)
        return str(spent["redemption"])

    def held(self) -> str:
        """A hold of somebody who has no other: an account has so many at most."""
        member = self.other()
        self.operator.post(f"/v1/members/{member}/adjustments", {"points": 1, "reason": "x"}).expect(201)
        held = self.operator.post(f"/v1/members/{member}/holds", {"points": 1, "minutes": 5}).expect(201)
        return str(held["hold"]["id"])

    def client(self) -> str:
        made = self.operator.post("/v1/clients", {"name": "Some till", "role": "till"}, key=None).expect(201)
        return str(made["client"]["id"])

    def frozen(self) -> str:
        member = self.other()
        self.operator.post(f"/v1/members/{member}/freeze", {"reason": "x"}).expect(201)
        return member

    def rules(self) -> dict[str, Any]:
        """A rule set that gives what the policy gives."""
        return {"source": f"rule_set: access-{secrets.token_hex(4)}\n{RULES}"}

    @cached_property
    def hook(self) -> str:
        return self.other_hook()

    def other_hook(self) -> str:
        """One that may be removed; a programme has twenty at most."""
        return str(self.operator.post("/v1/webhooks", self.webhook, key=None).expect(201)["webhook"]["id"])

    def told(self) -> bool:
        """Whether the partner has taken all that it was sent: what it answered too late comes again, after a while."""
        found = self.operator.get(f"/v1/webhooks/{self.hook}/deliveries").expect(200)["deliveries"]
        return all(one["state"] == "delivered" for one in found)

    def grouped(self) -> str:
        """The members of a segment that there is."""
        self.operator.post("/v1/segments", {"source": SEGMENTS}, key=None).expect(200)
        return "/v1/segments/rich/members"

    def campaigns(self) -> dict[str, str]:
        """A file with a campaign that nothing enters yet."""
        return {"source": CAMPAIGNS.replace("NAME", f"c-{secrets.token_hex(4)}")}

    def campaign(self, *moves: str) -> str:
        """A new campaign that went through ``moves``."""
        handed_in = self.operator.post("/v1/campaigns", self.campaigns(), key=None).expect(200)
        path = f"/v1/campaigns/{handed_in['campaigns'][0]['id']}"
        for move in moves:
            self.operator.post(f"{path}/{move}", None, key=None).expect(200)
        return path

    def link(self) -> str:
        """The member's own, to have no more of it."""
        return str(self.operator.get(f"/v1/members/{self.member}/contact").expect(200)["unsubscribe"])

    def message(self) -> Message:
        """One in the inbox, which has a link."""
        occasion = secrets.token_hex(4)
        now = int(time.time())
        made = Message(
            program="alpha",
            account=self.member,
            name=name_of("hello", occasion, "a"),
            channel="inbox",
            campaign="hello",
            occasion=occasion,
            step="a",
            at=now,
            links=("https://shop.example/points",),
        )
        MessageStore(self.stack.table).put_new(made, Content("Hello", link_placeholder(0)), now)
        return made

    def clickable(self) -> str:
        made = self.message()
        lying = self.operator.get(f"/v1/members/{self.member}/inbox").expect(200)
        text = next(one["text"] for one in lying["messages"] if one["id"] == made.id)
        return str(text[text.index("/v1/l/") :])

    def draft(self) -> str:
        return str(self.operator.post("/v1/rule-sets", self.rules(), key=None).expect(201)["id"])

    def published(self) -> str:
        draft = self.draft()
        self.operator.post(f"/v1/rule-sets/{draft}/publish", key=None).expect(200)
        return draft

    def withdraw(self) -> None:
        """Nobody is told any more, and back to the policy's own rate, step by step."""
        for hook in self.operator.get("/v1/webhooks").expect(200)["webhooks"]:
            self.operator.call("DELETE", f"/v1/webhooks/{hook['id']}").expect(204)
        while self.operator.get("/v1/rule-sets?limit=1").expect(200)["current"]:
            current = self.operator.get("/v1/rule-sets/current").expect(200)["id"]
            self.operator.post(f"/v1/rule-sets/{current}/rollback", key=None).expect(200)

    @cached_property
    def simulated(self) -> str:
        """A simulation that has come to its end, and with it those that were begun before."""
        begun = self.operator.post(f"/v1/rule-sets/{self.draft()}/simulate", {"days": 1}, key=None).expect(202)
        path = f"/v1/simulations/{begun['id']}"
        eventually(lambda: self.operator.get(path).expect(200)["status"] != "running")
        return str(begun["id"])

    def policy(self) -> Ask:
        seen = self.operator.get("/v1/program")
        return Ask("/v1/program", seen.expect(200), {"If-Match": seen.headers["etag"]})


ASKS: Final[dict[str, Callable[[World], Ask]]] = {
    "POST /v1/purchases": lambda w: Ask("/v1/purchases", w.purchase()),
    "POST /v1/events": lambda w: Ask("/v1/events", {"type": "check_in", "member": w.member, "occurred_at": NOW}),
    "POST /v1/purchases/{source}/{order_id}/returns": lambda w: Ask(w.bought(), {}),
    "POST /v1/members/{id}/redemptions": lambda w: Ask(f"/v1/members/{w.member}/redemptions", {"points": 1}),
    "POST /v1/redemptions/{id}/cancel": lambda w: Ask(f"/v1/redemptions/{w.redeemed()}/cancel", {}),
    "POST /v1/holds": lambda w: Ask("/v1/holds", {"member": w.member, "points": 1, "minutes": 5}),
    "POST /v1/members/{id}/holds": lambda w: Ask(f"/v1/members/{w.member}/holds", {"points": 1, "minutes": 5}),
    "POST /v1/holds/{id}/capture": lambda w: Ask(f"/v1/holds/{w.held()}/capture", {}),
    "POST /v1/holds/{id}/release": lambda w: Ask(f"/v1/holds/{w.held()}/release", {}),
    "POST /v1/members/{id}/adjustments": lambda w: Ask(
        f"/v1/members/{w.member}/adjustments", {"points": 1, "reason": "x"}
    ),
    "POST /v1/members/{id}/transfers": lambda w: Ask(
        f"/v1/members/{w.member}/transfers", {"to": w.other(), "points": 1, "reason": "x"}
    ),
    "POST /v1/members/{id}/expirations": lambda w: Ask(f"/v1/members/{w.member}/expirations", {}),
    "POST /v1/members": lambda w: Ask("/v1/members", {"identities": [f"card:{secrets.token_hex(6)}"]}),
    "GET /v1/members": lambda w: Ask("/v1/members?identity=card:access"),
    "GET /v1/members/{id}": lambda w: Ask(f"/v1/members/{w.member}"),
    "PATCH /v1/members/{id}": lambda w: Ask(f"/v1/members/{w.member}", {"attributes": {"mark": secrets.token_hex(4)}}),
    "POST /v1/members/{id}/tokens": lambda w: Ask(f"/v1/members/{w.member}/tokens", {}),
    "POST /v1/members/{id}/freeze": lambda w: Ask(f"/v1/members/{w.other()}/freeze", {"reason": "x"}),
    "POST /v1/members/{id}/unfreeze": lambda w: Ask(f"/v1/members/{w.frozen()}/unfreeze", {"reason": "x"}),
    "POST /v1/members/{id}/close": lambda w: Ask(f"/v1/members/{w.other()}/close", {"reason": "x"}),
    "GET /v1/members/{id}/balance": lambda w: Ask(f"/v1/members/{w.member}/balance"),
    "GET /v1/members/{id}/tier": lambda w: Ask(f"/v1/members/{w.member}/tier"),
    "PUT /v1/members/{id}/tier": lambda w: Ask(
        f"/v1/members/{w.member}/tier",
        {"tier": "gold", "reason": "x"},
        headers={"Idempotency-Key": secrets.token_hex(8)},
    ),
    "POST /v1/tiers/simulate": lambda w: Ask(
        "/v1/tiers/simulate", {"tiers": {"levels": [{"id": "gold", "name": {"en": "Gold"}, "spend": 100}]}}
    ),
    "GET /v1/members/{id}/value": lambda w: Ask(f"/v1/members/{w.member}/value"),
    "GET /v1/churn": lambda w: Ask("/v1/churn"),
    "POST /v1/members/{id}/renewals": lambda w: Ask(f"/v1/members/{w.member}/renewals", {}),
    "POST /v1/members/{id}/notices": lambda w: Ask(f"/v1/members/{w.member}/notices", {"ends_by": NOW}),
    "GET /v1/night": lambda w: Ask("/v1/night"),
    "GET /v1/clock": lambda w: Ask("/v1/clock"),
    "POST /v1/clock": lambda w: Ask("/v1/clock", {"to": "2027-01-01T00:00:00Z"}),
    "GET /v1/members/{id}/entries": lambda w: Ask(f"/v1/members/{w.member}/entries"),
    "GET /v1/entries/{id}": lambda w: Ask(f"/v1/entries/{w.entry()['id']}"),
    "GET /v1/members/{id}/verification": lambda w: Ask(f"/v1/members/{w.member}/verification"),
    "GET /v1/clients": lambda w: Ask("/v1/clients"),
    "POST /v1/clients": lambda w: Ask("/v1/clients", {"name": "New till", "role": "till"}),
    "POST /v1/clients/{id}/rotate": lambda w: Ask(f"/v1/clients/{w.client()}/rotate", {}),
    "DELETE /v1/clients/{id}": lambda w: Ask(f"/v1/clients/{w.client()}"),
    "GET /v1/program": lambda w: Ask("/v1/program"),
    "PUT /v1/program": lambda w: w.policy(),
    "POST /v1/batches": lambda w: Ask("/v1/batches", {"items": [{"type": "purchase", **w.purchase()}]}),
    "POST /v1/quotes": lambda w: Ask(
        "/v1/quotes", {"purchase": {"currency": "USD", "lines": [{"amount": "1.00"}]}, "member": w.member}
    ),
    "GET /v1/entries/{id}/explanation": lambda w: Ask(f"/v1/entries/{w.entry()['id']}/explanation"),
    "POST /v1/rule-sets": lambda w: Ask("/v1/rule-sets", w.rules()),
    "GET /v1/rule-sets": lambda w: Ask("/v1/rule-sets"),
    "GET /v1/rule-sets/{id}": lambda w: Ask(f"/v1/rule-sets/{w.draft()}"),
    "POST /v1/rule-sets/{id}/test": lambda w: Ask(f"/v1/rule-sets/{w.draft()}/test"),
    "POST /v1/rule-sets/{id}/publish": lambda w: Ask(f"/v1/rule-sets/{w.draft()}/publish"),
    "POST /v1/rule-sets/{id}/rollback": lambda w: Ask(f"/v1/rule-sets/{w.published()}/rollback"),
    "POST /v1/rule-sets/{id}/simulate": lambda w: Ask(f"/v1/rule-sets/{w.draft()}/simulate", {"days": 1}),
    "GET /v1/simulations/{id}": lambda w: Ask(f"/v1/simulations/{w.simulated}"),
    "POST /v1/webhooks": lambda w: Ask("/v1/webhooks", w.webhook),
    "GET /v1/webhooks": lambda w: Ask("/v1/webhooks"),
    "GET /v1/webhooks/{id}": lambda w: Ask(f"/v1/webhooks/{w.hook}"),
    "PATCH /v1/webhooks/{id}": lambda w: Ask(f"/v1/webhooks/{w.hook}", {"ordered": True}),
    "DELETE /v1/webhooks/{id}": lambda w: Ask(f"/v1/webhooks/{w.other_hook()}"),
    "POST /v1/webhooks/{id}/rotate": lambda w: Ask(f"/v1/webhooks/{w.hook}/rotate", {}),
    "POST /v1/webhooks/{id}/replay": lambda w: Ask(
        f"/v1/webhooks/{w.hook}/replay", {"since": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z"}
    ),
    "GET /v1/webhooks/{id}/deliveries": lambda w: Ask(f"/v1/webhooks/{w.hook}/deliveries"),
    "POST /v1/webhooks/{id}/test": lambda w: Ask(f"/v1/webhooks/{w.hook}/test"),
    "POST /v1/segments": lambda w: Ask("/v1/segments", {"source": SEGMENTS}),
    "GET /v1/segments": lambda w: Ask("/v1/segments"),
    "GET /v1/segments/{id}/members": lambda w: Ask(w.grouped()),
    "POST /v1/campaigns": lambda w: Ask("/v1/campaigns", w.campaigns()),
    "GET /v1/campaigns": lambda w: Ask("/v1/campaigns"),
    "GET /v1/campaigns/{id}": lambda w: Ask(w.campaign()),
    "POST /v1/campaigns/{id}/start": lambda w: Ask(f"{w.campaign()}/start"),
    "POST /v1/campaigns/{id}/pause": lambda w: Ask(f"{w.campaign('start')}/pause"),
    "POST /v1/campaigns/{id}/resume": lambda w: Ask(f"{w.campaign('start', 'pause')}/resume"),
    "POST /v1/campaigns/{id}/redrive": lambda w: Ask(f"{w.campaign('start')}/redrive"),
    "POST /v1/campaigns/{id}/cancel": lambda w: Ask(f"{w.campaign()}/cancel", {"reason": "x"}),
    "POST /v1/campaigns/{id}/preview": lambda w: Ask(f"{w.campaign()}/preview", {"limit": 5}),
    "POST /v1/campaigns/{id}/texts": lambda w: Ask(f"{w.campaign()}/texts", {"step": "hello"}),
    "GET /v1/campaigns/{id}/aside": lambda w: Ask(f"{w.campaign()}/aside"),
    "GET /v1/campaigns/{id}/report": lambda w: Ask(f"{w.campaign()}/report"),
    "GET /v1/contact-policy": lambda w: Ask("/v1/contact-policy"),
    "PUT /v1/contact-policy": lambda w: Ask("/v1/contact-policy", {"contact_hour": 10}, {"If-Match": "*"}),
    "GET /v1/members/{id}/contact": lambda w: Ask(f"/v1/members/{w.member}/contact"),
    "PUT /v1/members/{id}/contact": lambda w: Ask(f"/v1/members/{w.member}/contact", {"consents": {"email": True}}),
    "GET /v1/members/{id}/contacts": lambda w: Ask(f"/v1/members/{w.member}/contacts"),
    "GET /v1/unsubscribe/{token}": lambda w: Ask(w.link()),
    "POST /v1/unsubscribe/{token}": lambda w: Ask(w.link()),
    "GET /v1/members/{id}/inbox": lambda w: Ask(f"/v1/members/{w.member}/inbox"),
    "POST /v1/members/{id}/inbox/{message}/read": lambda w: Ask(f"/v1/members/{w.member}/inbox/{w.message().id}/read"),
    "GET /v1/messages/{id}": lambda w: Ask(f"/v1/messages/{w.message().id}"),
    "POST /v1/messages/redrive": lambda w: Ask("/v1/messages/redrive", {"dry_run": True}),
    "GET /v1/l/{token}": lambda w: Ask(w.clickable()),
    "GET /docs": lambda w: Ask("/docs"),
    "GET /docs/{asset}": lambda w: Ask("/docs/page.js"),
    "GET /openapi.json": lambda w: Ask("/openapi.json"),
}


@pytest.fixture(scope="module")
def world(stack: Stack, operator: Api, shop: Api) -> Iterator[World]:
    made = operator.post("/v1/members", {"identities": ["card:access"]}, key="access").expect(201)
    member = str(made["id"])
    operator.post(f"/v1/members/{member}/adjustments", {"points": 1000, "reason": "to begin with"}).expect(201)
    client = operator.post("/v1/clients", {"name": "Gone", "role": "operator"}, key=None).expect(201)
    operator.call("DELETE", f"/v1/clients/{client['client']['id']}").expect(204)
    ours = stack.programmes["alpha"].tokens
    tokens = {role: ours[role] for role in ("till", "shop", "operator", "marketer", "auditor")}
    tokens["forged"] = ours["operator"][:-43] + secrets.token_urlsafe(32)
    tokens["revoked"] = client["key"]
    tokens["member"] = shop.post(f"/v1/members/{member}/tokens").expect(201)["token"]
    tokens["foreign"] = stack.programmes["gamma"].tokens["operator"]
    with serving(Partner()) as partner:
        world = World(stack, tokens, operator, member, partner.url)
        yield world
        world.withdraw()


@pytest.fixture(scope="module")
def callers(stack: Stack, world: World) -> Iterator[dict[str, Api]]:
    with ExitStack() as all_of_them:
        yield {kind: all_of_them.enter_context(stack.api(world.tokens.get(kind))) for kind in KINDS}


def send(caller: Api, method: str, ask: Ask) -> Answer:
    """As a till would, under a new key."""
    return caller.call(method, ask.path, ask.body, key=FRESH if method == "POST" else None, headers=dict(ask.headers))


def test_the_table_names_every_route() -> None:
    assert set(EXPECTED) == set(ASKS) == {route.key for route in ROUTES}
    assert {route.key for route in ROUTES if route.scope is None} == {
        route for route in EXPECTED if expected(route, "none") in {200, 302}
    }


@pytest.mark.parametrize("route", [route.key for route in ROUTES])
def test_every_kind_of_token_gets_its_answer(route: str, world: World, callers: dict[str, Api]) -> None:
    method = route.split()[0]
    for kind in KINDS:
        answer = send(callers[kind], method, ASKS[route](world))
        assert answer.status == expected(route, kind), f"{kind}: {answer.status} {answer.raw[:500]!r}"
        if answer.status == 403 and kind not in {"forged", "revoked"}:
            assert answer.code in {"AUTH_SCOPE_MISSING", "AUTH_MEMBER_FORBIDDEN", "AUTH_PROGRAM_FORBIDDEN"}
        if answer.status == 401:
            assert answer.body == {"message": "Unauthorized"}


def test_another_programmes_token_finds_nothing_and_writes_nothing(
    stack: Stack, world: World, callers: dict[str, Api]
) -> None:
    asks = [
        (route.split()[0], ASKS[route](world))
        for route in EXPECTED
        if expected(route, "foreign") in {403, 404} or route == "POST /v1/batches"
    ]
    eventually(world.told)
    stack.settle()
    before = stack.items("alpha")
    for method, ask in asks:
        answer = send(callers["foreign"], method, ask)
        assert answer.status in {202, 403, 404}, f"{method} {ask.path}: {answer.raw[:500]!r}"
        assert world.member.encode() not in answer.raw
    own = callers["foreign"].get("/v1/members?limit=100").expect(200)["members"]
    assert world.member not in {member["id"] for member in own}
    stack.settle()
    assert stack.items("alpha") == before
    chains = [key for key in stack.items("gamma") if world.member in key[0]]
    assert chains == [], "nor does anything of that member begin in the other programme"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer x",
        "Bearer alpha.cli_01ARZ3NDEKTSV4RRFFQ69G5FAV." + "A" * 43,
        "Bearer ..",
        "Bearer " + "A" * 4000,
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer \u00e4\u00f6\u00fc",
    ],
)
def test_what_is_no_key_opens_nothing(stack: Stack, header: str) -> None:
    with stack.api() as nobody:
        assert nobody.get("/v1/program", Authorization=header).status in {401, 403}


def test_a_key_opens_nothing_under_another_client_or_programme(stack: Stack) -> None:
    alpha, beta = stack.programmes["alpha"].tokens, stack.programmes["beta"].tokens
    _, _, secret = alpha["operator"].split(".")
    for key in (
        f"beta.{beta['operator'].split('.')[1]}.{secret}",
        f"beta.{alpha['operator'].split('.')[1]}.{secret}",
        f"alpha.{alpha['auditor'].split('.')[1]}.{secret}",
    ):
        with stack.api(key) as nobody:
            assert nobody.get("/v1/program").status == 403


def test_a_route_that_is_not_there_is_not_found(callers: dict[str, Api], world: World) -> None:
    operator = callers["operator"]
    for method, path in (
        ("GET", "/v1"),
        ("GET", "/v1/everything"),
        ("DELETE", f"/v1/members/{world.member}"),
        ("PUT", f"/v1/members/{world.member}"),
        ("GET", "/v1/purchases"),
        ("GET", f"/v1/members/{world.member}/balance/more"),
    ):
        assert operator.call(method, path).status == 404
