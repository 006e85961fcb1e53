"""What texts may say of a member: the variables that a campaign fills in, and where each comes from. Pure."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, Final

from loyalty.campaigns import offers
from loyalty.campaigns.campaign import ENTRY, TOLD, Campaign, Step
from loyalty.notifications.message import link_placeholder
from loyalty.rules.schema import Place
from loyalty.segments.facts import FACTS, SHARE
from loyalty.templates.template import Template, Value
from loyalty.templates.values import fits

TODAY: Final = "today"
_POINTS: Final = frozenset({"member.points", "member.earned_12_months", "entry.points"})
_UNSAID: Final = frozenset({"member.kind", "member.alive", "member.points_rank", "entry.alive", "entry.segment"})
"""What is known of a member and is nobody's to be told."""
_MEMBER: Final = "member."


def variables(campaign: Campaign, step: Step) -> dict[str, str]:
    """Every variable that a text of a step may use, with its type: facts of the member under their own names
    (``points``, ``tier``, ``days_since_purchase``, declared attributes), of what began it (``entry_date``), what the
    offer is (``offer_points``), ``today``, and what the step itself says.
    """
    found: dict[str, str] = {TODAY: "date"}
    told = TOLD[campaign.audience.enter]
    for fact in (*FACTS, *ENTRY):
        kind = "points" if fact.name in _POINTS else "money" if fact.money else fact.type
        if fact.name in _UNSAID or kind not in ("points", "money", "number", "text", "date"):
            continue
        if fact.name.startswith(_MEMBER):
            found[fact.name.removeprefix(_MEMBER)] = kind
        elif fact.name in told:
            found[fact.name.replace(".", "_")] = kind
    found |= {name: kind for name, kind in campaign.attributes.items() if kind in ("text", "number", "date")}
    found |= offers.variables(step.offer)
    return found


def values(
    campaign: Campaign, step: Step, template: Template, facts: list[Any], day: int
) -> tuple[dict[str, Value], tuple[str, ...]]:
    """The variables of a template on a day, and the names of those that are not known, or that no text of it can say:
    too large, too long ago. A text that is not known is empty: templates can ask for it. ``facts`` stand in the order
    of the campaign's layout.
    """
    offered = offers.values(step.offer, day)
    found: dict[str, Value] = {}
    unknown = []
    for variable in template.variables:
        name = variable.name
        if name in step.fixed:
            value: Value | None = _written(step.fixed[name], variable.type)
        elif name in offered:
            value = offered[name]
        elif name == TODAY:
            value = day
        else:
            value = _fact(campaign, name, facts)
        if value is None and variable.type == "text":
            value = ""
        if value is None or (variable.type != "link" and not fits(variable, value)):
            unknown.append(name)
        else:
            found[name] = value
    return found, tuple(unknown)


def put(campaign: Campaign, name: str, facts: list[Any], value: Value) -> None:
    """Have ``facts``, in the order of the campaign's layout, say that of a variable: ``values`` finds it there."""
    place = _place(campaign, name)
    if place is not None:
        facts[place.index] = value * SHARE if _declared_number(campaign, name, place, value) else value


def linked(values: Mapping[str, Value], names: Collection[str]) -> tuple[dict[str, str], dict[str, Value]]:
    """Where the links that have these names lead, each by its placeholder, in their order; and the values with the
    placeholders.
    """
    places = {name: link_placeholder(number) for number, name in enumerate(sorted(set(names) & values.keys()))}
    return {place: str(values[name]) for name, place in places.items()}, {**values, **places}


def undated(template: Template, found: Mapping[str, Value]) -> dict[str, Value]:
    """Without the dates: what is said anew with another date is the same all the same."""
    dates = {variable.name for variable in template.variables if variable.type == "date"}
    return {name: value for name, value in found.items() if name not in dates}


def _fact(campaign: Campaign, name: str, facts: list[Any]) -> Value | None:
    place = _place(campaign, name)
    if place is None:
        return None
    value = facts[place.index]
    # Declared numbers are in thousandths; a text says whole ones.
    if _declared_number(campaign, name, place, value):
        return int(value) // SHARE
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None


def _place(campaign: Campaign, name: str) -> Place | None:
    """Where the fact stands that a variable is filled from."""
    places = campaign.layout.places
    return places.get(f"{_MEMBER}{name}") or places.get(name.replace("entry_", "entry.", 1))


def _declared_number(campaign: Campaign, name: str, place: Place, value: Any) -> bool:
    return name in campaign.attributes and isinstance(value, int) and place.fact.type == "number"


def _written(text: str, kind: str) -> Value:
    """A value that stands in the file, in the form of its type; the check has seen that it has it."""
    if kind == "date":
        return date.fromisoformat(text).toordinal()
    return int(text) if kind in ("number", "points", "money") else text
