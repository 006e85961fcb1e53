"""One decision over all candidates, whatever the days, zones and orders: caps, priorities, quiet hours, repetition."""

import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from loyalty.campaigns import offers
from loyalty.campaigns.campaign import Offer
from loyalty.contacts import policy as policies
from loyalty.contacts import record as records
from loyalty.contacts.decide import REASONS, Candidate, Verdict, barred, decide
from loyalty.contacts.policy import OPT_IN, OPT_OUT, Cap, ContactPolicy, OfferGuard
from loyalty.contacts.preferences import ADDRESSED, CHANNELS, Preferences, decode, encode
from loyalty.contacts.record import Record
from tests.property.profile import examples

DAY = 86_400
START = int(datetime(2026, 3, 20, tzinfo=UTC).timestamp())
"""A few days before most clocks of the northern hemisphere change."""
ZONES = (
    "UTC",
    "Asia/Shanghai",
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "America/St_Johns",
    "Africa/Casablanca",
    "Antarctica/Troll",  # two hours of it
    "America/Santiago",  # the clock jumps at midnight
)
CAMPAIGNS = ("birthday", "spring", "summer", "winback")

hours = st.integers(0, 1439).map(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}")
mostly = st.sampled_from((True, True, True, False))
caps = st.builds(Cap, st.sampled_from(("", "", *CHANNELS)), st.integers(0, 4), st.integers(1, 31))
contact_policies = st.builds(
    ContactPolicy,
    caps=st.lists(caps, max_size=4).map(tuple),
    quiet_from=hours,
    quiet_until=hours,
    offer_guard=st.none() | st.builds(OfferGuard, st.integers(0, 500), st.integers(1, 92)),
    consent=st.dictionaries(st.sampled_from(CHANNELS), st.sampled_from((OPT_IN, OPT_OUT))),
)
channel_sets = st.lists(st.sampled_from(CHANNELS), unique=True, max_size=4).map(tuple)
members = st.builds(
    Preferences,
    timezone=st.sampled_from(("", *ZONES)),
    consents=st.fixed_dictionaries({}, optional=dict.fromkeys(CHANNELS, mostly)),
    dead=st.dictionaries(st.sampled_from(CHANNELS), st.just("bounced"), max_size=2),
    order=channel_sets,
    quiet=st.none() | st.tuples(hours, hours),
    per_week=st.none() | st.integers(0, 5),
    reached=st.sampled_from((tuple(sorted(ADDRESSED)), tuple(sorted(ADDRESSED)), ("email",), ())),
)
candidates = st.builds(
    Candidate,
    campaign=st.sampled_from(CAMPAIGNS),
    occasion=st.sampled_from(("1", "2026")),
    step=st.sampled_from(("hello", "again")),
    priority=st.integers(0, 3),
    channels=channel_sets,
    digest=st.integers(0, 60).map(str),
    service=mostly.map(lambda one: not one),
    offer_points=st.sampled_from((0, 0, 50, 200)),
    offer_times=st.sampled_from((0, 0, 0, 1_500, 7_000)),
    not_before=st.sampled_from((0, 0, 0, 0, START + 5 * DAY)),
    until=st.sampled_from((0, 0, 0, 0, START + 6 * DAY)),
    silent=st.booleans(),
)
crowds = st.lists(candidates, max_size=8)
moments = st.integers(START, START + 250 * DAY)
runs = st.lists(st.tuples(st.integers(0, 3 * DAY), crowds), min_size=1, max_size=12)


def local(moment: int, zone: str) -> datetime:
    return datetime.fromtimestamp(moment, ZoneInfo(zone))


def quiet(moment: int, zone: str, hours_: tuple[str, str]) -> bool:
    begins, ends = hours_
    at = local(moment, zone).strftime("%H:%M")
    return begins <= at < ends if begins <= ends else at >= begins or at < ends


def sent(verdicts: Iterable[Verdict]) -> list[Verdict]:
    return [one for one in verdicts if not one.blocked]


