"""The policy document on the wire: what is read is what may be written. Its meaning is checked by
``loyalty.programs.policy``.
"""

from typing import Annotated, Literal

from msgspec import Meta, field

from loyalty.shapes import Body, Currency

Minutes = Annotated[int, Meta(ge=1, le=43_200)]
Day = Annotated[str, Meta(pattern=r"^[0-9]{2}-[0-9]{2}$(?!\n)", description="MM-DD", examples=["12-31"])]


class Shown(Body, omit_defaults=False):
    """Part of a document that is read as well as written: whole, with its defaults."""


class EarnRate(Shown):
    """``rate`` is points per whole unit of the currency, exact."""

    rate: Annotated[
        str, Meta(pattern=r"^[0-9]{1,9}(/[0-9]{1,9}|\.[0-9]{1,6})?$(?!\n)", description="1, 3/2 or 1.5", examples=["1"])
    ] = "1"


class NoExpiry(Shown, tag_field="kind", tag="none"):
    """Points last for good."""


class RollingExpiry(Shown, tag_field="kind", tag="rolling"):
    """Points last so many months from the day they begin, to the end of that day, month, quarter or year."""

    months: Annotated[int, Meta(ge=1, le=120)]
    rounding: Literal["day", "month", "quarter", "year"] = "month"


class FixedDatesExpiry(Shown, tag_field="kind", tag="fixed_dates"):
    """Points last until the next of these days, that day included."""

    dates: Annotated[list[Day], Meta(min_length=1, max_length=12)]


class Immediate(Shown, tag_field="kind", tag="immediate"):
    """Points can be spent at once."""


class Delay(Shown, tag_field="kind", tag="delay"):
    """Points can be spent from the start of the day so many days after the purchase."""

    days: Annotated[int, Meta(ge=1, le=90)]


class HoldTerms(Shown):
    """How long a hold lasts when the caller does not say, and at most."""

    default_minutes: Minutes = 60
    max_minutes: Minutes = 10_080


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
    expiry: NoExpiry | RollingExpiry | FixedDatesExpiry = field(default_factory=lambda: RollingExpiry(months=24))
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
    sandbox: Annotated[bool, Meta(description="A programme to try things in: it has a clock of its own")] = False
