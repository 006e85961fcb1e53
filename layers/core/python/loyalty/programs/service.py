"""Reading and moving the clocks of sandbox programmes."""

from typing import Final

from loyalty.programs.clock import Clock, is_sandbox, moved
from loyalty.programs.store import ClockStore
from loyalty.table.writes import ConditionFailed, Contended

_TRIES: Final = 8


class Clocks:
    """The clocks of all programmes."""

    def __init__(self, store: ClockStore) -> None:
        self._store = store

    def of(self, program: str) -> Clock:
        """A programme's clock; one that is no sandbox goes with the world, and nothing is read."""
        return self._store.clock(program) if is_sandbox(program) else Clock()

    def moment(self, program: str, now: int) -> int:
        """The programme's time when the world's is ``now``. It is read anew each time: whoever asks after a move was
        answered sees the move.
        """
        return now + self.of(program).ahead

    def move(self, program: str, to: int, now: int) -> Clock:
        """Have the programme's clock show ``to``; asked twice, it is moved once. Of two who move it at the same time,
        the second moves what the first has moved. Refused, Invalid, Contended.
        """
        for _ in range(_TRIES):
            before = self.of(program)
            after = moved(program, before, to, now)
            if after == before:
                return before
            try:
                self._store.save_clock(program, after)
            except ConditionFailed:
                continue
            return after
        raise Contended
