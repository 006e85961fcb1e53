"""How much was tried: a registry any suite adds to, summed over all test processes and printed at the end of the run.

``tried("races")``, ``tried("operations", 1600)``.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Final, Literal, get_args

Kind = Literal[
    "schedules",
    "races",
    "operations",
    "API calls",
    "rule and event pairs against SQLite",
    "hostile expressions",
    "simulated campaigns",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

RUN_FOLDER: Final = "LOYALTY_TEST_RUN"
"""Environment: the folder of this test run, shared by its processes."""

_counted: Counter[str] = Counter()


def tried(kind: Kind, count: int = 1) -> None:
    """Add to what this process has tried."""
    _counted[kind] += count


def say(figures: str) -> None:
    """Have a line of figures printed at the end of the run, above the sum."""
    folder = os.environ.get(RUN_FOLDER)
    if folder:
        with (Path(folder) / f"said-{os.getpid()}.txt").open("a") as file:
            file.write(f"{figures}\n")


def said(folder: Path) -> list[str]:
    """Every line of figures said in ``folder``."""
    return sorted(line for file in folder.glob("said-*.txt") for line in file.read_text().splitlines())


def save() -> None:
    """Leave this process's counts for the one that prints; called when its tests are over."""
    folder = os.environ.get(RUN_FOLDER)
    if folder and _counted:
        (Path(folder) / f"tried-{os.getpid()}.json").write_text(json.dumps(_counted))


def line(folder: Path) -> str:
    """``tried: 1,234 schedules, 16 races, …`` of everything saved in ``folder``."""
    total: Counter[str] = Counter()
    for file in folder.glob("tried-*.json"):
        total.update(json.loads(file.read_text()))
    return "tried: " + ", ".join(f"{total[kind]:,} {kind}" for kind in KINDS)
