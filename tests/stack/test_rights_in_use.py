"""Rights against what functions really do: one long day, on which each function may touch only what its role allows."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from itertools import count
from typing import Any

import pytest

from functions.churn_fit import handler as churn_fit
from functions.ingest import handler as ingest
from functions.replay import handler as replay
from infra.catalogue import (
    CATALOGUE,
    CHANNEL_TOKENS,
    DELETE,
    GET,
    MEMBERS,
    ORDERS,
    POLICIES,
    PUT,
    TIMERS,
    FromNight,
)
from infra.constructs.campaign import DEFINITION
from loyalty.campaigns import touch
from loyalty.channels.channel import Outcome, Reply
from loyalty.churn.model import Purchasing
from loyalty.churn.parameters import Parameters, Quality
from loyalty.contacts.decide import Verdict
from loyalty.ledger.service import Ledger
from loyalty.notifications.feedback import tags_of
from loyalty.notifications.message import INBOX, SILENT_S, Content, Message, Notice, link_placeholder
from loyalty.notifications.store import MessageStore
from loyalty.routes import ROUTES
from loyalty.runtime import campaigns, wiring
from loyalty.runtime.config import config
from tests.machines import Execution, Machine
from tests.stack.confined import Confined, Denied
from tests.unit.mailing import Provider, message
from tests.unit.relaying import Behind, run
from tests.unit.running import PROGRAM, Response, forget

NOW = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
PHONE = "phone:+14155550100"


@pytest.fixture
def confined(monkeypatch: pytest.MonkeyPatch) -> Iterator[Confined]:
    running = Confined().deploy(monkeypatch)
    running.establish()
    monkeypatch.setattr(ingest, "set_aside", _nothing)
    monkeypatch.setattr("functions.recover.handler.set_aside", _nothing)
    monkeypatch.setattr("functions.publish.handler.publish", _nothing)
    monkeypatch.setattr("functions.submit.handler.send", _nothing)
    yield running
    forget()


FITTED = Parameters(1, 0, 739_000, 9, Purchasing(0.2, 4.4, 0.8, 2.4), None, Quality(7, 9, -1.0, 1, 1.0))


def _nothing(*_: Any) -> None:
    """Stands where a queue or the bus would be."""


class Day:
    """Calls of an operator and a till; ``seen`` are the routes that answered as they should."""

    def __init__(self, confined: Confined, monkeypatch: pytest.MonkeyPatch) -> None:
        self.confined = confined
        self.behind = Behind(monkeypatch, self._run)
        self.keys = {role: confined.key(role) for role in ("operator", "till", "auditor", "shop", "marketer")}
        self.seen: set[str] = set()
        self._calls: list[tuple[partial[Response], Response]] = []
        self._delivered: dict[str, int] = {}
        self._numbers = count()
        self.later: list[Callable[[], None]] = []

    def ask(self, role: str, key: str, body: Any = None, *, status: int = 201, **further: Any) -> Response:
        headers = {"Idempotency-Key": f"key-{next(self._numbers)}", **further.pop("headers", {})}
        query = further.pop("query", None)
        call = partial(self.confined.call, self.keys[role], key, body, params=further, query=query, headers=headers)
        answer = self._fresh_copy(call)
        assert answer.status == status, (key, answer.body)
        self._calls.append((call, answer))
        self.seen.add(key)
        return answer

    def ask_again(self) -> None:
        """Every call that moved points, once more, long after, when its entry is no longer the newest."""
        moving = {route.key for route in ROUTES if route.moves_points}
        for call, answer in self._calls:
            if call.args[1] in moving and answer.status == 201:
                assert self._fresh_copy(call).status == answer.status, call.args

    def _fresh_copy(self, call: "partial[Response]") -> Response:
        self.new_copy()
        return call()

    def new_copy(self) -> None:
        """What runs next is a copy of its function that has read no policy and no rule set, and leased nothing."""
        for known in (wiring._policies, wiring._contact_policies, campaigns._returns):  # noqa: SLF001 - as after a start
            known.clear()
        for made in (
            wiring.rules_in_force,
            wiring.leases,
            wiring.earning,
            wiring.intake,
            wiring.arming,
            wiring.audiences,
            wiring.churn,
            campaigns.touches,
            campaigns.runs,
            campaigns.campaigns,
        ):
            made.cache_clear()

    def enrol(self, *identities: str) -> str:
        return str(self.ask("operator", "POST /v1/members", {"identities": list(identities)}).body["id"])

    def batch(self, *items: dict[str, Any]) -> Any:
        """The ingest queue delivers a message."""
        body = {"program": PROGRAM, "client": "cli_x", "store": "", "items": items}
        record = {"messageId": "m", "eventSource": "aws:sqs", "body": json.dumps(body), "attributes": {}}
        self.new_copy()
        with self.confined.guard.turn("ingest"):
            answer = ingest.lambda_handler({"Records": [record]}, None)
        assert answer == {"batchItemFailures": []}

    def stream(self) -> None:
        """The table's stream delivers what is new, filtered as deployed, until nothing follows from it."""
        while fresh := self._fresh():
            self.behind.follow(fresh)

    def _run(self, function: str, event: dict[str, Any]) -> Any:
        self.new_copy()
        with self.confined.guard.turn(function):
            return run(function, event)

    def night(self) -> list[tuple[dict[str, Any], dict[str, int]]]:
        """The state machine's part: plans, and their batches with what became of them."""
        done: list[tuple[dict[str, Any], dict[str, int]]] = []
        plan: dict[str, Any] = {"until": "2999-12-31"}
        while True:
            self.new_copy()
            with self.confined.guard.turn("plan_night"):
                plan = import_module("functions.plan_night.handler").lambda_handler(plan, None)
            if plan["done"]:
                return done
            done += [(batch, self.drain(batch)) for batch in plan["batches"]]
            self.stream()

    def drain(self, batch: dict[str, Any]) -> dict[str, int]:
        self.new_copy()
        with self.confined.guard.turn(batch["function"]):
            counts: dict[str, int] = import_module(f"functions.{batch['function']}.handler").lambda_handler(batch, None)
        return counts

    def _fresh(self) -> list[dict[str, Any]]:
        found = []
        for partition, records in self.confined.engine.stream().items():
            found.extend(records[self._delivered.get(partition, 0) :])
            self._delivered[partition] = len(records)
        return [record for record in found if record["eventName"] != "REMOVE"]


