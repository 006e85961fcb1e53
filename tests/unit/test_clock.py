"""A sandbox programme's clock: moved by operators, seen by every function at once, and nobody else's business."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.ingest import handler as ingest
from infra.catalogue import CATALOGUE, GET, POLICIES
from loyalty.clients.roles import ROLES
from loyalty.errors import Problem
from loyalty.ledger.views import iso
from loyalty.programs.clock import MOST_AHEAD, Clock, moved
from loyalty.programs.service import Clocks
from loyalty.programs.store import ClockStore
from loyalty.runtime.clock import moment
from loyalty.table.writes import ConditionFailed, Contended
from tests.stack.confined import Confined
from tests.unit.running import PROGRAM, SIGNING, Response, Running

SANDBOX = "sandbox-grocer"
DAY = 86_400
NOW = 1_790_000_000
SHOW, MOVE = "GET /v1/clock", "POST /v1/clock"
ROOT = Path(__file__).resolve().parents[2]

Ask = Callable[..., Response]


@pytest.fixture
def ask(running: Running) -> Ask:
    """A call by the operator of a sandbox programme, under a key of its own."""
    running.establish(SANDBOX, sandbox=True, expiry={"kind": "rolling", "months": 1, "rounding": "day"})
    keys = {program: running.key("operator", program) for program in (SANDBOX, PROGRAM)}
    numbers = count()

    def call(route: str, body: Any = None, program: str = SANDBOX, token: str = "", **params: str) -> Response:
        headers = {"Idempotency-Key": f"k{next(numbers)}"}
        return running.call(token or keys[program], route, body, params=params, headers=headers)

    return call


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def days_on(ask: Ask, days: int) -> str:
    """The moment so many days after the programme's."""
    return iso(seconds(ask(SHOW).body["now"]) + days * DAY)


def move(ask: Ask, days: int) -> Response:
    return ask(MOVE, {"to": days_on(ask, days)})


def enrolled(ask: Ask, program: str = SANDBOX) -> str:
    return str(ask("POST /v1/members", {"identities": [f"card:{program}"]}, program).body["id"])


def test_a_clock_begins_with_the_worlds_and_shows_what_it_is_moved_to(ask: Ask) -> None:
    first = ask(SHOW).body
    assert (first["program"], first["sandbox"], first["ahead"]) == (SANDBOX, True, 0)
    to = days_on(ask, 40)
    moved_to = ask(MOVE, {"to": to})
    assert moved_to.status == 200
    assert moved_to.body["now"] >= to
    assert ask(SHOW).body["ahead"] == moved_to.body["ahead"]
    assert 0 <= 40 * DAY - moved_to.body["ahead"] < DAY


def test_every_entry_after_a_move_stands_at_the_moved_time(ask: Ask) -> None:
    member = enrolled(ask)
    to = days_on(ask, 40)
    ask(MOVE, {"to": to})
    entry = ask("POST /v1/members/{id}/adjustments", {"points": 5, "reason": "a gift"}, id=member)
    assert entry.body["recorded_at"] >= to
    assert entry.body["occurred_at"] >= to


def test_points_end_and_holds_lapse_when_the_clock_has_passed_them(ask: Ask) -> None:
    member = enrolled(ask)
    ask("POST /v1/members/{id}/adjustments", {"points": 50, "reason": "a gift"}, id=member)
    ask("POST /v1/members/{id}/holds", {"points": 20, "minutes": 60}, id=member)
    assert ask("GET /v1/members/{id}/balance", id=member).body["balance"]["available"] == 30
    move(ask, 1)
    assert ask("GET /v1/members/{id}/balance", id=member).body["balance"]["available"] == 50
    move(ask, 60)
    assert ask("GET /v1/members/{id}/balance", id=member).body["balance"]["available"] == 0
    assert ask("GET /v1/members/{id}/verification", id=member).body["ok"] is True


