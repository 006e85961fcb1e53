"""``loyalty churn`` on files of purchases."""

import gzip
import json
from pathlib import Path

import pytest

from cli.churn_page import step
from cli.command import main

CDNOW = str(Path(__file__).parents[2] / "examples" / "cdnow.csv")
ON_CDNOW = (
    "--purchases",
    CDNOW,
    "--customer-column",
    "sample_id",
    "--date-column",
    "date",
    "--amount-column",
    "amount",
)
Capture = pytest.CaptureFixture[str]


def test_a_fit_is_printed_as_json(capsys: Capture) -> None:
    assert main(["churn", "fit", *ON_CDNOW, "--until", "1997-09-30", "--json"], {}) == 0
    found = json.loads(capsys.readouterr().out)
    buying = found["purchasing"]
    assert [f"{buying[name]:.3f}" for name in ("r", "alpha", "a", "b")] == ["0.243", "4.414", "0.793", "2.426"]
    assert f"{buying['log_likelihood']:.1f}" == "-9582.4"
    assert found["customers"] == 2357
    assert found["spending"]["customers"] == 946
    rows = found["held_back"]["repeats"]
    assert [row["repeats"] for row in rows] == list(range(8))
    assert sum(row["customers"] for row in rows) == 2357
    assert found["held_back"]["weeks"] == 39.0


def test_a_fit_is_shown_as_a_table_and_on_a_page(tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "page.html"
    assert main(["churn", "fit", *ON_CDNOW, "--until", "1997-09-30", "--html", str(page)], {}) == 0
    printed = capsys.readouterr()
    assert "r 0.243  alpha 4.414  a 0.793  b 2.426  log-likelihood -9582.4" in printed.out
    assert "7+" in printed.out
    assert str(page) in printed.err
    text = page.read_text(encoding="utf-8")
    assert text.count('<rect class="bought"') == text.count('<rect class="expected"') == 9  # eight rows and the legend
    assert "http" not in text.replace("http-equiv", "")


def test_without_a_day_all_is_fitted_and_nothing_is_held_back(capsys: Capture) -> None:
    assert main(["churn", "fit", *ON_CDNOW, "--json"], {}) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["until"], found["held_back"]["weeks"]) == ("1998-06-30", 0.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("who,when,sum\n", "no purchases"),
        ("who,day,sum\n", "no column 'when'"),
        ("who,when,sum\na,2026-01-01,1\na,soon,1\n", "purchases.csv:3: "),
        ("who,when,sum\na,2026-01-01,-1\n", "purchases.csv:2: an amount is 0 or more"),
        ("who,when,sum\na,2026-01-01,nan\n", "purchases.csv:2: an amount is 0 or more"),
        ("who,when,sum\na,2026-01-01\n", "purchases.csv:2: "),
        ("who,when,sum\na,2026-01-01,1\n", "repeat buyers"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_with_its_place(
    tmp_path: Path, text: str, said: str, capsys: Capture
) -> None:
    file = tmp_path / "purchases.csv"
    file.write_text(text)
    columns = ["--customer-column", "who", "--date-column", "when", "--amount-column", "sum"]
    assert main(["churn", "fit", "--purchases", str(file), *columns], {}) == 2
    assert said in capsys.readouterr().err


def test_a_gzipped_file_is_read_and_one_that_is_none_is_said(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "purchases.csv.gz"
    file.write_bytes(gzip.compress(b"customer,date,amount\na,2026-01-01,1\n"))
    assert main(["churn", "fit", "--purchases", str(file)], {}) == 2
    assert "repeat buyers" in capsys.readouterr().err
    file.write_bytes(b"customer,date,amount\n")
    assert main(["churn", "fit", "--purchases", str(file)], {}) == 2
    assert str(file) in capsys.readouterr().err


@pytest.mark.parametrize(("most", "expected"), [(0.03, 0.005), (1.0, 0.2), (4.0, 0.5), (8.0, 1.0), (23.0, 5.0)])
def test_grid_lines_are_round_and_few(most: float, expected: float) -> None:
    assert step(most) == pytest.approx(expected)


def test_alerts_are_compared_with_a_fixed_silence(tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "page.html"
    asked = ["--until", "1997-09-30", "--within", "120", "--silence", "60"]
    assert main(["churn", "compare", *ON_CDNOW, *asked, "--json", "--html", str(page)], {}) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["silences"], found["gone"]) == (1138, 358)
    (fixed,) = found["fixed"]
    assert (fixed["days"], fixed["false"], fixed["raised"]) == (60, 148, 358)
    earlier = {row["rule"]: round(row["days_earlier"]["mean"], 1) for row in fixed["rules"]}
    assert earlier == {"alive": -2.8, "return": 11.0, "rhythm": -41.1}
    assert page.read_text(encoding="utf-8").count("<path") == 8  # four rules and the legend
    assert main(["churn", "compare", *ON_CDNOW, *asked], {}) == 0
    assert "Against 60 days of silence, at 19.0% false alerts" in capsys.readouterr().out


def test_a_comparison_needs_customers_of_both_kinds(capsys: Capture) -> None:
    assert main(["churn", "compare", *ON_CDNOW, "--until", "1998-06-01"], {}) == 2
    assert "nobody to tell apart" in capsys.readouterr().err
