"""Whatever was bought under whatever rules: its explanation adds up, and every suggestion gives what it promises."""

from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from hypothesis import assume, event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from loyalty.earning.awards import event_earns, purchase_earns
from loyalty.earning.purchase import Given, Line, Order, OrderTerms
from loyalty.explanations.explain import Source, explain
from loyalty.explanations.views import Exact, ExplanationView, NearestView, exact
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Cause, Chain, Entry, seal
from loyalty.programs.policy import check
from loyalty.programs.terms import Program
from loyalty.rules import document
from loyalty.rules.compiler import compiled
from loyalty.rules.evaluation import Evaluator, Loaded
from loyalty.rules.facts import Happened, Person, typed
from loyalty.rules.interpret import Interpreter
from loyalty.rules.ruleset import RuleSet
from loyalty.values import ZERO, Rate

POLICY: Final = Program.of(check({"program": "grocer", "name": "Grocer", "currency": "EUR"}), 1)
MEMBER: Final = f"mem_{'0' * 26}"
CHAIN: Final = Chain("grocer", MEMBER, "points")
MONDAY: Final = datetime(2026, 11, 9, tzinfo=UTC)
ZONES: Final = {"319": "America/New_York", "320": "Europe/Vienna"}
SECTIONS: Final = """
rule_set: test
program: grocer
currency: EUR
timezone: UTC
stores: {"319": {region: north, timezone: America/New_York}, "320": {region: south, timezone: Europe/Vienna}}
attributes: {line: {organic: truth, vintage: number}, member: {vegan: truth}}
events: {review: {fields: {photo: truth, words: number, product: text, on: date}}, check_in: {streak: true}}
calendar:
  double_11: {name: {en: Double 11, zh: 双十一}, dates: [2026-11-11]}
  member_day: {name: {en: Member day, zh: 会员日}, dates: [2026-11-08, 2026-11-20]}
campaigns: {autumn: {points: 100000}}
groups: {offers: {stacking: best}, first: {stacking: first}, alone: {stacking: exclusive, priority: 3}}
rules:
"""
OF_ORDERS: Final = (
    "channel = 'store'",
    "channel IN ('app', 'online')",
    "local_time BETWEEN '11:00' AND '13:30'",
    "local_time > '18:00'",
    "local_time < '08:00' OR local_time >= '20:00'",
    "weekday IN ('saturday', 'sunday')",
    "NOT (weekday = 'monday' OR weekday = 'tuesday')",
    "on_day('double_11')",
    "on_day('member_day') AND channel = 'app'",
    "date >= '2026-11-12'",
    "amount >= 50",
    "amount > 99.99",
    "amount / 3 > 20",
    "quantity >= 6",
    "store = '319'",
    "region = 'south'",
    "payment = 'card'",
    "payment IS NULL",
    "payment LIKE 'vi%'",
    "member.tier = 'gold'",
    "'vip' IN member.segments",
    "member.vegan",
    "member.purchases >= 3",
    "member.birth_month = month",
    "source = 'pos'",
)
OF_WHOLES: Final = (
    "SUM(line.amount) FILTER (WHERE line.category = 'wine') >= 30",
    "SUM(line.amount) FILTER (WHERE line.category = 'wine' OR line.organic) > 12",
    "COUNT(*) FILTER (WHERE line.category = 'cheese' AND line.brand IN ('a', 'b')) >= 1",
    "MAX(line.amount) >= 40",
)
OF_LINES: Final = (
    "line.category = 'wine'",
    "line.brand IN ('a', 'b') AND line.category = 'cheese'",
    "line.organic",
    "NOT line.organic",
    "line.vintage >= 1990.5",
    "line.margin = 'high'",
    "line.amount >= 20",
)
OF_EVENTS: Final = (
    "event.type = 'review'",
    "event.type = 'review' AND event.photo",
    "event.words >= 50",
    "event.words > 99.5 AND event.photo",
    "event.product = 'tea'",
    "event.on >= '2026-11-01'",
    "event.streak >= 3",
    "weekday = 'sunday'",
)
WHOLE: Final = ("2 * base", "base * 1.5", "50", "amount / 7", "base + amount / 3", "LEAST(base * 3, base + 20)")
LINE_EARN: Final = ("2 * line.base", "line.amount / 9", "5", "line.base * 1.25")
EVENT_EARN: Final = ("10", "event.words / 7", "5 + COALESCE(event.streak, 0)", "3")

