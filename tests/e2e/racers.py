"""Processes that call the API at the same moment, each as a till that knows how to retry."""

import multiprocessing
import random
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from typing import Any, Final, NamedTuple

from tests.e2e.calls import Api
from tests.tally import tried

PATIENCE: Final = 1_000
"""How often one request is sent while it is told to come again, or the gateway has no answer to give."""


class Step(NamedTuple):
    """One request. ``times`` is how often it is sent, as by a till whose connection broke before the answer."""

    path: str
    body: dict[str, Any]
    key: str
    times: int = 1


class Outcome(NamedTuple):
    """What one sending of one request came to, in the end."""

    key: str
    path: str
    status: int
    code: str
    replayed: bool
    body: Any


class Ran(NamedTuple):
    """What one process saw: its outcomes, and how often it called and was told to come again."""

    outcomes: list[Outcome]
    calls: int
    again: int


_start: "Barrier | None" = None


def _enter(barrier: Barrier) -> None:
    global _start
    _start = barrier


def _run(task: tuple[str, str, Sequence[Step], int]) -> Ran:
    url, token, steps, seed = task
    chance = random.Random(seed)
    outcomes: list[Outcome] = []
    again = 0
    assert _start is not None
    with Api(url, token) as api:
        _start.wait()
        for step in steps:
            for _ in range(step.times):
                answer = api.post(step.path, step.body, key=step.key)
                for _ in range(PATIENCE):
                    if "retry-after" not in answer.headers and answer.status not in {502, 504}:
                        break
                    again += 1
                    time.sleep(chance.random() / 5)  # sooner than it was told: the harder for the other side
                    answer = api.post(step.path, step.body, key=step.key)
                outcomes.append(Outcome(step.key, step.path, answer.status, answer.code, answer.replayed, answer.body))
        return Ran(outcomes, api.calls, again)


def race(url: str, token: str, plans: Sequence[Sequence[Step]]) -> tuple[list[Outcome], int, int]:
    """One process for each plan, all beginning together; (outcomes, calls, times told to come again)."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(plans))
    with context.Pool(len(plans), _enter, (barrier,)) as pool:
        ran = pool.map(_run, [(url, token, plan, seed) for seed, plan in enumerate(plans)], chunksize=1)
        pool.close()
        pool.join()
    calls = sum(one.calls for one in ran)
    tried("API calls", calls)
    tried("races")
    return [outcome for one in ran for outcome in one.outcomes], calls, sum(one.again for one in ran)
