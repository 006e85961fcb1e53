"""What is tried is the same in every run."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property import profile


def test_what_else_a_process_has_imported_changes_no_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    @given(st.integers())
    def draw(number: int) -> None:
        drawn.append(number)

    draw()
    before = drawn.copy()
    drawn.clear()
    (tmp_path / "figures.py").write_text(f"FIGURES = {[*range(10**9, 10**9 + 500)]}\n")
    monkeypatch.syspath_prepend(tmp_path)
    import_module("figures")
    draw()
    monkeypatch.delitem(sys.modules, "figures")
    steady = settings.get_current_profile_name() == profile.DEFAULT
    assert (drawn == before) is steady, "the other profile tries others each time"
