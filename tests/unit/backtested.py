"""A deployment whose members have bought and brought back, with its replay queue: for tests of backtests."""

import json
import random
from collections import deque
from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from functions.replay import handler as replay
from loyalty.backtests.backtest import SHARDS, Backtest, Finished, Progress
from loyalty.backtests.figures import Cell, Figures, RuleCell, set_aside
from loyalty.backtests.store import BacktestStore
from loyalty.backtests.views import SimulationView, figures_view, simulation_view
from loyalty.ledger.store import HeadStore, entry_of_item
from loyalty.rules.ruleset import Campaign, Names, Rule, RuleSet
from loyalty.rules.tree import Number
from loyalty.runtime import outbound, secrets, wiring
from loyalty.table import keys
from tests.stack.confined import Confined
from tests.unit.running import PROGRAM, Response

if TYPE_CHECKING:
    import pytest

BUY, BACK, EVENT = "POST /v1/purchases", "POST /v1/purchases/{source}/{order_id}/returns", "POST /v1/events"
BASE: Final = """
rule_set: tried
program: grocer
point_cost: "0.01"
rules:
  - {id: base, name: {en: One point per euro, zh: 每消费一欧元积一分}, on: line, earn: line.amount}
"""
"""What the policy gives as well."""
DOUBLE: Final = (
    BASE
    + """
  - {id: double, name: {en: Everything double, zh: 全部双倍}, on: order, when: amount > 0, earn: 2 * base}
"""
)

LIVELY: Final = """
rule_set: lively
program: grocer
point_cost: "0.01"
events:
  check_in: {streak: true}
  review: {fields: {words: number}}
  trade_in: {fields: {pieces: number}}
  trade_in_accepted: {activates: trade_in}
  trade_in_refused: {cancels: trade_in}
groups: {offers: {stacking: best}}
rules:
  - {id: base, name: {en: Base, zh: 基础}, on: line, earn: 2 * line.amount / 3}
  - id: first
    name: {en: First order, zh: 首单}
    when: member.first_purchase
    earn: 5 * base
  - id: lunch
    name: {en: Lunch, zh: 午餐}
    when: weekday IN ('monday', 'tuesday')
    earn: 1.5 * base
    group: offers
    cap: {member: {points: 9, times: 2, per: week}}
  - id: tea
    name: {en: Tea, zh: 茶}
    on: line
    when: line.category = 'tea'
    earn: 2 * line.amount
    group: offers
    rounding: down
  - id: loyal
    name: {en: Third purchase, zh: 第三次购买}
    when: member.purchases >= 2 AND member.days_since_purchase < 30
    earn: base + 3
    cap: {order: 4}
    on_return: whole
  - {id: gift, name: {en: Gifts, zh: 赠品}, on: line, when: line.amount = 0, earn: 3 * line.quantity}
  - id: streak
    name: {en: Three days, zh: 连续三天}
    on: event
    when: event.type = 'check_in' AND event.streak >= 2
    earn: event.streak
  - id: review
    name: {en: Review, zh: 评价}
    on: event
    when: event.type = 'review'
    earn: event.words / 7
    cap: {member: {points: 20, per: month}}
  - id: trade
    name: {en: Trade-in, zh: 以旧换新}
    on: event
    when: event.type = 'trade_in'
    earn: 4 * event.pieces
    pending: {kind: on_event}
"""


