"""Partners' webhooks: every event arrives, in order where asked, whatever dies or comes twice on the way."""

import json
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from loyalty.channels.channel import NoAnswer, NotSent, Reply
from loyalty.channels.signing import secret_of
from loyalty.errors import Conflict, NotFound
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.webhooks.delivery import SETTLE_S, TRIED_S, Delivery, Event, event_of, iso, name_of, pause
from loyalty.webhooks.endpoint import FAILING_S, MAX_ENDPOINTS, OVERLAP_S, Endpoint, new_id
from loyalty.webhooks.service import IN_A_ROW, LEASE_S, MOST_DELAY_S, Deliverer, Fan, Webhooks, wanted
from loyalty.webhooks.store import WebhookStore
from tests.providers import Fault, Receiver, serving
from tests.simulation.dynamodb import TABLE, Call, Client, Engine
from tests.unit.channel_rig import Impatient, hang_up
from tests.unit.running import in_turn

PROGRAM = "grocer"
START = 1_790_000_000
SECRET = secret_of(bytes(range(32)))
MEMBERS = tuple(f"mem_01J000000000000000000000{last}" for last in ("A1", "B2", "C3", "D4"))


class Killed(BaseException):
    """The function died between two calls."""


class Partner:
    """What a partner's system does: takes each id once, and notes the order. ``moods`` are used up one a request."""

    def __init__(self) -> None:
        self.moods: list[object] = []
        self.got: list[dict[str, Any]] = []
        self.ids: set[str] = set()
        self.requests = self.again = 0

    def __call__(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout: float,
        query: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Reply:
        self.requests += 1
        mood = self.moods.pop(0) if self.moods else 200
        if isinstance(mood, NotSent):
            raise mood
        if mood == 200 or isinstance(mood, NoAnswer):
            name = headers["webhook-id"]
            self.again += name in self.ids
            if name not in self.ids:
                self.ids.add(name)
                self.got.append(json.loads(body))
        if isinstance(mood, NoAnswer):
            raise mood
        assert isinstance(mood, int)
        return Reply(mood)

    def numbers(self, member: str) -> list[int]:
        return [one["data"]["number"] for one in self.got if one["data"].get("member") == member]


class World:
    """One programme's webhooks on a simulated table, with the queue that lines are woken by and a clock."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.deadly = 0
        """So many calls of the table or the queue from now somebody dies; 0 for nobody."""
        self.table = Table(Client(self.engine, self._gate), TABLE, in_turn)
        self.store = WebhookStore(self.table)
        self.now = START
        self.queue: list[tuple[int, str]] = []
        self.partner = Partner()
        self.webhooks = Webhooks(self.store, self.wake)
        self.fan = Fan(self.store, self.wake)
        self.off: list[str] = []
        self.deaths = self.made = 0

    def _gate(self, call: Call) -> dict[str, object]:
        self._maybe_die()
        return call.perform()

    def _maybe_die(self) -> None:
        if self.deadly:
            self.deadly -= 1
            if not self.deadly:
                self.deaths += 1
                raise Killed

    def wake(self, pk: str, seconds: int) -> None:
        assert 0 <= seconds <= MOST_DELAY_S
        self._maybe_die()
        self.queue.append((self.now + seconds, pk))

    def endpoint(self, *events: str, ordered: bool = False) -> Endpoint:
        self.made += 1
        return self.webhooks.create(
            PROGRAM,
            Endpoint(
                id=new_id(self.now * 1000, random.Random(self.made).randbytes(10)),
                url="https://partner.example/hook",
                events=events or ("*",),
                secret=SECRET,
                created=self.now,
                ordered=ordered,
            ),
        )

    def tell(self, number: int, member: str = MEMBERS[0], kind: str = "points.earned") -> None:
        self.fan.take(event(number, member, kind, self.now), self.now)

    def step(self) -> bool:
        """The next message of the queue; one whose function dies comes again."""
        if not self.queue:
            return False
        self.queue.sort()
        at, pk = self.queue.pop(0)
        self.now = max(self.now, at)
        try:
            report = Deliverer(self.store, self.partner, self.wake, lambda: self.now).run(pk)
        except Killed:
            self.queue.append((self.now + 60, pk))
        else:
            if report.off:
                self.off.append(report.off)
        return True

    def run(self, seconds: int = 10**9) -> int:
        """Until nothing is left to do, or so long; how many messages that took."""
        end, steps = self.now + seconds, 0
        while self.queue and min(self.queue)[0] <= end:
            self.step()
            steps += 1
            assert steps < 5_000, "messages breed"
        if seconds < 10**9:
            self.now = end
        return steps

    def states(self, endpoint: Endpoint) -> list[str]:
        return [one.state for one in self.webhooks.deliveries(PROGRAM, endpoint.id, 500)]

    def waiting(self, endpoint: Endpoint) -> int:
        return sum(len(self.store.waiting(pk, 500)) for pk in self.store.lines(PROGRAM, endpoint.id))


def event(number: int, member: str, kind: str = "points.earned", now: int = START) -> Event:
    """As the bus brings it."""
    detail = {"id": f"{PROGRAM}:{member}:{number}:{kind}", "program": PROGRAM, "member": member, "number": number}
    message = {
        "detail-type": kind,
        "detail": {**detail, "recorded_at": iso(now)},
        "time": iso(now),
        "source": "loyalty",
    }
    found = event_of(json.dumps(message))
    assert found is not None
    return found


def test_an_event_arrives_once_at_each_endpoint_that_wants_it() -> None:
    world = World()
    points, _tiers, both = world.endpoint("points.*"), world.endpoint("tier.upgraded"), world.endpoint()
    world.tell(1)
    world.tell(1)  # the bus brings it twice
    world.tell(2, kind="member.enrolled")
    world.run()
    assert world.partner.requests == 3
    assert (world.states(points), world.states(both)) == (["delivered"], ["delivered", "delivered"])
    assert world.waiting(both) == 0


def test_what_is_sent_is_the_event_as_its_schema_has_it_under_an_id_that_stays() -> None:
    world = World()
    world.endpoint()
    world.tell(7)
    world.run()
    (sent,) = world.partner.got
    assert sent == {"type": "points.earned", "timestamp": iso(START), "data": event(7, MEMBERS[0]).detail}
    assert world.partner.ids == {name_of(event(7, MEMBERS[0]).id)}
    assert all(name.replace("evt_", "").isalnum() for name in world.partner.ids)


def test_what_fails_is_tried_for_a_day_with_growing_pauses_and_then_given_up() -> None:
    world = World()
    endpoint = world.endpoint()
    world.partner.moods = [503] * 1000
    world.tell(1)
    steps = world.run()
    assert world.states(endpoint) == ["failed"]
    assert TRIED_S <= world.now - START <= TRIED_S + 3700
    assert 20 <= world.partner.requests <= 45
    assert steps < 250
    assert [pause(tries) for tries in (1, 2, 8, 9, 100)] == [30, 60, 3600, 3600, 3600]


@pytest.mark.parametrize("mood", [500, 429, 404, NotSent("unreachable"), NoAnswer("timeout")])
def test_one_failure_is_made_good(mood: object) -> None:
    world = World()
    endpoint = world.endpoint()
    world.partner.moods = [mood]
    world.tell(1)
    world.run()
    assert world.states(endpoint) == ["delivered"]
    assert len(world.partner.got) == 1
    assert world.partner.again == isinstance(mood, NoAnswer), "it may come again, under its id"


def test_an_endpoint_that_wants_order_gets_a_members_events_in_it_however_the_bus_brings_them() -> None:
    world = World()
    world.endpoint(ordered=True)
    for number in (3, 1, 2):
        world.tell(number)
    world.now += SETTLE_S - 1
    world.tell(4)
    world.partner.moods = [503, 200, 503]
    world.run()
    assert world.partner.numbers(MEMBERS[0]) == [1, 2, 3, 4]


def test_a_member_who_is_stuck_holds_up_nobody_else() -> None:
    world = World()
    endpoint = world.endpoint(ordered=True)
    one = MEMBERS[0]
    line = keys.deliveries_of(PROGRAM, endpoint.id, one)
    others = (f"mem_{number:026d}" for number in range(1000))
    other = next(two for two in others if keys.deliveries_of(PROGRAM, endpoint.id, two) == line)
    world.tell(1, one)
    world.tell(2, one)
    world.tell(3, other)
    world.partner.moods = [400, 200]
    world.run(SETTLE_S)
    assert (world.partner.numbers(one), world.partner.numbers(other)) == ([], [3])
    world.run()
    assert world.partner.numbers(one) == [1, 2]


def test_an_endpoint_that_does_not_work_is_left_alone_for_a_while() -> None:
    world = World()
    world.endpoint()
    for number in range(40):
        world.tell(number)
    world.partner.moods = [503] * IN_A_ROW
    world.run(0)
    assert world.partner.requests == IN_A_ROW, "the other thirty-seven were not tried in vain"
    world.run()
    assert sorted(world.partner.numbers(MEMBERS[0])) == [*range(40)]


def test_an_endpoint_that_takes_nothing_for_days_is_switched_off_and_keeps_what_comes() -> None:
    world = World()
    endpoint = world.endpoint()
    world.partner.moods += [503] * 10_000
    for hour in range(0, 80, 8):
        world.now = START + hour * 3600
        world.tell(hour)
        world.run(8 * 3600 - 1)
    found = world.webhooks.get(PROGRAM, endpoint.id)
    assert (found.state, found.why, world.off) == ("off", "http_503", [endpoint.id])
    assert world.now - START >= FAILING_S
    world.partner.moods = []
    sent = world.partner.requests
    world.tell(999)
    world.run()
    assert world.partner.requests == sent
    assert world.states(endpoint)[0] == "kept"
    world.webhooks.change(PROGRAM, endpoint.id, Endpoint.switched_on)
    world.fan = Fan(world.store, world.wake)
    world.run()
    assert 999 not in world.partner.numbers(MEMBERS[0])
    world.webhooks.replay(PROGRAM, endpoint.id, START, world.now)
    world.run()
    assert world.partner.numbers(MEMBERS[0])[-1] == 999
    assert set(world.states(endpoint)) == {"delivered"}


def test_one_that_says_it_is_gone_is_switched_off_at_once() -> None:
    world = World()
    endpoint = world.endpoint()
    world.partner.moods = [410]
    world.tell(1)
    world.run()
    assert world.webhooks.get(PROGRAM, endpoint.id).state == "off"
    assert world.off == [endpoint.id]


def test_failures_that_lie_far_apart_do_not_add_up() -> None:
    endpoint = Endpoint(id="hook_", url="", events=("*",), secret=SECRET, created=START)
    failed = endpoint.fared(took=False, gone=False, code="http_500", now=START)
    assert failed.fared(took=False, gone=False, code="http_500", now=START + FAILING_S + 9).state == "on"
    assert failed.fared(took=True, gone=False, code="", now=START + 60).failing == 0


def test_a_replay_sends_what_lies_in_its_time_again_in_order() -> None:
    world = World()
    endpoint = world.endpoint()
    for number in range(130):
        world.tell(number, MEMBERS[number % 2])
        world.now += 10
    world.run()
    partner = world.partner = Partner()
    since, until = START + 200, START + 1099
    world.webhooks.replay(PROGRAM, endpoint.id, since, until)
    world.run()
    wanted = [number for number in range(130) if since <= START + 10 * number <= until]
    for which in (0, 1):
        assert partner.numbers(MEMBERS[which]) == [number for number in wanted if number % 2 == which]
    assert partner.again == 0


def test_a_replay_of_a_time_without_deliveries_wakes_nobody_and_ends_the_one_before() -> None:
    world = World()
    endpoint = world.endpoint()
    world.tell(1)
    world.run()
    told = world.partner.requests
    world.webhooks.replay(PROGRAM, endpoint.id, START + 1, START + 10**9)
    assert world.queue == []
    world.webhooks.replay(PROGRAM, endpoint.id, START, START)
    assert len(world.queue) == 1, "the one line that has something of that time"
    world.webhooks.replay(PROGRAM, endpoint.id, -(10**10), START - 1)
    world.run()
    assert world.partner.requests == told


def test_a_replay_goes_on_where_it_was_when_the_partner_is_back() -> None:
    world = World()
    endpoint = world.endpoint()
    for number in range(120):
        world.tell(number)
        world.now += 1
    world.run()
    partner = world.partner = Partner()
    partner.moods += [200] * 70 + [503] * 2 + [200, 503, 503, 503]
    world.webhooks.replay(PROGRAM, endpoint.id, START, world.now)
    world.run()
    assert partner.numbers(MEMBERS[0]) == [*range(120)]
    assert partner.again <= 50, "a page at most comes again"


def test_two_secrets_are_valid_for_a_while() -> None:
    endpoint = Endpoint(id="hook_", url="", events=("*",), secret="old", created=START)
    rotated = endpoint.rotated("new", OVERLAP_S, START)
    assert rotated.secrets(START) == ("new", "old")
    assert rotated.secrets(START + OVERLAP_S) == ("new",)
    assert rotated.rotated("newest", 0, START + 5).secrets(START + 5) == ("newest",)


def test_endpoints_are_bounded_found_changed_and_removed() -> None:
    world = World()
    endpoint = world.endpoint()
    changed = world.webhooks.change(PROGRAM, endpoint.id, lambda one: replace(one, url="https://other.example/"))
    assert world.webhooks.all(PROGRAM) == [changed]
    world.webhooks.remove(PROGRAM, endpoint.id)
    with pytest.raises(NotFound):
        world.webhooks.get(PROGRAM, endpoint.id)
    for _ in range(MAX_ENDPOINTS):
        world.now += 1
        world.endpoint()
    with pytest.raises(Conflict):
        world.endpoint()


def test_types_that_there_are_none_of_are_named() -> None:
    known = ("points.earned", "tier.upgraded")
    assert wanted(("*", "points.*", "tier.upgraded"), known) == []
    assert wanted(("points.erned", "coupon.*"), known) == ["points.erned", "coupon.*"]


def test_what_is_of_no_programme_is_nobodys_event() -> None:
    assert event_of(json.dumps({"detail-type": "x.y", "detail": {}, "time": "2026-01-01T00:00:00Z"})) is None


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("seed", range(15))
def test_whatever_dies_fails_or_comes_twice_everything_arrives(seed: int, ordered: bool) -> None:
    """Functions die at any call of the table or the queue, partners fail, lose answers and recover, the bus repeats and
    shuffles, messages of the queue are doubled: each event arrives, a member's in order where asked, and nothing waits
    forever.
    """
    chance, world = random.Random(seed), World()
    endpoint = world.endpoint(ordered=ordered)
    told: dict[str, list[int]] = defaultdict(list)
    coming: list[tuple[int, str]] = []
    for number in range(chance.randint(1, 14)):
        member = chance.choice(MEMBERS[:2])
        told[member].append(number)
        coming += [(number, member)] * chance.choice([1, 1, 2, 3])
    chance.shuffle(coming)
    for number, member in coming:  # all within the time that the bus may take
        event_ = event(number, member, now=START)
        while True:
            world.deadly = chance.choice([0, 0, 0, 1, 2, 3])
            try:
                world.fan.take(event_, world.now)
                break
            except Killed:
                world.fan = Fan(world.store, world.wake)
        world.deadly = 0
    world.partner.moods = [
        chance.choice([200, 200, 200, 503, 429, 404, 400, NoAnswer("reset"), NotSent("unreachable")]) for _ in range(30)
    ]
    steps = 0
    while world.queue:
        world.deadly = chance.choice([0, 0, 1, 2, 3, 5, 8]) if steps < 60 else 0
        if chance.random() < 0.2:
            world.queue.append(chance.choice(world.queue))
        world.step()
        steps += 1
        assert steps < 3_000, "messages breed"
    world.deadly = 0
    assert world.waiting(endpoint) == 0
    assert set(world.states(endpoint)) == {"delivered"}
    for member, numbers in told.items():
        got = world.partner.numbers(member)
        assert sorted(got) == numbers
        assert got == numbers or not ordered
    assert world.now - START < TRIED_S


def test_a_line_has_one_run_at_a_time_and_the_second_comes_back() -> None:
    world = World()
    endpoint = world.endpoint()
    world.tell(1)
    pk = keys.deliveries_of(PROGRAM, endpoint.id, MEMBERS[0])
    line = world.store.line(pk)
    assert world.store.save_line(pk, replace(line, held=world.now + LEASE_S, version=line.version + 1))
    world.run(60)
    assert world.partner.requests == 0
    world.run()
    assert world.states(endpoint) == ["delivered"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving(Receiver(SECRET)) as server:
        yield server
        hang_up()
        assert server.complaints == []


@pytest.mark.parametrize("fault", [None, Fault.BUSY, Fault.TAKEN_RESET, Fault.RATE, Fault.HUGE, Fault.ELSEWHERE])
def test_over_http_signatures_hold_and_what_comes_again_is_known_again(receiver: Receiver, fault: Fault | None) -> None:
    world = World()
    world.now = int(time.time())
    endpoint = world.endpoint()
    world.webhooks.change(PROGRAM, endpoint.id, lambda one: replace(one, url=f"{receiver.url}/hook"))
    world.fan.take(event(1, MEMBERS[0]), world.now)
    pk = keys.deliveries_of(PROGRAM, endpoint.id, MEMBERS[0])
    receiver.faults = [fault]
    deliverer = Deliverer(world.store, Impatient(), world.wake, lambda: world.now)
    deliverer.run(pk)
    line = world.store.line(pk)
    for waiting in world.store.waiting(pk, 1):  # what was put off is due now, for receivers look at the time
        delivery = world.store.delivery(pk, waiting.place)
        assert isinstance(delivery, Delivery)
        world.store.put_off(pk, replace(waiting, due=0), delivery)
    world.store.save_line(pk, replace(line, rest=0, version=line.version + 1))
    deliverer.run(pk)
    assert [one["type"] for one in receiver.taken] == ["points.earned"]
    assert world.states(endpoint) == ["delivered"]
