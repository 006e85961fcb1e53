"""Clients: who may call a programme's API, and with which secret. Pure. Times are seconds since 1970, UTC."""

import re
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from loyalty.clients import credentials
from loyalty.clients.roles import ROLES
from loyalty.ids import ulid

MAX_OVERLAP: Final = 7 * 86_400
OVERLAP: Final = 86_400
"""Seconds that a replaced secret works on, unless the rotation says otherwise."""


_ID: Final = re.compile(r"cli_[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)


def is_id(text: str) -> bool:
    """Whether it can be a client's id."""
    return _ID.fullmatch(text) is not None


def new_id(now_ms: int, randomness: bytes) -> str:
    """A client's id from a time and 10 random bytes."""
    return f"cli_{ulid(now_ms, randomness)}"


class Client(Struct, frozen=True):
    """A client as stored. ``narrower`` scopes empty: all of its role's. ``limit`` is requests a second for each running
    copy of a function, 0 for none; ``store`` empty: any. ``secret`` and ``old_secret`` are hashes.
    """

    id: str
    name: str
    role: str
    narrower: frozenset[str]
    store: str
    limit: int
    created: int
    secret: str
    old_secret: str = ""
    old_until: int = 0
    rotated: int = 0
    revoked: int = 0
    version: int = 1

    @property
    def scopes(self) -> frozenset[str]:
        granted = ROLES.get(self.role, frozenset())
        return granted & self.narrower if self.narrower else granted

    def knows(self, secret: str, now: int) -> bool:
        """Whether ``secret`` is this client's at ``now``."""
        right = credentials.same(secret, self.secret, self.old_secret if now < self.old_until else "")
        return right and not self.revoked

    def rotated_to(self, secret: str, overlap: int, replace_newest: bool, now: int) -> "Client":
        """With a new secret. The one that it replaces works for ``overlap`` more seconds; at most two work at once.

        ``replace_newest`` takes the newest secret's place, as if it had never been handed out, and leaves the one
        before in its own time.
        """
        if replace_newest:
            return replace(self, secret=credentials.hashed(secret), rotated=now, version=self.version + 1)
        return replace(
            self,
            secret=credentials.hashed(secret),
            old_secret=self.secret if overlap else "",
            old_until=now + overlap if overlap else 0,
            rotated=now,
            version=self.version + 1,
        )

    def revoked_at(self, now: int) -> "Client":
        """Without any secret. The record stays, for entries name the client that caused them."""
        return replace(self, secret="", old_secret="", old_until=0, revoked=now, version=self.version + 1)

    @property
    def governs(self) -> bool:
        """Whether it can make clients of every kind: what a programme must never be without."""
        return not self.revoked and not self.store and self.scopes == ROLES["operator"]
