"""The state of one wallet, and the moves that change it. Pure: no clock, no storage.

A state is never edited by hand: every change is a *move*, a small JSON list that is stored in the entry that made it,
so replaying the moves of a chain gives back every state of it (I8). The sum of the moves is the sum of the balances
(I1).

Moves (``why`` is the reason in the vocabulary of docs/concepts.md):

==========================================  ==========================================================
``[why, "l", expiry, start, delta]``        points in a lot
``[why, "h", hold, expiry, delta]``         points in a hold, by the lot they came from
``[why, "d", hold, deadline, offline]``     a hold begins
``[why, "a", delta]``                       arrears
``[why, "z", expiry, delta]``               memory of what a lot lost by expiring; no balance
``[why, "r", rule, num, den]``              what rounding left over under a rule, as the exact fraction
``[why, "s", status]``                      open, frozen, closed
``[why, "p", delta, day]``                  purchases that stand; the day one was made on, 0 for one that came back
``[why, "c", day, counter, delta, …]``      counters, counted on that day
``[why, "k", event, day, length]``          days in a row on which an event happened, up to that day
``[why, "y", day, spend, points, visits]``  figures that tiers go by, of something on that day
``[why, "g", tier, since, until, manual]``  tier, from a day until the end of another (0: open), and whether by hand
``[why, "x", old, new, start, points]``     points of a lot last longer; with 0 points: what ends before does from now
``[why, "q", noticed, promised]``           ends that notice was given of, and ends that wait for notice; up to there
``[why, "v", decayed, noticed, …]``         day of the last decay, and the decay day that notice was given of: …
``[why, "w", day]``                         day of the last purchase that an alert on the silence since was given for
``[why, "o", campaign, num, den, …]``       base points times num/den for purchases from a day to another: …
==========================================  ==========================================================

Times are whole seconds since 1970, UTC. An ``expiry`` of 0 is never; a ``start`` of 0 has begun, any other makes the
lot pending: until that moment, or with ``WAITING`` until an event decides. Days are proleptic ordinals in whatever zone
the caller reckons in.

**Counters** say how much of a cap is used. The last letter of a counter's name is its period: ``d`` day, ``w`` week
(Monday to Sunday), ``m`` month, ``q`` quarter, ``y`` year, ``t`` for good; the letter before says what it counts, ``p``
points or ``t`` times. The days that counts are made on never go back: what happened before the day of the last count
(``State.counted``) counts on that day. So only the periods of that one day are open, no count is ever added to a period
that is over, and a counter is dropped when its period ends: however late and in whatever order things are reported, no
period ever counts more than its cap, and nothing has to be remembered of past periods.

**Figures** say what was spent (minor units), earned (points, whatever became of them) and how often something was
bought, by the month of the day on which it was, and for good. A return takes from the month of its purchase. Months
are counted ``12 * year + month - 1``; those before the ``MAX_MONTHS`` up to now are left to the figures for good. What
was done before figures were kept is in none, so nothing is taken from there when it comes back.

**Multipliers** are offers of campaigns: of those that hold on the day of a purchase the largest counts. Days are those
that purchases count on. One that has ended is kept ``LATE_DAYS`` more for purchases that are reported late, as long as
none takes its place.

**Notice.** Lots whose end is at most ``promised`` were given under the promise that nothing ends without notice: they
last until ``noticed`` has reached their end.

**Decay.** A notice also says how many points it was of, and, where it waits to be confirmed, of which day; what is 0 is
left out. Until it is confirmed nothing is taken, and then no more than was said.

**Extension.** Where points last until a member has been idle for long, every action moves the ends of all lots to
``extended[1]``. ``extended[0]`` is when that series of actions began: what was to end after it, and before
``extended[1]``, ends then.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import pairwise
from math import gcd
from typing import Any, Final, NamedTuple, TypeVar

from msgspec import Struct, field

from loyalty.errors import Corrupt
from loyalty.values import Rate

SCHEMA: Final = 4
MAX_LOTS: Final = 36
MAX_WAITING: Final = 24
"""Lots that may wait for an event: so many fewer than there may be in all that they need never be merged."""
MAX_HOLDS: Final = 20
MAX_LAPSED: Final = 3
MAX_RECENT: Final = 6
MAX_STREAKS: Final = 8
MAX_MONTHS: Final = 25
MAX_MULTIPLIERS: Final = 3
LATE_DAYS: Final = 14
TAG_LENGTH: Final = 8
"""Characters of a reference's short form."""