@settings(max_examples=examples(2))
@given(runs, members, contact_policies, st.sampled_from(ZONES), st.randoms(use_true_random=False))
def test_no_cap_and_no_guard_is_ever_exceeded_over_any_run_of_days(
    run: list[tuple[int, list[Candidate]]],
    member: Preferences,
    policy: ContactPolicy,
    timezone: str,
    chance: random.Random,
) -> None:
    record, now = Record(), START
    zone = member.timezone or timezone
    went: list[tuple[int, Verdict]] = []
    offered: list[tuple[int, int]] = []
    contents: set[object] = set()
    for later, crowd in run:
        now += later
        chance.shuffle(crowd)
        verdicts, record = decide(crowd, record, member, policy, timezone, now)
        record = records.decode(records.encode(record), record.version + 1)  # as it is stored between days
        for one in verdicts:
            day = local(one.send_at or now, zone).toordinal()
            if not one.blocked:
                candidate = one.candidate
                named = (candidate.digest, *([candidate.campaign, candidate.occasion, candidate.step]
                                             if candidate.service else []))  # fmt: skip
                assert named not in contents, "the same content twice"
                contents.add(named)
                if not candidate.service:
                    went.append((day, one))
            guard = policy.offer_guard or OfferGuard(0, 0)
            depth = one.candidate.offer_points + ceil(one.candidate.offer_times * guard.multiplier_day / 1_000)
            if one.offer and not one.candidate.service and depth:
                offered.append((local(now, zone).toordinal(), depth))
    limits = [*policy.caps, *([Cap("", member.per_week, 7)] if member.per_week is not None else [])]
    for cap in limits:
        days = sorted(day for day, one in went if cap.channel in ("", one.channel))
        for first in days:
            assert sum(first <= day < first + cap.days for day in days) <= cap.count, cap
    if policy.offer_guard is not None:
        for first, _ in offered:
            span = range(first, first + policy.offer_guard.days)
            assert sum(points for day, points in offered if day in span) <= policy.offer_guard.points


@given(crowds, members, contact_policies, st.sampled_from(ZONES), moments, st.randoms(use_true_random=False))
def test_every_candidate_has_one_verdict_whatever_the_order_they_come_in(
    crowd: list[Candidate],
    member: Preferences,
    policy: ContactPolicy,
    timezone: str,
    now: int,
    chance: random.Random,
) -> None:
    verdicts, record = decide(crowd, Record(), member, policy, timezone, now)
    assert Counter(one.candidate for one in verdicts) == Counter(crowd)
    for one in verdicts:
        assert one.blocked == "" or one.blocked in REASONS
        assert (one.channel == "") == (one.send_at == 0) == (one.blocked != "")
        assert one.channel in ("", *one.candidate.channels)
        assert not (one.inbox and one.blocked)
        assert not (one.offer and one.blocked and not one.candidate.silent)
    shuffled = crowd[:]
    chance.shuffle(shuffled)
    assert decide(shuffled, Record(), member, policy, timezone, now) == (verdicts, record)


@given(crowds, members, contact_policies, st.sampled_from(ZONES), moments)
def test_nothing_goes_out_in_place_of_something_higher_that_could_have_gone(
    crowd: list[Candidate], member: Preferences, policy: ContactPolicy, timezone: str, now: int
) -> None:
    verdicts, _ = decide(crowd, Record(), member, policy, timezone, now)
    priorities = [one.candidate.priority for one in verdicts]
    assert priorities == sorted(priorities, reverse=True)
    for place, one in enumerate(verdicts):
        # Take away all that is lower: what is decided of the higher is the same.
        above, _ = decide([each.candidate for each in verdicts[: place + 1]], Record(), member, policy, timezone, now)
        assert above == verdicts[: place + 1]
        if one.blocked in ("cap", "cap_own", "cap_channel"):
            higher = [each for each in sent(verdicts[:place]) if not each.candidate.service]
            full = min(
                cap.count for cap in (*policy.caps, Cap("", 99 if member.per_week is None else member.per_week, 7))
            )
            assert higher or full == 0, "a cap was full, and nothing higher had gone"


