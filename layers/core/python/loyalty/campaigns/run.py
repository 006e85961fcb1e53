"""How far a campaign has come, and what its state machine is to do next. Pure.

The machine remembers nothing that matters: each plan is made from what stands in the table. A pause ends the machine's
execution at its next plan, and a resumption begins another one, under the next ``attempt``; what an older attempt still
delivers does nothing. To assign, to touch and to measure again changes nothing, so each attempt goes through everybody.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loyalty.campaigns.campaign import OCCASIONS, Campaign, State, Told
from loyalty.errors import Conflict, Corrupt

LOOK_DAYS: Final = 7
"""Between two looks at a running campaign."""
MOST_LOOKS: Final = 26
OFTEN_LOOKS: Final = 13
"""So many looks are a week apart where more than ``MOST_LOOKS`` would be needed to the end, or there is none. From then
on each comes half as long again after the one before, and a year after it at most: so all of them reach six years.
"""
RARELY_DAYS: Final = 52 * LOOK_DAYS
LIVE: Final = frozenset({"scheduled", "running", "paused"})
ENDED: Final = frozenset({"finished", "cancelled"})
Arm = Literal["treated", "control", "holdout"]
Next = Literal["assign", "wait", "measure", "finish", "done"]


class Status(Struct, frozen=True):
    """How far one campaign has come. ``version`` is the newest that was handed in, ``runs`` the one that runs (0 before
    a start). ``begun`` is the moment it began to run, seconds since 1970; ``assigned`` the day on which everybody was
    assigned who is in a frozen audience, 0 before. ``looks`` have been reported, the last of them on ``looked``;
    ``takes`` counts measurements that were begun. ``through`` is the last attempt that has gone through everybody.
    ``paused`` is the day of the last pause, ``idle`` counts days paused since all were assigned; ``missed`` is the day
    from which on birthdays and anniversaries are to be made up for, 0 for none. ``why`` says why it ended.
    ``cancelled`` is the moment of that, seconds since 1970, and ``closing`` whether what it did until then is still to
    be counted. ``revision`` counts writes.
    """

    program: str
    id: str
    state: State = "draft"
    version: int = 0
    runs: int = 0
    begun: int = 0
    assigned: int = 0
    attempt: int = 0
    looks: int = 0
    looked: int = 0
    takes: int = 0
    through: int = 0
    paused: int = 0
    idle: int = 0
    missed: int = 0
    why: str = ""
    at: int = 0
    revision: int = 0
    cancelled: int = 0
    closing: bool = False

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def at_work(self) -> bool:
        """Whether an execution is to see to it."""
        return self.running or self.closing


class Participant(Struct, frozen=True):
    """Who takes part on an occasion, and in which group: written once and never changed. ``day`` and ``at`` say when,
    ``number`` is the entry of the wallet that was the last then; ``purchases``, ``last`` and ``spend`` are the
    account's figures.
    """

    account: str
    occasion: str
    arm: Arm
    variant: str
    version: int
    day: int
    at: int
    number: int = 0
    purchases: int = 0
    last: int = 0
    spend: int = 0
    told: Mapping[str, Told] = {}

    @property
    def treated(self) -> bool:
        return self.arm == "treated"

    @property
    def group(self) -> str:
        """As results are summed: a variant's name, ``control`` or ``holdout``."""
        return (self.variant or "treated") if self.treated else self.arm


class Batch(Struct, frozen=True):
    """Some of the members of a shard: those behind the sort key ``after`` up to ``to``. ``take`` is the measurement
    that it is part of, and ``look`` the number of the look.
    """

    program: str
    campaign: str
    attempt: int
    phase: str
    shard: int
    after: str
    to: str
    take: int = 0
    look: int = 0


class Cursor(Struct, frozen=True):
    """How far a plan has come in a phase: all of the shards before, and this one up to ``after``."""

    phase: str
    shard: int = 0
    after: str = ""
    take: int = 0


class Plan(Struct, frozen=True):
    """What the machine does next; the plan after it is asked for with it."""

    program: str
    campaign: str
    attempt: int
    next: Next
    batches: list[Batch] = []
    at: Cursor | None = None
    look: int = 0
    final: bool = False

    def plain(self) -> dict[str, Any]:
        """As JSON data, every field written out."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


class Aside(Struct, frozen=True):
    """A member, or a whole batch, that could not be seen to: at which step, why, and when (seconds since 1970). A batch
    begins behind the member ``after``.
    """

    step: str
    what: str
    reason: str
    at: int
    attempt: int = 0
    after: str = ""


class Shown(Struct, frozen=True):
    """A campaign as people ask for it: how far it has come, and what it is."""

    status: Status
    campaign: Campaign
    source: str = ""


def plan_of(data: Mapping[str, Any]) -> Plan:
    """A plan from its JSON form; of an execution's input, which names program, campaign and attempt."""
    return msgspec.convert({"next": "assign", **data}, Plan)


