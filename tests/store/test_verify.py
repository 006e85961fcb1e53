"""verify names the first entry that is wrong, whatever was done to the table behind the product's back (I6); rebuild
makes the stored account again to the byte (I8).
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from loyalty.ledger.chain import Chain, canonical, digest
from loyalty.ledger.store import HeadStore
from loyalty.table import keys
from tests.engines import DYNAMODB_LOCAL, items_of
from tests.store.books import DAY, MINUTE, Books

if TYPE_CHECKING:
    Raw = dict[str, Any]


exhaustive = pytest.mark.parametrize("engine", [DYNAMODB_LOCAL], indirect=True)
"""Hundreds of changes each: on AWS's engine alone."""


@pytest.fixture
def chain(books: Books) -> Chain:
    """A chain with an entry of every kind but the last, published."""
    chain, other = books.open(1, 1000), books.open(2, 50)
    books.buy(chain, "o1", 900, 300)
    books.buy(chain, "o2", 100)
    books.earning.activity.post(chain.program, chain.account, "points", "check_in", books.now, books.cause(), books.now)
    hold = books.hold(chain, 60).entry.number
    books.capture(chain, hold, 20, final=False)
    books.capture(chain, hold, 10)
    let_go = books.hold(chain, 5).entry.number
    books.wallets.release(chain, let_go, books.cause(), books.now)
    books.hold(chain, 7, lasts=MINUTE)
    books.later(DAY)
    spent = books.redeem(chain, 100).entry.number
    books.wallets.cancel(chain, spent, books.cause(), books.now)
    books.bring_back("o1", amount=400)
    books.wallets.adjust(chain, 9, books.now + DAY, "goodwill", books.cause(), books.now)
    books.later(2 * DAY)
    books.wallets.expire(chain, books.cause(), books.now)
    books.wallets.transfer(chain, other, 11, "gift", books.cause(), books.now)
    books.wallets.transfer(other, chain, 50, "gift", books.cause(), books.now)
    books.wallets.set_status(chain, "frozen", "lost card", books.cause(), books.now)
    books.wallets.set_status(chain, "open", "found", books.cause(), books.now)
    books.redeem(chain, 1)
    publish(books, chain)
    return chain


def publish(books: Books, chain: Chain) -> None:
    head = books.store.head(chain)
    assert head is not None
    HeadStore(books.table).publish(head)


def stored(books: Books, chain: Chain) -> "list[Raw]":
    return list(items_of(books.client, books.name, chain.pk))


def found(books: Books, chain: Chain) -> int | None:
    """Number of the entry that verify names."""
    finding = books.wallets.verify(chain)[1]
    return None if finding is None else finding.number


@contextmanager
def tampered(books: Books, *items: "Raw", without: "tuple[Raw, ...]" = ()) -> "Iterator[None]":
    """Put items straight into the table, and take some out, until the block ends."""
    client, name = books.client, books.name

    def key(item: "Raw") -> "Raw":
        return {keys.PK: item[keys.PK], keys.SK: item[keys.SK]}

    places = [key(item) for item in (*items, *without)]
    before: list[Any] = [
        client.get_item(TableName=name, Key=place, ConsistentRead=True).get("Item") for place in places
    ]
    for item in items:
        client.put_item(TableName=name, Item=item)
    for item in without:
        client.delete_item(TableName=name, Key=key(item))
    yield
    for place, item in zip(places, before, strict=True):
        if item is None:
            client.delete_item(TableName=name, Key=place)
        else:
            client.put_item(TableName=name, Item=item)


def rehashed(item: "Raw", body: str) -> "Raw":
    """The item with another body and the hash that fits it, as somebody who knows the code would write it."""
    hash_ = digest(item[keys.PK]["S"], item[keys.SK]["S"], item[keys.REF]["S"], body)
    return item | {"body": {"S": body}, "hash": {"S": hash_}}


