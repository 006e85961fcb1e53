"""Nights on the simulated table: everything due happens on its day, once, whatever dies, comes twice or is missed."""

import itertools
import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import UNSET, to_builtins

from loyalty.errors import Unavailable
from loyalty.ledger import commands
from loyalty.ledger.account import WAITING, Balance, Draft, State
from loyalty.ledger.chain import Chain, Entry
from loyalty.ledger.events import events_of
from loyalty.ledger.store import LedgerStore
from loyalty.timers.ends import confirm, confirm_decay, decay, remind
from loyalty.timers.events import Worth, expiring_of
from loyalty.timers.service import Drain, batch_of, outstanding
from loyalty.timers.timer import ORDER, REARM, Timer
from loyalty.values import Rate
from tests.simulation.dynamodb import Call
from tests.simulation.wire import Response
from tests.unit.nights import ACTS, DAY, POLICY, START, Nights

if TYPE_CHECKING:
    from collections.abc import Callable

YEARLY: dict[str, Any] = {"kind": "rolling", "months": 12, "rounding": "day"}
PROMISED = {**YEARLY, "require_notice": True}
TOLD: dict[str, Any] = {"days": [30, 7]}


class Died(BaseException):
    """The process is no more."""


class Fatal:
    """Lets calls pass until the write that is the last; ``after``: that one still takes effect. To die at a read is to
    die before the write that follows.
    """

    def __init__(self, last: int, after: bool = False) -> None:
        self.left = last
        self.after = after
        self.calls = 0

    def __call__(self, call: Call) -> Response:
        if not call.writes:
            return call.perform()
        self.calls += 1
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Died
        answer = call.perform()
        if self.left == 0:
            raise Died
        return answer


def test_points_expire_on_the_day_after_their_last_and_it_is_written_down_once() -> None:
    nights = Nights(expiry=YEARLY)
    nights.give(1, 100, days=10)
    nights.pass_days(15)
    assert nights.kinds() == [(11, "expired")]
    assert nights.state().balance().available == 0
    nights.sound(1)


def test_members_with_nothing_due_are_neither_read_nor_written() -> None:
    touched: list[str] = []

    def watch(call: Call) -> Response:
        request = call.request
        key = request["ExpressionAttributeValues"][":p"]["S"] if call.operation == "Query" else None
        if key is None and call.operation != "BatchGetItem":
            key = (request.get("Item") or request["Key"])["pk"]["S"]
        touched.append(f"{call.operation} {key}")
        return call.perform()

    nights = Nights(expiry=YEARLY)
    for number in range(1, 40):
        nights.give(number, 10, days=200)
    nights.give(40, 10, days=3)
    nights.pass_days(2)
    nights.now += 2 * DAY
    nights.stream()
    nights.connect(watch)
    nights.night()
    chains = {one for one in touched if "#L#" in one}
    assert {one.split(" ")[1] for one in chains} == {nights.chain(40).pk}
    assert [one for one in touched if one.startswith("PutItem") and "#L#" in one] == [f"PutItem {nights.chain(40).pk}"]


def test_a_purchase_arms_only_what_is_due_sooner_than_anything_before() -> None:
    nights = Nights(expiry=YEARLY)
    assert nights.give(1, 10, days=20).timers == {"expiry": nights.today + 21}
    assert nights.give(1, 10, days=30).timers == {}
    assert nights.give(1, 10, days=5).timers == {"expiry": nights.today + 6}
    assert nights.spend(1, 10).timers == {}


def test_a_timer_that_fires_too_early_looks_and_is_armed_anew() -> None:
    nights = Nights(expiry=YEARLY)
    nights.give(1, 10, days=3)
    nights.give(1, 10, days=9)
    nights.spend(1, 10)
    nights.pass_days(12)
    assert nights.kinds() == [(10, "expired")]


