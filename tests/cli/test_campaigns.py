"""``loyalty campaigns``: files alone, and a stack that answers as the API's document says."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from cli.command import main
from loyalty.campaigns.preview import Foreseen, Missed, Outlook, Purse
from loyalty.campaigns.preview_views import preview_view

Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(str(file) for file in (ROOT / "examples" / "campaigns").glob("*.yaml"))
SEGMENTS = str(ROOT / "examples" / "segments.yaml")
ENVIRONMENT = {"LOYALTY_API_URL": "http://api.test", "LOYALTY_TOKEN": "token"}
SOURCE = """\
program: alpha
currency: USD
templates:
  hello: {sms: {en: Hello, zh: 您好}}
campaigns:
  one:
    name: {en: One, zh: 一}
    goal: {en: Goal, zh: 目标}
    metric: repurchase
    window_days: 30
    audience: {segment: new}
    calendar: {from: 2026-12-01}
    channels: [sms]
    steps: {hello: {day: 0, message: hello}}
expect:
  - {case: told, campaign: one, gets: {0: {step: hello, by: sms}}}
"""
SHOWN = {"id": "one", "name": {"en": "One", "zh": "一"}, "state": "running", "version": 2, "metric": "spend"}


class Written(Protocol):
    """Writes a file, and gives its name."""

    def __call__(self, text: str = SOURCE) -> str: ...


class Stack:
    """Answers calls, and remembers them: (method, path, body)."""

    def __init__(self, *answers: Any) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self._answers = list(answers)

    def __call__(self, *arguments: str) -> int:
        return main(["campaigns", *arguments], ENVIRONMENT, httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        self.calls.append((request.method, request.url.raw_path.decode(), json.loads(body) if body else None))
        answer = self._answers.pop(0)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)


@pytest.fixture
def file(tmp_path: Path) -> Written:
    def made(text: str = SOURCE) -> str:
        path = tmp_path / "campaigns.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return made


def test_the_examples_are_sound_without_any_stack(capsys: Capture) -> None:
    stack = Stack()
    assert stack("check", *EXAMPLES, "--segments", SEGMENTS) == 0
    out, said = capsys.readouterr()
    assert out == ""
    assert said.count(": sound") == len(EXAMPLES) == 9
    assert all(stack("test", one) == 0 for one in EXAMPLES)
    assert stack.calls == []


def test_what_is_wrong_is_told_line_by_line(file: Written, capsys: Capture) -> None:
    name = file(SOURCE.replace("message: hello", "message: helo"))
    assert Stack()("check", name) == 1
    assert capsys.readouterr().out == f"{name}:14:38: there is no template helo (did you mean hello?)\n"
    assert Stack()("check", name, "--json") == 1
    (issue,) = json.loads(capsys.readouterr().out)["issues"]
    assert (issue["code"], issue["line"], issue["suggestion"]) == ("CAMPAIGN_TEMPLATE_UNKNOWN", 14, "hello")
    assert Stack()("test", name) == 1
    assert "there is no template helo" in capsys.readouterr().out


def test_segments_are_checked_where_their_file_is_given(file: Written, capsys: Capture) -> None:
    name = file(SOURCE.replace("segment: new", "segment: news"))
    assert Stack()("check", name) == 0
    capsys.readouterr()
    assert Stack()("check", name, "--segments", SEGMENTS) == 1
    assert "there is no segment news (did you mean new?)" in capsys.readouterr().out


def test_a_case_that_comes_out_otherwise_is_named_with_what_came(file: Written, capsys: Capture) -> None:
    name = file(SOURCE.replace("{step: hello, by: sms}", "nothing"))
    assert Stack()("test", name) == 1
    out, said = capsys.readouterr()
    assert out == f"{name}:16: told: day 0: nothing expected, and hello by sms\n    day 0: hello by sms\n"
    assert said == "1 of 1 case failed\n"
    assert Stack()("test", name, "--json") == 1
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert (case["name"], case["passed"], case["trace"]) == ("told", False, ["day 0: hello by sms"])


def test_a_trace_tells_of_cases_that_pass(file: Written, capsys: Capture) -> None:
    name = file()
    assert Stack()("test", name, "--trace") == 0
    assert capsys.readouterr() == (f"{name}:16: told\n    day 0: hello by sms\n", "1 case passed\n")


def test_what_may_be_meant_so_is_said_and_is_no_failure(file: Written, capsys: Capture) -> None:
    name = file(SOURCE.replace("    channels", "    control: 0\n    channels"))
    assert Stack()("check", name) == 0
    assert "say why (no_control: …) (warning)" in capsys.readouterr().err


def test_the_programme_is_asked_where_the_file_names_no_currency(file: Written, capsys: Capture) -> None:
    stack = Stack({"program": "beta", "currency": "USD", "timezone": "UTC"})
    assert stack("check", file(SOURCE.replace("currency: USD\n", ""))) == 1
    assert "the programme's program is beta, and not alpha" in capsys.readouterr().out
    assert [call[:2] for call in stack.calls] == [("GET", "/v1/program")]


def test_a_file_that_cannot_be_read_is_told_with_its_line_and_nobody_is_asked(file: Written, capsys: Capture) -> None:
    for text, said in (("", ":1:1: the file is empty"), ("program: a\ncampaigns: [\n", ":3:1: not YAML")):
        stack = Stack({"program": "beta", "currency": "USD", "timezone": "UTC"})
        assert stack("check", file(text)) == 1
        assert said in capsys.readouterr().out
        assert stack.calls == []


def test_a_file_is_handed_in(file: Written, capsys: Capture) -> None:
    stack = Stack({"campaigns": [{"id": "one", "version": 2, "state": "draft"}]})
    assert stack("publish", file()) == 0
    assert stack.calls == [("POST", "/v1/campaigns", {"source": SOURCE})]
    assert capsys.readouterr().err == "one: v2, draft\n"


def test_a_file_that_is_refused_is_told_in_its_places(file: Written, capsys: Capture) -> None:
    problem = {
        "code": "CAMPAIGNS_INVALID",
        "detail": "wrong",
        "issues": [{"line": 3, "column": 5, "message": "no", "suggestion": "yes"}],
    }
    name = file()
    assert Stack(httpx.Response(422, json=problem))("publish", name) == 1
    assert capsys.readouterr().out == f"{name}:3:5: no (did you mean yes?)\n"


@pytest.mark.parametrize("name", ["start", "pause", "resume", "redrive"])
def test_a_campaign_is_moved(name: str, capsys: Capture) -> None:
    stack = Stack(SHOWN)
    assert stack(name, "one") == 0
    assert stack.calls == [("POST", f"/v1/campaigns/one/{name}", None)]
    assert capsys.readouterr().err == "one: running\n"


def test_a_campaign_is_ended_for_a_reason() -> None:
    stack = Stack(SHOWN | {"state": "cancelled"})
    assert stack("cancel", "one", "--reason", "sold out") == 0
    assert stack.calls == [("POST", "/v1/campaigns/one/cancel", {"reason": "sold out"})]
    with pytest.raises(SystemExit):
        stack("cancel", "one")


def test_campaigns_are_listed_and_shown(capsys: Capture) -> None:
    assert Stack({"campaigns": [SHOWN | {"begun_at": "2026-12-01T09:00:00Z", "runs": 1}]})("list") == 0
    assert "one  One       running  v1       spend   2026-12-01" in capsys.readouterr().out
    assert Stack({"campaigns": []})("list") == 0
    assert capsys.readouterr().out == "no campaigns\n"
    assert Stack(SHOWN | {"source": SOURCE})("show", "one", "--source") == 0
    assert capsys.readouterr().out == SOURCE
    assert Stack(SHOWN | {"source": SOURCE})("show", "one") == 0
    assert json.loads(capsys.readouterr().out) == SHOWN


def test_who_was_set_aside_is_told_page_by_page(capsys: Capture) -> None:
    one = {"at": "2026-12-01T09:00:00Z", "step": "touch", "what": "mem_a", "reason": "unfit"}
    stack = Stack({"aside": [one], "next": "a b"}, {"aside": [one]})
    assert stack("aside", "one") == 1
    assert stack.calls[1][1] == "/v1/campaigns/one/aside?limit=100&cursor=a+b"
    out, said = capsys.readouterr()
    assert out == "2026-12-01T09:00:00Z  touch  mem_a  unfit\n" * 2
    assert said == "2 members set aside\n"
    assert Stack({"aside": []})("aside", "one") == 0


DAY = 739_951
AHEAD = [
    Outlook(
        "mem_a",
        "treated",
        "short",
        foreseen=(
            Foreseen(DAY, "one", "1", "hello", "short", "sms", False, 1_796_121_000, "hello", 200),
            Foreseen(DAY + 1, "birthday", "2026", "wish", "", "email", True, 1_796_207_400, "wish", 0),
        ),
        missed=(Missed(DAY + 3, "one", "1", "more", "condition"),),
    ),
    Outlook("mem_b", "control"),
    Outlook("mem_c", "", out="segment"),
]
AHEAD.append(replace(AHEAD[0], account="mem_d"))
MISSED = Missed(DAY, "one", "1", "hello", "budget")


def page(outlooks: Sequence[Outlook], following: str = "", left: int | None = None, purse: Purse | None = None) -> Any:
    return to_builtins(preview_view(outlooks, "one", following, left, purse))


class Parts(Stack):
    """Answers previews: part 0 has one page and then another, part 7 one, all others nothing."""

    def __init__(self, left: int | None = None) -> None:
        super().__init__()
        self._left = left

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.read())
        self.calls.append((request.method, request.url.raw_path.decode(), body))
        place = body.get("part", 0), body.get("cursor", "")
        found = {(0, ""): AHEAD[:2], (0, "next"): AHEAD[2:3], (7, ""): AHEAD[3:]}.get(place, [])
        until = body.get("budget", {}).get("points", 200)
        if until < 200:  # what is asked for again, with a budget that has nothing left for this part
            found = [replace(one, foreseen=(), missed=(MISSED,)) if one.foreseen else one for one in found]
        following = "next" if place == (0, "") and "limit" in body else ""
        return httpx.Response(200, json=page(found, following, self._left))


def test_a_preview_asks_for_all_parts_of_the_members_and_adds_them_up(capsys: Capture) -> None:
    stack = Parts()
    assert stack("preview", "one", "--day", "2026-12-01", "--members", "1") == 0
    bodies = sorted((call[2] for call in stack.calls), key=lambda body: (body["part"], body.get("cursor", "")))
    asked = {"limit": 200, "day": "2026-12-01"}
    assert [one for one in bodies if one.get("cursor")] == [asked | {"part": 0, "cursor": "next"}]
    assert [one["part"] for one in bodies] == [0, *range(16)]
    out, said = capsys.readouterr()
    assert out == (
        "mem_a  short\n"
        "    2026-12-01  hello by sms at 10:30 UTC with 200 points\n"
        "    2026-12-02  birthday: wish by email at 10:30 UTC\n"
        "    2026-12-04  no more (condition)\n"
        "4 members looked at\n"
        "would take part:\n"
        "          2  short\n"
        "          1  control\n"
        "would not come in:\n"
        "          1  segment  not in its segment\n"
        "messages, by channel:\n"
        "          2  sms\n"
        "steps:\n"
        "          2  hello\n"
        "left out:\n"
        "          2  condition  its condition is not true of the member\n"
        "400 points would be given\n"
    )
    assert said == ""


def test_a_budget_that_does_not_reach_is_shared_out_and_looked_at_again(capsys: Capture) -> None:
    stack = Parts(left=300)
    assert stack("preview", "one") == 0
    again = [call[2] for call in stack.calls if "budget" in call[2]]
    shares = {one["part"]: one["budget"] for one in again}
    assert len(shares) == 16
    assert shares[0] == {"until": "2026-12-01", "points": 200}
    assert shares[7] == {"until": "2026-12-01", "points": 100}
    out = capsys.readouterr().out
    assert "          1  budget  the budget is spent\n" in out
    assert "200 points would be given of 300 that are left of the budget\n" in out
    assert out.endswith("the budget reaches for 1 offer, the last on 2026-12-01; raise it, or tell fewer\n")
    enough = Parts(left=400)
    assert enough("preview", "one") == 0
    assert not [call for call in enough.calls if "budget" in call[2]]


def test_a_preview_of_some_members_says_that_there_are_more(capsys: Capture) -> None:
    stack = Stack(page(AHEAD[:2], "next"), page(AHEAD[2:], "next"))
    assert stack("preview", "one", "--most", "2", "--json") == 0
    assert stack.calls == [("POST", "/v1/campaigns/one/preview", {"limit": 2})]
    out, said = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [one.get("member") for one in lines] == ["mem_a", "mem_b", None]
    assert lines[-1]["messages"] == {"sms": 1}
    assert said == "there are more members than were looked at\n"


LINKED = (
    SOURCE.replace(
        "  hello: {sms: {en: Hello, zh: 您好}}",
        """\
  hello:
    variables: {name: text, points: points, shop: link}
    sms: {segments: 5, en: "{{ name }}: {{ points }} at {{ shop }}", zh: "{{ points }}积分"}
    email:
      en: {subject: "For {{ name }}", text: "{{ unsubscribe }}", html: "<p>{{ points }} {{ unsubscribe }}</p>"}
      zh: {subject: 您好, text: "{{ unsubscribe }}"}
    wechat: {template_id: a, en: {number1: "{{ points }}"}, zh: {number1: "{{ points }}"}}""",
    )
    .replace("message: hello}", "message: hello, with: {shop: 'https://shop.example/'}}")
    .replace("currency: USD", "currency: USD\nattributes: {name: text}")
)


def test_the_texts_of_a_file_are_shown_without_any_stack(file: Written, capsys: Capture) -> None:
    stack = Stack()
    name = file(LINKED)
    given = ("texts", name, "--step", "hello", "--with", "points=420", "--with", "name=Ada", "--day", "2026-12-24")
    assert stack(*given, "--lang", "en") == 0
    assert (
        capsys.readouterr().out
        == """\
