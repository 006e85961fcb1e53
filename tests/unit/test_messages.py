"""Messages: sent at most once whatever dies on the way, and in the same state whatever order its reports come in."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.channels.channel import Outcome
from loyalty.errors import Corrupt, Unavailable
from loyalty.notifications.feedback import Report
from loyalty.notifications.message import (
    ABANDONED_S,
    DOUBTED_S,
    SILENT_S,
    STATES,
    TRIED_S,
    Content,
    Fact,
    Message,
    Notice,
    decode,
    encode,
    filled,
    link_placeholder,
    locate,
    message_id,
    name_of,
    next_try,
    put_off,
    told_of,
)
from loyalty.notifications.store import AGAIN_S, MessageStore
from loyalty.table.client import Table
from tests.simulation.dynamodb import TABLE, Client
from tests.unit.mailing import DAY, HOUR, NOW, PROGRAM, Killed, Kills, Office, Provider, account, message
from tests.unit.running import in_turn

LATER = Outcome("later", code="busy")


def report(of: Message, fact: Fact, at: int = NOW + 60, code: str = "") -> Report:
    return Report(of.program, of.account, of.name, fact, at, code)


def test_a_message_is_handed_on_when_it_is_due_sent_and_forgotten_by_the_queue() -> None:
    provider = Provider()
    office = Office(provider)
    one = message()
    office.put(one, send_at=NOW + HOUR)
    assert office.run() == []
    office.now += HOUR
    assert office.run() == ["sent"]
    assert office.waiting() == []
    found = office.message(one)
    assert (found.state, found.provider_id, found.facts) == ("sent", "p1", {"sent": NOW + HOUR})
    (sending,) = provider.got
    assert (sending.id, sending.address) == (one.id, f"sms:{account()}")
    assert sending.tags == {"loyalty-program": PROGRAM, "loyalty-message": sending.tags["loyalty-message"]}


def test_what_was_held_up_until_night_waits_for_the_morning_and_is_not_tried_before() -> None:
    provider = Provider(answers=[LATER])
    office = Office(provider)
    one = message()
    office.put(one)
    assert office.run() == ["later"]
    office.now += HOUR
    office.loud = office.now + 10 * HOUR
    assert office.run() == ["later"]
    assert (provider.asked, office.message(one).code) == (1, "quiet")
    office.now += 9 * HOUR
    assert office.run() == []
    office.now, office.loud = office.loud, 0
    assert office.run() == ["sent"]
    assert office.message(one).attempts == 1


def test_what_makes_no_sense_in_the_morning_is_not_sent_at_night_either() -> None:
    office = Office(Provider())
    one = message(until=NOW + HOUR)
    office.put(one)
    office.loud = NOW + 10 * HOUR
    assert office.run() == ["refused"]
    assert office.message(one).code == "too_late"
    assert office.waiting() == []


def test_what_waits_is_not_sent_while_its_campaign_is_paused_and_never_once_it_is_cancelled() -> None:
    provider = Provider()
    office = Office(provider)
    one, another = message(1), message(2, campaign="other", name="other.1.day0")
    office.put(one)
    office.put(another)
    office.campaigns = {"hello": "paused", "other": "paused"}
    for _ in range(30):
        assert office.run() == ["later", "later"]
        office.now += 2 * HOUR
    assert provider.asked == 0
    office.campaigns = {"hello": "running", "other": "cancelled"}
    assert sorted(office.run()) == ["refused", "sent"]
    assert [sending.id for sending in provider.got] == [one.id]
    assert (office.message(another).state, office.message(another).code) == ("refused", "cancelled")
    assert office.waiting() == []


def test_what_waited_is_asked_about_once_more_before_it_goes_and_what_goes_at_once_is_not() -> None:
    provider = Provider()
    office = Office(provider)
    office.over = "purchased"
    at_once, waits = message(1), message(2)
    office.put(at_once)
    assert office.run() == ["sent"]
    office.put(waits)
    office.loud = NOW + 10 * HOUR
    assert office.run() == ["later"]
    office.now, office.loud = NOW + 10 * HOUR, 0
    assert office.run() == ["refused"]
    assert (office.message(waits).state, office.message(waits).code) == ("refused", "purchased")
    assert [sending.id for sending in provider.got] == [at_once.id]
    assert office.waiting() == []


def test_a_message_handed_on_again_and_again_is_sent_once() -> None:
    provider = Provider()
    office = Office(provider)
    which = office.put(message())
    assert [office.notifications.send(which, NOW, NOW) for _ in range(5)] == ["sent", "gone", "gone", "gone", "gone"]
    assert provider.asked == 1


def test_a_message_made_again_after_it_was_sent_is_not_sent_again() -> None:
    provider = Provider()
    office = Office(provider)
    office.put(message())
    assert office.run() == ["sent"]
    office.now += 60
    office.put(message())
    assert office.run() == ["gone"]
    assert office.waiting() == []
    assert provider.asked == 1


def _with_kill(at: int, after: bool, answers: list[Outcome], channel: str) -> tuple[Office, Provider, bool]:
    """One message, sent by a function that dies at a step; then time goes by as it does."""
    kills = Kills(at, after)
    provider = Provider(channel, answers=list(answers), kills=kills)
    office = Office(provider)
    which = office.put(message(channel=channel, notice=Notice("points", 5), channels=(channel,)))
    office.connect(kills)
    died = False
    try:
        office.notifications.send(which, office.now, office.now)
    except Killed:
        died = True
    kills.at = -1
    office.connect()
    for _ in range(3):  # the queue delivers it again while the claim is young, and late
        office.notifications.send(which, office.now + 30, office.now + 30)
    office.until_quiet()
    return office, provider, died


@pytest.mark.parametrize("channel", ["sms", "email", "webhook"])
@pytest.mark.parametrize(
    "answers",
    [[], [LATER], [LATER, LATER], [Outcome("doubtful", code="timeout")], [Outcome("refused", code="no")],
     [Outcome("dead", code="gone")]],
    ids=["accepted", "later", "later twice", "doubtful", "refused", "dead"],
)  # fmt: skip
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whatever_step_a_function_dies_at_the_provider_gets_it_once_at_most(
    channel: str, answers: list[Outcome], after: bool
) -> None:
    at, tried, states = 0, 0, set()
    while True:
        office, provider, died = _with_kill(at, after, answers, channel)
        found = office.message(message(channel=channel))
        assert office.waiting() == [], (at, found)
        assert found.state in {"sent", "doubtful", "refused"}, (at, found)
        ours = provider.times[found.id]
        if channel != "webhook":  # whose receiver takes the second for the first
            assert ours <= 1, (at, found)
        if found.state == "sent":
            assert ours >= 1
        if not answers and channel == "webhook":
            assert found.state == "sent"
        states.add(found.state)
        tried += 1
        if not died:
            break
        at += 1
    assert tried > 4
    if not answers and channel == "sms":
        assert states == {"sent", "doubtful"}


def test_a_claim_whose_owner_may_live_is_left_alone_and_an_old_one_is_in_doubt() -> None:
    kills = Kills()
    provider = Provider(kills=kills)
    office = Office(provider)
    which = office.put(message())
    kills.at = 0
    with pytest.raises(Killed):
        office.notifications.send(which, NOW, NOW)
    kills.at = -1
    assert office.message(message()).state == "sending"
    assert office.notifications.send(which, NOW + 9, NOW + ABANDONED_S - 1) == "busy"
    assert office.notifications.send(which, NOW + 9, NOW + ABANDONED_S) == "doubtful"
    assert office.message(message()).state == "doubtful"
    assert office.told == []
    assert provider.got == []


def test_a_report_settles_a_doubtful_message() -> None:
    office = Office(Provider("email", answers=[Outcome("doubtful", code="timeout")]))
    one = message(channel="email")
    office.put(one)
    assert office.run() == ["doubtful"]
    assert office.notifications.hear(report(one, "sent"), NOW + 60) == "sent"
    assert office.message(one).state == "sent"
    assert office.notifications.hear(report(one, "delivered", NOW + 61), NOW + 61) == "delivered"
    assert office.message(one).state == "delivered"


PATH = "messages"
LOST = Outcome("doubtful", code="lost")


def reporting(*answers: Outcome, path: str = PATH) -> tuple[Office, Provider]:
    """A provider that reports what it took, by that path."""
    provider = Provider("email", path, answers=list(answers))
    return Office(provider), provider


def heard_of(office: Office, taken: int) -> None:
    """The path reports something else that was taken then, to another copy."""
    another = MessageStore(Table(Client(office.engine), TABLE, in_turn))
    another.note_heard(PATH, taken, office.now)


def test_a_mail_in_doubt_is_sent_again_when_others_of_its_time_were_reported_and_it_was_not() -> None:
    office, provider = reporting(LOST)
    one = message(channel="email")
    office.put(one)
    assert office.run() == ["doubtful"]
    heard_of(office, NOW)
    office.now += SILENT_S - 1
    assert office.run() == []
    office.now += 1
    assert office.run() == ["sent"]
    assert (office.message(one).state, office.message(one).id) == ("sent", one.id)
    assert (len(provider.got), office.waiting(), office.doubted) == (1, [], [])


def test_a_mail_in_doubt_that_is_reported_meanwhile_is_not_sent_again() -> None:
    office, provider = reporting(Outcome("doubtful", code="timeout"))
    one = message(channel="email")
    office.put(one)
    assert office.run() == ["doubtful"]
    heard_of(office, NOW)
    office.now += SILENT_S
    office.notifications.hear(report(one, "delivered"), office.now)
    assert office.run() == ["gone"]
    assert (office.message(one).state, provider.asked, office.waiting()) == ("delivered", 1, [])


def test_as_long_as_reports_wait_or_were_given_up_nothing_in_doubt_is_sent_again() -> None:
    office, provider = reporting(LOST)
    one = message(channel="email")
    office.put(one)
    office.run()
    heard_of(office, NOW)
    office.idle = False
    office.now += SILENT_S
    for _ in range(20):
        assert set(office.run()) <= {"unsettled"}
        office.now += HOUR
    assert provider.asked == 1
    office.idle = True
    office.now += HOUR
    assert office.run() == ["sent"]


@pytest.mark.parametrize(
    "taken",
    [[], [HOUR + 600], [-HOUR - 600], [-600], [600], [-HOUR - 1200, HOUR + 1200]],
    ids=["never", "too late", "too early", "only before", "only behind", "both too far"],
)
def test_when_reports_did_not_come_around_its_time_a_mail_in_doubt_is_set_aside_for_people(taken: list[int]) -> None:
    office, provider = reporting(LOST, Outcome("accepted", "p2"))
    one = message(channel="email")
    office.put(one)
    office.run()
    for offset in taken:
        heard_of(office, NOW + offset)
    office.until_quiet(days=4, every=HOUR)
    assert (office.message(one).state, provider.asked) == ("doubtful", 1)
    assert NOW + DOUBTED_S <= office.now <= NOW + DOUBTED_S + 2 * HOUR
    assert office.doubted == [(PROGRAM, "email", "lost")]
    (dead,), _, _ = office.notifications.failed(PROGRAM, 10)
    assert office.notifications.redrive(PROGRAM, one.account, one.name, office.now) == "doubtful"
    assert office.notifications.standing(dead) == "doubtful"
    assert office.notifications.redrive(PROGRAM, one.account, one.name, office.now, doubtful=True) == "waiting"
    assert office.run() == ["sent"]
    assert office.notifications.failed(PROGRAM, 10)[0] == []


@pytest.mark.parametrize("taken", [[0], [-HOUR, HOUR], [-600, 600]], ids=["at it", "an hour around", "close around"])
def test_what_was_reported_around_its_time_says_that_a_mail_in_doubt_would_have_been(taken: list[int]) -> None:
    office, _ = reporting(LOST)
    office.put(message(channel="email"))
    office.run()
    for offset in taken:
        heard_of(office, NOW + offset)
    office.now += SILENT_S
    assert office.run() == ["sent"]


def test_a_mail_that_was_in_doubt_has_a_day_of_tries_again() -> None:
    office, provider = reporting(LOST)
    one = message(channel="email")
    office.put(one)
    office.run()
    heard_of(office, NOW)
    office.now += DAY
    provider.answers = [LATER, LATER]
    assert office.run() == ["later"]
    office.until_quiet()
    assert (office.message(one).state, office.told) == ("sent", [])


def test_reports_that_come_in_one_heap_are_waited_for_till_the_last() -> None:
    office, provider = reporting(Outcome("doubtful", code="timeout"))
    one = message(channel="email")
    office.put(one)
    office.run()
    office.now += SILENT_S
    heard_of(office, NOW)  # what was held up comes now, in any order
    assert office.run() == ["unsettled"]
    office.now += 20
    office.notifications.hear(report(one, "sent"), office.now)
    office.until_quiet()
    assert (office.message(one).state, provider.asked) == ("sent", 1)


def test_a_mail_in_doubt_that_nobody_wants_any_more_is_not_sent_again() -> None:
    for why in ("unsubscribed", "cancelled", "too_late"):
        office, provider = reporting(LOST)
        one = message(channel="email", until=NOW + HOUR if why == "too_late" else 0)
        office.put(one)
        assert office.run() == ["doubtful"]
        heard_of(office, NOW)
        office.now += SILENT_S
        office.why_not = "unsubscribed" if why == "unsubscribed" else ""
        office.campaigns = {"hello": "cancelled" if why == "cancelled" else "running"}
        assert office.run() == ["refused"]
        assert (office.message(one).code, provider.asked, office.waiting()) == (why, 1, [])


def test_a_mail_in_doubt_waits_for_the_morning_and_for_its_campaign_as_any_other() -> None:
    office, provider = reporting(LOST)
    one = message(channel="email")
    office.put(one)
    office.run()
    heard_of(office, NOW)
    office.now += SILENT_S
    office.campaigns = {"hello": "paused"}
    assert office.run() == ["later"]
    assert (office.message(one).state, office.message(one).code) == ("waiting", "paused")
    office.campaigns = {}
    office.now += HOUR
    assert office.run() == ["sent"]
    assert provider.asked == 2


def test_what_nobody_reports_is_set_aside_at_once_and_sent_again_only_when_people_say_so() -> None:
    office = Office(Provider(answers=[LOST]))
    one = message()
    office.put(one)
    assert office.run() == ["doubtful"]
    assert (office.doubted, office.waiting()) == ([(PROGRAM, "sms", "lost")], [])
    office.now += 10 * DAY
    assert office.run() == []
    assert office.notifications.redrive(PROGRAM, one.account, one.name, office.now, doubtful=True) == "waiting"
    assert office.run() == ["sent"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("answers", [[], [LOST], [LOST, LOST], [LOST, LATER]], ids=["taken", "lost", "twice", "later"])
def test_whatever_step_a_function_dies_at_a_mail_arrives_once_where_all_that_is_taken_is_reported(
    answers: list[Outcome], after: bool
) -> None:
    at, died = 0, True
    while died:
        kills = Kills(at, after)
        provider = Provider("email", PATH, answers=list(answers), kills=kills)
        office = Office(provider)
        one = message(channel="email")
        office.put(one)
        handing = office.dispatch
        office.connect(kills)
        office.dispatch = handing  # of which others say that it may die
        died, end, reported = False, office.now + 2 * DAY, 0
        while office.now < end and office.waiting():
            heard_of(office, office.now)
            try:
                office.run()
                if len(provider.got) > reported and office.now % 4_000 > 2_000:  # late, and before it is given up
                    office.notifications.hear(report(one, "sent", office.now), office.now)
                    reported = len(provider.got)
            except Killed:
                died = True
                kills.at = -1
            office.now += 1_000
        kills.at = -1
        assert (provider.times[one.id], office.message(one).state) == (1, "sent"), (at, office.message(one))
        assert office.waiting() == []
        at += 1
    assert at > 5


def test_a_report_that_is_quicker_than_the_senders_own_record_is_kept() -> None:
    office = Office()
    one = message(channel="email")

    class Quick(Provider):
        def send(self, sending: object, now: int) -> Outcome:
            del sending, now
            office.notifications.hear(report(one, "delivered", NOW + 1), NOW + 1)
            return Outcome("accepted", "p9")

    office.providers["email"] = Quick("email")
    office.put(one)
    assert office.run() == ["sent"]
    found = office.message(one)
    assert (found.state, found.provider_id, set(found.facts)) == ("delivered", "p9", {"sent", "delivered"})


def test_what_the_provider_puts_off_is_tried_for_a_day_and_then_set_aside_and_can_be_redriven() -> None:
    provider = Provider(answers=[LATER] * 500)
    office = Office(provider)
    one = message()
    office.put(one)
    office.until_quiet(days=3, every=60)
    found = office.message(one)
    assert found.state == "failed"
    assert 25 <= provider.asked <= 40
    assert NOW + TRIED_S - 2 * HOUR < office.now <= NOW + TRIED_S + HOUR
    assert office.told == [(PROGRAM, "sms", "busy")]
    dead, shard, after = office.notifications.failed(PROGRAM, 10)
    assert ([one.message.id for one in dead], shard, after) == ([one.id], 16, "")
    provider.answers.clear()
    assert office.notifications.redrive(PROGRAM, one.account, one.name, office.now) == "waiting"
    assert office.notifications.redrive(PROGRAM, one.account, one.name, office.now) == "gone"
    assert office.message(one).state == "waiting"
    assert office.run() == ["sent"]
    assert len(provider.got) == 1


def test_what_has_failed_and_is_heard_of_after_all_is_not_sent_again() -> None:
    office = Office(Provider(answers=[LATER] * 500))
    one = message()
    office.put(one)
    office.until_quiet(days=3)
    office.notifications.hear(report(one, "delivered"), office.now)
    assert office.notifications.redrive(PROGRAM, one.account, one.name, office.now) == "gone"
    assert office.notifications.failed(PROGRAM, 10)[0] == []
    assert office.message(one).state == "delivered"


def test_a_wish_is_not_sent_a_day_late() -> None:
    provider = Provider()
    office = Office(provider)
    office.put(message(until=NOW + HOUR))
    office.now += HOUR
    assert office.run() == ["refused"]
    found = office.message(message())
    assert (found.state, found.code, provider.got, office.waiting()) == ("refused", "too_late", [], [])


def test_what_is_put_off_beyond_its_time_is_refused_and_is_no_dead_letter() -> None:
    provider = Provider(answers=[LATER] * 50)
    office = Office(provider)
    one = message(until=NOW + HOUR)
    office.put(one)
    office.until_quiet()
    assert (office.message(one).state, office.message(one).code) == ("refused", "too_late")
    assert office.notifications.failed(PROGRAM, 10)[0] == []
    assert provider.asked >= 3


def test_who_has_unsubscribed_meanwhile_is_not_written_to() -> None:
    provider = Provider()
    office = Office(provider)
    office.why_not = "unsubscribed"
    office.put(message())
    assert office.run() == ["refused"]
    assert (office.message(message()).code, provider.got) == ("unsubscribed", [])


def test_a_channel_that_the_programme_has_not_set_up_fails_and_can_be_redriven_when_it_has() -> None:
    office = Office()
    one = message()
    office.put(one)
    assert office.run() == ["failed"]
    assert office.message(one).code == "not_configured"
    office.providers["sms"] = Provider()
    office.now += 1
    office.notifications.redrive(PROGRAM, one.account, one.name, office.now)
    assert office.run() == ["sent"]


@pytest.mark.parametrize("facts", [*permutations(("sent", "delivered", "opened", "bounced"))])
def test_reports_in_any_order_come_to_the_same(facts: tuple[Fact, ...]) -> None:
    times = {"sent": 1, "delivered": 2, "opened": 3, "bounced": 4}
    one = message()
    for fact in (*facts, *facts):
        one = told_of(one, fact, NOW + times[fact])
    assert one.state == "bounced"
    assert one.facts == {fact: NOW + at for fact, at in times.items()}


@given(st.lists(st.tuples(st.sampled_from(sorted(STATES)), st.integers(0, 5)), max_size=12), st.randoms())
def test_a_state_depends_on_what_happened_and_not_on_when_it_was_heard(
    heard: list[tuple[Fact, int]], chance: "object"
) -> None:
    shuffled = list(heard)
    chance.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    one = other = message()
    for fact, at in heard:
        one = told_of(one, fact, at)
    for fact, at in (*shuffled, *heard):
        other = told_of(other, fact, at)
    assert (one.state, dict(one.facts)) == (other.state, dict(other.facts))


def test_a_return_that_may_pass_bounces_only_what_was_not_delivered() -> None:
    assert told_of(message(), "returned", 1).state == "bounced"
    assert told_of(told_of(message(), "returned", 1), "delivered", 2).state == "delivered"


def test_a_hard_bounce_makes_the_channel_dead_and_a_complaint_does_too() -> None:
    for fact, reason in (("bounced", "bounced"), ("complained", "complaint")):
        office = Office(Provider("email"))
        one = message(channel="email")
        office.put(one)
        office.run()
        office.notifications.hear(report(one, "returned"), NOW)
        assert office.dead == {}
        for _ in range(2):
            office.notifications.hear(report(one, fact), NOW)  # type: ignore[arg-type] # of the facts above
        assert office.dead == {"email": reason}


def test_an_address_that_the_provider_calls_dead_is_noted() -> None:
    office = Office(Provider(answers=[Outcome("dead", code="40003")]))
    office.put(message())
    assert office.run() == ["refused"]
    assert office.dead == {"sms": "40003"}


NOTICE = Notice("points", NOW + 30 * DAY)


def test_the_ledger_hears_of_a_notice_when_the_mail_has_arrived_and_not_before() -> None:
    office = Office(Provider("email"))
    one = message(channel="email", notice=NOTICE, channels=("email",))
    office.put(one)
    office.run()
    assert office.confirmed == []
    for _ in range(3):
        office.notifications.hear(report(one, "delivered"), NOW)
    assert office.confirmed == [("n#hello.1.day0#delivered", NOTICE.upto, "delivered")]


def test_where_nothing_is_reported_the_providers_word_counts_as_notice_except_a_webhooks() -> None:
    for channel, heard in (("sms", 1), ("wechat", 1), ("webhook", 0)):
        office = Office(Provider(channel))
        office.put(message(channel=channel, notice=NOTICE, channels=(channel,)))
        office.run()
        assert len(office.confirmed) == heard


def test_whoever_no_channel_reaches_any_more_is_unreachable() -> None:
    office = Office(Provider("email"))
    one = message(channel="email", notice=NOTICE, channels=("email", "sms"))
    office.put(one)
    office.run()
    office.notifications.hear(report(one, "bounced"), NOW)
    assert office.confirmed == []
    office.dead["sms"] = "gone"
    office.notifications.hear(report(one, "bounced"), NOW)
    assert office.confirmed == [("n#hello.1.day0#unreachable", NOTICE.upto, "unreachable")]


def test_what_lies_in_the_inbox_is_there_at_once_unread_and_read_once() -> None:
    office = Office()
    late = message(channel="inbox", name="late.1.a")
    office.put(message(channel="inbox", notice=NOTICE), Content("Hi", "Hello"))
    office.put(late, send_at=NOW + 60)
    assert len(office.waiting()) == 1
    (found,) = office.notifications.inbox(PROGRAM, account(), NOW)
    assert (found.state, found.content) == ("sent", Content("Hi", "Hello"))
    office.now += 60
    assert office.run() == ["sent"]
    assert office.waiting() == []
    assert [one.name for one in office.notifications.inbox(PROGRAM, account(), NOW + 60)] == ["late.1.a", found.name]
    for at in (5, 6):
        assert office.notifications.read(PROGRAM, account(), found.id, NOW + at).facts["opened"] == NOW + 5
    assert office.confirmed == [("n#hello.1.day0#delivered", NOTICE.upto, "delivered")]


def test_who_reads_the_copy_in_the_inbox_or_follows_a_link_in_it_was_told_once() -> None:
    for how in ("opened", "clicked"):
        office = Office(Provider("email"))
        main = message(channel="email", notice=NOTICE, channels=("email", "inbox"))
        copy = message(channel="inbox", notice=NOTICE, channels=("email", "inbox"), name="hello.1.day0.inbox")
        office.put(main)
        office.put(copy, Content("Hi", "Hello"))
        office.run()
        assert office.confirmed == []
        office.notifications.hear(report(copy, how), NOW)
        office.notifications.hear(report(main, "delivered"), NOW)
        assert office.confirmed == [("n#hello.1.day0#delivered", NOTICE.upto, "delivered")]


def test_a_link_leads_where_the_message_said_and_nowhere_else() -> None:
    office = Office(Provider())
    one = message(links=("https://shop.example/a",))
    office.put(one, Content(text=f"See {link_placeholder(0)} or {link_placeholder(1)}."))
    office.run()
    assert office.providers["sms"].got[0].rendered.text == "See https://l.example/0 or ."
    assert office.notifications.click(PROGRAM, one.account, one.name, 0, NOW) == "https://shop.example/a"
    assert office.notifications.click(PROGRAM, one.account, one.name, 1, NOW) == ""
    assert office.notifications.click(PROGRAM, one.account, "no.1.such", 0, NOW) == ""
    assert office.message(one).state == "clicked"


def test_placeholders_are_filled_wherever_they_stand() -> None:
    content = Content(
        "s", "https://link.invalid/unsubscribe", '<a href="https://link.invalid/1">', {"url": "https://link.invalid/0"}
    )
    assert filled(content, ("A", "B"), "U") == Content("s", "U", '<a href="B">', {"url": "A"})


def test_what_was_handed_on_is_not_handed_on_again_for_a_while_and_then_is() -> None:
    office = Office()
    for number in range(1, 60):
        office.put(message(number))
    assert len(office.hand_on()) == 59
    office.now += 300
    assert len(office.hand_on()) == 59  # one that was due in that very second may have come a little later
    office.put(message(77))
    office.now += 300
    assert [one.account for one in office.hand_on()] == [account(77)]
    assert len(office.hand_on()) == 0
    office.now += AGAIN_S
    assert len(office.hand_on()) == 60


def test_what_the_queue_does_not_take_is_handed_on_the_next_time() -> None:
    office = Office()
    names = [f"hello.{number}.a" for number in range(25)]
    for name in names:
        office.put(message(name=name))
    office.refuses = {names[13]}
    assert names[13] not in {one.name for one in office.hand_on()}
    office.refuses = set()
    assert names[13] in {one.name for one in office.hand_on()}


def test_an_empty_programme_is_looked_at_without_writing() -> None:
    office = Office()
    office.hand_on()
    assert office.engine.items() == []


def test_a_message_costs_four_writes() -> None:
    written: list[str] = []

    def gate(call: object) -> object:
        if call.writes:  # type: ignore[attr-defined] # a Call
            written.append(call.operation)  # type: ignore[attr-defined] # a Call
        return call.perform()  # type: ignore[attr-defined] # a Call

    office = Office(Provider())
    office.connect(gate)  # type: ignore[arg-type] # a Gate
    office.put(message())
    office.run()
    assert written == ["PutItem", "PutItem", "PutItem", "PutItem", "DeleteItem"]  # the fourth is the shard's mark
    written.clear()
    office.put(message(2, channel="inbox"))
    assert written == ["PutItem"]


def test_what_channels_bring_is_counted_once_however_often_it_is_heard() -> None:
    office = Office(Provider("email"))
    for number in (1, 2):
        office.put(message(number, channel="email"))
    office.run()
    for _ in range(3):
        office.notifications.hear(report(message(channel="email"), "opened"), NOW)
    office.notifications.note_returns(3)
    office.notifications.note_returns(3)
    assert office.notifications.returns(PROGRAM) == {"email": {"sent": 2, "opened": 1}}


def test_waits_double_stay_apart_and_end_with_the_day() -> None:
    one = message(first=NOW)
    waits = []
    now = NOW
    for _ in range(100):
        one = put_off(one, "busy")
        due = next_try(one, now)
        if not due:
            break
        waits.append(due - now)
        now = due
    assert all(7 <= wait <= 4_500 for wait in waits)
    assert waits[0] < 38 < waits[5]
    assert now <= NOW + TRIED_S
    others = {next_try(put_off(message(number, first=NOW, attempts=9), "x"), NOW) for number in range(50)}
    assert len(others) > 40
    assert next_try(put_off(message(first=NOW), "x"), NOW, 7_000) == NOW + 7_000


def test_ids_and_names_are_read_back_and_nonsense_is_none() -> None:
    name = name_of("win-back", "2026", "day3", "sms")
    assert locate(message_id(account(), name)) == (account(), name)
    for text in (
        "",
        "msg_",
        f"msg_{1:026d}-",
        f"msg_{1:026d}-a",
        f"ent_{1:026d}-a.b.c",
        f"msg_{1:026d}-a.b.c#d",
        f"msg_{1:026d}-{'a.' * 200}",
    ):
        assert locate(text) is None


def test_a_message_is_stored_and_read_back() -> None:
    one = message(notice=NOTICE, links=("https://a",), content=Content("s", "t"), facts={"sent": 5}, revision=3)
    assert decode(encode(one), one.program, one.account, one.name, 3) == one
    with pytest.raises(Corrupt):
        decode("{}", "p", "a", "n", 1)


def test_a_message_that_is_gone_from_the_table_is_no_reason_to_send_it() -> None:
    office = Office()
    assert isinstance(office.store, MessageStore)
    assert office.notifications.hear(report(message(), "sent"), NOW) == "unknown"


def test_who_cannot_read_the_key_of_links_leaves_the_message_to_be_sent_later() -> None:
    provider = Provider()
    office = Office(provider)
    one = message(links=("https://shop.example/x",))
    office.put(one)
    whole = office.notifications._ports  # noqa: SLF001 - what is around it breaks for a moment

    def refuse(_: Message) -> tuple[tuple[str, ...], str]:
        raise Unavailable("STORAGE_UNAVAILABLE", "again", retry_after=1)

    (which,) = office.hand_on()
    office.notifications._ports = whole._replace(addresses=refuse)  # noqa: SLF001 - as above
    with pytest.raises(Unavailable):
        office.notifications.send(which, office.now, office.now)
    office.notifications._ports = whole  # noqa: SLF001 - as above
    assert office.notifications.send(which, office.now, office.now) == "sent"
    assert provider.asked == 1


def test_what_was_held_back_for_a_day_after_its_first_try_has_its_day_of_tries_all_the_same() -> None:
    provider = Provider(answers=[LATER])
    office = Office(provider)
    one = message()
    office.put(one)
    office.run()
    office.campaigns = {"hello": "paused"}
    office.now += HOUR
    office.run()
    office.now += DAY
    office.campaigns = {}
    provider.answers = [LATER]
    office.run()
    office.until_quiet()
    assert (office.message(one).state, office.told) == ("sent", [])
