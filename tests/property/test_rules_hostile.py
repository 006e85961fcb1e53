"""Whatever is written as an expression, it is read or refused: never another error, never more work than its length
allows. Work is counted in calls, which are the same on any machine.
"""

import sys
from collections.abc import Callable
from functools import partial
from random import Random
from types import FrameType
from typing import Any, Final

import pytest

from loyalty.rules import compiled, interpret, language, tree
from loyalty.rules.language import MAX_DEPTH, MAX_NODES, Expression, Rejected
from loyalty.rules.ruleset import On
from loyalty.rules.satisfiable import children, verdict
from loyalty.rules.words import MAX_TEXT
from tests.property.rule_world import CALENDAR, EXPONENT, PLACES, Expressions
from tests.tally import tried

CALLS: Final = 250_000
"""Calls that the longest expression may need; each character may need a hundred."""
KINDS: Final[tuple[On, ...]] = ("order", "line", "event")

HOSTILE: Final = (
    "channel = 'a\u202eb'", "channel = 'a\x7fb'", "channel = 'a\nb'", "channel = 'a\ud800b'",
    "", " ", "\n\t", "\x00", "amount\x00> 1", "\ufeffamount > 1", "amount\u00a0> 1", "am\u200bount > 1",
    "\u0430mount > 1", "amount > \uff11", "amount \uff1e 1", "\uff33\uff35\uff2d(line.amount) > 1",
    "channel = \u2018store\u2019", "channel = 'a\x00b'", "\ud800 = 1", "().__class__", "amount.__class__",
    "amount.__class__.__mro__[1]", "member.__init__.__globals__", "__import__('os')", "__builtins__", "eval('1')",
    "exec('1')", "lambda: 1", "[x for x in y]", "{1: 2}", "amount if 1 else 2", "f'{amount}'", "amount := 1",
    "amount; 1", "; DROP TABLE points", "amount > 1; DELETE FROM members", "' OR '1'='1", "1=1 --", "1 /* x",
    "/* x */ 1 = 1", "-- x", "# x", "1 = 1 # x", "/*+ hint */ amount > 1", "{{ amount }}", "{% if 1 %}",
    "{# x #} amount > 1", "SELECT 1", "(SELECT 1)", "amount > (SELECT 1)", "EXISTS (SELECT 1)",
    "amount IN (SELECT 1)", "amount > ALL (1)", "amount UNION SELECT 1", "WITH x AS (SELECT 1) SELECT 1",
    "amount > ANY (ARRAY[1])", "VALUES (1)", "TABLE members", "CAST(amount AS TEXT) = 'a'", "amount::text = 'a'",
    "TRY_CAST(amount AS INT) > 1", "CONVERT(amount, CHAR) = 'a'", "SUM(line.amount) OVER () > 1",
    "ROW_NUMBER() OVER (PARTITION BY channel) = 1", "LAG(amount) > 1", "RANK() > 1", "load_extension('x')",
    "readfile('/etc/passwd') = 'a'", "randomblob(1000000000) IS NULL", "sleep(10)", "pg_sleep(9)",
    "benchmark(1000000000, 1)", "char(0) = 'a'", "printf('%s', 1) = 'a'", "glob('*', channel)",
    "regexp('(a+)+', channel)", "channel REGEXP '(a+)+$'", "channel RLIKE 'a'", "channel SIMILAR TO 'a'",
    "channel GLOB 'a'", "channel ILIKE 'a'", "channel LIKE 'a' ESCAPE '\\'", "channel ~ 'a'", "channel LIKE channel",
    "channel LIKE '%' || channel", "channel MATCH 'x'", "?", ":x", "@x", "$1", "$x", "@@version", "amount > ?",
    "amount > :x", "amount > $1", "amount > @x", "%(x)s", "%s", "`amount` > 1", "[amount] > 1", "\"amount\" > 1",
    "amount > \"1\"", "main.amount > 1", "a.b.c.d.e.f > 1", "line..amount > 1", ".amount > 1", "amount. > 1",
    "line . amount > 1", "*", "COUNT(DISTINCT line.brand) > 1", "COUNT(*, 1) > 1", "SUM(*) > 1", "SUM() > 1",
    "SUM(SUM(line.amount)) > 1", "SUM(line.amount) FILTER (line.amount > 1) > 1", "FILTER (WHERE 1)", "MIN(1) > 0",
    "SUM(line.amount ORDER BY 1) > 1", "SUM(line.amount) WITHIN GROUP (ORDER BY 1) > 1",
    "COUNT(*) FILTER (WHERE) > 1", "1e400 > 1", "1e-400 > 1", "0x10 > 1", "0b1 > 1", "1_000 > 1", "1. > 1", ".5 > 1",
    "1.2.3 > 1", "NaN > 1", "inf > 1", "9" * 1999, "0." + "9" * 1997, "amount > " + "9" * 1000, "0" * 1900 + "1 = 1",
    "amount > -9999999999999", "1 - - 1 = 2", "amount * amount * amount > 1", "999999999999 * 999999999999 > 1",
    "0.000001 * 0.000001 * amount > 1", "amount / 0.000001 / 0.000001 > 1", "amount / (1 - 1) > 1",
    "amount / NULLIF(0, 0) > 1", "1 / 0 = 1", "amount % 2 = 1",
    "amount / NULLIF(amount / NULLIF(quantity, 0), 0) > 1", "amount DIV 2 = 1", "amount // 2 = 1", "amount ** 2 > 1",
    "2 ^ 2 = 1", "1 | 1 = 1", "1 & 1 = 1", "~1 = 1", "1 << 62 > 1", "amount <=> 1", "amount == 1", "amount => 1",
    "amount =< 1", "a := 1", "INTERVAL '1 day' > 1", "DATE '2026-01-01' < date", "date + 1 > date", "date > 'now'",
    "date > '2026-02-30'", "date > '0000-01-01'", "date > '10000-01-01'", "local_time > '24:00'",
    "local_time > '-1:00'", "local_time > '11:60'", "CURRENT_TIMESTAMP > '2026-01-01'", "CURRENT_USER = 'x'",
    "NOW() > 1", "RANDOM() > 1", "member.id = CURRENT_USER", "NULL", "NULL = NULL", "NULL IS NULL", "NOT NULL",
    "amount IS 1", "amount IS TRUE", "amount IS NOT FALSE", "amount IS UNKNOWN", "amount IS DISTINCT FROM 1",
    "amount IS NOT DISTINCT FROM 1", "amount ISNULL", "amount NOTNULL", "amount NOT NULL", "(amount, 1) = (1, 1)",
    "(amount, 1) IN ((1, 1))", "amount IN ()", "amount IN (NULL)", "amount IN (1, (2))", "() = ()", "amount IN 1",
    "amount IN member.segments", "1 IN member.segments", "channel IN member.segments", "'vip' IN 'vip'",
    "member.segments = member.segments", "member.segments IS NULL", "days = 'x'", "days", "member.segments", "'x'",
    "1", "''", "CASE END", "CASE WHEN END", "CASE WHEN 1 THEN 2", "CASE WHEN 1 THEN 2 ELSE END", "CASE 1 END = 1",
    "CASE ELSE 1 END = 1", "CASE WHEN TRUE THEN 1 WHEN END = 1", "WHEN", "THEN", "ELSE", "END", "END END",
    "CASE amount WHEN 1, 2 THEN 3 END = 3", "CASE WHEN TRUE THEN 1 THEN 2 END = 1",
    "CASE WHEN TRUE THEN 1 ELSE 2 ELSE 3 END = 1", "CASE CASE END END", "AND", "OR", "NOT", "AND AND",
    "amount > 1 AND", "OR amount > 1", "NOT", "amount NOT 1", "amount BETWEEN 1", "amount BETWEEN 1 AND",
    "amount BETWEEN", "amount BETWEEN 1 OR 2", "amount BETWEEN 1 AND 2 AND 3", "BETWEEN 1 AND 2",
    "amount BETWEEN SYMMETRIC 1 AND 2", ",", "1, 2", "amount > 1,", "f(,)", "ABS(,1) = 1", "ABS(1,) = 1",
    "ABS((1, 2)) = 1", "ABS(1 2) = 1", "ABS 1 = 1", "ABS()", "x y z", "a -> b", "COALESCE() = 1", "LEAST(1) = 1",
    "ROUND(1, 2) = 1", "ON_DAY() ", "ON_DAY(1)", "ON_DAY(channel)", "ON_DAY('double_11', 'x')",
    "on_day('" + "x" * 1900 + "')", "channel = '" + "x" * 1900 + "'", "x" * 1999, "x." * 999 + "x", "." * 1999,
    "'" * 1999, "''" * 999, "channel LIKE '" + "%" * 100 + "'", "channel LIKE '" + "%a" * 51 + "'",
    "channel LIKE '" + "_" * 101 + "'", '"' * 1999,
)  # fmt: skip
"""Things that somebody might try."""


