"""Two copies that take the same member into the same campaign at once, under every order of their calls and with some
failing: whoever may come in once comes in once, is given one thing and told one thing.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from loyalty.campaigns.campaign import Audience, Told
from loyalty.campaigns.run import Batch, Participant, Status
from loyalty.campaigns.runs import Machine, Runs
from loyalty.campaigns.store import CampaignStore
from loyalty.campaigns.touch import Action
from loyalty.campaigns.touches import Counts, Known, Sources, Touches
from loyalty.contacts.preferences import Addresses, Preferences
from loyalty.contacts.store import ContactStore
from loyalty.members.member import Member
from loyalty.members.store import enrolled
from loyalty.notifications.store import puts
from loyalty.programs.policy import check
from loyalty.programs.terms import Program
from loyalty.table import keys
from loyalty.table.client import Table, Together
from tests.simulation.dynamodb import TABLE, Client, Engine
from tests.simulation.explore import every_schedule, many_seeds
from tests.simulation.redelivery import bring
from tests.simulation.scheduler import ALL_FAULTS, NO_FAULTS, Choices, Faults, Simulation
from tests.tally import tried
from tests.unit.campaigned import DAY, FREE, ZONE, at, campaign, points, step, subject
from tests.unit.running import POLICY, PROGRAM, in_turn

ADA = "mem_00000000000000000000000012"
SHARD = int(keys.member(PROGRAM, ADA)[0][-2:])
WALLET = "points"
REPEAT_DAYS = 30
STEP = step("hello", 0, offer=points(20))
VISIT = campaign(STEP, id="visit", audience=Audience("event"), repeat="after_days", repeat_days=REPEAT_DAYS, control=0)
EVERYBODY = replace(VISIT, audience=Audience())
OFFER = "offer"


class Copy:
    """The use cases on one client, and what this copy has read itself. What is given and told is in the table."""

    def __init__(self, client: Client, together: Together) -> None:
        self.table = Table(client, TABLE, together)
        self.store = CampaignStore(self.table)
        terms = Program.of(check({**POLICY, "wallets": [WALLET], "timezone": ZONE}), 1)
        nothing: Any = None

        def give(program: str, account: str, action: Action, now: int) -> str:
            del now
            self.table.put({keys.PK: f"{program}#{account}", keys.SK: action.reference, keys.TYPE: OFFER})
            return ""

        self.touches = Touches(
            self.store,
            Sources(
                policy=lambda program: terms,
                contact_policy=lambda program: FREE,
                known=lambda program, account, now: Known(subject(), (), 0),
                known_all=nothing,
                together=nothing,
                member=lambda program, account: None,
                arm=lambda timer: None,
                give=give,
                puts=puts,
                hand_on=lambda handed: None,
                heard=nothing,
                unreachable=nothing,
                ranked=lambda program, channels: channels,
                messages=nothing,
                tell=nothing,
            ),
        )
        machine = Machine(nothing, nothing)
        self.runs = Runs(
            self.store, self.touches, lambda program: terms, lambda program: FREE, nothing, machine, nothing, nothing
        )


Act = Callable[[Copy], object]


def visits(day: int, **told: Any) -> Act:
    """A visit of a day, counted from the first, that is heard of on the second."""
    facts: Mapping[str, Told] = told

    def act(copy: Copy) -> None:
        counts = Counts()
        copy.touches.happened(PROGRAM, ADA, "event", facts, at(DAY + day), at(DAY + 1), counts)

    return act


def assigns(hour: int) -> Act:
    """All who are in a batch are taken in, so many hours after noon of the first day."""

    def act(copy: Copy) -> None:
        batch = Batch(PROGRAM, "visit", 1, "assign", SHARD, "", ADA)
        now = at(DAY, 12) + hour * 3_600
        copy.runs.assign(batch, now)
        copy.runs.touch(batch, now)

    return act


@dataclass
class World:
    """One run."""

    story: "Story"
    simulation: Simulation
    operations: int = 0

    def start(self) -> None:
        def taken_up(act: Act) -> None:
            act(Copy(self.simulation.client, self.simulation.together))

        bring(self, {name: partial(taken_up, act) for name, act in self.story.copies.items()})

    def check(self) -> None:
        stand = Counter(item["t"]["S"] for item in self.simulation.engine.items())
        new = {kind: stand[kind] for kind in (keys.type_journey, keys.type_outgoing, OFFER)}
        assert new == dict.fromkeys(new, self.story.times)
        assert stand[keys.type_participant] == self.story.times + len(self.story.long_ago)


@dataclass
class Story:
    """Copies that are at work at once, and how often the member has come in then. ``long_ago`` are days of times that
    were kept before times were counted, ``before`` is what was heard of since.
    """

    name: str
    copies: dict[str, Act]
    times: int = 1
    long_ago: tuple[int, ...] = ()
    before: tuple[Act, ...] = ()
    everybody: bool = False
    faults: Faults = field(default=NO_FAULTS)

    def begin(self, choices: Choices) -> World:
        engine = Engine()
        copy = Copy(Client(engine, validate=False), in_turn)
        one = replace(EVERYBODY if self.everybody else VISIT, version=1)
        status = Status(PROGRAM, one.id, "running", 1, 1, begun=at(DAY), attempt=1)
        copy.store.write(status, copy.store.version_put(one, "", at(DAY)))
        member = Member(ADA, "member", (("card", "1"),), {}, "en", at(DAY), at(DAY))
        copy.table.transact([*enrolled(PROGRAM, member)])
        agreed = Preferences(reached=("sms",), consents={"sms": True})
        ContactStore(copy.table).save(PROGRAM, ADA, agreed, Addresses(phone="+4915112345678"))
        for day in self.long_ago:
            occasion = date.fromordinal(DAY + day).isoformat()
            copy.store.put_participant(PROGRAM, one.id, Participant(ADA, occasion, "control", "", 1, DAY, at(DAY)))
        for act in self.before:
            act(copy)
        world = World(self, Simulation(engine, choices, now=at(DAY + 1), faults=self.faults))
        world.start()
        return world


STORIES = [
    Story("one visit twice", {"a": visits(0), "b": visits(0)}),
    Story("visits of two days", {"a": visits(0), "b": visits(1)}),
    Story("visits of two days after one long ago", {"a": visits(0), "b": visits(1)}, long_ago=(-40,)),
    Story("visits of two days after one that was counted", {"a": visits(0), "b": visits(1)}, 2, before=(visits(-40),)),
    Story("visits of two days after one not long ago", {"a": visits(0), "b": visits(1)}, 0, long_ago=(-10,)),
    Story("visits that are far apart", {"a": visits(-REPEAT_DAYS), "b": visits(0)}, 2),
    Story("two of one day", {"a": visits(0, part="cash"), "b": visits(0, part="points")}, 2),
    Story("a batch twice around midnight", {"a": assigns(11), "b": assigns(13)}, everybody=True),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
def test_every_order_of_two_copies(story: Story) -> None:
    found = every_schedule(story)
    assert found.schedules > 1
    tried("schedules", found.schedules)
    tried("operations", found.operations)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name.replace(" ", "-"))
def test_random_orders_with_several_calls_failing(story: Story) -> None:
    found = many_seeds(dataclasses.replace(story, faults=Faults(ALL_FAULTS, 3)), range(60))
    tried("schedules", found.schedules)
    tried("operations", found.operations)


def test_times_that_are_not_counted_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = CampaignStore.put_participant

    def uncounted(store: CampaignStore, program: str, name: str, one: Participant, times: int | None = None) -> object:
        del times
        return counted(store, program, name, one)

    monkeypatch.setattr(CampaignStore, "put_participant", uncounted)
    for story in (STORIES[1], STORIES[2], STORIES[-1]):
        with pytest.raises(AssertionError):
            every_schedule(story)
