"""What a backtest finds, as sums that can be added up in any order and any grouping. Pure.

Points are whole, amounts in minor units of the programme's currency, days proleptic ordinals in the programme's zone.
``before`` is what was really given, ``after`` what the tried rules would have given; what returns took back is taken
off on both sides.

Budgets are shared by all members, so what one account alone would draw from them is only *asked*; ``within`` cuts
the sums down to what the budgets would have paid.
"""

import zlib
from base64 import b85decode, b85encode
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import Struct, field

from loyalty.errors import Corrupt

TOP: Final = 10
"""So many of those who win and lose most are named, and so many accounts that were set aside."""
MAX_STORES: Final = 5_000
"""Beyond so many stores the smallest of them are summed up under ``OTHERS``."""
OTHERS: Final = "*"
STEPS: Final = (1, 10, 50, 100, 500, 1_000, 5_000)
"""Where the classes of members' gains and losses begin, in points."""
_REASON: Final = 120

_K = TypeVar("_K", int, str)


class Cell(Struct, array_like=True):
    """Sums of one day, store, tier or segment. ``amount`` is what was paid less what was returned."""

    purchases: int = 0
    amount: int = 0
    before: int = 0
    after: int = 0

    def add(self, other: "Cell") -> None:
        self.purchases += other.purchases
        self.amount += other.amount
        self.before += other.before
        self.after += other.after


class RuleCell(Struct, array_like=True):
    """Sums of one rule: how often it gave something, and its points."""

    times_before: int = 0
    before: int = 0
    times_after: int = 0
    after: int = 0

    def add(self, other: "RuleCell") -> None:
        self.times_before += other.times_before
        self.before += other.before
        self.times_after += other.times_after
        self.after += other.after


class Member(Struct, frozen=True, array_like=True):
    """One account's points over the whole window."""

    account: str
    before: int
    after: int

    @property
    def change(self) -> int:
        return self.after - self.before


class Aside(Struct, frozen=True, array_like=True, order=True):
    """An account that could not be replayed; it counts nowhere else."""

    account: str
    reason: str


class Figures(Struct):
    """All sums of some accounts. An account lies wholly in one of the parts that are added up."""

    accounts: int = 0
    """Looked at, those without anything in the window included."""
    members: int = 0
    """With anything in the window."""
    purchases: int = 0
    returns: int = 0
    events: int = 0
    affected: int = 0
    """Purchases that would have earned another number of points."""
    total: Cell = field(default_factory=Cell)
    days: dict[int, Cell] = field(default_factory=dict)
    stores: dict[str, Cell] = field(default_factory=dict)
    tiers: dict[str, Cell] = field(default_factory=dict)
    segments: dict[str, Cell] = field(default_factory=dict)
    """A member in two segments counts in both."""
    rules: dict[str, RuleCell] = field(default_factory=dict)
    campaigns: dict[str, dict[int, int]] = field(default_factory=dict)
    """Points asked of each budget, by day."""
    changes: dict[int, int] = field(default_factory=dict)
    """Members by class of change, see ``class_of``."""
    gained: int = 0
    lost: int = 0
    winners: list[Member] = field(default_factory=list)
    losers: list[Member] = field(default_factory=list)
    aside: int = 0
    reasons: list[Aside] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    """Rules that could not be worked out for some purchase, and how often."""

    def add(self, other: "Figures") -> None:
        """Add up. In whatever order and grouping parts are added, the sums are the same."""
        self.accounts += other.accounts
        self.members += other.members
        self.purchases += other.purchases
        self.returns += other.returns
        self.events += other.events
        self.affected += other.affected
        self.gained += other.gained
        self.lost += other.lost
        self.aside += other.aside
        self.total.add(other.total)
        for mine, theirs in (
            (self.stores, other.stores),
            (self.tiers, other.tiers),
            (self.segments, other.segments),
        ):
            _add_cells(mine, theirs)
        _add_cells(self.days, other.days)
        for rule, sums in other.rules.items():
            self.rules.setdefault(rule, RuleCell()).add(sums)
        for campaign, days in other.campaigns.items():
            _add_numbers(self.campaigns.setdefault(campaign, {}), days)
        _add_numbers(self.changes, other.changes)
        _add_numbers(self.failures, other.failures)
        self.winners = best([*self.winners, *other.winners])
        self.losers = worst([*self.losers, *other.losers])
        self.reasons = sorted([*self.reasons, *other.reasons])[:TOP]

    def count_member(self, account: str, before: int, after: int) -> None:
        """Enter an account whose purchases have been entered."""
        member = Member(account, before, after)
        self.members += 1
        _add_numbers(self.changes, {class_of(member.change): 1})
        self.gained += max(0, member.change)
        self.lost += max(0, -member.change)
        self.winners = best([*self.winners, member])
        self.losers = worst([*self.losers, member])


