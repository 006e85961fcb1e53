"""``loyalty segments`` against the product's own handlers, and on files alone."""

import json
from pathlib import Path

import pytest

from functions.segment_members.handler import follow
from loyalty.ledger.chain import Chain
from loyalty.ledger.store import LedgerStore
from loyalty.table import keys
from loyalty.table.writes import Item
from tests.cli.conftest import Product

Capture = pytest.CaptureFixture[str]
SOURCE = """\
program: alpha
segments:
  rich: {name: {en: Rich, zh: 富}, when: member.points >= 100}
  new: {name: {en: New, zh: 新}, when: member.age_days < 30}
expect:
  - {case: many points, member: {points: 100, age_days: 90}, in: [rich]}
"""
ALONE = SOURCE.replace("program: alpha\n", "program: alpha\ncurrency: USD\n")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "segments.yaml"
    found.write_text(SOURCE, encoding="utf-8")
    return found


def test_a_sound_file_is_said_to_be_sound(product: Product, file: Path, capsys: Capture) -> None:
    assert product.run("segments", "check", str(file)) == 0
    assert capsys.readouterr() == ("", f"{file}: 2 segments, 1 case: sound\n")


def test_a_file_that_names_its_currency_needs_no_stack(product: Product, file: Path, capsys: Capture) -> None:
    file.write_text(ALONE, encoding="utf-8")
    assert product.run("segments", "check", str(file), "--json") == 0
    assert product.gateway.calls == []
    found = json.loads(capsys.readouterr().out)
    assert found == {"issues": [], "cases": [{"case": "many points", "line": 7, "passed": True, "in": ["rich"]}]}


def test_what_is_wrong_is_told_line_by_line(product: Product, file: Path, capsys: Capture) -> None:
    file.write_text(SOURCE.replace("member.points >=", "member.point >="), encoding="utf-8")
    assert product.run("segments", "check", str(file)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{file}:3:")
    assert "no field member.point" in lines[0]
    assert product.run("segments", "publish", str(file)) == 1
    assert capsys.readouterr().out.splitlines() == lines


def test_a_case_that_comes_out_otherwise_is_named_and_nothing_is_published(
    product: Product, file: Path, capsys: Capture
) -> None:
    file.write_text(SOURCE.replace("in: [rich]", "in: [new]"), encoding="utf-8")
    assert product.run("segments", "check", str(file)) == 1
    assert capsys.readouterr().out == f"{file}:6: many points: in rich, expected new\n"
    assert product.run("segments", "publish", str(file)) == 1
    assert f"{file}:6: " in capsys.readouterr().out
    product.run("segments", "list")
    assert capsys.readouterr().out == "no segments\n"


def test_segments_are_put_in_force_and_listed(product: Product, file: Path, capsys: Capture) -> None:
    assert product.run("segments", "publish", str(file)) == 0
    assert capsys.readouterr().err == "v1: 2 segments, 1 cases passed\n"
    assert product.run("segments", "list") == 0
    out = capsys.readouterr().out
    assert "rich     Rich  0        member.points >= 100" in out
    assert product.run("segments", "list", "--source") == 0
    assert capsys.readouterr().out == SOURCE
    assert product.run("segments", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out)["version"] == 1
    assert product.run("segments", "publish", str(file), "--version", "v3") == 2
    assert "SEGMENTS_VERSION_CONFLICT" in capsys.readouterr().err
    assert product.run("segments", "publish", str(file), "--version", "v1") == 0
    assert product.run("segments", "publish", str(file), "--version", "new") == 2


def test_members_of_a_segment_are_listed_page_by_page(product: Product, file: Path, capsys: Capture) -> None:
    there = {product.enrol(points) for points in (100, 200, 300, 30)}
    rich = {member for member in there if _points(product, member) >= 100}
    assert product.run("segments", "publish", str(file)) == 0
    capsys.readouterr()
    for page in range(40):  # the stream brings the pages of the sweep
        items = [item for item in _sweeps(product) if int(str(item["sk"]).split("#")[-1]) == page]
        for item in items:
            follow(json.dumps({"item": item}), 2_000_000_000)
    assert product.run("segments", "members", "rich") == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == rich
    assert product.run("segments", "members", "rich", "--json", "--limit", "2") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(found) == 2
    assert {one["member"] for one in found} < rich
    assert product.run("segments", "members", "poor") == 2
    assert "SEGMENT_NOT_FOUND" in capsys.readouterr().err


def _points(product: Product, member: str) -> int:
    head = LedgerStore(product.table).head(Chain("alpha", member, "points"))
    assert head is not None
    return head.state.balance().available


def _sweeps(product: Product) -> list[Item]:
    return [*product.table.walk(keys.segments_partition("alpha"), prefix="SWEEP#")]
