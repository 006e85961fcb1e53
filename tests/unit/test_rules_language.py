"""The rule language: what it reads, what comes of it, and what it says to whoever wrote something else."""

from typing import Any, Final

import msgspec
import pytest

from loyalty.rules import language, schema, words
from loyalty.rules.language import Expression, Mistake, Rejected
from loyalty.rules.ruleset import On
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
    scale_of,
)

LAYOUT: Final = schema.layout(
    {"vegan": "truth", "since": "date", "score": "number"},
    {"organic": "truth"},
    {"photo": "truth", "words": "number", "product": "text"},
)
DAYS: Final = ("double_11", "member_day")
TYPES: Final = {"event.type": ("check_in", "review"), "store": ("319", "320")}
EXPONENT: Final = 2


def condition(text: str, on: On = "order", **more: Any) -> Expression:
    return language.parse(text, LAYOUT, on, EXPONENT, 100, days=DAYS, values=TYPES, **more)


def earning(text: str, on: On = "order", base_scale: int | None = 100, exponent: int = EXPONENT) -> Expression:
    return language.parse(text, LAYOUT, on, exponent, base_scale, want="earning", days=DAYS, values=TYPES)


def refused(text: str, on: On = "order", want: str = "condition", base_scale: int | None = 100) -> list[Mistake]:
    with pytest.raises(Rejected) as refusal:
        language.parse(
            text,
            LAYOUT,
            on,
            EXPONENT,
            base_scale,
            want="earning" if want == "earning" else "condition",
            days=DAYS,
            values=TYPES,
        )
    return list(refusal.value.issues)


def one(
    text: str, on: On = "order", want: str = "condition", base_scale: int | None = 100
) -> tuple[str, str, str, str]:
    """(code, the place that is meant, message, suggestion) of the only thing that is wrong."""
    (issue,) = refused(text, on, want, base_scale)
    return issue.code, text[issue.offset : issue.offset + issue.length], issue.message, issue.suggestion


def field(name: str) -> Field:
    return schema.field(LAYOUT.places[name], EXPONENT, 100)


# What is read ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("channel = 'store'", Compare("=", field("channel"), Text("store"))),
        ("channel != 'o''neil'", Compare("<>", field("channel"), Text("o'neil"))),
        ("'store' <> channel", Compare("<>", Text("store"), field("channel"))),
        ("amount >= 50", Compare(">=", field("amount"), Number(50))),
        ("amount < 0.50", Compare("<", field("amount"), Number(1, 2))),
        ("amount > -1.5", Compare(">", field("amount"), Number(-3, 2))),
        ("date = '2026-11-11'", Compare("=", field("date"), Date(739931))),
        ("'11:00' <= local_time", Compare("<=", Time(39600), field("local_time"))),
        ("local_time < '23:59:59'", Compare("<", field("local_time"), Time(86399))),
        ("member.vegan", field("member.vegan")),
        ("member.vegan = TRUE", field("member.vegan")),
        ("member.vegan <> TRUE", Not(field("member.vegan"))),
        ("FALSE = member.vegan", Not(field("member.vegan"))),
        ("member.tier IS NULL", IsNull(field("member.tier"))),
        ("member.tier IS NOT NULL", Not(IsNull(field("member.tier")))),
        ("NOT member.tier IS NULL", Not(IsNull(field("member.tier")))),
        ("store IN ('319')", In(field("store"), (Text("319"),))),
        ("store NOT IN ('319', '320', '319')", Not(In(field("store"), (Text("319"), Text("320"))))),
        ("amount IN (1, -2.50)", In(field("amount"), (Number(1), Number(-5, 2)))),
        ("date IN ('2026-11-11')", In(field("date"), (Date(739931),))),
        ("channel LIKE 'a%b_'", Like(field("channel"), (("a",), ("b", None)))),
        ("channel NOT LIKE '%'", Not(Like(field("channel"), ((), ())))),
        ("'vip' IN member.segments", Has(field("member.segments"), "vip")),
        ("'vip' NOT IN member.segments", Not(Has(field("member.segments"), "vip"))),
        ("on_day('double_11')", Has(field("days"), "double_11")),
        ("'double_11' IN days", Has(field("days"), "double_11")),
        ("COUNT(*) > 3", Compare(">", Aggregate("count"), Number(3))),
        ("2 * 3 - 1 = 5", Compare("=", Number(5), Number(5))),
        ("amount > 1 / 3", Compare(">", field("amount"), Number(1, 3))),
        ("-amount < 0", Compare("<", Negative(field("amount")), Number(0))),
        ("LENGTH(LOWER(channel)) = 5", Compare("=", Call("length", (Call("lower", (field("channel"),)),)), Number(5))),
        ("CEILING(amount) = 5", Compare("=", Call("ceil", (field("amount"),)), Number(5))),
    ],
)
def test_a_condition_becomes_a_tree(text: str, node: Node) -> None:
    assert condition(text) == Expression(node)


