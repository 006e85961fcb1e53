"""``loyalty churn compare``: how much earlier the model's alerts come than those after a fixed silence."""

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

from cli.churn_page import lines_page
from cli.target import CommandError

if TYPE_CHECKING:
    from loyalty.churn.model import Purchasing

NAMES: Final = {"alive": "P(alive)", "return": "chance to return", "rhythm": "own rhythm"}
_LEVELS: Final = 60
"""Points of a curve."""


def compare(
    customers: dict[str, dict[date, float]],
    until: date,
    fixed: list[int],
    within: int,
    *,
    as_json: bool,
    html: Path | None,
    out: Console,
    said: Console,
) -> None:
    """Fit on what was bought by the end of ``until``, then try the alerts on every silence that begins after it and
    can be watched for ``within`` days.
    """
    from loyalty.churn import comparison, history
    from loyalty.churn import fit as fitting

    last = max(day for days in customers.values() for day in days)
    found = comparison.silences(customers, until, last, within)
    gone = sum(not one.days for one in found)
    if not gone or gone == len(found):
        raise CommandError(
            f"nobody to tell apart: {len(found)} silences after {until}, {gone} of them for {within} days"
        )
    try:
        with said.status("fitting ..."):
            model = fitting.purchasing(*fitting.columns(history.records(customers, until))).model
    except fitting.TooFew as error:
        raise CommandError(str(error)) from None
    with said.status("comparing ..."):
        answer = {
            "until": until.isoformat(),
            "within_days": within,
            "silences": len(found),
            "gone": gone,
            "purchasing": {name: getattr(model, name) for name in model.__struct_fields__},
            "fixed": [_against(found, model, days, within) for days in fixed],
        }
        curves = _curves(found, model, within) if html is not None else {}
    if as_json:
        out.print(json.dumps(answer, indent=2), markup=False, soft_wrap=True)
    else:
        _show(answer, out)
    if html is not None:
        try:
            html.write_text(lines_page(answer, curves), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{html}: {error}") from None
        said.print(f"page: {html}", markup=False)


def _against(found: Any, model: "Purchasing", days: int, within: int) -> dict[str, Any]:
    from loyalty.churn import comparison

    back = sum(bool(one.days) for one in found)
    same = [days] * len(found)
    base = comparison.judged(found, same, within)
    rows = []
    for name, rule in comparison.rules(model, within).items():
        level = comparison.matched(rule, found, base.false)
        ours = comparison.days_of(rule, level, found)
        outcome = comparison.judged(found, ours, within)
        won = comparison.earlier(found, ours, same, within)
        rows.append(
            {
                "rule": name,
                "log_odds": level,
                **_outcome(outcome, back),
                "days_earlier": {"median": won.median, "mean": won.mean, "standard_error": won.error},
            }
        )
    return {"days": days, **_outcome(base, back), "rules": rows}


def _outcome(outcome: Any, back: int) -> dict[str, Any]:
    return {
        "false": outcome.false,
        "false_share": outcome.false / back,
        "raised": outcome.raised,
        "at_once": outcome.at_once,
        "median_day": outcome.median,
        "mean_day": outcome.mean,
    }


def _curves(found: Any, model: "Purchasing", within: int) -> dict[str, list[tuple[float, float]]]:
    """Of each rule, at every level: the share of false alerts, and the mean day of the alert of all who are gone."""
    from loyalty.churn import comparison

    back = sum(bool(one.days) for one in found)

    def point(days: list[int]) -> tuple[float, float]:
        outcome = comparison.judged(found, days, within)
        return outcome.false / back, outcome.mean

    curves = {"fixed": [point([day] * len(found)) for day in range(within)]}
    for name, rule in comparison.rules(model, within).items():
        levels = [comparison.matched(rule, found, back * at // _LEVELS) for at in range(_LEVELS)]
        curves[name] = [point(comparison.days_of(rule, level, found)) for level in levels]
    return curves


def _show(answer: dict[str, Any], out: Console) -> None:
    out.print(
        f"{answer['silences']:,} silences after {answer['until']}; {answer['gone']:,} lasted over "
        f"{answer['within_days']} days: gone"
    )
    for fixed in answer["fixed"]:
        table = Table(title=f"Against {fixed['days']} days of silence, at {fixed['false_share']:.1%} false alerts")
        for name in ("alert by", "false", "gone alerted", "at once", "median day", "mean day", "days earlier, mean"):
            table.add_column(name, justify="left" if name == "alert by" else "right")
        for row in ({"rule": "fixed", **fixed}, *fixed["rules"]):
            won = row.get("days_earlier")
            table.add_row(
                NAMES.get(row["rule"], f"{fixed['days']} days"),
                f"{row['false']:,}",
                f"{row['raised']:,}",
                f"{row['at_once']:,}",
                f"{row['median_day']:g}",
                f"{row['mean_day']:.1f}",
                f"{won['mean']:+.1f} ± {2 * won['standard_error']:.1f}" if won else "",
            )
        out.print(table)
