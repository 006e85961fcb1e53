"""I1 to I10, checked from the stored items alone.

Nothing here comes from the product: keys are split, bodies are read and hashes are computed anew, and the meaning of
every move is written a second time, as plain sums. What an entry may do to which points is a table of rules, so a
kernel that is consistent with itself and wrong is found too. `check` raises AssertionError naming the invariant.
"""

import base64
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any
from urllib.parse import unquote

from tests.simulation.expressions import Item

_MAX_RECENT = 6
_MAX_LAPSED = 3
_MAX_STREAKS = 8
_MAX_MULTIPLIERS = 3
_LATE_DAYS = 14
"""So long a multiplier that has ended is kept for purchases that are reported late."""
_WAITING = -1
"""Start of points that wait for an event."""
_ALLOWED = {
    "opened": {"opened"},
    "earned": {"earned", "extended"},
    "reversed": {"reversed", "owed"},
    "redeemed": {"spent"},
    "restored": {"restored"},
    "held": {"held"},
    "captured": {"spent", "released"},
    "released": {"released"},
    "adjusted": {"adjusted"},
    "transferred_out": {"transferred"},
    "transferred_in": {"transferred"},
    "expired": set(),
    "frozen": {"frozen"},
    "unfrozen": {"unfrozen"},
    "closed": {"forfeited", "forgiven", "closed"},
    "activated": set(),
    "cancelled": {"reversed"},
    "extended": {"extended"},
    "noticed": {"noticed", "extended"},
    "decayed": {"decayed"},
    "renewed": {"spent", "extended"},
    "tiered": {"assigned"},
    "reminded": {"noticed"},
    "alerted": {"alerted"},
    "offered": {"offered"},
}
"""By kind of entry, the reasons its moves may have, beside what time alone causes."""
_BY_TIME = {"lapsed", "activated", "repaid", "expired", "merged"}
_FOLLOWS = {"upgraded", "downgraded", "warned", "renewed"}
"""What becomes of a tier, with whatever entry."""


@dataclass
class Held:
    """A hold: until when, and what it has left by the lot it came from."""

    deadline: int
    parts: Counter[int] = field(default_factory=Counter)


@dataclass
class Books:
    """One wallet, replayed."""

    chain: str
    lots: Counter[tuple[int, int]] = field(default_factory=Counter)
    holds: dict[int, Held] = field(default_factory=dict)
    arrears: int = 0
    lapsed: Counter[int] = field(default_factory=Counter)
    remainders: dict[str, Fraction] = field(default_factory=dict)
    status: str = "new"
    purchases: list[int] = field(default_factory=lambda: [0, 0, 0])
    """How many stand, the days of the first and the last that were made."""
    counted: int = 0
    counters: Counter[str] = field(default_factory=Counter)
    streaks: dict[str, list[int]] = field(default_factory=dict)
    months: dict[int, list[int]] = field(default_factory=dict)
    """Spent, earned, bought, by month."""
    total: list[int] = field(default_factory=lambda: [0, 0, 0])
    tier: list[Any] = field(default_factory=lambda: ["", 0, 0, 0])
    """Name, since when, until when, by hand."""
    told: list[int] = field(default_factory=lambda: [0, 0])
    """Up to which end notice was given, and up to which it was promised."""
    lasting: list[int] = field(default_factory=lambda: [0, 0])
    """When the actions began that make points last, and until when they do."""
    shrunk: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    """The day of the last decay, and that which notice was given of; the points that were said, and the day that was
    said and waits to be confirmed.
    """
    alerted: int = 0
    multipliers: list[list[Any]] = field(default_factory=list)
    """[first day, last day, campaign, num, den], soonest first."""
    held_before: list[list[Any]] = field(default_factory=list)
    """Those that held before the entry that is replayed."""
    recent: list[list[Any]] = field(default_factory=list)
    at: int = 0
    refs: dict[str, int] = field(default_factory=dict)
    entries: list["Line"] = field(default_factory=list)

    def waits(self, expiry: int) -> bool:
        """Whether points of this end stay until their owner was told."""
        return self.told[0] < expiry <= self.told[1]

    def available(self, now: int) -> int:
        """What a spend would be allowed at `now`, after all that time alone has changed by then.

        Moment by moment, in the published order: holds lapse, points begin, arrears are repaid, lots end.
        """
        lots, arrears = Counter(self.lots), self.arrears
        holds = [
            (held.deadline, expiry, points) for held in self.holds.values() for expiry, points in held.parts.items()
        ]
        moments = {deadline for deadline, _, _ in holds} | {moment for lot in lots for moment in lot if moment > 0}
        for moment in [*sorted(moment for moment in moments if moment <= now), now]:
            for deadline, expiry, points in holds:
                if deadline == moment and deadline <= now:
                    lots[expiry, 0] += points
            holds = [hold for hold in holds if hold[0] > moment]
            for expiry, start in [lot for lot in lots if 0 < lot[1] <= moment]:
                lots[expiry, 0] += lots.pop((expiry, start))
            for lot in sorted((lot for lot in lots if not lot[1]), key=_soonest):
                part = min(arrears, lots[lot])
                lots[lot] -= part
                arrears -= part
            for lot in [lot for lot in lots if 0 < lot[0] <= moment and not self.waits(lot[0])]:
                del lots[lot]
        return sum(points for (_, start), points in lots.items() if not start)


