"""``loyalty clock``: a sandbox's time, moved day by day with a night for each."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from cli import clock, hours
from cli.command import main
from cli.hours import Hours
from cli.target import CommandError
from loyalty.clients.bootstrap import ensure_client, ensure_program
from loyalty.clients.service import NewClient
from tests.cli.conftest import POLICY, Product

pytestmark = pytest.mark.usefixtures("still")
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 10, 20, 10, 30, tzinfo=UTC)

Capture = pytest.CaptureFixture[str]
Run = Callable[..., int]


@pytest.fixture
def nights(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the night is asked for, and at what time of the programme; what it answers is in ``status`` of the last."""
    asked: list[dict[str, Any]] = []

    def execute(aws: Any, program: str) -> dict[str, Any]:
        asked.append({"program": program})
        return {"status": "SUCCEEDED"}

    monkeypatch.setattr(clock, "execute", execute)
    monkeypatch.setattr(clock, "Hours", Quiet)
    return asked


class Quiet:
    """The hours of a programme without campaigns."""

    def __init__(self, aws: Any, program: str) -> None:
        assert program == "sandbox-a"

    def strike(self) -> bool:
        return False

    def close(self) -> None:
        pass


@pytest.fixture
def run(product: Product, nights: list[dict[str, Any]], tmp_path: Any) -> Run:
    """The command line of a sandbox programme's operator, on a local stack."""
    ensure_program(product.table, {**POLICY, "program": "sandbox-a", "sandbox": True, "timezone": "Europe/Berlin"})
    key = ensure_client(product.table, "sandbox-a", NewClient(name="Operator", role="operator"))
    (tmp_path / "port").write_text("4577")
    (tmp_path / "stack.json").write_text('{"region": "us-east-1"}')
    environment = {
        "LOYALTY_API_URL": "http://127.0.0.1",
        "LOYALTY_TOKEN": key,
        "LOYALTY_LOCAL": str(tmp_path),
    }

    def command(*arguments: str) -> int:
        return main(["clock", *arguments], environment, product.gateway)

    return command


def test_a_clock_is_shown_in_the_programmes_zone(run: Run, capsys: Capture) -> None:
    assert run() == 0
    said = capsys.readouterr().out
    assert re.fullmatch(r"sandbox-a: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d Europe/Berlin, as in the world\n", said)


def test_every_day_on_the_way_has_its_night(run: Run, nights: list[dict[str, Any]], capsys: Capture) -> None:
    assert run("+40d", "--pause", "0") == 0
    assert nights == [{"program": "sandbox-a"}] * 41, "today's, and one a day"
    said = capsys.readouterr().out.splitlines()
    done = [datetime.fromisoformat(line.split()[0]).date() for line in said[:-1]]
    assert done == [done[0] + timedelta(days=number) for number in range(41)]
    assert re.search(r"40 days.* ahead of the world|39 days, 2[23]:", said[-1])


def test_a_night_runs_when_its_day_has_begun_and_no_later(
    run: Run, product: Product, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    seen: list[datetime] = []

    def execute(aws: Any, program: str) -> dict[str, Any]:
        assert run() == 0
        shown = capsys.readouterr().out.split(": ", 1)[1]
        seen.append(datetime.fromisoformat(shown[:19]))
        return {"status": "SUCCEEDED"}

    monkeypatch.setattr(clock, "execute", execute)
    assert run("+3d", "--pause", "0") == 0
    assert [moment.date() - seen[0].date() for moment in seen] == [timedelta(days=number) for number in range(4)]
    assert all((moment.hour, moment.minute) == (0, 0) for moment in seen[1:])


def test_a_move_that_was_broken_off_goes_on_with_the_moment_that_it_said(
    run: Run, nights: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    left = iter(["SUCCEEDED", "SUCCEEDED", "FAILED"])
    with monkeypatch.context() as failing:
        failing.setattr(clock, "execute", lambda aws, program: {"status": next(left)})
        assert run("+5d", "--pause", "0") == 2
    said = capsys.readouterr().err
    again = said.split("go on with ")[1].strip()
    assert "ended as FAILED" in said
    assert run(again, "--pause", "0") == 0
    assert len(nights) == 4, "the one that failed, and three more days"
    assert run("--without-nights", again) == 0, "and once it is there it stays"


def test_the_clock_may_be_moved_without_nights(run: Run, nights: list[dict[str, Any]], capsys: Capture) -> None:
    assert run("+40d", "--without-nights") == 0
    assert nights == []
    assert "ahead of the world" in capsys.readouterr().out


def test_the_clock_of_another_programme_stays(product: Product, nights: list[dict[str, Any]], capsys: Capture) -> None:
    assert product.run("clock", "+40d", "--without-nights") == 2
    assert "CLOCK_SANDBOX_ONLY" in capsys.readouterr().err
    assert product.run("clock") == 0
    assert "as in the world" in capsys.readouterr().out


def test_what_is_no_time_or_has_passed_is_refused(run: Run, nights: list[dict[str, Any]], capsys: Capture) -> None:
    for wrong in ("40d", "+0d", "+d", "+99999d", "tomorrow", "2026-13-01"):
        assert run(wrong) == 2
        assert "is no time" in capsys.readouterr().err
    assert run("2020-01-01") == 2
    assert "CLOCK_BACKWARDS" in capsys.readouterr().err
    assert nights == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+12h", "2026-10-20T22:30:00+00:00"),
        ("+40d", "2026-11-29T11:30:00+00:00"),
        ("+2w", "2026-11-03T11:30:00+00:00"),
        ("2026-12-31", "2026-12-30T23:00:00+00:00"),
        ("2026-12-31T09:00", "2026-12-31T08:00:00+00:00"),
        ("2026-12-31T09:00:00Z", "2026-12-31T09:00:00+00:00"),
    ],
)
def test_what_a_person_asks_for_is_a_moment(text: str, expected: str) -> None:
    assert clock.target_of(text, NOW, BERLIN).isoformat() == expected