class Shop:
    """Posts through the API; ``queue`` is what the functions have put on the replay queue."""

    def __init__(self, running: Confined, monkeypatch: "pytest.MonkeyPatch") -> None:
        self.running = running
        self.queue: deque[dict[str, Any]] = deque()
        self.delivered: list[dict[str, Any]] = []
        monkeypatch.setattr(secrets, "artifact_keys", lambda: (b"k" * 64,))
        monkeypatch.setattr(outbound, "send", lambda queue, message, attributes=None: self.queue.append(message))
        self.till, self.operator = running.key("shop"), running.key("operator")
        self.keys = 0

    def call(self, token: str, route: str, body: Any = None, **params: str) -> Any:
        """A request under a key of its own; its body, when it was taken."""
        self.keys += 1
        answer = self.running.call(token, route, body, params=params, headers={"Idempotency-Key": f"k{self.keys}"})
        assert answer.status in {200, 201, 202}, answer
        return answer.body

    def enrol(self, number: int, **attributes: str) -> list[str]:
        """So many members' ids."""
        bodies = [{"identities": [f"card:{one}"], "attributes": attributes} for one in range(number)]
        return [self.call(self.till, "POST /v1/members", body)["id"] for body in bodies]

    def buy(self, member: str, order: str, amounts: Sequence[str], day: str, **more: Any) -> Any:
        """A purchase at noon of a day."""
        body = {
            "source": "pos",
            "order_id": order,
            "member": member,
            "occurred_at": f"{day}T12:00:00Z",
            "currency": "EUR",
            "lines": [{"amount": amount} for amount in amounts],
            **more,
        }
        return self.call(self.till, BUY, body)

    def bring_back(self, order: str, day: str, **what: Any) -> Any:
        """A return at six on a day."""
        return self.call(self.till, BACK, {"occurred_at": f"{day}T18:00:00Z", **what}, source="pos", order_id=order)

    def may_bring_back(self, order: str, day: str, **what: Any) -> Response:
        """The same, which may be refused."""
        self.keys += 1
        params, headers = {"source": "pos", "order_id": order}, {"Idempotency-Key": f"k{self.keys}"}
        body = {"occurred_at": f"{day}T18:00:00Z", **what}
        return self.running.call(self.till, BACK, body, params=params, headers=headers)

    def event(self, member: str, kind: str, day: str, **more: Any) -> Any:
        """Something that a member did at nine on a day."""
        return self.call(self.till, EVENT, {"type": kind, "member": member, "occurred_at": f"{day}T09:00:00Z", **more})

    def publish(self, source: str) -> None:
        """A rule set put in force, and taken up."""
        self.call(self.operator, "POST /v1/rule-sets/{id}/publish", id=self.draft(source))
        wiring.rules_in_force.cache_clear()
        wiring.earning.cache_clear()

    def publish_heads(self) -> None:
        """What the table's stream would have told by now."""
        store = HeadStore(self.running.table)
        for records in self.running.engine.stream().values():
            for record in records:
                image = record["dynamodb"].get("NewImage")
                if image is not None and image[keys.TYPE]["S"] == keys.type_entry:
                    store.publish(entry_of_item({name: next(iter(value.values())) for name, value in image.items()}))

    def draft(self, source: str) -> str:
        """A rule set handed in; its id."""
        answer: str = self.call(self.operator, "POST /v1/rule-sets", {"source": source})["id"]
        return answer

    def begin(self, rule_set: str, days: int = 60, until: str = "2026-03-31") -> str:
        """A simulation begun; its id."""
        body = {"days": days, "until": until}
        answer: str = self.call(self.operator, "POST /v1/rule-sets/{id}/simulate", body, id=rule_set)["id"]
        return answer

    def show(self, simulation: str) -> Any:
        """How it stands."""
        return self.look(simulation).body

    def look(self, simulation: str) -> Response:
        return self.running.call(self.operator, "GET /v1/simulations/{id}", params={"id": simulation})

    def latest(self, rule_set: str) -> Finished | None:
        """What publishing would go by."""
        return BacktestStore(self.running.table).latest(PROGRAM, rule_set)

    def deliver(self, message: dict[str, Any]) -> bool:
        """Lambda hands a message to the worker; whether it need not come again."""
        self.delivered.append(message)
        record = {"messageId": "m1", "body": json.dumps(message), "eventSource": "aws:sqs"}
        with self.running.guard.turn("replay"):
            answer = replay.lambda_handler({"Records": [record]}, None)
        return not answer["batchItemFailures"]

    def drain(self, choose: Callable[[int], int] = lambda waiting: 0) -> None:
        """Work off the queue: the oldest message first, or whichever of so many is chosen."""
        while self.queue:
            place = choose(len(self.queue))
            message = self.queue[place]
            del self.queue[place]
            assert self.deliver(message)

    def simulated(self, source: str, days: int = 60, until: str = "2026-03-31") -> Any:
        """The whole way: its figures."""
        self.publish_heads()
        simulation = self.begin(self.draft(source), days, until)
        assert len(self.queue) == SHARDS
        self.drain()
        found = self.show(simulation)
        assert found["status"] == "done", found
        return found["figures"]


