"""A rule set as it is written: what it means, and what every mistake is called and where it is said to be."""

import random
import re
from collections.abc import Callable
from datetime import date
from textwrap import dedent
from typing import Any

import pytest

from loyalty.rules.document import MAX_KNOWN, Known, Written, check
from loyalty.rules.reading import MAX_ISSUES
from loyalty.rules.ruleset import LAST_DAY, Cap, Group, Names, Pending, Rule, RuleSet, decode, encode
from loyalty.rules.tree import Field
from loyalty.rules.yaml_text import MAX_BYTES, MAX_DEPTH

HEAD = """\
rule_set: alpha-1
program: alpha
currency: EUR
"""
BASE = "  - {id: base, name: {en: Base, zh: 基础}, earn: line.amount}\n"
SMALLEST = f"{HEAD}rules:\n{BASE}"
FULL = dedent(
    """\
    rule_set: alpha-2
    program: alpha
    currency: EUR
    timezone: Europe/Berlin
    point_cost: "0.008"
    guard: {change_percent: 25}
    stores: {"319": {region: north, timezone: America/New_York}, 12: {}}
    attributes: {member: {vegan: truth}, line: {organic: truth, weight: number}}
    events:
      check_in: {streak: true}
      review: {fields: {photo: truth, product: text}, required: [product], once: [product]}
      trade_in: {fields: {pieces: number}}
      trade_in_accepted: {activates: trade_in}
      trade_in_refused: {cancels: trade_in}
    calendar:
      double_11: {name: {en: Double 11, zh: 双十一}, dates: [2027-11-11, 2026-11-11]}
      member_day: {name: {en: Day, zh: 日}, rrule: FREQ=MONTHLY;BYMONTHDAY=8, from: 2026-01-01, until: 2026-03-31}
    campaigns: {autumn: {points: 200000}, winter: {amount: "500.00", currency: EUR}}
    groups: {offers: {stacking: best}, festival: {stacking: sum, within: offers, priority: 5}}
    rules:
      - {id: base, name: {en: Base, zh: 基础}, on: line, earn: line.amount}
      - id: lunch
        name: {en: Lunch, zh: 午餐}
        on: order
        when: channel = 'store' AND local_time BETWEEN '11:00' AND '13:30'
        earn: 2 * base
        valid: {from: 2026-11-01, until: 2026-11-30}
        windows: ["FREQ=WEEKLY;BYDAY=MO,TU"]
        group: offers
        priority: 10
        cap: {order: 500, member: [{points: 2000, per: month}, {times: 1, per: day}]}
        budget: autumn
        pending: {kind: delay, days: 14}
        expiry: {kind: rolling, months: 12}
        rounding: down
        on_return: whole
      - id: trade_in
        name: {en: Trade-in, zh: 回收}
        on: event
        when: event.type = 'trade_in'
        earn: 10 * event.pieces
        pending: {kind: on_event}
        expiry: {kind: fixed_dates, dates: [12-31, 06-30]}
    """
)


def rules_of(text: str, home: Any = None) -> RuleSet:
    found = check(text, "rules.yaml", home)
    assert found.issues == ()
    assert found.rules is not None
    return found.rules


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def one(rules: RuleSet, name: str) -> Rule:
    return next(rule for rule in rules.rules if rule.id == name)


def headed(section: str) -> str:
    """The smallest rule set, with one more section."""
    return f"{HEAD}{section}\nrules:\n{BASE}"


def with_rule(section: str = "", **fields: str) -> str:
    """A rule set with the base and one more rule, each field on its own line; the rule begins on line 6."""
    whole = {"id": "extra", "name": "{en: Extra, zh: 额外}", "earn": "2 * base"} | fields
    lines = [f"{name}: {value}" for name, value in whole.items() if value]
    return (headed(section) if section else SMALLEST) + "  - " + "\n    ".join(lines) + "\n"


def test_the_smallest_rule_set_earns_on_each_line() -> None:
    rules = rules_of(SMALLEST)
    assert (rules.program, rules.name, rules.currency, rules.timezone) == ("alpha", "alpha-1", "EUR", "UTC")
    (base,) = rules.rules
    assert base.names == Names("Base", "基础")
    assert base.on == "line"
    assert isinstance(base.earn, Field)
    assert base.windows == ((1, LAST_DAY),)
    assert base.scale == 100


def test_a_full_rule_set_is_read_as_it_is_written() -> None:
    rules = rules_of(FULL)
    assert [rule.id for rule in rules.rules] == ["base", "lunch", "trade_in"]
    assert rules.rules[rules.base].id == "base"
    assert rules.timezone == "Europe/Berlin"
    assert rules.point_cost == (800_000, 1_000_000)
    assert rules.guard_percent == 25
    assert [(store.id, store.region, store.zone) for store in rules.stores] == [
        ("12", "", ""),
        ("319", "north", "America/New_York"),
    ]
    assert rules.member_attributes == {"vegan": "truth"}
    assert rules.line_attributes == {"organic": "truth", "weight": "number"}
    assert rules.groups == (Group("festival", "sum", "offers", 5), Group("offers", "best"))
    assert [(one.id, one.points, one.money) for one in rules.campaigns] == [
        ("autumn", 200_000, 0),
        ("winter", 62_500, 50_000),
    ]
    assert [(one.id, one.days) for one in rules.calendar] == [
        ("double_11", (day("2026-11-11"), day("2027-11-11"))),
        ("member_day", (day("2026-01-08"), day("2026-02-08"), day("2026-03-08"))),
    ]


