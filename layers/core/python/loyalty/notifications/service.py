"""Messages sent, each at most once: handed on when due, claimed, sent, recorded; and what comes back of them.

::

    claim ──► send ──► record ──► tell the ledger ──► the outgoing item goes

Whoever stops between two steps leaves the outgoing item, which is handed on again. The next one finds the claim: as
long as its owner may live it is left alone, then the message is in doubt. It is sent again only to a receiver that
knows it again by its id, or by a provider that reports all it took, once the reports of that time have come and none
was of this one; else it is set aside. So nothing is sent twice, and nothing is forgotten.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from msgspec.structs import replace

from loyalty.channels.channel import Channel, Outcome, Sending
from loyalty.errors import NotFound
from loyalty.notifications.feedback import Report, tags_of
from loyalty.notifications.message import (
    INBOX,
    RECOGNISED,
    SILENT_S,
    TRIED_S,
    Handed,
    Message,
    Notice,
    Outgoing,
    abandoned,
    anew,
    claimed,
    ended,
    filled,
    held,
    locate,
    next_look,
    next_try,
    put_off,
    told_of,
    too_late,
)
from loyalty.notifications.store import AGAIN_S, SLOT_S, Handing, MessageStore, added, lying
from loyalty.table import keys

BATCH: Final = 10
"""What one call of the queue takes."""
SLACK_S: Final = 60
"""What was due so shortly before is looked at once more: somebody may be writing it down at this moment."""
STALE_S: Final = 900
"""What was decided so long before it is sent is asked about once more: the member may have bought by then, or gone."""
PAUSED_S: Final = 3_600
"""How long a paused campaign's messages are left alone."""
_PAGE: Final = 200
_FIRST_PAGE: Final = 2 * BATCH
_REMEMBERED: Final = 100
_REDRIVEN: Final = frozenset({"failed", "doubtful"})
_BOUNCES: Final[Mapping[str, str]] = {"bounced": "bounced", "complained": "complaint"}
"""What makes a channel dead, and the reason that is noted."""


class Reach(NamedTuple):
    """Where a channel reaches a member, or why it does not: a code. ``loud`` is the first moment at which it is not
    quiet there, ``contact`` the version of the member's contact that says so.
    """

    address: str
    why_not: str = ""
    loud: int = 0
    contact: int = 0


class Ports(NamedTuple):
    """What sending needs of others.

    ``channels`` are those a programme has, by name. ``reach`` says where a member is reached (programme, member,
    channel, whether the message is a service, now). ``over`` says why a message that waited is for nobody any more, a
    code. ``campaign`` is the state that a campaign is in (programme, id), ""
    where there is none. ``dead`` notes a channel that reaches nobody (…, reason, when, the version of
    the contact that the message went by), ``alive`` says whether any of some channels is left.
    ``confirm`` tells the ledger of a notice (programme, member, notice,
    reference, outcome, now). ``addresses`` are those of a message's links, and the one that unsubscribes.
    ``failed`` counts messages that people should hear of (programme, channel, code), ``doubted`` those that were set
    aside in doubt. ``all_heard`` says whether everything has been heard that a provider took at a time and reports
    (the path of its reports, then, now; on the world's clock).
    """

    channels: Callable[[str], Mapping[str, Channel]]
    reach: Callable[[str, str, str, bool, int], Reach]
    over: Callable[[Message], str]
    campaign: Callable[[str, str], str]
    dead: Callable[[str, str, str, str, int, int], None]
    alive: Callable[[str, str, tuple[str, ...]], bool]
    confirm: Callable[[str, str, Notice, str, str, int], None]
    addresses: Callable[[Message], tuple[tuple[str, ...], str]]
    failed: Callable[[str, str, str], None]
    doubted: Callable[[str, str, str], None]
    all_heard: Callable[[str, int, int], bool]


