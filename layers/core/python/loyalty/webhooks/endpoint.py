"""A partner's endpoint: where to, what of, and how it fares. Pure; seconds since 1970."""

import re
from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from loyalty.ids import ulid

MAX_ENDPOINTS: Final = 20
"""Of one programme: every event is looked at for each."""
MAX_URL: Final = 2_000
OVERLAP_S: Final = 86_400
"""How long the secret before goes on signing beside a new one, unless asked otherwise."""
MAX_OVERLAP_S: Final = 30 * 86_400
FAILING_S: Final = 3 * 86_400
"""An endpoint that has taken nothing for so long is switched off."""
ANY: Final = "*"
TYPE: Final = re.compile(r"[a-z]{1,30}\.(?:[a-z_]{1,40}|\*)")
_ID: Final = re.compile(r"hook_[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)

State = Literal["on", "off"]


class Endpoint(Struct, frozen=True):
    """``events`` are types, ``points.*`` for all that begin so, ``*`` for all. ``failing`` is since when nothing was
    taken, 0 while it works; ``missed`` when it last took nothing, to the hour; ``why`` the code that it was switched
    off for. ``version`` counts the writes.
    """

    id: str
    url: str
    events: tuple[str, ...]
    secret: str
    created: int
    ordered: bool = False
    state: State = "on"
    before: str = ""
    before_until: int = 0
    failing: int = 0
    missed: int = 0
    took: int = 0
    why: str = ""
    version: int = 1

    def wants(self, kind: str) -> bool:
        """Whether events of this type go there."""
        return any(one in (ANY, kind) or (one.endswith(".*") and kind.startswith(one[:-1])) for one in self.events)

    def secrets(self, now: int) -> tuple[str, ...]:
        """What signs: the newest, and the one before while that is valid."""
        return (self.secret, self.before) if self.before and now < self.before_until else (self.secret,)

    def rotated(self, secret: str, overlap: int, now: int) -> "Endpoint":
        """With a new secret; the one before signs on for ``overlap`` seconds."""
        return replace(
            self, secret=secret, before=self.secret if overlap else "", before_until=now + overlap if overlap else 0
        )

    def fared(self, *, took: bool, gone: bool, code: str, now: int) -> "Endpoint":
        """After a run in which it took something, or nothing; ``gone`` when it said that it wants no more."""
        if took:
            return replace(self, failing=0, took=now) if self.failing or now - self.took >= 3600 else self
        since = self.failing if self.failing and now - self.missed < FAILING_S // 2 else now
        if gone or now - since >= FAILING_S:
            return replace(self, failing=since, missed=now, state="off", why=code)
        return self if self.failing == since and now - self.missed < 3600 else replace(self, failing=since, missed=now)

    def switched_on(self) -> "Endpoint":
        return replace(self, state="on", failing=0, why="")


def new_id(milliseconds: int, randomness: bytes) -> str:
    return f"hook_{ulid(milliseconds, randomness)}"


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def fields_of(endpoint: Endpoint) -> Mapping[str, str | int]:
    """As it is stored: flat."""
    return {
        "url": endpoint.url,
        "events": " ".join(endpoint.events),
        "secret": endpoint.secret,
        "created": endpoint.created,
        "ordered": int(endpoint.ordered),
        "state": endpoint.state,
        "before": endpoint.before,
        "before_until": endpoint.before_until,
        "failing": endpoint.failing,
        "missed": endpoint.missed,
        "took": endpoint.took,
        "why": endpoint.why,
        "version": endpoint.version,
    }


def endpoint_of(name: str, fields: Mapping[str, str | int]) -> Endpoint:
    """From what is stored."""
    return Endpoint(
        id=name,
        url=str(fields["url"]),
        events=tuple(str(fields["events"]).split()),
        secret=str(fields["secret"]),
        created=int(fields["created"]),
        ordered=bool(fields["ordered"]),
        state="on" if fields["state"] == "on" else "off",
        before=str(fields["before"]),
        before_until=int(fields["before_until"]),
        failing=int(fields["failing"]),
        missed=int(fields["missed"]),
        took=int(fields["took"]),
        why=str(fields["why"]),
        version=int(fields["version"]),
    )