def test_reminders_come_on_their_days_and_say_what_ends() -> None:
    nights = Nights(expiry=YEARLY, reminders=TOLD)
    nights.give(1, 100, days=60)
    nights.pass_days(70)
    assert nights.kinds() == [(31, "reminded"), (54, "reminded"), (61, "expired")]
    told = [one for one in nights.entries() if one.kind == "reminded"]
    assert [[points for _, points in one.detail["expiring"]] for one in told] == [[100], [100]]
    nights.sound(1)


def test_points_that_last_less_long_than_a_reminder_comes_before_get_the_later_ones() -> None:
    nights = Nights(expiry=YEARLY, reminders=TOLD)
    nights.give(1, 100, days=10)
    nights.pass_days(12)
    assert nights.kinds() == [(4, "reminded"), (11, "expired")]


def test_nothing_ends_without_notice_where_that_is_promised() -> None:
    nights = Nights(expiry=PROMISED, reminders=TOLD)
    nights.give(1, 100, days=10)
    nights.pass_days(30)
    assert nights.kinds() == [(4, "reminded"), (11, "reminded"), (18, "reminded"), (25, "reminded")]
    assert nights.state().balance().available == 100
    upto = max(expiry for expiry, _ in nights.state().lots)
    nights.post(1, lambda draft: commands.notice(draft, upto, nights.now + 3 * DAY))
    nights.pass_days(10)
    assert nights.state().balance().available == 0
    nights.sound(1)


def test_a_notice_is_of_what_there_was_when_it_was_told_and_of_nothing_that_came_since() -> None:
    nights = Nights(expiry=PROMISED, reminders=TOLD)
    nights.give(1, 100, days=10)
    nights.pass_days(4)
    told = nights.entries()[-1]
    ((end, _),) = told.state.lots
    nights.give(1, 30, days=6)
    assert list(nights.state().lots) == [(end, 0)], "they end together"
    nights.post(1, lambda draft: confirm(draft, nights.program, end, "delivered", told.state))
    assert nights.state().noticed < end
    nights.pass_days(10)
    assert nights.state().balance().available == 130
    again = nights.entries()[-1]
    assert (again.kind, again.detail["expiring"]) == ("reminded", [[end, 130]])
    nights.post(1, lambda draft: confirm(draft, nights.program, end, "delivered", again.state))
    nights.pass_days(10)
    assert nights.state().balance().available == 0
    nights.sound(1)


def test_points_of_who_buys_nothing_shrink_after_notice_and_not_where_something_is_bought() -> None:
    nights = Nights(expiry={"kind": "none"}, decay={"months": 2, "percent": 10, "notice_days": 14})
    nights.buy(1, 1000)
    nights.buy(2, 1000)
    nights.pass_days(50)
    nights.buy(2, 1)
    nights.pass_days(30)
    assert nights.kinds(1) == [(45, "reminded"), (59, "decayed")]
    assert nights.state(1).balance().available == 900
    assert nights.kinds(2) == [(45, "reminded")]
    assert nights.state(2).balance().available == 1001


SHRINKS: dict[str, Any] = {"months": 2, "percent": 10, "notice_days": 14}
"""Of a purchase on 1 January: told on day 45, taken on day 59."""


def _told(nights: Nights, number: int = 1) -> tuple[int, State]:
    """The decay day that was said last, and the account as it was then."""
    entry = [one for one in nights.entries(number) if "decaying" in one.detail][-1]
    return entry.detail["decaying"][0], entry.state


def _confirm(nights: Nights, on: int, outcome: str = "delivered", told: State | None = None) -> None:
    nights.post(1, lambda draft: confirm_decay(draft, nights.program, on, outcome, told))
    nights.stream()


