"""What is different between two rule sets, told in the words they were written in."""

from msgspec import json

from loyalty.rules.difference import Change, changes, plain
from loyalty.rules.document import check
from loyalty.rules.ruleset import RuleSet
from tests.unit.test_rules_document import FULL, SMALLEST, with_rule


def rules(text: str) -> RuleSet:
    found = check(text, "rules.yaml").rules
    assert found is not None
    return found


def told(before: str, after: str) -> list[tuple[str, str, str, str, str, str]]:
    return [
        (one.kind, one.what, one.id, one.field, one.before, one.after) for one in changes(rules(before), rules(after))
    ]


def test_equal_rule_sets_have_no_difference() -> None:
    assert changes(rules(FULL), rules(FULL)) == ()
    assert plain(()) == "no difference"


def test_how_a_rule_set_is_laid_out_is_no_difference() -> None:
    assert told(FULL, FULL.replace("2 * base", '"2 * base"').replace("  # ", " #")) == []
    folded = FULL.replace("when: channel = 'store' AND local_time", "when: channel = 'store'\n      AND  local_time")
    assert told(FULL, folded) == []


def test_a_rule_that_comes_and_one_that_goes_are_told_with_their_names() -> None:
    assert told(SMALLEST, with_rule()) == [("added", "rule", "extra", "", "", "Extra / 额外")]
    assert told(with_rule(), SMALLEST) == [("removed", "rule", "extra", "", "Extra / 额外", "")]


def test_every_field_of_a_rule_is_told_as_it_was_and_as_it_is() -> None:
    after = with_rule(
        "campaigns: {a: {points: 9000}}\ngroups: {g: {stacking: best}}",
        name="{en: More, zh: 更多}",
        when="channel = 'app'",
        earn="3 * base",
        valid="{from: 2026-11-01, until: 2026-11-07}",
        group="g",
        priority="4",
        cap="{order: 1500, member: [{points: 2000, times: 3, per: month}, {times: 9, per: total}]}",
        budget="a",
        pending="{kind: delay, days: 14}",
        expiry="{kind: rolling, months: 6, rounding: day}",
        rounding="up",
        on_return="whole",
    )
    found = told(with_rule(), after)
    assert [change[3:] for change in found if change[1] == "rule"] == [
        ("name", "Extra / 额外", "More / 更多"),
        ("when", "", "channel = 'app'"),
        ("earn", "2 * base", "3 * base"),
        ("windows", "always", "from 2026-11-01 until 2026-11-07"),
        ("group", "", "g"),
        ("priority", "0", "4"),
        ("cap of an order", "", "1,500"),
        ("cap of a member", "", "2,000 points and 3 times per month; 9 times in all"),
        ("budget", "", "a"),
        ("pending", "", "14 days"),
        ("expiry", "", "rolling, 6, day"),
        ("rounding", "carry", "up"),
        ("on_return", "share", "whole"),
    ]
    assert [change[:3] for change in found if change[1] != "rule"] == [
        ("added", "group", "g"),
        ("added", "campaign", "a"),
    ]


def test_all_that_stands_around_the_rules_is_told_too() -> None:
    after = (
        FULL.replace('point_cost: "0.008"', 'point_cost: "0.01"')
        .replace("change_percent: 25", "change_percent: 30")
        .replace("region: north", "region: south")
        .replace("vegan: truth", "vegan: text")
        .replace("weight: number", "height: number")
        .replace("check_in: {streak: true}", "check_in: {}")
        .replace("dates: [2027-11-11, 2026-11-11]", "dates: [2026-11-11]")
        .replace("points: 200000", "points: 300000")
        .replace("stacking: best", "stacking: first")
    )
    assert told(FULL, after) == [
        ("changed", "group", "offers", "stacking", "best", "first"),
        ("changed", "campaign", "autumn", "budget", "200,000 points", "300,000 points"),
        ("changed", "campaign", "winter", "budget", "62,500 points (500 EUR)", "50,000 points (500 EUR)"),
        ("changed", "day", "double_11", "days", "2026-11-11, 2027-11-11", "2026-11-11"),
        ("changed", "event", "check_in", "streak", "true", ""),
        ("changed", "store", "319", "region", "north", "south"),
        ("changed", "member attribute", "vegan", "type", "truth", "text"),
        ("added", "line attribute", "height", "", "", "number"),
        ("removed", "line attribute", "weight", "", "number", ""),
        ("changed", "rule set", "alpha-2", "point_cost", "0.008", "0.01"),
        ("changed", "rule set", "alpha-2", "guard", "25 %", "30 %"),
    ]


def test_where_nothing_was_in_force_everything_is_new() -> None:
    found = changes(None, rules(with_rule()))
    assert [(one.kind, one.what, one.id) for one in found] == [("added", "rule", "base"), ("added", "rule", "extra")]


def test_many_windows_are_told_by_the_first_and_the_last() -> None:
    before, after = (
        with_rule(valid="{from: 2026-01-01, until: 2026-12-31}", windows=f"[FREQ=WEEKLY;BYDAY={day}]")
        for day in ("MO", "TU")
    )
    ((*_, old, new),) = told(before, after)
    assert old == "2026-01-05, 2026-01-12, …, 2026-12-28, 52 in all"
    assert new == "2026-01-06, 2026-01-13, …, 2026-12-29, 52 in all"


def test_the_plain_form_is_read_from_top_to_bottom() -> None:
    after = (
        FULL.replace("2 * base", "3 * base").replace("priority: 10", "priority: 11").replace("id: trade_in", "id: back")
    )
    assert plain(changes(rules(FULL), rules(after))).splitlines() == [
        "+ rule back: Trade-in / 回收",
        "~ rule lunch",
        "    earn: 2 * base → 3 * base",
        "    priority: 10 → 11",
        "- rule trade_in: Trade-in / 回收",
    ]
    assert "    group: none → offers" in plain(changes(rules(FULL.replace("    group: offers\n", "")), rules(FULL)))


def test_changes_are_plain_data() -> None:
    found = changes(rules(SMALLEST), rules(with_rule()))
    assert json.decode(json.encode(found), type=tuple[Change, ...]) == found
