"""A campaign as it was checked, with all that is needed to carry it out. Plain data, kept as JSON.

Days are proleptic ordinals in the programme's zone. Shares are in hundredths of a percent. A campaign keeps the facts
that its conditions may speak of: those of segments, and behind them those of the member's way through the campaign
(``journey.…``) and of what began it (``entry.…``).
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loyalty.errors import Corrupt
from loyalty.rules.ruleset import Names
from loyalty.rules.schema import MAX_COUNT, MAX_MONEY, Fact, Layout, Place
from loyalty.rules.tree import Node, Type
from loyalty.segments import facts as segments
from loyalty.templates.template import Template

WHOLE: Final = 10_000
"""Everybody, as a share."""
DEFAULT_CONTROL: Final = 1_000

Metric = Literal["repurchase", "spend", "margin", "redemption"]
METRICS: Final[tuple[Metric, ...]] = ("repurchase", "spend", "margin", "redemption")
Enter = Literal[
    "",
    "member.enrolled",
    "churn.risk_detected",
    "tier.upgraded",
    "tier.downgrade_warned",
    "points.expiring",
    "segment.entered",
    "purchase",
    "event",
    "birthday",
    "anniversary",
]
ENTERS: Final[tuple[Enter, ...]] = (
    "member.enrolled",
    "churn.risk_detected",
    "tier.upgraded",
    "tier.downgrade_warned",
    "points.expiring",
    "segment.entered",
    "purchase",
    "event",
    "birthday",
    "anniversary",
)
OCCASIONS: Final = ("birthday", "anniversary")
"""Ways in that are days of the calendar, and no events: timers know them."""
Repeat = Literal["once", "yearly", "after_days"]
State = Literal["draft", "scheduled", "running", "paused", "finished", "cancelled"]

_O: Final = "order"


def _whole(name: str, en: str, zh: str, *, nullable: bool = False, high: int = MAX_COUNT) -> Fact:
    return Fact(name, _O, "number", en, zh, nullable=nullable, low=0, high=high, scale=1)


def _truth(name: str, en: str, zh: str) -> Fact:
    return Fact(name, _O, "truth", en, zh, nullable=False)


JOURNEY: Final[tuple[Fact, ...]] = (
    _whole("journey.day", "days since the member came in", "进入活动后的天数", high=100_000),
    _truth("journey.purchased", "whether the member has bought since", "进入后是否购买"),
    _whole("journey.purchases", "purchases since", "进入后购买次数"),
    Fact(
        "journey.spend",
        _O,
        "number",
        "spent since",
        "进入后消费",
        nullable=False,
        money=True,
        low=0,
        high=MAX_MONEY,
    ),
    _whole("journey.messages", "messages sent to the member by this campaign", "本活动已发消息数"),
    _truth("journey.opened", "whether any of them was opened", "是否打开过消息"),
    _truth("journey.clicked", "whether a link in any of them was followed", "是否点击过链接"),
    _truth("journey.offered", "whether the campaign gave anything yet", "是否已发放权益"),
    Fact("journey.variant", _O, "text", "the member's variant", "所属方案"),
)
ENTRY: Final[tuple[Fact, ...]] = (
    _whole("entry.points", "points that the event is about", "事件涉及积分", nullable=True, high=10**12),
    Fact("entry.worth", _O, "number", "what they are worth", "积分价值", money=True, low=0, high=MAX_MONEY),
    Fact("entry.date", _O, "date", "day that the event warns of", "事件提示日期"),
    Fact("entry.tier", _O, "text", "tier that the event is about", "事件涉及等级"),
    Fact("entry.was", _O, "text", "tier before", "此前等级"),
    _whole("entry.silent_days", "days without a purchase", "未购买天数", nullable=True, high=100_000),
    Fact("entry.alive", _O, "number", "chance of coming back", "回购概率", low=0, high=1, scale=segments.SHARE),
    _whole("entry.years", "whole years as a member", "入会周年数", nullable=True, high=1_000),
    Fact("entry.segment", _O, "text", "segment entered", "进入的人群"),
    Fact("entry.event", _O, "text", "type of the event", "行为类型"),
    Fact("entry.store", _O, "text", "store", "门店"),
    Fact("entry.channel", _O, "text", "channel", "渠道"),
    Fact("entry.spent", _O, "number", "amount of the purchase", "购买金额", money=True, low=0, high=MAX_MONEY),
)
TOLD: Final[Mapping[Enter, frozenset[str]]] = {
    "": frozenset(),
    "member.enrolled": frozenset(),
    "churn.risk_detected": frozenset({"entry.silent_days", "entry.alive"}),
    "tier.upgraded": frozenset({"entry.tier", "entry.was", "entry.date"}),
    "tier.downgrade_warned": frozenset({"entry.tier", "entry.was", "entry.date"}),
    "points.expiring": frozenset({"entry.points", "entry.worth", "entry.date"}),
    "segment.entered": frozenset({"entry.segment"}),
    "purchase": frozenset({"entry.points", "entry.store", "entry.channel", "entry.spent"}),
    "event": frozenset({"entry.points", "entry.event", "entry.store"}),
    "birthday": frozenset(),
    "anniversary": frozenset({"entry.years"}),
}
"""What each way in tells of; conditions may speak of nothing else under ``entry``."""

Told = str | int
"""A value of ``entry``: a number in the scale of its fact, a date as its ordinal."""


class Audience(Struct, frozen=True):
    """Whom a campaign is for. With ``enter`` members come in one by one, when that happens to them; without, everybody
    is taken who is in ``segment``, or whom ``when`` is true of, on the day the campaign begins. Where there are both,
    both must be so.
    """

    enter: Enter = ""
    segment: str = ""
    when: Node | None = None
    text: str = ""

    @property
    def frozen(self) -> bool:
        return not self.enter


class Offer(Struct, frozen=True):
    """What a step gives: a kind that ``offers`` knows, and its numbers by name (``points``, ``expires_days``; or
    ``multiply`` in thousandths, ``days``).
    """

    kind: str
    numbers: Mapping[str, int]


class Step(Struct, frozen=True):
    """What happens on one day of the way. Of several steps of a day the first whose condition is true is taken.

    ``templates`` are names by variant, with "" for all others. ``within``: no later than so many days after its own,
    whatever kept it; -1: late is better than never. ``silent``: what it gives is given to those, too, who cannot be
    told. ``fixed`` are values of variables that stand in the file.
    """

    id: str
    day: int
    when: Node | None = None
    text: str = ""
    offer: Offer | None = None
    templates: Mapping[str, str] = {}
    within: int = -1
    silent: bool = False
    fixed: Mapping[str, str] = {}

    def template(self, variant: str) -> str:
        """Name of the text for a variant; "" when the step says nothing."""
        return self.templates.get(variant) or self.templates.get("", "")


class Variant(Struct, frozen=True):
    """One way of doing it, for a share of those who take part."""

    id: str
    share: int


class Budget(Struct, frozen=True):
    """Points that may be given in all; ``money`` is what was written where it was money, in minor units."""

    points: int
    money: int = 0


class Span(Struct, frozen=True):
    """Days, both included."""

    first: int
    last: int


class Calendar(Struct, frozen=True):
    """When. ``first`` 0: from the moment it is started; ``last`` 0: until it is ended. ``hour`` is the hour of the
    programme's day from which it speaks, -1 the contact policy's. Nothing goes out on days in ``excepted``.
    """

    first: int = 0
    last: int = 0
    hour: int = -1
    excepted: tuple[Span, ...] = ()

    def open(self, day: int) -> bool:
        """Whether anything may go out on a day."""
        inside = self.first <= day and (not self.last or day <= self.last)
        return inside and not any(span.first <= day <= span.last for span in self.excepted)

    def next_open(self, day: int) -> int:
        """The first day from ``day`` on that nothing is excepted on."""
        for span in self.excepted:
            if span.first <= day <= span.last:
                day = span.last + 1
        return day


class Stops(Struct, frozen=True):
    """What ends a member's way, or the whole campaign: a purchase; the budget gone; harm shown."""

    purchased: bool = False
    budget: bool = True
    harm: bool = True


