"""Layers: what goes in, what is left out, and when they count as changed."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from infra.constructs.layers import (
    ALL_MB,
    MB,
    CoreBundling,
    DependencyBundling,
    ScienceBundling,
    TooLarge,
    compile_tree,
    interpreter_of,
    trim,
    trim_tests,
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed packages, as pip leaves it."""
    for path in (
        "botocore/__init__.py",
        "botocore/data/endpoints.json",
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "boto3/data/ec2/resources-1.json",
        "boto3/session.py",
        "bin/jp.py",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x = 1\n")
    return tmp_path


def test_data_of_services_that_no_function_calls_is_left_out(site: Path) -> None:
    trim(site, ("dynamodb",))
    left = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert left == {
        "botocore/__init__.py",
        "botocore/data/endpoints.json",
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "boto3/session.py",
    }


def test_own_code_is_copied_without_leftovers_of_this_machine(tmp_path: Path) -> None:
    assert CoreBundling(None).try_bundle(str(tmp_path))
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert Path("python/loyalty/routes.py") in files
    assert not [path for path in files if "__pycache__" in path.parts]


def test_bytecode_is_used_whatever_time_its_source_gets_when_unpacked(tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    source = tmp_path / "python" / "once.py"
    source.write_text("said = 'before'\n")
    compile_tree(tmp_path, sys.executable)
    source.write_text("said = 'after'\n")
    said = subprocess.run(
        [sys.executable, "-c", "import once; print(once.said)"],
        cwd=source.parent,
        env={"PYTHONPATH": str(source.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "before\n"


def test_there_is_no_bytecode_for_a_python_that_this_machine_does_not_have() -> None:
    assert interpreter_of("2.1") is None


def test_the_interpreter_at_hand_is_found_by_its_version() -> None:
    assert interpreter_of(f"{sys.version_info.major}.{sys.version_info.minor}") is not None


def test_a_layer_counts_as_changed_when_what_it_is_made_of_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "runtime.txt"
    lock.write_text("msgspec==0.0.1\n")
    monkeypatch.setattr(DependencyBundling, "lock", lock)
    bundling = DependencyBundling(None, ("dynamodb",))
    before = bundling.hash()
    assert bundling.hash() == before
    assert DependencyBundling(None, ("dynamodb", "sqs")).hash() != before
    assert DependencyBundling(sys.executable, ("dynamodb",)).hash() != before
    lock.write_text("msgspec==0.0.2\n")
    assert bundling.hash() != before


def test_own_code_counts_as_changed_when_a_file_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.py").write_text("x = 1\n")
    monkeypatch.setattr(CoreBundling, "source", tmp_path)
    before = CoreBundling(None).hash()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "one.cpython-313.pyc").write_text("")
    assert CoreBundling(None).hash() == before
    (tmp_path / "two.py").write_text("")
    assert CoreBundling(None).hash() != before


LARGEST_FUNCTION_MB = 10


def test_all_layers_together_are_what_a_function_may_have_and_leave_room_for_itself() -> None:
    shares = [one.at_most_mb for one in (CoreBundling, DependencyBundling, ScienceBundling)]
    assert sum(shares) + LARGEST_FUNCTION_MB <= ALL_MB
    assert len(set(shares)) == len(shares)


def test_a_layer_that_has_outgrown_its_share_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CoreBundling, "at_most_mb", 1)
    with pytest.raises(TooLarge, match="at most 1 of 250"):
        CoreBundling(None).try_bundle(str(tmp_path))


def test_what_the_fit_imports_has_room_beside_the_rest(tmp_path: Path) -> None:
    """As installed here, for this machine: the versions are those of the lock, the files nearly those of Lambda's."""
    for name in ("numpy", "scipy"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        home = Path(spec.origin).parent
        for folder in (home, home.with_name(f"{name}.libs")):
            if folder.exists():
                shutil.copytree(folder, tmp_path / folder.name)
    trim_tests(tmp_path)
    ScienceBundling(None).fits(tmp_path)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert size > 100 * MB, "this is not what the layer is made of"
