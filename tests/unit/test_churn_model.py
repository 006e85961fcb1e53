"""The churn models: published results, closed forms against root finding, expectations against integration."""

import csv
from collections.abc import Callable
from datetime import date
from math import exp, inf, lgamma, log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial.legendre import leggauss
from scipy.special import roots_genlaguerre, roots_sh_jacobi

from loyalty.churn import fit, history
from loyalty.churn.model import Buyer, Purchasing, Spending

CDNOW = Path(__file__).parents[2] / "examples" / "cdnow.csv"
PUBLISHED = Purchasing(0.243, 4.414, 0.793, 2.426)

shape = st.floats(0.05, 20.0)
models = st.builds(Purchasing, shape, st.floats(0.1, 60.0), shape, shape)
repeats = st.integers(1, 400)
weeks = st.floats(0.0, 150.0)
thresholds = st.floats(0.01, 0.99)


def bisected(falls: Callable[[float], float], level: float, low: float, high: float) -> float:
    """Where a falling function comes down to ``level``."""
    for _ in range(200):
        middle = (low + high) / 2
        if falls(middle) > level:
            low = middle
        else:
            high = middle
    return (low + high) / 2


@pytest.fixture(scope="module")
def records() -> list[history.Record]:
    with CDNOW.open(newline="") as file:
        rows = [
            (row["sample_id"], date.fromisoformat(row["date"]), float(row["amount"])) for row in csv.DictReader(file)
        ]
    return history.records(history.by_day(rows), date(1997, 9, 30))


@pytest.fixture(scope="module")
def fitted(records: list[history.Record]) -> fit.Fitted:
    return fit.purchasing(
        np.array([float(one.buyer.repeats) for one in records]),
        np.array([one.buyer.recency for one in records]),
        np.array([one.buyer.age for one in records]),
    )


def test_the_fit_finds_the_published_parameters_of_cdnow(fitted: fit.Fitted) -> None:
    model = fitted.model
    assert fitted.members == 2357
    assert [round(value, 3) for value in (model.r, model.alpha, model.a, model.b)] == [0.243, 4.414, 0.793, 2.426]
    assert round(fitted.log_likelihood, 1) == -9582.4


def test_the_fit_finds_the_published_spending_of_cdnow(records: list[history.Record]) -> None:
    found = fit.spending(
        np.array([float(one.buyer.repeats) for one in records]), np.array([one.mean for one in records])
    )
    assert found.members == 946
    assert (found.model.p, found.model.q, found.model.gamma) == pytest.approx((6.25, 3.74, 15.44), rel=0.01)


def test_one_member_at_a_time_the_likelihood_is_that_of_the_fit(
    records: list[history.Record], fitted: fit.Fitted
) -> None:
    one_by_one = sum(fitted.model.log_likelihood(one.buyer) for one in records)
    assert one_by_one == pytest.approx(fitted.log_likelihood, abs=1e-6)


def test_of_what_was_bought_in_the_weeks_held_back_an_eighth_is_missed(
    records: list[history.Record], fitted: fit.Fitted
) -> None:
    expected = sum(fitted.model.expected(one.buyer, 39.0) for one in records)
    bought = sum(one.held_back for one in records)
    assert (bought, round(expected)) == (1882, 1653)


def test_the_published_example_of_the_models_authors() -> None:
    """Fader, Hardie, Lee, "Implementing the BG/NBD Model for Customer Base Analysis in Excel" (2005)."""
    assert PUBLISHED.expected(Buyer(2, 30.43, 38.86), 39.0) == pytest.approx(1.226, abs=5e-4)


@given(models, repeats, weeks, thresholds)
def test_the_day_p_alive_crosses_is_where_root_finding_puts_it(
    model: Purchasing, x: int, recency: float, threshold: float
) -> None:
    age = model.crossing(x, recency, threshold)
    if model.alive(Buyer(x, recency, recency)) <= threshold:
        assert age == recency
        return
    if age - recency > 1e6:
        assert model.alive(Buyer(x, recency, recency + 1e6)) > threshold
        return
    found = bisected(lambda at: model.alive(Buyer(x, recency, at)), threshold, recency, recency + 1e7)
    assert age == pytest.approx(found, rel=1e-6, abs=1e-6)


@given(models, st.integers(0, 400), weeks, st.floats(1.0, 60.0), thresholds)
def test_the_day_the_chance_to_return_crosses_is_where_root_finding_puts_it(
    model: Purchasing, x: int, recency: float, within: float, threshold: float
) -> None:
    age = model.silence(x, recency, within, threshold)
    assert recency <= age <= recency + within + 1e-9
    if model.returns(Buyer(x, recency, recency), within) <= threshold:
        assert age == pytest.approx(recency, abs=1e-6)
        return
    found = bisected(lambda at: model.returns(Buyer(x, recency, at), within), threshold, recency, recency + within)
    assert age == pytest.approx(found, rel=1e-6, abs=1e-6)


