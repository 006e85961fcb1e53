"""The trial of a message: what a step says, as a member would read it, before anybody is told."""

import re
from datetime import date
from typing import Any

import pytest

from loyalty.campaigns import words
from loyalty.campaigns.campaign import Campaign
from loyalty.campaigns.document import Written, check
from loyalty.campaigns.trial import Asked, Said, trial
from loyalty.campaigns.trial_views import SmsView, texts_view
from loyalty.channels.channel import Outcome, Sending
from loyalty.errors import Invalid
from loyalty.templates.template import Value
from tests.unit.campaigning import World

TODAY = date(2026, 11, 22).toordinal()
SHOP = "https://shop.example/autumn?from=message"
SOURCE = """\
program: grocer
attributes: {name: text, birthday: date, pets: number}
templates:
  hello:
    variables:
      name: {type: text, most: 10}
      points: {type: points, most: 5000}
      offer_points: {type: points, most: 999}
      offer_until: date
      shop: link
    sms:
      segments: 9
      en: "{% if name %}{{ name }}: {% endif %}{{ points }}, {{ offer_points }} until {{ offer_until }} {{ shop }}"
      zh: "{{ name }}{{ points }}积分，{{ offer_until }}前有效 {{ shop }}"
    email:
      en:
        subject: "{{ points }} points, {{ name }}"
        text: "See {{ shop }} or {{ unsubscribe }}"
        html: '<p>{{ name }}: <a href="{{ shop }}">shop</a> <a href="{{ unsubscribe }}">no more</a></p>'
      zh: {subject: "{{ points }}积分", text: "{{ unsubscribe }}"}
    wechat:
      template_id: kVn3dWq
      en: {number1: "{{ points }}", date2: "{{ offer_until }}"}
      zh: {number1: "{{ points }}", date2: "{{ offer_until }}"}
    inbox: {en: {title: Points, text: "{{ points }}"}, zh: {title: 积分, text: "{{ points }}"}}
    webhook: {}
  other:
    variables: {birthday: date, pets: number, spend: money}
    sms: {en: "{{ birthday }}, {{ pets }}, {{ spend }}", zh: "{{ birthday }}、{{ pets }}、{{ spend }}"}
campaigns:
  autumn:
    name: {en: Autumn, zh: 秋}
    goal: {en: A purchase, zh: 购买}
    metric: repurchase
    window_days: 30
    audience: {enter: member.enrolled}
    calendar: {from: 2026-12-01}
    channels: [wechat, sms, email, inbox, webhook]
    variants: {short: 50%, long: 50%}
    budget: {points: 9000}
    steps:
      gift:
        day: 0
        message: hello
        offer: {points: 300, expires_days: 14}
        with: {shop: "https://shop.example/autumn?from=message"}
      split:
        day: 7
        message: {short: other, long: hello}
        offer: {points: 300, expires_days: 14}
        with: {shop: "https://shop.example/autumn?from=message"}
      quiet: {day: 9, offer: {points: 5}}
"""


def campaign() -> Campaign:
    found = check(SOURCE, "autumn.yaml", Written("grocer", "EUR"))
    assert [str(one) for one in found.issues] == []
    return found.campaigns[0]


def said(step: str = "gift", channel: str = "sms", language: str = "en", **variables: Value) -> Said:
    (one,) = trial(campaign(), Asked(step, channel, language, variables=variables), TODAY).said
    return one


def refused(asked: Asked) -> tuple[str | None, str]:
    with pytest.raises(Invalid) as caught:
        trial(campaign(), asked, TODAY)
    return caught.value.field, caught.value.detail


def test_a_text_says_what_is_given_of_the_member_and_what_the_step_gives() -> None:
    one = said(name="Ada", points=420)
    assert one.rendered.text == "Ada: 420, 300 until 15 December 2026 https://link.invalid/0"
    assert said(points="420").rendered.text == "420, 300 until 15 December 2026 https://link.invalid/0"
    assert said(language="zh", name="Ada", points=4200).rendered.text == (
        "Ada4,200积分，2026年12月15日前有效 https://link.invalid/0"
    )


