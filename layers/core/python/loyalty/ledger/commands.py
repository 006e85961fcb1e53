"""What may be done to a wallet. Pure: each command takes a draft of the account as it stands now, and either adds
its moves or refuses.

Every function returns nothing and raises Refused when the account's state does not allow it; a refused draft is thrown
away, so a refusal leaves no trace. Points are counted in whole points, times in seconds since 1970, UTC.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from loyalty.errors import Invalid, NotFound, Refused
from loyalty.ledger.account import MAX_HOLDS, Draft, Hold, Move, Part, expiry_order
from loyalty.values import MAX_POINTS, ZERO, Rate

ONLY_PENDING: Final = "only_pending"
WITHIN_BALANCE: Final = "within_balance"
ARREARS: Final = "arrears"


class Grant(Struct, frozen=True):
    """Points to add under terms fixed now (I9): valid from ``start`` (0: at once) until ``expiry`` (0: for good)."""

    points: int
    expiry: int
    start: int


def begin(draft: Draft, kind: str) -> None:
    """First step of every command on an existing account: name the entry, settle, and refuse a closed account."""
    draft.kind = kind
    if draft.state.status == "closed":
        raise Refused("ACCOUNT_CLOSED", "The account is closed; its history can be read, nothing can be added")
    draft.settle()


def open_account(draft: Draft, account_kind: str) -> None:
    """The first entry of a chain."""
    draft.kind = "opened"
    draft.state.kind = account_kind
    draft.move("opened", "s", "open")


def earn(draft: Draft, grants: Iterable[Grant]) -> None:
    """Add points already worked out, such as an event's bonus. A frozen account still earns."""
    begin(draft, "earned")
    for grant in grants:
        _grant(draft, "earned", grant)
    draft.settle()


def earn_amount(draft: Draft, rule: str, rate: Rate, amount: int, expiry: int, start: int) -> int:
    """Earn ``rate`` points per minor unit on ``amount`` minor units; returns the points.

    What rounding down leaves over is carried under ``rule`` (I10): the points and the remainder together are always
    the exact product, so 30 + 20 earns what 50 earns and a full return takes back precisely what was given.
    """
    begin(draft, "earned")
    points, rest = rate.times(amount).plus(draft.state.remainders.get(rule, ZERO)).split()
    _carry(draft, "earned", rule, rest)
    _grant(draft, "earned", Grant(points, expiry, start))
    draft.detail["points"] = points
    draft.settle()
    return points


def reverse(draft: Draft, rule: str, rate: Rate, amount: int, expiry: int, start: int, policy: str) -> int:
    """Take back what ``amount`` minor units of an order earned under its own terms; returns the points due.

    In turn from: the order's pending lot, its active lot, what that lot lost by expiring (those points are gone
    already: the member does not pay twice), other active lots, arrears. ``only_pending`` stops after the first,
    ``within_balance`` before the last; what is then still due is forgiven and named in the entry.
    """
    begin(draft, "reversed")
    whole, rest = draft.state.remainders.get(rule, ZERO).plus(rate.times(-amount)).split()
    _carry(draft, "reversed", rule, rest)
    due = left = -whole
    lots = draft.state.lots
    if start and left and (points := min(left, lots.get((expiry, start), 0))):
        draft.move("reversed", "l", expiry, start, -points)
        left -= points
    if policy != ONLY_PENDING and left:
        if points := min(left, lots.get((expiry, 0), 0)):
            draft.move("reversed", "l", expiry, 0, -points)
            left -= points
        if points := min(left, draft.state.lapsed.get(expiry, 0)):
            draft.move("reversed", "z", expiry, -points)
            left -= points
        if points := min(left, draft.available):
            draft.take("reversed", points)
            left -= points
        if policy == ARREARS and left:
            draft.move("owed", "a", left)
            left = 0
    draft.detail["points"] = due
    if left:
        draft.detail["forgiven"] = left
    draft.settle()
    return due


def redeem(draft: Draft, points: int) -> None:
    """Spend points, first expiring first."""
    begin(draft, "redeemed")
    _may_leave(draft, points)
    draft.take("spent", points)
    draft.detail["points"] = points


def restore(draft: Draft, parts: Iterable[Part], redemption: int) -> int:
    """Give a cancelled redemption's points back to the lots they came from; returns how many."""
    begin(draft, "restored")
    total = 0
    for expiry, points in parts:
        draft.put("restored", expiry, 0, points)
        total += points
    draft.detail |= {"points": total, "of": redemption}
    draft.settle()
    return total


def hold(draft: Draft, points: int, deadline: int, offline: bool) -> None:
    """Set points aside until ``deadline``; from then on they count as available again by themselves."""
    begin(draft, "held")
    if len(draft.state.holds) >= MAX_HOLDS:
        raise Refused("HOLD_LIMIT_REACHED", f"An account has at most {MAX_HOLDS} holds at once")
    _may_leave(draft, points)
    parts = draft.take("held", points)
    draft.move("held", "d", draft.number, deadline, int(offline))
    for expiry, part in parts:
        draft.move("held", "h", draft.number, expiry, part)
    draft.detail |= {"points": points, "deadline": deadline, "offline": offline}


