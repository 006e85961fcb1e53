"""A backtest: what is tried, on which days, and how far it has come. Pure.

It is worked off in shards, each of which goes through its accounts page by page and carries its sums along; what is
kept of a shard says which page is next, so a page that is asked for twice is worked off once.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from loyalty.rules.ruleset import RuleSet
from loyalty.table.keys import HEAD_SHARDS

SHARDS: Final = HEAD_SHARDS
MAX_DAYS: Final = 366
MAX_TRIES: Final = 5
"""So often is a page tried; then its shard counts as failed until somebody sends it again."""
SILENT_SECONDS: Final = 3_600
"""A shard that was not heard of for so long has failed without saying so."""


class Asked(Struct, frozen=True):
    """Which days: ``days`` of them, the last of which is ``until`` (an ISO date; "" is today)."""

    days: int
    until: str = ""


class Backtest(Struct, frozen=True):
    """What was asked for. Days are proleptic ordinals in the programme's zone, both ends included; times in seconds
    since 1970, UTC.
    """

    id: str
    program: str
    rule_set: str
    """Id of the draft or version that is tried."""
    name: str
    since: int
    until: int
    started: int
    actor: str
    chunks: int
    """Into how many items its rules are cut."""
    finished: int = 0
    """0: not yet."""


class Shard(Struct, frozen=True):
    """One shard after ``page`` pages. ``cursor`` is where the next one begins, ``known`` how many accounts the shard
    had when it began.
    """

    number: int
    page: int = 0
    cursor: str = ""
    done: bool = False
    known: int = 0
    accounts: int = 0
    tries: int = 0
    reason: str = ""
    changed: int = 0


class Progress(Struct, frozen=True):
    """How far a backtest has come. ``known`` 0 until the first shard has begun; an estimate until all have."""

    accounts: int
    known: int
    shards_done: int
    failed: tuple[Shard, ...]

    @property
    def done(self) -> bool:
        return self.shards_done == SHARDS


def progress(backtest: Backtest, shards: Sequence[Shard], now: int) -> Progress:
    """From what is kept of the shards; one that nothing is kept of has not begun."""
    kept = {shard.number: shard for shard in shards}
    every = [kept.get(number, Shard(number, changed=backtest.started)) for number in range(SHARDS)]
    begun = [shard for shard in every if shard.page]
    known = sum(shard.known for shard in begun)
    failed = []
    for shard in every:
        if shard.done:
            continue
        if shard.tries >= MAX_TRIES:
            failed.append(shard)
        elif now - shard.changed >= SILENT_SECONDS:
            failed.append(replace(shard, reason=shard.reason or "not heard of for an hour"))
    return Progress(
        accounts=sum(shard.accounts for shard in every),
        known=known * SHARDS // len(begun) if begun else 0,
        shards_done=sum(shard.done for shard in every),
        failed=tuple(failed),
    )


class Finished(Struct, frozen=True):
    """What a finished backtest found, in short: what publishing goes by."""

    simulation: str
    rule_set: str
    since: str
    until: str
    days: int
    started: int
    finished: int
    members: int
    purchases: int
    points_before: int
    points_after: int
    set_aside: int

    @property
    def change_percent(self) -> float | None:
        """For people; None where nothing had been given before."""
        return percent(self.points_before, self.points_after)

    def exceeds(self, guard: int) -> bool:
        """Whether the points given change by more than ``guard`` per cent, up or down."""
        return abs(self.points_after - self.points_before) * 100 > guard * max(0, self.points_before)


def percent(before: int, after: int) -> float | None:
    """By how much something changes, in per cent with one decimal place; None from nothing."""
    return round((after - before) * 1000 / before) / 10 if before > 0 else None


def budgets(rules: RuleSet) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Points of each campaign's budget, and the rules that it pays for."""
    paid: dict[str, list[str]] = {}
    for rule in rules.rules:
        if rule.campaign:
            paid.setdefault(rule.campaign, []).append(rule.id)
    return {campaign.id: campaign.points for campaign in rules.campaigns}, paid
