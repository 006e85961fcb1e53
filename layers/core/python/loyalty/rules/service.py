"""Use cases: hand a rule set in, try it, put it in force, go back.

What is handed in never changes. Publishing checks and tries it once more, compiles it, seals what functions will load,
loads that very artifact, and only then moves the one item that says which version is in force. A step that fails leaves
the version in force where it was.

Reading YAML and SQL and compiling are heavy, so they are imported where they are needed; the functions that earn never
come here.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import compress, decompress

from msgspec.structs import replace

from loyalty.errors import Conflict, Corrupt, NotFound, Refused
from loyalty.rules.leases import BudgetStore, put_of
from loyalty.rules.ruleset import Campaign, RuleSet, encode
from loyalty.rules.seal import Unsealed, derived, fingerprint, opened_rules, sealed_rules
from loyalty.rules.store import RuleStore
from loyalty.rules.versions import Act, Current, Published, Simulated, Version, Written, is_id, version_of
from loyalty.table.writes import Cancelled, Contended, Put

if TYPE_CHECKING:
    from loyalty.programs.terms import Program
    from loyalty.rules.document import Known
    from loyalty.rules.evaluation import Evaluator
    from loyalty.rules.expectations import Expectation, Result

MAX_SOURCE: Final = 1_000_000
"""Characters of one rule set's YAML."""
MAX_ISSUES: Final = 100
"""So many are told at once."""
MAX_TRIES: Final = 8
CURRENT: Final = "current"


class Checked(NamedTuple):
    """A rule set that may be published, and the cases that it must pass."""

    rules: RuleSet
    expectations: "tuple[Expectation, ...]"


