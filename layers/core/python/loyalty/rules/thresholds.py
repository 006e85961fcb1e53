"""Which numbers a condition compares a fact with: where a fact grows with the days, the only days on which time alone
can change what the condition says. Pure; trees are taken as JSON data.
"""

from collections.abc import Container
from typing import Any


def compared(trees: Any, names: Container[str]) -> tuple[dict[str, set[int]], bool]:
    """By fact of ``names``, the numbers it is compared with (each rounded down); and whether one of them stands
    anywhere else than in a plain comparison with a number.
    """
    found: dict[str, set[int]] = {}
    free = False

    def walk(node: Any) -> None:
        nonlocal free
        if isinstance(node, list | tuple):
            for one in node:
                walk(one)
        elif isinstance(node, dict):
            kind = node.get("n")
            if kind == "field":
                free = free or node["name"] in names
            elif kind == "is_null" and _field(node["item"], names):
                return
            elif kind == "compare" and (pair := _plain(node["left"], node["right"], names)):
                found.setdefault(pair[0], set()).add(pair[1])
            elif kind == "in" and (name := _field(node["item"], names)):
                found.setdefault(name, set()).update(one["num"] // one["den"] for one in node["values"])
            else:
                for one in node.values():
                    walk(one)

    walk(trees)
    return found, free


def mentioned(trees: Any) -> frozenset[str]:
    """Names of all facts that trees speak of."""
    if isinstance(trees, dict):
        own = {trees["name"]} if trees.get("n") == "field" else set()
        return frozenset(own.union(*(mentioned(one) for one in trees.values())))
    return frozenset().union(*(mentioned(one) for one in trees)) if isinstance(trees, list | tuple) else frozenset()


def _plain(left: Any, right: Any, names: Container[str]) -> tuple[str, int] | None:
    for field, number in ((left, right), (right, left)):
        if (name := _field(field, names)) and number.get("n") == "number":
            return name, number["num"] // number.get("den", 1)
    return None


def _field(node: Any, names: Container[str]) -> str:
    return node["name"] if node.get("n") == "field" and node["name"] in names else ""
