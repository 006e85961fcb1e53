"""Enrolment under every schedule: nobody is half enrolled, and an identity is never two members'."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import pytest

from loyalty.errors import Problem, Unavailable
from loyalty.ledger.service import Ledger
from loyalty.ledger.store import LedgerStore
from loyalty.members.member import Change, Enrolment
from loyalty.members.service import Members
from loyalty.members.store import MemberStore
from loyalty.table.client import Table
from tests.simulation import invariants
from tests.simulation.dynamodb import TABLE, Client, Engine
from tests.simulation.explore import Found, Run, every_schedule, many_seeds
from tests.simulation.scheduler import ALL_FAULTS, NO_FAULTS, Choices, Faults, Simulation
from tests.simulation.world import ANNA, BERT, CARA, PROGRAM, START, WALLET, policy
from tests.tally import tried

PHONE: Final = "phone:+4915112345678"
CARD: Final = "card:4711"
MAIL: Final = "email:a@example.com"
Step = Callable[[Members], object]


def _enrol(member: str, *identities: str, key: str = "") -> Step:
    new = Enrolment("member", identities)
    return lambda members: members.enrol(PROGRAM, new, actor="cli_shop", key=key, member_id=member, now=START)


def _change(member: str, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> Step:
    change = Change(add, remove)
    return lambda members: members.change(PROGRAM, member, change, None, START)


@dataclass
class Desk:
    """Clerks that enrol and change members at the same time."""

    name: str
    clerks: Sequence[Sequence[Step]]
    before: Sequence[Step] = ()
    faults: Faults = NO_FAULTS
    expect: Callable[["Day"], None] = lambda day: None

    def begin(self, choices: Choices) -> Run:
        engine = Engine()
        for step in self.before:
            step(_members(Client(engine, validate=False)))
        return Day(self, Simulation(engine, choices, faults=self.faults))


def _members(client: Client, simulation: Simulation | None = None) -> Members:
    table = Table(client, TABLE) if simulation is None else Table(client, TABLE, simulation.together)
    terms = policy()
    return Members(MemberStore(table), Ledger(LedgerStore(table)), lambda: b"a secret of the tests", lambda name: terms)


@dataclass
class Day:
    """One run."""

    desk: Desk
    simulation: Simulation
    refused: list[str] = field(default_factory=list)
    members: dict[str, set[str]] = field(default_factory=dict)
    operations: int = 0

    def __post_init__(self) -> None:
        at_work = {f"c{number}": list(steps) for number, steps in enumerate(self.desk.clerks)}

        def spawn(name: str, steps: list[Step]) -> None:
            at_work[name] = steps
            self.simulation.spawn(name, lambda: self._work(steps))

        self.simulation.when_killed = lambda name: spawn(f"{name}+", at_work[name])
        for name in list(at_work):
            spawn(name, at_work[name])

    def _work(self, steps: list[Step]) -> None:
        members = _members(self.simulation.client, self.simulation)
        while steps:
            self.operations += 1
            for _ in range(6):
                try:
                    steps[0](members)
                except Unavailable:
                    continue
                except Problem as problem:
                    if problem.retry_after is not None:
                        continue
                    self.refused.append(problem.code)
                break
            steps.pop(0)

    def check(self) -> None:
        """Members, identities and wallets agree, whoever came first."""
        owners: dict[str, str] = {}
        opened = set()
        for item in self.simulation.engine.items():
            pk, sk = item["pk"]["S"], item["sk"]["S"]
            kind = item["t"]["S"]
            if kind == "member":
                listed = json.loads(item["body"]["S"])["i"]
                self.members[sk] = {f"{PROGRAM}#I#{each[0]}#{each[1]}" for each in listed}
            elif kind == "identity":
                owners[pk] = item["member"]["S"]
            elif kind == "entry":
                opened.add(pk)
        listed_by = [(identity, member) for member, listed in self.members.items() for identity in listed]
        assert sorted(listed_by) == sorted(owners.items()), "members and their identities disagree"
        assert opened == {f"{PROGRAM}#L#{member}#{WALLET}" for member in self.members}, "half enrolled"
        invariants.check(self.simulation.engine.items())
        self.desk.expect(self)


def _one_of_two(day: Day) -> None:
    assert len(day.members) == 1, "one phone, one member"


def _replayed(day: Day) -> None:
    assert len(day.members) == 1
    assert day.refused == []


def _one_has_the_card(day: Day) -> None:
    assert set(day.members) == {ANNA, BERT}
    assert sum(len(listed) for listed in day.members.values()) == 3


def _handed_over(day: Day) -> None:
    """Nobody's at the worst: it was given up, and asked for too early both times."""
    holders = [member for member, listed in day.members.items() if any("#I#card#" in one for one in listed)]
    assert holders in ([], [ANNA], [BERT])
    assert any("#I#phone#" in one for one in day.members[ANNA])


DESKS: Final[Sequence[Desk]] = (
    Desk(
        "same-phone",
        [[_enrol(ANNA, PHONE), _enrol(ANNA, PHONE)], [_enrol(BERT, PHONE), _enrol(CARA, PHONE)]],
        expect=_one_of_two,
    ),
    Desk(
        "same-key",
        [[_enrol(ANNA, PHONE, key="k"), _enrol(BERT, PHONE, key="k")], [_enrol(CARA, PHONE, key="k")]],
        expect=_replayed,
    ),
    Desk(
        "same-card",
        [[_change(ANNA, (CARD,)), _change(ANNA, (CARD,))], [_change(BERT, (CARD,)), _change(BERT, (CARD,))]],
        (_enrol(ANNA, PHONE), _enrol(BERT, MAIL)),
        expect=_one_has_the_card,
    ),
    Desk(
        "card-handed-over",
        [[_change(ANNA, remove=(CARD,)), _change(BERT, (CARD,))], [_change(ANNA, (MAIL,)), _change(BERT, (CARD,))]],
        (_enrol(ANNA, PHONE, CARD), _enrol(BERT, "openid:b")),
        expect=_handed_over,
    ),
)


@pytest.mark.parametrize("desk", DESKS, ids=lambda desk: desk.name)
def test_members_and_identities_agree_in_every_schedule_and_whatever_fails(desk: Desk) -> None:
    try:
        done = every_schedule(desk)
        faulty = replace(desk, name=f"{desk.name}-faulty", faults=Faults(ALL_FAULTS, 4))
        done.add(many_seeds(faulty, range(60)))
    except Found as found:
        pytest.fail(str(found), pytrace=False)
    tried("schedules", done.schedules)
    tried("operations", done.operations)