def test_a_rules_terms_are_read_as_they_are_written() -> None:
    lunch, trade_in = (one(rules_of(FULL), name) for name in ("lunch", "trade_in"))
    assert lunch.over_base
    assert lunch.windows == tuple(
        (day(f"2026-11-{first:02d}"), day(f"2026-11-{last:02d}"))
        for first, last in ((2, 3), (9, 10), (16, 17), (23, 24), (30, 30))
    )
    assert (lunch.group, lunch.priority, lunch.order_cap, lunch.campaign) == ("offers", 10, 500, "autumn")
    assert lunch.caps == (Cap("day", times=1), Cap("month", points=2000))
    assert lunch.pending == Pending("delay", 14)
    assert lunch.expiry == {"kind": "rolling", "months": 12, "rounding": "month"}
    assert (lunch.rounding, lunch.on_return) == ("down", "whole")
    assert lunch.when_text == "channel = 'store' AND local_time BETWEEN '11:00' AND '13:30'"
    assert trade_in.pending == Pending("on_event")
    assert trade_in.expiry == {"kind": "fixed_dates", "dates": ["06-30", "12-31"]}


def test_events_are_read_with_what_they_decide() -> None:
    events = {event.type: event for event in rules_of(FULL).events}
    assert events["check_in"].streak
    assert events["review"].required == events["review"].once == ("product",)
    assert (events["trade_in_accepted"].activates, events["trade_in_refused"].cancels) == ("trade_in", "trade_in")


def test_what_was_read_is_kept_and_comes_back() -> None:
    rules = rules_of(FULL)
    assert decode(encode(rules)) == rules


def test_the_order_of_the_rules_in_the_file_changes_nothing() -> None:
    head, listed = FULL.split("rules:\n")
    rules = ["  - " + rule for rule in listed.split("  - ")[1:]]
    turned = head + "rules:\n" + "".join(reversed(rules))
    assert encode(rules_of(turned)) == encode(rules_of(FULL))


def test_numbers_are_exact_with_and_without_quotes() -> None:
    for written in ('"0.10"', "0.10", "'0.1'"):
        assert rules_of(f"point_cost: {written}\n{SMALLEST}").point_cost == (10_000_000, 1_000_000)


def test_the_programme_says_currency_and_zone_where_the_file_does_not() -> None:
    home = Written("alpha", "JPY", "Asia/Tokyo")
    rules = rules_of(SMALLEST.replace("currency: EUR\n", ""), home)
    assert (rules.currency, rules.timezone, rules.rules[0].scale) == ("JPY", "Asia/Tokyo", 1)


@pytest.mark.parametrize(("field", "value"), [("program", "beta"), ("currency", "USD"), ("timezone", "Europe/Paris")])
def test_a_file_of_another_programme_is_refused(field: str, value: str) -> None:
    home = Written("beta" if field == "program" else "alpha", *(("USD", "UTC") if field == "currency" else ("EUR",)))
    text = SMALLEST if field != "timezone" else f"timezone: {value}\n{SMALLEST}"
    (issue,) = check(text, "rules.yaml", home).issues
    assert issue.code == "RULE_PROGRAM_OTHER"
    assert issue.suggestion == getattr(home, field)


