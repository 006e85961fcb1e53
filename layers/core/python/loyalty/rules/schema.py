"""What rules may speak of: every fact, its type and where it stands in the facts of an event.

The facts of an event are two kinds of list: one of the order as a whole (with the member, the event and the time), and
one for each line. A field is a place in one of them. The fixed fields come first; what a rule set declares (attributes
of members and lines, fields of events) follows, so every rule set has its own layout.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from loyalty.rules.ruleset import EVENT_SCALE
from loyalty.rules.tree import Field, Scope, Type


class Fact(Struct, frozen=True):
    """A field of the language. ``money`` numbers are kept in minor units of the programme's currency; ``low`` and
    ``high`` bound a number that is there, in the unit that rules are written in.
    """

    name: str
    scope: Scope
    type: Type
    en: str
    zh: str
    nullable: bool = True
    money: bool = False
    low: int | None = None
    high: int | None = None
    values: tuple[str, ...] = ()
    """All that a text can be, where that is known."""
    scale: int = 0
    """Of a number that is neither money nor whole, in a layout of one's own; 0 says that it is as any other."""


WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CHANNELS: Final = ("store", "online", "app", "partner", "other")
MAX_MONEY: Final = 10**12
MAX_COUNT: Final = 10**9

_O: Final = "order"
_L: Final = "line"

ORDER: Final[tuple[Fact, ...]] = (
    # Made by the engine
    Fact("base", _O, "number", "points that the base rule gives", "基础规则给出的积分", nullable=False, low=0),
    # The purchase; NULL where the event is none
    Fact("channel", _O, "text", "where it was bought", "购买渠道"),
    Fact("store", _O, "text", "number of the store", "门店编号"),
    Fact("region", _O, "text", "region of the store, as the rule set says", "门店所在区域"),
    Fact("currency", _O, "text", "ISO 4217 code", "货币代码"),
    Fact(
        "amount",
        _O,
        "number",
        "what was paid, in whole units of the currency",
        "实付金额",
        money=True,
        low=0,
        high=MAX_MONEY,
    ),
    Fact("payment", _O, "text", "means of payment", "支付方式"),
    Fact("source", _O, "text", "system that reports it", "上报系统"),
    Fact("quantity", _O, "number", "pieces in all", "总件数", low=0, high=MAX_COUNT),
    Fact("lines", _O, "number", "number of lines", "明细行数", low=1, high=500),
    # The time, in the store's zone
    Fact("date", _O, "date", "day", "日期", nullable=False),
    Fact("local_time", _O, "time", "time of day in the store's zone", "门店当地时间", nullable=False),
    Fact("weekday", _O, "text", "monday to sunday", "星期", nullable=False, values=WEEKDAYS),
    Fact("month", _O, "number", "1 to 12", "月份", nullable=False, low=1, high=12),
    Fact("day", _O, "number", "day of the month", "日", nullable=False, low=1, high=31),
    Fact("days", _O, "names", "named days of the calendar", "日历中的特殊日", nullable=False),
    # The member; NULL in a quote for nobody
    Fact("member.id", _O, "text", "the member", "会员编号"),
    Fact("member.kind", _O, "text", "member, employee, …", "会员类型"),
    Fact("member.tier", _O, "text", "tier", "会员等级"),
    Fact("member.segments", _O, "names", "segments", "所属人群"),
    Fact("member.language", _O, "text", "language", "语言"),
    Fact("member.city", _O, "text", "city", "城市"),
    Fact("member.birth_month", _O, "number", "month of birth", "生日月份", low=1, high=12),
    Fact(
        "member.birth_day",
        _O,
        "number",
        "day of the month of birth; of 29 February 28 in years without one",
        "生日日期；2 月 29 日出生的会员在平年为 28",
        low=1,
        high=31,
    ),
    Fact("member.age_days", _O, "number", "days since enrolment", "入会天数", low=0, high=100_000),
    Fact("member.purchases", _O, "number", "purchases before this one", "此前购买次数", low=0, high=MAX_COUNT),
    Fact("member.first_purchase", _O, "truth", "whether this is the first", "是否首次购买"),
    Fact("member.days_since_purchase", _O, "number", "days since the last one", "距上次购买天数", low=0, high=100_000),
    # The event; NULL in a purchase
    Fact("event.type", _O, "text", "what the member did", "事件类型"),
    Fact("event.streak", _O, "number", "days in a row, this one included", "连续天数", low=1, high=100_000),
)
BEHIND: Final[tuple[Fact, ...]] = (
    Fact(
        "member.multiplier", _O, "number", "what the tier multiplies by", "等级倍率", low=0, high=100, scale=EVENT_SCALE
    ),
)
"""Facts of the order that came later. They stand behind the declared ones, so that the rule sets stored before find
theirs where they were.
"""
LINE: Final[tuple[Fact, ...]] = (
    Fact(
        "line.base", _L, "number", "points that the base rule gives for the line", "该行基础积分", nullable=False, low=0
    ),
    Fact("line.product", _L, "text", "product", "商品"),
    Fact("line.category", _L, "text", "category", "品类"),
    Fact("line.department", _L, "text", "department", "部门"),
    Fact("line.brand", _L, "text", "brand", "品牌"),
    Fact("line.margin", _L, "text", "margin class", "毛利等级"),
    Fact("line.quantity", _L, "number", "pieces", "件数", nullable=False, low=0, high=100_000),
    Fact(
        "line.amount",
        _L,
        "number",
        "what was paid for the line",
        "该行金额",
        nullable=False,
        money=True,
        low=0,
        high=MAX_MONEY,
    ),
)


