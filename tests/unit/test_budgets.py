"""Campaigns' budgets: however many copies give out of one, and whenever they die, it is never exceeded."""

import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.rules.budgets import SHARES, Budget, block, leased
from loyalty.rules.leases import DRY_SECONDS, BudgetStore, Leases, item_of, put_of
from loyalty.table.client import Table
from loyalty.table.writes import Cancelled
from tests.simulation.dynamodb import TABLE, Call, Client, Engine
from tests.unit.published import give_budget
from tests.unit.published import leased as leased_in
from tests.unit.running import PROGRAM, in_turn


class Copies:
    """Running copies of a function on one table, and the campaigns that each was told are dry."""

    def __init__(self, points: int = 0) -> None:
        self.engine = Engine()
        self.calls = 0
        self.table = Table(Client(self.engine, self._counted), TABLE, in_turn)
        self.dry: Counter[str] = Counter()
        if points:
            give_budget(self.table, "autumn", points)

    def _counted(self, call: Call) -> dict[str, object]:
        self.calls += 1
        return call.perform()

    def copy(self) -> Leases:
        return Leases(BudgetStore(self.table), lambda program, campaign: self.dry.update({campaign: 1}))

    def leased(self) -> int:
        return leased_in(self.table, "autumn")


def take(copy: Leases, need: int, now: int = 0) -> int:
    return copy.reserve(PROGRAM, {"autumn": need}, now)["autumn"]


def test_a_block_is_a_share_of_what_is_left_and_never_less_than_is_asked_while_there_is_that_much() -> None:
    assert block(Budget(6400), 1) == 6400 // SHARES
    assert block(Budget(6400, 3200), 1) == 50
    assert block(Budget(6400, 6399), 1) == 1
    assert block(Budget(100), 70) == 70
    assert block(Budget(100, 90), 70) == 10
    assert block(Budget(100, 100), 1) == 0
    assert block(Budget(100, 120), 1) == 0


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 10**6))
def test_a_lease_never_goes_beyond_the_budget(points: int, gone: int, need: int) -> None:
    budget = Budget(points, min(points, gone))
    after = leased(budget, block(budget, need))
    assert budget.leased <= after.leased <= points


def test_a_copy_gives_from_what_it_holds_without_asking_the_table() -> None:
    copies = Copies(64_000)
    copy = copies.copy()
    assert take(copy, 10) == 10
    before = copies.calls
    assert [take(copy, 10) for _ in range(99)] == [10] * 99
    assert copies.calls == before
    assert take(copy, 10) == 10
    assert copies.calls == before + 2, "one read, one write"
    assert copies.leased() == 1000 + (64_000 - 1000) // SHARES


def test_what_was_not_used_is_given_again() -> None:
    copies = Copies(100)
    copy = copies.copy()
    assert take(copy, 100) == 100
    copy.release(PROGRAM, {"autumn": 60})
    assert take(copy, 60) == 60
    assert copies.leased() == 100


def test_a_budget_that_does_not_reach_gives_what_is_left_and_is_told_once_in_a_while() -> None:
    copies = Copies(100)
    copy = copies.copy()
    assert take(copy, 70) == 70
    assert take(copy, 70, now=1) == 30
    copy.release(PROGRAM, {"autumn": 30})
    calls = copies.calls
    assert take(copy, 70, now=2) == 30
    assert (copies.calls, copies.dry["autumn"]) == (calls, 1)
    copy.release(PROGRAM, {"autumn": 30})
    give_budget(copies.table, "autumn", 100)  # as if it had been raised: another hundred, none of it leased
    assert take(copy, 70, now=1 + DRY_SECONDS) == 70


def test_a_campaign_without_a_budget_gives_nothing() -> None:
    copies = Copies()
    assert take(copies.copy(), 1) == 0
    assert copies.copy().rooms(PROGRAM, {"autumn": 1}) == {"autumn": 0}
    assert copies.engine.items() == []


def test_rooms_are_what_would_be_got_and_take_nothing() -> None:
    copies = Copies(100)
    copy = copies.copy()
    assert copy.rooms(PROGRAM, {"autumn": 70}) == {"autumn": 70}
    assert take(copy, 70) == 70
    assert copy.rooms(PROGRAM, {"autumn": 70}) == {"autumn": 30}
    assert copies.leased() == 70


def test_a_budget_is_changed_under_what_was_read_of_it() -> None:
    copies = Copies(100)
    store = BudgetStore(copies.table)
    read = store.get(PROGRAM, "autumn")
    copies.table.transact([put_of(PROGRAM, "autumn", 200, read)])
    assert store.get(PROGRAM, "autumn") == Budget(200)
    assert take(copies.copy(), 50) == 50
    with pytest.raises(Cancelled):
        copies.table.transact([put_of(PROGRAM, "autumn", 300, Budget(200))])
    with pytest.raises(Cancelled):
        copies.table.transact([put_of(PROGRAM, "autumn", 300, None)])
    copies.table.transact([put_of(PROGRAM, "winter", 300, None)])
    assert store.get(PROGRAM, "winter") == Budget(300)


def test_two_who_lease_at_the_same_moment_lease_one_after_the_other() -> None:
    copies = Copies(100)
    other = copies.copy()
    interfering = Leases(_Interrupted(copies.table, lambda: take(other, 60)), lambda *_: None)
    assert take(interfering, 60) == 40
    assert copies.leased() == 100


class _Interrupted(BudgetStore):
    """A budget of which somebody else leases between our reading and our writing, once."""

    def __init__(self, table: Table, act: Callable[[], object]) -> None:
        super().__init__(table)
        self._act: Callable[[], object] | None = act

    def get(self, program: str, campaign: str) -> Budget | None:
        found = super().get(program, campaign)
        if self._act is not None:
            act, self._act = self._act, None
            act()
        return found


@pytest.mark.parametrize("seed", range(40))
def test_copies_that_come_and_go_never_give_more_than_the_budget(seed: int) -> None:
    chance = random.Random(seed)
    budget = chance.choice([1, 63, 1_000, 50_000])
    copies = Copies(budget)
    running = [copies.copy() for _ in range(5)]
    spent = reserved = 0
    for moment in range(400):
        place = chance.randrange(5)
        copy = running[place]
        need = chance.randint(1, max(2, budget // chance.choice([5, 50, 500]) + 1))
        got = take(copy, need, moment)
        reserved += got
        used = chance.choice([got, got, got if got == need else 0, 0])
        if chance.random() < 0.9:
            copy.release(PROGRAM, {"autumn": got - used})
        spent += used
        if chance.random() < 0.02:
            running[place] = copies.copy()
        assert spent <= copies.leased() <= budget
    assert reserved > 0


def test_nothing_is_lost_while_no_copy_dies() -> None:
    copies = Copies(1_000)
    copy = copies.copy()
    spent = 0
    while got := take(copy, 7):
        spent += got
    assert spent == 1_000
    assert item_of(PROGRAM, "autumn", Budget(1_000, 1_000)) == copies.table.get((f"{PROGRAM}#B", "autumn"))