def test_words_of_the_language_are_written_in_any_case() -> None:
    loud, quiet = "SUM(line.amount) FILTER (WHERE line.category LIKE 'w%') > 3 AND NOT ON_DAY('double_11')", ""
    quiet = loud.lower()
    assert condition(loud) == condition(quiet)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("amount > 1 OR amount > 2 AND amount > 3", "amount > 1 OR (amount > 2 AND amount > 3)"),
        ("NOT amount > 1 AND amount > 2", "(NOT (amount > 1)) AND amount > 2"),
        ("amount - 1 - 2 * 3 > 0", "((amount - 1) - (2 * 3)) > 0"),
        ("amount / 2 * 3 > 0", "((amount / 2) * 3) > 0"),
        ("amount BETWEEN 1 AND 2 AND quantity > 1", "(amount BETWEEN 1 AND 2) AND quantity > 1"),
        ("amount BETWEEN 1 + 1 AND 5", "amount >= 2 AND amount <= 5"),
        ("amount NOT BETWEEN 1 AND 2", "NOT (amount >= 1 AND amount <= 2)"),
        ("CASE channel WHEN 'a' THEN 1 ELSE 2 END = 1", "CASE WHEN channel = 'a' THEN 1 ELSE 2 END = 1"),
    ],
)
def test_what_binds_tighter_needs_no_brackets(text: str, same: str) -> None:
    assert condition(text) == condition(same)


def test_conditions_in_a_row_are_one_node() -> None:
    node = condition("amount > 1 AND amount > 2 AND amount > 3").node
    assert isinstance(node, And)
    assert len(node.items) == 3
    node = condition(" OR ".join(["member.vegan"] * 120)).node
    assert isinstance(node, Or)
    assert len(node.items) == 120


def test_fields_may_be_called_like_words_of_sql() -> None:
    layout = schema.layout({"order": "text"}, {"case": "number", "select": "truth"}, {"from": "text", "end": "date"})
    text = "member.order = 'x' AND SUM(line.case) FILTER (WHERE line.select) > 1 AND date > '2026-01-01' AND day = 1"
    assert isinstance(language.parse(text, layout, "order", 2, 100).node, And)
    text = "event.from = 'x' AND event.end IS NULL"
    assert isinstance(language.parse(text, layout, "event", 2, 100).node, And)


def test_without_else_a_case_is_null_of_its_type() -> None:
    node = condition("CASE WHEN member.vegan THEN 1 END = 1").node
    assert node == Compare("=", Case(((field("member.vegan"), Number(1)),), Null("number")), Number(1))


def test_null_takes_the_type_of_what_stands_beside_it() -> None:
    node = condition("COALESCE(NULL, member.since) > '2026-01-01'").node
    assert node == Compare(">", Call("coalesce", (Null("date"), field("member.since"))), Date(739617))


def test_a_tree_survives_being_stored() -> None:
    text = (
        "CASE WHEN 'vip' IN member.segments THEN amount ELSE -quantity END > 3"
        " AND NOT (channel LIKE '_x%' OR store IN ('319'))"
        " AND MAX(line.amount) FILTER (WHERE line.organic) IS NOT NULL AND date < '2027-01-01' AND local_time > '10:00'"
    )
    node = condition(text).node
    assert msgspec.json.decode(msgspec.json.encode(node), type=Node) == node