# Text with «…» around what is wrong: the issue must begin there.
WRONG: list[tuple[str, str, str]] = [
    ("RULE_KEY_UNKNOWN", headed("«ruls»: []"), "rules"),
    ("RULE_KEY_MISSING", "«program»: alpha\ncurrency: EUR\nrules:\n" + BASE, ""),
    ("RULE_KEY_UNKNOWN", with_rule(name="{en: Extra, zh: 额外, «fr»: Plus}"), ""),
    ("RULE_KEY_UNKNOWN", with_rule(name="{en: Extra, «more of it», zh: 额外}"), ""),
    ("RULE_KEY_DUPLICATE", with_rule(on="order", priority="1\n    «priority»: 2"), ""),
    ("RULE_VALUE_INVALID", with_rule(priority="«high»"), ""),
    ("RULE_VALUE_INVALID", with_rule(priority='«"5"»'), ""),
    ("RULE_VALUE_INVALID", with_rule(on="«oder»"), "order"),
    ("RULE_VALUE_INVALID", with_rule(rounding="«upwards»"), ""),
    ("RULE_VALUE_INVALID", with_rule(id="«Extra»"), ""),
    ("RULE_VALUE_INVALID", headed("«guard»:"), ""),
    ("RULE_VALUE_INVALID", headed("guard: {change_percent: «0»}"), ""),
    ("RULE_VALUE_INVALID", headed("point_cost: «-1»"), ""),
    ("RULE_VALUE_INVALID", headed("point_cost: «0»"), ""),
    ("RULE_VALUE_INVALID", headed("timezone: «Europe/Atlantis»"), "Europe/Athens"),
    ("RULE_VALUE_INVALID", headed("stores: {'1': {timezone: «Berlin»}}"), "Europe/Berlin"),
    ("RULE_VALUE_INVALID", headed("stores: «[1]»"), ""),
    ("RULE_VALUE_INVALID", HEAD + "rules: «none»\n", ""),
    ("RULE_VALUE_INVALID", headed("attributes: {line: {«Or-ganic»: truth}}"), ""),
    ("RULE_VALUE_INVALID", headed("attributes: {line: {organic: «bool»}}"), ""),
    ("RULE_NAME_TAKEN", headed("attributes: {member: {«tier»: text}}"), ""),
    ("RULE_NAME_TAKEN", headed("events: {play: {fields: {«streak»: number}}}"), ""),
    ("RULE_TYPE", headed("events: {a: {fields: {x: number}}, «b»: {fields: {x: text}}}"), ""),
    ("RULE_EVENT_UNKNOWN", headed("events: {trade_in: {}, ok: {activates: «trade_im»}}"), "trade_in"),
    ("RULE_FIELD_UNKNOWN", headed("events: {a: {fields: {photo: truth}, once: [«foto»]}}"), "photo"),
    ("RULE_VALUE_INVALID", headed("events: {a: {}, b: {activates: a, cancels: «a»}}"), ""),
    ("RULE_NAME_MISSING", with_rule(name="«{en: Extra}»"), ""),
    ("RULE_NAME_MISSING", with_rule(name="«Extra»"), ""),
    ("RULE_NAME_MISSING", SMALLEST + "  - «id»: extra\n    earn: 2 * base\n", ""),
    ("RULE_NAME_MISSING", headed("calendar: {«d»: {dates: [2026-11-11]}}"), ""),
    ("RULE_KEY_MISSING", headed("calendar: {d: «{name: {en: D, zh: 日}}»}"), ""),
    ("RULE_VALUE_INVALID", headed("calendar: {d: {name: {en: D, zh: 日}, dates: [«11-11»]}}"), ""),
    ("RULE_VALUE_INVALID", headed("calendar: {d: {name: {en: D, zh: 日}, dates: [«2026-02-29»]}}"), ""),
    ("RULE_KEY_MISSING", SMALLEST + "  - «id: extra\n    name: {en: Extra, zh: 额外}\n", ""),
    ("RULE_BASE_MISSING", HEAD + "rules:\n  «- {id: bse, name: {en: B, zh: 基}, on: line, earn: line.amount}\n»", ""),
    ("RULE_BASE_INVALID", SMALLEST.replace("earn:", "cap: «{order: 5}», earn:"), ""),
    ("RULE_BASE_INVALID", SMALLEST.replace("earn:", "on: «order», earn:").replace("line.amount", "amount"), "line"),
    ("RULE_ID_DUPLICATE", with_rule(id="«base»", earn="line.amount", on="line"), ""),
    # expressions
    ("RULE_FIELD_UNKNOWN", with_rule(when="«chanel» = 'store'"), "channel"),
    ("RULE_FIELD_UNKNOWN", with_rule(when='"channel = \'\\u5348\' AND «chanel» = \'x\'"'), "channel"),
    ("RULE_FIELD_UNKNOWN", with_rule(when=">-\n      amount > 3\n\n      AND\n         «amuont» < 9"), "amount"),
    ("RULE_FIELD_UNKNOWN", with_rule(when="|  # a comment\n      amount > 3\n      AND «amuont» < 9"), "amount"),
    ("RULE_FIELD_UNKNOWN", with_rule(when="'channel = ''it''''s'' AND «chanel» = ''x'''"), "channel"),
    ("RULE_TYPE", with_rule(when="«local_time > 11»"), ""),
    ("RULE_TYPE", with_rule(earn="«channel»"), ""),
    ("RULE_DIVISION", with_rule(earn="base / «0»"), ""),
    ("RULE_DIVISION", with_rule(earn="quantity / «amount»"), "NULLIF(amount, 0)"),
    ("RULE_OVERFLOW", with_rule(earn="«amount * 999999999»"), ""),
    ("RULE_NEVER_EARNS", with_rule(earn="«0.5 * base»"), ""),
    ("RULE_SYNTAX", with_rule(when="amount > 3 «;» DROP TABLE rules"), ""),
    ("RULE_FUNCTION_UNKNOWN", with_rule(earn="«rond»(amount)"), "ROUND"),
    ("RULE_FIELD_OUT_OF_PLACE", with_rule(when="«line.amount» > 3"), "SUM(line.amount)"),
    ("RULE_DAY_UNKNOWN", with_rule(when="on_day(«'double_11'»)"), ""),
    ("RULE_VALUE_INVALID", with_rule(when="«[1, 2]»"), ""),
    ("RULE_NEVER_TRUE", with_rule(when="«amount > 50 AND amount < 20»"), ""),
    ("RULE_NEVER_TRUE", with_rule(when="«weekday = 'monday' AND weekday = 'tuesday'»"), ""),
    ("RULE_ALWAYS_TRUE", with_rule(when="«amount >= 0»"), ""),
    ("RULE_ALWAYS_TRUE", with_rule(when="«channel = 'store' OR channel <> 'store'»"), ""),
    ("RULE_EVENT_UNKNOWN", with_rule(on="«event»", earn="5"), ""),
    # windows
    ("RULE_WINDOW_ENDLESS", with_rule(valid="{from: 2026-01-01}", windows="[«FREQ=WEEKLY»]"), ""),
    ("RULE_WINDOW_ENDLESS", with_rule(valid="{from: 2026-01-01}", windows="[«{from: 2026-01-01}»]"), ""),
    (
        "RULE_WINDOW_ENDLESS",
        with_rule(valid="{from: 2026-01-01}", windows="[«FREQ=YEARLY;UNTIL=20400101»]"),
        "",
    ),
    (
        "RULE_WINDOW_OVERLAPS",
        with_rule(valid="{from: 2026-01-01}", windows='["FREQ=DAILY;COUNT=5", «"FREQ=DAILY;COUNT=2"»]'),
        "",
    ),
    (
        "RULE_WINDOW_OVERLAPS",
        with_rule(windows="[{from: 2026-01-01, until: 2026-01-05}, «{from: 2026-01-05, until: 2026-01-09}»]"),
        "",
    ),
    ("RULE_WINDOW_OVERLAPS", headed("calendar: {d: {name: {en: D, zh: 日}, dates: [2026-11-11, «2026-11-11»]}}"), ""),
    ("RULE_WINDOW_INVALID", with_rule(windows='[«"FREQ=DAILY;COUNT=5"»]'), ""),
    ("RULE_WINDOW_INVALID", with_rule(valid="{from: 2026-01-01}", windows='["FREQ=«WEKLY»;COUNT=5"]'), "WEEKLY"),
    ("RULE_WINDOW_INVALID", with_rule(valid="{from: 2026-01-01}", windows="[FREQ=DAILY;COUNT=5;«BYHOUR=11»]"), ""),
    (
        "RULE_WINDOW_INVALID",
        with_rule(valid="{from: 2026-01-02}", windows="[«{from: 2026-01-01, until: 2026-01-05}»]"),
        "",
    ),
    ("RULE_WINDOW_EMPTY", with_rule(valid="{from: 2026-02-01, until: «2026-01-01»}"), ""),
    ("RULE_WINDOW_EMPTY", with_rule(windows="«[]»"), ""),
    (
        "RULE_WINDOW_EMPTY",
        with_rule(valid="{from: 2026-01-01}", windows="[«FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=1»]"),
        "",
    ),
    # bounds
    ("RULE_GROUP_UNKNOWN", with_rule("groups: {offers: {stacking: best}}", group="«ofers»"), "offers"),
    ("RULE_GROUP_UNKNOWN", headed("groups: {offers: {stacking: best, within: «all»}}"), ""),
    ("RULE_GROUP_CIRCULAR", headed("groups: {a: {stacking: sum, within: «a»}}"), ""),
    ("RULE_CAMPAIGN_UNKNOWN", with_rule(budget="«autumn»"), ""),
    ("RULE_CAP_BELOW_AWARD", with_rule(earn="500", cap="{order: «499»}"), ""),
    ("RULE_CAP_BELOW_AWARD", with_rule(earn="500", cap="{member: {points: «100», per: day}}"), ""),
    ("RULE_CAP_BELOW_AWARD", with_rule(earn="CASE WHEN amount > 5 THEN 90 ELSE 50 END", cap="{order: «80»}"), ""),
    ("RULE_CAP_BELOW_AWARD", with_rule(earn="500 + quantity", cap="{order: «80»}"), ""),
    (
        "RULE_CAP_BELOW_AWARD",
        with_rule("campaigns: {autumn: {points: 10}}", earn="50", budget="«autumn»"),
        "",
    ),
    ("RULE_NEVER_TRUE", with_rule(when="«month = 2 AND day = 30»"), ""),
    ("RULE_NEVER_TRUE", with_rule(when="«date = '2026-11-11' AND weekday = 'monday'»"), ""),
    ("RULE_NEVER_TRUE", with_rule(when="«date < '2026-11-01'»", valid="{from: 2026-11-01}"), ""),
    ("RULE_NEVER_TRUE", with_rule(when="«lines > 5 AND day > 9»", valid="{from: 2026-01-01, until: 2026-01-09}"), ""),
    (
        "RULE_NEVER_TRUE",
        with_rule(
            when="«weekday = 'monday'»",
            valid="{from: 2026-01-01, until: 2026-12-31}",
            windows="[FREQ=WEEKLY;BYDAY=SA,SU]",
        ),
        "",
    ),
    (
        "RULE_NEVER_TRUE",
        with_rule(
            "calendar: {eleven: {name: {en: E, zh: 双}, dates: [2026-11-11]}}",
            when="«ON_DAY('eleven') AND amount > 5»",
            valid="{from: 2026-11-12}",
        ),
        "",
    ),
    (
        "RULE_NEVER_TRUE",
        with_rule(
            "calendar: {eleven: {name: {en: E, zh: 双}, dates: [2026-11-11]}}",
            when="«ON_DAY('eleven') AND weekday = 'friday'»",
        ),
        "",
    ),
    ("RULE_VALUE_UNKNOWN", with_rule(when="currency <> «'USD'»"), ""),
    ("RULE_VALUE_UNKNOWN", with_rule(when="channel IN ('app', «'Store'»)"), "'store'"),
    ("RULE_VALUE_UNKNOWN", with_rule(when="channel = «'门店'»"), ""),
    ("RULE_KEY_MISSING", with_rule(cap="«{}»"), ""),
    ("RULE_KEY_MISSING", with_rule(cap="{order: 5000000, member: «[]»}"), ""),
    ("RULE_KEY_MISSING", with_rule(cap="{member: «{points: 5}»}"), ""),
    ("RULE_KEY_MISSING", with_rule(cap="{member: «{per: day}»}"), ""),
    ("RULE_VALUE_INVALID", with_rule(cap="{member: [{times: 5, per: day}, «{points: 900, per: day}»]}"), ""),
    ("RULE_BUDGET_CURRENCY", headed("point_cost: 1\ncampaigns: {a: {amount: «5.00»}}"), "EUR"),
    (
        "RULE_BUDGET_CURRENCY",
        headed("point_cost: 1\ncampaigns: {a: {amount: 5.00, currency: «USD»}}"),
        "EUR",
    ),
    ("RULE_BUDGET_CURRENCY", headed("campaigns: {a: {amount: «5.00», currency: EUR}}"), ""),
    ("RULE_KEY_MISSING", headed("campaigns: {a: «{}»}"), ""),
    ("RULE_VALUE_INVALID", headed("point_cost: 9\ncampaigns: {a: {amount: «5.00», currency: EUR}}"), ""),
    ("RULE_VALUE_INVALID", headed("campaigns: {a: {points: 5, amount: «5.00»}}"), ""),
    ("RULE_PENDING_ENDLESS", with_rule(pending="{kind: «on_event»}"), ""),
    (
        "RULE_PENDING_ENDLESS",
        with_rule(
            "events: {a: {}, b: {}, ok: {activates: b}}",
            on="event",
            when="event.type = 'a'",
            earn="5",
            pending="{kind: «on_event»}",
        ),
        "",
    ),
    ("RULE_VALUE_INVALID", headed("events: {a: {activates: «a»}}"), ""),
    ("RULE_VALUE_INVALID", headed("events: {a: {}, b: {cancels: «c»}, c: {activates: a}}"), ""),
    ("RULE_PENDING_ENDLESS", with_rule("events: {a: {}}", on="event", earn="5", pending="{kind: «on_event»}"), ""),
    ("RULE_VALUE_INVALID", with_rule(pending="«{kind: delay}»"), ""),
    ("RULE_VALUE_INVALID", with_rule(pending="{kind: immediate, days: «3»}"), ""),
    ("RULE_VALUE_INVALID", with_rule(expiry="{kind: none, months: «3»}"), ""),
    ("RULE_KEY_MISSING", with_rule(expiry="«{kind: rolling}»"), ""),
    ("RULE_VALUE_INVALID", with_rule(expiry="{kind: fixed_dates, dates: [«02-30»]}"), ""),
    # the YAML itself
    ("RULE_YAML_FEATURE", headed("point_cost: «&c» 1"), ""),
    ("RULE_YAML_FEATURE", HEAD + "rules:\n" + BASE.replace("Base", "«!!str» Base"), ""),
    ("RULE_YAML_FEATURE", headed("«<<»: {}"), ""),
    ("RULE_YAML_INVALID", headed("? «[a, b]»\n: 1"), ""),
    ("RULE_YAML_INVALID", SMALLEST + "«---»\n", ""),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text", "suggestion"), WRONG, ids=[f"{at}-{one[0]}" for at, one in enumerate(WRONG)])
def test_a_mistake_is_found_in_its_place(code: str, text: str, suggestion: str) -> None:
    before = text.split("«", 1)[0]
    found = check(text.replace("«", "").replace("»", ""), "rules.yaml").issues
    place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert (code, *place, suggestion) in [(one.code, one.line, one.column, one.suggestion) for one in found]


def test_everything_that_is_wrong_is_told_in_the_order_of_the_file() -> None:
    text = with_rule(whne="amount > 3", when="«chanel = 'a' AND amuont > 3", group="offers", cap="{order: 0}")
    found = check(text.replace("«", ""), "rules.yaml")
    assert found.rules is None
    assert found.expectations == ()
    assert [(issue.line, issue.code) for issue in found.issues] == [
        (9, "RULE_KEY_UNKNOWN"),
        (10, "RULE_FIELD_UNKNOWN"),
        (10, "RULE_FIELD_UNKNOWN"),
        (11, "RULE_GROUP_UNKNOWN"),
        (12, "RULE_VALUE_INVALID"),
    ]


def test_an_issue_reads_as_file_line_column_and_what_was_probably_meant() -> None:
    (issue,) = check(with_rule(whne="3"), "rules/autumn.yaml").issues
    assert str(issue) == "rules/autumn.yaml:9:5: a rule has no 'whne' (did you mean when?)"
    (issue,) = check(with_rule(budget="autumn"), "rules/autumn.yaml").issues
    assert str(issue) == "rules/autumn.yaml:9:13: there is no campaign autumn"


def test_a_name_with_a_comma_is_told_to_need_quotes() -> None:
    (issue,) = check(with_rule(name="{en: One, two, zh: 一}"), "rules.yaml").issues
    assert issue.message == "the name of rule extra has no 'two': put a text with a comma in quotes"


def test_a_circle_of_groups_is_told_once_with_all_that_are_in_it() -> None:
    groups = "{c: {stacking: sum, within: a}, b: {stacking: sum, within: c}, a: {stacking: sum, within: b}}"
    (issue,) = check(f"{HEAD}groups: {groups}\nrules:\n{BASE}", "rules.yaml").issues
    assert issue.message == "groups stand within each other in a circle: a → b → c → a"


def test_a_cap_as_high_as_the_award_is_enough() -> None:
    rules = rules_of(with_rule(earn="500", cap="{order: 500, member: {points: 500, per: day}}"))
    assert one(rules, "extra").order_cap == 500


def test_equal_priorities_are_no_mistake() -> None:
    rules = rules_of(with_rule(priority="5") + "  - {id: more, name: {en: M, zh: 更}, earn: 3 * base, priority: 5}\n")
    assert [rule.priority for rule in rules.rules] == [0, 5, 5]


def test_windows_that_follow_on_each_other_are_one() -> None:
    windows = "[{from: 2026-01-06, until: 2026-01-09}, {from: 2026-01-01, until: 2026-01-05}]"
    assert one(rules_of(with_rule(windows=windows)), "extra").windows == ((day("2026-01-01"), day("2026-01-09")),)


def test_a_rule_of_an_event_that_only_decides_on_others_is_refused() -> None:
    text = FULL.replace("when: event.type = 'trade_in'\n", "when: event.type = 'trade_in_accepted'\n")
    (issue,) = check(text, "rules.yaml").issues
    assert (issue.code, issue.suggestion) == ("RULE_VALUE_UNKNOWN", "'trade_in'")


def test_a_region_that_no_store_is_in_is_refused() -> None:
    text = FULL.replace("when: channel = 'store'", "when: region = 'nroth'")
    (issue,) = check(text, "rules.yaml").issues
    assert (issue.code, issue.suggestion) == ("RULE_VALUE_UNKNOWN", "'north'")


@pytest.mark.parametrize(
    ("when", "further"),
    [
        ("month = 2 AND day = 29", {}),
        ("month = 2 AND day = 29 AND weekday = 'monday'", {}),
        ("date = '2026-11-11' AND weekday = 'wednesday'", {}),
        ("date >= '2026-11-01' AND weekday = 'monday'", {}),
        ("date >= '2026-11-01'", {"valid": "{from: 2026-11-01}"}),  # says what `valid` says; no harm
        ("date < '2026-11-02'", {"valid": "{from: 2026-11-01}"}),
        ("month = 12 OR amount > 5", {"valid": "{from: 2026-01-01, until: 2026-11-30}"}),
        ("weekday <> 'monday' AND day <= 7", {"valid": "{from: 2026-01-01, until: 2026-01-31}"}),
        ("day = 31 AND month = 12", {"valid": "{from: 2026-01-01}"}),
        ("ON_DAY('eleven') AND weekday = 'wednesday'", {}),
        ("ON_DAY('eleven') OR weekday = 'friday'", {"valid": "{from: 2026-11-12}"}),
        ("NOT ON_DAY('eleven')", {"valid": "{from: 2026-11-01, until: 2026-11-30}"}),
        ("member.birth_month = month AND member.birth_day = day", {"valid": "{from: 2026-02-01, until: 2026-02-28}"}),
    ],
)
def test_a_condition_that_some_day_fulfils_is_left_alone(when: str, further: dict[str, str]) -> None:
    calendar = "calendar: {eleven: {name: {en: E, zh: 双}, dates: [2026-11-11]}}"
    assert check(with_rule(calendar, when=when, **further), "rules.yaml").issues == ()


@pytest.mark.parametrize("when", ["event.type = 'b'", "event.n > 2", "event.type IN ('a', 'b')", "event.type <> 'a'"])
def test_points_may_wait_where_an_event_may_end_it(when: str) -> None:
    events = "events: {a: {}, b: {fields: {n: number}}, ok: {activates: b}}"
    text = with_rule(events, on="event", when=when, earn="5", pending="{kind: on_event}")
    assert check(text, "rules.yaml").issues == ()


def test_the_first_hundred_issues_are_told() -> None:
    text = SMALLEST + "".join(f"  - {{id: r{number}}}\n" for number in range(200))
    assert len(check(text, "rules.yaml").issues) == MAX_ISSUES


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "RULE_YAML_INVALID"),
        ("# nothing\n", "RULE_YAML_INVALID"),
        ("rules: [", "RULE_YAML_INVALID"),
        ("a: b: c", "RULE_YAML_INVALID"),
        ("\x00", "RULE_YAML_INVALID"),
        ("a: \ud800", "RULE_YAML_INVALID"),
        ("\tx: 1", "RULE_YAML_INVALID"),
        ("a: *b", "RULE_YAML_FEATURE"),
        ("a: &b [*b]", "RULE_YAML_FEATURE"),
        ("!!python/object/apply:os.system ['true']", "RULE_YAML_FEATURE"),
        ("[" * 100_000, "RULE_YAML_INVALID"),
        ("- " * 50_000 + "a", "RULE_YAML_INVALID"),
        ("{a: " * (MAX_DEPTH + 2), "RULE_YAML_INVALID"),
        ("#" * (MAX_BYTES + 1), "RULE_FILE_TOO_LARGE"),
        ("双" * (MAX_BYTES // 3 + 1), "RULE_FILE_TOO_LARGE"),
        ("just a text", "RULE_VALUE_INVALID"),
        ("- a list", "RULE_VALUE_INVALID"),
    ],
    ids=range(17),
)
def test_what_is_no_rule_set_is_refused(text: str, code: str) -> None:
    assert code in {issue.code for issue in check(text, "rules.yaml").issues}


