"""The page of ``loyalty churn fit``: what was bought in the weeks held back beside what the model expected. One file,
with nothing from elsewhere.
"""

from html import escape
from typing import Any

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 16, 56

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; max-width: 760px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; } .bought { fill: #2f6f4f; } .expected { fill: #e0a030; }
text { font-size: 13px; fill: #444; } .grid { stroke: #e4e4e4; }
"""


def page(answer: dict[str, Any]) -> str:
    """The answer of a fit as a page of its own."""
    buying, value, held = answer["purchasing"], answer["spending"], answer["held_back"]
    facts = [
        (
            "BG/NBD",
            ", ".join(f"{name} {buying[name]:.3f}" for name in ("r", "alpha", "a", "b")),
            buying["log_likelihood"],
        ),
        (
            "Gamma-Gamma",
            ", ".join(f"{name} {value[name]:.2f}" for name in ("p", "q", "gamma")),
            value["log_likelihood"],
        ),
    ]
    rows = "".join(
        f"<tr><th>{name}</th><td>{escape(text)}</td><td>{likelihood:.1f}</td></tr>" for name, text, likelihood in facts
    )
    body = f"<table><tr><th></th><th>parameters</th><th>log-likelihood</th></tr>{rows}</table>"
    if held["weeks"]:
        body += f"<h2>The {held['weeks']:.0f} weeks held back</h2>{chart(held['repeats'])}{_table(held['repeats'])}"
    title = f"Who comes back: {answer['customers']:,} customers until {escape(answer['until'])}"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Who comes back</title><style>{_STYLE}</style><h1>{title}</h1>{body}</html>\n"
    )


def step(most: float) -> float:
    """The distance of grid lines, 1, 2 or 5 times a power of ten, so that there are at most eight up to ``most``."""
    distance = 1.0
    while distance * 8 >= most:
        distance /= 10
    while True:
        for factor in (1, 2, 5):
            if distance * factor * 8 >= most:
                return distance * factor
        distance *= 10


def chart(rows: list[dict[str, Any]]) -> str:
    """Two bars for each number of repeat purchases."""
    most = max(max(row["bought"], row["expected"]) for row in rows) or 1.0
    high = HEIGHT - TOP - BOTTOM
    wide = (WIDTH - LEFT - RIGHT) / len(rows)
    parts: list[str] = []
    grid = step(most)
    for line in range(int(most / grid) + 1):
        y = TOP + high * (1 - line * grid / most)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{line * grid:g}</text>')
    for place, row in enumerate(rows):
        x = LEFT + wide * place
        for which, name in enumerate(("bought", "expected")):
            tall = high * row[name] / most
            box = f'x="{x + wide * (0.15 + 0.35 * which):.1f}" y="{TOP + high - tall:.1f}"'
            size = f'width="{wide * 0.32:.1f}" height="{tall:.1f}"'
            parts.append(f'<rect class="{name}" {box} {size}><title>{row[name]:.3f}</title></rect>')
        middle, below = f'x="{x + wide / 2:.1f}"', f'y="{HEIGHT - BOTTOM + 18}"'
        parts.append(f'<text {middle} {below} text-anchor="middle">{_repeats(row)}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 10}">repeat purchases before</text>')
    for which, name in enumerate(("bought", "expected")):
        x = WIDTH - RIGHT - 190 + 100 * which
        parts.append(f'<rect class="{name}" x="{x}" y="{HEIGHT - 20}" width="12" height="12"/>')
        parts.append(f'<text x="{x + 18}" y="{HEIGHT - 10}">{name}</text>')
    drawn = "".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="bought and expected">{drawn}</svg>'


def _table(rows: list[dict[str, Any]]) -> str:
    head = "<tr><th>repeat purchases before</th><th>customers</th><th>bought</th><th>expected</th></tr>"
    lines = "".join(
        f"<tr><td>{_repeats(row)}</td><td>{row['customers']:,}</td>"
        f"<td>{row['bought']:.3f}</td><td>{row['expected']:.3f}</td></tr>"
        for row in rows
    )
    return f"<table>{head}{lines}</table>"


def _repeats(row: dict[str, Any]) -> str:
    return f"{row['repeats']}{'+' if row['or_more'] else ''}"
