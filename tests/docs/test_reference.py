"""docs/reference.md says what the code says: routes, roles, events, the policy with every default."""

import argparse
import json
import re
from pathlib import Path

from cli.command import parser
from loyalty.clients.roles import MEMBER_SCOPES, ROLES, WITHIN_ROUTES
from loyalty.ledger.events import ENROLLED, PENDING, TYPES
from loyalty.notifications.events import TYPES as MESSAGE_TYPES
from loyalty.programs.policy import PolicyDocument
from loyalty.routes import ROUTES
from loyalty.segments.events import ENTERED, LEFT
from loyalty.timers.events import EXPIRING

TEXT = (Path(__file__).parents[2] / "docs" / "reference.md").read_text()


def _section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def _rows(section: str) -> list[list[str]]:
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return [row for row in found if not set(row[0]) <= {"-"}]


def test_every_route_is_there_with_its_scope_and_whether_it_needs_a_key() -> None:
    documented = [row for row in _rows(_section("Routes")) if row[0].startswith("`")]
    assert documented == [
        [f"`{route.key}`", f"`{route.scope}`" if route.scope else "public", "yes" * route.moves_points, route.summary]
        for route in ROUTES
    ]


def test_the_table_of_scopes_is_the_one_that_is_enforced() -> None:
    head, *rows = _rows(_section("Roles and scopes"))
    granted = {**ROLES, "member token": MEMBER_SCOPES}
    assert head == ["scope", *granted]
    assert [[row[0].strip("`"), *row[1:]] for row in rows] == [
        [scope, *("x" if scope in scopes else "" for scopes in granted.values())]
        for scope in (row[0].strip("`") for row in rows)
    ]
    assert {row[0].strip("`") for row in rows} == {route.scope for route in ROUTES if route.scope} | WITHIN_ROUTES


def test_every_event_is_named() -> None:
    named = set(re.findall(r"`((?:points|account|member|segment|message)\.[a-z]+)`", _section("Events")))
    assert named == {*TYPES.values(), PENDING, ENROLLED, ENTERED, LEFT, EXPIRING, *MESSAGE_TYPES}


def test_every_field_of_the_policy_is_there_with_its_default() -> None:
    rows = {row[0].strip("`"): row[1] for row in _rows(_section("Policy")) if len(row) == 3}
    fields = PolicyDocument.model_fields
    assert [name for name in rows if name in fields] == list(fields)
    whole = {"program": "alpha", "name": "Alpha", "currency": "EUR"}
    stored = PolicyDocument.model_validate(whole).model_dump(mode="json")
    for name in fields:
        expected = None if name in whole else stored[name]
        assert (json.loads(rows[name].strip("`")) if rows[name] else None) == expected, name


def test_every_command_of_the_command_line_is_there() -> None:
    def names(commands: argparse.ArgumentParser) -> list[str]:
        groups = [one for one in commands._actions if isinstance(one, argparse._SubParsersAction)]  # noqa: SLF001 - argparse has no other way to ask
        return [
            f"{name} {below}".strip()
            for group in groups
            for name, one in group.choices.items()
            for below in names(one) or [""]
        ]

    assert names(parser())
    assert [name for name in names(parser()) if f"`cli/loyalty {name}" not in _section("Command line")] == []
