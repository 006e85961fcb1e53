"""Use cases of campaigns' offers: points given once, and days on which purchases earn a multiple of the base points.

An offer stands in the account's chain under a reference of its own, made of the campaign, the occasion and the step, so
it is given once, however often and by however many it is asked for (I3).

Points are paid from a budget where the campaign has one. What a multiplier gives is not: a till waits for no budget,
and what it costs is bounded by its days.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from loyalty.earning.rulebook import Rulebook
from loyalty.errors import Problem, Refused, Unavailable
from loyalty.ledger import commands
from loyalty.ledger.account import Draft
from loyalty.ledger.chain import Cause, Chain, Entry, fingerprint
from loyalty.ledger.service import Ledger, Posted
from loyalty.programs.terms import Program
from loyalty.values import Rate

ACTOR: Final = "campaigns"
MOST: Final = Rate(10, 1)


class Granted(Struct, frozen=True):
    """What an account was given: ``points``, none for a multiplier. ``replayed``: it had been given before."""

    points: int
    entry: Entry
    replayed: bool


class Offers:
    """Offers of every programme's campaigns. ``program`` loads a programme's policy, ``book`` has the budgets.

    Everything is given in the programme's first wallet. The same reference again is answered with what was given first.
    """

    def __init__(self, ledger: Ledger, program: Callable[[str], Program], book: Rulebook) -> None:
        self._ledger = ledger
        self._program = program
        self._book = book

    def grant_points(
        self,
        program: str,
        account: str,
        reference: str,
        campaign: str,
        points: int,
        expires_days: int | None,
        budget: str,
        now: int,
    ) -> Granted:
        """Give points that can be spent at once and last ``expires_days`` beyond today, or as the policy has it.

        They are paid from the budget of this name, if there is one: all of them, or CAMPAIGN_BUDGET_EXHAUSTED and
        nothing is given. Refused, too, for a closed or full account. What is refused or fails for want of an answer
        may be asked for again.
        """
        policy = self._program(program)
        chain, cause = _where(policy, account), _cause(reference, campaign, "points", now)
        expiry = None if expires_days is None else {"kind": "days", "days": expires_days}
        terms = policy.terms(now, now, expiry, 0)

        def decide(draft: Draft) -> None:
            grant, lasting = commands.Grant(points, terms.expiry, 0), commands.Lasting(policy.notice)
            commands.earn(draft, [grant], policy.day(now), lasting)
            draft.detail |= {"campaign": campaign, "points": points}

        opened = self._ledger.open(chain, cause, now)
        what = f"{account}#{chain.wallet}#{reference}"
        if opened.done is not None:
            self._book.stands(program, what, opened.done.recorded, None)
            return _granted(Posted(opened.done, replayed=True))
        needs = {budget: points} if budget else {}
        reserved = self._book.reserve(program, what, needs, now)
        if reserved != needs:
            self._book.unused(program, what, now)
            raise Refused("CAMPAIGN_BUDGET_EXHAUSTED", f"The budget of {campaign} has no {points} points left")
        try:
            posted = self._ledger.commit(opened, decide)
        except Problem as problem:
            if not isinstance(problem, Unavailable):  # nothing was written
                self._book.unused(program, what, now)
            raise
        if posted.replayed:
            self._book.stands(program, what, posted.entry.recorded, None)
        else:
            self._book.used(program, what, needs)
        return _granted(posted)

    def grant_multiplier(
        self,
        program: str,
        account: str,
        reference: str,
        campaign: str,
        multiplier: Rate,
        first_day: int,
        last_day: int,
        now: int,
    ) -> Granted:
        """Have purchases earn so many times the base points from ``first_day`` to ``last_day``, both included:
        ordinals of the days that purchases count on. Refused where an account has as many already as it may.
        ValueError for a multiplier not above one, above ``MOST``, or one without days.
        """
        if not multiplier.den < multiplier.num <= MOST.num * multiplier.den or not 0 < first_day <= last_day:
            raise ValueError(f"a multiplier above 1 and up to {MOST.num}, for some days")
        policy = self._program(program)

        def decide(draft: Draft) -> None:
            commands.multiply(draft, campaign, multiplier, first_day, last_day, policy.day(now))

        cause = _cause(reference, campaign, "multiplier", now)
        return _granted(self._ledger.post(_where(policy, account), cause, now, decide))


def _where(policy: Program, account: str) -> Chain:
    return Chain(policy.program, account, policy.wallets[0])


def _cause(reference: str, campaign: str, kind: str, now: int) -> Cause:
    """The reference alone says which offer it is: what was given under it stays, whatever the campaign says by now."""
    return Cause(reference, fingerprint("offer", campaign, kind), ACTOR, now)


def _granted(posted: Posted) -> Granted:
    return Granted(posted.entry.detail.get("points", 0), posted.entry, posted.replayed)
