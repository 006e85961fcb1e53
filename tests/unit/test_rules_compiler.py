"""Compiled rules come to what their trees say, whatever is looked up instead of tried, and no text becomes code."""

import ast
import re
from collections.abc import Iterator
from itertools import product
from typing import Any, Literal

import pytest

from loyalty.rules import compiler
from loyalty.rules.compiled import GLOBALS, PLANS
from loyalty.rules.compiler import compiled
from loyalty.rules.evaluation import Evaluation, Facts, Failure, Hit
from loyalty.rules.interpret import Interpreter
from loyalty.rules.ruleset import Rule, RuleSet
from loyalty.rules.tree import (
    LIMIT,
    Aggregate,
    And,
    Arithmetic,
    Call,
    Case,
    Compare,
    Date,
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
    Time,
    Truth,
)
from tests.unit.rule_trees import LAYOUT, NAMES, WORDS, Trees, blank, fact, rule, rule_set

DAY = 120
AMOUNT = fact("amount")
SCORE = fact("member.score")
CHANNEL = fact("channel")
TIER = fact("member.tier")
FIRST = fact("member.first_purchase")
VEGAN = fact("member.vegan")
ONE = Number(1)
NULL_TRUTH = Null("truth")


def facts(*lines: list[Any], day: int = DAY, **order: Any) -> Facts:
    return Facts(day, blank(**order), list(lines) or [line()])


def line(**known: Any) -> list[Any]:
    return blank("line", **{"line__amount": 0, "line__quantity": 1, **known})


def copy(of: Facts) -> Facts:
    return Facts(of.day, list(of.order), [list(one) for one in of.lines])


def points(rules: RuleSet, of: Facts) -> dict[int, int]:
    """What each rule but the base gives, none of which may fail."""
    found = compiled(rules).evaluate(of)
    assert found.failures == []
    return {hit.rule: hit.num for hit in found.hits if hit.rule}


def truth(condition: Node, of: Facts) -> bool | None:
    """A condition as three rules see it: it, its NOT, and whether it is NULL."""
    rules = rule_set([rule("order", ONE, one) for one in (condition, Not(condition), IsNull(condition))])
    given = points(rules, of)
    assert len(given) == 1, "exactly one of the three holds"
    return {1: True, 2: False, 3: None}[min(given)]


# Three values ---------------------------------------------------------------------------------------------------------

TRUTHS = (True, False, None)


@pytest.mark.parametrize(("left", "right"), list(product(TRUTHS, TRUTHS)))
def test_and_or_and_not_follow_the_tables_of_sql(left: bool | None, right: bool | None) -> None:
    of = facts(member__first_purchase=left, member__vegan=right)
    both = False if False in (left, right) else None if None in (left, right) else True
    either = True if True in (left, right) else None if None in (left, right) else False
    assert truth(And((FIRST, VEGAN)), of) is both
    assert truth(Or((FIRST, VEGAN)), of) is either
    assert truth(Not(FIRST), of) is (None if left is None else not left)
    assert truth(Compare("=", FIRST, VEGAN), of) is (None if None in (left, right) else left == right)
    assert truth(Compare("=", And((FIRST, VEGAN)), Truth(True)), of) is both
    assert truth(Compare("<>", Or((FIRST, VEGAN)), Truth(True)), of) is (None if either is None else not either)


@pytest.mark.parametrize(
    ("op", "holds"), [("=", "0"), ("<>", "-+"), ("<", "-"), ("<=", "-0"), (">", "+"), (">=", "0+")]
)
@pytest.mark.parametrize(("amount", "sign"), [(4_999, "-"), (5_000, "0"), (5_001, "+"), (None, "")])
def test_a_comparison_with_null_is_neither_true_nor_false(
    op: Literal["=", "<>", "<", "<=", ">", ">="], holds: str, amount: int | None, sign: str
) -> None:
    expected = sign in holds if sign else None
    assert truth(Compare(op, AMOUNT, Number(50)), facts(amount=amount)) is expected
    assert truth(Compare(op, Negative(Number(-50)), AMOUNT), facts(amount=amount)) is (
        None if amount is None else {"-": "+", "+": "-", "0": "0"}[sign] in holds
    )


