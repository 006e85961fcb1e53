"""What a member is recognised by: a phone number, a card, an id of a platform, an e-mail address. Pure.

An identity is stored as a keyed digest alone: who reads the table without the key can neither read it nor, since it
is keyed, try all phone numbers. The programme is part of the digest, so two programmes' tables cannot be joined by it.
"""

import base64
import hmac
import re
from hashlib import sha256
from typing import Final, NamedTuple

from loyalty.errors import Invalid
from loyalty.phones import international

KINDS: Final = ("phone", "card", "openid", "unionid", "email")
MAX_VALUE: Final = 128

_EMAIL: Final = re.compile(r"[!-?A-~]{1,64}@[!-?A-~]+\.[!-?A-~]+", re.ASCII)
_PLAIN: Final = re.compile(r"[!-~]+", re.ASCII)


class Identity(NamedTuple):
    """A kind and a value in its one normal form."""

    kind: str
    value: str


def parse(text: str, field: str = "identity") -> Identity:
    """``kind:value`` in normal form; Invalid names ``field`` and never quotes the value."""
    kind, colon, value = text.partition(":")
    if not colon or kind not in KINDS:
        raise _wrong(field, f"kind:value, where kind is one of {', '.join(KINDS)}")
    if not value or len(value) > MAX_VALUE:
        raise _wrong(field, f"{kind}: and 1 to {MAX_VALUE} characters")
    if kind == "phone":
        number = international(value)
        if not number:
            raise _wrong(field, "phone: and a number in international form, such as phone:+4915112345678")
        return Identity(kind, number)
    if kind == "email":
        address = value.strip().lower()
        if not _EMAIL.fullmatch(address):
            raise _wrong(field, "email: and one address, such as email:a@example.com")
        return Identity(kind, address)
    if not _PLAIN.fullmatch(value):
        raise _wrong(field, f"{kind}: and printable ASCII without spaces")
    return Identity(kind, value)


def digest(secret: bytes, program: str, identity: Identity) -> str:
    """HMAC-SHA256 under the identity secret, base64url without padding (43 characters). ``secret`` never changes."""
    parts = (program.encode(), identity.kind.encode(), identity.value.encode())
    message = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
    return base64.urlsafe_b64encode(hmac.digest(secret, message, sha256)).rstrip(b"=").decode()


def _wrong(field: str, expected: str) -> Invalid:
    return Invalid("REQUEST_INVALID", f"{field} must be {expected}", field=field)
