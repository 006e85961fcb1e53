"""Mail, text messages and push: the requests as AWS's own models have them, and what each error means."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sesv2.models import sesv2_backends
from moto.sns.models import sns_backends

from loyalty.channels import mail, push, sms
from loyalty.channels.channel import AwsRefused, Call, Channel, Kind, NoAnswer, NotSent
from loyalty.channels.mail import Mail
from loyalty.channels.push import Push
from loyalty.channels.sms import Sms
from loyalty.runtime import senders
from tests.unit.channel_rig import Words, sending

REGION = "eu-central-1"
WORDS = Words(subject="积分 expiring", text="您有 200 积分", html="<p>您有 200 积分</p>", data={"points": "200"})
MAIL = sending(
    "email",
    "ming@example.com",
    WORDS,
    id="msg_01J0000000000000000000AAAA-autumn.2026-1.2",
    tags={"loyalty-program": "grocer", "loyalty-message": "bXNnXzAx", "variant": "a b", "service": ""},
    unsubscribe="https://u.example/v1/unsubscribe/abc",
)


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SES and SNS, simulated behind real clients of botocore."""
    with mock_aws():
        monkeypatch.setattr(senders, "_client", lambda service: boto3.client(service, REGION))
        yield


class Script:
    """A call that answers or raises as it is told."""

    def __init__(self, outcome: Mapping[str, object] | Exception) -> None:
        self.outcome = outcome
        self.requests: list[Mapping[str, object]] = []

    def __call__(self, request: Mapping[str, object]) -> Mapping[str, object]:
        self.requests.append(request)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def test_a_mail_is_what_ses_takes(amazon: None) -> None:
    boto3.client("sesv2", REGION).create_email_identity(EmailIdentity="grocer.example")
    boto3.client("ses", REGION).verify_email_identity(EmailAddress="points@grocer.example")
    channel = Mail(mail.Account("points@grocer.example"), senders.aws("sesv2", "send_email"))
    outcome = channel.send(MAIL, 0)
    assert outcome.kind == "accepted"
    (sent,) = sesv2_backends[DEFAULT_ACCOUNT_ID][REGION].core_backend.sent_messages
    assert outcome.provider_id == sent.id
    assert sent.destinations == {"ToAddresses": ["ming@example.com"]}
    assert sent.subject == "积分 expiring"


def test_a_mail_can_be_unsubscribed_in_one_step_and_comes_back_under_its_id() -> None:
    script = Script({"MessageId": "ses-1"})
    account = mail.Account("Grocer <points@grocer.example>", "messages", "help@grocer.example")
    outcome = Mail(account, script).send(MAIL, 0)
    assert (outcome.kind, outcome.provider_id) == ("accepted", "ses-1")
    (request,) = script.requests
    simple: Any = request["Content"]
    assert simple["Simple"]["Headers"] == [
        {"Name": "List-Unsubscribe", "Value": "<https://u.example/v1/unsubscribe/abc>"},
        {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
    ]
    assert simple["Simple"]["Body"]["Html"] == {"Data": "<p>您有 200 积分</p>", "Charset": "UTF-8"}
    assert request["ConfigurationSetName"] == "messages"
    assert request["ReplyToAddresses"] == ["help@grocer.example"]
    tags: Any = request["EmailTags"]
    assert [(tag["Name"], tag["Value"]) for tag in tags] == [
        ("loyalty-program", "grocer"),
        ("loyalty-message", "bXNnXzAx"),
        ("variant", "a_b"),
    ]


def test_a_message_that_cannot_be_ended_has_no_such_header_and_one_without_html_no_such_body() -> None:
    script = Script({"MessageId": "1"})
    Mail(mail.Account("a@b.example"), script).send(sending("email", "m@x.example", Words(subject="s", text="t")), 0)
    content: Any = script.requests[0]["Content"]
    assert content == {"Simple": {"Subject": {"Data": "s", "Charset": "UTF-8"},
                                  "Body": {"Text": {"Data": "t", "Charset": "UTF-8"}}}}  # fmt: skip
    assert "ConfigurationSetName" not in script.requests[0]


def test_a_text_message_is_what_sns_takes(amazon: None) -> None:
    outcome = Sms(sms.Account("GROCER"), senders.aws("sns", "publish")).send(
        sending("sms", "+8613800000000", WORDS, tags={"service": "1"}), 0
    )
    assert (outcome.kind, bool(outcome.provider_id)) == ("accepted", True)
    ((_, (number, text)),) = [(key, value[:2]) for key, value in _texts().items()]
    assert (number, text) == ("+8613800000000", "您有 200 积分")


def _texts() -> dict[str, Any]:
    found: dict[str, Any] = sns_backends[DEFAULT_ACCOUNT_ID][REGION].sms_messages
    return {key: [value] if isinstance(value, str) else [*value] for key, value in found.items()}


@pytest.mark.parametrize(("tags", "kind"), [({"service": "1"}, "Transactional"), ({}, "Promotional")])
def test_what_a_member_must_know_goes_before_what_is_nice_to_know(tags: dict[str, str], kind: str) -> None:
    script = Script({"MessageId": "1"})
    Sms(sms.Account("GROCER"), script).send(sending("sms", "+8613800000000", WORDS, tags=tags), 0)
    assert script.requests == [
        {
            "PhoneNumber": "+8613800000000",
            "Message": "您有 200 积分",
            "MessageAttributes": {
                "AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": kind},
                "AWS.SNS.SMS.SenderID": {"DataType": "String", "StringValue": "GROCER"},
            },
        }
    ]


