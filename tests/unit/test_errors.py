"""The table of errors, and that the source and it agree."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty import errors
from loyalty.errors import CODES, Problem, Refused

ROOT = Path(__file__).parents[2]
CLASSES = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Problem)}


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for folder in ("layers/core/python", "functions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.name != "errors.py":
                yield path, ast.parse(path.read_text(encoding="utf-8"))


def raised() -> dict[str, set[str]]:
    """Code literally given to a problem's constructor -> names of the classes it is given to."""
    found: dict[str, set[str]] = defaultdict(set)
    for _, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CLASSES and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    found[code.value].add(node.func.id)
    return found


def named() -> set[str]:
    """Every text constant of the source."""
    return {
        node.value
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_an_area_and_a_reason_with_one_error_status_and_a_title(code: str) -> None:
    status, title = CODES[code]
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)+", code)
    assert status in {400, 401, 403, 404, 409, 412, 413, 422, 428, 429, 500, 503}
    assert re.fullmatch(r"[A-Z][^.\n]{5,80}", title)


def test_no_two_codes_have_the_same_title() -> None:
    titles = [title for _, title in CODES.values()]
    assert len(titles) == len(set(titles))


def test_every_code_in_the_table_is_used_by_the_source() -> None:
    assert set(CODES) - named() == set()


def test_every_code_that_the_source_raises_is_in_the_table() -> None:
    assert set(raised()) - set(CODES) == set()


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("Invalid", {400, 413, 428}),
        ("Forbidden", {403}),
        ("NotFound", {404}),
        ("Refused", {403, 409, 422}),
        ("Conflict", {409, 412, 429}),
        ("Unavailable", {503}),
        ("Problem", {500}),
    ],
)
def test_what_kind_of_problem_it_is_goes_with_its_status(name: str, statuses: set[int]) -> None:
    codes = {code for code, names in raised().items() if name in names}
    assert codes, f"nothing raises {name}"
    assert {CODES[code][0] for code in codes} <= statuses


def test_a_problem_carries_its_status_its_sentence_and_its_figures() -> None:
    problem = Refused("POINTS_INSUFFICIENT", "12 points asked, 10 available", available=10, missing_points=2)
    assert (problem.status, problem.title) == (422, "Not enough points")
    assert (problem.detail, str(problem)) == ("12 points asked, 10 available",) * 2
    assert (problem.field, problem.retry_after) == (None, None)
    assert problem.figures == {"available": 10, "missing_points": 2}


def test_a_problem_can_name_a_field_and_say_when_to_come_back() -> None:
    problem = Problem("ACCOUNT_BUSY", "again", field="points", retry_after=1)
    assert (problem.field, problem.retry_after, problem.figures) == ("points", 1, {})


def test_a_code_that_is_not_in_the_table_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        Problem("POINTS_LOST", "oh")


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    assert errors.__doc__ is not None
    drawn = set(re.findall(r"^ {4}(?:[├└]── )?([A-Z]\w+) {2,}", errors.__doc__, re.MULTILINE))
    assert drawn == CLASSES | {"Corrupt"}
