"""Alerts against a fixed silence: what counts as one, and that rules are compared at as many false alerts."""

import csv
import math
from datetime import date, timedelta
from pathlib import Path

import pytest

from loyalty.churn import comparison, fit, history
from loyalty.churn.comparison import Silence
from loyalty.churn.model import Buyer, Purchasing

MODEL = Purchasing(0.243, 4.414, 0.793, 2.426)
START = date(2026, 1, 1)
CDNOW = Path(__file__).parents[2] / "examples" / "cdnow.csv"


def days(*after: int) -> list[date]:
    return [START + timedelta(days=one) for one in after]


def test_a_silence_begins_with_a_repeat_purchase_that_can_be_watched_long_enough() -> None:
    customers = {"m": days(0, 7, 27, 90), "n": days(80)}
    found = comparison.silences(customers, START, START + timedelta(days=120), 60)
    assert found == [Silence(1, 1.0, 20), Silence(2, 27 / 7, 0)]  # the third after 63 days; 90 is watched for 30
    assert comparison.silences(customers, START + timedelta(days=7), START + timedelta(days=120), 60) == found[1:]


def test_an_alert_is_false_when_the_purchase_comes_after_it_all_the_same() -> None:
    found = [Silence(1, 1.0, 20), Silence(1, 1.0, 14), Silence(1, 1.0, 0), Silence(1, 1.0, 0), Silence(1, 1.0, 0)]
    outcome = comparison.judged(found, [14, 14, 14, 0, comparison.NEVER], 60)
    assert (outcome.false, outcome.raised, outcome.at_once) == (1, 2, 1)
    assert outcome.median == 14
    assert outcome.mean == pytest.approx((14 + 0 + 60) / 3)
    won = comparison.earlier(found, [14, 14, 14, 0, comparison.NEVER], [14] * 5, 60)
    assert won.median == 0
    assert won.mean == pytest.approx((0 + 14 - 46) / 3)


@pytest.mark.parametrize("name", ["alive", "return", "rhythm"])
def test_a_rule_alerts_on_the_first_day_that_its_level_is_reached(name: str) -> None:
    within = 120
    rule = comparison.rules(MODEL, within)[name]
    found = [Silence(x, recency, 0) for x in (1, 2, 9) for recency in (0.0, 5.0, 30.0)]
    for one, day in zip(found, comparison.days_of(rule, 0.4, found), strict=True):
        threshold = 1 / (1 + 2.718281828459045**-0.4)

        def chance(after: int, one: Silence = one) -> float:
            buyer = Buyer(one.repeats, one.recency, one.recency + after / 7)
            if name == "alive":
                return MODEL.alive(buyer)
            if name == "return":
                return MODEL.returns(buyer, within / 7)
            return math.pow((MODEL.alpha + buyer.recency) / (MODEL.alpha + buyer.age), MODEL.r + buyer.repeats)

        assert chance(day) <= threshold + 1e-9
        assert day == 0 or chance(day - 1) > threshold


@pytest.fixture(scope="module")
def cdnow() -> tuple[list[Silence], Purchasing]:
    with CDNOW.open(newline="") as file:
        rows = [
            (row["sample_id"], date.fromisoformat(row["date"]), float(row["amount"])) for row in csv.DictReader(file)
        ]
    customers = history.by_day(rows)
    until = date(1997, 9, 30)
    model = fit.purchasing(*fit.columns(history.records(customers, until))).model
    return comparison.silences(customers, until, date(1998, 6, 30), 120), model


def test_on_cdnow_the_chance_to_return_is_the_earliest_and_the_own_rhythm_the_latest(
    cdnow: tuple[list[Silence], Purchasing],
) -> None:
    found, model = cdnow
    fixed = [30] * len(found)
    base = comparison.judged(found, fixed, 120)
    assert (len(found), sum(not one.days for one in found), base.false) == (1138, 358, 337)
    means = {}
    for name, rule in comparison.rules(model, 120).items():
        ours = comparison.days_of(rule, comparison.matched(rule, found, base.false), found)
        assert comparison.judged(found, ours, 120).false <= base.false
        means[name] = round(comparison.earlier(found, ours, fixed, 120).mean, 1)
    assert means == {"alive": 9.1, "return": 14.9, "rhythm": -41.2}


def test_the_match_leaves_no_room_for_one_more_level(cdnow: tuple[list[Silence], Purchasing]) -> None:
    found, model = cdnow
    rule = comparison.rules(model, 120)["return"]
    level = comparison.matched(rule, found, 200)
    assert comparison.judged(found, comparison.days_of(rule, level, found), 120).false <= 200
    assert comparison.judged(found, comparison.days_of(rule, level + 1e-6, found), 120).false > 200