def test_each_channel_is_shown_in_both_languages_with_its_own_parts() -> None:
    found = trial(campaign(), Asked("gift", variables={"name": "Ada", "points": 420}), TODAY)
    assert (found.campaign, found.step, date.fromordinal(found.day)) == ("autumn", "gift", date(2026, 12, 1))
    shown = {(one.channel, one.rendered.language): one.rendered for one in found.said}
    assert set(shown) == {(c, la) for c in ("sms", "email", "wechat", "inbox", "webhook") for la in ("en", "zh")}
    mail = shown["email", "en"]
    assert (mail.subject, mail.text) == (
        "420 points, Ada",
        "See https://link.invalid/0 or https://link.invalid/unsubscribe",
    )
    assert mail.html.startswith('<p>Ada: <a href="https://link.invalid/0">shop</a>')
    fields = {"number1": "420", "date2": "2026-12-15"}
    assert shown["wechat", "zh"].data == {"template_id": "kVn3dWq", "lang": "zh_CN"} | fields
    assert (shown["inbox", "zh"].subject, shown["inbox", "zh"].text) == ("积分", "420")
    assert shown["webhook", "en"].data["name"] == "Ada"


def test_a_link_leads_nowhere_and_says_where_it_would_lead() -> None:
    assert said(points=1).links == {"https://link.invalid/0": SHOP}
    found = said(channel="email", language="zh", points=1)
    assert (found.rendered.text, found.links) == ("https://link.invalid/unsubscribe", {})


def test_an_sms_is_as_long_as_with_the_address_that_really_goes_out() -> None:
    found = said(name="Ada", points=420)
    assert found.length is not None
    shown = len(found.rendered.text) - len("https://link.invalid/0")
    assert (found.length.gsm, found.length.places, found.segments) == (True, shown + 170, 2)
    found = said(language="zh", points=420)
    assert found.length is not None
    assert (found.length.gsm, found.segments) == (False, 3)
    assert said("gift", "inbox", points=1).length is None


def test_values_are_read_in_the_form_of_their_type() -> None:
    given: dict[str, Value] = {"birthday": "1965-05-17", "pets": "3", "spend": 12_345}
    asked = Asked("split", "sms", "en", "short", given)
    (one,) = trial(campaign(), asked, TODAY).said
    assert (one.variant, one.template, one.rendered.text) == ("short", "other", "17 May 1965, 3, €123.45")


def test_a_step_that_says_different_things_is_shown_for_each_variant() -> None:
    given: dict[str, Value] = {"birthday": "1965-05-17", "pets": 3, "spend": 0, "points": 7}
    found = trial(campaign(), Asked("split", None, "en", variables=given), TODAY)
    assert [(one.variant, one.channel) for one in found.said] == [
        ("short", "sms"),
        *(("long", channel) for channel in ("email", "sms", "inbox", "wechat", "webhook")),
    ]
    only = trial(campaign(), Asked("split", "email", "en", variables={"points": 7}), TODAY)
    assert [one.variant for one in only.said] == ["long"], "who has no text for the channel needs no values"


@pytest.mark.parametrize(
    ("asked", "day"),
    [
        (Asked("gift", "sms", "en", variables={"points": 1}), "2026-12-01"),
        (Asked("split", "sms", "en", "long", {"points": 1}), "2026-12-08"),
        (Asked("gift", "sms", "en", variables={"points": 1}, day=TODAY + 100), "2027-03-02"),
    ],
)
def test_a_text_is_said_on_the_day_of_its_step_or_on_the_one_that_is_named(asked: Asked, day: str) -> None:
    found = trial(campaign(), asked, TODAY)
    assert date.fromordinal(found.day).isoformat() == day
    until = date.fromordinal(found.day + 14)
    assert f"until {until.day} {until:%B %Y}" in found.said[0].rendered.text


def test_a_running_campaign_is_shown_as_of_today() -> None:
    later = date(2027, 1, 5).toordinal()
    found = trial(campaign(), Asked("split", "sms", "en", "long", {"points": 1}), later)
    assert found.day == later + 7


