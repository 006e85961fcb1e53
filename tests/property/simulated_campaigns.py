"""Campaigns on real purchases, by the thousand: who buys what is real, who is kept out is drawn, and what the campaign
does, if anything, is planted. Everything is summed by numpy and judged by the product's own code.
"""

import csv
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loyalty.experiments.findings import Measuring
from loyalty.experiments.sums import ArmSums, Metric, Sums

Whole = NDArray[np.int64]
EXAMPLES: Final = Path(__file__).parents[2] / "examples"
YEAR: Final = 365
SIZES: Final = (200, 20_000)
"""Members of the smallest and the largest campaign; as many are between 200 and 2,000 as beyond."""
CONTROLS: Final = (0.1, 0.1, 0.2, 0.5)
"""Shares that are kept out; the first is the usual one."""


class Crowd(NamedTuple):
    """Real customers: what each had spent (minor units) and how often bought before each day, from day 0."""

    spent: Whole
    bought: Whole
    baskets: Whole
    """What was spent on a day, of every day on which anybody spent anything."""

    @property
    def customers(self) -> int:
        return len(self.spent)

    @property
    def days(self) -> int:
        return len(self.spent[0]) - 1


@cache
def music() -> Crowd:
    """Eighteen months of a music shop: one in ten buys in a month, and a few buy very much."""
    with (EXAMPLES / "cdnow.csv").open(encoding="utf-8") as file:
        rows = [(row["sample_id"], row["date"], row["amount"]) for row in csv.DictReader(file)]
    return _crowd(rows)


@cache
def grocer() -> Crowd:
    """Five weeks of a grocer: most buy in a fortnight."""
    with (EXAMPLES / "purchases.csv").open(encoding="utf-8") as file:
        rows = [(row["household_id"], row["time"][:10], row["amount"]) for row in csv.DictReader(file)]
    return _crowd(rows)


def _crowd(rows: list[tuple[str, str, str]]) -> Crowd:
    customers = {name: place for place, name in enumerate(sorted({name for name, _, _ in rows}))}
    days = [date.fromisoformat(day).toordinal() for _, day, _ in rows]
    first, last = min(days), max(days)
    spent: Whole = np.zeros((len(customers), last - first + 2), dtype=np.int64)
    bought = np.zeros_like(spent)
    for (name, _, amount), day in zip(rows, days, strict=True):
        spent[customers[name], day - first + 1] += round(float(amount) * 100)
        bought[customers[name], day - first + 1] = 1
    return Crowd(spent.cumsum(axis=1), bought.cumsum(axis=1), spent[spent > 0])


class Planted(NamedTuple):
    """What the campaign does: each treated member makes, with this chance, one purchase more, on some day of the
    window, of an amount that some real customer spent on a day. ``less`` of all spend is lost instead.
    """

    more: float = 0.0
    less: float = 0.0


NOTHING: Final = Planted()


class Seen(NamedTuple):
    """The sums of a campaign as they stand on a day of its run, and what is true of all there could be by then."""

    arms: dict[str, ArmSums]
    truth: float


class Campaign:
    """One campaign over ``crowd``. Everyone enters on one day, or (``steady``) on any day of a year; each member's
    window is ``window`` days. ``seen`` gives what each of its looks and, last, its end would see.
    """

    def __init__(self, crowd: Crowd, rng: np.random.Generator, planted: Planted = NOTHING, *, steady: bool = False):
        self.rng = rng
        self.planted = planted
        self.window = 30 if crowd.days > YEAR else 14
        size = round(10 ** float(rng.uniform(*np.log10(SIZES))))
        share = CONTROLS[rng.integers(len(CONTROLS))]
        metrics: tuple[Metric, ...] = ("repurchase", "spend")
        self.metric = metrics[rng.integers(2)]
        self.members = rng.integers(crowd.customers, size=size)
        last = min(crowd.days - self.window, YEAR)
        self.enters = rng.integers(last, size=size) if steady else np.full(size, rng.integers(last))
        self.control = rng.random(size) < share
        begin, end = int(self.enters.min()), int(self.enters.max()) + self.window
        self.days = [*range(begin + 7, end, 7), end] if steady else list(range(begin + 1, end + 1))
        self.crowd = crowd
        self.quiet: dict[tuple[int, int], float] = {}
        self.extra_on = self.enters + 1 + rng.integers(self.window, size=size)
        self.extra = np.where(rng.random(size) < planted.more, rng.choice(crowd.baskets, size=size), 0)
        self.extra[self.control] = 0

    @property
    def measuring(self) -> Measuring:
        return Measuring(self.metric, "EUR", self.window, looks=len(self.days) - 1)

    def seen(self) -> Iterator[tuple[int, Seen]]:
        for day in self.days:
            upto = np.minimum(day, self.enters + self.window)
            in_ = self.enters < day
            members, enters, upto = self.members[in_], self.enters[in_], upto[in_]
            spent = self.crowd.spent[members, upto] - self.crowd.spent[members, enters]
            bought = self.crowd.bought[members, upto] - self.crowd.bought[members, enters]
            extra = np.where(self.extra_on[in_] <= upto, self.extra[in_], 0)
            control = self.control[in_]
            if self.planted.less:
                spent = np.where(control, spent, np.rint(spent * (1 - self.planted.less)).astype(np.int64))
            spent, bought = spent + extra, bought + (extra > 0)
            arms = {
                "control": arm(spent[control], bought[control]),
                "treated": arm(spent[~control], bought[~control]),
            }
            yield day, Seen(arms, self._truth(day))

    def _truth(self, day: int) -> float:
        """The difference among all customers there are to draw from, for who entered on those days."""
        if not self.planted.more:
            return 0.0
        entered = self.enters[self.enters < day]
        done = np.minimum(day - entered, self.window)
        if self.metric == "spend":
            return float(self.planted.more * self.crowd.baskets.mean() * (done / self.window).mean())
        days, counts = np.unique(entered, return_counts=True)
        whole = 0.0
        for enter, count in zip(days, counts, strict=True):
            upto = min(day, enter + self.window)
            whole += count * self.planted.more * (upto - enter) / self.window * self._quiet(enter, upto)
        return whole / len(entered)

    def _quiet(self, since: int, until: int) -> float:
        """The share of all customers that buy nothing between two days."""
        if (since, until) not in self.quiet:
            self.quiet[since, until] = float((self.crowd.bought[:, until] == self.crowd.bought[:, since]).mean())
        return self.quiet[since, until]


def arm(spent: Whole, bought: Whole) -> ArmSums:
    """Of members' spend and purchases."""
    return ArmSums(members=len(spent), purchases=sums(bought), spend=sums(spent))


def sums(values: Whole) -> Sums:
    """Of members' numbers; the cubes only as exactly as a float."""
    if not len(values):
        return Sums()
    exact = values.astype(np.float64)
    return Sums(
        len(values),
        int(values.sum()),
        int((values * values).sum()),
        int((exact * exact * exact).sum()),
        int(np.count_nonzero(values)),
        int(values.max()),
    )
