"""Why an entry says what it says. Pure: told from the entry, the account before it, the order document or what the
entry keeps of its event, and the rules of the version that decided.

What a rule set decided is decided again by the same engine, and told only when that gives what the entry says. Of the
member it tells what rules in force read, and nothing of a birthday.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

from loyalty.earning.offers import by_rate, campaign_of, names_of, written
from loyalty.earning.purchase import Order
from loyalty.errors import Refused
from loyalty.explanations.missing import fields_of
from loyalty.explanations.nearest import Changed, Suggestion, nearest
from loyalty.explanations.occasion import Decided, Occasion, decided
from loyalty.explanations.phrases import Language, Speaker, in_language, number, say
from loyalty.explanations.views import (
    CapHit,
    ChangeView,
    Exact,
    ExplanationView,
    Input,
    MovementView,
    NearestView,
    RemainderView,
    RuleSetRef,
    RuleView,
    exact,
)
from loyalty.ids import located
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, Multiplier, State
from loyalty.ledger.chain import Entry
from loyalty.ledger.views import given_multiplier, iso, movements
from loyalty.rules.engine import Awarded, Step, counter
from loyalty.rules.evaluation import Loaded
from loyalty.rules.facts import Happened, Person, typed
from loyalty.rules.ruleset import BASE_RULE, Cap, Names, Rule, RuleSet
from loyalty.rules.tree import Field
from loyalty.values import ZERO, Rate, exponent

MAX_INPUT_LINES: Final = 50
"""Lines whose facts are told."""
PRIVATE: Final = frozenset({"member.birth_month", "member.birth_day"})
"""Facts whose values are not told."""
_KEPT_OF_EVENTS: Final = frozenset({"member.id", "member.kind", "member.tier", "member.segments", "member.multiplier"})
"""What an event's entry keeps of the member's document."""
_FROM_ACCOUNT: Final = frozenset({"member.purchases", "member.first_purchase", "member.days_since_purchase"})


class Source(Struct, frozen=True):
    """What an entry of an order or of a rule set is explained from; None where there is none, or it cannot be read."""

    order: Order | None = None
    loaded: Loaded | None = None


def explain(entry: Entry, before: State, source: Source, language: Language) -> ExplanationView:
    """An entry's explanation; ``before`` is the account after the entry before it."""
    version = entry.detail.get("rules")
    if entry.kind == "earned" and version is not None:
        return _by_rules(entry, before, source, language, version)
    text, recomputed = _told(entry, before, source, language)
    return _view(
        entry,
        before,
        language,
        text,
        recomputed=recomputed,
        rule_set=UNSET if version is None else _ref(version, source.loaded),
    )


def _view(entry: Entry, before: State, language: Language, text: list[str], **further: Any) -> ExplanationView:
    chain = entry.chain
    return ExplanationView(
        id=located("ent", chain.account, chain.wallet, entry.number),
        kind=entry.kind,
        language=language,
        points=entry.detail.get("points", 0),
        text=[say(language, "sentence", sentence[:1].upper() + sentence[1:]) for sentence in text],
        movements=[
            MovementView(
                why=one.why,
                state=one.state,
                points=one.points,
                expires_at=one.expires_at,
                starts_at=one.starts_at,
                text=say(language, f"why.{one.why}"),
            )
            for one in movements(entry.moves)
        ],
        remainders=list(_remainders(entry, before)) or UNSET,
        **further,
    )


def _remainders(entry: Entry, before: State) -> Iterator[RemainderView]:
    """What was carried before and after, where the entry changed it."""
    last = {move[2]: Rate(move[3], move[4]) for move in entry.moves if move[1] == "r"}
    for rule, after in sorted(last.items()):
        yield RemainderView(rule, exact(before.remainders.get(rule, ZERO)), exact(after))


def _ref(version: int, loaded: Loaded | None) -> RuleSetRef:
    return RuleSetRef(version, UNSET if loaded is None else loaded.evaluator.rules.name)


# ---- what a rule set decided


