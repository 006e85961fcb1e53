"""docs/channels.md says what the code does about each answer, and its secret is one that can be read."""

import json
import re
from typing import Final

import pytest

from loyalty.channels import mail, push, sms, tencent, wechat, wecom
from loyalty.channels.channel import Reply
from loyalty.channels.settings import settings_of
from loyalty.channels.signing import secret_of
from loyalty.channels.webhook import answered_for_a_member
from tests.docs.console import ROOT

TEXT: Final = (ROOT / "docs" / "channels.md").read_text(encoding="utf-8")
WAITS: Final = {"": 0, "midnight in China": tencent.TOMORROW}


def section(title: str) -> str:
    return TEXT.split(f"### {title}\n", 1)[1].split("\n### ", 1)[0]


@pytest.mark.parametrize(
    ("title", "meanings"), [("WeChat's codes", wechat.MEANINGS), ("WeCom's codes", wecom.MEANINGS)]
)
def test_every_code_of_a_provider_stands_there_with_what_is_done(
    title: str, meanings: dict[int, tencent.Meaning]
) -> None:
    rows = re.findall(r"^\| (-?\d+) \| [^|]+ \| (\w+) \| ([^|]*)\|$", section(title), re.MULTILINE)
    said = {}
    for code, kind, wait in rows:
        wait = wait.strip()
        said[int(code)] = (kind, WAITS[wait] if wait in WAITS else int(wait.removesuffix(" s")))
    assert said == meanings


def test_every_status_of_a_webhook_stands_there() -> None:
    rows = re.findall(r"^\| ([\dx, ]+) \| (\w+) \|", section("A webhook's answers"), re.MULTILINE)
    said = {}
    for statuses, kind in rows:
        for status in statuses.split(", "):
            for number in range(200, 600):
                if str(number).startswith(status.rstrip("x")):
                    said[number] = kind
    assert all(answered_for_a_member(Reply(number)).kind == said.get(number, "later") for number in range(200, 600))


def test_the_errors_of_aws_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| ([a-z, ]+): ([^|]+) \| (\w+) \|", section("AWS's errors"), re.MULTILINE)
    kinds = {"mail": mail.KINDS, "text message": sms.KINDS, "push": push.KINDS}
    for channels, errors, kind in rows:
        for name in re.findall("`(\\w+)`", errors):
            known = [table[name] for channel, table in kinds.items() if channel in channels and name in table]
            assert known, name
            assert set(known) <= {kind, "refused"}


def test_the_example_of_the_secret_can_be_read() -> None:
    block = TEXT.split("```json\n", 1)[1].split("```", 1)[0]
    settings = settings_of(block.replace("whsec_…", secret_of(bytes(32))), "grocer")
    assert all((settings.email, settings.sms, settings.push, settings.wechat, settings.wecom, settings.webhook))
    assert json.loads(block).keys() == {"*", "grocer"}
