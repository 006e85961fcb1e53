"""What tills and shops send about orders: the bounds of every field, and what a request means."""

import json
from typing import Any

import msgspec
import pytest

from loyalty.earning.purchase import Line, Return, ReturnLine
from loyalty.earning.requests import (
    BatchItem,
    BatchPurchase,
    BatchReturn,
    EventRequest,
    PurchaseRequest,
    ReturnRequest,
    named,
    purchase_of,
    return_of,
    who,
)
from loyalty.errors import Invalid, NotFound
from loyalty.shapes import Moment, Reason, seconds
from loyalty.values import MAX_AMOUNT

MEMBER = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"
PURCHASE: dict[str, Any] = {
    "source": "pos",
    "order_id": "2026-0001",
    "occurred_at": "2026-03-01T12:30:00+01:00",
    "currency": "EUR",
    "lines": [{"amount": "12.34", "quantity": 2, "product": "milk 1,5 %", "category": "dairy"}, {"amount": 100}],
    "member": MEMBER,
}


def purchase(**changes: Any) -> PurchaseRequest:
    return msgspec.json.decode(json.dumps({**PURCHASE, **changes}), type=PurchaseRequest)


def back(**body: Any) -> Return:
    return return_of(msgspec.json.decode(json.dumps(body), type=ReturnRequest), "EUR")


def test_a_purchase_means_its_lines_in_minor_units_at_its_moment_in_utc() -> None:
    bought = purchase_of(purchase(store="319", channel="web", wallet="cash"), MEMBER)
    assert bought.lines == (Line(1234, 2, "milk 1,5 %", "dairy"), Line(100, 1))
    assert bought.occurred == 1_772_364_600
    assert (bought.source, bought.order_id, bought.account) == ("pos", "2026-0001", MEMBER)
    assert (bought.wallet, bought.currency, bought.store, bought.channel) == ("cash", "EUR", "319", "web")


def test_a_line_says_what_rules_may_read_in_any_script() -> None:
    line = {
        "amount": 100,
        "product": "有機牛奶",
        "department": "Käse & Wein",
        "brand": "Альпина",
        "margin": "high",
        "attributes": {"organic": True, "litres": "1.5", "pieces": 6, "origin": "台灣"},
    }
    (bought,) = purchase_of(purchase(lines=[line], payment="微信支付"), MEMBER).lines
    assert (bought.product, bought.department, bought.brand, bought.margin) == tuple(
        line[name] for name in ("product", "department", "brand", "margin")
    )
    assert bought.attributes == line["attributes"]
    assert purchase_of(purchase(payment="微信支付"), MEMBER).payment == "微信支付"


def test_what_a_purchase_does_not_say_has_its_default() -> None:
    bought = purchase_of(purchase(), MEMBER)
    assert (bought.wallet, bought.store, bought.channel) == ("points", "", "store")


def test_an_amount_finer_than_the_currency_is_named() -> None:
    with pytest.raises(Invalid) as refusal:
        purchase_of(purchase(lines=[{"amount": 1}, {"amount": "1.234"}]), MEMBER)
    assert refusal.value.field == "lines[1].amount"


