"""Which stack a command speaks to, and with which key.

``LOYALTY_API_URL`` and ``LOYALTY_TOKEN`` name any stack. Without them it is the local one, from ``.local/stack.json``,
which `make up` writes. AWS is reached with AWS's own settings; for the local stack, at the emulator.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
LOCAL_STACK: Final = "loyalty-local"
PATIENCE_S: Final = 35.0
"""For an answer: a little longer than AWS's gateway waits for a function."""
FUNCTION_S: Final = 330.0
LOCAL_PATIENCE_S: Final = 300.0
"""The emulator's gateway waits as long as a function takes, on a machine that may be busy with other things."""


class CommandError(Exception):
    """A command that could not be carried out; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """An API and a key. ``host`` is sent as the Host header when the address alone does not name the API; an answer is
    waited for ``patience_s`` seconds.
    """

    api_url: str
    token: str
    host: str = ""
    patience_s: float = PATIENCE_S


@dataclass(frozen=True, slots=True)
class Aws:
    """Where AWS is: ``endpoint`` and ``region`` empty for AWS's own settings; ``stack`` the CloudFormation stack."""

    stack: str
    endpoint: str = ""
    region: str = ""

    def client(self, service: Any) -> Any:
        """A boto3 client; the emulator needs no real credentials."""
        import boto3
        from botocore.config import Config

        if not self.endpoint:
            # A function is waited for as long as any may take, and not called again for that.
            once = Config(read_timeout=FUNCTION_S, retries={"total_max_attempts": 1}) if service == "lambda" else None
            return boto3.client(service, config=once)
        return boto3.client(
            service,
            config=Config(read_timeout=LOCAL_PATIENCE_S),
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the emulator knows no secrets
        )

    def output(self, name: str) -> str:
        """An output of the stack, such as ``TableName``."""
        with_stack = self.client("cloudformation")
        try:
            stacks = with_stack.describe_stacks(StackName=self.stack)["Stacks"]
        except with_stack.exceptions.ClientError as error:
            raise CommandError(f"{self.stack}: {error.response['Error']['Message']}") from None
        finally:
            with_stack.close()
        found = {one["OutputKey"]: str(one["OutputValue"]) for one in stacks[0].get("Outputs", ())}
        if name not in found:
            raise CommandError(f"The stack {self.stack} has no output {name}; is it deployed to the end?")
        return found[name]


def local_folder(environment: Mapping[str, str]) -> Path:
    """Where the local stack lies: ``.local``, or what ``LOYALTY_LOCAL`` names."""
    return Path(environment.get("LOYALTY_LOCAL", ROOT / ".local"))


def target(environment: Mapping[str, str], role: str) -> Target:
    """The API and the key of ``role``; CommandError when neither the environment nor a local stack says."""
    url, token = environment.get("LOYALTY_API_URL", ""), environment.get("LOYALTY_TOKEN", "")
    if url and token:
        return Target(url.rstrip("/"), token)
    if url or token:
        raise CommandError("Set both LOYALTY_API_URL and LOYALTY_TOKEN, or neither for the local stack")
    file = local_folder(environment) / "stack.json"
    if not file.exists():
        raise CommandError(
            f"Set LOYALTY_API_URL and LOYALTY_TOKEN, or start the local stack: make up ({file} is missing)"
        )
    stack = json.loads(file.read_text())
    if role not in stack["tokens"]:
        raise CommandError(f"{file} has no key for the role {role}")
    return Target(stack["api_url"].rstrip("/"), stack["tokens"][role], stack.get("host_header", ""), LOCAL_PATIENCE_S)


def aws(environment: Mapping[str, str], stack: str) -> Aws:
    """AWS for the CloudFormation stack ``stack``; the local stack's emulator when it is the local one, or not named."""
    if stack and stack != LOCAL_STACK:
        return Aws(stack)
    folder = local_folder(environment)
    port, file = folder / "port", folder / "stack.json"
    if not port.exists() or not file.exists():
        raise CommandError("Name the stack with --stack, such as loyalty-prod, or start the local one: make up")
    region = json.loads(file.read_text())["region"]
    return Aws(LOCAL_STACK, f"http://127.0.0.1:{int(port.read_text())}", region)
