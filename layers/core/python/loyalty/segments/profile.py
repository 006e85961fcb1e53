"""What is kept of a member for segments: where the member stands, and what was bought of which category. Pure.

Everything else that segments speak of is read from the account and the member's document when it is needed.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from loyalty.segments.facts import SHARE

KEPT_CATEGORIES: Final = 8
"""Beside those that segments name; the smallest others are added up under no name."""
KEPT_ORDERS: Final = 24
"""So many of the newest orders are known again when the stream delivers them twice."""
_OTHER: Final = ""


class Profile(Struct, frozen=True):
    """One member's. ``version`` counts its writes; ``standing`` says since when, in seconds since 1970, the member is
    in each segment. ``spent`` is by category, in minor units. ``look`` is the day of the timer that is armed, 0 for
    none; ``place`` the member's place in the spread of points, -1 where it is not counted; ``by`` the version of the
    segments that it was last written by.
    """

    version: int = 0
    standing: Mapping[str, int] = {}
    spent: Mapping[str, int] = {}
    orders: tuple[str, ...] = ()
    look: int = 0
    place: int = -1
    by: int = 0

    @property
    def shares(self) -> dict[str, int]:
        """Thousandths of all that was spent, by category, rounded down."""
        total = sum(self.spent.values())
        return {name: sum_ * SHARE // total for name, sum_ in self.spent.items() if name != _OTHER and total}

    def bought(self, tag: str, amounts: Iterable[tuple[str, int]], named: Iterable[str]) -> "Profile":
        """With an order counted, by category and amount; the same again changes nothing. What comes back later stays
        counted: it shows a taste all the same.
        """
        if tag in self.orders:
            return self
        spent = dict(self.spent)
        for category, amount in amounts:
            spent[category] = spent.get(category, 0) + amount
        kept = {*named, _OTHER}
        others = sorted((name for name in spent if name not in kept), key=lambda name: (-spent[name], name))
        for name in others[KEPT_CATEGORIES:]:
            spent[_OTHER] = spent.get(_OTHER, 0) + spent.pop(name)
        return replace(self, spent=spent, orders=(*self.orders, tag)[-KEPT_ORDERS:])

    def stands(self, standing: Iterable[str], now: int) -> "Profile":
        """In these segments from now on."""
        return replace(self, standing={name: self.standing.get(name, now) for name in sorted(standing)})


class Moves(Struct, frozen=True):
    """What one write of a profile changed: the segments entered and left, and when."""

    entered: tuple[str, ...]
    left: tuple[str, ...]
    at: int

    @classmethod
    def between(cls, before: Profile, after: Profile, at: int) -> "Moves | None":
        """None when no segment was entered or left."""
        entered = tuple(name for name in after.standing if name not in before.standing)
        left = tuple(name for name in before.standing if name not in after.standing)
        return cls(entered, left, at) if entered or left else None


def encode(profile: Profile) -> dict[str, Any]:
    """Compact JSON data; empty parts are left out."""
    data = {
        "in": dict(profile.standing),
        "s": dict(profile.spent),
        "o": list(profile.orders),
        "k": profile.look,
        "v": profile.by,
    }
    found: dict[str, Any] = {name: value for name, value in data.items() if value}
    return found if profile.place < 0 else {**found, "b": profile.place}


def decode(data: Mapping[str, Any], version: int) -> Profile:
    """Inverse of ``encode``."""
    return Profile(
        version,
        data.get("in", {}),
        data.get("s", {}),
        tuple(data.get("o", ())),
        data.get("k", 0),
        data.get("b", -1),
        data.get("v", 0),
    )
