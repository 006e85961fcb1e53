"""The state of a wallet: its moves, its stored form, and what time alone makes of it."""

import json
from datetime import date
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.errors import Corrupt
from loyalty.ledger import account
from loyalty.ledger.account import (
    MAX_LAPSED,
    MAX_LOTS,
    MAX_STREAKS,
    WAITING,
    Balance,
    Draft,
    Figures,
    Hold,
    Move,
    Multiplier,
    State,
    period_end,
)
from loyalty.values import Rate
from tests.unit.states import NOW, TODAY, draft, wallet

DAY = 86_400


def applied(state: State, *moves: Move) -> State:
    for move in moves:
        state.apply(move)
    return state


# ---- moves


def test_points_go_into_a_lot_and_out_of_it_again() -> None:
    state = applied(wallet(), ["earned", "l", 5, 0, 100], ["earned", "l", 5, 0, 20], ["spent", "l", 5, 0, -30])
    assert state.lots == {(5, 0): 90}


def test_an_empty_lot_is_gone() -> None:
    assert applied(wallet({(5, 0): 100}), ["spent", "l", 5, 0, -100]).lots == {}


def test_lots_of_other_terms_are_other_lots() -> None:
    state = applied(wallet(), ["e", "l", 5, 0, 1], ["e", "l", 5, 3, 2], ["e", "l", 0, 0, 3], ["e", "l", 6, 0, 4])
    assert state.lots == {(5, 0): 1, (5, 3): 2, (0, 0): 3, (6, 0): 4}


def test_a_hold_begins_fills_and_is_gone_when_empty() -> None:
    state = applied(wallet(), ["held", "d", 11, 99, 1], ["held", "h", 11, 5, 30], ["held", "h", 11, 6, 20])
    assert state.holds == {11: Hold(99, True, {5: 30, 6: 20})}
    assert state.holds[11].points == 50
    applied(state, ["spent", "h", 11, 5, -30])
    assert state.holds == {11: Hold(99, True, {6: 20})}
    applied(state, ["released", "h", 11, 6, -20])
    assert state.holds == {}


def test_arrears_rise_and_fall() -> None:
    assert applied(wallet(), ["owed", "a", 30], ["repaid", "a", -10]).arrears == 20


def test_a_remainder_is_replaced_and_forgotten_at_zero() -> None:
    state = applied(wallet(), ["earned", "r", "base", 1, 2], ["earned", "r", "other", 1, 3])
    assert state.remainders == {"base": Rate(1, 2), "other": Rate(1, 3)}
    assert applied(state, ["earned", "r", "base", 0, 1]).remainders == {"other": Rate(1, 3)}
    assert applied(state, ["earned", "r", "base", 0, 1]).remainders == {"other": Rate(1, 3)}


def test_what_expired_is_remembered_for_the_latest_lots_only() -> None:
    state = applied(wallet(), *(["expired", "z", expiry, 1] for expiry in (40, 10, 30, 20)))
    assert MAX_LAPSED == 3
    assert state.lapsed == {20: 1, 30: 1, 40: 1}
    assert applied(state, ["reversed", "z", 30, -1]).lapsed == {20: 1, 40: 1}


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def test_purchases_are_counted_and_the_days_of_the_first_and_the_last_are_kept() -> None:
    state = applied(wallet(), ["earned", "p", 1, TODAY], ["earned", "p", 1, TODAY - 9], ["earned", "p", 1, TODAY - 3])
    assert (state.purchases, state.first, state.last) == (3, TODAY - 9, TODAY)
    applied(state, ["reversed", "p", -1, 0], ["reversed", "p", -1, 0], ["reversed", "p", -1, 0])
    assert (state.purchases, state.first, state.last) == (0, TODAY - 9, TODAY)  # they were there all the same


