"""All stages, synthesised once: no bundling, no network, no account."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aws_cdk import App

from infra.settings import Stage, read_stage
from infra.stack import LoyaltyStack
from infra.watch import WatchStack

ROOT = Path(__file__).resolve().parents[2]
CONTEXT: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
_BUNDLE = "aws:cdk:bundling-stacks"
STAGES = tuple(CONTEXT["stages"])
Resource = dict[str, Any]


class Synthesised(NamedTuple):
    """One stage as CloudFormation would see it."""

    stage: Stage
    stack: LoyaltyStack
    watch: WatchStack
    template: dict[str, Any]
    watching: dict[str, Any]

    @property
    def resources(self) -> dict[str, Resource]:
        """Of both stacks, by logical id."""
        both: dict[str, Resource] = {**self.template["Resources"], **self.watching["Resources"]}
        assert len(both) == len(self.template["Resources"]) + len(self.watching["Resources"])
        return both

    def all(self, kind: str) -> dict[str, Resource]:
        """Resources of type ``AWS::…``, by logical id."""
        found = {name: one for name, one in self.resources.items() if one["Type"] == kind}
        assert found, f"no {kind}"
        return found

    def properties(self, kind: str) -> dict[str, dict[str, Any]]:
        return {name: one.get("Properties", {}) for name, one in self.all(kind).items()}

    def functions(self) -> dict[str, dict[str, Any]]:
        """Properties of the functions, by their name in the catalogue."""
        prefix = f"loyalty-{self.stage.name}-"
        functions = self.properties("AWS::Lambda::Function").values()
        return {function["FunctionName"].removeprefix(prefix): function for function in functions}

    def statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every statement of every policy there is, of roles and of resources, with the resource it stands in."""
        for name, resource in self.resources.items():
            for document in _documents(resource.get("Properties", {})):
                for statement in document["Statement"]:
                    yield name, statement


def _documents(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "Statement" in node:
            yield node
        for value in node.values():
            yield from _documents(value)
    elif isinstance(node, list):
        for value in node:
            yield from _documents(value)


def listed(value: Any) -> list[Any]:
    """A policy's element, which may be one or a list."""
    return value if isinstance(value, list) else [value]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # One process synthesises; the others have something better to do.
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("templates"))


@pytest.fixture(scope="session")
def synthesised_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where templates and packages are written."""
    return tmp_path_factory.mktemp("cdk.out")


@pytest.fixture(scope="session")
def synthesised(synthesised_folder: Path) -> dict[str, Synthesised]:
    """Every stage of cdk.json, by name."""
    app = App(
        context={**CONTEXT, _BUNDLE: []},
        outdir=str(synthesised_folder),
        analytics_reporting=False,
    )
    stages = {name: read_stage(CONTEXT["stages"], name) for name in STAGES}
    stacks = {name: LoyaltyStack(app, f"loyalty-{name}", stage=stage) for name, stage in stages.items()}
    watches = {
        name: WatchStack(app, f"loyalty-{name}-watch", stage=stage, watched=stacks[name])
        for name, stage in stages.items()
    }
    assembly = app.synth()
    return {
        name: Synthesised(
            stages[name],
            stack,
            watches[name],
            assembly.get_stack_by_name(stack.stack_name).template,
            assembly.get_stack_by_name(watches[name].stack_name).template,
        )
        for name, stack in stacks.items()
    }


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest, synthesised: dict[str, Synthesised]) -> Synthesised:
    return synthesised[request.param]


@pytest.fixture
def prod(synthesised: dict[str, Synthesised]) -> Synthesised:
    return synthesised["prod"]


@pytest.fixture
def local(synthesised: dict[str, Synthesised]) -> Synthesised:
    return synthesised["local"]
