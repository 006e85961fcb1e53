"""Reports as they are answered."""

from typing import Annotated

from msgspec import Meta, Struct

from loyalty.experiments.findings import Report
from loyalty.experiments.words import Summary


class ReportView(Struct, frozen=True):
    """A report of a campaign, made on a day."""

    day: Annotated[str, Meta(description="When it was made, in the programme's zone", examples=["2026-11-30"])]
    summary: Annotated[Summary, Meta(description="What it says, in words")]
    report: Report


class ReportsView(Struct, frozen=True):
    """Every look at a campaign, the oldest first; a final one is the last."""

    id: str
    reports: list[ReportView]