def live(shop: Shop, member: str, name: str, luck: random.Random) -> None:
    """Three weeks of one member: purchases, returns in parts and whole, check-ins, reviews, some of them late."""
    orders: list[tuple[str, int]] = []
    for step in range(14):
        day = f"2026-03-{luck.randrange(1, 22):02d}"
        chance = luck.random()
        if chance < 0.5 or not orders:
            order, lines = f"{name}-{step}", luck.randrange(1, 4)
            goods = [
                {
                    "amount": f"{max(0, luck.randrange(-500, 2500)) / 100:.2f}",
                    "quantity": 2,
                    "category": luck.choice(["tea", "rice"]),
                }
                for _ in range(lines)
            ]
            shop.buy(member, order, [], day, lines=goods, store=luck.choice(["319", "320"]))
            orders.append((order, lines))
        elif chance < 0.75:
            order, lines = luck.choice(orders)
            how: dict[str, Any] = luck.choice(
                [{}, {"amount": "0.50"}, {"lines": [{"line": luck.randrange(1, lines + 1), "quantity": 1}]}]
            )
            shop.may_bring_back(order, day, **how)
        elif chance < 0.85:
            for later in range(3):
                shop.event(member, "check_in", f"2026-03-{int(day[-2:]) + later:02d}")
        elif chance < 0.93:
            waits = shop.event(member, "trade_in", day, fields={"pieces": luck.randrange(1, 9)})["id"]
            decided = luck.choice(["trade_in_accepted", "trade_in_refused", ""])
            if decided:
                shop.event(member, decided, day, of=waits)
        else:
            shop.event(member, "review", day, fields={"words": luck.randrange(1, 90)})


def example() -> SimulationView:
    """A finished simulation with something of everything."""
    found = Figures(accounts=3, purchases=9, returns=1, events=2, affected=4, total=Cell(9, 123_456, 1234, 1500))
    day = date(2026, 3, 1).toordinal()
    found.days = {day + ahead: Cell(1, 13_717, 137, 150 + 9 * ahead) for ahead in range(9)}
    found.days[day + 9] = Cell(0, 3, 1, -186)
    found.stores = {str(300 + number): Cell(1, 10_000, 100, 90 + 5 * number) for number in range(20)} | {"": Cell()}
    found.tiers = {"": Cell(4, 23_456, 234, 300), "gold": Cell(5, 100_000, 1000, 1200)}
    found.segments = {"families": Cell(2, 5_000, 50, 80)}
    found.rules = {"base": RuleCell(9, 1200, 9, 1200), "lunch": RuleCell(0, 0, 4, 380), "old": RuleCell(1, 34, 0, 0)}
    found.campaigns = {"autumn": {day: 60, day + 1: 60}}
    found.failures = {"lunch": 3}
    found.count_member("mem_01ARZ3NDEKTSV4RRFFQ69G5FAV", 1000, 1400)
    found.count_member("mem_01ARZ3NDEKTSV4RRFFQ69G5FAW", 200, 90)
    found.count_member("mem_01ARZ3NDEKTSV4RRFFQ69G5FAX", 34, 34)
    found.add(set_aside("mem_01ARZ3NDEKTSV4RRFFQ69G5FAY", "Corrupt: entry 7: unreadable"))
    rules = tuple(
        Rule(name, Names(en, zh), "order", Number(1), campaign=campaign)
        for name, en, zh, campaign in (
            ("base", "One point per euro", "每消费一欧元积一分", ""),
            ("lunch", "Lunch counts double", "午餐双倍积分", "autumn"),
            ("wine", "Ten points for three bottles", "三瓶酒加十分", ""),
        )
    )
    budgets = (Campaign("autumn", 100),)
    tried = RuleSet("grocer", "grocer-autumn", "EUR", "UTC", rules, 0, campaigns=budgets, point_cost=(8, 10))
    simulation, draft = "sim_01ARZ3NDEKTSV4RRFFQ69G5FAV", "rls_01ARZ3NDEKTSV4RRFFQ69G5FAV"
    backtest = Backtest(simulation, "grocer", draft, "grocer-autumn", day, day + 9, 1000, "cli_x", 1, 2000)
    return simulation_view(backtest, Progress(4, 4, SHARDS, ()), figures_view(found, tried))
