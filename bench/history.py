"""An account with a long history, written straight into the table: the entries that the product would have written."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from bench.shop import CLIENT, MINUTE, NOW, OPENED, POLICY, PROGRAM, TABLE, Shop
from loyalty.earning.service import BASE_RULE
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Cause, Chain, Entry, fingerprint, seal
from loyalty.ledger.store import item_of
from loyalty.programs.policy import check
from loyalty.programs.terms import Program

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH: Final = 25
WRITERS: Final = 4


def long_history(shop: Shop, number: int, entries: int) -> Chain:
    """A wallet of two years' purchases and redemptions with a month's lot for each of them, ``entries`` in all.

    The newest is old enough that nothing is in progress.
    """
    chain = Chain(PROGRAM, f"mem_{number:026d}", "points")
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda batch: _put(shop.client, batch), _batches(_entries(chain, entries))))
    return chain


def _entries(chain: Chain, entries: int) -> "Iterator[Entry]":
    program = Program.of(check(POLICY), 1)
    step = (NOW - 10 * MINUTE - OPENED) // entries
    head: Entry | None = None
    for number in range(1, entries + 1):
        now = OPENED + number * step
        draft = Draft(head.state if head else State(), now)
        if head is None:
            commands.open_account(draft, "member")
        elif number % 2:
            commands.redeem(draft, 1)
        else:
            terms = program.terms(now, now)
            commands.earn_amount(draft, BASE_RULE, program.rate, 1999, terms.expiry, terms.start)
            draft.detail |= {"source": "till-0007", "order": f"2024-{number:08d}", "amount": 1999}
        ref = f"k#{CLIENT}#a1b2c3d4-e5f6-4a7b-8c9d-{number:012d}x"
        head = seal(chain, head, draft, Cause(ref, fingerprint(number), CLIENT, now))
        yield head


def _batches(entries: "Iterator[Entry]") -> "Iterator[list[dict[str, Any]]]":
    batch: list[dict[str, Any]] = []
    for entry in entries:
        item = {name: {"S": str(value)} for name, value in item_of(entry).items()}
        batch.append({"PutRequest": {"Item": item}})
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _put(client: Any, batch: list[dict[str, Any]]) -> None:
    left = {TABLE: batch}
    while left:
        left = client.batch_write_item(RequestItems=left)["UnprocessedItems"]
