"""Pictures of differences and of what lies between which numbers, as SVG text. Pure.

As those of backtests: lengths are in SVG's user units, heights grow downwards, and texts are in both languages.
"""

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Final, NamedTuple

from loyalty.backtests.pictures import AFTER, FAINT, GRID, INK, Scale, Text, fitting, lettering, picture

WIDTH: Final = 1040
_STEPS: Final = (1.0, 2.0, 5.0, 10.0)
_LABELS: Final = 9
"""Days that are named under a picture of looks."""


class Row(NamedTuple):
    """A label with a number and the two that it lies between; those are None where nothing bounds it, or where it is
    exact. With ``bar`` it is drawn from 0.
    """

    label: Text
    value: float
    low: float | None
    high: float | None
    color: str
    said: str
    """The number in words."""
    bar: bool = False


class Point(NamedTuple):
    """What one look saw."""

    label: str
    value: float
    low: float
    high: float
    color: str
    note: str


def marks(low: float, high: float, count: int = 6) -> list[float]:
    """About ``count`` round numbers evenly apart, the first at or below ``low``, the last at or above ``high``."""
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(part * power for part in _STEPS if part * power * count >= span)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 10) for place in range(first, max(last, first + 1) + 1)]


def intervals(rows: Sequence[Row], title: Text, said: Callable[[float], str]) -> str:
    """One row for each number: where it is, and between which it lies; 0 is always in the picture."""
    left, right, row = 268, 236, 40
    height = row * max(1, len(rows)) + 34
    numbers = [number for one in rows for number in (one.value, one.low, one.high) if number is not None]
    ticks = marks(min([0.0, *numbers]), max([0.0, *numbers]))
    x = Scale(ticks[0], ticks[-1], left, WIDTH - right)
    parts = []
    for tick in ticks:
        color = FAINT if tick == 0 else GRID
        parts.append(f'<line x1="{x.at(tick)}" x2="{x.at(tick)}" y1="4" y2="{height - 28}" stroke="{color}"/>')
        parts.append(lettering(x.at(tick), height - 10, _same(said(tick)), anchor="middle", color=FAINT))
    for place, one in enumerate(rows):
        y = place * row + 24
        parts.append(lettering(left - 14, y + 4, fitting(one.label), anchor="end", color=INK))
        parts.append(lettering(WIDTH - right + 18, y + 4, _same(one.said), color=INK))
        parts += _row(one, x, y)
    return picture(WIDTH, height, title, parts)


def _row(one: Row, x: Scale, y: int) -> list[str]:
    note = f"<title>{escape(one.label.en)}: {escape(one.said)}</title>"
    parts = []
    if one.bar:
        start, end = sorted((x.at(0), x.at(one.value)))
        wide = max(1.0, round(end - start, 1))
        parts.append(
            f'<rect x="{start}" y="{y - 8}" width="{wide}" height="16" rx="2" fill="{one.color}" '
            f'opacity="0.55">{note}</rect>'
        )
    if one.low is not None and one.high is not None:
        start, end = x.at(one.low), x.at(one.high)
        parts.append(
            f'<line x1="{start}" x2="{end}" y1="{y}" y2="{y}" stroke="{one.color}" stroke-width="3">{note}</line>'
        )
        parts += [
            f'<line x1="{at}" x2="{at}" y1="{y - 6}" y2="{y + 6}" stroke="{one.color}" stroke-width="3"/>'
            for at in (start, end)
        ]
    if not one.bar:
        parts.append(f'<circle cx="{x.at(one.value)}" cy="{y}" r="6" fill="{one.color}">{note}</circle>')
    return parts


def looks(points: Sequence[Point], title: Text, said: Callable[[float], str]) -> str:
    """What every look saw, in order: upright intervals, with 0 as a line across."""
    height, left, right, top, bottom = 270, 92, 24, 16, 36
    numbers = [number for one in points for number in (one.low, one.high)]
    ticks = marks(min([0.0, *numbers]), max([0.0, *numbers]), 5)
    y = Scale(ticks[0], ticks[-1], height - bottom, top)
    slot = (WIDTH - left - right) / max(1, len(points))
    parts = []
    for tick in ticks:
        color = FAINT if tick == 0 else GRID
        parts.append(f'<line x1="{left}" x2="{WIDTH - right}" y1="{y.at(tick)}" y2="{y.at(tick)}" stroke="{color}"/>')
        parts.append(lettering(left - 8, y.at(tick) + 4, _same(said(tick)), anchor="end", color=FAINT))
    every = max(1, -(-len(points) // _LABELS))
    for place, one in enumerate(points):
        x = round(left + slot * (place + 0.5), 1)
        parts.append(
            f'<line x1="{x}" x2="{x}" y1="{y.at(one.high)}" y2="{y.at(one.low)}" stroke="{one.color}" '
            f'stroke-width="{3 if slot > 14 else 2}"><title>{escape(one.note)}</title></line>'
        )
        radius = 5 if slot > 14 else 3
        parts.append(f'<circle cx="{x}" cy="{y.at(one.value)}" r="{radius}" fill="{one.color}"/>')
        if place % every == 0 and (place + every / 2 < len(points) or place == len(points) - 1):
            parts.append(lettering(x, height - 12, _same(one.label), anchor="middle", color=FAINT))
    return picture(WIDTH, height, title, parts)


def _same(text: str) -> Text:
    return Text(text, text)


NEUTRAL: Final = AFTER
