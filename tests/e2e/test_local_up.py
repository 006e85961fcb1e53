"""What `make up` does once the stack stands: clients, purchases by several tills at once, audit, and lines to paste."""

import json
import shlex
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from infra.local import __main__ as local
from infra.local import bootstrap, examples
from loyalty.clients.credentials import parse
from tests.e2e.stack import Stack
from tests.patience import ANSWER_S
from tests.tally import tried

BASKETS = 90


class Run(NamedTuple):
    """One `make up`: what it printed, and the table's items of its programme afterwards."""

    lines: list[str]
    items: int

    def figure(self, name: str) -> int:
        """The number in the summary's line that begins with ``name``; the summary comes last."""
        line = [line for line in self.lines if line.split()[:1] == [name]][-1]
        return int(line.split()[1].replace(",", ""))


@pytest.fixture(scope="module")
def purchases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first baskets of the file, and one of nothing but lines without quantity or amount."""
    chosen = examples.read()[:BASKETS]
    free = next(basket for basket in examples.read() if basket.cents == 0)
    wanted = {basket.number for basket in (*chosen, free)}
    file = tmp_path_factory.mktemp("examples") / "purchases.csv"
    heading, *rows = examples.FILE.read_text().splitlines(keepends=True)
    file.write_text(heading + "".join(row for row in rows if row.split(",")[0] in wanted))
    return file


@pytest.fixture(scope="module")
def runs(stack: Stack, purchases: Path) -> tuple[Run, Run]:
    """Two in a row."""

    def run() -> Run:
        with local.out.capture() as printed:
            local.up(stack.place, purchases)
        return Run(printed.get().splitlines(), len(stack.items(bootstrap.PROGRAM)))

    both = run(), run()
    baskets = examples.read(purchases)
    tried("API calls", len(baskets) + len({basket.household for basket in baskets}))
    return both


def test_the_summary_equals_an_independent_recomputation_from_the_file(runs: tuple[Run, Run], purchases: Path) -> None:
    cents: dict[str, int] = {}
    for row in purchases.read_text().splitlines()[1:]:
        fields = row.split(",")
        cents[fields[1]] = cents.get(fields[1], 0) + int(fields[-1].replace(".", ""))
    first, _ = runs
    assert first.figure("members") == len(cents)
    assert first.figure("purchases") == BASKETS + 1
    assert first.figure("points") == sum(total // 100 for total in cents.values())
    assert first.figure("capacity") >= 3 * BASKETS
    assert any("books balance" in line for line in first.lines)


def test_a_second_run_counts_nothing_twice(runs: tuple[Run, Run]) -> None:
    first, second = runs
    assert first.items == second.items
    for name in ("members", "points", "capacity"):
        assert first.figure(name) == second.figure(name)
    assert any("posted before" in line for line in second.lines)


def test_posting_the_file_again_by_hand_replays_every_purchase(
    stack: Stack, runs: tuple[Run, Run], purchases: Path
) -> None:
    baskets = examples.read(purchases)
    tokens = json.loads(stack.place.stack_file.read_text())["tokens"]
    posted = examples.post(stack.url, tokens["till"], baskets, lambda: None)
    assert posted == (0, len(baskets))
    households = sorted({basket.household for basket in baskets})
    assert examples.enrol(stack.url, tokens["operator"], households, lambda: None) == (0, len(households))
    assert len(stack.items(bootstrap.PROGRAM)) == runs[1].items
    tried("API calls", len(baskets) + len(households))


def test_the_stack_file_has_the_documented_shape_and_its_keys_open(stack: Stack, runs: tuple[Run, Run]) -> None:
    said = json.loads(stack.place.stack_file.read_text())
    assert set(said) == {"api_url", "region", "table", "tokens"}
    assert set(said["tokens"]) == {"till", "operator", "marketer", "auditor"}
    assert all(parse(token) is not None for token in said["tokens"].values())
    assert said["table"] == stack.outputs["TableName"]
    with stack.api(said["tokens"]["operator"]) as api:
        assert api.get("/v1/program").expect(200)["program"] == bootstrap.PROGRAM


def test_the_lines_to_paste_work_and_can_be_pasted_twice(runs: tuple[Run, Run]) -> None:
    lines = [line for line in runs[1].lines if line.startswith("curl ")]
    assert len(lines) == 3
    for line in (*lines, *lines):
        status, body = paste(line)
        assert status in (200, 201), body
    assert paste(lines[0])[1]["balance"]["available"] == paste(lines[1])[1]["entries"][0]["balance"]["available"]


def paste(line: str) -> tuple[int, Any]:
    """What curl would do with the line: (status, body)."""
    words = shlex.split(line)
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    data = next((words[at + 1] for at, word in enumerate(words) if word == "-d"), None)
    url = urlsplit(words[-1])
    connection = HTTPConnection(url.hostname or "", url.port, timeout=ANSWER_S)
    try:
        if data is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"  # curl's own choice
        path = f"{url.path}?{url.query}" if url.query else url.path
        connection.request("GET" if data is None else "POST", path, data, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
