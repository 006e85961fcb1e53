"""Earning by rules under every schedule of two writers, and many with faults: caps, budgets and first orders hold, and
an order document says what its entry gave.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import pytest

from loyalty.earning import service
from loyalty.earning.intake import Intake
from loyalty.earning.purchase import Order
from loyalty.earning.rulebook import Rulebook
from loyalty.earning.service import Earning
from loyalty.earning.store import OrderStore, order_of_item
from loyalty.ledger.account import State
from loyalty.ledger.chain import Entry
from loyalty.ledger.service import Ledger
from loyalty.ledger.store import HeadStore, LedgerStore
from loyalty.ledger.wallet import Wallets
from loyalty.programs.terms import Program
from loyalty.rules.compiler import compiled
from loyalty.rules.leases import BudgetStore, Leases
from loyalty.table.client import Table, Together
from loyalty.values import Rate
from tests.simulation.dynamodb import TABLE, Client, Engine
from tests.simulation.explore import Found, every_schedule, many_seeds
from tests.simulation.scheduler import ALL_FAULTS, Choices, Fault, Faults, Simulation
from tests.simulation.world import (
    ANNA,
    BERT,
    PROGRAM,
    Request,
    Services,
    Story,
    World,
    buy,
    give_back,
    in_turn,
    multiply,
    wallet_of,
)
from tests.tally import tried
from tests.unit.published import Shelf, checked, give_budget, leased, rule

FIRST = rule("first", "5 * base", "member.first_purchase")
TWICE = Rate(2, 1)
THIRD = rule("third", "amount / 3")
CAPPED = rule("capped", "amount", cap="{member: {points: 30, per: total}}")
PAID = rule("paid", "2 * base", budget="autumn")
BUDGET = 60
CAMPAIGN = f"campaigns: {{autumn: {{points: {BUDGET}}}}}"
SEEDS = 60
ONE_DEATH = Faults((Fault.LOSE, Fault.KILL_AFTER), 1)


@dataclass
class Ruled(World):
    """One run under rules. What a crash left is finished when a later version is in force."""

    orders: dict[str, Order] = field(default_factory=dict)
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    engine: Engine = field(default_factory=Engine)

    def check(self) -> None:
        self.engine = self.simulation.engine
        story = self.scenario
        assert isinstance(story, RuledStory)
        table = Table(Client(self.engine, validate=False), TABLE, in_turn)
        story.shelf.in_force = 2
        services = Services.on(Client(self.engine, validate=False), in_turn, story.policy)
        self._drain(services, self.simulation.clock.now)
        story.shelf.in_force = 1
        for item in self.engine.items():
            if item["t"]["S"] == "order":
                plain = {name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()}
                order = order_of_item(plain)
                self.orders[order.order_id] = order
        for account in (ANNA, BERT):
            chain = wallet_of(account)
            self.entries[account] = list(services.chains.oldest(chain))
            assert services.wallets.verify(chain)[1] is None
            assert services.wallets.rebuild(chain).encode() == self.entries[account][-1].state.encode()
            self._sums(account)
        self._documents()
        for answer in self.answers:
            if answer.posted is not None:
                entry = answer.posted.entry
                assert self.entries[entry.chain.account][entry.number - 1].hash == entry.hash
        if story.budget:
            assert self.given("paid") <= leased(table, "autumn", PROGRAM) <= BUDGET
        story.expect(self)

    def _sums(self, account: str) -> None:
        """By rule: what documents promise is what entries gave, and what is carried (I10)."""
        exact: dict[str, Fraction] = defaultdict(Fraction)
        for order in self.orders.values():
            if order.account == account and order.given is not None and not order.came_back:
                for award in order.given.awards:
                    exact[award.rule] += Fraction(award.num, award.den)
        given: dict[str, Fraction] = defaultdict(Fraction)
        for entry in self.entries[account]:
            for name, points in by_rule(entry).items():
                given[name] += points if entry.kind == "earned" else -points
        state = self.entries[account][-1].state
        for name, rest in state.remainders.items():
            given[name] += Fraction(rest.num, rest.den)
        assert {name: sum_ for name, sum_ in given.items() if sum_} == {n: sum_ for n, sum_ in exact.items() if sum_}
        assert sum(state.lots.values()) - state.arrears == sum(
            points if entry.kind == "earned" else -points
            for entry in self.entries[account]
            for points in by_rule(entry).values()
        )

    def _documents(self) -> None:
        """Every document has its entry, of the version and the awards that it names."""
        earned = {
            str(entry.detail["order"]): entry
            for entries in self.entries.values()
            for entry in entries
            if entry.kind == "earned"
        }
        assert set(earned) == set(self.orders)
        for name, order in self.orders.items():
            assert order.given is not None
            assert order.given.version == earned[name].detail["rules"] == 1
            assert [award.rule for award in order.given.awards] == list(by_rule(earned[name]))

    def given(self, rule: str) -> int:
        """Points that a rule gave, whatever came back."""
        return sum(
            by_rule(entry).get(rule, 0)
            for entries in self.entries.values()
            for entry in entries
            if entry.kind == "earned"
        )


def by_rule(entry: Entry) -> dict[str, int]:
    """Points of an entry by rule, in their order."""
    if entry.kind not in ("earned", "reversed"):
        return {}
    awards: list[tuple[str, int]] = entry.detail.get("awards", [("base", entry.detail["points"])])
    return dict(awards)


@dataclass
class RuledStory(Story):
    """A scenario under version 1 of a rule set; what is left over is finished when version 2 is in force."""

    shelf: Shelf = field(default_factory=lambda: Shelf(compiled))
    budget: bool = False

    def begin(self, choices: Choices) -> World:
        if self._prepared is None:
            self._prepared = self._prepare()
            if self.budget:
                table = Table(Client(self._prepared), TABLE, in_turn)
                give_budget(table, "autumn", BUDGET, PROGRAM)
        simulation = Simulation(self._prepared.clone(), choices, now=self.now, ticks=self.ticks, faults=self.faults)
        world = Ruled(self, simulation)
        world.start()
        return world


def story(name: str, *writers: list[Request], rules: tuple[str, ...], **further: object) -> RuledStory:
    made = RuledStory(name, writers, **further)  # type: ignore[arg-type] # the fields of a story, by name
    head = CAMPAIGN if made.budget else ""
    made.shelf.publish(checked(head, *rules))
    made.shelf.publish(checked(head, rule("other", "1000")))
    made.shelf.in_force = 1
    return made


@pytest.fixture
def ruled(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sees a story through: every schedule, or one for each of so many seeds."""

    def see_through(told: RuledStory, seeds: int | None = None) -> None:
        def on(client: Client, together: Together, program: Program) -> Services:
            table = Table(client, TABLE, together)
            ledger = Ledger(LedgerStore(table), lambda chain: "member")
            orders = OrderStore(table)
            leases = Leases(BudgetStore(table), lambda *_: None)
            earning = Earning(
                ledger,
                orders,
                lambda _: program,
                Rulebook(rules=told.shelf.current, rules_of=told.shelf.of_version, budgets=lambda: leases),
            )
            intake = Intake(earning, orders, lambda name, member, identity: member or "")
            return Services(Wallets(ledger), earning, intake, HeadStore(table), ledger.store, table, program)

        monkeypatch.setattr(Services, "on", on)
        try:
            done = every_schedule(told) if seeds is None else many_seeds(told, range(seeds))
        except Found as found:
            pytest.fail(str(found), pytrace=False)
        tried("schedules", done.schedules)
        tried("operations", done.operations)

    return see_through


