"""A member's way through campaigns: which step is taken on which day, what is left out, and why."""

import pytest

from loyalty.campaigns import journey as ways
from loyalty.campaigns import touch, words
from loyalty.campaigns.campaign import Audience, Calendar, Offer, Span
from loyalty.campaigns.journey import Journey, Noted
from loyalty.contacts.policy import Cap, ContactPolicy, OfferGuard
from loyalty.contacts.preferences import Preferences
from loyalty.templates.template import Variable
from tests.unit.campaigned import (
    DAY,
    FREE,
    Days,
    at,
    campaign,
    ends_with,
    points,
    step,
    subject,
    template,
    way,
)

THREE = campaign(step("hello", 0), step("more", 3), step("last", 10))
ONE_A_DAY = ContactPolicy(caps=(Cap("", 1, 1),))


def through(days: Days, first: int = 0, last: int = 20) -> Days:
    for day in range(first, last + 1):
        days.touch(DAY + day)
    return days


def test_each_step_is_taken_on_its_day() -> None:
    days = through(Days(way(THREE)))
    assert days.said() == [(0, "hello"), (3, "more"), (10, "last")]
    assert days.journey().status == "done"
    assert days.journey().due == 0
    assert [one.came for one in days.journey().noted] == ["sent"] * 3


def test_the_next_timer_is_the_next_step_and_none_when_all_is_done() -> None:
    days = Days(way(THREE))
    days.touch(DAY)
    assert days.next == DAY + 3
    days.touch(DAY + 3)
    assert days.next == DAY + 10
    days.touch(DAY + 10)
    assert days.next == 0


def test_a_day_that_is_seen_to_twice_takes_no_step_twice() -> None:
    days = Days(way(THREE))
    for day in (0, 0, 1, 3, 3, 3, 2, 10, 10):
        days.touch(DAY + day)
    assert days.said() == [(0, "hello"), (3, "more"), (10, "last")]


def test_what_is_late_is_still_said_and_no_two_steps_on_one_day() -> None:
    days = through(Days(way(THREE)), 12, 20)
    assert days.said() == [(12, "hello"), (13, "more"), (14, "last")]


def test_a_step_that_says_until_when_it_makes_sense_is_passed_over_after_that() -> None:
    wish = campaign(step("wish", 0, within=0), step("more", 5))
    days = through(Days(way(wish)), 1, 6)
    assert days.said() == [(5, "more")]
    assert days.missed() == [(1, "wish", "late")]
    assert days.journey().noted[0] == Noted("wish", DAY + 1, "late", "late")


def test_a_message_is_not_sent_from_the_end_of_its_last_day_on() -> None:
    wish = campaign(step("wish", 0, within=1))
    (action,) = Days(way(wish)).touch(DAY)
    assert action.until == at(DAY + 2, 0)
    (action,) = Days(way(campaign(step("wish", 0)))).touch(DAY)
    assert action.until == 0


def test_of_the_steps_of_one_day_the_first_that_is_so_is_taken() -> None:
    one = campaign(step("hello", 0), step("thanks", 3, "journey.purchased"), step("come", 3), step("last", 10))
    assert through(Days(way(one))).said() == [(0, "hello"), (3, "come"), (10, "last")]
    days = Days(way(one))
    days.touch(DAY)
    days.touch(DAY + 3, subject(purchases=1, last=DAY + 2))
    assert days.said() == [(0, "hello"), (3, "thanks")]
    assert days.journey().noted[-1] == Noted("come", DAY + 3, "skipped", ways.ALTERNATIVE)
    assert days.journey().due == DAY + 10


def test_a_step_whose_condition_is_not_true_is_skipped_for_good() -> None:
    one = campaign(step("hello", 0), step("more", 3, "member.points >= 100"))
    days = through(Days(way(one)), 0, 3)
    assert days.missed() == [(3, "more", "condition")]
    days.touch(DAY + 4, subject(points=500))
    assert days.said() == [(0, "hello")]


