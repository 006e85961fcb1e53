"""A programme's own time: the world's, or in a sandbox programme the world's moved ahead. Pure.

A programme is a sandbox by its name alone. So whoever needs the time knows without a read that most programmes go by
the world's, and none becomes a sandbox, or ceases to be one, by an edit.
"""

from typing import Final

from msgspec import Struct

from loyalty.errors import Invalid, Refused

SANDBOX: Final = "sandbox-"
"""How the name of a programme begins whose clock may be moved."""
MOST_AHEAD: Final = 7_305 * 86_400
"""Seconds, 20 years: dates and terms far beyond what a programme lives to see are not tried."""


class Clock(Struct, frozen=True):
    """``ahead`` is by how many seconds the programme's time is ahead of the world's, ``to`` the moment that the last
    move went to, ``version`` counts moves.
    """

    ahead: int = 0
    to: int = 0
    version: int = 0


def is_sandbox(program: str) -> bool:
    """Whether a programme has a clock of its own."""
    return program.startswith(SANDBOX)


def moved(program: str, clock: Clock, to: int, now: int) -> Clock:
    """The clock that shows ``to`` when the world's shows ``now``; the same one when its last move went there already.
    Refused for what is no sandbox, and for a moment that has passed.
    """
    if not is_sandbox(program):
        raise Refused("CLOCK_SANDBOX_ONLY", f"Only a programme whose name begins with {SANDBOX} has its own clock")
    if clock.version and to == clock.to:
        return clock
    if to < now + clock.ahead:
        raise Refused(
            "CLOCK_BACKWARDS", "A clock never goes back: to must lie ahead of the programme's time", field="to"
        )
    if to - now > MOST_AHEAD:
        raise Invalid("REQUEST_INVALID", "to: at most 20 years ahead of the world's time", field="to")
    return Clock(to - now, to, clock.version + 1)
