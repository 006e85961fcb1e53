"""WeChat and WeCom, over HTTP with servers that check as theirs do, misbehave, and know what they really took."""

from collections.abc import Iterator
from typing import Any

import pytest

from loyalty.channels import tencent, wechat, wecom
from loyalty.channels.channel import Channel, Kind, Sending
from loyalty.channels.wechat import WeChat as WeChatChannel
from loyalty.channels.wecom import WeCom as WeComChannel
from tests.providers import TAKES, Fault, WeChat, WeCom, serving
from tests.unit.channel_rig import Copies, Impatient, Words, hang_up, sending

NOW = 1_790_000_000
FILLED = {
    "template_id": "T-points",
    "page": "pages/points?from=msg",
    "thing1": "秋天双倍积分",
    "number2": "1200",
    "date3": "2026-11-22",
}
WORDS = Words(
    subject="您的积分", text="您有 1200 积分 <3", data={"url": "https://grocer.example/p", "title": "积分商城"}
)
Platform = WeChat | WeCom


@pytest.fixture
def platform(request: pytest.FixtureRequest) -> Iterator[Platform]:
    """One of the two, with a member who can be reached five times and one who cannot."""
    with serving(_wechat() if request.param == "wechat" else _wecom()) as server:
        server.now = lambda: NOW
        yield server
        hang_up()
        assert server.complaints == []


both = pytest.mark.parametrize("platform", ["wechat", "wecom"], indirect=True)
only_wechat = pytest.mark.parametrize("platform", ["wechat"], indirect=True)
only_wecom = pytest.mark.parametrize("platform", ["wecom"], indirect=True)


def _wechat() -> WeChat:
    server = WeChat()
    server.templates["T-points"] = ("thing1", "number2", "date3")
    server.members = {"openid-1": {"T-points": 5}, "openid-none": {}}
    return server


def _wecom() -> WeCom:
    server = WeCom()
    server.customers = {"wm-1": 4, "wm-full": 0}
    return server


class Sender:
    """A running copy with its channel."""

    def __init__(self, platform: Platform, copies: Copies | None = None, **account: Any) -> None:
        self.copies = copies or Copies()
        self.post = Impatient()
        self.channel: Channel
        if isinstance(platform, WeChat):
            given = {"app_id": platform.app_id, "secret": platform.secret, "base_url": platform.url} | account
            self.channel = WeChatChannel(wechat.Account(**given), self.post, self.copies.ask("wechat"))
        else:
            given = {
                "corp_id": platform.corp_id,
                "corp_secret": platform.corp_secret,
                "base_url": platform.url,
            } | account
            self.channel = WeComChannel(wecom.Account(**given), self.post, self.copies.ask("wecom"))

    def message(self, address: str = "", **changed: Any) -> Sending:
        if self.channel.name == "wechat":
            return sending("wechat", address or "openid-1", Words(data={**FILLED, **changed}))
        return sending("wecom", address or "wm-1", changed.pop("words", WORDS))

    def send(self, address: str = "", now: int = NOW, **changed: Any) -> tuple[Kind, str]:
        outcome = self.channel.send(self.message(address, **changed), now)
        return outcome.kind, outcome.code


@both
def test_a_message_arrives_and_the_token_is_asked_for_once(platform: Platform) -> None:
    sender = Sender(platform)
    assert [sender.send() for _ in range(3)] == [("accepted", "")] * 3
    assert len(platform.taken) == 3
    assert platform.counts[platform.token_path] == 1
    assert sender.copies.calls == ["GetItem", "PutItem", "PutItem"], "one read, the lease, the token; then nothing"


@only_wechat
def test_wechat_gets_the_template_with_its_values(platform: WeChat) -> None:
    assert Sender(platform, state="trial").send(lang="en_US") == ("accepted", "")
    assert platform.taken == [
        {
            "touser": "openid-1",
            "template_id": "T-points",
            "page": "pages/points?from=msg",
            "data": {
                "thing1": {"value": "秋天双倍积分"},
                "number2": {"value": "1200"},
                "date3": {"value": "2026-11-22"},
            },
            "miniprogram_state": "trial",
            "lang": "en_US",
        }
    ]


