"""A year of a sandbox programme whose machines die all the time: everything on its day, once, and books that hold."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from itertools import count
from typing import Any

import pytest

from infra.catalogue import CATALOGUE, FromNight
from loyalty.churn.store import ChurnStore
from loyalty.runtime.config import config
from tests import year
from tests.stack.confined import Confined
from tests.unit.relaying import Behind
from tests.unit.running import Running, forget

DAYS = 365
EVER = "9999-12-31"
HEARD = {*year.EVENTS.values(), *(f"segment.{moved} {name}" for moved in ("entered", "left") for name in year.NAMES)}


class Killed(BaseException):
    """The machine is no more; nothing that runs on it gets to clean up."""


class Living:
    """One deployment whose machines die at a call of the table, before or after it was carried out, one in so many."""

    def __init__(self, running: Running, seed: int, one_in: int, monkeypatch: pytest.MonkeyPatch) -> None:
        assert isinstance(running, Confined)
        self.running: Confined = running
        self.chance = random.Random(seed)
        self.one_in = one_in
        self.deadly = False
        self.deaths = 0
        self.drained: list[dict[str, Any]] = []
        self._delivered: dict[str, int] = {}
        self._numbers = count()
        self.behind = Behind(monkeypatch, self._until_run, self._mix)
        self.token = running.key("operator", year.PROGRAM)
        self.heard: dict[str, dict[str, tuple[date, str]]] = {}
        perform = running.engine.perform

        def dying(*arguments: Any, **named: Any) -> Any:
            before, after = (self.deadly and self.chance.randrange(2 * self.one_in) == 0 for _ in range(2))
            if before:
                raise Killed
            answer = perform(*arguments, **named)
            if after:
                raise Killed
            return answer

        running.engine.__dict__["perform"] = dying

    def ask(self, route: str, body: Any = None, **params: str) -> Any:
        query = {name: params.pop(name) for name in ("limit", "cursor") if name in params}
        headers = {"Idempotency-Key": f"k{next(self._numbers)}"}
        answer = self.running.call(self.token, route, body, params=params, query=query, headers=headers)
        assert answer.status in (200, 201), answer.body
        return answer.body

    def go(self, moment: datetime) -> None:
        self.ask("POST /v1/clock", {"to": moment.isoformat()})

    def until_done(self, work: Callable[[], Any]) -> Any:
        """Begin again until nobody dies."""
        while True:
            self.deadly = True
            try:
                return work()
            except Killed:
                self.deaths += 1
                self.running.guard.function = None
                forget()
                config.cache_clear()
            finally:
                self.deadly = False

    def night(self) -> None:
        """The state machine's part, from its beginning whenever it was cut off."""

        def whole() -> None:
            plan: dict[str, Any] = {"program": year.PROGRAM, "until": EVER}
            while not (plan := self._run("plan_night", plan))["done"]:
                for batch in plan["batches"]:
                    self._run(batch["function"], batch)
                    self.drained.append(batch)

        self.until_done(whole)

    def again(self) -> int:
        """What doing a batch of any night once more writes."""
        batch = self.chance.choice(self.drained)
        return int(self._run(batch["function"], batch).get("written", 0)) if batch["kind"] != "rearm" else 0

    def stream(self) -> None:
        """The table's stream delivers what is new to whoever follows it, batch by batch, until it is taken."""
        while fresh := self._fresh():
            self.behind.follow(fresh)

    def _mix(self, waiting: list[str]) -> None:
        """A queue keeps no order, and may deliver twice."""
        waiting += [one for one in waiting if self.chance.randrange(10) == 0]
        self.chance.shuffle(waiting)

    def _fresh(self) -> list[dict[str, Any]]:
        fresh = []
        for partition, records in self.running.engine.stream(seen=self._delivered).items():
            fresh.extend(records)
            self._delivered[partition] = self._delivered.get(partition, 0) + len(records)
        return [record for record in fresh if record["eventName"] != "REMOVE"]

    def _until_run(self, function: str, event: dict[str, Any]) -> Any:
        return self.until_done(lambda: self._run(function, event))

    def _run(self, function: str, event: dict[str, Any]) -> Any:
        with self.running.guard.turn(function):
            return import_module(f"functions.{function}.handler").lambda_handler(event, None)

    def hear(self, events: list[tuple[str, str]]) -> None:
        """What the bus is told, once for each id, by member."""
        for kind, text in events:
            detail = json.loads(text)
            at = datetime.fromisoformat(detail.get("recorded_at") or detail.get("occurred_at", "2000-01-01T00:00:00Z"))
            named = f"{kind} {detail['segment']}" if "segment" in detail else kind
            self.heard.setdefault(detail["member"], {})[detail["id"]] = (at.astimezone(year.ZONE).date(), named)

    def entries(self, member: str) -> list[dict[str, Any]]:
        page = self.ask("GET /v1/members/{id}/entries", id=member, limit="100")
        assert "next" not in page
        return list(page["entries"])


@pytest.fixture
def living(running: Running, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Living]:
    kinds = {kind: one.name for one in CATALOGUE if isinstance(one.trigger, FromNight) for kind in one.trigger.kinds}
    monkeypatch.setenv("NIGHT_FUNCTIONS", json.dumps(kinds))
    config.cache_clear()
    running.establish(**year.POLICY)
    ChurnStore(running.table).publish(year.PROGRAM, year.PARAMETERS)
    living = Living(running, request.param, one_in=150, monkeypatch=monkeypatch)
    monkeypatch.setattr("functions.publish.handler.publish", living.hear)
    yield living
    config.cache_clear()


@pytest.mark.parametrize("living", [1, 2, 3], indirect=True)
def test_everything_falls_on_its_day_once_though_machines_die(living: Living) -> None:
    first = year.first_day(datetime.now(UTC))
    last = first + timedelta(days=DAYS - 1)
    buyers = year.buyers(living.chance.randrange(1000), first, 6)
    lives = [year.lived(buyer, last) for buyer in buyers]
    living.go(year.morning(first))
    members = [living.ask("POST /v1/members", {"identities": [f"card:{n}"]})["id"] for n in range(len(buyers))]
    living.ask("POST /v1/segments", {"source": year.SEGMENTS})
    for number in range(DAYS):
        day = first + timedelta(days=number)
        if number:
            living.go(year.morning(day))
        living.stream()
        living.night()
        living.stream()
        if living.drained and number % 10 == 0:
            assert living.again() == 0, "a batch that is done writes nothing"
        for member, life in zip(members, lives, strict=True):
            for act in life.acts.get(day, ()):
                living.go(year.noon(day))
                route, body = year.request(member, day, act)
                answer = living.ask(route, body, **({"id": member} if "{id}" in route else {}))
                assert act[0] != "renewal" or answer["points"] == act[1]
        living.stream()
    for member, life in zip(members, lives, strict=True):
        assert year.found(living.entries(member)) == life.told
        heard = Counter(what for what in living.heard[member].values() if what[1] in HEARD)
        assert heard == life.heard
        assert living.ask("GET /v1/members/{id}/balance", id=member)["balance"]["available"] == life.balance
        assert living.ask("GET /v1/members/{id}/verification", id=member)["ok"]
    whole = Counter(what.rstrip("0123456789 ") for life in lives for _, what in life.told)
    assert set(whole) == set(year.EVENTS), "the year leaves something out"
    assert living.deaths > 20
