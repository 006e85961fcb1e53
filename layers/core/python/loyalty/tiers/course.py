"""How a tier goes on: rising at once, falling when time has passed, and when what it was reached by comes back. Pure.

A tier depends on the account's figures and days alone, never on when somebody looked. Every entry first writes down
what time had made true before it (``catch_up``), by the figures before it, and then what it makes itself (``advance``);
a night does only the first. So a purchase and a night give the same tier whichever is first, and a night that did not
take place is made up for in order.

Rises are at once. Falls come on review days (``Scheme.next_review``): where the figures do not reach the tier, it is
kept for the days of grace, and lost when they still do not on the last of them. A tier whose purchases come back is
not kept for a grace that time alone gives: it goes at once to what is left. A tier given by hand has the same grace
after its last day, unless the figures reach it by then.
"""

from typing import Final

from loyalty.ledger.account import MAX_MONTHS, Draft, State, month_of
from loyalty.tiers.scheme import ANNIVERSARY, CALENDAR, NEVER, NONE, ONE_DOWN, Scheme

UPGRADED: Final = "upgraded"
DOWNGRADED: Final = "downgraded"
WARNED: Final = "warned"
RENEWED: Final = "renewed"
ASSIGNED: Final = "assigned"


def catch_up(scheme: Scheme, draft: Draft, evaluated: int, today: int) -> None:
    """Write down the falls and rises of the days after ``evaluated``, up to and including ``today``."""
    state = draft.state
    while (day := next_change(scheme, state, evaluated)) is not None and day <= today:
        _change(scheme, draft, day)
        evaluated = max(evaluated, day)


def advance(scheme: Scheme, before: State, draft: Draft, today: int) -> None:
    """Write down what the figures of this entry make of the tier; ``before`` is the account before it."""
    state = draft.state
    if before.number and state.total == before.total and state.months == before.months:
        return
    rank, reached = scheme.rank(state.tier), scheme.eligible(state, today)
    if reached > rank:
        if not state.tier_manual or reached > scheme.eligible(before, today):
            draft.move(UPGRADED, "g", scheme.id(reached), today, 0, 0)
        return
    if state.tier_manual or rank == NONE:
        return
    # Of more that was bought a condition may not be true any more; that is for the next review to find.
    back = any(now < was for now, was in zip(state.total, before.total, strict=True))
    if back and reached < rank and (left := _left(scheme, before, state, today)) < rank:
        draft.move(DOWNGRADED, "g", scheme.id(left), today, 0, 0)
        return
    _renew(scheme, before, draft, today)


def next_change(scheme: Scheme, state: State, evaluated: int) -> int | None:
    """The first day after ``evaluated`` on which time alone changes the tier; None when none does.

    A tier that is due at once, because the policy has changed, is due the day after.
    """
    rank = scheme.rank(state.tier)
    if state.tier_manual:
        return _given_back(scheme, state, rank, evaluated)
    if (rank == NONE and state.tier) or scheme.eligible(state, evaluated) > rank:
        return evaluated + 1
    fall = _fall(scheme, state, rank, state.tier_since, evaluated)
    rise = _rise(scheme, state, rank, evaluated)
    return rise if fall is None or (rise is not None and rise < fall) else fall


def loss(scheme: Scheme, state: State, evaluated: int) -> int | None:
    """The day after ``evaluated`` on which the tier is lost, if nothing happens until then; None when it is not lost,
    or not next.
    """
    day = next_change(scheme, state, evaluated)
    if day is None or scheme.rank(state.tier) < 0:
        return None
    return day if scheme.eligible(state, day) < scheme.rank(state.tier) else None


def _given_back(scheme: Scheme, state: State, rank: int, evaluated: int) -> int | None:
    """The day on which the figures decide again about a tier given by hand: the first after its end on which they reach
    it, or that on which its grace is over.
    """
    if not state.tier_until:
        return None
    first = max(state.tier_until, evaluated) + 1
    last = max(state.tier_until + 1 + scheme.grace_days, first)
    days = [first, *(day for day in scheme.turns(state, first) if day < last)]
    return next((day for day in days if scheme.eligible(state, day) >= rank), last)