def test_a_move_sent_twice_moves_once(ask: Ask) -> None:
    to = days_on(ask, 40)
    first = ask(MOVE, {"to": to})
    assert ask(MOVE, {"to": to}).body["ahead"] == first.body["ahead"]


def test_a_clock_never_goes_back(ask: Ask, running: Running) -> None:
    earlier = days_on(ask, 39)
    move(ask, 40)
    before = running.engine.fingerprint()
    refused = ask(MOVE, {"to": earlier})
    assert (refused.status, refused.code, refused.body["field"]) == (422, "CLOCK_BACKWARDS", "to")
    assert running.engine.fingerprint() == before


def test_no_clock_was_ever_moved_to_the_beginning_of_time(ask: Ask) -> None:
    assert ask(MOVE, {"to": "1970-01-01T00:00:00Z"}).code == "CLOCK_BACKWARDS"


@pytest.mark.parametrize("to", ["2999-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2027-01-01", "2027-01-01T00:00:00", 5])
def test_a_moment_that_no_clock_is_moved_to_is_refused(ask: Ask, to: Any) -> None:
    refused = ask(MOVE, {"to": to})
    assert (refused.status, refused.code, refused.body["field"]) == (400, "REQUEST_INVALID", "to")


def test_any_other_programme_goes_by_the_worlds_clock_and_is_not_moved(ask: Ask, running: Running) -> None:
    before = running.engine.fingerprint()
    refused = ask(MOVE, {"to": days_on(ask, 1)}, PROGRAM)
    assert (refused.status, refused.code) == (409, "CLOCK_SANDBOX_ONLY")
    assert running.engine.fingerprint() == before
    shown = ask(SHOW, None, PROGRAM).body
    assert (shown["sandbox"], shown["ahead"]) == (False, 0)


def test_one_programmes_clock_is_not_anothers(ask: Ask, running: Running) -> None:
    running.establish("sandbox-two", sandbox=True)
    move(ask, 40)
    assert running.call(running.key("operator", "sandbox-two"), SHOW).body["ahead"] == 0
    member = enrolled(ask, PROGRAM)
    entry = ask("POST /v1/members/{id}/adjustments", {"points": 5, "reason": "a gift"}, PROGRAM, id=member)
    assert entry.body["recorded_at"] < days_on(ask, -39)


def test_a_programme_that_is_no_sandbox_never_reads_a_clock(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: Any) -> Clock:
        raise AssertionError("read")

    monkeypatch.setattr(ClockStore, "clock", read)
    member = enrolled(ask, PROGRAM)
    gift = {"points": 5, "reason": "a gift"}
    assert ask("POST /v1/members/{id}/adjustments", gift, PROGRAM, id=member).status == 201
    assert ask("GET /v1/members/{id}/balance", None, PROGRAM, id=member).body["balance"]["available"] == 5
    assert ask(SHOW, None, PROGRAM).body["ahead"] == 0
    assert ask("GET /v1/members/{id}/balance", id=member).code == "INTERNAL_ERROR", "a sandbox does"


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"operator"}))
def test_only_operators_move_clocks(ask: Ask, running: Running, role: str) -> None:
    refused = ask(MOVE, {"to": days_on(ask, 1)}, token=running.key(role, SANDBOX))
    assert refused.code == "AUTH_SCOPE_MISSING"


def test_keys_and_tokens_go_by_the_worlds_clock(ask: Ask, running: Running) -> None:
    member = enrolled(ask)
    move(ask, 40)
    token = ask("POST /v1/members/{id}/tokens", {"ttl": 60}, id=member).body
    assert token["expires_at"] < days_on(ask, -39)
    assert ask("GET /v1/members/{id}/balance", token=token["token"], id=member).status == 200
    move(ask, 300)
    assert ask("GET /v1/members/{id}/balance", token=token["token"], id=member).status == 200
    made = ask("POST /v1/clients", {"name": "Till", "role": "till"}).body
    assert made["client"]["created_at"] < days_on(ask, -300)
    assert SIGNING.current not in running.everything()


