"""Campaigns of the caller's programme: handed in, started, paused, resumed, cancelled, taken up again, looked at.

Trigger: the routes of /v1/campaigns. Output: the campaign and how far it has come, 200; a list; a page of those who
were set aside; the reports. Failure: a problem; CAMPAIGNS_INVALID lists every place that is wrong. What is started
goes on by itself.
"""

from collections.abc import Callable

from functions.campaigns import requests
from functions.campaigns.answers import reports_view
from loyalty.campaigns.preview_views import PreviewView, preview_view
from loyalty.campaigns.trial_views import TextsView, texts_view
from loyalty.campaigns.views import AsidesView, CampaignsView, CampaignView, asides_view, campaign_view
from loyalty.clients.roles import LIST_MEMBERS
from loyalty.experiments.views import ReportsView
from loyalty.runtime.campaigns import campaigns
from loyalty.runtime.http import Answer, Operation, Request, serve

Handler = Callable[[Request], Answer]


def hand_in(request: Request) -> Answer:
    body = request.body(requests.CampaignsRequest, requests.MAX_BODY)
    found, _ = campaigns().hand_in(request.caller.program, body.source, request.now)
    return Answer(200, CampaignsView([campaign_view(one) for one in found]))


def show_all(request: Request) -> Answer:
    return Answer(200, CampaignsView([campaign_view(one) for one in campaigns().all(request.caller.program)]))


def show(request: Request) -> Answer:
    return Answer(200, campaign_view(campaigns().show(request.caller.program, request.params["id"])))


def _moved(name: str) -> Handler:
    def act(request: Request) -> Answer:
        program, campaign = request.caller.program, request.params["id"]
        return Answer(200, campaign_view(getattr(campaigns(), name)(program, campaign, request.now, request.wall)))

    return act


def cancel(request: Request) -> Answer:
    why = request.body(requests.CancelRequest).reason
    found = campaigns().cancel(request.caller.program, request.params["id"], why, request.now, request.wall)
    return Answer(200, campaign_view(found))


def aside(request: Request) -> Answer:
    request.may(LIST_MEMBERS, "members")
    limit, cursor = request.limit(50, 100), request.query.get("cursor", "")
    return Answer(200, asides_view(*campaigns().aside(request.caller.program, request.params["id"], limit, cursor)))


def preview(request: Request) -> Answer:
    asked = request.body(requests.PreviewRequest).asked(request.caller.program, request.params["id"])
    seen = campaigns().preview(asked, request.now)
    named = LIST_MEMBERS in request.caller.scopes  # as with segments: who tries campaigns need not know who is who
    return Answer(200, preview_view(seen.outlooks, asked.campaign, seen.following, seen.left, seen.purse, named=named))


def texts(request: Request) -> Answer:
    asked = request.body(requests.TextsRequest).asked()
    return Answer(200, texts_view(campaigns().texts(request.caller.program, request.params["id"], asked, request.now)))


def report(request: Request) -> Answer:
    campaign = request.params["id"]
    return Answer(200, reports_view(campaign, campaigns().reports(request.caller.program, campaign)))


_GONE = ("CAMPAIGN_NOT_FOUND",)
_STATE = ("CAMPAIGN_NOT_FOUND", "CAMPAIGN_STATE_CONFLICT")

OPERATIONS = {
    "POST /v1/campaigns": Operation(
        hand_in,
        CampaignsView,
        requests.CampaignsRequest,
        problems=("CAMPAIGNS_INVALID", "CAMPAIGNS_EXPECTATION_FAILED", "CAMPAIGN_STATE_CONFLICT"),
    ),
    "GET /v1/campaigns": Operation(show_all, CampaignsView),
    "GET /v1/campaigns/{id}": Operation(show, CampaignView, problems=_GONE),
    **{
        f"POST /v1/campaigns/{{id}}/{name}": Operation(_moved(name), CampaignView, problems=(*_STATE, *further))
        for name, *further in (("start", "CAMPAIGN_SEGMENT_GONE"), ("pause",), ("resume",), ("redrive",))
    },
    "POST /v1/campaigns/{id}/cancel": Operation(cancel, CampaignView, requests.CancelRequest, problems=_STATE),
    "POST /v1/campaigns/{id}/preview": Operation(preview, PreviewView, requests.PreviewRequest, problems=_GONE),
    "POST /v1/campaigns/{id}/texts": Operation(texts, TextsView, requests.TextsRequest, problems=_GONE),
    "GET /v1/campaigns/{id}/aside": Operation(
        aside, AsidesView, problems=_GONE, query={"limit": requests.Limit, "cursor": requests.Cursor}
    ),
    "GET /v1/campaigns/{id}/report": Operation(report, ReportsView, problems=(*_GONE, "CAMPAIGN_NOT_MEASURED")),
}

lambda_handler = serve("campaigns", OPERATIONS)
