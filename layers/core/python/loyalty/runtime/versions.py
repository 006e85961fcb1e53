"""Versions of what is edited, as HTTP says them: ``ETag`` in answers, ``If-Match`` in requests."""

import re
from typing import Annotated, Final

from msgspec import Meta

from loyalty.runtime.http import Request

IfMatch = Annotated[str, Meta(max_length=64, description="The ETag of what is to be changed", examples=['"3"'])]

_TAG: Final = re.compile(r'(?:W/)?"([1-9][0-9]{0,14})"', re.ASCII)
_NO_VERSION: Final = -1


def etag(version: int) -> dict[str, str]:
    """The header that names a version."""
    return {"etag": f'"{version}"'}


def if_match(request: Request) -> int | None:
    """The version that the caller has seen; None when it does not say, or says ``*``. What is no tag of ours matches no
    version.
    """
    text = request.headers.get("if-match", "*").strip()
    if text == "*":
        return None
    match = _TAG.fullmatch(text)
    return int(match[1]) if match else _NO_VERSION
