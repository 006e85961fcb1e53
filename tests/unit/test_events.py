"""What entries tell the rest of the world."""

from collections.abc import Callable

from msgspec import UNSET

from loyalty.ledger import commands
from loyalty.ledger.account import WAITING, Draft, Hold, State
from loyalty.ledger.chain import Cause, Chain, Entry, seal
from loyalty.ledger.events import events_of
from loyalty.ledger.views import AwardView
from loyalty.values import Rate
from tests.unit.states import NOW, draft, wallet

CHAIN = Chain("grocer", "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV", "points")
LATER = NOW + 1_000


def entry(state: State, decide: Callable[[Draft], object]) -> Entry:
    drafted = draft(state)
    decide(drafted)
    return seal(CHAIN, None, drafted, Cause("ref", "print", "cli", NOW))


def told(state: State, decide: Callable[[Draft], object]) -> list[tuple[str, str, int]]:
    return [(kind, event.why, event.points) for kind, event in events_of(entry(state, decide))]


def test_a_purchase_tells_the_points_it_earned() -> None:
    assert told(wallet(), lambda it: commands.earn_amount(it, "base", Rate(1, 100), 1250, LATER, 0)) == [
        ("points.earned", "earned", 12)
    ]


def test_what_each_rule_gave_is_told_where_it_was_not_the_base_rule_alone() -> None:
    awards = [commands.Award("base", Rate(7, 1), LATER), commands.Award("tea", Rate(5, 1), LATER, WAITING)]
    told_of = events_of(entry(wallet(arrears=2), lambda it: commands.earn_awards(it, awards)))
    both = [AwardView("base", 7), AwardView("tea", 5)]
    assert [(kind, event.points, event.awards) for kind, event in told_of] == [
        ("points.earned", 7, both),
        ("points.pending", 5, both),
        ("points.repaid", 2, UNSET),
    ]
    ((_, alone),) = events_of(entry(wallet(), lambda it: commands.earn_awards(it, awards[:1], 739_000, visit=True)))
    assert alone.awards is UNSET


def test_waiting_points_are_told_as_activated_or_as_reversed() -> None:
    state = wallet({(LATER, WAITING): 5})
    assert told(state, lambda it: commands.activate(it, 3, [(LATER, 5)])) == [("points.activated", "activated", 5)]
    assert told(state, lambda it: commands.cancel(it, 3, [(LATER, 5)])) == [("points.reversed", "reversed", 5)]


def test_points_that_begin_later_are_told_as_pending() -> None:
    assert told(wallet(), lambda it: commands.earn(it, [commands.Grant(7, 0, LATER)])) == [
        ("points.pending", "earned", 7)
    ]


def test_a_redemption_that_first_lets_a_lot_expire_tells_both() -> None:
    state = wallet({(NOW - 5, 0): 30, (LATER, 0): 50})
    assert told(state, lambda it: commands.redeem(it, 20)) == [
        ("points.expired", "expired", 30),
        ("points.spent", "spent", 20),
    ]


def test_a_spend_over_several_lots_is_one_event_of_their_sum() -> None:
    state = wallet({(NOW + 10, 0): 30, (LATER, 0): 50})
    assert told(state, lambda it: commands.redeem(it, 70)) == [("points.spent", "spent", 70)]


def test_both_sides_of_a_move_between_states_count_once() -> None:
    state = wallet({(LATER, 0): 50, (LATER, NOW - 1): 8})
    assert told(state, lambda it: commands.hold(it, 58, LATER, offline=False)) == [
        ("points.activated", "activated", 8),
        ("points.held", "held", 58),
    ]


def test_a_capture_tells_what_was_spent_and_what_came_back() -> None:
    state = wallet(holds={4: Hold(LATER, False, {LATER: 40})})
    assert told(state, lambda it: commands.capture(it, 4, 30, final=True)) == [
        ("points.spent", "spent", 30),
        ("points.released", "released", 10),
    ]


def test_a_lapsed_hold_is_told_as_released() -> None:
    state = wallet(holds={4: Hold(NOW, False, {LATER: 40})})
    assert told(state, commands.expire) == [("points.released", "lapsed", 40)]


def test_a_return_beyond_the_balance_tells_what_it_took_and_what_is_owed() -> None:
    state = wallet({(LATER, 0): 5})
    rate = Rate(1, 100)
    assert told(state, lambda it: commands.reverse(it, "base", rate, 1200, LATER, 0, commands.ARREARS)) == [
        ("points.reversed", "reversed", 5),
        ("points.owed", "owed", 7),
    ]


def test_arrears_repaid_are_told_once() -> None:
    assert told(wallet(arrears=5), lambda it: commands.earn(it, [commands.Grant(8, LATER, 0)])) == [
        ("points.earned", "earned", 8),
        ("points.repaid", "repaid", 5),
    ]


def test_opening_and_rounding_are_nobody_elses_business() -> None:
    assert told(State(), lambda it: commands.open_account(it, "member")) == []
    assert told(wallet(), lambda it: commands.earn_amount(it, "base", Rate(1, 100), 99, LATER, 0)) == []


def test_freezing_and_closing_are_told_without_points() -> None:
    assert told(wallet(), lambda it: commands.set_status(it, "frozen", "why")) == [("account.frozen", "frozen", 0)]
    closing = told(wallet({(LATER, 0): 5}), lambda it: commands.close(it, "why", forfeit=True))
    assert closing == [("points.forfeited", "forfeited", 5), ("account.closed", "closed", 0)]


def test_an_events_id_follows_from_its_entry_so_a_second_delivery_is_known() -> None:
    made = entry(wallet({(LATER, 0): 50}), lambda it: commands.redeem(it, 20))
    assert events_of(made) == events_of(made)
    ((_, event),) = events_of(made)
    assert event.id == "grocer:ent_01ARZ3NDEKTSV4RRFFQ69G5FAV-points-11:points.spent:spent"
    assert (event.entry, event.number, event.balance.available) == (
        "ent_01ARZ3NDEKTSV4RRFFQ69G5FAV-points-11",
        11,
        30,
    )


def test_every_event_of_one_entry_has_an_id_of_its_own() -> None:
    state = wallet({(NOW - 5, 0): 30, (LATER, 0): 50}, holds={4: Hold(NOW, False, {LATER: 40})})
    events = events_of(entry(state, lambda it: commands.redeem(it, 20)))
    assert len({event.id for _, event in events}) == len(events) == 3
