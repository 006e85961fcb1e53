"""What a campaign's writer expects of it: a member, what happens to the member, and what is then got on which day. Run
by the very functions that carry campaigns out.
"""

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from loyalty.campaigns import journey as ways
from loyalty.campaigns import occasions, touch
from loyalty.campaigns.assignment import NOT, refused
from loyalty.campaigns.campaign import ENTRY, Campaign, Told
from loyalty.campaigns.journey import Journey
from loyalty.campaigns.met import Described
from loyalty.campaigns.touch import Action, Way
from loyalty.contacts.decide import REASONS, decide
from loyalty.contacts.policy import ContactPolicy
from loyalty.contacts.preferences import Preferences
from loyalty.contacts.record import Record
from loyalty.ledger.account import Figures, State
from loyalty.rules.reading import Reader
from loyalty.rules.schema import Layout, field
from loyalty.rules.yaml_text import Node
from loyalty.values import exponent

MAX_CASES: Final = 300
MAX_EVENTS: Final = 50
MAX_NAMES: Final = 30
MAX_DAY: Final = 1_100
SOMEDAY: Final = date(2026, 3, 2).toordinal()
"""The day on which cases begin that name none, where the campaign names none either."""
NOTHING: Final = "nothing"
OUT: Final = "out"
KINDS: Final = ("purchase", "opened", "clicked")
KEYS: Final = ("case", "campaign", "variant", "on", "member", "in", "entry", "reached", "events", "gets")
_WHY: Final = (*touch.WHY, *REASONS)


class Happening(Struct, frozen=True):
    """Something that happens on a day of the way, counted from 0: a purchase of ``amount`` minor units, or that the
    message of a ``step`` is opened, or a link in it followed.
    """

    day: int
    kind: str
    amount: int = 0
    step: str = ""


class Got(Struct, frozen=True):
    """What a case expects of a day: a step, by a channel, with what it gives; "" and 0 where the case does not say.
    ``why``: not got, and for this reason.
    """

    step: str = ""
    by: str = ""
    points: int = 0
    why: str = ""


class Case(Struct, frozen=True):
    """``facts`` of the member stand in the order of the layout of segments, as of the day ``on`` on which the member
    comes in. ``out`` is the reason why the member is expected not to, "" for one who does.
    """

    name: str
    line: int
    campaign: str
    variant: str
    on: int
    facts: tuple[Any, ...]
    segments: tuple[str, ...]
    told: Mapping[str, Told]
    reached: tuple[str, ...]
    happenings: tuple[Happening, ...]
    gets: Mapping[int, Got]
    out: str = ""


class Result(Struct, frozen=True):
    """How a case went: ``message`` says what is wrong, "" where it passed; ``trace`` what each day came to."""

    name: str
    line: int
    passed: bool
    message: str
    trace: tuple[str, ...]


def run(campaigns: Collection[Campaign], cases: Collection[Case]) -> list[Result]:
    """Each case, by what carries campaigns out, under the contact policy that a programme begins with. Nothing is
    written anywhere.
    """
    known = {one.id: one for one in campaigns}
    return [_run(known[case.campaign], case) for case in cases]


def _run(campaign: Campaign, case: Case) -> Result:
    somebody = _somebody(campaign, case)
    out = refused(campaign, somebody, case.segments, case.on, case.told)
    if out or case.out:
        met = f"does not come in: {NOT[out]}" if out else "comes in"
        message = "" if out == case.out else f"expected {case.out or 'to come in'}, and {out or 'came in'}"
        return Result(case.name, case.line, not message, message, (met,))
    trace: list[str] = []
    wrong: list[str] = []
    for day, got in _days(campaign, case, somebody):
        expected = case.gets.get(day, Got())
        told = "; ".join(_shown(one) for one in got) or NOTHING
        trace.append(f"day {day}: {told}")
        if not _as_expected(expected, got):
            wrong.append(f"day {day}: {_shown(expected) or NOTHING} expected, and {told}")
    return Result(case.name, case.line, not wrong, "; ".join(wrong), tuple(trace))


