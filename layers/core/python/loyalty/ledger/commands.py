"""What may be done to a wallet. Pure: each command takes a draft of the account as it stands now, and either adds
its moves or refuses.

Every function returns nothing and raises Refused when the account's state does not allow it; a refused draft is thrown
away, so a refusal leaves no trace. Points are counted in whole points, times in seconds since 1970, UTC.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from loyalty.errors import Invalid, NotFound, Refused
from loyalty.ledger.account import (
    MAX_HOLDS,
    MAX_MULTIPLIERS,
    MAX_WAITING,
    WAITING,
    Draft,
    Hold,
    LotKey,
    Move,
    Part,
    expiry_order,
)
from loyalty.values import MAX_POINTS, ZERO, Rate

ONLY_PENDING: Final = "only_pending"
WITHIN_BALANCE: Final = "within_balance"
ARREARS: Final = "arrears"


BASE: Final = "base"
"""The rule that every programme has."""
MAX_REMAINDERS: Final = 8


class Award(Struct, frozen=True):
    """What a rule gives, or what of it is taken back: ``exact`` points, under terms fixed now (I9). With ``carry`` what
    is not a whole point is kept for the rule's next award; without, ``exact`` is whole.

    ``counters`` are the (name, last day of the period) of the caps that it counts against, named as the account's state
    says. ``ended``: nothing of it is left after this return.
    """

    rule: str
    exact: Rate
    expiry: int = 0
    start: int = 0
    carry: bool = True
    counters: tuple[tuple[str, int], ...] = ()
    ended: bool = False


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


class Lasting(Struct, frozen=True):
    """What a programme promises of the ends of points: with ``notice`` those given now end only with notice;
    everything that is there lasts until ``extend`` at least, where that is not 0.
    """

    notice: bool = False
    extend: int = 0


AS_GIVEN: Final = Lasting()


def earn(draft: Draft, grants: Sequence[Grant], day: int = 0, lasting: Lasting = AS_GIVEN) -> None:
    """Add points already worked out, such as an event's bonus of a ``day``. A frozen account still earns."""
    begin(draft, "earned")
    _extend(draft, lasting.extend)
    for grant in grants:
        _grant(draft, "earned", grant, lasting)
    _figure(draft, "earned", day, 0, sum(grant.points for grant in grants), 0)
    draft.settle()


def multiply(draft: Draft, campaign: str, multiplier: Rate, first: int, last: int, today: int) -> None:
    """What is bought from ``first`` to ``last``, both included, earns so many times the base points; days are ordinals.
    Of those that have not ended ``today``, an account has at most ``MAX_MULTIPLIERS``.
    """
    begin(draft, "offered")
    if sum(one.last >= today for one in draft.state.multipliers) >= MAX_MULTIPLIERS:
        raise Refused("OFFERS_LIMIT_REACHED", f"An account is offered at most {MAX_MULTIPLIERS} multipliers at once")
    draft.move("offered", "o", campaign, multiplier.num, multiplier.den, first, last)
    draft.detail |= {"campaign": campaign, "multiplier": [*multiplier], "days": [first, last]}


def earn_awards(
    draft: Draft,
    awards: Sequence[Award],
    day: int = 0,
    visit: bool = False,
    spend: int = 0,
    lasting: Lasting = AS_GIVEN,
) -> list[int]:
    """Give awards, and count what they count on ``day`` (an ordinal; the day of the purchase or event where it took
    place); with ``visit`` it was a purchase, of ``spend`` minor units. Returns the whole points of each award.

    What rounding down leaves over is carried by rule (I10): the points and the remainder together are always the exact
    sum, so 30 + 20 earns what 50 earns and a full return takes back precisely what was given. Of more than
    ``MAX_REMAINDERS`` one is added to the base rule's; the whole point that this may give goes to the base rule's
    award, or to the one that was in the way where there is none.
    """
    begin(draft, "earned")
    _extend(draft, lasting.extend)
    given = [0] * len(awards)
    base = next((place for place, award in enumerate(awards) if award.rule == BASE), None)
    for place, award in enumerate(awards):
        whole, folded = _carried(draft, "earned", award, 1)
        given[place] += whole
        given[place if base is None else base] += folded
    for (expiry, start), points in _by_terms(awards, given).items():
        _grant(draft, "earned", Grant(points, expiry, start), lasting)
    counts: dict[str, int] = {}
    for award, points in zip(awards, given, strict=True):
        for counter, _ in award.counters:
            if delta := points if counter[-2] == "p" else 1:
                counts[counter] = delta
    if counts:
        draft.move("earned", "c", max(day, draft.state.counted), *(part for item in counts.items() for part in item))
    _figure(draft, "earned", day, spend, sum(given), int(visit))
    _tell(draft, awards, given)
    draft.settle()
    return given