def one_is_first(world: World) -> None:
    assert isinstance(world, Ruled)
    assert world.given("base") == 10 * len(world.orders)
    assert world.given("first") == (40 if world.orders else 0)


def within_the_cap(world: World) -> None:
    assert isinstance(world, Ruled)
    assert world.given("capped") == 30
    assert world.given("base") == 80


def two_first_orders(**further: object) -> RuledStory:
    writers = [buy("o1", 1000)], [buy("o2", 1000)]
    return story("first-first", *writers, rules=(FIRST,), expect=one_is_first, **further)


def test_of_two_first_orders_at_the_same_time_one_is_the_first_in_every_schedule(
    ruled: Callable[..., None],
) -> None:
    ruled(two_first_orders())


def test_and_so_it_is_when_one_answer_is_lost_or_one_caller_dies_anywhere(ruled: Callable[..., None]) -> None:
    ruled(two_first_orders(faults=ONE_DEATH))


def test_and_so_it_is_whatever_fails_and_whoever_finishes_it(ruled: Callable[..., None]) -> None:
    ruled(two_first_orders(faults=Faults(ALL_FAULTS, 2), retried=False, consumers=1), 3 * SEEDS)


def capped(**further: object) -> RuledStory:
    writers = [buy("o1", 2000), buy("o2", 2000)], [buy("o3", 2000), buy("o4", 2000)]
    return story("capped", *writers, rules=(CAPPED, THIRD), **further)