@pytest.mark.parametrize(
    "promise",
    [
        {"expiry": PROMISED, "decay": SHRINKS},
        {"expiry": {"kind": "none"}, "decay": {**SHRINKS, "require_notice": True}},
    ],
)
def test_points_do_not_shrink_before_it_is_confirmed_that_their_owner_was_told(promise: dict[str, Any]) -> None:
    nights = Nights(**promise)
    nights.buy(1, 1000)
    nights.pass_days(70)
    assert nights.kinds() == [(45, "reminded"), (59, "reminded")], "told again on the day on which it was to be"
    assert nights.state().balance().available == 1000
    assert [told.notice_required for entry in nights.entries() for _, told in expiring_of(entry)] == [True, True]
    _confirm(nights, *_told_delivered(nights))
    nights.pass_days(20)
    assert nights.kinds() == [(45, "reminded"), (59, "reminded"), (84, "decayed")]
    assert nights.state().balance().available == 900
    nights.sound(1)


def _told_delivered(nights: Nights) -> tuple[int, str, State]:
    on, told = _told(nights)
    return on, "delivered", told


def test_notice_in_time_has_points_shrink_on_the_day_that_it_said() -> None:
    nights = Nights(expiry=PROMISED, decay=SHRINKS)
    nights.buy(1, 1000)
    nights.pass_days(45)
    _confirm(nights, _told(nights)[0])
    nights.pass_days(61)
    assert nights.kinds() == [(45, "reminded"), (59, "decayed"), (106, "reminded")]


def test_whoever_learns_late_that_points_shrink_has_the_promised_days_and_loses_them_once() -> None:
    nights = Nights(expiry=PROMISED, decay=SHRINKS)
    nights.buy(1, 1000)
    nights.pass_days(45)
    first, _ = _told(nights)
    nights.pass_days(80)
    assert nights.state().balance().available == 1000, "two decays would have been due"
    _confirm(nights, first)
    _confirm(nights, first)
    before = len(nights.kinds())
    nights.pass_days(14)
    assert nights.kinds()[before:] == [(139, "decayed")]
    nights.pass_days(30)
    assert nights.state().balance().available == 900, "the next one needs its own notice, and months"
    nights.sound(1)


def test_points_of_whom_nothing_reaches_shrink_on_their_day_or_in_the_next_night() -> None:
    nights = Nights(expiry=PROMISED, decay=SHRINKS)
    nights.buy(1, 1000)
    nights.pass_days(45)
    _confirm(nights, _told(nights)[0], "unreachable")
    nights.pass_days(61)
    on, _ = _told(nights)
    assert nights.kinds() == [(45, "reminded"), (59, "decayed"), (106, "reminded")]
    nights.pass_days(15)
    _confirm(nights, on, "unreachable")
    nights.pass_days(20)
    assert nights.kinds()[3:] == [(120, "reminded"), (134, "decayed")], "by then another day had been said"


def test_a_promise_that_is_no_longer_made_lets_points_shrink_on_the_day_that_was_said() -> None:
    nights = Nights(expiry=PROMISED, decay=SHRINKS)
    nights.buy(1, 1000)
    nights.pass_days(50)
    nights.settle_on({**POLICY, "expiry": YEARLY, "decay": SHRINKS})
    nights.pass_days(15)
    assert nights.kinds() == [(45, "reminded"), (59, "decayed")]


def test_notice_of_what_a_purchase_has_put_off_is_none_of_what_comes_later() -> None:
    nights = Nights(expiry=PROMISED, decay=SHRINKS)
    plain = Nights(expiry=YEARLY, decay=SHRINKS)
    for one in (nights, plain):
        one.buy(1, 1000)
        one.pass_days(50)
        one.buy(1, 10)
    _confirm(nights, _told(nights)[0])
    for one in (nights, plain):
        one.pass_days(55)
        assert one.kinds() == [(45, "reminded"), (95, "reminded")]
        one.pass_days(4)
    assert nights.state().balance().available == 1010
    assert (plain.kinds()[-1], plain.state().balance().available) == ((109, "decayed"), 909)


