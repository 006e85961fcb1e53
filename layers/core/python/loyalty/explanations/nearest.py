"""What would have earned more: rules, and steps of what rules earn, that were missed by little, and what would have had
to be different. Pure.

Only what somebody could have done otherwise is ever changed: when, where, through which channel, how it was paid, how
much and what was bought, what an event said. Who the member is stays out of it; a rule that fails for that, or speaks
of a birthday, is never suggested. Every suggestion has been decided by the engine that posts, on the facts with just
that changed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice, product
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from loyalty.earning.purchase import Line, Order
from loyalty.explanations.missing import (
    OF_GOODS,
    Lack,
    Missing,
    Wanted,
    What,
    constants,
    left_of,
    matching,
    mentions,
    steps_of,
    wanted,
)
from loyalty.explanations.occasion import Decided, Occasion, decided
from loyalty.explanations.phrases import clock, number
from loyalty.rules.evaluation import Evaluator
from loyalty.rules.facts import Happened
from loyalty.rules.interpret import Interpreter
from loyalty.rules.ruleset import BASE_RULE, EVENT_SCALE, Rule, RuleSet
from loyalty.rules.tree import Aggregate, And, Compare, Date, Field, Node, Not, Number, Text, Time, Truth
from loyalty.values import exponent

MOST: Final = 3
DAYS: Final = 7
"""How far away another day may be."""
MOST_LACKS: Final = 3
"""Rules that lack more than this are not near."""
MOST_TRIED: Final = 12
"""Suggestions that are decided in full; those that give most by themselves come first."""
MOST_WORK: Final = 1_000_000
"""Rules times lines that may go into that, but for as many suggestions as are told."""
MOST_LOOKS: Final = 30_000
"""How often a rule is held against a line or an order: of many rules on long orders, those of highest priority."""
MOST_WAYS: Final = 40
"""Ways to what one rule lacks."""
MAX_LINES: Final = 500


class Changed(Struct, frozen=True):
    """One fact as it would have been. ``value`` as a rule set writes it: 2026-11-11, 11:30, store, 10.00. ``line`` is
    counted from 1, 0 for the order; one behind the last line is a further line.
    """

    fact: str
    value: str
    line: int = 0


class Suggestion(Struct, frozen=True):
    """``points`` more than the entry gave, by ``rule``, had all of ``changes`` been so."""

    rule: Rule
    changes: tuple[Changed, ...]
    points: int
    occasion: Occasion


class _Way(NamedTuple):
    occasion: Occasion
    changes: tuple[Changed, ...]


def nearest(evaluator: Evaluator, occasion: Occasion, given: Decided) -> list[Suggestion]:
    """At most ``MOST`` suggestions, those that give most first: of the rules that were missed, those that lack the
    fewest conditions.
    """
    rules = evaluator.rules
    occasion = _paid_for(rules, occasion, given)
    missed = _missed(rules, given)
    lacks = Missing(rules, given.facts).of(missed)
    for few in range(1, MOST_LACKS + 1):
        found = _decide(evaluator, occasion, given, [(rule, lack) for rule, lack in lacks if len(lack) == few])
        if found:
            return found
    return []


def _paid_for(rules: RuleSet, occasion: Occasion, given: Decided) -> Occasion:
    """With campaigns that can pay: what they had then is not known any more, but of those that could not pay."""
    unpaid = {step.by for step in given.outcome.steps if step.verdict == "unpaid"}
    rooms = {
        one.id: (occasion.rooms or {}).get(one.id, 0) if one.id in unpaid else one.points for one in rules.campaigns
    }
    return replace(occasion, rooms=rooms)


def _missed(rules: RuleSet, given: Decided) -> list[Rule]:
    """Rules in force on that day, or within a week of it, that gave nothing because their condition was not true; and
    those that pay by steps (CASE), once for each step, as if that were their condition.
    """
    day, looks = given.facts.day, len(given.facts.lines) + 1
    tried = {step.rule for step in given.outcome.steps} | {rules.rules[one.rule].id for one in given.outcome.failures}
    more = {step.rule for step in given.outcome.steps if step.verdict == "given"}
    near = [
        rule
        for rule in rules.rules
        if rule.id != BASE_RULE
        and (rule.id not in tried or rule.id in more)
        and (rule.on == "event") is given.facts.is_event
        and any(first - DAYS <= day <= last + DAYS for first, last in rule.windows)
        and not any(name.startswith("member.birth") for node in (rule.when, rule.earn) for name in mentions(node))
    ]
    near.sort(key=lambda rule: (-rule.priority, rule.id))
    missed = [rule for rule in near if rule.id not in tried]
    missed += [
        replace(rule, when=step if rule.when is None else And((rule.when, step)))
        for rule in near
        for step in steps_of(rule.earn)
    ]
    return missed[: max(1, MOST_LOOKS // looks)]


def _decide(
    evaluator: Evaluator, occasion: Occasion, given: Decided, near: Sequence[tuple[Rule, tuple[Lack, ...]]]
) -> list[Suggestion]:
    gave = {step.rule: step.exact.num / step.exact.den for step in given.outcome.steps}
    nearest_of: dict[str, tuple[float, _Way, Rule]] = {}
    for rule, lacks in near:
        first = _first_way(evaluator.rules, occasion, rule, lacks)
        if first is None or first[0] <= gave.get(rule.id, 0):
            continue
        known = nearest_of.get(rule.id)
        if known is None or first[0] < known[0]:  # of the steps of one rule the next one
            nearest_of[rule.id] = (*first, rule)
    ways = list(nearest_of.values())
    ways.sort(key=lambda found: (-found[0], found[2].id))
    suggestions: list[Suggestion] = []
    work = len(evaluator.rules.rules) * (len(given.facts.lines) + 1)
    for _, way, rule in ways[: max(MOST, min(MOST_TRIED, MOST_WORK // work))]:
        after = decided(evaluator, way.occasion)
        if after is None or after.total <= given.total:
            continue
        if any(step.rule == rule.id and step.verdict == "given" for step in after.outcome.steps):
            suggestions.append(Suggestion(rule, way.changes, after.total - given.total, way.occasion))
    suggestions.sort(key=lambda one: (-one.points, one.rule.id))
    return suggestions[:MOST]


def _first_way(rules: RuleSet, occasion: Occasion, rule: Rule, lacks: Sequence[Lack]) -> tuple[float, _Way] | None:
    """The nearest way to what a rule lacks, and what the rule gives by itself then."""
    alone = Interpreter(replace(rules, rules=(rules.rules[rules.base], rule), base=0))
    start = _Way(occasion, ())
    for way in islice(_ways(rules, start, lacks), MOST_WAYS):
        for hit in alone.evaluate(way.occasion.facts(rules)).hits:
            if hit.rule == 1:
                return hit.num / hit.den, way
    return None


def _ways(rules: RuleSet, start: _Way, lacks: Sequence[Lack]) -> Iterator[_Way]:
    """Everything that is lacking made good at once, the nearest first."""
    makers = [MADE_GOOD[lack.what] for lack in lacks]
    choices = [list(make(rules, start.occasion, lack)) for make, lack in zip(makers, lacks, strict=True)]
    for chosen in product(*(range(len(options)) for options in choices)):
        way: _Way | None = start
        for place, make, lack in zip(chosen, makers, lacks, strict=True):
            # Made on what the other changes have made already, so that no change undoes another.
            made = list(make(rules, way.occasion, lack)) if way is not None else []
            way = _Way(made[place].occasion, way.changes + made[place].changes) if way and place < len(made) else None
        if way is not None:
            yield way


# ---- what would make it good


def _days(rules: RuleSet, occasion: Occasion, lack: Lack) -> Iterator[_Way]:
    """Other days near it, at the same time of day."""
    del lack
    here = occasion.local(rules)
    for distance in range(1, DAYS + 1):
        for days in (distance, -distance):
            there = _moved(here.date() + timedelta(days), here.time(), occasion, rules)
            if there is not None:
                yield _Way(there, (Changed("date", (here.date() + timedelta(days)).isoformat()),))


def _times(rules: RuleSet, occasion: Occasion, lack: Lack) -> Iterator[_Way]:
    """The times that the conditions name, nearest first; on the same day."""
    here = occasion.local(rules)
    now = here.hour * 3600 + here.minute * 60 + here.second
    times: set[int] = set()
    for atom in lack.conditions:
        for op, value in constants(atom):
            if isinstance(value, Time):
                times |= {value.seconds + step for step in _STEPS[op]}
    # Of two that are as good the one that is easier to say.
    for seconds in sorted(
        (one for one in times if 0 <= one < 86_400), key=lambda one: (abs(one - now) // 120, one % 60, one)
    ):
        moment = time(seconds // 3600, seconds // 60 % 60, seconds % 60)
        there = _moved(here.date(), moment, occasion, rules)
        if there is not None:
            yield _Way(there, (Changed("local_time", clock(seconds)),))


_STEPS: Final[Mapping[str, tuple[int, ...]]] = {
    "=": (0,),
    ">=": (0,),
    "<=": (0,),
    ">": (60, 1),
    "<": (-60, -1),
    "<>": (60, -60),
}


def _moved(day: date, moment: time, occasion: Occasion, rules: RuleSet) -> Occasion | None:
    """At a local time; None where the clocks were put forward over it."""
    zone = occasion.zone(rules)
    try:
        there = datetime.combine(day, moment, zone)
        moved = occasion.at(there, rules)
    except (OverflowError, ValueError):
        return None
    local = moved.local(rules)
    return moved if (local.date(), local.time().replace(fold=0)) == (day, moment.replace(fold=0)) else None


def _elsewhere(rules: RuleSet, occasion: Occasion, lack: Lack) -> Iterator[_Way]:
    """Another store, or one of a region, at the same time by its clock."""
    here = occasion.local(rules)
    for atom in lack.conditions:
        field = left_of(atom)
        for text in _texts(atom):
            stores = [text]
            if isinstance(field, Field) and field.name == "region":
                stores = sorted(store.id for store in rules.stores if store.region == text)[:1]
            for store in stores:
                there = replace(occasion, happened=replace(occasion.happened, store=store))
                moved = _moved(here.date(), here.time(), there, rules)
                if moved is not None:
                    yield _Way(moved, (Changed("store", store),))


def _channels(rules: RuleSet, occasion: Occasion, lack: Lack) -> Iterator[_Way]:
    del rules
    if isinstance(occasion.happened, Order):
        other = [text for text in _CHANNELS if text != occasion.happened.channel]
        for text in _common(lack, other):
            yield _Way(
                replace(occasion, happened=replace(occasion.happened, channel=text)), (Changed("channel", text),)
            )


_CHANNELS: Final = ("store", "online", "app")
"""Where somebody may go who is to go anywhere else."""


def _payments(rules: RuleSet, occasion: Occasion, lack: Lack) -> Iterator[_Way]:
    del rules
    if isinstance(occasion.happened, Order):
        for text in _common(lack):
            yield _Way(
                replace(occasion, happened=replace(occasion.happened, payment=text)), (Changed("payment", text),)
            )


def _amounts(rules: RuleSet, occasion: Occasion, lack: Lack) -> Iterator[_Way]:
    """A further line, of the goods that are asked for, for what is missing."""
    order = occasion.happened
    if not isinstance(order, Order) or len(order.lines) >= MAX_LINES or len(lack.conditions) != 1:
        return
    (atom,) = lack.conditions
    left, minor = left_of(atom), 10 ** exponent(rules.currency)
    for op, value in constants(atom):
        if op not in (">=", ">") or not isinstance(value, Number):
            continue
        reached = -(-value.num * minor // value.den) if op == ">=" else value.num * minor // value.den + 1
        where = left.where if isinstance(left, Aggregate) else None
        for line, changes in _goods_for(where, Line(0), len(order.lines) + 1):
            there = _sum_of(rules, occasion, where)
            if reached > there:
                more = Changed("line.amount", _money(reached - there, minor), len(order.lines) + 1)
                further = replace(order, lines=(*order.lines, replace(line, amount=reached - there)))
                yield _Way(replace(occasion, happened=further), (more, *changes))


def _sum_of(rules: RuleSet, occasion: Occasion, where: Node | None) -> int:
    """Minor units paid for the lines where a condition is true."""
    amounts = [_amount_of(occasion, line) for line in range(len(occasion.facts(rules).lines))]
    return sum(
        amount for amount, true in zip(amounts, matching(rules, occasion.facts(rules), where), strict=True) if true
    )


def _pieces(rules: RuleSet, occasion: Occasion, lack: Lack) -> Iterator[_Way]:
    """More pieces of the line whose pieces cost least, at the same price."""
    order = occasion.happened
    if not isinstance(order, Order) or len(lack.conditions) != 1:
        return
    del rules
    priced = [place for place, line in enumerate(order.lines) if line.quantity and line.amount]
    pieces = sum(line.quantity for line in order.lines)
    for op, value in constants(lack.conditions[0]):
        if op not in (">=", ">") or not isinstance(value, Number) or not priced:
            continue
        reached = -(-value.num // value.den) if op == ">=" else value.num // value.den + 1
        place = min(priced, key=lambda place: (order.lines[place].amount / order.lines[place].quantity, place))
        line, more = order.lines[place], reached - pieces
        if more > 0:
            minor = 10 ** exponent(order.currency)
            grown = replace(
                line, quantity=line.quantity + more, amount=line.amount - (-line.amount * more // line.quantity)
            )
            lines = (*order.lines[:place], grown, *order.lines[place + 1 :])
            changes = (
                Changed("line.quantity", str(grown.quantity), place + 1),
                Changed("line.amount", _money(grown.amount, minor), place + 1),
            )
            yield _Way(replace(occasion, happened=replace(order, lines=lines)), changes)


def _goods(rules: RuleSet, occasion: Occasion, lack: Lack) -> Iterator[_Way]:
    """Other goods on one line: the line that a rule on lines was nearest for, else the dearest that does not count."""
    order = occasion.happened
    if not isinstance(order, Order):
        return
    if lack.line >= 0:
        yield from _other_goods(occasion, order, lack.line, And(lack.conditions) if lack.conditions else None)
        return
    for atom in lack.conditions:
        left = left_of(atom)
        if isinstance(left, Aggregate):
            true = matching(rules, occasion.facts(rules), left.where)
            others = [line for line in range(len(order.lines)) if not true[line]]
            for line in sorted(others, key=lambda line: (-order.lines[line].amount, line))[:3]:
                yield from _other_goods(occasion, order, line, left.where)


def _other_goods(occasion: Occasion, order: Order, place: int, where: Node | None) -> Iterator[_Way]:
    for line, changes in _goods_for(where, order.lines[place], place + 1):
        lines = (*order.lines[:place], line, *order.lines[place + 1 :])
        yield _Way(replace(occasion, happened=replace(order, lines=lines)), changes)


def _goods_for(where: Node | None, line: Line, counted: int) -> Iterator[tuple[Line, tuple[Changed, ...]]]:
    """A line made to meet a condition on goods, and what was changed on it."""
    if where is None:
        yield line, ()
        return
    for parts in islice(_choices(wanted(where, truth=True)), MOST_WAYS):
        made = line
        changes: tuple[Changed, ...] = ()
        for atom in parts:
            fact, value, shown = _said(atom)
            if fact is None:
                break
            made = _with(made, fact, value)
            changes = (*changes, Changed(fact, shown, counted))
        else:
            yield made, changes


def _choices(tree: Wanted) -> Iterator[tuple[Node, ...]]:
    """Sets of conditions of which one would be enough."""
    if tree.atom is not None:
        yield (tree.atom,)
    elif tree.how == "any":
        for part in tree.parts:
            yield from _choices(part)
    else:
        for parts in product(*(list(islice(_choices(part), MOST_WAYS)) for part in tree.parts)):
            yield tuple(atom for part in parts for atom in part)


def _with(line: Line, fact: str, value: str | int | bool) -> Line:
    name = fact.removeprefix("line.")
    if fact in OF_GOODS:
        return replace(line, **{name: value})
    return replace(line, attributes={**line.attributes, name: value})


def _saids(rules: RuleSet, occasion: Occasion, lack: Lack) -> Iterator[_Way]:
    """An event that said something else."""
    del rules
    event = occasion.happened
    if not isinstance(event, Happened):
        return
    changes: tuple[Changed, ...] = ()
    for atom in lack.conditions:
        fact, _, shown = _said(atom)
        held = _held(atom)
        if fact is None or held is None:
            return
        event = replace(event, fields={**event.fields, fact.removeprefix("event."): held})
        changes = (*changes, Changed(fact, shown))
    yield _Way(replace(occasion, happened=event), changes)


def _said(atom: Node) -> tuple[str | None, str | int | bool, str]:
    """(fact, value as it is sent, value in words) that make a condition true; None when it names no value."""
    left = left_of(atom)
    held = _held(atom)
    if not isinstance(left, Field) or held is None:
        return None, "", ""
    if isinstance(held, bool):
        return left.name, held, "true" if held else "false"
    if isinstance(held, str):
        return left.name, held, held
    if left.type == "date":
        return left.name, date.fromordinal(held).isoformat(), date.fromordinal(held).isoformat()
    shown = number(held, EVENT_SCALE)
    return left.name, held // EVENT_SCALE if held % EVENT_SCALE == 0 else shown, shown


def _held(atom: Node) -> str | int | bool | None:
    """The nearest value, as facts hold it, that makes a condition on a declared field or on goods true."""
    match atom:
        case Field(type="truth"):
            return True
        case Not(item=Field(type="truth")):
            return False
    for op, value in constants(atom):
        match value:
            case Text(value=text) if op == "=":
                return text
            case Truth(value=truth) if op == "=":
                return truth
            case Date(ordinal=ordinal) if op in _REACHED:
                return ordinal + _REACHED[op]
            case Number(num=num, den=den) if op in _REACHED:
                exact = num * EVENT_SCALE
                reached = -(-exact // den) if op == ">=" else exact // den
                return reached + _REACHED[op] * EVENT_SCALE if op in "<>" else reached
    return None


_REACHED: Final[Mapping[str, int]] = {"=": 0, ">=": 0, "<=": 0, ">": 1, "<": -1}


def _texts(atom: Node, others: Sequence[str] = ()) -> list[str]:
    """The texts that a condition names; of ``others`` those that it does not rule out."""
    if isinstance(atom, Compare) and atom.op == "<>":
        return [text for text in others if Text(text) != atom.right]
    return [value.value for op, value in constants(atom) if op == "=" and isinstance(value, Text)]


def _common(lack: Lack, known: Sequence[str] = ()) -> list[str]:
    """The texts that all conditions allow; ``known`` are those to choose from where one names none."""
    first, *others = [_texts(atom, known) for atom in lack.conditions]
    return [text for text in first if all(text in texts for texts in others)]


def _amount_of(occasion: Occasion, line: int) -> int:
    return occasion.happened.lines[line].amount if isinstance(occasion.happened, Order) else 0


def _money(minor_units: int, minor: int) -> str:
    """Whole units with all of the currency's places."""
    places = len(str(minor)) - 1
    whole, rest = divmod(minor_units, minor)
    return f"{whole}.{rest:0{places}}" if places else str(whole)


_Make = Callable[[RuleSet, Occasion, Lack], Iterator[_Way]]
MADE_GOOD: Final[Mapping[What, _Make]] = {
    "channel": _channels,
    "payment": _payments,
    "store": _elsewhere,
    "goods": _goods,
    "said": _saids,
    "pieces": _pieces,
    "amount": _amounts,
    "time": _times,
    "day": _days,
}
