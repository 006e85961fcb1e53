"""Handing in segments, and keeping everybody's standing current.

A member is looked at when something happened (an entry, an order, an edit of the member), when a timer says that time
may have changed something, and when new segments are handed in. To look twice changes nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from loyalty.errors import Conflict, Invalid, NotFound, Refused, Unavailable
from loyalty.ledger.account import State
from loyalty.ledger.chain import Chain, Entry
from loyalty.members.member import Member
from loyalty.programs.terms import Program
from loyalty.segments.audience import Audience
from loyalty.segments.facts import Subject
from loyalty.segments.profile import Profile
from loyalty.segments.segment import Segments
from loyalty.segments.spread import place_of, rank
from loyalty.segments.store import SegmentStore, Sweep
from loyalty.table import keys
from loyalty.table.writes import Cancelled, ConditionFailed, Contended

if TYPE_CHECKING:
    from loyalty.segments.definition import Checked

KIND: Final = "segment"
PAGE: Final = 25
"""Members looked at in one step of a sweep."""
MAX_TRIES: Final = 8
SECONDS: Final = 30
"""So old may the segments be that a running copy goes by, and the spread of points."""
MAX_SOURCE: Final = 200_000
MAX_ISSUES: Final = 100


class Sources(Struct, frozen=True):
    """Where members are read: the head of a wallet, one member's document, a page of all of a shard."""

    head: Callable[[Chain], Entry | None]
    member: Callable[[str, str], Member | None]
    members: Callable[[str, int, int, str | None], tuple[list[Member], str | None]]
    policy: Callable[[str], Program]
    arm: Callable[[Chain, str, int], None]
    """Have an account looked at on a day."""
    alive: Callable[[State, str, int], float | None]
    """The chance that a member of a programme has not left by a day."""


class Bought(Struct, frozen=True):
    """An order as segments count it: a tag to know it by, and amounts by category."""

    source: str
    order_id: str
    amounts: tuple[tuple[str, int], ...]

    @property
    def tag(self) -> str:
        return sha256(f"{self.source}\n{self.order_id}".encode()).hexdigest()[:12]


class Known(Struct, frozen=True):
    """What conditions may ask of a member, all segments that it is in, and the number of the wallet's last entry."""

    subject: Subject
    standing: frozenset[str]
    number: int


class Looked(Struct):
    """What became of it: members looked at, profiles written."""

    looked: int = 0
    written: int = 0


