"""What the documents tell people to type exists: make targets, files, commands of the command line, links, excerpts.

The tutorial's commands are also run, and their answers compared, in tests/e2e/test_documents.py.
"""

import argparse
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cli.command import parser
from tests.docs.console import FENCE, ROOT, blocks, commands, pages

PAGES = pages()
TARGETS = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
_ids = [str(page.relative_to(ROOT)) for page in PAGES]


def _typed(page: Path) -> str:
    """All that the page says one can type: its sessions, its shell blocks, and what stands in backquotes."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    sessions = [command.text for command in commands(page)]
    return "\n".join([*sessions, *blocks(page, "sh"), *re.findall(r"`([^`\n]+)`", text)])


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_every_fence_that_opens_is_closed(page: Path) -> None:
    opened = ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r" *```(\w*)", line):
            assert bool(opened) != bool(match[1]), line
            opened = match[1]
    assert not opened


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_every_make_target_exists(page: Path) -> None:
    named = re.findall(r"(?:^|[;&|]\s*)make ((?:[a-z]+ ?)+)(?= |$|[A-Z;)#])", _typed(page), re.MULTILINE)
    assert {target for targets in named for target in targets.split()} <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_every_command_of_the_command_line_is_understood(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = parser()
    for line in re.findall(r"(?:cli/loyalty|`loyalty) ?([^\n|<>;)`]*)", _typed(page)):
        words = re.sub(r"\s#.*| &&.*", "", line).strip()
        given = [word.strip("'\"") for word in re.findall(r"'[^']*'|\"[^\"]*\"|\S+", words)]
        if given and not _understood(whole, given):
            pytest.fail(f"{words}: {capsys.readouterr().err}")


def _understood(whole: argparse.ArgumentParser, given: list[str]) -> bool:
    """Whether the arguments parse; the name of a group of commands alone does too."""
    try:
        whole.parse_args(given)
    except SystemExit as ended:
        try:
            whole.parse_args([*given, "--help"])
        except SystemExit as helped:
            return ended.code == 0 or (helped.code == 0 and len(given) == 1)
    return True


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_every_file_that_is_named_exists(page: Path) -> None:
    tops = {path.name for path in ROOT.iterdir()} - {".local", ".venv", "node_modules", "cdk.out"}
    for name in re.findall(r"(?<![\w./*-])((?:[\w.-]+/)+[\w.-]+\.\w+)\b", _typed(page)):
        if name.split("/")[0] in tops:
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        link = urlsplit(target)
        if link.scheme:
            continue
        to = (page.parent / link.path).resolve() if link.path else page
        assert to.exists(), target
        if link.fragment:
            titles = re.findall(r"^#+ (.+)$", to.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert link.fragment in anchors, target


@pytest.mark.parametrize("page", [ROOT / "docs/tutorial.md", ROOT / "docs/tutorial.zh-CN.md"], ids=["en", "zh"])
def test_the_tutorials_excerpts_stand_in_the_till(page: Path) -> None:
    till = (ROOT / "examples" / "till.py").read_text()
    excerpts = blocks(page, "python")
    assert excerpts
    for excerpt in excerpts:
        assert excerpt in till


def test_the_translated_tutorial_has_the_same_commands() -> None:
    english, chinese = (commands(ROOT / f"docs/tutorial{language}.md") for language in ("", ".zh-CN"))
    assert english
    assert chinese == english
