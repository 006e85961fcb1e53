"""Pictures of numbers as SVG text. Pure.

Lengths are in SVG's user units (a picture is as wide as its ``viewBox``), heights grow downwards. Texts are given in
both languages; the page shows one of them.
"""

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

BEFORE: Final = "#a3acb9"
AFTER: Final = "#4356c9"
GAIN: Final = "#1f8a63"
LOSS: Final = "#c2483f"
GRID: Final = "#e6e9ef"
INK: Final = "#3b4252"
FAINT: Final = "#6b7280"
_STEPS: Final = (1, 2, 5, 10)
_LONGEST: Final = 34
"""Letters of a label that fit beside a bar; a Chinese character takes two."""


class Text(NamedTuple):
    """The same in English and Chinese."""

    en: str
    zh: str


class Pair(NamedTuple):
    """One label with its number before and after; ``note`` is shown where the pointer rests."""

    label: Text
    before: int
    after: int


class Bar(NamedTuple):
    """One label with one number; ``side`` is -1 for losses, 1 for gains, 0 for neither."""

    label: Text
    number: int
    side: int


class Scale(NamedTuple):
    """Maps ``low`` … ``high`` onto ``start`` … ``end``, straight."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where ``value`` lies, to a tenth."""
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.0
        return round(self.start + share * (self.end - self.start), 1)


