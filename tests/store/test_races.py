"""Sixteen processes at once on one account of AWS's own engine: spending, holding, buying, returning, repeating it all.

Nothing is timed. What is checked is what the table holds afterwards: never below zero, no gap, each reference once,
and the sums of what was answered equal to the sums of what is stored.
"""

import multiprocessing
import os
import random
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pytest

from loyalty.errors import Problem
from loyalty.ledger.chain import Chain
from loyalty.ledger.service import Posted
from tests.engines import DYNAMODB_LOCAL
from tests.store.books import DAY, PROGRAM, Books, account
from tests.tally import tried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Barrier

    from tests.conftest import TableOn

    Crew = Callable[["Round", str], list["Report"]]

pytestmark = pytest.mark.xdist_group("races")

PROCESSES = 16
STEPS = 10
"""What each process sets out to do in the mixed round; each step is one to two operations."""
GIVE_UP_AFTER = 100
"""How often a process repeats a request that was answered "busy" or "unavailable"."""


class Act(Protocol):
    """A request that can be sent under a reference, again and again."""

    def __call__(self, *, ref: str) -> Posted: ...


class Done(NamedTuple):
    """How one request ended: the entry's number and points, or the code of its refusal."""

    ref: str
    kind: str
    number: int
    points: int
    code: str


class Report(NamedTuple):
    """What one process did: how its requests ended, and how often it sent one."""

    done: list[Done]
    sent: int


class Sender:
    """One process's side of a round."""

    def __init__(self, books: Books, process: int, seed: int) -> None:
        self.books = books
        self.process = process
        self.draw = random.Random(f"{seed}-{process}")
        self.chain = Chain(PROGRAM, account(1), "points")
        self.done: list[Done] = []
        self.sent = 0

    def send(self, ref: str, kind: str, act: Act) -> Posted | None:
        """Send a request until it is answered for good, then once more: the answer must be the same."""
        first, _ = self._persist(ref, act)
        again, code = self._persist(ref, act)
        if first is not None:
            assert again is not None, code
            assert again.replayed
            assert again.entry == first.entry
        if again is None:
            self.done.append(Done(ref, kind, 0, 0, code))
        else:
            self.done.append(Done(ref, kind, again.entry.number, int(again.entry.detail["points"]), ""))
        return again

    def _persist(self, ref: str, act: Act) -> tuple[Posted | None, str]:
        for _ in range(GIVE_UP_AFTER):
            self.sent += 1
            try:
                return act(ref=ref), ""
            except Problem as problem:
                if problem.retry_after is None:
                    return None, problem.code
        return None, "gave up"


class Round(Protocol):
    """What every process of the crew does in one round."""

    def __call__(self, sender: Sender) -> None: ...


def mixed(sender: Sender) -> None:
    """Redeem, hold and capture, buy and return, redeem and cancel; some under a key that all processes share."""
    books, chain, draw = sender.books, sender.chain, sender.draw
    for step in range(STEPS):
        name = f"p{sender.process}-{step}"
        kind = draw.choice(["redeem", "hold", "purchase", "cancel"])
        if kind == "redeem":
            sender.send(name, "redeem", partial(books.redeem, chain, draw.randint(1, 40)))
        elif kind == "hold":
            points = draw.randint(1, 30)
            held = sender.send(name, "hold", partial(books.hold, chain, points, lasts=DAY))
            if held is not None:
                capture = partial(books.capture, chain, held.entry.number, draw.randint(1, points))
                sender.send(f"{name}-capture", "capture", capture)
        elif kind == "purchase":
            cents = draw.randint(1, 9000)
            sender.send(name, "purchase", partial(books.buy, chain, name, cents))
            back = partial(books.bring_back, name, amount=draw.randint(1, cents))
            sender.send(f"{name}-return", "return", back)
        else:
            spent = sender.send(name, "redeem", partial(books.redeem, chain, 2))
            if spent is not None:
                sender.send(f"{name}-cancel", "cancel", partial(books.cancel, chain, spent.entry.number))
        if step % 3 == 0:
            sender.send(f"shared-{step}", "redeem", partial(books.redeem, chain, 5))


def spend_it_all(sender: Sender) -> None:
    """Ask for far more than there is, 50 points at a time."""
    for step in range(6):
        act = partial(sender.books.redeem, sender.chain, 50)
        sender.send(f"p{sender.process}-{step}", "redeem", act)


def same_orders(sender: Sender) -> None:
    """Report the same five orders under keys of one's own, in an order of one's own, and return each whole."""
    orders = [f"order-{number}" for number in range(5)]
    sender.draw.shuffle(orders)
    for order in orders:
        act = partial(sender.books.buy, sender.chain, order, 3000)
        sender.send(f"p{sender.process}-{order}", "purchase", act)
        sender.send(f"return-{order}", "return", partial(sender.books.bring_back, order))


