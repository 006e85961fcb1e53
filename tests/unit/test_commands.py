"""What may be done to a wallet, what is refused, and with which figures. Every number here was worked out by hand."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from msgspec.structs import replace

from loyalty.errors import Invalid, NotFound, Refused
from loyalty.ledger import commands
from loyalty.ledger.account import MAX_HOLDS, MAX_LOTS, MAX_WAITING, WAITING, Balance, Draft, Hold, State
from loyalty.ledger.commands import ARREARS, MAX_REMAINDERS, ONLY_PENDING, WITHIN_BALANCE, Award, Grant
from loyalty.values import MAX_POINTS, Rate
from tests.unit.states import NOW, TODAY, draft, wallet

SOON, LATER, LATEST = NOW + 100, NOW + 200, NOW + 300
CENT = Rate(1, 100)
"""One point per 100 minor units."""


def done(state: State, command: Callable[[Draft], object]) -> Draft:
    change = draft(state)
    command(change)
    return change


def refused(state: State, command: Callable[[Draft], object]) -> Refused:
    with pytest.raises(Refused) as refusal:
        command(draft(state))
    return refusal.value


def redeem(points: int) -> Callable[[Draft], object]:
    return lambda change: commands.redeem(change, points)


def hold(points: int, deadline: int = LATER) -> Callable[[Draft], object]:
    return lambda change: commands.hold(change, points, deadline, offline=False)


def capture(number: int, points: int | None, *, final: bool = False, allowed: bool = True) -> Callable[[Draft], object]:
    return lambda change: commands.capture(change, number, points, final, allowed)


def release(number: int, *, allowed: bool = True) -> Callable[[Draft], object]:
    return lambda change: commands.release(change, number, allowed)


def adjust(points: int, expiry: int = LATER) -> Callable[[Draft], object]:
    return lambda change: commands.adjust(change, points, expiry, "counted again")


def transfer_out(points: int) -> Callable[[Draft], object]:
    return lambda change: commands.transfer_out(change, points, "mem_b/points")


def earn(*grants: Grant) -> Callable[[Draft], object]:
    return lambda change: commands.earn(change, grants)


def buy(amount: int, rate: Rate = CENT, start: int = 0) -> Callable[[Draft], object]:
    return lambda change: commands.earn_amount(change, "base", rate, amount, LATER, start)


def give_back(
    amount: int, policy: str = ARREARS, *, rate: Rate = CENT, expiry: int = LATER, start: int = 0
) -> Callable[[Draft], object]:
    return lambda change: commands.reverse(change, "base", rate, amount, expiry, start, policy)


def close(*, forfeit: bool) -> Callable[[Draft], object]:
    return lambda change: commands.close(change, "moved away", forfeit)


def set_status(status: str) -> Callable[[Draft], object]:
    return lambda change: commands.set_status(change, status, "suspicion")


# ---- opening


def test_opening_makes_the_first_entry_of_an_empty_account() -> None:
    change = done(State(), lambda change: commands.open_account(change, "household"))
    assert (change.kind, change.number) == ("opened", 1)
    assert (change.state.kind, change.state.status) == ("household", "open")
    assert change.moves == [["opened", "s", "open"]]
    assert change.state.balance() == Balance(0, 0, 0, 0)


# ---- earning


def test_a_bonus_adds_its_points_under_its_terms() -> None:
    change = done(wallet({(LATER, 0): 1}), earn(Grant(50, LATER, 0), Grant(7, LATEST, SOON), Grant(2, 0, 0)))
    assert change.kind == "earned"
    assert change.state.lots == {(LATER, 0): 51, (LATEST, SOON): 7, (0, 0): 2}


def test_a_purchase_earns_the_whole_part_and_carries_the_rest() -> None:
    change = done(wallet(remainders={"base": Rate(1, 2)}), buy(1275))  # 12.75 and 0.50 carried
    assert change.detail["points"] == 13
    assert change.state.lots == {(LATER, 0): 13}
    assert change.state.remainders == {"base": Rate(1, 4)}


def test_thirty_and_twenty_earn_what_fifty_earns() -> None:
    rate = Rate(3, 7)
    apart = done(done(wallet(), buy(30, rate)).state, buy(20, rate)).state
    at_once = done(wallet(), buy(50, rate)).state
    assert apart.lots == at_once.lots == {(LATER, 0): 21}
    assert apart.remainders == at_once.remainders == {"base": Rate(3, 7)}


def test_an_amount_too_small_for_a_point_is_only_carried() -> None:
    change = done(wallet(), buy(99))
    assert change.moves == [["earned", "r", "base", 99, 100]]
    assert change.detail["points"] == 0


def test_a_remainder_that_comes_out_even_is_forgotten() -> None:
    change = done(wallet(remainders={"base": Rate(99, 100)}), buy(1))
    assert change.moves == [["earned", "r", "base", 0, 1], ["earned", "l", LATER, 0, 1]]
    assert change.state.remainders == {}


def test_a_remainder_that_stays_the_same_is_not_written_again() -> None:
    change = done(wallet(remainders={"base": Rate(1, 2)}), buy(300))
    assert change.moves == [["earned", "l", LATER, 0, 3]]


def test_remainders_of_other_rules_are_left_alone() -> None:
    change = done(wallet(remainders={"other": Rate(99, 100)}), buy(1))
    assert change.state.remainders == {"other": Rate(99, 100), "base": Rate(1, 100)}


def test_what_is_earned_repays_arrears_first() -> None:
    change = done(wallet(arrears=30), earn(Grant(50, LATER, 0)))
    assert change.state.balance() == Balance(available=20, pending=0, held=0, arrears=0)
    change = done(wallet(arrears=30), buy(1200))
    assert change.state.balance() == Balance(available=0, pending=0, held=0, arrears=18)


def test_pending_points_repay_nothing_yet() -> None:
    change = done(wallet(arrears=30), earn(Grant(50, LATER, SOON)))
    assert change.state.balance() == Balance(available=0, pending=50, held=0, arrears=30)


def test_points_whose_life_is_over_are_granted_and_expire_in_the_same_entry() -> None:
    change = done(wallet(), earn(Grant(5, NOW, 0)))
    assert change.state.balance().available == 0
    assert change.state.lapsed == {NOW: 5}


def test_an_account_holds_no_more_than_its_bound() -> None:
    full = wallet({(0, 0): MAX_POINTS - 13, (0, SOON): 2}, holds={3: Hold(LATER, False, {0: 1})})
    assert done(full, earn(Grant(10, 0, 0))).state.balance().available == MAX_POINTS - 3
    assert refused(full, earn(Grant(11, 0, 0))).code == "ACCOUNT_FULL"
    assert refused(full, buy(1100)).code == "ACCOUNT_FULL"
    assert refused(full, adjust(11)).code == "ACCOUNT_FULL"
    assert refused(full, lambda change: commands.transfer_in(change, [(0, 11)], "x")).code == "ACCOUNT_FULL"


# ---- awards


def award(rule: str, points: int | Rate, *, expiry: int = LATER, start: int = 0, **more: Any) -> Award:
    return Award(rule, points if isinstance(points, Rate) else Rate(points, 1), expiry, start, **more)


def give(*awards: Award, day: int = TODAY, visit: bool = False) -> Callable[[Draft], object]:
    return lambda change: commands.earn_awards(change, awards, day, visit)


def take(*shares: Award, policy: str = ARREARS, unvisit: bool = False) -> Callable[[Draft], object]:
    return lambda change: commands.take_back(change, shares, policy, unvisit)


def test_awards_of_one_purchase_carry_by_rule_and_fill_a_lot_for_each_of_their_terms() -> None:
    state = wallet(remainders={"lunch": Rate(3, 4)})
    change = done(state, give(award("base", Rate(21, 2)), award("lunch", Rate(1, 2)), award("tea", 5, expiry=LATEST)))
    assert change.moves == [
        ["earned", "r", "base", 1, 2],
        ["earned", "r", "lunch", 1, 4],
        ["earned", "l", LATER, 0, 11],
        ["earned", "l", LATEST, 0, 5],
        ["earned", "y", TODAY, 0, 16, 0],
    ]
    assert change.detail == {"points": 16, "awards": [["base", 10], ["lunch", 1], ["tea", 5]]}


def test_what_the_base_rule_alone_gives_is_not_told_twice() -> None:
    assert done(wallet(), give(award("base", 7))).detail == {"points": 7}
    assert done(wallet(), give()).detail == {"points": 0}
    assert done(wallet(), give(award("tea", 7))).detail == {"points": 7, "awards": [["tea", 7]]}


def test_a_rounded_award_leaves_the_remainder_of_its_rule_alone() -> None:
    change = done(wallet(remainders={"tea": Rate(1, 2)}), give(award("tea", 3, carry=False)))
    assert change.moves == [["earned", "l", LATER, 0, 3], ["earned", "y", TODAY, 0, 3, 0]]


def test_a_purchase_counts_as_a_visit_and_an_event_does_not() -> None:
    bought = done(wallet(), give(award("base", 1), visit=True)).state
    assert (bought.purchases, bought.first, bought.last) == (1, TODAY, TODAY)
    assert done(wallet(), give(award("walk", 1))).state.purchases == 0


def test_a_counter_of_points_counts_whole_points_and_one_of_times_counts_awards() -> None:
    end = date(2027, 1, 31).toordinal()
    counters = (("tea:pm", end), ("tea:tt", 0))
    state = wallet(remainders={"tea": Rate(1, 2)}, counted=TODAY, counters={"tea:pm": 60, "wine:pd": 4})
    change = done(state, give(award("tea", Rate(21, 2), counters=counters)))
    assert change.moves[-2:] == [
        ["earned", "c", TODAY, "tea:pm", 11, "tea:tt", 1],
        ["earned", "y", TODAY, 0, 11, 0],
    ]
    assert change.state.counters == {"tea:pm": 71, "tea:tt": 1, "wine:pd": 4}
    change = done(change.state, give(award("tea", Rate(1, 2), counters=counters), day=TODAY - 40))
    assert change.moves == [["earned", "r", "tea", 1, 2], ["earned", "c", TODAY, "tea:tt", 1]]


def test_a_ninth_remainder_is_added_to_the_base_rules_and_its_whole_point_is_given() -> None:
    rests = {f"r{number}": Rate(2, 3) for number in range(7)}
    state = wallet(remainders={"base": Rate(2, 3), **rests})
    change = done(state, give(award("base", 5), award("tea", Rate(1, 2))))
    assert MAX_REMAINDERS == len(change.state.remainders) == 8
    assert change.state.remainders["base"] == Rate(1, 3)  # 2/3 of its own and 2/3 of r0's
    assert change.detail == {"points": 6, "awards": [["base", 6], ["tea", 0]]}
    alone = done(state, give(award("tea", Rate(1, 2))))
    assert alone.detail == {"points": 1, "awards": [["tea", 1]]}
    with_none = done(
        wallet(remainders={f"r{number}": Rate(2, 3) for number in range(8)}), give(award("tea", Rate(1, 2)))
    )
    assert len(with_none.state.remainders) == 8  # the base rule's is a new one: two others had to make way
    assert (with_none.detail["points"], with_none.state.remainders["base"]) == (1, Rate(1, 3))


def test_what_awards_gave_is_taken_back_from_their_own_lots_before_any_others() -> None:
    state = wallet({(SOON, 0): 50, (LATER, 0): 10, (LATEST, LATER): 8, (LATEST, 0): 2, (0, 0): 3})
    shares = award("base", 12), award("tea", 9, expiry=LATEST, start=LATER)
    change = done(state, take(*shares))
    assert change.moves == [
        ["reversed", "l", LATEST, LATER, -8],
        ["reversed", "l", LATER, 0, -10],
        ["reversed", "l", LATEST, 0, -1],
        ["reversed", "l", SOON, 0, -2],
    ]
    assert change.detail == {"points": 21, "awards": [["base", 12], ["tea", 9]]}
    change = done(state, take(*shares, policy=ONLY_PENDING))
    assert change.moves == [["reversed", "l", LATEST, LATER, -8]]
    assert change.detail["forgiven"] == 13
    change = done(wallet({(LATEST, LATER): 8}), take(*shares, policy=WITHIN_BALANCE))
    assert (change.detail["forgiven"], change.state.arrears) == (13, 0)
    assert done(wallet({(LATEST, LATER): 8}), take(*shares)).state.arrears == 13


def test_counts_are_given_back_while_their_period_is_open() -> None:
    end = date(2027, 1, 31).toordinal()
    counted: dict[str, Any] = {"counted": TODAY, "counters": {"tea:pm": 60, "tea:tt": 4, "tea:pd": 3}}
    state = wallet({(LATER, 0): 99}, **counted)
    share = award("tea", 20, counters=(("tea:pm", end), ("tea:tt", 0), ("tea:pd", TODAY - 1)))
    assert done(state, take(share)).moves[-1] == ["reversed", "c", TODAY, "tea:pm", -20]
    ended = replace(share, ended=True)
    change = done(state, take(ended, unvisit=True))
    assert change.moves[-1] == ["reversed", "c", TODAY, "tea:pm", -20, "tea:tt", -1]
    assert change.state.counters == {"tea:pm": 40, "tea:tt": 3, "tea:pd": 3}


def test_no_more_is_given_back_to_a_counter_than_it_counted() -> None:
    # The remainder came from an earlier period, so the return takes a point that this period did not count.
    share = award("tea", Rate(3, 2), counters=(("tea:tt", 0), ("tea:pt", 0)), ended=True)
    change = done(wallet({(LATER, 0): 2}, counted=TODAY, counters={"tea:pt": 1}), take(share))
    assert change.detail["points"] == 2
    assert change.state.counters == {}


def test_what_was_only_carried_has_counted_nothing_that_could_be_given_back() -> None:
    small = award("tea", Rate(1, 2), counters=(("tea:pm", date(2027, 1, 31).toordinal()),))
    given = done(wallet(), give(small)).state
    assert (given.counted, given.counters) == (0, {})
    assert done(given, take(replace(small, ended=True))).moves == [["reversed", "r", "tea", 0, 1]]


def test_a_purchase_wholly_returned_is_no_purchase_any_more() -> None:
    state = wallet({(LATER, 0): 9}, purchases=(3, TODAY - 5, TODAY))
    assert done(state, take(award("base", 4))).state.purchases == 3
    change = done(state, take(award("base", 4), unvisit=True))
    assert change.moves[-1] == ["reversed", "p", -1, 0]
    assert (change.state.purchases, change.state.last) == (2, TODAY)
    assert (
        done(wallet(), take(award("base", 0), unvisit=True)).state.purchases == 0
    )  # from before purchases were counted


# ---- points that wait for an event


def test_waiting_points_are_activated_by_the_entry_that_gave_them() -> None:
    given = done(wallet({(LATER, 0): 1}), give(award("trade", 30, start=WAITING), award("tea", 2)))
    lots = commands.waiting_parts(given.moves)
    assert lots == [(LATER, 30)]
    change = done(given.state, lambda it: commands.activate(it, 11, lots))
    assert (change.kind, change.detail) == ("activated", {"points": 30, "of": 11})
    assert change.moves == [["activated", "l", LATER, WAITING, -30], ["activated", "l", LATER, 0, 30]]
    change = done(given.state, lambda it: commands.cancel(it, 11, lots))
    assert (change.kind, change.detail) == ("cancelled", {"points": 30, "of": 11})
    assert change.state.lots == {(LATER, 0): 3}


def test_activated_points_repay_arrears() -> None:
    state = wallet({(LATER, WAITING): 30}, arrears=12)
    change = done(state, lambda it: commands.activate(it, 3, [(LATER, 30)]))
    assert (change.state.lots, change.state.arrears) == ({(LATER, 0): 18}, 0)


def test_points_of_so_many_lots_wait_and_each_is_decided_on_as_long_as_it_lasts() -> None:
    def gives(day: int, start: int) -> Callable[[Draft], object]:
        award = Award("old", Rate(10, 1), NOW + 86_400 * (day + 2), start)
        return lambda it: commands.earn_awards(it, [award])

    state, given = wallet(), []
    for day in range(MAX_WAITING):
        change = done(state, gives(day, WAITING))
        given.append(commands.waiting_parts(change.moves))
        state = change.state
    for day in range(MAX_LOTS):
        state = done(state, gives(day, 0)).state
    assert len(state.lots) == MAX_LOTS
    assert refused(state, gives(MAX_WAITING, WAITING)).code == "ACCOUNT_FULL"
    assert done(state, gives(0, WAITING)).state.balance().pending == 10 * MAX_WAITING + 10
    for number, lots in enumerate(given):
        state, points = _activated(state, number, lots)
        assert points == 10
    assert state.balance().pending == 0


def _activated(state: State, number: int, lots: list[tuple[int, int]]) -> tuple[State, int]:
    change = draft(state)
    points = commands.activate(change, number, lots)
    return change.state, points


def test_waiting_points_that_were_merged_are_found_and_those_that_expired_are_not() -> None:
    merged = wallet({(LATEST, WAITING): 30, (0, WAITING): 5})
    change = done(merged, lambda it: commands.activate(it, 3, [(SOON, 32)]))
    assert change.state.lots == {(LATEST, 0): 30, (0, 0): 2, (0, WAITING): 3}
    gone = done(merged, lambda it: commands.activate(it, 3, [(NOW, 30)]))
    assert (gone.moves, gone.detail["points"]) == ([], 0)
    sooner = done(wallet({(SOON, WAITING): 9}), lambda it: commands.cancel(it, 3, [(LATER, 4)]))
    assert sooner.moves == []


# ---- spending


def test_a_redemption_takes_what_expires_first() -> None:
    change = done(wallet({(0, 0): 10, (LATER, 0): 20, (SOON, 0): 5, (SOON, NOW + 1): 99}), redeem(26))
    assert change.kind == "redeemed"
    assert change.detail["points"] == 26
    assert change.state.lots == {(0, 0): 9, (SOON, NOW + 1): 99}
    assert commands.spent_parts(change.moves) == [(SOON, 5), (LATER, 20), (0, 1)]


def test_a_redemption_may_take_everything() -> None:
    assert done(wallet({(0, 0): 10}), redeem(10)).state.lots == {}


def test_a_redemption_beyond_what_is_available_says_what_is_missing() -> None:
    problem = refused(wallet({(0, 0): 10, (0, SOON): 90}, holds={2: Hold(LATER, False, {0: 5})}), redeem(12))
    assert problem.code == "POINTS_INSUFFICIENT"
    assert problem.figures == {"available": 10, "missing_points": 2}


@pytest.mark.parametrize("expiry", [NOW - 1, NOW])
def test_an_expired_lot_cannot_be_spent_whether_or_not_a_sweep_has_run(expiry: int) -> None:
    problem = refused(wallet({(expiry, 0): 10, (0, 0): 3}), redeem(4))
    assert problem.figures == {"available": 3, "missing_points": 1}


def test_a_lot_can_be_spent_until_the_second_before_its_expiry() -> None:
    assert done(wallet({(NOW + 1, 0): 10}), redeem(10)).state.lots == {}


def test_points_that_begin_now_can_be_spent_now() -> None:
    assert done(wallet({(0, NOW): 10}), redeem(10)).state.lots == {}
    assert refused(wallet({(0, NOW + 1): 10}), redeem(10)).figures["available"] == 0


@pytest.mark.parametrize("points", [0, -1, -10])
@pytest.mark.parametrize("command", [redeem, hold, transfer_out, lambda points: capture(2, points)])
def test_no_command_moves_nothing_or_less(command: Callable[[int], Callable[[Draft], object]], points: int) -> None:
    with pytest.raises(Invalid) as refusal:
        command(points)(draft(wallet({(0, 0): 10}, holds={2: Hold(LATER, False, {0: 5})})))
    assert (refusal.value.code, refusal.value.field) == ("REQUEST_INVALID", "points")


# ---- cancelling a redemption


def test_a_cancelled_redemption_gives_its_points_back_to_the_lots_they_came_from() -> None:
    change = done(wallet({(LATER, 0): 3}), lambda change: commands.restore(change, [(SOON, 5), (LATER, 2), (0, 1)], 7))
    assert (change.kind, change.detail) == ("restored", {"points": 8, "of": 7})
    assert change.state.lots == {(SOON, 0): 5, (LATER, 0): 5, (0, 0): 1}


def test_points_given_back_too_late_expire_at_once() -> None:
    change = done(wallet(), lambda change: commands.restore(change, [(NOW - 1, 5), (LATER, 2)], 7))
    assert change.state.lots == {(LATER, 0): 2}
    assert change.state.lapsed == {NOW - 1: 5}


def test_points_given_back_repay_arrears() -> None:
    change = done(wallet(arrears=6), lambda change: commands.restore(change, [(LATER, 5)], 7))
    assert change.state.balance() == Balance(available=0, pending=0, held=0, arrears=1)


# ---- holds


def test_a_hold_sets_points_aside_and_remembers_their_lots() -> None:
    change = done(wallet({(SOON, 0): 5, (0, 0): 10}), lambda change: commands.hold(change, 8, LATER, offline=True))
    assert change.state.holds == {11: Hold(LATER, True, {SOON: 5, 0: 3})}
    assert change.state.balance() == Balance(available=7, pending=0, held=8, arrears=0)
    assert change.detail == {"points": 8, "deadline": LATER, "offline": True}


def test_a_hold_beyond_what_is_available_says_what_is_missing() -> None:
    problem = refused(wallet({(0, 0): 10}, holds={2: Hold(LATER, False, {0: 5})}), hold(11))
    assert (problem.code, problem.figures) == ("POINTS_INSUFFICIENT", {"available": 10, "missing_points": 1})


def test_there_is_a_bound_on_holds_at_once_and_a_lapsed_one_does_not_count() -> None:
    holds = {number: Hold(LATER, False, {0: 1}) for number in range(MAX_HOLDS)}
    assert refused(wallet({(0, 0): 10}, holds=holds, number=50), hold(1)).code == "HOLD_LIMIT_REACHED"
    holds[0] = Hold(NOW, False, {0: 1})
    assert len(done(wallet({(0, 0): 10}, holds=holds, number=50), hold(1)).state.holds) == MAX_HOLDS


def test_part_of_a_hold_is_spent_and_the_rest_stays_held() -> None:
    change = done(wallet(holds={4: Hold(LATER, False, {SOON: 5, 0: 3, LATEST: 2})}), capture(4, 6))
    assert change.kind == "captured"
    assert change.state.holds == {4: Hold(LATER, False, {LATEST: 1, 0: 3})}
    assert change.detail == {"points": 6, "hold": 4, "released": 0, "left": 4}
    assert commands.spent_parts(change.moves) == [(SOON, 5), (LATEST, 1)]
    assert change.state.balance() == Balance(available=0, pending=0, held=4, arrears=0)


def test_a_final_capture_gives_the_rest_back() -> None:
    change = done(wallet({(0, 0): 1}, holds={4: Hold(LATER, False, {SOON: 5, 0: 3})}), capture(4, 6, final=True))
    assert change.state.holds == {}
    assert change.state.lots == {(0, 0): 3}
    assert change.detail == {"points": 6, "hold": 4, "released": 2, "left": 0}


@pytest.mark.parametrize("final", [False, True])
def test_a_hold_captured_whole_is_gone(final: bool) -> None:
    change = done(wallet(holds={4: Hold(LATER, False, {SOON: 5, 0: 3})}), capture(4, 8, final=final))
    assert change.state.holds == {}
    assert change.state.lots == {}
    assert change.detail == {"points": 8, "hold": 4, "released": 0, "left": 0}


def test_a_capture_without_points_spends_all_that_the_hold_has() -> None:
    change = done(wallet(holds={4: Hold(LATER, False, {SOON: 5, 0: 3})}), capture(4, None))
    assert change.detail == {"points": 8, "hold": 4, "released": 0, "left": 0}


def test_an_offline_hold_is_captured_only_by_who_shows_its_allowance() -> None:
    state = wallet(holds={4: Hold(LATER, True, {0: 8}), 5: Hold(LATER, False, {0: 8})})
    assert refused(state, capture(4, 1, allowed=False)).code == "HOLD_ALLOWANCE_INVALID"
    assert done(state, capture(4, 1, allowed=True)).detail["points"] == 1
    assert done(state, capture(5, 1, allowed=False)).detail["points"] == 1


def test_an_offline_hold_is_released_only_by_who_may_for_its_points_may_be_spent_already() -> None:
    state = wallet(holds={4: Hold(LATER, True, {0: 8}), 5: Hold(LATER, False, {0: 8})})
    assert refused(state, lambda change: commands.release(change, 4, allowed=False)).code == "HOLD_ALLOWANCE_INVALID"
    assert done(state, release(4)).detail["points"] == 8
    assert done(state, lambda change: commands.release(change, 5, allowed=False)).detail["points"] == 8


def test_an_offline_hold_is_released_only_by_who_shows_its_allowance() -> None:
    state = wallet(holds={4: Hold(LATER, True, {0: 8}), 5: Hold(LATER, False, {0: 7})})
    assert refused(state, release(4, allowed=False)).code == "HOLD_ALLOWANCE_INVALID"
    assert done(state, release(4, allowed=True)).detail["points"] == 8
    assert done(state, release(5, allowed=False)).detail["points"] == 7


def test_an_offline_hold_that_lapsed_is_not_active_whether_or_not_a_sweep_has_run() -> None:
    state = wallet(holds={4: Hold(NOW, True, {0: 8})})
    swept = done(state, commands.expire).state
    assert refused(state, capture(4, 1, allowed=False)).code == "HOLD_NOT_ACTIVE"
    assert refused(swept, capture(4, 1, allowed=False)).code == "HOLD_NOT_ACTIVE"
    assert refused(state, release(4, allowed=False)).code == "HOLD_NOT_ACTIVE"
    assert refused(swept, release(4, allowed=False)).code == "HOLD_NOT_ACTIVE"


def test_what_a_final_capture_gives_back_repays_arrears() -> None:
    change = done(wallet(holds={4: Hold(LATER, False, {0: 8})}, arrears=3), capture(4, 1, final=True))
    assert change.state.balance() == Balance(available=4, pending=0, held=0, arrears=0)


def test_more_than_a_hold_has_cannot_be_captured_even_when_the_account_has_it() -> None:
    problem = refused(wallet({(0, 0): 100}, holds={4: Hold(LATER, False, {0: 8})}), capture(4, 9))
    assert (problem.code, problem.figures) == ("HOLD_EXCEEDED", {"available": 8, "missing_points": 1})


def test_held_points_can_be_spent_after_their_lots_expiry_but_not_after_the_holds_deadline() -> None:
    change = done(wallet(holds={4: Hold(LATER, False, {NOW - 1: 8})}), capture(4, 8))
    assert change.detail["points"] == 8
    assert refused(wallet(holds={4: Hold(NOW, False, {LATER: 8})}), capture(4, 8)).code == "HOLD_NOT_ACTIVE"


def test_a_released_hold_gives_everything_back_to_its_lots() -> None:
    change = done(wallet({(0, 0): 1}, holds={4: Hold(LATER, False, {SOON: 5, 0: 3})}), release(4))
    assert (change.kind, change.detail) == ("released", {"points": 8, "hold": 4})
    assert change.state.lots == {(SOON, 0): 5, (0, 0): 4}
    assert change.state.holds == {}


def test_points_released_after_their_lots_expiry_expire_at_once() -> None:
    change = done(wallet(holds={4: Hold(LATER, False, {NOW - 1: 8})}), release(4))
    assert change.state.lots == {}
    assert change.state.lapsed == {NOW - 1: 8}


@pytest.mark.parametrize("command", [lambda number: capture(number, 1), release])
def test_a_hold_that_is_gone_is_not_active_and_one_that_never_was_is_not_found(
    command: Callable[[int], Callable[[Draft], object]],
) -> None:
    state = wallet(number=10)
    assert refused(state, command(4)).code == "HOLD_NOT_ACTIVE"
    assert refused(state, command(10)).code == "HOLD_NOT_ACTIVE"
    for number in (11, 12):
        with pytest.raises(NotFound) as missing:
            command(number)(draft(state))
        assert missing.value.code == "HOLD_NOT_FOUND"


# ---- returning a purchase


def test_a_return_takes_back_what_its_amount_earned_and_restores_the_remainder() -> None:
    before = wallet({(LATER, 0): 4}, remainders={"base": Rate(1, 2)})
    change = done(done(before, buy(1275)).state, give_back(1275))
    assert change.kind == "reversed"
    assert change.detail == {"points": 13}
    assert change.state.lots == {(LATER, 0): 4}
    assert change.state.remainders == {"base": Rate(1, 2)}


def test_a_return_takes_only_whole_points_and_carries_what_it_did_not_take() -> None:
    change = done(wallet({(LATER, 0): 13}, remainders={"base": Rate(1, 4)}), give_back(150))  # 0.25 - 1.50 = -1.25
    assert change.detail == {"points": 2}
    assert change.state.remainders == {"base": Rate(3, 4)}
    assert change.state.lots == {(LATER, 0): 11}


def test_a_return_below_the_remainder_takes_no_point() -> None:
    change = done(wallet({(LATER, 0): 13}, remainders={"base": Rate(3, 4)}), give_back(50))
    assert change.detail == {"points": 0}
    assert change.moves == [["reversed", "r", "base", 1, 4]]


ALL_SOURCES = wallet(
    {(LATER, LATEST): 3, (LATER, 0): 4, (SOON, 0): 6, (0, 0): 7, (SOON, LATEST): 50},
    lapsed={LATER: 5},
    holds={2: Hold(LATEST, False, {LATER: 40})},
)
"""The order's own: 3 pending, 4 active, 5 lapsed. Others: 13 active, 50 pending. Held: 40."""