def _days(campaign: Campaign, case: Case, somebody: Described) -> list[tuple[int, list[Got]]]:
    """What is got on each day on which anything is got, left out or expected."""
    state = somebody.state
    journey = ways.begun(
        campaign,
        Journey(
            campaign.id,
            occasions.name(campaign, case.on),
            campaign.version,
            case.variant,
            case.on,
            purchases=state.purchases,
            last=state.last,
            spend=state.total.spend,
            told=case.told,
        ),
    )
    record = Record()
    preferences = Preferences(reached=case.reached, consents=dict.fromkeys(case.reached, True))
    policy = ContactPolicy()
    found: list[tuple[int, list[Got]]] = []
    end = case.on + max([campaign.days + _slack(campaign), *case.gets, *(one.day for one in case.happenings)])
    for day in range(case.on, end + 1):
        past = [one for one in case.happenings if case.on + one.day <= day]
        now = _bought(somebody, past, case.on)
        opened, clicked = (
            frozenset(one.step for one in past if one.kind in kinds) for kinds in (("opened", "clicked"), ("clicked",))
        )
        plan = touch.plan([Way(campaign, journey, "running", opened, clicked)], now, day)
        at = datetime.fromordinal(day).replace(hour=policy.contact_hour, tzinfo=ZoneInfo(campaign.timezone))
        verdicts, record = decide(plan.candidates, record, preferences, policy, campaign.timezone, int(at.timestamp()))
        settled = touch.settle(plan, verdicts, day)
        for one in settled.journeys:
            journey = one
        got = [_got(action) for action in touch.actions(plan, verdicts)]
        got += [Got(one.step, why=one.why) for one in settled.left]
        if got or day - case.on in case.gets:
            found.append((day - case.on, got))
    return found


def _slack(campaign: Campaign) -> int:
    """Days that a way may take longer than its steps say."""
    excepted = sum(span.last - span.first + 1 for span in campaign.calendar.excepted)
    return min(excepted + (touch.TRIED_DAYS + 1) * len(campaign.steps), MAX_DAY)


def _got(action: Action) -> Got:
    points = action.offer.numbers.get("points", 0) if action.offer is not None else 0
    return Got(action.step, action.channel, points)


def _as_expected(expected: Got, got: Collection[Got]) -> bool:
    """Steps that were not for the member may go unsaid; whatever came may not."""
    came = [one for one in got if not one.why]
    if expected.why:
        return not came and any(one.why == expected.why and expected.step in ("", one.step) for one in got)
    if not expected.step:
        return not came
    return len(came) == 1 and all(
        wanted in ("", 0) or wanted == has
        for wanted, has in (
            (expected.step, came[0].step),
            (expected.by, came[0].by),
            (expected.points, came[0].points),
        )
    )


def _shown(got: Got) -> str:
    if got.why:
        return f"no {got.step or 'more'} ({got.why})"
    by = f" by {got.by}" if got.by else ""
    return f"{got.step}{by}{f' with {got.points:,} points' if got.points else ''}"


def _somebody(campaign: Campaign, case: Case) -> Described:
    at = campaign.first_layout

    def value(name: str) -> Any:
        return case.facts[at.places[name].index]

    since = value("member.days_since_purchase")
    first = value("member.days_since_first_purchase")
    state = State()
    state.purchases = value("member.purchases")
    state.last = 0 if since is None else case.on - since
    state.first = 0 if first is None else case.on - first
    state.total = Figures(spend=value("member.spend"))
    return Described(case.on, case.facts, state)


def _bought(somebody: Described, past: Collection[Happening], on: int) -> Described:
    """The member after what was bought."""
    bought = [one for one in past if one.kind == "purchase"]
    if not bought:
        return somebody
    state, spend = somebody.state.copy(), sum(one.amount for one in bought)
    state.purchases += len(bought)
    state.last = max(on + one.day for one in bought)
    state.total = state.total.plus(Figures(spend=spend))
    return replace(somebody, state=state, purchases=len(bought), spend=spend)


