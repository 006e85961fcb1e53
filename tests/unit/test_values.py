"""Points, money and rates."""

import pytest

from loyalty.errors import Invalid
from loyalty.values import MAX_AMOUNT, ZERO, Rate, exponent, money_text, parse_amount


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        (1234, "USD", 1234),
        (0, "USD", 0),
        ("12.34", "USD", 1234),
        ("12.3", "USD", 1230),
        ("12", "USD", 1200),
        ("0.05", "EUR", 5),
        ("0", "EUR", 0),
        ("007.50", "EUR", 750),
        ("1500", "JPY", 1500),
        (1500, "JPY", 1500),
        ("1.234", "KWD", 1234),
        ("1.2", "KWD", 1200),
        ("10000000000.00", "USD", MAX_AMOUNT),
        (MAX_AMOUNT, "USD", MAX_AMOUNT),
    ],
)
def test_an_amount_is_read_in_minor_units(value: int | str, currency: str, minor: int) -> None:
    assert parse_amount(value, currency, "amount") == minor


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        (-1, "USD"),
        (MAX_AMOUNT + 1, "USD"),
        ("10000000000.01", "USD"),
        ("-1", "USD"),
        ("+1", "USD"),
        ("1.234", "USD"),
        ("1.0", "JPY"),
        ("1.2345", "KWD"),
        ("", "USD"),
        (" 1", "USD"),
        ("1 ", "USD"),
        ("1\n", "USD"),
        ("1.", "USD"),
        (".5", "USD"),
        ("1,50", "USD"),
        ("1e3", "USD"),
        ("0x10", "USD"),
        ("1_000", "USD"),
        ("NaN", "USD"),
        ("٣", "USD"),
        ("99999999999999", "USD"),
    ],
)
def test_an_amount_that_is_not_exactly_money_is_refused_and_names_its_field(value: int | str, currency: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_amount(value, currency, "lines[3].amount")
    assert refusal.value.code == "REQUEST_INVALID"
    assert refusal.value.field == "lines[3].amount"
    assert refusal.value.detail.startswith("lines[3].amount must ")


def test_the_refusal_says_how_many_places_the_currency_has() -> None:
    with pytest.raises(Invalid, match="at most 0 places"):
        parse_amount("1.5", "JPY", "amount")


@pytest.mark.parametrize(
    ("currency", "places"), [("USD", 2), ("EUR", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("TND", 3)]
)
def test_a_currency_has_the_places_of_iso_4217(currency: str, places: int) -> None:
    assert exponent(currency) == places


def test_a_rate_is_in_lowest_terms() -> None:
    assert Rate.of(6, 4) == (3, 2)
    assert Rate.of(0, 7) == (0, 1)
    assert Rate.of(-6, 4) == (-3, 2)
    assert ZERO == (0, 1)


@pytest.mark.parametrize("den", [0, -1])
def test_a_rate_has_a_positive_denominator(den: int) -> None:
    with pytest.raises(ValueError, match="denominator"):
        Rate.of(1, den)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1", (1, 1)),
        ("3/2", (3, 2)),
        ("6/4", (3, 2)),
        ("1.5", (3, 2)),
        ("0.1", (1, 10)),
        ("0.000001", (1, 1_000_000)),
        ("999999999/1", (999_999_999, 1)),
        ("2.50", (5, 2)),
    ],
)
def test_a_rate_is_read_exactly(text: str, rate: tuple[int, int]) -> None:
    assert Rate.parse(text) == rate


@pytest.mark.parametrize(
    "text",
    ["", "0", "0.0", "0/5", "1/0", "-1", "1/-2", "1e3", "1.", ".5", "1.1234567", "1 /2", "1/2 ", "one", "1000000000"],
)
def test_what_is_not_a_rate_above_zero_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        Rate.parse(text)


def test_rates_multiply_and_add_exactly() -> None:
    assert Rate(1, 100).times(1999) == (1999, 100)
    assert Rate(3, 4).times(-2) == (-3, 2)
    assert Rate(1, 3).plus(Rate(1, 6)) == (1, 2)
    assert Rate(1, 3).plus(Rate(-1, 3)) == (0, 1)


@pytest.mark.parametrize(
    ("rate", "whole", "rest"),
    [
        (Rate(7, 2), 3, (1, 2)),
        (Rate(4, 1), 4, (0, 1)),
        (Rate(-1, 4), -1, (3, 4)),
        (Rate(-7, 2), -4, (1, 2)),
        (Rate(-3, 1), -3, (0, 1)),
        (Rate(1999, 100), 19, (99, 100)),
    ],
)
def test_splitting_rounds_down_and_keeps_what_is_left_over(rate: Rate, whole: int, rest: tuple[int, int]) -> None:
    assert rate.split() == (whole, rest)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(123_450, "EUR", "1,234.50"), (-5, "EUR", "-0.05"), (1_234, "JPY", "1,234"), (-1_234, "KWD", "-1.234")],
)
def test_an_amount_is_written_with_the_places_of_its_currency(minor: int, currency: str, text: str) -> None:
    assert money_text(minor, currency) == text