@given(moments, st.sampled_from(ZONES), hours, hours, st.booleans())
@example(int(datetime(2026, 3, 29, 0, 30, tzinfo=UTC).timestamp()), "Europe/Berlin", "01:00", "02:30", False)
@example(int(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()), "Europe/Berlin", "23:00", "02:30", False)
@example(int(datetime(2026, 10, 3, 13, 0, tzinfo=UTC).timestamp()), "Australia/Lord_Howe", "22:00", "02:15", True)
@example(int(datetime(2026, 9, 6, 3, 50, tzinfo=UTC).timestamp()), "America/Santiago", "21:00", "00:30", False)
def test_nothing_is_sent_in_quiet_hours_by_the_members_clock_and_no_later_than_it_must(
    now: int, zone: str, begins: str, ends: str, own: bool
) -> None:
    other = ContactPolicy(caps=(), quiet_from="00:00", quiet_until="00:00")
    policy = other if own else replace(other, quiet_from=begins, quiet_until=ends)
    member = Preferences(timezone=zone, quiet=(begins, ends) if own else None)
    candidate = Candidate("spring", "1", "hello", 1, ("inbox",), "a")
    (verdict,), _ = decide([candidate], Record(), member, policy, "UTC", now)
    assert not quiet(verdict.send_at, zone, (begins, ends))
    if not quiet(now, zone, (begins, ends)):
        assert verdict.send_at == now
    else:
        assert now < verdict.send_at <= now + 27 * 3600
        between = range(now - now % 60 + 60, verdict.send_at, 60)
        awake = [minute for minute in between if not quiet(minute, zone, (begins, ends))]
        # A clock that jumps over the end of the quiet hours may cost as much as it jumped.
        assert len(awake) <= 120, len(awake)


@given(crowds, members, contact_policies, st.sampled_from(ZONES), moments)
def test_consent_dead_channels_and_addresses_hold_for_all_that_goes(
    crowd: list[Candidate], member: Preferences, policy: ContactPolicy, timezone: str, now: int
) -> None:
    verdicts, _ = decide(crowd, Record(), member, policy, timezone, now)
    for one in sent(verdicts):
        for channel in (one.channel, *(["inbox"] if one.inbox else [])):
            assert barred(channel, member, policy, service=one.candidate.service) == ""
            assert channel not in member.dead
            assert channel in member.reached or channel not in ADDRESSED
            said = member.consents.get(channel, policy.consent.get(channel) == OPT_OUT)
            assert said or one.candidate.service
        usable = [each for each in member.order if each in one.candidate.channels and each != "inbox"]
        if usable and one.candidate.service and not barred(usable[0], member, policy, service=True):
            assert one.channel == usable[0], "the member's own order goes first"
        assert not one.candidate.until or one.send_at < one.candidate.until
        assert one.send_at >= max(now, one.candidate.not_before)


@given(members, contact_policies)
def test_what_is_stored_reads_as_it_was(member: Preferences, policy: ContactPolicy) -> None:
    agreed = member.said({"sms": True, "email": False}, 5, "cli_1").said({"sms": False}, 6, "member")
    assert decode(encode(agreed), agreed.version) == agreed
    whole = replace(policy, consent={**policies.DEFAULT_CONSENT, **policy.consent})
    assert policies.decode(policies.encode(whole), whole.version) == whole


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(CHANNELS)), max_size=60), st.integers(0, 45),
       st.integers(1, 31), st.sampled_from(("", "sms", "email")))  # fmt: skip
def test_a_count_is_the_fullest_span_around_a_day(
    days: list[tuple[int, str]], day: int, span: int, channel: str
) -> None:
    record = Record(tuple(records.Sent(each, name, "c", "d") for each, name in days))
    spans = [range(first, first + span) for first in range(day - span + 1, day + 1)]
    fullest = max(sum(each in one and channel in ("", name) for each, name in days) for one in spans)
    assert record.count(channel, day, span) == fullest


