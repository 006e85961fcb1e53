"""Members who come into campaigns by what they do: a purchase, a visit to a store."""

from typing import Any

import pytest

from infra.catalogue import CATALOGUE, FromQueue
from tests.unit.campaigning import DAY, World
from tests.unit.running import forget

SOURCE = """\
program: grocer
templates:
  hello: {sms: {en: "Good to see you", zh: "欢迎光临"}}
campaigns:
  visit:
    name: {en: Visit, zh: 到店}
    goal: {en: A purchase, zh: 购买}
    metric: repurchase
    window_days: 7
    audience: {enter: event, when: entry.event = 'check_in' AND entry.store = '319'}
    repeat: {after_days: 30}
    control: 0
    no_control: to see everybody
    channels: [sms]
    steps: {hello: {day: 0, message: hello, offer: {points: 20}}}
  basket:
    name: {en: Basket, zh: 大单}
    goal: {en: A purchase, zh: 购买}
    metric: repurchase
    window_days: 7
    audience: {enter: purchase, when: entry.spent >= 50 AND entry.channel = 'store'}
    control: 0
    no_control: to see everybody
    channels: [sms]
    steps: {thanks: {day: 0, offer: {points: 30}, silent: true}}
"""
HEARD = next(
    one.trigger.events for one in CATALOGUE if isinstance(one.trigger, FromQueue) and one.name == "campaign_enter"
)
AT = "2026-01-01T11:00:00Z"
"""When these tests begin."""


class Shop:
    """A programme with one member, and both campaigns running."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = World(monkeypatch, currency="EUR", events={"check_in": 5, "review": 5})
        self.member = self.world.enrol(1)
        self.world.hand_in(SOURCE)
        for campaign in ("visit", "basket"):
            assert self.world.act("start", campaign).status == 200
        self.done = 0

    def does(self, event: str, store: str = "", at: str = AT, waits: int = 60) -> None:
        body: dict[str, Any] = {"type": event, "member": self.member, "occurred_at": at}
        self._post("POST /v1/events", {**body, "store": store} if store else body, waits)

    def buys(self, amount: int, **further: Any) -> None:
        body = {"source": "pos", "order_id": f"o{self.done}", "member": self.member, "occurred_at": AT}
        self._post("POST /v1/purchases", {**body, "currency": "EUR", "lines": [{"amount": amount}], **further})

    def _post(self, route: str, body: dict[str, Any], waits: int = 60) -> None:
        self.done += 1
        headers = {"Idempotency-Key": f"k{self.done}"}
        answer = self.world.running.call(self.world.operator, route, body, headers=headers)
        assert answer.status == 201, answer.body
        self.world.now += waits
        self.told()

    def told(self) -> None:
        """Everything that the outbox tells reaches campaigns, what they give included."""
        self.world.stream()
        while self.world.told:
            told, self.world.told = self.world.told, []
            for kind, detail in (one for one in told if one[0] in HEARD):
                assert self.world.enter(kind, detail) == {"batchItemFailures": []}
            self.world.stream()

    def given(self) -> list[str]:
        """Whose gifts the member has, the oldest first."""
        entries = self.world.ask("GET /v1/members/{id}/entries", id=self.member).body["entries"]
        return [one["campaign"] for one in reversed(entries) if "campaign" in one]


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(monkeypatch)


def test_who_checks_in_at_the_store_is_greeted_at_once(shop: Shop) -> None:
    shop.does("check_in")
    shop.does("check_in", "12")
    shop.does("review", "319")
    assert shop.given() == []
    shop.does("check_in", "319")
    shop.world.send()
    assert shop.given() == ["visit"]
    assert sum(shop.world.provider.got.values()) == 1


def test_a_second_visit_is_greeted_when_the_time_between_has_passed(shop: Shop) -> None:
    shop.does("check_in", "319")
    shop.world.now += 10 * DAY
    shop.does("check_in", "319", "2026-01-11T11:00:00Z")
    assert shop.given() == ["visit"]
    shop.world.now += 20 * DAY
    shop.does("check_in", "319", "2026-01-31T11:00:00Z")
    assert shop.given() == ["visit", "visit"]


def test_a_visit_at_midnight_counts_for_its_own_day_however_late_it_is_heard(shop: Shop) -> None:
    shop.world.now += 12 * 3_600 - 61  # 23:58:59 in Berlin; a minute goes by before it is heard
    shop.does("check_in", "319", "2026-01-01T22:58:30Z", waits=120)
    assert shop.given() == ["visit"]
    shop.world.now += 10 * 3_600
    shop.does("check_in", "319", "2026-01-02T09:00:00Z")
    assert shop.given() == ["visit"], "it was yesterday that the member came in"


def test_a_visit_that_was_reported_days_later_is_not_greeted(shop: Shop) -> None:
    shop.world.now += 2 * DAY
    shop.does("check_in", "319")
    assert shop.given() == []


def test_a_purchase_brings_in_by_its_amount_and_channel(shop: Shop) -> None:
    shop.buys(4_999)
    shop.buys(9_000, channel="app")
    assert shop.given() == []
    shop.buys(5_000)
    shop.buys(5_000)
    assert shop.given() == ["basket"], "once"


def test_what_a_campaign_gives_is_no_way_into_another(shop: Shop) -> None:
    shop.does("check_in", "319")
    gifts = [detail for kind, detail in shop.world.told if kind == "points.earned"]
    assert gifts == [], "all that was told has been heard"
    assert shop.given() == ["visit"]


def test_what_nobody_waits_for_costs_no_read(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(monkeypatch)
    assert shop.world.act("cancel", "basket", {"reason": "enough"}).status == 200
    forget()
    earned = {
        "member": shop.member,
        "why": "earned",
        "points": 50,
        "source": "pos",
        "order_id": "o1",
        "occurred_at": AT,
        "recorded_at": AT,
    }
    reads = []
    for _ in range(3):
        before = shop.world.running.engine.calls
        assert shop.world.enter("points.earned", earned) == {"batchItemFailures": []}
        reads.append(shop.world.running.engine.calls - before)
    assert reads[0] > 0, "a new copy looks once"
    assert reads[1:] == [0, 0]