@only_wecom
def test_wecom_gets_a_task_for_one_customer(platform: WeCom) -> None:
    assert Sender(platform, sender="lina").send() == ("accepted", "")
    assert platform.taken == [
        {
            "chat_type": "single",
            "external_userid": ["wm-1"],
            "sender": "lina",
            "text": {"content": "您有 1200 积分 <3"},
            "attachments": [{"msgtype": "link", "link": {"title": "积分商城", "url": "https://grocer.example/p"}}],
        }
    ]


@only_wechat
@pytest.mark.parametrize(
    ("address", "changed", "found"),
    [
        ("openid-nobody", {}, ("dead", "40003")),
        ("openid-none", {}, ("refused", "43101")),
        ("", {"template_id": "T-other"}, ("refused", "40037")),
        ("", {"template_id": ""}, ("refused", "no_template")),
        ("", {"page": "pages/gone"}, ("refused", "41030")),
        ("", {"thing1": "一" * 21}, ("refused", "47003")),
        ("", {"thing1": ""}, ("refused", "47003")),
        ("", {"number2": "1,200"}, ("refused", "47003")),
        ("", {"date3": "soon"}, ("refused", "47003")),
        ("", {"thing9": "one key too many"}, ("refused", "47003")),
    ],
)
def test_what_wechat_does_not_take_is_refused_or_dead(
    platform: WeChat, address: str, changed: dict[str, Any], found: tuple[str, str]
) -> None:
    assert Sender(platform).send(address, **changed) == found
    assert platform.taken == []


@only_wecom
@pytest.mark.parametrize(
    ("address", "words", "found"),
    [
        ("wm-nobody", WORDS, ("dead", "40096")),
        ("wm-full", WORDS, ("refused", "41048")),
        ("", Words(), ("refused", "44004")),
        ("", Words(text="积" * 1334), ("refused", "too_long")),
    ],
)
def test_what_wecom_does_not_take_is_refused_or_dead(
    platform: WeCom, address: str, words: Words, found: tuple[str, str]
) -> None:
    assert Sender(platform).send(address, words=words) == found
    assert platform.taken == []


@only_wecom
def test_a_title_that_is_too_long_is_cut_between_two_letters(platform: WeCom) -> None:
    words = Words(text="hello", data={"url": "https://grocer.example", "title": "积" * 100})
    assert Sender(platform).send(words=words) == ("accepted", "")
    assert platform.taken[0]["attachments"][0]["link"]["title"] == "积" * 42


WRONG_ACCOUNT = [("wechat", {"secret": "no"}, "40125"), ("wechat", {"app_id": "no"}, "40013"),
                 ("wecom", {"corp_secret": "no"}, "40001"), ("wecom", {"corp_id": "no"}, "40013")]  # fmt: skip


@pytest.mark.parametrize(("platform", "account", "code"), WRONG_ACCOUNT, indirect=["platform"])
def test_a_wrong_secret_keeps_messages_until_it_is_mended(
    platform: Platform, account: dict[str, str], code: str
) -> None:
    copies = Copies()
    outcome = Sender(platform, copies, **account)
    first = outcome.channel.send(outcome.message(), NOW)
    assert (first.kind, first.code, first.retry_after_s) == ("later", code, tencent.MENDED_S)
    assert Sender(platform, copies).send(now=NOW + 20) == ("accepted", "")


@both
def test_a_token_that_ended_is_renewed_once_and_the_message_sent_again(platform: Platform) -> None:
    sender = Sender(platform)
    assert sender.send() == ("accepted", "")
    platform.faults = [Fault.EXPIRED]
    assert sender.send() == ("accepted", "")
    assert (len(platform.taken), platform.made) == (2, 2)
    assert platform.counts[platform.message_path] == 3


@both
def test_a_token_that_the_platform_threw_away_is_renewed(platform: Platform) -> None:
    sender = Sender(platform)
    assert sender.send() == ("accepted", "")
    platform.void()
    assert sender.send() == ("accepted", "")
    assert len(platform.taken) == 2


