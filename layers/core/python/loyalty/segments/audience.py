"""Who is in which segment, and the next day on which time alone can change that. Pure.

A fact that grows with the days can only change what it is compared with on the days when it reaches a number that
stands in the condition; figures of months change on the first of a month. Those days are tried, one after the other.
"""

from typing import Final

import msgspec

from loyalty.ledger.account import MAX_MONTHS
from loyalty.rules.interpret import holds
from loyalty.rules.thresholds import compared
from loyalty.segments.facts import ALIVE, DAYS, MONTHLY, RANK, Subject, month_starts, values
from loyalty.segments.segment import Segments, mentioned, speaks_of_categories

LOOK_AGAIN: Final = 30
"""Days after which a condition is looked at again whose change with time cannot be told beforehand."""


class Audience:
    """The segments of a programme, ready to be asked."""

    def __init__(self, segments: Segments) -> None:
        self.segments = segments
        self.layout = segments.layout
        self.spoken = mentioned(segments)
        trees = msgspec.to_builtins([one.when for one in segments.segments])
        self._numbers, self._free = compared(trees, DAYS)
        self.ranks = RANK in self.spoken
        self.tastes = speaks_of_categories(segments)
        self._free = self._free or ALIVE in self.spoken
        self._monthly = bool(MONTHLY & self.spoken)

    def standing(self, subject: Subject, day: int) -> frozenset[str]:
        """The ids of the segments that a member is in on a day."""
        facts = values(self.layout, subject, day, self.spoken)
        return frozenset(one.id for one in self.segments.segments if holds(one.when, facts))

    def next_look(self, subject: Subject, day: int) -> int | None:
        """The first day after ``day`` on which the member's standing changes, when nothing happens until then, or on
        which it has to be looked at again; None when time changes nothing.
        """
        now = self.standing(subject, day)
        last = day + LOOK_AGAIN if self._free or self.ranks else None
        for ahead in self._candidates(subject, day):
            if last is not None and ahead > last:
                break
            if self.standing(subject, ahead) != now:
                return ahead
        return last

    def _candidates(self, subject: Subject, day: int) -> list[int]:
        found: set[int] = set()
        begun = {"enrolled": subject.enrolled, "last": subject.state.last, "first": subject.state.first}
        for name, numbers in self._numbers.items():
            first = begun[DAYS[name]]
            if first:
                found |= {first + number + after for number in numbers for after in (0, 1)}
        if self._monthly and subject.state.months:
            found.update(month_starts(day, MAX_MONTHS + 1))
        if self._free:
            found.update(range(day + 1, day + LOOK_AGAIN + 1))
        return sorted(one for one in found if one > day)
