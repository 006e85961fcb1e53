"""What a report says in words, and its page."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from msgspec.structs import replace

from loyalty.backtests.page import both
from loyalty.backtests.pictures import Text
from loyalty.contacts.decide import REASONS
from loyalty.experiments import words
from loyalty.experiments.page import page
from loyalty.experiments.pictures import intervals, looks, marks
from loyalty.experiments.report import report
from loyalty.experiments.sums import METRICS, Metric
from loyalty.experiments.views import ReportsView
from tests.unit.campaign_reported import CAMPAIGN, arms, data, measuring, stopped, told, unclear, working


class Shape(HTMLParser):
    """Fails on a tag that is closed by another."""

    void = frozenset({"meta", "link", "line", "rect", "circle"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag, attrs

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag


def made(view: ReportsView, language: str = "en") -> str:
    return page(CAMPAIGN, view, data(view), language)


@pytest.mark.parametrize(
    "view",
    [told(working()), told(unclear()), told(stopped()), told()],
    ids=["working", "unclear", "cancelled", "nothing"],
)
def test_every_tag_is_closed_and_nothing_comes_from_elsewhere(view: ReportsView) -> None:
    html = made(view)
    shape = Shape()
    shape.feed(html)
    assert shape.open == []
    assert not re.search(r'(?:src|href)="(?!data:)', html)


def test_the_report_is_in_the_page_and_cannot_break_out_of_it() -> None:
    view = told(working())
    hostile = replace(CAMPAIGN, name=Text("<script>alert(1)</script>", "<b>"), goal=Text("</main>", "&"))
    html = page(hostile, view, json.dumps({"name": "</script><script>alert(1)</script>"}), "zh")
    assert html.count("<script") == 2
    assert "<b>" not in html.split("<main>")[1].split('<div class="cards">')[0]
    assert html.startswith('<!doctype html><html lang="zh-CN">')


def test_only_the_newest_report_is_shown() -> None:
    html = made(told(unclear(), working()))
    shown = html.split("<script")[0]
    assert "It works" in shown
    assert "Cannot tell yet: so far" not in shown


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_has_a_page(metric: Metric) -> None:
    made(told(working(metric)))


def test_nobody_measured_and_nothing_known_have_pages_too() -> None:
    nobody = report(measuring(), {})
    unknown = report(
        replace(measuring("margin"), margin_permille=None), arms({"mild": (50, 0.5), "control": (50, 0.5)}, 1)
    )
    for one in (nobody, unknown):
        html = made(told(one))
        assert "Cannot tell yet" in html
        assert "None" not in re.sub(r"<script.*", "", html, flags=re.DOTALL)


def test_a_verdict_is_one_sentence_with_the_numbers_it_lies_between() -> None:
    said = words.summary(working())
    assert re.match(r"It works: \d+\.\d more of 100 members bought within 30 days .* \(between \+\d", said.en[0])
    assert re.match(r"有效：与没有活动相比，30 天内每 100 名会员多 \d+\.\d 人购买（介于 \+\d", said.zh[0])
    assert "at most 5 % of the time, all 12 looks before the end included" in said.en[-1]
    assert any("Variant bold is better than every other" in one for one in said.en)


def test_the_members_needed_are_for_the_difference_that_was_said_to_be_worth_knowing() -> None:
    groups = arms({"mild": (100, 0.4), "control": (100, 0.45)}, 1)
    (seen,) = (
        one for one in words.summary(report(replace(measuring(), smallest=0.0), groups)).en if "more members" in one
    )
    worth = words.summary(report(replace(measuring(), smallest=0.03), groups))
    (sought,) = (one for one in worth.en if "more members" in one)
    assert "would show a difference of 3.0 of 100 members in 8 of 10 campaigns" in sought
    assert "3.0 of 100" not in seen
    assert any("每 100 名会员 3.0 人的差异" in one for one in worth.zh)


def test_points_that_nobody_has_priced_are_not_called_free() -> None:
    found = report(measuring(), arms({"mild": (100, 0.4), "control": (100, 0.45)}, 1)).money
    for cost, free in ((0, True), (500, False)):
        said = words.money(replace(found, points=300, points_cost=cost, cost=cost), "USD")
        assert ("nothing says what a point costs" in said.en) == free
        assert ("未设置积分成本" in said.zh) == free
    unpaid = words.money(replace(found, points=0, points_cost=0, cost=0), "USD")
    assert "point" not in unpaid.en


def test_one_look_is_not_many() -> None:
    (said,) = (one for one in words.summary(report(replace(measuring(), looks=1), {})).en if "at most 5 %" in one)
    assert "of the time, the look before the end included" in said


def test_what_cannot_be_told_names_why_and_what_would_be_needed() -> None:
    said = words.summary(unclear())
    assert said.en[0].startswith("Cannot tell yet")
    assert said.en[1] == words.DISTRUSTS[unclear().effect.distrust].en
    assert re.match(r"About [\d,]+ more members", said.en[2])
    assert "Do not rely on it yet" in said.en[3]


def test_harm_and_no_effect_have_words() -> None:
    groups = arms({"treated": (4_000, 0.10), "control": (4_000, 0.20)}, 3)
    harm = words.summary(report(measuring("repurchase", 0, ("treated",)), groups))
    assert re.match(r"It does harm: \d+\.\d fewer of 100 members bought", harm.en[0])
    same = arms({"treated": (20_000, 0.20), "control": (20_000, 0.20)}, 4)
    none = words.summary(report(replace(measuring("repurchase", 0, ("treated",)), smallest=0.05), same))
    assert none.en[0].startswith("No effect worth knowing: whatever it does is less than 5.0 % a member")


def test_all_campaigns_together_are_told_where_somebody_is_held_out() -> None:
    assert any(one.startswith("All campaigns together") for one in words.summary(working()).en)
    assert not any(one.startswith("All campaigns together") for one in words.summary(unclear()).en)
    clear = arms({"mild": (4_000, 0.3), "bold": (4_000, 0.3), "control": (900, 0.2), "holdout": (900, 0.1)}, 3)
    said = words.summary(report(measuring(looks=0), clear)).en
    assert any(
        re.match(r"All campaigns together: 1\d\.\d more of 100 members bought than among those who", one)
        for one in said
    )


def test_a_look_that_was_sure_is_told_when_the_end_is_not() -> None:
    found = working()
    doubtful = replace(found, effect=unclear("repurchase").effect, called=found.looks[-1])
    assert any("a look was already sure: it works" in one for one in words.summary(doubtful).en)
    assert not any("already sure" in one for one in words.summary(found).en)


def test_both_languages_say_as_much() -> None:
    for found in (working(), working("spend"), unclear(), report(measuring(), {})):
        said = words.summary(found)
        assert len(said.en) == len(said.zh)
        assert all(re.search("[\u4e00-\u9fff]", one) for one in said.zh)
        assert not any(re.search("[\u4e00-\u9fff]", one) for one in said.en)


def test_every_reason_for_not_sending_has_words() -> None:
    assert set(REASONS) <= set(words.REASONS)
    assert words.reason("something new") == ("something new", "something new")


@pytest.mark.parametrize(("members", "about"), [(1, 1), (37, 37), (371, 380), (12_301, 13_000), (999_999, 1_000_000)])
def test_what_is_needed_is_said_to_two_digits_and_never_too_few(members: int, about: int) -> None:
    assert words.rounded(members) == about


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(123_456, "EUR", "1,234.56 EUR"), (-5, "EUR", "-0.05 EUR"), (1_200, "JPY", "1,200 JPY"), (0, "CNY", "0.00 CNY")],
)
def test_money_is_written_as_people_write_it(minor: int, currency: str, text: str) -> None:
    assert words.amount(minor, currency) == text


@pytest.mark.parametrize(("share", "text"), [(0.05, "5 %"), (0.04, "4 %"), (0.005, "0.5 %"), (0.04 / 3, "1.33 %")])
def test_rates_are_said_short(share: float, text: str) -> None:
    assert words.percent(share) == text


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (-3.2, 8.7), (-0.002, 0.001), (0.0, 0.0), (-1e9, 3e9), (0.3, 0.6), (-7.0, -7.0)]
)
def test_marks_of_an_axis_are_round_and_hold_everything(low: float, high: float) -> None:
    found = marks(low, high)
    assert found[0] <= low + 1e-9
    assert found[-1] >= high - 1e-9
    assert 2 <= len(found) <= 9
    steps = {round(after - before, 9) for before, after in pairwise(found)}
    assert len(steps) == 1


def test_pictures_of_nothing_are_pictures() -> None:
    title = Text("t", "t")
    assert intervals([], title, str).startswith("<svg")
    assert looks([], title, str).startswith("<svg")


def test_a_cost_of_points_that_nobody_has_priced_is_not_known_on_the_page() -> None:
    unpriced = report(replace(measuring(), point_cost=0), arms({"mild": (100, 0.4), "control": (100, 0.45)}, 1))
    view = told(unpriced)
    made = page(CAMPAIGN, view, data(view))
    known = f"<b>{both(Text('not known', '未知'))}</b>"
    assert known in made
    assert (unpriced.money.ratio, unpriced.money.ratio_low, unpriced.money.ratio_high) == (None, None, None)
    assert made.count("Points given") == 1, "as a column, and not as a bar"
    view = told(working())
    assert known not in page(CAMPAIGN, view, data(view))


def test_what_became_of_messages_is_told_apart_and_who_is_missing_is_said() -> None:
    groups = arms({"mild": (300, 0.4), "control": (300, 0.45)}, 1)
    groups["mild"].fates = {"decided": 300, "sent": 290, "delivered": 250, "doubtful": 4, "failed": 6}
    groups["mild"].missing = 2
    few = report(measuring(variants=("mild",)), groups)
    assert few.effect.distrust == ""
    assert few.arms[0].missing == 2
    view = told(few)
    made = page(CAMPAIGN, view, data(view))
    assert "<td>300</td><td>290</td><td>250</td><td>0</td><td>4</td><td>6</td><td>0</td>" in made
    assert "2 members could not be read" in made
    assert "2 名会员无法读取" in made
    groups["mild"].missing = 4
    many = report(measuring(variants=("mild",)), groups)
    assert (many.effect.verdict, many.effect.distrust) == ("cannot tell yet", "members missing")
    assert many.money.distrust == "members missing"
    assert any("could not be read" in one for one in words.summary(many).en)


def test_what_was_cancelled_is_counted_and_says_no_effect() -> None:
    found, said = stopped(), words.summary(stopped())
    assert said.en[0] == "Cancelled on 2026-10-11: no effect is stated."
    assert said.en[1] == "On 2026-10-08 a look was sure already: it works. That stands."
    assert said.en[2] == words.DISTRUSTS["cancelled"].en
    assert said.zh[:3] == (
        "已于 2026-10-11 取消：不给出效果结论。",
        "2026-10-08 的中期查看已确定：有效。该结论仍然成立。",
        words.DISTRUSTS["cancelled"].zh,
    )
    html = made(told(found))
    assert html.count("Cancelled on 2026-10-11: no effect is stated.") == 2, "as words, and in the data"
    assert "as far as it came" in html
    assert "What it changed" not in html
    assert "Which variant is better" not in html
    for group in found.arms:
        assert f"<td>{group.members:,}</td><td>{group.reached:,}</td><td>{group.buyers:,}</td>" in html
