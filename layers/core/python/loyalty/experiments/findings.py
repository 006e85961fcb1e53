"""What a measurement says: effects, looks, the report. Only shapes, which may be stored and answered as they are; what
works them out is elsewhere, so that who only reads a report loads no statistics.

Shares are between 0 and 1, means and money are minor units of the programme's currency.
"""

from typing import Final, Literal

from msgspec import Struct

from loyalty.experiments.sums import ArmSums, Metric

Verdict = Literal["effective", "harmful", "no effect", "cannot tell yet"]
"""``no effect``: none as large as would be worth knowing, either way."""
Distrust = Literal[
    "",
    "too few members",
    "too few who did it",
    "a few members decide",
    "margin unknown",
    "members missing",
    "cancelled",
]
"""Why an interval is not to be trusted; empty where it is."""

TOO_FEW_MEMBERS: Final = "too few members"
TOO_FEW_DID: Final = "too few who did it"
A_FEW_DECIDE: Final = "a few members decide"
MARGIN_UNKNOWN: Final = "margin unknown"
MISSING: Final = "members missing"
CANCELLED: Final = "cancelled"


class Effect(Struct, frozen=True):
    """The difference ``treated - control`` of a share or a mean, and between which numbers it lies at ``confidence``.

    ``low`` and ``high`` are None where nothing bounds it, as with an empty group.
    ``lift`` is the difference as a share of the control's, None where that has nothing. ``distrust`` says why the
    interval is not to be relied on: then the verdict is "cannot tell yet" whatever it holds. ``needed`` is how many
    more members, in both groups together and divided as now, would show ``sought`` with 80 in 100 campaigns; None
    where no number would.
    """

    metric: Metric
    treated_members: int
    control_members: int
    treated: float
    control: float
    difference: float
    low: float | None
    high: float | None
    confidence: float
    verdict: Verdict
    lift: float | None = None
    distrust: Distrust = ""
    sought: float = 0.0
    """The difference that ``needed`` is reckoned for: the smallest worth knowing where that was said, else the one
    seen.
    """
    needed: int | None = None


class Look(Struct, frozen=True):
    """A look at the numbers on a ``day`` (ordinal); ``number`` counts from 1. ``spent`` is the part of the campaign's
    error rate that this look could use up.
    """

    number: int
    day: int
    spent: float
    effect: Effect


class Winner(Struct, frozen=True):
    """The variant that is better than every other, each difference clear at ``error_rate`` for all pairs together;
    ``variant`` is empty while none is.
    """

    metric: Metric
    variant: str
    error_rate: float
    pairs: tuple[tuple[str, str, Effect], ...] = ()
    """(one, other, effect of the one against the other)."""


class Return(Struct, frozen=True):
    """Money: what the campaign cost and what it brought, in minor units. ``ratio`` is ``(brought - cost) / cost``,
    None where nothing was spent, or nothing is known of the margin or of what a point costs.
    """

    points: int
    points_cost: int
    messages: int
    messages_cost: int
    cost: int
    brought: float | None = None
    low: float | None = None
    high: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    confidence: float = 0.0
    distrust: Distrust = ""


class Arm(Struct, frozen=True):
    """One arm as it is. ``name`` is ``control``, ``holdout`` or a variant's; ``effect`` is the variant's against
    control.
    """

    name: str
    members: int
    reached: int
    value: float
    """Of the metric: a share, or a mean."""
    buyers: int
    spend: int
    redeemers: int
    points: int
    messages: dict[str, int]
    blocked: dict[str, int]
    effect: Effect | None = None
    fates: dict[str, int] = {}
    """What became of the messages that were decided on, by ``FATES``; ``messages`` are those that were sent."""
    missing: int = 0
    """Members that could not be read: they are in none of these numbers."""


class Report(Struct, frozen=True):
    """What a campaign came to. ``effect`` is that of all variants together against control; it, and it alone, says
    whether the campaign is called effective. ``called`` is the first look that already said so, or that it does harm.
    """

    metric: Metric
    currency: str
    window_days: int
    error_rate: float
    final: bool
    effect: Effect
    arms: tuple[Arm, ...]
    money: Return
    looks: tuple[Look, ...] = ()
    planned_looks: int = 0
    called: Look | None = None
    winner: Winner | None = None
    together: Effect | None = None
    """Of all campaigns that reached these members in the window: everybody who is not held out of the programme's
    campaigns, this one's control included, against those who are. None where nobody is.
    """
    cancelled: int = 0
    """The day (ordinal) on which the campaign was cancelled, 0 where it was not: what it did is counted until the
    report was made, and no effect is stated.
    """


class Measuring(Struct, frozen=True):
    """How a campaign is measured, fixed before it starts.

    ``looks`` is how often one may look before the end. ``smallest`` is the smallest difference worth knowing, a share
    or minor units per member; 0 for none said. ``margin_permille`` is what is earned of a spend where the margin of
    purchases is not known. ``point_cost`` and ``message_costs`` (by channel) are thousandths of the minor unit.
    """

    metric: Metric
    currency: str
    window_days: int
    variants: tuple[str, ...] = ("treated",)
    control: str = "control"
    looks: int = 0
    error_rate: float = 0.05
    smallest: float = 0.0
    margin_permille: int | None = None
    point_cost: int = 0
    message_costs: dict[str, int] = {}


Arms = dict[str, ArmSums]
