"""Effects from sums: what statsmodels and SciPy compute from the members themselves, and what is said of it."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import skew, ttest_ind
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.weightstats import CompareMeans

from loyalty.experiments import effect as module
from loyalty.experiments.effect import effect, hall, mean_difference, needed, newcombe, welch, wilson
from loyalty.experiments.sums import Metric, Sums

RATES = (0.05, 0.04, 0.01, 0.0004)


def spend(count: int, seed: int, chance: float = 0.3, mean: int = 4_000) -> list[int]:
    """What members spent: mostly nothing, now and then a lot."""
    draw = random.Random(seed)
    return [int(draw.expovariate(1 / mean)) if draw.random() < chance else 0 for _ in range(count)]


def share(done: int, of: int) -> Sums:
    return Sums.of([1] * done + [0] * (of - done))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(
    "counts", [(30, 300, 20, 200), (1, 50, 0, 40), (50, 50, 0, 10), (812, 9_000, 64, 1_000), (0, 7, 0, 5)]
)
def test_shares_have_newcombes_interval(counts: tuple[int, int, int, int], rate: float) -> None:
    found = newcombe(*counts, rate)
    low, high = confint_proportions_2indep(*counts, method="newcomb", compare="diff", alpha=rate)
    assert found.difference == pytest.approx(counts[0] / counts[1] - counts[2] / counts[3])
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize("count", [0, 1, 17, 40])
def test_a_share_alone_has_wilsons(count: int) -> None:
    assert wilson(count, 40, 1.959963984540054) == pytest.approx(
        proportion_confint(count, 40, alpha=0.05, method="wilson"), abs=1e-12
    )


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("treated", "control"), [(900, 100), (40, 400), (2, 3), (500, 500)])
def test_means_have_welchs_interval_from_sums_alone(treated: int, control: int, rate: float) -> None:
    one, other = spend(treated, 1, 0.9), spend(control, 2, 0.9)
    found = welch(Sums.of(one), Sums.of(other), rate)
    low, high = CompareMeans.from_data(one, other).tconfint_diff(alpha=rate, usevar="unequal")
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)
    scipys = ttest_ind(one, other, equal_var=False).confidence_interval(1 - rate)
    assert (found.low, found.high) == pytest.approx((scipys.low, scipys.high), rel=1e-9)


def test_sums_lose_nothing_of_moments_however_large_the_numbers() -> None:
    values = [10**12 + value for value in spend(200, 5)]
    small = np.array([value - 10**12 for value in values], dtype=np.float64)
    found = module.moments(Sums.of(values))
    assert found.variance == pytest.approx(small.var(ddof=1), rel=1e-12)
    assert found.third / found.variance**1.5 == pytest.approx(skew(small, bias=False), rel=1e-9)


def test_halls_cubic_is_undone_exactly() -> None:
    for gamma in (-0.8, -0.01, 0.0, 1e-9, 0.2, 0.7):
        for quantile in (-4.0, -2.0, 0.0, 1.96, 3.3):
            at = module.undone(quantile, gamma)
            again = at + gamma / 3 * at**2 + gamma**2 / 27 * at**3 + gamma / 6
            assert again == pytest.approx(quantile, abs=1e-6)


def test_means_have_the_outer_ends_of_welchs_and_halls() -> None:
    one, other = Sums.of(spend(900, 1)), Sums.of(spend(100, 2))
    plain, corrected, both = welch(one, other, 0.05), hall(one, other, 0.05), mean_difference(one, other, 0.05)
    assert corrected.low < plain.low, "a small control group's spread looks too small"
    assert corrected.high < plain.high
    assert both == (plain.difference, corrected.low, plain.high)


def test_without_skewness_halls_interval_is_welchs() -> None:
    one, other = Sums.of([1, 2, 3, 4, 5]), Sums.of([2, 4, 6])
    assert hall(one, other, 0.05) == pytest.approx(welch(one, other, 0.05))


@pytest.mark.parametrize(("treated", "control"), [(900, 100), (500, 500), (100, 300)])
@pytest.mark.parametrize("sought", [0.5, 2.0])
def test_members_needed_are_those_of_a_test_with_that_power(treated: int, control: int, sought: float) -> None:
    deviation, rate = 20.0, 0.04
    more = needed(treated, control, (deviation**2, deviation**2), sought, rate)
    ratio = control / treated
    first = NormalIndPower().solve_power(sought / deviation, alpha=rate, power=0.8, ratio=ratio)
    assert more == pytest.approx(first * (1 + ratio) - treated - control, abs=1.5)


def test_of_nothing_sought_no_number_would_be_enough() -> None:
    assert needed(100, 100, (1.0, 1.0), 0.0, 0.05) is None
    assert needed(100, 100, (1.0, 1.0), 1e-9, 0.05) is None, "beyond all there are"
    assert needed(100, 100, (1.0, 1.0), 0.0, 0.05, more=3.0) == 400, "to be trusted at all"


def test_a_clear_difference_is_called_what_it_is() -> None:
    found = effect("repurchase", share(300, 1_000), share(200, 1_000), 0.05)
    assert (found.verdict, found.distrust, found.needed) == ("effective", "", None)
    assert (found.treated, found.control, found.difference) == pytest.approx((0.3, 0.2, 0.1))
    assert found.lift == pytest.approx(0.5)
    assert found.confidence == pytest.approx(0.95)
    assert effect("repurchase", share(200, 1_000), share(300, 1_000), 0.05).verdict == "harmful"


def test_what_is_not_clear_cannot_be_told_yet_and_says_how_many_more_would_tell() -> None:
    found = effect("repurchase", share(230, 1_000), share(210, 1_000), 0.05)
    assert found.verdict == "cannot tell yet"
    assert found.sought == pytest.approx(0.02)
    assert found.needed is not None
    assert 11_000 < found.needed < 12_000


def test_they_are_reckoned_for_the_smallest_difference_worth_knowing_where_that_was_said() -> None:
    seen = effect("repurchase", share(230, 1_000), share(210, 1_000), 0.05)
    worth = effect("repurchase", share(230, 1_000), share(210, 1_000), 0.05, smallest=0.05)
    assert seen.needed is not None
    assert worth.sought == 0.05
    assert worth.needed is not None
    assert worth.needed < seen.needed


def test_no_effect_as_large_as_would_matter_is_an_answer_too() -> None:
    found = effect("repurchase", share(2_010, 10_000), share(2_000, 10_000), 0.05, smallest=0.05)
    assert found.verdict == "no effect"
    assert effect("repurchase", share(2_010, 10_000), share(2_000, 10_000), 0.05).verdict == "cannot tell yet"


@pytest.mark.parametrize(
    ("treated", "control", "why"),
    [
        (share(20, 20), share(0, 400), "too few members"),
        (share(9, 900), share(0, 100), "too few who did it"),
        (share(891, 900), share(80, 80), "too few who did it"),
        (share(0, 500), share(0, 500), "too few who did it"),
    ],
)
def test_small_counts_are_not_trusted_however_far_apart(treated: Sums, control: Sums, why: str) -> None:
    found = effect("redemption", treated, control, 0.05)
    assert (found.verdict, found.distrust) == ("cannot tell yet", why)


def mean(values: Sequence[int]) -> Sums:
    return Sums.of(values)


def test_means_that_a_few_members_decide_are_not_trusted_and_say_how_many_would_do() -> None:
    few = mean([1_000] * 40 + [900_000] + [0] * 859)
    found = effect("spend", few, mean([1_000] * 35 + [0] * 65), 0.05)
    assert (found.verdict, found.distrust) == ("cannot tell yet", "a few members decide")
    assert found.needed is not None
    assert found.needed > 500
    assert effect("spend", mean(spend(500, 1)), mean(spend(50, 2)), 0.05).distrust == "too few who did it"
    assert effect("spend", mean(spend(500, 1)), mean(spend(5, 2)), 0.05).distrust == "too few members"


def test_enough_ordinary_members_are_trusted() -> None:
    found = effect("spend", mean(spend(9_000, 1, 0.5)), mean(spend(1_000, 2, 0.3)), 0.05)
    assert (found.verdict, found.distrust) == ("effective", "")


@pytest.mark.parametrize("metric", ["repurchase", "spend"])
def test_an_empty_group_bounds_nothing(metric: Metric) -> None:
    found = effect(metric, mean(spend(100, 1)), Sums(), 0.05)
    assert (found.low, found.high, found.verdict, found.distrust) == (None, None, "cannot tell yet", "too few members")
    alone = effect("spend", mean(spend(100, 1)), mean([5]), 0.05)
    assert (alone.low, alone.high) == (None, None)


def test_everybody_spending_the_same_is_no_division_by_nothing() -> None:
    found = effect("spend", mean([5] * 100), mean([5] * 100), 0.05)
    assert (found.difference, found.low, found.high, found.verdict) == (0.0, 0.0, 0.0, "cannot tell yet")
    assert effect("spend", mean([6] * 100), mean([5] * 100), 0.05).verdict == "effective"


def test_a_scale_turns_spend_into_margin() -> None:
    one, other = mean(spend(9_000, 1, 0.5)), mean(spend(1_000, 2, 0.3))
    plain, scaled = effect("spend", one, other, 0.05), effect("margin", one, other, 0.05, scale=0.25)
    assert scaled.difference == pytest.approx(plain.difference / 4)
    assert plain.low is not None
    assert scaled.low == pytest.approx(plain.low / 4)
    assert scaled.lift == pytest.approx(plain.lift)
