"""What is ahead of members before anything starts: who would come in, in which group, what would go out, and sums."""

from loyalty.campaigns.assignment import arm
from loyalty.campaigns.campaign import Audience, Variant
from loyalty.campaigns.preview import Contact, Summary, at_hour, before_start, foresee, summed
from loyalty.campaigns.preview_views import preview_view
from loyalty.contacts.policy import Cap, ContactPolicy
from loyalty.contacts.preferences import Preferences
from loyalty.contacts.record import Record, Sent
from tests.unit.campaigned import DAY, FREE, REACHED, ZONE, campaign, points, step, subject, way

ONE = campaign(step("hello", 0, offer=points(200)), step("more", 3, "member.points > 0"))
CONTACT = Contact(Record(), REACHED, FREE)
MEMBERS = [f"mem_{number:026d}" for number in range(400)]


def test_a_member_who_takes_part_gets_every_step() -> None:
    treated = next(one for one in MEMBERS if arm(ONE, one).group == "treated")
    found = before_start(ONE, treated, subject(points=5), (), CONTACT, DAY)
    assert (found.group, found.out) == ("treated", "")
    assert [(one.day, one.step, one.channel, one.points) for one in found.foreseen] == [
        (DAY, "hello", "sms", 200),
        (DAY + 3, "more", "sms", 0),
    ]
    assert found.foreseen[0].send_at == at_hour(DAY, FREE.contact_hour, ZONE)
    assert found.missed == ()


def test_who_is_kept_out_gets_nothing() -> None:
    control = next(one for one in MEMBERS if arm(ONE, one).group == "control")
    found = before_start(ONE, control, subject(points=5), (), CONTACT, DAY)
    assert (found.group, found.foreseen, found.missed) == ("control", (), ())
    everybody = Contact(Record(), REACHED, ContactPolicy(caps=(), holdout_percent=100))
    assert before_start(ONE, MEMBERS[0], subject(), (), everybody, DAY).group == "holdout"


def test_who_would_not_come_in_is_told_why() -> None:
    one = campaign(step("hello", 0), audience=Audience("", "dormant"))
    found = before_start(one, MEMBERS[0], subject(), ("new",), CONTACT, DAY)
    assert (found.out, found.group, found.foreseen) == ("segment", "", ())


def test_what_was_sent_before_is_counted() -> None:
    policy = ContactPolicy(caps=(Cap("", 1, 7),))
    record = Record(sent=(Sent(DAY - 1, "sms", "other", "x"),))
    one = campaign(step("hello", 0, within=0), control=0)
    found = before_start(one, MEMBERS[0], subject(), (), Contact(record, REACHED, policy), DAY)
    assert found.foreseen == ()
    assert next((missed.day, missed.step, missed.why) for missed in found.missed) == (DAY, "hello", "cap")


def test_other_campaigns_of_the_member_take_from_the_same_caps_and_are_told() -> None:
    wish = campaign(step("wish", 0, within=0), id="birthday", priority=90, repeat="yearly")
    one = campaign(step("hello", 0), control=0, priority=10)
    contact = Contact(Record(), REACHED, ContactPolicy(caps=(Cap("", 1, 1),)))
    found = before_start(one, MEMBERS[0], subject(), (), contact, DAY, others=[way(wish, occasion="2026")])
    assert [(step.day, step.campaign) for step in found.foreseen] == [(DAY, "birthday"), (DAY + 1, "hello")]
    assert [(missed.day, missed.campaign, missed.why) for missed in found.missed] == [(DAY, "hello", "cap")]


def test_a_paused_campaign_is_told_once_and_not_for_each_day() -> None:
    foreseen, missed = foresee([way(ONE, state="paused")], subject(), CONTACT, DAY, DAY + 30)
    assert foreseen == ()
    assert [one.why for one in missed] == ["paused"]


def test_nothing_is_changed_by_looking_ahead() -> None:
    own = way(ONE)
    before = (own.journey, CONTACT.record)
    first = foresee([own], subject(points=5), CONTACT, DAY, DAY + 30)
    assert first == foresee([own], subject(points=5), CONTACT, DAY, DAY + 30)
    assert (own.journey, CONTACT.record) == before


def test_outlooks_add_up_whatever_the_pages() -> None:
    one = campaign(
        step("hello", 0, offer=points(200)),
        step("more", 3, "member.points > 9"),
        variants=(Variant("a", 5_000), Variant("b", 5_000)),
        audience=Audience("", "dormant"),
    )
    outlooks = [
        before_start(
            one,
            name,
            subject(points=20 if number % 2 else 0),
            ("dormant",) if number % 5 else (),
            Contact(Record(), REACHED if number % 3 else Preferences(), FREE),
            DAY,
        )
        for number, name in enumerate(MEMBERS)
    ]
    whole = summed(outlooks, one.id)
    assert whole.members == 400
    assert sum(whole.groups.values()) + sum(whole.out.values()) == 400
    assert whole.out == {"segment": 80}
    assert whole.points == 200 * whole.steps["hello"]
    assert sum(whole.messages.values()) == sum(whole.steps.values())
    assert set(whole.groups) == {"a", "b", "control"}
    assert set(whole.missed) == {"condition", "no_address"}
    assert summed([], one.id) == Summary()


def test_a_preview_is_answered_with_days_and_times_as_people_read_them() -> None:
    treated = next(one for one in MEMBERS if arm(ONE, one).group == "treated")
    outlook = before_start(ONE, treated, subject(), (), CONTACT, DAY)
    view = preview_view([outlook], "hello", "cursor")
    (member,) = view.members
    assert (member.member, member.foreseen[0].day, member.foreseen[0].send_at) == (
        treated,
        "2026-03-02",
        "2026-03-02T08:00:00Z",
    )
    assert [(one.day, one.step, one.why) for one in member.missed] == [("2026-03-05", "more", "condition")]
    assert (view.summary.members, view.summary.points, view.next) == (1, 200, "cursor")
