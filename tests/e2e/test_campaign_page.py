"""The page of a campaign's report in a real browser: it stands alone, nothing overlaps, and it speaks two languages."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from loyalty.experiments.page import page as page_of
from loyalty.experiments.views import ReportsView
from tests.e2e import browser
from tests.e2e.test_backtest_page import OUTSIDE, OVERLAPS
from tests.unit.campaign_reported import CAMPAIGN, data, told, unclear, working

SCREENSHOT: Final = "LOYALTY_CAMPAIGN_SCREENSHOT"
"""Environment: where to leave pictures of the page, for people to look at."""
VIEWS: Final[dict[str, Callable[[], ReportsView]]] = {
    "working": lambda: told(working()),
    "money": lambda: told(working("spend")),
    "unclear": lambda: told(unclear()),
    "nothing": told,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, make in VIEWS.items():
        view = make()
        (folder / f"{name}.html").write_text(page_of(CAMPAIGN, view, data(view)), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in VIEWS}


@pytest.fixture
def page() -> Iterator[browser.Page]:
    try:
        with browser.page() as opened:
            yield opened
    except browser.BrowserMissing as missing:
        pytest.fail(str(missing), pytrace=False)


def said(page: browser.Page, words: str) -> Any:
    """Whether the page shows these words now."""
    return page.run(f"document.body.innerText.includes({json.dumps(words)})")


def test_it_stands_alone_and_nothing_is_wrong_with_it(page: browser.Page, files: dict[str, Path]) -> None:
    page.open(files["working"].as_uri())
    page.wait_for("document.readyState === 'complete' && document.querySelectorAll('svg').length === 3")
    assert page.seen.errors == []
    assert {url for url in page.seen.requests if not url.startswith(("file:", "data:"))} == set()
    reports = page.run("JSON.parse(document.getElementById('figures').textContent).reports")
    assert reports[0]["report"]["effect"]["verdict"] == "effective"
    assert said(page, "It works:")
    assert said(page, "Variant bold wins.")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", VIEWS)
def test_it_shows_one_language_without_overlaps_and_changes_to_the_other(
    page: browser.Page, files: dict[str, Path], name: str, language: str
) -> None:
    page.open(f"{files[name].as_uri()}?lang={language}")
    page.wait_for(f"document.readyState === 'complete' && document.body.className === '{language}'")
    words = {"en": "Come back to us", "zh": "欢迎回来"}
    other = {"en": "zh", "zh": "en"}[language]
    assert said(page, words[language])
    assert not said(page, words[other])
    assert page.run(OVERLAPS) == []
    assert page.run(OUTSIDE) == []
    assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
    if SCREENSHOT in os.environ:
        page.screenshot(Path(f"{os.environ[SCREENSHOT]}.{name}.{language}.png"))
    page.run("document.getElementById('lang').click()")
    assert said(page, words[other])
    assert not said(page, words[language])
    assert page.seen.errors == []
    if name != "nothing":
        page.run("(() => { const one = document.querySelector('svg text'); one.after(one.cloneNode(true)); })()")
        assert page.run(OVERLAPS) != [], "an overlap would be seen"


def test_what_cannot_be_told_says_so_and_how_many_would_tell(page: browser.Page, files: dict[str, Path]) -> None:
    page.open(files["unclear"].as_uri())
    page.wait_for("document.readyState === 'complete'")
    assert said(page, "Cannot tell yet")
    assert said(page, "more members")
