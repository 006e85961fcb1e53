"""A policy with the conditions of its tiers, read where policies are written and never where they are used."""

from typing import Any

import msgspec

from loyalty.errors import Invalid
from loyalty.programs import policy
from loyalty.rules import language
from loyalty.tiers.conditions import AGE, LAYOUT, looks_elsewhere, speaks_of_nothing
from loyalty.values import exponent


def check(document: object) -> dict[str, Any]:
    """A policy in its stored form, with every default and every condition's tree; Invalid names the first field that is
    wrong, and of a condition the place in it.
    """
    stored = policy.check(document)
    levels = stored["tiers"]["levels"] if stored["tiers"] else []
    places = exponent(stored["currency"])
    trees = {
        level["id"]: _tree(level["when"], f"tiers.levels[{number}].when", places, [one["id"] for one in levels])
        for number, level in enumerate(levels)
        if level["when"]
    }
    return {**stored, "conditions": trees} if trees else stored


def _tree(text: str, field: str, places: int, tiers: list[str]) -> Any:
    try:
        node = language.parse(text, LAYOUT, "order", places, None, values={"member.tier": tiers}).node
    except language.Rejected as error:
        first = error.issues[0]
        meant = f"; did you mean {first.suggestion}?" if first.suggestion else ""
        raise Invalid(
            "REQUEST_INVALID",
            f"{field}: line {first.line}, column {first.column}: {first.message}{meant}",
            field=field,
            issues=[
                {"line": one.line, "column": one.column, "code": one.code, "message": one.message}
                for one in error.issues
            ],
        ) from None
    tree = msgspec.to_builtins(node)
    if speaks_of_nothing(tree):
        raise Invalid("REQUEST_INVALID", f"{field}: a condition speaks of what was bought", field=field)
    if looks_elsewhere(tree):
        why = f"{field}: {AGE} is compared with a number, so that the day is known on which it changes"
        raise Invalid("REQUEST_INVALID", why, field=field)
    return tree
