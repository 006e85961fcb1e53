"""The contacts function as it runs: the policy, a member's consents and addresses, and the link that ends it."""

import json
import re
from collections.abc import Iterator
from html import unescape
from importlib import import_module
from typing import Any

import pytest

from loyalty.contacts import unsubscribe
from loyalty.contacts.decide import Candidate, decide
from loyalty.contacts.policy import DEFAULT, OfferGuard
from loyalty.contacts.preferences import CHANNELS
from loyalty.contacts.service import Change, Contacts
from loyalty.contacts.store import ContactStore, record_put
from loyalty.contacts.unsubscribe import ALL, Link
from loyalty.errors import Conflict
from loyalty.runtime import observability, wiring
from tests.unit.running import PROGRAM, Running, forget

PHONE = "+86 138 1234 1234"
EMAIL = "someone.private@example.com"
DAY = 86_400
NOW = 1_790_000_000
HOUR = 3_600
NOON = 1_789_984_800
"""21 September 2026, 12:00 in Berlin."""


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    found = Running().deploy(monkeypatch)
    found.establish(name="Grocer <b>& Co</b>")
    yield found
    forget()


class Shop:
    """A shop, a member of its, and what they ask."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.keys = {role: running.key(role) for role in ("operator", "shop", "marketer", "auditor")}
        made = self.ask("operator", "POST /v1/members", {"identities": ["card:1"]}, status=201, id=None)
        self.member = str(made["id"])
        token = self.ask("shop", "POST /v1/members/{id}/tokens", {}, status=201)
        self.keys["member"] = str(token["token"])

    def ask(self, who: str, key: str, body: Any = None, *, status: int = 200, **further: Any) -> Any:
        params = {"id": further.pop("id", None) or getattr(self, "member", "")}
        answer = self.running.call(self.keys[who], key, body, params=params, **further)
        assert answer.status == status, answer.body
        return answer.body

    def contact(self, who: str = "shop") -> Any:
        return self.ask(who, "GET /v1/members/{id}/contact")

    def change(self, who: str = "shop", status: int = 200, **body: Any) -> Any:
        return self.ask(who, "PUT /v1/members/{id}/contact", body, status=status)


@pytest.fixture
def shop(running: Running) -> Shop:
    return Shop(running)


def follow(link: str, method: str = "POST", **headers: str) -> dict[str, Any]:
    """What a browser or a mail program gets; nobody is logged in."""
    event = {
        "version": "2.0",
        "routeKey": f"{method} /v1/unsubscribe/{{token}}",
        "pathParameters": {"token": link.rpartition("/")[2]},
        "headers": headers,
        "body": "List-Unsubscribe=One-Click",
        "requestContext": {"requestId": "r"},
    }
    answer: dict[str, Any] = import_module("functions.contacts.handler").lambda_handler(event, None)
    return answer


def test_until_anything_is_said_mail_and_messages_need_consent_and_the_inbox_does_not(shop: Shop) -> None:
    consents = shop.contact()["consents"]
    assert {name for name, one in consents.items() if one.get("agreed")} == {"inbox", "webhook"}
    assert all("by" not in one for one in consents.values())


def test_a_consent_is_taken_down_with_who_and_when(shop: Shop) -> None:
    shop.change("shop", consents={"email": True})
    by_shop = shop.contact()["consents"]["email"]
    assert by_shop["agreed"] is True
    assert by_shop["by"].startswith("cli_")
    shop.change("member", consents={"email": False})
    by_member = shop.contact("member")["consents"]["email"]
    assert (by_member["agreed"], by_member["by"]) == (False, "member")
    given = ContactStore(shop.running.table).preferences(PROGRAM, shop.member).given
    assert [(one.channel, one.agreed) for one in given] == [("email", True), ("email", False)]
    assert all(one.at > NOW - 10 * 365 * DAY for one in given)


def test_addresses_are_answered_masked_and_lie_in_their_own_partition_alone(shop: Shop) -> None:
    answer = shop.change(addresses={"phone": PHONE, "email": EMAIL, "openid": "o6_bmjrPTlm6_2sgVt7hMZOPfL2M"})
    assert answer["addresses"] == {
        "phone": "+86•••••••1234",
        "email": "s•••@example.com",
        "openid": "•••fL2M",
    }
    stored = [item for item in shop.running.engine.items() if "13812341234" in json.dumps(item)]
    assert [item["pk"]["S"] for item in stored] == [f"{PROGRAM}#A#{shop.member}"]
    elsewhere = [item for item in shop.running.engine.items() if "#A#" not in item["pk"]["S"]]
    assert "someone.private" not in json.dumps(elsewhere)


def test_the_zero_that_nobody_abroad_may_dial_is_no_part_of_a_number(shop: Shop) -> None:
    for written in ("+49 (0) 30 123456", "0049 (0)30/123456", "+49 30 123456"):
        shop.change(addresses={"phone": written})
        assert ContactStore(shop.running.table).addresses(PROGRAM, shop.member).phone == "+4930123456"


def test_nothing_personal_is_logged(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    noted: list[Any] = []
    monkeypatch.setattr(observability, "record", lambda *args, **further: noted.append((args, further)))
    shop.change(addresses={"phone": PHONE, "email": EMAIL})
    refused = shop.change(addresses={"email": "someone.private(at)example.com"}, status=400)
    shop.contact()
    written = repr(noted) + capsys.readouterr().out
    assert noted
    assert "someone.private" not in written + json.dumps(refused)
    assert "1381234" not in written
    assert EMAIL not in repr(ContactStore(shop.running.table).addresses(PROGRAM, shop.member))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email", "a@example.com>,<b@example.com"),
        ("email", "a@example.com\r\nBcc: b@example.com"),
        ("email", "a b@example.com"),
        ("email", "a@localhost"),
        ("phone", "13812341234"),
        ("phone", "+0123456789"),
        ("openid", "o6 b"),
        ("push_endpoint", "https://example.com/endpoint"),
        ("external_userid", "x" * 65),
    ],
)
def test_what_is_no_address_is_refused_without_being_quoted(shop: Shop, kind: str, text: str) -> None:
    refused = shop.change(addresses={kind: text}, status=400)
    assert refused["field"] == f"addresses.{kind}"
    assert text not in json.dumps(refused)
    assert shop.contact()["addresses"] == {}


def test_an_address_makes_a_dead_channel_alive_and_null_forgets_it(shop: Shop) -> None:
    shop.change(addresses={"email": EMAIL, "phone": PHONE})
    wiring.contacts().dead(PROGRAM, shop.member, "email", "bounced", NOW)
    wiring.contacts().dead(PROGRAM, shop.member, "email", "bounced", NOW)
    assert shop.contact()["dead"] == {"email": "bounced"}
    shop.change(addresses={"email": "new@example.com"})
    assert shop.contact()["dead"] == {}
    assert "phone" not in shop.change(addresses={"phone": None})["addresses"]
    assert wiring.contacts().alive(PROGRAM, shop.member, ["sms"]) is False
    assert wiring.contacts().alive(PROGRAM, shop.member, ["sms", "email"]) is True


def test_another_address_of_the_same_kind_is_a_change(shop: Shop) -> None:
    shop.change(addresses={"email": EMAIL})
    shop.change(addresses={"email": "new@example.com"})
    assert ContactStore(shop.running.table).addresses(PROGRAM, shop.member).email == "new@example.com"


def test_a_member_changes_what_it_agreed_to_and_not_where_it_is_reached(shop: Shop) -> None:
    changed = shop.change(
        "member",
        consents={"sms": True},
        timezone="Asia/Shanghai",
        language="zh-CN",
        order=["wechat", "sms"],
        quiet={"quiet_from": "22:00", "quiet_until": "10:00"},
        per_week=1,
    )
    assert changed["timezone"] == "Asia/Shanghai"
    assert changed["quiet"] == ["22:00", "10:00"]
    assert (changed["order"], changed["per_week"]) == (["wechat", "sms"], 1)
    refused = shop.change("member", addresses={"phone": PHONE}, status=403)
    assert refused["code"] == "AUTH_SCOPE_MISSING"
    back = shop.change("member", quiet=None, per_week=None, timezone="")
    assert {"quiet", "per_week", "timezone"} & set(back) == set()
    assert back["language"] == "zh-CN"


def test_nobody_reads_or_changes_anothers_contact(shop: Shop) -> None:
    other = shop.ask("operator", "POST /v1/members", {"identities": ["card:2"]}, status=201)["id"]
    for key in ("GET /v1/members/{id}/contact", "PUT /v1/members/{id}/contact", "GET /v1/members/{id}/contacts"):
        body: Any = {} if key.startswith("PUT") else None
        assert shop.ask("member", key, body, status=403, id=other)["code"] == "AUTH_MEMBER_FORBIDDEN"
        assert shop.ask("marketer", key, body, status=403)["code"] == "AUTH_SCOPE_MISSING"
        unknown = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"
        assert shop.ask("shop", key, body, status=404, id=unknown)["code"] == "MEMBER_NOT_FOUND"


@pytest.mark.parametrize(
    "body",
    [
        {"timezone": "Mars/Olympus"},
        {"timezone": "localtime"},
        {"timezone": "posixrules"},
        {"timezone": "Factory"},
        {"timezone": "../etc/passwd"},
        {"order": ["email", "email"]},
        {"order": ["pigeon"]},
        {"consents": {"pigeon": True}},
        {"quiet": {"quiet_from": "24:00", "quiet_until": "09:00"}},
        {"per_week": -1},
        {"language": "<script>"},
        {"addresses": {"fax": "1"}},
    ],
)
def test_what_makes_no_sense_is_refused(shop: Shop, body: dict[str, Any]) -> None:
    refused = shop.ask("shop", "PUT /v1/members/{id}/contact", body, status=400)
    assert refused["code"] == "REQUEST_INVALID"


def test_a_change_of_what_was_changed_meanwhile_is_refused(shop: Shop) -> None:
    shop.change(consents={"sms": True})
    change, no = "PUT /v1/members/{id}/contact", {"consents": {"sms": False}}
    refused = shop.ask("shop", change, no, status=412, headers={"If-Match": '"7"'})
    assert refused["code"] == "CONTACT_VERSION_CONFLICT"
    shop.ask("shop", change, no, headers={"If-Match": '"1"'})


def test_the_policy_has_a_default_and_is_replaced_over_the_version_that_was_read(shop: Shop) -> None:
    default = shop.ask("marketer", "GET /v1/contact-policy")
    assert (default["contact_hour"], default["quiet_from"], default["consent"]["sms"]) == (9, "21:00", "opt_in")
    shop.ask("operator", "PUT /v1/contact-policy", default, status=428)
    put = {"caps": [{"count": 2, "days": 7, "channel": "sms"}], "consent": {"email": "opt_out"}, "holdout_percent": 5}
    put |= {"offer_guard": {"points": 500, "days": 30, "multiplier_day": 20}}
    shop.ask("operator", "PUT /v1/contact-policy", default, headers={"If-Match": "*"})
    shop.ask("marketer", "PUT /v1/contact-policy", put, headers={"If-Match": '"1"'})
    wiring._contact_policies.clear()  # noqa: SLF001 - as a minute later
    stored = ContactStore(shop.running.table).policy(PROGRAM)
    assert (stored.version, stored.holdout_percent, stored.caps[0].channel) == (2, 5, "sms")
    assert stored.offer_guard == OfferGuard(500, 30, 20)
    assert shop.contact()["consents"]["email"]["agreed"] is True
    refused = shop.ask("operator", "PUT /v1/contact-policy", put, status=412, headers={"If-Match": '"9"'})
    assert refused["code"] == "CONTACT_POLICY_VERSION_CONFLICT"
    shop.ask("operator", "PUT /v1/contact-policy", {}, headers={"If-Match": '"2"'})


@pytest.mark.parametrize(
    "body",
    [
        {"caps": [{"count": 1, "days": 32}]},
        {"caps": [{"count": 101, "days": 1}]},
        {"quiet_from": "9:00"},
        {"contact_hour": 24},
        {"holdout_percent": 51},
        {"consent": {"email": "maybe"}},
        {"costs": {"sms": -1}},
        {"offer_guard": {"points": 10, "days": 93}},
        {"unknown": 1},
    ],
)
def test_a_policy_that_could_not_be_kept_is_refused(shop: Shop, body: dict[str, Any]) -> None:
    shop.ask("marketer", "PUT /v1/contact-policy", body, status=400, headers={"If-Match": "*"})


def test_what_was_sent_and_left_out_is_told_with_the_reason(shop: Shop) -> None:
    shop.change(consents={"email": True}, addresses={"email": EMAIL})
    store = ContactStore(shop.running.table)
    candidates = [
        Candidate("spring", "1", "hello", 5, ("email",), "a"),
        Candidate("summer", "1", "hello", 1, ("email",), "b"),
    ]
    preferences = store.preferences(PROGRAM, shop.member)
    _, record = decide(candidates, store.record(PROGRAM, shop.member), preferences, store.policy(PROGRAM), "UTC", NOW)
    put = record_put(PROGRAM, shop.member, record)
    shop.running.table.put(put.item, put.condition)
    told = shop.ask("member", "GET /v1/members/{id}/contacts")
    assert [(one["campaign"], one["channel"]) for one in told["sent"]] == [("spring", "email")]
    (left_out,) = told["left_out"]
    assert (left_out["campaign"], left_out["reason"]) == ("summer", "cap")
    assert left_out["why"]


def test_looking_at_the_link_changes_nothing_and_the_button_ends_it(shop: Shop) -> None:
    shop.change(consents={"email": True, "sms": True})
    link = wiring.contacts().unsubscribe_path(PROGRAM, shop.member, "email")
    page = follow(link, "GET")
    assert page["statusCode"] == 200
    assert page["headers"]["content-type"] == "text/html; charset=utf-8"
    assert page["body"].count("<button>") == 1
    assert shop.contact()["consents"]["email"]["agreed"] is True
    for _ in range(2):
        assert follow(link)["statusCode"] == 200
    consents = shop.contact()["consents"]
    assert (consents["email"].get("agreed", False), consents["email"]["by"]) == (False, "unsubscribe")
    assert consents["sms"]["agreed"] is True


def test_the_link_in_the_answer_ends_every_channel(shop: Shop) -> None:
    follow(shop.contact()["unsubscribe"])
    assert not [name for name, one in shop.contact()["consents"].items() if one.get("agreed")]
    preferences = ContactStore(shop.running.table).preferences(PROGRAM, shop.member)
    assert set(preferences.consents) == set(CHANNELS)


def test_who_only_reads_a_contact_gets_no_link_that_changes_it(shop: Shop) -> None:
    assert "unsubscribe" not in shop.contact("auditor")
    assert {"consents", "addresses", "order", "dead"} <= shop.contact("auditor").keys()
    assert "unsubscribe" in shop.contact("member")


def test_the_page_speaks_the_readers_language_and_escapes_the_programmes_name(shop: Shop) -> None:
    link = shop.contact()["unsubscribe"]
    english = follow(link, "GET", **{"accept-language": "de,en;q=0.5"})
    chinese = follow(link, "GET", **{"accept-language": "zh-CN,zh;q=0.9"})
    assert '<html lang="en">' in english["body"]
    assert "Unsubscribe" in english["body"]
    assert '<html lang="zh-CN">' in chinese["body"]
    assert "退订" in chinese["body"]
    for page in (english, chinese):
        assert "<b>" not in page["body"]
        assert "Grocer <b>& Co</b>" in unescape(page["body"])
        assert "<script" not in page["body"]
        assert re.search(r"default-src 'none'; style-src 'sha256-", page["headers"]["content-security-policy"])


def test_a_link_that_is_not_ours_ends_nothing(shop: Shop) -> None:
    good = wiring.contacts().unsubscribe_path(PROGRAM, shop.member, "email").rpartition("/")[2]
    shop.change(consents={"email": True, "sms": True})
    said, _, signature = good.rpartition(".")
    forged = [
        "",
        "x" * 500,
        said,
        f"{said}.{'A' * 22}",
        f"{said.replace('.email', '.sms')}.{signature}",
        f"{said.replace(PROGRAM, 'other')}.{signature}",
        good + "\n",
        good[:-1] + ("A" if good[-1] != "A" else "B"),
    ]
    for token in forged:
        page = follow(token)
        assert page["statusCode"] == 404, token
    assert shop.contact()["consents"]["email"]["agreed"] is True
    # In the last character of 22 only two bits count: no other token reads as the same signature.
    assert wiring.contacts().link(good) == Link(PROGRAM, shop.member, "email")


def test_a_link_outlives_one_rotation_of_the_secret_and_is_short_enough_for_an_sms(shop: Shop) -> None:
    link = Link("p" * 32, "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV", ALL)
    text = unsubscribe.token("old" * 20, link)
    assert unsubscribe.read(("new" * 20, "old" * 20), text) == link
    assert unsubscribe.read(("new" * 20, ""), text) is None
    assert len(unsubscribe.PATH + text) <= 110


def reached(account: str, channel: str, *, service: bool = False, now: int = NOON) -> tuple[str, str, int]:
    return wiring.contacts().reach(PROGRAM, account, channel, service, now, "Europe/Berlin")[:3]


def test_who_unsubscribed_after_the_decision_is_not_reached(shop: Shop) -> None:
    shop.change(consents={"email": True}, addresses={"email": EMAIL})
    assert reached(shop.member, "email") == (EMAIL, "", NOON)
    follow(wiring.contacts().unsubscribe_path(PROGRAM, shop.member, "email"))
    assert reached(shop.member, "email") == ("", "no_consent", NOON)
    assert reached(shop.member, "email", service=True) == (EMAIL, "", NOON)
    wiring.contacts().dead(PROGRAM, shop.member, "email", "complaint", NOW)
    assert reached(shop.member, "email", service=True) == ("", "dead", NOON)
    assert reached(shop.member, "sms", service=True) == ("", "no_address", NOON)


def test_whoever_sends_is_told_when_it_is_not_quiet_where_the_member_is(shop: Shop) -> None:
    shop.change(consents={"email": True}, addresses={"email": EMAIL})
    at_ten, at_nine = NOON + 10 * HOUR, NOON + 21 * HOUR
    assert reached(shop.member, "email", now=at_ten) == (EMAIL, "", at_nine)
    assert reached(shop.member, "email", service=True, now=at_ten) == (EMAIL, "", at_nine)
    shop.change(timezone="America/New_York")  # where it is four in the afternoon
    assert reached(shop.member, "email", now=at_ten) == (EMAIL, "", at_ten)


class Interrupted(ContactStore):
    """A store into which somebody else writes just before, the first ``times``."""

    def __init__(self, running: Running, member: str, times: int) -> None:
        super().__init__(running.table)
        self.other = ContactStore(running.table)
        self.member = member
        self.left = times

    def save(self, program: str, account: str, preferences: Any, addresses: Any) -> None:
        if self.left:
            self.left -= 1
            seen, there = self.other.of(program, account)
            self.other.save(program, account, seen.said({"push": self.left % 2 == 0}, NOW, "other"), there)
        super().save(program, account, preferences, addresses)


def interrupted(shop: Shop, times: int) -> Contacts:
    store = Interrupted(shop.running, shop.member, times)
    return Contacts(store, lambda *_: True, lambda _: DEFAULT, lambda: ("s" * 32,), lambda: ("s" * 32,))


def test_two_changes_at_once_are_both_kept(shop: Shop) -> None:
    change = Change({"email": True}, {"email": EMAIL})
    after, there = interrupted(shop, 2).change(PROGRAM, shop.member, change, None, "cli_1", NOW)
    assert ContactStore(shop.running.table).of(PROGRAM, shop.member)[0] == after
    assert dict(after.consents) == {"email": True, "push": True}
    assert [one.by for one in after.given] == ["other", "other", "cli_1"]
    assert (there.email, after.reached) == (EMAIL, ("email",))


def test_a_bounce_during_a_change_is_not_lost(shop: Shop) -> None:
    interrupted(shop, 3).dead(PROGRAM, shop.member, "sms", "gone", NOW)
    found = ContactStore(shop.running.table).preferences(PROGRAM, shop.member)
    assert dict(found.dead) == {"sms": "gone"}
    assert dict(found.consents) == {"push": True}


def test_whoever_is_never_first_is_told_to_come_again(shop: Shop) -> None:
    with pytest.raises(Conflict) as error:
        interrupted(shop, 99).change(PROGRAM, shop.member, Change({"email": True}), None, "cli_1", NOW)
    assert (error.value.code, error.value.retry_after) == ("ACCOUNT_BUSY", 1)


def test_a_change_that_changes_nothing_writes_nothing(shop: Shop) -> None:
    shop.change(consents={"email": True}, addresses={"email": EMAIL}, per_week=2)
    before = shop.running.everything()
    shop.change(consents={"email": True}, addresses={"email": EMAIL}, per_week=2)
    assert shop.running.everything() == before
