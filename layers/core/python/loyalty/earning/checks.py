"""What a policy admits of purchases and events. Pure."""

from typing import Final

from loyalty.errors import Invalid, NotFound
from loyalty.programs.terms import Program

LATEST_SECONDS: Final = 86_400
"""How far in the future a till's clock may be."""


def check_occurred(policy: Program, occurred: int, now: int) -> None:
    """Invalid when something is said to have happened in the future, or before the programme accepts it."""
    if occurred > now + LATEST_SECONDS:
        raise Invalid("REQUEST_INVALID", "occurred_at lies in the future", field="occurred_at")
    if occurred < policy.earliest:
        raise Invalid("REQUEST_INVALID", "occurred_at lies before the programme's purchases_since", field="occurred_at")


def check_wallet(policy: Program, wallet: str) -> None:
    """NotFound when the programme has no such wallet."""
    if wallet not in policy.wallets:
        raise NotFound("WALLET_NOT_FOUND", f"The programme has the wallets {', '.join(policy.wallets)}")
