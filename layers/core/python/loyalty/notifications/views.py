"""Messages as the API shows them. Pure."""

from collections.abc import Callable
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from loyalty.ledger.views import iso
from loyalty.notifications.message import STATES, Message, filled

Addresses = Callable[[Message], tuple[tuple[str, ...], str]]
"""Gives those of a message's links, and the one that unsubscribes; "" for none."""
_ORDER: Final[dict[str, int]] = {fact: position for position, fact in enumerate(STATES)}


class MessageView(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Where one message stands. ``happened`` has each thing known of it and when it was first heard of; ``code`` says
    why, where it was not sent, came back, or is in doubt.
    """

    id: str
    member: str
    channel: str
    state: str
    campaign: str
    occasion: str
    step: str
    template: str
    version: int
    created_at: str
    happened: dict[str, str]
    tries: int = 0
    code: str | UnsetType = UNSET
    not_after: str | UnsetType = UNSET
    provider_id: str | UnsetType = UNSET


class InboxMessage(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One message of an inbox. ``html`` is escaped and needs no more than to be shown."""

    id: str
    campaign: str
    at: str
    subject: str
    text: str
    read: bool
    html: str | UnsetType = UNSET
    data: dict[str, str] | UnsetType = UNSET
    read_at: str | UnsetType = UNSET


class InboxView(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What lies in a member's inbox, the newest first; ``unread`` counts all of it, ``next`` goes on."""

    messages: list[InboxMessage]
    unread: int
    next: str | UnsetType = UNSET


class RedrivenMessage(Struct, frozen=True):
    """What became of one that had failed, or was in doubt: ``failed`` or ``doubtful`` when it was only looked at,
    ``waiting``, ``refused`` when it is too late for it, ``gone``.
    """

    id: str
    channel: str
    campaign: str
    code: str
    outcome: str


class RedriveView(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Messages that were tried anew, or would be; ``next`` goes on."""

    messages: list[RedrivenMessage]
    next: str | UnsetType = UNSET


def message_view(message: Message) -> MessageView:
    happened = sorted(message.facts.items(), key=lambda one: (one[1], _ORDER[one[0]]))
    return MessageView(
        id=message.id,
        member=message.account,
        channel=message.channel,
        state=message.state,
        campaign=message.campaign,
        occasion=message.occasion,
        step=message.step,
        template=message.template,
        version=message.version,
        created_at=iso(message.at),
        happened={fact: iso(at) for fact, at in happened},
        tries=message.attempts,
        code=message.code or UNSET,
        not_after=iso(message.until) if message.until else UNSET,
        provider_id=message.provider_id or UNSET,
    )


def inbox_message(message: Message, addresses: Addresses) -> InboxMessage:
    """A message with its links."""
    content = message.content
    words = filled(content, *addresses(message)) if content is not None else None
    opened = message.facts.get("opened")
    return InboxMessage(
        id=message.id,
        campaign=message.campaign,
        at=iso(message.at),
        subject=words.subject if words else "",
        text=words.text if words else "",
        read=opened is not None,
        html=words.html or UNSET if words else UNSET,
        data=dict(words.data) or UNSET if words else UNSET,
        read_at=UNSET if opened is None else iso(opened),
    )


def inbox_view(lying: list[Message], limit: int, after: str, addresses: Addresses) -> InboxView:
    """A page of an inbox, behind the message ``after``; from its beginning when that lies there no more."""
    ids = [one.id for one in lying]
    first = ids.index(after) + 1 if after in ids else 0
    page = lying[first : first + limit]
    return InboxView(
        messages=[inbox_message(one, addresses) for one in page],
        unread=sum("opened" not in one.facts for one in lying),
        next=page[-1].id if page and first + limit < len(lying) else UNSET,
    )