def _order(number: str, **who: str) -> dict[str, Any]:
    lines = [{"amount": "12.50", "product": "tea"}]
    return {"source": "pos", "order_id": number, "occurred_at": NOW, "currency": "EUR", "lines": lines, **who}


def _live(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every route, and what arrives late."""
    _watch(day)
    ada, ben = day.enrol(PHONE, "card:0"), day.enrol("card:1")
    day.ask("till", "POST /v1/purchases", _order("o1", identity=PHONE))
    day.ask("till", "POST /v1/purchases", _order("o1", identity=PHONE))
    day.ask("till", "POST /v1/events", {"type": "check_in", "member": ada, "occurred_at": NOW})
    back = "POST /v1/purchases/{source}/{order_id}/returns"
    day.ask("till", back, {"amount": "1.00"}, source="pos", order_id="o1")
    day.ask("operator", "POST /v1/members/{id}/adjustments", {"points": 500, "reason": "test"}, id=ada)
    spent = day.ask("till", "POST /v1/members/{id}/redemptions", {"points": 10}, id=ada).body["redemption"]
    day.ask("till", "POST /v1/redemptions/{id}/cancel", {}, id=spent)
    first = day.ask("till", "POST /v1/members/{id}/holds", {"points": 5}, id=ada).body["hold"]["id"]
    day.ask("till", "POST /v1/holds/{id}/capture", {"points": 5}, id=first)
    offline = day.ask("till", "POST /v1/holds", {"identity": PHONE, "points": 5}).body
    shown = {"allowance": offline["allowance"]}
    day.ask("till", "POST /v1/holds/{id}/release", shown, id=offline["hold"]["id"])
    day.ask("operator", "POST /v1/members/{id}/transfers", {"to": ben, "points": 5, "reason": "gift"}, id=ada)
    day.ask("operator", "POST /v1/members/{id}/expirations", {}, id=ada)

    day.ask("operator", "GET /v1/members", query={"identity": PHONE}, status=200)
    day.ask("operator", "GET /v1/members", status=200)
    tag = day.ask("operator", "GET /v1/members/{id}", id=ada, status=200).headers["etag"]
    changed = {"add_identities": ["email:ada@example.org"], "remove_identities": ["card:0"]}
    day.ask("operator", "PATCH /v1/members/{id}", changed, id=ada, headers={"If-Match": tag}, status=200)
    day.ask("shop", "POST /v1/members/{id}/tokens", {}, id=ada)
    for act in ("freeze", "unfreeze"):
        day.ask("operator", f"POST /v1/members/{{id}}/{act}", {"reason": "test"}, id=ada)

    day.ask("till", "GET /v1/members/{id}/balance", id=ada, status=200)
    day.ask("till", "GET /v1/members/{id}/balance", id=ada, query={"wallet": "cash"}, status=200)
    newest = day.ask("till", "GET /v1/members/{id}/entries", id=ada, status=200).body["entries"][0]["id"]
    day.ask("till", "GET /v1/entries/{id}", id=newest, status=200)
    day.stream()
    assert day.ask("auditor", "GET /v1/members/{id}/verification", id=ada, status=200).body["ok"]

    made = day.ask("operator", "POST /v1/clients", {"name": "kiosk", "role": "till"}).body["client"]["id"]
    day.ask("operator", "GET /v1/clients", status=200)
    day.ask("operator", "POST /v1/clients/{id}/rotate", {}, id=made, status=200)
    day.ask("operator", "DELETE /v1/clients/{id}", id=made, status=204)
    _new_wallets(day, ada)
    _stand(day, ada, ben)
    _keep_in_touch(day, ada)
    _write_to(day, ada, monkeypatch)
    _tell_partners(day, ada, monkeypatch)

    late = {"type": "purchase", **_order("o2", identity="card:1")}
    day.ask("till", "POST /v1/batches", {"items": [late]}, status=202)
    day.batch({"type": "return", "return_id": "r1", "source": "pos", "order_id": "o2", "amount": "1.00"})
    day.stream()
    day.batch(late)
    day.batch(late, {"type": "return", "return_id": "r2", "source": "pos", "order_id": "o2", "amount": "1.00"})
    day.stream()
    day.batch({"type": "purchase", **_order("o3", member=ada), "wallet": "six"})
    day.batch(late)
    _simulate(day, monkeypatch)
    _group(day)
    _keep(day, ada)
    _foresee(day, ada)
    _campaign(day, (ada, ben), monkeypatch)
    _night(day, ada, monkeypatch)
    _obey(day, ada, monkeypatch)
    _close(day, ben)
    day.stream()
    day.ask_again()


def _watch(day: Day) -> None:
    """Alerts and reminders are armed by whatever is written from now on."""
    policy = day.ask("operator", "GET /v1/program", status=200)
    tag = {"If-Match": policy.headers["etag"]}
    told = {"churn": {}, "reminders": {"days": [2]}}
    day.ask("operator", "PUT /v1/program", {**policy.body, **told}, headers=tag, status=200)


def _foresee(day: Day, member: str) -> None:
    """All that a member has is spent and given back, held and released; parameters are fitted; its value is asked."""
    points = day.ask("till", "GET /v1/members/{id}/balance", id=member, status=200).body["balance"]["available"]
    spent = day.ask("till", "POST /v1/members/{id}/redemptions", {"points": points}, id=member).body["redemption"]
    day.ask("till", "POST /v1/redemptions/{id}/cancel", {}, id=spent)
    held = day.ask("till", "POST /v1/members/{id}/holds", {"points": points}, id=member).body["hold"]["id"]
    day.ask("till", "POST /v1/holds/{id}/release", {}, id=held)
    day.stream()
    day.new_copy()
    with day.confined.guard.turn("churn_fit"):
        assert churn_fit.lambda_handler({}, None) == {PROGRAM: 0}, "two members are too few"
    with day.confined.guard.turn("churn_fit"):
        wiring.refit()._store.publish(PROGRAM, FITTED)  # noqa: SLF001 - enough members would take a day
    day.ask("auditor", "GET /v1/churn", status=200)
    assert "alive" in day.ask("operator", "GET /v1/members/{id}/value", id=member, status=200).body


RULES = """\
rule_set: spring
program: grocer
campaigns: {spring: {points: 100000}}
rules:
  - {id: base, name: {en: One point per euro, zh: 每欧元一积分}, on: line, earn: line.amount}
  - {id: app, name: {en: More in the app, zh: 应用内更多}, when: channel = 'app', earn: 2 * base, budget: spring}
  - {id: home, name: {en: At home, zh: 本地}, when: member.city = 'Bonn', earn: 2 * base}
  - {id: new, name: {en: New, zh: 新会员}, when: "'new' IN member.segments", earn: "1"}
expect:
  - {name: one euro, purchase: {at: 2026-11-05T12:00, lines: [{amount: "1.00"}]}, points: 1}
"""


def _die(*_: Any) -> Any:
    raise SystemExit("the copy is no more")


def _drafted(day: Day) -> str:
    return str(day.ask("marketer", "POST /v1/rule-sets", {"source": RULES}).body["id"])


def _obey(day: Day, member: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule set with a budget is put in force, obeyed on every way that a purchase comes, and taken back."""
    day.ask("marketer", "GET /v1/program", status=200)
    day.ask("marketer", "GET /v1/clock", status=200)
    day.ask("auditor", "GET /v1/night", status=200)
    day.ask("operator", "POST /v1/clock", {"to": NOW}, status=409)
    made = _drafted(day)
    assert day.ask("marketer", "POST /v1/rule-sets/{id}/test", id=made, status=200).body["passed"]
    for _ in range(2):  # the second finds the budget there
        day.ask("marketer", "POST /v1/rule-sets/{id}/publish", id=made, status=200)
    day.ask("auditor", "GET /v1/rule-sets", status=200)
    day.ask("auditor", "GET /v1/rule-sets/{id}", id="v1", status=200)

    bought = {**_order("o4", identity=PHONE), "channel": "app"}
    basket = {name: bought[name] for name in ("occurred_at", "currency", "lines", "channel")}
    quoted = day.ask("till", "POST /v1/quotes", {"purchase": basket, "identity": PHONE}, status=200).body
    earned = day.ask("till", "POST /v1/purchases", bought).body
    assert earned["points"] == quoted["points"] > 20, "12.50 euros, twice"
    day.ask("till", "GET /v1/entries/{id}/explanation", id=earned["id"], status=200)
    back = "POST /v1/purchases/{source}/{order_id}/returns"
    day.ask("till", back, {"amount": "1.00"}, source="pos", order_id="o4")
    day.batch({"type": "purchase", **_order("o5", member=member), "channel": "app"})
    day.stream()
    _remind(day, member, monkeypatch)
    commit = Ledger.commit
    for number in ("o6", "o7"):  # one is finished by a return, the other by the stream
        monkeypatch.setattr(Ledger, "commit", _die)
        with pytest.raises(SystemExit):
            day.ask("till", "POST /v1/purchases", {**_order(number, member=member), "channel": "app"})
        monkeypatch.setattr(Ledger, "commit", commit)
    day.ask("till", back, {"amount": "1.00"}, source="pos", order_id="o6")
    day.stream()
    day.ask("marketer", "POST /v1/rule-sets/{id}/rollback", id=made, status=200)


SEGMENTS = """\
program: grocer
segments:
  new: {name: {en: New, zh: 新}, when: member.age_days < 30}
  old: {name: {en: Old, zh: 老}, when: member.age_days >= 30}
  top: {name: {en: Top, zh: 顶}, when: member.points_rank < 10}
  here: {name: {en: Here, zh: 在}, when: member.alive > 0.5}
"""
_LOOKING = ("functions.segment_members.handler", "functions.segment_review.handler")


def _group(day: Day) -> None:
    """Segments are handed in, everybody is looked at, and they are listed. One of them buys nothing, so that nothing
    but time ever changes where she is.
    """
    day.enrol("card:quiet")
    day.ask("marketer", "POST /v1/segments", {"source": SEGMENTS}, status=200)
    day.stream()
    counts = {one["id"]: one["members"] for one in day.ask("auditor", "GET /v1/segments", status=200).body["segments"]}
    assert counts["new"] == 3
    listed = day.ask("operator", "GET /v1/segments/{id}/members", id="new", status=200).body["members"]
    assert len(listed) == counts["new"]


def _keep(day: Day, member: str) -> None:
    """Points that are about to end are told of and renewed."""
    policy = day.ask("operator", "GET /v1/program", status=200)
    more = {**policy.body, "reminders": {"days": [30]}, "renewal": {"months": 6, "price_percent": 1}}
    day.ask("operator", "PUT /v1/program", more, headers={"If-Match": policy.headers["etag"]}, status=200)
    soon = (datetime.now(UTC) + timedelta(days=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    grant = {"points": 100, "reason": "test", "expires_at": soon}
    for _ in range(2):
        day.ask("operator", "POST /v1/members/{id}/adjustments", grant, id=member)
        day.ask("operator", "POST /v1/members/{id}/notices", {"ends_by": soon}, id=member)
        day.ask("till", "POST /v1/members/{id}/renewals", {}, id=member)


def _night(day: Day, member: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three years on: all there is has expired. Then the same once more, after a machine that died and lost its mark;
    and with an account that cannot be seen to.
    """
    kinds = {kind: one.name for one in CATALOGUE if isinstance(one.trigger, FromNight) for kind in one.trigger.kinds}
    monkeypatch.setenv("NIGHT_FUNCTIONS", json.dumps(kinds))
    config.cache_clear()
    with monkeypatch.context() as later:
        _in(later, 1100)
        done = day.night()
        assert sum(counts.get("written", 0) for _, counts in done) > 0
        _grant(day, member, 1102)
        _grant(day, member, 1500)
        day.stream()
        for days in (1101, 1104):  # first what is left of the day on which everybody was looked at
            _in(later, days)
            done += day.night()
        _grant(day, member, 1600)
        day.stream()
        for batch, _ in done:
            assert day.drain(batch).get("written", 0) == 0, "it is done already"
        day.stream()
        later.setattr("loyalty.timers.service.Drain._see_to", _fail)
        later.setattr("loyalty.segments.service.Audiences.look", _fail)
        assert sum(day.drain(batch)["aside"] for batch, _ in done) > 0
    config.cache_clear()


def _remind(day: Day, member: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner of points that end is told what they are worth by the rule set in force."""
    _grant(day, member, 1201)
    day.stream()
    with monkeypatch.context() as later:
        _in(later, 1200)
        assert "reminder" in [batch["kind"] for batch, counts in day.night() if counts.get("written")]
    config.cache_clear()


def _in(later: pytest.MonkeyPatch, days: int) -> None:
    """Have the functions of the night run so many days from now."""
    for module in ("loyalty.runtime.wiring", "functions.plan_night.handler", "loyalty.runtime.night", *_LOOKING):
        later.setattr(f"{module}.moment", lambda program, now: now + days * 86_400)


def _grant(day: Day, member: str, days: int) -> None:
    """Points that end so many days from today."""
    ends = (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"points": 7, "reason": "test", "expires_at": ends}
    day.ask("operator", "POST /v1/members/{id}/adjustments", body, id=member)


def _fail(*_: Any) -> None:
    raise ValueError("something unforeseen")


def _simulate(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule set is tried on what was bought, to the end."""
    waiting: list[dict[str, Any]] = []
    monkeypatch.setattr("loyalty.runtime.outbound.send", lambda queue, message: waiting.append(message))
    rules = (
        "rule_set: tried\nprogram: grocer\nrules:\n  - {id: base, name: {en: a, zh: b}, on: line, earn: line.amount}\n"
    )
    draft = day.ask("operator", "POST /v1/rule-sets", {"source": rules}).body["id"]
    begun = day.ask("operator", "POST /v1/rule-sets/{id}/simulate", {}, id=draft, status=202).body["id"]
    while waiting:
        record = {"messageId": "m", "eventSource": "aws:sqs", "body": json.dumps(waiting.pop()), "attributes": {}}
        day.new_copy()
        with day.confined.guard.turn("replay"):
            assert replay.lambda_handler({"Records": [record]}, None) == {"batchItemFailures": []}
    assert day.ask("operator", "GET /v1/simulations/{id}", id=begun, status=200).body["figures"]["purchases"] > 0


CAMPAIGNS = """\
program: grocer
templates:
  hello:
    sms: {en: "Hello", zh: "您好"}
  more:
    sms: {en: "Hello again", zh: "您好！"}
  owed:
    service: true
    sms: {en: "Points end", zh: "积分到期"}
    inbox: {en: {title: "Points", text: "Points end"}, zh: {title: "积分", text: "积分到期"}}
campaigns:
  all:
    name: {en: All, zh: 全}
    goal: {en: A visit, zh: 来店}
    metric: repurchase
    window_days: 8
    audience: {segment: new, when: member.alive > 0.5 OR member.points < 100000}
    calendar: {from: 2026-01-01}
    channels: [sms]
    control: 0
    no_control: a trial
    budget: {points: 1000}
    steps:
      hello: {day: 0, message: hello, offer: {points: 5}}
      more: {day: 3, when: NOT journey.opened, message: more, offer: {multiply: 2, days: 3}}
  hired:
    name: {en: Hired, zh: 会员日}
    goal: {en: A visit, zh: 来店}
    metric: repurchase
    window_days: 8
    audience: {enter: birthday}
    repeat: yearly
    channels: [sms]
    control: 0
    no_control: everybody has a birthday
    steps: {hello: {day: 0, message: hello}, later: {day: 20, message: more}}
  owed:
    name: {en: Owed, zh: 到期}
    goal: {en: Points are used, zh: 使用积分}
    metric: redemption
    window_days: 8
    audience: {enter: points.expiring}
    repeat: {after_days: 1}
    channels: [sms, inbox]
    service: true
    control: 0
    no_control: it is owed to everybody
    steps: {tell: {day: 0, message: owed}}
  again:
    name: {en: Again, zh: 再}
    goal: {en: A visit, zh: 来店}
    metric: repurchase
    window_days: 8
    audience: {enter: churn.risk_detected}
    repeat: {after_days: 1}
    channels: [sms]
    control: 0
    no_control: a trial
    budget: {points: 1000}
    steps: {hello: {day: 0, message: more, offer: {points: 5}}}
  bought:
    name: {en: Bought, zh: 购物}
    goal: {en: A visit, zh: 来店}
    metric: repurchase
    window_days: 8
    audience: {enter: purchase, when: entry.spent > 0}
    channels: [sms]
    control: 0
    no_control: a trial
    steps: {hello: {day: 0, message: more}}
  soon:
    name: {en: Soon, zh: 即将}
    goal: {en: A visit, zh: 来店}
    metric: repurchase
    window_days: 8
    audience: {segment: new, when: member.points < 100000}
    calendar: {from: %s}
    channels: [sms]
    control: 0
    no_control: a trial
    steps: {hello: {day: 0, message: more}}
"""
ASL = {
    "PlanFunction": "campaign_plan",
    "AssignFunction": "campaign_assign",
    "TouchFunction": "campaign_touch",
    "MeasureFunction": "campaign_measure",
    "FinishFunction": "campaign_finish",
}


_settle = touch.settle


def _die_when_given(plan: touch.Plan, verdicts: tuple[Verdict, ...], *further: Any) -> touch.Settled:
    if any(one.offer is not None for one in touch.actions(plan, verdicts)):
        raise SystemExit("the copy is no more")
    return _settle(plan, verdicts, *further)


class Runs:
    """The state machine of campaigns: executions by name, and those who wait to be called back."""

    def __init__(self, day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
        self.day = day
        self.machine = Machine(DEFINITION, ASL, self.invoke)
        self.started: dict[str, dict[str, Any]] = {}
        self.waiting: list[Execution] = []
        self.called: list[str] = []
        now = datetime.now(UTC)
        self.now = self.noon = max(now, now.replace(hour=12, minute=0))  # never before what was written already
        self._patch = monkeypatch
        monkeypatch.setattr("loyalty.runtime.outbound.start_execution", lambda _, name, given: self._start(name, given))
        monkeypatch.setattr("loyalty.runtime.outbound.call_back", self.called.append)

    def _start(self, name: str, given: dict[str, Any]) -> None:
        if name not in self.started:
            self.started[name] = given
            self.day.later.append(lambda: self._goes(self.machine.start(given)))

    def _goes(self, execution: Execution) -> None:
        if execution.token:
            self.waiting.append(execution)

    def invoke(self, name: str, event: Any) -> Any:
        self.day.new_copy()
        with self.day.confined.guard.turn(name):
            return import_module(f"functions.{name}.handler").lambda_handler(event, None)

    def settle(self) -> None:
        """Until nothing is left to do."""
        while self.day.later or any(one.token in self.called for one in self.waiting):
            later, self.day.later = self.day.later, []
            for act in later:
                act()
            due, self.waiting = (
                [one for one in self.waiting if one.token in self.called],
                [one for one in self.waiting if one.token not in self.called],
            )
            for one in due:
                self._goes(one.go_on({}))

    def hour(self) -> None:
        self.invoke("campaign_due", {})
        self.settle()

    def at(self, days: int) -> None:
        """It is noon or later, so many days from now."""
        self.now = self.noon + timedelta(days=days)
        self._patch.setattr("time.time", self.now.timestamp)

    def act(self, what: str, name: str, body: Any = None) -> None:
        self.day.ask("marketer", f"POST /v1/campaigns/{{id}}/{what}", body, id=name, status=200)
        self.settle()

    def happened(self, kind: str, member: str, **detail: Any) -> None:
        """The bus tells of it."""
        told = {"program": PROGRAM, "member": member, "recorded_at": self.now.isoformat(), **detail}
        body = json.dumps({"detail-type": kind, "detail": told})
        record = {"messageId": "m", "eventSource": "aws:sqs", "body": body, "attributes": {}}
        assert self.invoke("campaign_enter", {"Records": [record]}) == {"batchItemFailures": []}


def _campaign(day: Day, members: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Campaigns from their file to their report: started, paused, taken up again, cancelled; members who come in with
    all, by an event, on their birthday; a night in between, at the hour.
    """
    runs = Runs(day, monkeypatch)
    at, act, happened, noon = runs.at, runs.act, runs.happened, runs.noon
    kinds = {kind: one.name for one in CATALOGUE if isinstance(one.trigger, FromNight) for kind in one.trigger.kinds}
    monkeypatch.setenv("NIGHT_FUNCTIONS", json.dumps(kinds))
    config.cache_clear()
    real = time.time
    at(0)
    source = CAMPAIGNS % (noon + timedelta(days=2)).date()
    for _ in range(2):
        day.ask("marketer", "POST /v1/campaigns", {"source": source}, status=200)
    day.ask("auditor", "GET /v1/campaigns", status=200)
    names = ("all", "hired", "owed", "again", "bought", "soon")
    for name in names:
        act("preview", name, {})
    day.ask("marketer", "POST /v1/campaigns/{id}/texts", {"step": "more"}, id="all", status=200)
    for number, member in enumerate(members):
        tag = day.ask("operator", "GET /v1/members/{id}", id=member, status=200).headers["etag"]
        born = {"attributes": {"birthday": (noon + timedelta(days=number)).strftime("%m-%d")}}
        day.ask("operator", "PATCH /v1/members/{id}", born, id=member, headers={"If-Match": tag}, status=200)
    for name in names:
        act("start", name)
    lacking = {"source": SEGMENTS.replace("  new:", "  fresh:")}
    day.ask("marketer", "POST /v1/segments", lacking, status=409)
    runs.hour()
    act("pause", "all")
    runs.hour()
    act("resume", "all")
    for what in ("enter", "touch"):
        with monkeypatch.context() as broken:
            broken.setattr(f"loyalty.campaigns.touches.Touches.{what}", _fail)
            act("redrive", "all")
    act("redrive", "all")
    ending = [{"ends_at": (noon + timedelta(days=9)).isoformat(), "points": 5}]
    for member in members:
        happened("member.changed", member)
        happened("points.expiring", member, wallet="points", ending=ending, notice_required=True)
        happened("churn.risk_detected", member)
        happened("points.earned", member, why="earned", source="pos", order_id="o1", occurred_at=runs.now.isoformat())
    act("preview", "all", {})
    day.ask("operator", "GET /v1/campaigns/{id}/aside", id="all", status=200)
    for days in (1, 3):
        at(days)
        for again in (day.night, partial(happened, "churn.risk_detected", members[0])):
            with monkeypatch.context() as broken:  # the copy ends between the gift and the note of it
                broken.setattr(touch, "settle", _die_when_given)
                with suppress(SystemExit):
                    again()
            other = {"points": 1, "reason": "test"}
            day.ask("operator", "POST /v1/members/{id}/adjustments", other, id=members[0])
            again()
        for number, member in enumerate(members):  # who was told and bought counts for the channel
            bought = _order(f"campaign-{days}-{number}", member=member)
            moment = datetime.fromtimestamp(time.time(), UTC).isoformat()
            day.ask("till", "POST /v1/purchases", {**bought, "occurred_at": moment})
        runs.hour()
    at(4)
    with monkeypatch.context() as broken:
        broken.setattr("loyalty.campaigns.touches.Touches.touch", _fail)
        day.night()
    day.ask("marketer", "POST /v1/rule-sets/{id}/publish", id=_drafted(day), status=200)
    at(9)
    with monkeypatch.context() as taken:  # nobody sends here: what was decided on counts as taken by the provider
        taken.setattr("loyalty.campaigns.touches.fates_of", lambda _: ("sent",))
        runs.hour()
    day.ask("auditor", "GET /v1/campaigns/{id}/report", id="all", status=200)
    assert day.ask("auditor", "GET /v1/campaigns/{id}", id="all", status=200).body["state"] == "finished"
    for name in names[1:]:
        act("cancel", name, {"reason": "enough"})
        if name == "hired":  # who comes into another has a way that this one left behind
            happened("churn.risk_detected", members[0])
    monkeypatch.setattr("time.time", real)


def _keep_in_touch(day: Day, member: str) -> None:
    """The contact policy is replaced; a member is asked where and how it wants to be told, and has no more of it."""
    for role in ("marketer", "operator"):
        day.ask(role, "GET /v1/contact-policy", status=200)
        day.ask(role, "PUT /v1/contact-policy", {"contact_hour": 10, "caps": []}, headers={"If-Match": "*"}, status=200)
    agreed = {"consents": {"email": True}, "addresses": {"email": "ada@example.org"}}
    day.ask("shop", "PUT /v1/members/{id}/contact", agreed, id=member, status=200)
    agreed["addresses"] = {"email": "ada@example.com"}
    day.ask("shop", "PUT /v1/members/{id}/contact", agreed, id=member, status=200)
    link = day.ask("shop", "GET /v1/members/{id}/contact", id=member, status=200).body["unsubscribe"]
    day.ask("shop", "GET /v1/members/{id}/contacts", id=member, status=200)
    for method in ("GET", "POST"):
        event = {
            "routeKey": f"{method} /v1/unsubscribe/{{token}}",
            "pathParameters": {"token": link.rpartition("/")[2]},
            "requestContext": {},
        }
        day.new_copy()
        with day.confined.guard.turn("contacts"):
            assert import_module("functions.contacts.handler").lambda_handler(event, None)["statusCode"] == 200


def _tell_partners(day: Day, member: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook is made, changed, tried, sent to and sent to again; another one says that it is gone."""
    lines: list[dict[str, Any]] = []
    statuses = [503, 200, 200, 200]
    monkeypatch.setattr("loyalty.runtime.outbound.send", lambda queue, message, delay=0: lines.append(message))
    monkeypatch.setattr("functions.webhooks.changes.may_be_sent_to", lambda url: None)
    monkeypatch.setattr("loyalty.runtime.senders.http", lambda: lambda *_: Reply(statuses.pop(0)))

    def drain(name: str, *bodies: dict[str, Any]) -> None:
        records = [{"messageId": "m", "eventSource": "aws:sqs", "body": json.dumps(body)} for body in bodies]
        day.new_copy()
        with day.confined.guard.turn(name):
            answer = import_module(f"functions.{name}.handler").lambda_handler({"Records": records}, None)
        assert answer == {"batchItemFailures": []}

    wanted = {"url": "https://partner.example/hook", "events": ["points.*"]}
    hook = day.ask("operator", "POST /v1/webhooks", wanted).body["webhook"]["id"]
    day.ask("auditor", "GET /v1/webhooks", status=200)
    detail = {"id": "e1", "program": PROGRAM, "member": member, "number": 1, "recorded_at": "2026-03-01T12:30:00Z"}
    drain("webhook_fan", {"detail-type": "points.earned", "detail": detail, "time": "2026-03-01T12:30:00Z"})
    drain("webhook_deliver", *lines)
    day.ask("operator", "PATCH /v1/webhooks/{id}", {"ordered": True}, id=hook, status=200)
    day.ask("operator", "POST /v1/webhooks/{id}/rotate", {}, id=hook, status=200)
    day.ask("operator", "POST /v1/webhooks/{id}/test", id=hook, status=202)
    drain("webhook_deliver", *lines)
    span = {"since": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z"}
    day.ask("operator", "POST /v1/webhooks/{id}/replay", span, id=hook, status=202)
    drain("webhook_deliver", *lines)
    day.ask("auditor", "GET /v1/webhooks/{id}", id=hook, status=200)
    day.ask("auditor", "GET /v1/webhooks/{id}/deliveries", id=hook, status=200)
    day.ask("operator", "DELETE /v1/webhooks/{id}", id=hook, status=204)


def _write_to(day: Day, member: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages: sent, put off, failed, tried anew, followed, reported; one of them is owed before points end."""
    waiting: list[dict[str, Any]] = []
    provider, mail = Provider("sms"), Provider("email")

    def take(queue: str, batch: list[dict[str, Any]]) -> list[int]:
        del queue
        waiting.extend(batch)
        return []

    def drain(name: str, *bodies: dict[str, Any]) -> None:
        records = [{"messageId": "m", "eventSource": "aws:sqs", "body": json.dumps(body)} for body in bodies]
        day.new_copy()
        with day.confined.guard.turn(name):
            import_module(f"functions.{name}.handler").lambda_handler({"Records": records}, None)

    def dispatch() -> None:
        with day.confined.guard.turn("dispatch"):
            import_module("functions.dispatch.handler").lambda_handler({}, None)

    monkeypatch.setattr("loyalty.runtime.messages.send_batch", take)
    monkeypatch.setattr("loyalty.runtime.senders.channels", lambda _: {"sms": provider, "email": mail})
    store, now = MessageStore(day.confined.table), int(time.time())
    reached = {"consents": {"sms": True, "email": True}, "addresses": {"phone": "+4915112345678"}}
    never = {"quiet_from": "00:00", "quiet_until": "00:00"}  # the clock on the wall may say that it is night
    day.ask("shop", "PUT /v1/members/{id}/contact", {**reached, "quiet": never}, id=member, status=200)

    def write(step: str, channel: str = "sms", ends: int = 0) -> Message:
        notice = Notice("points", ends) if ends else None
        fields = {"account": member, "name": f"hello.1.{step}", "step": step, "links": ("https://x.y",)}
        one = message(1, channel, at=now, service=bool(ends), notice=notice, **fields)
        store.put_new(one, Content("Hello", link_placeholder(0)), now)
        return one

    ends = [datetime.now(UTC) + timedelta(days=days) for days in (5, 6, 7)]
    grant: dict[str, Any] = {}
    for end in ends:
        grant = {"points": 100, "reason": "test", "expires_at": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
        day.ask("operator", "POST /v1/members/{id}/adjustments", grant, id=member)
    first, second, third = (int(end.timestamp()) for end in ends)
    sent, late, mailed, lying = (
        write("a", "sms", first),
        write("b"),
        write("e", "email", second),
        write("c", INBOX, third),
    )
    dispatch()
    provider.answers = [Outcome("accepted", "1"), *[Outcome("later", code="busy", retry_after_s=90_000)]]
    with monkeypatch.context() as mid:
        mid.setattr("loyalty.notifications.store.MessageStore.done", _nothing)
        drain("notify", *waiting)
    day.ask("operator", "POST /v1/members/{id}/adjustments", grant, id=member)
    drain("notify", *waiting)  # the queue delivers again what was delivered
    waiting.clear()
    for fact in ("delivered", "bounced"):
        for one in (sent, mailed, mailed):
            drain("delivery", {"program": PROGRAM, "message": one.id, "event": fact})
            day.ask("operator", "POST /v1/members/{id}/adjustments", grant, id=member)
    put_off = write("d")
    dispatch()
    provider.answers = [Outcome("later", code="busy")]
    day.ask("shop", "PUT /v1/members/{id}/contact", {"addresses": {"phone": "+4915112345679"}}, id=member, status=200)
    drain("notify", *waiting)
    assert day.ask("operator", "GET /v1/messages/{id}", id=put_off.id, status=200).body["state"] == "waiting"
    assert day.ask("auditor", "GET /v1/messages/{id}", id=sent.id, status=200).body["state"] == "bounced"
    again = day.ask("operator", "POST /v1/messages/redrive", {}, status=200).body["messages"]
    assert [(one["id"], one["outcome"]) for one in again] == [(late.id, "waiting")]
    text = day.ask("shop", "GET /v1/members/{id}/inbox", id=member, status=200).body["messages"][0]["text"]
    for _ in range(2):
        where = {"id": member, "message": lying.id}
        day.ask("shop", "POST /v1/members/{id}/inbox/{message}/read", status=200, **where)
        day.ask("operator", "POST /v1/members/{id}/adjustments", grant, id=member)
    link = provider.got[0].rendered.text
    for address in (text, link):
        event = {
            "routeKey": "GET /v1/l/{token}",
            "pathParameters": {"token": address.rpartition("/")[2]},
            "requestContext": {},
        }
        day.new_copy()
        with day.confined.guard.turn("inbox"):
            assert import_module("functions.inbox.handler").lambda_handler(event, None)["statusCode"] == 302
    reached["addresses"] = {"email": "ada@example.net"}
    day.ask("shop", "PUT /v1/members/{id}/contact", reached, id=member, status=200)
    waiting.clear()
    _doubt(day, monkeypatch, mail, write("f", "email"), dispatch, lambda: drain("notify", *waiting))


def _doubt(
    day: Day,
    monkeypatch: pytest.MonkeyPatch,
    mail: Provider,
    one: Message,
    dispatch: Callable[[], None],
    drain: Callable[[], None],
) -> None:
    """A mail in doubt that is looked at again when reports of its time have come."""
    dispatch()
    mail.reported, answers, mail.answers = "set", mail.answers, [Outcome("doubtful", code="lost")]
    drain()
    moment = datetime.now(UTC).isoformat()
    tags = {**{name: [value] for name, value in tags_of(one).items()}, "ses:configuration-set": ["set"]}
    tags["loyalty-message"] = [urlsafe_b64encode(f"{one.id}x".encode()).decode().rstrip("=")]
    record = {"messageId": "m", "eventSource": "aws:sqs"}
    record["body"] = json.dumps({"eventType": "Send", "mail": {"tags": tags, "timestamp": moment}})
    with day.confined.guard.turn("delivery"):
        import_module("functions.delivery.handler").lambda_handler({"Records": [record]}, None)
    real = time.time
    with monkeypatch.context() as later:
        later.setattr("time.time", lambda: real() + SILENT_S + 60)
        later.setattr("loyalty.runtime.messages.holds_nothing", lambda _: True)
        dispatch()
        drain()
    assert day.ask("auditor", "GET /v1/messages/{id}", id=one.id, status=200).body["state"] == "sent"
    mail.reported, mail.answers = "", answers


TIERS = {"levels": [{"id": "gold", "name": {"en": "Gold"}, "spend": 10_000}]}


def _stand(day: Day, member: str, other: str) -> None:
    """The policy gets tiers; one is set by hand, told, and others are tried. The other member loses one in the night,
    by nothing but time.
    """
    policy = day.ask("operator", "GET /v1/program", status=200)
    more = {**policy.body, "tiers": TIERS}
    day.ask("operator", "PUT /v1/program", more, headers={"If-Match": policy.headers["etag"]}, status=200)
    given = {"tier": "gold", "until": "2099-01-01", "reason": "test"}
    set_by_hand = "PUT /v1/members/{id}/tier"
    key = {"Idempotency-Key": "gold"}
    day.ask("operator", set_by_hand, given, id=member, headers=key)
    for one, days in ((member, 0), (other, 10)):
        soon = {**given, "until": (datetime.now(UTC) + timedelta(days=days)).date().isoformat()}
        day.ask("operator", set_by_hand, soon, id=one)
    day.ask("operator", set_by_hand, given, id=member, headers=key)  # known again, though no longer the newest
    day.ask("till", "GET /v1/members/{id}/tier", id=member, status=200)
    day.ask("till", "GET /v1/members/{id}/tier", id=member, query={"wallet": "six"}, status=200)
    assert day.ask("marketer", "POST /v1/tiers/simulate", {"tiers": TIERS}, status=200).body["looked"] > 0


def _new_wallets(day: Day, member: str) -> None:
    """The policy gets wallets that no member had at enrolment: the first command on one begins it."""
    policy = day.ask("operator", "GET /v1/program", status=200)
    more = {**policy.body, "wallets": [*policy.body["wallets"], "one", "two", "three", "four", "five", "six"]}
    day.ask("operator", "PUT /v1/program", more, headers={"If-Match": policy.headers["etag"]}, status=200)
    check_in = {"type": "check_in", "member": member, "occurred_at": NOW}
    day.ask("till", "POST /v1/events", {**check_in, "wallet": "one"})
    day.ask("till", "POST /v1/members/{id}/redemptions", {"points": 1, "wallet": "two"}, id=member, status=422)
    day.ask("till", "POST /v1/members/{id}/holds", {"points": 1, "wallet": "three"}, id=member, status=422)
    grant = {"points": 1, "reason": "test", "wallet": "four"}
    day.ask("operator", "POST /v1/members/{id}/adjustments", grant, id=member)
    day.ask("till", "GET /v1/members/{id}/balance", id=member, query={"wallet": "five"}, status=200)
    day.ask("operator", "POST /v1/members/{id}/freeze", {"reason": "test", "wallet": "five"}, id=member)


def _close(day: Day, member: str) -> None:
    points = day.ask("till", "GET /v1/members/{id}/balance", id=member, status=200).body["balance"]["available"]
    if points:  # the night has left none
        day.ask("till", "POST /v1/members/{id}/redemptions", {"points": points}, id=member)
    day.ask("operator", "POST /v1/members/{id}/close", {"reason": "test"}, id=member)


RARE = {
    # An access token of a provider, who is not asked here.
    *(("notify", action, CHANNEL_TOKENS) for action in (GET, PUT)),
    # The clock of a sandbox programme.
    ("dispatch", GET, POLICIES),
    # An account that is closed between an order's claim and its entry: the claim is given up.
    *((name, DELETE, ORDERS) for name in ("earn", "reverse", "ingest")),
    # An alert that was given already, when it is looked at once more after another purchase; a review likewise.
    *((name, GET, TIMERS) for name in ("churn_alert", "tier_eval")),
    # An order whose wallet was begun by nobody, which only a lost write can leave.
    *((name, GET, MEMBERS) for name in ("reverse", "recover")),
}
"""Rights that no ordinary day needs."""


def test_every_function_can_do_its_work_within_its_role_and_needs_all_of_it(
    confined: Confined, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = Day(confined, monkeypatch)
    _live(day, monkeypatch)
    assert day.seen == {route.key for route in ROUTES if route.scope is not None}
    granted = {
        (one.name, action, pattern)
        for one in CATALOGUE
        for access in one.table
        for action in access.actions
        for pattern in access.partitions
    }
    assert granted - confined.guard.used == RARE


def test_a_function_outside_its_role_is_noticed(confined: Confined) -> None:
    with confined.guard.turn("balance"), pytest.raises(Denied):
        confined.establish("another")
