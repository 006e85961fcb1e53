"""The policy document on the wire: what is read is what may be written. Its meaning is checked by
``loyalty.programs.policy``.
"""

from typing import Annotated, Literal

from msgspec import Meta, field

from loyalty.shapes import Body, Currency
from loyalty.values import MAX_AMOUNT, MAX_POINTS

Minutes = Annotated[int, Meta(ge=1, le=43_200)]
Day = Annotated[str, Meta(pattern=r"^[0-9]{2}-[0-9]{2}$(?!\n)", description="MM-DD", examples=["12-31"])]

Multiplier = Annotated[
    str, Meta(pattern=r"^[0-9]{1,9}(/[0-9]{1,9}|\.[0-9]{1,6})?$(?!\n)", description="1, 3/2 or 1.5", examples=["1"])
]
Rounding = Literal["day", "month", "quarter", "year"]
RequireNotice = Annotated[bool, Meta(description="Nothing ends before its owner was told that it will")]
EventName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)")]
Percent = Annotated[int, Meta(ge=1, le=100)]


class Shown(Body, omit_defaults=False):
    """Part of a document that is read as well as written: whole, with its defaults."""


class EarnRate(Shown):
    """``rate`` is points per whole unit of the currency, exact."""

    rate: Multiplier = "1"


class NoExpiry(Shown, tag_field="kind", tag="none"):
    """Points last for good."""


class RollingExpiry(Shown, tag_field="kind", tag="rolling"):
    """Points last so many months from the day they begin, to the end of that day, month, quarter or year."""

    months: Annotated[int, Meta(ge=1, le=120)]
    rounding: Rounding = "month"
    require_notice: RequireNotice = False


class FixedDatesExpiry(Shown, tag_field="kind", tag="fixed_dates"):
    """Points last until the next of these days, that day included."""

    dates: Annotated[list[Day], Meta(min_length=1, max_length=12)]
    require_notice: RequireNotice = False


class InactivityExpiry(Shown, tag_field="kind", tag="inactivity"):
    """All points last so many months from the last purchase, or the last event of one of the types ``actions``."""

    months: Annotated[int, Meta(ge=1, le=120)]
    rounding: Rounding = "month"
    actions: Annotated[list[EventName], Meta(max_length=50)] = field(default_factory=list)
    require_notice: RequireNotice = False


class Immediate(Shown, tag_field="kind", tag="immediate"):
    """Points can be spent at once."""


class Delay(Shown, tag_field="kind", tag="delay"):
    """Points can be spent from the start of the day so many days after the purchase."""

    days: Annotated[int, Meta(ge=1, le=90)]


class HoldTerms(Shown):
    """How long a hold lasts when the caller does not say, and at most."""

    default_minutes: Minutes = 60
    max_minutes: Minutes = 10_080


class Reminders(Shown):
    """How many days before points end their owner is told."""

    days: Annotated[list[Annotated[int, Meta(ge=1, le=365)]], Meta(min_length=1, max_length=5, examples=[[30, 7]])]


class DecayTerms(Shown):
    """So many months without a purchase take so much of the points, again and again, each time after notice."""

    months: Annotated[int, Meta(ge=1, le=60)]
    percent: Percent
    notice_days: Annotated[int, Meta(ge=0, le=90)] = 14
    require_notice: Annotated[
        bool, Meta(description="Nothing shrinks before its owner was told; so it is where ends require notice, too")
    ] = False


class RenewalTerms(Shown):
    """Points about to end can be made to last so many months longer, for a share of them."""

    months: Annotated[int, Meta(ge=1, le=120)]
    price_percent: Annotated[int, Meta(ge=0, le=100)]


class LevelName(Shown):
    """What members call a tier."""

    en: Annotated[str, Meta(min_length=1, max_length=40, examples=["Gold"])]
    zh: Annotated[str, Meta(max_length=40)] = ""


class Meaning(Shown):
    """What members are told that a condition means."""

    en: Annotated[str, Meta(min_length=1, max_length=120, examples=["500 EUR in five purchases"])]
    zh: Annotated[str, Meta(max_length=120)] = ""