@given(models, repeats, weeks, thresholds)
def test_a_member_bought_once_never_crosses_and_more_silence_never_makes_alive(
    model: Purchasing, x: int, recency: float, threshold: float
) -> None:
    assert model.crossing(0, 0.0, threshold) == inf
    assert model.alive(Buyer(0, 0.0, recency)) == 1.0
    chances = [model.alive(Buyer(x, recency, recency + more)) for more in (0.0, 1.0, 10.0, 100.0, 1000.0)]
    assert all(0.0 <= chance <= 1.0 for chance in chances)
    assert chances == sorted(chances, reverse=True)


def integrated(model: Purchasing, buyer: Buyer, ahead: float) -> float:
    """Equation 10 from its definition: what a member with rate l and chance p to leave buys, (1 - exp(-l p t)) / p,
    in the mean over all l and p, each weighed by how likely it makes what was bought, while not having left.
    """
    much = model.r + buyer.repeats
    rates, rate_weights = roots_genlaguerre(60, much - 1)
    rates = rates / (model.alpha + buyer.age)
    chances, chance_weights = roots_sh_jacobi(60, model.a + model.b + buyer.repeats - 1, model.a)
    bought = -np.expm1(-np.outer(rates, chances) * ahead) / chances
    mean = float(rate_weights @ bought @ chance_weights) / float(rate_weights.sum() * chance_weights.sum())
    return mean * model.alive(buyer)


@given(
    st.builds(Purchasing, st.floats(0.1, 8.0), st.floats(1.0, 40.0), st.floats(0.2, 8.0), st.floats(0.2, 8.0)),
    st.integers(0, 60),
    st.floats(0.0, 100.0),
    st.floats(0.0, 60.0),
    st.floats(0.5, 30.0),
)
def test_what_is_expected_is_what_integration_gives(
    model: Purchasing, x: int, recency: float, silent: float, ahead: float
) -> None:
    buyer = Buyer(x, recency if x else 0.0, (recency if x else 0.0) + silent)
    assert model.expected(buyer, ahead) == pytest.approx(integrated(model, buyer, ahead), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize(("a", "b"), [(1.0, 2.0), (0.4, 0.6), (0.3, 0.3), (0.01, 0.01)])
@pytest.mark.parametrize("x", [0, 1, 500])
def test_where_factors_vanish_the_limit_is_expected(a: float, b: float, x: int) -> None:
    model = Purchasing(0.5, 6.0, a, b)
    buyer = Buyer(x, 20.0 if x else 0.0, 30.0)
    near = Purchasing(0.5, 6.0, a + 1e-4, b + 1e-4)
    assert model.expected(buyer, 13.0) == pytest.approx(near.expected(buyer, 13.0), rel=1e-2)
    assert model.expected(buyer, 13.0) >= 0.0
    assert model.expected(buyer, 0.0) == 0.0


@given(
    st.builds(Spending, st.floats(0.5, 20.0), st.floats(1.5, 20.0), st.floats(1.0, 100.0)),
    st.integers(1, 50),
    st.floats(1.0, 500.0),
)
def test_the_spending_expected_is_the_mean_of_its_posterior(model: Spending, n: int, mean: float) -> None:
    """The rate v of a purchase's value is Gamma(p n + q, gamma + n mean) after n purchases; the mean value is p / v."""
    shape_, rate = model.p * n + model.q, model.gamma + n * mean
    nodes, weights = leggauss(400)
    low, high = max(0.0, shape_ - 14 * shape_**0.5 - 14), shape_ + 14 * shape_**0.5 + 40
    v = (nodes + 1) / 2 * (high - low) + low
    density = np.exp((shape_ - 1) * np.log(v) - v - lgamma(shape_)) * weights * (high - low) / 2
    assert model.expected(n, mean) == pytest.approx(float(np.sum(density * model.p / v)) * rate, rel=1e-3)


def test_too_few_repeat_buyers_are_no_model() -> None:
    ones = np.ones(49)
    with pytest.raises(fit.TooFew, match="49 repeat buyers"):
        fit.purchasing(ones, ones, ones * 2)
    with pytest.raises(fit.TooFew, match="spent anything"):
        fit.spending(np.ones(60), np.zeros(60))


def test_purchases_of_one_day_are_one_and_the_first_day_is_no_repeat() -> None:
    first, second = date(2026, 1, 1), date(2026, 1, 15)
    days = history.by_day(
        [("m", first, 5.0), ("m", first, 5.0), ("m", second, 3.0), ("m", second, 4.0), ("n", second, 1.0)]
    )
    one, other = history.records(days, date(2026, 1, 22))
    assert (one.customer, one.buyer, one.mean, one.held_back) == ("m", Buyer(1, 2.0, 3.0), 7.0, 0)
    assert (other.customer, other.buyer, other.mean) == ("n", Buyer(0, 0.0, 1.0), 0.0)
    (early,) = history.records(days, date(2026, 1, 14))
    assert (early.buyer, early.held_back) == (Buyer(0, 0.0, 13 / 7), 1)


def test_alive_does_not_overflow_after_a_very_long_silence() -> None:
    assert PUBLISHED.alive(Buyer(3000, 1.0, 5000.0)) == 0.0
    against = log(0.793 / (2.426 + 1)) + 2.243 * log((4.414 + 38.86) / (4.414 + 30.43))
    assert PUBLISHED.alive(Buyer(2, 30.43, 38.86)) == pytest.approx(1 / (1 + exp(against)))