@pytest.mark.parametrize(
    ("period", "on", "end"),
    [
        ("d", "2027-01-15", "2027-01-15"),
        ("w", "2027-01-15", "2027-01-17"),
        ("w", "2027-01-17", "2027-01-17"),
        ("w", "2027-01-18", "2027-01-24"),
        ("m", "2028-02-01", "2028-02-29"),
        ("m", "2027-12-31", "2027-12-31"),
        ("q", "2027-01-01", "2027-03-31"),
        ("q", "2027-12-31", "2027-12-31"),
        ("q", "2027-05-31", "2027-06-30"),
        ("y", "2027-01-01", "2027-12-31"),
        ("m", "9999-12-01", "9999-12-31"),
        ("y", "9999-02-01", "9999-12-31"),
    ],
)
def test_a_period_ends_with_its_last_day(period: str, on: str, end: str) -> None:
    assert period_end(period, day(on)) == day(end)


def test_a_period_for_good_does_not_end() -> None:
    assert period_end("t", TODAY) == 0


def test_a_counter_adds_up_within_its_period_and_begins_anew_with_the_next() -> None:
    state = applied(wallet(), ["earned", "c", day("2027-01-30"), "tea:pm", 60, "tea:tt", 1])
    applied(state, ["earned", "c", day("2027-01-31"), "tea:pm", 15])
    end = day("2027-01-31")
    assert state.used("tea:pm", end) == (end, 75)
    assert state.used("tea:pm", end + 1) == (day("2027-02-28"), 0)
    assert state.used("tea:tt", end + 1) == (0, 1)
    assert state.used("wine:pd", end) == (end, 0)
    applied(state, ["earned", "c", end + 1, "wine:pd", 5])
    assert (state.counted, state.counters) == (end + 1, {"tea:tt": 1, "wine:pd": 5})


def test_what_is_reported_late_counts_in_the_period_of_the_last_count() -> None:
    state = applied(wallet(), ["earned", "c", day("2027-02-01"), "tea:pm", 60])
    assert state.used("tea:pm", day("2027-01-31")) == (day("2027-02-28"), 60)
    assert state.used("wine:pd", day("2027-01-31")) == (day("2027-02-01"), 0)
    with pytest.raises(Corrupt):
        state.apply(["earned", "c", day("2027-01-31"), "tea:pm", 1])


def test_a_counter_that_is_given_back_wholly_is_forgotten_and_its_day_is_not() -> None:
    state = applied(wallet(), ["earned", "c", TODAY, "tea:pm", 60], ["reversed", "c", TODAY, "tea:pm", -60])
    assert (state.counted, state.counters) == (TODAY, {})
    with pytest.raises(Corrupt):
        state.apply(["reversed", "c", TODAY, "tea:pm", -1])


def test_days_in_a_row_are_counted_up_to_a_day() -> None:
    state = wallet(streaks={"check_in": (TODAY, 5)})
    lengths = {ahead: state.streak("check_in", TODAY + ahead) for ahead in (-6, -5, -4, -1, 0, 1, 2)}
    assert lengths == {-6: 1, -5: 1, -4: 1, -1: 4, 0: 5, 1: 6, 2: 1}
    assert state.streak("walk", TODAY) == 1


def test_a_draft_writes_a_streak_down_once_a_day_and_never_back() -> None:
    change = draft(wallet())
    assert [change.streak("walk", on) for on in (TODAY, TODAY, TODAY + 1, TODAY - 1, TODAY + 3)] == [1, 1, 2, 1, 1]
    assert change.moves == [
        ["earned", "k", "walk", TODAY, 1],
        ["earned", "k", "walk", TODAY + 1, 2],
        ["earned", "k", "walk", TODAY + 3, 1],
    ]
    assert change.state.streaks == {"walk": (TODAY + 3, 1)}


def test_the_streaks_that_are_oldest_are_forgotten() -> None:
    state = applied(wallet(), *(["earned", "k", f"e{on}", TODAY + on, 1] for on in (3, 9, 1, 2, 4, 5, 6, 7, 8)))
    assert MAX_STREAKS == len(state.streaks) == 8
    assert "e1" not in state.streaks


def test_a_status_is_set() -> None:
    assert applied(wallet(), ["frozen", "s", "frozen"]).status == "frozen"