# Earnings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "on", "scale", "over_base"),
    [
        ("10", "order", 1, False),
        ("0.25", "event", 4, False),
        ("line.amount", "line", 100, False),
        ("amount / 3", "order", 300, False),
        ("amount / 0.05", "order", 5, False),
        ("amount * 1.5", "order", 200, False),
        ("2 * base", "order", 100, True),
        ("base + 1 / 3", "order", 300, True),
        ("1.5 * line.base", "line", 200, True),
        ("FLOOR(base / 10) * 10 + 50", "order", 100, True),
        ("SUM(line.base) FILTER (WHERE line.category = 'wine')", "order", 100, False),
        ("event.words / 100", "event", 100_000, False),
        ("LEAST(event.words, 50)", "event", 1000, False),
        ("ROUND(amount / NULLIF(quantity, 0))", "order", 1, False),
        ("CASE WHEN member.tier = 'gold' THEN 2 * base ELSE 1.5 * base END", "order", 200, True),
    ],
)
def test_an_earning_has_a_scale_and_is_over_base_where_it_speaks_of_it(
    text: str, on: On, scale: int, over_base: bool
) -> None:
    found = earning(text, on)
    assert (found.scale, found.over_base) == (scale, over_base)


def test_the_base_rule_is_read_without_a_base() -> None:
    assert earning("line.amount", "line", None).scale == 100
    assert one("2 * line.base", "line", "earning", None)[:2] == ("RULE_FIELD_OUT_OF_PLACE", "line.base")


def test_an_earning_knows_its_bounds() -> None:
    assert (earning("10").low, earning("10").high) == (10, 10)
    found = earning("CASE WHEN member.vegan THEN 5.5 ELSE -2.5 END")
    assert (found.low, found.high) == (-3, 6)
    assert earning("LENGTH(channel)").low == 0


def test_money_is_in_whole_units_whatever_the_currency() -> None:
    yen = earning("amount", exponent=0)
    assert yen == Expression(msgspec.structs.replace(field("amount"), scale=1), 1, False, 0, schema.MAX_MONEY)
    assert earning("amount", exponent=3).scale == 1000


def test_three_times_the_sum_of_all_lines_is_not_too_large() -> None:
    """Though 500 times the largest line would be: the lines together are the order."""
    for text in ("3 * SUM(line.amount)", "SUM(3 * line.amount)", "SUM(line.base / 2) * 9", "SUM(-line.amount) * -5"):
        assert earning(text, exponent=0).high > 0
    assert one("SUM(line.amount * line.amount)", want="earning")[0] == "RULE_OVERFLOW"


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("amount", 100),
        ("amount + amount / NULLIF(quantity, 0)", 0),
        ("month * amount", 100),
        ("amount + 0.125", 200),
        ("amount / 8", 800),
        ("amount / 0.5", 50),
        ("ABS(amount)", 100),
        ("GREATEST(amount, member.score)", 1000),
        ("NULLIF(quantity, 0.5)", 1),
        ("FLOOR(amount)", 1),
        ("MAX(line.amount)", 100),
        ("COUNT(*)", 1),
        ("amount / NULLIF(quantity, 0)", 0),
        ("CASE WHEN member.vegan THEN amount END", 100),
    ],
)
def test_the_scale_follows_from_the_tree(text: str, scale: int) -> None:
    node = condition(f"{text} > 1").node
    assert isinstance(node, Compare)
    assert scale_of(node.left) == scale


# What is refused, and how ---------------------------------------------------------------------------------------------

