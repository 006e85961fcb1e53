"""Rule sets of the caller's programme: hand in, list, try, put in force, go back.

Trigger: POST and GET /v1/rule-sets, GET /v1/rule-sets/{id}, POST /v1/rule-sets/{id}/test, /publish, /rollback. Output:
the rule set, what came of its cases, or what is in force, 200; a draft, 201. Failure: a problem; RULE_SET_INVALID lists
every place that is wrong. Functions that run take up what is in force within half a minute.
"""

from secrets import token_bytes

from msgspec import UNSET

from functions.rules.requests import MAX_BODY, SHOWN_ACTS, Cursor, Limit, RuleSetRequest
from loyalty.errors import Invalid
from loyalty.rules.versions import Published, is_id, new_id
from loyalty.rules.views import (
    InForceView,
    RuleSetsView,
    RuleSetView,
    TestView,
    act_view,
    in_force_view,
    previous_of,
    rule_set_view,
    test_view,
)
from loyalty.runtime.http import Answer, Operation, Request, serve
from loyalty.runtime.versions import IfMatch, etag, if_match
from loyalty.runtime.wiring import rule_sets


def hand_in(request: Request) -> Answer:
    body = request.body(RuleSetRequest, MAX_BODY)
    caller = request.caller
    rule_set = new_id(request.now * 1000, token_bytes(10))
    written = rule_sets().hand_in(caller.program, body.source, rule_set=rule_set, actor=caller.client, now=request.now)
    return Answer(201, rule_set_view(written, 0))


def show_all(request: Request) -> Answer:
    cursor = request.query.get("cursor", "")
    if cursor and not is_id(cursor):
        raise Invalid("REQUEST_INVALID", "cursor: the next of an earlier answer", field="cursor")
    program = request.caller.program
    current = rule_sets().current(program)
    found, after = rule_sets().page(program, request.limit(50, 100), cursor or None)
    views = [rule_set_view(one, current.number) for one in found]
    acts = [act_view(act) for act in rule_sets().acts(program, SHOWN_ACTS)]
    headers = etag(current.revision) if current.revision else {}
    return Answer(200, RuleSetsView(views, current.number, previous_of(current), acts, after or UNSET), headers)


def show(request: Request) -> Answer:
    program = request.caller.program
    written = rule_sets().named(program, request.params["id"])
    number = rule_sets().current(program).number
    return Answer(200, rule_set_view(written, number, rule_sets().source(program, written)))


def test(request: Request) -> Answer:
    return Answer(200, test_view(rule_sets().test(request.caller.program, request.params["id"])))


def publish(request: Request) -> Answer:
    program, name, by = request.caller.program, request.params["id"], request.caller.client
    return _in_force(rule_sets().publish(program, name, seen=if_match(request), actor=by, now=request.now))


def roll_back(request: Request) -> Answer:
    program, name, by = request.caller.program, request.params["id"], request.caller.client
    return _in_force(rule_sets().roll_back(program, name, seen=if_match(request), actor=by, now=request.now))


def _in_force(done: Published) -> Answer:
    return Answer(200, in_force_view(done), etag(done.current.revision))


_IN_FORCE = ("RULE_SET_NOT_FOUND", "RULE_SET_VERSION_CONFLICT")
_PUBLISH = (
    *_IN_FORCE,
    "RULE_SET_INVALID",
    "RULE_SET_EXPECTATION_FAILED",
    "RULE_SET_NOT_SIMULATED",
    "RULE_SET_GUARD_EXCEEDED",
    "RULE_SET_BUDGET_TOO_LOW",
)
OPERATIONS = {
    "POST /v1/rule-sets": Operation(hand_in, RuleSetView, RuleSetRequest, 201, ("RULE_SET_INVALID",)),
    "GET /v1/rule-sets": Operation(show_all, RuleSetsView, query={"limit": Limit, "cursor": Cursor}),
    "GET /v1/rule-sets/{id}": Operation(show, RuleSetView, problems=("RULE_SET_NOT_FOUND",)),
    "POST /v1/rule-sets/{id}/test": Operation(test, TestView, problems=("RULE_SET_NOT_FOUND", "RULE_SET_INVALID")),
    "POST /v1/rule-sets/{id}/publish": Operation(
        publish, InForceView, problems=_PUBLISH, headers={"If-Match": IfMatch}
    ),
    "POST /v1/rule-sets/{id}/rollback": Operation(
        roll_back, InForceView, problems=(*_IN_FORCE, "RULE_SET_NOT_CURRENT"), headers={"If-Match": IfMatch}
    ),
}

lambda_handler = serve("rules", OPERATIONS)
