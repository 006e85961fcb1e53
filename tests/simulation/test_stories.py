"""The kernel under every schedule of two writers, and under many random ones with every fault there is."""

import pytest

from tests.simulation.explore import Found, every_schedule, many_seeds
from tests.simulation.scheduler import Fault, Faults
from tests.simulation.stories import BUSY, CROWDS, EVERY_FAULT, PAIRS, STREAMED
from tests.simulation.world import Story
from tests.tally import tried

SEEDS = 60
ONE_DEATH = Faults((Fault.LOSE, Fault.KILL_AFTER), 1)
"""The two that tell a caller nothing of a write that took effect."""
WITH_A_DEATH = ("redeem-redeem", "same-key-twice", "capture-release", "cancel-redeem")


def _named(story: Story) -> str:
    return story.name


def _seen_through(story: Story, seeds: int | None = None) -> None:
    try:
        done = every_schedule(story) if seeds is None else many_seeds(story, range(seeds))
    except Found as found:
        pytest.fail(str(found), pytrace=False)
    tried("schedules", done.schedules)
    tried("operations", done.operations)


@pytest.mark.parametrize("story", PAIRS, ids=_named)
def test_two_writers_with_two_operations_each_come_out_right_in_every_schedule(story: Story) -> None:
    assert len(story.writers) == 2
    assert {len(requests) for requests in story.writers} == {2}
    _seen_through(story)


@pytest.mark.parametrize("story", [story for story in PAIRS if story.name in WITH_A_DEATH], ids=_named)
def test_and_so_they_do_when_one_answer_is_lost_or_one_caller_dies_anywhere(story: Story) -> None:
    _seen_through(story.with_faults(ONE_DEATH))


@pytest.mark.parametrize("story", BUSY, ids=_named)
def test_a_writer_that_is_left_far_behind_comes_out_right_in_every_schedule(story: Story) -> None:
    _seen_through(story)


@pytest.mark.parametrize("story", PAIRS, ids=_named)
def test_two_writers_come_out_right_whatever_fails(story: Story) -> None:
    _seen_through(story.with_faults(EVERY_FAULT), SEEDS)


@pytest.mark.parametrize("story", CROWDS, ids=_named)
def test_a_crowd_comes_out_right_whatever_fails(story: Story) -> None:
    _seen_through(story, SEEDS)
    _seen_through(story.with_faults(EVERY_FAULT), SEEDS)


@pytest.mark.parametrize("story", STREAMED, ids=_named)
def test_the_consumers_of_the_stream_may_see_everything_twice_and_at_any_time(story: Story) -> None:
    _seen_through(story, SEEDS)
    _seen_through(story.with_faults(EVERY_FAULT), SEEDS)


@pytest.mark.parametrize("story", [story for story in PAIRS if story.name.startswith("redeem")], ids=_named)
def test_a_caller_that_dies_and_never_comes_back_leaves_the_books_in_order(story: Story) -> None:
    from dataclasses import replace

    gone = replace(story, name=f"{story.name}-gone", retried=False, faults=EVERY_FAULT, expect=lambda world: None)
    _seen_through(gone, SEEDS)
