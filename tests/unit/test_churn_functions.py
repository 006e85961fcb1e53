"""Churn through the functions as they run: fitted on stored purchases, put in force, asked for a member, alerted."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.churn_fit import handler as churn_fit
from loyalty.churn.events import RISK_DETECTED, risks_of
from loyalty.ledger.chain import Chain
from loyalty.ledger.store import HeadStore, LedgerStore
from loyalty.runtime import wiring
from tests.unit.running import PROGRAM, Running

VALUE, FOUND, BUY, ENROL = "GET /v1/members/{id}/value", "GET /v1/churn", "POST /v1/purchases", "POST /v1/members"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
TODAY = NOW.date()
WEEKS = 40


def bought(rng: random.Random) -> list[int]:
    """Days ago on which somebody bought that buys at a rate of its own and leaves by a chance of its own."""
    rate, leaves = rng.gammavariate(1.5, 1 / 20), rng.betavariate(1.0, 6.0)
    ago = rng.uniform(1, WEEKS * 7 - 1)
    days = [int(ago)]
    while rng.random() > leaves:
        ago -= rng.expovariate(rate)
        if ago < 1:
            break
        days.append(int(ago))
    return sorted(set(days), reverse=True)


class Shop:
    """Members with their purchases, as a till posted them."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.operator = running.key("operator")
        self.members: list[str] = []

    def member(self, *days_ago: int, amount: str = "20.00") -> str:
        number = len(self.members)
        body = {"identities": [f"card:{number:08d}"]}
        member: str = self.running.call(self.operator, ENROL, body).body["id"]
        self.members.append(member)
        for place, ago in enumerate(days_ago):
            at = datetime.combine(TODAY - timedelta(days=ago), datetime.min.time(), UTC) + timedelta(hours=12)
            sale = {
                "source": "till",
                "order_id": f"{number}-{place}",
                "member": member,
                "currency": "EUR",
                "occurred_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "lines": [{"amount": amount}],
            }
            answer = self.running.call(self.operator, BUY, sale, headers={"Idempotency-Key": f"{number}-{place}"})
            assert answer.status == 201, answer.body
        self.publish(member)
        return member

    def publish(self, member: str) -> None:
        """As the stream would: the head is listed."""
        head = LedgerStore(self.running.table).head(Chain(PROGRAM, member, "points"))
        assert head is not None
        HeadStore(self.running.table).publish(head)

    def value(self, member: str, token: str = "", **query: str) -> Any:
        return self.running.call(token or self.operator, VALUE, params={"id": member}, query=query)


