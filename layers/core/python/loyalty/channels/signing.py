"""Signatures of the Standard Webhooks specification, so that receivers verify with a library of theirs. Pure."""

import base64
import binascii
import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

PREFIX: Final = "whsec_"
MIN_KEY: Final = 24
MAX_KEY: Final = 64
"""Bytes of a key, as the specification allows them."""


def key_of(secret: str) -> bytes:
    """The key in a secret, which is ``whsec_`` and base64. ValueError when it is none, or of a wrong length."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a webhook's secret is whsec_ and base64") from None
    if not MIN_KEY <= len(key) <= MAX_KEY:
        raise ValueError(f"a webhook's key has {MIN_KEY} to {MAX_KEY} bytes")
    return key


def secret_of(key: bytes) -> str:
    """A secret as receivers write it down."""
    return PREFIX + base64.b64encode(key).decode()


def signature(secret: str, message_id: str, at: int, body: bytes) -> str:
    """Of one delivery ``at`` seconds since 1970."""
    signed = b".".join((message_id.encode(), str(at).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, sha256)).decode()


def headers(secrets: Iterable[str], message_id: str, at: int, body: bytes) -> dict[str, str]:
    """What goes with the body: one signature for each secret that is valid at the moment."""
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signature(secret, message_id, at, body) for secret in secrets),
    }
