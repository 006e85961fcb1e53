"""Reports from sums: which error rate goes where, who wins, what it cost and brought."""

import random

import msgspec
import pytest
from msgspec.structs import replace

from loyalty.experiments import sequential
from loyalty.experiments.effect import effect
from loyalty.experiments.findings import Measuring, Report
from loyalty.experiments.report import cancelled, look, programme, report
from loyalty.experiments.sums import METRICS, ArmSums, Metric, Outcome

MEASURING = Measuring("repurchase", "EUR", 30, margin_permille=300, point_cost=10, message_costs={"sms": 45_000})


def arm(members: int, buyers: int, spend: int = 2_000, *, points: int = 0, sms: int = 0, seed: int = 1) -> ArmSums:
    """Of so many members so many buy, each about ``spend``; each is given ``points``, and sent ``sms``."""
    draw, sums = random.Random(seed), ArmSums()
    for place in range(members):
        bought = place < buyers
        paid = int(spend * draw.uniform(0.5, 1.5)) if bought else 0
        sums.count(Outcome(int(bought), paid, None, int(place < buyers // 2)), points, {"sms": sms})
    return sums


ARMS = {"treated": arm(9_000, 3_000, points=100, sms=1), "control": arm(1_000, 250, seed=2)}


def test_looks_spend_a_part_of_the_error_rate_and_the_end_has_the_rest() -> None:
    for planned in (1, 30, 365):
        looks = planned * sequential.at_look(0.05, planned)
        assert looks + sequential.at_end(0.05, planned) == pytest.approx(0.05)
    assert sequential.at_end(0.05, 0) == 0.05
    assert sequential.shared(0.06, 3) == pytest.approx(0.02)
    assert [sequential.pairs(count) for count in (1, 2, 3, 4)] == [0, 1, 3, 6]


def test_the_end_is_judged_at_what_the_planned_looks_left() -> None:
    assert report(MEASURING, ARMS).effect.confidence == pytest.approx(0.95)
    assert report(replace(MEASURING, looks=30), ARMS).effect.confidence == pytest.approx(0.96)
    assert report(replace(MEASURING, error_rate=0.1, looks=30), ARMS).effect.confidence == pytest.approx(0.92)


def test_a_look_is_stricter_and_none_is_taken_that_was_not_planned() -> None:
    planned = replace(MEASURING, looks=20)
    seen = look(planned, ARMS, 3, 739_000)
    assert (seen.number, seen.day) == (3, 739_000)
    assert seen.spent == pytest.approx(0.0005)
    assert seen.effect.confidence == pytest.approx(0.9995)
    for number in (0, 21):
        with pytest.raises(ValueError, match="20 were planned"):
            look(planned, ARMS, number, 739_000)
    with pytest.raises(ValueError, match="0 were planned"):
        look(MEASURING, ARMS, 1, 739_000)
    with pytest.raises(ValueError, match="no looks"):
        report(MEASURING, ARMS, final=False)


def test_the_first_look_that_was_sure_stands() -> None:
    planned = replace(MEASURING, looks=3)
    unclear = {"treated": arm(900, 300), "control": arm(100, 30)}
    looks = [look(planned, arms, number, 1) for number, arms in enumerate((unclear, ARMS, ARMS), 1)]
    assert [one.effect.verdict for one in looks] == ["cannot tell yet", "effective", "effective"]
    assert report(planned, ARMS, looks).called == looks[1]
    assert report(planned, unclear, looks[:1], final=False).called is None


def test_harm_is_called_so_that_a_campaign_can_be_stopped() -> None:
    planned = replace(MEASURING, looks=3)
    seen = look(planned, {"treated": ARMS["control"], "control": ARMS["treated"]}, 1, 1)
    assert seen.effect.verdict == "harmful"
    assert report(planned, ARMS, [seen], final=False).called == seen


def test_every_metric_is_that_of_its_sums() -> None:
    treated, control = ARMS["treated"], ARMS["control"]
    for metric in METRICS:
        found = report(replace(MEASURING, metric=metric), ARMS).effect
        assert found.metric == metric
        assert found.treated_members == 9_000
    found = report(replace(MEASURING, metric="margin"), ARMS).effect
    assert found.treated == pytest.approx(0.3 * treated.spend.total / 9_000)
    assert found.control == pytest.approx(0.3 * control.spend.total / 1_000)


def test_margins_are_taken_as_they_are_where_all_are_known() -> None:
    known = {}
    for name, members in (("treated", 400), ("control", 300)):
        sums = known[name] = ArmSums()
        for place in range(members):
            sums.count(Outcome(1, 1_000, 100 + place % 7, 0))
    found = report(replace(MEASURING, metric="margin"), known).effect
    assert found == effect("margin", known["treated"].margin, known["control"].margin, 0.05)
    one_unknown = replace(known["treated"], members=401)
    scaled = report(replace(MEASURING, metric="margin"), {**known, "treated": one_unknown}).effect
    assert scaled.treated == pytest.approx(300.0)


def test_a_margin_that_nobody_knows_says_so() -> None:
    unknown = replace(MEASURING, metric="margin", margin_permille=None)
    made = report(unknown, ARMS)
    assert (made.effect.verdict, made.effect.distrust) == ("cannot tell yet", "margin unknown")
    assert (made.money.brought, made.money.ratio, made.money.distrust) == (None, None, "margin unknown")
    assert made.money.cost > 0, "what it cost is known all the same"


def test_money_is_what_it_brought_less_what_it_cost() -> None:
    money = report(MEASURING, ARMS).money
    assert (money.points, money.points_cost) == (900_000, 9_000)
    assert (money.messages, money.messages_cost) == (9_000, 405_000)
    assert money.cost == 414_000
    more = ARMS["treated"].spend.total / 9_000 - ARMS["control"].spend.total / 1_000
    assert money.brought is not None
    assert money.low is not None
    assert money.high is not None
    assert money.brought == pytest.approx(0.3 * more * 9_000)
    assert money.ratio == pytest.approx((money.brought - 414_000) / 414_000)
    assert money.low < money.brought < money.high
    assert money.ratio_low == pytest.approx((money.low - 414_000) / 414_000)
    assert money.ratio_high == pytest.approx((money.high - 414_000) / 414_000)


def test_what_costs_nothing_has_no_return_on_it() -> None:
    free = report(replace(MEASURING, point_cost=0, message_costs={}), ARMS).money
    assert (free.cost, free.ratio, free.ratio_low) == (0, None, None)
    assert free.brought is not None


def three(metric: Metric = "repurchase") -> Measuring:
    return replace(MEASURING, metric=metric, variants=("a", "b", "c"), looks=10)


def test_variants_share_the_error_rate_and_so_do_pairs() -> None:
    arms = {"a": arm(2_000, 700), "b": arm(2_000, 500), "c": arm(2_000, 500), "control": arm(1_000, 250)}
    made = report(three(), arms)
    assert [one.name for one in made.arms] == ["a", "b", "c", "control"]
    assert made.effect.treated_members == 6_000
    assert {round(one.effect.confidence, 9) for one in made.arms if one.effect} == {round(1 - 0.04 / 3, 9)}
    assert made.winner is not None
    assert [pair[:2] for pair in made.winner.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert {round(found.confidence, 9) for _, _, found in made.winner.pairs} == {round(1 - 0.04 / 3, 9)}
    assert made.winner.variant == "a"
    assert made.winner.error_rate == pytest.approx(0.04)


def test_the_best_of_two_that_are_alike_is_no_winner() -> None:
    arms = {"a": arm(2_000, 700), "b": arm(2_000, 700), "c": arm(2_000, 500), "control": arm(1_000, 250)}
    made = report(three(), arms)
    assert made.winner is not None
    assert made.winner.variant == ""
    assert report(MEASURING, ARMS).winner is None


def test_the_winner_need_not_be_named_first() -> None:
    arms = {"a": arm(2_000, 500), "b": arm(2_000, 500), "c": arm(2_000, 700), "control": arm(1_000, 250)}
    made = report(three(), arms)
    assert made.winner is not None
    assert made.winner.variant == "c"


def test_the_holdout_is_shown_beside_and_counts_as_nobodys_control() -> None:
    with_it = report(MEASURING, {**ARMS, "holdout": arm(500, 400)})
    assert with_it.effect == report(MEASURING, ARMS).effect
    assert [one.name for one in with_it.arms] == ["treated", "control", "holdout"]
    assert with_it.arms[-1].effect is None


def test_against_the_holdout_stand_all_campaigns_together_and_so_everybody_else() -> None:
    found = report(MEASURING, {**ARMS, "holdout": arm(500, 100)}).together
    assert found is not None
    assert (found.treated_members, found.control_members) == (10_000, 500)
    assert found.treated == pytest.approx(3_250 / 10_000)
    assert found.verdict == "effective"
    assert report(MEASURING, ARMS).together is None
    assert programme(MEASURING, ARMS["control"], ARMS["treated"]).together is None


def test_all_campaigns_together_are_held_against_the_programmes_holdout() -> None:
    made = programme(MEASURING, ARMS["control"], ARMS["treated"])
    alone = report(MEASURING, ARMS)
    assert made.effect == alone.effect
    assert made.money == alone.money
    assert [one.name for one in made.arms] == ["others", "holdout"]


def test_before_anybody_was_assigned_nothing_can_be_told() -> None:
    made = report(MEASURING, {})
    assert (made.effect.verdict, made.effect.distrust) == ("cannot tell yet", "too few members")
    assert [one.members for one in made.arms] == [0, 0]


@pytest.mark.parametrize("metric", METRICS)
def test_a_report_can_be_stored_and_answered_as_it_is(metric: Metric) -> None:
    for arms in (ARMS, {}, {"treated": arm(1, 1), "control": arm(1, 0)}):
        made = report(replace(MEASURING, metric=metric, looks=4), arms, [look(replace(MEASURING, looks=4), arms, 1, 5)])
        assert msgspec.json.decode(msgspec.json.encode(made), type=Report) == made


def test_counts_of_an_arm_are_told() -> None:
    sums = ArmSums()
    sums.count(Outcome(1, 10, None, 1), 5, {"sms": 1}, {"quiet": 1})
    sums.count(Outcome(), 0, {}, {"quiet": 2, "cap": 1})
    told = report(MEASURING, {"treated": sums, "control": ArmSums()}).arms[0]
    assert (told.members, told.reached, told.buyers, told.redeemers, told.points) == (2, 1, 1, 1, 5)
    assert (told.messages, told.blocked) == ({"sms": 1}, {"cap": 1, "quiet": 3})


def test_of_a_cancelled_campaign_everything_is_counted_and_nothing_is_said() -> None:
    at_the_end, found = report(MEASURING, ARMS), cancelled(MEASURING, ARMS, (), 20)
    assert at_the_end.effect.verdict == "effective"
    assert (found.effect.verdict, found.effect.distrust, found.cancelled) == ("cannot tell yet", "cancelled", 20)
    assert (found.effect.low, found.effect.high, found.effect.lift, found.effect.needed) == (None, None, None, None)
    assert found.arms == tuple(replace(one, effect=None) for one in at_the_end.arms)
    for name in ("points", "points_cost", "messages", "messages_cost", "cost"):
        assert getattr(found.money, name) == getattr(at_the_end.money, name) > 0
    assert (found.money.brought, found.money.ratio, found.money.distrust) == (None, None, "cancelled")
    assert (found.winner, found.together, found.called) == (None, None, None)
