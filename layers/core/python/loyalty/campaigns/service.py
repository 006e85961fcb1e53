"""Use cases of campaigns: handed in, started, paused, resumed, cancelled, taken up again, looked at."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from loyalty.campaigns import run, trial
from loyalty.campaigns.campaign import Campaign, encode
from loyalty.campaigns.preview import Outlook, Purse, reach, summed
from loyalty.campaigns.run import Aside, Shown, Status
from loyalty.campaigns.runs import Runs, told
from loyalty.campaigns.store import ASIDE, CampaignStore
from loyalty.campaigns.touches import Touches
from loyalty.errors import Conflict, Invalid, NotFound, Refused
from loyalty.programs.terms import Program
from loyalty.table import keys
from loyalty.table.writes import Cancelled, ConditionFailed, Contended, Put

if TYPE_CHECKING:
    from loyalty.campaigns.document import Checked

MAX_ISSUES: Final = 100
MAX_TRIES: Final = 5
MAX_STORED: Final = 390_000
"""Bytes of a campaign and the file that it stands in: the table keeps 400 KB together. A letter may be four of them."""
AHEAD: Final = 730
"""Days that a preview looks ahead at most."""


class Around(Struct, frozen=True):
    """What campaigns need of other features: the programme's policy, the ids of its segments, and the write that sets a
    campaign's budget, over the one that is there; and what of it is handed out.
    """

    policy: Callable[[str], Program]
    segments: Callable[[str], tuple[str, ...]]
    budget: Callable[[str, str, int], Put]
    spent: Callable[[str, str], int]


class Asked(Struct, frozen=True):
    """Which members a preview is to look at, as if they came in on ``day`` (0: today, or the first of the calendar):
    at most ``limit`` behind ``cursor``, of all or of one ``part`` of ``keys.MEMBER_SHARDS``, so that all parts can be
    looked at at the same time. ``purse`` is how far the budget reaches.
    """

    program: str
    campaign: str
    day: int = 0
    limit: int = 25
    cursor: str = ""
    part: int | None = None
    purse: Purse | None = None


class Seen(Struct, frozen=True):
    """A page: what is ahead of each, the cursor to go on with, empty at the end; points that are ``left`` of the
    budget, None without one; and how far they reach after this page, None where they do for all of it.
    """

    outlooks: list[Outlook]
    following: str
    left: int | None
    purse: Purse | None


class Campaigns:
    """Campaigns of every programme."""

    def __init__(self, store: CampaignStore, touches: Touches, runs: Runs, around: Around) -> None:
        self._store = store
        self._touches = touches
        self._runs = runs
        self._around = around

    def check(self, program: str, source: str) -> "Checked":
        """What a file of campaigns comes to in a programme."""
        from loyalty.campaigns import document

        known = document.Known(segments=self._around.segments(program))
        return document.check(source, "campaigns", self._around.policy(program), known)

    def hand_in(self, program: str, source: str, now: int) -> tuple[list[Shown], "Checked"]:
        """The next version of every campaign of a file. What is as it was gets none. One that is scheduled begins with
        it on its day. Refused when the file is wrong, or one of its cases comes out otherwise; Conflict for a campaign
        that is over, and is otherwise now.
        """
        from loyalty.campaigns import expectations

        checked = self.check(program, source)
        if checked.issues:
            raise _wrong(checked)
        largest = max((len(encode(one).encode()) for one in checked.campaigns), default=0)
        if len(source.encode()) + largest > MAX_STORED:
            raise Invalid("REQUEST_INVALID", "source: too long to be kept; hand it in as several files", field="source")
        for result in expectations.run(checked.campaigns, checked.cases):
            if not result.passed:
                raise Refused("CAMPAIGNS_EXPECTATION_FAILED", f"{result.name}: {result.message}", line=result.line)
        day = self._around.policy(program).day(now)
        planned = [(one, self._next(program, one, day, now)) for one in checked.campaigns]
        return [self._keep(one, status, source, now) for one, status in planned], checked

    def _next(self, program: str, campaign: Campaign, day: int, now: int) -> Status | None:
        """How far a campaign has come with its next version; None where it would be as it was."""
        before = self._store.status(program, campaign.id) or Status(program, campaign.id)
        last = self._store.version(program, campaign.id, before.version) if before.version else None
        if last is not None and encode(replace(last[0], version=0)) == encode(replace(campaign, version=0)):
            return None
        return run.handed_in(before, campaign, day, now)

    def _keep(self, campaign: Campaign, status: Status | None, source: str, now: int) -> Shown:
        if status is None:
            return self.show(campaign.program, campaign.id)
        new = replace(campaign, version=status.version)
        puts = [self._store.version_put(new, source, now)]
        if status.runs == new.version and new.budget is not None:
            puts.append(self._around.budget(new.program, new.id, new.budget.points))
        try:
            status = self._store.write(status, *puts)
        except (Cancelled, ConditionFailed, Contended):
            raise _moved_on() from None
        return Shown(status, new, source)

    def all(self, program: str) -> list[Shown]:
        """By id."""
        return [Shown(status, self._touches.version(status)) for status in self._store.all(program)]

    def show(self, program: str, campaign: str, *, newest: bool = False) -> Shown:
        """As it runs, or with ``newest`` as it was handed in last. NotFound."""
        status = self._status(program, campaign)
        version = status.version if newest else status.runs or status.version
        found = self._store.version(program, campaign, version)
        if found is None:
            raise _unknown()
        return Shown(status, *found)

    def start(self, program: str, campaign: str, now: int, world: int) -> Shown:
        """From now on, or from the first day of its calendar. Where it runs already, or is paused, the version that was
        handed in last takes over, for whoever comes in from now on. Conflict when there is none, or it is over;
        Refused when its segment is there no more.
        """

        def change(status: Status) -> tuple[Status, list[Put]]:
            newest = self._touches.version(status, status.version)
            segment = newest.audience.segment
            if segment and segment not in self._around.segments(program):
                message = f"There is no segment {segment} any more, and nobody would ever come in"
                raise Refused("CAMPAIGN_SEGMENT_GONE", message)
            puts: list[Put] = []
            day = self._around.policy(program).day(now)
            if status.state in ("running", "paused"):
                after = run.taken_over(status, self._touches.version(status), newest, day, now)
            else:
                after = run.started(status, newest, day, now)
                puts += [self._store.told_put(told("started", after, now))] if after.running else []
            if newest.budget is not None:
                puts.append(self._around.budget(program, campaign, newest.budget.points))
            return after, puts

        return self._changed(program, campaign, change, now, world)

    def pause(self, program: str, campaign: str, now: int, world: int) -> Shown:
        """Nobody comes in and nobody is told anything, until it is resumed. One that is scheduled does not begin."""
        day = self._around.policy(program).day(now)
        return self._changed(program, campaign, lambda one: (run.paused(one, day, now), []), now, world)

    def resume(self, program: str, campaign: str, now: int, world: int) -> Shown:
        day = self._around.policy(program).day(now)
        return self._changed(program, campaign, lambda one: (run.resumed(one, day, now), []), now, world)

    def redrive(self, program: str, campaign: str, now: int, world: int) -> Shown:
        """Go through everybody once more: whoever was set aside is seen to, and nobody twice. Whoever cannot be seen
        to again is set aside again. Who was set aside is kept until everybody has been gone through.
        """
        return self._changed(program, campaign, lambda one: (run.redriven(one, now), []), now, world)

    def cancel(self, program: str, campaign: str, why: str, now: int, world: int) -> Shown:
        """For good. What was given stays given."""

        def change(status: Status) -> tuple[Status, list[Put]]:
            after = run.cancelled(status, why, now)
            return after, [self._store.told_put(told("finished", after, now))] if status.runs else []

        return self._changed(program, campaign, change, now, world)

    def aside(self, program: str, campaign: str, limit: int, cursor: str) -> tuple[list[Aside], str]:
        """Who was set aside and why, and the cursor to go on with, empty at the end. NotFound; Invalid."""
        if cursor and not cursor.startswith(ASIDE):
            raise Invalid("REQUEST_INVALID", "cursor must be what the page before gave as next", field="cursor")
        self._status(program, campaign)
        found, last = self._store.aside(program, campaign, limit, cursor or None)
        return found, last or ""

    def preview(self, asked: Asked, now: int) -> Seen:
        """A page of whom a campaign is for, with what is ahead of each. Nothing is written. When the page is all there
        is, a budget that does not reach is reckoned with at once; else whoever asks adds pages up, finds out how far it
        reaches, and asks again with that ``purse``. NotFound; Invalid names ``day``, ``cursor``.
        """
        program, status = asked.program, self._status(asked.program, asked.campaign)
        newest = self._touches.version(status)
        number, _, after = asked.cursor.partition(".")
        first, end = (0, keys.MEMBER_SHARDS) if asked.part is None else (asked.part, asked.part + 1)
        if asked.cursor and not (number.isascii() and number.isdecimal() and first <= int(number) < end):
            raise Invalid("REQUEST_INVALID", "cursor must be what the page before gave as next", field="cursor")
        shard, shards = int(number or first), dict[int, list[str]]()
        today = self._around.policy(program).day(now)
        on = asked.day or max(today, newest.calendar.first)
        if not today <= on <= today + AHEAD:
            raise Invalid("REQUEST_INVALID", f"day must be today, or one of the {AHEAD} after it", field="day")
        segment = newest.audience.segment if newest.audience.frozen else ""
        looked = 0
        while shard < end and looked < asked.limit:
            accounts, more = self._store.audience(program, segment, shard, after, asked.limit - looked)
            shards[shard] = accounts
            looked += len(accounts)
            shard, after = (shard, accounts[-1]) if more and accounts else (shard + 1, "")
        following = "" if shard >= end else f"{shard}.{after}"
        live, purse = self._touches.live(program), asked.purse
        found = self._touches.outlooks(newest, shards, on, now, live, purse)
        left = None
        if newest.budget is not None:  # one that was lowered may be less than what was given
            left = max(newest.budget.points - self._around.spent(program, newest.id), 0)
        alone = not asked.cursor and not following and asked.part is None
        if left is not None and alone and purse is None:
            purse = reach(summed(found, newest.id), left)
            found = found if purse is None else self._touches.outlooks(newest, shards, on, now, live, purse)
        return Seen(found, following, left, purse)

    def texts(self, program: str, campaign: str, asked: trial.Asked, now: int) -> trial.Trial:
        """What a step says, by the version that was handed in last. Nothing is read of any member. NotFound; Invalid
        names what does not fit.
        """
        status = self._status(program, campaign)
        newest = self._touches.version(status, status.version)
        return trial.trial(newest, asked, self._around.policy(program).day(now))

    def reports(self, program: str, campaign: str) -> list[tuple[int, str]]:
        """(day, report as JSON) of every look, the oldest first. NotFound."""
        self._status(program, campaign)
        return self._store.reports(program, campaign)

    def _changed(
        self,
        program: str,
        campaign: str,
        change: Callable[[Status], tuple[Status, list[Put]]],
        now: int,
        world: int,
    ) -> Shown:
        for _ in range(MAX_TRIES):
            after, further = change(self._status(program, campaign))
            try:
                status = self._store.write(after, *further)
            except (Cancelled, ConditionFailed, Contended):
                continue
            self._runs.drive(status, now, world)
            return self.show(program, campaign)
        raise _moved_on()

    def _status(self, program: str, campaign: str) -> Status:
        found = self._store.status(program, campaign)
        if found is None:
            raise _unknown()
        return found


def _unknown() -> NotFound:
    return NotFound("CAMPAIGN_NOT_FOUND", "There is no such campaign in this programme")


def _moved_on() -> Conflict:
    return Conflict("CAMPAIGN_STATE_CONFLICT", "Somebody else changed the campaign just now: look at it again")


def _wrong(checked: "Checked") -> Refused:
    first = checked.issues[0]
    return Refused(
        "CAMPAIGNS_INVALID",
        f"line {first.line}, column {first.column}: {first.message}",
        field="source",
        issues=[
            {
                "line": one.line,
                "column": one.column,
                "code": one.code,
                "message": one.message,
                **({"suggestion": one.suggestion} if one.suggestion else {}),
            }
            for one in checked.issues[:MAX_ISSUES]
        ],
    )
