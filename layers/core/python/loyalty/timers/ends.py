"""How points end: what has expired, what is about to, and what shrinks while its owner stays away. Pure.

Days are proleptic ordinals in the programme's zone. Points that end at a moment end on the day after the last one on
which they can be spent.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Final

from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import tag as tag_of
from loyalty.programs.terms import Program, add_months
from loyalty.timers.timer import REMINDER, reference

AGAIN_DAYS: Final = 7
"""Points that end only with notice and whose owner has not been reached are told of again so often."""
LATE_DAYS: Final = 7
REMINDED: Final = "reminded"
"""Kind of the entries that have members told of what they are about to lose."""
_SECONDS_A_DAY: Final = 86_400
_CHANGE_OF_CLOCKS: Final = 7_200


Worth = Callable[[str, int], int | None]
"""What a programme's points could buy, in minor units; None where nobody has said what a point is worth."""


def _untold(program: str, points: int) -> int | None:
    del program, points
    return None


def lapse_due(state: State, program: Program) -> int | None:
    """The day on which a hold has reached its deadline, when that day begins."""
    return _end(program, min(hold.deadline for hold in state.holds.values())) if state.holds else None


def activate_due(state: State, program: Program) -> int | None:
    """The day on which the next pending points can be spent."""
    starts = [start for _, start in state.lots if start > 0]
    return _end(program, min(starts)) if starts else None


def expire(draft: Draft, program: Program, day: int) -> None:
    """Write down what has become true by itself: holds lapse, points begin, arrears are repaid, points end."""
    del program, day
    commands.expire(draft)


def expiry_due(state: State, program: Program) -> int | None:
    """The day on which the next points end. What waits for notice is not due before it was given; what is held ends
    when the hold does, at the earliest.
    """
    ends = [expiry for expiry, _ in state.lots if expiry and not state.waits_for_notice(expiry)]
    for hold in state.holds.values():
        ends += [max(hold.deadline, expiry) for expiry in hold.parts if expiry and not state.waits_for_notice(expiry)]
    return _end(program, min(ends)) if ends else None


def reminder_due(state: State, program: Program) -> int | None:
    """The next day, after that of the account's newest entry, on which its owner is to be told of points that end."""
    if not program.reminders:
        return None
    today = program.day(state.at)
    expiries = sorted({expiry for expiry, _ in state.lots if expiry})
    found: int | None = None
    for days in program.reminders:
        # Those before are past in any zone.
        soon = state.at + (days - 1) * _SECONDS_A_DAY - _CHANGE_OF_CLOCKS
        for expiry in expiries:
            if expiry > soon and (day := _end(program, expiry) - days) > today:
                found = day if found is None else min(found, day)
                break
    for expiry in expiries:
        if state.waits_for_notice(expiry):
            day = _again(_end(program, expiry), today)
            found = day if found is None else min(found, day)
    return found