def test_no_more_shrinks_than_was_said() -> None:
    nights = Nights(expiry=PROMISED, decay=SHRINKS)
    plain = Nights(expiry=YEARLY, decay=SHRINKS)
    for one in (nights, plain):
        one.buy(1, 1000)
        one.pass_days(50)
        one.give(1, 5000, days=300)
    on, told = _told(nights)
    nights.pass_days(10)
    later, _ = _told(nights)
    assert later > on, "told again, of more"
    _confirm(nights, later, "delivered", told)
    assert nights.state().decay_told == later, "that entry did not say so"
    _confirm(nights, on, "delivered", told)
    for one in (nights, plain):
        one.pass_days(20)
        assert one.kinds()[-1][1] == "decayed"
        assert one.state().balance().available == 5900


def test_a_notice_that_a_late_night_gives_is_as_long_as_any_other() -> None:
    for expiry in (PROMISED, YEARLY):
        nights = Nights(expiry=expiry, decay=SHRINKS)
        nights.buy(1, 1000)
        nights.stream()
        nights.now += 100 * DAY
        nights.night()
        on, _ = _told(nights)
        assert (nights.kinds(), on) == ([(100, "reminded")], nights.today + 14)
        _confirm(nights, on)
        nights.pass_days(20)
        assert nights.kinds() == [(100, "reminded"), (114, "decayed")]


def test_points_that_are_held_when_they_would_shrink_do_so_when_the_hold_is_over() -> None:
    nights = Nights(expiry={"kind": "none"}, decay={**SHRINKS, "notice_days": 0})
    nights.buy(1, 1000)
    nights.pass_days(55)
    nights.post(1, lambda draft: commands.hold(draft, 999, nights.now + 8 * DAY, offline=False))
    nights.stream()
    nights.pass_days(20)
    assert nights.kinds()[-1] == (64, "decayed")
    assert nights.state().balance().available == 900


def test_a_second_run_changes_nothing() -> None:
    nights = Nights(expiry=YEARLY, reminders=TOLD)
    for number in range(1, 20):
        nights.give(number, 100, days=40)
    nights.pass_days(10)
    nights.now += DAY
    nights.stream()
    done = [batch for batch, counts in nights.night() if counts.written]
    assert done
    before = nights.engine.items()
    assert sum(nights.drain(batch).written for batch in done) == 0
    assert nights.engine.items() == before


def test_whatever_write_a_night_dies_at_the_next_run_brings_it_to_the_same_end() -> None:
    def lived() -> Nights:
        nights = Nights(expiry=YEARLY, reminders=TOLD)
        for number in range(1, 4):
            nights.give(number, 100, days=38 + number)
        nights.give(3, 5, days=10)
        nights.stream()
        nights.night()
        nights.now += 9 * DAY
        nights.night()
        nights.now += 3 * DAY
        return nights

    whole = lived()
    gate = Fatal(0)
    whole.connect(gate)
    assert {batch.kind for batch, counts in whole.night() if counts.written} == {"expiry", "reminder"}
    assert gate.calls > 10
    for last, after in itertools.product(range(1, gate.calls + 1), (False, True)):
        nights = lived()
        nights.connect(Fatal(last, after))
        with pytest.raises(Died):
            nights.night()
        nights.connect()
        nights.night()
        assert nights.engine.items() == whole.engine.items(), (last, after)


def test_days_that_were_missed_are_caught_up_in_order() -> None:
    nights = Nights(expiry=YEARLY, reminders=TOLD)
    nights.give(1, 100, days=40)
    nights.stream()
    nights.night()
    nights.now += 60 * DAY
    nights.stream()
    seen = [(batch.day, batch.kind) for batch, _ in nights.night() if batch.kind != REARM]
    assert seen == sorted(seen, key=lambda one: (one[0], ORDER.index(one[1])))
    assert [kind for _, kind in nights.kinds()] == ["expired"]
    assert nights.state().balance().available == 0