@pytest.mark.parametrize(
    "changes",
    [
        {"source": ""},
        {"source": "p#s"},
        {"source": "pos\n"},
        {"source": "x" * 33},
        {"order_id": ""},
        {"order_id": "1/2"},
        {"order_id": "1 2"},
        {"order_id": "1\n"},
        {"order_id": "x" * 65},
        {"order_id": 7},
        {"occurred_at": "2026-03-01"},
        {"occurred_at": "2026-03-01T12:30:00"},
        {"occurred_at": 1_772_364_600},
        {"currency": "eur"},
        {"currency": "EUR\n"},
        {"lines": []},
        {"lines": [{"amount": 1}] * 501},
        {"lines": {}},
        {"lines": [{}]},
        {"lines": [{"amount": -1}]},
        {"lines": [{"amount": MAX_AMOUNT + 1}]},
        {"lines": [{"amount": 1.5}]},
        {"lines": [{"amount": 1.0}]},
        {"lines": [{"amount": True}]},
        {"lines": [{"amount": "-1"}]},
        {"lines": [{"amount": "1e3"}]},
        {"lines": [{"amount": None}]},
        {"lines": [{"amount": 1, "quantity": -1}]},
        {"lines": [{"amount": 1, "quantity": 1.5}]},
        {"lines": [{"amount": 1, "quantity": 100_001}]},
        {"lines": [{"amount": 1, "product": "x" * 65}]},
        {"lines": [{"amount": 1, "product": "a\nb"}]},
        {"lines": [{"amount": 1, "price": 1}]},
        {"lines": [{"amount": 1, "brand": "x" * 65}]},
        {"lines": [{"amount": 1, "department": "a\u0085b"}]},
        {"lines": [{"amount": 1, "attributes": {"Organic": True}}]},
        {"lines": [{"amount": 1, "attributes": {"organic": None}}]},
        {"lines": [{"amount": 1, "attributes": {"litres": 1.5}}]},
        {"lines": [{"amount": 1, "attributes": {"litres": 10**13}}]},
        {"lines": [{"amount": 1, "attributes": {"origin": "x" * 65}}]},
        {"lines": [{"amount": 1, "attributes": {f"a{n}": 1 for n in range(11)}}]},
        {"payment": "a\nb"},
        {"payment": "x" * 65},
        {"member": "mem_1"},
        {"member": f"{MEMBER}\n"},
        {"identity": "passport:1"},
        {"identity": "card:"},
        {"identity": "card:1\n"},
        {"identity": "phone:12"},
        {"identity": "email:nobody"},
        {"store": "a b"},
        {"store": "x" * 33},
        {"channel": "Web"},
        {"channel": ""},
        {"wallet": "Points"},
        {"wallet": "points\n"},
        {"wallet": "p#q"},
        {"points": 5},
    ],
)
def test_a_purchase_with_a_field_out_of_its_bounds_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        purchase(**changes)


@pytest.mark.parametrize("missing", ["source", "order_id", "occurred_at", "currency", "lines"])
def test_a_purchase_without_a_required_field_is_none(missing: str) -> None:
    body = {name: value for name, value in PURCHASE.items() if name != missing}
    with pytest.raises(msgspec.ValidationError, match=missing):
        msgspec.json.decode(json.dumps(body), type=PurchaseRequest)


@pytest.mark.parametrize(
    "identity", ["card:10001", "phone:+49 151 12345678", "openid:o6_bmjrPTlm6_2sgVt7hMZOPfL2M", "email:a.b@example.com"]
)
def test_a_member_can_be_named_by_an_identity(identity: str) -> None:
    assert purchase(member=None, identity=identity).identity == identity


@pytest.mark.parametrize(("member", "identity"), [(None, None), (MEMBER, "card:1")])
def test_a_member_is_named_exactly_once(member: str | None, identity: str | None) -> None:
    with pytest.raises(Invalid) as refusal:
        who(member, identity)
    assert refusal.value.field == "member"


def test_naming_a_member_once_is_enough() -> None:
    who(MEMBER, None)
    who(None, "card:1")