def test_a_rule_set_of_the_largest_size_is_read() -> None:
    text = SMALLEST + "#" * (MAX_BYTES - len(SMALLEST.encode()) - 1) + "\n"
    assert len(text.encode()) == MAX_BYTES
    assert rules_of(text).name == "alpha-1"


@pytest.mark.parametrize(
    ("section", "line", "most"),
    [
        ("campaigns", "  c{0}: {{points: 5}}", 90),
        ("groups", "  g{0}: {{stacking: sum}}", 1000),
        ("events", "  e{0}: {{}}", 1000),
    ],
)
def test_there_are_so_many_of_each_and_no_more(section: str, line: str, most: int) -> None:
    def found(count: int) -> list[str]:
        whole = "\n".join(line.format(number) for number in range(count))
        return [issue.message for issue in check(headed(f"{section}:\n{whole}"), "rules.yaml").issues]

    assert found(most + 1) == [f"there are at most {most:,} {section}"]
    assert f"there are at most {most:,} {section}" not in found(most)


PROGRAMME = Known(tiers=("silver", "gold"), segments=("dormant", "vip"))


def held(text: str, known: Known | None = PROGRAMME) -> list[tuple[int, int, str, str]]:
    """What is wrong with a file, held against a programme's tiers and segments."""
    found = check(text, "rules.yaml", None, known).issues
    return [(one.line, one.column, one.code, one.suggestion) for one in found]


