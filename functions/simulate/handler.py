"""Try a rule set on stored purchases: begin, and look how far it has come or what it found.

Trigger: POST /v1/rule-sets/{id}/simulate, GET /v1/simulations/{id}. Output: 202 and a simulation that is running; 200
and how far it has come, with its figures once it is done. Failure: a problem; a part that could not be worked off
makes the simulation incomplete, and says which.
"""

from secrets import token_bytes

from functions.simulate.requests import SimulationRequest
from loyalty.backtests.backtest import Asked
from loyalty.backtests.service import Report
from loyalty.backtests.views import SimulationView, simulation_view, unnamed
from loyalty.clients.roles import LIST_MEMBERS
from loyalty.runtime.http import Answer, Operation, Request, serve
from loyalty.runtime.wiring import backtests


def begin(request: Request) -> Answer:
    body = request.body(SimulationRequest)
    caller = request.caller
    asked = Asked(body.days, body.until)
    report = backtests().begin(caller.program, request.params["id"], asked, caller.client, request.now, token_bytes(10))
    return Answer(202, _view(request, report))


def show(request: Request) -> Answer:
    return Answer(200, _view(request, backtests().report(request.caller.program, request.params["id"], request.now)))


def _view(request: Request, report: Report) -> SimulationView:
    figures = report.figures
    if figures is not None and LIST_MEMBERS not in request.caller.scopes:
        figures = unnamed(figures)
    return simulation_view(report.backtest, report.progress, figures)


OPERATIONS = {
    "POST /v1/rule-sets/{id}/simulate": Operation(
        begin, SimulationView, SimulationRequest, 202, ("RULE_SET_NOT_FOUND", "RULE_SET_INVALID", "PROGRAM_NOT_FOUND")
    ),
    "GET /v1/simulations/{id}": Operation(show, SimulationView, problems=("SIMULATION_NOT_FOUND",)),
}

lambda_handler = serve("simulate", OPERATIONS)
