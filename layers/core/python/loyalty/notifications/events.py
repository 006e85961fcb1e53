"""What becomes of messages, as events. Pure."""

from collections.abc import Sequence
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from loyalty.ledger.events import VERSION
from loyalty.ledger.views import iso
from loyalty.notifications.message import Message

TYPES: Final = (
    "message.sent",
    "message.delivered",
    "message.opened",
    "message.clicked",
    "message.bounced",
    "message.complained",
    "message.failed",
)


class MessageEvent(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A message came so far. ``why`` is a code, where something went wrong; the words and the address are in none."""

    version: int = VERSION
    id: str
    program: str
    member: str
    message: str
    channel: str
    campaign: str
    occasion: str
    step: str
    template: str
    at: str
    why: str | UnsetType = UNSET


_FACTS: Final = {"bounced": ("bounced", "returned"), "failed": ("rejected",)}


def events_of(message: Message, news: Sequence[str]) -> list[tuple[str, MessageEvent]]:
    """(type, detail) of the states that a message has newly come to."""
    return [(f"message.{state}", _event(message, state)) for state in news]


def _event(message: Message, state: str) -> MessageEvent:
    known = [message.facts[fact] for fact in _FACTS.get(state, (state,)) if fact in message.facts]
    wrong = state in {"bounced", "complained", "failed"} and message.code
    return MessageEvent(
        id=f"{message.program}:{message.id}:{state}",
        program=message.program,
        member=message.account,
        message=message.id,
        channel=message.channel,
        campaign=message.campaign,
        occasion=message.occasion,
        step=message.step,
        template=message.template,
        at=iso(min(known) if known else message.first or message.at),
        why=message.code if wrong else UNSET,
    )