@both
def test_a_token_that_another_copy_has_renewed_is_picked_up(platform: Platform) -> None:
    copies = Copies()
    one, two = Sender(platform, copies), Sender(platform, copies)
    assert (one.send(), two.send()) == (("accepted", ""), ("accepted", ""))
    assert platform.counts[platform.token_path] == 1, "the second copy read the first one's"
    platform.expire()
    assert (one.send(), two.send()) == (("accepted", ""), ("accepted", ""))
    assert platform.counts[platform.token_path] == 2


@both
def test_a_token_is_renewed_before_it_ends(platform: Platform) -> None:
    clock = [NOW]
    platform.now = lambda: clock[0]
    sender = Sender(platform)
    assert sender.send() == ("accepted", "")
    clock[0] += platform.lasts_s - 200
    assert sender.send(now=clock[0]) == ("accepted", "")
    assert platform.counts[platform.token_path] == 2
    assert platform.counts[platform.message_path] == 2, "nobody was refused for it"


@only_wechat
def test_wechat_is_told_to_throw_away_a_token_that_it_gives_out_and_refuses(platform: WeChat) -> None:
    sender = Sender(platform)
    assert sender.send() == ("accepted", "")
    spoiled = platform.current
    platform.refuses = lambda token: token == spoiled
    assert sender.send() == ("accepted", "")
    assert platform.forced == 1
    platform.refuses = lambda token: True
    for second in range(0, 300, 30):
        assert sender.send(now=NOW + second)[0] == "later"
    assert platform.forced == 1, "once in over an hour is enough"


@both
@pytest.mark.parametrize("fault", [*Fault])
def test_whatever_happens_on_the_way_the_outcome_says_no_more_than_is_known(platform: Platform, fault: Fault) -> None:
    sender = Sender(platform)
    platform.faults = [fault]
    sender.post.hurry(fault, platform)
    kind, code = sender.send()
    arrived = len(platform.taken)
    assert arrived == (fault in TAKES or fault is Fault.EXPIRED)
    if fault is Fault.EXPIRED:
        assert kind == "accepted"
    elif kind == "later":
        assert not arrived, f"{fault}: it would be sent twice"
        assert fault in (Fault.ELSEWHERE, Fault.RATE, Fault.ERR_BUSY, Fault.ERR_QUOTA), code
    else:
        assert kind == "doubtful", (kind, code)
    if kind == "doubtful":
        assert code in ("timeout", "reset", "answer_too_long", "http_500", "http_503", "http_200")


@both
@pytest.mark.parametrize("fault", [one for one in Fault if one is not Fault.EXPIRED])
def test_whatever_happens_to_the_token_nothing_is_in_doubt(platform: Platform, fault: Fault) -> None:
    copies = Copies()
    platform.token_faults = [fault]
    sender = Sender(platform, copies)
    sender.post.hurry(fault, platform)
    assert sender.send()[0] == "later"
    assert platform.taken == []
    assert Sender(platform, copies).send() == ("later", "token_busy"), "the lease has not run out"
    assert Sender(platform, copies).send(now=NOW + 20) == ("accepted", "")


@both
def test_nobody_there_is_later(platform: Platform) -> None:
    sender = Sender(platform, base_url="http://127.0.0.1:9")
    assert sender.send() == ("later", "unreachable")


def test_a_days_quota_comes_back_at_midnight_in_china() -> None:
    at_2300 = 1_763_823_600  # 2025-11-22 23:00 +08:00
    assert tencent.tomorrow(at_2300) == 3600
    for codes in (wechat.MEANINGS, wecom.MEANINGS):
        outcome = tencent.verdict(45009, codes, at_2300)
        assert (outcome.kind, outcome.retry_after_s) == ("later", 3600)


@pytest.mark.parametrize("meanings", [wechat.MEANINGS, wecom.MEANINGS])
def test_no_code_of_an_error_makes_a_message_be_accepted(meanings: dict[int, tencent.Meaning]) -> None:
    for code in {*meanings, 1, 99999, None, "0"}:
        assert tencent.verdict(code, meanings, NOW).kind != "accepted"
    assert tencent.verdict(99999, meanings, NOW).kind == "refused"
    assert tencent.verdict(None, meanings, NOW).kind == "doubtful", "an answer without a code says nothing"
