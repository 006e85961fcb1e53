"""Conditions that can never be true, or always are: found where they are so, and never claimed where they are not."""

from datetime import date
from itertools import pairwise, product
from random import Random
from typing import Any, Final

import pytest

from loyalty.rules import language, satisfiable, schema
from loyalty.rules.evaluation import Facts
from loyalty.rules.interpret import Interpreter
from loyalty.rules.ruleset import Names, On, Rule, RuleSet
from loyalty.rules.satisfiable import Verdict, verdict
from loyalty.rules.schema import WEEKDAYS
from loyalty.rules.tree import Node, Number

LAYOUT: Final = schema.layout(
    {"vegan": "truth", "score": "number"}, {"organic": "truth"}, {"photo": "truth", "words": "number"}
)
DAYS: Final = ("double_11", "member_day")


def checked(text: str, on: On = "order") -> Node:
    return language.parse(text, LAYOUT, on, 2, 100, days=DAYS).node


@pytest.mark.parametrize(
    "text",
    [
        "amount > 5 AND amount < 3",
        "amount < 0",
        "amount > 4.99 AND amount < 5",
        "quantity > 3 AND quantity < 4",
        "quantity = 2.5",
        "quantity BETWEEN 5 AND 4",
        "month = 13",
        "day NOT BETWEEN 1 AND 31",
        "local_time < '00:00'",
        "local_time > '23:59:59'",
        "date > '9999-12-31'",
        "channel = 'store' AND channel = 'online'",
        "channel IN ('store', 'app') AND channel = 'online'",
        "channel > 'b' AND channel < 'a'",
        "channel LIKE 's%' AND channel = 'online'",
        "channel LIKE 's%' AND channel NOT LIKE 's%'",
        "weekday = 'monday' AND weekday = 'sunday'",
        "channel IS NULL",
        "region IS NULL AND region = 'north'",
        "member.vegan AND NOT member.vegan",
        "ON_DAY('double_11') AND NOT ON_DAY('double_11')",
        "'vip' IN member.segments AND member.segments IS NULL",
        "SUM(line.amount) > 5 AND SUM(line.amount) < 3",
        "COUNT(*) < 0",
        "FALSE",
        "1 = 2",
        "amount > 5 AND (channel = 'a' AND channel = 'b' OR amount < 3)",
        "NULLIF(3, 3) = 3",
        "LENGTH(channel) < 0",
        "NOT (amount > 5 OR amount <= 5)",
        "COALESCE(region, 'x') IS NULL",
        "CASE WHEN amount > 5 THEN channel = 'a' ELSE FALSE END AND amount < 2",
        "amount <> amount",
        "region > region",
        "lines = 0",
        "COUNT(*) < 1",
        "COUNT(*) FILTER (WHERE line.category = 'wine') < 0",
    ],
)
def test_what_is_never_true(text: str) -> None:
    assert verdict(checked(text), LAYOUT, "order") == "never"


@pytest.mark.parametrize(
    "text",
    [
        "amount >= 0",
        "amount > 5 OR amount <= 5",
        "channel = 'store' OR channel <> 'store'",
        "channel IS NOT NULL",
        "weekday IN ('monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday')",
        "month BETWEEN 1 AND 12",
        "local_time >= '00:00'",
        "region IS NULL OR region IS NOT NULL",
        "region IS NULL OR region = 'north' OR region <> 'north'",
        "ON_DAY('double_11') OR NOT ON_DAY('double_11')",
        "COUNT(*) >= 0",
        "TRUE",
        "NOT FALSE",
        "1 < 2 OR channel = 'a'",
        "amount >= 0 AND quantity >= 0",
        "member.purchases >= 0 OR member.purchases IS NULL",
        "COALESCE(member.vegan, FALSE) OR NOT COALESCE(member.vegan, FALSE)",
        "CASE WHEN channel = 'a' THEN amount >= 0 ELSE TRUE END",
        "amount = amount",
        "lines > 0",
        "COUNT(*) > 0",
        "COUNT(line.brand) > -1",
    ],
)
def test_what_is_always_true(text: str) -> None:
    assert verdict(checked(text), LAYOUT, "order") == "always"


