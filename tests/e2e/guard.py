"""Ends a test run's emulator when the run has ended, however it ended. ``python guard.py PROCESS_GROUP FOLDER``.

Its standard input is a pipe that the run holds open. When that closes, because the run closed it or was killed, every
process of the group is ended and the folder removed.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path


def living(group: int) -> list[int]:
    """The processes of a group, where the system lists them; one that nobody has waited for is none."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group, *_ = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(of_group) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found


def ended(group: int) -> bool:
    """Whether no process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return Path("/proc/self/stat").exists() and not living(group)


def main(group: int, folder: Path) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    for signum, patience in ((signal.SIGTERM, 60.0), (signal.SIGKILL, 60.0)):
        deadline = time.monotonic() + patience
        while not ended(group) and time.monotonic() < deadline:
            try:
                os.killpg(group, signum)
            except ProcessLookupError:
                break
            time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
