"""What a step may give: the kinds that there are. A further kind is an entry in ``KINDS``, and whoever carries it out.
Pure.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from loyalty.campaigns.campaign import Offer
from loyalty.values import MAX_POINTS

THOUSAND: Final = 1_000


class Number(Struct, frozen=True):
    """A number of an offer, between two bounds in the unit that it is written in. It is kept in 1/``scale``."""

    low: int
    high: int
    scale: int = 1
    required: bool = False


class Kind(Struct, frozen=True):
    """A kind of offer: its numbers, of which the first is the kind's name; and the variables that a text may use, each
    by the type that it has there.
    """

    numbers: Mapping[str, Number]
    variables: Mapping[str, str]


POINTS: Final = "points"
MULTIPLY: Final = "multiply"
KINDS: Final[Mapping[str, Kind]] = {
    POINTS: Kind(
        {"points": Number(1, MAX_POINTS, required=True), "expires_days": Number(1, 3_650)},
        {"offer_points": "points", "offer_until": "date"},
    ),
    MULTIPLY: Kind(
        {"multiply": Number(1, 10, THOUSAND, required=True), "days": Number(1, 366, required=True)},
        {"offer_multiplier": "text", "offer_until": "date"},
    ),
}


def points(offer: Offer | None) -> int:
    """Points that it takes from a budget."""
    return offer.numbers["points"] if offer is not None and offer.kind == POINTS else 0


def times(offer: Offer | None) -> int:
    """What it multiplies by beyond once, in thousandths, summed over its days: 7000 for twice the points for a week."""
    if offer is None or offer.kind != MULTIPLY:
        return 0
    return max(offer.numbers["multiply"] - THOUSAND, 0) * offer.numbers["days"]


def until(offer: Offer, day: int) -> int:
    """The last day on which what is given on a day can be used; 0 where the programme's own terms say."""
    if offer.kind == MULTIPLY:
        return day + offer.numbers["days"] - 1
    return day + offer.numbers["expires_days"] if "expires_days" in offer.numbers else 0


def variables(offer: Offer | None) -> Mapping[str, str]:
    """Names that a text beside the offer may use, by type."""
    if offer is None:
        return {}
    known = KINDS[offer.kind].variables
    return known if offer.kind != POINTS or "expires_days" in offer.numbers else {"offer_points": "points"}


def values(offer: Offer | None, day: int) -> dict[str, str | int]:
    """Their values for what is given on a day: a date as its ordinal, the multiplier as it is written."""
    if offer is None:
        return {}
    whole, rest = divmod(offer.numbers.get("multiply", 0), THOUSAND)
    known: dict[str, str | int] = {
        "offer_points": offer.numbers.get("points", 0),
        "offer_multiplier": f"{whole}.{rest:03d}".rstrip("0").rstrip("."),
        "offer_until": until(offer, day),
    }
    return {name: known[name] for name in variables(offer)}
