"""When an account is to be looked at: the pure part."""

from typing import Any

import pytest

from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.programs.policy import check
from loyalty.programs.terms import Program
from loyalty.timers.ends import decay_due, expiry_due, reminder_due, renewed_until
from loyalty.timers.events import EXPIRING, expiring_of
from loyalty.timers.timer import ORDER, armed, brings
from loyalty.values import Rate
from tests.unit.nights import DAY, POLICY, START, Nights

YEARLY: dict[str, Any] = {"kind": "rolling", "months": 12, "rounding": "day"}


def program(**policy: Any) -> Program:
    return Program.of(check({**POLICY, "expiry": YEARLY, **policy}), 1)


def midnight(days: int) -> int:
    """The end of the day so many days after the start's."""
    return program().terms(START + days * DAY, START, {**YEARLY, "months": 0}, 0).expiry


def state(*lots: tuple[int, int], **changes: Any) -> State:
    """An account with points by (days that they last, points)."""
    return State(
        number=1, kind="member", status="open", at=START, lots={(midnight(d), 0): p for d, p in lots}, **changes
    )


TODAY = program().day(START)


def test_points_are_due_on_the_day_after_their_last() -> None:
    assert expiry_due(state((3, 10), (9, 10)), program()) == TODAY + 4
    assert expiry_due(state(), program()) is None


def test_an_end_within_a_day_is_due_on_the_day_after() -> None:
    odd = State(number=1, kind="member", status="open", at=START, lots={(START + 60, 0): 5})
    assert expiry_due(odd, program()) == TODAY + 1


def test_points_for_good_are_never_due() -> None:
    assert expiry_due(State(number=1, at=START, lots={(0, 0): 5}), program()) is None


def test_what_is_held_is_due_when_the_hold_ends_at_the_earliest() -> None:
    draft = Draft(state((3, 10)), START)
    commands.hold(draft, 10, midnight(8), offline=False)
    assert expiry_due(draft.state, program()) == TODAY + 9


def test_what_waits_for_notice_is_due_once_it_was_given() -> None:
    waiting = state((3, 10), promised=midnight(3))
    assert expiry_due(waiting, program()) is None
    waiting.noticed = midnight(3)
    assert expiry_due(waiting, program()) == TODAY + 4


@pytest.mark.parametrize(("lasts", "told"), [(60, 31), (20, 14), (7, 1), (6, None), (0, None)])
def test_a_reminder_is_due_so_many_days_before_the_end_and_never_today(lasts: int, told: int | None) -> None:
    due = reminder_due(state((lasts, 10)), program(reminders={"days": [30, 7]}))
    assert due == (None if told is None else TODAY + told)


def test_the_soonest_reminder_of_all_points_is_the_one() -> None:
    policy = program(reminders={"days": [30, 7]})
    assert reminder_due(state((60, 1), (12, 1), (34, 1)), policy) == TODAY + 5
    assert reminder_due(state((60, 1), (12, 1)), program()) is None


def test_points_shrink_so_many_months_after_the_last_purchase_and_notice_is_due_before() -> None:
    policy = program(decay={"months": 2, "percent": 10, "notice_days": 14})
    idle = state((300, 10), last=TODAY, purchases=1)
    assert decay_due(idle, policy) == TODAY + 59 - 14
    idle.decay_noticed = TODAY + 70
    assert decay_due(idle, policy) == TODAY + 70
    idle.decayed = TODAY + 70
    assert decay_due(idle, policy) == TODAY + 70 + 61 - 14
    assert decay_due(state((300, 10)), policy) is None, "who never bought is not idle"
    assert decay_due(state(last=TODAY), policy) is None, "nothing is there to shrink"
    assert decay_due(idle, program()) is None


def test_a_change_arms_what_is_due_sooner_than_before_or_was_due_by_now() -> None:
    days: dict[int, int | None] = {}
    dues = {"expiry": lambda one, _: days[one.number]}

    def change(before: int | None, after: int | None) -> dict[str, int]:
        days.update({1: before, 2: after})
        return armed(dues, program(), State(number=1, at=START), State(number=2, at=START))

    assert change(None, TODAY + 5) == {"expiry": TODAY + 5}
    assert change(TODAY + 9, TODAY + 5) == {"expiry": TODAY + 5}
    assert change(TODAY + 5, TODAY + 9) == {}
    assert change(TODAY + 5, None) == {}
    assert change(TODAY, TODAY + 9) == {"expiry": TODAY + 9}, "its timer may have fired"
    assert change(TODAY - 3, TODAY - 3) == {}


def test_spending_brings_nothing_that_could_be_due_sooner() -> None:
    before = state((3, 10), (9, 10))
    draft = Draft(before, START)
    commands.redeem(draft, 15)
    assert not brings(before, draft.state)
    draft = Draft(before, START)
    commands.earn_awards(draft, [commands.Award("base", Rate(1, 1), midnight(1))])
    assert brings(before, draft.state)


def test_the_published_order_reviews_tiers_before_points_end_and_tells_members_last() -> None:
    assert ORDER.index("tier") < ORDER.index("expiry") < ORDER.index("decay") < ORDER.index("reminder")


def test_a_reminder_says_what_ends_when_and_what_it_costs_to_keep_it() -> None:
    nights = Nights(expiry=YEARLY, reminders={"days": [30]}, renewal={"months": 6, "price_percent": 10})
    nights.give(1, 95, days=40)
    nights.give(1, 7, days=80)
    nights.pass_days(15)
    entry = nights.entries()[-1]
    ((kind, event),) = expiring_of(entry)
    assert kind == EXPIRING
    assert (event.why, event.points, event.notice_required) == ("expiry", 95, False)
    assert [(one.points, one.ends_at) for one in event.ending or []] == [(95, "2026-02-10T23:00:00Z")]
    assert event.renewal
    assert (event.renewal.points, event.renewal.until) == (10, "2026-07-12T22:00:00Z")
    assert event.id == f"grocer:ent{event.entry[3:]}:points.expiring"


def test_a_notice_of_shrinking_says_when_and_how_much() -> None:
    nights = Nights(expiry={"kind": "none"}, decay={"months": 2, "percent": 10, "notice_days": 14})
    nights.buy(1, 999)
    nights.pass_days(50)
    ((_, event),) = expiring_of(nights.entries()[-1])
    assert (event.why, event.points, event.decays_on) == ("inactivity", 99, "2026-03-01")


def test_what_is_no_reminder_tells_nobody_anything() -> None:
    nights = Nights(expiry=YEARLY)
    assert expiring_of(nights.give(1, 10, days=3)) == []


def test_renewed_points_last_for_the_policys_months_to_the_end_of_the_day() -> None:
    policy = program(renewal={"months": 12, "price_percent": 5})
    assert policy.day(renewed_until(policy, START) - 1) == TODAY + 365
