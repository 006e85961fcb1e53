"""Where backtests lie in the table, and what they read beside the ledger: the list of accounts, order documents,
members.
"""

import json
import zlib
from base64 import b85decode, b85encode
from collections.abc import Iterable
from contextlib import suppress

import msgspec

from loyalty.backtests.backtest import Backtest, Finished, Shard
from loyalty.backtests.figures import Figures, pack, unpack
from loyalty.backtests.views import FiguresView
from loyalty.earning import purchase
from loyalty.earning.purchase import Order
from loyalty.errors import Corrupt
from loyalty.members import member
from loyalty.members.member import Member
from loyalty.rules.ruleset import RuleSet, decode, encode
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Condition, ConditionFailed, Item

_CHUNK = 350_000
"""Characters of one item, which may have 400 KB in all."""
_KEPT_SECONDS = 90 * 86_400
"""How long the rules of a backtest and the sums of its shards are kept; what it found is kept for good."""

OrderName = tuple[str, str]
"""(source, order id)."""


class BacktestStore:
    """Backtests in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    # ---- what is tried

    def begin(self, backtest: Backtest, rules: RuleSet) -> Backtest:
        """Keep a new backtest and the rules that it tries; the rules first, so that whoever sees it finds them."""
        text = b85encode(zlib.compress(encode(rules), 6)).decode()
        cut = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
        backtest = msgspec.structs.replace(backtest, chunks=len(cut))
        for number, chunk in enumerate(cut):
            key = keys.backtest_rules(backtest.program, backtest.id, number)
            self._table.put(_item(key, body=chunk, **{keys.TTL: backtest.started + _KEPT_SECONDS}))
        self._table.put(_item(keys.backtest(backtest.program, backtest.id), body=_json(backtest), figures=""), ABSENT)
        return backtest

    def get(self, program: str, simulation: str) -> tuple[Backtest, FiguresView | None] | None:
        """A backtest, and what it has found once it is finished."""
        item = self._table.get(keys.backtest(program, simulation))
        if item is None:
            return None
        found = str(item["figures"])
        figures = msgspec.json.decode(zlib.decompress(b85decode(found)), type=FiguresView) if found else None
        return msgspec.json.decode(str(item["body"]), type=Backtest), figures

    def rules(self, backtest: Backtest) -> RuleSet:
        """The rules that it tries; Corrupt when they are not there as they were written."""
        chunks = []
        for number in range(backtest.chunks):
            item = self._table.get(keys.backtest_rules(backtest.program, backtest.id, number), consistent=False)
            if item is None:
                raise Corrupt("a backtest without its rules")
            chunks.append(str(item["body"]))
        try:
            return decode(zlib.decompress(b85decode("".join(chunks))))
        except (ValueError, zlib.error) as error:
            raise Corrupt("the rules of a backtest cannot be read") from error

    def finish(self, backtest: Backtest, figures: FiguresView) -> None:
        """Keep what was found. The first to do so counts; all find the same."""
        text = b85encode(zlib.compress(msgspec.json.encode(figures), 6)).decode()
        item = _item(keys.backtest(backtest.program, backtest.id), body=_json(backtest), figures=text)
        with suppress(ConditionFailed):
            self._table.put(item, Condition("#figures = :none", {"none": ""}))

    def announce(self, program: str, finished: Finished) -> None:
        """Note a finished backtest as its rule set's newest, unless a newer one is noted."""
        item = _item(
            keys.latest_backtest(program, finished.rule_set), body=_json(finished), simulation=finished.simulation
        )
        older = Condition("attribute_not_exists(pk) OR #simulation < :simulation", {"simulation": finished.simulation})
        with suppress(ConditionFailed):
            self._table.put(item, older)

    def latest(self, program: str, rule_set: str) -> Finished | None:
        """The newest finished backtest of a rule set."""
        item = self._table.get(keys.latest_backtest(program, rule_set))
        return None if item is None else msgspec.json.decode(str(item["body"]), type=Finished)

    # ---- how far it has come

    def shard(self, backtest: Backtest, number: int) -> tuple[Shard, Figures]:
        """A shard as it stands: an empty one before its first page."""
        item = self._table.get(keys.backtest_shard(backtest.program, backtest.id, number))
        return (Shard(number), Figures()) if item is None else (_shard(item), _figures(item))

    def shards(self, backtest: Backtest) -> list[tuple[Shard, Figures]]:
        """All shards that have begun."""
        parts = keys.backtest_parts(backtest.program, backtest.id)
        items = self._table.walk(parts, prefix=keys.BACKTEST_SHARD_PREFIX)
        return [(_shard(item), _figures(item)) for item in items]

    def standing(self, backtest: Backtest) -> list[Shard]:
        """The same without their sums."""
        parts = keys.backtest_parts(backtest.program, backtest.id)
        return [_shard(item) for item in self._table.walk(parts, prefix=keys.BACKTEST_SHARD_PREFIX)]

    def keep(self, backtest: Backtest, shard: Shard, figures: Figures) -> bool:
        """Write a shard with one more page; False when somebody else has done that page."""
        return self._replace(backtest, shard, pack(figures), shard.page - 1)

    def note(self, backtest: Backtest, shard: Shard, figures: Figures) -> None:
        """Write down that a try of the next page has failed."""
        self._replace(backtest, shard, pack(figures), shard.page)

    def _replace(self, backtest: Backtest, shard: Shard, figures: str, page: int) -> bool:
        item = _item(
            keys.backtest_shard(backtest.program, backtest.id, shard.number),
            body=_json(shard),
            figures=figures,
            page=shard.page,
            **{keys.TTL: backtest.started + _KEPT_SECONDS},
        )
        same = Condition("#page = :page", {"page": page})
        first = Condition("attribute_not_exists(pk) OR #page = :page", {"page": page})
        try:
            self._table.put(item, first if page == 0 else same)
        except ConditionFailed:
            return False
        return True

    # ---- what it reads

    def count(self, program: str, shard: int) -> int:
        """How many accounts a shard has."""
        heads = self._table.walk(keys.head_partition(program, shard), consistent=False, page_size=1_000)
        return len({str(item[keys.SK]).split("#")[0] for item in heads})

    def accounts(self, program: str, shard: int, after: str, limit: int) -> tuple[list[tuple[str, list[str]]], str]:
        """About ``limit`` accounts of a shard with their wallets, and the cursor to go on ``after``, "" at the end. All
        wallets of an account come together.
        """
        items, last = self._table.page(
            keys.head_partition(program, shard), limit=limit, after=after or None, consistent=False
        )
        found: dict[str, list[str]] = {}
        for item in items:
            account, wallet = str(item[keys.SK]).split("#")
            found.setdefault(account, []).append(wallet)
        if last is None:
            return list(found.items()), ""
        if len(found) > 1:  # the last account may have more wallets on the next page
            found.popitem()
        account, wallets = next(reversed(found.items()))
        return list(found.items()), f"{account}#{wallets[-1]}"

    def orders(self, program: str, names: Iterable[OrderName]) -> dict[OrderName, Order]:
        """Order documents; those that are not there are left out."""
        wanted = {keys.order(program, source, order_id): (source, order_id) for source, order_id in names}
        items = self._table.batch_get(wanted)
        return {wanted[key]: _order(item) for key, item in items.items()}

    def members(self, program: str, accounts: Iterable[str]) -> dict[str, Member]:
        """Members' documents as they are now."""
        wanted = {keys.member(program, account): account for account in accounts}
        items = self._table.batch_get(wanted)
        return {wanted[key]: _member(item) for key, item in items.items()}


def _item(key: keys.Key, **attributes: str | int) -> Item:
    return {keys.PK: key[0], keys.SK: key[1], keys.TYPE: keys.type_backtest, **attributes}


def _json(value: Backtest | Shard | Finished) -> str:
    return msgspec.json.encode(value).decode()


def _shard(item: Item) -> Shard:
    return msgspec.json.decode(str(item["body"]), type=Shard)


def _figures(item: Item) -> Figures:
    return unpack(str(item["figures"]))


def _order(item: Item) -> Order:
    return purchase.decode(json.loads(str(item["body"])), int(item["version"]))


def _member(item: Item) -> Member:
    return member.decode(str(item[keys.SK]), json.loads(str(item["body"])), int(item["version"]))