class Audiences:
    """Segments of all programmes. One copy of it goes by what it has read for ``SECONDS``."""

    def __init__(self, store: SegmentStore, sources: Sources) -> None:
        self._store = store
        self._from = sources
        self._known: dict[str, tuple[int, Audience | None]] = {}
        self._spread: dict[str, tuple[int, dict[int, int]]] = {}

    # Definitions

    def current(self, program: str) -> tuple[Segments | None, str]:
        """The segments in force, and their file."""
        return self._store.segments(program)

    def hand_in(
        self,
        program: str,
        source: str,
        *,
        seen: int | None,
        now: int,
        in_use: Callable[[str], Mapping[str, Sequence[str]]] = lambda _: {},
    ) -> tuple[Segments, int]:
        """Put segments in force, and how many of their cases they passed. ``in_use`` are a programme's campaigns by the
        segment that members are still to come in by, asked where one is taken away. Refused when the file is wrong or a
        case comes out otherwise; Conflict when it was changed meanwhile, and when a campaign goes by what it lacks.
        """
        from loyalty.segments import definition

        checked = definition.check(source, "segments", self._from.policy(program))
        if checked.segments is None:
            raise _wrong(checked)
        for result in definition.run(checked.segments, checked.cases):
            if not result.passed:
                got, expected = sorted(result.got), sorted(result.case.expected)
                raise Refused(
                    "SEGMENTS_EXPECTATION_FAILED",
                    f"{result.case.name}: in {', '.join(got) or 'none'}, expected {', '.join(expected) or 'none'}",
                    line=result.case.line,
                )
        before = self.current(program)[0]
        version = before.version if before else 0
        if seen is not None and seen != version:
            raise _moved_on()
        _keeps(before, checked.segments, lambda: in_use(program))
        segments = replace(checked.segments, version=version + 1)
        phase = "count" if Audience(segments).ranks else "look"
        sweeps = [Sweep(program, segments.version, phase, shard) for shard in range(keys.MEMBER_SHARDS)]
        try:
            self._store.put_segments(segments, source, sweeps, now)
        except Cancelled:
            raise _moved_on() from None
        return segments, len(checked.cases)

    def counts(self, program: str) -> dict[str, int]:
        return self._store.counts(program)

    def members(self, program: str, segment: str, limit: int, cursor: str) -> tuple[list[tuple[str, int]], str]:
        """(member, in it since), shard by shard; and the cursor to go on with, empty at the end. NotFound."""
        segments = self.current(program)[0]
        if segments is None or segment not in {one.id for one in segments.segments}:
            raise NotFound("SEGMENT_NOT_FOUND", "There is no such segment in this programme")
        number, _, last = cursor.partition(".")
        if cursor and not (number.isascii() and number.isdecimal() and int(number) < keys.MEMBER_SHARDS):
            raise Invalid("REQUEST_INVALID", "cursor must be what the page before gave as next", field="cursor")
        shard, after = int(number or 0), last or None
        found: list[tuple[str, int]] = []
        while shard < keys.MEMBER_SHARDS:
            page, after = self._store.page(program, segment, shard, limit - len(found), after)
            found += page
            if after is None:
                shard += 1
            if len(found) == limit and shard < keys.MEMBER_SHARDS:
                return found, str(shard) if after is None else f"{shard}.{after}"
        return found, ""

    # Standing

    def tastes(self, program: str, now: int) -> bool:
        """Whether orders are looked at: whether any segment speaks of what was bought."""
        audience = self._audience(program, now)
        return audience is not None and audience.tastes

    def renew(self) -> None:
        """Ask anew which segments are in force. Whoever takes up what happened does so first: a member to whom it
        happened after everybody was looked at for new segments is looked at for these.
        """
        self._known.clear()

    def look(self, program: str, account: str, now: int, bought: Sequence[Bought] = ()) -> bool:
        """Bring a member's standing up to date; whether anything was written. Unavailable when others are always
        first.
        """
        audience = self._audience(program, now)
        if audience is None:
            return False
        wrote = False
        for _ in range(MAX_TRIES):
            number, changed = self._look_once(audience, program, account, now, bought)
            wrote = wrote or changed is True
            if changed is False:
                return wrote
            if changed is True and self._number(program, account) == number:
                return wrote
        raise Unavailable("STORAGE_UNAVAILABLE", "Others are always first", retry_after=1)

    def known(self, program: str, account: str, now: int) -> Known | None:
        """A member as conditions see it; None when there is none."""
        policy = self._from.policy(program)
        head = self._from.head(Chain(program, account, policy.wallets[0]))
        member = self._from.member(program, account)
        if member is None:
            return None
        return self._described(policy, member, head, self._store.profile(program, account), now)

    def known_all(
        self, program: str, members: Mapping[str, Member], heads: Mapping[str, Entry], now: int
    ) -> dict[str, Known]:
        """Many members as conditions see them, by id; ``heads`` are the newest entries of those that have any."""
        policy, profiles = self._from.policy(program), self._store.profiles(program, members)
        return {
            name: self._described(policy, member, heads.get(name), profiles[name], now)
            for name, member in members.items()
        }

    def _described(self, policy: Program, member: Member, head: Entry | None, profile: Profile, now: int) -> Known:
        program, state = policy.program, head.state if head else State()
        subject = Subject(
            state,
            member,
            profile.shares,
            policy.day(member.enrolled),
            rank(self._of_spread(program, now), profile.place) if profile.place >= 0 else None,
            lambda on: self._from.alive(state, program, on),
        )
        return Known(subject, frozenset(member.segments) | profile.standing.keys(), head.number if head else 0)

    def sweep(self, sweep: Sweep, now: int) -> Looked:
        """Look at a page of all members, and have the next one come. A sweep of segments that are in force no more ends
        here.
        """
        audience = self._audience(sweep.program, now, at_least=sweep.version)
        done = Looked()
        if audience is None or audience.segments.version != sweep.version:
            return done
        if sweep.phase == "counted":
            if self._store.counted(sweep.program, sweep.version) == keys.MEMBER_SHARDS:
                for shard in range(keys.MEMBER_SHARDS):
                    self._store.begin(Sweep(sweep.program, sweep.version, "look", shard), now)
            return done
        self._spread.pop(sweep.program, None)  # it was counted meanwhile
        found, after = self._from.members(sweep.program, sweep.shard, PAGE, sweep.after or None)
        for member in found:
            done.looked += 1
            if sweep.phase == "count":
                done.written += self._count(sweep.program, member, now)
            else:
                done.written += self.look(sweep.program, member.id, now)
        if after is not None:
            self._store.go_on(replace(sweep, step=sweep.step + 1, after=after), now)
        elif sweep.phase == "count":
            self._store.go_on(Sweep(sweep.program, sweep.version, "counted", sweep.shard), now)
        return done

    def _look_once(
        self, audience: Audience, program: str, account: str, now: int, bought: Sequence[Bought]
    ) -> tuple[int, bool | None]:
        """(number of the entry that was looked at, whether it was written: None when another was first)."""
        policy = self._from.policy(program)
        before = self._store.profile(program, account)
        if before.by > audience.segments.version:  # another copy knows newer ones
            audience = self._audience(program, now, at_least=before.by) or audience
        head = self._from.head(Chain(program, account, policy.wallets[0]))
        member = self._from.member(program, account)
        if member is None:
            return 0, False
        day = policy.day(now)
        after, look = self._looked(audience, before, member, head, policy, day, now, bought)
        armed = 0 if before.look <= day else before.look
        if look is not None and (not armed or look < armed):
            self._from.arm(Chain(program, account, policy.wallets[0]), KIND, look)
            armed = look
        number = head.number if head else 0
        after = replace(after, look=armed)
        if after == before:
            return number, False
        after = replace(after, version=before.version + 1, by=audience.segments.version)
        return number, self._write(program, account, before, after, now)

    def _looked(
        self,
        audience: Audience,
        before: Profile,
        member: Member,
        head: Entry | None,
        policy: Program,
        day: int,
        now: int,
        bought: Sequence[Bought],
    ) -> tuple[Profile, int | None]:
        state = head.state if head else State()
        after = before
        if audience.tastes:
            for order in bought:
                after = after.bought(order.tag, order.amounts, audience.segments.categories)
        closed = state.status == "closed"
        place = place_of(state.balance().available) if audience.ranks and not closed else -1
        after = replace(after, place=place)
        if closed:
            return after.stands((), now), None
        spread = self._of_spread(policy.program, now) if audience.ranks else {}
        subject = Subject(
            state,
            member,
            after.shares,
            policy.day(member.enrolled),
            rank(spread, place) if audience.ranks else None,
            lambda on: self._from.alive(state, policy.program, on),
        )
        return after.stands(audience.standing(subject, day), now), audience.next_look(subject, day)

    def _count(self, program: str, member: Member, now: int) -> bool:
        """Count a member's points, and nothing else."""
        policy = self._from.policy(program)
        for _ in range(MAX_TRIES):
            before = self._store.profile(program, member.id)
            head = self._from.head(Chain(program, member.id, policy.wallets[0]))
            state = head.state if head else State()
            place = -1 if state.status == "closed" else place_of(state.balance().available)
            if place == before.place:
                return False
            after = replace(before, version=before.version + 1, place=place)
            if self._write(program, member.id, before, after, now):
                return True
        raise Unavailable("STORAGE_UNAVAILABLE", "Others are always first", retry_after=1)

    def _write(self, program: str, account: str, before: Profile, after: Profile, now: int) -> bool | None:
        try:
            self._store.write(program, account, before, after, now)
        except (ConditionFailed, Cancelled, Contended):
            return None
        return True

    def _number(self, program: str, account: str) -> int:
        """Of the newest entry: one that came after the look is looked at, too."""
        head = self._from.head(Chain(program, account, self._from.policy(program).wallets[0]))
        return head.number if head else 0

    def _audience(self, program: str, now: int, at_least: int = 0) -> Audience | None:
        known = self._known.get(program)
        stale = known is None or not 0 <= now - known[0] < SECONDS
        if known is None or stale or (known[1].segments.version if known[1] else 0) < at_least:
            segments = self.current(program)[0]
            known = (now, Audience(segments) if segments else None)
            self._known[program] = known
        return known[1]

    def _of_spread(self, program: str, now: int) -> dict[int, int]:
        known = self._spread.get(program)
        if known is None or not 0 <= now - known[0] < SECONDS:
            known = self._spread[program] = (now, self._store.spread(program))
        return known[1]


