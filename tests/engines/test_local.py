"""DynamoDB Local as the tests run it: on the loopback alone, gone with whoever asked for it, never quietly left out."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines import local
from tests.patience import ANSWER_S, eventually

ROOT = Path(__file__).parents[2]

OWNER = """
import os, sys, time
from pathlib import Path
from tests.engines import local
print(local.shared(Path(sys.argv[1]), os.getpid()).pid, flush=True)
time.sleep(600)
"""


def _address(endpoint: str) -> tuple[str, int]:
    host, port = endpoint.removeprefix("http://").split(":")
    return host, int(port)


def test_it_listens_on_the_loopback_alone(dynamodb_local: str) -> None:
    host, port = _address(dynamodb_local)
    assert host == "127.0.0.1"
    socket.create_connection((host, port)).close()
    # Whoever listens on every interface is reached under the loopback's other addresses too.
    for other in ("127.0.0.2", "::1"):
        with pytest.raises(OSError):  # noqa: PT011 - refused, or no such address here: the system words it as it likes
            socket.create_connection((other, port), timeout=ANSWER_S)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_its_owner_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    paths = [str(ROOT), str(ROOT / "layers" / "core" / "python")]
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    with owner:
        assert owner.stdout is not None
        server = int(owner.stdout.readline())
        assert local.alive(server)
        owner.send_signal(how)
    eventually(lambda: not local.alive(server))


def test_it_is_one_server_for_all_who_ask_in_a_run_and_gone_after_it(tmp_path: Path) -> None:
    with local.running(tmp_path) as server:
        assert local.shared(tmp_path, os.getpid()) == server
        assert local.alive(server.pid)
    assert not local.alive(server.pid)


@pytest.mark.parametrize("missing", ["java", "mvn"])
def test_without_java_or_maven_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for program in {"java", "mvn"} - {missing}:
        (tmp_path / program).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(local.EngineMissing, match=f"`{missing}`"):
        local.fetch()