@pytest.mark.parametrize(
    ("points", "moves"),
    [
        (2, [["reversed", "l", LATER, LATEST, -2]]),
        (3, [["reversed", "l", LATER, LATEST, -3]]),
        (6, [["reversed", "l", LATER, LATEST, -3], ["reversed", "l", LATER, 0, -3]]),
        (9, [["reversed", "l", LATER, LATEST, -3], ["reversed", "l", LATER, 0, -4], ["reversed", "z", LATER, -2]]),
        (
            20,
            [
                ["reversed", "l", LATER, LATEST, -3],
                ["reversed", "l", LATER, 0, -4],
                ["reversed", "z", LATER, -5],
                ["reversed", "l", SOON, 0, -6],
                ["reversed", "l", 0, 0, -2],
            ],
        ),
        (
            30,
            [
                ["reversed", "l", LATER, LATEST, -3],
                ["reversed", "l", LATER, 0, -4],
                ["reversed", "z", LATER, -5],
                ["reversed", "l", SOON, 0, -6],
                ["reversed", "l", 0, 0, -7],
                ["owed", "a", 5],
            ],
        ),
    ],
)
def test_a_return_takes_from_its_own_lots_then_from_their_memory_then_from_others_and_then_owes(
    points: int, moves: list[list[object]]
) -> None:
    change = done(ALL_SOURCES, give_back(points * 100, start=LATEST))
    assert change.moves == moves
    assert change.detail == {"points": points}


