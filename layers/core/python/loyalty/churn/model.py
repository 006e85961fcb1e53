"""The two models, one member at a time. Plain arithmetic, no library, so every function can afford it.

When members buy and stop: BG/NBD, P. S. Fader, B. G. S. Hardie, K. L. Lee, "Counting Your Customers the Easy Way: An
Alternative to the Pareto/NBD Model", Marketing Science 24 (2005) 275-284. What a purchase is worth: Gamma-Gamma,
P. S. Fader, B. G. S. Hardie, "The Gamma-Gamma Model of Monetary Value" (2013). Equation numbers are theirs.

Times are in weeks. Values are in any one unit, that of the purchases a model was fitted on.
"""

import math
from math import exp, inf, lgamma, log, log1p
from typing import Final

from msgspec import Struct

_NEAR: Final = 1e-7


class Buyer(Struct, frozen=True):
    """A member's purchases as BG/NBD sees them: days with a purchase after the first (``repeats``), the time from the
    first to the last of them (``recency``) and from the first until now (``age``).
    """

    repeats: int
    recency: float
    age: float


class Purchasing(Struct, frozen=True):
    """BG/NBD: how often members buy varies as Gamma(``r``, ``alpha``), their chance to leave after each repeat purchase
    as Beta(``a``, ``b``). All are above zero.
    """

    r: float
    alpha: float
    a: float
    b: float

    def log_likelihood(self, buyer: Buyer) -> float:
        """Logarithm of equation 6, its two terms added without leaving logarithms."""
        x = buyer.repeats
        both = lgamma(self.r + x) - lgamma(self.r) + self.r * log(self.alpha)
        both += lgamma(self.a + self.b) + lgamma(self.b + x) - lgamma(self.b) - lgamma(self.a + self.b + x)
        stays = -(self.r + x) * log(self.alpha + buyer.age)
        if x == 0:
            return both + stays
        leaves = log(self.a) - log(self.b + x - 1) - (self.r + x) * log(self.alpha + buyer.recency)
        return both + max(stays, leaves) + log1p(exp(-abs(stays - leaves)))

    def alive(self, buyer: Buyer) -> float:
        """Chance that a member has not left. 1 for one who bought once: this model lets nobody leave before a repeat
        purchase. Fader, Hardie, "Computing P(alive) Using the BG/NBD Model" (2008).
        """
        if buyer.repeats == 0:
            return 1.0
        against = log(self.a) - log(self.b + buyer.repeats - 1)
        against += (self.r + buyer.repeats) * log((self.alpha + buyer.age) / (self.alpha + buyer.recency))
        return 1 / (1 + exp(against)) if against < 700 else 0.0

    def crossing(self, repeats: int, recency: float, threshold: float) -> float:
        """The age at which ``alive`` falls to ``threshold``, in (0, 1), when nothing more is bought: ``alive`` solved
        for the age. The last purchase's when it is below by then; inf for one who bought once.
        """
        if repeats == 0:
            return inf
        odds = (1 / threshold - 1) * (self.b + repeats - 1) / self.a
        return max(recency, (self.alpha + recency) * math.pow(odds, 1 / (self.r + repeats)) - self.alpha)

    def returns(self, buyer: Buyer, within: float) -> float:
        """Chance of another purchase before ``within`` weeks have passed since the last one: not to have left, and not
        to be silent for the rest of that time. 0 once they have passed.
        """
        silent = (self.alpha + buyer.age) / (self.alpha + buyer.recency + within)
        return self.alive(buyer) * max(0.0, 1 - math.pow(silent, self.r + buyer.repeats))

    def silence(self, repeats: int, recency: float, within: float, threshold: float) -> float:
        """The age at which ``returns`` falls to ``threshold``, in (0, 1), when nothing more is bought: ``returns``
        solved for the age. The last purchase's when it is below by then, and never more than ``within`` after that.
        """
        much = self.r + repeats
        left = self.a / (self.b + repeats - 1) if repeats else 0.0
        silent = math.pow((self.alpha + recency) / (self.alpha + recency + within), much)
        still = (left + silent) / (1 - threshold) - left
        return max(recency, (self.alpha + recency) * math.pow(still, -1 / much) - self.alpha)

    def expected(self, buyer: Buyer, ahead: float) -> float:
        """Purchases to expect in the next ``ahead`` weeks: equation 10, its series in Euler's form, whose terms stay
        small however many purchases there are.

        Where a factor is 0 and another infinite (a = 1, or a + b = 1 before a repeat purchase) a value next to it
        stands for the limit.
        """
        a, b = _beside(self.a, 1.0), self.b
        many = _beside(a + b + buyer.repeats - 1, 0.0)
        z = ahead / (self.alpha + buyer.age + ahead)
        silent = math.pow(1 - z, a - 1) * _hypergeometric(a + b - 1 - self.r, a - 1, many, z)
        return (1 - silent) * many / (a - 1) * self.alive(buyer)


class Spending(Struct, frozen=True):
    """Gamma-Gamma: a purchase's value varies as Gamma with shape ``p`` about a mean of the member's own, whose rate
    varies as Gamma(``q``, ``gamma``). All are above zero, ``q`` above one.
    """

    p: float
    q: float
    gamma: float

    def log_likelihood(self, purchases: int, mean: float) -> float:
        """Logarithm of equation 1a, for one who made ``purchases`` of ``mean`` value; both above zero."""
        n = self.p * purchases
        both = lgamma(n + self.q) - lgamma(n) - lgamma(self.q)
        both += self.q * log(self.gamma) + (n - 1) * log(mean) + n * log(purchases)
        return both - (n + self.q) * log(self.gamma + purchases * mean)

    def expected(self, purchases: int, mean: float) -> float:
        """The value to expect of the next purchase of one who made ``purchases`` of ``mean`` value: equation 5. With no
        purchases, what all members spend in the mean.
        """
        return self.p * (self.gamma + purchases * mean) / (self.p * purchases + self.q - 1)


def _beside(value: float, pole: float) -> float:
    return value if abs(value - pole) > _NEAR else pole + _NEAR


def _hypergeometric(a: float, b: float, c: float, z: float) -> float:
    """Gauss's series for 0 <= z < 1, until what is left of it no longer counts."""
    total, term, n = 1.0, 1.0, 0
    while abs(term) > 1e-17 * (1 - z) * max(1.0, abs(total)):
        term *= (a + n) * (b + n) * z / ((c + n) * (n + 1))
        total += term
        n += 1
    return total