@pytest.mark.parametrize(
    ("condition", "opened", "clicked", "taken"),
    [
        ("journey.opened", {"hello"}, set(), True),
        ("journey.opened", set(), set(), False),
        ("journey.clicked", {"hello"}, set(), False),
        ("journey.clicked", {"hello"}, {"hello"}, True),
        ("journey.messages = 1 AND journey.day = 3", set(), set(), True),
        ("journey.offered", set(), set(), False),
        ("journey.variant = 'a'", set(), set(), True),
    ],
)
def test_conditions_know_what_became_of_messages(
    condition: str, opened: set[str], clicked: set[str], taken: bool
) -> None:
    one = campaign(step("hello", 0, templates={"": "hello"}), step("more", 3, condition))
    days = Days(way(one, variant="a"))
    days.touch(DAY)
    days.change("hello", opened=frozenset(opened), clicked=frozenset(clicked))
    assert bool(days.touch(DAY + 3)) is taken


def test_what_was_bought_before_is_not_bought_since() -> None:
    one = campaign(step("hello", 0), step("thanks", 3, "journey.purchased AND journey.spend >= 20"))
    days = Days(way(one, purchases=4, last=DAY - 1, spend=9_000))
    days.touch(DAY, subject(4, DAY - 1, 9_000))
    assert days.touch(DAY + 3, subject(4, DAY - 1, 9_000)) == []
    days = Days(way(one, purchases=4, last=DAY - 1, spend=9_000))
    days.touch(DAY, subject(4, DAY - 1, 9_000))
    (action,) = days.touch(DAY + 3, subject(5, DAY + 1, 11_000))
    assert action.step == "thanks"


def test_a_purchase_counts_though_another_came_back_meanwhile() -> None:
    one = campaign(step("hello", 0), step("thanks", 3, "journey.purchased"))
    days = Days(way(one, purchases=4, last=DAY - 1))
    assert [each.step for each in days.touch(DAY + 3, subject(4, DAY + 1))] == ["hello"]
    assert [each.step for each in days.touch(DAY + 4, subject(4, DAY + 1))] == ["thanks"]


def test_a_campaign_that_ends_with_a_purchase_says_no_more() -> None:
    one = campaign(step("hello", 0), step("more", 3), stops=ends_with(purchased=True))
    days = Days(way(one))
    days.touch(DAY)
    days.touch(DAY + 3, subject(1, DAY + 1))
    assert days.said() == [(0, "hello")]
    assert (days.journey().status, days.journey().why) == ("stopped", "purchased")
    assert days.missed() == [(3, "", "purchased")]


@pytest.mark.parametrize("state", ["cancelled", "finished"])
def test_a_campaign_that_is_over_says_no_more(state: str) -> None:
    days = Days(way(THREE, state=state))
    assert days.touch(DAY) == []
    assert (days.journey().status, days.journey().why) == ("stopped", "ended")


def test_a_closed_account_is_told_nothing() -> None:
    days = Days(way(THREE))
    assert days.touch(DAY, subject(status="closed")) == []
    assert days.journey().why == "closed"


def test_a_pause_loses_nothing() -> None:
    days = through(Days(way(THREE)), 0, 2)
    days.change("hello", state="paused")
    through(days, 3, 11)
    assert days.next == DAY + 12
    days.change("hello", state="running")
    through(days, 12, 15)
    assert days.said() == [(0, "hello"), (12, "more"), (13, "last")]
    assert {why for _, _, why in days.missed()} == {"paused"}


def test_nothing_goes_out_on_days_that_are_excepted() -> None:
    calendar = Calendar(excepted=(Span(DAY + 2, DAY + 5),))
    one = campaign(step("hello", 0), step("more", 3), step("last", 6), calendar=calendar)
    days = through(Days(way(one)))
    assert days.said() == [(0, "hello"), (6, "more"), (7, "last")]


def test_what_is_for_a_day_alone_is_for_no_other_whatever_the_calendar_leaves_free() -> None:
    calendar = Calendar(excepted=(Span(DAY, DAY + 5),))
    for within, said in ((0, []), (5, []), (6, [(6, "wish")]), (-1, [(6, "wish")])):
        days = through(Days(way(campaign(step("wish", 0, within=within), calendar=calendar))))
        assert days.said() == said
        assert days.missed() == ([] if said else [(6, "wish", "late")])


