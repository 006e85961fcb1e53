"""``loyalty rules``: check a rule set's file, run the cases in it, say what it would change. Nothing is written.

A file that says its ``currency`` is checked without any stack; for one that leaves it to the programme, ``--policy`` or
the API says it, and which tiers and segments there are. Where nobody is asked, any may be named.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from cli.api import Refusal
from cli.program import document_in
from cli.target import CommandError

if TYPE_CHECKING:
    from cli.command import Session
    from loyalty.rules.document import Checked, Home, Known
    from loyalty.rules.expectations import Result
    from loyalty.rules.yaml_text import Issue

_VERSION: Final = re.compile(r"v?([1-9][0-9]{0,8})", re.ASCII)
_CURRENCY: Final = re.compile(r"""^\ufeff?(["']?)currency\1\s*:""", re.MULTILINE)
UNREAD: Final = ("RULE_YAML_INVALID", "RULE_FILE_TOO_LARGE")
_RULE_SET: Final = re.compile(r"rls_[0-9A-Z]{26}", re.ASCII)


def register(group: Any) -> None:
    """The commands that need a file only; ``group`` are those of ``loyalty rules``."""
    one = group.add_parser("check", help="say everything that is wrong with rule sets; exit status 1 when anything is")
    one.add_argument("files", type=Path, nargs="+", metavar="FILE", help="rule sets, as YAML")
    _say_how(one)
    one.set_defaults(run=lambda session, given: check(session, given.files, given.policy, as_json=given.json))
    one = group.add_parser("test", help="run the cases of a rule set; exit status 1 when one comes out otherwise")
    one.add_argument("file", type=Path, metavar="FILE", help="a rule set, as YAML")
    one.add_argument("--trace", action="store_true", help="what each rule came to, of cases that pass too")
    _say_how(one)
    one.set_defaults(run=lambda session, given: test(session, given.file, given.policy, given.trace, given.json))
    one = group.add_parser("diff", help="what a rule set would change")
    one.add_argument("file", type=Path, metavar="FILE", help="a rule set, as YAML")
    one.add_argument("--against", default="current", help="current, a version such as v12, or another file (current)")
    _say_how(one)
    one.set_defaults(run=lambda session, given: diff(session, given.file, given.against, given.policy, given.json))


def check(session: "Session", files: Sequence[Path], policy: Path | None, *, as_json: bool) -> int:
    """Every issue of every file, ``file:line:column: message``; 1 when there is any."""
    issues: list[Issue] = []
    told = []
    for file in files:
        found = checked(session, file, policy)
        issues += found.issues
        if found.rules is not None:
            told.append(f"{file}: {_rules(len(found.rules.rules))}, {_cases(len(found.expectations))}: sound")
    if as_json:
        _print_json(session.out, {"issues": [_issue(one) for one in issues]})
    else:
        _print_issues(session.out, issues)
        for line in told:
            session.said.print(line, markup=False)
    return 1 if issues else 0


def test(session: "Session", file: Path, policy: Path | None, trace: bool, as_json: bool) -> int:
    """Each case of a file, and what came of it; 1 when one came out otherwise, or the file is wrong."""
    from loyalty.rules.compiler import compiled
    from loyalty.rules.expectations import run

    found = checked(session, file, policy)
    if found.rules is None:
        if as_json:
            _print_json(session.out, {"issues": [_issue(one) for one in found.issues]})
        else:
            _print_issues(session.out, found.issues)
        return 1
    results = run(compiled(found.rules), found.expectations)
    failed = [one for one in results if not one.passed]
    if as_json:
        _print_json(session.out, {"cases": [_result(one) for one in results]})
        return 1 if failed else 0
    for one in results:
        if not one.passed:
            session.out.print(f"{file}:{one.line}: {one.name}: {one.message}", markup=False)
        elif trace:
            session.out.print(f"{file}:{one.line}: {one.name}: {one.got:,} points", markup=False)
        if trace or not one.passed:
            for line in one.trace:
                session.out.print(f"    {line}", markup=False)
    if failed:
        session.said.print(f"{len(failed)} of {_cases(len(results))} failed")
        return 1
    session.said.print(f"{_cases(len(results))} passed" if results else f"{file} has no cases", markup=False)
    return 0


def diff(session: "Session", file: Path, against: str, policy: Path | None, as_json: bool) -> int:
    """What is different from what is in force, from a version or from another file; 1 when a file is wrong."""
    from loyalty.rules.difference import changes, plain

    after = checked(session, file, policy)
    before = _against(session, against, policy)
    issues = [*(before.issues if before else ()), *after.issues]
    if after.rules is None or issues:
        _print_issues(session.out, issues)
        return 1
    found = changes(before.rules if before else None, after.rules)
    if as_json:
        from msgspec import to_builtins

        _print_json(session.out, {"changes": to_builtins(found)})
    else:
        session.out.print(plain(found), markup=False)
    return 0


def checked(session: "Session", file: Path, policy: Path | None) -> "Checked":
    """A file, read and checked; CommandError when it cannot be read at all."""
    try:
        text = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeError) as error:
        raise CommandError(f"{file}: {error}") from None
    return _checked(session, text, str(file), policy)


