"""Use cases of a campaign's run: what is next, who takes part, what came of it.

Called by the state machine (``plan``, ``assign``, ``measure``, ``finish``) and hourly (``due``). Whatever is delivered
twice, or late, finds in the table what was done, and changes nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from loyalty.campaigns import run
from loyalty.campaigns.campaign import Campaign
from loyalty.campaigns.events import Told
from loyalty.campaigns.occasions import name
from loyalty.campaigns.run import Aside, Batch, Cursor, Participant, Plan, Status
from loyalty.campaigns.store import CampaignStore, Waiting
from loyalty.campaigns.touches import Counts, Entering, Given, Live, Touches
from loyalty.contacts.policy import ContactPolicy
from loyalty.errors import Unavailable
from loyalty.experiments.findings import Look, Measuring, Report
from loyalty.experiments.outcome import outcome
from loyalty.experiments.sums import ArmSums, merged
from loyalty.ledger.chain import Chain, Entry
from loyalty.programs.terms import Program
from loyalty.table import keys
from loyalty.table.writes import Cancelled, ConditionFailed, Contended, Put

MAX_BATCHES: Final = 400
"""Batches of one plan: some 80 KB, and a state machine hands on 256."""
DAY: Final = 86_400
LEG_SECONDS: Final = 300 * DAY
"""An execution waits no longer, for none lasts a year; the next one takes its place."""
MAX_TRIES: Final = 5


class Machine(Struct, frozen=True):
    """The state machine: starts an execution by name with its input, once; calls back one that waits."""

    start: Callable[[str, dict[str, object]], None]
    call_back: Callable[[str], None]


class Measurer(Struct, frozen=True):
    """The statistics, which only whoever finishes a campaign loads."""

    look: Callable[[Measuring, dict[str, ArmSums], int, int], Look]
    report: Callable[[Measuring, dict[str, ArmSums], tuple[Look, ...], bool], Report]
    cancelled: Callable[[Measuring, dict[str, ArmSums], tuple[Look, ...], int], Report]


class Runs:
    """``entries`` reads what was written to a wallet behind an entry's number, oldest first; ``point_cost``
    is what a point of a programme costs, in thousandths of the minor unit; ``bought`` hears how many bought after they
    were told something, by channel.
    """

    def __init__(
        self,
        store: CampaignStore,
        touches: Touches,
        policy: Callable[[str], Program],
        contact_policy: Callable[[str], ContactPolicy],
        entries: Callable[[Chain, int], Iterable[Entry]],
        machine: Machine,
        point_cost: Callable[[str], int],
        bought: Callable[[str, Mapping[str, int], int], None],
    ) -> None:
        self._store = store
        self._touches = touches
        self._policy = policy
        self._contact_policy = contact_policy
        self._entries = entries
        self._machine = machine
        self._point_cost = point_cost
        self._bought = bought

    # What is next

    def plan(self, asked: Plan, now: int) -> Plan:
        """What the machine does after ``asked``, which is done. Executions of an older attempt have nothing to do."""
        status = self._store.status(asked.program, asked.campaign)
        if status is None or not status.at_work or status.attempt != asked.attempt:
            return replace(asked, next="done", batches=[], at=None)
        campaign = self._touches.version(status)
        if asked.next == "measure" and asked.at is not None:
            return self._measure(asked, status, asked.at)
        if status.closing:
            return self._begin_measuring(replace(asked, batches=[], at=None), status, final=True)
        what = self._due(status, campaign, now)
        if what == "assign":
            at = asked.at if asked.at is not None and asked.at.phase == "assign" else Cursor("assign")
            batches, at = self._gather(status, campaign, at)
            if batches:
                return replace(asked, next="assign", batches=batches, at=at)
            status = self._keep(self._gone_through(status, campaign, now))
            what = self._due(status, campaign, now)
        asked = replace(asked, batches=[], at=None)
        if what in ("final", "look"):
            return self._begin_measuring(asked, status, final=what == "final")
        return replace(asked, next="wait")

    def _gone_through(self, status: Status, campaign: Campaign, now: int) -> Status:
        left = self._store.forget_aside(status.program, status.id, status.attempt)
        assigned = status.assigned or (self._day(status, now) if run.gathered(campaign) else 0)
        return replace(status, assigned=assigned, through=status.attempt, missed=status.missed if left else 0)

    def _due(self, status: Status, campaign: Campaign, now: int) -> str:
        """``assign``, ``final``, ``look``; "" when there is nothing to do but wait."""
        if status.through != status.attempt:
            return "assign"
        day, end = self._day(status, now), run.ends(status, campaign)
        if end and day >= end:
            return "final"
        look = run.next_look(status, campaign, self._policy(status.program).day(status.begun))
        return "look" if look and day >= look else ""

    def _waits(self, program: str, campaign: str, attempt: int, now: int) -> bool:
        """Whether an execution of this attempt has nothing to do but wait."""
        status = self._store.status(program, campaign)
        if status is None or not status.running or status.attempt != attempt:
            return False
        return not self._due(status, self._touches.version(status), now)

    def _begin_measuring(self, asked: Plan, status: Status, *, final: bool) -> Plan:
        """Each measurement has sums of its own: another one may cut its batches otherwise."""
        noted = self._keep(replace(status, takes=status.takes + 1))
        begun = replace(asked, next="measure", look=status.looks + 1, final=final)
        return self._measure(begun, noted, Cursor("measure", take=noted.takes))

    def _measure(self, asked: Plan, status: Status, at: Cursor) -> Plan:
        batches: list[Batch] = []
        shard, after = at.shard, at.after
        while shard < keys.PARTICIPANT_SHARDS and len(batches) < MAX_BATCHES:
            found, more = self._store.participant_keys(status.program, status.id, shard, after)
            if found:
                one = Batch(status.program, status.id, status.attempt, "measure", shard, after, found[-1])
                batches.append(replace(one, take=at.take, look=asked.look))
                after = found[-1]
            if not more:
                shard, after = shard + 1, ""
        cursor = Cursor("measure", shard, after, at.take)
        return replace(asked, next="measure" if batches else "finish", batches=batches, at=cursor)

    def _gather(self, status: Status, campaign: Campaign, at: Cursor) -> tuple[list[Batch], Cursor]:
        batches: list[Batch] = []
        if not run.gathered(campaign):
            return batches, at
        shard, after = at.shard, at.after
        while shard < keys.MEMBER_SHARDS and len(batches) < MAX_BATCHES:
            found, more = self._store.audience(status.program, campaign.audience.segment, shard, after)
            if found:
                batches.append(Batch(status.program, status.id, status.attempt, "assign", shard, after, found[-1]))
                after = found[-1]
            if not more:
                shard, after = shard + 1, ""
        return batches, Cursor("assign", shard, after)

    def wait(self, asked: Plan, token: str, now: int, world: int) -> None:
        """Note who is to be called back; at once, when there is nothing to wait for any more."""
        self._store.keep_waiting(asked.program, asked.campaign, Waiting(asked.attempt, token, world))
        if not self._waits(asked.program, asked.campaign, asked.attempt, now):
            self._machine.call_back(token)

    def set_aside(self, batch: Batch, why: str, now: int) -> None:
        """Note a batch that went wrong as a whole. One that was to be measured is missing in its groups."""
        if batch.phase == "measure":
            arms: dict[str, ArmSums] = {}
            status = self._store.status(batch.program, batch.campaign)
            campaign = self._touches.version(status) if status is not None else None
            for one in self._store.participants(batch):
                if status is not None and campaign is not None and self._counts(status, campaign, one, now):
                    arms.setdefault(one.group, ArmSums()).missing += 1
            self._store.put_sums(batch, arms)
        whole = Aside(batch.phase, f"{batch.shard:02d}.{batch.to}", why, now, batch.attempt, batch.after)
        self._store.set_aside(batch.program, batch.campaign, whole)

    # Who takes part

    def assign(self, batch: Batch, now: int) -> tuple[Counts, bool]:
        """Enter a batch of a frozen audience, and whether they are to be touched at once, for the hour has come. An
        older attempt, and a campaign that is paused or over, enters nobody. Once all have been assigned, a later
        attempt takes in those alone who were set aside. Birthdays and anniversaries of a pause are made up for.
        """
        counts = Counts()
        live = self._live(batch)
        if live is None:
            return counts, False
        campaign, program = live.campaign, self._policy(batch.program)
        day = program.day(now)
        known: dict[str, list[Participant]] = {}
        for one in self._store.participants(batch):
            known.setdefault(one.account, []).append(one)
        closed = campaign.audience.frozen and live.status.assigned > 0
        missing = self._store.left_aside(batch) if closed else None
        for account in self._store.between(batch, campaign.audience.segment):
            if missing is not None and account not in known and not missing(account):
                continue
            counts.looked += 1
            try:
                if campaign.audience.frozen:
                    entry = Entering(account, name(campaign, day), {}, tuple(known.get(account, ())))
                    self._touches.enter(live, entry, now, counts, timer=True)
                else:
                    self._touches.arm_occasions(batch.program, account, [live], now, counts, since=live.status.missed)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one member, the others take part
                self._touches.aside(batch, "assign", account, error, now)
                counts.aside += 1
        return counts, self._touches.hour_has_come(batch.program, now)

    def touch(self, batch: Batch, now: int) -> Counts:
        """Touch those of a batch who take part."""
        counts = Counts()
        live = self._live(batch)
        if live is None:
            return counts
        known = self._touches.live(batch.program)
        for one in self._store.participants(batch):
            if not one.treated:
                continue
            counts.looked += 1
            try:
                self._touches.touch(batch.program, one.account, now, counts, known)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - as above; the member's timer comes tomorrow
                self._touches.aside(batch, "touch", one.account, error, now)
                counts.aside += 1
        self._touches.hand_on()
        return counts

    def _live(self, batch: Batch) -> Live | None:
        status = self._store.status(batch.program, batch.campaign)
        if status is None or not status.running or status.attempt != batch.attempt:
            return None
        return Live(status, self._touches.version(status))

    # What came of it

    def measure(self, batch: Batch, now: int) -> Counts:
        """Sum up what a batch did within its windows. Those whose window is not over are left for a later look; of a
        campaign that was cancelled there is none, and they count with what they did so far.
        """
        counts = Counts()
        status = self._store.status(batch.program, batch.campaign)
        if status is None or status.attempt != batch.attempt:
            return counts
        campaign, program = self._touches.version(status), self._policy(batch.program)
        arms: dict[str, ArmSums] = {}
        ones = [one for one in self._store.participants(batch) if self._measured(status, campaign, one, now)]
        told = self._given(campaign, [one for one in ones if one.treated], program.day(now))
        for one in ones:
            counts.looked += 1
            sums = arms.setdefault(one.group, ArmSums())
            try:
                chain = Chain(batch.program, one.account, program.wallets[0])
                found = outcome(self._entries(chain, one.number), one.at, one.at + campaign.window_days * DAY)
                given = told(one) if one.treated else None
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - who cannot be read is missing in the group; the others are not
                self._touches.aside(batch, "measure", one.account, error, now)
                counts.aside += 1
                sums.missing += 1
                continue
            if given is None:
                sums.count(found)
            else:
                sums.count(found, given.points, given.messages, given.blocked, given.reached, given.fates)
        self._store.put_sums(batch, arms)
        return counts

    def _counts(self, status: Status, campaign: Campaign, one: Participant, now: int) -> bool:
        """As below; whoever cannot be read may be what the batch failed for, and is missing."""
        try:
            return self._measured(status, campaign, one, now)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - whatever is wrong with one member, the others are counted
            return True

    def _measured(self, status: Status, campaign: Campaign, one: Participant, now: int) -> bool:
        over = not campaign.audience.enter or one.at + campaign.window_days * DAY <= now
        return (over or status.closing) and self._first(campaign, one)

    def _given(self, campaign: Campaign, ones: list[Participant], day: int) -> Callable[[Participant], Given]:
        """What each came to: read together, or, where one of them cannot be read, each alone."""
        try:
            together = self._touches.given(campaign, ones, day)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - whoever it is is found when each is read alone
            return lambda one: self._touches.given(campaign, [one], day)[0]
        known = {(one.account, one.occasion): given for one, given in zip(ones, together, strict=True)}
        return lambda one: known[one.account, one.occasion]

    def _first(self, campaign: Campaign, one: Participant) -> bool:
        """Whether it is the member's first time. Any other is in the same group, overlaps with it, and may have come
        about because of it: it would count one member as two.
        """
        if campaign.repeat == "once":
            return True
        times = self._store.occasions(campaign.program, campaign.id, one.account)
        return min((other.at, other.occasion) for other in times) == (one.at, one.occasion)

    def finish(self, plan: Plan, measurer: Measurer, now: int) -> Report | None:
        """Report on a look; after the last one the campaign is finished. Of one that was cancelled, report what it did
        until then. None when that is done already.
        """
        status = self._store.status(plan.program, plan.campaign)
        if status is None or not status.at_work or status.attempt != plan.attempt or status.looks >= plan.look:
            return None
        if plan.at is None:
            return None
        campaign = self._touches.version(status)
        day = self._day(status, now)
        arms = merged(self._store.sums(plan.program, plan.campaign, plan.at.take))
        policy = self._contact_policy(plan.program)
        measuring = Measuring(
            campaign.metric,
            campaign.currency,
            campaign.window_days,
            tuple(one.id for one in campaign.variants) or ("treated",),
            looks=run.looks_planned(campaign),
            smallest=campaign.smallest,
            margin_permille=campaign.margin_permille,
            point_cost=campaign.point_cost or self._point_cost(plan.program),
            message_costs=dict(policy.costs),
        )
        for group in (*measuring.variants, "control"):
            arms.setdefault(group, ArmSums())
        before = tuple(self._looks(plan.program, plan.campaign))
        if status.closing:
            on = self._policy(plan.program).day(status.cancelled)
            return self._close(plan, status, measurer.cancelled(measuring, arms, before, on), day)
        looks = before if plan.final else (*before, measurer.look(measuring, arms, plan.look, day))
        report = measurer.report(measuring, arms, looks, plan.final)
        harmed = campaign.stops.harm and bool(looks) and looks[-1].effect.verdict == "harmful"
        after = replace(status, looks=plan.look, looked=day)
        further = [self._store.report_put(plan.program, plan.campaign, plan.look, _json(report), day)]
        if plan.final or harmed:
            after = run.finished(after, now, "harm" if harmed and not plan.final else "")
            further.append(self._store.told_put(told("finished", after, now)))
        self._stored(after, further)
        if plan.final or harmed:
            told_and_bought = merged([{"all": sums} for sums in arms.values()])["all"].bought
            self._bought(plan.program, told_and_bought, day)
        return report

    def _close(self, plan: Plan, status: Status, report: Report, day: int) -> Report:
        put = self._store.report_put(plan.program, plan.campaign, plan.look, _json(report), day)
        self._stored(run.closed(status, plan.look, day), [put])
        return report

    def _stored(self, after: Status, further: list[Put]) -> None:
        try:
            self._store.write(after, *further)
        except (ConditionFailed, Cancelled, Contended):
            raise Unavailable("STORAGE_UNAVAILABLE", "Another was first", retry_after=1) from None

    def _looks(self, program: str, campaign: str) -> list[Look]:
        found: list[Look] = []
        for _, body in self._store.reports(program, campaign):
            report = msgspec.json.decode(body, type=Report)
            found = [*report.looks]
        return found

    # The hour

    def due(self, program: str, now: int, world: int) -> int:
        """Begin what is scheduled, start what should run, call back whoever waits in vain; how many were seen to."""
        done, known = 0, {status.id for status in self._store.live(program)}
        for status in self._store.all(program):
            one: Status | None = status
            if status.state in run.LIVE and status.id not in known:  # begun before there was a list of those under way
                one = status = self._note(status) or status
            if status.state == "scheduled" and self._begins(status, now):
                one = self._note(run.begun(status, now), "started")
                done += 1
            if one is not None and one.at_work:
                done += self.drive(one, now, world)
        return done

    def alive(self, program: str, now: int) -> tuple[int, int]:
        """How many campaigns of a programme run or are to begin, and how many of them are at work at this moment: their
        execution does not wait, or not for a time that is still to come.
        """
        live = busy = 0
        for status in self._store.all(program):
            live += status.at_work or status.state == "scheduled"
            if status.at_work:
                waiting = any(one.attempt == status.attempt for one in self._store.waiting(program, status.id))
                busy += not (waiting and self._waits(program, status.id, status.attempt, now))
        return live, busy

    def drive(self, status: Status, now: int, world: int) -> int:
        """Have an execution run for a campaign that is at work, and call back one that waits when its time has come."""
        waiting = self._store.waiting(status.program, status.id)
        since = max((one.since for one in waiting if one.attempt == status.attempt), default=world)
        leg = since // DAY if world - since > LEG_SECONDS else 0
        start: dict[str, object] = {"program": status.program, "campaign": status.id, "attempt": status.attempt}
        if status.at_work:
            self._machine.start(run.execution_name(status, leg), start)
        called = 0
        for one in waiting:
            if not self._waits(status.program, status.id, one.attempt, now):
                self._machine.call_back(one.token)
                self._store.called_back(status.program, status.id, one)
                called += 1
        return called

    def _begins(self, status: Status, now: int) -> bool:
        campaign = self._touches.version(status)
        day = self._day(status, now)
        return day >= campaign.calendar.first

    def _day(self, status: Status, now: int) -> int:
        return self._policy(status.program).day(now)

    def _keep(self, after: Status) -> Status:
        """The status as it is after a change. Unavailable when another was first: who asks again hears what is next."""
        noted = self._note(after)
        if noted is None:
            raise Unavailable("STORAGE_UNAVAILABLE", "Another was first", retry_after=1)
        return noted

    def _note(self, after: Status, what: str = "") -> Status | None:
        """The status as it is after a change; None when another was first."""
        further = [self._store.told_put(told(what, after, after.at))] if what else []
        try:
            return self._store.write(after, *further)
        except (ConditionFailed, Cancelled, Contended):
            return None


def told(what: str, status: Status, now: int) -> Told:
    return Told(what, status.program, status.id, status.runs, status.attempt, now, status.why)


def _json(report: Report) -> str:
    return msgspec.json.encode(report).decode()