def deep() -> list[str]:
    """Expressions that nest or go on for as long as an expression may be."""
    grown = []
    for count in (31, 32, 33, 60, 200, 500, 999):
        grown += [
            "(" * count + "amount > 1" + ")" * count,
            "(" * count,
            ")" * count,
            "NOT " * count + "amount > 1",
            "-" * count + "amount > 1",
            "- " * count + "1 > 1",
            "-(" * count + "1" + ")" * count + " > 1",
            "NOT(" * count + "TRUE" + ")" * count,
            "ABS(" * count + "amount" + ")" * count + " > 1",
            "CASE WHEN " * count + "TRUE" + " THEN TRUE END" * count,
            "CASE " * count + "1" + " WHEN 1 THEN 1 END" * count + " = 1",
            "CASE WHEN TRUE THEN " * count + "TRUE" + " END" * count,
            " AND ".join(["TRUE"] * count),
            " OR ".join(["amount > 1"] * count),
            " + ".join(["1"] * count) + " > 1",
            " * ".join(["1"] * count) + " > 1",
            " / ".join(["3"] * count) + " > 1",
            " - ".join(["quantity"] * count) + " > 1",
            " = ".join(["1"] * count),
            " < ".join(["amount"] * count),
            "amount IN (" + ",".join(["1"] * count) + ")",
            "COALESCE(" + ",".join(["1"] * count) + ") = 1",
            "amount" + " IS NULL" * count,
            "amount" + " BETWEEN 1 AND 2" * count,
            "amount" + " IN (1)" * count,
            "channel" + " LIKE 'a'" * count,
            "amount" + " NOT" * count,
            "SUM(line.amount) " + "FILTER (WHERE TRUE) " * count + "> 1",
            "f(" * count,
            "CASE " * count,
            "x." * count + "x > 1",
        ]
    bracketed = "amount"
    while len(bracketed) < MAX_TEXT:
        grown.append(f"{bracketed} > 1")
        bracketed = f"CASE WHEN {bracketed} BETWEEN 1 AND 2 THEN 1 ELSE 2 END"
    return grown