def test_two_campaigns_and_a_birthday_on_one_day_and_the_preview_said_so_before() -> None:
    """The highest goes out, the caps hold, and what was foreseen the day before is what happens."""
    policy = ContactPolicy(caps=(Cap("", 1, 1), Cap("", 2, 7)))
    member = Preferences(timezone="Asia/Shanghai", consents={"sms": True, "wechat": True}, reached=("sms", "wechat"))
    birthday = Candidate("birthday", "2026", "wish", 90, ("wechat", "inbox"), "wish-2026", offer_points=200)
    spring = Candidate("spring", "1", "hello", 50, ("sms",), "spring-hello")
    winback = Candidate("winback", "e1", "miss", 70, ("sms", "inbox"), "winback-miss", offer_points=300)
    nine = int(datetime(2026, 11, 11, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp())

    foreseen, _ = decide([spring, birthday, winback], Record(), member, policy, "UTC", nine)
    happened, record = decide([winback, spring, birthday], Record(), member, policy, "UTC", nine)
    assert happened == foreseen
    assert [(one.candidate.campaign, one.channel, one.inbox, one.blocked) for one in happened] == [
        ("birthday", "wechat", True, ""),
        ("winback", "", False, "cap"),
        ("spring", "", False, "cap"),
    ]
    assert [one.offer for one in happened] == [True, False, False], "no offer that nobody is told of"
    assert [(one.campaign, one.reason) for one in record.left_out] == [("winback", "cap"), ("spring", "cap")]

    again, record = decide([winback, spring], record, member, policy, "UTC", nine + DAY)
    assert [(one.candidate.campaign, one.blocked) for one in again] == [("winback", ""), ("spring", "cap")]
    later, _ = decide([spring], record, member, policy, "UTC", nine + 2 * DAY)
    assert later[0].blocked == "cap", "two in seven days are enough"
    at_last, _ = decide([spring], record, member, policy, "UTC", nine + 7 * DAY)
    assert at_last[0].blocked == ""


def test_a_notice_that_is_owed_goes_whatever_caps_and_consents_say_but_not_at_night() -> None:
    policy = ContactPolicy(caps=(Cap("", 0, 1),))
    member = Preferences(consents=dict.fromkeys(CHANNELS, False), reached=("email",))
    owed = Candidate("expiring", "7", "notice", 1, ("email", "inbox"), "same words", service=True)
    night = int(datetime(2026, 5, 1, 23, 30, tzinfo=UTC).timestamp())
    (first,), record = decide([owed], Record(), member, policy, "UTC", night)
    assert (first.channel, first.inbox) == ("email", True)
    assert local(first.send_at, "UTC") == datetime(2026, 5, 2, 9, 0, tzinfo=UTC)
    next_month = replace(owed, occasion="8")
    (second,), record = decide([next_month], record, member, policy, "UTC", night + 30 * DAY)
    assert second.blocked == "", "the same words, and another notice"
    (third,), _ = decide([next_month], record, member, policy, "UTC", night + 31 * DAY)
    assert third.blocked == "repeated"


def test_what_is_owed_uses_up_no_cap() -> None:
    policy = ContactPolicy(caps=(Cap("", 1, 1),))
    crowd = [
        Candidate("expiring", "7", "notice", 9, ("inbox",), "notice", service=True),
        Candidate("spring", "1", "hello", 1, ("inbox",), "hello"),
    ]
    verdicts, _ = decide(crowd, Record(), Preferences(), policy, "UTC", START + 43_200)
    assert [one.blocked for one in verdicts] == ["", ""]


def test_a_member_who_wants_two_a_week_gets_two() -> None:
    member, record = Preferences(per_week=2), Record()
    sent_on = []
    for day in range(21):
        candidate = Candidate("spring", str(day), "hello", 1, ("inbox",), str(day))
        now = START + 43_200 + day * DAY
        (verdict,), record = decide([candidate], record, member, ContactPolicy(caps=()), "UTC", now)
        sent_on += [] if verdict.blocked else [day]
    assert sent_on == [0, 1, 7, 8, 14, 15]


def test_of_a_closed_channel_and_a_capped_one_the_nearest_reason_is_told() -> None:
    policy = ContactPolicy(caps=(Cap("sms", 0, 7),))
    member = Preferences(consents={"sms": True}, reached=("sms", "push"), dead={"push": "disabled"})
    reasons = {
        ("email",): "no_address",
        ("push", "email"): "dead",
        ("push", "wecom", "inbox"): "",
        ("sms", "push"): "cap_channel",
        (): "no_channel",
    }
    for channels, reason in reasons.items():
        candidate = Candidate("spring", "1", "hello", 1, channels, "a")
        (verdict,), _ = decide([candidate], Record(), member, policy, "UTC", START + 43_200)
        assert verdict.blocked == reason, channels


def test_a_record_of_years_stays_small_and_still_caps() -> None:
    policy = ContactPolicy(caps=(Cap("sms", 2, 7),), offer_guard=OfferGuard(10_000, 92))
    member = Preferences(consents={"sms": True, "email": True}, reached=("sms", "email"))
    record, now = Record(), START
    counts: Counter[str] = Counter()
    for step in range(1_500):
        now += DAY // 2
        crowd = [
            Candidate("a", str(step), "s", 2, ("sms",), f"sms-{step}", offer_points=10),
            Candidate("b", str(step), "s", 1, ("email",), f"email-{step}", offer_points=10),
        ]
        verdicts, record = decide(crowd, record, member, policy, "UTC", now)
        counts.update(one.channel for one in sent(verdicts))
    assert counts["email"] == 1_500
    assert abs(counts["sms"] - 2 * (750 // 7)) <= 2
    assert len(str(records.encode(record))) < 40_000
    assert timedelta(days=(record.sent[-1].day - record.sent[0].day)) < timedelta(days=records.KEPT_DAYS)


def test_the_last_second_the_last_day_of_a_guard_and_the_members_own_order() -> None:
    noon = START + 43_200
    member = Preferences(consents={"sms": True, "email": True}, reached=("sms", "email"), order=("email", "sms"))

    def one(candidate: Candidate, record: Record, now: int) -> tuple[Verdict, Record]:
        policy = ContactPolicy(caps=(), offer_guard=OfferGuard(100, 7))
        (verdict,), after = decide([candidate], record, member, policy, "UTC", now)
        return verdict, after

    plain = Candidate("spring", "1", "hello", 1, ("sms", "email"), "a")
    assert one(plain, Record(), noon)[0].channel == "email"
    assert one(replace(plain, until=noon), Record(), noon)[0].blocked == "too_late"
    assert one(replace(plain, until=noon + 1), Record(), noon)[0].blocked == ""
    _, record = one(replace(plain, offer_points=60), Record(), noon)
    again = replace(plain, digest="b", offer_points=60)
    assert one(again, record, noon + 6 * DAY)[0].blocked == "offer_guard"
    assert one(again, record, noon + 7 * DAY)[0].blocked == ""


def test_a_multiplier_counts_for_a_guard_by_its_times_and_days() -> None:
    week = offers.times(Offer("multiply", {"multiply": 2_500, "days": 7}))
    assert (week, offers.times(Offer("points", {"points": 50})), offers.times(None)) == (10_500, 0, 0)
    tripled = Candidate("spring", "1", "hello", 1, ("sms",), "a", offer_times=week)
    member = Preferences(consents={"sms": True}, reached=("sms",))

    def blocked(points: int, multiplier_day: int) -> str:
        policy = ContactPolicy(caps=(), offer_guard=OfferGuard(points, 92, multiplier_day))
        (verdict,), _ = decide([tripled], Record(), member, policy, "UTC", START + 43_200)
        return verdict.blocked

    assert [blocked(10, 1), blocked(11, 1)] == ["offer_guard", ""]
    assert [blocked(104, 10), blocked(105, 10), blocked(0, 0)] == ["offer_guard", "", ""]
