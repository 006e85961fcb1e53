"""Where backtests lie: rules of any size, a batch that the table answers in parts, accounts page by page."""

import random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from loyalty.backtests import store as stored
from loyalty.backtests.backtest import Backtest, Shard
from loyalty.backtests.figures import Figures
from loyalty.backtests.store import BacktestStore
from loyalty.backtests.views import figures_view
from loyalty.errors import Corrupt, Unavailable
from loyalty.rules.ruleset import Names, Rule, RuleSet
from loyalty.rules.tree import Text
from loyalty.table import keys
from loyalty.table.client import Table
from tests.simulation.dynamodb import TABLE, Client, Engine
from tests.unit.running import in_turn

if TYPE_CHECKING:
    from loyalty.table.writes import Item

BACKTEST = Backtest("sim_1", "grocer", "rls_1", "tried", 1, 9, 1000, "cli_x", 0)


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def table(engine: Engine) -> Table:
    return Table(Client(engine), TABLE, in_turn)


def large() -> RuleSet:
    """Rules that do not fit into one item, and hardly shrink."""
    luck = random.Random(1)
    texts = ("".join(chr(luck.randrange(0x4E00, 0x9FA0)) for _ in range(400)) for _ in range(700))
    rules = tuple(Rule(f"r{number:03d}", Names("a", "b"), "order", Text(text)) for number, text in enumerate(texts))
    return RuleSet("grocer", "tried", "EUR", "UTC", rules, 0)


def test_rules_too_large_for_one_item_come_back_whole(table: Table) -> None:
    store, rules = BacktestStore(table), large()
    begun = store.begin(BACKTEST, rules)
    assert begun.chunks > 1
    assert store.rules(begun) == rules
    assert store.get("grocer", "sim_1") == (begun, None)
    table.delete(keys.backtest_rules("grocer", "sim_1", begun.chunks - 1))
    with pytest.raises(Corrupt):
        store.rules(begun)


def test_rules_that_were_changed_are_corrupt(table: Table) -> None:
    store = BacktestStore(table)
    begun = store.begin(BACKTEST, large())
    key = keys.backtest_rules("grocer", "sim_1", 0)
    item = table.get(key)
    assert item is not None
    table.put({**item, "body": str(item["body"])[:-7]})
    with pytest.raises(Corrupt):
        store.rules(begun)


def test_a_page_is_kept_once_and_a_failed_try_never_takes_its_place(engine: Engine, table: Table) -> None:
    store = BacktestStore(table)
    one, other = Figures(accounts=1), Figures(accounts=2)
    store.note(BACKTEST, Shard(3, tries=1, reason="X"), Figures())
    assert store.shard(BACKTEST, 3)[0].reason == "X"
    assert store.keep(BACKTEST, Shard(3, page=1, accounts=1), one)
    assert not store.keep(BACKTEST, Shard(3, page=1, accounts=2), other)
    store.note(BACKTEST, Shard(3, tries=2), other)
    assert store.shard(BACKTEST, 3) == (Shard(3, page=1, accounts=1), one)
    assert not store.keep(BACKTEST, Shard(3, page=3), other)
    assert store.keep(BACKTEST, Shard(3, page=2, accounts=2), other)
    assert store.standing(BACKTEST) == [Shard(3, page=2, accounts=2)]
    kept_until = BACKTEST.started + stored._KEPT_SECONDS  # noqa: SLF001 - the bound itself
    assert [item[keys.TTL] for item in engine.items()] == [{"N": str(kept_until)}]


@pytest.mark.parametrize("limit", [2, 3, 5, 50])
def test_accounts_come_page_by_page_each_with_all_its_wallets(table: Table, limit: int) -> None:
    luck, store = random.Random(limit), BacktestStore(table)
    wanted: dict[str, list[str]] = {}
    for number in range(20):
        account = f"mem_{number:024d}00"
        wanted[account] = sorted(luck.sample(["cash", "points"], luck.randrange(1, 3)))
        for wallet in wanted[account]:
            pk, sk = keys.head("grocer", account, wallet)
            table.put({keys.PK: pk, keys.SK: sk})
    shard = int(keys.head("grocer", "mem_00", "points")[0][-2:])
    found: list[tuple[str, list[str]]] = []
    cursor = ""
    while True:
        page, cursor = store.accounts("grocer", shard, cursor, limit)
        found += page
        if not cursor:
            break
    assert store.count("grocer", shard) == 20
    if limit > 2:
        assert found == sorted(wanted.items())
    else:  # a page that holds no more than one account's wallets cannot keep them together; none is lost
        assert sorted((one, wallet) for one, wallets in found for wallet in wallets) == [
            (one, wallet) for one, wallets in sorted(wanted.items()) for wallet in wallets
        ]


class Busy:
    """A table that answers a batch in parts: so many items at once."""

    def __init__(self, client: Client, at_once: int) -> None:
        self.client = client
        self.at_once = at_once
        self.trips = 0

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        self.trips += 1
        ((name, asked),) = request["RequestItems"].items()
        now, later = asked["Keys"][: self.at_once], asked["Keys"][self.at_once :]
        answer: dict[str, Any] = {"Responses": {name: []}}
        if now:
            answer = self.client.batch_get_item(RequestItems={name: {**asked, "Keys": now}})
        answer["UnprocessedKeys"] = {name: {**asked, "Keys": later}} if later else {}
        return answer


def test_a_batch_that_is_answered_in_parts_is_asked_for_until_it_is_whole() -> None:
    client: Any = Client(Engine())
    written: dict[keys.Key, Item] = {
        ("p", f"s{number:03d}"): {"pk": "p", "sk": f"s{number:03d}", "n": number} for number in range(130)
    }
    for item in written.values():
        Table(client, TABLE, in_turn).put(item)
    busy: Any = Busy(client, 40)
    assert Table(busy, TABLE, in_turn).batch_get(written) == written
    assert busy.trips == 4
    stuck: Any = Busy(client, 0)
    with pytest.raises(Unavailable):
        Table(stuck, TABLE, in_turn).batch_get(written)
    assert stuck.trips < 10


def test_the_first_to_finish_counts(table: Table) -> None:
    store, rules = BacktestStore(table), RuleSet("grocer", "tried", "EUR", "UTC", (), 0)
    begun = store.begin(BACKTEST, rules)
    figures = figures_view(Figures(accounts=3), rules)
    first, second = (msgspec.structs.replace(begun, finished=when) for when in (2000, 2001))
    store.finish(first, figures)
    store.finish(second, figures_view(Figures(accounts=4), rules))
    assert store.get("grocer", "sim_1") == (first, figures)