def test_not_in_and_not_like_are_null_where_the_text_is() -> None:
    for condition in (In(CHANNEL, (Text("a"), Text("b"))), Like(CHANNEL, (("a",), ()))):
        assert [truth(condition, facts(channel=channel)) for channel in ("a", "c", None)] == [True, False, None]


CONDITIONS: dict[str, Node] = {
    "a truth": FIRST,
    "TRUE": Truth(True),
    "FALSE": Truth(False),
    "NULL": NULL_TRUTH,
    "a comparison with NULL": Compare("=", AMOUNT, Null("number")),
    "texts": Compare("<", CHANNEL, TIER),
    "a text within": In(CHANNEL, (Text("b"), Text("a"), Text("b"), Text("x"), Text("y"))),
    "a number within": In(AMOUNT, (Number(1), Number(5, 2), Number(1, 3))),
    "a ratio within": In(Arithmetic("/", AMOUNT, Call("nullif", (SCORE, Number(0)))), (Number(1), Number(5, 4))),
    "is null": IsNull(AMOUNT),
    "a comparison is null": IsNull(Compare("=", AMOUNT, SCORE)),
    "a conjunction is null": IsNull(And((FIRST, Compare("=", AMOUNT, SCORE)))),
    "null of null": IsNull(IsNull(FIRST)),
    "not of or": Not(Or((FIRST, Compare(">", AMOUNT, SCORE)))),
    "not of and": Not(And((FIRST, Compare(">", AMOUNT, SCORE)))),
    "or that is always true": Or((Truth(True), FIRST)),
    "or of nothing possible": Or((Truth(False), NULL_TRUTH)),
    "a truth beside a conjunction": Compare("=", And((FIRST, VEGAN)), Compare("<", AMOUNT, SCORE)),
    "a name": Has(fact("member.segments"), "a"),
    "not a name": Not(Has(fact("member.segments"), "a")),
    "a date": Compare(">=", fact("date"), Date(100)),
    "a time": Compare("<", fact("local_time"), Time(100)),
    "case": Case(((FIRST, VEGAN), (Compare("=", CHANNEL, Text("a")), Truth(False))), NULL_TRUTH),
    "coalesced truths": Call("coalesce", (FIRST, VEGAN)),
    "sum": Compare("=", Arithmetic("+", AMOUNT, SCORE), Number(7, 2)),
    "difference": Compare("<", Arithmetic("-", AMOUNT, SCORE), Number(0)),
    "product": Compare(">", Arithmetic("*", AMOUNT, SCORE), Number(2)),
    "a part": Compare("=", Arithmetic("/", AMOUNT, Number(-2, 3)), Number(-15, 4)),
    "a ratio": Compare("<", Arithmetic("/", AMOUNT, Call("nullif", (SCORE, Number(0)))), Number(2)),
    "arithmetic of ratios": Compare(
        ">=",
        Arithmetic("-", Arithmetic("/", AMOUNT, Call("nullif", (SCORE, ONE))), Negative(Arithmetic("/", ONE, SCORE))),
        Arithmetic("*", SCORE, Number(1, 2)),
    ),
    "nullif": Compare("=", Call("nullif", (AMOUNT, SCORE)), Number(1)),
    "nullif of ratios": IsNull(Call("nullif", (Arithmetic("/", AMOUNT, SCORE), Number(2)))),
    "case of numbers": Compare("=", Case(((FIRST, AMOUNT),), SCORE), Number(1)),
    "case without else": IsNull(Case(((FIRST, AMOUNT),), Null("number"))),
    "coalesce": Compare(">", Call("coalesce", (AMOUNT, SCORE, Number(3))), Number(1)),
    "least": Compare("=", Call("least", (AMOUNT, SCORE)), ONE),
    "greatest": Compare("=", Call("greatest", (AMOUNT, SCORE, ONE)), ONE),
    "length": Compare("=", Call("length", (CHANNEL,)), Number(2)),
    "lower": Compare("=", Call("lower", (CHANNEL,)), Text("aä")),
    "upper": Compare("=", Call("upper", (CHANNEL,)), Text("AÄ")),
    "abs": Compare("=", Call("abs", (SCORE,)), Number(3, 2)),
    "floor": Compare("=", Call("floor", (SCORE,)), Number(-2)),
    "ceil": Compare("=", Call("ceil", (SCORE,)), Number(-1)),
    "round": Compare("=", Call("round", (SCORE,)), Number(-2)),
    "round of a ratio": Compare("=", Call("round", (Arithmetic("/", AMOUNT, SCORE),)), Number(-2)),
    "count": Compare("=", Aggregate("count"), Number(2)),
    "count of values": Compare("=", Aggregate("count", fact("line.weight")), ONE),
    "sum over lines": Compare("=", Aggregate("sum", fact("line.weight")), ONE),
    "sum over none": IsNull(Aggregate("sum", fact("line.weight"), Compare("=", CHANNEL, Text("a")))),
    "least over lines": Compare(">", Aggregate("min", fact("line.amount"), fact("line.organic")), Number(0)),
    "most over lines": Compare(">", Aggregate("max", fact("line.amount"), Not(fact("line.organic"))), Number(0)),
    "ratios over lines": Compare(
        "<=", Aggregate("sum", Arithmetic("/", fact("line.weight"), fact("line.quantity"))), Number(1)
    ),
    "least ratio over lines": Compare(
        "<", Aggregate("min", Arithmetic("/", fact("line.weight"), fact("line.quantity"))), Number(1)
    ),
}
LINES = (
    [line()],
    [line(line__weight=500, line__amount=100, line__organic=True), line(line__weight=500, line__organic=False)],
    [line(line__amount=200, line__organic=False, line__quantity=2), line(line__weight=1_000)],
)


