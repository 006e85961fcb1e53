"""docs/rules-language.md says what the language is: fields, functions, words, limits, codes; its examples are read."""

import re
from pathlib import Path
from typing import Final

import pytest

from loyalty.rules import language, schema, tree, words
from loyalty.rules.ruleset import EVENT_SCALE, On
from loyalty.rules.schema import BEHIND, LINE, ORDER, Fact, Layout

TEXT: Final = (Path(__file__).parents[2] / "docs" / "rules-language.md").read_text(encoding="utf-8")
LAYOUT: Final = schema.layout({"vegan": "truth", "since": "date"}, {"organic": "truth"}, {"photo": "truth"})
DAYS: Final = ("double_11",)
KINDS: Final[tuple[On, ...]] = ("order", "line", "event")


def table(facts: tuple[Fact, ...]) -> list[str]:
    """The rows of the table of fields, as the document has them."""
    return [f"| `{fact.name}` | {fact.type} | {'yes' if fact.nullable else ''} | {says(fact)} |" for fact in facts]


def says(fact: Fact) -> str:
    """What a field is, and between what it lies."""
    bounds = ""
    if fact.low is not None and fact.high is not None:
        bounds = f"; {fact.low:,} to {fact.high:,}"
    return f"{fact.en}{bounds}"


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(title: str) -> list[str]:
    """Rows of a section's tables, without their heads."""
    lines = section(title).splitlines()
    return [line for place, line in enumerate(lines) if line[:3] == "| `" and not line.startswith("|---")]


def names(title: str) -> list[str]:
    return [row.split("`")[1] for row in rows(title)]


def test_every_field_is_there_as_the_code_has_it() -> None:
    assert rows("Fields") == [*table(ORDER), *table(BEHIND), *table(LINE)]


def test_every_function_is_there_and_reads_as_it_is_written() -> None:
    assert sorted({name.split("(")[0].lower() for name in names("Functions")}) == sorted(language.FUNCTIONS)


def test_every_word_of_the_language_is_there() -> None:
    spoken = set(re.findall(r"[A-Z]{2,}", " ".join(re.findall(r"`([^`\n]+)`", TEXT.replace("```", "")))))
    assert spoken >= set(words.KEYWORDS)


def test_every_limit_is_the_one_that_is_kept() -> None:
    cells = [row.split("|")[2].strip() for row in section("Limits").splitlines() if row.startswith("| ")]
    assert cells[1:] == [
        f"{words.MAX_TEXT:,} characters",
        f"{language.MAX_NODES} parts, {language.MAX_DEPTH} within each other",
        f"{words.MAX_NESTING}",
        f"{language.MAX_LIST} values",
        f"{language.MAX_PATTERN} characters",
        "12 digits before the point, 6 behind it",
        f"{tree.LIMIT:,}",
        f"1/{tree.MAX_SCALE:,}",
    ]
    assert f"1/{EVENT_SCALE:,}" in section("Numbers and money")


def test_every_code_of_a_refusal_is_there() -> None:
    source = "".join(Path(module.__file__ or "").read_text(encoding="utf-8") for module in (language, words))
    assert names("Refusals") == sorted(set(re.findall(r'"(RULE_[A-Z_]+)"', source)))


def readable(text: str, layout: Layout) -> list[On]:
    """The kinds of rule that an expression can stand in, as a condition or as an earning."""
    found: list[On] = []
    for on in KINDS:
        for want in ("condition", "earning"):
            try:
                language.parse(
                    text, layout, on, 2, 100, want="earning" if want == "earning" else "condition", days=DAYS
                )
            except language.Rejected:
                continue
            found.append(on)
    return found


@pytest.mark.parametrize("text", re.findall(r"^```sql\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
def test_every_example_is_read(text: str) -> None:
    for example in filter(None, text.splitlines()):
        assert readable(example, LAYOUT), example


def test_every_function_works_as_its_row_shows() -> None:
    for row in rows("Functions"):
        for example in re.findall(r"`([^`]+)`", row):
            assert readable(example, LAYOUT), example
