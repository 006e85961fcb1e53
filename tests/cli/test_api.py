"""What is sent again, and what is not."""

import httpx
import pytest

from cli.api import Api, Refusal
from cli.target import CommandError, Target
from tests.cli.gateway import problem, refusing


def api(transport: httpx.BaseTransport, waited: list[float]) -> Api:
    return Api(Target("http://127.0.0.1", "alpha.key"), transport, waited.append)


def test_a_read_is_repeated_until_it_is_answered_and_waits_as_long_as_it_is_told() -> None:
    waited: list[float] = []
    answers = (
        problem(503, "STORAGE_UNAVAILABLE", **{"retry-after": "3"}),
        httpx.ConnectError("gone"),
        httpx.Response(200, json={"name": "Alpha"}),
    )
    with api(refusing(*answers), waited) as client:
        assert client.get("/v1/program") == {"name": "Alpha"}
    assert waited == [3, 0.5]


def test_a_write_is_not_repeated_when_it_may_have_been_carried_out() -> None:
    for answer in (problem(503, "STORAGE_UNAVAILABLE", **{"retry-after": "1"}), httpx.ReadTimeout("late")):
        waited: list[float] = []
        with api(refusing(answer), waited) as client, pytest.raises(CommandError):
            client.call("POST", "/v1/clients", body={})
        assert waited == []


def test_a_write_that_the_rate_limit_refused_is_repeated() -> None:
    waited: list[float] = []
    answers = (problem(429, "REQUEST_RATE_LIMITED", **{"retry-after": "2"}), httpx.Response(201, json={}))
    with api(refusing(*answers), waited) as client:
        assert client.call("POST", "/v1/clients", body={}).status_code == 201
    assert waited == [2]


def test_a_refusal_carries_the_code_and_what_is_wrong() -> None:
    with api(refusing(problem(404, "MEMBER_NOT_FOUND")), []) as client, pytest.raises(Refusal) as refused:
        client.get("/v1/members/x")
    assert refused.value.code == "MEMBER_NOT_FOUND"
    assert str(refused.value) == "MEMBER_NOT_FOUND: why MEMBER_NOT_FOUND"


def test_the_gateways_own_refusal_is_told_too() -> None:
    transport = refusing(httpx.Response(403, json={"message": "Forbidden"}))
    with api(transport, []) as client, pytest.raises(Refusal, match="403: Forbidden"):
        client.get("/v1/program")


def test_a_list_is_read_to_its_last_page() -> None:
    pages = (
        httpx.Response(200, json={"members": [1, 2], "next": "2"}),
        httpx.Response(200, json={"members": [], "next": "3"}),
        httpx.Response(200, json={"members": [3]}),
    )
    with api(refusing(*pages), []) as client:
        assert list(client.pages("/v1/members", "members")) == [1, 2, 3]
