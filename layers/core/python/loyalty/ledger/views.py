"""How entries and balances look from outside. Pure: the same entry always gives the same answer, so a replay repeats
the first one.
"""

from datetime import UTC, date, datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from loyalty.ids import located
from loyalty.ledger.account import WAITING, Move, Multiplier, State, next_expiry
from loyalty.ledger.chain import Chain, Entry


def iso(seconds: int) -> str:
    """RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Balances(Struct, frozen=True):
    """Points by state; available is what a spend would be allowed."""

    available: int
    pending: int
    held: int
    arrears: int


class Movement(Struct, frozen=True, omit_defaults=True):
    """One change to one state of the account: why, which state, how many points, and until when they last."""

    why: str
    state: str
    points: int
    expires_at: str | UnsetType = UNSET
    starts_at: str | UnsetType = UNSET


class PurchaseRef(Struct, frozen=True, omit_defaults=True):
    """The order an entry speaks of. ``amount`` is this entry's, ``returned`` all that came back so far; minor units."""

    source: str
    order_id: str
    amount: int
    returned: int | UnsetType = UNSET


class AwardView(Struct, frozen=True):
    """What one rule gave, or what of it was taken back."""

    rule: str
    points: int


class HoldView(Struct, frozen=True, omit_defaults=True):
    """Points set aside. ``left`` is what a capture left in force."""

    id: str
    expires_at: str | UnsetType = UNSET
    offline: bool | UnsetType = UNSET
    released: int | UnsetType = UNSET
    left: int | UnsetType = UNSET


class TierChange(Struct, frozen=True, omit_defaults=True):
    """What an entry made of the member's tier; either is missing for none. The same twice: it was renewed, warned of,
    or set by hand.
    """

    was: str | UnsetType = UNSET
    now: str | UnsetType = UNSET


class MultiplierView(Struct, frozen=True):
    """Purchases of the days from ``first_day`` to ``last_day``, both included, earn so many times the base points;
    ``times`` is an exact fraction.
    """

    campaign: str
    times: str
    first_day: str
    last_day: str


class EntryView(Struct, frozen=True, omit_defaults=True):
    """One line of the ledger. ``points`` is what the command moved, always positive but for an adjustment down.

    ``awards`` are given where they are more than the base rule's, ``rule_set`` where a version of a rule set decided;
    ``of`` is the entry whose waiting points were activated or cancelled, ``campaign`` the one that gave points or a
    ``multiplier``.
    """

    id: str
    number: int
    kind: str
    member: str
    wallet: str
    points: int
    occurred_at: str
    recorded_at: str
    by: str
    movements: list[Movement]
    balance: Balances
    purchase: PurchaseRef | UnsetType = UNSET
    event: str | UnsetType = UNSET
    redemption: str | UnsetType = UNSET
    hold: HoldView | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    to: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    forgiven: int | UnsetType = UNSET
    awards: list[AwardView] | UnsetType = UNSET
    rule_set: int | UnsetType = UNSET
    of: str | UnsetType = UNSET
    allowance: str | UnsetType = UNSET
    tier: TierChange | UnsetType = UNSET
    campaign: str | UnsetType = UNSET
    multiplier: MultiplierView | UnsetType = UNSET


class LotView(Struct, frozen=True, omit_defaults=True):
    """Points of the same terms. Pending are those with a start, and those ``waiting`` for an event to decide."""

    points: int
    expires_at: str | UnsetType = UNSET
    starts_at: str | UnsetType = UNSET
    waiting: bool = False


class HeldView(Struct, frozen=True):
    """A hold in force."""

    id: str
    points: int
    expires_at: str
    offline: bool


class BalanceView(Struct, frozen=True, omit_defaults=True):
    """A wallet as of a moment."""

    member: str
    wallet: str
    status: str
    as_of: str
    balance: Balances
    lots: list[LotView]
    holds: list[HeldView]
    expires_next: LotView | UnsetType = UNSET
    multipliers: list[MultiplierView] | UnsetType = UNSET
    """Those that campaigns have given and that have not ended, and those that ended a few days ago."""