@pytest.mark.parametrize(
    "move",
    [
        ["spent", "l", 5, 0, -101],
        ["spent", "l", 6, 0, -1],
        ["spent", "h", 3, 5, -11],
        ["spent", "h", 3, 6, -1],
        ["spent", "h", 4, 5, 1],
        ["repaid", "a", -8],
        ["reversed", "z", 9, -1],
        ["wrong", "j", 1],
    ],
)
def test_a_move_that_takes_what_is_not_there_or_is_unknown_is_corrupt(move: Move) -> None:
    state = wallet({(5, 0): 100}, holds={3: Hold(NOW, False, {5: 10})}, arrears=7)
    with pytest.raises(Corrupt):
        state.apply(move)


def test_balances_are_counted_by_state() -> None:
    state = wallet(
        {(5, 0): 100, (0, 0): 20, (7, 3): 40, (0, 3): 2},
        holds={1: Hold(9, False, {5: 7}), 2: Hold(9, True, {5: 1, 6: 2})},
        arrears=4,
    )
    assert state.balance() == Balance(available=120, pending=42, held=10, arrears=4)


# ---- stored form


FULL = wallet(
    {(500, 0): 100, (0, 0): 20, (500, 300): 40},
    holds={12: Hold(900, False, {500: 7}), 3: Hold(800, True, {0: 2, 400: 1})},
    arrears=4,
    remainders={"base": Rate(1, 2)},
    lapsed={100: 5},
    at=77,
)
COUNTING = msgspec.structs.replace(
    FULL,
    lots={**FULL.lots, (0, WAITING): 3, (500, WAITING): 4},
    status="frozen",
    kind="household",
    purchases=9,
    first=719_000,
    last=719_160,
    counted=719_164,
    counters={"tea:tm": 2, "lunch:pm": 60},
    streaks={"walk": (719_162, 4), "check_in": (719_163, 12)},
)
STANDING = msgspec.structs.replace(
    wallet({(500, 0): 100}, at=77),
    tier="gold",
    tier_since=719_123,
    tier_until=719_500,
    tier_manual=True,
    months={23_637: Figures(1999, 6, 1), 23_639: Figures(900, 8, 1)},
    total=Figures(12_345, 21, 2),
    noticed=500,
    promised=900,
    extended=(100, 500),
    decayed=719_100,
    decay_noticed=719_190,
    alerted=719_150,
)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (1, '{"v":1,"k":"member","s":"open","t":77,%s'),
        (2, '{"v":2,"t":77,%s'),
    ],
)
def test_the_stored_form_is_the_one_that_stored_entries_have(schema: int, text: str) -> None:
    # Entries written by earlier versions hold this text under their hashes; a change needs a new schema number.
    text %= (
        '"l":[100,0,20,5,100],"n":[100,5,3,40],'
        '"h":[[3,800,1,[[0,2],[400,1]]],[12,900,0,[[500,7]]]],'
        '"a":4,"r":{"base":[1,2]},"z":[[100,5]],"c":["aaaaaaaa",0]}'
    )
    assert json.dumps(FULL.encode(schema), separators=(",", ":")) == text
    assert State.decode(10, json.loads(text)) == FULL


def test_the_stored_form_of_counts_is_the_one_that_stored_entries_have() -> None:
    assert json.dumps(COUNTING.encode(2), separators=(",", ":")) == (
        '{"v":2,"k":"household","s":"frozen","t":77,'
        '"l":[100,0,20,5,100],"n":[100,5,3,40],"w":[100,0,3,5,4],'
        '"h":[[3,800,1,[[0,2],[400,1]]],[12,900,0,[[500,7]]]],'
        '"a":4,"r":{"base":[1,2]},"z":[[100,5]],'
        '"p":[9,3,160],"u":[-1,"lunch:pm",60,"tea:tm",2],"e":["check_in",0,12,"walk",1,4],"c":["aaaaaaaa",0]}'
    )


