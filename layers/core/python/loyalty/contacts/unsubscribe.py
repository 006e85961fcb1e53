"""The link with which a member has no more of it, in one step and for as long as the key is known. Pure.

A token says whose contact it is and which channel, and is signed for this alone. It is short enough for an SMS, and
holds nothing but ids.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from hashlib import sha256
from typing import Final, NamedTuple

from loyalty.contacts.preferences import CHANNELS

ALL: Final = "all"
PATH: Final = "/v1/unsubscribe/"
MAX_LENGTH: Final = 120
_PREFIX: Final = "mem_"
_TOKEN: Final = re.compile(
    rf"([a-z][a-z0-9-]{{1,31}})\.([0-9A-Z]{{26}})\.({'|'.join((ALL, *CHANNELS))})\.([A-Za-z0-9_-]{{22}})", re.ASCII
)
_PURPOSE: Final = b"loyalty:unsubscribe\x00"
_BYTES: Final = 16


class Link(NamedTuple):
    """Whose contact a link ends, and on which channel; ``ALL`` for every one."""

    program: str
    account: str
    channel: str

    @property
    def channels(self) -> tuple[str, ...]:
        return CHANNELS if self.channel == ALL else (self.channel,)


def token(secret: str, link: Link) -> str:
    """What stands in the link."""
    said = f"{link.program}.{link.account.removeprefix(_PREFIX)}.{link.channel}"
    return f"{said}.{_signature(secret, said)}"


def read(secrets: Iterable[str], text: str) -> Link | None:
    """What a token says; None for what none of the secrets signed ("" signs nothing)."""
    match = _TOKEN.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if match is None:
        return None
    said = text.rpartition(".")[0]
    if not any(secret and hmac.compare_digest(_signature(secret, said), match[4]) for secret in secrets):
        return None
    return Link(match[1], _PREFIX + match[2], match[3])


def _signature(secret: str, said: str) -> str:
    digest = hmac.digest(secret.encode(), _PURPOSE + said.encode(), sha256)[:_BYTES]
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