@pytest.mark.parametrize(
    "text",
    [
        "amount > 5",
        "quantity > 3 AND quantity < 5",
        "amount > 4.99 AND amount < 5.01",
        "region = 'north' OR region <> 'north'",  # not where it is NULL
        "region = region",  # nor here
        "member.purchases >= 0",
        "member.vegan OR NOT member.vegan",
        "channel > 'a' AND channel < 'b'",
        "channel LIKE 'a%' AND channel LIKE '%b'",
        "'vip' IN member.segments AND 'new' IN member.segments",
        "SUM(line.amount) > 3 OR SUM(line.amount) <= 3",  # it is NULL over no lines
        "amount <> quantity",
        "amount = amount + 0 * quantity",
        "NULLIF(quantity, 0) IS NULL",
        "ON_DAY('double_11') OR ON_DAY('member_day')",
        # whole numbers that nothing bounds above, or below
        "COUNT(*) FILTER (WHERE line.category = 'wine') > 0",
        "COUNT(*) FILTER (WHERE line.category = 'wine') = 0",
        "COUNT(line.brand) > 2",
        "SUM(line.quantity) > 3",
        "MIN(line.quantity) < 3",
        "MAX(line.quantity) <> 3",
        "FLOOR(amount) > 3",
        "CEIL(amount) < 3",
        "ROUND(amount) >= 3",
        "LENGTH(region) > 3",
        "LENGTH(region) > -1",  # not where it is NULL
        "ABS(quantity - 5) > 2",
        "quantity - lines < 0",
        "quantity - lines > 0",
        "quantity + lines >= 5",
        "-quantity < -3",
        "GREATEST(quantity, 5) > 7",
        "LEAST(quantity, 5) < 2",
    ],
)
def test_what_is_sometimes_true_is_left_alone(text: str) -> None:
    assert verdict(checked(text), LAYOUT, "order") is None


def test_what_is_there_depends_on_what_the_rule_is_on() -> None:
    assert verdict(checked("event.type = 'a' OR event.type <> 'a'", "event"), LAYOUT, "event") == "always"
    assert verdict(checked("event.streak >= 1", "event"), LAYOUT, "event") is None
    assert verdict(checked("line.amount >= 0", "line"), LAYOUT, "line") == "always"
    assert verdict(checked("line.product = 'a' OR line.product <> 'a'", "line"), LAYOUT, "line") is None


def test_a_scale_says_which_numbers_there_are() -> None:
    node = checked("event.words > 1 AND event.words < 1.001", "event")
    assert verdict(node, LAYOUT, "event") == "never"
    assert verdict(checked("event.words > 1 AND event.words < 1.002", "event"), LAYOUT, "event") is None


def test_a_quotient_may_lie_anywhere() -> None:
    between = "amount / NULLIF(quantity, 0) > 1.000001 AND amount / NULLIF(quantity, 0) < 1.000002"
    assert verdict(checked(between), LAYOUT, "order") is None


def test_nothing_is_claimed_where_it_would_take_too_long() -> None:
    fields = ("amount", "quantity", "lines", "member.purchases", "member.age_days", "member.birth_day", "month", "day")
    tangled = " OR ".join(f"({one} > 5 AND {one} < 3 AND {other} <> 7)" for one, other in pairwise(fields))
    assert verdict(checked(tangled), LAYOUT, "order") is None
    assert (
        verdict(checked(" AND ".join(f"{one} > 5" for one in fields) + " AND amount < 2"), LAYOUT, "order") == "never"
    )


# Against every value there is -----------------------------------------------------------------------------------------

EVERY: Final[dict[str, tuple[Any, ...]]] = {
    "month": tuple(range(1, 13)),
    "weekday": WEEKDAYS,
    "member.vegan": (True, False, None),
    "member.birth_month": (*range(1, 13), None),
    "member.segments": (None, *(frozenset(name for name, there in zip("ab", held, strict=True) if there)
                                for held in product((True, False), repeat=2))),
    "channel": ("", "a", "aa", "ab", "abb", "b", "ba", "c"),
    "region": ("", "a", "aa", "ab", "abb", "b", "ba", "c", None),
}  # fmt: skip
"""Fields and all they can be, or one of each kind that the conditions below tell apart."""


def atom(random: Random, field: str) -> str:
    """One thing asked of a field."""
    if field == "member.vegan":
        return random.choice(("member.vegan", "NOT member.vegan", "member.vegan IS NULL"))
    if field == "member.segments":
        return random.choice(("'a' IN member.segments", "'b' IN member.segments", "member.segments IS NULL"))
    number = field.endswith("month")
    values: tuple[str, ...] = ("1", "3", "6", "7", "12") if number else ("'a'", "'ab'", "'b'")
    if field == "weekday":
        values = tuple(f"'{day}'" for day in WEEKDAYS)
    value, other = random.choice(values), random.choice(values)
    ways = [f"{field} = {value}", f"{field} <> {value}", f"{field} IN ({value}, {other})", f"{field} IS NULL"]
    if field != "weekday":
        ways += [f"{field} < {value}", f"{field} >= {value}", f"{field} BETWEEN {value} AND {other}"]
    return random.choice(ways)


def drawn(random: Random, fields: list[str], depth: int) -> str:
    if depth == 0 or random.random() < 0.2:
        return atom(random, random.choice(fields))
    if random.random() < 0.25:
        return f"NOT ({drawn(random, fields, depth - 1)})"
    word = random.choice((" AND ", " OR "))
    return f"({word.join(drawn(random, fields, depth - 1) for _ in range(random.randint(2, 3)))})"