def test_the_stored_form_of_what_tiers_and_ends_go_by_is_the_one_that_stored_entries_have() -> None:
    assert json.dumps(STANDING.encode(), separators=(",", ":")) == (
        '{"v":4,"t":77,'
        '"l":"#WT#W",'
        '"g":["gold",40,719500,1],"m":"&GaeQ,(wLeUPOOO4jWP","q":[500,900],"x":[100,500],"y":[719100,719190],"b":719150,'
        '"c":["aaaaaaaa","O"]}'
    )
    assert State.decode(10, {**STANDING.encode(), "v": 3}) == STANDING


@pytest.mark.parametrize(
    ("points", "told", "stored"),
    [(0, 0, "[719100,719190]"), (70, 0, "[719100,719190,70]"), (70, 719_204, "[719100,719190,70,719204]")],
)
def test_a_decay_that_was_said_stands_behind_what_stored_entries_have(points: int, told: int, stored: str) -> None:
    said = msgspec.structs.replace(STANDING, decay_points=points, decay_told=told)
    assert f'"y":{stored},' in json.dumps(said.encode(), separators=(",", ":"))
    assert State.decode(10, said.encode()) == said


OFFERED = msgspec.structs.replace(
    wallet({(500, 0): 100}, at=77),
    multipliers=(Multiplier(719_160, 719_163, "flash-day", 2, 1), Multiplier(719_164, 719_190, "spring", 3, 2)),
)


def test_the_stored_form_of_multipliers_is_the_one_that_stored_entries_have() -> None:
    assert json.dumps(OFFERED.encode(), separators=(",", ":")) == (
        '{"v":4,"t":77,"l":"#WT#W","o":[-3,3,"flash-day",2,1,1,26,"spring",3,2],"c":["aaaaaaaa","O"]}'
    )


def test_what_is_empty_is_left_out_of_the_stored_form() -> None:
    assert wallet(at=77).encode() == {"v": 4, "t": 77, "c": ["aaaaaaaa", "O"]}
    assert wallet(at=77).encode(2) == {"v": 2, "t": 77, "c": ["aaaaaaaa", 0]}
    assert wallet(at=77).encode(1) == {"v": 1, "k": "member", "s": "open", "t": 77, "c": ["aaaaaaaa", 0]}


@pytest.mark.parametrize("state", [FULL, COUNTING, STANDING, OFFERED])
def test_a_state_comes_back_from_its_stored_form_with_all_it_has(state: State) -> None:
    assert State.decode(10, json.loads(json.dumps(state.encode()))) == state


def test_equal_states_have_the_same_stored_form_however_they_came_about() -> None:
    turned = wallet(dict(reversed(FULL.lots.items())), holds=dict(reversed(FULL.holds.items())), arrears=4, at=77)
    turned.remainders, turned.lapsed = dict(FULL.remainders), dict(FULL.lapsed)
    turned.holds[3] = Hold(800, True, {400: 1, 0: 2})
    assert json.dumps(turned.encode()) == json.dumps(FULL.encode())
    turned = msgspec.structs.replace(
        COUNTING,
        counters=dict(reversed(COUNTING.counters.items())),
        streaks=dict(reversed(COUNTING.streaks.items())),
    )
    assert json.dumps(turned.encode()) == json.dumps(COUNTING.encode())


@pytest.mark.parametrize("version", [0, 5, "1", None])
def test_a_schema_that_this_code_does_not_know_is_corrupt(version: object) -> None:
    with pytest.raises(Corrupt, match="schema"):
        State.decode(1, {**FULL.encode(), "v": version})


def test_a_copy_shares_nothing_with_its_original() -> None:
    copy = COUNTING.copy()
    assert copy == COUNTING
    applied(copy, ["e", "c", 719_164, "lunch:pm", 1], ["e", "k", "walk", 719_164, 1], ["e", "p", -1, 0])
    assert (COUNTING.counters, COUNTING.purchases) == ({"tea:tm": 2, "lunch:pm": 60}, 9)
    assert COUNTING.streaks == {"walk": (719_162, 4), "check_in": (719_163, 12)}
    copy = FULL.copy()
    assert copy == FULL
    applied(copy, ["e", "l", 1, 0, 1], ["e", "h", 3, 0, 1], ["e", "a", 1], ["e", "r", "x", 1, 2], ["e", "z", 101, 1])
    assert FULL.lots == {(500, 0): 100, (0, 0): 20, (500, 300): 40}
    assert FULL.holds[3].parts == {0: 2, 400: 1}
    assert (FULL.arrears, FULL.remainders, FULL.lapsed) == (4, {"base": Rate(1, 2)}, {100: 5})


