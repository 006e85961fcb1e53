"""What a member is worth, and when an alert is due, by the parameters in force."""

from collections.abc import Callable
from typing import Final

from loyalty.churn import alert
from loyalty.churn.alert import Watch, Worth, watch_of
from loyalty.churn.parameters import Attempt, Parameters
from loyalty.churn.store import ChurnStore
from loyalty.errors import NotFound
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Chain
from loyalty.ledger.service import Ledger
from loyalty.programs.terms import Program

FRESH_SECONDS: Final = 300
"""How long a running copy goes by the parameters it has read."""

TAKEN_UP_SECONDS: Final = 900 + FRESH_SECONDS + 300
"""A fit takes up to a quarter of an hour from the time it is noted by; then copies take it up; then clocks differ."""

WATCHING: Final = Watch(threshold=0.5, by="alive", horizon_days=90, onboarding_days=45)
"""What is looked ahead by where the policy says nothing of churn."""


class Churn:
    """``ledger`` is asked for where an account is read, for the ledger itself asks when alerts are due. ``clock`` gives
    seconds that never go back; how old what was read has become is measured by it.
    """

    def __init__(self, store: ChurnStore, ledger: Callable[[], Ledger], clock: Callable[[], float]) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._read: dict[str, tuple[float, Parameters | None]] = {}

    def parameters(self, program: str) -> Parameters | None:
        """Those in force, at most ``FRESH_SECONDS`` old."""
        moment = self._clock()
        known = self._read.get(program)
        if known is None or moment - known[0] > FRESH_SECONDS:
            known = (moment, self._store.current(program))
            self._read[program] = known
        return known[1]

    def version(self, program: str, now: int) -> int:
        """Of the newest parameters that every running copy goes by, read anew; 0 when there are none. Who arms anew for
        another version then arms by that one.
        """
        self._read.pop(program, None)
        found = self.parameters(program)
        if found is None:
            return 0
        return found.version if found.fitted + TAKEN_UP_SECONDS <= now else found.version - 1

    def due(self, state: State, program: Program) -> int | None:
        """The day of a member's alert. Programmes that watch nobody read nothing."""
        watch = watch_of(program)
        return None if watch is None else alert.due(state, watch, self.parameters(program.program))

    def act(self, draft: Draft, program: Program, day: int) -> None:
        """Alert when it is due by the account as it is; else nothing."""
        watch = watch_of(program)
        parameters = self.parameters(program.program)
        on = alert.due(draft.state, watch, parameters)
        if watch is not None and on is not None and on <= day:
            alert.alert(draft, watch, parameters, day)

    def worth(self, chain: Chain, program: Program, now: int, days: int | None) -> Worth:
        """What to expect of a member from now on; NotFound."""
        head = self._ledger().store.head(chain)
        if head is None:
            raise NotFound("MEMBER_NOT_FOUND", "There is no such member in this programme")
        watch = watch_of(program)
        parameters = self.parameters(program.program)
        today = program.day(now)
        seen = alert.outlook(head.state, parameters, today, days or (watch or WATCHING).horizon_days)
        due = alert.due(head.state, watch, parameters)
        why = alert.reason(head.state, watch or WATCHING, seen, today) if head.state.purchases else None
        return Worth(head.state, parameters, seen, due, why)

    def fitted(self, program: str) -> tuple[Parameters | None, Attempt | None]:
        """The parameters in force, and how the newest fit went."""
        return self._store.current(program), self._store.attempt(program)
