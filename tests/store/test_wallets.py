"""Every command of the ledger through its service, on each engine: what it writes and refuses, what a repeat gets."""

from collections.abc import Callable
from functools import partial

import pytest

from loyalty.errors import Conflict, NotFound, Problem, Refused
from loyalty.ledger.account import MAX_HOLDS
from loyalty.ledger.chain import Chain
from loyalty.ledger.service import Posted
from tests.engines import items_of
from tests.store.books import DAY, MINUTE, PROGRAM, Books, account

Command = Callable[[Books, Chain, str], Posted]
"""A command under a reference."""


def refusal(problem: type[Problem], code: str, act: Callable[[], object], **figures: int) -> None:
    with pytest.raises(problem) as refused:
        act()
    assert refused.value.code == code
    assert {name: refused.value.figures[name] for name in figures} == figures


def test_a_wallet_opens_once_and_empty(books: Books) -> None:
    chain = books.open(1)
    assert books.state(chain).balance().available == 0
    again = books.wallets.open(chain, "member", books.cause("another key"), books.now)
    assert again.replayed
    assert again.entry.number == 1
    assert books.audit(chain) == 1


@pytest.mark.parametrize("kind", ["member", "employee", "supplier", "household", "pool"])
def test_every_kind_of_account_keeps_its_kind(books: Books, kind: str) -> None:
    chain = books.open(1, 10, kind=kind)
    books.redeem(chain, 3)
    assert books.state(chain).kind == kind


def test_wallets_accounts_and_programmes_are_apart(books: Books) -> None:
    chains = [books.open(1, 100), books.open(1, 100, wallet="cash"), books.open(2, 100)]
    foreign = Chain("baker", account(1), "points")
    books.wallets.open(foreign, "member", books.cause(), books.now)
    books.wallets.adjust(foreign, 100, 0, "opening balance", books.cause(), books.now)
    books.redeem(chains[0], 60, ref="same key")
    books.redeem(foreign, 30, ref="same key")
    assert [books.available(chain) for chain in (*chains, foreign)] == [40, 100, 100, 70]
    assert books.audit(*chains, foreign) == 10


def test_a_command_on_a_wallet_that_was_never_opened_finds_nothing(books: Books) -> None:
    nobody = Chain(PROGRAM, account(9), "points")
    for act in (
        lambda: books.redeem(nobody, 1),
        lambda: books.hold(nobody, 1),
        lambda: books.wallets.expire(nobody, books.cause(), books.now),
        lambda: books.state(nobody),
        lambda: books.wallets.verify(nobody),
        lambda: books.wallets.entries(nobody, 10, None),
        lambda: books.buy(nobody, "o1", 500),
        lambda: books.wallets.close(nobody, "", True, books.cause(), books.now),
    ):
        refusal(NotFound, "MEMBER_NOT_FOUND", act)
    assert books.length(nobody) == 0
    assert books.orders.get(PROGRAM, "till", "o1") is None


def test_points_that_are_not_there_cannot_be_spent_held_moved_or_taken(books: Books) -> None:
    chain, other = books.open(1, 100), books.open(2)
    for act in (
        lambda: books.redeem(chain, 130),
        lambda: books.hold(chain, 130),
        lambda: books.wallets.adjust(chain, -130, 0, "", books.cause(), books.now),
        lambda: books.wallets.transfer(chain, other, 130, "", books.cause(), books.now),
    ):
        refusal(Refused, "POINTS_INSUFFICIENT", act, available=100, missing_points=30)
    assert (books.audit(chain), books.audit(other)) == (2, 1)


def test_first_expiring_is_spent_first_and_a_cancelled_redemption_goes_back_where_it_was(books: Books) -> None:
    chain = books.open(1, 100)
    soon, late = books.now + 10 * DAY, books.now + 20 * DAY
    for expiry in (late, soon):
        books.wallets.adjust(chain, 50, expiry, "", books.cause(), books.now)
    spent = books.redeem(chain, 120)
    assert books.state(chain).lots == {(0, 0): 80}
    back = books.wallets.cancel(chain, spent.entry.number, books.cause(), books.now)
    assert back.entry.kind == "restored"
    assert books.state(chain).lots == {(soon, 0): 50, (late, 0): 50, (0, 0): 100}
    assert books.audit(chain) == 6