# ---- drafts


def test_a_draft_leaves_the_state_it_began_with_alone() -> None:
    state = wallet({(0, 0): 10})
    change = draft(state)
    change.take("spent", 10)
    assert state.lots == {(0, 0): 10}
    assert change.state.lots == {}


def test_a_draft_is_the_next_entry_at_the_time_of_the_request() -> None:
    change = draft(wallet(number=10))
    assert (change.number, change.now, change.state.at) == (11, NOW, NOW)


def test_time_does_not_go_back_when_a_writers_clock_does() -> None:
    change = draft(wallet({(NOW, 0): 5}, at=NOW), NOW - 100)
    change.settle()
    assert (change.now, change.state.at) == (NOW, NOW)
    assert change.state.lots == {}


def test_putting_no_points_leaves_no_lot() -> None:
    change = draft(wallet())
    change.put("earned", 5, 0, 0)
    assert (change.moves, change.state.lots) == ([], {})


@pytest.mark.parametrize(("start", "kept"), [(0, 0), (NOW - 1, 0), (NOW, 0), (NOW + 1, NOW + 1)])
def test_a_start_that_has_come_is_no_start(start: int, kept: int) -> None:
    change = draft(wallet())
    change.put("earned", NOW + DAY, start, 3)
    assert change.state.lots == {(NOW + DAY, kept): 3}


def test_points_are_taken_from_what_expires_first_and_from_what_never_expires_last() -> None:
    change = draft(wallet({(0, 0): 5, (NOW + 30, 0): 5, (NOW + 10, 0): 5, (NOW + 5, NOW + 1): 50}))
    assert change.take("spent", 12) == [(NOW + 10, 5), (NOW + 30, 5), (0, 2)]
    assert change.moves == [
        ["spent", "l", NOW + 10, 0, -5],
        ["spent", "l", NOW + 30, 0, -5],
        ["spent", "l", 0, 0, -2],
    ]
    assert change.state.lots == {(0, 0): 3, (NOW + 5, NOW + 1): 50}


def test_taking_more_than_there_is_is_corrupt_and_pending_points_do_not_count() -> None:
    with pytest.raises(Corrupt):
        draft(wallet({(0, 0): 5, (0, NOW + 1): 5})).take("spent", 6)


# ---- what time alone makes true


@pytest.mark.parametrize(("expiry", "lots", "lapsed"), [
    (NOW - 1, {}, {NOW - 1: 8}),
    (NOW, {}, {NOW: 8}),
    (NOW + 1, {(NOW + 1, 0): 8}, {}),
    (0, {(0, 0): 8}, {}),
])  # fmt: skip
def test_a_lot_expires_at_its_expiry_to_the_second(
    expiry: int, lots: dict[tuple[int, int], int], lapsed: dict[int, int]
) -> None:
    change = draft(wallet({(expiry, 0): 8}))
    change.settle()
    assert (change.state.lots, change.state.lapsed) == (lots, lapsed)


@pytest.mark.parametrize(("start", "active"), [(NOW - 1, True), (NOW, True), (NOW + 1, False)])
def test_pending_points_are_active_from_their_start_to_the_second(start: int, active: bool) -> None:
    change = draft(wallet({(NOW + DAY, start): 8, (NOW + DAY, 0): 1}))
    change.settle()
    assert change.state.lots == ({(NOW + DAY, 0): 9} if active else {(NOW + DAY, start): 8, (NOW + DAY, 0): 1})


