"""Each character of a text in a YAML file has its place, however the text is quoted, folded or escaped."""

import random

import pytest
import yaml

from loyalty.rules import yaml_text
from loyalty.rules.yaml_text import Document, Node, Unreadable


@pytest.fixture(autouse=True, params=["libyaml", "python"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both readers that PyYAML has: which one it is depends on how it was built."""
    monkeypatch.setattr(yaml_text, "_LOADER", yaml.CSafeLoader if request.param == "libyaml" else yaml.SafeLoader)


STYLES = (None, "'", '"', "|", ">")


def value_of(document: Document, key: str) -> Node:
    found = document.root.get(key)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "text",
    [
        "when: one «two»",
        "when: 'one «two»'",
        "when: 'it''s «two»'",
        'when: "one «two»"',
        'when: "one\\ttab «two»"',
        'when: "\\u5348\\x41 «two»"',
        'when: "one \\\n  «two»"',
        "when: one\n  «two»",
        "when: 'one\n\n  «two»'",
        "when: |\n  one\n  «two»\n",
        "when: |- # one two\n  one\n  «two»\n",
        "when: >\n  one\n  «two»\n",
        "when: >2\n   one\n\n  «two»\n",
        "a: 1\nwhen:\n  one «two»",
        "{a: 1, when: one «two»}",
        "双: 双\nwhen: 双 «two» 双",
    ],
)
def test_a_word_is_found_where_it_was_written(text: str) -> None:
    before, word, after = text.replace("»", "«").split("«")
    document = Document(before + word + after, "f")
    node = value_of(document, "when")
    place = document.within(node, node.value.index(word))
    assert place.index == len(before)
    assert (place.line, place.column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))


def test_behind_the_last_character_is_where_a_text_ends() -> None:
    document = Document("when: 'one two'\nmore: 1", "f")
    assert document.within(value_of(document, "when"), 7).index == len("when: 'one two")


def test_a_mapping_is_where_it_begins_whatever_is_asked() -> None:
    document = Document("a: {b: 1}", "f")
    assert document.within(value_of(document, "a"), 5).column == 4


def test_an_empty_text_is_where_it_begins() -> None:
    document = Document("a: ''", "f")
    assert document.within(value_of(document, "a"), 0).column == 4


def test_texts_of_any_characters_in_every_style_are_walked_along_with_the_file() -> None:
    chance = random.Random(20261122)
    compared = 0
    for _ in range(800):
        value = "".join(chance.choice("ab c'\"\\\t\n:#x中é >=%") for _ in range(chance.randint(1, 60)))
        text = yaml.dump(
            {"list": [value, "z"], "when": value},
            default_style=chance.choice(STYLES),
            width=chance.choice([10, 30, 80]),
            allow_unicode=chance.random() < 0.7,
        )
        document = Document(text, "f")
        node = value_of(document, "when")
        if node.value != value:  # the writer folds some texts so that they come back otherwise
            continue
        for offset, character in enumerate(value):
            if not character.isspace():
                compared += 1
                assert text[document.within(node, offset).index] in (character, "\\")
    assert compared > 12_000


def test_lines_that_end_as_they_do_elsewhere_are_counted() -> None:
    document = Document("a: 1\r\nwhen: one two\r\n", "f")
    place = document.within(value_of(document, "when"), 4)
    assert (place.line, place.column) == (2, 11)


def test_what_comes_out_is_what_a_plain_reader_reads() -> None:
    text = "a: [1, {b: 'x', c: \"y\"}]\nd: >-\n  one\n  two\ne: {}\n"
    document = Document(text, "f")

    def plain(node: Node) -> object:
        if node.kind == "mapping":
            return {key.value: plain(value) for key, value in node.entries}
        return [plain(one) for one in node.items] if node.kind == "list" else node.value

    assert plain(document.root) == yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - texts only, none made into objects
    assert document.issues == []


def test_yaml_that_cannot_be_read_on_says_where() -> None:
    with pytest.raises(Unreadable) as refusal:
        Document("a: 1\nb: 2\n c: 3\n", "f")
    assert (refusal.value.issue.line, refusal.value.issue.code) == (3, "RULE_YAML_INVALID")
