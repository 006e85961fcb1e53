"""The purchases of examples/: what its README says of them, and that the API takes every one as it is."""

import csv
import json
import re
from collections import Counter, defaultdict
from decimal import Decimal

from infra.local import examples
from loyalty.earning.requests import PurchaseRequest, purchase_of
from loyalty.runtime.http import parse

README = examples.FILE.with_name("README.md")


def test_the_file_is_what_its_readme_says() -> None:
    with examples.FILE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    text = README.read_text()
    figures = {
        "baskets": len({row["basket_id"] for row in rows}),
        "lines,": len(rows),
        "households": len({row["household_id"] for row in rows}),
        "stores": len({row["store_id"] for row in rows}),
        "points for": sum(examples.points(examples.read()).values()),
    }
    for what, figure in figures.items():
        assert f"{figure:,} {what}" in text, what
    assert f"${sum(Decimal(row['amount']) for row in rows):,}" in text
    assert re.search(rf"up to {max(int(row['quantity']) for row in rows):,}", text)
    assert f"0 on {sum(row['quantity'] == '0' for row in rows)} lines" in text
    assert f"0.00 on {sum(row['amount'] == '0.00' for row in rows)} lines" in text
    assert f"empty on {sum(not row['department'] for row in rows)} lines" in text
    assert f"{sum(basket.cents == 0 for basket in examples.read())} baskets cost nothing" in text


def test_a_basket_is_of_one_household_one_store_and_one_moment() -> None:
    of: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    with examples.FILE.open(newline="") as file:
        for row in csv.DictReader(file):
            of[row["basket_id"]].add((row["household_id"], row["store_id"], row["time"]))
    assert set(Counter(map(len, of.values()))) == {1}


def test_the_api_takes_every_basket_as_it_is() -> None:
    for basket in examples.read():
        purchase = purchase_of(parse(json.dumps(basket.request()), PurchaseRequest), "mem_x")
        assert sum(line.amount for line in purchase.lines) == basket.cents
        assert purchase.order_id == basket.number


def test_cents_are_carried_from_basket_to_basket() -> None:
    def basket(number: str, amount: str) -> examples.Basket:
        return examples.Basket(number, "7", "1", "2017-01-01T00:00:00", [examples.Line("p", "", 1, amount)])

    assert examples.points([basket("a", "0.60"), basket("b", "0.60"), basket("c", "0.79")]) == {"7": 1}
