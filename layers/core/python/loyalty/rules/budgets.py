"""How a campaign's budget is handed out, so that it is never exceeded and is never one hot item. Pure.

Points, whole. A running copy takes a block of the budget and gives out of it from memory: a 64th of what is left, so
blocks shrink as the end comes near, and never less than what is asked for. What a copy had left when it died stays
unspent: at most its block.
"""

from typing import Final

from msgspec import Struct

SHARES: Final = 64


class Budget(Struct, frozen=True):
    """A campaign's budget: ``points`` in all, of which ``leased`` are handed out."""

    points: int
    leased: int = 0

    @property
    def left(self) -> int:
        return max(0, self.points - self.leased)


def block(budget: Budget, need: int) -> int:
    """How much to lease for somebody who needs so many points; all that is left when that is less."""
    return min(budget.left, max(need, budget.left // SHARES))


def leased(budget: Budget, points: int) -> Budget:
    """The budget after so many more were leased."""
    return Budget(budget.points, budget.leased + points)
