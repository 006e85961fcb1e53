"""Earning by rules, whatever is bought, quoted and brought back in whatever order, while rule sets come and go."""

import random
from collections import Counter, defaultdict
from contextlib import suppress
from fractions import Fraction
from itertools import permutations
from typing import Final

import pytest

from loyalty.earning.purchase import Line, Purchase, Return, ReturnLine
from loyalty.earning.rulebook import Rulebook
from loyalty.earning.service import Earning
from loyalty.errors import Refused
from loyalty.ledger.account import State
from loyalty.ledger.chain import Cause, Chain, Entry, fingerprint
from loyalty.ledger.service import Posted
from loyalty.rules.compiler import compiled
from loyalty.rules.leases import BudgetStore, Leases
from loyalty.rules.ruleset import RuleSet
from loyalty.table.client import Table
from tests.property.world import World, policy
from tests.simulation.dynamodb import TABLE, Client
from tests.tally import tried
from tests.unit.published import Shelf, checked, give_budget, leased, rule

PROGRAM: Final = "acme"
ANNA: Final = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"
DAY: Final = 86_400
START: Final = 1_767_225_600 + 12 * 3600
"""1 January 2026, noon."""
BUDGET: Final = 400
CAPS: Final = {"monthly": 120, "total": 75, "order": 9}
SECTIONS: Final = f"""
    campaigns: {{autumn: {{points: {BUDGET}}}}}
    groups: {{offers: {{stacking: best}}}}
    attributes: {{line: {{organic: truth}}}}
"""
POOL: Final = {
    "first": rule("first", "5 * base", "member.first_purchase"),
    "third": rule("third", "amount / 3"),
    "seventh": rule("seventh", "line.amount / 7", "line.category = 'wine'", "line"),
    "organic": rule("organic", "line.quantity * 2", "line.organic", "line"),
    "monthly": rule("monthly", "amount / 3", cap="{member: {points: 120, per: month}}"),
    "total": rule("total", "2 * base", cap="{member: {points: 75, per: total}}", group="offers"),
    "twice": rule("twice", "10", "amount >= 5", cap="{member: {times: 2, per: week}}", on_return="whole"),
    "order": rule("order", "base", cap="{order: 9}", group="offers", rounding="down").replace(
        'earn: "base"', 'earn: "amount * 2"'
    ),
    "app": rule("app", "amount / 9", "channel = 'app'", rounding="up", group="offers"),
    "paid": rule("paid", "amount / 4", budget="autumn"),
    "loyal": rule("loyal", "1 + member.purchases", "member.days_since_purchase <= 3", rounding="nearest"),
}


class Till:
    """One member's purchases under rule sets that change; ``now`` is the time of the next one."""

    def __init__(self, shelf: Shelf) -> None:
        self.world = World(policy(), {ANNA: "member"})
        self.shelf = shelf
        self.now = START
        self.chain = Chain(PROGRAM, ANNA, "points")
        self.sent = 0
        table = Table(Client(self.world.engine, validate=False), TABLE, lambda first, second: (first(), second()))
        self.table = table
        self.leases = Leases(BudgetStore(table), lambda *_: None)
        give_budget(table, "autumn", BUDGET, PROGRAM)
        self.earning = Earning(
            self.world.ledger,
            self.world.orders,
            lambda _: self.world.program,
            Rulebook(rules=shelf.current, rules_of=shelf.of_version, budgets=lambda: self.leases),
        )

    def cause(self) -> Cause:
        self.sent += 1
        return Cause(f"key{self.sent}", fingerprint(self.sent), "till", self.now)

    def buy(self, purchase: Purchase) -> Posted:
        return self.earning.record(PROGRAM, purchase, self.cause(), self.now)

    def bring_back(self, order_id: str, back: Return) -> Posted:
        return self.earning.take_back(PROGRAM, "pos", order_id, lambda _: back, self.cause(), self.now)

    def state(self) -> State:
        head = self.world.store.head(self.chain)
        return State() if head is None else head.state

    def entries(self) -> list[Entry]:
        return list(self.world.store.oldest(self.chain))


def some_rules(chance: random.Random) -> RuleSet:
    return checked(SECTIONS, *(POOL[name] for name in sorted(chance.sample(sorted(POOL), chance.randint(2, 7)))))


def some_purchase(chance: random.Random, number: int, occurred: int) -> Purchase:
    lines = tuple(
        Line(
            chance.choice([0, 1, 99, 100, 333, chance.randint(1, 4000)]),
            chance.randint(0, 4),
            category=chance.choice(["", "wine", "deli"]),
            attributes={"organic": True} if chance.random() < 0.3 else {},
        )
        for _ in range(chance.randint(1, 4))
    )
    channel = chance.choice(["store", "app"])
    return Purchase("pos", str(number), ANNA, "points", "EUR", lines, occurred, "319", channel)


def some_return(chance: random.Random, purchase: Purchase) -> Return:
    kind = chance.random()
    if kind < 0.4:
        return Return(amount=chance.randint(0, 500))
    if kind < 0.8:
        line = chance.randint(1, len(purchase.lines))
        bought = purchase.lines[line - 1]
        if chance.random() < 0.5 and bought.quantity:
            return Return((ReturnLine(line, quantity=chance.randint(1, bought.quantity)),))
        return Return((ReturnLine(line, amount=chance.randint(0, bought.amount)),))
    return Return()


