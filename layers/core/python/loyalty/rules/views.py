"""How rule sets look from outside."""

from typing import TYPE_CHECKING, Literal

from msgspec import UNSET, Struct, UnsetType

from loyalty.ledger.views import iso
from loyalty.rules.versions import Act, Current, Published, Simulated, Written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loyalty.rules.expectations import Result


class RuleSetView(Struct, frozen=True, omit_defaults=True):
    """A rule set. ``version`` is what publishing gave it; ``status`` is ``current`` for the one in force, ``published``
    for others that have been. ``checksum`` is the SHA-256 of ``source``, which only the answer about one has.
    """

    id: str
    name: str
    status: Literal["draft", "published", "current"]
    checksum: str
    created_at: str
    created_by: str
    version: int | UnsetType = UNSET
    published_at: str | UnsetType = UNSET
    published_by: str | UnsetType = UNSET
    source: str | UnsetType = UNSET


class ActView(Struct, frozen=True):
    """Who put what in force: from version ``before`` to ``version``, 0 for the policy's own rate."""

    act: Literal["publish", "rollback"]
    version: int
    before: int
    by: str
    at: str


class RuleSetsView(Struct, frozen=True, omit_defaults=True):
    """Rule sets, the newest first; ``next`` is the cursor of the page after this one, and missing on the last.
    ``current`` is the version in force, ``previous`` those that a rollback would go back to, the nearest first; 0 is
    the policy's own rate. ``acts`` are the latest publishes and rollbacks, the newest first.
    """

    rule_sets: list[RuleSetView]
    current: int
    previous: list[int]
    acts: list[ActView]
    next: str | UnsetType = UNSET


class CaseView(Struct, frozen=True):
    """What came of one ``expect`` case: points by rule, and what each step gave."""

    name: str
    line: int
    passed: bool
    expected: int
    got: int
    of_which: dict[str, int]
    message: str
    trace: list[str]


class TestView(Struct, frozen=True):
    """What came of a rule set's own cases."""

    passed: bool
    cases: list[CaseView]


class SimulatedView(Struct, frozen=True, omit_defaults=True):
    """The rule set's newest finished simulation: points that were given, and that it would have given."""

    points_before: int
    points_after: int


class InForceView(Struct, frozen=True, omit_defaults=True):
    """What is in force now: a version, or 0 for the policy's own rate. ``cases`` is how many of its own cases it passed
    on the way.
    """

    version: int
    act: Literal["publish", "rollback"]
    by: str
    at: str
    previous: list[int]
    rule_set: RuleSetView | UnsetType = UNSET
    cases: int | UnsetType = UNSET
    simulation: SimulatedView | UnsetType = UNSET


def rule_set_view(written: Written, current: int, source: str | UnsetType = UNSET) -> RuleSetView:
    """A rule set for the API; ``current`` is the version in force."""
    return RuleSetView(
        id=written.id,
        name=written.name,
        status="draft" if not written.version else "current" if written.version == current else "published",
        checksum=written.checksum,
        created_at=iso(written.created),
        created_by=written.actor,
        version=written.version or UNSET,
        published_at=iso(written.published) if written.published else UNSET,
        published_by=written.publisher or UNSET,
        source=source,
    )


def act_view(act: Act) -> ActView:
    """A publish or rollback for the API."""
    return ActView(act.act, act.version, act.before, act.actor, iso(act.at))


def previous_of(current: Current) -> list[int]:
    """The versions before, the nearest first."""
    return list(reversed(current.previous))


def in_force_view(done: Published) -> InForceView:
    """What a publish or a rollback has put in force."""
    current = done.current
    return InForceView(
        version=current.number,
        act=current.act,
        by=current.actor,
        at=iso(current.at),
        previous=previous_of(current),
        rule_set=rule_set_view(done.written, current.number) if done.written else UNSET,
        cases=done.cases if current.act == "publish" else UNSET,
        simulation=_simulation(done.simulated) if done.simulated else UNSET,
    )


def test_view(results: "Sequence[Result]") -> TestView:
    """What came of the cases."""
    cases = [
        CaseView(
            one.name, one.line, one.passed, one.expected, one.got, dict(one.of_which), one.message, list(one.trace)
        )
        for one in results
    ]
    return TestView(all(one.passed for one in results), cases)


def _simulation(found: Simulated) -> SimulatedView:
    return SimulatedView(found.points_before, found.points_after)
