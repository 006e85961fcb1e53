"""The real services over the simulated database: writers that send requests as tills do, and what must hold then.

A writer sends its requests one after another. An answer that may be tried again (busy, storage unavailable) makes it
send the same request with the same key again, a few times; a writer that is killed is followed by another that begins
with the request it was killed in, unless the scenario says that nobody comes. When all writers are through, the
table's stream is fed to its consumers, every record at least twice; then everything is checked: I1 to I10 from the
stored items, and every answer that was given against what is stored.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from loyalty.earning.granting import Offers
from loyalty.earning.intake import Intake, Sender, retriable
from loyalty.earning.offers import budget_name, reference
from loyalty.earning.purchase import Line, Purchase, Return
from loyalty.earning.rulebook import Rulebook
from loyalty.earning.service import Earning
from loyalty.earning.store import OrderStore
from loyalty.errors import Problem, Refused, Unavailable
from loyalty.ledger.chain import Cause, Chain, fingerprint
from loyalty.ledger.service import Ledger, Posted
from loyalty.ledger.store import HeadStore, LedgerStore, entry_of_item
from loyalty.ledger.wallet import Wallets
from loyalty.programs.terms import Program
from loyalty.rules.budgets import Budget
from loyalty.rules.leases import BudgetStore, Leases, item_of
from loyalty.runtime.relay import TAKES
from loyalty.table import keys
from loyalty.table.client import Table, Together
from loyalty.values import Rate
from tests.simulation import invariants
from tests.simulation.dynamodb import TABLE, Client, Engine
from tests.simulation.scheduler import NO_FAULTS, Choices, Faults, Simulation

_A = TypeVar("_A")
_B = TypeVar("_B")
PROGRAM: Final = "sim"
WALLET: Final = "points"
ANNA: Final = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"
BERT: Final = "mem_01ARZ3NDEKTSV4RRFFQ69G5FBW"
CARA: Final = "mem_01ARZ3NDEKTSV4RRFFQ69G5FCX"
"""Enrolled, but with a wallet that nobody has used yet."""
DAY: Final = 86_400
START: Final = 1_750_000_000
"""When every scenario begins, in seconds since 1970, UTC."""
MOMENT: Final = "2025-06-15T15:06:40Z"
"""START as a till writes it."""
SENDER: Final = Sender(PROGRAM, "cli_till", "")
StreamRecord = dict[str, Any]
Refusal = Callable[[dict[str, Any], Problem], None]
ONE_PER_HUNDRED: Final = Rate(1, 100)
SENDINGS: Final = 8
"""How often a writer sends one request before it gives up: more often than a run has faults."""


def in_turn(first: Callable[[], _A], second: Callable[[], _B]) -> tuple[_A, _B]:
    """Two reads one after the other, for the world outside the writers."""
    return first(), second()


def policy(
    *, rate: Rate = ONE_PER_HUNDRED, pending_days: int = 0, return_policy: str = "arrears", months: int = 12
) -> Program:
    """A programme's policy: `rate` is points per minor unit; points live for `months`, to the end of the day."""
    return Program(
        program=PROGRAM,
        version=1,
        name="Simulated",
        currency="EUR",
        timezone="UTC",
        wallets=(WALLET,),
        rate=rate,
        expiry={"kind": "rolling", "months": months, "rounding": "day"} if months else {"kind": "none"},
        pending_days=pending_days,
        return_policy=return_policy,
        events={"visit": 5},
        hold_minutes=60,
        max_hold_minutes=10_080,
        earliest=0,
    )


@dataclass(frozen=True)
class Services:
    """The product's use cases on one client."""

    wallets: Wallets
    earning: Earning
    intake: Intake
    heads: HeadStore
    chains: LedgerStore
    table: Table
    program: Program

    @classmethod
    def on(cls, client: Client, together: Together, program: Program) -> "Services":
        table = Table(client, TABLE, together)
        ledger = Ledger(LedgerStore(table), lambda chain: "member")
        orders = OrderStore(table)

        def policy_of(name: str) -> Program:
            return program

        def account_of(name: str, member: str | None, identity: str | None) -> str:
            return member or ""

        earning = Earning(ledger, orders, policy_of)
        intake = Intake(earning, orders, account_of)
        return cls(Wallets(ledger), earning, intake, HeadStore(table), ledger.store, table, program)

    def offers(self) -> Offers:
        """A copy of the function that makes offers; what it holds of budgets is lost with it."""
        leases = Leases(BudgetStore(self.table), lambda program, campaign: None)
        book = Rulebook(budgets=lambda: leases)
        return Offers(Ledger(self.chains, lambda chain: "member"), lambda name: self.program, book)