@pytest.mark.parametrize(
    ("asked", "field", "told"),
    [
        (Asked("gfit"), "step", "gift, split"),
        (Asked("quiet"), "step", "gift, split"),
        (Asked("gift", "push"), "channel", "email, sms, inbox, wechat, webhook"),
        (Asked("gift", "fax"), "channel", "email, sms, inbox, wechat, webhook"),
        (Asked("split", "email", variant="short"), "channel", "it is one of sms"),
        (Asked("gift", variant="tall"), "variant", "short, long"),
        (Asked("gift"), "variables.points", "a whole number, at most 5,000"),
        (Asked("split", "sms", "en", "short"), "variables.birthday", "and so for pets, spend"),
        (Asked("gift", variables={"points": 5001}), "variables.points", "at most 5,000"),
        (Asked("gift", variables={"points": -1}), "variables.points", "at most 5,000"),
        (Asked("gift", variables={"points": "many"}), "variables.points", "at most 5,000"),
        (Asked("gift", variables={"points": "\uff19"}), "variables.points", "at most 5,000"),
        (Asked("gift", variables={"points": "9" * 5000}), "variables.points", "at most 5,000"),
        (Asked("gift", variables={"points": 1, "name": 3}), "variables.name", "a text"),
        (Asked("gift", variables={"points": 1, "nam": "A"}), "variables.nam", "name, points"),
        (Asked("gift", variables={"points": 1, "offer_points": 5}), "variables.offer_points", "name, points"),
        (Asked("gift", variables={"points": 1, "shop": "https://a.example"}), "variables.shop", "name, points"),
        (Asked("split", variables={"birthday": "17.05.1965"}), "variables.birthday", "1900"),
        (Asked("split", variables={"birthday": "1865-05-17"}), "variables.birthday", "1900"),
        (Asked("split", variables={"birthday": 700_000}), "variables.birthday", "1900"),
        (Asked("split", variables={"spend": "12.50"}), "variables.spend", "minor units"),
        (Asked("gift", variables={"points": 1}, day=date.max.toordinal()), "day", "offer_until"),
    ],
)
def test_what_does_not_fit_is_named(asked: Asked, field: str, told: str) -> None:
    named, detail = refused(asked)
    assert named == field
    assert detail.startswith(f"{field}: ")
    assert told in detail


def test_a_value_that_no_text_can_say_is_told_from_one_that_is_missing() -> None:
    form = "variables.points: a whole number, at most 5,000"
    assert refused(Asked("gift", variables={"points": 5001})) == ("variables.points", form)
    assert "is sent to nobody of whom it is not known" in refused(Asked("gift"))[1]


def test_a_sign_that_takes_two_places_counts_twice() -> None:
    given: dict[str, Value] = {"birthday": "1965-05-17", "pets": 3, "spend": 12_345}
    (text,) = texts_view(trial(campaign(), Asked("split", "sms", "en", "short", given), TODAY)).texts
    assert text.text == "17 May 1965, 3, €123.45"
    assert text.sms == SmsView("GSM-7", len(text.text) + 1, 1)


def test_links_are_numbered_by_their_names() -> None:
    values: dict[str, Value] = {"shop": "https://b.example/", "go": "https://a.example/", "points": 3}
    leads, worded = words.linked(values, {"go", "shop", "none"})
    assert [*leads.items()] == [
        ("https://link.invalid/0", "https://a.example/"),
        ("https://link.invalid/1", "https://b.example/"),
    ]
    assert worded == {"shop": "https://link.invalid/1", "go": "https://link.invalid/0", "points": 3}


def test_a_name_with_markup_is_as_harmless_as_where_it_goes_out() -> None:
    one = said(channel="email", name="<b>A</b>", points=1)
    assert "<p>&lt;b&gt;A&lt;/b&gt;: " in one.rendered.html


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(monkeypatch, currency="EUR")
    found.hand_in(SOURCE)
    return found


