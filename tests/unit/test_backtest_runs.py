"""Backtests as they run: begun over HTTP, worked off from the queue, looked at again."""

import json
import random
from collections import deque
from typing import Any

import pytest

from loyalty.backtests import service
from loyalty.backtests.backtest import MAX_TRIES
from loyalty.backtests.store import BacktestStore
from loyalty.errors import Unavailable
from loyalty.runtime import outbound, wiring
from loyalty.table import keys
from tests.stack.confined import Confined
from tests.unit.backtested import BASE, DOUBLE, LIVELY, Shop, live
from tests.unit.running import PROGRAM


@pytest.fixture
def shop(running: Confined, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(running, monkeypatch)


def test_the_rules_in_force_give_exactly_what_was_given(shop: Shop) -> None:
    members = shop.enrol(5)
    for number, member in enumerate(members):
        shop.buy(member, f"a{number}", ["10.70", "3.45"], "2026-03-01")
        shop.buy(member, f"b{number}", ["0.80"], "2026-03-02")
        shop.bring_back(f"a{number}", "2026-03-03", lines=[{"line": 2, "amount": "1.11"}])
        shop.bring_back(f"a{number}", "2026-03-04", amount="2.22")
    figures = shop.simulated(BASE)
    assert figures["members"] == 5
    assert figures["purchases"] == 10
    assert figures["returns"] == 10
    assert figures["points_before"] == figures["points_after"] == 5 * 11
    assert figures["purchases_affected"] == 0
    assert figures["members_unchanged"] == 5
    assert all(day["points_before"] == day["points_after"] for day in figures["days"])


def test_double_points_cost_double(shop: Shop) -> None:
    members = shop.enrol(3)
    for number, member in enumerate(members):
        shop.buy(member, f"a{number}", ["10.00"], "2026-03-01", store="319")
    figures = shop.simulated(DOUBLE)
    assert (figures["points_before"], figures["points_after"], figures["change_percent"]) == (30, 60, 100.0)
    assert (figures["cost_before"], figures["cost_after"]) == (30, 60)
    assert figures["purchases_affected"] == figures["members_gaining"] == 3
    assert figures["stores"] == [{"id": "319", "purchases": 3, "amount": 3000, "points_before": 30, "points_after": 60}]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happened_under_a_rule_set_happens_again_under_it(shop: Shop, seed: int) -> None:
    luck = random.Random(seed)
    shop.publish(LIVELY)
    for number, member in enumerate(shop.enrol(6)):
        live(shop, member, f"{number}", luck)
    figures = shop.simulated(LIVELY)
    assert figures["set_aside"] == 0
    assert figures["points_before"] == figures["points_after"] != 0
    assert [one for one in figures["rules"] if one["points_before"] != one["points_after"]] == []
    assert figures["members_unchanged"] == figures["members"] == 6
    assert figures["purchases_affected"] == 0
    gave = {one["rule"] for one in figures["rules"] if one["times_before"]}
    assert gave >= {"base", "first", "streak", "gift", "tea"}


def bought(shop: Shop, members: int = 40) -> list[str]:
    """Members who have each bought once or twice."""
    found = shop.enrol(members)
    for number, member in enumerate(found):
        shop.buy(member, f"a{number}", [f"{number + 1}.50"], f"2026-03-{number % 28 + 1:02d}", store=str(number % 5))
        if number % 3 == 0:
            shop.buy(member, f"b{number}", ["9.99"], "2026-03-30")
    return found


@pytest.mark.parametrize("seed", range(5))
def test_in_whatever_pages_and_order_it_is_worked_off_and_however_often_the_figures_are_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    bought(shop)
    whole = shop.simulated(DOUBLE)
    assert whole["members"] == 40

    luck = random.Random(seed)
    accounts = luck.choice([3, 4, 20])
    monkeypatch.setattr(service, "ACCOUNTS", accounts)
    monkeypatch.setattr(service, "MOST_ENTRIES", luck.choice([1, 1, 4, 1000]))
    simulation = shop.begin(shop.draft(DOUBLE))
    seen: list[dict[str, Any]] = []
    while shop.queue:
        place = luck.randrange(len(shop.queue))
        message = shop.queue[place]
        del shop.queue[place]
        seen.append(message)
        for again in [message] * luck.choice([1, 1, 2]) + [one for one in seen if luck.random() < 0.05]:
            assert shop.deliver(again)
    # Where members lie is chance; but of 40 in 16 shards some shard has three, and each has two wallets.
    assert accounts > 4 or max(message["page"] for message in seen) > 1
    found = shop.show(simulation)
    assert found["status"] == "done"
    assert found["progress"]["accounts"] == found["progress"]["accounts_done"] == 40
    assert found["figures"] == whole
    assert all(shop.deliver(message) for message in seen)
    assert shop.show(simulation) == found
    assert not shop.queue


def test_two_workers_on_one_page_count_it_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    bought(shop)
    whole = shop.simulated(DOUBLE)
    simulation = shop.begin(shop.draft(DOUBLE))
    keep = BacktestStore.keep
    quicker: list[dict[str, Any]] = []

    def overtaken(store: BacktestStore, backtest: Any, shard: Any, figures: Any) -> bool:
        """Another worker with the same message is a moment quicker."""
        if not quicker:
            quicker.append(shop.delivered[-1])
            assert shop.deliver(quicker[0])
            quicker.clear()
        return keep(store, backtest, shard, figures)

    monkeypatch.setattr(BacktestStore, "keep", overtaken)
    shop.drain()
    assert shop.show(simulation)["figures"] == whole


def test_a_worker_that_ends_between_its_page_and_the_message_for_the_next_is_no_loss(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought(shop)
    whole = shop.simulated(DOUBLE)
    monkeypatch.setattr(service, "ACCOUNTS", 2)
    simulation = shop.begin(shop.draft(DOUBLE))
    send = outbound.send
    lost: list[dict[str, Any]] = []

    def silent(queue: str, message: dict[str, Any], attributes: dict[str, str] | None = None) -> None:
        """Every other message does not get onto the queue."""
        lost.append(message)
        if len(lost) % 2:
            raise Unavailable("STORAGE_UNAVAILABLE", "x", retry_after=1)
        send(queue, message, attributes)

    monkeypatch.setattr(outbound, "send", silent)
    wiring.backtests.cache_clear()  # another copy of the worker
    while shop.queue:
        message = shop.queue.popleft()
        while not shop.deliver(message):
            pass
    assert len(lost) > 2
    assert shop.show(simulation)["figures"] == whole


def test_an_account_that_cannot_be_replayed_is_set_aside_and_the_others_are_not(shop: Shop) -> None:
    members = bought(shop, 6)
    order = keys.order(PROGRAM, "pos", "a2")
    shop.running.table.delete(order)
    figures = shop.simulated(DOUBLE)
    assert figures["set_aside"] == 1
    assert figures["set_aside_first"] == [
        {"member": members[2], "reason": "Corrupt: entry 2: its order document is missing"}
    ]
    assert (figures["accounts"], figures["members"]) == (6, 5)


def test_a_part_that_fails_again_and_again_makes_it_incomplete_until_it_is_sent_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought(shop, 3)
    whole = shop.simulated(DOUBLE)
    simulation = shop.begin(shop.draft(DOUBLE))
    broken = shop.queue.popleft()
    with monkeypatch.context() as within:
        within.setattr(BacktestStore, "accounts", None)
        for _ in range(MAX_TRIES):
            assert shop.show(simulation)["status"] == "running"
            assert not shop.deliver(broken)
    shop.drain()
    found = shop.show(simulation)
    assert found["status"] == "incomplete"
    assert found["incomplete"] == [{"shard": broken["shard"], "reason": "TypeError"}]
    assert "figures" not in found
    assert shop.latest(found["rule_set"]) is None

    assert shop.deliver(broken)
    shop.drain()
    found = shop.show(simulation)
    assert (found["status"], found["figures"]) == ("done", whole)


def test_the_newest_finished_one_speaks_for_a_rule_set(shop: Shop) -> None:
    bought(shop, 3)
    shop.publish_heads()
    draft = shop.draft(DOUBLE)
    assert shop.latest(draft) is None
    first = shop.begin(draft, days=10)
    waiting, shop.queue = shop.queue, deque()
    second = shop.begin(draft, days=20)
    shop.drain()
    newest = shop.latest(draft)
    assert newest is not None
    assert (newest.simulation, newest.days, newest.change_percent) == (second, 20, 100.0)
    assert newest.exceeds(99)
    assert not newest.exceeds(100)
    shop.queue = waiting
    shop.drain()
    assert shop.show(first)["status"] == "done"
    latest = shop.latest(draft)
    assert latest is not None
    assert latest.simulation == max(first, second), "the newer one, though it ended first"


def test_only_the_days_asked_for_count_and_what_came_before_is_known(shop: Shop) -> None:
    (member,) = shop.enrol(1)
    shop.buy(member, "a", ["1.60"], "2026-03-01")
    shop.buy(member, "b", ["1.60"], "2026-03-10")
    shop.bring_back("a", "2026-03-11")
    shop.buy(member, "c", ["1.60"], "2026-03-20")
    figures = shop.simulated(BASE, days=5, until="2026-03-12")
    assert [one["day"] for one in figures["days"]] == ["2026-03-10", "2026-03-11"]
    # 1.6 carried 0.6 into the second purchase, so that gives 2; the third is after the window.
    assert [one["points_after"] for one in figures["days"]] == [2, -2]
    assert figures["points_before"] == figures["points_after"] == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"days": 0}, "days"),
        ({"days": 367}, "days"),
        ({"until": "2026-02-30"}, "until"),
        ({"until": "yesterday"}, "until"),
        ({"until": "9000-01-01"}, "until"),
        ({"day": 3}, "day"),
    ],
)
def test_days_that_are_none_are_refused(shop: Shop, body: dict[str, Any], field: str) -> None:
    draft = shop.draft(BASE)
    answer = shop.running.call(shop.operator, "POST /v1/rule-sets/{id}/simulate", body, params={"id": draft})
    assert (answer.status, answer.code, answer.body["field"]) == (400, "REQUEST_INVALID", field)
    assert not shop.queue