class Campaign(Struct, frozen=True, dict=True):
    """One campaign. ``version`` counts what was handed in under its id, from 1. ``steps`` are in the order of their
    days, those of a day in the order of the file. ``control`` is the share kept out, ``salt`` what the draw is mixed
    with. ``repeat`` ``after_days``: not before so many ``repeat_days`` after the member's last time. ``templates`` are
    those that its steps name: what was started keeps its words. ``margin_permille`` is what is earned of a spend;
    ``smallest`` the smallest difference worth knowing, a share or minor units per member, 0 where nobody said.
    ``point_cost`` is what a point costs, in thousandths of the minor unit; 0 leaves it to the programme's rule set.
    """

    id: str
    program: str
    currency: str
    names: Names
    goal: Names
    metric: Metric
    window_days: int
    audience: Audience
    steps: tuple[Step, ...]
    timezone: str = "UTC"
    repeat: Repeat = "once"
    repeat_days: int = 0
    control: int = DEFAULT_CONTROL
    salt: str = ""
    variants: tuple[Variant, ...] = ()
    budget: Budget | None = None
    calendar: Calendar = Calendar()
    channels: tuple[str, ...] = ()
    priority: int = 0
    stops: Stops = Stops()
    service: bool = False
    attributes: Mapping[str, Type] = {}
    categories: tuple[str, ...] = ()
    templates: Mapping[str, Template] = {}
    margin_permille: int | None = None
    smallest: float = 0.0
    point_cost: int = 0
    version: int = 0

    @cached_property
    def layout(self) -> Layout:
        return layout(self.attributes, self.categories)

    @cached_property
    def first_layout(self) -> Layout:
        """The part of it that segments have, too."""
        return segments.layout(self.attributes, self.categories)

    @property
    def days(self) -> int:
        """The day of the last step."""
        return max((step.day for step in self.steps), default=0)

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """Names of all facts that its conditions speak of."""
        trees = [self.audience.when, *(step.when for step in self.steps)]
        return frozenset(fields(msgspec.to_builtins([tree for tree in trees if tree is not None])))

    def step(self, step_id: str) -> Step | None:
        return next((step for step in self.steps if step.id == step_id), None)