@pytest.mark.parametrize(("deadline", "held"), [(NOW - 1, False), (NOW, False), (NOW + 1, True)])
def test_a_hold_lapses_at_its_deadline_to_the_second(deadline: int, held: bool) -> None:
    change = draft(wallet({(NOW + DAY, 0): 1}, holds={4: Hold(deadline, False, {NOW + DAY: 8, 0: 2})}))
    change.settle()
    if held:
        assert change.state.balance() == Balance(available=1, pending=0, held=10, arrears=0)
        assert change.moves == []
    else:
        assert change.state.lots == {(NOW + DAY, 0): 9, (0, 0): 2}
        assert change.state.holds == {}


def test_pending_points_that_expire_before_anything_else_happens_still_expire() -> None:
    change = draft(wallet({(NOW - 5, NOW - 9): 8}))
    change.settle()
    assert change.state.lots == {}
    assert change.moves == [
        ["activated", "l", NOW - 5, NOW - 9, -8],
        ["activated", "l", NOW - 5, 0, 8],
        ["expired", "l", NOW - 5, 0, -8],
        ["expired", "z", NOW - 5, 8],
    ]


def test_pending_points_can_expire_without_ever_having_begun() -> None:
    change = draft(wallet({(NOW - 5, NOW + 9): 8}))
    change.settle()
    assert (change.state.lots, change.state.lapsed) == ({}, {NOW - 5: 8})


def test_activated_points_repay_arrears_first() -> None:
    change = draft(wallet({(NOW + DAY, NOW - 1): 8}, arrears=5))
    change.settle()
    assert (change.state.lots, change.state.arrears) == ({(NOW + DAY, 0): 3}, 0)


def test_at_one_moment_holds_lapse_points_activate_arrears_are_repaid_and_only_then_lots_expire() -> None:
    due = NOW - 10
    change = draft(wallet({(due, 0): 4, (0, due): 6}, holds={2: Hold(due, False, {due: 3})}, arrears=5))
    change.settle()
    assert [(why, op) for why, op, *_ in change.moves] == [
        ("lapsed", "h"),
        ("lapsed", "l"),
        ("activated", "l"),
        ("activated", "l"),
        ("repaid", "l"),
        ("repaid", "a"),
        ("expired", "l"),
        ("expired", "z"),
    ]
    assert change.state.lots == {(0, 0): 6}
    assert change.state.lapsed == {due: 2}
    assert change.state.arrears == 0


def test_points_of_a_lapsed_hold_expire_with_the_lot_they_came_from() -> None:
    change = draft(wallet(holds={2: Hold(NOW - 10, False, {NOW - 20: 3, NOW + 20: 4})}))
    change.settle()
    assert change.state.lots == {(NOW + 20, 0): 4}
    assert change.state.lapsed == {NOW - 20: 3}


def test_held_points_do_not_expire_while_they_are_held() -> None:
    change = draft(wallet(holds={2: Hold(NOW + 10, False, {NOW - 20: 3})}))
    change.settle()
    assert change.state.balance().held == 3


def test_nothing_due_leaves_nothing_to_write() -> None:
    change = draft(wallet({(0, 0): 1, (NOW + 1, 0): 1, (NOW + 2, NOW + 1): 1}, holds={1: Hold(NOW + 1, False, {0: 1})}))
    change.settle()
    assert change.moves == []


def test_settling_twice_changes_nothing_more() -> None:
    change = draft(wallet({(NOW - 1, 0): 1, (0, NOW - 1): 5}, arrears=3))
    change.settle()
    moves = list(change.moves)
    change.settle()
    assert change.moves == moves


# ---- lots stay few


def test_a_full_set_of_lots_merges_the_two_closest_under_the_later_expiry() -> None:
    expiries = [NOW + DAY * day for day in range(1, 2 * MAX_LOTS, 2)]
    lots = {(expiry, 0): 1 for expiry in expiries}
    change = draft(wallet(lots))
    close = expiries[20] + DAY // 2
    change.put("earned", close, 0, 10)
    change.settle()
    assert len(change.state.lots) == MAX_LOTS
    assert (expiries[20], 0) not in change.state.lots
    assert change.state.lots[close, 0] == 11
    assert change.moves[1:] == [["merged", "l", expiries[20], 0, -1], ["merged", "l", close, 0, 1]]