@dataclass(frozen=True)
class Request:
    """What a till sends: its idempotency key, the wallet it is about, and what its fingerprint covers."""

    name: str
    key: str
    chain: Chain
    body: tuple[object, ...]
    send: Callable[[Services, Cause, int], Posted | str] = field(compare=False)

    @property
    def cause(self) -> Cause:
        return Cause(self.key, fingerprint(self.name, *self.body), "cli_till", START)


@dataclass(frozen=True)
class Answer:
    """What a writer was told in the end: an entry, a refusal's code, or nothing for certain."""

    request: Request
    posted: Posted | None = None
    refusal: str = ""
    told: str = ""
    """What the ingest function notes of an item: posted, known, waiting."""

    @property
    def unknown(self) -> bool:
        return self.posted is None and not self.refusal and not self.told


def wallet_of(account: str) -> Chain:
    return Chain(PROGRAM, account, WALLET)


# ---- requests


def redeem(points: int, key: str, account: str = ANNA) -> Request:
    chain = wallet_of(account)
    return Request(
        "redeem", key, chain, (points,), lambda to, cause, now: to.wallets.redeem(chain, points, "", cause, now)
    )


def cancel(number: int, key: str, account: str = ANNA) -> Request:
    chain = wallet_of(account)
    return Request("cancel", key, chain, (number,), lambda to, cause, now: to.wallets.cancel(chain, number, cause, now))


def hold(points: int, key: str, seconds: int = 3600, account: str = ANNA) -> Request:
    chain = wallet_of(account)

    def send(to: Services, cause: Cause, now: int) -> Posted:
        return to.wallets.hold(chain, points, now + seconds, offline=False, cause=cause, now=now)

    return Request("hold", key, chain, (points, seconds), send)


def capture(number: int, points: int | None, key: str, *, final: bool = True, account: str = ANNA) -> Request:
    chain = wallet_of(account)

    def send(to: Services, cause: Cause, now: int) -> Posted:
        return to.wallets.capture(chain, number, points, final=final, allowed=True, cause=cause, now=now)

    return Request("capture", key, chain, (number, points, final), send)


def release(number: int, key: str, account: str = ANNA) -> Request:
    chain = wallet_of(account)
    return Request(
        "release", key, chain, (number,), lambda to, cause, now: to.wallets.release(chain, number, cause, now)
    )


def adjust(points: int, key: str, expiry: int = 0, account: str = ANNA) -> Request:
    chain = wallet_of(account)

    def send(to: Services, cause: Cause, now: int) -> Posted:
        return to.wallets.adjust(chain, points, expiry, "goodwill", cause, now)

    return Request("adjust", key, chain, (points, expiry), send)


def sweep(key: str, account: str = ANNA) -> Request:
    chain = wallet_of(account)
    return Request("expire", key, chain, (), lambda to, cause, now: to.wallets.expire(chain, cause, now))


def transfer(source: str, target: str, points: int, key: str) -> Request:
    out, into = wallet_of(source), wallet_of(target)

    def send(to: Services, cause: Cause, now: int) -> Posted:
        return to.wallets.transfer(out, into, points, "gift", cause, now)

    return Request("transfer", key, out, (target, points), send)


def freeze(key: str, account: str = ANNA) -> Request:
    chain = wallet_of(account)
    return Request(
        "freeze", key, chain, (), lambda to, cause, now: to.wallets.set_status(chain, "frozen", "fraud", cause, now)
    )


def close(key: str, account: str = ANNA) -> Request:
    chain = wallet_of(account)
    return Request(
        "close",
        key,
        chain,
        (),
        lambda to, cause, now: to.wallets.close(chain, "left", forfeit=True, cause=cause, now=now),
    )


def buy(order: str, *amounts: int, key: str = "", account: str = ANNA, source: str = "till", at: int = 0) -> Request:
    """A purchase of lines of one piece each, in minor units, that occurred `at` seconds after the start."""
    chain = wallet_of(account)
    lines = tuple(Line(amount) for amount in amounts)
    purchase = Purchase(source, order, account, WALLET, "EUR", lines, START + at, "st_1", "store")

    def send(to: Services, cause: Cause, now: int) -> Posted:
        return to.earning.record(PROGRAM, purchase, cause, now)

    return Request("purchase", key or f"{source}-{order}", chain, (source, order, amounts), send)


def give_back(order: str, key: str, amount: int | None = None, *, account: str = ANNA, source: str = "till") -> Request:
    """A return by amount, in minor units; of all that is left without one."""

    def send(to: Services, cause: Cause, now: int) -> Posted:
        return to.earning.take_back(PROGRAM, source, order, lambda _: Return(amount=amount), cause, now)

    return Request("return", key, wallet_of(account), (source, order, amount), send)


