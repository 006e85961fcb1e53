"""What a member's tier is, and what an entry, a night or an operator makes of it. Pure.

``follow`` is called on every draft before it becomes an entry, so an upgrade stands in the very entry that reaches it.
"""

from typing import Final

from loyalty.errors import Refused
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.programs.terms import Program
from loyalty.tiers.course import ASSIGNED, DOWNGRADED, UPGRADED, WARNED, advance, catch_up, loss, next_change
from loyalty.tiers.scheme import Scheme

MOST_SCHEMES: Final = 32
"""Policies whose tiers a running copy remembers."""

MOST: Final = 100_000
"""What rules take a multiplier for at most, in thousandths."""

_schemes: dict[int, tuple[Program, Scheme | None]] = {}


def scheme(policy: Program) -> Scheme | None:
    """A policy's tiers, read once; None where it has none."""
    known = _schemes.get(id(policy))
    if known is None or known[0] is not policy:
        if len(_schemes) >= MOST_SCHEMES:
            _schemes.clear()
        known = _schemes[id(policy)] = (policy, Scheme.of(policy.tiers) if policy.tiers else None)
    return known[1]


def follow(policy: Program, before: State, draft: Draft) -> None:
    """Add to a draft what it, and the time since ``before``, make of the tier."""
    tiers = scheme(policy)
    if tiers is None:
        return
    decided = any(move[1] == "g" for move in draft.moves)
    today = policy.day(draft.now)
    was = before.tier
    if before.number and not decided:
        _make_up(tiers, before, draft, policy.day(before.at), today)
    advance(tiers, before, draft, today)
    _tell(draft, was)


def _make_up(tiers: Scheme, before: State, draft: Draft, evaluated: int, today: int) -> None:
    """What was due before this entry, by the figures before it."""
    due = next_change(tiers, before, evaluated)
    if due is None or due > today:
        return
    earlier = Draft(before, draft.now)
    catch_up(tiers, earlier, evaluated, today)
    for why, op, *rest in earlier.moves:
        draft.move(why, op, *rest)


def review(draft: Draft, policy: Program, day: int) -> None:
    """What a night makes of a tier: what is due, and a warning of what will be. Without either the draft is left
    empty.
    """
    tiers = scheme(policy)
    commands.begin(draft, "tiered")
    if tiers is None:
        return
    today, was = policy.day(draft.now), draft.state.tier
    evaluated = policy.day(draft.state.recent[-1][1])
    catch_up(tiers, draft, evaluated, today)
    state = draft.state
    if state.tier_manual:
        # What is due by now is found whichever day's timer asks; but that this was told is known by its day alone.
        told = _warned_by_hand(tiers, state)
        if told is not None and (told == day or evaluated < told <= day):
            draft.move(WARNED, "g", state.tier, state.tier_since, state.tier_until, 1)
    else:
        falls = loss(tiers, state, today)
        if falls is not None and falls - tiers.warn_days <= today and state.tier_until != falls - 1:
            draft.move(WARNED, "g", state.tier, state.tier_since, falls - 1, 0)
    _tell(draft, was)


def due(state: State, policy: Program) -> int | None:
    """The next day on which ``review`` has something to do, as an ordinal of the programme's zone."""
    tiers = scheme(policy)
    if tiers is None or state.status == "closed" or not state.number:
        return None
    evaluated = policy.day(state.at)
    change = next_change(tiers, state, evaluated)
    if state.tier_manual:
        told = _warned_by_hand(tiers, state)
        return change if change is None or told is None or told <= evaluated else min(told, change)
    falls = loss(tiers, state, evaluated)
    if falls is not None and tiers.warn_days and state.tier_until != falls - 1:
        return min(max(falls - tiers.warn_days, evaluated + 1), falls)
    return change


def _warned_by_hand(tiers: Scheme, state: State) -> int | None:
    """The day on which it is told that a tier given by hand ends; None when it does not, or the figures reach it."""
    if not (tiers.warn_days and state.tier_until):
        return None
    end = state.tier_until + 1
    if tiers.eligible(state, end) >= tiers.rank(state.tier):
        return None
    return max(end - tiers.warn_days, state.tier_since + 1)


def current(policy: Program, state: State, now: int) -> State:
    """The state with its tier as it is at ``now``, whether or not anybody has written that down."""
    tiers = scheme(policy)
    if tiers is None or not state.number:
        return state
    evaluated, today = policy.day(state.at), policy.day(now)
    due = next_change(tiers, state, evaluated)
    if due is None or due > today:
        return state
    draft = Draft(state, now)
    catch_up(tiers, draft, evaluated, today)
    return draft.state


def multiplier(policy: Program, tier: str) -> int:
    """A tier's multiplier in thousandths; 1,000 for whoever has none."""
    tiers = scheme(policy)
    rank = tiers.rank(tier) if tiers is not None else -1
    if tiers is None or rank < 0:
        return 1000
    rate = tiers.levels[rank].multiplier
    return min(rate.num * 1000 // rate.den, MOST)


def assign(draft: Draft, policy: Program, tier: str | None, until: int, reason: str) -> None:
    """Set a tier by hand, up to and including the day ``until`` (0: until it is changed); None gives it back to the
    figures. TIER_UNKNOWN when the policy has no such tier.
    """
    tiers = scheme(policy)
    if tiers is None or (tier and tiers.rank(tier) < 0):
        known = ", ".join(level.id for level in tiers.levels) if tiers else "none"
        raise Refused("TIER_UNKNOWN", f"The programme's tiers are: {known}", field="tier")
    today, earlier = policy.day(draft.now), Draft(draft.state, draft.now)
    catch_up(tiers, earlier, policy.day(draft.state.recent[-1][1]), today)
    state = earlier.state
    before = tiers.rank(state.tier)
    after = tiers.eligible(state, today) if tier is None else tiers.rank(tier)
    why = UPGRADED if after > before else DOWNGRADED if after < before else ASSIGNED
    by_hand = tier is not None
    commands.set_tier(draft, why, tiers.id(after), today, until if by_hand else 0, by_hand, reason)


def _tell(draft: Draft, was: str) -> None:
    """Name the tier before and after, where this entry says anything about it."""
    if any(move[1] == "g" for move in draft.moves):
        draft.detail["tier"] = [was, draft.state.tier]
