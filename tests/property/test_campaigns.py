"""Ways through campaigns under days in any order, days that come twice, pauses and refusals; draws, and birthdays."""

from collections import Counter
from datetime import UTC, date, datetime
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loyalty.campaigns import journey as ways
from loyalty.campaigns import occasions, touch
from loyalty.campaigns.assignment import arm
from loyalty.campaigns.campaign import Calendar, Campaign, Span, Variant
from loyalty.campaigns.journey import TAKEN
from loyalty.campaigns.preview import Contact, foresee
from loyalty.contacts.policy import Cap, ContactPolicy
from loyalty.contacts.preferences import Preferences
from loyalty.contacts.record import Record
from loyalty.segments.facts import Subject
from tests.unit.campaigned import DAY, REACHED, ZONE, Days, campaign, ends_with, points, step, subject, way

CONDITIONS = ("", "", "", "journey.purchased", "NOT journey.purchased", "journey.messages >= 1", "member.points > 0")
NAMES = ("first", "second", "third")


@st.composite
def campaigns(draw: st.DrawFn, name: str = "hello", *, within: bool = True) -> Campaign:
    days = sorted(draw(st.lists(st.integers(0, 12), min_size=1, max_size=6)))
    steps = [
        step(
            f"s{number}",
            day,
            draw(st.sampled_from(CONDITIONS)),
            templates={"": f"{name}{number}"} if draw(st.booleans()) or number == 0 else {},
            offer=points(10 + number) if draw(st.booleans()) else None,
            within=draw(st.sampled_from((-1, -1, 0, 2))) if within else -1,
            silent=draw(st.booleans()),
        )
        for number, day in enumerate(days)
    ]
    first = draw(st.integers(0, 10))
    excepted = draw(st.sampled_from(((), (Span(DAY + first, DAY + first + 2),))))
    return campaign(
        *steps,
        id=name,
        priority=draw(st.integers(0, 3)),
        calendar=Calendar(excepted=excepted),
        stops=ends_with(purchased=draw(st.booleans()), budget=draw(st.booleans())),
    )


POLICIES = st.sampled_from((ContactPolicy(caps=()), ContactPolicy(caps=(Cap("", 1, 2),)), ContactPolicy()))
PREFERENCES = st.sampled_from((REACHED, Preferences(), Preferences(reached=("sms",), consents={"sms": True})))


@given(
    st.lists(campaigns(), min_size=1, max_size=3),
    st.lists(st.integers(0, 40), max_size=60),
    POLICIES,
    PREFERENCES,
    st.integers(0, 40),
    st.integers(0, 2**32),
)
def test_in_whatever_order_days_come_each_step_is_taken_at_most_once_and_passed_once(
    drawn: list[Campaign], order: list[int], policy: ContactPolicy, preferences: Preferences, bought: int, seed: int
) -> None:
    chance = Random(seed)
    found = [replace(one, id=name) for one, name in zip(drawn, NAMES, strict=False)]
    days = Days(*(way(one) for one in found), policy=policy, preferences=preferences)

    def who(day: int) -> Subject:
        return subject(1, DAY + bought, points=5) if day >= bought else subject(points=5)

    for day in [*order, *range(60)]:
        one = chance.choice(found).id
        if chance.random() < 0.2:
            days.change(one, state=chance.choice(("running", "paused")))
        days.touch(DAY + day, who(day), {one: "budget"} if chance.random() < 0.05 else {})
    for known in found:
        days.change(known.id, state="running")
    for day in range(60, 120):
        days.touch(DAY + day, who(day))
    assert max(Counter(each.reference for _, each in days.done).values(), default=1) == 1
    for known in found:
        journey = days.journey(known.id)
        assert journey.status in ("done", "stopped")
        noted = [each.step for each in journey.noted]
        assert noted == [each.id for each in known.steps][: len(noted)]
        assert journey.status == "stopped" or len(noted) == len(known.steps)
        taken = [each.day for each in journey.noted if each.came in TAKEN]
        assert len(set(taken)) == len(taken)
        assert ways.decode(known.id, "1", ways.encode(journey), 0) == journey


@given(campaigns(within=False), st.sets(st.integers(0, 30)))
def test_a_pause_loses_nothing_and_brings_nothing_forward(drawn: Campaign, paused: set[int]) -> None:
    one = replace(drawn, stops=ends_with(purchased=False))
    who = subject(points=5)
    straight, halting = Days(way(one)), Days(way(one))
    for day in range(80):
        straight.touch(DAY + day, who)
        halting.change("hello", state="paused" if day in paused else "running")
        assert not (halting.touch(DAY + day, who) and day in paused)
    assert [name for _, name in halting.said()] == [name for _, name in straight.said()]
    assert all(late >= early for (late, _), (early, _) in zip(halting.said(), straight.said(), strict=True))
    assert halting.journey().status == straight.journey().status == "done"


@given(st.tuples(*map(campaigns, NAMES)), POLICIES, PREFERENCES, st.integers(0, 5))
def test_what_a_preview_says_is_what_happens(
    drawn: tuple[Campaign, ...], policy: ContactPolicy, preferences: Preferences, begin: int
) -> None:
    found = [way(one) for one in drawn]
    who = subject(points=5)
    said, missed = foresee(found, who, Contact(Record(), preferences, policy), DAY + begin, DAY + 60, _ten)
    days = Days(*found, policy=policy, preferences=preferences)
    for day in range(begin, 61):
        days.touch(DAY + day, who)
    happened = [(day, one.campaign, one.step, one.channel, one.send_at) for day, one in days.done]
    assert [(one.day, one.campaign, one.step, one.channel, one.send_at) for one in said] == happened
    assert [(one.day, one.campaign, one.step, one.why) for one in missed] == [
        (day, one.campaign, one.step, one.why) for day, one in days.left
    ]


