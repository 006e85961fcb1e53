"""``loyalty campaigns texts``: what a step says, as a member would read it; of a file, or of what was handed in."""

import json
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from rich.console import Console

from cli.target import CommandError
from cli.texts_page import length, page

if TYPE_CHECKING:
    from cli.command import Session
    from loyalty.campaigns.campaign import Campaign
    from loyalty.campaigns.document import Checked

Read = Callable[["Session", Path, Path | None, Path | None], "Checked"]
"""Reads and checks a file of campaigns: with the programme's policy, and with its segments."""
CHANNELS: Final = ("email", "sms", "push", "inbox", "wechat", "wecom", "webhook")
LANGUAGES: Final = ("en", "zh")
FILES: Final = (".yaml", ".yml")
"""How the name of a file ends; an id has no full stop."""


def register(group: Any, read: Read) -> None:
    """The command; ``group`` are those of ``loyalty campaigns``."""
    one = group.add_parser("texts", help="what a step says, as a member would read it; nothing is sent")
    one.add_argument("campaign", metavar="FILE|ID", help="a file of campaigns, as YAML, or the id of one handed in")
    one.add_argument("--step", required=True, help="the step")
    one.add_argument("--channel", choices=CHANNELS, help="its text for this channel alone")
    one.add_argument("--lang", choices=LANGUAGES, help="its text in this language alone")
    one.add_argument("--variant", help="its text for this variant alone")
    one.add_argument(
        "--with",
        dest="variables",
        action="append",
        default=[],
        type=_pair,
        metavar="NAME=VALUE",
        help="what the member's own is, such as points=420, birthday=1990-05-17",
    )
    one.add_argument("--day", help="the day on which it is said, such as 2026-12-01; the step's own when left out")
    one.add_argument("--of", metavar="ID", help="which campaign of the file, where it has several")
    one.add_argument("--policy", type=Path, help="the programme's policy, as JSON, for a file that names no currency")
    one.add_argument(
        "--page", type=Path, metavar="FILE", help="write a page of them, with an e-mail's HTML as it looks"
    )
    one.add_argument("--json", action="store_true", help="as JSON")

    def run(session: "Session", given: Any) -> int:
        asked = {
            "step": given.step,
            "variables": dict(given.variables),
            **({"channel": given.channel} if given.channel else {}),
            **({"language": given.lang} if given.lang else {}),
            **({"variant": given.variant} if given.variant else {}),
            **({"day": given.day} if given.day else {}),
        }
        if given.campaign.endswith(FILES):
            checked = read(session, Path(given.campaign), given.policy, None)
            for issue in checked.issues:
                session.out.print(str(issue), markup=False)
            if checked.issues:
                return 1
            found = of_file(_only(checked.campaigns, given.of), asked)
        else:
            with session.api() as api:
                found = api.call("POST", f"/v1/campaigns/{quote(given.campaign, safe='')}/texts", body=asked).json()
        if given.page is not None:
            _write(given.page, page(found))
            session.said.print(f"page: {given.page}", markup=False)
        show(found, as_json=given.json, out=session.out)
        return 0

    one.set_defaults(run=run)


def of_file(campaign: "Campaign", asked: Mapping[str, Any]) -> Any:
    """What the API would answer of it; CommandError says what of ``asked`` does not fit."""
    import msgspec

    from loyalty.campaigns.trial import Asked, trial
    from loyalty.campaigns.trial_views import texts_view
    from loyalty.errors import Problem

    try:
        day = date.fromisoformat(asked["day"]).toordinal() if "day" in asked else 0
    except ValueError:
        raise CommandError("day must be a date, such as 2026-12-01") from None
    today = datetime.now(ZoneInfo(campaign.timezone)).toordinal()
    try:
        found = trial(campaign, msgspec.convert({**asked, "day": day}, Asked), today)
    except Problem as problem:
        raise CommandError(problem.detail) from None
    return msgspec.to_builtins(texts_view(found))


def show(found: Mapping[str, Any], *, as_json: bool, out: Console) -> None:
    """Each text under its channel and language; links stand below, with where they would lead."""
    if as_json:
        out.print(json.dumps(found, indent=2, ensure_ascii=False), markup=False)
        return
    out.print(f"{found['step']} on {found['day']}", markup=False)
    for one in found["texts"]:
        variant = f"{one['variant']}: " if one.get("variant") else ""
        long = f": {length(one['sms'])}" if "sms" in one else ""
        out.print(f"\n{variant}{one['channel']}, {one['language']}{long}", markup=False)
        fields = [f"{name}: {value}" for name, value in one.get("data", {}).items()]
        parts = [one.get("subject", ""), one.get("text", "").rstrip(), "\n".join(fields)]
        for line in "\n\n".join(part for part in parts if part).splitlines():
            out.print(f"    {line}".rstrip(), markup=False)
        for place, lead in one.get("links", {}).items():
            out.print(f"  {place} leads to {lead}", markup=False)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file}: {error}") from None


def _only(campaigns: Sequence["Campaign"], named: str | None) -> "Campaign":
    found = [one for one in campaigns if named in (None, one.id)]
    if len(found) != 1:
        raise CommandError(f"say which campaign of the file (--of): {', '.join(one.id for one in campaigns)}")
    return found[0]


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value
