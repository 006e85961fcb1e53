"""Who may import whom: the table of docs/concepts and the layers it draws, held over the syntax trees."""

import ast
from collections import defaultdict
from graphlib import TopologicalSorter

import pytest

from tests.architecture.sources import Module, functions, product, rest

BASE = {
    "loyalty",
    "loyalty.errors",
    "loyalty.ids",
    "loyalty.phones",
    "loyalty.routes",
    "loyalty.table",
    "loyalty.table.keys",
    "loyalty.table.writes",
    "loyalty.values",
    "loyalty.zones",
}
"""What everything may stand on: the standard library and each other only."""
SHAPES = "loyalty.shapes"
CLIENT = "loyalty.table.client"
PARTS = {"loyalty.table.overlap", "loyalty.table.session"}
"""Of the client, and nobody else's."""
FEATURES = {
    "ledger",
    "rules",
    "earning",
    "programs",
    "members",
    "clients",
    "backtests",
    "explanations",
    "churn",
    "timers",
    "contacts",
    "templates",
    "tiers",
    "segments",
    "campaigns",
    "channels",
    "webhooks",
    "notifications",
    "experiments",
}
STORES = {"store", "leases"}
SERVICES = {"service", "wallet", "intake", "activity", "granting", "rulebook", "refit", "runs", "touches"}
"""Modules of a feature that load, decide and commit: they are given the time and the randomness."""
BESIDE = {"loyalty.clients.bootstrap"}
"""What operators run beside the stack; no function and no feature imports it."""
LIBRARIES = {
    "loyalty.rules.windows": {"dateutil"},
    "loyalty.rules.yaml_text": {"yaml"},
    "loyalty.churn.batch": {"numpy"},
    "loyalty.churn.fit": {"numpy", "scipy"},
    "loyalty.experiments.effect": {"scipy"},
    "loyalty.programs.policy": {"pydantic"},
    "loyalty.members.tokens": {"jwt"},
    "loyalty.rules.language": {"sqlglot"},
    "loyalty.templates.language": {"jinja2"},
    "loyalty.templates.rendering": {"jinja2"},
    "loyalty.rules.words": {"sqlglot"},
}
"""Third-party packages that one plain module may use besides msgspec."""
IMPURE = {
    "boto3", "botocore", "aws_lambda_powertools", "os", "sys", "time", "random", "uuid", "secrets", "socket",
    "subprocess", "threading", "pathlib", "tempfile", "logging", "urllib", "http", "asyncio",
}  # fmt: skip
NOW = {"now", "utcnow", "today"}


