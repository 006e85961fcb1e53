"""Where chains lie in the table: read the head, append the next entry, walk the history.

An entry is one item ``{pk, sk, t, ref, body, hash}``; its state travels inside ``body``.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from loyalty.errors import Corrupt
from loyalty.ledger.chain import Chain, Entry, Finding, Stored, Verifier, read
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Condition, ConditionFailed, Item, Put

_ATTRIBUTES = {keys.PK, keys.SK, keys.TYPE, keys.REF, "body", "hash"}


class LedgerStore:
    """Chains in one table."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def head(self, chain: Chain) -> Entry | None:
        """The newest entry, which is the account; None when the wallet was never opened. One round trip."""
        items, _ = self.table.page(chain.pk, limit=1, newest_first=True)
        return _entry(chain, items[0]) if items else None

    def heads(self, chains: Iterable[Chain]) -> dict[Chain, Entry]:
        """The newest entries of many wallets, a few round trips for a hundred of them: found by what was published of
        each, and read one by one only where something came after that. For who looks, not for who writes: they are
        read eventually consistently.
        """
        wanted = [*dict.fromkeys(chains)]
        published = self.table.batch_get(keys.head(*chain) for chain in wanted)
        numbers = {
            chain: int(found["number"]) if (found := published.get(keys.head(*chain))) else 0 for chain in wanted
        }
        items = self.table.batch_get(
            (chain.pk, keys.entry(at)) for chain, number in numbers.items() for at in (number, number + 1) if at
        )
        heads: dict[Chain, Entry] = {}
        for chain, number in numbers.items():
            item = items.get((chain.pk, keys.entry(number)))
            if (chain.pk, keys.entry(number + 1)) in items or (number and item is None):
                newest = self.head(chain)
            else:
                newest = None if item is None else _entry(chain, item)
            if newest is not None:
                heads[chain] = newest
        return heads

    def find(self, chain: Chain, ref: str) -> int | None:
        """Number of the entry with this reference. One round trip."""
        sk = self.table.find(chain.pk, ref)
        return None if sk is None else keys.parse_entry(sk)

    def head_and_ref(self, chain: Chain, ref: str) -> tuple[Entry | None, int | None]:
        """Both of the above at the same time: one round trip. Which is read first is not known."""
        return self.table.together(lambda: self.head(chain), lambda: self.find(chain, ref))

    def entry(self, chain: Chain, number: int) -> Entry | None:
        item = self.table.get((chain.pk, keys.entry(number)))
        return None if item is None else _entry(chain, item)

    def append(self, entry: Entry) -> Entry | None:
        """Write the next entry; the entry that stands there already when somebody else was first, else None."""
        try:
            self.table.put(item_of(entry), ABSENT)
        except ConditionFailed as failure:
            return conflicting(entry, failure.item)
        return None

    def newest(self, chain: Chain, limit: int, before: int | None = None) -> tuple[list[Entry], int | None]:
        """Entries newest first, and the number to go on ``before``, None at the end."""
        items, last = self.table.page(
            chain.pk, limit=limit, newest_first=True, after=None if before is None else keys.entry(before)
        )
        return [_entry(chain, item) for item in items], None if last is None else keys.parse_entry(last)

    def oldest(self, chain: Chain) -> Iterator[Entry]:
        """Every entry from the first on."""
        for item in self.table.walk(chain.pk):
            yield _entry(chain, item)

    def published(self, chain: Chain) -> tuple[int, str] | None:
        """(number, hash) of the newest entry that left through the stream."""
        item = self.table.get(keys.head(*chain))
        return None if item is None else (int(item["number"]), str(item["hash"]))

    def verify(self, chain: Chain) -> tuple[int, Finding | None]:
        """Recompute a chain: how many entries were read, and the first wrong one, None when all is well.

        The published head is read first: what was published then must still be there.
        """
        published = self.published(chain)
        verifier = Verifier(chain)
        foreign = False
        for item in self.table.walk(chain.pk):
            try:
                stored = _stored(item)
            except ValueError:  # its sort key is no entry's; one that was moved there is missed where it was
                foreign = True
                continue
            verifier.feed(stored)
        finding = verifier.finish(published)
        if finding is None and foreign:
            finding = Finding(verifier.entries + 1, "something among the entries is none")
        return verifier.entries, finding


def item_of(entry: Entry) -> Item:
    """An entry as it is stored."""
    return {
        keys.PK: entry.chain.pk,
        keys.SK: keys.entry(entry.number),
        keys.TYPE: keys.type_entry,
        keys.REF: entry.ref,
        "body": entry.body,
        "hash": entry.hash,
    }


def put_of(entry: Entry) -> Put:
    """The same as one write of a transaction."""
    return Put(item_of(entry), ABSENT)


def conflicting(entry: Entry, item: Item | None) -> Entry:
    """The entry that took this one's number, from what the refused write gave back."""
    if item is None:
        raise Corrupt(f"entry {entry.number} was refused, but nothing stands there")
    return _entry(entry.chain, item)


def entry_of_item(item: dict[str, Any]) -> Entry:
    """An entry from a stored item whose chain is read from its key."""
    return _entry(Chain(*keys.parse_chain(str(item[keys.PK]))), item)


def _entry(chain: Chain, item: dict[str, Any]) -> Entry:
    return read(chain, *_stored(item))


def _stored(item: dict[str, Any]) -> Stored:
    """Believes nothing: an item that is not shaped like an entry becomes one that cannot be read."""
    number = keys.parse_entry(str(item[keys.SK]))
    sound = set(item) == _ATTRIBUTES and item[keys.TYPE] == keys.type_entry
    if not sound:
        return Stored(number, "", "", "")
    return Stored(number, str(item[keys.REF]), str(item["body"]), str(item["hash"]))


class HeadStore:
    """The newest published entry of every chain: what ``verify`` measures a chain's end by, and the list of all
    accounts.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def publish(self, entry: Entry) -> None:
        """Note an entry as published. An older one, or the same again, changes nothing."""
        pk, sk = keys.head(*entry.chain)
        balance = entry.state.balance()
        item: Item = {
            keys.PK: pk,
            keys.SK: sk,
            keys.TYPE: keys.type_head,
            "number": entry.number,
            "hash": entry.hash,
            "available": balance.available,
            "pending": balance.pending,
            "held": balance.held,
            "arrears": balance.arrears,
        }
        newer = Condition("attribute_not_exists(pk) OR #number < :number", {"number": entry.number})
        with suppress(ConditionFailed):
            self._table.put(item, newer)