def test_a_redemption_is_cancelled_once(books: Books) -> None:
    chain = books.open(1, 100)
    spent = books.redeem(chain, 60).entry.number

    def cancel(ref: str) -> Posted:
        return books.wallets.cancel(chain, spent, books.cause(ref), books.now)

    first = cancel("a key")
    assert not first.replayed
    assert cancel("a key").replayed
    refusal(Conflict, "REDEMPTION_ALREADY_CANCELLED", lambda: cancel("another key"))
    assert books.available(chain) == 100
    assert books.audit(chain) == 4


def test_only_a_redemption_can_be_cancelled(books: Books) -> None:
    chain = books.open(1, 100)
    for number in (1, 2, 3, 99):
        refusal(
            NotFound,
            "REDEMPTION_NOT_FOUND",
            partial(books.wallets.cancel, chain, number, books.cause(), books.now),
        )
    assert books.audit(chain) == 2


def test_a_hold_is_captured_in_parts_and_the_rest_released(books: Books) -> None:
    chain = books.open(1, 100)
    hold = books.hold(chain, 70).entry.number
    assert (books.available(chain), books.state(chain).balance().held) == (30, 70)
    refusal(Refused, "POINTS_INSUFFICIENT", lambda: books.redeem(chain, 31))
    refusal(Refused, "HOLD_EXCEEDED", lambda: books.capture(chain, hold, 71), missing_points=1)
    part = books.capture(chain, hold, 20, final=False)
    assert part.entry.detail == {"points": 20, "hold": hold, "released": 0, "left": 50}
    rest = books.capture(chain, hold, 10)
    assert rest.entry.detail == {"points": 10, "hold": hold, "released": 40, "left": 0}
    assert (books.available(chain), books.state(chain).balance().held) == (70, 0)
    refusal(Refused, "HOLD_NOT_ACTIVE", lambda: books.capture(chain, hold, 1))
    refusal(Refused, "HOLD_NOT_ACTIVE", lambda: books.wallets.release(chain, hold, books.cause(), books.now))
    assert books.audit(chain) == 5


def test_a_released_hold_gives_all_back(books: Books) -> None:
    chain = books.open(1, 100)
    hold = books.hold(chain, 70).entry.number
    books.wallets.release(chain, hold, books.cause(), books.now)
    assert books.available(chain) == 100
    refusal(Refused, "HOLD_NOT_ACTIVE", lambda: books.capture(chain, hold, 1))
    assert books.audit(chain) == 4


def test_a_hold_lapses_by_itself_at_its_deadline(books: Books) -> None:
    chain = books.open(1, 100)
    hold = books.hold(chain, 70, lasts=5 * MINUTE).entry.number
    books.later(5 * MINUTE - 1)
    assert books.available(chain) == 30
    books.later(1)
    assert books.available(chain) == 100
    assert books.length(chain) == 3
    refusal(Refused, "HOLD_NOT_ACTIVE", lambda: books.capture(chain, hold, 70))
    swept = books.wallets.expire(chain, books.cause(), books.now)
    assert [move[0] for move in swept.entry.moves] == ["lapsed", "lapsed"]
    assert books.available(chain) == 100
    books.redeem(chain, 100)
    assert books.audit(chain) == 5


def test_a_hold_that_is_none_is_not_found(books: Books) -> None:
    chain = books.open(1, 100)
    books.redeem(chain, 10)
    for number in (1, 3, 77):
        refusal(NotFound, "HOLD_NOT_FOUND", partial(books.capture, chain, number, 1))
        refusal(
            NotFound,
            "HOLD_NOT_FOUND",
            partial(books.wallets.release, chain, number, books.cause(), books.now),
        )


def test_holds_are_bounded(books: Books) -> None:
    chain = books.open(1, 100)
    for _ in range(MAX_HOLDS):
        books.hold(chain, 1)
    refusal(Refused, "HOLD_LIMIT_REACHED", lambda: books.hold(chain, 1))
    books.audit(chain)


def test_an_offline_hold_wants_its_allowance(books: Books) -> None:
    chain = books.open(1, 100)
    held = books.wallets.hold(chain, 50, books.now + DAY, True, books.cause(), books.now).entry.number

    def capture(allowed: bool) -> Posted:
        return books.wallets.capture(chain, held, 30, True, allowed, books.cause(), books.now)

    refusal(Refused, "HOLD_ALLOWANCE_INVALID", lambda: capture(False))
    assert capture(True).entry.detail["released"] == 20
    books.audit(chain)