def ticks(low: int, high: int, count: int = 5) -> list[int]:
    """About ``count`` round numbers, evenly apart, the first at or below ``low``, the last at or above ``high``; 0 is
    among them when it lies between.
    """
    low, high = min(low, high), max(low, high)
    step = _round_step(max(1, high - low), max(1, count - 1))
    first = low // step * step
    last = -(-high // step) * step
    if last == first:
        last += step
    return list(range(first, last + 1, step))


def _round_step(span: int, parts: int) -> int:
    """The least of 1, 2, 5, 10, 20, … that covers ``span`` in so many parts."""
    power = 1
    while True:
        for step in _STEPS:
            if step * power * parts >= span:
                return step * power
        power *= 10


def short(number: int) -> str:
    """A number for an axis: 950, 1.5k, 20k, 3M."""
    size = abs(number)
    for unit, letter in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k")):
        if size >= unit:
            whole, tenth = divmod(size * 10 // unit, 10)
            text = f"{whole}.{tenth}{letter}" if tenth and whole < 100 else f"{whole}{letter}"
            return f"-{text}" if number < 0 else text
    return str(number)


def lines(points: Sequence[Pair], title: Text) -> str:
    """Two lines over time, before and after, with the area under the latter; a label under every few points."""
    width, height, left, right, top, bottom = 1040, 280, 56, 16, 16, 34
    numbers = [number for point in points for number in (point.before, point.after)] or [0]
    marks = ticks(min(0, *numbers), max(0, *numbers))
    y = Scale(marks[0], marks[-1], height - bottom, top)
    x = Scale(0, max(1, len(points) - 1), left, width - right)
    parts = [_grid(marks, y, left, width - right)]
    before = " ".join(f"{x.at(place)},{y.at(point.before)}" for place, point in enumerate(points))
    after = " ".join(f"{x.at(place)},{y.at(point.after)}" for place, point in enumerate(points))
    if points:
        last = x.at(len(points) - 1)
        parts.append(f'<polygon points="{left},{y.at(0)} {after} {last},{y.at(0)}" fill="{AFTER}" opacity="0.09"/>')
    parts.append(f'<polyline points="{before}" fill="none" stroke="{BEFORE}" stroke-width="2"/>')
    parts.append(f'<polyline points="{after}" fill="none" stroke="{AFTER}" stroke-width="2"/>')
    every = max(1, -(-len(points) // 10))
    slot = (width - left - right) / max(1, len(points))
    for place, point in enumerate(points):
        note = _pair_note(point)
        at = x.at(place)
        parts.append(
            f'<rect x="{round(at - slot / 2, 1)}" y="{top}" width="{round(slot, 1)}" height="{height - top - bottom}" '
            f'fill="transparent">{note}</rect>'
        )
        if place % every == 0 and place + every / 2 < len(points):
            anchor = "start" if place == 0 else "end" if place == len(points) - 1 else "middle"
            parts.append(lettering(at, height - 12, point.label, anchor=anchor, color=FAINT))
    if len(points) < 3:  # a line needs two ends to be seen
        for place, point in enumerate(points):
            for number, color in ((point.before, BEFORE), (point.after, AFTER)):
                parts.append(f'<circle cx="{x.at(place)}" cy="{y.at(number)}" r="4" fill="{color}"/>')
    return picture(width, height, title, parts)


def pairs(rows: Sequence[Pair], title: Text) -> str:
    """Two horizontal bars for each label, before above after, and both numbers at their ends."""
    width, left, right, row = 1040, 268, 96, 40
    height = row * max(1, len(rows)) + 30
    numbers = [number for point in rows for number in (point.before, point.after)] or [0]
    marks = ticks(min(0, *numbers), max(0, *numbers))
    x = Scale(marks[0], marks[-1], left, width - right)
    parts = []
    for mark in marks:
        parts.append(f'<line x1="{x.at(mark)}" x2="{x.at(mark)}" y1="4" y2="{height - 26}" stroke="{GRID}"/>')
        parts.append(lettering(x.at(mark), height - 10, Text(short(mark), short(mark)), anchor="middle", color=FAINT))
    for place, point in enumerate(rows):
        y = place * row + 8
        parts.append(lettering(left - 12, y + 17, fitting(point.label), anchor="end", color=INK))
        for offset, number, color in ((0, point.before, BEFORE), (13, point.after, AFTER)):
            start, end = sorted((x.at(0), x.at(number)))
            parts.append(
                f'<rect x="{start}" y="{y + offset}" width="{max(1.0, round(end - start, 1))}" height="11" rx="2" '
                f'fill="{color}">{_pair_note(point)}</rect>'
            )
            at = max(end, x.at(0)) + 6
            parts.append(lettering(at, y + offset + 10, Text(f"{number:,}", f"{number:,}"), color=FAINT, size=11))
    return picture(width, height, title, parts)


def histogram(bars: Sequence[Bar], title: Text) -> str:
    """Upright bars with their numbers on top and labels below; gains green, losses red."""
    width, height, left, right, top, bottom = 1040, 250, 46, 10, 26, 44
    marks = ticks(0, max([bar.number for bar in bars] or [1]), 4)
    y = Scale(marks[0], marks[-1], height - bottom, top)
    slot = (width - left - right) / max(1, len(bars))
    parts = [_grid(marks, y, left, width - right)]
    for place, bar in enumerate(bars):
        at = round(left + slot * place + slot * 0.14, 1)
        middle = round(left + slot * (place + 0.5), 1)
        color = GAIN if bar.side > 0 else LOSS if bar.side < 0 else BEFORE
        high = y.at(bar.number)
        note = f"<title>{escape(bar.label.en)}: {bar.number:,}</title>"
        parts.append(
            f'<rect x="{at}" y="{high}" width="{round(slot * 0.72, 1)}" height="{round(y.at(0) - high, 1)}" rx="2" '
            f'fill="{color}">{note}</rect>'
        )
        if bar.number:
            count = f"{bar.number:,}"
            parts.append(lettering(middle, high - 6, Text(count, count), anchor="middle", color=INK))
        parts.append(lettering(middle, height - 26, bar.label, anchor="middle", color=FAINT, size=11))
    return picture(width, height, title, parts)


def picture(width: int, height: int, title: Text, parts: Sequence[str]) -> str:
    """The whole of one, with what it is called for those who do not see it."""
    label = escape(f"{title.en} / {title.zh}", quote=True)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _grid(marks: Sequence[int], y: Scale, left: int, right: int) -> str:
    parts = []
    for mark in marks:
        color = FAINT if mark == 0 else GRID
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y.at(mark)}" y2="{y.at(mark)}" stroke="{color}"/>')
        label = Text(short(mark), short(mark))
        parts.append(lettering(left - 8, y.at(mark) + 4, label, anchor="end", color=FAINT))
    return "".join(parts)


def lettering(x: float, y: float, text: Text, *, anchor: str = "start", color: str = INK, size: int = 12) -> str:
    """A text that begins, ends or has its middle at ``x``; both languages, of which the page shows one."""
    start = f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{color}" font-size="{size}"'
    if text.en == text.zh:
        return f"{start}>{escape(text.en)}</text>"
    each = (("en", text.en), ("zh", text.zh))
    return "".join(f'{start} class="{name}">{escape(words)}</text>' for name, words in each)


def _pair_note(point: Pair) -> str:
    return f"<title>{escape(point.label.en)}: {point.before:,} → {point.after:,}</title>"


def fitting(label: Text) -> Text:
    """As much of a label as fits beside a bar."""
    return Text(_cut(label.en), _cut(label.zh))


def _cut(text: str) -> str:
    """As many letters as fit, and an ellipsis for the rest."""
    room = _LONGEST
    for place, letter in enumerate(text):
        room -= 2 if ord(letter) >= 0x2E80 else 1
        if room < 0:
            return f"{text[: max(0, place - 1)]}…"
    return text
