"""Members and clients under every order of two requests' calls, and with any one call failing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest

from loyalty.clients.credentials import secret_of
from loyalty.clients.service import EVERYTHING, Clients, NewClient
from loyalty.clients.store import ClientStore
from loyalty.errors import Problem
from loyalty.ledger.chain import Cause, Chain
from loyalty.ledger.service import Ledger
from loyalty.ledger.store import LedgerStore
from loyalty.ledger.wallet import Wallets
from loyalty.members import service, store
from loyalty.members.identities import digest
from loyalty.members.identities import parse as identity_of
from loyalty.members.member import Change, Enrolment
from loyalty.members.service import Members, admission
from loyalty.members.store import MemberStore
from loyalty.programs.policy import check
from loyalty.programs.terms import Program
from loyalty.table import keys
from loyalty.table.client import Table, Together
from tests.simulation.dynamodb import TABLE, Client, Engine
from tests.simulation.explore import every_schedule, many_seeds
from tests.simulation.scheduler import ALL_FAULTS, NO_FAULTS, Choices, Fault, Faults, Simulation
from tests.tally import tried
from tests.unit.running import IDENTITY, POLICY, PROGRAM, in_turn

NOW = 1_750_000_000
ANNA, BERT = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV", "mem_01ARZ3NDEKTSV4RRFFQ69G5FBW"
SENDINGS = 6
ONE_FAULT = Faults(ALL_FAULTS, 1)


class Services:
    """The use cases on one client."""

    def __init__(self, client: Client, together: Together, wallets: Sequence[str] = ("points",)) -> None:
        program = Program.of(check({**POLICY, "wallets": list(wallets)}), 1)
        table = Table(client, TABLE, together)
        store = MemberStore(table)
        ledger = Ledger(LedgerStore(table), admission(store, lambda name: program))
        self.table = table
        self.members = Members(store, ledger, lambda: IDENTITY, lambda name: program)
        self.wallets = Wallets(ledger)
        self.clients = Clients(ClientStore(table))


Act = Callable[[Services], object]


@dataclass
class World:
    """One run: what each request was told, and what stands afterwards."""

    story: "Story"
    simulation: Simulation
    told: list[tuple[str, object]] = field(default_factory=list)
    operations: int = 0

    def start(self) -> None:
        services = Services(self.simulation.client, self.simulation.together, self.story.wallets)

        def work(name: str, act: Act) -> None:
            self.operations += 1
            for _ in range(SENDINGS):
                try:
                    self.told.append((name, act(services)))
                except Problem as problem:
                    if problem.retry_after is not None:
                        continue
                    self.told.append((name, problem.code))
                return

        def follow(name: str) -> None:
            """Whoever sent a request that a dead copy of the function was working on sends it again."""
            self.simulation.spawn(f"{name}+", lambda: work(name, self.story.requests[name.rstrip("+")]))

        self.simulation.when_killed = follow
        for name, act in self.story.requests.items():
            self.simulation.spawn(name, partial(work, name, act))

    def check(self) -> None:
        services = Services(Client(self.simulation.engine, validate=False), in_turn, self.story.wallets)
        bound(self.simulation.engine, services)
        self.story.expect(self, services)

    def answers(self) -> dict[str, list[object]]:
        found: dict[str, list[object]] = {name: [] for name in self.story.requests}
        for name, answer in self.told:
            found[name.rstrip("+")].append(answer)
        return found


@dataclass
class Story:
    """Requests that are under way at the same time, and what must hold when all are through."""

    name: str
    requests: dict[str, Act]
    expect: Callable[[World, Services], None]
    before: Sequence[Act] = ()
    wallets: Sequence[str] = ("points",)
    faults: Faults = NO_FAULTS
    any_one: Faults = ONE_FAULT
    """The faults that are tried in every place; fewer where two requests make many calls."""

    def begin(self, choices: Choices) -> World:
        engine = Engine()
        for act in self.before:
            act(Services(Client(engine, validate=False), in_turn))
        world = World(self, Simulation(engine, choices, now=NOW, faults=self.faults))
        world.start()
        return world


def bound(engine: Engine, services: Services) -> None:
    """Every identity is one member's and that member names it; every member's chains are sound."""
    items = engine.items()
    owners = {
        (item["pk"]["S"].split("#")[2], item["pk"]["S"].split("#")[3]): item["member"]["S"]
        for item in items
        if item["t"]["S"] == keys.type_identity
    }
    members, _ = services.members.page(PROGRAM, 100, "")
    named = [(known, member.id) for member in members for known in member.identities]
    assert len(named) == len({known for known, _ in named}), "an identity is two members'"
    assert dict(named) == owners, "identities and members do not agree"
    chains = {item["pk"]["S"] for item in items if item["t"]["S"] == keys.type_entry}
    for pk in chains:
        chain = Chain(*keys.parse_chain(pk))
        assert chain.account in {member.id for member in members}, "a wallet without its member"
        assert services.wallets.verify(chain)[1] is None
    assert {member.id for member in members} == {pk.split("#")[2] for pk in chains}, "a member without its wallet"


def enrol(member: str, *identities: str, key: str = "") -> Act:
    new = Enrolment("member", identities)
    return lambda to: to.members.enrol(PROGRAM, new, actor="cli", key=key, member_id=member, now=NOW).member.id


def change(member: str, version: int | None = None, **parts: Any) -> Act:
    return lambda to: to.members.change(PROGRAM, member, Change(**parts), version, NOW).version


def kinds_of(services: Services, member: str) -> set[str]:
    """The member's cards among those of these stories."""
    cards = {digest(IDENTITY, PROGRAM, identity_of(f"card:{number}")): str(number) for number in range(5)}
    return {cards[known] for _, known in services.members.get(PROGRAM, member).identities}