def batch_of(data: Mapping[str, Any]) -> Batch:
    return msgspec.convert(data, Batch)


def execution_name(status: Status, leg: int = 0) -> str:
    """The same for the same attempt and ``leg``: so it is started once, however often that is asked for. Another
    campaign's is never the same, for no programme has a ``_`` in its id; 80 characters at most, for ids have 32.
    """
    return f"{status.program}_{status.attempt}_{leg}_{status.id}"


# What may be done to a campaign


def handed_in(status: Status, campaign: Campaign, day: int, now: int) -> Status:
    """With its next version, which a running campaign does not care for; one that was started and has not begun begins
    with it.
    """
    if status.state in ENDED:
        raise Conflict("CAMPAIGN_STATE_CONFLICT", f"The campaign is {status.state}: hand it in under another id")
    after = replace(status, version=status.version + 1, at=now)
    if status.runs and not status.begun:
        _not_over(campaign, day)
        return replace(after, runs=after.version)
    return after if status.runs else replace(after, state="draft")


def started(status: Status, campaign: Campaign, day: int, now: int) -> Status:
    """Running, or scheduled for the first day of its calendar."""
    _only(status, "draft", "scheduled")
    _not_over(campaign, day)
    if day < campaign.calendar.first:
        return replace(status, state="scheduled", runs=status.version, at=now)
    return begun(replace(status, runs=status.version), now)


def taken_over(status: Status, before: Campaign, campaign: Campaign, day: int, now: int) -> Status:
    """The version that was handed in last takes over from the one that runs: for whoever comes in from now on. Conflict
    where there is no other, for one that is over already, and for one that would be another campaign: measured
    otherwise, or with other groups.
    """
    if status.state not in ("running", "paused") or status.runs == status.version:
        raise _conflict(status)
    if differ := _another(before, campaign):
        said = f"The campaign is {status.state}, and {', '.join(differ)} cannot change: hand it in under another id"
        raise Conflict("CAMPAIGN_STATE_CONFLICT", said)
    _not_over(campaign, day)
    return replace(status, runs=status.version, at=now)


def _another(before: Campaign, campaign: Campaign) -> list[str]:
    """What is different, by its name in the file, of all that groups and their comparison stand on."""
    names = ("metric", "window_days", "repeat", "repeat_days", "control", "salt", "variants", "service", "smallest")
    found = [name for name in names if getattr(before, name) != getattr(campaign, name)]
    whom = ("enter",) if before.audience.enter else ("enter", "segment", "text")
    if any(getattr(before.audience, name) != getattr(campaign.audience, name) for name in whom):
        found.append("audience")
    if before.calendar.first != campaign.calendar.first:
        found.append("calendar.from")
    # Looks have a price that is paid beforehand.
    if looks_planned(campaign) > looks_planned(before):
        found.append("calendar.until")
    return sorted({"repeat" if name == "repeat_days" else name for name in found})


def begun(status: Status, now: int) -> Status:
    return replace(status, state="running", begun=now, attempt=status.attempt + 1, at=now)


def paused(status: Status, day: int, now: int) -> Status:
    _only(status, "running", "scheduled")
    missed = status.missed or (day if status.running else 0)
    return replace(status, state="paused", paused=day, missed=missed, at=now)


def resumed(status: Status, day: int, now: int) -> Status:
    """One that was paused before its first day waits for that day again, or begins within the hour."""
    _only(status, "paused")
    if not status.begun:
        return replace(status, state="scheduled", at=now)
    idle = status.idle + (day - status.paused if status.assigned else 0)
    return replace(status, state="running", attempt=status.attempt + 1, idle=idle, at=now)


def redriven(status: Status, now: int) -> Status:
    """Everybody is gone through once more; what one did that was cancelled is counted once more."""
    if status.state == "cancelled" and status.begun:
        return _closing(status, now)
    _only(status, "running")
    return replace(status, attempt=status.attempt + 1, at=now)


def cancelled(status: Status, why: str, now: int) -> Status:
    """Over for good. Of one that had begun, what it did is counted by one more attempt."""
    if status.state in ENDED:
        raise _conflict(status)
    after = replace(status, state="cancelled", why=why, at=now)
    return _closing(after, now) if status.begun else after