ROUNDINGS: Final = ("carry", "carry", "up", "down", "nearest")
CAPS: Final = ("", "", "order: 60", "member: {points: 70, per: month}", "member: {times: 2, per: day}")
BASES: Final = ("line.amount", "line.amount / 3")
EVALUATORS: Final[tuple[Callable[[RuleSet], Evaluator], ...]] = (Interpreter, compiled)


@st.composite
def rules(draw: st.DrawFn, on: str) -> str:
    """The conditions and all else of one rule, in YAML's short form but for its id."""
    lines = on == "line"
    known = {"order": OF_ORDERS + OF_WHOLES, "line": OF_LINES + OF_ORDERS, "event": OF_EVENTS}[on]
    parts = draw(st.lists(st.sampled_from(known), min_size=0, max_size=3, unique=True))
    joint = draw(st.sampled_from((" AND ", " AND ", " OR ")))
    earn = draw(st.sampled_from({"order": WHOLE, "line": LINE_EARN, "event": EVENT_EARN}[on]))
    text = f'"on": {on}, earn: "{earn}"'
    if parts:
        text += f', when: "{joint.join(f"({part})" for part in parts)}"'
    if draw(st.booleans()):
        text += f", group: {draw(st.sampled_from(('offers', 'first', 'alone')))}"
    text += f", priority: {draw(st.integers(0, 2))}, rounding: {draw(st.sampled_from(ROUNDINGS))}"
    cap = draw(st.sampled_from(CAPS))
    if cap:
        text += f", cap: {{{cap}}}"
    if draw(st.integers(0, 3)) == 0:
        text += ", budget: autumn"
    if draw(st.integers(0, 3)) == 0:
        text += ", valid: {from: 2026-11-11, until: 2026-11-13}"
    assume(not lines or "amount / 7" not in text)
    return text


@st.composite
def rule_sets(draw: st.DrawFn, *on: str) -> RuleSet:
    """A rule set that is fit to be published."""
    base = f'id: base, name: {{en: Base, zh: 基础}}, "on": line, earn: {draw(st.sampled_from(BASES))}'
    further = draw(st.lists(st.sampled_from(on).flatmap(rules), min_size=1, max_size=5))
    named = [f"id: r{place}, name: {{en: R{place}, zh: 规则{place}}}, {one}" for place, one in enumerate(further)]
    text = SECTIONS + "".join(f"  - {{{one}}}\n" for one in (base, *named))
    checked = document.check(text, "test.yaml")
    assume(checked.rules is not None)
    assert checked.rules is not None
    return checked.rules


PEOPLE = st.builds(
    Person,
    tier=st.sampled_from(("", "gold")),
    segments=st.sampled_from(((), ("vip",))),
    birth_month=st.sampled_from((0, 11, 12)),
    attributes=st.sampled_from(({}, {"vegan": True})),
)
MOMENTS = st.integers(0, 7 * 86_400 - 1).map(lambda seconds: int(MONDAY.timestamp()) + seconds)
LINES = st.builds(
    Line,
    amount=st.integers(0, 9000),
    quantity=st.integers(0, 3),
    category=st.sampled_from(("", "wine", "cheese")),
    brand=st.sampled_from(("", "a", "c")),
    margin=st.sampled_from(("", "high")),
    attributes=st.sampled_from(({}, {"organic": True}, {"organic": False, "vintage": 1980})),
)


@st.composite
def states(draw: st.DrawFn, known: RuleSet) -> State:
    """An account under these rules: some of its caps used, something carried."""
    day = int(MONDAY.timestamp()) // 86_400 + 719_163 + draw(st.integers(-40, 8))
    # Of more than eight remainders one is added to the base rule's.
    ids = [*(rule.id for rule in known.rules if rule.rounding == "carry"), *(f"old{place}" for place in range(8))]
    parts = st.builds(Rate.of, st.integers(1, 8), st.just(9))
    counters = [f"{rule.id}:{what}" for rule in known.rules for what in ("pm", "td")]
    return State(
        number=4,
        kind="member",
        status="open",
        at=int(MONDAY.timestamp()) - 86_400,
        purchases=draw(st.integers(0, 4)),
        first=day - 9,
        last=day,
        counted=day,
        counters=draw(st.dictionaries(st.sampled_from(counters), st.integers(1, 70), max_size=4)),
        remainders=draw(st.dictionaries(st.sampled_from(ids), parts, max_size=8)),
        streaks=draw(st.dictionaries(st.just("check_in"), st.tuples(st.just(day), st.integers(1, 5)))),
    )