def test_what_is_not_there_cannot_be_tried_or_looked_at(shop: Shop) -> None:
    simulation = shop.begin(shop.draft(BASE))
    absent = {"id": "rls_01ARZ3NDEKTSV4RRFFQ69G5FAV"}
    assert shop.running.call(shop.operator, "POST /v1/rule-sets/{id}/simulate", {}, params=absent).status == 404
    for other in ("sim_01ARZ3NDEKTSV4RRFFQ69G5FAV", "LATEST#x", "x"):
        assert shop.look(other).code == "SIMULATION_NOT_FOUND"
    assert shop.look(simulation).body["status"] == "running"
    assert shop.deliver({"program": PROGRAM, "simulation": "sim_x", "shard": 0, "page": 1})


def test_members_are_named_to_those_alone_who_may_list_them(shop: Shop) -> None:
    members = bought(shop, 6)
    shop.running.table.delete(keys.order(PROGRAM, "pos", "a2"))
    shop.publish_heads()
    simulation = shop.begin(shop.draft(DOUBLE), 60, "2026-03-31")
    shop.drain()

    def seen(role: str) -> Any:
        answer = shop.running.call(
            shop.running.key(role, name=f"{role} 2"), "GET /v1/simulations/{id}", params={"id": simulation}
        )
        return answer.body["figures"]

    named, unnamed = seen("auditor"), seen("marketer")
    assert {one["member"] for one in named["most_gained"]} <= set(members)
    assert [one["member"] for one in named["set_aside_first"]] == [members[2]]
    assert not [member for member in members if member in json.dumps(unnamed)]
    assert unnamed["set_aside_first"] == [{"reason": "Corrupt"}]
    for figures in (named, unnamed):
        figures["gains"] = [one["points_after"] - one["points_before"] for one in figures.pop("most_gained")]
        del figures["most_lost"], figures["set_aside_first"]
    assert named == unnamed
    assert len(named["gains"]) > 1


def test_a_till_may_neither_try_nor_look(shop: Shop) -> None:
    simulation = shop.begin(shop.draft(BASE))
    answer = shop.running.call(shop.till, "GET /v1/simulations/{id}", params={"id": simulation})
    assert (answer.status, answer.code) == (403, "AUTH_SCOPE_MISSING")
    shop.till = shop.running.key("auditor")
    assert shop.running.call(shop.till, "GET /v1/simulations/{id}", params={"id": simulation}).status == 200
    answer = shop.running.call(shop.till, "POST /v1/rule-sets/{id}/simulate", {}, params={"id": "current"})
    assert answer.code == "AUTH_SCOPE_MISSING"


def test_an_account_with_more_entries_than_can_be_replayed_is_set_aside(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = bought(shop, 4)
    for number in range(5):
        shop.buy(members[1], f"more{number}", ["1.00"], "2026-03-05")
    monkeypatch.setattr(service, "MOST_OF_ONE", 3)
    monkeypatch.setattr(service, "_STRIDES", (2, 1))
    figures = shop.simulated(DOUBLE)
    assert [one["member"] for one in figures["set_aside_first"]] == [members[1]]
    assert (figures["accounts"], figures["members"]) == (4, 3)