def outcome(conditions: list[Node], fields: list[str]) -> list[Verdict | None]:
    """What each condition is over all values of these fields, found out one by one."""
    rules = tuple(
        Rule(id=f"r{place:03}", names=Names("", ""), on="order", when=node, earn=Number(1))
        for place, node in enumerate(conditions)
    )
    base = Rule(id="base", names=Names("", ""), on="line", earn=Number(1))
    interpreter = Interpreter(RuleSet("p", "n", "EUR", "UTC", (base, *rules), 0))
    true, combinations = [0] * len(conditions), 0
    for values in product(*(EVERY[field] for field in fields)):
        order: list[Any] = [None] * LAYOUT.order
        for field, value in zip(fields, values, strict=True):
            order[LAYOUT.places[field].index] = value
        evaluation = interpreter.evaluate(Facts(1, order, [[0] * LAYOUT.line]))
        assert evaluation.failures == []
        combinations += 1
        for hit in evaluation.hits[1:]:
            true[hit.rule - 1] += 1
    return ["never" if count == 0 else "always" if count == combinations else None for count in true]


@pytest.mark.parametrize("run", range(12))
def test_every_verdict_is_what_trying_everything_shows(run: int) -> None:
    """And the other way round: what trying everything shows is found, for fields that vary by themselves."""
    random = Random(f"satisfiable {run}")
    fields = random.sample(sorted(EVERY), 2)
    conditions = [checked(drawn(random, fields, 3)) for _ in range(150)]
    shown = outcome(conditions, fields)
    assert [verdict(node, LAYOUT, "order") for node in conditions] == shown
    assert {"never", "always", None} == set(shown)


CALENDAR: Final = {"double_11": frozenset({739931, 740296}), "member_day": frozenset({739700, 739731, 739999})}
"""Days of 2026 and 2027."""
ATOMS: Final = (
    "date = '2026-11-11'", "date > '2026-11-11'", "date BETWEEN '2026-02-27' AND '2026-03-02'", "date <> '2026-11-12'",
    "weekday = 'monday'", "weekday IN ('saturday', 'sunday')", "weekday <> 'friday'", "month = 2", "month >= 11",
    "day = 29", "day > 30", "day BETWEEN 11 AND 12", "ON_DAY('double_11')", "ON_DAY('member_day')", "amount > 5",
)  # fmt: skip


@pytest.mark.parametrize("run", range(6))
def test_no_day_is_overlooked_on_which_a_rule_may_count(run: int) -> None:
    random = Random(f"days {run}")
    told = 0
    for _ in range(60):
        parts = [random.choice(("", "", "NOT ")) + random.choice(ATOMS) for _ in range(random.randint(2, 4))]
        node = checked(" ".join(word for part in parts for word in (part, random.choice(("AND", "AND", "OR"))))[:-3])
        first = random.randint(739600, 740300)
        windows = [(first, first + random.choice((0, 3, 40, 300)))]
        if random.random() < 0.5:
            windows.append((windows[0][1] + random.randint(2, 90), windows[0][1] + random.randint(90, 200)))
        found = satisfiable.never_on(node, LAYOUT, "order", satisfiable.Days(windows, CALENDAR))
        days = [day for begin, end in windows for day in range(begin, end + 1)]
        assert found is not any(true_on(node, day, amount) for day in days for amount in (1, 900))
        told += found
    assert told


def true_on(node: Node, day: int, amount: int) -> bool:
    """Whether a condition is true of a purchase of that day."""
    there = date.fromordinal(day)
    facts = {
        "date": day,
        "weekday": WEEKDAYS[there.weekday()],
        "month": there.month,
        "day": there.day,
        "days": frozenset(name for name, ordinals in CALENDAR.items() if day in ordinals),
        "amount": amount,
    }
    order: list[Any] = [None] * LAYOUT.order
    for name, value in facts.items():
        order[LAYOUT.places[name].index] = value
    base = Rule(id="base", names=Names("", ""), on="line", earn=Number(1))
    rule = Rule(id="rule", names=Names("", ""), on="order", when=node, earn=Number(1))
    hits = Interpreter(RuleSet("p", "n", "EUR", "UTC", (base, rule), 0)).evaluate(
        Facts(day, order, [[0] * LAYOUT.line])
    )
    return len(hits.hits) == 2


def test_a_list_of_hundreds_is_looked_into_and_not_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    order = satisfiable._order  # noqa: SLF001 - the step that grows with every value

    def counted(value: Any, other: Any) -> int:
        asked.append(value)
        return order(value, other)

    monkeypatch.setattr(satisfiable, "_order", counted)
    stores = ", ".join(f"'{number}'" for number in range(250))
    assert verdict(checked(f"store IN ({stores}) AND store = 'x'"), LAYOUT, "order") == "never"
    assert verdict(checked(f"store IN ({stores}) AND store = '7'"), LAYOUT, "order") is None
    # Each of some 500 classes of texts is held against the one constant, and not against every value.
    assert len(asked) < 5_000
