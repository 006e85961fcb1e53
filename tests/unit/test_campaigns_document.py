"""Campaigns as they are written: what a file means, and what every mistake is called and where it is said to be."""

import random
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from loyalty.campaigns.campaign import Audience, Budget, Calendar, Campaign, Offer, Span, Stops, Variant, decode, encode
from loyalty.campaigns.document import MAX_CAMPAIGNS, MAX_STEPS, Checked, Known, Written, check
from loyalty.errors import Corrupt

HOME = Written("grocer", "USD", "Europe/Berlin")
HEAD = """\
program: grocer
currency: USD
point_cost: "0.01"
attributes: {name: text}
templates:
  hello: {variables: {points: points}, sms: {en: "{{ points }} points", zh: "{{ points }}积分"}}
  more: {sms: {en: More, zh: 更多}}
  gift:
    variables: {offer_points: points, offer_until: date, shop: link}
    sms: {segments: 5, en: "{{ offer_points }} {{ offer_until }} {{ shop }}", zh: "{{ offer_points }}"}
  owed: {service: true, variables: {entry_points: points}, sms: {en: "{{ entry_points }}", zh: "{{ entry_points }}"}}
  letter: {inbox: {en: {title: A, text: B}, zh: {title: 甲, text: 乙}}}
campaigns:
"""
WHOLE = {
    "name": "{en: One, zh: 一}",
    "goal": "{en: Goal, zh: 目标}",
    "metric": "repurchase",
    "window_days": "30",
    "audience": "{enter: member.enrolled}",
    "channels": "[sms]",
    "steps": "{first: {day: 0, message: hello}, second: {day: 3, message: more}}",
}
SIZED = """\
  sized:
    variables:
      {offer_points: {type: points, most: 999}, left: {type: number, most: 9}, name: {type: text, most: 4}, by: date}
    sms:
      segments: 5
      en: "{{ offer_points }} {{ left }} {{ name }} {{ by }}"
      zh: "{{ offer_points }} {{ left }} {{ name }} {{ by }}"
"""
EXPECT = "expect:\n  - {case: A, campaign: one, "


def written(expect: str = "", **changes: str) -> str:
    """A file with one campaign, otherwise in these parts; "" leaves one out."""
    parts = [f"    {name}: {value}" for name, value in (WHOLE | changes).items() if value]
    return HEAD + "\n".join(["  one:", *parts, expect, ""])


def sized(offer: str = "{points: 999}", fixed: str = "left: 9, name: Anna, by: 2026-12-01") -> str:
    """A file with a step whose text is bounded."""
    text = written(steps=f"{{first: {{day: 0, message: sized, offer: {offer}, with: {{{fixed}}}}}}}")
    return text.replace("campaigns:\n", f"{SIZED}campaigns:\n", 1)


def only(text: str, known: Known | None = None) -> Campaign:
    found = check(text, "campaigns.yaml", known=known)
    assert found.issues == ()
    (one,) = found.campaigns
    return one


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


FROZEN = {"audience": "{segment: dormant}", "calendar": "{from: 2026-12-01, until: 2026-12-31, hour: 10}"}
GIFT = "{day: 0, message: gift, with: {shop: https://example.com/a}, offer: {points: 200, expires_days: 30}}"


def test_the_smallest_campaign() -> None:
    one = only(written())
    assert (one.id, one.program, one.currency, one.timezone) == ("one", "grocer", "USD", "UTC")
    assert one.audience == Audience("member.enrolled")
    assert (one.control, one.repeat, one.service, one.priority) == (1_000, "once", False, 50)
    assert one.stops == Stops(purchased=False, budget=True, harm=True)
    assert [(step.id, step.day, step.within) for step in one.steps] == [("first", 0, -1), ("second", 3, -1)]
    assert set(one.templates) == {"hello", "more"}
    assert one.days == 3


