"""Conflicts, throttling, failing servers, lost answers: retried, then refused so that a repeat is safe."""

from collections.abc import Callable

import pytest

from loyalty.errors import Conflict, Problem, Refused, Unavailable
from loyalty.ledger.chain import Chain
from loyalty.ledger.service import Posted
from tests.engines import DYNAMODB_LOCAL, MOTO, items_of
from tests.store.books import DAY, PROGRAM, Books
from tests.store.faults import Act, Crash, answer_lost, bare_status, crash, error, injected, never_arrives

ATTEMPTS = 4
"""How often the product's client sends one call at most."""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore waits between its attempts; these tests do not."""
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.fixture
def chain(books: Books) -> Chain:
    """A wallet with 100 points, a hold of 20 that is entry 3, and the order "before" of 9 EUR."""
    chain = books.open(1, 100)
    books.open(2, 100)
    books.hold(chain, 20, lasts=DAY)
    books.buy(chain, "before", 900)
    books.redeem(chain, 10)
    return chain


def _transfer(books: Books, chain: Chain) -> Posted:
    target = chain._replace(account=chain.account[:-1] + "2")
    return books.wallets.transfer(chain, target, 5, "", books.cause("a key", "transfer"), books.now)


COMMANDS: dict[str, tuple[str, Callable[[Books, Chain], Posted]]] = {
    "redeem": ("PutItem", lambda books, chain: books.redeem(chain, 5, "a key")),
    "hold": ("PutItem", lambda books, chain: books.hold(chain, 5, ref="a key")),
    "capture": ("PutItem", lambda books, chain: books.capture(chain, 3, 5, ref="a key")),
    "purchase": ("PutItem", lambda books, chain: books.buy(chain, "new", 600, ref="a key")),
    "return": ("TransactWriteItems", lambda books, chain: books.bring_back("before", amount=300, ref="a key")),
    "cancel": (
        "TransactWriteItems",
        lambda books, chain: books.wallets.cancel(chain, 5, books.cause("a key", "cancel"), books.now),
    ),
    "transfer": ("TransactWriteItems", _transfer),
}

throttled = error("ProvisionedThroughputExceededException")
cancelled_by_conflict = error(
    "TransactionCanceledException",
    Message="injected",
    CancellationReasons=[{"Code": "TransactionConflict", "Message": "injected"}, {"Code": "None"}],
)
cancelled_by_throttling = error(
    "TransactionCanceledException",
    Message="injected",
    CancellationReasons=[{"Code": "ThrottlingError", "Message": "injected"}, {"Code": "None"}],
)

UNAVAILABLE: dict[str, Act] = {
    "throttled": throttled,
    "account limit": error("RequestLimitExceeded"),
    "throttling": error("ThrottlingException"),
    "internal error": error("InternalServerError", 500),
    "unavailable": error("ServiceUnavailable", 503),
    "500 without a body of DynamoDB's": bare_status(500),
    "502 without a body of DynamoDB's": bare_status(502),
    "503 without a body of DynamoDB's": bare_status(503),
    "no connection": never_arrives,
    "answer lost": answer_lost,
}


# A fault lies beneath the engine, so one engine is enough, but for what happens to the table when an answer is lost.
EACH_FAULT = [
    pytest.param(engine, act, id=f"{engine}-{name}")
    for name, act in UNAVAILABLE.items()
    for engine in ([DYNAMODB_LOCAL, MOTO] if act in {answer_lost, throttled} else [DYNAMODB_LOCAL])
]
EACH_COMMAND = [pytest.param(operation, command, id=name) for name, (operation, command) in COMMANDS.items()]


def audit(books: Books, chain: Chain) -> int:
    return books.audit(chain, chain._replace(account=chain.account[:-1] + "2"))


@pytest.mark.parametrize(("engine", "act"), EACH_FAULT, indirect=["engine"])
@pytest.mark.parametrize(("operation", "command"), EACH_COMMAND)
def test_a_fault_that_passes_is_not_noticed(
    books: Books, chain: Chain, operation: str, command: Callable[[Books, Chain], Posted], act: Act
) -> None:
    before = audit(books, chain)
    with injected(books.client, operation, act, times=ATTEMPTS - 1) as fault:
        posted = command(books, chain)
    assert fault.hit == ATTEMPTS - 1
    again = command(books, chain)
    assert again.replayed
    assert again.entry == posted.entry
    assert audit(books, chain) == before + (2 if posted.entry.kind == "transferred_out" else 1)


@pytest.mark.parametrize(("engine", "act"), EACH_FAULT, indirect=["engine"])
@pytest.mark.parametrize(("operation", "command"), EACH_COMMAND)
def test_a_fault_that_stays_is_answered_503_and_the_repeat_is_safe(
    books: Books, chain: Chain, operation: str, command: Callable[[Books, Chain], Posted], act: Act
) -> None:
    before = audit(books, chain)
    with injected(books.client, operation, act), pytest.raises(Unavailable) as refused:
        command(books, chain)
    assert (refused.value.status, refused.value.code) == (503, "STORAGE_UNAVAILABLE")
    assert refused.value.retry_after
    posted = command(books, chain)
    assert command(books, chain).entry == posted.entry
    assert audit(books, chain) == before + (2 if posted.entry.kind == "transferred_out" else 1)


@pytest.mark.parametrize(("engine", "act"), EACH_FAULT, indirect=["engine"])
@pytest.mark.parametrize("operation", ["Query", "GetItem"])
def test_a_read_that_fails_is_answered_503_and_writes_nothing(
    books: Books, chain: Chain, operation: str, act: Act
) -> None:
    stored = items_of(books.client, books.name)
    reads: dict[str, Callable[[], object]] = {
        "Query": lambda: books.redeem(chain, 5),
        "GetItem": lambda: books.bring_back("before", amount=300),
    }
    with injected(books.client, operation, act), pytest.raises(Unavailable):
        reads[operation]()
    assert items_of(books.client, books.name) == stored


@pytest.mark.parametrize("act", [cancelled_by_conflict, error("TransactionConflictException")])
@pytest.mark.parametrize(("operation", "command"), EACH_COMMAND)
def test_a_conflict_that_passes_is_not_noticed_and_one_that_stays_is_answered_409(
    books: Books, chain: Chain, operation: str, command: Callable[[Books, Chain], Posted], act: Act
) -> None:
    before = audit(books, chain)
    # The document of an order is written before the entry, and nothing else ever writes it at that moment.
    first = 2 if command is COMMANDS["purchase"][1] else 1
    with injected(books.client, operation, act, first=first), pytest.raises(Conflict) as refused:
        command(books, chain)
    assert (refused.value.status, refused.value.code) == (409, "ACCOUNT_BUSY")
    assert refused.value.retry_after
    assert audit(books, chain) == before
    with injected(books.client, operation, act, first=first, times=3) as fault:
        posted = command(books, chain)
    assert fault.hit == 3
    assert command(books, chain).entry == posted.entry
    assert audit(books, chain) == before + (2 if posted.entry.kind == "transferred_out" else 1)


def test_an_order_whose_document_is_in_a_transaction_is_answered_503(books: Books, chain: Chain) -> None:
    act = error("TransactionConflictException")
    with injected(books.client, "PutItem", act, times=1), pytest.raises(Unavailable) as refused:
        books.buy(chain, "new", 600, ref="a key")
    assert refused.value.retry_after
    assert not books.buy(chain, "new", 600, ref="a key").replayed


@pytest.mark.parametrize("command", [COMMANDS[name][1] for name in ("return", "cancel", "transfer")])
def test_a_transaction_cancelled_by_throttling_is_answered_503(
    books: Books, chain: Chain, command: Callable[[Books, Chain], Posted]
) -> None:
    stored = items_of(books.client, books.name)
    with injected(books.client, "TransactWriteItems", cancelled_by_throttling), pytest.raises(Unavailable):
        command(books, chain)
    assert items_of(books.client, books.name) == stored
    assert not command(books, chain).replayed


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize(("operation", "command"), EACH_COMMAND)
def test_a_process_that_dies_at_a_write_leaves_what_its_repeat_completes(
    books: Books, chain: Chain, operation: str, command: Callable[[Books, Chain], Posted], at: int
) -> None:
    before = audit(books, chain)
    with injected(books.client, operation, crash, first=at) as fault:
        died = False
        try:
            command(books, chain)
        except Crash:
            died = True
        assert died == bool(fault.hit)
    command(books, chain)
    assert command(books, chain).replayed
    after = audit(books, chain)
    assert after == before + (2 if command is _transfer else 1)


def _by_a_retry(books: Books, chain: Chain) -> None:
    assert books.buy(chain, "o", 900, ref="o").entry.detail["points"] == 3


def _by_another_channel(books: Books, chain: Chain) -> None:
    assert books.buy(chain, "o", 900, channel="app").entry.detail["points"] == 3


def _by_a_return(books: Books, chain: Chain) -> None:
    with pytest.raises(Refused):  # of nothing; the purchase is finished all the same
        books.bring_back("o", amount=0)


def _by_the_stream(books: Books, _: Chain) -> None:
    standing = books.earning.standing(PROGRAM, "till", "o")
    assert not books.earning.complete(PROGRAM, standing, books.now).replayed
    assert books.earning.complete(PROGRAM, standing, books.now).replayed


@pytest.mark.parametrize("finish", [_by_a_retry, _by_another_channel, _by_a_return, _by_the_stream])
def test_an_order_document_left_without_its_entry_is_finished_once_by_whoever_comes_next(
    books: Books, finish: Callable[[Books, Chain], None]
) -> None:
    chain = books.open(1)
    with injected(books.client, "PutItem", crash, first=2), pytest.raises(Crash):
        books.buy(chain, "o", 900, ref="o")
    assert books.available(chain) == 0
    assert books.orders.get(PROGRAM, "till", "o") is not None
    finish(books, chain)
    assert books.available(chain) == 3
    _by_a_retry(books, chain)
    assert books.available(chain) == 3
    assert books.audit(chain) == 2


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"])
def test_an_error_of_ours_is_not_passed_off_as_one_that_passes(books: Books, chain: Chain, code: str) -> None:
    with injected(books.client, "PutItem", error(code)) as fault, pytest.raises(Exception, match=code) as raised:
        books.redeem(chain, 5)
    assert not isinstance(raised.value, Problem)
    assert fault.hit == 1