def test_a_return_within_the_balance_forgives_what_is_not_there() -> None:
    change = done(ALL_SOURCES, give_back(3000, WITHIN_BALANCE, start=LATEST))
    assert change.detail == {"points": 30, "forgiven": 5}
    assert change.state.balance() == Balance(available=0, pending=50, held=40, arrears=0)


def test_a_return_of_pending_points_only_leaves_what_is_active() -> None:
    change = done(ALL_SOURCES, give_back(3000, ONLY_PENDING, start=LATEST))
    assert change.detail == {"points": 30, "forgiven": 27}
    assert change.moves == [["reversed", "l", LATER, LATEST, -3]]


def test_a_return_of_pending_points_only_takes_nothing_once_they_are_active() -> None:
    change = done(wallet({(LATER, 0): 10}), give_back(1000, ONLY_PENDING, start=NOW - 5))
    assert change.detail == {"points": 10, "forgiven": 10}
    assert change.moves == []


def test_a_member_does_not_pay_twice_for_points_that_expired_before_the_return() -> None:
    change = done(wallet({(NOW - 1, 0): 10, (0, 0): 50}), give_back(1000, expiry=NOW - 1))
    assert change.state.lots == {(0, 0): 50}
    assert change.state.lapsed == {}
    assert change.state.arrears == 0


