"""What the condition of a tier may speak of: what counts in the window, what there ever was, and for how long. Pure.

All of it is in the account itself, so that a tier is known in the very entry that reaches it. There is no balance among
it: spending points costs no tier.
"""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from loyalty.errors import Corrupt
from loyalty.ledger.account import Figures, State
from loyalty.programs.terms import Level
from loyalty.rules.interpret import holds
from loyalty.rules.schema import MAX_COUNT, MAX_MONEY, Fact, Layout, Place
from loyalty.rules.thresholds import compared, mentioned
from loyalty.rules.tree import Node

_O: Final = "order"
MAX_POINTS: Final = 10**12
MAX_DAYS: Final = 100_000
MOST_KNOWN: Final = 4_096
"""Answers that a condition remembers; some 1 MB."""
AGE: Final = "member.days_since_first_purchase"
"""The one fact that grows with the days."""


def _money(name: str, en: str, zh: str) -> Fact:
    return Fact(name, _O, "number", en, zh, nullable=False, money=True, low=0, high=MAX_MONEY)


def _count(name: str, en: str, zh: str, high: int) -> Fact:
    return Fact(name, _O, "number", en, zh, nullable=False, low=0, high=high, scale=1)


FACTS: Final[tuple[Fact, ...]] = (
    _money("spend", "spent in the window", "统计周期内消费"),
    _count("points", "points earned in the window", "统计周期内获得积分", MAX_POINTS),
    _count("visits", "purchases in the window", "统计周期内购买次数", MAX_COUNT),
    _money("member.spend", "spent in all", "累计消费"),
    _count("member.earned", "points earned in all", "累计获得积分", MAX_POINTS),
    _count("member.purchases", "purchases in all", "累计购买次数", MAX_COUNT),
    Fact(AGE, _O, "number", "days since the first purchase", "距首次购买天数", low=0, high=MAX_DAYS, scale=1),
    Fact("member.tier", _O, "text", "tier before", "当前等级"),
)
LAYOUT: Final = Layout({fact.name: Place(fact, index) for index, fact in enumerate(FACTS)}, len(FACTS), 0)


class Condition:
    """A checked condition. ``ages`` are the numbers that the age is compared with, in order.

    To know when time changes a tier, the same figures are asked for month after month: what was worked out of them is
    remembered, and an age counts only by where it lies among the numbers it is compared with.
    """

    def __init__(self, when: Node, ages: tuple[int, ...] = ()) -> None:
        self.ages = ages
        self._when = when
        self._known: dict[Any, bool] = {}

    def holds(self, state: State, figures: Figures, day: int) -> bool:
        """Whether it is true of an account on a day, with these figures in the window."""
        age = min(max(day - state.first, 0), MAX_DAYS) if state.first else None
        at = None if age is None else (bisect_left(self.ages, age), age in self.ages)
        key = (figures, state.total, at, state.tier)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[key] = holds(self._when, [*figures, *state.total, age, state.tier or None])
        return known


def condition_of(level: Level) -> Condition | None:
    """The condition of a level, None where it has none; Corrupt when it was stored unchecked."""
    if not level.when:
        return None
    try:
        tree = _placed(level.tree)
        return Condition(msgspec.convert(tree, Node), tuple(sorted(compared(tree, (AGE,))[0].get(AGE, ()))))
    except (msgspec.ValidationError, KeyError, AttributeError, TypeError) as error:
        raise Corrupt(f"the condition of tier {level.id} cannot be read") from error


def looks_elsewhere(tree: Any) -> bool:
    """Whether the age stands anywhere but in a plain comparison, so that nobody could tell when time changes it."""
    return compared(tree, (AGE,))[1]


def speaks_of_nothing(tree: Any) -> bool:
    """Whether a condition is the same for everybody."""
    return not mentioned(tree)


def _placed(data: Any) -> Any:
    """Fields are found anew by their names: a later product may know more of them."""
    if isinstance(data, list):
        return [_placed(one) for one in data]
    if not isinstance(data, Mapping):
        return data
    if data.get("n") == "field":
        return {**data, "index": LAYOUT.places[data["name"]].index}
    return {name: _placed(one) for name, one in data.items()}
