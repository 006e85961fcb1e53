"""The interpreter: SQL's third truth value, exact numbers, base before all else, and one rule's trouble is its own."""

from typing import Any, Final

import pytest

from loyalty.rules import language, schema
from loyalty.rules.evaluation import Evaluation, Facts, Failure, Hit
from loyalty.rules.interpret import Interpreter, constant, like
from loyalty.rules.ruleset import Names, On, Rule, RuleSet
from loyalty.rules.tree import (
    LIMIT,
    Aggregate,
    And,
    Arithmetic,
    Call,
    Case,
    Compare,
    Field,
    Has,
    In,
    IsNull,
    Like,
    Negative,
    Node,
    Not,
    Null,
    Number,
    Or,
    Text,
    Truth,
)

LAYOUT: Final = schema.layout(None, {"weight": "number"}, {"words": "number"})
LINE_OUT_OF_PLACE: Final = Field("line.nowhere", "line", 99, "number")
T, F, N = Truth(True), Truth(False), Null("truth")


def rule(on: On, earn: str | Node, when: str | None = None, name: str = "r", base_scale: int | None = 100) -> Rule:
    found = (
        language.parse(earn, LAYOUT, on, 2, base_scale, want="earning")
        if isinstance(earn, str)
        else language.Expression(earn)
    )
    condition = None if when is None else language.parse(when, LAYOUT, on, 2, base_scale, days=("double_11",)).node
    return Rule(
        id=name,
        names=Names("", ""),
        on=on,
        earn=found.node,
        when=condition,
        over_base=found.over_base,
        scale=found.scale,
    )


BASE: Final = rule("line", "line.amount", name="base", base_scale=None)


def evaluate(facts: Facts, *rules: Rule, base: Rule = BASE) -> Evaluation:
    return Interpreter(RuleSet("p", "n", "EUR", "UTC", (base, *rules), 0)).evaluate(facts)


def purchase(*amounts: int, day: int = 739_931, categories: tuple[str, ...] = (), **order: Any) -> Facts:
    """A purchase of lines for so many cents; ``order`` sets facts, with ``__`` for a dot."""
    values: list[Any] = [None] * LAYOUT.order
    for name, value in {"amount": sum(amounts), "lines": len(amounts), "days": frozenset(), **order}.items():
        values[LAYOUT.places[name.replace("__", ".")].index] = value
    lines: list[list[Any]] = []
    for place, amount in enumerate(amounts):
        line: list[Any] = [None] * LAYOUT.line
        line[LAYOUT.places["line.amount"].index] = amount
        line[LAYOUT.places["line.quantity"].index] = 1
        line[LAYOUT.places["line.category"].index] = categories[place] if place < len(categories) else None
        lines.append(line)
    return Facts(day, values, lines)


def hit(facts: Facts, one: Rule) -> Hit | None:
    """What a single rule beside the base gives."""
    evaluation = evaluate(facts, one)
    assert evaluation.failures == []
    return next((found for found in evaluation.hits if found.rule == 1), None)