def test_everything_that_can_be_said() -> None:
    one = only(
        written(
            audience="{segment: dormant, when: member.points > 0}",
            calendar="{from: 2026-12-01, until: 2026-12-31, hour: 17, except: [{from: 2026-12-24, until: 2026-12-25}, "
            "{from: 2026-12-26, until: 2026-12-26}]}",
            control="12.5%",
            salt="again",
            variants="{a: 50%, b: 49.5, c: 0.5 %}",
            priority="7",
            budget='{amount: "1000.00", currency: USD}',
            stop="{purchased: true, budget: false, harm: false}",
            steps=f"{{first: {GIFT}, second: {{day: 3, when: journey.opened, within: 2, message: {{a: more, b: hello, "
            "c: more}, offer: {multiply: 1.5, days: 7}, silent: true}}",
        )
    )
    assert one.calendar == Calendar(
        day("2026-12-01"), day("2026-12-31"), 17, (Span(day("2026-12-24"), day("2026-12-26")),)
    )
    assert (one.control, one.salt, one.priority) == (1_250, "again", 7)
    assert one.variants == (Variant("a", 5_000), Variant("b", 4_950), Variant("c", 50))
    assert one.budget == Budget(100_000, 100_000)
    assert one.stops == Stops(purchased=True, budget=False, harm=False)
    first, second = one.steps
    assert first.offer == Offer("points", {"points": 200, "expires_days": 30})
    assert first.fixed == {"shop": "https://example.com/a"}
    assert second.offer == Offer("multiply", {"multiply": 1_500, "days": 7})
    assert (second.within, second.silent, second.text) == (2, True, "journey.opened")
    assert [second.template(name) for name in "abc"] == ["more", "hello", "more"]


@pytest.mark.parametrize(
    ("metric", "smallest", "found"),
    [
        ("repurchase", "2%", 0.02),
        ("redemption", "0.5 %", 0.005),
        ("spend", '"1.50"', 150.0),
        ("margin", "2", 200.0),
        ("spend", "", 0.0),
    ],
)
def test_the_smallest_difference_worth_knowing(metric: str, smallest: str, found: float) -> None:
    one = only(written(metric=metric, smallest=smallest, margin="28%"))
    assert one.smallest == pytest.approx(found)
    assert one.margin_permille == 280
    assert decode(encode(one)) == one
    assert only(written(margin="12.5")).margin_permille == 125
    assert only(written()).margin_permille is None


def test_a_campaign_is_kept_as_it_is() -> None:
    one = only(
        written(**FROZEN, steps=f"{{first: {GIFT}, second: {{day: 3, when: member.points > 9, message: more}}}}")
    )
    assert decode(encode(one)) == one
    assert decode(encode(one), 4).version == 4
    assert decode(encode(one)).steps[1].when == one.steps[1].when


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 3}', encode(only(written())).replace("once", "twice")])
def test_what_is_stored_otherwise_is_not_answered_from(text: str) -> None:
    with pytest.raises(Corrupt):
        decode(text)


def test_conditions_find_their_facts_anew_in_a_later_product() -> None:
    one = only(written(steps="{first: {day: 0, when: journey.day = 0, message: hello}}"))
    moved = re.sub(r'"index":[0-9]+', '"index":0', encode(one))
    assert decode(moved) == one


def test_steps_stand_in_the_order_of_their_days() -> None:
    one = only(written(steps="{late: {day: 9, message: more}, early: {day: 1, message: hello}}"))
    assert [step.id for step in one.steps] == ["early", "late"]


def test_what_is_owed_keeps_nobody_out() -> None:
    one = only(written(audience="{enter: points.expiring}", service="true", steps="{first: {day: 0, message: owed}}"))
    assert (one.service, one.control) == (True, 0)


def test_the_programme_says_where_the_file_does_not() -> None:
    text = written().replace("currency: USD\n", "", 1)
    found = check(text, "campaigns.yaml", HOME)
    assert found.sound
    assert (found.campaigns[0].currency, found.campaigns[0].timezone) == ("USD", "Europe/Berlin")