WAITING: Final = -1
"""Start of a lot that is pending until an event decides on it; it expires as any other."""

Move = list[Any]
LotKey = tuple[int, int]
"""(expiry, start)."""
Part = tuple[int, int]
"""(expiry of the lot, points taken from it)."""

_NEVER: Final = 1 << 62
_SECONDS_A_DAY: Final = 86_400
_DAY_ZERO: Final = 719_163
"""Ordinal of 1970-01-01."""
_DIGITS: Final = "".join(chr(code) for code in range(32, 127) if chr(code) not in '"\\')
"""The letters of a JSON text that stand for themselves."""
_BASE: Final = len(_DIGITS) // 2
_K = TypeVar("_K", LotKey, int, str)


def expiry_order(expiry: int) -> int:
    """Sort key: soonest first, never last."""
    return expiry or _NEVER


def period_end(period: str, day: int) -> int:
    """The last day of the period that ``day`` is in, by the period's letter; 0 for the one that does not end."""
    if period == "t":
        return 0
    if period == "d":
        return day
    if period == "w":
        return day + -day % 7
    this = date.fromordinal(day)
    month = {"m": this.month, "q": (this.month + 2) // 3 * 3, "y": 12}[period]
    return date(this.year, month + 1, 1).toordinal() - 1 if month < 12 else date(this.year, 12, 31).toordinal()


def month_of(day: int) -> int:
    """The month that a day is in, counted ``12 * year + month - 1``."""
    on = date.fromordinal(day)
    return 12 * on.year + on.month - 1


class Hold(Struct):
    """Points set aside until ``deadline``. ``offline`` holds back a till's signed allowance."""

    deadline: int
    offline: bool
    parts: dict[int, int] = field(default_factory=dict)

    @property
    def points(self) -> int:
        return sum(self.parts.values())


class Balance(Struct, frozen=True):
    """Points by state; ``available`` is what a spend would be allowed now."""

    available: int
    pending: int
    held: int
    arrears: int


class Figures(NamedTuple):
    """What tiers go by: spent, in minor units; points earned; purchases that stand."""

    spend: int = 0
    points: int = 0
    visits: int = 0

    def plus(self, change: "Figures") -> "Figures":
        """None of them falls below zero."""
        return Figures(*(max(0, mine + its) for mine, its in zip(self, change, strict=True)))

    def minus(self, other: "Figures") -> "Figures":
        return Figures(self.spend - other.spend, self.points - other.points, self.visits - other.visits)


NOTHING: Final = Figures()


class Multiplier(NamedTuple):
    """Purchases of the days from ``first`` to ``last``, both included, earn ``num / den`` times the base points."""

    first: int
    last: int
    campaign: str
    num: int
    den: int


class State(Struct):
    """A wallet after its newest entry. ``number`` 0 is a wallet that was never opened."""

    number: int = 0
    kind: str = ""
    status: str = "new"
    at: int = 0
    lots: dict[LotKey, int] = field(default_factory=dict)
    holds: dict[int, Hold] = field(default_factory=dict)
    arrears: int = 0
    remainders: dict[str, Rate] = field(default_factory=dict)
    lapsed: dict[int, int] = field(default_factory=dict)
    recent: tuple[tuple[str, int], ...] = ()
    """(tag of the reference, time recorded) of the newest entries, newest last."""
    purchases: int = 0
    """Purchases that have not been returned wholly."""
    first: int = 0
    """Day of the first purchase, returned or not; 0 when there was none."""
    last: int = 0
    """Day of the last one."""
    counted: int = 0
    """Day that counts are made on, at the earliest; 0 before the first count."""
    counters: dict[str, int] = field(default_factory=dict)
    """What is used in the periods of ``counted``; zeros are left out."""
    streaks: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By event: the last day on which it happened, and for how many days in a row it had by then."""
    tier: str = ""
    tier_since: int = 0
    """Day on which it was reached, or last renewed."""
    tier_until: int = 0
    """Last day that it is sure for; 0 where there is none."""
    tier_manual: bool = False
    """Given by hand: no figures change it before its end."""
    months: dict[int, Figures] = field(default_factory=dict)
    """By month, of the ``MAX_MONTHS`` up to now."""
    total: Figures = NOTHING
    """For good."""
    noticed: int = 0
    promised: int = 0
    extended: tuple[int, int] = (0, 0)
    decayed: int = 0
    """Day of the last decay, 0 for none."""
    decay_noticed: int = 0
    """Day of the decay that notice was given of; confirmed, where that is promised."""
    decay_points: int = 0
    """Points that were said would be taken; 0 where none were said."""
    decay_told: int = 0
    """Day of the decay that was said last and waits to be confirmed; 0 for none."""
    alerted: int = 0
    """Day of the last purchase that an alert on the silence since was given for."""
    multipliers: tuple[Multiplier, ...] = ()
    """Of campaigns, soonest first."""

    def copy(self) -> "State":
        return State(
            self.number,
            self.kind,
            self.status,
            self.at,
            dict(self.lots),
            {number: Hold(hold.deadline, hold.offline, dict(hold.parts)) for number, hold in self.holds.items()},
            self.arrears,
            dict(self.remainders),
            dict(self.lapsed),
            self.recent,
            self.purchases,
            self.first,
            self.last,
            self.counted,
            dict(self.counters),
            dict(self.streaks),
            self.tier,
            self.tier_since,
            self.tier_until,
            self.tier_manual,
            dict(self.months),
            self.total,
            self.noticed,
            self.promised,
            self.extended,
            self.decayed,
            self.decay_noticed,
            self.decay_points,
            self.decay_told,
            self.alerted,
            self.multipliers,
        )

    def bought_since(self, purchases: int, last: int) -> bool:
        """Whether there is a purchase more than there were, the last on that day, as far as it still stands."""
        return self.purchases > purchases or self.last > last

    @property
    def notice_required(self) -> bool:
        """Whether something is there that ends only with notice."""
        return any(0 < expiry <= self.promised for expiry, _ in self.lots)

    def waits_for_notice(self, expiry: int) -> bool:
        """Whether a lot of this end is there until its owner was told."""
        return self.noticed < expiry <= self.promised

    def ends(self, expiry: int) -> int:
        """When points end that were given to end at ``expiry``: actions since may have moved that."""
        began, until = self.extended
        return until if began < expiry < until else expiry

    def used(self, counter: str, day: int) -> tuple[int, int]:
        """(last day of the period, how much is used of it) for something that happened on ``day``."""
        period = counter[-1]
        end = period_end(period, max(day, self.counted))
        current = self.counted != 0 and period_end(period, self.counted) == end
        return end, self.counters.get(counter, 0) if current else 0

    def streak(self, event: str, day: int) -> int:
        """On how many days in a row the event has happened, when it happens on ``day``, that day included. A day that
        is reported late counts up to itself, and does not join what came after it to what came before.
        """
        last, length = self.streaks.get(event, (0, 0))
        if day > last:
            return length + 1 if day == last + 1 else 1
        return max(1, length - (last - day))

    def balance(self) -> Balance:
        """Sums by state as they stand; settle first to have them as of a time."""
        return Balance(
            available=sum(points for (_, start), points in self.lots.items() if not start),
            pending=sum(points for (_, start), points in self.lots.items() if start),
            held=sum(hold.points for hold in self.holds.values()),
            arrears=self.arrears,
        )

    def multiplier(self, day: int) -> Multiplier | None:
        """The largest that holds on ``day``; of equal ones that which began first."""
        best: Multiplier | None = None
        for one in self.multipliers:
            if one.first <= day <= one.last and (best is None or one.num * best.den > best.num * one.den):
                best = one
        return best

    def encode(self, schema: int = SCHEMA) -> dict[str, Any]:
        """Plain JSON data, the same for equal states: empty parts are left out, the rest is sorted. Of a schema before
        this one only to verify the entries that it was written in.

        Times of lots and references are written as differences, days as differences from the day of the state, and what
        has many numbers as a text, so that the entry of an account with a lot for each of 24 months, figures for each
        of 12, two counters and a remainder still fits into one write unit of 1 KB.
        """
        data: dict[str, Any] = {"v": schema}
        if schema == 1 or self.kind != "member":
            data["k"] = self.kind
        if schema == 1 or self.status != "open":
            data["s"] = self.status
        data["t"] = self.at
        lots = sorted(self.lots.items())
        if active := [(expiry, points) for (expiry, start), points in lots if not start]:
            data["l"] = _packed(active, 1) if schema < 3 else _text(_packed(active, 1))
        if pending := [(expiry, start, points) for (expiry, start), points in lots if start > 0]:
            data["n"] = _packed(pending, 2)
        if waiting := [(expiry, points) for (expiry, start), points in lots if start == WAITING]:
            data["w"] = _packed(waiting, 1)
        if self.holds:
            data["h"] = [
                [number, hold.deadline, int(hold.offline), sorted(hold.parts.items())]
                for number, hold in sorted(self.holds.items())
            ]
        if self.arrears:
            data["a"] = self.arrears
        if self.remainders:
            data["r"] = {rule: list(rest) for rule, rest in sorted(self.remainders.items())}
        if self.lapsed:
            data["z"] = sorted(self.lapsed.items())
        self._encode_counts(data)
        self._encode_standing(data)
        ages = [self.at - time for _, time in self.recent]
        data["c"] = ["".join(tag for tag, _ in self.recent), *(ages if schema < 3 else [_text(ages)])]
        return data

    def _encode_standing(self, data: dict[str, Any]) -> None:
        if self.tier or self.tier_since:
            data["g"] = [self.tier, self._today - self.tier_since, self.tier_until, int(self.tier_manual)]
        if self.total != NOTHING or self.months:
            first = min(self.months, default=0)
            rows = [self.months.get(month, NOTHING) for month in range(first, max(self.months, default=-1) + 1)]
            data["m"] = _text([*self.total, first, *(figure for row in rows for figure in row)])
        if self.noticed or self.promised:
            data["q"] = [self.noticed, self.promised]
        if self.extended[1]:
            data["x"] = list(self.extended)
        if self.decayed or self.decay_noticed or self.decay_told:
            further = [self.decay_points, self.decay_told]
            while further and not further[-1]:
                further.pop()
            data["y"] = [self.decayed, self.decay_noticed, *further]
        if self.alerted:
            data["b"] = self.alerted
        if self.multipliers:
            data["o"] = [
                part
                for first, last, campaign, num, den in self.multipliers
                for part in (first - self._today, last - first, campaign, num, den)
            ]

    def _decode_standing(self, data: dict[str, Any]) -> None:
        if "g" in data:
            self.tier, ago, self.tier_until, manual = data["g"]
            self.tier_since, self.tier_manual = self._today - ago, bool(manual)
        if "m" in data:
            spend, points, visits, first, *rows = _numbers(data["m"])
            self.total = Figures(spend, points, visits)
            found = (Figures(*row) for row in zip(rows[::3], rows[1::3], rows[2::3], strict=True))
            self.months = {month: row for month, row in enumerate(found, first) if row != NOTHING}
        self.noticed, self.promised = data.get("q", (0, 0))
        began, until = data.get("x", (0, 0))
        self.extended = (began, until)
        self._shrink(*data.get("y", (0, 0)))
        self.alerted = data.get("b", 0)
        if "o" in data:
            parts = data["o"]
            self.multipliers = tuple(
                Multiplier(self._today + begins, self._today + begins + days, campaign, num, den)
                for begins, days, campaign, num, den in zip(*(parts[place::5] for place in range(5)), strict=True)
            )

    def _encode_counts(self, data: dict[str, Any]) -> None:
        today = self._today
        if self.last:
            data["p"] = [self.purchases, today - self.last, self.last - self.first]
        if self.counted:
            data["u"] = [today - self.counted, *(part for item in sorted(self.counters.items()) for part in item)]
        if self.streaks:
            data["e"] = [
                part for event, (day, length) in sorted(self.streaks.items()) for part in (event, today - day, length)
            ]

    def _decode_counts(self, data: dict[str, Any]) -> None:
        today = self._today
        if "p" in data:
            self.purchases, ago, span = data["p"]
            self.last = today - ago
            self.first = self.last - span
        if "u" in data:
            ago, *counters = data["u"]
            self.counted = today - ago
            self.counters = dict(zip(counters[::2], counters[1::2], strict=True))
        if "e" in data:
            parts = data["e"]
            self.streaks = {
                event: (today - ago, length)
                for event, ago, length in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
            }

    @property
    def _today(self) -> int:
        return self.at // _SECONDS_A_DAY + _DAY_ZERO

    @classmethod
    def decode(cls, number: int, data: dict[str, Any]) -> "State":
        """Inverse of ``encode``; Corrupt for a schema this code does not know."""
        schema = data.get("v")
        if schema not in (1, 2, 3, SCHEMA):
            raise Corrupt(f"state of schema {schema!r}")
        active = data.get("l")
        lots: dict[LotKey, int] = {
            (expiry, 0): points
            for expiry, points in _unpacked(_numbers(active) if active and schema >= 3 else active, 1)
        }
        lots |= {(expiry, start): points for expiry, start, points in _unpacked(data.get("n"), 2)}
        lots |= {(expiry, WAITING): points for expiry, points in _unpacked(data.get("w"), 1)}
        at = data["t"]
        tags, *ages = data["c"]
        if schema >= 3:
            ages = _numbers(*ages)
        state = cls(
            number=number,
            kind=data.get("k", "member"),
            status=data.get("s", "open"),
            at=at,
            lots=lots,
            holds={hold[0]: Hold(hold[1], bool(hold[2]), dict(hold[3])) for hold in data.get("h", ())},
            arrears=data.get("a", 0),
            remainders={rule: Rate(rest[0], rest[1]) for rule, rest in data.get("r", {}).items()},
            lapsed=dict(data.get("z", ())),
            recent=tuple(
                (tags[place * TAG_LENGTH : (place + 1) * TAG_LENGTH], at - age) for place, age in enumerate(ages)
            ),
        )
        state._decode_counts(data)
        state._decode_standing(data)
        return state

    def apply(self, move: Move) -> None:
        """Carry out one move; Corrupt when it would take what is not there."""
        op = move[1]
        if op == "l":
            _add(self.lots, (move[2], move[3]), move[4])
        elif op == "h":
            self._apply_to_hold(move[2], move[3], move[4])
        elif op == "a":
            self.arrears += move[2]
            if self.arrears < 0:
                raise Corrupt("arrears below zero")
        elif op == "r":
            if move[3]:
                self.remainders[move[2]] = Rate(move[3], move[4])
            else:
                self.remainders.pop(move[2], None)
        elif op == "d":
            self.holds[move[2]] = Hold(move[3], bool(move[4]))
        elif op == "z":
            _add(self.lapsed, move[2], move[3])
            while len(self.lapsed) > MAX_LAPSED:
                del self.lapsed[min(self.lapsed)]
        elif op == "s":
            self.status = move[2]
        else:
            self._apply_to_counts(op, move)

    def _apply_to_counts(self, op: str, move: Move) -> None:
        if op == "p":
            self._apply_to_purchases(move[2], move[3])
        elif op == "c":
            self._apply_to_counters(move[2], move[3:])
        elif op == "k":
            self.streaks[move[2]] = (move[3], move[4])
            while len(self.streaks) > MAX_STREAKS:
                del self.streaks[min(self.streaks, key=lambda event: (self.streaks[event], event))]
        elif op == "y":
            self._apply_to_figures(move[2], Figures(*move[3:]))
        else:
            self._apply_to_standing(op, move)

    def _apply_to_standing(self, op: str, move: Move) -> None:
        if op == "g":
            self.tier, self.tier_since, self.tier_until, self.tier_manual = move[2], move[3], move[4], bool(move[5])
        elif op == "x":
            self._apply_extension(*move[2:])
        elif op == "q":
            self.noticed, self.promised = move[2], move[3]
        elif op == "v":
            self._shrink(*move[2:])
        elif op == "w":
            self.alerted = move[2]
        elif op == "o":
            campaign, num, den, first, last = move[2:]
            self._keep_multipliers((*self.multipliers, Multiplier(first, last, campaign, num, den)))
        else:
            raise Corrupt(f"unknown move {op!r}")

    def _shrink(self, decayed: int, noticed: int, points: int = 0, told: int = 0) -> None:
        self.decayed, self.decay_noticed, self.decay_points, self.decay_told = decayed, noticed, points, told

    def _apply_extension(self, old: int, new: int, start: int, points: int) -> None:
        if not points:
            began, until = self.extended
            self.extended = (began if until > self.at else self.at, new)
            return
        _add(self.lots, (old, start), -points)
        _add(self.lots, (new, start), points)
        if old <= self.promised < new:
            self.promised = new

    def _apply_to_figures(self, day: int, change: Figures) -> None:
        """Of a month that is kept, what is taken for good is what was taken of the month."""
        if change.visits:
            self._apply_to_purchases(change.visits, day if change.visits > 0 else 0)
        oldest, month = month_of(self._today) - MAX_MONTHS + 1, month_of(day)
        if month >= oldest:
            before = self.months.get(month, NOTHING)
            after = before.plus(change)
            change = after.minus(before)
            self.months[month] = after
        self.months = {each: row for each, row in self.months.items() if each >= oldest and row != NOTHING}
        self.total = self.total.plus(change)
        self._keep_multipliers(self.multipliers)

    def _keep_multipliers(self, multipliers: tuple[Multiplier, ...]) -> None:
        """Those that late purchases may still ask for; of too many those that end last."""
        late = [one for one in multipliers if one.last >= self._today - LATE_DAYS]
        newest = sorted(late, key=lambda one: one.last)[-MAX_MULTIPLIERS:]
        self.multipliers = tuple(sorted(newest))

    def _apply_to_hold(self, number: int, expiry: int, delta: int) -> None:
        hold = self.holds.get(number)
        if hold is None:
            raise Corrupt(f"no hold {number}")
        _add(hold.parts, expiry, delta)
        if not hold.parts:
            del self.holds[number]

    def _apply_to_purchases(self, delta: int, day: int) -> None:
        self.purchases += delta
        if self.purchases < 0 or (delta > 0 and day <= 0):
            raise Corrupt(f"{self.purchases} purchases, the last on day {day}")
        if day:
            self.first = min(self.first or day, day)
            self.last = max(self.last, day)

    def _apply_to_counters(self, day: int, counts: list[Any]) -> None:
        if day > self.counted:
            self.counters = {
                counter: used
                for counter, used in self.counters.items()
                if period_end(counter[-1], self.counted) == period_end(counter[-1], day)
            }
            self.counted = day
        elif day < self.counted:
            raise Corrupt(f"counted on {day}, after {self.counted}")
        for counter, delta in zip(counts[::2], counts[1::2], strict=True):
            _add(self.counters, counter, delta)


def _sort_of(start: int) -> int:
    """Lots that may become one: spendable, delayed, waiting."""
    return min(start, 1)


def _packed(lots: Sequence[tuple[int, ...]], times: int) -> list[int]:
    """``[unit, time, …, points, time, …, points, …]``: of each lot its times, counted in units from those of the lot
    before, and its points. The unit is the longest of up to an hour that divides every time.
    """
    unit = gcd(3600, *(time for lot in lots for time in lot[:times]))
    packed = [unit]
    before: tuple[int, ...] = (0,) * times
    for lot in lots:
        packed += [(time - last) // unit for time, last in zip(lot, before, strict=False)]
        packed.append(lot[times])
        before = lot[:times]
    return packed


def _unpacked(packed: list[int] | None, times: int) -> Iterator[tuple[int, ...]]:
    """Inverse of ``_packed``; nothing for None."""
    if packed is None:
        return
    unit = packed[0]
    before = [0] * times
    for place in range(1, len(packed), times + 1):
        before = [last + unit * packed[place + which] for which, last in enumerate(before)]
        yield (*before, packed[place + times])


def _text(numbers: Iterable[int]) -> str:
    """Whole numbers from 0 on, as letters that JSON leaves as they are, some five bits each. The last letter of a
    number is one of the second half of them, and those before are of the first: nothing stands between numbers.
    """
    letters: list[str] = []
    for number in numbers:
        if number < 0:
            raise Corrupt(f"{number} where nothing can be below zero")
        number, digit = divmod(number, _BASE)
        word = _DIGITS[_BASE + digit]
        while number:
            number, digit = divmod(number, _BASE)
            word = _DIGITS[digit] + word
        letters.append(word)
    return "".join(letters)


def _numbers(text: str) -> list[int]:
    """Inverse of ``_text``; ValueError for what it has not written."""
    numbers: list[int] = []
    number = 0
    for letter in text:
        digit = _DIGITS.index(letter)
        if digit < _BASE:
            number = number * _BASE + digit
        else:
            numbers.append(number * _BASE + digit - _BASE)
            number = 0
    return numbers


def _add(amounts: dict[_K, int], key: _K, delta: int) -> None:
    left = amounts.get(key, 0) + delta
    if left < 0:
        raise Corrupt(f"{key} would fall to {left}")
    if left:
        amounts[key] = left
    else:
        amounts.pop(key, None)


def next_expiry(state: State) -> tuple[int, int] | None:
    """(expiry, points) of the active lot that expires first; None when none does."""
    lots = [(expiry, points) for (expiry, start), points in state.lots.items() if expiry and not start]
    return min(lots, default=None)


class Draft:
    """A state being changed: what an entry will hold, before it has a number in the chain.

    ``settle`` first writes down what time alone has made true, so a command never sees a lapsed hold or an expired
    lot.
    """

    __slots__ = ("detail", "kind", "moves", "now", "number", "state")

    def __init__(self, state: State, now: int) -> None:
        self.state = state.copy()
        self.now = max(now, state.at)
        self.state.at = self.now
        self.number = state.number + 1
        self.moves: list[Move] = []
        self.kind = ""
        self.detail: dict[str, Any] = {}

    def move(self, why: str, op: str, *rest: int | str) -> None:
        move: Move = [why, op, *rest]
        self.state.apply(move)
        self.moves.append(move)

    def put(self, why: str, expiry: int, start: int, points: int) -> None:
        """Add points to the lot of these terms; a start that has passed is no start."""
        if points:
            self.move(why, "l", expiry, start if start > self.now or start == WAITING else 0, points)

    def take(self, why: str, points: int) -> list[Part]:
        """Take active points, first expiring first; the caller has checked that they are there."""
        parts: list[Part] = []
        for expiry, start in sorted(self.state.lots, key=lambda lot: expiry_order(lot[0])):
            if start or not points:
                continue
            part = min(points, self.state.lots[expiry, 0])
            self.move(why, "l", expiry, 0, -part)
            parts.append((expiry, part))
            points -= part
        if points:
            raise Corrupt("took more than is there")
        return parts

    def settle(self) -> None:
        """Write down what is true at ``now``, in the order it became true.

        At each due moment: lapse holds, activate pending, repay arrears, expire, keep the lots few. Going moment by
        moment makes the result the same whether a sweep ran every night or never.
        """
        while (due := self._next_due()) is not None:
            self._lapse(due)
            self._activate(due)
            self._repay()
            self._expire(due)
            self._bound_lots()
        self._repay()
        self._bound_lots()

    def _next_due(self) -> int | None:
        state = self.state
        times = [hold.deadline for hold in state.holds.values()]
        for expiry, start in state.lots:
            if start > 0:
                times.append(start)
            if expiry and not state.waits_for_notice(expiry):
                times.append(expiry)
        due = min(times, default=self.now + 1)
        return due if due <= self.now else None

    def _lapse(self, due: int) -> None:
        for number in sorted(self.state.holds):
            if self.state.holds[number].deadline <= due:
                self.unhold("lapsed", number)

    def unhold(self, why: str, number: int) -> None:
        """Give back all that a hold still has, to the lots it came from."""
        for expiry, points in sorted(self.state.holds[number].parts.items()):
            self.move(why, "h", number, expiry, -points)
            self.move(why, "l", expiry, 0, points)

    def _activate(self, due: int) -> None:
        for expiry, start in sorted(self.state.lots):
            if 0 < start <= due:
                points = self.state.lots[expiry, start]
                self.move("activated", "l", expiry, start, -points)
                self.move("activated", "l", expiry, 0, points)

    def _repay(self) -> None:
        points = min(self.state.arrears, self.available) if self.state.arrears else 0
        if points:
            self.take("repaid", points)
            self.move("repaid", "a", -points)

    def _expire(self, due: int) -> None:
        for expiry, start in sorted(self.state.lots):
            if 0 < expiry <= due and not self.state.waits_for_notice(expiry):
                points = self.state.lots[expiry, start]
                self.move("expired", "l", expiry, start, -points)
                self.move("expired", "z", expiry, points)

    def streak(self, event: str, day: int) -> int:
        """``State.streak``, written down."""
        length = self.state.streak(event, day)
        if day > self.state.streaks.get(event, (0, 0))[0]:
            self.move("earned", "k", event, day, length)
        return length

    def promise(self, why: str, expiry: int) -> None:
        """Points that end at ``expiry`` are given, and are to end only with notice: what was said before they came was
        not said of them.
        """
        state = self.state
        if not expiry:
            return
        noticed = min(state.noticed, expiry - 1)
        promised = max(state.promised, expiry)
        if (noticed, promised) != (state.noticed, state.promised):
            self.move(why, "q", noticed, promised)

    @property
    def available(self) -> int:
        return sum(points for (_, start), points in self.state.lots.items() if not start)

    def _bound_lots(self) -> None:
        """Keep lots few: two neighbours of one kind become one, under the terms kinder to the member (I9).

        Those two for which that gives away least, in points times seconds; else the oldest lot, moved on by one day
        every day, would never expire. Points for a time become points for good only when nothing else is left; lots
        that wait for an event are left alone as long as there are others, for the event names the lots it is about.

        Only what has not expired is here to be merged, so nothing expired comes back under a later lot's terms.
        """
        lots = self.state.lots
        while len(lots) > MAX_LOTS:
            ordered = sorted(lots, key=lambda lot: (_sort_of(lot[1]), expiry_order(lot[0]), lot[1]))
            *_, early, late = min(
                (
                    early[1] == WAITING,
                    not late[0] and early[0] > 0,
                    lots[early] * (expiry_order(late[0]) - expiry_order(early[0])),
                    early,
                    late,
                )
                for early, late in pairwise(ordered)
                if _sort_of(early[1]) == _sort_of(late[1])
            )
            merged = (late[0], min(early[1], late[1]))
            if early[0] <= self.state.promised < merged[0]:
                self.move("merged", "q", self.state.noticed, merged[0])
            for lot in (early, late):
                if lot != merged:
                    points = lots[lot]
                    self.move("merged", "l", *lot, -points)
                    self.move("merged", "l", *merged, points)