# Values of expressions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "value"),
    [
        (And((T, T)), True), (And((T, N)), None), (And((F, N)), False), (And((N, F)), False), (And((N, N)), None),
        (Or((F, F)), False), (Or((F, N)), None), (Or((N, T)), True), (Or((T, N)), True), (Or((N, N)), None),
        (Not(T), False), (Not(F), True), (Not(N), None),
        (IsNull(N), True), (IsNull(T), False), (IsNull(And((T, N))), True), (Not(IsNull(N)), False),
        (Compare("=", Null("text"), Text("")), None), (Compare("<>", Null("number"), Null("number")), None),
        (Compare("=", Number(1, 3), Number(2, 6)), True), (Compare("<", Number(-1, 2), Number(-1, 3)), True),
        (Compare("<=", T, T), True), (Compare("<>", T, F), True), (Compare("=", T, N), None),
        (Compare("<", Text("Z"), Text("a")), True), (Compare("<", Text("z"), Text("ä")), True),
        (Compare("<", Text("\uffff"), Text("\U0001f377")), True),
        (In(Null("text"), (Text("a"),)), None), (In(Text("a"), (Text("b"), Text("a"))), True),
        (In(Number(1, 2), (Number(2, 4), Number(3))), True), (Not(In(Text("a"), (Text("b"),))), True),
        (Like(Null("text"), (("a",),)), None), (Has(Null("names"), "a"), None),
        (Case(((N, Number(1)), (T, Number(2))), Number(3)), (2, 1)), (Case(((F, Number(1)),), Null("number")), None),
        (Negative(Number(1, 2)), (-1, 2)), (Negative(Null("number")), None),
        (Arithmetic("+", Number(1), Null("number")), None), (Arithmetic("/", Null("number"), Number(2)), None),
        (Call("coalesce", (N, F, T)), False), (Call("coalesce", (N, N)), None),
        (Call("nullif", (Number(1), Number(2, 2))), None), (Call("nullif", (Number(1), Null("number"))), (1, 1)),
        (Call("nullif", (Null("number"), Number(1))), None), (Call("least", (Number(1), Null("number"))), None),
        (Call("lower", (Text("ÄBC"),)), "Äbc"), (Call("upper", (Text("äbc"),)), "äBC"),
        (Call("length", (Text("🍷ä"),)), (2, 1)),
    ],
)  # fmt: skip
def test_null_is_neither_true_nor_false_and_numbers_are_exact(node: Node, value: object) -> None:
    assert constant(node) == value


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("floor", {"2.5": 2, "-2.5": -3, "2": 2, "-0.1": -1, "0.9": 0}),
        ("ceil", {"2.5": 3, "-2.5": -2, "2": 2, "-0.1": 0, "0.1": 1}),
        ("round", {"2.5": 3, "-2.5": -3, "2.4": 2, "-2.4": -2, "0.5": 1, "-0.5": -1, "0": 0}),
        ("abs", {"2": 2, "-2": 2, "0": 0}),
    ],
)
def test_numbers_are_rounded_as_sql_rounds_them(name: str, values: dict[str, int]) -> None:
    for text, whole in values.items():
        found = constant(language.parse(f"{name}({text}) = {whole}", LAYOUT, "order", 2, 100).node)
        assert found is True, (name, text)


def test_least_and_greatest_look_at_values_not_at_denominators() -> None:
    numbers = Number(1, 2), Number(-1, 3), Number(2, 5)
    assert constant(Call("least", numbers)) == (-1, 3)
    assert constant(Call("greatest", numbers)) == (1, 2)


def test_an_aggregate_leaves_null_out_and_over_nothing_only_a_count_is_there() -> None:
    facts = purchase(100, 250, 50, categories=("wine", "tea"))
    for text, true in {
        "COUNT(*) = 3": True,
        "COUNT(line.category) = 2": True,
        "SUM(line.amount) = 4": True,
        "SUM(line.amount) FILTER (WHERE line.category = 'wine') = 1": True,
        "MAX(line.amount) FILTER (WHERE line.category <> 'wine') = 2.5": True,
        "MIN(line.amount) FILTER (WHERE line.category IS NULL) = 0.5": True,
        "COUNT(*) FILTER (WHERE line.category = 'x') = 0": True,
        "SUM(line.amount) FILTER (WHERE line.category = 'x') IS NULL": True,
        "SUM(line.weight) IS NULL": True,
        "SUM(line.weight) = 0": False,
        "NOT SUM(line.weight) = 0": False,
    }.items():
        assert (hit(facts, rule("order", "1", text)) is not None) is true, text


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("", ("",), ("a",)),
        ("a", ("a",), ("A", "aa", "")),
        ("%", ("", "a", "🍷🍷"), ()),
        ("_", ("a", "🍷"), ("", "ab")),
        ("a%", ("a", "ab"), ("ba", "")),
        ("%a", ("a", "ba", "aba"), ("ab",)),
        ("%a%b%", ("ab", "xaxbx"), ("ba", "a")),
        ("a%a", ("aa", "aba"), ("a",)),
        ("a_%_b", ("axxb", "axyzb"), ("axb", "ab")),
        ("%ab%ab", ("abab", "xabxab", "ababab"), ("ab", "abxa")),
        ("%%", ("", "a"), ()),
        ("_%_", ("ab", "abc"), ("a",)),
        ("50\\%", ("50\\", "50\\x"), ("50%",)),
    ],
)
def test_a_pattern_fits_or_does_not(pattern: str, yes: tuple[str, ...], no: tuple[str, ...]) -> None:
    parts = language.pattern_parts(pattern)
    assert [text for text in (*yes, *no) if like(text, parts)] == list(yes)


