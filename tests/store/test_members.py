"""Members on each engine: what a transaction refuses and what it leaves, and races for one identity."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest

from loyalty.errors import Conflict, NotFound, Problem
from loyalty.ledger.chain import Cause, Chain
from loyalty.ledger.service import Ledger
from loyalty.ledger.store import LedgerStore
from loyalty.ledger.wallet import Wallets
from loyalty.members.member import Change, Enrolment
from loyalty.members.service import Enrolled, Members, admission
from loyalty.members.store import MemberStore
from loyalty.programs.policy import check
from loyalty.programs.terms import Program
from loyalty.table.client import DynamoDB, Table
from tests.engines import DYNAMODB_LOCAL, items_of
from tests.store.books import POLICY, PROGRAM, START, account
from tests.tally import tried

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    TableOn = Callable[[str], tuple[DynamoDBClient, str]]

RACERS = 8


class House:
    """Members and wallets on one table; ``wallets_of`` is what the policy has now."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self.client, self.name = client, name
        self.wallets_of = ["points", "cash"]
        table = Table(cast("DynamoDB", client), name)
        store = MemberStore(table)
        ledger = Ledger(LedgerStore(table), admission(store, self.policy))
        self.members = Members(store, ledger, lambda: b"i" * 32, self.policy)
        self.wallets = Wallets(ledger)

    def policy(self, program: str) -> Program:
        return Program.of(check({**POLICY, "program": program, "wallets": self.wallets_of}), 1)

    def enrol(self, number: int, *identities: str, key: str = "", program: str = PROGRAM) -> Enrolled:
        new = Enrolment("member", identities, {"number": number, "vip": True})
        return self.members.enrol(program, new, actor="cli", key=key, member_id=account(number), now=START)

    def change(self, number: int, version: int | None = None, **parts: tuple[str, ...]) -> int:
        change = Change(add=parts.get("add", ()), remove=parts.get("remove", ()))
        return self.members.change(PROGRAM, account(number), change, version, START).version

    def stored(self) -> int:
        return len(items_of(self.client, self.name))


@pytest.fixture
def house(table: "tuple[DynamoDBClient, str]") -> House:
    return House(*table)


def refusal(kind: type[Problem], code: str, act: Callable[[], object], field: str | None = None) -> None:
    with pytest.raises(kind) as refused:
        act()
    assert (refused.value.code, refused.value.field) == (code, field)


def test_an_enrolment_writes_member_identities_wallets_and_claim_together(house: House) -> None:
    house.enrol(1, "card:1", "phone:+4915112345678", key="k")
    kinds = sorted(item["t"]["S"] for item in items_of(house.client, house.name))
    assert kinds == ["claim", "entry", "entry", "identity", "identity", "member"]
    member = house.members.get(PROGRAM, account(1))
    assert (member.attributes, member.version) == ({"number": 1, "vip": True}, 1)
    assert house.members.resolve(PROGRAM, "phone:0049 151 12345678") == account(1)
    for wallet in ("points", "cash"):
        assert house.wallets.verify(Chain(PROGRAM, account(1), wallet)) == (1, None)


def test_a_taken_identity_is_named_and_nothing_is_left(house: House) -> None:
    house.enrol(1, "card:1", "card:2")
    before = house.stored()
    for identities, field in ((("card:3", "card:2"), "identities[1]"), (("card:1", "card:2"), "identities[0]")):
        refusal(Conflict, "MEMBER_IDENTITY_TAKEN", partial(house.enrol, 2, *identities), field)
    assert house.stored() == before
    refusal(NotFound, "MEMBER_NOT_FOUND", lambda: house.members.get(PROGRAM, account(2)))
    refusal(NotFound, "MEMBER_NOT_FOUND", lambda: house.members.resolve(PROGRAM, "card:3"))


def test_a_repeated_enrolment_gets_the_first_member(house: House) -> None:
    first = house.enrol(1, "card:1", key="k")
    before = house.stored()
    again = house.members.enrol(
        PROGRAM,
        Enrolment("member", ("card:1",), {"vip": True, "number": 1}),
        actor="cli",
        key="k",
        member_id=account(2),
        now=START + 9,
    )
    assert (again.member, again.replayed) == (first.member, True)
    refusal(Conflict, "IDEMPOTENCY_KEY_REUSED", lambda: house.enrol(3, "card:1", key="k"))
    assert house.stored() == before


def test_programmes_share_neither_members_nor_identities(house: House) -> None:
    house.enrol(1, "card:1")
    house.enrol(2, "card:1", program="baker")
    assert house.members.resolve("baker", "card:1") == account(2)
    refusal(NotFound, "MEMBER_NOT_FOUND", lambda: house.members.get("baker", account(1)))
    assert [member.id for member in house.members.page("baker", 10, "")[0]] == [account(2)]


