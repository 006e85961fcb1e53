"""The audit behind `make up`: it counts what the file gave, and names what is wrong."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infra.local import books as audited
from infra.local import examples
from infra.local.books import audit
from infra.local.place import Place
from loyalty.earning.purchase import Purchase
from loyalty.ledger.chain import Chain
from loyalty.table import keys
from tests.engines import MOTO
from tests.store.books import POLICY, PROGRAM, Books, account

if TYPE_CHECKING:
    from tests.conftest import TableOn

BASKETS = [
    examples.Basket("b1", "7", "1", "2025-06-01T10:00:00", [examples.Line("p", "", 1, "10.60")]),
    examples.Basket("b2", "7", "1", "2025-06-02T10:00:00", [examples.Line("p", "", 1, "0.60")]),
    examples.Basket("b3", "8", "2", "2025-06-03T10:00:00", [examples.Line("p", "", 0, "0.00")]),
]
MEMBERS = {"7": 1, "8": 2}


@pytest.fixture
def shop(table_on: "TableOn", monkeypatch: pytest.MonkeyPatch) -> Books:
    """A programme at one point a unit, its two members, and a table that the audit reads."""
    client, name = table_on(MOTO)
    monkeypatch.setattr(audited, "client", lambda _place, _service: client)
    shop = Books(client, name, {**POLICY, "earn": {"rate": "1"}}).establish()
    for number in MEMBERS.values():
        shop.open(number)
    return shop


def buy(shop: Books, basket: examples.Basket, source: str = examples.SOURCE) -> None:
    from loyalty.earning.purchase import Line

    purchase = Purchase(
        source=source,
        order_id=basket.number,
        account=account(MEMBERS[basket.household]),
        wallet="points",
        currency="EUR",
        lines=(Line(basket.cents),),
        occurred=shop.now,
        store="",
        channel="store",
    )
    shop.earning.record(PROGRAM, purchase, shop.cause(), shop.now)


def look(shop: Books) -> audited.Books:
    return audit(Place(examples.FILE.parent, 1), shop.name, PROGRAM, BASKETS)


def test_what_was_posted_is_counted_and_found_right(shop: Books) -> None:
    for basket in BASKETS:
        buy(shop, basket)
    found = look(shop)
    assert (found.purchases, found.chains, found.entries, found.points) == (3, 2, 5, 11)
    assert (found.wrong, found.differs) == ([], [])
    assert found.richest == (11, account(1))


def test_a_purchase_that_is_missing_or_came_to_less_is_told_by_household(shop: Books) -> None:
    buy(shop, BASKETS[0])
    buy(shop, replace(BASKETS[2], lines=[examples.Line("p", "", 1, "0.40")]))
    assert look(shop).differs == ["7", "8"]


def test_other_purchases_of_a_household_do_not_disturb_the_comparison(shop: Books) -> None:
    buy(shop, BASKETS[0])
    buy(shop, replace(BASKETS[0], lines=[examples.Line("p", "", 1, "0.50")]), source="web")
    buy(shop, BASKETS[1])
    buy(shop, BASKETS[2])
    found = look(shop)
    assert (found.purchases, found.points, found.differs) == (4, 10, [])


def test_a_changed_entry_is_named(shop: Books) -> None:
    for basket in BASKETS:
        buy(shop, basket)
    chain = Chain(PROGRAM, account(1), "points")
    key: dict[str, Any] = {keys.PK: {"S": chain.pk}, keys.SK: {"S": keys.entry(2)}}
    item = shop.client.get_item(TableName=shop.name, Key=key)["Item"]
    body = item["body"]["S"].replace('"amount":1060', '"amount":9060')
    shop.client.put_item(TableName=shop.name, Item={**item, "body": {"S": body}})
    ((where, finding),) = look(shop).wrong
    assert (where, finding.number) == (chain, 2)


def test_an_entry_that_was_published_and_is_gone_is_named(shop: Books) -> None:
    for basket in BASKETS:
        buy(shop, basket)
    chain = Chain(PROGRAM, account(1), "points")
    head = shop.store.head(chain)
    assert head is not None
    pk, sk = keys.head(*chain)
    projection: dict[str, Any] = {
        keys.PK: {"S": pk},
        keys.SK: {"S": sk},
        keys.TYPE: {"S": keys.type_head},
        "number": {"N": str(head.number)},
        "hash": {"S": head.hash},
    }
    shop.client.put_item(TableName=shop.name, Item=projection)
    assert look(shop).wrong == []
    key: dict[str, Any] = {keys.PK: {"S": chain.pk}, keys.SK: {"S": keys.entry(head.number)}}
    shop.client.delete_item(TableName=shop.name, Key=key)
    ((where, finding),) = look(shop).wrong
    assert (where, finding.number) == (chain, head.number)
