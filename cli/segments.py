"""``loyalty segments``: check a file of segments and run the cases in it, put it in force, see who is in them."""

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

from cli.api import Api, Refusal
from cli.rules import home_of
from cli.target import CommandError

if TYPE_CHECKING:
    from cli.command import Session
    from loyalty.segments.definition import Checked

_VERSION: Final = re.compile(r"v?([1-9][0-9]{0,8})", re.ASCII)


def register(group: Any) -> None:
    """The commands; ``group`` are those of ``loyalty segments``."""
    one = group.add_parser("check", help="say everything that is wrong, run the cases; exit status 1 when one fails")
    one.add_argument("file", type=Path, metavar="FILE", help="segments, as YAML")
    one.add_argument("--policy", type=Path, help="the programme's policy, as JSON")
    one.add_argument("--json", action="store_true", help="as JSON")
    one.set_defaults(run=lambda session, given: check(session, given.file, given.policy, given.json))
    one = group.add_parser("publish", help="put segments in force; everybody is looked at anew in the background")
    one.add_argument("file", type=Path, metavar="FILE", help="segments, as YAML")
    one.add_argument(
        "--version", default="", help="the version it replaces, such as v3; whichever there is if left out"
    )

    def put(session: "Session", given: Any) -> int:
        with session.api() as api:
            return publish(api, given.file, given.version, session.out, session.said)

    one.set_defaults(run=put)
    one = group.add_parser("list", help="segments, and how many members each has")
    one.add_argument("--source", action="store_true", help="print the file in force, as it was handed in")
    one.add_argument("--json", action="store_true", help="as JSON")

    def show(session: "Session", given: Any) -> None:
        with session.api() as api:
            listed(api, given.source, given.json, session.out)

    one.set_defaults(run=show)
    one = group.add_parser("members", help="who is in a segment, and since when")
    one.add_argument("segment", help="its id, such as dormant")
    one.add_argument("--limit", type=_number, default=0, help="so many at most")
    one.add_argument("--json", action="store_true", help="one JSON object a line")

    def who(session: "Session", given: Any) -> None:
        with session.api() as api:
            members(api, given.segment, given.limit, given.json, session.out)

    one.set_defaults(run=who)


def check(session: "Session", file: Path, policy: Path | None, as_json: bool) -> int:
    """Every issue, ``file:line:column: message``, and every case that comes out otherwise; 1 when there is any."""
    from loyalty.segments.definition import run

    found = _checked(session, file, policy)
    issues = [str(one) for one in found.issues]
    results = run(found.segments, found.cases) if found.segments else []
    failed = [one for one in results if not one.passed]
    if as_json:
        listing = [
            {"line": one.line, "column": one.column, "code": one.code, "message": one.message} for one in found.issues
        ]
        cases = [
            {"case": one.case.name, "line": one.case.line, "passed": one.passed, "in": sorted(one.got)}
            for one in results
        ]
        _print_json(session.out, {"issues": listing, "cases": cases})
        return 1 if issues or failed else 0
    for line in issues:
        session.out.print(line, markup=False)
    for one in failed:
        got, expected = ", ".join(sorted(one.got)) or "none", ", ".join(sorted(one.case.expected)) or "none"
        line = f"{file}:{one.case.line}: {one.case.name}: in {got}, expected {expected}"
        session.out.print(line, markup=False)
    if found.segments and not failed:
        number = len(found.segments.segments)
        cases_ = f"{len(results)} case{'' if len(results) == 1 else 's'}"
        session.said.print(f"{file}: {number} segment{'' if number == 1 else 's'}, {cases_}: sound", markup=False)
    return 1 if issues or failed else 0


def publish(api: Api, file: Path, version: str, out: Console, said: Console) -> int:
    """Hand a file in; 1 when it is wrong, and then nothing has changed."""
    headers = {}
    if version:
        number = _VERSION.fullmatch(version)
        if number is None:
            raise CommandError(f"{version} is no version; write it as v3")
        headers = {"If-Match": f'"{number[1]}"'}
    try:
        answer = api.call("POST", "/v1/segments", body={"source": _text(file)}, headers=headers).json()
    except Refusal as refusal:
        if refusal.code not in ("SEGMENTS_INVALID", "SEGMENTS_EXPECTATION_FAILED"):
            raise
        for one in refusal.problem.get("issues") or [{"line": refusal.problem.get("line", 1), "message": str(refusal)}]:
            column = f":{one['column']}" if "column" in one else ""
            meant = f" (did you mean {one['suggestion']}?)" if "suggestion" in one else ""
            out.print(f"{file}:{one['line']}{column}: {one['message']}{meant}", markup=False)
        return 1
    said.print(f"v{answer['version']}: {len(answer['segments'])} segments, {answer.get('cases', 0)} cases passed")
    return 0


def listed(api: Api, source: bool, as_json: bool, out: Console) -> None:
    """Each segment with its members; or the file."""
    found = api.get("/v1/segments")
    if source:
        out.print(found.get("source", ""), markup=False, end="")
        return
    if as_json:
        _print_json(out, {name: part for name, part in found.items() if name != "source"})
        return
    table = Table("segment", "name", "members", "condition", box=None, pad_edge=False)
    for one in found["segments"]:
        table.add_row(one["id"], one["name"]["en"], f"{one['members']:,}", " ".join(one["when"].split()))
    if found["segments"]:
        out.print(table)
    else:
        out.print("no segments")


def members(api: Api, segment: str, limit: int, as_json: bool, out: Console) -> None:
    """Members of a segment, page by page."""
    for number, one in enumerate(api.pages(f"/v1/segments/{segment}/members", "members"), 1):
        out.print(json.dumps(one) if as_json else f"{one['member']}  {one['since']}", markup=False)
        if number == limit:
            return


def _checked(session: "Session", file: Path, policy: Path | None) -> "Checked":
    from loyalty.segments import definition

    text = _text(file)
    home = home_of(session, policy) if policy or not re.search(r"^currency:", text, re.MULTILINE) else None
    return definition.check(text, str(file), home)


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except (OSError, UnicodeError) as error:
        raise CommandError(f"{file}: {error}") from None


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0")
    return int(text)


def _print_json(out: Console, document: object) -> None:
    out.print(json.dumps(document, indent=2, ensure_ascii=False), markup=False, soft_wrap=True)
