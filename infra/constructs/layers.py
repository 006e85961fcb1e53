"""The layers: our own code, and third-party packages built from their locks for Lambda's platform, without Docker. What
only the fit of the churn models imports has a layer of its own, so that no other function carries it.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import jsii
from aws_cdk import BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64
_VERSION = "3.13"
_PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_27_aarch64", "manylinux_2_28_aarch64")
"""Wheels for any C library up to Amazon Linux 2023's, which is 2.34."""

MB = 2**20
ALL_MB = 250
"""What Lambda takes, unzipped, of a function and all of its layers."""

_UNUSED_DATA = ("boto3/data", "boto3/examples")


def interpreter_of(version: str) -> str | None:
    """Path of a Python ``version`` that runs on this machine, or None."""
    candidates = (sys.executable, shutil.which(f"python{version}"))
    for candidate in filter(None, candidates):
        asked = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
        )
        if asked.returncode == 0 and asked.stdout.strip() == version:
            return candidate
    return None


def compile_tree(folder: Path, interpreter: str) -> None:
    """Write bytecode beside the sources in ``folder``, for ``interpreter``.

    Unchecked: the layer's files get other times when they are unpacked, and Python would throw the bytecode away.
    Sources that do not compile there (a package's optional parts) stay plain.
    """
    how = ["-qq", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([interpreter, "-m", "compileall", *how, folder], check=False)


def trim(site: Path, services: tuple[str, ...]) -> None:
    """Take out of the packages in ``site`` what no function reads: data of other AWS services, scripts, examples.

    botocore lists its data folders at start-up, so what goes is saved in size and in time.
    """
    for service in (site / "botocore" / "data").iterdir():
        if service.is_dir() and service.name not in services:
            shutil.rmtree(service)
    for unused in (*(site / name for name in _UNUSED_DATA), site / "bin"):
        shutil.rmtree(unused, ignore_errors=True)


def trim_tests(site: Path) -> None:
    """Take the packages' own tests and stubs out of ``site``: a third of NumPy and SciPy. A function with all of its
    layers may have 250 MB.
    """
    for folder in [*site.glob("**/tests"), site / "bin"]:
        shutil.rmtree(folder, ignore_errors=True)
    for stub in site.glob("**/*.pyi"):
        stub.unlink()


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


class TooLarge(Exception):
    """A layer has outgrown its share."""


class _Bundling:
    """What all bundlings share: where bytecode comes from, a hash made of all that goes in, and how large it may be."""

    at_most_mb: int

    def fits(self, folder: Path) -> None:
        """TooLarge when the layer in ``folder`` has outgrown its share: better told here than by Lambda."""
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if size > self.at_most_mb * MB:
            raise TooLarge(f"{type(self).__name__}: {size / MB:.0f} MB unzipped, at most {self.at_most_mb} of {ALL_MB}")

    def __init__(self, interpreter: str | None) -> None:
        self.interpreter = interpreter

    def made_with(self) -> bytes:
        version = "none"
        if self.interpreter:
            version = subprocess.run(
                [self.interpreter, "-c", "import sys; print(sys.implementation.cache_tag)"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        return version.encode() + Path(__file__).read_bytes()


@jsii.implements(ILocalBundling)
class CoreBundling(_Bundling):
    """Copies our own code and compiles it."""

    source = ROOT / "layers" / "core" / "python"
    at_most_mb = 8

    def hash(self) -> str:
        files = _sources(self.source)
        names = "\n".join(path.relative_to(self.source).as_posix() for path in files)
        return _digest(self.made_with(), names.encode(), *(path.read_bytes() for path in files))

    def try_bundle(self, output_dir: str, *_options: object, **_named: object) -> bool:
        target = Path(output_dir) / "python"
        shutil.copytree(self.source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        if self.interpreter:
            compile_tree(Path(output_dir), self.interpreter)
        self.fits(Path(output_dir))
        return True


@jsii.implements(ILocalBundling)
class DependencyBundling(_Bundling):
    """Installs the locked packages as wheels for Lambda's platform, whatever this machine is, and trims them."""

    lock = ROOT / "requirements" / "runtime.txt"
    at_most_mb = 50

    def __init__(self, interpreter: str | None, services: tuple[str, ...]) -> None:
        super().__init__(interpreter)
        self.services = services

    def hash(self) -> str:
        return _digest(self.made_with(), self.lock.read_bytes(), "\n".join(self.services).encode())

    def trim(self, site: Path) -> None:
        """Take out what no function reads."""
        trim(site, self.services)

    def try_bundle(self, output_dir: str, *_options: object, **_named: object) -> bool:
        target = Path(output_dir) / "python"
        quietly = ["--quiet", "--disable-pip-version-check", "--no-compile"]
        platforms = [part for platform in _PLATFORMS for part in ("--platform", platform)]
        built_for = [*platforms, "--python-version", _VERSION, "--implementation", "cp"]
        locked = ["--only-binary=:all:", "--no-deps", "--require-hashes", "--requirement", str(self.lock)]
        subprocess.run(
            [sys.executable, "-m", "pip", "install", *quietly, *built_for, *locked, "--target", target], check=True
        )
        self.trim(target)
        if self.interpreter:
            compile_tree(Path(output_dir), self.interpreter)
        self.fits(Path(output_dir))
        return True


@jsii.implements(ILocalBundling)
class ScienceBundling(DependencyBundling):
    """The same for what the fit imports."""

    lock = ROOT / "requirements" / "science.txt"
    at_most_mb = 180

    def __init__(self, interpreter: str | None) -> None:
        super().__init__(interpreter, ())

    def trim(self, site: Path) -> None:
        trim_tests(site)


class Layers(Construct):
    """``core`` and, unless functions run under this very interpreter, ``deps`` and ``science``."""

    def __init__(self, scope: Construct, construct_id: str, *, services: tuple[str, ...], run_here: bool) -> None:
        super().__init__(scope, construct_id)
        interpreter = sys.executable if run_here else interpreter_of(_VERSION)
        self.core = self._layer("Core", "The product's own code", CoreBundling(interpreter))
        self.deps = (
            None
            if run_here
            else self._layer("Deps", "Third-party packages, as locked", DependencyBundling(interpreter, services))
        )
        self.science = (
            None if run_here else self._layer("Science", "NumPy and SciPy, as locked", ScienceBundling(interpreter))
        )

    def _layer(
        self, construct_id: str, description: str, bundling: CoreBundling | DependencyBundling
    ) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            construct_id,
            description=description,
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[ARCHITECTURE],
            code=lambda_.Code.from_asset(
                str(ROOT / "layers" / "core"),
                asset_hash=bundling.hash(),
                bundling=BundlingOptions(
                    image=DockerImage.from_registry("unused: the bundling below always succeeds or raises"),
                    local=bundling,
                ),
            ),
        )