MISTAKES: Final = [
    # (text, code, place, what the message says, suggestion)
    ("chanel = 'store'", "RULE_FIELD_UNKNOWN", "chanel", "There is no field chanel", "channel"),
    ("Channel = 'store'", "RULE_FIELD_UNKNOWN", "Channel", "There is no field Channel", "channel"),
    ("tier = 'gold'", "RULE_FIELD_UNKNOWN", "tier", "There is no field tier", "member.tier"),
    ("member.teir = 'gold'", "RULE_FIELD_UNKNOWN", "member.teir", "There is no field", "member.tier"),
    ("count > 1", "RULE_FIELD_UNKNOWN", "count", "brackets are missing", ""),
    ("xyzzy = 1", "RULE_FIELD_UNKNOWN", "xyzzy", "There is no field xyzzy", ""),
    ("line.amount > 1", "RULE_FIELD_OUT_OF_PLACE", "line.amount", "belongs to one line", "SUM(line.amount)"),
    ("event.photo", "RULE_FIELD_OUT_OF_PLACE", "event.photo", "make the rule `on: event`", ""),
    ("SUUM(line.amount) > 1", "RULE_FUNCTION_UNKNOWN", "SUUM", "There is no function SUUM", "SUM"),
    ("sqrt(amount) > 1", "RULE_FUNCTION_UNKNOWN", "sqrt", "There is no function sqrt", ""),
    ("ROUND(amount, 2) > 1", "RULE_FUNCTION_USE", "ROUND", "ROUND takes one number", ""),
    ("COALESCE(amount) > 1", "RULE_FUNCTION_USE", "COALESCE", "2 to 20 values", ""),
    ("SUM(*) > 1", "RULE_FUNCTION_USE", "SUM", "one value of the lines", ""),
    ("SUM(amount) > 1", "RULE_FUNCTION_USE", "amount", "the same for each of them", "line.amount"),
    ("SUM(MAX(line.amount)) > 1", "RULE_FUNCTION_USE", "MAX", "cannot stand within SUM", ""),
    ("SUM(line.category) > 1", "RULE_TYPE", "line.category", "SUM takes numbers", ""),
    ("ABS(amount) FILTER (WHERE TRUE) > 1", "RULE_SYNTAX", "ABS", "FILTER stands behind SUM", ""),
    ("local_time > 5", "RULE_TYPE", "local_time > 5", "compare it with a time like '11:00'", ""),
    ("local_time > channel", "RULE_TYPE", "channel", "is a text, not a time of day", ""),
    ("amount >= '50'", "RULE_TYPE", "'50'", "write numbers without quotes", "50"),
    ("store = 319", "RULE_TYPE", "319", "write texts in quotes", "'319'"),
    ("amount = member.vegan", "RULE_TYPE", "amount = member.vegan", "amount is a number, member.vegan is true or", ""),
    ("member.segments = 'vip'", "RULE_TYPE", "member.segments = 'vip'", "set of names", "'vip' IN member.segments"),
    ("member.segments IN ('vip')", "RULE_TYPE", "member.segments", "The name stands first", ""),
    ("'vip' IN channel", "RULE_TYPE", "channel", "write its values in brackets", ""),
    ("1 IN member.segments", "RULE_TYPE", "1", "stands a name in quotes", ""),
    ("amount", "RULE_TYPE", "amount", "A condition is true or false; amount is a number", ""),
    ("amount > 1 AND quantity", "RULE_TYPE", "quantity", "compare it with a number like 10", ""),
    ("amount + channel > 1", "RULE_TYPE", "channel", "Behind + stands a number; channel is a text", ""),
    ("-channel = 'a'", "RULE_TYPE", "channel", "Minus stands before a number", ""),
    ("member.vegan < TRUE", "RULE_TYPE", "member.vegan < TRUE", "have no order", ""),
    ("member.vegan IN (TRUE)", "RULE_TYPE", "member.vegan", "stands alone", ""),
    ("member.vegan BETWEEN FALSE AND TRUE", "RULE_TYPE", "member.vegan", "has no order", ""),
    ("amount LIKE '1%'", "RULE_TYPE", "amount", "LIKE reads texts", ""),
    ("channel LIKE store", "RULE_TYPE", "store", "a pattern in quotes", ""),
    ("amount IN (1, quantity)", "RULE_TYPE", "quantity", "A list holds plain values", ""),
    ("amount = NULL", "RULE_TYPE", "NULL", "write IS NULL or IS NOT NULL", "IS NULL"),
    ("amount IN (1, NULL)", "RULE_TYPE", "NULL", "Nothing equals NULL", "IS NULL"),
    ("NULL IS NULL", "RULE_TYPE", "NULL", "NULL is always NULL", ""),
    ("CASE WHEN TRUE THEN NULL END IS NULL", "RULE_TYPE", "NULL", "nothing but NULL", ""),
    ("CASE WHEN TRUE THEN 1 ELSE 'a' END = 1", "RULE_TYPE", "1 ELSE 'a'", "all results of CASE are of one type", ""),
    ("weekday = 'satruday'", "RULE_VALUE_UNKNOWN", "'satruday'", "is never 'satruday'", "'saturday'"),
    ("store IN ('319', '321')", "RULE_VALUE_UNKNOWN", "'321'", "it is one of 319, 320", "'320'"),
    ("date = '2026-02-30'", "RULE_VALUE_UNKNOWN", "'2026-02-30'", "is not a date", ""),
    ("local_time = '24:00'", "RULE_VALUE_UNKNOWN", "'24:00'", "between '00:00' and '23:59:59'", ""),
    ("local_time BETWEEN '11' AND '12:00'", "RULE_VALUE_UNKNOWN", "'11'", "is not a time of day", ""),
    ("ON_DAY('double11')", "RULE_DAY_UNKNOWN", "'double11'", "has no day 'double11'", "'double_11'"),
    ("'xmas' IN days", "RULE_DAY_UNKNOWN", "'xmas'", "has no day 'xmas'", ""),
    ("ON_DAY(channel)", "RULE_FUNCTION_USE", "channel", "in quotes", ""),
    ("amount / 0 > 1", "RULE_DIVISION", "0", "Division by zero", ""),
    ("amount / (2 - 2) > 1", "RULE_DIVISION", "(2 - 2)", "Division by zero", ""),
    ("amount / quantity > 1", "RULE_DIVISION", "quantity", "could be 0", "NULLIF(quantity, 0)"),
    (
        "amount / NULLIF(quantity, 1) > 1",
        "RULE_DIVISION",
        "NULLIF(quantity, 1)",
        "could be 0",
        "NULLIF(NULLIF(quantity, 1), 0)",
    ),
    ("amount > 1234567890123", "RULE_OVERFLOW", "1234567890123", "at most 12 digits", ""),
    ("amount > 0.1234567", "RULE_OVERFLOW", "0.1234567", "6 behind it", ""),
    ("1 < amount * amount", "RULE_OVERFLOW", "amount * amount", "could come to more than 1,000,000,000,000,000", ""),
    ("1 > -amount * amount", "RULE_OVERFLOW", "-amount * amount", "could come to more than", ""),
    ("1 < 100 * amount / NULLIF(amount, 0)", "RULE_OVERFLOW", "100 * amount / NULLIF(amount, 0)", "could come to", ""),
    ("1 < 3000 * SUM(line.amount)", "RULE_OVERFLOW", "3000 * SUM(line.amount)", "could come to", ""),
    ("amount * 0.000001 * 0.000001 > 1", "RULE_OVERFLOW", "amount * 0.000001 * 0.000001", "more decimal places", ""),
    ("amount > 3 -- really", "RULE_SYNTAX", "-- really", "no comments", ""),
    ("amount > 3;", "RULE_SYNTAX", ";", "; means nothing here", ""),
    ("channel == 'x'", "RULE_SYNTAX", "==", "write =", "="),
    ('channel = "x"', "RULE_SYNTAX", '"x"', "single quotes", "'x'"),
    ("channel = 'x", "RULE_SYNTAX", "'", "not closed", ""),
    ("(SELECT 1) = 1", "RULE_SYNTAX", "SELECT", "no query", ""),
    ("amount > 3 amd amount < 5", "RULE_SYNTAX", "amd", "cannot stand here", "AND"),
    ("amount > 3 amount < 5", "RULE_SYNTAX", "amount", "Something is missing between 3 and amount", ""),
    ("(amount > 3", "RULE_SYNTAX", "(", ") is missing", ")"),
    ("CASE WHEN TRUE THEN 1", "RULE_SYNTAX", "CASE", "END is missing", "END"),
    ("amount > 3)", "RULE_SYNTAX", ")", "closes nothing", ""),
    ("amount >", "RULE_SYNTAX", ">", "Something is missing after >", ""),
    ("> amount", "RULE_SYNTAX", ">", "Something is missing before >", ""),
    ("amount > 1, 2", "RULE_SYNTAX", ",", "within brackets only", ""),
    ("amount > * 3", "RULE_SYNTAX", "*", "Something is missing between > and *", ""),
    ("amount = 1 = 2", "RULE_SYNTAX", "amount = 1", "put brackets around it", ""),
    ("member.vegan IS TRUE", "RULE_SYNTAX", "IS", "a condition stands alone", ""),
    ("channel IN ()", "RULE_SYNTAX", "IN", "a list of values in brackets", ""),
    ("amount NOT 5", "RULE_SYNTAX", "NOT", "IN, LIKE or BETWEEN", ""),
    ("amount BETWEEN 1 OR 2", "RULE_SYNTAX", "OR", "cannot be read here", ""),
    ("amount THEN 1", "RULE_SYNTAX", "THEN", "belongs into CASE", ""),
    ("amount > 1e5", "RULE_SYNTAX", "1e5", "is not a number", ""),
    ("().__class__", "RULE_SYNTAX", ")", "Something is missing between ( and )", ""),
    ("amount ≥ 5", "RULE_SYNTAX", "≥", "means nothing here", ""),
    ("", "RULE_SYNTAX", "", "There is nothing here", ""),
    ("(" * 33 + "TRUE" + ")" * 33, "RULE_TOO_LARGE", "(", "Nested too deeply", ""),
]