def _by_rules(entry: Entry, before: State, source: Source, language: Language, version: int) -> ExplanationView:
    loaded = source.loaded
    occasion = None if loaded is None else occasion_of(entry, before, source.order, loaded.evaluator.rules)
    given = None if loaded is None or occasion is None else decided(loaded.evaluator, occasion)
    if loaded is None or occasion is None or given is None or not _same(entry, given):
        return _as_it_says(entry, before, source, language, version)
    rules = loaded.evaluator.rules
    speaker = Speaker(rules, language)
    told = [*_rules(rules, given, speaker), *_failed(rules, given, speaker)]
    told += _offered(given, before, language)
    told.sort(key=lambda view: (view.rule != BASE_RULE, view.rule))
    more = [_suggested(one, speaker, rules) for one in nearest(loaded.evaluator, occasion, given)]
    text = [speaker.say("entry.rules", given.total, rules.name, version)]
    text += [view.text for view in told]
    return _view(
        entry,
        before,
        language,
        text + [view.text for view in more],
        recomputed=True,
        rule_set=_ref(version, loaded),
        base=exact(Rate.of(given.facts.order[0], rules.rules[rules.base].scale)),
        inputs=list(_inputs(rules, occasion, given, speaker)),
        rules=told,
        nearest=more,
    )


def occasion_of(entry: Entry, before: State, order: Order | None, rules: RuleSet) -> Occasion | None:
    """What an entry under a rule set was decided from; None when its order is not there any more."""
    detail = entry.detail
    if "order" in detail:
        if order is None or order.given is None:
            return None
        return Occasion(order, order.given.person, before, entry.recorded, order.given.reserved)
    type_ = detail.get("event", "")
    declared = next((event for event in rules.events if event.type == type_), None)
    if declared is None:
        return None
    fields = {
        name: typed(declared.fields[name], value)
        for name, value in detail.get("fields", {}).items()
        if name in declared.fields
    }
    happened = Happened(entry.chain.account, type_, entry.occurred, detail.get("store", ""), fields)
    occasion = Occasion(happened, _person_of(detail), before, entry.recorded, _paid(entry, rules))
    if declared.streak:
        return occasion.counted(rules)
    return occasion


def _person_of(detail: Mapping[str, Any]) -> Person | None:
    """What an event's entry keeps of the member."""
    kept = detail.get("member")
    if kept is None:
        return None
    segments = tuple(kept.get("segments", ()))
    return Person(kept.get("kind", ""), kept.get("tier", ""), segments, multiplier=kept.get("multiplier", 0))


def _paid(entry: Entry, rules: RuleSet) -> dict[str, int]:
    """What campaigns could pay for an event: what they paid."""
    campaigns = {rule.id: rule.campaign for rule in rules.rules if rule.campaign}
    paid: dict[str, int] = {}
    for rule, points in entry.detail.get("awards", ()):
        if rule in campaigns:
            paid[campaigns[rule]] = paid.get(campaigns[rule], 0) + points
    return paid


def _awards(entry: Entry) -> list[tuple[str, int]]:
    """What the entry itself says of its awards."""
    points = entry.detail.get("points", 0)
    told = entry.detail.get("awards", [[BASE_RULE, points]] if points else [])
    return [(rule, part) for rule, part in told]


def _same(entry: Entry, given: Decided) -> bool:
    awards = [(award.rule, points) for award, points in zip(given.outcome.awards, given.points, strict=True)]
    if "awards" not in entry.detail and [rule for rule, _ in awards] not in ([], [BASE_RULE]):
        return False
    return given.total == entry.detail.get("points", 0) and _some(awards) == _some(_awards(entry))