def test_behind_its_last_day_a_campaign_is_over() -> None:
    one = campaign(step("hello", 0), step("more", 3), calendar=Calendar(first=DAY, last=DAY + 2))
    days = through(Days(way(one)))
    assert days.said() == [(0, "hello")]
    assert days.journey().why == "ended"


def test_before_its_first_day_a_campaign_says_nothing() -> None:
    one = campaign(step("hello", 0), calendar=Calendar(first=DAY + 4))
    days = Days(way(one))
    assert days.touch(DAY) == []
    assert days.next == DAY + 4
    assert through(days).said() == [(4, "hello")]


def test_the_hour_of_the_campaign_is_when_it_speaks() -> None:
    (action,) = Days(way(campaign(step("hello", 0), calendar=Calendar(hour=18)))).touch(DAY)
    assert action.send_at == at(DAY, 18)


def test_what_a_cap_holds_back_is_tried_again_for_three_days() -> None:
    first, second = (campaign(step(name, 0), id=name, priority=rank) for name, rank in (("high", 9), ("low", 1)))
    days = Days(way(first), way(second), policy=ContactPolicy(caps=(Cap("", 1, 3),)))
    for day in range(6):
        days.touch(DAY + day)
    assert days.said() == [(0, "high")]
    assert [(day, why) for day, name, why in days.missed() if name == "low"] == [(0, "cap"), (1, "cap"), (2, "cap")]
    assert days.journey("low").noted == (Noted("low", DAY + 2, "blocked", "cap"),)
    days = Days(way(first), way(second), policy=ONE_A_DAY)
    days.touch(DAY)
    assert days.next == DAY + 1
    days.touch(DAY + 1)
    assert days.said() == [(0, "high"), (1, "low")]


def test_what_a_cap_holds_back_on_the_last_day_is_left_out_for_that_reason() -> None:
    high = campaign(step("high", 0), id="high", priority=9)
    wish = campaign(step("wish", 0, within=0), step("more", 5), id="wish")
    short = campaign(step("last", 0), id="short", calendar=Calendar(first=DAY, last=DAY))
    days = Days(way(high), way(wish), way(short), policy=ContactPolicy(caps=(Cap("", 1, 1),)))
    days.touch(DAY)
    assert days.journey("wish").noted == (Noted("wish", DAY, "blocked", "cap"),)
    assert days.journey("wish").due == DAY + 5
    assert days.journey("short").noted == (Noted("last", DAY, "blocked", "cap"),)


def test_what_no_other_day_can_mend_is_left_out_at_once() -> None:
    days = Days(way(THREE), preferences=Preferences(reached=("sms",)))
    days.touch(DAY)
    assert days.journey().noted == (Noted("hello", DAY, "blocked", "no_consent"),)
    assert days.next == DAY + 3


def test_what_is_given_goes_with_its_message_and_not_without() -> None:
    one = campaign(step("hello", 0, offer=points(200)))
    (action,) = Days(way(one)).touch(DAY)
    assert (action.offer, action.offer_until, action.reference) == (points(200), DAY + 30, "c#hello#1#hello")
    assert action.name == "hello.1.hello"
    days = Days(way(one), preferences=Preferences())
    assert days.touch(DAY) == []
    assert not days.journey().offered


def test_what_is_silent_is_given_to_those_too_who_cannot_be_told() -> None:
    days = Days(way(campaign(step("gift", 0, offer=points(50), silent=True))), preferences=Preferences())
    (action,) = days.touch(DAY)
    assert (action.channel, action.template, action.offer) == ("", "", points(50))
    assert days.journey().noted == (Noted("gift", DAY, "given", "no_address", "", offered=True),)