def test_an_untouched_chain_with_every_kind_of_entry_is_sound_and_rebuilds_to_the_byte(
    books: Books, chain: Chain
) -> None:
    assert found(books, chain) is None
    kinds = {json.loads(item["body"]["S"])["k"] for item in stored(books, chain)}
    assert kinds == {
        "opened", "adjusted", "earned", "held", "captured", "released", "redeemed", "restored", "reversed", "expired",
        "transferred_out", "transferred_in", "frozen", "unfrozen",
    }  # fmt: skip
    newest = stored(books, chain)[-1]["body"]["S"]
    assert newest.endswith(f',"s":{canonical(books.wallets.rebuild(chain).encode())}}}')


def _flip(text: str) -> str:
    return text[:-1] + ("A" if text[-1] != "A" else "B")


ATTRIBUTE_CHANGES: "dict[str, Callable[[Raw], Raw]]" = {
    "body, one character": lambda item: item | {"body": {"S": item["body"]["S"].replace("till", "tilt", 1)}},
    "body, not JSON": lambda item: item | {"body": {"S": "{"}},
    "body, another type": lambda item: item | {"body": {"N": "1"}},
    "body, nothing": lambda item: item | {"body": {"NULL": True}},
    "body gone": lambda item: {name: value for name, value in item.items() if name != "body"},
    "hash, one character": lambda item: item | {"hash": {"S": _flip(item["hash"]["S"])}},
    "hash, another type": lambda item: item | {"hash": {"BOOL": True}},
    "hash gone": lambda item: {name: value for name, value in item.items() if name != "hash"},
    "ref, one character": lambda item: item | {"ref": {"S": item["ref"]["S"] + "x"}},
    "ref gone": lambda item: {name: value for name, value in item.items() if name != "ref"},
    "t": lambda item: item | {"t": {"S": "order"}},
    "t gone": lambda item: {name: value for name, value in item.items() if name != "t"},
    "one more attribute": lambda item: item | {"note": {"S": "x"}},
    "ttl set": lambda item: item | {"ttl": {"N": "1"}},
}


@pytest.mark.parametrize("change", ATTRIBUTE_CHANGES.values(), ids=ATTRIBUTE_CHANGES)
def test_each_changed_attribute_of_each_entry_is_named(
    books: Books, chain: Chain, change: "Callable[[Raw], Raw]"
) -> None:
    for number, item in enumerate(stored(books, chain), start=1):
        with tampered(books, change(item)):
            assert found(books, chain) == number
    assert found(books, chain) is None


@pytest.mark.parametrize("sk", ["E#999999999999", "E#5", "F#000000000001", "E#00000000000x", "A"])
def test_each_entry_moved_to_another_key_is_named(books: Books, chain: Chain, sk: str) -> None:
    for number, item in enumerate(stored(books, chain), start=1):
        with tampered(books, item | {keys.SK: {"S": sk}}, without=(item,)):
            assert found(books, chain) == number
    assert found(books, chain) is None


def test_each_removed_entry_is_named_the_newest_included(books: Books, chain: Chain) -> None:
    for number, item in enumerate(stored(books, chain), start=1):
        with tampered(books, without=(item,)):
            assert found(books, chain) == number
    assert found(books, chain) is None


@exhaustive
def test_each_tail_that_was_cut_off_is_named_where_it_was_cut(books: Books, chain: Chain) -> None:
    items = stored(books, chain)
    for kept in range(len(items)):
        with tampered(books, without=tuple(items[kept:])):
            assert found(books, chain) == kept + 1
    assert found(books, chain) is None


@exhaustive
def test_each_two_entries_that_changed_places_are_named_by_the_first(books: Books, chain: Chain) -> None:
    items = stored(books, chain)
    for first in range(len(items)):
        for second in range(first + 1, len(items)):
            place, other = items[first][keys.SK], items[second][keys.SK]
            with tampered(books, items[first] | {keys.SK: other}, items[second] | {keys.SK: place}):
                assert found(books, chain) == first + 1
    assert found(books, chain) is None