def domain() -> Iterator[Facts]:
    """Every combination of a few values of each fact that the conditions read."""
    for amount, score, channel, first, vegan in product(
        (None, 0, 100, 250), (None, -1_500, 1_000, 2_000), (None, "a", "b", "AÄ", "aä"), TRUTHS, TRUTHS
    ):
        place = len(str(amount)) + len(str(score)) + len(str(channel))
        yield Facts(
            DAY,
            blank(
                amount=amount,
                member__score=score,
                channel=channel,
                member__first_purchase=first,
                member__vegan=vegan,
                member__tier=(None, "a", "b")[place % 3],
                member__segments=(None, frozenset("a"), frozenset())[place % 3],
                date=99 + place % 2,
                local_time=99 + place % 2,
            ),
            [list(one) for one in LINES[place % 3]],
        )


DOMAIN = list(domain())


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_every_node_is_true_false_and_null_where_the_tree_says(condition: Node) -> None:
    rules = rule_set([rule("order", ONE, one) for one in (condition, Not(condition), IsNull(condition))])
    told, tree = compiled(rules), Interpreter(rules)
    for of in DOMAIN:
        given = told.evaluate(copy(of))
        assert given == tree.evaluate(copy(of))
        assert given.failures == [] or len(given.failures) == 3
        assert len([hit for hit in given.hits if hit.rule]) == (0 if given.failures else 1)


def test_the_domain_has_each_condition_true_and_false_or_null() -> None:
    assert len(DOMAIN) == 4 * 4 * 5 * 3 * 3
    constant = {"TRUE", "FALSE", "NULL", "a comparison with NULL", "null of null", "or that is always true",
                "or of nothing possible"}  # fmt: skip
    for name, condition in CONDITIONS.items():
        told = compiled(rule_set([rule("order", ONE, condition)]))
        found = {any(hit.rule for hit in told.evaluate(copy(of)).hits) for of in DOMAIN}
        assert len(found) == 1 if name in constant else found == {True, False}, name


@pytest.mark.parametrize("text", ["", "a", "b", "ab", "ba", "aab", "abab", "xaby", "a\nb"])
def test_like_matches_what_the_tree_matches(text: str) -> None:
    pieces: list[tuple[str | None, ...]] = [(), ("a",), ("b", None), ("ab",), (None,)]
    patterns = [parts for count in (1, 2, 3) for parts in product(pieces, repeat=count)]
    rules = rule_set([rule("order", ONE, Like(CHANNEL, parts)) for parts in patterns])
    found = compiled(rules).evaluate(facts(channel=text))
    assert found == Interpreter(rules).evaluate(facts(channel=text))
    assert found.failures == []