def test_what_a_queue_delivers_is_written_down_at_the_programmes_time(ask: Ask, running: Running) -> None:
    member = enrolled(ask)
    to = days_on(ask, 40)
    ask(MOVE, {"to": to})
    item = {
        "type": "purchase",
        "member": member,
        "source": "pos",
        "order_id": "o1",
        "occurred_at": to,
        "currency": "EUR",
        "lines": [{"amount": "12.50"}],
    }
    body = json.dumps({"program": SANDBOX, "client": "cli_x", "store": "", "items": [item]})
    record = {"messageId": "m", "eventSource": "aws:sqs", "body": body, "attributes": {}}
    assert isinstance(running, Confined)
    with running.guard.turn("ingest"):
        assert ingest.lambda_handler({"Records": [record]}, None) == {"batchItemFailures": []}
    (newest, _) = ask("GET /v1/members/{id}/entries", id=member).body["entries"]
    assert newest["kind"] == "earned"
    assert newest["recorded_at"] >= to


def test_whoever_asks_for_a_programmes_time_may_read_its_clock() -> None:
    asking = re.compile(r"request\.now|moment\(|cause\(")
    users = {
        one.name
        for one in CATALOGUE
        if any(asking.search(file.read_text()) for file in (ROOT / "functions" / one.name).glob("*.py"))
    }
    assert {"earn", "redeem", "hold", "balance", "ingest", "recover", "replay"} <= users
    for one in CATALOGUE:
        if one.name in users:
            assert any(GET in access.actions and POLICIES in access.partitions for access in one.table), one.name


class Raced:
    """A store in which somebody else moves the clock just before each of the first saves."""

    def __init__(self, others: list[int]) -> None:
        self.now = Clock()
        self.others = others

    def clock(self, _: str) -> Clock:
        return self.now

    def save_clock(self, _: str, clock: Clock) -> None:
        if self.others:
            to = self.others.pop(0)
            self.now = Clock(to - NOW, to, self.now.version + 1)
            raise ConditionFailed(None)
        assert clock.version == self.now.version + 1
        self.now = clock


def clocks(store: Raced) -> Clocks:
    return Clocks(cast("ClockStore", store))


def test_of_two_moves_at_once_both_count_in_their_order() -> None:
    store = Raced([NOW + 3 * DAY])
    assert clocks(store).move(SANDBOX, NOW + 5 * DAY, NOW) == Clock(5 * DAY, NOW + 5 * DAY, 2)
    with pytest.raises(Problem) as refused:
        clocks(Raced([NOW + 9 * DAY])).move(SANDBOX, NOW + 5 * DAY, NOW)
    assert refused.value.code == "CLOCK_BACKWARDS"
    with pytest.raises(Contended):
        clocks(Raced([NOW + number for number in range(20)])).move(SANDBOX, NOW + DAY, NOW)


@given(st.lists(st.tuples(st.integers(0, 30 * DAY), st.integers(-5 * DAY, 400 * DAY)), max_size=30))
def test_whatever_is_asked_a_programmes_time_only_grows(steps: list[tuple[int, int]]) -> None:
    clock, world, shown = Clock(), NOW, NOW
    for passes, jump in steps:
        world += passes
        asked = world + clock.ahead + jump
        assert world + clock.ahead >= shown
        if asked != clock.to and (jump < 0 or clock.ahead + jump > MOST_AHEAD):
            with pytest.raises(Problem):
                moved(SANDBOX, clock, asked, world)
        else:
            clock = moved(SANDBOX, clock, asked, world)
        assert world + clock.ahead >= shown
        shown = world + clock.ahead


def test_the_time_of_a_programme_that_is_none_is_the_worlds() -> None:
    assert moment(PROGRAM, NOW) == NOW
    assert moment("", NOW) == NOW
