"""Use cases on wallets that need nothing but the ledger: spend, hold, correct, move, freeze, close, verify.

Times are seconds since 1970, UTC. Every writing call takes the ``Cause`` whose reference makes it happen once.
"""

from collections.abc import Callable
from typing import Final

from loyalty.errors import Conflict, NotFound, Refused
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, Part, State
from loyalty.ledger.chain import Cause, Chain, Entry, Finding, rebuild
from loyalty.ledger.service import ExtraRefused, Ledger, Posted
from loyalty.table import keys
from loyalty.table.writes import ABSENT, Put

REDEMPTIONS: Final = frozenset({"redeemed", "captured"})


class Wallets:
    """Wallet use cases on one table."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def open(self, chain: Chain, account_kind: str, cause: Cause, now: int) -> Posted:
        """Open a wallet. Opened before, under whatever reference, it is left as it is."""
        opened = self._ledger.open(chain, cause, now, new=True)
        if opened.head is not None:
            return Posted(opened.done or opened.head, replayed=True)

        def decide(draft: Draft) -> None:
            if draft.state.number:
                commands.expire(draft)  # somebody opened it meanwhile: nothing to do
            else:
                commands.open_account(draft, account_kind)

        return self._ledger.commit(opened, decide)

    def redeem(self, chain: Chain, points: int, note: str, cause: Cause, now: int) -> Posted:
        def decide(draft: Draft) -> None:
            commands.redeem(draft, points)
            if note:
                draft.detail["for"] = note

        return self._ledger.post(chain, cause, now, decide)

    def cancel(self, chain: Chain, number: int, cause: Cause, now: int) -> Posted:
        """Give a redemption's (or a capture's) points back, once; entry and claim in one transaction."""
        opened = self._ledger.open(chain, cause, now)
        if opened.done is not None:
            return Posted(opened.done, replayed=True)
        redemption = self._ledger.store.entry(chain, number)
        if redemption is None or redemption.kind not in REDEMPTIONS:
            raise NotFound("REDEMPTION_NOT_FOUND", "There is no such redemption in this programme")
        parts = commands.spent_parts(redemption.moves)
        pk, sk = keys.claim(chain.program, f"{chain.account}#{chain.wallet}#{number}")
        claim = Put({keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_claim}, ABSENT)

        def decide(draft: Draft) -> None:
            commands.restore(draft, parts, number)

        try:
            return self._ledger.commit(opened, decide, [claim])
        except ExtraRefused:
            raise Conflict("REDEMPTION_ALREADY_CANCELLED", "Its points were given back before") from None

    def hold(self, chain: Chain, points: int, deadline: int, offline: bool, cause: Cause, now: int) -> Posted:
        def decide(draft: Draft) -> None:
            commands.hold(draft, points, deadline, offline)

        return self._ledger.post(chain, cause, now, decide)

    def capture(
        self, chain: Chain, number: int, points: int | None, final: bool, allowed: bool, cause: Cause, now: int
    ) -> Posted:
        """Spend from a hold; ``points`` None is all of it. ``allowed`` says that the caller showed the allowance of
        an offline hold.
        """

        def decide(draft: Draft) -> None:
            commands.capture(draft, number, points, final, allowed)

        return self._settle_hold(chain, number, decide, cause, now)

    def release(self, chain: Chain, number: int, cause: Cause, now: int, allowed: bool = True) -> Posted:
        """Give back what a hold still has; ``allowed`` as in ``capture``."""

        def decide(draft: Draft) -> None:
            commands.release(draft, number, allowed)

        return self._settle_hold(chain, number, decide, cause, now)

    def _settle_hold(
        self, chain: Chain, number: int, decide: Callable[[Draft], object], cause: Cause, now: int
    ) -> Posted:
        try:
            return self._ledger.post(chain, cause, now, decide)
        except Refused as refusal:
            if refusal.code == "HOLD_NOT_ACTIVE":
                entry = self._ledger.store.entry(chain, number)
                if entry is None or entry.kind != "held":
                    raise NotFound("HOLD_NOT_FOUND", "There is no such hold in this programme") from None
            raise

    def adjust(
        self, chain: Chain, points: int, expiry: int, reason: str, cause: Cause, now: int, notice: bool = False
    ) -> Posted:
        """Correct a balance: up (positive, under the given expiry, with ``notice`` only after notice) or down
        (negative, from what is available).
        """

        def decide(draft: Draft) -> None:
            commands.adjust(draft, points, expiry, reason, commands.Lasting(notice))

        return self._ledger.post(chain, cause, now, decide)

    def expire(self, chain: Chain, cause: Cause, now: int) -> Posted:
        """Write down what time alone has changed; the head again when nothing has."""
        return self._ledger.post(chain, cause, now, commands.expire)

    def transfer(self, source: Chain, target: Chain, points: int, reason: str, cause: Cause, now: int) -> Posted:
        """Move points, with their lots' terms, to another account's wallet; both entries or none."""
        if source == target:
            raise Refused("TRANSFER_SAME_ACCOUNT", "Name another account, or another wallet of this one")
        parts: list[Part] = []
        promised = [0]

        def leave(draft: Draft) -> None:
            parts[:] = commands.transfer_out(draft, points, f"{target.account}/{target.wallet}")
            draft.detail["reason"] = reason
            promised[0] = draft.state.promised

        def arrive(into: Draft) -> None:
            commands.transfer_in(into, parts, f"{source.account}/{source.wallet}", promised[0])

        return self._ledger.transfer(source, target, cause, now, leave, arrive)

    def set_status(self, chain: Chain, status: str, reason: str, cause: Cause, now: int) -> Posted:
        """Freeze (``frozen``) or unfreeze (``open``)."""
        return self._ledger.post(chain, cause, now, lambda draft: commands.set_status(draft, status, reason))

    def close(self, chain: Chain, reason: str, forfeit: bool, cause: Cause, now: int) -> Posted:
        return self._ledger.post(chain, cause, now, lambda draft: commands.close(draft, reason, forfeit))

    def state(self, chain: Chain, now: int) -> State:
        """The account as a spend would find it at ``now`` (I7); nothing is written."""
        head = self._ledger.store.head(chain)
        if head is None:
            return State(kind=self._ledger.admits(chain), status="open", at=now)
        return settled(head, now)

    def entries(self, chain: Chain, limit: int, before: int | None) -> tuple[list[Entry], int | None]:
        """Newest first; NotFound when there is no such member or wallet."""
        entries, last = self._ledger.store.newest(chain, limit, before)
        if not entries and before is None:
            self._ledger.admits(chain)
        return entries, last

    def entry(self, chain: Chain, number: int) -> Entry:
        entry = self._ledger.store.entry(chain, number)
        if entry is None:
            raise NotFound("ENTRY_NOT_FOUND", "There is no such entry in this programme")
        return entry

    def verify(self, chain: Chain) -> tuple[int, Finding | None]:
        """How many entries were recomputed, and the first wrong one (I6)."""
        count, finding = self._ledger.store.verify(chain)
        if not count and finding is None:
            self._ledger.admits(chain)
        return count, finding

    def rebuild(self, chain: Chain) -> State:
        """Replay a chain from its first entry (I8)."""
        return rebuild(self._ledger.store.oldest(chain))


def settled(head: Entry, now: int) -> State:
    """A head's state with all that time alone has made true by ``now``."""
    draft = Draft(head.state, now)
    if draft.state.status != "closed":
        draft.settle()
    return draft.state
