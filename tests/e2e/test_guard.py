"""Nothing of a deployment outlives the run that made it, even one that is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e import guard
from tests.patience import eventually

OWNER = """
import os, signal, subprocess, sys
sleeper = [sys.executable, "-c", "import subprocess, sys, time; "
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); time.sleep(600)"]
emulator = subprocess.Popen(sleeper, start_new_session=True)
watch = [sys.executable, sys.argv[1], str(emulator.pid), sys.argv[2]]
guard = subprocess.Popen(watch, stdin=subprocess.PIPE, start_new_session=True)
print(emulator.pid, flush=True)
sys.stdin.read()
"""


def test_an_emulator_ends_with_the_run_that_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    (folder / "table").mkdir(parents=True)
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, guard.__file__, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    group = int(owner.stdout.readline())
    try:
        assert not guard.ended(group)
        assert folder.exists()
        owner.kill()
        owner.communicate()
        eventually(lambda: guard.ended(group) and not folder.exists())
    finally:
        if not guard.ended(group):
            os.killpg(group, signal.SIGKILL)
