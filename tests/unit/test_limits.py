"""A client's share of a function."""

import pytest

from loyalty.runtime.limits import Limiter


def test_a_client_may_send_a_burst_and_then_its_rate() -> None:
    limiter = Limiter()
    assert [limiter.wait("till", 2, 100.0) for _ in range(5)] == [0, 0, 0, 0, 1]
    assert limiter.wait("till", 2, 100.5) == 0
    assert limiter.wait("till", 2, 100.5) == 1


def test_waiting_fills_up_to_a_burst_and_no_further() -> None:
    limiter = Limiter()
    assert limiter.wait("till", 3, 0.0) == 0
    assert sum(limiter.wait("till", 3, 9_999.0) == 0 for _ in range(20)) == 6


def test_clients_do_not_share() -> None:
    limiter = Limiter()
    for _ in range(3):
        limiter.wait("till", 1, 100.0)
    assert limiter.wait("till", 1, 100.0) == 1
    assert limiter.wait("shop", 1, 100.0) == 0


def test_a_refused_request_costs_nothing() -> None:
    limiter = Limiter()
    for _ in range(50):
        limiter.wait("till", 1, 100.0)
    assert limiter.wait("till", 1, 101.0) == 0


@pytest.mark.parametrize("rate", [0, -1])
def test_a_rate_of_nothing_is_no_limit(rate: int) -> None:
    limiter = Limiter()
    assert {limiter.wait("till", rate, 100.0) for _ in range(100)} == {0}


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    limiter = Limiter()
    assert [limiter.wait("till", 1, moment) for moment in (100.0, 90.0, 80.0)] == [0, 0, 1]
    assert limiter.wait("till", 1, 81.0) == 0
    assert limiter.wait("till", 1, 81.5) == 1
