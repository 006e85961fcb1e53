"""The page of a backtest, and the scales of its pictures."""

import json
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.backtests import pictures
from loyalty.backtests.page import RULES, data_of, page
from loyalty.backtests.pictures import Bar, Pair, Scale, Text, histogram, lines, pairs, short, ticks
from loyalty.backtests.views import SimulationView
from tests.unit.backtested import example


class Reader(HTMLParser):
    """Tags that are open, texts by language, and the addresses that are named."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.drawn: list[dict[str, str]] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.addresses += [found[name] for name in ("src", "href", "action", "xlink:href") if name in found]
        if tag in {"rect", "polyline", "line", "text", "polygon", "circle"}:
            self.drawn.append({"tag": tag, **found})
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def shown(**changes: Any) -> str:
    view = msgspec.structs.replace(example(), **changes)
    data = msgspec.json.encode(view).decode()
    return page(msgspec.json.decode(data, type=SimulationView), data)


def test_it_is_whole_by_itself_and_names_no_other_place() -> None:
    read = Reader(shown())
    assert read.open == []
    assert read.addresses == ["data:,"]
    assert "default-src 'none'" in shown()
    assert read.tags.count("svg") == 3


def test_it_opens_in_the_language_asked_for_and_holds_both() -> None:
    view = example()
    for language, tag in (("en", "en"), ("zh", "zh-CN")):
        text = page(view, "{}", language)
        assert f'<html lang="{tag}">' in text
        assert f'<body class="{language}">' in text
        assert "Points given" in text
        assert "发放积分" in text
        assert "Lunch counts double" in text
        assert "午餐双倍积分" in text


def test_the_json_that_it_was_made_from_is_in_it_and_cannot_break_out() -> None:
    data = data_of({"name": "</script><script>alert(1)</script>", "zh": "双倍"})
    text = page(example(), data)
    inside = text.split('id="figures">', 1)[1].split("</script>", 1)[0]
    assert json.loads(inside) == {"name": "</script><script>alert(1)</script>", "zh": "双倍"}


def test_what_others_have_named_is_shown_as_they_wrote_it() -> None:
    text = shown(name="<b>&\"autumn'", rule_set="<i>")
    assert "<b>&amp;" not in text
    assert "&lt;b&gt;&amp;" in text
    assert Reader(text).open == []


@pytest.mark.parametrize("status", ["running", "incomplete"])
def test_one_that_is_not_finished_says_how_far_it_is(status: str) -> None:
    text = shown(figures=msgspec.UNSET, status=status)
    assert ("could not be finished" if status == "incomplete" else "still running") in text
    assert "<svg" not in text
    assert Reader(text).open == []


def test_warnings_are_there_when_there_is_something_to_warn_of() -> None:
    text = shown()
    assert "could not be replayed" in text
    assert "would have run dry on 2026-03-02" in text
    assert "could not be worked out 3 times" in text
    view = example()
    assert isinstance(view.figures, msgspec.Struct)
    calm = msgspec.structs.replace(view.figures, set_aside=0, failures=[], budgets=[])
    assert "warn" not in shown(figures=calm).split("</style>")[1]


def test_only_the_rules_that_change_most_are_drawn_and_the_others_told() -> None:
    view = example()
    assert isinstance(view.figures, msgspec.Struct)
    (rule, *_) = view.figures.rules
    many = [msgspec.structs.replace(rule, rule=f"r{number:02d}", points_after=number) for number in range(RULES + 5)]
    text = shown(figures=msgspec.structs.replace(view.figures, rules=many))
    assert "5 more rules give less" in text


# ---- pictures


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12), st.integers(2, 9))
def test_ticks_are_round_evenly_apart_and_reach_from_end_to_end(one: int, other: int, count: int) -> None:
    low, high = min(one, other), max(one, other)
    marks = ticks(low, high, count)
    (step,) = {after - before for before, after in pairwise(marks)}
    assert str(step).rstrip("0") in {"1", "2", "5"}
    assert marks[0] <= low
    assert marks[-1] >= high
    assert marks[0] > low - step
    assert marks[-1] < high + 2 * step
    assert 2 <= len(marks) <= count + 2
    assert 0 in marks or not low <= 0 <= high


@given(st.integers(-1000, 1000), st.integers(1, 1000), st.integers(0, 500), st.integers(501, 1000))
def test_a_scale_maps_its_ends_onto_its_ends_and_keeps_the_order(low: int, span: int, start: int, end: int) -> None:
    scale = Scale(low, low + span, start, end)
    assert (scale.at(low), scale.at(low + span)) == (start, end)
    assert scale.at(low + span / 2) == pytest.approx((start + end) / 2, abs=0.06)
    turned = Scale(low, low + span, end, start)
    assert turned.at(low) > turned.at(low + span)
    assert Scale(5, 5, start, end).at(5) == start


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1k"), (1500, "1.5k"), (20_000, "20k"), (-2500, "-2.5k"), (3_000_000, "3M"),
     (150_500, "150k"), (2_000_000_000, "2B")],
)  # fmt: skip
def test_numbers_on_axes_are_short(number: int, text: str) -> None:
    assert short(number) == text


def _inside(svg: str) -> None:
    """Everything that is drawn lies within the picture."""
    width, height = map(float, svg.split('viewBox="0 0 ', 1)[1].split('"', 1)[0].split())
    for one in Reader(svg).drawn:
        for name in ("x", "x1", "x2", "cx"):
            assert 0 <= float(one.get(name, 0)) <= width, one
        for name in ("y", "y1", "y2", "cy"):
            assert 0 <= float(one.get(name, 0)) <= height, one
        for point in one.get("points", "").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height
        if one["tag"] == "rect":
            assert float(one["width"]) >= 0
            assert float(one["x"]) + float(one["width"]) <= width
            assert float(one["y"]) + float(one["height"]) <= height


@given(st.lists(st.tuples(st.integers(-(10**6), 10**9), st.integers(-(10**6), 10**9)), max_size=60))
def test_pictures_keep_within_their_frames(numbers: list[tuple[int, int]]) -> None:
    title = Text("Points", "积分")
    points = [Pair(Text(f"{place}", f"{place}"), *pair) for place, pair in enumerate(numbers)]
    _inside(pairs(points[:12], title))
    bars = [Bar(Text(f"{place}", f"{place}"), abs(pair[0]), place % 3 - 1) for place, pair in enumerate(numbers[:15])]
    _inside(histogram(bars, title))
    drawn = [one for one in Reader(lines(points, title)).drawn if one["tag"] == "polyline"]
    assert [len(one["points"].split()) for one in drawn] == [len(points), len(points)]


def test_a_bar_is_as_long_as_its_number() -> None:
    rows = [Pair(Text("a", "a"), 100, 50), Pair(Text("b", "b"), 0, 25)]
    widths = [float(one["width"]) for one in Reader(pairs(rows, Text("t", "t"))).drawn if one["tag"] == "rect"]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)
    assert widths[1] == pytest.approx(2 * widths[3], abs=0.2)
    assert widths[2] == 1.0  # nothing is a hair, so that it is seen


def test_long_names_are_cut_where_the_space_ends_a_chinese_letter_taking_two() -> None:
    rows = [Pair(Text("x" * 60, "双" * 60), 1, 1)]
    svg = pairs(rows, Text("t", "t"))
    assert f">{'x' * 33}…</text>" in svg
    assert f">{'双' * 16}…</text>" in svg
    assert pictures.AFTER in svg