def layout(attributes: Mapping[str, Type], categories: tuple[str, ...]) -> Layout:
    """The facts of segments, and those of the journey and of its beginning behind them."""
    first = segments.layout(attributes, categories)
    places = dict(first.places)
    for index, fact in enumerate((*JOURNEY, *ENTRY), first.order):
        places[fact.name] = Place(fact, index)
    return Layout(places, len(places), 0)


def encode(campaign: Campaign) -> str:
    """As JSON text."""
    return msgspec.json.encode(campaign, order="sorted").decode()


def decode(text: str, version: int = 0) -> Campaign:
    """Inverse of ``encode``; Corrupt. Fields are found anew by their names: a later product may know more of them."""
    try:
        data = msgspec.json.decode(text)
        at = layout(data.get("attributes", {}), tuple(data.get("categories", ())))
        for one in (data["audience"], *data["steps"]):
            one["when"] = _placed(one.get("when"), at)
        found = msgspec.convert(data, Campaign)
    except (msgspec.MsgspecError, KeyError, AttributeError, TypeError) as error:
        raise Corrupt("a stored campaign cannot be read") from error
    return replace(found, version=version) if version else found


def _placed(data: Any, at: Layout) -> Any:
    if isinstance(data, list):
        return [_placed(one, at) for one in data]
    if not isinstance(data, dict):
        return data
    if data.get("n") == "field":
        return {**data, "index": at.places[data["name"]].index}
    return {name: _placed(one, at) for name, one in data.items()}


def fields(data: Any) -> set[str]:
    """Names of the facts that conditions speak of, given as plain data."""
    if isinstance(data, dict):
        own = {data["name"]} if data.get("n") == "field" else set()
        return own.union(*(fields(one) for one in data.values()))
    return set().union(*(fields(one) for one in data)) if isinstance(data, list | tuple) else set()