hello on 2026-12-24

email, en
    For Ada

    https://link.invalid/unsubscribe

sms, en: 2 messages, 182 characters of GSM-7
    Ada: 420 at https://link.invalid/0
  https://link.invalid/0 leads to https://shop.example/

wechat, en
    template_id: a
    lang: en_US
    number1: 420
"""
    )
    assert stack(*given, "--lang", "zh", "--channel", "sms") == 0
    assert (
        capsys.readouterr().out
        == """\
hello on 2026-12-24

sms, zh: 1 message, 5 characters of UCS-2
    420积分
"""
    )
    assert stack(*given, "--lang", "en", "--channel", "email", "--json") == 0
    (text,) = json.loads(capsys.readouterr().out)["texts"]
    assert text["html"] == "<p>420 https://link.invalid/unsubscribe</p>"
    assert stack.calls == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--step", "helo"), "step: 'helo' says nothing here; it is one of hello"),
        (("--step", "hello"), "variables.points: the text says it"),
        (("--step", "hello", "--with", "point=3"), "variables.point: the texts ask for name, points"),
        (
            ("--step", "hello", "--channel", "push"),
            "channel: 'push' says nothing here; it is one of email, sms, wechat",
        ),
        (("--step", "hello", "--variant", "b"), "variant: 'b' says nothing here; there is none"),
        (("--step", "hello", "--day", "24.12.2026"), "day must be a date"),
        (("--step", "hello", "--of", "two"), "say which campaign of the file (--of): one"),
    ],
)
def test_what_no_text_can_be_shown_for_is_named(
    file: Written, capsys: Capture, given: tuple[str, ...], told: str
) -> None:
    assert Stack()("texts", file(LINKED), *given) == 2
    out, said = capsys.readouterr()
    assert (out, said.startswith(told)) == ("", True), said


def test_a_page_shows_an_e_mail_in_a_frame_that_runs_nothing(file: Written, tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "texts.html"
    given = (
        "texts",
        file(LINKED),
        "--step",
        "hello",
        "--lang",
        "en",
        "--with",
        "points=420",
        "--with",
        "name=<i>A</i>",
    )
    assert Stack()(*given, "--day", "2026-12-24", "--page", str(page)) == 0
    assert f"page: {page}" in capsys.readouterr().err
    text = page.read_text(encoding="utf-8")
    assert "<h1>one: hello on 2026-12-24</h1>" in text
    assert '<iframe sandbox="" title="HTML" srcdoc="&lt;p&gt;420 https://link.invalid/unsubscribe&lt;/p&gt;">' in text
    assert "<p>For &lt;i&gt;A&lt;/i&gt;</p>" in text
    assert "<tr><th>number1</th><td>420</td></tr>" in text
    assert "2 messages, 187 characters of GSM-7" in text
    assert "https://link.invalid/0 leads to https://shop.example/" in text
    assert not re.search(r"<(script|a|i|form|link)\b", text)
    assert Stack()(*given, "--page", str(tmp_path)) == 2


def test_a_value_is_given_with_its_name(file: Written, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        Stack()("texts", file(LINKED), "--step", "hello", "--with", "points")
    assert "'points' is not NAME=VALUE" in capsys.readouterr().err


def test_the_texts_of_a_file_that_is_wrong_are_its_mistakes(file: Written, capsys: Capture) -> None:
    name = file(SOURCE.replace("message: hello", "message: helo"))
    assert Stack()("texts", name, "--step", "hello") == 1
    assert capsys.readouterr().out == f"{name}:14:38: there is no template helo (did you mean hello?)\n"


def test_of_several_campaigns_of_a_file_one_is_named(file: Written, capsys: Capture) -> None:
    whole, one, rest = SOURCE.partition("  one:\n")
    body, expect, cases = rest.partition("expect:")
    name = file(whole + one + body + "  two:\n" + body + expect + cases)
    assert Stack()("texts", name, "--step", "hello") == 2
    assert "say which campaign of the file (--of): one, two" in capsys.readouterr().err
    assert Stack()("texts", name, "--step", "hello", "--of", "two") == 0
    assert "您好" in capsys.readouterr().out


def test_the_texts_of_what_was_handed_in_are_asked_for(capsys: Capture) -> None:
    text = {"template": "a", "variant": "b", "channel": "inbox", "language": "zh", "subject": "您好", "text": "1"}
    answer = {"campaign": "one", "version": 2, "step": "hello", "day": "2026-12-24", "texts": [text]}
    stack = Stack(answer, answer)
    given = ("texts", "one", "--step", "hello", "--variant", "b", "--lang", "zh", "--channel", "inbox")
    assert stack(*given, "--with", "points=1", "--day", "2026-12-24") == 0
    assert capsys.readouterr().out == "hello on 2026-12-24\n\nb: inbox, zh\n    您好\n\n    1\n"
    asked = {"step": "hello", "variant": "b", "language": "zh", "channel": "inbox", "variables": {"points": "1"}}
    assert stack.calls == [("POST", "/v1/campaigns/one/texts", {**asked, "day": "2026-12-24"})]
    assert stack("texts", "one", "--step", "hello", "--json") == 0
    assert json.loads(capsys.readouterr().out) == answer
    assert stack.calls[1][2] == {"step": "hello", "variables": {}}