def bonus(key: str, account: str = ANNA) -> Request:
    def send(to: Services, cause: Cause, now: int) -> Posted:
        return to.earning.activity.post(PROGRAM, account, WALLET, "visit", START, cause, now)

    return Request("bonus", key, wallet_of(account), (), send)


def budget(points: int, campaign: str = "spring") -> Request:
    """A campaign's budget is set."""

    def send(to: Services, cause: Cause, now: int) -> str:
        to.table.put(item_of(PROGRAM, budget_name(campaign), Budget(points)))
        return "set"

    return Request("budget", f"budget-{campaign}", wallet_of(ANNA), (points,), send)


def give(points: int, step: str, *, paid: bool = False, account: str = ANNA) -> Request:
    """Points from a campaign; `paid` from its budget."""
    ref = reference("spring", "1", step)

    def send(to: Services, cause: Cause, now: int) -> Posted:
        name = budget_name("spring") if paid else ""
        granted = to.offers().grant_points(PROGRAM, account, ref, "spring", points, 30, name, now)
        return Posted(granted.entry, granted.replayed)

    return Request("offer", ref, wallet_of(account), (points, paid), send)


def multiply(times: Rate, campaign: str, days: int = 1, account: str = ANNA) -> Request:
    """A campaign's multiplier, from the day of START on."""
    ref = reference(campaign, "1", "1")

    def send(to: Services, cause: Cause, now: int) -> Posted:
        today = to.program.day(START)
        offer = to.offers().grant_multiplier(PROGRAM, account, ref, campaign, times, today, today + days - 1, now)
        return Posted(offer.entry, offer.replayed)

    return Request("multiplier", ref, wallet_of(account), (times, days), send)


def late_purchase(order: str, *amounts: int, account: str = ANNA) -> Request:
    """A purchase from the ingest queue."""
    item: dict[str, Any] = {
        "type": "purchase", "source": "till", "order_id": order, "occurred_at": MOMENT, "currency": "EUR",
        "member": account, "lines": [{"amount": amount} for amount in amounts],
    }  # fmt: skip
    return _late(f"o#till#{order}", item, account)


def late_return(order: str, return_id: str, amount: int | None = None, account: str = ANNA) -> Request:
    """A return from the ingest queue; it may come before its purchase."""
    item: dict[str, Any] = {
        "type": "return",
        "source": "till",
        "order_id": order,
        "return_id": return_id,
        "occurred_at": MOMENT,
    }
    return _late(f"r#till#{order}#{return_id}", item if amount is None else {**item, "amount": amount}, account)


def _late(key: str, item: dict[str, Any], account: str) -> Request:
    def send(to: Services, cause: Cause, now: int) -> str:
        return to.intake.take(SENDER, item, now)

    return Request(str(item["type"]), key, wallet_of(account), (repr(item),), send)


# ---- the stream's consumers


def recover(services: Services, record: StreamRecord, now: int, refused: Refusal) -> None:
    """What `functions/recover` does with what the relay hands on of one new item: finish what belongs to an order."""
    item = _plain(record)
    if TAKES["recover"].takes(str(record["eventName"]), str(item["t"])):
        services.intake.settle(*keys.parse_order(str(item["pk"])), now, refused)


def publish(services: Services, record: StreamRecord) -> None:
    """What `functions/publish` keeps of one new item: how far a chain has been told."""
    item = _plain(record)
    if item["t"] == "entry":
        services.heads.publish(entry_of_item(item))


def _plain(record: StreamRecord) -> dict[str, str | int]:
    image = record["dynamodb"]["NewImage"]
    return {name: int(value["N"]) if "N" in value else str(value["S"]) for name, value in image.items()}


def _new(records: Sequence[StreamRecord]) -> list[StreamRecord]:
    """As the event source filters: new items only."""
    return [record for record in records if record["eventName"] == "INSERT"]


# ---- scenarios


