"""How far the nights of the caller's programme have come, and whom they could not see to."""

import re
from typing import Annotated

from msgspec import Meta

from loyalty.errors import Invalid
from loyalty.runtime.http import Answer, Request
from loyalty.runtime.wiring import timers
from loyalty.timers.service import outstanding
from loyalty.timers.views import night_view

Limit = Annotated[int, Meta(ge=1, le=100, description="How many accounts at most; 50 when left out")]
Cursor = Annotated[str, Meta(max_length=80, description="The answer's next, to go on")]
_CURSOR = re.compile(r"[a-z]{1,16}#mem_[0-9A-Z]{26}#[a-z][a-z0-9]{0,15}", re.ASCII)


def look(request: Request) -> Answer:
    program, limit, after = request.caller.program, request.limit(50, 100), request.query.get("cursor", "")
    if after and not _CURSOR.fullmatch(after):
        raise Invalid("REQUEST_INVALID", "cursor: the next of an earlier answer", field="cursor")
    marks = timers().marks(program)
    found, following = timers().aside_page(program, limit, after)
    return Answer(200, night_view(marks, [one for one in found if outstanding(one, marks)], following))
