"""The cases of a rule set: run by the engine that posts, on either evaluator, and refused where they are no cases."""

from collections.abc import Callable

import pytest

from loyalty.rules.compiler import compiled
from loyalty.rules.document import check
from loyalty.rules.evaluation import Evaluation, Evaluator, Facts, Failure
from loyalty.rules.expectations import Result, run
from loyalty.rules.interpret import Interpreter
from loyalty.rules.ruleset import RuleSet

RULES = """\
rule_set: alpha
program: alpha
currency: EUR
timezone: Europe/Berlin
stores: {"7": {region: north, timezone: America/New_York}}
attributes: {member: {vegan: truth, score: number}, line: {organic: truth}}
events:
  check_in: {streak: true}
  review: {fields: {words: number, product: text, on: date}, required: [product]}
calendar: {fair: {name: {en: Fair, zh: 市集}, dates: [2026-05-01]}}
campaigns: {spring: {points: 100}}
groups: {offers: {stacking: best}}
rules:
  - {id: base, name: {en: Base, zh: 基础}, earn: line.amount}
  - {id: double, name: {en: D, zh: 双}, when: on_day('fair'), earn: 2 * base, group: offers}
  - id: triple
    name: {en: T, zh: 三}
    when: member.tier = 'gold'
    earn: 3 * base
    group: offers
    cap: {order: 60, member: {points: 100, times: 3, per: month}}
  - {id: paid, name: {en: P, zh: 付}, when: payment = 'card', earn: 80, budget: spring}
  - {id: third, name: {en: Third, zh: 三分}, when: source = 'web', earn: amount / 300, rounding: down}
  - {id: organic, name: {en: O, zh: 有机}, on: line, when: line.organic, earn: 2 * line.base}
  - {id: loyal, name: {en: L, zh: 忠}, when: member.days_since_purchase <= 7 AND member.purchases >= 3, earn: 7}
  - {id: months, name: {en: M, zh: 月}, when: member.age_days >= 365 AND member.birth_month = month, earn: 9}
  - {id: wish, name: {en: W, zh: 愿}, when: member.birth_month = month AND member.birth_day = day, earn: 6}
  - {id: vegan, name: {en: V, zh: 素}, when: member.vegan AND member.score > 1.5, earn: 4}
  - {id: words, name: {en: W, zh: 字}, on: event, when: event.words > 9.5 AND event.on < date, earn: 3}
  - {id: streak, name: {en: S, zh: 连}, on: event, when: event.streak = 3, earn: 11}
  - {id: dawn, name: {en: D, zh: 晨}, when: local_time < '06:00' AND region = 'north', earn: 2}
  - {id: late, name: {en: L, zh: 迟}, when: amount > 1, earn: 1, valid: {from: 2027-01-01}}
expect:
"""
EVALUATORS: list[Callable[[RuleSet], Evaluator]] = [compiled, Interpreter]
WISHED = {"base": 50, "wish": 6}
FIFTY = "at: 2026-03-03T12:00, channel: app, lines: [{amount: 50.00}]"


def case(happened: str, points: int = 0, more: str = "") -> str:
    return f"{RULES}  - name: a case\n    {happened}\n    points: {points}\n{f'    {more}' if more else ''}\n"


def result(text: str, evaluator: Callable[[RuleSet], Evaluator] = compiled) -> Result:
    found = check(text, "rules.yaml")
    assert found.issues == ()
    assert found.rules is not None
    (one,) = run(evaluator(found.rules), found.expectations)
    return one


