"""The effect of an arm against another, from their sums alone, by SciPy. Imported where a report is made, and nowhere
else.

**Shares** (who bought again, who redeemed): Newcombe's hybrid of two Wilson intervals (Newcombe 1998, method 10), which
keeps its promise for small groups and rare events.

**Means** (spend, margin): Welch's interval, and Hall's, which allows for skewness (Hall 1992; for two samples, Zhou and
Dinh 2005); each end is that of the two which is further out. What members spend is many times nothing and now and then
a lot. Where a small control group stands beside a large treated one, it mostly has none of the largest purchases and
its spread looks smaller than it is, so Welch's interval alone errs on the side of "effective" up to four times as often
as it says. How skewed spend is, is therefore judged from both groups together. The correction is the first of a series,
so where it is large the interval is not trusted, and says so.

**Members needed** are those for which a two-sided test at the same error rate shows the difference in 80 of 100
campaigns, by the normal approximation, the groups being divided as they are.
"""

import math
from statistics import NormalDist
from typing import Final, NamedTuple

from msgspec.structs import replace
from scipy.special import stdtrit

from loyalty.experiments.findings import A_FEW_DECIDE, TOO_FEW_DID, TOO_FEW_MEMBERS, Distrust, Effect, Verdict
from loyalty.experiments.sums import SHARES, Metric, Sums

POWER: Final = 0.8
LEAST_MEMBERS: Final = 30
"""Of either group; with fewer, no interval is trusted."""
LEAST_EXPECTED: Final = 10
"""Who did it, and who did not, in either group, were both alike."""
LEAST_BUYERS: Final = 30
"""In either group, for a mean of what they spend."""
MOST_SKEW: Final = 0.6
"""Of the difference's skewness times the quantile asked for: beyond it a few members decide."""
UNREACHABLE: Final = 10**9

_NORMAL: Final = NormalDist()
_TINY: Final = 1e-12


class Interval(NamedTuple):
    """A difference, and where it lies."""

    difference: float
    low: float
    high: float


class Moments(NamedTuple):
    """Of one group: members, mean, variance and third central moment, as estimated without bias."""

    n: int
    mean: float
    variance: float
    third: float


def effect(
    metric: Metric, treated: Sums, control: Sums, error_rate: float, smallest: float = 0.0, scale: float = 1.0
) -> Effect:
    """How the treated differ from the control in a metric. ``error_rate`` is two-sided, so the interval holds with
    ``1 - error_rate``. ``smallest`` is the smallest difference worth knowing, 0 for none said; ``scale`` turns what was
    summed into the metric, such as spend into margin.
    """
    share = metric in SHARES
    if not treated.n or not control.n:
        return _nothing(metric, treated, control, error_rate, smallest, scale)
    if share:
        found = newcombe(treated.nonzero, treated.n, control.nonzero, control.n, error_rate)
        values = treated.nonzero / treated.n, control.nonzero / control.n
        distrust, more = _share_distrust(treated, control)
    else:
        found = mean_difference(treated, control, error_rate)
        values = treated.total / treated.n, control.total / control.n
        distrust, more = _mean_distrust(treated, control, error_rate)
        found, values = Interval(*(scale * end for end in found)), (scale * values[0], scale * values[1])
    sought = smallest or abs(found.difference)
    verdict: Verdict = "cannot tell yet" if distrust else _verdict(found, smallest)
    said = Effect(
        metric=metric,
        treated_members=treated.n,
        control_members=control.n,
        treated=values[0],
        control=values[1],
        difference=found.difference,
        low=found.low if math.isfinite(found.low) else None,
        high=found.high if math.isfinite(found.high) else None,
        confidence=1 - error_rate,
        verdict=verdict,
        lift=found.difference / values[1] if values[1] else None,
        distrust=distrust,
        sought=sought,
    )
    if verdict != "cannot tell yet":
        return said
    variances = _variances(share, treated, control, scale)
    return replace(said, needed=needed(treated.n, control.n, variances, sought, error_rate, more))