def watching(running: Running, **churn: Any) -> None:
    """The programme watches its members from now on."""
    operator = running.key("operator", name="policy")
    shown = running.call(operator, "GET /v1/program")
    policy = {**shown.body, "churn": churn}
    answer = running.call(operator, "PUT /v1/program", policy, headers={"If-Match": shown.headers["etag"]})
    assert answer.status == 200, answer.body
    wiring._policies.clear()  # noqa: SLF001 - a new copy of a function has read no policy


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays noon: what is told of a day is not of the next before the test has looked."""
    monkeypatch.setattr("time.time", NOW.timestamp)


@pytest.fixture
def shop(running: Running) -> Shop:
    return Shop(running)


@pytest.fixture
def crowd(running: Running) -> Shop:
    """Enough members to fit on."""
    watching(running)
    shop = Shop(running)
    rng = random.Random(7)
    for _ in range(160):
        shop.member(*bought(rng), amount=f"{rng.uniform(5, 60):.2f}")
    return shop


def test_a_member_is_told_about_without_parameters_as_far_as_can_be(shop: Shop) -> None:
    member = shop.member(50, 20)
    found = shop.value(member).body
    assert (found["purchases"], found["days"], found["currency"]) == (2, 90, "EUR")
    assert found["last_on"] == (TODAY - timedelta(days=20)).isoformat()
    assert not {"alive", "expected_purchases", "alert_on", "parameters"} & set(found)
    assert found["reason"]["en"] == "Bought every 30 days in the mean, 2 times, but not for 20 days."


def test_members_with_one_purchase_are_looked_after_by_the_onboarding_rule(running: Running, shop: Shop) -> None:
    watching(running, onboarding_days=30)
    member = shop.member(10)
    assert shop.value(member).body["alert_on"] == (TODAY + timedelta(days=20)).isoformat()


def test_who_may_not_read_values_is_refused_and_days_have_bounds(running: Running, shop: Shop) -> None:
    member = shop.member(10)
    for role in ("till", "shop", "marketer"):
        assert shop.value(member, running.key(role)).code == "AUTH_SCOPE_MISSING"
    assert shop.value(member, running.key("auditor")).status == 200
    assert shop.value(member, days="365").body["days"] == 365
    for wrong in ("0", "-1", "x", "3661", "99999999999"):
        refused = shop.value(member, days=wrong)
        assert (refused.status, refused.body["field"]) == (400, "days")
    assert shop.value("mem_00000000000000000000000000").code == "MEMBER_NOT_FOUND"


def test_nothing_is_fitted_where_nobody_is_watched(shop: Shop) -> None:
    shop.member(10)
    assert churn_fit.lambda_handler({"program": PROGRAM}, None) == {}
    assert shop.running.call(shop.operator, FOUND).body == {}


def test_too_few_members_are_said_to_be_too_few(running: Running, shop: Shop) -> None:
    watching(running)
    shop.member(100, 50)
    assert churn_fit.lambda_handler({"program": PROGRAM}, None) == {PROGRAM: 0}
    newest = shop.running.call(shop.operator, FOUND).body["newest"]
    assert newest["members"] == 1
    assert "repeat buyers" in newest["refused"]


def test_parameters_are_fitted_put_in_force_and_used(crowd: Shop) -> None:
    assert churn_fit.lambda_handler({"program": PROGRAM}, None) == {PROGRAM: 1}
    found = crowd.running.call(crowd.operator, FOUND).body
    parameters = found["parameters"]
    assert (parameters["version"], found["newest"]["version"]) == (1, 1)
    assert parameters["quality"]["days"] == 63  # a quarter of nearly 40 weeks, whole weeks
    assert parameters["quality"]["bought"] > 0
    assert 0 < found["newest"]["at_risk"] < 1
    assert parameters["quality"]["expected"] == pytest.approx(parameters["quality"]["bought"], rel=0.5)
    wiring.churn.cache_clear()
    member = crowd.member(200, 190, 180, 170, 160)
    value = crowd.value(member).body
    assert value["parameters"] == 1
    assert 0 <= value["alive"] < 0.9
    assert value["expected_value"] == pytest.approx(value["expected_purchases"] * value["value_per_purchase"], rel=0.01)
    assert value["alert_on"] < TODAY.isoformat()
    assert "the chance to buy at all again" in value["reason"]["en"]


def test_the_same_purchases_do_not_displace_what_is_in_force_by_something_worse(crowd: Shop) -> None:
    assert churn_fit.lambda_handler({"program": PROGRAM}, None) == {PROGRAM: 1}
    store = wiring.refit()._store  # noqa: SLF001 - a version that was better is put there by hand
    current = store.current(PROGRAM)
    assert current is not None
    assert churn_fit.lambda_handler({"program": PROGRAM}, None) == {PROGRAM: 2}  # no worse: the very same
    item = crowd.running.table.get((f"{PROGRAM}#F", "V#000000001"))
    assert item is not None
    assert json.loads(str(item["body"]))["version"] == 1


def test_two_fits_at_once_put_one_version_in_force(crowd: Shop) -> None:
    assert churn_fit.lambda_handler({"program": PROGRAM}, None) == {PROGRAM: 1}
    store = wiring.refit()._store  # noqa: SLF001 - as above
    current = store.current(PROGRAM)
    assert current is not None
    assert store.publish(PROGRAM, current) is False
    assert store.current(PROGRAM) == current


def test_an_alert_is_an_entry_an_event_and_nothing_more(running: Running, shop: Shop) -> None:
    watching(running, onboarding_days=30)
    member = shop.member(40)
    chain = Chain(PROGRAM, member, "points")
    before = wiring.wallets().state(chain, 0).balance()
    program = wiring.policy(PROGRAM)
    now = int(NOW.timestamp())

    def night() -> Any:
        from loyalty.ledger.chain import Cause, fingerprint

        ref = f"t#churn#{TODAY.toordinal()}"
        decide = lambda draft: wiring.churn().act(draft, program, TODAY.toordinal())  # noqa: E731 - as the night does
        return wiring.ledger().post(chain, Cause(ref, fingerprint(ref), "night", now), now, decide)

    first = night().entry
    assert first.kind == "alerted"
    ((kind, event),) = risks_of(first)
    assert kind == RISK_DETECTED
    assert (event.member, event.silent_days, event.purchases) == (member, 40, 1)
    assert event.reason.en.startswith("Bought on one day, 40 days ago")
    assert night().replayed
    assert wiring.wallets().state(chain, 0).balance() == before
    assert "alert_on" not in shop.value(member).body
    shown = running.call(shop.operator, "GET /v1/members/{id}/entries", params={"id": member}).body["entries"][0]
    assert (shown["kind"], shown["points"]) == ("alerted", 0)
    verified = running.call(shop.operator, "GET /v1/members/{id}/verification", params={"id": member}).body
    assert verified["ok"] is True
    explained = running.call(shop.operator, "GET /v1/entries/{id}/explanation", params={"id": shown["id"]}).body
    assert explained["text"] == ["The member was thought to be leaving."]
    assert risks_of(wiring.wallets().entry(chain, 1)) == []


def test_a_programme_is_fitted_from_its_policy_on_before_it_has_any_entry(running: Running) -> None:
    watching(running)
    assert wiring.watched() == [PROGRAM]
    assert churn_fit.lambda_handler({}, None) == {PROGRAM: 0}
    found = running.call(running.key("operator"), FOUND).body
    assert found["newest"]["refused"].startswith("0 weeks of purchases")
