"""``loyalty churn fit``: fit the models on purchases in a file, and see how well they foretell the rest of it."""

import argparse
import csv
import gzip
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

from cli.churn_compare import compare
from cli.churn_page import page
from cli.target import CommandError

if TYPE_CHECKING:
    from cli.command import Session
    from loyalty.churn.history import Record
    from loyalty.churn.model import Purchasing

MOST_REPEATS: Final = 7
"""Buyers with so many repeat purchases or more are one row."""


def register(group: Any) -> None:
    """The commands; ``group`` are those of ``loyalty churn``."""
    one = group.add_parser("fit", help="fit the churn models on purchases in a file, and try them on what is held back")
    _file(one)
    one.add_argument("--until", type=_day, metavar="DATE", help="fit on what was bought by then (all there is)")
    one.add_argument("--json", action="store_true", help="everything as JSON")
    one.add_argument("--html", type=Path, metavar="FILE", help="write a page with a picture")

    def run(session: "Session", given: Any) -> None:
        purchases = by_customer(given, session.said)
        fit(purchases, given.until, as_json=given.json, html=given.html, out=session.out, said=session.said)

    one.set_defaults(run=run)

    one = group.add_parser("compare", help="the models' alerts against a fixed silence, at as many false alerts")
    _file(one)
    one.add_argument("--until", type=_day, metavar="DATE", required=True, help="fit on what was bought by then")
    one.add_argument("--silence", type=_days, action="append", metavar="DAYS", help="may be repeated (14 and 30)")
    one.add_argument(
        "--within", type=_days, metavar="DAYS", default=60, help="after so many without a purchase: gone (60)"
    )
    one.add_argument("--json", action="store_true", help="everything as JSON")
    one.add_argument("--html", type=Path, metavar="FILE", help="write a page with a picture")

    def run_compare(session: "Session", given: Any) -> None:
        purchases = by_customer(given, session.said)
        compare(
            purchases,
            given.until,
            given.silence or [14, 30],
            given.within,
            as_json=given.json,
            html=given.html,
            out=session.out,
            said=session.said,
        )

    one.set_defaults(run=run_compare)


def _file(one: Any) -> None:
    one.add_argument("--purchases", type=Path, metavar="FILE", required=True, help="CSV with a header, or that gzipped")
    one.add_argument("--customer-column", metavar="NAME", default="customer", help="who bought (customer)")
    one.add_argument("--date-column", metavar="NAME", default="date", help="when, ISO, what follows the day is unread")
    one.add_argument("--amount-column", metavar="NAME", default="amount", help="for how much (amount)")


def by_customer(given: Any, said: Console) -> dict[str, dict[date, float]]:
    """What the file holds, by customer and day. CommandError names the line that cannot be read."""
    from loyalty.churn import history

    columns = (given.customer_column, given.date_column, given.amount_column)
    with said.status("reading ..."):
        customers = history.by_day(_purchases(given.purchases, *columns))
    if not customers:
        raise CommandError(f"{given.purchases}: no purchases")
    return customers


def fit(
    customers: dict[str, dict[date, float]],
    until: date | None,
    *,
    as_json: bool,
    html: Path | None,
    out: Console,
    said: Console,
) -> None:
    """Fit BG/NBD and Gamma-Gamma on what was bought by the end of ``until``; the rest is held back and foretold."""
    import numpy as np  # slow to import, and no other command needs them

    from loyalty.churn import fit as fitting
    from loyalty.churn import history

    last = max(one for days in customers.values() for one in days)
    until = min(until or last, last)
    records = history.records(customers, until)
    try:
        with said.status("fitting ..."):
            columns = fitting.columns(records)
            purchasing = fitting.purchasing(*columns)
            spending = fitting.spending(columns[0], np.array([one.mean for one in records]))
    except fitting.TooFew as error:
        raise CommandError(str(error)) from None
    weeks = (last - until).days / history.DAYS_IN_WEEK
    rows = _foretold(records, purchasing.model, weeks)
    answer = {
        "until": until.isoformat(),
        "customers": purchasing.members,
        "purchasing": {**_values(purchasing.model), "log_likelihood": purchasing.log_likelihood},
        "spending": {
            **_values(spending.model),
            "log_likelihood": spending.log_likelihood,
            "customers": spending.members,
            "mean_value": spending.model.expected(0, 0.0),
        },
        "held_back": {"weeks": weeks, "repeats": rows},
    }
    if as_json:
        out.print(json.dumps(answer, indent=2), markup=False, soft_wrap=True)
    else:
        _show(answer, out)
    if html is not None:
        try:
            html.write_text(page(answer), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{html}: {error}") from None
        said.print(f"page: {html}", markup=False)


def _purchases(file: Path, customer: str, day: str, amount: str) -> Iterator[tuple[str, date, float]]:
    opened = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rt", newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines)
            missing = [name for name in (customer, day, amount) if name not in (rows.fieldnames or ())]
            if missing:
                raise CommandError(f"{file}: no column {missing[0]!r}; it has {', '.join(rows.fieldnames or ())}")
            for row in rows:
                try:
                    yield row[customer], date.fromisoformat(row[day][:10]), _value(row[amount])
                except (ValueError, TypeError) as error:  # TypeError: the line ends early
                    raise CommandError(f"{file}:{rows.line_num}: {error}") from None
    except (OSError, EOFError, UnicodeError, csv.Error) as error:
        raise CommandError(f"{file}: {error}") from None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-10-31") from None


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 3660:
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to 3660")
    return int(text)


def _value(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e12:  # NaN is neither
        raise ValueError(f"an amount is 0 or more, not {text}")
    return value


def _foretold(records: "list[Record]", model: "Purchasing", weeks: float) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for repeats in range(MOST_REPEATS + 1):
        alike = [one for one in records if min(one.buyer.repeats, MOST_REPEATS) == repeats]
        if alike:
            rows.append(
                {
                    "repeats": repeats,
                    "or_more": repeats == MOST_REPEATS,
                    "customers": len(alike),
                    "bought": sum(one.held_back for one in alike) / len(alike),
                    "expected": sum(model.expected(one.buyer, weeks) for one in alike) / len(alike),
                }
            )
    return rows


def _values(model: Any) -> dict[str, float]:
    return {name: getattr(model, name) for name in model.__struct_fields__}


def _show(answer: dict[str, Any], out: Console) -> None:
    buying, value = answer["purchasing"], answer["spending"]
    out.print(f"{answer['customers']:,} customers until {answer['until']}, weeks, purchases of one day added up")
    out.print(
        "BG/NBD       " + "  ".join(f"{name} {buying[name]:.3f}" for name in ("r", "alpha", "a", "b")),
        f" log-likelihood {buying['log_likelihood']:.1f}",
    )
    out.print(
        "Gamma-Gamma  " + "  ".join(f"{name} {value[name]:.2f}" for name in ("p", "q", "gamma")),
        f" log-likelihood {value['log_likelihood']:.1f}, on {value['customers']:,} repeat buyers",
    )
    held = answer["held_back"]
    if not held["weeks"]:
        return
    table = Table(title=f"The {held['weeks']:.0f} weeks held back: purchases of a customer")
    for name in ("repeat purchases before", "customers", "bought", "expected"):
        table.add_column(name, justify="right")
    for row in held["repeats"]:
        table.add_row(
            f"{row['repeats']}{'+' if row['or_more'] else ''}",
            f"{row['customers']:,}",
            f"{row['bought']:.3f}",
            f"{row['expected']:.3f}",
        )
    out.print(table)
