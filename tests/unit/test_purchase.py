"""Purchases and their returns: however an order comes back, the parts are worth exactly the whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loyalty.earning.purchase import Given, Line, Order, OrderTerms, Return, ReturnLine, decode, encode, take_back
from loyalty.errors import Invalid, Refused
from loyalty.rules.engine import Awarded
from loyalty.rules.facts import Person
from loyalty.values import Rate

TERMS = OrderTerms(Rate(1, 100), 1_900_000_000, 0, "arrears")


def order(*lines: Line) -> Order:
    return Order(
        source="pos",
        order_id="2026-1",
        account="mem_a",
        wallet="points",
        currency="USD",
        lines=lines,
        occurred=1_800_000_000,
        terms=TERMS,
        ref="k#till#1",
        fingerprint="print",
        actor="till",
        content="content",
        store="319",
        channel="store",
    )


def line(number: int, *, quantity: int | None = None, amount: int | None = None) -> Return:
    return Return((ReturnLine(number, quantity, amount),))


def some(amount: int) -> Return:
    return Return(amount=amount)


REST = Return()
TWO = order(Line(1000, 3, "milk", "dairy"), Line(500))
"""Three bottles for 10.00, and something for 5.00."""


def amounts(bought: Order, *backs: Return) -> list[int]:
    returned = []
    for back in backs:
        bought, amount = take_back(bought, back)
        returned.append(amount)
    return returned


def exceeds(bought: Order, back: Return) -> int:
    with pytest.raises(Refused) as refusal:
        take_back(bought, back)
    assert refusal.value.code == "RETURN_EXCEEDS_PURCHASE"
    assert set(refusal.value.figures) == {"returnable_amount"}
    left = refusal.value.figures["returnable_amount"]
    assert isinstance(left, int)
    return left


def test_an_order_is_worth_its_lines() -> None:
    assert TWO.amount == 1500
    assert TWO.returned_amount == 0


def test_returning_everything_is_worth_the_whole_order() -> None:
    after, amount = take_back(TWO, REST)
    assert amount == after.returned_amount == 1500
    assert [(part.returned, part.returned_quantity) for part in after.lines] == [(1000, 3), (500, 1)]


def test_pieces_are_worth_their_share_and_together_exactly_the_line() -> None:
    assert amounts(TWO, line(1, quantity=1), line(1, quantity=1), line(1, quantity=1)) == [333, 333, 334]
    assert amounts(TWO, line(1, quantity=2), line(1, quantity=1)) == [666, 334]
    assert amounts(TWO, line(1, quantity=3)) == [1000]


def test_a_line_named_alone_is_all_that_is_left_of_it() -> None:
    assert amounts(TWO, line(1, quantity=1), line(1)) == [333, 667]
    assert amounts(TWO, line(1, amount=999), line(1)) == [999, 1]
    assert amounts(TWO, line(1)) == [1000]


def test_lines_and_amounts_and_the_rest_add_up() -> None:
    assert amounts(TWO, line(1, quantity=1), some(100), line(2, amount=200), REST) == [333, 100, 200, 867]
    assert amounts(TWO, some(1500)) == [1500]
    assert amounts(TWO, some(1), some(2), REST) == [1, 2, 1497]


def test_several_lines_can_come_back_at_once_and_one_line_twice() -> None:
    back = Return((ReturnLine(1, quantity=1), ReturnLine(2), ReturnLine(1, quantity=1)))
    after, amount = take_back(TWO, back)
    assert amount == 333 + 500 + 333
    assert after.lines[0] == Line(1000, 3, "milk", "dairy", 666, 2)


def test_every_return_makes_a_new_version_of_the_order_and_leaves_the_old_one_alone() -> None:
    after, _ = take_back(TWO, some(1))
    again, _ = take_back(after, line(1, quantity=1))
    last, _ = take_back(again, REST)
    assert [TWO.version, after.version, again.version, last.version] == [1, 2, 3, 4]
    assert TWO.returned_amount == 0


def test_more_than_was_bought_does_not_come_back_and_the_refusal_says_what_is_left() -> None:
    assert exceeds(TWO, some(1501)) == 1500
    assert exceeds(TWO, line(1, amount=1001)) == 1000
    assert exceeds(TWO, line(1, quantity=4)) == 1000
    assert exceeds(TWO, line(2, amount=501)) == 500


def test_returns_add_up_before_they_are_measured() -> None:
    after, _ = take_back(TWO, line(1, quantity=2))
    assert exceeds(after, line(1, quantity=2)) == 334
    assert exceeds(after, line(1, amount=335)) == 334
    assert exceeds(after, some(835)) == 834
    partly, _ = take_back(TWO, line(1, amount=900))
    assert exceeds(partly, line(1, quantity=1)) == 100


def test_what_came_back_by_amount_is_not_returned_again_by_line() -> None:
    after, _ = take_back(TWO, some(1200))
    assert exceeds(after, line(1)) == 300
    assert amounts(after, line(2, amount=300)) == [300]
    assert amounts(after, REST) == [300]


def test_an_order_that_came_back_whole_has_nothing_left() -> None:
    for way in ([REST], [some(1500)], [line(1), line(2)], [some(1000), line(2)]):
        bought = TWO
        for back in way:
            bought, _ = take_back(bought, back)
        assert exceeds(bought, REST) == 0
        assert exceeds(bought, some(1)) == 0


@pytest.mark.parametrize("number", [0, 3, -1])
def test_a_line_that_the_order_does_not_have_is_named(number: int) -> None:
    with pytest.raises(Invalid, match="lines 1 to 2") as refusal:
        take_back(TWO, Return((ReturnLine(1), ReturnLine(number))))
    assert refusal.value.field == "lines[1].line"


def test_a_line_without_pieces_comes_back_by_amount_only() -> None:
    weighed = order(Line(700, 0))
    assert exceeds(weighed, line(1, quantity=1)) == 700
    assert amounts(weighed, line(1, amount=200), line(1)) == [200, 500]


def test_pieces_of_a_line_that_cost_nothing_come_back_for_nothing() -> None:
    after, amount = take_back(order(Line(0, 2), Line(10)), line(1, quantity=2))
    assert (amount, after.lines[0].returned_quantity) == (0, 2)


def test_an_order_document_comes_back_from_its_stored_form_with_all_it_has() -> None:
    after, _ = take_back(take_back(TWO, line(1, quantity=1))[0], some(9))
    assert decode(json.loads(json.dumps(encode(after))), after.version) == after


def test_the_stored_form_of_an_order_is_the_one_that_stored_orders_have() -> None:
    # Orders written by earlier versions must be read for as long as goods may come back.
    assert json.dumps(encode(TWO), separators=(",", ":")) == (
        '{"s":"pos","i":"2026-1","a":"mem_a","w":"points","u":"USD",'
        '"l":[[1000,3,"milk","dairy",0,0],[500,1,"","",0,0]],"o":1800000000,"t":[1,100,1900000000,0,"arrears"],'
        '"r":"k#till#1","f":"print","b":"till","c":"content","st":"319","ch":"store","y":0}'
    )


def test_what_rules_may_read_of_an_order_is_stored_where_there_is_any() -> None:
    told = replace(
        order(
            Line(1000, 3, "milk", "dairy", brand="Alpina"),
            Line(500, attributes={"organic": True, "litres": "1.5"}),
            Line(1),
        ),
        payment="card",
    )
    stored = json.loads(json.dumps(encode(told)))
    assert [len(line) for line in stored["l"]] == [9, 10, 6]
    assert stored["pa"] == "card"
    assert decode(stored, 1) == told


def test_what_an_order_earned_is_stored_with_what_decided_it() -> None:
    awards = (
        Awarded("base", 1500, 100, 1_900_000_000),
        Awarded("wine", 7, 3, 0, 0, False, True, "autumn", (5, 2), (("wine:pm", 739_585), ("wine:tt", 0))),
    )
    person = Person(tier="gold", segments=("vip",), birth_month=3)
    for decided in (Given(3, 1_800_000_000, person, awards, {"autumn": 2}), Given(1, 0)):
        told = replace(TWO, given=decided)
        assert decode(json.loads(json.dumps(encode(told))), 1) == told


def test_an_order_came_back_with_all_its_money_or_where_it_was_free_with_all_its_pieces() -> None:
    free = order(Line(0, 2), Line(0, 1))
    half, _ = take_back(free, line(1, quantity=2))
    whole, _ = take_back(half, line(2, quantity=1))
    assert [one.came_back for one in (free, half, whole)] == [False, False, True]
    most, _ = take_back(TWO, some(1499))
    rest, _ = take_back(most, REST)
    assert [one.came_back for one in (TWO, most, rest)] == [False, False, True]
    assert not order(Line(0, 0)).came_back


# ---- any way of returning an order

_lines = st.builds(Line, st.integers(0, 5000), st.integers(0, 7))
_parts = st.builds(ReturnLine, st.integers(1, 4), st.none() | st.integers(1, 7), st.none() | st.integers(0, 5000))
_returns = st.builds(Return, lines=st.lists(_parts, min_size=1, max_size=3).map(tuple)) | st.builds(
    Return, amount=st.none() | st.integers(0, 9000)
)


@given(st.lists(_lines, min_size=1, max_size=4), st.lists(_returns, max_size=12))
def test_however_an_order_comes_back_the_parts_are_worth_the_whole_and_never_more(
    lines: list[Line], backs: list[Return]
) -> None:
    bought = order(*lines)
    total = 0
    for back in backs:
        try:
            after, amount = take_back(bought, back)
        except (Refused, Invalid):
            continue
        assert amount >= 0
        assert after.returned_amount == bought.returned_amount + amount
        assert all(0 <= part.returned <= part.amount for part in after.lines)
        assert all(0 <= part.returned_quantity <= part.quantity for part in after.lines)
        total += amount
        bought = after
        assert total <= bought.amount
    if total < bought.amount:
        total += take_back(bought, REST)[1]
    assert total == order(*lines).amount


@given(st.integers(0, 10_000), st.integers(1, 40), st.data())
def test_pieces_returned_in_any_groups_are_worth_the_line(amount: int, quantity: int, data: st.DataObject) -> None:
    bought, left, total = order(Line(amount, quantity)), quantity, 0
    while left:
        pieces = data.draw(st.integers(1, left))
        bought, worth = take_back(bought, line(1, quantity=pieces))
        assert worth in (amount * pieces // quantity, -(-amount * pieces // quantity))
        left, total = left - pieces, total + worth
    assert total == amount


def test_an_order_of_no_money_comes_back_by_its_pieces() -> None:
    free = order(Line(0, 2), Line(0, 1))
    after, amount = take_back(free, REST)
    assert (amount, after.came_back, after.version) == (0, True, 2)
    part, _ = take_back(free, line(1, quantity=1))
    assert (part.came_back, take_back(part, REST)[0].came_back) == (False, True)
    assert exceeds(after, REST) == 0


@pytest.mark.parametrize("back", [line(1), line(2), some(0), line(1, amount=0), REST], ids=str)
def test_a_return_of_nothing_is_none(back: Return) -> None:
    paid, _ = take_back(TWO, REST)
    assert exceeds(paid, back) == 0
    free, _ = take_back(order(Line(0, 2), Line(0, 1)), REST)
    assert exceeds(free, back) == 0


def test_pieces_that_are_worth_nothing_by_themselves_are_returned_all_the_same() -> None:
    bought = order(Line(1, 3))
    after, amount = take_back(bought, line(1, quantity=1))
    assert (amount, after.lines[0].returned_quantity) == (0, 1)
