"""What a night has members told, as events. Pure."""

from datetime import date
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from loyalty.ids import located
from loyalty.ledger.account import State
from loyalty.ledger.chain import Entry
from loyalty.ledger.events import VERSION
from loyalty.ledger.views import Balances, balances, iso
from loyalty.timers.ends import REMINDED

EXPIRING: Final = "points.expiring"


class Ending(Struct, frozen=True):
    """Points that end together."""

    points: int
    ends_at: str


class Worth(Struct, frozen=True):
    """Money: ``amount`` in minor units of ``currency``."""

    amount: int
    currency: str


class RenewalOffer(Struct, frozen=True):
    """What it costs to keep all of it, in points, and until when it then lasts."""

    points: int
    until: str


class ExpiringEvent(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Points are about to end. ``why`` is ``expiry``, with their ends, or ``inactivity``: then ``points`` will be taken
    on ``decays_on`` unless something is bought before. ``notice_required``: they stay until it is confirmed that
    their owner was told. ``worth`` is what the points come to by the point cost of the rule set in force, rounded down.
    """

    version: int = VERSION
    id: str
    program: str
    member: str
    wallet: str
    entry: str
    number: int
    why: str
    points: int
    recorded_at: str
    balance: Balances
    ending: list[Ending] | UnsetType = UNSET
    decays_on: str | UnsetType = UNSET
    renewal: RenewalOffer | UnsetType = UNSET
    worth: Worth | UnsetType = UNSET
    notice_required: bool = False


def expiring_of(entry: Entry) -> list[tuple[str, ExpiringEvent]]:
    """(type, detail) of what an entry has its owner told."""
    if entry.kind != REMINDED:
        return []
    chain, detail = entry.chain, entry.detail
    entry_id = located("ent", chain.account, chain.wallet, entry.number)
    lots: list[list[int]] = detail.get("expiring", [])
    decaying: list[int] | None = detail.get("decaying")
    offer: list[int] | None = detail.get("renewal")
    worth: tuple[int, str] | None = detail.get("worth")
    told = ExpiringEvent(
        id=f"{chain.program}:{entry_id}:{EXPIRING}",
        program=chain.program,
        member=chain.account,
        wallet=chain.wallet,
        entry=entry_id,
        number=entry.number,
        why="inactivity" if decaying else "expiry",
        points=decaying[1] if decaying else sum(points for _, points in lots),
        recorded_at=iso(entry.recorded),
        balance=balances(entry.state),
        ending=[Ending(points, iso(expiry)) for expiry, points in lots] if lots else UNSET,
        decays_on=date.fromordinal(decaying[0]).isoformat() if decaying else UNSET,
        renewal=RenewalOffer(offer[0], iso(offer[1])) if offer else UNSET,
        worth=Worth(*worth) if worth else UNSET,
        notice_required=_waits(entry.state, decaying, lots),
    )
    return [(EXPIRING, told)]


def _waits(state: State, decaying: list[int] | None, lots: list[list[int]]) -> bool:
    if decaying:
        return state.decay_told == decaying[0]
    return any(state.waits_for_notice(expiry) for expiry, _ in lots)