def test_a_long_text_full_of_near_misses_takes_a_step_for_each_place() -> None:
    parts = ((), *((("a", None, "b"),) * 30), ())
    rules = rule_set([rule("order", ONE, Like(CHANNEL, parts))])
    assert points(rules, facts(channel="a" * 20_000)) == {}
    assert points(rules, facts(channel="axb" * 30)) == {1: 1}


# Earnings -------------------------------------------------------------------------------------------------------------


def test_the_base_comes_first_and_is_what_other_rules_start_from() -> None:
    base, line_base = fact("base"), fact("line.base")
    rules = rule_set(
        [
            rule("order", Arithmetic("*", Number(2), base), over_base=True, scale=100),
            rule("order", Arithmetic("+", base, Number(5, 2)), over_base=True, scale=200),
            rule("line", Arithmetic("*", line_base, Number(3, 2)), over_base=True, scale=200),
            rule("order", Arithmetic("*", Number(1, 2), base), over_base=True, scale=200),
        ]
    )
    of = facts(line(line__amount=1_000), line(line__amount=250))
    assert compiled(rules).evaluate(of) == Evaluation(
        [
            Hit(0, 1_250, 100, (1_000, 250)),
            Hit(1, 1_250, 100),
            Hit(2, 500, 200),
            Hit(3, 1_250, 200, (1_000, 250)),
        ],
        [],
    )
    assert of.order[0] == 1_250
    assert [one[0] for one in of.lines] == [1_000, 250]


def test_what_gives_nothing_or_less_is_no_hit() -> None:
    earnings = (Number(0), Number(-3), Null("number"), Negative(AMOUNT))
    rules = rule_set([rule(on, earn) for earn in earnings for on in ("order", "line")])
    assert points(rules, facts(amount=100)) == {}


def test_base_places_of_an_event_and_of_a_worthless_purchase_are_zero() -> None:
    rules = rule_set([rule("event", ONE), rule("order", Arithmetic("+", fact("base"), ONE), over_base=True, scale=100)])
    event = Facts(DAY, blank(base=77), [])
    assert compiled(rules).evaluate(event) == Evaluation([Hit(1, 1, 1)], [])
    assert event.order[0] == 0
    purchase = facts(line(line__base=77), base=77)
    assert compiled(rules).evaluate(purchase) == Evaluation([Hit(2, 100, 100)], [])
    assert (purchase.order[0], purchase.lines[0][0]) == (0, 0)


def test_a_rule_gives_on_the_days_of_its_windows_only() -> None:
    rules = rule_set([rule("order", ONE, windows=((100, 102), (105, 105)))])
    told = compiled(rules)
    given = [day for day in range(98, 108) if told.evaluate(facts(day=day)).hits]
    assert given == [100, 101, 102, 105]


def test_plans_are_kept_for_so_many_days_and_no_more() -> None:
    told = compiled(rule_set([rule("order", ONE, windows=((1, 150),))]))
    days = [*range(1, 200), 3, 120]
    assert [bool(told.evaluate(facts(day=day)).hits) for day in days] == [day <= 150 for day in days]
    assert told.planned == PLANS


# Whatever the rules ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_selection_changes_nothing_and_the_tree_says_the_same(seed: int) -> None:
    trees = Trees(seed)
    rules = trees.rules(40)
    told, plain, tree = compiled(rules), compiled(rules, selecting=False), Interpreter(rules)
    hits = 0
    for _ in range(60):
        of = trees.facts()
        first, second, third = copy(of), copy(of), copy(of)
        found = told.evaluate(first)
        assert found == plain.evaluate(second)
        assert found == tree.evaluate(third)
        assert first == second == third
        hits += len(found.hits)
    assert hits > 60


def test_rules_that_differ_in_constants_only_share_their_code() -> None:
    def lunch(channel: str, amount: int) -> Rule:
        return rule("order", ONE, And((Compare("=", CHANNEL, Text(channel)), Compare(">=", AMOUNT, Number(amount)))))

    rules = rule_set([lunch(channel, amount) for channel in WORDS for amount in range(20)])
    assert len(compiler.sources(rules)) == 2


