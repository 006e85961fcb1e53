"""The tutorial's commands, typed into a shell in the order in which they stand, and what they answer."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.console import ROOT, Command, commands
from tests.e2e.stack import ALPHA, Stack
from tests.patience import AWAITED_S
from tests.tally import tried

PATH = "/usr/local/bin:/usr/bin:/bin"
_MARK = "\x1e"
_CHANGING = (
    (re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}"), "ULID"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z"), "TIME"),
    (re.compile(r"till-[0-9a-f]{6}"), "till-NAME"),
)


def _settled(lines: list[str]) -> list[str]:
    """The lines without what is different each time."""
    for pattern, name in _CHANGING:
        lines = [pattern.sub(name, line) for line in lines]
    return [line.rstrip() for line in lines]


def _typed(typed: list[Command], folder: Path) -> list[list[str]]:
    """What each command answers, all in one shell."""
    script = "".join(f"{command.text}\nprintf '\\n{_MARK}\\n'\n" for command in typed)
    ended = subprocess.run(
        ["bash", "--norc", "-s"],
        input=script,
        cwd=folder,
        env={"PATH": f"{folder / 'bin'}:{PATH}", "LOYALTY_LOCAL": str(folder / ".local"), "LANG": "C.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=AWAITED_S,
    )
    return [answer.strip("\n").splitlines() for answer in ended.stdout.split(f"\n{_MARK}\n")][: len(typed)]


def test_the_tutorial_answers_as_it_says(stack: Stack, tmp_path: Path) -> None:
    local = tmp_path / ".local"
    local.mkdir()
    tokens = stack.add({**ALPHA, "program": "tutorial"}).tokens
    (local / "stack.json").write_text(json.dumps({"api_url": stack.url, "tokens": tokens}))
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    if shutil.which("curl", path=PATH) is None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "python3").symlink_to(sys.executable)
        (tmp_path / "bin" / "curl").symlink_to(Path(__file__).with_name("curl.py"))
    typed = commands(ROOT / "docs" / "tutorial.md")
    answers = _typed(typed, tmp_path)
    for command, answer in zip(typed, answers, strict=True):
        assert _settled(answer) == _settled(command.answer), command.text
    tried("API calls", sum(command.text.count("curl ") for command in typed))