def _checked(session: "Session", text: str, name: str, policy: Path | None, *, stored: bool = False) -> "Checked":
    """What was ``stored`` may name tiers and segments that are gone since."""
    from loyalty.rules import document

    if policy is None and _CURRENCY.search(text) is None:
        alone = document.check(text, name)
        if alone.rules is None and all(one.code.startswith(UNREAD) for one in alone.issues):
            return alone  # nobody needs to be asked what a file is wrong about that cannot be read
    elif policy is None:
        return document.check(text, name)
    return document.check(text, name, *((home_of(session, policy),) if stored else _around(session, policy)))


def _around(session: "Session", policy: Path | None) -> "tuple[Home, Known]":
    """The programme, and its tiers and segments; a policy's file knows of no segments."""
    from loyalty.rules.document import Known

    found = _program(session, policy)
    home = _home(found, policy)
    try:
        tiers = tuple(str(level["id"]) for level in (found.get("tiers") or {"levels": ()})["levels"])
    except (KeyError, TypeError, AttributeError):
        raise CommandError(f"{policy or 'the programme'}: this is no policy") from None
    return home, Known(tiers, () if policy else _segments(session))


def _segments(session: "Session") -> tuple[str, ...]:
    with session.api() as api:
        return tuple(str(one["id"]) for one in api.get("/v1/segments")["segments"])


def home_of(session: "Session", policy: Path | None) -> "Home":
    """The programme: of a policy's file, or of the API."""
    return _home(_program(session, policy), policy)


def _program(session: "Session", policy: Path | None) -> Any:
    """The policy as it stands in a file, or as the API shows it."""
    if policy is not None:
        return document_in(policy)
    try:
        with session.api() as api:
            return api.get("/v1/program")
    except CommandError as error:
        message = f"The file names no currency: write one at its top, or give --policy. {error}"
        raise CommandError(message) from None


def _home(found: Any, policy: Path | None) -> "Home":
    from loyalty.rules.document import Written

    try:
        return Written(str(found["program"]), str(found["currency"]), str(found.get("timezone", "UTC")))
    except (KeyError, TypeError, AttributeError):
        raise CommandError(f"{policy or 'the programme'}: this is no policy") from None


def _against(session: "Session", against: str, policy: Path | None) -> "Checked | None":
    """The other side of a comparison; None when nothing is in force yet."""
    number = _VERSION.fullmatch(against)
    if against != "current" and not number and not _RULE_SET.fullmatch(against):
        return checked(session, Path(against), policy)
    name = f"v{number[1]}" if number else against
    try:
        with session.api() as api:
            source = api.get(f"/v1/rule-sets/{name}")["source"]
    except Refusal as error:
        if against == "current" and error.code == "RULE_SET_NOT_FOUND":
            return None
        raise
    return _checked(session, source, name, policy, stored=True)


def _say_how(one: Any) -> None:
    one.add_argument("--policy", type=Path, help="the programme's policy, as JSON")
    one.add_argument("--json", action="store_true", help="as JSON")


def _print_issues(out: Console, issues: Sequence["Issue"]) -> None:
    for one in issues:
        out.print(str(one), markup=False)


def _print_json(out: Console, document: object) -> None:
    out.print(json.dumps(document, indent=2, ensure_ascii=False), markup=False, soft_wrap=True)


def _issue(one: "Issue") -> dict[str, Any]:
    return {
        "file": one.file,
        "line": one.line,
        "column": one.column,
        "code": one.code,
        "message": one.message,
        **({"suggestion": one.suggestion} if one.suggestion else {}),
    }


def _result(one: "Result") -> dict[str, Any]:
    return {
        "name": one.name,
        "line": one.line,
        "passed": one.passed,
        "expected": one.expected,
        "got": one.got,
        "of_which": dict(one.of_which),
        "message": one.message,
        "trace": list(one.trace),
    }


def _rules(number: int) -> str:
    return f"{number:,} rule{'' if number == 1 else 's'}"


def _cases(number: int) -> str:
    return f"{number:,} case{'' if number == 1 else 's'}"
