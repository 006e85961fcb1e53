"""The stack on the emulator: the CDK application that goes to AWS, deployed when something it is made of changed."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.local import emulator
from infra.local.place import ACCOUNT, REGION, ROOT, STACK, STAGE, LocalError, Place

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

INPUTS: Final = ("cdk.json", "docs/openapi.json", "functions", "infra", "layers", "package-lock.json", "requirements")
_HERE: Final = Path(__file__).parent
_PARAMETER: Final = f"/{STACK}/inputs"


def client(place: Place, service: Any) -> Any:
    """A boto3 client of the emulator."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        config=Config(connect_timeout=emulator.ANSWER_SECONDS, read_timeout=emulator.ANSWER_SECONDS),
        endpoint_url=place.endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator knows no secrets
    )


def deploy(place: Place) -> bool:
    """Bring the stack up to date; whether anything was deployed. LocalError, with the end of the log, when it fails."""
    wanted = digest(ROOT)
    if _deployed(place) == wanted:
        return False
    place.deploy_log.write_text("")
    if not _stack(place, "CDKToolkit"):
        _cdk(place, place.folder, "bootstrap", f"aws://{ACCOUNT}/{REGION}")  # away from cdk.json: no need to synthesise
    _cdk(
        place,
        ROOT,
        "deploy",
        "--all",
        "--method",
        "direct",
        "--require-approval",
        "never",
        "--context",
        f"stage={STAGE}",
    )
    place.api_file.write_text(f"{outputs(place)['ApiId']}.execute-api.127.0.0.1\n")
    client(place, "ssm").put_parameter(Name=_PARAMETER, Value=wanted, Type="String", Overwrite=True)
    return True


def outputs(place: Place) -> dict[str, str]:
    """The stack's outputs by name."""
    stack = _stack(place, STACK)
    if stack is None:
        raise LocalError(f"{STACK} is not deployed")
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def digest(root: Path) -> str:
    """One hash over all that the stack is made of, and the Python that its functions run under."""
    whole = hashlib.sha256(sys.version.encode())
    for path in _files(root):
        content = path.read_bytes()
        whole.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
        whole.update(content)
    return whole.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for name in INPUTS:
        path = root / name
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in found:
            if file.is_file() and "__pycache__" not in file.parts and _HERE not in file.parents:
                yield file


def _deployed(place: Place) -> str | None:
    """The hash that was deployed last. The emulator keeps it, so it is lost together with what was deployed."""
    ssm = client(place, "ssm")
    try:
        value: str = ssm.get_parameter(Name=_PARAMETER)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return None
    return value if place.api_file.exists() else None


def _stack(place: Place, name: str) -> "StackTypeDef | None":
    stacks: list[StackTypeDef] = client(place, "cloudformation").describe_stacks()["Stacks"]
    return next((stack for stack in stacks if stack["StackName"] == name), None)


def _cdk(place: Place, cwd: Path, *arguments: str) -> None:
    always = ("--output", str(place.folder / "cdk.out"), "--no-color", "--no-notices", "--ci")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= place.aws_environment()
    environment |= {"CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_DISABLE_VERSION_CHECK": "1"}
    with place.deploy_log.open("a") as log:
        ended = subprocess.run(
            ["cdk", *arguments, *always],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode:
        tail = "\n".join(place.deploy_log.read_text().splitlines()[-30:])
        raise LocalError(f"cdk {arguments[0]} failed; the end of {place.deploy_log}:\n{tail}")
