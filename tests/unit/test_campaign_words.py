"""What a campaign says to its members, and in which language, through the functions that carry it."""

import json
from typing import Any

import pytest

from loyalty.channels.channel import Outcome, Reply, Sending
from loyalty.channels.signing import secret_of
from loyalty.channels.webhook import Account, Webhook
from loyalty.runtime import senders
from tests.unit.campaigning import World

SOURCE = """\
program: grocer
attributes: {{birthday: date}}
templates:
  hello:
{template}
campaigns:
  hello:
    name: {{en: Hello, zh: 你好}}
    goal: {{en: A visit, zh: 来店}}
    metric: repurchase
    window_days: 7
    audience: {{when: member.points < 1000}}
    calendar: {{from: 2026-01-01}}
    control: 0
    no_control: the test counts everybody
    channels: [{channel}]
    steps: {{day0: {{day: 0, message: hello}}}}
"""
PLAIN = "    sms: {en: Hello, zh: 你好}"
BORN = """\
    variables: {birthday: date}
    sms: {en: "Born {{ birthday }}", zh: "生日{{ birthday }}"}"""


def said(world: World, template: str) -> list[str]:
    """The texts that arrive on the day of the start."""
    texts: list[str] = []

    def take(sending: Sending) -> tuple[Outcome, bool]:
        texts.append(sending.rendered.text)
        return Outcome("accepted", "p1"), True

    world.provider.outcome = take
    world.hand_in(SOURCE.format(template=template, channel=world.provider.name))
    assert world.act("start", "hello").status == 200
    world.send()
    world.dispatch(1)
    return texts


@pytest.mark.parametrize(
    ("language", "text"),
    [("zh", "你好"), ("zh-CN", "你好"), ("zh-Hant-TW", "你好"), ("en-GB", "Hello"), ("zha", "Hello")],
)
def test_a_member_is_told_in_the_language_of_their_contact(
    monkeypatch: pytest.MonkeyPatch, language: str, text: str
) -> None:
    world = World(monkeypatch)
    account = world.enrol(1)
    assert world.ask("PUT /v1/members/{id}/contact", {"language": language}, id=account).status == 200
    assert said(world, PLAIN) == [text]


def test_whoever_was_born_before_1970_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    world.enrol(1, birthday="1965-05-17")
    assert said(world, BORN) == ["Born 17 May 1965"]


@pytest.mark.parametrize("birthday", ["1065-05-17", "9065-05-17"])
def test_a_date_that_no_text_can_say_leaves_the_message_out_and_nobody_aside(
    monkeypatch: pytest.MonkeyPatch, birthday: str
) -> None:
    world = World(monkeypatch)
    world.enrol(1, birthday=birthday)
    assert said(world, BORN) == []
    assert world.ask("GET /v1/campaigns/{id}/aside", id="hello").body["aside"] == []


def test_a_webhook_is_told_whom_a_message_is_for_and_in_which_language(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[Any] = []

    def post(url: str, body: bytes, *_: Any, **__: Any) -> Reply:
        bodies.append((url, json.loads(body)["data"]))
        return Reply(204)

    hook = Webhook(Account("https://crm.example", (secret_of(b"k" * 32),)), post)
    world = World(monkeypatch)
    world.provider.name = "webhook"
    monkeypatch.setattr(senders, "channels", lambda _: {"webhook": hook})
    account = world.enrol(1)
    world.ask("PUT /v1/members/{id}/contact", {"language": "zh-CN"}, id=account)
    said(world, "    variables: {today: date}\n    webhook: {}")
    ((url, data),) = bodies
    assert (url, data["member"], data["language"], data["fields"]["today"]) == (
        "https://crm.example",
        account,
        "zh",
        "2026-01-01",
    )
    assert "to" not in data