class TierLevel(Shown):
    """A tier, reached by any of its minima and its condition ``when``, with ``all`` by all of them; the lowest may have
    none. ``spend`` is in minor units; ``multiplier`` and ``benefits`` are for rules and rewards to read; ``means`` is
    what members are told of the condition.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,15}$(?!\n)")]
    name: LevelName
    spend: Annotated[int, Meta(ge=1, le=MAX_AMOUNT)] | None = None
    points: Annotated[int, Meta(ge=1, le=MAX_POINTS)] | None = None
    visits: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    all: bool = False
    multiplier: Multiplier = "1"
    benefits: Annotated[list[Annotated[str, Meta(min_length=1, max_length=80)]], Meta(max_length=20)] = field(
        default_factory=list
    )
    when: Annotated[str, Meta(min_length=1, max_length=2_000, examples=["spend >= 500 AND visits >= 5"])] | None = None
    means: Meaning | None = None


class RollingWindow(Shown, tag_field="kind", tag="rolling_months"):
    """Figures of a month count in it and in so many months after it."""

    months: Annotated[int, Meta(ge=1, le=18)]


class CalendarYear(Shown, tag_field="kind", tag="calendar_year"):
    """Figures count from January to December."""


class Anniversary(Shown, tag_field="kind", tag="anniversary"):
    """Figures count from one anniversary to the next."""


class Lifetime(Shown, tag_field="kind", tag="lifetime"):
    """Figures count for good."""


class TierTerms(Shown):
    """Tiers from the lowest to the highest, over what window they are reached, and how they are lost."""

    levels: Annotated[list[TierLevel], Meta(min_length=1, max_length=20)]
    window: RollingWindow | CalendarYear | Anniversary | Lifetime = field(
        default_factory=lambda: RollingWindow(months=12)
    )
    downgrade: Literal["one_down", "to_eligible", "never"] = "one_down"
    grace_days: Annotated[int, Meta(ge=0, le=180)] = 0
    warn_days: Annotated[int, Meta(ge=0, le=90)] = 30


class ChurnTerms(Shown):
    """When a member is thought to be leaving: by the chance that it is still one, or by the chance that it buys again
    within the horizon.
    """

    threshold: Annotated[str, Meta(pattern=r"^0\.[0-9]{1,6}$(?!\n)", examples=["0.5"])] = "0.5"
    by: Literal["alive", "return"] = "alive"
    horizon_days: Annotated[int, Meta(ge=1, le=730)] = 90
    onboarding_days: Annotated[int, Meta(ge=1, le=365)] = 45


class GuardTerms(Shown):
    """How far a rule set that is published may change the points given, by its simulation."""

    change_percent: Annotated[int, Meta(ge=1, le=1000)]


class Policy(Shown):
    """A programme's policy, whole: what is left out takes its default. ``events`` are bonus points by type of event."""

    program: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,31}$(?!\n)", description="The caller's own")]
    name: Annotated[str, Meta(min_length=1, max_length=80)]
    currency: Currency
    timezone: Annotated[str, Meta(max_length=64, description="IANA name", examples=["Europe/Berlin"])] = "UTC"
    wallets: Annotated[
        list[Annotated[str, Meta(pattern=r"^[a-z][a-z0-9]{0,15}$(?!\n)")]], Meta(min_length=1, max_length=8)
    ] = field(default_factory=lambda: ["points"])
    earn: EarnRate = field(default_factory=EarnRate)
    expiry: NoExpiry | RollingExpiry | FixedDatesExpiry | InactivityExpiry = field(
        default_factory=lambda: RollingExpiry(months=24)
    )
    pending: Immediate | Delay = field(default_factory=Immediate)
    return_policy: Literal["only_pending", "within_balance", "arrears"] = "arrears"
    events: Annotated[
        dict[Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)")], Annotated[int, Meta(ge=1, le=1_000_000)]],
        Meta(max_length=50),
    ] = field(default_factory=dict)
    holds: HoldTerms = field(default_factory=HoldTerms)
    purchases_since: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)", examples=["2020-01-01"])] = (
        "2020-01-01"
    )
    reminders: Reminders | None = None
    decay: DecayTerms | None = None
    renewal: RenewalTerms | None = None
    tiers: TierTerms | None = None
    churn: ChurnTerms | None = None
    guard: GuardTerms | None = None
    sandbox: Annotated[bool, Meta(description="A programme to try things in: it has a clock of its own")] = False
