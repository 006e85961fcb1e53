"""What a step says, before anybody is told: its texts, as a member would read them who need not be there. Pure.

The member is made up of the values that the texts ask for, and goes through the functions that word what really goes
out: so what is seen here is what is sent. Whom a text would not be sent to, because it says a number or a day that
nobody knows, is not shown one either.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final, Literal, TypeVar

from msgspec import Struct

from loyalty.campaigns import offers, words
from loyalty.campaigns.campaign import Campaign, Step
from loyalty.errors import Invalid
from loyalty.notifications.message import UNSUBSCRIBE_PLACEHOLDER, Content, filled
from loyalty.templates.language import OWN_LINK
from loyalty.templates.measure import Length, segments
from loyalty.templates.rendering import render
from loyalty.templates.template import FIELDS, LANGUAGES, UNSUBSCRIBE, Rendered, Template, Value, Variable
from loyalty.templates.values import fits, longest

_T = TypeVar("_T")
Language = Literal["en", "zh"]
Channel = Literal["email", "sms", "push", "inbox", "wechat", "wecom", "webhook"]
_TOLD: Final[Mapping[str, str]] = {
    "text": "a text",
    "date": "a day from 1900 to 2199, such as 2026-12-01",
    "money": "an amount in minor units, at most {most:,}",
}
_WHOLE: Final = "a whole number, at most {most:,}"


class Asked(Struct, frozen=True):
    """Which texts: those of a ``step``, for one ``variant``, on one ``channel``, in one ``language``; None: for each.
    ``variables`` are what is known of the member, by the names that the texts have for it: text, a day as ISO 8601,
    numbers as such or as they are written, money in minor units, declared numbers as whole ones. ``day`` (an ordinal)
    is the one on which it is said; 0: that of the step, for who comes in today, or on the calendar's first day.
    """

    step: str
    channel: str | None = None
    language: str | None = None
    variant: str | None = None
    variables: Mapping[str, Value] = {}
    day: int = 0


class Said(Struct, frozen=True):
    """One text. ``links`` is where each of its links would lead, by the address that stands in its place and leads
    nowhere. Of an SMS ``length`` and ``segments`` say how long it is, with its links as long as they can be.
    """

    variant: str
    template: str
    channel: str
    rendered: Rendered
    links: Mapping[str, str]
    length: Length | None = None
    segments: int = 0


class Trial(Struct, frozen=True):
    """What a step of a campaign says on a day."""

    campaign: str
    version: int
    step: str
    day: int
    said: tuple[Said, ...]


def trial(campaign: Campaign, asked: Asked, today: int) -> Trial:
    """The texts that are asked for. Invalid names ``step``, ``variant``, ``channel``, ``day``, or, as
    ``variables.points``, what is missing, not known or does not fit.
    """
    step = _one_of("step", asked.step, {one.id: one for one in campaign.steps if one.templates})
    day = asked.day or max(today, campaign.calendar.first) + step.day
    templates = _templates(campaign, step, asked)
    facts = _facts(campaign, step, templates, asked.variables)
    known = {name: words.values(campaign, step, template, facts, day) for name, template in templates.items()}
    _complete(step, templates, {name: unknown for name, (_, unknown) in known.items()})
    said = [
        _said(template, variant, channel, language, known[variant][0])
        for variant, template in templates.items()
        for channel in template.channels
        if asked.channel in (None, channel)
        for language in (LANGUAGES if asked.language is None else (asked.language,))
    ]
    return Trial(campaign.id, campaign.version, step.id, day, tuple(said))


def _one_of(what: str, name: str, known: Mapping[str, _T]) -> _T:
    if name in known:
        return known[name]
    there = f"it is one of {', '.join(known)}" if known else "there is none"
    raise Invalid("REQUEST_INVALID", f"{what}: {name!r} says nothing here; {there}", field=what)


def _templates(campaign: Campaign, step: Step, asked: Asked) -> dict[str, Template]:
    """By variant, "" where all are told the same; only those with a text for the channel that is asked for."""
    names = dict(step.templates)
    if asked.variant is not None:
        _one_of("variant", asked.variant, {one.id: one for one in campaign.variants})
        names = {asked.variant: step.template(asked.variant)}
    found = {variant: campaign.templates[name] for variant, name in names.items()}
    if asked.channel is not None:
        there = {channel: channel for channel in FIELDS if any(channel in one.texts for one in found.values())}
        _one_of("channel", asked.channel, there)
        found = {variant: one for variant, one in found.items() if asked.channel in one.texts}
    return found


def _facts(campaign: Campaign, step: Step, templates: Mapping[str, Template], given: Mapping[str, Value]) -> list[Any]:
    """The member's facts in the order of the campaign's layout, None for what is not said."""
    facts: list[Any] = [None] * campaign.layout.order
    asked = {one.name: one for one in _asked(step, templates)}
    for name, value in given.items():
        variable = asked.get(name)
        if variable is None:
            told = f"the texts ask for {', '.join(sorted(asked))}" if asked else "the texts ask for nothing"
            raise _wrong(name, f"{told}, and the rest is said by the step")
        read = _read(variable, value)
        if read is None or not fits(variable, read):
            raise _wrong(name, _form(variable))
        words.put(campaign, name, facts, read)
    return facts


def _asked(step: Step, templates: Mapping[str, Template]) -> Iterator[Variable]:
    """What only the member can tell."""
    said = {words.TODAY, *step.fixed, *offers.variables(step.offer)}
    for template in templates.values():
        yield from (one for one in template.variables if one.name not in said)


def _read(variable: Variable, value: Value) -> Value | None:
    """What is given in the type of the variable; None where it is none of it."""
    if variable.type == "text":
        return value if isinstance(value, str) else None
    if variable.type == "date":
        try:
            return date.fromisoformat(value).toordinal() if isinstance(value, str) else None
        except ValueError:
            return None
    if isinstance(value, int):
        return value
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= len(str(variable.most)) else None


def _complete(step: Step, templates: Mapping[str, Template], unknown: Mapping[str, tuple[str, ...]]) -> None:
    asked = {one.name: one for one in _asked(step, templates)}
    missing = sorted({name for names in unknown.values() for name in names})
    for name in missing:
        if name not in asked:  # what is given, on days that no text can say
            raise Invalid("REQUEST_INVALID", f"day: no text can say {name} of that day", field="day")
    if missing:
        more = f"; and so for {', '.join(missing[1:])}" if missing[1:] else ""
        told = f"the text says it, and is sent to nobody of whom it is not known: {_form(asked[missing[0]])}{more}"
        raise _wrong(missing[0], told)


def _form(variable: Variable) -> str:
    return _TOLD.get(variable.type, _WHOLE).format(most=variable.most)


def _wrong(name: str, told: str) -> Invalid:
    return Invalid("REQUEST_INVALID", f"variables.{name}: {told}", field=f"variables.{name}")


def _said(template: Template, variant: str, channel: str, language: str, values: Mapping[str, Value]) -> Said:
    leads, worded = words.linked(values, {one.name for one in template.variables if one.type == "link"})
    rendered = render(template, channel, language, {**worded, UNSUBSCRIBE: UNSUBSCRIBE_PLACEHOLDER})
    whole = "\n".join((rendered.subject, rendered.text, rendered.html, *rendered.data.values()))
    links = {place: lead for place, lead in leads.items() if place in whole}
    if channel != "sms":
        return Said(variant, template.id, channel, rendered, links)
    place = longest(OWN_LINK, language)
    sent = filled(Content(text=rendered.text), (place,) * len(leads), place).text
    return Said(variant, template.id, channel, rendered, links, Length.of(sent), segments(sent))