def _ten(day: int) -> int:
    return int(datetime.fromordinal(day).replace(hour=10, tzinfo=ZoneInfo(ZONE)).timestamp())


@given(campaigns(), st.lists(st.integers(0, 30), min_size=1, max_size=12))
def test_a_way_sees_to_a_day_the_same_whatever_was_seen_to_twice(one: Campaign, twice: list[int]) -> None:
    who = subject(points=5)
    once, often = Days(way(one)), Days(way(one))
    for day in range(60):
        once.touch(DAY + day, who)
        for _ in range(1 + twice.count(day)):
            often.touch(DAY + day, who)
    assert once.journey() == often.journey()
    assert once.said() == often.said()


@given(campaigns())
def test_the_next_timer_is_never_later_than_the_next_thing_to_do(one: Campaign) -> None:
    daily, timed = Days(way(one)), Days(way(one))
    who = subject(points=5)
    for day in range(60):
        daily.touch(DAY + day, who)
    day = DAY
    while day:
        timed.touch(day, who)
        assert not timed.next or timed.next > day
        day = timed.next
    assert daily.said() == timed.said()
    assert daily.journey() == timed.journey()


@given(
    st.integers(0, 10**6),
    st.integers(0, 5_000),
    st.lists(st.integers(1, 10_000), max_size=5).filter(lambda shares: sum(shares) <= 10_000),
    st.integers(0, 50),
)
def test_a_member_is_in_one_group_on_every_occasion(number: int, control: int, shares: list[int], holdout: int) -> None:
    rest = 10_000 - sum(shares)
    all_of_it = [*shares, *([rest] if rest else [])]
    variants = tuple(Variant(f"v{place}", share) for place, share in enumerate(all_of_it))
    one = campaign(step("hello", 0), control=control, variants=variants, repeat="yearly")
    drawn = {arm(one, f"mem_{number}", holdout) for _ in range(3)}
    assert len(drawn) == 1
    (found,) = drawn
    assert (found.group == "treated") == (found.variant in {variant.id for variant in variants})


@given(st.dates(date(1920, 1, 1), date(2025, 12, 31)), st.integers(2024, 2140), st.booleans())
def test_a_birthday_falls_on_one_day_of_each_year_and_never_before_the_28th(
    born: date, year: int, with_year: bool
) -> None:
    written = born.isoformat() if with_year else born.isoformat()[5:]
    first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
    days = [day for day in range(first, last + 1) if occasions.falls_on("birthday", written, 0, day)]
    assert len(days) == 1
    at = date.fromordinal(days[0])
    assert (at.month, at.day) == (born.month, born.day) or ((born.month, born.day), (at.month, at.day)) == (
        (2, 29),
        (2, 28),
    )
    assert occasions.next_birthday(written, days[0] - 1) == days[0]


@given(st.dates(date(1990, 1, 1), date(2040, 12, 31)), st.integers(0, 20_000))
def test_whole_years_are_told_on_each_anniversary(enrolled: date, later: int) -> None:
    at = occasions.next_anniversary(enrolled.toordinal(), enrolled.toordinal() + later)
    assert at > enrolled.toordinal() + later
    years = occasions.years(enrolled.toordinal(), at)["years"]
    assert isinstance(years, int)
    assert years >= 1
    assert at - (enrolled.toordinal() + later) <= 366 or later == 0


ZONES = st.sampled_from(
    ("UTC", "Europe/Berlin", "Asia/Shanghai", "America/Los_Angeles", "Pacific/Kiritimati", "Pacific/Pago_Pago",
     "Australia/Lord_Howe", "Asia/Kathmandu")
)  # fmt: skip


@given(st.datetimes(datetime(2024, 1, 1), datetime(2032, 12, 31)), ZONES, ZONES)  # noqa: DTZ001 - made aware below
def test_an_occasion_has_one_name_in_the_programmes_zone_however_the_moment_is_written(
    moment: datetime, zone: str, writer: str
) -> None:
    at = moment.replace(microsecond=0, tzinfo=UTC)
    ends = at.astimezone(ZoneInfo(writer)).isoformat()
    detail = {"points": 5, "wallet": "points", "ending": [{"points": 5, "ends_at": ends}]}
    told = occasions.told("points.expiring", detail, zone)
    assert told["date"] == at.astimezone(ZoneInfo(zone)).toordinal()
    yearly = campaign(step("hello", 0), repeat="yearly", timezone=zone)
    assert occasions.name(yearly, told["date"]) == f"{at.astimezone(ZoneInfo(zone)).year}"


@given(ZONES, st.integers(9, 20), st.integers(0, 400))
def test_an_hour_of_the_campaign_is_that_hour_on_days_that_clocks_change(zone: str, hour: int, ahead: int) -> None:
    first = date(2026, 1, 1).toordinal() + ahead
    one = campaign(step("hello", 0), calendar=Calendar(hour=hour), timezone=zone)
    plan = touch.plan([way(one, first)], subject(), first)
    (proposal,) = plan.proposals
    local = datetime.fromtimestamp(proposal.candidate.not_before, ZoneInfo(zone))
    assert (local.toordinal(), local.hour, local.minute) == (first, hour, 0)