# Rules ----------------------------------------------------------------------------------------------------------------


def test_base_comes_first_and_fills_its_places() -> None:
    facts = purchase(1000, 550)
    evaluation = evaluate(facts, rule("order", "2 * base"), rule("line", "3 * line.base", "line.amount > 6"))
    assert evaluation == Evaluation(
        [Hit(0, 1550, 100, (1000, 550)), Hit(1, 1550, 100), Hit(2, 2000, 100, (2000, 0))], []
    )
    assert facts.order[0] == 1550
    assert [line[0] for line in facts.lines] == [1000, 550]


def test_base_is_found_wherever_it_stands_among_the_rules() -> None:
    last = RuleSet("p", "n", "EUR", "UTC", (rule("order", "2 * base", name="a"), BASE), 1)
    assert Interpreter(last).evaluate(purchase(700)).hits == [Hit(0, 700, 100), Hit(1, 700, 100, (700,))]


def test_what_an_earlier_evaluation_left_in_the_places_of_base_is_forgotten() -> None:
    facts = purchase(1000)
    facts.order[0] = facts.lines[0][0] = 99
    nothing = rule("line", "line.amount", "line.amount > 50", name="base", base_scale=None)
    evaluation = evaluate(facts, rule("order", "base + 1"), base=nothing)
    assert evaluation.hits == [Hit(1, 100, 100)]
    assert (facts.order[0], facts.lines[0][0]) == (0, 0)


def test_above_the_base_only_what_is_more_than_it_is_given() -> None:
    assert hit(purchase(1000), rule("order", "1.5 * base")) == Hit(1, 1000, 200)
    assert hit(purchase(1000), rule("order", "GREATEST(base, 20)")) == Hit(1, 1000, 100)
    assert hit(purchase(3000), rule("order", "GREATEST(base, 20)")) is None
    assert hit(purchase(3000), rule("order", "100 - base")) == Hit(1, 4000, 100)
    assert hit(purchase(9000), rule("order", "100 - base")) is None


def test_beside_the_base_a_rule_gives_all_it_earns() -> None:
    assert hit(purchase(1000), rule("order", "5")) == Hit(1, 5, 1)
    assert hit(purchase(1000), rule("order", "SUM(line.base) / 3")) == Hit(1, 1000, 300)


@pytest.mark.parametrize("earn", ["quantity", "amount - 10", "amount - 11", "NULLIF(amount, 10)"])
def test_null_nothing_and_less_than_nothing_is_no_award(earn: str) -> None:
    assert hit(purchase(1000), rule("order", earn)) is None


def test_a_condition_that_is_null_does_not_count() -> None:
    assert hit(purchase(1000), rule("order", "1", "channel = 'store'")) is None
    assert hit(purchase(1000), rule("order", "1", "NOT channel = 'store'")) is None
    assert hit(purchase(1000, channel="app"), rule("order", "1", "NOT channel = 'store'")) == Hit(1, 1, 1)


def test_a_rule_on_lines_gives_what_its_lines_give() -> None:
    facts = purchase(1000, 200, 700, categories=("wine", "tea", "wine"))
    assert hit(facts, rule("line", "line.amount - 8", "line.category = 'wine'")) == Hit(1, 200, 100, (200, 0, 0))
    assert hit(facts, rule("line", "line.amount * 2", "line.category = 'wine'")) == Hit(1, 3400, 100, (2000, 0, 1400))
    assert hit(facts, rule("line", "2 * line.base", "amount > 10")) == Hit(1, 1900, 100, (1000, 200, 700))
    assert hit(facts, rule("line", "5", "line.category = 'x'")) is None