def capture(draft: Draft, number: int, points: int | None, final: bool, allowed: bool = True) -> None:
    """Spend ``points`` of hold ``number``, None for all it has; ``final`` gives the rest back. A frozen account
    honours its holds.

    ``allowed`` says that the caller showed the allowance of an offline hold.
    """
    begin(draft, "captured")
    hold = _held(draft, number, allowed)
    held = hold.points
    points = held if points is None else points
    _above_zero(points)
    if points > held:
        raise Refused("HOLD_EXCEEDED", f"The hold has {held} points left", available=held, missing_points=points - held)
    left = points
    for expiry, part in sorted(hold.parts.items(), key=lambda item: expiry_order(item[0])):
        if spent := min(left, part):
            draft.move("spent", "h", number, expiry, -spent)
            left -= spent
    released = 0
    if final and hold.parts:
        released = hold.points
        draft.unhold("released", number)
    draft.detail |= {"points": points, "hold": number, "released": released, "left": held - points - released}
    draft.settle()


def release(draft: Draft, number: int, allowed: bool = True) -> None:
    """Give all that hold ``number`` still has back to the lots it came from.

    ``allowed`` as in ``capture``: a till without a network may have given these points out already.
    """
    begin(draft, "released")
    points = _held(draft, number, allowed).points
    draft.unhold("released", number)
    draft.detail |= {"points": points, "hold": number}
    draft.settle()


def adjust(draft: Draft, points: int, expiry: int, reason: str) -> None:
    """Correct a balance by hand: up with a lot of its own terms, down from what is available."""
    begin(draft, "adjusted")
    if points > 0:
        _grant(draft, "adjusted", Grant(points, expiry, 0))
    else:
        _may_leave(draft, -points, even_frozen=True)
        draft.take("adjusted", -points)
    draft.detail |= {"points": points, "reason": reason}
    draft.settle()


def transfer_out(draft: Draft, points: int, to: str) -> list[Part]:
    """Points leave for another account; returns the parts, whose terms travel with them (I9)."""
    begin(draft, "transferred_out")
    _may_leave(draft, points)
    parts = draft.take("transferred", points)
    draft.detail |= {"points": points, "to": to}
    return parts


def transfer_in(draft: Draft, parts: Iterable[Part], source: str) -> None:
    """Points arrive from another account under the terms they had."""
    begin(draft, "transferred_in")
    total = 0
    for expiry, points in parts:
        _grant(draft, "transferred", Grant(points, expiry, 0))
        total += points
    draft.detail |= {"points": total, "from": source}
    draft.settle()


def expire(draft: Draft) -> None:
    """Write down what time alone has changed; no moves when nothing has."""
    begin(draft, "expired")


def set_status(draft: Draft, status: str, reason: str) -> None:
    """Freeze or unfreeze."""
    begin(draft, "frozen" if status == "frozen" else "unfrozen")
    if draft.state.status == status:
        raise Refused("ACCOUNT_STATUS_UNCHANGED", f"The account is {status} already")
    draft.move(draft.kind, "s", status)
    draft.detail["reason"] = reason


def close(draft: Draft, reason: str, forfeit: bool) -> None:
    """End an account. With ``forfeit`` what it has is given up and what it owes forgiven; holds must be settled
    first.
    """
    begin(draft, "closed")
    balance = draft.state.balance()
    if balance.held or (not forfeit and (balance.available or balance.pending or balance.arrears)):
        raise Refused(
            "ACCOUNT_NOT_EMPTY",
            "Settle its holds first, and say forfeit to give up what is left",
            available=balance.available,
            pending=balance.pending,
            held=balance.held,
            arrears=balance.arrears,
        )
    for (expiry, start), points in sorted(draft.state.lots.items()):
        draft.move("forfeited", "l", expiry, start, -points)
    if draft.state.arrears:
        draft.move("forgiven", "a", -draft.state.arrears)
    draft.move("closed", "s", "closed")
    draft.detail["reason"] = reason


def spent_parts(moves: Iterable[Move]) -> list[Part]:
    """What a redemption or a capture took from which lot, read from its entry's moves."""
    parts: list[Part] = []
    for move in moves:
        if move[0] == "spent":
            expiry, delta = (move[2], move[4]) if move[1] == "l" else (move[3], move[4])
            parts.append((expiry, -delta))
    return parts


def _held(draft: Draft, number: int, allowed: bool) -> Hold:
    hold = draft.state.holds.get(number)
    if hold is None:
        if number >= draft.number:
            raise NotFound("HOLD_NOT_FOUND", "There is no such hold")
        raise Refused("HOLD_NOT_ACTIVE", "The hold has been captured, released, or has lapsed")
    if hold.offline and not allowed:
        raise Refused("HOLD_ALLOWANCE_INVALID", "This hold backs an offline allowance: send the allowance with it")
    return hold


def _grant(draft: Draft, why: str, grant: Grant) -> None:
    balance = draft.state.balance()
    if balance.available + balance.pending + balance.held + grant.points > MAX_POINTS:
        raise Refused("ACCOUNT_FULL", f"An account holds at most {MAX_POINTS} points")
    draft.put(why, grant.expiry, grant.start, grant.points)


def _carry(draft: Draft, why: str, rule: str, rest: Rate) -> None:
    if rest != draft.state.remainders.get(rule, ZERO):
        draft.move(why, "r", rule, rest.num, rest.den)


def _above_zero(points: int) -> None:
    """Taking less than nothing would give: no caller's mistake may get that far."""
    if points <= 0:
        raise Invalid("REQUEST_INVALID", "points must be above zero", field="points")


def _may_leave(draft: Draft, points: int, even_frozen: bool = False) -> None:
    _above_zero(points)
    if draft.state.status == "frozen" and not even_frozen:
        raise Refused("ACCOUNT_FROZEN", "The account is frozen: it can earn, but nothing can leave it")
    available = draft.available
    if points > available:
        raise Refused(
            "POINTS_INSUFFICIENT",
            f"{points} points asked, {available} available",
            available=available,
            missing_points=points - available,
        )