def test_a_push_message_reaches_an_endpoint_until_the_platform_disables_it(amazon: None) -> None:
    sns = boto3.client("sns", REGION)
    keys = {"PlatformCredential": "k", "PlatformPrincipal": "p"}
    application = sns.create_platform_application(Name="app", Platform="GCM", Attributes=keys)["PlatformApplicationArn"]
    endpoint = sns.create_platform_endpoint(PlatformApplicationArn=application, Token="device-1")["EndpointArn"]
    channel = Push(senders.aws("sns", "publish"))
    assert channel.send(sending("push", endpoint, WORDS), 0).kind == "accepted"
    sns.set_endpoint_attributes(EndpointArn=endpoint, Attributes={"Enabled": "false"})
    outcome = channel.send(sending("push", endpoint, WORDS), 0)
    assert (outcome.kind, outcome.code) == ("dead", "EndpointDisabled")
    sns.delete_endpoint(EndpointArn=endpoint)
    assert channel.send(sending("push", endpoint, WORDS), 0).kind == "dead"


def test_each_platform_gets_its_own_form_and_shows_a_message_that_comes_twice_once() -> None:
    script = Script({"MessageId": "1"})
    message = sending("push", "arn:aws:sns:eu-central-1:1:endpoint/APNS/app/1", WORDS)
    assert Push(script).send(message, 0).kind == "accepted"
    (request,) = script.requests
    assert request["MessageStructure"] == "json"
    forms = json.loads(str(request["Message"]))
    assert forms.keys() == {"default", "APNS", "APNS_SANDBOX", "GCM"}
    apple = json.loads(forms["APNS"])
    assert apple["aps"] == {"alert": {"title": "积分 expiring", "body": "您有 200 积分"}}
    assert (apple["points"], apple["message"]) == ("200", message.id)
    google = json.loads(forms["GCM"])["fcmV1Message"]["message"]
    assert google["notification"] == apple["aps"]["alert"]
    attributes: Any = request["MessageAttributes"]
    collapse = attributes["AWS.SNS.MOBILE.APNS.COLLAPSE_ID"]["StringValue"]
    assert google["android"]["collapse_key"] == collapse == push.same_as(message.id)
    assert len(collapse) <= 64


def test_what_no_phone_takes_is_refused_without_a_request() -> None:
    script = Script({"MessageId": "1"})
    outcome = Push(script).send(sending("push", "arn", Words(text="积" * 1400)), 0)
    assert (outcome.kind, outcome.code, script.requests) == ("refused", "too_long", [])


EMAIL, SMS, PUSH = "email", "sms", "push"
THROTTLED: Any = {"Error": {"Code": "Throttled", "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": 429}}


def outcome_of(channel: str, raised: Exception) -> tuple[Kind, str, int]:
    call: Call = Script(raised)
    made: dict[str, Channel] = {
        EMAIL: Mail(mail.Account("a@b.example"), call),
        SMS: Sms(sms.Account(), call),
        PUSH: Push(call),
    }
    outcome = made[channel].send(sending(channel, "somewhere", WORDS), 0)
    return outcome.kind, outcome.code, outcome.retry_after_s


