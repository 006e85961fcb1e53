"""How running functions read secrets: when first needed, again now and then, and through an outage."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from loyalty.errors import Unavailable
from loyalty.members.tokens import TokenSecrets
from loyalty.runtime.secrets import REFRESH_SECONDS, Secret, seal_keys, token_secrets


class Manager:
    """A Secrets Manager whose answers the test sets."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def get_secret_value(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"SecretString": answer}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "GetSecretValue")
UNREACHABLE = EndpointConnectionError(endpoint_url="https://secretsmanager")


def test_a_secret_is_read_once_and_again_when_it_is_old() -> None:
    manager, clock = Manager("one", "two"), Clock()
    secret = Secret(lambda: manager, "name", clock)
    assert not manager.asked
    assert [secret.text(), secret.text()] == ["one", "one"]
    clock.now += REFRESH_SECONDS + 1
    assert secret.text() == "two"
    assert manager.asked == [{"SecretId": "name"}] * 2


def test_a_secret_can_be_asked_for_in_a_newer_state() -> None:
    manager, clock = Manager("one", "two"), Clock()
    secret = Secret(lambda: manager, "name", clock)
    secret.text()
    clock.now += 11
    assert [secret.text(10), secret.text(10)] == ["two", "two"]


@pytest.mark.parametrize("fault", [DENIED, UNREACHABLE])
def test_what_was_known_stands_while_the_secret_cannot_be_read(fault: Exception) -> None:
    manager, clock = Manager("one", fault, "two"), Clock()
    secret = Secret(lambda: manager, "name", clock)
    secret.text()
    clock.now += REFRESH_SECONDS + 1
    assert secret.text() == "one"
    clock.now += REFRESH_SECONDS + 1
    assert secret.text() == "two"


@pytest.mark.parametrize("fault", [DENIED, UNREACHABLE])
def test_without_a_secret_the_request_may_be_sent_again(fault: Exception) -> None:
    manager = Manager(fault, "one")
    secret = Secret(lambda: manager, "name", Clock())
    with pytest.raises(Unavailable) as refused:
        secret.text()
    assert refused.value.retry_after == 1
    assert secret.text() == "one"


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ('{"current": "%s"}' % ("a" * 64), TokenSecrets("a" * 64, "")),
        ('{"current": "%s", "previous": ""}' % ("a" * 64), TokenSecrets("a" * 64, "")),
        ('{"current": "%s", "previous": "b"}' % ("a" * 64), TokenSecrets("a" * 64, "b")),
    ],
)
def test_the_signing_secret_may_name_the_one_before(text: str, secrets: TokenSecrets) -> None:
    assert token_secrets(text) == secrets


@pytest.mark.parametrize("text", ["", "plain", "[]", "{}", "null", '{"current": ""}', '{"current": "short"}'])
def test_what_cannot_sign_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="the signing secret") as refused:
        token_secrets(text)
    assert "plain" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ({"current": "a" * 32}, ["a"]),
        ({"current": "a" * 32, "previous": ""}, ["a"]),
        ({"current": "a" * 32, "previous": []}, ["a"]),
        ({"current": "a" * 32, "previous": "b" * 32}, ["a", "b"]),
        ({"current": "a" * 32, "previous": ["b" * 32, "c" * 32]}, ["a", "b", "c"]),
    ],
)
def test_all_keys_that_sealed_are_known_the_newest_first(text: dict[str, Any], keys: list[str]) -> None:
    assert seal_keys(json.dumps(text)) == tuple(key.encode() * 32 for key in keys)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '"x"',
        "{}",
        '{"current": 5}',
        '{"current": "short"}',
        json.dumps({"current": "a" * 32, "previous": "short"}),
        json.dumps({"current": "a" * 32, "previous": ["b" * 32, ""]}),
        json.dumps({"current": "a" * 32, "previous": 7}),
    ],
)
def test_what_is_no_key_seals_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="artifact secret"):
        seal_keys(text)
