"""A marketer's day on the deployed stack: check, try and publish a rule set while a till posts, and go back."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from cli.command import main
from infra.local import bootstrap, examples
from infra.local.place import ROOT
from tests.e2e.calls import Api
from tests.e2e.stack import ALPHA, Stack
from tests.patience import AWAITED_S
from tests.tally import say

OBEYED_SECONDS: Final = 60
RULES: Final = str(ROOT / "examples" / "rules" / "grocer.yaml")
BASKETS: Final = 240
PROGRAM: Final = bootstrap.PROGRAM
LUNCH: Final = "2026-11-05T12:00:00Z"
"""A Thursday at noon: the basket's dollars count double from the moment that the rules are in force."""

Run = Callable[..., str]


class Sale(NamedTuple):
    """What the till was answered, and when it began to ask."""

    began: float
    status: int
    points: int
    rules: int


class Till(threading.Thread):
    """Sells the same basket of ten dollars at noon, again and again, each time to somebody else's card."""

    def __init__(self, stack: Stack, members: list[str]) -> None:
        super().__init__(daemon=True)
        self._stack = stack
        self._members = members
        self._ended = threading.Event()
        self.sales: list[Sale] = []

    def run(self) -> None:
        with self._stack.api(self._stack.programmes[PROGRAM].tokens["till"]) as api:
            while not self._ended.wait(0.2):
                began = time.monotonic()
                answer = api.post(
                    "/v1/purchases",
                    {
                        "source": "till",
                        "order_id": secrets.token_hex(8),
                        "member": self._members[len(self.sales) % len(self._members)],
                        "store": "367",
                        "channel": "store",
                        "occurred_at": LUNCH,
                        "currency": "USD",
                        "lines": [{"amount": "10.00", "product": "p1", "category": "SOAP"}],
                    },
                )
                body = answer.body if isinstance(answer.body, dict) else {}
                self.sales.append(Sale(began, answer.status, body.get("points", -1), body.get("rules", 0)))

    def end(self) -> None:
        self._ended.set()
        self.join(AWAITED_S)

    def until(self, points: int) -> float:
        """Wait until a sale that began from now on earns so many points; how many seconds that took."""
        start, seen = time.monotonic(), len(self.sales)
        while time.monotonic() < start + AWAITED_S:
            for sale in self.sales[seen:]:
                seen += 1
                if sale.began >= start and sale.points == points:
                    return sale.began - start
            time.sleep(0.05)
        pytest.fail(f"no sale earned {points} points within {AWAITED_S:.0f} s; the last: {self.sales[-3:]}")


@pytest.fixture(scope="module")
def grocer(stack: Stack) -> dict[str, str]:
    """The programme of the example rules, with real purchases in it; its keys by role."""
    tokens = stack.add({**ALPHA, **bootstrap.POLICY}).tokens
    baskets = examples.read()[:BASKETS]
    households = sorted({basket.household for basket in baskets})
    examples.enrol(stack.url, tokens["operator"], households, lambda: None)
    examples.post(stack.url, tokens["till"], baskets, lambda: None)
    stack.settle()
    return tokens


@pytest.fixture
def loyalty(
    stack: Stack, grocer: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """The command line as the marketer types it; what it says, or just the JSON."""
    (tmp_path / "stack.json").write_text(json.dumps({"api_url": stack.url, "tokens": grocer}))

    def run(*arguments: str, status: int = 0) -> str:
        ended = main(["--as", "marketer", *arguments], {"LOYALTY_LOCAL": str(tmp_path)})
        said = capsys.readouterr()
        assert ended == status, said.out + said.err
        return said.out if "--json" in arguments else said.out + said.err

    return run


@pytest.fixture
def till(stack: Stack, grocer: dict[str, str]) -> Iterator[Till]:
    with stack.api(grocer["operator"]) as api:
        members = [str(api.post("/v1/members", {"kind": "pool"}).expect(201)["id"]) for _ in range(5)]
        selling = Till(stack, members)
        selling.start()
        yield selling
        selling.end()


@pytest.fixture
def operator(stack: Stack, grocer: dict[str, str]) -> Iterator[Api]:
    with stack.api(grocer["operator"]) as api:
        yield api


def test_a_marketer_tries_publishes_and_takes_back_rules_while_a_till_sells(
    loyalty: Run, till: Till, operator: Api
) -> None:
    assert "sound" in loyalty("rules", "check", RULES)
    assert "passed" in loyalty("rules", "test", RULES)
    till.until(points=10)

    assert "first: cli/loyalty rules simulate" in loyalty("rules", "publish", RULES, status=2)
    year = ("--days", "366", "--until", "2017-12-31")
    found = json.loads(loyalty("rules", "simulate", RULES, *year, "--json"))
    assert found["status"] == "done"
    assert found["figures"]["purchases"] == BASKETS
    assert found["figures"]["points_after"] > found["figures"]["points_before"] > 0

    assert "in force: v1" in loyalty("rules", "publish", RULES)
    obeyed = till.until(points=20)
    quoted = operator.post("/v1/quotes", {"purchase": _basket()}, key=None).expect(200)
    assert quoted["points"] == 20
    assert [(award["rule"], award["points"]) for award in quoted["awards"]] == [("base", 10), ("lunch", 10)]

    assert "in force" in loyalty("rules", "rollback")
    undone = till.until(points=10)

    till.end()
    assert {sale.status for sale in till.sales} == {201}, "a till that posts all the while sees no error"
    assert {sale.points for sale in till.sales} == {10, 20}
    times = f"{obeyed:.1f} s after the publish, {undone:.1f} s after the rollback"
    say(f"rules obeyed {times}; {len(till.sales)} sales meanwhile")
    assert max(obeyed, undone) < OBEYED_SECONDS


def _basket() -> dict[str, Any]:
    return {
        "store": "367",
        "channel": "store",
        "occurred_at": LUNCH,
        "currency": "USD",
        "lines": [{"amount": "10.00", "product": "p1", "category": "SOAP"}],
    }