def test_what_is_owed_is_repaid_when_a_hold_comes_back() -> None:
    owing = done(wallet(holds={2: Hold(LATER, False, {LATER: 10})}), give_back(1000)).state
    assert owing.balance() == Balance(available=0, pending=0, held=10, arrears=10)
    assert done(owing, release(2)).state.balance() == Balance(available=0, pending=0, held=0, arrears=0)


# ---- adjusting


def test_an_adjustment_upwards_is_a_lot_of_its_own_terms() -> None:
    change = done(wallet({(LATER, 0): 1}), adjust(5, SOON))
    assert change.state.lots == {(LATER, 0): 1, (SOON, 0): 5}
    assert (change.kind, change.detail) == ("adjusted", {"points": 5, "reason": "counted again"})


def test_an_adjustment_downwards_takes_what_expires_first() -> None:
    change = done(wallet({(LATER, 0): 4, (SOON, 0): 3}), adjust(-5))
    assert change.state.lots == {(LATER, 0): 2}
    assert change.detail["points"] == -5


def test_an_adjustment_downwards_cannot_take_what_is_not_available() -> None:
    problem = refused(wallet({(0, 0): 4, (0, SOON): 9}), adjust(-5))
    assert (problem.code, problem.figures) == ("POINTS_INSUFFICIENT", {"available": 4, "missing_points": 1})


