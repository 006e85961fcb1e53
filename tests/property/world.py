"""The real services over a table in memory, and the clock that they are driven with."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from loyalty.earning.rulebook import Rulebook
from loyalty.earning.service import Earning
from loyalty.earning.store import OrderStore
from loyalty.errors import NotFound
from loyalty.ledger.chain import Chain
from loyalty.ledger.service import Ledger
from loyalty.ledger.store import LedgerStore
from loyalty.ledger.wallet import Wallets
from loyalty.programs.policy import check
from loyalty.programs.terms import Program
from loyalty.table.client import Table
from tests.simulation.dynamodb import TABLE, Client, Engine
from tests.unit.published import Shelf

PROGRAM: Final = "acme"
BEGINNING: Final = int(datetime(2026, 1, 20, 21, 30, tzinfo=UTC).timestamp())
EVENTS: Final = {"check_in": 5, "review": 120}


def policy(version: int = 1, **changes: Any) -> Program:
    """A programme's policy, by way of its document."""
    document = {"program": PROGRAM, "name": "Acme", "currency": "EUR", "events": EVENTS, **changes}
    return Program.of(check(document), version)


class World:
    """One table and everything that stands on it. ``admitted`` maps accounts to their kind, ``shelf`` has the rule sets
    that were published.
    """

    def __init__(
        self, program: Program, admitted: Mapping[str, str], engine: Engine | None = None, shelf: Shelf | None = None
    ) -> None:
        self.engine = engine or Engine()
        self.shelf = shelf or Shelf()
        self.program = program
        self.admitted = admitted
        table = Table(Client(self.engine, validate=False), TABLE, together=lambda first, second: (first(), second()))
        self.store = LedgerStore(table)
        self.ledger = Ledger(self.store, self._kind)
        self.wallets = Wallets(self.ledger)
        self.orders = OrderStore(table)
        book = Rulebook(rules=self.shelf.current, rules_of=self.shelf.of_version)
        self.earning = Earning(self.ledger, self.orders, lambda _: self.program, book)

    def _kind(self, chain: Chain) -> str:
        if chain.account not in self.admitted:
            raise NotFound("MEMBER_NOT_FOUND", "There is no such member in this programme")
        return self.admitted[chain.account]

    def beside(self) -> "World":
        """The same world again, to try in it what is to leave no trace."""
        return World(self.program, self.admitted, self.engine.clone(), self.shelf)

    def rows(self, chain: Chain) -> list[dict[str, str]]:
        """A chain's stored items, first entry first."""
        return [
            {name: str(next(iter(value.values()))) for name, value in item.items()}
            for item in self.engine.items()
            if item["pk"]["S"] == chain.pk
        ]