class RuleSets:
    """Rule sets of one table. ``keys`` are those that seal, the newest first; ``simulated`` tells the newest finished
    backtest of a rule set, by its id; ``segments`` the ids of a programme's segments.
    """

    def __init__(
        self,
        store: RuleStore,
        keys: Callable[[], Sequence[bytes]],
        policy: "Callable[[str], Program]",
        budgets: BudgetStore,
        simulated: Callable[[str, str], Simulated | None],
        segments: Callable[[str], Sequence[str]],
    ) -> None:
        self._store = store
        self._keys = keys
        self._policy = policy
        self._budgets = budgets
        self._simulated = simulated
        self._segments = segments

    def hand_in(self, program: str, source: str, *, rule_set: str, actor: str, now: int) -> Written:
        """Keep a rule set that is right in itself, and names no tier or segment that the programme lacks, as a draft;
        RULE_SET_INVALID names every place that is not.
        """
        checked = self._check(program, source, self._known(program))
        content = source.encode()
        written = Written(
            id=rule_set,
            name=checked.rules.name,
            checksum=fingerprint(content),
            source=self._store.put_blob(program, compress(content)),
            created=now,
            actor=actor,
        )
        self._store.add(program, written)
        return written

    def page(self, program: str, limit: int, after: str | None) -> tuple[list[Written], str | None]:
        """Rule sets, the newest first, and the id to go on after."""
        return self._store.page(program, limit, after)

    def current(self, program: str) -> Current:
        """What is in force."""
        return self._store.current(program)

    def acts(self, program: str, limit: int) -> list[Act]:
        """Who put what in force, the newest first."""
        return self._store.acts(program, limit)

    def named(self, program: str, name: str) -> Written:
        """The rule set that ``name`` names: its id, ``v12``, or ``current``; NotFound."""
        if name == CURRENT:
            version = self._store.current(program).version
            rule_set = version.rule_set if version else ""
        elif (number := version_of(name)) is not None:
            numbered = self._store.version(program, number)
            rule_set = numbered.rule_set if numbered else ""
        else:
            rule_set = name
        written = self._store.written(program, rule_set) if is_id(rule_set) else None
        if written is None:
            raise NotFound("RULE_SET_NOT_FOUND", "There is no such rule set in this programme")
        return written

    def source(self, program: str, written: Written) -> str:
        """As it was handed in."""
        return decompress(self._store.blob(program, written.source)).decode()

    def checked(self, program: str, name: str) -> RuleSet:
        """The rules of what ``name`` names, as they are checked today; NotFound, Refused."""
        return self._check(program, self.source(program, self.named(program, name))).rules

    def test(self, program: str, name: str) -> "list[Result]":
        """What comes of its ``expect`` cases; NotFound, Refused."""
        from loyalty.rules.compiler import compiled

        checked = self._check(program, self.source(program, self.named(program, name)))
        return _run(checked, compiled(checked.rules))

    def publish(self, program: str, name: str, *, seen: int | None, actor: str, now: int) -> Published:
        """Put a rule set in force. ``seen`` is the revision that the caller goes by, None for whichever there is.

        A rule set that has its version keeps it, as long as it still means the same; it is compiled and sealed anew, so
        publishing again also mends an artifact. Tiers and segments that are gone since do not keep it from going back
        in force: they are held against the programme until a rule set was published once. Refused when it is no longer
        right, a case fails or the guard speaks; Conflict when somebody else was first.
        """
        written = self.named(program, name)
        before = self._seen(program, seen)
        known = None if written.version else self._known(program)
        checked = self._check(program, self.source(program, written), known)
        simulated = self._guarded(program, written, checked.rules, before)
        number = self._number(program, written, checked.rules, before)
        version, evaluator = self._built(program, written, checked.rules, number)
        cases = _passed(_run(checked, evaluator))
        after = before.published(version, actor=actor, now=now)
        made = replace(written, version=number, published=now, publisher=actor)
        self._move(program, before, after, (version, made), lambda: self._paid(program, checked.rules.campaigns))
        return Published(made, after, cases, simulated)

    def roll_back(self, program: str, name: str, *, seen: int | None, actor: str, now: int) -> Published:
        """Put in force what was before the version in force, which ``name`` must name: sent twice, it goes back
        once.
        """
        written = self.named(program, name)
        before = self._seen(program, seen)
        if before.version is None or before.version.rule_set != written.id:
            raise Conflict(
                "RULE_SET_NOT_CURRENT", f"Version {before.number} is in force" if before.number else "None is in force"
            )
        number = before.previous[-1] if before.previous else 0
        version = self._store.version(program, number) if number else None
        after = before.rolled_back(version, actor=actor, now=now)
        target = self._store.written(program, version.rule_set) if version else None
        campaigns = self._campaigns(program, version) if version else ()
        self._move(program, before, after, None, lambda: self._paid(program, campaigns, at_least=True))
        return Published(target, after)

    def _known(self, program: str) -> "Known":
        """The tiers and segments of a programme, as they are now."""
        from loyalty.rules.document import Known

        tiers = self._policy(program).tiers
        return Known(tuple(level.id for level in tiers.levels) if tiers else (), tuple(self._segments(program)))

    def _check(self, program: str, source: str, known: "Known | None" = None) -> Checked:
        from loyalty.rules import document

        found = document.check(source, "rules", self._policy(program), known)
        if found.rules is None:
            issues = found.issues
            first = issues[0]
            raise Refused(
                "RULE_SET_INVALID",
                f"line {first.line}, column {first.column}: {first.message}",
                field="source",
                issues=[
                    {
                        "line": one.line,
                        "column": one.column,
                        "code": one.code,
                        "message": one.message,
                        **({"suggestion": one.suggestion} if one.suggestion else {}),
                    }
                    for one in issues[:MAX_ISSUES]
                ],
            )
        return Checked(found.rules, found.expectations)

    def _seen(self, program: str, seen: int | None) -> Current:
        current = self._store.current(program)
        if seen is not None and seen != current.revision:
            raise _moved_on()
        return current

    def _guarded(self, program: str, written: Written, rules: RuleSet, before: Current) -> Simulated | None:
        """The newest backtest of this very rule set, if it allows a publish, by its own guard and the programme's."""
        guards = [guard for guard in (rules.guard_percent, self._policy(program).guard_percent) if guard]
        percent = min(guards, default=0)
        found = self._simulated(program, written.id)
        mends = before.version is not None and before.version.rule_set == written.id
        if percent and not mends:
            if found is None or not found.points_before:  # days on which nothing was given tell nothing
                raise Refused(
                    "RULE_SET_NOT_SIMULATED",
                    f"There is a guard of {percent} % and no finished simulation of days on which points "
                    "were given to hold it against",
                )
            if found.exceeds(percent):
                raise Refused(
                    "RULE_SET_GUARD_EXCEEDED",
                    f"Its simulation changes the points given by more than {percent} %",
                    points_before=found.points_before,
                    points_after=found.points_after,
                    guard_percent=percent,
                )
        return found

    def _number(self, program: str, written: Written, rules: RuleSet, before: Current) -> int:
        """The version that these rules have, or the next: one number never means two things."""
        had = self._store.version(program, written.version) if written.version else None
        return had.number if had is not None and had.rules == fingerprint(encode(rules)) else before.newest + 1

    def _built(self, program: str, written: Written, rules: RuleSet, number: int) -> "tuple[Version, Evaluator]":
        """What functions will load, kept in the table and loaded here first."""
        from loyalty.rules import artifact, compiler

        key = self._keys()[0]
        own = derived(key, "artifact", program, number)
        signed = artifact.sign(compiler.build(rules), own)
        loaded = artifact.load(signed, [own])
        version = Version(
            number=number,
            rule_set=written.id,
            rules=fingerprint(encode(rules)),
            tree=self._store.put_blob(program, sealed_rules(rules, key, number)),
            artifact=self._store.put_blob(program, signed),
        )
        return version, loaded

    def _campaigns(self, program: str, version: Version) -> Sequence[Campaign]:
        """The campaigns of a version as it was built; none when it cannot be opened any more: it goes back in force all
        the same, and budgets stay as they are.
        """
        try:
            sealed = self._store.blob(program, version.tree)
            return opened_rules(sealed, self._keys(), program, version.number).campaigns
        except (Corrupt, Unsealed):
            return ()

    def _paid(self, program: str, campaigns: Sequence[Campaign], *, at_least: bool = False) -> list[Put]:
        """The campaigns' budgets as they are to be. Refused for one that is lower than what running copies have taken
        of it; with ``at_least`` it becomes just that.
        """
        writes = []
        for campaign in campaigns:
            budget = self._budgets.get(program, campaign.id)
            taken = budget.leased if budget else 0
            if campaign.points < taken and not at_least:
                raise Refused(
                    "RULE_SET_BUDGET_TOO_LOW",
                    f"Of campaign {campaign.id}, {taken} points are taken already",
                    campaign=campaign.id,
                    points=campaign.points,
                    taken=taken,
                )
            if budget is None or budget.points != max(campaign.points, taken):
                writes.append(put_of(program, campaign.id, max(campaign.points, taken), budget))
        return writes

    def _move(
        self,
        program: str,
        before: Current,
        after: Current,
        made: tuple[Version, Written] | None,
        budgets: Callable[[], Sequence[Put]],
    ) -> None:
        """Put ``after`` in force, and budgets with it; Conflict when somebody else was first."""
        for left in reversed(range(MAX_TRIES)):
            try:
                self._store.move(program, before, after, made, budgets())
            except Cancelled as cancelled:
                if 0 in cancelled.failed:
                    raise _moved_on() from None
                if not left:
                    raise Contended from None  # somebody takes of a budget all the time
            except Contended:  # another transaction was in the way, which may have failed: see what came of it
                if self._store.current(program).revision != before.revision:
                    raise _moved_on() from None
                if not left:
                    raise
            else:
                return


def _run(checked: Checked, evaluator: "Evaluator") -> "list[Result]":
    """What comes of the cases, by the engine that posts purchases."""
    from loyalty.rules import expectations

    return expectations.run(evaluator, checked.expectations)


def _passed(results: "list[Result]") -> int:
    """How many cases came out as they should; Refused names the first that did not."""
    for one in results:
        if not one.passed:
            raise Refused("RULE_SET_EXPECTATION_FAILED", f"{one.name}: {one.message}", case=one.name)
    return len(results)


def _moved_on() -> Conflict:
    return Conflict("RULE_SET_VERSION_CONFLICT", "Look at what is in force now, and decide again")
