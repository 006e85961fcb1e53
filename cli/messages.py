"""``loyalty messages``: where one message stands, and trying anew those that could not be sent."""

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

from cli.api import Api

if TYPE_CHECKING:
    from cli.command import Session

PAGE: Final = 50
"""Messages that one request tries anew."""


def register(group: Any) -> None:
    """The commands; ``group`` are those of ``loyalty messages``."""
    one = group.add_parser("show", help="where a message stands, and what is known of it")
    one.add_argument("message", help="its id, msg_…")
    one.add_argument("--json", action="store_true", help="as JSON")
    one.set_defaults(run=lambda session, given: _with(session, show, given.message, given.json, session.out))
    one = group.add_parser("redrive", help="try anew messages that could not be sent for a day, or are in doubt")
    one.add_argument("message", nargs="*", help="their ids; all of them when left out")
    one.add_argument("--campaign", default="", help="only those of one campaign")
    one.add_argument("--code", default="", help="only what failed for this reason, such as not_configured")
    doubtful = "those in doubt instead: whoever has got one already gets it twice"
    one.add_argument("--doubtful", action="store_true", help=doubtful)
    one.add_argument("--dry-run", action="store_true", help="list them, and leave everything where it is")
    one.set_defaults(
        run=lambda session, given: _with(
            session,
            redrive,
            given.message,
            {name: getattr(given, name) for name in ("campaign", "code", "doubtful", "dry_run")},
            session.out,
        )
    )


def show(api: Api, message: str, as_json: bool, out: Console) -> None:
    found = api.get(f"/v1/messages/{message}")
    if as_json:
        out.print(json.dumps(found, ensure_ascii=False), markup=False)
        return
    why = f" ({found['code']})" if "code" in found else ""
    out.print(f"{found['state']}{why}, by {found['channel']}, to {found['member']}", markup=False)
    out.print(f"campaign {found['campaign']}, step {found['step']}, text {found['template']}", markup=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    for fact, at in (("made", found["created_at"]), *found["happened"].items()):
        table.add_row(at, fact)
    out.print(table)


def redrive(api: Api, messages: list[str], wanted: dict[str, Any], out: Console) -> None:
    """Go through all that failed, or are in doubt, page by page; each is said in a line, and at the end how many came
    to what. ``wanted`` as the request names it.
    """
    counts: Counter[str] = Counter()
    asked: dict[str, Any] = {**wanted, "limit": PAGE}
    batches = [messages[first : first + PAGE] for first in range(0, len(messages), PAGE)] or [[]]
    for batch in batches:
        cursor = ""
        while True:
            page = api.call("POST", "/v1/messages/redrive", body={**asked, "messages": batch, "cursor": cursor}).json()
            for one in page["messages"]:
                counts[one["outcome"]] += 1
                out.print(f"{one['outcome']}  {one['id']}  {one['channel']}  {one['code']}", markup=False)
            cursor = page.get("next", "")
            if not cursor:
                break
    out.print(", ".join(f"{count:,} {outcome}" for outcome, count in sorted(counts.items())) or "nothing has failed")


def _with(session: "Session", run: Any, *arguments: Any) -> None:
    with session.api() as api:
        run(api, *arguments)
