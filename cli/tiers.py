"""``loyalty tiers simulate``: who would rise and who would fall if the tiers were others."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

from cli.api import Api
from cli.program import document_in
from cli.target import CommandError

if TYPE_CHECKING:
    from cli.command import Session

PAGE: Final = 200
"""Wallets that one request looks at."""


def register(group: Any) -> None:
    """The command; ``group`` are those of ``loyalty tiers``."""
    one = group.add_parser("simulate", help="who would rise and fall; nothing is changed")
    one.add_argument("file", type=Path, metavar="POLICY.json", help="a policy, or its section tiers alone")
    one.add_argument("--members", action="store_true", help="list them, one a line")
    one.add_argument("--json", action="store_true", help="everything as JSON")

    def run(session: "Session", given: Any) -> None:
        with session.api() as api:
            simulate(api, given.file, given.members, given.json, session.out)

    one.set_defaults(run=run)


def simulate(api: Api, file: Path, members: bool, as_json: bool, out: Console) -> None:
    """Go through all members, page by page, and add up."""
    document = document_in(file)
    tiers = document.get("tiers", document) if isinstance(document, dict) else None
    if not isinstance(tiers, dict):
        raise CommandError(f"{file}: neither a policy with tiers nor tiers")
    sums: Counter[str] = Counter()
    counts: Counter[tuple[str, str]] = Counter()
    changes: list[Any] = []
    cursor = ""
    while True:
        page = api.call("POST", "/v1/tiers/simulate", body={"tiers": tiers, "limit": PAGE, "cursor": cursor}).json()
        sums.update({name: page[name] for name in ("looked", "rises", "falls")})
        counts.update({(one["was"], one["becomes"]): one["members"] for one in page["counts"]})
        changes += page.get("changes", [])
        cursor = page.get("next", "")
        if not cursor:
            break
    if as_json:
        rows = [{"was": was, "becomes": becomes, "members": counts[was, becomes]} for was, becomes in sorted(counts)]
        out.print(json.dumps({**sums, "counts": rows, "changes": changes}, ensure_ascii=False), markup=False)
        return
    stay = sums["looked"] - sums["rises"] - sums["falls"]
    out.print(f"{sums['rises']:,} rise, {sums['falls']:,} fall, {stay:,} stay, of {sums['looked']:,}")
    table = Table("from", "to", "members", box=None, pad_edge=False)
    for (was, becomes), number in sorted(counts.items()):
        if was != becomes:
            table.add_row(was or "none", becomes or "none", f"{number:,}")
    if table.row_count:
        out.print(table)
    if members:
        for one in changes:
            out.print(f"{one['member']}  {one['was'] or 'none'} -> {one['becomes'] or 'none'}", markup=False)
