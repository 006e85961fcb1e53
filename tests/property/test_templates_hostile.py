"""Templates that mean harm: whatever is written is refused or comes to a text within its bounds, in bounded time."""

import random
from html.parser import HTMLParser
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.rules.reading import Reader
from loyalty.rules.yaml_text import Document
from loyalty.templates.document import MAX_TEXT, read
from loyalty.templates.language import MAX_PIECES, OWN_LINK, length, parsed
from loyalty.templates.measure import segments
from loyalty.templates.rendering import render
from loyalty.templates.template import UNSUBSCRIBE, Template, Value, Variable
from loyalty.templates.values import units

VARIABLES: Final = {
    one.name: one
    for one in (
        Variable("gift", "points", 5_000),
        Variable("who", "text", 12),
        Variable("until", "date", 900_000),
        Variable("go", "link", 60),
        OWN_LINK,
    )
}
TOKENS: Final = (
    "{{", "}}", "{%", "%}", "{#", "#}", "{{ gift }}", "{{ who }}", "{{ go }}", "{{ until }}", "{{ unsubscribe }}",
    "{% if gift %}", "{% if gift >= 100 %}", "{% if who == 'Ada' %}", "{% elif until %}", "{% else %}", "{% endif %}",
    "{{ who if gift else go }}", "{{ self }}", "{{ gift.__class__ }}", "{{ who|attr('x') }}", "{{ ''.format }}",
    "{{ cycler.__init__ }}", "{% for x in who %}", "{% endfor %}", "{% raw %}", "{% endraw %}", "{% macro m() %}",
    "{{ 9 ** 9 ** 9 }}", "{{ 'a' * 10000000 }}", "{{ who ~ who }}", "{% set gift = 1 %}", "{% extends 'x' %}",
    "{{ lipsum() }}", "{{ [1,2] }}", "{{ gift[0] }}", "{{ 1e999 }}", "{{ 'x' }}", "not ", "and ", "(", ")", "-", "'",
    '"', "\\", "\n", "a", "中", "😀", "€", " ", "<b>", "</b>", "<", ">", '<a href="', '">', "<script>", "&", "=",
)  # fmt: skip
texts = st.lists(st.sampled_from(TOKENS), max_size=25).map("".join) | st.text(max_size=60)
names = st.text(max_size=40) | st.sampled_from(
    ("<script>x</script>", '"><img src=x>', "a\r\nb: c", "{{ go }}", "javascript:x")
)
CODES: Final = frozenset({"TEMPLATE_SYNTAX", "TEMPLATE_NOT_ALLOWED", "TEMPLATE_VARIABLE_UNKNOWN"})


@given(texts, names, st.integers(0, 5_000), st.sampled_from(("en", "zh")))
def test_a_text_is_refused_or_comes_to_no_more_than_was_foreseen(
    text: str, name: str, gift: int, language: str
) -> None:
    found = parsed(text, VARIABLES)
    assert all(one.code in CODES and 0 <= one.offset <= max(len(text), 1) for one in found.flaws)
    if found.flaws:
        return
    most = length(found.pieces, VARIABLES, language)
    variables = tuple(one for one in VARIABLES.values() if one.name != UNSUBSCRIBE)  # nobody declares that one
    template = Template("t", variables, {"sms": {"en": {"text": text}, "zh": {"text": text}}})
    values: dict[str, Value] = {
        "gift": gift,
        "who": name,
        "until": 740_000,
        "go": "https://x.example/",
        UNSUBSCRIBE: "https://y.example/",
    }
    got = render(template, "sms", language, values).text
    assert units(got) <= most.units
    assert len(got.encode()) <= most.octets
    assert segments(got) <= most.segments


class Tags(HTMLParser):
    """What a reader of mail would make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple((key, None if key in ("title", "alt") else value) for key, value in attrs)))


def tags(text: str) -> list[tuple[str, tuple[tuple[str, str | None], ...]]]:
    parser = Tags()
    parser.feed(text)
    parser.close()
    return parser.found


@given(texts, names)
def test_html_that_passes_has_the_tags_of_the_template_whatever_a_name_is(text: str, name: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    source = (
        "templates:\n  t:\n    service: true\n"
        "    variables: {gift: points, who: {type: text, most: 200}, until: date, go: link}\n"
        f'    email: {{en: {{subject: a, text: b, html: "{quoted}"}}, zh: {{subject: a, text: b}}}}\n'
    )
    if not all(sign.isprintable() or sign == "\n" for sign in text):
        return
    document = Document(source, "t.yaml")
    reader = Reader(document)
    found = read(reader, document.root.get("templates"), "CNY")
    if reader.found():
        return
    values: dict[str, Value] = {
        "gift": 7,
        "until": 740_000,
        "go": "https://x.example/?a=1&b=2",
        UNSUBSCRIBE: "https://y.example/",
    }
    plain = render(found["t"], "email", "en", {**values, "who": "Ada"}).html
    got = render(found["t"], "email", "en", {**values, "who": name or "x"}).html
    if "who ==" not in text:
        assert tags(got) == tags(plain)
    assert not {tag for tag, _ in tags(got)} & {"script", "iframe", "style", "object", "form"}
    for _, attributes in tags(got):
        for key, value in attributes:
            assert not key.startswith("on")
            assert key not in ("href", "src") or str(value).startswith(("https://", "mailto:", "tel:"))


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 2_000 + "gift" + ")" * 2_000 + " }}",
        "{% if " + "not " * 1_200 + "gift %}a{% endif %}",
        "{% if gift " + "and gift " * 500 + "%}a{% endif %}",
        "{% if gift %}" * 150 + "{% endif %}" * 150,
        "{% if gift %}a" + "{% elif gift %}a" * 250 + "{% endif %}",
        "{{ gift }}" * (MAX_TEXT // 10),
        "{{ " + "9" * 4_900 + " }}",
        "{{ 'a' if gift else " * 200 + "'b'" + " }}" * 200,
        "{# " * 1_600,
        "{% raw %}" * 500,
        "{{ '" + "\\" * 4_000,
        "{" * 5_000,
        "{%- if gift -%}" * 300,
        "{{ gift" + ".a" * 2_000 + " }}",
        "{{ gift" + "|upper" * 800 + " }}",
        "{% if gift " + "< gift " * 600 + "%}a{% endif %}",
        "\n" * 4_900 + "{{ x }}",
    ],
    ids=lambda text: f"{text[:12]!a} of {len(text)}",
)
def test_what_nests_or_repeats_without_end_is_refused(text: str) -> None:
    found = parsed(text[:MAX_TEXT], VARIABLES)
    assert found.flaws
    assert len(found.flaws) <= 3 * MAX_PIECES


def test_many_random_programs_never_get_beyond_names_and_comparisons() -> None:
    """No accepted text ever calls, subscripts or looks up anything: it was made of the closed list alone."""
    chance = random.Random(7)
    accepted = 0
    for _ in range(3_000):
        text = "".join(chance.choices(TOKENS, k=chance.randint(1, 6)))
        found = parsed(text, VARIABLES)
        if not found.flaws:
            accepted += 1
            code = text.replace("{% raw %}", "").replace("{% endraw %}", "")
            if "{% raw %}" not in text and "{#" not in text:
                assert not any(word in code for word in ("__class__", "lipsum()", "|attr", "**", "{% for", "{% set"))
    assert accepted > 300
