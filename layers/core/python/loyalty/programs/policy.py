"""The policy document that an operator writes, and its checks. Not imported on the hot path: pydantic costs 80 ms at
start.
"""

import re
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from loyalty.errors import Invalid
from loyalty.values import MAX_AMOUNT, MAX_POINTS, Rate, exponent
from loyalty.zones import zones

WALLET = re.compile(r"[a-z][a-z0-9]{0,15}", re.ASCII)
EARLIEST = date(1970, 1, 1)
_EVENT = r"^[a-z][a-z0-9_]{0,31}$"
_LEVEL = r"^[a-z][a-z0-9_]{0,15}$"
SANDBOX = "sandbox-"
PROGRAM = re.compile(r"[a-z][a-z0-9-]{1,31}", re.ASCII)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Earn(_Strict):
    """``rate`` is points per whole unit of the currency, exact: "1", "3/2" or "1.5"."""

    rate: str

    @field_validator("rate")
    @classmethod
    def _is_rate(cls, value: str) -> str:
        Rate.parse(value)
        return value


class NoExpiry(_Strict):
    """Points last for good."""

    kind: Literal["none"]


class RollingExpiry(_Strict):
    """Points last ``months`` from the day they begin, to the end of that day, month, quarter or year."""

    kind: Literal["rolling"]
    months: Annotated[int, Field(ge=1, le=120)]
    rounding: Literal["day", "month", "quarter", "year"] = "month"
    require_notice: bool = False


class InactivityExpiry(_Strict):
    """Points last ``months`` from the last purchase, or the last event of ``actions``, to the end of that day, month,
    quarter or year.
    """

    kind: Literal["inactivity"]
    months: Annotated[int, Field(ge=1, le=120)]
    rounding: Literal["day", "month", "quarter", "year"] = "month"
    actions: Annotated[list[Annotated[str, Field(pattern=_EVENT)]], Field(max_length=50)] = []
    require_notice: bool = False


class FixedDatesExpiry(_Strict):
    """Points last until the next of these days (MM-DD), that day included."""

    kind: Literal["fixed_dates"]
    require_notice: bool = False
    dates: Annotated[list[str], Field(min_length=1, max_length=12)]

    @field_validator("dates")
    @classmethod
    def _are_days(cls, value: list[str]) -> list[str]:
        for day in value:
            if not re.fullmatch(r"[0-9]{2}-[0-9]{2}", day, re.ASCII):
                raise ValueError(f"{day!r} is not MM-DD")
            date.fromisoformat(f"2024-{day}")
        return sorted(set(value))


class Immediate(_Strict):
    """Points can be spent at once."""

    kind: Literal["immediate"]


class Delay(_Strict):
    """Points can be spent from the start of the day so many days after the purchase."""

    kind: Literal["delay"]
    days: Annotated[int, Field(ge=1, le=90)]


class Holds(_Strict):
    """How long a hold lasts when the caller does not say, and at most; in minutes."""

    default_minutes: Annotated[int, Field(ge=1, le=43_200)] = 60
    max_minutes: Annotated[int, Field(ge=1, le=43_200)] = 10_080

    @model_validator(mode="after")
    def _fit(self) -> "Holds":
        if self.default_minutes > self.max_minutes:
            raise ValueError("default_minutes is above max_minutes")
        return self


class Reminders(_Strict):
    """How many days before points end their owner is told."""

    days: Annotated[list[Annotated[int, Field(ge=1, le=365)]], Field(min_length=1, max_length=5)]

    @field_validator("days")
    @classmethod
    def _are_days(cls, value: list[int]) -> list[int]:
        return sorted(set(value), reverse=True)


class Decay(_Strict):
    """So many months without a purchase take so much of the points, again and again, each time after notice. With
    ``require_notice``, here or of the ends of points, nothing is taken before it is confirmed.
    """

    months: Annotated[int, Field(ge=1, le=60)]
    percent: Annotated[int, Field(ge=1, le=100)]
    notice_days: Annotated[int, Field(ge=0, le=90)] = 14
    require_notice: bool = False

    @model_validator(mode="after")
    def _fit(self) -> "Decay":
        if self.notice_days >= 28 * self.months:
            raise ValueError("notice_days is no shorter than what it is notice of")
        return self