def remind(draft: Draft, program: Program, day: int, worth: Worth = _untold) -> None:
    """Have the owner told of everything that ends by the last end that is due to be told of from ``day`` to today: who
    was not told for days hears it once.

    Without a promise, what was told counts as noticed. With it, only what is confirmed: see ``confirm``.
    """
    recent, today = draft.state.recent, max(day, program.day(draft.now))
    first = _first_untold(recent, program, day, today)
    commands.begin(draft, REMINDED)
    state = draft.state
    told = [expiry for expiry, _ in state.lots if expiry and _is_told(state, program, expiry, first, today)]
    if not told:
        return
    upto = max(told)
    lots: dict[int, int] = {}
    for (expiry, _), points in sorted(state.lots.items()):
        if 0 < expiry <= upto:
            lots[expiry] = lots.get(expiry, 0) + points
    if not any(state.waits_for_notice(expiry) for expiry in lots):
        commands.notice(draft, upto)
        draft.kind = REMINDED
    draft.detail["expiring"] = [[expiry, points] for expiry, points in lots.items()]
    _tell_worth(draft, program, sum(lots.values()), worth)
    if program.renewal is not None:
        price = -(-sum(lots.values()) * program.renewal["price_percent"] // 100)
        draft.detail["renewal"] = [price, renewed_until(program, draft.now)]


def confirm(draft: Draft, program: Program, upto: int, outcome: str, told: State | None = None) -> None:
    """The owner was told of everything that ends up to ``upto``, or is ``unreachable``. Who learns only now of points
    that should have ended already has ``LATE_DAYS`` to spend them. ``told`` is the account as it was when it was told
    of: what came since is not taken for known.
    """
    if told is not None:
        upto = _known(told, draft.state, upto)
    late = 0
    if outcome == "delivered":
        terms = {"kind": "rolling", "months": 0, "rounding": "day"}
        late = program.terms(draft.now + (LATE_DAYS - 1) * _SECONDS_A_DAY, draft.now, terms, 0).expiry
    if commands.notice(draft, upto, late):
        draft.detail["outcome"] = outcome


def _known(told: State, state: State, upto: int) -> int:
    """Up to where there ends no more than there did."""
    ends: dict[int, int] = {}
    for lots, sign in ((state.lots, 1), (told.lots, -1)):
        for (expiry, _), points in lots.items():
            if 0 < expiry <= upto:
                ends[expiry] = ends.get(expiry, 0) + sign * points
    return min((expiry - 1 for expiry, more in ends.items() if more > 0), default=upto)


def renewed_until(program: Program, now: int) -> int:
    """Until when points last that are renewed now, in seconds since 1970, UTC; the programme sells renewals."""
    months = program.renewal["months"] if program.renewal else 0
    terms = {"kind": "rolling", "months": months, "rounding": "day"}
    return program.terms(now, now, expiry=terms, pending_days=0).expiry


def decay_due(state: State, program: Program) -> int | None:
    """The day on which points of an owner who bought nothing for long shrink, or notice of it is due."""
    return _next_decay(state, program, program.day(state.at))


def _next_decay(state: State, program: Program, seen: int) -> int | None:
    """The same; who was told by ``seen`` and was not reached is told again after it."""
    if program.decay is None or not state.last or not any(not start for _, start in state.lots):
        return None
    balance, percent, notice = state.balance(), int(program.decay["percent"]), int(program.decay["notice_days"])
    if (balance.available + balance.held) * percent < 100:
        return None  # not a whole point; what comes later arms it
    noticed = _noticed_decay(state, program)
    if noticed:
        found = noticed
    elif program.notice_of_decay and state.decay_told >= _decays_on(state, program):
        found = _again(max(state.decay_told, state.decay_told - notice + AGAIN_DAYS), seen)
    else:
        found = _decays_on(state, program) - notice
    if balance.available * percent < 100:
        found = max(found, _end(program, min(hold.deadline for hold in state.holds.values())))
    return found


def _tell_worth(draft: Draft, program: Program, points: int, worth: Worth) -> None:
    if (amount := worth(program.program, points)) is not None:
        draft.detail["worth"] = [amount, program.currency]


def decay(draft: Draft, program: Program, day: int, worth: Worth = _untold) -> None:
    """Give notice that points will shrink, or have them shrink; neither when something was bought since.

    Notice is given as many days before as the policy says, however late the night is that gives it.
    """
    recent, today = draft.state.recent, max(day, program.day(draft.now))
    seen = min(program.day(recent[-1][1]) if recent else day, day - 1)
    commands.begin(draft, "decayed")
    due = _next_decay(draft.state, program, seen)
    if program.decay is None or due is None or due > day:
        return
    percent, notice = int(program.decay["percent"]), int(program.decay["notice_days"])
    if _noticed_decay(draft.state, program):
        commands.decay(draft, percent, day)
        return
    points = draft.available * percent // 100
    on = max(_decays_on(draft.state, program), today + notice)
    commands.notice_of_decay(draft, on, points, program.notice_of_decay)
    _tell_worth(draft, program, points, worth)
    draft.kind = REMINDED


def confirm_decay(draft: Draft, program: Program, on: int, outcome: str, told: State | None = None) -> None:
    """The owner was told that points shrink on the day ``on``, or is ``unreachable``. Who learns of it late has as many
    days as notice has. ``told`` is the account as it was when it was told of: no more is taken than was said then.
    """
    commands.begin(draft, "noticed")
    state = draft.state
    if program.decay is None or not _decays_on(state, program) <= on <= state.decay_told:
        return  # bought meanwhile, noted before, or never said
    points = state.decay_points
    if told is not None:
        if told.decay_told != on:
            return
        points = min(points, told.decay_points)
    day = state.decay_told
    if outcome == "delivered":
        day = max(day, program.day(draft.now) + int(program.decay["notice_days"]))
    commands.confirm_decay(draft, day, points)
    draft.detail["outcome"] = outcome


def _noticed_decay(state: State, program: Program) -> int:
    """The day on which points shrink now that notice of it was given where it has to be; 0 where it was not. Notice of
    a decay that something bought since has put off is none of the next.
    """
    on = _decays_on(state, program)
    if program.notice_of_decay:
        noticed = state.decay_noticed
    else:
        noticed = max(state.decay_noticed, state.decay_told)
        if program.decay is not None and not program.decay["notice_days"]:
            return on
    return noticed if noticed >= on else 0


def _decays_on(state: State, program: Program) -> int:
    months = int(program.decay["months"]) if program.decay else 0
    return add_months(date.fromordinal(max(state.last, state.decayed)), months).toordinal()


def _end(program: Program, expiry: int) -> int:
    return program.day(expiry - 1) + 1


def _again(end: int, after: int) -> int:
    """The first day after ``after`` on which those are told again who have not been reached."""
    return end if after < end else end + AGAIN_DAYS * ((after - end) // AGAIN_DAYS + 1)


def _first_untold(recent: Sequence[tuple[str, int]], program: Program, day: int, today: int) -> int:
    """The first day of which the owner was not told yet, when it is ``today`` and the night is at ``day``: that one, or
    the first after the newest entry, but none up to which a night has told already.
    """
    first = min(day, program.day(recent[-1][1]) + 1) if recent else day
    tags = {tag for tag, _ in recent}
    told = (one for one in range(today - 1, day - 1, -1) if tag_of(reference(REMINDER, one)) in tags)
    return max(first, next(told, first - 1) + 1)


def _is_told(state: State, program: Program, expiry: int, first: int, today: int) -> bool:
    end = _end(program, expiry)
    return any(first <= told <= today for told in _tellings(state, program, expiry, end, first))


def _tellings(state: State, program: Program, expiry: int, end: int, first: int) -> Iterator[int]:
    for days in program.reminders:
        yield end - days
    if state.waits_for_notice(expiry):
        yield _again(end, first - 1)