def newcombe(treated: int, of_treated: int, control: int, of_control: int, error_rate: float) -> Interval:
    """Newcombe's interval for the difference of two shares, ``treated`` of ``of_treated`` less ``control`` of
    ``of_control``.
    """
    z = _NORMAL.inv_cdf(1 - error_rate / 2)
    one, other = treated / of_treated, control / of_control
    low, high = wilson(treated, of_treated, z)
    other_low, other_high = wilson(control, of_control, z)
    difference = one - other
    return Interval(
        difference,
        difference - math.hypot(one - low, other_high - other),
        difference + math.hypot(high - one, other - other_low),
    )


def wilson(count: int, n: int, z: float) -> tuple[float, float]:
    """Wilson's interval for a share (1927)."""
    share, square = count / n, z * z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def mean_difference(treated: Sums, control: Sums, error_rate: float) -> Interval:
    """The outer of Welch's and Hall's interval for the difference of two means. With a single member in a group
    nothing bounds it.
    """
    plain, corrected = welch(treated, control, error_rate), hall(treated, control, error_rate)
    return Interval(plain.difference, min(plain.low, corrected.low), max(plain.high, corrected.high))


def welch(treated: Sums, control: Sums, error_rate: float) -> Interval:
    """Welch's interval (1947), the variances being what they are in each group."""
    one, other = moments(treated), moments(control)
    difference = one.mean - other.mean
    error, quantile = _error(one, other), _quantile(one, other, error_rate)
    if math.isinf(quantile):
        return Interval(difference, -math.inf, math.inf)
    return Interval(difference, difference - quantile * error, difference + quantile * error)


def hall(treated: Sums, control: Sums, error_rate: float) -> Interval:
    """Hall's interval: what the skewness of the difference does to the studentised difference is undone, by a cubic
    that can be inverted whatever the data.
    """
    one, other = moments(treated), moments(control)
    difference = one.mean - other.mean
    error, quantile = _error(one, other), _quantile(one, other, error_rate)
    if math.isinf(quantile):
        return Interval(difference, -math.inf, math.inf)
    skew = _skew(one, other)
    return Interval(
        difference, difference - error * undone(quantile, skew), difference - error * undone(-quantile, skew)
    )


def needed(
    treated: int, control: int, variances: tuple[float, float], sought: float, error_rate: float, more: float = 1.0
) -> int | None:
    """How many more members, in both groups, divided as now, show a difference of ``sought`` with ``POWER``; at least
    so many that there are ``more`` times as many as now. None where that is beyond reach, or nothing is sought.
    """
    now = treated + control
    if not sought > _TINY:
        whole = now * more if more > 1 else math.inf
    else:
        z = _NORMAL.inv_cdf(1 - error_rate / 2) + _NORMAL.inv_cdf(POWER)
        spread = variances[0] * now / treated + variances[1] * now / control
        whole = max(z * z * spread / (sought * sought), now * more)
    return None if whole > UNREACHABLE else max(1, math.ceil(whole) - now)


def _verdict(found: Interval, smallest: float) -> Verdict:
    if found.low > 0:
        return "effective"
    if found.high < 0:
        return "harmful"
    if smallest and -smallest < found.low and found.high < smallest:
        return "no effect"
    return "cannot tell yet"


def _nothing(metric: Metric, treated: Sums, control: Sums, error_rate: float, smallest: float, scale: float) -> Effect:
    """One of the groups is empty."""
    share = metric in SHARES
    one, other = (
        0.0 if not sums.n else sums.nonzero / sums.n if share else scale * sums.total / sums.n
        for sums in (treated, control)
    )
    return Effect(
        metric, treated.n, control.n, one, other, one - other, None, None, 1 - error_rate, "cannot tell yet",
        distrust=TOO_FEW_MEMBERS, sought=smallest,
    )  # fmt: skip


