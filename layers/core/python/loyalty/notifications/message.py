"""A message to one member by one channel: what it is called, where it stands, and how that changes. Pure.

Where it stands has two parts. ``phase`` is how far sending has come, and only who sends changes it. ``facts`` are what
is known to have happened, each with the first time it was heard of; they are only ever added to, so in whatever order
and however often reports arrive, the same state comes out.

=========== ========================================================================================================
waiting     to be sent when it is due, for the first time or again
sending     claimed by one running copy, which has not said what came of it
doubtful    sent, and nobody knows whether it was taken; sent again when it is known that it was not
refused     it will never be sent: the provider, the member or the clock does not allow it (``code``)
failed      tried for a day in vain; people may have it tried anew
sent        the provider has it
delivered   the member's mailbox or device has it
opened      it was looked at
clicked     a link in it was followed
bounced     it came back
complained  the member called it unwanted
=========== ========================================================================================================
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loyalty.errors import Corrupt

KEPT_S: Final = 400 * 86_400
"""So long after it was made the table forgets a message."""
Phase = Literal["waiting", "sending", "doubtful", "refused", "failed"]
State = Literal[
    "waiting",
    "sending",
    "doubtful",
    "refused",
    "failed",
    "sent",
    "delivered",
    "opened",
    "clicked",
    "bounced",
    "complained",
]
Fact = Literal["sent", "rejected", "returned", "delivered", "opened", "clicked", "bounced", "complained"]
"""``rejected``: the provider had taken it and threw it away. ``returned``: it could not be delivered this time, and the
address may still be good; ``bounced``: the address is not.
"""
STATES: Final[Mapping[Fact, State]] = {
    "sent": "sent",
    "rejected": "refused",
    "returned": "bounced",
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "bounced": "bounced",
    "complained": "complained",
}
"""The state that each fact makes; each outweighs those before it."""

INBOX: Final = "inbox"
REPORTED: Final = frozenset({"email"})
"""Channels that report whether a message arrived; of the others the provider's word that it has it is all there is."""
RECOGNISED: Final = frozenset({"webhook"})
"""Channels whose receivers know a message again by its id, so that one in doubt is sent once more."""
PERSONAL: Final = frozenset({"sms", "push", "wechat", "wecom"})
"""Channels that end at the member, and where taken is as good as told; a webhook ends at the programme."""

TRIED_S: Final = 86_400
"""So long after its first try a message is tried again."""
ABANDONED_S: Final = 300
"""A claim so old belongs to a copy that is gone: no function runs so long."""
SILENT_S: Final = 6 * 3_600
"""So long after its claim, on the world's clock, a message of which no report came was not taken, if reports come."""
LOOK_S: Final = 3_600
"""How often one in doubt is looked at from then on, while nobody can say whether reports come."""
DOUBTED_S: Final = 3 * 86_400
"""So long after its claim one in doubt is set aside for people to decide about."""
_FIRST_S: Final = 30
_LONGEST_S: Final = 3_600

UNSUBSCRIBE_PLACEHOLDER: Final = "https://link.invalid/unsubscribe"
_ID: Final = re.compile(r"msg_([0-7][0-9A-HJKMNP-TV-Z]{25})-([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){1,4})", re.ASCII)
_LINK: Final = re.compile(r"https://link\.invalid/([0-9]{1,2}|unsubscribe)(?![0-9A-Za-z])", re.ASCII)


class Notice(Struct, frozen=True):
    """What the message tells of: points of a wallet that end by ``upto`` (seconds since 1970, UTC), or, where
    ``decays`` is not 0, shrink on that day (an ordinal); as they were with the entry ``number``, 0 where that is not
    known.
    """

    wallet: str
    upto: int
    number: int = 0
    decays: int = 0


class Bought(Struct, frozen=True):
    """What a member had bought when the message's campaign began for them: so many ``purchases``, the ``last`` on this
    day.
    """

    purchases: int = 0
    last: int = 0


