"""Several writers in one thread, switched at every call to the database by a source of choices.

A `Simulation` is one run. Each writer is a greenlet; whenever one calls the database it stops before the call, and the
source decides what happens next in the whole world: whose call goes on, and with which fault. The same choices give
the same run, so a run is replayed from the list of its choices alone. Three sources:

* `every_schedule` walks the tree of all choices, depth first;
* `many_seeds` draws them from a seeded generator;
* `replay` follows a recorded list.

What may befall a call (`Fault`): nothing; it fails before it does anything; it is throttled; a transaction on the same
item is in the way; it takes effect and its answer is lost; its answer is lost and it takes effect later, or never; the
SDK sends it twice, as it does by itself after a broken connection; the caller dies before it, or after it took effect.

**Why `every_schedule` may leave subtrees out.** A writer is a deterministic function of the answers it has been given
(the clock and every id reach it as arguments or answers). So the future of a run depends on nothing but: what is
stored, with the order of changes inside each partition; the clock; for every writer, which answers it has had so far;
calls still under way; and the faults left. Two schedules that reach the same such state have the same futures, and the
second need not be walked: its outcomes were all seen. How many schedules lie below a state is remembered, so the count
that is printed is that of all schedules, walked or known to be equal to one that was. (States are compared by 64-bit
hashes.) `prune=False` walks every one; a test holds the two against each other.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any, Protocol, TypeVar

from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from greenlet import GreenletExit, getcurrent, greenlet

from tests.simulation import wire
from tests.simulation.dynamodb import Call, Client, Engine
from tests.simulation.wire import Response

MAX_STEPS = 5_000
_URL = "https://dynamodb.invalid"
_A = TypeVar("_A")
_B = TypeVar("_B")


class Fault(Enum):
    """What may befall one call."""

    FAIL = "fail"
    UNREACHABLE = "unreachable"
    THROTTLE = "throttle"
    CONFLICT = "conflict"
    LOSE = "lose"
    LATE = "late"
    REPEAT = "repeat"
    KILL = "kill"
    KILL_AFTER = "kill-after"


ALL_FAULTS = tuple(Fault)
_WRITES_ONLY = {Fault.CONFLICT, Fault.LOSE, Fault.LATE, Fault.REPEAT, Fault.KILL_AFTER}


@dataclass(frozen=True)
class Faults:
    """Which faults may happen, and how many of them in one run."""

    kinds: tuple[Fault, ...] = ()
    most: int = 0

    def possible(self, call: Call) -> list[Fault]:
        return [kind for kind in self.kinds if call.writes or kind not in _WRITES_ONLY]


NO_FAULTS = Faults()


@dataclass(frozen=True)
class Move:
    """One thing that can happen next, and whose doing it is."""

    label: str
    actor: str
    happen: Callable[[], None]
    fault: bool = False


class Choices(Protocol):
    """Decides what happens next."""

    def choose(self, simulation: "Simulation", moves: Sequence[Move]) -> int:
        """The index of the move to make."""


class Killed(GreenletExit):
    """Ends the greenlet of a writer that died; not an Exception, so nothing in the product catches it."""


class Abandoned(Exception):
    """The rest of this run is known already."""


@dataclass(eq=False)
class _Actor:
    """A greenlet and where it stands: about to call, waiting for its two reads, finished or dead."""

    name: str
    greenlet: greenlet
    parent: "_Actor | None" = None
    call: Call | None = None
    children: "list[_Actor]" = field(default_factory=list)
    finished: bool = False
    result: Any = None
    error: Exception | None = None
    history: int = 0

    def learned(self, what: Hashable) -> None:
        self.history = hash((self.history, what))

    def state(self) -> int:
        below = tuple(child.state() for child in self.children)
        return hash((self.name, self.finished, self.call is None, self.history, below))


@dataclass
class Clock:
    """Simulated time, in seconds since 1970, UTC. `ticks` are the moments to which it may still jump, in order."""

    now: int
    ticks: list[int] = field(default_factory=list)


class Simulation:
    """One run: an engine, a clock, writers, and a source of choices that drives them.

    `when_killed` is called with the name of a writer that died, at once, in the world outside every writer.
    """

    def __init__(
        self,
        engine: Engine,
        choices: Choices,
        *,
        now: int = 0,
        ticks: Sequence[int] = (),
        faults: Faults = NO_FAULTS,
        validate: bool = False,
    ) -> None:
        self.engine = engine
        self.clock = Clock(now, list(ticks))
        self.client = Client(engine, self._gate, validate=validate)
        self.trace: list[str] = []
        self.schedule: list[int] = []
        self.steps = 0
        self.faults_left = faults.most
        self.when_killed: Callable[[str], None] = lambda name: None
        self.noted: Hashable = None
        """Anything else that later behaviour or the final checks depend on."""
        self._choices = choices
        self._faults = faults
        self._actors: list[_Actor] = []
        self._fresh: list[_Actor] = []
        self._late: list[tuple[str, Call]] = []
        self._graveyard: list[greenlet] = []
        self._hub = getcurrent()
        self._over = False

    # ---- for scenarios

    def spawn(self, name: str, work: Callable[[], object]) -> None:
        """Add a writer. It runs up to its first call at once, then whenever it is chosen."""
        actor = self._actor(name, work, None)
        self._actors.append(actor)

    def now(self) -> int:
        """The clock as a writer reads it."""
        self.observe(self.clock.now)
        return self.clock.now

    def observe(self, what: Hashable) -> None:
        """Tell that the writer now running has learned something otherwise than by a call: it may act on it."""
        actor = self._current()
        if actor is not None:
            actor.learned(what)

    def together(self, first: Callable[[], _A], second: Callable[[], _B]) -> tuple[_A, _B]:
        """Run two reads of one writer at the same time: either may be first, and others may come in between."""
        parent = self._current()
        if parent is None:
            return first(), second()
        pair = [self._actor(f"{parent.name}.{side}", work, parent) for side, work in (("a", first), ("b", second))]
        parent.children = pair
        self._hub.switch()
        parent.children = []
        for child in pair:
            parent.learned(child.history)
        for child in pair:
            if child.error is not None:
                raise child.error
        return pair[0].result, pair[1].result

    def run(self) -> None:
        """Go on until nothing is left to happen. Errors that a writer let out are raised."""
        self._hub = getcurrent()
        try:
            self._start_fresh()
            while moves := self._moves():
                self.steps += 1
                if self.steps > MAX_STEPS:
                    raise AssertionError(f"not finished after {MAX_STEPS} calls")
                index = self._choices.choose(self, moves)
                self.schedule.append(index)
                self.trace.append(moves[index].label)
                moves[index].happen()
                self._start_fresh()
        finally:
            self._bury()

    def state(self) -> int:
        """Equal for two runs whose futures are equal (64 bits)."""
        return hash(
            (
                self.engine.fingerprint(),
                self.clock.now,
                len(self.clock.ticks),
                self.faults_left,
                self.noted,
                tuple(actor.state() for actor in self._actors),
                tuple((name, repr(call.request)) for name, call in self._late),
            )
        )

    # ---- the machinery

    def _actor(self, name: str, work: Callable[[], object], parent: _Actor | None) -> _Actor:
        def live() -> None:
            try:
                actor.result = work()
            except (Killed, Abandoned):
                raise
            except Exception as error:  # noqa: BLE001 - handed to whoever waits: the parent, or the run
                actor.error = error
            actor.finished = True

        actor = _Actor(name, greenlet(live, self._hub), parent)
        self._fresh.append(actor)
        return actor

    def _current(self) -> _Actor | None:
        current = getcurrent()
        return next((actor for actor in self._everyone() if actor.greenlet is current), None)

    def _everyone(self) -> Iterator[_Actor]:
        for actor in self._actors:
            yield actor
            yield from actor.children

    def _start_fresh(self) -> None:
        while self._fresh:
            self._resume(self._fresh.pop(0))

    def _resume(self, actor: _Actor, outcome: "tuple[bool, Any] | None" = None) -> None:
        """Let a greenlet run on its own until its next call; then its parent, if that was waiting for it."""
        actor.call = None
        if outcome is None:
            actor.greenlet.switch()
        else:
            actor.greenlet.switch(outcome)
        if not actor.finished:
            return
        parent = actor.parent
        if parent is None:
            if actor.error is not None:
                raise actor.error
        elif parent.children and all(child.finished for child in parent.children):
            self._resume(parent)

    def _gate(self, call: Call) -> Response:
        """Where a writer stops before each call; whoever switches back brings what the call led to."""
        actor = self._current()
        if self._over:
            raise Killed
        if actor is None:  # the world outside, preparing or checking
            return call.perform()
        actor.call = call
        good, answer = self._hub.switch()
        if good:
            response: Response = answer
            return response
        raise answer

    def _moves(self) -> list[Move]:
        moves: list[Move] = []
        for actor in self._everyone():
            if actor.call is None or actor.finished:
                continue
            moves.extend(self._calls(actor, actor.call))
            if self.faults_left:
                moves.extend(
                    Move(
                        f"{actor.name} {actor.call.label()} !{kind.value}",
                        actor.name,
                        self._bad(actor, kind),
                        fault=True,
                    )
                    for kind in self._faults.possible(actor.call)
                )
        for position, (name, call) in enumerate(self._late):
            moves.append(Move(f"late {name} {call.label()}", "late", self._arrive(position)))
        if self.clock.ticks and any(not actor.finished for actor in self._actors):
            moves.append(Move(f"clock {self.clock.ticks[0]}", "clock", self._tick))
        if self._late and all(actor.finished for actor in self._actors):
            moves.append(Move("never", "late", self._late.clear))
        return moves

    def _calls(self, actor: _Actor, call: Call) -> Iterator[Move]:
        """The call without a fault; an eventually consistent read may miss the latest changes."""
        lags = self.engine.changes_seen(call) if call.can_be_stale else 0
        for lag in range(min(lags, 2) + 1):
            stale = f" -{lag}" if lag else ""
            yield Move(f"{actor.name} {call.label()}{stale}", actor.name, partial(self._perform, actor, call, lag))

    def _perform(self, actor: _Actor, call: Call, lag: int = 0) -> None:
        self._answer(actor, _outcome(lambda: call.perform(lag)))

    def _answer(self, actor: _Actor, outcome: tuple[bool, Any]) -> None:
        good, answer = outcome
        actor.learned(repr(answer) if good else _shown(answer))
        self._resume(actor, outcome)

    def _bad(self, actor: _Actor, kind: Fault) -> Callable[[], None]:
        def happen() -> None:
            self.faults_left -= 1
            call = actor.call
            assert call is not None
            if kind in (Fault.KILL, Fault.KILL_AFTER):
                if kind is Fault.KILL_AFTER:
                    _outcome(call.perform)
                self._kill(actor)
                return
            if kind in (Fault.LOSE, Fault.REPEAT):
                first = _outcome(call.perform)
                again = _again(call, first) if kind is Fault.REPEAT else (False, _lost(call))
                self._answer(actor, again)
                return
            if kind is Fault.LATE:
                self._late.append((actor.name, call))
            self._answer(actor, (False, _refusal(call, kind)))

        return happen

    def _arrive(self, position: int) -> Callable[[], None]:
        def happen() -> None:
            _, call = self._late.pop(position)
            _outcome(call.perform)

        return happen

    def _tick(self) -> None:
        self.clock.now = self.clock.ticks.pop(0)

    def _kill(self, actor: _Actor) -> None:
        """The whole writer ends where it stands, both of its reads with it; nothing of it ever runs again."""
        root = actor
        while root.parent is not None:
            root = root.parent
        for dead in (*root.children, root):
            dead.finished, dead.call = True, None
            self._graveyard.append(dead.greenlet)
        root.children = []
        root.learned("killed")
        self.when_killed(root.name)

    def _bury(self) -> None:
        """Unwind what is left, so that no greenlet outlives its run; a call made meanwhile goes nowhere."""
        self._over = True
        for left in [*self._graveyard, *(actor.greenlet for actor in self._everyone())]:
            if left and not left.dead:
                left.throw(Killed)


def _outcome(perform: Callable[[], Response]) -> tuple[bool, Any]:
    try:
        return True, perform()
    except ClientError as error:
        return False, error


def _again(call: Call, first: tuple[bool, Any]) -> tuple[bool, Any]:
    """What the SDK's second sending of the same request answers; a transaction's token makes it the first answer."""
    if call.operation == "TransactWriteItems":
        return first
    return _outcome(call.perform)


def _lost(call: Call) -> Exception:
    """One of the two ways in which an answer is lost, always the same for the same call."""
    error: Exception = (ConnectionClosedError, ReadTimeoutError)[len(call.label()) % 2](endpoint_url=_URL)
    return error


def _refusal(call: Call, kind: Fault) -> Exception:
    """What a caller sees of a call that did nothing, as far as it can tell."""
    if kind is Fault.UNREACHABLE:
        return EndpointConnectionError(endpoint_url=_URL)
    if kind is Fault.LATE:
        return ReadTimeoutError(endpoint_url=_URL)
    if kind is Fault.FAIL:
        return call.error("InternalServerError", "Internal server error")
    if call.operation == "TransactWriteItems":
        code = "TransactionConflict" if kind is Fault.CONFLICT else "ThrottlingError"
        message = (
            "Transaction is ongoing for the item"
            if kind is Fault.CONFLICT
            else "Throughput exceeds the current capacity"
        )
        count = len(call.request["TransactItems"])
        return wire.cancelled([{"Code": code, "Message": message}] + [{"Code": "None"}] * (count - 1))
    if kind is Fault.CONFLICT:
        return call.error("TransactionConflictException", "Transaction is ongoing for the item")
    if call.writes:
        return call.error("ThrottlingException", "Throughput exceeds the current capacity of your table or index")
    return call.error(
        "ProvisionedThroughputExceededException", "The level of configured provisioned throughput was exceeded"
    )


def _shown(error: Exception) -> str:
    return f"{type(error).__name__} {error} {getattr(error, 'response', '')}"
