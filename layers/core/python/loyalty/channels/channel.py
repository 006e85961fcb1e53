"""What all channels have in common: one message to one address, and what became of it. Pure.

A channel makes a request of a message and an outcome of the answer. It never sends twice where the first may have
arrived: whoever asked decides about that, by the kind of the outcome and by ``reported``.
"""

from collections.abc import Mapping
from typing import Final, Literal, Protocol

from msgspec import Struct

CHANNELS: Final = ("inbox", "email", "sms", "push", "wechat", "wecom", "webhook")

Kind = Literal["accepted", "refused", "later", "dead", "doubtful"]
"""``accepted``: the provider has it. ``refused``: it will never take this message; another one it may. ``later``: it
did not take it, and may another time. ``dead``: it takes nothing for this address any more. ``doubtful``: it may have
taken it.
"""


class Words(Protocol):
    """A message in words, as templates render it: ``data`` is what a provider's own form is filled with."""

    @property
    def subject(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def html(self) -> str: ...
    @property
    def data(self) -> Mapping[str, str]: ...


class Sending(Struct, frozen=True):
    """One message to one address.

    ``id`` is the message's and stays the same however often it is sent: receivers that can, know it again by it.
    ``tags`` come back with feedback and hold nothing personal; ``unsubscribe`` is the address (https) that ends
    messages of this kind in one step, empty for those that cannot be ended. ``member`` is the id of whom it is for, and
    ``language`` that in which it is worded.
    """

    id: str
    program: str
    channel: str
    address: str
    rendered: Words
    tags: Mapping[str, str] = {}
    unsubscribe: str = ""
    member: str = ""
    language: str = ""


class Outcome(Struct, frozen=True):
    """What became of it. ``code`` is the provider's own or ours (``timeout``, ``unreachable``, ``open``);
    ``provider_id`` its name for the message, empty when it gave none; ``retry_after_s`` the seconds it asked for, 0
    when it did not.
    """

    kind: Kind
    provider_id: str = ""
    code: str = ""
    retry_after_s: int = 0


class Channel(Protocol):
    """``reported``: the path by which the provider reports whatever it took, with our tags; "" where it does not. A
    ``doubtful`` message is settled by its report, or by the silence of a path that is known to work. A webhook's
    receiver knows a message again by its id, so that is sent once more (``later``, never ``doubtful``).
    """

    @property
    def name(self) -> str: ...
    @property
    def reported(self) -> str: ...

    def send(self, sending: Sending, now: int) -> Outcome:
        """Send one message. ``now`` in seconds since 1970, the world's and no sandbox's: tokens of providers end by
        it. Never raises for what a provider does.
        """
        ...


class Reply(Struct, frozen=True):
    """A provider's whole answer; names of headers in lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


class NotSent(Exception):
    """Nothing of the request can have arrived: no address, no connection, no handshake. The text is a code."""


class NoAnswer(Exception):
    """The request was written, at least in part, and no whole answer came. The text is a code."""


class Post(Protocol):
    """Asks a provider. ``timeout`` in seconds, for everything together. Raises NotSent, NoAnswer."""

    def __call__(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout: float,
        query: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Reply: ...


class AwsRefused(Exception):
    """AWS answered with an error, named by ``code``; ``status`` as in HTTP."""

    def __init__(self, code: str, status: int = 400, message: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.message = message


class Call(Protocol):
    """Calls one operation of an AWS service. Raises AwsRefused, NotSent, NoAnswer."""

    def __call__(self, request: Mapping[str, object]) -> Mapping[str, object]: ...


def unanswered(error: NotSent | NoAnswer, *, known_again: bool = False) -> Outcome:
    """What a request came to that got no answer. What was written may have been taken: it is only sent again to one
    who knows it again.
    """
    sure = isinstance(error, NotSent) or known_again
    return Outcome("later" if sure else "doubtful", code=str(error) or type(error).__name__)
