"""The page to read and try the API, in a real browser."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e import browser
from tests.e2e.calls import Api
from tests.e2e.stack import Stack
from tests.tally import tried

SCREENSHOT: Final = "LOYALTY_DOCS_SCREENSHOT"
"""Environment: where to leave a picture of the page, for people to look at."""


@pytest.fixture
def page() -> Iterator[browser.Page]:
    try:
        with browser.page() as opened:
            yield opened
    except browser.BrowserMissing as missing:
        pytest.fail(str(missing), pytrace=False)


def test_it_lists_every_operation_and_can_try_one(stack: Stack, page: browser.Page, till: Api) -> None:
    page.open(f"{stack.url}/docs")
    page.wait_for("document.querySelectorAll('.opblock').length > 0")
    document = json.loads(till.get("/openapi.json").raw)
    operations = sum(len(methods) for methods in document["paths"].values())
    assert page.run("document.querySelectorAll('.opblock').length") == operations
    assert page.run("document.querySelector('.title').innerText").startswith(document["info"]["title"])
    listed = page.run("[...document.querySelectorAll('.opblock-summary-path')].map((one) => one.dataset.path)")
    assert set(listed) == set(document["paths"])
    if SCREENSHOT in os.environ:
        page.screenshot(Path(os.environ[SCREENSHOT]))

    # As a reader would: enter a key, open an operation, try it.
    token = stack.programmes["alpha"].tokens["auditor"]
    page.run("document.querySelector('button.authorize').click()")
    page.wait_for("document.querySelector('.auth-container input') !== null")
    page.run(
        "(() => { const input = document.querySelector('.auth-container input');"
        " const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;"
        f" set.call(input, {json.dumps(token)}); input.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
    )
    page.run("document.querySelector('.auth-btn-wrapper button.authorize').click()")
    page.run("document.querySelector('.auth-btn-wrapper button.btn-done').click()")
    summary = "[...document.querySelectorAll('.opblock-get')].find((one) => one.innerText.includes('/v1/program'))"
    page.run(f"{summary}.querySelector('.opblock-summary-control').click()")
    page.wait_for(f"{summary}.querySelector('.execute') !== null")
    page.run(f"{summary}.querySelector('.execute').click()")
    page.wait_for(f"{summary}.querySelector('.live-responses-table .response-col_status') !== null")
    assert (
        page.run(f"{summary}.querySelector('.live-responses-table .response .response-col_status').innerText") == "200"
    )
    assert '"alpha"' in page.run(f"{summary}.querySelector('.live-responses-table').innerText")

    assert page.seen.errors == []
    assert {url.split("/")[2] for url in page.seen.requests if not url.startswith("data:")} == {
        f"127.0.0.1:{stack.place.api_port}"
    }
    assert set(page.seen.statuses.values()) == {200}
    tried("API calls", len(page.seen.requests))


def test_its_parts_come_packed_and_under_a_strict_policy(stack: Stack) -> None:
    with stack.api() as anyone:
        for path, kind in (
            ("/docs", "text/html"),
            ("/docs/page.js", "text/javascript"),
            ("/docs/swagger-ui-bundle.js", "text/javascript"),
            ("/docs/swagger-ui.css", "text/css"),
            ("/openapi.json", "application/json"),
        ):
            plain = anyone.get(path)
            assert plain.status == 200
            assert plain.headers["content-type"].startswith(kind)
            assert "default-src 'none'" in plain.headers["content-security-policy"]
            packed = anyone.call("GET", path, headers={"Accept-Encoding": "gzip", "Accept": "text/html"})
            assert packed.headers["content-encoding"] == "gzip"
            assert len(packed.raw) < len(plain.raw)
