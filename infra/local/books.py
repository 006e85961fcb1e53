"""What the table says: everything counted, every chain recomputed from its first entry to its last."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.local import examples
from infra.local.deploy import client
from infra.local.place import Place
from loyalty.ledger.chain import Chain, Entry, Finding, Stored, Verifier, read
from loyalty.table import keys


@dataclass(slots=True)
class Books:
    """One programme counted, and every chain of the whole table recomputed.

    ``wrong`` names the first wrong entry of every chain that does not hold; ``differs`` the households whose entries
    are not what the purchases file gives.
    """

    members: int = 0
    purchases: int = 0
    chains: int = 0
    entries: int = 0
    points: int = 0
    """Earned by the purchases of the file."""
    richest: tuple[int, str] = (0, "")
    """(points available, member) of the member with most of them."""
    wrong: list[tuple[Chain, Finding]] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)


def audit(place: Place, table: str, program: str, baskets: Sequence[examples.Basket]) -> Books:
    """Read the table once and check all of it; ``baskets`` are what was posted to ``program``."""
    books = Books()
    chains: dict[str, list[Stored]] = defaultdict(list)
    published: dict[tuple[str, str], tuple[int, str]] = {}
    for item in _scan(place, table):
        kind = item[keys.TYPE]
        if kind == keys.type_entry:
            stored = Stored(keys.parse_entry(item[keys.SK]), item[keys.REF], item["body"], item["hash"])
            chains[item[keys.PK]].append(stored)
        elif kind == keys.type_member:
            books.members += item[keys.PK].startswith(f"{program}#")
        elif kind == keys.type_order:
            books.purchases += item[keys.PK].startswith(f"{program}#")
        elif kind == keys.type_head:
            published[item[keys.PK], item[keys.SK]] = (int(item["number"]), item["hash"])
    tally = _Tally({basket.number: basket for basket in baskets})
    for pk, history in sorted(chains.items()):
        chain = Chain(*keys.parse_chain(pk))
        history.sort()
        verifier = Verifier(chain)
        for stored in history:
            verifier.feed(stored)
        finding = verifier.finish(published.get(keys.head(*chain)))
        books.chains += 1
        books.entries += len(history)
        if finding is not None:
            books.wrong.append((chain, finding))
            continue
        if chain.program == program:
            books.richest = max(books.richest, (verifier.state.balance().available, chain.account))
            tally.add([read(chain, *stored) for stored in history])
    books.points = sum(tally.points.values())
    books.differs = tally.differs()
    return books


class _Tally:
    """What the file's baskets earned, household by household, beside what the file says they should."""

    def __init__(self, baskets: dict[str, examples.Basket]) -> None:
        self.baskets = baskets
        self.points: dict[str, int] = defaultdict(int)
        self._cents: dict[str, int] = defaultdict(int)
        self._mixed: set[str] = set()
        """Households with other purchases too: cents carried between them and ours move a point to and fro."""

    def add(self, history: list[Entry]) -> None:
        household, mixed = "", False
        for entry in history:
            order = str(entry.detail.get("order", ""))
            basket = self.baskets.get(order) if entry.detail.get("source") == examples.SOURCE else None
            if entry.kind == "earned" and basket is not None:
                household = basket.household
                self.points[household] += entry.detail["points"]
                self._cents[household] += entry.detail["amount"]
            elif order:
                mixed = True
        if mixed:
            self._mixed.add(household)

    def differs(self) -> list[str]:
        cents: dict[str, int] = defaultdict(int)
        for basket in self.baskets.values():
            cents[basket.household] += basket.cents
        points = examples.points(self.baskets.values())
        return [
            household
            for household in sorted(cents)
            if cents[household] != self._cents[household]
            or (household not in self._mixed and points[household] != self.points[household])
        ]


def _scan(place: Place, table: str) -> Iterator[dict[str, Any]]:
    """Every item of the table, its attributes as plain text."""
    pages = client(place, "dynamodb").get_paginator("scan").paginate(TableName=table)
    for page in pages:
        for item in page["Items"]:
            yield {name: next(iter(value.values())) for name, value in item.items()}
