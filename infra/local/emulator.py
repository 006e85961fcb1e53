"""Starting the emulator's process, asking it, stopping it."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from infra.local.place import ACCOUNT, REGION, LocalError, Place

ANSWER_SECONDS: Final = 300
START_SECONDS: Final = 300
DRAIN_SECONDS: Final = 120
STOP_SECONDS: Final = 300
"""What is awaited is on this machine, which may be busy with other things: only what never comes takes so long."""
_SERVER: Final = Path(__file__).with_name("server.py")

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Emulators that this very process started. They outlive it."""


def about(place: Place) -> dict[str, Any] | None:
    """What the emulator of this place says of itself, ``{"pid", "folder", "backlog", "capacity"}``; None when it does
    not run. LocalError when another program answers on its port.
    """
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/_local")
        answer = connection.getresponse()
        said = json.loads(answer.read())
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException, ValueError):
        said = None
    finally:
        connection.close()
    if not isinstance(said, dict) or said.get("folder") != str(place.folder):
        raise LocalError(
            f"Port {place.port}, which this stack was made with, is taken by another program.\n"
            f"Stop that program, or start over on another port: make down CLEAN=1"
        )
    return said


def start(place: Place) -> bool:
    """Start the emulator unless it runs, and wait until it answers; whether it was started."""
    if about(place) is not None:
        return False
    scratch = place.folder / "tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    with place.log.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, _SERVER, place.folder],
            cwd=place.folder,
            env=_environment(place, scratch),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[process.pid] = process
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise LocalError(f"The emulator ended at once; its log is {place.log}")
        if about(place) is not None:
            return True
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise LocalError(f"The emulator did not answer within {START_SECONDS} s; its log is {place.log}")


def stop(place: Place) -> bool:
    """Let what is under way finish, stop the emulator and wait until its state is written; whether it ran."""
    said = about(place)
    if said is None:
        return False
    settle(place, DRAIN_SECONDS)
    pid = int(said["pid"])
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _alive(pid):
        if time.monotonic() > deadline:
            raise LocalError(f"The emulator, process {pid}, does not end; its log is {place.log}")
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)  # a function that was still running when the emulator let go of it
    return True


def settle(place: Place, patience: float) -> bool:
    """Wait until the functions that follow the table or drain queues have taken everything, and no state machine is at
    work; whether it is so. False when, for ``patience`` seconds, nothing became less.
    """
    least, deadline = None, time.monotonic() + patience
    while True:
        said = about(place)
        if said is None:
            raise LocalError("The emulator does not run")
        left = int(said["backlog"])
        if left == 0:
            return True
        if least is None or left < least:
            least, deadline = left, time.monotonic() + patience
        elif time.monotonic() > deadline:
            return False
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    if pid in _children:
        return _children[pid].poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _environment(place: Place, scratch: Path) -> dict[str, str]:
    """Only what the emulator needs: the functions it starts inherit all of it."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "GATEWAY_PORT": str(place.port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(place.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(place.folder / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