def test_an_expired_lot_cannot_be_spent_whether_or_not_it_was_swept(books: Books) -> None:
    chain = books.open(1, 10)
    books.wallets.adjust(chain, 90, books.now + DAY, "", books.cause(), books.now)
    books.later(DAY)
    assert books.available(chain) == 10
    refusal(Refused, "POINTS_INSUFFICIENT", lambda: books.redeem(chain, 11), available=10, missing_points=1)
    swept = books.wallets.expire(chain, books.cause("sweep"), books.now)
    assert swept.entry.kind == "expired"
    assert not swept.replayed
    assert books.wallets.expire(chain, books.cause("sweep"), books.now).replayed
    nothing_left = books.wallets.expire(chain, books.cause("another sweep"), books.now)
    assert nothing_left.entry.number == swept.entry.number
    assert books.audit(chain) == 4


def test_a_transfer_moves_points_with_their_terms(books: Books) -> None:
    source, target = books.open(1, 100), books.open(2, 5)
    expiry = books.now + DAY
    books.wallets.adjust(source, 50, expiry, "", books.cause(), books.now)

    def move(ref: str) -> Posted:
        return books.wallets.transfer(source, target, 70, "gift", books.cause(ref), books.now)

    out = move("a key")
    assert out.entry.detail == {"points": 70, "to": f"{target.account}/points", "reason": "gift"}
    assert move("a key").replayed
    assert books.state(source).lots == {(0, 0): 80}
    assert books.state(target).lots == {(0, 0): 25, (expiry, 0): 50}
    arrival, _ = books.wallets.entries(target, 1, None)
    assert arrival[0].kind == "transferred_in"
    assert books.audit(source, target) == 7


def test_a_transfer_to_itself_to_nobody_or_from_a_frozen_account_changes_nothing(books: Books) -> None:
    chain, other = books.open(1, 100), books.open(2)
    nobody = Chain(PROGRAM, account(9), "points")
    books.wallets.set_status(other, "frozen", "", books.cause(), books.now)
    for problem, code, source, target in (
        (Refused, "TRANSFER_SAME_ACCOUNT", chain, chain),
        (NotFound, "MEMBER_NOT_FOUND", chain, nobody),
        (NotFound, "MEMBER_NOT_FOUND", nobody, chain),
        (Refused, "ACCOUNT_FROZEN", other, chain),
    ):
        refusal(
            problem,
            code,
            partial(books.wallets.transfer, source, target, 10, "", books.cause(), books.now),
        )
    assert (books.audit(chain), books.audit(other)) == (2, 2)


def test_points_move_between_wallets_of_one_account(books: Books) -> None:
    points, cash = books.open(1, 100), books.open(1, wallet="cash")
    books.wallets.transfer(points, cash, 40, "", books.cause(), books.now)
    assert (books.available(points), books.available(cash)) == (60, 40)
    books.audit(points, cash)


def test_from_a_frozen_account_nothing_leaves_and_held_points_still_settle(books: Books) -> None:
    chain = books.open(1, 100)
    hold = books.hold(chain, 40).entry.number
    books.wallets.set_status(chain, "frozen", "theft", books.cause(), books.now)
    refusal(Refused, "ACCOUNT_FROZEN", lambda: books.redeem(chain, 1))
    refusal(Refused, "ACCOUNT_FROZEN", lambda: books.hold(chain, 1))
    refusal(
        Refused,
        "ACCOUNT_STATUS_UNCHANGED",
        lambda: books.wallets.set_status(chain, "frozen", "", books.cause(), books.now),
    )
    books.buy(chain, "o1", 300)
    books.capture(chain, hold, 40)
    books.wallets.adjust(chain, -1, 0, "correction", books.cause(), books.now)
    books.wallets.set_status(chain, "open", "found", books.cause(), books.now)
    books.redeem(chain, 60)
    assert books.available(chain) == 0
    books.audit(chain)


def test_a_closed_account_takes_nothing_and_can_be_read(books: Books) -> None:
    chain = books.open(1, 100)
    hold = books.hold(chain, 40).entry.number

    def close(forfeit: bool) -> Posted:
        return books.wallets.close(chain, "moved away", forfeit, books.cause(), books.now)

    refusal(Refused, "ACCOUNT_NOT_EMPTY", lambda: close(True), held=40)
    books.wallets.release(chain, hold, books.cause(), books.now)
    refusal(Refused, "ACCOUNT_NOT_EMPTY", lambda: close(False), available=100)
    close(True)
    assert books.available(chain) == 0
    for act in (
        lambda: books.redeem(chain, 1),
        lambda: books.buy(chain, "o1", 300),
        lambda: books.wallets.expire(chain, books.cause(), books.now),
        lambda: close(True),
    ):
        refusal(Refused, "ACCOUNT_CLOSED", act)
    assert books.orders.get(PROGRAM, "till", "o1") is None
    entries, _ = books.wallets.entries(chain, 10, None)
    assert [entry.kind for entry in entries] == ["closed", "released", "held", "adjusted", "opened"]
    books.audit(chain)


