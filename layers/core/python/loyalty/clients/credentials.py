"""A client's key: how it is written, what of it is stored, and how the two are compared. Pure.

``{program}.{client id}.{secret}``, where the secret is 256 random bits in base64url. Only the secret's SHA-256 is
stored: a secret that cannot be guessed needs no slow hash.
"""

import base64
import hmac
import re
from hashlib import sha256
from typing import Final, NamedTuple

SECRET_BYTES: Final = 32

_KEY: Final = re.compile(r"([a-z][a-z0-9-]{1,31})\.(cli_[0-7][0-9A-HJKMNP-TV-Z]{25})\.([A-Za-z0-9_-]{43})", re.ASCII)
_NEVER: Final = "-" * 43
"""Stands where no hash is; no hash in base64url of 32 bytes ends like this."""


class ClientKey(NamedTuple):
    """What a client shows."""

    program: str
    client: str
    secret: str

    def __str__(self) -> str:
        return ".".join(self)


def parse(text: str) -> ClientKey | None:
    """The parts of a key; None when it cannot be one."""
    match = _KEY.fullmatch(text)
    return None if match is None else ClientKey(*match.groups())


def secret_of(randomness: bytes) -> str:
    """The secret from 32 random bytes: 43 characters."""
    if len(randomness) != SECRET_BYTES:
        raise ValueError(f"a secret is made of {SECRET_BYTES} random bytes")
    return _text(randomness)


def hashed(secret: str) -> str:
    """What is stored of a secret."""
    return _text(sha256(secret.encode()).digest())


def same(secret: str, *hashes: str) -> bool:
    """Whether a secret has one of these hashes. Takes the same time whichever it is, or none; an empty hash is none."""
    given = hashed(secret)
    found = False
    for known in hashes:
        found |= hmac.compare_digest(given, known or _NEVER)
    return found


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
