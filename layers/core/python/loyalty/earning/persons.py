"""What rules read of a member at a moment. Pure."""

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from loyalty.ledger.account import State
from loyalty.programs.terms import Program

if TYPE_CHECKING:
    from loyalty.rules.facts import Person

ONE: Final = 1000
"""A multiplier that changes nothing, in thousandths; it is not kept."""


def as_of(policy: Program, person: "Person | None", state: State, now: int) -> "Person | None":
    """The member with the tier that the account has at ``now``, whether or not anybody has written it down; with the
    document's where the policy has no tiers.
    """
    if person is None or policy.tiers is None:
        return person
    from loyalty.tiers.standing import current, multiplier

    tier = current(policy, state, now).tier
    times = multiplier(policy, tier)
    return replace(person, tier=tier, multiplier=0 if times == ONE else times)
