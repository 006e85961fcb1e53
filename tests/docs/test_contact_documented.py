"""The pages about contact and messages say what the code does, and their examples pass its checks."""

import json
import re
from pathlib import Path

import pytest

from functions.contacts.requests import ContactPolicyRequest, ContactRequest
from loyalty.contacts.decide import REASONS
from loyalty.rules.reading import Reader
from loyalty.rules.yaml_text import Document
from loyalty.runtime.http import convert
from loyalty.templates.document import read
from loyalty.templates.template import FIELDS, TYPES

DOCS = Path(__file__).parents[2] / "docs"
POLICY = ("contact-policy.md", "contact-policy.zh-CN.md")
MESSAGE = ("how-to/write-a-message.md", "how-to/write-a-message.zh-CN.md")


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def block(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", text_of(page), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("page", POLICY)
def test_every_reason_and_every_field_of_the_policy_is_explained(page: str) -> None:
    rows = re.findall(r"^\| .*\| `(\w+)` \|$", text_of(page), re.MULTILINE)
    assert rows == list(REASONS)
    fields = [name for row in re.findall(r"^\| (`[^|]+`) \|", text_of(page), re.MULTILINE)
              for name in re.findall(r"`(\w+)`", row)]  # fmt: skip
    assert fields == list(ContactPolicyRequest.__struct_fields__)


@pytest.mark.parametrize("page", POLICY)
def test_the_contact_that_is_shown_is_one(page: str) -> None:
    asked = convert(json.loads(block(page, "json")), ContactRequest).change()
    assert asked.addresses
    assert asked.consents == {"email": True, "sms": False}


@pytest.mark.parametrize("page", MESSAGE)
def test_the_message_that_is_shown_passes(page: str) -> None:
    document = Document(block(page, "yaml"), page)
    reader = Reader(document)
    found = read(reader, document.root.get("templates"), "CNY")
    assert [str(one) for one in reader.found()] == []
    assert found["miss-you"].channels == ("email", "sms", "inbox", "wechat")


@pytest.mark.parametrize("page", MESSAGE)
def test_every_type_and_channel_is_explained(page: str) -> None:
    first = {name for row in re.findall(r"^\| (`[^|]+) \|", text_of(page), re.MULTILINE)
             for name in re.findall(r"`(\w+)`", row)}  # fmt: skip
    assert first == {*TYPES, *FIELDS}
