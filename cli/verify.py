"""``loyalty verify``: recompute chains, and name the first wrong entry."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.api import Api
from cli.target import Aws

_AT_ONCE: Final = 200


def verify(api: Api, member: str, wallet: str, jobs: int, out: Console, bar: Console) -> int:
    """Verify one member's wallets, all members' when ``member`` is empty; 1, the exit status, when a chain is wrong."""
    wallets: Sequence[str] = [wallet] if wallet else api.get("/v1/program")["wallets"]
    if member:
        members = [member]
    else:
        with bar.status("members ..."):
            members = [one["id"] for one in api.pages("/v1/members", "members")]
    chains = [(one, name) for one in members for name in wallets]
    entries, wrong = 0, []
    for view in _verified(api, chains, jobs, bar):
        entries += view["entries"]
        if not view["ok"]:
            wrong.append(view)
            out.print(f"{view['member']} {view['wallet']}: entry {view['number']} ({view['entry']}) {view['reason']}")
    if wrong:
        out.print(f"wrong: {len(wrong):,} of {_chains(len(chains))}, the first at {wrong[0]['entry']}")
        return 1
    out.print(f"{_chains(len(chains))}, {entries:,} entries, every one recomputed: sound")
    return 0


def _verified(api: Api, chains: Sequence[tuple[str, str]], jobs: int, bar: Console) -> Iterator[Any]:
    def one(chain: tuple[str, str]) -> Any:
        return api.get(f"/v1/members/{chain[0]}/verification", {"wallet": chain[1]})

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=bar, transient=True) as progress, ThreadPoolExecutor(jobs) as pool:
        task = progress.add_task("chains", total=len(chains))
        for first in range(0, len(chains), _AT_ONCE):
            for view in pool.map(one, chains[first : first + _AT_ONCE]):
                progress.advance(task)
                yield view


def verify_table(aws: Aws, table: str, program: str, out: Console, bar: Console) -> int:
    """The same without the API, for a table that was restored beside the stack's: every chain that was ever published.

    Needs the right to read the table; ``table`` empty is the stack's own.
    """
    from loyalty.ids import located  # the product's own code: the other way needs none of it
    from loyalty.ledger.chain import Chain
    from loyalty.ledger.store import LedgerStore
    from loyalty.table import keys
    from loyalty.table.client import Table

    client = aws.client("dynamodb")
    entries = wrong = chains = 0
    try:
        books = Table(client, table or aws.output("TableName"))
        with bar.status("chains ..."):
            for shard in range(keys.HEAD_SHARDS):
                for head in books.walk(keys.head_partition(program, shard)):
                    account, wallet = str(head[keys.SK]).split("#")
                    count, finding = LedgerStore(books).verify(Chain(program, account, wallet))
                    chains, entries = chains + 1, entries + count
                    if finding is not None:
                        wrong += 1
                        entry = located("ent", account, wallet, finding.number)
                        out.print(f"{account} {wallet}: entry {finding.number} ({entry}) {finding.reason}")
    finally:
        client.close()
    if wrong:
        out.print(f"wrong: {wrong:,} of {_chains(chains)}")
        return 1
    out.print(f"{_chains(chains)}, {entries:,} entries, every one recomputed: sound")
    return 0


def _chains(count: int) -> str:
    return f"{count:,} chain{'s' if count != 1 else ''}"
