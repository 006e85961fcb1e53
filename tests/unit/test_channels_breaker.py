"""The circuit breaker: what it holds back, and for how long, under any outcomes at any times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.channels.breaker import FAILURES, MOST_OPEN_S, OPEN_S, Breaker, Guarded
from loyalty.channels.channel import Kind, Outcome, Sending
from tests.unit.channel_rig import Words, sending

MESSAGE = sending("sms", "+8613800000000", Words(text="hello"))


class Scripted:
    """A channel whose outcomes are given."""

    name = "sms"
    reported = ""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = [*outcomes]
        self.sent = 0

    def send(self, sending: Sending, now: int) -> Outcome:
        self.sent += 1
        return self.outcomes.pop(0) if self.outcomes else Outcome("accepted")


def test_it_opens_after_failures_in_a_row_and_holds_back_without_a_request() -> None:
    channel = Scripted(*[Outcome("later", code="http_503")] * FAILURES)
    guarded = Guarded(channel, Breaker())
    for second in range(FAILURES):
        assert guarded.send(MESSAGE, second).code == "http_503"
    held = guarded.send(MESSAGE, FAILURES)
    assert (held.kind, held.code, channel.sent) == ("later", "open", FAILURES)
    assert held.retry_after_s == OPEN_S - 1


def test_a_success_between_failures_begins_the_count_anew() -> None:
    failed, ok = Outcome("doubtful"), Outcome("accepted")
    channel = Scripted(*[failed] * (FAILURES - 1), ok, *[failed] * (FAILURES - 1))
    guarded = Guarded(channel, Breaker())
    for _ in range(2 * FAILURES - 1):
        guarded.send(MESSAGE, 0)
    assert channel.sent == 2 * FAILURES - 1


@pytest.mark.parametrize("kind", ["refused", "dead", "accepted"])
def test_an_answer_about_one_message_says_that_the_provider_works(kind: Kind) -> None:
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker.saw(Outcome("later"), 0)
    breaker.saw(Outcome(kind), 0)
    breaker.saw(Outcome("later"), 0)
    assert breaker.state(0) == "closed"


def test_half_open_lets_one_through_and_its_failure_opens_it_for_twice_as_long() -> None:
    breaker, now = Breaker(), 0
    for _ in range(FAILURES):
        breaker.saw(Outcome("doubtful"), now)
    lengths = []
    for _ in range(8):
        wait = breaker.wait(now)
        lengths.append(wait)
        assert breaker.state(now + wait - 1) == "open"
        now += wait
        assert (breaker.state(now), breaker.wait(now)) == ("half-open", 0)
        breaker.saw(Outcome("later"), now)
    assert lengths == [30, 60, 120, 240, 480, 600, 600, 600]
    now += breaker.wait(now)
    breaker.saw(Outcome("accepted"), now)
    assert breaker.state(now) == "closed"
    for _ in range(FAILURES):
        breaker.saw(Outcome("later"), now)
    assert breaker.wait(now) == OPEN_S, "what it had learned of the last trouble is forgotten"


def test_a_provider_that_names_a_time_is_believed_at_once_up_to_a_bound() -> None:
    breaker = Breaker()
    breaker.saw(Outcome("later", retry_after_s=45), 100)
    assert (breaker.wait(100), breaker.wait(144), breaker.wait(145)) == (45, 1, 0)
    breaker.saw(Outcome("later", retry_after_s=80_000), 145)
    assert breaker.wait(145) == MOST_OPEN_S


OUTCOMES = st.builds(
    Outcome,
    kind=st.sampled_from(["accepted", "refused", "dead", "later", "doubtful"]),
    retry_after_s=st.sampled_from([0, 0, 0, 1, 60, 100_000]),
)


@given(st.lists(st.tuples(st.integers(0, 700), OUTCOMES), max_size=60))
def test_whatever_happens_it_never_holds_back_for_longer_than_its_bound(steps: list[tuple[int, Outcome]]) -> None:
    breaker, now, row = Breaker(), 0, 0
    for passed, outcome in steps:
        now += passed
        wait = breaker.wait(now)
        assert 0 <= wait <= MOST_OPEN_S
        assert (wait > 0) == (breaker.state(now) == "open")
        if wait:
            assert row, "it is open without a failure"
            continue
        breaker.saw(outcome, now)
        row = row + 1 if outcome.kind in ("later", "doubtful") else 0
        if not row:
            assert breaker.state(now) == "closed"
        if row >= FAILURES:
            assert breaker.state(now) == "open"
