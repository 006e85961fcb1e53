"""Use cases of one member: to come into a campaign, and to be told what is due.

A touch reads all of a member's ways and decides once over everything that is due: so nobody is told two things where
one was allowed. What is given is written first, under a reference of its own; then one transaction takes the ways on,
and has in it what was sent and the messages themselves. A copy that ends between the two is followed by one that finds
what was given, and goes on. Nothing here happens twice.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct, field
from msgspec.structs import replace

from loyalty.campaigns import occasions, touch, words
from loyalty.campaigns.assignment import arm, refused
from loyalty.campaigns.campaign import OCCASIONS, Campaign, State, Told
from loyalty.campaigns.journey import Journey, begun
from loyalty.campaigns.preview import (
    MAX_DAYS,
    Contact,
    Outlook,
    Purse,
    before_start,
    begins,
    born,
    coming,
    enrolled,
    foresee,
)
from loyalty.campaigns.run import Aside, Batch, Participant, Status
from loyalty.campaigns.store import CampaignStore, Side
from loyalty.campaigns.touch import Action, Way
from loyalty.contacts.decide import Candidate, Verdict, decide
from loyalty.contacts.policy import ContactPolicy
from loyalty.contacts.record import Record
from loyalty.errors import Corrupt, Problem, Unavailable
from loyalty.ledger.chain import Chain
from loyalty.members.member import Member
from loyalty.notifications.message import (
    INBOX,
    KEPT_S,
    UNSUBSCRIBE_PLACEHOLDER,
    Bought,
    Content,
    Handed,
    Message,
    Notice,
    name_of,
)
from loyalty.programs.terms import Program
from loyalty.segments.facts import Subject
from loyalty.table.writes import Cancelled, ConditionFailed, Contended, Put
from loyalty.templates.rendering import render
from loyalty.templates.template import UNSUBSCRIBE
from loyalty.timers.timer import Timer

KIND: Final = "campaign"
OCCASION: Final = "occasion"
MAX_TRIES: Final = 8
KNOWN_S: Final = 30
"""How long a running copy goes by what it knows of ways in."""
SOON_MINUTES: Final = 15
"""So long before the contact hour it counts as come: what is put now might be too late for the night that reads it."""
_OPENED: Final = frozenset({"journey.opened", "journey.clicked"})
_DELIVERED: Final = frozenset({"delivered", "opened", "clicked", "complained"})
_RETURNED: Final = frozenset({"returned", "bounced"})
KEPT_DAYS: Final = KEPT_S // 86_400
FORGOTTEN: Final = ("sent",)
"""What is taken to have become of one that the table keeps no more: almost all were sent, and a campaign that is always
on must not seem to cost less every year.
"""
_SENT: Final = frozenset({"sent"}) | _DELIVERED | _RETURNED
_UNREACHED: Final = frozenset({"no_channel", "no_address", "dead"})


Sides = tuple[dict[str, Side], dict[str, dict[str, list[Participant]]]]
"""What decides what members are told, and who of them takes part in which campaign."""


class Known(Struct, frozen=True):
    """What is known of a member: what conditions ask, the segments, and the number of the wallet's last entry."""

    subject: Subject
    standing: Collection[str]
    number: int


class Sources(Struct, frozen=True):
    """What touches read and do in other features. ``give`` gives an action's offer, and returns why it was refused;
    ``puts`` are a message's writes; ``heard`` are the steps whose messages were opened, and whose links were followed.
    """

    policy: Callable[[str], Program]
    contact_policy: Callable[[str], ContactPolicy]
    known: Callable[[str, str, int], Known | None]
    known_all: Callable[[str, Sequence[str], int], dict[str, Known]]
    together: "Callable[[Callable[[], dict[str, Known]], Callable[[], Sides]], tuple[dict[str, Known], Sides]]"
    member: Callable[[str, str], Member | None]
    arm: Callable[[Timer], None]
    give: Callable[[str, str, Action, int], str]
    puts: Callable[[Message, Content, int], list[Put]]
    hand_on: Callable[[list[Handed]], None]
    heard: Callable[[str, str], tuple[Mapping[str, frozenset[str]], Mapping[str, frozenset[str]]]]
    unreachable: Callable[[str, str, Notice, str, int], None]
    ranked: Callable[[str, tuple[str, ...]], tuple[str, ...]]
    """A programme's channels, that first which has brought most."""
    messages: Callable[[str, Sequence[tuple[str, str]]], dict[tuple[str, str], Message]]
    """Messages of a programme by (account, name), those that were sent or tried."""
    tell: Callable[[str, str, str], None]
    """Hears of (programme, step, reason) for each member that is set aside."""