def test_points_of_every_day_still_expire_though_there_are_more_days_than_lots() -> None:
    life = 5 * MAX_LOTS
    state, expired = wallet(at=NOW), 0
    for day in range(4 * life):
        change = Draft(state, NOW + DAY * day)
        change.settle()
        change.put("earned", NOW + DAY * (day + life), 0, 1)
        change.settle()
        state = change.state
        expired -= sum(move[4] for move in change.moves if move[0] == "expired" and move[1] == "l")
        assert expired <= max(0, day + 1 - life)
    assert expired > 0.9 * 3 * life


def test_merging_gives_the_fewest_points_the_shortest_time() -> None:
    lots = {(NOW + DAY * (2 * day + 1), 0): 100 for day in range(MAX_LOTS)}
    few = NOW + DAY * 7
    lots[few, 0] = 3
    change = draft(wallet(lots))
    change.put("earned", NOW + DAY * 500, 0, 1)
    change.settle()
    assert change.moves[1:] == [["merged", "l", few, 0, -3], ["merged", "l", few + 2 * DAY, 0, 3]]


def test_merged_pending_lots_begin_with_the_earlier_and_end_with_the_later() -> None:
    lots = {(NOW + DAY * (2 * day + 3), NOW + day + 1): 1 for day in range(MAX_LOTS)}
    change = draft(wallet(lots))
    change.put("earned", NOW + DAY * 3 + 5, NOW + 500, 10)
    change.settle()
    assert len(change.state.lots) == MAX_LOTS
    assert change.state.lots[NOW + DAY * 3 + 5, NOW + 1] == 11
    assert change.state.balance().pending == MAX_LOTS + 10


def test_points_for_good_are_merged_only_with_points_for_good() -> None:
    lots = {(NOW + DAY * (2 * day + 1), 0): 1 for day in range(MAX_LOTS)}
    change = draft(wallet(lots))
    change.put("earned", 0, 0, 7)
    change.settle()
    assert change.state.lots[0, 0] == 7
    assert len(change.state.lots) == MAX_LOTS


