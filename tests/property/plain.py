"""Accounts as plainly as they can be said: the model that the real ledger is held against.

Nothing here is taken from the product. Where the ledger keeps one state and moves, this keeps a heap of packets of
points; where it carries a remainder, this keeps the exact fraction earned since the account began; where it settles
when somebody looks, this lives through every moment as the clock passes it. Times are seconds since 1970, UTC.
"""

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor, inf
from typing import Any

REMEMBERED = 3
"""For how many of the latest expiries a return still knows what was lost."""
MOST_HOLDS = 20


class No(Exception):
    """A command is refused: with this code, and these figures."""

    def __init__(self, code: str, **figures: int) -> None:
        super().__init__(code)
        self.code = code
        self.figures = figures


@dataclass
class Packet:
    """Some points with one fate: they can be spent from ``start`` (0: now; -1: when an event says so) and are gone at
    ``expiry`` (0: never).
    """

    points: int
    expiry: int
    start: int = 0


@dataclass
class HeldBack:
    deadline: int
    offline: bool
    packets: list[Packet]

    @property
    def points(self) -> int:
        return sum(packet.points for packet in self.packets)


def soonest(packet: Packet) -> float:
    return packet.expiry or inf


@dataclass
class PlainAccount:
    now: int
    kind: str
    status: str = "open"
    packets: list[Packet] = field(default_factory=list)
    holds: dict[int, HeldBack] = field(default_factory=dict)
    gone_holds: set[int] = field(default_factory=set)
    owed: int = 0
    earned: dict[str, Fraction] = field(default_factory=dict)
    """By rule, since the account began."""
    purchases: int = 0
    visits: set[int] = field(default_factory=set)
    """Days on which something was bought, returned or not."""
    counting_day: int = 0
    used: dict[str, int] = field(default_factory=dict)
    """What the caps have counted in the periods that ``counting_day`` is in."""
    run: set[int] = field(default_factory=set)
    """The days in a row that end with the last one reported."""
    waiting: dict[int, tuple[int, int]] = field(default_factory=dict)
    """(points, expiry) that nobody has decided on, by the number of their entry."""
    lost: dict[int, int] = field(default_factory=dict)
    spent: dict[int, list[Packet]] = field(default_factory=dict)
    """By the number of the entry that spent them."""
    given_back: set[int] = field(default_factory=set)

    # ---- what is there

    @property
    def available(self) -> int:
        return sum(packet.points for packet in self.packets if not packet.start)

    @property
    def pending(self) -> int:
        return sum(packet.points for packet in self.packets if packet.start)

    @property
    def held(self) -> int:
        return sum(hold.points for hold in self.holds.values())

    def heap(self) -> dict[tuple[int, int], int]:
        """Points by (expiry, start)."""
        sums: dict[tuple[int, int], int] = {}
        for packet in self.packets:
            sums[packet.expiry, packet.start] = sums.get((packet.expiry, packet.start), 0) + packet.points
        return sums

    # ---- time

    def moments(self) -> list[int]:
        """Every moment at which something is going to happen by itself."""
        times = {hold.deadline for hold in self.holds.values()}
        for packet in self.packets:
            times |= {packet.expiry, packet.start}
        return sorted(times - {0, -1})

    def live_until(self, now: int) -> None:
        while self.status != "closed" and (coming := [moment for moment in self.moments() if moment <= now]):
            self.moment(coming[0])
        self.now = now

    def moment(self, now: int) -> None:
        """Holds lapse, then points begin, then debts are paid, then points end."""
        for number in sorted(self.holds):
            if self.holds[number].deadline <= now:
                self._let_go(number)
        for packet in self.packets:
            if 0 < packet.start <= now:
                packet.start = 0
        self._pay_debts()
        for packet in [packet for packet in self.packets if packet.expiry and packet.expiry <= now]:
            self.packets.remove(packet)
            self.lost[packet.expiry] = self.lost.get(packet.expiry, 0) + packet.points
            while len(self.lost) > REMEMBERED:
                del self.lost[min(self.lost)]

    def _pay_debts(self) -> None:
        paid = min(self.owed, self.available)
        self.take(paid)
        self.owed -= paid

    def _let_go(self, number: int) -> None:
        self.packets += self.holds.pop(number).packets
        self.gone_holds.add(number)

    def take(self, points: int) -> list[Packet]:
        """Point after point from what ends first."""
        taken = []
        while points:
            packet = min((packet for packet in self.packets if not packet.start), key=soonest)
            some = min(points, packet.points)
            taken.append(Packet(some, packet.expiry))
            packet.points -= some
            points -= some
            if not packet.points:
                self.packets.remove(packet)
        return taken

    # ---- commands; ``number`` is that of the entry that a command would write

    def usable(self) -> None:
        if self.status == "closed":
            raise No("ACCOUNT_CLOSED")

    def _may_take(self, points: int) -> None:
        if points > self.available:
            raise No("POINTS_INSUFFICIENT", available=self.available, missing_points=points - self.available)

    def _may_leave(self, points: int) -> None:
        if self.status == "frozen":
            raise No("ACCOUNT_FROZEN")
        self._may_take(points)

    def add(self, points: int, expiry: int, start: int) -> None:
        self.usable()
        if points:
            self.packets.append(Packet(points, expiry, start if start > self.now or start == -1 else 0))
        self.moment(self.now)

    def earn(self, rule: str, exact: Fraction) -> int:
        """What an award comes to in whole points; what comes back is below zero."""
        before = floor(self.earned.get(rule, Fraction(0)))
        self.earned[rule] = self.earned.get(rule, Fraction(0)) + exact
        return floor(self.earned[rule]) - before

    def visit(self, day: int) -> None:
        self.purchases += 1
        self.visits.add(day)

    def buy(self, amount: int, rate: Fraction, expiry: int, start: int, day: int) -> int:
        self.usable()
        points = self.earn("base", rate * amount)
        self.visit(day)
        self.add(points, expiry, start)
        return points

    def _room(self, counter: str, bound: int, day: int) -> tuple[int, object]:
        """(what is left of a cap, the period it is left of). Nobody counts on an earlier day than the last one did."""
        day = max(day, self.counting_day)
        if not self.counting_day or period(counter, day) != period(counter, self.counting_day):
            return bound, period(counter, day)
        return bound - self.used.get(counter, 0), period(counter, day)

    def _count(self, counter: str, points: int, day: int) -> None:
        day = max(day, self.counting_day)
        if self.counting_day:
            self.used = {
                name: used for name, used in self.used.items() if period(name, day) == period(name, self.counting_day)
            }
        self.counting_day = day
        self.used[counter] = self.used.get(counter, 0) + points

    def buy_by_rules(
        self, amount: int, expiry: int, start: int, day: int
    ) -> tuple[list["PlainAward"], list[list[Any]]]:
        """A point for each euro; a third of a point for each, up to 40 a month; ten from 20 euros on, twice a week."""
        self.usable()
        awards = [PlainAward("base", amount, 100)] if amount else []
        left, month = self._room("third:pm", 40, day)
        carried = self.earned.get("third", Fraction(0)) % 1
        third = min(Fraction(amount, 300), max(Fraction(0), left - carried))
        if third:
            awards.append(PlainAward("third", int(third * 300), 300, "third:pm", month))
        times, week = self._room("twice:tw", 2, day)
        if amount >= 2_000 and times > 0:
            awards.append(PlainAward("twice", 10, 1, "twice:tw", week))
        given = [(award, self.earn(award.rule, Fraction(award.units, award.of))) for award in awards]
        for award, points in given:
            if award.counter and (counts := points if award.counter == "third:pm" else 1):
                self._count(award.counter, counts, day)
        self.visit(day)
        self.add(sum(points for _, points in given), expiry, start)
        return awards, [[award.rule, points] for award, points in given]

    def give_back_purchase(
        self, shares: list[tuple["PlainAward", Fraction]], wholly: bool, expiry: int, start: int, policy: str
    ) -> tuple[int, int, int]:
        """(points due, points forgiven, points owed)."""
        self.usable()
        due = 0
        for award, share in shares:
            points = -self.earn(award.rule, -share)
            due += points
            if award.counter and self.counting_day and period(award.counter, self.counting_day) == award.period:
                back = points if award.counter == "third:pm" else int(wholly)
                self.used[award.counter] = max(0, self.used.get(award.counter, 0) - back)
        self.purchases -= wholly
        left = due
        owed = 0
        left -= self._take_like(left, expiry, start) if start else 0
        if policy != "only_pending":
            left -= self._take_like(left, expiry, 0)
            forgotten = min(left, self.lost.get(expiry, 0))
            if forgotten:
                self.lost[expiry] -= forgotten
                if not self.lost[expiry]:
                    del self.lost[expiry]
                left -= forgotten
            more = min(left, self.available)
            self.take(more)
            left -= more
            if policy == "arrears":
                self.owed += left
                owed, left = left, 0
        self.moment(self.now)
        return due, left, owed

    def walk(self, day: int, expiry: int, start: int) -> int:
        """As many points as days in a row, this one included; none for a day that came before, or comes late."""
        self.usable()
        last = max(self.run, default=0)
        length = 0
        if day > last:
            self.run = {*self.run, day} if day == last + 1 else {day}
            length = len(self.run)
        self.add(length, expiry, start)
        return length

    def trade(self, points: int, expiry: int, number: int) -> None:
        self.usable()
        self.add(points, expiry, -1)
        self.waiting[number] = (points, expiry)

    def decide(self, number: int, accepted: bool) -> int:
        self.usable()
        points, expiry = self.waiting.pop(number)
        if 0 < expiry <= self.now:
            return 0
        self._take_like(points, expiry, -1)
        if accepted:
            self.packets.append(Packet(points, expiry))
        self.moment(self.now)
        return points

    def _take_like(self, points: int, expiry: int, start: int) -> int:
        taken = 0
        for packet in [packet for packet in self.packets if (packet.expiry, packet.start) == (expiry, start)]:
            some = min(points - taken, packet.points)
            packet.points -= some
            taken += some
            if not packet.points:
                self.packets.remove(packet)
        return taken

    def redeem(self, points: int, number: int) -> None:
        self.usable()
        self._may_leave(points)
        self.spent[number] = self.take(points)

    def cancel(self, spent: int) -> int:
        if spent not in self.spent:
            raise No("REDEMPTION_NOT_FOUND")
        self.usable()
        if spent in self.given_back:
            raise No("REDEMPTION_ALREADY_CANCELLED")
        self.given_back.add(spent)
        back = [Packet(packet.points, packet.expiry) for packet in self.spent[spent]]
        points = sum(packet.points for packet in back)  # before arrears take their share of these very packets
        self.packets += back
        self.moment(self.now)
        return points

    def hold(self, points: int, deadline: int, offline: bool, number: int) -> None:
        self.usable()
        if len(self.holds) >= MOST_HOLDS:
            raise No("HOLD_LIMIT_REACHED")
        self._may_leave(points)
        self.holds[number] = HeldBack(deadline, offline, self.take(points))

    def _held(self, hold: int, allowed: bool) -> HeldBack:
        self.usable()
        if hold not in self.holds:
            raise No("HOLD_NOT_ACTIVE" if hold in self.gone_holds else "HOLD_NOT_FOUND")
        if self.holds[hold].offline and not allowed:
            raise No("HOLD_ALLOWANCE_INVALID")
        return self.holds[hold]

    def capture(self, hold: int, points: int | None, final: bool, allowed: bool, number: int) -> tuple[int, int, int]:
        """(points spent, given back, still held)."""
        held = self._held(hold, allowed)
        wanted = held.points if points is None else points
        if wanted > held.points:
            raise No("HOLD_EXCEEDED", available=held.points, missing_points=wanted - held.points)
        aside = PlainAccount(self.now, self.kind, packets=held.packets)
        self.spent[number] = aside.take(wanted)
        back = held.points if final else 0
        if final or not held.points:
            self._let_go(hold)
        self.moment(self.now)
        return wanted, back, self.holds[hold].points if hold in self.holds else 0

    def release(self, hold: int, allowed: bool) -> int:
        points = self._held(hold, allowed).points
        self._let_go(hold)
        self.moment(self.now)
        return points

    def adjust(self, points: int, expiry: int) -> None:
        self.usable()
        if points > 0:
            self.add(points, expiry, 0)
        else:
            self._may_take(-points)
            self.take(-points)

    def send(self, points: int, to: "PlainAccount") -> None:
        self.usable()
        self._may_leave(points)
        to.usable()
        to.packets += self.take(points)
        to.moment(to.now)

    def set_status(self, status: str) -> None:
        self.usable()
        if status == self.status:
            raise No("ACCOUNT_STATUS_UNCHANGED")
        self.status = status

    def close(self, forfeit: bool) -> None:
        self.usable()
        sums = {"available": self.available, "pending": self.pending, "held": self.held, "arrears": self.owed}
        if self.held or (not forfeit and any(sums.values())):
            raise No("ACCOUNT_NOT_EMPTY", **sums)
        self.packets, self.owed, self.status = [], 0, "closed"