def review(
    audiences: Audiences, chains: Iterable[Chain], now: int, aside: Callable[[Chain, Exception], None]
) -> dict[str, int]:
    """Look at members whose timer has fired; whoever cannot be looked at is given to ``aside``. Unavailable when the
    storage does not answer: then all of it is to be done again.
    """
    counts = {"looked": 0, "written": 0, "aside": 0}
    for chain in chains:
        counts["looked"] += 1
        try:
            counts["written"] += audiences.look(chain.program, chain.account, now)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one member, the others are looked at
            aside(chain, error)
            counts["aside"] += 1
    return counts


def _wrong(checked: "Checked") -> Refused:
    first = checked.issues[0]
    return Refused(
        "SEGMENTS_INVALID",
        f"line {first.line}, column {first.column}: {first.message}",
        field="source",
        issues=[
            {
                "line": one.line,
                "column": one.column,
                "code": one.code,
                "message": one.message,
                **({"suggestion": one.suggestion} if one.suggestion else {}),
            }
            for one in checked.issues[:MAX_ISSUES]
        ],
    )


def _keeps(before: Segments | None, after: Segments, in_use: Callable[[], Mapping[str, Sequence[str]]]) -> None:
    """Conflict names the segments that are taken away from campaigns, and those."""
    gone = {one.id for one in before.segments} - {one.id for one in after.segments} if before else set()
    used = in_use() if gone else {}
    if lost := sorted(gone & used.keys()):
        named = "; ".join(f"{one}: {', '.join(used[one])}" for one in lost)
        raise Conflict("SEGMENT_IN_USE", f"Members still come into campaigns by segments that the file lacks: {named}")


def _moved_on() -> Conflict:
    return Conflict("SEGMENTS_VERSION_CONFLICT", "Read the segments again, and send their ETag in If-Match")