@pytest.mark.parametrize("bought", [False, True])
@pytest.mark.parametrize("lasting", [*itertools.permutations((40, 41, 42))])
def test_of_reminders_on_days_that_were_missed_none_is_left_out(lasting: tuple[int, ...], bought: bool) -> None:
    nights = Nights(expiry=YEARLY, reminders={"days": [7]})
    for days in lasting:
        nights.give(1, days, days)
    nights.stream()
    nights.pass_days(30)
    nights.now += 6 * DAY
    if bought:
        nights.buy(1, 5)
    nights.stream()
    nights.night()
    told = [points for entry in nights.entries() for _, points in entry.detail.get("expiring", [])]
    assert {*told} == {40, 41, 42}
    written = len(nights.entries())
    nights.night()
    nights.pass_days(3)
    assert len(nights.entries()) == written


@pytest.mark.parametrize("bought", [False, True])
def test_whoever_was_not_told_for_days_hears_once_of_all_that_is_due_now(bought: bool) -> None:
    nights = Nights(expiry=YEARLY, reminders=TOLD, decay={**SHRINKS, "notice_days": 7})
    for days in (40, 41, 42, 43, 44):
        nights.give(1, days, days)
        nights.stream()
    nights.pass_days(8)
    nights.now += 10 * DAY
    if bought:
        nights.buy(1, 5)
    nights.stream()
    nights.night()
    nights.stream()
    nights.night()
    told = [entry.detail["expiring"] for entry in nights.entries() if entry.kind == "reminded"]
    assert [[points for _, points in one] for one in told] == [[40, 41, 42, 43, 44]]
    nights.pass_days(16)
    assert [kind for _, kind in nights.kinds()].count("reminded") == 2, "those of seven days before come on their days"


def test_whoever_hears_late_and_once_hears_no_more_of_it_when_the_night_goes_on_the_next_day() -> None:
    nights = Nights(expiry=YEARLY, reminders={"days": [7]})
    for days in (44, 42, 40):
        nights.give(1, days, days)
        nights.stream()
    nights.pass_days(30)
    nights.now += 6 * DAY
    batches = [batch for plan in [nights.plans.plan({}, lambda _: nights.now)] for batch in plan.batches]
    assert [batch.kind for batch in batches] == ["reminder"]
    nights.drain(batches[0])
    assert len(nights.kinds()) == 1
    nights.now += DAY
    nights.night()
    assert nights.kinds() == [(36, "reminded")], "the state machine tried the batch again after midnight"


def test_too_few_points_to_shrink_do_not_keep_what_comes_later_from_shrinking() -> None:
    nights = Nights(decay={"months": 3, "percent": 10, "notice_days": 14})
    nights.buy(1, 5)
    nights.stream()
    nights.pass_days(100)
    nights.give(1, 1000, days=1000)
    nights.stream()
    nights.pass_days(20)
    assert nights.kinds() == [(101, "reminded"), (115, "decayed")]
    assert nights.state().balance().available == 905