def test_rules_on_events_are_for_events_and_the_others_for_purchases() -> None:
    event = Facts(1, purchase(event__words=2500).order, [])
    assert event.is_event
    ours, theirs = rule("event", "event.words / 10"), rule("order", "5")
    assert evaluate(event, ours, theirs).hits == [Hit(1, 2500, 10_000)]
    assert [found.rule for found in evaluate(purchase(100), ours, theirs).hits] == [0, 2]


def test_a_rule_is_in_force_on_the_days_of_its_windows_both_ends_included() -> None:
    base = rule("line", "line.amount", name="base", base_scale=None)
    one = Rule(id="r", names=Names("", ""), on="order", earn=Number(1), windows=((10, 12), (20, 20)))
    found = [
        day for day in range(30) if len(evaluate(purchase(100, day=day), one, base=base).hits) == (2 if day else 0)
    ]
    assert found == [0, 10, 11, 12, 20]  # windows begin with day 1


def test_a_rule_that_fails_gives_nothing_is_reported_and_the_others_count() -> None:
    facts = purchase(1000, 500, quantity="three", channel="store")
    evaluation = evaluate(
        facts,
        rule("order", "7", "quantity > 2"),
        rule("order", "8", "channel = 'store'"),
        Rule(id="broken", names=Names("", ""), on="order", earn=Aggregate("sum", LINE_OUT_OF_PLACE)),
        Rule(id="divided", names=Names("", ""), on="order", earn=Arithmetic("/", Number(1), Number(0))),
        Rule(id="scale", names=Names("", ""), on="order", earn=Number(1, 3), scale=10),
    )
    assert [found.rule for found in evaluation.hits] == [0, 2]
    assert evaluation.failures == [
        Failure(1, "TypeError"),
        Failure(3, "IndexError"),
        Failure(4, "ZeroDivisionError"),
        Failure(5, "ArithmeticError"),
    ]


def test_a_rule_fails_as_a_whole_when_one_of_its_lines_does() -> None:
    facts = purchase(1000, 500)
    facts.lines[1][LAYOUT.places["line.quantity"].index] = "two"
    evaluation = evaluate(facts, rule("line", "line.quantity"))
    assert (evaluation.hits, evaluation.failures) == ([Hit(0, 1500, 100, (1000, 500))], [Failure(1, "TypeError")])


def test_without_its_base_a_purchase_still_earns_what_lies_beside_it() -> None:
    facts = purchase(1000, quantity=2)
    facts.lines[0][LAYOUT.places["line.amount"].index] = 10.0
    evaluation = evaluate(facts, rule("order", "7"), rule("order", "base + 3"))
    assert evaluation.hits == [Hit(1, 7, 1), Hit(2, 300, 100)]
    assert evaluation.failures == [Failure(0, "TypeError")]


def test_what_is_too_large_to_be_meant_is_not_given() -> None:
    facts = purchase((LIMIT + 1) * 100, LIMIT)
    evaluation = evaluate(facts, rule("order", "1"))
    assert evaluation.hits == [Hit(1, 1, 1)]
    assert evaluation.failures == [Failure(0, "OverflowError")]
    assert evaluate(purchase(LIMIT * 100)).hits == [Hit(0, LIMIT * 100, 100, (LIMIT * 100,))]


def test_a_truth_is_no_number() -> None:
    facts = purchase(1000, quantity=True)
    assert evaluate(facts, rule("order", "quantity")).failures == [Failure(1, "TypeError")]


def test_nothing_is_asked_of_facts_that_a_rule_does_not_mention() -> None:
    facts = purchase(1000)
    for place in range(1, LAYOUT.order):
        if place != LAYOUT.places["amount"].index:
            facts.order[place] = object()
    assert hit(facts, rule("order", "amount")) == Hit(1, 1000, 100)
