"""One rule of a rule set's YAML: its expressions, when it is in force, and what bounds what it gives."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Final, Literal

from msgspec import Struct

from loyalty.rules import language
from loyalty.rules.reading import IDENTIFIER, Reader
from loyalty.rules.ruleset import BASE_RULE, Campaign, Cap, On, Pending, Period, Rounding, Rule
from loyalty.rules.ruleset import LAST_DAY as FOR_GOOD
from loyalty.rules.satisfiable import Days, never_on, of_days, verdict
from loyalty.rules.schema import CHANNELS, Layout, field
from loyalty.rules.tree import And, Case, Compare, Number, Text
from loyalty.rules.tree import Node as Tree
from loyalty.rules.windows import BadWindow, occurrences, ranges
from loyalty.rules.yaml_text import Node

MAX_DAYS: Final = 4_000
"""Days on which one rule, or one day of the calendar, can recur."""
MAX_ALL_DAYS: Final = 500_000
"""Days that all recurrences of a file come to."""
MAX_LOOKS: Final = 300_000
"""Days that all conditions of a file are held against, about; beyond, nothing is claimed."""
MAX_WINDOWS: Final = 50
MAX_POINTS: Final = 10**9
KEYS: Final = (
    "id", "name", "on", "when", "earn", "valid", "windows", "group", "priority", "cap", "budget", "pending", "expiry",
    "rounding", "on_return",
)  # fmt: skip
_OF_BASE: Final = ("id", "name", "on", "when", "earn", "rounding")
_ON: Final[tuple[On, ...]] = ("order", "line", "event")
_PERIODS: Final[tuple[Period, ...]] = ("day", "week", "month", "quarter", "year", "total")
_PENDING: Final[tuple[Literal["immediate", "delay", "on_event"], ...]] = ("immediate", "delay", "on_event")
_ROUNDING: Final[tuple[Rounding, ...]] = ("carry", "down", "up", "nearest")
_MONTH_DAY: Final = re.compile(r"[0-9]{2}-[0-9]{2}", re.ASCII)


class Surroundings(Struct, frozen=True):
    """What rules may name: fields, named days, groups, campaigns. ``decided`` are the types of event that another type
    activates; ``base_scale`` is that of what the base rule earns.
    """

    layout: Layout
    exponent: int
    days: tuple[str, ...]
    groups: tuple[str, ...]
    campaigns: Mapping[str, Campaign]
    decided: frozenset[str]
    values: Mapping[str, tuple[str, ...]]
    """All that a text field can be, by its name, where that is known."""
    named: Mapping[str, frozenset[int]] = {}
    """Ordinals of the named days."""
    base_scale: int | None = None
    base_high: int = language.MAX_BASE


def read(reader: Reader, node: Node, around: Surroundings) -> Rule:
    """The rule that is written here; its id is "" when there is nothing to go on with."""
    given = reader.fields(node, "a rule", KEYS, ("id", "earn"))
    rule_id = reader.text(given.get("id"), "id", IDENTIFIER)
    what = f"rule {rule_id}" if rule_id else "the rule"
    is_base = rule_id == BASE_RULE
    if is_base:
        for name in given.keys() - set(_OF_BASE):
            message = f"the rule base is always in force, for everybody, on its own: it has no {name}"
            reader.refuse(given[name], "RULE_BASE_INVALID", message)
    usual: On = "line" if is_base else "order"
    on = reader.choice(given.get("on"), "on", _ON, usual)
    if is_base and on != "line":
        reader.refuse(given["on"], "RULE_BASE_INVALID", "the rule base earns on each line", "line")
    if on == "event" and not around.values.get("event.type"):
        reader.refuse(given["on"], "RULE_EVENT_UNKNOWN", "this file declares no events (events, at the top)")
    windows = _windows(reader, given)
    when = _condition(reader, given.get("when"), on, around, windows)
    earn = _expression(reader, given.get("earn"), on, around, "earning")
    order_cap, caps = _caps(reader, given.get("cap"), earn)
    return Rule(
        id=rule_id,
        names=reader.names(given.get("name"), node, what),
        on=on,
        earn=earn.node if earn else Number(0),
        when=when,
        over_base=bool(earn and earn.over_base),
        scale=earn.scale if earn else 1,
        windows=windows,
        group=_one_of(reader, given.get("group"), "RULE_GROUP_UNKNOWN", "group", around.groups),
        priority=reader.integer(given.get("priority"), "priority", -1000, 1000),
        order_cap=order_cap,
        caps=caps,
        campaign=_campaign(reader, given.get("budget"), around, earn),
        pending=_pending(reader, given.get("pending"), on, around, when),
        expiry=_expiry(reader, given.get("expiry")),
        rounding=reader.choice(given.get("rounding"), "rounding", _ROUNDING, "carry"),
        on_return=reader.choice(given.get("on_return"), "on_return", ("share", "whole"), "share"),
        when_text=given["when"].value if "when" in given else "",
        earn_text=given["earn"].value if "earn" in given else "",
    )


def _expression(
    reader: Reader, node: Node | None, on: On, around: Surroundings, want: Literal["condition", "earning"]
) -> language.Expression | None:
    """What an expression means; None, with each of its mistakes noted in its place, when it means nothing."""
    if node is None:
        return None
    if node.kind != "text":
        wanted = "a condition, such as channel = 'store'" if want == "condition" else "an earning, such as 2 * base"
        reader.refuse(node, "RULE_VALUE_INVALID", f"write {wanted}, in one text")
        return None
    try:
        return language.parse(
            node.value,
            around.layout,
            on,
            around.exponent,
            around.base_scale,
            want=want,
            days=around.days,
            values=around.values,
            usual={"channel": CHANNELS},
            base_high=around.base_high,
        )
    except language.Rejected as error:
        for issue in error.issues:
            reader.refuse(node, issue.code, _lowered(issue.message), issue.suggestion, issue.offset)
        return None


def _lowered(sentence: str) -> str:
    """A sentence as what follows a colon; words in capitals stay."""
    return sentence if sentence[1:2].isupper() else sentence[:1].lower() + sentence[1:]


def _condition(
    reader: Reader, node: Node | None, on: On, around: Surroundings, windows: Sequence[tuple[int, int]]
) -> Tree | None:
    """The condition; a mistake when nothing can fulfil it, also on the days of ``windows`` alone, or nothing can fail
    to.
    """
    found = _expression(reader, node, on, around, "condition")
    if node is None or found is None:
        return None
    judged = verdict(found.node, around.layout, on)
    if judged == "never":
        reader.refuse(node, "RULE_NEVER_TRUE", "this can never be true: the rule would never count")
    elif judged == "always":
        reader.refuse(node, "RULE_ALWAYS_TRUE", "this is always true: leave `when` out, or say when the rule counts")
    elif _never_then(reader, found.node, on, around, windows):
        said = "this is never true on the days that there are, as far as the rule is in force: it would never count"
        reader.refuse(node, "RULE_NEVER_TRUE", said)
    return found.node


def _never_then(
    reader: Reader, condition: Tree, on: On, around: Surroundings, windows: Sequence[tuple[int, int]]
) -> bool:
    """Whether no day on which the rule is in force lets the condition be true."""
    asked = of_days(condition)
    bounded = any(last != FOR_GOOD or first != 1 for first, last in windows)
    if not windows or not asked or (len(asked) == 1 and not bounded) or reader.looked > MAX_LOOKS:
        return False
    reader.looked += sum(min(last - first + 1, 366 * 7) for first, last in windows)
    return never_on(condition, around.layout, on, Days(windows, around.named))


def dates(reader: Reader, node: Node | None) -> list[int]:
    """A list of days, each there once."""
    found: list[int] = []
    for item in reader.items(node, "dates", MAX_DAYS):
        day = reader.day(item, "each of the dates")
        if day in found:
            reader.refuse(item, "RULE_WINDOW_OVERLAPS", f"{item.value} stands here twice")
        elif day is not None:
            found.append(day)
    return found


def by_recurrence(reader: Reader, node: Node, first: int, last: int | None) -> list[int]:
    """The days of a recurrence rule."""
    if node.kind != "text":
        reader.refuse(node, "RULE_WINDOW_INVALID", "a recurrence is a text, such as FREQ=WEEKLY;BYDAY=SA,SU")
        return []
    if reader.days > MAX_ALL_DAYS:
        reader.refuse(node, "RULE_WINDOW_ENDLESS", f"all windows of the file are more than {MAX_ALL_DAYS:,} days")
        return []
    try:
        days = occurrences(node.value, first, last)
        reader.days += len(days) + 500  # looking for them costs, too
    except BadWindow as error:
        reader.refuse(node, error.code, str(error), error.suggestion, error.offset)
        return []
    if not days:
        reader.refuse(node, "RULE_WINDOW_EMPTY", "this never comes")
    return list(days)


def _windows(reader: Reader, given: Mapping[str, Node]) -> tuple[tuple[int, int], ...]:
    """The days on which the rule is in force."""
    first, last = _between(reader, given.get("valid"), "valid")
    items = reader.items(given.get("windows"), "windows", MAX_WINDOWS)
    if not items:
        if "windows" in given and given["windows"].kind == "list":
            reader.refuse(given["windows"], "RULE_WINDOW_EMPTY", "without a window in it, the rule is never in force")
        return ((first or 1, last or FOR_GOOD),)
    found: list[tuple[int, int]] = []
    for item in items:
        days = _window(reader, item, first, last)
        try:
            found = list(ranges([*found, *days]))
        except ValueError as error:
            reader.refuse(item, "RULE_WINDOW_OVERLAPS", f"windows overlap: {error} is in one before, too")
    if sum(end - start + 1 for start, end in found) > MAX_DAYS:
        reader.refuse(given["windows"], "RULE_WINDOW_ENDLESS", f"these are more than {MAX_DAYS:,} days")
    return tuple(found)


def _window(reader: Reader, node: Node, first: int | None, last: int | None) -> list[tuple[int, int]]:
    """Days of one window: a recurrence, or from one day until another."""
    if node.kind == "mapping":
        start, end = _between(reader, node, "a window")
        if start is None or end is None:
            reader.refuse(node, "RULE_WINDOW_ENDLESS", "a window is from a day until a day: {from: …, until: …}")
            return []
        if (first is not None and start < first) or (last is not None and end > last):
            reader.refuse(node, "RULE_WINDOW_INVALID", "this window is not within valid")
        return [(start, end)]
    if first is None:
        reader.refuse(node, "RULE_WINDOW_INVALID", "a recurrence starts with a day: valid: {from: …}")
        return []
    return [(day, day) for day in by_recurrence(reader, node, first, last)]


def _between(reader: Reader, node: Node | None, what: str) -> tuple[int | None, int | None]:
    given = reader.fields(node, what, ("from", "until"))
    first, last = (reader.day(given.get(name), name) for name in ("from", "until"))
    if first is not None and last is not None and last < first:
        reader.refuse(given["until"], "RULE_WINDOW_EMPTY", f"this ends before it begins, on {date.fromordinal(first)}")
    return first, last


def _caps(reader: Reader, node: Node | None, earn: language.Expression | None) -> tuple[int, tuple[Cap, ...]]:
    """(points of one order, what one member gets in a period); no constant award may be above either."""
    given = reader.fields(node, "cap", ("order", "member"))
    if node is not None and node.kind == "mapping" and not node.entries:
        reader.refuse(node, "RULE_KEY_MISSING", "a cap needs order, member or both")
    order = reader.integer(given.get("order"), "order", 1, MAX_POINTS)
    if order:
        _above(reader, given["order"], earn, order, "this cap")
    member = given.get("member")
    items = [member] if member is not None and member.kind != "list" else reader.items(member, "member", len(_PERIODS))
    if member is not None and member.kind == "list" and not items:
        reader.refuse(member, "RULE_KEY_MISSING", "a member's cap is empty: it bounds nothing")
    caps: dict[Period, Cap] = {}
    for item in items:
        bounds = reader.fields(item, "a member's cap", ("points", "times", "per"), ("per",))
        points, times = (reader.integer(bounds.get(name), name, 1, MAX_POINTS) for name in ("points", "times"))
        if "per" not in bounds:
            continue
        period = reader.choice(bounds["per"], "per", _PERIODS, "total")
        if not bounds.keys() & {"points", "times"}:
            reader.refuse(item, "RULE_KEY_MISSING", "a member's cap needs points, times or both")
        if points:
            _above(reader, bounds["points"], earn, points, "this cap")
        if period in caps and bounds["per"].value == period:
            reader.refuse(item, "RULE_VALUE_INVALID", f"there is a cap per {period} already: write both into one")
        caps[period] = Cap(period, points, times)
    return order, tuple(caps[period] for period in _PERIODS if period in caps)


def _campaign(reader: Reader, node: Node | None, around: Surroundings, earn: language.Expression | None) -> str:
    found = _one_of(reader, node, "RULE_CAMPAIGN_UNKNOWN", "campaign", around.campaigns)
    if node is not None and found:
        _above(reader, node, earn, around.campaigns[found].points, f"the budget of {found}")
    return found


def _above(reader: Reader, node: Node, earn: language.Expression | None, bound: int, what: str) -> None:
    most = max([Fraction(earn.low), *_constants(earn.node)]) if earn else 0
    if most > bound > 0:
        shown = most.numerator if most.denominator == 1 else float(most)
        reader.refuse(node, "RULE_CAP_BELOW_AWARD", f"{what} ({bound:,}) is below the award ({shown:,})")


def _constants(node: Tree) -> list[Fraction]:
    """The amounts that an earning can come to without looking at anything."""
    match node:
        case Number(num=num, den=den):
            return [Fraction(num, den)]
        case Case(whens=whens, otherwise=otherwise):
            return [one for value in (*(value for _, value in whens), otherwise) for one in _constants(value)]
        case _:
            return []


def _pending(reader: Reader, node: Node | None, on: On, around: Surroundings, when: Tree | None) -> Pending | None:
    given = reader.fields(node, "pending", ("kind", "days"), ("kind",))
    if node is None or "kind" not in given:
        return None
    kind = reader.choice(given["kind"], "kind", _PENDING, _PENDING[0])
    days = reader.integer(given.get("days"), "days", 1, 90)
    if (kind == "delay") != ("days" in given):
        reader.refuse(given.get("days", node), "RULE_VALUE_INVALID", "a delay, and nothing else, has days")
    if kind == "on_event" and on != "event":
        reader.refuse(given["kind"], "RULE_PENDING_ENDLESS", "only what an event earns can wait for an event")
    elif kind == "on_event" and not around.decided:
        message = "nothing would ever end this: an event needs activates, naming the type of event that waits"
        reader.refuse(given["kind"], "RULE_PENDING_ENDLESS", message)
    elif kind == "on_event" and when is not None and not any(_may_be(when, type_, around) for type_ in around.decided):
        message = f"nothing would ever end this: events activate what {', '.join(sorted(around.decided))} earns"
        reader.refuse(given["kind"], "RULE_PENDING_ENDLESS", message)
    return Pending(kind, days)


def _may_be(when: Tree, type_: str, around: Surroundings) -> bool:
    """Whether a condition can be true of an event of this type."""
    of_type = Compare("=", field(around.layout.places["event.type"], around.exponent, 1), Text(type_))
    return verdict(And((when, of_type)), around.layout, "event") != "never"


def _expiry(reader: Reader, node: Node | None) -> Mapping[str, object] | None:
    """An expiry as the policy has it."""
    given = reader.fields(node, "expiry", ("kind", "months", "rounding", "dates"), ("kind",))
    if node is None or "kind" not in given:
        return None
    kind = reader.choice(given["kind"], "kind", ("none", "rolling", "fixed_dates"), "none")
    belongs = {"none": set(), "rolling": {"months", "rounding"}, "fixed_dates": {"dates"}}[kind]
    for name in given.keys() - belongs - {"kind"}:
        reader.refuse(given[name], "RULE_VALUE_INVALID", f"an expiry of the kind {kind} has no {name}")
    if kind == "rolling":
        if "months" not in given:
            reader.refuse(node, "RULE_KEY_MISSING", "a rolling expiry needs months")
        months = reader.integer(given.get("months"), "months", 1, 120)
        rounding = reader.choice(given.get("rounding"), "rounding", ("day", "month", "quarter", "year"), "month")
        return {"kind": kind, "months": months, "rounding": rounding}
    if kind == "fixed_dates":
        days = reader.items(given.get("dates"), "dates", 12)
        if not days:
            reader.refuse(node, "RULE_KEY_MISSING", "an expiry on fixed dates needs dates, each MM-DD")
        return {"kind": kind, "dates": sorted({_month_day(reader, day) for day in days})}
    return {"kind": kind}


def _month_day(reader: Reader, node: Node) -> str:
    try:
        date.fromisoformat(f"2024-{node.value if _MONTH_DAY.fullmatch(node.value) else ''}")
    except ValueError:
        reader.refuse(node, "RULE_VALUE_INVALID", "each of the dates is MM-DD, such as 12-31")
    return node.value


def _one_of(reader: Reader, node: Node | None, code: str, what: str, names: Collection[str]) -> str:
    if node is None or node.value in names:
        return node.value if node is not None else ""
    reader.unknown(node, code, f"there is no {what} {node.value}", names)
    return ""