@pytest.mark.parametrize(("text", "code", "place", "says", "suggestion"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_named_in_its_place_with_what_was_meant(
    text: str, code: str, place: str, says: str, suggestion: str
) -> None:
    found = one(text)
    assert found[:2] == (code, place)
    assert says in found[2]
    assert found[3] == suggestion


def test_a_suggestion_put_in_its_place_is_read() -> None:
    """Where it stands for the whole of what is wrong."""
    mended = 0
    for text, _, _, _, suggestion in MISTAKES:
        if suggestion and suggestion not in (")", "END", "IS NULL"):
            (issue,) = refused(text)
            better = text[: issue.offset] + suggestion + text[issue.offset + issue.length :]
            assert isinstance(condition(better).node, Node), better
            mended += 1
    assert mended >= 15


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_text() -> None:
    text = "chanel = 'x' AND stor IN ('319') AND\n  (amount > 'a' OR weekday = 'funday')"
    issues = refused(text)
    assert [(issue.line, issue.column, text[issue.offset : issue.offset + issue.length]) for issue in issues] == [
        (1, 1, "chanel"),
        (1, 18, "stor"),
        (2, 4, "amount > 'a'"),
        (2, 30, "'funday'"),
    ]
    assert str(Rejected(issues)).startswith("1:1: There is no field chanel; 1:18: ")


def test_a_line_rule_sees_one_line_and_an_order_rule_all_of_them() -> None:
    assert one("base > 1", "line")[2:] == ("A rule `on: line` sees one line at a time: write line.base", "line.base")
    assert one("SUM(line.amount) > 1", "line")[:2] == ("RULE_FIELD_OUT_OF_PLACE", "SUM")
    assert one("line.base > 1")[3] == "base"
    assert one("line.category = 'x'")[3] == ""
    condition("line.amount > 1 AND amount > 5 AND line.base > 2", "line")


def test_an_event_rule_knows_member_time_and_event_only() -> None:
    condition("event.type = 'review' AND event.photo AND member.tier = 'gold' AND weekday = 'monday'", "event")
    for name in ("amount", "channel", "base", "line.amount"):
        assert one(f"{name} IS NULL", "event")[:2] == ("RULE_FIELD_OUT_OF_PLACE", name)
    assert one("event.type = 'check-in'", "event")[3] == "'check_in'"


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("channel = 'x'", "RULE_TYPE", "a number of points"),
        ("'10'", "RULE_TYPE", "a number of points"),
        ("0", "RULE_NEVER_EARNS", "never above 0"),
        ("-amount", "RULE_NEVER_EARNS", "never above 0"),
        ("base", "RULE_NEVER_EARNS", "never adds any points"),
        ("0.5 * base", "RULE_NEVER_EARNS", "never adds any points"),
        ("base - 5", "RULE_NEVER_EARNS", "never adds any points"),
        ("CASE WHEN member.vegan THEN base ELSE base / 2 - 1 END", "RULE_NEVER_EARNS", "never adds any points"),
        ("LEAST(base, 500)", "RULE_NEVER_EARNS", "never adds any points"),
        ("amount / NULLIF(quantity, 0)", "RULE_DIVISION", "say how it is rounded"),
        ("amount * 1000 * 1000", "RULE_OVERFLOW", "could come to more than"),
    ],
)
def test_an_earning_is_a_number_of_points_above_zero(text: str, code: str, says: str) -> None:
    found = one(text, want="earning")
    assert found[0] == code
    assert says in found[2]