def test_an_adjustment_by_nothing_is_invalid() -> None:
    with pytest.raises(Invalid):
        adjust(0)(draft(wallet({(0, 0): 4})))


# ---- transferring


def test_transferred_points_keep_their_terms() -> None:
    parts = commands.transfer_out(change := draft(wallet({(0, 0): 10, (SOON, 0): 5})), 8, "mem_b/points")
    assert parts == [(SOON, 5), (0, 3)]
    assert (change.kind, change.state.lots) == ("transferred_out", {(0, 0): 7})
    assert change.detail == {"points": 8, "to": "mem_b/points"}
    arrival = done(wallet({(0, 0): 1}), lambda change: commands.transfer_in(change, parts, "mem_a/points"))
    assert (arrival.kind, arrival.state.lots) == ("transferred_in", {(0, 0): 4, (SOON, 0): 5})
    assert arrival.detail == {"points": 8, "from": "mem_a/points"}


def test_more_than_is_available_cannot_be_transferred() -> None:
    problem = refused(wallet({(0, 0): 4}), transfer_out(6))
    assert (problem.code, problem.figures) == ("POINTS_INSUFFICIENT", {"available": 4, "missing_points": 2})


def test_transferred_points_repay_the_receivers_arrears() -> None:
    change = done(wallet(arrears=3), lambda change: commands.transfer_in(change, [(SOON, 5)], "mem_a/points"))
    assert change.state.balance() == Balance(available=2, pending=0, held=0, arrears=0)