class Live(Struct, frozen=True):
    """A campaign that is under way, as it runs."""

    status: Status
    campaign: Campaign


class Entering(Struct, frozen=True):
    """Who comes in, on which occasion, by what; ``before`` are the occasions that there were. The way begins on
    ``day``, 0 for the day of coming in.
    """

    account: str
    occasion: str
    told: Mapping[str, Told]
    before: tuple[Participant, ...]
    day: int = 0


class Counts(Struct):
    """What became of a batch: members looked at, taken in, told, given something, left out, set aside."""

    looked: int = 0
    entered: int = 0
    kept_out: int = 0
    sent: int = 0
    given: int = 0
    left_out: int = 0
    aside: int = 0


class Given(Struct):
    """What one way came to."""

    points: int = 0
    messages: dict[str, int] = field(default_factory=dict)
    blocked: dict[str, int] = field(default_factory=dict)
    reached: bool = False
    fates: dict[str, int] = field(default_factory=dict)


class Touches:
    """One copy of it knows the versions of campaigns that it has read; they never change."""

    def __init__(self, store: CampaignStore, sources: Sources) -> None:
        self._store = store
        self._from = sources
        self._versions: dict[tuple[str, str, int], Campaign] = {}
        self._awaited: dict[str, tuple[int, frozenset[str]]] = {}
        self._handed: list[Handed] = []

    # Campaigns

    def live(self, program: str) -> dict[str, Live]:
        """All campaigns that are scheduled, running or paused at this moment."""
        found = self._store.live(program)
        return {status.id: Live(status, self._ranked(self.version(status))) for status in found}

    def awaits(self, program: str, way: str, now: int) -> bool:
        """Whether a campaign that runs has this way in, as was known at most ``KNOWN_S`` before ``now``: most
        purchases bring nobody in, and cost no read.
        """
        read, ways = self._awaited.get(program, (0, frozenset[str]()))
        if not 0 <= now - read < KNOWN_S:
            ways = frozenset(one.campaign.audience.enter for one in self.live(program).values() if one.status.running)
            self._awaited[program] = now, ways
        return way in ways

    def _ranked(self, campaign: Campaign) -> Campaign:
        """With the channels that have brought most before the others, for whoever has no order of channels."""
        if len(campaign.channels) < 2:
            return campaign
        return replace(campaign, channels=self._from.ranked(campaign.program, campaign.channels))

    def version(self, status: Status, version: int = 0) -> Campaign:
        """The campaign as it runs; before a start the newest version."""
        return self.of_version(status.program, status.id, version or status.runs or status.version)

    def of_version(self, program: str, campaign: str, version: int) -> Campaign:
        key = (program, campaign, version)
        if key not in self._versions:
            found = self._store.version(*key)
            if found is None:
                raise Corrupt("a campaign's version is missing")
            self._versions[key] = found[0]
        return self._versions[key]

    def hour_has_come(self, program: str, now: int) -> bool:
        """Whether the night that touches members on this day may have begun."""
        at = datetime.fromtimestamp(now, ZoneInfo(self._from.policy(program).timezone))
        return at.hour * 60 + at.minute >= self._from.contact_policy(program).contact_hour * 60 - SOON_MINUTES

    # Coming in

    def happened(
        self, program: str, account: str, event: str, told: Mapping[str, Told], at: int, now: int, counts: Counts
    ) -> None:
        """Take a member into every campaign that this event is the way into, and tell what is due at once. ``at`` is
        the moment of the event.
        """
        policy, entered = self._from.policy(program), False
        live = self.live(program)
        for one in live.values():
            if one.status.running and one.campaign.audience.enter == event:
                entered = self._come_in(one, account, policy.day(at), told, now, counts) or entered
        if event in ("member.enrolled", "member.changed"):
            here = [one for one in live.values() if one.status.running and one.campaign.audience.enter in OCCASIONS]
            entered = self.arm_occasions(program, account, here, now, counts) or entered
        if entered:
            self.touch(program, account, now, counts, live)

    def _come_in(
        self,
        live: Live,
        account: str,
        day: int,
        told: Mapping[str, Told],
        now: int,
        counts: Counts,
        *,
        timer: bool = False,
    ) -> bool:
        campaign = live.campaign
        before = tuple(self._store.occasions(campaign.program, campaign.id, account))
        # A day of the year is that day, however late it is noticed: a wish for the day itself is not for another.
        on = day if campaign.audience.enter in OCCASIONS else 0
        entry = Entering(account, occasions.name(campaign, day, told), told, before, on)
        return self.enter(live, entry, now, counts, timer=timer)

    def enter(self, live: Live, entry: Entering, now: int, counts: Counts, *, timer: bool) -> bool:
        """Assign a member once, and begin the way of whoever is told something; whether there is one. With ``timer`` it
        is looked at when the hour comes, or tomorrow.
        """
        campaign, status, account = live.campaign, live.status, entry.account
        day = self._from.policy(campaign.program).day(now)
        there = self._there(live, entry, day, now, counts)
        if there is None or not there.treated:
            return False
        journey = begun(
            self.of_version(campaign.program, campaign.id, there.version),
            Journey(
                campaign.id,
                entry.occasion,
                there.version,
                there.variant,
                there.day,
                number=there.number,
                purchases=there.purchases,
                last=there.last,
                spend=there.spend,
                told=there.told,
            ),
        )
        self._store.begin(campaign.program, account, journey)
        if timer and journey.due:
            first = day + 1 if self.hour_has_come(status.program, now) else day
            self._arm(status.program, account, KIND, max(journey.due, first))
        return True

    def _there(self, live: Live, entry: Entering, day: int, now: int, counts: Counts) -> Participant | None:
        """Who takes part on an occasion, before or from now on. Where it hangs on the occasions before, and another
        copy has the member take part on one of them at the same time, this one looks again. Unavailable when others are
        always first.
        """
        campaign = live.campaign
        for _ in range(MAX_TRIES):
            there = next((one for one in entry.before if one.occasion == entry.occasion), None)
            if there is not None:
                return there
            try:
                return self._assign(live, entry, day, now, counts)
            except (ConditionFailed, Contended):
                before = self._store.occasions(campaign.program, campaign.id, entry.account)
                entry = replace(entry, before=tuple(before))
        raise Unavailable("STORAGE_UNAVAILABLE", "Others are always first", retry_after=1)

    def _assign(self, live: Live, entry: Entering, day: int, now: int, counts: Counts) -> Participant | None:
        campaign, account = live.campaign, entry.account
        program = campaign.program
        known = self._from.known(program, account, now)
        if known is None:
            return None
        earlier = occasions.days(campaign, (one.occasion for one in entry.before))
        on = next(iter(occasions.days(campaign, [entry.occasion])), 0)
        if refused(campaign, known.subject, known.standing, day, entry.told, earlier, on):
            counts.left_out += 1
            return None
        drawn = arm(campaign, account, self._from.contact_policy(program).holdout_percent)
        state = known.subject.state
        one = Participant(
            account,
            entry.occasion,
            drawn.group,
            drawn.variant,
            live.status.runs,
            entry.day or day,
            now,
            known.number,
            state.purchases,
            state.last,
            state.total.spend,
            entry.told,
        )
        times = len(entry.before) if campaign.repeat == "after_days" else None
        found = self._store.put_participant(program, campaign.id, one, times)
        if found.treated:
            counts.entered += 1
        else:
            counts.kept_out += 1
        return found

    # Days of the year

    def arm_occasions(
        self,
        program: str,
        account: str,
        campaigns: Collection[Live],
        now: int,
        counts: Counts,
        day: int = 0,
        since: int = 0,
    ) -> bool:
        """Have a member looked at on the next of the days that these campaigns begin on; who has it today (or on
        ``day``), or has had it from the day ``since`` on, comes in. Whether anybody did.
        """
        member = self._from.member(program, account)
        if member is None or not campaigns:
            return False
        policy = self._from.policy(program)
        enrolled, born = policy.day(member.enrolled), member.attributes.get("birthday")
        today, entered, following = day or policy.day(now), False, 0
        for one in campaigns:
            kind = one.campaign.audience.enter
            if at := occasions.fell_on(kind, born, enrolled, max(since or today, enrolled), today):
                told = occasions.years(enrolled, at) if kind == "anniversary" else {}
                entered = self._come_in(one, account, at, told, now, counts, timer=not day) or entered
            ahead = (
                occasions.next_birthday(born, today)
                if kind == "birthday"
                else occasions.next_anniversary(enrolled, today)
            )
            following = min(following or ahead, ahead) if ahead else following
        if following:
            self._arm(program, account, OCCASION, following)
        return entered

    def occasion(
        self, program: str, account: str, day: int, now: int, counts: Counts, live: Mapping[str, Live]
    ) -> None:
        """What a timer of a day of the year brings: whoever comes in is told with all else that is due on that day."""
        here = [one for one in live.values() if one.status.running and one.campaign.audience.enter in OCCASIONS]
        if self.arm_occasions(program, account, here, now, counts, day):
            self._arm(program, account, KIND, day)

    # Being told

    def touch(self, program: str, account: str, now: int, counts: Counts, live: Mapping[str, Live]) -> None:
        """Tell a member what is due, give what goes with it, and have the next day noted. Unavailable when others are
        always first.
        """
        for _ in range(MAX_TRIES):
            side = self._store.side(program, account)
            try:
                after = self._once(program, account, side, now, counts, live)
            except (Cancelled, ConditionFailed, Contended):
                continue
            day = self._from.policy(program).day(now)
            following = touch.next_day(after, day)
            if following:
                self._arm(program, account, KIND, following)
            return
        raise Unavailable("STORAGE_UNAVAILABLE", "Others are always first", retry_after=1)

    def _once(
        self, program: str, account: str, side: Side, now: int, counts: Counts, live: Mapping[str, Live]
    ) -> list[Journey]:
        policy = self._from.policy(program)
        day = policy.day(now)
        running = [one for one in side.journeys if one.running]
        if not any(one.due and one.due <= day for one in running):
            return running
        known = self._from.known(program, account, now)
        if known is None:
            return []
        plan = touch.plan(self._ways(program, account, running, live), known.subject, day)
        contact = self._from.contact_policy(program)

        def decided(candidates: tuple[Candidate, ...]) -> tuple[tuple[Verdict, ...], Record]:
            return decide(candidates, side.record, side.preferences, contact, policy.timezone, now)

        verdicts, record = decided(plan.candidates)
        actions = touch.actions(plan, verdicts)
        member = known.subject.member
        language = side.preferences.language or (member.language if member else "")
        worded = {one.name: self._messages(program, account, one, language, now) for one in actions if one.channel}
        if chosen := touch.chosen(plan, actions):
            plan = touch.kept(plan, self._store.go_on(program, account, chosen, None, []))
        refusals: dict[tuple[str, str], str] = {}
        for action in actions:
            if action.offer is not None and (why := self._from.give(program, account, action, now)):
                refusals[action.way] = why
        if refusals:
            more, record = decided(touch.remaining(plan, verdicts, refusals))
            verdicts, actions = (*verdicts, *more), touch.actions(plan, more)
        settled = touch.settle(plan, verdicts, day, refusals)
        messages = [
            one
            for action in actions
            if action.channel
            for one in worded.get(action.name) or self._messages(program, account, action, language, now)
        ]
        puts = [put for message, content, due in messages for put in self._from.puts(message, content, due)]
        changed = (side.record, record) if record != side.record else None
        self._store.go_on(program, account, settled.journeys, changed, puts)
        self._handed += [
            Handed(program, account, due, message.name)
            for message, _, due in messages
            if message.channel != INBOX and due <= now
        ]
        counts.sent += len([one for one in actions if one.channel])
        counts.given += len([one for one in actions if one.offer is not None])
        counts.left_out += len(settled.left)
        self._cannot_be_told(program, account, running, verdicts, now)
        by_key = {(one.campaign, one.occasion): one for one in running}
        by_key |= {(one.campaign, one.occasion): one for one in settled.journeys}
        return [*by_key.values()]

    def hand_on(self) -> None:
        """Have what is due sent at once. What is not handed on here is found by whoever looks for it."""
        if self._handed:
            handed, self._handed = self._handed, []
            self._from.hand_on(handed)

    def _over(self, program: str, campaign: str) -> State:
        """How a campaign stands that is not among those under way. It is asked, for its ways end by this for good."""
        status = self._store.status(program, campaign)
        return status.state if status is not None else "cancelled"

    def _ways(self, program: str, account: str, running: list[Journey], live: Mapping[str, Live]) -> list[Way]:
        campaigns = [self.of_version(program, one.campaign, one.version) for one in running]
        opened: Mapping[str, frozenset[str]] = {}
        clicked: Mapping[str, frozenset[str]] = {}
        if any(_OPENED & one.mentioned for one in campaigns):
            opened, clicked = self._from.heard(program, account)
        return [
            Way(
                campaign,
                journey,
                live[campaign.id].status.state if campaign.id in live else self._over(program, campaign.id),
                opened.get(f"{campaign.id}.{journey.occasion}", frozenset()),
                clicked.get(f"{campaign.id}.{journey.occasion}", frozenset()),
            )
            for campaign, journey in zip(campaigns, running, strict=True)
        ]

    def _messages(
        self, program: str, account: str, action: Action, language: str, now: int
    ) -> list[tuple[Message, Content, int]]:
        """(message, in words, when it is due) of an action, and of its copy in the inbox."""
        template = self.of_version(program, action.campaign, action.version).templates[action.template]
        leads, values = words.linked(action.variables, {one.name for one in template.variables if one.type == "link"})
        notice = _notice(action.told)
        main = Message(
            program=program,
            account=account,
            name=action.name,
            channel=action.channel,
            campaign=action.campaign,
            occasion=action.occasion,
            step=action.step,
            variant=action.variant,
            template=action.template,
            version=action.version,
            service=action.service,
            at=now,
            until=action.until,
            channels=action.channels,
            notice=notice,
            links=tuple(leads.values()),
            bought=None if action.bought is None else Bought(*action.bought),
        )
        found = [main]
        if action.inbox and action.channel != INBOX:
            copied = name_of(action.campaign, action.occasion, action.step, INBOX)
            found.append(replace(main, name=copied, channel=INBOX))
        worded = []
        for one in found:
            said = render(template, one.channel, language, {**values, UNSUBSCRIBE: UNSUBSCRIBE_PLACEHOLDER})
            data = {key: str(value) for key, value in said.data.items()}
            content = Content(said.subject, said.text, said.html, data, said.language)
            worded.append((one, content, action.send_at))
        return worded

    def _cannot_be_told(
        self, program: str, account: str, running: list[Journey], verdicts: tuple[Verdict, ...], now: int
    ) -> None:
        """Points last until their owner was told, where that is promised; nobody waits for one who cannot be."""
        for one in verdicts:
            journey = next((it for it in running if (it.campaign, it.occasion) == _way(one)), None)
            notice = _notice(journey.told) if journey is not None else None
            if one.blocked in _UNREACHED and notice is not None:
                name = name_of(one.candidate.campaign, one.candidate.occasion, one.candidate.step)
                self._from.unreachable(program, account, notice, name, now)

    # What is ahead

    def outlooks(
        self,
        campaign: Campaign,
        shards: Mapping[int, Sequence[str]],
        day: int,
        now: int,
        live: Mapping[str, Live],
        purse: Purse | None = None,
    ) -> list[Outlook]:
        """What is ahead of members from a day on: by this campaign, all others that they are in, and those that the
        calendar brings meanwhile. They are named by shard, and there in order. Nothing is written, and there is no read
        for each of them. Of who is no member there is nothing. ``purse`` is how far the campaign's budget reaches,
        where it does not for all.
        """
        program, accounts = campaign.program, [one for found in shards.values() for one in found]
        asked = [campaign.id, *live]

        def sides() -> Sides:
            parts: dict[str, dict[str, list[Participant]]] = {name: {} for name in asked}
            for name, found in parts.items():
                for shard, there in shards.items():
                    found |= self._store.taking_part(program, name, shard, there)
            ways = {
                account: [(name, one.occasion) for name, found in parts.items() for one in found.get(account, ())]
                for account in accounts
            }
            return self._store.sides(program, ways), parts

        known, (found, parts) = self._from.together(lambda: self._from.known_all(program, accounts, now), sides)
        ranked, looked = self._ranked(campaign), []
        for account in accounts:
            if account in known:
                before = {name: there.get(account, []) for name, there in parts.items()}
                its = known[account], found[account]
                looked.append(self._ahead(ranked, account, *its, before, day, now, live, purse))
        return looked

    def _ahead(
        self,
        campaign: Campaign,
        account: str,
        known: Known,
        side: Side,
        before: Mapping[str, list[Participant]],
        day: int,
        now: int,
        live: Mapping[str, Live],
        purse: Purse | None,
    ) -> Outlook:
        contact = Contact(side.record, side.preferences, self._from.contact_policy(campaign.program), now)
        running = [one for one in side.journeys if one.running]
        ways = self._ways(campaign.program, account, running, live)
        ways += self._coming(campaign, account, known, contact, day, live, before)
        subject = known.subject
        own = next((one for one in running if one.campaign == campaign.id), None)
        occasion = own.occasion if own is not None else occasions.name(campaign, day)
        there = next((one for one in before[campaign.id] if one.occasion == occasion), None)
        if there is not None:
            last = day + min(campaign.days, MAX_DAYS)
            foreseen, missed = foresee(ways, subject, contact, day, last, budget=(campaign.id, purse))
            return Outlook(account, there.arm, there.variant, "", foreseen, missed)
        enter, told = campaign.audience.enter, dict[str, Told]()
        if enter in OCCASIONS:
            if not occasions.falls_on(enter, born(subject), enrolled(subject), day):
                known_day = occasions.next_day(enter, born(subject), enrolled(subject), day)
                return Outlook(account, "", out="calendar" if known_day else "unknown_day")
            told = occasions.years(subject.enrolled, day) if enter == "anniversary" else {}
        standing = known.standing
        earlier = occasions.days(campaign, (one.occasion for one in before[campaign.id]))
        return before_start(
            campaign,
            account,
            subject,
            standing,
            contact,
            day,
            others=ways,
            told=told,
            earlier=earlier,
            purse=purse,
        )

    def _coming(
        self,
        campaign: Campaign,
        account: str,
        known: Known,
        contact: Contact,
        first: int,
        live: Mapping[str, Live],
        before: Mapping[str, list[Participant]],
    ) -> list[Way]:
        """The ways of other campaigns that begin for a member within the days that an outlook looks at."""
        found: list[Way] = []
        last = first + min(campaign.days + touch.TRIED_DAYS, MAX_DAYS)
        for one in live.values():
            other, state = one.campaign, one.status.state
            if other.id == campaign.id or state not in ("scheduled", "running"):
                continue
            if other.audience.enter not in OCCASIONS and state != "scheduled":
                continue
            there = {taken.occasion for taken in before[other.id]}
            for day in begins(other, known.subject, first, last):
                way = coming(other, account, known.subject, known.standing, contact, day)
                if way is not None and way.journey.occasion not in there:
                    found.append(way)
        return found

    # What came of it

    def given(self, campaign: Campaign, ones: Sequence[Participant], day: int) -> list[Given]:
        """What the ways of participants came to by a day, in their order, for who measures it: two reads for a
        hundred. Each by the version that it began with.
        """
        program = campaign.program
        named = [(one.account, campaign.id, one.occasion) for one in ones]
        ways = self._store.ways(program, named)
        messages = self._from.messages(
            program,
            [
                (account, name_of(campaign.id, occasion, noted.step))
                for (account, _, occasion), way in zip(named, ways, strict=True)
                for noted in (way.noted if way is not None else ())
                if noted.came == "sent"
            ],
        )
        return [self._came_to(campaign, one, way, messages, day) for one, way in zip(ones, ways, strict=True)]

    def _came_to(
        self,
        campaign: Campaign,
        one: Participant,
        way: Journey | None,
        messages: Mapping[tuple[str, str], Message],
        day: int,
    ) -> Given:
        found = Given()
        if way is not None:
            campaign = self.of_version(campaign.program, campaign.id, way.version)
        for noted in way.noted if way is not None else ():
            step = campaign.step(noted.step)
            if noted.offered and step is not None and step.offer is not None:
                found.points += step.offer.numbers.get("points", 0)
                found.reached = True
            if noted.came == "sent":
                message = messages.get((one.account, name_of(campaign.id, one.occasion, noted.step)))
                fates = FORGOTTEN if message is None and day - noted.day >= KEPT_DAYS else fates_of(message)
                for fate in ("decided", *fates):
                    found.fates[fate] = found.fates.get(fate, 0) + 1
                if "sent" in fates:
                    found.messages[noted.channel] = found.messages.get(noted.channel, 0) + 1
                    found.reached = True
            elif noted.came in ("blocked", "late"):
                found.blocked[noted.why] = found.blocked.get(noted.why, 0) + 1
        return found

    def aside(self, batch: Batch, step: str, account: str, error: Exception, now: int) -> None:
        """Note a member of a batch that could not be seen to, and why."""
        why = reason(error)
        self._store.set_aside(batch.program, batch.campaign, Aside(step, account, why, now, batch.attempt))
        self._from.tell(batch.program, step, why)

    def _arm(self, program: str, account: str, kind: str, day: int) -> None:
        self._from.arm(Timer(Chain(program, account, self._from.policy(program).wallets[0]), kind, day))