def feature(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FEATURES else None


def kind(module: Module) -> str:
    """What a module is, by where it lies and what it is called."""
    name, parts = module.name, module.name.split(".")
    if name in BASE:
        return "base"
    if name == SHAPES:
        return "shapes"
    if name in {CLIENT, *PARTS}:
        return "client"
    if name in BESIDE:
        return "beside"
    if parts[1] == "runtime":
        return "runtime"
    assert parts[1] in FEATURES, f"{name} is none of the features {sorted(FEATURES)}: give it a place"
    return "store" if parts[-1] in STORES else "service" if parts[-1] in SERVICES else "plain"


def modules(*kinds: str) -> list[Module]:
    return [module for module in product() if kind(module) in kinds]


def by_name(module: Module) -> str:
    return module.name


KIND = {module.name: kind(module) for module in product()}


def kinds_imported(module: Module) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name in module.own:
        found[KIND[name]].add(name)
    return found


def test_every_module_has_a_kind_and_every_kind_has_modules() -> None:
    assert set(KIND.values()) == {"base", "shapes", "client", "beside", "runtime", "store", "service", "plain"}
    assert set(KIND) >= BASE
    assert set(KIND) >= BESIDE | set(LIBRARIES)
    assert {feature(name) for name in KIND} - {None} == FEATURES


@pytest.mark.parametrize("module", modules("base"), ids=by_name)
def test_the_base_stands_on_the_standard_library_and_itself(module: Module) -> None:
    assert module.foreign == set()
    assert module.own <= BASE


def test_the_shapes_of_requests_stand_on_msgspec_and_the_base() -> None:
    (module,) = modules("shapes")
    assert module.foreign <= {"msgspec"}
    assert module.own <= BASE


def test_only_the_table_and_the_edge_know_aws() -> None:
    users = {module.name for module in product() if module.foreign & {"boto3", "botocore"}}
    assert CLIENT in users
    assert all(name in {CLIENT, *PARTS} or name.startswith("loyalty.runtime.") for name in users)
    assert {module.name for module in (*product(), *functions()) if PARTS & set(module.own)} == {CLIENT}
    assert not [module.name for module in (*product(), *functions()) if "boto3" in module.foreign]


@pytest.mark.parametrize("module", modules("plain"), ids=by_name)
def test_a_plain_module_decides_from_its_arguments_alone(module: Module) -> None:
    assert module.foreign <= {"msgspec"} | LIBRARIES.get(module.name, set())
    assert not {name.split(".")[0] for name in module.imports} & IMPURE
    imported = kinds_imported(module)
    assert set(imported) <= {"base", "shapes", "plain"}, imported


@pytest.mark.parametrize("module", modules("store"), ids=by_name)
def test_a_store_knows_the_table_and_what_it_stores_and_no_use_case(module: Module) -> None:
    assert module.foreign <= {"msgspec"}
    assert not {name.split(".")[0] for name in module.imports} & IMPURE
    imported = kinds_imported(module)
    assert set(imported) <= {"base", "client", "plain"}, imported


def test_only_stores_hold_the_tables_client() -> None:
    users = {module.name for module in product() if CLIENT in module.own}
    assert {KIND[name] for name in users} <= {"store", "runtime", "beside"}
    assert users & set(BASE) == set()


@pytest.mark.parametrize("module", modules("service"), ids=by_name)
def test_a_use_case_knows_its_own_store_and_other_features_by_their_use_cases(module: Module) -> None:
    assert module.foreign <= {"msgspec"}
    assert not {name.split(".")[0] for name in module.imports} & IMPURE
    imported = kinds_imported(module)
    assert set(imported) <= {"base", "shapes", "plain", "store", "service"}, imported
    assert {feature(name) for name in imported["store"]} <= {feature(module.name)}


@pytest.mark.parametrize("module", modules("plain", "store", "service", "base", "shapes"), ids=by_name)
def test_nobody_but_the_edge_asks_for_the_time(module: Module) -> None:
    asked = [
        f"{module.name}:{node.lineno}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in NOW
    ]
    assert asked == []


def test_powertools_are_known_to_the_edge_only() -> None:
    users = {module.name for module in (*product(), *functions()) if "aws_lambda_powertools" in module.foreign}
    assert all(name.startswith("loyalty.runtime.") for name in users)


def test_no_feature_knows_the_edge() -> None:
    for module in modules("base", "shapes", "client", "plain", "store", "service", "beside"):
        assert not [name for name in module.own if name.startswith(("loyalty.runtime", "functions"))], module.name


def test_the_product_knows_nothing_of_what_is_built_around_it() -> None:
    around = {"infra", "tests", "cli", "bench", "examples", "aws_cdk"}
    for module in (*product(), *functions()):
        assert not {name.split(".")[0] for name in module.imports} & around, module.name


def test_what_runs_beside_the_stack_is_imported_by_nothing_that_is_deployed() -> None:
    users = [module.name for module in (*product(), *functions()) if module.own & BESIDE]
    assert users == []


def test_the_ledger_is_the_kernel_and_knows_no_other_feature() -> None:
    for module in product():
        if feature(module.name) == "ledger":
            assert {feature(name) for name in module.own} <= {"ledger", None}, module.name


def test_no_feature_depends_on_one_that_depends_on_it() -> None:
    graph: dict[str, set[str]] = {name: set() for name in FEATURES}
    for module in product():
        home = feature(module.name)
        if home is not None and module.name not in BESIDE:
            graph[home] |= {other for name in module.own if (other := feature(name)) is not None and other != home}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError, and names the circle
    assert set(order) == FEATURES
    assert order.index("ledger") < order.index("earning")


def test_no_module_of_the_product_imports_itself_in_a_circle() -> None:
    graph = {module.name: module.own - {module.name} for module in product()}
    packages = {name for name in graph if any(other.startswith(f"{name}.") for other in graph)}
    TopologicalSorter({name: found - packages for name, found in graph.items()}).prepare()


@pytest.mark.parametrize("module", functions(), ids=by_name)
def test_a_function_imports_the_product_and_its_own_folder_only(module: Module) -> None:
    assert module.foreign <= {"msgspec"}
    home = ".".join(module.name.split(".")[:2])
    strangers = {name for name in module.own if name.startswith("functions") and not f"{name}.".startswith(f"{home}.")}
    assert strangers == set()


def test_only_the_infrastructure_knows_the_cdk() -> None:
    for folder in ("cli", "bench"):
        for module in rest(folder):
            assert "aws_cdk" not in module.foreign, module.name


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    drawers = {"utils", "util", "common", "helpers", "helper", "misc", "shared", "base", "core", "lib"}
    everything = [*product(), *functions()]
    for folder in ("infra", "cli", "bench", "tests"):
        everything += rest(folder)
    assert len(everything) > 150
    assert [module.name for module in everything if set(module.name.split(".")) & drawers] == []