def earn_amount(
    draft: Draft,
    rule: str,
    rate: Rate,
    amount: int,
    expiry: int,
    start: int,
    day: int = 0,
    lasting: Lasting = AS_GIVEN,
) -> int:
    """Earn ``rate`` points per minor unit on ``amount`` minor units; returns the points. It counts as a purchase where
    a ``day`` is said.
    """
    awards = [Award(rule, rate.times(amount), expiry, start)]
    return earn_awards(draft, awards, day, day > 0, amount if day else 0, lasting)[0]


def take_back(
    draft: Draft, shares: Sequence[Award], policy: str, unvisit: bool = False, day: int = 0, spend: int = 0
) -> int:
    """Take back awards, or the shares of them that are due: ``exact`` is the share. With ``unvisit`` a purchase is
    wholly returned. ``spend`` minor units of one made on ``day`` came back. Returns the points due.

    In turn from: each award's pending lot, its active lot, what that lot lost by expiring (those points are gone
    already: the member does not pay twice), other active lots, arrears. ``only_pending`` stops after the first,
    ``within_balance`` before the last; what is then still due is forgiven and named in the entry.

    What a cap counted is given back as long as the period it counted in is open; how often, once an award ``ended``.
    """
    begin(draft, "reversed")
    dues: list[int] = []
    for award in shares:
        whole, folded = _carried(draft, "reversed", award, -1)
        dues.append(-whole - folded)
    left = _by_terms(shares, dues)
    for (expiry, start), due in left.items():
        for end in sorted({expiry, draft.state.ends(expiry)}):
            if start and due > 0 and (points := min(due, draft.state.lots.get((end, start), 0))):
                draft.move("reversed", "l", end, start, -points)
                left[expiry, start] -= points
                due -= points
    if policy != ONLY_PENDING:
        for (expiry, start), due in left.items():
            left[expiry, start] -= _from_own(draft, expiry, due)
    rest = sum(left.values())
    if policy != ONLY_PENDING and rest:
        if points := min(rest, draft.available):
            draft.take("reversed", points)
            rest -= points
        if policy == ARREARS and rest:
            draft.move("owed", "a", rest)
            rest = 0
    _uncount(draft, shares, dues)
    _figure(draft, "reversed", day, -spend, -sum(dues), -int(unvisit and draft.state.purchases > 0))
    _tell(draft, shares, dues)
    if rest:
        draft.detail["forgiven"] = rest
    draft.settle()
    return sum(dues)


def _from_own(draft: Draft, expiry: int, due: int) -> int:
    """Take back from the lot that the points were given in, and from what it lost; returns how many."""
    left = due
    for end in sorted({expiry, draft.state.ends(expiry)}):
        if points := min(left, draft.state.lots.get((end, 0), 0)):
            draft.move("reversed", "l", end, 0, -points)
            left -= points
    for end in sorted(draft.state.lapsed):
        # What was extended has lapsed under a later end, together with all that there was.
        own = end == expiry or (draft.state.extended[1] and end > expiry > 0)
        if own and (points := min(left, draft.state.lapsed[end])):
            draft.move("reversed", "z", end, -points)
            left -= points
    return due - left


