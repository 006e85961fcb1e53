"""A post office for tests: messages on the simulated table, and a provider that says what it really got."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from loyalty.channels.channel import Outcome, Sending
from loyalty.notifications.message import Content, Handed, Message, Notice
from loyalty.notifications.service import Dispatch, Notifications, Ports, Reach
from loyalty.notifications.store import MessageStore
from loyalty.table.client import Table
from tests.simulation.dynamodb import TABLE, Call, Client, Engine, Gate
from tests.simulation.wire import Response
from tests.unit.running import in_turn

PROGRAM = "grocer"
NOW = 1_800_000_000
HOUR = 3_600
DAY = 86_400
TARGET = "https://shop.example/points"


class Killed(BaseException):
    """The function died here."""


@dataclass
class Kills:
    """Dies at step ``at`` of all that are taken, ``after`` or before it is carried out; -1 never."""

    at: int = -1
    after: bool = False
    taken: int = 0

    def step(self, act: Callable[[], Response]) -> Response:
        self.taken += 1
        here = self.taken - 1 == self.at
        if here and not self.after:
            raise Killed
        answer = act()
        if here:
            raise Killed
        return answer

    def __call__(self, call: Call) -> Response:
        return self.step(call.perform)


@dataclass
class Provider:
    """Takes what it is sent, answers what it is told to, and remembers what it really got: what is in doubt with the
    code ``lost`` it did not.
    """

    name: str = "sms"
    reported: str = ""
    answers: list[Outcome] = field(default_factory=list)
    kills: Kills = field(default_factory=Kills)
    got: list[Sending] = field(default_factory=list)
    asked: int = 0

    def send(self, sending: Sending, now: int) -> Outcome:
        del now
        found: list[Outcome] = []

        def act() -> Response:
            outcome = self.answers.pop(0) if self.answers else Outcome("accepted", "p1")
            self.asked += 1
            if outcome.kind in {"accepted", "doubtful"} and outcome.code != "lost":
                self.got.append(sending)
            found.append(outcome)
            return {}

        self.kills.step(act)
        return found[0]

    @property
    def times(self) -> Counter[str]:
        return Counter(sending.id for sending in self.got)


class Office:
    """Everything that sends, over one table; only the test moves ``now``."""

    def __init__(self, *providers: Provider, gate: Gate | None = None, engine: Engine | None = None) -> None:
        self.engine = engine or Engine()
        self.now = NOW
        self.providers = {one.name: one for one in providers}
        self.queue: list[Handed] = []
        self.refuses: set[str] = set()
        self.why_not = ""
        self.over = ""
        self.loud = 0
        self.campaigns: dict[str, str] = {}
        self.killed: set[str] = set()
        self.dead: dict[str, str] = {}
        self.confirmed: list[tuple[str, int, str]] = []
        self.told: list[tuple[str, str, str]] = []
        self.doubted: list[tuple[str, str, str]] = []
        self.idle = True
        self.connect(gate)

    def connect(self, gate: Gate | None = None) -> None:
        """A new running copy."""
        self.connect_to(Table(Client(self.engine, gate), TABLE, in_turn))

    def connect_to(self, table: Table) -> None:
        self.store = MessageStore(table)
        ports = Ports(
            channels=lambda _: self.providers,
            reach=lambda _, account, channel, __, now: Reach(
                f"{channel}:{account}", self.why_not or self.dead.get(channel, ""), self.loud or now
            ),
            over=lambda message: self.over,
            campaign=lambda _, campaign: self.campaigns.get(campaign, ""),
            dead=lambda _, __, channel, reason, *___: self.dead.update({channel: reason}),
            alive=lambda _, __, channels: any(channel not in self.dead for channel in channels),
            confirm=lambda _, __, notice, reference, outcome, ___: self._confirm(notice, reference, outcome),
            addresses=lambda message: (
                tuple(f"https://l.example/{n}" for n, _ in enumerate(message.links)),
                "https://u",
            ),
            failed=lambda *what: self.told.append(what),
            doubted=lambda *what: self.doubted.append(what),
            all_heard=lambda *when: self.store.reports_came(*when) and self.idle,
        )
        self.notifications = Notifications(self.store, ports)
        self.dispatch = Dispatch(self.store, self._take)

    def _confirm(self, notice: Notice, reference: str, outcome: str) -> None:
        if (reference, notice.upto, outcome) not in self.confirmed:
            self.confirmed.append((reference, notice.upto, outcome))

    def _take(self, batch: list[Handed]) -> list[Handed]:
        assert 1 <= len(batch) <= 10
        self.queue += [one for one in batch if one.name not in self.refuses]
        return [one for one in batch if one.name in self.refuses]

    def put(self, message: Message, content: Content | None = None, send_at: int | None = None) -> Handed:
        due = self.now if send_at is None else send_at
        self.store.put_new(message, content or Content(text="Hello"), due)
        return Handed(message.program, message.account, due, message.name)

    def hand_on(self) -> list[Handed]:
        """One run of dispatch; what it put on the queue."""
        self.queue.clear()
        self.dispatch.run(PROGRAM, self.now, self.now, lambda: True)
        return list(self.queue)

    def run(self) -> list[str]:
        """Dispatch, and everything that it handed on."""
        return [self.notifications.send(one, self.now, self.now) for one in self.hand_on()]

    def until_quiet(self, days: int = 2, every: int = 300) -> None:
        """Dispatch as it is called, for so many days, until nothing waits any more."""
        end = self.now + days * DAY
        while self.now < end and self.waiting():
            self.run()
            self.now += every

    def waiting(self) -> list[str]:
        return [item["sk"]["S"] for item in self.items("outgoing") if item["sk"]["S"][0].isdigit()]

    def items(self, kind: str) -> Iterable[dict[str, dict[str, str]]]:
        return [item for item in self.engine.items() if item["t"]["S"] == kind]

    def message(self, message: Message) -> Message:
        found = self.store.get(message.program, message.account, message.name)
        assert found is not None
        return found


def account(number: int = 1) -> str:
    return f"mem_{number:026d}"


def message(number: int = 1, channel: str = "sms", **further: object) -> Message:
    fields: dict[str, object] = {
        "program": PROGRAM,
        "account": account(number),
        "name": "hello.1.day0",
        "campaign": "hello",
        "occasion": "1",
        "step": "day0",
        "template": "hello",
        "at": NOW,
        "channel": channel,
    }
    return Message(**(fields | further))  # type: ignore[arg-type] # fields by name, for tests to name those that matter