@dataclass(frozen=True)
class Line:
    """An entry, decoded."""

    number: int
    ref: str
    kind: str
    fingerprint: str
    moves: list[list[Any]]
    detail: dict[str, Any]
    state: dict[str, Any]
    hash: str

    def total(self, op: str, *whys: str) -> int:
        """Sum of the entry's moves of one op (l, h, a, z) for these reasons."""
        return sum(move[-1] for move in self.moves if move[1] == op and move[0] in whys)


def check(items: Iterable[Item], *, orders_complete: bool = True) -> dict[str, Books]:
    """Check a whole table; gives the wallets by partition key.

    `orders_complete`: every order document must have its entry (it may lack it between a crash and its recovery).
    """
    chains: dict[str, list[Item]] = defaultdict(list)
    orders: dict[tuple[str, str, str], Item] = {}
    claims: set[str] = set()
    for item in items:
        pk = item["pk"]["S"]
        program, letter, *rest = pk.split("#")
        if letter == "L":
            chains[pk].append(item)
        elif letter == "O" and item["sk"]["S"] == "ORDER":
            orders[program, unquote(rest[0]), unquote(rest[1])] = item
        elif letter == "X" and len(rest) == 3:  # account, wallet, number: of a redemption, not of an enrolment
            claims.add(pk)
    terms = {key: json.loads(item["body"]["S"]) for key, item in orders.items()}
    books = {pk: _chain(pk, rows, terms) for pk, rows in chains.items()}
    _orders(books, terms, orders, complete=orders_complete)
    _claims(books, claims)
    _transfers(books)
    return books


def _require(holds: bool, invariant: str, where: str, what: str) -> None:
    if not holds:
        raise AssertionError(f"{invariant} {where}: {what}")


def digest(*parts: str) -> str:
    """SHA-256 over the parts with their lengths, base64url without padding, as an entry is sealed."""
    data = b"".join(len(part.encode()).to_bytes(8, "big") + part.encode() for part in parts)
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _soonest(lot: tuple[int, int]) -> float:
    return lot[0] or float("inf")


# ---- one chain


def _chain(pk: str, rows: list[Item], orders: dict[tuple[str, str, str], dict[str, Any]]) -> Books:
    books = Books(pk)
    previous = ""
    for number, row in enumerate(sorted(rows, key=lambda row: row["sk"]["S"]), 1):
        where = f"{pk} entry {number}"
        sk, ref, body = row["sk"]["S"], row["ref"]["S"], row["body"]["S"]
        _require(sk == f"E#{number:012d}", "I6", where, f"{sk} stands in its place")
        _require(row["hash"]["S"] == digest(pk, sk, ref, body), "I6", where, "its hash does not cover what it holds")
        data = json.loads(body)
        _require(data["p"] == previous, "I6", where, "it names another hash for the entry before it")
        _require(ref not in books.refs, "I3", where, f"reference {ref} stands at entry {books.refs.get(ref)} too")
        moves = [[move[0] or data["k"], *move[1:]] for move in data["m"]]
        line = Line(number, ref, data["k"], data["f"], moves, data["d"], data["s"], row["hash"]["S"])
        books.refs[ref] = number
        books.entries.append(line)
        _replay(books, line, orders, where)
        previous = line.hash
    return books


def _replay(books: Books, line: Line, orders: dict[tuple[str, str, str], dict[str, Any]], where: str) -> None:
    at = line.state["t"]
    _require(at >= books.at, "I6", where, "time runs backwards")
    _require(books.status != "closed", "I6", where, "the account was closed before")
    books.at = at
    before = sum(books.lots.values()) + sum(sum(held.parts.values()) for held in books.holds.values()) - books.arrears
    books.held_before = books.multipliers
    for move in line.moves:
        why, op = move[0], move[1]
        allowed = _ALLOWED.get(line.kind, set()) | _BY_TIME | _FOLLOWS
        _require(why in allowed, "I1", where, f"a {line.kind} entry with a move {move}")
        _MOVES[op](books, line, move, where)
        _unbroken(books, where)
    _balanced(line, where)
    _kind(books, line, orders, where)
    after = sum(books.lots.values()) + sum(sum(held.parts.values()) for held in books.holds.values()) - books.arrears
    change = line.total("l", *_whys(line)) + line.total("h", *_whys(line)) - line.total("a", *_whys(line))
    _require(after - before == change, "I1", where, f"balances changed by {after - before}, moves by {change}")
    books.recent = [*books.recent, [digest(line.ref)[:8], at]][-_MAX_RECENT:]
    _settled(books, line, where)
    _same_state(books, line, where)


def _whys(line: Line) -> set[str]:
    return {move[0] for move in line.moves}


