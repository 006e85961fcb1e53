"""What the campaigns function answers of stored reports."""

from datetime import date

import msgspec

from loyalty.errors import NotFound
from loyalty.experiments.findings import Report
from loyalty.experiments.views import ReportsView, ReportView
from loyalty.experiments.words import summary


def reports_view(campaign: str, found: list[tuple[int, str]]) -> ReportsView:
    """Reports of a campaign, each with its day, as they are kept; in words, too. NotFound where there is none."""
    if not found:
        raise NotFound("CAMPAIGN_NOT_MEASURED", "Nothing of this campaign is measured yet")
    return ReportsView(campaign, [_report(day, body) for day, body in found])


def _report(day: int, body: str) -> ReportView:
    found = msgspec.json.decode(body, type=Report)
    return ReportView(date.fromordinal(day).isoformat(), summary(found), found)