def read(reader: Reader, node: Node | None, campaigns: Mapping[str, Campaign]) -> tuple[Case, ...]:
    """The cases of a file."""
    found = [_case(reader, item, campaigns) for item in reader.items(node, "expect", MAX_CASES)]
    return tuple(one for one in found if one is not None)


def _case(reader: Reader, item: Node, campaigns: Mapping[str, Campaign]) -> Case | None:
    given = reader.fields(item, "a case", KEYS, ("case", "campaign", "gets"))
    named = given.get("campaign")
    campaign = campaigns.get(named.value) if named is not None else None
    if named is not None and campaign is None:
        reader.unknown(named, "CAMPAIGN_UNKNOWN", f"there is no campaign {named.value}", campaigns)
    if campaign is None:
        return None
    variants = [one.id for one in campaign.variants]
    variant = given.get("variant")
    if variant is not None and variant.value not in variants:
        reader.unknown(variant, "CAMPAIGN_VARIANT_UNKNOWN", f"there is no variant {variant.value}", variants)
    on = reader.day(given.get("on"), "on") or campaign.calendar.first or SOMEDAY
    at, places = campaign.first_layout, exponent(campaign.currency)
    gets, out = _gets(reader, given.get("gets"), campaign)
    return Case(
        name=reader.text(given.get("case"), "case"),
        line=item.at.line,
        campaign=campaign.id,
        variant=variant.value if variant is not None else next(iter(variants), ""),
        on=on,
        facts=_facts(reader, given.get("member"), at, places),
        segments=_segments(reader, given, campaign),
        told=_told(reader, given.get("entry"), campaign, places),
        reached=_reached(reader, given.get("reached"), campaign),
        happenings=_happenings(reader, given.get("events"), campaign, places),
        gets=gets,
        out=out,
    )


def _segments(reader: Reader, given: Mapping[str, Node], campaign: Campaign) -> tuple[str, ...]:
    """The segments that the member is in: the campaign's own, unless the case says otherwise."""
    if "in" in given:
        return tuple(one.value for one in reader.items(given["in"], "in", MAX_NAMES))
    return (campaign.audience.segment,) if campaign.audience.segment else ()


def _reached(reader: Reader, node: Node | None, campaign: Campaign) -> tuple[str, ...]:
    if node is None:
        return campaign.channels
    found = []
    for item in reader.items(node, "reached", len(campaign.channels)):
        if item.value not in campaign.channels:
            message = f"the campaign does not use {item.value}"
            reader.unknown(item, "CAMPAIGN_CHANNEL_UNKNOWN", message, campaign.channels)
        found.append(item.value)
    return tuple(found)


def _facts(reader: Reader, node: Node | None, at: Layout, places: int) -> tuple[Any, ...]:
    """The facts of a member as a case gives them; what it does not speak of is nothing, or not known."""
    names = {name.removeprefix("member."): name for name in at.places}
    values: list[Any] = [
        None if place.fact.nullable else 0 for place in sorted(at.places.values(), key=lambda one: one.index)
    ]
    if node is not None and node.kind != "mapping":
        reader.refuse(node, "RULE_VALUE_INVALID", "member is written as field: value")
    for key, value in node.entries if node is not None else ():
        if key.value not in names:
            reader.unknown(key, "RULE_FIELD_UNKNOWN", f"there is no field {key.value}", names)
            continue
        place = at.places[names[key.value]]
        values[place.index] = _value(reader, key.value, value, place.fact.type, field(place, places, 1).scale)
    return tuple(values)


def _told(reader: Reader, node: Node | None, campaign: Campaign, places: int) -> dict[str, Told]:
    """What the event tells, by name."""
    at = campaign.layout
    names = {fact.name.removeprefix("entry."): at.places[fact.name] for fact in ENTRY}
    found: dict[str, Told] = {}
    for key, value in node.entries if node is not None and node.kind == "mapping" else ():
        place = names.get(key.value)
        if place is None:
            reader.unknown(key, "RULE_FIELD_UNKNOWN", f"no event tells {key.value}", names)
            continue
        one = _value(reader, key.value, value, place.fact.type, field(place, places, 1).scale)
        if one is not None:
            found[key.value] = one
    if campaign.audience.enter == "segment.entered":
        found.setdefault("segment", campaign.audience.segment)
    return found


