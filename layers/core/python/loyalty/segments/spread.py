"""How points are spread over members, kept as counts of members by place: each place is 5 % wider than the one before,
and below 20 points each number is a place of its own. Pure.

So who has more points is known to within a place: of the members in the same one, half are taken to have more.
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Final

from loyalty.values import MAX_POINTS

WHOLE: Final = 100_000
"""A rank is in thousandths of a percent."""


def _places() -> tuple[int, ...]:
    found = [0]
    while found[-1] < MAX_POINTS:
        found.append(max(found[-1] + 1, found[-1] * 21 // 20))
    return tuple(found)


PLACES: Final = _places()
"""The least points of each place."""


def place_of(points: int) -> int:
    """The place of so many points; debts are no points."""
    return bisect_right(PLACES, max(points, 0)) - 1


def rank(counts: Mapping[int, int], place: int) -> int | None:
    """Of all members counted, how many have more points than one in ``place``; None while nobody is counted."""
    total = sum(count for count in counts.values() if count > 0)
    if not total:
        return None
    more = sum(count for at, count in counts.items() if at > place and count > 0)
    beside = max(counts.get(place, 0) - 1, 0)
    return min(WHOLE, WHOLE * (2 * more + beside) // (2 * total))


def moved(counts: Mapping[int, int], before: int, after: int) -> dict[int, int]:
    """The counts with one member in another place; -1 is none."""
    found = dict(counts)
    if before >= 0:
        found[before] = found.get(before, 0) - 1
    if after >= 0:
        found[after] = found.get(after, 0) + 1
    return {place: count for place, count in sorted(found.items()) if count}