@pytest.mark.parametrize("evaluator", EVALUATORS)
@pytest.mark.parametrize(
    ("happened", "more", "of_which"),
    [
        (f"purchase: {{{FIFTY}}}", "", {"base": 50}),
        ("purchase: {at: 2026-05-01T12:00, lines: [{amount: 50.00}]}", "", {"base": 50, "double": 50}),
        (
            "purchase: {at: 2026-05-01T00:30, lines: [{amount: 50}], store: '7'}",
            "",
            {"base": 50, "double": 50, "dawn": 2},
        ),
        ("purchase: {at: 2026-05-01T23:30, lines: [{amount: 50}], store: '7'}", "", {"base": 50, "double": 50}),
        (f"purchase: {{{FIFTY}}}", "member: {tier: gold}", {"base": 50, "triple": 60}),
        (f"purchase: {{{FIFTY}}}", "member: {tier: gold, used: {triple: 70}}", {"base": 50, "triple": 30}),
        (f"purchase: {{{FIFTY}}}", "member: {tier: gold, used: {triple: {times: 3}}}", {"base": 50}),
        (f"purchase: {{{FIFTY}, payment: card}}", "", {"base": 50, "paid": 80}),
        (f"purchase: {{{FIFTY}, payment: card}}", "budgets: {spring: 79}", {"base": 50}),
        (f"purchase: {{{FIFTY}, source: web}}", "", {"base": 50}),
        (
            "purchase: {at: 2026-03-03T12:00, lines: [{amount: 9.50, attributes: {organic: true}}, {amount: 5.50}]}",
            "",
            {"base": 15, "organic": 9},
        ),
        (f"purchase: {{{FIFTY}}}", "member: {purchases: 3, last_purchase: 2026-02-24}", {"base": 50, "loyal": 7}),
        (f"purchase: {{{FIFTY}}}", "member: {purchases: 3, last_purchase: 2026-02-23}", {"base": 50}),
        (f"purchase: {{{FIFTY}}}", "member: {enrolled: 2025-03-03, birthday: 03-30}", {"base": 50, "months": 9}),
        (f"purchase: {{{FIFTY}}}", "member: {enrolled: 2025-03-04, birthday: 03-30}", {"base": 50}),
        ("purchase: {at: 2026-02-28T12:00, lines: [{amount: 50}]}", "member: {birthday: 02-29}", WISHED),
        ("purchase: {at: 2026-03-01T12:00, lines: [{amount: 50}]}", "member: {birthday: 02-29}", {"base": 50}),
        ("purchase: {at: 2024-02-28T12:00, lines: [{amount: 50}]}", "member: {birthday: 02-29}", {"base": 50}),
        ("purchase: {at: 2024-02-29T12:00, lines: [{amount: 50}]}", "member: {birthday: 02-29}", WISHED),
        (f"purchase: {{{FIFTY}}}", "member: {attributes: {vegan: true, score: 1.501}}", {"base": 50, "vegan": 4}),
        (f"purchase: {{{FIFTY}}}", "member: {attributes: {vegan: true, score: 1.5}}", {"base": 50}),
        (
            "event: {type: review, at: 2026-03-03T12:00, fields: {product: P, words: 9.6, on: 2026-03-02}}",
            "",
            {"words": 3},
        ),
        ("event: {type: review, at: 2026-03-03T12:00, fields: {product: P, words: 9.6, on: 2026-03-03}}", "", {}),
        ("event: {type: check_in, at: 2026-03-03T12:00}", "member: {streaks: {check_in: 2}}", {"streak": 11}),
        ("event: {type: check_in, at: 2026-03-03T12:00}", "", {}),
        ("purchase: {at: 2027-03-03T12:00, channel: app, lines: [{amount: 50}]}", "", {"base": 50, "late": 1}),
    ],
)
def test_a_case_gives_what_posting_it_would(
    evaluator: Callable[[RuleSet], Evaluator], happened: str, more: str, of_which: dict[str, int]
) -> None:
    one = result(case(happened, sum(of_which.values()), more), evaluator)
    assert one.of_which == of_which
    assert (one.passed, one.message) == (True, "")


def test_a_case_that_comes_out_otherwise_says_what_and_why() -> None:
    more = "of_which: {triple: 100, double: 50, late: 1}\n    member: {tier: gold}"
    one = result(case("purchase: {at: 2026-05-01T12:00, lines: [{amount: 50.00}]}", 201, more))
    assert not one.passed
    assert (one.expected, one.got) == (201, 110)
    assert one.message == (
        "201 points expected, 110 given; 100 of triple expected, 60 given; 50 of double expected, 0 given; "
        "1 of late expected, 0 given"
    )
    assert one.of_which == {"base": 50, "triple": 60, "double": 0, "late": 0}
    assert one.trace == (
        "base: 50, 50 given",
        "double: 50, triple was chosen instead",
        "late: not in force on 2026-05-01",
        "triple: 100, 60 under the cap of an order, 60 given",
    )
    assert one.line == RULES.count("\n") + 1


@pytest.mark.parametrize(
    ("happened", "more", "line"),
    [
        (
            f"purchase: {{{FIFTY}}}",
            "member: {tier: gold, used: {triple: 70}}",
            "triple: 100, 60 under the cap of an order, 30 under the member's caps, 30 given",
        ),
        (
            f"purchase: {{{FIFTY}}}",
            "member: {tier: gold, used: {triple: 100}}",
            "triple: 100, 60 under the cap of an order, the member's cap is used up",
        ),
        (
            f"purchase: {{{FIFTY}, payment: card}}",
            "budgets: {spring: 1}",
            "paid: 80, the budget of spring cannot pay it",
        ),
        (f"purchase: {{{FIFTY}, source: web}}", "", "third: 0.1666, less than a point"),
        (
            "purchase: {at: 2026-03-03T12:00, lines: [{amount: 1.25}]}",
            "",
            "base: 1.25, 1 given, 0 was left over before, 0.25 is now",
        ),
        (f"purchase: {{{FIFTY}}}", "of_which: {organic: 0}", "organic: its condition was not true"),
    ],
)
def test_the_trace_says_what_became_of_a_rule(happened: str, more: str, line: str) -> None:
    assert line in result(case(happened, 0, more)).trace