def test_a_return_is_all_that_is_left_or_an_amount_or_lines() -> None:
    assert back() == Return()
    assert back(amount="1.50") == Return(amount=150)
    assert back(lines=[{"line": 2}, {"line": 1, "quantity": 3}, {"line": 1, "amount": 7}]) == Return(
        (ReturnLine(2), ReturnLine(1, quantity=3), ReturnLine(1, amount=7))
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"amount": 1, "lines": [{"line": 1}]}, "amount"),
        ({"lines": [{"line": 1}, {"line": 2, "quantity": 1, "amount": 1}]}, "lines[1].amount"),
        ({"lines": [{"line": 1, "amount": "0.001"}]}, "lines[0].amount"),
        ({"amount": "0.001"}, "amount"),
    ],
)
def test_a_return_that_contradicts_itself_names_the_field(body: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        back(**body)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    "body",
    [
        {"lines": []},
        {"lines": [{"line": 0}]},
        {"lines": [{"line": 501}]},
        {"lines": [{"line": 1, "quantity": 0}]},
        {"lines": [{"line": 1, "quantity": -1}]},
        {"lines": [{"quantity": 1}]},
        {"amount": -1},
        {"amount": 1.5},
        {"everything": True},
    ],
)
def test_a_return_with_a_field_out_of_its_bounds_is_none(body: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        back(**body)


def test_an_order_that_a_path_names_is_taken_as_it_is() -> None:
    assert named("pos", "2026-0001") == ("pos", "2026-0001")


@pytest.mark.parametrize(("source", "order_id"), [("p#s", "1"), ("pos", ""), ("pos", "1\n"), ("", "1"), ("pos", "a b")])
def test_what_no_order_can_be_called_is_not_found(source: str, order_id: str) -> None:
    with pytest.raises(NotFound) as missing:
        named(source, order_id)
    assert missing.value.code == "PURCHASE_NOT_FOUND"


def test_items_of_a_batch_say_what_they_are() -> None:
    bought = msgspec.json.decode(json.dumps({"type": "purchase", **PURCHASE}), type=BatchItem)
    returned = {"type": "return", "source": "pos", "order_id": "1", "return_id": "r1"}
    assert isinstance(bought, BatchPurchase)
    assert isinstance(msgspec.json.decode(json.dumps(returned), type=BatchItem), BatchReturn)
    for body in (PURCHASE, {"type": "gift", **PURCHASE}, {"type": "return", "source": "pos", "order_id": "1"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(json.dumps(body), type=BatchItem)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-03-01T12:30:00Z", 1_772_368_200),
        ("2026-03-01T12:30:59.999Z", 1_772_368_259),
        ("2026-03-01T20:30:00+08:00", 1_772_368_200),
    ],
)
def test_a_moment_is_whole_seconds_in_utc(text: str, moment: int) -> None:
    assert seconds(msgspec.convert(text, Moment)) == moment


@pytest.mark.parametrize("text", ["", "a\nb", "a\n", "\x00", "x" * 201])
def test_a_reason_is_one_line(text: str) -> None:
    assert msgspec.convert("Käse war schlecht 積分", Reason)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, Reason)


def test_a_fingerprint_does_not_hang_on_what_a_body_leaves_out() -> None:
    short = json.loads(msgspec.json.encode(purchase(lines=[{"amount": 5}], member=None)))
    assert short["lines"] == [{"amount": 5}]
    assert not {"member", "store", "wallet", "channel", "payment"} & set(short)


def event(**body: Any) -> EventRequest:
    whole = {"type": "review", "occurred_at": "2026-03-01T12:30:00Z", "member": MEMBER, **body}
    return msgspec.json.decode(json.dumps(whole), type=EventRequest)


def test_an_event_says_its_fields_and_the_entry_that_it_decides_on() -> None:
    entry = f"ent_{MEMBER.removeprefix('mem_')}-points-17"
    said = event(fields={"photo": True, "words": "12.5", "product": "茶"}, of=entry)
    assert (said.fields, said.of) == ({"photo": True, "words": "12.5", "product": "茶"}, entry)
    assert (event().fields, event().of) == ({}, None)
    assert set(json.loads(msgspec.json.encode(event()))) == {"type", "occurred_at", "member"}


@pytest.mark.parametrize(
    "body",
    [
        {"type": "Review"},
        {"fields": []},
        {"fields": {"Photo": True}},
        {"fields": {"words": 1.5}},
        {"fields": {"words": None}},
        {"fields": {"text": "a\nb"}},
        {"fields": {f"a{n}": 1 for n in range(11)}},
        {"of": "17"},
        {"of": f"red_{MEMBER.removeprefix('mem_')}-points-17"},
        {"of": f"ent_{MEMBER.removeprefix('mem_')}-points-0"},
        {"streak": 7},
    ],
)
def test_an_event_with_a_field_out_of_its_bounds_is_none(body: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        event(**body)


def test_a_line_of_no_money_and_no_pieces_is_one_piece() -> None:
    assert purchase_of(purchase(lines=[{"amount": "0.00"}]), MEMBER).lines == (Line(0, 1),)
    assert purchase_of(purchase(lines=[{"amount": "1.00", "quantity": 0}]), MEMBER).lines == (Line(100, 0),)
    assert purchase_of(purchase(lines=[{"amount": "0.00", "quantity": 0}]), MEMBER).lines == (Line(0, 1),)
