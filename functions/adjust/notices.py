"""What a member was told of points that end or shrink, as whoever has told it says."""

from functions.adjust.requests import NoticeRequest
from loyalty.errors import Invalid
from loyalty.ids import locate
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Chain
from loyalty.runtime.http import Answer, Request, posted
from loyalty.runtime.wiring import ledger, policy
from loyalty.shapes import seconds
from loyalty.timers.ends import confirm, confirm_decay


def notice(request: Request) -> Answer:
    body = request.body(NoticeRequest)
    cause = request.cause()
    chain = Chain(request.caller.program, request.member(), body.wallet)
    if (body.ends_by is None) == (body.decays_on is None):
        raise Invalid("REQUEST_INVALID", "ends_by or decays_on: one of the two", field="ends_by")
    program, told = policy(chain.program), _told(chain, body.entry)
    upto, on = seconds(body.ends_by) if body.ends_by else 0, body.decays_on.toordinal() if body.decays_on else 0

    def decide(draft: Draft) -> None:
        if on:
            confirm_decay(draft, program, on, body.outcome, told)
        else:
            confirm(draft, program, upto, body.outcome, told)

    return posted(ledger().post(chain, cause, request.now, decide))


def _told(chain: Chain, entry: str | None) -> State | None:
    """The account as it was with the entry that was told of. Invalid when that is not one of it."""
    if entry is None:
        return None
    place = locate("ent", entry)
    found = None
    if place is not None and (place.account, place.wallet) == (chain.account, chain.wallet):
        found = ledger().store.entry(chain, place.number)
    if found is None:
        raise Invalid("REQUEST_INVALID", "entry: the id of an entry of this member and wallet", field="entry")
    return found.state
