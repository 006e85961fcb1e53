"""Where one local stack lies: a folder with its state, two ports, and the files others read."""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
REGION: Final = "us-east-1"
ACCOUNT: Final = "000000000000"
STAGE: Final = "local"
STACK: Final = f"loyalty-{STAGE}"
DEFAULT_PORT: Final = 4577
"""The emulator listens here, and the API one port further, unless these are taken when the folder is first used."""


class LocalError(Exception):
    """Something a person has to put right; the message says what."""


@dataclass(frozen=True, slots=True)
class Place:
    """One folder and its ports. The ports are chosen once: what is deployed has them in its settings."""

    folder: Path
    port: int

    @property
    def api_port(self) -> int:
        return self.port + 1

    @property
    def endpoint(self) -> str:
        """The emulator: every AWS service, and what ``server`` answers itself."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """The deployed HTTP API."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def state(self) -> Path:
        """What the emulator writes down when it stops and reads when it starts."""
        return self.folder / "state"

    @property
    def api_file(self) -> Path:
        """The host name of the deployed API, for ``server``."""
        return self.folder / "api_host"

    @property
    def log(self) -> Path:
        return self.folder / "emulator.log"

    @property
    def deploy_log(self) -> Path:
        return self.folder / "deploy.log"

    @property
    def stack_file(self) -> Path:
        """Where to reach the stack and with which keys: ``{"api_url", "region", "table", "tokens"}``."""
        return self.folder / "stack.json"

    def kept(self) -> list[Path]:
        """Everything that a stopped place leaves in its folder."""
        names = ("state", "s3", "tmp", "cdk.out", "api_host", "deploy.log", "emulator.log", "stack.json", "port")
        return [self.folder / name for name in names if (self.folder / name).exists()]

    def aws_environment(self) -> dict[str, str]:
        """Settings under which AWS clients and the CDK talk to the emulator and to nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }


def at(folder: Path, environment: Mapping[str, str] = os.environ) -> Place:
    """The place in ``folder``, made when it is new. ``LOYALTY_PORT`` chooses the port of a new one."""
    file = folder / "port"
    if file.exists():
        return Place(folder, int(file.read_text()))
    wish = environment.get("LOYALTY_PORT")
    if wish is not None:
        if not wish.isdecimal() or not 1024 <= int(wish) <= 65_534:
            raise LocalError(f"LOYALTY_PORT: {wish!r} is not a port from 1024 to 65534")
        port = int(wish)
        if not _free(port):
            raise LocalError(f"LOYALTY_PORT: {port} or {port + 1} is taken")
    else:
        port = DEFAULT_PORT
        while not _free(port):
            port += 2
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{port}\n")
    return Place(folder, port)


def default_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """``.local`` in the project, or the folder that ``LOYALTY_LOCAL`` names."""
    return Path(environment.get("LOYALTY_LOCAL", ROOT / ".local")).resolve()


def _free(port: int) -> bool:
    """Whether ``port`` and the next one can be listened on."""
    for one in (port, port + 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", one))
            except OSError:
                return False
    return True


def write_json(path: Path, data: object) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_suffix(".tmp")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(data, indent=2) + "\n")
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file, empty when there is no such file."""
    if not path.exists():
        return {}
    data: dict[str, Any] = json.loads(path.read_text())
    return data
