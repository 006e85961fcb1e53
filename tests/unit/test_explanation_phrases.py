"""The words of explanations: all of the language and of the ledger has its phrase, in English and in Chinese."""

import re
from string import Formatter
from typing import Any, Literal, get_args

import pytest
from msgspec.structs import fields

from loyalty.explanations.explain import PRIVATE
from loyalty.explanations.missing import What
from loyalty.explanations.nearest import MADE_GOOD
from loyalty.explanations.phrases import LANGUAGES, NOUNS, PHRASES, Language, Speaker, clock, number, say
from loyalty.explanations.views import exact
from loyalty.rules import language, schema
from loyalty.rules.engine import Verdict
from loyalty.rules.ruleset import Day, Names, Period, Rounding, Rule, RuleSet
from loyalty.rules.tree import (
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
from loyalty.values import Rate
from tests.docs.test_concepts import KINDS, REASONS

LAYOUT = schema.layout(
    {"vegan": "truth"}, {"organic": "truth", "vintage": "number"}, {"photo": "truth", "words": "number"}
)
RULES = RuleSet(
    "grocer",
    "test",
    "EUR",
    "UTC",
    (Rule("base", Names("Base", "基础"), "line", Number(1)),),
    0,
    calendar=(Day("eleven", Names("Double 11", "双十一"), (1,)),),
)


def parsed(text: str, on: Any = "order", want: Any = "condition") -> Node:
    return language.parse(text, LAYOUT, on, 2, 100, want=want, days=("eleven",)).node


def said(text: str, on: Any = "order") -> tuple[str, str]:
    """A condition in both languages."""
    node = parsed(text, on)
    english, chinese = (Speaker(RULES, one).condition(node) for one in LANGUAGES)
    return english, chinese


AMOUNT = Field("amount", "order", 5, "number", 100)
CHANNEL = Field("channel", "order", 1, "text")
FIRST = Field("member.first_purchase", "order", 26, "truth")
DAYS = Field("days", "order", 15, "names")
SEGMENTS = Field("member.segments", "order", 19, "names")
LINE = Field("line.category", "line", 2, "text")
LINE_AMOUNT = Field("line.amount", "line", 7, "number", 100)
CALLED = get_args(next(field.type for field in fields(Call) if field.name == "name"))
AGGREGATED: tuple[Literal["count", "sum", "min", "max"], ...] = ("count", "sum", "min", "max")
NODES: list[Node] = [
    *(Field(name, "order", 0, "text") for name in NOUNS),
    FIRST,
    Number(1, 3),
    Text("9"),
    Truth(True),
    Truth(False),
    Date(739_000),
    Time(41_400),
    *(Null(kind) for kind in ("number", "text", "truth", "date", "time", "names")),
    *(Arithmetic(op, AMOUNT, Number(2)) for op in ("+", "-", "*", "/")),
    Negative(AMOUNT),
    *(
        Compare(op, left, right)
        for op in ("=", "<>", "<", "<=", ">", ">=")
        for left, right in (
            (AMOUNT, Number(50)),
            (CHANNEL, Text("9")),
            (Field("local_time", "order", 11, "time"), Time(41_400)),
            (Field("date", "order", 10, "date"), Date(739_000)),
            (Field("weekday", "order", 12, "text"), Text("monday")),
        )
    ),
    And((Compare(">=", AMOUNT, Number(1)), Compare("<=", AMOUNT, Number(2)), FIRST)),
    Or((FIRST, And((FIRST, FIRST)))),
    Not(FIRST),
    Not(Or((FIRST, FIRST))),
    IsNull(CHANNEL),
    Not(IsNull(CHANNEL)),
    *(In(CHANNEL, tuple(map(Text, texts))) for texts in (("store", "app"), ("8", "9"))),
    Not(In(CHANNEL, (Text("9"),))),
    *(Like(CHANNEL, parts) for parts in ((("9",), ()), ((), ("9",)), ((), ("9",), ()), (("9", None),), (("9",),))),
    Has(DAYS, "eleven"),
    Has(SEGMENTS, "9"),
    Case(((FIRST, Number(2)),), Number(1)),
    *(Call(name, (AMOUNT, Number(9))) for name in CALLED),
    *(Aggregate(name, value, where) for name in AGGREGATED for value in (None, LINE_AMOUNT) if value or name == "count"
      for where in (None, Compare("=", LINE, Text("9")))),
]  # fmt: skip
_VALUES = re.compile(r"Double 11|EUR")


def test_every_kind_of_node_is_among_those_that_are_tried() -> None:
    assert {type(node) for node in NODES} == set(get_args(Node))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_node_has_its_words(language: Language) -> None:
    speaker = Speaker(RULES, language)
    for node in NODES:
        for words in (speaker.condition(node), speaker.value(node)):
            assert words.strip(), node
            assert "{" not in words, node


def test_no_english_stands_in_the_chinese() -> None:
    speaker = Speaker(RULES, "zh")
    for node in NODES:
        for words in (speaker.condition(node), speaker.value(node)):
            assert not re.search("[A-Za-z]", _VALUES.sub("", words)), words
    for name, names in {**PHRASES, **NOUNS}.items():
        assert not re.search("[A-Za-z]", names.zh), name


def test_no_chinese_stands_in_the_english() -> None:
    speaker = Speaker(RULES, "en")
    for words in (*(speaker.condition(node) for node in NODES), *(names.en for names in {**PHRASES, **NOUNS}.values())):
        assert not re.search("[\u3000-\u9fff\uff00-\uffef]", words), words


def test_every_fact_has_a_noun_in_both_languages_and_there_are_no_others() -> None:
    assert set(NOUNS) == {fact.name for fact in (*schema.ORDER, *schema.BEHIND, *schema.LINE)}
    for names in NOUNS.values():
        assert names.en
        assert names.zh
    for known in ({names.zh for names in NOUNS.values()}, {names.en for names in NOUNS.values()}):
        assert len(known) == len(NOUNS), "two facts go by one name"


def test_what_a_rule_set_declares_goes_by_its_own_name() -> None:
    assert said("event.photo", "event") == ("photo is yes", "photo为是")


def test_both_languages_fill_the_same_places_of_a_phrase() -> None:
    for name, names in PHRASES.items():
        assert places(names.en) == places(names.zh), name


def places(text: str) -> set[str]:
    return {place for _, place, _, _ in Formatter().parse(text) if place}


def test_everything_that_is_named_elsewhere_has_a_phrase() -> None:
    wanted = {f"verdict.{verdict}" for verdict in get_args(Verdict)}
    wanted |= {f"rounding.{how}" for how in get_args(Rounding) if how != "carry"}
    wanted |= {f"period.{period}" for period in get_args(Period)}
    wanted |= {f"channel.{channel}" for channel in schema.CHANNELS}
    wanted |= {f"weekday.{day}" for day in schema.WEEKDAYS}
    wanted |= {f"why.{why}" for why in REASONS}
    wanted |= {f"entry.{kind}" for kind in KINDS - {"earned"}}
    assert wanted - set(PHRASES) == set()
    assert set(MADE_GOOD) == set(get_args(What))
    assert {name for name in NOUNS if "birth" in name} == PRIVATE


@pytest.mark.parametrize(
    ("text", "english", "chinese"),
    [
        ("channel = 'store'", "bought in store", "在门店购买"),
        ("channel IN ('app', 'online')", "bought in the app or bought online", "在应用内购买或在线上购买"),
        ("channel = 'kiosk'", "channel is “kiosk”", "购买渠道为“kiosk”"),
        ("local_time BETWEEN '11:00' AND '13:30'", "between 11:00 and 13:30", "在11:00至13:30之间"),
        ("local_time < '09:00:05'", "before 09:00:05", "早于09:00:05"),
        ("weekday IN ('saturday', 'sunday')", "on Saturday or Sunday", "在星期六或星期日"),
        ("weekday <> 'monday'", "weekday is not Monday", "星期不为星期一"),
        ("on_day('eleven')", "on Double 11", "在双十一当天"),
        ("date = '2026-11-11'", "on 2026-11-11", "在2026-11-11当天"),
        ("date >= '2026-11-01'", "from 2026-11-01 on", "不早于2026-11-01"),
        ("amount >= 50", "amount is at least 50.00 EUR", "实付金额不低于50.00 EUR"),
        ("amount BETWEEN 1 AND 2.5", "amount is between 1.00 EUR and 2.50 EUR", "实付金额在1.00 EUR至2.50 EUR之间"),
        ("'vip' IN member.segments", "the member belongs to “vip”", "会员属于人群“vip”"),
        ("member.first_purchase", "it is the member's first purchase", "是会员的首次购买"),
        ("NOT member.first_purchase", "not the case that it is the member's first purchase", "并非是会员的首次购买"),
        ("store NOT IN ('1', '2')", "store is none of “1” or “2”", "门店不是“1”或“2”"),
        ("payment IS NOT NULL", "means of payment is known", "支付方式已知"),
        ("payment LIKE 'visa%'", "means of payment begins with “visa”", "支付方式以“visa”开头"),
        (
            "SUM(line.amount) FILTER (WHERE line.category = 'wine') >= 30",
            "the sum of amount of the line over the lines where category is “wine” is at least 30.00 EUR",
            "在品类为“wine”的明细行中，该行金额之和不低于30.00 EUR",
        ),
        (
            "(channel = 'app' OR channel = 'store') AND quantity > 2",
            "(bought in the app or bought in store) and number of pieces is above 2",
            "（在应用内购买，或在门店购买），且总件数大于2",
        ),
    ],
)  # fmt: skip
def test_conditions_read_as_somebody_would_say_them(text: str, english: str, chinese: str) -> None:
    assert said(text) == (english, chinese)


@pytest.mark.parametrize(
    "text",
    [
        "member.id = 'mem_x'",
        "'mem_x' <> member.id",
        "member.id IN ('mem_x', 'mem_y')",
        "member.id NOT IN ('mem_x')",
        "member.id LIKE 'mem_x%'",
        "member.id BETWEEN 'mem_x' AND 'mem_y'",
    ],
)
def test_other_members_are_not_named(text: str) -> None:
    assert not [words for words in said(text) if "mem_" in words]


def test_whether_the_member_is_meant_is_said() -> None:
    assert said("member.id IN ('mem_x')") == ("the member is one of those meant", "会员属于指定名单")
    assert said("member.id NOT IN ('mem_x')")[0] == "not the case that the member is one of those meant"


def test_values_are_written_as_a_person_writes_them() -> None:
    english, chinese = (Speaker(RULES, one) for one in LANGUAGES)
    assert english.shown(AMOUNT, 6050) == "60.50 EUR"
    assert english.shown(Field("local_time", "order", 11, "time"), 41_405) == "11:30:05"
    assert english.shown(Field("date", "order", 10, "date"), 739_931) == "2026-11-11"
    assert chinese.shown(Field("weekday", "order", 12, "text"), "monday") == "星期一"
    assert (english.shown(FIRST, True), chinese.shown(FIRST, False)) == ("yes", "否")
    assert (english.shown(CHANNEL, None), chinese.shown(CHANNEL, None)) == ("not known", "未知")
    assert (english.shown(DAYS, frozenset({"eleven"})), chinese.shown(DAYS, frozenset())) == ("Double 11", "无")
    assert english.shown(Field("event.words", "order", 30, "number", 1000), 12_500) == "12.5"


def test_numbers_end_or_are_fractions() -> None:
    assert [number(*pair) for pair in ((5, 2), (-5, 2), (0, 7), (1, 3), (120, 1))] == ["2.5", "-2.5", "0", "1/3", "120"]
    assert (exact(Rate(1, 3)).fraction, exact(Rate(1, 3)).decimal) == ("1/3", "0.333333")
    assert (exact(Rate(5, 2)).fraction, exact(Rate(5, 2)).decimal) == ("5/2", "2.5")
    assert (clock(0), clock(86_399)) == ("00:00", "23:59:59")


def test_one_point_is_one_point() -> None:
    assert say("en", "verdict.given", 1) == "1 point given"
    assert say("en", "verdict.given", 21) == "21 points given"
    assert say("zh", "verdict.given", 1) == "给予1分"


def test_what_fills_a_phrase_may_hold_braces_itself() -> None:
    assert say("en", "entry.frozen", "{0} {") == "the account was frozen: {0} {"
