"""What is kept of rule sets: as they were written, as they were published, and which is in force. Pure.

Times are seconds since 1970, UTC.
"""

import re
from typing import Final, Literal, NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from loyalty.ids import ulid

MAX_PREVIOUS: Final = 50
"""So many steps back are remembered."""
_ID: Final = re.compile(r"rls_[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)
_VERSION: Final = re.compile(r"v([1-9][0-9]{0,8})", re.ASCII)


def new_id(now_ms: int, randomness: bytes) -> str:
    """A rule set's id from a time and 10 random bytes."""
    return f"rls_{ulid(now_ms, randomness)}"


def is_id(text: str) -> bool:
    """Whether it can be a rule set's id."""
    return _ID.fullmatch(text) is not None


def version_of(text: str) -> int | None:
    """12 for ``v12``; None for anything else."""
    match = _VERSION.fullmatch(text)
    return int(match[1]) if match else None


class Blob(Struct, frozen=True, array_like=True):
    """Where a long text lies: items are named by its digest, so what is written once is never another."""

    digest: str
    parts: int


class Written(Struct, frozen=True):
    """A rule set as it was handed in. It never changes but for getting a version when it is published."""

    id: str
    name: str
    checksum: str
    """SHA-256 of its source."""
    source: Blob
    created: int
    actor: str
    version: int = 0
    """0: a draft."""
    published: int = 0
    publisher: str = ""


class Version(Struct, frozen=True):
    """A published version: the rules as checked (``tree``), and what functions load (``artifact``), both sealed."""

    number: int
    rule_set: str
    rules: str
    """SHA-256 of the checked rules: the same number always means the same rules."""
    tree: Blob
    artifact: Blob


class Act(Struct, frozen=True):
    """Who put what in force: from version ``before`` to ``version``, 0 for no rule set."""

    act: Literal["publish", "rollback"]
    version: int
    before: int
    actor: str
    at: int


class Current(Struct, frozen=True):
    """Which version is in force, how it came so, and where it lies: all that a running copy reads again and again.

    ``version`` is None where no rule set is in force, and ``previous`` has the numbers of those before, the newest
    last, 0 for none. ``revision`` counts the changes of this from 1; 0 is before the first.
    """

    revision: int = 0
    version: Version | None = None
    newest: int = 0
    """The highest number that was given."""
    previous: tuple[int, ...] = ()
    act: Literal["publish", "rollback"] = "publish"
    actor: str = ""
    at: int = 0

    @property
    def number(self) -> int:
        """Of the version in force; 0 for none."""
        return self.version.number if self.version else 0

    def published(self, version: Version, *, actor: str, now: int) -> "Current":
        """With ``version`` in force; the one that was is one step back, unless it is the same."""
        steps = self.previous if version.number == self.number and self.revision else (*self.previous, self.number)
        return Current(
            revision=self.revision + 1,
            version=version,
            newest=max(self.newest, version.number),
            previous=steps[-MAX_PREVIOUS:],
            act="publish",
            actor=actor,
            at=now,
        )

    def rolled_back(self, before: Version | None, *, actor: str, now: int) -> "Current":
        """With the one before in force (``before``, None where that is no rule set at all)."""
        return replace(
            self,
            revision=self.revision + 1,
            version=before,
            previous=self.previous[:-1],
            act="rollback",
            actor=actor,
            at=now,
        )


class Simulated(Protocol):
    """What publishing needs of a finished backtest."""

    @property
    def points_before(self) -> int: ...
    @property
    def points_after(self) -> int: ...
    def exceeds(self, guard: int) -> bool:
        """Whether the points given change by more than ``guard`` per cent."""
        ...


class Published(NamedTuple):
    """What a publish or a rollback has put in force; ``written`` is None where that is no rule set at all."""

    written: Written | None
    current: Current
    cases: int = 0
    simulated: Simulated | None = None
