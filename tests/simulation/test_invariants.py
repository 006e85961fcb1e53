"""The checker itself: what one changed, missing, doubled or misplaced item does to it."""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from loyalty.earning.purchase import Line, Purchase
from loyalty.earning.service import Earning
from loyalty.earning.store import OrderStore
from loyalty.errors import Refused
from loyalty.ledger import commands
from loyalty.ledger.account import Draft
from loyalty.ledger.chain import Cause
from loyalty.ledger.wallet import settled
from loyalty.table.client import Table
from loyalty.timers.ends import confirm_decay, decay, remind
from loyalty.values import Rate
from tests.simulation import invariants
from tests.simulation.dynamodb import TABLE, Client, Engine
from tests.simulation.explore import Recorded
from tests.simulation.expressions import Item
from tests.simulation.stories import ALL, FUNDED
from tests.simulation.world import ANNA, BERT, Story, buy, cancel, capture, give_back, hold, redeem, transfer
from tests.unit.nights import DAY, Nights
from tests.unit.running import in_turn

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


def _year(seed: int, **policy: Any) -> Nights:
    """What time, tiers, notices and campaigns do to an account, on a policy that has it all."""
    luck = Random(seed)
    nights = Nights(reminders={"days": [30, 7]}, decay={"months": 2, "percent": 10, "notice_days": 7}, **policy)
    for step in range(60):
        nights.now += luck.randrange(1, 12) * DAY
        today, act = nights.today, luck.randrange(11)
        ends = nights.now + luck.randrange(5, 60) * DAY
        if act < 2:
            nights.post(1, partial(_give, points=luck.randrange(1, 90), expiry=ends, notice=nights.program.notice))
        elif act < 4 and step < 20:  # then it stays away
            _buy(nights, f"{nights.asked}", luck.randrange(1, 9_000))
        elif act in (3, 4):
            nights.post(1, partial(commands.extend, until=ends))
        elif act == 5:
            nights.post(1, partial(commands.notice, upto=ends, late=ends))
        elif act == 6:
            offer = (f"c{luck.randrange(5)}", Rate(luck.randrange(3, 9), 2), today, today + luck.randrange(3), today)
            with suppress(Refused):
                nights.post(1, lambda draft, offer=offer: commands.multiply(draft, *offer))  # type: ignore[misc]
        elif act == 7:
            last = nights.state().last
            tier = ("assigned", luck.choice(["gold", ""]), today, 0, True, "test")
            nights.post(1, lambda draft, tier=tier: commands.set_tier(draft, *tier))  # type: ignore[misc]
            if last:
                nights.post(1, lambda draft, last=last: _alerted(draft, last))  # type: ignore[misc]
        elif act < 10:
            night = decay if act == 8 else remind
            nights.post(1, partial(night, program=nights.program, day=today))
            if said := nights.state().decay_told:
                outcome = luck.choice(["delivered", "unreachable"])
                nights.post(1, partial(confirm_decay, program=nights.program, on=said, outcome=outcome))
        else:
            with suppress(Refused):
                nights.post(1, partial(commands.renew, upto=ends, until=ends + 30 * DAY, percent=10))
    return nights


def _buy(nights: Nights, order: str, amount: int) -> None:
    """As a till does: with its order document."""
    nights.asked += 1
    orders = OrderStore(Table(Client(nights.engine), TABLE, in_turn))
    chain, lines = nights.chain(), (Line(amount),)
    purchase = Purchase("till", order, chain.account, chain.wallet, "EUR", lines, nights.now, "st_1", "store")
    cause = Cause(f"k#till#{nights.asked}", "print", "till", nights.now)
    Earning(nights.ledger, orders, lambda _: nights.program).record(chain.program, purchase, cause, nights.now)


def _give(draft: Draft, points: int, expiry: int, notice: bool) -> None:
    commands.earn(draft, [commands.Grant(points, expiry, 0)], 0, commands.Lasting(notice))
    draft.detail["points"] = points


def _alerted(draft: Draft, last: int) -> None:
    commands.begin(draft, "alerted")
    draft.move("alerted", "w", last)


@pytest.mark.parametrize("promised", [False, True])
def test_the_books_know_every_move_that_an_account_can_have_and_find_each_that_is_another(promised: bool) -> None:
    found: set[str] = set()
    kind = {"kind": "rolling", "months": 12, "rounding": "day", "require_notice": promised}
    for seed in range(3):
        nights = _year(seed, expiry=kind)
        items = nights.engine.items()
        (books,) = invariants.check(items).values()
        head = nights.ledger.store.head(nights.chain())
        assert head is not None
        assert books.available(nights.now) == settled(head, nights.now).balance().available
        for op in {move[1] for line in books.entries for move in line.moves} - found:
            with pytest.raises(AssertionError, match=r"I[1-9]"):
                invariants.check(_with_another(items, op))
            found.add(op)
    assert found >= set("lsygxqvwo")


def _with_another(items: list[Item], op: str) -> list[Item]:
    """The last number of the chain's first such move is one more; the chain is sealed anew, so no hash tells."""
    changed: list[Item] = []
    previous, done = "", False
    for item in sorted(items, key=lambda item: item["sk"]["S"]):
        if "#L#" not in item["pk"]["S"]:
            changed.append(item)
            continue
        body = json.loads(item["body"]["S"])
        body["p"] = previous
        for move in body["m"]:
            if move[1] == op and not done and op != "s":
                move[-1] += 1
                done = True
            elif move[1] == op and not done:
                move[-1], done = "frozen", True
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
        previous = invariants.digest(item["pk"]["S"], item["sk"]["S"], item["ref"]["S"], text)
        changed.append({**item, "body": {"S": text}, "hash": {"S": previous}})
    return changed
