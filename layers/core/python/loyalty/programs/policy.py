"""The policy document that an operator writes, and its checks. Not imported on the hot path: pydantic costs 80 ms at
start.
"""

import re
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from loyalty.errors import Invalid
from loyalty.programs.clock import SANDBOX, is_sandbox
from loyalty.values import Rate, exponent

WALLET = re.compile(r"[a-z][a-z0-9]{0,15}", re.ASCII)
EARLIEST = date(1970, 1, 1)
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


class FixedDatesExpiry(_Strict):
    """Points last until the next of these days (MM-DD), that day included."""

    kind: Literal["fixed_dates"]
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


class PolicyDocument(_Strict):
    """One programme's policy."""

    program: str
    name: Annotated[str, Field(min_length=1, max_length=80)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    timezone: str = "UTC"
    wallets: Annotated[list[str], Field(min_length=1, max_length=8)] = ["points"]
    earn: Earn = Earn(rate="1")
    expiry: Annotated[NoExpiry | RollingExpiry | FixedDatesExpiry, Field(discriminator="kind")] = RollingExpiry(
        kind="rolling", months=24, rounding="month"
    )
    pending: Annotated[Immediate | Delay, Field(discriminator="kind")] = Immediate(kind="immediate")
    return_policy: Literal["only_pending", "within_balance", "arrears"] = "arrears"
    events: Annotated[dict[str, Annotated[int, Field(ge=1, le=1_000_000)]], Field(max_length=50)] = {}
    holds: Holds = Holds()
    purchases_since: str = "2020-01-01"
    sandbox: Annotated[bool, Field(validate_default=True)] = False

    @field_validator("program")
    @classmethod
    def _is_program(cls, value: str) -> str:
        if not PROGRAM.fullmatch(value):
            raise ValueError("2 to 32 of a-z, 0-9 and -, beginning with a letter")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        if value not in available_timezones():
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

    @field_validator("sandbox")
    @classmethod
    def _is_sandbox(cls, value: bool, info: ValidationInfo) -> bool:
        if value != is_sandbox(str(info.data.get("program"))):
            raise ValueError(f"true for a programme whose name begins with {SANDBOX}, and for no other")
        return value


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
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "body"