# Selection ------------------------------------------------------------------------------------------------------------

WRONG = Compare("<", fact("quantity"), Number(5))
"""Fails where the quantity is a text: whoever does not fail has not been looked at."""
CATEGORY = fact("line.category")
KEYS = {
    "an equality": ("order", Compare("=", CHANNEL, Text("a"))),
    "an equality, the other way round": ("order", Compare("=", Text("a"), CHANNEL)),
    "a list": ("order", In(CHANNEL, (Text("a"), Text("x")))),
    "a truth": ("order", FIRST),
    "a name": ("order", Has(fact("member.segments"), "a")),
    "a line's equality": ("line", Compare("=", CATEGORY, Text("a"))),
    "a line's list": ("line", In(CATEGORY, (Text("a"), Text("x")))),
    "a sum over lines": (
        "order",
        Compare(">", Aggregate("sum", fact("line.amount"), Compare("=", CATEGORY, Text("a"))), Number(0)),
    ),
    "a count of lines": (
        "order",
        Compare("<=", ONE, Aggregate("count", None, In(CATEGORY, (Text("a"), Text("x"))))),
    ),
}


@pytest.mark.parametrize(("on", "key"), KEYS.values(), ids=KEYS)
def test_a_rule_is_looked_at_only_where_its_key_is_met(on: Literal["order", "line"], key: Node) -> None:
    rules = rule_set([rule(on, ONE, And((WRONG, key)))])
    told = compiled(rules)

    def of(value: str, quantity: Any) -> Facts:
        lines = [line(line__category=value, line__amount=100), line(line__category="b"), line()]
        return facts(
            *lines,
            quantity=quantity,
            channel=value,
            member__segments=frozenset(value),
            member__first_purchase=value == "a",
        )

    assert told.evaluate(of("a", 1)).hits[1:] != []
    assert told.evaluate(of("c", 1)).hits[1:] == []
    assert told.evaluate(of("a", "many")).failures == [Failure(1, "TypeError")]
    assert told.evaluate(of("c", "many")).failures == []


def test_a_rule_with_several_values_met_by_several_lines_counts_once() -> None:
    rules = rule_set(
        [
            rule("line", ONE, In(CATEGORY, (Text("a"), Text("b")))),
            rule("order", ONE, Compare(">=", Aggregate("count", None, In(CATEGORY, (Text("a"), Text("b")))), ONE)),
            rule("line", ONE, Compare("=", CATEGORY, Text("a"))),
        ]
    )
    lines = [line(line__category=value) for value in ("a", "b", "c", "a", None)]
    assert compiled(rules).evaluate(facts(*lines)).hits == [
        Hit(1, 3, 1, (1, 1, 0, 1, 0)),
        Hit(2, 1, 1),
        Hit(3, 2, 1, (1, 0, 0, 1, 0)),
    ]


@pytest.mark.parametrize("op", ["=", "<>", "<", "<=", ">", ">="])
@pytest.mark.parametrize("number", [-1, 0, 1, 2])
def test_a_count_that_no_line_can_satisfy_is_found_too(
    op: Literal["=", "<>", "<", "<=", ">", ">="], number: int
) -> None:
    count = Aggregate("count", None, Compare("=", CATEGORY, Text("a")))
    rules = rule_set(
        [rule("order", ONE, Compare(op, count, Number(number))), rule("order", ONE, Compare(op, Number(number), count))]
    )
    for values in ((), ("a",), ("a", "a"), ("b",)):
        of = facts(*[line(line__category=value) for value in (*values, None)])
        assert compiled(rules).evaluate(copy(of)) == Interpreter(rules).evaluate(of)


def test_a_number_that_the_scale_cannot_say_equals_nothing() -> None:
    third = Number(1, 3)
    rules = rule_set([rule("order", ONE, Compare("=", AMOUNT, third)), rule("order", ONE, In(AMOUNT, (third, ONE)))])
    assert points(rules, facts(amount=100)) == {2: 1}
    assert points(rules, facts(amount=33)) == {}


