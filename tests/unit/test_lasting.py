"""How long points last: notice, extension, inactivity, renewal; and the figures that tiers go by."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from loyalty.errors import Corrupt, Refused
from loyalty.ledger import chain as chains
from loyalty.ledger import commands
from loyalty.ledger.account import MAX_MONTHS, NOTHING, WAITING, Draft, Figures, Hold, State, month_of
from loyalty.ledger.chain import Cause, Chain
from loyalty.ledger.commands import ARREARS, ONLY_PENDING, Award, Grant, Lasting
from loyalty.values import Rate
from tests.unit.states import NOW, TODAY, wallet

DAY = 86_400
SOON, LATER, LATEST = NOW + 5 * DAY, NOW + 30 * DAY, NOW + 90 * DAY
MONTH = month_of(TODAY)


def standing(state: State, **changes: Any) -> State:
    return msgspec.structs.replace(state, **changes)


def done(state: State, command: Callable[[Draft], object], now: int = NOW) -> Draft:
    change = Draft(state, now)
    command(change)
    return change


def at(state: State, now: int) -> Mapping[tuple[int, int], int]:
    return done(state, commands.expire, now).state.lots


# ---- figures


def bought(spend: int, points: int, day: int = TODAY) -> Callable[[Draft], object]:
    return lambda draft: commands.earn_awards(draft, [Award("base", Rate(points, 1), LATEST)], day, True, spend)


def returned(spend: int, points: int, day: int = TODAY, wholly: bool = True) -> Callable[[Draft], object]:
    shares = [Award("base", Rate(points, 1), LATEST)]
    return lambda draft: commands.take_back(draft, shares, ARREARS, wholly, day, spend)


def test_a_purchase_counts_in_the_month_it_was_made_in_and_for_good() -> None:
    state = done(wallet(), bought(1999, 19)).state
    state = done(state, bought(500, 5, TODAY - 31)).state
    assert state.months == {MONTH: Figures(1999, 19, 1), MONTH - 1: Figures(500, 5, 1)}
    assert state.total == Figures(2499, 24, 2)
    assert (state.purchases, state.first, state.last) == (2, TODAY - 31, TODAY)


def test_what_comes_back_is_taken_from_the_month_of_its_purchase() -> None:
    state = done(wallet(), bought(1999, 19)).state
    state = done(state, bought(500, 5, TODAY - 31)).state
    part = done(state, returned(100, 1, TODAY - 31, wholly=False)).state
    assert part.months == {MONTH: Figures(1999, 19, 1), MONTH - 1: Figures(400, 4, 1)}
    whole = done(part, returned(400, 4, TODAY - 31)).state
    assert (whole.months, whole.total) == ({MONTH: Figures(1999, 19, 1)}, Figures(1999, 19, 1))
    assert whole.purchases == 1


def test_what_was_bought_before_figures_were_kept_takes_nothing_from_others_when_it_comes_back() -> None:
    state = done(wallet(purchases=(3, TODAY - 90, TODAY - 40)), bought(1999, 19)).state
    state = done(state, returned(700, 7, TODAY - 40)).state
    assert (state.months, state.total) == ({MONTH: Figures(1999, 19, 1)}, Figures(1999, 19, 1))
    assert state.purchases == 3
    unknown = done(state, returned(700, 7, 0)).state
    assert (unknown.total, unknown.purchases) == (Figures(1999, 19, 1), 2)


def test_months_before_the_last_25_are_left_to_the_figures_for_good() -> None:
    oldest = (MONTH - MAX_MONTHS + 1) // 12, (MONTH - MAX_MONTHS + 1) % 12 + 1
    first = next(day for day in range(TODAY - 800, TODAY) if month_of(day) == 12 * oldest[0] + oldest[1] - 1)
    state = done(done(wallet(), bought(10, 1, first)).state, bought(20, 2, first - 1)).state
    assert (state.months, state.total) == ({MONTH - 24: Figures(10, 1, 1)}, Figures(30, 3, 2))
    assert done(state, returned(20, 2, first - 1)).state.total == Figures(10, 1, 1)
    later = done(state, bought(5, 0, TODAY + 31), NOW + 31 * DAY).state
    assert (later.months, later.total) == ({MONTH + 1: Figures(5, 0, 1)}, Figures(35, 3, 3))


def test_an_events_points_count_and_no_purchase() -> None:
    state = done(wallet(), lambda draft: commands.earn(draft, [Grant(7, 0, 0), Grant(3, LATER, 0)], TODAY)).state
    assert (state.months, state.purchases) == ({MONTH: Figures(0, 10, 0)}, 0)
    assert done(wallet(), lambda draft: commands.earn(draft, [Grant(7, 0, 0)])).state.total == NOTHING


def test_points_that_waited_in_vain_are_taken_from_the_figures_of_their_day() -> None:
    given = done(wallet(), lambda it: commands.earn_awards(it, [Award("t", Rate(9, 1), 0, WAITING)], TODAY - 31))
    parts, day = commands.waiting_parts(given.moves), commands.figured_on(given.moves)
    assert day == TODAY - 31
    assert done(given.state, lambda it: commands.cancel(it, 11, parts, day)).state.months == {}
    assert commands.figured_on([["earned", "l", 0, 0, 5]]) == 0


def test_whether_a_purchase_came_back_as_such_is_read_from_the_moves() -> None:
    assert commands.came_back([["reversed", "p", -1, 0]])
    assert commands.came_back([["reversed", "y", TODAY, -5, 0, -1]])
    assert not commands.came_back([["reversed", "y", TODAY, -5, 0, 0], ["earned", "p", 1, TODAY]])


# ---- notice


def promised(points: int, expiry: int) -> Callable[[Draft], object]:
    return lambda draft: commands.earn_awards(draft, [Award("base", Rate(points, 1), expiry)], lasting=Lasting(True))


def test_points_that_end_only_with_notice_wait_for_it_and_can_be_spent_meanwhile() -> None:
    state = done(wallet({(LATEST, 0): 1}), promised(10, SOON)).state
    assert at(state, SOON + DAY) == {(SOON, 0): 10, (LATEST, 0): 1}
    spent = done(state, lambda draft: commands.redeem(draft, 3), SOON + DAY)
    assert spent.state.lots == {(SOON, 0): 7, (LATEST, 0): 1}
    assert done(state, commands.expire, SOON + DAY).state.notice_required


def test_what_ends_before_points_that_need_notice_waits_with_them() -> None:
    state = done(wallet({(SOON - 1, 0): 4, (LATER, 0): 1}), promised(10, SOON)).state
    assert at(state, LATER) == {(SOON - 1, 0): 4, (SOON, 0): 10}


def test_without_the_promise_points_end_on_their_day() -> None:
    state = done(wallet({(SOON, 0): 4}), promised(10, SOON - DAY)).state
    assert at(state, SOON) == {(SOON - DAY, 0): 10}


def test_after_notice_points_end_on_their_day() -> None:
    state = done(wallet(), promised(10, SOON)).state
    told = done(state, lambda draft: commands.notice(draft, SOON))
    assert (told.kind, told.detail, told.state.lots) == ("noticed", {"expiring": [[SOON, 10]]}, {(SOON, 0): 10})
    assert at(told.state, SOON - 1) == {(SOON, 0): 10}
    assert at(told.state, SOON) == {}


def test_notice_that_comes_late_ends_points_at_once_or_when_it_says() -> None:
    state = done(wallet({(LATEST, 0): 1}), promised(10, SOON)).state
    at_once = done(state, lambda draft: commands.notice(draft, SOON), SOON + DAY)
    assert (at_once.state.lots, at_once.state.lapsed) == ({(LATEST, 0): 1}, {SOON: 10})
    given_time = done(state, lambda draft: commands.notice(draft, SOON, LATER), SOON + DAY)
    assert given_time.state.lots == {(LATER, 0): 10, (LATEST, 0): 1}
    assert at(given_time.state, LATER) == {(LATEST, 0): 1}


def test_points_earned_after_notice_of_their_end_need_their_own() -> None:
    state = done(done(wallet(), promised(10, SOON)).state, lambda draft: commands.notice(draft, SOON)).state
    state = done(state, promised(5, SOON)).state
    assert at(state, SOON) == {(SOON, 0): 15}


def test_notice_of_nothing_is_no_entry() -> None:
    change = done(wallet({(LATEST, 0): 1}), lambda draft: commands.notice(draft, SOON))
    assert (change.moves, change.detail) == ([], {})


def test_the_promise_goes_with_points_into_another_account() -> None:
    arrived = done(wallet(), lambda draft: commands.transfer_in(draft, [(SOON, 5), (LATER, 2)], "mem_b/points", SOON))
    assert at(arrived.state, LATER) == {(SOON, 0): 5}


# ---- extension


def test_an_action_moves_every_end_forward_and_none_back() -> None:
    state = wallet(
        {(SOON, 0): 4, (SOON, SOON - DAY): 3, (SOON, WAITING): 2, (LATEST, 0): 1, (0, 0): 5},
        holds={4: Hold(NOW + DAY, False, {SOON: 6, LATEST: 1})},
    )
    change = done(state, lambda draft: commands.extend(draft, LATER))
    assert change.state.lots == {
        (LATER, 0): 4,
        (LATER, SOON - DAY): 3,
        (LATER, WAITING): 2,
        (LATEST, 0): 1,
        (0, 0): 5,
    }
    assert change.state.holds[4].parts == {LATER: 6, LATEST: 1}
    assert change.state.extended == (NOW, LATER)
    back = done(change.state, lambda draft: commands.extend(draft, SOON + DAY))
    assert (back.moves, back.state.lots) == ([], change.state.lots)


def test_a_return_finds_what_it_gave_where_it_was_moved_to() -> None:
    state = done(wallet({(SOON, 0): 10, (SOON, SOON - 1): 5}), lambda draft: commands.extend(draft, LATER)).state
    shares = [Award("base", Rate(8, 1), SOON, SOON - 1)]
    change = done(state, lambda draft: commands.take_back(draft, shares, ONLY_PENDING))
    assert (change.state.lots, change.detail["forgiven"]) == ({(LATER, 0): 10}, 3)
    gone = done(state, commands.expire, LATER).state
    change = done(gone, lambda draft: commands.take_back(draft, shares, ARREARS), LATER)
    assert (change.state.arrears, change.state.lapsed) == (0, {LATER: 7})


def test_points_spent_before_an_extension_come_back_under_it() -> None:
    spent = done(wallet({(SOON, 0): 10}), lambda draft: commands.redeem(draft, 4))
    state = done(spent.state, lambda draft: commands.extend(draft, LATER)).state
    parts = commands.spent_parts(spent.moves)
    back = done(state, lambda draft: commands.restore(draft, parts, 11), SOON + DAY)
    assert back.state.lots == {(LATER, 0): 10}


def test_what_had_ended_before_a_new_series_of_actions_stays_so() -> None:
    state = done(wallet({(SOON, 0): 10}), lambda draft: commands.extend(draft, LATER)).state
    anew = done(state, lambda draft: commands.extend(draft, LATEST), LATER + DAY).state
    assert (anew.lots, anew.extended) == ({}, (LATER + DAY, LATEST))
    assert [anew.ends(expiry) for expiry in (0, SOON, LATER, LATER + 2 * DAY)] == [0, SOON, LATER, LATEST]


# ---- inactivity and renewal


def test_inactivity_takes_its_share_of_what_is_available_rounded_down() -> None:
    state = wallet({(SOON, 0): 19, (LATER, 0): 20, (LATER, SOON): 100})
    change = done(state, lambda draft: commands.decay(draft, 10, TODAY))
    assert change.state.lots == {(SOON, 0): 16, (LATER, 0): 20, (LATER, SOON): 100}
    assert (change.kind, change.detail, change.state.decayed) == ("decayed", {"points": 3}, TODAY)
    assert done(wallet(), lambda draft: commands.decay(draft, 10, TODAY)).moves == [["decayed", "v", TODAY, 0]]


def test_notice_of_a_decay_is_remembered_for_its_day() -> None:
    told = done(standing(wallet(), decayed=TODAY - 90), lambda draft: commands.notice_of_decay(draft, TODAY + 7, 3))
    assert (told.state.decayed, told.state.decay_noticed) == (TODAY - 90, TODAY + 7)
    assert told.detail == {"decaying": [TODAY + 7, 3]}


def test_renewal_takes_its_price_from_what_ends_first_and_moves_the_rest() -> None:
    state = wallet({(SOON, 0): 50, (SOON + 9, 0): 41, (LATER, 0): 7, (SOON, SOON - 1): 3})
    change = done(state, lambda draft: commands.renew(draft, SOON + 9, LATEST, 10))
    assert change.state.lots == {(LATEST, 0): 81, (LATER, 0): 7, (SOON, SOON - 1): 3}
    assert change.detail == {"points": 10, "renewed": 81, "until": LATEST}
    free = done(state, lambda draft: commands.renew(draft, SOON, LATEST, 0))
    assert (free.detail["points"], free.state.lots[LATEST, 0]) == (0, 50)


@pytest.mark.parametrize(("state", "code"), [
    (wallet({(LATER, 0): 5, (0, 0): 5, (SOON, SOON - 1): 5}), "RENEWAL_NOTHING_DUE"),
    (wallet({(SOON, 0): 5}, status="frozen"), "ACCOUNT_FROZEN"),
])  # fmt: skip
def test_renewal_is_refused_where_nothing_ends_or_may_leave(state: State, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        done(state, lambda draft: commands.renew(draft, SOON, LATEST, 10))
    assert refusal.value.code == code


# ---- tiers


def test_a_tier_is_given_from_a_day_and_said_with_the_one_before() -> None:
    change = done(standing(wallet(), tier="green", tier_since=TODAY - 9), lambda draft: commands.set_tier(
        draft, "assigned", "gold", TODAY, TODAY + 30, True, "a friend"
    ))  # fmt: skip
    state = change.state
    assert (state.tier, state.tier_since, state.tier_until, state.tier_manual) == ("gold", TODAY, TODAY + 30, True)
    assert change.detail == {"tier": ["green", "gold"], "reason": "a friend"}


# ---- stored


def test_every_move_is_replayed_to_the_byte() -> None:
    steps: list[Callable[[Draft], object]] = [
        lambda draft: commands.open_account(draft, "member"),
        promised(10, SOON),
        bought(1999, 19),
        lambda draft: commands.notice(draft, SOON),
        lambda draft: commands.hold(draft, 2, LATER, offline=False),
        lambda draft: commands.extend(draft, LATER),
        returned(99, 1),
        lambda draft: commands.notice_of_decay(draft, TODAY, 2),
        lambda draft: commands.decay(draft, 10, TODAY),
        lambda draft: commands.set_tier(draft, "upgraded", "gold", TODAY),
        lambda draft: commands.set_tier(draft, "downgraded", "", TODAY + 1),
        lambda draft: commands.renew(draft, LATER, LATEST, 5),
    ]
    of, verifier, head = Chain("acme", "mem_a", "points"), chains.Verifier(Chain("acme", "mem_a", "points")), None
    for number, step in enumerate(steps):
        change = done(head.state if head else State(), step, NOW + number)
        head = chains.seal(
            of, head, change, Cause(f"k#till#{number}", "print", "till", NOW), {"expiry": TODAY + number}
        )
        assert head.timers == {"expiry": TODAY + number}
        read = chains.read(of, head.number, head.ref, head.body, head.hash)
        assert read == head
        verifier.feed(chains.Stored(head.number, head.ref, head.body, head.hash))
    assert verifier.finish() is None
    assert verifier.state == head.state if head else False


def test_what_a_text_of_numbers_cannot_be_is_corrupt() -> None:
    with pytest.raises(ValueError, match="substring not found"):
        State.decode(1, {"v": 3, "t": 0, "c": ["", "é"]})
    with pytest.raises(Corrupt):
        standing(wallet(), total=Figures(-1, 0, 0)).encode()