def test_an_earning_that_may_give_more_than_base_is_read() -> None:
    for text in (
        "base + 5",
        "2 * base",
        "GREATEST(base, 100)",
        "base * 2 - 50",
        "CASE WHEN member.vegan THEN 3 * base END",
    ):
        assert earning(text).over_base


def test_limits_of_length_and_of_nesting() -> None:
    longest = "channel = '" + "a" * (words.MAX_TEXT - 12) + "'"
    condition(longest)
    assert one(f"{longest} ")[0] == "RULE_TOO_LARGE"
    condition("- " * 32 + "1 < 2")
    assert one("- " * 33 + "1 < 2")[0] == "RULE_TOO_LARGE"
    condition("(" * 32 + "TRUE" + ")" * 32)
    condition(" AND ".join(["(NOT (amount > 1))"] * 40))


def test_limits_of_size() -> None:
    assert one("amount > " + "1" * 1999)[0] == "RULE_TOO_LARGE"
    assert one(" OR ".join(["amount > 1"] * 70))[0] == "RULE_TOO_LARGE"
    assert one(" + ".join(["amount"] * 40) + " > 1")[0] == "RULE_TOO_LARGE"
    assert one("channel LIKE '" + "a" * 101 + "'")[:1] == ("RULE_TOO_LARGE",)
    assert one("amount IN (" + ",".join("1" for _ in range(501)) + ")")[0] == "RULE_TOO_LARGE"
    node = condition("amount IN (" + ",".join(map(str, range(500))) + ")").node
    assert isinstance(node, In)
    assert len(node.values) == 500


def test_a_text_with_signs_that_nobody_sees_is_refused() -> None:
    for letter in ("\x00", "\n", "\x7f", "\u202e", "\u2066"):
        issue = refused(f"channel = 'a{letter}b'")[0]
        assert (issue.code, issue.offset, issue.length) == ("RULE_SYNTAX", 12, 1)
        assert issue.message.isprintable()
    condition("channel = '双十一 ☕ é'")


def test_quotients_are_compared_but_not_added_up() -> None:
    node = condition("amount / NULLIF(quantity, 0) >= 2.5").node
    assert isinstance(node, Compare)
    assert isinstance(node.left, Arithmetic)
    assert one("SUM(line.amount / NULLIF(line.quantity, 0)) > 1")[0] == "RULE_DIVISION"
    assert one("amount / NULLIF(amount / NULLIF(quantity, 0), 0) > 1")[0] == "RULE_DIVISION"
    condition("SUM(ROUND(line.amount / NULLIF(line.quantity, 0))) > 1")