def _rise(scheme: Scheme, state: State, rank: int, evaluated: int) -> int | None:
    """The first day after ``evaluated`` on which time alone makes a higher tier's condition true."""
    days = scheme.turns(state, evaluated)
    return next((day for day in days if scheme.eligible(state, day) > rank), None)


def _fall(scheme: Scheme, state: State, rank: int, since: int, evaluated: int) -> int | None:
    """The first day after ``evaluated`` on which the tier is lost, if nothing more is bought."""
    if rank == NONE or scheme.downgrade == NEVER:
        return None
    grace = scheme.grace_days
    # A review is of interest while its grace is not over. Nothing changes any more once all figures are too old.
    review = scheme.next_review(since, max(since, evaluated - grace))
    end = max([evaluated, *scheme.turns(state, evaluated)[-1:]]) + _HORIZON
    while review is not None and review <= end:
        if scheme.eligible(state, review) < rank and scheme.eligible(state, review + grace) < rank:
            return max(review + grace, evaluated + 1)
        review = scheme.next_review(since, review)
    return None


_HORIZON: Final = 366 * 4


def _change(scheme: Scheme, draft: Draft, day: int) -> None:
    """What ``next_change`` announced, on its day."""
    state = draft.state
    rank, reached = scheme.rank(state.tier), scheme.eligible(state, day)
    if not state.tier_manual and state.tier and reached < rank and scheme.downgrade == ONE_DOWN:
        reached = max(reached, rank - 1)
    why = UPGRADED if reached > rank else DOWNGRADED if reached < rank or not reached >= 0 else RENEWED
    draft.move(why, "g", scheme.id(reached), day, 0, 0)


def _left(scheme: Scheme, before: State, state: State, today: int) -> int:
    """Rank that is left when figures were taken away: of a tier that rested on them, what the rest reaches."""
    rank = scheme.rank(state.tier)
    reached = scheme.eligible(state, today)
    was, now = _known(before, today), _known(state, today)
    since = scheme.eligible(now, state.tier_since)
    if scheme.eligible(was, state.tier_since) >= rank > since:
        return max(reached, since)
    last = _last_review(scheme, state.tier_since, today)
    if scheme.downgrade == NEVER or last is None or last + scheme.grace_days > today:
        return rank
    if scheme.eligible(was, last) >= rank > scheme.eligible(now, last):
        return max(reached, rank - 1) if scheme.downgrade == ONE_DOWN else reached
    return rank


def _known(state: State, today: int) -> State:
    """The figures that are sure to be kept still: what is too old for them was not taken away."""
    oldest = month_of(today) - MAX_MONTHS + 2
    months = {month: row for month, row in state.months.items() if month >= oldest}
    return State(months=months, total=state.total, first=state.first, tier=state.tier)


def _last_review(scheme: Scheme, since: int, today: int) -> int | None:
    """The last review day of a tier held from ``since`` on, up to and including ``today``."""
    last, review = None, scheme.next_review(since, max(since, today - _HORIZON // 4 - 31))
    while review is not None and review <= today:
        last, review = review, scheme.next_review(since, review)
    return last


def _renew(scheme: Scheme, before: State, draft: Draft, today: int) -> None:
    """A tier whose end was announced, or that is held for a year, has been reached anew."""
    state = draft.state
    yearly = scheme.window in (CALENDAR, ANNIVERSARY)
    if not state.tier_until and not yearly:
        return
    rank = scheme.rank(state.tier)
    since = state.tier_since
    falls = _fall(scheme, state, rank, since, today)
    if state.tier_until:
        renewed = falls is None or falls > state.tier_until + 1
    else:
        was = _fall(scheme, before, rank, since, today)
        renewed = was is not None and (falls is None or falls > was)
    if renewed:
        draft.move(RENEWED, "g", state.tier, since, 0, 0)