@dataclass
class World:
    """One run of a scenario."""

    scenario: "Story"
    simulation: Simulation
    answers: list[Answer] = field(default_factory=list)
    operations: int = 0
    books: dict[str, invariants.Books] = field(default_factory=dict)
    set_aside: list[str] = field(default_factory=list)
    """Codes of what the consumers gave up."""

    def start(self) -> None:
        services = Services.on(self.simulation.client, self.simulation.together, self.scenario.policy)
        waiting: dict[str, list[Request]] = {}

        def work(skew: int, left: list[Request]) -> None:
            while left:
                answer = self._settle(services, left[0], skew)
                self.answers.append(answer)
                left.pop(0)

        def writer(name: str, requests: Sequence[Request]) -> None:
            waiting[name] = list(requests)
            skew = self.scenario.skews.get(name.rstrip("+"), 0)
            self.simulation.spawn(name, lambda: work(skew, waiting[name]))

        def follow(name: str) -> None:
            if name.startswith("stream"):
                self.simulation.spawn(f"{name}+", consume)
            elif self.scenario.retried:
                writer(f"{name}+", waiting[name])
            else:
                self.answers.append(Answer(waiting[name][0]))

        def consume() -> None:
            self._consume(services)

        self.simulation.when_killed = follow
        for number, requests in enumerate(self.scenario.writers, 1):
            writer(f"w{number}", requests)
        for number in range(1, self.scenario.consumers + 1):
            self.simulation.spawn(f"stream{number}", consume)

    def _settle(self, services: Services, request: Request, skew: int) -> Answer:
        self.operations += 1
        for _ in range(SENDINGS):
            try:
                answer = request.send(services, request.cause, self.simulation.now() + skew)
                return Answer(request, told=answer) if isinstance(answer, str) else Answer(request, answer)
            except Unavailable:
                continue
            except Problem as problem:
                if problem.retry_after is None:
                    return Answer(request, refusal=problem.code)
        return Answer(request)

    def _consume(self, services: Services) -> None:
        """A consumer of the stream: a few times it takes what there is by then, from the start, as if redelivered."""
        for _ in range(self.scenario.polls):
            records = _new([record for part in self.simulation.engine.stream().values() for record in part])
            self.simulation.observe(tuple(record["eventID"] for record in records))
            for record in reversed(records):  # a queue keeps no order
                with suppress(Problem):  # delivered again, later or to another copy of the function
                    self._recover(services, record, self.simulation.now())
            for record in records:
                with suppress(Problem):
                    publish(services, record)

    def _recover(self, services: Services, record: StreamRecord, now: int) -> None:
        try:
            recover(services, record, now, lambda item, problem: self.set_aside.append(problem.code))
        except Problem as problem:
            if retriable(problem):
                raise
            self.set_aside.append(problem.code)

    def _drain(self, services: Services, now: int) -> None:
        """The stream from its beginning, each partition in order, again and again until nothing new comes of it."""
        drained = -1
        while drained != (drained := self.simulation.engine.fingerprint()):
            for records in self.simulation.engine.stream().values():
                for record in _new(records):
                    self._recover(services, record, now)
                    publish(services, record)

    def check(self) -> None:
        """Let the stream finish what was left half done, then check everything."""
        now = self.simulation.clock.now
        invariants.check(self.simulation.engine.items(), orders_complete=False)
        services = Services.on(Client(self.simulation.engine, validate=False), in_turn, self.scenario.policy)
        self._drain(services, now)
        self.books = invariants.check(self.simulation.engine.items())
        left = [item["sk"]["S"] for item in self.simulation.engine.items() if item["t"]["S"] == "wait"]
        assert not left or any(answer.unknown for answer in self.answers), f"returns still wait: {left}"
        for answer in self.answers:
            self._check_answer(answer)
        told: dict[Request, set[str]] = {}
        for answer in self.answers:
            if answer.posted is not None:
                told.setdefault(answer.request, set()).add(answer.posted.entry.hash)
        for request, hashes in told.items():
            assert len(hashes) == 1, f"I3 {request.name} {request.key} got different answers"
        for pk, books in self.books.items():
            self._check_wallet(services, pk, books, now)
        self.scenario.expect(self)

    def _check_answer(self, answer: Answer) -> None:
        """What was answered is what is stored: an entry where one was named, none where the request was refused."""
        books = self.books[answer.request.chain.pk]
        what = f"{answer.request.name} {answer.request.key}"
        number = books.refs.get(answer.request.key)
        if answer.posted is not None:
            entry = answer.posted.entry
            assert entry.chain.pk == books.chain, f"I3 {what} was answered with an entry of another wallet"
            assert books.entries[entry.number - 1].hash == entry.hash, f"I3 {what} was answered with a lost entry"
        elif answer.refusal and answer.refusal != "IDEMPOTENCY_KEY_REUSED":
            same = [other for other in self.answers if other.request.key == answer.request.key and other.posted]
            assert number is None or same, f"I3 {what} was refused ({answer.refusal}), and stands at entry {number}"
        if answer.unknown and not self.scenario.faults.most:
            raise AssertionError(f"{what} got no answer although nothing failed")

    def _check_wallet(self, services: Services, pk: str, books: invariants.Books, now: int) -> None:
        """The product's own reading agrees with ours: verify, rebuild, and the balance as a spend finds it (I7)."""
        program, _, account, wallet = pk.split("#")
        chain = Chain(program, account, wallet)
        assert services.chains.published(chain) == (len(books.entries), books.entries[-1].hash), (
            f"{pk}: its head was not told"
        )
        _, finding = services.wallets.verify(chain)
        assert finding is None, f"I6 verify finds {finding} in {pk}"
        head = services.wallets.entries(chain, 1, None)[0][0]
        assert services.wallets.rebuild(chain).encode() == head.state.encode(), f"I8 {pk} is rebuilt differently"
        known = (pk, books.entries[-1].hash, now)  # the hash of its newest entry tells a whole chain
        if books.status != "open" or known in self.scenario.proven:
            return
        for moment in (now, *self.scenario.later):
            available = books.available(moment)
            shown = services.wallets.state(chain, moment).balance().available
            assert shown == available, f"I7 {pk} at {moment}: shows {shown}, has {available}"
            trial = Services.on(Client(self.simulation.engine.clone(), validate=False), in_turn, self.scenario.policy)
            probe = Cause("probe", "probe", "cli_probe", moment)
            try:
                trial.wallets.redeem(chain, available + 1, "", probe, moment)
            except Refused:
                pass
            else:
                raise AssertionError(f"I2 {pk} at {moment}: {available + 1} of {available} points could be spent")
            if available:
                trial.wallets.redeem(chain, available, "", probe, moment)
        self.scenario.proven.add(known)

    # for a story's own expectations

    def wallet(self, account: str = ANNA) -> invariants.Books:
        return self.books[wallet_of(account).pk]

    def kinds(self, account: str = ANNA) -> list[str]:
        """Kinds of the wallet's entries, oldest first."""
        return [line.kind for line in self.wallet(account).entries]

    def balance(self, account: str = ANNA) -> int:
        return self.wallet(account).available(self.simulation.clock.now)

    def answer(self, key: str, name: str = "") -> Answer:
        """The first answer to the request with this key, and of this name if one is given."""
        return next(
            answer for answer in self.answers if answer.request.key == key and name in ("", answer.request.name)
        )

    def ref_kind(self, key: str, account: str = ANNA) -> str:
        """Kind of the entry that has this reference; empty when there is none."""
        wallet = self.wallet(account)
        return wallet.entries[wallet.refs[key] - 1].kind if key in wallet.refs else ""

    def done(self, *keys: str) -> list[bool]:
        """By key, whether the request was carried out, as stored."""
        refs = {ref for books in self.books.values() for ref in books.refs}
        return [key in refs for key in keys]


