"""Segments of the caller's programme: hand them in, see how many members each has, and who is in one.

Trigger: POST and GET /v1/segments, GET /v1/segments/{id}/members. Output: the segments with their counts, or a page of
members, 200. Failure: a problem; SEGMENTS_INVALID lists every place that is wrong. After a change everybody is
looked at anew, in pages, while the answer is already there.
"""

from functions.segments.requests import MAX_BODY, Cursor, Limit, SegmentsRequest
from loyalty.clients.roles import LIST_MEMBERS
from loyalty.runtime.http import Answer, Operation, Request, serve
from loyalty.runtime.versions import IfMatch, etag, if_match
from loyalty.runtime.wiring import audiences
from loyalty.segments.views import SegmentMembersView, SegmentsView, members_view, segments_view


def hand_in(request: Request) -> Answer:
    body = request.body(SegmentsRequest, MAX_BODY)
    program = request.caller.program
    seen, now = if_match(request), request.now
    segments, cases = audiences().hand_in(program, body.source, seen=seen, now=now, in_use=_in_use)
    view = segments_view(segments, body.source, audiences().counts(program))
    return Answer(200, SegmentsView(view.segments, view.version, view.source, cases), etag(segments.version))


def _in_use(program: str) -> dict[str, list[str]]:
    from loyalty.runtime.campaigns import store  # only where a segment is taken away: a start needs none of it

    return store().segments_in_use(program)


def show(request: Request) -> Answer:
    program = request.caller.program
    segments, source = audiences().current(program)
    view = segments_view(segments, source, audiences().counts(program))
    return Answer(200, view, etag(segments.version) if segments else {})


def members(request: Request) -> Answer:
    request.may(LIST_MEMBERS, "members")
    limit, cursor = request.limit(50, 100), request.query.get("cursor", "")
    found, following = audiences().members(request.caller.program, request.params["id"], limit, cursor)
    return Answer(200, members_view(found, following))


OPERATIONS = {
    "POST /v1/segments": Operation(
        hand_in,
        SegmentsView,
        SegmentsRequest,
        problems=("SEGMENTS_INVALID", "SEGMENTS_EXPECTATION_FAILED", "SEGMENTS_VERSION_CONFLICT", "SEGMENT_IN_USE"),
        headers={"If-Match": IfMatch},
    ),
    "GET /v1/segments": Operation(show, SegmentsView),
    "GET /v1/segments/{id}/members": Operation(
        members, SegmentMembersView, problems=("SEGMENT_NOT_FOUND",), query={"limit": Limit, "cursor": Cursor}
    ),
}

lambda_handler = serve("segments", OPERATIONS)