# What fails -----------------------------------------------------------------------------------------------------------


def test_a_rule_that_fails_gives_nothing_and_the_others_count() -> None:
    more = Compare(">", AMOUNT, Number(1))
    rules = rule_set([rule("order", ONE), rule("order", ONE, more), rule("line", Number(2)), rule("order", ONE, more)])
    found = compiled(rules).evaluate(facts(line(line__amount=100), amount="much"))
    assert found.hits == [Hit(0, 100, 100, (100,)), Hit(1, 1, 1), Hit(3, 2, 1, (2,))]
    assert found.failures == [Failure(2, "TypeError"), Failure(4, "TypeError")]


def test_a_rule_that_fails_on_one_line_fails_as_a_whole() -> None:
    rules = rule_set([rule("line", fact("line.quantity"))])
    found = compiled(rules).evaluate(facts(line(line__amount=100), line(line__amount=100, line__quantity="two")))
    assert found == Evaluation([Hit(0, 200, 100, (100, 100))], [Failure(1, "TypeError")])


def test_a_base_that_fails_is_zero_and_the_others_count() -> None:
    rules = rule_set([rule("order", ONE)])
    of = facts(line(line__amount="much", line__base=5), base=5)
    assert compiled(rules).evaluate(of) == Evaluation([Hit(1, 1, 1)], [Failure(0, "TypeError")])
    assert (of.order[0], of.lines[0][0]) == (0, 0)


@pytest.mark.parametrize("on", ["order", "line"])
def test_more_than_the_limit_is_a_failure_and_the_limit_itself_is_not(on: Literal["order", "line"]) -> None:
    rules = rule_set([rule(on, Arithmetic("*", Number(1, 10), fact("quantity")), scale=10)])
    told = compiled(rules)
    assert told.evaluate(facts(quantity=LIMIT * 10)).hits[-1].num == LIMIT * 10
    assert told.evaluate(facts(quantity=LIMIT * 10 + 1)) == Evaluation([], [Failure(1, "OverflowError")])


def test_a_division_by_zero_that_no_check_let_through_is_this_rules_failure() -> None:
    rules = rule_set([rule("order", ONE, Compare(">", Arithmetic("/", ONE, AMOUNT), Number(0))), rule("order", ONE)])
    assert compiled(rules).evaluate(facts(amount=0)) == Evaluation([Hit(2, 1, 1)], [Failure(1, "ZeroDivisionError")])


@pytest.mark.parametrize("odd", [["a"], {"a": 1}, 1.5, b"a", object()], ids=lambda odd: type(odd).__name__)
def test_facts_of_no_type_at_all_never_raise(odd: object) -> None:
    trees = Trees(99)
    told = compiled(trees.rules(200))
    for day in (100, 160):
        for lines in ([], [[odd] * LAYOUT.line, line(line__amount=100)]):
            found = told.evaluate(Facts(day, [odd] * LAYOUT.order, lines))
            assert found.failures == sorted(set(found.failures))
            assert not {failure.rule for failure in found.failures} & {hit.rule for hit in found.hits}


@pytest.mark.parametrize("amount", [0, 299, 300, 301, 500, 699, 899, 900, 901])
def test_rules_behind_one_that_is_out_of_bounds_are_left_out_only_where_they_are_so_too(amount: int) -> None:
    limits = [(Number(limit), Number(1, 1 + place % 3)) for place, limit in enumerate((7, 3, 9, 5, 3))]
    of_order = [rule("order", earn, Compare(">=", AMOUNT, limit)) for limit, earn in limits]
    of_lines = [rule("line", earn, Compare("<", fact("line.amount"), limit)) for limit, earn in limits]
    rules = rule_set([*of_order, *of_lines])
    of = facts(line(line__amount=amount), line(line__amount=1_000), amount=amount)
    assert compiled(rules).evaluate(copy(of)) == Interpreter(rules).evaluate(copy(of))
    assert compiled(rules, selecting=False).evaluate(copy(of)) == Interpreter(rules).evaluate(copy(of))