def reason(error: Exception) -> str:
    """Why somebody was set aside, without anything that is known of them."""
    if isinstance(error, Problem):
        return error.code
    return "CORRUPT" if isinstance(error, Corrupt) else type(error).__name__


def fates_of(message: Message | None) -> tuple[str, ...]:
    """What became of a message that was decided on, by ``FATES``. There is none of what nobody has tried to send."""
    if message is None:
        return ("waiting",)
    if not _SENT.isdisjoint(message.facts):
        told = ("delivered",) if not _DELIVERED.isdisjoint(message.facts) else ()
        return ("sent", *told, *(("returned",) if not _RETURNED.isdisjoint(message.facts) else ()))
    if message.phase in ("refused", "failed") or "rejected" in message.facts:
        return ("failed",)
    return ("doubtful",) if message.phase == "doubtful" else ("waiting",)


def _notice(told: Mapping[str, object]) -> Notice | None:
    """What the ledger is to hear of, where that was promised."""
    upto, decays, number = (int(str(told.get(name, 0))) for name in ("upto", "decays", "number"))
    return Notice(str(told["wallet"]), upto, number, decays) if upto or decays else None


def _way(verdict: Verdict) -> tuple[str, str]:
    return verdict.candidate.campaign, verdict.candidate.occasion