def read(text: str, on: On, want: str) -> Expression | Rejected:
    """What the language says to a text; anything but a tree or Rejected is an error of the test."""
    try:
        return language.parse(
            text, PLACES, on, EXPONENT, 100, want="earning" if want == "earning" else "condition", days=CALENDAR
        )
    except Rejected as refusal:
        return refusal


def is_sound(text: str, answer: Expression | Rejected) -> None:
    """A refusal has places within the text and something to say; a tree keeps its limits."""
    if isinstance(answer, Expression):
        depth, size = measured(answer.node)
        assert depth <= MAX_DEPTH
        assert size <= MAX_NODES
        assert tree.scale_of(answer.node) <= tree.MAX_SCALE
        return
    assert answer.issues
    for issue in answer.issues:
        assert issue.code.startswith("RULE_")
        assert 0 <= issue.offset <= issue.offset + issue.length <= len(text)
        assert issue.line == text.count("\n", 0, issue.offset) + 1
        assert issue.column >= 1
        assert 0 < len(issue.message) < 400
        assert issue.message.isprintable()
        assert issue.suggestion.isprintable()


def measured(node: tree.Node) -> tuple[int, int]:
    """(depth, nodes) of a tree."""
    inner = [measured(child) for child in children(node)]
    return 1 + max((depth for depth, _ in inner), default=0), 1 + sum(size for _, size in inner)


