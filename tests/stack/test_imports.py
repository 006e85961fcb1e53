"""What the description of the stack knows of the product: its routes, its keys and names of events, nothing else."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.catalogue import RUNTIME_SERVICES
from tests.stack.conftest import ROOT

SOURCES = sorted(
    [
        *(ROOT / "infra" / "constructs").glob("*.py"),
        *(ROOT / "infra" / f"{name}.py" for name in ("app", "catalogue", "settings", "stack")),
    ]
)
PRODUCT = {"loyalty.routes", "loyalty.table", "loyalty.notifications.feedback", "loyalty.runtime.relay"}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module or ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_stack_imports_routes_keys_and_names_of_events_of_the_product_and_no_function(path: Path) -> None:
    imported = set(_imported(path))
    assert {name for name in imported if name.split(".")[0] == "loyalty"} <= PRODUCT
    assert not {name for name in imported if name.split(".")[0] in {"functions", "tests", "cli", "bench"}}


def test_every_service_that_functions_call_keeps_its_data_in_the_layer() -> None:
    called = set()
    for path in (ROOT / "layers" / "core").rglob("*.py"):
        called.update(re.findall(r"client(?:_of)?\(\s*\"([a-z0-9-]+)\"", path.read_text()))
    assert called == set(RUNTIME_SERVICES)
