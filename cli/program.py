"""``loyalty program``: read the policy, replace it."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from cli.api import Api
from cli.target import CommandError


def get(api: Api, out: Console, said: Console) -> None:
    """The policy on ``out``, its version on ``said``."""
    answer = api.call("GET", "/v1/program")
    out.print(json.dumps(answer.json(), indent=2, ensure_ascii=False), markup=False, soft_wrap=True)
    said.print(f"version {_version(answer)}")


def put(api: Api, file: Path, version: int, said: Console) -> None:
    """Replace the policy by the one in ``file``. ``version`` is the one that was read, 0 for whichever there is now."""
    document = document_in(file)
    before = version or _version(api.call("GET", "/v1/program"))
    answer = api.call("PUT", "/v1/program", body=document, headers={"If-Match": f'"{before}"'})
    said.print(f"version {_version(answer)} replaces version {before}; functions that run take it up within a minute")


def document_in(file: Path) -> Any:
    """The JSON in a file; CommandError when it is none."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"{file}: {error}") from None


def _version(answer: Any) -> int:
    return int(answer.headers["etag"].strip('"'))