def ruled(condition: str, top: str = "") -> str:
    name = "{en: R, zh: 规}"
    return f"{HEAD}{top}rules:\n{BASE}  - id: r\n    name: {name}\n    earn: 5\n    when: >-\n      {condition}\n"


@pytest.mark.parametrize(
    ("condition", "at", "suggestion"),
    [
        ("member.tier = 'golld'", 15, "'gold'"),
        ("'golld' <> member.tier", 1, "'gold'"),
        ("member.tier IN ('silver', 'Gold')", 27, "'gold'"),
        ("member.tier NOT IN ('silver', 'platinum')", 31, ""),
        ("CASE member.tier WHEN 'sliver' THEN TRUE END", 23, "'silver'"),
        ("NULLIF(member.tier, 'golld') IS NULL", 21, "'gold'"),
        ("COALESCE(member.tier, 'none') = 'golld'", 33, "'gold'"),
        ("COALESCE(member.tier, 'none') IN ('none', 'golld')", 43, "'gold'"),
        ("'vpi' IN member.segments", 1, "'vip'"),
        ("'dormant' IN member.segments AND NOT 'gold' IN member.segments", 38, ""),
    ],
)
def test_a_tier_or_segment_that_the_programme_lacks_is_told_in_its_place(
    condition: str, at: int, suggestion: str
) -> None:
    assert held(ruled(condition)) == [(10, 6 + at, "RULE_VALUE_UNKNOWN", suggestion)]
    assert held(ruled(condition), None) == [], "who asks nobody cannot know"
    assert held(ruled(condition), Known()) == [], "a programme without its own keeps them elsewhere"