def _lot(books: Books, line: Line, move: list[Any], where: str) -> None:
    why, _, expiry, start, delta = move
    at = line.state["t"]
    books.lots[expiry, start] += delta
    _require(type(delta) is int and type(expiry) is int, "I10", where, f"{move} is not whole")
    spends = why in ("spent", "held", "transferred", "adjusted") and delta < 0
    if spends:
        ended = 0 < expiry <= at and not books.waits(expiry)
        _require(not ended, "I7", where, f"{why} from a lot that expired at {expiry}, at {at}")
        _require(start == 0, "I7", where, f"{why} from a lot that begins only at {start}")
        sooner = [
            lot for lot, points in books.lots.items() if points and not lot[1] and _soonest(lot) < _soonest((expiry, 0))
        ]
        _require(not sooner, "I9", where, f"{why} from {expiry} while {sooner} would expire first")
    if why == "expired":
        _require(0 < expiry <= at, "I9", where, f"points expired before their time, {expiry}, at {at}")
        _require(not books.waits(expiry), "I9", where, f"points of {expiry} expired, and nobody was told")
    if why in ("earned", "restored", "adjusted", "transferred") and delta > 0:
        _require(
            start in (0, _WAITING) or start > at, "I7", where, f"{why} into a lot that began already, {start}, at {at}"
        )


def _hold(books: Books, line: Line, move: list[Any], where: str) -> None:
    why, _, number, expiry, delta = move
    _require(number in books.holds, "I1", where, f"{why} hold {number}, which is not in force")
    held = books.holds[number]
    held.parts[expiry] += delta
    if why == "lapsed":
        _require(held.deadline <= line.state["t"], "I9", where, f"hold {number} lapsed before {held.deadline}")
    elif why in ("spent", "released"):
        _require(
            held.deadline > line.state["t"], "I7", where, f"{why} from hold {number}, which lapsed at {held.deadline}"
        )
    if not +held.parts and min(held.parts.values(), default=0) >= 0:
        del books.holds[number]


def _begin_hold(books: Books, line: Line, move: list[Any], where: str) -> None:
    _require(move[2] == line.number, "I6", where, f"hold {move[2]} begins in another entry")
    books.holds[move[2]] = Held(move[3])


def _arrears(books: Books, line: Line, move: list[Any], where: str) -> None:
    books.arrears += move[2]


def _lapsed(books: Books, line: Line, move: list[Any], where: str) -> None:
    books.lapsed[move[2]] += move[3]
    _require(books.lapsed[move[2]] >= 0, "I5", where, f"more taken back from expired points of {move[2]} than expired")
    books.lapsed = +books.lapsed
    while len(books.lapsed) > _MAX_LAPSED:
        del books.lapsed[min(books.lapsed)]


def _remainder(books: Books, line: Line, move: list[Any], where: str) -> None:
    _, _, rule, num, den = move
    rest = Fraction(num, den)
    _require(0 <= rest < 1 and (rest.numerator, rest.denominator) == (num, den), "I10", where, f"remainder {num}/{den}")
    books.remainders[rule] = rest
    if not rest:
        del books.remainders[rule]


def _status(books: Books, line: Line, move: list[Any], where: str) -> None:
    books.status = move[2]


def _purchase(books: Books, line: Line, move: list[Any], where: str) -> None:
    _, _, delta, day = move
    count, first, last = books.purchases
    due = (line.kind, delta) in {("earned", 1), ("reversed", -1)} and "order" in line.detail
    _require(due, "I5", where, f"purchases change by {delta} in a {line.kind} entry")
    _require(count + delta >= 0, "I5", where, "more purchases came back than were made")
    books.purchases = [count + delta, min(first or day, day) if day else first, max(last, day)]


def _figures(books: Books, line: Line, move: list[Any], where: str) -> None:
    """What tiers go by: added up by month of the purchase's own day, as long as it is one of the last 25."""
    _, _, day, *change = move
    due = {"earned": 1, "reversed": -1, "cancelled": -1}.get(line.kind, 0)
    _require(all(part * due >= 0 for part in change), "I5", where, f"figures change by {change}")
    if visits := change[2]:
        _purchase(books, line, ["", "", visits, day if visits > 0 else 0], where)
    month = _month(day)
    oldest = _month(_day(line.state["t"])) - 24
    if month >= oldest:
        before = books.months.get(month, [0, 0, 0])
        books.months[month] = [max(0, have + more) for have, more in zip(before, change, strict=True)]
        change = [after - had for had, after in zip(before, books.months[month], strict=True)]
    books.months = {month: row for month, row in books.months.items() if month >= oldest and any(row)}
    books.total = [max(0, have + more) for have, more in zip(books.total, change, strict=True)]
    _drop_multipliers(books, line)


def _month(day: int) -> int:
    on = date.fromordinal(day)
    return 12 * on.year + on.month - 1


def _day(moment: int) -> int:
    return date(1970, 1, 1).toordinal() + moment // 86_400


