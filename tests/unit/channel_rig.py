"""What tests of channels share: messages, an impatient way to a provider, and tokens on a simulated table."""

from collections.abc import Callable, Mapping
from functools import partial
from threading import Timer
from typing import Any

from msgspec import Struct

from loyalty.channels.channel import Reply, Sending
from loyalty.channels.service import Tokens
from loyalty.channels.store import AccessStore
from loyalty.channels.tencent import Ask
from loyalty.runtime.senders import Http
from loyalty.table.client import Table
from tests.patience import ANSWER_S
from tests.providers import Fault, Provider
from tests.simulation.dynamodb import TABLE, Call, Client, Engine
from tests.unit.running import in_turn

PROGRAM = "grocer"


class Words(Struct, frozen=True):
    """A rendered message."""

    subject: str = ""
    text: str = ""
    html: str = ""
    data: Mapping[str, str] = {}


def sending(channel: str, address: str, words: Words, **further: Any) -> Sending:
    name = further.pop("id", "msg_01J0000000000000000000AAAA-autumn.1.2")
    return Sending(id=name, program=PROGRAM, channel=channel, address=address, rendered=words, **further)


_made: list[Http] = []


def hang_up() -> None:
    """Close what tests have opened."""
    while _made:
        _made.pop().close()


class Gone(Timer):
    """A timer that goes by no clock: the client has gone when the provider has its request and keeps the answer back,
    neither before the one nor after the other, however the machine is loaded.
    """

    def __init__(self, provider: Provider, end: Callable[[], None]) -> None:
        super().__init__(0, end)
        self._provider = provider

    def run(self) -> None:
        while not self.finished.is_set():
            if self._provider.dawdles.wait(0.02) and not self.finished.is_set():
                self.function()
                return


def impatient(provider: Provider) -> Http:
    """The real way over HTTP, which waits until the provider keeps an answer back, and no longer."""
    http = Http(local=True, timer=lambda _, end: Gone(provider, end))
    _made.append(http)
    return http


class Impatient:
    """The real way over HTTP, with the patience of a test; ``hurry`` where the provider is slow."""

    def __init__(self) -> None:
        self.http = Http(local=True)
        _made.append(self.http)
        self.calls = 0

    def hurry(self, fault: Fault | None, provider: Provider) -> None:
        """Wait for less than the provider takes."""
        if fault in (Fault.SLOW, Fault.DRIP):
            self.http = impatient(provider)

    def __call__(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout: float,
        query: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Reply:
        self.calls += 1
        return self.http(url, body, headers, ANSWER_S, query, method)


class Copies:
    """Running copies on one table: each remembers for itself."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.calls: list[str] = []
        self.table = Table(Client(self.engine, self._counted), TABLE, in_turn)
        self.store = AccessStore(self.table)

    def _counted(self, call: Call) -> dict[str, object]:
        self.calls.append(call.operation)
        return call.perform()

    def copy(self) -> Tokens:
        return Tokens(self.store)

    def ask(self, channel: str) -> Ask:
        """What a channel of a new copy asks for tokens."""
        return partial(self.copy().token, PROGRAM, channel)