@pytest.mark.parametrize(
    "condition",
    [
        "member.tier = 'gold' OR 'vip' IN member.segments",
        "member.tier LIKE 'gol%'",
        "COALESCE(member.tier, 'none') = 'none'",
        "COALESCE(member.tier, '') IN ('gold', '')",
        "COALESCE(member.tier, channel) = 'app'",
        "LOWER(member.tier) = 'golld'",
        "member.city = 'golld'",
    ],
)
def test_what_may_be_said_of_tiers_and_segments(condition: str) -> None:
    assert held(ruled(condition)) == []


def test_an_unknown_segment_is_told_with_those_that_there_are() -> None:
    (issue,) = check(ruled("'vpi' IN member.segments"), "rules.yaml", None, PROGRAMME).issues
    assert issue.message == "member.segments never has 'vpi'; it has dormant, vip"
    (issue,) = check(ruled("member.tier = 'golld'"), "rules.yaml", None, PROGRAMME).issues
    assert issue.message == "member.tier is never 'golld'; it is one of silver, gold"


def test_either_is_held_against_its_own() -> None:
    both = ruled("member.tier = 'golld' OR 'vpi' IN member.segments")
    assert [one[3] for one in held(both, Known(tiers=("gold",)))] == ["'gold'"]
    assert [one[3] for one in held(both, Known(segments=("vip",)))] == ["'vip'"]