class Content(Struct, frozen=True, omit_defaults=True):
    """A message in words of a language. Links are placeholders until it leaves."""

    subject: str = ""
    text: str = ""
    html: str = ""
    data: Mapping[str, str] = {}
    language: str = ""


class Message(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One message. Times are seconds since 1970, UTC, in the programme; ``claimed`` is the world's.

    ``name`` is made of campaign, occasion and step, so the same message has the same name whenever it is made.
    ``at``: since when it is the member's; ``until``: not sent from then on, 0 for never too late. ``channels`` are all
    that could have been taken, ``notice`` what the ledger is to hear of, ``links`` where its links lead. It is not sent
    to who has bought more than ``bought`` by then, where that is said. ``content`` is kept of what lies in the inbox
    alone. ``first`` is the first try, ``contact`` the version of the member's contact that it was sent by, ``revision``
    counts writes.
    """

    program: str = ""
    account: str = ""
    name: str = ""
    channel: str
    campaign: str = ""
    occasion: str = ""
    step: str = ""
    variant: str = ""
    template: str = ""
    version: int = 0
    service: bool = False
    at: int = 0
    until: int = 0
    channels: tuple[str, ...] = ()
    notice: Notice | None = None
    links: tuple[str, ...] = ()
    bought: Bought | None = None
    content: Content | None = None
    phase: Phase = "waiting"
    facts: Mapping[str, int] = {}
    attempts: int = 0
    first: int = 0
    claimed: int = 0
    contact: int = 0
    code: str = ""
    provider_id: str = ""
    revision: int = 0

    @property
    def id(self) -> str:
        return message_id(self.account, self.name)

    @property
    def said(self) -> str:
        """What it says, by name: a message and its copy in the inbox say the same, and whichever is first counts."""
        main = name_of(self.campaign, self.occasion, self.step)
        return main if self.name == name_of(self.campaign, self.occasion, self.step, INBOX) else self.name

    @property
    def state(self) -> State:
        known = [state for fact, state in STATES.items() if fact in self.facts]
        return known[-1] if known else self.phase

    @property
    def told(self) -> bool:
        """Whether the member has been told, as far as the channel lets anybody know."""
        if self.channel == INBOX:
            return not {"opened", "clicked"}.isdisjoint(self.facts)
        if self.channel in REPORTED:
            return not {"delivered", "opened", "clicked"}.isdisjoint(self.facts)
        return self.channel in PERSONAL and "sent" in self.facts


class Outgoing(Struct, frozen=True):
    """A message that waits to be sent from ``due`` on."""

    message: Message
    content: Content
    due: int


class Handed(NamedTuple):
    """Which outgoing message is due: what the queue carries."""

    program: str
    account: str
    due: int
    name: str


def name_of(campaign: str, occasion: str, step: str, channel: str = "") -> str:
    """A message's name; with ``channel`` that of a copy which goes by a further one."""
    return ".".join((campaign, occasion, step, channel) if channel else (campaign, occasion, step))


def message_id(account: str, name: str) -> str:
    return f"msg_{account.removeprefix('mem_')}-{name}"


def locate(text: str) -> tuple[str, str] | None:
    """(account, name) of a message's id; None when it is not one."""
    match = _ID.fullmatch(text) if len(text) <= 200 else None
    return None if match is None else (f"mem_{match[1]}", match[2])


def handed(outgoing: Outgoing) -> Handed:
    message = outgoing.message
    return Handed(message.program, message.account, outgoing.due, message.name)


def told_of(message: Message, fact: Fact, at: int) -> Message:
    """With a fact known; the same message when it was, at that time or before."""
    known = message.facts.get(fact)
    if known is not None and known <= at:
        return message
    return replace(message, facts={**message.facts, fact: at})


def claimed(message: Message, now: int, wall: int, contact: int = 0) -> Message:
    """As it stands while one copy sends it, to the address that the member's contact has in this version. One that was
    in doubt has its day of tries again: it waited for reports.
    """
    first = 0 if message.phase == "doubtful" else message.first
    return replace(message, phase="sending", claimed=wall, first=first or now, contact=contact)


def abandoned(message: Message, wall: int) -> bool:
    """Whether it was claimed by a copy that cannot be at it any more."""
    return message.phase == "sending" and not message.facts and wall - message.claimed >= ABANDONED_S


def next_look(message: Message, now: int, wall: int) -> int:
    """When a message in doubt is to be looked at again; 0 when nobody will know any more."""
    age = wall - message.claimed
    return 0 if age >= DOUBTED_S else now + max(SILENT_S - age, LOOK_S if age >= SILENT_S else 1)


def put_off(message: Message, code: str) -> Message:
    """Not taken this time."""
    return replace(message, phase="waiting", attempts=message.attempts + 1, code=code)


def held(message: Message, code: str) -> Message:
    """Not tried this time: it is not the hour, or its campaign is paused. A day of tries begins when it is tried."""
    return replace(message, phase="waiting", code=code, first=0)


def ended(message: Message, phase: Phase, code: str) -> Message:
    """Not to be sent any more, for whatever reason."""
    return replace(message, phase=phase, code=code)


def anew(message: Message) -> Message:
    """One that failed, or is in doubt, as if it had never been tried."""
    return replace(message, phase="waiting", attempts=0, first=0, code="")


def next_try(message: Message, now: int, asked: int = 0) -> int:
    """When to try again one that was just put off; 0 when its day is over, or its time. ``asked`` is for how long the
    provider does not want to be asked.

    The wait doubles, and is spread by the message's own digest: a million that failed together come back apart.
    """
    wait = min(_FIRST_S << min(message.attempts - 1, 10), _LONGEST_S)
    digest = sha256(f"{message.program}#{message.id}#{message.attempts}".encode()).digest()
    spread = wait // 4 + wait * int.from_bytes(digest[:4], "big") // 2**32
    due = now + max(spread, asked, 1)
    if due - message.first > TRIED_S or too_late(message, due):
        return 0
    return due


def too_late(message: Message, now: int) -> bool:
    return message.until != 0 and now >= message.until


def news(before: Message | None, after: Message) -> tuple[str, ...]:
    """The states that ``after`` is the first to have been in, of those that others are told of."""
    old = set() if before is None else set(_told_states(before))
    return tuple(state for state in _told_states(after) if state not in old)


def _told_states(message: Message) -> list[str]:
    found = [str(state) for fact, state in STATES.items() if fact in message.facts]
    if message.phase in {"refused", "failed"}:
        found.append(message.phase)
    return list(dict.fromkeys("failed" if state == "refused" else state for state in found))


def link_placeholder(number: int) -> str:
    """What stands in a text for its link ``number``, from 0."""
    return f"https://link.invalid/{number}"


def filled(content: Content, links: tuple[str, ...], unsubscribe: str) -> Content:
    """With addresses in the places of links. A link that there is no address for is left out."""

    def put(match: re.Match[str]) -> str:
        which = match[1]
        if which == "unsubscribe":
            return unsubscribe
        return links[int(which)] if int(which) < len(links) else ""

    return Content(
        content.subject,
        _LINK.sub(put, content.text),
        _LINK.sub(put, content.html),
        {name: _LINK.sub(put, value) for name, value in content.data.items()},
        content.language,
    )


def encode(message: Message) -> str:
    """JSON text, without what its key says."""
    return msgspec.json.encode(replace(message, program="", account="", name="", revision=0)).decode()


def decode(text: str, program: str, account: str, name: str, revision: int) -> Message:
    """Inverse of ``encode``; Corrupt."""
    try:
        found = msgspec.json.decode(text, type=Message)
    except msgspec.MsgspecError as error:
        raise Corrupt("a message cannot be read") from error
    return replace(found, program=program, account=account, name=name, revision=revision)
