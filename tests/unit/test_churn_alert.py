"""The day an alert is due by an account, what is written down then, and what it says."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loyalty.churn import alert
from loyalty.churn.alert import FARTHEST, Outlook, Watch
from loyalty.churn.model import Buyer, Purchasing, Spending
from loyalty.churn.parameters import Parameters, Quality, refusal, sound
from loyalty.ledger.account import Draft, Figures, State

TODAY = 740_000
MODEL = Purchasing(0.243, 4.414, 0.793, 2.426)
FOUND = Parameters(3, 0, TODAY, 2357, MODEL, Spending(6.25, 3.74, 1544.0), Quality(91, 2357, -1.2, 700, 650.0))
ALIVE = Watch(0.5, "alive", 90, 45)
RETURN = Watch(0.5, "return", 90, 45)


def member(purchases: int = 5, first: int = TODAY - 100, last: int = TODAY - 10, **further: object) -> State:
    state = State(number=9, kind="member", status="open", purchases=purchases, first=first, last=last)
    state.total = Figures(purchases * 2_000, 0, purchases)
    for name, value in further.items():
        setattr(state, name, value)
    return state


members = st.builds(
    lambda purchases, ago, span: member(purchases, TODAY - ago - span, TODAY - ago),
    st.integers(1, 300),
    st.integers(0, 400),
    st.integers(0, 900),
)


@given(members, st.sampled_from([ALIVE, RETURN]), st.floats(0.02, 0.98))
def test_the_alert_is_on_the_first_day_that_the_chance_is_at_most_the_threshold(
    state: State, watch: Watch, threshold: float
) -> None:
    watch = replace(watch, threshold=threshold)
    due = alert.due(state, watch, FOUND)

    def chance(day: int) -> float:
        buyer = alert.buyer_of(state, day)
        return MODEL.alive(buyer) if watch.by == "alive" else MODEL.returns(buyer, watch.horizon_days / 7)

    if not alert.repeats(state):
        assert due == state.last + 45
    elif due is None:
        assert chance(state.last + FARTHEST) > threshold
    else:
        assert chance(due) <= threshold + 1e-9
        assert due == state.last + 1 or chance(due - 1) > threshold


@given(members, st.integers(1, 60))
def test_another_purchase_never_brings_the_alert_forward_to_before_it(state: State, later: int) -> None:
    after = state.copy()
    after.purchases += 1
    after.last += later
    due = alert.due(after, ALIVE, FOUND)
    assert due is None or due > after.last


@pytest.mark.parametrize(
    "state",
    [
        State(),
        member(purchases=0),
        member(purchases=0, first=0, last=0),
        member(kind="employee"),
        member(status="closed"),
        member(alerted=TODAY - 10),
    ],
)
def test_nobody_else_is_alerted_on(state: State) -> None:
    assert alert.due(state, ALIVE, FOUND) is None


def test_without_a_policy_there_is_no_alert_and_without_parameters_only_for_new_members() -> None:
    assert alert.due(member(), None, FOUND) is None
    assert alert.due(member(), ALIVE, None) is None
    assert alert.due(member(1, TODAY, TODAY), ALIVE, None) == TODAY + 45


def test_purchases_of_one_day_are_no_repeats() -> None:
    assert alert.repeats(member(5, TODAY, TODAY)) == 0
    assert alert.repeats(member(5, TODAY - 2, TODAY)) == 2
    assert alert.repeats(member(3, TODAY - 90, TODAY)) == 2
    assert alert.buyer_of(member(5, TODAY - 35, TODAY - 14), TODAY) == Buyer(4, 3.0, 5.0)


def test_an_alert_that_would_come_in_ten_years_never_comes() -> None:
    faithful = replace(FOUND, purchasing=Purchasing(0.5, 5.0, 0.001, 9.0))
    assert alert.due(member(2, TODAY - 300, TODAY), ALIVE, faithful) is None


def test_what_is_expected_is_by_the_members_own_purchases_and_spending() -> None:
    seen = alert.outlook(member(), FOUND, TODAY, 90)
    buyer = Buyer(4, 90 / 7, 100 / 7)
    assert FOUND.spending is not None
    assert seen.alive == MODEL.alive(buyer)
    assert seen.purchases == MODEL.expected(buyer, 90 / 7)
    assert seen.each == FOUND.spending.expected(5, 2_000.0)
    assert seen.value == pytest.approx(MODEL.expected(buyer, 90 / 7) * FOUND.spending.expected(5, 2_000.0))
    plain = alert.outlook(member(), replace(FOUND, spending=None), TODAY, 90)
    assert (plain.purchases, plain.each, plain.value) == (seen.purchases, None, None)
    assert alert.outlook(member(), None, TODAY, 90) == Outlook(90, None, None, None, None, None)
    assert alert.outlook(member(purchases=0), FOUND, TODAY, 90).purchases is None


def alerted(state: State, watch: Watch, parameters: Parameters | None = FOUND) -> Draft:
    draft = Draft(state, (TODAY - 719_163) * 86_400)
    alert.alert(draft, watch, parameters, TODAY)
    return draft


def test_an_alert_is_written_down_once_for_each_silence_and_moves_no_points() -> None:
    draft = alerted(member(), ALIVE)
    assert (draft.kind, draft.moves) == ("alerted", [["alerted", "w", TODAY - 10]])
    assert draft.detail["parameters"] == 3
    assert 0 < draft.detail["alive"] < 1
    assert isinstance(draft.detail["value"], int)
    assert alert.due(draft.state, ALIVE, FOUND) is None
    draft.state.purchases += 1
    draft.state.last = TODAY
    assert alert.due(draft.state, ALIVE, FOUND) is not None


def test_without_parameters_no_figures_are_written_down() -> None:
    assert set(alerted(member(1, TODAY, TODAY), ALIVE, None).detail) == {"day", "by", "threshold", "days", "onboarding"}


def test_the_reason_says_how_somebody_bought_and_what_chance_is_left() -> None:
    seen = Outlook(90, 0.463, 0.281, 1.0, None, None)
    said = alert.reason(member(), ALIVE, seen, TODAY)
    assert said.en == (
        "Bought every 22 days in the mean, 5 times, but not for 10 days: the chance to buy at all again is 46 %."
    )
    assert said.zh == "平均每22天购买一次，共5次，但已有10天未购买：仍会购买的概率为46%。"
    said = alert.reason(member(), RETURN, seen, TODAY)
    assert said.en.endswith("the chance to come back in the next 80 days is 28 %.")
    assert said.zh.endswith("今后80天内再次购买的概率为28%。")
    said = alert.reason(member(1, TODAY - 45, TODAY - 45), ALIVE, seen, TODAY)
    assert said.en.startswith("Bought on one day, 45 days ago, and not since;")
    assert said.zh.startswith("仅在45天前购买过一次")
    assert alert.reason(member(), ALIVE, Outlook(90, None, None, None, None, None), TODAY).en.endswith("for 10 days.")


@pytest.mark.parametrize(
    ("chance", "said"), [(0.0, "0 %"), (0.001, "under 1 %"), (0.5, "50 %"), (0.997, "over 99 %"), (1.0, "100 %")]
)
def test_a_chance_is_never_said_to_be_none_or_all_when_it_is_neither(chance: float, said: str) -> None:
    assert alert.percent(chance) == said


# ---- what is put in force


@pytest.mark.parametrize(
    ("model", "by", "said"),
    [
        (MODEL, "alive", ""),
        (Purchasing(1.9, 4.2, 1.7e-5, 1.2e5), "alive", "nobody can be seen to leave"),
        (Purchasing(1.9, 4.2, 1.7e-5, 1.2e5), "return", ""),
        (Purchasing(1.9, 4.2, 1.0, 1e-4), "alive", "nobody can be seen to leave"),
        (Purchasing(1e-5, 4.2, 1.0, 1.0), "return", "do not tell members apart"),
        (Purchasing(1.0, 1e5, 1.0, 1.0), "alive", "do not tell members apart"),
    ],
)
def test_parameters_without_bounds_are_not_put_in_force(model: Purchasing, by: str, said: str) -> None:
    refused = refusal(replace(FOUND, purchasing=model), by, None)
    assert bool(refused) == bool(said)
    assert said in refused


def test_parameters_that_foretell_worse_than_the_last_are_not_put_in_force() -> None:
    assert refusal(FOUND, "alive", -1.2) == ""
    assert "better by the parameters in force" in refusal(FOUND, "alive", -1.1)
    broken = replace(FOUND, quality=Quality(91, 10, -math.inf, 0, 0.0))
    assert "impossible" in refusal(broken, "alive", None)


def test_a_mean_spending_without_a_value_is_none() -> None:
    assert sound(Spending(6.0, 3.0, 15.0)) is not None
    assert sound(Spending(6.0, 1.0, 15.0)) is None
    assert sound(Spending(1e5, 3.0, 15.0)) is None
