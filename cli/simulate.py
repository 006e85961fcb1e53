"""``loyalty rules simulate``: try a rule set on stored purchases, before it counts."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.api import Api
from cli.publishing import draft_of
from cli.target import CommandError
from loyalty.values import money_text

if TYPE_CHECKING:
    from cli.command import Session

POLL_SECONDS: Final = 1.0
ROWS: Final = 12
"""So many rules are listed."""


def register(group: Any) -> None:
    """The command; ``group`` are those of ``loyalty rules``."""
    one = group.add_parser("simulate", help="what stored purchases would have earned by a rule set")
    one.add_argument("name", metavar="FILE|ID", help="a file, or the id or version (v12) of one that was handed in")
    one.add_argument("--days", type=int, default=30, help="so many days, 1 to 366 (30)")
    one.add_argument("--until", default="", metavar="DATE", help="the last of them, such as 2026-10-31 (today)")
    one.add_argument("--html", type=Path, metavar="FILE", help="write a page with pictures")
    one.add_argument("--lang", choices=("en", "zh"), default="en", help="the language that the page opens in (en)")
    one.add_argument("--json", action="store_true", help="everything as JSON")

    def run(session: "Session", given: Any) -> int:
        with session.api() as api:
            return simulate(
                api,
                given.name,
                {"days": given.days, "until": given.until},
                html=given.html,
                language=given.lang,
                as_json=given.json,
                out=session.out,
                said=session.said,
            )

    one.set_defaults(run=run)


def simulate(
    api: Api,
    name: str,
    days: dict[str, Any],
    *,
    html: Path | None,
    language: str,
    as_json: bool,
    out: Console,
    said: Console,
    wait: Callable[[float], None] = time.sleep,
) -> int:
    """Begin a simulation and follow it to its end; 1 when a part of it could not be worked off."""
    rule_set = draft_of(api, name, said)
    begun = api.call("POST", f"/v1/rule-sets/{rule_set}/simulate", body=days).json()
    said.print(f"{begun['id']}: {begun['since']} to {begun['until']}", markup=False)
    found = followed(api, begun, said, wait)
    if html is not None:
        write_page(found, html, language)
        said.print(f"page: {html}", markup=False)
    if as_json:
        out.print(json.dumps(found, ensure_ascii=False), markup=False)
    if found["status"] == "incomplete":
        for part in found["incomplete"]:
            said.print(f"part {part['shard']} failed: {part['reason']}", markup=False)
        said.print("the log of the replay function says where; begin again once that is mended")
        return 1
    if not as_json:
        _show(found["figures"], out, said)
    return 0


def followed(api: Api, simulation: Any, said: Console, wait: Callable[[float], None]) -> Any:
    """The simulation once it is no longer running; a bar shows how far it has come."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[done]}"), TimeElapsedColumn())
    with Progress(*columns, console=said, transient=True) as bar:
        task = bar.add_task("replaying", total=100, done="")
        while simulation["status"] == "running":
            wait(POLL_SECONDS)
            simulation = api.get(f"/v1/simulations/{simulation['id']}")
            at = simulation["progress"]
            done = f"{at['accounts_done']:,} of {at['accounts']:,} accounts, {at['shards_done']}/{at['shards']} parts"
            bar.update(task, completed=at["percent"], done=done)
    return simulation


def write_page(simulation: Any, file: Path, language: str) -> None:
    """The page of a simulation; CommandError when the file cannot be written."""
    import msgspec

    from loyalty.backtests.page import data_of, page  # the product's own code: only this needs it
    from loyalty.backtests.views import SimulationView

    view = msgspec.convert(simulation, SimulationView)
    try:
        file.write_text(page(view, data_of(simulation), language), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file}: {error}") from None


def _show(figures: Any, out: Console, said: Console) -> None:
    if not figures["purchases"] and not figures["events"]:
        said.print("nothing happened on these days; --days and --until name others")
    before, after = figures["points_before"], figures["points_after"]
    change = "" if figures["change_percent"] is None else f" ({figures['change_percent']:+.1f} %)"
    out.print(f"points given   {before:,} -> {after:,}{change}")
    if figures["cost_after"] is not None:
        currency = figures["currency"]
        cost = [money_text(figures[name], currency) for name in ("cost_before", "cost_after")]
        out.print(f"cost           {cost[0]} -> {cost[1]} {currency}")
    out.print(f"purchases      {figures['purchases_affected']:,} of {figures['purchases']:,} would earn otherwise")
    out.print(
        f"members        {figures['members_gaining']:,} win, {figures['members_losing']:,} lose, "
        f"{figures['members_unchanged']:,} neither"
    )
    for budget in figures["budgets"]:
        dry = f", dry on {budget['dry_on']}" if "dry_on" in budget else ""
        out.print(f"budget         {budget['campaign']}: {budget['paid']:,} of {budget['points']:,}{dry}", markup=False)
    if figures["set_aside"]:
        out.print(f"set aside      {figures['set_aside']:,} accounts that could not be replayed")
    table = Table("rule", "times", "before", "after", "change", box=None, pad_edge=False)
    rules = sorted(figures["rules"], key=lambda one: -max(one["points_before"], one["points_after"]))
    for one in rules[:ROWS]:
        change_of = one["points_after"] - one["points_before"]
        numbers = (one["times_after"], one["points_before"], one["points_after"])
        table.add_row(one["rule"], *(f"{number:,}" for number in numbers), f"{change_of:+,}")
    out.print(table)
