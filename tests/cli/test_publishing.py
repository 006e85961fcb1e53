"""``loyalty rules publish | rollback | list | show`` against the product's own handlers."""

import re
from pathlib import Path

import pytest

from loyalty.backtests.backtest import Finished
from loyalty.backtests.store import BacktestStore
from tests.cli.conftest import Product

Capture = pytest.CaptureFixture[str]


def rule_set(folder: Path, points: int = 1, name: str = "autumn", top: str = "") -> str:
    """A file with ``points`` for each dollar."""
    file = folder / f"{name}.yaml"
    file.write_text(
        f"""\
rule_set: {name}
program: alpha
{top}
rules:
  - {{id: base, name: {{en: Points, zh: 积分}}, on: line, earn: {points} * line.amount}}
expect:
  - {{name: one dollar, purchase: {{at: 2026-11-05T12:00, lines: [{{amount: "1.00"}}]}}, points: {points}}}
""",
        encoding="utf-8",
    )
    return str(file)


def said(capsys: Capture) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_a_file_is_published_and_taken_back(product: Product, tmp_path: Path, capsys: Capture) -> None:
    assert product.run("rules", "publish", rule_set(tmp_path, 1, "autumn")) == 0
    out, err = said(capsys)
    assert out == "in force: v1 (autumn)\n"
    assert "handed in" in err
    assert "1 case passed" in err
    assert product.run("rules", "publish", rule_set(tmp_path, 2, "winter")) == 0
    assert said(capsys)[0] == "in force: v2 (winter)\n"
    for in_force in ("v1 (autumn)", "the policy's own rate"):
        assert product.run("rules", "rollback") == 0
        assert said(capsys)[0] == f"in force: {in_force}\n"
    assert product.run("rules", "rollback") == 2
    assert "RULE_SET_NOT_FOUND" in said(capsys)[1]
    assert product.run("rules", "publish", "v2") == 0
    assert said(capsys)[0] == "in force: v2 (winter)\n"


def test_the_same_text_is_the_same_rule_set(product: Product, tmp_path: Path, capsys: Capture) -> None:
    file = rule_set(tmp_path)
    assert product.run("rules", "publish", file) == 0
    assert product.run("rules", "publish", file) == 0
    assert "handed in" not in said(capsys)[1].split("\n", 4)[-1]
    assert product.run("rules", "list") == 0
    assert len(re.findall(r"^rls_", said(capsys)[0], re.MULTILINE)) == 1


def test_the_list_says_what_is_in_force_and_who_put_it_there(product: Product, tmp_path: Path, capsys: Capture) -> None:
    product.run("rules", "publish", rule_set(tmp_path, 1, "autumn"))
    product.run("rules", "publish", rule_set(tmp_path, 2, "winter"))
    said(capsys)
    assert product.run("rules", "list") == 0
    rows = said(capsys)[0].splitlines()[1:]
    states = {row.split()[1]: row.split()[2:4] for row in rows}
    assert states == {"winter": ["v2", "current"], "autumn": ["v1", "published"]}
    assert product.run("rules", "list", "--acts") == 0
    newest, oldest = said(capsys)[0].splitlines()[1:]
    assert re.search(r"publish +v1 +v2 +cli_", newest)
    assert "the policy's own rate" in oldest


def test_a_rule_set_is_shown_to_the_last_letter(product: Product, tmp_path: Path, capsys: Capture) -> None:
    file = rule_set(tmp_path)
    product.run("rules", "publish", file)
    said(capsys)
    assert product.run("rules", "show") == 0
    out, err = said(capsys)
    assert out == Path(file).read_text(encoding="utf-8")
    assert "current, v1" in err
    assert product.run("rules", "show", "v7") == 2


def test_what_is_wrong_is_named_by_file_line_and_column(product: Product, tmp_path: Path, capsys: Capture) -> None:
    file = Path(rule_set(tmp_path))
    file.write_text(file.read_text(encoding="utf-8").replace("line.amount", "line.amuont"), encoding="utf-8")
    assert product.run("rules", "publish", str(file)) == 2
    column = file.read_text(encoding="utf-8").splitlines()[4].index("line.amuont") + 1
    assert f"{file}:5:{column}: there is no field line.amuont (did you mean line.amount?)" in said(capsys)[1]
    assert product.run("rules", "publish", str(tmp_path / "none.yaml")) == 2
    assert "none.yaml" in said(capsys)[1]


def test_what_was_simulated_is_what_is_published(product: Product, tmp_path: Path, capsys: Capture) -> None:
    file = rule_set(tmp_path, top="guard: {change_percent: 25}")
    assert product.run("rules", "publish", file) == 2
    err = said(capsys)[1]
    draft = re.search(r"cli/loyalty rules simulate (rls_\w{26})", err)
    assert draft is not None
    found = Finished("sim_1", draft[1], "2026-10-01", "2026-10-31", 31, 1, 2, 10, 20, 22_097, 24_310, 0)
    BacktestStore(product.table).announce("alpha", found)
    assert product.run("rules", "publish", file) == 0
    assert "simulated: 22,097 points were given, 24,310 would have been (+10.0%)" in said(capsys)[1]


def test_a_publish_on_top_of_another_that_came_meanwhile_is_refused(
    product: Product, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    product.run("rules", "publish", rule_set(tmp_path, 1, "autumn"))
    from cli import publishing

    draft_of, others = publishing.draft_of, iter([rule_set(tmp_path, 3, "spring")])

    def slowly(*arguments: object) -> str:
        for other in others:
            assert product.run("rules", "publish", other) == 0
        return draft_of(*arguments)  # type: ignore[arg-type] # handed on as they came

    monkeypatch.setattr(publishing, "draft_of", slowly)
    said(capsys)
    assert product.run("rules", "publish", rule_set(tmp_path, 2, "winter")) == 2
    out, err = said(capsys)
    assert out == "in force: v2 (spring)\n"
    assert "RULE_SET_VERSION_CONFLICT" in err