def by_rule(entry: Entry) -> Counter[str]:
    awards: list[tuple[str, int]] = entry.detail.get("awards", [("base", entry.detail["points"])])
    found: Counter[str] = Counter()
    for name, points in awards:
        found[name] += points
    return found


def given(entries: list[Entry]) -> Counter[str]:
    """Points by rule that all purchases gave."""
    total: Counter[str] = Counter()
    for entry in entries:
        if entry.kind == "earned":
            total.update(by_rule(entry))
    return total


@pytest.mark.parametrize("seed", range(60))
def test_a_quote_is_what_posting_then_earns_and_everything_brought_back_leaves_nothing(seed: int) -> None:
    chance = random.Random(seed)
    till = Till(Shelf(compiled))
    bought: list[Purchase] = []
    till.shelf.publish(some_rules(chance))
    for number in range(14):
        if chance.random() < 0.3:
            till.shelf.publish(some_rules(chance))
        if bought and chance.random() < 0.4:
            purchase = chance.choice(bought)
            _try_back(till, purchase.order_id, some_return(chance, purchase))
        else:
            purchase = some_purchase(chance, number, till.now - chance.choice([0, 0, 0, 2, 40]) * DAY)
            quote = till.earning.quote(PROGRAM, purchase, till.now)
            posted = till.buy(purchase).entry
            assert {one.rule: one.points for one in quote.awards if one.points} == +by_rule(posted)
            assert quote.points == posted.detail["points"]
            bought.append(purchase)
        till.now += chance.choice([60, DAY, 9 * DAY])
    assert given(till.entries())["paid"] <= leased(till.table, "autumn", PROGRAM) <= BUDGET
    till.shelf.publish(some_rules(chance))
    for purchase in chance.sample(bought, len(bought)):
        _all_back(chance, till, purchase)
    state = till.state()
    assert (state.lots, state.remainders, state.arrears) == ({}, {}, 0)
    assert state.purchases == sum(purchase_of_nothing(purchase) for purchase in bought)
    assert "total:pt" not in state.counters
    tried("operations", till.sent)


def purchase_of_nothing(purchase: Purchase) -> bool:
    """Without money and without pieces there is nothing that could come back."""
    return not sum(line.amount for line in purchase.lines) and not sum(line.quantity for line in purchase.lines)


def _try_back(till: Till, order_id: str, back: Return) -> None:
    with suppress(Refused):
        till.bring_back(order_id, back)


def _all_back(chance: random.Random, till: Till, purchase: Purchase) -> None:
    """In parts, in any order, then whatever is left."""
    for _ in range(chance.randint(0, 3)):
        _try_back(till, purchase.order_id, some_return(chance, purchase))
    for number, line in enumerate(purchase.lines, 1):
        if not line.amount and line.quantity:
            order = till.world.orders.get(PROGRAM, "pos", purchase.order_id)
            assert order is not None
            if left := line.quantity - order.lines[number - 1].returned_quantity:
                till.bring_back(purchase.order_id, Return((ReturnLine(number, quantity=left),)))
    _try_back(till, purchase.order_id, Return())


@pytest.mark.parametrize("seed", range(40))
def test_a_purchase_that_comes_back_whole_leaves_the_account_as_it_was(seed: int) -> None:
    chance = random.Random(1000 + seed)
    till = Till(Shelf(compiled))
    till.shelf.publish(some_rules(chance))
    for number in range(chance.randint(0, 5)):
        till.buy(some_purchase(chance, number, till.now))
    before = till.state()
    purchase = some_purchase(chance, 99, till.now)
    till.buy(purchase)
    till.shelf.publish(some_rules(chance))
    till.now += 60
    _all_back(chance, till, purchase)
    after = till.state()
    assert (after.lots, after.remainders, after.arrears) == (before.lots, before.remainders, before.arrears)
    assert after.purchases == before.purchases + purchase_of_nothing(purchase)
    assert after.counters == before.counters or not before.counted


@pytest.mark.parametrize("seed", range(12))
def test_in_whatever_order_purchases_are_posted_no_cap_and_no_budget_is_exceeded(seed: int) -> None:
    chance = random.Random(2000 + seed)
    rules = checked(SECTIONS, *POOL.values())
    days = [till_day * DAY for till_day in (0, 1, 8, 33)]
    purchases = [some_purchase(chance, number, START + days[number]) for number in range(4)]
    exact: set[Fraction] = set()  # of the base rule, carried parts included
    for order in permutations(purchases):
        till = Till(Shelf(compiled))
        till.now = START + 40 * DAY
        till.shelf.publish(rules)
        months: dict[int, int] = defaultdict(int)
        for purchase in order:
            entry = till.buy(purchase).entry
            awards = by_rule(entry)
            assert awards["order"] <= CAPS["order"]
            # A late purchase counts in the running period: the latest that has been counted in.
            months[max([0, *months, (purchase.occurred - START) // (31 * DAY)])] += awards["monthly"]
        total = given(till.entries())
        assert total["total"] <= CAPS["total"]
        assert all(points <= CAPS["monthly"] for points in months.values())
        assert total["twice"] <= 2 * 10 * 3
        assert total["paid"] <= leased(till.table, "autumn", PROGRAM) <= BUDGET
        rest = till.state().remainders.get("base")
        exact.add(total["base"] + (Fraction(rest.num, rest.den) if rest else Fraction()))
        tried("operations", till.sent)
    assert exact == {sum((Fraction(line.amount, 100) for one in purchases for line in one.lines), Fraction())}
