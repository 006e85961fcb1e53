"""Messages that could not be sent for a day, or are in doubt: shown, and tried anew."""

import re
from typing import Final

from msgspec import UNSET

from functions.inbox.requests import RedriveRequest
from loyalty.errors import Invalid
from loyalty.notifications.message import Outgoing, handed, locate
from loyalty.notifications.views import RedrivenMessage, RedriveView
from loyalty.runtime.http import Answer, Request
from loyalty.runtime.wiring import hand_on, notifications
from loyalty.table.keys import OUTGOING_SHARDS

_CURSOR: Final = re.compile(r"([0-9]{1,2})\.(DEAD#mem_[0-9A-Z]{26}#[A-Za-z0-9_.-]{1,160})?", re.ASCII)


def redrive(request: Request) -> Answer:
    body = request.body(RedriveRequest)
    program, now = request.caller.program, request.now
    if body.messages:
        found, following = [one for text in body.messages if (one := _dead(program, text))], ""
    else:
        found, following = _page(program, body)
    wanted = [
        one
        for one in found
        if (one.message.phase == "doubtful") == body.doubtful
        and (not body.campaign or one.message.campaign == body.campaign)
        and (not body.code or one.message.code == body.code)
    ]
    done = [
        RedrivenMessage(
            one.message.id,
            one.message.channel,
            one.message.campaign,
            one.message.code,
            _tried(program, one, body, now),
        )
        for one in wanted
    ]
    again = [
        handed(Outgoing(one.message, one.content, now))
        for one, outcome in zip(wanted, done, strict=True)
        if outcome.outcome == "waiting"
    ]
    hand_on(again)
    return Answer(200, RedriveView(messages=done, next=following or UNSET))


def _tried(program: str, one: Outgoing, body: RedriveRequest, now: int) -> str:
    if body.dry_run:
        return notifications().standing(one)
    message = one.message
    return notifications().redrive(program, message.account, message.name, now, doubtful=body.doubtful)


def _dead(program: str, text: str) -> Outgoing | None:
    place = locate(text)
    return notifications().failed_one(program, *place) if place else None


def _page(program: str, body: RedriveRequest) -> tuple[list[Outgoing], str]:
    match = _CURSOR.fullmatch(body.cursor or "0.")
    if match is None:
        raise Invalid("REQUEST_INVALID", "cursor: the next of an answer", field="cursor")
    found, shard, after = notifications().failed(program, body.limit, int(match[1]), match[2] or "")
    return found, "" if shard >= OUTGOING_SHARDS else f"{shard}.{after}"
