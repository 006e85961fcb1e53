"""``loyalty campaigns report``: what a campaign itself caused, in words, as JSON or as a page."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from rich.console import Console
from rich.table import Table

from cli.api import Api
from cli.target import CommandError

if TYPE_CHECKING:
    from cli.command import Session

LANGUAGES: Final = ("en", "zh")


def register(group: Any) -> None:
    """The command; ``group`` are those of ``loyalty campaigns``."""
    one = group.add_parser("report", help="what a campaign itself caused")
    one.add_argument("id", help="the campaign's id")
    one.add_argument("--page", type=Path, metavar="FILE", help="write a page with pictures")
    one.add_argument("--lang", choices=LANGUAGES, default="en", help="the language of the words and the page (en)")
    one.add_argument("--json", action="store_true", help="everything as JSON")

    def run(session: "Session", given: Any) -> int:
        with session.api() as api:
            return report(
                api,
                given.id,
                page=given.page,
                language=given.lang,
                as_json=given.json,
                out=session.out,
                said=session.said,
            )

    one.set_defaults(run=run)


def report(
    api: Api, campaign_id: str, *, page: Path | None, language: str, as_json: bool, out: Console, said: Console
) -> int:
    """Show the newest report of a campaign."""
    path = f"/v1/campaigns/{quote(campaign_id, safe='')}"
    found = api.get(f"{path}/report")
    if page is not None:
        write_page(api.get(path), found, page, language)
        said.print(f"page: {page}", markup=False)
    if as_json:
        out.print(json.dumps(found, ensure_ascii=False), markup=False)
    elif not found["reports"]:
        said.print("nothing was measured yet: the first members' windows are not over")
    else:
        _show(found["reports"][-1], language, out)
    return 0


def write_page(campaign: Any, found: Any, file: Path, language: str) -> None:
    """The page of a report; CommandError when the file cannot be written."""
    import msgspec

    from loyalty.backtests.pictures import Text
    from loyalty.experiments.page import Campaign
    from loyalty.experiments.page import page as page_of  # the product's own code: only this needs it
    from loyalty.experiments.views import ReportsView

    name, goal = campaign["name"], campaign.get("goal", {"en": "", "zh": ""})
    about = Campaign(
        campaign["id"], Text(name["en"], name["zh"]), Text(goal["en"], goal["zh"]), campaign.get("state", "")
    )
    data = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    try:
        file.write_text(page_of(about, msgspec.convert(found, ReportsView), data, language), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file}: {error}") from None


def _show(newest: Any, language: str, out: Console) -> None:
    found = newest["report"]
    for sentence in newest["summary"][language]:
        out.print(sentence, markup=False)
    table = Table("group", "members", "reached", "bought", "redeemed", "points", "messages", box=None, pad_edge=False)
    for arm in found["arms"]:
        counts = (arm["members"], arm["reached"], arm["buyers"], arm["redeemers"], arm["points"])
        table.add_row(arm["name"], *(f"{count:,}" for count in counts), f"{sum(arm['messages'].values()):,}")
    out.print(table)
    blocked: dict[str, int] = {}
    for arm in found["arms"]:
        for reason, count in arm["blocked"].items():
            blocked[reason] = blocked.get(reason, 0) + count
    if blocked:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(blocked.items()))
        out.print(f"not sent: {reasons}", markup=False)
    how_far = "as far as it came" if found.get("cancelled") else "at the end" if found["final"] else "so far"
    out.print(f"{newest['day']}, {how_far}")