def test_two_tills_at_once_never_go_beyond_a_members_cap(ruled: Callable[..., None]) -> None:
    ruled(capped(expect=within_the_cap), SEEDS)
    ruled(capped(expect=within_the_cap, faults=Faults(ALL_FAULTS, 2)), SEEDS)


def paid(**further: object) -> RuledStory:
    writers = (
        [buy("o1", 2500), buy("o2", 1000)],
        [buy("o3", 2500, account=BERT), buy("o4", 2500)],
        [buy("o5", 700, account=BERT), buy("o6", 1900, account=BERT)],
    )
    return story("paid", *writers, rules=(PAID, THIRD), budget=True, **further)


def test_a_campaign_never_gives_more_than_its_budget_whatever_fails(ruled: Callable[..., None]) -> None:
    ruled(paid(), SEEDS)
    ruled(paid(faults=Faults(ALL_FAULTS, 3)), 2 * SEEDS)
    ruled(paid(faults=Faults(ALL_FAULTS, 3), retried=False, consumers=1), 2 * SEEDS)


def came_back(world: World) -> None:
    assert isinstance(world, Ruled)
    state = world.entries[ANNA][-1].state
    assert state.purchases == sum(not order.came_back for order in world.orders.values())


def test_what_comes_back_while_others_buy_takes_its_own_awards(ruled: Callable[..., None]) -> None:
    bought = [buy("o1", 1000)]
    writers = [give_back("o1", "r1"), buy("o3", 400)], [buy("o2", 1000), give_back("o2", "r2")]
    rules = (FIRST, THIRD, CAPPED)
    for faults in (Faults(), Faults(ALL_FAULTS, 2)):
        told = story("returns", *writers, rules=rules, before=bought, faults=faults, expect=came_back)
        ruled(told, SEEDS)


def offered(**further: object) -> RuledStory:
    writers = [multiply(TWICE, "flash"), buy("o1", 999)], [buy("o2", 1000), give_back("o2", "r2")]
    return story("offered", *writers, rules=(FIRST, THIRD), **further)


def test_a_multiplier_that_is_offered_while_others_buy_is_in_the_document_and_in_the_entry_or_in_neither(
    ruled: Callable[..., None],
) -> None:
    ruled(offered(), SEEDS)
    ruled(offered(faults=Faults(ALL_FAULTS, 2), retried=False, consumers=1), SEEDS)


def _keeps_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """The document is left as it was when the awards have become others."""
    monkeypatch.setattr(service._Posting, "extra", lambda posting, draft: ())  # noqa: SLF001 - a bug is planted


def _decides_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was decided on the account as it was first read stands, whoever was first."""
    earns = service._Posting._earns  # noqa: SLF001 - a bug is planted
    known: dict[int, Any] = {}

    def once(posting: Any, state: State) -> Any:
        if id(posting) not in known:
            known[id(posting)] = (posting, earns(posting, state))
        return known[id(posting)][1]

    monkeypatch.setattr(service._Posting, "_earns", once)  # noqa: SLF001 - a bug is planted


def _frees_what_is_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that stands is never taken for one's own, whose answer was lost."""
    monkeypatch.setattr(Rulebook, "stands", lambda self, program, what, at, taken: self.used(program, what, {}))


@pytest.mark.parametrize(
    ("plant", "told", "seeds"),
    [
        (_keeps_the_document, two_first_orders(), None),
        (_decides_once, two_first_orders(), None),
        (_keeps_the_document, offered(), SEEDS),
        (_frees_what_is_reserved, paid(faults=Faults(ALL_FAULTS, 3)), 2 * SEEDS),
    ],
    ids=["keeps-the-document", "decides-once", "keeps-offers-out", "frees-what-is-reserved"],
)
def test_what_these_stories_are_for_would_be_noticed(
    ruled: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    plant: Callable[[pytest.MonkeyPatch], None],
    told: RuledStory,
    seeds: int | None,
) -> None:
    plant(monkeypatch)
    with pytest.raises(pytest.fail.Exception):
        ruled(told, seeds)