def _value(reader: Reader, name: str, node: Node, kind: str, scale: int) -> Any:
    if kind == "number":
        given = reader.decimal(node, name)
        if given is None:
            return 0
        number, rest = divmod(given[0] * scale, given[1])
        if rest:
            reader.refuse(node, "RULE_VALUE_INVALID", f"{name} is finer than it is counted")
        return number
    if kind == "truth":
        return reader.truth(node, name)
    if kind == "date":
        return reader.day(node, name)
    if kind == "names":
        return frozenset(reader.text(one, name) for one in reader.items(node, name, MAX_NAMES))
    return reader.text(node, name)


def _happenings(reader: Reader, node: Node | None, campaign: Campaign, places: int) -> tuple[Happening, ...]:
    found = []
    for item in reader.items(node, "events", MAX_EVENTS):
        given = reader.fields(item, "an event", ("day", *KINDS), ("day",))
        kinds = [kind for kind in KINDS if kind in given]
        if len(kinds) != 1:
            reader.refuse(item, "RULE_VALUE_INVALID", f"an event is one of {', '.join(KINDS)}")
            continue
        day = reader.integer(given.get("day"), "day", 0, MAX_DAY)
        node = given[kinds[0]]
        if kinds[0] == "purchase":
            amount = _value(reader, "purchase", node, "number", 10**places)
            found.append(Happening(day, "purchase", amount))
        else:
            _step(reader, node, campaign)
            found.append(Happening(day, kinds[0], step=node.value))
    return tuple(found)


def _gets(reader: Reader, node: Node | None, campaign: Campaign) -> tuple[dict[int, Got], str]:
    """(what is got, by day; the reason why the member does not come in)."""
    if node is None:
        return {}, ""
    if node.kind == "text":
        if node.value != NOTHING:
            reader.refuse(node, "RULE_VALUE_INVALID", f"gets is a mapping of days, or {NOTHING}, or {{{OUT}: why}}")
        return {}, ""
    found: dict[int, Got] = {}
    if (why := node.get(OUT)) is not None:
        return {}, reader.choice(why, OUT, tuple(NOT), "condition")
    for key, value in node.entries:
        if not re.fullmatch(r"[0-9]{1,4}", key.value, re.ASCII) or int(key.value) > MAX_DAY:
            reader.refuse(key, "RULE_VALUE_INVALID", "what is got stands beside its day: 0, 3, …")
            continue
        found[int(key.value)] = _one(reader, value, campaign)
    return found, ""


def _one(reader: Reader, node: Node, campaign: Campaign) -> Got:
    if node.kind == "text":
        if node.value == NOTHING:
            return Got()
        _step(reader, node, campaign)
        return Got(node.value)
    given = reader.fields(node, "what is got", ("step", "by", "points", "why"))
    step, by, why = given.get("step"), given.get("by"), given.get("why")
    if step is not None:
        _step(reader, step, campaign)
    if by is not None and by.value not in campaign.channels:
        message = f"the campaign does not use {by.value}"
        reader.unknown(by, "CAMPAIGN_CHANNEL_UNKNOWN", message, campaign.channels)
    return Got(
        step.value if step is not None else "",
        by.value if by is not None else "",
        reader.integer(given.get("points"), "points", 0, 10**12),
        reader.choice(why, "why", _WHY, "condition") if why is not None else "",
    )


def _step(reader: Reader, node: Node, campaign: Campaign) -> None:
    known = [one.id for one in campaign.steps]
    if node.value not in known:
        reader.unknown(node, "CAMPAIGN_STEP_UNKNOWN", f"there is no step {node.value}", known)