def _some(awards: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return [award for award in awards if award[1]]


def _as_it_says(entry: Entry, before: State, source: Source, language: Language, version: int) -> ExplanationView:
    """What the entry says of itself, where it cannot be worked out again."""
    names = {} if source.loaded is None else {rule.id: rule.names for rule in source.loaded.evaluator.rules.rules}
    rules = [
        RuleView(
            rule,
            "given",
            points,
            say(language, "entry.part", _name(rule, names, language), points),
            names.get(rule, UNSET),
        )
        for rule, points in _awards(entry)
    ]
    text = [say(language, "entry.rules.own", entry.detail.get("points", 0), version), *(view.text for view in rules)]
    return _view(entry, before, language, text, recomputed=False, rule_set=_ref(version, source.loaded), rules=rules)


def _name(rule: str, names: Mapping[str, Names], language: Language) -> str:
    """What a rule is called, or whose offer it was."""
    if rule in names:
        return in_language(names[rule], language)
    campaign = campaign_of(rule)
    return say(language, "offer.campaign", campaign) if campaign else rule


def _offered(given: Decided, before: State, language: Language) -> Iterator[RuleView]:
    """What a campaign's multiplier gave beside the rules."""
    best = before.multiplier(given.facts.day)
    for award, points in zip(given.outcome.awards, given.points, strict=True):
        if best is not None and campaign_of(award.rule):
            rests = before.remainders.get(award.rule, ZERO), given.carried.get(award.rule, ZERO)
            yield _multiplied(best, award, points, rests, language)


def _multiplied(
    best: Multiplier, award: Awarded, points: int, rests: tuple[Rate, Rate], language: Language
) -> RuleView:
    """``rests`` are what was carried before and after."""
    exactly = Rate.of(award.num, award.den)
    title = say(language, "named", say(language, "offer", written(best), best.campaign))
    days = say(language, "offer.days", *_days(best))
    named, colon = say(language, "rule.when", title, days), say(language, "colon")
    parts = [
        f"{named}{colon}{say(language, 'rule.exact', _number(exactly))}",
        *_carried(rests[0], points, rests[1], language),
    ]
    return RuleView(
        award.rule,
        "given",
        points,
        say(language, "then").join(parts),
        names_of(best),
        exact=exact(exactly),
        rounding="carry",
        before=exact(rests[0]),
        after=exact(rests[1]),
    )


def _days(multiplier: Multiplier) -> tuple[str, str]:
    first, last = (date.fromordinal(day).isoformat() for day in (multiplier.first, multiplier.last))
    return first, last


def _rules(rules: RuleSet, given: Decided, speaker: Speaker) -> Iterator[RuleView]:
    by_id = {rule.id: rule for rule in rules.rules}
    points = {award.rule: part for award, part in zip(given.outcome.awards, given.points, strict=True)}
    for step in given.outcome.steps:
        rule = by_id[step.rule]
        after = given.carried.get(rule.id, ZERO) if rule.rounding == "carry" else ZERO
        yield _rule(rule, step, points.get(rule.id, 0), after, speaker, by_id)


def _rule(rule: Rule, step: Step, points: int, after: Rate, speaker: Speaker, by_id: Mapping[str, Rule]) -> RuleView:
    carried = rule.rounding == "carry"
    caps = list(_caps(rule, step))
    return RuleView(
        rule=rule.id,
        verdict=step.verdict,
        points=points,
        text=_text(rule, step, points, after, speaker, by_id),
        names=rule.names,
        condition=speaker.condition(rule.when),
        earning=speaker.value(rule.earn),
        exact=exact(step.exact),
        after_order_cap=exact(step.after_order_cap) if rule.order_cap else UNSET,
        after_caps=_left(rule, step),
        caps=caps or UNSET,
        by=step.by or UNSET,
        rounding=rule.rounding,
        before=exact(step.before) if carried else UNSET,
        after=exact(after) if carried else UNSET,
    )


def _left(rule: Rule, step: Step) -> Exact | UnsetType:
    """What the member's caps left; rounding that came after is undone where they left all of it."""
    return exact(step.after_caps if step.cap else step.after_order_cap) if rule.caps else UNSET


def _caps(rule: Rule, step: Step) -> Iterator[CapHit]:
    if step.after_order_cap != step.exact:
        yield CapHit("order", rule.order_cap)
    found = _cap_of(rule, step.cap)
    if found is not None:
        cap, what = found
        yield CapHit(cap.period, cap.points if what == "p" else UNSET, cap.times if what == "t" else UNSET)


def _cap_of(rule: Rule, name: str) -> tuple[Cap, str] | None:
    """The cap that a counter's name stands for, and whether it counts points or times."""
    for cap in rule.caps:
        if cap.points and counter(rule.id, cap, "p") == name:
            return cap, "p"
        if cap.times and counter(rule.id, cap, "t") == name:
            return cap, "t"
    return None


def _text(rule: Rule, step: Step, points: int, after: Rate, speaker: Speaker, by_id: Mapping[str, Rule]) -> str:
    """A rule's way to its points in one sentence."""
    parts = [f"{_titled(rule, speaker)}{speaker.say('colon')}{speaker.say('rule.exact', _number(step.exact))}"]
    if step.after_order_cap != step.exact:
        parts.append(speaker.say("rule.order_cap", rule.order_cap, _number(step.after_order_cap)))
    found = _cap_of(rule, step.cap)
    if found is not None:
        cap, what = found
        bound = speaker.say("cap.points", cap.points) if what == "p" else speaker.say("cap.times", cap.times)
        parts.append(speaker.say("rule.cap", bound, speaker.say(f"period.{cap.period}"), _number(step.after_caps)))
    if step.verdict != "given":
        by = in_language(by_id[step.by].names, speaker.language) if step.by in by_id else step.by
        parts.append(speaker.say(f"verdict.{step.verdict}", by))
    elif rule.rounding == "carry":
        parts += _carried(step.before, points, after, speaker.language)
    else:
        parts.append(speaker.say(f"rounding.{rule.rounding}", points))
    return speaker.say("then").join(parts)


def _carried(before: Rate, points: int, after: Rate, language: Language) -> list[str]:
    """What was carried, what was given, what is carried on; nothing is not spoken of."""
    parts = [say(language, "carried.before", _number(before))] if before.num else []
    parts.append(say(language, "verdict.given", points))
    return [*parts, say(language, "carried.after", _number(after))] if after.num else parts


def _titled(rule: Rule, speaker: Speaker) -> str:
    """A rule's name, and when it counts."""
    name = speaker.say("named", in_language(rule.names, speaker.language))
    if rule.when is None:
        return name
    condition = speaker.condition(rule.when)
    return speaker.say("rule.when", name, speaker.say("rule.lines", condition) if rule.on == "line" else condition)


def _failed(rules: RuleSet, given: Decided, speaker: Speaker) -> Iterator[RuleView]:
    for failure in given.outcome.failures:
        rule = rules.rules[failure.rule]
        text = f"{_titled(rule, speaker)}{speaker.say('colon')}{speaker.say('failed')}"
        yield RuleView(rule.id, "failed", 0, text, rule.names, speaker.condition(rule.when), speaker.value(rule.earn))


def _inputs(rules: RuleSet, occasion: Occasion, given: Decided, speaker: Speaker) -> Iterator[Input]:
    """The facts that rules in force spoke of: of the order, then line by line."""
    fields: set[Field] = set()
    for rule in rules.rules:
        in_force = any(first <= given.facts.day <= last for first, last in rule.windows)
        if in_force and (rule.on == "event") is given.facts.is_event:
            fields |= fields_of(rule.when) | fields_of(rule.earn)
    of_event = isinstance(occasion.happened, Happened)
    for field in sorted(fields, key=lambda field: field.index):
        if field.scope == "order" and field.name != "base" and not (of_event and _forgotten(field.name)):
            yield _input(field, given.facts.order[field.index], speaker, UNSET)
    for place, line in enumerate(given.facts.lines[:MAX_INPUT_LINES]):
        for field in sorted(fields, key=lambda field: field.index):
            if field.scope == "line" and field.name != "line.base":
                yield _input(field, line[field.index], speaker, place + 1)


def _forgotten(name: str) -> bool:
    """Whether an event's entry did not keep it."""
    return name.startswith("member.") and name not in _KEPT_OF_EVENTS | _FROM_ACCOUNT


def _input(field: Field, value: object, speaker: Speaker, line: int | UnsetType) -> Input:
    shown = speaker.say("withheld") if field.name in PRIVATE else speaker.shown(field, value)
    return Input(field.name, speaker.fact(field.name), shown, line)


# ---- what would have earned more


def _suggested(suggestion: Suggestion, speaker: Speaker, rules: RuleSet) -> NearestView:
    rule, order = suggestion.rule, suggestion.occasion.happened
    lines = len(order.lines) if isinstance(order, Order) else 0
    further = {change.line for change in suggestion.changes if change.fact == "line.amount" and change.line == lines}
    pieces = any(change.fact == "line.quantity" for change in suggestion.changes)
    changes = [
        _change(change, speaker, rules, further=change.line in further and not pieces) for change in suggestion.changes
    ]
    name = in_language(rule.names, speaker.language)
    text = speaker.say("nearest", suggestion.points, name, speaker.say("change.and").join(changes))
    if rule.campaign:
        text += speaker.say("then") + speaker.say("nearest.campaign", rule.campaign)
    return NearestView(
        rule.id,
        rule.names,
        suggestion.points,
        [ChangeView(change.fact, change.value, change.line or UNSET) for change in suggestion.changes],
        text,
        rule.campaign or UNSET,
    )


def _change(change: Changed, speaker: Speaker, rules: RuleSet, *, further: bool) -> str:
    """One thing that would have been different, in words."""
    fact, value, line = change.fact, change.value, change.line
    if fact == "channel":
        return speaker.channel(value)
    if fact in ("date", "local_time", "store"):
        return speaker.say(f"change.{fact}", value)
    if fact == "line.amount":
        money = f"{value} {rules.currency}"
        return speaker.say("change.further", money) if further else speaker.say("change.amount", money, line)
    if fact == "line.quantity":
        return speaker.say("change.pieces", value, line)
    shown = speaker.said(value)
    if not line:
        return speaker.say("change.fact", speaker.fact(fact), shown)
    return speaker.say("change.further.goods" if further else "change.line", speaker.fact(fact), shown, line)


# ---- entries that no rule set made


def _told(entry: Entry, before: State, source: Source, language: Language) -> tuple[list[str], bool | UnsetType]:
    """Sentences, and whether it was worked out again."""
    detail, kind = entry.detail, entry.kind
    points = detail.get("points", 0)
    if kind == "earned":
        return _earned(entry, before, source, language)
    if kind == "reversed":
        return _reversed(entry, source, language), UNSET
    parts: tuple[object, ...] = ()
    if kind in ("redeemed", "restored", "released", "transferred_out", "transferred_in"):
        parts = (points,)
    elif kind == "held":
        parts = (points, iso(detail["deadline"]))
    elif kind == "captured":
        parts = (points, detail["released"], detail["left"])
    elif kind in ("activated", "cancelled"):
        parts = (points, detail["of"])
    elif kind == "offered" and (offer := given_multiplier(entry.moves)):
        parts = (written(offer), *_days(offer), offer.campaign)
    elif kind == "adjusted":
        parts = (f"{points:+}", detail["reason"])
    elif kind in ("frozen", "unfrozen", "closed"):
        parts = (detail["reason"],)
    return [say(language, f"entry.{kind}", *parts)], UNSET


def _earned(entry: Entry, before: State, source: Source, language: Language) -> tuple[list[str], bool | UnsetType]:
    """A purchase by the policy's rate, or the policy's bonus for an event."""
    detail = entry.detail
    points = detail.get("points", 0)
    if "event" in detail:
        return [say(language, "entry.bonus", points, detail["event"])], UNSET
    if "campaign" in detail:
        return [say(language, "entry.offer", points, detail["campaign"])], UNSET
    order = source.order
    if order is None:
        return [say(language, "entry.earned.own", points)], False
    if "awards" in detail:
        return _by_rate_and_offer(entry, before, order, language)
    earned = order.terms.rate.times(detail["amount"])
    rest = before.remainders.get(BASE_RULE, ZERO)
    whole, after = rest.plus(earned).split()
    if whole != points or after != entry.state.remainders.get(BASE_RULE, ZERO):
        return [say(language, "entry.earned.own", points)], False
    rated = _rated(order, earned, language)
    return [say(language, "then").join([rated, *_carried(rest, whole, after, language)])], True


def _rated(order: Order, earned: Rate, language: Language) -> str:
    rate = order.terms.rate.times(10 ** exponent(order.currency))
    amount = _money(order.amount, order.currency)
    return say(language, "entry.rate", amount, _number(rate), order.currency, _number(earned))


def _by_rate_and_offer(
    entry: Entry, before: State, order: Order, language: Language
) -> tuple[list[str], bool | UnsetType]:
    """A purchase by the policy's rate on a day on which a multiplier held."""
    day = order.terms.day
    awards, best = by_rate(order, before, day), before.multiplier(day)
    draft = Draft(before, entry.recorded)
    try:
        given = commands.earn_awards(draft, [award.award() for award in awards])
    except Refused:
        given = []
    told = [[award.rule, points] for award, points in zip(awards, given, strict=True)] if given else []
    if best is None or told != entry.detail["awards"]:
        parts = [say(language, "entry.part", _name(rule, {}, language), points) for rule, points in _awards(entry)]
        return [say(language, "entry.earned.own", entry.detail["points"]), *parts], False
    rests = [
        (before.remainders.get(award.rule, ZERO), draft.state.remainders.get(award.rule, ZERO)) for award in awards
    ]
    earned = Rate.of(awards[0].num, awards[0].den)
    base = [_rated(order, earned, language), *_carried(rests[0][0], given[0], rests[0][1], language)]
    more = _multiplied(best, awards[1], given[1], rests[1], language)
    return [say(language, "then").join(base), more.text], True


def _reversed(entry: Entry, source: Source, language: Language) -> list[str]:
    """A return: what came back, and whose points were taken."""
    detail, order = entry.detail, source.order
    named = f"{detail['source']}/{detail['order']}"
    currency = "" if order is None else order.currency
    back, all_back = (_money(detail[name], currency) for name in ("amount", "returned"))
    text = [
        say(language, "entry.reversed", back, named, detail.get("points", 0)),
        say(language, "entry.reversed.all", all_back),
    ]
    rules = {} if source.loaded is None else {rule.id: rule.names for rule in source.loaded.evaluator.rules.rules}
    for rule, points in detail.get("awards", ()):
        name = _name(rule, rules, language)
        text.append(say(language, "entry.part", name, points))
    if "forgiven" in detail:
        text.append(say(language, "entry.forgiven", detail["forgiven"]))
    return text


def _money(minor_units: int, currency: str) -> str:
    """Whole units and the currency's code."""
    places = exponent(currency)
    whole, rest = divmod(minor_units, 10**places)
    return f"{whole}.{rest:0{places}} {currency}".rstrip() if places else f"{whole} {currency}"


def _number(rate: Rate) -> str:
    return number(*rate)
