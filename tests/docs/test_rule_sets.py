"""The pages on rule sets say what the code says: keys, codes, ways to earn, and what the commands answer."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from loyalty.rules import document, single_rule
from loyalty.rules.document import check
from tests.docs.console import ROOT, blocks, commands

RULE_SETS = (ROOT / "docs" / "rule-sets.md").read_text(encoding="utf-8")
WAYS = (ROOT / "docs" / "ways-to-earn.md").read_text(encoding="utf-8")
HOW_TO = ROOT / "docs" / "how-to" / "write-a-rule.md"
PRODUCT = ROOT / "layers" / "core" / "python" / "loyalty" / "rules"


def _column(text: str, title: str) -> list[str]:
    """The names in the first column of a section's table."""
    section = text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def test_every_key_of_a_file_and_of_a_rule_is_there() -> None:
    assert set(_column(RULE_SETS, "The file")) == set(document.KEYS)
    assert _column(RULE_SETS, "Rules") == list(single_rule.KEYS)
    assert set(_column(RULE_SETS, "Events")) == set(document.EVENT_KEYS)


def test_every_code_is_there_and_no_other() -> None:
    raised = set()
    for module in PRODUCT.glob("*.py"):
        raised |= set(re.findall(r'"(RULE_(?!SET)[A-Z_]+)"', module.read_text(encoding="utf-8")))
    documented = _column(RULE_SETS, "What is refused")
    assert set(documented) == raised
    assert len(documented) == len(raised)


def test_every_way_to_earn_has_its_line() -> None:
    rules = check((ROOT / "examples" / "rules" / "ways-to-earn.yaml").read_text(encoding="utf-8"), "").rules
    assert rules is not None
    documented = _column(WAYS, "Things to earn by") + _column(WAYS, "Multipliers")
    assert sorted(documented) == [rule.id for rule in rules.rules]


@pytest.mark.parametrize("page", ["rule-sets", "ways-to-earn", "how-to/define-a-segment"])
def test_the_chinese_page_names_what_the_english_one_does(page: str) -> None:
    english, chinese = (
        (ROOT / "docs" / f"{page}{language}.md").read_text(encoding="utf-8") for language in ("", ".zh-CN")
    )
    named = [
        [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in text.splitlines() if row.startswith("| ")]
        for text in (english, chinese)
    ]
    assert named[0] == named[1]
    assert sum(map(len, named[0])) > 10
    assert english.count("\n## ") == chinese.count("\n## ")
    assert blocks(ROOT / "docs" / f"{page}.md", "sh") == blocks(ROOT / "docs" / f"{page}.zh-CN.md", "sh")


def test_the_page_on_writing_a_rule_answers_as_the_command_line_does(tmp_path: Path) -> None:
    (rules,) = blocks(HOW_TO, "yaml")
    (tmp_path / "autumn.yaml").write_text(rules, encoding="utf-8")
    environment = {**os.environ, "LOYALTY_LOCAL": str(tmp_path), "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"}
    typed = commands(HOW_TO)
    assert len(typed) >= 6
    for command in typed:
        line = command.text.replace("cli/loyalty", str(ROOT / "cli" / "loyalty"))
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.stdout.splitlines() == [one for one in command.answer if one], command.text