class Place(Struct, frozen=True):
    """Where a fact stands."""

    fact: Fact
    index: int


class Layout(Struct, frozen=True):
    """All fields of one rule set, by name. Declared ones stand behind the fixed ones, sorted by name."""

    places: Mapping[str, Place]
    order: int
    """Length of the list of the order."""
    line: int
    """Length of the list of a line."""


def layout(
    member: Mapping[str, Type] | None = None,
    line: Mapping[str, Type] | None = None,
    events: Mapping[str, Type] | None = None,
) -> Layout:
    """The fields of a rule set that declares these attributes of members and lines, and these fields of events (of all
    its types of event together: a field has one type whichever event has it). Names are without their prefix.
    """
    declared = [*_declared("event", events, _O), *_declared("member", member, _O)]
    order = (*ORDER, *declared, *BEHIND)
    lines = (*LINE, *_declared("line", line, _L))
    places = {fact.name: Place(fact, index) for facts in (order, lines) for index, fact in enumerate(facts)}
    return Layout(places, len(order), len(lines))


def _declared(prefix: str, types: Mapping[str, Type] | None, scope: Scope) -> list[Fact]:
    bound = MAX_MONEY
    return [
        Fact(
            f"{prefix}.{name}",
            scope,
            kind,
            name,
            name,
            low=-bound if kind == "number" else None,
            high=bound if kind == "number" else None,
        )
        for name, kind in sorted((types or {}).items())
    ]


BASE: Final = 0
"""Place of ``base`` and of ``line.base``."""


def field(place: Place, exponent: int, base_scale: int) -> Field:
    """The node of a fact, in a programme whose currency has so many decimal ``exponent`` places, and whose base rule
    earns in 1/``base_scale`` points: its scale is the one that values are handed over in.
    """
    fact = place.fact
    scale = 1
    if fact.scale:
        scale = fact.scale
    elif fact.money:
        scale = 10**exponent
    elif fact.name in ("base", "line.base"):
        scale = base_scale
    elif fact.type == "number" and place.index >= len(ORDER if fact.scope == _O else LINE):
        scale = EVENT_SCALE
    return Field(fact.name, fact.scope, place.index, fact.type, scale)
