"""Use cases: partners' endpoints, events taken up for them, and the lines that are seen to.

A line is one of an endpoint's sixteen, by member. One run at a time sees to it, under a lease; a run that died left it
unreleased, and the next one knows. Whoever leaves something waiting has itself woken when that is due.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from loyalty.channels.channel import NoAnswer, NotSent, Outcome, Post, unanswered
from loyalty.channels.signing import headers
from loyalty.channels.webhook import answered
from loyalty.errors import Conflict, NotFound, Unavailable
from loyalty.table import keys
from loyalty.table.writes import ConditionFailed
from loyalty.webhooks.delivery import SETTLE_S, TRIED_S, Delivery, Event, Waiting, delivery_of, pause, place_of
from loyalty.webhooks.endpoint import MAX_ENDPOINTS, Endpoint
from loyalty.webhooks.store import Line, WebhookStore

TIMEOUT_S: Final = 10.0
LEASE_S: Final = 90
"""A run has a line for so long; it ends itself well before."""
RUN_S: Final = 40
PAGE: Final = 50
IN_A_ROW: Final = 3
"""After so many failures a run ends: the endpoint does not work, and what waits keeps."""
REST_S: Final = 30
MOST_DELAY_S: Final = 900
"""No queue keeps a message back for longer."""
SOON_S: Final = 5
"""When a line that another run has is looked at again."""
KNOWN_S: Final = 10
"""How long a running copy goes by the endpoints it has read."""
MAX_TRIES: Final = 5

Wake = Callable[[str, int], None]
"""Have a line looked at in so many seconds, at most ``MOST_DELAY_S``."""


class Report(Struct, frozen=True):
    """What a run came to. ``off`` is the endpoint that it switched off, if it did."""

    delivered: int = 0
    failed: int = 0
    given_up: int = 0
    off: str = ""


class Webhooks:
    """Endpoints as their owner sees them."""

    def __init__(self, store: WebhookStore, wake: Wake) -> None:
        self._store = store
        self._wake = wake

    def all(self, program: str) -> list[Endpoint]:
        return self._store.endpoints(program)

    def get(self, program: str, name: str) -> Endpoint:
        """NotFound."""
        endpoint = self._store.endpoint(program, name)
        if endpoint is None:
            raise NotFound("WEBHOOK_NOT_FOUND", "There is no such webhook in this programme")
        return endpoint

    def create(self, program: str, endpoint: Endpoint) -> Endpoint:
        """Conflict when there are too many."""
        if len(self._store.endpoints(program)) >= MAX_ENDPOINTS:
            raise Conflict("WEBHOOK_LIMIT_REACHED", f"A programme has {MAX_ENDPOINTS} webhooks at most; remove one")
        self._store.add(program, endpoint)
        return endpoint

    def change(self, program: str, name: str, change: Callable[[Endpoint], Endpoint]) -> Endpoint:
        """Change an endpoint, over whatever others change at the same time."""
        for _ in range(MAX_TRIES):
            endpoint = self.get(program, name)
            after = replace(change(endpoint), version=endpoint.version + 1)
            try:
                self._store.save(program, after)
            except ConditionFailed:
                continue
            if after.state == "on" and endpoint.state == "off":
                for pk in self._store.lines(program, name):
                    self._wake(pk, 0)
            return after
        raise Unavailable("STORAGE_UNAVAILABLE", "Send the same request again", retry_after=1)

    def remove(self, program: str, name: str) -> None:
        """Nothing more is sent; what was kept goes with time."""
        self.get(program, name)
        self._store.remove(program, name)

    def replay(self, program: str, name: str, since: int, until: int) -> None:
        """Send anew, in order, all that was recorded from ``since`` up to ``until``; what waits anyway is not sent
        twice for it. A replay that goes on is replaced. Lines that have nothing of that time are left alone.
        """
        if self.get(program, name).state == "off":
            raise Conflict("WEBHOOK_OFF", "Switch the webhook on first")
        again, end = f"{max(0, since):010d}", f"{until + 1:010d}"
        for pk in self._store.lines(program, name):
            first = self._store.deliveries(pk, 1, again)
            some = bool(first) and place_of(first[0]) < end
            if self._change_replay(pk, again if some else "", end if some else ""):
                self._wake(pk, 0)

    def _change_replay(self, pk: str, again: str, until: str) -> bool:
        """Whether there was anything to change."""
        for _ in range(MAX_TRIES):
            line = self._store.line(pk)
            if not again and not line.again:
                return False
            if self._store.save_line(pk, replace(line, again=again, until=until, version=line.version + 1)):
                return True
        raise Unavailable("STORAGE_UNAVAILABLE", "Send the same request again", retry_after=1)

    def deliveries(self, program: str, name: str, limit: int) -> list[Delivery]:
        """The newest deliveries of an endpoint, over all lines."""
        self.get(program, name)
        found = [one for pk in self._store.lines(program, name) for one in self._store.newest(pk, limit)]
        return sorted(found, key=place_of, reverse=True)[:limit]

    def test(self, program: str, name: str, event: Event, now: int) -> Delivery:
        """Have an event of no consequence sent there."""
        endpoint = self.get(program, name)
        delivery = delivery_of(event, now)
        self._store.take_up(program, endpoint.id, delivery, now)
        self._wake(keys.deliveries_of(program, name, ""), 0)
        return delivery


class Fan:
    """Takes up events for the endpoints that want them."""

    def __init__(self, store: WebhookStore, wake: Wake) -> None:
        self._store = store
        self._wake = wake
        self._known: dict[str, tuple[int, list[Endpoint]]] = {}

    def take(self, event: Event, now: int) -> int:
        """For how many endpoints it was taken up."""
        count = 0
        for endpoint in self._endpoints(event.program, now):
            if not endpoint.wants(event.kind):
                continue
            delivery = delivery_of(event, now)
            if endpoint.state == "off":
                delivery = replace(delivery, state="kept")
            settle = SETTLE_S if endpoint.ordered else 0
            self._store.take_up(event.program, endpoint.id, delivery, now + settle)
            if endpoint.state == "on":  # one that was there already may have died before this
                self._wake(keys.deliveries_of(event.program, endpoint.id, event.member), settle)
            count += 1
        return count

    def _endpoints(self, program: str, now: int) -> list[Endpoint]:
        read, found = self._known.get(program, (0, []))
        if now - read >= KNOWN_S or now < read:
            found = self._store.endpoints(program)
            self._known[program] = now, found
        return found


class Deliverer:
    """Sees to lines. ``clock`` tells the time while a run goes on."""

    def __init__(self, store: WebhookStore, post: Post, wake: Wake, clock: Callable[[], int]) -> None:
        self._store = store
        self._post = post
        self._wake = wake
        self._clock = clock

    def run(self, pk: str) -> Report:
        """See to one line. Unavailable when the table does not answer: then the message comes again."""
        program, name = line_of(pk)
        endpoint = self._store.endpoint(program, name)
        now = self._clock()
        if endpoint is None or endpoint.state == "off":
            return Report()
        line = self._store.line(pk)
        if now < line.held:
            self._wake(pk, SOON_S)
            return Report()
        if now < line.rest and now < line.wake:
            return Report()
        mine = replace(line, held=now + LEASE_S, version=line.version + 1)
        if not self._store.save_line(pk, mine):
            self._wake(pk, SOON_S)
            return Report()
        return _Run(self, endpoint, program, pk, mine, died=line.held > 0).go()

    def send(self, endpoint: Endpoint, delivery: Delivery) -> Outcome:
        """Send it once."""
        body, now = delivery.body.encode(), self._clock()
        try:
            signed = headers(endpoint.secrets(now), delivery.name, now, body)
            return answered(self._post(endpoint.url, body, signed, TIMEOUT_S))
        except (NotSent, NoAnswer) as error:
            return unanswered(error, known_again=True)

    @property
    def store(self) -> WebhookStore:
        return self._store

    @property
    def now(self) -> int:
        return self._clock()

    def wake(self, pk: str, seconds: int) -> None:
        self._wake(pk, max(0, min(seconds, MOST_DELAY_S)))


class _Run:
    """One run over one line, which it has the lease of."""

    def __init__(self, by: Deliverer, endpoint: Endpoint, program: str, pk: str, line: Line, *, died: bool) -> None:
        self._by = by
        self._endpoint = endpoint
        self._program = program
        self._pk = pk
        self._line = line
        self._died = died
        self._began = by.now
        self._delivered = self._failed = self._given_up = self._in_a_row = 0
        self._code = ""
        self._gone = False
        self._next = 0
        """When something is due that was left; 0 for nothing."""

    def go(self) -> Report:
        self._see_to_waiting()
        if not self._over():
            self._see_to_replay()
        off = self._note_health()
        self._release()
        return Report(self._delivered, self._failed, self._given_up, self._endpoint.id if off else "")

    def _over(self) -> bool:
        return self._gone or self._in_a_row >= IN_A_ROW or self._by.now - self._began >= RUN_S

    def _see_to_waiting(self) -> None:
        """In the line's order; for an endpoint that wants order nothing of a member passes what of it still waits."""
        blocked: set[str] = set()
        after = ""
        while page := self._by.store.waiting(self._pk, PAGE, after):
            for waiting in page:
                after = waiting.place
                if self._over():
                    self._later(self._by.now)
                    return
                held_up = self._endpoint.ordered and waiting.member in blocked
                if held_up or waiting.due > self._by.now:
                    blocked.add(waiting.member)
                    if not held_up:
                        self._later(waiting.due)
                elif not self._try(waiting):
                    blocked.add(waiting.member)

    def _try(self, waiting: Waiting) -> bool:
        """Whether the next of its member may go."""
        delivery = self._by.store.delivery(self._pk, waiting.place)
        if delivery is None:  # it is not kept any more
            self._by.store.settle(self._pk, waiting.place, None)
            return True
        outcome = self._by.send(self._endpoint, delivery)
        now = self._by.now
        tried = replace(delivery, tries=delivery.tries + 1, tried=now, code=outcome.code)
        if self._learn(outcome):
            self._by.store.settle(self._pk, waiting.place, replace(tried, state="delivered"))
            return True
        if now - delivery.came >= TRIED_S:
            self._given_up += 1
            self._by.store.settle(self._pk, waiting.place, replace(tried, state="failed"))
            return True
        due = now + max(pause(waiting.tries + 1), min(outcome.retry_after_s, 3600) if outcome.kind == "later" else 0)
        self._by.store.put_off(self._pk, replace(waiting, due=due, tries=waiting.tries + 1), tried)
        self._later(due)
        return False

    def _see_to_replay(self) -> None:
        """On from where the replay has come; how far that is is noted after every page, so little is sent twice."""
        while self._line.again and not self._over():
            page = self._by.store.deliveries(self._pk, PAGE, self._line.again)
            inside = [delivery for delivery in page if place_of(delivery) < self._line.until]
            reached, stopped = self._line.again, False
            for delivery in inside:
                stopped = self._over() or not self._resend(delivery)
                if stopped:
                    break
                reached = place_of(delivery)
            done = not stopped and len(inside) < PAGE
            self._keep({"again": "" if done else reached, "until": "" if done else self._line.until})
            if stopped:
                break
        if self._line.again:
            self._later(self._by.now + (REST_S if self._in_a_row else 0))

    def _resend(self, delivery: Delivery) -> bool:
        if delivery.state == "waiting":  # it stands in the line
            return True
        outcome = self._by.send(self._endpoint, delivery)
        if not self._learn(outcome):
            return outcome.kind == "refused"  # it will not be taken at another time either
        done = replace(delivery, state="delivered", tries=delivery.tries + 1, tried=self._by.now, code=outcome.code)
        self._by.store.note(self._pk, done)
        return True

    def _learn(self, outcome: Outcome) -> bool:
        """Whether it was taken."""
        self._code = outcome.code
        if outcome.kind == "accepted":
            self._delivered += 1
            self._in_a_row = 0
            return True
        self._failed += 1
        self._in_a_row += outcome.kind != "refused"
        self._gone = self._gone or outcome.kind == "dead"
        return False

    def _later(self, due: int) -> None:
        self._next = min(self._next or due, due)

    def _keep(self, changes: dict[str, Any]) -> None:
        """Change the line. A replay that was asked for meanwhile counts, from its beginning."""
        for _ in range(MAX_TRIES):
            after = replace(self._line, **changes, version=self._line.version + 1)
            if self._by.store.save_line(self._pk, after):
                self._line = after
                return
            there = self._by.store.line(self._pk)
            if (there.again, there.until) != (self._line.again, self._line.until):
                changes = {name: value for name, value in changes.items() if name not in ("again", "until")}
            self._line = there
        raise Unavailable("STORAGE_UNAVAILABLE", "Send the same request again", retry_after=1)

    def _note_health(self) -> bool:
        """Whether the endpoint was switched off for it."""
        if not (self._delivered or self._failed):
            return False
        after = self._endpoint.fared(
            took=self._delivered > 0 and not self._gone, gone=self._gone, code=self._code, now=self._by.now
        )
        if after is self._endpoint:
            return False
        try:
            self._by.store.save(self._program, replace(after, version=self._endpoint.version + 1))
        except ConditionFailed:  # it was changed by somebody, or by another line's run; the next run tells
            return False
        return after.state == "off"

    def _release(self) -> None:
        """Give the line back, and have it looked at when something is due: unless somebody looks before that anyway."""
        now = self._by.now
        rest = now + REST_S if self._in_a_row >= IN_A_ROW else 0
        wake = self._line.wake
        if self._next and not self._gone:
            due = max(self._next, rest)
            if self._died or wake <= now or due < wake:
                wake = min(max(due, now), now + MOST_DELAY_S)
                self._by.wake(self._pk, wake - now)
        self._keep({"held": 0, "rest": rest, "wake": wake})


def line_of(pk: str) -> tuple[str, str]:
    """Programme and endpoint of a line's partition."""
    program, _, endpoint, _ = pk.split("#")
    return program, endpoint


def wanted(events: Iterable[str], known: Iterable[str]) -> list[str]:
    """Those of the types asked for that there are none of."""
    types = [*known]
    return [
        one
        for one in events
        if one != "*" and one not in types and not (one.endswith(".*") and any(t.startswith(one[:-1]) for t in types))
    ]