def one_owner(world: World, services: Services) -> None:
    owner = services.members.resolve(PROGRAM, "card:1")
    answers = world.answers()
    for name, member in (("anna", ANNA), ("bert", BERT)):
        for answer in answers[name]:
            if answer == member:
                assert owner == member
            elif not world.story.faults.most:
                assert (answer, owner != member) == ("MEMBER_IDENTITY_TAKEN", True)


def one_member(world: World, services: Services) -> None:
    (member,), _ = services.members.page(PROGRAM, 100, "")
    assert {answer for answers in world.answers().values() for answer in answers} == {member.id}


def both_cards(world: World, services: Services) -> None:
    assert kinds_of(services, ANNA) == {"0", "1", "2"}
    assert services.members.get(PROGRAM, ANNA).version >= 3


def moved_or_not(world: World, services: Services) -> None:
    """One member gives a card up while another takes it: whichever is first, it ends as somebody's or nobody's."""
    told, taken = world.answers()["takes"], "1" in kinds_of(services, BERT)
    if 2 in told:
        assert taken
    elif not world.story.faults.most:  # a write that was given up for lost may still arrive
        assert not taken


def one_version_each(world: World, services: Services) -> None:
    won = [answers for answers in world.answers().values() if 2 in answers]
    if not world.story.faults.most:
        assert len(won) == 1
    assert services.members.get(PROGRAM, ANNA).version == 2


def opened_once(world: World, services: Services) -> None:
    entries, _ = services.wallets.entries(Chain(PROGRAM, ANNA, "miles"), 10, None)
    assert [entry.kind for entry in reversed(entries)] == ["opened", "adjusted", "adjusted"]
    assert services.wallets.state(Chain(PROGRAM, ANNA, "miles"), NOW).balance().available == 12


def credit(points: int, key: str) -> Act:
    chain = Chain(PROGRAM, ANNA, "miles")
    return lambda to: to.wallets.adjust(chain, points, 0, "gift", Cause(key, key, "cli", NOW), NOW).entry.ref


FIRST = "cli_01ARZ3NDEKTSV4RRFFQ69G5FAV"
SECOND = "cli_01ARZ3NDEKTSV4RRFFQ69G5FBW"


def operator(client: str) -> Act:
    return lambda to: to.clients.create(
        PROGRAM, NewClient("o", "operator"), EVERYTHING, client_id=client, secret=secret_of(bytes(32)), now=NOW
    )


def revoke(client: str) -> Act:
    return lambda to: to.clients.revoke(PROGRAM, client, EVERYTHING, now=NOW)


def rotate(secret: str) -> Act:
    return lambda to: to.clients.rotate(PROGRAM, FIRST, EVERYTHING, overlap=60, secret=secret, now=NOW)[0].version


def somebody_governs(world: World, services: Services) -> None:
    left = [client for client in services.clients.all(PROGRAM) if client.governs]
    assert left, "nobody is left to make clients"
    if not world.story.faults.most:
        codes = [answer for answers in world.answers().values() for answer in answers]
        assert sorted(map(str, codes)) == ["CLIENT_LAST_OPERATOR", "None"]


