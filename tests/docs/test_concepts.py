"""docs/concepts.md names every reason of a move, every kind of entry and every event, in English and in Chinese."""

import ast
import re
from pathlib import Path

import pytest

from loyalty.ledger import account, commands
from loyalty.ledger.events import PENDING, TYPES

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("concepts.md", "concepts.zh-CN.md")


def _texts(module: object, position: int, *calls: str) -> set[str]:
    """The texts that every call of these names has at ``position``, in a module's source."""
    tree = ast.parse(Path(str(module.__file__)).read_text())  # type: ignore[attr-defined] # a module has its file
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            text = node.args[position] if len(node.args) > position else None
            if name in calls and isinstance(text, ast.Constant) and isinstance(text.value, str):
                found.add(text.value)
    return found


REASONS = {
    reason
    for module in (account, commands)
    for reason in _texts(module, 0, "move", "put", "take", "unhold") | _texts(module, 1, "_grant", "_carry")
}
KINDS = _texts(commands, 1, "begin") | {"opened", "frozen", "unfrozen"}


@pytest.mark.parametrize("page", PAGES)
def test_every_reason_and_kind_is_explained(page: str) -> None:
    text = (DOCS / page).read_text()
    assert {word for word in REASONS | KINDS if f"`{word}`" not in text} == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_reason_stands_beside_its_event(page: str) -> None:
    rows = re.findall(r"^\| (`[^|]+) \| [^|]+ \|([^|]*)\|$", (DOCS / page).read_text(), re.MULTILINE)
    for reason, event in TYPES.items():
        assert any(f"`{reason}`" in reasons and f"`{event}`" in events for reasons, events in rows), reason
    assert any("`earned`" in reasons and f"`{PENDING}`" in events for reasons, events in rows)
