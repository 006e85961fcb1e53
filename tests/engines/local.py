"""DynamoDB Local: fetched once by Maven into ``.local/``, run on a free loopback port, ending with who asked for it."""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.patience import ANSWER_S, AWAITED_S

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE: Final = Path(__file__).parent / "dynamodb_local"
FETCHED: Final = Path(__file__).parents[2] / ".local" / "dynamodb-local"
START_WITHIN_S: Final = AWAITED_S
STOP_WITHIN_S: Final = ANSWER_S


class EngineMissing(Exception):
    """DynamoDB Local cannot be had here; the message says what is missing and how to get it."""


class Server(NamedTuple):
    """A running DynamoDB Local."""

    endpoint: str
    pid: int


def fetch() -> Path:
    """The folder with the engine's jars, native libraries and our launcher's class, fetched and compiled when need be.

    Raises EngineMissing without Java 17, Maven, or the network on the first call.
    """
    for program, package in (("java", "openjdk-17-jre-headless"), ("mvn", "maven")):
        if shutil.which(program) is None:
            raise EngineMissing(
                f"DynamoDB Local needs `{program}`, which is not on the path (Debian: apt install {package})"
            )
    wanted = hashlib.sha256((HERE / "pom.xml").read_bytes() + (HERE / "Launcher.java").read_bytes()).hexdigest()
    stamp = FETCHED / "complete"
    FETCHED.parent.mkdir(exist_ok=True)
    with _locked(FETCHED.with_suffix(".lock")):
        if stamp.exists() and stamp.read_text() == wanted:
            return FETCHED
        shutil.rmtree(FETCHED, ignore_errors=True)
        maven = ["mvn", "--batch-mode", "--quiet", "--strict-checksums", "--file", str(HERE / "pom.xml")]
        _run(*maven, "dependency:copy-dependencies", f"-DoutputDirectory={FETCHED}")
        jars = os.pathsep.join(map(str, sorted(FETCHED.glob("*.jar"))))
        compiler = ["java", "-cp", jars, "org.eclipse.jdt.internal.compiler.batch.Main"]
        _run(*compiler, "-17", "-cp", jars, "-d", str(FETCHED), str(HERE / "Launcher.java"))
        stamp.write_text(wanted)
    return FETCHED


def start(folder: Path, owner: int) -> Server:
    """Start a server that ends with process ``owner``; its port and log are kept in ``folder``.

    Raises EngineMissing when it cannot be fetched or does not come up.
    """
    home = fetch()
    port_file, log_file = folder / "port", folder / "dynamodb-local.log"
    virtual_machine = ["java", "-Xmx1g", "-XX:+UseSerialGC"]
    libraries = [f"-Djava.library.path={home}", f"-Dsqlite4java.library.path={home}"]
    launcher = ["-cp", f"{home}{os.pathsep}{home}/*", "Launcher", str(owner), str(port_file)]
    command = [*virtual_machine, *libraries, *launcher]
    with log_file.open("wb") as log, Path(os.devnull).open("rb") as nothing:
        files = [
            (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
            *((os.POSIX_SPAWN_DUP2, log.fileno(), fd) for fd in (1, 2)),
        ]
        # Not a Popen: the server may outlive the process that happened to start it.
        pid = os.posix_spawnp("java", command, os.environ, file_actions=files, setsid=True)
    deadline = time.monotonic() + START_WITHIN_S
    while not port_file.exists():
        if not alive(pid) or time.monotonic() > deadline:
            _end(pid)
            raise EngineMissing(f"DynamoDB Local did not start: {log_file.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)
    return Server(f"http://127.0.0.1:{port_file.read_text()}", pid)


def shared(folder: Path, owner: int) -> Server:
    """The one server of a run, started by whichever of its processes asks first; ``folder`` belongs to the run."""
    with _locked(folder / "lock"):
        known = folder / "server"
        if known.exists():
            endpoint, pid = known.read_text().split()
            return Server(endpoint, int(pid))
        server = start(folder, owner)
        known.write_text(f"{server.endpoint} {server.pid}")
        return server


def stop(folder: Path) -> None:
    """End the run's server, if there is one, and return when it is gone."""
    known = folder / "server"
    if not known.exists():
        return
    pid = int(known.read_text().split()[1])
    known.unlink()
    _end(pid)


def _end(pid: int) -> None:
    for signum in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + STOP_WITHIN_S
        if alive(pid):
            os.kill(pid, signum)
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.02)


def alive(pid: int) -> bool:
    """False too for a process that has ended and that nobody has waited for."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:  # a worker's child, or one that was waited for
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and ") Z " in stat.read_text())


@contextmanager
def running(folder: Path) -> "Iterator[Server]":
    """A server for as long as the block lasts; ``folder`` is an empty one for its files."""
    try:
        yield shared(folder, os.getpid())
    finally:
        stop(folder)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineMissing(f"`{' '.join(command[:2])} …` failed:\n{(done.stdout + done.stderr)[-2000:]}")


@contextmanager
def _locked(path: Path) -> "Iterator[None]":
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
