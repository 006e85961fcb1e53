"""The page of a backtest in a real browser: it stands alone, nothing overlaps, and it speaks two languages."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from loyalty.backtests.page import page as page_of
from tests.e2e import browser
from tests.unit.backtested import example

SCREENSHOT: Final = "LOYALTY_BACKTEST_SCREENSHOT"
"""Environment: where to leave a picture of the page, for people to look at."""

OVERLAPS: Final = """
[...document.querySelectorAll('svg')].flatMap((svg) => {
  const shown = [...svg.querySelectorAll('text')].filter((one) => one.getClientRects().length);
  const boxes = shown.map((one) => [one.textContent, one.getBoundingClientRect()]);
  return boxes.flatMap(([name, a], place) => boxes.slice(place + 1)
    .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
    .map(([other]) => `${name} over ${other}`));
})
"""
OUTSIDE: Final = """
[...document.querySelectorAll('svg text')].filter((one) => {
  const [text, frame] = [one.getBoundingClientRect(), one.closest('section').getBoundingClientRect()];
  return text.width && (text.left < frame.left || text.right > frame.right);
}).map((one) => one.textContent)
"""


@pytest.fixture
def page() -> Iterator[browser.Page]:
    try:
        with browser.page() as opened:
            yield opened
    except browser.BrowserMissing as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    view = example()
    written = tmp_path / "page.html"
    written.write_text(page_of(view, msgspec.json.encode(view).decode()), encoding="utf-8")
    return written


def said(page: browser.Page, words: str) -> Any:
    """Whether the page shows these words now."""
    return page.run(f"document.body.innerText.includes({json.dumps(words)})")


def test_it_stands_alone_and_nothing_is_wrong_with_it(page: browser.Page, file: Path) -> None:
    page.open(file.as_uri())
    page.wait_for("document.readyState === 'complete' && document.querySelectorAll('svg').length === 3")
    assert page.seen.errors == []
    assert {url for url in page.seen.requests if not url.startswith(("file:", "data:"))} == set()
    figures = page.run("JSON.parse(document.getElementById('figures').textContent).figures")
    assert figures["points_before"] == 1234
    assert said(page, "1,480")  # 1,500 less the 20 that the budget could not pay
    assert said(page, "1,234 before · +19.9 %")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_shows_one_language_without_overlaps_and_changes_to_the_other(
    page: browser.Page, file: Path, language: str
) -> None:
    page.open(f"{file.as_uri()}?lang={language}")
    page.wait_for(f"document.readyState === 'complete' && document.body.className === '{language}'")
    words = {"en": "How much members win or lose", "zh": "会员得失分布"}
    other = {"en": "zh", "zh": "en"}[language]
    assert said(page, words[language])
    assert not said(page, words[other])
    assert page.run(OVERLAPS) == []
    assert page.run(OUTSIDE) == []
    assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
    if SCREENSHOT in os.environ:
        page.screenshot(Path(f"{os.environ[SCREENSHOT]}.{language}.png"))
    page.run("document.getElementById('lang').click()")
    assert said(page, words[other])
    assert not said(page, words[language])
    assert page.run("document.documentElement.lang") == {"en": "en", "zh": "zh-CN"}[other]
    assert page.seen.errors == []
    page.run("(() => { const one = document.querySelector('svg text'); one.after(one.cloneNode(true)); })()")
    assert page.run(OVERLAPS) != [], "an overlap would be seen"