def order_of(lines: tuple[Line, ...], person: Person | None, occurred: int, **said: str) -> Order:
    return Order(
        source=said.get("source", "pos"),
        order_id="1",
        account=MEMBER,
        wallet="points",
        currency="EUR",
        lines=lines,
        occurred=occurred,
        terms=OrderTerms(Rate(1, 100), 0, 0, "arrears"),
        ref="k#till#1",
        fingerprint="f",
        actor="till",
        content="c",
        store=said["store"],
        channel=said["channel"],
        payment=said["payment"],
        given=Given(1, occurred + 60, person),
    )


ORDERS = st.builds(
    order_of,
    st.lists(LINES, min_size=1, max_size=4).map(tuple),
    st.none() | PEOPLE,
    MOMENTS,
    store=st.sampled_from(("", "319", "320")),
    channel=st.sampled_from(("store", "app", "other")),
    payment=st.sampled_from(("", "card")),
)


def sealed(before: State, draft: Draft, occurred: int) -> Entry:
    """The entry of a draft, as if it stood behind ``before``."""
    entry = seal(CHAIN, None, draft, Cause("k#till#1", "f", "till", occurred))
    assert entry.number == before.number + 1
    return entry


def points_of(evaluator: Evaluator, order: Order, before: State, rooms: dict[str, int]) -> tuple[Draft, int]:
    """Post an order on an account."""
    assert order.given is not None
    outcome, day = purchase_earns(Loaded(1, evaluator), POLICY, order, before, rooms)
    draft = Draft(before, order.given.recorded)
    commands.earn_awards(draft, [award.award() for award in outcome.awards], day, visit=True)
    return draft, draft.detail["points"]


def adds_up(found: ExplanationView, entry: Entry) -> None:
    """What an explanation tells of each rule is what the entry says, and together it is all of it."""
    assert found.recomputed is True
    assert isinstance(found.rules, list)
    told = {one.rule: one.points for one in found.rules if one.points}
    awards = {rule: points for rule, points in entry.detail.get("awards", [["base", entry.detail["points"]]]) if points}
    assert told == awards
    assert sum(told.values()) == found.points == entry.detail["points"]
    for one in found.rules:
        if isinstance(one.after, Exact):
            assert one.after == exact(entry.state.remainders.get(one.rule, ZERO)), one.rule
    remainders = found.remainders if isinstance(found.remainders, list) else []
    assert {one.rule for one in remainders} == {move[2] for move in entry.moves if move[1] == "r"}
    assert all(one.after == exact(entry.state.remainders.get(one.rule, ZERO)) for one in remainders)


def followed(order: Order, suggestion: NearestView) -> Order:
    """The order with just that changed which a suggestion names: read from what it says, and from nothing else."""
    lines = list(order.lines)
    for change in suggestion.changes:
        if change.fact.startswith("line."):
            assert isinstance(change.line, int)
            if change.line == len(lines) + 1:
                lines.append(Line(0))
            lines[change.line - 1] = _line(lines[change.line - 1], change.fact.removeprefix("line."), change.value)
        elif change.fact in ("channel", "payment", "store"):
            zone = ZoneInfo(ZONES.get(order.store, "UTC"))
            local = datetime.fromtimestamp(order.occurred, zone)
            order = replace(order, **{change.fact: change.value})
            order = _at(order, local.replace(tzinfo=None))
        else:
            local = datetime.fromtimestamp(order.occurred, ZoneInfo(ZONES.get(order.store, "UTC"))).replace(tzinfo=None)
            if change.fact == "date":
                order = _at(order, datetime.combine(datetime.fromisoformat(change.value), local.time()))
            else:
                assert change.fact == "local_time"
                order = _at(order, datetime.combine(local, time.fromisoformat(change.value)))
    return replace(order, lines=tuple(lines))


def _line(line: Line, name: str, value: str) -> Line:
    if name == "amount":
        return replace(line, amount=int(value.replace(".", "")))
    if name == "quantity":
        return replace(line, quantity=int(value))
    if name in ("category", "brand"):
        return replace(line, **{name: value})
    said: Any = value == "true" if value in ("true", "false") else value
    return replace(line, attributes={**line.attributes, name: said})


def _at(order: Order, local: datetime) -> Order:
    zone = ZoneInfo(ZONES.get(order.store, "UTC"))
    return replace(order, occurred=int(local.replace(tzinfo=zone).timestamp()))


