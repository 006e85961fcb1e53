"""Renewing points that are about to end, and confirming that their owner was told, as callers see it."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.ids import located
from loyalty.ledger import commands
from loyalty.ledger.account import Draft
from loyalty.ledger.chain import Cause, Chain
from loyalty.runtime import wiring
from loyalty.values import Rate
from tests.unit.running import Response, Running

RENEW = "POST /v1/members/{id}/renewals"
NOTICE = "POST /v1/members/{id}/notices"
GRANT = "POST /v1/members/{id}/adjustments"
pytestmark = pytest.mark.usefixtures("still")
OTHER = "desk"
BALANCE = "GET /v1/members/{id}/balance"
YEARLY: dict[str, Any] = {"kind": "rolling", "months": 12, "rounding": "day"}
OFFER: dict[str, Any] = {"months": 6, "price_percent": 10}


class Desk:
    """A member, a till and an operator of a programme under ``policy``."""

    def __init__(self, running: Running, **policy: Any) -> None:
        running.establish(OTHER, **{"expiry": YEARLY, **policy})
        self.running = running
        self.operator, self.till = running.key("operator", OTHER), running.key("till", OTHER)
        body = {"identities": ["card:1"]}
        self.member = self.ask("POST /v1/members", body, key="m", who=self.operator, params={}).body["id"]

    def ask(self, route: str, body: Any = None, *, key: str, who: str = "", params: Any = None) -> Response:
        named = {"id": self.member} if params is None else params
        return self.running.call(who or self.till, route, body, params=named, headers={"Idempotency-Key": f"key-{key}"})

    def give(self, points: int, days: int) -> str:
        moment = (datetime.fromtimestamp(time.time(), UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {"points": points, "reason": "test", "expires_at": moment}
        assert self.ask(GRANT, body, key=f"g{points}", who=self.operator).status == 201
        return moment

    def balance(self) -> Any:
        return self.ask(BALANCE, key="b").body["balance"]


def test_points_are_renewed_for_the_policys_price_and_later_ones_are_left_alone(running: Running) -> None:
    desk = Desk(running, renewal=OFFER)
    desk.give(95, days=10)
    desk.give(40, days=90)
    done = desk.ask(RENEW, {"within_days": 30}, key="r")
    assert done.status == 201
    assert desk.balance()["available"] == 95 + 40 - 10
    again = desk.ask(RENEW, {"within_days": 30}, key="r")
    assert (again.status, again.body["id"]) == (201, done.body["id"])
    assert desk.balance()["available"] == 125


def test_nothing_is_renewed_where_nothing_ends_so_soon(running: Running) -> None:
    desk = Desk(running, renewal=OFFER)
    desk.give(95, days=60)
    refused = desk.ask(RENEW, {}, key="r")
    assert (refused.status, refused.code) == (409, "RENEWAL_NOTHING_DUE")
    assert desk.balance()["available"] == 95


def test_a_programme_without_renewal_says_so(running: Running) -> None:
    desk = Desk(running)
    desk.give(95, days=5)
    refused = desk.ask(RENEW, {}, key="r")
    assert (refused.status, refused.code) == (422, "RENEWAL_NOT_OFFERED")


@pytest.mark.parametrize("days", [0, 367])
def test_a_renewal_looks_ahead_a_year_at_the_most(running: Running, days: int) -> None:
    desk = Desk(running, renewal=OFFER)
    refused = desk.ask(RENEW, {"within_days": days}, key="r")
    assert (refused.status, refused.body["field"]) == (400, "within_days")


@pytest.mark.parametrize("outcome", ["delivered", "unreachable"])
def test_a_notice_stands_in_the_ledger_once(running: Running, outcome: str) -> None:
    desk = Desk(running, reminders={"days": [30]})
    moment = desk.give(95, days=10)
    body = {"ends_by": moment, "outcome": outcome}
    first = desk.ask(NOTICE, body, key="n", who=desk.operator)
    assert (first.status, first.body["kind"]) == (201, "noticed")
    assert desk.ask(NOTICE, body, key="n", who=desk.operator).body["id"] == first.body["id"]


def test_a_notice_names_the_entry_that_was_told_of_and_leaves_out_what_came_since(running: Running) -> None:
    desk = Desk(running, expiry={**YEARLY, "require_notice": True})
    moment = desk.give(95, days=10)
    entries = desk.ask("GET /v1/members/{id}/entries", key="e").body["entries"]
    more = {"points": 5, "reason": "test", "expires_at": moment}
    assert desk.ask(GRANT, more, key="more", who=desk.operator).status == 201
    body = {"ends_by": moment, "entry": entries[0]["id"]}
    nothing = desk.ask(NOTICE, body, key="n", who=desk.operator)
    assert (nothing.status, nothing.body["kind"]) == (201, "adjusted"), "the newest entry: nothing was to be written"
    newest = desk.ask("GET /v1/members/{id}/entries", key="e").body["entries"][0]["id"]
    noticed = desk.ask(NOTICE, {**body, "entry": newest}, key="n2", who=desk.operator)
    assert (noticed.status, noticed.body["kind"]) == (201, "noticed")
    other = entries[0]["id"].rsplit("-", 1)[0] + "-99"
    for wrong in (other, "ent_1", entries[0]["id"].replace("-points-", "-cash-")):
        refused = desk.ask(NOTICE, {**body, "entry": wrong}, key=f"w{wrong}", who=desk.operator)
        assert (refused.status, refused.body["field"]) == (400, "entry")


def test_what_an_operator_gives_ends_only_with_notice_too(running: Running) -> None:
    desk = Desk(running, expiry={**YEARLY, "require_notice": True})
    desk.give(95, days=10)
    head = wiring.ledger().store.head(Chain(OTHER, desk.member, "points"))
    assert head is not None
    assert [head.state.waits_for_notice(expiry) for expiry, _ in head.state.lots] == [True]


def test_a_notice_is_of_an_end_or_of_a_decay(running: Running) -> None:
    desk = Desk(running, decay={"months": 1, "percent": 10, "notice_days": 5, "require_notice": True})
    desk.give(95, days=10)
    for wrong in ({}, {"ends_by": "2030-01-01T00:00:00Z", "decays_on": "2030-01-01"}):
        refused = desk.ask(NOTICE, wrong, key=f"w{len(wrong)}", who=desk.operator)
        assert (refused.status, refused.body["field"]) == (400, "ends_by")
    chain, on = Chain(OTHER, desk.member, "points"), datetime.now(UTC).date() + timedelta(days=3)

    def decide(draft: Draft) -> None:
        commands.earn_awards(draft, [commands.Award("base", Rate(100, 1))], on.toordinal() - 60, visit=True)
        commands.notice_of_decay(draft, on.toordinal(), 19, promised=True)

    now = int(time.time())
    told = wiring.ledger().post(chain, Cause("k#1", "1", "night", now), now, decide).entry
    entry = located("ent", desk.member, "points", told.number)
    body = {"decays_on": on.isoformat(), "entry": entry, "outcome": "unreachable"}
    noticed = desk.ask(NOTICE, body, key="n", who=desk.operator)
    assert (noticed.status, noticed.body["kind"]) == (201, "noticed")
    head = wiring.ledger().store.head(chain)
    assert head is not None
    assert (head.state.decay_noticed, head.state.decay_points, head.state.decay_told) == (on.toordinal(), 19, 0)
    again = desk.ask(NOTICE, body, key="n2", who=desk.operator)
    assert again.body["id"] == noticed.body["id"], "it is known already: nothing was to be written"


def test_a_till_confirms_no_notices(running: Running) -> None:
    desk = Desk(running)
    assert desk.ask(NOTICE, {"ends_by": desk.give(1, days=3)}, key="n").status == 403