def test_a_rule_that_fails_gives_nothing_and_the_trace_says_so() -> None:
    class Failing(Interpreter):
        def evaluate(self, facts: Facts) -> Evaluation:
            hits, _ = super().evaluate(facts)
            return Evaluation(hits, [Failure(1, "TypeError")])

    one = result(case(f"purchase: {{{FIFTY}}}", 50), Failing)
    assert one.passed
    assert "dawn: failed: TypeError" in one.trace


def test_every_case_is_run_by_itself() -> None:
    purchase = f"purchase: {{{FIFTY}, payment: card}}\n    points: 130"
    text = f"{RULES}  - name: one\n    {purchase}\n  - name: two\n    {purchase}\n"
    found = check(text, "rules.yaml")
    assert found.rules is not None
    assert [one.passed for one in run(compiled(found.rules), found.expectations)] == [True, True]


@pytest.mark.parametrize(
    ("code", "happened", "more"),
    [
        ("RULE_KEY_MISSING", "member: {}", ""),
        ("RULE_KEY_MISSING", f"purchase: {{{FIFTY}}}", "event: {type: check_in, at: 2026-03-03T12:00}"),
        ("RULE_KEY_UNKNOWN", f"purchase: {{{FIFTY}, «stroe»: '7'}}", ""),
        ("RULE_KEY_MISSING", "purchase: «{lines: [{amount: 5}]}»", ""),
        ("RULE_VALUE_INVALID", "purchase: {at: «2026-03-03», lines: [{amount: 5}]}", ""),
        ("RULE_VALUE_INVALID", "purchase: {at: «2026-03-03T25:00», lines: [{amount: 5}]}", ""),
        ("RULE_VALUE_INVALID", "purchase: {at: «2026-03-03T12:00Z», lines: [{amount: 5}]}", ""),
        ("RULE_VALUE_INVALID", "purchase: {at: «2026-03-29T02:30», lines: [{amount: 5}]}", ""),
        ("RULE_VALUE_INVALID", "purchase: {at: 2026-03-03T12:00, lines: «[]»}", ""),
        ("RULE_VALUE_INVALID", "purchase: {at: 2026-03-03T12:00, lines: [{amount: «5.001»}]}", ""),
        ("RULE_VALUE_INVALID", f"purchase: {{{FIFTY}, currency: «USD»}}", ""),
        ("RULE_FIELD_UNKNOWN", "purchase: {at: 2026-03-03T12:00, lines: [{amount: 5, attributes: {«bio»: true}}]}", ""),
        (
            "RULE_VALUE_INVALID",
            "purchase: {at: 2026-03-03T12:00, lines: [{amount: 5, attributes: {organic: «yes»}}]}",
            "",
        ),
        ("RULE_EVENT_UNKNOWN", "event: {type: «reveiw», at: 2026-03-03T12:00}", ""),
        ("RULE_KEY_MISSING", "event: «{type: review, at: 2026-03-03T12:00}»", ""),
        ("RULE_TYPE", "event: {type: review, at: 2026-03-03T12:00, fields: {product: P, words: «many»}}", ""),
        ("RULE_TYPE", "event: {type: review, at: 2026-03-03T12:00, fields: {product: P, on: «2026-02-30»}}", ""),
        ("RULE_ID_UNKNOWN", f"purchase: {{{FIFTY}}}", "of_which: {«tripel»: 5}"),
        ("RULE_ID_UNKNOWN", f"purchase: {{{FIFTY}}}", "member: {used: {«double»: 5}}"),
        ("RULE_ID_UNKNOWN", f"purchase: {{{FIFTY}}}", "member: {streaks: {«review»: 5}}"),
        ("RULE_ID_UNKNOWN", f"purchase: {{{FIFTY}}}", "budgets: {«sprang»: 5}"),
        ("RULE_VALUE_INVALID", f"purchase: {{{FIFTY}}}", "of_which: {triple: «-5»}"),
        ("RULE_VALUE_INVALID", f"purchase: {{{FIFTY}}}", "member: {birthday: «soon»}"),
        ("RULE_VALUE_INVALID", f"purchase: {{{FIFTY}}}", "member: {birthday: «13-01»}"),
        ("RULE_VALUE_INVALID", f"purchase: {{{FIFTY}}}", "member: {birthday: «02-30»}"),
        ("RULE_VALUE_INVALID", f"purchase: {{{FIFTY}}}", "member: {enrolled: «2026»}"),
    ],
)
def test_a_mistake_in_a_case_is_found_in_its_place(code: str, happened: str, more: str) -> None:
    text = case(happened, 0, more)
    before = text.split("«")[0] if "«" in text else text[: text.index("name: a case")]
    found = check(text.replace("«", "").replace("»", ""), "rules.yaml").issues
    place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert (code, *place) in [(one.code, one.line, one.column) for one in found]


def test_a_case_without_points_is_none() -> None:
    (issue,) = check(f"{RULES}  - name: a case\n    purchase: {{{FIFTY}}}\n", "rules.yaml").issues
    assert issue.message == "a case needs points"
