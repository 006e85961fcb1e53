"""The models' parameters from many members: maximum likelihood, by SciPy. Imported by the job that fits, and no other.

Many members look alike, so the likelihood is worked out once for each (repeats, recency, age) there is and weighted.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln

from loyalty.churn.history import Record
from loyalty.churn.model import Purchasing, Spending

Floats = NDArray[np.float64]
MIN_BUYERS = 50
"""Repeat buyers without whom there is nothing to fit."""
_STARTS = ((1.0, 1.0, 1.0, 1.0), (0.25, 5.0, 0.5, 2.0), (1.0, 10.0, 0.2, 1.0))


class TooFew(ValueError):
    """There are not enough repeat buyers, or nothing that tells them apart."""


class Fitted(Struct, frozen=True):
    """BG/NBD as fitted: its parameters, the log-likelihood they reach, and on how many members."""

    model: Purchasing
    log_likelihood: float
    members: int


class FittedSpending(Struct, frozen=True):
    """Gamma-Gamma as fitted, on the repeat buyers that spent anything."""

    model: Spending
    log_likelihood: float
    members: int


def columns(records: Sequence[Record]) -> tuple[Floats, Floats, Floats]:
    """Repeats, recency and age of customers, one column each."""
    buyers = [one.buyer for one in records]
    return (
        np.array([one.repeats for one in buyers], dtype=np.float64),
        np.array([one.recency for one in buyers], dtype=np.float64),
        np.array([one.age for one in buyers], dtype=np.float64),
    )


def purchasing(repeats: Floats, recency: Floats, age: Floats) -> Fitted:
    """BG/NBD, from one number for each member; times in weeks. TooFew, also when no start of the search converges."""
    if int(np.count_nonzero(repeats)) < MIN_BUYERS:
        raise TooFew(f"{np.count_nonzero(repeats)} repeat buyers; at least {MIN_BUYERS} are needed")
    alike, weight = np.unique(np.column_stack((repeats, recency, age)), axis=0, return_counts=True)
    x, tx, t = alike.T
    again = x > 0
    before = np.where(again, x, 1.0) - 1

    def loss(logs: Floats) -> float:
        r, alpha, a, b = np.exp(logs)
        both = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        both += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        stays = -(r + x) * np.log(alpha + t)
        leaves = np.where(again, np.log(a) - np.log(b + before) - (r + x) * np.log(alpha + tx), -np.inf)
        return -float(weight @ (both + np.logaddexp(stays, leaves)))

    values, least = _least(loss, _STARTS)
    return Fitted(Purchasing(*values), -least, len(repeats))


def all_spending(customers: Mapping[str, Mapping[date, float]], until: date) -> FittedSpending:
    """Gamma-Gamma on every purchase day up to ``until``, the first ones too: an account knows the sum of all, not what
    the first was.
    """
    spent = [[value for day, value in days.items() if day <= until] for days in customers.values()]
    some = [values for values in spent if values]
    return spending(
        np.array([len(values) for values in some], dtype=np.float64),
        np.array([sum(values) / len(values) for values in some], dtype=np.float64),
    )


def spending(purchases: Floats, mean: Floats) -> FittedSpending:
    """Gamma-Gamma, from the number of repeat days and their mean value, of each member that has any."""
    some = (purchases > 0) & (mean > 0)
    n, m = purchases[some], mean[some]
    if len(n) < MIN_BUYERS:
        raise TooFew(f"{len(n)} repeat buyers who spent anything; at least {MIN_BUYERS} are needed")

    def loss(logs: Floats) -> float:
        p, q, gamma = np.exp(logs)
        all_ = gammaln(p * n + q) - gammaln(p * n) - gammaln(q) + q * np.log(gamma)
        all_ += (p * n - 1) * np.log(m) + p * n * np.log(n) - (p * n + q) * np.log(gamma + n * m)
        return -float(np.sum(all_))

    typical = float(np.mean(m))
    values, least = _least(loss, ((1.0, 2.0, typical), (5.0, 4.0, typical / 2), (2.0, 10.0, typical * 4)))
    return FittedSpending(Spending(*values), -least, len(n))


def _least(loss: Callable[[Floats], float], starts: tuple[tuple[float, ...], ...]) -> tuple[list[float], float]:
    """The best that a search from each start finds, in logarithms, so that every value is above zero."""
    best: tuple[list[float], float] | None = None
    for start in starts:
        found = minimize(
            loss,
            np.log(start),
            method="L-BFGS-B",
            bounds=[(-12, 12)] * len(start),
            options={"ftol": 1e-13, "gtol": 1e-7, "maxiter": 1000},
        )
        polished = minimize(
            loss, found.x, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-9, "maxiter": 4000}
        )
        if np.isfinite(polished.fun) and (best is None or polished.fun < best[1]):
            best = ([float(value) for value in np.exp(polished.x)], float(polished.fun))
    if best is None:
        raise TooFew("the likelihood has no finite value: the purchases do not tell the members apart")
    return best
