"""What becomes of budgets, as an event. Pure."""

from typing import Final, Literal

from msgspec import Struct

from loyalty.ledger.events import VERSION
from loyalty.rules.budgets import Budget

EXHAUSTED: Final = "campaign.budget_exhausted"
_OFFERS: Final = "campaign:"


class ExhaustedEvent(Struct, frozen=True, kw_only=True):
    """All of a campaign's budget of ``points`` is handed out: to accounts, but for what running copies of functions
    still hold of it. ``budget`` says whose it is: a campaign's own, which its offers are paid from, or that of a
    campaign that rules of a rule set name. Once for a budget of this size; where it is raised, once more.
    """

    version: int = VERSION
    id: str
    program: str
    campaign: str
    budget: Literal["offers", "rules"]
    points: int


def exhausted(program: str, name: str, budget: Budget) -> list[tuple[str, ExhaustedEvent]]:
    """(type, detail) of what a budget's item has become, by the name it has there; nothing while there is some left."""
    if budget.left or not budget.points:
        return []
    offers = name.startswith(_OFFERS)
    event = ExhaustedEvent(
        id=f"{program}:budget:{name}:{budget.points}:{EXHAUSTED}",
        program=program,
        campaign=name.removeprefix(_OFFERS),
        budget="offers" if offers else "rules",
        points=budget.points,
    )
    return [(EXHAUSTED, event)]