def test_a_marketer_sees_the_texts_of_what_was_handed_in_last_and_of_no_member(world: World) -> None:
    source = SOURCE.replace("calendar: {from: 2026-12-01}", "calendar: {from: 2026-01-01}")
    world.hand_in(source)
    assert world.act("start", "autumn").body["state"] == "running"
    world.hand_in(source.replace("{{ points }}, {{ offer", "Now {{ points }}, {{ offer"))
    marketer = world.running.key("marketer")
    asked = {"step": "gift", "channel": "sms", "language": "en", "variables": {"points": 42}, "day": "2026-12-24"}
    answer = world.running.call(marketer, "POST /v1/campaigns/{id}/texts", asked, params={"id": "autumn"})
    assert (answer.status, answer.body) == (
        200,
        {
            "campaign": "autumn",
            "version": 3,
            "step": "gift",
            "day": "2026-12-24",
            "texts": [
                {
                    "template": "hello",
                    "channel": "sms",
                    "language": "en",
                    "text": "Now 42, 300 until 7 January 2027 https://link.invalid/0",
                    "links": {"https://link.invalid/0": SHOP},
                    "sms": {"encoding": "GSM-7", "length": 203, "segments": 2},
                }
            ],
        },
    )


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "step"),
        ({"step": "first"}, "step"),
        ({"step": "gift", "channel": "fax"}, "channel"),
        ({"step": "gift", "channel": "push"}, "channel"),
        ({"step": "gift", "language": "fr"}, "language"),
        ({"step": "gift", "variant": "tall"}, "variant"),
        ({"step": "gift", "day": "2026-02-30"}, "day"),
        ({"step": "gift", "variables": {"points": True}}, "variables[...]"),
        ({"step": "gift"}, "variables.points"),
        ({"step": "gift", "member": "mem_00000000000000000000000001"}, "member"),
    ],
)
def test_a_request_that_does_not_fit_names_the_field(world: World, asked: dict[str, Any], field: str) -> None:
    answer = world.ask("POST /v1/campaigns/{id}/texts", asked, id="autumn")
    assert (answer.status, answer.body["code"], answer.body["field"]) == (400, "REQUEST_INVALID", field)


def test_a_campaign_that_there_is_not_says_nothing(world: World) -> None:
    answer = world.ask("POST /v1/campaigns/{id}/texts", {"step": "gift"}, id="spring")
    assert (answer.status, answer.body["code"]) == (404, "CAMPAIGN_NOT_FOUND")


@pytest.mark.parametrize(
    ("message", "given", "told"),
    [
        ("hello", {"name": "Ann & <b>Bob</b>\nSmith", "points": 0}, "Ann & <b>…: 0, 300 until 15 January 2026 "),
        ("other", {"birthday": "1965-05-17", "pets": 3, "spend": 0}, "17 May 1965, 3, €0.00"),
    ],
)
def test_what_is_shown_is_what_arrives(
    monkeypatch: pytest.MonkeyPatch, message: str, given: dict[str, Value], told: str
) -> None:
    world = World(monkeypatch, currency="EUR")
    arrived: list[str] = []

    def take(sending: Sending) -> tuple[Outcome, bool]:
        arrived.append(sending.rendered.text)
        return Outcome("accepted", "p1"), True

    world.provider.outcome = take
    world.enrol(1, name="Ann & <b>Bob</b>\nSmith", birthday="1965-05-17", pets=3)
    source = SOURCE.replace("audience: {enter: member.enrolled}", "audience: {when: member.points < 10}")
    begins = "calendar: {from: 2026-01-01}\n    control: 0\n    no_control: the test looks at one member"
    source = source.replace("calendar: {from: 2026-12-01}", begins)
    if message == "other":
        source = source.replace("message: hello", "message: other", 1).replace("        with: {shop: ", "        #", 1)
    world.hand_in(source)
    assert world.act("start", "autumn").status == 200
    world.send()
    world.dispatch(1)
    asked = {"step": "gift", "channel": "sms", "language": "en", "variables": given}
    (shown,) = world.ask("POST /v1/campaigns/{id}/texts", asked, id="autumn").body["texts"]
    (text,) = arrived
    assert re.sub(r"https://api\.example/v1/l/\S+", "https://link.invalid/0", text) == shown["text"]
    assert shown["text"].startswith(told)
