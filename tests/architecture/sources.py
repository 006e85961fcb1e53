"""The repository's Python as syntax trees: which module imports which, and what it calls."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PRODUCT = ROOT / "layers" / "core" / "python"


class Module(NamedTuple):
    """One file. ``name`` is what it is imported as."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def imports(self) -> set[str]:
        """Every module that is imported anywhere in it; names that are modules of ours count as modules."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}: a relative import"
                assert node.module is not None
                found |= {_module(node.module, alias.name) for alias in node.names}
        return found

    @property
    def own(self) -> set[str]:
        """The imports that are modules of the product or of the functions."""
        return {name for name in self.imports if name.split(".")[0] in ("loyalty", "functions")}

    @property
    def foreign(self) -> set[str]:
        """Top-level names of what it imports from elsewhere, the standard library apart."""
        return {name.split(".")[0] for name in self.imports - self.own} - standard_library()


@cache
def standard_library() -> frozenset[str]:
    import sys

    return frozenset(sys.stdlib_module_names)


def _module(package: str, name: str) -> str:
    """``from package import name`` imports ``package.name`` when that is a module of ours, else ``package``."""
    for root in (PRODUCT, ROOT):
        path = root.joinpath(*package.split("."), name)
        if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file():
            return f"{package}.{name}"
    return package


def _read(root: Path, folder: str) -> Iterator[Module]:
    for path in sorted((root / folder).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if "node_modules" not in parts:
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield Module(name, path, ast.parse(path.read_text(encoding="utf-8")))


@cache
def product() -> tuple[Module, ...]:
    return tuple(_read(PRODUCT, "loyalty"))


@cache
def functions() -> tuple[Module, ...]:
    return tuple(_read(ROOT, "functions"))


@cache
def rest(folder: str) -> tuple[Module, ...]:
    return tuple(_read(ROOT, folder))


def function_folders() -> list[str]:
    """The names of the functions: a folder each."""
    folders = (ROOT / "functions").iterdir()
    return sorted(folder.name for folder in folders if folder.is_dir() and not folder.name.startswith(("_", ".")))
