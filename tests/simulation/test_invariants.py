"""The checker itself: what one changed, missing, doubled or misplaced item does to it."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.simulation import invariants
from tests.simulation.dynamodb import Engine
from tests.simulation.explore import Recorded
from tests.simulation.expressions import Item
from tests.simulation.stories import ALL, FUNDED
from tests.simulation.world import ANNA, BERT, Story, buy, cancel, capture, give_back, hold, redeem, transfer

DAY_OF_LIFE = Story(
    "day-of-life",
    [
        [
            buy("o1", 3700),
            hold(40, "h"),
            capture(4, 25, "c"),
            redeem(10, "r"),
            cancel(6, "x"),
            transfer(ANNA, BERT, 20, "t"),
            give_back("o1", "b", 1200),
        ]
    ],
    FUNDED,
)


@pytest.fixture(scope="module")
def stored() -> list[Item]:
    """The table after a quiet day of one member."""
    world = DAY_OF_LIFE.begin(Recorded([]))
    world.simulation.run()
    world.check()
    assert len(world.kinds()) == 9
    return [item for item in world.simulation.engine.items() if "#H#" not in item["pk"]["S"]]


def _found(items: list[Item]) -> bool:
    try:
        invariants.check(items)
    except (AssertionError, LookupError, ValueError, TypeError):
        return True
    return False


def test_sound_books_pass(stored: list[Item]) -> None:
    assert not _found(stored)
    assert not _found(list(reversed(stored)))


def test_every_changed_attribute_of_every_entry_is_found(stored: list[Item]) -> None:
    for position, item in enumerate(stored):
        if "#L#" not in item["pk"]["S"]:
            continue
        for name in ("ref", "hash", "body", "sk"):
            changed = {**item, name: {"S": item[name]["S"][:-1] + ("0" if item[name]["S"][-1] != "0" else "9")}}
            assert _found([*stored[:position], changed, *stored[position + 1 :]]), f"{item['sk']['S']} {name}"


def test_every_missing_item_is_found_unless_it_is_the_last_of_its_chain(stored: list[Item]) -> None:
    last = {item["pk"]["S"]: item["sk"]["S"] for item in stored}
    for position, item in enumerate(stored):
        at_the_end = "#L#" in item["pk"]["S"] and last[item["pk"]["S"]] == item["sk"]["S"]
        if not at_the_end:
            assert _found([*stored[:position], *stored[position + 1 :]]), f"{item['pk']['S']} {item['sk']['S']}"


def test_every_two_neighbours_in_each_others_place_are_found(stored: list[Item]) -> None:
    entries = [item for item in stored if "#L#" in item["pk"]["S"] and ANNA in item["pk"]["S"]]
    for first, second in pairwise(entries):
        swapped = [{**first, "sk": second["sk"]}, {**second, "sk": first["sk"]}]
        rest = [item for item in stored if item not in (first, second)]
        assert _found([*rest, *swapped]), first["sk"]["S"]


def _resealed(items: list[Item], number: int, change: Callable[[dict[str, Any]], None]) -> list[Item]:
    """ANNA's chain with one entry's body changed and every hash from there on computed anew, as a forger would."""
    out, previous = [], ""
    for item in items:
        if "#L#" not in item["pk"]["S"] or ANNA not in item["pk"]["S"]:
            out.append(item)
            continue
        body = json.loads(item["body"]["S"])
        if item["sk"]["S"] == f"E#{number:012d}":
            change(body)
        body["p"] = previous
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
        previous = invariants.digest(item["pk"]["S"], item["sk"]["S"], item["ref"]["S"], text)
        out.append({**item, "body": {"S": text}, "hash": {"S": previous}})
    return out


def test_a_chain_forged_as_a_whole_is_found_by_what_it_says(stored: list[Item]) -> None:
    def richer(body: dict[str, Any]) -> None:
        body["m"][0][-1] += 1

    def renamed(body: dict[str, Any]) -> None:
        body["k"] = "adjusted"

    def wealthier(body: dict[str, Any]) -> None:
        lots = body["s"]["l"]
        body["s"]["l"] = lots[:-1] + ("Q" if lots.endswith("P") else "P")

    def later(body: dict[str, Any]) -> None:
        body["s"]["t"] -= 1_000_000

    assert not _found(_resealed(stored, 4, lambda body: None))
    for number in range(3, 10):
        for change in (richer, renamed, wealthier, later):
            assert _found(_resealed(stored, number, change)), f"entry {number}, {change.__name__}"


def test_the_whole_checker_sees_nothing_wrong_with_an_empty_table() -> None:
    assert invariants.check(Engine().items()) == {}
    assert "redeem-redeem" in ALL
