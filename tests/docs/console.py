"""Fenced examples of the documents: console sessions with what they answer, and excerpts of sources."""

import re
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
FENCE: Final = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


class Command(NamedTuple):
    """One command as typed, continuation lines included, and the lines that it answered."""

    text: str
    answer: list[str]


def blocks(page: Path, language: str) -> list[str]:
    """The page's fenced blocks of one language."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [re.sub(f"^{indent}", "", body, flags=re.MULTILINE) for indent, name, body in found if name == language]


def commands(page: Path) -> list[Command]:
    """Every command of the page's ``console`` blocks: after ``$``, continued by ``>``; the rest is its answer."""
    found: list[Command] = []
    for body in blocks(page, "console"):
        for line in body.splitlines():
            if line.startswith("$ "):
                found.append(Command(line[2:], []))
            elif line.startswith(">") and found and not found[-1].answer:
                found[-1] = Command(f"{found[-1].text}\n{line[2:]}", [])
            elif found:
                found[-1].answer.append(line)
    return found


def pages() -> list[Path]:
    """README.md and every page under docs/ that people write."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
