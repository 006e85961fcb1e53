"""Messages that a queue brings until a copy of the function is done with them, to copies that are at work at once."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from loyalty.errors import Unavailable
from tests.simulation.scheduler import Simulation

SENDINGS = 8
"""So often a message is brought at most."""


class AtWork(Protocol):
    """A run, and how many operations it had."""

    simulation: Simulation
    operations: int


def bring(world: AtWork, messages: Mapping[str, Callable[[], object]]) -> None:
    """Have each of ``messages`` taken up by a copy of its own. It comes again when the copy finds the table silent, or
    dies.
    """
    simulation = world.simulation

    def work(take_up: Callable[[], object]) -> None:
        world.operations += 1
        for _ in range(SENDINGS):
            try:
                take_up()
            except Unavailable:
                continue
            return

    def again(name: str) -> None:
        simulation.spawn(f"{name}+", partial(work, messages[name.rstrip("+")]))

    simulation.when_killed = again
    for name, take_up in messages.items():
        simulation.spawn(name, partial(work, take_up))