@exhaustive
def test_each_entry_replaced_by_a_copy_of_another_is_named(books: Books, chain: Chain) -> None:
    items = stored(books, chain)
    for number, item in enumerate(items, start=1):
        for other in (items[0], items[-1]):
            if other is not item:
                with tampered(books, other | {keys.SK: item[keys.SK]}):
                    assert found(books, chain) == number


def _each_field(body: dict[str, Any]) -> Iterator[str]:
    """The body with one of its fields changed, for each field."""
    for name in body:
        changed = json.loads(json.dumps(body))
        value = changed[name]
        if isinstance(value, str):
            changed[name] = value + "x"
        elif isinstance(value, int):
            changed[name] = value + 1
        elif isinstance(value, list):
            changed[name] = [*value, ["spent", "a", 1]]
        else:
            changed[name] = value | {"zz": 1}
        yield canonical(changed)


@exhaustive
def test_each_field_of_each_entry_rewritten_with_a_fitting_hash_is_named(books: Books, chain: Chain) -> None:
    for number, item in enumerate(stored(books, chain), start=1):
        body = json.loads(item["body"]["S"])
        assert set(body) == {"k", "f", "a", "o", "p", "m", "d", "s"}
        for text in _each_field(body):
            with tampered(books, rehashed(item, text)):
                assert found(books, chain) == number
    assert found(books, chain) is None


@exhaustive
def test_each_part_of_the_stored_account_rewritten_with_a_fitting_hash_is_named(books: Books, chain: Chain) -> None:
    for number, item in enumerate(stored(books, chain), start=1):
        body = json.loads(item["body"]["S"])
        for state in _each_field(body["s"]):
            with tampered(books, rehashed(item, canonical(body | {"s": json.loads(state)}))):
                assert found(books, chain) == number


@exhaustive
def test_a_tail_rewritten_as_a_whole_is_named_by_what_was_published(books: Books, chain: Chain) -> None:
    items = stored(books, chain)
    for first in range(len(items)):
        rewritten, previous = [], items[first - 1]["hash"]["S"] if first else ""
        for item in items[first:]:
            body = json.loads(item["body"]["S"]) | {"p": previous, "a": "thief"}
            rewritten.append(rehashed(item, canonical(body)))
            previous = rewritten[-1]["hash"]["S"]
        with tampered(books, *rewritten):
            named = found(books, chain)
            assert named is not None
            assert named > first
    assert found(books, chain) is None


def test_entries_after_the_published_one_are_no_finding(books: Books, chain: Chain) -> None:
    books.redeem(chain, 1)
    assert found(books, chain) is None
    publish(books, chain)
    items = stored(books, chain)
    with tampered(books, without=(items[-1],)):
        assert found(books, chain) == len(items)


def test_a_foreign_item_among_the_entries_is_named_and_stops_nothing_else(books: Books, chain: Chain) -> None:
    odd = {keys.PK: {"S": chain.pk}, keys.SK: {"S": "NOTE"}, "text": {"S": "left here"}}
    with tampered(books, odd):
        assert found(books, chain) == len(stored(books, chain))
    assert found(books, chain) is None


def test_an_entry_of_another_wallet_is_no_entry_of_this_one(books: Books, chain: Chain) -> None:
    cash = books.open(1, 1000, wallet="cash")
    items, others = stored(books, chain), stored(books, cash)
    for item, other in zip(items, others, strict=False):
        with tampered(books, other | {keys.PK: item[keys.PK]}):
            assert found(books, chain) == int(item[keys.SK]["S"].split("#")[1])


def test_the_published_head_moves_forward_only(books: Books, chain: Chain) -> None:
    entries = list(books.store.oldest(chain))
    heads = HeadStore(books.table)
    for entry in (*entries, *entries):
        heads.publish(entry)
    assert books.store.published(chain) == (entries[-1].number, entries[-1].hash)
