"""What rules may speak of: every fact in its place, and NULL where nothing is known."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from loyalty.campaigns import occasions
from loyalty.earning.purchase import Line, Purchase
from loyalty.ledger.account import State
from loyalty.members.member import Member
from loyalty.rules import facts
from loyalty.rules.evaluation import Values
from loyalty.rules.facts import Happened, Person, pack, typed, unpack
from loyalty.rules.ruleset import Day, Event, Names, Rule, RuleSet, Store
from loyalty.rules.schema import BEHIND, LINE, ORDER, Layout, layout
from loyalty.rules.tree import Case, Compare, Field, Has, IsNull, Node, Not, Number, Text

NAMES = Names("name", "名称")
ANNA = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"
BASE = Rule("base", NAMES, "line", Field("line.amount", "line", 7, "number", 100))
LATE = int(datetime(2026, 11, 11, 1, 30, 5, tzinfo=UTC).timestamp())
"""11 November in Shanghai, 10 November in New York."""


def speaks_of(*names: str) -> tuple[Rule, ...]:
    def node(name: str) -> Node:
        if name == "member.segments":
            return Has(Field(name, "order", 0, "names"), "vip")
        return Compare("=", Field(name, "order", 0, "text"), Text("x"))

    return tuple(Rule(f"rule{place}", NAMES, "order", Number(1), node(name)) for place, name in enumerate(names))


def rule_set(*further: Rule) -> RuleSet:
    return RuleSet(
        program="grocer",
        name="test",
        currency="EUR",
        timezone="America/New_York",
        rules=(BASE, *further),
        base=0,
        calendar=(
            Day("double_11", NAMES, (date(2026, 11, 11).toordinal(),)),
            Day("autumn", NAMES, tuple(range(date(2026, 11, 1).toordinal(), date(2026, 11, 30).toordinal()))),
        ),
        stores=(Store("319", "east", "Asia/Shanghai"), Store("320", "west")),
        events=(Event("review", {"words": "number", "photo": "truth"}), Event("run", {"metres": "number"})),
        member_attributes={"vegan": "truth", "joined": "date"},
        line_attributes={"organic": "truth", "litres": "number", "origin": "text"},
    )


RULES = rule_set()
PURCHASE = Purchase(
    source="pos",
    order_id="1",
    account=ANNA,
    wallet="points",
    currency="EUR",
    lines=(
        Line(1234, 2, "milk", "dairy", 0, 0, "fresh", "Alpina", "high", {"organic": True, "litres": "1.5"}),
        Line(100),
    ),
    occurred=LATE,
    store="319",
    channel="app",
    payment="card",
)
MEMBER = Member(
    id=ANNA,
    kind="employee",
    identities=(),
    attributes={"birthday": "1990-05-17", "city": "上海", "vegan": True, "joined": "2020-01-02", "private": "x"},
    language="zh-Hant",
    enrolled=LATE - 40 * 86_400,
    changed=0,
    tier="gold",
    segments=("early", "vip"),
)
SPOKEN = [f"member.{name}" for name in ("kind", "language", "city", "birth_month", "birth_day", "age_days", "vegan")]


def named(rules: RuleSet, values: Values, scope: str = "order") -> dict[str, Any]:
    """Facts by their names, as the layout has them."""
    places = layout_of(rules).places.values()
    found = {place.fact.name: values[place.index] for place in places if place.fact.scope == scope}
    assert len(found) == len(values), "a fact without a name, or two in one place"
    return found


def layout_of(rules: RuleSet) -> Layout:
    return layout(rules.member_attributes, rules.line_attributes, rules.event_fields)


def test_a_purchase_gives_every_fact_of_the_order_at_the_time_of_its_store() -> None:
    person = replace(facts.reader(rule_set(*speaks_of(*SPOKEN))).person(MEMBER), multiplier=1500)
    state = State(purchases=3, first=1, last=date(2026, 11, 8).toordinal())
    found = facts.of_purchase(RULES, PURCHASE, person, state)
    assert found.day == date(2026, 11, 11).toordinal()
    assert not found.is_event
    assert named(RULES, found.order) == {
        "base": 0,
        "channel": "app",
        "store": "319",
        "region": "east",
        "currency": "EUR",
        "amount": 1334,
        "payment": "card",
        "source": "pos",
        "quantity": 3,
        "lines": 2,
        "date": date(2026, 11, 11).toordinal(),
        "local_time": 9 * 3600 + 30 * 60 + 5,
        "weekday": "wednesday",
        "month": 11,
        "day": 11,
        "days": {"double_11", "autumn"},
        "member.id": ANNA,
        "member.kind": "employee",
        "member.tier": "gold",
        "member.segments": {"early", "vip"},
        "member.language": "zh-Hant",
        "member.city": "上海",
        "member.birth_month": 5,
        "member.birth_day": 17,
        "member.age_days": 41,  # enrolled on 1 October in New York, where the programme is
        "member.purchases": 3,
        "member.first_purchase": False,
        "member.days_since_purchase": 3,
        "event.type": None,
        "event.streak": None,
        "event.metres": None,
        "event.photo": None,
        "event.words": None,
        "member.vegan": True,
        "member.joined": None,
        "member.multiplier": 1500,
    }


def test_each_line_gives_its_own_facts() -> None:
    first, second = facts.of_purchase(RULES, PURCHASE, None, State()).lines
    assert named(RULES, first, "line") == {
        "line.base": 0,
        "line.product": "milk",
        "line.category": "dairy",
        "line.department": "fresh",
        "line.brand": "Alpina",
        "line.margin": "high",
        "line.quantity": 2,
        "line.amount": 1234,
        "line.organic": True,
        "line.litres": 1500,
        "line.origin": None,
    }
    known = {name for name, value in named(RULES, second, "line").items() if value is not None}
    assert known == {"line.base", "line.quantity", "line.amount"}


def test_facts_stand_where_the_layout_says_however_little_is_declared() -> None:
    bare = RuleSet("grocer", "bare", "EUR", "UTC", (BASE,), 0)
    found = facts.of_purchase(bare, PURCHASE, Person(), State())
    assert (len(found.order), len(found.lines[0])) == (len(ORDER) + len(BEHIND), len(LINE))
    assert named(bare, found.order)["local_time"] == 3600 + 30 * 60 + 5
    happened = facts.of_event(bare, Happened(ANNA, "review", LATE), None, State())
    assert len(happened.order) == len(ORDER) + len(BEHIND)


def test_what_is_empty_is_null() -> None:
    bought = replace(PURCHASE, store="", payment="", source="")
    found = named(RULES, facts.of_purchase(RULES, bought, Person(), State()).order)
    for name in ("store", "region", "payment", "source", "member.kind", "member.tier", "member.language"):
        assert found[name] is None, name
    for name in ("member.city", "member.birth_month", "member.age_days", "member.vegan", "member.days_since_purchase"):
        assert found[name] is None, name
    assert found["member.segments"] == set()
    assert (found["member.purchases"], found["member.first_purchase"]) == (0, True)
    # A store that the rule set does not know is in the programme's zone, and it is still the 10th there.
    assert (found["date"], found["weekday"], found["days"]) == (
        date(2026, 11, 10).toordinal(),
        "tuesday",
        {"autumn"},
    )


def test_whoever_has_no_tier_has_a_multiplier_of_one() -> None:
    assert named(RULES, facts.of_purchase(RULES, PURCHASE, Person(), State()).order)["member.multiplier"] == 1000


def test_a_store_without_a_zone_is_in_the_programmes() -> None:
    found = named(RULES, facts.of_purchase(RULES, replace(PURCHASE, store="320"), None, None).order)
    assert (found["region"], found["local_time"]) == ("west", 20 * 3600 + 30 * 60 + 5)


def test_of_nobody_nothing_is_known() -> None:
    found = named(RULES, facts.of_purchase(RULES, replace(PURCHASE, account=""), None, None).order)
    assert {value for name, value in found.items() if name.startswith("member.")} == {None}


def test_without_its_document_a_member_is_known_by_the_account() -> None:
    found = named(RULES, facts.of_purchase(RULES, PURCHASE, None, State(purchases=0, first=5, last=5)).order)
    known = {name for name, value in found.items() if name.startswith("member.") and value is not None}
    assert known == {"member.id", "member.purchases", "member.first_purchase", "member.days_since_purchase"}


def test_a_late_purchase_is_no_negative_time_after_the_last_one() -> None:
    state = State(purchases=1, first=1, last=date(2026, 12, 1).toordinal())
    found = named(RULES, facts.of_purchase(RULES, PURCHASE, None, state).order)
    assert found["member.days_since_purchase"] == 0


def test_an_event_gives_its_fields_and_nothing_of_a_purchase() -> None:
    happened = Happened(ANNA, "review", LATE, "319", {"words": 120_000, "photo": True}, 7)
    found = facts.of_event(RULES, happened, Person(tier="gold"), State(purchases=1))
    assert found.is_event
    assert found.day == date(2026, 11, 11).toordinal()
    event = named(RULES, found.order)
    assert (event["event.type"], event["event.streak"]) == ("review", 7)
    assert (event["event.words"], event["event.photo"], event["event.metres"]) == (120_000, True, None)
    assert (event["member.tier"], event["local_time"]) == ("gold", 9 * 3600 + 30 * 60 + 5)
    for name in ("channel", "store", "region", "currency", "amount", "payment", "source", "quantity", "lines"):
        assert event[name] is None, name
    no_streak = named(RULES, facts.of_event(RULES, replace(happened, streak=0), None, None).order)
    assert no_streak["event.streak"] is None


@pytest.mark.parametrize(
    ("kind", "value", "fact"),
    [
        ("number", 3, 3000),
        ("number", -3, -3000),
        ("number", "1.5", 1500),
        ("number", "-0.125", -125),
        ("number", "7", 7000),
        ("number", "1.2345", None),
        ("number", "1e3", None),
        ("number", "\u0661", None),
        ("number", True, None),
        ("number", 10**13, None),
        ("number", "", None),
        ("text", "bio", "bio"),
        ("text", 1, None),
        ("text", True, None),
        ("truth", True, True),
        ("truth", False, False),
        ("truth", 1, None),
        ("truth", "true", None),
        ("date", "2026-11-11", date(2026, 11, 11).toordinal()),
        ("date", "2026-02-30", None),
        ("date", "11.11.2026", None),
        ("date", 20261111, None),
        ("number", None, None),
        ("date", None, None),
    ],
)
def test_a_declared_value_of_another_type_is_null(kind: Any, value: object, fact: object) -> None:
    found = typed(kind, value)
    assert found == fact
    assert type(found) is type(fact)


@pytest.mark.parametrize(
    ("birthday", "month", "day"),
    [
        ("05-17", 5, 17),
        ("1990-05-17", 5, 17),
        ("02-29", 2, 29),
        ("1991-02-29", 2, 29),
        ("02-30", 0, 0),
        ("04-31", 0, 0),
        ("12-00", 0, 0),
        ("00-12", 0, 0),
        ("13-01", 0, 0),
        ("5-17", 0, 0),
        (517, 0, 0),
    ],
)
def test_a_birthday_has_a_month_and_a_day(birthday: str | int, month: int, day: int) -> None:
    reader = facts.reader(rule_set(*speaks_of("member.birth_month", "member.birth_day")))
    person = reader.person(replace(MEMBER, attributes={"birthday": birthday}))
    assert (person.birth_month, person.birth_day) == (month, day)


def born(birthday: str, *spoken: str) -> Person:
    """Whoever was born on that day, as rules that speak of these read it."""
    return facts.reader(rule_set(*speaks_of(*spoken))).person(replace(MEMBER, attributes={"birthday": birthday}))


def on(day: date, person: Person) -> dict[str, Any]:
    """Facts of a purchase at noon of a day in New York."""
    noon = int(datetime(day.year, day.month, day.day, 17, tzinfo=UTC).timestamp())
    return named(RULES, facts.of_purchase(RULES, replace(PURCHASE, store="", occurred=noon), person, State()).order)


def is_birthday(found: dict[str, Any]) -> bool:
    return (found["member.birth_month"], found["member.birth_day"]) == (found["month"], found["day"])


@pytest.mark.parametrize(
    ("first", "kept"),
    [
        (date(2026, 1, 1), [date(2026, 2, 28), date(2027, 2, 28), date(2028, 2, 29), date(2029, 2, 28)]),
        (date(2098, 1, 1), [date(2098, 2, 28), date(2099, 2, 28), date(2100, 2, 28), date(2101, 2, 28)]),
    ],
)
def test_whoever_was_born_on_29_february_has_a_birthday_in_every_year(first: date, kept: list[date]) -> None:
    person = born("2000-02-29", "member.birth_month", "member.birth_day")
    days = [date.fromordinal(at) for at in range(first.toordinal(), date(first.year + 4, 1, 1).toordinal())]
    assert [day for day in days if is_birthday(on(day, person))] == kept


@pytest.mark.parametrize("year", [2027, 2028])
def test_rules_and_campaigns_keep_every_birthday_on_the_same_day(year: int) -> None:
    leap = date(2000, 1, 1).toordinal()
    for birthday in [f"{date.fromordinal(leap + past):%m-%d}" for past in range(366)]:
        person = born(birthday, "member.birth_month", "member.birth_day")
        kept = occasions.next_birthday(birthday, date(year - 1, 12, 31).toordinal())
        for past in (-1, 0, 1):
            found = on(date.fromordinal(kept + past), person)
            assert is_birthday(found) is (past == 0), (birthday, past)


def test_the_day_of_a_birthday_is_that_of_the_stores_own_year() -> None:
    eve = int(datetime(2027, 12, 31, 17, tzinfo=UTC).timestamp())
    person = born("02-29", "member.birth_day")
    there = named(RULES, facts.of_purchase(RULES, replace(PURCHASE, occurred=eve), person, State()).order)
    here = named(RULES, facts.of_purchase(RULES, replace(PURCHASE, occurred=eve, store="320"), person, State()).order)
    assert (there["date"], there["member.birth_day"]) == (date(2028, 1, 1).toordinal(), 29)
    assert (here["date"], here["member.birth_day"]) == (date(2027, 12, 31).toordinal(), 28)


def test_an_event_keeps_a_birthday_of_29_february_as_a_purchase_does() -> None:
    person = born("02-29", "member.birth_month", "member.birth_day")
    for year, day in ((2027, 28), (2028, 29)):
        at = int(datetime(year, 2, day, 17, tzinfo=UTC).timestamp())
        assert is_birthday(named(RULES, facts.of_event(RULES, Happened(ANNA, "review", at), person, None).order))


def test_a_rule_of_the_day_alone_knows_29_february_and_keeps_no_other_month() -> None:
    person = born("02-29", "member.birth_day")
    assert unpack(pack(person)) == person
    assert on(date(2027, 2, 28), person)["member.birth_day"] == 28
    assert on(date(2028, 2, 28), person)["member.birth_day"] == 29
    for birthday in ("01-29", "02-28", "03-29", "05-17"):
        other = born(birthday, "member.birth_day")
        assert other.birth_month == 0, birthday
        assert on(date(2027, 2, 28), other)["member.birth_day"] == int(birthday[3:]), birthday


def test_of_a_member_only_that_is_read_which_rules_speak_of() -> None:
    person = facts.reader(rule_set(*speaks_of("member.birth_month"))).person(MEMBER)
    assert person == Person(tier="gold", segments=("early", "vip"), birth_month=5)
    assert facts.reader(rule_set(*speaks_of("member.vegan"))).person(MEMBER).attributes == {"vegan": True}


def test_a_rule_set_that_speaks_of_the_account_alone_does_not_speak_of_the_member() -> None:
    assert not rule_set(*speaks_of("member.purchases", "member.id", "member.first_purchase")).speaks_of_member
    assert rule_set(*speaks_of("member.purchases", "member.segments")).speaks_of_member


def test_a_text_that_looks_like_a_field_is_none() -> None:
    hostile = Compare("=", Field("channel", "order", 1, "text"), Text('"n":"field","name":"member.tier"'))
    named_so = Has(Field("days", "order", 15, "names"), "member.tier")
    for condition in (hostile, named_so):
        assert rule_set(Rule("rule", NAMES, "order", Number(1), condition)).spoken_of_member == set()
    nested = Case(((Not(IsNull(Field("member.city", "order", 21, "text"))), Number(1)),), Number(2))
    assert rule_set(Rule("rule", NAMES, "order", nested)).spoken_of_member == {"member.city"}


def test_a_person_comes_back_from_its_stored_form_which_holds_what_is_known() -> None:
    whole = replace(facts.reader(rule_set(*speaks_of(*SPOKEN))).person(MEMBER), multiplier=1500)
    assert unpack(pack(whole)) == whole
    assert set(pack(whole)) == set("ktslcmdeax")
    assert pack(Person()) == {}
    assert pack(Person(tier="gold")) == {"t": "gold"}


def test_a_reader_is_made_once_for_a_rule_set_and_never_serves_another() -> None:
    assert facts.reader(RULES) is facts.reader(RULES)
    for number in range(3 * facts.MOST_READERS):
        other = replace(RULES, name=str(number))
        assert facts.reader(other).rules is other