def test_an_account_that_fails_is_set_aside_with_its_reason_and_comes_again_the_next_night(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nights = Nights(expiry=YEARLY)
    for number in (1, 2, 3):
        nights.give(number, 100, days=3)
    nights.stream()
    see_to = Drain._see_to  # noqa: SLF001 - one account is made to fail

    def failing(self: Drain, timer: Timer, *rest: Any) -> None:
        if timer.chain == nights.chain(2):
            raise ValueError("broken")
        see_to(self, timer, *rest)

    monkeypatch.setattr(Drain, "_see_to", failing)
    nights.pass_days(4)
    assert [nights.state(number).balance().available for number in (1, 3)] == [0, 0]
    assert nights.kinds(2) == []
    assert nights.aside == [("grocer", "expiry", "ValueError")]
    assert [one.reason for one in nights.store.aside("grocer")] == ["ValueError"]
    monkeypatch.undo()
    nights.pass_days(1)
    assert nights.kinds(2) == [(5, "expired")]


def _broken(nights: Nights, *numbers: int) -> None:
    """From now on nothing can be read of these accounts; of none of them when none is named."""
    head = LedgerStore.head
    broken = {nights.chain(number) for number in numbers}

    def read(chain: Chain) -> Entry | None:
        if chain in broken:
            raise KeyError("broken")
        return head(nights.ledger.store, chain)

    nights.ledger.store.head = read  # type: ignore[method-assign] # the store of this test alone


def _aside(nights: Nights) -> list[tuple[str, str]]:
    """(kind, reason) of those who are set aside and were not seen to since."""
    marks = nights.store.marks("grocer")
    return [(one.timer.kind, one.reason) for one in nights.store.aside("grocer") if outstanding(one, marks)]


def test_who_could_not_be_swept_is_tried_every_night_and_no_longer_set_aside_when_that_went_well() -> None:
    nights = Nights(expiry=YEARLY)
    for number in (1, 2, 3):
        nights.give(number, 100, days=40)
    nights.pass_days(2)
    _broken(nights, 2)
    nights.settle_on({**POLICY, "expiry": YEARLY, "reminders": TOLD})
    nights.pass_days(1)
    assert _aside(nights) == [("rearm", "KeyError")]
    nights.night()
    nights.pass_days(1)
    assert _aside(nights) == [("rearm", "KeyError")], "tried once a day, and in vain"
    assert nights.aside == [("grocer", "rearm", "KeyError")] * 2
    _broken(nights)
    nights.night()
    assert len(_aside(nights)) == 1, "not before the next day"
    nights.pass_days(1)
    assert _aside(nights) == []
    nights.pass_days(30)
    assert [kind for _, kind in nights.kinds(2)] == ["reminded"] * 2, "its timers are there"


def test_who_is_set_aside_is_tried_again_when_somebody_asks_for_it_and_once() -> None:
    nights = Nights(expiry=YEARLY)
    for number in (1, 2):
        nights.give(number, 100, days=2)
    nights.pass_days(2)
    nights.acts = {**ACTS, "expiry": _fails}
    nights.pass_days(1)
    assert _aside(nights) == [("expiry", "ValueError")] * 2
    nights.now += 60
    assert len(nights.night({"program": "grocer", "again": True})) == 2, "tried once each, and in vain"
    assert len(_aside(nights)) == 2
    nights.acts = ACTS
    nights.now += 60
    tried = nights.night({"program": "grocer", "again": True})
    assert [batch_of(to_builtins(batch)) for batch, _ in tried] == [batch for batch, _ in tried]
    assert sum(counts.written for _, counts in tried) == 2
    assert _aside(nights) == []
    assert [nights.kinds(number) for number in (1, 2)] == [[(3, "expired")]] * 2
    assert nights.night({"program": "grocer", "again": True}) == []


def _fails(draft: Draft, program: object, day: int) -> None:
    raise ValueError(day)


def test_storage_that_does_not_answer_stops_the_batch_and_sets_nobody_aside() -> None:
    nights = Nights(expiry=YEARLY)
    nights.give(1, 100, days=3)
    nights.stream()
    nights.now += 4 * DAY

    def silent(call: Call) -> Response:
        if call.operation == "PutItem" and "#L#" in call.request["Item"]["pk"]["S"]:
            raise Unavailable("STORAGE_UNAVAILABLE", "Later", retry_after=1)
        return call.perform()

    nights.connect(silent)
    with pytest.raises(Unavailable):
        nights.night()
    assert nights.aside == []
    nights.connect()
    nights.night()
    assert nights.state().balance().available == 0


def test_entries_delivered_again_arm_the_same_timers() -> None:
    nights = Nights(expiry=YEARLY)
    nights.give(1, 100, days=3)
    assert nights.stream() == 1
    before = nights.engine.items()
    nights._delivered.clear()  # noqa: SLF001 - the stream begins again
    assert nights.stream() == 1
    assert nights.engine.items() == before


def test_a_timer_that_comes_late_is_looked_at_the_next_day() -> None:
    nights = Nights(expiry=YEARLY)
    nights.give(1, 100, days=3)
    nights.now += 6 * DAY
    nights.night()
    nights.stream()
    nights.night()
    assert nights.kinds() == []
    nights.pass_days(1)
    assert nights.kinds() == [(7, "expired")]


def test_new_terms_are_armed_for_everybody_who_is_there() -> None:
    nights = Nights(expiry=YEARLY)
    nights.give(1, 100, days=60)
    nights.pass_days(2)
    nights.settle_on({**POLICY, "expiry": YEARLY, "reminders": TOLD}, 2)
    nights.pass_days(60)
    assert nights.kinds() == [(31, "reminded"), (54, "reminded"), (61, "expired")]


def test_more_accounts_than_a_batch_and_than_a_plan_holds_are_all_seen_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loyalty.timers.service.PAGE", 3)
    monkeypatch.setattr("loyalty.timers.service.MAX_BATCHES", 2)
    nights = Nights(expiry=YEARLY)
    for number in range(1, 61):
        nights.give(number, 10, days=2)
    nights.pass_days(2)
    nights.now += DAY
    done = [counts for batch, counts in nights.night() if batch.kind == "expiry"]
    assert len(done) > 16
    assert sum(counts.written for counts in done) == 60
    assert {nights.state(number).balance().available for number in range(1, 61)} == {0}


@pytest.mark.parametrize("seed", range(12))
def test_any_mixture_of_purchases_spending_missed_nights_and_repeats_ends_as_if_every_night_had_run(seed: int) -> None:
    def live(careless: bool) -> Nights:
        chance, luck = random.Random(seed), random.Random(seed + 1)
        nights = Nights(expiry=YEARLY)
        acts: list[Callable[[int], object]] = [
            lambda number: nights.give(number, chance.randint(1, 50), chance.randint(1, 30)),
            lambda number: nights.post(number, _spend_all),
            lambda number: nights.buy(number, chance.randint(1, 20)),
        ]
        for _ in range(40):
            for _ in range(chance.randint(0, 2)):
                chance.choice(acts)(chance.randint(1, 3))
            nights.now += DAY
            if not careless or luck.random() < 0.5:
                nights.stream()
                for batch, _ in nights.night():
                    if careless and luck.random() < 0.5:
                        nights.drain(batch)
        nights.now += 2 * DAY
        nights.stream()
        nights.night()
        nights.sound(*(number for number in (1, 2, 3) if nights.ledger.store.head(nights.chain(number))))
        return nights

    careful, careless = live(careless=False), live(careless=True)
    for number in (1, 2, 3):
        if careful.ledger.store.head(careful.chain(number)) is not None:
            assert careless.state(number).lots == careful.state(number).lots


def _spend_all(draft: Draft) -> None:
    commands.begin(draft, "redeemed")
    if draft.available:
        commands.redeem(draft, draft.available)


def test_the_start_is_noon_in_the_programmes_zone() -> None:
    nights = Nights()
    assert nights.program.day(START) == nights.today
    assert nights.program.day(START - DAY // 2 - 1) == nights.today - 1


def test_a_hold_that_nobody_settles_lapses_in_the_night_after_its_deadline() -> None:
    nights = Nights()
    nights.buy(1, 100)
    held = nights.post(1, lambda draft: commands.hold(draft, 30, nights.now + 900, False))
    assert held.timers == {"lapse": nights.today + 1}
    nights.stream()
    nights.pass_days(3)
    assert nights.kinds() == [(1, "expired")]
    entry = nights.entries()[-1]
    assert [kind for kind, _ in events_of(entry)] == ["points.released"]
    assert nights.state().balance() == Balance(100, 0, 0, 0)


def test_a_hold_that_was_captured_in_time_leaves_nothing_to_write_down() -> None:
    nights = Nights()
    nights.buy(1, 100)
    number = nights.post(1, lambda draft: commands.hold(draft, 30, nights.now + 900, False)).number
    nights.post(1, lambda draft: commands.capture(draft, number, None, True))
    nights.stream()
    nights.now += DAY
    done = [(batch.kind, done.looked, done.written) for batch, done in nights.night() if batch.kind != REARM]
    assert done == [("lapse", 1, 0)]


def test_pending_points_begin_on_their_day_and_repay_what_is_owed_first() -> None:
    nights = Nights(return_policy="arrears")
    start = nights.program.terms(nights.now, nights.now, {"kind": "none"}, 2).start
    award = [commands.Award("base", Rate(10, 1))]
    nights.buy(1, 10)
    nights.spend(1, 10)
    nights.post(1, lambda draft: commands.take_back(draft, award, commands.ARREARS))
    given = nights.post(1, lambda draft: commands.earn(draft, [commands.Grant(25, 0, start)]))
    assert given.timers == {"activate": nights.today + 2}
    later = nights.post(1, lambda draft: commands.earn(draft, [commands.Grant(5, 0, start + DAY)]))
    assert later.timers == {}, "the first one that is armed arms the next"
    nights.pass_days(2)
    assert nights.kinds() == [(2, "expired")]
    told = {kind: event.points for kind, event in events_of(nights.entries()[-1])}
    assert told == {"points.activated": 25, "points.repaid": 10}
    nights.pass_days(3)
    assert nights.kinds() == [(2, "expired"), (3, "expired")]
    assert nights.state().balance() == Balance(20, 0, 0, 0)


def test_what_waits_for_an_event_and_what_is_spent_from_it_is_due_on_no_day() -> None:
    nights = Nights()
    entry = nights.post(1, lambda draft: commands.earn(draft, [commands.Grant(25, 0, WAITING)]))
    assert entry.timers == {}
    nights.pass_days(3)
    assert nights.kinds() == []


def test_who_is_told_of_points_that_end_learns_what_they_are_worth() -> None:
    nights = Nights(expiry=YEARLY, reminders=TOLD, decay={"months": 1, "percent": 10, "notice_days": 7})
    nights.give(1, 100, days=60)
    nights.buy(2, 100)
    worth = lambda program, points: points * 3 // 2  # noqa: E731 - as short as it is
    nights.acts = {**ACTS, "reminder": partial(remind, worth=worth), "decay": partial(decay, worth=worth)}
    nights.pass_days(40)
    events = [told for number in (1, 2) for entry in nights.entries(number) for _, told in expiring_of(entry)]
    assert [(event.why, event.points, event.worth) for event in events[:2]] == [
        ("expiry", 100, Worth(150, "EUR")),
        ("inactivity", 10, Worth(15, "EUR")),
    ]
    nights.acts = ACTS
    nights.pass_days(20)
    assert expiring_of(nights.entries()[-1])[0][1].worth is UNSET, "nobody says what a point is worth any more"


def test_late_notice_of_some_points_is_no_notice_of_those_that_end_soon_after() -> None:
    nights = Nights(expiry={**YEARLY, "require_notice": True})
    nights.give(1, 100, days=3)
    nights.give(1, 30, days=8)
    nights.stream()
    nights.pass_days(5)
    assert nights.state().balance().available == 130, "nobody was told"
    first = min(expiry for expiry, _ in nights.state().lots)
    nights.post(1, lambda draft: confirm(draft, nights.program, first, "delivered"))
    nights.stream()
    nights.pass_days(5)
    assert nights.state().balance().available == 130, "a week to spend what should have ended"
    nights.pass_days(20)
    assert nights.state().balance().available == 30, "of these nobody was told"
    second = min(expiry for expiry, _ in nights.state().lots)
    nights.post(1, lambda draft: confirm(draft, nights.program, second, "unreachable"))
    nights.stream()
    nights.pass_days(1)
    assert nights.state().balance().available == 0
    nights.sound(1)
