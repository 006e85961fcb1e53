"""The purchases of examples/, and posting them: members first, then every till its stores, all tills at once."""

import csv
import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from infra.local.api import Api, ApiError
from infra.local.place import ROOT

FILE: Final = ROOT / "examples" / "purchases.csv"
SOURCE: Final = "pos"
TILLS: Final = 6

_Work = TypeVar("_Work")


class Line(NamedTuple):
    """One line of a basket; ``amount`` in dollars, as written."""

    product: str
    category: str
    quantity: int
    amount: str


@dataclass(frozen=True, slots=True)
class Basket:
    """One basket of the file; ``time`` is the store's, taken as UTC."""

    number: str
    household: str
    store: str
    time: str
    lines: list[Line] = field(default_factory=list)

    @property
    def cents(self) -> int:
        return sum(int(Decimal(line.amount) * 100) for line in self.lines)

    def request(self) -> dict[str, Any]:
        """The body of ``POST /v1/purchases``."""
        return {
            "source": SOURCE,
            "order_id": self.number,
            "identity": identity(self.household),
            "store": self.store,
            "channel": "store",
            "occurred_at": f"{self.time}Z",
            "currency": "USD",
            "lines": [
                {"product": line.product, "quantity": line.quantity, "amount": line.amount}
                | ({"category": line.category} if line.category else {})
                for line in self.lines
            ],
        }


def identity(household: str) -> str:
    return f"card:{household}"


def read(file: Path = FILE) -> list[Basket]:
    """Every basket, in the order of the file."""
    baskets: dict[str, Basket] = {}
    with file.open(newline="") as rows:
        for row in csv.DictReader(rows):
            number = row["basket_id"]
            if number not in baskets:
                baskets[number] = Basket(number, row["household_id"], row["store_id"], row["time"])
            line = Line(row["product_id"], row["category"], int(row["quantity"]), row["amount"])
            baskets[number].lines.append(line)
    return list(baskets.values())


def digest(file: Path = FILE) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def points(baskets: Iterable[Basket]) -> dict[str, int]:
    """What each household has earned at one point a dollar, from the file alone: cents add up, none are lost."""
    cents: dict[str, int] = defaultdict(int)
    for basket in baskets:
        cents[basket.household] += basket.cents
    return {household: total // 100 for household, total in cents.items()}


class Posted(NamedTuple):
    """What posting came to: requests that did something, and those that had been done before."""

    new: int
    replayed: int


def enrol(url: str, token: str, households: Sequence[str], done: Callable[[], None]) -> Posted:
    """A member for every household, known by card. One who is there already stays as they are."""

    def one(api: Api, household: str) -> bool:
        try:
            body = {"identities": [identity(household)]}
            return not api.post("/v1/members", body, key=f"enrol-{household}").replayed
        except ApiError as error:
            if error.answer.body.get("code") != "MEMBER_IDENTITY_TAKEN":
                raise
            return False

    return _at_once(url, token, [households[start::TILLS] for start in range(TILLS)], one, done)


def post(url: str, token: str, baskets: Sequence[Basket], done: Callable[[], None]) -> Posted:
    """Post every basket under its own number, each till the baskets of its stores in their order."""
    stores = sorted({basket.store for basket in baskets})
    till_of = {store: number % TILLS for number, store in enumerate(stores)}
    tills: list[list[Basket]] = [[] for _ in range(TILLS)]
    for basket in baskets:
        tills[till_of[basket.store]].append(basket)

    def one(api: Api, basket: Basket) -> bool:
        return not api.post("/v1/purchases", basket.request(), key=f"{SOURCE}-{basket.number}").replayed

    return _at_once(url, token, tills, one, done)


def _at_once(
    url: str,
    token: str,
    shares: Sequence[Sequence[_Work]],
    one: Callable[[Api, _Work], bool],
    done: Callable[[], None],
) -> Posted:
    """Every share in a thread of its own, over its own connection. The first error stops all and is raised."""
    outcomes: list[bool] = []
    errors: list[Exception] = []

    def run(share: Sequence[_Work]) -> None:
        try:
            with Api(url, token) as api:
                for work in share:
                    if errors:
                        return
                    outcomes.append(one(api, work))
                    done()
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread that waits raises it
            errors.append(error)

    threads = [threading.Thread(target=run, args=(share,)) for share in shares if share]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return Posted(sum(outcomes), len(outcomes) - sum(outcomes))
