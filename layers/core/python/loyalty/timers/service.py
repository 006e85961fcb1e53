"""A night: planned in batches, each drained by itself, all of it safe to do again.

``Night`` says what is to be done next, and notes what is done. ``Drain`` does one batch: it reads each account and
appends what is due under a reference made of kind and day, so that a second run finds the entry and changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct, to_builtins

from loyalty.errors import Corrupt, NotFound, Problem, Unavailable
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Cause, Chain, Entry, fingerprint
from loyalty.ledger.service import Ledger
from loyalty.programs.terms import Program
from loyalty.table import keys
from loyalty.timers.store import PAGE, TimerStore
from loyalty.timers.timer import (
    AT_THE_HOUR,
    ORDER,
    REARM,
    REMINDER,
    SEEN_TO,
    Aside,
    Batch,
    Cursor,
    Due,
    Timer,
    cursor_of,
    reference,
)

MAX_BATCHES: Final = 400
"""Batches of one plan: some 80 KB, and a state machine hands on 256."""
ACTOR: Final = "night"
_BY_ITSELF: Final = frozenset({"lapsed", "activated", "repaid", "expired", "merged"})
"""Reasons of what an account settles by itself."""

Act = Callable[[Draft, Program, int], object]
"""Does what is due on a day: begins the command, and leaves moves or details, or neither when nothing is due."""
Policy = Callable[[str], Program]
Moment = Callable[[str, int], int]
"""The time in a programme, when it is ``now``."""


class Plan(Struct, frozen=True, omit_defaults=True):
    """What to do next; with it the plan after it is asked for. Nothing is left to do when there are no batches."""

    batches: list[Batch]
    done: bool
    at: Cursor | None = None
    program: str = ""
    until: int = 0
    again: int = 0
    """Since when those who are set aside are tried again, in seconds; 0 where they are left to their day."""

    def plain(self) -> dict[str, Any]:
        """As JSON data, every field written out."""
        found: dict[str, Any] = to_builtins(self)
        return {"batches": [], "at": None, "program": "", "until": 0, "again": 0, **found}


class Night:
    """Plans. ``functions`` names the function that drains a kind; kinds without one are not looked for. ``digest`` is
    that of all terms that a programme's timers follow from, ``hour`` the one of its day from which members are told
    anything.
    """

    def __init__(
        self,
        store: TimerStore,
        policy: Policy,
        functions: Mapping[str, str],
        digest: Callable[[Program], str],
        hour: Callable[[str], int] = lambda _: 0,
    ) -> None:
        self._store = store
        self._policy = policy
        self._functions = functions
        self._digest = digest
        self._hour = hour
        self._kinds = [kind for kind in ORDER if kind in functions]

    def plan(self, asked: Mapping[str, Any], now: Callable[[str], int]) -> Plan:
        """The next batches, which may be drained in any order; they must all be done before the next plan is asked for.

        ``asked`` is the plan before, or what a night is started with: ``program`` for one alone, ``until`` for the last
        day, ``again`` to have those tried who are set aside in this one. ``now`` is the time in a programme; no day is
        drained before it has begun there.
        """
        only, last = str(asked.get("program") or ""), int(asked.get("until") or 0)
        if asked.get("again") and only:
            since = now(only) if asked["again"] is True else int(asked["again"])
            found = self._tried_again(only, since)
            if found:
                return Plan(found, False, None, only, last, since)
        at = cursor_of(asked.get("at"))
        for program, since in self._store.programs():
            if (only and program != only) or (at is not None and program < at.program):
                continue
            here = at if at is not None and at.program == program else None
            batches, cursor = self._of_program(program, since, here, now, last)
            if batches:
                return Plan(batches, False, cursor, only, last)
        return Plan([], True, None, only, last)

    def _of_program(
        self, name: str, since: int, at: Cursor | None, now: Callable[[str], int], last: int
    ) -> tuple[list[Batch], Cursor | None]:
        try:
            program = self._policy(name)
        except NotFound:
            return [], None
        moment = now(name)
        today = program.day(moment)
        found = self._sweep(program, today, at)
        if found[0]:
            return found
        marks = self._store.marks(name)
        # A kind without a mark is new: of the days that the others have behind them, all but the last are none of its.
        begun = min(marks.values(), default=since + 1) - 1
        first = min((marks.get(kind, begun) for kind in self._kinds), default=today) + 1
        for day in range(first, (min(today, last) if last else today) + 1):
            for kind in self._kinds:
                if marks.get(kind, begun) >= day:
                    continue
                if kind in AT_THE_HOUR and day == today and _hour_of(moment, program.timezone) < self._hour(name):
                    continue
                here = at is not None and (at.day, at.kind) == (day, kind)
                start = at if here and at is not None else Cursor(name, day, kind, 0, "")
                batches, cursor = self._gather(start)
                if batches:
                    return batches, cursor
                self._store.mark(name, kind, day)
        return [], None

    def _sweep(self, program: Program, today: int, at: Cursor | None) -> tuple[list[Batch], Cursor | None]:
        """Batches of all accounts while the terms are not those that their timers were armed under."""
        digest = self._digest(program)
        if REARM not in self._functions:
            return [], None
        if self._store.terms(program.program) == digest:
            if at is not None and at.kind != REARM:
                return [], None
            # Whose timers could not be put, on a day before this one.
            left = [one.timer for one in self._store.swept_aside(program.program) if 0 <= one.again <= today]
            function = self._functions[REARM]
            batches = [self._store.one(timer, function) for timer in left[:MAX_BATCHES]]
            return batches, Cursor(program.program, today, REARM, 0, "") if batches else None
        start = at if at is not None and at.kind == REARM else Cursor(program.program, today, REARM, 0, "")
        batches, cursor = self._gather(start)
        if not batches:
            self._store.note_terms(program.program, digest)
        return batches, cursor

    def _tried_again(self, program: str, since: int) -> list[Batch]:
        """Batches of those who are set aside and have not been tried since."""
        marks = self._store.marks(program)
        left = [one.timer for one in self._store.aside(program) if outstanding(one, marks) and one.at < since]
        known = [timer for timer in left if timer.kind in self._functions]
        return [self._store.one(timer, self._functions[timer.kind]) for timer in known[:MAX_BATCHES]]

    def _gather(self, at: Cursor) -> tuple[list[Batch], Cursor]:
        """Batches from ``at`` on, to the end of the kind's day at the most."""
        batches: list[Batch] = []
        function = self._functions[at.kind]
        shard, after = at.shard, at.after
        while shard < keys.TIMER_SHARDS and len(batches) < MAX_BATCHES:
            if at.kind == REARM:
                found, more = self._store.accounts(at.program, shard, after, PAGE)
            else:
                found, more = self._store.keys_of(at.program, at.kind, at.day, shard, after, PAGE)
            if found:
                batches.append(Batch(at.program, at.kind, at.day, shard, after, found[-1], function))
                after = found[-1]
            if not more:
                shard, after = shard + 1, ""
        return batches, Cursor(at.program, at.day, at.kind, shard, after)


