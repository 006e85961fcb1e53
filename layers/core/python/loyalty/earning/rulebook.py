"""Rules as earning goes by them: which are in force, what they ask of a member and of campaigns, and what failed."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from loyalty.errors import Corrupt, Problem
from loyalty.ledger.account import State
from loyalty.ledger.chain import Cause, Chain
from loyalty.ledger.service import Ledger, Opened
from loyalty.programs.terms import Program

if TYPE_CHECKING:
    from typing import Protocol

    from loyalty.rules.engine import Outcome
    from loyalty.rules.evaluation import Loaded
    from loyalty.rules.facts import Enrolled, Person

    class Budgets(Protocol):
        """What campaigns may give; ``loyalty.rules.leases`` says how."""

        def reserve(self, program: str, needs: Mapping[str, int], now: int) -> dict[str, int]: ...
        def release(self, program: str, points: Mapping[str, int]) -> None: ...
        def rooms(self, program: str, needs: Mapping[str, int]) -> dict[str, int]: ...


MAX_KEPT: Final = 1_000
"""Orders and events of unknown fate that a copy keeps what it reserved for; the oldest beyond are lost to it."""


class _Kept(Struct):
    """What campaigns set aside for one order or event, and when each of its tries that may have used it was."""

    points: dict[str, int]
    tries: list[int]


class NoBudgets:
    """Campaigns that have nothing to give."""

    def reserve(self, program: str, needs: Mapping[str, int], now: int) -> dict[str, int]:
        del program, now
        return dict.fromkeys(needs, 0)

    def release(self, program: str, points: Mapping[str, int]) -> None:
        del program, points

    def rooms(self, program: str, needs: Mapping[str, int]) -> dict[str, int]:
        return self.reserve(program, needs, 0)


def _no_rules(program: str) -> "Loaded | None":
    del program
    return None


def _no_version(program: str, version: int) -> "Loaded":
    raise Corrupt(f"{program}: an order was decided by version {version} of a rule set, and none is read here")


def _nobody(program: str, account: str) -> "Enrolled | None":
    del program, account
    return None


def _unheard(program: str, rule: str, reason: str) -> None:
    del program, rule, reason


class Rulebook:
    """``rules`` gives a programme's rule set in force, None where there is none, ``rules_of`` a version that an order
    names, ``members`` a member's document, ``budgets`` what campaigns may give. ``report`` hears of a (programme, rule,
    reason) that gave nothing because it could not be worked out, rule ``*`` for all of them: the purchase is posted all
    the same.

    Nothing of the rules is imported before one is in force.
    """

    def __init__(
        self,
        *,
        rules: "Callable[[str], Loaded | None]" = _no_rules,
        rules_of: "Callable[[str, int], Loaded]" = _no_version,
        members: "Callable[[str, str], Enrolled | None]" = _nobody,
        budgets: "Callable[[], Budgets]" = NoBudgets,
        report: Callable[[str, str, str], None] = _unheard,
    ) -> None:
        self._rules = rules
        self.version = rules_of
        self._members = members
        self._budgets = budgets
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._report = report

    @property
    def budgets(self) -> "Budgets":
        """Made when a rule first asks for one."""
        return self._budgets()

    def in_force(self, program: str, policy: Program, wallet: str) -> "Loaded | None":
        """The rule set in force. It is for the programme's first wallet: were the others its too, whoever sends an
        event once for each of them would have it counted as often, and each cap as often over.

        One that was checked against another currency than the policy has now would count cents as yen: the policy's own
        rate earns until it is published anew.
        """
        if wallet != policy.wallets[0]:
            return None
        loaded = self._rules(program)
        if loaded is None or loaded.evaluator.rules.currency == policy.currency:
            return loaded
        self._report(program, "*", "currency")
        return None

    def lost(self, program: str) -> None:
        """A version that an order names cannot be loaded any more."""
        self._report(program, "*", "version")

    def open(
        self, ledger: Ledger, chain: Chain, cause: Cause, now: int, loaded: "Loaded | None", *, sure: bool
    ) -> "tuple[Opened, Person | None]":
        """A wallet, and at the same time the member's document where the rules speak of it."""
        if loaded is None or not _spoken(loaded):
            return ledger.open(chain, cause, now, sure=sure), None
        from loyalty.rules.facts import reader

        opened, member = ledger.store.table.together(
            lambda: ledger.open(chain, cause, now, sure=sure),
            lambda: self._members(chain.program, chain.account),
        )
        return opened, None if member is None else reader(loaded.evaluator.rules).person(member)

    def look(self, ledger: Ledger, chain: Chain, loaded: "Loaded | None") -> "tuple[State, Person | None]":
        """An account as it stands, and what is known of the member; NotFound when there is none. Of nobody, nothing."""
        if not chain.account:
            return State(), None
        store = ledger.store
        if loaded is None or not _spoken(loaded):
            head, person = store.head(chain), None
        else:
            from loyalty.rules.facts import reader

            head, member = ledger.store.table.together(
                lambda: store.head(chain), lambda: self._members(chain.program, chain.account)
            )
            person = None if member is None else reader(loaded.evaluator.rules).person(member)
        if head is None:
            ledger.admits(chain)
        return head.state if head else State(), person

    def reserve(self, program: str, what: str, needs: Mapping[str, int], now: int) -> dict[str, int]:
        """Set aside what campaigns pay of ``needs`` for one order or event. It stays so until ``used``, ``unused`` or
        ``stands`` says what became of it: after a write whose answer was lost nothing does, and the next try of the
        same order or event, which has the same needs, is given the same points. At most one of the tries is written.
        """
        kept = self._kept.get((program, what))
        if kept is None:
            if not needs:
                return {}
            kept = _Kept({}, [])
        try:
            for campaign, need in needs.items():
                held = kept.points.get(campaign, 0)
                if need > held:
                    got = self.budgets.reserve(program, {campaign: need - held}, now)
                    kept.points[campaign] = held + got[campaign]
        except Problem:
            if not kept.tries:
                self.budgets.release(program, kept.points)
            raise
        kept.tries.append(now)
        self._kept.pop((program, what), None)  # the newest come last
        self._kept[program, what] = kept
        if len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        return {campaign: min(need, kept.points.get(campaign, 0)) for campaign, need in needs.items()}

    def used(self, program: str, what: str, taken: Mapping[str, int]) -> None:
        """So much of it was used, and no other try of the same can be."""
        kept = self._kept.pop((program, what), None)
        if kept is not None:
            self.release(program, kept.points, taken)

    def unused(self, program: str, what: str, now: int) -> None:
        """The try of ``now`` surely wrote nothing; an earlier one may have."""
        kept = self._kept.get((program, what))
        if kept is None or now not in kept.tries:
            return
        kept.tries.remove(now)
        if not kept.tries:
            self.used(program, what, {})

    def stands(self, program: str, what: str, at: int, taken: Mapping[str, int] | None) -> None:
        """It was written before, ``at`` some time: by one of the tries made here, using ``taken`` (None: who knows),
        or by another copy, out of what that one holds.
        """
        kept = self._kept.get((program, what))
        if kept is None:
            return
        if at not in kept.tries:
            taken = {}
        self.used(program, what, kept.points if taken is None else taken)

    def release(self, program: str, reserved: Mapping[str, int], taken: Mapping[str, int]) -> None:
        """What was reserved and not used is free again."""
        if left := difference(reserved, taken):
            self.budgets.release(program, left)

    def tell(self, program: str, loaded: "Loaded", outcome: "Outcome") -> None:
        """Report the rules that failed, after an entry that this copy wrote."""
        for failure in outcome.failures:
            self._report(program, loaded.evaluator.rules.rules[failure.rule].id, failure.reason)


def _spoken(loaded: "Loaded") -> bool:
    """Whether the rules speak of more of a member than the account knows."""
    from loyalty.rules.facts import reader

    return bool(reader(loaded.evaluator.rules).spoken)


def difference(more: Mapping[str, int], less: Mapping[str, int]) -> dict[str, int]:
    """What is left of ``more``, by campaign."""
    return {name: left for name, points in more.items() if (left := points - less.get(name, 0)) > 0}