WRONG: list[tuple[str, str, str]] = [
    # (code, what is written, with «» around the place; what is meant)
    ("RULE_KEY_UNKNOWN", written(**{"«goals»": "x"}), "goal"),
    ("RULE_NAME_MISSING", written(name="«{en: One}»"), ""),
    ("RULE_VALUE_INVALID", written(metric="«repurchases»"), "repurchase"),
    ("RULE_VALUE_INVALID", written(window_days="«0»"), ""),
    ("RULE_VALUE_INVALID", written(priority="«101»"), ""),
    ("CAMPAIGN_MARGIN", written(metric="«margin»"), ""),
    ("RULE_VALUE_INVALID", written(margin="«0»"), ""),
    ("RULE_VALUE_INVALID", written(margin="«101%»"), ""),
    ("RULE_VALUE_INVALID", written(smallest="«2 percent»"), ""),
    ("RULE_VALUE_INVALID", written(metric="spend", smallest="«2%»"), ""),
    # whom it is for
    ("RULE_KEY_MISSING", written(audience="«{}»"), ""),
    ("RULE_VALUE_INVALID", written(audience="{enter: «member.enroled»}"), "member.enrolled"),
    ("CAMPAIGN_SEGMENT_UNKNOWN", written(**FROZEN | {"audience": "{segment: «dormat»}"}), "dormant"),
    ("RULE_KEY_MISSING", written(audience="{enter: «segment.entered»}"), ""),
    ("RULE_FIELD_UNKNOWN", written(audience="{enter: member.enrolled, when: «member.pionts» > 3}"), "member.points"),
    ("RULE_FIELD_UNKNOWN", written(audience="{enter: member.enrolled, when: 1 = 1 OR «journey.opened»}"), ""),
    ("RULE_FIELD_UNKNOWN", written(audience="{enter: member.enrolled, when: «entry.points» > 3}"), ""),
    ("RULE_FIELD_UNKNOWN", written(audience="{enter: tier.upgraded, when: «entry.points» > 3}"), ""),
    ("RULE_TYPE", written(audience="{enter: member.enrolled, when: «member.points»}"), ""),
    (
        "RULE_NEVER_TRUE",
        written(audience="{enter: member.enrolled, when: «member.points < 3 AND member.points > 5»}"),
        "",
    ),
    ("RULE_ALWAYS_TRUE", written(audience="{enter: member.enrolled, when: «member.points >= 0»}"), ""),
    # when
    ("CAMPAIGN_REPEAT", written(audience="«{enter: birthday}»"), "yearly"),
    ("CAMPAIGN_REPEAT", written(audience="{enter: anniversary}", repeat="«once»"), "yearly"),
    ("CAMPAIGN_REPEAT", written(**FROZEN, repeat="«yearly»"), "once"),
    ("RULE_VALUE_INVALID", written(repeat="«monthly»"), ""),
    ("RULE_KEY_MISSING", written(repeat="«{}»"), ""),
    ("CAMPAIGN_CALENDAR", written(calendar="{from: 2026-12-31, until: «2026-12-01»}"), ""),
    ("CAMPAIGN_CALENDAR", written(audience="{segment: dormant}").replace("  one:", "  «one»:"), ""),
    ("CAMPAIGN_CALENDAR", written(audience="{segment: dormant}", calendar="«{until: 2026-12-01}»"), ""),
    ("RULE_VALUE_INVALID", written(calendar="{hour: «24»}"), ""),
    (
        "CAMPAIGN_CALENDAR",
        written(calendar="{except: [{from: 2026-12-01, until: 2026-12-09}, «{from: 2026-12-09, until: 2026-12-10}»]}"),
        "",
    ),
    ("CAMPAIGN_CALENDAR", written(calendar="{except: [{from: 2026-12-09, until: «2026-12-08»}]}"), ""),
    (
        "CAMPAIGN_CALENDAR",
        written(
            calendar="{from: 2026-12-01, until: 2026-12-05, "
            "except: «[{from: 2026-12-01, until: 2026-12-03}, {from: 2026-12-04, until: 2026-12-05}]»}"
        ),
        "",
    ),
    # shares
    ("CAMPAIGN_CONTROL", written(control="«60»"), ""),
    ("RULE_VALUE_INVALID", written(control="«10.005»"), ""),
    ("RULE_VALUE_INVALID", written(control="0", no_control="«x»"), ""),
    ("CAMPAIGN_SHARES", written(variants="«{a: 50, b: 40}»"), ""),
    ("CAMPAIGN_SHARES", written(variants="«{a: 60, b: 50}»"), ""),
    ("CAMPAIGN_SHARES", written(variants="«{a: 100}»"), ""),
    ("CAMPAIGN_SHARES", written(variants="{a: 100, b: «0»}"), ""),
    ("RULE_NAME_TAKEN", written(variants="{a: 50, «control»: 50}"), ""),
    # channels
    ("CAMPAIGN_CHANNEL_UNKNOWN", written(channels="[sms, «emial»]"), "email"),
    ("RULE_VALUE_INVALID", written(channels="[sms, «sms»]"), ""),
    ("CAMPAIGN_CHANNEL_UNKNOWN", written(steps="{first: {day: 0, message: «letter»}}"), ""),
    ("CAMPAIGN_CHANNEL_UNKNOWN", written(channels="«[]»"), ""),
    # steps
    ("RULE_KEY_MISSING", written(steps="«{}»"), ""),
    ("RULE_KEY_MISSING", written(steps="{first: «{message: hello}»}"), ""),
    ("RULE_KEY_MISSING", written(steps="{first: «{day: 0}»}"), ""),
    ("RULE_VALUE_INVALID", written(steps="{first: {day: «731», message: hello}}"), ""),
    ("RULE_VALUE_INVALID", written(steps="{first: {day: 0, message: hello, silent: «true»}}"), ""),
    ("CAMPAIGN_TEMPLATE_UNKNOWN", written(steps="{first: {day: 0, message: «helo»}}"), "hello"),
    (
        "CAMPAIGN_VARIANT_UNKNOWN",
        written(
            variants="{long: 50, short: 50}", steps="{f: {day: 0, message: {long: hello, short: more, «shor»: more}}}"
        ),
        "short",
    ),
    (
        "RULE_KEY_MISSING",
        written(variants="{aa: 50, bb: 50}", steps="{f: {day: 0, message: «{aa: hello}»}}"),
        "",
    ),
    ("CAMPAIGN_STEP_UNREACHABLE", written(steps="{a: {day: 3, message: hello}, «b»: {day: 3, message: more}}"), ""),
    (
        "CAMPAIGN_STEP_UNREACHABLE",
        written(
            **FROZEN | {"calendar": "{from: 2026-12-01, until: 2026-12-05}"},
            steps="{a: {day: 0, message: hello}, b: {day: «5», message: more}}",
        ),
        "",
    ),
    (
        "CAMPAIGN_STEP_UNREACHABLE",
        written(
            stop="{purchased: true}",
            steps="{a: {day: 0, message: hello}, b: {day: 3, when: member.points > 0 AND «journey.purchased», "
            "message: more}}",
        ),
        "",
    ),
    (
        "CAMPAIGN_STEP_UNREACHABLE",
        written(steps="{a: {day: 0, when: «journey.opened», message: hello}, b: {day: 3, message: more}}"),
        "",
    ),
    (
        "CAMPAIGN_STEP_UNREACHABLE",
        written(steps="{a: {day: 0, when: «journey.offered», message: hello}, b: {day: 3, message: more}}"),
        "",
    ),
    (
        "CAMPAIGN_STEP_UNREACHABLE",
        written(steps="{a: {day: 0, message: hello}, «b»: {day: 3, message: hello}}"),
        "",
    ),
    ("RULE_NEVER_TRUE", written(steps="{a: {day: 0, when: «journey.day < 0», message: hello}}"), ""),
    ("RULE_KEY_DUPLICATE", written(steps="{a: {day: 0, message: hello}, «a»: {day: 3, message: more}}"), ""),
    # variables
    (
        "CAMPAIGN_VARIABLE_UNKNOWN",
        written(steps="{a: {day: 0, message: «owed»}}", service="true"),
        "points",
    ),
    (
        "CAMPAIGN_VARIABLE_UNKNOWN",
        written(steps="{a: {day: 0, message: hello, with: {«shop»: https://example.com/}}}"),
        "",
    ),
    (
        "RULE_VALUE_INVALID",
        written(steps="{a: " + GIFT.replace("https://example.com/a", "«http://example.com»") + "}"),
        "",
    ),
    # offers and budgets
    ("RULE_KEY_MISSING", written(steps="{a: {day: 0, offer: «{expires_days: 3}»}}"), ""),
    ("RULE_KEY_UNKNOWN", written(steps="{a: {day: 0, offer: {«point»: 3}}}"), "points"),
    ("RULE_VALUE_INVALID", written(steps="{a: {day: 0, offer: {points: «0»}}}"), ""),
    ("RULE_KEY_MISSING", written(steps="{a: {day: 0, offer: «{points: 5, multiply: 2}»}}"), ""),
    ("RULE_KEY_MISSING", written(steps="{a: {day: 0, offer: «{multiply: 2}»}}"), ""),
    ("RULE_VALUE_INVALID", written(steps="{a: {day: 0, offer: {multiply: «1», days: 3}}}"), ""),
    ("RULE_VALUE_INVALID", written(steps="{a: {day: 0, offer: {multiply: «10.5», days: 3}}}"), ""),
    ("RULE_KEY_UNKNOWN", written(steps="{a: {day: 0, offer: {points: 5, days: «3»}}}"), ""),
    ("CAMPAIGN_BUDGET", written(steps=f"{{a: {GIFT}}}", budget="{points: «199»}"), ""),
    ("CAMPAIGN_BUDGET", written(steps=f"{{a: {GIFT}}}", budget='{amount: «"1.99"», currency: USD}'), ""),
    ("CAMPAIGN_BUDGET", written(steps=f"{{a: {GIFT}}}", budget='{amount: "500", currency: «EUR»}'), "USD"),
    ("CAMPAIGN_BUDGET", written(steps=f"{{a: {GIFT}}}", budget="{amount: «500»}"), "USD"),
    ("CAMPAIGN_BUDGET", written(steps=f"{{a: {GIFT}}}", budget="{points: 500, amount: «5», currency: USD}"), ""),
    ("CAMPAIGN_BUDGET", written(budget="«{points: 500}»"), ""),
    ("RULE_KEY_MISSING", written(steps=f"{{a: {GIFT}}}", budget="«{currency: USD}»"), ""),
    # service
    (
        "CAMPAIGN_CONTROL",
        written(
            service="true", control="«10»", audience="{enter: points.expiring}", steps="{a: {day: 0, message: owed}}"
        ),
        "0",
    ),
    ("CAMPAIGN_SERVICE", written(audience="{enter: points.expiring}", steps="{a: {day: 0, message: «owed»}}"), ""),
    ("CAMPAIGN_SERVICE", written(service="true", steps="{a: {day: 0, message: «hello»}}"), ""),
    (
        "CAMPAIGN_SERVICE",
        written(
            service="true",
            audience="{enter: points.expiring}",
            steps="{a: {day: 0, message: owed, offer: «{points: 5}»}}",
        ),
        "",
    ),
    # what a text has no room for
    ("RULE_VALUE_INVALID", sized(offer="«{points: 1000}»"), ""),
    ("RULE_VALUE_INVALID", sized(fixed="left: «10», name: Ann, by: 2026-12-01"), ""),
    ("RULE_VALUE_INVALID", sized(fixed="left: 9, name: «Annie», by: 2026-12-01"), ""),
    ("RULE_VALUE_INVALID", sized(fixed="left: 9, name: Ann, by: «1969-12-31»"), ""),
    ("RULE_VALUE_INVALID", written(steps=f"{{a: {GIFT.replace('https:', '«http:')}}}").replace("/a}", "/a»}"), ""),
    (
        "RULE_VALUE_INVALID",
        written(steps=f"{{a: {GIFT.replace('https://example.com/a', '«https://example.com/a b礼<x>»')}}}"),
        "https://example.com/a%20b%E7%A4%BC%3Cx%3E",
    ),
    (
        "RULE_VALUE_INVALID",
        written(steps=f"{{a: {GIFT.replace('example.com', '例子.cn', 1)}}}").replace("https://例", "«https://例"),
        "",
    ),
    # templates, as their own check finds
    ("TEMPLATE_VARIABLE_UNKNOWN", written().replace("en: More", 'en: "{{ «poins» }}"'), ""),
    ("TEMPLATE_LANGUAGE_MISSING", written().replace("{en: More, zh: 更多}", "«{en: More}»"), ""),
    ("TEMPLATE_TOO_LONG", written().replace("zh: 更多", f"zh: «{'更' * 300}»"), ""),
    # cases
    ("CAMPAIGN_UNKNOWN", written("expect:\n  - {case: A, campaign: «on», gets: nothing}"), "one"),
    ("RULE_KEY_MISSING", written("expect:\n  - «{case: A, campaign: one}»"), ""),
    ("CAMPAIGN_STEP_UNKNOWN", written(EXPECT + "gets: {0: «firts»}}"), "first"),
    ("CAMPAIGN_CHANNEL_UNKNOWN", written(EXPECT + "gets: {0: {step: first, by: «smss»}}}"), "sms"),
    ("CAMPAIGN_CHANNEL_UNKNOWN", written(EXPECT + "reached: [«email»], gets: nothing}"), ""),
    ("CAMPAIGN_VARIANT_UNKNOWN", written(EXPECT + "variant: «a», gets: nothing}"), ""),
    ("RULE_VALUE_INVALID", written(EXPECT + "gets: {«first»: 0}}"), ""),
    ("RULE_VALUE_INVALID", written(EXPECT + "gets: «everything»}"), ""),
    ("RULE_VALUE_INVALID", written(EXPECT + "gets: {out: «because»}}"), ""),
    ("RULE_VALUE_INVALID", written(EXPECT + "gets: {0: {why: «zzz»}}}"), ""),
    ("RULE_FIELD_UNKNOWN", written(EXPECT + "member: {«pionts»: 3}, gets: nothing}"), "points"),
    ("RULE_FIELD_UNKNOWN", written(EXPECT + "entry: {«pionts»: 3}, gets: nothing}"), "points"),
    ("RULE_VALUE_INVALID", written(EXPECT + "member: {points: «3.5»}, gets: nothing}"), ""),
    ("RULE_VALUE_INVALID", written(EXPECT + "events: [«{day: 3}»], gets: nothing}"), ""),
    ("CAMPAIGN_STEP_UNKNOWN", written(EXPECT + "events: [{day: 3, opened: «frist»}], gets: nothing}"), "first"),
]


