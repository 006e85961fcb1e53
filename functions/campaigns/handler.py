"""Campaigns of the caller's programme: handed in, started, paused, resumed, cancelled, taken up again, looked at.

Trigger: the routes of /v1/campaigns. Output: the campaign and how far it has come, 200; a list; a page of those who
were set aside; the reports. Failure: a problem; CAMPAIGNS_INVALID lists every place that is wrong. What is started
goes on by itself.
"""

from datetime import date
from typing import Any

import msgspec

from functions.campaigns.requests import (
    MAX_BODY,
    CampaignsRequest,
    CancelRequest,
    Cursor,
    Limit,
    PreviewRequest,
)
from loyalty.campaigns.preview_views import PreviewView, preview_view
from loyalty.campaigns.views import AsidesView, CampaignsView, CampaignView, asides_view, campaign_view
from loyalty.errors import NotFound
from loyalty.experiments.findings import Report
from loyalty.experiments.views import ReportsView, ReportView
from loyalty.experiments.words import summary
from loyalty.runtime.campaigns import campaigns
from loyalty.runtime.clock import moment
from loyalty.runtime.http import Answer, Operation, Request, serve


def _now(request: Request) -> int:
    return moment(request.caller.program, request.now)


def hand_in(request: Request) -> Answer:
    body = request.body(CampaignsRequest, MAX_BODY)
    found, _ = campaigns().hand_in(request.caller.program, body.source, _now(request))
    return Answer(200, CampaignsView([campaign_view(one) for one in found]))


def show_all(request: Request) -> Answer:
    return Answer(200, CampaignsView([campaign_view(one) for one in campaigns().all(request.caller.program)]))


def show(request: Request) -> Answer:
    return Answer(200, campaign_view(campaigns().show(request.caller.program, request.params["id"])))


def start(request: Request) -> Answer:
    return _moved(campaigns().start, request)


def pause(request: Request) -> Answer:
    return _moved(campaigns().pause, request)


def resume(request: Request) -> Answer:
    return _moved(campaigns().resume, request)


def redrive(request: Request) -> Answer:
    return _moved(campaigns().redrive, request)


def cancel(request: Request) -> Answer:
    why = request.body(CancelRequest).reason
    found = campaigns().cancel(request.caller.program, request.params["id"], why, _now(request), request.now)
    return Answer(200, campaign_view(found))


def _moved(act: Any, request: Request) -> Answer:
    return Answer(200, campaign_view(act(request.caller.program, request.params["id"], _now(request), request.now)))


def aside(request: Request) -> Answer:
    limit, cursor = request.limit(50, 100), request.query.get("cursor", "")
    return Answer(200, asides_view(*campaigns().aside(request.caller.program, request.params["id"], limit, cursor)))


def preview(request: Request) -> Answer:
    body, program = request.body(PreviewRequest), request.caller.program
    day = date.fromisoformat(body.day).toordinal() if body.day else 0
    found, following = campaigns().preview(program, request.params["id"], day, body.limit, body.cursor, _now(request))
    return Answer(200, preview_view(found, request.params["id"], following))


def report(request: Request) -> Answer:
    found = campaigns().reports(request.caller.program, request.params["id"])
    if not found:
        raise NotFound("CAMPAIGN_NOT_MEASURED", "Nothing of this campaign is measured yet")
    return Answer(200, ReportsView(request.params["id"], [_report(day, body) for day, body in found]))


def _report(day: int, body: str) -> ReportView:
    found = msgspec.json.decode(body, type=Report)
    return ReportView(date.fromordinal(day).isoformat(), summary(found), found)


_GONE = ("CAMPAIGN_NOT_FOUND",)
_STATE = ("CAMPAIGN_NOT_FOUND", "CAMPAIGN_STATE_CONFLICT")

OPERATIONS = {
    "POST /v1/campaigns": Operation(
        hand_in,
        CampaignsView,
        CampaignsRequest,
        problems=("CAMPAIGNS_INVALID", "CAMPAIGNS_EXPECTATION_FAILED", "CAMPAIGN_STATE_CONFLICT"),
    ),
    "GET /v1/campaigns": Operation(show_all, CampaignsView),
    "GET /v1/campaigns/{id}": Operation(show, CampaignView, problems=_GONE),
    "POST /v1/campaigns/{id}/start": Operation(start, CampaignView, problems=_STATE),
    "POST /v1/campaigns/{id}/pause": Operation(pause, CampaignView, problems=_STATE),
    "POST /v1/campaigns/{id}/resume": Operation(resume, CampaignView, problems=_STATE),
    "POST /v1/campaigns/{id}/redrive": Operation(redrive, CampaignView, problems=_STATE),
    "POST /v1/campaigns/{id}/cancel": Operation(cancel, CampaignView, CancelRequest, problems=_STATE),
    "POST /v1/campaigns/{id}/preview": Operation(preview, PreviewView, PreviewRequest, problems=_GONE),
    "GET /v1/campaigns/{id}/aside": Operation(
        aside, AsidesView, problems=_GONE, query={"limit": Limit, "cursor": Cursor}
    ),
    "GET /v1/campaigns/{id}/report": Operation(report, ReportsView, problems=(*_GONE, "CAMPAIGN_NOT_MEASURED")),
}

lambda_handler = serve("campaigns", OPERATIONS)