@pytest.mark.parametrize(
    ("channel", "refused", "found"),
    [
        (EMAIL, AwsRefused("MessageRejected", 400, "Email address is not verified"), ("refused", 0)),
        (EMAIL, AwsRefused("BadRequestException"), ("refused", 0)),
        (EMAIL, AwsRefused("TooManyRequestsException", 429), ("later", 0)),
        (EMAIL, AwsRefused("LimitExceededException"), ("later", 0)),
        (EMAIL, AwsRefused("SendingPausedException"), ("later", 900)),
        (EMAIL, AwsRefused("AccountSuspendedException"), ("later", 900)),
        (EMAIL, AwsRefused("MailFromDomainNotVerifiedException"), ("later", 900)),
        (EMAIL, AwsRefused("NotFoundException", 404, "configuration set"), ("later", 900)),
        (EMAIL, AwsRefused("InternalFailure", 500), ("doubtful", 0)),
        (EMAIL, AwsRefused("", 503), ("doubtful", 0)),
        (SMS, AwsRefused("InvalidParameter", 400, "Invalid parameter: PhoneNumber Reason: x"), ("dead", 0)),
        (SMS, AwsRefused("InvalidParameter", 400, "Phone number is opted out"), ("dead", 0)),
        (SMS, AwsRefused("InvalidParameter", 400, "Invalid parameter: Message too long"), ("refused", 0)),
        (SMS, AwsRefused("OptedOut"), ("dead", 0)),
        (SMS, AwsRefused("Throttled", 429), ("later", 0)),
        (SMS, AwsRefused("AuthorizationError", 403), ("later", 900)),
        (SMS, AwsRefused("InternalError", 500), ("doubtful", 0)),
        (PUSH, AwsRefused("EndpointDisabled"), ("dead", 0)),
        (PUSH, AwsRefused("NotFound", 404), ("dead", 0)),
        (
            PUSH,
            AwsRefused("InvalidParameter", 400, "Invalid parameter: TargetArn Reason: No endpoint found"),
            ("dead", 0),
        ),
        (PUSH, AwsRefused("InvalidParameter", 400, "Invalid parameter: JSON must contain"), ("refused", 0)),
        (PUSH, AwsRefused("PlatformApplicationDisabled"), ("later", 900)),
        (PUSH, AwsRefused("KMSThrottling"), ("later", 0)),
        (PUSH, AwsRefused("InternalError", 500), ("doubtful", 0)),
    ],
)
def test_what_an_error_means(channel: str, refused: AwsRefused, found: tuple[Kind, int]) -> None:
    kind, code, after = outcome_of(channel, refused)
    assert (kind, after) == found
    assert code == refused.code


@pytest.mark.parametrize("channel", [EMAIL, SMS, PUSH])
def test_an_answer_that_got_lost_leaves_a_doubt_and_a_request_that_never_left_none(channel: str) -> None:
    assert outcome_of(channel, NoAnswer("timeout")) == ("doubtful", "timeout", 0)
    assert outcome_of(channel, NotSent("unreachable")) == ("later", "unreachable", 0)


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (ConnectTimeoutError(endpoint_url="x"), NotSent("unreachable")),
        (EndpointConnectionError(endpoint_url="x"), NotSent("unreachable")),
        (NoCredentialsError(), NotSent("not_ready")),
        (ReadTimeoutError(endpoint_url="x"), NoAnswer("timeout")),
        (ConnectionClosedError(endpoint_url="x"), NoAnswer("reset")),
        (
            ClientError(THROTTLED, "Publish"),
            AwsRefused("Throttled"),
        ),
    ],
)
def test_what_botocore_raises_is_known_for_what_it_says_of_the_request(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, seen: Exception
) -> None:
    class Client:
        def publish(self, **request: object) -> None:
            raise raised

    monkeypatch.setattr(senders, "_client", lambda service: Client())
    with pytest.raises(type(seen)) as error:
        senders.aws("sns", "publish")({})
    assert str(error.value) == str(seen)


def test_a_request_that_does_not_fit_its_model_is_refused_before_it_leaves(amazon: None) -> None:
    with pytest.raises(AwsRefused, match="ValidationException"):
        senders.aws("sns", "publish")({"PhoneNumber": 1})


@pytest.mark.parametrize("service", ["sesv2", "sns"])
def test_botocore_sends_nothing_twice(service: str) -> None:
    senders._client.cache_clear()  # noqa: SLF001 - its settings are what is looked at
    client = senders._client(service)  # noqa: SLF001
    assert client.meta.config.retries["total_max_attempts"] == 1