def places(text: str) -> tuple[str, int, int]:
    """(the text without its marks, line and column of what they stand around)."""
    at = text.index("«")
    line = text.count("\n", 0, at) + 1
    return text.replace("«", "").replace("»", ""), line, at - text.rfind("\n", 0, at)


@pytest.mark.parametrize(("code", "marked", "meant"), WRONG, ids=[f"{one[0]}-{at}" for at, one in enumerate(WRONG)])
def test_every_mistake_has_a_name_and_a_place(code: str, marked: str, meant: str) -> None:
    text, line, column = places(marked)
    found = check(text, "campaigns.yaml", known=Known(("dormant", "new")))
    assert not found.campaigns
    assert not found.cases
    assert (code, line, column, meant) in {(one.code, one.line, one.column, one.suggestion) for one in found.issues}, [
        str(one) for one in found.issues
    ]


@pytest.mark.parametrize(
    ("code", "marked"),
    [
        ("CAMPAIGN_CONTROL", written(control="«0»")),
        ("CAMPAIGN_BUDGET", written(steps=f"{{a: {GIFT}}}").replace("  one:", "  «one»:")),
        ("CAMPAIGN_TEMPLATE_UNUSED", written().replace("  letter:", "  «letter»:")),
    ],
)
def test_what_may_be_meant_so_is_pointed_out(code: str, marked: str) -> None:
    text, line, column = places(marked)
    found = check(text, "campaigns.yaml")
    assert found.issues == ()
    assert (code, line, column) in {(one.code, one.line, one.column) for one in found.warnings}