def test_a_file_says_which_tiers_and_segments_are_to_come_or_are_set_by_hand() -> None:
    top = "known: {tiers: [diamond], segments: [friend]}\n"
    condition = "member.tier IN ('gold', 'diamond') OR 'friend' IN member.segments"
    assert held(ruled(condition, top)) == []
    assert [one[2] for one in held(ruled(condition))] == ["RULE_VALUE_UNKNOWN"] * 2
    assert held(ruled("member.tier = 'diamnod'", top)) == [(11, 21, "RULE_VALUE_UNKNOWN", "'diamond'")]
    assert held(ruled("member.tier = 'diamnod'", top), None) == [], "the file alone is not all that there is"
    for wrong in ("known: [gold]\n", "known: {tier: [gold]}\n", "known: {tiers: gold}\n", "known: {tiers: [{}]}\n"):
        assert [one[0] for one in held(ruled("amount > 5", wrong), None)] == [4], wrong
    many = f"known: {{tiers: [{', '.join(f't{number}' for number in range(MAX_KNOWN + 1))}]}}\n"
    assert [one[0] for one in held(ruled("amount > 5", many), None)] == [4]


def test_what_a_file_says_is_to_come_is_no_part_of_what_its_rules_mean() -> None:
    top = "known: {tiers: [diamond]}\n"
    plain, declared = (check(ruled("amount > 5", said), "rules.yaml").rules for said in ("", top))
    assert plain is not None
    assert plain == declared


