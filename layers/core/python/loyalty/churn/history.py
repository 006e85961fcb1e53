"""From purchases to what the models are fitted on. Pure.

Purchases of one day are one, and their values add up: till receipts split at whim. The first day is what makes somebody
a customer; the models speak of what comes after it.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from msgspec import Struct

from loyalty.churn.model import Buyer

DAYS_IN_WEEK = 7


class Record(Struct, frozen=True):
    """A customer until a day: how it bought, the mean value of its repeat days (0 without one), and how many days it
    bought on in the weeks held back after it.
    """

    customer: str
    buyer: Buyer
    mean: float
    held_back: int


def by_day(purchases: Iterable[tuple[str, date, float]]) -> dict[str, dict[date, float]]:
    """(customer, day, value) added up by customer and day."""
    customers: dict[str, dict[date, float]] = {}
    for customer, day, value in purchases:
        days = customers.setdefault(customer, {})
        days[day] = days.get(day, 0.0) + value
    return customers


def records(customers: Mapping[str, Mapping[date, float]], until: date) -> list[Record]:
    """Every customer that had bought by the end of ``until``, in the order given."""
    found: list[Record] = []
    for customer, days in customers.items():
        bought = sorted(day for day in days if day <= until)
        if not bought:
            continue
        first, repeats = bought[0], bought[1:]
        found.append(
            Record(
                customer,
                Buyer(len(repeats), _weeks(first, bought[-1]), _weeks(first, until)),
                sum(days[day] for day in repeats) / len(repeats) if repeats else 0.0,
                len(days) - len(bought),
            )
        )
    return found


def _weeks(start: date, end: date) -> float:
    return (end - start).days / DAYS_IN_WEEK