class Drained(Struct):
    """What became of a batch: timers looked at, entries written, timers armed anew, accounts set aside."""

    looked: int = 0
    written: int = 0
    armed: int = 0
    aside: int = 0


class Drain:
    """Does batches. ``ledger`` arms what an entry makes due of other kinds; of its own kind the drain arms it. ``tell``
    hears of (programme, kind, reason) for each account that is set aside.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: TimerStore,
        policy: Policy,
        dues: Mapping[str, Due],
        tell: Callable[[str, str, str], None],
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._policy = policy
        self._dues = dues
        self._tell = tell

    def drain(self, batch: Batch, act: Act, now: int) -> Drained:
        """See to every account of a batch. One that cannot be seen to is set aside with its reason and comes again the
        next day. Unavailable, when the storage does not answer: then the batch is to be done again.
        """
        program, done = self._policy(batch.program), Drained()
        for chain in self._store.chains(batch):
            timer = Timer(chain, batch.kind, batch.day)
            done.looked += 1
            try:
                self._see_to(timer, program, act, now, done)
                if batch.again:
                    self._store.seen_to(timer, now)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one account, the others have their night
                self._set_aside(timer, reason(error), now, program.day(now) + 1)
                done.aside += 1
        return done

    def rearm(self, batch: Batch, now: int) -> Drained:
        """Arm every timer of the accounts of a batch, whatever is armed already."""
        program, done = self._policy(batch.program), Drained()
        for chain in self._store.chains(batch):
            done.looked += 1
            try:
                head = self._ledger.store.head(chain)
                if head is not None:
                    done.armed += arm(self._store, program, chain, self._all(head.state, program), now)
                if batch.again:
                    self._store.seen_to(Timer(chain, batch.kind, batch.day), now)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                timer = Timer(chain, batch.kind, batch.day)
                self._store.set_aside(timer, reason(error), now, program.day(now) + 1)
                self._tell(batch.program, batch.kind, reason(error))
                done.aside += 1
        return done

    def _all(self, state: State, program: Program) -> dict[str, int]:
        found = {kind: due(state, program) for kind, due in self._dues.items()}
        return {kind: day for kind, day in found.items() if day is not None}

    def _see_to(self, timer: Timer, program: Program, act: Act, now: int, done: Drained) -> None:
        chain, kind, day = timer.chain, timer.kind, timer.day
        # Of several days that were missed a member hears once.
        ref = reference(kind, max(day, program.day(now)) if kind == REMINDER else day)
        cause = Cause(ref, fingerprint(ref), ACTOR, now)
        opened = self._ledger.open(chain, cause, now, new=True)
        if opened.head is None or opened.state.status == "closed":
            return

        def decide(draft: Draft) -> None:
            act(draft, program, day)
            if not draft.detail and all(move[0] in _BY_ITSELF for move in draft.moves):
                draft.kind = "expired"

        again = opened.done is not None
        if again:
            state = opened.state
        else:
            posted = self._ledger.commit(opened, decide)
            state = posted.entry.state
            done.written += not posted.replayed and posted.entry.ref == ref
        following = self._dues[kind](state, program)
        if following is None or following <= day:
            return
        timer = Timer(chain, kind, following)
        if not again or not self._store.armed(timer):
            self._store.put(timer)
            done.armed += 1

    def _set_aside(self, timer: Timer, why: str, now: int, again: int) -> None:
        again = max(again, timer.day + 1)
        self._store.set_aside(timer, why, now, again)
        self._store.put(Timer(timer.chain, timer.kind, again))
        self._tell(timer.chain.program, timer.kind, why)


def outstanding(aside: Aside, marks: Mapping[str, int]) -> bool:
    """Whether an account that was set aside has not been seen to since; ``marks`` are how far the nights have come. One
    that fails again is set aside again. A sweep has no marks: it says so itself.
    """
    if aside.again == SEEN_TO:
        return False
    return not aside.again or aside.timer.kind == REARM or aside.again > marks.get(aside.timer.kind, 0)


def _hour_of(moment: int, timezone: str) -> int:
    return datetime.fromtimestamp(moment, ZoneInfo(timezone)).hour


def reason(error: Exception) -> str:
    """Why an account was set aside, without anything that it holds."""
    if isinstance(error, Problem):
        return error.code
    return "CORRUPT" if isinstance(error, Corrupt) else type(error).__name__


class Arming:
    """Puts the timers that entries name, and enters programmes in the list of those that have nights."""

    def __init__(self, store: TimerStore, policy: Policy, moment: Moment) -> None:
        self._store = store
        self._policy = policy
        self._moment = moment
        self._known: set[str] = set()

    def arm(self, entries: Sequence[Entry], now: int) -> int:
        """How many timers were put; doing it twice changes nothing."""
        count = 0
        for entry in entries:
            name = entry.chain.program
            if name in self._known and not entry.timers:
                continue
            program, moment = self._policy(name), self._moment(name, now)
            if name not in self._known:
                self._store.register(name, program.day(moment) - 1)
                self._known.add(name)
            count += arm(self._store, program, entry.chain, entry.timers, moment)
        return count


def arm(store: TimerStore, program: Program, chain: Chain, due: Mapping[str, int], now: int) -> int:
    """Put timers; a day that has begun may be drained already, so that what is due by then is looked at on the next
    one. Returns how many.
    """
    tomorrow = program.day(now) + 1
    for kind, day in due.items():
        store.put(Timer(chain, kind, max(day, tomorrow)))
    return len(due)


def batch_of(data: Mapping[str, Any]) -> Batch:
    """A batch from its JSON form."""
    return Batch(
        data["program"],
        data["kind"],
        data["day"],
        data["shard"],
        data["after"],
        data["to"],
        data.get("function", ""),
        bool(data.get("again", False)),
    )