def _period(counter: str, day: int) -> Any:
    """The period of a counter that a day is in, as anybody would name it."""
    on = date.fromordinal(day)
    return {
        "d": day,
        "w": on.isocalendar()[:2],
        "m": (on.year, on.month),
        "q": (on.year, (on.month + 2) // 3),
        "y": on.year,
        "t": "for good",
    }[counter[-1]]


def _count(books: Books, line: Line, move: list[Any], where: str) -> None:
    _, _, day, *counts = move
    _require(day >= books.counted, "I10", where, f"counted on {day}, after {books.counted}")
    if books.counted:
        for counter in list(books.counters):
            if _period(counter, day) != _period(counter, books.counted):
                del books.counters[counter]
    books.counted = day
    for counter, delta in zip(counts[::2], counts[1::2], strict=True):
        _require((delta > 0) == (line.kind == "earned"), "I5", where, f"{counter} counts {delta}")
        books.counters[counter] += delta
        _require(books.counters[counter] >= 0, "I5", where, f"{counter} fell below zero")
    books.counters = +books.counters


def _streak(books: Books, line: Line, move: list[Any], where: str) -> None:
    _, _, event, day, length = move
    last, before = books.streaks.get(event, [0, 0])
    _require(day > last, "I10", where, f"{event} on {day}, after {last}")
    _require(length == (before + 1 if day == last + 1 else 1), "I10", where, f"{event} {length} days in a row")
    books.streaks[event] = [day, length]
    while len(books.streaks) > _MAX_STREAKS:
        del books.streaks[min(books.streaks, key=lambda name: (books.streaks[name], name))]


def _tier(books: Books, line: Line, move: list[Any], where: str) -> None:
    _, _, _, since, until, manual = move
    _require(since > 0 and until >= 0 and manual in (0, 1), "I9", where, f"a tier {move}")
    _require(not until or until >= since, "I9", where, f"a tier until {until}, since {since}")
    books.tier = move[2:]


def _extension(books: Books, line: Line, move: list[Any], where: str) -> None:
    """Points of one end last until another; without points: so does everything that is given to end in between."""
    _, _, old, new, start, points = move
    at = line.state["t"]
    if not points:
        began, until = books.lasting
        _require(new > until, "I9", where, f"points that last until {until} are to end at {new}")
        books.lasting = [began if until > at else at, new]
        return
    _require(0 < old < new and new > at and points > 0, "I9", where, f"{points} points from {old} to {new}, at {at}")
    books.lots[old, start] -= points
    books.lots[new, start] += points
    if old <= books.told[1] < new:
        books.told[1] = new


def _notice(books: Books, line: Line, move: list[Any], where: str) -> None:
    """Of an end that points are given for anew nobody was told; nothing that was promised is taken back."""
    _, _, noticed, promised = move
    told = noticed >= books.told[0] or line.kind not in ("noticed", "reminded")
    _require(told and promised >= books.told[1], "I9", where, f"told {books.told}, then {[noticed, promised]}")
    books.told = [noticed, promised]


def _shrinking(books: Books, line: Line, move: list[Any], where: str) -> None:
    _, _, decayed, noticed, said, waits = (*move, 0, 0)[:6]
    _require(decayed >= books.shrunk[0], "I9", where, f"shrunk on {decayed}, after {books.shrunk[0]}")
    _require((line.kind == "decayed") == (decayed > books.shrunk[0]), "I9", where, f"a {line.kind} entry with {move}")
    if line.kind == "decayed" and books.shrunk[2]:
        taken = -sum(one[4] for one in line.moves if one[0] == "decayed" and one[1] == "l")
        _require(taken <= books.shrunk[2], "I9", where, f"{taken} taken, {books.shrunk[2]} said")
    books.shrunk = [decayed, noticed, said, waits]


def _alert(books: Books, line: Line, move: list[Any], where: str) -> None:
    _require(0 < move[2] <= books.purchases[2], "I9", where, f"alerted of the silence since {move[2]}")
    books.alerted = move[2]


def _multiplier(books: Books, line: Line, move: list[Any], where: str) -> None:
    _, _, campaign, num, den, first, last = move
    _require(line.kind == "offered" and line.detail["campaign"] == campaign, "I9", where, f"{move} of {line.detail}")
    _require(0 < den < num and 0 < first <= last, "I9", where, f"a multiplier of {num}/{den}, {first} to {last}")
    live = [one for one in books.multipliers if one[1] > _day(line.state["t"]) + 1]  # in every zone
    _require(len(live) < _MAX_MULTIPLIERS, "I9", where, f"one more multiplier than {live}")
    books.multipliers = [*books.multipliers, [first, last, campaign, num, den]]
    _drop_multipliers(books, line)


def _drop_multipliers(books: Books, line: Line) -> None:
    """Those that ended long ago; then those that end first, until they are few."""
    oldest = _day(line.state["t"]) - _LATE_DAYS
    kept = sorted((one for one in books.multipliers if one[1] >= oldest), key=lambda one: one[1])
    books.multipliers = sorted(kept[-_MAX_MULTIPLIERS:])


_MOVES = {
    "g": _tier,
    "x": _extension,
    "q": _notice,
    "v": _shrinking,
    "w": _alert,
    "o": _multiplier,
    "p": _purchase,
    "c": _count,
    "k": _streak,
    "y": _figures,
    "l": _lot,
    "h": _hold,
    "d": _begin_hold,
    "a": _arrears,
    "z": _lapsed,
    "r": _remainder,
    "s": _status,
}


def _unbroken(books: Books, where: str) -> None:
    _require(min(books.lots.values(), default=0) >= 0, "I2", where, f"a lot fell below zero: {dict(books.lots)}")
    _require(books.arrears >= 0, "I2", where, f"arrears fell below zero: {books.arrears}")
    for number, held in books.holds.items():
        _require(min(held.parts.values(), default=0) >= 0, "I2", where, f"hold {number} fell below zero")
    books.lots = +books.lots


def _balanced(line: Line, where: str) -> None:
    """Moves that only shift points between states add up to nothing, lot by lot where the lot stays the same."""
    shifted: dict[tuple[str, int], int] = defaultdict(int)
    for move in line.moves:
        why, op = move[0], move[1]
        if why in ("lapsed", "released", "held", "activated") and op in "lh":
            shifted[why, move[2] if op == "l" else move[3]] += move[4]
    for (why, expiry), points in shifted.items():
        _require(points == 0, "I1", where, f"{why} made {points} points out of nothing in lot {expiry}")
    _require(line.total("l", "merged") == 0, "I1", where, "merging lots changed their sum")
    _require(line.total("l", "repaid") == line.total("a", "repaid"), "I1", where, "repaid more or less than it took")
    expired = Counter[int]()
    for move in line.moves:
        if move[0] == "expired":
            expired[move[2]] += move[-1]
    _require(not any(expired.values()), "I1", where, f"expired points are not remembered: {dict(expired)}")
    merges = [move for move in line.moves if move[0] == "merged"]
    for out, into in zip(merges[::2], merges[1::2], strict=True):
        _require(_soonest((into[2], 0)) >= _soonest((out[2], 0)), "I9", where, "merging shortened the life of points")


def _settled(books: Books, line: Line, where: str) -> None:
    """Whatever the entry did, it left nothing undone that time had made true.

    A hold may be over when it is written, if its request was under way for as long as it was to last; it then counts
    as available at once, and lapses with the next entry.
    """
    at = line.state["t"]
    if books.status == "closed":
        _require(not books.lots and not books.holds and not books.arrears, "I1", where, "closed with points left")
    for expiry, start in books.lots:
        over = 0 < expiry <= at and not books.waits(expiry)
        _require(not over, "I7", where, f"a lot that expired at {expiry} is still there at {at}")
        _require(not 0 < start <= at, "I7", where, f"a lot that began at {start} is still pending at {at}")
    for number, held in books.holds.items():
        over = held.deadline <= at and number != line.number
        _require(not over, "I7", where, f"hold {number} should have lapsed at {held.deadline}")
    active = sum(points for (_, start), points in books.lots.items() if not start)
    _require(
        not (books.arrears and active), "I2", where, f"{active} points available beside {books.arrears} in arrears"
    )


def numbers(text: str) -> list[int]:
    """The numbers of a text of the stored state: in base 46, the last digit of each from the second half of the
    printable letters, but for the two that JSON does not leave alone.
    """
    letters = [letter for letter in map(chr, range(32, 127)) if letter not in '"\\'][:92]
    found, number = [], 0
    for letter in text:
        digit = letters.index(letter)
        number = 46 * number + digit % 46
        if digit >= 46:
            found.append(number)
            number = 0
    return found


def _lots(state: dict[str, Any]) -> dict[tuple[int, int], int]:
    """The lots of a stored state: points by (expiry, start); their times are stored as differences, in a unit."""
    lots: dict[tuple[int, int], int] = {}
    for name, size, start in (("l", 2, 0), ("n", 3, 0), ("w", 2, _WAITING)):
        unit, *packed = numbers(state["l"]) if name == "l" in state else state.get(name, [1])
        expiry = 0
        for place in range(0, len(packed), size):
            expiry += unit * packed[place]
            if size == 3:
                start += unit * packed[place + 1]
            lots[expiry, start] = packed[place + size - 1]
    return lots


def _recent(state: dict[str, Any]) -> list[list[Any]]:
    """[tag, time] of the newest references of a stored state."""
    tags, ages = state["c"]
    return [[tags[8 * place : 8 * place + 8], state["t"] - age] for place, age in enumerate(numbers(ages))]


def _same_state(books: Books, line: Line, where: str) -> None:
    """The state an entry carries is what the moves so far give, part by part (I8)."""
    state = line.state
    today = date(1970, 1, 1).toordinal() + state["t"] // 86_400
    count, ago, span = state.get("p", [0, today, 0])
    counted, *counters = state.get("u", [today])
    streaks = state.get("e", [])
    tier, since, until, manual = state.get("g", ["", today, 0, 0])
    offers = state.get("o", [])
    *total, first = numbers(state["m"])[:4] if "m" in state else [0, 0, 0, 0]
    rows = numbers(state.get("m", ""))[4:]
    months = {
        first + place: rows[3 * place : 3 * place + 3]
        for place in range(len(rows) // 3)
        if any(rows[3 * place : 3 * place + 3])
    }
    stored = {
        "purchases": [count, today - ago - span, today - ago],
        "counted": today - counted,
        "counters": dict(zip(counters[::2], counters[1::2], strict=True)),
        "streaks": {
            event: [today - day, length]
            for event, day, length in zip(streaks[::3], streaks[1::3], streaks[2::3], strict=True)
        },
        "lots": _lots(state),
        "holds": {hold[0]: (hold[1], dict(map(tuple, hold[3]))) for hold in state.get("h", [])},
        "arrears": state.get("a", 0),
        "remainders": {rule: Fraction(*rest) for rule, rest in state.get("r", {}).items()},
        "lapsed": dict(map(tuple, state.get("z", []))),
        "status": state.get("s", "open"),
        "recent": _recent(state),
        "months": months,
        "total": total,
        "tier": [tier, today - since, until, manual],
        "told": state.get("q", [0, 0]),
        "lasting": state.get("x", [0, 0]),
        "shrunk": [*state.get("y", []), 0, 0, 0, 0][:4],
        "alerted": state.get("b", 0),
        "multipliers": [
            [today + offers[place], today + offers[place] + offers[place + 1], *offers[place + 2 : place + 5]]
            for place in range(0, len(offers), 5)
        ],
    }
    replayed = {
        "purchases": books.purchases,
        "counted": books.counted,
        "counters": dict(books.counters),
        "streaks": books.streaks,
        "lots": dict(books.lots),
        "holds": {number: (held.deadline, dict(+held.parts)) for number, held in books.holds.items()},
        "arrears": books.arrears,
        "remainders": books.remainders,
        "lapsed": dict(books.lapsed),
        "status": books.status,
        "recent": books.recent,
        "months": books.months,
        "total": books.total,
        "tier": books.tier,
        "told": books.told,
        "lasting": books.lasting,
        "shrunk": books.shrunk,
        "alerted": books.alerted,
        "multipliers": books.multipliers,
    }
    for part, value in stored.items():
        _require(value == replayed[part], "I8", where, f"{part}: stored {value}, replayed {replayed[part]}")


# ---- what each kind of entry says it did, and did


def _kind(books: Books, line: Line, orders: dict[tuple[str, str, str], dict[str, Any]], where: str) -> None:
    points = line.detail.get("points", 0)
    did = {
        "earned": line.total("l", "earned"),
        "redeemed": -line.total("l", "spent"),
        "held": -line.total("l", "held"),
        "captured": -line.total("h", "spent"),
        "released": -line.total("h", "released"),
        "adjusted": line.total("l", "adjusted"),
        "cancelled": -line.total("l", "reversed"),
        "restored": line.total("l", "restored"),
        "transferred_out": -line.total("l", "transferred"),
        "transferred_in": line.total("l", "transferred"),
        "reversed": line.total("a", "owed") - line.total("l", "reversed") - line.total("z", "reversed")
        + line.detail.get("forgiven", 0),
    }.get(line.kind)  # fmt: skip
    _require(did is None or did == points, "I1", where, f"a {line.kind} entry of {points} points moved {did}")
    awards = line.detail.get("awards")
    _require(
        awards is None or sum(part for _, part in awards) == points, "I1", where, f"{points} points, by rule {awards}"
    )
    if line.kind == "activated":
        _activated(line, where)
    if line.kind == "restored":
        _restored(books, line, where)
    if line.kind == "reversed":
        _reversed(line, orders[_order_key(books.chain, line)], where)
    if line.kind == "earned" and "order" in line.detail:
        _terms(line, orders.get(_order_key(books.chain, line)), where)
        _multiplied(books, line, orders[_order_key(books.chain, line)], where)


def _order_key(chain: str, line: Line) -> tuple[str, str, str]:
    return chain.split("#")[0], line.detail["source"], line.detail["order"]


def _taken(line: Line) -> Counter[int]:
    """What a redemption or a capture took, by expiry."""
    taken = Counter[int]()
    for move in line.moves:
        if move[0] == "spent":
            taken[move[2] if move[1] == "l" else move[3]] -= move[4]
    return taken


def _activated(line: Line, where: str) -> None:
    """What an event decides on begins now, in the lot that it would have been in."""
    waited = Counter[int]()
    for move in line.moves:
        if move[0] == "activated" and move[3] == _WAITING:
            waited[move[2]] -= move[4]
    _require(sum(waited.values()) == line.detail["points"], "I1", where, f"activated {dict(waited)}")


def _restored(books: Books, line: Line, where: str) -> None:
    """A cancelled redemption's points go back to the lots they came from, all of them and nothing else."""
    back = Counter[int]()
    for move in line.moves:
        if move[0] == "restored":
            back[move[2]] += move[4]
    taken = _taken(books.entries[line.detail["of"] - 1])
    _require(back == taken, "I5", where, f"gave back {dict(back)} of a redemption that took {dict(taken)}")


def _lives(order: dict[str, Any]) -> set[tuple[int, int]]:
    """(expiry, start) of what an order gave: of each award where a rule set decided, else of the policy."""
    if "g" not in order:
        expiry, start = order["t"][2:4]
        return {(expiry, start)}
    return {(*award[3:4], *award[4:5], 0, 0)[:2] for award in map(_whole_award, order["g"][2])}


def _whole_award(award: list[Any]) -> list[Any]:
    """An award of an order document with what was left out: rule, num, den, expiry, start, flags, …, counters."""
    return [*award, *[0, 0, 0, "", [], []][len(award) - 3 :]]


def _terms(line: Line, order: dict[str, Any] | None, where: str) -> None:
    """A purchase's points have the terms that its order document fixed."""
    _require(order is not None, "I4", where, "a purchase without an order document")
    assert order is not None
    at = line.state["t"]
    promised = {(expiry, start if start > at or start == _WAITING else 0) for expiry, start in _lives(order)}
    for move in line.moves:
        if move[0] == "earned" and move[1] == "l":
            _require((move[2], move[3]) in promised, "I9", where, f"terms {move[2:4]}, promised {promised}")
    if "g" in order:
        told = [rule for rule, _ in line.detail.get("awards", [["base", 0]])]
        _require(told == [award[0] for award in order["g"][2]], "I9", where, f"gave {told}, not what the order says")
        version = line.detail.get("rules", 0)
        _require(version == order["g"][0], "I9", where, "decided by another version than the order names")


def _multiplied(books: Books, line: Line, order: dict[str, Any], where: str) -> None:
    """On the days of a multiplier a purchase earns so many times its base points, and on no others."""
    day = ([*order["t"], 0])[5]
    holding = [one for one in books.held_before if one[0] <= day <= one[1]]
    times = max((Fraction(num, den) for *_, num, den in holding), default=Fraction(1))
    awards = map(_whole_award, order["g"][2]) if "g" in order else []
    exact = {award[0]: Fraction(award[1], award[2]) for award in awards}
    rate = Fraction(*order["t"][:2])
    base = exact.get("base", Fraction(0)) if exact else rate * sum(row[0] for row in order["l"])
    more = {rule: points for rule, points in exact.items() if rule.startswith("campaign:")}
    largest = {f"campaign:{campaign}" for _, _, campaign, num, den in holding if Fraction(num, den) == times}
    due = base * (times - 1)
    _require(sum(more.values()) == due, "I9", where, f"{more} on a purchase of {base} points times {times}")
    _require(len(more) == (due > 0) and set(more) <= largest, "I9", where, f"{more}, offered by {largest}")


def _reversed(line: Line, order: dict[str, Any], where: str) -> None:
    """A refund takes from its own order's lots before any other."""
    policy = order["t"][4]
    own = {lot for expiry, start in _lives(order) for lot in ((expiry, start), (expiry, 0))}
    taken = [(move[2], move[3]) for move in line.moves if move[0] == "reversed" and move[1] == "l"]
    others = [lot for lot in taken if lot not in own]
    if others:
        left = _lots(line.state)
        own_left = {lot: points for lot, points in left.items() if lot in own}
        one = len(_lives(order)) == 1  # with several, another award's lot may still be full
        _require(not (own_left and one), "I5", where, f"took from {others} while its own lots still have {own_left}")
        _require(policy != "only_pending", "I5", where, f"took from {others} under only_pending")
    elif line.total("a", "owed"):
        _require(policy == "arrears", "I5", where, f"owes under {policy}")


# ---- across chains


def _orders(
    books: dict[str, Books], terms: dict[tuple[str, str, str], dict[str, Any]], items: dict[tuple[str, str, str], Item],
    *, complete: bool,
) -> None:  # fmt: skip
    earned: dict[tuple[str, str, str], str] = {}
    returned: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    due: dict[str, Fraction] = defaultdict(Fraction)
    given: dict[str, int] = defaultdict(int)
    partly: set[str] = set()
    for pk, wallet in books.items():
        for line in wallet.entries:
            if "order" not in line.detail:
                continue
            key, where = _order_key(pk, line), f"{pk} entry {line.number}"
            rate = Fraction(terms[key]["t"][0], terms[key]["t"][1])
            awards = terms[key]["g"][2] if "g" in terms[key] else None
            bought = sum(row[0] for row in terms[key]["l"])
            if line.kind == "earned":
                _require(key not in earned, "I4", where, f"{key} earned at {earned.get(key)} too")
                earned[key] = where
                _require(line.detail["amount"] == bought, "I4", where, f"earned on {line.detail['amount']} of {bought}")
                due[pk] += rate * bought if awards is None else _sum(awards)
                given[pk] += line.detail["points"]
            else:
                _require(key in earned, "I5", where, f"{key} was returned before it was earned")
                returned[key].append(line.detail["amount"])
                if awards is None:
                    due[pk] -= rate * line.detail["amount"]
                elif line.detail["returned"] == bought:
                    due[pk] -= _sum(awards)
                    partly.discard(f"{pk} {key}")
                else:
                    partly.add(f"{pk} {key}")
                given[pk] -= line.detail["points"]
    for pk, wallet in books.items():
        rest = sum(wallet.remainders.values(), Fraction(0))
        shares = any(
            name.startswith(f"{pk} ") for name in partly
        )  # of what rules gave: how much is the kernel's matter
        exact = due[pk] == given[pk] + rest or (shares and due[pk] >= given[pk] + rest)
        _require(exact, "I10", pk, f"{due[pk]} points due, {given[pk]} given, {rest} carried")
        _counts(wallet, terms, pk)
    for key, order in terms.items():
        where = f"order {key}"
        back = order["y"] + sum(row[4] for row in order["l"])
        bought = sum(row[0] for row in order["l"])
        _require(0 <= back <= bought, "I5", where, f"{back} returned of {bought}")
        _require(back == sum(returned[key]), "I5", where, f"{back} returned, entries say {returned[key]}")
        edits = int(items[key]["version"]["N"]) - 1 - len(returned[key])
        decided_again = 1 if "g" in order and key in earned else 0
        _require(0 <= edits <= decided_again, "I5", where, "edits without entries")
        _require(key in earned or not complete, "I4", where, "an order document without its entry")


def _sum(awards: list[list[Any]]) -> Fraction:
    return sum((Fraction(award[1], award[2]) for award in awards), Fraction(0))


@dataclass
class _Counted:
    """What a counter must say, from the orders that count in the period that is open."""

    points: int = 0
    exact: bool = True
    """None of it was carried."""
    fewest: int = 0
    most: int = 0


def _counts(wallet: Books, terms: dict[tuple[str, str, str], dict[str, Any]], pk: str) -> None:
    """Counters say what stands of the awards that counted in the period that is open: points to the point unless
    something was carried, and how often, but for orders of which a part came back.
    """
    expected: dict[str, _Counted] = defaultdict(_Counted)
    for key, (net, back) in _by_order(wallet, pk).items():
        bought = sum(row[0] for row in terms[key]["l"])
        for award in map(_whole_award, terms[key]["g"][2] if "g" in terms[key] else []):
            for counter, end in zip(award[8][::2], award[8][1::2], strict=True):
                if end and (not wallet.counted or _period(counter, end) != _period(counter, wallet.counted)):
                    continue
                counted = expected[counter]
                counted.points += net[award[0]]
                counted.exact &= award[1] % award[2] == 0
                counted.fewest += back is None
                counted.most += back is None or back < bought
    for counter, counted in expected.items():
        used = wallet.counters[counter]
        if counter[-2] == "t":
            sound = counted.fewest <= used <= counted.most
        else:
            sound = used == counted.points or (not counted.exact and used > counted.points)
        _require(sound, "I5", pk, f"{counter} says {used}, of {counted}")


def _by_order(wallet: Books, pk: str) -> dict[tuple[str, str, str], tuple[Counter[str], int | None]]:
    """Of each order: points that stand, by rule, and how much of it was returned."""
    orders: dict[tuple[str, str, str], tuple[Counter[str], int | None]] = {}
    for line in wallet.entries:
        if "order" in line.detail:
            key = _order_key(pk, line)
            net, back = orders.get(key, (Counter(), None))
            for rule, part in line.detail.get("awards", [["base", line.detail["points"]]]):
                net[rule] += part if line.kind == "earned" else -part
            orders[key] = (net, line.detail.get("returned", back))
    return orders


def _claims(books: dict[str, Books], claims: set[str]) -> None:
    """Every redemption is given back at most once, and there is a claim for each that was."""
    restored = Counter[str]()
    for pk, wallet in books.items():
        program, _, account, name = pk.split("#")
        for line in wallet.entries:
            if line.kind == "restored":
                restored[f"{program}#X#{account}#{name}#{line.detail['of']}"] += 1
    _require(max(restored.values(), default=1) == 1, "I3", "claims", f"given back more than once: {dict(restored)}")
    _require(set(restored) == claims, "I1", "claims", f"claimed {sorted(claims)}, given back {sorted(restored)}")


def _transfers(books: dict[str, Books]) -> None:
    """What left one wallet arrived in another, lot by lot."""
    left: dict[tuple[str, str], Counter[int]] = {}
    arrived: dict[tuple[str, str], Counter[int]] = {}
    for pk, wallet in books.items():
        program, _, account, name = pk.split("#")
        for line in wallet.entries:
            parts = Counter[int]()
            for move in line.moves:
                if move[0] == "transferred":
                    parts[move[2]] += abs(move[4])
            if line.kind == "transferred_out":
                to_account, to_wallet = line.detail["to"].split("/")
                left[f"{program}#L#{to_account}#{to_wallet}", f"from#{account}#{name}#{line.ref}"] = parts
            elif line.kind == "transferred_in":
                arrived[pk, line.ref] = parts
    _require(left == arrived, "I1", "transfers", f"left {left}, arrived {arrived}")
