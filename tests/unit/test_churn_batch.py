"""Many members at once have the chances that each has alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.churn import alert, batch
from loyalty.churn.model import Purchasing
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Cause, Chain, seal

MODEL = Purchasing(0.243, 4.414, 0.793, 2.426)
DAY = 740_000
CHAIN = Chain("grocer", "mem_1", "points")


def body(days: list[int]) -> tuple[State, str]:
    """An account that bought on those days, and its newest entry's text."""
    draft = Draft(State(kind="member"), (max(days, default=DAY) - 719_163) * 86_400)
    draft.kind = "earned"
    for day in days:
        draft.move("earned", "p", 1, day)
    return draft.state, seal(CHAIN, None, draft, Cause("k#c#1", "f", "c", draft.state.at)).body


@given(st.lists(st.lists(st.integers(DAY - 900, DAY), max_size=12), max_size=6))
def test_many_at_once_are_as_each_alone(accounts: list[list[int]]) -> None:
    made = [body(days) for days in accounts]
    columns = batch.buyers((text for _, text in made), DAY)
    alive = batch.alive(MODEL, *columns)
    returns = batch.returns(MODEL, 13.0, *columns)
    assert [len(column) for column in columns] == [len(made)] * 3
    for place, (state, _) in enumerate(made):
        if not state.purchases:
            assert columns[0][place] == -1
            continue
        buyer = alert.buyer_of(state, DAY)
        assert [column[place] for column in columns] == pytest.approx([buyer.repeats, buyer.recency, buyer.age])
        assert alive[place] == pytest.approx(MODEL.alive(buyer))
        assert returns[place] == pytest.approx(MODEL.returns(buyer, 13.0))
