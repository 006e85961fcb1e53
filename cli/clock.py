"""``loyalty clock``: what time it is in a programme, and moving a sandbox's ahead, night by night."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Console

from cli.api import Api
from cli.night import execute
from cli.target import Aws, CommandError

PAUSE: Final = 1.0
"""Seconds between a day and the next: what follows the table puts the timers that a night's entries bring."""
_BY: Final = re.compile(r"\+([1-9][0-9]{0,3})([hdw])", re.ASCII)
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def show(api: Api, out: Console) -> None:
    """What time it is in the programme, in its own zone."""
    clock = api.get("/v1/clock")
    zone = ZoneInfo(api.get("/v1/program")["timezone"])
    ahead = clock["ahead"]
    said = "as in the world" if not ahead else f"{timedelta(seconds=ahead)} ahead of the world"
    out.print(f"{clock['program']}: {_moment(clock['now']).astimezone(zone):%Y-%m-%d %H:%M:%S} {zone.key}, {said}")


def move(api: Api, to: str, aws: Aws | None, out: Console, pause: float = PAUSE) -> None:
    """Have the clock show ``to``: ``+40d``, ``+12h``, ``+6w``, a day or a moment with its offset.

    Day by day: the clock goes to the beginning of each day on the way, and that day's night is run to its end before
    the next begins. A move that was broken off goes on with the moment that it says. Without ``aws`` no night is run;
    the next one does the days that were passed, in their order.
    """
    clock = api.get("/v1/clock")
    zone = ZoneInfo(api.get("/v1/program")["timezone"])
    now = _moment(clock["now"])
    target = target_of(to, now, zone)

    def run(day: date) -> None:
        if aws is None:
            return
        done = execute(aws, clock["program"])
        if done["status"] != "SUCCEEDED":
            raise CommandError(f"The night of {day} ended as {done['status']}; go on with {target:%Y-%m-%dT%H:%M:%SZ}")
        out.print(f"{day} is done")

    if target > now and clock["sandbox"]:
        run(now.astimezone(zone).date())
    walk(days(now, target, zone) if aws else iter(()), lambda moment: _to(api, moment), run, lambda: time.sleep(pause))
    _to(api, target)
    show(api, out)


def walk(
    mornings: Iterator[datetime],
    go: Callable[[datetime], None],
    night: Callable[[date], None],
    rest: Callable[[], None],
) -> None:
    """Go to every morning, have its night, and rest before the next."""
    for morning in mornings:
        rest()
        go(morning)
        night(morning.date())


def days(now: datetime, target: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The beginnings of the local days after ``now``, up to ``target``."""
    day = now.astimezone(zone).date()
    while True:
        day += timedelta(days=1)
        morning = datetime(day.year, day.month, day.day, tzinfo=zone)
        if morning.astimezone(UTC) > target:
            return
        yield morning


def target_of(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """What a person asked for, in UTC; CommandError when it is no time. Days and weeks keep the time of day."""
    by = _BY.fullmatch(text)
    if by:
        unit = _UNITS[by[2]] * int(by[1])
        return now + unit if by[2] == "h" else (now.astimezone(zone) + unit).astimezone(UTC)
    try:
        asked = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text} is no time; write +40d, +12h, +6w, 2027-01-01 or 2027-01-01T12:00:00Z") from None
    return (asked if asked.tzinfo else asked.replace(tzinfo=zone)).astimezone(UTC)


def _to(api: Api, moment: datetime) -> None:
    api.call("POST", "/v1/clock", body={"to": f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"})


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
