"""What segments may speak of: a member's account, document and tastes on a day, as facts of the rules' language. Pure.

Figures of the last months go by calendar months: a purchase counts in its month and the 6, or 12, after it. So time
alone changes them on the first of a month, and everything else here on a day that can be told beforehand.
"""

from collections.abc import Callable, Container, Mapping
from datetime import date
from typing import Any, Final

from msgspec import Struct

from loyalty.ledger.account import NOTHING, Figures, State, month_of
from loyalty.members.member import Member
from loyalty.rules.facts import MOST_DAYS, birthday, typed
from loyalty.rules.schema import MAX_COUNT, MAX_MONEY, Fact, Layout, Place
from loyalty.rules.tree import Type

SHARE: Final = 1000
"""Shares are counted in thousandths."""
_O: Final = "order"


def _days(name: str, en: str, zh: str) -> Fact:
    return Fact(name, _O, "number", en, zh, low=0, high=MOST_DAYS, scale=1)


def _money(name: str, en: str, zh: str) -> Fact:
    return Fact(name, _O, "number", en, zh, nullable=False, money=True, low=0, high=MAX_MONEY)


def _count(name: str, en: str, zh: str, high: int = MAX_COUNT) -> Fact:
    return Fact(name, _O, "number", en, zh, nullable=False, low=0, high=high, scale=1)


FACTS: Final[tuple[Fact, ...]] = (
    Fact("member.kind", _O, "text", "member, employee, …", "会员类型"),
    Fact("member.tier", _O, "text", "tier", "会员等级"),
    Fact("member.segments", _O, "names", "segments set by hand", "人工设定的人群"),
    Fact("member.language", _O, "text", "language", "语言"),
    Fact("member.city", _O, "text", "attribute city", "城市"),
    Fact("member.birth_month", _O, "number", "month of birth", "生日月份", low=1, high=12, scale=1),
    _days("member.age_days", "days since enrolment", "入会天数"),
    _days("member.days_since_purchase", "days since the last purchase", "距上次购买天数"),
    _days("member.days_since_first_purchase", "days since the first purchase", "距首次购买天数"),
    _count("member.purchases", "purchases in all", "累计购买次数"),
    _count("member.purchases_6_months", "purchases in the last 6 months", "近6个月购买次数"),
    _count("member.purchases_12_months", "purchases in the last 12 months", "近12个月购买次数"),
    _money("member.spend", "spent in all", "累计消费"),
    _money("member.spend_6_months", "spent in the last 6 months", "近6个月消费"),
    _money("member.spend_6_months_before", "spent in the 6 months before those", "再往前6个月消费"),
    _money("member.spend_12_months", "spent in the last 12 months", "近12个月消费"),
    _count("member.earned_12_months", "points earned in the last 12 months", "近12个月获得积分", 10**12),
    _count("member.points", "points to spend", "可用积分", 10**12),
    Fact(
        "member.points_rank",
        _O,
        "number",
        "percent of the members who have more points",
        "积分排名（百分比）",
        low=0,
        high=100,
        scale=SHARE,
    ),
    Fact(
        "member.alive",
        _O,
        "number",
        "chance that the member has not left, 0 to 1",
        "仍活跃的概率（0至1）",
        low=0,
        high=1,
        scale=SHARE,
    ),
    Fact("member.favourite", _O, "text", "category with the largest share of what was spent", "最常购买品类"),
)
DAYS: Final[Mapping[str, str]] = {
    "member.age_days": "enrolled",
    "member.days_since_purchase": "last",
    "member.days_since_first_purchase": "first",
}
"""Facts that grow by one a day."""
MONTHLY: Final = frozenset(fact.name for fact in FACTS if "_months" in fact.name)
RANK: Final = "member.points_rank"
ALIVE: Final = "member.alive"
CATEGORY: Final = "category."
FAVOURITE: Final = "member.favourite"


class Subject(Struct, frozen=True):
    """A member as segments see it. ``shares`` are thousandths of what was spent, by category; ``enrolled`` is a day;
    ``rank`` in thousandths of a percent, None where nobody keeps count. ``alive`` gives the chance that the member has
    not left by a day, None where nothing foretells it.
    """

    state: State
    member: Member | None
    shares: Mapping[str, int] = {}
    enrolled: int = 0
    rank: int | None = None
    alive: Callable[[int], float | None] = lambda _: None