def _closing(status: Status, now: int) -> Status:
    when = status.cancelled or status.at
    return replace(status, attempt=status.attempt + 1, cancelled=when, closing=True, at=now)


def closed(status: Status, look: int, day: int) -> Status:
    """What it did is reported."""
    return replace(status, looks=look, looked=day, closing=False)


def finished(status: Status, now: int, why: str = "") -> Status:
    return replace(status, state="finished", why=why, at=now)


def _not_over(campaign: Campaign, day: int) -> None:
    if campaign.calendar.last and day > campaign.calendar.last:
        raise Conflict("CAMPAIGN_STATE_CONFLICT", "The calendar of the campaign is over")


def _only(status: Status, *states: State) -> None:
    if status.state not in states:
        raise _conflict(status)


def _conflict(status: Status) -> Conflict:
    return Conflict("CAMPAIGN_STATE_CONFLICT", f"The campaign is {status.state}")


# When


def ends(status: Status, campaign: Campaign) -> int:
    """The day on which the last window is over, and the last step done; 0 while nobody can say. Steps that a pause put
    off come after it, so the end is put off as long; but nothing comes after the calendar's.
    """
    window = max(campaign.window_days, campaign.days + 1)
    if campaign.audience.frozen:
        # Who came in at noon has a window until noon: the day on which it ends must be over.
        window = max(campaign.window_days, campaign.days) + 1
        return status.assigned + window + status.idle if status.assigned else 0
    return campaign.calendar.last + 1 + window if campaign.calendar.last else 0


def gathered(campaign: Campaign) -> bool:
    """Whether all members are gone through when it begins: to take part, or to have their day of the year noted."""
    return campaign.audience.frozen or campaign.audience.enter in OCCASIONS


def goes_by(status: Status, campaign: Campaign) -> str:
    """The segment that members are still to come in by; "" for none, and where all were assigned who are in one."""
    assigned = campaign.audience.frozen and status.assigned and status.through == status.attempt
    return "" if assigned else campaign.audience.segment


def looks_planned(campaign: Campaign) -> int:
    """How many looks there may be before the end: those that lie within the last member's window."""
    weeks = _weeks(campaign)
    return MOST_LOOKS if weeks is None else min(MOST_LOOKS, weeks)


def _weeks(campaign: Campaign) -> int | None:
    """Whole weeks that may be looked back on before the end; None where nobody can say."""
    if campaign.audience.frozen:
        return (campaign.window_days - 1) // LOOK_DAYS
    if not campaign.calendar.last or not campaign.calendar.first:
        return None
    span = campaign.calendar.last + campaign.window_days - campaign.calendar.first
    return max(0, span // LOOK_DAYS)


def next_look(status: Status, campaign: Campaign, begun_day: int) -> int:
    """The day of the next look before the end; 0 for none. Who comes in one by one is looked at when the window is
    over, who came in with all others while it goes on.
    """
    if status.looks >= looks_planned(campaign):
        return 0
    first = status.assigned if campaign.audience.frozen else begun_day + campaign.window_days
    weeks = _weeks(campaign)
    longer = max(0, status.looks - OFTEN_LOOKS + 1) if weeks is None or weeks > MOST_LOOKS else 0
    rest = LOOK_DAYS
    for _ in range(longer):
        rest = min(rest * 3 // 2, RARELY_DAYS)
    return (status.looked or first) + rest


# Stored forms


def encode_status(status: Status) -> str:
    return msgspec.json.encode(status).decode()


def decode_status(text: str) -> Status:
    try:
        return msgspec.json.decode(text, type=Status)
    except msgspec.MsgspecError as error:
        raise Corrupt("a stored campaign's state cannot be read") from error


def encode_participant(one: Participant) -> str:
    data: dict[str, Any] = {
        "a": one.arm,
        "v": one.variant,
        "r": one.version,
        "d": one.day,
        "m": one.at,
        "f": [one.number, one.purchases, one.last, one.spend],
        "t": dict(one.told),
    }
    return msgspec.json.encode({name: value for name, value in data.items() if value}).decode()


def decode_participant(sk: str, text: str) -> Participant:
    account, occasion = sk.split("#", 1)
    data = msgspec.json.decode(text)
    number, purchases, last, spend = data["f"]
    return Participant(
        account,
        occasion,
        data["a"],
        data.get("v", ""),
        data["r"],
        data["d"],
        data["m"],
        number,
        purchases,
        last,
        spend,
        data.get("t", {}),
    )
