"""The page of ``loyalty churn fit``: what was bought in the weeks held back beside what the model expected. One file,
with nothing from elsewhere.
"""

from html import escape
from typing import Any, Final

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 16, 56

_RULES: Final = {"fixed": "fixed silence", "alive": "P(alive)", "return": "chance to return", "rhythm": "own rhythm"}

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; max-width: 760px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums; }
path { fill: none; stroke-width: 2.5; } .fixed { stroke: #888; } .alive { stroke: #b04040; }
.return { stroke: #2f6f4f; } .rhythm { stroke: #e0a030; stroke-dasharray: 7 5; }
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


def lines_page(answer: dict[str, Any], curves: dict[str, list[tuple[float, float]]]) -> str:
    """The answer of a comparison as a page of its own; ``curves`` are (share of false alerts, mean day)."""
    parts = [f"<h1>When an alert comes: {answer['gone']:,} customers who are gone</h1>", curves_chart(answer, curves)]
    for fixed in answer["fixed"]:
        parts.append(f"<h2>Against {fixed['days']} days of silence, at {fixed['false_share']:.1%} false alerts</h2>")
        rows = "".join(
            f"<tr><th>{_RULES[row['rule']]}</th><td>{row['false']:,}</td><td>{row['raised']:,}</td>"
            f"<td>{row['at_once']:,}</td><td>{row['mean_day']:.1f}</td><td>{_won(row)}</td></tr>"
            for row in ({"rule": "fixed", **fixed}, *fixed["rules"])
        )
        head = "".join(
            f"<th>{name}</th>" for name in ("", "false", "gone alerted", "at once", "mean day", "days earlier")
        )
        parts.append(f"<table><tr>{head}</tr>{rows}</table>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>When an alert comes</title><style>{_STYLE}</style>{''.join(parts)}</html>\n"
    )


def curves_chart(answer: dict[str, Any], curves: dict[str, list[tuple[float, float]]]) -> str:
    """The mean day of the alert over the share of false alerts: a lower curve is a better rule."""
    high, wide = HEIGHT - TOP - BOTTOM, WIDTH - LEFT - RIGHT
    most, widest = float(answer["within_days"]), max(x for points in curves.values() for x, _ in points) or 1.0
    parts = []
    for line in range(int(most / step(most)) + 1):
        day = line * step(most)
        y = TOP + high * (1 - day / most)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{day:g}</text>')
    for line in range(int(widest / 0.1) + 1):
        x = LEFT + wide * line * 0.1 / widest
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{line * 10} %</text>')
    for place, (name, points) in enumerate(curves.items()):
        drawn = " ".join(f"{LEFT + wide * x / widest:.1f},{TOP + high * (1 - y / most):.1f}" for x, y in sorted(points))
        parts.append(f'<path class="{name}" d="M{drawn}"/>')
        at = LEFT + 165 * place
        parts.append(f'<path class="{name}" d="M{at},{HEIGHT - 14} h18"/>')
        parts.append(f'<text x="{at + 24}" y="{HEIGHT - 10}">{_RULES[name]}</text>')
    across = "of silences that end with a purchase, alerted first; up: mean day of the alert of who is gone"
    parts.append(f'<text x="{LEFT}" y="{HEIGHT + 12}">{across}</text>')
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 20}" role="img" aria-label="days to an alert">{"".join(parts)}</svg>'


def _won(row: dict[str, Any]) -> str:
    won = row.get("days_earlier")
    return f"{won['mean']:+.1f} ± {2 * won['standard_error']:.1f}" if won else ""


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