@given(st.data())
def test_a_purchases_explanation_adds_up_and_its_suggestions_give_what_they_promise(data: st.DataObject) -> None:
    known = data.draw(rule_sets("order", "line"))
    order, before = data.draw(ORDERS), data.draw(states(known))
    evaluator = data.draw(st.sampled_from(EVALUATORS))(known)
    room = data.draw(st.sampled_from((100_000, 100_000, 30, 0)))
    assert order.given is not None
    order = replace(order, given=replace(order.given, reserved={"autumn": room}))
    draft, points = points_of(evaluator, order, before, {"autumn": room})
    draft.detail |= {"source": "pos", "order": "1", "amount": order.amount, "rules": 1}
    entry = sealed(before, draft, order.occurred)
    source = Source(order, Loaded(1, evaluator))
    found, chinese = explain(entry, before, source, "en"), explain(entry, before, source, "zh")
    adds_up(found, entry)
    assert isinstance(found.nearest, list)
    assert isinstance(chinese.nearest, list)
    assert [(one.rule, one.points, one.changes) for one in chinese.nearest] == [
        (one.rule, one.points, one.changes) for one in found.nearest
    ]
    assert len(found.nearest) <= 3
    assert [one.points for one in found.nearest] == sorted((one.points for one in found.nearest), reverse=True)
    assert isinstance(found.rules, list)
    unpaid = any(one.verdict == "unpaid" for one in found.rules)
    for one in found.nearest:
        event(f"suggested: {sorted({change.fact for change in one.changes})}")
        assert not any(change.fact.startswith("member.") for change in one.changes)
        rooms = {"autumn": room if unpaid else 100_000}
        _, more = points_of(evaluator, followed(order, one), before, rooms)
        assert more == points + one.points, one


@given(st.data())
def test_an_events_explanation_adds_up_and_its_suggestions_give_what_they_promise(data: st.DataObject) -> None:
    known = data.draw(rule_sets("event"))
    before, person = data.draw(states(known)), data.draw(st.none() | PEOPLE.map(_kept))
    evaluator = data.draw(st.sampled_from(EVALUATORS))(known)
    type_ = data.draw(st.sampled_from(("review", "check_in")))
    fields: dict[str, Any] = {}
    if type_ == "review":
        optional = {"photo": st.booleans(), "words": st.integers(0, 120), "on": st.just("2026-10-30")}
        fields = data.draw(st.fixed_dictionaries({"product": st.sampled_from(("tea", "ham"))}, optional=optional))
    happened = Happened(MEMBER, type_, data.draw(MOMENTS), "", _typed(known, fields))
    draft, points = _event_points(evaluator, happened, person, before)
    draft.detail |= {"event": type_, "rules": 1, "fields": fields}
    if person is not None:
        draft.detail["member"] = {"tier": person.tier, "segments": list(person.segments)}
    entry = sealed(before, draft, happened.occurred)
    found = explain(entry, before, Source(None, Loaded(1, evaluator)), "en")
    adds_up(found, entry)
    assert isinstance(found.nearest, list)
    for one in found.nearest:
        event(f"suggested: {sorted({change.fact for change in one.changes})}")
        after = _event_followed(known, happened, fields, one)
        _, more = _event_points(evaluator, after, person, before)
        assert more == points + one.points, one


def _kept(person: Person) -> Person:
    """What an event's entry keeps of a member."""
    return Person(tier=person.tier, segments=person.segments)


def _typed(known: RuleSet, fields: dict[str, Any]) -> dict[str, object]:
    return {name: typed(known.event_fields[name], value) for name, value in fields.items()}


def _event_points(evaluator: Evaluator, happened: Happened, person: Person | None, before: State) -> tuple[Draft, int]:
    recorded = happened.occurred + 60
    day = datetime.fromtimestamp(happened.occurred, UTC).toordinal()
    if happened.type == "check_in":
        happened = replace(happened, streak=before.streak("check_in", day))
    outcome, day = event_earns(Loaded(1, evaluator), POLICY, happened, person, before, recorded, {"autumn": 100_000})
    draft = Draft(before, recorded)
    commands.earn_awards(draft, [award.award() for award in outcome.awards], day)
    return draft, draft.detail["points"]


def _event_followed(known: RuleSet, happened: Happened, fields: dict[str, Any], one: NearestView) -> Happened:
    for change in one.changes:
        if change.fact in ("date", "local_time"):
            local = datetime.fromtimestamp(happened.occurred, UTC)
            if change.fact == "date":
                local = datetime.combine(datetime.fromisoformat(change.value), local.timetz())
            else:
                local = datetime.combine(local, time.fromisoformat(change.value), UTC)
            happened = replace(happened, occurred=int(local.timestamp()))
        else:
            name = change.fact.removeprefix("event.")
            said: Any = change.value == "true" if change.value in ("true", "false") else change.value
            fields = {**fields, name: said}
            happened = replace(happened, fields=_typed(known, fields))
    return happened