@dataclass
class Story:
    """A scenario: what stands before, who sends what, and what must hold beside the invariants.

    `before` is sent in order to a fresh table with ANNA's and BERT's wallets open, at START or at the given moment.
    """

    name: str
    writers: Sequence[Sequence[Request]]
    before: Sequence[Request | tuple[int, Request]] = ()
    policy: Program = field(default_factory=policy)
    faults: Faults = NO_FAULTS
    ticks: Sequence[int] = ()
    later: Sequence[int] = ()
    skews: Mapping[str, int] = field(default_factory=dict)
    """By writer (w1, w2, …), how far its clock is ahead, in seconds."""
    retried: bool = True
    consumers: int = 0
    polls: int = 3
    now: int = START
    expect: Callable[[World], None] = lambda world: None
    proven: set[tuple[str, str, int]] = field(default_factory=set)
    """Wallets whose balance was compared with what can be spent of it."""
    _prepared: Engine | None = None

    def begin(self, choices: Choices) -> World:
        if self._prepared is None:
            self._prepared = self._prepare()
        simulation = Simulation(self._prepared.clone(), choices, now=self.now, ticks=self.ticks, faults=self.faults)
        world = World(self, simulation)
        world.start()
        return world

    def _prepare(self) -> Engine:
        engine = Engine()
        services = Services.on(Client(engine), in_turn, self.policy)
        for account in (ANNA, BERT):
            cause = Cause(f"open-{account}", "open", "cli_shop", START - DAY)
            services.wallets.open(wallet_of(account), "member", cause, START - DAY)
        for step in self.before:
            moment, request = step if isinstance(step, tuple) else (START, step)
            request.send(services, request.cause, moment)
        return engine

    def with_faults(self, faults: Faults) -> "Story":
        return replace(self, name=f"{self.name}-faulty", faults=faults, proven=set())
