"""Timers: a note that an account has to be looked at on a day. Pure.

A timer decides nothing. It is armed when an entry makes something due earlier than it was, or at all; when its day
comes, the account is read, and what is due then is done. One that fires too early looks, and is armed anew. So an
account with something due has a timer of that kind on that day or before, and most purchases arm nothing.

Days are proleptic ordinals in the programme's own zone.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from loyalty.ledger.account import State
from loyalty.ledger.chain import Chain
from loyalty.programs.terms import Program

ORDER: Final = ("lapse", "activate", "tier", "expiry", "decay", "reminder", "segment", "churn", "occasion", "campaign")
"""Kinds in the order of a night, as it is published. Arrears are repaid from what lapses and begins, whenever it does;
no tier looks at a balance, so that tiers are reviewed once.
"""
AT_THE_HOUR: Final = frozenset({"occasion", "campaign"})
"""Kinds that members hear of: they are done on their day once it is the hour at which people may be spoken to."""
REMINDER: Final = "reminder"
"""Kind of which a night that catches up does all days that were missed at once, under the day on which it does."""
SEEN_TO: Final = -1
"""Day on which an account that was set aside and then seen to is looked at again."""
REARM: Final = "rearm"
"""Kind of the batches that go through all accounts, after a change of terms that timers follow from."""

Due = Callable[[State, Program], int | None]
"""The next day on which an account has to be looked at; None when time alone changes nothing for it. It may have
passed: then the account has been looked at, or will be as soon as can be.
"""


class Timer(Struct, frozen=True):
    """One account to look at on one day."""

    chain: Chain
    kind: str
    day: int


class Aside(Struct, frozen=True):
    """A timer whose account could not be seen to, and why; ``at`` is when. It is looked at again on the day ``again``,
    with the account's next entry where that is 0; ``SEEN_TO`` where it has been.
    """

    timer: Timer
    reason: str
    at: int
    again: int = 0


class Batch(Struct, frozen=True):
    """Some of the timers of a kind, day and shard: those behind sort key ``after`` up to ``to``. With ``REARM`` the
    accounts there.
    """

    program: str
    kind: str
    day: int
    shard: int
    after: str
    to: str
    function: str = ""
    again: bool = False
    """One account that was set aside: once it is seen to, it is not any more."""


def reference(kind: str, day: int) -> str:
    """Under which a night's effect stands in its chain: once a kind and day (I3)."""
    return f"t#{kind}#{day}"


def brings(before: State, after: State) -> bool:
    """Whether a change of an account brings anything that can be due sooner. Spending brings nothing, and its entry
    needs no policy to be read.
    """
    return not (
        after.lots.keys() <= before.lots.keys()
        and after.holds.keys() <= before.holds.keys()
        and after.last == before.last
        and after.total == before.total
        and (after.tier, after.tier_since, after.tier_until) == (before.tier, before.tier_since, before.tier_until)
        and (after.noticed, after.promised) == (before.noticed, before.promised)
        and (after.decayed, after.decay_noticed) == (before.decayed, before.decay_noticed)
        and after.decay_told == before.decay_told
    )


def armed(dues: Mapping[str, Due], program: Program, before: State, after: State) -> dict[str, int]:
    """The timers that a change of an account needs, by kind: those due earlier than before, or for the first time.

    The timer of what was due by the day of the change may have fired, and is not counted on.
    """
    today = program.day(after.at)
    found: dict[str, int] = {}
    for kind, due in dues.items():
        new = due(after, program)
        if new is None:
            continue
        old = due(before, program)
        if old is None or new < old or (old <= today and new != old):
            found[kind] = new
    return found


def cursor_of(data: Mapping[str, Any] | None) -> "Cursor | None":
    """A cursor from its JSON form."""
    return None if data is None else Cursor(data["program"], data["day"], data["kind"], data["shard"], data["after"])


class Cursor(Struct, frozen=True):
    """How far a night has come: all of the programmes, days, kinds and shards before have been planned, and of this
    shard everything up to the sort key ``after``.
    """

    program: str
    day: int
    kind: str
    shard: int
    after: str