@pytest.mark.parametrize("categories", list(product(("wine", "beer", "tea", None), repeat=3)))
def test_of_several_values_those_that_lines_have_pick_the_lines(categories: tuple[str | None, ...]) -> None:
    among = In(fact("line.category"), (Text("wine"), Text("beer")))
    of_tier = And((Compare("=", TIER, Text("gold")), Compare("=", fact("line.category"), Text("tea"))))
    rules = rule_set(
        [
            rule("line", fact("line.quantity"), among),
            rule("order", ONE, Compare(">=", Aggregate("count", None, among), Number(2))),
            rule("line", fact("line.quantity"), of_tier),
        ]
    )
    of = facts(
        *(line(line__category=one, line__quantity=place) for place, one in enumerate(categories, 1)),
        member__tier="gold",
    )
    assert compiled(rules).evaluate(copy(of)) == Interpreter(rules).evaluate(copy(of))


# No text becomes code -------------------------------------------------------------------------------------------------

HOSTILE = (
    "__import__('os').system('false')",
    "'); import os #",
    '"""\\\n',
    "{r}",
    "\x00\u2028\ud800",
    "c0",
)
MADE_UP = {"o", "lines", "picked", "add", "rows", "none", "h", "r", "p", "s", "v", "i", "l", "m", "_"}


def names_and_constants(sources: list[str]) -> tuple[set[str], set[object], set[str]]:
    """Names, constants and attributes in the sources, but for x7, c0 and their like."""
    names: set[str] = set()
    constants: set[object] = set()
    attributes: set[str] = set()
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Constant):
                constants.add(node.value)
            elif isinstance(node, ast.Attribute):
                attributes.add(node.attr)
    numbered = {name for name in names if re.fullmatch("([xyzcta]|all|most|least)[0-9]+", name)}
    return names - numbered, constants, attributes


def test_hostile_texts_are_compared_and_never_seen_by_the_compiler_of_python() -> None:
    rules = rule_set(
        [
            Rule(
                text,
                NAMES,
                "order",
                Case(((Like(TIER, ((), (text,), ())), ONE),), ONE),
                Or((Compare("=", CHANNEL, Text(text)), In(TIER, (Text(text), Text("x"))), Has(fact("days"), text))),
                when_text=text,
                earn_text=text,
            )
            for text in HOSTILE
        ]
    )
    sources = compiler.sources(rules)
    for text in HOSTILE[:-1]:
        assert not any(text in source for source in sources)
    for place, text in enumerate(HOSTILE, 1):
        assert points(rules, facts(channel=text)) == {place: 1}
        assert points(rules, facts(member__tier=text, days=frozenset([text]))) == {place: 1}


@pytest.mark.parametrize("seed", range(4))
def test_code_is_made_of_its_own_names_and_whole_numbers(seed: int) -> None:
    names, constants, attributes = names_and_constants(compiler.sources(Trees(seed).rules(200)))
    assert names <= MADE_UP | set(GLOBALS) - {"__builtins__"}
    assert {type(constant) for constant in constants} <= {int, bool, type(None)}
    assert attributes <= {"startswith", "endswith"}
    assert GLOBALS["__builtins__"] == {}


@pytest.mark.parametrize(
    "node",
    [
        Field("amount", "order", "0]; import os #", "number"),  # type: ignore[arg-type]  # what a forged tree could hold
        Field("amount", "order", 5, "number", "1"),  # type: ignore[arg-type]  # the same
        Arithmetic("**", AMOUNT, AMOUNT),  # type: ignore[arg-type]  # the same
        Call("__import__", (CHANNEL,)),  # type: ignore[arg-type]  # the same
        Aggregate("exec", AMOUNT),  # type: ignore[arg-type]  # the same
        Compare("is", AMOUNT, AMOUNT),  # type: ignore[arg-type]  # the same
        fact("line.amount"),
        Arithmetic("/", AMOUNT, Number(0)),
    ],
    ids=["place", "scale", "operator", "function", "aggregate", "comparison", "a line's fact", "zero"],
)
def test_what_is_no_node_of_the_language_is_not_compiled(node: Node) -> None:
    with pytest.raises((ValueError, LookupError, TypeError)):
        compiler.build(rule_set([rule("order", ONE, IsNull(node))]))