def period(counter: str, day: int) -> object:
    """The month or the week that a day is in."""
    on = date.fromordinal(day)
    return (on.year, on.month) if counter[-1] == "m" else on.isocalendar()[:2]


@dataclass(frozen=True)
class PlainAward:
    """``units`` of 1/``of`` points: shares of it are whole units."""

    rule: str
    units: int
    of: int
    counter: str = ""
    period: object = None


@dataclass
class PlainOrder:
    """An order, and all that has come back of it. ``awards`` is what rules gave; None where the rate did."""

    account: PlainAccount
    lines: list[tuple[int, int]]
    """(amount, pieces)."""
    rate: Fraction
    expiry: int
    start: int
    policy: str
    back: list[tuple[int, int]] = field(default_factory=list)
    """By line: (amount, pieces) that came back."""
    by_amount: int = 0
    awards: list[PlainAward] | None = None

    def __post_init__(self) -> None:
        self.back = [(0, 0)] * len(self.lines)

    @property
    def amount(self) -> int:
        return sum(amount for amount, _ in self.lines)

    @property
    def returned(self) -> int:
        return self.by_amount + sum(amount for amount, _ in self.back)

    @property
    def came_back(self) -> bool:
        if self.amount:
            return self.returned >= self.amount
        pieces = sum(count for _, count in self.lines)
        return 0 < pieces <= sum(count for _, count in self.back)

    def shares(self, before: int) -> list[tuple[PlainAward, Fraction]]:
        """Of each award, what was not taken yet when ``before`` minor units had come back."""
        if self.awards is None:
            return [(PlainAward("base", 0, 1), self.rate * (self.returned - before))]
        return [
            (
                award,
                Fraction(award.units * self.returned // self.amount - award.units * before // self.amount, award.of),
            )
            for award in self.awards
        ]

    def take_line(self, line: int, pieces: int | None, amount: int | None) -> int:
        """What a return of (part of) one line is worth; all that is left of the line when neither is said."""
        (worth, count), (gone, gone_pieces) = self.lines[line], self.back[line]
        if amount is None and pieces is None:
            amount, pieces = worth - gone, count - gone_pieces
        elif amount is not None:
            pieces = 0
        else:
            assert pieces is not None
            if gone_pieces + pieces > count:
                raise No("RETURN_EXCEEDS_PURCHASE", returnable_amount=worth - gone)
            # The first n pieces of a line are always worth floor(line * n / count) together.
            amount = floor(Fraction(worth * (gone_pieces + pieces), count)) - floor(
                Fraction(worth * gone_pieces, count)
            )
        if gone + amount > worth:
            raise No("RETURN_EXCEEDS_PURCHASE", returnable_amount=worth - gone)
        if self.returned + amount > self.amount:
            raise No("RETURN_EXCEEDS_PURCHASE", returnable_amount=self.amount - self.returned)
        if not amount and not pieces:
            raise No("RETURN_EXCEEDS_PURCHASE", returnable_amount=self.amount - self.returned)
        self.back[line] = (gone + amount, gone_pieces + pieces)
        return amount

    def take_amount(self, amount: int) -> int:
        if not amount or self.returned + amount > self.amount:
            raise No("RETURN_EXCEEDS_PURCHASE", returnable_amount=self.amount - self.returned)
        self.by_amount += amount
        return amount

    def take_rest(self) -> int:
        amount = self.amount - self.returned
        if not amount and (self.amount or self.came_back):
            raise No("RETURN_EXCEEDS_PURCHASE", returnable_amount=0)
        self.back, self.by_amount = list(self.lines), 0
        return amount


@dataclass(frozen=True)
class PlainTerms:
    """A policy on lives of points, in UTC. ``months`` 0 is for good; lives end with a month."""

    rate: Fraction
    months: int
    delay_days: int
    policy: str

    def of(self, occurred: int, recorded: int) -> tuple[int, int]:
        """(expiry, start) of what happened then and is written down now."""
        expiry, start = self._of(occurred)
        return self._of(recorded) if expiry and expiry <= recorded else (expiry, start)

    def _of(self, moment: int) -> tuple[int, int]:
        day = datetime.fromtimestamp(moment, UTC).replace(hour=0, minute=0, second=0) + timedelta(days=self.delay_days)
        start = int(day.timestamp()) if self.delay_days else 0
        if not self.months:
            return 0, start
        for _ in range(self.months):  # the first of the month, so many months on
            day = day.replace(day=1) + timedelta(days=monthrange(day.year, day.month)[1])
        end = day.replace(day=1) + timedelta(days=monthrange(day.year, day.month)[1])
        return int(end.timestamp()), start