def test_what_a_text_has_just_room_for_is_sound() -> None:
    assert check(sized(), "campaigns.yaml").issues == ()


def test_a_campaign_that_says_nothing_needs_no_channel() -> None:
    silent = written(channels="[]", steps="{first: {day: 0, offer: {points: 5}, silent: true}}")
    assert check(silent, "campaigns.yaml").issues == ()


def test_a_reason_is_enough_to_keep_nobody_out() -> None:
    found = check(written(control="0", no_control="Everybody has a birthday"), "campaigns.yaml")
    assert "CAMPAIGN_CONTROL" not in {one.code for one in found.warnings}
    assert found.campaigns[0].control == 0


def test_segments_are_not_doubted_where_nobody_was_asked() -> None:
    assert only(written(**FROZEN | {"audience": "{segment: whoever}"})).audience.segment == "whoever"


def test_another_programmes_file_is_refused() -> None:
    for said in ("program: baker\n", "program: grocer\ncurrency: EUR\n", "program: grocer\ntimezone: UTC\n"):
        text = said + written().replace("program: grocer\ncurrency: USD\n", "", 1)
        assert "RULE_PROGRAM_OTHER" in {one.code for one in check(text, "campaigns.yaml", HOME).issues}


def test_there_are_so_many_campaigns_and_steps_and_no_more() -> None:
    def found(steps: int) -> Checked:
        whole = ", ".join(f"s{number}: {{day: {number}, offer: {{points: 5}}}}" for number in range(steps))
        return check(written(steps=f"{{{whole}}}"), "campaigns.yaml")

    assert found(MAX_STEPS).sound
    assert not found(MAX_STEPS + 1).sound
    body = written().split("  one:\n")[1]
    many = HEAD + "".join(f"  c{number}:\n{body.rstrip()}\n" for number in range(MAX_CAMPAIGNS + 1))
    assert [one.message for one in check(many, "campaigns.yaml").issues][:1] == ["there are at most 50 campaigns"]