def test_a_step_without_words_gives_all_the_same() -> None:
    days = Days(way(campaign(step("gift", 0, offer=points(50), templates={}))))
    (action,) = days.touch(DAY)
    assert (action.channel, action.template, action.offer) == ("", "", points(50))
    assert days.missed() == []
    assert days.journey().noted == (Noted("gift", DAY, "given", "", "", offered=True),)


def test_a_guard_against_deep_offers_holds_silent_ones_back_too() -> None:
    policy = ContactPolicy(caps=(), offer_guard=OfferGuard(100, 30))
    days = Days(way(campaign(step("gift", 0, offer=points(500), templates={}))), policy=policy)
    assert days.touch(DAY) == []
    assert not days.journey().offered


@pytest.mark.parametrize(("days_long", "offered"), [(5, True), (6, False)])
def test_a_guard_counts_a_multiplier_by_its_times_and_days(days_long: int, offered: bool) -> None:
    policy = ContactPolicy(caps=(), offer_guard=OfferGuard(100, 30, multiplier_day=10))
    tripled = Offer("multiply", {"multiply": 3_000, "days": days_long})
    days = Days(way(campaign(step("gift", 0, offer=tripled, templates={}))), policy=policy)
    days.touch(DAY)
    assert days.journey().offered is offered


def test_an_offer_that_is_refused_is_not_announced() -> None:
    one = campaign(step("hello", 0, offer=points(200)), step("more", 3))
    days = Days(way(one))
    assert days.touch(DAY, refused={"hello": "budget"}) == []
    assert (days.journey().status, days.journey().why) == ("stopped", "budget")
    assert days.missed() == [(0, "hello", "budget"), (0, "", "budget")]
    assert days.record.sent == ()


def test_a_campaign_may_go_on_without_its_budget() -> None:
    one = campaign(step("hello", 0, offer=points(200)), step("more", 3), stops=ends_with(budget=False))
    days = Days(way(one))
    days.touch(DAY, refused={"hello": "budget"})
    days.touch(DAY + 3)
    assert days.said() == [(3, "more")]


def test_what_else_was_decided_goes_when_an_offer_is_refused() -> None:
    rich = campaign(step("rich", 0, offer=points(200)), id="rich", priority=9)
    plain = campaign(step("plain", 0), id="plain")
    days = Days(way(rich), way(plain))
    assert [one.step for one in days.touch(DAY, refused={"rich": "offers"})] == ["plain"]
    assert [one.campaign for one in days.record.sent] == ["plain"]


def test_nothing_that_was_held_back_comes_in_for_an_offer_that_is_refused() -> None:
    rich = campaign(step("rich", 0, offer=points(200)), id="rich", priority=9)
    plain = campaign(step("plain", 0), id="plain")
    days = Days(way(rich), way(plain), policy=ONE_A_DAY)
    assert days.touch(DAY, refused={"rich": "offers"}) == []
    assert [one.step for one in days.touch(DAY + 1)] == ["plain"]


def test_variants_say_their_own_words() -> None:
    hello = step("hello", 0, templates={"a": "short", "b": "long"})
    for variant, said in (("a", "short"), ("b", "long")):
        (action,) = Days(way(campaign(hello), variant=variant)).touch(DAY)
        assert (action.template, action.variant) == (said, variant)


def test_only_channels_that_the_text_has_are_used() -> None:
    one = campaign(step("hello", 0), templates={"hello": template("hello", channels=("email",))})
    (action,) = Days(way(one)).touch(DAY)
    assert (action.channel, action.channels) == ("email", ("email",))


def test_a_text_says_what_is_known_of_the_member_and_of_the_offer() -> None:
    text = template(
        "hello",
        Variable("points", "points", 10**6),
        Variable("offer_points", "points", 10**6),
        Variable("offer_until", "date", 10**6),
        Variable("name", "text", 5),
        Variable("city", "text", 20),
        Variable("shop", "link", 170),
        Variable("today", "date", 10**6),
        Variable("pets", "number", 9),
    )
    hello = step("hello", 0, offer=points(200), fixed={"shop": "https://example.com/"})
    one = campaign(hello, templates={"hello": text}, attributes={"name": "text", "pets": "number"})
    who = subject(points=1_500, attributes={"name": "Annabelle", "pets": 2})
    (action,) = Days(way(one)).touch(DAY, who)
    assert action.variables == {
        "points": 1_500,
        "offer_points": 200,
        "offer_until": DAY + 30,
        "name": "Annabelle",
        "city": "",
        "shop": "https://example.com/",
        "today": DAY,
        "pets": 2,
    }


