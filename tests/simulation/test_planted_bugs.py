"""A simulator that cannot fail proves nothing: bugs planted one at a time in the real code, and each is found.

Every test runs its story first over the code as it is, then over the code with the bug, by the same schedules or seeds.
`says` is what the finding must say, so that a bug is found for what it is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from msgspec.structs import replace as with_fields

from loyalty.earning import service as earning
from loyalty.earning.purchase import Order
from loyalty.earning.store import OrderStore
from loyalty.errors import Refused
from loyalty.ledger import account, chain, commands, service, store, wallet
from loyalty.ledger.account import Draft, Part, expiry_order
from loyalty.ledger.chain import Chain, Entry
from loyalty.ledger.commands import Award
from loyalty.ledger.service import Ledger
from loyalty.ledger.store import LedgerStore
from loyalty.rules import leases
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import Condition, ConditionFailed, Put
from loyalty.values import Rate
from tests.simulation.explore import Found, every_schedule, many_seeds, replay
from tests.simulation.scheduler import Fault, Faults
from tests.simulation.stories import ALL, FUNDED, THIRD
from tests.simulation.world import (
    ANNA,
    BERT,
    DAY,
    START,
    Story,
    World,
    adjust,
    buy,
    cancel,
    capture,
    close,
    give_back,
    hold,
    multiply,
    policy,
    redeem,
    release,
    transfer,
)
from tests.tally import tried

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Planted:
    """A bug, the story that brings it to light, and what the finding says."""

    name: str
    plant: Callable[[Patch], None]
    story: Story
    says: str
    seeds: int = 0
    """How many seeds are tried; 0 is every schedule."""


def _no_condition_on_the_put(patch: Patch) -> None:
    patch.setattr(store, "ABSENT", None)


def _reference_not_checked(patch: Patch) -> None:
    patch.setattr(LedgerStore, "find", lambda self, chain, ref: None)
    patch.setattr(Ledger, "_recent", lambda self, head, ref: None)


def _reference_checked_before_the_head_is_read(patch: Patch) -> None:
    def head_and_ref(self: LedgerStore, chain: Chain, ref: str) -> tuple[Entry | None, int | None]:
        number = self.find(chain, ref)
        return self.head(chain), number

    patch.setattr(LedgerStore, "head_and_ref", head_and_ref)
    patch.setattr(Ledger, "_recent", lambda self, head, ref: None)


def _newest_references_trusted_however_far_the_head_moved(patch: Patch) -> None:
    patch.setattr(service, "_may_hide_more", lambda state, now: False)


def _clocks_taken_to_agree(patch: Patch) -> None:
    patch.setattr(service, "UNCERTAIN_SECONDS", 0)


def _retry_under_a_new_number_without_checking(patch: Patch) -> None:
    append = LedgerStore.append

    def unchecked(self: LedgerStore, entry: Entry) -> Entry | None:
        other = append(self, entry)
        return None if other is None else with_fields(other, ref="")

    patch.setattr(LedgerStore, "append", unchecked)


def _same_key_with_another_body_not_noticed(patch: Patch) -> None:
    patch.setattr(service, "same_request", lambda done, cause: None)


def _cancelled_redemption_into_the_wrong_lot(patch: Patch) -> None:
    spent_parts = commands.spent_parts

    def in_one(moves: Iterable[account.Move]) -> list[Part]:
        parts = spent_parts(moves)
        return [(max(expiry for expiry, _ in parts), sum(points for _, points in parts))]

    patch.setattr(commands, "spent_parts", in_one)


def _refund_from_the_wrong_lot(patch: Patch) -> None:
    take_back = commands.take_back

    def from_any(draft: Draft, shares: Sequence[Award], *rest: Any) -> int:
        return take_back(draft, [with_fields(share, expiry=1, start=0) for share in shares], *rest)

    patch.setattr(commands, "take_back", from_any)


def _remainder_dropped(patch: Patch) -> None:
    patch.setattr(commands, "_carry", lambda draft, why, rule, rest: None)


def _expired_lot_spent(patch: Patch) -> None:
    def next_due(self: Draft) -> int | None:
        times = [hold.deadline for hold in self.state.holds.values()]
        times += [start for _, start in self.state.lots if start]
        due = min(times, default=self.now + 1)
        return due if due <= self.now else None

    patch.setattr(Draft, "_next_due", next_due)


def _hold_lapsing_twice(patch: Patch) -> None:
    unhold = Draft.unhold

    def twice(self: Draft, why: str, number: int) -> None:
        parts = dict(self.state.holds[number].parts)
        unhold(self, why, number)
        if why == "lapsed":
            for expiry, points in parts.items():
                self.move(why, "l", expiry, 0, points)

    patch.setattr(Draft, "unhold", twice)


def _release_after_capture(patch: Patch) -> None:
    let_go = commands.release

    def anyway(draft: Draft, number: int, allowed: bool = True) -> None:
        try:
            let_go(draft, number, allowed)
        except Refused:
            draft.put("released", 0, 0, 40)
            draft.detail |= {"points": 40, "hold": number}

    patch.setattr(commands, "release", anyway)


def _capture_that_leaves_the_hold(patch: Patch) -> None:
    def from_the_balance(draft: Draft, number: int, points: int | None, final: bool, allowed: bool = True) -> None:
        commands.begin(draft, "captured")
        taken = draft.state.holds[number].points if number in draft.state.holds else 40
        draft.take("spent", min(taken, draft.available))
        draft.detail |= {"points": taken, "hold": number, "released": 0, "left": 0}

    patch.setattr(commands, "capture", from_the_balance)


def _arrears_ignored(patch: Patch) -> None:
    patch.setattr(Draft, "_repay", lambda self: None)


def _hash_skipping_a_field(patch: Patch) -> None:
    patch.setattr(chain, "_hash", lambda of, number, ref, body: chain.digest(of.pk, keys.entry(number), body))


def _hash_without_the_one_before(patch: Patch) -> None:
    seal = chain.seal

    def alone(of: Chain, head: Entry | None, draft: Draft, *rest: Any) -> Entry:
        return seal(of, None if head is None else with_fields(head, hash=chain.GENESIS), draft, *rest)

    patch.setattr(service, "seal", alone)


def _last_expiring_spent_first(patch: Patch) -> None:
    patch.setattr(account, "expiry_order", lambda expiry: -expiry_order(expiry))


def _order_claimed_without_a_condition(patch: Patch) -> None:
    def claim(self: OrderStore, program: str, order: Order) -> Order | None:
        standing = self.get(program, order.source, order.order_id)
        if standing is None:
            item = self.put_of(program, order).item
            self._table.put(item)
        return standing

    patch.setattr(OrderStore, "claim", claim)


def _claim_given_up_by_its_version_alone(patch: Patch) -> None:
    def give_up(self: OrderStore, program: str, order: Order) -> None:
        unchanged = Condition("#version = :version", {"version": order.version})
        try:
            self._table.delete(keys.order(program, order.source, order.order_id), unchanged)
        except ConditionFailed:
            return

    patch.setattr(OrderStore, "give_up", give_up)


def _return_over_an_order_that_moved_on(patch: Patch) -> None:
    put_of = OrderStore.put_of

    def unversioned(self: OrderStore, program: str, order: Order) -> Put:
        return put_of(self, program, order)._replace(condition=None)

    patch.setattr(OrderStore, "put_of", unversioned)


def _redemption_given_back_without_a_claim(patch: Patch) -> None:
    patch.setattr(wallet, "ABSENT", None)


def _transfer_in_two_writes(patch: Patch) -> None:
    def one_by_one(self: Table, writes: Sequence[Put]) -> None:
        for write in writes:
            self.put(write.item, write.condition)

    patch.setattr(Table, "transact", one_by_one)


def _balance_read_without_what_time_changed(patch: Patch) -> None:
    patch.setattr(wallet, "settled", lambda head, now: head.state)


def _multiplier_on_every_day(patch: Patch) -> None:
    patch.setattr(account.State, "multiplier", lambda self, day: self.multipliers[0] if self.multipliers else None)


def _document_left_without_the_offer(patch: Patch) -> None:
    patch.setattr(earning._Posting, "extra", lambda posting, draft: ())  # noqa: SLF001 - a bug is planted


def _largest_multiplier_taken_away(patch: Patch) -> None:
    """A fourth offer takes the place of another."""
    patch.setattr(commands, "MAX_MULTIPLIERS", 4)


def _budget_looked_at_and_not_written_down(patch: Patch) -> None:
    patch.setattr(leases, "leased", lambda budget, points: budget)


def _none(world: World) -> None:
    """The invariants alone are the judges."""


def _same_key(others: int = 0) -> Story:
    more = [redeem(1, f"more-{number}") for number in range(others)]
    return Story("same-key", [[redeem(30, "k")], [redeem(30, "k"), *more]], FUNDED)


LOTS = (adjust(40, "fund", START + DAY), adjust(60, "fund2", START + 2 * DAY))

BUGS = (
    Planted("no condition on the put", _no_condition_on_the_put, ALL["redeem-redeem"], "I[36]|lost entry"),
    Planted("reference not checked", _reference_not_checked, ALL["same-key-twice"], "I3"),
    Planted(
        "reference checked before the head is read",
        _reference_checked_before_the_head_is_read,
        ALL["same-key-twice"],
        "I3",
    ),
    Planted(
        "newest references trusted however far the head moved",
        _newest_references_trusted_however_far_the_head_moved,
        _same_key(7),
        "I3",
    ),
    Planted("clocks taken to agree", _clocks_taken_to_agree, ALL["far-behind-and-ahead"], "I3"),
    Planted(
        "retry under a new number without checking",
        _retry_under_a_new_number_without_checking,
        ALL["same-key-twice"],
        "I3",
    ),
    Planted(
        "same key with another body not noticed",
        _same_key_with_another_body_not_noticed,
        ALL["same-key-other-body"],
        "I3 one key with two bodies",
    ),
    Planted(
        "cancelled redemption into the wrong lot",
        _cancelled_redemption_into_the_wrong_lot,
        Story("cancel", [[cancel(4, "x")], [redeem(10, "a")]], (*LOTS, redeem(70, "r"))),
        "I5",
    ),
    Planted(
        "refund from the wrong lot",
        _refund_from_the_wrong_lot,
        Story("refund", [[give_back("o1", "b")], [redeem(10, "a")]], (*LOTS, buy("o1", 5000))),
        "I5",
    ),
    Planted(
        "remainder dropped",
        _remainder_dropped,
        Story("remainders", [[buy("o1", 100)], [buy("o2", 200)]], policy=policy(rate=THIRD), expect=_none),
        "I10",
    ),
    Planted("expired lot spent", _expired_lot_spent, ALL["expiry-spend"], "I7"),
    Planted(
        "hold lapsing twice",
        _hold_lapsing_twice,
        Story("lapse", [[redeem(10, "a")], [redeem(10, "b")]], (*FUNDED, hold(40, "h", 600)), ticks=[START + 600]),
        "I1 .*out of nothing|I7 .*shows 120, has 80",
    ),
    Planted(
        "release after capture",
        _release_after_capture,
        Story("settle", [[capture(3, None, "c")], [release(3, "l")]], (*FUNDED, hold(40, "h"))),
        "I1 .*out of nothing",
    ),
    Planted(
        "capture that leaves the hold",
        _capture_that_leaves_the_hold,
        Story("settle", [[capture(3, None, "c")], [release(3, "l")]], (*FUNDED, hold(40, "h"))),
        "I1 .*captured entry",
    ),
    Planted("arrears ignored", _arrears_ignored, ALL["arrears"], "I2 .*arrears"),
    Planted("hash skipping a field", _hash_skipping_a_field, _same_key(), "I6 .*hash does not cover"),
    Planted("hash without the one before", _hash_without_the_one_before, _same_key(), "I6 .*another hash"),
    Planted(
        "last expiring spent first",
        _last_expiring_spent_first,
        Story("fefo", [[redeem(30, "a")], [redeem(30, "b")]], LOTS),
        "I9 .*expire first",
    ),
    Planted(
        "order claimed without a condition",
        _order_claimed_without_a_condition,
        ALL["same-order-two-members"],
        "I4",
    ),
    Planted(
        "claim given up by its version alone",
        _claim_given_up_by_its_version_alone,
        Story(
            "reassign",
            [
                [buy("o1", 1000, key="a")],
                [close("c"), buy("o1", 1000, key="b", account=BERT)],
                [buy("o1", 1000, key="a2")],
            ],
        ),
        "I4|I5",
    ),
    Planted(
        "return over an order that moved on",
        _return_over_an_order_that_moved_on,
        Story("returns", [[give_back("o1", "b1", 400)], [give_back("o1", "b2", 400)]], (buy("o1", 1000),)),
        "I5",
    ),
    Planted(
        "redemption given back without a claim",
        _redemption_given_back_without_a_claim,
        Story("cancel-twice", [[cancel(3, "x")], [cancel(3, "y")]], (*FUNDED, redeem(70, "r"))),
        "I[13] claims",
    ),
    Planted(
        "transfer in two writes",
        _transfer_in_two_writes,
        Story(
            "transfer",
            [[transfer(ANNA, BERT, 60, "t")], [redeem(10, "r")]],
            FUNDED,
            faults=Faults((Fault.KILL,), 1),
            retried=False,
        ),
        "I1 transfers",
    ),
    Planted(
        "balance read without what time changed",
        _balance_read_without_what_time_changed,
        Story("balance", [[hold(40, "h", 60)], [redeem(10, "r")]], LOTS, later=[START + DAY, START + 2 * DAY]),
        "I7 .*shows",
    ),
    Planted(
        "multiplier on every day",
        _multiplier_on_every_day,
        Story("next-day", [[buy("o1", 1000, at=DAY)], [redeem(1, "r")]], (*FUNDED, multiply(Rate(2, 1), "flash"))),
        "I9 .*times 1",
    ),
    Planted("document left without the offer", _document_left_without_the_offer, ALL["offer-buy"], "I9"),
    Planted("multiplier taken away", _largest_multiplier_taken_away, ALL["offers-fill-up"], "I9 .*one more multiplier"),
    Planted(
        "budget looked at and not written down",
        _budget_looked_at_and_not_written_down,
        ALL["crowd-budget"],
        "points of 350",
        seeds=60,
    ),
)


def _fresh(story: Story) -> Story:
    """The story as if it had never been run: what stands before it is made by the code under test as well."""
    return replace(story, proven=set(), _prepared=None)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Planted, monkeypatch: Patch) -> None:
    def run(story: Story) -> None:
        done = many_seeds(story, range(bug.seeds)) if bug.seeds else every_schedule(story)
        tried("schedules", done.schedules)
        tried("operations", done.operations)

    try:
        run(_fresh(bug.story))
    except Found as unplanted:
        pytest.fail(f"found without the bug: {unplanted}", pytrace=False)
    broken = _fresh(bug.story)
    bug.plant(monkeypatch)
    with pytest.raises(Found, match=bug.says) as found:
        run(broken)
    with pytest.raises(Found) as again:
        replay(broken, found.value.schedule)
    assert str(again.value.cause) == str(found.value.cause)
