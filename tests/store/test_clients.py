"""Clients on each engine: their keys, their last operator, and races for both."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest

from loyalty.clients.client import new_id
from loyalty.clients.credentials import ClientKey, secret_of
from loyalty.clients.service import EVERYTHING, Clients, NewClient
from loyalty.clients.store import ClientStore
from loyalty.errors import Conflict, NotFound, Problem
from loyalty.table.client import DynamoDB, Table
from tests.engines import DYNAMODB_LOCAL, items_of
from tests.store.books import PROGRAM, START
from tests.tally import tried

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    TableOn = Callable[[str], tuple[DynamoDBClient, str]]

DAY = 86_400


def secret(number: int) -> str:
    return secret_of(bytes([number]) * 32)


def id_of(number: int) -> str:
    return new_id(START * 1000, bytes([number]) * 10)


class Desk:
    """Clients on one table."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self.client, self.name = client, name
        self.clients = Clients(ClientStore(Table(cast("DynamoDB", client), name)))

    def create(self, number: int, role: str = "operator", program: str = PROGRAM) -> ClientKey:
        new = NewClient(f"client {number}", role, limit=number)
        return self.clients.create(program, new, EVERYTHING, client_id=id_of(number), secret=secret(number), now=START)[
            1
        ]

    def rotate(self, number: int, to: int, overlap: int = DAY) -> ClientKey:
        return self.clients.rotate(PROGRAM, id_of(number), EVERYTHING, overlap=overlap, secret=secret(to), now=START)[1]

    def revoke(self, number: int) -> None:
        self.clients.revoke(PROGRAM, id_of(number), EVERYTHING, now=START)

    def governing(self) -> list[str]:
        return [client.id for client in self.clients.all(PROGRAM) if client.governs]


@pytest.fixture
def desk(table: "tuple[DynamoDBClient, str]") -> Desk:
    return Desk(*table)


@pytest.fixture
def real(table_on: "TableOn") -> Desk:
    """On the engine that may be raced."""
    return Desk(*table_on(DYNAMODB_LOCAL))


def refusal(kind: type[Problem], code: str, act: Callable[[], object]) -> None:
    with pytest.raises(kind) as refused:
        act()
    assert refused.value.code == code


def test_a_client_is_read_back_as_it_was_made(desk: Desk) -> None:
    key = desk.create(7, "till")
    client = desk.clients.of_key(key, START)
    assert client is not None
    assert (client.id, client.name, client.role, client.limit) == (id_of(7), "client 7", "till", 7)
    assert key.secret not in str(items_of(desk.client, desk.name))


def test_a_rotation_and_its_overlap(desk: Desk) -> None:
    old = desk.create(1)
    new = desk.rotate(1, 2)
    assert [desk.clients.of_key(key, START + DAY - 1) is not None for key in (old, new)] == [True, True]
    assert [desk.clients.of_key(key, START + DAY) is not None for key in (old, new)] == [False, True]
    newest = desk.rotate(1, 3, overlap=0)
    assert [desk.clients.of_key(key, START) is not None for key in (old, new, newest)] == [False, False, True]


def test_a_key_opens_its_own_programme_only(desk: Desk) -> None:
    key = desk.create(1)
    desk.create(2, program="baker")
    assert desk.clients.of_key(key._replace(program="baker"), START) is None
    assert desk.clients.of_key(key._replace(client=id_of(2)), START) is None
    refusal(NotFound, "CLIENT_NOT_FOUND", lambda: desk.revoke(2))


def test_the_last_operator_stays(desk: Desk) -> None:
    desk.create(1)
    desk.create(2, "till")
    refusal(Conflict, "CLIENT_LAST_OPERATOR", lambda: desk.revoke(1))
    desk.create(3)
    desk.revoke(1)
    desk.revoke(1)
    desk.revoke(2)
    refusal(Conflict, "CLIENT_LAST_OPERATOR", lambda: desk.revoke(3))
    refusal(Conflict, "CLIENT_REVOKED", lambda: desk.rotate(1, 9))
    assert desk.governing() == [id_of(3)]


@pytest.mark.parametrize("limit", [1, 4, 100])
def test_a_list_has_every_client_once(desk: Desk, limit: int) -> None:
    for number in range(1, 10):
        desk.create(number)
    seen: list[str] = []
    cursor = ""
    while True:
        page, cursor = desk.clients.page(PROGRAM, limit, cursor)
        seen += [client.id for client in page]
        if not cursor:
            break
    assert seen == [id_of(number) for number in range(1, 10)]


def race(acts: list[Callable[[], object]]) -> list[object]:
    """All at once; a problem that may be tried again is, any other is the outcome's code."""

    def run(act: Callable[[], object]) -> object:
        while True:
            try:
                return act()
            except Problem as problem:
                if problem.retry_after is None:
                    return problem.code

    with ThreadPoolExecutor(len(acts)) as pool:
        outcomes = list(pool.map(run, acts))
    tried("races")
    tried("operations", len(acts))
    return outcomes


def test_operators_who_revoke_each_other_at_once_leave_one(real: Desk) -> None:
    for turn in range(5):
        numbers = range(10 * turn + 1, 10 * turn + 7)
        for number in numbers:
            real.create(number)
        for left in [client for client in real.governing() if client not in {id_of(number) for number in numbers}]:
            real.clients.revoke(PROGRAM, left, EVERYTHING, now=START)
        outcomes = race([partial(real.revoke, number) for number in numbers])
        assert len(real.governing()) == 1
        assert outcomes.count("CLIENT_LAST_OPERATOR") == 1


def test_keys_rotated_at_once_leave_two_that_work(real: Desk) -> None:
    real.create(1)
    keys = race([partial(real.rotate, 1, number) for number in range(2, 8)])
    working = [key for key in keys if isinstance(key, ClientKey) and real.clients.of_key(key, START)]
    assert len(working) == 2
