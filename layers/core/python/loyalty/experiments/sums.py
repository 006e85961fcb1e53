"""Outcomes of members, and their sums by arm. Pure, and whole numbers only.

Sums can be added up in any order and any grouping, and come out the same. From them alone every effect and interval is
worked out: no member's outcome need be kept.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

from msgspec import Struct, field

Metric = Literal["repurchase", "spend", "margin", "redemption"]
METRICS: Final[tuple[Metric, ...]] = get_args(Metric)
SHARES: Final = frozenset({"repurchase", "redemption"})
"""Metrics that say which share of the members did something; the others are a mean in minor units."""


FATES: Final = ("decided", "sent", "delivered", "returned", "doubtful", "failed", "waiting")
"""What became of messages: all that were decided on are ``sent`` (the provider took it), ``doubtful`` (nobody knows),
``failed`` (refused at the last moment, or tried for a day in vain) or ``waiting``. Of those sent, some are known to
have been ``delivered``, some came back.
"""


class Outcome(Struct, frozen=True, array_like=True):
    """What one member did in the window after it was assigned: purchases that stand, what was paid for them less what
    came back (minor units), its margin (minor units; None where it is not known), redemptions that stand.
    """

    purchases: int = 0
    spend: int = 0
    margin: int | None = None
    redemptions: int = 0

    def plus(self, other: "Outcome") -> "Outcome":
        """Of two wallets of one member. The margin is known where both are."""
        known = self.margin is not None and other.margin is not None
        return Outcome(
            self.purchases + other.purchases,
            self.spend + other.spend,
            (self.margin or 0) + (other.margin or 0) if known else None,
            self.redemptions + other.redemptions,
        )


class Sums(Struct, array_like=True):
    """Of one number over ``n`` members: its sum, the sums of its squares and cubes, how many have any of it, and the
    largest.
    """

    n: int = 0
    total: int = 0
    squares: int = 0
    cubes: int = 0
    nonzero: int = 0
    largest: int = 0

    def count(self, value: int) -> None:
        """One member's."""
        self.n += 1
        self.total += value
        self.squares += value * value
        self.cubes += value * value * value
        self.nonzero += value != 0
        self.largest = max(self.largest, value)

    def add(self, other: "Sums") -> None:
        self.n += other.n
        self.total += other.total
        self.squares += other.squares
        self.cubes += other.cubes
        self.nonzero += other.nonzero
        self.largest = max(self.largest, other.largest)

    @classmethod
    def of(cls, values: Iterable[int]) -> "Sums":
        sums = cls()
        for value in values:
            sums.count(value)
        return sums


class ArmSums(Struct):
    """All that is summed of one arm's members. Margins are of those members only whose margin is known."""

    members: int = 0
    reached: int = 0
    """To whom at least one message or offer went out."""
    purchases: Sums = field(default_factory=Sums)
    spend: Sums = field(default_factory=Sums)
    margin: Sums = field(default_factory=Sums)
    redemptions: Sums = field(default_factory=Sums)
    points: int = 0
    """Given as offers of the campaign."""
    messages: dict[str, int] = field(default_factory=dict)
    """Sent, by channel."""
    blocked: dict[str, int] = field(default_factory=dict)
    """Not sent, by reason; a member may be in several."""
    fates: dict[str, int] = field(default_factory=dict)
    """What became of all messages that were decided on, by ``FATES``."""
    missing: int = 0
    """Members that could not be read, and are in none of these numbers."""
    bought: dict[str, int] = field(default_factory=dict)
    """Members who bought, by channel on which they were told anything."""

    def count(
        self,
        outcome: Outcome,
        points: int = 0,
        messages: Mapping[str, int] | None = None,
        blocked: Mapping[str, int] | None = None,
        reached: bool | None = None,
        fates: Mapping[str, int] | None = None,
    ) -> None:
        """Enter one member. It counts as ``reached`` when any message or offer went to it, unless said otherwise."""
        sent = messages or {}
        self.members += 1
        self.reached += (points > 0 or any(sent.values())) if reached is None else reached
        self.purchases.count(outcome.purchases)
        self.spend.count(outcome.spend)
        if outcome.margin is not None:
            self.margin.count(outcome.margin)
        self.redemptions.count(outcome.redemptions)
        self.points += points
        _add(self.messages, sent)
        _add(self.blocked, blocked or {})
        _add(self.fates, fates or {})
        if outcome.purchases > 0:
            _add(self.bought, {channel: 1 for channel, count in sent.items() if count})

    def add(self, other: "ArmSums") -> None:
        self.members += other.members
        self.reached += other.reached
        self.purchases.add(other.purchases)
        self.spend.add(other.spend)
        self.margin.add(other.margin)
        self.redemptions.add(other.redemptions)
        self.points += other.points
        _add(self.messages, other.messages)
        _add(self.blocked, other.blocked)
        _add(self.fates, other.fates)
        self.missing += other.missing
        _add(self.bought, other.bought)

    def of(self, metric: Metric) -> Sums:
        """The sums that a metric is worked out from."""
        return {
            "repurchase": self.purchases,
            "spend": self.spend,
            "margin": self.margin,
            "redemption": self.redemptions,
        }[metric]


def merged(parts: Iterable[Mapping[str, ArmSums]]) -> dict[str, ArmSums]:
    """By arm, the sums of all parts."""
    arms: dict[str, ArmSums] = {}
    for part in parts:
        for arm, sums in part.items():
            arms.setdefault(arm, ArmSums()).add(sums)
    return arms


def pooled(arms: Iterable[ArmSums]) -> ArmSums:
    """Several arms as one."""
    whole = ArmSums()
    for arm in arms:
        whole.add(arm)
    return whole


def _add(mine: dict[str, int], theirs: Mapping[str, int]) -> None:
    for name, count in theirs.items():
        mine[name] = mine.get(name, 0) + count
