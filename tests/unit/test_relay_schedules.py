"""Two copies of a function at the same messages at once, under every order of their calls and with any one failing:
what one copy would have done stands in the end, once.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest

from loyalty.ledger import commands
from loyalty.ledger.account import State
from loyalty.ledger.chain import Cause, Chain
from loyalty.ledger.service import Ledger
from loyalty.ledger.store import LedgerStore
from loyalty.members.member import Member
from loyalty.members.store import MemberStore, enrolled
from loyalty.programs.policy import check
from loyalty.programs.terms import Program
from loyalty.segments.service import Audiences, Bought, Sources
from loyalty.segments.store import SegmentStore, Sweep, moves_of_item
from loyalty.table import keys
from loyalty.table.client import Table, Together
from loyalty.timers.store import TimerStore
from loyalty.timers.timer import Timer
from tests.simulation.dynamodb import TABLE, Client, Engine
from tests.simulation.explore import every_schedule, many_seeds
from tests.simulation.redelivery import bring
from tests.simulation.scheduler import ALL_FAULTS, NO_FAULTS, Choices, Faults, Simulation
from tests.tally import tried
from tests.unit.running import POLICY, PROGRAM, in_turn

NOW = 1_767_265_200
ADA, BEN = "mem_00000000000000000000000012", "mem_00000000000000000000000021"
"""Of one shard: they are counted in the same item."""
SOURCE = """\
program: grocer
categories: [tea]
segments:
  rich: {name: {en: Rich, zh: 富}, when: member.points >= 100}
  tea: {name: {en: Tea, zh: 茶}, when: member.favourite = 'tea'}
"""
TEA = tuple(Bought("pos", str(number), (("tea", 100),)) for number in range(2))
SHARD = int(keys.member(PROGRAM, ADA)[0][-2:])


class Services:
    """The use cases on one client, each copy with what it has read itself."""

    def __init__(self, client: Client, together: Together) -> None:
        self.program = Program.of(check({**POLICY, "wallets": ["points"]}), 1)
        self.table = Table(client, TABLE, together)
        self.ledger = Ledger(LedgerStore(self.table), lambda chain: "member")

    def audiences(self) -> Audiences:
        members = MemberStore(self.table)

        def arm(chain: Chain, kind: str, day: int) -> None:
            TimerStore(self.table).put(Timer(chain, kind, day))

        def alive(state: State, program: str, day: int) -> float | None:
            del state, program, day
            return None

        def policy(name: str) -> Program:
            del name
            return self.program

        sources = Sources(self.ledger.store.head, members.get, members.page, policy, arm, alive)
        return Audiences(SegmentStore(self.table), sources)


Act = Callable[[Audiences], object]


@dataclass
class World:
    """One run."""

    story: "Story"
    simulation: Simulation
    operations: int = 0

    def start(self) -> None:
        services = Services(self.simulation.client, self.simulation.together)

        def taken_up(act: Act) -> None:
            act(services.audiences())

        bring(self, {name: partial(taken_up, act) for name, act in self.story.copies.items()})

    def check(self) -> None:
        items = self.simulation.engine.items()
        services = Services(Client(self.simulation.engine, validate=False), in_turn)
        store = SegmentStore(services.table)
        told = Counter(
            (account, name, moved)
            for item in items
            if item["t"]["S"] == keys.type_audience
            for _, account, _, moves in [moves_of_item({name: one["S"] for name, one in item.items() if "S" in one})]
            for moved, names in (("entered", moves.entered), ("left", moves.left))
            for name in names
        )
        expected = {(account, name) for account, names in self.story.standing.items() for name in names}
        assert told == Counter({(*one, "entered"): 1 for one in expected})
        for account, names in self.story.standing.items():
            profile = store.profile(PROGRAM, account)
            assert set(profile.standing) == names
            assert profile.spent == ({"tea": self.story.tea} if account == ADA and self.story.tea else {})
        assert store.counts(PROGRAM) == Counter(name for _, name in expected)
        for name in {name for _, name in expected}:
            page, _ = store.page(PROGRAM, name, SHARD, 10, None)
            assert {account for account, _ in page} == {account for account, one in expected if one == name}


@dataclass
class Story:
    """Copies that are at work at once, where members stand afterwards, and what one of them has spent on tea."""

    name: str
    copies: dict[str, Act]
    standing: dict[str, set[str]]
    tea: int = 0
    faults: Faults = NO_FAULTS

    def begin(self, choices: Choices) -> World:
        engine = Engine()
        services = Services(Client(engine, validate=False), in_turn)
        for number, account in enumerate((ADA, BEN)):
            member = Member(account, "member", (("card", str(number)),), {}, "en", NOW, NOW)
            services.table.transact([*enrolled(PROGRAM, member)])
            cause = Cause("k#1", "print", "test", NOW)
            services.ledger.post(
                Chain(PROGRAM, account, "points"), cause, NOW, lambda draft: commands.adjust(draft, 100, 0, "test")
            )
        services.audiences().hand_in(PROGRAM, SOURCE, seen=None, now=NOW)
        world = World(self, Simulation(engine, choices, now=NOW, faults=self.faults))
        world.start()
        return world


def looks(account: str, *bought: Bought) -> Act:
    return lambda audiences: audiences.look(PROGRAM, account, NOW, bought)


def sweeps(audiences: Audiences) -> object:
    return audiences.sweep(Sweep(PROGRAM, 1, "look", SHARD), NOW)


STORIES = [
    Story("one message twice", {"a": looks(ADA, TEA[0]), "b": looks(ADA, TEA[0])}, {ADA: {"rich", "tea"}}, 100),
    Story("two messages of one member", {"a": looks(ADA, TEA[0]), "b": looks(ADA, *TEA)}, {ADA: {"rich", "tea"}}, 200),
    Story("two members of one shard", {"a": looks(ADA), "b": looks(BEN)}, {ADA: {"rich"}, BEN: {"rich"}}),
    Story("one page of a sweep twice", {"a": sweeps, "b": sweeps}, {ADA: {"rich"}, BEN: {"rich"}}),
    Story("a member and its page", {"a": looks(ADA, TEA[0]), "b": sweeps}, {ADA: {"rich", "tea"}, BEN: {"rich"}}, 100),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
def test_every_order_of_two_copies(story: Story) -> None:
    found = every_schedule(story)
    assert found.schedules > 1
    tried("schedules", found.schedules)
    tried("operations", found.operations)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
def test_random_orders_with_several_calls_failing(story: Story) -> None:
    found = many_seeds(replace(story, faults=Faults(ALL_FAULTS, 3)), range(60))
    tried("schedules", found.schedules)
    tried("operations", found.operations)


def test_a_profile_that_is_written_whatever_stands_there_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loyalty.segments.store.Condition", lambda *_: None)
    monkeypatch.setattr("loyalty.segments.store.ABSENT", None)
    for story in STORIES[1:3]:
        with pytest.raises(AssertionError):
            every_schedule(story)