def _uncount(draft: Draft, shares: Sequence[Award], dues: Sequence[int]) -> None:
    state = draft.state
    if not state.counted:
        return  # what was carried alone has counted nothing
    counts: dict[str, int] = {}
    for award, due in zip(shares, dues, strict=True):
        for counter, end in award.counters:
            now, used = state.used(counter, state.counted)
            if delta := min(used, due if counter[-2] == "p" else int(award.ended)) if now == end else 0:
                counts[counter] = -delta
    if counts:
        draft.move("reversed", "c", state.counted, *(part for item in counts.items() for part in item))


def reverse(
    draft: Draft,
    rule: str,
    rate: Rate,
    amount: int,
    expiry: int,
    start: int,
    policy: str,
    unvisit: bool = False,
    day: int = 0,
) -> int:
    """Take back what ``amount`` minor units of an order of ``day`` earned under its own terms; returns the points
    due.
    """
    return take_back(
        draft, [Award(rule, rate.times(amount), expiry, start)], policy, unvisit, day, amount if day else 0
    )


def activate(draft: Draft, number: int, lots: Iterable[Part]) -> int:
    """The event that the points of entry ``number`` waited for has come: they can be spent. ``lots`` are those that the
    entry filled; what has expired since stays expired. Returns the points.
    """
    begin(draft, "activated")
    total = 0
    for expiry, points in _waiting(draft, lots):
        draft.move("activated", "l", expiry, WAITING, -points)
        draft.move("activated", "l", expiry, 0, points)
        total += points
    draft.detail |= {"points": total, "of": number}
    draft.settle()
    return total


def cancel(draft: Draft, number: int, lots: Iterable[Part], day: int = 0) -> int:
    """The points of entry ``number``, given on ``day``, wait in vain: they are taken back. Otherwise as
    ``activate``.
    """
    begin(draft, "cancelled")
    total = 0
    for expiry, points in _waiting(draft, lots):
        draft.move("reversed", "l", expiry, WAITING, -points)
        total += points
    _figure(draft, "reversed", day, 0, -total, 0)
    draft.detail |= {"points": total, "of": number}
    return total


def figured_on(moves: Iterable[Move]) -> int:
    """The day whose figures an entry counts in, read from its moves; 0 for none."""
    return next((move[2] for move in moves if move[1] == "y"), 0)


def came_back(moves: Iterable[Move]) -> bool:
    """Whether an entry's moves take back a purchase as such, and not only points of it."""
    return any((move[1] == "p" and move[2] < 0) or (move[1] == "y" and move[5] < 0) for move in moves)


def waiting_parts(moves: Iterable[Move]) -> list[Part]:
    """What an entry gave that waits for an event, by lot, read from its moves."""
    return [(move[2], move[4]) for move in moves if move[0] == "earned" and move[1] == "l" and move[3] == WAITING]


def _waiting(draft: Draft, lots: Iterable[Part]) -> list[Part]:
    """Where the points given in ``lots`` now wait: there, or in the lots of a later expiry that they were merged into
    to keep the lots few.
    """
    there = {expiry: points for (expiry, start), points in draft.state.lots.items() if start == WAITING}
    found: dict[int, int] = {}
    for expiry, points in lots:
        end = draft.state.ends(expiry)
        if 0 < end <= draft.now and not draft.state.waits_for_notice(end):
            continue
        for late in sorted(there, key=expiry_order):
            if expiry_order(late) >= expiry_order(expiry) and (part := min(points, there[late])):
                found[late] = found.get(late, 0) + part
                there[late] -= part
                points -= part
    return list(found.items())


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
        draft.put("restored", draft.state.ends(expiry), 0, points)
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


def adjust(draft: Draft, points: int, expiry: int, reason: str, lasting: Lasting = AS_GIVEN) -> None:
    """Correct a balance by hand: up with a lot of its own terms, down from what is available."""
    begin(draft, "adjusted")
    if points > 0:
        _grant(draft, "adjusted", Grant(points, expiry, 0), lasting)
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


