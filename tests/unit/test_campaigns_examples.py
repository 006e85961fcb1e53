"""The campaigns of examples/ are sound, do what their cases say, and have words for whoever gets them."""

from pathlib import Path

import pytest

from loyalty.campaigns import words
from loyalty.campaigns.campaign import Campaign
from loyalty.campaigns.document import Checked, Known, Written, check
from loyalty.campaigns.expectations import run
from loyalty.segments.definition import check as segments
from loyalty.templates.rendering import render
from loyalty.templates.template import LANGUAGES, UNSUBSCRIBE, Template, Value

FOLDER = Path(__file__).parents[2] / "examples"
FILES = sorted((FOLDER / "campaigns").glob("*.yaml"))
SHIPPED = {
    "onboarding": "member.enrolled",
    "birthday": "birthday",
    "win-back": "churn.risk_detected",
    "wake-the-dormant": "",
    "points-expiring": "points.expiring",
    "tier-warning": "tier.downgrade_warned",
    "anniversary": "anniversary",
    "flash-day": "",
    "store-visit": "event",
}
SAMPLES: dict[str, Value] = {
    "text": "Ann & <b>Bob</b>",
    "number": 3,
    "points": 120,
    "money": 1_250,
    "date": 739_941,
    "link": "https://example.com/a",
}


def sound(file: Path) -> Checked:
    text = (FOLDER / "segments.yaml").read_text(encoding="utf-8")
    there = segments(text, "segments.yaml", Written("grocer", "USD")).segments
    assert there is not None
    known = Known(tuple(one.id for one in there.segments))
    return check(file.read_text(encoding="utf-8"), file.name, known=known)


def campaign(file: Path) -> Campaign:
    (one,) = sound(file).campaigns
    return one


def test_there_is_one_for_each_occasion() -> None:
    assert {file.stem: campaign(file).audience.enter for file in FILES} == SHIPPED
    assert all(campaign(file).id == file.stem for file in FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_is_sound_and_does_what_it_says(file: Path) -> None:
    found = sound(file)
    assert (found.issues, found.warnings) == ((), ())
    results = run(found.campaigns, found.cases)
    assert [(one.name, one.message) for one in results if not one.passed] == []
    assert results


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_step_of_an_example_is_got_in_a_case_of_it(file: Path) -> None:
    found = sound(file)
    (one,) = found.campaigns
    got = {expected.step for case in found.cases for expected in case.gets.values() if not expected.why}
    assert got - {""} == {step.id for step in one.steps}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_case_that_expects_something_else_fails(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    head, _, cases = text.partition("\nexpect:\n")
    wrong = cases.replace("gets: {0: ", "gets: {1: ").replace("gets: {out: condition}", "gets: {out: calendar}")
    found = check(f"{head}\nexpect:\n{wrong}", file.name)
    assert found.issues == ()
    changed = [
        result for result, case in zip(run(found.campaigns, found.cases), found.cases, strict=True)
        if 1 in case.gets or case.out == "calendar"
    ]  # fmt: skip
    assert changed
    assert [one.name for one in changed if one.passed] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_message_has_words_in_both_languages_on_every_channel(file: Path) -> None:
    one = campaign(file)
    for step in one.steps:
        for name in step.templates.values():
            template = one.templates[name]
            for channel in template.channels:
                said = {spoken: render(template, channel, spoken, _filled(template)) for spoken in LANGUAGES}
                assert said["en"] != said["zh"]
                assert all(words_.text or words_.data for words_ in said.values())
                assert not any("<b>" in words_.html for words_ in said.values())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_campaign_fills_in_what_its_texts_say(file: Path) -> None:
    one = campaign(file)
    for step in one.steps:
        known = words.variables(one, step)
        for name in step.templates.values():
            assert {variable.name for variable in one.templates[name].variables} <= known.keys() | step.fixed.keys()


def _filled(template: Template) -> dict[str, Value]:
    return {UNSUBSCRIBE: SAMPLES["link"]} | {one.name: SAMPLES[one.type] for one in template.variables}
