"""Measured values beside their bounds, as a file and as a table."""

import json
from pathlib import Path
from typing import Final, NamedTuple

WRITTEN_TO: Final = Path(__file__).parent / "report.json"


class Row(NamedTuple):
    """One measured value; it holds when it is not above ``bound``. One without a bound is there to compare with."""

    name: str
    value: float
    unit: str
    bound: float | None = None

    @property
    def ok(self) -> bool:
        return self.bound is None or self.value <= self.bound


def write(rows: list[Row]) -> None:
    """Write the report, a list of ``{"name", "value", "unit", "bound", "ok"}``."""
    report = [{**row._asdict(), "ok": row.ok} for row in rows]
    WRITTEN_TO.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


def table(rows: list[Row]) -> str:
    """The same for people; a row that does not hold is marked."""
    widths = [max(len(row.name) for row in rows), max(len(row.unit) for row in rows)]
    lines = [f"{'':{widths[0]}}  {'measured':>9}  {'bound':>9}"]
    for row in rows:
        mark = "" if row.ok else "MISSED"
        bound = "" if row.bound is None else f"{row.bound:g}"
        lines.append(f"{row.name:{widths[0]}}  {row.value:>9g}  {bound:>9}  {row.unit:{widths[1]}}  {mark}")
    return "\n".join(line.rstrip() for line in lines)