def transfer_in(draft: Draft, parts: Iterable[Part], source: str, promised: int = 0) -> None:
    """Points arrive from another account under the terms they had; what ends up to ``promised`` ends only with
    notice.
    """
    begin(draft, "transferred_in")
    total = 0
    for expiry, points in parts:
        _grant(draft, "transferred", Grant(points, expiry, 0), Lasting(notice=expiry <= promised))
        total += points
    draft.detail |= {"points": total, "from": source}
    draft.settle()


def expire(draft: Draft) -> None:
    """Write down what time alone has changed; no moves when nothing has."""
    begin(draft, "expired")


def extend(draft: Draft, until: int) -> None:
    """Everything that ends before ``until`` ends then, what is held included; nothing ends sooner than it did."""
    begin(draft, "extended")
    _extend(draft, until)


def _extend(draft: Draft, until: int) -> None:
    state = draft.state
    if until <= draft.now or until < state.extended[1]:
        return
    if until > state.extended[1]:
        draft.move("extended", "x", 0, until, 0, 0)
    for (expiry, start), points in sorted(state.lots.items()):
        if 0 < expiry < until:
            draft.move("extended", "x", expiry, until, start, points)
    for number, hold in sorted(state.holds.items()):
        for expiry, points in sorted(hold.parts.items()):
            if 0 < expiry < until and state.ends(expiry) == until:
                draft.move("extended", "h", number, until, points)
                draft.move("extended", "h", number, expiry, -points)


def notice(draft: Draft, upto: int, late: int = 0) -> list[Part]:
    """Notice of everything that ends up to ``upto`` has reached its owner, or nobody can be reached. Returns what
    that is, by end. What should have ended already ends at ``late``, where that is said, else at once.
    """
    begin(draft, "noticed")
    state = draft.state
    lots = sorted(state.lots.items())
    over = any(0 < expiry <= min(upto, draft.now) for (expiry, _), _ in lots)
    noticed = max(upto, late) if over else upto
    due: dict[int, int] = {}
    for (expiry, start), points in reversed(lots):
        if upto < expiry <= noticed and state.waits_for_notice(expiry):
            # Nobody was told of these: behind the mark they go on waiting, and are not taken for those before it.
            draft.move("extended", "x", expiry, noticed + 1, start, points)
        if 0 < expiry <= upto:
            due[expiry] = due.get(expiry, 0) + points
            if expiry <= draft.now < late:
                draft.move("extended", "x", expiry, late, start, points)
    due = dict(sorted(due.items()))
    if due and noticed > state.noticed:
        draft.move("noticed", "q", noticed, state.promised)
    if due:
        draft.detail["expiring"] = [list(part) for part in due.items()]
    draft.settle()
    return list(due.items())


def decay(draft: Draft, percent: int, day: int) -> int:
    """Inactivity takes ``percent`` of what is available, rounded down, on ``day``, and no more than notice was given
    of; returns the points.
    """
    begin(draft, "decayed")
    points = draft.available * percent // 100
    if draft.state.decay_points:
        points = min(points, draft.state.decay_points)
    draft.take("decayed", points)
    draft.move("decayed", "v", day, draft.state.decay_noticed)
    draft.detail["points"] = points
    return points


def notice_of_decay(draft: Draft, day: int, points: int, promised: bool = False) -> None:
    """Notice is given that inactivity will take some ``points`` on ``day``. Where it is ``promised``, nothing is taken
    until ``confirm_decay``.
    """
    begin(draft, "noticed")
    state = draft.state
    if promised:
        draft.move("noticed", "v", state.decayed, state.decay_noticed, points, day)
    else:
        draft.move("noticed", "v", state.decayed, day, points)
    draft.detail["decaying"] = [day, points]


def confirm_decay(draft: Draft, day: int, points: int) -> None:
    """Notice of a decay has reached its owner, or nobody can be reached: ``points`` at most are taken on ``day``."""
    begin(draft, "noticed")
    draft.move("noticed", "v", draft.state.decayed, day, points)
    draft.detail["decaying"] = [day, points]