def test_entries_are_read_newest_first_and_page_by_page(books: Books) -> None:
    chain = books.open(1, 100)
    for _ in range(9):
        books.redeem(chain, 1)
    numbers: list[int] = []
    before = None
    while True:
        entries, before = books.wallets.entries(chain, 4, before)
        numbers += [entry.number for entry in entries]
        if before is None:
            break
    assert numbers == list(range(11, 0, -1))
    assert books.wallets.entry(chain, 7).number == 7
    refusal(NotFound, "ENTRY_NOT_FOUND", lambda: books.wallets.entry(chain, 12))


def _redeem(books: Books, chain: Chain, ref: str) -> Posted:
    return books.redeem(chain, 5, ref)


def _hold(books: Books, chain: Chain, ref: str) -> Posted:
    return books.hold(chain, 5, ref=ref)


def _capture(books: Books, chain: Chain, ref: str) -> Posted:
    return books.capture(chain, 3, 1, final=False, ref=ref)


def _release(books: Books, chain: Chain, ref: str) -> Posted:
    return books.wallets.release(chain, 3, books.cause(ref), books.now)


def _adjust(books: Books, chain: Chain, ref: str) -> Posted:
    return books.wallets.adjust(chain, -5, 0, "", books.cause(ref), books.now)


def _transfer(books: Books, chain: Chain, ref: str) -> Posted:
    return books.wallets.transfer(chain, Chain(PROGRAM, account(2), "points"), 5, "", books.cause(ref), books.now)


def _freeze(books: Books, chain: Chain, ref: str) -> Posted:
    return books.wallets.set_status(chain, "frozen", "", books.cause(ref), books.now)


def _close(books: Books, chain: Chain, ref: str) -> Posted:
    return books.wallets.close(chain, "", True, books.cause(ref), books.now)


def _purchase(books: Books, chain: Chain, ref: str) -> Posted:
    return books.buy(chain, "o1", 600, ref=ref)


def _return(books: Books, chain: Chain, ref: str) -> Posted:
    return books.bring_back("before", amount=100, ref=ref)


def _event(books: Books, chain: Chain, ref: str) -> Posted:
    return books.earning.activity.post(
        PROGRAM, chain.account, "points", "check_in", books.now, books.cause(ref), books.now
    )


COMMANDS: dict[str, Command] = {
    "redeem": _redeem,
    "hold": _hold,
    "capture": _capture,
    "release": _release,
    "adjust": _adjust,
    "transfer": _transfer,
    "freeze": _freeze,
    "purchase": _purchase,
    "return": _return,
    "event": _event,
}


@pytest.mark.parametrize("since", [0, 1, 20], ids=["at once", "one entry later", "twenty entries later"])
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_repeated_request_gets_its_first_answer_and_another_body_under_its_key_is_refused(
    books: Books, command: Command, since: int
) -> None:
    chain, other = books.open(1, 100), books.open(2, 100)
    books.hold(chain, 20, lasts=DAY)
    books.buy(chain, "before", 900)
    first = command(books, chain, "a key")
    assert not first.replayed
    for _ in range(since):
        books.later(MINUTE // 4)
        books.wallets.adjust(chain, 1, 0, "", books.cause(), books.now)
    stored = items_of(books.client, books.name)
    again = command(books, chain, "a key")
    assert again.replayed
    assert again.entry == first.entry
    with pytest.raises(Conflict) as refused:
        books.wallets.adjust(chain, 77, 0, "another body", books.cause("a key", "another body"), books.now)
    assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"
    assert items_of(books.client, books.name) == stored
    books.audit(chain, other)


def test_a_closed_account_still_gives_a_repeated_close_its_first_answer(books: Books) -> None:
    chain = books.open(1, 100)
    first = _close(books, chain, "a key")
    again = _close(books, chain, "a key")
    assert again.replayed
    assert again.entry == first.entry