def at_most_two_keys(world: World, services: Services) -> None:
    client = services.clients.get(PROGRAM, FIRST)
    assert client is not None
    opening = [secret for secret in SECRETS if client.knows(secret, NOW)]
    assert 1 <= len(opening) <= 2
    if not world.story.faults.most:
        assert set(opening) == set(SECRETS[1:])


SECRETS = [secret_of(bytes([number]) * 32) for number in range(3)]


def first_of_secrets(to: Services) -> object:
    secret = SECRETS[0]
    new = NewClient("o", "operator")
    return to.clients.create(PROGRAM, new, EVERYTHING, client_id=FIRST, secret=secret, now=NOW)


STORIES = [
    Story(
        "two members want one card", {"anna": enrol(ANNA, "card:1"), "bert": enrol(BERT, "card:2", "card:1")}, one_owner
    ),
    Story(
        "an enrolment is sent twice under its key",
        {"first": enrol(ANNA, "card:1", key="k"), "again": enrol(BERT, "card:1", key="k")},
        one_member,
    ),
    Story(
        "two changes of one member",
        {"one": change(ANNA, add=("card:1",)), "two": change(ANNA, add=("card:2",))},
        both_cards,
        before=[enrol(ANNA, "card:0")],
    ),
    Story(
        "two changes of the same version",
        {"one": change(ANNA, 1, add=("card:1",)), "two": change(ANNA, 1, add=("card:2",))},
        one_version_each,
        before=[enrol(ANNA, "card:0")],
    ),
    Story(
        "a card changes hands",
        {"gives": change(ANNA, remove=("card:1",)), "takes": change(BERT, add=("card:1",))},
        moved_or_not,
        before=[enrol(ANNA, "card:0", "card:1"), enrol(BERT, "card:2")],
    ),
    Story(
        "two first uses of a new wallet",
        {"five": credit(5, "k5"), "seven": credit(7, "k7")},
        opened_once,
        before=[enrol(ANNA, "card:1")],
        wallets=("points", "miles"),
        any_one=Faults((Fault.LOSE,), 1),
    ),
    Story(
        "two operators revoke each other",
        {"one": revoke(FIRST), "two": revoke(SECOND)},
        somebody_governs,
        before=[operator(FIRST), operator(SECOND)],
    ),
    Story(
        "two rotations of one key",
        {"one": rotate(SECRETS[1]), "two": rotate(SECRETS[2])},
        at_most_two_keys,
        before=[first_of_secrets],
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
def test_every_order_of_two_requests(story: Story) -> None:
    found = every_schedule(story)
    assert found.schedules > 1
    tried("schedules", found.schedules)
    tried("operations", found.operations)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
def test_every_order_with_any_one_call_failing(story: Story) -> None:
    found = every_schedule(replace(story, faults=story.any_one))
    tried("schedules", found.schedules)
    tried("operations", found.operations)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
def test_random_orders_with_several_calls_failing(story: Story) -> None:
    found = many_seeds(replace(story, faults=Faults(ALL_FAULTS, 4)), range(100))
    tried("schedules", found.schedules)
    tried("operations", found.operations)


def broken(story: Story, fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> bool:
    fault(monkeypatch)
    try:
        every_schedule(replace(story, faults=ONE_FAULT), at_most=20_000)
    except AssertionError:
        return True
    return False


def without_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    save = ClientStore.save
    monkeypatch.setattr(ClientStore, "save", lambda self, program, client, *others: save(self, program, client))


def identity_unconditional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "identity_of", lambda *what: store.identity_of(*what)._replace(condition=None))


def claim_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "claim_of", lambda *what: store.claim_of(*what)._replace(condition=None))


def member_edited_unconditionally(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "edited", lambda *what: store.edited(*what)._replace(condition=None))


PLANTED = [
    ("two operators revoke each other", without_witness),
    ("a card changes hands", identity_unconditional),
    ("an enrolment is sent twice under its key", claim_forgotten),
    ("two changes of one member", member_edited_unconditionally),
]


@pytest.mark.parametrize(("name", "fault"), PLANTED, ids=[fault.__name__ for _, fault in PLANTED])
def test_a_planted_bug_is_found(
    name: str, fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    story = next(story for story in STORIES if story.name == name)
    assert broken(story, fault, monkeypatch)
