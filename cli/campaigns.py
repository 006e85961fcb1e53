"""``loyalty campaigns``: check a file and run its cases, hand it in, see what would happen, start it, end it.

A file that says its ``currency`` is checked without any stack; for one that leaves it to the programme, ``--policy`` or
the API says it.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from rich.console import Console
from rich.table import Table

from cli import reports, texts
from cli.api import Api, Refusal
from cli.rules import UNREAD, home_of
from cli.target import CommandError
from loyalty.table.keys import MEMBER_SHARDS

if TYPE_CHECKING:
    from cli.command import Session
    from loyalty.campaigns.document import Checked
    from loyalty.campaigns.expectations import Result
    from loyalty.rules.yaml_text import Issue

MOVES: Final = {
    "start": "start it: from now on members come in; of one that runs, by the version handed in last",
    "pause": "have it do nothing for now; nothing is lost",
    "resume": "have a paused one go on",
    "redrive": "take up whoever was set aside",
}
REFUSED: Final = ("CAMPAIGNS_INVALID", "CAMPAIGNS_EXPECTATION_FAILED")
PREVIEWED: Final = 200
"""Members of a page of a preview."""
AT_ONCE: Final = 8
"""Pages of a preview asked for at the same time."""
FIGURES: Final = ("groups", "out", "messages", "steps", "missed", "offers", "given")
_CURRENCY: Final = re.compile(r"^currency:", re.MULTILINE)


def register(group: Any) -> None:
    """The commands; ``group`` are those of ``loyalty campaigns``."""
    _of_files(group)
    _of_the_stack(group)
    texts.register(group, checked)
    reports.register(group)


def _of_files(group: Any) -> None:
    one = group.add_parser("check", help="say everything that is wrong with campaigns; exit status 1 when anything is")
    one.add_argument("files", type=Path, nargs="+", metavar="FILE", help="campaigns with their texts, as YAML")
    _say_how(one)
    one.set_defaults(
        run=lambda session, given: check(session, given.files, given.policy, given.segments, as_json=given.json)
    )
    one = group.add_parser("test", help="run the cases of a file; exit status 1 when one comes out otherwise")
    one.add_argument("file", type=Path, metavar="FILE", help="campaigns with their texts, as YAML")
    one.add_argument("--trace", action="store_true", help="what each day came to, of cases that pass too")
    _say_how(one)
    one.set_defaults(
        run=lambda session, given: test(
            session, given.file, given.policy, given.segments, trace=given.trace, as_json=given.json
        )
    )


def _of_the_stack(group: Any) -> None:
    one = group.add_parser("publish", help="hand a file in; nothing is started by it")
    one.add_argument("file", type=Path, metavar="FILE", help="campaigns with their texts, as YAML")
    one.set_defaults(run=lambda session, given: _with(session, publish, given.file, session.out, session.said))
    one = group.add_parser("list", help="campaigns, and how far each has come")
    one.add_argument("--json", action="store_true", help="as JSON")
    one.set_defaults(run=lambda session, given: _with(session, listed, given.json, session.out))
    one = group.add_parser("show", help="one campaign")
    one.add_argument("id", help="the campaign's id")
    one.add_argument("--source", action="store_true", help="print the file, as it was handed in")
    one.set_defaults(run=lambda session, given: _with(session, show, given.id, given.source, session.out))
    one = group.add_parser("preview", help="who would get what, when, and who is left out and why; nothing is written")
    one.add_argument("id", help="the campaign's id")
    one.add_argument("--day", default="", help="the day it would begin, such as 2026-12-01; today when left out")
    one.add_argument("--members", type=int, default=0, metavar="N", help="show so many members one by one, too (0)")
    one.add_argument("--most", type=int, default=0, metavar="N", help="look at so many members at most; all (0)")
    one.add_argument("--json", action="store_true", help="one JSON object a member, then the sum")
    one.set_defaults(
        run=lambda session, given: _with(
            session, preview, given.id, given.day, given.members, given.most, given.json, session.out, session.said
        )
    )
    for name, told in MOVES.items():
        one = group.add_parser(name, help=told)
        one.add_argument("id", help="the campaign's id")
        one.set_defaults(run=lambda session, given, name=name: _with(session, move, name, given.id, {}, session.said))
    one = group.add_parser("cancel", help="end it for good; what was given stays given")
    one.add_argument("id", help="the campaign's id")
    one.add_argument("--reason", required=True, help="why, for whoever reads the list")
    one.set_defaults(
        run=lambda session, given: _with(session, move, "cancel", given.id, {"reason": given.reason}, session.said)
    )
    one = group.add_parser("aside", help="who could not be seen to, and why; exit status 1 when there is anybody")
    one.add_argument("id", help="the campaign's id")
    one.set_defaults(run=lambda session, given: _with(session, aside, given.id, session.out, session.said))


def check(
    session: "Session", files: Sequence[Path], policy: Path | None, segments: Path | None, *, as_json: bool
) -> int:
    """Every issue of every file, ``file:line:column: message``; 1 when there is any."""
    issues: list[Issue] = []
    warnings: list[Issue] = []
    told = []
    for file in files:
        found = checked(session, file, policy, segments)
        issues += found.issues
        warnings += found.warnings
        if found.sound:
            counted = f"{_number(len(found.campaigns), 'campaign')}, {_number(len(found.cases), 'case')}"
            told.append(f"{file}: {counted}: sound")
    if as_json:
        _print_json(session.out, {"issues": _listed(issues), "warnings": _listed(warnings)})
        return 1 if issues else 0
    for one in issues:
        session.out.print(str(one), markup=False)
    for one in warnings:
        session.said.print(f"{one} (warning)", markup=False)
    for line in told:
        session.said.print(line, markup=False)
    return 1 if issues else 0


def test(
    session: "Session", file: Path, policy: Path | None, segments: Path | None, *, trace: bool, as_json: bool
) -> int:
    """Each case of a file, and what came of it; 1 when one came out otherwise, or the file is wrong."""
    from loyalty.campaigns.expectations import run

    found = checked(session, file, policy, segments)
    results = run(found.campaigns, found.cases)
    failed = [one for one in results if not one.passed]
    if as_json:
        cases = [_result(one) for one in results]
        _print_json(session.out, {"issues": _listed(found.issues), "cases": cases})
        return 1 if failed or found.issues else 0
    for issue in found.issues:
        session.out.print(str(issue), markup=False)
    if found.issues:
        return 1
    for one in results:
        if not one.passed or trace:
            session.out.print(f"{file}:{one.line}: {one.name}{f': {one.message}' if one.message else ''}", markup=False)
            for line in one.trace:
                session.out.print(f"    {line}", markup=False)
    if failed:
        session.said.print(f"{len(failed)} of {_number(len(results), 'case')} failed")
        return 1
    passed = f"{_number(len(results), 'case')} passed" if results else f"{file} has no cases"
    session.said.print(passed, markup=False)
    return 0


def checked(session: "Session", file: Path, policy: Path | None, segments: Path | None) -> "Checked":
    """A file, read and checked; CommandError when it cannot be read at all."""
    from loyalty.campaigns.document import Known
    from loyalty.campaigns.document import check as read

    text = _text(file)
    known = Known(_segments(segments)) if segments is not None else Known()
    if policy is None and _CURRENCY.search(text) is None:
        alone = read(text, str(file), None, known)
        if alone.issues and all(one.code.startswith(UNREAD) for one in alone.issues):
            return alone  # nobody needs to be asked what a file is wrong about that cannot be read
    home = home_of(session, policy) if policy or not _CURRENCY.search(text) else None
    return read(text, str(file), home, known)


def _segments(file: Path) -> tuple[str, ...]:
    """Ids of the segments of a file."""
    from loyalty.rules.yaml_text import Document, Unreadable

    try:
        node = Document(_text(file), str(file)).root.get("segments")
    except Unreadable as error:
        raise CommandError(str(error.issue)) from None
    return tuple(key.value for key, _ in node.entries) if node is not None else ()


def publish(api: Api, file: Path, out: Console, said: Console) -> int:
    """Hand a file in; 1 when it is wrong, and then nothing has changed."""
    try:
        answer = api.call("POST", "/v1/campaigns", body={"source": _text(file)}).json()
    except Refusal as refusal:
        if refusal.code not in REFUSED:
            raise
        issues = refusal.problem.get("issues") or [{"line": refusal.problem.get("line", 1), "message": str(refusal)}]
        for one in issues:
            column = f":{one['column']}" if "column" in one else ""
            meant = f" (did you mean {one['suggestion']}?)" if one.get("suggestion") else ""
            out.print(f"{file}:{one['line']}{column}: {one['message']}{meant}", markup=False)
        return 1
    for one in answer["campaigns"]:
        said.print(f"{one['id']}: v{one['version']}, {one['state']}", markup=False)
    return 0


def listed(api: Api, as_json: bool, out: Console) -> None:
    """Each campaign, and how far it has come."""
    found = api.get("/v1/campaigns")["campaigns"]
    if as_json:
        _print_json(out, found)
        return
    if not found:
        out.print("no campaigns")
        return
    table = Table("Id", "Campaign", "State", "Version", "Metric", "Since", box=None, pad_edge=False)
    for one in found:
        version = f"v{one.get('runs', one['version'])}"
        table.add_row(one["id"], one["name"]["en"], one["state"], version, one["metric"], one.get("begun_at", "")[:10])
    out.print(table)


def show(api: Api, campaign: str, source: bool, out: Console) -> None:
    """One campaign, as JSON; or its file."""
    found = api.get(_path(campaign))
    if source:
        out.print(found.get("source", ""), markup=False, end="")
        return
    _print_json(out, {name: value for name, value in found.items() if name != "source"})


def move(api: Api, name: str, campaign: str, body: Mapping[str, str], said: Console) -> None:
    """Start, pause, resume, redrive or cancel one."""
    found = api.call("POST", f"{_path(campaign)}/{name}", body=dict(body) or None).json()
    said.print(f"{campaign}: {found['state']}", markup=False)


def aside(api: Api, campaign: str, out: Console, said: Console) -> int:
    """Everybody who could not be seen to."""
    number = 0
    for one in api.pages(f"{_path(campaign)}/aside", "aside"):
        number += 1
        out.print(f"{one['at']}  {one['step']}  {one['what']}  {one['reason']}", markup=False)
    said.print(f"{_number(number, 'member')} set aside" if number else "nobody is set aside")
    return 1 if number else 0


def preview(
    api: Api, campaign: str, day: str, shown: int, most: int, as_json: bool, out: Console, said: Console
) -> int:
    """Who would get what, all parts of the members at the same time, and the sum of it. Where the budget does not reach
    for all, everybody is looked at once more, by what there is of it for each part.
    """
    kept = None if as_json else shown
    asked = {"day": day} if day else {}
    with said.status("looking at members") as status:

        def told(number: int) -> None:
            status.update(f"{number:,} members looked at")

        if most:
            parts = [_looked(api, campaign, asked, kept, told, most)]
        else:
            parts = _all_parts(api, campaign, [asked | {"part": part} for part in range(MEMBER_SHARDS)], kept, told)
            reaches = _reach(parts)
            if reaches is not None:
                until, points = reaches
                again = [
                    asked | {"part": part, "budget": {"until": until, "points": points[part]}}
                    for part in range(MEMBER_SHARDS)
                ]
                parts = _all_parts(api, campaign, again, kept, told)
    members = [one for part in parts for one in part.members][:kept]
    for one in members:
        if as_json:
            out.print(json.dumps(one, ensure_ascii=False), markup=False)
        else:
            _member(one, campaign, out)
    total = _Seen()
    for part in parts:
        total.add(part)
    if as_json:
        figures = {name: dict(sorted(found.items())) for name, found in total.counted.items()}
        budget = {} if total.left is None else {"left": total.left}
        told_of = {"members": total.looked, "points": total.points, **figures, **budget}
        out.print(json.dumps(told_of), markup=False)
    else:
        _summary(total, out)
    if total.more:
        said.print("there are more members than were looked at")
    if shown > 0 and total.looked and not members:
        said.print("who they are is told to those who may list members: --as operator")
    return 0


class _Seen:
    """Pages of a preview, added up."""

    def __init__(self) -> None:
        self.members: list[Any] = []
        self.looked = 0
        self.points = 0
        self.counted: dict[str, Counter[str]] = {name: Counter() for name in FIGURES}
        self.left: int | None = None
        self.more = False

    def page(self, page: Mapping[str, Any], kept: int | None) -> None:
        summary = page["summary"]
        self.looked += summary["members"]
        self.points += summary["points"]
        for name, found in self.counted.items():
            found.update(summary[name])
        self.left = page.get("left")
        self.members += page["members"][: None if kept is None else max(kept - len(self.members), 0)]

    def add(self, other: "_Seen") -> None:
        self.looked += other.looked
        self.points += other.points
        for name, found in self.counted.items():
            found.update(other.counted[name])
        self.left = other.left
        self.more = self.more or other.more


def _all_parts(
    api: Api, campaign: str, asked: Sequence[Mapping[str, Any]], kept: int | None, told: Callable[[int], None]
) -> list[_Seen]:
    """Each part of the members, several at the same time."""
    counted, lock = Counter[int](), Lock()

    def look(part: int) -> _Seen:
        def done(number: int) -> None:
            with lock:
                counted[part] = number
                told(counted.total())

        return _looked(api, campaign, asked[part], kept, done)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return [*threads.map(look, range(len(asked)))]


def _looked(
    api: Api, campaign: str, asked: Mapping[str, Any], kept: int | None, told: Callable[[int], None], most: int = 0
) -> _Seen:
    """Page by page, ``most`` members (0: all); of the members themselves so many are ``kept``, None for all."""
    found = _Seen()
    body: dict[str, Any] = {**asked}
    while True:
        body["limit"] = min(PREVIEWED, most - found.looked) if most else PREVIEWED
        page = api.call("POST", f"{_path(campaign)}/preview", body=body).json()
        found.page(page, kept)
        told(found.looked)
        body |= {name: page[name] for name in ("budget",) if name in page}
        body["cursor"] = page.get("next", "")
        if not body["cursor"] or (most and found.looked >= most):
            found.more = bool(body["cursor"])
            return found


def _reach(parts: Sequence[_Seen]) -> tuple[str, list[int]] | None:
    """The first day for which the budget has too little, and the points that each part may have on it: the first parts
    theirs, as far as there are any. None where there is enough.
    """
    given = Counter[str]()
    for part in parts:
        given.update(part.counted["given"])
    left = parts[0].left
    if left is None:
        return None
    for day, needed in sorted(given.items()):
        if needed <= left:
            left -= needed
            continue
        points = []
        for part in parts:
            points.append(min(part.counted["given"][day], left))
            left -= points[-1]
        return day, points
    return None


def _summary(total: _Seen, out: Console) -> None:
    from loyalty.campaigns.assignment import NOT
    from loyalty.campaigns.touch import WHY
    from loyalty.contacts.decide import REASONS

    words, counted = {**REASONS, **WHY, **NOT}, total.counted
    out.print(f"{_number(total.looked, 'member')} looked at")
    said = {
        "groups": "would take part",
        "out": "would not come in",
        "messages": "messages, by channel",
        "steps": "steps",
        "missed": "left out",
    }
    for name, title in said.items():
        if counted[name]:
            out.print(f"{title}:")
        for what, number in sorted(counted[name].items(), key=lambda one: (-one[1], one[0])):
            told = f"  {words[what]}" if name in ("out", "missed") and what in words else ""
            out.print(f"  {number:>9,}  {what}{told}", markup=False)
    if total.points:
        of = "" if total.left is None else f" of {total.left:,} that are left of the budget"
        out.print(f"{total.points:,} points would be given{of}")
    if counted["missed"]["budget"]:
        last = max(counted["offers"], default="")
        offers = _number(counted["offers"].total(), "offer") + (f", the last on {last}" if last else "")
        out.print(f"the budget reaches for {offers}; raise it, or tell fewer")


def _member(one: Mapping[str, Any], campaign: str, out: Console) -> None:
    out.print(f"{one['member']}  {one.get('out') or one.get('variant') or one.get('group', '')}", markup=False)
    lines = [(step["day"], f"{_whose(step, campaign)}{step['step']}{_by(step)}") for step in one.get("foreseen", [])]
    lines += [
        (step["day"], f"{_whose(step, campaign)}no {step.get('step') or 'more'} ({step['why']})")
        for step in one.get("missed", [])
    ]
    for day, line in sorted(lines):
        out.print(f"    {day}  {line}", markup=False)


def _whose(step: Mapping[str, Any], campaign: str) -> str:
    return "" if step["campaign"] == campaign else f"{step['campaign']}: "


def _by(step: Mapping[str, Any]) -> str:
    by = f" by {step['channel']} at {step['send_at'][11:16]} UTC" if step.get("channel") else ""
    points = f" with {step['points']:,} points" if step.get("points") else ""
    return f"{by}{points}"


def _path(campaign: str) -> str:
    return f"/v1/campaigns/{quote(campaign, safe='')}"


def _with(session: "Session", run: Any, *arguments: Any) -> int | None:
    with session.api() as api:
        found: int | None = run(api, *arguments)
        return found


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except (OSError, UnicodeError) as error:
        raise CommandError(f"{file}: {error}") from None


def _say_how(one: Any) -> None:
    one.add_argument("--policy", type=Path, help="the programme's policy, as JSON")
    one.add_argument("--segments", type=Path, help="the programme's segments, as YAML: then names of them are checked")
    one.add_argument("--json", action="store_true", help="as JSON")


def _listed(issues: Sequence["Issue"]) -> list[dict[str, Any]]:
    return [
        {
            "file": one.file,
            "line": one.line,
            "column": one.column,
            "code": one.code,
            "message": one.message,
            **({"suggestion": one.suggestion} if one.suggestion else {}),
        }
        for one in issues
    ]


def _result(one: "Result") -> dict[str, Any]:
    return {
        "name": one.name,
        "line": one.line,
        "passed": one.passed,
        "message": one.message,
        "trace": list(one.trace),
    }


def _print_json(out: Console, document: object) -> None:
    out.print(json.dumps(document, indent=2, ensure_ascii=False), markup=False, soft_wrap=True)


def _number(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
