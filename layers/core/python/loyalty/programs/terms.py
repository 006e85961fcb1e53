"""What a programme's policy means for points earned at a moment. Pure, and light enough for the hot path.

The document that operators write and its checks are in ``policy``; this reads the checked form.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from loyalty.values import Rate

ONE = Rate(1, 1)
WORKED_OUT = ("conditions",)
"""Parts of a stored document that are worked out from what operators write."""


class Terms(Struct, frozen=True):
    """Under what terms a grant is given: ``expiry`` and ``start`` in seconds since 1970, UTC; 0 is never, and at
    once.
    """

    expiry: int
    start: int


class Level(Struct, frozen=True):
    """A tier. It is reached by any of its minima and its condition, with ``all`` by all of them; by everybody where it
    has none. ``spend`` is in minor units.
    """

    id: str
    name: dict[str, str]
    """By language, ``en`` and ``zh``."""
    spend: int | None = None
    points: int | None = None
    visits: int | None = None
    all: bool = False
    multiplier: Rate = ONE
    benefits: tuple[str, ...] = ()
    when: str = ""
    """A condition in the language of rules, empty for none."""
    means: dict[str, str] = {}
    """What members are told that the condition means, by language."""
    tree: Any = None
    """The condition as it was checked, as JSON data."""


class Tiers(Struct, frozen=True):
    """Levels from the lowest to the highest, and how they are reached and lost.

    ``window`` is rolling_months (of ``months``), calendar_year, anniversary or lifetime; ``downgrade`` one_down,
    to_eligible or never.
    """

    levels: tuple[Level, ...]
    window: str
    months: int
    downgrade: str
    grace_days: int
    warn_days: int


class Program(Struct, frozen=True):
    """One programme's policy, as the functions use it. ``version`` counts the policy's edits from 1."""

    program: str
    version: int
    name: str
    currency: str
    timezone: str
    wallets: tuple[str, ...]
    rate: Rate
    """Points per minor unit of ``currency``."""
    expiry: dict[str, Any]
    pending_days: int
    return_policy: str
    events: dict[str, int]
    hold_minutes: int
    max_hold_minutes: int
    earliest: int
    """Purchases before this moment are refused; seconds since 1970, UTC."""
    reminders: tuple[int, ...] = ()
    """How many days before points end their owner is told, most first."""
    decay: dict[str, int] | None = None
    """``months`` without a purchase, ``percent`` of the points, ``notice_days``, ``require_notice``."""
    renewal: dict[str, int] | None = None
    """``months`` that points are renewed for, ``price_percent`` of them."""
    tiers: Tiers | None = None
    churn: dict[str, Any] | None = None
    """``threshold`` (a decimal text), ``by`` (alive, return), ``horizon_days``, ``onboarding_days``."""
    guard_percent: int = 0
    """How far a rule set that is published may change the points given; 0 is any."""
    sandbox: bool = False
    """It has a clock of its own."""

    @classmethod
    def of(cls, document: dict[str, Any], version: int) -> "Program":
        """From a checked policy document in its JSON form."""
        zone = ZoneInfo(document["timezone"])
        rate = Rate.parse(document["earn"]["rate"])
        return cls(
            program=document["program"],
            version=version,
            name=document["name"],
            currency=document["currency"],
            timezone=document["timezone"],
            wallets=tuple(document["wallets"]),
            rate=Rate.of(rate.num, rate.den * document["earn"]["minor_units"]),
            expiry=document["expiry"],
            pending_days=document["pending"]["days"] if document["pending"]["kind"] == "delay" else 0,
            return_policy=document["return_policy"],
            events=dict(document["events"]),
            hold_minutes=document["holds"]["default_minutes"],
            max_hold_minutes=document["holds"]["max_minutes"],
            earliest=_seconds(date.fromisoformat(document["purchases_since"]), zone),
            reminders=tuple((document.get("reminders") or {}).get("days", ())),
            decay=document.get("decay"),
            renewal=document.get("renewal"),
            tiers=_tiers(document.get("tiers"), document.get("conditions", {})),
            churn=document.get("churn"),
            guard_percent=(document.get("guard") or {}).get("change_percent", 0),
            sandbox=document.get("sandbox", False),
        )

    @property
    def notice(self) -> bool:
        """Whether points end only with notice."""
        return bool(self.expiry.get("require_notice", False))

    @property
    def notice_of_decay(self) -> bool:
        """Whether points shrink only with notice: where that is said of decay, or of ends."""
        return self.decay is not None and (self.notice or bool(self.decay.get("require_notice")))

    @property
    def extends(self) -> bool:
        """Whether points last until their owner has been idle for long."""
        return bool(self.expiry["kind"] == "inactivity")

    def lasting(self, action: str, occurred: int, recorded: int) -> tuple[bool, int]:
        """Whether points given for an action end only with notice, and until when it makes all points last; 0 where it
        does not.
        """
        extends = self.extends and action in self.expiry["actions"]
        return self.notice, self.terms(occurred, recorded, pending_days=0).expiry if extends else 0

    def terms(
        self,
        occurred: int,
        recorded: int,
        expiry: Mapping[str, Any] | None = None,
        pending_days: int | None = None,
    ) -> Terms:
        """Terms of points earned by something that happened at ``occurred`` and is written down at ``recorded``;
        ``expiry``, of the policy's form, and ``pending_days`` are those of a rule that has its own.

        They follow from when it happened; if by that reckoning they had already ended, from when it was written down,
        so a till that was offline for long never costs its member the points.
        """
        expiry = self.expiry if expiry is None else expiry
        pending_days = self.pending_days if pending_days is None else pending_days
        terms = self._terms(occurred, expiry, pending_days)
        return self._terms(recorded, expiry, pending_days) if 0 < terms.expiry <= recorded else terms

    def day(self, moment: int) -> int:
        """Ordinal of a moment's day in the programme's zone."""
        return datetime.fromtimestamp(moment, _zone(self.timezone)).toordinal()

    def _terms(self, moment: int, expiry: Mapping[str, Any], pending_days: int) -> Terms:
        zone = _zone(self.timezone)
        day = datetime.fromtimestamp(moment, zone).date() + timedelta(days=pending_days)
        last = _last_day(expiry, day)
        return Terms(
            _seconds(last + timedelta(days=1), zone) if last else 0, _seconds(day, zone) if pending_days else 0
        )


def _last_day(expiry: Mapping[str, Any], day: date) -> date | None:
    """The last day on which points that begin on ``day`` can be spent."""
    kind = expiry["kind"]
    if kind in ("rolling", "inactivity"):
        return _round_up(add_months(day, expiry["months"]), expiry["rounding"])
    if kind == "days":  # of an offer; no policy has it
        return day + timedelta(days=expiry["days"])
    if kind == "fixed_dates":
        return min(
            candidate
            for month_day in expiry["dates"]
            for year in (day.year, day.year + 1)
            if (candidate := _day_of(year, month_day)) >= day
        )
    return None


def as_written(document: Mapping[str, Any]) -> dict[str, Any]:
    """A stored document without what was worked out from it, as it can be checked again."""
    written = {name: part for name, part in document.items() if name not in WORKED_OUT}
    return {**written, "earn": {"rate": document["earn"]["rate"]}}


def _tiers(document: Mapping[str, Any] | None, conditions: Mapping[str, Any]) -> Tiers | None:
    if document is None:
        return None
    window = document["window"]
    levels = (
        Level(
            level["id"],
            level["name"],
            level["spend"],
            level["points"],
            level["visits"],
            level["all"],
            Rate.parse(level["multiplier"]),
            tuple(level["benefits"]),
            level.get("when") or "",
            level.get("means") or {},
            conditions.get(level["id"]),
        )
        for level in document["levels"]
    )
    return Tiers(
        tuple(levels),
        window["kind"],
        window.get("months", 0),
        document["downgrade"],
        document["grace_days"],
        document["warn_days"],
    )


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _seconds(day: date, zone: ZoneInfo) -> int:
    """Start of a local day, in seconds since 1970, UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC).timestamp())


def add_months(day: date, months: int) -> date:
    """The same day so many months on, or that month's last day: 31 January and one month give 28 or 29 February."""
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, min(day.day, _last_of_month(day.year + years, month + 1).day))


def _last_of_month(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def _round_up(day: date, unit: str) -> date:
    if unit == "month":
        return _last_of_month(day.year, day.month)
    if unit == "quarter":
        return _last_of_month(day.year, (day.month + 2) // 3 * 3)
    if unit == "year":
        return date(day.year, 12, 31)
    return day


def _day_of(year: int, month_day: str) -> date:
    """``MM-DD`` in a year; 02-29 is the last of February in every year."""
    month, day = int(month_day[:2]), int(month_day[3:])
    return date(year, month, min(day, _last_of_month(year, month).day))
