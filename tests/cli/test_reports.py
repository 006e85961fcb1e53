"""``loyalty campaigns report``: the newest report in words, as JSON, as a page."""

import io
import json
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from cli.api import Api
from cli.reports import report
from cli.target import CommandError, Target
from loyalty.experiments.findings import Report
from tests.unit.campaign_reported import data, stopped, told, unclear, working

CAMPAIGN = {
    "id": "winback",
    "name": {"en": "Come back to us", "zh": "欢迎回来"},
    "goal": {"en": "Who stopped buying buys again", "zh": "让停止购买的会员再次购买"},
    "state": "finished",
}


class Shown:
    """What the command wrote, and where."""

    def __init__(self, *reports: Report, page: Path | None = None, language: str = "en", as_json: bool = False) -> None:
        out, said = io.StringIO(), io.StringIO()
        answers = {"/v1/campaigns/winback": json.dumps(CAMPAIGN), "/v1/campaigns/winback/report": data(told(*reports))}
        transport = httpx.MockTransport(lambda request: httpx.Response(200, text=answers[request.url.path]))
        with Api(Target("http://api.test", "token"), transport) as api:
            self.status = report(
                api,
                "winback",
                page=page,
                language=language,
                as_json=as_json,
                out=Console(file=out, soft_wrap=True),
                said=Console(file=said, soft_wrap=True),
            )
        self.out, self.said = out.getvalue(), said.getvalue()


def test_it_tells_the_newest_report_in_words_and_the_groups_beside() -> None:
    shown = Shown(unclear(), working())
    assert shown.status == 0
    assert shown.out.startswith("It works:")
    assert "Variant bold is better than every other" in shown.out
    assert "control" in shown.out
    assert "not sent: cap" in shown.out
    assert shown.out.rstrip().endswith("at the end")


def test_of_a_cancelled_campaign_it_tells_how_far_it_came() -> None:
    shown = Shown(stopped())
    assert shown.out.startswith("Cancelled on 2026-10-11: no effect is stated.")
    assert shown.out.rstrip().endswith("as far as it came")


def test_it_speaks_chinese_when_asked() -> None:
    assert Shown(working(), language="zh").out.startswith("有效：")


def test_nothing_measured_yet_is_said_so() -> None:
    shown = Shown()
    assert (shown.status, shown.out) == (0, "")
    assert "nothing was measured yet" in shown.said


def test_json_is_what_the_api_answers() -> None:
    assert json.loads(Shown(working(), as_json=True).out) == json.loads(data(told(working())))


@pytest.mark.parametrize(("language", "words"), [("en", '<body class="en">'), ("zh", '<body class="zh">')])
def test_a_page_is_written_in_the_language_asked_for(tmp_path: Path, language: str, words: str) -> None:
    file = tmp_path / "out.html"
    shown = Shown(working(), page=file, language=language)
    html = file.read_text(encoding="utf-8")
    assert words in html
    assert "Who stopped buying buys again" in html
    assert f"page: {file}" in shown.said


def test_a_page_that_cannot_be_written_is_no_crash(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nowhere"):
        Shown(working(), page=tmp_path / "nowhere" / "out.html")
