"""Points, money and rates: whole numbers only.

Points are ``int``. Money is ``int`` in the currency's minor unit (cents, fen). A rate or a remainder is an exact
fraction of two ints in lowest terms; no float ever touches an amount.
"""

import re
from math import gcd
from typing import NamedTuple

from loyalty.errors import Invalid

MAX_AMOUNT = 10**12
"""Largest amount of money, in minor units, that one field may carry."""
MAX_POINTS = 10**12
"""Largest number of points that one command may move or one account hold."""

# ISO 4217, list one: the currencies whose minor unit is not a hundredth.
_EXPONENTS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
_DECIMAL = re.compile(r"([0-9]{1,13})(?:\.([0-9]{1,3}))?", re.ASCII)


def exponent(currency: str) -> int:
    """Decimal places of an ISO 4217 currency's minor unit."""
    return _EXPONENTS.get(currency, 2)


def parse_amount(value: int | str, currency: str, field: str) -> int:
    """Minor units of ``value``: an int is in minor units already, a string is decimal in major units (``"12.34"``).

    Raises Invalid, naming ``field``, for anything negative, too large, or finer than the currency's minor unit.
    """
    if isinstance(value, int):
        minor = value
    else:
        match = _DECIMAL.fullmatch(value)
        places = exponent(currency)
        if match is None or len(match[2] or "") > places:
            raise Invalid(
                "REQUEST_INVALID",
                f"{field} must be minor units as an integer, or a decimal string with at most {places} places",
                field=field,
            )
        minor = int(match[1]) * 10**places + int((match[2] or "").ljust(places, "0") or "0")
    if not 0 <= minor <= MAX_AMOUNT:
        raise Invalid("REQUEST_INVALID", f"{field} must lie between 0 and {MAX_AMOUNT} minor units", field=field)
    return minor


def money_text(minor: int, currency: str) -> str:
    """Minor units as people write them, without the currency: ``1,234.50``."""
    places = exponent(currency)
    whole, rest = divmod(abs(minor), 10**places)
    return f"{'-' if minor < 0 else ''}{whole:,}" + (f".{rest:0{places}d}" if places else "")


class Rate(NamedTuple):
    """An exact fraction, in lowest terms, with a positive denominator."""

    num: int
    den: int

    @classmethod
    def of(cls, num: int, den: int) -> "Rate":
        if den <= 0:
            raise ValueError("a rate's denominator is positive")
        divisor = gcd(num, den)
        return cls(num // divisor, den // divisor)

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """``"1"``, ``"3/2"`` or ``"1.5"``; ValueError for anything else, and for what is not above zero."""
        if match := re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text, re.ASCII):
            rate = cls.of(int(match[1]), int(match[2]))
        elif match := re.fullmatch(r"([0-9]{1,9})(?:\.([0-9]{1,6}))?", text, re.ASCII):
            digits = match[2] or ""
            rate = cls.of(int(match[1] + digits), 10 ** len(digits))
        else:
            raise ValueError(f"not a rate: {text!r}; write 1, 3/2 or 1.5")
        if rate.num <= 0:
            raise ValueError("a rate is above zero")
        return rate

    def times(self, factor: int) -> "Rate":
        return Rate.of(self.num * factor, self.den)

    def plus(self, other: "Rate") -> "Rate":
        return Rate.of(self.num * other.den + other.num * self.den, self.den * other.den)

    def split(self) -> "tuple[int, Rate]":
        """The whole part, rounded down, and what is left over, in [0, 1)."""
        whole, rest = divmod(self.num, self.den)
        return whole, Rate.of(rest, self.den)


ZERO = Rate(0, 1)
