"""Tiers in nights on the simulated table: warned and lost on their days, once, and whoever is not due is left alone."""

from typing import Any

import pytest

from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Chain
from loyalty.ledger.service import Ledger
from loyalty.ledger.store import LedgerStore
from loyalty.table.client import Table
from loyalty.tiers.events import tier_events
from loyalty.tiers.standing import assign, due, follow, review
from loyalty.timers.service import Drain
from tests.simulation.dynamodb import TABLE, Client, Gate
from tests.unit import nights
from tests.unit.nights import Nights
from tests.unit.running import in_turn

TIERS: dict[str, Any] = {
    "levels": [
        {"id": "silver", "name": {"en": "Silver"}, "visits": 1},
        {"id": "gold", "name": {"en": "Gold"}, "visits": 2},
    ],
    "window": {"kind": "rolling_months", "months": 1},
    "downgrade": "one_down",
    "grace_days": 10,
    "warn_days": 7,
}


class TierNights(Nights):
    """A programme with tiers: each purchase counts to the end of the month after its own."""

    def __init__(self, **tiers: Any) -> None:
        super().__init__(tiers={**TIERS, **tiers})

    def connect(self, gate: Gate | None = None) -> None:
        super().connect(gate)
        table = Table(Client(self.engine, gate), TABLE, in_turn)
        self.ledger = Ledger(LedgerStore(table), lambda _: "member", self._arms, self._follows)
        self.drains = Drain(self.ledger, self.store, self._policy, nights.DUES, lambda *what: self.aside.append(what))

    def _follows(self, chain: Chain, before: State, draft: Draft) -> None:
        follow(self._policy(chain.program), before, draft)

    def told(self, number: int = 1) -> list[tuple[str, str, str | None]]:
        """(day, event, tier) of all that was said, by the day on which it was written down."""
        found = []
        for entry in self.ledger.store.oldest(self.chain(number)):
            found += [(event.recorded_at[:10], type_, event.tier or None) for type_, event in tier_events(entry)]
        return found


@pytest.fixture(autouse=True)
def _tiers_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(nights.ACTS, "tier", review)
    monkeypatch.setitem(nights.DUES, "tier", due)


COURSE = [
    ("2026-01-01", "tier.upgraded", "silver"),
    ("2026-01-01", "tier.upgraded", "gold"),
    ("2026-03-04", "tier.downgrade_warned", "gold"),
    ("2026-03-11", "tier.downgraded", "silver"),
    ("2026-04-04", "tier.downgrade_warned", "silver"),
    ("2026-04-11", "tier.downgraded", None),
]


def test_a_tier_is_warned_of_and_lost_on_its_days_and_each_is_written_down_once() -> None:
    story = TierNights()
    story.buy(1, 10)
    story.buy(1, 10)
    story.pass_days(120)
    assert story.told() == COURSE
    assert [kind for _, kind in story.kinds()] == ["tiered"] * 4
    story.sound(1)


def test_nights_that_were_missed_are_made_up_for_with_the_days_that_were_due() -> None:
    story = TierNights()
    story.buy(1, 10)
    story.buy(1, 10)
    story.stream()
    story.now += 120 * nights.DAY
    story.night()
    story.stream()
    story.night()
    state = story.state()
    assert state.tier == ""
    falls = [
        move for entry in story.ledger.store.oldest(story.chain()) for move in entry.moves if move[0] == "downgraded"
    ]
    assert [move[3] for move in falls] == [story.program.day(nights.START) + days for days in (69, 100)]
    story.sound(1)


def test_a_purchase_in_time_keeps_the_tier_and_says_so() -> None:
    story = TierNights()
    story.buy(1, 10)
    story.buy(1, 10)
    story.pass_days(64)
    assert story.told()[-1] == ("2026-03-04", "tier.downgrade_warned", "gold")
    story.buy(1, 10)
    story.buy(1, 10)
    assert story.told()[-1][1:] == ("tier.renewed", "gold")
    story.pass_days(30)
    assert story.state().tier == "gold"


def test_whoever_is_not_due_costs_a_night_nothing() -> None:
    story = TierNights()
    for number in (1, 2, 3):
        story.buy(number, 10)
    story.pass_days(5)
    assert all(drained.written == 0 for _, drained in story.night())
    assert [len(list(story.ledger.store.oldest(story.chain(number)))) for number in (1, 2, 3)] == [2, 2, 2]


def given_by_hand(story: TierNights, tier: str, days: int) -> None:
    until = story.today + days
    story.post(1, lambda draft: assign(draft, story.program, tier, until, "a favour"))


def test_the_end_of_a_tier_given_by_hand_is_warned_of_and_has_the_same_grace() -> None:
    story = TierNights()
    story.buy(1, 10)
    story.stream()
    given_by_hand(story, "gold", 20)  # until 21 January
    story.stream()
    story.pass_days(60)
    assert story.told() == [
        ("2026-01-01", "tier.upgraded", "silver"),
        ("2026-01-01", "tier.upgraded", "gold"),
        ("2026-01-15", "tier.downgrade_warned", "gold"),
        ("2026-02-01", "tier.downgraded", "silver"),  # 21 January and ten days of grace
    ]
    warned = [event for entry in story.entries() for type_, event in tier_events(entry) if "warned" in type_]
    assert [(one.until, one.manual) for one in warned] == [("2026-01-21", True)]
    story.sound(1)


def test_whoever_reaches_a_tier_given_by_hand_is_not_warned_and_keeps_it() -> None:
    story = TierNights()
    story.buy(1, 10)
    given_by_hand(story, "gold", 20)
    story.buy(1, 10)
    story.stream()
    story.pass_days(30)
    assert story.told()[2:] == [("2026-01-22", "tier.renewed", "gold")]
    assert not story.state().tier_manual


def test_the_warning_of_a_missed_night_is_given_and_none_is_given_twice() -> None:
    story = TierNights()
    story.buy(1, 10)
    given_by_hand(story, "gold", 20)
    story.stream()
    story.now += 16 * nights.DAY
    story.buy(1, 0)  # of the day after, before the night makes up for the day itself
    story.post(1, lambda draft: take_back_visit(draft, story.today))
    story.stream()
    for _ in range(3):
        story.night()
        story.stream()
    story.pass_days(30)
    assert [day for day, what, _ in story.told() if what == "tier.downgrade_warned" and day < "2026-02-01"] == [
        "2026-01-17"
    ]


def take_back_visit(draft: Draft, day: int) -> None:
    """What a return leaves of a purchase's figures."""
    commands.begin(draft, "reversed")
    draft.move("reversed", "y", day, -100, 0, -1)


def test_an_end_that_is_nearer_than_the_warning_is_told_the_day_after() -> None:
    story = TierNights()
    given_by_hand_first(story)
    story.pass_days(30)
    assert [(day, what) for day, what, _ in story.told()] == [
        ("2026-01-01", "tier.upgraded"),
        ("2026-01-02", "tier.downgrade_warned"),
        ("2026-01-15", "tier.downgraded"),
    ]


def given_by_hand_first(story: TierNights) -> None:
    until = story.today + 3
    story.post(1, lambda draft: assign(draft, story.program, "gold", until, "a favour"))
    story.stream()
