"""The deployment that all of these tests share, and short ways to use it."""

import secrets
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.calls import Api
from tests.e2e.stack import Stack, deployed

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker owns the stack, so it is deployed once."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("stack"))


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole stack, deployed for this run; what stops the deployment stops every test of it."""
    with deployed() as made:
        yield made


def _as(role: str, program: str = "alpha") -> Callable[..., Iterator[Api]]:
    @pytest.fixture(scope="session", name=role)
    def client(stack: Stack) -> Iterator[Api]:
        with stack.api(stack.programmes[program].tokens[role]) as api:
            yield api

    return client


till = _as("till")
shop = _as("shop")
operator = _as("operator")
auditor = _as("auditor")
bound = _as("bound")


@pytest.fixture
def enrol(operator: Api) -> Callable[..., str]:
    """``enrol()`` gives the id of a new member of programme alpha; ``points`` are put on its wallet."""

    def new(points: int = 0, **body: Any) -> str:
        identities = body.pop("identities", [f"card:{secrets.token_hex(8)}"])
        member = str(operator.post("/v1/members", {"identities": identities, **body}).expect(201)["id"])
        if points:
            adjustment = {"points": points, "reason": "to begin with"}
            operator.post(f"/v1/members/{member}/adjustments", adjustment).expect(201)
        return member

    return new


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the functions logged as errors stands below a test that failed."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        lines = stack.failures(call.start)
        if lines:
            report.sections.append(("errors that the functions logged", "\n".join(lines[-20:])))
    return report
