"""The clock of the caller's programme."""

from typing import Annotated

from msgspec import Meta, Struct

from loyalty.ledger.views import iso
from loyalty.programs.clock import Clock, is_sandbox
from loyalty.runtime.clock import clocks
from loyalty.runtime.http import Answer, Request
from loyalty.shapes import Body, Moment, seconds


class ClockRequest(Body):
    """Which moment it is to be. Sent again, it changes nothing."""

    to: Annotated[Moment, Meta(description="Ahead of the programme's time, by 20 years of the world's at most")]


class ClockView(Struct, frozen=True):
    """What time it is in a programme, and by how many seconds that is ahead of the world."""

    program: str
    sandbox: bool
    now: str
    ahead: int


def tell(request: Request) -> Answer:
    return _answer(request, clocks().of(request.caller.program))


def move(request: Request) -> Answer:
    to = seconds(request.body(ClockRequest).to)
    return _answer(request, clocks().move(request.caller.program, to, request.wall))


def _answer(request: Request, clock: Clock) -> Answer:
    program = request.caller.program
    return Answer(200, ClockView(program, is_sandbox(program), iso(request.wall + clock.ahead), clock.ahead))
