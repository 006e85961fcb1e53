"""A headless Chromium, driven over the pipe that it offers (Chrome DevTools Protocol): no port, no driver, no
download. It reaches this machine and nothing else.
"""

import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Final, NamedTuple

from tests.patience import ANSWER_S

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--hide-scrollbars",
    "--window-size=1280,1600",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)


class BrowserMissing(Exception):
    """There is no Chromium here; the message says how to get it."""


class Seen(NamedTuple):
    """What the browser told of a page: requested addresses, answers' statuses by address, and errors."""

    requests: list[str]
    statuses: dict[str, int]
    errors: list[str]


class Page:
    """One page of a running browser."""

    def __init__(self, to: BinaryIO, of: BinaryIO, log: Path) -> None:
        self._log = log
        self._to = to
        self._of = of
        self._number = 0
        self._session: str | None = None
        self.seen = Seen([], {}, [])
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited when it is a promise; AssertionError when it throws."""
        answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Return when the JavaScript condition holds; AssertionError when it never does."""
        waiting = (
            f"new Promise((done) => {{ const began = performance.now(); const look = () => ({condition}) ? done(true)"
            f" : performance.now() - began > {1000 * ANSWER_S} ? done(false) : setTimeout(look, 50); look(); }})"
        )
        assert self.run(waiting), f"{condition} does not become true; {self.seen.errors}"

    def screenshot(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        self._session = None
        with suppress(OSError, EOFError):
            self._call("Browser.close")

    def _call(self, method: str, **params: Any) -> Any:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while True:
            said = json.loads(self._read())
            if said.get("id") == self._number:
                assert "error" not in said, f"{method}: {said['error']}"
                return said["result"]
            self._note(said)

    def _read(self) -> bytes:
        message = bytearray()
        while (byte := self._of.read(1)) != b"\0":
            if not byte:
                raise EOFError(f"the browser has ended: {self._log.read_text(errors='replace')[-2000:]}")
            message += byte
        return bytes(message)

    def _note(self, said: dict[str, Any]) -> None:
        params = said.get("params", {})
        match said.get("method"):
            case "Network.requestWillBeSent":
                self.seen.requests.append(params["request"]["url"])
            case "Network.responseReceived":
                self.seen.statuses[params["response"]["url"]] = params["response"]["status"]
            case "Network.loadingFailed":
                self.seen.errors.append(f"failed: {params['errorText']}")
            case "Runtime.exceptionThrown":
                self.seen.errors.append(json.dumps(params["exceptionDetails"])[:1000])
            case "Runtime.consoleAPICalled" if params["type"] in {"error", "warning", "assert"}:
                self.seen.errors.append(json.dumps(params["args"])[:1000])
            case "Log.entryAdded" if params["entry"]["level"] in {"error", "warning"}:
                self.seen.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")


def find() -> str:
    """The browser's program; BrowserMissing when there is none."""
    for name in NAMES:
        if (found := shutil.which(name)) is not None:
            return found
    raise BrowserMissing(f"none of {', '.join(NAMES)} is on the path (Debian: apt install chromium)")


@contextmanager
def page() -> Iterator[Page]:
    """A page of a fresh browser; it and its files are gone when the block ends. BrowserMissing when there is none."""
    program = find()
    # Not below a test's own folder: the name of a socket in it may have 107 characters, and no more.
    files = TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
    with files as folder, _running(program, Path(folder)) as opened:
        yield opened


@contextmanager
def _running(program: str, folder: Path) -> Iterator[Page]:
    ours_read, theirs_write = os.pipe()
    theirs_read, ours_write = os.pipe()
    # Chromium reads commands from descriptor 3 and writes answers to 4.
    start = f'exec "$@" 3<&{theirs_read} 4>&{theirs_write}'
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", start, "chromium", program, *_FLAGS, f"--user-data-dir={folder / 'profile'}"],
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TMPDIR": str(folder), **home},
            pass_fds=(theirs_read, theirs_write),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    os.close(theirs_read)
    os.close(theirs_write)
    try:
        with os.fdopen(ours_read, "rb") as of, os.fdopen(ours_write, "wb") as to:
            opened = Page(to, of, folder / "chromium.log")
            yield opened
            opened.close()
    finally:
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