def calls_of(work: Callable[[], Any]) -> int:
    """How many Python functions a piece of work calls."""
    count = 0

    def counting(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("on", KINDS)
def test_hostile_texts_are_read_or_refused(on: On) -> None:
    for text in (*HOSTILE, *deep()):
        for want in ("condition", "earning"):
            answer = read(text, on, want)
            is_sound(text, answer)
            if len(text) > MAX_TEXT:
                assert isinstance(answer, Rejected)


def test_what_reaches_for_more_than_the_language_has_is_refused() -> None:
    harmless = {"amount > 1", "1", "1 - - 1 = 2"}
    words = (
        "__",
        "SELECT",
        "OVER",
        "CAST",
        "::",
        ";",
        "--",
        "/*",
        "`",
        "$",
        "?",
        "@",
        "{",
        "[",
        "sleep",
        "load",
        "eval",
    )
    reaching = [text for text in HOSTILE if any(word in text for word in words)]
    assert len(reaching) > 40
    for text in reaching:
        assert text not in harmless
        assert isinstance(read(text, "order", "condition"), Rejected), text
        assert isinstance(read(text, "order", "earning"), Rejected), text


def test_the_work_of_reading_is_bounded_by_the_length_of_the_text() -> None:
    for text in (*HOSTILE, *deep()):
        calls = calls_of(partial(read, text, "order", "condition"))
        assert calls < CALLS, (calls, text[:80])


def test_the_work_of_judging_is_bounded() -> None:
    """However an expression is made up, whether it can be true is found out or left open."""
    fields = [
        name for name, place in PLACES.places.items() if place.fact.type == "number" and name.startswith("member.")
    ]
    tangled = (
        " OR ".join(f"({one} > 1 AND {other} < 5)" for one in fields[:5] for other in fields[:4]),
        " AND ".join(f"({one} > 1 OR {other} < 5 OR {one} IS NULL)" for one in fields[:4] for other in fields[:4]),
        " OR ".join(f"(channel LIKE '%{letter}%' AND store = '{letter}')" for letter in "abcdefghijklmnop"),
        " OR ".join(
            f"('{letter}' IN member.segments AND quantity > {number})" for number, letter in enumerate("abcdefghijklmn")
        ),
        "store IN ("
        + ",".join(f"'{number}'" for number in range(240))
        + ") AND (store = '1' OR amount > 2 AND store < '3')",
    )
    for text in tangled:
        answer = read(text, "order", "condition")
        assert isinstance(answer, Expression), answer
        assert calls_of(partial(verdict, answer.node, PLACES, "order")) < 20 * CALLS


def test_a_pattern_is_matched_without_going_back() -> None:
    """Both matchers: their steps are bounded by the lengths of text and pattern, and do not multiply with each %."""
    for pattern in (
        "%a" * 49 + "b",
        "%" + "a" * 50 + "b%" + "a" * 40,
        "%_a" * 30 + "c",
        "%aa_a" * 18 + "%b",
        "%" * 100,
    ):
        parts = language.pattern_parts(pattern)
        for text in ("a" * 2_000, "ab" * 1_000, "a" * 1_999 + "c"):
            for matcher in (interpret.like, compiled._like):  # noqa: SLF001 - what compiled code calls
                steps = calls_of(partial(matcher, text, parts))
                longest = max(map(len, pattern.split("%")))
                assert steps <= (len(text) + len(pattern)) * (longest + 4)


def test_both_matchers_of_patterns_agree_with_each_other() -> None:
    random = Random("patterns")
    for _ in range(20_000):
        pattern = "".join(random.choices("ab%_", k=random.randint(0, 8)))
        text = "".join(random.choices("ab", k=random.randint(0, 8)))
        parts = language.pattern_parts(pattern)
        assert interpret.like(text, parts) == compiled._like(text, parts) == fits(text, pattern)  # noqa: SLF001


def fits(text: str, pattern: str) -> bool:
    """LIKE by its definition: slow, and plainly right."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(fits(text[skipped:], pattern[1:]) for skipped in range(len(text) + 1))
    return bool(text) and pattern[0] in ("_", text[0]) and fits(text[1:], pattern[1:])


@pytest.mark.parametrize("run", range(4))
def test_mutated_expressions_are_read_or_refused(run: int) -> None:
    """Valid expressions with letters and words dropped, doubled, swapped and put in from elsewhere."""
    random = Random(f"mutations {run}")
    pieces = [piece for text in HOSTILE if len(text) < 60 for piece in text.split()]
    count = refused = 0
    while count < 2_000:
        on = random.choice(KINDS)
        text = Expressions(random, on, 100).condition(2).text
        for _ in range(random.randint(0, 3)):
            text = mutated(random, text, pieces)
        answer = read(text, on, random.choice(("condition", "condition", "earning")))
        is_sound(text, answer)
        refused += isinstance(answer, Rejected)
        count += 1
    assert 0.2 * count < refused < 0.95 * count
    tried("hostile expressions", count)


def mutated(random: Random, text: str, pieces: list[str]) -> str:
    """One small change."""
    way = random.randrange(5)
    if way == 0:
        words = text.split(" ")
        place = random.randrange(len(words))
        words[place : place + random.randint(0, 1)] = random.choice(([], [random.choice(pieces)], [words[place]] * 2))
        return " ".join(words)
    start = random.randint(0, len(text))
    end = min(len(text), start + random.choice((0, 1, 1, 5)))
    if way == 1:
        return text[:start] + text[end:]
    if way == 2:
        return text[:start] + random.choice("()'\"%_,.;-*/=<>\x00`$é🍷 \n") + text[end:]
    if way == 3:
        return text[:end] + text[start:]
    return text[:start] + text[start:end][::-1] + text[end:]
