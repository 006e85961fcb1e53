"""The pages on campaigns say what the code says: keys, fields, variables, reasons, codes, and files that are sound."""

import re

import pytest

from cli.command import main
from loyalty.campaigns import assignment, document, touch, words
from loyalty.campaigns.campaign import ENTERS, ENTRY, JOURNEY, TOLD, Audience, Campaign, Offer, Step
from loyalty.campaigns.document import check
from loyalty.campaigns.expectations import run
from loyalty.contacts.decide import REASONS
from loyalty.rules.ruleset import Names
from tests.docs.console import ROOT, blocks

DOCS = ROOT / "docs"
CAMPAIGNS = (DOCS / "campaigns.md").read_text(encoding="utf-8")
PRODUCT = ROOT / "layers" / "core" / "python" / "loyalty" / "campaigns"


def first(title: str) -> list[str]:
    """The names in the first columns of a section's tables."""
    section = CAMPAIGNS.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| ")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_every_key_is_there_and_no_other() -> None:
    assert sorted(first("The file")) == sorted(document.KEYS)
    assert sorted(first("A campaign")) == sorted(document.CAMPAIGN_KEYS)
    assert sorted(first("Steps")) == sorted(document.STEP_KEYS)


def test_every_way_in_and_every_field_is_there() -> None:
    assert all(f"`{one}`" in CAMPAIGNS for one in ENTERS)
    fields = {one for one in first("Whom it is for") if one.startswith(("journey.", "entry."))}
    assert fields == {fact.name for fact in (*JOURNEY, *ENTRY)}


def test_every_variable_is_there_and_no_other() -> None:
    known: set[str] = set()
    for enter in TOLD:
        for offer in (Offer("points", {"points": 1, "expires_days": 1}), Offer("multiply", {"multiply": 2, "days": 1})):
            step = Step("s", 0, offer=offer)
            named = Names("", "")
            one = Campaign("c", "p", "USD", named, named, "spend", 1, Audience(enter), (step,))
            known |= set(words.variables(one, step))
    assert set(first("Texts")) - {"with"} == known


def test_every_reason_is_there_and_no_other() -> None:
    known = set(assignment.NOT) | set(touch.WHY) | set(REASONS)
    assert set(first("Why something is left out")) == known


def test_every_code_is_there_and_no_other() -> None:
    raised = set()
    for name in ("document", "expectations"):
        raised |= set(re.findall(r'"(CAMPAIGN_[A-Z_]+)"', (PRODUCT / f"{name}.py").read_text(encoding="utf-8")))
    assert set(first("What is refused")) == raised
    assert len(first("What is refused")) == len(raised)


@pytest.mark.parametrize("page", ["campaigns", "how-to/write-a-campaign"])
def test_the_chinese_page_names_what_the_english_one_does(page: str) -> None:
    english, chinese = ((DOCS / f"{page}{language}.md").read_text(encoding="utf-8") for language in ("", ".zh-CN"))
    named = [
        [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in text.splitlines() if row.startswith("| ")]
        for text in (english, chinese)
    ]
    assert named[0] == named[1]
    assert english.count("\n## ") == chinese.count("\n## ")
    for kind in ("sh", "text"):
        assert blocks(DOCS / f"{page}.md", kind) == blocks(DOCS / f"{page}.zh-CN.md", kind)


@pytest.mark.parametrize("language", ["", ".zh-CN"])
def test_the_campaign_that_is_written_step_by_step_is_sound_and_does_what_it_says(language: str) -> None:
    goal, audience, steps, texts, cases = blocks(DOCS / "how-to" / f"write-a-campaign{language}.md", "yaml")
    more = "\n".join(
        f"  {name}:\n    sms: {{en: {name}, zh: {name} 您}}" for name in ("thanks", "reminder")
    )  # texts that the page leaves to the reader
    whole = (
        f"program: grocer\ncurrency: USD\nattributes: {{name: text}}\n{texts}\n{more}\n{goal}\n{audience}\n{steps}\n"
    )
    found = check(f"{whole}\n{cases}", "page.yaml")
    assert [str(one) for one in found.issues] == []
    assert found.campaigns[0].control == 1_000
    assert [one.message for one in run(found.campaigns, found.cases) if not one.passed] == []


def test_the_mistakes_that_the_page_shows_are_made_so() -> None:
    (shown,) = blocks(DOCS / "how-to" / "write-a-campaign.md", "text")
    text = (ROOT / "examples" / "campaigns" / "win-back.yaml").read_text(encoding="utf-8")
    wrong = text.replace("points: 300000", "points: 3").replace("churn.risk_detected", "churn.risk_detcted")
    found = [str(one) for one in check(wrong, "my-campaign.yaml").issues]
    assert [re.sub(r"tier\.upgraded.*anniversary", "…", one) for one in found] == shown.strip().splitlines()


@pytest.mark.parametrize("page", ["write-a-message.md", "write-a-message.zh-CN.md"])
def test_the_texts_that_the_page_shows_are_what_the_command_prints(
    page: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    command = next(one for one in blocks(DOCS / "how-to" / page, "sh") if " texts " in one).splitlines()[0]
    shown = next(one for one in blocks(DOCS / "how-to" / page, "text") if one.startswith("missed on"))
    assert main(command.removeprefix("cli/loyalty ").split()) == 0
    printed = capsys.readouterr().out.split("\n\n")
    assert [part in printed for part in shown.strip("\n").split("\n\n")] == [True, True]
