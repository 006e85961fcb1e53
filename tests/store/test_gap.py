"""The gap between the two reads that begin a request: whatever is appended in it, no reference is used twice (I3)."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import pytest

from loyalty.errors import Conflict
from loyalty.ledger.account import MAX_RECENT
from loyalty.ledger.chain import Chain
from loyalty.ledger.service import Posted
from loyalty.table.client import Table
from tests.store.books import MINUTE, Books

_A = TypeVar("_A")
_B = TypeVar("_B")


class Gap:
    """Reads the index first, lets others act once, and only then reads the head."""

    def __init__(self) -> None:
        self.others: Callable[[], object] | None = None

    def __call__(self, first: Callable[[], _A], second: Callable[[], _B]) -> tuple[_A, _B]:
        late = second()
        others, self.others = self.others, None
        if others is not None:
            others()
        return first(), late


@pytest.fixture
def gap() -> Gap:
    return Gap()


@pytest.fixture
def slow(books: Books, gap: Gap) -> Books:
    """The same books, seen by a process that is slow between its two reads."""
    slow = Books(books.client, books.name, now=books.now)
    slow.table = Table(cast("Any", books.client), books.name, gap)
    slow.connect()
    return slow


def _redeem(books: Books, chain: Chain) -> Posted:
    return books.redeem(chain, 5, "a key")


def _purchase(books: Books, chain: Chain) -> Posted:
    return books.buy(chain, "o", 900, ref="a key")


@pytest.mark.parametrize("appended", [0, 1, MAX_RECENT - 1, MAX_RECENT, MAX_RECENT + 1, 3 * MAX_RECENT])
@pytest.mark.parametrize("command", [_redeem, _purchase])
def test_the_same_request_carried_out_in_the_gap_is_answered_and_not_repeated(
    books: Books, slow: Books, gap: Gap, command: Callable[[Books, Chain], Posted], appended: int
) -> None:
    chain = books.open(1, 100)
    first: list[Posted] = []

    def others() -> None:
        first.append(command(books, chain))
        for _ in range(appended):
            books.later(MINUTE // 4)
            books.redeem(chain, 1)

    gap.others = others
    late = command(slow, chain)
    assert late.entry == first[0].entry
    assert books.audit(chain) == 3 + appended


@pytest.mark.parametrize("appended", [0, MAX_RECENT, 3 * MAX_RECENT])
def test_a_key_spent_in_the_gap_on_another_request_is_refused(
    books: Books, slow: Books, gap: Gap, appended: int
) -> None:
    chain = books.open(1, 100)

    def others() -> None:
        books.redeem(chain, 7, "a key")
        for _ in range(appended):
            books.redeem(chain, 1)

    gap.others = others
    with pytest.raises(Conflict) as refused:
        _redeem(slow, chain)
    assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"
    assert books.audit(chain) == 3 + appended


def test_an_order_whose_key_was_spent_in_the_gap_goes_by_its_own_name(books: Books, slow: Books, gap: Gap) -> None:
    chain = books.open(1, 100)

    def others() -> None:
        books.redeem(chain, 7, "a key")
        for _ in range(MAX_RECENT):
            books.redeem(chain, 1)

    gap.others = others
    posted = _purchase(slow, chain)
    assert posted.entry.ref == "o#till#o"
    assert books.buy(chain, "o", 900).entry == posted.entry
    books.audit(chain)