# ---- expiring


def test_expiring_writes_down_what_is_due() -> None:
    change = done(wallet({(NOW, 0): 4, (SOON, 0): 1}), commands.expire)
    assert change.kind == "expired"
    assert change.moves == [["expired", "l", NOW, 0, -4], ["expired", "z", NOW, 4]]


def test_expiring_when_nothing_is_due_has_nothing_to_write() -> None:
    assert done(wallet({(SOON, 0): 1}), commands.expire).moves == []


# ---- frozen and closed


FROZEN = wallet({(0, 0): 10}, holds={2: Hold(LATER, False, {0: 5})}, status="frozen")


@pytest.mark.parametrize("command", [redeem(1), hold(1), transfer_out(1)])
def test_nothing_leaves_a_frozen_account(command: Callable[[Draft], object]) -> None:
    assert refused(FROZEN, command).code == "ACCOUNT_FROZEN"


@pytest.mark.parametrize(
    ("command", "available"),
    [
        (earn(Grant(5, 0, 0)), 15),
        (buy(100), 11),
        (give_back(100), 9),
        (capture(2, 3), 10),
        (release(2), 15),
        (adjust(1), 11),
        (adjust(-1), 9),
        (commands.expire, 10),
        (lambda change: commands.restore(change, [(0, 2)], 7), 12),
        (lambda change: commands.transfer_in(change, [(0, 2)], "x"), 12),
    ],
)
def test_a_frozen_account_earns_honours_its_holds_and_can_be_corrected(
    command: Callable[[Draft], object], available: int
) -> None:
    change = done(FROZEN, command)
    assert change.state.balance().available == available
    assert change.state.status == "frozen"