def test_a_multiplier_is_said_as_it_is_written() -> None:
    text = template("hello", Variable("offer_multiplier", "text", 5), Variable("offer_until", "date", 10**6))
    for written, said in ((2_000, "2"), (1_500, "1.5"), (1_125, "1.125")):
        hello = step("hello", 0, offer=Offer("multiply", {"multiply": written, "days": 7}))
        (action,) = Days(way(campaign(hello, templates={"hello": text}))).touch(DAY)
        assert action.variables == {"offer_multiplier": said, "offer_until": DAY + 6}
        assert action.offer_until == DAY + 6


def test_a_text_says_what_the_event_told() -> None:
    text = template("ends", Variable("entry_points", "points", 10**6), Variable("entry_date", "date", 10**6))
    one = campaign(step("ends", 0), templates={"ends": text}, audience=Audience("points.expiring"))
    (action,) = Days(way(one, told={"points": 300, "date": DAY + 14})).touch(DAY)
    assert action.variables == {"entry_points": 300, "entry_date": DAY + 14}


def test_a_number_that_a_text_has_no_room_for_is_not_made_a_smaller_one() -> None:
    one = campaign(step("hello", 0), templates={"hello": template("hello", Variable("points", "points", 999))})
    days = Days(way(one))
    assert days.touch(DAY, subject(points=1_000)) == []
    assert days.missed() == [(0, "hello", "variable")]


def test_a_text_that_would_say_what_nobody_knows_is_not_sent() -> None:
    text = template("ends", Variable("entry_date", "date", 10**6))
    one = campaign(step("ends", 0), step("more", 0), audience=Audience("points.expiring"))
    one = campaign(*one.steps, templates={"ends": text, "more": template("more")}, audience=one.audience)
    days = Days(way(one))
    assert [each.step for each in days.touch(DAY)] == ["more"]
    assert days.missed() == [(0, "ends", "variable")]


def test_every_variable_that_texts_may_use_can_be_filled_in() -> None:
    one = campaign(step("hello", 0, offer=points(1)), audience=Audience("tier.upgraded"), attributes={"name": "text"})
    known = words.variables(one, one.steps[0])
    assert {"points", "tier", "entry_tier", "entry_date", "offer_points", "offer_until", "name", "today"} <= set(known)
    assert not {"entry_points", "kind", "alive", "points_rank"} & set(known)


def test_the_same_is_not_said_twice_unless_it_comes_back_every_year() -> None:
    once = campaign(step("hello", 0))
    days = Days(way(once))
    days.touch(DAY)
    days.ways["hello", "2"] = way(once, DAY + 40, occasion="2")
    days.touch(DAY + 40)
    assert days.missed() == [(40, "hello", "repeated")]
    yearly = campaign(step("hello", 0), repeat="yearly")
    days = Days(way(yearly, occasion="2026"))
    days.touch(DAY)
    days.ways["hello", "2027"] = way(yearly, DAY + 365, occasion="2027")
    days.touch(DAY + 365)
    assert days.said() == [(0, "hello"), (365, "hello")]


def test_a_date_alone_does_not_make_it_something_else() -> None:
    text = template("hello", Variable("today", "date", 10**6))
    first = campaign(step("hello", 0), id="first", templates={"hello": text})
    second = campaign(step("hello", 0), id="second", templates={"hello": text})
    days = Days(way(first), way(second, DAY + 9))
    days.touch(DAY)
    days.touch(DAY + 9)
    assert days.missed() == [(9, "hello", "repeated")]