def test_lots_stay_few_even_when_active_and_pending_ones_alternate() -> None:
    lots = {}
    for day in range(MAX_LOTS // 2):
        lots[NOW + DAY * (day + 2), 0] = 1
        lots[NOW + DAY * (day + 2), NOW + DAY] = 1
    assert len(lots) == MAX_LOTS
    change = draft(wallet(lots))
    change.put("earned", NOW + DAY * 500, 0, 1)
    change.settle()
    assert len(change.state.lots) == MAX_LOTS
    assert change.state.balance() == Balance(available=19, pending=18, held=0, arrears=0)


def test_lots_stay_few_when_a_hold_gives_its_points_back() -> None:
    lots = {(NOW + DAY * (day + 2), 0): 1 for day in range(MAX_LOTS)}
    parts = {NOW + DAY * (day + 2) + 7: 1 for day in range(5)}
    change = draft(wallet(lots, holds={4: Hold(NOW, False, parts)}))
    change.settle()
    assert len(change.state.lots) == MAX_LOTS
    assert change.state.balance().available == MAX_LOTS + 5


def test_expired_points_do_not_come_back_by_being_merged() -> None:
    lots = {(NOW + DAY * (day + 2), 0): 1 for day in range(MAX_LOTS)}
    change = draft(wallet(lots))
    change.put("restored", NOW - 5, 0, 7)
    change.settle()
    assert change.state.lots == lots
    assert change.state.lapsed == {NOW - 5: 7}


# ---- points that wait for an event


def test_waiting_points_are_pending_until_they_expire_whatever_time_it_is() -> None:
    state = wallet({(NOW + 5, WAITING): 3, (0, WAITING): 4, (NOW + 5, NOW + 1): 1})
    assert state.balance() == Balance(available=0, pending=8, held=0, arrears=0)
    change = draft(state, NOW + 4)
    change.settle()
    assert change.state.lots == {(NOW + 5, WAITING): 3, (0, WAITING): 4, (NOW + 5, 0): 1}
    change = draft(state, NOW + 10**9)
    change.settle()
    assert change.state.lots == {(0, WAITING): 4}


def test_points_are_put_among_the_waiting() -> None:
    change = draft(wallet())
    change.put("earned", 5, WAITING, 9)
    assert change.state.lots == {(5, WAITING): 9}


def test_waiting_lots_are_merged_with_each_other_and_only_when_nothing_else_is_left() -> None:
    waiting = {(NOW + day * DAY, WAITING): 1 for day in (50, 51)}
    delayed = {(NOW + day * DAY, NOW + 9): 1 for day in (50, 90)}
    active = {(NOW + day * DAY, 0): 1 for day in range(100, 100 + 10 * (MAX_LOTS - 3), 10)}
    change = draft(wallet(waiting | delayed | active))
    change.settle()
    assert change.moves == [
        ["merged", "l", NOW + 100 * DAY, 0, -1],
        ["merged", "l", NOW + 110 * DAY, 0, 1],
    ]
    change = draft(wallet({(NOW + day * DAY, WAITING): 1 for day in range(1, MAX_LOTS + 1)} | {(NOW + DAY, 0): 1}))
    change.settle()
    assert change.moves == [
        ["merged", "l", NOW + DAY, WAITING, -1],
        ["merged", "l", NOW + 2 * DAY, WAITING, 1],
    ]


# ---- the way there does not matter

_times = st.integers(NOW - 50, NOW + 50)
_states = st.builds(
    wallet,
    st.dictionaries(
        st.tuples(st.just(0) | _times, st.sampled_from([0, WAITING]) | _times), st.integers(1, 30), max_size=6
    ),
    holds=st.dictionaries(
        st.integers(1, 9),
        st.builds(Hold, _times, st.booleans(), st.dictionaries(st.just(0) | _times, st.integers(1, 9), min_size=1)),
        max_size=3,
    ),
    arrears=st.integers(0, 60),
    at=st.just(NOW - 60),
    purchases=st.just((0, 0, 0))
    | st.tuples(st.integers(0, 9), st.just(TODAY - 700), st.integers(TODAY - 9, TODAY + 9)),
    counted=st.just(0) | st.integers(TODAY - 9, TODAY + 9),
    streaks=st.dictionaries(st.sampled_from("ab"), st.tuples(st.integers(TODAY - 9, TODAY), st.integers(1, 9))),
)


def settled(state: State, now: int) -> State:
    change = Draft(state, now)
    change.settle()
    return change.state


@given(_states, st.integers(NOW - 60, NOW + 60), st.sampled_from([3, MAX_LOTS]))
def test_settling_in_one_go_equals_settling_at_every_moment(state: State, until: int, most: int) -> None:
    with mock.patch.object(account, "MAX_LOTS", most):  # so few that they must merge on the way
        _settle_both_ways(state, until)


def _settle_both_ways(state: State, until: int) -> None:
    step = before = settled(state, NOW - 60)
    for now in range(NOW - 59, until + 1):
        step = settled(step, now)
    assert step == settled(before, max(until, NOW - 60))


@given(_states, st.integers(NOW - 60, NOW + 60))
def test_after_settling_nothing_is_due_and_nobody_owes_what_they_have(state: State, now: int) -> None:
    after = settled(state, now)
    assert all(not 0 < expiry <= now and (start > now or start == WAITING) for (expiry, start) in after.lots if start)
    assert all(not 0 < expiry <= now for (expiry, start) in after.lots)
    assert all(hold.deadline > now for hold in after.holds.values())
    assert not after.arrears or not after.balance().available


@given(_states)
def test_every_state_comes_back_from_its_stored_form(state: State) -> None:
    text = json.dumps(state.encode())
    back = State.decode(state.number, json.loads(text))
    assert back == state
    assert json.dumps(back.encode()) == text


@given(_states, st.integers(NOW - 60, NOW + 60))
def test_the_moves_of_a_settling_alone_give_its_state(state: State, now: int) -> None:
    change = Draft(state, now)
    change.settle()
    again = state.copy()
    again.at = change.state.at
    for move in json.loads(json.dumps(change.moves)):
        again.apply(move)
    assert again == change.state