def around(sender: Sender) -> None:
    """Move points between four accounts, each process in its own direction."""
    for step in range(5):
        source, target = sender.draw.sample(range(1, 5), 2)
        act = partial(
            sender.books.transfer,
            Chain(PROGRAM, account(source), "points"),
            Chain(PROGRAM, account(target), "points"),
            sender.draw.randint(1, 60),
        )
        sender.send(f"p{sender.process}-{step}", "transfer", act)


def _work(endpoint: str, process: int, barrier: "Barrier", orders: "Connection") -> None:
    """A process of the crew: takes part in rounds until its parent is gone."""
    from loyalty.table.client import connect

    os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = endpoint
    client: Any = connect()
    while True:
        try:
            part, table, seed = orders.recv()
        except EOFError:
            return
        sender = Sender(Books(client, table), process, seed)
        barrier.wait()
        try:
            part(sender)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the test fails with it
            orders.send(f"process {process}: {failure!r}")
        else:
            orders.send(Report(sender.done, sender.sent))


@pytest.fixture(scope="module")
def crew(dynamodb_local: str) -> "Iterator[Crew]":
    """Sixteen processes that play rounds on a table; they end with the module, or with this process."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    members: list[tuple[Any, Connection]] = []
    for number in range(PROCESSES):
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(dynamodb_local, number, barrier, theirs), daemon=True)
        process.start()
        theirs.close()
        members.append((process, ours))

    def play(part: Round, table: str) -> list[Report]:
        for _, connection in members:
            connection.send((part, table, 1))
        reports = [connection.recv() for _, connection in members]
        failures = [report for report in reports if isinstance(report, str)]
        assert not failures, failures
        tried("races")
        tried("operations", sum(report.sent for report in reports))
        return reports

    yield play
    for process, connection in members:
        connection.close()
        process.join()


@pytest.fixture
def local_books(table_on: "TableOn") -> Books:
    return Books(*table_on(DYNAMODB_LOCAL)).establish()


def settled(reports: list[Report]) -> dict[str, Done]:
    """Every reference with how it ended; whoever sent the same one got the same entry."""
    ended: dict[str, Done] = {}
    for report in reports:
        for done in report.done:
            assert done.code != "gave up", done
            known = ended.setdefault(done.ref, done)
            if known.number and done.number:
                assert (known.number, known.points) == (done.number, done.points)
            ended[done.ref] = max(known, done, key=lambda one: one.number)
    return ended


def stored_as_answered(books: Books, chain: Chain, ended: dict[str, Done]) -> None:
    """What was answered is what is stored, entry by entry; nothing else is."""
    entries = {entry.number: entry.ref for entry in books.store.oldest(chain)}
    for done in ended.values():
        if done.number and done.kind != "purchase":
            assert entries[done.number] == done.ref
    answered = {done.number for done in ended.values() if done.number}
    assert set(entries) - answered == {1, 2}, "opened, opening balance"


def test_sixteen_processes_spending_and_returning_on_one_account_keep_the_books(
    crew: "Crew", local_books: Books
) -> None:
    books = local_books
    chain = books.open(1, 2000)
    ended = settled(crew(mixed, books.name))
    books.audit(chain)
    stored_as_answered(books, chain, ended)
    sums: Counter[str] = Counter()
    for done in ended.values():
        sums[done.kind] += done.points
    balance = books.state(chain).balance()
    expected = 2000 + sums["purchase"] + sums["cancel"] - sums["redeem"] - sums["capture"] - sums["return"]
    assert balance.available + balance.held - balance.arrears == expected
    assert {done.kind for done in ended.values()} == {"redeem", "hold", "capture", "purchase", "return", "cancel"}


def test_sixteen_processes_can_spend_no_more_than_there_is(crew: "Crew", local_books: Books) -> None:
    books = local_books
    chain = books.open(1, 1010)
    ended = settled(crew(spend_it_all, books.name))
    assert Counter(done.code for done in ended.values()) == {"": 20, "POINTS_INSUFFICIENT": PROCESSES * 6 - 20}
    assert books.available(chain) == 10
    assert books.audit(chain) == 22
    stored_as_answered(books, chain, ended)


def test_sixteen_tills_reporting_the_same_orders_earn_once_and_take_back_once(crew: "Crew", local_books: Books) -> None:
    books = local_books
    chain = books.open(1, 7)
    ended = settled(crew(same_orders, books.name))
    assert all(done.number for done in ended.values())
    assert books.audit(chain) == 2 + 5 + 5
    assert books.available(chain) == 7
    stored_as_answered(books, chain, ended)


def test_sixteen_processes_moving_points_in_circles_neither_make_nor_lose_any(crew: "Crew", local_books: Books) -> None:
    books = local_books
    chains = [books.open(number, 100) for number in range(1, 5)]
    ended = settled(crew(around, books.name))
    moved = [done for done in ended.values() if done.number]
    assert books.audit(*chains) == 2 * len(chains) + 2 * len(moved)
    assert sum(books.available(chain) for chain in chains) == 400