def test_two_steps_with_other_offers_or_other_words_are_not_the_same() -> None:
    one = campaign(
        step("a", 0, templates={"": "text"}, offer=points(10)), step("b", 1, templates={"": "text"}, offer=points(20))
    )
    assert through(Days(way(one))).said() == [(0, "a"), (1, "b")]


def test_the_policy_decides_once_over_all_ways() -> None:
    wish = campaign(step("wish", 0, within=0), id="birthday", priority=90, repeat="yearly")
    sale, news = (campaign(step(name, 0), id=name, priority=rank) for name, rank in (("sale", 50), ("news", 10)))
    days = Days(way(sale), way(news), way(wish, occasion="2026"), policy=ONE_A_DAY)
    assert [one.campaign for one in days.touch(DAY)] == ["birthday"]
    assert {why for _, _, why in days.missed()} == {"cap"}
    assert [one.campaign for one in days.touch(DAY + 1)] == ["sale"]
    assert [one.campaign for one in days.touch(DAY + 2)] == ["news"]


def test_a_way_is_kept_as_it_is() -> None:
    days = Days(way(THREE, variant="a", purchases=4, last=DAY - 2, spend=900, number=7, told={"points": 3}))
    for day in (0, 1, 3):
        days.touch(DAY + day)
        known = days.journey()
        assert ways.decode("hello", "1", ways.encode(known), 0) == known
    stopped = ways.stopped(days.journey(), "purchased")
    assert ways.decode("hello", "1", ways.encode(stopped), 5).status == "stopped"
    assert ways.decode("hello", "1", ways.encode(stopped), 5).revision == 5
    aside = ways.aside(days.journey(), "unfit")
    assert (aside.status, aside.due) == ("aside", 0)


def test_every_reason_that_is_given_has_words() -> None:
    plan = touch.plan([way(THREE, state="paused")], subject(), DAY)
    assert {one.why for one in plan.left} <= set(touch.WHY)
    assert touch.PASSING.isdisjoint(touch.WHY)


def test_a_journey_without_steps_left_has_no_next_day() -> None:
    assert touch.next_day([], DAY) == 0
    assert touch.next_day([Journey("a", "1", 1, "", DAY, due=0)], DAY) == 0
    assert touch.next_day([Journey("a", "1", 1, "", DAY, due=DAY - 5)], DAY) == DAY + 1


def test_the_policy_without_caps_lets_all_go() -> None:
    days = Days(*(way(campaign(step(f"s{n}", 0), id=f"c{n}")) for n in range(4)), policy=FREE)
    assert len(days.touch(DAY)) == 4


def test_of_more_campaigns_than_are_written_at_once_those_of_lower_priority_come_the_next_day() -> None:
    many = [campaign(step(f"s{number}", 0), id=f"c{number:02d}", priority=number % 2) for number in range(70)]
    days = Days(*(way(one) for one in many))
    first = days.touch(DAY)
    assert len(first) * 3 <= touch.MOST_WRITES
    assert all(days.ways[one.way].campaign.priority for one in first)
    assert days.next == DAY + 1
    through(days, 1, 3)
    assert sorted(one.campaign for _, one in days.done) == [one.id for one in many], "each once, and none is lost"
    assert days.next == 0


def test_a_step_that_is_chosen_is_asked_nothing_anew_and_no_other_of_its_day_comes_for_it() -> None:
    either = campaign(step("a", 0, "member.points < 100", offer=points(200), within=0), step("b", 0, offer=points(50)))
    plan = touch.plan([way(either)], subject(), DAY)
    days = Days(way(either))
    (action,) = days.touch(DAY)
    (kept,) = touch.chosen(plan, [action])
    assert ways.decode("hello", "1", ways.encode(kept), 0) == kept
    rich = subject(points=200)
    for late in (0, 2):
        days = Days(way(either))
        days.change("hello", journey=kept)
        days.touch(DAY + late, rich)
        assert {one.step for _, one in days.done} <= {"a"}
        assert [one.step for one in days.journey().noted] == ["a", "b"]
        assert not days.journey().chosen
    assert touch.chosen(touch.plan([way(THREE)], subject(), DAY), Days(way(THREE)).touch(DAY)) == ()
