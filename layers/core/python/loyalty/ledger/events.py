"""What an entry means to the rest of the world: events, in the past tense. Pure.

An entry may carry several: a redemption that first let a lot expire gives ``points.expired`` and ``points.spent``. An
event's id follows from its entry, so the same event delivered twice is known by its id. No event holds personal data.
"""

from typing import Final

from msgspec import UNSET, Struct, UnsetType

from loyalty.ids import located
from loyalty.ledger.chain import Entry
from loyalty.ledger.views import AwardView, Balances, awards, balances, iso

VERSION: Final = 1

TYPES: Final[dict[str, str]] = {
    "earned": "points.earned",
    "activated": "points.activated",
    "held": "points.held",
    "released": "points.released",
    "lapsed": "points.released",
    "spent": "points.spent",
    "expired": "points.expired",
    "decayed": "points.expired",
    "reversed": "points.reversed",
    "owed": "points.owed",
    "repaid": "points.repaid",
    "restored": "points.restored",
    "adjusted": "points.adjusted",
    "transferred": "points.transferred",
    "forfeited": "points.forfeited",
    "frozen": "account.frozen",
    "unfrozen": "account.unfrozen",
    "closed": "account.closed",
}
"""Event by the reason of a move. ``merged`` and ``opened`` are nobody's business but the ledger's."""
PENDING: Final = "points.pending"
ENROLLED: Final = "member.enrolled"
CHANGED: Final = "member.changed"
_SILENT: Final = frozenset("dzrpckygxqvwo")
"""Moves that change no balance."""
_OF_AWARDS: Final = frozenset({"points.earned", PENDING, "points.reversed"})


class PointsEvent(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Points moved. ``points`` is how many, without sign; ``why`` the ledger's reason; ``awards`` each rule's part in
    all that the entry earned or took back, where that is more than the base rule; ``campaign`` is whose offer it was;
    ``event`` what the member did, and ``store`` where.
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
    occurred_at: str
    recorded_at: str
    balance: Balances
    source: str | UnsetType = UNSET
    order_id: str | UnsetType = UNSET
    event: str | UnsetType = UNSET
    store: str | UnsetType = UNSET
    campaign: str | UnsetType = UNSET
    awards: list[AwardView] | UnsetType = UNSET


class MemberEvent(Struct, frozen=True, kw_only=True):
    """Something about a member as such."""

    version: int = VERSION
    id: str
    program: str
    member: str
    kind: str


def events_of(entry: Entry) -> list[tuple[str, PointsEvent]]:
    """(type, detail) of every event of an entry, in the order of its moves."""
    points: dict[tuple[str, str], int] = {}
    for move in entry.moves:
        why, op = move[0], move[1]
        event = TYPES.get(why)
        if event is None or op in _SILENT:
            continue
        if op == "l":
            if why == "earned" and move[3]:
                event = PENDING
            amount = abs(move[4]) if _counts(why, op, move[4]) else 0
        else:
            amount = abs(move[-1]) if op in "ha" and _counts(why, op, move[-1]) else 0
        points[event, why] = points.get((event, why), 0) + amount
    return [(event, _detail(entry, event, why, amount)) for (event, why), amount in points.items()]


def _counts(why: str, op: str, delta: int) -> bool:
    """Of the two sides of a move between states, count one: what leaves, and for what comes back, what arrives."""
    if why in {"activated", "held", "released", "lapsed"}:
        return op == "l" and (delta > 0) == (why != "held")
    return why != "repaid" or op == "a"


def _detail(entry: Entry, event: str, why: str, points: int) -> PointsEvent:
    chain = entry.chain
    entry_id = located("ent", chain.account, chain.wallet, entry.number)
    return PointsEvent(
        id=f"{chain.program}:{entry_id}:{event}:{why}",
        program=chain.program,
        member=chain.account,
        wallet=chain.wallet,
        entry=entry_id,
        number=entry.number,
        why=why,
        points=points,
        occurred_at=iso(entry.occurred),
        recorded_at=iso(entry.recorded),
        balance=balances(entry.state),
        source=entry.detail.get("source", UNSET),
        order_id=entry.detail.get("order", UNSET),
        event=entry.detail.get("event", UNSET),
        store=entry.detail.get("store", UNSET),
        campaign=entry.detail.get("campaign", UNSET),
        awards=awards(entry) if event in _OF_AWARDS else UNSET,
    )