class Renewal(_Strict):
    """Points about to end can be made to last ``months`` longer for a share of them."""

    months: Annotated[int, Field(ge=1, le=120)]
    price_percent: Annotated[int, Field(ge=0, le=100)]


class LevelName(_Strict):
    """What members call a tier, by language."""

    en: Annotated[str, Field(min_length=1, max_length=40)]
    zh: Annotated[str, Field(max_length=40)] = ""


class Meaning(_Strict):
    """What members are told that a condition means, by language."""

    en: Annotated[str, Field(min_length=1, max_length=120)]
    zh: Annotated[str, Field(max_length=120)] = ""


class TierLevel(_Strict):
    """A tier, reached by any of its minima and its condition, with ``all`` by all of them. ``spend`` is in minor units.
    A condition is read by ``loyalty.tiers.definition``.
    """

    id: Annotated[str, Field(pattern=_LEVEL)]
    name: LevelName
    spend: Annotated[int, Field(ge=1, le=MAX_AMOUNT)] | None = None
    points: Annotated[int, Field(ge=1, le=MAX_POINTS)] | None = None
    visits: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    all: bool = False
    multiplier: str = "1"
    benefits: Annotated[list[Annotated[str, Field(min_length=1, max_length=80)]], Field(max_length=20)] = []
    when: Annotated[str, Field(min_length=1, max_length=2_000)] | None = None
    means: Meaning | None = None

    @field_validator("multiplier")
    @classmethod
    def _is_rate(cls, value: str) -> str:
        Rate.parse(value)
        return value

    @model_validator(mode="after")
    def _is_told(self) -> "TierLevel":
        if (self.when is None) != (self.means is None):
            raise ValueError("a condition `when` and what it `means` for members go together")
        return self


class RollingWindow(_Strict):
    """Figures of a month count in it and in so many months after it."""

    kind: Literal["rolling_months"]
    months: Annotated[int, Field(ge=1, le=18)]


class CalendarYear(_Strict):
    """Figures count from January to December."""

    kind: Literal["calendar_year"]


class Anniversary(_Strict):
    """Figures count from one anniversary to the next."""

    kind: Literal["anniversary"]


class Lifetime(_Strict):
    """Figures count for good."""

    kind: Literal["lifetime"]


class Tiers(_Strict):
    """Levels from the lowest to the highest, over what window they are reached, and how they are lost."""

    levels: Annotated[list[TierLevel], Field(min_length=1, max_length=20)]
    window: Annotated[RollingWindow | CalendarYear | Anniversary | Lifetime, Field(discriminator="kind")] = (
        RollingWindow(kind="rolling_months", months=12)
    )
    downgrade: Literal["one_down", "to_eligible", "never"] = "one_down"
    grace_days: Annotated[int, Field(ge=0, le=180)] = 0
    warn_days: Annotated[int, Field(ge=0, le=90)] = 30

    @field_validator("levels")
    @classmethod
    def _are_levels(cls, value: list[TierLevel]) -> list[TierLevel]:
        ids = [level.id for level in value]
        if len(set(ids)) != len(ids):
            raise ValueError("a level is named twice")
        for level in value[1:]:
            if (level.spend, level.points, level.visits, level.when) == (None, None, None, None):
                raise ValueError(f"{level.id!r}: only the lowest level is everybody's")
        for lower, higher in pairwise(value):
            for figure in ("spend", "points", "visits"):
                less, more = getattr(lower, figure), getattr(higher, figure)
                if less is not None and more is not None and more < less:
                    raise ValueError(f"{higher.id!r} asks for less {figure} than {lower.id!r} below it")
        return value


class Churn(_Strict):
    """When a member is thought to be leaving: ``alive``, the chance that it is still a member falls below the
    threshold; ``return``, the chance that it buys again within the horizon of its last purchase does.
    """

    threshold: Annotated[str, Field(pattern=r"^0\.[0-9]{1,6}$")] = "0.5"
    by: Literal["alive", "return"] = "alive"
    horizon_days: Annotated[int, Field(ge=1, le=730)] = 90
    onboarding_days: Annotated[int, Field(ge=1, le=365)] = 45

    @field_validator("threshold")
    @classmethod
    def _is_chance(cls, value: str) -> str:
        if not float(value):
            raise ValueError("a chance between 0 and 1, both excluded")
        return value