def test_yaml_that_is_none_has_one_issue() -> None:
    (issue,) = check("campaigns: [", "campaigns.yaml").issues
    assert issue.code == "RULE_YAML_INVALID"


MUTATIONS: list[Callable[[str, int, str], str]] = [
    lambda text, at, sign: text[:at] + sign + text[at:],
    lambda text, at, sign: text[:at] + sign + text[at + 1 :],
    lambda text, at, sign: text[:at] + text[at + 5 :],
    lambda text, at, sign: text[:at] + text[at // 2 : at // 2 + 40] + text[at:],
    lambda text, at, sign: re.sub(r"[0-9]+", sign * 30, text, count=at % 7),
]  # fmt: skip
EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "campaigns").glob("*.yaml"))


def test_a_garbled_file_is_read_or_refused_and_nothing_else() -> None:
    chance = random.Random(20261122)
    signs = "{}[]:,-'\"\n #&*!|>%@`\\09aé双\t?=;()<"
    whole = [file.read_text(encoding="utf-8") for file in EXAMPLES]
    refused = 0
    for number in range(400):
        text = whole[number % len(whole)]
        for _ in range(chance.randint(1, 4)):
            text = chance.choice(MUTATIONS)(text, chance.randrange(len(text)), chance.choice(signs))
        found = check(text, "campaigns.yaml", known=Known(("dormant",)))
        assert not (found.campaigns and found.issues)
        lines = text.split("\n")
        assert all(1 <= one.column <= len(lines[one.line - 1]) + 1 for one in found.issues)
        refused += bool(found.issues)
        assert all(decode(encode(one)) == one for one in found.campaigns)
    assert 50 < refused < 400
