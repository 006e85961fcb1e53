"""Use cases: tell a member's tier and how it came, set one by hand, try other thresholds on the members there are."""

import re
from collections.abc import Callable
from typing import Final

from msgspec import UNSET

from loyalty.errors import Invalid
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Cause, Chain
from loyalty.ledger.service import Ledger, Posted
from loyalty.programs.terms import Program
from loyalty.table import keys
from loyalty.tiers.progress import Language
from loyalty.tiers.scheme import NEVER, ONE_DOWN, Scheme
from loyalty.tiers.standing import assign, current, scheme
from loyalty.tiers.store import AccountStore
from loyalty.tiers.views import ChangeView, SimulatedView, TierView, moves_of, tier_view

LOOKED_BACK: Final = 200
"""So many entries are looked through for a page of the history."""
MOST_DAYS: Final = 36_525
"""From now on, for which a tier is given by hand with its last day."""
_CURSOR: Final = re.compile(r"([0-9]{1,2})(?:\.(mem_[0-9A-Z]{26}#[a-z][a-z0-9]{0,15}))?", re.ASCII)


class Tiers:
    """Tiers of one table's members; ``policy`` gives a programme's policy."""

    def __init__(self, ledger: Ledger, accounts: AccountStore, policy: Callable[[str], Program]) -> None:
        self._ledger = ledger
        self._accounts = accounts
        self._policy = policy

    def look(self, chain: Chain, before: int | None, language: Language, now: int) -> TierView:
        """A member's tier as it is now, what keeps it and what the next one takes; its history from entry ``before``
        back. NotFound when there is no such member or wallet.
        """
        policy = self._policy(chain.program)
        head = self._ledger.store.head(chain)
        if head is None:
            self._ledger.admits(chain)
        entries, more = self._ledger.store.newest(chain, LOOKED_BACK, before)
        history = [move for entry in entries for move in moves_of(entry)]
        state = current(policy, head.state, now) if head else State()
        return tier_view(
            chain,
            scheme(policy),
            state,
            policy.day(now),
            now,
            policy.currency,
            language,
            history,
            UNSET if more is None else str(more),
        )

    def assign(self, chain: Chain, tier: str | None, until: int, reason: str, cause: Cause, now: int) -> Posted:
        """Set a tier by hand, up to and including the day ``until``, or give it back to the figures."""
        policy = self._policy(chain.program)
        today = policy.day(now)
        if until and not today <= until <= today + MOST_DAYS:
            raise Invalid("REQUEST_INVALID", "until: a day that is not over, in 100 years at most", field="until")

        def decide(draft: Draft) -> None:
            assign(draft, policy, tier, until, reason)

        return self._ledger.post(chain, cause, now, decide)

    def simulate(self, tried: Program, cursor: str, limit: int, now: int, *, named: bool) -> SimulatedView:
        """What the tiers of ``tried`` would make of the next ``limit`` wallets; with ``named`` it says whose."""
        match = _CURSOR.fullmatch(cursor or "0")
        if match is None or int(match[1]) >= keys.HEAD_SHARDS:
            raise Invalid("REQUEST_INVALID", "cursor: the next of an earlier answer", field="cursor")
        shard, after = int(match[1]), match[2] or ""
        counts: dict[tuple[str, str], int] = {}
        changes: list[ChangeView] = []
        looked = 0
        while True:
            page, after = self._accounts.page(tried.program, shard, limit - looked, after)
            for account, wallet in page:
                head = self._ledger.store.head(Chain(tried.program, account, wallet))
                if head is None or head.state.status == "closed":
                    continue
                state = current(self._policy(tried.program), head.state, now)
                becomes = would_be(tried, state, now)
                counts[state.tier, becomes] = counts.get((state.tier, becomes), 0) + 1
                if becomes != state.tier and named:
                    changes.append(ChangeView(account, wallet, state.tier, becomes))
            looked += len(page)
            if not after:
                shard += 1
            if shard == keys.HEAD_SHARDS:
                return SimulatedView.of(scheme(tried), counts, changes, "")
            if looked >= limit:
                return SimulatedView.of(scheme(tried), counts, changes, f"{shard}.{after}" if after else str(shard))


def would_be(tried: Program, state: State, now: int) -> str:
    """The tier that other tiers would give an account: at once where it rises, at the next review where it falls."""
    tiers = scheme(tried)
    if tiers is None:
        return ""
    return tiers.id(_rank(tiers, state, tried.day(now)))


def _rank(tiers: Scheme, state: State, today: int) -> int:
    rank, reached = tiers.rank(state.tier), tiers.eligible(state, today)
    if rank < 0 or reached > rank:
        return rank if state.tier_manual and rank >= 0 else reached
    if state.tier_manual or tiers.downgrade == NEVER:
        return rank
    return max(reached, rank - 1) if tiers.downgrade == ONE_DOWN else reached
