"""``loyalty clock``: what time it is in a programme, and moving a sandbox's ahead, night by night and, where campaigns
run, hour by hour.
"""

import re
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from datetime import time as clocktime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from rich.console import Console

from cli.api import Api
from cli.hours import Hours
from cli.night import Cloud, execute
from cli.target import CommandError

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


def move(api: Api, to: str, aws: Cloud | None, out: Console, pause: float = PAUSE) -> None:
    """Have the clock show ``to``: ``+40d``, ``+12h``, ``+6w``, a day or a moment with its offset.

    Day by day: the clock goes to the beginning of each day on the way, and that day's night is run to its end before
    the next begins. What the scheduler calls by the hour is called there, too, and while there are campaigns at every
    hour of the day from the one on at which members may be told something: a second night then does what that hour
    brings. A move that was broken off goes on with the moment that it says. Without ``aws`` none of it is run; the next
    night does the days that were passed, in their order.
    """
    clock = api.get("/v1/clock")
    zone = ZoneInfo(api.get("/v1/program")["timezone"])
    now = _moment(clock["now"])
    target = target_of(to, now, zone)
    if aws is not None and target > now and clock["sandbox"]:
        first = int(api.get("/v1/contact-policy")["contact_hour"])
        hours = Hours(aws, clock["program"])

        def night(moment: datetime) -> None:
            done = execute(aws, clock["program"])
            if done["status"] != "SUCCEEDED":
                raise CommandError(f"The night of {moment:%Y-%m-%d} ended as {done['status']}")

        try:
            walk(now, target, zone, first, Stops(lambda moment: _to(api, moment), night, hours.strike, pause, out))
        except CommandError as error:
            raise CommandError(f"{error}; go on with {target:%Y-%m-%dT%H:%M:%SZ}") from None
        finally:
            hours.close()
    _to(api, target)
    show(api, out)


class Stops(NamedTuple):
    """What is done at a stop: ``go`` there, run a ``night`` there, have the hour ``strike``, which says whether other
    hours of the day matter; before the next day ``pause`` seconds pass.
    """

    go: Callable[[datetime], None]
    night: Callable[[datetime], None]
    strike: Callable[[], bool]
    pause: float
    out: Console


def walk(now: datetime, target: datetime, zone: ZoneInfo, first: int, stops: Stops) -> None:
    """From ``now`` to ``target``, stopping wherever anything may be due; ``first`` is the hour of a day from which
    members may be told something.
    """
    here = now.astimezone(zone)
    stops.night(here)
    live = stops.strike()
    stops.out.print(f"{here:%Y-%m-%d} is done")
    day = here.date()
    while True:
        for hour in range(first, 24):
            moment = _at(day, hour, zone)
            if live and now < moment.astimezone(UTC) <= target:
                stops.go(moment)
                if hour == first:
                    stops.night(moment)
                live = stops.strike()
        day += timedelta(days=1)
        morning = _at(day, 0, zone)
        if morning.astimezone(UTC) > target:
            return
        time.sleep(stops.pause)
        stops.go(morning)
        stops.night(morning)
        live = stops.strike()
        stops.out.print(f"{day} is done")


def _at(day: date, hour: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clocktime(hour), zone)


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