def test_an_account_is_frozen_and_unfrozen_with_a_reason() -> None:
    frozen = done(wallet(), set_status("frozen"))
    assert (frozen.kind, frozen.moves) == ("frozen", [["frozen", "s", "frozen"]])
    assert frozen.detail == {"reason": "suspicion"}
    thawed = done(frozen.state, set_status("open"))
    assert (thawed.kind, thawed.state.status) == ("unfrozen", "open")


@pytest.mark.parametrize("status", ["open", "frozen"])
def test_an_account_that_is_in_that_state_already_is_refused(status: str) -> None:
    assert refused(wallet(status=status), set_status(status)).code == "ACCOUNT_STATUS_UNCHANGED"


@pytest.mark.parametrize(
    "command",
    [
        redeem(1),
        hold(1),
        transfer_out(1),
        earn(Grant(5, 0, 0)),
        buy(100),
        give_back(100),
        capture(2, 3),
        release(2),
        adjust(1),
        adjust(-1),
        commands.expire,
        lambda change: commands.restore(change, [(0, 2)], 7),
        lambda change: commands.transfer_in(change, [(0, 2)], "x"),
        set_status("frozen"),
        set_status("open"),
        close(forfeit=True),
    ],
)
def test_nothing_can_be_done_to_a_closed_account(command: Callable[[Draft], object]) -> None:
    assert refused(wallet(status="closed"), command).code == "ACCOUNT_CLOSED"


