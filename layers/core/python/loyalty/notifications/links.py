"""Links of messages: each says which message it stands in, and is signed, so that nobody makes one up. Pure.

Where a link leads is kept with the message, and no part of the link: it cannot be bent to lead elsewhere.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r"([a-z0-9-]{1,64})\.([0-7][0-9A-HJKMNP-TV-Z]{25})\.([A-Za-z0-9_.-]{3,160})\.([0-9]{1,2})\.([A-Za-z0-9_-]{16})",
    re.ASCII,
)
_PURPOSE: Final = b"loyalty:link"


class Link(NamedTuple):
    """Link ``number`` of a message."""

    program: str
    account: str
    name: str
    number: int


def token(link: Link, secret: str) -> str:
    """What stands in the address."""
    text = f"{link.program}.{link.account.removeprefix('mem_')}.{link.name}.{link.number}"
    return f"{text}.{_mac(text, secret)}"


def read(text: str, secrets: tuple[str, ...]) -> Link | None:
    """What a token says; None for one that none of the secrets signed."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        return None
    signed = text.rpartition(".")[0]
    if not any(hmac.compare_digest(_mac(signed, secret), match[5]) for secret in secrets if secret):
        return None
    return Link(match[1], f"mem_{match[2]}", match[3], int(match[4]))


def _mac(text: str, secret: str) -> str:
    key = hmac.digest(secret.encode(), _PURPOSE, "sha256")
    return urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")[:12]).decode()