class Notifications:
    """Use cases of messages. ``now`` is the programme's time, ``wall`` the world's, in seconds since 1970."""

    def __init__(self, store: MessageStore, ports: Ports) -> None:
        self._store = store
        self._ports = ports
        self._gained: dict[str, dict[str, dict[str, int]]] = {}
        self._noted: set[tuple[str, int]] = set()

    def send(self, which: Handed, now: int, wall: int) -> str:
        """See to one message that was handed on, and say what became of it: ``sent``, ``refused``, ``later`` (tried in
        vain, or not tried at night and while its campaign is paused), ``failed``, ``doubtful``; ``unsettled`` when it
        is still in doubt, ``busy`` when another copy is at it, ``gone`` when there is nothing left to do.
        """
        outgoing = self._store.outgoing(which)
        if outgoing is None:
            return "gone"
        message = outgoing.message
        if message.channel == INBOX:
            return self._lay(outgoing, which, now)
        channel = self._ports.channels(message.program).get(message.channel)
        if message.phase == "doubtful" and not self._untaken(message, channel, wall):
            return self._wait_on(outgoing, which, channel, now, wall)
        campaign = self._ports.campaign(message.program, message.campaign)
        reach = self._reach(message, campaign, now)
        if reach.why_not:
            return self._refuse(outgoing, which, channel, reach.why_not, now, wall)
        if channel is None:
            return self._bury(outgoing, which, channel, "not_configured", now, wall)
        if campaign == "paused":
            return self._hold(outgoing, which, channel, "paused", max(reach.loud, now + PAUSED_S), now, wall)
        if reach.loud > now:
            return self._hold(outgoing, which, channel, "quiet", reach.loud, now, wall)
        # Before the claim: whoever cannot make it leaves the message as it was, and not in doubt.
        sending = self._sending(outgoing, reach)
        mine = claimed(message, now, wall, reach.contact)
        standing = self._store.write(message, mine)
        if standing is None:
            return self._deliver(outgoing, which, _written(message, mine), channel, sending, now, wall)
        if abandoned(standing, wall) and standing.channel in RECOGNISED:
            mine = claimed(standing, now, wall, reach.contact)
            if self._store.write(standing, mine) is not None:
                return "busy"
            return self._deliver(outgoing, which, _written(standing, mine), channel, sending, now, wall)
        return self._leave(outgoing, which, standing, channel, now, wall)

    def _untaken(self, message: Message, channel: Channel | None, wall: int) -> bool:
        """Whether the provider did not take a message in doubt, by all that it would have reported by now."""
        if channel is None or not channel.reported or wall - message.claimed < SILENT_S:
            return False
        return self._ports.all_heard(channel.reported, message.claimed, wall)

    def _wait_on(self, outgoing: Outgoing, which: Handed, channel: Channel | None, now: int, wall: int) -> str:
        """Nobody knows yet; or nobody ever will."""
        done = self._doubt(outgoing, outgoing.message, channel, now, wall)
        if done:
            return "unsettled"
        message = outgoing.message
        standing = self._store.get(message.program, message.account, message.name)
        return "gone" if standing is None else self._leave(outgoing, which, standing, channel, now, wall)

    def _doubt(self, outgoing: Outgoing, doubted: Message, channel: Channel | None, now: int, wall: int) -> bool:
        """Have a message looked at again that is in doubt, or set it aside; ``outgoing`` has it as it stands. Whether
        it stood so.
        """
        due = next_look(doubted, now, wall) if channel is not None and channel.reported else 0
        if due:
            return self._store.put_off(outgoing, doubted, due)
        if not self._store.bury(outgoing, doubted):
            return False
        self._ports.doubted(doubted.program, doubted.channel, doubted.code)
        return True

    def _lay(self, outgoing: Outgoing, which: Handed, now: int) -> str:
        """What waited for the morning lies in the inbox from now on, if it may still be told."""
        message = outgoing.message
        campaign = self._ports.campaign(message.program, message.campaign)
        reach = self._reach(message, campaign, now)
        if not reach.why_not and (campaign == "paused" or reach.loud > now):
            code, due = ("paused", now + PAUSED_S) if campaign == "paused" else ("quiet", reach.loud)
            return "later" if self._store.put_off(outgoing, held(message, code), max(reach.loud, due)) else "gone"
        refused = ended(message, "refused", reach.why_not) if reach.why_not else None
        after = refused or lying(message, outgoing.content, now)
        if self._store.write(message, after) is None:
            self._settle(after, now)
        self._store.done(which)
        return "refused" if refused else "sent"

    def _reach(self, message: Message, campaign: str, now: int) -> Reach:
        if too_late(message, now):
            return Reach("", "too_late")
        if campaign == "cancelled":
            return Reach("", "cancelled")
        found = self._ports.reach(message.program, message.account, message.channel, message.service, now)
        if not found.why_not and now - message.at >= STALE_S and (why := self._ports.over(message)):
            return Reach("", why)
        return Reach("", "too_late") if not found.why_not and too_late(message, found.loud) else found

    def _hold(
        self, outgoing: Outgoing, which: Handed, channel: Channel | None, code: str, due: int, now: int, wall: int
    ) -> str:
        """Leave it for another time, without a try."""
        message = outgoing.message
        if self._store.put_off(outgoing, held(message, code), due):
            return "later"
        standing = self._store.get(message.program, message.account, message.name)
        return "gone" if standing is None else self._leave(outgoing, which, standing, channel, now, wall)

    def _leave(
        self, outgoing: Outgoing, which: Handed, standing: Message, channel: Channel | None, now: int, wall: int
    ) -> str:
        """Somebody was here before, and it is not sent now."""
        if abandoned(standing, wall):
            found = Outgoing(standing, outgoing.content, outgoing.due)
            return self._doubtful(found, which, channel, "abandoned", now, wall)
        if standing.facts or standing.phase not in {"sending", "waiting"}:
            self._settle(standing, now)
            self._store.done(which)
            return "gone"
        # One that waits has an item of its own by now; one that is being sent needs this one until its end.
        return "busy" if standing.phase == "sending" else "gone"

    def _sending(self, outgoing: Outgoing, reach: Reach) -> Sending:
        """What a provider is given."""
        message = outgoing.message
        links, unsubscribe = self._ports.addresses(message)
        return Sending(
            message.id,
            message.program,
            message.channel,
            reach.address,
            filled(outgoing.content, links, unsubscribe),
            tags_of(message),
            "" if message.service else unsubscribe,
            message.account,
            outgoing.content.language,
        )

    def _deliver(
        self, outgoing: Outgoing, which: Handed, mine: Message, channel: Channel, sending: Sending, now: int, wall: int
    ) -> str:
        outcome = channel.send(sending, wall)
        if outcome.kind == "later":
            return self._later(Outgoing(mine, outgoing.content, outgoing.due), which, outcome, now, wall)
        if outcome.kind == "doubtful":
            found = Outgoing(mine, outgoing.content, outgoing.due)
            return self._doubtful(found, which, channel, outcome.code or outcome.kind, now, wall)
        if outcome.kind == "dead":
            self._ports.dead(mine.program, mine.account, mine.channel, outcome.code or "dead", now, mine.contact)
        return self._record(which, mine, outcome, now)

    def _doubtful(
        self, outgoing: Outgoing, which: Handed, channel: Channel | None, code: str, now: int, wall: int
    ) -> str:
        """It was sent, or about to be, and nobody can say whether it was taken. ``outgoing`` has it as claimed."""
        mine = outgoing.message
        if self._doubt(outgoing, ended(mine, "doubtful", code), channel, now, wall):
            return "doubtful"
        standing = self._store.get(mine.program, mine.account, mine.name)
        return "gone" if standing is None else self._leave(outgoing, which, standing, channel, now, wall)

    def _later(self, outgoing: Outgoing, which: Handed, outcome: Outcome, now: int, wall: int) -> str:
        after = put_off(outgoing.message, outcome.code)
        due = next_try(after, now, outcome.retry_after_s)
        if due:
            self._store.put_off(outgoing, after, due)
            return "later"
        if outgoing.message.until and now - outgoing.message.first <= TRIED_S:
            return self._record(which, outgoing.message, Outcome("refused", code="too_late"), now)
        return self._bury(outgoing, which, None, outcome.code, now, wall)

    def _bury(self, outgoing: Outgoing, which: Handed, channel: Channel | None, code: str, now: int, wall: int) -> str:
        """It cannot be sent, and people may change that."""
        message = outgoing.message
        if self._store.bury(outgoing, ended(message, "failed", code)):
            self._ports.failed(message.program, message.channel, code)
            return "failed"
        standing = self._store.get(message.program, message.account, message.name)
        return "gone" if standing is None else self._leave(outgoing, which, standing, channel, now, wall)

    def _refuse(
        self, outgoing: Outgoing, which: Handed, channel: Channel | None, code: str, now: int, wall: int
    ) -> str:
        """It is not sent at all, unless somebody had begun to."""
        message = outgoing.message
        refused = ended(message, "refused", code)
        standing = self._store.write(message, refused)
        if standing is not None:
            return self._leave(outgoing, which, standing, channel, now, wall)
        self._settle(refused, now)
        self._store.done(which)
        return "refused"

    def _record(self, which: Handed, mine: Message, outcome: Outcome, now: int) -> str:
        """Write down what became of a message that was claimed, whatever was heard of it meanwhile."""

        def decide(found: Message) -> Message:
            if outcome.kind == "accepted":
                known = replace(found, provider_id=outcome.provider_id, code=outcome.code)
                return told_of(known, "sent", now)
            return ended(found, "refused", outcome.code or outcome.kind)

        before, after = self._store.change(mine, decide)
        if "sent" in after.facts and "sent" not in before.facts:
            self._gain(after, "sent")
        self._settle(after, now)
        self._store.done(which)
        return "sent" if outcome.kind == "accepted" else "refused"

    def note_path(self, report: Report, wall: int) -> None:
        """Remember that what was taken when this was is reported. A copy writes that once for each ten minutes."""
        slot = (report.path, report.taken // SLOT_S)
        if report.path and slot not in self._noted:
            self._store.note_heard(report.path, report.taken, wall)
            self._noted = {*sorted(self._noted, key=lambda one: one[1])[-_REMEMBERED:], slot}

    def hear(self, report: Report, now: int) -> str:
        """Take down what was heard of a message: ``known`` when that is nothing new, ``unknown`` when there is none."""
        found = self._store.get(report.program, report.account, report.name)
        if found is None:
            return "unknown"
        after = _with(found, report)
        if after == found:
            self._settle(found, now)
            return "known"
        # The channel and the ledger first: a report that comes again finds them done, and does the rest.
        if report.fact in _BOUNCES:
            reason = _BOUNCES[report.fact]
            self._ports.dead(found.program, found.account, found.channel, reason, report.at, found.contact)
        self._settle(after, now)
        before, after = self._store.change(found, lambda message: _with(message, report))
        for fact in after.facts:
            if fact not in before.facts:
                self._gain(after, fact)
        return report.fact if before != after else "known"

    def _settle(self, message: Message, now: int) -> None:
        """Let the ledger know that the member was told of what ends, or that nothing reaches the member."""
        notice = message.notice
        if notice is None:
            return
        if message.told:
            self._confirm(message, notice, "delivered", now)
        elif message.phase == "refused" or {"bounced", "complained", "rejected"} & set(message.facts):
            channels = message.channels or (message.channel,)
            if not self._ports.alive(message.program, message.account, channels):
                self._confirm(message, notice, "unreachable", now)

    def _confirm(self, message: Message, notice: Notice, outcome: str, now: int) -> None:
        reference = f"n#{message.said}#{outcome}"
        self._ports.confirm(message.program, message.account, notice, reference, outcome, now)

    def unreachable(self, program: str, account: str, notice: Notice, reference: str, now: int) -> None:
        """No channel is left for what was to be told: the ledger hears of it, once for each reference."""
        self._ports.confirm(program, account, notice, f"n#{reference}#unreachable", "unreachable", now)

    def message(self, program: str, message_id: str) -> Message:
        """MESSAGE_NOT_FOUND, also for one that nobody has begun to send."""
        place = locate(message_id)
        found = self._store.get(program, *place) if place else None
        if found is None:
            raise NotFound("MESSAGE_NOT_FOUND", "There is no such message, or it still waits for its time")
        return found

    def inbox(self, program: str, account: str, now: int) -> list[Message]:
        """What lies in a member's inbox, the newest first."""
        there = [one for one in self._store.of_member(program, account) if _lies(one, now)]
        return sorted(there, key=lambda one: (-one.at, one.name))

    def read(self, program: str, account: str, message_id: str, now: int) -> Message:
        """The member has looked at a message in the inbox; the first time counts."""
        place = locate(message_id)
        found = self._store.get(program, *place) if place and place[0] == account else None
        if found is None or not _lies(found, now):
            raise NotFound("MESSAGE_NOT_FOUND", "There is no such message in this inbox")
        self.hear(Report(program, account, found.name, "opened", now), now)
        return self.message(program, message_id)

    def click(self, program: str, account: str, name: str, number: int, now: int) -> str:
        """Where a link of a message leads; "" when it has no such link."""
        found = self._store.get(program, account, name)
        if found is None or number >= len(found.links):
            return ""
        self.hear(Report(program, account, name, "clicked", now), now)
        return found.links[number]

    def failed(self, program: str, limit: int, shard: int = 0, after: str = "") -> tuple[list[Outgoing], int, str]:
        """Up to ``limit`` messages that could not be sent in a day, or are in doubt for good, and the shard and key to
        go on with; the shard is that behind the last when there are no more.
        """
        found: list[Outgoing] = []
        while shard < keys.OUTGOING_SHARDS and len(found) < limit:
            page, after = self._store.dead(program, shard, limit - len(found), after)
            found += page
            if not after:
                shard += 1
        return found, shard, after

    def failed_one(self, program: str, account: str, name: str) -> Outgoing | None:
        """The same of one message."""
        return self._store.dead_one(program, account, name)

    def standing(self, dead: Outgoing) -> str:
        """What a redrive would find one of those to be: ``failed``, ``doubtful``, or ``gone`` when that is over."""
        one = dead.message
        message = self._store.get(one.program, one.account, one.name)
        over = message is None or message.phase not in _REDRIVEN or message.facts
        return "gone" if over or message is None else message.phase

    def redrive(self, program: str, account: str, name: str, now: int, *, doubtful: bool = False) -> str:
        """Have one of those tried anew: ``waiting``; ``refused`` when it is too late for it; ``gone`` when there is no
        such message any more. One in doubt only where ``doubtful`` says so, for the member may get it twice; else it
        is left: ``doubtful``.
        """
        dead = self._store.dead_one(program, account, name)
        if dead is None:
            return "gone"
        message = self._store.get(program, account, name)
        if message is None or message.phase not in _REDRIVEN or message.facts:
            self._store.forget_dead(program, account, name)
            return "gone"
        if message.phase == "doubtful" and not doubtful:
            return "doubtful"
        if too_late(message, now):
            self._store.change(message, lambda found: ended(found, "refused", "too_late"))
            self._store.forget_dead(program, account, name)
            return "refused"
        again = self._store.redrive(Outgoing(message, dead.content, dead.due), anew(message), now)
        return "waiting" if again else "gone"

    def returns(self, program: str) -> dict[str, dict[str, int]]:
        """What each channel brought in a programme: sent, opened, clicked, and so on, counted."""
        return self._store.returns(program)

    def note_returns(self, part: int) -> None:
        """Write down what was counted since the last time: one write a programme. What a copy dies with is lost to
        these figures, and to nothing else.
        """
        gained, self._gained = self._gained, {}
        for program, counts in gained.items():
            self._store.add_returns(program, part % keys.RETURN_PARTS, counts)

    def _gain(self, message: Message, fact: str) -> None:
        if message.channel != INBOX:  # what lies there is not sent, so that there are no shares of it
            further = {message.channel: {fact: 1}}
            self._gained[message.program] = added(self._gained.get(message.program, {}), further)


class Dispatch:
    """Hands on what is due. ``send`` puts up to ten on the queue and returns those that it did not take."""

    def __init__(self, store: MessageStore, send: Callable[[list[Handed]], list[Handed]]) -> None:
        self._store = store
        self._send = send

    def run(self, program: str, now: int, wall: int, more_time: Callable[[], bool]) -> int:
        """Hand on what is due in a programme, as long as there is ``more_time``; how many were handed on."""
        return sum(self._shard(program, shard, now, wall, more_time) for shard in range(keys.OUTGOING_SHARDS))

    def _shard(self, program: str, shard: int, now: int, wall: int, more_time: Callable[[], bool]) -> int:
        known = self._store.handing(program, shard)
        again = known.ended and wall - known.ended >= AGAIN_S
        upto, at_end, count, limit = "" if again else known.upto, 0 if again else known.ended, 0, _FIRST_PAGE
        more = True
        while more and more_time():
            found, more = self._store.due(program, shard, now, upto, limit)
            limit = _PAGE
            for first in range(0, len(found), BATCH):
                batch = found[first : first + BATCH]
                failed = self._send(batch)
                count += len(batch) - len(failed)
                if failed:  # the queue has trouble: from here on it is for the next run
                    return count + self._noted(program, shard, known, Handing(upto, at_end))
                upto = keys.outgoing(*batch[-1])[1]
        if not more:
            at_end = at_end or wall
            upto = min(upto, f"{now - SLACK_S:010d}")
        return count + self._noted(program, shard, known, Handing(upto, at_end) if upto else Handing())

    def _noted(self, program: str, shard: int, known: Handing, now: Handing) -> int:
        if now != known:
            self._store.note_handing(program, shard, now)
        return 0


def hand_on(send: Callable[[list[Handed]], list[Handed]], all_of: Iterable[Handed]) -> int:
    """Put them on the queue at once; how many it took. Dispatch finds the others."""
    left, count = list(all_of), 0
    while left:
        batch, left = left[:BATCH], left[BATCH:]
        count += len(batch) - len(send(batch))
    return count


def _with(message: Message, report: Report) -> Message:
    after = told_of(message, report.fact, report.at)
    if after is not message and report.code:
        after = replace(after, code=report.code)
    return after


def _lies(message: Message, now: int) -> bool:
    """Whether it is in the inbox; what was refused, or waits, is not."""
    return message.channel == INBOX and "sent" in message.facts and message.at <= now


def _written(before: Message, after: Message) -> Message:
    return replace(after, revision=before.revision + 1)