class Guard(_Strict):
    """How far a rule set that is put in force may change the points given, by its simulation; whatever it says itself
    is looked at, too.
    """

    change_percent: Annotated[int, Field(ge=1, le=1000)]


class PolicyDocument(_Strict):
    """One programme's policy."""

    program: str
    name: Annotated[str, Field(min_length=1, max_length=80)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    timezone: str = "UTC"
    wallets: Annotated[list[str], Field(min_length=1, max_length=8)] = ["points"]
    earn: Earn = Earn(rate="1")
    expiry: Annotated[NoExpiry | RollingExpiry | FixedDatesExpiry | InactivityExpiry, Field(discriminator="kind")] = (
        RollingExpiry(kind="rolling", months=24, rounding="month")
    )
    pending: Annotated[Immediate | Delay, Field(discriminator="kind")] = Immediate(kind="immediate")
    return_policy: Literal["only_pending", "within_balance", "arrears"] = "arrears"
    events: Annotated[dict[str, Annotated[int, Field(ge=1, le=1_000_000)]], Field(max_length=50)] = {}
    holds: Holds = Holds()
    purchases_since: str = "2020-01-01"
    reminders: Reminders | None = None
    decay: Decay | None = None
    renewal: Renewal | None = None
    tiers: Tiers | None = None
    churn: Churn | None = None
    guard: Guard | None = None
    sandbox: Annotated[bool, Field(validate_default=True)] = False

    @field_validator("sandbox")
    @classmethod
    def _is_sandbox(cls, value: bool, info: ValidationInfo) -> bool:
        if value != str(info.data.get("program")).startswith(SANDBOX):
            raise ValueError(f"true for a programme whose name begins with {SANDBOX}, and for no other")
        return value

    @field_validator("program")
    @classmethod
    def _is_program(cls, value: str) -> str:
        if not PROGRAM.fullmatch(value):
            raise ValueError("2 to 32 of a-z, 0-9 and -, beginning with a letter")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        if value not in zones():
            raise ValueError("not a time zone of the IANA database, such as Europe/Berlin")
        ZoneInfo(value)
        return value

    @field_validator("wallets")
    @classmethod
    def _are_wallets(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("a wallet is named twice")
        for wallet in value:
            if not WALLET.fullmatch(wallet):
                raise ValueError(f"{wallet!r}: 1 to 16 of a-z and 0-9, beginning with a letter")
        return value

    @field_validator("events")
    @classmethod
    def _are_events(cls, value: dict[str, int]) -> dict[str, int]:
        for event in value:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", event, re.ASCII):
                raise ValueError(f"{event!r}: 1 to 32 of a-z, 0-9 and _, beginning with a letter")
        return value

    @field_validator("purchases_since")
    @classmethod
    def _is_date(cls, value: str) -> str:
        since = date.fromisoformat(value)
        if since < EARLIEST:  # the start of year 1 east of Greenwich is no moment that could be reckoned with
            raise ValueError(f"not before {EARLIEST}")
        return since.isoformat()


def check(document: object) -> dict[str, Any]:
    """The document in its stored form, with every default written out; Invalid names the first field that is wrong."""
    try:
        policy = PolicyDocument.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = _field(first["loc"])
        raise Invalid(
            "REQUEST_INVALID", f"{field}: {first['msg'].removeprefix('Value error, ')}", field=field
        ) from None
    stored = policy.model_dump(mode="json")
    stored["earn"]["minor_units"] = 10 ** exponent(policy.currency)
    return stored


def _field(path: tuple[int | str, ...]) -> str:
    """A place in the document as its writer knows it: ``wallets[0]``, ``expiry.months``."""
    if path[:1] in (("expiry",), ("pending",)):
        path = path[:1] + path[2:]  # pydantic puts the kind that was chosen in between
    elif path[:2] == ("tiers", "window"):
        path = path[:2] + path[3:]
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "body"
