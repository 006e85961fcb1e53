"""Running a scenario over many schedules: all of them, many random ones, or one again."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.simulation.scheduler import Abandoned, Choices, Move, Simulation


class Run(Protocol):
    """One run of a scenario: its world, ready to go, and the checks of what it left."""

    simulation: Simulation
    operations: int

    def check(self) -> None:
        """Raise AssertionError when something is not as it must be."""


class Scenario(Protocol):
    """Something to try under many schedules; every run of it begins in the same state."""

    name: str

    def begin(self, choices: Choices) -> Run: ...


class Found(AssertionError):  # what a simulator is for
    """A schedule that breaks something, with all that is needed to see it again."""

    def __init__(self, scenario: Scenario, run: Run, cause: BaseException, seed: int | None) -> None:
        self.schedule = list(run.simulation.schedule)
        self.seed = seed
        self.cause = cause
        steps = "\n".join(f"  {number:3} {label}" for number, label in enumerate(run.simulation.trace, 1))
        super().__init__(
            f"{scenario.name}: {type(cause).__name__}: {cause}\n"
            f"seed: {seed}\nschedule: {self.schedule}\n{steps}\n"
            "again: PYTHONPATH=.:layers/core/python python -m tests.simulation "
            f"{scenario.name} {','.join(map(str, self.schedule))}"
        )


@dataclass
class Tried:
    """What was tried. `schedules` counts all of them, `runs` those that had to be walked to the end to know."""

    schedules: int = 0
    runs: int = 0
    calls: int = 0
    operations: int = 0

    def add(self, other: "Tried") -> None:
        self.schedules += other.schedules
        self.runs += other.runs
        self.calls += other.calls
        self.operations += other.operations

    def __str__(self) -> str:
        return (
            f"{self.schedules} schedules, {self.runs} runs, {self.operations} operations, {self.calls} database calls"
        )


def every_schedule(scenario: Scenario, *, prune: bool = True, at_most: int | None = None) -> Tried:
    """Walk all schedules; raises Found at the first that fails, AssertionError beyond `at_most` runs."""
    walk, tried = _Walk(prune), Tried()
    while walk.more:
        assert at_most is None or tried.runs < at_most, f"{scenario.name}: more than {at_most} runs"
        walk.depth = 0
        _once(scenario, walk, tried, None)
        walk.back()
    tried.schedules = walk.total
    return tried


def many_seeds(scenario: Scenario, seeds: Iterable[int]) -> Tried:
    """One random schedule for each seed; raises Found at the first that fails."""
    tried = Tried()
    for seed in seeds:
        _once(scenario, Seeded(seed), tried, seed)
        tried.schedules += 1
    return tried


def replay(scenario: Scenario, schedule: Sequence[int]) -> Run:
    """One recorded schedule again; raises Found when it fails as it did."""
    return _once(scenario, Recorded(schedule), Tried(), None)


def _once(scenario: Scenario, choices: Choices, tried: Tried, seed: int | None) -> Run:
    run = scenario.begin(choices)
    try:
        run.simulation.run()
        run.check()
    except Abandoned:
        pass
    except Exception as cause:
        raise Found(scenario, run, cause, seed) from cause
    tried.runs += 1
    tried.calls += run.simulation.steps
    tried.operations += run.operations
    return run


@dataclass
class _Frame:
    """A choice on the path being walked: its state, how many moves it has, the one being tried, schedules below."""

    state: int | None
    moves: int
    at: int = 0
    below: int = 0


class _Walk:
    """Depth first through the tree of choices; see scheduler.py for why known states need no second visit."""

    def __init__(self, prune: bool) -> None:
        self.depth = 0
        self.total = 0
        self.more = True
        self._prune = prune
        self._frames: list[_Frame] = []
        self._known: dict[int, int] = {}

    def choose(self, simulation: Simulation, moves: Sequence[Move]) -> int:
        if self.depth == len(self._frames):
            state = simulation.state() if self._prune else None
            if state in self._known:
                self._frames[-1].below += self._known[state] - 1  # `back` counts this run as one
                raise Abandoned
            self._frames.append(_Frame(state, len(moves)))
        frame = self._frames[self.depth]
        assert frame.moves == len(moves), "the same choices led somewhere else: something is not deterministic"
        self.depth += 1
        return frame.at

    def back(self) -> None:
        """Count the run that has ended, and go on to the next path."""
        finished = 1
        while self._frames:
            frame = self._frames[-1]
            frame.below += finished
            frame.at += 1
            if frame.at < frame.moves:
                return
            self._frames.pop()
            if frame.state is not None:
                self._known[frame.state] = frame.below
            finished = frame.below
        self.total, self.more = finished, False


class Seeded:
    """Draws every choice from one generator. How often writers are switched and calls fail is drawn once per seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._stay = self._random.choice((0.0, 0.3, 0.8))
        self._fault = self._random.choice((0.0, 0.03, 0.1, 0.3))
        self._last = ""

    def choose(self, simulation: Simulation, moves: Sequence[Move]) -> int:
        faulty = self._random.random() < self._fault
        candidates = [index for index, move in enumerate(moves) if move.fault == faulty] or list(range(len(moves)))
        if self._random.random() < self._stay:
            candidates = [index for index in candidates if moves[index].actor == self._last] or candidates
        index = self._random.choice(candidates)
        self._last = moves[index].actor
        return index


class Recorded:
    """Follows a recorded list, and its end by the first move there is."""

    def __init__(self, schedule: Sequence[int]) -> None:
        self._schedule = list(schedule)

    def choose(self, simulation: Simulation, moves: Sequence[Move]) -> int:
        return self._schedule.pop(0) if self._schedule else 0