def test_a_change_moves_identities_and_versions_together(house: House) -> None:
    house.enrol(1, "card:1")
    house.enrol(2, "card:2")
    assert house.change(1, 1, add=("card:3",), remove=("card:1",)) == 2
    refusal(Conflict, "MEMBER_VERSION_CONFLICT", lambda: house.change(1, 1, add=("card:4",)))
    refusal(
        Conflict, "MEMBER_IDENTITY_TAKEN", lambda: house.change(1, 2, add=("card:4", "card:2")), "add_identities[1]"
    )
    refusal(NotFound, "MEMBER_NOT_FOUND", lambda: house.members.resolve(PROGRAM, "card:4"))
    assert house.change(2, add=("card:1",)) == 2
    assert house.members.resolve(PROGRAM, "card:1") == account(2)


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_a_list_has_every_member_once(house: House, limit: int) -> None:
    for number in range(1, 26):
        house.enrol(number, f"card:{number}")
    seen: list[str] = []
    cursor = ""
    while True:
        page, cursor = house.members.page(PROGRAM, limit, cursor)
        assert len(page) <= limit
        seen += [member.id for member in page]
        if not cursor:
            break
    assert sorted(seen) == [account(number) for number in range(1, 26)]


def test_a_wallet_that_the_policy_gains_is_begun_by_its_first_use(house: House) -> None:
    house.enrol(1, "card:1")
    chain = Chain(PROGRAM, account(1), "miles")
    refusal(NotFound, "WALLET_NOT_FOUND", lambda: house.wallets.state(chain, START))
    house.wallets_of.append("miles")
    assert house.wallets.state(chain, START).balance().available == 0
    assert house.wallets.entries(chain, 10, None) == ([], None)
    assert house.wallets.verify(chain) == (0, None)
    credit(house, chain, "k1")
    assert house.wallets.verify(chain) == (2, None)
    other = Chain(PROGRAM, account(2), "miles")
    refusal(NotFound, "MEMBER_NOT_FOUND", lambda: credit(house, other, "k1"))
    source = Chain(PROGRAM, account(1), "points")
    credit(house, source, "k1")
    house.wallets_of.append("stars")
    target = chain._replace(wallet="stars")
    house.wallets.transfer(source, target, 4, "gift", Cause("k2", "k2", "cli", START), START)
    assert house.wallets.state(target, START).balance().available == 4


def credit(house: House, chain: Chain, key: str) -> None:
    house.wallets.adjust(chain, 5, 0, "gift", Cause(key, key, "cli", START), START)


def race(act: Callable[[int], object]) -> list[object]:
    """``act`` by several threads at once; a problem that may be tried again is, any other is the outcome's code."""

    def run(number: int) -> object:
        while True:
            try:
                return act(number)
            except Problem as problem:
                if problem.retry_after is None:
                    return problem.code

    with ThreadPoolExecutor(RACERS) as pool:
        outcomes = list(pool.map(run, range(1, RACERS + 1)))
    tried("races")
    tried("operations", RACERS)
    return outcomes


@pytest.fixture
def real(table_on: "TableOn") -> House:
    """On the engine that may be raced."""
    return House(*table_on(DYNAMODB_LOCAL))


def first_to(real: House, turn: int, number: int) -> str:
    return real.enrol(100 * turn + number, f"card:{turn}").member.id


def test_a_race_for_one_identity_has_one_winner(real: House) -> None:
    for turn in range(5):
        outcomes = race(partial(first_to, real, turn))
        (winner,) = [outcome for outcome in outcomes if outcome != "MEMBER_IDENTITY_TAKEN"]
        assert real.members.resolve(PROGRAM, f"card:{turn}") == winner
    assert len(real.members.page(PROGRAM, 100, "")[0]) == 5


def test_a_race_under_one_key_enrols_one_member(real: House) -> None:
    new = Enrolment("member", ("card:1",))

    def enrol(number: int) -> str:
        done = real.members.enrol(PROGRAM, new, actor="cli", key="k", member_id=account(number), now=START)
        return done.member.id

    outcomes = race(enrol)
    (member,), _ = real.members.page(PROGRAM, 10, "")
    assert set(outcomes) == {member.id}


def test_a_race_of_changes_loses_none(real: House) -> None:
    real.enrol(1, "card:0")
    race(lambda number: real.change(1, add=(f"card:{number}",)))
    member = real.members.get(PROGRAM, account(1))
    assert (len(member.identities), member.version) == (RACERS + 1, RACERS + 1)
    for number in range(RACERS + 1):
        assert real.members.resolve(PROGRAM, f"card:{number}") == account(1)


def test_a_race_to_a_new_wallet_opens_it_once(real: House) -> None:
    real.enrol(1, "card:1")
    real.wallets_of.append("miles")
    chain = Chain(PROGRAM, account(1), "miles")
    race(lambda number: credit(real, chain, f"k{number}"))
    assert real.wallets.verify(chain) == (RACERS + 1, None)
    assert real.wallets.state(chain, START).balance().available == 5 * RACERS
