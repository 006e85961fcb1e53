"""One programme on a real engine: the product's stores and services, put together as the functions do, and an audit."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from loyalty.earning.purchase import Line, Purchase, Return, ReturnLine
from loyalty.earning.service import Earning
from loyalty.earning.store import OrderStore
from loyalty.ledger.account import State
from loyalty.ledger.chain import Cause, Chain, fingerprint
from loyalty.ledger.service import Ledger, Posted
from loyalty.ledger.store import LedgerStore
from loyalty.ledger.wallet import Wallets
from loyalty.programs.policy import check
from loyalty.programs.store import ProgramStore
from loyalty.table.client import DynamoDB, Table
from tests.engines import items_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PROGRAM = "grocer"
START = 1_750_000_000
"""15 June 2025, when the tests' clock begins; seconds since 1970, UTC."""
DAY = 86_400
MINUTE = 60

POLICY: dict[str, Any] = {
    "program": PROGRAM,
    "name": "Grocer",
    "currency": "EUR",
    "timezone": "Europe/Berlin",
    "wallets": ["points", "cash"],
    "earn": {"rate": "1/3"},
    "expiry": {"kind": "rolling", "months": 12, "rounding": "month"},
    "events": {"check_in": 5},
}


def account(number: int) -> str:
    """A member id."""
    return f"mem_{number:026d}"


@dataclass
class Books:
    """The services over one table, with a clock that only the test moves."""

    client: "DynamoDBClient"
    name: str
    policy: dict[str, Any] = field(default_factory=lambda: POLICY)
    now: int = START
    requests: int = 0

    def __post_init__(self) -> None:
        self.table = Table(cast("DynamoDB", self.client), self.name)
        self.connect()

    def connect(self) -> None:
        """Put the services together over ``table``."""
        self.store = LedgerStore(self.table)
        self.ledger = Ledger(self.store)
        self.wallets = Wallets(self.ledger)
        self.orders = OrderStore(self.table)
        self.programs = ProgramStore(self.table)
        self.earning = Earning(self.ledger, self.orders, self.programs.load)

    def establish(self) -> "Books":
        """Store the policy."""
        self.programs.save(check(self.policy), 0)
        return self

    def cause(self, ref: str = "", *content: object) -> Cause:
        """A request: of a key that was never used, unless ``ref`` names one; ``content`` tells bodies apart."""
        self.requests += 1
        return Cause(ref or f"key#{self.requests}", fingerprint(*content), "till", self.now)

    def later(self, seconds: int) -> None:
        self.now += seconds

    def open(self, number: int, points: int = 0, *, wallet: str = "points", kind: str = "member") -> Chain:
        """A wallet with points that never expire."""
        chain = Chain(PROGRAM, account(number), wallet)
        self.wallets.open(chain, kind, self.cause(), self.now)
        if points:
            self.wallets.adjust(chain, points, 0, "opening balance", self.cause(), self.now)
        return chain

    def purchase(self, chain: Chain, order_id: str, *amounts: int, source: str = "till", **other: Any) -> Purchase:
        """An order with one line of one piece for each amount in cents."""
        known: dict[str, Any] = {"occurred": self.now, "store": "s1", "channel": "store", "currency": "EUR"}
        lines = tuple(Line(amount) for amount in amounts)
        return Purchase(source, order_id, chain.account, chain.wallet, lines=lines, **(known | other))

    def buy(self, chain: Chain, order_id: str, *amounts: int, ref: str = "", **other: Any) -> Posted:
        purchase = self.purchase(chain, order_id, *amounts, **other)
        return self.earning.record(PROGRAM, purchase, self.cause(ref, "purchase", order_id, amounts), self.now)

    def bring_back(
        self, order_id: str, *lines: ReturnLine, amount: int | None = None, ref: str = "", source: str = "till"
    ) -> Posted:
        cause = self.cause(ref, "return", order_id, [str(line) for line in lines], amount)
        return self.earning.take_back(PROGRAM, source, order_id, lambda _: Return(lines, amount), cause, self.now)

    def redeem(self, chain: Chain, points: int, ref: str = "") -> Posted:
        return self.wallets.redeem(chain, points, "", self.cause(ref, "redeem", points), self.now)

    def hold(self, chain: Chain, points: int, *, lasts: int = 10 * MINUTE, ref: str = "") -> Posted:
        cause = self.cause(ref, "hold", points)
        return self.wallets.hold(chain, points, self.now + lasts, False, cause, self.now)

    def capture(self, chain: Chain, hold: int, points: int | None, *, final: bool = True, ref: str = "") -> Posted:
        return self.wallets.capture(
            chain, hold, points, final, False, self.cause(ref, "capture", hold, points, final), self.now
        )

    def cancel(self, chain: Chain, redemption: int, *, ref: str = "") -> Posted:
        return self.wallets.cancel(chain, redemption, self.cause(ref, "cancel", redemption), self.now)

    def transfer(self, source: Chain, target: Chain, points: int, *, ref: str = "") -> Posted:
        cause = self.cause(ref, "transfer", target, points)
        return self.wallets.transfer(source, target, points, "", cause, self.now)

    def state(self, chain: Chain) -> State:
        return self.wallets.state(chain, self.now)

    def available(self, chain: Chain) -> int:
        return self.state(chain).balance().available

    def length(self, chain: Chain) -> int:
        """Entries in the chain, counted."""
        return len(items_of(self.client, self.name, chain.pk))

    def audit(self, *chains: Chain) -> int:
        """Check I1, I2, I3, I6 and I8 on chains from what is stored; returns how many entries were read.

        The sums are made here from the stored moves, not by the product's own replay alone.
        """
        total = 0
        for chain in chains:
            entries = list(self.store.oldest(chain))
            total += len(entries)
            assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
            assert self.wallets.verify(chain) == (len(entries), None)
            twice = [ref for ref, times in Counter(entry.ref for entry in entries).items() if times > 1]
            assert not twice, f"references used twice: {twice}"
            sums: Counter[str] = Counter()
            for entry in entries:
                for move in entry.moves:
                    _sum_up(sums, move)
                state = entry.state
                balance = state.balance()
                stored = {
                    "active": balance.available,
                    "pending": balance.pending,
                    "held": balance.held,
                    "arrears": balance.arrears,
                }
                assert stored == {name: sums[name] for name in stored}, f"entry {entry.number}"
                assert min(stored.values()) >= 0
                assert all(points > 0 for points in state.lots.values())
            assert self.wallets.rebuild(chain).encode() == entries[-1].state.encode()
        return total


def _sum_up(sums: "Counter[str]", move: list[Any]) -> None:
    kind = move[1]
    if kind == "l":
        sums["pending" if move[3] else "active"] += move[4]
    elif kind == "h":
        sums["held"] += move[4]
    elif kind == "a":
        sums["arrears"] += move[2]
