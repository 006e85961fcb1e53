"""What is different between two rule sets, in the words they were written in. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Final, Literal, TypeVar

from msgspec import Struct

from loyalty.rules.ruleset import LAST_DAY, Campaign, Cap, Day, Event, Group, Names, Rule, RuleSet, Store
from loyalty.rules.tree import Type
from loyalty.values import Rate, exponent

_Part = TypeVar("_Part")
_MOST_WINDOWS: Final = 6
"""So many windows are told one by one."""


class Change(Struct, frozen=True):
    """One difference. ``what`` is the kind of thing (rule, group, …; ``rule set`` for itself), ``id`` which one;
    ``field`` is "" where all of it came or went; ``before`` and ``after`` are "" where there is nothing.
    """

    kind: Literal["added", "removed", "changed"]
    what: str
    id: str
    field: str
    before: str
    after: str


def changes(before: RuleSet | None, after: RuleSet) -> tuple[Change, ...]:
    """All differences, rules first; with no rule set before, everything is new."""
    old = before or RuleSet("", "", after.currency, after.timezone, (), 0)
    found = [
        *_parts("rule", old.rules, after.rules, lambda rule: rule.id, _rule),
        *_parts("group", old.groups, after.groups, lambda group: group.id, _group),
        *_parts(
            "campaign", old.campaigns, after.campaigns, lambda campaign: campaign.id, lambda one: _campaign(one, after)
        ),
        *_parts("day", old.calendar, after.calendar, lambda day: day.id, _day),
        *_parts("event", old.events, after.events, lambda event: event.type, _event),
        *_parts("store", old.stores, after.stores, lambda store: store.id, _store),
        *_attributes("member attribute", old.member_attributes, after.member_attributes),
        *_attributes("line attribute", old.line_attributes, after.line_attributes),
    ]
    if before is not None:
        found += _fields("rule set", after.name, _whole(before), _whole(after))
    return tuple(found)


def plain(found: Sequence[Change]) -> str:
    """The changes as text, one a line; what belongs to one thing stands beneath it."""
    if not found:
        return "no difference"
    lines: list[str] = []
    under = ("", "")
    for change in found:
        if change.kind != "changed":
            sign, said = ("+", change.after) if change.kind == "added" else ("-", change.before)
            lines.append(f"{sign} {change.what} {change.id}{f': {said}' if said else ''}")
            continue
        if under != (change.what, change.id):
            under = (change.what, change.id)
            lines.append(f"~ {change.what} {change.id}")
        lines.append(f"    {change.field}: {change.before or 'none'} → {change.after or 'none'}")
    return "\n".join(lines)


def _parts(
    what: str,
    before: Iterable[_Part],
    after: Iterable[_Part],
    named: Callable[[_Part], str],
    told: Callable[[_Part], Mapping[str, str]],
) -> list[Change]:
    old, new = ({named(part): told(part) for part in parts} for parts in (before, after))
    found: list[Change] = []
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            found.append(Change("added", what, name, "", "", next(iter(new[name].values()), "")))
        elif name not in new:
            found.append(Change("removed", what, name, "", next(iter(old[name].values()), ""), ""))
        else:
            found += _fields(what, name, old[name], new[name])
    return found


def _fields(what: str, name: str, old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    return [Change("changed", what, name, field, old[field], new[field]) for field in new if old[field] != new[field]]


def _attributes(what: str, before: Mapping[str, Type], after: Mapping[str, Type]) -> list[Change]:
    return _parts(what, before.items(), after.items(), lambda one: one[0], lambda one: {"type": one[1]})


def _whole(rules: RuleSet) -> dict[str, str]:
    cost = Rate.of(*rules.point_cost)
    return {
        "name": rules.name,
        "program": rules.program,
        "currency": rules.currency,
        "timezone": rules.timezone,
        "point_cost": _decimal(cost, exponent(rules.currency)) if cost.num else "",
        "guard": f"{rules.guard_percent} %" if rules.guard_percent else "",
    }


def _rule(rule: Rule) -> dict[str, str]:
    """What a rule says, field by field as they are written."""
    return {
        "name": _names(rule.names),
        "on": rule.on,
        "when": _one_line(rule.when_text),
        "earn": _one_line(rule.earn_text),
        "windows": _windows(rule.windows),
        "group": rule.group,
        "priority": str(rule.priority),
        "cap of an order": f"{rule.order_cap:,}" if rule.order_cap else "",
        "cap of a member": "; ".join(_cap(cap) for cap in rule.caps),
        "budget": rule.campaign,
        "pending": _pending(rule),
        "expiry": _expiry(rule),
        "rounding": rule.rounding,
        "on_return": rule.on_return,
    }


def _group(group: Group) -> dict[str, str]:
    return {"stacking": group.stacking, "within": group.within, "priority": str(group.priority)}


def _campaign(campaign: Campaign, rules: RuleSet) -> dict[str, str]:
    money = ""
    if campaign.money:
        money = f" ({_decimal(Rate(campaign.money, 1), exponent(rules.currency))} {rules.currency})"
    return {"budget": f"{campaign.points:,} points{money}"}


def _day(day: Day) -> dict[str, str]:
    return {"name": _names(day.names), "days": _windows([(one, one) for one in day.days])}


def _event(event: Event) -> dict[str, str]:
    return {
        "fields": ", ".join(f"{name} {kind}" for name, kind in sorted(event.fields.items())),
        "required": ", ".join(event.required),
        "once": ", ".join(event.once),
        "streak": "true" if event.streak else "",
        "activates": event.activates,
        "cancels": event.cancels,
    }


def _store(store: Store) -> dict[str, str]:
    return {"region": store.region, "timezone": store.zone}


def _names(names: Names) -> str:
    return f"{names.en} / {names.zh}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cap(cap: Cap) -> str:
    bounds = [f"{cap.points:,} points"] if cap.points else []
    bounds += [f"{cap.times:,} times"] if cap.times else []
    return f"{' and '.join(bounds)} {'in all' if cap.period == 'total' else f'per {cap.period}'}"


def _pending(rule: Rule) -> str:
    if rule.pending is None:
        return ""
    return f"{rule.pending.days} days" if rule.pending.kind == "delay" else rule.pending.kind


def _expiry(rule: Rule) -> str:
    if rule.expiry is None:
        return ""
    kind, *rest = rule.expiry.values()
    return ", ".join([str(kind), *(", ".join(one) if isinstance(one, list) else str(one) for one in rest)])


def _windows(windows: Sequence[tuple[int, int]]) -> str:
    """Days and ranges of days; the first and the last, and how many, where there are many."""
    told = [_window(*window) for window in windows]
    if len(told) > _MOST_WINDOWS:
        told = [*told[:2], "…", told[-1], f"{len(windows)} in all"]
    return ", ".join(told)


def _window(first: int, last: int) -> str:
    if first == last:
        return date.fromordinal(first).isoformat()
    if (first, last) == (1, LAST_DAY):
        return "always"
    begins = f"from {date.fromordinal(first)}" if first > 1 else ""
    ends = f"until {date.fromordinal(last)}" if last < LAST_DAY else ""
    return f"{begins} {ends}".strip()


def _decimal(value: Rate, places: int) -> str:
    """An amount of minor units in whole ones, exact where it has at most 12 decimal places."""
    digits = value.num * 10**12 // (value.den * 10**places)
    return f"{digits // 10**12}.{digits % 10**12:012d}".rstrip("0").rstrip(".")