def _walked(until: timedelta, live: Callable[[datetime], bool] = lambda _: False) -> list[tuple[str, str]]:
    """What is done where, from ``NOW`` on, in a programme whose members hear of things from ten o'clock on."""
    seen: list[tuple[str, str]] = []
    here = [NOW]

    def go(moment: datetime) -> None:
        assert moment > here[-1]
        here.append(moment)

    def note(what: str) -> None:
        seen.append((what, here[-1].astimezone(BERLIN).isoformat()))

    def strike() -> bool:
        note("hour")
        return live(here[-1])

    stops = clock.Stops(go, lambda _: note("night"), strike, 0, Console(file=StringIO()))
    clock.walk(NOW, NOW + until, BERLIN, 10, stops)
    return seen


def test_days_begin_where_the_programme_is_whatever_the_clocks_there_do() -> None:
    nights = [moment for what, moment in _walked(timedelta(days=7)) if what == "night"]
    assert nights[1:] == [
        *(f"2026-10-{day}T00:00:00+02:00" for day in range(21, 26)),
        *(f"2026-10-{day}T00:00:00+01:00" for day in range(26, 28)),
    ]


def test_every_stop_has_its_night_before_the_hour_strikes() -> None:
    walked = _walked(timedelta(days=3))
    assert [what for what, _ in walked] == ["night", "hour"] * 4
    assert all(night == hour for (_, night), (_, hour) in zip(walked[::2], walked[1::2], strict=True))


def test_while_there_are_campaigns_the_clock_stops_at_every_hour_at_which_members_hear_of_things() -> None:
    until = datetime(2026, 10, 22, 12, tzinfo=BERLIN)
    walked = _walked(datetime(2026, 10, 23, 15, tzinfo=BERLIN) - NOW, lambda moment: moment < until)
    hours = [moment[8:13] for what, moment in walked if what == "hour"]
    assert hours == [
        "20T12",
        *(f"20T{hour}" for hour in range(13, 24)),
        "21T00",
        *(f"21T{hour}" for hour in range(10, 24)),
        *("22T00", "22T10", "22T11", "22T12"),
        "23T00",
    ], "of a day when the last one is over there are no more hours"
    nights = [moment[8:13] for what, moment in walked if what == "night"]
    assert nights == ["20T12", "21T00", "21T10", "22T00", "22T10", "23T00"]


class Stack:
    """A stack whose campaign comes to rest when it was asked for so many times, and whose queues are then emptied."""

    def __init__(self, busy: int = 0, messages: int = 0, fails: bool = False) -> None:
        self.busy = busy
        self.messages = messages
        self.fails = fails
        self.asked: list[str] = []

    def client(self, service: str) -> Any:
        return self

    def output(self, name: str) -> str:
        assert name == "NightArn"
        return "arn:aws:states:eu-central-1:1:stateMachine:loyalty-test-nightly"

    def invoke(self, FunctionName: str, Payload: bytes) -> Any:  # noqa: N803 - as boto3 calls them
        assert json.loads(Payload) == {"program": "sandbox-a"}
        self.asked.append(FunctionName.removeprefix("loyalty-test-"))
        self.busy -= self.busy > 0 and FunctionName.endswith("campaign_due")
        said = {"sandbox-a": 0, "live": 1, "busy": self.busy, "handed": self.messages}
        return {"Payload": BytesIO(json.dumps(said).encode()), **({"FunctionError": "x"} if self.fails else {})}

    def list_queues(self, QueueNamePrefix: str) -> Any:  # noqa: N803 - as boto3 calls it
        assert QueueNamePrefix == "loyalty-test-"
        names = ("notify", "notify-dead-letters", "partners")
        return {"QueueUrls": [f"http://127.0.0.1/{QueueNamePrefix}{name}" for name in names]}

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> Any:  # noqa: N803 - likewise
        assert QueueUrl.endswith("-notify")
        self.asked.append("queue")
        self.messages -= self.messages > 0
        return {"Attributes": dict.fromkeys(AttributeNames, str(self.messages))}

    def close(self) -> None:
        pass


def test_an_hour_is_over_when_campaigns_rest_and_what_they_send_is_sent() -> None:
    stack = Stack(busy=3)
    assert Hours(stack, "sandbox-a").strike(poll=0)
    assert stack.asked == ["campaign_due"] * 3 + ["queue", "dispatch"]
    stack = Stack(messages=3)
    assert Hours(stack, "sandbox-a").strike(poll=0)
    assert stack.asked == ["campaign_due", *["queue"] * 3, "dispatch"]
    with pytest.raises(CommandError, match="campaign_due failed"):
        Hours(Stack(fails=True), "sandbox-a").strike(poll=0)


def test_a_campaign_that_does_not_come_to_rest_stops_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours, "PATIENCE_SECONDS", -1)
    with pytest.raises(CommandError, match="still at work"):
        Hours(Stack(busy=10), "sandbox-a").strike(poll=0)


def test_what_is_no_moment_is_refused() -> None:
    with pytest.raises(CommandError):
        clock.target_of("", NOW, BERLIN)
