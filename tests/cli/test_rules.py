"""``loyalty rules check``, ``test`` and ``diff``: on files alone, and against what a programme has."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.command import main

Capture = pytest.CaptureFixture[str]
RULES = """\
rule_set: alpha
program: alpha
currency: EUR
rules:
  - {id: base, name: {en: Base, zh: 基础}, earn: line.amount}
  - {id: app, name: {en: In the app, zh: 应用内}, when: channel = 'app', earn: 2 * base}
expect:
  - name: the app doubles
    purchase: {at: 2026-03-03T12:00, channel: app, lines: [{amount: 20.00}]}
    points: 40
    of_which: {app: 20}
"""
WITHOUT_CURRENCY = RULES.replace("currency: EUR\n", "")


class Stack(httpx.BaseTransport):
    """Answers what it is told to; ``asked`` are the paths."""

    def __init__(self, **answers: httpx.Response) -> None:
        self.answers = {name.replace("_", "-"): answer for name, answer in answers.items()}
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        return self.answers[request.url.path.rsplit("/", 1)[-1]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def write(text: str, name: str = "rules.yaml") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., int]:
    """The command line where there is no stack, or only ``stack``."""

    def run(*arguments: str, stack: Stack | None = None) -> int:
        there = {"LOYALTY_API_URL": "http://127.0.0.1", "LOYALTY_TOKEN": "alpha.cli.x"}
        return main(arguments, there if stack else {"LOYALTY_LOCAL": str(tmp_path)}, stack or Stack())

    return run


Run = Callable[..., int]
Write = Callable[..., str]


def test_a_sound_file_is_said_to_be_sound(run: Run, write: Write, capsys: Capture) -> None:
    file = write(RULES)
    assert run("rules", "check", file) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"{file}: 2 rules, 1 case: sound\n"


def test_what_is_wrong_is_told_line_by_line_and_ends_with_status_1(run: Run, write: Write, capsys: Capture) -> None:
    sound, wrong = write(RULES), write(RULES.replace("channel =", "chanel ="), "wrong.yaml")
    assert run("rules", "check", sound, wrong) == 1
    said = capsys.readouterr()
    assert said.out == f"{wrong}:6:54: there is no field chanel (did you mean channel?)\n"
    assert said.err == f"{sound}: 2 rules, 1 case: sound\n"


def test_what_is_wrong_can_be_had_as_json(run: Run, write: Write, capsys: Capture) -> None:
    wrong = write(RULES.replace("channel =", "chanel ="))
    assert run("rules", "check", wrong, "--json") == 1
    assert json.loads(capsys.readouterr().out) == {
        "issues": [
            {
                "file": wrong,
                "line": 6,
                "column": 54,
                "code": "RULE_FIELD_UNKNOWN",
                "message": "there is no field chanel",
                "suggestion": "channel",
            }
        ]
    }


def test_a_file_that_is_not_there_is_a_message(run: Run, capsys: Capture, tmp_path: Path) -> None:
    assert run("rules", "check", str(tmp_path / "none.yaml")) == 2
    assert "none.yaml" in capsys.readouterr().err
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert run("rules", "check", str(tmp_path / "binary.yaml")) == 2


def test_the_policy_says_the_currency_where_the_file_does_not(run: Run, write: Write, capsys: Capture) -> None:
    policy = write(json.dumps({"program": "alpha", "name": "A", "currency": "JPY"}), "policy.json")
    assert run("rules", "check", write(WITHOUT_CURRENCY), "--policy", policy) == 1
    assert "amount is a whole number, such as 12" in capsys.readouterr().out  # yen have no cents
    assert run("rules", "check", write(RULES), "--policy", policy) == 1
    assert "the programme's currency is JPY, and not EUR (did you mean JPY?)" in capsys.readouterr().out


def test_a_currency_is_found_however_the_line_is_written(run: Run, write: Write) -> None:
    for line in ('"currency": EUR', "'currency': EUR", "currency : EUR", "\ufeffcurrency: EUR"):
        assert run("rules", "check", write(line + "\n" + WITHOUT_CURRENCY)) == 0, line


def test_a_file_that_cannot_be_read_is_told_with_its_line_and_nobody_is_asked(
    run: Run, write: Write, capsys: Capture
) -> None:
    for text, said in (("", ":1:1: the file is empty"), ("rule_set: a\nrules: [\n", ":3:1: not YAML")):
        assert run("rules", "check", write(text)) == 1
        assert said in capsys.readouterr().out


def test_the_api_says_the_currency_where_nobody_else_does(run: Run, write: Write, capsys: Capture) -> None:
    program = {"program": "alpha", "currency": "EUR", "timezone": "Europe/Berlin"}
    segments = httpx.Response(200, json={"segments": []})
    stack = Stack(program=httpx.Response(200, json=program), segments=segments)
    assert run("rules", "test", write(WITHOUT_CURRENCY), stack=stack) == 0
    assert stack.asked == ["/v1/program", "/v1/segments"]
    stack.asked.clear()
    assert run("rules", "test", write(RULES), stack=stack) == 0
    assert stack.asked == []
    assert run("rules", "check", write(WITHOUT_CURRENCY)) == 2
    assert "The file names no currency" in capsys.readouterr().err


NAMING = WITHOUT_CURRENCY.replace("channel = 'app'", "member.tier = 'golld' OR 'vpi' IN member.segments")
LEVELS = {"levels": [{"id": "silver"}, {"id": "gold"}]}


def test_tiers_and_segments_are_held_against_the_programme_that_is_asked(
    run: Run, write: Write, capsys: Capture
) -> None:
    program = {"program": "alpha", "currency": "EUR", "timezone": "Europe/Berlin", "tiers": LEVELS}
    segments = {"segments": [{"id": "vip", "members": 3}], "version": 1}
    stack = Stack(program=httpx.Response(200, json=program), segments=httpx.Response(200, json=segments))
    file = write(NAMING)
    assert run("rules", "check", file, stack=stack) == 1
    assert capsys.readouterr().out == (
        f"{file}:5:68: member.tier is never 'golld'; it is one of silver, gold (did you mean 'gold'?)\n"
        f"{file}:5:79: member.segments never has 'vpi'; it has vip (did you mean 'vip'?)\n"
    )
    assert run("rules", "check", write(NAMING.replace("golld", "gold").replace("vpi", "vip")), stack=stack) == 0
    assert run("rules", "check", write(NAMING + "known: {tiers: [golld], segments: [vpi]}\n"), stack=stack) == 0


def test_a_policys_file_knows_its_tiers_and_no_segments(run: Run, write: Write, capsys: Capture) -> None:
    document = {"program": "alpha", "name": "A", "currency": "EUR"}
    for tiers, said in ((LEVELS, "it is one of silver, gold"), (None, "")):
        policy = write(json.dumps({**document, "tiers": tiers}), "policy.json")
        assert run("rules", "check", write(NAMING), "--policy", policy) == int(bool(said))
        told = capsys.readouterr().out
        assert said in told
        assert "vpi" not in told


def test_a_file_alone_names_any_tier_or_segment(run: Run, write: Write) -> None:
    stack = Stack()
    assert run("rules", "check", write("currency: EUR\n" + NAMING), stack=stack) == 0
    assert stack.asked == []


def test_what_is_in_force_is_compared_though_its_tier_is_gone(run: Run, write: Write, capsys: Capture) -> None:
    program = {"program": "alpha", "currency": "EUR", "timezone": "Europe/Berlin", "tiers": LEVELS}
    stack = Stack(
        program=httpx.Response(200, json=program),
        segments=httpx.Response(200, json={"segments": [{"id": "vip"}]}),
        current=httpx.Response(200, json={"id": "rls_1", "source": NAMING}),
    )
    assert run("rules", "diff", write(WITHOUT_CURRENCY), stack=stack) == 0
    assert "golld" in capsys.readouterr().out


@pytest.mark.parametrize("tiers", [3, [], {"levels": 3}, {"levels": [{}]}, {"levels": ["gold"]}])
def test_a_policy_whose_tiers_are_none_is_a_message(run: Run, write: Write, capsys: Capture, tiers: object) -> None:
    policy = write(json.dumps({"program": "alpha", "currency": "EUR", "tiers": tiers}), "policy.json")
    assert run("rules", "check", write(RULES), "--policy", policy) == (0 if tiers == [] else 2)
    assert ("policy.json" in capsys.readouterr().err) is (tiers != [])


@pytest.mark.parametrize("document", ["[]", '{"name": "A"}', "3", "no json"])
def test_a_policy_that_is_none_is_a_message(run: Run, write: Write, capsys: Capture, document: str) -> None:
    assert run("rules", "check", write(RULES), "--policy", write(document, "policy.json")) == 2
    assert "policy.json" in capsys.readouterr().err


def test_cases_that_pass_are_counted(run: Run, write: Write, capsys: Capture) -> None:
    file = write(RULES)
    assert run("rules", "test", file) == 0
    assert capsys.readouterr().err == "1 case passed\n"
    assert run("rules", "test", file, "--trace") == 0
    assert capsys.readouterr().out == (
        f"{file}:8: the app doubles: 40 points\n    app: 20, 20 given\n    base: 20, 20 given\n"
    )
    assert run("rules", "test", write(RULES.split("expect:")[0])) == 0
    assert "has no cases" in capsys.readouterr().err


def test_a_case_that_fails_is_told_with_its_trace(run: Run, write: Write, capsys: Capture) -> None:
    file = write(RULES.replace("points: 40", "points: 41"))
    assert run("rules", "test", file) == 1
    said = capsys.readouterr()
    assert said.out == (
        f"{file}:8: the app doubles: 41 points expected, 40 given\n    app: 20, 20 given\n    base: 20, 20 given\n"
    )
    assert said.err == "1 of 1 case failed\n"
    assert run("rules", "test", file, "--json") == 1
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert (case["name"], case["line"], case["passed"]) == ("the app doubles", 8, False)
    assert (case["expected"], case["got"], case["of_which"]) == (41, 40, {"app": 20, "base": 20})


def test_cases_of_a_file_that_is_wrong_are_not_run(run: Run, write: Write, capsys: Capture) -> None:
    file = write(RULES.replace("earn: 2 * base", "earn: 2 * bass"))
    assert run("rules", "test", file) == 1
    assert f"{file}:6:" in capsys.readouterr().out
    assert run("rules", "test", file, "--json") == 1
    assert json.loads(capsys.readouterr().out)["issues"]


def test_two_files_are_compared(run: Run, write: Write, capsys: Capture) -> None:
    before, after = (
        write(RULES, "before.yaml"),
        write(RULES.replace("2 * base", "3 * base").replace("points: 40", "points: 60")),
    )
    assert run("rules", "diff", after, "--against", before) == 0
    assert capsys.readouterr().out == "~ rule app\n    earn: 2 * base → 3 * base\n"
    assert run("rules", "diff", after, "--against", after) == 0
    assert capsys.readouterr().out == "no difference\n"
    assert run("rules", "diff", after, "--against", before, "--json") == 0
    (change,) = json.loads(capsys.readouterr().out)["changes"]
    assert change == {
        "kind": "changed",
        "what": "rule",
        "id": "app",
        "field": "earn",
        "before": "2 * base",
        "after": "3 * base",
    }


@pytest.mark.parametrize(
    ("against", "path"), [([], "current"), (["--against", "v12"], "v12"), (["--against", "12"], "v12")]
)
def test_a_file_is_compared_with_what_the_programme_has(
    run: Run, write: Write, capsys: Capture, against: list[str], path: str
) -> None:
    answers: dict[str, Any] = {path: httpx.Response(200, json={"id": "rls_1", "source": RULES})}
    stack = Stack(**answers)
    assert run("rules", "diff", write(RULES.replace("In the app", "On the phone")), *against, stack=stack) == 0
    assert capsys.readouterr().out == "~ rule app\n    name: In the app / 应用内 → On the phone / 应用内\n"
    assert stack.asked == [f"/v1/rule-sets/{path}"]


def test_where_nothing_is_in_force_everything_is_new(run: Run, write: Write, capsys: Capture) -> None:
    missing = httpx.Response(404, json={"code": "RULE_SET_NOT_FOUND", "detail": "none"})
    assert run("rules", "diff", write(RULES), stack=Stack(current=missing)) == 0
    assert capsys.readouterr().out == "+ rule app: In the app / 应用内\n+ rule base: Base / 基础\n"
    assert run("rules", "diff", write(RULES), "--against", "v9", stack=Stack(v9=missing)) == 2


def test_a_file_that_is_wrong_is_compared_with_nothing(run: Run, write: Write, capsys: Capture) -> None:
    wrong = write(RULES.replace("2 * base", "2 * bass"), "wrong.yaml")
    assert run("rules", "diff", wrong, "--against", write(RULES)) == 1
    assert capsys.readouterr().out.startswith(f"{wrong}:6:")