def test_a_case_of_a_tier_or_segment_that_the_programme_lacks_is_told_too() -> None:
    case = "  - {name: a case, purchase: {at: 2026-11-05T12:00, lines: [{amount: 1}]}, points: 1, member: "
    text = f"{SMALLEST}expect:\n{case}{{tier: golld}}}}\n{case}{{segments: [vip, vpi]}}}}\n{case}{{tier: gold}}}}\n"
    column = len(case) + 1
    assert held(text) == [
        (7, column + len("{tier: "), "RULE_ID_UNKNOWN", "gold"),
        (8, column + len("{segments: [vip, "), "RULE_ID_UNKNOWN", "vip"),
    ]
    assert held(text, None) == []


def test_a_hundred_rules_may_count_for_good_and_no_more() -> None:
    def found(count: int, period: str) -> list[str]:
        rules = "".join(
            f"  - {{id: r{number}, name: {{en: R, zh: 规}}, earn: 5, cap: {{member: {{points: 9, per: {period}}}}}}}\n"
            for number in range(count)
        )
        return [issue.message for issue in check(SMALLEST.rstrip() + "\n" + rules, "rules.yaml").issues]

    assert found(100, "total") == []
    assert [message[:39] for message in found(102, "total")] == ["at most 100 rules have a cap per total:"]
    assert found(101, "year") == []


def test_a_file_with_endlessly_many_mistakes_is_not_read_to_its_end() -> None:
    text = SMALLEST + "".join(f"  - {{id: r{number}, erna: 1}}\n" for number in range(5000)) + "expect: 3\n"
    found = check(text, "rules.yaml").issues
    assert len(found) == MAX_ISSUES
    assert found[0].line == 6


def test_a_file_with_endlessly_many_windows_is_refused() -> None:
    rule = "  - {{id: r{0}, name: {{en: R, zh: 则}}, earn: 5, valid: {{from: 2026-01-01}}, windows: [{1}]}}\n"
    text = SMALLEST + "".join(rule.format(number, "FREQ=DAILY;COUNT=3500") for number in range(130))
    (issue, *_) = check(text, "rules.yaml").issues
    assert issue.code == "RULE_WINDOW_ENDLESS"
    assert issue.message == "all windows of the file are more than 500,000 days"


MUTATIONS: list[Callable[[str, int, str], str]] = [
    lambda text, at, sign: text[:at] + sign + text[at:],
    lambda text, at, sign: text[:at] + sign + text[at + 1 :],
    lambda text, at, sign: text[:at] + text[at + 5 :],
    lambda text, at, sign: text[:at] + text[at // 2 : at // 2 + 40] + text[at:],
    lambda text, at, sign: re.sub(r"[0-9]+", sign * 30, text, count=at % 7),
]  # fmt: skip


def test_a_garbled_rule_set_is_read_or_refused_and_nothing_else() -> None:
    chance = random.Random(20261122)
    signs = "{}[]:,-'\"\n #&*!|>%@`\\09aé双\t?=;()<"
    refused = 0
    for _ in range(800):
        text = FULL
        for _ in range(chance.randint(1, 4)):
            text = chance.choice(MUTATIONS)(text, chance.randrange(len(text)), chance.choice(signs))
        found = check(text, "rules.yaml")
        assert (found.rules is None) == bool(found.issues)
        lines = text.split("\n")
        assert all(1 <= one.column <= len(lines[one.line - 1]) + 1 for one in found.issues)
        refused += found.rules is None
    assert 50 < refused < 800
