"""The secret of the channels: what it says for each programme, and what becomes of one that is wrong."""

import json
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.channels.channel import AwsRefused, Call, Sending
from loyalty.channels.mail import Account as MailAccount
from loyalty.channels.settings import Settings, settings_of
from loyalty.channels.signing import secret_of
from loyalty.channels.sms import Account as SmsAccount
from loyalty.channels.webhook import Account as WebhookAccount
from loyalty.channels.wechat import Account as WeChatAccount
from loyalty.channels.wecom import Account as WeComAccount
from loyalty.notifications.message import Content
from loyalty.runtime import senders
from loyalty.runtime.config import config

KEY = secret_of(bytes(32))
WHOLE = {
    "*": {"email": {"from": "all@example.com"}, "sms": {}, "push": {}},
    "grocer": {
        "email": {"from": "points@grocer.example", "configuration_set": "own", "reply_to": "help@grocer.example"},
        "sms": {"sender": "GROCER"},
        "push": None,
        "wechat": {"app_id": "wx1", "secret": "hush-1", "state": "trial"},
        "wecom": {"corp_id": "ww1", "corp_secret": "hush-2", "sender": "lina", "base_url": "https://proxy.example/"},
        "webhook": {"url": "https://grocer.example/hook", "secret": KEY, "previous": KEY},
    },
}


def test_a_programme_has_what_all_have_but_for_what_it_says_itself() -> None:
    assert settings_of(json.dumps(WHOLE), "other", "messages") == Settings(
        email=MailAccount("all@example.com", "messages"), sms=SmsAccount(), push=True
    )
    assert settings_of(json.dumps(WHOLE), "grocer", "messages") == Settings(
        email=MailAccount("points@grocer.example", "own", "help@grocer.example"),
        sms=SmsAccount("GROCER"),
        wechat=WeChatAccount("wx1", "hush-1", state="trial"),
        wecom=WeComAccount("ww1", "hush-2", "lina", "https://proxy.example"),
        webhook=WebhookAccount("https://grocer.example/hook", (KEY, KEY)),
    )
    assert settings_of("{}", "grocer") == Settings()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hush-1", "is not JSON"),
        ("[]", "is no object"),
        ('{"grocer": 1}', "grocer is no object"),
        ('{"grocer": {"fax": {}}}', "'fax', which is no channel"),
        ('{"*": {"sms": []}}', "sms is no object"),
        ('{"grocer": {"email": {}}}', "email needs the text 'from'"),
        ('{"grocer": {"sms": {"sender": "TWELVELETTERS"}}}', "sms has a sender"),
        ('{"grocer": {"wechat": {"app_id": "wx", "secret": 5}}}', "wechat needs the text 'secret'"),
        ('{"grocer": {"wechat": {"app_id": "wx", "secret": "hush-1", "state": "x"}}}', "wechat has a state"),
        ('{"grocer": {"webhook": {"url": "https://a", "secret": "hush-1"}}}', "webhook"),
    ],
)
def test_what_is_wrong_is_said_by_channel_and_field_without_a_value(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as error:
        settings_of(text, "grocer")
    assert "hush" not in str(error.value)


WORDS = st.sampled_from(["*", "grocer", "email", "from", "sms", "sender", "wechat", "push", "webhook", "url"])
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
SECRETS = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner), max_leaves=12)


@given(SECRETS)
def test_any_json_is_settings_or_a_value_error_of_ours(secret: object) -> None:
    ours = pytest.raises(ValueError, match="secret of the channels")
    try:
        settings_of(json.dumps(secret), "grocer")
    except ValueError:
        with ours:
            settings_of(json.dumps(secret), "grocer")


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the secret says, to be changed; copies begin anew."""
    said = [json.dumps(WHOLE)]
    monkeypatch.setattr(senders, "channels_secret", lambda: said[0])
    monkeypatch.setenv("TABLE_NAME", "table")
    monkeypatch.setenv("MAIL_CONFIGURATION_SET", "messages")
    for known in (senders._settings, senders._breakers, senders._channels):  # noqa: SLF001
        monkeypatch.setattr(senders, next(name for name, value in vars(senders).items() if value is known), {})
    config.cache_clear()
    yield said
    config.cache_clear()
    senders.tokens.cache_clear()
    senders.http.cache_clear()


def test_a_copy_has_a_programmes_channels_and_makes_them_once(secret: list[str]) -> None:
    found = senders.channels("grocer")
    assert found.keys() == {"email", "sms", "wechat", "wecom", "webhook"}
    assert {name: channel.name for name, channel in found.items()} == {name: name for name in found}
    assert {name: channel.reported for name, channel in found.items() if channel.reported} == {"email": "own"}
    assert senders.channels("grocer") is found
    assert senders.channels("other").keys() == {"email", "sms", "push"}


def test_a_new_secret_is_followed_and_a_wrong_one_is_not(secret: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "wechat" in senders.channels("grocer")
    secret[0] = json.dumps({"grocer": {"sms": {}}})
    assert senders.channels("grocer").keys() == {"sms"}
    for wrong in ("hush-hush", '{"grocer": {"wechat": {}}}'):
        secret[0] = wrong
        assert senders.channels("grocer").keys() == {"sms"}
        with pytest.raises(ValueError, match="secret of the channels"):
            senders.channels("new" if wrong == "hush-hush" else _stranger(secret))
    said = capsys.readouterr().out
    assert '"ChannelsMisconfigured":1' in said
    assert "hush" not in said


def _stranger(secret: list[str]) -> str:
    secret[0] = '{"stranger": {"fax": {}}}'
    return "stranger"


def test_one_programmes_wrong_sender_holds_up_no_other_programmes_mail(
    secret: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret[0] = json.dumps(
        {"wrong": {"email": {"from": "a@nobody.example"}}, "right": {"email": {"from": "a@shops.example"}}}
    )

    def aws(service: str, operation: str) -> Call:
        def call(request: Mapping[str, object]) -> Mapping[str, object]:
            assert (service, operation) == ("sesv2", "send_email")
            if "nobody" in str(request["FromEmailAddress"]):
                raise AwsRefused("MailFromDomainNotVerifiedException", 400)
            return {"MessageId": "1"}

        return call

    monkeypatch.setattr(senders, "aws", aws)

    def send(program: str) -> str:
        sending = Sending("msg_1", program, "email", "a@b.example", Content("Hello", "Hello"))
        outcome = senders.channels(program)["email"].send(sending, 1_000)
        return outcome.code or outcome.kind

    assert [send("wrong"), send("wrong")] == ["MailFromDomainNotVerifiedException", "open"]
    assert send("right") == "accepted"
