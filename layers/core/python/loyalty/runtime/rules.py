"""The rule sets that a running copy goes by: read when first needed, looked for anew every half minute, and never a
reason to stop a till.

What is in force is told by one small item. A version's artifact is read, verified and loaded once. Where that fails,
the next best serves and an alarm says so, in this order: the same version's rules as they were checked, worked out
slowly; what this copy went by until now; the version before. Where nothing can be loaded, the policy's own rate earns.
Only a table that does not answer is passed on to the caller, for its purchase needs the same table.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from loyalty.errors import Corrupt, Unavailable
from loyalty.rules.evaluation import Loaded
from loyalty.rules.seal import derived, opened_rules
from loyalty.rules.versions import Current, Version
from loyalty.runtime import observability

if TYPE_CHECKING:
    from loyalty.rules.store import RuleStore

REFRESH_SECONDS: Final = 30
"""How long a running copy goes by what it has read of which version is in force."""
RETRY_SECONDS: Final = 5
"""How soon it asks again when it got no answer."""
MEND_SECONDS: Final = 300
"""How soon it tries an artifact again that it could not load; a version published again is tried at once."""
MAX_KEPT: Final = 16
"""So many loaded versions are kept that are not in force: orders that are finished late name theirs."""

STALE: Final = "RulesStale"
"""Metric: which version is in force could not be read."""
DEGRADED: Final = "RulesDegraded"
"""Metric: a rule set serves that is not the artifact of the version in force."""

_T = TypeVar("_T")


class _Known:
    """What a copy knows of one programme."""

    __slots__ = ("current", "due", "loaded", "mend", "whole")

    def __init__(self) -> None:
        self.current = Current()
        self.loaded: Loaded | None = None
        self.whole = True
        """It is what it should be: the artifact of the version in force."""
        self.due = 0.0
        self.mend = 0.0


class Loader:
    """Rule sets of one table. ``keys`` are those that artifacts may be sealed with; ``clock`` counts seconds."""

    def __init__(
        self,
        store: "RuleStore",
        keys: Callable[[], Sequence[bytes]],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._wall = wall
        self._known: dict[str, _Known] = {}
        self._versions: dict[tuple[str, int], Loaded] = {}

    def current(self, program: str) -> Loaded | None:
        """What is in force, at most half a minute old; None where no rule set is. Unavailable when the table did not
        answer and this copy knows nothing yet.
        """
        moment = self._clock()
        known = self._known.get(program)
        if known is not None and moment < known.due:
            return known.loaded
        fresh = known or _Known()
        current, error = _tried(lambda: self._store.current(program))
        if current is None:
            self._count(STALE, program, error)
            if known is None and isinstance(error, Unavailable):
                raise error
            fresh.due = moment + RETRY_SECONDS
        else:
            self._follow(program, fresh, current, moment, cold=known is None)
            fresh.due = moment + REFRESH_SECONDS
        self._known[program] = fresh
        return fresh.loaded

    def of_version(self, program: str, number: int) -> Loaded:
        """A version that an order names. Unavailable when the table did not answer, Corrupt when it cannot be loaded
        in any form.
        """
        known = self._known.get(program)
        if known is not None and known.loaded is not None and known.loaded.version == number:
            return known.loaded
        kept = self._versions.get((program, number))
        if kept is not None:
            return kept
        version = self._store.version(program, number)
        if version is None:
            raise Corrupt(f"there is no version {number} of the rule set")
        loaded, errors = self._load(program, version)
        if errors:
            self._count(DEGRADED, program, errors[-1], version=number)
        if loaded is None:
            _raise_unanswered(errors)
            raise Corrupt(f"version {number} of the rule set cannot be loaded")
        while len(self._versions) >= MAX_KEPT:
            del self._versions[next(iter(self._versions))]
        self._versions[program, number] = loaded
        return loaded

    def _follow(self, program: str, known: _Known, current: Current, moment: float, *, cold: bool) -> None:
        """Go by ``current`` from now on, as well as may be."""
        same = known.current.version == current.version
        if not (same and (known.whole or moment < known.mend)):
            errors = self._replace(program, known, current, cold=cold)
            known.current = current
            known.whole = not errors
            known.mend = moment + (MEND_SECONDS if _serves(known, current) else RETRY_SECONDS)
            if errors:
                self._count(DEGRADED, program, errors[0], version=current.number)
        elif not known.whole:
            self._count(DEGRADED, program, None, version=current.number)

    def _replace(self, program: str, known: _Known, current: Current, *, cold: bool) -> list[Exception]:
        """Load the version in force, or the next best; what went wrong on the way. A ``cold`` copy went by nothing
        before, so it has nothing else to go by when the table does not answer.
        """
        if current.version is None:
            known.loaded = None
            return []
        loaded, errors = self._load(program, current.version)
        if loaded is None and cold:
            _raise_unanswered(errors)
            loaded = self._before(program, current.previous[-1], errors) if current.previous else None
        known.loaded = loaded or known.loaded
        return errors

    def _before(self, program: str, number: int, errors: list[Exception]) -> Loaded | None:
        version, error = _tried(lambda: self._store.version(program, number)) if number else (None, None)
        if error is not None:
            errors.append(error)
        if version is None:
            return None
        loaded, further = self._load(program, version)
        errors.extend(further)
        return loaded

    def _load(self, program: str, version: Version) -> tuple[Loaded | None, list[Exception]]:
        """A version from its artifact, else from its tree, and what went wrong."""
        from loyalty.rules import artifact

        # The secret is asked for while the artifact is read.
        (content, error), (keys, unread) = self._store.together(
            lambda: _tried(lambda: self._store.blob(program, version.artifact)),
            lambda: _tried(self._keys),
        )
        errors = [one for one in (error, _without_secret(unread)) if one is not None]
        if content is not None and keys is not None:
            own = [derived(key, "artifact", program, version.number) for key in keys]
            compiled, error = _tried(lambda: artifact.load(content, own))
            if compiled is not None:
                return Loaded(version.number, compiled), []
            errors += [error] if error else []
        loaded, error = _tried(lambda: self._from_tree(program, version, keys or ()))
        return loaded, errors + ([error] if error else [])

    def _from_tree(self, program: str, version: Version, keys: Sequence[bytes]) -> Loaded:
        from loyalty.rules.interpret import Interpreter

        sealed = self._store.blob(program, version.tree)
        return Loaded(version.number, Interpreter(opened_rules(sealed, keys, program, version.number)))

    def _count(self, metric: str, program: str, error: Exception | None, version: int = 0) -> None:
        reason = type(error).__name__ if error is not None else "AsBefore"
        observability.count(metric, now_ms=int(self._wall() * 1000), program=program, version=version, reason=reason)


def _tried(call: Callable[[], _T]) -> tuple[_T | None, Exception | None]:
    """What a call returns, or raises."""
    try:
        return call(), None
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a rule set, the next best serves and an alarm says so
        return None, error


def _without_secret(error: Exception | None) -> Exception | None:
    """A secret that cannot be read is nothing that the purchase itself would miss: it is not the table's silence."""
    return None if error is None else Corrupt("the secret that seals rule sets cannot be read")


def _raise_unanswered(errors: list[Exception]) -> None:
    """Raise the table's silence, if that was among what went wrong: the caller may come again."""
    for error in errors:
        if isinstance(error, Unavailable):
            raise error


def _serves(known: _Known, current: Current) -> bool:
    """Whether it is the version in force that serves, in whatever form."""
    return known.loaded is not None and known.loaded.version == current.number
