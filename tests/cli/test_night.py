"""A night that somebody asks for: which machine is started, with what, and how its end is told."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from rich.console import Console

from cli import night
from cli.api import Api, Refusal
from cli.target import CommandError, Target
from loyalty.ledger.chain import Chain
from loyalty.timers.store import TimerStore
from loyalty.timers.timer import Timer
from tests.cli.conftest import Product

BEGUN = datetime(2026, 3, 1, 0, 20, tzinfo=UTC)
ENDED = datetime(2026, 3, 1, 0, 21, 30, tzinfo=UTC)


class Machines:
    """Stands in for AWS and for its client: an execution that is looked at ``looks`` times before it ends."""

    def __init__(self, status: str = "SUCCEEDED", looks: int = 2) -> None:
        self.status = status
        self.looks = looks
        self.started: list[tuple[str, dict[str, Any]]] = []

    def output(self, name: str) -> str:
        return f"arn of {name}"

    def client(self, service: str) -> "Machines":
        assert service == "stepfunctions"
        return self

    def start_execution(self, **asked: str) -> dict[str, str]:
        self.started.append((asked["stateMachineArn"], json.loads(asked["input"])))
        return {"executionArn": "run"}

    def describe_execution(self, **asked: str) -> dict[str, Any]:
        assert asked == {"executionArn": "run"}
        self.looks -= 1
        if self.looks:
            return {"status": "RUNNING"}
        return {"status": self.status, "startDate": BEGUN, "stopDate": ENDED, "name": "n1"}

    def close(self) -> None:
        return None


def run(machines: Any, program: str = "", until: str = "") -> tuple[int, str]:
    out = Console(record=True, quiet=False)
    status = night.run(machines, program=program, until=until, out=out, pause=0)
    return status, out.export_text().strip()


def test_all_programmes_are_brought_up_to_today() -> None:
    machines = Machines()
    assert run(machines) == (0, "succeeded: 90 s, n1")
    assert machines.started == [("arn of NightArn", {"until": "9999-12-31"})]
    assert machines.looks == 0


def test_one_programme_is_brought_up_to_a_day() -> None:
    machines = Machines()
    run(machines, "grocer", "2026-12-31")
    assert machines.started == [("arn of NightArn", {"until": "2026-12-31", "program": "grocer"})]


def test_those_who_are_set_aside_are_tried_again_where_a_programme_is_named() -> None:
    machines = Machines()
    assert night.run(machines, program="grocer", until="", out=Console(quiet=True), pause=0, again=True) == 0
    assert machines.started == [("arn of NightArn", {"until": "9999-12-31", "program": "grocer", "again": True})]
    with pytest.raises(CommandError, match="Name the programme"):
        night.run(machines, program="", until="", out=Console(quiet=True), again=True)


def test_a_night_that_failed_is_told_by_the_exit_status() -> None:
    assert run(Machines("FAILED")) == (1, "failed: 90 s, n1")


def test_what_is_no_day_is_refused_before_anything_is_started() -> None:
    machines = Machines()
    with pytest.raises(CommandError, match="tomorrow is no day"):
        run(machines, until="tomorrow")
    assert machines.started == []


def test_whom_a_night_could_not_see_to_is_listed_with_the_reason_until_it_is(
    product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    store, today = TimerStore(product.table), date(2026, 3, 2).toordinal()
    chains = [Chain("alpha", f"mem_{number:026d}", "points") for number in range(3)]
    for chain in chains:
        store.set_aside(Timer(chain, "expiry", today - 1), "CORRUPT", int(BEGUN.timestamp()), today)
    store.set_aside(Timer(chains[0], "rearm", today - 1), "KeyError", int(BEGUN.timestamp()))
    store.mark("alpha", "expiry", today - 1)
    assert product.run("night", "aside") == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        *(f"{chain.account}  points  expiry of 2026-03-01: CORRUPT, again on 2026-03-02" for chain in chains),
        f"{chains[0].account}  points  rearm of 2026-03-01: KeyError, again with its next entry",
    ]
    assert said.err == "done up to: expiry 2026-03-01\n"
    store.set_aside(Timer(chains[1], "expiry", today), "CORRUPT", int(BEGUN.timestamp()), today + 1)
    store.mark("alpha", "expiry", today)  # the next night has seen to the others
    assert product.run("night", "aside", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert [(one["member"], one["kind"]) for one in found["aside"]] == [
        (chains[1].account, "expiry"),
        (chains[0].account, "rearm"),
    ]
    with product_api(product) as api:
        first = api.get("/v1/night", {"limit": 1})
        assert first["aside"] == []  # of this page nobody is left
        assert first["next"] == f"expiry#{chains[0].account}#points"
        assert api.get("/v1/night", {"limit": 3, "cursor": first["next"]})["aside"][0]["member"] == chains[1].account
        with pytest.raises(Refusal, match="REQUEST_INVALID"):
            api.get("/v1/night", {"cursor": "#"})


def product_api(product: Product) -> Api:
    return Api(Target("http://127.0.0.1", product.key), product.gateway)


def test_nobody_set_aside_is_said_so(product: Product, capsys: pytest.CaptureFixture[str]) -> None:
    assert product.run("night", "aside") == 0
    assert capsys.readouterr() == ("", "done up to: nothing yet\n")