def entry_view(entry: Entry, allowance: str | UnsetType = UNSET) -> EntryView:
    """An entry for the API."""
    detail = entry.detail
    chain = entry.chain
    return EntryView(
        id=located("ent", chain.account, chain.wallet, entry.number),
        number=entry.number,
        kind=entry.kind,
        member=chain.account,
        wallet=chain.wallet,
        points=detail.get("points", 0),
        occurred_at=iso(entry.occurred),
        recorded_at=iso(entry.recorded),
        by=entry.actor,
        movements=movements(entry.moves),
        balance=balances(entry.state),
        purchase=PurchaseRef(detail["source"], detail["order"], detail["amount"], detail.get("returned", UNSET))
        if "order" in detail
        else UNSET,
        event=detail.get("event", UNSET),
        redemption=_redemption(entry),
        hold=_hold(entry),
        reason=detail.get("reason", detail.get("for", UNSET)),
        to=detail.get("to", UNSET),
        source=detail.get("from", UNSET),
        forgiven=detail.get("forgiven", UNSET),
        awards=awards(entry),
        rule_set=detail.get("rules", UNSET),
        of=located("ent", chain.account, chain.wallet, detail["of"])
        if entry.kind in {"activated", "cancelled"}
        else UNSET,
        allowance=allowance,
        tier=_tier(entry),
        campaign=detail.get("campaign", UNSET),
        multiplier=_multiplier(entry),
    )


def awards(entry: Entry) -> list[AwardView] | UnsetType:
    """What each rule gave, or what of it was taken back; nothing where it was the base rule alone."""
    told = entry.detail.get("awards")
    return UNSET if told is None else [AwardView(rule, points) for rule, points in told]


def _tier(entry: Entry) -> TierChange | UnsetType:
    told = entry.detail.get("tier")
    return UNSET if told is None else TierChange(told[0] or UNSET, told[1] or UNSET)


def movements(moves: list[Move]) -> list[Movement]:
    """The moves that change a balance, in order."""
    found: list[Movement] = []
    for move in moves:
        why, op = move[0], move[1]
        if op == "l":
            _, _, expiry, start, delta = move
            state = "pending" if start else "available"
            found.append(Movement(why, state, delta, _moment(expiry), _moment(start)))
        elif op == "h":
            found.append(Movement(why, "held", move[4], _moment(move[3])))
        elif op == "a":
            found.append(Movement(why, "arrears", move[2]))
        elif op == "x" and move[5]:
            _, _, old, new, start, points = move
            state = "pending" if start else "available"
            found.append(Movement(why, state, -points, _moment(old), _moment(start)))
            found.append(Movement(why, state, points, _moment(new), _moment(start)))
    return found


def balances(state: State) -> Balances:
    """Sums by state."""
    balance = state.balance()
    return Balances(balance.available, balance.pending, balance.held, balance.arrears)


def balance_view(chain: Chain, state: State) -> BalanceView:
    """A settled state for the API."""
    expiring = next_expiry(state)
    return BalanceView(
        member=chain.account,
        wallet=chain.wallet,
        status=state.status,
        as_of=iso(state.at),
        balance=balances(state),
        lots=[
            LotView(points, _moment(expiry), _moment(start), start == WAITING)
            for (expiry, start), points in sorted(state.lots.items())
        ],
        holds=[
            HeldView(located("hld", chain.account, chain.wallet, number), hold.points, iso(hold.deadline), hold.offline)
            for number, hold in sorted(state.holds.items())
        ],
        expires_next=LotView(expiring[1], iso(expiring[0])) if expiring else UNSET,
        multipliers=[_multiplied(one) for one in state.multipliers] or UNSET,
    )


def _multiplier(entry: Entry) -> MultiplierView | UnsetType:
    given = given_multiplier(entry.moves)
    return UNSET if given is None else _multiplied(given)


def given_multiplier(moves: list[Move]) -> Multiplier | None:
    """The multiplier that an entry gave, read from its moves."""
    for move in moves:
        if move[1] == "o":
            campaign, num, den, first, last = move[2:]
            return Multiplier(first, last, campaign, num, den)
    return None


def _multiplied(one: Multiplier) -> MultiplierView:
    times = str(one.num) if one.den == 1 else f"{one.num}/{one.den}"
    first, last = (date.fromordinal(day).isoformat() for day in (one.first, one.last))
    return MultiplierView(one.campaign, times, first, last)


def _moment(seconds: int) -> str | UnsetType:
    """Of an expiry or a start; unset for never, at once, and when an event says so."""
    return iso(seconds) if seconds > 0 else UNSET


def _redemption(entry: Entry) -> Any:
    if entry.kind in {"redeemed", "captured"}:
        return located("red", entry.chain.account, entry.chain.wallet, entry.number)
    if entry.kind == "restored":
        return located("red", entry.chain.account, entry.chain.wallet, entry.detail["of"])
    return UNSET


def _hold(entry: Entry) -> Any:
    detail = entry.detail
    if entry.kind == "held":
        hold = located("hld", entry.chain.account, entry.chain.wallet, entry.number)
        return HoldView(hold, iso(detail["deadline"]), detail["offline"])
    if entry.kind in {"captured", "released"}:
        hold = located("hld", entry.chain.account, entry.chain.wallet, detail["hold"])
        return HoldView(hold, released=detail.get("released", UNSET), left=detail.get("left", UNSET))
    return UNSET
