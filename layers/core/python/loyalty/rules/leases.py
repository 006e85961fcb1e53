"""Budgets in the table, and what of them a running copy holds.

A copy serves one request at a time, so what it holds needs no lock, and is looked at again after every call; between
copies the budget's item is written under the condition that nobody has leased of it since it was read.
"""

from collections.abc import Callable, Mapping
from typing import Final

from loyalty.rules.budgets import Budget, block, leased
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Condition, ConditionFailed, Item, Put

DRY_SECONDS: Final = 30
"""So long a copy takes a budget that ran dry for dry, before it looks whether somebody has raised it."""
MAX_TRIES: Final = 8

Dry = Callable[[str, str], None]
"""Told of (programme, campaign) when an award does not fit into what is left of a budget."""


class BudgetStore:
    """Campaigns' budgets in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, program: str, campaign: str) -> Budget | None:
        item = self._table.get(keys.budget(program, campaign))
        return None if item is None else budget_of_item(item)

    def lease(self, program: str, campaign: str, need: int) -> tuple[int, Budget | None]:
        """Lease a block: what was got, which is less than ``need`` only when that is all there was, and the budget as
        it is then. Nothing of a campaign that has no budget, or that too many lease of at this very moment.
        """
        for _ in range(MAX_TRIES):
            budget = self.get(program, campaign)
            points = 0 if budget is None else block(budget, need)
            if budget is None or not points:
                return 0, budget
            after = leased(budget, points)
            try:
                self._table.put(item_of(program, campaign, after), _unchanged(budget))
            except ConditionFailed:
                continue
            return points, after
        return 0, None


def budget_of_item(item: Item) -> Budget:
    """A budget from its stored item."""
    return Budget(int(item["points"]), int(item["leased"]))


def item_of(program: str, campaign: str, budget: Budget) -> Item:
    """A budget as it is stored."""
    pk, sk = keys.budget(program, campaign)
    return {keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_budget, "points": budget.points, "leased": budget.leased}


def put_of(program: str, campaign: str, points: int, before: Budget | None) -> Put:
    """Set a campaign's budget, of which ``before`` was read; refused when somebody has leased of it since."""
    after = Budget(points, before.leased if before else 0)
    return Put(item_of(program, campaign, after), _unchanged(before) if before else ABSENT)


def _unchanged(budget: Budget) -> Condition:
    return Condition("#points = :points AND #leased = :leased", {"points": budget.points, "leased": budget.leased})


class Leases:
    """What one running copy holds of every campaign's budget. ``dry`` hears of a budget that does not reach."""

    def __init__(self, store: BudgetStore, dry: Dry) -> None:
        self._store = store
        self._dry = dry
        self._held: dict[tuple[str, str], int] = {}
        self._empty: dict[tuple[str, str], int] = {}
        """When a budget was last found to have nothing left, in seconds since 1970, UTC."""

    def reserve(self, program: str, needs: Mapping[str, int], now: int) -> dict[str, int]:
        """Set points aside for one purchase or event; what of them is got, by campaign: less than is needed only when
        that is all there is. A round trip or two when a new block is leased, which is rare, and none otherwise.
        """
        return {campaign: self._take(program, campaign, need, now) for campaign, need in needs.items()}

    def _take(self, program: str, campaign: str, need: int, now: int) -> int:
        key = program, campaign
        held = self._held.get(key, 0)
        if held < need and not 0 <= now - self._empty.get(key, -DRY_SECONDS) < DRY_SECONDS:
            got, _ = self._store.lease(program, campaign, need - held)
            held = self._held[key] = self._held.get(key, 0) + got
            if held < need:
                self._empty[key] = now
                self._dry(program, campaign)
        taken = min(held, need)
        self._held[key] = held - taken
        return taken

    def release(self, program: str, points: Mapping[str, int]) -> None:
        """Take back what was set aside and surely was not used."""
        for campaign, left in points.items():
            key = program, campaign
            self._held[key] = self._held.get(key, 0) + left

    def rooms(self, program: str, needs: Mapping[str, int]) -> dict[str, int]:
        """What would be got of these, were it reserved now; nothing is."""
        rooms: dict[str, int] = {}
        for campaign, need in needs.items():
            held = self._held.get((program, campaign), 0)
            if held < need:
                budget = self._store.get(program, campaign)
                held += budget.left if budget else 0
            rooms[campaign] = min(held, need)
        return rooms