def set_aside(account: str, reason: str) -> Figures:
    """The figures of an account that could not be replayed."""
    return Figures(accounts=1, aside=1, reasons=[Aside(account, reason[:_REASON])])


def merged(parts: Iterable[Figures]) -> Figures:
    """The sum of all parts."""
    whole = Figures()
    for part in parts:
        whole.add(part)
    return whole


def class_of(change: int) -> int:
    """0 for no change; ±n for one that has reached the n-th of ``STEPS``."""
    size = bisect_right(STEPS, abs(change))
    return size if change >= 0 else -size


def best(members: Iterable[Member]) -> list[Member]:
    """Those who gain most, ties by id."""
    return sorted((one for one in members if one.change > 0), key=lambda one: (-one.change, one.account))[:TOP]


def worst(members: Iterable[Member]) -> list[Member]:
    """Those who lose most, ties by id."""
    return sorted((one for one in members if one.change < 0), key=lambda one: (one.change, one.account))[:TOP]


class Drawn(Struct, frozen=True):
    """What a budget would have paid. ``day`` is the first on which it could not pay all; None when it paid all."""

    asked: int
    paid: int
    day: int | None


def within(figures: Figures, budgets: Mapping[str, int], rules: Mapping[str, Iterable[str]]) -> dict[str, Drawn]:
    """Cut ``figures`` down to what ``budgets`` (points by campaign) would have paid, and say what each paid.

    What a budget could not pay is taken off the total, off the days from the one on which it ran dry, and off the
    campaign's ``rules`` in proportion to their points. Which member, store, tier or segment would have come too late
    is not known: their sums stay as asked.
    """
    drawn = {}
    for campaign, days in sorted(figures.campaigns.items()):
        asked, left, dry = sum(days.values()), budgets.get(campaign, 0), None
        for day, points in sorted(days.items()):
            short = max(0, points - left)
            left -= points - short
            if short:
                dry = day if dry is None else dry
                figures.days.setdefault(day, Cell()).after -= short
                figures.total.after -= short
        paid = min(asked, budgets.get(campaign, 0))
        _cut([figures.rules[rule] for rule in sorted(rules.get(campaign, ())) if rule in figures.rules], asked - paid)
        drawn[campaign] = Drawn(asked, paid, dry)
    return drawn


def _cut(rules: list[RuleCell], over: int) -> None:
    """Take ``over`` points off in proportion; what rounding leaves comes off those that stand first."""
    whole = sum(max(0, rule.after) for rule in rules)
    over = min(over, whole)
    shares = [max(0, rule.after) * over // whole if whole else 0 for rule in rules]
    left = over - sum(shares)
    for rule, share in zip(rules, shares, strict=True):
        further = min(left, max(0, rule.after) - share)
        rule.after -= share + further
        left -= further


def pack(figures: Figures) -> str:
    """Text to store: the same for equal figures."""
    data = msgspec.to_builtins(_few_stores(figures), str_keys=True)
    return b85encode(zlib.compress(msgspec.json.encode(data, order="sorted"), 6)).decode()


def unpack(text: str) -> Figures:
    """Inverse of ``pack``; Corrupt for anything else."""
    try:
        return msgspec.json.decode(zlib.decompress(b85decode(text)), type=Figures)
    except (ValueError, zlib.error, msgspec.MsgspecError) as error:
        raise Corrupt("the stored figures of a backtest cannot be read") from error


def _few_stores(figures: Figures) -> Figures:
    if len(figures.stores) <= MAX_STORES:
        return figures
    ordered = sorted(figures.stores.items(), key=lambda item: (item[0] == OTHERS, -item[1].purchases, item[0]))
    kept = {store: sums for store, sums in ordered[: MAX_STORES - 1] if store != OTHERS}
    rest = Cell()
    for store, sums in ordered:
        if store not in kept:
            rest.add(sums)
    return msgspec.structs.replace(figures, stores=kept | {OTHERS: rest})


def _add_cells(mine: dict[_K, Cell], theirs: Mapping[_K, Cell]) -> None:
    for key, cell in theirs.items():
        mine.setdefault(key, Cell()).add(cell)


def _add_numbers(mine: dict[_K, int], theirs: Mapping[_K, int]) -> None:
    for key, number in theirs.items():
        mine[key] = mine.get(key, 0) + number
