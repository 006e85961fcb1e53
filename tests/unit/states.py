"""Wallet states to start from, written as a reader would say them."""

from collections.abc import Mapping

from loyalty.ledger.account import Draft, Hold, LotKey, State
from loyalty.values import Rate

NOW = 1_800_000_000
"""The moment at which the tests' commands are carried out, in seconds since 1970."""
TODAY = 739_996
"""Its day, 15 January 2027, a Friday, as an ordinal."""


def wallet(
    lots: Mapping[LotKey, int] | None = None,
    *,
    holds: Mapping[int, Hold] | None = None,
    arrears: int = 0,
    status: str = "open",
    remainders: Mapping[str, Rate] | None = None,
    lapsed: Mapping[int, int] | None = None,
    number: int = 10,
    at: int = NOW - 1000,
    purchases: tuple[int, int, int] = (0, 0, 0),
    counted: int = 0,
    counters: Mapping[str, int] | None = None,
    streaks: Mapping[str, tuple[int, int]] | None = None,
) -> State:
    """An account of ten entries. ``lots`` maps (expiry, start) to points; ``purchases`` are how many, and the days of
    the first and the last.
    """
    count, first, last = purchases
    return State(
        number=number,
        kind="member",
        status=status,
        at=at,
        lots=dict(lots or {}),
        holds=dict(holds or {}),
        arrears=arrears,
        remainders=dict(remainders or {}),
        lapsed=dict(lapsed or {}),
        recent=(("aaaaaaaa", at),),
        purchases=count,
        first=first,
        last=last,
        counted=counted,
        counters=dict(counters or {}),
        streaks=dict(streaks or {}),
    )


def draft(state: State, now: int = NOW) -> Draft:
    return Draft(state, now)
