"""``loyalty verify``: recompute chains, and name the first wrong entry."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.api import Api

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
        out.print(f"{len(wrong)} of {len(chains):,} chains are wrong, the first: {wrong[0]['entry']}")
        return 1
    out.print(f"{len(chains):,} chains, {entries:,} entries, every one recomputed: sound")
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