def layout(attributes: Mapping[str, Type], categories: tuple[str, ...]) -> Layout:
    """Where each fact stands: the fixed ones, then declared attributes of members, then shares of categories."""
    bound = MAX_MONEY
    declared = [
        Fact(
            f"member.{name}",
            _O,
            kind,
            name,
            name,
            low=-bound if kind == "number" else None,
            high=bound if kind == "number" else None,
            scale=SHARE if kind == "number" else 0,
        )
        for name, kind in sorted(attributes.items())
    ]
    shares = [
        Fact(f"{CATEGORY}{name}", _O, "number", name, name, nullable=False, low=0, high=1, scale=SHARE)
        for name in sorted(categories)
    ]
    facts = (*FACTS, *declared, *shares)
    return Layout({fact.name: Place(fact, index) for index, fact in enumerate(facts)}, len(facts), 0)


def values(at: Layout, subject: Subject, day: int, spoken: Container[str] = ()) -> list[Any]:
    """Every fact of a member on a day, in the order of its layout; the day may be one to come. What is ``spoken`` of
    says whether the chance to be alive is worked out.
    """
    known = {**_of_member(subject, day), **_of_account(subject, day)}
    if ALIVE in spoken:
        alive = subject.alive(day)
        known[ALIVE] = None if alive is None else int(alive * SHARE)
    found: list[Any] = []
    for name, place in at.places.items():
        if name in known:
            found.append(known[name])
        elif name.startswith(CATEGORY):
            found.append(subject.shares.get(name.removeprefix(CATEGORY), 0))
        else:
            attributes = subject.member.attributes if subject.member else {}
            found.append(typed(place.fact.type, attributes.get(name.removeprefix("member."))))
    return found


def _of_member(subject: Subject, day: int) -> dict[str, Any]:
    member = subject.member
    if member is None:
        names = ("kind", "tier", "segments", "language", "city", "birth_month", "age_days")
        return {f"member.{name}": None for name in names}
    city = member.attributes.get("city")
    return {
        "member.kind": member.kind,
        "member.tier": subject.state.tier or member.tier or None,
        "member.segments": frozenset(member.segments),
        "member.language": member.language or None,
        "member.city": city if isinstance(city, str) else None,
        "member.birth_month": birthday(member.attributes.get("birthday"))[0] or None,
        "member.age_days": _since(subject.enrolled, day),
    }


def _of_account(subject: Subject, day: int) -> dict[str, Any]:
    state = subject.state
    month = month_of(day)
    half, year = _sum(state, month - 6, month), _sum(state, month - 12, month)
    return {
        "member.days_since_purchase": _since(state.last, day),
        "member.days_since_first_purchase": _since(state.first, day),
        "member.purchases": min(state.purchases, MAX_COUNT),
        "member.purchases_6_months": half.visits,
        "member.purchases_12_months": year.visits,
        "member.spend": state.total.spend,
        "member.spend_6_months": half.spend,
        "member.spend_6_months_before": _sum(state, month - 12, month - 7).spend,
        "member.spend_12_months": year.spend,
        "member.earned_12_months": year.points,
        "member.points": state.balance().available,
        RANK: subject.rank,
        ALIVE: None,
        FAVOURITE: max(subject.shares, key=lambda name: (subject.shares[name], name), default=None),
    }


def _since(first: int, day: int) -> int | None:
    return min(max(day - first, 0), MOST_DAYS) if first else None


def _sum(state: State, first: int, last: int) -> Figures:
    total = NOTHING
    for month, row in state.months.items():
        if first <= month <= last:
            total = total.plus(row)
    return total


def month_starts(day: int, most: int) -> list[int]:
    """The first days of so many months after a day's."""
    at, found = date.fromordinal(day), []
    for ahead in range(1, most + 1):
        years, month = divmod(at.month - 1 + ahead, 12)
        found.append(date(at.year + years, month + 1, 1).toordinal())
    return found
