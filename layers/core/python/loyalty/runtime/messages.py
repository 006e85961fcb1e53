"""Messages put together: what sending needs of contacts, of the ledger, of providers, and this stack's own address."""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from loyalty.errors import Refused
from loyalty.ledger.account import Draft
from loyalty.ledger.chain import Cause, Chain, fingerprint
from loyalty.ledger.service import Ledger
from loyalty.notifications.links import Link, read, token
from loyalty.notifications.message import Handed, Message, Notice
from loyalty.notifications.service import Ports, Reach
from loyalty.runtime import observability, secrets
from loyalty.runtime.config import config
from loyalty.runtime.outbound import holds_nothing, send_batch

if TYPE_CHECKING:
    from loyalty.contacts.service import Contacts
    from loyalty.notifications.service import Notifications
    from loyalty.programs.terms import Program

ACTOR = "messages"
STATE_SECONDS: Final = 30
"""How long a running copy goes by what it has read of a campaign's state."""
IDLE_SECONDS: Final = 60
"""How long a running copy goes by what it has seen of the queue of reports."""


def handed_of(body: str) -> Handed:
    """Which message a body of the queue means. ValueError, KeyError for what we have not put there."""
    data: dict[str, Any] = json.loads(body)
    return Handed(str(data["program"]), str(data["account"]), int(data["due"]), str(data["name"]))


def put_on_queue(batch: list[Handed]) -> list[Handed]:
    """Put up to ten on the queue; those that it did not take."""
    failed = send_batch(config().notify_queue, [one._asdict() for one in batch])
    return [batch[position] for position in failed]


class Mail:
    """What sending needs of others: ``policy`` gives the terms of a programme, ``state`` that of a campaign, and
    ``reported`` whether what was taken by a path at a time was reported (the path, then, now).
    """

    def __init__(
        self,
        contacts: "Contacts",
        ledger: Ledger,
        policy: Callable[[str], "Program"],
        state: Callable[[str, str], str],
        reported: Callable[[str, int, int], bool],
    ) -> None:
        self._contacts = contacts
        self._ledger = ledger
        self._policy = policy
        self._state = state
        self._reported = reported
        self._states: dict[tuple[str, str], tuple[float, str]] = {}
        self._idle = (0.0, False)

    def ports(self) -> Ports:
        from loyalty.runtime import senders

        contacts = self._contacts
        return Ports(
            channels=lambda program: senders.channels(program),
            reach=self._reach,
            over=self._over,
            campaign=self._campaign,
            dead=contacts.dead,
            alive=contacts.alive,
            confirm=self._confirm,
            addresses=self.addresses_of,
            failed=_failed,
            doubted=_doubted,
            all_heard=self._all_heard,
        )

    def _reach(self, program: str, account: str, channel: str, service: bool, now: int) -> Reach:
        return Reach(*self._contacts.reach(program, account, channel, service, now, self._policy(program).timezone))

    def _over(self, message: Message) -> str:
        """What a campaign's way ends with, seen once more: the account is closed, or the member has bought."""
        head = self._ledger.store.head(
            Chain(message.program, message.account, self._policy(message.program).wallets[0])
        )
        if head is None:
            return ""
        if head.state.status == "closed":
            return "closed"
        bought = message.bought
        return "purchased" if bought is not None and head.state.bought_since(bought.purchases, bought.last) else ""

    def _campaign(self, program: str, campaign: str) -> str:
        moment = time.monotonic()
        read, state = self._states.get((program, campaign), (0.0, ""))
        if not read or moment - read > STATE_SECONDS:
            state = self._state(program, campaign)
            self._states[program, campaign] = moment, state
        return state

    def _all_heard(self, path: str, about: int, wall: int) -> bool:
        """A report may be on its way still, or have been given up: while anything lies in the queue of reports, or
        among its dead letters, nobody knows.
        """
        if not self._reported(path, about, wall):
            return False
        moment = time.monotonic()
        looked, idle = self._idle
        if not looked or moment - looked > IDLE_SECONDS:
            idle = all(holds_nothing(queue) for queue in (config().reports_queue, config().reports_dead_letters))
            self._idle = moment, idle
        return idle

    def addresses_of(self, message: Message) -> tuple[tuple[str, ...], str]:
        """Addresses of a message's links, and the one that ends messages of its channel in one step."""
        base = config().public_url
        program, account = message.program, message.account
        secret = secrets.link_keys()[0] if message.links else ""
        links = tuple(
            f"{base}/v1/l/{token(Link(program, account, message.name, number), secret)}"
            for number, _ in enumerate(message.links)
        )
        return links, f"{base}{self._contacts.unsubscribe_path(program, account, message.channel)}"

    def _confirm(self, program: str, account: str, notice: Notice, reference: str, outcome: str, now: int) -> None:
        """Write down that points that end, or shrink, were told of. An account that is closed has none."""
        from loyalty.timers.ends import confirm, confirm_decay

        terms = self._policy(program)
        chain = Chain(program, account, notice.wallet)
        what = notice.upto or f"decay {notice.decays}"
        cause = Cause(reference, fingerprint(reference, notice.wallet, what, outcome), ACTOR, now)
        entry = self._ledger.store.entry(chain, notice.number) if notice.number else None
        told = None if entry is None else entry.state

        def decide(draft: Draft) -> None:
            if notice.decays:
                confirm_decay(draft, terms, notice.decays, outcome, told)
            else:
                confirm(draft, terms, notice.upto, outcome, told)

        try:
            self._ledger.post(chain, cause, now, decide)
        except Refused as problem:
            if problem.code != "ACCOUNT_CLOSED":
                raise


def link_of(text: str) -> Link | None:
    """What a link that was followed says; None for one that is not ours."""
    return read(text, secrets.link_keys()) or read(text, secrets.newer_link_keys())


def note_returns(function: str, notifications: "Notifications", part: int) -> None:
    """Write down what channels have brought since the last time. Whoever sends, hears or leads on has done so by then,
    and does nothing again because this fails: what was counted is lost, and the log says so.
    """
    try:
        notifications.note_returns(part)
    except Exception as error:  # noqa: BLE001 - figures alone: raised, a message would come again that is seen to
        observability.failure(function, error)


def _failed(program: str, channel: str, code: str) -> None:
    observability.count("MessagesFailed", now_ms=int(time.time() * 1000), program=program, channel=channel, code=code)


def _doubted(program: str, channel: str, code: str) -> None:
    observability.count("MessagesDoubtful", now_ms=int(time.time() * 1000), program=program, channel=channel, code=code)