def renew(draft: Draft, upto: int, until: int, percent: int) -> tuple[int, int]:
    """Points that can be spent and end up to ``upto`` last until ``until``, for ``percent`` of them, rounded up, of
    those that end first. Returns (points renewed, their price).
    """
    begin(draft, "renewed")
    points = sum(points for expiry, points in _renewable(draft, upto, until))
    if not points:
        raise Refused("RENEWAL_NOTHING_DUE", "Nothing of the account ends so soon")
    price = -(-points * percent // 100)
    if price:
        _may_leave(draft, price)
        draft.take("spent", price)
    for expiry, left in _renewable(draft, upto, until):
        draft.move("extended", "x", expiry, until, 0, left)
    draft.detail |= {"points": price, "renewed": points - price, "until": until}
    draft.settle()
    return points - price, price


def _renewable(draft: Draft, upto: int, until: int) -> list[Part]:
    last = min(upto, until - 1)
    return [
        (expiry, points)
        for (expiry, start), points in sorted(draft.state.lots.items())
        if not start and 0 < expiry <= last
    ]


def set_tier(
    draft: Draft, why: str, tier: str, since: int, until: int = 0, manual: bool = False, reason: str = ""
) -> None:
    """An entry that only gives a tier. What gives one together with other things adds the move itself."""
    begin(draft, "tiered")
    draft.detail["tier"] = [draft.state.tier, tier]
    draft.move(why, "g", tier, since, until, int(manual))
    if reason:
        draft.detail["reason"] = reason


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


def _figure(draft: Draft, why: str, day: int, spend: int, points: int, visits: int) -> None:
    """Count in the figures of a day; of no day there are none."""
    if day and (spend or points or visits):
        draft.move(why, "y", day, spend, points, visits)
    elif visits:
        draft.move(why, "p", visits, 0)


def _grant(draft: Draft, why: str, grant: Grant, lasting: Lasting = AS_GIVEN) -> None:
    balance = draft.state.balance()
    if balance.available + balance.pending + balance.held + grant.points > MAX_POINTS:
        raise Refused("ACCOUNT_FULL", f"An account holds at most {MAX_POINTS} points")
    if grant.start == WAITING and grant.points:
        waiting = {expiry for expiry, start in draft.state.lots if start == WAITING}
        if len(waiting) >= MAX_WAITING and draft.state.ends(grant.expiry) not in waiting:
            raise Refused("ACCOUNT_FULL", f"At most {MAX_WAITING} lots of points wait to be decided on")
    if lasting.notice and grant.points:
        draft.promise(why, grant.expiry)
    draft.put(why, grant.expiry, grant.start, grant.points)


def _carried(draft: Draft, why: str, award: Award, sign: int) -> tuple[int, int]:
    """Whole points of an award given (``sign`` 1) or taken back (-1), what is left over carried; and those that came of
    adding a remainder to the base rule's.
    """
    exact = award.exact
    if not award.carry:
        return sign * exact.num, 0
    whole, rest = draft.state.remainders.get(award.rule, ZERO).plus(exact.times(sign)).split()
    _carry(draft, why, award.rule, rest)
    folded = 0
    while len(draft.state.remainders) > MAX_REMAINDERS:
        rule = min(rule for rule in draft.state.remainders if rule != BASE)
        more, rest = draft.state.remainders.get(BASE, ZERO).plus(draft.state.remainders[rule]).split()
        _carry(draft, why, rule, ZERO)
        _carry(draft, why, BASE, rest)
        folded += more
    return whole, folded


def _by_terms(awards: Sequence[Award], points: Sequence[int]) -> dict[LotKey, int]:
    """Points by (expiry, start)."""
    sums: dict[LotKey, int] = {}
    for award, part in zip(awards, points, strict=True):
        sums[award.expiry, award.start] = sums.get((award.expiry, award.start), 0) + part
    return sums


def _tell(draft: Draft, awards: Sequence[Award], points: Sequence[int]) -> None:
    """Name the points in the entry, and whose they are where that does not go without saying."""
    draft.detail["points"] = sum(points)
    if [award.rule for award in awards] not in ([], [BASE]):
        draft.detail["awards"] = [[award.rule, part] for award, part in zip(awards, points, strict=True)]


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