def _share_distrust(treated: Sums, control: Sums) -> tuple[Distrust, float]:
    """Why shares are not to be trusted, and how many times as many members would do; "" and 1 where they are."""
    least = min(treated.n, control.n)
    if least < LEAST_MEMBERS:
        return TOO_FEW_MEMBERS, LEAST_MEMBERS / least
    pooled = (treated.nonzero + control.nonzero) / (treated.n + control.n)
    expected = least * min(pooled, 1 - pooled)
    if expected < LEAST_EXPECTED:
        return TOO_FEW_DID, LEAST_EXPECTED / expected if expected else math.inf
    return "", 1.0


def _mean_distrust(treated: Sums, control: Sums, error_rate: float) -> tuple[Distrust, float]:
    least = min(treated.n, control.n)
    if least < LEAST_MEMBERS:
        return TOO_FEW_MEMBERS, LEAST_MEMBERS / least
    buyers = min(treated.nonzero, control.nonzero)
    if buyers < LEAST_BUYERS:
        return TOO_FEW_DID, LEAST_BUYERS / buyers if buyers else math.inf
    one, other = moments(treated), moments(control)
    skew = abs(_skew(one, other)) * _quantile(one, other, error_rate)
    return (A_FEW_DECIDE, (skew / MOST_SKEW) ** 2) if skew > MOST_SKEW else ("", 1.0)


def _variances(share: bool, treated: Sums, control: Sums, scale: float) -> tuple[float, float]:
    if share:
        one, other = treated.nonzero / treated.n, control.nonzero / control.n
        return one * (1 - one), other * (1 - other)
    return scale * scale * moments(treated).variance, scale * scale * moments(control).variance


def moments(sums: Sums) -> Moments:
    """From whole numbers, so that nothing is lost however large they are."""
    n, total = sums.n, sums.total
    if n < 2:
        return Moments(n, total / n, 0.0, 0.0)
    variance = (n * sums.squares - total * total) / (n * (n - 1))
    if n < 3:
        return Moments(n, total / n, variance, 0.0)
    third = n * n * sums.cubes - 3 * n * total * sums.squares + 2 * total**3
    return Moments(n, total / n, variance, third / (n * (n - 1) * (n - 2)))


def _error(one: Moments, other: Moments) -> float:
    return math.sqrt(one.variance / one.n + other.variance / other.n)


def _skew(one: Moments, other: Moments) -> float:
    """Skewness of the difference of the means, both groups taken to be shaped alike: from a small group alone it is
    seen worst just when the group has missed the large purchases.
    """
    if min(one.n, other.n) < 2:
        return 0.0
    variance = ((one.n - 1) * one.variance + (other.n - 1) * other.variance) / (one.n + other.n - 2)
    third = (one.n * one.third + other.n * other.third) / (one.n + other.n)
    error = math.sqrt(variance * (1 / one.n + 1 / other.n))
    return third * (1 / one.n**2 - 1 / other.n**2) / error**3 if error else 0.0


def _quantile(one: Moments, other: Moments, error_rate: float) -> float:
    """Of Student's t, by the degrees of freedom that Welch and Satterthwaite give; infinite where there are none."""
    if min(one.n, other.n) < 2:
        return math.inf
    mine, theirs = one.variance / one.n, other.variance / other.n
    if not mine + theirs:
        return 0.0
    freedom = (mine + theirs) ** 2 / (mine**2 / (one.n - 1) + theirs**2 / (other.n - 1))
    return float(stdtrit(freedom, 1 - error_rate / 2))


def undone(quantile: float, skew: float) -> float:
    """The studentised difference at which Hall's cubic has the value ``quantile``."""
    if abs(skew) < _TINY:
        return quantile
    return 3 / skew * (math.cbrt(1 + skew * (quantile - skew / 6)) - 1)
