"""``loyalty rules publish``, ``rollback``, ``list`` and ``show``: which rule set is in force."""

import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Column, Table

from cli.api import Api, Refusal
from cli.target import CommandError

if TYPE_CHECKING:
    from cli.command import Session

_NAME: Final = re.compile(r"rls_[0-9A-Z]{26}|v[1-9][0-9]{0,8}|current", re.ASCII)
_LOOKED_AT: Final = 50
"""So many of the newest rule sets are looked through for a file's text."""


def register(group: Any) -> None:
    """The commands that say what is in force; ``group`` are those of ``loyalty rules``."""
    what = "a file, or the id or version (v12) of a rule set that was handed in"
    one = group.add_parser("publish", help="put a rule set in force; running functions obey within half a minute")
    one.add_argument("name", metavar="FILE|ID", help=what)
    one.set_defaults(run=lambda session, given: _with(session, publish, given.name, session.out, session.said))
    one = group.add_parser("rollback", help="put in force what was before; `rules publish v12` goes back further")
    one.set_defaults(run=lambda session, _: _with(session, roll_back, session.out, session.said))
    one = group.add_parser("list", help="rule sets, the newest first, and which is in force")
    one.add_argument("--acts", action="store_true", help="who put what in force instead, the newest first")
    one.set_defaults(run=lambda session, given: _with(session, show_acts if given.acts else show_all, session.out))
    one = group.add_parser("show", help="print a rule set as it was handed in")
    one.add_argument("name", metavar="ID", nargs="?", default="current", help="its id, v12, or current (current)")
    one.set_defaults(run=lambda session, given: _with(session, show, given.name, session.out, session.said))


def publish(api: Api, name: str, out: Console, said: Console) -> None:
    """Put a rule set in force, unless somebody else puts another in force meanwhile."""
    tag = _tag(api)
    rule_set = draft_of(api, name, said)
    try:
        done = api.call("POST", f"/v1/rule-sets/{rule_set}/publish", headers=tag).json()
    except Refusal as refusal:
        if refusal.code == "RULE_SET_NOT_SIMULATED":
            raise CommandError(f"{refusal}\nfirst: cli/loyalty rules simulate {rule_set}") from None
        raise _with_places(refusal, name) from None
    if "simulation" in done:
        before, after = done["simulation"]["points_before"], done["simulation"]["points_after"]
        said.print(f"simulated: {before:,} points were given, {after:,} would have been{_change(before, after)}")
    cases = done.get("cases", 0)
    said.print(f"{cases} case{'' if cases == 1 else 's'} passed; functions that run take it up within half a minute")
    _in_force(done, out)


def roll_back(api: Api, out: Console, said: Console) -> None:
    """Put in force what was before. What is in force is named, so that a second try goes back no further."""
    tag = _tag(api)
    current = api.get("/v1/rule-sets/current")["id"]
    done = api.call("POST", f"/v1/rule-sets/{current}/rollback", headers=tag).json()
    said.print("functions that run take it up within half a minute")
    _in_force(done, out)


def show_all(api: Api, out: Console) -> None:
    """Every rule set of the programme."""
    whole = Column("rule set", no_wrap=True, min_width=30)  # an id that is cut short is no id
    table = Table(whole, "name", "version", "state", "handed in", "by", box=None, pad_edge=False)
    for one in api.pages("/v1/rule-sets", "rule_sets"):
        version = f"v{one['version']}" if "version" in one else ""
        table.add_row(one["id"], one["name"], version, one["status"], one["created_at"], one["created_by"])
    out.print(table)


def show_acts(api: Api, out: Console) -> None:
    """The latest publishes and rollbacks."""
    table = Table("at", "what", "from", "to", "by", box=None, pad_edge=False)
    for act in api.get("/v1/rule-sets", {"limit": 1})["acts"]:
        table.add_row(act["at"], act["act"], _version(act["before"]), _version(act["version"]), act["by"])
    out.print(table)


def show(api: Api, name: str, out: Console, said: Console) -> None:
    """A rule set's text on ``out``, what it is on ``said``."""
    found = api.get(f"/v1/rule-sets/{name}")
    out.print(found["source"], markup=False, soft_wrap=True, end="")
    version = f", v{found['version']}" if "version" in found else ""
    said.print(f"{found['id']} {found['name']}: {found['status']}{version}", markup=False)


def draft_of(api: Api, name: str, said: Console) -> str:
    """The id of what ``name`` names: a rule set's id, ``v12`` and ``current`` as they are, or a file. A file whose very
    text was handed in lately is that rule set, so what was simulated is what is published; else it is handed in.
    CommandError names every place of it that is wrong.
    """
    if _NAME.fullmatch(name):
        return str(api.get(f"/v1/rule-sets/{name}")["id"])
    try:
        text = Path(name).read_bytes().decode("utf-8")
    except (OSError, UnicodeError) as error:
        raise CommandError(f"{name}: {error}") from None
    checksum = sha256(text.encode()).hexdigest()
    for one in api.get("/v1/rule-sets", {"limit": _LOOKED_AT})["rule_sets"]:
        if one["checksum"] == checksum:
            return str(one["id"])
    try:
        made = api.call("POST", "/v1/rule-sets", body={"source": text}).json()
    except Refusal as refusal:
        raise _with_places(refusal, name) from None
    said.print(f"{made['id']} {made['name']}: handed in", markup=False)
    return str(made["id"])


def _with(session: "Session", run: Any, *arguments: Any) -> None:
    with session.api() as api:
        run(api, *arguments)


def _tag(api: Api) -> dict[str, str]:
    """The header that names what is in force now; none before the first publish."""
    answer = api.call("GET", "/v1/rule-sets", query={"limit": 1})
    return {"If-Match": answer.headers["etag"]} if "etag" in answer.headers else {}


def _with_places(refusal: Refusal, name: str) -> CommandError:
    """The refusal, with each issue on a line of its own."""
    issues = refusal.problem.get("issues")
    if not issues:
        return refusal
    lines = [
        f"{name}:{one['line']}:{one['column']}: {one['message']}"
        + (f" (did you mean {one['suggestion']}?)" if "suggestion" in one else "")
        for one in issues
    ]
    return CommandError("\n".join(lines))


def _in_force(done: Any, out: Console) -> None:
    named = f" ({done['rule_set']['name']})" if "rule_set" in done else ""
    out.print(f"in force: {_version(done['version'])}{named}", markup=False)


def _version(number: int) -> str:
    return f"v{number}" if number else "the policy's own rate"


def _change(before: int, after: int) -> str:
    return f" ({(after - before) / before:+.1%})" if before else ""