def test_an_empty_account_closes() -> None:
    change = done(wallet({(NOW, 0): 4}, remainders={"base": Rate(1, 2)}), close(forfeit=False))
    assert (change.kind, change.state.status) == ("closed", "closed")
    assert change.detail == {"reason": "moved away"}


@pytest.mark.parametrize(
    ("state", "figures"),
    [
        (wallet({(0, 0): 4}), {"available": 4, "pending": 0, "held": 0, "arrears": 0}),
        (wallet({(0, SOON): 4}), {"available": 0, "pending": 4, "held": 0, "arrears": 0}),
        (wallet(arrears=4), {"available": 0, "pending": 0, "held": 0, "arrears": 4}),
        (wallet(holds={2: Hold(SOON, False, {0: 4})}), {"available": 0, "pending": 0, "held": 4, "arrears": 0}),
    ],
)
def test_an_account_that_holds_or_owes_points_says_so_when_it_is_closed(state: State, figures: dict[str, int]) -> None:
    problem = refused(state, close(forfeit=False))
    assert (problem.code, problem.figures) == ("ACCOUNT_NOT_EMPTY", figures)


def test_forfeiting_gives_up_what_is_there_and_forgives_what_is_owed() -> None:
    change = done(wallet({(0, 0): 4, (LATER, SOON): 3}, status="frozen"), close(forfeit=True))
    assert change.state.balance() == Balance(0, 0, 0, 0)
    assert change.moves == [
        ["forfeited", "l", 0, 0, -4],
        ["forfeited", "l", LATER, SOON, -3],
        ["closed", "s", "closed"],
    ]
    change = done(wallet(arrears=3), close(forfeit=True))
    assert change.moves == [["forgiven", "a", -3], ["closed", "s", "closed"]]


def test_a_hold_must_be_settled_before_an_account_closes_even_with_forfeit() -> None:
    assert refused(wallet(holds={2: Hold(SOON, False, {0: 4})}), close(forfeit=True)).code == "ACCOUNT_NOT_EMPTY"
    assert done(wallet(holds={2: Hold(NOW, False, {0: 4})}), close(forfeit=True)).state.status == "closed"


# ---- refusals


@pytest.mark.parametrize(
    "command", [redeem(100), hold(100), capture(2, 100), adjust(-100), transfer_out(100), close(forfeit=False)]
)
def test_a_refusal_leaves_the_account_as_it_was(command: Callable[[Draft], object]) -> None:
    state = wallet({(0, 0): 4, (NOW - 1, 0): 3}, holds={2: Hold(LATER, False, {0: 4})})
    before = state.copy()
    refused(state, command)
    assert state == before


def test_every_command_first_writes_down_what_is_due() -> None:
    state = wallet({(0, 0): 100, (NOW - 1, 0): 3}, holds={2: Hold(LATER, False, {0: 4})})
    for command in (
        redeem(1), hold(1), capture(2, 1), release(2), adjust(1), adjust(-1), transfer_out(1), earn(Grant(1, 0, 0)),
        buy(1), give_back(1), set_status("frozen"), commands.expire,
        lambda change: commands.restore(change, [(0, 2)], 7),
        lambda change: commands.transfer_in(change, [(0, 2)], "x"),
    ):  # fmt: skip
        assert done(state, command).moves[:2] == [["expired", "l", NOW - 1, 0, -3], ["expired", "z", NOW - 1, 3]]


def test_only_spent_points_count_as_spent() -> None:
    moves = [
        ["expired", "l", 5, 0, -9], ["repaid", "l", 5, 0, -9], ["spent", "l", 5, 0, -2], ["spent", "h", 4, 6, -3],
        ["released", "h", 4, 7, -1], ["released", "l", 7, 0, 1],
    ]  # fmt: skip
    assert commands.spent_parts(moves) == [(5, 2), (6, 3)]
