"""Every function: a folder with a thin handler, light to start, and silent until it is called."""

import ast
import json
import os
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from loyalty.routes import ROUTES
from tests.architecture.sources import PRODUCT, ROOT, Module, function_folders, functions

HANDLER_LINES = 100
"""Routes are declared beside what serves them (body, answer, status, problems), so that the OpenAPI document is read
from the handler; that takes a line or two a route and makes sixty lines too few for four routes.
"""
OPERATION_LINES = 24
HOT = {"authorize", "balance", "earn", "hold", "redeem", "reverse"}
"""Functions that a customer at a till waits for."""
HEAVY = {
    "aws_lambda_powertools",
    "aws_xray_sdk",
    "boto3",
    "email_validator",
    "jwt",
    "cryptography",
    "dateutil",
    "pydantic",
    "pydantic_core",
    "sqlglot",
    "typing_extensions",
    "yaml",
}
"""Packages that cost tens of milliseconds at start: no hot function imports them before it needs them."""
ONLY_WHEN_ASKED = {
    "loyalty.members.service",
    "loyalty.members.tokens",
    "loyalty.clients.service",
    "loyalty.earning.intake",
    "loyalty.rules.compiler",
    "loyalty.rules.document",
    "loyalty.rules.interpret",
    "loyalty.rules.language",
    "loyalty.rules.service",
}
"""What most requests at a till have no use for; authorize is the one that needs tokens and clients."""

_PROBE = """
import json, os, sys
read = []
def spy(environ, name, _original=os._Environ.__getitem__):
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(ROOTS):
            read.append([name, frame.f_code.co_filename])
            break
        frame = frame.f_back if "importlib" not in frame.f_code.co_filename else None
    return _original(environ, name)
ROOTS = tuple(sys.argv[2:])
opened = []
sys.addaudithook(lambda event, args: opened.append(event) if event in ("socket.connect", "subprocess.Popen") else None)
before = set(sys.modules)
os._Environ.__getitem__ = spy
__import__(sys.argv[1], fromlist=["lambda_handler"])
handler = getattr(sys.modules[sys.argv[1]], "lambda_handler", None)
found = {"modules": sorted(set(sys.modules) - before), "read": read, "opened": opened, "handler": callable(handler)}
print(json.dumps(found))
"""


def handlers() -> list[Module]:
    return [module for module in functions() if module.name.endswith(".handler")]


def by_name(module: Module) -> str:
    return module.name.split(".")[1]


@cache
def imported(function: str) -> dict[str, Any]:
    """What importing a handler does."""
    return probe(f"functions.{function}.handler", (ROOT, PRODUCT), (PRODUCT, ROOT / "functions"))


def probe(module: str, path: tuple[Path, ...], watched: tuple[Path, ...]) -> dict[str, Any]:
    """Import a module in a fresh interpreter that knows nothing of any account or table; what files under ``watched``
    read of the environment is told.
    """
    answer = subprocess.run(
        [sys.executable, "-c", _PROBE, module, *map(str, watched)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": os.pathsep.join(map(str, path)), "PATH": os.environ["PATH"], "GREETING": "hello"},
    )
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def packages(function: str) -> set[str]:
    return {name.split(".")[0] for name in imported(function)["modules"]}


def test_there_are_functions_and_the_hot_ones_are_among_them() -> None:
    assert set(function_folders()) >= HOT
    assert {route.function for route in ROUTES} <= set(function_folders())


@pytest.mark.parametrize("function", function_folders())
def test_every_function_has_a_handler_that_says_what_triggers_it_and_what_it_answers(function: str) -> None:
    path = ROOT / "functions" / function / "handler.py"
    assert path.is_file()
    assert (path.parent / "__init__.py").is_file()
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring is not None
    assert [word for word in ("Trigger:", "Output:", "Failure:") if word not in docstring] == []


@pytest.mark.parametrize("module", handlers(), ids=by_name)
def test_a_handler_is_thin(module: Module) -> None:
    assert len(module.path.read_text(encoding="utf-8").splitlines()) <= HANDLER_LINES
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= OPERATION_LINES, f"{module.name}.{node.name} has {length} lines"


@pytest.mark.parametrize("function", function_folders())
def test_importing_a_handler_reads_no_environment_and_opens_nothing(function: str) -> None:
    found = imported(function)
    assert found["handler"], "no lambda_handler"
    assert found["read"] == []
    assert found["opened"] == []
    assert "botocore.client" not in found["modules"], "a client is made, or is about to be"


@pytest.mark.parametrize("function", sorted(HOT))
def test_a_hot_function_imports_nothing_heavy(function: str) -> None:
    assert packages(function) & HEAVY == set()


@pytest.mark.parametrize("function", sorted(HOT - {"authorize"}))
def test_a_hot_function_imports_no_use_case_that_most_requests_do_without(function: str) -> None:
    assert set(imported(function)["modules"]) & ONLY_WHEN_ASKED == set()


@pytest.mark.parametrize("function", function_folders())
def test_a_function_that_gets_no_policy_to_check_does_not_import_what_checks_policies(function: str) -> None:
    assert "pydantic" not in packages(function)


def test_the_probe_sees_imports_the_environment_and_connections(tmp_path: Path) -> None:
    source = """
        import os, socket, wave
        os.environ.get("TABLE_NAME"), os.getenv("STAGE"), os.environ["GREETING"]
        socket.socket().connect_ex(("127.0.0.1", 9))
        lambda_handler = print
    """
    (tmp_path / "talkative.py").write_text(textwrap.dedent(source), encoding="utf-8")
    found = probe("talkative", (tmp_path,), (tmp_path,))
    assert [name for name, _ in found["read"]] == ["TABLE_NAME", "STAGE", "GREETING"]
    assert "socket.connect" in found["opened"]
    assert "wave" in found["modules"]
    assert found["handler"]


def test_every_folder_of_a_function_belongs_to_one() -> None:
    strays = [path for path in (ROOT / "functions").iterdir() if path.is_file() and path.name != "__init__.py"]
    assert strays == [], [Path(stray).name for stray in strays]
